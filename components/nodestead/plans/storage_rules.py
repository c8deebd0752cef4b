"""Rules between the parts of a group of storage nodes: each broken one with path, value, rule and remedy."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodestead.config.base import Problem
from nodestead.config.exposure import ClusterExposure, NodePortExposure
from nodestead.config.persistence import ExistingClaim
from nodestead.config.pod import Rollout
from nodestead.kubernetes import names
from nodestead.plans.exclusive import given_claims, own_claim_problems
from nodestead.plans.ordinals import no_such_node
from nodestead.plans.storage_exposure import address_problems, port_problems
from nodestead.plans.storage_parts import GivenSprs, NamedNetwork, SecretKeys
from nodestead.plans.storage_persistence import own_claims, persistence_problems, snapshot_problems
from nodestead.plans.storage_pod_rules import pod_problems
from nodestead.software.codex import CodexFamily
from nodestead.software.custom import CustomStorage

if TYPE_CHECKING:
    from nodestead.plans.storage_args import StorageNodeGroupArgs

__all__ = ["group_problems", "name_problems"]


def group_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    """Every broken rule that the group's own config can tell."""
    yield from _node_problems(args)
    yield from address_problems(args)
    yield from port_problems(args)
    yield from persistence_problems(args)
    yield from _key_problems(args)
    yield from _software_problems(args)
    yield from snapshot_problems(args)
    yield from pod_problems(args)
    if args.layout == "pooled":
        yield from _pooled_problems(args)


def _node_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    ordinals = {str(ordinal) for ordinal in args.ordinals()}
    for node in args.nodes:
        if node not in ordinals:
            yield Problem(["nodes", node], no_such_node(args))


def _key_problems(args: "StorageNodeGroupArgs") -> Iterator[Problem]:
    software = args.software
    if isinstance(software, CodexFamily) and software.marketplace is None and args.keys is not None:
        yield Problem(["keys"], "an Ethereum key is of use with software.marketplace only; add that section, or leave keys out")
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
            yield Problem(
                ["image", "tag"],
                "is required with a custom software: without it the image is latest, which moves; give a tag or a digest",
            )
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
    yield from own_claim_problems(own_claims(name, args), given_claims(args.persistence, args.nodes), "group")


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
