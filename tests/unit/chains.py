"""Sets of blockchain nodes as tests write them: short configs in, objects by kind and name out."""

import json
from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.objects import Address, Late, Plan, PublicOf, Seed, SetPeers, StackPeers
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_node_set import plan_blockchain_node_set
from nodestead.preview.yaml_text import plain

SEED = bytes(range(32)).hex()
COSMOS: dict[str, Any] = {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"}
COMET: dict[str, Any] = {"kind": "cometbft", "chainId": "net-1", "proxyApp": "kvstore"}
HUB: dict[str, Any] = {"kind": "cosmos", "chain": "cosmoshub-4"}
OSMOSIS: dict[str, Any] = {"kind": "cosmos", "chain": "osmosis-1"}
IMAGE: dict[str, Any] = {"repository": "registry.example.org/simd", "tag": "v1"}
GENESIS: dict[str, Any] = {"kind": "url", "url": "https://example.org/genesis.json"}
LOCAL: dict[str, Any] = {"genesis": None, "network": {"kind": "local", "validators": 4}, "replicas": 4}
LOCAL_COMET: dict[str, Any] = {**LOCAL, "software": COMET, "image": {}}
A, B, C = "a" * 40, "b" * 40, "c" * 40
BY_SECRET: dict[str, Any] = {"type": "validator", "signer": {"kind": "secret", "name": "val", "addresses": {"0": A}}}
GIVEN_KEYS: dict[str, Any] = {"kind": "secret", "name": "node-keys", "ids": {"0": A, "1": B, "2": C}}


def config(**given: Any) -> dict[str, Any]:
    """A small valid config with what is given over it: one full node of a chain without preset; None takes a key away."""
    whole = {"software": COSMOS, "image": IMAGE, "genesis": GENESIS, **given}
    return {key: value for key, value in whole.items() if value is not None}


def args(**given: Any) -> BlockchainNodeSetArgs:
    """The parsed config of a set."""
    return parse(BlockchainNodeSetArgs, config(**given))


def plan(name: Any = "hub", neighbours: Any = None, **given: Any) -> Plan:
    """The plan of a set in the namespace `ns`."""
    return plan_blockchain_node_set(name, args(**given), "ns", neighbours)


def refusals(**given: Any) -> list[str]:
    """What is said of a config that is refused."""
    with pytest.raises(ConfigError) as caught:
        args(**given)
    return caught.value.problems


def names(planned: Plan, kind: str) -> list[str]:
    """Names of all objects of a kind, in their order."""
    return [one["metadata"]["name"] for one in planned.manifests() if one["kind"] == kind]


def find(planned: Plan, kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    (found,) = [one for one in planned.manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pod(planned: Plan, node: str = "hub-0") -> dict[str, Any]:
    """The pod spec of a workload."""
    return find(planned, "StatefulSet", node)["spec"]["template"]["spec"]


def container(planned: Plan, called: str = "node", node: str = "hub-0") -> dict[str, Any]:
    """A container of a workload, init container or not."""
    spec = pod(planned, node)
    (found,) = [one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == called]
    return found


def env(planned: Plan, called: str = "node", node: str = "hub-0") -> dict[str, Any]:
    """The environment of a container: texts as they are, everything else as its source."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(planned, called, node)["env"]}


def outputs(planned: Plan, node: str = "hub-0") -> dict[str, Any]:
    """What users are told of a node, as a rendering shows it."""
    (found,) = [one for one in planned.nodes() if one.name == node]
    return plain(found.outputs)


def node_json(planned: Plan, node: str = "hub-0") -> dict[str, Any]:
    """What a node's agents read, as a rendering shows it."""
    return json.loads(plain(find(planned, "ConfigMap", f"{node}-config")["data"]["node.json"]))


def comet(planned: Plan, node: str = "hub-0") -> dict[str, Any]:
    """What a node's config.toml gets, as a rendering shows it."""
    return node_json(planned, node)["files"]["config"]


def deployed(value: Any, seed: Any = SEED, **others: Any) -> Any:
    """A leaf as it is when everything is known.

    Args:
        value: A plain or late leaf.
        seed: The seed of the set.
        others: What is behind a Service, a set or a stack, by its name.
    """
    if not isinstance(value, Late):
        return value
    return value.make(*(_known(ref, seed, others) for ref in value.refs))


def _known(ref: Any, seed: str, others: dict[str, Any]) -> Any:
    if isinstance(ref, Seed):
        return seed
    if isinstance(ref, PublicOf):
        return ref.derive(seed)
    if isinstance(ref, Address):
        return others[ref.service.replace("-", "_")]
    if isinstance(ref, SetPeers | StackPeers):
        return others[ref.set_name]
    return others["deferred"]


def deployed_json(planned: Plan, node: Any = "hub-0", seed: Any = SEED, **others: Any) -> dict[str, Any]:
    """What a node's agents read in the cluster."""
    return json.loads(deployed(find(planned, "ConfigMap", f"{node}-config")["data"]["node.json"], seed, **others))
