"""From the config of a group of storage nodes to all of its objects."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from nodestead.config.api_access import ApiAccess, GeneratedPassword, Ingress
from nodestead.config.base import ConfigError, Deferred
from nodestead.config.exposure import node_ports
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.access import disruption_budget, rights, service_account
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.monitoring import Watched, monitoring_objects
from nodestead.kubernetes.network_policy import OpenPorts, network_policy
from nodestead.kubernetes.objects import Late, Manifest, Plan
from nodestead.kubernetes.rollout import rollout_waves
from nodestead.kubernetes.route import auth_secret, ingress
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_group import Group
from nodestead.plans.storage_nodes import node_plans
from nodestead.plans.storage_parts import SecretKeys, SeedKeys
from nodestead.plans.storage_persistence import quota_bytes
from nodestead.plans.storage_pod import asks_api_server
from nodestead.plans.storage_pool import pooled_objects
from nodestead.plans.storage_rules import name_problems
from nodestead.software.codex import CodexFamily

__all__ = ["StorageNodeGroupArgs", "plan_storage_node_group"]


def plan_storage_node_group(name: str, args: StorageNodeGroupArgs, namespace: str | Deferred) -> Plan:
    """All objects of a group of storage nodes.

    Args:
        name: Name of the group; the prefix of all names.
        args: Its config.
        namespace: Its namespace.

    Raises:
        ConfigError: where a name gets too long, or a patch matches no object or changes what may not change.
    """
    broken = [f"storageNodeGroups.{name}: {problem.message}" for problem in name_problems(name, args)]
    if broken:
        raise ConfigError(broken)
    group = Group(name, args, namespace)
    plan = _plan(group)
    if group.patches:
        for _ in plan.manifests():
            pass
        group.patches.refuse_leftovers(f"storageNodeGroups.{name}")
    return plan


def _plan(group: Group) -> Plan:
    args, keys = group.args, group.keys
    outputs: dict[str, Any] = {"firewallPorts": list(group.firewall_ports())}
    if args.api is not None:
        outputs["apiPaths"] = [node.path for node in group.routed()]
    given = keys.seed if isinstance(keys, SeedKeys) else None
    return Plan(
        name=group.name,
        namespace=group.namespace,
        shared=[group.patches.apply(m) for m in _shared_objects(group)],
        nodes=lambda: node_plans(group),
        waves=_waves(group),
        # A pooled workload rolls its pods one by one, and is waited for as a whole.
        timeout_seconds=duration_seconds(args.rollout.timeout) * (max(args.replicas, 1) if args.layout == "pooled" else 1),
        unchangeable=dict(group.unchangeable),
        noticed=_noticed(group),
        needs_seed=isinstance(keys, SeedKeys),
        given_seed=given if isinstance(given, SecretStr | Deferred) else None,
        needs_password=args.api is not None and isinstance(args.api.auth, GeneratedPassword),
        outputs=outputs,
    )


def _noticed(group: Group) -> dict[str, tuple[str, str]]:
    """What may change under nodes that are there, and what it costs them."""
    args, keys = group.args, group.keys
    source = "none"
    if isinstance(keys, SeedKeys):
        source = f"seed, generation {keys.generation}"
    elif isinstance(keys, SecretKeys):
        source = f"{keys.name}, {keys.key}" if isinstance(keys.name, str) else keys.key
    trades = args.software.marketplace if isinstance(args.software, CodexFamily) else None
    first = group.node_name(args.first_ordinal)
    return {
        "nodeNames": (
            "prettified" if args.prettified else "numbered",
            f"prettify renames a node: it is {first} from now on, with a volume of its own; the claim under its old name stays",
        ),
        "keys": (
            source,
            "the nodes sign with other keys from now on, whose addresses have no funds; contracts of the old ones stay open",
        ),
        "persistence.kind": (args.persistence.kind, "the nodes start with empty volumes; the data stays in the old ones"),
        "software.marketplace.address": (
            (trades.address if trades is not None else None) or "of the version",
            "the nodes trade on another contract from now on; what they hold on the old one they no longer serve",
        ),
    }


def _waves(group: Group) -> list[list[str]]:
    """Bootstrap nodes first, then the nodes in batches; a stopped node is ready at once and waits for nobody."""
    args, size = group.args, group.args.rollout.max_unavailable
    waves = rollout_waves(group.bootstrap_names, size)
    if args.layout == "pooled":
        return [*waves, [group.name]] if args.replicas else waves
    running = [group.node_name(o) for o in args.ordinals() if not args.override(o).disabled]
    stopped = [group.node_name(o) for o in args.ordinals() if args.override(o).disabled]
    waves += rollout_waves(running, size)
    return [[*waves[0], *stopped], *waves[1:]] if waves else [stopped] * bool(stopped)


def _shared_objects(group: Group) -> Iterator[Manifest]:
    """Objects that belong to no single node, in the order in which they have to be there."""
    args, labels, namespace = group.args, group.labels(), group.namespace
    account = args.service_account
    if account.create:
        yield service_account(group.account, namespace, labels, account.annotations)
    yield from rights(group.name, namespace, labels, group.account, account.rules, cluster=False)
    cluster_rules: list[dict[str, Any]] = list(account.cluster_rules)
    if asks_api_server(args):
        cluster_rules.append({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]})
    yield from rights(group.name, namespace, labels, group.account, cluster_rules, cluster=True)
    yield manifest("ConfigMap", "v1", group.agents_name, namespace, labels, data=group.scripts)
    yield from _provider_secret(group, labels)
    yield from _access_objects(group, labels)
    if args.disruption.enabled and args.replicas:
        yield disruption_budget(group.name, namespace, labels, group.selector, args.disruption.max_unavailable)
    yield from network_policy(group.name, namespace, labels, group.selector, _open_ports(group), args.network_policy)
    yield from monitoring_objects(_watched(group), args.monitoring)
    if args.layout == "pooled":
        yield from pooled_objects(group)


def _provider_secret(group: Group, labels: dict[str, str]) -> Iterator[Manifest]:
    software = group.args.software
    if not isinstance(software, CodexFamily) or software.marketplace is None:
        return
    url = software.marketplace.eth_provider.url
    if url is None:
        return
    refs = (url,) if isinstance(url, SecretStr | Deferred) else ()
    value = Late(refs, str, "(URL of the Ethereum provider)")
    yield manifest("Secret", "v1", group.provider_secret, group.namespace, labels, type="Opaque", stringData={"url": value})


def _access_objects(group: Group, labels: dict[str, str]) -> Iterator[Manifest]:
    api = group.args.api
    if api is None:
        return
    if isinstance(api.auth, GeneratedPassword):
        yield auth_secret(f"{group.name}-api-auth", group.namespace, labels, group.name, api.auth.user)
    if api.proxied:
        yield manifest("ConfigMap", "v1", group.proxy_name, group.namespace, labels, data={"nginx.conf": group.proxy_text})
    if isinstance(api.route, Ingress) and group.args.replicas:
        yield ingress(group.name, group.namespace, labels, api, api.route, group.routed(), group.auth_name)


def _open_ports(group: Group) -> OpenPorts:
    """What the NetworkPolicy has to know: ports for peers, API and metrics, and who may come."""
    args = group.args
    nodes = min(args.replicas, 1) if args.layout == "pooled" else args.replicas
    pairs = {node_ports(args.exposure, index) for index in range(nodes)}
    pairs |= {node_ports(args.exposure, index, bootstrap=True) for index in range(args.own_bootstrap)}
    routed = None if args.api is None else args.api.proxy_port if args.api.proxied else args.ports.api
    return OpenPorts(
        peers_tcp=sorted({tcp for tcp, _ in pairs}),
        peers_udp=sorted({udp for _, udp in pairs}) if group.bootstrap_spec.has_udp else (),
        api=[args.ports.api],
        metrics=[args.ports.metrics],
        metrics_namespaces=args.monitoring.from_ if args.monitoring is not None and args.monitoring.enabled else (),
        routed=[] if routed is None else [routed],
        route_namespace=None if args.api is None else _controller_namespace(args.api),
    )


def _controller_namespace(api: ApiAccess) -> str | None:
    """Where the route's controller runs; an API without a password of its own is not opened to every pod for want of a name."""
    given = api.route.controller_namespace
    return "ingress-nginx" if given is None and isinstance(api.route, Ingress) and not api.proxied else given


def _watched(group: Group) -> Watched:
    args, spec = group.args, group.bootstrap_spec
    if args.layout == "pooled":
        quotas = {group.name: quota_bytes(args, None)}
    else:
        running = [o for o in args.ordinals() if not args.override(o).disabled]
        quotas = {group.pod_name(group.node_name(o)): quota_bytes(args, o) for o in running}
    quotas |= {group.pod_name(node): quota_bytes(args, None) for node in group.bootstrap_names}
    metrics = spec.metrics
    return Watched(
        name=group.name,
        namespace=group.namespace,
        labels=group.labels(),
        selector=group.selector,
        nodes=len([o for o in args.ordinals() if not args.override(o).disabled]) + args.own_bootstrap,
        path=spec.metrics_path,
        quota_used=metrics.quota_used if metrics is not None else None,
        quota_reserved=metrics.quota_reserved if metrics is not None else None,
        quotas=quotas,
        peers=metrics.peers if metrics is not None else None,
    )
