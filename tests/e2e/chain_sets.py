"""Sets of blockchain nodes for the end-to-end tests: small and quick configs, and questions to their nodes."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, cast

from chain_images import BASE, COMETBFT, SIMD
from cluster import answer_from, apply, apply_in_waves, kubectl, until

from nodestead.config.base import parse
from nodestead.kubernetes.objects import Manifest, Ref, SetPeers
from nodestead.plans.stack import StackConfig, StackPlan, plan_stack

__all__ = [
    "ALL_AT_ONCE",
    "HOME",
    "KVSTORE",
    "SIMAPP",
    "answer_of",
    "apply_sets",
    "block_hash",
    "chain_set",
    "committed",
    "fetched",
    "height",
    "height_at_rest",
    "log",
    "node_config",
    "planned",
    "read_file",
    "ready_nodes",
    "rpc",
    "seed_of",
    "set_of",
    "status",
    "wait_height",
]

SIMAPP: dict[str, Any] = {
    "kind": "cosmos",
    "chainId": "local-1",
    "binary": "simd",
    # Blocks of a second: the tests wait for many.
    "config": {"consensus": {"timeoutCommit": "1s"}},
}
KVSTORE: dict[str, Any] = {"kind": "cometbft", "chainId": "local-1", "proxyApp": "kvstore"}

HOME = "/home/operator/cosmos"
ALL_AT_ONCE: dict[str, Any] = {"maxUnavailable": "100%"}

_SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "768Mi"}}


def seed_of(name: str) -> str:
    """The seed of a set, which every stack makes at random: two sets never have the same keys."""
    return hashlib.sha256(name.encode()).hexdigest()


def chain_set(software: Mapping[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """The config of a set that fits a small machine; by default a local network of simapp."""
    software = software or SIMAPP
    repository, _, tag = (COMETBFT if software["kind"] == "cometbft" else f"{SIMD}:v1").rpartition(":")
    agent, _, agent_tag = BASE.rpartition(":")
    base: dict[str, Any] = {
        "software": software,
        "image": {"repository": repository} | ({} if "versions" in given else {"tag": tag}),
        "persistence": {"kind": "volume", "size": "1Gi"},
        "container": {"resources": _SMALL, "agentImage": {"repository": agent, "tag": agent_tag}},
    }
    return base | given


def planned(namespace: str, **sets: Mapping[str, Any]) -> StackPlan:
    """The plan of a stack of these sets in a namespace of their own."""
    config = {
        "namespace": {"name": namespace},
        "cluster": {"render": "rendered"},
        "blockchainNodeSets": {name.replace("_", "-"): one for name, one in sets.items()},
    }
    return plan_stack(parse(StackConfig, config))


def apply_sets(plan: StackPlan, *, wait: bool = True, seconds: float = 120, besides: Collection[str] = ()) -> list[Manifest]:
    """Brings a stack of sets to the cluster, set by set and wave by wave.

    Args:
        plan: The stack.
        wait: False applies all waves at once.
        seconds: How long the nodes of one wave may take.
        besides: Sets that are there already.
    """
    apply(plan.shared)
    applied: list[Manifest] = []
    peers: dict[str, Any] = {}
    for one in plan.sets:
        base = partial(answer_from, str(one.namespace), seed_of(one.name), "")
        peers[one.name] = one.peers.make(*(base(ref) for ref in one.peers.refs)) if hasattr(one.peers, "make") else one.peers
    for one in plan.sets:
        if one.name in besides:
            continue
        base = partial(answer_from, str(one.namespace), seed_of(one.name), "")

        def answer(ref: Ref, base: Any = base) -> Any:
            return peers[ref.set_name] if isinstance(ref, SetPeers) else base(ref)

        applied += apply_in_waves(one, answer, wait=wait, seconds=seconds)
    return applied


def set_of(plan: StackPlan, name: str) -> list[str]:
    """The nodes of a set."""
    return [node.name for one in plan.sets if one.name == name for node in one.nodes()]


def node_config(applied: Iterable[Manifest], node: str) -> dict[str, Any]:
    """What a node was told, of what `apply_sets` gave."""
    found = next(one for one in applied if one["kind"] == "ConfigMap" and one["metadata"]["name"] == f"{node}-config")
    return cast("dict[str, Any]", json.loads(found["data"]["node.json"]))


# --- asked in the pod, where the agents' image has curl ---


def answer_of(namespace: str, node: str, *command: str, container: str = "health") -> str:
    """What a command prints in a node's pod."""
    return kubectl("exec", f"{node}-0", "--namespace", namespace, "--container", container, "--", *command)


