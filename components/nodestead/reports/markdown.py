"""A report as a comment on a pull request: what is dangerous first, one screen for the usual change, the rest folded."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nodestead.changes.names import counted
from nodestead.changes.rule import Severity
from nodestead.reports.escape import code, fenced, html_code, names, prose, units
from nodestead.reports.model import Entry, FieldReport, Report, Risk, StackReport
from nodestead.reports.words import (
    MARKS,
    batch_lines,
    capacity_rows,
    cases_by_rule,
    concerned,
    counts_text,
    failures_by_stacks,
    has_changes,
    headlines,
    is_unchanged,
    of_severity,
    outline,
    plural,
    quiet_stacks,
    restart_text,
    stop_text,
    verdict,
)

__all__ = ["MARKER", "markdown"]

MARKER: Final = "<!-- nodestead:report -->"
"""The first line of every comment, by which a later run finds the one to update."""

_LEAST: Final = 800
_MOST_HEADLINES = 6
_MOST_BATCHES = 20
_MOST_LINES = 12
_MOST_FIELDS = 20
_MOST_STACKS = 20
_RESERVE = 420
"""Characters that are kept free for what is said of what is left out."""


def markdown(report: Report, *, link: str | None = None, limit: int = 60_000) -> str:
    """A report as GitHub and GitLab flavoured Markdown.

    Args:
        report: The report; whatever it says is shown as text, never as Markdown.
        link: Where the whole report is, named where the comment is cut.
        limit: Characters of it at most, astral ones counted twice; 800 at least.
    """
    limit = max(limit, _LEAST)
    head = f"{MARKER}\n## {_heading(report)}"
    if all(map(is_unchanged, report.stacks)) and not report.notes and not any(stack.notes for stack in report.stacks):
        text = f"{head}\n{_compared(report)}{_unchanged(report)}\n"
        return text if units(text) <= limit else f"{head[: limit - 1]}\n"
    pages = _Pages(limit - units(head) - _RESERVE)
    several = len(report.stacks) > 1
    dangers, cautions, notes = (list(_risks(of_severity(report, severity), several=several)) for severity in _SEVERITIES)
    # In the order in which room is given away; the place says where each comes in the comment.
    pages.add(1, "### 🔴 Dangers", dangers, "danger")
    for failed, told in failures_by_stacks(report).items():
        pages.add(2, f"### ⛔ {failed}", list(_failures(told)), "failure")
    pages.add(3, "### 🟡 Cautions", cautions, "caution")
    pages.add(0, "", [_compared(report)], "")
    quiet = quiet_stacks(report)
    facts = [text for stack in report.stacks if stack.name not in quiet and (text := _facts(stack, several=several))]
    pages.add(4, "", [*facts, *([_quiet(quiet)] if quiet else [])], "stack")
    pages.add(5, "", list(_notes(report, several=several)), "note")
    pages.add_folded(6, "🔵 Notes", notes, "note")
    pages.add_folded(7, "Accepted risks", list(_accepted(report, several=several)), "accepted risk")
    for stack in report.stacks:
        name = f" of stack {html_code(stack.name, 80)}" if several else ""
        pages.add_folded(8, f"Update order{name}", list(_order(stack)), "set")
    for stack in report.stacks:
        name = f" of stack {html_code(stack.name, 80)}" if several else ""
        pages.add_folded(9, f"All changes{name}", list(_changes(stack)), "entry of changes")
    body = pages.text()
    tail = _pointer(pages.left_out, link)
    text = "\n\n".join(part for part in (head, body, tail) if part) + "\n"
    if units(text) <= limit:
        return text
    return f"{MARKER}\n## {verdict(report)}\n"


_SEVERITIES: tuple[Severity, ...] = ("danger", "caution", "info")


@dataclass(slots=True)
class _Page:
    place: int
    text: str


class _Pages:
    """The parts of a comment, in which the first that ask get the room there is."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.left_out: dict[str, int] = {}
        self._pages: list[_Page] = []

    def add(self, place: int, title: str, parts: Sequence[str], noun: str) -> None:
        self._add(place, f"{title}\n\n" if title else "", parts, "", noun)

    def add_folded(self, place: int, title: str, parts: Sequence[str], noun: str) -> None:
        self._add(place, f"<details><summary>{title}</summary>\n\n", parts, "\n\n</details>", noun)

    def text(self) -> str:
        return "\n\n".join(page.text for page in sorted(self._pages, key=lambda page: page.place))

    def _add(self, place: int, before: str, parts: Sequence[str], after: str, noun: str) -> None:
        if not parts:
            return
        kept: list[str] = []
        room = self.room - units(before) - units(after) - 2
        for part in parts:
            size = units(part) + 2
            if size > room:
                break
            kept.append(part)
            room -= size
        missing = len(parts) - len(kept)
        if missing:
            self.left_out[noun] = self.left_out.get(noun, 0) + missing
        if kept:
            self.room = room
            self._pages.append(_Page(place, before + _joined(kept) + after))


