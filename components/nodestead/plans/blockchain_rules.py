"""Rules between the parts of a set of blockchain nodes: each broken one with path, value, rule and remedy."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from nodestead.config.base import Deferred, Problem
from nodestead.config.exposure import ports_between
from nodestead.config.p2p import ClusterP2p, FixedDialAddress, HostPortP2p, LoadBalancerP2p, NodePortP2p
from nodestead.config.persistence import EphemeralData, ExistingClaim, VolumeData
from nodestead.config.pod import Image
from nodestead.kubernetes import names
from nodestead.plans.blockchain_exclusive import chain_id_of, claim_problems, shared_address_problems
from nodestead.plans.blockchain_keys import NoSigner, RemoteSigner, SecretNodeKeys, SecretSigner
from nodestead.plans.blockchain_parts import BlockchainSoftware, LocalNetwork, PeerSet, PeerStack
from nodestead.plans.blockchain_pod_rules import pod_problems
from nodestead.plans.blockchain_start import BinaryDefault, ChainVersion, InlineText, PresetVersions, suffix_problem
from nodestead.plans.blockchain_versioned import versioned_name_problems, versioned_problems
from nodestead.software.cosmos import CosmosChain
from nodestead.software.local_network import local_genesis
from nodestead.software.presets import ChainPreset

if TYPE_CHECKING:
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs

__all__ = [
    "dial_port",
    "exclusive_keys",
    "exposed",
    "genesis_facts",
    "name_problems",
    "preset_of",
    "set_problems",
    "taken_ports",
    "versions_of",
]


def set_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Every broken rule that the set's own config can tell."""
    local = isinstance(args.network, LocalNetwork)
    for problem in args.software.role_problems(args.type, local=local):
        yield Problem(["software", *problem.path], problem.message)
    yield from _node_problems(args)
    yield from _exposure_problems(args)
    yield from _port_problems(args)
    yield from _signer_problems(args)
    yield from _consensus_key_problems(args)
    yield from _network_problems(args)
    yield from _start_problems(args)
    yield from _version_problems(args)
    yield from _storage_problems(args)
    yield from shared_address_problems(args)
    yield from pod_problems(args)
    yield from versioned_problems(args, [f"h{version.height}" for version in versions_of(args)])


def preset_of(args: "BlockchainNodeSetArgs") -> ChainPreset | None:
    """The preset that the software names; None without, or where it is unknown, which the software refuses itself."""
    return args.software.chain_preset if isinstance(args.software, CosmosChain) else None


def versions_of(args: "BlockchainNodeSetArgs") -> list[ChainVersion]:
    """The versions of a set in ascending order; empty where one image runs all blocks."""
    given = args.versions
    if isinstance(given, PresetVersions):
        chain = preset_of(args)
        rows = [] if chain is None else list(chain.versions)
        first = max((index for index, row in enumerate(rows) if row.height <= given.since), default=0)
        return [
            ChainVersion.model_validate({"height": row.height if index else 0, "image": {"tag": row.tag}})
            for index, row in enumerate(rows[first:])
        ]
    return list(given or ())


def _numbers(args: "BlockchainNodeSetArgs") -> str:
    return f"{args.first_ordinal} to {args.first_ordinal + args.replicas - 1}" if args.replicas else "none"


def _node_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node, override in args.nodes.items():
        if node not in ordinals:
            yield Problem(["nodes", node], f"there is no such node; the nodes of the set are {_numbers(args)}")
        elif override.external_address is not None and not exposed(args, int(node)):
            yield Problem(
                ["nodes", node, "externalAddress"], "nobody outside reaches this node; set exposure, or leave the address out"
            )
    keys = args.keys
    if isinstance(keys, SecretNodeKeys):
        for node in sorted(ordinals - set(keys.ids), key=int):
            yield Problem(["keys", "ids"], f"node {node} has no id; add it, its peers have to know it")
        owners: dict[str, str] = {}
        for node, given in keys.ids.items():
            owner = owners.setdefault(given, node)
            if owner != node:
                yield Problem(["keys", "ids", node], f"{given} is that of node {owner} already; every node has a key of its own")
        shared = isinstance(keys.name, Deferred) or "<replica>" not in keys.name
        if len(ordinals) > 1 and shared and "<replica>" not in keys.key:
            yield Problem(["keys", "key"], f"{keys.key!r} is one entry for {len(ordinals)} nodes; put <replica> into it")
        yield from _place_problems("keys", keys)


