"""Keys of a set's nodes and validators: where they come from, where they lie, and that one is held once."""

import base64
import json
from typing import Any

import pytest
from chains import (
    BY_SECRET,
    GIVEN_KEYS,
    LOCAL,
    SEED,
    A,
    B,
    comet,
    deployed,
    deployed_json,
    find,
    names,
    node_json,
    outputs,
    plan,
    pod,
)
from set_objects import KEPT, Later, data_of

from nodestead.chain_keys import node_id, node_key_json
from nodestead.config.scalars import SECURE
from nodestead.kubernetes.names import guard_name
from nodestead.kubernetes.objects import Seed, is_kept, late_refs
from nodestead.preview.yaml_text import plain

# ---- keys


def test_a_node_key_is_made_from_the_seed_and_its_id_is_told() -> None:
    planned = plan(replicas=2, keys={"kind": "seed", "generation": 3})
    assert data_of(planned, "hub-1-key-g3") == {"node_key.json": node_key_json(SEED, 1, 3)}
    assert deployed_json(planned, "hub-1")["keys"]["node_id"] == node_id(SEED, 1, 3)
    nodes = {node.name: node.outputs for node in planned.nodes()}
    assert deployed(nodes["hub-1"]["nodeId"]) == node_id(SEED, 1, 3)
    secret = find(planned, "Secret", "hub-1-key-g3")
    assert (secret["immutable"], secret["metadata"]["annotations"]) == (True, KEPT)
    assert planned.needs_seed


def test_another_generation_is_another_secret_and_shows_in_every_stand_in() -> None:
    one, two = (plan(replicas=2, keys={"kind": "seed", "generation": n}) for n in (1, 2))
    assert names(one, "Secret") == ["hub-0-key-g1", "hub-1-key-g1"]
    assert names(two, "Secret") == ["hub-0-key-g2", "hub-1-key-g2"]
    for part in ("keys", "files"):
        assert node_json(one)[part] != node_json(two)[part]
    assert plain(one.outputs["peers"]) != plain(two.outputs["peers"])
    assert outputs(one)["nodeId"] != outputs(two)["nodeId"]
    assert one.noticed["keys"][0] != two.noticed["keys"][0]


def test_no_stand_in_is_a_key_or_an_id() -> None:
    (secret,) = [one for one in plan().manifests() if one["kind"] == "Secret"]
    shown = base64.b64decode(plain(secret["data"]["node_key.json"])).decode()
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(shown)
    assert len(node_json(plan())["keys"]["node_id"]) != 40


def test_a_given_key_is_read_from_its_secret_and_makes_no_seed() -> None:
    planned = plan(replicas=2, keys={**GIVEN_KEYS, "name": "keys-<replica>", "key": "node_key.json"})
    volumes = {volume["name"]: volume for volume in pod(planned, "hub-1")["volumes"]}
    assert volumes["secret-keys"]["projected"]["sources"] == [
        {"secret": {"name": "keys-1", "items": [{"key": "node_key.json", "path": "node_key.json"}]}}
    ]
    assert node_json(planned, "hub-1")["keys"]["node_id"] == B
    assert not planned.needs_seed
    assert planned.noticed["keys"][0] == "keys-<replica>, node_key.json"
    assert not any(isinstance(ref, Seed) for ref in late_refs([*planned.manifests()]))


def test_a_key_secret_of_another_resource_is_named_when_known_and_told_apart_in_words() -> None:
    later = Later()
    planned = plan(keys={**GIVEN_KEYS, "name": later})
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert volumes["secret-keys"]["projected"]["sources"][0]["secret"]["name"] is later
    assert planned.noticed["keys"][0] == "(given by another resource), node_key-<replica>.json"


def test_a_seed_from_a_backup_is_used_and_one_that_may_not_be_decrypted_is_none() -> None:
    given = plan(keys={"kind": "seed", "seed": SEED})
    assert given.given_seed is not None
    assert SEED not in repr(given.given_seed)
    assert plan(keys={"kind": "seed", "seed": SECURE}).given_seed is None


# ---- validators


def test_a_consensus_key_is_projected_beside_the_node_key() -> None:
    planned = plan(**BY_SECRET)
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert [list(s["secret"]["items"][0].values())[1] for s in volumes["secret-keys"]["projected"]["sources"]] == [
        *("node_key.json", "priv_validator_key.json")
    ]
    assert volumes["secret-keys"]["projected"]["sources"][1]["secret"]["name"] == "val"
    assert node_json(planned)["keys"]["consensus"] == "/etc/nodestead/keys/priv_validator_key.json"
    assert comet(planned)["priv_validator_key_file"] == "/run/nodestead-keys/priv_validator_key.json"


def test_a_guard_comes_before_the_pod_that_it_guards() -> None:
    planned = plan(**BY_SECRET)
    (node,) = planned.nodes()
    kinds = [one["kind"] for one in node.manifests]
    guard = find(planned, "ConfigMap", f"nodestead-key-{A}")
    assert node.manifests.index(guard) < kinds.index("StatefulSet")
    assert not is_kept(guard)
    assert (guard["data"], guard["immutable"]) == ({"consensusAddress": A.upper(), "node": "hub-0"}, True)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"name": "a", "addresses": {"0": A}}, {"name": "b", "key": "x", "addresses": {"0": A.upper()}}, True),
        ({"name": "a", "addresses": {"0": A}}, {"name": "a", "addresses": {"0": B}}, False),
    ],
)
def test_one_key_has_one_guard_whatever_set_it_is_in(one: dict[str, Any], two: dict[str, Any], same: bool) -> None:
    guards = [
        [n for n in names(plan(name, type="validator", signer={"kind": "secret", **signer}), "ConfigMap") if "key-" in n]
        for name, signer in (("hub", one), ("other", two))
    ]
    assert (guards[0] == guards[1]) == same


def test_a_guard_is_called_by_the_address_however_it_is_written() -> None:
    assert guard_name("0A" * 20) == guard_name("0a" * 20) == f"nodestead-key-{'0a' * 20}"


def test_no_node_but_a_validator_with_a_key_has_a_guard() -> None:
    for given in ({}, {"type": "sentry"}, LOCAL, {"type": "validator", "signer": {"kind": "remote"}}):
        assert [name for name in names(plan(**given), "ConfigMap") if name.startswith("nodestead-key-")] == []


@pytest.mark.parametrize(
    ("given", "modes"),
    [
        (BY_SECRET, ["ReadWriteOncePod"]),
        ({"type": "validator", "signer": {"kind": "remote"}}, ["ReadWriteOnce"]),
        ({**BY_SECRET, "persistence": {"kind": "volume", "accessModes": ["ReadWriteOnce"]}}, ["ReadWriteOnce"]),
        ({"type": "sentry"}, ["ReadWriteOnce"]),
        ({}, ["ReadWriteOnce"]),
    ],
)
def test_the_claim_of_a_validator_with_a_key_is_mounted_by_one_pod(given: dict[str, Any], modes: list[str]) -> None:
    assert find(plan(**given), "PersistentVolumeClaim", "data-hub-0-0")["spec"]["accessModes"] == modes
