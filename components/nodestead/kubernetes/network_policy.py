"""Which connections reach the pods of a set."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.network import NetworkPolicyConfig
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Manifest

__all__ = ["API_CLIENT", "SIGNER", "OpenPorts", "network_policy"]

API_CLIENT = {"nodestead.io/api-client": "true"}
"""Label of pods that may call the API of the nodes in their namespace."""
SIGNER = {"nodestead.io/signer": "true"}
"""Label of pods that may connect as remote signers to the nodes in their namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPorts:
    """The ports of a set's pods, as the pods listen on them, and who may connect.

    Attributes:
        peers_tcp: TCP ports for peers, of all nodes; anybody may connect.
        peers_udp: UDP ports for peers, of all nodes; anybody may connect.
        api: Ports of the API.
        metrics: Ports of the metrics.
        metrics_namespaces: Namespaces of Prometheus.
        routed: Ports that an Ingress or a route leads to: the API's, or that of the proxy before it.
        route_namespace: Namespace of the route's controller; None where it is not known: then any pod may connect.
        public: Ports of the API that a Service opens to the world, because somebody asked for it.
        signers: Port where a remote signer connects; None without one.
        signers_from: Who may, as a NetworkPolicy names them; by default pods of the namespace with a label.
    """

    peers_tcp: Collection[int] = ()
    peers_udp: Collection[int] = ()
    api: Collection[int] = ()
    metrics: Collection[int] = ()
    metrics_namespaces: Sequence[str] = ()
    routed: Collection[int] = ()
    route_namespace: str | None = None
    public: Collection[int] = ()
    signers: int | None = None
    signers_from: Sequence[Mapping[str, Any]] = ()


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
    peers = [*_ranges("TCP", [*ports.peers_tcp, *ports.public]), *_ranges("UDP", ports.peers_udp)]
    if peers:
        yield {"ports": peers}
    if ports.api:
        own = {"podSelector": {"matchLabels": dict(selector)}}
        clients = {"podSelector": {"matchLabels": dict(API_CLIENT)}}
        yield {"from": [own, clients, *config.api_from], "ports": _ranges("TCP", ports.api)}
    if ports.routed:
        controller = {} if ports.route_namespace is None else _named(ports.route_namespace)
        yield {"from": [{"namespaceSelector": controller}], "ports": _ranges("TCP", ports.routed)}
    readers = [*({"namespaceSelector": _named(namespace)} for namespace in ports.metrics_namespaces), *config.metrics_from]
    if ports.metrics and readers:
        yield {"from": readers, "ports": _ranges("TCP", ports.metrics)}
    if ports.signers is not None:
        signers = list(ports.signers_from) or [{"podSelector": {"matchLabels": dict(SIGNER)}}]
        yield {"from": signers, "ports": _ranges("TCP", [ports.signers])}


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
