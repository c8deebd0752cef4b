"""The objects of each node of a set: Services, keys, claim, config, workload."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import chain as joined
from itertools import islice
from typing import Any, cast

from nodestead.chain_keys import consensus_address, consensus_key_json, node_key_json
from nodestead.config.base import Deferred
from nodestead.config.p2p import HostPortP2p, LoadBalancerP2p, NodePortP2p
from nodestead.config.persistence import ExistingClaim, VolumeData
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes import names
from nodestead.kubernetes.late import settled_after, settled_text
from nodestead.kubernetes.metadata import KEPT, base64_text, checksum, manifest
from nodestead.kubernetes.objects import Late, Manifest, NodePlan, PublicOf, Seed
from nodestead.kubernetes.pod import stateful_set
from nodestead.kubernetes.service import cluster_service, public_service, service_port
from nodestead.kubernetes.storage import claim
from nodestead.plans.blockchain_exposure import dial_port
from nodestead.plans.blockchain_key_rules import exclusive_keys
from nodestead.plans.blockchain_keys import RemoteSigner, SecretNodeKeys, SecretSigner
from nodestead.plans.blockchain_local_network import genesis_facts
from nodestead.plans.blockchain_pod import SECRETS_FOLDER, binaries, chain_pod, node_address, secret_url_name
from nodestead.plans.blockchain_set import KEYS_DIR, ChainSet
from nodestead.plans.blockchain_start import Download, InlineText, Script
from nodestead.plans.blockchain_versioned_pod import followed, versioned_pods
from nodestead.software.chain_spec import ChainSpec
from nodestead.software.local_network import local_genesis

__all__ = ["node_plans"]

_NODE_KEY, _CONSENSUS_KEY = "node_key.json", "priv_validator_key.json"
_MOST_SIBLINGS = 3


def node_plans(chain: ChainSet) -> Iterator[NodePlan]:
    """The nodes of a set one by one."""
    genesis = _local_genesis(chain)
    held = exclusive_keys(chain.args)
    for ordinal in chain.args.ordinals():
        plan = _node(chain, ordinal, genesis, held.get(ordinal))
        if chain.patches:
            manifests, after = ([chain.patches.apply(m) for m in made] for made in (plan.manifests, plan.after))
            plan = NodePlan(plan.name, plan.ordinal, manifests, plan.outputs, after)
        yield plan


def _node(chain: ChainSet, ordinal: int, genesis: Any, held: str | None) -> NodePlan:
    args, node = chain.args, chain.node_name(ordinal)
    labels, override, spec = chain.node_labels(node), args.override(ordinal), chain.spec(ordinal)
    manifests: list[Manifest] = [] if override.disabled == "all" else list(_services(chain, ordinal, node, labels))
    data, claims = _data(chain, ordinal, node, labels)
    sources, secrets = _keys(chain, ordinal, node, labels)
    manifests += [*claims, *secrets]
    config = _node_config(chain, ordinal, spec, genesis)
    name = f"{node}-config"
    inline = {"genesis.json": args.genesis.text} if isinstance(args.genesis, InlineText) else {}
    text = settled_text(config, _readable)
    manifests.append(manifest("ConfigMap", "v1", name, chain.namespace, labels, data={"node.json": text, **inline}))
    if held is not None:
        # Made, never adopted: a second set with this key, in this stack or another, fails here, before it has a pod. The API
        # server refuses another node's name in it also where an update adopts what is there, or kubectl applies it.
        note = {"consensusAddress": held, "node": node}
        guard = names.guard_name(held)
        manifests.append(manifest("ConfigMap", "v1", guard, chain.namespace, labels, immutable=True, data=note))
    whole = settled_after(text, lambda made: checksum(made + inline.get("genesis.json", "")))
    template = chain_pod(chain, ordinal, spec, name, whole, data, sources)
    annotations: dict[str, str] = {}
    if isinstance(args.exposure, HostPortP2p) and chain.is_exposed(ordinal):
        annotations["nodestead.io/pod-security"] = "privileged: ports of the host, which baseline and restricted refuse"
    shell = manifest("StatefulSet", "apps/v1", node, chain.namespace, labels, annotations)
    replicas = 0 if override.disabled is not None else None
    selector = chain.node_selector(node)
    manifests.append(stateful_set(shell, selector=selector, first_ordinal=0, template=template, replicas=replicas))
    return NodePlan(node, ordinal, manifests, _outputs(chain, ordinal, node), list(versioned_pods(chain, ordinal)))


# Made once: `json.dumps` looks at eight options for each of the eighty parts of a node's config.
_JSON = json.JSONEncoder()


def _readable(value: Any, indent: str = "") -> str:
    """JSON with a line for each key; what is no mapping is on one line, and made by the encoder in C."""
    if not isinstance(value, dict) or not value:
        return _JSON.encode(value)
    items = cast("dict[str, Any]", value).items()
    lines = [f"{indent} {_JSON.encode(key)}: {_readable(item, f'{indent} ')}" for key, item in items]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _services(chain: ChainSet, ordinal: int, node: str, labels: dict[str, str]) -> Iterator[Manifest]:
    args, selector, ports = chain.args, chain.node_selector(node), chain.args.ports
    inside = [service_port("p2p", ports.p2p), service_port("rpc", ports.rpc)]
    if followed(chain):
        inside.append(service_port("health", ports.health))
    # Its peers dial it while it starts, and CometBFT resolves their names once: an address of its own, and before every pod.
    yield cluster_service(names.p2p_service_name(node), chain.namespace, labels, selector, inside, not_ready=True)
    if isinstance(args.effective_signer, RemoteSigner):
        # The node is not ready before its signer has found it.
        entries = [service_port("privval", ports.privval)]
        privval_labels = labels | {"app.kubernetes.io/component": "cosmos-sentry"}
        name = names.privval_service_name(node)
        yield cluster_service(name, chain.namespace, privval_labels, selector, entries, not_ready=True)
    exposure = args.exposure
    if isinstance(exposure, NodePortP2p | LoadBalancerP2p) and chain.is_exposed(ordinal):
        address = exposure.load_balancer_ips.get(str(ordinal)) if isinstance(exposure, LoadBalancerP2p) else None
        name = names.peer_service_name(node, node, exposure.kind)
        both = (ports.p2p, dial_port(args, ordinal))
        yield public_service(name, chain.namespace, labels, selector, exposure, both, address)


def _data(chain: ChainSet, ordinal: int, node: str, labels: dict[str, str]) -> tuple[dict[str, Any], list[Manifest]]:
    """The volume with the node's data, and its claim where that is ours."""
    override, persistence = chain.args.override(ordinal), chain.args.persistence
    given = override.existing_claim
    if given is None and isinstance(persistence, ExistingClaim):
        given = persistence.claim
    if given is not None:
        return {"name": "data", "persistentVolumeClaim": {"claimName": given}}, []
    if not isinstance(persistence, VolumeData):
        return {"name": "data", "emptyDir": {"sizeLimit": persistence.size}}, []
    persistence = persistence.model_copy(update={"access_modes": chain.access_modes})
    name = names.claim_name(names.pod_name(node, 0))
    size = override.size or persistence.size
    made = claim(name, chain.namespace, labels, persistence, size, override.from_snapshot)
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}, [made]


