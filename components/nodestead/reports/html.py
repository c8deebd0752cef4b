"""A report as a page that needs nothing but itself: no script, nothing from elsewhere, every text escaped."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from nodestead.changes.rule import Severity
from nodestead.reports.escape import sound
from nodestead.reports.html_style import STYLE
from nodestead.reports.model import Entry, FieldReport, Group, Report, RestartPlan, Risk, StackReport, Stop, Topology, Value
from nodestead.reports.svg import SVG_STYLE, svg
from nodestead.reports.words import (
    capacity_rows,
    cases_by_rule,
    counts_text,
    failures_by_stacks,
    is_unchanged,
    of_severity,
    plural,
    restart_text,
    stop_text,
    verdict,
)

__all__ = ["html"]

_SHEET: Final = f"{STYLE}{SVG_STYLE}\n"
# The sheet by its hash: a style that somebody smuggled in would not be applied either.
_HASH: Final = base64.b64encode(hashlib.sha256(_SHEET.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"

_SECTIONS: Final[Sequence[tuple[Severity, str]]] = (("danger", "Dangers"), ("caution", "Cautions"))
_COLUMNS: Final = (("What", ""), ("Before", ' class="n"'), ("After", ' class="n"'))
_WORDS: Final = {"add": "added", "change": "changed", "replace": "replaced", "remove": "removed"}


def html(report: Report) -> str:
    """The page of a report.

    Args:
        report: The report; it may be of a stranger.
    """
    return "".join(f"{line}\n" for line in _page(report))


def _page(report: Report) -> Iterator[str]:
    said = verdict(report)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{_text(said)}: {_text(report.base)} to {_text(report.head)}</title>"
    yield f"<style>{_SHEET}</style>"
    yield "</head>"
    yield "<body>"
    yield "<header>"
    compared = f"<code>{_text(report.base)}</code> → <code>{_text(report.head)}</code>"
    yield f'<p class="soft">What changes for running nodes: {compared}</p>'
    yield f"<h1>{_text(said)}</h1>"
    yield from _contents(report)
    yield "</header>"
    yield "<main>"
    yield from _failures(report)
    yield from _list(report.notes)
    several = len(report.stacks) > 1
    for severity, title in _SECTIONS:
        yield from _risks(of_severity(report, severity), title, several=several)
    is_bad = any(of_severity(report, severity) for severity, _ in _SECTIONS)
    infos = of_severity(report, "info")
    yield from _folded_risks(infos, f"Good to know ({len(infos):,})", several=several, is_open=not is_bad)
    accepted = [(stack, risk) for stack in report.stacks for risk in stack.risks if risk.accepted is not None]
    yield from _folded_risks(accepted, f"Accepted risks ({len(accepted):,})", several=several, is_open=False)
    for number, stack in _numbered(report):
        yield from _stack(stack, number)
    yield "</main>"
    yield "<footer><p>Made by nodestead. This page loads nothing.</p></footer>"
    yield "</body>"
    yield "</html>"


# ---- text


def _text(text: str) -> str:
    return escape(sound(text), quote=True)


def _lined(text: str) -> str:
    """A text that may have several lines."""
    return escape(sound(text, lines=True), quote=True)


def _lined_html(text: str) -> str:
    return _lined(text).replace("\n", "<br>")


_CODE: Final = re.compile(r"`([^`<>]{1,200})`")


def _sentence(text: str) -> str:
    """A sentence in which commands stand between backticks."""
    return _CODE.sub(r"<code>\1</code>", _text(text))


def _list(lines: Iterable[str]) -> Iterator[str]:
    items = [f"<li>{_text(line)}</li>" for line in lines]
    if items:
        yield f"<ul>{''.join(items)}</ul>"


def _and_more(count: int, noun: str, many: str | None = None) -> Iterator[str]:
    if count:
        yield f'<p class="soft">and {plural(count, f"more {noun}", f"more {many}" if many else None)}</p>'


# ---- what comes first


def _numbered(report: Report) -> Iterator[tuple[int, StackReport]]:
    """The stacks in the order of the page: those without a change come last."""
    return enumerate(sorted(report.stacks, key=is_unchanged), start=1)


def _contents(report: Report) -> Iterator[str]:
    links = [
        f'<li><a href="#stack-{number}">{_text(stack.name)}</a> <span class="soft">{_state(stack)}</span></li>'
        for number, stack in _numbered(report)
    ]
    if links:
        yield f'<nav aria-label="Stacks"><ul>{"".join(links)}</ul></nav>'


def _state(stack: StackReport) -> str:
    if stack.failures:
        return "not compared" if stack.counts is None else "compared in part"
    if is_unchanged(stack):
        return "no change"
    open_risks = [risk for risk in stack.risks if risk.accepted is None]
    told = [
        plural(count, noun)
        for severity, noun in (("danger", "danger"), ("caution", "caution"))
        if (count := sum(risk.severity == severity for risk in open_risks))
    ]
    return ", ".join(told) or "no danger"


def _failures(report: Report) -> Iterator[str]:
    for number, (title, found) in enumerate(failures_by_stacks(report).items(), start=1):
        yield f'<section aria-labelledby="failed-{number}"><h2 id="failed-{number}">{title}</h2>'
        for names, failures in found:
            yield f'<div class="risk danger"><h3>{_text(", ".join(names))}</h3>'
            yield "".join(f"<p>{_lined_html(line)}</p>" for line in failures)
            yield "</div>"
        yield "</section>"


def _risks(found: Sequence[tuple[StackReport, Risk]], title: str, *, several: bool) -> Iterator[str]:
    if not found:
        return
    severity = found[0][1].severity
    yield f'<section aria-labelledby="{severity}"><h2 id="{severity}">{title} ({len(found):,})</h2>'
    yield from _rules(found, several=several)
    yield "</section>"


def _rules(found: Sequence[tuple[StackReport, Risk]], *, several: bool) -> Iterator[str]:
    """An article for each rule; of one with many cases all but the first are folded."""
    for shared, cases in cases_by_rule(found):
        count = f' <span class="soft">{len(cases):,} cases</span>' if len(cases) > 1 else ""
        yield f'<article class="risk {shared.severity}">'
        yield f'<h3><span class="tag t-{shared.severity}">{shared.severity}</span>{_text(shared.title)}{count}</h3>'
        told = [_case(stack, risk, several=several) for stack, risk in cases]
        if len(told) == 1:
            yield f"<p>{told[0]}</p>"
        else:
            # A fold of one or two would be as long as what it hides.
            open_cases = len(told) if len(told) <= _MOST_OPEN + 2 else _MOST_OPEN
            yield _cases(told[:open_cases])
            if rest := told[open_cases:]:
                yield f"<details><summary>and {len(rest):,} more cases</summary>{_cases(rest)}</details>"
        yield f'<p>Instead: {_sentence(shared.instead)} <span class="soft">Rule <code>{_text(shared.rule)}</code></span></p>'
        yield "</article>"


_MOST_OPEN: Final = 5


def _cases(told: Iterable[str]) -> str:
    return f'<ul class="cases">{"".join(f"<li>{one}</li>" for one in told)}</ul>'


def _case(stack: StackReport, risk: Risk, *, several: bool) -> str:
    where = f"{_text(stack.name)} / " if several else ""
    nodes = f", {_text(risk.nodes)}" if risk.nodes and risk.nodes != risk.subject else ""
    accepted = f"<br>Accepted: {_sentence(risk.accepted)}" if risk.accepted is not None else ""
    return f"<strong>{where}{_text(risk.subject)}</strong>{nodes}: {_sentence(risk.what)}{accepted}"


def _folded_risks(found: Sequence[tuple[StackReport, Risk]], title: str, *, several: bool, is_open: bool) -> Iterator[str]:
    if found:
        yield f'<details class="fold"{" open" if is_open else ""}><summary><h2>{title}</h2></summary>'
        yield from _rules(found, several=several)
        yield "</details>"


# ---- a stack


def _stack(stack: StackReport, number: int) -> Iterator[str]:
    yield f'<section aria-labelledby="stack-{number}"><h2 id="stack-{number}">Stack {_text(stack.name)}</h2>'
    yield from _list(stack.notes)
    if stack.counts is not None:
        yield f"<p>{_text(counts_text(stack.counts))}</p>"
    yield from _and_more(stack.more_risks, "risk")
    if told := stop_text(stack):
        yield f"<p><strong>{_text(told)}</strong></p>"
    yield from _restarts(stack)
    yield from _capacity(stack)
    if stack.topology is not None and stack.topology.nodes:
        yield from _picture(stack.topology, stack.name)
    if stack.groups:
        yield "<h3>Changes</h3>"
        for group in stack.groups:
            yield from _group(group)
        yield from _and_more(stack.more_groups, "set")
    yield "</section>"


def _restarts(stack: StackReport) -> Iterator[str]:
    if not stack.restarts:
        return
    yield "<h3>Restarts</h3>"
    for plan in stack.restarts:
        yield from _restart(plan, stack.stop)
    yield from _and_more(stack.more_restarts, "set")


def _restart(plan: RestartPlan, stop: Stop | None) -> Iterator[str]:
    name, text = restart_text(plan, stop)
    yield f"<details><summary><strong>{_text(name)}</strong>: {_text(text)}</summary>"
    yield f'<ol class="b">{"".join(f"<li>{_text(names)}</li>" for names in plan.batches)}</ol>'
    yield from _and_more(plan.more, "batch", "batches")
    yield "</details>"


def _capacity(stack: StackReport) -> Iterator[str]:
    if stack.before is None or stack.after is None:
        return
    rows = capacity_rows(stack.before, stack.after)
    if not rows:
        return
    yield "<h3>Capacity</h3>"
    heads = "".join(f'<th scope="col"{mark}>{head}</th>' for head, mark in _COLUMNS)
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for name, before, after, differs in rows:
        mark = ' class="on"' if differs else ""
        cells = f'<td class="n">{_text(before)}</td><td class="n">{_text(after)}</td>'
        yield f'<tr{mark}><th scope="row">{_text(name)}</th>{cells}</tr>'
    yield "</tbody></table>"


def _picture(topology: Topology, name: str) -> Iterator[str]:
    yield "<h3>Topology</h3>"
    label = f"Topology of {name}, can be scrolled"
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{_text(label)}">{svg(topology, style=False)}</div>'
    titles = {node.id: node for node in topology.nodes}
    yield "<details><summary>The same as text</summary><ul>"
    for node in topology.nodes:
        parts = [f"<strong>{_text(node.title)}</strong>"]
        if node.change is not None:
            parts.append(f'<span class="tag t-{node.change}">{_WORDS[node.change]}</span>')
        if node.detail:
            parts.append(_text("; ".join(node.detail)))
        yield f"<li>{' '.join(parts)}</li>"
    yield "</ul><ul>"
    for edge in topology.edges:
        if edge.source in titles and edge.target in titles:
            label = f" ({_text(edge.label)})" if edge.label else ""
            yield f"<li>{_text(titles[edge.source].title)} → {_text(titles[edge.target].title)}{label}</li>"
    yield "</ul></details>"


# ---- changes


def _group(group: Group) -> Iterator[str]:
    name = _text(group.set) if group.set else "Of no set"
    component = f' <span class="soft">{_text(group.component)}</span>' if group.component else ""
    yield f"<h4>{name}{component}</h4>"
    for entry in group.entries:
        if not entry.follows:
            yield from _entry(entry)
    followers = [entry for entry in group.entries if entry.follows]
    if followers:
        said = plural(len(followers), "entry that only repeats the others", "entries that only repeat the others")
        yield f"<details><summary>{said}</summary>"
        for entry in followers:
            yield from _entry(entry)
        yield "</details>"
    yield from _and_more(group.more, "entry", "entries")


def _entry(entry: Entry) -> Iterator[str]:
    head = f'<span class="tag t-{entry.operation}">{_WORDS[entry.operation]}</span>{_text(entry.summary)}'
    yield f'<details class="entry"><summary>{head}</summary>'
    kind = plural(entry.objects, "object") + f" of kind {entry.kind}"
    yield f'<p class="soft">{_text(kind)}: <code>{_text(entry.names)}</code></p>'
    for field in entry.fields:
        yield from _field(field)
    yield from _and_more(entry.more, "field")
    yield "</details>"


def _field(field: FieldReport) -> Iterator[str]:
    path = f' <code class="soft">{_text(field.path)}</code>' if field.path != field.label else ""
    yield f'<div class="field"><strong class="m">{_text(field.label)}</strong>{path}'
    if field.lines:
        yield f"<pre>{''.join(map(_diff_line, field.lines))}</pre>"
    else:
        yield f"<ul>{''.join(map(_value, field.values))}</ul>"
    yield from _and_more(field.more, "pair of values", "pairs of values")
    yield "</div>"


def _diff_line(line: str) -> str:
    kind = {"+": "a", "-": "d", "@": "p"}.get(line[:1], "")
    text = _lined(line).replace("\n", " ")
    return f'<span class="{kind}">{text}</span>\n' if kind else f"{text}\n"


def _value(value: Value) -> str:
    count = f' <span class="soft">({plural(value.count, "object")})</span>' if value.count > 1 else ""
    return f"<li>{_side('del', value.old)} → {_side('ins', value.new)}{count}</li>"


def _side(tag: str, text: str | None) -> str:
    if text is None:
        return '<span class="soft">not there</span>'
    return f'<{tag} class="m">{_lined(text)}</{tag}>' if text.strip() else '<span class="soft">empty</span>'
