"""Claims for data that outlives its workload."""

from collections.abc import Mapping
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.persistence import VolumeData
from nodestead.kubernetes.metadata import KEPT, manifest
from nodestead.kubernetes.objects import Manifest

__all__ = ["claim", "claim_spec"]


def claim_spec(volume: VolumeData, size: str, snapshot: str | Deferred | None = None) -> dict[str, Any]:
    """The spec of a claim; its data come from `snapshot`, else from that of the volume, if any."""
    spec: dict[str, Any] = {
        "accessModes": list(volume.access_modes),
        "resources": {"requests": {"storage": size}},
    }
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    if volume.selector is not None:
        spec["selector"] = volume.selector
    source = volume.from_snapshot if snapshot is None else snapshot
    if source is not None:
        spec["dataSource"] = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": source}
    return spec


def claim(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    volume: VolumeData,
    size: str,
    snapshot: str | Deferred | None = None,
) -> Manifest:
    """A claim that is made or adopted, and never deleted with its stack."""
    spec = claim_spec(volume, size, snapshot)
    return manifest("PersistentVolumeClaim", "v1", name, namespace, labels, {**volume.annotations, **KEPT}, spec=spec)
