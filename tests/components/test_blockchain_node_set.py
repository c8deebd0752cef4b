"""The component for blockchain nodes: peers across sets and stacks, keys, guards, and what of a plan only shows deployed."""

import base64
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pulumi
import pytest
from recording import SEED, Recording, is_secret, run

from nodestead import BlockchainNodeSet, BlockchainNodeSetArgs, PeerBook
from nodestead.chain_keys import consensus_address, consensus_key_json, node_id, node_key_json
from nodestead.kubernetes.names import guard_name

SOFTWARE: dict[str, Any] = {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"}
FULL: dict[str, Any] = {
    "software": SOFTWARE,
    "image": {"repository": "registry.example.org/simd", "tag": "v1"},
    "genesis": {"kind": "url", "url": "https://example.org/genesis.json"},
    "replicas": 2,
}
LOCAL: dict[str, Any] = {key: value for key, value in FULL.items() if key != "genesis"} | {
    "network": {"kind": "local", "validators": 2}
}
ADDRESS = "0a" * 20
VALIDATOR: dict[str, Any] = {
    **FULL,
    "replicas": 1,
    "type": "validator",
    "signer": {"kind": "secret", "name": "val", "addresses": {"0": ADDRESS}},
}
IDS = [node_id(SEED, ordinal, 1) for ordinal in range(3)]
PEER = f"{'a' * 40}@a.example.org:26656"
STACK = "org/project/prod"


def deployed(args: BlockchainNodeSetArgs | Mapping[str, Any], **how: Any) -> Recording:
    return run(lambda: BlockchainNodeSet("hub", args, namespace="chain"), **how)


def read(recording: Recording, node: str = "hub-0") -> dict[str, Any]:
    """What a node's agents read."""
    return json.loads(recording.objects()[f"ConfigMap/{node}-config"].inputs["data"]["node.json"])


def dialled(recording: Recording, node: str = "hub-0") -> str:
    return read(recording, node)["files"]["config"]["p2p"]["persistent_peers"]


def refusal(args: Mapping[str, Any], name: str = "hub", **more: Any) -> str:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as refused:
        run(lambda: BlockchainNodeSet(name, args, namespace="chain", **more), recording=recording)
    assert [r for r in recording.resources if r.kind == "StatefulSet"] == []
    return str(refused.value)


# ---- arguments


@pytest.mark.parametrize(
    "args",
    [
        {**FULL, "firstOrdinal": 4},
        {**FULL, "first_ordinal": 4},
        BlockchainNodeSetArgs.model_validate({**FULL, "firstOrdinal": 4}),
    ],
    ids=["as in YAML", "as in Python", "as an object"],
)
def test_arguments_come_in_every_spelling(args: BlockchainNodeSetArgs | Mapping[str, Any]) -> None:
    assert set(deployed(args).objects("StatefulSet")) == {"StatefulSet/hub-4", "StatefulSet/hub-5"}


def test_refused_arguments_register_nothing_and_give_every_reason() -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as refused:
        deployed({**FULL, "replica": 3, "type": "light"}, recording=recording)
    assert "blockchainNodeSets.hub.replica: unknown key; did you mean replicas?" in str(refused.value)
    assert "blockchainNodeSets.hub.type: 'light' is not known" in str(refused.value)
    assert recording.resources == []
    assert recording.hooks == {}


def test_a_name_that_gets_too_long_is_one_clean_error() -> None:
    assert "the name of its last node" in refusal(FULL, "c" * 60)


def test_a_local_network_that_would_not_start_is_refused_before_anything_is_there() -> None:
    broken = {**LOCAL, "network": {"kind": "local", "validators": 2, "accounts": {"cosmos1": "5stake"}}}
    assert "'cosmos1' is no Bech32 address" in refusal(broken)


# ---- keys and outputs


def test_each_node_has_its_own_key_of_the_seed_and_is_told_its_id() -> None:
    recording = deployed(FULL)
    for ordinal in (0, 1):
        secret = recording.objects()[f"Secret/hub-{ordinal}-key-g1"]
        assert secret.inputs["data"] == {"node_key.json": base64.b64encode(node_key_json(SEED, ordinal, 1).encode()).decode()}
        assert secret.secret_inputs == {"data"}
        assert read(recording, f"hub-{ordinal}")["keys"]["node_id"] == IDS[ordinal]


def test_a_validator_of_a_local_network_has_its_consensus_key_too() -> None:
    recording = deployed(LOCAL)
    data = recording.objects()["Secret/hub-1-key-g1"].inputs["data"]
    assert json.loads(base64.b64decode(data["priv_validator_key.json"])) == json.loads(consensus_key_json(SEED, 1, 1))
    (outputs,) = recording.component_outputs[recording.component("hub").urn]
    assert outputs["nodes"]["hub-1"]["consensusAddress"] == consensus_address(SEED, 1, 1)
    patch = read(recording)["genesis"]["patch"]
    assert patch == read(recording, "hub-1")["genesis"]["patch"]
    assert len(patch["gen_txs"]) == 2


def test_outputs_tell_public_things_in_clear() -> None:
    recording = deployed(FULL)
    (outputs,) = recording.component_outputs[recording.component("hub").urn]
    assert not any(is_secret(value) for value in outputs.values())
    assert outputs["peers"] == [f"{IDS[n]}@hub-{n}-p2p.chain:26656" for n in (0, 1)]
    assert outputs["chainId"] == "net-1"
    assert outputs["rpcService"] == "hub-rpc"
    assert outputs["nodes"]["hub-1"]["nodeId"] == IDS[1]
    assert outputs["nodes"]["hub-1"]["rpcUrl"] == "http://hub-1-p2p.chain:26657"


def test_what_is_public_of_the_seed_stands_in_config_maps_without_being_secret_and_the_seed_nowhere() -> None:
    recording = deployed(LOCAL)
    for key, found in recording.objects("ConfigMap").items():
        assert found.secret_inputs == set(), key
    assert IDS[1] in dialled(recording)
    keys = [make(SEED, ordinal, 1) for make in (node_key_json, consensus_key_json) for ordinal in (0, 1)]
    shown = str([r.inputs for r in recording.resources if r.kind != "Secret" and r.type.startswith("kubernetes")])
    shown += str(recording.component_outputs)
    for secret in [SEED, *(json.loads(key)["priv_key"]["value"] for key in keys)]:
        assert secret not in shown


def test_a_workload_says_nothing_secret_though_its_config_comes_from_the_seed() -> None:
    for found in deployed(LOCAL).objects("StatefulSet").values():
        assert found.secret_inputs == set()
        assert len(found.inputs["spec"]["template"]["metadata"]["annotations"]["nodestead.io/config"]) == 10


def test_a_seed_from_a_backup_gives_the_same_keys_and_makes_none() -> None:
    restored, before = deployed({**FULL, "keys": {"kind": "seed", "seed": SEED}}), deployed(FULL)
    for key in ("Secret/hub-0-key-g1", "ConfigMap/hub-1-config"):
        assert restored.objects()[key].inputs == before.objects()[key].inputs
    assert restored.objects()["Secret/hub-0-key-g1"].secret_inputs == {"data"}
    assert not any(r.type.startswith("random:") for r in restored.resources)


def test_a_seed_that_another_resource_gives_is_used_and_stays_secret() -> None:
    def program() -> BlockchainNodeSet:
        return BlockchainNodeSet(
            "hub", {**FULL, "keys": {"kind": "seed", "seed": pulumi.Output.from_input(SEED)}}, namespace="chain"
        )

    recording = run(program)
    assert recording.objects()["Secret/hub-0-key-g1"].secret_inputs == {"data"}
    assert recording.objects()["ConfigMap/hub-0-config"].secret_inputs == set()
    assert read(recording)["keys"]["node_id"] == IDS[0]


def test_a_seed_that_is_none_is_one_clean_error_without_the_seed() -> None:
    assert "hunter2" not in refusal({**FULL, "keys": {"kind": "seed", "seed": "hunter2"}})


def test_a_key_secret_of_another_resource_is_projected() -> None:
    def program() -> None:
        keys = {"kind": "secret", "name": pulumi.Output.from_input("made"), "ids": {"0": "a" * 40}}
        BlockchainNodeSet("hub", {**FULL, "replicas": 1, "keys": keys}, namespace="chain")

    recording = run(program)
    pod = recording.objects()["StatefulSet/hub-0"].inputs["spec"]["template"]["spec"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "secret-keys"]
    assert volume["projected"]["sources"][0]["secret"]["name"] == "made"
    assert "Calling __str__" not in str([r.inputs for r in recording.resources])


# ---- guards


def test_a_guard_is_made_and_never_adopted_before_the_pod() -> None:
    recording = deployed(VALIDATOR)
    guard = recording.objects()[f"ConfigMap/{guard_name(ADDRESS)}"]
    assert guard.type == "kubernetes:core/v1:ConfigMap"
    assert (guard.retained, guard.is_patch) == (False, False)
    assert guard.urn in recording.objects()["StatefulSet/hub-0"].dependencies


def test_two_sets_with_one_key_ask_for_one_object_so_that_the_second_fails() -> None:
    def program() -> None:
        BlockchainNodeSet("hub", VALIDATOR, namespace="chain")
        BlockchainNodeSet("other", VALIDATOR, namespace="chain")

    name = guard_name(ADDRESS)
    guards = [r for r in run(program).resources if r.kind == "ConfigMap" and r.object_name == name]
    assert len(guards) == 2
    assert len({r.urn for r in guards}) == 2
    assert not any(r.is_patch for r in guards)


# ---- peers


def mutual(names: tuple[str, ...] = ("sentries", "val"), order: tuple[str, ...] = ("sentries", "val")) -> dict[str, Any]:
    """Sentries that know their validator, and it them, made in an order."""
    book = PeerBook(*names)
    configs = {
        "sentries": {**FULL, "type": "sentry", "peersFrom": [{"set": "val"}]},
        "val": {**VALIDATOR, "peersFrom": [{"set": "sentries"}]},
    }
    return {name: BlockchainNodeSet(name, configs[name], namespace="chain", peer_book=book) for name in order}


@pytest.mark.parametrize("order", [("sentries", "val"), ("val", "sentries")])
def test_sets_that_have_each_other_as_peers_both_get_made_whichever_comes_first(order: tuple[str, ...]) -> None:
    recording = run(lambda: mutual(order=order))
    assert set(recording.objects("StatefulSet")) == {f"StatefulSet/{name}" for name in ("sentries-0", "sentries-1", "val-0")}
    # All sets have the mocks' one seed.
    assert dialled(recording, "val-0") == ",".join(sorted(f"{IDS[n]}@sentries-{n}-p2p.chain:26656" for n in (0, 1)))
    assert f"{IDS[0]}@val-0-p2p.chain:26656" in dialled(recording, "sentries-0")


def test_what_reads_a_neighbours_peers_waits_for_its_services() -> None:
    recording = run(mutual, slow=["sentries-service-sentries-1-p2p", *_service_names()])
    services = [r for key, r in recording.objects("Service").items() if key.startswith("Service/sentries-") and "p2p" in key]
    assert len(services) == 2
    assert max(r.finished for r in services) < recording.objects()["ConfigMap/val-0-config"].started


def _service_names() -> list[str]:
    return [r.name for r in run(mutual).resources if r.kind == "Service" and r.object_name.startswith("sentries-")]


def test_a_set_that_the_book_does_not_name_is_one_clean_error() -> None:
    said = refusal({**FULL, "peersFrom": [{"set": "val"}]}, peer_book=PeerBookOf("hub"))
    assert "there is no set val in the peer book, whose sets are: hub; name it there" in said
    said = refusal({**FULL, "peersFrom": [{"set": "val"}]})
    assert "there is no set val in the peer book, whose sets are: none" in said


class PeerBookOf(PeerBook):
    """A book that is filled within the program's own loop."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def of(self, name: str) -> pulumi.Output[list[str]]:
        super().__init__(*self._names)
        return super().of(name)

    def publish(self, name: str, peers: pulumi.Output[list[str]]) -> None:
        """Nobody asks."""


def test_a_set_that_the_book_does_not_name_may_use_it_all_the_same() -> None:
    def program() -> None:
        book = PeerBook("val")
        BlockchainNodeSet("val", VALIDATOR, namespace="chain", peer_book=book)
        BlockchainNodeSet("hub", {**FULL, "peersFrom": [{"set": "val"}]}, namespace="chain", peer_book=book)

    assert f"{IDS[0]}@val-0-p2p.chain:26656" in dialled(run(program))


def test_outputs_of_one_set_are_peers_of_another() -> None:
    def program() -> None:
        first = BlockchainNodeSet("val", VALIDATOR, namespace="chain")
        BlockchainNodeSet("hub", {**FULL, "peersFrom": [{"peers": first.outputs["peers"]}]}, namespace="chain")

    recording = run(program)
    assert f"{IDS[0]}@val-0-p2p.chain:26656" in dialled(recording)
    assert recording.objects()["ConfigMap/hub-0-config"].secret_inputs == set()


def across(**more: Any) -> dict[str, Any]:
    return {**FULL, "replicas": 1, "peersFrom": [{"set": "val", "stack": STACK, **more}]}


@pytest.mark.parametrize(
    ("more", "outputs"),
    [
        ({}, {"peers": {"val": [PEER]}}),
        ({"public": True}, {"publicPeers": {"val": [PEER]}, "peers": {"val": ["x"]}}),
    ],
)
def test_peers_of_another_stack_come_from_its_outputs(more: dict[str, Any], outputs: dict[str, Any]) -> None:
    recording = deployed(across(**more), stacks={STACK: outputs})
    assert dialled(recording) == PEER


def test_two_sets_of_one_other_stack_read_it_once() -> None:
    outputs = {"peers": {"a": [PEER], "b": [PEER.replace("a", "b")]}}
    sources = [{"set": name, "stack": STACK} for name in ("a", "b")]
    recording = deployed({**FULL, "replicas": 1, "peersFrom": sources}, stacks={STACK: outputs})
    assert dialled(recording).split(",") == [PEER, PEER.replace("a", "b")]


@pytest.mark.parametrize("outputs", [{}, {"peers": {"other": [PEER]}}])
def test_a_stack_that_has_no_such_peers_is_one_clean_error(outputs: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=f"peersFrom: stack {STACK} has no peers of a set val in its outputs; update that stack"):
        deployed(across(), stacks={STACK: outputs})


def test_a_rendering_shows_neighbours() -> None:
    args = {**FULL, "peersFrom": [{"set": "val"}]}

    def program() -> None:
        book = PeerBook("val")
        BlockchainNodeSet("val", VALIDATOR, namespace="chain", peer_book=book)
        BlockchainNodeSet("hub", args, namespace="chain", peer_book=book, neighbours={"val": ["(peers of val)"]})

    assert "(peers of val)" not in dialled(run(program)), "a stand-in is for renderings"


# ---- addresses and namespaces


def test_the_address_of_a_load_balancer_reaches_its_node_and_the_outputs() -> None:
    recording = deployed({**FULL, "exposure": {"kind": "loadBalancer", "first": 1}})
    assert read(recording)["address"] == {"from": "fixed", "host": "203.0.113.7", "port": 26656}
    assert read(recording, "hub-1")["address"] == {"from": "none"}
    (outputs,) = recording.component_outputs[recording.component("hub").urn]
    assert outputs["publicPeers"] == [f"{IDS[0]}@203.0.113.7:26656"]


def test_a_node_without_services_does_not_wait_for_its_load_balancer() -> None:
    recording = deployed({**FULL, "exposure": {"kind": "loadBalancer"}, "nodes": {"1": {"disabled": "all"}}})
    assert read(recording, "hub-1")["address"] == {"from": "none"}
    assert recording.objects()["StatefulSet/hub-1"].inputs["spec"]["replicas"] == 0


def test_a_namespace_of_another_resource_reaches_objects_and_peers() -> None:
    recording = run(lambda: BlockchainNodeSet("hub", FULL, namespace=pulumi.Output.from_input("chain")))
    assert {r.inputs["metadata"]["namespace"] for r in recording.objects().values()} == {"chain"}
    (outputs,) = recording.component_outputs[recording.component("hub").urn]
    assert outputs["peers"][0] == f"{IDS[0]}@hub-0-p2p.chain:26656"
    assert {r.urn for r in recording.resources} == {r.urn for r in deployed(FULL).resources}


# ---- over time


def test_growing_from_one_to_three_renames_nothing() -> None:
    one, three = (deployed({**FULL, "replicas": n, "exposure": {"kind": "nodePort"}}) for n in (1, 3))
    assert {r.urn for r in one.resources} <= {r.urn for r in three.resources}
    assert set(one.objects()) <= set(three.objects())


def test_a_rollout_goes_batch_after_batch_once_every_service_is_there() -> None:
    recording = deployed({**FULL, "replicas": 4, "rollout": {"maxUnavailable": 2}})
    found = recording.objects("StatefulSet")
    batches = [[found[f"StatefulSet/hub-{n}"] for n in batch] for batch in ((0, 1), (2, 3))]
    for before, after in pairwise(batches):
        assert max(r.finished for r in before) < min(r.started for r in after)
    services = recording.objects("Service").values()
    assert max(r.finished for r in services) < min(r.started for r in found.values())
    assert {r.timeouts for r in found.values()} == {("1800s", "1800s")}


def test_the_config_of_a_later_batch_waits_for_the_one_before() -> None:
    recording = deployed(FULL)
    first = recording.objects()["StatefulSet/hub-0"]
    assert recording.objects()["ConfigMap/hub-1-config"].started > first.finished


def test_the_guard_of_what_may_not_change_knows_chain_and_network() -> None:
    inputs = deployed(LOCAL).component("hub").inputs
    assert {"software.chainId": "net-1", "network.kind": "local", "network.validators": 2}.items() <= inputs.items()
