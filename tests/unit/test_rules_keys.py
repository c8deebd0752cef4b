"""What the rules about keys find, and what they pass over: literal objects, and those that configs render."""

from typing import Any

import chains
import pytest
from chains import A, B
from change_cases import (
    RANDOM,
    changed,
    comparison,
    config_map,
    facts,
    found_by,
    guard,
    ids,
    item,
    key_volume,
    removed,
    rendered,
    resource,
    secret,
    seed,
    snapshot,
    stateful_set,
)
from groups import CODEX, MARKET, config

from nodestead.changes.compare import Comparison, EngineStep
from nodestead.changes.rule import Found
from nodestead.changes.rules.keys import RULES
from nodestead.changes.secret_text import safe_text
from nodestead.changes.snapshot import Item, Snapshot

SECOND = {"keys": {"kind": "seed", "generation": 2}}
BY_NAME = {"keys": {"kind": "secret", "name": "eth"}}
KEY = "priv_validator_key.json"


def codex(**given: Any) -> Snapshot:
    """A stack with one group that has keys."""
    return rendered({"codex": config(**{"software": MARKET, **given})})


def hub(**given: Any) -> Snapshot:
    """A stack with one chain."""
    return rendered(None, {"hub": chains.config(**given)})


def val(name: str = "val", namespace: str = "ns", **given: Any) -> Snapshot:
    """A stack with one validator that signs with a key from a Secret."""
    return rendered(None, {name: chains.config(**{**chains.BY_SECRET, **given})}, namespace)


def pair(first: str, second: str, **given: Any) -> Snapshot:
    """A stack with two validators."""
    signer = {"kind": "secret", "name": "val", "key": "key-<replica>", "addresses": {"0": first, "1": second}}
    return rendered(None, {"val": chains.config(type="validator", replicas=2, signer=signer, **given)})


@pytest.mark.parametrize(
    ("base", "head", "rule", "whats", "nodes"),
    [
        pytest.param(
            codex(replicas=2),
            codex(replicas=2, **SECOND),
            "key-source-changed",
            ["keys seed, generation 1 -> seed, generation 2", "whose addresses have no funds"],
            ("codex-1", "codex-2"),
            id="the next generation of Ethereum keys",
        ),
        pytest.param(
            codex(layout="pooled", replicas=2),
            codex(layout="pooled", replicas=2, **SECOND),
            "key-source-changed",
            ["keys seed, generation 1 -> seed, generation 2", "whose addresses have no funds"],
            ("codex",),
            id="the next generation of pooled keys",
        ),
        pytest.param(
            hub(replicas=2),
            hub(replicas=2, **SECOND),
            "key-source-changed",
            ["keys seed, generation 1 -> seed, generation 2; the nodes have other node ids"],
            ("hub-0", "hub-1"),
            id="the next generation of node keys",
        ),
        pytest.param(
            hub(**chains.LOCAL),
            hub(**chains.LOCAL, **SECOND),
            "key-source-changed",
            ["validators sign with other consensus keys", "other node ids", "the update is refused in its preview"],
            ("hub-0", "hub-1", "hub-2", "hub-3"),
            id="the next generation of a local network",
        ),
        pytest.param(
            codex(**BY_NAME),
            codex(keys={"kind": "secret", "name": "another"}),
            "key-source-changed",
            ["keys eth, ", " -> another, ", "whose addresses have no funds"],
            ("codex-1",),
            id="another Secret",
        ),
        pytest.param(
            codex(**BY_NAME),
            codex(keys={"kind": "secret", "name": "eth", "key": "K-<replica>"}),
            "key-source-changed",
            ["-> eth, K-<replica>"],
            ("codex-1",),
            id="another entry",
        ),
        pytest.param(
            codex(**BY_NAME),
            rendered({"codex": config(software=CODEX)}),
            "key-source-changed",
            ["-> none; the nodes have no Ethereum key any more"],
            ("codex-1",),
            id="no key any more",
        ),
        pytest.param(
            val(),
            val(signer={"kind": "remote"}),
            "key-source-changed",
            [f"Secret val, entry {KEY} is its key no more; the nodes have no consensus key any more"],
            ("val-0",),
            id="a remote signer",
        ),
        pytest.param(
            pair(A, B),
            pair(B, A),
            "key-moved",
            [f"the consensus key {B.upper()} leaves val-1 and comes to val-0 in one update", "refused in its preview"],
            ("val-1", "val-0"),
            id="two validators change places",
        ),
        pytest.param(
            val(),
            val(namespace="other"),
            "key-moved",
            ["leaves val-0 in ns and comes to val-0 in other in one update"],
            ("val-0",),
            id="a validator moves to another namespace",
        ),
        pytest.param(
            rendered(),
            val(),
            "validator-starts",
            [f"val-0 starts to sign with the consensus key {A.upper()}; should anything else run with it"],
            ("val-0",),
            id="a validator is new",
        ),
        pytest.param(
            rendered(),
            pair(A, B),
            "validator-starts",
            ["val-0, val-1 start to sign with 2 consensus keys"],
            ("val-0", "val-1"),
            id="two validators are new",
        ),
        pytest.param(
            pair(A, B, nodes={"1": {"disabled": "pod"}}),
            pair(A, B),
            "validator-starts",
            [f"val-1 starts to sign with the consensus key {B.upper()}"],
            ("val-1",),
            id="a stopped validator starts",
        ),
    ],
)  # fmt: skip
def test_a_change_of_a_config_is_found(
    base: Snapshot, head: Snapshot, rule: str, whats: list[str], nodes: tuple[str, ...]
) -> None:
    compared = comparison(base, head)
    assert set(ids(RULES, compared)) == {rule}
    found = found_by(rule, RULES, compared)[0]
    assert [part for part in whats if part not in found.what] == []
    assert found.nodes == nodes


