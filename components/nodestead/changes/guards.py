"""Who holds which consensus key, by the ConfigMaps that let one node hold it."""

from dataclasses import dataclass

from nodestead.changes.snapshot import Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, replicas
from nodestead.kubernetes.names import GUARD

__all__ = ["Guard", "guards", "is_same_node", "place"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Who holds a consensus key."""

    namespace: str
    node: str
    subject: str
    runs: bool


def guards(snapshot: Snapshot) -> dict[str, list[Guard]]:
    """Who holds each consensus key, by its address."""
    running = {(item.namespace, item.name): replicas(item) > 0 for item in snapshot.of_kind(*WORKLOADS)}
    found: dict[str, list[Guard]] = {}
    for item in snapshot.of_kind("ConfigMap"):
        if item.name.startswith(GUARD):
            node = str(item.at("data", "node") or item.node)
            runs = running.get((item.namespace, node), True)
            address = item.name.removeprefix(GUARD).upper()
            found.setdefault(address, []).append(Guard(item.namespace, node, subject(item), runs))
    return found


def is_same_node(one: Guard, other: Guard) -> bool:
    """Whether two guards name one node."""
    return (one.namespace, one.node) == (other.namespace, other.node)


def place(one: Guard, other: Guard) -> str:
    """A guard's node, with its namespace where that of another one is not the same."""
    return one.node if one.namespace == other.namespace else f"{one.node} in {one.namespace}"
