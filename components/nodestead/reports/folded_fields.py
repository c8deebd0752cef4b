"""The fields in which equal objects differ, each with its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nodestead.changes.compare import Change, FieldChange, Path, path_text
from nodestead.changes.secrecy import shown
from nodestead.changes.workloads import WORKLOADS
from nodestead.reports.labels import label, short_image, without_flag
from nodestead.reports.text_changes import is_long, text_changes

__all__ = ["FoldedField", "FoldedValue", "Patience", "folded_field", "given_line", "importance", "one_line"]

MOST_VALUES: Final = 12
"""Pairs of values that a field names."""

_LONGEST_SUMMARY_VALUE = 70
_MINOR = 2
_LONG = 1_000


@dataclass(frozen=True, slots=True)
class FoldedValue:
    """A pair of values, as text that may be shown; None where the field is not there."""

    old: str | None
    new: str | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class FoldedField:
    """A field that differs in every object of an entry.

    Attributes:
        path: Where it is.
        label: What people call it.
        values: The pairs of values, the most frequent first.
        more: Pairs that are left out.
        lines: For long texts the difference of the most frequent pair.
        follows: Whether it only repeats what another change says.
        differing: How many lines of the most frequent pair differ, of long texts.
        minor: Whether people look at it last: labels and annotations.
    """

    path: str
    label: str
    values: list[FoldedValue]
    more: int = 0
    lines: list[str] = field(default_factory=list[str])
    follows: bool = False
    differing: int = 0
    minor: bool = False


class Patience:
    """How many characters of long texts are still read: a thousand nodes may each have a script of their own."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def reads(self, one: FieldChange) -> bool:
        """Whether a field is read; every short one is."""
        size = sum(len(value) for value in (one.old, one.new) if isinstance(value, str))
        if size < _LONG:
            return True
        self._left -= size
        return self._left + size > 0


def folded_field(kind: str, path: Path, column: Sequence[tuple[Change, FieldChange]], patience: Patience) -> FoldedField:
    """Folds a field over the objects of an entry.

    Args:
        kind: The kind of the objects.
        path: Where the field is, without names of nodes.
        column: The field in each change.
        patience: How much is still read.
    """
    alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    seen: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for change, one in column:
        node = change.item.node
        unread = _unread_difference(one, node)
        if unread is not None and unread in seen:
            key = seen[unread]
            alike[key].append(alike[key][0])
            continue
        pair, key = _UNREAD, _UNREAD
        if patience.reads(one):
            pair = _texts(change, one)
            key = (_plain(pair[0], node), _plain(pair[1], node))
            if _differs_in_lines(*pair):
                # Of long texts only what differs in them has to be equal.
                lines, gone, came = text_changes(str(key[0]), str(key[1]))
                key = (*lines, gone, came) if lines else key
        if unread is not None:
            seen[unread] = key
        alike.setdefault(key, []).append(pair)
    ordered = sorted(alike.items(), key=lambda one: (one[0] is _UNREAD, -len(one[1])))
    span = _span([pairs[0] for _, pairs in ordered], len(column))
    values = [span] if span else [_value(key, pairs) for key, pairs in ordered[:MOST_VALUES]]
    old, new = ordered[0][1][0]
    lines, gone, came = list[str](), 0, 0
    if old is not None and new is not None and _differs_in_lines(old, new):
        lines, gone, came = text_changes(old, new)
    # A path of one object is given as it is.
    where = column[0][1].path if len({one.path for _, one in column}) == 1 else path
    more = 0 if span else max(0, len(ordered) - MOST_VALUES)
    follows = column[0][1].follows
    differing = max(gone, came)
    return FoldedField(
        path_text(where), label(kind, where), values, more, lines, follows, differing, minor=importance(where) == _MINOR
    )


_Pair = tuple[str | None, str | None]
_UNREAD: Final[tuple[Any, ...]] = ("a long text", "another one, not compared")


def _unread_difference(one: FieldChange, node: str) -> tuple[Any, ...] | None:
    """What tells a pair of long texts from others, secrets and all, so it is never shown; to hide them takes longer."""
    if not isinstance(one.old, str) or not isinstance(one.new, str) or len(one.old) + len(one.new) < _LONG:
        return None
    lines, gone, came = text_changes(str(_plain(one.old, node)), str(_plain(one.new, node)), 1_000)
    return (*lines, gone, came) if lines else None


def _texts(change: Change, one: FieldChange) -> _Pair:
    old, new = shown(change, one)
    if one.path == ("spec", "replicas") and change.item.kind in WORKLOADS and change.old is not None and change.new is not None:
        # What the API server takes where nothing is said.
        old, new = (old or "1", new or "1") if old != new else (old, new)
    return without_flag(one.path, old), without_flag(one.path, new)