@pytest.mark.parametrize(
    ("base", "head", "what"),
    [
        pytest.param(codex(), rendered(), "the seed codex-seed leaves the state", id="its set goes"),
        pytest.param(codex(), rendered({"codex": config()}), "the seed codex-seed leaves the state", id="nothing needs it"),
        pytest.param(codex(), codex(**BY_NAME), "the seed codex-seed leaves the state", id="keys from a Secret"),
        pytest.param(
            codex(),
            codex(keys={"kind": "seed", "seed": "ab" * 32}),
            "the generated seed codex-seed goes and the config gives one: unless both are the same",
            id="a given seed",
        ),
        pytest.param(
            snapshot(seed()), snapshot(seed(length=32)), "the seed codex-seed is made anew: all keys", id="another length"
        ),
    ],
)
def test_a_seed_is_lost(base: Snapshot, head: Snapshot, what: str) -> None:
    (found,) = found_by("seed-lost", RULES, comparison(base, head))
    assert found.subject == "codex"
    assert found.what.startswith(what)


@pytest.mark.parametrize(
    ("gone", "subject"), [(resource(RANDOM, "hub-seed"), "hub"), (resource(RANDOM, "mine-seed", set="hub"), "hub")]
)
def test_a_seed_is_that_of_its_set(gone: Item, subject: str) -> None:
    assert [one.subject for one in found_by("seed-lost", RULES, removed(gone))] == [subject]


def test_the_engine_replaces_a_seed() -> None:
    old, new = snapshot(seed()), snapshot(seed())
    compared = comparison(old, new, steps={seed().identity: EngineStep("replace", ("keepers",))})
    assert ids(RULES, compared) == ["seed-lost"]


def test_a_renamed_validator_is_told_of_its_key_and_its_seed() -> None:
    assert ids(RULES, comparison(val(), val("prime"))) == ["key-moved", "seed-lost"]


