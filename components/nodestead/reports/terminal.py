"""A report on a terminal: dangers first, every text of strangers escaped."""

import re
import textwrap
from collections.abc import Iterator
from typing import Final

from nodestead.changes.rule import Severity
from nodestead.reports.model import Entry, FieldReport, Report, Risk, StackReport
from nodestead.reports.words import (
    batch_lines,
    capacity_rows,
    cases_by_rule,
    concerned,
    counts_text,
    failures_by_stacks,
    has_changes,
    is_unchanged,
    of_severity,
    outline,
    plural,
    quiet_stacks,
    restart_text,
    stop_text,
    verdict,
)

__all__ = ["plain", "terminal"]

_NARROWEST: Final = 40
_SCREEN: Final = 50
"""Lines of a report that end with what it begins with."""

_MOST_BATCHES = 12
_MOST_LINES = 12
_MOST_ENTRIES = 100
_MOST_RISKS = 200

_RESET: Final = "\x1b[0m"
_COLORS: Final = {"danger": "\x1b[1;31m", "caution": "\x1b[33m", "info": "\x1b[34m", "good": "\x1b[32m", "strong": "\x1b[1m"}
_SIGNS: Final = {"add": "+", "change": "~", "replace": "!", "remove": "-"}
_TITLES: Final[tuple[tuple[Severity, str], ...]] = (("danger", "DANGER"), ("caution", "CAUTION"), ("info", "NOTE"))


