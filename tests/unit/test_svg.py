"""A topology as a picture: nothing overlaps, nothing is cut without a word, nothing comes from elsewhere."""

import random
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from nodestead.reports.layout import Box, laid_out
from nodestead.reports.model import Edge, Node, Topology
from nodestead.reports.svg import svg

KINDS = ["internet", "entry", "nodes", "nodes", "claim", "key", "network", "signer"]
NS = "{http://www.w3.org/2000/svg}"


def some(count: int, start: int = 0) -> Topology:
    """A topology of so many boxes, each with an edge or two."""
    drawn = random.Random(start)
    nodes = [
        Node.model_validate(
            {
                "id": f"a{number}",
                "kind": drawn.choice(KINDS),
                "title": "t" * drawn.randint(1, 90),
                "detail": ["d " * 30] * (number % 4),
            }
        )
        for number in range(count)
    ]
    edges = [
        Edge(
            source=f"a{drawn.randrange(count)}",
            target=f"a{drawn.randrange(count)}",
            label=drawn.choice(["", "p2p", "a long label"]),
        )
        for _ in range(count + count // 2)
    ]
    return Topology(nodes=nodes, edges=edges)


def rectangles(text: str) -> list[tuple[float, float, float, float]]:
    found = [one.attrib for one in ET.fromstring(text).iter(f"{NS}rect")]
    return [tuple(float(one[key]) for key in ("x", "y", "width", "height")) for one in found]  # type: ignore[misc]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 60])
@pytest.mark.parametrize("start", [1, 2, 3])
def test_boxes_do_not_overlap_and_lie_in_the_picture(count: int, start: int) -> None:
    text = svg(some(count, start)) if count else svg(Topology(nodes=[], edges=[]))
    boxes = rectangles(text)
    assert len(boxes) == count
    root = ET.fromstring(text)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for index, (x, y, w, h) in enumerate(boxes):
        assert left <= x
        assert top <= y
        assert x + w <= left + width
        assert y + h <= top + height
        for x2, y2, w2, h2 in boxes[index + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_text_fits_its_box_and_what_is_cut_stands_in_its_title() -> None:
    long = "codex-with-a-very-long-name-1 … codex-with-a-very-long-name-100 " * 3
    text = svg(Topology(nodes=[Node(id="a", kind="nodes", title=long, detail=["x" * 250, "日本語" * 40])], edges=[]))
    (box,) = ET.fromstring(text).iter(f"{NS}g")
    width = float(box.find(f"{NS}rect").attrib["width"])  # type: ignore[union-attr]
    for line in box.iter(f"{NS}text"):
        columns = sum(2 if ord(char) > 0x2E80 else 1 for char in line.text or "")
        assert 10 + columns * 6.7 <= width
    assert long.strip() in " ".join(box.find(f"{NS}title").text.split())  # type: ignore[union-attr]


def on_the_way(points: tuple[tuple[float, float], ...], *, beside: bool) -> list[tuple[float, float]]:
    """Points of a line: straight and bent by turns."""
    found: list[tuple[float, float]] = []
    for index, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
        for t in (part / 20 for part in range(21)):
            if index % 2 == 0:
                assert y1 == y2
                found.append((x1 + (x2 - x1) * t, y1))
            else:
                bend = x1 + 30 if beside else (x1 + x2) / 2
                x = (1 - t) ** 3 * x1 + 3 * (1 - t) ** 2 * t * bend + 3 * (1 - t) * t**2 * bend + t**3 * x2
                found.append((x, y1 + (y2 - y1) * (3 * t**2 - 2 * t**3)))
    return found


@pytest.mark.parametrize("start", range(8))
def test_no_edge_runs_through_a_box(start: int) -> None:
    drawn = random.Random(start)
    names = [f"b{number}" for number in range(40)]
    boxes = {name: Box(drawn.randint(100, 200), drawn.randint(30, 90)) for name in names}
    ranks = {name: drawn.randrange(4) for name in names}
    edges = [(one, other) for one, other in (drawn.sample(names, 2) for _ in range(60))]
    layout = laid_out(boxes, ranks, edges)
    for line in layout.lines:
        for x, y in on_the_way(line.points, beside=line.beside):
            assert not any(
                box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1 for box in boxes.values()
            )


@pytest.mark.parametrize(
    "text", ["</text><script>alert(1)</script>", '" onload="alert(1)', "<!--", "]]>", "&amp;", "\x00\x1b[31m", "\u202ea"]
)
def test_a_text_is_nothing_but_text(text: str) -> None:
    node = Node(id="a", kind="nodes", title=text, detail=[text])
    other = Node(id="b", kind="claim", title="t")
    made = svg(Topology(nodes=[node, other], edges=[Edge(source="a", target="b", label=text)]))
    root = ET.fromstring(made)
    assert {one.tag.removeprefix(NS) for one in root.iter()} <= {"svg", "style", "g", "title", "rect", "text", "path"}
    assert not any(key.startswith("on") for one in root.iter() for key in one.attrib)
    assert "\u202e" not in made


def test_a_picture_loads_nothing_and_refers_to_nothing() -> None:
    made = svg(some(20))
    assert re.findall(r"https?://[^\"]*", made) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|href|<image|<use|<script", made)


@pytest.mark.parametrize(
    ("change", "word"), [("add", "+ added"), ("change", "~ changed"), ("replace", "± replaced"), ("remove", "- removed")]
)
def test_a_change_is_said_in_words_too(change: str, word: str) -> None:
    node = Node.model_validate({"id": "a", "kind": "nodes", "title": "t", "change": change})
    assert f">{word}<" in svg(Topology(nodes=[node], edges=[]))


def test_two_that_dial_each_other_are_one_line_with_two_heads() -> None:
    nodes = [Node(id=name, kind="nodes", title=name) for name in "ab"]
    one = svg(Topology(nodes=nodes, edges=[Edge(source="a", target="b", label="p2p")]))
    both = svg(
        Topology(nodes=nodes, edges=[Edge(source="a", target="b", label="p2p"), Edge(source="b", target="a", label="p2p")])
    )
    assert (one.count('class="h"'), both.count('class="h"')) == (1, 2)
    assert both.count(">p2p<") == 1


def test_what_is_left_out_of_a_huge_topology_is_counted() -> None:
    made = svg(Topology(nodes=[Node(id=f"a{number}", kind="nodes", title="t") for number in range(1000)], edges=[]))
    assert "800 more are left out" in made


def test_a_picture_is_the_same_every_time() -> None:
    assert svg(some(40)) == svg(some(40))


def test_a_picture_has_colours_for_light_and_dark_or_none_of_its_own() -> None:
    assert "prefers-color-scheme:dark" in svg(some(2))
    assert "<style>" not in svg(some(2), style=False)
