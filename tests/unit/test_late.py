"""A text over values of which some are known at deploy time is made when they are, and shown with stand-ins before."""

import json
from typing import Any

import pytest

from nodestead.config.base import Deferred
from nodestead.kubernetes.late import settled_after, settled_text
from nodestead.kubernetes.objects import Address, Late, Seed

SEED, ADDRESS = Seed("hub"), Address("hub-0-loadbalancer")
ID = Late.of(SEED, lambda seed: f"id of {seed}", "(an id)")


def together(seed: str, served: str) -> str:
    return f"{seed} at {served}"


PAIR = Late((SEED, ADDRESS), together, "(a pair)")


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("nothing may wait for a value of another resource")


LATER = Later()


@pytest.mark.parametrize("value", [{}, [], "a", None, 3, {"a": [1, {"b": (2, "c")}]}])
def test_what_is_known_is_rendered_at_once(value: Any) -> None:
    assert settled_text(value, json.dumps) == json.dumps(value)


@pytest.mark.parametrize(
    ("value", "refs", "given", "made", "shown"),
    [
        (ID, (SEED,), ["s"], '"id of s"', '"(an id)"'),
        ({"a": [1, ID]}, (SEED,), ["s"], '{"a": [1, "id of s"]}', '{"a": [1, "(an id)"]}'),
        ({"a": {"b": PAIR}}, (SEED, ADDRESS), ["s", "x"], '{"a": {"b": "s at x"}}', '{"a": {"b": "(a pair)"}}'),
        ([LATER], (LATER,), ["x"], '["x"]', '["(given by another resource)"]'),
        (
            [PAIR, {"x": LATER}, (ID, "c"), PAIR],
            (SEED, ADDRESS, LATER, SEED, SEED, ADDRESS),
            ["s", "x", "l", "t", "u", "y"],
            '["s at x", {"x": "l"}, ["id of t", "c"], "u at y"]',
            '["(a pair)", {"x": "(given by another resource)"}, ["(an id)", "c"], "(a pair)"]',
        ),
    ],
)
def test_each_leaf_gets_the_values_that_it_needs_and_no_others(
    value: Any, refs: tuple[Any, ...], given: list[str], made: str, shown: str
) -> None:
    late = settled_text(value, json.dumps)
    assert isinstance(late, Late)
    assert late.refs == refs
    assert late.make(*given) == made
    assert late.stand_in == shown


def test_it_can_be_made_twice_and_leaves_its_value_alone() -> None:
    value = {"a": [ID, {"b": PAIR}]}
    late = settled_text(value, json.dumps)
    first, second = (late.make("s", "s", "x") for _ in range(2))
    assert first == second == '{"a": ["id of s", {"b": "s at x"}]}'
    assert value == {"a": [ID, {"b": PAIR}]}


def test_a_leaf_may_be_more_than_a_text() -> None:
    late = settled_text({"a": Late.of(SEED, lambda seed: [seed, {"n": 1}], ["(shown)"])}, json.dumps)
    assert late.make("s") == '{"a": ["s", {"n": 1}]}'
    assert late.stand_in == '{"a": ["(shown)"]}'


def test_late_texts_nest() -> None:
    inner = settled_text([ID], json.dumps)
    outer = settled_text({"data": inner, "plain": 1}, json.dumps)
    assert json.loads(json.loads(outer.make("s"))["data"]) == ["id of s"]
    assert json.loads(json.loads(outer.stand_in)["data"]) == ["(an id)"]


def test_keys_of_mappings_are_plain() -> None:
    late = settled_text({1: ID, "b": 2}, lambda value: sorted(map(str, value)))
    assert late.make("s") == ["1", "b"]


def test_a_value_of_another_resource_is_told_by_what_it_can_do() -> None:
    assert isinstance(LATER, Deferred)


def test_a_text_and_its_fingerprint_are_made_of_one_rendering() -> None:
    rendered: list[Any] = []
    seed = Late.of(Seed("hub"), str.upper, "(seed)")
    text = settled_text({"a": seed}, lambda value: rendered.append(value) or value["a"])
    whole = settled_after(text, len)
    given = "abc"
    assert (text.make(given), whole.make(given), text.make("d")) == ("ABC", 3, "D")
    assert rendered == [{"a": "ABC"}, {"a": "D"}]


def test_a_stand_in_is_made_for_a_rendering_alone_and_once() -> None:
    rendered: list[Any] = []
    text = settled_text([ID], lambda value: rendered.append(value) or value[0])
    whole = settled_after(text, len)
    before = list(rendered)

    assert (text.stand_in, whole.stand_in, whole.stand_in) == ("(an id)", 7, 7)
    assert (before, rendered) == ([], [["(an id)"]])