@pytest.mark.parametrize(
    ("base", "head"),
    [
        pytest.param(codex(), codex(), id="nothing"),
        pytest.param(codex(), codex(software={**MARKET, "version": "0.2.4"}), id="another image"),
        pytest.param(codex(replicas=1), codex(replicas=3), id="more replicas"),
        pytest.param(codex(replicas=3), codex(replicas=1), id="fewer replicas"),
        pytest.param(codex(layout="pooled", replicas=3), codex(layout="pooled", replicas=700), id="one more Secret of keys"),
        pytest.param(codex(layout="pooled", replicas=700), codex(layout="pooled", replicas=3), id="one Secret of keys less"),
        pytest.param(rendered({"codex": config()}), codex(), id="keys at last"),
        pytest.param(codex(replicas=2), codex(replicas=2, nodes={"1": {"disabled": True}}), id="a node is stopped"),
        pytest.param(codex(), codex(prettify=True), id="prettify: the key comes from the ordinal"),
        pytest.param(rendered(), hub(**chains.LOCAL), id="a new local network, whose keys are new"),
        pytest.param(rendered(), hub(), id="a new chain without consensus keys"),
        pytest.param(val(), val(image={**chains.IMAGE, "tag": "v2"}), id="another image of a validator"),
        pytest.param(pair(A, B), pair(A, B, nodes={"1": {"disabled": "pod"}}), id="a validator is stopped"),
        pytest.param(rendered(), val(nodes={"0": {"disabled": "pod"}}), id="a new validator that does not run"),
    ],
)
def test_what_harms_no_key_is_passed_over(base: Snapshot, head: Snapshot) -> None:
    assert ids(RULES, comparison(base, head)) == []


# ---- key Secrets


def holder(name: str = "codex-1", key: str = "codex-1-key-g1", **given: Any) -> Item:
    """A node with a key of its own."""
    return stateful_set(name, volumes=[key_volume(key, **given)])


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        pytest.param(
            secret("k", a="1"),
            secret("k", a="2"),
            "other content of Secret k; it is immutable, and the API server refuses that; the nodes sign with other",
            id="an immutable one",
        ),
        pytest.param(
            secret("k", kept=False, a="1"),
            secret("k", kept=False, a="2"),
            "other content of Secret k; the nodes sign with other",
            id="an immutable one that is replaced",
        ),
        pytest.param(
            secret("k", immutable=False, a="1"),
            secret("k", immutable=False, b="1"),
            "other content of Secret k; the nodes sign with other",
            id="another entry instead",
        ),
    ],
)
def test_other_content_of_a_key_secret_is_another_key(old: Item, new: Item, what: str) -> None:
    compared = changed(old, new, holder(key="k"))
    assert ids(RULES, compared) == ["key-source-changed"]
    (found,) = found_by("key-source-changed", RULES, compared)
    assert found.what.startswith(what)
    assert (found.subject, found.nodes) == ("codex", ("codex-1",))


def test_an_entry_of_a_key_secret_is_another_key_of_its_node() -> None:
    nodes = [holder(f"codex-{entry}", "k", entry=entry) for entry in "ab"]
    compared = changed(secret("k", a="1", b="1"), secret("k", a="1", b="2"), *nodes)
    assert [one.nodes for one in found_by("key-source-changed", RULES, compared)] == [("codex-b",)]


def test_pooled_keys_are_others_as_a_whole() -> None:
    old, new = codex(layout="pooled", replicas=2), codex(layout="pooled", replicas=2)
    (keys,) = [one for one in new.of_kind("Secret") if one.name.endswith("-key-g1")]
    keys.manifest["data"] = dict.fromkeys(keys.manifest["data"], "another seed")
    assert ids(RULES, comparison(old, new)) == ["key-source-changed"]


