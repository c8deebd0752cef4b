"""Which connections reach the pods of a set."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.network import NetworkPolicyConfig
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Manifest

__all__ = ["API_CLIENT", "OpenPorts", "network_policy"]

API_CLIENT = {"nodestead.io/api-client": "true"}
"""Label of pods that may call the API of the nodes in their namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPorts:
    """The ports of a set's pods, as the pods listen on them, and who may connect.

    Attributes:
        peers_tcp: TCP ports for peers, of all nodes; anybody may connect.
        peers_udp: UDP ports for peers, of all nodes; anybody may connect.
        api: Port of the API; None where it is off.
        metrics: Port of the metrics; None where they are off.
        metrics_namespaces: Namespaces of Prometheus.
        routed: Port that an Ingress or an HTTPRoute leads to: the API's, or that of the proxy before it; None without a route.
        route_namespace: Namespace of the route's controller; None where it is not known: then any pod may connect.
    """

    peers_tcp: Collection[int] = ()
    peers_udp: Collection[int] = ()
    api: int | None = None
    metrics: int | None = None
    metrics_namespaces: Sequence[str] = ()
    routed: int | None = None
    route_namespace: str | None = None


def network_policy(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    ports: OpenPorts,
    config: NetworkPolicyConfig,
) -> list[Manifest]:
    """The NetworkPolicy of a set, or nothing where it is off.

    What a rule does not name is closed. The kubelet of a pod's own host is never closed out, so probes work; pods with
    the network of their host know no policies.

    Args:
        name: Name of the set and of the policy.
        namespace: Namespace of the set.
        labels: Labels of the object.
        selector: Labels that all pods of the set have, and no other pod.
        ports: Its ports and who needs them.
        config: Who else may connect.
    """
    if not config.enabled:
        return []
    spec = {
        "podSelector": {"matchLabels": dict(selector)},
        "policyTypes": ["Ingress"],
        "ingress": list(_rules(selector, ports, config)),
    }
    return [manifest("NetworkPolicy", "networking.k8s.io/v1", name, namespace, labels, spec=spec)]


def _rules(selector: Mapping[str, str], ports: OpenPorts, config: NetworkPolicyConfig) -> Iterator[dict[str, Any]]:
    # An empty list means everything to a NetworkPolicy, of ports as of sources: a rule without one of them is left out.
    peers = [*_ranges("TCP", ports.peers_tcp), *_ranges("UDP", ports.peers_udp)]
    if peers:
        yield {"ports": peers}
    if ports.api is not None:
        own = {"podSelector": {"matchLabels": dict(selector)}}
        clients = {"podSelector": {"matchLabels": dict(API_CLIENT)}}
        yield {"from": [own, clients, *config.api_from], "ports": _ranges("TCP", [ports.api])}
    if ports.routed is not None:
        controller = {} if ports.route_namespace is None else _named(ports.route_namespace)
        yield {"from": [{"namespaceSelector": controller}], "ports": _ranges("TCP", [ports.routed])}
    readers = [*({"namespaceSelector": _named(namespace)} for namespace in ports.metrics_namespaces), *config.metrics_from]
    if ports.metrics is not None and readers:
        yield {"from": readers, "ports": _ranges("TCP", [ports.metrics])}


def _named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _ranges(protocol: str, ports: Collection[int]) -> list[dict[str, Any]]:
    """The ports with neighbours joined, so that a thousand nodes side by side are one entry."""
    entries: list[dict[str, Any]] = []
    last = -1
    for port in sorted(set(ports)):
        if port == last + 1:
            entries[-1]["endPort"] = port
        else:
            entries.append({"protocol": protocol, "port": port})
        last = port
    return entries
