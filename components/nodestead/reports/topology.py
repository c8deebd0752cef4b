"""A stack as a picture shows it: equal nodes in one box, who dials whom, what is exposed, where data and keys live."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from nodestead.changes.compare import Change
from nodestead.changes.names import counted, folded_names
from nodestead.changes.plain import at, mappings
from nodestead.changes.snapshot import Item, SetFacts, Snapshot
from nodestead.changes.versions import image_parts
from nodestead.kubernetes.names import GUARD
from nodestead.reports.dialling import Dialled
from nodestead.reports.model import Edge, Node, Topology
from nodestead.reports.stack_nodes import Operation, StackNode, StackObjects, Way, stack_nodes, stack_objects, worst

__all__ = ["topology"]

_MOST_OF_SET: Final = 6
"""Boxes for the nodes of one set; above it less is told apart."""
_MOST_GROUPS: Final = 40
"""Boxes for nodes in all; above it every set is told apart by as little as possible."""
_MOST_SETS: Final = 60
_MOST_ROUTES: Final = 20
_MOST_EDGES: Final = 2_000
_MOST_LINES: Final = 5
_LONGEST: Final = 200

Kind = Literal["nodes", "internet", "network", "entry", "claim", "key", "signer", "other"]


def topology(snapshot: Snapshot, changes: Sequence[Change] = ()) -> Topology:
    """What there is of a stack and how it hangs together.

    Args:
        snapshot: The stack as it will be.
        changes: What differs from before; boxes tell of it, and what is removed is drawn too.
    """
    return _Picture(snapshot, stack_objects(snapshot, changes)).drawn()


@dataclass(frozen=True, slots=True)
class _Group:
    """Nodes of one set that are alike."""

    id: str
    nodes: list[StackNode]

    @property
    def set(self) -> str:
        return self.nodes[0].set

    @property
    def count(self) -> int:
        return sum(one.count for one in self.nodes)


def _shape(node: StackNode, kinds: Sequence[Hashable]) -> tuple[Hashable, ...]:
    """What tells nodes of a set apart, the least important last; of whom they dial the kind."""
    ways = tuple((way.kind, tuple(port[:2] for port in way.ports), way.operation) for way in node.ways)
    dials = frozenset(map(kinds.__getitem__, node.dials))
    keys = frozenset((key.pattern, key.operation) for key in node.keys)
    claims = tuple(sorted({(one.size, one.storage_class, str(one.operation)) for one in node.claims}))
    return (
        (node.role, node.kind, node.operation),
        (node.count == 0, node.has_signer),
        ways,
        (keys, dials, node.outside, node.others),
        claims,
        node.image,
    )


class _Picture:
    def __init__(self, snapshot: Snapshot, objects: StackObjects) -> None:
        self._snapshot = snapshot
        self._objects = objects
        self._nodes: list[Node] = []
        self._edges: dict[tuple[str, str], dict[str, None]] = {}
        self._shared: dict[tuple[str, ...], str] = {}
        self._groups: list[_Group] = []
        self._group_of: dict[tuple[str, str], _Group] = {}
        self._of_set: defaultdict[str, list[_Group]] = defaultdict(list)
        self._rpc_services: defaultdict[str, list[Item]] = defaultdict(list)
        for service in objects.of_kind("Service"):
            if service.set and not service.node and service.role == "rpc":
                self._rpc_services[service.set].append(service)

    def drawn(self) -> Topology:
        by_set: defaultdict[str, list[StackNode]] = defaultdict(list)
        for node in stack_nodes(self._objects):
            by_set[node.set].append(node)
        kept = dict(list(by_set.items())[:_MOST_SETS])
        kinds = [(one.service.set, one.service.role, one.port) for one in self._objects.directory.dialled]
        for nodes in _folded(list(kept.values()), kinds):
            group = _Group(f"nodes{len(self._groups) + 1}", nodes)
            self._groups.append(group)
            self._of_set[group.set].append(group)
            for node in nodes:
                self._group_of[node.namespace, node.name] = group
        dialled = {group.id: self._dialled(group) for group in self._groups}
        for group in self._groups:
            self._draw(group, dialled[group.id])
        for group in self._groups:
            self._draw_around(group, dialled[group.id])
        self._draw_routes()
        if len(by_set) > len(kept):
            left = sum(len(nodes) for name, nodes in by_set.items() if name not in kept)
            self._box("other", f"and {len(by_set) - len(kept):,} more sets of {left:,} nodes")
        edges = [
            Edge(source=source, target=target, label=_cut(", ".join(filter(None, labels))))
            for (source, target), labels in self._edges.items()
        ]
        return Topology(nodes=self._nodes, edges=edges[:_MOST_EDGES])

    # ---- boxes and edges

    def _box(self, kind: Kind, title: str, detail: Iterable[str] = (), change: Operation = None, name: str = "") -> str:
        made = name or f"{kind}{1 + sum(one.kind == kind for one in self._nodes)}"
        self._nodes.append(Node(id=made, kind=kind, title=_cut(title), detail=_lines(detail), change=change))
        return made

    def _once(self, kind: Kind, title: str, *key: str, detail: Iterable[str] = (), change: Operation = None) -> str:
        """A box that many have to do with."""
        if (kind, *key) not in self._shared:
            self._shared[kind, *key] = self._box(kind, title, detail, change)
        return self._shared[kind, *key]

    def _edge(self, source: str, target: str, label: str = "") -> None:
        self._edges.setdefault((source, target), {})[label] = None

    def _outside(self) -> str:
        return self._once("internet", "Outside the cluster")

    # ---- nodes

    def _draw(self, group: _Group, dialled: dict[tuple[str, str], None]) -> None:
        first = group.nodes[0]
        facts = self._snapshot.facts_of(group.set)
        title = folded_names([one.name for one in group.nodes])
        if group.count > 1:
            title += f" ({group.count:,})"
        detail = [_what(group, facts)]
        if not group.count:
            detail.append("stopped: no pod")
        if (group.id, "p2p") in dialled or (group.id, "") in dialled:
            detail.append("dial each other")
        if not first.keys and first.set and facts is not None:
            # Without a Secret the daemon makes its keys by itself, where its data is.
            detail.append("own keys, kept with the data" if first.claims else "own keys, gone with the pod")
        if not first.claims and facts is not None:
            detail.append("no claim: data gone with the pod")
        self._box("nodes", title, detail, first.operation, name=group.id)

    def _dialled(self, group: _Group) -> dict[tuple[str, str], None]:
        """The boxes that a group dials, each with the port's name."""
        found: dict[tuple[str, str], None] = {}
        numbers = frozenset[int]().union(*(node.dials for node in group.nodes))
        for one in sorted(map(self._objects.directory.dialled.__getitem__, numbers), key=lambda one: one.key):
            for target in self._targets(one):
                found[target, one.port] = None
        return found

    def _targets(self, dialled: Dialled) -> Iterator[str]:
        service = dialled.service
        node = self._group_of.get((service.namespace, service.node))
        if node is not None:
            yield node.id
        elif service.set:
            yield self._rpc(service)

    def _rpc(self, service: Item) -> str:
        """The box of a Service over all nodes of a set."""
        ports = [f"{one.get('name') or 'port'} {one.get('port')}" for one in mappings(service.at("spec", "ports"))]
        title = f"Service {service.name}"
        detail = [", ".join(ports), "within the cluster"]
        change = self._objects.operation(service)
        made = self._once("entry", title, service.namespace, service.name, detail=detail, change=change)
        for group in self._of_set[service.set]:
            self._edge(made, group.id)
        return made

    def _draw_around(self, group: _Group, dialled: dict[tuple[str, str], None]) -> None:
        for target, port in dialled:
            if target != group.id:
                self._edge(group.id, target, port)
        self._draw_ways(group)
        self._draw_claims(group)
        self._draw_keys(group)
        if any(one.has_signer for one in group.nodes):
            signer = self._once("signer", "Remote signer", group.set, detail=["holds the consensus key"])
            self._edge(signer, group.id, "privval")
        self._draw_network(group)
        for service in self._rpc_services[group.set]:
            self._rpc(service)

    def _draw_ways(self, group: _Group) -> None:
        by_kind: defaultdict[str, list[Way]] = defaultdict(list)
        for node in group.nodes:
            for way in node.ways:
                by_kind[way.kind].append(way)
        for kind, ways in by_kind.items():
            title = _WAYS.get(kind, kind) if len(ways) == 1 else f"{len(ways):,} {_WAYS.get(kind, kind)}s"
            made = self._box("entry", title, _port_lines(ways), worst(way.operation for way in ways))
            self._edge(self._outside(), made)
            self._edge(made, group.id)

    def _draw_claims(self, group: _Group) -> None:
        claims = [claim for node in group.nodes for claim in node.claims]
        if not claims:
            return
        count = sum(claim.count for claim in claims)
        sizes = sorted({claim.size for claim in claims if claim.size})
        classes = sorted({claim.storage_class or "default" for claim in claims})
        detail = [f"size {_listed(sizes)}" if sizes else "size not known", f"class {_listed(classes)}"]
        change = worst(claim.operation for claim in claims)
        if change == "remove":
            kept = all(claim.kept for claim in claims)
            detail.append("stays in the cluster" if kept else "its data is deleted")
        self._edge(group.id, self._box("claim", counted(count, "PersistentVolumeClaim"), detail, change), "data")

    def _draw_keys(self, group: _Group) -> None:
        for key in {(one.own, one.operation): one for node in group.nodes for one in node.keys}.values():
            # One box for a set, whatever else tells its nodes apart.
            nodes = [node for one in self._of_set[group.set] for node in one.nodes]
            alike = [one for node in nodes for one in node.keys if (one.own, one.operation) == (key.own, key.operation)]
            facts = self._snapshot.facts_of(group.set)
            source = str(facts.facts.get("keys", "")) if facts is not None else ""
            is_seed = key.own and (source.startswith("seed") or group.set in self._objects.seeded)
            names = sorted({one.secret for one in alike})
            detail = [source] if is_seed and source else []
            detail.append(f"{counted(len(names), 'Secret')}: {folded_names(names)}")
            guards = len({one.name for node in nodes for one in self._guards(node)})
            if guards:
                detail.append(f"{counted(guards, 'consensus key')} held once")
            title = "Keys from a seed" if is_seed else "Keys of the stack" if key.own else "Given keys"
            shared = (group.set, str(key.own), str(key.operation))
            self._edge(group.id, self._once("key", title, *shared, detail=detail, change=key.operation), "keys")

    def _guards(self, node: StackNode) -> Iterator[Item]:
        for one in self._objects.by_node.get((node.namespace, node.name), []):
            if one.kind == "ConfigMap" and one.name.startswith(GUARD):
                yield one

    def _draw_network(self, group: _Group) -> None:
        for other in sorted(frozenset[str]().union(*(node.others for node in group.nodes))):
            self._edge(group.id, self._once("network", f"Set {other}", "set", other), "p2p")
        facts = self._snapshot.facts_of(group.set)
        if facts is not None and (network := _network(facts)) is not None and group.nodes[0].operation != "remove":
            # A node that is given peers of the stack only, as a validator behind sentries, knows nobody else.
            if group.nodes[0].explores:
                self._edge(group.id, self._once("network", network[0], *network), network[1])
        elif any(node.outside for node in group.nodes):
            self._edge(group.id, self._once("network", "Bootstrap nodes outside", "bootstrap"), "bootstrap")

    # ---- routes

    def _draw_routes(self) -> None:
        routes = list(self._objects.of_kind("Ingress", "HTTPRoute", "GRPCRoute"))
        for item in routes[:_MOST_ROUTES]:
            detail = [*_host_lines(item), *_guarded(item)]
            made = self._box("entry", f"{item.kind} {item.name}", detail, self._objects.operation(item))
            self._edge(self._outside(), made)
            for backend in dict.fromkeys(_backends(item)):
                for target in self._routed(item, backend):
                    self._edge(made, target)
        if len(routes) > _MOST_ROUTES:
            self._edge(self._outside(), self._box("entry", f"and {len(routes) - _MOST_ROUTES:,} more routes"))

    def _routed(self, route: Item, backend: tuple[str, str]) -> Iterator[str]:
        namespace, name = backend
        service = self._objects.services.by_name.get((namespace or route.namespace, name))
        if service is not None:
            yield from self._targets(Dialled(service, ""))