def _span(pairs: Sequence[_Pair], count: int) -> FoldedValue | None:
    """The first and the last of many values that differ in one number each, all by as much, as the ports of nodes do."""
    if len(pairs) < 3:
        return None
    old, new = (_series([pair[side] for pair in pairs]) for side in (0, 1))
    if old is None or new is None or (old and new and len({b - a for a, b in zip(old, new, strict=True)}) > 1):
        return None
    numbers = old or new
    first, last = pairs[numbers.index(min(numbers))], pairs[numbers.index(max(numbers))]
    ends = [one if one == other else f"{one} … {other}" for one, other in zip(first, last, strict=True)]
    return FoldedValue(ends[0], ends[1], count)


def _series(values: Sequence[str | None]) -> list[int] | None:
    """The number in which values differ, one for each; none where all are equal, None where they differ otherwise."""
    if len(set(values)) == 1:
        return []
    parts = [_NUMBER.split(value) if value is not None and len(value) <= 200 else [] for value in values]
    if len(set(map(len, parts))) > 1 or not parts[0]:
        return None
    varying = [index for index, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    if len(varying) != 1 or not varying[0] % 2:
        return None
    return [int(one[varying[0]]) for one in parts]


_NUMBER: Final = re.compile(r"([0-9]{1,12})")


def _value(key: tuple[Any, ...], pairs: Sequence[_Pair]) -> FoldedValue:
    old, new = pairs[0]
    if _differs_in_lines(old, new) and old is not None and new is not None:
        _, gone, came = text_changes(old, new, 1)
        return FoldedValue(f"{_lines(old)} ({gone:,} go)", f"{_lines(new)} ({came:,} new)", len(pairs))
    if len(set(pairs)) > 1:
        old, new = key
    return FoldedValue(_beginning(old), _beginning(new), len(pairs))


def _differs_in_lines(old: str | None, new: str | None) -> bool:
    return old is not None and new is not None and old != new and (is_long(old) or is_long(new))


def _plain(text: str | None, node: str) -> str | None:
    return text.replace(node, "<node>") if text and node else text


def _lines(text: str) -> str:
    count = len(text.splitlines()) or 1
    return f"{count:,} line{'s' * (count != 1)}"


def _beginning(text: str | None) -> str | None:
    return f"{text[:160]}... ({len(text):,} characters)" if text is not None and len(text) > 200 else text


def importance(path: Path) -> int:
    """What people look for comes first, labels and annotations last."""
    if "metadata" in path[:-1]:
        return _MINOR
    return int(path[-1] not in ("image", "replicas", "storage", "nodePort", "storageClassName"))


# ---- in words


def given_line(one: FoldedField) -> str:
    """A field of what comes or goes: `size 20Gi`."""
    values = list(dict.fromkeys(_cut(value.new or value.old or "") for value in one.values))
    count = len(values) + one.more
    return f"{one.label} {' or '.join(values)}" if count < 3 else f"{one.label}: {count} different"


def one_line(one: FoldedField) -> str:
    """A field with its values: `image 0.2.4 -> 0.2.5`."""
    if one.lines:
        gone = [line[1:].strip() for line in one.lines if line.startswith("-")]
        came = [line[1:].strip() for line in one.lines if line.startswith("+")]
        is_short = all(len(line) <= _LONGEST_SUMMARY_VALUE for line in gone + came)
        if one.differing == 1 and is_short and len(gone) <= 1 and len(came) <= 1:
            return f"{one.label}: {_line_pair(gone[0] if gone else None, came[0] if came else None)}"
    if one.differing:
        others = len(one.values) + one.more - 1
        rest = f" in one, {others:,} different changes in others" if others else ""
        return f"{one.label}: {one.differing:,} line{'s differ' if one.differing > 1 else ' differs'}{rest}"
    if one.more or len(one.values) > 2:
        return f"{one.label}: {len(one.values) + one.more} different changes"
    texts = [f"{_pair(value.old, value.new, one.label)}" for value in one.values]
    if len(texts) > 1:
        texts = [f"{text} ({value.count})" for text, value in zip(texts, one.values, strict=True)]
    return f"{one.label} {', '.join(texts)}"


_SETTING: Final = re.compile(r"""(["']?)([\w.-]+)\1\s*[:=]\s*(.*?),?""")


def _line_pair(old: str | None, new: str | None) -> str:
    """Two lines; of one setting with two values the values."""
    before, after = _SETTING.fullmatch(old or ""), _SETTING.fullmatch(new or "")
    if before and after and before[2] == after[2]:
        return f"{before[2]} {_pair(before[3], after[3], '')}"
    if old is not None and new is not None:
        return _pair(old, new, "")
    return f"+ {_cut(new)}" if new is not None else f"- {_cut(old or '')}"


def _pair(old: str | None, new: str | None, name: str) -> str:
    if old is not None and new is not None:
        if old == new:
            return "changed, hidden" if "[hidden]" in old else "changed"
        if name == "image":
            old, new = short_image(old, new)
        return f"{_cut(old)} -> {_cut(new)}"
    return f"set to {_cut(new)}" if new is not None else f"removed, was {_cut(old or '')}"


def _cut(text: str) -> str:
    if not text:
        return '""'
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_SUMMARY_VALUE else f"{flat[:_LONGEST_SUMMARY_VALUE]}..."
