"""Which cluster the objects of a stack are in, as far as its states tell."""

import json
from typing import Final

from nodestead.changes.mounts import is_known
from nodestead.changes.plain import mapping
from nodestead.changes.snapshot import PROVIDER_TYPE, Snapshot

__all__ = ["cluster"]

# The engine's identifier for the cluster is the stack's name, and versions and flags name none.
_NAMES: Final = ("kubeconfig", "context", "cluster")


def cluster(snapshot: Snapshot) -> str:
    """What names the cluster; empty where nothing does or several are named, and for manifests that go to a folder.

    Args:
        snapshot: A state of a stack.
    """
    given = [mapping(item.manifest.get("inputs")) for item in snapshot.items.values() if item.kind == PROVIDER_TYPE]
    if len(given) != 1 or given[0].get("renderYamlToDirectory"):
        return ""
    names = {key: value for key, value in given[0].items() if key in _NAMES and value}
    # Two values that a preview hides look alike.
    return json.dumps(names, sort_keys=True) if names and all(map(is_known, names.values())) else ""
