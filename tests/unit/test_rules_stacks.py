"""What the rules over several stacks find, and what they pass over: literal objects, and those that configs render."""

import json
from dataclasses import replace
from typing import Any

import chains
import pytest
from change_cases import (
    claim_template,
    claim_volume,
    comparison,
    found_by,
    ids,
    item,
    key_volume,
    rendered,
    resource,
    snapshot,
    stateful_set,
)
from groups import MARKET, config

from nodestead.changes.accepted import read_acceptances
from nodestead.changes.compare import Neighbour
from nodestead.changes.rule import Finding, Found
from nodestead.changes.rules import RULES as ALL
from nodestead.changes.rules import findings
from nodestead.changes.rules.keys import SHARED_COSTS
from nodestead.changes.rules.stacks import RULES
from nodestead.changes.secret_text import safe_text
from nodestead.changes.snapshot import Item, Snapshot

KEY, ID = "00112233445566778899AABBCCDDEEFF00112233", "0f" * 20
PROVIDER = "pulumi:providers:kubernetes"
CONSENSUS, NODE, ETHEREUM = "priv_validator_key.json", "node_key.json", "eth-private-key"
NOTHING = snapshot()


def stack(*items: Item, **provider: Any) -> Snapshot:
    """A stack of a cluster: that of the context prod where nothing else is said."""
    return snapshot(resource(PROVIDER, "cluster", **(provider or {"context": "prod"})), *items)


def guard(node: str, namespace: str = "n", address: str = KEY) -> Item:
    """The ConfigMap that holds a consensus key for a node."""
    name = f"nodestead-key-{address.lower()}"
    return item("ConfigMap", name, namespace=namespace, set="val", node=node, data={"node": node, "consensusAddress": address})


def node_file(node: str, *, given: str = ID, chain: str = "hub-1", local: bool = False) -> Item:
    """The ConfigMap that a chain node reads."""
    told = {"chain_id": chain, "keys": {"node_id": given}, "health": {"local": local}}
    return item("ConfigMap", f"{node}-config", set="val", node=node, data={"node.json": json.dumps(told)})


def node(name: str, *volumes: dict[str, Any], namespace: str = "n", replicas: int | None = None, **spec: Any) -> Item:
    """A node of the set val."""
    return stateful_set(name, set="val", namespace=namespace, replicas=replicas, volumes=volumes, **spec)


def keyed(name: str, entry: str | None = "k", path: str = ETHEREUM, **given: Any) -> Item:
    """A node with a key from the Secret keys."""
    return node(name, key_volume("keys", entry, path), **given)


def found(
    base: Snapshot, head: Snapshot, other_base: Snapshot, other_head: Snapshot, rule: str = "held-by-two-stacks"
) -> list[Found]:
    """What a rule finds in a stack beside another one, called other."""
    return found_by(rule, RULES, replace(comparison(base, head), others={"other": Neighbour(other_base, other_head)}))


VALIDATOR = stack(guard("val-0"), node("val-0"))
FAR = stack(guard("val-0"), node("val-0"), context="far")


# ---- keys and volumes


