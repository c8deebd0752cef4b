"""The component for blockchain nodes."""

from collections.abc import Mapping
from typing import Any

import pulumi

from nodestead.component import NodeSet, clean_errors, settled
from nodestead.config.base import parse
from nodestead.peer_book import PeerBook
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_node_set import Neighbours, plan_blockchain_node_set

__all__ = ["BlockchainNodeSet"]


class BlockchainNodeSet(NodeSet):
    """A set of nodes of one chain, that know each other: full nodes, sentries, a validator, seeds, archives.

    A closed network of four validators, which makes its own genesis and keys:

    >>> simd = {"kind": "cosmos", "chainId": "local-1", "binary": "simd"}
    >>> image = {"repository": "ghcr.io/cosmos/simapp", "tag": "v0.50"}
    >>> local = {"software": simd, "image": image, "replicas": 4, "network": {"kind": "local", "validators": 4}}
    >>> network = BlockchainNodeSet("local", local, namespace="chain")
    >>> pulumi.export("peers", network.outputs["peers"])

    What the stack file takes can be given in its spelling or in Python's, as a mapping or as an object. Sets that have each
    other as peers share a `PeerBook`; what another set gives goes one way without: `{"peersFrom": [{"peers":
    network.outputs["peers"]}]}`.

    Children are there by attribute and by name: `network.stateful_sets["local-0"]`, `network.resources["Service/local-rpc"]`.
    Claims and key Secrets outlive the set; `nodestead data` lists those that no stack holds.
    """

    def __init__(
        self,
        name: str,
        args: BlockchainNodeSetArgs | Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        namespace: pulumi.Input[str] = "default",
        peer_book: PeerBook | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Validates, then registers.

        Args:
            name: Name of the set; the objects of its nodes begin with it.
            args: The config.
            opts: Options; a provider in them serves every child.
            namespace: Where the objects go; it has to be there.
            peer_book: Where sets that have each other as peers find them.
            neighbours: What a rendering shows for the peers of other sets.

        Raises:
            pulumi.RunError: where the config is refused, with every reason; nothing is registered then.
        """
        try:
            with clean_errors():
                parsed = parse(BlockchainNodeSetArgs, args, ("blockchainNodeSets", name))
                plan = plan_blockchain_node_set(name, parsed, settled(namespace), neighbours)
        except pulumi.RunError:
            if peer_book is not None:
                peer_book.fail(name)
            raise
        super().__init__("BlockchainNodeSet", name, plan, opts, peer_book=peer_book)
