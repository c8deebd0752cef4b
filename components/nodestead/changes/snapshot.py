"""The objects of a stack at one time, wherever they were read from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from nodestead.changes.plain import at
from nodestead.kubernetes.objects import Identity, Manifest, identity, is_kept

__all__ = [
    "PASSWORD_TYPE",
    "PROVIDER_TYPE",
    "Item",
    "SetFacts",
    "Snapshot",
    "SnapshotError",
    "snapshot_from_json",
    "snapshot_to_json",
    "subject",
]

PASSWORD_TYPE = "random:index/randomPassword:RandomPassword"  # noqa: S105 # a type of resource
"""The type of what holds a seed or a generated password."""

PROVIDER_TYPE = "pulumi:providers:kubernetes"
"""The type of what names the cluster."""

_FORMAT, _VERSION = "nodestead-snapshot", 1


class SnapshotError(ValueError):
    """A text that holds no snapshot."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object of a stack.

    Attributes:
        manifest: A Kubernetes object, all of it plain; or, for any other resource of a program, its type as `kind`, its
            Pulumi name as `metadata.name`, no apiVersion, and what it was given as `inputs`.
        protected: Whether the engine refuses to delete it.
        retained: Whether the object stays in the cluster when it leaves the stack.
    """

    manifest: Manifest
    protected: bool = False
    retained: bool = False

    @property
    def identity(self) -> Identity:
        """API group, kind, namespace and name; for what is no Kubernetes object all but kind and name are empty."""
        return identity(self.manifest) if self.is_object else ("", self.kind, "", self.name)

    @property
    def is_object(self) -> bool:
        """Whether it is a Kubernetes object."""
        return "apiVersion" in self.manifest

    @property
    def kind(self) -> str:
        """`StatefulSet`; `random:index/randomPassword:RandomPassword` for another resource."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """The object's name; the Pulumi name of another resource."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace; empty for what has none."""
        return str(self.manifest["metadata"].get("namespace") or "")

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels."""
        return cast("Mapping[str, str]", self.manifest["metadata"].get("labels") or {})

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations."""
        return cast("Mapping[str, str]", self.manifest["metadata"].get("annotations") or {})

    @property
    def set(self) -> str:
        """Name of the set of nodes that it belongs to; empty for what belongs to none."""
        if not self.is_object:
            return str(self.manifest.get("set", ""))
        return self.labels.get("app.kubernetes.io/instance", "") if "nodestead.io/set" in self.labels else ""

    @property
    def node(self) -> str:
        """Name of the node that it belongs to, which is that of the node's workload; empty for shared objects."""
        return self.labels.get("nodestead.io/node", "")

    @property
    def role(self) -> str:
        """What it is in its set: `chain-node`, `bootstrap-node`; empty where it does not say."""
        return self.labels.get("app.kubernetes.io/component", "")

    def at(self, *path: str) -> Any:
        """What stands at a path of mappings in it; None where nothing does."""
        return at(self.manifest, *path)

    @property
    def outlives_stack(self) -> bool:
        """Whether the cluster keeps it when the stack lets go of it."""
        return self.retained or (self.is_object and is_kept(self.manifest))


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What is known of a set of nodes beside its objects.

    Attributes:
        name: Its name.
        namespace: The namespace of its objects.
        component: `StorageNodeGroup`, `BlockchainNodeSet`, ...
        batches: Names of nodes in the order of a rollout, as `rollout_waves` gives them.
        facts: What may not change under kept data, or costs something when it does, by its path in the config.
    """

    name: str
    namespace: str
    component: str
    batches: list[list[str]] = field(default_factory=list[list[str]])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Snapshot:
    """The objects of a stack.

    Attributes:
        stack: Name of the stack.
        items: Its objects by identity, in the order of registration.
        sets: Its sets of nodes.
        complete: Whether all of the stack is there; the engine's preview may tell of changes only.
    """

    stack: str
    items: dict[Identity, Item] = field(default_factory=dict[Identity, Item])
    sets: list[SetFacts] = field(default_factory=list[SetFacts])
    complete: bool = True

    def of_kind(self, *kinds: str) -> Iterator[Item]:
        """The Kubernetes objects of some kinds."""
        return (item for key, item in self.items.items() if key[1] in kinds and item.is_object)

    def facts_of(self, name: str) -> SetFacts | None:
        """What is known of a set, by its name."""
        return next((one for one in self.sets if one.name == name), None)

    def add(self, item: Item) -> None:
        """Enters an object; the last of one identity stays."""
        self.items[item.identity] = item


def subject(item: Item) -> str:
    """What is told of an object is told of this: its set, else the object."""
    return item.set or f"{item.kind}/{item.name}"


def snapshot_to_json(snapshot: Snapshot) -> str:
    """The text by which a revision's own code hands its objects to another one's."""
    items: list[dict[str, Any]] = []
    for item in snapshot.items.values():
        flags = {key: True for key in ("protected", "retained") if getattr(item, key)}
        items.append({"manifest": item.manifest, **flags})
    sets = [
        {
            "name": one.name,
            "namespace": one.namespace,
            "component": one.component,
            "batches": one.batches,
            "facts": one.facts,
        }
        for one in snapshot.sets
    ]
    head = {"format": _FORMAT, "version": _VERSION, "stack": snapshot.stack, "complete": snapshot.complete}
    return json.dumps({**head, "items": items, "sets": sets}, ensure_ascii=False, separators=(",", ":"))


def snapshot_from_json(text: str) -> Snapshot:
    """Reads what `snapshot_to_json` wrote.

    Raises:
        SnapshotError: for any other text, and for one of another version.
    """
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise SnapshotError(f"its format is {content['format']!r}, not {_FORMAT!r}")
        if content["version"] != _VERSION:
            raise SnapshotError(f"its version is {content['version']!r} and this nodestead reads {_VERSION}; use one for both")
        snapshot = Snapshot(content["stack"], complete=content["complete"])
        for one in content["items"]:
            snapshot.add(Item(one["manifest"], protected=one.get("protected", False), retained=one.get("retained", False)))
        snapshot.sets = [SetFacts(**one) for one in content["sets"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, SnapshotError):
            raise
        raise SnapshotError("it is no snapshot of a stack") from None
    return snapshot
