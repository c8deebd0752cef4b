"""The versions of a chain set: which image runs which blocks, and the rules of that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.pod import Image
from nodestead.plans.blockchain_start import ChainVersion, PresetVersions
from nodestead.software.cosmos import CosmosChain
from nodestead.software.presets import ChainPreset

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["preset_of", "version_problems", "versions_of"]


def preset_of(args: "BlockchainNodeSetArgs") -> ChainPreset | None:
    """The preset that the software names; None without, or where it is unknown, which the software refuses itself."""
    return args.software.chain_preset if isinstance(args.software, CosmosChain) else None


def versions_of(args: "BlockchainNodeSetArgs") -> list[ChainVersion]:
    """The versions of a set in ascending order; empty where one image runs all blocks."""
    given = args.versions
    if isinstance(given, PresetVersions):
        chain = preset_of(args)
        rows = [] if chain is None else list(chain.versions)
        first = max((index for index, row in enumerate(rows) if row.height <= given.since), default=0)
        return [
            ChainVersion.model_validate({"height": row.height if index else 0, "image": {"tag": row.tag}})
            for index, row in enumerate(rows[first:])
        ]
    return list(given or ())


def version_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Blocks without a version or with two, and images that are not pinned."""
    software, chain = args.software, preset_of(args)
    halts = isinstance(software, CosmosChain)
    app_halt = (software.app.halt_height or None) if isinstance(software, CosmosChain) else None
    if isinstance(args.versions, PresetVersions) and (chain is None or not chain.versions):
        yield Problem(["versions", "preset"], "the chain has no preset with versions; list them")
        return
    if isinstance(args.versions, PresetVersions) and chain is not None and not chain.reaches_recommended:
        yield Problem(
            ["versions", "preset"],
            f"the preset knows no height after {chain.versions[-1].tag}, and {chain.recommended} is what runs now: a node would"
            " run an old binary; list the versions",
        )
    versions = versions_of(args)
    if software.database_backend == "rocksdb" and (len(versions) > 1 or app_halt or any(v.halt_height for v in versions)):
        yield Problem(
            ["software", "databaseBackend"],
            "versions and halts go by the height, which only the node itself can read from rocksdb; use goleveldb or"
            " pebbledb, or one version",
        )
    if args.versions is not None and not versions:
        yield Problem(["versions"], "is empty; leave it out, or list at least one")
    if versions and app_halt is not None:
        yield Problem(["software", "app", "haltHeight"], "cannot be set together with versions; set haltHeight of a version")
    if not software.shell and (len(versions) > 1 or app_halt is not None or any(v.halt_height for v in versions)):
        yield Problem(
            ["versions"],
            "an image without a shell cannot wait for its height, and its binary cannot leave it; use an image with sh, or one"
            " version, changed by an update at its height",
        )
    for index, version in enumerate(versions):
        after = versions[index + 1] if index + 1 < len(versions) else None
        if after is not None and after.height <= version.height:
            yield Problem(
                ["versions", index + 1, "height"],
                f"{after.height} does not follow {version.height}; list them in ascending order",
            )
        if version.halt_height is None:
            continue
        if not halts:
            yield Problem(["versions", index, "haltHeight"], f"{software.kind} cannot halt at a height; leave it out")
        if version.halt_height < version.height:
            yield Problem(
                ["versions", index, "haltHeight"],
                f"{version.halt_height} is before this version's first block {version.height}; raise it to at least that",
            )
        if after is not None and after.height > version.height and after.height != version.halt_height + 1:
            yield Problem(
                ["versions", index, "haltHeight"],
                f"{version.halt_height} and the next version's height {after.height} do not meet; blocks after the halt belong to"
                f" the next version: set haltHeight {after.height - 1}, or its height {version.halt_height + 1}",
            )
    yield from _image_problems(args, versions, chain)


def _image_problems(args: "BlockchainNodeSetArgs", versions: list[ChainVersion], chain: ChainPreset | None) -> Iterator[Problem]:
    image: Image = args.image
    known = (
        image.repository is not None or args.software.kind == "cometbft" or (chain is not None and chain.repository is not None)
    )
    if not known and not (versions and all(version.image.repository for version in versions)):
        yield Problem(["image", "repository"], "is required: no registry is known for this chain; name the image of its binary")
    tagged = image.tag is not None or image.digest is not None or args.software.kind == "cometbft"
    if not tagged and not versions and not (chain is not None and chain.recommended):
        yield Problem(["image", "tag"], "is required; pin the version of the binary")
    if versions and (image.tag is not None or image.digest is not None):
        yield Problem(["image", "tag"], "cannot be set together with versions: each version has its own; leave it out")
