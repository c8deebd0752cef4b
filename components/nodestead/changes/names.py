"""Names and numbers of many objects in a few words."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from nodestead.changes.snapshot import PROVIDER_TYPE

__all__ = ["claims_text", "counted", "folded_names", "template"]

_LONGEST: Final = 190
"""Characters that folded names have at most."""

_LONGEST_NAME = 70
_NUMBER = re.compile(r"(?<![^.-])(?:0|[1-9][0-9]{0,8})(?![^.-])")
_CHECKSUM = re.compile(r"(?<![^.-])(?=[0-9a-f]*[0-9])[0-9a-f]{8,}(?![^.-])")


def folded_names(names: Sequence[str]) -> str:
    """Names with the ranges of their ordinals: `codex-1 … codex-250, codex-300 and 17 more`.

    Args:
        names: Any number of them, in any order; one that stands there twice counts once.

    Returns:
        A text of less than 200 characters.
    """
    parts = list(_parts(list(dict.fromkeys(names))))
    text = ""
    left = sum(count for _, count in parts)
    for part, count in parts:
        longer = f"{text}, {part}" if text else part
        rest = left - count
        if len(longer) + (len(f" and {rest} more") if rest else 0) > _LONGEST:
            break
        text, left = longer, rest
    return f"{text} and {left} more" if left else text


def claims_text(names: Iterable[str]) -> str:
    """`the claim codex-1-data`, `the 3 claims ...`; one that stands there twice counts once."""
    found = list(dict.fromkeys(names))
    return f"the claim {found[0]}" if len(found) == 1 else f"the {len(found)} claims {folded_names(found)}"


def counted(count: int, kind: str, *, nodes: bool = False) -> str:
    """`9 nodes`, `1 claim`, `3 NetworkPolicies`."""
    noun = "node" if nodes else _NOUNS.get(kind) or kind.rsplit(":", 1)[-1]
    return f"{count:,} {noun if count == 1 else _plural(noun)}"


def template(name: str, node: str = "") -> str:
    """A name without what tells equal objects of different nodes apart: the node's name, ordinals and checksums."""
    stem = name.replace(node, "<node>") if node else name
    return _NUMBER.sub("<n>", _CHECKSUM.sub("<sum>", stem))


def _parts(names: list[str]) -> Iterator[tuple[str, int]]:
    """Names and ranges, each with how many it stands for."""
    by_template: dict[str, list[str]] = {}
    for name in names:
        by_template.setdefault(_NUMBER.sub("\0", name), []).append(name)
    for alike in by_template.values():
        if len(alike) == 1:
            yield _short(alike[0]), 1
        else:
            yield from _ranges(alike)


def _ranges(names: list[str]) -> Iterator[tuple[str, int]]:
    """The ranges of names that differ in numbers only."""
    numbers = {name: [int(match[0]) for match in _NUMBER.finditer(name)] for name in names}
    columns = list(zip(*numbers.values(), strict=True))
    # The last number that is not the same everywhere; what differs before it makes ranges of their own.
    position = max(index for index, column in enumerate(columns) if len(set(column)) > 1)
    ordered = sorted(names, key=lambda name: (numbers[name][:position], numbers[name][position:]))
    run: list[str] = []
    for name in ordered:
        if run and _follows(numbers[run[-1]], numbers[name], position):
            run.append(name)
            continue
        yield from _run(run)
        run = [name]
    yield from _run(run)


def _follows(one: list[int], other: list[int], position: int) -> bool:
    return other == [*one[:position], one[position] + 1, *one[position + 1 :]]


def _run(names: list[str]) -> Iterator[tuple[str, int]]:
    if len(names) > 2:
        yield f"{_short(names[0])} … {_short(names[-1])}", len(names)
    else:
        yield from ((_short(name), 1) for name in names)


def _short(name: str) -> str:
    """A name; of one that is too long the beginning and the end."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[:half]}...{name[-half:]}"


# ---- nouns

_NOUNS = {"PersistentVolumeClaim": "claim", "Secret": "Secret", PROVIDER_TYPE: "provider"}

_PLURALS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("y", lambda noun: f"{noun[:-1]}ies"),
    ("ch", lambda noun: f"{noun}es"),
    ("s", lambda noun: f"{noun}es" if noun.endswith("ss") else noun),
)


def _plural(noun: str) -> str:
    return next((make(noun) for end, make in _PLURALS if noun.endswith(end)), f"{noun}s")
