"""Pods of workloads, and which of them a change restarts."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from nodestead.changes.compare import Change, Comparison, once
from nodestead.changes.plain import mapping, mappings
from nodestead.changes.snapshot import Item, Snapshot, subject

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
        surges: Whether new pods start before old ones stop, as a Deployment has it.
    """

    set: str
    batches: tuple[tuple[str, ...], ...]
    running: int | None
    replaced: bool
    surges: bool = False

    @property
    def pods(self) -> int:
        """How many restart."""
        return sum(map(len, self.batches))

    @property
    def all_at_once(self) -> bool:
        """Whether no pod of the set is left at some time."""
        running = self.running or 0
        return running > 0 and not self.surges and any(len(batch) >= running for batch in self.batches)


def replicas(item: Item) -> int:
    """The pods that a workload asks for; one where nothing says otherwise."""
    count = item.at("spec", "replicas")
    return int(count) if isinstance(count, int | float) else 1


def pod_spec(item: Item) -> dict[str, Any]:
    """The spec of a workload's pods."""
    return mapping(item.at("spec", "template", "spec"))


def containers(item: Item) -> Iterator[dict[str, Any]]:
    """The containers of a workload's pods, those that run before the others first."""
    pod = pod_spec(item)
    for place in ("initContainers", "containers"):
        yield from mappings(pod.get(place))


def pod_names(item: Item) -> list[str]:
    """The names of a StatefulSet's pods; what other workloads call theirs nobody knows before."""
    if item.kind != "StatefulSet":
        return [f"{item.name} ({number} of {replicas(item)})" for number in range(1, replicas(item) + 1)]
    given = item.at("spec", "ordinals", "start")
    start = given if isinstance(given, int) else 0
    return [f"{item.name}-{start + index}" for index in range(replicas(item))]


def running_pods(snapshot: Snapshot) -> Counter[str]:
    """How many pods run, by set; by `Kind/name` for a workload of none."""
    found = Counter[str]()
    for item in snapshot.of_kind(*WORKLOADS):
        found[subject(item)] += replicas(item)
    return found


@once
def restarts(comparison: Comparison) -> list[Restart]:
    """The pods that a change restarts, set by set.

    A node that is added, removed, started or stopped is none of them.
    """
    by_set: dict[str, list[Change]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        if _restarts(change):
            by_set.setdefault(subject(change.item), []).append(change)
    running = running_pods(comparison.base) if comparison.complete else None
    found: list[Restart] = []
    for name, changes in by_set.items():
        facts = comparison.head.facts_of(name)
        is_replaced = any(change.operation == "replace" for change in changes)
        batches = _batches(changes, facts.batches if facts else [])
        count = None if running is None else running[name]
        if batches:
            found.append(Restart(name, batches, count, is_replaced, surges=all(map(_surges, changes))))
    return found


def _restarts(change: Change) -> bool:
    if change.old is None or change.new is None or not (replicas(change.old) and replicas(change.new)):
        return False
    if change.operation == "replace":
        return True
    waits = change.new.at("spec", "updateStrategy", "type") == "OnDelete" or change.new.at("spec", "paused") is True
    return change.touches("spec", "template") and not waits


def _batches(changes: Sequence[Change], order: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The batches of what restarts; a workload of several pods takes them one by one, last first, unless it is made anew."""
    known = {change.item.name: change for change in changes}
    waves = [[known.pop(name) for name in wave if name in known] for wave in order]
    # Of what no rollout names the engine takes all at the same time.
    waves.append(list(known.values()))
    batches: list[tuple[str, ...]] = []
    for wave in waves:
        single = tuple(change.item.name for change in wave if _is_single(change))
        if single:
            batches.append(single)
        for change in wave:
            if not _is_single(change):
                batches += _batches_of(change)
    return tuple(batches)


def _is_single(change: Change) -> bool:
    return all(item is None or replicas(item) == 1 for item in (change.old, change.new))


def _batches_of(change: Change) -> list[tuple[str, ...]]:
    """The pods of one workload that it has before and afterwards, as the cluster takes them."""
    old, new = cast("Item", change.old), cast("Item", change.new)
    before, after = pod_names(old), pod_names(new)
    is_set = new.kind == "StatefulSet"
    # Of pods whose names nobody knows the smaller number is there all the time.
    pods = [name for name in before if name in set(after)] if is_set else min(before, after, key=len)
    if is_set and change.operation != "replace":
        start, partition = new.at("spec", "ordinals", "start"), new.at("spec", "updateStrategy", "rollingUpdate", "partition")
        first = max(0, partition - (start if isinstance(start, int) else 0)) if isinstance(partition, int) else 0
        pods = [name for name in pods if name in set(after[first:])]
    pods = list(reversed(pods)) if is_set else pods
    size = len(pods) if _stops_first(change) else 1 if is_set else max(1, _unavailable(new, len(pods)))
    return [tuple(pods[at : at + size]) for at in range(0, len(pods), size)]


def _stops_first(change: Change) -> bool:
    """Whether all pods of a workload stop before the first new one starts."""
    return change.operation == "replace" or change.item.at("spec", "strategy", "type") == "Recreate"


def _surges(change: Change) -> bool:
    count = replicas(change.item)
    return change.item.kind == "Deployment" and not _stops_first(change) and _unavailable(change.item, count) < count


def _unavailable(item: Item, count: int) -> int:
    """How many pods of a Deployment may be away during an update; a percentage is rounded down."""
    given = item.at("spec", "strategy", "rollingUpdate", "maxUnavailable")
    if isinstance(given, int | float):
        return min(int(given), count)
    share = re.fullmatch(r"([0-9]{1,3})%", str(given or "25%"))
    return min(count * int(share[1]) // 100, count) if share else 0
