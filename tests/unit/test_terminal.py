"""A report on a terminal."""

import re
from typing import Any

import pytest
import report_cases as cases
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import risk

from nodestead.reports.model import (
    Capacity,
    Counts,
    Entry,
    FieldReport,
    Group,
    Report,
    StackReport,
    Stop,
    Value,
)
from nodestead.reports.terminal import plain, terminal

COUNTS = Counts(added=0, changed=9, replaced=0, removed=1, unchanged=40)
BEFORE = Capacity(nodes=10, pods=10, cpu=2.5, memory=10 * 512 * 1024**2, storage=200 * 1024**3, load_balancers=0)
AFTER = BEFORE.model_copy(update={"nodes": 9, "pods": 9, "cpu": 2.25})
BUMP = cases.BUMP.model_copy(
    update={
        "fields": [
            *cases.BUMP.fields,
            FieldReport(path="spec.args", label="args", values=[Value(old=None, new="x")]),
            FieldReport(path="spec.checksum", label="checksum", values=[Value(old="1", new="2")], follows=True),
        ]
    }
)
GONE = Entry(operation="remove", kind="Service", objects=1, names="codex-api", summary="Service codex-api removed")
PLAN = cases.PLAN.model_copy(update={"running": 10})


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


def test_stacks_without_a_change_are_named_in_one_line_at_the_end() -> None:
    counts = Counts(added=0, changed=0, replaced=0, removed=0, unchanged=42)
    quiet = report(counts=counts, restarts=[], groups=[], after=BEFORE).stacks[0]
    changed = report().stacks[0]
    named = [quiet.model_copy(update={"name": "dev"}), changed, quiet.model_copy(update={"name": "staging"})]
    lines = terminal(Report(base="a", head="b", stacks=named)).splitlines()

    assert lines[0].startswith("No danger in stack prod: ")
    assert [line for line in lines if "dev" in line or "staging" in line] == [lines[-1]] == ["No change in dev, staging"]


def test_dangers_come_first_then_failures_then_cautions_and_notes_after_the_facts() -> None:
    risks = [risk("caution", title="A caution"), risk("danger", title="A danger"), risk("info", title="A note")]
    text = terminal(report(risks=[*risks, risk(accepted="we know", title="Accepted")], failures=["it is refused"]))
    order = ("A danger", "it is refused", "A caution", "codex: 9 of 10", "A note", "we know")
    places = [text.index(one) for one in order]
    assert places == sorted(places)


def test_cases_of_one_rule_stand_together_and_the_remedy_is_said_once() -> None:
    text = terminal(report(risks=[risk(), risk(rule="other", title="Another"), risk(subject="hub", nodes="hub-0")]))
    start = text.index("DANGER")
    assert text[start : text.index("DANGER  Another")] == (
        "DANGER  A volume shrinks (volume-shrunk), 2 cases\n"
        "  - codex: 2Gi -> 1Gi\n"
        "  - hub (hub-0): 2Gi -> 1Gi\n"
        "  Instead: Keep it.\n\n"
    )
    assert text.startswith("3 dangers in stack prod")


def test_a_failure_of_several_lines_is_read_line_by_line() -> None:
    told = "it is refused, 2 problems:\n  - a: is wrong\n\n  - b: is required" + "\n  - c" * 50
    lines = terminal(report(failures=[told])).splitlines()
    first = lines.index("  it is refused, 2 problems:")
    assert lines[first + 1 : first + 4] == ["    - a: is wrong", "    - b: is required", "    - c"]
    assert "    - and 13 more lines" in lines


def test_stacks_that_fail_for_one_reason_are_named_together() -> None:
    made = [StackReport(name=name, failures=["it is old"]) for name in ("dev", "prod")]
    text = terminal(Report(base="main", head="x", stacks=[*made, StackReport(name="qa", failures=["it is refused"])]))
    assert text == (
        "3 of 3 stacks not compared\nmain -> x\n\nNOT COMPARED  stacks dev, prod\n  it is old\n\n"
        "NOT COMPARED  stack qa\n  it is refused\n"
    )


@pytest.mark.parametrize(
    ("stacks", "first"),
    [
        ([{"failures": ["f"]}, {}], "1 of 2 stacks not compared: 9 pods restart in 2 batches"),
        ([{"failures": ["f"]}, {"risks": [risk()]}], "1 danger in 2 stacks, 1 of them not compared: 9 pods restart in 2 batches"),
        ([{"failures": ["f", "g"]}], "2 failures in stack prod"),
        ([{"risks": [risk(), risk("caution")]}], "1 danger, 1 caution in stack prod: 9 pods restart in 2 batches"),
    ],
)
def test_the_first_line_says_how_many_stacks_are_missing(stacks: list[dict[str, Any]], first: str) -> None:
    made = [
        StackReport(name="prod", failures=one["failures"]) if "failures" in one else report(**one).stacks[0] for one in stacks
    ]
    assert terminal(Report(base="main", head="x", stacks=made)).splitlines()[0] == first