_WAYS = {"NodePort": "node port Service", "LoadBalancer": "load balancer", "hostPort": "host port node"}


# ---- folding


def _folded(sets: Sequence[list[StackNode]], kinds: Sequence[Hashable]) -> list[list[StackNode]]:
    """Equal nodes of each set, told apart by less where that would be too many boxes."""
    shapes = [[_shape(node, kinds) for node in nodes] for nodes in sets]
    depths = [_depth(one, len(one[0]) if one else 1, _MOST_OF_SET) for one in shapes]
    while sum(len({shape[:depth] for shape in one}) for one, depth in zip(shapes, depths, strict=True)) > _MOST_GROUPS:
        if max(depths, default=1) == 1:
            break
        deepest = max(depths)
        depths = [min(depth, deepest - 1) for depth in depths]
    made: list[list[StackNode]] = []
    for nodes, of_set, depth in zip(sets, shapes, depths, strict=True):
        groups: defaultdict[Hashable, list[StackNode]] = defaultdict(list)
        for node, shape in zip(nodes, of_set, strict=True):
            groups[shape[:depth]].append(node)
        made += groups.values()
    return made


def _depth(shapes: Sequence[tuple[Hashable, ...]], depth: int, most: int) -> int:
    while depth > 1 and len({shape[:depth] for shape in shapes}) > most:
        depth -= 1
    return depth


