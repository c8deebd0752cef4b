"""A report on a terminal."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodestead.reports.model import (
    Capacity,
    Counts,
    Entry,
    FieldReport,
    Group,
    Report,
    RestartPlan,
    Risk,
    StackReport,
    Value,
)
from nodestead.reports.terminal import plain, terminal

COUNTS = Counts(added=0, changed=9, replaced=0, removed=1, unchanged=40)
BEFORE = Capacity(nodes=10, pods=10, cpu=2.5, memory=10 * 512 * 1024**2, storage=200 * 1024**3, load_balancers=0)
AFTER = BEFORE.model_copy(update={"nodes": 9, "pods": 9, "cpu": 2.25})
BUMP = Entry(
    operation="change",
    kind="StatefulSet",
    objects=9,
    names="codex-1 … codex-9",
    summary="9 nodes: image 0.2.4 -> 0.2.5",
    fields=[
        FieldReport(path="spec.image", label="image", values=[Value(old="a:0.2.4", new="a:0.2.5", count=9)]),
        FieldReport(path="spec.args", label="args", values=[Value(old=None, new="x")]),
        FieldReport(path="spec.checksum", label="checksum", values=[Value(old="1", new="2")], follows=True),
    ],
)
GONE = Entry(operation="remove", kind="Service", objects=1, names="codex-api", summary="Service codex-api removed")
PLAN = RestartPlan(
    set="codex", pods=9, running=10, batches=["codex-1 … codex-5", "codex-6 … codex-9"], all_at_once=False, replaced=False
)


def risk(severity: Any = "danger", **given: Any) -> Risk:
    content = {
        "rule": "volume-shrunk",
        "title": "A volume shrinks",
        "subject": "codex",
        "what": "2Gi -> 1Gi",
        "instead": "Keep it.",
    }
    return Risk(severity=severity, **{**content, **given})


def report(**given: Any) -> Report:
    content: dict[str, Any] = {
        "name": "prod",
        "counts": COUNTS,
        "before": BEFORE,
        "after": AFTER,
        "restarts": [PLAN],
        "groups": [Group(set="codex", component="StorageNodeGroup", entries=[BUMP, GONE])],
    }
    return Report(base="main", head="the working tree", stacks=[StackReport(**{**content, **given})])


WHOLE = """\
1 danger in stack prod: 9 pods restart in 2 batches
main -> the working tree

DANGER  A volume shrinks (volume-shrunk)
  codex: 2Gi -> 1Gi
  Instead: Keep it.

codex: 9 of 10 pods restart in 2 batches
  1. codex-1 … codex-5
  2. codex-6 … codex-9
Objects: 1 removed, 9 changed, 40 unchanged
  nodes           10 -> 9
  pods            10 -> 9
  CPU requested  2.5 -> 2.25

codex (StorageNodeGroup)
  ~ 9 nodes: image 0.2.4 -> 0.2.5
      codex-1 … codex-9
      spec.image: a:0.2.4 -> a:0.2.5
      spec.args: (not there) -> x
  - Service codex-api removed
"""


def test_the_whole_of_a_report() -> None:
    assert terminal(report(risks=[risk()]), width=80, color=False) == WHOLE


def test_colour_adds_nothing_but_colour() -> None:
    painted = terminal(report(risks=[risk()]), width=80, color=True)
    assert "\x1b[1;31mDANGER" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == WHOLE
    assert painted.count("\x1b[0m") * 2 == painted.count("\x1b[")


def test_a_report_without_a_change_is_two_lines() -> None:
    counts = Counts(added=0, changed=0, replaced=0, removed=0, unchanged=42)
    assert terminal(report(counts=counts, restarts=[], groups=[], after=BEFORE)) == (
        "No change in stack prod\nmain -> the working tree\n"
    )


def test_dangers_come_first_then_failures_then_cautions_and_notes_after_the_facts() -> None:
    risks = [risk("caution", title="A caution"), risk("danger", title="A danger"), risk("info", title="A note")]
    text = terminal(report(risks=[*risks, risk(accepted="we know", title="Accepted")], failures=["it is refused"]))
    order = ("A danger", "it is refused", "A caution", "codex: 9 of 10", "A note", "we know")
    places = [text.index(one) for one in order]
    assert places == sorted(places)


def test_lines_fit_the_terminal_but_for_names_that_are_longer() -> None:
    long = "word " * 40 + "n" * 90
    text = terminal(report(risks=[risk(what=long, instead=long, title=long)], notes=[long]), width=60)
    assert all(len(line) <= 60 or "n" * 90 in line for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x07", "a\\x0db\\x07"),
        ("a\nb\tc", "a b c"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b31m", "\\x9b31m"),
        ("é … 好", "é … 好"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown


_TEXT = st.text(max_size=60)


@given(_TEXT, st.lists(_TEXT, max_size=4), st.integers(1, 200))
@settings(deadline=None)
def test_whatever_a_report_says_the_terminal_obeys_none_of_it(text: str, lines: list[str], width: int) -> None:
    field = FieldReport(path=text, label=text, values=[Value(old=text, new=text)], lines=lines)
    entry = Entry(operation="replace", kind=text, objects=2, names=text, summary=text, fields=[field])
    plan = PLAN.model_copy(update={"set": text, "batches": [text, text]})
    made = report(
        name=text,
        risks=[risk(title=text, subject=text, what=text, instead=text, rule=text, nodes=text), risk(accepted=text)],
        restarts=[plan],
        groups=[Group(set=text, component=text, entries=[entry])],
        notes=[text],
        failures=[text],
    )
    shown = terminal(made, width=width)
    assert all(char.isprintable() or char == "\n" for char in shown)
