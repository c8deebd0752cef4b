"""The pod of a storage node: what the set, its software and the user decided, put together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.exposure import (
    ClusterExposure,
    HostIp,
    HostPortExposure,
    LookupAddress,
    NodeExternalIp,
)
from nodestead.config.pod import EnvFrom, Image
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.objects import Address, Late
from nodestead.kubernetes.patches import patched
from nodestead.kubernetes.pod import CONTAINER_SECURITY, TOKEN_FOLDER, env_list, field_env, image_reference, mount
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.software.spec import NodeSpec

__all__ = [
    "AGENTS",
    "DATA_DIR",
    "KEY_FILE",
    "NodeFacts",
    "asks_api_server",
    "node_containers",
    "served_address",
]

DATA_MOUNT = "/data"
# Not the mount itself: the node wants 0700 and may not change the root of a volume that fsGroup gave to a group.
DATA_DIR = f"{DATA_MOUNT}/node"
KEY_FILE = "/run/nodestead/eth-private-key"
KEY_MOUNT = "/etc/nodestead/key"
_RUN = "/run/nodestead"
_AGENTS_FOLDER = "/etc/nodestead/agents"
_ADDRESSES_FOLDER = "/etc/nodestead/addresses"
_ARGS_FILE = f"{_RUN}/args"
AGENTS = ("prepare.sh", "start.sh", "availability.sh")
_SMALL: dict[str, Any] = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is different from node to node.

    Attributes:
        spec: What the software says.
        image: The node's image, its own over the set's.
        ports: TCP and UDP port for peers.
        bootstrap_urls: Where the peer records of the set's own bootstrap nodes are fetched.
        address: Given external address; None where it is found out.
        balancer: Name of the Service whose load balancer's address is announced.
        address_map: Whether addresses come by pod name from a ConfigMap.
        has_key: Whether there is an Ethereum key.
        key_path: Which entry holds the pod's own key, where a volume has those of all pods of a pooled set.
        resources: Replaces the set's resources.
        env: More environment.
    """

    spec: NodeSpec
    image: Image
    ports: tuple[int, int]
    bootstrap_urls: tuple[str, ...] = ()
    address: str | Deferred | None = None
    balancer: str | None = None
    address_map: bool = False
    has_key: bool = False
    key_path: str | None = None
    resources: dict[str, Any] | None = None
    env: Mapping[str, str | Deferred | EnvFrom] | None = None

    @property
    def image_reference(self) -> Any:
        """The image over the software's, as a container names it."""
        return image_reference(self.image, self.spec.image)


def served_address(service: str) -> Late:
    """The IP address of a Service's load balancer.

    The leaf's function raises ValueError where the load balancer has a host name only: peers dial addresses.
    """

    def pick(served: list[dict[str, Any]] | None) -> str:
        for entry in served or []:
            if entry.get("ip"):
                return str(entry["ip"])
        hosts = [str(entry["hostname"]) for entry in served or [] if entry.get("hostname")]
        if hosts:
            raise ValueError(
                f"Service {service}: its load balancer has the host name {hosts[0]} and no IP address, and peers dial addresses;"
                " set exposure.externalAddress to lookup or fixed"
            )
        raise ValueError(f"Service {service}: its load balancer has no address yet; run the update again when it has one")

    return Late.of(Address(service), pick, f"(address of {service})")


def node_containers(args: StorageNodeGroupArgs, facts: NodeFacts) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The init containers and containers of a node, the node's own container first."""
    containers = [_node_container(args, facts)]
    if facts.spec.availability is not None:
        containers.append(_availability_container(args, facts))
    return [_prepare_container(args, facts)], containers


