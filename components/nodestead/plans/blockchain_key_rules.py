"""Rules for the keys of a chain set: every node has one of its own, and no consensus key signs twice."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Deferred, Problem
from nodestead.config.persistence import EphemeralData, VolumeData
from nodestead.plans.blockchain_keys import NoSigner, RemoteSigner, SecretNodeKeys, SecretSigner
from nodestead.plans.blockchain_parts import LocalNetwork
from nodestead.plans.ordinals import no_such_node

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["consensus_key_problems", "exclusive_keys", "node_key_problems", "signer_problems"]


def node_key_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Node keys in Secrets: each with its id, and one of its own for each node."""
    keys = args.keys
    if not isinstance(keys, SecretNodeKeys):
        return
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node in sorted(ordinals - set(keys.ids), key=int):
        yield Problem(["keys", "ids"], f"node {node} has no id; add it, its peers have to know it")
    owners: dict[str, str] = {}
    for node, given in keys.ids.items():
        owner = owners.setdefault(given, node)
        if owner != node:
            yield Problem(
                ["keys", "ids", node],
                f"{given} is that of node {owner} already, and no two nodes have one key; correct one of them",
            )
    shared = isinstance(keys.name, Deferred) or "<replica>" not in keys.name
    if len(ordinals) > 1 and shared and "<replica>" not in keys.key:
        yield Problem(["keys", "key"], f"{keys.key!r} is one entry for {len(ordinals)} nodes; put <replica> into it")
    yield from _place_problems("keys", keys)


def _place_problems(field: str, given: SecretNodeKeys | SecretSigner) -> Iterator[Problem]:
    for key, text in (("name", given.name), ("key", given.key)):
        if isinstance(text, str) and "<pod>" in text:
            yield Problem([field, key], f"{text!r} has <pod>, and each node has one pod, number 0; use <replica>")


def signer_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Who has to sign, and who may not."""
    signer, local = args.signer, isinstance(args.network, LocalNetwork)
    if local:
        if signer is not None:
            yield Problem(["signer"], "a local network makes its keys from the seed; leave it out")
        return
    if args.type == "validator" and (signer is None or isinstance(signer, NoSigner)):
        yield Problem(["signer"], "a validator needs a signer; name the Secret with its key (kind: secret), or use kind: remote")
    if args.type not in ("validator", "sentry") and isinstance(signer, SecretSigner | RemoteSigner):
        yield Problem(["signer"], f"a node of type {args.type} signs nothing; leave it out, or set type: validator")
    if args.type == "sentry" and isinstance(signer, SecretSigner):
        yield Problem(["signer", "kind"], "a sentry holds no key; use remote or none, or set type: validator")
    if args.type == "validator" and args.replicas > 1:
        if isinstance(signer, RemoteSigner):
            yield Problem(
                ["replicas"],
                f"{args.replicas} nodes have one remote signer, and a validator is one node; set 1, or type: sentry for a"
                " signer that connects to each of them",
            )
        if isinstance(signer, SecretSigner):
            named = isinstance(signer.name, str) and "<replica>" in signer.name
            if not named and "<replica>" not in signer.key:
                yield Problem(
                    ["replicas"],
                    f"{args.replicas} nodes would sign with one key, and be slashed for it; set 1, or put <replica> into"
                    " signer.key for a key of its own each",
                )


def consensus_key_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Keys in Secrets: each with its address, on a volume that remembers what was signed."""
    signer = args.signer
    if not isinstance(signer, SecretSigner):
        return
    yield from _place_problems("signer", signer)
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node in signer.addresses:
        if node not in ordinals:
            yield Problem(["signer", "addresses", node], no_such_node(args))
    for node in sorted(ordinals - set(signer.addresses), key=int):
        yield Problem(
            ["signer", "addresses"],
            f"node {node} has none; add the address of its priv_validator_key.json, which keeps other nodes from holding the key",
        )
    persistence = args.persistence
    if isinstance(persistence, EphemeralData):
        yield Problem(
            ["persistence", "kind"],
            "ephemeral loses the record of what the validator has signed when its pod goes, and it could sign a"
            " block twice; use volume",
        )
    if isinstance(persistence, VolumeData) and "ReadWriteMany" in persistence.access_modes:
        yield Problem(["persistence", "accessModes"], "ReadWriteMany lets two pods sign from one volume; leave it out")


def exclusive_keys(args: "BlockchainNodeSetArgs") -> dict[int, str]:
    """The consensus address that each validator of a set signs with, by ordinal; that of a Secret's key is required."""
    signer = args.signer
    if not isinstance(signer, SecretSigner) or args.type != "validator":
        return {}
    return {ordinal: signer.addresses[str(ordinal)].upper() for ordinal in args.ordinals()}
