"""Rules between the parts of a group of storage nodes: each broken one with path, value, rule and remedy."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import SecretStr

from nodestead.config.base import Problem
from nodestead.config.exposure import (
    ClusterExposure,
    HostPortExposure,
    LoadBalancerExposure,
    NodePortExposure,
    addresses_of,
    node_ports,
    port_range,
)
from nodestead.config.persistence import EphemeralData, ExistingClaim, VolumeData
from nodestead.config.pod import Rollout
from nodestead.config.scalars import quantity_bytes
from nodestead.kubernetes import names
from nodestead.kubernetes.route import route_path
from nodestead.plans.exclusive import Exclusive, claims_held, endpoint, given_claims, own_claim_problems
from nodestead.plans.storage_parts import GivenSprs, NamedNetwork, SecretKeys, SeedKeys, filled
from nodestead.plans.storage_pod_rules import pod_problems
from nodestead.software.codex import CodexFamily
from nodestead.software.custom import CustomStorage

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["exclusive_things", "group_problems", "name_problems", "quota_bytes", "taken_ports", "volume_size"]

_MIB = 2**20


def group_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Every broken rule that the group's own config can tell."""
    yield from _node_problems(args)
    yield from _port_problems(args)
    yield from _storage_problems(args)
    yield from _key_problems(args)
    yield from _software_problems(args)
    yield from _snapshot_problems(args)
    yield from pod_problems(args)
    if args.layout == "pooled":
        yield from _pooled_problems(args)


def _numbers(args: "StorageNodeGroupArgs") -> str:
    return f"{args.first_ordinal} to {args.first_ordinal + args.replicas - 1}" if args.replicas else "none"


def _node_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    bootstraps = {f"bootstrap-{number}" for number in range(1, args.own_bootstrap + 1)}
    for node in args.nodes:
        if node not in ordinals:
            yield Problem(["nodes", node], f"there is no such node; the nodes of the group are {_numbers(args)}")
    exposure = args.exposure
    if isinstance(exposure, LoadBalancerExposure):
        for node in exposure.load_balancer_ips:
            if node not in ordinals | bootstraps:
                yield Problem(["exposure", "loadBalancerIPs", node], f"there is no such node; the nodes are {_numbers(args)}")
    yield from _address_problems(args, ordinals, bootstraps)


def _address_problems(args: "StorageNodeGroupArgs", ordinals: set[str], bootstraps: set[str]) -> Iterator[Problem]:
    if isinstance(args.exposure, ClusterExposure):
        for node, override in args.nodes.items():
            if override.external_address is not None:
                yield Problem(
                    ["nodes", node, "externalAddress"],
                    "a private node announces its pod's address; set exposure, or leave it out",
                )
    if isinstance(args.exposure, LoadBalancerExposure):
        owners: dict[str, str] = {}
        for node, address, where in _announced(args):
            owner = owners.setdefault(address, node)
            if owner != node:
                yield Problem(where, f"{address} is that of node {owner} already; give each load balancer its own")
    addresses = addresses_of(args.exposure)
    if addresses is None:
        return
    path = ["exposure", "externalAddress", "addresses"]
    for node in addresses:
        if node not in ordinals | bootstraps:
            yield Problem([*path, node], f"there is no such node; the nodes are {_numbers(args)}")
    for node in sorted((ordinals | bootstraps) - set(addresses), key=lambda n: (len(n), n)):
        if node not in args.nodes or args.nodes[node].external_address is None:
            yield Problem(path, f"node {node} has no address; add it, peers could not dial it")


