"""Whom the nodes of a set dial, hide and let in."""

from typing import Any

import pytest
from chains import GIVEN_KEYS, OSMOSIS, A, B, C, args, comet, deployed, deployed_json, find, plan
from set_objects import IDS, Later

from nodestead.kubernetes.objects import SetPeers, StackPeers, late_refs
from nodestead.plans.blockchain_node_set import peer_stand_ins, plan_blockchain_node_set

PEER = f"{C}@seed.example.org:26656"


def lists(given: dict[str, Any]) -> list[str]:
    """The three lists of peers in a node's config.toml."""
    return [given["p2p"][key] for key in ("persistent_peers", "private_peer_ids", "unconditional_peer_ids")]


def told(node: str = "hub-0", others: dict[str, Any] | None = None, **given: Any) -> list[str]:
    """The three lists of peers of a node in the cluster."""
    return lists(deployed_json(plan(**given), node, **(others or {}))["files"]["config"])


def test_a_sets_nodes_dial_each_other_let_each_other_in_and_tell_nobody() -> None:
    others = sorted(IDS[n] for n in (0, 2, 3))
    assert others not in ([IDS[n] for n in (0, 2, 3)], [IDS[n] for n in (3, 2, 0)]), "the order has to show"
    dialled = sorted(f"{IDS[n]}@hub-{n}-p2p:26656" for n in (0, 2, 3))
    assert told("hub-1", replicas=4) == [",".join(dialled), ",".join(others), ",".join(others)]


def test_without_mesh_siblings_are_not_dialled_and_still_let_in() -> None:
    assert told("hub-1", replicas=2, peers={"mesh": False}) == ["", IDS[0], IDS[0]]


@pytest.mark.parametrize(("disabled", "expected"), [("pod", [IDS[1]]), ("all", [])])
def test_a_stopped_node_stays_a_peer_and_one_without_service_does_not(disabled: str, expected: list[str]) -> None:
    _, private, unconditional = told(replicas=2, nodes={"1": {"disabled": disabled}})
    assert [private, unconditional] == [",".join(expected)] * 2


def test_peers_of_the_user_come_after_the_sets_own() -> None:
    given = {"persistent": [PEER], "privateIds": [A], "unconditionalIds": [B], "seeds": [PEER]}
    planned = plan(replicas=2, keys=GIVEN_KEYS | {"ids": {"0": B, "1": C}, "key": "k-<replica>"}, peers=given)
    assert lists(comet(planned)) == [f"{C}@hub-1-p2p:26656,{PEER}", f"{C},{A}", f"{C},{B}"]
    assert comet(planned)["p2p"]["seeds"] == PEER


@pytest.mark.parametrize(
    ("peers", "dialled", "seeded"),
    [({}, True, True), ({"preset": False}, False, True), ({"seeds": []}, True, False), ({"seeds": [PEER]}, True, PEER)],
)
def test_a_preset_brings_seeds_and_peers_unless_told_otherwise(peers: dict[str, Any], dialled: bool, seeded: Any) -> None:
    p2p = comet(plan(software=OSMOSIS, genesis=None, peers=peers))["p2p"]
    assert bool(p2p["persistent_peers"]) == dialled
    assert p2p["seeds"] == seeded or bool(p2p["seeds"]) is seeded


