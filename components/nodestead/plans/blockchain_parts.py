"""Parts of a set of blockchain nodes: network, peers, probes, Services, volumes, containers, what single nodes have otherwise."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag

from nodestead.config.base import Deferred, Model, Problem, many
from nodestead.config.chain_routes import RouteHosts, Routes
from nodestead.config.fragments import Fragment
from nodestead.config.p2p import ChainPorts
from nodestead.config.persistence import EphemeralData, ExistingClaim, VolumeData
from nodestead.config.pod import EnvFrom, ExtraPort, Image, Pod, Rollout
from nodestead.config.scalars import (
    Annotations,
    DnsLabel,
    Duration,
    EnvName,
    Labels,
    LateDialAddress,
    LateEnvText,
    LateName,
    NodeId,
    Peer,
    Size,
)
from nodestead.software.cometbft import CometbftChain
from nodestead.software.cosmos import CosmosChain

__all__ = [
    "AGENT_IMAGE",
    "BlockchainSoftware",
    "ChainContainer",
    "ChainNodeOverride",
    "ChainPersistence",
    "ChainPod",
    "ChainPorts",
    "ChainProbes",
    "ChainRollout",
    "ChainVolume",
    "LocalNetwork",
    "Network",
    "PeerSet",
    "PeerSource",
    "PeerStack",
    "Peers",
    "PeersFrom",
    "PublicNetwork",
    "RouteHosts",
    "Routes",
    "RpcService",
]

# A new software is one file and one line here.
BlockchainSoftware = Annotated[CosmosChain | CometbftChain, Field(discriminator="kind")]

AGENT_IMAGE = Image(repository="docker.io/library/python", tag="3.13-slim-bookworm")
"""Runs what prepares and watches a node: Debian's image of Python, which has libzstd and liblz4 too, as apt needs them."""


class PublicNetwork(Model):
    """A network that is there: the nodes join it."""

    kind: Literal["public"] = "public"


class LocalNetwork(Model):
    """A closed network of the set's own: genesis, validator keys and first transactions come from the set's seed."""

    kind: Literal["local"]
    validators: int = Field(default=4, ge=1, le=100, description="The first so many nodes of the set are its validators.")
    genesis_time: str = Field(
        default="2024-01-01T00:00:00Z",
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        description="Time of the genesis, in the past; part of its hash.",
    )
    stake: int = Field(
        default=100_000_000, ge=1_000_000, le=10**18, description="What each validator stakes, in the smallest unit."
    )
    balance: int = Field(
        default=10**12, ge=1_000_000, le=10**24, description="What each validator's account holds before it stakes."
    )
    accounts: dict[str, str] = Field(
        default_factory=dict, description="More accounts: bech32 address to coins, as in 1000stake,5token."
    )
    app_state: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged over the genesis' app_state, as in `gov: {voting_params: {voting_period: 30s}}`.",
    )


Network = Annotated[PublicNetwork | LocalNetwork, Field(discriminator="kind")]


class PeerSet(Model):
    """The nodes of another set of the same stack."""

    set: DnsLabel = Field(description="Its name under blockchainNodeSets.")
    dial: bool = Field(default=True, description="Dial them, as persistent peers.")
    private: bool = Field(default=True, description="Tell nobody of them, as sentries do for a validator.")
    unconditional: bool = Field(default=True, description="Always let them connect, whatever the limits of peers say.")


class PeerStack(PeerSet):
    """The nodes of a set of another stack."""

    stack: str = Field(pattern=r"^[^\s/]+(?:/[^\s/]+){0,2}$", description="The stack, as organization/project/stack.")
    public: bool = Field(default=False, description="Dial the addresses that the nodes announce, not their Services.")


class PeerSource(Model):
    """Peers that a program gives, as the outputs of another set do."""

    peers: Annotated[
        Annotated[tuple[Peer, ...], Field(strict=False), Tag("tagged-list")] | Annotated[Deferred, Tag("tagged-late")],
        Discriminator(lambda given: "tagged-late" if isinstance(given, Deferred) else "tagged-list"),
    ] = Field(description="A list of id@host:port.")
    dial: bool = True
    private: bool = True
    unconditional: bool = True


class Peers(Model):
    """Peers beside the set's own nodes, which always know each other."""

    persistent: tuple[Peer, ...] = many(description="Nodes to stay connected to, as id@host:port.")
    seeds: Annotated[tuple[Peer, ...], Field(strict=False)] | None = Field(
        default=None, description="Nodes to ask for peers; by default those of the chain's preset."
    )
    private_ids: tuple[NodeId, ...] = many(description="Node ids that nobody is told of.")
    unconditional_ids: tuple[NodeId, ...] = many(description="Node ids that may always connect.")
    preset: bool = Field(default=True, description="Dial the persistent peers of the chain's preset too.")
    mesh: bool = Field(
        default=True, description="The set's nodes dial each other; false leaves finding each other to seeds and gossip."
    )


