"""What a change stops and restarts, in which order, and what nodes lose of their safeguards: each rule with its near misses."""

from collections.abc import Sequence
from typing import Any

import change_cases as make
import pytest

from nodestead.changes.compare import Comparison, EngineStep
from nodestead.changes.rule import Found
from nodestead.changes.rules import pods, rollout, versions
from nodestead.changes.snapshot import Item, SetFacts
from nodestead.changes.versions import version

RULES = (*pods.RULES, *rollout.RULES, *versions.RULES)

TEN = [f"codex-{number}" for number in range(1, 11)]


def find(rule: str, compared: Comparison) -> list[Found]:
    return make.found_by(rule, RULES, compared)


def nodes(names: Sequence[str], **given: Any) -> list[Item]:
    return [make.stateful_set(name, **given) for name in names]


def rolled(
    names: Sequence[str], size: int, old: dict[str, Any] | None = None, new: dict[str, Any] | None = None, **facts: Any
) -> Comparison:
    """All nodes of a set change, in batches of a size."""
    batches = [list(names[start : start + size]) for start in range(0, len(names), size)]
    sets = [make.facts(batches=batches, **facts)]
    before = nodes(names, **(old or {"image": "a:1"}))
    return make.comparison(
        make.snapshot(*before, sets=sets), make.snapshot(*nodes(names, **(new or {"image": "a:2"})), sets=sets)
    )


def validator(name: str, **given: Any) -> Item:
    keys = make.key_volume(f"{name}-key", "priv_validator_key.json", "priv_validator_key.json")
    return make.stateful_set(name, set="val", component="chain-node", volumes=[keys], **given)


def votes(count: int, size: int, stopped: int = 0, kind: str = "local", full: int = 0, image: str = "a:2") -> Comparison:
    """A chain's set of validators, and full nodes behind them, that rolls in batches."""
    names = [f"val-{number}" for number in range(count)]
    others = [f"val-{number}" for number in range(count, count + full)]
    every = [*names, *others]
    batches = [every[start : start + size] for start in range(0, len(every), size)]
    sets = [SetFacts("val", "n", "BlockchainNodeSet", batches, {"network.kind": kind})]

    def state(image: str, down: int) -> list[Item]:
        first = [validator(name, image=image, replicas=0 if index < down else None) for index, name in enumerate(names)]
        return [*first, *(make.stateful_set(name, set="val", component="chain-node", image=image) for name in others)]

    return make.comparison(make.snapshot(*state("a:1", 0), sets=sets), make.snapshot(*state(image, stopped), sets=sets))


# ---- restarts


@pytest.mark.parametrize(
    ("compared", "texts"),
    [
        (rolled(TEN, 3), ["10 pods restart in 4 batches of up to 3"]),
        (rolled(TEN, 1), ["10 pods restart in 10 batches of 1"]),
        (rolled(TEN, 10), ["10 pods restart in 1 batch"]),
        (rolled(TEN[:1], 1), ["1 pod restarts in 1 batch"]),
        (make.changed(make.stateful_set("codex-1"), make.stateful_set("codex-1", image="a:2"), make.stateful_set("codex-2")),
         ["1 of 2 pods restart in 1 batch"]),
        (make.changed(make.stateful_set("codex", replicas=5), make.stateful_set("codex", replicas=5, image="a:2")),
         ["5 pods restart in 5 batches of 1"]),
        # near misses: added, stopped, or only its labels differ
        (make.comparison(make.snapshot(), make.snapshot(make.stateful_set("codex-1"))), []),
        (make.changed(make.stateful_set("codex-1"), make.stateful_set("codex-1", image="a:2", replicas=0)), []),
        (make.changed(make.stateful_set("codex-1"), make.stateful_set("codex-1", minReadySeconds=3)), []),
    ],
)  # fmt: skip
def test_pods_restart_in_counted_batches(compared: Comparison, texts: list[str]) -> None:
    assert [found.what for found in find("pods-restart", compared)] == texts


