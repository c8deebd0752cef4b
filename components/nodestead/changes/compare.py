"""Two states of a stack, object by object and field by field."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, Literal, TypeVar, cast

from nodestead.changes.secret_text import SECRETS
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.kubernetes.objects import Identity

__all__ = [
    "ABSENT",
    "Absent",
    "Change",
    "Comparison",
    "EngineStep",
    "FieldChange",
    "Neighbour",
    "Operation",
    "Path",
    "compare",
    "once",
    "path_text",
]

Path = tuple[str, ...]
"""Where a field is: keys, and `[name]` or `[0]` for the items of lists."""

Operation = Literal["add", "change", "replace", "remove"]


class Absent:
    """What stands for a field that one of the two states does not have."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs.

    Attributes:
        path: Where it is.
        old: Its value before, plain; `ABSENT` where there was none.
        new: Its value afterwards; `ABSENT` where there is none.
        follows: Whether it only repeats what another change says: a checksum, or the name of a ConfigMap that has one in it.
    """

    path: Path
    old: Any
    new: Any
    follows: bool = False


@dataclass(frozen=True, slots=True)
class EngineStep:
    """What the engine's own preview says of an object.

    Attributes:
        operation: What it will do.
        reasons: The fields for which it replaces the object.
        hidden: The fields that differ and of which it shows neither value, because they are secret.
    """

    operation: Operation
    reasons: tuple[str, ...] = ()
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """An object that is added, changed in place, replaced or removed.

    Attributes:
        operation: Which of these.
        old: The object before; None where it is added.
        new: The object afterwards; None where it is removed.
        fields: What differs, for one that is changed or replaced.
        reasons: The fields that cannot change in place, for one that is replaced.
        known: What `once` keeps.
    """

    operation: Operation
    old: Item | None
    new: Item | None
    fields: tuple[FieldChange, ...] = ()
    reasons: tuple[str, ...] = ()
    known: dict[Any, Any] = field(default_factory=dict[Any, Any], init=False, repr=False, compare=False)

    @property
    def item(self) -> Item:
        """The object as it will be; one that is removed as it was."""
        return cast("Item", self.new or self.old)

    def touches(self, *path: str) -> bool:
        """Whether a field at or below a path differs."""
        return any(one.path[: len(path)] == path for one in self.fields)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another stack of the same report.

    Attributes:
        base: Its state before.
        head: Its state afterwards.
        known: What `once` keeps.
    """

    base: Snapshot
    head: Snapshot
    known: dict[Any, Any] = field(default_factory=dict[Any, Any], init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two states of a stack.

    Attributes:
        base: The state before.
        head: The state afterwards.
        changes: Every object that differs, in the order of the head; removed ones come last.
        others: The other stacks of the report, by name.
        known: What `once` keeps.
    """

    base: Snapshot
    head: Snapshot
    changes: list[Change] = field(default_factory=list[Change])
    others: Mapping[str, Neighbour] = field(default_factory=dict[str, Neighbour])
    known: dict[Any, Any] = field(default_factory=dict[Any, Any], init=False, repr=False, compare=False)

    @property
    def complete(self) -> bool:
        """Whether both states are whole; else only what differs is known of them."""
        return self.base.complete and self.head.complete

    def of_kind(self, *kinds: str) -> Iterator[Change]:
        """The changes of Kubernetes objects of some kinds."""
        return (one for one in self.changes if one.item.kind in kinds and one.item.is_object)


Compared = TypeVar("Compared", Change, Comparison, Neighbour)
Result = TypeVar("Result")


def once(find: Callable[[Compared], Result]) -> Callable[[Compared], Result]:
    """Makes a pure function of a change, a comparison or a neighbour find its result once for each, as many rules ask for it.

    The result is shared: whoever gets it leaves it as it is.
    """

    @wraps(find)
    def found(of: Compared) -> Result:
        if find not in of.known:
            of.known[find] = find(of)
        return cast("Result", of.known[find])

    return found


def compare(base: Snapshot, head: Snapshot, steps: Mapping[Identity, EngineStep] | None = None) -> Comparison:
    """Compares two states of a stack.

    Args:
        base: The state before.
        head: The state afterwards.
        steps: What the engine's preview says, by object; without it what cannot change in place is known by a table.
    """
    renamed = _renamed(base, head)
    old_names = {new: old for old, new in renamed.items()}
    # What pods read by name: another name of the same thing says nothing that the thing itself does not.
    follows = {(old[3], new[3]) for old, new in renamed.items()}
    changes: list[Change] = []
    for key, new in head.items.items():
        old = base.items.get(old_names.get(key, key))
        if old is None:
            changes.append(Change("add", None, new))
            continue
        step = steps.get(key) if steps is not None else None
        # Equal objects are the rule, and a comparison of dicts is a hundred times as fast as a walk.
        if old.manifest == new.manifest and (step is None or (step.operation != "replace" and not step.hidden)):
            continue
        changed = tuple(_marked(_differences(old.manifest, new.manifest, ()), follows)) if old.manifest != new.manifest else ()
        changed += tuple(FieldChange(path, *SECRETS) for path in (step.hidden if step is not None else ()))
        # What has another name with its content is made beside the old one; nobody would call that a replacement.
        in_place = key in old_names
        reasons = () if in_place else _reasons(new, changed) if steps is None else step.reasons if step is not None else ()
        is_replaced = bool(reasons) if steps is None else step is not None and step.operation == "replace"
        changes.append(Change("replace" if is_replaced else "change", old, new, changed, reasons))
    gone = (item for key, item in base.items.items() if key not in head.items and key not in renamed)
    changes += [Change("remove", item, None) for item in gone]
    return Comparison(base, head, changes)


def path_text(path: Path) -> str:
    """A path as people write it: `spec.template.spec.containers[node].image`, `metadata.labels["app.kubernetes.io/name"]`."""
    text = ""
    for part in path:
        if part.startswith("["):
            text += part
        elif re.fullmatch(r"[A-Za-z0-9_-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


# ---- objects whose names hold a checksum

_CHECKSUM = re.compile(r"(?P<stem>.+)-[0-9a-f]{10}")


def _renamed(base: Snapshot, head: Snapshot) -> dict[Identity, Identity]:
    """Objects that are one thing under two names, because the name holds a checksum of the content."""

    def by_stem(one: Snapshot, other: Snapshot) -> dict[tuple[str, ...], list[Identity]]:
        found: defaultdict[tuple[str, ...], list[Identity]] = defaultdict(list)
        for key in one.items:
            if key not in other.items and key[1] in ("ConfigMap", "Secret") and (match := _CHECKSUM.fullmatch(key[3])):
                found[(*key[:3], match["stem"])].append(key)
        return found

    old, new = by_stem(base, head), by_stem(head, base)
    return {keys[0]: new[stem][0] for stem, keys in old.items() if len(keys) == 1 and len(new.get(stem, ())) == 1}


_CHECKSUM_FIELDS = {("spec", "template", "metadata", "annotations", "nodestead.io/config")}


def _marked(fields: Iterable[FieldChange], follows: set[tuple[str, str]]) -> Iterator[FieldChange]:
    for one in fields:
        repeats = one.path in _CHECKSUM_FIELDS or (
            isinstance(one.old, str) and isinstance(one.new, str) and (one.old, one.new) in follows
        )
        yield FieldChange(one.path, one.old, one.new, follows=True) if repeats else one


# ---- fields


def _differences(old: Any, new: Any, path: Path) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for key in before | after:
            one, other = before.get(key, ABSENT), after.get(key, ABSENT)
            if one is ABSENT or other is ABSENT or one != other:
                yield from _differences(one, other, (*path, str(key)))
    elif isinstance(old, list) and isinstance(new, list):
        before, after = _by_key(cast("list[Any]", old)), _by_key(cast("list[Any]", new))
        if before is None or after is None:
            before, after = _by_content(cast("list[Any]", old), cast("list[Any]", new))
        for key in before | after:
            one, other = before.get(key, ABSENT), after.get(key, ABSENT)
            if one is ABSENT or other is ABSENT or one != other:
                yield from _differences(one, other, (*path, f"[{key}]"))
        if before == after:
            # The order alone: it matters for init containers and arguments.
            yield FieldChange(path, old, new)
    else:
        yield FieldChange(path, old, new)


_KEYS = ("name", "mountPath", "containerPort", "port", "key", "ip", "host", "path")


def _by_key(items: list[Any]) -> dict[str, Any] | None:
    """The items of a list by what tells them apart: a name, a port, a flag of a command line; None where nothing does."""
    if not items:
        return {}
    if all(isinstance(item, dict) for item in items):
        mappings = cast("list[dict[str, Any]]", items)
        for key in _KEYS:
            values = [str(item[key]) for item in mappings if key in item]
            if len(values) == len(set(values)) == len(items):
                return dict(zip(values, items, strict=True))
        return None
    if all(isinstance(item, str) and item.startswith("-") for item in items):
        flags = [str(item).partition("=")[0] for item in items]
        return dict(zip(flags, items, strict=True)) if len(flags) == len(set(flags)) else None
    return None


def _by_content(old: Sequence[Any], new: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What only one of two lists has, by position; equal items stand in neither."""
    rest = list(new)
    gone: dict[str, Any] = {}
    for position, item in enumerate(old):
        if item in rest:
            rest.remove(item)
        else:
            gone[str(position)] = item
    left = list(rest)
    came: dict[str, Any] = {}
    for position, item in enumerate(new):
        if item in left:
            left.remove(item)
            came[str(position)] = item
    return gone, came


# ---- what cannot change in place

_WHERE = (("metadata", "name"), ("metadata", "namespace"))
_IMMUTABLE: Mapping[str, tuple[Path, ...]] = {
    # pulumi-kubernetes, provider/diff.go; all kinds also by name and namespace.
    "StatefulSet": (
        ("spec", "podManagementPolicy"),
        ("spec", "revisionHistoryLimit"),
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "volumeClaimTemplates"),
    ),
    "Deployment": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "Job": (("spec", "completions"), ("spec", "parallelism"), ("spec", "selector"), ("spec", "template")),
    "PersistentVolumeClaim": (
        ("spec", "accessModes"),
        ("spec", "selector"),
        ("spec", "storageClassName"),
        ("spec", "volumeName"),
    ),
    "Service": (("spec", "clusterIP"),),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "StorageClass": (("parameters",), ("provisioner",)),
    "Secret": (("type",),),
}


def _reasons(item: Item, fields: Sequence[FieldChange]) -> tuple[str, ...]:
    """The changed fields for which the engine would replace an object; one that is adopted it never replaces."""
    if item.outlives_stack or not item.is_object:
        return ()
    paths = (*_WHERE, *_IMMUTABLE.get(item.kind, ()))
    immutable = bool(item.manifest.get("immutable"))
    if item.kind in ("ConfigMap", "Secret") and immutable:
        paths = (*paths, ("data",), ("binaryData",), ("stringData",))
    return tuple(dict.fromkeys(path_text(path) for path in paths for one in fields if one.path[: len(path)] == path))
