"""Ways from outside to what a chain's nodes serve: an Ingress or a Gateway API route for each of RPC, API and gRPC."""

from collections.abc import Mapping
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.chain_routes import Routes
from nodestead.config.p2p import ChainPorts
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.metadata import SKIP_AWAIT, manifest
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.route import GATEWAY, INGRESS, NGINX, gateway_route_spec, ingress_path, ingress_spec, tls_annotations

__all__ = ["chain_route_name", "chain_routes"]

# Events come over the websocket of RPC, or as a stream of gRPC; after a minute without one ingress-nginx would hang up.
_QUIET = str(duration_seconds("1h"))
_STREAMS = {f"{NGINX}/proxy-read-timeout": _QUIET, f"{NGINX}/proxy-send-timeout": _QUIET}
_NGINX = {"rpc": _STREAMS, "grpc": {f"{NGINX}/backend-protocol": "GRPC", **_STREAMS}}


def chain_route_name(set_name: str, protocol: str) -> str:
    """Name of the Ingress or route of a protocol: `hub-rpc`, `hub-api` or `hub-grpc`."""
    return f"{set_name}-{protocol}"


def chain_routes(
    set_name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    routes: Routes,
    service: str,
    ports: ChainPorts,
) -> list[Manifest]:
    """An Ingress or a route for each protocol that is asked for: each has hosts of its own, and takes all of their paths.

    Args:
        set_name: Name of the set.
        namespace: Namespace of the set.
        labels: Labels of the objects.
        routes: The host names, and what serves them.
        service: The Service over the set's nodes, whose ports are called rpc, api and grpc.
        ports: The numbers of these ports.
    """
    numbers = {"rpc": ports.rpc, "api": ports.api, "grpc": ports.grpc}
    made: list[Manifest] = []
    for protocol, hosts in routes.asked().items():
        name = chain_route_name(set_name, protocol)
        if routes.kind == "ingress":
            annotations: dict[str, Any] = {**SKIP_AWAIT, **tls_annotations(routes.tls)}
            if routes.controller == "ingressNginx":
                annotations |= _NGINX.get(protocol, {})
            paths = [ingress_path("/", "Prefix", service, protocol)]
            spec = ingress_spec(hosts, paths, routes.class_name, routes.tls, f"{name}-tls")
            made.append(manifest("Ingress", INGRESS, name, namespace, labels, {**annotations, **routes.annotations}, spec=spec))
            continue
        # A rule without matches takes every path, and every method of gRPC.
        spec = gateway_route_spec(routes.parents, hosts, {"backendRefs": [{"name": service, "port": numbers[protocol]}]})
        kind = "GRPCRoute" if protocol == "grpc" else "HTTPRoute"
        made.append(manifest(kind, GATEWAY, name, namespace, labels, {**routes.annotations, **SKIP_AWAIT}, spec=spec))
    return made
