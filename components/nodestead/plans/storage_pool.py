"""The pooled layout: one StatefulSet for all nodes of a group, what differs between them by pod name."""

from collections.abc import Iterator
from typing import Any

from nodestead.config.exposure import ClusterExposure, FixedAddress, LoadBalancerExposure, ServedAddress, node_ports
from nodestead.config.persistence import VolumeData
from nodestead.keys import ethereum_address, ethereum_key
from nodestead.kubernetes import names
from nodestead.kubernetes.metadata import KEPT, base64_text, manifest
from nodestead.kubernetes.objects import Late, Manifest, NodePlan, Seed
from nodestead.kubernetes.pod import stateful_set
from nodestead.kubernetes.service import cluster_service, peer_service, service_port
from nodestead.kubernetes.storage import claim_spec
from nodestead.plans.storage_group import Group
from nodestead.plans.storage_parts import NodeOverride, SecretKeys, SeedKeys
from nodestead.plans.storage_pod import NodeFacts, served_address
from nodestead.plans.storage_workload import (
    data_volume,
    image_of,
    key_source,
    pod_template,
    scratch_volumes,
    workload_shell,
)

__all__ = ["KEYS_PER_SECRET", "pool_plan", "pooled_objects"]

KEYS_PER_SECRET = 500
"""Keys of a pooled group that share a Secret: far below 1 MiB, and the same keys whatever the number of replicas."""


def pooled_objects(group: Group) -> Iterator[Manifest]:
    """What the pods of a pooled group share: a headless Service, their addresses, a Service for peers each."""
    args, labels = group.args, group.labels()
    ports = [service_port("api", args.ports.api), service_port("metrics", args.ports.metrics)]
    yield cluster_service(group.name, group.namespace, labels, group.node_selector(group.name), ports, headless=True)
    exposure = args.exposure
    if isinstance(exposure, LoadBalancerExposure):
        tcp, udp = node_ports(exposure, 0)
        both = (tcp, udp if group.bootstrap_spec.has_udp else None)
        for ordinal in args.ordinals():
            pod = names.pod_name(group.name, ordinal)
            selector = {**group.selector, "statefulset.kubernetes.io/pod-name": pod}
            address = exposure.load_balancer_ips.get(str(ordinal))
            yield peer_service(_pod_balancer(pod), group.namespace, labels, selector, exposure, both, address)
    addresses = _pooled_addresses(group)
    if addresses:
        yield manifest("ConfigMap", "v1", f"{group.name}-addresses", group.namespace, labels, data=addresses)
    if isinstance(group.keys, SeedKeys):
        yield from _pooled_keys(group, group.keys, labels)


def _pod_balancer(pod: str) -> str:
    return f"{pod}-loadbalancer"


def _pooled_addresses(group: Group) -> dict[str, Any]:
    """The address that each pod announces, by its name; empty where pods find theirs out."""
    exposure = group.args.exposure
    if isinstance(exposure, ClusterExposure):
        return {}
    source = exposure.external_address
    pods = {str(ordinal): names.pod_name(group.name, ordinal) for ordinal in group.args.ordinals()}
    if isinstance(source, FixedAddress):
        return {pods[node]: address for node, address in source.addresses.items() if node in pods}
    if isinstance(source, ServedAddress):
        return {pod: served_address(_pod_balancer(pod)) for pod in pods.values()}
    return {}


