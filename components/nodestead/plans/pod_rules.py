"""Rules for what a user adds to the pods of any set: what the API server would refuse, or a set would overwrite."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Problem
from nodestead.config.pod import ExtraPort, Pod

__all__ = [
    "OF_SCRIPTS",
    "RECOMMENDED",
    "Path",
    "Reserved",
    "container_problems",
    "env_problems",
    "label_problems",
    "low_port_problems",
    "port_name_problems",
    "volume_problems",
]

Path = tuple[str | int, ...]

OF_SCRIPTS = "is set by the library for its scripts; give yours another name"
"""What is said of a variable that the scripts of a pod read."""
RECOMMENDED = frozenset(f"app.kubernetes.io/{label}" for label in ("name", "instance", "component", "part-of", "managed-by")) | {
    "nodestead.io/set",
    "nodestead.io/node",
}
"""The labels that every set gives its objects."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What is the library's own in the pods of a set.

    Attributes:
        containers: What their containers are called.
        volumes: Names of their volumes.
        mountable: Those of them that a container of the user's may mount.
        paths: Where the node's container has volumes.
        folders: Folders of that container that nothing may be mounted in.
        uncovered: Folders of that container that nothing may be mounted over either.
        env: Variable to what is said of one that has its name.
        labels: Keys of labels.
        ports: Names of the node's ports.
    """

    containers: re.Pattern[str]
    volumes: Collection[str]
    mountable: frozenset[str]
    paths: Collection[str]
    folders: Sequence[str]
    uncovered: Sequence[str] = ()
    env: Mapping[str, str]
    labels: Collection[str]
    ports: Collection[str]


def label_problems(places: Iterable[tuple[Path, Mapping[str, Any]]], reserved: Reserved) -> Iterator[Problem]:
    """Labels that would take an object from those that select it."""
    for path, labels in places:
        for key in labels:
            if key in reserved.labels:
                yield Problem([*path, key], "is set by the library, and selectors depend on it; leave it out")


def env_problems(places: Iterable[tuple[Path, Mapping[str, Any]]], reserved: Reserved) -> Iterator[Problem]:
    """Variables that would replace the library's."""
    for path, env in places:
        for name in env:
            if name in reserved.env:
                yield Problem([*path, name], reserved.env[name])


def low_port_problems(ports: Iterable[tuple[Path, int]], remedy: str = "") -> Iterator[Problem]:
    """Ports that a process without capabilities may not open.

    Args:
        ports: Each with the path that gives it.
        remedy: What may be done beside choosing another.
    """
    for path, port in ports:
        if port < 1024:
            yield Problem(
                path, f"{port} is a port that only root may open, and the node is not root; use one from 1024 on{remedy}"
            )


def port_name_problems(ports: Sequence[ExtraPort], reserved: Reserved) -> Iterator[Problem]:
    """Names that two ports of a pod would have."""
    owners = dict.fromkeys(reserved.ports, "the node itself")
    for index, port in enumerate(ports):
        if port.name in owners:
            yield Problem(
                ["container", "ports", index, "name"], f"{port.name} is a port of {owners[port.name]} already; name it otherwise"
            )
        owners.setdefault(port.name, f"container.ports[{index}]")


def container_problems(pod: Pod, reserved: Reserved) -> Iterator[Problem]:
    """Containers beside the node's that have no name of their own, or nothing to run."""
    taken: set[Any] = set()
    for path, container in _containers(pod):
        yield from _name_problems([*path, "name"], container["name"], taken, "container", reserved.containers)
        if "image" not in container:
            yield Problem([*path, "image"], "is required and not given; add it")


def volume_problems(pod: Pod, mounts: Sequence[Mapping[str, Any]], reserved: Reserved) -> Iterator[Problem]:
    """Volumes that have no name of their own, and mounts of what is not there or of two things in one place.

    Args:
        pod: The user's settings.
        mounts: Mounts of the node's container.
        reserved: What is the library's own.
    """
    taken: set[Any] = set(reserved.volumes)
    for index, volume in enumerate(pod.volumes):
        yield from _name_problems(["pod", "volumes", index, "name"], volume["name"], taken, "volume")
    mountable = reserved.mountable | {volume["name"] for volume in pod.volumes}
    yield from _mount_problems(["container", "volumeMounts"], mounts, mountable, reserved)
    for path, container in _containers(pod):
        yield from _mount_problems([*path, "volumeMounts"], container.get("volumeMounts", ()), mountable, None)


def _containers(pod: Pod) -> Iterator[tuple[list[str | int], dict[str, Any]]]:
    for field, containers in (("initContainers", pod.init_containers), ("extraContainers", pod.extra_containers)):
        for index, container in enumerate(containers):
            yield ["pod", field, index], container


def _name_problems(
    path: list[str | int], name: Any, taken: set[Any], kind: str, ours: re.Pattern[str] | None = None
) -> Iterator[Problem]:
    """A name that is none, or that another has; remembers it."""
    if isinstance(name, str) and not _NAME.fullmatch(name):
        yield Problem(path, f"{name!r} is no name of a {kind}; use at most 63 lower-case letters, digits and hyphens")
    elif name in taken or (ours is not None and isinstance(name, str) and ours.fullmatch(name)):
        yield Problem(path, f"{name!r} is a {kind} of the pod already; give this one another name")
    taken.add(name)


def _mount_problems(
    path: list[str | int], mounts: Any, mountable: Collection[Any], reserved: Reserved | None
) -> Iterator[Problem]:
    paths = set(() if reserved is None else reserved.paths)
    for index, mount in enumerate(mounts):
        if mount["name"] not in mountable:
            there = ", ".join(sorted(map(str, mountable)))
            yield Problem([*path, index, "name"], f"there is no volume {mount['name']!r}; add it to pod.volumes, or use {there}")
        given = "/" + posixpath.normpath(mount["mountPath"]).lstrip("/")
        if given in paths:
            yield Problem(
                [*path, index, "mountPath"], f"something is mounted at {mount['mountPath']!r} already; choose another path"
            )
        elif reserved is not None:
            yield from _folder_problems([*path, index, "mountPath"], mount["mountPath"], given, reserved)
        paths.add(given)


def _folder_problems(path: list[str | int], shown: Any, given: str, reserved: Reserved) -> Iterator[Problem]:
    """A mount in a folder of ours, or over one."""
    inside = next((folder for folder in reserved.folders if f"{given}/".startswith(f"{folder}/")), None)
    over = next((folder for folder in reserved.uncovered if folder.startswith(f"{given.rstrip('/')}/")), None)
    if inside is not None:
        yield Problem(path, f"{shown!r} is in {inside}, the library's own; choose another path")
    elif over is not None:
        yield Problem(path, f"{shown!r} is over {over}, the library's own; choose another path")
