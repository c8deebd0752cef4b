"""The TOML of a chain node's config: what is laid over what, and that the writer's text reads back as the same."""

import string
import tomllib
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from chain_agents import AGENTS
from chain_toml import dumps, merged
from hypothesis import given
from hypothesis import strategies as st

assert AGENTS  # it makes chain_toml importable

zones = st.builds(timezone, st.integers(-1439, 1439).map(lambda minutes: timedelta(minutes=minutes)))
leaves = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.none() | zones),
    st.dates(),
    st.times(),
)
keys = st.text(string.ascii_letters + "-_.", max_size=5) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12)


@given(st.dictionaries(keys, values, max_size=5))
def test_what_is_written_reads_back_as_the_same(table: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(table)) == table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([["chain_id", "hub-1"], ["zone", "eu"]], '[["chain_id", "hub-1"], ["zone", "eu"]]'),
        ([], "[]"),
        ([{"name": "a", "x.y": 1}], '[{name = "a", "x.y" = 1}]'),
        (18446744073709551615, "18446744073709551615"),
        (1e16, "1e+16"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (True, "true"),
        ('say "hi"\\\n\u007f\u00e9\u2028\U0001f680', '"say \\"hi\\"\\\\\\n\\u007f\u00e9\\u2028\U0001f680"'),
        (date(2026, 1, 31), "2026-01-31"),
        (time(7, 32, 0, 999), "07:32:00.000999"),
        (datetime(2026, 1, 31, 7, 32, tzinfo=timezone(timedelta(hours=-7))), "2026-01-31T07:32:00-07:00"),
    ],
)
def test_each_kind_of_value_has_its_form(value: object, text: str) -> None:
    assert dumps({"key": value}) == f"key = {text}\n"


def test_values_of_a_table_stand_before_its_tables() -> None:
    table = {"api": {"cors": {"on": True}, "enable": True}, "moniker": "hub-0", "empty": {}}
    assert dumps(table) == 'moniker = "hub-0"\n\n[api]\nenable = true\n\n[api.cors]\non = true\n\n[empty]\n'


def test_a_value_without_a_form_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no form in TOML"):
        dumps({"key": [b"x"]})


@pytest.mark.parametrize(
    ("defaults", "given_values", "whole", "added"),
    [
        ({"max-peers": 1}, {"max_peers": 2}, {"max-peers": 2}, []),
        ({"max_peers": 1}, {"max-peers": 2}, {"max_peers": 2}, []),
        ({"keep-invalid-txs-in-cache": False}, {"keep_invalid_txs_in_cache": True}, {"keep-invalid-txs-in-cache": True}, []),
        ({"a_b": 1, "a-b": 1}, {"a_b": 2}, {"a_b": 2, "a-b": 2}, []),
        ({"p2p": {"a": 1, "b": 2}}, {"p2p": {"b": 3}}, {"p2p": {"a": 1, "b": 3}}, []),
        ({"labels": [["a", "b"]]}, {"labels": [["c", "d"]]}, {"labels": [["c", "d"]]}, []),
        ({"a": 1}, {"a": None, "b": None}, {"a": 1}, []),
        ({"p2p": {"max-in": 1}}, {"p2p": {"seed_mode": True}}, {"p2p": {"max-in": 1, "seed-mode": True}}, ["p2p.seed-mode"]),
        ({"max_peers": 1}, {"seed-mode": True}, {"max_peers": 1, "seed_mode": True}, ["seed_mode"]),
        ({"a_b": 1, "a-c": 1}, {"d_e": 1}, {"a_b": 1, "a-c": 1, "d_e": 1}, ["d_e"]),
        ({"min-gas": 1}, {"wasm": {"gas_limit": 3}}, {"min-gas": 1, "wasm": {"gas_limit": 3}}, ["wasm.gas_limit"]),
    ],
)
def test_given_values_are_laid_over_defaults(
    defaults: dict[str, Any], given_values: dict[str, Any], whole: dict[str, Any], added: list[str]
) -> None:
    before = repr(defaults)
    assert merged(defaults, given_values) == (whole, added)
    assert repr(defaults) == before


@pytest.mark.parametrize(
    ("defaults", "given_values", "said"),
    [
        ({"p2p": {"laddr": ""}}, {"p2p": "x"}, "p2p is a table for this version, and a value was given"),
        ({"p2p": {"laddr": ""}}, {"p2p": {"laddr": {}}}, "p2p.laddr is a value for this version, and a table was given"),
    ],
)
def test_a_table_never_replaces_a_value_nor_a_value_a_table(
    defaults: dict[str, Any], given_values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        merged(defaults, given_values)
