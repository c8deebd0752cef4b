"""Pods of workloads, and which of them a change restarts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from nodestead.changes.compare import Change, Comparison
from nodestead.changes.snapshot import Item, Snapshot

__all__ = ["WORKLOADS", "Restart", "containers", "pod_names", "pod_spec", "replicas", "restarts", "running_pods"]

WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")


@dataclass(frozen=True, slots=True)
class Restart:
    """Pods of a set that go down and come back.

    Attributes:
        set: Name of the set; `Kind/name` for a workload of none.
        batches: Names of the nodes (of the pods of a pooled set) in the order of the rollout: those of a batch are down at
            the same time, and the next one starts when they are ready.
        running: How many pods of the set run before the change; None where the whole is not known.
        replaced: Whether workloads are deleted and made anew, by which their pods stop first.
    """

    set: str
    batches: tuple[tuple[str, ...], ...]
    running: int | None
    replaced: bool

    @property
    def pods(self) -> int:
        """How many restart."""
        return sum(map(len, self.batches))

    @property
    def all_at_once(self) -> bool:
        """Whether no pod of the set is left at some time."""
        return self.running is not None and self.running > 0 and any(len(batch) >= self.running for batch in self.batches)


def replicas(item: Item) -> int:
    """The pods that a workload asks for; one where nothing says otherwise."""
    count = item.at("spec", "replicas")
    return int(count) if isinstance(count, int | float) else 1


def pod_spec(item: Item) -> dict[str, Any]:
    """The spec of a workload's pods."""
    found = item.at("spec", "template", "spec")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def containers(item: Item) -> Iterator[dict[str, Any]]:
    """The containers of a workload's pods, those that run before the others first."""
    pod = pod_spec(item)
    for place in ("initContainers", "containers"):
        found = pod.get(place)
        # Programs and previews of others may hold anything.
        if isinstance(found, list):
            yield from (cast("dict[str, Any]", one) for one in cast("list[Any]", found) if isinstance(one, dict))


def pod_names(item: Item) -> list[str]:
    """The names of a StatefulSet's pods; what other workloads call theirs nobody knows before."""
    if item.kind != "StatefulSet":
        return [f"{item.name} ({number} of {replicas(item)})" for number in range(replicas(item), 0, -1)]
    given = item.at("spec", "ordinals", "start")
    start = given if isinstance(given, int) else 0
    return [f"{item.name}-{start + index}" for index in range(replicas(item))]


def running_pods(snapshot: Snapshot, set_name: str) -> int:
    """How many pods of a set run."""
    return sum(replicas(item) for item in snapshot.of_kind(*WORKLOADS) if _subject(item) == set_name)


def restarts(comparison: Comparison) -> list[Restart]:
    """The pods that a change restarts, set by set.

    A node that is added, removed, started or stopped is none of them.
    """
    by_set: dict[str, list[Change]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        if _restarts(change):
            by_set.setdefault(_subject(change.item), []).append(change)
    found: list[Restart] = []
    for name, changes in by_set.items():
        facts = comparison.head.facts_of(name)
        running = running_pods(comparison.base, name) if comparison.complete else None
        is_replaced = any(change.operation == "replace" for change in changes)
        batches = _batches(changes, facts.batches if facts else [])
        found.append(Restart(name, batches, running, is_replaced))
    return found


def _subject(item: Item) -> str:
    return item.set or f"{item.kind}/{item.name}"


def _restarts(change: Change) -> bool:
    if change.old is None or change.new is None or not (replicas(change.old) and replicas(change.new)):
        return False
    if change.operation == "replace":
        return True
    return change.touches("spec", "template") and change.new.at("spec", "updateStrategy", "type") != "OnDelete"


def _batches(changes: Sequence[Change], order: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The batches of what restarts; a workload of several pods takes them one by one, last first, unless it is made anew."""
    known = {change.item.name: change for change in changes}
    waves = [[known.pop(name) for name in wave if name in known] for wave in order]
    # Of what no rollout names the engine takes all at the same time.
    waves.append(list(known.values()))
    batches: list[tuple[str, ...]] = []
    for wave in waves:
        single = tuple(change.item.name for change in wave if replicas(change.item) == 1)
        if single:
            batches.append(single)
        for change in wave:
            if replicas(change.item) > 1:
                pods = list(reversed(pod_names(change.item)))
                batches += [tuple(pods)] if change.operation == "replace" else [(name,) for name in pods]
    return tuple(batches)
