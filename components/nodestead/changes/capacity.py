"""What a stack asks of a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nodestead.changes.plain import mapping, mappings
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.changes.workloads import WORKLOADS, pod_spec, replicas
from nodestead.config.quantity import quantity_amount

__all__ = ["Totals", "amount", "totals"]

_LARGEST = Decimal(2**63 - 1)
_MOST_PODS = 10_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """What all objects of a stack ask for.

    Attributes:
        nodes: Pods of sets of nodes that run.
        pods: All pods that run; one for each DaemonSet, of which only the cluster knows.
        cpu: Cores that they request.
        memory: Bytes that they request.
        storage: Bytes of all claims, those of workloads without pods too.
        load_balancers: Services of this type.
    """

    nodes: int
    pods: int
    cpu: float
    memory: int
    storage: int
    load_balancers: int


def totals(snapshot: Snapshot) -> Totals:
    """Adds up what the objects of a stack ask for; what is no quantity counts as nothing."""
    nodes = pods = load_balancers = 0
    cpu = memory = storage = Decimal(0)
    for item in snapshot.items.values():
        if not item.is_object:
            continue
        if item.kind in WORKLOADS:
            count = _pods(item)
            pods += count
            nodes += count if item.set else 0
            cpu += count * _pod_request(item, "cpu")
            memory += count * _pod_request(item, "memory")
            storage += count * sum((_requested_storage(claim) for claim in _templates(item)), Decimal(0))
        elif item.kind == "PersistentVolumeClaim":
            storage += _requested_storage(item.manifest)
        elif item.kind == "Service" and item.at("spec", "type") == "LoadBalancer":
            load_balancers += 1
    return Totals(nodes, pods, round(float(cpu), 3), int(memory), int(storage), load_balancers)


def amount(quantity: object) -> Decimal:
    """The number that a Kubernetes quantity stands for (2Gi, 100m, 1e3); 0 for what is none."""
    if isinstance(quantity, bool) or not isinstance(quantity, str | int | float):
        return Decimal(0)
    text = str(quantity)
    # The API server caps quantities likewise.
    return min(quantity_amount(text) or Decimal(0), _LARGEST) if len(text) <= 40 else Decimal(0)


def _pods(item: Item) -> int:
    try:
        return min(max(replicas(item), 0), _MOST_PODS)
    except (ValueError, OverflowError):
        return 0


def _pod_request(item: Item, resource: str) -> Decimal:
    """What the scheduler sets aside for one pod: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/."""
    pod = pod_spec(item)
    beside = highest = Decimal(0)
    for container in mappings(pod.get("initContainers")):
        asked = _request(container, resource)
        if container.get("restartPolicy") == "Always":
            beside += asked
            highest = max(highest, beside)
        else:
            highest = max(highest, beside + asked)
    return max(highest, beside + sum((_request(one, resource) for one in mappings(pod.get("containers"))), Decimal(0)))


def _request(container: Mapping[str, Any], resource: str) -> Decimal:
    resources = mapping(container.get("resources"))
    # A limit without a request is the request.
    return amount({**mapping(resources.get("limits")), **mapping(resources.get("requests"))}.get(resource))


def _templates(item: Item) -> Sequence[dict[str, Any]]:
    return list(mappings(item.at("spec", "volumeClaimTemplates")))


def _requested_storage(claim: Mapping[str, Any]) -> Decimal:
    resources = mapping(mapping(claim.get("spec")).get("resources"))
    return amount(mapping(resources.get("requests")).get("storage"))
