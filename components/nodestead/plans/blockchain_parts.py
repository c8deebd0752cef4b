"""Parts of a set of blockchain nodes: peers, keys, how data comes to a new node, versions, ports, ways in."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, SecretStr, Tag

from nodestead.config.base import Deferred, Model, Problem, many
from nodestead.config.chain_routes import RouteHosts, Routes
from nodestead.config.fragments import Fragment
from nodestead.config.p2p import ChainPorts
from nodestead.config.persistence import EphemeralData, ExistingClaim, VolumeData
from nodestead.config.pod import EnvFrom, ExtraPort, Image, KeyRef, Pod, Rollout
from nodestead.config.scalars import (
    Annotations,
    DnsLabel,
    Duration,
    EntryTemplate,
    EnvName,
    Labels,
    LateDialAddress,
    LateEnvText,
    LateName,
    LateNameTemplate,
    LateText,
    NodeId,
    NumberedKeys,
    Peer,
    SecretText,
    Size,
    Url,
)
from nodestead.software.cometbft import CometbftChain
from nodestead.software.cosmos import CosmosChain

__all__ = [
    "AGENT_IMAGE",
    "AddressBook",
    "BlockchainSoftware",
    "ChainContainer",
    "ChainKeys",
    "ChainNodeOverride",
    "ChainPersistence",
    "ChainPod",
    "ChainPorts",
    "ChainProbes",
    "ChainRollout",
    "ChainVersion",
    "ChainVolume",
    "Download",
    "Genesis",
    "InlineText",
    "LocalNetwork",
    "Network",
    "NoSigner",
    "PeerSet",
    "PeerSource",
    "PeerStack",
    "Peers",
    "PeersFrom",
    "PresetVersions",
    "PublicNetwork",
    "RemoteSigner",
    "RouteHosts",
    "Routes",
    "RpcService",
    "Script",
    "SecretNodeKeys",
    "SecretSigner",
    "SeedNodeKeys",
    "Signer",
    "Snapshot",
    "StateSync",
    "VersionImage",
    "Versions",
    "suffix_problem",
    "url_problems",
]

# A new software is one file and one line here.
BlockchainSoftware = Annotated[CosmosChain | CometbftChain, Field(discriminator="kind")]

AGENT_IMAGE = Image(repository="docker.io/library/python", tag="3.13-slim-bookworm")
"""Runs what prepares and watches a node: Debian's image of Python, which has libzstd and liblz4 too, as apt needs them."""

_SHA256 = r"^[0-9a-f]{64}$"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.gzip", ".tar.lz4", ".tar.zst")
_GENESIS = (".json", ".json.gz", ".tar", ".tar.gz", ".tgz", ".tar.gzip", ".zip", "/genesis")


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


class SeedNodeKeys(Model):
    """A node key for each node, made from the set's seed; the node ids are outputs."""

    kind: Literal["seed"] = "seed"
    generation: int = Field(default=1, ge=1, description="Raise it to rotate all keys; the old Secrets stay.")
    seed: SecretText | None = Field(
        default=None,
        description="64 hexadecimal digits, to restore a seed from its backup; by default one is made and kept in the state.",
    )

    def problems(self) -> Iterator[Problem]:
        """A seed that is none would be told by the cluster, one Secret after the other."""
        if isinstance(self.seed, SecretStr) and not re.fullmatch(r"[0-9a-fA-F]{64}", self.seed.get_secret_value()):
            yield Problem(["seed"], "the value is not 64 hexadecimal digits; give the seed as it was backed up")


class SecretNodeKeys(Model):
    """A node key for each node from a Secret of yours, whose entries are node_key.json files."""

    kind: Literal["secret"]
    name: LateNameTemplate = Field(description="Name of the Secret. <replica> stands for the node's number.")
    key: EntryTemplate = Field(
        default="node_key-<replica>.json", description="Its entry for a node. <replica> stands for the node's number."
    )
    ids: Annotated[dict[str, NodeId], NumberedKeys] = Field(
        description="Node number to its node id, as `show-node-id` prints it; peers have to know it, and Secrets are not read."
    )


ChainKeys = Annotated[SeedNodeKeys | SecretNodeKeys, Field(discriminator="kind")]


