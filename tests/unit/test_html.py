"""A report as a page: it says the worst first, loads nothing, and shows the text of strangers as text."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import groups
import pytest
from change_cases import rendered

from nodestead.changes.compare import compare
from nodestead.reports.build import failed_stack, stack_report
from nodestead.reports.html import html
from nodestead.reports.model import Report
from nodestead.reports.topology import topology

VOID = {"meta", "br", "link", "img", "input", "hr"}
TAGS = set(
    "html head meta title style body header main footer section article nav h1 h2 h3 h4 p ul ol li a strong span code pre del ins"
    " table thead tbody tr th td details summary div br svg g rect text path".split()
)


class Page(HTMLParser):
    """The elements of a page, its text, and whether every element is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data


def risk(severity: str, title: str, **given: Any) -> dict[str, Any]:
    return {
        "rule": f"rule-{severity}",
        "severity": severity,
        "title": title,
        "subject": "codex",
        "what": "w",
        "instead": "i",
        **given,
    }


def stack(**given: Any) -> dict[str, Any]:
    return {"name": "prod", "counts": {"added": 0, "changed": 9, "replaced": 0, "removed": 0, "unchanged": 30}, **given}


def report(*stacks: dict[str, Any], **given: Any) -> Report:
    return Report.model_validate({"base": "main", "head": "feature", "stacks": list(stacks), **given})


def page(*stacks: dict[str, Any], **given: Any) -> Page:
    return Page(html(report(*stacks, **given)))


FULL = stack(
    notes=["a note"],
    risks=[
        risk("danger", "A volume would shrink", nodes="codex-1 … codex-9"),
        risk("caution", "Peers lose it"),
        risk("info", "Pods restart"),
        risk("danger", "Known", accepted="we know"),
    ],
    restarts=[
        {
            "set": "codex",
            "pods": 9,
            "running": 9,
            "batches": ["codex-1, codex-2", "codex-3"],
            "all_at_once": False,
            "replaced": False,
        }
    ],
    before={"nodes": 9, "pods": 9, "cpu": 2.25, "memory": 2**33, "storage": 2**40, "load_balancers": 0},
    after={"nodes": 9, "pods": 9, "cpu": 2.25, "memory": 2**34, "storage": 2**40, "load_balancers": 0},
    groups=[
        {
            "set": "codex",
            "component": "StorageNodeGroup",
            "entries": [
                {
                    "operation": "change",
                    "kind": "StatefulSet",
                    "objects": 9,
                    "names": "codex-1 … codex-9",
                    "summary": "9 nodes: image 0.2.4 -> 0.2.5",
                    "fields": [
                        {"path": "spec.image", "label": "image", "values": [{"old": "a:1", "new": "a:2", "count": 9}]},
                        {"path": "data.x", "label": "x", "values": [], "lines": ["@@ -1 +1 @@", "-old", "+new", " same"]},
                        {"path": "spec.gone", "label": "spec.gone", "values": [{"old": "7", "new": None}], "more": 3},
                    ],
                },
                {"operation": "change", "kind": "ConfigMap", "objects": 1, "names": "c", "summary": "checksum", "follows": True},
            ],
            "more": 2,
        }
    ],
    topology={
        "nodes": [
            {"id": "a", "kind": "nodes", "title": "codex-1", "change": "change"},
            {"id": "b", "kind": "claim", "title": "9 claims"},
        ],
        "edges": [{"source": "a", "target": "b", "label": "data"}],
    },
)


SAID = [
    "a note",
    "of all",
    "A volume would shrink",
    "codex-1 … codex-9",
    "9 of 9 pods restart in 2 batches",
    "codex-1, codex-2",
    "8 GiB",
    "16 GiB",
    "9 nodes: image 0.2.4 -> 0.2.5",
    "a:1",
    "a:2",
    "not there",
    "-old",
    "+new",
    "we know",
    "the config is refused",
    "and 3 more pairs of values",
    "and 2 more entries",
    "1 entry that only repeats the others",
]


