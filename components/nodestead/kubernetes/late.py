"""Texts over values of which some are known at deploy time only."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, cast

from nodestead.config.base import Deferred
from nodestead.kubernetes.objects import Late, Ref

__all__ = ["settled_after", "settled_text"]


def settled_text(value: Any, render: Callable[[Any], Any]) -> Any:
    """What `render` makes of a nested value, at once where all of it is known, else when its leaves are.

    Args:
        value: Mappings and lists with plain, `Late` and `Deferred` leaves.
        render: A pure function of the value with its leaves filled in.
    """
    leaves = list(_leaves(value))
    if not leaves:
        return render(value)
    refs: list[Ref] = [ref for leaf in leaves for ref in _refs(leaf)]

    # The text, and a fingerprint of it elsewhere, are made of one thing: the last is kept.
    last: list[tuple[tuple[Any, ...], Any]] = []

    def make(*given: Any) -> Any:
        if last and all(one is other for one, other in zip(last[0][0], given, strict=True)):
            return last[0][1]
        rest = iter(given)
        made = [_made(leaf, [next(rest) for _ in _refs(leaf)]) for leaf in leaves]
        last[:] = [(given, render(_filled(value, iter(made))))]
        return last[0][1]

    # The fingerprint asks for the text's stand-in too.
    @cache
    def shown() -> Any:
        return render(_filled(value, iter([_stand_in(leaf) for leaf in leaves])))

    return Late(tuple(refs), make, shown)


def settled_after(text: Any, render: Callable[[Any], Any]) -> Any:
    """What `render` makes of something that may be late itself."""
    if not isinstance(text, Late):
        return render(text)
    make = text.make
    return Late(text.refs, lambda *given: render(make(*given)), cache(lambda: render(text.stand_in)))


def _leaves(value: Any) -> Iterator[Late | Deferred]:
    if isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[Any]", value):
            yield from _leaves(item)
    elif _is_leaf(value):
        yield value


# What most values are; to ask a runtime protocol costs a hundred times as much.
_PLAIN = frozenset({str, int, bool, float, type(None)})


def _is_leaf(value: Any) -> bool:
    return type(value) not in _PLAIN and isinstance(value, Late | Deferred)


def _refs(leaf: Late | Deferred) -> tuple[Ref, ...]:
    return leaf.refs if isinstance(leaf, Late) else (leaf,)


def _made(leaf: Late | Deferred, given: list[Any]) -> Any:
    return leaf.make(*given) if isinstance(leaf, Late) else given[0]


def _stand_in(leaf: Late | Deferred) -> Any:
    return leaf.stand_in if isinstance(leaf, Late) else "(given by another resource)"


def _filled(value: Any, made: Iterator[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, made) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_filled(item, made) for item in cast("Sequence[Any]", value)]
    return next(made) if _is_leaf(value) else value
