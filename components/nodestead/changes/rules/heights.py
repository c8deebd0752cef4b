"""Risk rules about the heights from which a chain's nodes run each version of the software."""

import re
from collections.abc import Iterator
from typing import Final

from nodestead.changes.compare import Comparison
from nodestead.changes.plain import mappings
from nodestead.changes.rule import Found, Rule, folded
from nodestead.changes.snapshot import Item
from nodestead.changes.workloads import pod_spec

__all__ = ["RULES"]

_NAME: Final = re.compile(r"node(?:-h(\d{1,15}))?")
"""The container of a version that runs from a height; of a node with one version there is no height in it."""


def _heights(item: Item) -> dict[int, str]:
    """Which image runs from which height."""
    matches = [(_NAME.fullmatch(str(one.get("name"))), one.get("image")) for one in mappings(pod_spec(item).get("containers"))]
    return dict(sorted((int(match[1] or 0), str(image)) for match, image in matches if match is not None))


def _both(comparison: Comparison) -> Iterator[tuple[Item, dict[int, str], dict[int, str]]]:
    """Nodes with several versions before, and what runs from which height before and afterwards."""
    for change in comparison.of_kind("StatefulSet"):
        if change.old is not None and change.new is not None:
            before, after = _heights(change.old), _heights(change.new)
            if len(before) > 1 and after and before != after:
                yield change.new, before, after


def _moved(comparison: Comparison) -> Iterator[Found]:
    cases: list[tuple[Item, str]] = []
    for item, before, after in _both(comparison):
        starts = {image: height for height, image in before.items()}
        told = [
            f"{image} runs from block {height:,} and no longer from {starts[image]:,}"
            for height, image in after.items()
            if height and starts.get(image, height) not in (0, height)
        ]
        told += [
            f"{image} is put in between, from block {height:,}"
            for height, image in after.items()
            if 0 < height < max(before) and height not in before and image not in starts
        ]
        if told:
            cases.append((item, f"{'; '.join(told)}: nodes between these blocks change version at their restart"))
    return folded(cases)


def _dropped(comparison: Comparison) -> Iterator[Found]:
    cases: list[tuple[Item, str]] = []
    for item, before, after in _both(comparison):
        # Another image at the same height is another build of that version, unless it is that of a later height.
        gone = {
            height: image
            for height, image in before.items()
            if image not in after.values() and (height not in after or after[height] in before.values())
        }
        if gone:
            told = ", ".join(f"{image} from block {height:,}" for height, image in gone.items())
            cases.append((item, f"no node can run these any more: {told}; those that still need it start with a later one"))
    return folded(cases)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "upgrade-height-moved",
        "danger",
        "A version runs from another block on",
        "Nodes between the old and the new height run blocks with other software than the chain there: they fork or halt.",
        "Leave heights as the chain's upgrades set them; correct one only while every node is still below both.",
        _moved,
    ),
    Rule(
        "version-dropped",
        "caution",
        "A version that nodes may still need is dropped",
        "A node at blocks of that version, or restored from a snapshot of that time, starts a later one and may spoil its data.",
        "Drop a version when every node is past the next height, and snapshots of new nodes are too.",
        _dropped,
    ),
)
"""The rules about heights."""