@pytest.mark.parametrize(
    ("compared", "count"),
    [
        (rolled(TEN, 10), 1),
        (rolled(TEN, 9), 0),
        (rolled(TEN[:1], 1), 0),
        # A pooled set rolls pod by pod, and goes down as a whole where it is made anew.
        (make.changed(make.stateful_set("codex", replicas=5), make.stateful_set("codex", replicas=5, image="a:2")), 0),
        (make.changed(make.stateful_set("codex", replicas=5), make.stateful_set("codex", replicas=5, serviceName="b")), 1),
    ],
)
def test_all_nodes_down_is_told_of_a_set_that_nothing_is_left_of(compared: Comparison, count: int) -> None:
    assert len(find("all-nodes-down", compared)) == count


def test_the_only_node_restarts() -> None:
    (found,) = find("only-node-restarts", rolled(TEN[:1], 1))
    assert (found.subject, found.nodes) == ("codex", ("codex-1",))
    assert "validator" not in found.what
    (signer,) = find("only-node-restarts", make.changed(validator("val-0"), validator("val-0", image="a:2")))
    assert "misses blocks" in signer.what
    assert find("only-node-restarts", rolled(TEN[:2], 1)) == []
    assert find("only-node-restarts", rolled(TEN[:2], 2)) == []


@pytest.mark.parametrize(
    ("compared", "what"),
    [
        (votes(4, 2), "2 of 4 validators are down at the same time: the chain makes no blocks meanwhile"),
        (votes(3, 1), "1 of 3 validators are down at the same time: the chain makes no blocks meanwhile"),
        (votes(4, 1, stopped=2), "2 of 4 validators stop and stay down: the chain halts until they are back"),
        (votes(7, 2, stopped=1), "3 of 7 validators are down at the same time: the chain makes no blocks meanwhile"),
        (votes(4, 1), None),
        (votes(7, 2), None),
        (votes(4, 2, image="a:1"), None),
        (votes(1, 1, full=3), None),
        (votes(4, 2, kind="known"), None),
    ],
)
def test_votes_lost_is_a_third_or_more_of_a_closed_chain(compared: Comparison, what: str | None) -> None:
    assert [found.what for found in find("votes-lost", compared)] == ([what] if what else [])


def test_full_nodes_of_a_batch_have_no_votes() -> None:
    assert find("votes-lost", votes(4, 8, full=8, image="a:1")) == []
    (found,) = find("votes-lost", votes(4, 12, full=8))
    assert found.nodes == ("val-0", "val-1", "val-2", "val-3")


def test_update_order_names_the_batches() -> None:
    (found,) = find("update-order", rolled(TEN, 3))
    expected = "first codex-1 … codex-3, then codex-4 … codex-6, then codex-7 … codex-9, then codex-10"
    assert found.what == f"{expected}; a batch that does not get ready stops the rest"
    (many,) = find("update-order", rolled([f"codex-{n}" for n in range(1, 1001)], 10))
    assert ", then 96 more batches up to codex-991 … codex-1000;" in many.what
    assert len(many.what) < 400
    assert find("update-order", rolled(TEN, 10)) == []


def test_update_order_says_which_sets_do_not_wait() -> None:
    base = make.snapshot(
        make.stateful_set("a-1", set="a"), make.stateful_set("b-1", set="b"), make.config_map("a", set="a", x="1")
    )
    head = make.snapshot(
        make.stateful_set("a-1", set="a", image="a:2"),
        make.stateful_set("b-1", set="b", image="a:2"),
        make.config_map("a", set="a", x="2"),
    )
    one, other = find("update-order", make.comparison(base, head))
    assert one.what == "first what its pods read, then a-1; no set waits for another: b goes at the same time"
    assert other.what == "first b-1; no set waits for another: a goes at the same time"


# ---- replaced, stopped, protected


def test_workload_replaced_says_which_field_and_what_stops() -> None:
    old = nodes(TEN[:3], serviceName="a", volumes=[make.claim_volume("data")])
    new = nodes(TEN[:3], serviceName="b", volumes=[make.claim_volume("data")])
    (found,) = find("workload-replaced", make.comparison(make.snapshot(*old), make.snapshot(*new)))
    assert found.what == (
        "spec.serviceName cannot change in place, so the 3 StatefulSets are deleted and made anew, and their 3 pods stop first;"
        " the claims stay"
    )
    assert found.nodes == ("codex-1", "codex-2", "codex-3")


