"""A set of blockchain nodes while its objects are made: what its nodes share, each made once."""

import json
from functools import cached_property, partial
from typing import Any

from nodestead.chain_keys import node_id
from nodestead.config.base import Deferred
from nodestead.config.p2p import ClusterP2p, HostPortP2p, LoadBalancerP2p
from nodestead.config.persistence import VolumeData
from nodestead.config.pod import Image
from nodestead.kubernetes import names
from nodestead.kubernetes.metadata import checksum, recommended_labels
from nodestead.kubernetes.objects import Late, PublicOf, Ref, Seed, SetPeers, StackPeers
from nodestead.kubernetes.patches import Patches
from nodestead.plans.agents import agent_scripts
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_exposure import exposed
from nodestead.plans.blockchain_key_rules import exclusive_keys
from nodestead.plans.blockchain_keys import RemoteSigner, SecretNodeKeys, SecretSigner, SeedNodeKeys
from nodestead.plans.blockchain_parts import AGENT_IMAGE, LocalNetwork, PeerSet, PeersFrom, PeerStack
from nodestead.plans.blockchain_start import ChainVersion
from nodestead.plans.blockchain_versions import preset_of, versions_of
from nodestead.software.chain_spec import ChainRole, ChainSpec, ChainType
from nodestead.software.cometbft import cometbft_spec
from nodestead.software.cosmos import CosmosChain, cosmos_spec

__all__ = ["HOME", "KEYS_DIR", "ChainSet", "Neighbours", "peer_stand_ins"]

HOME = "/home/operator"
"""HOME of the processes; the chain's home is a folder in it, as the Cosmos operator had it, so that its claims fit."""
KEYS_DIR = "/run/nodestead-keys"

Neighbours = dict[str, list[str]]
"""What stands in a rendering for the peers of each set of a stack."""

_SET = {"nodestead.io/set": "blockchain-node-set"}


def _ids(ordinals: range, generation: int, seed: str) -> list[str]:
    return [node_id(seed, ordinal, generation) for ordinal in ordinals]


