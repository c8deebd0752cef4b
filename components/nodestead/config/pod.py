"""What the pods of a set look like: image, container, pod, service account, probes, rollout."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.fragments import Fragment
from nodestead.config.scalars import (
    Annotations,
    DnsName,
    Duration,
    EnvName,
    Labels,
    LateEnvText,
    LateName,
    LateText,
    Percentage,
    Port,
    PortName,
)

__all__ = [
    "Container",
    "Disruption",
    "EnvFrom",
    "ExtraPort",
    "Image",
    "KeyRef",
    "Pod",
    "Probes",
    "Rollout",
    "ServiceAccount",
]


_MOVING = re.compile(r"(?:latest|stable)(?:-.*)?|nightly.*|edge|main|master")


class Image(Model):
    """A container image, pinned by tag, digest or both."""

    repository: LateText | None = Field(default=None, description="Registry and name, as in docker.io/codexstorage/nim-codex.")
    tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", description="Version of the image.")
    digest: str | None = Field(
        default=None, pattern=r"^sha256:[0-9a-f]{64}$", description="Content that the tag must still have."
    )
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    pull_secrets: tuple[DnsName, ...] = many(description="Names of Secrets with registry credentials.")
    allow_moving_tag: bool = Field(default=False, description="Accept a tag that moves (latest, stable) without a digest.")

    def over(self, below: "Image") -> "Image":
        """This image where it says something, and the one below for the rest; tag and digest belong together."""
        pinned = self if self.tag is not None or self.digest is not None else below
        given = self.model_fields_set
        return Image(
            repository=below.repository if self.repository is None else self.repository,
            tag=pinned.tag,
            digest=pinned.digest,
            pull_policy=self.pull_policy if "pull_policy" in given else below.pull_policy,
            pull_secrets=self.pull_secrets if "pull_secrets" in given else below.pull_secrets,
            allow_moving_tag=True,
        )

    def problems(self) -> Iterator[Problem]:
        """A tag that moves may bring another flavour with another env prefix overnight."""
        if isinstance(self.repository, str) and re.search(r"[:@]", self.repository.rsplit("/", 1)[-1]):
            yield Problem(
                ["repository"],
                f"{self.repository!r} has a tag or digest in it; move it to tag or digest"
                if len(self.repository) <= 80
                else "the value has a tag or digest in it; move it to tag or digest",
            )
        if self.tag and _MOVING.fullmatch(self.tag) and self.digest is None and not self.allow_moving_tag:
            yield Problem(
                ["tag"],
                f"{self.tag} moves to another version without notice; pin a version or a digest, or set allowMovingTag: true",
            )


class KeyRef(Model):
    """One entry of a Secret or ConfigMap of the same namespace."""

    name: LateName = Field(description="Name of the Secret or ConfigMap.")
    key: str = Field(pattern=r"^[-._a-zA-Z0-9]{1,253}$", description="Key of the entry.")


class EnvFrom(Model):
    """An environment variable from a Secret or a ConfigMap."""

    secret: KeyRef | None = None
    config_map: KeyRef | None = None

    def problems(self) -> Iterator[Problem]:
        """One source, not two and not none."""
        if (self.secret is None) == (self.config_map is None):
            yield Problem([], "an environment variable has one source; give either secret or configMap")


class ExtraPort(Model):
    """A port of the container beside those of the software; `service: true` puts it on the node's Service."""

    name: PortName
    port: Port
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    service: bool = True


class Probes(Model):
    """Probes of the node. Each can be replaced by a probe of the Kubernetes API."""

    startup_timeout: Duration = Field(
        default="3h",
        description="How long the first answer may take; the API starts last, after a sync of the Ethereum provider.",
    )
    startup: Annotated[dict[str, Any], Fragment("Probe")] | None = None
    readiness: Annotated[dict[str, Any], Fragment("Probe")] | None = None
    liveness: Annotated[dict[str, Any], Fragment("Probe")] | None = None

    def problems(self) -> Iterator[Problem]:
        """A probe that asks nothing is refused by the API server."""
        for name in ("startup", "readiness", "liveness"):
            probe: dict[str, Any] | None = getattr(self, name)
            asked = [way for way in ("exec", "grpc", "httpGet", "tcpSocket") if way in (probe or ())]
            if probe is not None and len(asked) != 1:
                yield Problem(
                    [name], f"asks in {len(asked)} ways; it replaces the whole probe, give one of exec, grpc, httpGet, tcpSocket"
                )
            if probe is not None and name != "readiness" and probe.get("successThreshold", 1) != 1:
                yield Problem(
                    [name, "successThreshold"], "only a readiness probe may ask for more than one success; leave it out"
                )