@pytest.mark.parametrize(
    ("old", "new", "end"),
    [
        ({"serviceName": "a"}, {"serviceName": "b"}, "its pod stops first"),
        ({"serviceName": "a", "replicas": 0}, {"serviceName": "b", "replicas": 0}, "no pod of it runs"),
        ({"serviceName": "a", "replicas": 4}, {"serviceName": "b", "replicas": 4}, "its 4 pods stop first"),
        ({"image": "a:1"}, {"image": "a:2"}, None),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updateStrategy": {"type": "RollingUpdate"}}, None),
    ],
)
def test_workload_replaced_only_where_a_field_is_immutable(old: dict[str, Any], new: dict[str, Any], end: str | None) -> None:
    found = find("workload-replaced", make.changed(make.stateful_set("codex", **old), make.stateful_set("codex", **new)))
    assert [one.what.endswith(end or "") for one in found] == ([True] if end else [])


def test_workload_replaced_counts_the_claims_that_go_with_it() -> None:
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}, "volumeClaimTemplates": [make.claim_template()]}
    old = make.stateful_set("codex", replicas=2, serviceName="a", **policy)
    (found,) = find("workload-replaced", make.changed(old, make.stateful_set("codex", replicas=2, serviceName="b", **policy)))
    assert found.what.endswith("; 2 of 2 claims are deleted with it")


@pytest.mark.parametrize(
    ("compared", "what"),
    [
        (make.changed(make.stateful_set("codex-1"), make.stateful_set("codex-1", replicas=0), make.stateful_set("codex-2")),
         "1 pod stops and stays down"),
        (make.changed(make.stateful_set("codex-1", volumes=[make.claim_volume("d")]),
                      make.stateful_set("codex-1", volumes=[make.claim_volume("d")], replicas=0)),
         "1 pod stops and stays down, with the data in the claims"),
        (make.changed(make.stateful_set("codex-1", replicas=0), make.stateful_set("codex-1")), None),
        (make.changed(make.stateful_set("codex-1", replicas=0), make.stateful_set("codex-1", replicas=0, image="a:2")), None),
        (make.removed(make.stateful_set("codex-1"), stays=[make.stateful_set("codex-2")]),
         "1 node goes, with all that is in the pod"),
        (make.changed(make.stateful_set("codex", replicas=5), make.stateful_set("codex", replicas=3)),
         "2 nodes go, with all that is in the pod"),
        (make.removed(make.stateful_set("codex-1", volumes=[make.claim_volume("d")]), stays=[make.stateful_set("codex-2")]),
         None),
        (make.removed(make.stateful_set("codex-1")), None),
    ],
)  # fmt: skip
def test_node_stopped_is_an_existing_node_without_pods(compared: Comparison, what: str | None) -> None:
    assert [found.what for found in find("node-stopped", compared)] == ([what] if what else [])


def test_protected_deleted_fails_the_update() -> None:
    (found,) = find("protected-deleted", make.removed(make.seed()))
    assert (found.subject, found.what) == (
        "codex",
        "the update would delete RandomPassword/codex-seed and fails, in its preview already: it is protected",
    )
    (replaced,) = find(
        "protected-deleted",
        make.comparison(
            make.snapshot(make.seed()),
            make.snapshot(make.seed(length=32)),
            steps={make.seed().identity: EngineStep("replace", ("length",))},
        ),
    )
    assert "would replace RandomPassword/codex-seed" in replaced.what
    assert find("protected-deleted", make.removed(make.resource(make.RANDOM, "codex-seed", set="codex"))) == []
    assert find("protected-deleted", make.changed(make.seed(), make.seed(length=32))) == []


# ---- versions


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.2.4", "0.2.5"),
        ("v0.2.9", "0.2.10"),
        ("1.0.0-rc1", "1.0.0"),
        ("1.0.0-rc.2", "1.0.0-rc.10"),
        ("v1.0.0-alpha.3", "v1.0.0-beta.1"),
        ("1.0.0-beta2", "1.0.0-rc1"),
        ("1.9-alpine", "1.10-bookworm"),
        ("0.18.3.3", "0.18.3.4"),
        ("v27", "v28"),
        ("1.2", "1.2.1"),
    ],
)
def test_versions_are_in_order(older: str, newer: str) -> None:
    one, other = version(older), version(newer)
    assert one is not None
    assert other is not None
    assert one < other


