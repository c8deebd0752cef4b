"""YAML text of manifests, laid out as kubectl prints them.

PyYAML's libyaml dumper makes about 60,000 lines a second; a thousand nodes have four times as many. Block structure
is simple, so it is written here; how a text has to be quoted is decided once for each text.
"""

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, cast

from pydantic import SecretStr

from nodestead.config.base import Deferred
from nodestead.config.scalars import SecurePlaceholder
from nodestead.kubernetes.objects import Late

__all__ = ["DEFERRED", "SECRET", "plain", "yaml_documents", "yaml_text"]

SECRET = "[secret]"  # noqa: S105 # what stands in its place
"""Stands for a secret that was given in clear."""

DEFERRED = "[known when deployed]"
"""Stands for a value of another resource."""


def yaml_documents(manifests: Iterable[Any]) -> Iterator[str]:
    """YAML documents, each with its separator in front."""
    for manifest in manifests:
        yield f"---\n{yaml_text(manifest)}"


def yaml_text(value: Any) -> str:
    """The YAML of one document, ending with a line break.

    Args:
        value: JSON-like data with text keys; `Late` leaves show their stand-in, secrets and values of other
            resources a marker.

    Raises:
        TypeError: where a key is no text, or a leaf is nothing that JSON knows.
    """
    kind: object = value.__class__
    shown = value if kind is dict or kind is list else plain(value)
    kind = shown.__class__
    lines: list[str] = []
    if kind is dict and shown:
        _mapping(shown, "", "", lines.append)
    elif kind is list and shown:
        _sequence(shown, "", "", lines.append)
    else:
        lines.append(f"{_scalar(shown, '')}\n")
    return "".join(lines)


_LEAVES = frozenset({str, int, bool, float, type(None)})


def plain(value: Any) -> Any:
    """A value as it is shown: stand-ins and markers in the place of what is known later or secret; tuples as lists."""
    # What most leaves are; to ask a runtime protocol costs a hundred times as much.
    if value.__class__ in _LEAVES:
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, Late):
        return plain(value.stand_in)
    if isinstance(value, SecurePlaceholder):
        return repr(value)
    if isinstance(value, SecretStr):
        return SECRET
    return DEFERRED if isinstance(value, Deferred) else value


def _mapping(mapping: dict[str, Any], pad: str, lead: str, write: Any) -> None:
    """Writes a block mapping; `lead` is what the first line starts with, `pad` what all others do."""
    start = lead
    for key, given in mapping.items():
        value = given
        kind: object = value.__class__
        if kind is str:
            text = _one_line(value) if "\n" not in value else _several_lines(value, pad)
            write(f"{start}{_one_line(key)}: {text}\n")
            start = pad
            continue
        if kind is not dict and kind is not list and kind is not int and kind is not bool and value is not None:
            value = plain(value)
            kind = value.__class__
        if kind is dict and value:
            write(f"{start}{_one_line(key)}:\n")
            _mapping(value, f"{pad}  ", f"{pad}  ", write)
        elif kind is list and value:
            write(f"{start}{_one_line(key)}:\n")
            _sequence(value, pad, pad, write)
        else:
            write(f"{start}{_one_line(key)}: {_scalar(value, pad)}\n")
        start = pad


def _sequence(items: list[Any], pad: str, lead: str, write: Any) -> None:
    start = lead
    for given in items:
        kind: object = given.__class__
        item = given if kind is dict or kind is list or kind is str else plain(given)
        kind = item.__class__
        if kind is dict and item:
            _mapping(item, f"{pad}  ", f"{start}- ", write)
        elif kind is list and item:
            _sequence(item, f"{pad}  ", f"{start}- ", write)
        else:
            write(f"{start}- {_scalar(item, pad)}\n")
        start = pad


def _scalar(value: object, pad: str) -> str:
    if isinstance(value, str):
        return _several_lines(value, pad) if "\n" in value else _one_line(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict | list):
        return "[]" if isinstance(value, list) else "{}"
    raise TypeError(f"a {type(value).__name__} has no place in a manifest; give a text, a number, a boolean, a list or a mapping")


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 wants a point in a number: 1e+16 would be a text.
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


# A text that can stand without quotes: no indicator in front, no `: ` and no ` #` inside, no blank at either end.
# That is narrower than YAML: `?` and `:` in front are quoted as well.
_BARE = re.compile(r"(?!---|\.\.\.)(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[^\s]))(?:[^\s:]|:(?=[^\s])| +(?=[^\s#]))*")
# What a reader of YAML 1.1 (PyYAML), of YAML 1.2 or kubectl (yaml.v2 and v3) takes for a boolean or null ...
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "=", "<<"})
# ... or for a number, a time or a date. The expression takes more than they do; quotes never harm.
_NUMBER = re.compile(
    r"(?:[-+]_*)?(?:0[xXoObB][0-9a-fA-F_]*|[0-9][0-9_]*(?::[0-9_]+)*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]*)?"
    r"|\.[0-9_]+(?:[eE][-+]?[0-9_]*)?|\.(?:inf|Inf|INF|nan|NaN|NAN))"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"
)


@lru_cache(maxsize=1 << 16)
def _one_line(text: str) -> str:
    """A key or a text without line breaks: bare where every reader takes it for this text, else quoted."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # reached with keys of any type
        raise TypeError(f"the key {text!r} is no text; write it in quotes")
    if not text.isprintable():
        return _double_quoted(text)
    if _BARE.fullmatch(text) and not _NUMBER.fullmatch(text) and text.lower() not in _WORDS and text != "~":
        return text
    return "'" + text.replace("'", "''") + "'"


@lru_cache(maxsize=1 << 10)
def _several_lines(text: str, pad: str) -> str:
    """A text with line breaks: a literal block where that reads back as it was, else one quoted line."""
    lines = text.split("\n")
    if not all(line.replace("\t", "").isprintable() for line in lines) or not text.strip("\n \t"):
        return _double_quoted(text)
    # Readers find the indentation at the first line; where that starts with white space it has to be said.
    indent = "2" if text[0] in " \t\n" else ""
    chomp = "" if not text.endswith("\n") else "+" if text.endswith("\n\n") else None
    header = f"|{indent}{'-' if chomp == '' else chomp or ''}"
    body = lines if chomp == "" else lines[:-1]
    return "\n".join([header, *(f"{pad}  {line}" if line else "" for line in body)])


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _double_quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escaped(ord(c))) for c in text) + '"'


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
