"""Rules for what a user adds to the pods of a storage node: what the API server would refuse, or a set would overwrite."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nodestead.config.base import Problem
from nodestead.software.codex import CodexFamily
from nodestead.software.codex_versions import COMPUTED, grammar_of
from nodestead.software.custom import CustomStorage

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["pod_problems"]

_CONTAINERS = frozenset({"prepare", "node", "availability", "api-proxy"})
_MOUNTABLE = frozenset({"data", "run", "tmp", "agents"})
_VOLUMES = _MOUNTABLE | {"addresses", "key", "kube-api", "proxy-auth", "proxy-config", "proxy-tmp"}
_PATHS = frozenset({"/data", "/run/nodestead", "/tmp", "/etc/nodestead/agents"})  # noqa: S108 # where the node's own volumes are
_FOLDERS = ("/data/node", "/run/nodestead", "/etc/nodestead")
_PORTS = ("api", "metrics", "p2p", "discovery", "api-auth")
_ENV = frozenset({"POD_NAME", "POD_IP", "ARGS_FILE", "ENTRYPOINT"})
# What docker-entrypoint.sh of the family's images turns into flags, over those that the library gives.
_ADDED = {
    "NAT_IP_AUTO": "set exposure.externalAddress",
    "NAT_PUBLIC_IP_AUTO": "set exposure.externalAddress",
    "BOOTSTRAP_NODE_URL": "set bootstrap",
    "BOOTSTRAP_NODE_FROM_URL": "set bootstrap",
    "NETWORK": "set bootstrap",
}
_ENTRYPOINT = _ADDED | {
    "ENV_PATH": "set the variables of that file in container.env",
    "ETH_PRIVATE_KEY": "set keys",
    "PRIV_KEY": "set keys",
    "MARKETPLACE_ADDRESS_FROM_URL": "set software.marketplace.address",
}
_ADDED_FLAGS = frozenset({"nat", "bootstrap-node", "no-bootstrap-node", "network"})
_LABELS = frozenset(
    """app.kubernetes.io/name app.kubernetes.io/instance app.kubernetes.io/component app.kubernetes.io/part-of
    app.kubernetes.io/managed-by app.kubernetes.io/version nodestead.io/set nodestead.io/node""".split()
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def pod_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """What would make a pod that no API server takes, or that is not what the user wrote."""
    yield from _label_problems(args)
    yield from _env_name_problems(args)
    if isinstance(args.software, CodexFamily):
        yield from _image_problems(args, args.software)
        yield from _env_problems(args, args.software)
        yield from _arg_problems(args)
    yield from _low_port_problems(args)
    yield from _port_name_problems(args)
    yield from _container_problems(args)
    yield from _volume_problems(args)


def _label_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    monitoring = {} if args.monitoring is None else args.monitoring.labels
    places = ((("labels",), args.labels), (("pod", "labels"), args.pod.labels), (("monitoring", "labels"), monitoring))
    for path, labels in places:
        for key in labels:
            if key in _LABELS:
                yield Problem([*path, key], "is set by the library, and selectors depend on it; leave it out")


def _env_name_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    places: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [(("container", "env"), args.container.env)]
    places += [(("nodes", node, "env"), override.env) for node, override in args.nodes.items()]
    if isinstance(args.software, CustomStorage):
        places.append((("software", "env"), args.software.env))
    for path, env in places:
        for name in env:
            if name in _ENV:
                yield Problem([*path, name], "is set by the library for its scripts; give yours another name")


def _image_problems(args: "StorageNodeGroupArgs", software: CodexFamily) -> Iterator[Problem]:
    images = [(("image",), args.image)]
    images += [(("nodes", node, "image"), override.image) for node, override in args.nodes.items() if override.image is not None]
    for path, image in images:
        match = re.fullmatch(r"v?([0-9]+\.[0-9]+\.[0-9]+)", image.tag or "")
        if match is None:
            continue
        try:
            grammar = grammar_of(software.kind, match[1])
        except ValueError:
            # A tag of the user's own.
            continue
        if grammar != software.grammar:
            yield Problem(
                [*path, "tag"],
                f"{image.tag} takes other flags than {software.kind} {software.version}, for which the group is made; set"
                " software.version",
            )


def _env_problems(args: "StorageNodeGroupArgs", software: CodexFamily) -> Iterator[Problem]:
    grammar = software.grammar
    places = [(("container", "env"), args.container.env), *((("nodes", n, "env"), o.env) for n, o in args.nodes.items())]
    for path, env in places:
        for name in env:
            if name in _ENTRYPOINT and not (args.container.command and name in _ADDED):
                yield Problem([*path, name], f"is of the image's start script and defeats the config; {_ENTRYPOINT[name]}")
            prefix, _, rest = name.partition("_")
            flag = rest.lower().replace("_", "-")
            if prefix not in ("CODEX", "STORAGE", "ARCHIVIST"):
                continue
            if prefix != grammar.prefix:
                yield Problem([*path, name], f"{software.kind} {software.version} reads {grammar.prefix}_ only; rename it")
            elif flag in COMPUTED:
                yield Problem([*path, name], f"is computed; {COMPUTED[flag]}")
            elif flag not in software.known_options(grammar):
                yield Problem([*path, name], software.why_unknown(grammar, flag))


def _arg_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    for index, arg in enumerate(args.container.args):
        flag = re.split("[=:]", arg.removeprefix("--"), maxsplit=1)[0].lower().replace("_", "-")
        # With a command of the user's own, address and bootstrap are theirs to add.
        if not arg.startswith("--") or flag not in COMPUTED or (args.container.command and flag in _ADDED_FLAGS):
            continue
        yield Problem(["container", "args", index], f"--{flag} is computed; {COMPUTED[flag]}")


def _low_port_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    user = args.container.security_context.get("runAsUser", args.pod.security_context.get("runAsUser"))
    for field, port in (("api", args.ports.api), ("metrics", args.ports.metrics)):
        if port < 1024 and user != 0:
            yield Problem(
                ["ports", field],
                f"{port} is a port that only root may open, and the node is not root; use one from 1024 on, or set"
                " pod.securityContext.runAsUser: 0",
            )


def _port_name_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    owners: dict[str, str] = dict.fromkeys(_PORTS, "the node itself")
    for index, port in enumerate(args.container.ports):
        if port.name in owners:
            yield Problem(
                ["container", "ports", index, "name"], f"{port.name} is a port of {owners[port.name]} already; name it otherwise"
            )
        owners.setdefault(port.name, f"container.ports[{index}]")


def _container_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    taken = set(_CONTAINERS)
    for field, containers in (("initContainers", args.pod.init_containers), ("extraContainers", args.pod.extra_containers)):
        for index, container in enumerate(containers):
            path = ["pod", field, index]
            yield from _name_problems([*path, "name"], container["name"], taken, "container")
            if "image" not in container:
                yield Problem([*path, "image"], "is required and not given; add it")


def _volume_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    taken = set(_VOLUMES)
    for index, volume in enumerate(args.pod.volumes):
        yield from _name_problems(["pod", "volumes", index, "name"], volume["name"], taken, "volume")
    mountable = _MOUNTABLE | {volume["name"] for volume in args.pod.volumes}
    yield from _mount_problems(["container", "volumeMounts"], args.container.volume_mounts, mountable, _PATHS)
    for field, containers in (("initContainers", args.pod.init_containers), ("extraContainers", args.pod.extra_containers)):
        for index, container in enumerate(containers):
            path = ["pod", field, index, "volumeMounts"]
            yield from _mount_problems(path, container.get("volumeMounts", ()), mountable, frozenset())


def _name_problems(path: list[str | int], name: Any, taken: set[Any], kind: str) -> Iterator[Problem]:
    """A name that is none, or that another has; remembers it."""
    if isinstance(name, str) and not _NAME.fullmatch(name):
        yield Problem(path, f"{name!r} is no name of a {kind}; use at most 63 lower-case letters, digits and hyphens")
    elif name in taken:
        yield Problem(path, f"{name!r} is a {kind} of the pod already; give this one another name")
    taken.add(name)


def _mount_problems(path: list[str | int], mounts: Any, mountable: Collection[Any], used: frozenset[str]) -> Iterator[Problem]:
    paths = set(used)
    for index, mount in enumerate(mounts):
        if mount["name"] not in mountable:
            there = ", ".join(sorted(map(str, mountable)))
            yield Problem([*path, index, "name"], f"there is no volume {mount['name']!r}; add it to pod.volumes, or use {there}")
        given = "/" + posixpath.normpath(mount["mountPath"]).lstrip("/")
        folder = next((folder for folder in _FOLDERS if used and f"{given}/".startswith(f"{folder}/")), None)
        if given in paths:
            yield Problem(
                [*path, index, "mountPath"], f"something is mounted at {mount['mountPath']!r} already; choose another path"
            )
        elif folder is not None:
            yield Problem(
                [*path, index, "mountPath"], f"{mount['mountPath']!r} is in {folder}, the library's own; choose another path"
            )
        paths.add(given)
