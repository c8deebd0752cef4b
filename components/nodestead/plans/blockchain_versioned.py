"""Extra pods beside the nodes of a set that follow their versions: what a user may write of them, and its rules."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.fragments import Fragment
from nodestead.config.scalars import Annotations, DnsLabel, Duration, Labels
from nodestead.kubernetes import names

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = ["FOLLOW", "VersionedPod", "follows", "versioned_name_problems", "versioned_problems"]

FOLLOW = "follow"
"""The container that asks the node for its version."""
_OWN_VOLUMES = ("scratch", "tmp", "run", "agents")
_SCRIPT_ENV = ("FILES", "GATE", "START_DELAY", "VERSION")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def follows(container: dict[str, Any]) -> bool:
    """Whether a container runs the image of its node's version."""
    return "image" not in container


class VersionedPod(Model):
    """A pod beside each node, `<node>-<name>-0`, whose containers follow the version that the node runs.

    It is placed by the pod settings of the nodes, passes Pod Security restricted as they do, and may call the API of the set.
    HOME and /tmp are writable in each container, RPC_URL is the RPC of its node.
    """

    name: DnsLabel = Field(description="Its workload is called after its node and this: hub-0-indexer.")
    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    containers: tuple[Annotated[dict[str, Any], Fragment("Container")], ...] = Field(
        min_length=1,
        strict=False,
        description="One without image runs that of the node's version, and needs a command: the image's entrypoint is unknown."
        " Without resources it asks for 10m and 64Mi, with a limit of 512Mi.",
    )
    volumes: tuple[Annotated[dict[str, Any], Fragment("Volume")], ...] = many()
    prefer_same_node: bool = Field(default=False, description="Run on the host of its node where there is room.")
    termination_grace_period: Duration = Field(
        default="30s", description="Time to end before the kill; also what a change of the version may take."
    )

    def problems(self) -> Iterator[Problem]:
        """What the API server, or the pod, would refuse."""
        seen: set[str] = set()
        for index, container in enumerate(self.containers):
            path, name = ["containers", index], str(container["name"])
            if name in seen:
                yield Problem([*path, "name"], f"{name} is taken in this pod; give it another name")
            seen.add(name)
            if follows(container) and not container.get("command"):
                yield Problem(
                    [*path, "command"],
                    "is required without image: what follows the node's version is started by a script; give its program, or an"
                    " image of its own",
                )
            for at, port in enumerate(container.get("ports", ())):
                if "hostPort" in port:
                    yield Problem(
                        [*path, "ports", at, "hostPort"], "is refused by Pod Security; leave it out, and add a Service of yours"
                    )
        for index, volume in enumerate(self.volumes):
            if volume["name"] in _OWN_VOLUMES:
                yield Problem(["volumes", index, "name"], f"{volume['name']} is taken in this pod; give it another name")


def versioned_problems(args: "BlockchainNodeSetArgs", versions: Sequence[str]) -> Iterator[Problem]:
    """Every broken rule between a set and its extra pods.

    Args:
        args: The set.
        versions: Names of its versions, as its containers have them; empty or one where nothing changes in place.
    """
    seen: set[str] = set()
    for index, pod in enumerate(args.versioned_pods):
        path: list[str | int] = ["versionedPods", index]
        if pod.name in seen:
            yield Problem([*path, "name"], f"{pod.name} is taken by another pod of the list; give it another name")
        seen.add(pod.name)
        if len(versions) > 1 and any(map(follows, pod.containers)):
            for problem in _following_problems(pod, versions, args.ports.health):
                yield Problem([*path, *problem.path], problem.message)


def _following_problems(pod: VersionedPod, versions: Sequence[str], port: int) -> Iterator[Problem]:
    """What a pod cannot have whose containers wait for their turn."""
    owners: dict[str, int | None] = {FOLLOW: None}
    for index, container in enumerate(pod.containers):
        path, name = ["containers", index], str(container["name"])
        made = [f"{name}-{version}" for version in versions] if follows(container) else [name]
        taken = next((one for one in made if owners.setdefault(one, index) != index), None)
        if taken is not None:
            yield Problem([*path, "name"], f"{taken} is a container that this pod has already; give it another name")
        longest = max(made, key=len)
        if len(longest) > names.LONGEST_LABEL:
            yield Problem(
                [*path, "name"],
                f"{longest} has {len(longest)} characters, and a container's name at most {names.LONGEST_LABEL}; shorten it",
            )
        for at, given in enumerate(container.get("ports", ())):
            if given["containerPort"] == port and given.get("protocol", "TCP") == "TCP":
                yield Problem(
                    [*path, "ports", at, "containerPort"],
                    f"{port} is that of the container {FOLLOW}; use another, or set ports.health",
                )
        for at, given in enumerate(container.get("env", ())):
            if follows(container) and given["name"] in _SCRIPT_ENV:
                yield Problem([*path, "env", at, "name"], f"{given['name']} is read by the script that waits; rename yours")
        for probe in _PROBES:
            if follows(container) and probe in container:
                yield Problem([*path, probe], "fails in a version that waits for its turn; leave it out")


def versioned_name_problems(node: str, args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Names that get too long.

    Args:
        node: The longest name of a node.
        args: Its set.
    """
    for index, pod in enumerate(args.versioned_pods):
        name = f"{node}-{pod.name}"
        if len(name) > names.LONGEST_WORKLOAD:
            yield Problem(
                ["versionedPods", index, "name"],
                f"{name} has {len(name)} characters, and its labels and host name then pass {names.LONGEST_LABEL}; shorten it to"
                f" at most {max(names.LONGEST_WORKLOAD - len(node) - 1, 0)}, or rename the set",
            )
