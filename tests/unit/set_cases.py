"""What breaks the rules of a set of blockchain nodes, as the tests write it down."""

from typing import Any

import pytest
from chains import COSMOS, A, B, plan

from nodestead.config.base import ConfigError

Given = dict[str, Any]
PEER = f"{A}@seed.example.org:26656"
ACCOUNT = "cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0"
BARE: Given = {"repository": "registry.example.org/simd"}
DIGEST = f"sha256:{'0a' * 32}"
NODE_PORT: Given = {"kind": "nodePort"}
FIXED: Given = {"kind": "fixed", "addresses": {"0": "203.0.113.7"}}
ROUTES: Given = {"kind": "ingress", "rpc": {"hosts": ["rpc.example.org"]}, "tls": "none", "controllerNamespace": "edge"}
SECURE_ROUTES: Given = {**ROUTES, "tls": {"secret": "tls"}}
SERVERS = ["https://a.example.org", "https://b.example.org"]
ON_ROCKS: Given = {**COSMOS, "databaseBackend": "rocksdb"}
TRUST: Given = {"trustHeight": 5, "trustHash": "0" * 64}
URL_FROM: Given = {"name": "mirror", "key": "url"}
VOLUME: Given = {"kind": "volume"}
CLAIM: Given = {"kind": "existingClaim", "claim": "mine"}
ADDRESSES: Given = {"0": A, "1": B}
PAIR: Given = {
    "type": "validator",
    "replicas": 2,
    "signer": {"kind": "secret", "name": "val-<replica>", "addresses": ADDRESSES},
}


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no rule may wait for a value of another resource")


def rows(*given: tuple[int, ...]) -> Given:
    """Versions by height, with the last block of each if it has one; the image has no tag of its own then."""
    versions = [
        {"height": row[0], "image": {"tag": f"v{row[0]}"}} | ({"haltHeight": row[1]} if len(row) > 1 else {}) for row in given
    ]
    return {"versions": versions, "image": BARE}


def balanced(*addresses: str) -> Given:
    """Load balancers with the given addresses, node by node."""
    fixed = {"kind": "fixed", "addresses": {str(node): address for node, address in enumerate(addresses)}}
    return {"kind": "loadBalancer", "externalAddress": fixed}


def mounted(name: str, path: str) -> Given:
    """A volume in the container of the node."""
    return {"container": {"volumeMounts": [{"name": name, "mountPath": path}]}}


def beside(field: str, name: str, **more: Any) -> Given:
    """A container of the user's in the pods."""
    return {"pod": {field: [{"name": name, "image": "registry.example.org/tool:1", **more}]}}


def local(**network: Any) -> Given:
    return {"genesis": None, "network": {"kind": "local", "validators": 1, **network}}


MORE: Given = {"pod": {"volumes": [{"name": "more", "emptyDir": {}}]}}


def broken(name: str, rules: list[tuple[Given, list[str]]]) -> Any:
    """A test's parameters: what breaks the rules, and what is said of it."""
    return pytest.mark.parametrize(
        ("given", "said"), rules, ids=[f"{name}-{lines[0].partition(':')[0]}-{index}" for index, (_, lines) in enumerate(rules)]
    )


def named(name: str, **given: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        plan(name, **given)
    return refused.value.problems