def _place_problems(field: str, given: SecretNodeKeys | SecretSigner) -> Iterator[Problem]:
    for key, text in (("name", given.name), ("key", given.key)):
        if isinstance(text, str) and "<pod>" in text:
            yield Problem([field, key], f"{text!r} has <pod>, and each node has one pod, number 0; use <replica>")


def exposed(args: "BlockchainNodeSetArgs", ordinal: int) -> bool:
    """Whether peers outside the cluster dial a node."""
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return False
    return exposure.first is None or ordinal - args.first_ordinal < exposure.first


def dial_port(args: "BlockchainNodeSetArgs", ordinal: int) -> int:
    """The port that peers outside dial."""
    exposure = args.exposure
    if isinstance(exposure, NodePortP2p | HostPortP2p):
        return exposure.base_port + (ordinal - args.first_ordinal) * exposure.offset
    return args.ports.p2p


def taken_ports(args: "BlockchainNodeSetArgs") -> Iterator[tuple[str, int, str, str]]:
    """The ports that a set takes on every host: (protocol, port, node, field of the exposure that gives it)."""
    if isinstance(args.exposure, NodePortP2p | HostPortP2p):
        for ordinal in args.ordinals():
            if exposed(args, ordinal):
                yield "TCP", dial_port(args, ordinal), str(ordinal), "basePort"


def _exposure_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return
    public = [ordinal for ordinal in args.ordinals() if exposed(args, ordinal)]
    if isinstance(exposure, NodePortP2p | HostPortP2p) and public:
        allowed = ports_between(exposure.port_range) if isinstance(exposure, NodePortP2p) else range(1, 65536)
        kind = "nodePort" if isinstance(exposure, NodePortP2p) else "port"
        first, last, steps = allowed[0], allowed[-1], len(public) - 1
        if exposure.base_port < first:
            yield Problem(["exposure", "basePort"], f"{exposure.base_port} is below {first}, the first {kind}; raise it")
        if exposure.base_port + steps * exposure.offset > last:
            yield Problem(
                ["exposure", "basePort"],
                f"{exposure.base_port} + {steps} x {exposure.offset} passes {last}, the last {kind};"
                f" lower basePort to at most {last - steps * exposure.offset}, or expose fewer nodes",
            )
    yield from _address_problems(args, public)


def _address_problems(args: "BlockchainNodeSetArgs", public: list[int]) -> Iterator[Problem]:
    exposure = args.exposure
    if isinstance(exposure, ClusterP2p):
        return
    known = {str(ordinal) for ordinal in public}
    if isinstance(exposure, LoadBalancerP2p):
        for node in exposure.load_balancer_ips:
            if node not in known:
                yield Problem(["exposure", "loadBalancerIPs", node], "there is no such node among those exposed; leave it out")
    if isinstance(exposure.external_address, FixedDialAddress):
        addresses, path = exposure.external_address.addresses, ["exposure", "externalAddress", "addresses"]
        for node in addresses:
            if node not in known:
                yield Problem([*path, node], "there is no such node among those exposed; leave it out")
        for ordinal in public:
            if str(ordinal) not in addresses and args.override(ordinal).external_address is None:
                yield Problem(path, f"node {ordinal} has no address; add it, peers could not dial it")


def _port_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    owners: dict[tuple[str, int], str] = {}
    named = [("TCP", getattr(args.ports, field), info.alias or field) for field, info in type(args.ports).model_fields.items()]
    named += [(port.protocol, port.port, port.name) for port in args.container.ports]
    for protocol, port, what in named:
        other = owners.setdefault((protocol, port), what)
        if other != what:
            yield Problem(
                ["ports"], f"{protocol} port {port} is taken twice in one pod, by {other} and {what}; give one of them another"
            )


