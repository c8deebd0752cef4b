"""Asks the nodes of a set from inside the cluster, where NetworkPolicies count and the API server's proxy does not."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nodestead.kubernetes.metadata import manifest, recommended_labels
from nodestead.kubernetes.objects import Manifest, Plan
from nodestead.kubernetes.pod import CONTAINER_SECURITY, POD_SECURITY
from nodestead.plans.agents import agent_script
from nodestead.preview.check import Answer, Target, answer_of
from nodestead.preview.kubectl import Kubectl, KubectlError
from nodestead.preview.yaml_text import plain, yaml_text

__all__ = ["CheckJobError", "answers_of_log", "check_job", "check_job_name", "run_check_job"]

# A process takes no environment variable above 128 KiB.
_LONGEST_NODES = 120_000


class CheckJobError(ValueError):
    """A set that no Job can ask."""


def check_job_name(set_name: str) -> str:
    """Name of the Job that asks the nodes of a set: `codex-check`."""
    return f"{set_name}-check"


def check_job(plan: Plan, asked: Sequence[Target], *, answer_seconds: int, deadline_seconds: int) -> Manifest:
    """The Job that asks; it runs the image that prepares the set's nodes, so that nothing else has to be pulled.

    Args:
        plan: The set.
        asked: Its nodes.
        answer_seconds: How long one node may take to answer.
        deadline_seconds: How long the Job may take.

    Raises:
        CheckJobError: where the set has no node to take the image from, or too many for one Job.
    """
    pod = _pod_of(plan)
    container = next((one for one in pod.get("initContainers", ()) if one["name"] == "prepare"), pod["containers"][0])
    shell, script = (["python3", "-c"], "check_chain.py") if any(one.chain for one in asked) else (["sh", "-c"], "check.sh")
    nodes = "".join(f"{target.node} {target.url}\n" for target in asked)
    if len(nodes) > _LONGEST_NODES:
        raise CheckJobError(f"{plan.name} has {len(asked)} nodes, too many for one Job; leave --job out")
    template: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": "check",
                "image": plain(container["image"]),
                "command": [*shell, agent_script(script)],
                "env": [{"name": "NODES", "value": nodes}, {"name": "TIMEOUT", "value": str(answer_seconds)}],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 # in the container
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],
    }
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName", "runtimeClassName"):
        if key in pod:
            template[key] = plain(pod[key])
    if "imagePullPolicy" in container:
        template["containers"][0]["imagePullPolicy"] = container["imagePullPolicy"]
    labels = recommended_labels("nodestead", plan.name, "check")
    return manifest(
        "Job",
        "batch/v1",
        check_job_name(plan.name),
        plain(plan.namespace),
        labels,
        spec={
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline_seconds,
            "ttlSecondsAfterFinished": 600,
            # The label by which the set's NetworkPolicy knows who may use the API.
            "template": {"metadata": {"labels": {**labels, "nodestead.io/api-client": "true"}}, "spec": template},
        },
    )


def _pod_of(plan: Plan) -> dict[str, Any]:
    pods = (m["spec"]["template"]["spec"] for node in plan.nodes() for m in node.manifests if m["kind"] == "StatefulSet")
    pod = next(pods, None)
    if pod is None:
        raise CheckJobError(f"{plan.name} has no node whose image could ask; leave --job out")
    return pod


def answers_of_log(log: str, asked: Sequence[Target]) -> Iterator[Answer]:
    """Reads the Job's log: `name<TAB>ok|fail<TAB>detail` for each node; the detail of ok is a digest of its answers."""
    lines = {name: rest for name, _, rest in (line.partition("\t") for line in log.splitlines())}
    for target in asked:
        if target.disabled:
            yield Answer(target.node, disabled=True, chain=target.chain is not None)
            continue
        state, _, detail = lines.get(target.node, "fail\tthe Job's log has no line for it").partition("\t")
        if state != "ok":
            yield Answer(target.node, problem=detail or "no reason given", chain=target.chain is not None)
            continue
        try:
            info = json.loads(detail)
        except ValueError:
            info = None
        yield answer_of(target, info)


def run_check_job(
    job: Manifest,
    kubectl: Kubectl,
    timeout_seconds: float,
    *,
    sleep: Callable[[float], object] = time.sleep,
    every_seconds: float = 1,
) -> str:
    """Creates the Job, waits until it ended, gives its log and deletes it, whatever happened.

    Raises:
        KubectlError: where the cluster refuses, or the Job does not end in time; with what its pod waits for.
    """
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    try:
        kubectl.run("create", "--namespace", namespace, "--filename", "-", stdin=yaml_text(job))
    except KubectlError as error:
        if "AlreadyExists" not in str(error):
            raise
        line = f"kubectl delete job {name} --namespace {namespace}"
        raise KubectlError(f"another check of this set runs, or was interrupted; wait, or: {line}") from None
    try:
        for _ in range(max(1, int(timeout_seconds / every_seconds))):
            ended = kubectl.run(
                "get", "job", name, "--namespace", namespace, "--output", "jsonpath={.status.succeeded}{.status.failed}"
            )
            if ended.strip("0 \n"):
                return kubectl.run("logs", f"job/{name}", "--namespace", namespace)
            sleep(every_seconds)
        raise KubectlError(f"the Job {name} did not end within {timeout_seconds:g} s{_waits_for(kubectl, name, namespace)}")
    finally:
        kubectl.run("delete", "job", name, "--namespace", namespace, "--ignore-not-found", "--wait=false")


def _waits_for(kubectl: Kubectl, name: str, namespace: str) -> str:
    path = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}"
    reason = kubectl.run("get", "pods", "--namespace", namespace, "--selector", f"job-name={name}", "--output", path).strip()
    return f": its pod waits: {reason}" if reason else ""
