"""Asks every storage node of a stack whether it serves, and what it announces."""

import json
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from nodestead.kubernetes.objects import Plan
from nodestead.preview.kubectl import Kubectl, KubectlError
from nodestead.preview.table import cut, table
from nodestead.preview.yaml_text import plain

__all__ = [
    "ANSWER_SECONDS",
    "Answer",
    "Target",
    "answer_of",
    "ask",
    "ask_all",
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
class Target:
    """A node to ask.

    Attributes:
        node: Its name.
        namespace: That of its Service.
        url: Its `debug/info`, as seen from inside the cluster.
        disabled: Whether the stack says that it does not run.
        pooled: Whether it is one of many pods behind a headless Service, and called like its pod.
    """

    node: str
    namespace: str
    url: str
    disabled: bool = False
    pooled: bool = False

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
        peer_id: Its whole peer id.
        version: Of its software.
        addresses: Multiaddresses that it announces.
        seconds: How long the answer took; None where that is not known.
        problem: Why there is no answer; None for a node that serves.
        disabled: Whether it was not asked, because it does not run.
    """

    node: str
    ready: str = "-"
    peer_id: str = ""
    version: str = ""
    addresses: tuple[str, ...] = ()
    seconds: float | None = None
    problem: str | None = None
    disabled: bool = False


def targets(plan: Plan) -> Iterator[Target]:
    """The nodes of a set that have an API."""
    namespace = str(plain(plan.namespace))
    for node in plan.nodes():
        outputs = node.outputs
        path = f"{outputs.get('apiPath')}/debug/info"
        if "apiUrl" in outputs:
            yield Target(node.name, namespace, f"{plain(outputs['apiUrl'])}{path}", outputs.get("disabled") is True)
        for pod in outputs.get("pods", ()):
            url = f"http://{pod}.{outputs['service']}.{namespace}:{outputs['apiPort']}"
            yield Target(pod, namespace, f"{url}{path}", pooled=True)


def answer_of(node: str, info: Any, *, ready: str = "-", seconds: float | None = None) -> Answer:
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
        return Answer(target.node, disabled=True)
    begin = time.monotonic()
    try:
        text = kubectl.run(
            *("get", "--raw", target.proxy_path, f"--request-timeout={timeout_seconds:.0f}s"),
            timeout_seconds=timeout_seconds + 10,
        )
        info = json.loads(text)
    except KubectlError as error:
        return Answer(target.node, ready, problem=str(error))
    except ValueError:
        info = None
    return answer_of(target.node, info, ready=ready, seconds=time.monotonic() - begin)


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
            return Answer(target.node, ready, problem=f"not asked, {timeout_seconds:g} s were over; raise --timeout")
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
    """A table of 80 columns, and below it why nodes failed."""
    found = list(answers)
    lines = [table(("NODE", "READY", "PEER ID", "VERSION", "ANNOUNCED", "TIME"), map(_row, found))]
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
