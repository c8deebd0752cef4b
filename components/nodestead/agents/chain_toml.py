"""TOML of a chain node's config: given values laid over the file that the chain's binary wrote, and a small exact writer."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, cast

__all__ = ["dumps", "merged"]

_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any], at: str = "") -> tuple[dict[str, Any], list[str]]:
    """Lays given values over defaults: tables deep, lists and all else replaced; None leaves the default.

    A given key finds the default's whatever their style, `max_peers` or `max-peers`: forks of Tendermint differ in it
    (https://github.com/strangelove-ventures/cosmos-operator/pull/393).

    Returns:
        The whole, and the paths of the given values for which the defaults have no key. Those take the style of their table
        where it has only the other one.

    Raises:
        ValueError: a table was given for a value, or a value for a table.
    """
    whole = dict(defaults)
    added: list[str] = []
    for key, value in given.items():
        if value is None:
            continue
        known = [name for name in defaults if _plain(name) == _plain(key)] or [_styled(key, defaults)]
        for name in known:
            path, there = f"{at}{name}", whole.get(name)
            if name in whole and isinstance(there, dict) != isinstance(value, dict):
                what, instead = ("table", "value") if isinstance(there, dict) else ("value", "table")
                raise ValueError(f"{path} is a {what} for this version, and a {instead} was given")
            if isinstance(value, dict):
                below = cast("dict[str, Any]", there if isinstance(there, dict) else {})
                whole[name], more = merged(below, cast("dict[str, Any]", value), f"{path}.")
                added += more
            else:
                whole[name] = value
                if name not in defaults:
                    added.append(path)
    return whole, added


def _plain(key: str) -> str:
    return key.replace("-", "_").lower()


def _styled(key: str, table: Mapping[str, Any]) -> str:
    kebab, snake = any("-" in name for name in table), any("_" in name for name in table)
    if kebab and not snake:
        return key.replace("_", "-")
    if snake and not kebab:
        return key.replace("-", "_")
    return key


def dumps(table: Mapping[str, Any]) -> str:
    """Writes what `tomllib` reads back as the same.

    Raises:
        TypeError: a value has no form in TOML.
    """
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n[{'.'.join(path)}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(cast("dict[str, Any]", value), (*path, _key(key)))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or (char if char.isprintable() else _code(char)) for char in text) + '"'


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        case str():
            return _text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return f"[{', '.join(_value(item) for item in cast('list[Any]', value))}]"
        case dict():
            inline = (f"{_key(key)} = {_value(item)}" for key, item in cast("dict[str, Any]", value).items())
            return f"{{{', '.join(inline)}}}"
        case _:
            raise TypeError(f"{type(value).__name__} has no form in TOML")