def test_a_validator_that_is_none_any_more_keeps_its_node_id() -> None:
    base, head = (hub(**{**chains.LOCAL, "network": {"kind": "local", "validators": count}}) for count in (4, 3))
    (found,) = found_by("key-source-changed", RULES, comparison(base, head))
    assert found.what == (
        "Secret hub-3-key-g1, entry priv_validator_key.json is its key no more; the nodes have no consensus key any more, and"
        " sign only where a remote signer does it for them"
    )
    assert found.nodes == ("hub-3",)


def test_the_engine_hides_what_differs_in_a_key_secret() -> None:
    state = snapshot(holder(key="k"), secret("k", a="[secret]"))
    steps = {secret("k").identity: EngineStep("change", hidden=(("data", "a"),))}
    assert ids(RULES, comparison(state, state, steps=steps)) == ["key-source-changed"]


@pytest.mark.parametrize(
    "compared",
    [
        pytest.param(changed(secret("k", a="1"), secret("k", a="1", b="2"), holder(key="k")), id="one more entry"),
        pytest.param(
            changed(secret("k", a="1", b="1"), secret("k", a="1", b="2"), holder(key="k", entry="a")), id="another's entry"
        ),
        pytest.param(changed(secret("k", a="1"), secret("k", node="x", a="1"), holder(key="k")), id="a label"),
        pytest.param(changed(secret("other", a="1"), secret("other", a="2"), holder(key="k")), id="a Secret that is no key"),
        pytest.param(changed(holder(key="k"), holder(key="[known when deployed]")), id="a name that is not known yet"),
        pytest.param(removed(secret("codex-1-key-g1"), stays=[holder(key="codex-1-key-g2")]), id="a kept Secret goes"),
        pytest.param(removed(secret("api-token", kept=False, a="1")), id="another Secret goes"),
        pytest.param(removed(resource(RANDOM, "codex-api-password", set="codex")), id="a password goes"),
        pytest.param(removed(config_map("codex-seed")), id="what is only called a seed"),
        pytest.param(changed(config_map("a", x="1"), config_map("a", x="2")), id="a config map"),
    ],
)
def test_other_changes_leave_keys_as_they_are(compared: Comparison) -> None:
    assert ids(RULES, compared) == []


@pytest.mark.parametrize(
    ("compared", "expected"),
    [
        pytest.param(
            removed(secret("codex-1-key-g1", kept=False), stays=[holder()]),
            Found("codex", "the Secret codex-1-key-g1 with the keys of codex-1 is deleted", ("codex-1",)),
            id="of a node",
        ),
        pytest.param(
            removed(*(secret(f"codex-{n}-key-g1", node=f"codex-{n}", kept=False) for n in (1, 2, 3))),
            Found(
                "codex",
                "3 Secrets, codex-1-key-g1 … codex-3-key-g1, with the keys of codex-1 … codex-3 are deleted",
                ("codex-1", "codex-2", "codex-3"),
            ),
            id="of three nodes",
        ),
        pytest.param(
            removed(secret("own", set="", kept=False), stays=[holder(key="own", entry="k")]),
            Found("Secret/own", "the Secret own with the keys of codex-1 is deleted", ("codex-1",)),
            id="of no set",
        ),
    ],
)
def test_a_key_is_deleted(compared: Comparison, expected: Found) -> None:
    assert found_by("key-removed", RULES, compared) == [expected]
    assert ids(RULES, compared) == ["key-removed"]


# ---- one key on two nodes


def signer(name: str, entry: str = "key", **given: Any) -> Item:
    """A validator that signs with an entry of the Secret `val`."""
    volumes = [key_volume("val", entry, KEY, "secret-keys")]
    return stateful_set(name, set="val", component="chain-node", volumes=volumes, **given)


def projected(name: str, entry: str) -> Item:
    """The same, as the library mounts it."""
    source = {"secret": {"name": "val", "items": [{"key": entry, "path": KEY}]}}
    return stateful_set(name, set="val", volumes=[{"name": "secret-keys", "projected": {"sources": [source]}}])


