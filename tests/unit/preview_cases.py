"""Previews of the engine for tests: those that are recorded, and literal steps."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

from nodestead.changes.compare import Change, Comparison, compare, path_text
from nodestead.preview.engine_preview import Preview, read_preview

PREVIEWS = Path(__file__).parent / "previews"
CASES = sorted(path.name.removesuffix(".json.gz") for path in PREVIEWS.glob("*.json.gz"))
SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def recorded(case: str) -> str:
    return gzip.decompress((PREVIEWS / f"{case}.json.gz").read_bytes()).decode()


def read(case: str) -> Preview:
    return read_preview(recorded(case))


def comparison(preview: Preview) -> Comparison:
    return compare(preview.base, preview.head, preview.steps)


def told(change: Change) -> str:
    return f"{change.operation} {change.item.kind.rpartition(':')[2]} {change.item.name}"


def changes(case: str) -> list[str]:
    return [told(one) for one in comparison(read(case)).changes]


def fields(case: str, name: str) -> dict[str, tuple[Any, Any]]:
    (change,) = [one for one in comparison(read(case)).changes if one.item.name == name]
    return {path_text(one.path): (one.old, one.new) for one in change.fields}


def obj(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n"}, **rest}


def step(
    op: str,
    name: str,
    old: dict[str, Any] | None,
    new: dict[str, Any] | None = None,
    *,
    type_: str = "kubernetes:core/v1:ConfigMap",
    parent: str = "",
    **rest: Any,
) -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::{type_}::{name}"

    def state(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"urn": urn, "custom": True, "type": type_.rpartition("$")[2], "inputs": inputs, "parent": parent}

    states = {key: state(copy.deepcopy(one)) for key, one in (("oldState", old), ("newState", new)) if one is not None}
    return {"op": op, "urn": urn, **states, **rest}


def content(*steps: dict[str, Any], diagnostics: list[Any] | None = None) -> str:
    return json.dumps({"steps": list(steps), "diagnostics": diagnostics or [], "changeSummary": {}})
