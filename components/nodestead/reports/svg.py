"""A topology as a picture that needs nothing but itself."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from nodestead.reports.escape import sound
from nodestead.reports.layout import GAP, Box, Line, laid_out
from nodestead.reports.model import Node, Topology

__all__ = ["SVG_STYLE", "svg"]

_MOST_BOXES: Final = 200
_MARGIN: Final = 12
_PADDING: Final = 10
_NARROW, _WIDE = 130, 268
_TITLE, _DETAIL = 7.3, 6.7
"""Widths of a character, in fonts whose characters all have one: a little more than 0.6 of 12 and of 11 pixels."""
_TITLE_LINE, _DETAIL_LINE, _BADGE_LINE = 17, 15, 15

_RANKS: Final = {"internet": 0, "signer": 0, "entry": 1, "nodes": 2, "network": 3, "claim": 3, "key": 3, "other": 3}
_BADGES: Final = {"add": "+ added", "change": "~ changed", "replace": "± replaced", "remove": "- removed"}

SVG_STYLE: Final = """
.nst{color:#1f2328;background:#fff;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.nst text{fill:currentColor;font-size:11px}
.nst .t{font-size:12px;font-weight:600}
.nst .l{font-size:10px;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
.nst rect{fill:#f6f8fa;stroke:#59636e}
.nst .nodes rect{fill:#ddf4ff;stroke:#0969da}
.nst .claim rect,.nst .key rect,.nst .signer rect{fill:#fff8e5;stroke:#8a6100}
.nst .internet rect,.nst .network rect{fill:#fff}
.nst path{fill:none;stroke:#59636e;stroke-width:1.2}
.nst .h{fill:#59636e;stroke:none}
.nst .b{font-weight:600}
.nst .add rect{stroke:#1a7f37;stroke-width:2}.nst .add .b{fill:#116329}
.nst .change rect{stroke:#9a6700;stroke-width:2}.nst .change .b{fill:#7d4e00}
.nst .replace rect,.nst .remove rect{stroke:#cf222e;stroke-width:2}.nst .replace .b,.nst .remove .b{fill:#a40e26}
.nst .remove rect{stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){
.nst{color:#e6edf3;background:#0d1117}
.nst .l{stroke:#0d1117}
.nst rect{fill:#151b23;stroke:#9198a1}
.nst .nodes rect{fill:#0c2d4d;stroke:#4493f8}
.nst .claim rect,.nst .key rect,.nst .signer rect{fill:#2b2111;stroke:#d29922}
.nst .internet rect,.nst .network rect{fill:#0d1117}
.nst path{stroke:#9198a1}
.nst .h{fill:#9198a1}
.nst .add rect{stroke:#3fb950}.nst .add .b{fill:#56d364}
.nst .change rect{stroke:#d29922}.nst .change .b{fill:#e3b341}
.nst .replace rect,.nst .remove rect{stroke:#f85149}.nst .replace .b,.nst .remove .b{fill:#ff7b72}
}"""


def svg(topology: Topology, *, style: bool = True) -> str:
    """The picture of a stack, from left to right: who comes in, the ways in, the nodes, what they keep and whom they know.

    Args:
        topology: What to draw.
        style: Whether the picture brings its style; the page of a report has it once for all pictures.
    """
    nodes = {node.id: node for node in topology.nodes[:_MOST_BOXES]}
    edges = list(_edges(topology, nodes))
    drawn = {name: _Drawn(node) for name, node in nodes.items()}
    boxes = {name: one.box for name, one in drawn.items()}
    ranks = {name: _RANKS[node.kind] for name, node in nodes.items()}
    ends = [(one.source, one.target) for one in edges]
    layout = laid_out(boxes, ranks, ends, [(one.source, one.target) for one in edges if one.mutual])
    # Lines beside the last column need a little more.
    width, height = layout.width + 2 * _MARGIN + GAP // 2, layout.height + 2 * _MARGIN
    left_out = len(topology.nodes) - len(nodes)
    said = f"Topology of {len(nodes)} boxes" + (f"; {left_out} more are left out" if left_out else "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nst" role="img" aria-label="{said}" width="{width}" height="{height}"',
        f' viewBox="{-_MARGIN} {-_MARGIN} {width} {height}">\n',
        f"<style>{SVG_STYLE}\n</style>\n" if style else "",
        *(f"{path}\n" for edge, line in zip(edges, layout.lines, strict=True) for path in _path(edge, line)),
        *(f"{one.text()}\n" for one in drawn.values()),
        *(f"{label}\n" for edge, line in zip(edges, layout.lines, strict=True) for label in _label(edge, line)),
        "</svg>\n",
    ]
    return "".join(parts)


# ---- boxes


@dataclass(frozen=True, slots=True)
class _Drawing:
    """An edge."""

    source: str
    target: str
    label: str
    mutual: bool


class _Drawn:
    """A box with its lines, cut to its width."""

    def __init__(self, node: Node) -> None:
        self._node = node
        title, detail = sound(node.title), [sound(line) for line in node.detail]
        widest = max([_width(title) * _TITLE, *(_width(line) * _DETAIL for line in detail)])
        width = int(min(_WIDE, max(_NARROW, widest + 2 * _PADDING + 2)))
        room = width - 2 * _PADDING
        self._title = _wrapped(title, int(room / _TITLE), 2)
        self._detail = [part for line in detail for part in _wrapped(line, int(room / _DETAIL), 2)]
        self._full = "\n".join([title, *detail])
        height = _PADDING + len(self._title) * _TITLE_LINE + len(self._detail) * _DETAIL_LINE + 6
        self.box = Box(width, height + (_BADGE_LINE if node.change else 0))

    def text(self) -> str:
        """The box as SVG."""
        box, change = self.box, self._node.change
        classes = self._node.kind + (f" {change}" if change else "")
        radius = 18 if self._node.kind in ("internet", "network") else 5
        parts = [f'<g class="{classes}"><title>{_text(self._full)}</title>']
        parts.append(f'<rect x="{box.x}" y="{box.y:g}" width="{box.width}" height="{box.height}" rx="{radius}"/>')
        x, y = box.x + _PADDING, box.y + _PADDING
        for line in self._title:
            parts.append(f'<text class="t" x="{x}" y="{y + 11:g}">{_text(line)}</text>')
            y += _TITLE_LINE
        if change:
            parts.append(f'<text class="b" x="{x}" y="{y + 10:g}">{_BADGES[change]}</text>')
            y += _BADGE_LINE
        for line in self._detail:
            parts.append(f'<text x="{x}" y="{y + 10:g}">{_text(line)}</text>')
            y += _DETAIL_LINE
        return "".join(parts) + "</g>"


def _text(text: str) -> str:
    return escape(text, quote=True)


def _width(text: str) -> int:
    """How many columns a text takes: characters of East Asia take two."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _wrapped(text: str, room: int, most: int) -> list[str]:
    """A text in a few lines of so many columns; what is too long ends with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(lines[-1]) + 1 + _width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [_short(line, room) for line in lines]


def _short(line: str, room: int) -> str:
    if _width(line) <= room:
        return line
    kept = line
    while kept and _width(kept) > room - 2:
        kept = kept[:-1]
    return f"{kept}…"


# ---- edges


def _edges(topology: Topology, nodes: Mapping[str, Node]) -> Iterator[_Drawing]:
    """The edges between boxes that are drawn; two that are opposite are one with two heads."""
    by_ends = {(one.source, one.target): one.label for one in topology.edges if one.source in nodes and one.target in nodes}
    done: set[tuple[str, str]] = set()
    for (source, target), label in by_ends.items():
        if source == target or (target, source) in done:
            continue
        done.add((source, target))
        back = by_ends.get((target, source))
        both = label if back in (None, label) else ", ".join(filter(None, (label, back)))
        yield _Drawing(source, target, both, mutual=back is not None)


def _path(edge: _Drawing, line: Line) -> Iterator[str]:
    """A line with the heads of its arrow."""
    start, *rest = line.points
    x, y = start
    text = f"M{x:g} {y:g}"
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2 == 0:
            text += f"L{to_x:g} {to_y:g}"
        elif line.beside:
            bend = x + GAP / 2.5
            text += f"C{bend:g} {y:g} {bend:g} {to_y:g} {to_x:g} {to_y:g}"
        else:
            half = (to_x - x) / 2
            text += f"C{x + half:g} {y:g} {to_x - half:g} {to_y:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
    yield f'<path d="{text}"/>'
    if not line.backward or edge.mutual:
        yield _head(x, y, 1 if line.beside else -1)
    if line.backward or edge.mutual:
        yield _head(*start, 1)


def _head(x: float, y: float, back: int) -> str:
    return f'<path class="h" d="M{x:g} {y:g}l{8 * back} -4v8z"/>'


def _label(edge: _Drawing, line: Line) -> Iterator[str]:
    """What an edge says, in the gap where it ends."""
    text = _short(sound(edge.label), int((GAP - 14) / 6.1))
    if not text:
        return
    if line.beside:
        (x, y1), (_, y2) = line.points[1:3]
        x, y = x + GAP / 3.3, (y1 + y2) / 2
    else:
        # In the middle of the last bend edges to many boxes are as far apart as they can be.
        (x1, y1), (x2, y2) = line.points[-2:]
        x, y = x1 + (x2 - x1) * 0.6, y1 + (y2 - y1) * 0.7
    full = f"<title>{_text(sound(edge.label))}</title>" if text != edge.label else ""
    yield f'<text class="l" x="{x:g}" y="{y + 3:g}" text-anchor="middle">{full}{_text(text)}</text>'