@pytest.mark.parametrize(
    ("base", "head", "what", "nodes"),
    [
        pytest.param(
            snapshot(signer("val-0")),
            snapshot(signer("val-0"), signer("val-1")),
            "val-0-0, val-1-0 use one key, Secret val, entry key; both sign blocks, which a chain takes for double signing",
            ("val-0", "val-1"),
            id="a second node",
        ),
        pytest.param(
            snapshot(projected("val-0", "a"), projected("val-1", "b")),
            snapshot(projected("val-0", "a"), projected("val-1", "a")),
            "val-0-0, val-1-0 use one key, Secret val, entry a",
            ("val-0", "val-1"),
            id="the other's entry",
        ),
        pytest.param(
            snapshot(signer("val-0")),
            snapshot(signer("val-0", replicas=3)),
            "val-0-0 … val-0-2 use one key",
            ("val-0",),
            id="more pods of one workload",
        ),
        pytest.param(
            snapshot(signer("val-0"), signer("val-1", replicas=0)),
            snapshot(signer("val-0"), signer("val-1")),
            "val-0-0, val-1-0 use one key",
            ("val-0", "val-1"),
            id="a stopped node starts",
        ),
        pytest.param(
            snapshot(),
            snapshot(
                guard(A, "val-0"),
                item("ConfigMap", f"nodestead-key-{A}", namespace="m", set="val", data={"node": "val-0"}),
            ),
            f"val-0 in n and val-0 in m use the consensus key {A.upper()}: both sign blocks",
            ("val-0",),
            id="guards in two namespaces",
        ),
        pytest.param(
            snapshot(holder("codex-1", "eth", entry="k")),
            snapshot(holder("codex-1", "eth", entry="k"), holder("codex-2", "eth", entry="k")),
            "codex-1-0, codex-2-0 use one key, Secret eth, entry k; both send transactions from one address",
            ("codex-1", "codex-2"),
            id="an Ethereum key",
        ),
    ],
)  # fmt: skip
def test_two_nodes_would_use_one_key(base: Snapshot, head: Snapshot, what: str, nodes: tuple[str, ...]) -> None:
    (found,) = found_by("key-shared", RULES, comparison(base, head))
    assert found.what.startswith(what)
    assert found.nodes == nodes


@pytest.mark.parametrize(
    ("base", "head"),
    [
        pytest.param(snapshot(), snapshot(signer("val-0"), signer("val-1", "other")), id="another entry"),
        pytest.param(snapshot(), snapshot(signer("val-0"), signer("val-1", replicas=0)), id="the other one does not run"),
        pytest.param(snapshot(), snapshot(signer("val-0"), signer("val-0", namespace="m")), id="a Secret of another namespace"),
        pytest.param(
            snapshot(signer("val-0"), signer("val-1")),
            snapshot(signer("val-0"), signer("val-1"), signer("val-2", "c")),
            id="what was so before",
        ),
        pytest.param(snapshot(), codex(layout="pooled", replicas=3, **BY_NAME), id="pooled nodes with an entry each"),
        pytest.param(snapshot(), codex(replicas=3, **BY_NAME), id="nodes with an entry each"),
        pytest.param(
            snapshot(),
            snapshot(*(stateful_set(f"c-{n}", volumes=[key_volume("tls", "tls.key", "tls.key", "tls")]) for n in (1, 2))),
            id="a Secret that is no key of a node",
        ),
    ],
)
def test_no_key_is_shared(base: Snapshot, head: Snapshot) -> None:
    assert found_by("key-shared", RULES, comparison(base, head)) == []


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        pytest.param(
            snapshot(signer("val-0")),
            snapshot(signer("val-1")),
            "the consensus key in Secret val, entry key leaves val-0 and comes to val-1 in one update",
            id="without a guard",
        ),
        pytest.param(
            snapshot(signer("val-0"), guard(A, "val-0")),
            snapshot(signer("val-1"), guard(A, "val-1")),
            f"the consensus key {A.upper()} leaves val-0 and comes to val-1 in one update",
            id="with a guard",
        ),
    ],
)
def test_a_key_moves_once(base: Snapshot, head: Snapshot, expected: str) -> None:
    (found,) = found_by("key-moved", RULES, comparison(base, head))
    assert found.what == f"{expected}: for a time both may sign with it"
    assert ids(RULES, comparison(base, head)) == ["key-moved"]


