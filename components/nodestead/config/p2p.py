"""How peers reach a chain's node, and which address it tells them.

A chain's node listens on one port and may announce another, so every pod listens alike and only the way to it differs.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.exposure import HostIp, LookupAddress, NodeExternalIp, ServedAddress, ports_between, shared_ip_problems
from nodestead.config.scalars import Annotations, Cidr, IpAddress, LateClass, LateDialAddress, NumberedKeys, Port

__all__ = [
    "ChainPorts",
    "ClusterP2p",
    "FixedDialAddress",
    "HostPortP2p",
    "LoadBalancerP2p",
    "NodePortP2p",
    "P2pExposure",
]


class ChainPorts(Model):
    """Ports that the processes of a pod listen on."""

    p2p: Port = Field(default=26656, alias="p2p")
    rpc: Port = 26657
    api: Port = 1317
    grpc: Port = 9090
    grpc_web: Port = 9091
    metrics: Port = 26660
    privval: Port = 1234
    health: Port = 1251


class FixedDialAddress(Model):
    """A given address for each node that is exposed."""

    kind: Literal["fixed"]
    addresses: Annotated[dict[str, LateDialAddress], NumberedKeys] = Field(
        description="Node number to its IP address or DNS name."
    )


_Found = Annotated[NodeExternalIp | HostIp | LookupAddress | FixedDialAddress, Field(discriminator="kind")]
_Served = Annotated[ServedAddress | LookupAddress | FixedDialAddress, Field(discriminator="kind")]


class ClusterP2p(Model):
    """Nodes that only the cluster reaches; they dial out, and nobody from outside dials them."""

    kind: Literal["cluster"] = "cluster"


class _Some(Model):
    first: int | None = Field(
        default=None, ge=0, description="Expose only the first so many nodes; the others stay inside the cluster."
    )


class _PerNodePort(_Some):
    base_port: Port = Field(default=30656, description="Port of the first node, as peers dial it.")
    offset: int = Field(default=1, ge=1, le=1000, description="Distance between the ports of two nodes.")


class NodePortP2p(_PerNodePort):
    """A NodePort for each node."""

    kind: Literal["nodePort"]
    port_range: str = Field(default="30000-32767", description="The cluster's --service-node-port-range.")
    external_address: _Found = NodeExternalIp(kind="nodeExternalIP")
    annotations: Annotations = Field(default_factory=dict, description="Annotations of the Services for peers.")
    external_traffic_policy: Literal["Local", "Cluster"] = Field(
        default="Local", description="Local keeps the address of the peer; with Cluster all outside peers look like one."
    )

    def problems(self) -> Iterator[Problem]:
        """The range must be one."""
        try:
            ports_between(self.port_range)
        except ValueError as error:
            yield Problem(["portRange"], str(error))


class HostPortP2p(_PerNodePort):
    """A port of its host for each node. Pod Security baseline and restricted both refuse such pods."""

    kind: Literal["hostPort"]
    external_address: _Found = NodeExternalIp(kind="nodeExternalIP")


class LoadBalancerP2p(_Some):
    """A load balancer for each node; its address is known before the node starts for the first time."""

    kind: Literal["loadBalancer"]
    external_address: _Served = ServedAddress(kind="loadBalancer")
    load_balancer_ips: Annotated[dict[str, IpAddress], NumberedKeys] = Field(
        default_factory=dict, alias="loadBalancerIPs", description="Node number to the address to ask for."
    )
    load_balancer_class: LateClass | None = None
    source_ranges: tuple[Cidr, ...] = many(description="CIDRs that may connect.")
    annotations: Annotations = Field(default_factory=dict, description="Annotations of the Services for peers.")
    external_traffic_policy: Literal["Local", "Cluster"] = Field(
        default="Local", description="Local keeps the address of the peer; with Cluster all outside peers look like one."
    )

    def problems(self) -> Iterator[Problem]:
        """One address serves one load balancer."""
        yield from shared_ip_problems(self.load_balancer_ips)


P2pExposure = Annotated[ClusterP2p | NodePortP2p | HostPortP2p | LoadBalancerP2p, Field(discriminator="kind")]
