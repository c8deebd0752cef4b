"""Every component in its main shapes; a new component adds its own, and the contract tests hold for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from sample_plan import plan

from nodestead import BlockchainNodeSet, NodeSet, StorageNodeGroup

NAMESPACE = "storage"
CODEX: dict[str, Any] = {"kind": "codex", "version": "0.2.5"}
MARKETPLACE: dict[str, Any] = {**CODEX, "marketplace": {"ethProvider": {"url": "https://rpc.example.org/v3/0123456789abcdef"}}}
PROVIDERS: dict[str, Any] = {"software": MARKETPLACE, "replicas": 3}
NODE_PORT: dict[str, Any] = {"exposure": {"kind": "nodePort", "bootstrapBasePort": 30700}}
CHAIN_PORT: dict[str, Any] = {"kind": "nodePort", "first": 2}
LOAD_BALANCER: dict[str, Any] = {"exposure": {"kind": "loadBalancer"}}
INGRESS: dict[str, Any] = {
    "route": {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "tls": {"clusterIssuer": "letsencrypt"}}
}
SIMD: dict[str, Any] = {
    "software": {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"},
    "image": {"repository": "registry.example.org/simd", "tag": "v1"},
    "genesis": {"kind": "url", "url": "https://example.org/genesis.json"},
    "replicas": 3,
}
LOCAL: dict[str, Any] = {**SIMD, "network": {"kind": "local", "validators": 2}}
del LOCAL["genesis"]
VALIDATORS: dict[str, Any] = {
    **SIMD,
    "type": "validator",
    "signer": {"kind": "secret", "name": "val-<replica>", "addresses": {str(n): f"{n:040x}" for n in range(3)}},
}
VERSIONS: dict[str, Any] = {
    "image": {"repository": "registry.example.org/simd"},
    "versions": [{"height": 0, "image": {"tag": "v1"}, "haltHeight": 9}, {"height": 10, "image": {"tag": "v2"}}],
}
EXTRA_POD: dict[str, Any] = {"name": "tool", "containers": [{"name": "simd", "command": ["simd", "version"]}]}


@dataclass(frozen=True)
class Case:
    """A component with a config; `make` registers it under a name."""

    id: str
    make: Callable[[str, pulumi.ResourceOptions | None], NodeSet]

    def __str__(self) -> str:
        return self.id


def group(args: Mapping[str, Any]) -> Callable[[str, pulumi.ResourceOptions | None], NodeSet]:
    return lambda name, opts: StorageNodeGroup(name, args, opts, namespace=NAMESPACE)


def chain(args: Mapping[str, Any]) -> Callable[[str, pulumi.ResourceOptions | None], NodeSet]:
    return lambda name, opts: BlockchainNodeSet(name, args, opts, namespace=NAMESPACE)


CASES = [
    Case("by hand", lambda name, opts: NodeSet("NodeSet", name, plan(), opts)),
    Case("private nodes", group({"software": CODEX, "replicas": 3})),
    Case("providers behind node ports", group({**PROVIDERS, **NODE_PORT, "api": INGRESS, "monitoring": {}})),
    Case("providers behind load balancers", group({**PROVIDERS, **LOAD_BALANCER})),
    Case("pooled providers", group({**PROVIDERS, **LOAD_BALANCER, "layout": "pooled", "monitoring": {}})),
    Case("full nodes of a chain", chain(SIMD)),
    Case("a local network", chain({**LOCAL, "monitoring": {}})),
    Case("sentries behind load balancers", chain({**SIMD, **LOAD_BALANCER, "type": "sentry"})),
    Case("archives behind node ports with two versions", chain({**SIMD, **VERSIONS, "type": "archive", "exposure": CHAIN_PORT})),
    Case("validators with keys of their own", chain(VALIDATORS)),
    Case("nodes with extra pods", chain({**SIMD, **VERSIONS, "versionedPods": [EXTRA_POD]})),
]
