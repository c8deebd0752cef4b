"""What differs between two texts, in few lines."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["is_long", "text_changes"]

_MOST_LINES: Final = 40
"""Lines of a difference that are shown."""

_LONGEST_VALUE = 160
_LONGEST_LINE = 200
_LARGEST_TEXT = 400_000
_MOST_COMPARED = 1_500


def is_long(text: str | None) -> bool:
    """Whether a text is shown by what differs in it, and not as a whole."""
    return text is not None and (len(text) > _LONGEST_VALUE or "\n" in text.strip())


def text_changes(old: str, new: str, most: int = _MOST_LINES) -> tuple[list[str], int, int]:
    """The lines of a unified difference, and how many lines went and came in all of it.

    JSON and long lists are taken apart first. A text that is too large, or differs too much, gives no lines.

    Args:
        old: The text before.
        new: The text afterwards.
        most: Lines that are given at most; the last one then says how many are left out.
    """
    if old == new:
        return [], 0, 0
    if len(old) + len(new) > _LARGEST_TEXT:
        return [], old.count("\n") + 1, new.count("\n") + 1
    before, after = _lines(old, new)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    one, other = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(one), len(other)) > _MOST_COMPARED:
        return [], len(one), len(other)
    found: list[str] = []
    gone = came = 0
    around = 2
    matcher = difflib.SequenceMatcher(None, one, other)
    for group in matcher.get_grouped_opcodes(around):
        first = start + group[0][1] + 1
        found.append(f"@@ line {first} @@")
        if group[0][1] == 0 and group[0][0] != "equal":
            found += _marked(" ", before[max(0, start - around) : start])
        for operation, i1, i2, j1, j2 in group:
            if operation == "equal":
                found += _marked(" ", one[i1:i2])
                continue
            if i2 - i1 == j2 - j1 == 1:
                found += _pair(one[i1], other[j1])
            else:
                found += [*_marked("-", one[i1:i2]), *_marked("+", other[j1:j2])]
            gone, came = gone + i2 - i1, came + j2 - j1
        if group[-1][2] == len(one) and group[-1][0] != "equal":
            found += _marked(" ", before[len(before) - end :][:around])
    if len(found) > most:
        found = [*found[: most - 1], f"... {len(found) - most + 1} more lines"]
    return found, gone, came


def _lines(old: str, new: str) -> tuple[list[str], list[str]]:
    if "\n" in old.strip() or "\n" in new.strip():
        return old.splitlines(), new.splitlines()
    if old.lstrip()[:1] in ("{", "[") and new.lstrip()[:1] in ("{", "["):
        try:
            return _pretty(old), _pretty(new)
        except (ValueError, RecursionError):
            pass
    if "," in old and "," in new and " " not in old + new:
        # A list of peers, seeds or origins in one value.
        return old.split(","), new.split(",")
    return [old], [new]


def _pretty(text: str) -> list[str]:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are the same at the beginning."""
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + (line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}...")


def _pair(old: str, new: str) -> list[str]:
    """A line that differs; of a long one the part around the first difference."""
    start = max(0, _common(old, new) - _LONGEST_LINE // 2) if max(len(old), len(new)) > _LONGEST_LINE else 0
    left = "..." if start else ""
    return [*_marked("-", [left + old[start:]]), *_marked("+", [left + new[start:]])]
