"""Services: for peers, and for API and metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.exposure import LoadBalancerExposure, NodePortExposure
from nodestead.config.p2p import LoadBalancerP2p, NodePortP2p
from nodestead.kubernetes.metadata import SKIP_AWAIT, manifest
from nodestead.kubernetes.objects import Manifest

__all__ = ["cluster_service", "peer_service", "public_service", "service_port"]


def service_port(name: str, port: int, protocol: str = "TCP", *, target: int | str | None = None) -> dict[str, Any]:
    """A port of a Service; the target is the port of that name unless given."""
    return {"name": name, "port": port, "protocol": protocol, "targetPort": name if target is None else target}


def cluster_service(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    ports: Sequence[Mapping[str, Any]],
    *,
    headless: bool = False,
    not_ready: bool = False,
) -> Manifest:
    """A Service inside the cluster. Nobody waits for its endpoints: it comes before its pods.

    A headless one, and one that asks for it, also leads to pods that are not ready.
    """
    spec: dict[str, Any] = {"type": "ClusterIP", "selector": dict(selector), "ports": [dict(port) for port in ports]}
    if headless:
        spec["clusterIP"] = "None"
    if headless or not_ready:
        spec["publishNotReadyAddresses"] = True
    return manifest("Service", "v1", name, namespace, labels, SKIP_AWAIT, spec=spec)


def peer_service(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    exposure: NodePortExposure | LoadBalancerExposure,
    ports: tuple[int, int | None],
    address: str | None = None,
) -> Manifest:
    """The Service that peers outside dial: its port, the node port and the node's own are one number.

    Args:
        name: Name of the Service.
        namespace: Namespace of the set.
        labels: Labels of the object.
        selector: Labels of the node's pod.
        exposure: How the node is exposed.
        ports: TCP and UDP port; no UDP port where discovery runs over TCP.
        address: Address to ask the load balancer for.
    """
    tcp, udp = ports
    node_port = isinstance(exposure, NodePortExposure)
    entries = [service_port("p2p", tcp) | ({"nodePort": tcp} if node_port else {})]
    if udp is not None:
        entries.append(service_port("discovery", udp, "UDP") | ({"nodePort": udp} if node_port else {}))
    spec: dict[str, Any] = {
        "type": "NodePort" if node_port else "LoadBalancer",
        "selector": dict(selector),
        "ports": entries,
        "externalTrafficPolicy": exposure.external_traffic_policy,
        # Peers dial a node that is still starting, and its address must be there before its pod.
        "publishNotReadyAddresses": True,
    }
    if not isinstance(exposure, LoadBalancerExposure):
        return manifest("Service", "v1", name, namespace, labels, {**exposure.annotations, **SKIP_AWAIT}, spec=spec)
    return _balanced(name, namespace, labels, exposure, spec, address)


def public_service(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    exposure: NodePortP2p | LoadBalancerP2p,
    ports: tuple[int, int],
    address: str | None = None,
) -> Manifest:
    """The Service that peers outside dial, for a node that can announce another port than it listens on.

    Args:
        name: Name of the Service.
        namespace: Namespace of the set.
        labels: Labels of the object.
        selector: Labels of the node's pod.
        exposure: How the node is exposed.
        ports: The port that the node listens on, and the one that peers dial.
        address: Address to ask the load balancer for.
    """
    listens, dialled = ports
    port = service_port("p2p", listens)
    spec: dict[str, Any] = {
        "type": "LoadBalancer",
        "selector": dict(selector),
        "ports": [port],
        "externalTrafficPolicy": exposure.external_traffic_policy,
        "publishNotReadyAddresses": True,
    }
    if isinstance(exposure, LoadBalancerP2p):
        return _balanced(name, namespace, labels, exposure, spec, address)
    spec |= {"type": "NodePort", "ports": [port | {"nodePort": dialled}]}
    return manifest("Service", "v1", name, namespace, labels, {**exposure.annotations, **SKIP_AWAIT}, spec=spec)


def _balanced(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    exposure: LoadBalancerExposure | LoadBalancerP2p,
    spec: dict[str, Any],
    address: str | None,
) -> Manifest:
    """A Service with a load balancer, whose address is waited for."""
    if address is not None:
        spec["loadBalancerIP"] = address
    if exposure.load_balancer_class is not None:
        spec["loadBalancerClass"] = exposure.load_balancer_class
    if exposure.source_ranges:
        spec["loadBalancerSourceRanges"] = list(exposure.source_ranges)
    # The built-in await would wait for ready endpoints, which come after the pod that needs this address.
    waits = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
    return manifest("Service", "v1", name, namespace, labels, {**exposure.annotations, **waits}, spec=spec)