def _signer_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    signer, local = args.signer, isinstance(args.network, LocalNetwork)
    if local:
        if signer is not None:
            yield Problem(["signer"], "a local network makes its keys from the seed; leave it out")
        return
    if args.type == "validator" and (signer is None or isinstance(signer, NoSigner)):
        yield Problem(["signer"], "a validator needs a signer; name the Secret with its key (kind: secret), or use kind: remote")
    if args.type not in ("validator", "sentry") and isinstance(signer, SecretSigner | RemoteSigner):
        yield Problem(["signer"], f"a node of type {args.type} signs nothing; leave it out, or set type: validator")
    if args.type == "sentry" and isinstance(signer, SecretSigner):
        yield Problem(["signer", "kind"], "a sentry holds no key; use remote or none, or set type: validator")
    if args.type == "validator" and args.replicas > 1:
        if isinstance(signer, RemoteSigner):
            yield Problem(
                ["replicas"],
                f"{args.replicas} nodes for one remote signer; a validator is one node, a signer that connects to several has"
                " them as type: sentry",
            )
        if isinstance(signer, SecretSigner):
            named = isinstance(signer.name, str) and "<replica>" in signer.name
            if not named and "<replica>" not in signer.key:
                yield Problem(
                    ["replicas"],
                    f"{args.replicas} nodes would sign with one key, and be slashed for it; set 1, or put <replica> into"
                    " signer.key for a key of its own each",
                )
    if args.type in ("validator", "seed"):
        if args.routes is not None:
            yield Problem(["routes"], f"a {args.type} serves no RPC to the world; leave them out, and add a set of full nodes")
        if args.rpc_service.type != "ClusterIP":
            yield Problem(["rpcService", "type"], f"a {args.type} serves no RPC to the world; leave it out")


def _consensus_key_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    signer = args.signer
    if not isinstance(signer, SecretSigner):
        return
    yield from _place_problems("signer", signer)
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node in signer.addresses:
        if node not in ordinals:
            yield Problem(["signer", "addresses", node], f"there is no such node; the nodes of the set are {_numbers(args)}")
    for node in sorted(ordinals - set(signer.addresses), key=int):
        yield Problem(
            ["signer", "addresses"],
            f"node {node} has none; add the address of its priv_validator_key.json, by which no other node can have the key",
        )
    persistence = args.persistence
    if isinstance(persistence, EphemeralData):
        yield Problem(
            ["persistence", "kind"],
            "ephemeral loses what the validator has signed with its pod, and it could sign a block twice; use volume",
        )
    if isinstance(persistence, VolumeData) and "ReadWriteMany" in persistence.access_modes:
        yield Problem(["persistence", "accessModes"], "ReadWriteMany lets two pods sign from one volume; leave it out")


def _network_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    network = args.network
    if not isinstance(network, LocalNetwork):
        return
    if args.replicas < network.validators:
        yield Problem(
            ["network", "validators"],
            f"{network.validators} is more than the set's {args.replicas} nodes; raise replicas, or lower it",
        )
    if args.type not in ("full", "validator", "archive"):
        yield Problem(["type"], f"{args.type} is no role in a local network of one set; use full, and a set beside it")
    if args.type == "validator" and args.replicas != network.validators:
        yield Problem(
            ["type"],
            f"{network.validators} of the set's {args.replicas} nodes are validators; use full, which is what the others are",
        )
    if isinstance(args.keys, SecretNodeKeys):
        yield Problem(["keys", "kind"], "a local network makes its keys from the seed; leave keys out")
    for field in ("genesis", "snapshot"):
        if getattr(args, field) is not None:
            yield Problem([field], "a local network makes its own beginning; leave it out")
    if args.state_sync is not None:
        yield Problem(["stateSync"], "validators of a new network have nobody to sync from; use a set beside it")
    if isinstance(args.software, CosmosChain) and args.software.chain is not None:
        yield Problem(["software", "chain"], "the preset is that of a public network; give chainId and binary")
        return
    try:
        # The seed is known at deploy time only, and none of the rules is about it.
        local_genesis("0" * 64, validators=[0], generation=1, monikers=["node"], **genesis_facts(args.software, network))
    except ValueError as error:
        yield Problem(["network"], str(error))


def genesis_facts(software: BlockchainSoftware, network: LocalNetwork) -> dict[str, Any]:
    """What the config says of a local network's genesis, as `local_genesis` takes it."""
    facts: dict[str, Any] = {
        "software": software.kind,
        "chain_id": software.chain_id or "",
        "genesis_time": network.genesis_time,
        "accounts": network.accounts,
        "app_state": network.app_state,
    }
    if isinstance(software, CosmosChain):
        facts |= {
            "denom": software.known("denom") or "stake",
            "prefix": software.known("prefix") or "cosmos",
            "stake": network.stake,
            "balance": network.balance,
        }
    return facts


