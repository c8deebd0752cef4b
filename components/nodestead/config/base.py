"""The base of every config model, and how a refusal reads.

A refusal names path, value, rule and remedy. All refusals of one input come at once: field errors of
pydantic, and the cross-field rules of every model whose fields are sound.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

__all__ = ["ConfigError", "Deferred", "Model", "Problem", "as_config_error", "dotted", "near_name", "parse"]


@runtime_checkable
class Deferred(Protocol):
    """A value that another resource gives at deploy time: `pulumi.Output`, known here only by its `apply`."""

    def apply(self, func: Any, /) -> Any:
        """Calls func with the value once it is there."""
        ...


class Problem:
    """One refusal: where (relative to the model that says it) and what, why and what to do instead."""

    __slots__ = ("message", "path")

    def __init__(self, path: Iterable[str | int], message: str) -> None:
        self.path = tuple(path)
        self.message = message


class ConfigError(ValueError):
    """A config that is refused; `problems` holds one line for each refusal, path first."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        super().__init__(f"the config is refused, {count}:\n" + "\n".join(f"  - {line}" for line in problems))


class Model(BaseModel):
    """A frozen config object: camelCase in YAML, snake_case in Python, unknown keys and wrong types refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        # A stack's validator holds those of all its parts: made one by one as well, 110 of them take longer than a rendering.
        defer_build=True,
    )

    def problems(self) -> Iterator[Problem]:
        """Cross-field rules: yields each broken one. Overridden where a model has such rules."""
        yield from ()

    @model_validator(mode="after")
    def _refuse(self) -> "Model":
        found = list(self.problems())
        if found:
            raise PydanticCustomError("rules", "{text}", {"text": _rules_text(found), "problems": found})
        return self


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], given: M | Mapping[str, Any], path: Iterable[str | int] = (), *, show_values: bool = True) -> M:
    """Validates a mapping against a model.

    Args:
        model: The config class.
        given: A mapping as read from YAML, or an instance, which is returned as it is.
        path: Where the mapping stands in the stack file; the first part of every path in a refusal.
        show_values: False where the mapping may hold decrypted secrets: then no value is repeated.

    Raises:
        ConfigError: naming path, value, rule and remedy of every refusal.
    """
    if isinstance(given, model):
        return given
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise as_config_error(error, model, path, show_values=show_values) from None


def as_config_error(
    error: ValidationError, model: type[BaseModel], path: Iterable[str | int] = (), *, show_values: bool = True
) -> ConfigError:
    """Gives pydantic's errors in the words of the house, one line each."""
    prefix = tuple(path)
    details = error.errors(include_url=False)
    walked = [_walk(model, detail["loc"]) for detail in details]
    paths = [visible for visible, _ in walked]
    lines: dict[str, None] = {}
    for detail, (visible, models) in zip(details, walked, strict=True):
        if detail["type"] in _WRONG_BRANCH and _is_told_better(detail, visible, details, paths):
            continue
        found = cast("list[Problem] | None", (detail.get("ctx") or {}).get("problems"))
        if found is not None:
            lines.update(dict.fromkeys(f"{dotted(prefix + visible + p.path)}: {p.message}" for p in found))
            continue
        message = _message(detail, models, show_values=show_values)
        if detail["type"] == "model_type":
            message += _or_words(visible, details, paths)
        lines[f"{dotted(prefix + visible)}: {message}"] = None
    return ConfigError(list(lines))


# What a union says of the branches that were not meant, and a list whose items are refused themselves.
_WRONG_BRANCH = frozenset({"too_short", "literal_error", "model_type", "string_type"})


def _is_told_better(
    detail: ErrorDetails, visible: tuple[str | int, ...], details: list[ErrorDetails], paths: list[tuple[str | int, ...]]
) -> bool:
    """Whether another refusal of the same value, or of something inside it, says what is wrong with it."""
    return any(
        len(path) > len(visible)
        or other["type"] not in _WRONG_BRANCH
        or (other["type"] != detail["type"] and (other["type"] == "string_type" or detail["type"] == "literal_error"))
        for other, path in zip(details, paths, strict=True)
        if path[: len(visible)] == visible
    )


def _or_words(visible: tuple[str | int, ...], details: list[ErrorDetails], paths: list[tuple[str | int, ...]]) -> str:
    """The words that may stand in the place of a mapping."""
    words = [detail for detail, path in zip(details, paths, strict=True) if path == visible and detail["type"] == "literal_error"]
    return f", or {words[0].get('ctx', {}).get('expected')}" if words else ""


def _rules_text(problems: list[Problem]) -> str:
    return "; ".join(f"{dotted(p.path)}: {p.message}" if p.path else p.message for p in problems)


