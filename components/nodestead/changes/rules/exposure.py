"""Risk rules about ways from outside: APIs that nobody guards, and addresses that peers dial."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from nodestead.changes.compare import Comparison
from nodestead.changes.names import folded_names
from nodestead.changes.plain import listed, mappings
from nodestead.changes.rule import Found, Rule
from nodestead.changes.secret_text import safe_text
from nodestead.changes.sets import validators, value_text
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.ways import Way, Ways, ways_of
from nodestead.changes.workloads import WORKLOADS, containers, pod_spec, replicas

__all__ = ["RULES"]

_PARTS: Final = frozenset({"Ingress", "Service", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "ConfigMap", *WORKLOADS})
_UNSAFE = re.compile(r"\bunsafe\b[\"']?\s*[:=]\s*true|--(?:rpc[.-])?unsafe\b", re.IGNORECASE)


def _concerned(comparison: Comparison) -> bool:
    """Whether anything changes that could make or end a way."""
    return any(change.item.kind in _PARTS for change in comparison.changes)


# ---- APIs

Place = tuple[str, str]
"""A node, and a port of it."""


def _places(ways: Iterable[Way]) -> dict[Place, list[Way]]:
    found: dict[Place, list[Way]] = {}
    for way in ways:
        for node in way.nodes:
            found.setdefault((node, way.port), []).append(way)
    return found


def _bared(comparison: Comparison) -> Iterator[tuple[Way, list[str], bool]]:
    """Ways to an API that ask nobody and are new, with the nodes, and whether the same way asked before."""
    if not _concerned(comparison):
        return
    before, after = (_places(one.api()) for one in ways_of(comparison))
    # A node that joins others which are open in the same way changes nothing.
    open_before = {(way.subject, way.port, way.kind) for ways in before.values() for way in ways if not way.asks}
    nodes_before = {item.name for item in comparison.base.of_kind(*WORKLOADS)}
    grouped: dict[tuple[str, str, str, str], tuple[Way, list[str], bool]] = {}
    for (node, port), ways in after.items():
        was = before.get((node, port), [])
        # The proxy's port and the node's own are one API.
        was = was + (before.get((node, "api" if port == "api-auth" else "api-auth"), []) if port in ("api", "api-auth") else [])
        if any(not one.asks and not one.limited for one in was):
            continue
        for way in ways:
            if way.asks or any(not one.asks and one.by == way.by and one.kind == way.kind for one in was):
                continue
            if node not in nodes_before and (way.subject, way.port, way.kind) in open_before:
                continue
            asked = any(one.asks and one.kind == way.kind for one in was)
            by = way.by if way.is_routed else way.kind
            _, nodes, _ = grouped.setdefault((way.subject, way.port, by, str(asked)), (way, [], asked))
            if node not in nodes:
                nodes.append(node)
    yield from grouped.values()


def _is_meant(comparison: Comparison, way: Way) -> bool:
    """Whether a chain serves the public there: by routes that were asked for, from nodes without keys and unsafe calls."""
    item = next((one for one in comparison.head.of_kind("StatefulSet") if one.name in way.nodes), None)
    serves = item is not None and item.role == "chain-node"
    if not serves or way.port not in ("rpc", "api", "grpc", "grpc-web") or not (way.is_routed or way.limited):
        return way.limited
    return not validators(comparison.head, way.subject) and not _is_unsafe(comparison.head, way.subject)


def _is_unsafe(snapshot: Snapshot, name: str) -> bool:
    texts = [str(text) for item in snapshot.of_kind("ConfigMap") if item.set == name for text in _texts(item.at("data"))]
    for item in snapshot.of_kind("StatefulSet"):
        if item.set == name:
            texts += [str(part) for one in containers(item) for part in (*listed(one.get("args")), *listed(one.get("command")))]
    return any(_UNSAFE.search(text) for text in texts)


def _texts(data: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", data).values() if isinstance(data, dict) else ()


def _through(way: Way) -> str:
    return way.by if way.is_routed else {"HostPort": "a port of the host", "ExternalIP": "an external IP"}.get(way.kind, way.kind)


def _api_exposed(comparison: Comparison) -> Iterator[Found]:
    for way, nodes, asked in _bared(comparison):
        if not asked and not _is_meant(comparison, way):
            what = f"port {way.port} is open to whoever reaches {_through(way)}, without a password"
            yield Found(way.subject, what, tuple(nodes))


def _endpoint_published(comparison: Comparison) -> Iterator[Found]:
    for way, nodes, asked in _bared(comparison):
        if not asked and _is_meant(comparison, way):
            who = "the addresses that it lets through" if way.limited else "everybody"
            yield Found(way.subject, f"port {way.port} serves {who} through {_through(way)}, without a password", tuple(nodes))


def _auth_removed(comparison: Comparison) -> Iterator[Found]:
    for way, nodes, asked in _bared(comparison):
        if asked:
            yield Found(way.subject, f"{_through(way)} to port {way.port} asks for no password any more", tuple(nodes))


# ---- ports of all hosts

_Port = tuple[str, int]
_MOST_PORTS = 4


def _held(snapshot: Snapshot) -> dict[_Port, Item]:
    """The Service that holds each node port, by protocol and port."""
    return {
        (str(port.get("protocol") or "TCP"), port["nodePort"]): item
        for item in snapshot.of_kind("Service")
        for port in mappings(item.at("spec", "ports"))
        if isinstance(port.get("nodePort"), int) and port["nodePort"]
    }


def _port_taken(comparison: Comparison) -> Iterator[Found]:
    if not any(change.item.kind == "Service" for change in comparison.changes):
        return
    before = _held(comparison.base)
    grouped: dict[tuple[str, bool], list[tuple[str, str, str]]] = {}
    for (protocol, number), item in _held(comparison.head).items():
        holder = before.get((protocol, number))
        if holder is not None and holder.identity != item.identity:
            stays = holder.identity in comparison.head.items
            names = f"{protocol} {number}", holder.name, item.name
            grouped.setdefault((subject(item), stays), []).append(names)
    for (name, stays), found in grouped.items():
        ports, holders, wanted = (list(dict.fromkeys(part)) for part in zip(*found, strict=True))
        one = len(holders) == 1
        which = ", ".join(ports) if len(ports) <= _MOST_PORTS else f"{len(ports):,} node ports, as {ports[0]}"
        changes, are = ("it changes", "it is") if one else ("they change", "they are")
        until = f"until {changes} too" if stays else f"until {are} deleted, at the end"
        what = (
            f"{folded_names(wanted)} want{'s' * (len(wanted) == 1)} {which}, which {folded_names(holders)}"
            f" still {'has' if one else 'have'} {until}: the API server refuses it in the preview, an update without one stops"
            " there, half done"
        )
        yield Found(name, what, tuple(wanted), "preview")


# ---- peers


def _peer_ways(ways: Ways) -> dict[str, list[Way]]:
    found: dict[str, list[Way]] = {}
    for way in ways.all:
        if way.purpose == "peers":
            for node in way.nodes:
                found.setdefault(node, []).append(way)
    return found


def _exposure_removed(comparison: Comparison) -> Iterator[Found]:
    if not _concerned(comparison):
        return
    before, after = map(_peer_ways, ways_of(comparison))
    stays = {item.name: item for item in comparison.head.of_kind(*WORKLOADS) if replicas(item)}
    grouped: dict[tuple[str, str], list[str]] = {}
    for node, ways in before.items():
        if node in stays and node not in after:
            kinds = folded_names([way.kind for way in ways])
            grouped.setdefault((subject(stays[node]), f"peers from outside lose the way in ({kinds})"), []).append(node)
    for (name, what), nodes in grouped.items():
        yield Found(name, what, tuple(nodes))


_PORT_FIELDS = ("nodePort", "hostPort")
_SERVICE_FIELDS = ("type", "loadBalancerIP", "loadBalancerClass", "externalIPs")
_ANNOUNCED = ("ADDRESS_FROM", "ADDRESS", "ADDRESS_URL", "NAT_ARG")


def _address_changed(comparison: Comparison) -> Iterator[Found]:
    if not _concerned(comparison):
        return
    before, after = map(_peer_ways, ways_of(comparison))
    old_items, new_items = _by_maker(comparison.base), _by_maker(comparison.head)
    grouped: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    for item in comparison.head.of_kind(*WORKLOADS):
        node = item.name
        old = comparison.base.items.get(item.identity)
        if old is None or node not in before or node not in after or not (replicas(old) and replicas(item)):
            continue
        was = _facts(old, [old_items[way.by] for way in before[node] if way.by in old_items], comparison.base)
        now = _facts(item, [new_items[way.by] for way in after[node] if way.by in new_items], comparison.head)
        differ = [key for key in was | now if was.get(key) != now.get(key)]
        if differ:
            key = differ[0]
            example = f"{key} {safe_text(value_text(was.get(key), now.get(key)))}"
            grouped.setdefault((subject(item), tuple(differ)), []).append((node, example))
    for (name, differ), nodes in grouped.items():
        first = nodes[0][1] if len(nodes) == 1 else f"on {nodes[0][0]} {nodes[0][1]}"
        more = f", and {folded_names(differ[1:])}" if len(differ) > 1 else ""
        yield Found(name, f"{first}{more}: peers that know the old address lose the node", tuple(node for node, _ in nodes))


def _by_maker(snapshot: Snapshot) -> dict[str, Item]:
    return {f"{item.kind}/{item.name}": item for item in snapshot.of_kind("Service", *WORKLOADS)}


def _facts(workload: Item, makers: Iterable[Item], snapshot: Snapshot) -> dict[str, Any]:
    """What decides at which address peers find a node."""
    found: dict[str, Any] = {}
    for item in makers:
        if item.kind != "Service":
            continue
        for port in mappings(item.at("spec", "ports")):
            called = f"{port.get('name')} port"
            found[called] = port.get("nodePort") or port.get("port")
        for field in _SERVICE_FIELDS:
            if item.at("spec", field) is not None:
                found[field] = item.at("spec", field)
        notes = {key: value for key, value in item.annotations.items() if not key.startswith(("pulumi.com/", "kubectl."))}
        found |= {f"annotation {key}": value for key, value in notes.items()}
    for container in containers(workload):
        for port in mappings(container.get("ports")):
            if port.get("hostPort"):
                found.setdefault(f"{port.get('name')} port", port["hostPort"])
        for one in mappings(container.get("env")):
            if one.get("name") in _ANNOUNCED and "value" in one:
                found[str(one["name"])] = one["value"]
    found |= _announced_in_files(workload, snapshot)
    return found


_ADDRESS = re.compile(r'"address":\s*(\{[^{}]*\})|"external_address":\s*("[^"]*")')


def _announced_in_files(workload: Item, snapshot: Snapshot) -> dict[str, Any]:
    """What the files say that a node reads: chains are told their address there, pooled nodes theirs by the pod's name."""
    found: dict[str, Any] = {}
    for volume in mappings(pod_spec(workload).get("volumes")):
        source = volume.get("configMap")
        name = cast("dict[str, Any]", source).get("name") if isinstance(source, dict) else None
        config = snapshot.items.get(("", "ConfigMap", workload.namespace, str(name))) if name else None
        data = config.at("data") if config is not None else None
        if not isinstance(data, dict):
            continue
        entries = cast("dict[str, Any]", data)
        if volume.get("name") == "addresses":
            found["addresses"] = ", ".join(f"{pod} {address}" for pod, address in entries.items())
        text = str(entries.get("node.json", ""))
        if match := _ADDRESS.search(text):
            found["announced address"] = " ".join((match[1] or match[2]).split())
    return found


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "api-exposed",
        "danger",
        "An API or RPC is open to the world",
        "Whoever reaches it controls the node, or asks so much of it that it falls behind; nobody is asked for a password.",
        "Ask for a password (auth: generated), let only some addresses through, or keep the way inside the cluster.",
        _api_exposed,
    ),
    Rule(
        "auth-removed",
        "danger",
        "A way to an API asks for no password any more",
        "Whoever knows the address controls the node.",
        "Keep the auth of the route; give clients a password of their own.",
        _auth_removed,
    ),
    Rule(
        "port-taken",
        "danger",
        "A node port goes from one Service to another",
        "The API server gives a node port to one Service at a time: the preview fails, or the update in its middle.",
        "Take ports that are free before and afterwards; or take two updates, and free the ports in the first.",
        _port_taken,
    ),
    Rule(
        "endpoint-published",
        "caution",
        "Nodes of a chain serve the public",
        "Anybody may ask them for as much as they like, which costs CPU, memory and traffic.",
        "Limit the rate at the controller, and keep validators and their sentries out of the set that serves.",
        _endpoint_published,
    ),
    Rule(
        "announced-address-changed",
        "caution",
        "Peers find the nodes at another address",
        "Peers that know the old address lose the node until they hear of the new one; firewalls and lists of peers name it too.",
        "Open the new port first, tell who has the address in a list, and move one node at a time.",
        _address_changed,
    ),
    Rule(
        "exposure-removed",
        "caution",
        "Peers from outside lose the way in",
        "The nodes reach others only by dialling out, and are found by nobody from outside.",
        "Keep the exposure, unless the nodes are to be private.",
        _exposure_removed,
    ),
)