def _prepare_container(args: StorageNodeGroupArgs, facts: NodeFacts) -> dict[str, Any]:
    env: dict[str, Any] = {"DATA_DIR": DATA_DIR, "ARGS_FILE": _ARGS_FILE}
    fields = [field_env("POD_NAME", "metadata.name")]
    mounts = [
        mount("data", DATA_MOUNT),
        mount("run", _RUN),
        mount("tmp", "/tmp"),  # noqa: S108 - an emptyDir
        mount("agents", _AGENTS_FOLDER, read_only=True),
    ]
    if facts.has_key:
        env |= {"KEY_FILE": f"{KEY_MOUNT}/eth-private-key", "KEY_TARGET": KEY_FILE}
        key = mount("key", KEY_MOUNT if facts.key_path is None else f"{KEY_MOUNT}/eth-private-key", read_only=True)
        # The pod's own entry and no other comes into the container.
        mounts.append(key if facts.key_path is None else key | {"subPathExpr": facts.key_path})
        if facts.key_path is not None and "$(POD_INDEX)" in facts.key_path:
            fields.append(field_env("POD_INDEX", "metadata.labels['apps.kubernetes.io/pod-index']"))
    if facts.spec.nat_arg is not None:
        source, more = _address_env(args, facts)
        env |= source | {"NAT_ARG": facts.spec.nat_arg}
        fields += more
        if facts.address_map:
            mounts.append(mount("addresses", _ADDRESSES_FOLDER, read_only=True))
        if source["ADDRESS_FROM"] == "node":
            mounts.append(mount("kube-api", TOKEN_FOLDER, read_only=True))
    urls = (*facts.bootstrap_urls, *facts.spec.bootstrap_urls)
    if urls and facts.spec.bootstrap_arg is not None:
        env |= {
            "BOOTSTRAP_URLS": " ".join(urls),
            "BOOTSTRAP_ARG": facts.spec.bootstrap_arg,
            "BOOTSTRAP_CACHE": f"{DATA_MOUNT}/bootstrap-sprs",
        }
    return {
        "name": "prepare",
        "image": facts.image_reference,
        "imagePullPolicy": facts.image.pull_policy,
        "command": ["sh", f"{_AGENTS_FOLDER}/prepare.sh"],
        "env": [*fields, *env_list(env)],
        "resources": _SMALL,
        "securityContext": patched(CONTAINER_SECURITY, args.container.security_context),
        "volumeMounts": mounts,
    }


def _address_env(args: StorageNodeGroupArgs, facts: NodeFacts) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Where prepare.sh finds the address to announce."""
    exposure = args.exposure
    if isinstance(exposure, ClusterExposure):
        return {"ADDRESS_FROM": "pod"}, [field_env("POD_IP", "status.podIP")]
    if facts.address_map:
        return {"ADDRESS_FROM": "fixed", "ADDRESS_MAP": _ADDRESSES_FOLDER}, []
    if facts.address is not None:
        return {"ADDRESS_FROM": "fixed", "ADDRESS": facts.address}, []
    if facts.balancer is not None:
        return {"ADDRESS_FROM": "fixed", "ADDRESS": served_address(facts.balancer)}, []
    source = exposure.external_address
    if isinstance(source, LookupAddress):
        return {"ADDRESS_FROM": "lookup", "ADDRESS_URL": source.url}, []
    if isinstance(source, HostIp):
        return {"ADDRESS_FROM": "host"}, [field_env("HOST_IP", "status.hostIP")]
    return {"ADDRESS_FROM": "node"}, [field_env("NODE_NAME", "spec.nodeName")]


def asks_api_server(args: StorageNodeGroupArgs) -> bool:
    """Whether pods ask the API server for their host's external address."""
    return not isinstance(args.exposure, ClusterExposure) and isinstance(args.exposure.external_address, NodeExternalIp)