@pytest.mark.parametrize("text", ["latest", "", "main", "sha-4f3edf9", "4f3edf983ac6", "20240101", "1234567", "v", "release"])
def test_a_tag_without_a_version_is_not_compared(text: str) -> None:
    assert version(text) is None


@pytest.mark.parametrize(("one", "other"), [("1.2.0", "v1.2"), ("1.2.3", "1.2.3-alpine"), ("1.2.3-amd64", "1.2.3-arm64")])
def test_spellings_of_one_version_are_equal(one: str, other: str) -> None:
    assert version(one) == version(other)


def image(old: str, new: str, name: str = "node") -> Comparison:
    container = {"name": name}
    return make.changed(
        make.stateful_set("codex-1", image=old, container=container), make.stateful_set("codex-1", image=new, container=container)
    )


DIGEST = f"@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("r/a:1.1.0", "r/a:1.0.9", ["downgrade"]),
        ("r/a:v1.1.0", "r/a:v1.1.0-rc1", ["downgrade"]),
        (f"r/a:1.1{DIGEST}", f"r/a:1.0{DIGEST}", ["downgrade"]),
        ("r/a:1.0", "other.io/r/a:0.9", ["downgrade", "image-repository-changed"]),
        ("r/a:1.0.0", "r/a:1.0.1", ["version-upgraded"]),
        ("r/a:1.0", "r/b:0.9", ["image-repository-changed"]),
        ("r/a:1.0", "r/a:latest", ["image-changed-unpinned"]),
        ("r/a:1.0", "r/a", ["image-changed-unpinned"]),
        ("localhost:5000/a:1.0", "localhost:5000/a", ["image-changed-unpinned"]),
        (f"r/a:1.0{DIGEST}", "r/a:1.0", ["image-changed-unpinned"]),
        ("r/a:latest", f"r/a:latest{DIGEST}", []),
        ("r/a:1.0", f"r/a:1.0{DIGEST}", []),
        ("r/a:4f3edf98", "r/a:0f3edf98", []),
        ("r/a:1.0-alpine", "r/a:1.0-bookworm", []),
        ("r/a:latest", "r/a:latest", []),
    ],
)
def test_an_image_finds_its_rules(old: str, new: str, rules: list[str]) -> None:
    ids = {"downgrade", "image-changed-unpinned", "image-repository-changed", "version-upgraded"}
    assert [rule for rule in make.ids(RULES, image(old, new)) if rule in ids] == rules


def test_the_version_of_a_sidecar_is_not_that_of_the_node() -> None:
    assert find("downgrade", image("r/a:1.1", "r/a:1.0", name="api-proxy")) == []


def test_the_version_label_counts_where_the_tag_says_nothing() -> None:
    def labelled(text: str) -> Item:
        made = make.stateful_set("codex-1", image=f"r/a{DIGEST}")
        made.manifest["metadata"]["labels"]["app.kubernetes.io/version"] = text
        return made

    (found,) = find("downgrade", make.changed(labelled("0.2.5"), labelled("0.2.4")))
    assert found.what.startswith("version 0.2.5 -> 0.2.4 is a step back")
    assert find("downgrade", make.changed(labelled("latest"), labelled("0.2.4"))) == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "warns"),
    [("1.0.0", "1.0.1", "patch", False), ("1.0.0", "1.1.0", "minor", True), ("1.9", "2.0", "major", True)],
)
def test_version_upgraded_says_how_far(old: str, new: str, kind: str, warns: bool) -> None:
    (found,) = find("version-upgraded", image(f"r/a:{old}", f"r/a:{new}"))
    assert f"version {old} -> {new}, a {kind} step" in found.what
    assert ("no way back" in found.what) is warns


def test_equal_versions_of_many_nodes_are_one_finding() -> None:
    (found,) = find("version-upgraded", rolled(TEN, 3, {"image": "a:1.0"}, {"image": "a:1.1"}))
    assert len(found.nodes) == 10


# ---- what pods lose