class SecretSigner(Model):
    """A consensus key from a Secret of yours; its entry is a priv_validator_key.json."""

    kind: Literal["secret"]
    name: LateNameTemplate = Field(description="Name of the Secret. <replica> stands for the node's number.")
    key: EntryTemplate = Field(
        default="priv_validator_key.json", description="Its entry. <replica> stands for the node's number."
    )
    addresses: Annotated[dict[str, str], NumberedKeys] = Field(
        default_factory=dict,
        description="Node number to the consensus address (40 hexadecimal digits), for every node: by it the key is held once,"
        " whatever Secret it is in.",
    )

    def problems(self) -> Iterator[Problem]:
        """An address is the first 20 bytes of a hash."""
        owners: dict[str, str] = {}
        for node, address in self.addresses.items():
            if not re.fullmatch(r"[0-9A-Fa-f]{40}", address):
                yield Problem(
                    ["addresses", node],
                    f"{address[:80]!r} is not 40 hexadecimal digits; give the address as priv_validator_key.json has it",
                )
            owner = owners.setdefault(address.upper(), node)
            if owner != node:
                yield Problem(
                    ["addresses", node],
                    f"{address} is that of node {owner} already; one key on two nodes signs twice, give each its own",
                )


class RemoteSigner(Model):
    """The node waits for a remote signer (horcrux, tmkms) to connect, and has no consensus key."""

    kind: Literal["remote"]
    from_: tuple[Annotated[dict[str, Any], Fragment("NetworkPolicyPeer")], ...] = Field(
        default=(),
        alias="from",
        strict=False,
        description="Who may connect, as a NetworkPolicy names them; by default pods of the namespace with the label"
        ' nodestead.io/signer: "true".',
    )
    start_delay: Duration | Literal["0s"] = Field(
        default="10s", description="Wait before the node starts: without a signer it ends after three seconds."
    )


class NoSigner(Model):
    """No signer: a sentry that only shields."""

    kind: Literal["none"]


Signer = Annotated[SecretSigner | RemoteSigner | NoSigner, Field(discriminator="kind")]


def _path_of(url: str) -> str:
    return re.split(r"[?#]", url, maxsplit=1)[0].lower()


class Download(Model):
    """A file behind a URL."""

    kind: Literal["url"]
    url: Url | None = Field(default=None, description="Its kind is told by the end of its path; it lies readable in a ConfigMap.")
    url_from: KeyRef | None = Field(
        default=None, description="Entry of a Secret with the URL, where that holds a password or a token."
    )
    sha256: str | None = Field(default=None, pattern=_SHA256, description="What it must hash to.")

    def problems(self) -> Iterator[Problem]:
        """One URL, and no secret in one that everybody reads."""
        if (self.url is None) == (self.url_from is None):
            yield Problem(["url"], "give either url or urlFrom")
        yield from url_problems(["url"], self.url, "use urlFrom instead")


def url_problems(path: list[str | int], url: Any, remedy: str) -> Iterator[Problem]:
    """A URL that a ConfigMap holds and the nodes read by HTTP."""
    if not isinstance(url, str):
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        yield Problem(path, f"{parts.scheme}: is not read; write http or https")
    if parts.username is not None or parts.password is not None:
        yield Problem(path, f"has a user or a password in it, and would lie readable in a ConfigMap; {remedy}")


class Script(Model):
    """A shell script that makes it, run in the agent's image, aside from the home until it has ended well."""

    kind: Literal["script"]
    script: str = Field(
        min_length=1,
        description="It writes the file $GENESIS_FILE or $ADDRBOOK_FILE, or fills the folder $RESTORE_DIR with a snapshot.",
    )
    env: dict[EnvName, LateEnvText | EnvFrom] = Field(
        default_factory=dict, description="Environment of the preparation: a text, or an entry of a Secret or ConfigMap."
    )


class InlineText(Model):
    """The text itself; a ConfigMap holds it, so at most 900 kB."""

    kind: Literal["inline"]
    text: str = Field(min_length=2, max_length=900_000)


class BinaryDefault(Model):
    """What the binary's `init` makes."""

    kind: Literal["default"]