# ---- words


def _cut(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def _lines(lines: Iterable[str]) -> list[str]:
    return [_cut(line) for line in lines if line][:12]


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")


def _what(group: _Group, facts: SetFacts | None) -> str:
    """What runs there: `storage node, codex 0.2.5`."""
    first = group.nodes[0]
    software = str(facts.facts.get("software.kind", "")) if facts is not None else ""
    versions = {_version(one.image) for one in group.nodes}
    version = versions.pop() if len(versions) == 1 else "several versions"
    role = first.role.replace("-", " ")
    return ", ".join(part for part in (role, f"{software} {version}".strip()) if part)


def _version(image: str) -> str:
    """The tag of an image; of a digest the beginning."""
    _, tag, digest = image_parts(image)
    return tag or digest[:15]


def _port_lines(ways: Sequence[Way]) -> Iterator[str]:
    """The ports of ways in that are alike: `p2p 30500 … 30590 TCP`."""
    numbers: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for way in ways:
        for name, protocol, number in way.ports:
            numbers[name, protocol].add(number)
    for (name, protocol), found in list(numbers.items())[:_MOST_LINES]:
        known = sorted(number for number in found if number)
        text = "" if not known else str(known[0]) if len(known) == 1 else f"{known[0]} … {known[-1]}"
        yield " ".join(part for part in (name, text, protocol) if part)
    if len(numbers) > _MOST_LINES:
        yield f"and {len(numbers) - _MOST_LINES} more ports"


def _network(facts: SetFacts) -> tuple[str, str] | None:
    """A public network that a set belongs to, and how its nodes find it."""
    given = facts.facts
    name = given.get("bootstrap.name")
    if isinstance(name, str) and name != "not set":
        return f"{given.get('software.kind', '')} {name}".strip(), "bootstrap"
    if given.get("network.kind") == "public":
        return f"Chain {given.get('software.chainId', '')}".strip(), "p2p"
    return None


def _host_lines(route: Item) -> Iterator[str]:
    named: Any = route.at("spec", "hostnames")
    by_rule = [_text(rule.get("host")) or "any host" for rule in mappings(route.at("spec", "rules"))]
    found = list(dict.fromkeys(map(_text, cast("list[Any]", named)) if isinstance(named, list) else by_rule))
    yield from found[:_MOST_LINES]
    if len(found) > _MOST_LINES:
        yield f"and {len(found) - _MOST_LINES} more hosts"


def _guarded(route: Item) -> Iterator[str]:
    """How a route is guarded, as far as the object itself says so."""
    parts = ["TLS"] if route.at("spec", "tls") else []
    if any(name.endswith("/auth-type") for name in route.annotations):
        parts.append("password")
    if parts:
        yield ", ".join(parts)


def _backends(route: Item) -> Iterator[tuple[str, str]]:
    """Namespace and name of the Services behind a route; the namespace is empty where it is the route's."""
    for rule in mappings(route.at("spec", "rules")):
        for path in mappings(at(rule, "http", "paths")):
            yield "", _text(at(path, "backend", "service", "name"))
        for ref in mappings(rule.get("backendRefs")):
            yield _text(ref.get("namespace")), _text(ref.get("name"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
