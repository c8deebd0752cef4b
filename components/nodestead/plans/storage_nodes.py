"""The objects of each node of a group: Services, claim, key, workload."""

from collections.abc import Iterator
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.exposure import (
    ClusterExposure,
    FixedAddress,
    LoadBalancerExposure,
    NodePortExposure,
    ServedAddress,
    node_ports,
)
from nodestead.config.persistence import EphemeralData, ExistingClaim
from nodestead.keys import ethereum_address, ethereum_key
from nodestead.kubernetes import names
from nodestead.kubernetes.metadata import KEPT, base64_text, manifest
from nodestead.kubernetes.objects import Late, Manifest, NodePlan, Seed
from nodestead.kubernetes.pod import stateful_set
from nodestead.kubernetes.route import PROXY_PORT_NAME, RoutedNode, http_route, route_path
from nodestead.kubernetes.service import cluster_service, peer_service, service_port
from nodestead.kubernetes.storage import claim
from nodestead.plans.storage_group import Group
from nodestead.plans.storage_parts import NodeOverride, SecretKeys, SeedKeys, filled
from nodestead.plans.storage_persistence import volume_size
from nodestead.plans.storage_pod import NodeFacts, served_address
from nodestead.plans.storage_pool import pool_plan
from nodestead.plans.storage_workload import (
    KEY_ENTRY,
    data_volume,
    image_of,
    key_source,
    pod_template,
    scratch_volumes,
    workload_shell,
)
from nodestead.software.spec import NodeSpec

__all__ = ["node_plans"]


def node_plans(group: Group) -> Iterator[NodePlan]:
    """The nodes of a group one by one, its own bootstrap nodes first."""
    for index, node in enumerate(group.bootstrap_names):
        yield _patched(group, _bootstrap_node(group, node, index))
    if group.args.layout == "pooled":
        if group.args.replicas:
            yield _patched(group, pool_plan(group))
        return
    for index, ordinal in enumerate(group.args.ordinals()):
        yield _patched(group, _node(group, ordinal, index))


def _patched(group: Group, plan: NodePlan) -> NodePlan:
    if not group.patches:
        return plan
    return NodePlan(plan.name, plan.ordinal, [group.patches.apply(m) for m in plan.manifests], plan.outputs)


def _node(group: Group, ordinal: int, index: int) -> NodePlan:
    args = group.args
    node = group.node_name(ordinal)
    labels = group.node_labels(node)
    override = args.override(ordinal)
    ports = node_ports(args.exposure, index)
    spec = group.spec(group.role(ordinal, ports, has_key=group.keys is not None))
    facts = NodeFacts(
        spec=spec,
        image=image_of(group, override),
        ports=ports,
        bootstrap_urls=group.bootstrap_urls,
        address=_given_address(group, str(ordinal), override),
        balancer=_balancer(group, node),
        has_key=group.keys is not None,
        resources=override.resources,
        env=override.env,
    )
    manifests = list(_services(group, node, labels, spec, ports, str(ordinal)))
    claim_name, claims = _claim(group, node, labels, ordinal, override)
    manifests += claims
    key_secret, key_objects = _key(group, node, labels, ordinal)
    manifests += key_objects
    api = args.api
    if api is not None and api.route.kind == "httpRoute":
        path = route_path(api.route, group.name, ordinal, args.first_ordinal, prettified=args.prettified)
        port = api.proxy_port if api.proxied else args.ports.api
        routed = RoutedNode(path, group.service_name(node), group.api_port_name)
        manifests.append(http_route(node, group.namespace, labels, api.route, routed, port, rewrite=not api.proxied))
    volumes = [data_volume(group, claim_name, ordinal), *scratch_volumes(group)]
    if key_secret is not None:
        volumes.append({"name": "key", "secret": key_secret})
    template = pod_template(group, labels, facts, volumes, override.node_selector, routed=True)
    manifests.append(
        stateful_set(
            workload_shell(group, node, labels, spec),
            selector=group.node_selector(node),
            first_ordinal=args.first_ordinal,
            template=template,
            replicas=0 if override.disabled else None,
        )
    )
    outputs = _outputs(group, node, spec, facts, disabled=override.disabled)
    if isinstance(group.keys, SeedKeys):
        outputs["ethereumAddress"] = _address_output(group, ordinal, group.keys.generation)
    return NodePlan(node, ordinal, manifests, outputs)


def _bootstrap_node(group: Group, node: str, index: int) -> NodePlan:
    args = group.args
    labels = group.node_labels(node, bootstrap=True)
    called = f"bootstrap-{index + 1}"
    ports = node_ports(args.exposure, index, bootstrap=True)
    spec = group.spec(group.role(None, ports, has_key=False, isolated=index == 0))
    facts = NodeFacts(
        spec=spec,
        image=image_of(group, NodeOverride()),
        ports=ports,
        bootstrap_urls=tuple(url for other, url in zip(group.bootstrap_names, group.bootstrap_urls, strict=True) if other < node),
        address=_given_address(group, called, NodeOverride()),
        balancer=_balancer(group, node),
    )
    manifests = list(_services(group, node, labels, spec, ports, called))
    claim_name, claims = _claim(group, node, labels, None, NodeOverride())
    manifests += claims
    volumes = [data_volume(group, claim_name, None), *scratch_volumes(group)]
    template = pod_template(group, labels, facts, volumes, None, routed=False)
    shell = workload_shell(group, node, labels, spec)
    manifests.append(stateful_set(shell, selector=group.node_selector(node), first_ordinal=args.first_ordinal, template=template))
    return NodePlan(node, None, manifests, _outputs(group, node, spec, facts))


