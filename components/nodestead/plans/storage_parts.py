"""Parts of a group of storage nodes: its software, where peers come from, keys, ports, and what single nodes have otherwise."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model
from nodestead.config.exposure import AnnouncedAddress
from nodestead.config.fragments import Fragment
from nodestead.config.keys import FromSeed
from nodestead.config.pod import EnvFrom, Image
from nodestead.config.scalars import (
    EntryTemplate,
    EnvName,
    Labels,
    LateEnvText,
    LateName,
    LateNameTemplate,
    Port,
    Size,
    Spr,
)
from nodestead.software.codex import CodexFamily
from nodestead.software.custom import CustomStorage

__all__ = [
    "Bootstrap",
    "GivenSprs",
    "Keys",
    "NamedNetwork",
    "NoBootstrap",
    "NodeOverride",
    "OwnBootstrap",
    "Ports",
    "SecretKeys",
    "SeedKeys",
    "StorageSoftware",
    "filled",
]

# A new software is one file and one line here.
StorageSoftware = Annotated[CodexFamily | CustomStorage, Field(discriminator="kind")]


class OwnBootstrap(Model):
    """Bootstrap nodes that the group runs itself; the others fetch their peer records when they start."""

    kind: Literal["own"] = "own"
    nodes: int = Field(default=1, ge=1, le=9, description="How many.")


class GivenSprs(Model):
    """Peer records of nodes that run elsewhere."""

    kind: Literal["sprs"]
    sprs: tuple[Spr, ...] = Field(strict=False, min_length=1)


class NamedNetwork(Model):
    """A public network that the software knows by name."""

    kind: Literal["network"]
    name: str = Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", description="For example testnet, or logos.test.")


class NoBootstrap(Model):
    """No peers to start from: others must dial these nodes."""

    kind: Literal["none"]


Bootstrap = Annotated[OwnBootstrap | GivenSprs | NamedNetwork | NoBootstrap, Field(discriminator="kind")]


class SeedKeys(FromSeed):
    """An Ethereum key for each node, made from the group's seed; the addresses are outputs."""


class SecretKeys(Model):
    """An Ethereum key for each node from a Secret of yours."""

    kind: Literal["secret"]
    name: LateNameTemplate = Field(
        description="Name of the Secret. <replica> and <pod> stand for the node's number and its pod's."
    )
    key: EntryTemplate = Field(
        default="CODEX_ETH_PRIVATE_KEY-<replica>-<pod>",
        description="Its entry for a node. <replica> and <pod> stand for the node's number and its pod's.",
    )


Keys = Annotated[SeedKeys | SecretKeys, Field(discriminator="kind")]


class Ports(Model):
    """Ports of the pod that are not for peers."""

    api: Port = 8080
    metrics: Port = 8008


class NodeOverride(Model):
    """What one node has that the others have not."""

    disabled: bool = Field(default=False, description="Stop the node; its claim, key and Services stay.")
    image: Image | None = None
    size: Size | None = None
    existing_claim: LateName | None = None
    from_snapshot: LateName | None = Field(default=None, description="VolumeSnapshot that the node's new volume is made from.")
    node_selector: Labels | None = None
    external_address: AnnouncedAddress | None = None
    resources: Annotated[dict[str, Any], Fragment("ResourceRequirements")] | None = None
    env: dict[EnvName, LateEnvText | EnvFrom] = Field(default_factory=dict)


def filled(template: str, replica: int, pod: int, *, prettified: bool = False) -> str:
    """A Secret's name or key for a node; the only, prettified node has no number of its own, as in the chart."""
    if prettified:
        template = re.sub(r"<replica>-?", "", template)
    return template.replace("<replica>", str(replica)).replace("<pod>", str(pod))
