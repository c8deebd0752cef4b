"""What a stack asks of a cluster."""

from decimal import Decimal
from typing import Any

import pytest

from nodestead.changes.capacity import Totals, amount, totals
from nodestead.changes.snapshot import Item, Snapshot

GI = 1024**3


def snapshot(*manifests: dict[str, Any]) -> Snapshot:
    made = Snapshot("prod")
    for number, one in enumerate(manifests):
        made.add(Item({"apiVersion": "v1", **one, "metadata": {"name": f"a-{number}", **one.get("metadata", {})}}))
    return made


def container(cpu: str | None = None, memory: str | None = None, **more: Any) -> dict[str, Any]:
    asked = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    return {"name": "node", "resources": {"requests": asked}, **more}


def workload(
    *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), kind: str = "StatefulSet", **spec: Any
) -> dict[str, Any]:
    return {"kind": kind, "spec": {**spec, "template": {"spec": {"containers": list(containers), "initContainers": list(init)}}}}


IN_SET = {"labels": {"app.kubernetes.io/instance": "codex", "nodestead.io/set": "storage-node-group"}}


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("100m", "0.1"),
        ("2", "2"),
        (2, "2"),
        (0.5, "0.5"),
        ("1.5Gi", str(3 * GI // 2)),
        ("500M", "500000000"),
        ("1k", "1000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("1Ei", str(1024**6)),
        ("2n", "0.000000002"),
        (".5", "0.5"),
        ("", "0"),
        ("lots", "0"),
        ("-1", "0"),
        (True, "0"),
        (None, "0"),
        ([1], "0"),
        ("1e99", str(2**63 - 1)),
        ("9" * 100, "0"),
    ],
)
def test_a_quantity_has_the_grammar_of_kubernetes(quantity: object, number: str) -> None:
    assert amount(quantity) == Decimal(number)


def test_requests_are_multiplied_by_replicas() -> None:
    given = {**workload(container("250m", "1Gi"), container("250m"), replicas=3), "metadata": IN_SET}
    assert totals(snapshot(given)) == Totals(nodes=3, pods=3, cpu=1.5, memory=3 * GI, storage=0, load_balancers=0)


def test_a_workload_without_replicas_has_one_pod_and_a_disabled_one_none() -> None:
    assert totals(snapshot(workload(container("1")))).pods == 1
    assert totals(snapshot(workload(container("1"), replicas=0))) == Totals(0, 0, 0, 0, 0, 0)


def test_only_pods_of_sets_are_nodes() -> None:
    assert totals(snapshot(workload(container("1"), kind="Deployment"))).nodes == 0


@pytest.mark.parametrize(
    ("init", "cpu"),
    [
        ((), 1),
        ((container("500m"),), 1),
        ((container("3"),), 3),
        ((container("500m", restartPolicy="Always"),), 1.5),
        ((container("500m", restartPolicy="Always"), container("2")), 2.5),
        ((container("2"), container("500m", restartPolicy="Always")), 2),
    ],
)
def test_containers_that_run_before_count_as_the_scheduler_counts_them(init: tuple[dict[str, Any], ...], cpu: float) -> None:
    assert totals(snapshot(workload(container("1"), init=init))).cpu == cpu


def test_a_limit_without_a_request_is_the_request() -> None:
    given = {"name": "node", "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}}
    found = totals(snapshot(workload(given)))
    assert (found.cpu, found.memory) == (1, GI)


def claim(size: object) -> dict[str, Any]:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


def test_storage_is_that_of_claims_and_of_templates_for_each_pod() -> None:
    pooled = workload(container(), replicas=4, volumeClaimTemplates=[claim("2Gi"), claim("1Gi")])
    found = totals(snapshot({"kind": "PersistentVolumeClaim", **claim("20Gi")}, pooled))
    assert found.storage == 32 * GI


def test_load_balancers_are_services_of_that_type() -> None:
    services = [{"kind": "Service", "spec": {"type": kind}} for kind in ("LoadBalancer", "ClusterIP", "LoadBalancer", "NodePort")]
    assert totals(snapshot(*services)).load_balancers == 2


@pytest.mark.parametrize(
    "given",
    [
        workload(container("1"), replicas="three"),
        workload(container("1"), replicas=-3),
        workload(container("1"), replicas=float("inf")),
        {"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": "no list"}}}},
        {"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": ["no mapping", {"resources": "none"}]}}}},
        {"kind": "PersistentVolumeClaim", "spec": "none"},
        {"kind": "PersistentVolumeClaim"},
        {"kind": "Service", "spec": None},
    ],
)
def test_what_makes_no_sense_counts_as_nothing(given: dict[str, Any]) -> None:
    found = totals(snapshot(given))
    assert found.storage == 0
    assert found.pods in (0, 1)


def test_resources_that_are_no_objects_count_as_nothing() -> None:
    made = Snapshot("prod")
    made.add(Item({"kind": "random:index/randomPassword:RandomPassword", "metadata": {"name": "codex-seed"}}))
    assert totals(made) == Totals(0, 0, 0, 0, 0, 0)