def _joined(parts: Sequence[str]) -> str:
    """Items of a list stand close; all else is a paragraph."""
    text = ""
    for index, part in enumerate(parts):
        text += ("\n" if index and part.startswith(("- ", "  - ")) else "\n\n" if index else "") + part
    return text


# ---- head and tail


def _heading(report: Report) -> str:
    names = concerned(report)
    where = f"stack {code(names[0], 60)}" if len(names) == 1 else plural(len(names), "stack")
    if not names:
        return "🟢 No stack to compare"
    failed = "⛔" if any(stack.failures for stack in report.stacks) else ""
    danger, caution, _ = (MARKS[one] if of_severity(report, one) else "" for one in _SEVERITIES)
    mark = danger or failed or caution or "🟢"
    return f"{mark} {verdict(report, where)}"


def _compared(report: Report) -> str:
    return f"{code(report.base, 80)} → {code(report.head, 80)}"


def _unchanged(report: Report) -> str:
    counts = [stack.counts for stack in report.stacks]
    known = [one.unchanged for one in counts if one is not None and one.unchanged is not None]
    return f": {plural(sum(known), 'object')} unchanged" if known and len(known) == len(counts) else ": nothing differs"


def _pointer(left_out: dict[str, int], link: str | None) -> str:
    if not left_out:
        return ""
    what = ", ".join(plural(count, noun) for noun, count in left_out.items() if noun)
    return f"**Cut: {what} left out.** {_where(link)}"


def _where(link: str | None) -> str:
    if link is None or len(link) > 200:
        return "The whole is in the full report, an artifact of this run."
    if re.fullmatch(r"https?://[A-Za-z0-9.:_/?=&%#~+,;-]+", link):
        return f"The whole is in [the full report](<{link}>)."
    return f"The whole is in the full report: {code(link)}"


# ---- risks


def _risks(found: Sequence[tuple[StackReport, Risk]], *, several: bool) -> Iterator[str]:
    """A part for each case; those of one rule stand together, and what to do instead is said once."""
    for shared, cases in cases_by_rule(found):
        title, remedy = prose(shared.title, 120), f"*Instead:* {prose(shared.instead, 400)} ({code(shared.rule, 60)})"
        first, *others = [_case(stack, risk, several=several) for stack, risk in cases]
        if not others:
            yield f"- **{title}** — {first}\n  {remedy}"
            continue
        yield f"- **{title}**, {len(cases):,} cases\n  {remedy}\n  - {first}"
        yield from (f"  - {other}" for other in others)


def _case(stack: StackReport, risk: Risk, *, several: bool) -> str:
    where = f"stack {code(stack.name, 60)}, " if several else ""
    nodes = f" ({names(risk.nodes)})" if risk.nodes and risk.nodes != risk.subject else ""
    return f"{where}{code(risk.subject, 80)}{nodes}: {prose(risk.what)}"


def _accepted(report: Report, *, several: bool) -> Iterable[str]:
    for stack in report.stacks:
        for risk in stack.risks:
            if risk.accepted is not None:
                yield (
                    f"- {MARKS[risk.severity]} {code(risk.rule, 60)} — {_case(stack, risk, several=several)}\n"
                    f"  *Accepted:* {prose(risk.accepted, 400)}"
                )


def _failures(found: Sequence[tuple[list[str], list[str]]]) -> Iterable[str]:
    for stacks_of, failures in found:
        stacks = ", ".join(code(name, 60) for name in stacks_of[:_MOST_STACKS])
        stacks += f" and {len(stacks_of) - _MOST_STACKS:,} more" if len(stacks_of) > _MOST_STACKS else ""
        for failure in failures:
            first, *rest = [prose(line) for _, line in outline(failure)] or [""]
            yield "\n".join([f"- {stacks}: {first}", *(f"  - {line}" for line in rest)])


def _notes(report: Report, *, several: bool) -> Iterable[str]:
    for note in report.notes:
        yield f"> {prose(note)}"
    for stack in report.stacks:
        for note in stack.notes:
            yield f"> {f'{code(stack.name, 60)}: ' if several else ''}{prose(note)}"


# ---- facts