def fetched(namespace: str, node: str, path: str, port: int = 1251) -> tuple[int, str]:
    """Status and body of what a port of a node's pod answers."""
    url = f"http://127.0.0.1:{port}/{path}"
    text = answer_of(namespace, node, "curl", "-sS", "-m", "5", "--write-out", "\n%{http_code}", url)
    body, _, code = text.rpartition("\n")
    return int(code), body


def rpc(namespace: str, node: str, path: str) -> dict[str, Any]:
    """What a node's RPC answers."""
    answer = json.loads(fetched(namespace, node, path, 26657)[1])
    return cast("dict[str, Any]", answer.get("result", answer))


def status(namespace: str, node: str) -> dict[str, Any]:
    """The status of a node."""
    return rpc(namespace, node, "status")


def height(namespace: str, node: str) -> int:
    """The latest block of a node."""
    return int(status(namespace, node)["sync_info"]["latest_block_height"])


def wait_height(namespace: str, node: str, least: int, seconds: float = 60) -> int:
    """Waits until a node has a block, and gives the height that it is at then."""
    return until(f"block {least} of {node}", lambda: (now := height(namespace, node)) >= least and now, seconds=seconds)


def block_hash(namespace: str, node: str, at: int) -> str:
    """The hash of a block as a node has it."""
    return str(rpc(namespace, node, f"block?height={at}")["block_id"]["hash"])


def height_at_rest(namespace: str, node: str) -> tuple[int, int]:
    """The last block that application and block store of a stopped process hold, as the agents read them."""
    program = (
        "import sys, pathlib; sys.path.insert(0, '/etc/nodestead/agents'); import chain_height\n"
        f"print(*chain_height.heights(pathlib.Path({HOME!r}))[:2])"
    )
    application, block = answer_of(namespace, node, "python3", "-B", "-c", program).split()
    return int(application), int(block)


def read_file(namespace: str, node: str, path: str) -> str:
    """A file in a node's home."""
    return answer_of(namespace, node, "cat", f"{HOME}/{path}")


def log(namespace: str, node: str, container: str, *options: str) -> str:
    """What a container of a node's pod wrote, without its colours; an error's text where there is none."""
    text = kubectl("logs", f"{node}-0", "--namespace", namespace, "--container", container, *options, check=False)
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def committed(namespace: str, node: str, container: str = "node", *options: str) -> list[int]:
    """The blocks that a node's application has committed, as the log of the Cosmos SDK has them.

    What CometBFT says of committed blocks is no witness: it replays the last one for an application that has it already.
    """
    texts = re.findall(r" commit synced commit=([0-9A-F]+)", log(namespace, node, container, *options))
    # CommitID{[its hash]:its height in hexadecimal digits}
    return [int(bytes.fromhex(text).decode().rstrip("}").rpartition(":")[2], 16) for text in texts]


def ready_nodes(namespace: str, service: str) -> set[str]:
    """The pods that a Service sends to."""
    selector = f"kubernetes.io/service-name={service}"
    slices = json.loads(kubectl("get", "endpointslices", "--namespace", namespace, "--selector", selector, "--output", "json"))
    return {
        endpoint["targetRef"]["name"]
        for one in slices["items"]
        for endpoint in one["endpoints"] or ()
        if endpoint["conditions"]["ready"]
    }
