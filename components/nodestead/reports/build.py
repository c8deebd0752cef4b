"""Makes a report of what is known of a change."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from nodestead.changes.capacity import totals
from nodestead.changes.compare import Comparison
from nodestead.changes.names import folded_names
from nodestead.changes.rule import SEVERITIES, Fault, Finding
from nodestead.changes.secrecy import safe_text
from nodestead.changes.sets import refused_sets
from nodestead.changes.snapshot import Snapshot
from nodestead.changes.workloads import Restart, restarts
from nodestead.reports.fold import FoldedEntry, fold
from nodestead.reports.folded_fields import FoldedField
from nodestead.reports.model import (
    Capacity,
    Counts,
    Entry,
    FieldReport,
    Group,
    Report,
    RestartPlan,
    Risk,
    StackReport,
    Stop,
    Topology,
    Value,
)

__all__ = ["exit_code", "failed_stack", "stack_report"]

OK, FOUND, FAILED = 0, 1, 2

_SHORT, _TEXT = 300, 4_000
_MOST_FAILURES, _MOST_NOTES, _MOST_RISKS, _MOST_RESTARTS, _MOST_BATCHES, _MOST_GROUPS = 200, 50, 2_000, 1_000, 500, 1_000
_MOST_GROUP_ENTRIES = 2_000
_LARGEST = 10**30
_MOST_CHARACTERS = 1_500_000
"""Characters of all entries of a stack together: a report of ten large stacks can be read again."""


def stack_report(
    name: str,
    comparison: Comparison,
    findings: Sequence[Finding | Fault],
    *,
    notes: Iterable[str] = (),
    failures: Iterable[str] = (),
    refused: bool = False,
    topology: Topology | None = None,
) -> StackReport:
    """What a change does to one stack.

    Args:
        name: Name of the stack.
        comparison: Its two states.
        findings: What the rules found, the worst first, and the rules that broke.
        notes: What a reader has to know of how it was made.
        failures: Why a part of it could not be compared.
        refused: Whether the engine's preview failed.
        topology: The stack as a picture shows it.
    """
    found = [one for one in findings if isinstance(one, Finding)]
    faults = [_fault(one) for one in findings if isinstance(one, Fault)]
    plans = restarts(comparison)
    groups, more_groups = _groups(comparison)
    return StackReport(
        name=_short(name),
        failures=_told([*failures, *faults], _MOST_FAILURES),
        notes=_told(notes, _MOST_NOTES),
        counts=_counts(comparison),
        risks=[_risk(one) for one in found[:_MOST_RISKS]],
        more_risks=max(0, len(found) - _MOST_RISKS),
        restarts=[_restart(one) for one in plans[:_MOST_RESTARTS]],
        more_restarts=max(0, len(plans) - _MOST_RESTARTS),
        stop=_stop(comparison, found, refused=refused),
        before=_capacity(comparison.base) if comparison.complete else None,
        after=_capacity(comparison.head) if comparison.complete else None,
        groups=groups,
        more_groups=more_groups,
        topology=topology,
    )


def failed_stack(name: str, failures: Iterable[str]) -> StackReport:
    """A stack that could not be compared, and why."""
    told = _told(failures, _MOST_FAILURES)
    return StackReport(name=_short(name), failures=told or ["it could not be compared"])


def exit_code(report: Report, fail_on: str) -> int:
    """What a pipeline goes by.

    Args:
        report: The report.
        fail_on: The least severity of a risk that fails it: info, caution or danger; never lets all pass.

    Returns:
        2 where a stack could not be compared, else 1 where there is such a risk that nobody accepted, else 0.
    """
    if any(stack.failures for stack in report.stacks):
        return FAILED
    failing = SEVERITIES[SEVERITIES.index(fail_on) :] if fail_on in SEVERITIES else ()
    is_found = any(risk.accepted is None and risk.severity in failing for stack in report.stacks for risk in stack.risks)
    return FOUND if is_found else OK


# ---- parts


def _counts(comparison: Comparison) -> Counts:
    by_operation = Counter(change.operation for change in comparison.changes)
    in_both = sum(1 for change in comparison.changes if change.new is not None)
    return Counts(
        added=by_operation["add"],
        changed=by_operation["change"],
        replaced=by_operation["replace"],
        removed=by_operation["remove"],
        unchanged=len(comparison.head.items) - in_both if comparison.complete else None,
    )


def _capacity(snapshot: Snapshot) -> Capacity:
    # A quantity of a manifest may have any number of digits.
    return Capacity(**{key: min(value, _LARGEST) for key, value in asdict(totals(snapshot)).items()})


def _risk(finding: Finding) -> Risk:
    rule, found = finding.rule, finding.found
    return Risk(
        rule=_short(rule.id),
        severity=rule.severity,
        title=_short(rule.title),
        subject=_short(found.subject),
        nodes=folded_names(found.nodes),
        what=_text(safe_text(found.what or rule.happens)),
        instead=_text(rule.instead),
        accepted=None if finding.accepted is None else _text(safe_text(finding.accepted)),
    )


def _fault(fault: Fault) -> str:
    return (
        f"the rule {fault.rule.id} broke ({fault.error}), and what it would find is missing here; that is a fault of nodestead,"
        " not of the stack: please report it, with this line and what changes"
    )


def _stop(comparison: Comparison, findings: Sequence[Finding], *, refused: bool) -> Stop | None:
    """What stops the update; whether somebody accepts the risk is nothing to the engine or the API server.

    A guard or a protection fails the preview, and so does what the API server refuses when the preview asks it. What it refuses
    later stops the engine, which starts nothing more; what it has done stays, and in which order it comes to things that do not
    wait for each other nobody knows.
    """
    stopping = [one for one in findings if not _is_lifted(one)]
    for where in ("preview", "update"):
        rules = dict.fromkeys(_short(one.rule.id) for one in stopping if one.found.stops == where)
        if rules or (where == "preview" and (refused or refused_sets(comparison))):
            return Stop(rules=list(rules), in_preview=where == "preview")
    return None


def _is_lifted(finding: Finding) -> bool:
    """Whether who accepts a finding has taken away what stops the update: the state says that, and no revision."""
    return finding.rule.id == "protected-deleted" and finding.accepted is not None


def _restart(one: Restart) -> RestartPlan:
    return RestartPlan(
        set=_short(one.set),
        pods=max(1, min(one.pods, _LARGEST)),
        running=one.running if one.running is None else min(one.running, _LARGEST),
        batches=[folded_names(batch) for batch in one.batches[:_MOST_BATCHES]],
        more=max(0, len(one.batches) - _MOST_BATCHES),
        all_at_once=one.all_at_once,
        replaced=one.replaced,
    )


def _groups(comparison: Comparison) -> tuple[list[Group], int]:
    folded = fold(comparison.changes)
    # What belongs to no set comes last.
    names = sorted(folded, key=lambda name: not name)
    groups: list[Group] = []
    left = _MOST_CHARACTERS
    for name in names[:_MOST_GROUPS]:
        entries = folded[name]
        kept: list[Entry] = []
        for one in entries[:_MOST_GROUP_ENTRIES]:
            entry = _entry(one)
            left -= _weight(entry)
            if left < 0:
                break
            kept.append(entry)
        facts = comparison.head.facts_of(name) or comparison.base.facts_of(name)
        component = _short(facts.component) if facts else ""
        groups.append(Group(set=_short(name), component=component, entries=kept, more=len(entries) - len(kept)))
        if left < 0:
            break
    return groups, len(names) - len(groups)


def _weight(entry: Entry) -> int:
    """About the characters of an entry's JSON."""
    values = sum(len(value.old or "") + len(value.new or "") + 40 for field in entry.fields for value in field.values)
    lines = sum(len(line) + 5 for field in entry.fields for line in field.lines)
    return 200 + len(entry.names) + len(entry.summary) + values + lines + 150 * len(entry.fields)


def _entry(one: FoldedEntry) -> Entry:
    return Entry(
        operation=one.operation,
        kind=_short(one.kind),
        objects=one.objects,
        names=one.names,
        fields=[_field(each) for each in one.fields],
        more=one.more,
        follows=one.follows,
        summary=_text(one.summary),
    )


def _field(one: FoldedField) -> FieldReport:
    return FieldReport(
        path=_short(one.path),
        label=_short(one.label),
        values=[
            Value(
                old=None if value.old is None else _text(value.old),
                new=None if value.new is None else _text(value.new),
                count=value.count,
            )
            for value in one.values
        ],
        more=one.more,
        lines=[_text(line) for line in one.lines],
        follows=one.follows,
    )


def _told(texts: Iterable[str], most: int) -> list[str]:
    told = [_text(safe_text(text)) for text in texts]
    return told if len(told) <= most else [*told[: most - 1], f"and {len(told) - most + 1} more"]


def _short(text: str) -> str:
    return _cut(text, _SHORT)


def _text(text: str) -> str:
    return _cut(text, _TEXT)


def _cut(text: str, most: int) -> str:
    # A lone surrogate, which JSON may hold, is no text that could be written.
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return sound if len(sound) <= most else f"{sound[: most - 3]}..."
