"""Service accounts and their rights, and the disruption budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodestead.config.base import Deferred
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Late, Manifest

__all__ = ["cluster_scoped_name", "disruption_budget", "rights", "service_account"]

_RBAC = "rbac.authorization.k8s.io"


def service_account(
    name: str | Deferred, namespace: str | Deferred, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Manifest:
    """An account without a token in its pods."""
    return manifest("ServiceAccount", "v1", name, namespace, labels, annotations, automountServiceAccountToken=False)


def cluster_scoped_name(name: str, namespace: str | Deferred) -> Any:
    """A name for an object of the whole cluster, so that the same set in two namespaces gives two: `codex-ns-codex`."""
    if isinstance(namespace, str):
        return f"{namespace}-{name}"
    return Late.of(namespace, lambda text: f"{text}-{name}", f"(namespace)-{name}")


def rights(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    account: str | Deferred,
    rules: Sequence[Mapping[str, Any]],
    *,
    cluster: bool,
) -> list[Manifest]:
    """A role and its binding to the account; nothing where there are no rules."""
    if not rules:
        return []
    kind = "ClusterRole" if cluster else "Role"
    called = cluster_scoped_name(name, namespace) if cluster else name
    place = None if cluster else namespace
    return [
        manifest(kind, f"{_RBAC}/v1", called, place, labels, rules=[dict(rule) for rule in rules]),
        manifest(
            f"{kind}Binding",
            f"{_RBAC}/v1",
            called,
            place,
            labels,
            roleRef={"apiGroup": _RBAC, "kind": kind, "name": called},
            subjects=[{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        ),
    ]


def disruption_budget(
    name: str, namespace: str | Deferred, labels: Mapping[str, str], selector: Mapping[str, str], max_unavailable: int | str
) -> Manifest:
    """How many pods of the set a drain may take at once."""
    return manifest(
        "PodDisruptionBudget",
        "policy/v1",
        name,
        namespace,
        labels,
        spec={
            "maxUnavailable": max_unavailable,
            # A pod that is not ready must not block the drain of its host.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": dict(selector)},
        },
    )
