"""Previews of the engine, and reports that others made, as one report."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from nodestead.changes.accepted import Acceptances
from nodestead.changes.compare import Neighbour
from nodestead.preview.engine_preview import Preview, PreviewError, project_of, read_preview
from nodestead.preview.engine_text import LARGEST, decoded
from nodestead.preview.stack_comparison import compared_stack
from nodestead.reports.build import failed_stack
from nodestead.reports.model import MOST_STACKS, Report, ReportError, StackReport, read_report

__all__ = [
    "STDIN",
    "review",
]

STDIN: Final = "-"
"""The name of the file that is standard input."""

_STATE, _PREVIEW = "state", "preview"


def _source_text(name: str) -> str:
    """The text of a file, or of standard input.

    Raises:
        PreviewError: where it cannot be read, or is no text.
    """
    try:
        if name == STDIN:
            return decoded(sys.stdin.buffer.read(LARGEST + 1))
        with Path(name).open("rb") as file:
            return decoded(file.read(LARGEST + 1))
    except OSError as error:
        raise PreviewError(f"it cannot be read: {error.strerror or error}") from None


def review(names: Sequence[str], accepted: Acceptances) -> Report:
    """The report of all files; one that is none of a preview is a stack that could not be compared.

    Args:
        names: Files, each with a preview of the engine as JSON, or with a report as JSON; `-` for standard input.
        accepted: The risks that the repository accepts. In a report that is read, it stays as it was.
    """
    read: list[tuple[str, StackReport | Preview]] = []
    rendered: list[StackReport] = []
    compared: list[tuple[str, str]] = []
    notes: list[str] = []
    for name in names:
        sides = _STATE, _PREVIEW
        try:
            text = _source_text(name)
            if _is_report(text):
                report = read_report(text.strip())
                sides = report.base, report.head
                notes += report.notes
                read += [("", stack) for stack in report.stacks]
                rendered += report.stacks if sides != (_STATE, _PREVIEW) else []
            else:
                read.append((project_of(text), _preview(text, _file(name))))
        except (PreviewError, ReportError) as error:
            read.append(("", failed_stack(_file(name), [str(error)])))
        compared.append(sides)
    known = _neighbours(read)
    stacks = [
        (project, one if isinstance(one, StackReport) else _reviewed(project, one, known, accepted)) for project, one in read
    ]
    bases, heads = (list(dict.fromkeys(one)) for one in zip(*compared, strict=True)) if compared else ([_STATE], [_PREVIEW])
    return Report(
        base=", ".join(bases)[:_LONGEST],
        head=", ".join(heads)[:_LONGEST],
        notes=list(dict.fromkeys(notes))[:_MOST_NOTES],
        stacks=_few(_distinct(_paired(stacks, rendered))),
    )


def _paired(stacks: Sequence[tuple[str, StackReport]], rendered: Sequence[StackReport]) -> Iterator[tuple[str, StackReport]]:
    """Stacks of the engine's previews that were rendered too, marked as such.

    Where several previews or several reports have a stack of that name, nobody knows which of them was rendered.
    """
    names = {name for name, count in Counter(stack.name for stack in rendered).items() if count == 1}
    own = {id(stack) for stack in rendered}
    previewed = Counter(stack.name for _, stack in stacks if id(stack) not in own)
    for project, stack in stacks:
        if id(stack) in own or stack.name not in names or previewed[stack.name] > 1:
            yield project, stack
        else:
            called = f"{stack.name} (against its state)"[:_LONGEST]
            yield project, stack.model_copy(update={"name": called, "same_as": stack.name})


_LONGEST, _MOST_NOTES = 300, 50


def _few(stacks: list[StackReport]) -> list[StackReport]:
    """As many as a report holds; that there are more is a failure, since nobody has looked at them."""
    if len(stacks) <= MOST_STACKS:
        return stacks
    left = len(stacks) - MOST_STACKS + 1
    told = f"a report holds {MOST_STACKS} stacks, so these are left out: review them by themselves"
    return [*stacks[: MOST_STACKS - 1], failed_stack(f"and {left:,} more", [told])]


def _file(name: str) -> str:
    return "standard input" if name == STDIN else name


def _is_report(text: str) -> bool:
    """Whether it says that it is a report; a preview has no such key, and what goes by it is checked as a whole."""
    return re.search(r'"format"\s*:\s*"nodestead-report"', text[:2_000]) is not None


def _preview(text: str, name: str) -> Preview | StackReport:
    preview = read_preview(text)
    # It may have failed before the engine named the stack.
    return preview if preview.head.stack else failed_stack(name, preview.failures)


_Stack = tuple[str, str]
"""The project and the name of a stack: two previews of one stack are no two stacks."""


def _neighbours(read: Iterable[tuple[str, StackReport | Preview]]) -> dict[_Stack, Neighbour]:
    return {(project, one.head.stack): Neighbour(one.base, one.head) for project, one in read if isinstance(one, Preview)}


def _reviewed(project: str, preview: Preview, known: Mapping[_Stack, Neighbour], accepted: Acceptances) -> StackReport:
    name = preview.head.stack
    alike = Counter(stack for _, stack in known)
    others = {
        f"{owner}/{stack}" if alike[stack] > 1 else stack: one
        for (owner, stack), one in known.items()
        if (owner, stack) != (project, name)
    }
    return compared_stack(
        name,
        preview.base,
        preview.head,
        accepted,
        _unreadable,
        others=others,
        steps=preview.steps,
        notes=preview.notes,
        failures=preview.failures,
        refused=preview.failed,
    )


def _unreadable(error: Exception) -> str:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{Path(where.tb_frame.f_code.co_filename).name}, line {where.tb_lineno}" if where is not None else ""
    return f"an object in it cannot be read ({type(error).__name__} in {place}); is it what the engine wrote?"


def _distinct(stacks: Iterable[tuple[str, StackReport]]) -> list[StackReport]:
    """Stacks with names of their own: with that of the project where two have the same, then by number.

    What several stacks were called is no name of one any more, by which another comparison could mean it.
    """
    given = list(stacks)
    named = Counter(stack.name for _, stack in given if stack.same_as is None)
    projects: dict[str, set[str]] = {}
    for project, stack in given:
        projects.setdefault(stack.name, set()).add(project)
    taken: set[str] = set()
    found: list[StackReport] = []
    for project, stack in given:
        name = f"{project}/{stack.name}" if project and len(projects[stack.name]) > 1 else stack.name
        number = 1
        while (called := name if number == 1 else f"{name} ({number})") in taken:
            number += 1
        taken.add(called)
        same_as = stack.same_as if stack.same_as is None or named[stack.same_as] == 1 else None
        is_as_given = (called, same_as) == (stack.name, stack.same_as)
        found.append(stack if is_as_given else stack.model_copy(update={"name": called[:_LONGEST], "same_as": same_as}))
    return found
