"""A plan made by hand that has everything a component can meet, so that the base is tested without any planner."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nodestead.config.base import Deferred
from nodestead.kubernetes.objects import Address, Late, Manifest, NodePlan, PasswordHash, Plan, Seed

NAMESPACE = "storage"
_KEPT = {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}
_LABELS = {
    "app.kubernetes.io/name": "codex",
    "app.kubernetes.io/instance": "codex",
    "app.kubernetes.io/component": "storage-node",
    "app.kubernetes.io/part-of": "nodestead",
    "app.kubernetes.io/managed-by": "nodestead",
}


def metadata(name: str | Deferred, *, kept: bool = False, namespace: str = NAMESPACE) -> dict[str, Any]:
    annotations = {"annotations": _KEPT} if kept else {}
    return {"name": name, "namespace": namespace, "labels": _LABELS, **annotations}


def node(name: str, ordinal: int) -> NodePlan:
    """A node with a load balancer, a claim, a key from the seed, a config that it reads and its StatefulSet."""

    def first_ip(served: list[dict[str, str]]) -> str:
        return served[0]["ip"]

    def private(seed: str) -> str:
        return f"key-{ordinal}-{seed}"

    def public(seed: str) -> str:
        return f"0x{ordinal}{seed[:4]}"

    address = Late((Address(f"{name}-loadbalancer"),), first_ip, f"(address of {name})")
    key = Late((Seed("codex"),), private, f"(key of {name})")
    container = {"name": "node", "imagePullPolicy": "Always", "env": [{"name": "ADDRESS", "value": address}]}
    return NodePlan(
        name,
        ordinal,
        [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata(f"{name}-loadbalancer"),
                "spec": {"type": "LoadBalancer"},
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata(f"data-{name}-1", kept=True),
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata(f"{name}-key-1", kept=True),
                "stringData": {"key": key},
                "immutable": True,
            },
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(f"{name}-config"), "data": {"config.toml": "x = 1"}},
            {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": metadata(name),
                "spec": {"serviceName": name, "template": {"spec": {"containers": [container]}}},
            },
        ],
        {
            "ethereumAddress": Late((Seed("codex"),), public, "0x"),
            "announced": address,
            "api": f"http://{name}",
        },
    )


def shared() -> list[Manifest]:
    """Objects of the whole set: a Secret with a hash, a kind without a class, one in another namespace."""
    hashed = Late((PasswordHash("codex"),), "admin:{}".format, "admin:(hash)")
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata("codex-api-auth"), "stringData": {"auth": hashed}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata("codex"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "codex"},
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": metadata("codex", namespace="monitoring"),
            "spec": {"podMetricsEndpoints": [{"port": "metrics"}]},
        },
    ]


def plan(
    waves: Sequence[Sequence[str]] = (("codex-1",), ("codex-2", "codex-3")),
    *,
    make_node: Callable[[str, int], NodePlan] = node,
    **changed: Any,
) -> Plan:
    """A set called codex with the nodes codex-1, codex-2 and so on, those in no wave included up to the third."""
    count = max(3, sum(len(wave) for wave in waves))

    def nodes() -> Iterator[NodePlan]:
        return (make_node(f"codex-{ordinal}", ordinal) for ordinal in range(1, count + 1))

    given: dict[str, Any] = {
        "name": "codex",
        "namespace": NAMESPACE,
        "shared": shared(),
        "nodes": nodes,
        "waves": [list(wave) for wave in waves],
        "timeout_seconds": 900,
        "unchangeable": {"layout": "perNode", "firstOrdinal": 1, "bootstrap.name": None},
        "needs_seed": True,
        "needs_password": True,
        "outputs": {"firewallPorts": ["tcp/8070", "udp/8090"]},
    }
    return Plan(**(given | changed))