def _keys(chain: ChainSet, ordinal: int, node: str, labels: dict[str, str]) -> tuple[list[dict[str, Any]], list[Manifest]]:
    """The sources of a node's key volume, and the Secret where it is ours."""
    keys, signer = chain.args.keys, chain.args.effective_signer
    sources: list[dict[str, Any]] = []
    made: list[Manifest] = []
    if isinstance(keys, SecretNodeKeys):
        name = keys.name.replace("<replica>", str(ordinal)) if isinstance(keys.name, str) else keys.name
        sources.append(_entry(name, keys.key.replace("<replica>", str(ordinal)), _NODE_KEY))
    else:
        generation, seed = chain.generation, Seed(chain.name)
        name = names.key_secret_name(node, generation)
        source = f"the seed of {chain.name}, generation {generation}"
        entries: dict[str, Any] = {
            _NODE_KEY: Late.of(
                seed, lambda text: base64_text(node_key_json(text, ordinal, generation)), base64_text(f"a node key from {source}")
            )
        }
        if ordinal in chain.args.validators:
            entries[_CONSENSUS_KEY] = Late.of(
                seed,
                lambda text: base64_text(consensus_key_json(text, ordinal, generation)),
                base64_text(f"a consensus key from {source}"),
            )
        made.append(manifest("Secret", "v1", name, chain.namespace, labels, KEPT, type="Opaque", immutable=True, data=entries))
        items = [{"key": entry, "path": entry} for entry in entries]
        sources.append({"secret": {"name": name, "items": items}})
    if isinstance(signer, SecretSigner):
        name = signer.name.replace("<replica>", str(ordinal)) if isinstance(signer.name, str) else signer.name
        sources.append(_entry(name, signer.key.replace("<replica>", str(ordinal)), _CONSENSUS_KEY))
    return sources, made


