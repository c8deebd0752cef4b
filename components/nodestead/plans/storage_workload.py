"""What both layouts make of a node: image, volumes, pod template, the shell of its workload."""

from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.exposure import HostPortExposure
from nodestead.config.pod import Image
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.pod import pod_spec, token_volume
from nodestead.kubernetes.route import proxy_container, proxy_volumes
from nodestead.plans.storage_group import Group
from nodestead.plans.storage_parts import NodeOverride
from nodestead.plans.storage_persistence import volume_size
from nodestead.plans.storage_pod import NodeFacts, asks_api_server, node_containers
from nodestead.software.spec import NodeSpec

__all__ = [
    "KEY_ENTRY",
    "data_volume",
    "image_of",
    "key_source",
    "pod_template",
    "scratch_volumes",
    "workload_shell",
]

KEY_ENTRY = "eth-private-key"
"""Entry of a key Secret of ours, and name of the file it is mounted as."""


def key_source(group: Group, generation: int) -> str:
    """What a rendering shows for a generated key: it changes with its source, and no node takes it for a key."""
    return f"a key from the seed of {group.name}, generation {generation}"


def image_of(group: Group, override: NodeOverride) -> Image:
    """The node's image: its own over the set's."""
    return group.args.image if override.image is None else override.image.over(group.args.image)


def data_volume(group: Group, claim_name: str | Deferred | None, ordinal: int | None) -> dict[str, Any]:
    """The volume with the data: a claim, or a folder that goes with the pod."""
    if claim_name is not None:
        return {"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}
    return {"name": "data", "emptyDir": {"sizeLimit": volume_size(group.args, ordinal)}}


def scratch_volumes(group: Group) -> list[dict[str, Any]]:
    """Volumes without data: keys in memory, temporary files, scripts, a token."""
    volumes: list[dict[str, Any]] = [
        # Keys are copied here: memory, gone with the pod.
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "agents", "configMap": {"name": group.agents_name, "defaultMode": 0o555}},
    ]
    if asks_api_server(group.args):
        volumes.append(token_volume())
    return volumes


def workload_shell(group: Group, node: str, labels: dict[str, str], spec: NodeSpec) -> Manifest:
    """Kind and metadata of a node's StatefulSet."""
    annotations: dict[str, str] = {}
    if isinstance(group.args.exposure, HostPortExposure):
        annotations["nodestead.io/pod-security"] = "privileged: ports of the host, which baseline and restricted refuse"
    return manifest(
        "StatefulSet", "apps/v1", node, group.namespace, {**labels, "app.kubernetes.io/version": spec.version}, annotations
    )


def pod_template(
    group: Group,
    labels: dict[str, str],
    facts: NodeFacts,
    volumes: list[dict[str, Any]],
    node_selector: dict[str, str] | None,
    *,
    routed: bool,
) -> dict[str, Any]:
    """The pod template of a node; a routed one has the proxy beside it where a proxy asks for passwords."""
    args = group.args
    prepare, containers = node_containers(args, facts)
    pull_secrets = dict.fromkeys(facts.image.pull_secrets)
    if routed and args.api is not None and args.api.proxied:
        pull_secrets |= dict.fromkeys(args.api.proxy_image.pull_secrets)
        containers.append(proxy_container(args.api))
        volumes += proxy_volumes(args.api, group.proxy_name, group.auth_name)
    metadata = {
        "labels": {**args.pod.labels, **labels, "app.kubernetes.io/version": facts.spec.version},
        "annotations": {**args.pod.annotations, "kubectl.kubernetes.io/default-container": "node"},
    }
    account = args.service_account
    spec = pod_spec(
        args.pod,
        account=group.account,
        containers=containers,
        init_containers=prepare,
        volumes=volumes,
        pull_secrets=tuple(pull_secrets),
        spread=group.selector,
        node_selector=node_selector,
        automount_token=account.mounts_token,
    )
    return {"metadata": metadata, "spec": spec}
