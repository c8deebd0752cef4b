"""The file of accepted risks: what is read, what is refused, and what of it does something."""

import pytest

from nodestead.changes.accepted import NOTHING_ACCEPTED, AcceptedError, read_acceptances
from nodestead.changes.rule import Finding, Found
from nodestead.changes.rules import RULES

FILE = """
accepted:
  - rule: set-removed
    stack: dev
    subject: codex
    reason: moved to another cluster
  - rule: set-removed
    stack: dev
    reason: dev is thrown away
  - rule: volume-grown
    reason: yes
"""


@pytest.mark.parametrize(
    ("rule", "stack", "subject", "reason"),
    [
        ("set-removed", "dev", "codex", "moved to another cluster"),
        ("set-removed", "dev", "hub", "dev is thrown away"),
        ("set-removed", "prod", "codex", None),
        ("volume-grown", "prod", "anything", "yes"),
        ("volume-shrunk", "dev", "codex", None),
    ],
)
def test_the_acceptance_that_says_most_of_where_gives_the_reason(rule: str, stack: str, subject: str, reason: str | None) -> None:
    assert read_acceptances(FILE, "a.yaml").reason(rule, stack, subject) == reason


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "accepted:\n", "accepted: []\n", "\ufeffaccepted: []\n"])
def test_an_empty_file_accepts_nothing(text: str) -> None:
    assert read_acceptances(text, "a.yaml") == NOTHING_ACCEPTED


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accepted:\n- rule: set-remove\n  reason: x", "accepted[0].rule: 'set-remove' is no rule; did you mean set-removed?"),
        ("accepted:\n- rule: zzz\n  reason: x", "accepted[0].rule: 'zzz' is no rule; docs/risks.md lists all rules"),
        ("accepted:\n- rule: set-removed", "accepted[0].reason: "),
        ("accepted:\n- rule: set-removed\n  reason:", "accepted[0].reason: '' says nothing; a risk is accepted for a reason"),
        ("accepted:\n- rule: set-removed\n  reason: '  '", "accepted[0].reason: '' says nothing"),
        ("accepted:\n- reason: x", "accepted[0].rule: "),
        ("accepted:\n- rule: set-removed\n  reason: x\n  stak: dev", "accepted[0].stak: unknown key; did you mean stack?"),
        ("accepted:\n- rule: set-removed\n  reason: x\n  stack:", "accepted[0].stack: "),
        ("acepted: []", "acepted: unknown key; did you mean accepted?"),
        ("accepted: set-removed", "accepted: "),
        ("accepted: [set-removed]", "accepted[0]: "),
        ("[]", "it is no mapping"),
        ("text", "it is no mapping"),
        ("accepted: [", ":2:1: it is not YAML: "),
        ("accepted: []\naccepted: []", ":2:1: it is not YAML: the key 'accepted' stands there twice"),
        ("accepted:\n- rule: set-removed\n  reason: x\n  reason: y", ":4:3: it is not YAML: the key 'reason' stands there twice"),
        ("a: &a [1]\nb: *a", ":2:4: it is not YAML: a reference (*) has no place here"),
        ("[" * 100_000, "nested deeper than 10 levels"),
        ("accepted: \x00", "it is not YAML"),
        ("? [a]\n: b", "it is not YAML"),
        ("accepted:\n- {rule: set-removed, reason: x}\n- {rule: set-removed, reason: y}",
         "accepted[1]: set-removed is accepted by accepted[0] already; remove one of the two"),
        ("x" * 600_000, "it has 600,000 characters"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(AcceptedError) as caught:
        read_acceptances(text, "a.yaml")
    message = str(caught.value)
    assert message.startswith("a.yaml")
    assert told in message
    assert "\n" not in message
    assert len(message) < 2_000


def test_all_refusals_come_at_once() -> None:
    with pytest.raises(AcceptedError, match=r"accepted\[0\]\.rule.*accepted\[1\]\.reason"):
        read_acceptances("accepted:\n- {rule: a, reason: x}\n- {rule: set-removed, reason: ''}", "a.yaml")
    with pytest.raises(AcceptedError, match="and 15 more"):
        read_acceptances("accepted:\n" + "".join(f"- {{rule: r{n}, reason: x}}\n" for n in range(20)), "a.yaml")


def finding(rule: str, subject: str) -> Finding:
    return Finding(next(one for one in RULES if one.id == rule), Found(subject, "x"))


def test_what_nothing_needs_is_unused() -> None:
    read = read_acceptances(FILE, "a.yaml")
    assert [one.text for one in read.unused({"dev": [finding("set-removed", "hub")]})] == [
        "set-removed (stack dev, subject codex)",
        "volume-grown",
    ]
    assert read.unused({"dev": [finding("set-removed", "codex"), finding("volume-grown", "x")]}) == []


def test_an_acceptance_for_a_stack_that_was_not_compared_is_not_judged() -> None:
    assert [one.text for one in read_acceptances(FILE, "a.yaml").unused({"prod": []})] == ["volume-grown"]
