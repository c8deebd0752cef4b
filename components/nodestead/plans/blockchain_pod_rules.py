"""Rules for what a user adds to the pods of a blockchain node: what the API server would refuse, or a set would overwrite."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nodestead.config.base import Problem
from nodestead.plans.blockchain_start import Script
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

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["pod_problems"]

_HOME = "/home/operator"
_MOUNTABLE = frozenset({"data", "scratch", "tmp", "run", "agents", "defaults", "node"})
_FOLDERS = (_HOME, "/tmp", "/run/nodestead", "/run/nodestead-keys", "/etc/nodestead", "/defaults")  # noqa: S108 # of the pod
_OTHER_HOME = "would lead the node to another home than the set's; leave it out"
_ENV = {
    "HOME": f"is {_HOME}, where the processes may write; leave it out",
    **dict.fromkeys(("CHAIN_HOME", "CONFIG_DIR", "DATA_DIR"), OF_SCRIPTS),
    **dict.fromkeys(("GENESIS_FILE", "ADDRBOOK_FILE", "POD_NAME", "POD_IP"), OF_SCRIPTS),
}
# What chain_node.sh reads, which an image without a shell cannot run.
_SHELL_ENV = {
    **dict.fromkeys(("GATE", "VERSION", "FILES"), OF_SCRIPTS),
    "START_DELAY": "is set by the library for its scripts; set signer.startDelay",
}
# Of the preparation, which runs the scripts of the user's.
_PREPARE_ENV = dict.fromkeys(
    """HOST_IP NODE_NAME RUN_DIR RESTORE_DIR PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED
    GENESIS_URL ADDRESS_BOOK_URL SNAPSHOT_URL""".split(),
    OF_SCRIPTS,
)
_RESERVED = Reserved(
    # Of each version `init-h<height>` and `node-h<height>`; without a list of them it is the first word only.
    containers=re.compile(r"(?:init|node)(?:-h[0-9]+)?|prepare|health"),
    volumes=_MOUNTABLE | {"keys", "secret-keys", "kube-api"},
    mountable=_MOUNTABLE,
    # Where the node's container has volumes, beside the chain's home.
    paths=(_HOME, "/tmp", "/run/nodestead", "/run/nodestead-keys", "/etc/nodestead/agents"),  # noqa: S108 # of the pod
    folders=_FOLDERS,
    uncovered=_FOLDERS,
    env=_ENV,
    labels=RECOMMENDED | {"nodestead.io/versioned-pod"},
    ports=("p2p", "rpc", "api", "grpc", "grpc-web", "metrics", "privval", "health"),
)


def pod_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """What would make a pod that no API server takes, or that is not what the user wrote."""
    reserved = _reserved(args)
    yield from label_problems(_labels(args), reserved)
    environments = [(("container", "env"), args.container.env)]
    environments += [(("nodes", node, "env"), override.env) for node, override in args.nodes.items()]
    yield from env_problems(environments, reserved)
    yield from env_problems(_script_environments(args), replace(reserved, env=_ENV | _PREPARE_ENV))
    yield from low_port_problems(_low_ports(args))
    yield from port_name_problems(args.container.ports, reserved)
    yield from container_problems(args.pod, reserved)
    yield from volume_problems(args.pod, args.container.volume_mounts, reserved)


def _reserved(args: "BlockchainNodeSetArgs") -> Reserved:
    software, env = args.software, dict(_ENV)
    if software.shell:
        env |= _SHELL_ENV
    if software.kind == "cometbft":
        env |= dict.fromkeys(("CMTHOME", "TMHOME"), _OTHER_HOME)
    return replace(_RESERVED, env=env, paths=(*_RESERVED.paths, f"{_HOME}/{software.home}"))


def _script_environments(args: "BlockchainNodeSetArgs") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for field, given in (("genesis", args.genesis), ("addressBook", args.address_book), ("snapshot", args.snapshot)):
        if isinstance(given, Script):
            yield (field, "env"), given.env


def _labels(args: "BlockchainNodeSetArgs") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield ("labels",), args.labels
    yield ("pod", "labels"), args.pod.labels
    if args.monitoring is not None:
        yield ("monitoring", "labels"), args.monitoring.labels
    for index, pod in enumerate(args.versioned_pods):
        yield ("versionedPods", index, "labels"), pod.labels


def _low_ports(args: "BlockchainNodeSetArgs") -> Iterator[tuple[Path, int]]:
    """The ports that processes of the pod open, each for a user that is not root."""
    pod = args.pod.security_context.get("runAsUser")
    node = args.container.security_context.get("runAsUser", pod)
    for field, info in type(args.ports).model_fields.items():
        # The container `health` has the user of the pod.
        if (pod if field == "health" else node) != 0:
            yield ("ports", info.alias or field), getattr(args.ports, field)
    if node != 0:
        for index, port in enumerate(args.container.ports):
            yield ("container", "ports", index, "port"), port.port