def _start_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    chain = preset_of(args)
    if not isinstance(args.network, LocalNetwork):
        known = args.genesis is not None or (chain is not None and chain.genesis_url is not None)
        if not known and not (isinstance(args.software, CosmosChain) and args.software.chain is not None and chain is None):
            yield Problem(["genesis"], "is required without a preset that has one; give its URL, a script or the text")
        if isinstance(args.genesis, BinaryDefault) and args.replicas > 1:
            yield Problem(
                ["genesis", "kind"], "default makes another genesis on each node; use network: {kind: local} for a new network"
            )
    if args.genesis is not None:
        for problem in suffix_problem(args.genesis, genesis=True):
            yield Problem(["genesis", *problem.path], problem.message)
    if args.snapshot is not None:
        for problem in suffix_problem(args.snapshot):
            yield Problem(["snapshot", *problem.path], problem.message)
        if args.state_sync is not None:
            yield Problem(["stateSync"], "cannot be set together with snapshot: a node starts from one of them; leave one out")
    running = [ordinal for ordinal in args.ordinals() if args.override(ordinal).disabled is None]
    if args.state_sync is not None and args.state_sync.siblings and len(running) < 2:
        yield Problem(["stateSync", "siblings"], f"there are no siblings among {len(running)} nodes that run; give rpcServers")
    if isinstance(args.genesis, InlineText):
        yield from _inline_problems(args.genesis.text, chain_id_of(args))
    yield from _route_problems(args)


def _inline_problems(text: str, chain_id: str | None) -> Iterator[Problem]:
    path = ["genesis", "text"]
    try:
        found = json.loads(text)
    except ValueError:
        yield Problem(path, "is no JSON; give the genesis as the chain publishes it")
        return
    if not isinstance(found, dict) or "chain_id" not in found:
        yield Problem(path, "has no chain_id; give the genesis as the chain publishes it")
    elif chain_id is not None and (given := cast("dict[str, Any]", found)["chain_id"]) != chain_id:
        yield Problem(path, f"is of chain {given!r}, and software of {chain_id!r}; correct the one that is wrong")


def _route_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """Routes to what the nodes do not serve."""
    if args.routes is None:
        return
    app = args.software.app if isinstance(args.software, CosmosChain) else None
    served = {"rpc": True, "api": app is not None and app.api.enabled, "grpc": app is not None and app.grpc.enabled}
    for protocol in args.routes.asked():
        if not served[protocol]:
            yield Problem(["routes", protocol], "the nodes do not serve it; switch it on in software.app, or leave the route out")


def _version_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    software, chain = args.software, preset_of(args)
    halts = isinstance(software, CosmosChain)
    app_halt = (software.app.halt_height or None) if isinstance(software, CosmosChain) else None
    if isinstance(args.versions, PresetVersions) and (chain is None or not chain.versions):
        yield Problem(["versions", "preset"], "the chain has no preset with versions; list them")
        return
    if isinstance(args.versions, PresetVersions) and chain is not None and not chain.reaches_recommended:
        yield Problem(
            ["versions", "preset"],
            f"the preset knows no height after {chain.versions[-1].tag}, and {chain.recommended} is what runs now: a node would"
            " run an old binary; list the versions",
        )
    versions = versions_of(args)
    if software.database_backend == "rocksdb" and (len(versions) > 1 or app_halt or any(v.halt_height for v in versions)):
        yield Problem(
            ["software", "databaseBackend"],
            "rocksdb tells nobody else the height, by which versions and halts go; use goleveldb or pebbledb, or one version",
        )
    if args.versions is not None and not versions:
        yield Problem(["versions"], "is empty; leave it out, or list at least one")
    if versions and app_halt is not None:
        yield Problem(["software", "app", "haltHeight"], "cannot be set together with versions; set haltHeight of a version")
    if not software.shell and (len(versions) > 1 or app_halt is not None or any(v.halt_height for v in versions)):
        yield Problem(
            ["versions"],
            "an image without a shell cannot wait for its height, and its binary cannot leave it; use an image with sh, or one"
            " version, changed by an update at its height",
        )
    for index, version in enumerate(versions):
        after = versions[index + 1] if index + 1 < len(versions) else None
        if after is not None and after.height <= version.height:
            yield Problem(
                ["versions", index + 1, "height"],
                f"{after.height} does not follow {version.height}; list them in ascending order",
            )
        if version.halt_height is None:
            continue
        if not halts:
            yield Problem(["versions", index, "haltHeight"], f"{software.kind} cannot halt at a height; leave it out")
        if version.halt_height < version.height:
            yield Problem(
                ["versions", index, "haltHeight"],
                f"{version.halt_height} is before this version's first block {version.height}; raise it",
            )
        if after is not None and after.height > version.height and after.height != version.halt_height + 1:
            yield Problem(
                ["versions", index, "haltHeight"],
                f"{version.halt_height} and the next version's height {after.height} do not meet; blocks after the halt belong to"
                f" the next version: set haltHeight {after.height - 1}, or its height {version.halt_height + 1}",
            )
    yield from _image_problems(args, versions, chain)