def _announced(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The given addresses that nodes announce: (node, address, path that names it)."""
    addresses = addresses_of(args.exposure) or {}
    for node, address in addresses.items():
        if isinstance(address, str) and (node not in args.nodes or args.nodes[node].external_address is None):
            yield node, address, ("exposure", "externalAddress", "addresses", node)
    for node, override in args.nodes.items():
        if isinstance(override.external_address, str):
            yield node, override.external_address, ("nodes", node, "externalAddress")


def taken_ports(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int, str, str]]:
    """The ports that a group takes on every host: (protocol, port, node, field of the exposure that gives it)."""
    exposure = args.exposure
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    has_udp = _has_udp(args)
    udp_field = "basePort" if exposure.discovery_base_port is None else "discoveryBasePort"
    pooled = args.layout == "pooled"
    for index, ordinal in enumerate(args.ordinals()):
        tcp, udp = node_ports(exposure, 0 if pooled else index)
        yield "TCP", tcp, str(ordinal), "basePort"
        if has_udp:
            yield "UDP", udp, str(ordinal), udp_field
        if pooled:
            break
    for index in range(args.own_bootstrap if exposure.bootstrap_base_port is not None else 0):
        tcp, udp = node_ports(exposure, index, bootstrap=True)
        yield "TCP", tcp, f"bootstrap-{index + 1}", "bootstrapBasePort"
        if has_udp:
            yield "UDP", udp, f"bootstrap-{index + 1}", "bootstrapBasePort"


def _has_udp(args: "StorageNodeGroupArgs") -> bool:
    return args.software.grammar.has_udp if isinstance(args.software, CodexFamily) else args.software.has_udp


def _local_ports(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int, str]]:
    """The ports that are the same in every pod: (protocol, port, what listens there)."""
    exposure = args.exposure
    yield "TCP", args.ports.api, "api"
    yield "TCP", args.ports.metrics, "metrics"
    if args.api is not None and args.api.proxied:
        yield "TCP", args.api.proxy_port, "proxy"
    for port in args.container.ports:
        yield port.protocol, port.port, f"container.ports.{port.name}"
    if isinstance(exposure, ClusterExposure | LoadBalancerExposure):
        yield "TCP", exposure.port, "peers"
        if _has_udp(args):
            yield "UDP", exposure.discovery_port, "discovery"


def _port_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    exposure = args.exposure
    local: dict[tuple[str, int], str] = {}
    for protocol, port, what in _local_ports(args):
        if (protocol, port) in local:
            yield Problem(
                ["ports"],
                f"{protocol} port {port} is taken twice in one pod, by {local[protocol, port]} and {what};"
                " give one of them another port",
            )
        local.setdefault((protocol, port), what)
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    if args.own_bootstrap and exposure.bootstrap_base_port is None:
        yield Problem(
            ["exposure", "bootstrapBasePort"],
            "is required with a bootstrap node of the group's own: public peers dial it too; give its port, or change bootstrap",
        )
    allowed = range(1, 65536)
    if isinstance(exposure, NodePortExposure):
        try:
            allowed = port_range(exposure)
        except ValueError:
            return
    yield from _range_problems(args, allowed)
    owners: dict[tuple[str, int], str] = {}
    for protocol, port, node, field in taken_ports(args):
        if (protocol, port) in local:
            yield Problem(
                ["exposure", field],
                f"{protocol} port {port} of node {node} is that of {local[protocol, port]} in the same pod; move one of them",
            )
            return
        if (protocol, port) in owners:
            yield Problem(
                ["exposure"],
                f"{protocol} port {port} is that of node {owners[protocol, port]} and of node {node}; move one of the base ports",
            )
            return
        owners[protocol, port] = node


def _range_problems(args: "StorageNodeGroupArgs", allowed: range) -> Iterator[Problem]:
    exposure = args.exposure
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    first, last = allowed[0], allowed[-1]
    kind = "nodePort" if isinstance(exposure, NodePortExposure) else "port"
    steps = 0 if args.layout == "pooled" else max(args.replicas - 1, 0)
    bases = [("basePort", exposure.base_port, steps)]
    if exposure.discovery_base_port is not None:
        bases.append(("discoveryBasePort", exposure.discovery_base_port, steps))
    if exposure.bootstrap_base_port is not None:
        bases.append(("bootstrapBasePort", exposure.bootstrap_base_port, max(args.own_bootstrap - 1, 0)))
    for field, base, count in bases:
        if base < first:
            yield Problem(["exposure", field], f"{base} is below {first}, the first {kind}; raise {field} to at least {first}")
        if base + count * exposure.offset > last:
            most = last - count * exposure.offset
            remedy = f"lower {field} to at most {most}" if most >= first else "use fewer nodes, or a smaller offset"
            yield Problem(["exposure", field], f"{base} + {count} x {exposure.offset} passes {last}, the last {kind}; {remedy}")


def quota_bytes(args: "StorageNodeGroupArgs", ordinal: int | None) -> int:
    """What a node may fill: the given quota, else its volume less the headroom, in whole MiB."""
    if args.software.quota is not None:
        return quantity_bytes(args.software.quota)
    size = volume_size(args, ordinal)
    # Without a size (a claim of somebody else's) the node's own default of 20 GiB stands.
    room = quantity_bytes(size) if size is not None else 24 * 2**30
    return max(room * 100 // (100 + args.software.headroom_percent) // _MIB * _MIB, _MIB)


def volume_size(args: "StorageNodeGroupArgs", ordinal: int | None) -> str | None:
    """The size of a node's volume, or None where somebody else made it."""
    override = None if ordinal is None else args.override(ordinal).size
    return override or args.persistence.size


def _storage_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    persistence = args.persistence
    if isinstance(persistence, ExistingClaim):
        users = [o for o in args.ordinals() if args.override(o).existing_claim is None]
        if len(users) > 1 or args.own_bootstrap:
            yield Problem(
                ["persistence", "claim"],
                f"one claim cannot hold the data of {len(users) + args.own_bootstrap} nodes; use kind: volume, or name one for"
                " each under nodes",
            )
    claims: dict[str, str] = {}
    for claim, path in given_claims(args.persistence, args.nodes):
        owner = claims.setdefault(claim, ".".join(path))
        if owner != ".".join(path):
            yield Problem(path, f"{claim!r} is that of {owner} already; name another")
    yield from _size_problems(args)
    for node, override in args.nodes.items():
        if override.size is not None and not isinstance(persistence, VolumeData | EphemeralData):
            yield Problem(["nodes", node, "size"], "the claim is somebody else's and is not resized here; leave it out")
    if args.software.quota is None:
        return
    quota, headroom = quantity_bytes(args.software.quota), args.software.headroom_percent
    for where, size in [
        (("persistence", "size"), persistence.size),
        *((("nodes", node, "size"), override.size) for node, override in args.nodes.items()),
    ]:
        if size is not None and quantity_bytes(size) * 100 < quota * (100 + headroom):
            needed = -(-quota * (100 + headroom) // 100 // _MIB)
            yield Problem(
                where,
                f"{size} is too small for a quota of {args.software.quota} and {headroom} percent of headroom: the disk would"
                f" fill before the quota stops the node; give at least {needed}Mi, or lower software.quota",
            )


def _size_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """A node with a quota of its own default overfills a smaller disk."""
    if args.software.quota is not None:
        return
    if isinstance(args.persistence, ExistingClaim) and args.persistence.size is None:
        yield Problem(
            ["persistence", "size"],
            "is required with a claim of somebody else's, the quota follows it; give it, or software.quota",
        )
    for node, override in args.nodes.items():
        if override.existing_claim is not None:
            yield Problem(
                ["nodes", node, "existingClaim"], "is a claim whose size is not known, and no quota is given; set software.quota"
            )


def _snapshot_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """A copy of a node's data is a copy of its libp2p key: two nodes with one peer id."""
    persistence, count = args.persistence, args.replicas + args.own_bootstrap
    if isinstance(persistence, VolumeData) and persistence.from_snapshot is not None and count > 1:
        remedy = (
            "restore one node in a group of layout: perNode" if args.layout == "pooled" else "name it in nodes.<n>.fromSnapshot"
        )
        yield Problem(
            ["persistence", "fromSnapshot"], f"gives {count} nodes one peer id, the key of a node lies in its data; {remedy}"
        )
    owners: dict[str, str] = {}
    for node, override in args.nodes.items():
        snapshot, path = override.from_snapshot, ["nodes", node, "fromSnapshot"]
        if snapshot is None:
            continue
        if override.existing_claim is not None or not isinstance(persistence, VolumeData):
            yield Problem(path, "no volume is made for the node; leave it out, or use persistence.kind: volume")
        if isinstance(snapshot, str) and owners.setdefault(snapshot, node) != node:
            yield Problem(
                path, f"{snapshot!r} is that of node {owners[snapshot]} already, and both had one peer id; name another"
            )


def _own_claims(name: str, args: "StorageNodeGroupArgs") -> Iterator[tuple[str, str]]:
    """Claims that a group makes itself: (claim, node)."""
    if not isinstance(args.persistence, VolumeData):
        return
    for number in range(1, args.own_bootstrap + 1):
        node = names.node_name(f"{name}-bootstrap", number)
        yield names.claim_name(names.pod_name(node, args.first_ordinal)), f"bootstrap-{number}"
    for ordinal in args.ordinals():
        if args.override(ordinal).existing_claim is not None:
            continue
        if args.layout == "pooled":
            pod = names.pod_name(name, ordinal)
        else:
            pod = names.pod_name(names.node_name(name, ordinal, prettified=args.prettified), args.first_ordinal)
        yield names.claim_name(pod), str(ordinal)


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
        for _, address, path in _announced(args):
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
        yield from claims_held(_own_claims(name, args), ())
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


def _key_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    software = args.software
    if isinstance(software, CodexFamily) and software.marketplace is None and args.keys is not None:
        yield Problem(["keys"], "an Ethereum key is of use with software.marketplace only; add it, or leave keys out")
    keys = args.keys
    if isinstance(keys, SecretKeys) and args.replicas > 1:
        template = f"{keys.name if isinstance(keys.name, str) else ''} {keys.key}"
        own = "<pod>" if args.layout == "pooled" else "<replica>"
        if own not in template:
            yield Problem(
                ["keys", "key"],
                f"gives {args.replicas} nodes one Ethereum key, and they would all sign with it; put {own} into it",
            )
    if isinstance(keys, SecretKeys) and args.layout == "pooled" and isinstance(keys.name, str) and "<" in keys.name:
        yield Problem(["keys", "name"], "a pooled group mounts one Secret; put <pod> into keys.key, not into the name")


def _software_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    software, image = args.software, args.image
    if isinstance(software, CustomStorage):
        if image.repository is None:
            yield Problem(["image", "repository"], "is required with a custom software; name its image")
        elif isinstance(image.repository, str) and image.tag is None and image.digest is None:
            yield Problem(["image", "tag"], "is required with a custom software; without it the image is latest, which moves")
        if software.nat_arg is None and not isinstance(args.exposure, ClusterExposure):
            yield Problem(
                ["software", "natArg"], "is required for public nodes: they must announce the address that peers dial; add it"
            )
        if args.own_bootstrap and (software.spr_path is None or software.bootstrap_arg is None):
            yield Problem(
                ["bootstrap"], "a bootstrap node of the group's own needs software.sprPath and software.bootstrapArg; add them"
            )
        if isinstance(args.bootstrap, GivenSprs) and software.bootstrap_arg is None:
            yield Problem(["bootstrap"], "peer records need software.bootstrapArg; add it")
        if isinstance(args.bootstrap, NamedNetwork):
            yield Problem(["bootstrap"], "a named network is unknown to a custom software; write it into software.args")
    elif isinstance(args.bootstrap, NamedNetwork) and software.grammar.networks is None:
        yield Problem(
            ["bootstrap", "name"],
            f"{software.kind} {software.version} joins no network by name; give its peer records with kind: sprs",
        )


def _pooled_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    if isinstance(args.exposure, NodePortExposure):
        yield Problem(
            ["exposure", "kind"],
            "pods of one pooled group cannot have a node port each; use hostPort or loadBalancer, or layout: perNode",
        )
    if args.prettify:
        yield Problem(["prettify"], "pods of a pooled group are numbered; leave it out, or use layout: perNode")
    if isinstance(args.persistence, ExistingClaim):
        yield Problem(
            ["persistence", "kind"], "pods of a pooled group make their own claims; use kind: volume, or layout: perNode"
        )
    if args.api is not None:
        yield Problem(["api"], "a pooled group has no Service for each node to route to; leave it out, or use layout: perNode")
    if args.rollout.max_unavailable != Rollout().max_unavailable:
        yield Problem(
            ["rollout", "maxUnavailable"],
            f"{args.rollout.max_unavailable} has no effect, a pooled group rolls one pod at a time; leave it out, or use"
            " layout: perNode",
        )
    if not args.prettify_services and not args.own_bootstrap:
        yield Problem(
            ["prettifyServices"],
            "false has no effect, a pooled group has one Service for all nodes; leave it out, or use layout: perNode",
        )
    for node in args.nodes:
        yield Problem(["nodes", node], "pods of a pooled group are alike; leave it out, or use layout: perNode")


def name_problems(name: str, args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """A name that is none, that makes others too long, or that makes a claim that another node was given."""
    if not re.fullmatch(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", name):
        yield Problem(
            [],
            f"{name!r} is refused as a name: names of Services have lower-case letters, digits and hyphens, and start with a"
            " letter; rename the group",
        )
        return
    text, most = max(_names_with_limits(name, args), key=lambda pair: len(pair[0]) - pair[1])
    if len(text) > most:
        yield Problem(
            [], f"{text} has {len(text)} characters, {most} are allowed; shorten the group's name by {len(text) - most}"
        )
    yield from own_claim_problems(_own_claims(name, args), given_claims(args.persistence, args.nodes), "group")


def _names_with_limits(name: str, args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int]]:
    """The longest names that a group makes, whatever its exposure, and how long each may be."""
    last = max(args.ordinals(), default=args.first_ordinal)
    pooled = args.layout == "pooled"
    nodes = [(name, names.pod_name(name, last))] if pooled else []
    alone = [] if pooled else [names.node_name(name, last)]
    alone += [names.node_name(f"{name}-bootstrap", number) for number in range(1, args.own_bootstrap + 1)]
    nodes += [(node, names.pod_name(node, args.first_ordinal)) for node in alone]
    for node, pod in nodes:
        yield node, names.LONGEST_WORKLOAD
        yield pod, names.LONGEST_LABEL
        owner = pod if pooled and node == name else node
        yield names.service_name(node, pod, prettify=args.prettify_services), names.LONGEST_LABEL
        yield names.peer_service_name(owner, pod, "loadBalancer", prettify=args.prettify_services), names.LONGEST_LABEL