def _node_container(args: StorageNodeGroupArgs, facts: NodeFacts) -> dict[str, Any]:
    spec, user = facts.spec, args.container
    tcp, udp = facts.ports
    host = {"hostPort": tcp} if isinstance(args.exposure, HostPortExposure) else {}
    ports = [
        {"name": "api", "containerPort": args.ports.api, "protocol": "TCP"},
        {"name": "metrics", "containerPort": args.ports.metrics, "protocol": "TCP"},
        {"name": "p2p", "containerPort": tcp, **host, "protocol": "TCP"},
    ]
    if spec.has_udp:
        host = {"hostPort": udp} if host else {}
        ports.append({"name": "discovery", "containerPort": udp, **host, "protocol": "UDP"})
    ports += [{"name": port.name, "containerPort": port.port, "protocol": port.protocol} for port in user.ports]
    env: dict[str, Any] = {"HOME": "/tmp", **spec.env}  # noqa: S108
    env |= {name: EnvFrom(secret=ref) for name, ref in spec.secret_env.items()}
    env |= {**user.env, **(facts.env or {})}
    start: dict[str, Any] = {"command": list(user.command)}
    own = [{"name": "ARGS_FILE", "value": _ARGS_FILE}, {"name": "ENTRYPOINT", "value": spec.entrypoint}]
    if user.command:
        own = []
    else:
        start = {"command": ["sh", f"{_AGENTS_FOLDER}/start.sh"]}
    container: dict[str, Any] = {
        "name": "node",
        "image": facts.image_reference,
        "imagePullPolicy": facts.image.pull_policy,
        **start,
        # That of the image is not writable, and programs write where they stand.
        "workingDir": DATA_MOUNT,
        "args": [*(() if user.command else spec.argv), *user.args],
        "env": [field_env("POD_NAME", "metadata.name"), field_env("POD_IP", "status.podIP"), *own, *env_list(env)],
        "ports": ports,
        **_probes(args, spec),
        "resources": user.resources if facts.resources is None else facts.resources,
        "securityContext": patched(CONTAINER_SECURITY, user.security_context),
        "volumeMounts": [
            mount("data", DATA_MOUNT),
            mount("run", _RUN),
            mount("tmp", "/tmp"),  # noqa: S108
            mount("agents", _AGENTS_FOLDER, read_only=True),
            *user.volume_mounts,
        ],
    }
    if not container["args"]:
        del container["args"]
    if user.env_from:
        container["envFrom"] = list(user.env_from)
    if user.lifecycle is not None:
        container["lifecycle"] = user.lifecycle
    return container


def _probes(args: StorageNodeGroupArgs, spec: NodeSpec) -> dict[str, Any]:
    probes = args.container.probes
    period = 10
    health = {"httpGet": {"path": spec.health_path, "port": "api"}, "periodSeconds": period, "timeoutSeconds": 5}
    failures = max(duration_seconds(probes.startup_timeout) // period, 1)
    return {
        "startupProbe": probes.startup or {**health, "failureThreshold": failures},
        "readinessProbe": probes.readiness or {**health, "failureThreshold": 3},
        # One main loop answers, and erasure coding can hold it for minutes: an open port tells that the node lives.
        "livenessProbe": probes.liveness
        or {"tcpSocket": {"port": "api"}, "periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 6},
    }


def _availability_container(args: StorageNodeGroupArgs, facts: NodeFacts) -> dict[str, Any]:
    software = args.software
    interval = (
        software.marketplace.availability_interval if software.kind != "custom" and software.marketplace is not None else "60s"
    )
    env = {
        "API_URL": f"http://127.0.0.1:{args.ports.api}{facts.spec.api_path}",
        "AVAILABILITY": json.dumps(facts.spec.availability, sort_keys=True),
        "INTERVAL": str(duration_seconds(interval)),
    }
    return {
        "name": "availability",
        "image": facts.image_reference,
        "imagePullPolicy": facts.image.pull_policy,
        "command": ["sh", f"{_AGENTS_FOLDER}/availability.sh"],
        "env": env_list(env),
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [mount("agents", _AGENTS_FOLDER, read_only=True), mount("tmp", "/tmp")],  # noqa: S108
    }
