"""Asks every node of a stack whether it serves: storage nodes what they announce, chain nodes where they are on their chain."""

import json
import re
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from nodestead.kubernetes.objects import NodePlan, Plan
from nodestead.preview.kubectl import Kubectl, KubectlError
from nodestead.preview.table import cut, table
from nodestead.preview.yaml_text import plain

__all__ = [
    "ANSWER_SECONDS",
    "Answer",
    "Chain",
    "Target",
    "answer_of",
    "ask",
    "ask_all",
    "at_chain",
    "pod_states",
    "report",
    "short_address",
    "short_peer_id",
    "targets",
]

ANSWER_SECONDS = 10
"""How long one node may take to answer."""

_AT_ONCE = 8
_NODE_WIDTH = 17
_LINE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Chain:
    """What a chain node should answer.

    Attributes:
        node_id: Its id; None where it comes from the seed, which only the stack's state holds.
        chain_id: The name of its chain; None where nobody says.
        max_block_age: Seconds that its last block may be old.
        has_peers: Whether it is told of nodes to dial.
    """

    node_id: str | None
    chain_id: str | None
    max_block_age: float
    has_peers: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A node to ask.

    Attributes:
        node: Its name.
        namespace: That of its Service.
        url: Its `debug/info`, or a chain node's RPC, as seen from inside the cluster.
        disabled: Whether the stack says that it does not run.
        pooled: Whether it is one of many pods behind a headless Service, and called like its pod.
        chain: What a chain node should answer; None for a storage node.
    """

    node: str
    namespace: str
    url: str
    disabled: bool = False
    pooled: bool = False
    chain: Chain | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """What is asked below its URL."""
        return ("",) if self.chain is None else ("/status", "/net_info", "/abci_info")

    @property
    def proxy_path(self) -> str:
        """Where the API server's proxy reaches the same."""
        parts = urlsplit(self.url)
        name = (parts.hostname or "").split(".", 1)[0]
        kind = "pods" if self.pooled else "services"
        scheme = "https:" if parts.scheme == "https" else ""
        return f"/api/v1/namespaces/{self.namespace}/{kind}/{scheme}{name}:{parts.port or 80}/proxy{parts.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answered.

    Attributes:
        node: Its name.
        ready: What its pod's readiness says; `-` where nobody asked.
        peer_id: Its whole peer id, or node id.
        version: Of its software.
        addresses: Multiaddresses that it announces.
        seconds: How long the answer took; None where that is not known.
        problem: Why there is no answer; None for a node that serves.
        disabled: Whether it was not asked, because it does not run.
        chain: Whether it is a chain node.
        height: Its last block; None where it told of none.
        block_age: How many seconds old that is.
        peers: How many it has.
    """

    node: str
    ready: str = "-"
    peer_id: str = ""
    version: str = ""
    addresses: tuple[str, ...] = ()
    seconds: float | None = None
    problem: str | None = None
    disabled: bool = False
    chain: bool = False
    height: int | None = None
    block_age: float | None = None
    peers: int | None = None


def targets(plan: Plan) -> Iterator[Target]:
    """The nodes of a set that have an API."""
    namespace = str(plain(plan.namespace))
    for node in plan.nodes():
        outputs = node.outputs
        path = f"{outputs.get('apiPath')}/debug/info"
        if "rpcUrl" in outputs:
            disabled, expected = outputs.get("disabled") is True, _expected(node)
            yield Target(node.name, namespace, str(plain(outputs["rpcUrl"])), disabled, chain=expected)
        if "apiUrl" in outputs:
            yield Target(node.name, namespace, f"{plain(outputs['apiUrl'])}{path}", outputs.get("disabled") is True)
        for pod in outputs.get("pods", ()):
            url = f"http://{pod}.{outputs['service']}.{namespace}:{outputs['apiPort']}"
            yield Target(pod, namespace, f"{url}{path}", pooled=True)


def _expected(node: NodePlan) -> Chain:
    """What the node's own config says of it."""
    (config,) = (json.loads(plain(one["data"]["node.json"])) for one in node.manifests if "node.json" in one.get("data", ()))
    known = re.fullmatch("[0-9a-f]{40}", config["keys"]["node_id"]) is not None
    p2p = config["files"]["config"]["p2p"]
    dials = bool(p2p.get("persistent_peers") or p2p.get("seeds"))
    return Chain(config["keys"]["node_id"] if known else None, config["chain_id"], config["health"]["max_block_age"], dials)


def answer_of(
    target: Target, info: Any, *, ready: str = "-", seconds: float | None = None, now: datetime | None = None
) -> Answer:
    """Reads what a node of either kind answered.

    Args:
        target: The node.
        info: A storage node's `debug/info`; a chain node's answers by the name of the question. Or the check Job's digest of it.
        ready: What the readiness of its pod says.
        seconds: How long the answer took.
        now: The time against which blocks are old.
    """
    if target.chain is None:
        return _storage_answer(target.node, info, ready=ready, seconds=seconds)
    return at_chain(target.node, info, target.chain, ready=ready, seconds=seconds, now=now or datetime.now(UTC))


