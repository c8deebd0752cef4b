"""Rules for what the nodes of a chain set start from: genesis, snapshot, state sync."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from nodestead.config.base import Problem
from nodestead.plans.blockchain_exclusive import chain_id_of
from nodestead.plans.blockchain_parts import LocalNetwork
from nodestead.plans.blockchain_start import BinaryDefault, InlineText, suffix_problem
from nodestead.plans.blockchain_versions import preset_of
from nodestead.software.cosmos import CosmosChain

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["start_problems"]


def start_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """What no node can start from, and what is missing to start."""
    chain = preset_of(args)
    if not isinstance(args.network, LocalNetwork):
        known = args.genesis is not None or (chain is not None and chain.genesis_url is not None)
        if not known and not (isinstance(args.software, CosmosChain) and args.software.chain is not None and chain is None):
            yield Problem(["genesis"], "is required without a preset that has one; give its URL, a script or the text")
        if isinstance(args.genesis, BinaryDefault) and args.replicas > 1:
            yield Problem(
                ["genesis", "kind"], "default makes another genesis on each node; use network: {kind: local} for a new network"
            )
    if args.genesis is not None:
        for problem in suffix_problem(args.genesis, genesis=True):
            yield Problem(["genesis", *problem.path], problem.message)
    if args.snapshot is not None:
        for problem in suffix_problem(args.snapshot):
            yield Problem(["snapshot", *problem.path], problem.message)
        if args.state_sync is not None:
            yield Problem(["stateSync"], "cannot be set together with snapshot: a node starts from one of them; leave one out")
    running = [ordinal for ordinal in args.ordinals() if args.override(ordinal).disabled is None]
    if args.state_sync is not None and args.state_sync.siblings and len(running) < 2:
        yield Problem(
            ["stateSync", "siblings"],
            f"needs two nodes that run, and the set has {len(running)}; give rpcServers, or raise replicas",
        )
    if isinstance(args.genesis, InlineText):
        yield from _inline_problems(args.genesis.text, chain_id_of(args))


def _inline_problems(text: str, chain_id: str | None) -> Iterator[Problem]:
    path = ["genesis", "text"]
    try:
        found = json.loads(text)
    except ValueError:
        yield Problem(path, "is no JSON; give the genesis as the chain publishes it")
        return
    if not isinstance(found, dict) or "chain_id" not in found:
        yield Problem(path, "has no chain_id; give the genesis as the chain publishes it")
    elif chain_id is not None and (given := cast("dict[str, Any]", found)["chain_id"]) != chain_id:
        yield Problem(path, f"is of chain {given!r}, and software of {chain_id!r}; correct the one that is wrong")