def _chunks(group: Group) -> list[int]:
    """Which blocks of keys the group's nodes fall into."""
    ordinals = group.args.ordinals()
    return list(range(ordinals[0] // KEYS_PER_SECRET, ordinals[-1] // KEYS_PER_SECRET + 1)) if ordinals else []


def _chunk_name(group: Group, chunk: int, generation: int) -> str:
    return names.key_secret_name(f"{group.name}-{chunk}", generation)


def _pooled_keys(group: Group, keys: SeedKeys, labels: dict[str, str]) -> Iterator[Manifest]:
    for chunk in _chunks(group):
        ordinals = range(chunk * KEYS_PER_SECRET, (chunk + 1) * KEYS_PER_SECRET)
        pods = {ordinal: names.pod_name(group.name, ordinal) for ordinal in ordinals}

        def make(seed: str, pods: dict[int, str] = pods) -> dict[str, str]:
            return {pod: base64_text(ethereum_key(seed, ordinal, keys.generation)) for ordinal, pod in pods.items()}

        marker = base64_text(key_source(group, keys.generation))
        data = Late.of(Seed(group.name), make, dict.fromkeys(pods.values(), marker))
        name = _chunk_name(group, chunk, keys.generation)
        yield manifest("Secret", "v1", name, group.namespace, labels, KEPT, type="Opaque", immutable=True, data=data)


def _key_path(group: Group) -> str:
    """The entry with a pod's own key, from what the pod knows of itself: growing the group changes no pod."""
    if isinstance(group.keys, SecretKeys):
        return group.keys.key.replace("<replica>", "$(POD_INDEX)").replace("<pod>", "$(POD_INDEX)")
    return "$(POD_NAME)"


def pool_plan(group: Group) -> NodePlan:
    """The one workload of a pooled group."""
    args, node = group.args, group.name
    labels = group.node_labels(node)
    ports = node_ports(args.exposure, 0)
    spec = group.spec(group.role(args.first_ordinal, ports, has_key=group.keys is not None))
    facts = NodeFacts(
        spec=spec,
        image=image_of(group, NodeOverride()),
        ports=ports,
        bootstrap_urls=group.bootstrap_urls,
        address_map=bool(_pooled_addresses(group)),
        has_key=group.keys is not None,
        key_path=_key_path(group),
    )
    persistence = args.persistence
    volumes = scratch_volumes(group)
    claim_template: dict[str, Any] | None = None
    if isinstance(persistence, VolumeData):
        # The template of claims is immutable: no label in it that a user may want to change.
        own = {key: value for key, value in labels.items() if key not in args.labels}
        metadata: dict[str, Any] = {"name": "data", "labels": own}
        if persistence.annotations:
            metadata["annotations"] = persistence.annotations
        claim_template = {"metadata": metadata, "spec": claim_spec(persistence, persistence.size)}
    else:
        volumes = [data_volume(group, None, None), *volumes]
    if facts.address_map:
        volumes.append({"name": "addresses", "configMap": {"name": f"{group.name}-addresses"}})
    keys = group.keys
    if isinstance(keys, SeedKeys):
        sources = [{"secret": {"name": _chunk_name(group, chunk, keys.generation)}} for chunk in _chunks(group)]
        volumes.append({"name": "key", "projected": {"defaultMode": 0o440, "sources": sources}})
    elif keys is not None:
        volumes.append({"name": "key", "secret": {"secretName": keys.name, "defaultMode": 0o440}})
    workload = stateful_set(
        workload_shell(group, node, labels, spec),
        selector=group.node_selector(node),
        first_ordinal=args.first_ordinal,
        template=pod_template(group, labels, facts, volumes, None, routed=False),
        replicas=args.replicas,
        service=group.name,
        claim_template=claim_template,
    )
    outputs: dict[str, Any] = {
        "service": group.name,
        "apiPath": spec.api_path,
        "apiPort": args.ports.api,
        "pods": [names.pod_name(group.name, ordinal) for ordinal in args.ordinals()],
    }
    if isinstance(keys, SeedKeys):
        ordinals, generation = args.ordinals(), keys.generation

        def addresses(seed: str) -> dict[str, str]:
            return {
                names.pod_name(group.name, ordinal): ethereum_address(ethereum_key(seed, ordinal, generation))
                for ordinal in ordinals
            }

        outputs["ethereumAddresses"] = Late.of(Seed(group.name), addresses, f"addresses of {key_source(group, generation)}")
    return NodePlan(node, args.first_ordinal, [workload], outputs)
