"""Sets of nodes that go, come back under another name, or move to another namespace."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from nodestead.changes.compare import Comparison, once
from nodestead.changes.mounts import (
    CONSENSUS_KEY,
    claims,
    is_known,
    key_uses,
    mounted_claims,
    ordinals,
    scaled_down,
    template_claims,
)
from nodestead.changes.plain import mappings
from nodestead.changes.secret_text import safe_text
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.kubernetes.names import GUARD

__all__ = [
    "Upheaval",
    "deleted_claims",
    "fact_changes",
    "node_names",
    "nodes_by_set",
    "refused_sets",
    "upheavals",
    "validators",
    "value_text",
]


@dataclass(frozen=True, slots=True)
class Upheaval:
    """What becomes of a whole set.

    Attributes:
        fate: Whether it goes for good, comes back as another one, or is made anew in another namespace.
        name: Its name.
        new_name: The name afterwards; empty where it goes.
        old: The workloads of its nodes before.
        new: Those afterwards.
        claims: The claims of the nodes before that no pod mounts afterwards, each once.
        kept: Those of them that stay in the cluster.
    """

    fate: Literal["removed", "renamed", "moved"]
    name: str
    new_name: str
    old: tuple[Item, ...]
    new: tuple[Item, ...]
    claims: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def has_data(self) -> bool:
        """Whether the nodes had claims before."""
        return any(claims(item) for item in self.old)


def nodes_by_set(snapshot: Snapshot) -> dict[str, list[Item]]:
    """The workloads of the nodes of each set, in their order."""
    found: dict[str, list[Item]] = {}
    for item in snapshot.of_kind("StatefulSet"):
        # What follows a node's version has its labels and none of its data.
        if item.set and item.labels.get("nodestead.io/set") != "versioned-pod":
            found.setdefault(item.set, []).append(item)
    return found


def node_names(comparison: Comparison, name: str) -> tuple[str, ...]:
    """The nodes of a set before the change, where all are known."""
    return tuple(item.name for item in nodes_by_set(comparison.base).get(name, ())) if comparison.complete else ()


def validators(snapshot: Snapshot, name: str) -> list[str]:
    """The nodes of a set that sign blocks, with a key of theirs or by a remote signer."""
    found: dict[str, None] = {}
    for item in snapshot.of_kind("StatefulSet", "ConfigMap", "Service"):
        if item.set != name:
            continue
        signs = (
            any(use.file == CONSENSUS_KEY for use in key_uses(item))
            if item.kind == "StatefulSet"
            else item.name.startswith(GUARD)
            if item.kind == "ConfigMap"
            else any(port.get("name") == "privval" for port in mappings(item.at("spec", "ports")))
        )
        if signs:
            found.setdefault(item.node or item.name)
    return list(found)


@once
def fact_changes(comparison: Comparison) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The facts that differ, old and new, by set and path.

    One that a side does not have is passed over: its rule is younger than the state, or its value not known yet.
    """
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for one in comparison.base.sets:
        other = comparison.head.facts_of(one.name)
        if other is not None and one.facts != other.facts:
            pairs = {path: (value, other.facts[path]) for path, value in one.facts.items() if path in other.facts}
            found[one.name] = {path: both for path, both in pairs.items() if both[0] != both[1] and all(map(_is_told, both))}
    return found


_NOTICED = ("nodeNames", "keys", "genesis", "software.marketplace.address")


@once
def refused_sets(comparison: Comparison) -> frozenset[str]:
    """The sets whose guard stops the update in its preview, because something changes that their data was made for."""
    return frozenset(
        name for name, changed in fact_changes(comparison).items() if any(_is_guarded(comparison, name, p) for p in changed)
    )


def _is_guarded(comparison: Comparison, name: str, path: str) -> bool:
    if path != "persistence.kind":
        return path not in _NOTICED
    # The claims of a set that signs hold what it has signed.
    facts = comparison.base.facts_of(name)
    return facts is not None and any(one.startswith("signer.addresses.") for one in facts.facts)


def _is_told(value: object) -> bool:
    return value is not None and (not isinstance(value, str) or is_known(value))


