"""Writes what Kubernetes says of the fragments that users pass through: `config/fragments.schema.json`.

Run it after a change of `RELEASE` or of `FragmentKind`. With --check it writes nothing and fails where the file is
not what it would write.
"""

import json
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from nodestead.config.fragments import FragmentKind

RELEASE = "v1.36.0-local-strict"
TARGET = Path(__file__).parents[1] / "components/nodestead/config/fragments.schema.json"
PREFIX = "k8s-"

# What the schema of Kubernetes does not say and `nodestead.config.fragments` checks.
_RULES: dict[str, dict[str, Any]] = {
    "Quantity": {"format": "quantity"},
    "ResourceRequirements": {"requestsWithinLimits": True},
    "VolumeResourceRequirements": {"requestsWithinLimits": True},
}


def main() -> int:
    """Writes or checks the file; the exit code is 1 where --check finds another text."""
    text = _text(_definitions())
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text() != text)
    TARGET.write_text(text)
    return 0


def _definitions() -> dict[str, Any]:
    source = resources.files("kubernetes_validate") / "kubernetes-json-schema" / RELEASE / "_definitions.json"
    given = {_short(name): schema for name, schema in json.loads(source.read_text())["$defs"].items() if _is_wanted(name)}
    found: dict[str, Any] = {}
    waiting = list(get_args(FragmentKind))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _trimmed(given[name]) | _RULES.get(name, {})
            waiting += re.findall(rf'"#/\$defs/{PREFIX}([^"]+)"', json.dumps(found[name]))
    return {PREFIX + name: found[name] for name in sorted(found)}


def _is_wanted(name: str) -> bool:
    """Other API groups have kinds of the same short name."""
    return name.startswith(("io.k8s.api.core.v1.", "io.k8s.api.rbac.v1.", "io.k8s.api.networking.v1.", "io.k8s.apimachinery."))


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _trimmed(schema: dict[str, Any]) -> dict[str, Any]:
    """Drops descriptions, formats and merge hints, and null: an empty value in YAML is a slip, not a wish."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{PREFIX}{_short(schema['$ref'])}"}
    trimmed: dict[str, Any] = {}
    types = [kind for branch in schema.get("oneOf", [schema]) for kind in _types(branch) if kind != "null"]
    if types:
        trimmed["type"] = types[0] if len(types) == 1 else types
    if "properties" in schema:
        trimmed["properties"] = {name: _trimmed(inner) for name, inner in schema["properties"].items()}
    if "required" in schema:
        trimmed["required"] = schema["required"]
    for key in ("items", "additionalProperties"):
        if key in schema:
            trimmed[key] = _trimmed(schema[key]) if isinstance(schema[key], dict) else schema[key]
    return trimmed


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _text(definitions: dict[str, Any]) -> str:
    """One definition on a line: small, and a change of release reads well in a diff."""
    lines = [f'  "{name}": {json.dumps(schema, separators=(",", ":"))}' for name, schema in definitions.items()]
    head = f'"$schema": "https://json-schema.org/draft/2020-12/schema",\n "$comment": "Kubernetes {RELEASE}; tools/fragments.py"'
    return f'{{\n {head},\n "$defs": {{\n' + ",\n".join(lines) + "\n }\n}\n"


if __name__ == "__main__":
    raise SystemExit(main())
