"""Rules for the volumes of a chain set: claims, sizes and snapshots."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.persistence import ExistingClaim, VolumeData

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["persistence_problems"]


def persistence_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Claims that two nodes would share, and settings of volumes that are not made here."""
    persistence = args.persistence
    if isinstance(persistence, ExistingClaim):
        users = [o for o in args.ordinals() if args.override(o).existing_claim is None]
        if len(users) > 1:
            yield Problem(
                ["persistence", "claim"],
                f"one claim cannot hold the data of {len(users)} nodes; use kind: volume, or name one for each under nodes",
            )
    owners: dict[str, str] = {}
    given = [(persistence.claim, "persistence.claim")] if isinstance(persistence, ExistingClaim) else []
    given += [(o.existing_claim, f"nodes.{n}.existingClaim") for n, o in args.nodes.items() if o.existing_claim is not None]
    for claim, where in given:
        if isinstance(claim, str) and owners.setdefault(claim, where) != where:
            yield Problem(where.split("."), f"{claim!r} is that of {owners[claim]} already; name another")
    for node, override in args.nodes.items():
        made = isinstance(persistence, VolumeData) and override.existing_claim is None
        for field, value in (("size", override.size), ("fromSnapshot", override.from_snapshot)):
            if value is not None and not made:
                yield Problem(
                    ["nodes", node, field],
                    "no volume is made for the node; leave it out, or use persistence.kind: volume without existingClaim",
                )
    if isinstance(persistence, VolumeData) and persistence.from_snapshot is not None and args.replicas > 1:
        yield Problem(
            ["persistence", "fromSnapshot"],
            f"gives {args.replicas} nodes one record of what was signed, which lies in the data; name it in"
            " nodes.<n>.fromSnapshot",
        )
