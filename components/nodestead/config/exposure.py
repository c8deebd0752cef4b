"""How peers reach a node, and which address it tells them."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.scalars import Annotations, Cidr, IpAddress, LateClass, LateIpAddress, NumberedKeys, Port, Url

__all__ = [
    "AnnouncedAddress",
    "ClusterExposure",
    "Exposure",
    "ExternalAddress",
    "FixedAddress",
    "HostIp",
    "HostPortExposure",
    "LoadBalancerExposure",
    "LookupAddress",
    "NodeExternalIp",
    "NodePortExposure",
    "ServedAddress",
    "node_ports",
    "port_range",
    "ports_between",
    "shared_ip_problems",
]


def _ipv4(value: Any) -> Any:
    if isinstance(value, str) and ipaddress.ip_address(value).version != 4:
        raise ValueError(f"{value!r} is an IPv6 address, and the nodes listen on IPv4 only; give an IPv4 address")
    return value


AnnouncedAddress = Annotated[LateIpAddress, AfterValidator(_ipv4)]


class ClusterExposure(Model):
    """Private nodes: each announces its pod address, reachable inside the cluster."""

    kind: Literal["cluster"] = "cluster"
    port: Port = Field(default=8070, description="TCP port for peers, the same on every node.")
    discovery_port: Port = Field(default=8090, description="UDP port for discovery, the same on every node.")


class NodeExternalIp(Model):
    """The ExternalIP of the Kubernetes node that runs the pod, asked of the API server when the pod starts."""

    kind: Literal["nodeExternalIP"]


class HostIp(Model):
    """The address of the host as the kubelet knows it; right where hosts have public addresses themselves."""

    kind: Literal["hostIP"]


class LookupAddress(Model):
    """What a URL answers, as plain text, when the pod starts."""

    kind: Literal["lookup"]
    url: Url = Field(description="For example https://ip.codex.storage")


class FixedAddress(Model):
    """A given address for each node."""

    kind: Literal["fixed"]
    addresses: Annotated[dict[str, AnnouncedAddress], NumberedKeys] = Field(
        description="Node number, or name of a bootstrap node, to its IP address."
    )


class ServedAddress(Model):
    """The address that the node's load balancer was given."""

    kind: Literal["loadBalancer"]


ExternalAddress = Annotated[NodeExternalIp | HostIp | LookupAddress | FixedAddress, Field(discriminator="kind")]
LoadBalancerAddress = Annotated[ServedAddress | LookupAddress | FixedAddress, Field(discriminator="kind")]


def ports_between(text: str) -> range:
    """The ports of a range such as 30000-32767; ValueError where the text is none."""
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if match is None or not 0 < int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError(f"{text!r} is not a range of ports; write it as 30000-32767")
    return range(int(match[1]), int(match[2]) + 1)


def shared_ip_problems(addresses: Mapping[str, str]) -> Iterator[Problem]:
    """Load balancers that ask for one address."""
    owners: dict[str, str] = {}
    for node, address in addresses.items():
        if address in owners:
            yield Problem(
                ["loadBalancerIPs", node],
                f"{address} is that of node {owners[address]} already; give each load balancer its own",
            )
        owners.setdefault(address, node)


class _PerNodePorts(Model):
    base_port: Port = Field(
        default=30510, description="TCP port of the first node, and its UDP port unless discoveryBasePort is given."
    )
    discovery_base_port: Port | None = Field(default=None, description="UDP port of the first node.")
    offset: int = Field(default=1, ge=1, le=1000, description="Distance between the ports of two nodes.")
    bootstrap_base_port: Port | None = Field(
        default=None, description="TCP and UDP port of the first bootstrap node that the set runs itself."
    )


class NodePortExposure(_PerNodePorts):
    """Public nodes behind a NodePort each: the node listens on and announces the very port that peers dial."""

    kind: Literal["nodePort"]
    port_range: str = Field(default="30000-32767", description="The cluster's --service-node-port-range.")
    external_address: ExternalAddress = NodeExternalIp(kind="nodeExternalIP")
    annotations: Annotations = Field(default_factory=dict, description="Annotations of the Services for peers.")
    external_traffic_policy: Literal["Local", "Cluster"] = Field(
        default="Local", description="Local keeps the address of the peer."
    )

    def problems(self) -> Iterator[Problem]:
        """The range must be one."""
        try:
            ports_between(self.port_range)
        except ValueError as error:
            yield Problem(["portRange"], str(error))


class HostPortExposure(_PerNodePorts):
    """Public nodes on ports of their hosts. Pod Security baseline and restricted both refuse such pods."""

    kind: Literal["hostPort"]
    external_address: ExternalAddress = NodeExternalIp(kind="nodeExternalIP")


class LoadBalancerExposure(Model):
    """Public nodes behind a load balancer each."""

    kind: Literal["loadBalancer"]
    port: Port = Field(default=8070, description="TCP port for peers, the same on every load balancer.")
    discovery_port: Port = Field(default=8090, description="UDP port for discovery, the same on every load balancer.")
    external_address: LoadBalancerAddress = ServedAddress(kind="loadBalancer")
    load_balancer_ips: Annotated[dict[str, Annotated[IpAddress, AfterValidator(_ipv4)]], NumberedKeys] = Field(
        default_factory=dict,
        alias="loadBalancerIPs",
        description="Node number, or name of a bootstrap node, to the address to ask for.",
    )
    load_balancer_class: LateClass | None = None
    source_ranges: tuple[Cidr, ...] = many(description="CIDRs that may connect.")
    annotations: Annotations = Field(default_factory=dict, description="Annotations of the Services for peers.")
    external_traffic_policy: Literal["Local", "Cluster"] = Field(
        default="Local", description="Local keeps the address of the peer."
    )

    def problems(self) -> Iterator[Problem]:
        """One address serves one load balancer."""
        yield from shared_ip_problems(self.load_balancer_ips)


Exposure = Annotated[ClusterExposure | NodePortExposure | HostPortExposure | LoadBalancerExposure, Field(discriminator="kind")]


def port_range(exposure: NodePortExposure) -> range:
    """The ports that the cluster gives to Services of type NodePort."""
    return ports_between(exposure.port_range)


def node_ports(exposure: Exposure, index: int, *, bootstrap: bool = False) -> tuple[int, int]:
    """The TCP and UDP port that a node listens on and announces.

    Args:
        exposure: The set's exposure.
        index: 0 for the first node of the set, or for its first bootstrap node.
        bootstrap: Whether the node is a bootstrap node of the set's own.
    """
    if isinstance(exposure, ClusterExposure | LoadBalancerExposure):
        return exposure.port, exposure.discovery_port
    if bootstrap:
        base = (exposure.bootstrap_base_port or exposure.base_port) + index * exposure.offset
        return base, base
    step = index * exposure.offset
    udp = exposure.base_port if exposure.discovery_base_port is None else exposure.discovery_base_port
    return exposure.base_port + step, udp + step


def addresses_of(exposure: Exposure) -> Mapping[str, object] | None:
    """The fixed addresses of an exposure, or None where it has none."""
    address = None if isinstance(exposure, ClusterExposure) else exposure.external_address
    return address.addresses if isinstance(address, FixedAddress) else None
