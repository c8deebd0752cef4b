"""`nodestead graph`: what it prints, where it writes, and how it refuses."""

import random
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nodestead.preview.cli import main
from nodestead.reports.mermaid import mermaid
from nodestead.reports.model import Topology
from nodestead.reports.svg import svg

PROJECT = Path(__file__).parent.parent.parent


def graph(*args: str) -> int:
    return main(["graph", "--dir", str(PROJECT), *args])


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_stack_of_the_repository_has_a_graph(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("--stack", stack) == 0
    made = capsys.readouterr()
    assert made.out.startswith("flowchart LR\n")
    assert len(made.out) < 6_000
    assert made.err == ""


def test_the_stack_is_dev_where_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph() == 0
    assert "codex-bootstrap-1" in capsys.readouterr().out


def test_a_picture_is_made_where_one_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("--format", "svg") == 0
    assert ET.fromstring(capsys.readouterr().out).tag.endswith("svg")


@pytest.mark.parametrize(
    ("name", "args", "start"),
    [
        ("a.svg", [], "<svg"),
        ("a.mmd", [], "flowchart"),
        ("a.md", [], "```mermaid\nflowchart"),
        ("new/a.svg", [], "<svg"),
        ("a.svg", ["--format", "mermaid"], "flowchart"),
    ],
)
def test_a_file_is_written_in_the_format_that_its_name_or_the_option_says(
    name: str, args: list[str], start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert graph("--out", str(tmp_path / name), *args) == 0
    assert (tmp_path / name).read_text().startswith(start)
    assert capsys.readouterr().out == ""


EVIL = (
    '"]', '"', "`md`", "%%{init: {'securityLevel': 'loose'}}%%", 'click n1 href "javascript:x"', "<script>", "</div>", "```",
    "end", "subgraph", "\n", "\r", "\u2028", "\x00", "#quot;", "&quot;", "-->", "|", "$$x$$", ":fa-x", "fa:fa-x", "\\n", "{{",
    "}}", ";", "@{ shape: x }", ":::c", "<!--", "\u202e", "**b**", "http://x.y", "[a](b)", "\x1b[31m",
)  # fmt: skip
LINE = re.compile(
    r"flowchart LR|  n\d+(\(\[Q\]\)|\[Q\]|\[\(Q\)\]|\{\{Q\}\})|  n\d+ -->(\|Q\|)? n\d+"
    r"|  classDef [a-z]+ [a-z0-9#:, -]+|  class [n0-9,]+ [a-z]+"
)


@pytest.mark.parametrize("seed", range(20))
def test_no_label_says_anything_to_mermaid_to_html_or_to_markdown(seed: int) -> None:
    chosen = random.Random(seed)

    def text() -> str:
        return "".join(chosen.choice((*EVIL, "abc", " ")) for _ in range(chosen.randint(0, 8)))

    kinds = ("internet", "network", "nodes", "entry", "claim", "key", "signer", "other")
    nodes = [{"id": f"a{number}", "kind": kind, "title": text(), "detail": [text()]} for number, kind in enumerate(kinds)]
    edges = [{"source": "a0", "target": "a1", "label": text()}]
    drawn = Topology.model_validate({"nodes": nodes, "edges": edges})

    for line in mermaid(drawn).splitlines():
        assert LINE.fullmatch(re.sub('"[^"]*"', "Q", line))
        for label in re.findall('"([^"]*)"', re.sub(r"#\d+;", "", line)):
            assert not re.search(r"[`<>%{}|\\$&;@*_~:\[\]]", label.replace("<br/>", ""))
    assert ET.fromstring(svg(drawn)).tag.endswith("svg")


def test_an_unknown_stack_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph("--stack", "nope") == 2
    made = capsys.readouterr()
    assert made.out == ""
    assert "no such stack" in made.err
    assert made.err.count("\n") == 1


def test_a_refused_config_is_told_and_nothing_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  nodestead:storageNodeGroups: {codex: {replicas: -1}}\n")
    assert main(["graph", "--dir", str(tmp_path), "--out", str(tmp_path / "a.svg")]) == 2
    assert "replicas" in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert graph("--out", str(tmp_path / "file" / "a.svg")) == 2
    assert "file" in capsys.readouterr().err


def test_a_file_of_no_known_format_is_refused_and_written_where_the_format_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert graph("--out", str(tmp_path / "a.pdf")) == 2
    assert "a.pdf: its name has to end in .mmd, .md, .svg, or give --format" in capsys.readouterr().err
    assert not (tmp_path / "a.pdf").exists()
    assert graph("--out", str(tmp_path / "a.txt"), "--format", "mermaid") == 0
    assert (tmp_path / "a.txt").read_text().startswith("flowchart")


def test_an_unknown_format_is_a_wrong_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        graph("--format", "png")
    assert caught.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
