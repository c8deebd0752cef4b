"""Rules between the parts of a group of storage nodes: each broken one with path, value, rule and remedy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
from nodestead.config.scalars import quantity_bytes
from nodestead.kubernetes import names
from nodestead.plans.storage_parts import GivenSprs, NamedNetwork, SecretKeys
from nodestead.software.codex import CodexFamily
from nodestead.software.codex_versions import COMPUTED
from nodestead.software.custom import CustomStorage

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["group_problems", "name_problems", "quota_bytes", "taken_ports", "volume_size"]

_MIB = 2**20


def group_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Every broken rule that the group's own config can tell."""
    yield from _node_problems(args)
    yield from _port_problems(args)
    yield from _storage_problems(args)
    yield from _key_problems(args)
    yield from _software_problems(args)
    yield from _env_problems(args)
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


def taken_ports(args: "StorageNodeGroupArgs") -> Iterator[tuple[str, int, str, str]]:
    """The ports that a group takes on every host: (protocol, port, node, field of the exposure that gives it)."""
    exposure = args.exposure
    if not isinstance(exposure, NodePortExposure | HostPortExposure):
        return
    has_udp = args.software.grammar.has_udp if isinstance(args.software, CodexFamily) else args.software.has_udp
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


def _port_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    exposure = args.exposure
    local = {"api": args.ports.api, "metrics": args.ports.metrics}
    if args.api is not None and args.api.proxied:
        local["proxy"] = args.api.proxy_port
    local |= {f"container.ports.{port.name}": port.port for port in args.container.ports if port.protocol == "TCP"}
    if isinstance(exposure, ClusterExposure | LoadBalancerExposure):
        local["peers"] = exposure.port
    seen: dict[int, str] = {}
    for what, port in local.items():
        if port in seen:
            yield Problem(
                ["ports"], f"{port} is taken twice in one pod, by {seen[port]} and {what}; give one of them another port"
            )
        seen.setdefault(port, what)
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
    for protocol, port, node, _ in taken_ports(args):
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
    for node, override in args.nodes.items():
        if override.existing_claim is not None and isinstance(override.existing_claim, str):
            if override.existing_claim in claims:
                yield Problem(
                    ["nodes", node, "existingClaim"],
                    f"{override.existing_claim!r} is that of node {claims[override.existing_claim]} already; name another",
                )
            claims.setdefault(override.existing_claim, node)
        if override.size is not None and not isinstance(persistence, VolumeData | EphemeralData):
            yield Problem(["nodes", node, "size"], "the claim is somebody else's and is not resized here; leave it out")
    if args.software.quota is None:
        return
    quota, headroom = quantity_bytes(args.software.quota), args.software.headroom_percent
    for where, ordinal in [
        (("persistence", "size"), None),
        *((("nodes", n, "size"), int(n)) for n, o in args.nodes.items() if o.size),
    ]:
        size = volume_size(args, ordinal if ordinal in args.ordinals() else None)
        if size is not None and quantity_bytes(size) * 100 < quota * (100 + headroom):
            needed = -(-quota * (100 + headroom) // 100 // _MIB)
            yield Problem(
                where,
                f"{size} is too small for a quota of {args.software.quota} and {headroom} percent of headroom: the disk would"
                f" fill before the quota stops the node; give at least {needed}Mi, or lower software.quota",
            )


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


def _env_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    if not isinstance(args.software, CodexFamily):
        return
    grammar = args.software.grammar
    places = [(("container", "env"), args.container.env), *((("nodes", n, "env"), o.env) for n, o in args.nodes.items())]
    for path, env in places:
        for name in env:
            prefix, _, rest = name.partition("_")
            flag = rest.lower().replace("_", "-")
            if prefix not in ("CODEX", "STORAGE", "ARCHIVIST"):
                continue
            if prefix != grammar.prefix:
                yield Problem(
                    [*path, name], f"{args.software.kind} {args.software.version} reads {grammar.prefix}_ only; rename it"
                )
            elif flag in COMPUTED:
                yield Problem([*path, name], f"is computed; {COMPUTED[flag]}")
            elif flag not in args.software.known_options(grammar):
                yield Problem(
                    [*path, name],
                    f"{args.software.kind} {args.software.version} has no --{flag} and would ignore it; leave it out",
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
    for node in args.nodes:
        yield Problem(["nodes", node], "pods of a pooled group are alike; leave it out, or use layout: perNode")


def name_problems(name: str, args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Names that get too long, or that a DNS name cannot begin with."""
    if not name[:1].isalpha():
        yield Problem([], f"{name!r} is refused as a name: names of Services start with a letter; rename the group")
    last = max(args.ordinals(), default=args.first_ordinal)
    workload = names.node_name(name, last) if args.layout == "perNode" else name
    if args.own_bootstrap:
        workload = max(workload, names.node_name(f"{name}-bootstrap", args.own_bootstrap), key=len)
    pod = names.pod_name(workload, last)
    longest = {
        workload: names.LONGEST_WORKLOAD,
        names.peer_service_name(workload, pod, "loadBalancer", prettify=args.prettify_services): names.LONGEST_LABEL,
        names.service_name(workload, pod, prettify=args.prettify_services): names.LONGEST_LABEL,
        pod: names.LONGEST_LABEL,
    }
    for text, most in longest.items():
        if len(text) > most:
            yield Problem(
                [], f"{text} has {len(text)} characters, {most} are allowed; shorten the group's name by {len(text) - most}"
            )
            return