def _image_problems(args: "BlockchainNodeSetArgs", versions: list[ChainVersion], chain: ChainPreset | None) -> Iterator[Problem]:
    image: Image = args.image
    known = (
        image.repository is not None or args.software.kind == "cometbft" or (chain is not None and chain.repository is not None)
    )
    if not known and not (versions and all(version.image.repository for version in versions)):
        yield Problem(["image", "repository"], "is required: no registry is known for this chain; name the image of its binary")
    tagged = image.tag is not None or image.digest is not None or args.software.kind == "cometbft"
    if not tagged and not versions and not (chain is not None and chain.recommended):
        yield Problem(["image", "tag"], "is required; pin the version of the binary")
    if versions and (image.tag is not None or image.digest is not None):
        yield Problem(["image", "tag"], "cannot be set together with versions: each version has its own; leave it out")


def _storage_problems(args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    persistence = args.persistence
    if isinstance(persistence, ExistingClaim):
        users = [o for o in args.ordinals() if args.override(o).existing_claim is None]
        if len(users) > 1:
            yield Problem(
                ["persistence", "claim"],
                f"one claim cannot hold the data of {len(users)} nodes; use kind: volume, or name one for each under nodes",
            )
    owners: dict[str, str] = {}
    given = [(persistence.claim, "persistence.claim")] if isinstance(persistence, ExistingClaim) else []
    given += [(o.existing_claim, f"nodes.{n}.existingClaim") for n, o in args.nodes.items() if o.existing_claim is not None]
    for claim, where in given:
        if isinstance(claim, str) and owners.setdefault(claim, where) != where:
            yield Problem(where.split("."), f"{claim!r} is that of {owners[claim]} already; name another")
    for node, override in args.nodes.items():
        made = isinstance(persistence, VolumeData) and override.existing_claim is None
        if override.size is not None and not made:
            yield Problem(["nodes", node, "size"], "the claim is not one that is resized here; leave it out")
        if override.from_snapshot is not None and not made:
            yield Problem(
                ["nodes", node, "fromSnapshot"],
                "no volume is made for the node; leave it out, or use persistence.kind: volume without existingClaim",
            )
    if isinstance(persistence, VolumeData) and persistence.from_snapshot is not None and args.replicas > 1:
        yield Problem(["persistence", "fromSnapshot"], "is for an only node: a copy has its node's state of signing; use nodes")


def name_problems(name: str, args: "BlockchainNodeSetArgs") -> Iterator[Problem]:
    """A name that is none or makes others too long, and peers that are the set itself."""
    if not re.fullmatch(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", name):
        yield Problem(
            [],
            f"{name!r} is refused as a name: names of Services have lower-case letters, digits and hyphens, and start with a"
            " letter; rename the set",
        )
        return
    last = f"{name}-{args.first_ordinal + max(args.replicas, 1) - 1}"
    suffix = "-loadbalancer" if isinstance(args.exposure, LoadBalancerP2p) else "-privval"
    most = min(names.LONGEST_WORKLOAD, names.LONGEST_LABEL - len(suffix))
    if len(last) > most:
        yield Problem(
            [],
            f"the name of its last node, {last}, has {len(last)} characters, and its Service and host name then pass 63;"
            f" use a name of at most {most - (len(last) - len(name))}",
        )
    yield from versioned_name_problems(last, args)
    yield from claim_problems(name, args)
    for index, source in enumerate(args.peers_from):
        if isinstance(source, PeerSet) and not isinstance(source, PeerStack) and source.set == name:
            yield Problem(["peersFrom", index, "set"], "is the set itself, whose nodes know each other anyway; leave it out")


def exclusive_keys(args: "BlockchainNodeSetArgs") -> dict[int, str]:
    """The consensus address that each validator of a set signs with, by ordinal; that of a Secret's key is required."""
    signer = args.signer
    if not isinstance(signer, SecretSigner) or args.type != "validator":
        return {}
    return {ordinal: signer.addresses[str(ordinal)].upper() for ordinal in args.ordinals()}
