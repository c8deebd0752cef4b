"""What a set of blockchain nodes has for itself in its stack: claims, addresses, hosts of routes, node keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import SecretStr

from nodestead.config.base import Problem
from nodestead.config.p2p import FixedDialAddress, LoadBalancerP2p
from nodestead.config.persistence import VolumeData
from nodestead.kubernetes import names
from nodestead.plans.blockchain_keys import SecretNodeKeys, SeedNodeKeys
from nodestead.plans.blockchain_parts import PeerSet, PeerStack
from nodestead.plans.exclusive import Exclusive, claims_held, endpoint, given_claims, own_claim_problems
from nodestead.software.cosmos import CosmosChain

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["chain_id_of", "claim_problems", "exclusive_things", "foreign_peers", "shared_address_problems"]


def exclusive_things(args: "BlockchainNodeSetArgs", name: str) -> Iterator[Exclusive]:
    """What no two nodes of a stack may share, as `shared_problems` compares it; consensus keys have a rule of their own.

    Args:
        args: The set.
        name: Its name.
    """
    yield from claims_held(_own_claims(name, args), given_claims(args.persistence, args.nodes))
    port = args.ports.p2p
    if isinstance(args.exposure, LoadBalancerP2p):
        for node, address in args.exposure.load_balancer_ips.items():
            path = ("exposure", "loadBalancerIPs", node)
            yield endpoint(address, port), path, f"{address} with port {port} is that of", "give each load balancer its own"
    for _, address, path in _announced(args):
        yield endpoint(address, port), path, f"{address} with port {port} is announced by", "give each load balancer its own"
    if args.routes is not None:
        for protocol, hosts in args.routes.asked().items():
            for index, host in enumerate(hosts):
                path = ("routes", protocol, "hosts", index)
                yield ("way", host, "/"), path, f"{host} leads to the nodes of", "set another host"
    yield from _node_keys(args)


def _node_keys(args: "BlockchainNodeSetArgs") -> Iterator[Exclusive]:
    keys = args.keys
    if isinstance(keys, SecretNodeKeys):
        rule, remedy = "names node keys of", "two nodes would have one node id; use another Secret, or other entries"
        for ordinal in args.ordinals():
            if isinstance(keys.name, str):
                entry = [text.replace("<replica>", str(ordinal)) for text in (keys.name, keys.key)]
                yield ("entry", *entry), ("keys",), rule, remedy
            yield ("node id", keys.ids[str(ordinal)]), ("keys",), rule, remedy
    if isinstance(keys, SeedNodeKeys) and isinstance(keys.seed, SecretStr):
        seed, path, remedy = keys.seed.get_secret_value().lower(), ("keys", "seed"), "use another seed, or other ordinals"
        # Said first: of two local networks both keys are the same.
        for ordinal in args.validators:
            one = ("consensus key", seed, keys.generation, ordinal)
            yield one, path, "gives node keys and consensus keys of", f"two validators would sign with one key; {remedy}"
        for ordinal in args.ordinals():
            one = ("node key", seed, keys.generation, ordinal)
            yield one, path, "gives node keys of", f"two nodes would have one node id; {remedy}"


def _own_claims(name: str, args: "BlockchainNodeSetArgs") -> Iterator[tuple[str, str]]:
    """Claims that a set makes itself: (claim, node)."""
    if isinstance(args.persistence, VolumeData):
        for ordinal in args.ordinals():
            if args.override(ordinal).existing_claim is None:
                yield names.claim_name(names.pod_name(names.node_name(name, ordinal), 0)), str(ordinal)


def claim_problems(name: str, args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """A claim given to one node that another node of the set makes."""
    yield from own_claim_problems(_own_claims(name, args), given_claims(args.persistence, args.nodes), "set")


def _announced(args: "BlockchainNodeSetArgs") -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The given addresses of load balancers that nodes announce: (node, address, path that names it).

    Behind the other ways in, nodes may share an address: their ports differ over the whole stack.
    """
    exposure = args.exposure
    if not isinstance(exposure, LoadBalancerP2p):
        return
    source = exposure.external_address
    given = source.addresses if isinstance(source, FixedDialAddress) else {}
    for ordinal in args.ordinals()[: exposure.first]:
        node = str(ordinal)
        own = args.override(ordinal).external_address
        if isinstance(own, str):
            yield node, own, ("nodes", node, "externalAddress")
        elif own is None and isinstance(address := given.get(node), str):
            yield node, address, ("exposure", "externalAddress", "addresses", node)


def shared_address_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Two load balancers of a set behind one address; all of them have one port."""
    owners: dict[tuple[object, ...], str] = {}
    for node, address, path in _announced(args):
        owner = owners.setdefault(endpoint(address, args.ports.p2p), node)
        if owner != node:
            yield Problem(path, f"{address} is that of node {owner} already; give each load balancer its own")


def chain_id_of(args: "BlockchainNodeSetArgs") -> str | None:
    """The chain of a set, as it says or as its preset has it."""
    return args.software.known("chain_id") if isinstance(args.software, CosmosChain) else args.software.chain_id


def foreign_peers(sets: dict[str, "BlockchainNodeSetArgs"]) -> Iterator[Problem]:
    """Sets of another chain that a set has as peers; paths begin at the sets."""
    for name, one in sets.items():
        for index, source in enumerate(one.peers_from):
            if not isinstance(source, PeerSet) or isinstance(source, PeerStack) or source.set not in sets:
                continue
            own, other = chain_id_of(one), chain_id_of(sets[source.set])
            if own is not None and other is not None and own != other:
                yield Problem(
                    [name, "peersFrom", index, "set"],
                    f"{source.set} is of chain {other}, and this set of {own}: their nodes refuse each other; name a set of the"
                    " same chain",
                )
