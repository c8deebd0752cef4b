"""From the config of a set of blockchain nodes to all of its objects."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from nodestead.config.base import ConfigError, Deferred, dotted
from nodestead.config.persistence import ExistingClaim
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes import names
from nodestead.kubernetes.access import disruption_budget, rights, service_account
from nodestead.kubernetes.chain_monitoring import WatchedChain, chain_monitoring_objects
from nodestead.kubernetes.chain_route import chain_routes
from nodestead.kubernetes.late import settled_text
from nodestead.kubernetes.metadata import SKIP_AWAIT, checksum, manifest
from nodestead.kubernetes.network_policy import OpenPorts, network_policy
from nodestead.kubernetes.objects import Manifest, Plan
from nodestead.kubernetes.rollout import rollout_waves
from nodestead.kubernetes.service import service_port
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_exposure import dial_port
from nodestead.plans.blockchain_keys import RemoteSigner, SeedNodeKeys
from nodestead.plans.blockchain_nodes import announced, node_plans
from nodestead.plans.blockchain_pod import asks_api_server, binaries, node_address, watched_by_health
from nodestead.plans.blockchain_rules import name_problems
from nodestead.plans.blockchain_set import ChainSet, Neighbours, peer_stand_ins
from nodestead.plans.blockchain_start import Download, InlineText, Script
from nodestead.plans.blockchain_versioned_pod import followed

__all__ = ["BlockchainNodeSetArgs", "Neighbours", "peer_stand_ins", "plan_blockchain_node_set"]


def plan_blockchain_node_set(
    name: str, args: BlockchainNodeSetArgs, namespace: str | Deferred, neighbours: Neighbours | None = None
) -> Plan:
    """All objects of a set of blockchain nodes.

    Args:
        name: Name of the set; the prefix of all names.
        args: Its config.
        namespace: Its namespace.
        neighbours: What stands in a rendering for the peers of the stack's other sets, as `peer_stand_ins` gives it.

    Raises:
        ConfigError: where a name gets too long, or a patch matches no object or changes what may not change.
    """
    broken = [f"{dotted(('blockchainNodeSets', name, *one.path))}: {one.message}" for one in name_problems(name, args)]
    if broken:
        raise ConfigError(broken)
    chain = ChainSet(name, args, namespace, neighbours)
    plan = _plan(chain)
    if chain.patches:
        for _ in plan.manifests():
            pass
        chain.patches.refuse_leftovers(f"blockchainNodeSets.{name}")
    return plan


def _plan(chain: ChainSet) -> Plan:
    args = chain.args
    keys = args.keys
    given = keys.seed if isinstance(keys, SeedNodeKeys) else None
    dialled = [o for o in args.ordinals() if chain.is_exposed(o) and args.override(o).disabled != "all"]
    # An address that only a pod finds out is none that others can dial.
    public = [announced(chain, ordinal) for ordinal in dialled if node_address(chain, ordinal)["from"] == "fixed"]
    ports = sorted({dial_port(args, ordinal) for ordinal in dialled})
    own = chain.own_peers()
    return Plan(
        name=chain.name,
        namespace=chain.namespace,
        shared=[chain.patches.apply(one) for one in _shared_objects(chain)],
        nodes=lambda: node_plans(chain),
        waves=_waves(chain),
        timeout_seconds=duration_seconds(args.rollout.timeout),
        creation_seconds=_LONGEST_SYNC if args.probes.strategy == "inSync" and chain.local is None else None,
        unchangeable=dict(chain.unchangeable),
        noticed=_noticed(chain),
        needs_seed=isinstance(keys, SeedNodeKeys),
        given_seed=given if isinstance(given, SecretStr | Deferred) else None,
        peers=own,
        outputs={
            "peers": own,
            "publicPeers": settled_text(public, list),
            "rpcService": names.rpc_service_name(chain.name),
            "chainId": chain.general.chain_id,
            "firewallPorts": [f"tcp/{port}" for port in ports],
        },
    )


_LONGEST_SYNC = 7 * 24 * 3600  # a first sync holds an update back, and never fails it
_NEW_IDS = (
    "the nodes have other node ids from now on: until all have rolled not all of them are connected, and others that name the old"
    " ids lose them"
)
_NEW_GENESIS = "nodes with blocks keep the genesis that these were made with; only new ones take the other"


def _genesis_mark(chain: ChainSet) -> str:
    """What tells one source of a genesis from another; not the source, which may hold what is nobody's business."""
    given = chain.args.genesis
    if chain.local is not None or given is None:
        return "local" if chain.local is not None else "preset"
    told = [given.kind]
    if isinstance(given, Download):
        told += [given.url if isinstance(given.url, str) else "", given.sha256 or ""]
    elif isinstance(given, Script):
        told.append(given.script)
    elif isinstance(given, InlineText):
        told.append(given.text)
    return checksum("|".join(told))


def _noticed(chain: ChainSet) -> dict[str, tuple[str, str]]:
    """What may change under nodes that are there, and what it costs them."""
    args, keys = chain.args, chain.args.keys
    named = "" if isinstance(keys, SeedNodeKeys) else keys.name if isinstance(keys.name, str) else "(given by another resource)"
    source = f"seed, generation {keys.generation}" if isinstance(keys, SeedNodeKeys) else f"{named}, {keys.key}"
    return {
        "keys": (source, _NEW_IDS),
        "genesis": (_genesis_mark(chain), _NEW_GENESIS),
        **(
            {}
            if "persistence.kind" in chain.unchangeable
            else {
                "persistence.kind": (args.persistence.kind, "the nodes start with empty volumes; the data stays in the old ones")
            }
        ),
    }


