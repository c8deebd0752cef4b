"""The nodes of a stack as a picture needs them: what they expose, keep, hold and dial."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from nodestead.changes.compare import Change
from nodestead.changes.names import template
from nodestead.changes.plain import at, mappings
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.changes.workloads import WORKLOADS
from nodestead.reports.dialling import Directory, Services, hosts, texts

__all__ = ["Claim", "Key", "Operation", "StackNode", "StackObjects", "Way", "stack_nodes", "stack_objects", "worst"]

Operation = Literal["add", "change", "replace", "remove"] | None

Identity = tuple[str, str, str, str]

_WORST: tuple[Operation, ...] = (None, "add", "change", "remove", "replace")
_MOST_PORTS = 40


def worst(operations: Iterable[Operation]) -> Operation:
    """What is said of several objects in one box."""
    return max(operations, key=_WORST.index, default=None)


@dataclass(frozen=True, slots=True)
class Way:
    """A way in from outside the cluster.

    Attributes:
        kind: `NodePort`, `LoadBalancer` or `hostPort`.
        ports: Name, protocol and number of each port.
        operation: What becomes of it.
    """

    kind: str
    ports: tuple[tuple[str, str, int], ...]
    operation: Operation = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume that a node keeps its data in."""

    size: str
    storage_class: str
    kept: bool
    count: int = 1
    operation: Operation = None


@dataclass(frozen=True, slots=True)
class Key:
    """A Secret with a node's keys.

    Attributes:
        secret: Its name.
        pattern: The name without what differs between nodes.
        own: Whether the stack makes it; else somebody gave it.
        operation: What becomes of it.
    """

    secret: str
    pattern: str
    own: bool
    operation: Operation = None


@dataclass(frozen=True, slots=True)
class StackNode:
    """A workload with what belongs to it.

    Attributes:
        name: Its name, which is that of the node.
        set: Name of its set; `Kind/name` for one of none.
        namespace: Its namespace.
        kind: `StatefulSet`, ...
        role: What it is in its set.
        image: The image of its first container.
        count: Pods that it asks for.
        operation: What becomes of the workload.
        ways: How it is reached from outside the cluster.
        claims: Where its data is.
        keys: Where its keys are.
        has_signer: Whether a remote signer dials it.
        dials: Numbers of the Services of the stack that it dials.
        outside: Whether it asks hosts outside the stack for its first peers.
        explores: Whether it looks for more peers than those that it is given.
        others: Sets of other stacks that it dials, as `set in stack name`.
    """

    name: str
    set: str
    namespace: str
    kind: str
    role: str
    image: str
    count: int
    operation: Operation
    ways: tuple[Way, ...]
    claims: tuple[Claim, ...]
    keys: tuple[Key, ...]
    has_signer: bool
    dials: frozenset[int]
    outside: bool
    explores: bool
    others: frozenset[str]


@dataclass(slots=True)
class StackObjects:
    """The objects of a stack, those included that a change removes.

    Attributes:
        items: By identity.
        operations: What becomes of those that change.
        services: Its Services.
        directory: What its nodes dial.
        seeded: Names of the sets whose keys come from a seed in the stack's state.
        by_node: Its objects by the namespace and the name of their node.
    """

    items: dict[Identity, Item]
    operations: dict[Identity, Operation]
    services: Services
    directory: Directory
    seeded: set[str]
    by_node: Mapping[tuple[str, str], list[Item]] = field(default_factory=dict[tuple[str, str], list[Item]])

    def operation(self, item: Item) -> Operation:
        """What becomes of an object."""
        return self.operations.get(item.identity)

    def find(self, kind: str, namespace: str, name: str) -> Item | None:
        """An object of the core group."""
        return self.items.get(("", kind, namespace, name))

    def of_kind(self, *kinds: str) -> Iterator[Item]:
        """The objects of some kinds."""
        return (one for one in self.items.values() if one.kind in kinds)


def stack_objects(snapshot: Snapshot, changes: Sequence[Change]) -> StackObjects:
    """The objects of a stack and what becomes of them."""
    items = {key: one for key, one in snapshot.items.items() if one.is_object}
    operations: dict[Identity, Operation] = {}
    for change in changes:
        item = change.item
        if item.is_object:
            operations[item.identity] = change.operation
            items.setdefault(item.identity, item)
    by_node: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
    for one in items.values():
        if one.node:
            by_node[one.namespace, one.node].append(one)
    others = [*snapshot.items.values(), *(change.item for change in changes)]
    seeded = {one.set for one in others if not one.is_object and one.set and one.name == f"{one.set}-seed"}
    services = Services.of(items.values())
    return StackObjects(items, operations, services, Directory(services), seeded, by_node)


def stack_nodes(objects: StackObjects) -> Iterator[StackNode]:
    """Every workload of a stack."""
    return (_node(item, objects) for item in objects.of_kind(*WORKLOADS))


def _node(item: Item, objects: StackObjects) -> StackNode:
    pod = item.at("spec", "template", "spec")
    own = objects.by_node.get((item.namespace, item.node), []) if item.node else []
    volumes = mappings(at(pod, "volumes"))
    mounted = list(_mounted(item, volumes, objects))
    given = list(_given(item, mounted))
    containers = mappings(at(pod, "containers"))
    count = item.at("spec", "replicas")
    services = [one for one in own if one.kind == "Service"]
    return StackNode(
        name=item.name,
        set=item.set or f"{item.kind}/{item.name}",
        namespace=item.namespace,
        kind=item.kind,
        role=item.role if item.set else item.kind,
        image=str(containers[0].get("image") or "") if containers else "",
        count=int(count) if isinstance(count, int | float) else 1,
        operation=objects.operation(item),
        ways=tuple(_ways(item, services, containers, objects)),
        claims=tuple(_claims(item, volumes, own, objects)),
        keys=tuple(_keys(item, volumes, objects)),
        has_signer=any(_port_named(one, "privval") for one in services),
        dials=objects.directory.numbers(given, item.namespace, item.node),
        outside=_finds_peers_outside(item, objects),
        explores=not any(_PEX_OFF in text for one in mounted for text in texts(one.at("data"))),
        others=frozenset(found for text in given for found in _of_other_stacks(text)),
    )