def test_a_full_report_is_a_whole_page() -> None:
    made = page(FULL, stack(name="dev"), {"name": "bad", "failures": ["the config is refused"]}, notes=["of all"])
    assert {tag for tag, _ in made.tags} <= TAGS
    for text in SAID:
        assert text in made.words, text


def test_the_worst_comes_first() -> None:
    words = page(FULL, {"name": "bad", "failures": ["refused"]}).words
    order = [
        "1 danger, 1 caution, 1 of 2 stacks not compared",
        "Not compared",
        "Dangers (1)",
        "Cautions (1)",
        "Good to know (1)",
        "Accepted risks (1)",
    ]
    found = [words.index(text) for text in [*order, "Stack prod", "Restarts", "Capacity", "Topology", "Changes"]]
    assert found == sorted(found)


def test_what_is_good_to_know_is_folded_where_there_is_worse_and_open_where_there_is_not() -> None:
    def is_open(*risks: dict[str, Any]) -> bool:
        return any(tag == "details" and "open" in given for tag, given in page(stack(risks=list(risks))).tags)

    assert is_open(risk("info", "t"))
    assert not is_open(risk("danger", "t"), risk("info", "t"))


def cases(count: int) -> Page:
    return page(stack(risks=[risk("danger", "A volume shrinks", subject=f"set-{number:02}") for number in range(count)]))


def test_cases_of_one_rule_are_one_entry_and_the_remedy_is_said_once() -> None:
    made = cases(50)
    assert [tag for tag, _ in made.tags].count("article") == 1
    assert "Dangers (50)" in made.words
    assert "A volume shrinks 50 cases" in made.words
    assert made.words.count("Instead: i") == 1
    assert [f"set-{number:02}" for number in range(50) if f"set-{number:02}: w" not in made.words] == []


@pytest.mark.parametrize(("count", "folded"), [(1, ""), (5, ""), (7, ""), (8, "and 3 more cases"), (50, "and 45 more cases")])
def test_of_many_cases_the_first_are_open_and_no_fold_hides_less_than_it_takes(count: int, folded: str) -> None:
    made = cases(count)
    assert ("more cases" in made.words) == bool(folded)
    assert folded in made.words
    assert made.words.count("set-") == count


def test_accepted_cases_keep_each_its_reason() -> None:
    risks = [risk("danger", "Known", subject=name, accepted=f"because of {name}") for name in ("a", "b")]
    words = page(stack(risks=risks)).words
    assert "a: wAccepted: because of a" in words
    assert "b: wAccepted: because of b" in words


def test_two_rules_are_two_entries_the_worst_first() -> None:
    made = page(stack(risks=[risk("danger", "One"), risk("danger", "Two", rule="other"), risk("danger", "One")]))
    assert [tag for tag, _ in made.tags].count("article") == 2
    assert made.words.index("One 2 cases") < made.words.index("Two")


def test_a_restart_that_may_never_come_says_what_stops_the_update() -> None:
    words = page({**FULL, "stop": {"rules": ["volume-shrunk"], "in_preview": False}}).words
    assert "9 of 9 pods restart in 2 batches, if the update gets that far: volume-shrunk stops it" in words
    assert "9 pods restart in 2 batches, if the update gets that far" in words
    words = page({**FULL, "stop": {"rules": ["volume-shrunk"], "in_preview": False}, "restarts": []}).words
    assert "The update does not get through: volume-shrunk stops it" in words


def test_what_is_compared_in_part_has_a_heading_of_its_own() -> None:
    words = page({**FULL, "failures": ["a rule broke"]}, {"name": "bad", "failures": ["refused"]}).words
    assert "1 of 2 stacks not compared, 1 only in part" in words
    places = [words.index(text) for text in ("Not compared", "refused", "Compared only in part", "a rule broke", "Stack prod")]
    assert places == sorted(places)