def at_chain(node: str, info: Any, expected: Chain, *, ready: str, seconds: float | None, now: datetime) -> Answer:
    """Where a chain node is, and what of that is not as it should be."""
    try:
        own, sync = info["status"]["node_info"], info["status"]["sync_info"]
        height, behind, node_id, network = int(sync["latest_block_height"]), sync["catching_up"], str(own["id"]), own["network"]
        # Nine digits of a second are more than every Python reads.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(sync["latest_block_time"])))
        peers = int(info["net_info"]["n_peers"])
        version = info["abci_info"].get("response", {}).get("version") or own.get("version") or ""
    except (KeyError, TypeError, ValueError, AttributeError):
        return Answer(node, ready, seconds=seconds, problem="the answer is not that of a chain node", chain=True)
    age = max(0.0, (now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds()) if height else None
    problems: list[str] = []
    if expected.node_id is not None and node_id.lower() != expected.node_id:
        problems.append(
            f"it is {node_id}, and the stack names {expected.node_id}: it has another key, or its Service another pod"
        )
    if expected.chain_id is not None and network != expected.chain_id:
        problems.append(f"it is on the chain {network}, and not on {expected.chain_id}")
    if age is None:
        problems.append("it has no block yet")
    elif behind:
        problems.append(f"it is catching up; its last block, {height}, is {_span(age)} old")
    elif age > expected.max_block_age:
        limit = f"probes.maxBlockAge is {_span(expected.max_block_age)}"
        problems.append(f"its last block, {height}, is {_span(age)} old, and {limit}: it is cut off, or its chain stands still")
    if not peers and expected.has_peers:
        problems.append("it has no peers")
    return Answer(
        *(node, ready, node_id, str(version)),
        seconds=seconds,
        problem="; ".join(problems) or None,
        chain=True,
        height=height,
        block_age=age,
        peers=peers,
    )


def _storage_answer(node: str, info: Any, *, ready: str, seconds: float | None) -> Answer:
    """Reads a `debug/info`: of Codex, Logos Storage and Archivist, of any age, or the check Job's digest of it."""
    if not isinstance(info, dict) or not isinstance(cast("dict[str, Any]", info).get("id"), str):
        return Answer(node, ready, seconds=seconds, problem="the answer is not that of a storage node")
    facts = cast("dict[str, Any]", info)
    sections = (cast("dict[str, Any]", part) for part in facts.values() if isinstance(part, dict))
    version = facts.get("version") or next((s["version"] for s in sections if isinstance(s.get("version"), str)), "")
    announced: Any = facts.get("announceAddresses") or facts.get("addrs") or []
    # Some builds list all tags of the source there, newest last.
    last = str(version).strip().rpartition("\n")[2]
    return Answer(node, ready, facts["id"], last, tuple(map(str, announced)), seconds)


def ask(target: Target, kubectl: Kubectl, timeout_seconds: float, ready: str = "-") -> Answer:
    """Asks one node through the API server's proxy."""
    if target.disabled:
        return Answer(target.node, disabled=True, chain=target.chain is not None)
    begin = time.monotonic()
    found: dict[str, Any] = {}
    for question in target.questions:
        left = max(1, timeout_seconds - (time.monotonic() - begin))
        words = ("get", "--raw", f"{target.proxy_path}{question}", f"--request-timeout={left:.0f}s")
        try:
            said: Any = json.loads(kubectl.run(*words, timeout_seconds=left + 10))
        except KubectlError as error:
            return Answer(target.node, ready, problem=str(error), chain=target.chain is not None)
        except ValueError:
            said = None
        # Some chains answer bare, without "result".
        whole = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        found[question.strip("/")] = said if target.chain is None else whole.get("result", whole)
    info = found[""] if target.chain is None else found
    return answer_of(target, info, ready=ready, seconds=time.monotonic() - begin)


def ask_all(
    asked: Sequence[Target],
    kubectl: Kubectl,
    timeout_seconds: float,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Answer]:
    """Asks all nodes, a few at once.

    Args:
        asked: The nodes.
        kubectl: The cluster.
        timeout_seconds: How long all of them may take; one gets at most `ANSWER_SECONDS`.
        progress: Called with the number of answers so far and of nodes.

    Returns:
        Answers in the order of the nodes.

    Raises:
        KubectlError: where the cluster does not answer or refuses.
    """
    deadline = time.monotonic() + timeout_seconds

    def answer(target: Target) -> Answer:
        left = deadline - time.monotonic()
        ready = states.get((target.namespace, target.node), "no pod")
        if left <= 0 and not target.disabled:
            problem = f"not asked, {timeout_seconds:g} s were over; raise --timeout"
            return Answer(target.node, ready, problem=problem, chain=target.chain is not None)
        return ask(target, kubectl, min(ANSWER_SECONDS, max(left, 1)), ready)

    states: dict[tuple[str, str], str] = {}
    for namespace in sorted({target.namespace for target in asked if not target.disabled}):
        states.update({(namespace, node): state for node, state in pod_states(kubectl, namespace).items()})
    answers: list[Answer] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for given in pool.map(answer, asked):
            answers.append(given)
            progress(len(answers), len(asked))
    return answers


_STATES = (
    '{{range .items}}{{.metadata.name}}{{"\\t"}}{{with .metadata.labels}}{{index . "nodestead.io/node"}}{{end}}{{"\\t"}}'
    '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}'
    '{{range .status.containerStatuses}}{{with .state.waiting}}{{"\\t"}}{{.reason}}{{end}}{{end}}{{"\\n"}}{{end}}'
)


def pod_states(kubectl: Kubectl, namespace: str) -> dict[str, str]:
    """What the pods of a namespace are, by the name of their node and their own: yes, no or why they wait.

    Raises:
        KubectlError: where the cluster does not answer or refuses.
    """
    text = kubectl.run(
        *("get", "pods", "--namespace", namespace, "--selector", "app.kubernetes.io/part-of=nodestead"),
        *("--output", f"go-template={_STATES}"),
    )
    states: dict[str, str] = {}
    for line in text.splitlines():
        pod, node, ready, *waiting = line.split("\t")
        state = "yes" if ready == "True" else waiting[0] if waiting else "no"
        states[pod] = state
        states[node] = state
    return states


def short_peer_id(peer_id: str) -> str:
    """A peer id as the nodes' own logs print it: 16U*AbCdEf."""
    return f"{peer_id[:3]}*{peer_id[-6:]}" if len(peer_id) > 10 else peer_id


def short_address(address: str) -> str:
    """Host and port of a multiaddress; anything else stays as it is."""
    parts = address.split("/")
    if len(parts) < 5:
        return address
    return f"[{parts[2]}]:{parts[4]}" if parts[1] == "ip6" else f"{parts[2]}:{parts[4]}"


def report(answers: Iterable[Answer]) -> str:
    """A table of 80 columns for each kind of nodes, and below them why nodes failed."""
    found = list(answers)
    storage, chain = ([answer for answer in found if answer.chain is chains] for chains in (False, True))
    tables = [table(("NODE", "READY", "PEER ID", "VERSION", "ANNOUNCED", "TIME"), map(_row, storage))] if storage else []
    tables += [table(("NODE", "READY", "NODE ID", "VERSION", "HEIGHT", "AGE", "PEERS"), map(_chain_row, chain))] if chain else []
    lines = ["\n".join(tables)]
    failed = [answer for answer in found if answer.problem is not None]
    lines += [
        textwrap.fill(f"{answer.node}: {answer.problem}", _LINE_WIDTH, subsequent_indent="  ", break_on_hyphens=False) + "\n"
        for answer in failed
    ]
    served = sum(answer.problem is None and not answer.disabled for answer in found)
    disabled = sum(answer.disabled for answer in found)
    lines.append(f"{served} of {served + len(failed)} nodes serve" + (f", {disabled} disabled" if disabled else "") + "\n")
    return "".join(lines)


def _row(answer: Answer) -> tuple[str, ...]:
    node = cut(answer.node, _NODE_WIDTH)
    if answer.disabled:
        return (node, "disabled", "", "", "", "")
    if answer.problem is not None:
        return (node, cut(answer.ready, 8), "", "", "no answer", "")
    more = f" +{len(answer.addresses) - 1}" if len(answer.addresses) > 1 else ""
    address = cut(short_address(answer.addresses[0]), 21 - len(more)) + more if answer.addresses else "nothing"
    seconds = f"{answer.seconds:.2f}s" if answer.seconds is not None else "-"
    return (node, cut(answer.ready, 8), short_peer_id(answer.peer_id), cut(answer.version, 8), address, seconds)


def _chain_row(answer: Answer) -> tuple[str, ...]:
    node, ready = cut(answer.node, _NODE_WIDTH), cut(answer.ready, 8)
    if answer.disabled:
        return (node, "disabled", "", "", "", "", "")
    if answer.height is None:
        return (node, ready, "", "", "no answer", "", "")
    age = "-" if answer.block_age is None else _span(answer.block_age)
    return (node, ready, short_peer_id(answer.peer_id), cut(answer.version, 8), str(answer.height), age, str(answer.peers))


def _span(seconds: float) -> str:
    """A span of time in its two largest units: 4s, 5m2s, 3h10m or 12d4h."""
    whole = int(seconds)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    return f"{days}d{hours}h" if days else f"{hours}h{minutes}m" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
