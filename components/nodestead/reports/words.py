"""The sentences of a report, which every writer shows in its own way."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nodestead.changes.rule import Severity
from nodestead.changes.workloads import WORKLOADS
from nodestead.reports.model import Capacity, Counts, Entry, Report, RestartPlan, Risk, StackReport, Stop

__all__ = [
    "MARKS",
    "batch_lines",
    "capacity_rows",
    "cases_by_rule",
    "concerned",
    "counts_text",
    "failures_by_stacks",
    "has_changes",
    "headlines",
    "is_unchanged",
    "of_severity",
    "outline",
    "plural",
    "quiet_stacks",
    "restart_text",
    "stop_text",
    "verdict",
]

MARKS: Final[dict[Severity, str]] = {"danger": "🔴", "caution": "🟡", "info": "🔵"}


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 pod`, `12 pods`."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def of_severity(report: Report, severity: Severity) -> list[tuple[StackReport, Risk]]:
    """The risks of one severity in all stacks that nobody accepted, but for what is told of every restart anyway."""
    shown = [
        (stack, risk)
        for stack in report.stacks
        for risk in stack.risks
        if risk.severity == severity and risk.accepted is None and not _is_told(stack, risk)
    ]
    told = {(stack.name, *_case(risk)) for stack, risk in shown if stack.same_as is None}
    return [(stack, risk) for stack, risk in shown if (stack.same_as, *_case(risk)) not in told]


def _case(risk: Risk) -> tuple[str, ...]:
    """What tells a case of a rule from others: of one set, two comparisons may find it on other nodes or with other values."""
    return risk.rule, risk.subject, risk.nodes, risk.what


def cases_by_rule(found: Iterable[tuple[StackReport, Risk]]) -> list[tuple[Risk, list[tuple[StackReport, Risk]]]]:
    """The cases of each rule, with the first of them for what they share: severity, title and what to do instead."""
    by_rule: dict[tuple[str, ...], list[tuple[StackReport, Risk]]] = {}
    for stack, risk in found:
        by_rule.setdefault((risk.rule, risk.severity, risk.title, risk.instead), []).append((stack, risk))
    return [(cases[0][1], cases) for cases in by_rule.values()]


def _is_told(stack: StackReport, risk: Risk) -> bool:
    """Whether a report shows a finding as its batches."""
    return risk.rule in ("pods-restart", "update-order") and any(plan.set == risk.subject for plan in stack.restarts)


def is_unchanged(stack: StackReport) -> bool:
    """Whether there is nothing to say of a stack."""
    return not (stack.failures or stack.risks or stack.stop or has_changes(stack))


def quiet_stacks(report: Report) -> list[str]:
    """The names of stacks of which there is nothing to say, in a report of several."""
    return [stack.name for stack in report.stacks if is_unchanged(stack) and not stack.notes] if len(report.stacks) > 1 else []


def concerned(report: Report) -> list[str]:
    """The names of the stacks that a report is about: those with a change, or all where one could not be compared."""
    changed = [stack for stack in report.stacks if not is_unchanged(stack)]
    told = changed if changed and not any(stack.failures for stack in report.stacks) else report.stacks
    names = [stack.name for stack in told if stack.same_as is None]
    return [*names, *dict.fromkeys(stack.same_as for stack in told if stack.same_as is not None and stack.same_as not in names)]


def has_changes(stack: StackReport) -> bool:
    """Whether any object differs, as far as is known."""
    counts = stack.counts
    return bool(stack.groups or stack.restarts or (counts and (counts.added + counts.changed + counts.replaced + counts.removed)))


def verdict(report: Report, where: str = "") -> str:
    """The whole in a line: `2 dangers, 1 caution in 3 stacks: 9 pods restart in 3 batches`.

    Args:
        report: The report.
        where: Which stacks it is about, to be named in it: `stack dev`, `3 stacks`.
    """
    severities: tuple[Severity, ...] = ("danger", "caution")
    counts = [(len(of_severity(report, severity)), severity) for severity in severities]
    parts = [plural(count, severity) for count, severity in counts if count]
    failed = [stack for stack in report.stacks if stack.failures]
    is_whole = len(report.stacks) == 1
    if failed and is_whole:
        parts.append(plural(len(failed[0].failures), "failure"))
    at = f" in {where}" if where else ""
    if not parts and all(map(is_unchanged, report.stacks)):
        return f"No change{at}"
    said = f"{', '.join(parts) or 'No danger'}{at}"
    if failed and not is_whole:
        twice = any(stack.same_as is not None for stack in report.stacks)
        missing = (
            f"{len(failed):,} of {len(report.stacks):,} comparisons not complete"
            if twice
            else _missing(failed, "them" if parts and at else f"{len(report.stacks):,} stacks")
        )
        said = f"{said}, {missing}" if parts else missing
    plans = _restarting(report)
    pods = sum(plan.pods for plan in plans.values())
    if pods:
        (first, *more) = plans.values()
        batches = "" if more else f" in {plural(first.batch_count, 'batch', 'batches')}"
        said += f": {plural(pods, 'pod')} restart{'s' * (pods == 1)}{batches}"
        halted = {stack.same_as or stack.name for stack in report.stacks if stack.stop is not None}
        stopped = sum(plan.pods for (stack, _), plan in plans.items() if stack in halted)
        if stopped:
            said += f", {'' if stopped == pods else f'{stopped:,} of them only '}if the update gets that far"
    elif not (counts[0][0] or failed) and any(stack.stop is not None for stack in report.stacks):
        said += ": the update does not get through"
    return said


def _restarting(report: Report) -> dict[tuple[str, str], RestartPlan]:
    """The restarts by stack and set; of two comparisons of one stack that with more of them."""
    plans: dict[tuple[str, str], RestartPlan] = {}
    for stack in report.stacks:
        for plan in stack.restarts:
            key = (stack.same_as or stack.name, plan.set)
            plans[key] = max(plans.get(key, plan), plan, key=lambda one: one.pods)
    return plans


def _missing(failed: Sequence[StackReport], of: str) -> str:
    """`1 of 3 stacks not compared, 2 only in part`."""
    in_part = sum(stack.counts is not None for stack in failed)
    not_at_all = len(failed) - in_part
    if not not_at_all:
        return f"{in_part:,} of {of} compared only in part"
    return f"{not_at_all:,} of {of} not compared" + (f", {in_part:,} only in part" if in_part else "")


def failures_by_stacks(report: Report) -> dict[str, list[tuple[list[str], list[str]]]]:
    """The stacks that were not compared as a whole, those with the same reasons together, and the reasons; by a title."""
    found: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for stack in report.stacks:
        if stack.failures:
            title = "Not compared" if stack.counts is None else "Compared only in part"
            found.setdefault(title, {}).setdefault(tuple(stack.failures), []).append(stack.name)
    return {
        title: [(names, list(failures)) for failures, names in some.items()]
        for title, some in sorted(found.items(), reverse=True)
    }


def outline(text: str) -> list[tuple[int, str]]:
    """The lines of a message, each with how deep it stands below the first: a refusal names its problems line by line."""
    lines = [line for line in text.splitlines() if line.strip()]
    kept, left = lines[:_MOST_LINES], len(lines) - _MOST_LINES
    told = [(int(bool(index)), line.strip().removeprefix("- ")) for index, line in enumerate(kept)]
    return [*told, (1, f"and {plural(left, 'more line')}")] if left > 0 else told


_MOST_LINES: Final = 40


def counts_text(counts: Counts) -> str:
    """`9 objects changed, 1 added, 40 unchanged`."""
    told = [
        (counts.replaced, "replaced"),
        (counts.removed, "removed"),
        (counts.changed, "changed"),
        (counts.added, "added"),
    ]
    parts = [f"{count:,} {word}" for count, word in told if count]
    if counts.unchanged is not None:
        parts.append(f"{counts.unchanged:,} unchanged")
    return f"Objects: {', '.join(parts) or 'none changed'}"


def restart_text(plan: RestartPlan, stop: Stop | None) -> tuple[str, str]:
    """The set, and what its pods do: `9 of 9 pods restart in 3 batches`.

    Args:
        plan: The pods.
        stop: What stops the update of the stack.
    """
    of = f" of {plan.running:,}" if plan.running is not None else ""
    pods = f"{plan.pods:,}{of} {'pod' if plan.pods == 1 and plan.running in (None, 1) else 'pods'}"
    text = f"{pods} restart{'s' * (plan.pods == 1)}"
    if plan.batch_count:
        text += f" in {plural(plan.batch_count, 'batch', 'batches')}"
    if stop is not None:
        text += f", if the update gets that far: {_stop_text(stop)}"
    if plan.replaced:
        text += "; workloads are deleted and made anew, so their pods stop first"
    if plan.all_at_once:
        text += "; at some time none of the set runs"
    return plan.set, text


def stop_text(stack: StackReport) -> str:
    """What stops the update of a stack, where no restart of it says so; else nothing."""
    return "" if stack.stop is None or stack.restarts else f"The update does not get through: {_stop_text(stack.stop)}"


def _stop_text(stop: Stop) -> str:
    """`volume-shrunk stops it`, `network-changed and protected-deleted stop it in its preview`."""
    if not stop.rules:
        return "its preview fails" if stop.in_preview else "something stops it"
    shown, left = stop.rules[:_MOST_RULES], len(stop.rules) - _MOST_RULES
    named = [*shown, *([f"{left} more"] if left > 0 else [])]
    who = " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)
    return f"{who} stop{'s' * (len(named) == 1)} it{' in its preview' * stop.in_preview}"


_MOST_RULES: Final = 3


def batch_lines(plan: RestartPlan, most: int) -> Iterator[str]:
    """The batches in their order, at most so many."""
    shown = plan.batches[:most]
    for number, names in enumerate(shown, start=1):
        yield f"{number}. {names}"
    left = plan.batch_count - len(shown)
    if left:
        yield f"... and {plural(left, 'more batch', 'more batches')}"


def headlines(stack: StackReport) -> list[tuple[str, Entry]]:
    """What a reader in a hurry has to see of the changes, with the set of each: nodes, then data, then the rest; no followers."""
    told = [(group.set, entry) for group in stack.groups for entry in group.entries if not entry.follows]
    return sorted(told, key=lambda one: _FIRST.index(one[1].kind) if one[1].kind in _FIRST else len(_FIRST))


_FIRST: Sequence[str] = (*WORKLOADS, "PersistentVolumeClaim")


def capacity_rows(before: Capacity, after: Capacity) -> list[tuple[str, str, str, bool]]:
    """Name, value before, value afterwards and whether they differ; rows of which both are nothing are left out."""
    rows = [
        ("nodes", f"{before.nodes:,}", f"{after.nodes:,}", before.nodes != after.nodes),
        ("pods", f"{before.pods:,}", f"{after.pods:,}", before.pods != after.pods),
        ("CPU requested", _cores(before.cpu), _cores(after.cpu), before.cpu != after.cpu),
        ("memory requested", _size_text(before.memory), _size_text(after.memory), before.memory != after.memory),
        ("storage claimed", _size_text(before.storage), _size_text(after.storage), before.storage != after.storage),
        (
            "load balancers",
            f"{before.load_balancers:,}",
            f"{after.load_balancers:,}",
            before.load_balancers != after.load_balancers,
        ),
    ]
    return [row for row in rows if row[1] not in ("0", "0 B") or row[2] not in ("0", "0 B")]


def _cores(cores: float) -> str:
    return f"{cores:,.3f}".rstrip("0").rstrip(".")


_UNITS: Sequence[str] = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def _size_text(size: int) -> str:
    """Bytes as people read them: `20 GiB`, `1.5 TiB`."""
    value, unit = float(min(size, 2**80)), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:,.2f}".rstrip("0").rstrip(".") + f" {_UNITS[unit]}"