def test_headings_go_down_one_level_at_a_time_and_there_is_one_first() -> None:
    levels = [int(tag[1]) for tag, _ in page(FULL).tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_ids_are_unique_and_every_link_leads_to_one() -> None:
    tags = page(FULL, stack(name="dev"), {"name": "bad", "failures": ["refused"]}).tags
    ids = [given["id"] for _, given in tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert {f"#{one}" for one in ids} >= {str(given["href"]) for tag, given in tags if tag == "a"}
    assert set(ids) >= {given["aria-labelledby"] for _, given in tags if "aria-labelledby" in given}


# ---- safe to open


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    text = html(report(FULL))
    made = Page(text)
    keys = {key for _, given in made.tags for key in given}
    assert not keys & {"src", "srcset", "action", "style", "background", "poster", "data"}
    assert not any(key.startswith("on") for key in keys)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_the_one_style_of_the_page_and_nothing_else() -> None:
    text = html(report(FULL))
    (sheet,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (policy,) = [given["content"] for tag, given in Page(text).tags if given.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<style>")


EVIL = [
    "</style></title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!--",
    "&lt;b&gt;",
    "`<b>`",
]


def poisoned(value: Any, text: str) -> Any:
    """A report whose every free text is another one."""
    kept = {"format", "operation", "severity", "kind", "change", "id", "source", "target"}
    if isinstance(value, dict):
        return {key: one if key in kept else poisoned(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, text) for one in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("text", EVIL)
def test_every_text_is_nothing_but_text(text: str) -> None:
    content = report(FULL, {"name": "bad", "failures": ["f"]}, notes=["n"]).model_dump()
    made = Page(html(Report.model_validate(poisoned(content, text))))
    clean = page(FULL, {"name": "bad", "failures": ["f"]}, notes=["n"])
    # A pair of backticks may make a <code>, and a diff may lose its colours; nothing else changes.
    loose = ("code", "span", "text", "title")
    assert [tag for tag, _ in made.tags if tag not in loose] == [tag for tag, _ in clean.tags if tag not in loose]
    assert {tag for tag, _ in made.tags} <= TAGS
    assert made.words.count(text.replace("`", "")) > 10


def test_characters_that_turn_text_around_are_not_let_through() -> None:
    text = html(report(stack(name="a\u202eb\u2066c\x1b[31m\x00")))
    assert not set("\u202e\u2066\x1b\x00") & set(text)


def test_commands_between_backticks_are_code() -> None:
    assert "<code>nodestead data</code>" in html(report(stack(risks=[risk("danger", "t", instead="run `nodestead data` first")])))


# ---- real ones


def test_a_real_change_makes_a_page() -> None:
    base, head = (
        rendered({"codex": groups.config(replicas=3, software={**groups.CODEX, "version": version})})
        for version in ("0.2.4", "0.2.5")
    )
    compared = compare(base, head)
    made = stack_report("dev", compared, [], topology=topology(head, compared.changes))
    words = Page(html(Report(base="a", head="b", stacks=[made, failed_stack("bad", ["refused"])]))).words
    assert "codex-1 … codex-3 (3)" in words
    assert "0.2.4" in words
    assert "3 of 3 pods restart in 3 batches" in words


def test_nothing_changed_is_said_in_one_line() -> None:
    nothing = stack(counts={"added": 0, "changed": 0, "replaced": 0, "removed": 0, "unchanged": 3})
    assert "No change" in page(nothing).words
    assert "Dangers" not in page(nothing).words


def test_stacks_without_a_change_come_last() -> None:
    counts = {"added": 0, "changed": 0, "replaced": 0, "removed": 0, "unchanged": 3}
    text = html(report(stack(name="dev", counts=counts), stack(name="prod")))
    assert text.index("Stack prod") < text.index("Stack dev")


def test_a_report_of_no_stack_is_a_page() -> None:
    assert page().words
