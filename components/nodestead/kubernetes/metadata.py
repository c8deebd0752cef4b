"""Labels, annotations and the shell of an object."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from nodestead.config.base import Deferred
from nodestead.kubernetes.objects import Manifest

__all__ = ["KEPT", "SKIP_AWAIT", "base64_text", "checksum", "manifest", "recommended_labels"]

# Adopted where it is there, never deleted; the await of an adopted object would see no event and time out.
KEPT = {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def recommended_labels(software: str, set_name: str, component: str) -> dict[str, str]:
    """The app.kubernetes.io labels of a set's objects; none of them ever changes, so selectors may use them."""
    return {
        "app.kubernetes.io/name": software,
        "app.kubernetes.io/instance": set_name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "nodestead",
        "app.kubernetes.io/managed-by": "nodestead",
    }


def manifest(
    kind: str,
    api_version: str,
    name: str | Deferred,
    namespace: str | Deferred | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """An object in the order that people read: kind, name, then the body."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def checksum(text: str) -> str:
    """A short fingerprint of a config that pods read: in its name, a change restarts them, each in its batch."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def base64_text(text: str) -> str:
    """Text as the data of a Secret."""
    return base64.b64encode(text.encode()).decode()