def terminal(report: Report, *, width: int = 80, color: bool = False) -> str:
    """A report as text in columns.

    Args:
        report: The report.
        width: Columns of the terminal; 40 at least.
        color: Whether to colour by severity.
    """
    page = _Page(max(width, _NARROWEST), color=color)
    lines = list(_lines(report, page))
    if len(lines) > _SCREEN:
        # What was said first has left the screen.
        lines += ["", *page.wrapped(_heading(report), paint=_paint(report))]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    r"""A text in one line, in which what a terminal would obey is written out: `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char in "\n\t" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 65536 else f"\\U{point:08x}"


class _Page:
    def __init__(self, width: int, *, color: bool) -> None:
        self.width = width
        self.color = color

    def painted(self, text: str, paint: str) -> str:
        return f"{_COLORS[paint]}{text}{_RESET}" if self.color and text else text

    def wrapped(self, text: str, first: str = "", rest: str | None = None, paint: str = "") -> Iterator[str]:
        """Lines of a paragraph; `first` and `rest` stand before them, and `paint` colours all of it."""
        indent = " " * len(first) if rest is None else rest
        # A long name is kept whole, so that it can be copied.
        paragraph = textwrap.TextWrapper(self.width, first, indent, break_long_words=False, break_on_hyphens=False)
        lines = paragraph.wrap(plain(text))
        return (self.painted(line, paint) if paint else line for line in lines or [first.rstrip()])


def _lines(report: Report, page: _Page) -> Iterator[str]:
    several = len(report.stacks) > 1
    yield from page.wrapped(_heading(report), paint=_paint(report))
    yield from page.wrapped(f"{report.base} -> {report.head}")
    for severity, title in _TITLES[:2]:
        yield from _risks(report, severity, title, page, several=several)
        if severity == "danger":
            yield from _failures(report, page)
    if report.notes:
        yield ""
    for note in report.notes:
        yield from page.wrapped(note, "note: ", "  ")
    quiet = quiet_stacks(report)
    for stack in report.stacks:
        if stack.name not in quiet:
            yield from _stack(stack, page, several=several)
    if quiet and len(quiet) < len(report.stacks):
        yield ""
        yield from page.wrapped(f"No change in {', '.join(quiet)}", rest="  ")
    yield from _risks(report, "info", "NOTE", page, several=several)
    yield from _accepted(report, page, several=several)


def _heading(report: Report) -> str:
    names = concerned(report)
    where = f"stack {names[0]}" if len(names) == 1 else plural(len(names), "stack") if names else ""
    return verdict(report, where)


def _paint(report: Report) -> str:
    if of_severity(report, "danger") or any(stack.failures for stack in report.stacks):
        return "danger"
    return "caution" if of_severity(report, "caution") else "strong" if not all(map(is_unchanged, report.stacks)) else "good"


def _risks(report: Report, severity: Severity, title: str, page: _Page, *, several: bool) -> Iterator[str]:
    found = of_severity(report, severity)
    # What to do instead is said once.
    for shared, cases in cases_by_rule(found[:_MOST_RISKS]):
        count = f", {len(cases):,} cases" if len(cases) > 1 else ""
        yield ""
        yield from page.wrapped(f"{title}  {shared.title} ({shared.rule}){count}", rest="  ", paint=severity)
        for stack, risk in cases:
            yield from _risk(stack, risk, page, several=several, mark="- " if count else "")
        yield from page.wrapped(f"Instead: {shared.instead}", "  ")
    if len(found) > _MOST_RISKS:
        yield from page.wrapped(f"and {len(found) - _MOST_RISKS:,} more", "  ")


def _risk(stack: StackReport, risk: Risk, page: _Page, *, several: bool, mark: str = "") -> Iterator[str]:
    where = f"stack {stack.name}, " if several else ""
    nodes = f" ({risk.nodes})" if risk.nodes and risk.nodes != risk.subject else ""
    yield from page.wrapped(f"{where}{risk.subject}{nodes}: {risk.what}", f"  {mark}")


def _failures(report: Report, page: _Page) -> Iterator[str]:
    for title, names, failures in ((title, *one) for title, found in failures_by_stacks(report).items() for one in found):
        yield ""
        stacks = f"{'stack' if len(names) == 1 else 'stacks'} {', '.join(names)}"
        yield from page.wrapped(f"{title.upper()}  {stacks}", paint="danger")
        for failure in failures:
            for depth, line in outline(failure):
                yield from page.wrapped(line, f"  {'  - ' * depth}")


def _accepted(report: Report, page: _Page, *, several: bool) -> Iterator[str]:
    for stack in report.stacks:
        for risk in stack.risks:
            if risk.accepted is not None:
                yield ""
                yield from page.wrapped(f"ACCEPTED {risk.severity}  {risk.title} ({risk.rule})", rest="  ")
                yield from _risk(stack, risk, page, several=several)
                yield from page.wrapped(f"Reason: {risk.accepted}", "  ")


# ---- a stack


def _stack(stack: StackReport, page: _Page, *, several: bool) -> Iterator[str]:
    if (
        stack.counts is None
        or (stack.failures and not has_changes(stack) and not stack.notes)
        or (not several and is_unchanged(stack) and not stack.notes)
    ):
        return
    yield ""
    if several:
        yield from page.wrapped(f"Stack {stack.name}{': no change' if is_unchanged(stack) else ''}", paint="strong")
    for note in stack.notes:
        yield from page.wrapped(note, "note: ", "  ")
    if told := stop_text(stack):
        yield from page.wrapped(told, rest="  ")
    if not has_changes(stack):
        return
    for plan in stack.restarts:
        name, text = restart_text(plan, stack.stop)
        yield from page.wrapped(f"{name}: {text}", rest="  ")
        if plan.batch_count > 1:
            for line in batch_lines(plan, _MOST_BATCHES):
                yield from page.wrapped(line, "  ", "     ")
    if stack.more_restarts:
        yield from page.wrapped(f"and pods of {plural(stack.more_restarts, 'more set')} restart")
    yield from page.wrapped(counts_text(stack.counts))
    yield from _capacity(stack)
    for group in stack.groups:
        yield ""
        component = f" ({group.component})" if group.component else ""
        yield from page.wrapped(f"{group.set or 'Of no set'}{component}", paint="strong")
        for entry in group.entries[:_MOST_ENTRIES]:
            yield from _entry(entry, page)
        more = group.more + max(0, len(group.entries) - _MOST_ENTRIES)
        if more:
            yield from page.wrapped(f"and {plural(more, 'more entry', 'more entries')}", "  ")


def _capacity(stack: StackReport) -> Iterator[str]:
    if stack.before is None or stack.after is None:
        return
    rows = [row for row in capacity_rows(stack.before, stack.after) if row[3]]
    name_width = max((len(name) for name, *_ in rows), default=0)
    before_width = max((len(before) for _, before, *_ in rows), default=0)
    for name, before, after, _ in rows:
        yield f"  {name:<{name_width}}  {before:>{before_width}} -> {after}"


def _entry(entry: Entry, page: _Page) -> Iterator[str]:
    paint = {"replace": "danger", "remove": "caution"}.get(entry.operation, "")
    yield from page.wrapped(entry.summary, f"  {_SIGNS[entry.operation]} ", "      ", paint)
    if entry.objects > 1:
        yield from page.wrapped(entry.names, "      ")
    if entry.follows or entry.operation in ("add", "remove"):
        return
    for field in entry.fields:
        if not field.follows:
            yield from _field(field, page)
    if entry.more:
        yield from page.wrapped(f"and {plural(entry.more, 'more field')}", "      ")


def _field(field: FieldReport, page: _Page) -> Iterator[str]:
    for value in field.values[:3]:
        count = f" ({value.count:,} x)" if len(field.values) > 1 else ""
        yield from page.wrapped(f"{field.path}: {_side(value.old)} -> {_side(value.new)}{count}", "      ", "        ")
    more = field.more + max(0, len(field.values) - 3)
    if more:
        yield from page.wrapped(f"and {plural(more, 'other pair')} of values", "        ")
    for line in field.lines[:_MOST_LINES]:
        shown = plain(line)
        paint = {"+": "good", "-": "danger"}.get(line[:1], "")
        shown = f"        {shown}"[: page.width]
        yield page.painted(shown, paint) if paint else shown
    if len(field.lines) > _MOST_LINES:
        yield f"        ... {plural(len(field.lines) - _MOST_LINES, 'more line')}"


def _side(text: str | None) -> str:
    if text is None:
        return "(not there)"
    return text if re.search(r"\S", text) else '""'
