"""Sets of blockchain nodes for tests of the Pulumi CLI: their stacks, their chains meanwhile, and what must stay secret."""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chain_sets import chain_set, height, rpc
from cluster import kubectl
from engine import Stack

from nodestead.chain_keys import account_key, consensus_address, consensus_key_json, consensus_public_key, node_key_json

__all__ = [
    "chain_config",
    "comet_set",
    "consensus_of",
    "key_secret",
    "longest_pause",
    "moving",
    "peer_ids",
    "quick_set",
    "secret_spellings",
    "seed_text",
    "signs_with",
    "where_told",
]

# Every second instead of every five or ten; else they are the library's.
_QUICK = [{"name": "node", "startupProbe": {"periodSeconds": 1}}, {"name": "health", "readinessProbe": {"periodSeconds": 1}}]
_QUICK_PATCHES = {"StatefulSet": {"*": {"spec": {"template": {"spec": {"containers": _QUICK}}}}}}


# --- configs ---


def chain_config(namespace: str, sets: Mapping[str, Any], *, create: bool = True, render: str | None = None) -> dict[str, Any]:
    """The config of a stack of sets, on the cluster of KUBECONFIG or in a folder."""
    return {
        "nodestead:namespace": {"name": namespace, "create": create},
        "nodestead:cluster": {"render": render} if render else {"kubeconfig": os.environ["KUBECONFIG"]},
        "nodestead:blockchainNodeSets": dict(sets),
    }


def quick_set(software: Mapping[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """The config of a small set whose probes look every second; by default a local network of simapp."""
    return chain_set(software, **{"patches": _QUICK_PATCHES, "rollout": {"maxUnavailable": 1, "timeout": "90s"}} | given)


def comet_set(key: str, **given: Any) -> dict[str, Any]:
    """The config of a set of cometbft nodes, of the chain whose only validator has the consensus key of a seed."""
    chain_id = f"chain-of-{key[:4]}"
    public = {"type": "tendermint/PubKeyEd25519", "value": consensus_public_key(key, 0, 1)}
    genesis = {
        "chain_id": chain_id,
        "genesis_time": "2024-01-01T00:00:00Z",
        "validators": [{"address": consensus_of(key), "pub_key": public, "power": "10", "name": "only"}],
        "app_hash": "",
    }
    software = {"kind": "cometbft", "chainId": chain_id, "proxyApp": "persistent_kvstore"}
    return quick_set(software, genesis={"kind": "inline", "text": json.dumps(genesis)}, **given)


def consensus_of(key: str) -> str:
    """The address of the validator of `comet_set`."""
    return consensus_address(key, 0, 1)


def key_secret(namespace: str, name: str, key: str) -> dict[str, Any]:
    """A Secret of a user's with the consensus key and the node key of a seed."""
    entries = {"priv_validator_key.json": consensus_key_json(key, 0, 1), "node_key-0.json": node_key_json(key, 0, 1)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": entries}


# --- chains ---


def peer_ids(namespace: str, node: str) -> set[str]:
    """The ids of the nodes that a node is connected to."""
    return {peer["node_info"]["id"] for peer in rpc(namespace, node, "net_info")["peers"]}


def signs_with(namespace: str, node: str, address: str) -> bool:
    """Whether the node's consensus key has this address, and its latest block but one was signed with it."""
    own = rpc(namespace, node, "status")["validator_info"]["address"]
    signed = rpc(namespace, node, f"commit?height={height(namespace, node) - 1}")["signed_header"]["commit"]["signatures"]
    return own == address and address in {one["validator_address"] for one in signed}


def moving(namespace: str, node: str) -> int:
    """A height that the node has not yet, two blocks on."""
    return height(namespace, node) + 2


def longest_pause(namespace: str, node: str, first: int, last: int) -> float:
    """The longest time between two blocks, in seconds."""
    times: dict[int, datetime] = {}
    for low in range(first, last + 1, 20):
        found = rpc(namespace, node, f"blockchain?minHeight={low}&maxHeight={min(low + 19, last)}")["block_metas"]
        times |= {int(one["header"]["height"]): datetime.fromisoformat(one["header"]["time"]) for one in found}
    if sorted(times) != list(range(first, last + 1)):
        raise AssertionError(f"{node} has not all blocks from {first} to {last}")
    return max((times[number + 1] - times[number]).total_seconds() for number in range(first, last))


# --- secrets ---


def seed_text(stack: Stack, name: str) -> str:
    """The seed of a set, as a user backs it up."""
    (found,) = [one for one in stack.resources() if one["urn"].endswith(f"::{name}-seed")]
    return json.loads(found["outputs"]["result"]["plaintext"])


def secret_spellings(seed: str, ordinals: Iterable[int]) -> set[str]:
    """What must be nowhere in clear: the seed, and every key that is made from it, each as text and as bytes may stand."""
    texts, raw = {seed}, [bytes.fromhex(seed)]
    for ordinal in ordinals:
        files = [node_key_json(seed, ordinal, 1), consensus_key_json(seed, ordinal, 1)]
        # The private half, and both halves as Go has them.
        keys = [base64.b64decode(json.loads(file)["priv_key"]["value"]) for file in files]
        raw += [*(key[:32] for key in keys), *keys, account_key(seed, ordinal, 1).to_bytes(32)]
        texts |= set(files)
    raw += [text.encode() for text in texts]
    return (
        texts | {one.hex() for one in raw} | {one.hex().upper() for one in raw} | {base64.b64encode(one).decode() for one in raw}
    )


def where_told(stack: Stack, namespace: str, secrets: Iterable[str], sign: str) -> list[str]:
    """Where one of the secrets stands in clear: what the CLI says, the state, the pods' logs, objects that are no Secrets.

    Args:
        stack: The stack, brought up.
        namespace: Its namespace.
        secrets: What must be nowhere.
        sign: What must stand in each of these places, as a proof that they are searched.
    """
    for command in ("preview --diff", "stack output --json", "stack export", "stack", "config"):
        stack.run(*command.split())
    pods = kubectl("get", "pods", "--namespace", namespace, "--output", "name").split()
    kinds = "statefulsets,services,configmaps,pods,events,controllerrevisions"
    places = {
        "the CLI": stack.said,
        "the state": stack.state_text(),
        "the pods": "".join(kubectl("logs", pod, "--namespace", namespace, "--all-containers") for pod in pods),
        "objects": kubectl("get", kinds, "--namespace", namespace, "--output", "json"),
    }
    unread = [place for place, text in places.items() if sign not in text]
    if unread:
        raise AssertionError(f"nothing is told by {', '.join(unread)}")
    return [place for place, text in places.items() if any(secret in text for secret in secrets)]
