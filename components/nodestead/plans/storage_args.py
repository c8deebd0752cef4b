"""What a user may write of a group of storage nodes."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.api_access import ApiAccess
from nodestead.config.base import Model, Problem
from nodestead.config.exposure import ClusterExposure, Exposure
from nodestead.config.monitoring import Monitoring
from nodestead.config.network import NetworkPolicyConfig
from nodestead.config.persistence import Persistence, VolumeData
from nodestead.config.pod import Container, Disruption, Image, Pod, Rollout, ServiceAccount
from nodestead.config.scalars import Labels, NumberedKeys
from nodestead.plans.storage_parts import (
    Bootstrap,
    Keys,
    NodeOverride,
    OwnBootstrap,
    Ports,
    SecretKeys,
    SeedKeys,
    StorageSoftware,
)
from nodestead.plans.storage_rules import group_problems
from nodestead.software.codex import CodexFamily

__all__ = ["StorageNodeGroupArgs"]

_NO_OVERRIDE = NodeOverride()


class StorageNodeGroupArgs(Model):
    """A group of storage nodes of one software."""

    software: StorageSoftware
    replicas: int = Field(
        default=1, ge=0, le=20_000, description="How many nodes, bootstrap nodes of the group's own not counted."
    )
    first_ordinal: int = Field(default=1, ge=0, le=100_000, description="Number of the first node.")
    prettify: bool = Field(default=False, description="Call an only node codex instead of codex-1; growing then renames it.")
    prettify_services: bool = Field(default=True, description="Call Services codex-1-service instead of codex-1-1-service.")
    layout: Literal["perNode", "pooled"] = Field(
        default="perNode",
        description="perNode: objects of its own for each node. pooled: one StatefulSet for all, for very many like nodes.",
    )
    image: Image = Image()
    exposure: Exposure = ClusterExposure()
    bootstrap: Bootstrap = OwnBootstrap()
    keys: Keys | None = Field(
        default=None, description="Ethereum keys; with a marketplace the group's seed makes them by default."
    )
    persistence: Persistence = VolumeData()
    ports: Ports = Ports()
    api: ApiAccess | None = Field(
        default=None, description="The way to the API from outside the cluster; by default there is none."
    )
    container: Container = Container()
    pod: Pod = Pod()
    service_account: ServiceAccount = ServiceAccount()
    rollout: Rollout = Rollout()
    disruption: Disruption = Disruption()
    network_policy: NetworkPolicyConfig = NetworkPolicyConfig()
    monitoring: Monitoring | None = Field(default=None, description="PodMonitor, alerts and dashboard; {} for all of them.")
    labels: Labels = Field(default_factory=dict, description="Labels of every object.")
    nodes: Annotated[dict[str, NodeOverride], NumberedKeys] = Field(
        default_factory=dict, description="What single nodes have otherwise, by their number."
    )
    patches: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict, description="Last word over any object, by kind and name ('*' for all of the kind)."
    )

    def problems(self) -> Iterator[Problem]:
        """The rules between the parts of a group."""
        yield from group_problems(self)

    def ordinals(self) -> range:
        """The numbers of the nodes."""
        return range(self.first_ordinal, self.first_ordinal + self.replicas)

    def override(self, ordinal: int) -> NodeOverride:
        """What a node has that the others have not."""
        return self.nodes.get(str(ordinal)) or _NO_OVERRIDE

    @property
    def effective_keys(self) -> SeedKeys | SecretKeys | None:
        """Where the Ethereum keys come from; None for nodes without."""
        if self.keys is None and isinstance(self.software, CodexFamily) and self.software.marketplace is not None:
            return SeedKeys()
        return self.keys

    @property
    def prettified(self) -> bool:
        """Whether the only node goes without a number."""
        return self.prettify and self.replicas == 1 and self.layout == "perNode"

    @property
    def own_bootstrap(self) -> int:
        """How many bootstrap nodes the group runs itself."""
        return self.bootstrap.nodes if isinstance(self.bootstrap, OwnBootstrap) else 0
