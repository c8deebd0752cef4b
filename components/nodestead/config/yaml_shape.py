"""What the shape of a YAML text may be, before anything is made of it."""

from collections.abc import Iterator
from typing import cast

import yaml

__all__ = ["refuse_shape"]

_MOST = 1_000_000
"""Values of a text with every reference filled in."""


def refuse_shape(text: str, deepest: int, *, references: bool = True) -> None:
    """Ends before libyaml, which composes by recursion in C, dies of a hundred thousand brackets.

    Args:
        text: The text.
        deepest: How many mappings and lists may stand in each other.
        references: Whether `*name` may stand for what `&name` marks, which can make much of little.

    Raises:
        yaml.MarkedYAMLError: for any other text, and for what is no YAML.
    """
    depth = total = 0
    sizes: dict[str, int] = {}
    started: list[tuple[str | None, int]] = []
    events = cast("Iterator[object]", yaml.parse(text, yaml.CSafeLoader))  # pyright: ignore[reportUnknownMemberType]
    for event in events:
        if isinstance(event, yaml.AliasEvent) and not references:
            raise yaml.MarkedYAMLError(
                problem="a reference (*) has no place here; write the value", problem_mark=event.start_mark
            )
        if isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in started):
                raise yaml.MarkedYAMLError(problem="a reference to itself", problem_mark=event.start_mark)
            # Each stands for all of what it names, which may hold more of them: nine lines can make a billion items.
            total += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.NodeEvent):
            total += 1
        if total > _MOST:
            raise yaml.MarkedYAMLError(
                problem=f"its references (*) make more than {_MOST:,} values of it",
                problem_mark=cast("yaml.Event", event).start_mark,
            )
        if isinstance(event, yaml.CollectionStartEvent):
            started.append((event.anchor, total))
            depth += 1
            if depth > deepest:
                raise yaml.MarkedYAMLError(problem=f"nested deeper than {deepest} levels", problem_mark=event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = started.pop()
            if anchor is not None:
                sizes[anchor] = total - before + 1
