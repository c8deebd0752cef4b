"""Rules between the parts of a set of blockchain nodes: each broken one with path, value, rule and remedy."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.p2p import LoadBalancerP2p
from nodestead.kubernetes import names
from nodestead.plans.blockchain_exclusive import claim_problems, shared_address_problems
from nodestead.plans.blockchain_exposure import exposed, exposure_problems
from nodestead.plans.blockchain_key_rules import consensus_key_problems, node_key_problems, signer_problems
from nodestead.plans.blockchain_local_network import network_problems
from nodestead.plans.blockchain_parts import LocalNetwork, PeerSet, PeerStack
from nodestead.plans.blockchain_persistence import persistence_problems
from nodestead.plans.blockchain_pod_rules import pod_problems
from nodestead.plans.blockchain_start_rules import start_problems
from nodestead.plans.blockchain_versioned import versioned_name_problems, versioned_problems
from nodestead.plans.blockchain_versions import version_problems, versions_of
from nodestead.plans.ordinals import no_such_node
from nodestead.software.cosmos import CosmosChain

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["name_problems", "set_problems"]


def set_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Every broken rule that the set's own config can tell."""
    local = isinstance(args.network, LocalNetwork)
    for problem in args.software.role_problems(args.type, local=local):
        yield Problem(["software", *problem.path], problem.message)
    yield from _node_problems(args)
    yield from node_key_problems(args)
    yield from exposure_problems(args)
    yield from _port_problems(args)
    yield from signer_problems(args)
    yield from _serving_problems(args)
    yield from consensus_key_problems(args)
    yield from network_problems(args)
    yield from start_problems(args)
    yield from _route_problems(args)
    yield from version_problems(args)
    yield from persistence_problems(args)
    yield from shared_address_problems(args)
    yield from pod_problems(args)
    yield from versioned_problems(args, [f"h{version.height}" for version in versions_of(args)])


def _node_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node, override in args.nodes.items():
        if node not in ordinals:
            yield Problem(["nodes", node], no_such_node(args))
        elif override.external_address is not None and not exposed(args, int(node)):
            yield Problem(
                ["nodes", node, "externalAddress"], "nobody outside reaches this node; set exposure, or leave the address out"
            )


def _port_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    owners: dict[tuple[str, int], str] = {}
    named = [("TCP", getattr(args.ports, field), info.alias or field) for field, info in type(args.ports).model_fields.items()]
    named += [(port.protocol, port.port, port.name) for port in args.container.ports]
    for protocol, port, what in named:
        other = owners.setdefault((protocol, port), what)
        if other != what:
            yield Problem(
                ["ports"], f"{protocol} port {port} is taken twice in one pod, by {other} and {what}; give one of them another"
            )


def _serving_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    if args.type not in ("validator", "seed") or isinstance(args.network, LocalNetwork):
        return
    if args.routes is not None:
        yield Problem(["routes"], f"a {args.type} serves no RPC to the world; leave them out, and add a set of full nodes")
    if args.rpc_service.type != "ClusterIP":
        yield Problem(["rpcService", "type"], f"a {args.type} serves no RPC to the world; leave it out")


def _route_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Routes to what the nodes do not serve."""
    if args.routes is None:
        return
    app = args.software.app if isinstance(args.software, CosmosChain) else None
    served = {"rpc": True, "api": app is not None and app.api.enabled, "grpc": app is not None and app.grpc.enabled}
    for protocol in args.routes.asked():
        if not served[protocol]:
            yield Problem(["routes", protocol], "the nodes do not serve it; switch it on in software.app, or leave the route out")


def name_problems(name: str, args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """A name that is none or makes others too long, and peers that are the set itself."""
    if not re.fullmatch(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", name):
        yield Problem(
            [],
            f"{name!r} is refused as a name: names of Services have lower-case letters, digits and hyphens, and start with a"
            " letter; rename the set",
        )
        return
    last = f"{name}-{args.first_ordinal + max(args.replicas, 1) - 1}"
    suffix = "-loadbalancer" if isinstance(args.exposure, LoadBalancerP2p) else "-privval"
    most = min(names.LONGEST_WORKLOAD, names.LONGEST_LABEL - len(suffix))
    if len(last) > most:
        yield Problem(
            [],
            f"the name of its last node, {last}, has {len(last)} characters, and its Service and host name then pass 63;"
            f" use a name of at most {most - (len(last) - len(name))}",
        )
    yield from versioned_name_problems(last, args)
    yield from claim_problems(name, args)
    for index, source in enumerate(args.peers_from):
        if isinstance(source, PeerSet) and not isinstance(source, PeerStack) and source.set == name:
            yield Problem(["peersFrom", index, "set"], "is the set itself, whose nodes know each other anyway; leave it out")