class Container(Model):
    """The node's container."""

    command: tuple[str, ...] = many(
        description="Replaces the start script; the address and bootstrap that it adds are then yours to add."
    )
    args: tuple[str, ...] = many(description="Arguments after those that the software needs.")
    env: dict[EnvName, LateEnvText | EnvFrom] = Field(
        default_factory=dict, description="Environment: a text, or an entry of a Secret or ConfigMap."
    )
    env_from: tuple[Annotated[dict[str, Any], Fragment("EnvFromSource")], ...] = many()
    resources: Annotated[dict[str, Any], Fragment("ResourceRequirements")] = Field(
        default={"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        description="Requests and limits. No CPU limit by default: it would throttle the one main loop, and so the probes.",
    )
    security_context: Annotated[dict[str, Any], Fragment("SecurityContext")] = Field(
        default_factory=dict, description="Merged over the restricted default."
    )
    lifecycle: Annotated[dict[str, Any], Fragment("Lifecycle")] | None = None
    volume_mounts: tuple[Annotated[dict[str, Any], Fragment("VolumeMount")], ...] = many()
    ports: tuple[ExtraPort, ...] = many()
    probes: Probes = Probes()


class Pod(Model):
    """What surrounds the node's container."""

    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    security_context: Annotated[dict[str, Any], Fragment("PodSecurityContext")] = Field(
        default_factory=dict,
        description="Merged over the default: user, group and fsGroup 1000, no root, RuntimeDefault seccomp.",
    )
    node_selector: Labels = Field(default_factory=dict)
    tolerations: tuple[Annotated[dict[str, Any], Fragment("Toleration")], ...] = many()
    affinity: Annotated[dict[str, Any], Fragment("Affinity")] | None = None
    topology_spread: tuple[Annotated[dict[str, Any], Fragment("TopologySpreadConstraint")], ...] | None = Field(
        default=None,
        strict=False,
        description="Replaces the default, which spreads the nodes of the set over hosts where it can; without a"
        " labelSelector a constraint is for the nodes of the set.",
    )
    priority_class_name: LateName | None = None
    runtime_class_name: LateName | None = None
    termination_grace_period: Duration = Field(default="120s", description="Time to close the database before the kill.")
    init_containers: tuple[Annotated[dict[str, Any], Fragment("Container")], ...] = many()
    extra_containers: tuple[Annotated[dict[str, Any], Fragment("Container")], ...] = many()
    volumes: tuple[Annotated[dict[str, Any], Fragment("Volume")], ...] = many()
    host_aliases: tuple[Annotated[dict[str, Any], Fragment("HostAlias")], ...] = many()
    dns_config: Annotated[dict[str, Any], Fragment("PodDNSConfig")] | None = None


class ServiceAccount(Model):
    """The account that the pods run as, and what it may do."""

    create: bool = True
    name: LateName | None = Field(default=None, description="Name; with create false an existing account.")
    annotations: Annotations = Field(default_factory=dict, description="For example for a cloud's workload identity.")
    rules: tuple[Annotated[dict[str, Any], Fragment("PolicyRule")], ...] = many(description="Rules of a Role in the namespace.")
    cluster_rules: tuple[Annotated[dict[str, Any], Fragment("PolicyRule")], ...] = many(description="Rules of a ClusterRole.")
    automount_token: bool | None = Field(
        default=None, description="Mount the token; by default only where rules or the software need it."
    )

    def problems(self) -> Iterator[Problem]:
        """An account that is not made needs a name."""
        if not self.create and self.name is None:
            yield Problem(["name"], "is required with create: false; name the account that is there")

    @property
    def mounts_token(self) -> bool:
        """Whether every container gets the token."""
        return bool(self.rules or self.cluster_rules) if self.automount_token is None else self.automount_token


class Rollout(Model):
    """How a change reaches the nodes: in batches, each of which waits until the one before is ready."""

    max_unavailable: Percentage = Field(
        default="25%", description="Nodes of one batch: a count, or a percentage rounded down, at least one."
    )
    timeout: Duration = Field(default="10m", description="How long a node may take to become ready before the update fails.")


class Disruption(Model):
    """PodDisruptionBudget of the set: how many nodes a drain may take at once."""

    enabled: bool = True
    max_unavailable: Percentage = Field(default=1, description="A count or a percentage of the nodes.")
