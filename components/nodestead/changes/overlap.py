"""Objects that two stacks of one cluster both hold."""

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

from nodestead.changes.names import folded_names
from nodestead.changes.snapshot import Snapshot

__all__ = ["overlaps"]

_PROVIDER: Final = "pulumi:providers:kubernetes"
# Many stacks live in one namespace by design.
_SHARED: Final = ("Namespace",)


def overlaps(base: Mapping[str, Snapshot], head: Mapping[str, Snapshot]) -> Iterator[str]:
    """Says of stacks of one cluster which objects both hold in the head, and did not before.

    Args:
        base: The stacks before, by name.
        head: The stacks afterwards.
    """
    clusters: dict[str, list[str]] = {}
    for name, snapshot in sorted(head.items()):
        if cluster := _cluster(snapshot):
            clusters.setdefault(cluster, []).append(name)
    for names in clusters.values():
        for one, other in combinations(names, 2):
            common = _common(head, one, other) - _common(base, one, other)
            if common:
                nodes = sorted(identity[3] for identity in common if identity[1] == "StatefulSet")
                said = f", among them the nodes {folded_names(nodes)}" if nodes else ""
                noun = "object" if len(common) == 1 else "objects"
                yield (
                    f"stacks {one} and {other} name the same cluster and hold {len(common):,} {noun} of the same name{said}: the"
                    " update of one takes them from the other; give one another namespace or cluster"
                )


def _cluster(snapshot: Snapshot) -> str:
    """What names the cluster; empty where nothing does, or where there are several."""
    inputs = [item.manifest.get("inputs") for item in snapshot.items.values() if item.kind == _PROVIDER]
    return json.dumps(inputs[0], sort_keys=True, default=str) if len(inputs) == 1 and inputs[0] else ""


def _common(stacks: Mapping[str, Snapshot], one: str, other: str) -> set[tuple[str, str, str, str]]:
    if one not in stacks or other not in stacks or _cluster(stacks[one]) != _cluster(stacks[other]):
        return set()
    found = stacks[one].items.keys() & stacks[other].items.keys()
    return {identity for identity in found if stacks[one].items[identity].is_object and identity[1] not in _SHARED}