class ChainSet:
    """One set: its config, its names and labels, and what its software says of its nodes."""

    def __init__(
        self, name: str, args: BlockchainNodeSetArgs, namespace: str | Deferred, neighbours: Neighbours | None = None
    ) -> None:
        self.name, self.args, self.namespace = name, args, namespace
        self.neighbours = neighbours or {}
        self.patches = Patches(args.patches)
        self.preset = preset_of(args)
        self.versions: list[ChainVersion] = versions_of(args)
        self.local = args.network if isinstance(args.network, LocalNetwork) else None
        # By list, and whether for a rendering: what it was made of, and its parts. All nodes of a full mesh share them.
        self._last_peers: dict[tuple[int, bool], tuple[tuple[Any, ...] | None, list[tuple[str, int]], list[str]]] = {}

    # ---- names and labels

    @cached_property
    def selector(self) -> dict[str, str]:
        """Labels that every pod of the set has, and no pod besides."""
        return {"app.kubernetes.io/instance": self.name, "app.kubernetes.io/part-of": "nodestead", **_SET}

    def labels(self, component: str = "chain-node") -> dict[str, str]:
        """Labels of an object of the set."""
        own = {**recommended_labels(self.args.software.kind, self.name, component), **_SET}
        return {**self.args.labels, **own}

    def node_labels(self, node: str) -> dict[str, str]:
        """Labels of an object of one node."""
        return {**self.labels(), "nodestead.io/node": node}

    def node_selector(self, node: str) -> dict[str, str]:
        """Labels that the pods of one node have, and no pod besides."""
        return {**self.selector, "nodestead.io/node": node}

    def node_name(self, ordinal: int) -> str:
        """Name of a node."""
        return names.node_name(self.name, ordinal)

    @cached_property
    def account(self) -> str | Deferred:
        """Name of the pods' service account."""
        return self.args.service_account.name or self.name

    @cached_property
    def scripts(self) -> dict[str, str]:
        """The scripts that the pods run."""
        return agent_scripts("chain_")

    @cached_property
    def agents_name(self) -> str:
        """Name of the ConfigMap with the scripts; new scripts are a new one, so that they reach each node in its batch only."""
        return f"{self.name}-agents-{checksum(repr(sorted(self.scripts.items())))}"

    # ---- software

    @cached_property
    def home(self) -> str:
        """The chain's home in a pod."""
        return f"{HOME}/{self.args.software.home}"

    def type_of(self, ordinal: int) -> ChainType:
        """What a node is: the first nodes of a local network are its validators."""
        if self.local is not None:
            return "validator" if ordinal in self.args.validators else "archive" if self.args.type == "archive" else "full"
        return self.args.type

    def role(self, ordinal: int) -> ChainRole:
        """What the set decides for a node."""
        args, ports = self.args, self.args.ports
        signer = args.effective_signer
        peers = self.peers_of(ordinal)
        return ChainRole(
            moniker=self.node_name(ordinal),
            type=self.type_of(ordinal),
            home=self.home,
            p2p_port=ports.p2p,
            rpc_port=ports.rpc,
            api_port=ports.api,
            grpc_port=ports.grpc,
            grpc_web_port=ports.grpc_web,
            metrics_port=ports.metrics,
            privval_port=ports.privval,
            persistent_peers=peers[0],
            private_peer_ids=peers[1],
            unconditional_peer_ids=peers[2],
            seeds=",".join(self.seeds),
            peers_share_address=self._shared_address,
            behind_sentries=self.shielded,
            keys_dir=KEYS_DIR,
            remote_signer=isinstance(signer, RemoteSigner),
            local=self.local is not None,
        )

    def spec(self, ordinal: int) -> ChainSpec:
        """What the software says of a node."""
        software, role = self.args.software, self.role(ordinal)
        return cosmos_spec(software, role) if isinstance(software, CosmosChain) else cometbft_spec(software, role)

    @cached_property
    def general(self) -> ChainSpec:
        """What the software says where no node is meant: names, arguments, what may not change."""
        return self.spec(self.args.first_ordinal)

    @cached_property
    def _shared_address(self) -> bool:
        exposure = self.args.exposure
        if isinstance(exposure, ClusterP2p | HostPortP2p):
            return False
        return exposure.external_traffic_policy == "Cluster"

    def image(self, override: Image | None) -> tuple[Image, tuple[str | Deferred, str | None]]:
        """A node's image over the set's, and what they go over."""
        default = self.general.image or ("", None)
        if self.preset is not None:
            default = (self.preset.repository or default[0], self.preset.recommended or default[1])
        own = self.args.image
        return (own if override is None else override.over(own)), default

    @cached_property
    def agent_image(self) -> Image:
        """The image of the agents."""
        return self.args.container.agent_image.over(AGENT_IMAGE)

    # ---- keys and peers

    @cached_property
    def generation(self) -> int:
        """Generation of the keys from the seed."""
        return self.args.keys.generation if isinstance(self.args.keys, SeedNodeKeys) else 1

    @cached_property
    def ids_ref(self) -> PublicOf:
        """The node ids of all nodes, from the seed."""
        return PublicOf(Seed(self.name), partial(_ids, self.args.ordinals(), self.generation))

    def id_stand_in(self, ordinal: int) -> str:
        """What a rendering shows for a node id: it changes with its source, and no node takes it for one."""
        return f"(node id of {self.node_name(ordinal)}, generation {self.generation})"

    def node_id(self, ordinal: int) -> str | Late:
        """The id of a node."""
        keys = self.args.keys
        if isinstance(keys, SecretNodeKeys):
            return keys.ids[str(ordinal)]
        index = ordinal - self.args.first_ordinal
        return Late.of(self.ids_ref, lambda ids: ids[index], self.id_stand_in(ordinal))

    @cached_property
    def shielded(self) -> bool:
        """Whether the nodes are validators that know nobody but their sentries: whom they dial learns where they are."""
        return self.args.type == "validator" and bool(self.args.peers_from)

    @cached_property
    def seeds(self) -> tuple[str, ...]:
        """The seed nodes: those given, else those of the preset."""
        given = self.args.peers.seeds
        if given is not None:
            return given
        return self.preset.seeds if self.preset is not None and not self.shielded else ()

    @cached_property
    def _given_peers(self) -> tuple[str, ...]:
        peers = self.args.peers
        wanted = peers.preset and not self.shielded
        of_preset = self.preset.persistent_peers if self.preset is not None and wanted else ()
        return tuple(dict.fromkeys((*of_preset, *peers.persistent)))

    @cached_property
    def _sources(self) -> list[tuple[PeersFrom, Ref | None, list[str]]]:
        """Other sets as (what the config says, where their peers come from, what stands for them in a rendering)."""
        found: list[tuple[PeersFrom, Ref | None, list[str]]] = []
        for source in self.args.peers_from:
            if isinstance(source, PeerStack):
                ref = StackPeers(source.stack, source.set, source.public)
                found.append((source, ref, [f"(peers of {source.set} in stack {source.stack})"]))
            elif isinstance(source, PeerSet):
                found.append((source, SetPeers(source.set), self.neighbours.get(source.set, [f"(peers of {source.set})"])))
            elif isinstance(source.peers, Deferred):
                found.append((source, source.peers, ["(peers given by another resource)"]))
            else:
                found.append((source, None, list(source.peers)))
        return found

    @cached_property
    def _dialled(self) -> dict[int, str]:
        """Where the set's nodes dial each of them: each of a full mesh writes all of these."""
        ordinals = [o for o in self.args.ordinals() if self.args.override(o).disabled != "all"]
        return {o: f"{names.p2p_service_name(self.node_name(o))}:{self.args.ports.p2p}" for o in ordinals}

    @cached_property
    def _own_ids(self) -> PublicOf | None:
        return None if isinstance(self.args.keys, SecretNodeKeys) else self.ids_ref

    def peers_of(self, ordinal: int) -> tuple[Any, Any, Any]:
        """persistent_peers, private_peer_ids and unconditional_peer_ids of a node, each a text or late."""
        refs = self._peer_refs

        def shown(which: int) -> str:
            return self._joined(which, ordinal, None)

        def make(which: int, *given: Any) -> str:
            return self._joined(which, ordinal, given)

        if not refs:
            return make(0), make(1), make(2)
        lates = [Late(refs, partial(make, which), partial(shown, which)) for which in range(3)]
        return lates[0], lates[1], lates[2]

    @cached_property
    def _peer_refs(self) -> tuple[Ref, ...]:
        refs: list[Ref] = [] if self._own_ids is None else [self._own_ids]
        return (*refs, *(ref for _, ref, _ in self._sources if ref is not None))

    def _joined(self, which: int, ordinal: int, given: tuple[Any, ...] | None) -> str:
        """One of the three lists of peers of a node, as all nodes have it but for the node itself."""
        last = self._last_peers.get((which, given is None))
        if last is None or not all(one is other for one, other in zip(last[0] or (), given or (), strict=True)):
            last = self._last_peers[which, given is None] = (given, *self._sorted_peers(which, given))
        _, own, others = last
        peers = [*(peer for peer, number in own if number != ordinal), *others]
        return ",".join(peers if which == 0 else dict.fromkeys(peers))

    def _sorted_peers(self, which: int, given: tuple[Any, ...] | None) -> tuple[list[tuple[str, int]], list[str]]:
        """What one of the lists has of the set's nodes, with their numbers, and of others.

        Each sorted, as the Cosmos operator had them, so that equal sets are equal texts.

        Args:
            which: 0 for persistent_peers, 1 for private_peer_ids, 2 for unconditional_peer_ids.
            given: What the refs are; None for what stands in a rendering.
        """
        peers, first, rest = self.args.peers, self.args.first_ordinal, list(given or ())
        if self._own_ids is None:
            known = {o: str(self.node_id(o)) for o in self._dialled}
        elif given is None:
            known = {o: self.id_stand_in(o) for o in self._dialled}
        else:
            ids = rest.pop(0)
            known = {o: ids[o - first] for o in self._dialled}
        lists = [shown if ref is None or given is None else rest.pop(0) for _, ref, shown in self._sources]
        if which == 0:
            mesh = [(f"{known[o]}@{address}", o) for o, address in self._dialled.items()] if peers.mesh else []
            dialled = [one for (source, _, _), items in zip(self._sources, lists, strict=True) if source.dial for one in items]
            return sorted(mesh), [*sorted(dialled), *self._given_peers]
        field, more = ("private", peers.private_ids) if which == 1 else ("unconditional", peers.unconditional_ids)
        others = [
            one.partition("@")[0]
            for (source, _, _), items in zip(self._sources, lists, strict=True)
            if getattr(source, field)
            for one in items
        ]
        return sorted((known[o], o) for o in self._dialled), [*sorted(others), *more]

    def own_peers(self) -> Any:
        """How other sets dial the nodes inside the cluster: a list, plain or late."""
        args = self.args
        ordinals = [o for o in args.ordinals() if args.override(o).disabled != "all"]
        services = [f"{names.p2p_service_name(self.node_name(o))}" for o in ordinals]

        def dialled(ids: list[str], where: str) -> list[str]:
            suffix = f".{where}" if where else ""
            return [f"{one}@{service}{suffix}:{args.ports.p2p}" for one, service in zip(ids, services, strict=True)]

        if isinstance(args.keys, SecretNodeKeys):
            ids = [args.keys.ids[str(o)] for o in ordinals]
            if isinstance(self.namespace, str):
                return dialled(ids, self.namespace)
            return Late.of(self.namespace, lambda where: dialled(ids, where), dialled(ids, "(namespace)"))
        first = args.first_ordinal
        where = self.namespace if isinstance(self.namespace, str) else "(namespace)"
        shown = dialled([self.id_stand_in(o) for o in ordinals], where)
        if isinstance(self.namespace, str):
            here = self.namespace
            return Late.of(self.ids_ref, lambda ids: dialled([ids[o - first] for o in ordinals], here), shown)

        def placed(ids: list[str], where: str) -> list[str]:
            return dialled([ids[o - first] for o in ordinals], where)

        return Late((self.ids_ref, self.namespace), placed, shown)

    # ---- what may not change

    @cached_property
    def unchangeable(self) -> dict[str, Any]:
        """What may not change under kept data, by its path in the config."""
        kept: dict[str, Any] = {
            "software.kind": self.args.software.kind,
            "software.home": self.args.software.home,
            "network.kind": self.args.network.kind,
            "firstOrdinal": self.args.first_ordinal,
            **{f"software.{key}": value for key, value in self.general.unchangeable.items()},
        }
        if self.local is not None:
            # All of it is in the hash of the genesis.
            local, software = self.local, self.args.software
            kept |= {
                "software.denom": software.known("denom") if isinstance(software, CosmosChain) else None,
                "software.addressPrefix": software.known("prefix") if isinstance(software, CosmosChain) else None,
                "network.validators": local.validators,
                "network.genesisTime": local.genesis_time,
                "network.stake": local.stake,
                "network.balance": str(local.balance),
                "network.accounts": json.dumps(local.accounts, sort_keys=True),
                "network.appState": json.dumps(local.app_state, sort_keys=True),
                "keys.generation": self.generation,
            }
        if isinstance(self.namespace, str):
            kept["namespace"] = self.namespace
        persistence = self.args.persistence
        if isinstance(persistence, VolumeData):
            # The API server refuses them of a claim that is there, in the middle of an update.
            kept["persistence.accessModes"] = ", ".join(self.access_modes)
            if not isinstance(persistence.storage_class, Deferred):
                kept["persistence.storageClass"] = persistence.storage_class
        for ordinal, address in exclusive_keys(self.args).items():
            # Two updates move a key, for in one the next holder may start before the last has ended.
            kept[f"signer.addresses.{address}"] = self.node_name(ordinal)
            kept["persistence.kind"] = persistence.kind
            claim = self.args.override(ordinal).existing_claim or getattr(persistence, "claim", None)
            if claim is None or isinstance(claim, str):
                kept[f"nodes.{ordinal}.existingClaim"] = claim
        return kept

    @cached_property
    def access_modes(self) -> tuple[str, ...]:
        """The access modes of the claims; those of a validator with a key refuse a second pod, unless something else is said."""
        persistence = self.args.persistence
        if not isinstance(persistence, VolumeData):
            return ()
        signs = isinstance(self.args.effective_signer, SecretSigner) and "access_modes" not in persistence.model_fields_set
        return ("ReadWriteOncePod",) if signs else persistence.access_modes

    def is_exposed(self, ordinal: int) -> bool:
        """Whether peers outside the cluster dial a node."""
        return exposed(self.args, ordinal)

    @property
    def balanced(self) -> bool:
        """Whether each exposed node has a load balancer of its own."""
        return isinstance(self.args.exposure, LoadBalancerP2p)


def peer_stand_ins(name: str, args: BlockchainNodeSetArgs, namespace: str | Deferred) -> list[str]:
    """What stands for a set's peers in the rendering of its neighbours: it changes as their number and keys do."""
    peers = ChainSet(name, args, namespace).own_peers()
    return list(peers.stand_in if isinstance(peers, Late) else peers)
