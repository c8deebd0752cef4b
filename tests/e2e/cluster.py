"""The cluster of the end-to-end tests: kubectl, manifests that go there as the library makes them, and waiting."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from pydantic import SecretStr

from nodestead.config.base import Deferred
from nodestead.kubernetes.objects import Address, Late, Manifest, PasswordHash, Plan, PublicOf, Ref, Seed, late_refs

__all__ = [
    "Kubectl",
    "KubectlError",
    "apply",
    "apply_in_waves",
    "kubectl",
    "resolved",
    "until",
    "wait_gone",
    "wait_ready",
]

T = TypeVar("T")

READY_SECONDS = 60
"""How long a stand-in may take to become ready, with a volume to be made and a bootstrap node to wait for."""

GONE_SECONDS = 150
"""How long an object may take to go: longer than the grace period of a storage node's pod, which is two minutes."""


class KubectlError(RuntimeError):
    """A kubectl that failed; the text is what it said."""


class Kubectl(Protocol):
    """What the fixture `kubectl` gives."""

    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002
        """Runs kubectl on the cluster of KUBECONFIG and gives its standard output; without check whatever it said."""
        ...


def kubectl(*args: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002 - subprocess calls it so
    """Runs kubectl on the cluster of KUBECONFIG.

    Args:
        args: Its arguments.
        input: Its standard input.
        check: False gives what it wrote to standard output and error, whatever its exit code.

    Raises:
        KubectlError: where it exits with anything but 0.
    """
    done = subprocess.run(["kubectl", *args], check=False, capture_output=True, text=True, input=input, timeout=300)
    if not check:
        return done.stdout + done.stderr
    if done.returncode != 0:
        raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def until(what: str, probe: Callable[[], T], *, seconds: float = READY_SECONDS, every: float = 0.5) -> T:
    """Calls probe until it gives something true, and gives that; an AssertionError or KubectlError counts as not yet.

    Raises:
        TimeoutError: naming what was waited for and what the last call gave or raised.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            found: object = probe()
        except (AssertionError, KubectlError) as error:
            found, seen = None, str(error)
        else:
            seen = repr(found)
        if found:
            return cast("T", found)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s; last seen: {seen}")
        time.sleep(every)


# --- manifests ---


def resolved(value: Any, answer: Callable[[Ref], Any]) -> Any:
    """A manifest as it goes to the cluster: what is known only at deploy time made from the answers."""
    if isinstance(value, Late):
        return resolved(value.make(*(answer(ref) for ref in value.refs)), answer)
    if isinstance(value, dict):
        return {key: resolved(item, answer) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [resolved(item, answer) for item in cast("list[Any]", value)]
    return answer(value) if isinstance(value, Deferred) else value


def answer_from(namespace: str, seed: str, password_hash: str, ref: Ref) -> Any:
    """What an engine would answer: a seed, a hash, a secret's text, the address of a live load balancer."""
    match ref:
        case Seed():
            return seed
        case PublicOf(_, derive):
            return derive(seed)
        case PasswordHash():
            return password_hash
        case SecretStr():
            return ref.get_secret_value()
        case Address(service):
            path = "jsonpath={.status.loadBalancer.ingress}"
            probe = partial(kubectl, "get", "service", service, "--namespace", namespace, "--output", path)
            return json.loads(until(f"the address of Service {service}", probe))
        case _:
            raise TypeError(f"these tests have no answer for {ref!r}")


def apply(manifests: Iterable[Manifest], *options: str) -> str:
    """Applies manifests in one call, strictly checked; gives what kubectl said, warnings included."""
    text = "".join(f"{json.dumps(one)}\n" for one in manifests)
    command = ("kubectl", "apply", "--server-side", "--force-conflicts", "--validate=strict", "--filename", "-", *options)
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=300)
    if done.returncode != 0:
        raise KubectlError(f"kubectl apply: {done.stderr.strip()}")
    return done.stdout + done.stderr


