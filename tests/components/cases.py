"""Every component in its main shapes; a new component adds its own, and the contract tests hold for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from sample_plan import plan

from nodestead import NodeSet, StorageNodeGroup

NAMESPACE = "storage"
CODEX: dict[str, Any] = {"kind": "codex", "version": "0.2.5"}
MARKETPLACE: dict[str, Any] = {**CODEX, "marketplace": {"ethProvider": {"url": "https://rpc.example.org/v3/0123456789abcdef"}}}
PROVIDERS: dict[str, Any] = {"software": MARKETPLACE, "replicas": 3}
NODE_PORT: dict[str, Any] = {"exposure": {"kind": "nodePort", "bootstrapBasePort": 30700}}
LOAD_BALANCER: dict[str, Any] = {"exposure": {"kind": "loadBalancer"}}
INGRESS: dict[str, Any] = {
    "route": {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "tls": {"clusterIssuer": "letsencrypt"}}
}


@dataclass(frozen=True)
class Case:
    """A component with a config; `make` registers it under a name."""

    id: str
    make: Callable[[str, pulumi.ResourceOptions | None], NodeSet]

    def __str__(self) -> str:
        return self.id


def group(args: Mapping[str, Any]) -> Callable[[str, pulumi.ResourceOptions | None], NodeSet]:
    return lambda name, opts: StorageNodeGroup(name, args, opts, namespace=NAMESPACE)


CASES = [
    Case("by hand", lambda name, opts: NodeSet("NodeSet", name, plan(), opts)),
    Case("private nodes", group({"software": CODEX, "replicas": 3})),
    Case("providers behind node ports", group({**PROVIDERS, **NODE_PORT, "api": INGRESS, "monitoring": {}})),
    Case("providers behind load balancers", group({**PROVIDERS, **LOAD_BALANCER})),
    Case("pooled providers", group({**PROVIDERS, **LOAD_BALANCER, "layout": "pooled", "monitoring": {}})),
]