def pods(old: dict[str, Any], new: dict[str, Any], **given: Any) -> Comparison:
    return make.changed(
        make.stateful_set("codex-1", container=old, **given), make.stateful_set("codex-1", container=new, **given)
    )


def resources(**parts: dict[str, str]) -> dict[str, Any]:
    return {"resources": parts}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (resources(limits={"memory": "4Gi"}), resources(limits={"memory": "4G"}), "memory limit 4Gi -> 4G"),
        (resources(), resources(limits={"memory": "4Gi"}), "memory limit none -> 4Gi"),
        (resources(requests={"cpu": "1"}), resources(requests={"cpu": "900m"}), "cpu request 1 -> 900m"),
        (resources(requests={"memory": "1Gi"}), resources(), "memory request 1Gi -> none"),
        (resources(requests={"cpu": "1"}), resources(requests={"cpu": "1000m"}), None),
        (resources(limits={"memory": "4Gi"}), resources(), "memory request 4Gi -> none"),
        (resources(limits={"cpu": "2"}, requests={"cpu": "1"}), resources(limits={"cpu": "1"}, requests={"cpu": "1"}), None),
        (resources(limits={"memory": "4Gi"}), resources(limits={"memory": "8Gi"}), None),
    ],
)
def test_resources_lowered(old: dict[str, Any], new: dict[str, Any], what: str | None) -> None:
    found = find("resources-lowered", pods(old, new))
    assert f"container node: {what}" in [one.what for one in found] if what else found == []


def test_resources_of_a_stopped_node_do_not_count() -> None:
    compared = pods(resources(limits={"memory": "4Gi"}), resources(limits={"memory": "1Gi"}), replicas=0)
    assert find("resources-lowered", compared) == []


@pytest.mark.parametrize(("old", "new", "count"), [(120, 60, 1), (120, None, 1), (60, 120, 0), (None, 30, 0), (None, 29, 1)])
def test_grace_period_lowered(old: int | None, new: int | None, count: int) -> None:
    def grace(seconds: int | None) -> Item:
        made = make.stateful_set("codex-1")
        if seconds is not None:
            made.manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = seconds
        return made

    compared = make.comparison(make.snapshot(grace(old)), make.snapshot(grace(new)))
    assert len(find("grace-period-lowered", compared)) == count


def test_probes_removed() -> None:
    probe = {"tcpSocket": {"port": 1}}
    (found,) = find("probes-removed", pods({"readinessProbe": probe}, {}))
    assert found.what == "container node has no readinessProbe any more"
    assert find("probes-removed", pods({"readinessProbe": probe}, {"readinessProbe": {"tcpSocket": {"port": 2}}})) == []
    assert find("probes-removed", pods({"name": "a", "readinessProbe": probe}, {"name": "b"})) == []


def budget(**spec: Any) -> Item:
    selector = {"matchLabels": {"app": "codex"}}
    return make.item("PodDisruptionBudget", "codex", api="policy/v1", set="codex", spec={"selector": selector, **spec})


def labelled(count: int, app: str = "codex") -> list[Item]:
    made = nodes(TEN[:count])
    for one in made:
        one.manifest["spec"]["template"]["metadata"] = {"labels": {"app": app}}
    return made


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ({"maxUnavailable": 1}, {"maxUnavailable": 0}, 1),
        ({"maxUnavailable": 1}, {"maxUnavailable": "0%"}, 1),
        ({"maxUnavailable": 1}, {"minAvailable": 3}, 1),
        ({"maxUnavailable": 1}, {"minAvailable": "100%"}, 1),
        ({"maxUnavailable": 1}, {"minAvailable": "67%"}, 1),
        ({"maxUnavailable": 1}, {"minAvailable": "60%"}, 0),
        ({"maxUnavailable": 1}, {"minAvailable": 2}, 0),
        ({"maxUnavailable": 1}, {"maxUnavailable": "1%"}, 0),
        ({"maxUnavailable": 0}, {"maxUnavailable": "0%"}, 0),
    ],
)
def test_drain_blocked_is_a_budget_that_newly_lets_nobody_go(old: dict[str, Any], new: dict[str, Any], count: int) -> None:
    assert len(find("drain-blocked", make.changed(budget(**old), budget(**new), *labelled(3)))) == count