@pytest.mark.parametrize(
    ("rules", "in_preview", "why"),
    [
        (["volume-shrunk"], False, "volume-shrunk stops it"),
        (["network-changed"], True, "network-changed stops it in its preview"),
        (["a", "b"], False, "a and b stop it"),
        (["a", "b", "c"], True, "a, b and c stop it in its preview"),
        (["a", "b", "c", "d", "e"], False, "a, b, c and 2 more stop it"),
        ([], True, "its preview fails"),
        ([], False, "something stops it"),
    ],
)
def test_a_restart_that_may_never_come_says_what_stops_the_update(rules: list[str], in_preview: bool, why: str) -> None:
    replaced = PLAN.model_copy(update={"replaced": True})
    text = terminal(report(stop=Stop(rules=rules, in_preview=in_preview), restarts=[replaced]), width=300)
    assert text.startswith("No danger in stack prod: 9 pods restart in 2 batches, if the update gets that far\n")
    assert (
        f"codex: 9 of 10 pods restart in 2 batches, if the update gets that far: {why};"
        " workloads are deleted and made anew, so their pods stop first\n"
    ) in text


def test_of_several_stacks_only_those_that_are_stopped_are_doubted() -> None:
    stop = Stop(rules=["volume-shrunk"], in_preview=False)
    stacks = [report(stop=stop).stacks[0], report(name="dev").stacks[0]]
    first = terminal(Report(base="main", head="x", stacks=stacks), width=120).splitlines()[0]
    assert first == "No danger in 2 stacks: 18 pods restart, 9 of them only if the update gets that far"


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, "No danger in stack prod: the update does not get through"),
        ({"risks": [risk("caution")]}, "1 caution in stack prod: the update does not get through"),
        ({"risks": [risk()]}, "1 danger in stack prod\n"),
        ({"groups": [], "counts": COUNTS.model_copy(update={"changed": 0, "removed": 0})}, "No danger in stack prod: the update"),
    ],
    ids=["nothing is found", "nothing that says so", "a danger that says so itself", "no object differs"],
)
def test_an_update_that_is_stopped_is_told_of_where_no_pod_restarts(given: dict[str, Any], first: str) -> None:
    text = terminal(report(**{"stop": Stop(rules=["network-changed"], in_preview=True), "restarts": [], **given}))
    assert text.startswith(first)
    assert "\nThe update does not get through: network-changed stops it in its preview\n" in text


def test_what_is_compared_in_part_is_not_called_uncompared() -> None:
    part = report(failures=["a rule broke"]).stacks[0]
    none = StackReport(name="dev", failures=["a rule broke"])
    lines = terminal(Report(base="main", head="x", stacks=[part, part.model_copy(update={"name": "qa"})])).splitlines()
    assert lines[0] == "2 of 2 stacks compared only in part: 18 pods restart"
    assert "COMPARED ONLY IN PART  stacks prod, qa" in lines
    lines = terminal(Report(base="main", head="x", stacks=[part, none]), width=120).splitlines()
    assert lines[0] == "1 of 2 stacks not compared, 1 only in part: 9 pods restart in 2 batches"
    assert lines.index("NOT COMPARED  stack dev") < lines.index("COMPARED ONLY IN PART  stack prod")
    risky = part.model_copy(update={"risks": [risk()]})
    first = terminal(Report(base="main", head="x", stacks=[risky, none]), width=120).splitlines()[0]
    assert first == "1 danger in 2 stacks, 1 of them not compared, 1 only in part: 9 pods restart in 2 batches"


def test_sets_of_which_pods_restart_and_that_are_left_out_are_counted() -> None:
    assert "\nand pods of 1 more set restart\n" in terminal(report(more_restarts=1))
    assert "and pods of" not in terminal(report())


def test_a_report_longer_than_a_screen_ends_as_it_begins() -> None:
    entries = [BUMP.model_copy(update={"summary": f"entry {number}"}) for number in range(40)]
    lines = terminal(report(risks=[risk()], groups=[Group(set="codex", entries=entries)])).splitlines()
    assert (lines[-2], lines[-1]) == ("", lines[0])
    short = terminal(report(risks=[risk()])).splitlines()
    assert short.count(short[0]) == 1


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
        stop=Stop(rules=[text[:300]], in_preview=True),
    )
    shown = terminal(made, width=width)
    assert all(char.isprintable() or char == "\n" for char in shown)
