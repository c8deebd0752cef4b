"""What a storage group has for itself in its stack: claims, snapshots, paths of routes, addresses, keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import SecretStr

from nodestead.config.exposure import LoadBalancerExposure
from nodestead.config.persistence import VolumeData
from nodestead.kubernetes.route import route_path
from nodestead.plans.exclusive import Exclusive, claims_held, endpoint, given_claims
from nodestead.plans.storage_exposure import announced
from nodestead.plans.storage_parts import SecretKeys, SeedKeys, filled
from nodestead.plans.storage_persistence import own_claims

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["exclusive_things"]


def exclusive_things(args: "StorageNodeGroupArgs", name: str | None = None) -> Iterator[Exclusive]:
    """What no two nodes of a stack may share, as `shared_problems` compares it.

    Args:
        args: The group.
        name: Its name; without it, what goes by that name is left out: claims that the group makes, paths called by it.
    """
    yield from _exclusive_names(args, name)
    if isinstance(args.exposure, LoadBalancerExposure):
        for node, address in args.exposure.load_balancer_ips.items():
            path = ("exposure", "loadBalancerIPs", node)
            rule, remedy = f"{address} is that of a load balancer of", "give each its own"
            yield ("address", address), path, rule, remedy
            yield endpoint(address, args.exposure.port), path, rule, remedy
        for _, address, path in announced(args):
            thing = endpoint(address, args.exposure.port)
            yield thing, path, f"{address} with port {args.exposure.port} is announced by", "give each load balancer its own"
    yield from claims_held((), given_claims(args.persistence, args.nodes))
    keys, remedy = args.keys, "two nodes would sign with one key; use another"
    if isinstance(keys, SecretKeys) and isinstance(keys.name, str):
        for ordinal in args.ordinals():
            pod = ordinal if args.layout == "pooled" else args.first_ordinal
            entry = tuple(filled(text, ordinal, pod, prettified=args.prettified) for text in (keys.name, keys.key))
            yield ("entry", *entry), ("keys",), "names keys of", f"{remedy} Secret, or other entries"
    if isinstance(keys, SeedKeys) and isinstance(keys.seed, SecretStr):
        for ordinal in args.ordinals():
            one = ("seed", keys.seed.get_secret_value().lower(), keys.generation, ordinal)
            yield one, ("keys", "seed"), "gives keys of", f"{remedy} seed, or other ordinals"


def _exclusive_names(args: "StorageNodeGroupArgs", name: str | None) -> Iterator[Exclusive]:
    """Claims, snapshots and paths of routes, as `exclusive_things` gives them."""
    if name is not None:
        yield from claims_held(own_claims(name, args), ())
    persistence = args.persistence
    if isinstance(persistence, VolumeData) and isinstance(persistence.from_snapshot, str):
        path = ("persistence", "fromSnapshot")
        yield ("snapshot", persistence.from_snapshot), path, "gives one peer id to nodes of this group and of", "name another"
    for node, override in args.nodes.items():
        if isinstance(override.from_snapshot, str):
            path = ("nodes", node, "fromSnapshot")
            yield ("snapshot", override.from_snapshot), path, "gives one peer id to nodes of this group and of", "name another"
    route = None if args.api is None else args.api.route
    if route is None or (route.node_name is None and name is None):
        return
    for ordinal in args.ordinals():
        way = route_path(route, name or "", ordinal, args.first_ordinal, prettified=args.prettified)
        for host in route.hosts:
            yield ("way", host, way), ("api", "route"), f"{host}{way} leads to a node of", "set another path, nodeName or host"