def test_drain_blocked_by_fewer_nodes_under_the_same_budget() -> None:
    same = budget(minAvailable=2)
    base, head = make.snapshot(same, *labelled(3)), make.snapshot(same, *labelled(2))
    (found,) = find("drain-blocked", make.comparison(base, head))
    assert found.what == "minAvailable 2 needs all 2 pods, so a drain of their hosts never ends"
    assert find("drain-blocked", make.changed(budget(maxUnavailable=1), budget(maxUnavailable=0), *labelled(3, app="b"))) == []


def test_disruption_budget_removed() -> None:
    old = budget(maxUnavailable=1)
    assert len(find("disruption-budget-removed", make.removed(old, stays=labelled(3)))) == 1
    assert find("disruption-budget-removed", make.removed(old, *labelled(3))) == []
    other = make.item("PodDisruptionBudget", "other", api="policy/v1", spec={"selector": {"matchLabels": {"app": "codex"}}})
    assert (
        find("disruption-budget-removed", make.comparison(make.snapshot(old, *labelled(3)), make.snapshot(other, *labelled(3))))
        == []
    )


def bootstrapped(size: int, image: str) -> list[Item]:
    return [make.stateful_set("codex-bootstrap-1", component="bootstrap-node", image=image), *nodes(TEN[:size], image=image)]


ALL_BUT_ONE = "all 3 pods but those of the bootstrap nodes restart at the same time, and no data is served meanwhile"


@pytest.mark.parametrize(
    ("batches", "whats"),
    [
        ([["codex-bootstrap-1"], TEN[:3]], [ALL_BUT_ONE]),
        ([["codex-bootstrap-1"], TEN[:2], TEN[2:3]], []),
    ],
)
def test_a_bootstrap_node_serves_nothing_while_all_others_are_down(batches: list[list[str]], whats: list[str]) -> None:
    sets = [make.facts(batches=batches)]
    base, head = (make.snapshot(*bootstrapped(3, image), sets=sets) for image in ("a:1", "a:2"))
    assert [one.what for one in find("all-nodes-down", make.comparison(base, head))] == whats


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        (nodes(TEN[:3]), [], 1),
        (nodes(TEN[:3]), nodes(TEN[:3], replicas=0), 1),
        ([make.stateful_set("codex", replicas=3)], [make.stateful_set("codex", replicas=0)], 1),
        (bootstrapped(2, "a:1"), bootstrapped(0, "a:1"), 1),
        # near misses
        (nodes(TEN[:3]), nodes(TEN[:1]), 0),
        (nodes(TEN[:1]), [], 0),
        (nodes(TEN[:3], replicas=0), [], 0),
    ],
)
def test_a_set_that_stays_without_a_node_is_down(old: list[Item], new: list[Item], count: int) -> None:
    base, head = (make.snapshot(*items, sets=[make.facts()]) for items in (old, new))
    assert len(find("all-nodes-down", make.comparison(base, head))) == count


def test_what_a_guard_refuses_does_not_happen() -> None:
    old, new = (
        [make.stateful_set("codex", replicas=3, volumeClaimTemplates=[make.claim_template(size)])] for size in ("1Gi", "2Gi")
    )
    for kept, refused in (("1Gi", True), ("2Gi", False)):
        base = make.snapshot(*old, sets=[make.facts(persistence__size=kept)])
        compared = make.comparison(base, make.snapshot(*new, sets=[make.facts(persistence__size="2Gi")]))
        for rule in ("all-nodes-down", "workload-replaced"):
            (found,) = find(rule, compared)
            assert found.what.endswith("; the update is refused in its preview") is refused


def test_a_validator_that_stops_signs_no_more() -> None:
    (found,) = find("node-stopped", make.changed(validator("val-0"), validator("val-0", replicas=0)))
    assert found.what.endswith("; val-0 signs no more blocks")


def test_one_pod_needs_no_budget() -> None:
    budget = make.item("PodDisruptionBudget", "codex", api="policy/v1", set="codex", spec={"maxUnavailable": 1, "selector": {}})
    for count, told in ((1, 0), (2, 1)):
        stays = nodes(TEN[:count])
        assert len(find("disruption-budget-removed", make.removed(budget, stays=stays))) == told
