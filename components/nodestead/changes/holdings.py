"""What the running nodes of a stack hold that no other node may have: keys, identities, volumes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nodestead.changes.clusters import cluster
from nodestead.changes.guards import guards
from nodestead.changes.mounts import CONSENSUS_KEY, NODE_KEY, claim_volumes, held_keys, is_known, ordinals, template_claims
from nodestead.changes.plain import at
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, replicas

__all__ = ["DATA", "Held", "Thing", "holdings"]

Thing = tuple[str, ...]
"""What makes a key or a volume the same one, in whatever stack it is."""

DATA: Final = "data"
"""The volume of a node, as its volume is called; the files of keys stand for theirs."""


@dataclass(frozen=True, slots=True)
class Held:
    """A thing that a running node holds.

    Attributes:
        file: The file of the key; `DATA` for a volume.
        text: What to call the thing.
        cluster: What names the cluster of the node; empty where nothing does.
        namespace: The node's namespace.
        node: Its name.
        subject: Its set.
        guarded: Whether a guard lets one node of its namespace hold it.
    """

    file: str
    text: str
    cluster: str
    namespace: str
    node: str
    subject: str
    guarded: bool = False

    def is_beside(self, other: "Held") -> bool:
        """Whether both nodes are certain to be in one namespace of one cluster."""
        return bool(self.cluster) and (self.cluster, self.namespace) == (other.cluster, other.namespace)

    def is_same_node(self, other: "Held") -> bool:
        """Whether two stacks name one node: there is one pod of it then."""
        return self.is_beside(other) and self.node == other.node


def holdings(snapshot: Snapshot) -> dict[Thing, list[Held]]:
    """What the running nodes of a stack hold, what tells a key by itself first.

    An address or an id is of one key wherever it stands. A Secret or a claim is the same one in one namespace of one cluster
    only, since stages of one network have equal names in clusters of their own.

    Args:
        snapshot: A state of the stack.
    """
    found: dict[Thing, list[Held]] = {}
    where = cluster(snapshot)
    for thing, held in (*_addresses(snapshot, where), *_node_ids(snapshot, where), *_placed(snapshot, where)):
        of_thing = found.setdefault(thing, [])
        if held not in of_thing:
            of_thing.append(held)
    return found


def _addresses(snapshot: Snapshot, where: str) -> Iterator[tuple[Thing, Held]]:
    for address, holders in guards(snapshot).items():
        for one in holders:
            if one.runs:
                text = f"the consensus key {address}"
                yield ("address", address), Held(CONSENSUS_KEY, text, where, one.namespace, one.node, one.subject, guarded=True)


# A rendering shows a text in the place of an id that comes from a seed.
_NODE_ID: Final = re.compile(r"[0-9a-f]{40}")


def _node_ids(snapshot: Snapshot, where: str) -> Iterator[tuple[Thing, Held]]:
    """The ids of chain nodes; one in two networks does no harm, and a local network is one by itself."""
    running = {(item.namespace, item.name) for item in snapshot.of_kind(*WORKLOADS) if replicas(item)}
    for item in snapshot.of_kind("ConfigMap"):
        text = item.at("data", "node.json")
        if not isinstance(text, str) or (item.namespace, item.node) not in running:
            continue
        node = _parsed(text)
        given, chain = at(node, "keys", "node_id"), at(node, "chain_id")
        if at(node, "health", "local") is True:
            continue
        if isinstance(given, str) and isinstance(chain, str) and _NODE_ID.fullmatch(given):
            yield (
                ("node id", chain, given),
                Held(NODE_KEY, f"the node id {given}", where, item.namespace, item.node, subject(item)),
            )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _placed(snapshot: Snapshot, where: str) -> Iterator[tuple[Thing, Held]]:
    """Keys and volumes that are told by the name of an object, where it is known which cluster has it."""
    if not where:
        return
    for item in snapshot.of_kind(*WORKLOADS):
        if not replicas(item):
            continue
        node, name = item.node or item.name, subject(item)
        for pod, use in held_keys(item):
            if all(map(is_known, (*use.secrets, use.entry))):
                called = node if replicas(item) == 1 else pod
                thing = ("key", use.file, where, item.namespace, *use.secrets, use.entry)
                yield thing, Held(use.file, f"the key in {use}", where, item.namespace, called, name)
        for claim in _data_claims(item):
            thing = ("claim", where, item.namespace, claim)
            yield thing, Held(DATA, f"the claim {claim}", where, item.namespace, node, name)


def _data_claims(item: Item) -> Iterator[str]:
    """The claims with the data of a node; others that a pod mounts, many may be meant to read."""
    if item.set:
        given = claim_volumes(item).get(DATA)
        yield from (claim for claim in (given, *template_claims(item, ordinals(item), {DATA})) if is_known(claim) and claim)