@pytest.mark.parametrize(
    ("head", "other", "what", "file"),
    [
        (VALIDATOR, FAR, f"val-0 and val-0 of stack other would use the consensus key {KEY}", CONSENSUS),
        (
            snapshot(guard("val-0"), node("val-0")),
            snapshot(guard("val-0"), node("val-0")),
            f"val-0 and val-0 of stack other would use the consensus key {KEY}",
            CONSENSUS,
        ),
        (
            stack(node_file("val-0"), node("val-0")),
            stack(node_file("full-3"), node("full-3"), context="far"),
            f"val-0 and full-3 of stack other would use the node id {ID}",
            NODE,
        ),
        (
            stack(keyed("val-0")),
            stack(keyed("b-0")),
            "val-0 and b-0 of stack other would use the key in Secret keys, entry k",
            ETHEREUM,
        ),
        (
            stack(keyed("val-0", path=CONSENSUS)),
            stack(keyed("b-0", path=CONSENSUS)),
            "val-0 and b-0 of stack other would use the key in Secret keys, entry k",
            CONSENSUS,
        ),
        (
            stack(keyed("val-0"), kubeconfig="a", clusterIdentifier="x", version="1"),
            stack(keyed("b-0"), kubeconfig="a", clusterIdentifier="y", version="2"),
            "val-0 and b-0 of stack other would use the key in Secret keys, entry k",
            ETHEREUM,
        ),
        (
            stack(*(node(f"a-{one}", key_volume("keys", f"k-{one}")) for one in range(3))),
            stack(*(node(f"b-{one}", key_volume("keys", f"k-{one}")) for one in range(3))),
            "a-0 … a-2 and b-0 … b-2 of stack other would use 3 keys together, the first the key in Secret keys, entry k-0",
            ETHEREUM,
        ),
    ],
    ids=["address", "address-anywhere", "node-id", "secret", "consensus-secret", "kubeconfig", "several"],
)
def test_nodes_of_two_stacks_would_use_one_key(head: Snapshot, other: Snapshot, what: str, file: str) -> None:
    (one,) = found(NOTHING, head, NOTHING, other)
    assert (one.subject, one.what) == ("val", f"{what}; {SHARED_COSTS[file]}")
    assert one.stops is None


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (node("val-0", claim_volume("mine")), node("b-0", claim_volume("mine"))),
        (node("val-0", volumeClaimTemplates=[claim_template()]), node("b-0", claim_volume("data-val-0-0"))),
    ],
)
def test_nodes_of_two_stacks_would_write_into_one_volume(mine: Item, theirs: Item) -> None:
    (one,) = found(NOTHING, stack(mine), NOTHING, stack(theirs))
    assert one.what.startswith("val-0 and b-0 of stack other would use the claim ")
    assert one.what.endswith("both write into one volume and spoil each other's data, and are one peer to all others")


NEAR: dict[str, tuple[Snapshot, Snapshot]] = {
    "another address": (VALIDATOR, stack(guard("val-0", address="AA" * 20), node("val-0"), context="far")),
    "a stopped node": (VALIDATOR, stack(guard("val-0"), node("val-0", replicas=0), context="far")),
    "another cluster": (stack(keyed("val-0")), stack(keyed("b-0"), context="far")),
    "another kubeconfig": (stack(keyed("val-0"), kubeconfig="a"), stack(keyed("b-0"), kubeconfig="b")),
    "another kubeconfig of the same context": (
        stack(keyed("val-0"), kubeconfig="a", context="c"),
        stack(keyed("b-0"), kubeconfig="b", context="c"),
    ),
    "a cluster that a preview hides": (stack(keyed("val-0"), kubeconfig="[secret]"), stack(keyed("b-0"), kubeconfig="[secret]")),
    "no cluster": (snapshot(keyed("val-0")), snapshot(keyed("b-0"))),
    "a cluster that only the environment names": (stack(keyed("val-0"), version="1"), stack(keyed("b-0"), version="1")),
    "one of two clusters": (
        snapshot(resource(PROVIDER, "a", context="a"), resource(PROVIDER, "b", context="b"), keyed("val-0")),
        snapshot(resource(PROVIDER, "a", context="a"), resource(PROVIDER, "b", context="b"), keyed("b-0")),
    ),
    "a folder": (stack(keyed("val-0"), renderYamlToDirectory="out"), stack(keyed("b-0"), renderYamlToDirectory="out")),
    "a folder beside a cluster": (
        stack(keyed("val-0"), renderYamlToDirectory="a", context="c"),
        stack(keyed("b-0"), context="c"),
    ),
    "another namespace": (stack(keyed("val-0")), stack(keyed("b-0", namespace="m"))),
    "another entry": (stack(keyed("val-0")), stack(keyed("b-0", "l"))),
    "another kind of key": (stack(keyed("val-0")), stack(keyed("b-0", path=NODE))),
    "a stopped node of one Secret": (stack(keyed("val-0")), stack(keyed("b-0", replicas=0))),
    "a stopped node of its own": (stack(keyed("val-0", replicas=0)), stack(keyed("b-0"))),
    "a Secret whose name nobody knows yet": (
        stack(node("val-0", key_volume("[unknown]", "k"))),
        stack(node("b-0", key_volume("[unknown]", "k"))),
    ),
    "one node in two stacks": (stack(keyed("val-0")), stack(keyed("val-0"))),
    "one validator in two stacks": (VALIDATOR, VALIDATOR),
    "a node id of another network": (
        stack(node_file("val-0"), node("val-0")),
        stack(node_file("b-0", chain="hub-2"), node("b-0")),
    ),
    "a node id of a local network": (
        stack(node_file("val-0", local=True), node("val-0"), context="a"),
        stack(node_file("val-0", local=True), node("val-0"), context="b"),
    ),
    "a node id that a rendering does not know": (
        stack(node_file("val-0", given="(node id of val-0, generation 1)"), node("val-0"), context="a"),
        stack(node_file("val-0", given="(node id of val-0, generation 1)"), node("val-0"), context="b"),
    ),
    "a node id of a stopped node": (
        stack(node_file("val-0"), node("val-0")),
        stack(node_file("b-0"), node("b-0", replicas=0)),
    ),
    "a claim of another namespace": (
        stack(node("val-0", claim_volume("mine"))),
        stack(node("b-0", claim_volume("mine"), namespace="m")),
    ),
    "a claim of a stopped node": (
        stack(node("val-0", claim_volume("mine"))),
        stack(node("b-0", claim_volume("mine"), replicas=0)),
    ),
    "a claim that many read": (
        stack(node("val-0", claim_volume("shared", "more"))),
        stack(node("b-0", claim_volume("shared", "more"))),
    ),
    "no stack": (VALIDATOR, NOTHING),
}


