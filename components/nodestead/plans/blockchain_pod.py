"""The pod of a blockchain node: what prepares it, a container for each version of its binary, and what watches it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.exposure import HostIp, LookupAddress, NodeExternalIp, ServedAddress
from nodestead.config.p2p import ClusterP2p, FixedDialAddress, HostPortP2p
from nodestead.config.pod import EnvFrom, Image
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes import names
from nodestead.kubernetes.objects import Address, Late
from nodestead.kubernetes.patches import patched
from nodestead.kubernetes.pod import (
    CONTAINER_SECURITY,
    TOKEN_FOLDER,
    env_list,
    field_env,
    image_reference,
    mount,
    pod_spec,
    token_volume,
)
from nodestead.plans.blockchain_exposure import dial_port
from nodestead.plans.blockchain_keys import RemoteSigner
from nodestead.plans.blockchain_set import HOME, KEYS_DIR, ChainSet
from nodestead.plans.blockchain_start import Download, Script
from nodestead.software.chain_spec import ChainSpec

__all__ = [
    "AGENTS_FOLDER",
    "GATE",
    "IDLE",
    "RUN",
    "SECRETS_FOLDER",
    "SMALL",
    "USER",
    "Binary",
    "asks_api_server",
    "binaries",
    "chain_pod",
    "node_address",
    "secret_url_name",
    "watched_by_health",
]

USER = 1025
"""User and group of the pods, as the Cosmos operator ran them: its volumes belong to it."""
RUN = "/run/nodestead"
GATE = f"{RUN}/gate"
_DEFAULTS = "/defaults"
AGENTS_FOLDER = "/etc/nodestead/agents"
_NODE_FOLDER = "/etc/nodestead/node"
_NODE_FILE = f"{_NODE_FOLDER}/node.json"
SECRETS_FOLDER = "/etc/nodestead/keys"
SMALL: dict[str, Any] = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
IDLE = {"cpu": "5m", "memory": "16Mi"}


@dataclass(frozen=True, slots=True)
class Binary:
    """A version of the chain's program.

    Attributes:
        name: What files and containers call it: `h5200791`.
        height: The first block that it runs.
        halt_height: The last block that it commits; None where nothing stops it.
        image: Its image, as a container names it.
        pull: Pull policy and the Secrets for it.
    """

    name: str
    height: int
    halt_height: int | None
    image: Any
    pull: Image


def binaries(chain: ChainSet, ordinal: int) -> list[Binary]:
    """The versions of a node in ascending order; one where no list is given."""
    override, software = chain.args.override(ordinal).image, chain.args.software
    if not chain.versions:
        image, default = chain.image(override)
        halt = (software.app.halt_height or None) if software.kind == "cosmos" else None
        return [Binary("h0", 0, halt, image_reference(image, default), image)]
    set_image, default = chain.image(None)
    found: list[Binary] = []
    for index, version in enumerate(chain.versions):
        image = version.image.image().over(set_image)
        if override is not None and index == len(chain.versions) - 1:
            image = override.over(image)
        found.append(Binary(f"h{version.height}", version.height, version.halt_height, image_reference(image, default), image))
    return found


def watched_by_health(chain: ChainSet, versions: list[Binary]) -> bool:
    """Whether a node has the container that answers probes and decides which version runs."""
    return chain.args.probes.strategy != "none" or gated(chain, versions) or chain.args.monitoring is not None


def gated(chain: ChainSet, versions: list[Binary]) -> bool:
    """Whether a version has to wait for its height, or stops at one."""
    return chain.args.software.shell and (len(versions) > 1 or versions[0].halt_height is not None)


def asks_api_server(chain: ChainSet) -> bool:
    """Whether pods ask the API server for their host's external address."""
    exposure = chain.args.exposure
    return not isinstance(exposure, ClusterP2p) and isinstance(exposure.external_address, NodeExternalIp)


