"""A topology as a Mermaid flowchart: only what is meant is Mermaid's own."""

import re

import pytest

from nodestead.reports.mermaid import mermaid
from nodestead.reports.model import Edge, Node, Topology

TWO = Topology(
    nodes=[
        Node(id="nodes1", kind="nodes", title="codex-1 … codex-9 (9)", detail=["codex 0.2.5"], change="change"),
        Node(id="claim1", kind="claim", title="9 claims", change="remove"),
    ],
    edges=[Edge(source="nodes1", target="claim1", label="data")],
)


def test_a_flowchart_has_boxes_edges_and_classes() -> None:
    assert mermaid(TWO) == (
        "flowchart LR\n"
        '  n1["codex-1 … codex-9 (9)<br/>changed<br/>codex 0.2.5"]\n'
        '  n2[("9 claims<br/>removed")]\n'
        '  n1 -->|"data"| n2\n'
        "  classDef change stroke:#bf8700,stroke-width:3px\n"
        "  class n1 change\n"
        "  classDef remove stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4\n"
        "  class n2 remove\n"
    )


def test_a_flowchart_of_what_does_not_change_has_no_class() -> None:
    assert "class" not in mermaid(Topology(nodes=[Node(id="a", kind="key", title="k")], edges=[]))


def test_an_empty_topology_is_a_flowchart() -> None:
    assert mermaid(Topology(nodes=[], edges=[])) == "flowchart LR\n"


HOSTILE = [
    '"]; click n1 "javascript:alert(1)"',
    "<script>alert(1)</script>",
    "a\nclick n1 href",
    "%%{init: {}}%%",
    "#quot;#35;",
    "`code` **bold** [link](http://x)",
    "x|y --> n1",
    "end; graph TD",
    "\u202eevil",
    "{{x}} ((y))",
    ":::class",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["title", "detail", "label"])
def test_a_text_is_nothing_but_text(text: str, where: str) -> None:
    given = {"title": "t", "detail": [text]} if where == "detail" else {"title": text if where == "title" else "t"}
    node = Node.model_validate({"id": "a", "kind": "nodes", **given})
    edge = Edge(source="a", target="a", label=text if where == "label" else "")
    lines = mermaid(Topology(nodes=[node], edges=[edge])).splitlines()
    assert len(lines) == 3
    inner = [re.sub(r"<br/>|#[0-9]+;", "", part) for part in re.findall(r'"([^"]*)"', "\n".join(lines))]
    assert all(re.fullmatch(r"[A-Za-z0-9 ,.()/…±+=�-]*", part) for part in inner)
    assert re.fullmatch(r'  n1\["[^"]*"\]', lines[1])
    assert re.fullmatch(r'  n1 -->(\|"[^"]*"\|)? n1', lines[2])


@pytest.mark.parametrize("name", ["end", "click", "style", "default", "n2", "o", "x"])
def test_an_id_that_is_a_word_of_mermaid_does_not_come_through(name: str) -> None:
    text = mermaid(Topology(nodes=[Node(id=name, kind="other", title="t")], edges=[Edge(source=name, target=name)]))
    assert text == 'flowchart LR\n  n1["t"]\n  n1 --> n1\n'


@pytest.mark.parametrize(
    ("text", "shown"), [("fa:fa-car", "fa#58; fa-car"), ("$$x$$", "#36; #36;x#36; #36;"), ("a\\nb", "a#92; nb")]
)
def test_what_mermaid_looks_for_in_the_end_is_pulled_apart(text: str, shown: str) -> None:
    assert f'["{shown}"]' in mermaid(Topology(nodes=[Node(id="a", kind="nodes", title=text)], edges=[]))


def test_an_edge_to_nowhere_is_left_out() -> None:
    assert "-->" not in mermaid(Topology(nodes=[Node(id="a", kind="nodes", title="t")], edges=[Edge(source="a", target="b")]))


def test_a_flowchart_stays_within_what_mermaid_draws() -> None:
    nodes = [Node(id=f"a{number}", kind="nodes", title="t" * 200) for number in range(1000)]
    edges = [Edge(source=f"a{number % 100}", target=f"a{number % 99}") for number in range(4000)]
    text = mermaid(Topology(nodes=nodes, edges=edges))
    assert text.count("-->") == 400
    assert "and 850 more boxes" in text
    assert len(text) < 50_000