def _port_named(service: Item, name: str) -> bool:
    return any(port.get("name") == name for port in mappings(service.at("spec", "ports")))


# ---- ways in


def _ways(item: Item, services: Sequence[Item], containers: Sequence[dict[str, Any]], objects: StackObjects) -> Iterator[Way]:
    for service in services:
        kind = service.at("spec", "type")
        if kind in ("NodePort", "LoadBalancer"):
            number = "nodePort" if kind == "NodePort" else "port"
            yield Way(str(kind), _ports(mappings(service.at("spec", "ports")), number), objects.operation(service))
    ports = [port for one in containers for port in mappings(one.get("ports")) if "hostPort" in port]
    if ports:
        yield Way("hostPort", _ports(ports, "hostPort"), objects.operation(item))


def _ports(ports: Sequence[dict[str, Any]], number: str) -> tuple[tuple[str, str, int], ...]:
    def read(port: dict[str, Any]) -> tuple[str, str, int]:
        value = port.get(number)
        return str(port.get("name") or ""), str(port.get("protocol") or "TCP"), value if isinstance(value, int) else 0

    return tuple(read(port) for port in ports[:_MOST_PORTS])


# ---- claims and keys


def _claims(item: Item, volumes: Sequence[dict[str, Any]], own: Sequence[Item], objects: StackObjects) -> Iterator[Claim]:
    found = {one.identity: one for one in own if one.kind == "PersistentVolumeClaim"}
    for name in (_text_at(volume, "persistentVolumeClaim", "claimName") for volume in volumes):
        claim = objects.find("PersistentVolumeClaim", item.namespace, name)
        if claim is not None:
            found[claim.identity] = claim
        elif name:
            yield Claim("", "", kept=True)
    for claim in found.values():
        yield Claim(*_size(claim.manifest), kept=claim.outlives_stack, operation=objects.operation(claim))
    count = item.at("spec", "replicas")
    for made in mappings(item.at("spec", "volumeClaimTemplates")):
        operation = objects.operation(item)
        # A workload of many pods changes more often than its claims do, which nothing but a replacement touches.
        touched: Operation = operation if operation in ("add", "remove") else None
        yield Claim(*_size(made), kept=True, count=count if isinstance(count, int) else 1, operation=touched)


def _size(claim: Mapping[str, Any]) -> tuple[str, str]:
    """Size and class of a claim."""
    return _text_at(claim, "spec", "resources", "requests", "storage"), _text_at(claim, "spec", "storageClassName")


def _keys(item: Item, volumes: Sequence[dict[str, Any]], objects: StackObjects) -> Iterator[Key]:
    for volume in volumes:
        if "key" not in str(volume.get("name")):
            continue
        sources = mappings(at(volume, "projected", "sources"))
        names = [_text_at(volume, "secret", "secretName"), *(_text_at(one, "secret", "name") for one in sources)]
        for name in filter(None, names):
            secret = objects.find("Secret", item.namespace, name)
            operation = objects.operation(secret) if secret is not None else None
            yield Key(name, template(name, item.node), secret is not None, operation)


def _text_at(value: Any, *path: str) -> str:
    """The text at a path of mappings; empty where there is none."""
    found = at(value, *path)
    return "" if found is None or isinstance(found, dict | list) else str(cast("object", found))


# ---- whom it dials


# What a rendering shows for the peers of another stack; those that a node knows and does not dial stand elsewhere.
_OTHER_STACK = re.compile(r"\(peers of ([^()]{1,80} in stack [^()]{1,120})\)")
_DIALLED_PEERS = re.compile(r'persistent_peers": "([^"]*)"')
_PEX_OFF = '"pex": false'


def _given(item: Item, mounted: Sequence[Item]) -> Iterator[str]:
    """The texts that a workload's pods get."""
    yield from texts(item.at("spec", "template", "spec"))
    for one in mounted:
        yield from texts(one.at("data"))


def _of_other_stacks(text: str) -> Iterator[str]:
    if "(peers of " in text:
        for peers in _DIALLED_PEERS.findall(text):
            yield from _OTHER_STACK.findall(peers)


def _mounted(item: Item, volumes: Sequence[dict[str, Any]], objects: StackObjects) -> Iterator[Item]:
    """The ConfigMaps of the stack that a workload's pods read as files."""
    for volume in volumes:
        for name in _config_maps(volume):
            found = objects.find("ConfigMap", item.namespace, name)
            if found is not None:
                yield found


def _config_maps(volume: Mapping[str, Any]) -> Iterator[str]:
    """The ConfigMaps that a volume shows."""
    for one in (volume, *mappings(at(volume, "projected", "sources"))):
        if name := _text_at(one, "configMap", "name"):
            yield name


def _finds_peers_outside(item: Item, objects: StackObjects) -> bool:
    spec = item.at("spec", "template", "spec")
    containers = [
        one for part in ("initContainers", "containers") for one in mappings(cast("dict[str, Any]", spec or {}).get(part))
    ]
    urls = [
        str(variable.get("value"))
        for one in containers
        for variable in mappings(one.get("env"))
        if variable.get("name") == "BOOTSTRAP_URLS"
    ]
    return any(objects.services.resolve(host, port, item.namespace) is None for text in urls for host, port in hosts(text))