Genesis = Annotated[Download | Script | InlineText | BinaryDefault, Field(discriminator="kind")]
AddressBook = Annotated[Download | Script, Field(discriminator="kind")]
Snapshot = Annotated[Download | Script, Field(discriminator="kind")]


def suffix_problem(source: Any, *, genesis: bool = False) -> Iterator[Problem]:
    """A download whose kind nothing tells."""
    allowed = _GENESIS if genesis else _ARCHIVES
    if isinstance(source, Download) and isinstance(source.url, str) and not _path_of(source.url).endswith(allowed):
        yield Problem(
            ["url"], f"the path ends in none of {', '.join(allowed)}; give a URL whose path tells the kind, or use kind: script"
        )


class StateSync(Model):
    """A new node asks its peers for a snapshot of the state; only a node without data does."""

    rpc_servers: tuple[Url, ...] = many(description="At least two RPC servers of the chain, to verify against.")
    siblings: bool = Field(default=False, description="Use the other nodes of the set instead.")
    trust_height: int | None = Field(default=None, ge=1)
    trust_hash: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{64}$", description="Hash of the block at trustHeight.")
    trust_servers: bool = Field(
        default=False, description="Ask the servers for height and hash when the node starts, and believe them where they agree."
    )
    trust_offset: int = Field(default=1000, ge=1, description="Blocks below the latest one to trust, with trustServers.")

    def problems(self) -> Iterator[Problem]:
        """A light client needs something to believe and somebody to ask."""
        for index, server in enumerate(self.rpc_servers):
            yield from url_problems(["rpcServers", index], server, "name a server that asks for none")
        if self.siblings and self.rpc_servers:
            yield Problem(["rpcServers"], "goes with siblings no more; give one of them")
        if not self.siblings and len(self.rpc_servers) < 2:
            yield Problem(
                ["rpcServers"], f"has {len(self.rpc_servers)} entries; name at least two servers, or set siblings: true"
            )
        given = (self.trust_height is not None) + (self.trust_hash is not None)
        if given == 1:
            yield Problem(
                ["trustHash" if self.trust_hash is None else "trustHeight"], "is missing; give height and hash together"
            )
        if given == 0 and not (self.trust_servers or self.siblings):
            yield Problem(
                ["trustHeight"],
                "there is nothing to trust; give trustHeight and trustHash from a source of yours, or set trustServers: true",
            )
        if given and self.trust_servers:
            yield Problem(["trustServers"], "goes with trustHeight no more; give one of them")


class VersionImage(Model):
    """The image of a version; what it does not say is the set's."""

    repository: LateText | None = None
    tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    allow_moving_tag: bool = Field(default=False, description="Accept a tag that moves (latest, stable) without a digest.")

    def problems(self) -> Iterator[Problem]:
        """A version is told by tag or digest."""
        if self.tag is None and self.digest is None:
            yield Problem(["tag"], "is required, or digest: a version is an image of its own; add it")
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        yield from Image.model_construct(**fields).problems()

    def image(self) -> Image:
        """As an image that goes over the set's."""
        return Image(repository=self.repository, tag=self.tag, digest=self.digest, allow_moving_tag=True)


class ChainVersion(Model):
    """A binary, and the blocks that it runs."""

    height: int = Field(ge=0, description="The first block that this version runs; that of the upgrade plan.")
    image: VersionImage
    halt_height: int | None = Field(
        default=None,
        ge=1,
        description="The last block that it commits; for upgrades that no plan on the chain stops. The next begins after it.",
    )


class PresetVersions(Model):
    """The versions of the chain's preset, each with its tag of the set's image; only where the preset knows all heights."""

    preset: Literal[True]
    since: int = Field(default=0, ge=0, description="Leave out those that ended before this height.")


def _versions_tag(given: Any) -> str:
    """Whether versions are listed or those of the preset, so that a refusal speaks of one of them only."""
    return "tagged-PresetVersions" if isinstance(given, dict | PresetVersions) else "tagged-list"


Versions = Annotated[
    Annotated[tuple[ChainVersion, ...], Field(strict=False), Tag("tagged-list")]
    | Annotated[PresetVersions, Tag("tagged-PresetVersions")],
    Discriminator(_versions_tag),
]


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