def node_address(chain: ChainSet, ordinal: int) -> dict[str, Any]:
    """Where a node finds the address that it announces, as its preparation reads it."""
    args = chain.args
    exposure, port = args.exposure, dial_port(args, ordinal)
    if isinstance(exposure, ClusterP2p) or not chain.is_exposed(ordinal) or args.override(ordinal).disabled == "all":
        return {"from": "none"}
    given, source = args.override(ordinal).external_address, exposure.external_address
    if given is None and isinstance(source, FixedDialAddress):
        given = source.addresses[str(ordinal)]
    if given is not None:
        return {"from": "fixed", "host": given, "port": port}
    if isinstance(source, ServedAddress):
        node = chain.node_name(ordinal)
        return {"from": "fixed", "host": _served(names.peer_service_name(node, node, exposure.kind)), "port": port}
    if isinstance(source, LookupAddress):
        return {"from": "lookup", "url": source.url, "port": port}
    return {"from": "host" if isinstance(source, HostIp) else "node", "port": port}


def _served(service: str) -> Late:
    """The address or host name of a Service's load balancer."""

    def pick(served: list[dict[str, Any]] | None) -> str:
        for entry in served or []:
            host = entry.get("ip") or entry.get("hostname")
            if host:
                return str(host)
        raise ValueError(f"Service {service}: its load balancer has no address yet; run the update again when it has one")

    return Late.of(Address(service), pick, f"(address of {service})")


def chain_pod(
    chain: ChainSet,
    ordinal: int,
    spec: ChainSpec,
    config_map: str,
    config_checksum: Any,
    data: dict[str, Any],
    keys: list[dict[str, Any]],
) -> dict[str, Any]:
    """The pod template of a node.

    Args:
        chain: Its set.
        ordinal: Its number.
        spec: What the software says of it.
        config_map: Name of the ConfigMap with its node.json.
        config_checksum: Fingerprint of what that holds; a change restarts the pod, in its batch.
        data: The volume `data`.
        keys: Sources of the volume with its keys.
    """
    args, node = chain.args, chain.node_name(ordinal)
    override, versions = args.override(ordinal), binaries(chain, ordinal)
    health = watched_by_health(chain, versions)
    containers = [_node_container(chain, ordinal, spec, versions, version, health=health) for version in versions]
    if health:
        containers.append(_health_container(chain))
    init = [*(_init_container(chain, spec, versions, version) for version in versions), _prepare_container(chain, ordinal)]
    agent = args.container.agent_image
    pull_secrets = dict.fromkeys([*(name for version in versions for name in version.pull.pull_secrets), *agent.pull_secrets])
    account = args.service_account
    labels = chain.node_labels(node)
    metadata = {
        "labels": {**args.pod.labels, **labels},
        "annotations": {
            **args.pod.annotations,
            "kubectl.kubernetes.io/default-container": containers[len(versions) - 1]["name"],
            "nodestead.io/config": config_checksum,
        },
    }
    pod = pod_spec(
        args.pod,
        account=chain.account,
        containers=containers,
        init_containers=init,
        volumes=[data, *_volumes(chain, config_map, keys)],
        pull_secrets=tuple(pull_secrets),
        spread=chain.selector,
        node_selector=override.node_selector,
        automount_token=account.mounts_token,
        user=USER,
    )
    return {"metadata": metadata, "spec": pod}


