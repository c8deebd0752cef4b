"""One of the two states of a stack in the engine's preview: its resources as objects and sets of nodes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

from nodestead.changes.compare import Operation
from nodestead.changes.snapshot import Item, SetFacts, Snapshot
from nodestead.changes.workloads import WORKLOADS
from nodestead.kubernetes.objects import BATCHES, Identity
from nodestead.preview.engine_text import well_formed
from nodestead.preview.engine_values import plain_inputs, plain_object

__all__ = ["REPLACING", "Resource", "Side", "mapping", "texts"]

REPLACING: Final = frozenset({"replace", "create-replacement", "import-replacement"})
"""The operations after which a resource is another one."""

_COMPONENT: Final = "nodestead:index:"

State = dict[str, Any]


@dataclass(slots=True)
class Resource:
    """A resource of the program, with all that the steps say of it."""

    urn: str
    type: str
    name: str
    old: State | None = None
    new: State | None = None
    ops: set[str] = field(default_factory=set[str])
    reasons: list[str] = field(default_factory=list[str])
    differing: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def parent(self) -> str:
        """URN of its parent."""
        return str((self.new or self.old or {}).get("parent") or "")

    @property
    def operation(self) -> Operation:
        """What becomes of it."""
        if self.ops & REPLACING:
            return "replace"
        return "add" if self.old is None else "remove" if self.new is None else "change"


def mapping(value: Any) -> State | None:
    """A mapping of the JSON; None for anything else."""
    return cast("State", value) if isinstance(value, dict) else None


def texts(value: Any) -> list[str]:
    """A list of the JSON as texts."""
    return [well_formed(str(one)) for one in cast("list[Any]", value)] if isinstance(value, list) else []


# ---- one of the two states


class Side:
    """One of the two states, while it is made.

    Attributes:
        items: The object of each resource that is one, by URN.
        inferred: Names of the sets whose batches are read from dependencies.
    """

    def __init__(self, stack: str, which: str, resources: Iterable[Resource]) -> None:
        self._stack = stack
        states = ((one, cast("State | None", getattr(one, which))) for one in resources)
        self._states = [(one, state) for one, state in states if state is not None]
        self._resources = {one.urn: one for one, _ in self._states}
        self.items: dict[str, Item] = {}
        for resource, state in self._states:
            item = _item(resource, state)
            if item is not None:
                self.items[resource.urn] = item
        self.inferred: set[str] = set()

    def entries(self) -> Iterator[tuple[Resource, Item]]:
        """Every resource that is an object, with it."""
        return ((self._resources[urn], item) for urn, item in self.items.items())

    @cached_property
    def by_identity(self) -> dict[Identity, str]:
        """The URN of each object."""
        return {item.identity: urn for urn, item in self.items.items()}

    def snapshot(self, *, is_whole: bool) -> Snapshot:
        """The state."""
        snapshot = Snapshot(self._stack, complete=is_whole)
        for item in self.items.values():
            snapshot.add(item)
        snapshot.sets = [_facts(one, state) for one, state in self._states if one.type.startswith(_COMPONENT)]
        known = {one.name: one for one in snapshot.sets}
        for name in dict.fromkeys(item.set for item in snapshot.of_kind(*WORKLOADS)):
            if name and name not in known:
                self.inferred.add(name)
                snapshot.sets.append(self._inferred(name))
            elif name and not known[name].batches:
                # A state that an older version of the library wrote does not tell them.
                known[name].batches.extend(self._inferred(name).batches)
        return snapshot

    def _inferred(self, name: str) -> SetFacts:
        """What the workloads of a set say of it whose own step is not shown: each waits for one of the batch before."""
        nodes = {urn: item for urn, item in self.items.items() if item.set == name and item.is_object and item.kind in WORKLOADS}
        waits = {
            one.urn: next((other for other in texts(state.get("dependencies")) if _is_sibling(other, one.urn)), "")
            for one, state in self._states
            if one.urn in nodes
        }
        batches: dict[str, list[str]] = {}
        for urn, before in waits.items():
            batches.setdefault(before, []).append(urn)
        ordered = sorted(batches, key=lambda before: _place(before, waits))
        first = next(iter(nodes.values()))
        component = re.search(rf"{_COMPONENT}([A-Za-z0-9]+)\$", next(iter(nodes)))
        return SetFacts(
            name,
            first.namespace,
            component[1] if component else "",
            [[nodes[urn].name for urn in batches[before]] for before in ordered],
        )


def _is_sibling(urn: str, other: str) -> bool:
    """Whether two resources are of one type below parents of one type; only nodes of one set wait for each other so."""
    return urn != other and urn.rpartition("::")[0] == other.rpartition("::")[0]


def _place(before: str, waits: Mapping[str, str]) -> tuple[list[int], int]:
    """Where the batch that waits for a node comes: by the number of the first node that is not shown, then by what is."""
    depth = 0
    while before in waits and depth <= len(waits):
        before, depth = waits[before], depth + 1
    return [int(part) for part in re.findall(r"\d{1,9}", before.rpartition("::")[2])], depth


def _item(resource: Resource, state: State) -> Item | None:
    """The object of a resource; None for components, and for what is only read."""
    type_, inputs = resource.type, mapping(state.get("inputs")) or {}
    if not state.get("custom") or state.get("external") or type_.startswith(("pulumi:pulumi:", "pulumi:providers:random")):
        return None
    protected, retained = bool(state.get("protect")), bool(state.get("retainOnDelete"))
    kind = inputs.get("kind")
    if type_.startswith("kubernetes:") and isinstance(kind, str) and isinstance(inputs.get("apiVersion"), str):
        # Deleting a patch only lets go of the object.
        patch = type_.rpartition(":")[2] == f"{kind}Patch"
        return Item(plain_object(inputs, resource.name), protected, retained or patch)
    if type_.startswith("pulumi:providers:") and resource.name.startswith("default"):
        return None
    manifest: dict[str, Any] = {"kind": type_, "metadata": {"name": resource.name}}
    parent = str(state.get("parent") or "").split("::", 3)
    if len(parent) == 4 and parent[2].rpartition("$")[2].startswith(_COMPONENT):
        manifest["set"] = parent[3]
    return Item({**manifest, "inputs": plain_inputs(type_, inputs)}, protected, retained)


def _facts(resource: Resource, state: State) -> SetFacts:
    inputs = plain_inputs(resource.type, mapping(state.get("inputs")) or {})
    given = inputs.pop(BATCHES, None)
    batches = [texts(batch) for batch in cast("list[Any]", given)] if isinstance(given, list) else []
    return SetFacts(
        resource.name,
        str(inputs.get("namespace", "")),
        resource.type.removeprefix(_COMPONENT),
        [batch for batch in batches if batch],
        inputs,
    )
