"""Pieces of a pod that every node shares: security, environment, volumes, spread."""

from collections.abc import Mapping
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.pod import EnvFrom, Image, Pod
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.objects import Late, Manifest
from nodestead.kubernetes.patches import patched

__all__ = [
    "CONTAINER_SECURITY",
    "POD_SECURITY",
    "TOKEN_FOLDER",
    "env_list",
    "field_env",
    "image_reference",
    "mount",
    "pod_spec",
    "stateful_set",
    "token_volume",
]

# What Pod Security restricted asks for, and a read-only root.
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
# OnRootMismatch: the recursive change of the default policy opens key files to the group on each start; nodes refuse those.
POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where every client looks for it

_OVER_HOSTS: tuple[dict[str, Any], ...] = (
    {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"},
)


def image_reference(image: Image, default: tuple[str | Deferred, str | None]) -> Any:
    """`repository:tag@digest`: what is given over the default; a digest alone takes no default tag."""
    repository = image.repository if image.repository is not None else default[0]
    tag = image.tag if image.tag is not None or image.digest is not None else default[1]
    suffix = (f":{tag}" if tag is not None else "") + (f"@{image.digest}" if image.digest is not None else "")
    if isinstance(repository, str):
        return f"{repository}{suffix}"
    return Late.of(repository, lambda name: f"{name}{suffix}", f"(image){suffix}")


def env_list(env: Mapping[str, object]) -> list[dict[str, Any]]:
    """Environment entries of texts and of entries of Secrets and ConfigMaps, in the order given."""
    return [{"name": name, **_env_source(value)} for name, value in env.items()]


def _env_source(value: object) -> dict[str, Any]:
    if not isinstance(value, EnvFrom):
        return {"value": value}
    if value.secret is not None:
        return {"valueFrom": {"secretKeyRef": {"name": value.secret.name, "key": value.secret.key}}}
    if value.config_map is not None:
        return {"valueFrom": {"configMapKeyRef": {"name": value.config_map.name, "key": value.config_map.key}}}
    return {"value": ""}


def mount(volume: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    """A volume of the pod at a path of a container."""
    return {"name": volume, "mountPath": path, **({"readOnly": True} if read_only else {})}


def token_volume() -> dict[str, Any]:
    """A token of the service account that only the init container mounts."""
    return {
        "name": "kube-api",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            ],
        },
    }


def field_env(name: str, path: str) -> dict[str, Any]:
    """An environment entry from a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def pod_spec(
    pod: Pod,
    *,
    account: str | Deferred,
    containers: list[dict[str, Any]],
    init_containers: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
    pull_secrets: tuple[str, ...],
    spread: Mapping[str, str],
    node_selector: Mapping[str, str] | None = None,
    automount_token: bool = False,
    user: int = 1000,
) -> dict[str, Any]:
    """The spec of a node's pod: ours first, then what the user adds.

    Args:
        pod: The user's settings.
        account: Name of the service account.
        containers: The node's container first.
        init_containers: Those that prepare the node; the user's follow.
        volumes: Volumes of our own; the user's follow.
        pull_secrets: Names of Secrets with registry credentials.
        spread: Labels of the pods that are to be spread over hosts.
        node_selector: Replaces the user's one for all nodes.
        automount_token: Whether every container gets the account's token.
        user: User, group and fsGroup, where the pod's settings say no other.
    """
    spec: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": automount_token,
        # A Service called codex-api would put CODEX_API_PORT=tcp://... into the pod, which the node takes for its own option.
        "enableServiceLinks": False,
        "securityContext": patched(
            POD_SECURITY | dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), user), pod.security_context
        ),
        "terminationGracePeriodSeconds": duration_seconds(pod.termination_grace_period),
    }
    if pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in pull_secrets]
    selector = pod.node_selector if node_selector is None else node_selector
    if selector:
        spec["nodeSelector"] = dict(selector)
    if pod.tolerations:
        spec["tolerations"] = list(pod.tolerations)
    if pod.affinity is not None:
        spec["affinity"] = pod.affinity
    # Without a selector a constraint matches no pod and does nothing, which nobody wants who writes one.
    spreading = _OVER_HOSTS if pod.topology_spread is None else pod.topology_spread
    own = {"matchLabels": dict(spread)}
    constraints = [{**one, "labelSelector": one.get("labelSelector", own)} for one in spreading]
    if constraints:
        spec["topologySpreadConstraints"] = constraints
    named = {
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "dnsConfig": pod.dns_config,
    }
    spec |= {key: value for key, value in named.items() if value is not None}
    if pod.host_aliases:
        spec["hostAliases"] = list(pod.host_aliases)
    if init_containers or pod.init_containers:
        spec["initContainers"] = [*init_containers, *pod.init_containers]
    spec["containers"] = [*containers, *pod.extra_containers]
    spec["volumes"] = [*volumes, *pod.volumes]
    return spec


def stateful_set(
    shell: Manifest,
    *,
    selector: Mapping[str, str],
    first_ordinal: int,
    template: dict[str, Any],
    replicas: int | None = None,
    service: str | None = None,
    claim_template: dict[str, Any] | None = None,
) -> Manifest:
    """A StatefulSet over its shell (kind and metadata).

    `replicas` is left out where it is one: an update must never start a node that was stopped on purpose.
    """
    spec: dict[str, Any] = {
        # With OrderedReady a pod stays on a bad image even after the fix; the field is immutable.
        "podManagementPolicy": "Parallel",
        "ordinals": {"start": first_ordinal},
        "selector": {"matchLabels": dict(selector)},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }
    if replicas is not None:
        spec = {"replicas": replicas, **spec}
    if service is not None:
        spec["serviceName"] = service
    spec["template"] = template
    if claim_template is not None:
        spec["volumeClaimTemplates"] = [claim_template]
    return {**shell, "spec": spec}