def _volumes(chain: ChainSet, config_map: str, keys: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}
    yield {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}
    yield {"name": "defaults", "emptyDir": {"sizeLimit": "256Mi"}}
    # Memory, gone with the pod: keys, and what the versions agree on who runs.
    yield {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}
    yield {"name": "keys", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    yield {"name": "secret-keys", "projected": {"defaultMode": 0o440, "sources": keys}}
    yield {"name": "agents", "configMap": {"name": chain.agents_name, "defaultMode": 0o555}}
    yield {"name": "node", "configMap": {"name": config_map, "defaultMode": 0o444}}
    if asks_api_server(chain):
        yield token_volume()


def _called(base: str, versions: list[Binary], version: Binary) -> str:
    return base if len(versions) == 1 else f"{base}-{version.name}"


def _environment(chain: ChainSet) -> dict[str, str]:
    """What the Cosmos operator gave every container; scripts of users rely on it."""
    home = chain.home
    return {
        "HOME": HOME,
        "CHAIN_HOME": home,
        "CONFIG_DIR": f"{home}/config",
        "DATA_DIR": f"{home}/data",
        "GENESIS_FILE": f"{home}/config/genesis.json",
        "ADDRBOOK_FILE": f"{home}/config/addrbook.json",
    }


def _init_container(chain: ChainSet, spec: ChainSpec, versions: list[Binary], version: Binary) -> dict[str, Any]:
    """Makes the files that the version's binary starts from when nobody says otherwise."""
    argv = [part.replace("{defaults}", f"{_DEFAULTS}/{version.name}") for part in spec.init]
    return {
        "name": _called("init", versions, version),
        "image": version.image,
        "imagePullPolicy": version.pull.pull_policy,
        "command": argv,
        "workingDir": HOME,
        "env": env_list(_environment(chain) | spec.env),
        "resources": {"requests": IDLE, "limits": {"memory": "1Gi"}},
        "securityContext": patched(CONTAINER_SECURITY, chain.args.container.security_context),
        "volumeMounts": [mount("scratch", HOME), mount("tmp", "/tmp"), mount("defaults", _DEFAULTS)],  # noqa: S108 - an emptyDir
    }


def _agent_container(chain: ChainSet, name: str, script: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    image = chain.agent_image
    return {
        "name": name,
        "image": image_reference(image, ("", None)),
        "imagePullPolicy": image.pull_policy,
        "command": ["python3", f"{AGENTS_FOLDER}/{script}", _NODE_FILE],
        "workingDir": HOME,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            mount("scratch", HOME),
            mount("data", chain.home),
            mount("tmp", "/tmp"),  # noqa: S108
            mount("run", RUN),
            mount("agents", AGENTS_FOLDER, read_only=True),
            mount("node", _NODE_FOLDER, read_only=True),
            *mounts,
        ],
    }


def _prepare_container(chain: ChainSet, ordinal: int) -> dict[str, Any]:
    mounts = [
        mount("defaults", _DEFAULTS, read_only=True),
        mount("keys", KEYS_DIR),
        mount("secret-keys", SECRETS_FOLDER, read_only=True),
    ]
    source = node_address(chain, ordinal)["from"]
    fields = [field_env("POD_NAME", "metadata.name")]
    if source == "host":
        fields.append(field_env("HOST_IP", "status.hostIP"))
    if source == "node":
        fields.append(field_env("NODE_NAME", "spec.nodeName"))
        mounts.append(mount("kube-api", TOKEN_FOLDER, read_only=True))
    given: dict[str, str | Deferred | EnvFrom] = {}
    args = chain.args
    for what, one in (("genesis", args.genesis), ("address_book", args.address_book), ("snapshot", args.snapshot)):
        if isinstance(one, Download) and one.url_from is not None:
            given[secret_url_name(what)] = EnvFrom(secret=one.url_from)
        elif isinstance(one, Script):
            given |= one.env
    container = _agent_container(chain, "prepare", "chain_prepare.py", mounts)
    # Bytecode would be written beside the scripts, which are read-only.
    env = {**given, **_environment(chain), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return container | {"env": [*fields, *env_list(env)], "resources": SMALL}


def secret_url_name(what: str) -> str:
    """Name of the variable with the URL of the genesis, the address book or the snapshot, where that is a secret."""
    return f"{what.upper()}_URL"


def _health_container(chain: ChainSet) -> dict[str, Any]:
    ports = chain.args.ports
    container = _agent_container(chain, "health", "chain_health.py", [])
    probes: dict[str, Any] = {
        "livenessProbe": {
            "httpGet": {"path": "/alive", "port": "health"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        }
    }
    if chain.args.probes.strategy != "none":
        ready = {"httpGet": {"path": "/ready", "port": "health"}, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3}
        probes = {"readinessProbe": ready, **probes}
    return container | {
        "env": [
            field_env("POD_NAME", "metadata.name"),
            *env_list({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "HOME": HOME}),
        ],
        "ports": [{"name": "health", "containerPort": ports.health, "protocol": "TCP"}],
        **probes,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }


def _node_container(
    chain: ChainSet, ordinal: int, spec: ChainSpec, versions: list[Binary], version: Binary, *, health: bool
) -> dict[str, Any]:
    args, user, override = chain.args, chain.args.container, chain.args.override(ordinal)
    last = version is versions[-1]
    argv = list(spec.start)
    env: dict[str, str | Deferred | EnvFrom] = {**_environment(chain), **spec.env}
    signer = args.effective_signer
    if args.software.shell:
        argv = ["sh", f"{AGENTS_FOLDER}/chain_node.sh", *argv]
        env |= {"VERSION": version.name, "GATE": GATE if health else ""}
        if isinstance(signer, RemoteSigner) and duration_seconds(signer.start_delay):
            env["START_DELAY"] = str(duration_seconds(signer.start_delay))
    env |= {name: EnvFrom(secret=ref) for name, ref in spec.secret_env.items()}
    env |= {**user.env, **override.env}
    resources: Mapping[str, Any] = user.resources if override.resources is None else override.resources
    if not last:
        # What runs moves from one to the next: the pod asks for one, and each may use as much as one.
        resources = {**resources, "requests": IDLE}
    container: dict[str, Any] = {
        "name": _called("node", versions, version),
        "image": version.image,
        "imagePullPolicy": version.pull.pull_policy,
        "command": argv,
        "workingDir": HOME,
        "env": [field_env("POD_NAME", "metadata.name"), field_env("POD_IP", "status.podIP"), *env_list(env)],
        # A port may be named once in a pod.
        **({"ports": _ports(chain, ordinal, spec)} if last else {}),
        **(_probes(chain, version) if health else {}),
        "resources": dict(resources),
        "securityContext": patched(CONTAINER_SECURITY, user.security_context),
        "volumeMounts": [
            mount("scratch", HOME),
            mount("data", chain.home),
            mount("tmp", "/tmp"),  # noqa: S108
            mount("run", RUN),
            mount("keys", KEYS_DIR, read_only=True),
            mount("agents", AGENTS_FOLDER, read_only=True),
            *user.volume_mounts,
        ],
    }
    if user.env_from:
        container["envFrom"] = list(user.env_from)
    if user.lifecycle is not None:
        container["lifecycle"] = user.lifecycle
    return container


def _ports(chain: ChainSet, ordinal: int, spec: ChainSpec) -> list[dict[str, Any]]:
    ports, exposure = chain.args.ports, chain.args.exposure
    host = {"hostPort": dial_port(chain.args, ordinal)} if isinstance(exposure, HostPortP2p) and chain.is_exposed(ordinal) else {}
    found = [
        {"name": "p2p", "containerPort": ports.p2p, **host, "protocol": "TCP"},
        {"name": "rpc", "containerPort": ports.rpc, "protocol": "TCP"},
        {"name": "metrics", "containerPort": ports.metrics, "protocol": "TCP"},
    ]
    if spec.has_app:
        found += [
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in (("api", ports.api), ("grpc", ports.grpc), ("grpc-web", ports.grpc_web))
        ]
    if isinstance(chain.args.effective_signer, RemoteSigner):
        found.append({"name": "privval", "containerPort": ports.privval, "protocol": "TCP"})
    more = chain.args.container.ports
    return found + [{"name": port.name, "containerPort": port.port, "protocol": port.protocol} for port in more]


def _probes(chain: ChainSet, version: Binary) -> dict[str, Any]:
    """Whether the process of a version lives, as the container `health` tells of it: a version that waits is well."""
    period = 10

    def asked(path: str) -> dict[str, Any]:
        return {"path": f"/{path}/{version.name}", "port": chain.args.ports.health}

    # The time that counts is deadAfter; these failures are patience with a `health` that restarts.
    alive = {"livenessProbe": {"httpGet": asked("live"), "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 6}}
    if chain.args.probes.strategy == "none":
        # A container that has not started is not ready, and this RPC may come late: when the remote signer does.
        return alive
    failures = max(duration_seconds(chain.args.probes.startup_timeout) // period, 1)
    started = {"httpGet": asked("started"), "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}
    return {"startupProbe": started, **alive}