@pytest.mark.parametrize(
    ("base", "head"),
    [
        pytest.param(
            snapshot(signer("val-0", replicas=0), guard(A, "val-0")),
            snapshot(signer("val-1"), guard(A, "val-1")),
            id="from a node that did not run",
        ),
        pytest.param(snapshot(guard(A, "val-0")), snapshot(), id="a guard goes"),
        pytest.param(snapshot(), snapshot(guard(A, "val-0")), id="a guard comes"),
        pytest.param(snapshot(guard(A, "val-0")), snapshot(guard(B, "val-0")), id="another key"),
        pytest.param(snapshot(holder("a", "k", entry="e")), snapshot(holder("b", "k", entry="e")), id="an Ethereum key"),
    ],
)
def test_no_consensus_key_moves(base: Snapshot, head: Snapshot) -> None:
    assert found_by("key-moved", RULES, comparison(base, head)) == []


def test_a_key_that_comes_from_a_stopped_node_is_told_of_as_a_start() -> None:
    base = snapshot(signer("val-0", replicas=0), guard(A, "val-0"))
    head = snapshot(signer("val-1"), guard(A, "val-1"))
    assert ids(RULES, comparison(base, head)) == ["validator-starts"]


# ---- the engine's preview may tell of changes only


@pytest.mark.parametrize(
    ("component", "new", "expected"),
    [
        ("StorageNodeGroup", "seed, generation 2", "whose addresses have no funds"),
        ("StorageNodeGroup", "none", "the nodes have no Ethereum key any more"),
        ("BlockchainNodeSet", "mine, node_key.json", "the nodes have other node ids"),
    ],
)
def test_facts_alone_tell_of_other_keys(component: str, new: str, expected: str) -> None:
    old = snapshot(sets=[facts(component=component, keys="seed, generation 1")], complete=False)
    compared = comparison(old, snapshot(sets=[facts(component=component, keys=new)], complete=False))
    (found,) = found_by("key-source-changed", RULES, compared)
    assert expected in found.what
    assert found.nodes == ()


@pytest.mark.parametrize(("network", "expected"), [("local", True), ("public", False)])
def test_facts_tell_of_consensus_keys_of_a_local_network(network: str, expected: bool) -> None:
    given = {"component": "BlockchainNodeSet", "network__kind": network}
    states = [snapshot(sets=[facts(**given, keys=f"seed, generation {n}")], complete=False) for n in (1, 2)]
    (found,) = found_by("key-source-changed", RULES, comparison(*states))
    assert ("consensus keys" in found.what) is expected


@pytest.mark.parametrize("base", [snapshot(sets=[facts()]), snapshot()])
def test_a_set_of_which_nothing_is_known_has_node_keys(base: Snapshot) -> None:
    compared = comparison(base, snapshot(sets=[facts(keys="seed, generation 1")]))
    assert ids(RULES, compared) == []


@pytest.mark.parametrize(("path", "rule"), [("a", "key-shared"), ("$(POD_NAME)", None)])
def test_a_key_is_the_part_of_a_secret_that_a_container_mounts(path: str, rule: str | None) -> None:
    mount = {"name": "key", "mountPath": "/key", "subPathExpr" if "$" in path else "subPath": path}
    nodes = [stateful_set(f"codex-{n}", volumes=[key_volume("k")], container={"volumeMounts": [mount]}) for n in (1, 2)]
    compared = comparison(snapshot(), snapshot(*nodes))
    assert ids(RULES, compared) == ([rule] if rule else [])
    assert all("Secret k, entry a" in one.what for one in found_by("key-shared", RULES, compared))


