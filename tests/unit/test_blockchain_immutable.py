"""What may not change under the data of a set, and what is said of it."""

from typing import Any

import pytest
from chains import BY_SECRET, COSMOS, GENESIS, HUB, IMAGE, LOCAL, LOCAL_COMET, OSMOSIS, A, B, plan
from set_objects import NODE_PORT, Later


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"network": {"kind": "local", "validators": 3}}, {"network.validators"}),
        ({"network": {"kind": "local", "stake": 10**9}}, {"network.stake"}),
        ({"network": {"kind": "local", "balance": 10**13}}, {"network.balance"}),
        ({"network": {"kind": "local", "genesisTime": "2025-01-01T00:00:00Z"}}, {"network.genesisTime"}),
        ({"network": {"kind": "local", "appState": {"a": 1}}}, {"network.appState"}),
        (
            {"network": {"kind": "local", "accounts": {"cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0": "5stake"}}},
            {"network.accounts"},
        ),
        ({"keys": {"kind": "seed", "generation": 2}}, {"keys.generation"}),
        ({"software": {**COSMOS, "denom": "uatom"}}, {"software.denom"}),
        ({"software": {**COSMOS, "addressPrefix": "atom"}}, {"software.addressPrefix"}),
        ({"software": {**COSMOS, "chainId": "net-2"}}, {"software.chainId"}),
        ({"replicas": 9}, set[str]()),
        ({"image": {**IMAGE, "tag": "v2"}}, set[str]()),
    ],
)
def test_what_is_in_the_hash_of_a_local_genesis_may_not_change(given: dict[str, Any], changed: set[str]) -> None:
    old, new = plan(**LOCAL).unchangeable, plan(**{**LOCAL, **given}).unchangeable
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == changed


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"software": {**COSMOS, "chainId": "net-2"}}, {"software.chainId"}),
        ({"software": {**COSMOS, "home": ".simapp"}}, {"software.home"}),
        ({"software": {**COSMOS, "databaseBackend": "pebbledb"}}, {"software.databaseBackend"}),
        ({"firstOrdinal": 1}, {"firstOrdinal"}),
        ({"keys": {"kind": "seed", "generation": 2}}, set[str]()),
        ({"type": "archive"}, set[str]()),
        ({"replicas": 3, "exposure": NODE_PORT, "genesis": {"kind": "script", "script": "x"}}, set[str]()),
    ],
)
def test_what_may_not_change_under_data(given: dict[str, Any], changed: set[str]) -> None:
    old, new = plan().unchangeable, plan(**given).unchangeable
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == changed


def test_what_may_not_change_is_what_a_state_can_hold() -> None:
    for given in ({}, LOCAL, LOCAL_COMET, BY_SECRET, {"software": HUB, "genesis": None}):
        assert {type(value) for value in plan(**given).unchangeable.values()} <= {str, int, bool, type(None)}
        assert plan(**given).unchangeable["namespace"] == "ns"


PAIR = {"type": "validator", "replicas": 2, "signer": {"kind": "secret", "name": "v-<replica>", "addresses": {"0": A, "1": B}}}
SWAPPED = {**PAIR, "signer": {"kind": "secret", "name": "v-<replica>", "addresses": {"0": B, "1": A}}}
MINE: dict[str, Any] = {"persistence": {"kind": "existingClaim", "claim": "mine"}}
ON_CLASS: dict[str, Any] = {"kind": "volume", "storageClass": "fast"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({}, {"persistence": {"kind": "volume", "accessModes": ["ReadWriteMany"]}}, {"persistence.accessModes"}),
        ({}, {"persistence": ON_CLASS}, {"persistence.storageClass"}),
        ({}, {"persistence": {"kind": "volume", "size": "1Ti"}}, set[str]()),
        ({"persistence": ON_CLASS}, {"persistence": {**ON_CLASS, "storageClass": ""}}, {"persistence.storageClass"}),
        ({}, {"nodes": {"0": {"existingClaim": "mine"}}}, set[str]()),
        (BY_SECRET, {**BY_SECRET, "nodes": {"0": {"existingClaim": "mine"}}}, {"nodes.0.existingClaim"}),
        (
            {**BY_SECRET, **MINE},
            {**BY_SECRET, "persistence": {"kind": "existingClaim", "claim": "other"}},
            {"nodes.0.existingClaim"},
        ),
        (
            BY_SECRET,
            {**BY_SECRET, **MINE},
            {"persistence.kind", "persistence.accessModes", "persistence.storageClass", "nodes.0.existingClaim"},
        ),
        (PAIR, SWAPPED, {f"signer.addresses.{A.upper()}", f"signer.addresses.{B.upper()}"}),
        (BY_SECRET, {**BY_SECRET, "signer": {**BY_SECRET["signer"], "name": "other", "key": "other.json"}}, set[str]()),
    ],
)
def test_no_volume_and_no_key_changes_under_who_has_signed(old: dict[str, Any], new: dict[str, Any], changed: set[str]) -> None:
    before, after = plan(**old).unchangeable, plan(**new).unchangeable
    missing = object()
    assert {key for key in before.keys() | after.keys() if before.get(key, missing) != after.get(key, missing)} == changed


def test_a_key_belongs_to_its_node_until_no_node_has_it() -> None:
    kept = plan(**PAIR).unchangeable
    assert {key: value for key, value in kept.items() if key.startswith(("signer", "persistence", "nodes"))} == {
        f"signer.addresses.{A.upper()}": "hub-0",
        f"signer.addresses.{B.upper()}": "hub-1",
        "persistence.kind": "volume",
        "persistence.accessModes": "ReadWriteOncePod",
        "persistence.storageClass": None,
        "nodes.0.existingClaim": None,
        "nodes.1.existingClaim": None,
    }
    later = plan(**BY_SECRET, persistence={"kind": "volume", "storageClass": Later()}, nodes={"0": {"existingClaim": Later()}})
    assert not {"persistence.storageClass", "nodes.0.existingClaim"} & later.unchangeable.keys()


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"genesis": GENESIS}, True),
        ({"genesis": {**GENESIS, "url": "https://example.org/other.json"}}, False),
        ({"genesis": {**GENESIS, "sha256": "0a" * 32}}, False),
        ({"genesis": {"kind": "url", "urlFrom": {"name": "mirror", "key": "url"}}}, False),
        ({"genesis": {"kind": "script", "script": "true"}}, False),
        ({"genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'}}, False),
        ({"genesis": {"kind": "default"}}, False),
        ({"software": OSMOSIS, "genesis": None}, False),
        (LOCAL, False),
    ],
)
def test_another_genesis_under_nodes_with_blocks_is_said(given: dict[str, Any], same: bool) -> None:
    (old, _), (new, said) = plan().noticed["genesis"], plan(**given).noticed["genesis"]
    assert (old == new) == same
    assert "nodes with blocks keep the genesis" in said
    assert "example.org" not in new


def test_what_may_not_change_is_not_said_to_cost_something() -> None:
    assert set(plan().noticed) == {"keys", "genesis", "persistence.kind"}
    assert set(plan(**BY_SECRET).noticed) == {"keys", "genesis"}


def test_data_that_is_left_behind_is_said() -> None:
    old, new = plan().noticed, plan(persistence={"kind": "ephemeral"}).noticed
    assert old["persistence.kind"][0] != new["persistence.kind"][0]
    assert "start with empty volumes" in new["persistence.kind"][1]