def _entry(name: str | Deferred, key: str, path: str) -> dict[str, Any]:
    return {"secret": {"name": name, "items": [{"key": key, "path": path}]}}


def _local_genesis(chain: ChainSet) -> Any:
    """What a local network's genesis has, late, or None for a network that is there."""
    local, args = chain.local, chain.args
    if local is None:
        return None
    ordinals = list(args.validators)
    make = partial(
        local_genesis,
        validators=ordinals,
        generation=chain.generation,
        monikers=[chain.node_name(ordinal) for ordinal in ordinals],
        **genesis_facts(args.software, local),
    )
    shown = {"validators": [f"(validator {chain.node_name(o)}, generation {chain.generation})" for o in ordinals]}
    return Late.of(PublicOf(Seed(chain.name), make), lambda patch: patch, shown)


def _source(given: Download | Script | None, what: str) -> dict[str, Any] | None:
    if given is None:
        return None
    if isinstance(given, Script):
        return {"kind": "script", "script": given.script}
    # A name in the place of a secret URL: the preparation has it in its environment.
    return {"kind": "url", "url": f"${secret_url_name(what)}" if given.url is None else given.url, "sha256": given.sha256}


def _genesis(chain: ChainSet, patch: Any) -> dict[str, Any]:
    given, local = chain.args.genesis, chain.local
    if local is not None:
        return {"kind": "local", "time": local.genesis_time, "patch": patch}
    if isinstance(given, Download | Script):
        return _source(given, "genesis") or {}
    if isinstance(given, InlineText):
        return {"kind": "inline", "path": "/etc/nodestead/node/genesis.json"}
    if given is None and chain.preset is not None and chain.preset.genesis_url is not None:
        return {"kind": "url", "url": chain.preset.genesis_url, "sha256": None}
    return {"kind": "default"}


def _rpc_url(chain: ChainSet, ordinal: int) -> str:
    return f"http://{names.p2p_service_name(chain.node_name(ordinal))}:{chain.args.ports.rpc}"


def _siblings(chain: ChainSet, ordinal: int) -> list[str]:
    """The RPCs of the next few nodes of the set, in a ring, so that no node is asked by all."""
    ordinals = chain.args.ordinals()
    index = ordinal - chain.args.first_ordinal
    ring = (o for o in joined(ordinals[index + 1 :], ordinals[:index]) if chain.args.override(o).disabled is None)
    return [_rpc_url(chain, other) for other in islice(ring, _MOST_SIBLINGS)]


def _state_sync(chain: ChainSet, ordinal: int) -> dict[str, Any] | None:
    sync = chain.args.state_sync
    if sync is None:
        return None
    servers = list(sync.rpc_servers)
    if sync.siblings:
        # Those that an update starts before: the first of a new set has nobody to ask, and begins with the first block.
        earlier = [o for o in chain.args.ordinals() if o < ordinal and chain.args.override(o).disabled is None]
        found = [_rpc_url(chain, other) for other in earlier[-_MOST_SIBLINGS:]]
        if not found:
            return None
        # A light client wants two; an only sibling is asked twice.
        servers = found if len(found) > 1 else found * 2
    return {
        "rpc_servers": servers,
        "trust_height": sync.trust_height,
        "trust_hash": sync.trust_hash,
        "trust_offset": sync.trust_offset,
    }


