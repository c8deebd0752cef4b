"""Risk rules about what pods lose of their safeguards: room, time to stop, probes, and budgets for drains."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, cast

from nodestead.changes.capacity import amount
from nodestead.changes.compare import Change, Comparison
from nodestead.changes.plain import mappings
from nodestead.changes.rule import Found, Rule, folded
from nodestead.changes.selection import selected, selects_of
from nodestead.changes.sets import upheavals
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, pod_spec, replicas

__all__ = ["RULES"]

_GRACE = 30
"""Seconds that Kubernetes gives a pod where nothing is said."""


def _running(comparison: Comparison) -> Iterator[tuple[Item, Item]]:
    """Workloads before and afterwards, that have pods in both."""
    for change in comparison.of_kind(*WORKLOADS):
        if change.old is not None and change.new is not None and replicas(change.old) and replicas(change.new):
            yield change.old, change.new


def _containers(old: Item, new: Item) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    before = {str(one.get("name")): one for one in mappings(pod_spec(old).get("containers"))}
    for one in mappings(pod_spec(new).get("containers")):
        if str(one.get("name")) in before:
            yield before[str(one.get("name"))], one


def _resources_lowered(comparison: Comparison) -> Iterator[Found]:
    return folded(
        (new, f"container {after.get('name')}: {text}")
        for old, new in _running(comparison)
        for before, after in _containers(old, new)
        for text in _lowered(before, after)
    )


def _lowered(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for part, resource in (("limits", "memory"), ("requests", "memory"), ("requests", "cpu")):
        old, new = _quantity(before, part, resource), _quantity(after, part, resource)
        called = f"{resource} {part.removesuffix('s')}"
        if part == "limits" and old is None and new is not None:
            yield f"{called} none -> {new}"
        elif old is not None and new is not None and Decimal(0) < amount(new) < amount(old):
            yield f"{called} {old} -> {new}"
        elif part == "requests" and old is not None and new is None:
            yield f"{called} {old} -> none"


def _quantity(container: dict[str, Any], part: str, resource: str) -> str | None:
    resources = container.get("resources")
    named = cast("dict[str, Any]", resources).get(part) if isinstance(resources, dict) else None
    value = cast("dict[str, Any]", named).get(resource) if isinstance(named, dict) else None
    if value is None and part == "requests":
        # Without a request the limit is one.
        return _quantity(container, "limits", resource)
    return None if value is None else str(value)[:40]


def _grace_lowered(comparison: Comparison) -> Iterator[Found]:
    def cases() -> Iterator[tuple[Item, str]]:
        for old, new in _running(comparison):
            before, after = (_grace(item) for item in (old, new))
            if after < before:
                yield new, f"a pod has {after} s instead of {before} s to stop before it is killed"

    return folded(cases())


def _grace(item: Item) -> int:
    value = pod_spec(item).get("terminationGracePeriodSeconds")
    return int(value) if isinstance(value, int | float) else _GRACE


def _probes_removed(comparison: Comparison) -> Iterator[Found]:
    return folded(
        (new, f"container {after.get('name')} has no {kind}Probe any more")
        for old, new in _running(comparison)
        for before, after in _containers(old, new)
        for kind in ("readiness", "liveness", "startup")
        if before.get(f"{kind}Probe") and not after.get(f"{kind}Probe")
    )


# ---- drains


def _drain_blocked(comparison: Comparison) -> Iterator[Found]:
    for key, budget in comparison.head.items.items():
        if budget.kind != "PodDisruptionBudget" or not budget.is_object:
            continue
        why = _blocks(comparison.head, budget, complete=comparison.complete)
        before = comparison.base.items.get(key)
        if why is not None and (before is None or _blocks(comparison.base, before, complete=comparison.complete) is None):
            yield Found(subject(budget), f"{why}, so a drain of their hosts never ends", (budget.name,))


def _blocks(snapshot: Snapshot, budget: Item, *, complete: bool) -> str | None:
    """Why a budget lets no pod go; None where it does, or has no pods."""
    pods = sum(replicas(item) for item in selected(snapshot, budget.namespace, selects_of(budget))) if complete else None
    most, least = budget.at("spec", "maxUnavailable"), budget.at("spec", "minAvailable")
    if pods == 0:
        return None
    if most is not None and _share(most, pods or 1) == 0:
        return f"maxUnavailable {most} lets no pod go"
    if least is not None and (least == "100%" or (pods is not None and _share(least, pods) >= pods)):
        return f"minAvailable {least} needs all {pods} pods" if pods is not None else f"minAvailable {least} needs all pods"
    return None


def _share(value: Any, pods: int) -> int:
    """A count, or a percentage of pods rounded up, as the eviction API does."""
    text = str(value)
    if text.endswith("%") and text[:-1].isdigit():
        return -(-pods * int(text[:-1]) // 100)
    return int(text) if text.isdigit() else pods


def _budget_removed(comparison: Comparison) -> Iterator[Found]:
    def lost(change: Change) -> bool:
        old = cast("Item", change.old)
        if not comparison.complete:
            return True
        budgets = [one for one in comparison.head.of_kind("PodDisruptionBudget") if one.namespace == old.namespace]
        covered = {item.name for one in budgets for item in selected(comparison.head, one.namespace, selects_of(one))}
        left = [item for item in selected(comparison.head, old.namespace, selects_of(old)) if replicas(item)]
        # Any budget lets the only pod go.
        return sum(map(replicas, left)) > 1 and any(item.name not in covered for item in left)

    for change in comparison.of_kind("PodDisruptionBudget"):
        if change.operation == "remove" and change.item.set not in upheavals(comparison) and lost(change):
            yield Found(subject(change.item), "a drain may take all its pods at the same time", (change.item.name,))


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "resources-lowered",
        "caution",
        "Running nodes get less memory or CPU",
        "A node that needs what it had is killed for memory in the middle of its work, or is too slow for its peers.",
        "Look at what the nodes use at their peak, and stay above it.",
        _resources_lowered,
    ),
    Rule(
        "grace-period-lowered",
        "caution",
        "Nodes get less time to stop",
        "A node that is killed while it closes its database may have to repair it, or sync anew.",
        "Leave as much time as the slowest stop has taken.",
        _grace_lowered,
    ),
    Rule(
        "probes-removed",
        "caution",
        "A probe is gone",
        "A rollout goes on while nodes do not serve yet, or a node that hangs stays as it is.",
        "Keep the probe; for slow starts raise its thresholds instead.",
        _probes_removed,
    ),
    Rule(
        "drain-blocked",
        "caution",
        "A budget lets no pod go",
        "Hosts cannot be drained: upgrades of the cluster wait, or kill the pods after their time limit.",
        "Let at least one pod go: disruption.maxUnavailable 1.",
        _drain_blocked,
    ),
    Rule(
        "disruption-budget-removed",
        "caution",
        "Nodes lose their disruption budget",
        "An upgrade of the cluster may take all nodes of a set at once.",
        "Keep disruption.enabled.",
        _budget_removed,
    ),
)
