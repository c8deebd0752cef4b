"""The volumes of a storage group: claims, sizes, quotas and snapshots, and their rules."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.persistence import EphemeralData, ExistingClaim, VolumeData
from nodestead.config.quantity import quantity_bytes
from nodestead.kubernetes import names
from nodestead.plans.exclusive import given_claims

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["own_claims", "persistence_problems", "quota_bytes", "snapshot_problems", "volume_size"]

_MIB = 2**20


def quota_bytes(args: "StorageNodeGroupArgs", ordinal: int | None) -> int:
    """What a node may fill: the given quota, else its volume less the headroom, in whole MiB."""
    if args.software.quota is not None:
        return quantity_bytes(args.software.quota)
    size = volume_size(args, ordinal)
    # Without a size (a claim of somebody else's) the node's own default of 20 GiB stands.
    room = quantity_bytes(size) if size is not None else 24 * 2**30
    return max(room * 100 // (100 + args.software.headroom_percent) // _MIB * _MIB, _MIB)


def volume_size(args: "StorageNodeGroupArgs", ordinal: int | None) -> str | None:
    """The size of a node's volume, or None where somebody else made it."""
    override = None if ordinal is None else args.override(ordinal).size
    return override or args.persistence.size


def persistence_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Claims that two nodes would share, and volumes too small for what the node may fill."""
    persistence = args.persistence
    if isinstance(persistence, ExistingClaim):
        users = [o for o in args.ordinals() if args.override(o).existing_claim is None]
        if len(users) > 1 or args.own_bootstrap:
            yield Problem(
                ["persistence", "claim"],
                f"one claim cannot hold the data of {len(users) + args.own_bootstrap} nodes; use kind: volume, or name one for"
                " each under nodes",
            )
    claims: dict[str, str] = {}
    for claim, path in given_claims(args.persistence, args.nodes):
        owner = claims.setdefault(claim, ".".join(path))
        if owner != ".".join(path):
            yield Problem(path, f"{claim!r} is that of {owner} already; name another")
    yield from _size_problems(args)
    for node, override in args.nodes.items():
        if override.size is not None and not isinstance(persistence, VolumeData | EphemeralData):
            yield Problem(["nodes", node, "size"], "the claim is somebody else's and is not resized here; leave it out")
    if args.software.quota is None:
        return
    quota, headroom = quantity_bytes(args.software.quota), args.software.headroom_percent
    for where, size in [
        (("persistence", "size"), persistence.size),
        *((("nodes", node, "size"), override.size) for node, override in args.nodes.items()),
    ]:
        if size is not None and quantity_bytes(size) * 100 < quota * (100 + headroom):
            needed = -(-quota * (100 + headroom) // 100 // _MIB)
            yield Problem(
                where,
                f"{size} is too small for a quota of {args.software.quota} and {headroom} percent of headroom: the disk would"
                f" fill before the quota stops the node; give at least {needed}Mi, or lower software.quota",
            )


def _size_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """A node with a quota of its own default overfills a smaller disk."""
    if args.software.quota is not None:
        return
    if isinstance(args.persistence, ExistingClaim) and args.persistence.size is None:
        yield Problem(
            ["persistence", "size"],
            "is required with a claim of somebody else's, the quota follows it; give it, or software.quota",
        )
    for node, override in args.nodes.items():
        if override.existing_claim is not None:
            yield Problem(
                ["nodes", node, "existingClaim"], "is a claim whose size is not known, and no quota is given; set software.quota"
            )


def snapshot_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """A copy of a node's data is a copy of its libp2p key: two nodes with one peer id."""
    persistence, count = args.persistence, args.replicas + args.own_bootstrap
    if isinstance(persistence, VolumeData) and persistence.from_snapshot is not None and count > 1:
        remedy = (
            "restore one node in a group of layout: perNode" if args.layout == "pooled" else "name it in nodes.<n>.fromSnapshot"
        )
        yield Problem(
            ["persistence", "fromSnapshot"], f"gives {count} nodes one peer id, the key of a node lies in its data; {remedy}"
        )
    owners: dict[str, str] = {}
    for node, override in args.nodes.items():
        snapshot, path = override.from_snapshot, ["nodes", node, "fromSnapshot"]
        if snapshot is None:
            continue
        if override.existing_claim is not None or not isinstance(persistence, VolumeData):
            yield Problem(path, "no volume is made for the node; leave it out, or use persistence.kind: volume")
        if isinstance(snapshot, str) and owners.setdefault(snapshot, node) != node:
            yield Problem(
                path, f"{snapshot!r} is that of node {owners[snapshot]} already, and both would have one peer id; name another"
            )


def own_claims(name: str, args: "StorageNodeGroupArgs") -> Iterator[tuple[str, str]]:
    """Claims that a group makes itself: (claim, node)."""
    if not isinstance(args.persistence, VolumeData):
        return
    for number in range(1, args.own_bootstrap + 1):
        node = names.node_name(f"{name}-bootstrap", number)
        yield names.claim_name(names.pod_name(node, args.first_ordinal)), f"bootstrap-{number}"
    for ordinal in args.ordinals():
        if args.override(ordinal).existing_claim is not None:
            continue
        if args.layout == "pooled":
            pod = names.pod_name(name, ordinal)
        else:
            pod = names.pod_name(names.node_name(name, ordinal, prettified=args.prettified), args.first_ordinal)
        yield names.claim_name(pod), str(ordinal)