@pytest.mark.parametrize("case", NEAR)
def test_what_is_certain_to_be_no_shared_key_is_passed_over(case: str) -> None:
    head, other = NEAR[case]
    assert found(NOTHING, head, NOTHING, other) == []


def test_stages_with_equal_names_in_clusters_or_namespaces_of_their_own_share_nothing() -> None:
    def stage(name: str, context: str) -> Snapshot:
        storage = {"codex": config(software=MARKET, keys={"kind": "secret", "name": "eth"})}
        return rendered(storage, {"hub": chains.config()}, name, cluster={"context": context})

    stages = [stage("nodes", "dev"), stage("nodes", "prod"), stage("test", "dev")]
    others = {str(number): Neighbour(NOTHING, one) for number, one in enumerate(stages[1:])}
    assert ids(RULES, replace(comparison(NOTHING, stages[0]), others=others)) == []


def test_a_rendered_validator_is_that_of_another_stack() -> None:
    here, there = (
        rendered(None, {name: chains.config(**chains.BY_SECRET)}, cluster={"context": context})
        for name, context in (("val", "here"), ("copy", "there"))
    )
    (one,) = found(NOTHING, here, NOTHING, there)
    assert one.what.startswith("val-0 and copy-0 of stack other would use the consensus key ")


def test_a_key_is_told_of_once_by_its_address_and_not_by_its_secret_too() -> None:
    head, other = (stack(guard(name), keyed(name, path=CONSENSUS)) for name in ("val-0", "b-0"))
    (one,) = found(NOTHING, head, NOTHING, other)
    assert f"the consensus key {KEY}" in one.what


@pytest.mark.parametrize(
    ("base", "other_base", "count"),
    [(VALIDATOR, FAR, 0), (NOTHING, FAR, 1), (VALIDATOR, NOTHING, 1), (NOTHING, NOTHING, 1)],
)
def test_what_was_so_before_is_no_news_and_both_stacks_are_told_what_is(base: Snapshot, other_base: Snapshot, count: int) -> None:
    assert len(found(base, VALIDATOR, other_base, FAR)) == count
    assert len(found(other_base, FAR, base, VALIDATOR)) == count


def test_a_node_that_starts_again_shares_from_then_on() -> None:
    stopped = stack(guard("val-0"), node("val-0", replicas=0), context="far")
    assert len(found(VALIDATOR, VALIDATOR, stopped, FAR)) == 1


@pytest.mark.parametrize(
    ("base", "other_base", "stops", "end"),
    [
        (NOTHING, True, "update", "; its guard stops the update before val-0 starts"),
        (NOTHING, False, None, "; its guard lets one start"),
        (VALIDATOR, False, None, "; its guard lets one start"),
    ],
)
def test_the_guard_stops_who_comes_second_in_its_namespace(base: Snapshot, other_base: bool, stops: str | None, end: str) -> None:
    beside = stack(guard("b-0"), node("b-0"))
    (one,) = found(base, VALIDATOR, beside if other_base else NOTHING, beside)
    assert (one.stops, one.what.endswith(f"{SHARED_COSTS[CONSENSUS]}{end}")) == (stops, True)


