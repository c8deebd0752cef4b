"""A new network that a chain set makes by itself: its genesis, and what does not go with one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nodestead.config.base import Problem
from nodestead.plans.blockchain_keys import SecretNodeKeys
from nodestead.plans.blockchain_parts import BlockchainSoftware, LocalNetwork
from nodestead.software.cosmos import CosmosChain
from nodestead.software.local_network import genesis_faults

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["genesis_facts", "network_problems"]


def network_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """What a set that makes a network cannot be, have or leave out."""
    network = args.network
    if not isinstance(network, LocalNetwork):
        return
    if args.replicas < network.validators:
        yield Problem(
            ["network", "validators"],
            f"{network.validators} is more than the set's {args.replicas} nodes; raise replicas, or lower it",
        )
    if args.type not in ("full", "validator", "archive"):
        yield Problem(
            ["type"], f"{args.type} is no role in a local network of one set; use full, and another set for {args.type} nodes"
        )
    if args.type == "validator" and args.replicas != network.validators:
        yield Problem(
            ["type"],
            f"{network.validators} of the set's {args.replicas} nodes are validators; use full, which is what the others are",
        )
    if isinstance(args.keys, SecretNodeKeys):
        yield Problem(["keys", "kind"], "a local network makes its keys from the seed; leave keys out")
    for field in ("genesis", "snapshot"):
        if getattr(args, field) is not None:
            yield Problem([field], "a local network makes its own beginning; leave it out")
    if args.state_sync is not None:
        yield Problem(
            ["stateSync"],
            "the nodes of a new network have nobody to sync from; leave it out, and set it in a set that joins the network",
        )
    if isinstance(args.software, CosmosChain) and args.software.chain is not None:
        yield Problem(["software", "chain"], "the preset is that of a public network; give chainId and binary")
        return
    faults = genesis_faults(**genesis_facts(args.software, network))
    if faults:
        yield Problem(["network"], "; ".join(faults))


def genesis_facts(software: BlockchainSoftware, network: LocalNetwork) -> dict[str, Any]:
    """What the config says of a local network's genesis, as `local_genesis` takes it."""
    facts: dict[str, Any] = {
        "software": software.kind,
        "chain_id": software.chain_id or "",
        "genesis_time": network.genesis_time,
        "accounts": network.accounts,
        "app_state": network.app_state,
    }
    if isinstance(software, CosmosChain):
        facts |= {
            "denom": software.known("denom") or "stake",
            "prefix": software.known("prefix") or "cosmos",
            "stake": network.stake,
            "balance": network.balance,
        }
    return facts
