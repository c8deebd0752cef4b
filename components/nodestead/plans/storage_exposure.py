"""Where peers dial the nodes of a storage group: the ports that it takes, the addresses that it announces, their rules."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.exposure import (
    ClusterExposure,
    HostPortExposure,
    LoadBalancerExposure,
    NodePortExposure,
    addresses_of,
    node_ports,
    port_range,
)
from nodestead.plans.ordinals import no_such_node
from nodestead.software.codex import CodexFamily

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["address_problems", "announced", "port_problems", "taken_ports"]


def address_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Addresses of nodes that are not there, that two announce, or that are missing."""
    known = {str(ordinal) for ordinal in args.ordinals()}
    known |= {f"bootstrap-{number}" for number in range(1, args.own_bootstrap + 1)}
    exposure = args.exposure
    if isinstance(exposure, LoadBalancerExposure):
        for node in exposure.load_balancer_ips:
            if node not in known:
                yield Problem(["exposure", "loadBalancerIPs", node], no_such_node(args, bootstraps=args.own_bootstrap))
    yield from _announced_problems(args, known)


def _announced_problems(args: "StorageNodeGroupArgs", known: set[str]) -> Iterator[Problem]:
    if isinstance(args.exposure, ClusterExposure):
        for node, override in args.nodes.items():
            if override.external_address is not None:
                yield Problem(
                    ["nodes", node, "externalAddress"],
                    "a private node announces its pod's address; set exposure, or leave it out",
                )
    if isinstance(args.exposure, LoadBalancerExposure):
        owners: dict[str, str] = {}
        for node, address, where in announced(args):
            owner = owners.setdefault(address, node)
            if owner != node:
                yield Problem(where, f"{address} is that of node {owner} already; give each load balancer its own")
    addresses = addresses_of(args.exposure)
    if addresses is None:
        return
    path = ["exposure", "externalAddress", "addresses"]
    for node in addresses:
        if node not in known:
            yield Problem([*path, node], no_such_node(args, bootstraps=args.own_bootstrap))
    for node in sorted(known - set(addresses), key=lambda n: (len(n), n)):
        if node not in args.nodes or args.nodes[node].external_address is None:
            yield Problem(path, f"node {node} has no address; add it, peers could not dial it")


def announced(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The given addresses that nodes announce: (node, address, path that names it)."""
    addresses = addresses_of(args.exposure) or {}
    for node, address in addresses.items():
        if isinstance(address, str) and (node not in args.nodes or args.nodes[node].external_address is None):
            yield node, address, ("exposure", "externalAddress", "addresses", node)
    for node, override in args.nodes.items():
        if isinstance(override.external_address, str):
            yield node, override.external_address, ("nodes", node, "externalAddress")


def taken_ports(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int, str, str]]:
    """The ports that a group takes on every host: (protocol, port, node, field of the exposure that gives it)."""
    exposure = args.exposure
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    has_udp = _has_udp(args)
    udp_field = "basePort" if exposure.discovery_base_port is None else "discoveryBasePort"
    pooled = args.layout == "pooled"
    for index, ordinal in enumerate(args.ordinals()):
        tcp, udp = node_ports(exposure, 0 if pooled else index)
        yield "TCP", tcp, str(ordinal), "basePort"
        if has_udp:
            yield "UDP", udp, str(ordinal), udp_field
        if pooled:
            break
    for index in range(args.own_bootstrap if exposure.bootstrap_base_port is not None else 0):
        tcp, udp = node_ports(exposure, index, bootstrap=True)
        yield "TCP", tcp, f"bootstrap-{index + 1}", "bootstrapBasePort"
        if has_udp:
            yield "UDP", udp, f"bootstrap-{index + 1}", "bootstrapBasePort"


def _has_udp(args: "StorageNodeGroupArgs") -> bool:
    return args.software.grammar.has_udp if isinstance(args.software, CodexFamily) else args.software.has_udp


def _local_ports(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int, str]]:
    """The ports that are the same in every pod: (protocol, port, what listens there)."""
    exposure = args.exposure
    yield "TCP", args.ports.api, "api"
    yield "TCP", args.ports.metrics, "metrics"
    if args.api is not None and args.api.proxied:
        yield "TCP", args.api.proxy_port, "proxy"
    for port in args.container.ports:
        yield port.protocol, port.port, f"container.ports.{port.name}"
    if isinstance(exposure, ClusterExposure | LoadBalancerExposure):
        yield "TCP", exposure.port, "peers"
        if _has_udp(args):
            yield "UDP", exposure.discovery_port, "discovery"


def port_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Ports out of range, or taken twice in one pod or on one host."""
    exposure = args.exposure
    local: dict[tuple[str, int], str] = {}
    for protocol, port, what in _local_ports(args):
        if (protocol, port) in local:
            yield Problem(
                ["ports"],
                f"{protocol} port {port} is taken twice in one pod, by {local[protocol, port]} and {what};"
                " give one of them another port",
            )
        local.setdefault((protocol, port), what)
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    if args.own_bootstrap and exposure.bootstrap_base_port is None:
        yield Problem(
            ["exposure", "bootstrapBasePort"],
            "is required with a bootstrap node of the group's own: public peers dial it too; give its port, or change bootstrap",
        )
    allowed = range(1, 65536)
    if isinstance(exposure, NodePortExposure):
        try:
            allowed = port_range(exposure)
        except ValueError:
            return
    yield from _range_problems(args, allowed)
    owners: dict[tuple[str, int], str] = {}
    for protocol, port, node, field in taken_ports(args):
        if (protocol, port) in local:
            yield Problem(
                ["exposure", field],
                f"{protocol} port {port} of node {node} is that of {local[protocol, port]} in the same pod; move one of them",
            )
            return
        if (protocol, port) in owners:
            yield Problem(
                ["exposure"],
                f"{protocol} port {port} is that of node {owners[protocol, port]} and of node {node}; move one of the base ports",
            )
            return
        owners[protocol, port] = node


def _range_problems(args: "StorageNodeGroupArgs", allowed: range) -> Iterator[Problem]:
    exposure = args.exposure
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    first, last = allowed[0], allowed[-1]
    kind = "nodePort" if isinstance(exposure, NodePortExposure) else "port"
    steps = 0 if args.layout == "pooled" else max(args.replicas - 1, 0)
    bases = [("basePort", exposure.base_port, steps)]
    if exposure.discovery_base_port is not None:
        bases.append(("discoveryBasePort", exposure.discovery_base_port, steps))
    if exposure.bootstrap_base_port is not None:
        bases.append(("bootstrapBasePort", exposure.bootstrap_base_port, max(args.own_bootstrap - 1, 0)))
    for field, base, count in bases:
        if base < first:
            yield Problem(["exposure", field], f"{base} is below {first}, the first {kind}; raise {field} to at least {first}")
        if base + count * exposure.offset > last:
            most = last - count * exposure.offset
            remedy = f"lower {field} to at most {most}" if most >= first else "use fewer nodes, or a smaller offset"
            yield Problem(["exposure", field], f"{base} + {count} x {exposure.offset} passes {last}, the last {kind}; {remedy}")