def test_a_validator_behind_sentries_knows_nobody_but_them_and_whom_the_user_names() -> None:
    given: dict[str, Any] = {"software": OSMOSIS, "genesis": None, "type": "validator", "signer": {"kind": "remote"}}
    sentries = [{"peers": [PEER]}]
    alone, shielded = (comet(plan(**given, peersFrom=sources))["p2p"] for sources in ([], sentries))
    assert alone["persistent_peers"]
    assert alone["seeds"]
    assert (shielded["persistent_peers"], shielded["seeds"]) == (PEER, "")
    named = comet(plan(**given, peersFrom=sentries, peers={"persistent": [f"{A}@a:1"], "seeds": [f"{B}@b:2"]}))["p2p"]
    assert (named["persistent_peers"], named["seeds"]) == (f"{PEER},{A}@a:1", f"{B}@b:2")
    open_ = comet(plan(**{**given, "type": "full", "signer": None}, peersFrom=sentries))["p2p"]
    assert len(open_["persistent_peers"]) > len(PEER)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, (f"{A}@val-0-p2p.ns:26656", A, A)),
        ({"dial": False}, ("", A, A)),
        ({"private": False}, (f"{A}@val-0-p2p.ns:26656", "", A)),
        ({"unconditional": False}, (f"{A}@val-0-p2p.ns:26656", A, "")),
    ],
)
def test_peers_of_another_set_are_dialled_hidden_and_let_in_as_told(how: dict[str, Any], expected: tuple[str, ...]) -> None:
    published = {"val": [f"{A}@val-0-p2p.ns:26656"]}
    assert told(others=published, peersFrom=[{"set": "val", **how}]) == list(expected)


def test_a_set_waits_for_the_very_peers_that_it_names() -> None:
    sources = [
        {"set": "one"},
        {"set": "two", "stack": "org/project/prod"},
        {"set": "three", "stack": "org/project/prod", "public": True},
        {"peers": [PEER]},
    ]
    planned = plan(peersFrom=sources)
    refs = {ref for ref in late_refs(find(planned, "ConfigMap", "hub-0-config")) if isinstance(ref, SetPeers | StackPeers)}
    assert refs == {SetPeers("one"), StackPeers("org/project/prod", "two", False), StackPeers("org/project/prod", "three", True)}
    published = {"one": [f"{A}@a:1"], "two": [f"{B}@b:2"], "three": [f"{'d' * 40}@d:3"]}
    assert told(others=published, peersFrom=sources)[0] == f"{A}@a:1,{B}@b:2,{PEER},{'d' * 40}@d:3"


def test_peers_that_another_resource_gives_are_known_when_they_are() -> None:
    later = Later()
    planned = plan(peersFrom=[{"peers": later}])
    assert later in set(late_refs(find(planned, "ConfigMap", "hub-0-config")["data"]["node.json"]))
    assert lists(comet(planned))[0] == "(peers given by another resource)"
    assert told(others={"deferred": [PEER]}, peersFrom=[{"peers": later}])[0] == PEER


def test_a_rendering_shows_the_peers_of_neighbours_and_changes_as_they_do() -> None:
    shown = peer_stand_ins("val", args(), "ns")
    assert shown == ["(node id of val-0, generation 1)@val-0-p2p.ns:26656"]
    assert lists(comet(plan(peersFrom=[{"set": "val"}], neighbours={"val": shown})))[0] == shown[0]
    assert peer_stand_ins("val", args(keys={"kind": "seed", "generation": 2}), "ns") != shown
    assert peer_stand_ins("val", args(replicas=2), "ns")[:1] == shown
    assert peer_stand_ins("val", args(keys=GIVEN_KEYS), "ns") == [f"{A}@val-0-p2p.ns:26656"]


def test_a_set_tells_others_how_to_dial_it_inside_the_cluster() -> None:
    planned = plan(replicas=3, nodes={"1": {"disabled": "all"}})
    expected = [f"{IDS[n]}@hub-{n}-p2p.ns:26656" for n in (0, 2)]
    assert deployed(planned.peers) == deployed(planned.outputs["peers"]) == expected


def test_a_namespace_that_another_resource_gives_is_in_the_addresses_when_known() -> None:
    for given in ({}, {"keys": GIVEN_KEYS}):
        planned = plan_blockchain_node_set("hub", args(**given), Later())
        (found,) = deployed(planned.peers, deferred="chain")
        assert found.endswith("@hub-0-p2p.chain:26656")
        (node,) = planned.nodes()
        assert deployed(node.outputs["rpcUrl"], deferred="chain") == "http://hub-0-p2p.chain:26657"
        assert "namespace" not in planned.unchangeable
