"""Which pods a change restarts, and in which batches."""

from typing import Any

import pytest

from nodestead.changes.compare import compare
from nodestead.changes.snapshot import Item, SetFacts, Snapshot
from nodestead.changes.workloads import Restart, pod_names, replicas, restarts, running_pods

ON_DELETE = {"type": "OnDelete"}
PARTITION = {"rollingUpdate": {"partition": 3}}


def node(name: str, image: str = "a:1", set_name: str = "codex", **spec: Any) -> Item:
    labels = {"app.kubernetes.io/instance": set_name, "nodestead.io/set": "storage-node-group", "nodestead.io/node": name}
    template = {"spec": {"containers": [{"name": "node", "image": image}]}}
    metadata = {"name": name, "namespace": "n", "labels": labels}
    return Item({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {"template": template, **spec}})


def stack(*items: Item, batches: list[list[str]] | None = None) -> Snapshot:
    made = Snapshot("dev", sets=[SetFacts("codex", "n", "StorageNodeGroup", batches or [])])
    for item in items:
        made.add(item)
    return made


def three(image: str, **spec: Any) -> Snapshot:
    return stack(*(node(f"codex-{o}", image, **spec) for o in (1, 2, 3)), batches=[["codex-1", "codex-2"], ["codex-3"]])


def test_pods_restart_in_the_batches_of_the_rollout() -> None:
    (found,) = restarts(compare(three("a:1"), three("a:2")))
    assert found == Restart("codex", (("codex-1", "codex-2"), ("codex-3",)), running=3, replaced=False)
    assert (found.pods, found.all_at_once) == (3, False)


def test_a_batch_without_restarts_is_none() -> None:
    head = three("a:1")
    head.add(node("codex-3", "a:2"))
    (found,) = restarts(compare(three("a:1"), head))
    assert found.batches == (("codex-3",),)


def test_one_batch_of_all_running_pods_leaves_none() -> None:
    base, head = three("a:1"), three("a:2")
    head.sets = [SetFacts("codex", "n", "StorageNodeGroup", [["codex-1", "codex-2", "codex-3"]])]
    (found,) = restarts(compare(base, head))
    assert found.all_at_once


def test_what_no_rollout_names_restarts_together() -> None:
    base, head = stack(node("codex-1"), node("codex-2")), stack(node("codex-1", "a:2"), node("codex-2", "a:2"))
    (found,) = restarts(compare(base, head))
    assert found.batches == (("codex-1", "codex-2"),)


def test_a_pooled_set_takes_its_pods_one_by_one_from_the_last() -> None:
    start = {"start": 1}
    base, head = (stack(node("codex", image, replicas=3, ordinals=start), batches=[["codex"]]) for image in ("a:1", "a:2"))
    (found,) = restarts(compare(base, head))
    assert found.batches == (("codex-3",), ("codex-2",), ("codex-1",))
    assert not found.all_at_once


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(node("codex-1", replicas=0), node("codex-1", "a:2", replicas=0), id="stopped"),
        pytest.param(node("codex-1", replicas=0), node("codex-1", "a:2"), id="started"),
        pytest.param(node("codex-1"), node("codex-1", "a:2", replicas=0), id="stops"),
        pytest.param(node("codex-1"), node("codex-1", minReadySeconds=3), id="no change of the pod"),
        pytest.param(node("codex-1"), node("codex-2"), id="another node"),
        pytest.param(
            node("codex-1", updateStrategy=ON_DELETE), node("codex-1", "a:2", updateStrategy=ON_DELETE), id="on delete"
        ),
    ],
)  # fmt: skip
def test_no_pod_restarts(old: Item, new: Item) -> None:
    assert restarts(compare(stack(old), stack(new))) == []


def test_a_replaced_workload_restarts_its_pods() -> None:
    (found,) = restarts(compare(stack(node("codex-1", serviceName="a")), stack(node("codex-1", serviceName="b"))))
    assert (found.pods, found.replaced) == (1, True)


def test_where_the_whole_is_not_known_nobody_says_that_all_are_down() -> None:
    base, head = stack(node("codex-1")), stack(node("codex-1", "a:2"))
    base.complete = False
    (found,) = restarts(compare(base, head))
    assert (found.running, found.all_at_once) == (None, False)