def _waves(chain: ChainSet) -> list[list[str]]:
    """The nodes in batches; a stopped node is ready at once and waits for nobody."""
    args = chain.args
    running = [chain.node_name(o) for o in args.ordinals() if args.override(o).disabled is None]
    stopped = [chain.node_name(o) for o in args.ordinals() if args.override(o).disabled is not None]
    waves = rollout_waves(running, args.rollout.max_unavailable)
    return [[*waves[0], *stopped], *waves[1:]] if waves else [stopped] * bool(stopped)


def _shared_objects(chain: ChainSet) -> Iterator[Manifest]:
    """Objects that belong to no single node, in the order in which they have to be there."""
    args, labels, namespace = chain.args, chain.labels(), chain.namespace
    account = args.service_account
    if account.create:
        yield service_account(chain.account, namespace, labels, account.annotations)
    yield from rights(chain.name, namespace, labels, chain.account, account.rules, cluster=False)
    cluster_rules: list[dict[str, Any]] = list(account.cluster_rules)
    if asks_api_server(chain):
        cluster_rules.append({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]})
    yield from rights(chain.name, namespace, labels, chain.account, cluster_rules, cluster=True)
    yield manifest("ConfigMap", "v1", chain.agents_name, namespace, labels, data=chain.scripts)
    yield _rpc_service(chain)
    if args.routes is not None:
        yield from chain_routes(chain.name, namespace, labels, args.routes, names.rpc_service_name(chain.name), args.ports)
    if args.disruption.enabled and args.replicas:
        yield disruption_budget(chain.name, namespace, labels, chain.selector, args.disruption.max_unavailable)
    yield from network_policy(chain.name, namespace, labels, chain.selector, _open_ports(chain), args.network_policy)
    yield from chain_monitoring_objects(_watched(chain), args.monitoring)


def _rpc_service(chain: ChainSet) -> Manifest:
    """The Service over all nodes that are ready."""
    args, ports, config = chain.args, chain.args.ports, chain.args.rpc_service
    entries = [service_port("rpc", ports.rpc)]
    serves = chain.general.serves
    entries += [service_port("api", ports.api)] if "api" in serves else []
    entries += [service_port("grpc", ports.grpc)] if "grpc" in serves else []
    entries += [service_port("grpc-web", ports.grpc_web)] if "grpcWeb" in serves else []
    entries += [service_port(port.name, port.port, port.protocol) for port in args.container.ports if port.service]
    spec: dict[str, Any] = {"type": config.type, "selector": chain.selector, "ports": entries}
    if config.external_traffic_policy is not None:
        spec["externalTrafficPolicy"] = config.external_traffic_policy
    name, annotations = names.rpc_service_name(chain.name), {**config.annotations, **SKIP_AWAIT}
    return manifest("Service", "v1", name, chain.namespace, chain.labels("rpc"), annotations, spec=spec)


def _open_ports(chain: ChainSet) -> OpenPorts:
    """What the NetworkPolicy has to know: ports for peers, RPC and metrics, and who may come."""
    args, ports, routes = chain.args, chain.args.ports, chain.args.routes
    routed = (
        ()
        if routes is None
        else [
            port
            for asked, port in ((routes.rpc, ports.rpc), (routes.api, ports.api), (routes.grpc, ports.grpc))
            if asked is not None
        ]
    )
    signer = args.effective_signer
    monitored = args.monitoring is not None and args.monitoring.enabled
    served = [ports.rpc, ports.api, ports.grpc, ports.grpc_web, *(p.port for p in args.container.ports if p.service)]
    return OpenPorts(
        peers_tcp=[ports.p2p],
        api=[*served, ports.health] if followed(chain) else served,
        metrics=[ports.metrics, ports.health],
        metrics_namespaces=args.monitoring.from_ if monitored and args.monitoring is not None else (),
        routed=routed,
        route_namespace=None if routes is None else routes.controller_namespace,
        public=served if args.rpc_service.type != "ClusterIP" else (),
        signers=ports.privval if isinstance(signer, RemoteSigner) else None,
        signers_from=signer.from_ if isinstance(signer, RemoteSigner) else (),
    )


def _given_claims(chain: ChainSet) -> Iterator[str | Deferred]:
    persistence = chain.args.persistence
    if isinstance(persistence, ExistingClaim):
        yield persistence.claim
    for override in chain.args.nodes.values():
        if override.existing_claim is not None:
            yield override.existing_claim


def _watched(chain: ChainSet) -> WatchedChain:
    args = chain.args
    namespace = args.software.config.instrumentation.namespace
    running = [ordinal for ordinal in args.ordinals() if args.override(ordinal).disabled is None]
    health = any(watched_by_health(chain, binaries(chain, ordinal)) for ordinal in running)
    return WatchedChain(
        name=chain.name,
        namespace=chain.namespace,
        labels=chain.labels(),
        selector=chain.selector,
        nodes=len(running),
        health=health,
        validators=[chain.node_name(o) for o in running if chain.type_of(o) == "validator"],
        chain_id=chain.general.chain_id,
        versions=[version.height for version in chain.versions] or None,
        # What a set of one or two can have of itself, where nobody else is known.
        fewest_peers=min(2, max(len(running) - 1, 0)) if chain.local is not None else 1 if args.type == "validator" else 2,
        claims=[claim for claim in _given_claims(chain) if isinstance(claim, str)],
        **({} if namespace is None else {"prefix": namespace}),
    )
