"""Places for the boxes of a picture: columns from left to right, edges through the gaps between boxes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["GAP", "Box", "Layout", "Line", "laid_out"]

GAP: Final = 84
"""Between two columns; edges bend there."""
_SPACE: Final = 18
"""Between two boxes of a column."""
_LANE: Final = 10
"""Height of the way that an edge takes past the boxes of a column."""
_SWEEPS: Final = 8


@dataclass(slots=True)
class Box:
    """A box and its place, by its left upper corner."""

    width: int
    height: int
    x: int = 0
    y: float = 0.0

    @property
    def middle(self) -> float:
        """Where edges meet it."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as a path.

    Attributes:
        points: From left to right: straight from the first to the second, where the column ends, then by turns through a gap,
            where it bends, and straight along a column.
        backward: Whether it leads from right to left.
        beside: Whether both ends are at the right side of one column: straight, a bend, and straight.
    """

    points: tuple[tuple[float, float], ...]
    backward: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture: its size, and the lines in the order of the edges."""

    width: int
    height: int
    lines: list[Line]


def laid_out(
    boxes: Mapping[str, Box], ranks: Mapping[str, int], edges: Sequence[tuple[str, str]], mutual: Sequence[tuple[str, str]] = ()
) -> Layout:
    """Places boxes, and finds ways for the edges.

    Args:
        boxes: By id; their places are set.
        ranks: Which boxes stand left of which others, by id.
        edges: From which box to which.
        mutual: Those among them that lead back too.
    """
    column_of = _columns(ranks, [*edges, *((other, one) for one, other in mutual)])
    columns: list[list[str]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    places = dict(boxes)
    for name in boxes:
        columns[column_of[name]].append(name)
    widths = [max((boxes[name].width for name in column), default=0) for column in columns]
    chains = [_chain(number, edge, column_of, columns, places, widths) for number, edge in enumerate(edges)]
    links = [(one, other) for chain in chains for one, other in pairwise(chain)]
    _order(columns, links)
    _place(columns, places, links, widths)
    lines = [_line(edge, chain, places, column_of, widths) for edge, chain in zip(edges, chains, strict=True)]
    height = max((box.y + box.height for box in places.values()), default=0.0)
    return Layout(sum(widths) + GAP * max(0, len(widths) - 1), int(height) + 1, lines)


def _columns(ranks: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The column of each box: by its rank, and within a rank after those that point at it; boxes in a circle share one."""
    depth = dict.fromkeys(ranks, 0)
    inner = [(one, other) for one, other in edges if one != other and ranks[one] == ranks[other]]
    reach: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in inner:
        reach[one].add(other)
    acyclic = [(one, other) for one, other in inner if not _reaches(other, one, reach)]
    for _ in range(3):
        for one, other in acyclic:
            depth[other] = min(3, max(depth[other], depth[one] + 1))
    used = sorted({(ranks[name], depth[name]) for name in ranks})
    return {name: used.index((ranks[name], depth[name])) for name in ranks}


def _reaches(start: str, end: str, reach: Mapping[str, set[str]]) -> bool:
    seen, left = {start}, [start]
    while left:
        for name in reach.get(left.pop(), ()):
            if name == end:
                return True
            if name not in seen:
                seen.add(name)
                left.append(name)
    return False


def _chain(
    number: int,
    edge: tuple[str, str],
    column_of: Mapping[str, int],
    columns: list[list[str]],
    places: dict[str, Box],
    widths: Sequence[int],
) -> list[str]:
    """The boxes and lanes that an edge goes through, from left to right."""
    left, right = sorted(edge, key=column_of.__getitem__)
    chain = [left]
    for column in range(column_of[left] + 1, column_of[right]):
        lane = f"lane {number} {column}"
        places[lane] = Box(widths[column], _LANE)
        columns[column].append(lane)
        chain.append(lane)
    return [*chain, right] if right != left else chain


def _neighbours(links: Sequence[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: defaultdict[str, list[str]] = defaultdict(list)
    after: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in links:
        after[one].append(other)
        before[other].append(one)
    return before, after


def _order(columns: list[list[str]], links: Sequence[tuple[str, str]]) -> None:
    """Puts the boxes of each column where their neighbours are, so that few edges cross."""
    before, after = _neighbours(links)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        position = {name: float(index) for column in columns for index, name in enumerate(column)}
        for column in columns if forward else reversed(columns):
            middle = {
                name: sum(position[one] for one in near) / len(near) if (near := neighbours.get(name)) else position[name]
                for name in column
            }
            column.sort(key=middle.__getitem__)
            position.update({name: float(index) for index, name in enumerate(column)})


def _place(
    columns: Sequence[Sequence[str]], places: Mapping[str, Box], links: Sequence[tuple[str, str]], widths: Sequence[int]
) -> None:
    before, after = _neighbours(links)
    left = 0
    for column, width in zip(columns, widths, strict=True):
        top = 0.0
        for name in column:
            box = places[name]
            box.x, box.y = left, top
            top += box.height + _SPACE
        left += width + GAP
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            wanted = {
                name: sum(places[one].middle for one in near) / len(near) - places[name].height / 2
                for name in column
                if (near := [*before.get(name, ()), *after.get(name, ())])
            }
            _settle(column, places, wanted)
    lowest = min((box.y for box in places.values()), default=0.0)
    for box in places.values():
        box.y = round(box.y - lowest, 1)


def _settle(column: Sequence[str], places: Mapping[str, Box], wanted: Mapping[str, float]) -> None:
    """Moves the boxes of a column as near as they may come to where they are wanted, in their order and apart."""
    # Boxes that touch move as one block, to the mean of what its members want.
    blocks: list[tuple[float, float, list[str]]] = []
    for name in column:
        box = places[name]
        size = float(box.height + _SPACE)
        block = (wanted.get(name, box.y), size, [name])
        while blocks and blocks[-1][0] + blocks[-1][1] > block[0]:
            start, length, names = blocks.pop()
            weight, other = len(names), len(block[2])
            joined = (start * weight + (block[0] - length) * other) / (weight + other)
            block = (joined, length + block[1], names + block[2])
        blocks.append(block)
    for start, _, names in blocks:
        top = start
        for name in names:
            places[name].y = top
            top += places[name].height + _SPACE


def _line(
    edge: tuple[str, str], chain: Sequence[str], places: Mapping[str, Box], column_of: Mapping[str, int], widths: Sequence[int]
) -> Line:
    first, last = places[edge[0]], places[edge[1]]
    # Boxes of a column may be wider than the one that an edge leaves: it bends where none is.
    end = places[chain[0]].x + widths[column_of[chain[0]]]
    if column_of[edge[0]] == column_of[edge[1]]:
        # Off the middle, where the edges to the next column start.
        down = 7.0 if first.y < last.y else -7.0
        here, there = first.middle + down, last.middle - down
        return Line(((first.x + first.width, here), (end, here), (end, there), (last.x + last.width, there)), beside=True)
    left, right = places[chain[0]], places[chain[-1]]
    points: list[tuple[float, float]] = [(left.x + left.width, left.middle), (end, left.middle)]
    for name in chain[1:-1]:
        lane = places[name]
        points += [(lane.x, lane.middle), (lane.x + lane.width, lane.middle)]
    points.append((right.x, right.middle))
    return Line(tuple(points), backward=chain[0] != edge[0])
