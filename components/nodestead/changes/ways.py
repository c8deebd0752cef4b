"""Ways from outside the cluster to the ports of nodes, and whether they ask who comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, cast

from nodestead.changes.compare import Comparison, once
from nodestead.changes.plain import mappings
from nodestead.changes.selection import is_selected, selects_of
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, pod_spec, replicas

__all__ = ["Way", "Ways", "ways_of"]

Purpose = Literal["peers", "api", "other"]

_PEERS: Final = frozenset({"p2p", "discovery", "peers", "libp2p", "swarm", "tcp-p2p", "udp-p2p", "quic"})
_API: Final = frozenset(
    "admin api api-auth debug engine grpc grpc-web http http-rpc json-rpc jsonrpc lcd pprof privval rest rpc ws ws-rpc".split()
)
# CometBFT and the Cosmos SDK; Ethereum clients; monerod and its wallet; hoprd; storage nodes of this library.
_API_PORTS: Final = frozenset(
    {1234, 1317, 3001, 8080, 8081, 8545, 8546, 8551, 9090, 9091, 18081, 18083, 18089, 26657, 26658, 26659}
)
_OTHER: Final = frozenset({"metrics", "prometheus", "health"})
_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")
_INTERNAL: Final = ("load-balancer-internal", "load-balancer-type", "internal-load-balancer", "load-balancer-scheme")
_ANYWHERE: Final = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True)
class Way:
    """A way from outside.

    Attributes:
        subject: The set that it leads to; `Kind/name` for what belongs to none.
        nodes: The workloads that it leads to; the object's name where they are not known.
        port: Name or number of the port.
        purpose: What the port is for.
        by: What makes it: `Ingress/codex`.
        kind: Ingress, Route, NodePort, LoadBalancer, ExternalIP or HostPort.
        asks: Whether a password or the like is asked for.
        limited: Whether only some addresses come through.
    """

    subject: str
    nodes: tuple[str, ...]
    port: str
    purpose: Purpose
    by: str
    kind: str
    asks: bool
    limited: bool

    @property
    def is_routed(self) -> bool:
        """Whether a controller stands between, with host names and TLS."""
        return self.kind in ("Ingress", "Route")


class Ways:
    """All ways into a stack."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def all(self) -> tuple[Way, ...]:
        """Every way, in the order of the objects."""
        return tuple(self._find())

    def api(self) -> Iterator[Way]:
        """Those that lead to an API."""
        return (way for way in self.all if way.purpose == "api")

    def _find(self) -> Iterator[Way]:
        for item in self._snapshot.of_kind("Service"):
            yield from self._of_service(item)
        for item in self._snapshot.of_kind("Ingress"):
            yield from self._of_ingress(item)
        for item in self._snapshot.of_kind(*_ROUTES):
            yield from self._of_route(item)
        for item in self._snapshot.of_kind(*WORKLOADS):
            if replicas(item):
                yield from self._of_host(item)

    # ---- what makes them

    def _of_service(self, item: Item) -> Iterator[Way]:
        kind = str(item.at("spec", "type") or "ClusterIP")
        if kind not in ("NodePort", "LoadBalancer"):
            if not item.at("spec", "externalIPs"):
                return
            kind = "ExternalIP"
        ranges = item.at("spec", "loadBalancerSourceRanges")
        limited = isinstance(ranges, list) and ranges != [] and not _ANYWHERE & {str(one) for one in cast("list[Any]", ranges)}
        limited = limited or (kind == "LoadBalancer" and _is_internal(item))
        for port in mappings(item.at("spec", "ports")):
            yield self._way(item, port, kind=kind, by=item, asks=False, limited=limited)

    def _of_ingress(self, item: Item) -> Iterator[Way]:
        asks = any(_asks(key, value) for key, value in item.annotations.items())
        limited = any(
            key.endswith(("whitelist-source-range", "allowlist-source-range", "inbound-cidrs")) for key in item.annotations
        )
        backends = [item.at("spec", "defaultBackend")]
        for rule in mappings(item.at("spec", "rules")):
            http = rule.get("http")
            backends += (
                [path.get("backend") for path in mappings(cast("dict[str, Any]", http).get("paths"))]
                if isinstance(http, dict)
                else []
            )
        for backend in backends:
            service = cast("dict[str, Any]", backend).get("service") if isinstance(backend, dict) else None
            if isinstance(service, dict):
                named = cast("dict[str, Any]", service)
                port = named.get("port")
                wanted = cast("dict[str, Any]", port) if isinstance(port, dict) else {}
                target = wanted.get("name", wanted.get("number"))
                yield self._routed(item, "Ingress", item.namespace, named.get("name"), target, asks=asks, limited=limited)

    def _of_route(self, item: Item) -> Iterator[Way]:
        for rule in mappings(item.at("spec", "rules")):
            filters = [one for one in mappings(rule.get("filters")) if one.get("type") == "ExtensionRef"]
            asks = any("auth" in str(one.get("extensionRef")) for one in filters)
            for backend in mappings(rule.get("backendRefs")):
                space = str(backend.get("namespace") or item.namespace)
                yield self._routed(item, "Route", space, backend.get("name"), backend.get("port"), asks=asks, limited=False)

    def _of_host(self, item: Item) -> Iterator[Way]:
        whole = bool(pod_spec(item).get("hostNetwork"))
        for container in mappings(pod_spec(item).get("containers")):
            for port in mappings(container.get("ports")):
                if port.get("hostPort") or whole:
                    name = str(port.get("name") or port.get("containerPort"))
                    purpose = _purpose(name, port.get("containerPort"))
                    asks = name == "api-auth" and _has_password(item)
                    own = f"{item.kind}/{item.name}"
                    yield Way(subject(item), (item.name,), name, purpose, own, "HostPort", asks=asks, limited=False)

    # ---- where they lead

    def _routed(self, by: Item, kind: str, namespace: str, name: Any, port: Any, *, asks: bool, limited: bool) -> Way:
        service = self._snapshot.items.get(("", "Service", namespace, str(name)))
        entries = list(mappings(service.at("spec", "ports"))) if service is not None else []
        entry = next((one for one in entries if port in (one.get("name"), one.get("port"))), {"name": str(port), "port": port})
        return self._way(service or by, entry, kind=kind, by=by, asks=asks, limited=limited)

    def _way(self, item: Item, port: dict[str, Any], *, kind: str, by: Item, asks: bool, limited: bool) -> Way:
        name, number = str(port.get("name") or port.get("port")), port.get("port")
        workloads = self._behind(item) if item.kind == "Service" else []
        names = {name, str(port.get("targetPort"))}
        if "api-auth" in names:
            # The proxy beside the node asks, unless it was told to ask nobody; where the pods are not known it does.
            asks = asks or not workloads or all(map(_has_password, workloads))
        purpose = _purpose(name, number) if name in _PEERS | _API | _OTHER else _purpose(str(port.get("targetPort")), number)
        about = subject(workloads[0]) if workloads else subject(item if item.set else by)
        nodes = tuple(one.name for one in workloads) or (item.name,)
        return Way(about, nodes, name, purpose, f"{by.kind}/{by.name}", kind, asks=asks, limited=limited)

    def _behind(self, service: Item) -> list[Item]:
        selector = selects_of(service)
        if not selector.get("matchLabels"):
            return []
        # A set of thousands has as many Services; the node's name says which workload it is.
        node = selector["matchLabels"].get("nodestead.io/node")
        near = self._by_node.get((service.namespace, node), []) if node else self._by_space.get(service.namespace, [])
        return [item for item in near if is_selected(item, selector)]

    @cached_property
    def _by_node(self) -> dict[tuple[str, Any], list[Item]]:
        found: dict[tuple[str, Any], list[Item]] = {}
        for item in self._snapshot.of_kind(*WORKLOADS):
            found.setdefault((item.namespace, item.node), []).append(item)
        return found

    @cached_property
    def _by_space(self) -> dict[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in self._snapshot.of_kind(*WORKLOADS):
            found.setdefault(item.namespace, []).append(item)
        return found


@once
def ways_of(comparison: Comparison) -> tuple[Ways, Ways]:
    """The ways into a stack before and after a change."""
    return Ways(comparison.base), Ways(comparison.head)


def _purpose(name: str, number: Any) -> Purpose:
    if name in _PEERS:
        return "peers"
    return "api" if name in _API or (isinstance(number, int) and number in _API_PORTS and name not in _OTHER) else "other"


def _has_password(workload: Item) -> bool:
    """Whether the proxy beside a node has passwords to compare with."""
    for container in mappings(pod_spec(workload).get("containers")):
        if any(port.get("name") == "api-auth" for port in mappings(container.get("ports"))):
            return any(mount.get("name") == "proxy-auth" for mount in mappings(container.get("volumeMounts")))
    return True


def _is_internal(item: Item) -> bool:
    return any(
        key.endswith(_INTERNAL) and str(value).lower() in ("true", "internal", "0.0.0.0/0")
        for key, value in item.annotations.items()
    )


def _asks(key: str, value: Any) -> bool:
    """Whether an annotation has the controller ask: of ingress-nginx, HAProxy, AWS, Traefik."""
    last = key.rpartition("/")[2]
    if last in ("auth-type", "auth-url", "auth-tls-verify-client"):
        return str(value).lower() not in ("", "none", "off")
    return last.endswith("router.middlewares") and "auth" in str(value)
