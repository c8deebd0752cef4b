"""Rules for what a user adds to the pods of a storage node: what the API server would refuse, or a set would overwrite."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nodestead.config.base import Problem
from nodestead.plans.pod_rules import (
    OF_SCRIPTS,
    RECOMMENDED,
    Path,
    Reserved,
    container_problems,
    env_problems,
    label_problems,
    low_port_problems,
    port_name_problems,
    volume_problems,
)
from nodestead.software.codex import CodexFamily
from nodestead.software.codex_versions import COMPUTED, grammar_of
from nodestead.software.custom import CustomStorage

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["pod_problems"]

_MOUNTABLE = frozenset({"data", "run", "tmp", "agents"})
_RESERVED = Reserved(
    containers=re.compile(r"prepare|node|availability|api-proxy"),
    volumes=_MOUNTABLE | {"addresses", "key", "kube-api", "proxy-auth", "proxy-config", "proxy-tmp"},
    mountable=_MOUNTABLE,
    paths=("/data", "/run/nodestead", "/tmp", "/etc/nodestead/agents"),  # noqa: S108 # where the node's own volumes are
    folders=("/data/node", "/run/nodestead", "/etc/nodestead"),
    env=dict.fromkeys(("POD_NAME", "POD_IP", "ARGS_FILE", "ENTRYPOINT"), OF_SCRIPTS),
    labels=RECOMMENDED | {"app.kubernetes.io/version"},
    ports=("api", "metrics", "p2p", "discovery", "api-auth"),
)
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


def pod_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """What would make a pod that no API server takes, or that is not what the user wrote."""
    monitoring = {} if args.monitoring is None else args.monitoring.labels
    labels = [(("labels",), args.labels), (("pod", "labels"), args.pod.labels), (("monitoring", "labels"), monitoring)]
    yield from label_problems(labels, _RESERVED)
    yield from env_problems(_environments(args), _RESERVED)
    if isinstance(args.software, CodexFamily):
        yield from _image_problems(args, args.software)
        yield from _env_problems(args, args.software)
        yield from _arg_problems(args)
    if args.container.security_context.get("runAsUser", args.pod.security_context.get("runAsUser")) != 0:
        ports = [(("ports", "api"), args.ports.api), (("ports", "metrics"), args.ports.metrics)]
        yield from low_port_problems(ports, ", or set pod.securityContext.runAsUser: 0")
    yield from port_name_problems(args.container.ports, _RESERVED)
    yield from container_problems(args.pod, _RESERVED)
    yield from volume_problems(args.pod, args.container.volume_mounts, _RESERVED)


def _environments(args: "StorageNodeGroupArgs") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield ("container", "env"), args.container.env
    for node, override in args.nodes.items():
        yield ("nodes", node, "env"), override.env
    if isinstance(args.software, CustomStorage):
        yield ("software", "env"), args.software.env


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
