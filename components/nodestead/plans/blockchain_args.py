"""What a user may write of a set of blockchain nodes."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.monitoring import Monitoring
from nodestead.config.network import NetworkPolicyConfig
from nodestead.config.p2p import ClusterP2p, P2pExposure
from nodestead.config.pod import Disruption, Image, ServiceAccount
from nodestead.config.scalars import Labels, NumberedKeys
from nodestead.plans.blockchain_keys import ChainKeys, NoSigner, RemoteSigner, SecretSigner, SeedNodeKeys, Signer
from nodestead.plans.blockchain_parts import (
    BlockchainSoftware,
    ChainContainer,
    ChainNodeOverride,
    ChainPersistence,
    ChainPod,
    ChainPorts,
    ChainProbes,
    ChainRollout,
    ChainVolume,
    LocalNetwork,
    Network,
    Peers,
    PeersFrom,
    PublicNetwork,
    Routes,
    RpcService,
)
from nodestead.plans.blockchain_rules import set_problems
from nodestead.plans.blockchain_start import AddressBook, Genesis, Snapshot, StateSync, Versions
from nodestead.plans.blockchain_versioned import VersionedPod
from nodestead.software.chain_spec import ChainType

__all__ = ["BlockchainNodeSetArgs"]

_NO_OVERRIDE = ChainNodeOverride()


class BlockchainNodeSetArgs(Model):
    """A set of nodes of one chain."""

    software: BlockchainSoftware
    type: ChainType = Field(
        default="full",
        description="full: serves RPC. sentry: shields validators; listens for a remote signer. validator: signs, by a key or a"
        " remote signer. seed: crawls and tells of peers. archive: keeps every state. Data stays when it changes.",
    )
    replicas: int = Field(default=1, ge=0, le=1_000, description="How many nodes.")
    first_ordinal: int = Field(default=0, ge=0, le=100_000, description="Number of the first node.")
    network: Network = PublicNetwork()
    image: Image = Image()
    versions: Versions | None = Field(
        default=None,
        description="Binaries by height, ascending: a node runs the one that its data is for, and goes on to the next by itself.",
    )
    peers: Peers = Peers()
    peers_from: tuple[PeersFrom, ...] = many(description="Other sets whose nodes are peers of each node.")
    exposure: P2pExposure = ClusterP2p()
    keys: ChainKeys = SeedNodeKeys()
    signer: Signer | None = Field(
        default=None, description="Who signs blocks: required for a validator; a sentry waits for a remote signer by default."
    )
    genesis: Genesis | None = Field(default=None, description="Where the genesis comes from; by default the chain's preset.")
    address_book: AddressBook | None = None
    snapshot: Snapshot | None = Field(default=None, description="Archive of the data that a new node starts from.")
    state_sync: StateSync | None = Field(default=None, description="A new node takes the state from peers.")
    persistence: ChainPersistence = ChainVolume()
    ports: ChainPorts = ChainPorts()
    probes: ChainProbes = ChainProbes()
    rpc_service: RpcService = RpcService()
    routes: Routes | None = Field(default=None, description="Ways to RPC, API and gRPC from outside; by default there is none.")
    container: ChainContainer = ChainContainer()
    pod: ChainPod = ChainPod()
    versioned_pods: tuple[VersionedPod, ...] = many(
        description="Extra pods for each node, of the image that the node runs: they change versions with it."
    )
    service_account: ServiceAccount = ServiceAccount()
    rollout: ChainRollout = ChainRollout()
    disruption: Disruption = Disruption()
    network_policy: NetworkPolicyConfig = NetworkPolicyConfig()
    monitoring: Monitoring | None = Field(default=None, description="PodMonitor, alerts and dashboard; {} for all of them.")
    labels: Labels = Field(default_factory=dict, description="Labels of every object.")
    nodes: Annotated[dict[str, ChainNodeOverride], NumberedKeys] = Field(
        default_factory=dict, description="What single nodes have otherwise, by their number."
    )
    patches: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict, description="Last word over any object, by kind and name ('*' for all of the kind)."
    )

    def problems(self) -> Iterator[Problem]:
        """The rules between the parts of a set."""
        yield from set_problems(self)

    def ordinals(self) -> range:
        """The numbers of the nodes."""
        return range(self.first_ordinal, self.first_ordinal + self.replicas)

    def override(self, ordinal: int) -> ChainNodeOverride:
        """What a node has that the others have not."""
        return self.nodes.get(str(ordinal)) or _NO_OVERRIDE

    @property
    def validators(self) -> range:
        """The nodes of a local network that have a generated consensus key; empty otherwise."""
        count = min(self.network.validators, self.replicas) if isinstance(self.network, LocalNetwork) else 0
        return range(self.first_ordinal, self.first_ordinal + count)

    @property
    def effective_signer(self) -> SecretSigner | RemoteSigner | NoSigner:
        """Who signs: what is said, and for a sentry a remote signer."""
        if self.signer is None:
            return RemoteSigner.model_validate({"kind": "remote"}) if self.type == "sentry" else NoSigner(kind="none")
        return self.signer
