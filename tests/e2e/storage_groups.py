"""Groups of storage nodes for the end-to-end tests: small and quick configs, and questions to their nodes."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from cluster import answer_from, apply, apply_in_waves, kubectl

from nodestead.config.base import parse
from nodestead.kubernetes.objects import Manifest, Plan
from nodestead.plans.stack import StackConfig, StackPlan, plan_stack

__all__ = [
    "AUTH_HASH",
    "AUTH_PASSWORD",
    "OFFER",
    "SEED",
    "apply_group",
    "apply_groups",
    "ask",
    "debug_info",
    "free_node_ports",
    "group",
    "inside",
    "market",
    "planned",
    "send",
]

SEED = "5eed" * 16
AUTH_PASSWORD = "correct horse"
# bcrypt, as a pulumi_random.RandomPassword gives it.
AUTH_HASH = "$2a$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu"

OFFER = {
    "totalSize": "1048576",
    "duration": "3600",
    "minPricePerBytePerSecond": "1000",
    "totalCollateral": "100000000000000000000",
}

_QUICK_PROBES = {"startupProbe": {"periodSeconds": 1, "failureThreshold": 300}, "readinessProbe": {"periodSeconds": 1}}


def group(software: Mapping[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """The config of a group that fits a small machine; its probes look every second, and else are the library's."""
    base: dict[str, Any] = {
        "software": software or {"kind": "codex", "version": "0.2.5"},
        "bootstrap": {"kind": "none"},
        "persistence": {"kind": "volume", "size": "1Gi"},
        "container": {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}},
        "patches": {"StatefulSet": {"*": {"spec": {"template": {"spec": {"containers": [{"name": "node", **_QUICK_PROBES}]}}}}}},
    }
    return base | given


def market(**given: Any) -> dict[str, Any]:
    """A software config that takes part in the marketplace; the provider is nowhere, and the stand-in asks it nothing."""
    trade = {"ethProvider": {"url": "https://rpc.example.org/v3/0123456789abcdef"}, "prover": False, **given}
    return {"kind": "codex", "version": "0.2.5", "marketplace": trade}


def planned(namespace: str, groups: Mapping[str, Any], pod_security: str = "restricted") -> StackPlan:
    """The stack of some groups."""
    stack = {
        "namespace": {"name": namespace, "podSecurity": pod_security},
        "cluster": {"render": "out"},
        "storageNodeGroups": dict(groups),
    }
    return plan_stack(parse(StackConfig, stack))


def apply_group(plan: Plan, *, wait: bool) -> list[Manifest]:
    """Brings a group to the cluster as its component does; gives what was applied."""
    return apply_in_waves(plan, partial(answer_from, str(plan.namespace), SEED, AUTH_HASH), wait=wait)


def apply_groups(stack: StackPlan) -> dict[str, Plan]:
    """Brings a stack's namespace and groups to the cluster at once and waits for none; gives the groups by name."""
    apply(stack.shared)
    for plan in stack.sets:
        apply_group(plan, wait=False)
    return {plan.name: plan for plan in stack.sets}


# --- questions to nodes ---


def ask(namespace: str, pod: str, path: str, port: int = 8080) -> str:
    """What a pod answers to a GET through the API server's proxy, which needs nothing in the cluster."""
    return kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}")


def debug_info(namespace: str, pod: str, software: str = "codex") -> dict[str, Any]:
    """A node's debug/info; beside what the real one tells, `bootstrap`, `reached` and `ethKeySha256`."""
    return json.loads(ask(namespace, pod, f"/api/{software}/v1/debug/info"))


def inside(namespace: str, pod: str, *command: str, container: str = "node") -> str:
    """What a command prints in a container."""
    return kubectl("exec", "--namespace", namespace, pod, "--container", container, "--", *command)


def free_node_ports(count: int) -> int:
    """The first of some neighbouring ports that no Service of the cluster has, in the range of node ports."""
    services = json.loads(kubectl("get", "services", "--all-namespaces", "--output", "json"))["items"]
    taken = {port.get("nodePort") for service in services for port in service["spec"].get("ports", [])}
    return next(base for base in range(31900, 32768 - count) if not taken & set(range(base, base + count)))


def send(namespace: str, pod: str, method: str, path: str, body: str) -> str:
    """What a node answers to a request with a body, sent by curl inside its pod."""
    return inside(namespace, pod, "curl", "-sS", "--fail", "-X", method, "--data", body, f"http://127.0.0.1:8080{path}")
