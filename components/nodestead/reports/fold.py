"""Equal changes of many objects as one entry."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nodestead.changes.compare import ABSENT, Change, FieldChange, Operation, Path
from nodestead.changes.names import counted, folded_names, template
from nodestead.changes.snapshot import Item
from nodestead.changes.workloads import WORKLOADS, replicas
from nodestead.reports.folded_fields import FoldedField, Patience, folded_field, given_line, importance, one_line

__all__ = ["FoldedEntry", "fold"]

MOST_FIELDS: Final = 60
"""Fields that an entry names."""

_IN_SUMMARY = 3
_MOST_COMPARED = 3_000_000


@dataclass(frozen=True, slots=True)
class FoldedEntry:
    """Equal changes of one object, or of one for each of many nodes.

    Attributes:
        set: The set of nodes; empty for what belongs to none.
        operation: What happens to the objects.
        kind: Their kind.
        objects: How many there are.
        names: Their names, folded.
        fields: What differs, what only follows last.
        more: Fields that are left out.
        follows: Whether nothing differs but what follows.
        summary: All of it in one line.
    """

    set: str
    operation: Operation
    kind: str
    objects: int
    names: str
    fields: list[FoldedField]
    more: int
    follows: bool
    summary: str


def fold(changes: Iterable[Change]) -> dict[str, list[FoldedEntry]]:
    """Folds changes by set of nodes, in the order of the changes; in a set nodes come first, and what only follows last."""
    alike: dict[tuple[Any, ...], list[Change]] = {}
    for change in changes:
        alike.setdefault(_likeness(change), []).append(change)
    by_set: dict[str, list[tuple[tuple[int, ...], FoldedEntry]]] = {}
    patience = Patience(_MOST_COMPARED)
    for index, members in enumerate(alike.values()):
        entry = _entry(members, patience)
        rank = (int(entry.follows), _kind_rank(entry.kind), _OPERATIONS.index(entry.operation), index)
        by_set.setdefault(entry.set, []).append((rank, entry))
    return {name: [entry for _, entry in sorted(found, key=lambda one: one[0])] for name, found in by_set.items()}


_OPERATIONS: tuple[Operation, ...] = ("replace", "remove", "change", "add")
_KINDS = ("PersistentVolumeClaim", "Secret", "ConfigMap", "Service")


def _kind_rank(kind: str) -> int:
    return 0 if kind in WORKLOADS else _KINDS.index(kind) + 1 if kind in _KINDS else len(_KINDS) + 1


def _likeness(change: Change) -> tuple[Any, ...]:
    """What two changes have in common that are told as one."""
    item = change.item
    role = template(item.name, item.node)
    paths = tuple(sorted({(_abstract(one.path, item.node), one.follows) for one in _told_fields(change)}))
    reasons = tuple(reason.replace(item.node, "<node>") if item.node else reason for reason in change.reasons)
    return item.set, change.operation, item.is_object, item.kind, item.outlives_stack, role, paths, reasons


def _abstract(path: Path, node: str) -> Path:
    """A path without the node's name, positions and ordinals, as in `spec.ports[*].port` and `items[key-*]`."""
    named = (part.replace(node, "<node>") if node else part for part in path)
    return tuple(_ORDINAL.sub("*", part) if part.startswith("[") else part for part in named)


_ORDINAL: Final = re.compile(r"(?<![A-Za-z0-9])[0-9]{1,9}(?![A-Za-z0-9])")


def _told_fields(change: Change) -> tuple[FieldChange, ...]:
    """The changed fields; of an object that comes or goes its size and its images."""
    if change.old is not None and change.new is not None:
        return change.fields
    is_new = change.old is None
    return tuple(
        FieldChange(path, ABSENT, value) if is_new else FieldChange(path, value, ABSENT) for path, value in _essence(change.item)
    )


def _essence(item: Item) -> Iterator[tuple[Path, Any]]:
    if item.kind == "PersistentVolumeClaim":
        path = ("spec", "resources", "requests", "storage")
        if (size := item.at(*path)) is not None:
            yield path, size
    elif item.kind in WORKLOADS:
        if item.kind != "DaemonSet" and replicas(item) != 1:
            yield ("spec", "replicas"), replicas(item)
        found: list[dict[str, Any]] = item.at("spec", "template", "spec", "containers") or []
        for one in found[:5]:
            if one.get("image"):
                yield ("spec", "template", "spec", "containers", f"[{one.get('name', '')}]", "image"), one["image"]


def _entry(changes: Sequence[Change], patience: Patience) -> FoldedEntry:
    first = changes[0]
    item = first.item
    columns: dict[tuple[Path, bool], list[tuple[Change, FieldChange]]] = {}
    for change in changes:
        for one in _told_fields(change):
            columns.setdefault((_abstract(one.path, change.item.node), one.follows), []).append((change, one))
    ordered = sorted(columns.items(), key=lambda column: (column[0][1], importance(column[0][0])))
    fields = [folded_field(item.kind, path, column, patience) for (path, _), column in ordered[:MOST_FIELDS]]
    follows = bool(columns) and all(is_follower for _, is_follower in columns)
    more = max(0, len(columns) - MOST_FIELDS)
    summary = f"{_who(item, len(changes))}{_what(first, len(changes), fields, more, follows=follows)}"
    names = folded_names([change.item.name for change in changes])
    return FoldedEntry(item.set, first.operation, item.kind, len(changes), names, fields, more, follows, summary)


def _is_version(one: FoldedField) -> bool:
    return one.label.removeprefix("pod ") == "label app.kubernetes.io/version"


def _who(item: Item, count: int) -> str:
    is_node = item.kind in WORKLOADS and bool(item.set)
    if count > 1:
        return counted(count, item.kind, nodes=is_node)
    return item.name if is_node else f"{counted(1, item.kind).removeprefix('1 ')} {item.name}"


def _what(change: Change, count: int, fields: Sequence[FoldedField], more: int, *, follows: bool) -> str:
    verb = ""
    if change.operation == "remove" and change.item.outlives_stack:
        verb = " leaves the stack and stays in the cluster" if count == 1 else " leave the stack and stay in the cluster"
    elif change.operation != "change":
        verb = {"add": " added", "remove": " removed", "replace": " replaced"}[change.operation]
    if follows:
        return f"{verb}: only what follows from another change"
    if change.operation in ("add", "remove"):
        parts = list(dict.fromkeys(given_line(one) for one in fields))
    else:
        told = [one for one in fields if not one.follows]
        parts = list(dict.fromkeys(one_line(one) for one in told if not one.minor))
        # The label of the version says what the tag of the image says.
        is_told = any(one.label == "image" for one in told)
        minor = list(dict.fromkeys(one_line(one) for one in told if one.minor and not (is_told and _is_version(one))))
        more += len(minor) if parts else 0
        parts = parts or minor
    rest = max(0, len(parts) - _IN_SUMMARY) + more
    text = ", ".join(parts[:_IN_SUMMARY]) + (f" and {rest} more field{'s' * (rest > 1)}" if rest else "")
    return f"{verb}: {text}" if text else verb or ": changed"
