"""Keys of a set of blockchain nodes: who they are among peers, and who signs blocks."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.fragments import Fragment
from nodestead.config.keys import FromSeed
from nodestead.config.scalars import (
    Duration,
    EntryTemplate,
    LateNameTemplate,
    NodeId,
    NumberedKeys,
)

__all__ = ["ChainKeys", "NoSigner", "RemoteSigner", "SecretNodeKeys", "SecretSigner", "SeedNodeKeys", "Signer"]


class SeedNodeKeys(FromSeed):
    """A node key for each node, made from the set's seed; the node ids are outputs."""


class SecretNodeKeys(Model):
    """A node key for each node from a Secret of yours, whose entries are node_key.json files."""

    kind: Literal["secret"]
    name: LateNameTemplate = Field(description="Name of the Secret. <replica> stands for the node's number.")
    key: EntryTemplate = Field(
        default="node_key-<replica>.json", description="Its entry for a node. <replica> stands for the node's number."
    )
    ids: Annotated[dict[str, NodeId], NumberedKeys] = Field(
        description="Node number to its node id, as `show-node-id` prints it; peers have to know it, and Secrets are not read."
    )


ChainKeys = Annotated[SeedNodeKeys | SecretNodeKeys, Field(discriminator="kind")]


class SecretSigner(Model):
    """A consensus key from a Secret of yours; its entry is a priv_validator_key.json."""

    kind: Literal["secret"]
    name: LateNameTemplate = Field(description="Name of the Secret. <replica> stands for the node's number.")
    key: EntryTemplate = Field(
        default="priv_validator_key.json", description="Its entry. <replica> stands for the node's number."
    )
    addresses: Annotated[dict[str, str], NumberedKeys] = Field(
        default_factory=dict,
        description="Node number to the consensus address (40 hexadecimal digits), for every node: by it the key is held once,"
        " whatever Secret it is in.",
    )

    def problems(self) -> Iterator[Problem]:
        """An address is the first 20 bytes of a hash."""
        owners: dict[str, str] = {}
        for node, address in self.addresses.items():
            if not re.fullmatch(r"[0-9A-Fa-f]{40}", address):
                yield Problem(
                    ["addresses", node],
                    f"{address[:80]!r} is not 40 hexadecimal digits; give the address as priv_validator_key.json has it",
                )
            owner = owners.setdefault(address.upper(), node)
            if owner != node:
                yield Problem(
                    ["addresses", node],
                    f"{address} is that of node {owner} already; one key on two nodes signs twice, give each its own",
                )


class RemoteSigner(Model):
    """The node waits for a remote signer (horcrux, tmkms) to connect, and has no consensus key."""

    kind: Literal["remote"]
    from_: tuple[Annotated[dict[str, Any], Fragment("NetworkPolicyPeer")], ...] = Field(
        default=(),
        alias="from",
        strict=False,
        description="Who may connect, as a NetworkPolicy names them; by default pods of the namespace with the label"
        ' nodestead.io/signer: "true".',
    )
    start_delay: Duration | Literal["0s"] = Field(
        default="10s", description="Wait before the node starts: without a signer it ends after three seconds."
    )


class NoSigner(Model):
    """No signer: a sentry that only shields."""

    kind: Literal["none"]


Signer = Annotated[SecretSigner | RemoteSigner | NoSigner, Field(discriminator="kind")]
