"""Pieces of the Kubernetes API that users pass through, held against its schema before anything is deployed.

    tolerations: tuple[Annotated[dict[str, Any], Fragment("Toleration")], ...] = many()

`fragments.schema.json` holds the schemas; `tools/fragments.py` makes it.
"""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from nodestead.config.base import Deferred, Problem, looks_secret, near_name
from nodestead.config.quantity import not_a_quantity, quantity_amount

__all__ = ["Fragment", "FragmentKind", "fragment_definitions"]

FragmentKind = Literal[
    "Affinity",
    "Container",
    "EnvFromSource",
    "EnvVar",
    "HostAlias",
    "LabelSelector",
    "Lifecycle",
    "NetworkPolicyPeer",
    "PodDNSConfig",
    "PodSecurityContext",
    "PolicyRule",
    "Probe",
    "ResourceRequirements",
    "SecurityContext",
    "ServicePort",
    "Toleration",
    "TopologySpreadConstraint",
    "TypedLocalObjectReference",
    "Volume",
    "VolumeMount",
]


class Fragment:
    """Annotation of a dict that has to be a piece of the Kubernetes API, as in `Annotated[dict[str, Any], Fragment("Probe")]`.

    Unknown keys are refused at any depth, as are missing keys, wrong types, keys without a value, quantities that
    are none and requests above their limits; all at once, each with its path. A value of another resource may stand
    where the API takes a text.
    """

    def __init__(self, kind: FragmentKind) -> None:
        self.name = f"k8s-{kind}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core_schema.definitions_schema(_reference(self.name), [_definition(name) for name in _closure(self.name)]))

    def _check(self, value: dict[str, Any]) -> dict[str, Any]:
        found = [Problem(error.absolute_path, error.message) for error in _validator(self.name).iter_errors(value)]
        if found:
            text = "; ".join(f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found)
            raise PydanticCustomError("rules", "{text}", {"text": text, "problems": found})
        return value


def fragment_definitions() -> dict[str, Any]:
    """The JSON schemas of all fragments and of what they refer to, by their name under `$defs`.

    `model_json_schema` of a model with fragments puts those that it needs there by itself.
    """
    return deepcopy(_definitions())


@cache
def _definitions() -> dict[str, Any]:
    text = (resources.files("nodestead.config") / "fragments.schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text)["$defs"])


def _closure(name: str) -> list[str]:
    """A definition and all that it refers to."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found[current] = None
            waiting += re.findall(r'"#/\$defs/([^"]+)"', json.dumps(_definitions()[current]))
    return list(found)


def _reference(name: str) -> CoreSchema:
    return core_schema.definition_reference_schema(f"{name}:")


def _definition(name: str) -> CoreSchema:
    """A definition as pydantic keeps them: that way its JSON schemas hold each once, with the names that it gives."""

    def linked(_: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _linked(_definitions()[name], handler)

    return core_schema.any_schema(ref=f"{name}:", metadata={"pydantic_js_annotation_functions": [linked]})


def _linked(schema: Any, handler: GetJsonSchemaHandler) -> Any:
    if not isinstance(schema, dict):
        return schema
    inner = cast("dict[str, Any]", schema)
    if isinstance(inner.get("$ref"), str):
        return handler(_reference(inner["$ref"].removeprefix("#/$defs/")))
    return {key: _linked(value, handler) for key, value in inner.items()}


@cache
def _validator(name: str) -> Any:
    # Imported here, as it costs a tenth of the rendering of a small stack and many stacks hold no fragment.
    from jsonschema import Draft202012Validator, ValidationError, validators

    def keyword(find: _Finder) -> Any:
        def check(_: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
            for problem in find(rule, value, schema):
                yield ValidationError(problem.message, path=problem.path)

        return check

    def additional(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        inherited = Draft202012Validator.VALIDATORS["additionalProperties"]
        yield from (keyword(_unknown_keys) if rule is False else inherited)(validator, rule, value, schema)

    rules: dict[str, Any] = {
        "additionalProperties": additional,
        "format": keyword(_bad_quantity),
        "required": keyword(_missing_keys),
        "requestsWithinLimits": keyword(_bad_resources),
        "type": keyword(_wrong_type),
    }
    extended = cast("Any", validators).extend(Draft202012Validator, rules)
    return extended({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


_Finder = Callable[[Any, Any, Any], Iterator[Problem]]

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "array": ((list,), "a list"),
    "boolean": ((bool,), "true or false without quotes"),
    "integer": ((int,), "a whole number without quotes"),
    "number": ((int, float), "a number"),
    "object": ((dict,), "a mapping of keys and values"),
    "string": ((str,), "a text, in quotes if YAML takes it for a number or a boolean"),
}


def _wrong_type(rule: str | list[str], value: Any, _: Any) -> Iterator[Problem]:
    types = [rule] if isinstance(rule, str) else rule
    if any(isinstance(value, _TYPES[kind][0]) and (kind == "boolean" or not isinstance(value, bool)) for kind in types):
        return
    remedy = f"write {' or '.join(_TYPES[kind][1] for kind in types)}"
    if value is None:
        yield Problem([], f"has no value; {remedy}, or remove the key")
    elif not isinstance(value, Deferred):
        # Where a text belongs, a number may be a password that YAML took for one.
        shown = "" if "string" in types or isinstance(value, list | dict) or looks_secret(value) else f"{value!r} "
        yield Problem([], f"{shown}has the wrong type; {remedy}")
    elif "string" not in types:
        yield Problem([], f"a value of another resource can only stand for a text; {remedy}")


def _unknown_keys(_: Any, value: Any, schema: dict[str, Any]) -> Iterator[Problem]:
    known: list[str] = sorted(schema.get("properties", {}))
    for key in _items(value):
        if key not in known:
            remedy = near_name(str(key), known, f"known here are {', '.join(known)}")
            yield Problem([key], f"unknown key; {remedy}")


def _missing_keys(rule: list[str], value: Any, _: Any) -> Iterator[Problem]:
    if isinstance(value, dict):
        yield from (Problem([key], "is required and not given; add it") for key in rule if key not in value)


def _bad_quantity(_: Any, value: Any, __: Any) -> Iterator[Problem]:
    if isinstance(value, str | int | float) and not isinstance(value, bool) and quantity_amount(value) is None:
        yield Problem([], not_a_quantity(value))


def _bad_resources(_: Any, value: Any, __: Any) -> Iterator[Problem]:
    """Requests above limits, which the API refuses, and memory in thousandths of a byte, which it takes."""
    requests, limits = _items(_items(value).get("requests")), _items(_items(value).get("limits"))
    for part, amounts in (("requests", requests), ("limits", limits)):
        for name, given in amounts.items():
            if name != "cpu" and isinstance(given, str) and given.endswith("m") and quantity_amount(given) is not None:
                yield Problem([part, name], f"{given!r} counts thousandths, as m does; write {given[:-1]}Mi for mebibytes")
    for name, given in requests.items():
        request, limit = quantity_amount(given), quantity_amount(limits.get(name))
        if request is not None and limit is not None and request > limit:
            yield Problem(
                ["requests", name], f"{given} is above the limit of {limits[name]}; lower it to that, or raise limits.{name}"
            )


def _items(value: Any) -> dict[Any, Any]:
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else {}