# ---- moves


@pytest.mark.parametrize(
    ("gone", "come", "thing"),
    [
        (FAR, VALIDATOR, f"the consensus key {KEY}"),
        (stack(keyed("val-0")), stack(keyed("val-1")), "the key in Secret keys, entry k"),
        (stack(node("val-0", claim_volume("mine"))), stack(node("val-1", claim_volume("mine"))), "the claim mine"),
    ],
)
def test_what_leaves_one_stack_and_comes_to_another_is_told_in_both(gone: Snapshot, come: Snapshot, thing: str) -> None:
    (loser,) = found(gone, NOTHING, NOTHING, come)
    (winner,) = found(NOTHING, come, gone, NOTHING)
    new = "val-0" if come is VALIDATOR else "val-1"
    rest = "in one change, which takes two updates; until the old node is gone, both "
    assert loser.what.startswith(f"{thing} leaves val-0 and comes to {new} of stack other {rest}")
    assert winner.what.startswith(f"{thing} leaves val-0 of stack other and comes to {new} {rest}")
    assert (loser.nodes, winner.nodes) == (("val-0",), (new,))


def test_a_set_that_moves_is_told_of_once_for_its_keys() -> None:
    old, new = (stack(*(node(f"{one}-{each}", key_volume("keys", f"k-{each}")) for each in range(3))) for one in "ab")
    (one,) = found(old, NOTHING, NOTHING, new)
    assert one.what.startswith(
        "3 keys, the first the key in Secret keys, entry k-0, leave a-0 … a-2 and come to b-0 … b-2 of stack other in one change"
    )
    assert one.nodes == ("a-0", "a-1", "a-2")


def test_a_key_that_moves_is_told_of_once_by_its_address() -> None:
    old, new = (stack(guard(name), keyed(name, path=CONSENSUS)) for name in ("val-0", "val-1"))
    (one,) = found(old, NOTHING, NOTHING, new)
    assert one.what.startswith(f"the consensus key {KEY} leaves val-0 and comes to val-1 of stack other")


STOPPED = stack(guard("val-0"), node("val-0", replicas=0), context="far")


@pytest.mark.parametrize(
    ("base", "head", "other_base", "other_head"),
    [
        (NOTHING, VALIDATOR, STOPPED, STOPPED),
        (NOTHING, VALIDATOR, STOPPED, NOTHING),
        (VALIDATOR, VALIDATOR, FAR, NOTHING),
        (NOTHING, NOTHING, FAR, NOTHING),
        (NOTHING, stack(keyed("val-0")), stack(keyed("val-0")), NOTHING),
        (NOTHING, stack(keyed("val-0", path=NODE)), stack(keyed("b-0", path=NODE)), NOTHING),
    ],
    ids=["stopped", "stopped-and-gone", "one-of-two-left", "nobody-took-it", "same-node", "node-key"],
)
def test_what_is_given_up_before_or_kept_is_no_move(
    base: Snapshot, head: Snapshot, other_base: Snapshot, other_head: Snapshot
) -> None:
    assert found(base, head, other_base, other_head) == []


# ---- objects


NODES = stack(*(node(f"val-{one}") for one in range(3)), item("Service", "x", set="val"))


def same(base: Snapshot, head: Snapshot, other_base: Snapshot, other_head: Snapshot) -> list[Found]:
    return found(base, head, other_base, other_head, "objects-in-two-stacks")


def test_a_copied_stack_holds_the_objects_of_the_other() -> None:
    what = "4 objects, among them the nodes val-0 … val-2, are in stack other of the same cluster too"
    assert same(NOTHING, NODES, NODES, NODES) == [Found("val", what, ("val-0", "val-1", "val-2"))]
    assert same(NODES, NODES, NOTHING, NODES) == [Found("val", what, ("val-0", "val-1", "val-2"))]


def test_an_object_of_no_set_is_told_by_its_name() -> None:
    one = stack(item("Service", "x"))
    assert same(NOTHING, one, NOTHING, one) == [Found("Service/x", "1 object is in stack other of the same cluster too", ())]