class ChainProbes(Model):
    """When a node counts as started, ready and alive."""

    strategy: Literal["none", "reachable", "inSync"] = Field(
        default="reachable",
        description="none: ready at once. reachable: the RPC answers. inSync: it has caught up, by block age and the height of"
        " its siblings. A node with a remote signer also counts as ready until its signer has found it for the first time.",
    )
    max_block_age: Duration = Field(default="60s", description="inSync: how old the latest block may be.")
    max_behind: int = Field(
        default=5,
        ge=1,
        description="inSync: with an older block, how many blocks the best sibling may be ahead (a chain that halts).",
    )
    startup_timeout: Duration = Field(
        default="24h", description="How long a process may take until its RPC answers: a replay or a restore of state."
    )
    dead_after: Duration = Field(
        default="5m", description="A process whose RPC answered before, and has not for so long, is started anew."
    )


class RpcService(Model):
    """The Service over all ready nodes: RPC, API, gRPC, gRPC-web."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: Annotations = Field(default_factory=dict)
    external_traffic_policy: Literal["Local", "Cluster"] | None = None
    allow_public: bool = Field(
        default=False, description="Accept a type that the world can reach: RPC and API ask nobody for a password."
    )

    def problems(self) -> Iterator[Problem]:
        """Everybody may call what asks for no password."""
        if self.type != "ClusterIP" and not self.allow_public:
            yield Problem(
                ["type"], f"{self.type} opens RPC and API to whoever reaches it; put routes before them, or set allowPublic: true"
            )
        if self.type == "ClusterIP" and self.external_traffic_policy is not None:
            yield Problem(["externalTrafficPolicy"], "is refused by the API server for a ClusterIP Service; leave it out")


class ChainVolume(VolumeData):
    """A claim of its own for each node. It is never deleted with the stack; `nodestead data` lists what is left."""

    size: Size = Field(default="500Gi", description="Size of each volume; it can grow in place, and never shrinks.")


ChainPersistence = Annotated[ChainVolume | ExistingClaim | EphemeralData, Field(discriminator="kind")]


class ChainPod(Pod):
    """What surrounds the containers of a node."""

    termination_grace_period: Duration = Field(default="5m", description="Time to close the database before the kill.")


class ChainRollout(Rollout):
    """How a change reaches the nodes: in batches, each of which waits until the one before is ready."""

    timeout: Duration = Field(default="30m", description="How long a node may take to become ready before the update fails.")


class ChainContainer(Model):
    """The container of the node's process."""

    env: dict[EnvName, LateEnvText | EnvFrom] = Field(
        default_factory=dict, description="Environment: a text, or an entry of a Secret or ConfigMap."
    )
    env_from: tuple[Annotated[dict[str, Any], Fragment("EnvFromSource")], ...] = many()
    resources: Annotated[dict[str, Any], Fragment("ResourceRequirements")] = Field(
        default={"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "16Gi"}},
        description="Requests and limits of the version that runs; those that wait ask for next to nothing.",
    )
    security_context: Annotated[dict[str, Any], Fragment("SecurityContext")] = Field(
        default_factory=dict, description="Merged over the restricted default."
    )
    lifecycle: Annotated[dict[str, Any], Fragment("Lifecycle")] | None = None
    volume_mounts: tuple[Annotated[dict[str, Any], Fragment("VolumeMount")], ...] = many()
    ports: tuple[ExtraPort, ...] = many(description="More ports, as 8545 of an EVM; service: true puts them on the RPC Service.")
    agent_image: Image = Field(
        default=AGENT_IMAGE, description="Image that prepares and watches the node: Python 3.11 or later on Debian."
    )


class ChainNodeOverride(Model):
    """What one node has that the others have not."""

    disabled: Literal["pod", "all"] | None = Field(
        default=None, description="pod stops the node; all leaves out its Services too. Claim and keys stay."
    )
    image: Image | None = Field(default=None, description="Image of the node; with versions, that of the last one.")
    size: Size | None = None
    existing_claim: LateName | None = None
    from_snapshot: LateName | None = Field(default=None, description="VolumeSnapshot that the node's new volume is made from.")
    node_selector: Labels | None = None
    external_address: LateDialAddress | None = None
    resources: Annotated[dict[str, Any], Fragment("ResourceRequirements")] | None = None
    env: dict[EnvName, LateEnvText | EnvFrom] = Field(default_factory=dict)


def _source_tag(given: Any) -> str:
    """Which source is meant, so that a refusal speaks of that one only."""
    keys: Any = cast("dict[str, Any]", given) if isinstance(given, dict) else getattr(given, "model_fields_set", ())
    model = PeerStack if "stack" in keys else PeerSource if "peers" in keys else PeerSet
    return f"tagged-{model.__name__}"


PeersFrom = Annotated[
    Annotated[PeerStack, Tag("tagged-PeerStack")]
    | Annotated[PeerSet, Tag("tagged-PeerSet")]
    | Annotated[PeerSource, Tag("tagged-PeerSource")],
    Discriminator(_source_tag),
]