def _given_address(group: Group, node: str, override: NodeOverride) -> str | Deferred | None:
    if override.external_address is not None:
        return override.external_address
    exposure = group.args.exposure
    if isinstance(exposure, ClusterExposure) or not isinstance(exposure.external_address, FixedAddress):
        return None
    return exposure.external_address.addresses[node]


def _balancer(group: Group, node: str) -> str | None:
    exposure = group.args.exposure
    served = isinstance(exposure, LoadBalancerExposure) and isinstance(exposure.external_address, ServedAddress)
    return group.peer_service_name(node) if served else None


def _services(
    group: Group, node: str, labels: dict[str, str], spec: NodeSpec, ports: tuple[int, int], called: str
) -> Iterator[Manifest]:
    args, selector = group.args, group.node_selector(node)
    entries = [service_port("api", args.ports.api), service_port("metrics", args.ports.metrics)]
    if args.api is not None and args.api.proxied and called.isdigit():
        entries.append(service_port(PROXY_PORT_NAME, args.api.proxy_port))
    entries += [service_port(port.name, port.port, port.protocol) for port in args.container.ports if port.service]
    yield cluster_service(group.service_name(node), group.namespace, labels, selector, entries)
    exposure = args.exposure
    if isinstance(exposure, NodePortExposure | LoadBalancerExposure):
        address = exposure.load_balancer_ips.get(called) if isinstance(exposure, LoadBalancerExposure) else None
        both = (ports[0], ports[1] if spec.has_udp else None)
        yield peer_service(group.peer_service_name(node), group.namespace, labels, selector, exposure, both, address)


def _claim(
    group: Group, node: str, labels: dict[str, str], ordinal: int | None, override: NodeOverride
) -> tuple[str | Deferred | None, list[Manifest]]:
    """The name of the claim that a node uses, and the claim where it is ours."""
    persistence = group.args.persistence
    if override.existing_claim is not None:
        return override.existing_claim, []
    if isinstance(persistence, ExistingClaim):
        return persistence.claim, []
    if isinstance(persistence, EphemeralData):
        return None, []
    name = names.claim_name(group.pod_name(node))
    size = volume_size(group.args, ordinal) or persistence.size
    return name, [claim(name, group.namespace, labels, persistence, size, override.from_snapshot)]


def _key(group: Group, node: str, labels: dict[str, str], ordinal: int) -> tuple[dict[str, Any] | None, list[Manifest]]:
    """The source of a node's key volume, and the Secret where it is ours."""
    keys = group.keys
    if keys is None:
        return None, []
    if isinstance(keys, SecretKeys):
        prettified, first = group.args.prettified, group.args.first_ordinal
        name = filled(keys.name, ordinal, first, prettified=prettified) if isinstance(keys.name, str) else keys.name
        entry = filled(keys.key, ordinal, first, prettified=prettified)
        return {"secretName": name, "defaultMode": 0o440, "items": [{"key": entry, "path": KEY_ENTRY}]}, []
    generation = keys.generation
    name = names.key_secret_name(node, generation)
    value = Late.of(
        Seed(group.name),
        lambda seed: base64_text(ethereum_key(seed, ordinal, generation)),
        base64_text(key_source(group, generation)),
    )
    secret = manifest("Secret", "v1", name, group.namespace, labels, KEPT, type="Opaque", immutable=True, data={KEY_ENTRY: value})
    return {"secretName": name, "defaultMode": 0o440}, [secret]


def _outputs(group: Group, node: str, spec: NodeSpec, facts: NodeFacts, *, disabled: bool = False) -> dict[str, Any]:
    service, namespace = group.service_name(node), group.namespace
    port = group.args.ports.api

    def address(text: str) -> str:
        return f"http://{service}.{text}:{port}"

    url = address(namespace) if isinstance(namespace, str) else Late.of(namespace, address, address("(namespace)"))
    outputs: dict[str, Any] = {"service": service, "apiUrl": url, "apiPath": spec.api_path, "announced": _announced(group, facts)}
    if disabled:
        outputs["disabled"] = True
    return outputs


def _announced(group: Group, facts: NodeFacts) -> Any:
    """What the node tells its peers, as a multiaddress; what only the pod can find out stands in angle brackets."""
    tcp = facts.ports[0]

    def address(ip: str) -> str:
        return f"/{'ip6' if ':' in ip else 'ip4'}/{ip}/tcp/{tcp}"

    if facts.balancer is not None and facts.address is None:
        served = served_address(facts.balancer)
        return Late.of(served.refs[0], lambda ingress: address(served.make(ingress)), address(served.stand_in))
    if facts.address is None:
        exposure = group.args.exposure
        source = "pod address" if isinstance(exposure, ClusterExposure) else exposure.external_address.kind
        return address(f"<{source}>")
    if isinstance(facts.address, str):
        return address(facts.address)
    return Late.of(facts.address, address, address("(address)"))


def _address_output(group: Group, ordinal: int, generation: int) -> Late:
    return Late.of(
        Seed(group.name),
        lambda seed: ethereum_address(ethereum_key(seed, ordinal, generation)),
        f"address of {key_source(group, generation)}",
    )