@pytest.mark.parametrize(
    "other",
    [
        stack(node("val-0", namespace="m")),
        stack(item("Deployment", "val-0", api="apps/v1")),
        stack(node("b-0")),
        stack(node("val-0"), context="far"),
        stack(node("val-0"), version="1"),
        stack(node("val-0"), renderYamlToDirectory="out"),
        snapshot(node("val-0")),
    ],
)
def test_stacks_with_objects_or_clusters_of_their_own_have_no_object_together(other: Snapshot) -> None:
    assert same(NOTHING, NODES, NOTHING, other) == []


def test_objects_in_clusters_that_nobody_names_may_be_others() -> None:
    assert same(NOTHING, snapshot(node("val-0")), NOTHING, snapshot(node("val-0"))) == []


def test_a_namespace_is_meant_for_several_stacks_and_a_guard_is_told_of_by_its_key() -> None:
    one = stack(item("Namespace", "n", namespace=None), guard("val-0"))
    assert same(NOTHING, one, NOTHING, one) == []


@pytest.mark.parametrize(("mine", "theirs", "count"), [(True, True, 0), (True, False, 1), (False, True, 1), (False, False, 1)])
def test_an_object_of_no_set_that_both_stacks_only_let_go_of_may_be_in_both(mine: bool, theirs: bool, count: int) -> None:
    one, two = (stack(replace(item("ConfigMap", "coredns"), retained=kept)) for kept in (mine, theirs))
    assert len(same(NOTHING, one, NOTHING, two)) == count


def test_a_claim_of_a_set_is_adopted_by_the_second_stack_even_where_both_let_go_of_it() -> None:
    one = stack(replace(item("PersistentVolumeClaim", "val-0-data", set="val"), retained=True))
    assert len(same(NOTHING, one, NOTHING, one)) == 1


def test_objects_that_both_had_before_are_no_news() -> None:
    assert same(NODES, NODES, NODES, NODES) == []
    (one,) = same(stack(node("val-0")), NODES, NODES, NODES)
    assert one.nodes == ("val-1", "val-2")


# ---- all rules together


def test_both_are_accepted_by_their_ids() -> None:
    accepted = read_acceptances("accepted:\n- {rule: held-by-two-stacks, stack: dev, subject: val, reason: known}", "a.yaml")
    compared = replace(comparison(NOTHING, VALIDATOR), others={"other": Neighbour(NOTHING, FAR)})
    reasons = [one.accepted for one in findings(compared, accepted) if isinstance(one, Finding) and one.rule in RULES]
    assert reasons == ["known"]


def test_every_other_stack_is_named_and_equal_cases_are_one() -> None:
    others = {name: Neighbour(NOTHING, FAR) for name in ("a", "b")} | {"c": Neighbour(NOTHING, stack(guard("x"), node("x")))}
    told = found_by("held-by-two-stacks", RULES, replace(comparison(NOTHING, VALIDATOR), others=others))
    assert [one.what.partition(" would")[0] for one in told] == ["val-0 and val-0 of stacks a, b", "val-0 and x of stack c"]


def test_a_stack_with_objects_that_cannot_be_read_hides_nothing_of_others() -> None:
    odd = stack(Item({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x", "labels": ["a"]}}))
    others = {"odd": Neighbour(NOTHING, odd), "other": Neighbour(NOTHING, FAR)}
    told = found_by("held-by-two-stacks", RULES, replace(comparison(NOTHING, VALIDATOR), others=others))
    assert [one.nodes for one in told] == [("val-0",)]


@pytest.mark.parametrize("odd", [None, "x", "{", "[]", "null", '{"keys": 3}', "[" * 100_000, 3, {"a": 1}])
def test_a_node_file_of_any_shape_is_read(odd: Any) -> None:
    one = stack(item("ConfigMap", "val-0-config", set="val", node="val-0", data={"node.json": odd}), node("val-0"))
    assert found(NOTHING, one, NOTHING, one) == []


def test_what_is_told_of_keys_is_no_secret_to_a_report() -> None:
    head, other = stack(keyed("val-0"), guard("val-0")), stack(keyed("b-0"), guard("b-0"))
    for one in (*found(NOTHING, head, NOTHING, other), *found(NOTHING, head, other, NOTHING)):
        assert safe_text(one.what) == one.what


def test_a_change_of_one_stack_alone_finds_nothing_here() -> None:
    assert not {rule.id for rule in RULES} & set(ids(ALL, comparison(NOTHING, VALIDATOR)))