def value_text(old: Any, new: Any) -> str:
    """Two values as a sentence shows them, each cut where it is long."""
    return " -> ".join(_short(value) for value in (old, new))


def _short(value: Any) -> str:
    text = (
        "not set" if value is None else ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
    )
    text = safe_text(text)
    return text if len(text) <= 80 else f"{text[:77]}..."


@once
def upheavals(comparison: Comparison) -> dict[str, Upheaval]:
    """What becomes of whole sets, by their old name."""
    base, head = nodes_by_set(comparison.base), nodes_by_set(comparison.head)
    before, after = _known_sets(comparison.base), _known_sets(comparison.head)
    gone = [name for name in base if name not in after and _is_certain(comparison.base, name)]
    came = [name for name in head if name not in before and _is_certain(comparison.head, name)]
    found: dict[str, Upheaval] = {}
    mounted = mounted_claims(comparison.head)
    for name in base:
        old = base[name]
        if name in gone:
            successor = max(came, key=lambda other: _likeness(old, head[other]), default=None)
            if successor is not None and _likeness(old, head[successor]) > 0:
                came.remove(successor)
                found[name] = _upheaval("renamed", name, successor, old, head[successor], comparison, mounted)
            else:
                found[name] = _upheaval("removed", name, "", old, [], comparison, mounted)
        elif name in head and not {item.namespace for item in old} & {item.namespace for item in head[name]}:
            found[name] = _upheaval("moved", name, name, old, head[name], comparison, mounted)
    return found


def _known_sets(snapshot: Snapshot) -> set[str]:
    return {one.name for one in snapshot.sets} | {item.set for item in snapshot.items.values() if item.set}


def _is_certain(snapshot: Snapshot, name: str) -> bool:
    """Whether a set is in one state only, and not just without change in the other: its component would be told of."""
    return snapshot.complete or snapshot.facts_of(name) is not None


def _likeness(old: list[Item], new: list[Item]) -> int:
    """How much a new set looks like an old one: not at all where its software is another."""
    marks = [(one[0].labels.get("nodestead.io/set"), one[0].labels.get("app.kubernetes.io/name")) for one in (old, new)]
    if marks[0] != marks[1]:
        return 0
    return (len(old) == len(new)) + 2 * (_image(old[0]) == _image(new[0]))


def _image(item: Item) -> Any:
    """The image of the first container, which is the node's own."""
    return next((container.get("image") for container in mappings(item.at("spec", "template", "spec", "containers"))), None)


def _upheaval(
    fate: Literal["removed", "renamed", "moved"],
    name: str,
    new_name: str,
    old: list[Item],
    new: list[Item],
    comparison: Comparison,
    mounted: dict[tuple[str, str], str],
) -> Upheaval:
    left = [
        (item.namespace, claim)
        for item in old
        for claim in claims(item)
        if is_known(claim) and (item.namespace, claim) not in mounted
    ]
    deleted = deleted_claims(comparison)
    once = dict.fromkeys(claim for _, claim in left)
    kept = dict.fromkeys(claim for namespace, claim in left if (namespace, claim) not in deleted)
    return Upheaval(fate, name, new_name, tuple(old), tuple(new), tuple(once), tuple(kept))


@once
def deleted_claims(comparison: Comparison) -> dict[tuple[str, str], Item]:
    """The claims whose data a change deletes, by namespace and name: each with the object by which it does."""
    found: dict[tuple[str, str], Item] = {}
    for change in comparison.of_kind("PersistentVolumeClaim"):
        if change.operation == "remove" and not change.item.outlives_stack:
            found[change.item.namespace, change.item.name] = change.item
    for change in comparison.of_kind("StatefulSet"):
        old, new = change.old, change.new
        if old is None:
            continue
        going: Iterable[int] = ()
        if change.operation in ("remove", "replace") and old.at(*_POLICY, "whenDeleted") == "Delete":
            going = ordinals(old)
        elif new is not None and new.at(*_POLICY, "whenScaled") == "Delete":
            going = scaled_down(old, new)
        found.update({(old.namespace, claim): old for claim in template_claims(old, going)})
    return found


_POLICY = ("spec", "persistentVolumeClaimRetentionPolicy")