def test_keys_at_last_are_no_other_keys() -> None:
    old, new = (snapshot(sets=[facts(keys=source)]) for source in ("none", "seed, generation 1"))
    assert ids(RULES, comparison(old, new)) == []


def test_no_content_of_a_secret_is_told() -> None:
    compared = changed(secret("k", a="old-key"), secret("k", a="new-key"), holder(key="k"))
    told = repr([found_by(rule.id, RULES, compared) for rule in RULES])
    assert "old-key" not in told
    assert "new-key" not in told


@pytest.mark.parametrize("broken", [None, "text", 3, [], [None, "a"], {"a": 1}])
def test_objects_of_any_shape_are_read(broken: Any) -> None:
    pods = [[{"name": "key", "secret": broken}], [{"name": "key", "projected": {"sources": broken}}], broken]
    for volumes in pods:
        old = item("StatefulSet", "a", api="apps/v1", set="a", spec={"template": {"spec": {"volumes": volumes}}})
        assert isinstance(ids(RULES, changed(old, holder("a"))), list)
        assert isinstance(ids(RULES, changed(holder("a"), old)), list)
    assert isinstance(ids(RULES, changed(item("ConfigMap", f"nodestead-key-{A}", data=broken), guard(A, "a"))), list)
    assert isinstance(ids(RULES, changed(item("Secret", "k", data=broken), secret("k", a="1"), holder(key="k"))), list)


def test_ids_are_unique_and_every_rule_says_what_to_do() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.title and rule.happens.endswith(".") and rule.instead.endswith(".") for rule in RULES)


def test_another_consensus_key_in_the_same_secret_is_another_key() -> None:
    def state(address: str) -> Snapshot:
        return val(signer={"kind": "secret", "name": "val", "addresses": {"0": address}})

    (found,) = found_by("key-source-changed", RULES, comparison(state(A), state(B)))
    assert found.what.startswith(f"consensus key {A.upper()} -> {B.upper()}; validators sign with other consensus keys")
    assert found_by("key-source-changed", RULES, comparison(state(A), state(A.upper()))) == []


def test_a_key_of_its_own_after_a_remote_signer_is_one_key_at_two_places() -> None:
    remote = val(signer={"kind": "remote"})
    (found,) = found_by("key-moved", RULES, comparison(remote, val()))
    assert f"val-0 signed by a remote signer, and signs with the consensus key {A.upper()} of its own from now on" in found.what
    assert found_by("key-moved", RULES, comparison(val(), remote)) == []
    assert found_by("key-moved", RULES, comparison(remote, remote)) == []


def test_what_happens_to_keys_is_no_secret_to_a_report() -> None:
    other = val(signer={"kind": "secret", "name": "another", "addresses": {"0": A}})
    one = key_volume("k", KEY, KEY)
    two = comparison(
        snapshot(stateful_set("val-0", set="val", volumes=[one])),
        snapshot(*(stateful_set(name, set="val", volumes=[one]) for name in ("val-0", "val-1"))),
    )
    for compared in (comparison(val(), other), comparison(val(), val(signer={"kind": "remote"})), two):
        said = [found.what for rule in RULES for found in rule.find(compared)]
        assert said
        assert [safe_text(what) for what in said] == said


def test_the_guard_of_a_key_stops_a_second_holder_in_its_namespace() -> None:
    (found,) = found_by("key-moved", RULES, comparison(val("one"), val("two")))
    assert found.what.endswith("in one update: its guard, which one-0 still holds, stops the update before two-0 starts")
    (found,) = found_by("key-moved", RULES, comparison(val("one"), val("two", "other")))
    assert found.what.endswith("in one update: for a time both may sign with it")
