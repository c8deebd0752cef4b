"""Writes docs/fields.md: a table for each object of a stack's config, made from the models.

Usage: python tools/field_tables.py [--check]
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import finish

from nodestead.plans.stack import StackConfig

TARGET = Path(__file__).parent.parent / "docs" / "fields.md"
HEAD = """# Fields of a stack's config

Everything that stands under `nodestead:` in `stacks/Pulumi.<stack>.yaml`; the same keys, in camelCase or snake_case, are the
arguments of the components. Made from the models by `make docs`; what editors complete and check comes from
`stacks/nodestead.schema.json`, made from them too.
"""


WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "number": "number"}


def kind_of(schema: dict[str, Any]) -> str:
    """A type in a few words, with links to the objects of this page."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"Kubernetes {name.removeprefix('k8s-')}" if name.startswith("k8s-") else f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(kind_of(part) for part in schema[union] if part.get("type") != "null"))
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        return f"mapping to {kind_of(inner)}" if isinstance(inner, dict) else "mapping"
    return WORDS.get(schema.get("type", ""), "any")


def bounds(schema: dict[str, Any]) -> str:
    """The bounds of a number, in words."""
    parts = [part for part in (schema, *schema.get("anyOf", ())) if "minimum" in part or "maximum" in part]
    if not parts:
        return ""
    low, high = parts[0].get("minimum"), parts[0].get("maximum")
    if low is not None and high is not None:
        return f" {low} to {high}."
    return f" At least {low}." if low is not None else f" At most {high}."


def default_of(schema: dict[str, Any], *, required: bool) -> str:
    """The default as it would be written in YAML, where it is short."""
    if required:
        return "required"
    text = json.dumps(schema.get("default"))
    if text.startswith("{") and "$ref" in schema:
        return "its defaults"
    return "" if text in ("null", "{}", "[]", '""') else f"`{text}`" if len(text) <= 60 else "see below"


def sentence(schema: dict[str, Any]) -> str:
    """The first paragraph of a description."""
    return " ".join(schema.get("description", "").split("\n\n")[0].split())


def meaning(field: dict[str, Any], objects: dict[str, Any]) -> str:
    """What a field says of itself, or what its object says."""
    own = sentence(field)
    if not own and "$ref" in field:
        own = sentence(objects.get(field["$ref"].rsplit("/", 1)[1], {}))
    return own + bounds(field)


def table(name: str, schema: dict[str, Any], objects: dict[str, Any]) -> Iterator[str]:
    """One object: its heading, its sentence, its fields."""
    yield f"\n## {name}\n"
    yield sentence(schema) + "\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for key, field in schema.get("properties", {}).items():
        default = default_of(field, required=key in schema.get("required", ()))
        cells = (f"`{key}`", kind_of(field), default, meaning(field, objects))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    """The whole page."""
    schema = StackConfig.model_json_schema(by_alias=True)
    objects = {name: one for name, one in schema["$defs"].items() if not name.startswith("k8s-")}
    lines = [HEAD, *table("StackConfig", schema, objects)]
    order = ["Namespace", "Cluster", "StorageNodeGroupArgs"]
    for name in order + sorted(set(objects) - set(order)):
        lines += table(name, objects[name], objects)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(finish(page(), TARGET))