def _walk(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], list[type[BaseModel]]]:
    """The path as the user wrote it, and the models that its last key may belong to.

    pydantic adds to a location the branch of a union and the names of its own functions; nobody wrote those.
    """
    models, around, visible, entered = [model], [model], list[str | int](), False
    for part in loc:
        inner = [m for current in models for m in _models_of(current, part)]
        tagged = [m for m in models if part in _kinds(m) or part == f"tagged-{m.__name__}"]
        if isinstance(part, str) and (re.search(r"[\[\](]|^(function|tagged|union)-", part) or (tagged and entered)):
            models, entered = tagged or models, False
            continue
        entered = bool(inner)
        visible.append(part)
        around, models = models, inner or models
    return tuple(visible), around


def dotted(path: Iterable[str | int]) -> str:
    """A path as refusals write it: `nodes.1.size`, `peersFrom[0].set`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_:-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text or "config"


def _message(detail: ErrorDetails, models: list[type[BaseModel]], *, show_values: bool) -> str:
    kind, loc = detail["type"], detail["loc"]
    ctx = detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown_key(str(loc[-1]), sorted({f.alias or n for m in models for n, f in m.model_fields.items()}))
    if kind == "missing":
        return "is required and not given; add it"
    if kind in ("union_tag_invalid", "literal_error"):
        expected = ctx.get("expected_tags") or ctx.get("expected")
        given = f"{ctx['tag']!r} " if "tag" in ctx and show_values else _value(detail, show=show_values)
        return f"{given}is not known; use one of {expected}"
    if kind == "union_tag_not_found":
        return f"needs the key {ctx.get('discriminator')} to say which variant is meant"
    if kind in _TYPES:
        # What is no text where one belongs may be a password that YAML took for a number.
        show = show_values and kind not in ("string_type", "is_instance_of")
        return f"{_value(detail, show=show)}has the wrong type; {_TYPES[kind]}"
    if kind == "value_error":
        text = detail["msg"].removeprefix("Value error, ")
        return text if show_values else text.replace(repr(detail["input"]), "the value")
    if kind == "too_short":
        return f"has {ctx['actual_length']} entries; write at least {ctx['min_length']}"
    rule = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{_value(detail, show=show_values)}is refused: {rule}; change it to fit"


_TYPES = {
    "int_type": "write a whole number without quotes",
    "int_from_float": "write a whole number without a fraction",
    "float_type": "write a number without quotes",
    "string_type": "write a text, in quotes if YAML takes it for a number or a boolean",
    "bool_type": "write true or false without quotes",
    "tuple_type": "write a list",
    "list_type": "write a list",
    "dict_type": "write a mapping of keys and values",
    "mapping_type": "write a mapping of keys and values",
    "model_type": "write a mapping of keys and values",
    "model_attributes_type": "write a mapping of keys and values",
    "is_instance_of": "write a text",
}


def _value(detail: ErrorDetails, *, show: bool) -> str:
    """The refused value with a blank behind it, or nothing where it may be a secret or is no scalar."""
    value: object = detail.get("input")
    if not show or not isinstance(value, str | int | float | bool) or looks_secret(value):
        return ""
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text} " if len(text) <= 80 else ""


def looks_secret(value: object) -> bool:
    """Tells whether a value reads like a key, a token or a URL with credentials, so that it is not repeated."""
    return isinstance(value, str) and bool(
        re.search(r"[0-9a-fA-F]{32}|[A-Za-z0-9+/_-]{40}|://[^/]*@|://.*[?=]|(?:\b[a-z]{3,8}\b ){11}", value)
        or re.search(r"://\S+/\S*[A-Za-z0-9]{20}", value)
    )


def near_name(name: str, known: Sequence[str], otherwise: str) -> str:
    """Asks whether a known name was meant; says something else where none is like the one that was given."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def _unknown_key(key: str, known: list[str]) -> str:
    otherwise = f"known here are {', '.join(sorted(known))}" if known else "remove it"
    return f"unknown key; {near_name(key, known, otherwise)}"


def _models_of(model: type[BaseModel], part: str | int) -> list[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return _models_in(field.annotation)
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts: tuple[Any, ...] = getattr(cast("object", annotation), "__args__", ())
    return [m for part in parts for m in _models_in(part)]


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of `kind` by which a union tells this model."""
    field = model.model_fields.get("kind")
    return () if field is None else getattr(field.annotation, "__args__", ())


def many(**constraints: Any) -> Any:
    """A field that takes a YAML list for a tuple, with pydantic's length constraints; empty by default."""
    return Field(default=(), strict=False, **constraints)
