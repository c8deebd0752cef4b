"""What people call fields."""

from collections.abc import Mapping
from typing import Final

from nodestead.changes.compare import Path, path_text
from nodestead.changes.versions import image_parts

__all__ = ["label", "short_image", "without_flag"]

_POD: Final = ("spec", "template", "spec")
_CONTAINERS = ("containers", "initContainers")

_LABELS: Mapping[tuple[str, Path], str] = {
    ("*", ("spec", "replicas")): "replicas",
    ("*", ("metadata", "name")): "name",
    ("*", ("metadata", "namespace")): "namespace",
    ("PersistentVolumeClaim", ("spec", "resources", "requests", "storage")): "size",
    ("PersistentVolumeClaim", ("spec", "storageClassName")): "storage class",
    ("PersistentVolumeClaim", ("spec", "accessModes")): "access modes",
    ("PersistentVolumeClaim", ("spec", "volumeName")): "volume",
    ("Service", ("spec", "type")): "type",
    ("Service", ("spec", "loadBalancerIP")): "load balancer's address",
    ("Service", ("spec", "externalTrafficPolicy")): "external traffic policy",
    ("PodDisruptionBudget", ("spec", "maxUnavailable")): "most unavailable",
    ("PodDisruptionBudget", ("spec", "minAvailable")): "least available",
    ("*", ("spec", "podManagementPolicy")): "pod management policy",
    ("*", ("spec", "updateStrategy", "type")): "update strategy",
    ("*", ("spec", "updateStrategy", "rollingUpdate", "partition")): "partition of the rollout",
    ("*", (*_POD, "terminationGracePeriodSeconds")): "grace period (seconds)",
    ("*", (*_POD, "serviceAccountName")): "service account",
    ("*", (*_POD, "priorityClassName")): "priority class",
    ("*", (*_POD, "hostNetwork")): "host network",
}

_PORT_LABELS = {"nodePort": "node port", "port": "port", "targetPort": "target port", "appProtocol": "protocol"}


def label(kind: str, path: Path) -> str:
    """What people call a field: image, size, node port; its path where it has no such name."""
    known = _LABELS.get((kind, path)) or _LABELS.get(("*", path))
    if known:
        return known
    if kind in ("ConfigMap", "Secret") and len(path) == 2 and path[0] in ("data", "binaryData", "stringData"):
        return path[1]
    if path[:2] in (("metadata", "labels"), ("metadata", "annotations")) and len(path) == 3:
        return f"{path[1].removesuffix('s')} {path[2]}"
    if path[:2] == ("spec", "ports") and len(path) == 4 and path[3] in _PORT_LABELS:
        return f"{_PORT_LABELS[path[3]]} {_inner(path[2])}"
    if path[:2] == ("spec", "volumeClaimTemplates") and path[3:] == ("spec", "resources", "requests", "storage"):
        return "size"
    if path[:3] == _POD and len(path) > 4 and path[3] == "volumes":
        return _volume_label(path[4], path[5:]) or path_text(path)
    if path[:3] == _POD and len(path) > 4 and path[3] in _CONTAINERS:
        return _container_label(path[5:]) or path_text(path)
    if path[:3] == ("spec", "template", "metadata") and len(path) == 5:
        return f"pod {path[3].removesuffix('s')} {path[4]}"
    return path_text(path)


def _volume_label(volume: str, path: Path) -> str:
    match path:
        case ("secret", "secretName"):
            return f"volume {_inner(volume)}'s Secret"
        case ("configMap", "name"):
            return f"volume {_inner(volume)}'s ConfigMap"
        case _:
            return ""


def _container_label(path: Path) -> str:
    """What people call a field of a container; empty for one without a name of its own."""
    match path:
        case ("image",):
            return "image"
        case ("imagePullPolicy",):
            return "pull policy"
        case ("resources", ("requests" | "limits") as part, resource):
            return f"{resource} {part.removesuffix('s')}"
        case (("args" | "command") as part, item) if item.startswith("[-"):
            return f"{'argument' if part == 'args' else 'command'} {_inner(item)}"
        case ("env", item, "value"):
            return f"variable {_inner(item)}"
        case ("env", item, "valueFrom", "secretKeyRef", "name" | "key" as part):
            return f"variable {_inner(item)}'s {'Secret' if part == 'name' else 'key of the Secret'}"
        case ("env", item):
            return f"variable {_inner(item)}"
        case ("ports", item, "hostPort"):
            return f"host port {_inner(item)}"
        case _:
            return ""


def _inner(part: str) -> str:
    return part.removeprefix("[").removesuffix("]")


def without_flag(path: Path, text: str | None) -> str | None:
    """The value of an argument, whose flag the label names: `--log-level=info` is `info`."""
    if text is None or len(path) < 2 or path[-2] not in ("args", "command") or not path[-1].startswith("[-"):
        return text
    return text.removeprefix(f"{_inner(path[-1])}=")


def short_image(old: str, new: str) -> tuple[str, str]:
    """Two images by what differs: the tags, or digests, where the repository is the same."""
    (one, before), (other, after) = _named(old), _named(new)
    return (before, after) if one == other and before and after else (old, new)


def _named(image: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    repository, tag, digest = image_parts(image)
    return repository, "@".join(part for part in (tag, digest[:19]) if part)