def _node_config(chain: ChainSet, ordinal: int, spec: ChainSpec, genesis: Any) -> dict[str, Any]:
    """What the preparation and the watch of a node read: see the agents."""
    args, ports, probes = chain.args, chain.args.ports, chain.args.probes
    signer = args.effective_signer
    held = ordinal in args.validators or isinstance(signer, SecretSigner)
    address: Any = signer.addresses.get(str(ordinal)) if isinstance(signer, SecretSigner) else None
    software = args.software
    return {
        "software": software.kind,
        "moniker": chain.node_name(ordinal),
        "chain_id": spec.chain_id,
        "home": chain.home,
        "versions": [
            {"name": b.name, "height": b.height, "halt_height": b.halt_height, "defaults": f"/defaults/{b.name}"}
            for b in binaries(chain, ordinal)
        ],
        "shell": software.shell,
        "database": software.database_backend,
        "files": spec.files,
        "genesis": _genesis(chain, genesis),
        "address_book": _source(args.address_book, "address_book"),
        "snapshot": _source(args.snapshot, "snapshot"),
        "state_sync": _state_sync(chain, ordinal),
        "keys": {
            "node": f"{SECRETS_FOLDER}/{_NODE_KEY}",
            "node_id": chain.node_id(ordinal),
            "consensus": f"{SECRETS_FOLDER}/{_CONSENSUS_KEY}" if held else None,
            "consensus_address": address,
            "target": KEYS_DIR,
        },
        "address": node_address(chain, ordinal),
        "health": {
            "port": ports.health,
            "rpc": f"http://127.0.0.1:{ports.rpc}",
            "api": f"http://127.0.0.1:{ports.api}" if "api" in spec.serves else None,
            "strategy": args.probes.strategy,
            "max_block_age": duration_seconds(probes.max_block_age),
            "max_behind": probes.max_behind,
            "dead_after": duration_seconds(probes.dead_after),
            "siblings": _siblings(chain, ordinal),
            "local": chain.local is not None,
            "signer": isinstance(signer, RemoteSigner),
        },
    }


def _outputs(chain: ChainSet, ordinal: int, node: str) -> dict[str, Any]:
    service, namespace = names.p2p_service_name(node), chain.namespace
    port = chain.args.ports.rpc

    def url(where: str) -> str:
        return f"http://{service}.{where}:{port}"

    outputs: dict[str, Any] = {
        "service": service,
        "nodeId": chain.node_id(ordinal),
        "rpcUrl": url(namespace) if isinstance(namespace, str) else Late.of(namespace, url, url("(namespace)")),
        "type": chain.type_of(ordinal),
        "announced": announced(chain, ordinal),
    }
    if ordinal in chain.args.validators:
        generation = chain.generation
        ref = PublicOf(Seed(chain.name), lambda seed: consensus_address(seed, ordinal, generation))
        outputs["consensusAddress"] = Late.of(ref, str, f"(consensus address of {node}, generation {generation})")
    if chain.args.override(ordinal).disabled is not None:
        outputs["disabled"] = True
    return outputs


def announced(chain: ChainSet, ordinal: int) -> Any:
    """How peers outside dial a node, as id@host:port; what only the pod can find out stands in angle brackets."""
    address = node_address(chain, ordinal)
    if address["from"] == "none":
        return ""
    host = address.get("host", f"<{address['from']}>")

    def dialled(parts: list[Any]) -> str:
        node, where, port = parts
        return f"{node}@[{where}]:{port}" if ":" in where else f"{node}@{where}:{port}"

    return settled_text([chain.node_id(ordinal), host, address["port"]], dialled)