def test_sets_restart_each_for_itself() -> None:
    def both(image: str) -> Snapshot:
        return stack(node("codex-1", image), node("hub-0", image, "hub"))

    assert [(one.set, one.pods) for one in restarts(compare(both("a:1"), both("a:2")))] == [("codex", 1), ("hub", 1)]


def test_pods_are_counted() -> None:
    snapshot = stack(node("codex-1"), node("codex-2", replicas=0), node("codex-3", replicas=4), node("hub-0", set_name="hub"))
    assert running_pods(snapshot) == {"codex": 5, "hub": 1}
    assert replicas(node("codex-1", replicas=2.0)) == 2
    assert pod_names(node("codex", replicas=2)) == ["codex-0", "codex-1"]


def pooled(image: str, count: int, first: int = 1, **spec: Any) -> Snapshot:
    return stack(node("codex", image, replicas=count, ordinals={"start": first}, **spec), batches=[["codex"]])


@pytest.mark.parametrize(
    ("base", "head", "batches"),
    [
        pytest.param(pooled("a:1", 2), pooled("a:2", 4), (("codex-2",), ("codex-1",)), id="it grows"),
        pytest.param(pooled("a:1", 4), pooled("a:2", 2), (("codex-2",), ("codex-1",)), id="it shrinks"),
        pytest.param(pooled("a:1", 1), pooled("a:2", 3), (("codex-1",),), id="it grows from one"),
        pytest.param(pooled("a:1", 3), pooled("a:2", 1), (("codex-1",),), id="it shrinks to one"),
        pytest.param(pooled("a:1", 3, 1), pooled("a:2", 3, 2), (("codex-3",), ("codex-2",)), id="it begins later"),
        pytest.param(pooled("a:1", 3), pooled("a:2", 3, updateStrategy=PARTITION), (("codex-3",),), id="a partition"),
    ],
)  # fmt: skip
def test_only_pods_that_are_there_before_and_afterwards_restart(
    base: Snapshot, head: Snapshot, batches: tuple[tuple[str, ...], ...]
) -> None:
    assert [one.batches for one in restarts(compare(base, head))] == [batches]


def test_a_workload_without_a_pod_in_common_restarts_none() -> None:
    assert restarts(compare(pooled("a:1", 2, 1), pooled("a:2", 2, 3))) == []


def deployment(image: str, **spec: Any) -> Snapshot:
    template = {"spec": {"containers": [{"name": "node", "image": image}]}}
    metadata = {"name": "node", "namespace": "n"}
    item = Item({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template, **spec}})
    return stack(item)


@pytest.mark.parametrize(
    ("spec", "sizes", "all_at_once"),
    [
        pytest.param({}, [1], False, id="one pod, the new one first"),
        pytest.param({"replicas": 3}, [1, 1, 1], False, id="the new one first"),
        pytest.param({"replicas": 8}, [2, 2, 2, 2], False, id="a quarter"),
        pytest.param({"replicas": 4, "strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}, [2, 2], False, id="half"),
        pytest.param({"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": 2}}}, [2], True, id="all may be away"),
        pytest.param({"replicas": 3, "strategy": {"type": "Recreate"}}, [3], True, id="the old ones go first"),
        pytest.param({"strategy": {"type": "Recreate"}}, [1], True, id="the old one goes first"),
    ],
)
def test_a_deployment_rolls_by_its_strategy(spec: dict[str, Any], sizes: list[int], all_at_once: bool) -> None:
    (found,) = restarts(compare(deployment("a:1", **spec), deployment("a:2", **spec)))
    assert [len(batch) for batch in found.batches] == sizes
    assert found.all_at_once is all_at_once


def test_pods_of_a_deployment_are_numbered_in_the_order_in_which_they_are_told() -> None:
    (found,) = restarts(compare(deployment("a:1", replicas=2), deployment("a:2", replicas=2)))
    assert found.batches == (("node (1 of 2)",), ("node (2 of 2)",))


def test_a_deployment_that_is_paused_restarts_nothing() -> None:
    assert restarts(compare(deployment("a:1", paused=True), deployment("a:2", paused=True))) == []
