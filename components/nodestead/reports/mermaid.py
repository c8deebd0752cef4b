"""A topology as a Mermaid flowchart, which GitHub and GitLab draw in a comment or a page."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from nodestead.reports.escape import sound
from nodestead.reports.model import Node, Topology

__all__ = ["mermaid"]

_MOST_BOXES: Final = 150
_MOST_EDGES: Final = 400
"""Mermaid draws no more than 500 edges."""
_LONGEST: Final = 80

_SHAPES: Final = {
    "internet": ('(["', '"])'),
    "network": ('(["', '"])'),
    "nodes": ('["', '"]'),
    "entry": ('["', '"]'),
    "claim": ('[("', '")]'),
    "key": ('{{"', '"}}'),
    "signer": ('{{"', '"}}'),
    "other": ('["', '"]'),
}
_BADGES: Final = {"add": "added", "change": "changed", "replace": "replaced", "remove": "removed"}
# Colours of borders alone: GitHub draws on white and on black.
_CLASSES: Final = {
    "add": "stroke:#1a7f37,stroke-width:3px",
    "change": "stroke:#bf8700,stroke-width:3px",
    "replace": "stroke:#cf222e,stroke-width:4px",
    "remove": "stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4",
}


def mermaid(topology: Topology) -> str:
    """The flowchart of a stack, without a fence."""
    return "".join(f"{line}\n" for line in _lines(topology))


def _lines(topology: Topology) -> Iterator[str]:
    nodes = topology.nodes[:_MOST_BOXES]
    # Ids of a report may be words that Mermaid knows, such as `end`.
    ids = {node.id: f"n{number}" for number, node in enumerate(nodes, start=1)}
    yield "flowchart LR"
    for node in nodes:
        opened, closed = _SHAPES[node.kind]
        yield f"  {ids[node.id]}{opened}{_label(_texts(node))}{closed}"
    left = len(topology.nodes) - len(nodes)
    if left:
        yield f'  left["and {left:,} more boxes"]'
    edges = [one for one in topology.edges if one.source in ids and one.target in ids]
    for edge in edges[:_MOST_EDGES]:
        label = f"|{_quoted(edge.label)}|" if edge.label.strip() else ""
        yield f"  {ids[edge.source]} -->{label} {ids[edge.target]}"
    for change, style in _CLASSES.items():
        changed = [ids[node.id] for node in nodes if node.change == change]
        if changed:
            yield f"  classDef {change} {style}"
            yield f"  class {','.join(changed)} {change}"


def _texts(node: Node) -> Iterator[str]:
    yield node.title
    if node.change is not None:
        yield _BADGES[node.change]
    yield from node.detail


def _label(lines: Iterable[str]) -> str:
    return "<br/>".join(filter(None, map(_escaped, lines)))


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


_PLAIN: Final = re.compile(r"[A-Za-z0-9 ,.()/…±+=-]")


def _escaped(text: str) -> str:
    """A text in which nothing is Mermaid's, Markdown's or HTML's: all but plain characters by number."""
    text = " ".join(sound(text).split())
    # What Mermaid looks for after it has put the characters back: icons, formulas and line breaks.
    for sign, harmless in ((":fa-", ": fa-"), ("$$", "$ $"), ("\\n", "\\ n")):
        text = text.replace(sign, harmless)
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return "".join(
        char if _PLAIN.fullmatch(char) or (char.isalpha() and not char.isascii()) else f"#{ord(char)};" for char in short
    )