def apply_in_waves(
    plan: Plan, answer: Callable[[Ref], Any], *, wait: bool = True, seconds: float = READY_SECONDS
) -> list[Manifest]:
    """Brings a set to the cluster as the component does: what all share, then wave by wave, each when the last is ready.

    Args:
        plan: The set.
        answer: What it needs of the cluster and the engine.
        wait: False applies all waves at once.
        seconds: How long the nodes of one wave may take.
    """
    namespace = str(plan.namespace)
    applied = [resolved(one, answer) for one in _without_late_addresses(plan.shared)]
    apply(applied)
    late = [one for one in plan.shared if _needs_address(one)]
    if late:
        more = [resolved(one, answer) for one in late]
        apply(more)
        applied += more
    nodes = {node.name: node for node in plan.nodes()}
    # Every Service first, as the component does: peers resolve each other's names once, when they start.
    services = [resolved(one, answer) for node in nodes.values() for one in node.manifests if one["kind"] == "Service"]
    if services:
        apply(services)
        applied += services
    for wave in plan.waves:
        before: list[Manifest] = []
        after: list[Manifest] = []
        for name in wave:
            for one in (one for one in nodes[name].manifests if one["kind"] != "Service"):
                (after if _needs_address(one) else before).append(one)
        for part in (before, after):
            if part:
                ready = [resolved(one, answer) for one in part]
                apply(ready)
                applied += ready
        if wait:
            wait_ready(namespace, wave, seconds)
        extra = [resolved(one, answer) for name in wave for one in nodes[name].after]
        if extra:
            apply(extra)
            applied += extra
    return applied


def _needs_address(one: Manifest) -> bool:
    return any(isinstance(ref, Address) for ref in late_refs(one))


def _without_late_addresses(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    return (one for one in manifests if not _needs_address(one))


# --- waiting ---


def wait_ready(namespace: str, names: Iterable[str], timeout: float = READY_SECONDS) -> None:
    """Waits until all pods of these StatefulSets run their newest revision and are ready.

    Raises:
        TimeoutError: with what each pod that is not ready waits for.
    """
    wanted = list(names)
    deadline = time.monotonic() + timeout
    while True:
        waiting = list(_not_ready(namespace, wanted))
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready within {timeout:g} s in {namespace}: {'; '.join(waiting)}")
        time.sleep(0.5)


def wait_gone(namespace: str, *objects: str, seconds: float = GONE_SECONDS) -> None:
    """Waits until objects, given as kind/name, are no more.

    Raises:
        TimeoutError: with what is left, and how it stands.
    """

    def gone() -> bool:
        found = kubectl("get", "--namespace", namespace, "--ignore-not-found", "--output", "json", *objects)
        parsed: dict[str, Any] = json.loads(found or "{}")
        left = parsed.get("items", [parsed] if parsed else [])
        assert not left, "; ".join(_standing(one) for one in left)
        return True

    until(f"{', '.join(objects)} of {namespace} gone", gone, seconds=seconds)


def _standing(one: dict[str, Any]) -> str:
    status = one.get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    states = {container["name"]: container["state"] for container in containers}
    deleted = one["metadata"].get("deletionTimestamp", "never")
    return f"{one['kind']}/{one['metadata']['name']} is left, deleted at: {deleted}, containers: {json.dumps(states)}"


def _not_ready(namespace: str, names: list[str]) -> Iterator[str]:
    listed = json.loads(kubectl("get", "statefulsets,pods", "--namespace", namespace, "--output", "json"))["items"]
    sets = {one["metadata"]["name"]: one for one in listed if one["kind"] == "StatefulSet"}
    pods = {one["metadata"]["name"]: one for one in listed if one["kind"] == "Pod"}
    for name in names:
        workload = sets.get(name)
        if workload is None:
            yield f"StatefulSet {name} is missing"
            continue
        if workload["status"].get("observedGeneration", 0) < workload["metadata"]["generation"]:
            yield f"StatefulSet {name} is not yet seen by its controller"
            continue
        first, count = workload["spec"].get("ordinals", {}).get("start", 0), workload["spec"]["replicas"]
        for ordinal in range(first, first + count):
            state = _state(pods.get(f"{name}-{ordinal}"), workload["status"]["updateRevision"])
            if state:
                yield f"{name}-{ordinal}: {state}"


def _state(pod: dict[str, Any] | None, revision: str) -> str:
    """Why a pod is not ready; empty where it is."""
    if pod is None:
        return "there is no such pod"
    if pod["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    if pod["metadata"]["labels"]["controller-revision-hash"] != revision:
        return "it is of an older revision"
    status = pod["status"]
    if any(condition["type"] == "Ready" and condition["status"] == "True" for condition in status.get("conditions", [])):
        return ""
    reasons = [condition["message"] for condition in status.get("conditions", []) if condition.get("message")]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        for kind, detail in container["state"].items():
            if kind != "running" and detail.get("reason") not in {"Completed", "PodInitializing"}:
                reasons.append(f"{container['name']} {kind}: {detail.get('reason')} {detail.get('message', '')}".strip())
    return ", ".join(reasons) or str(status.get("phase"))
