"""Where peers outside dial the nodes of a chain set: who is exposed, on which port, and the rules of that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.exposure import ports_between
from nodestead.config.p2p import ClusterP2p, FixedDialAddress, HostPortP2p, LoadBalancerP2p, NodePortP2p

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["dial_port", "exposed", "exposure_problems", "taken_ports"]


def exposed(args: "BlockchainNodeSetArgs", ordinal: int) -> bool:
    """Whether peers outside the cluster dial a node."""
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return False
    return exposure.first is None or ordinal - args.first_ordinal < exposure.first


def dial_port(args: "BlockchainNodeSetArgs", ordinal: int) -> int:
    """The port that peers outside dial."""
    exposure = args.exposure
    if isinstance(exposure, NodePortP2p | HostPortP2p):
        return exposure.base_port + (ordinal - args.first_ordinal) * exposure.offset
    return args.ports.p2p


def taken_ports(args: "BlockchainNodeSetArgs") -> Iterator[tuple[str, int, str, str]]:
    """The ports that a set takes on every host: (protocol, port, node, field of the exposure that gives it)."""
    if isinstance(args.exposure, NodePortP2p | HostPortP2p):
        for ordinal in args.ordinals():
            if exposed(args, ordinal):
                yield "TCP", dial_port(args, ordinal), str(ordinal), "basePort"


def exposure_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Ports out of range, and addresses of nodes that are not exposed."""
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return
    public = [ordinal for ordinal in args.ordinals() if exposed(args, ordinal)]
    if isinstance(exposure, NodePortP2p | HostPortP2p) and public:
        allowed = ports_between(exposure.port_range) if isinstance(exposure, NodePortP2p) else range(1, 65536)
        kind = "nodePort" if isinstance(exposure, NodePortP2p) else "port"
        first, last, steps = allowed[0], allowed[-1], len(public) - 1
        if exposure.base_port < first:
            yield Problem(
                ["exposure", "basePort"],
                f"{exposure.base_port} is below {first}, the first {kind}; raise basePort to at least {first}",
            )
        if exposure.base_port + steps * exposure.offset > last:
            most = last - steps * exposure.offset
            remedy = f"lower basePort to at most {most}, or expose fewer nodes" if most >= first else "expose fewer nodes"
            yield Problem(
                ["exposure", "basePort"],
                f"{exposure.base_port} + {steps} x {exposure.offset} passes {last}, the last {kind}; {remedy}",
            )
    yield from _address_problems(args, public)


def _address_problems(args: "BlockchainNodeSetArgs", public: list[int]) -> Iterator[Problem]:
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return
    known = {str(ordinal) for ordinal in public}
    if isinstance(exposure, LoadBalancerP2p):
        for node in exposure.load_balancer_ips:
            if node not in known:
                yield Problem(["exposure", "loadBalancerIPs", node], "there is no such node among those exposed; leave it out")
    if isinstance(exposure.external_address, FixedDialAddress):
        addresses, path = exposure.external_address.addresses, ["exposure", "externalAddress", "addresses"]
        for node in addresses:
            if node not in known:
                yield Problem([*path, node], "there is no such node among those exposed; leave it out")
        for ordinal in public:
            if str(ordinal) not in addresses and args.override(ordinal).external_address is None:
                yield Problem(path, f"node {ordinal} has no address; add it, peers could not dial it")