def _facts(stack: StackReport, *, several: bool) -> str:
    if stack.counts is None or (stack.failures and not has_changes(stack)):
        return ""
    lines = [f"### Stack {code(stack.name, 60)}" if several else "### What changes", ""]
    if is_unchanged(stack):
        return "\n".join([*lines, "No change."])
    if told := stop_text(stack):
        lines.append(f"- **{prose(told)}**")
    for plan in stack.restarts[:_MOST_HEADLINES]:
        name, text = restart_text(plan, stack.stop)
        lines.append(f"- {code(name, 80)}: **{prose(text)}**")
    left = len(stack.restarts) - _MOST_HEADLINES + stack.more_restarts
    if left > 0:
        lines.append(f"- and pods of {plural(left, 'more set')} restart")
    entries = headlines(stack)
    for name, entry in entries[:_MOST_HEADLINES]:
        lines.append(f"- {f'{code(name, 80)}: ' if name else ''}{prose(entry.summary, 300)}")
    rest = len(entries) - _MOST_HEADLINES
    if rest > 0:
        lines.append(f"- and {plural(rest, 'more entry', 'more entries')} below")
    lines.append(f"- {counts_text(stack.counts)}")
    if stack.before is not None and stack.after is not None:
        lines += ["", *_capacity(stack)]
    return "\n".join(lines)


def _quiet(names: Sequence[str]) -> str:
    shown = ", ".join(code(name, 60) for name in names[:_MOST_HEADLINES])
    left = len(names) - _MOST_HEADLINES
    more = f" and {plural(left, 'more stack')}" if left > 0 else ""
    return f"No change in {shown}{more}."


def _capacity(stack: StackReport) -> Iterable[str]:
    if stack.before is None or stack.after is None:
        return
    rows = capacity_rows(stack.before, stack.after)
    if not any(changed for *_, changed in rows):
        yield "Capacity as before: " + ", ".join(f"{name} {after}" for name, _, after, _ in rows) if rows else ""
        return
    yield f"| | {' | '.join(name for name, *_ in rows)} |"
    yield f"|---|{'---:|' * len(rows)}"
    yield f"| before | {' | '.join(before for _, before, _, _ in rows)} |"
    yield f"| after | {' | '.join(f'**{after}**' if changed else after for _, _, after, changed in rows)} |"


# ---- what is folded


def _order(stack: StackReport) -> Iterable[str]:
    for plan in stack.restarts:
        name, text = restart_text(plan, stack.stop)
        yield "\n".join(
            [f"- {code(name, 80)}: {prose(text)}", *(f"  {_numbered(line)}" for line in batch_lines(plan, _MOST_BATCHES))]
        )


def _numbered(line: str) -> str:
    match = re.fullmatch(r"([0-9]+\.) (.*)", line, re.DOTALL)
    return f"{match[1]} {names(match[2])}" if match else line


_VERBS = {"add": "added", "change": "changed", "replace": "**replaced**"}


def _changes(stack: StackReport) -> Iterable[str]:
    for group in stack.groups:
        component = f" ({prose(group.component, 60)})" if group.component else ""
        title = f"#### {code(group.set, 80) if group.set else 'Of no set'}{component}\n\n"
        for entry in group.entries:
            yield title + _entry(entry)
            title = ""
        if group.more:
            yield f"{title}- and {plural(group.more, 'more entry', 'more entries')}"
    if stack.more_groups:
        yield f"#### And {plural(stack.more_groups, 'more set')}"


def _entry(entry: Entry) -> str:
    listed = names(entry.names)
    if entry.operation == "remove":
        # What is removed from a stack may stay in the cluster, as its summary says.
        return f"- {prose(entry.summary, 300)}{f' ({listed})' if entry.objects > 1 else ''}"
    follows = ", which only follows from another change" if entry.follows else ""
    kind = counted(entry.objects, entry.kind) if entry.objects > 1 else entry.kind
    lines = [f"- {prose(kind, 80)} {listed}: {_VERBS[entry.operation]}{follows}"]
    told = [field for field in entry.fields if not field.follows]
    for field in told[:_MOST_FIELDS]:
        lines += _field(field)
    more = entry.more + max(0, len(told) - _MOST_FIELDS)
    if more:
        lines.append(f"  - and {plural(more, 'more field')}")
    return "\n".join(lines)


def _field(field: FieldReport) -> list[str]:
    pairs = [
        _pair(one.old, one.new) + (f" ({one.count:,} times)" if one.count > 1 and len(field.values) > 1 else "")
        for one in field.values[:4]
    ]
    rest = field.more + max(0, len(field.values) - 4)
    lines = [f"  - {code(field.path, 160)}: {', '.join(pairs)}{f' and {rest:,} more' if rest else ''}"]
    if field.lines:
        shown = field.lines[:_MOST_LINES]
        left = len(field.lines) - len(shown)
        block = fenced([*shown, *([f"... {plural(left, 'more line')}"] if left else [])], "diff")
        lines += [f"    {one}" for one in block.split("\n")]
    return lines


def _pair(old: str | None, new: str | None) -> str:
    if old is None:
        return f"set to {_value(new or '')}"
    if new is None:
        return f"removed, was {_value(old)}"
    return f"changed, {_value(old)}" if old == new else f"{_value(old)} → {_value(new)}"


def _value(text: str) -> str:
    return code(text, 160)
