"""Risk rules over several stacks: what two of them would hold at the same time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from nodestead.changes.clusters import cluster
from nodestead.changes.compare import Comparison, Neighbour, once
from nodestead.changes.holdings import DATA, Held, Thing, holdings
from nodestead.changes.mounts import NODE_KEY
from nodestead.changes.names import counted, folded_names
from nodestead.changes.rule import Found, Rule, Stop
from nodestead.changes.rules.keys import SHARED_COSTS
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS
from nodestead.kubernetes.names import GUARD
from nodestead.kubernetes.objects import Identity

__all__ = ["RULES"]

_COSTS: Final = {**SHARED_COSTS, DATA: "both write into one volume and spoil each other's data, and are one peer to all others"}

_Holdings = dict[Thing, list[Held]]
_Pair = tuple[Held, Held]
"""A node of the stack and one of the other stack."""


@once
def _known(other: Neighbour) -> tuple[_Holdings, _Holdings]:
    """What a stack's nodes hold before and afterwards."""
    try:
        return holdings(other.base), holdings(other.head)
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
        # Of a stack with objects that no API server takes, its own report says so.
        return {}, {}


def _held_by_two(comparison: Comparison) -> Iterator[Found]:
    if not comparison.others:
        return
    own = holdings(comparison.base), holdings(comparison.head)

    def cases(other: Neighbour) -> Iterator[Found]:
        theirs = _known(other)
        yield from _told(_shared(own, theirs))
        yield from _moved(own, theirs)

    yield from _by_stacks(comparison, cases)


_OTHER: Final = "\0"
"""What stands for the other stack, until it is known of how many the same is to be told."""


def _by_stacks(comparison: Comparison, cases: Callable[[Neighbour], Iterable[Found]]) -> Iterator[Found]:
    """The cases with each other stack, equal ones as one: a hundred copies of a stack are no ten thousand findings."""
    found: dict[Found, list[str]] = {}
    for name, other in comparison.others.items():
        for case in cases(other):
            found.setdefault(case, []).append(name)
    for case, names in found.items():
        yield replace(case, what=case.what.replace(_OTHER, f"{'stack' if len(names) == 1 else 'stacks'} {folded_names(names)}"))


def _shared(own: tuple[_Holdings, _Holdings], theirs: tuple[_Holdings, _Holdings]) -> Iterator[tuple[_Pair, Stop | None, str]]:
    """The pairs of nodes that hold one thing afterwards and did not before, each once for what it shares."""
    told: set[tuple[str, str, str, str, str]] = set()
    for thing, mine in own[1].items():
        for one in mine:
            for two in theirs[1].get(thing, ()):
                key = (one.file, one.namespace, one.node, two.namespace, two.node)
                if one.is_same_node(two) or key in told:
                    continue
                told.add(key)
                held, was_held = one in own[0].get(thing, ()), two in theirs[0].get(thing, ())
                if held and was_held:
                    continue
                stops, end = None, ""
                if one.guarded and one.is_beside(two):
                    stops = "update" if was_held else None
                    end = f"; its guard stops the update before {one.node} starts" if was_held else "; its guard lets one start"
                yield (one, two), stops, end


def _told(cases: Iterator[tuple[_Pair, Stop | None, str]]) -> Iterator[Found]:
    """Pairs of equal sets with things of one kind as one case."""
    grouped: dict[tuple[str, str, str, Stop | None, bool], list[tuple[_Pair, str]]] = {}
    for pair, stops, end in cases:
        one, two = pair
        grouped.setdefault((one.subject, two.subject, one.file, stops, bool(end)), []).append((pair, end))
    for (owner, _, file, stops, _), found in grouped.items():
        mine, others = (tuple(dict.fromkeys(pair[side].node for pair, _ in found)) for side in (0, 1))
        (first, _), end = found[0]
        what = first.text if len(found) == 1 else f"{len(found)} {_NOUNS.get(file, 'keys')} together, the first {first.text}"
        who = f"{folded_names(mine)} and {folded_names(others)} of {_OTHER}"
        yield Found(owner, f"{who} would use {what}; {_COSTS[file]}{end}", mine, stops)


_NOUNS: Final = {DATA: "volumes"}


def _moved(own: tuple[_Holdings, _Holdings], theirs: tuple[_Holdings, _Holdings]) -> Iterator[Found]:
    """What leaves one of two stacks and comes to the other in one change; a node id does no harm in between."""
    stack = f" of {_OTHER}"
    for leaving, coming, left, came in ((own, theirs, "", stack), (theirs, own, stack, "")):
        grouped: dict[tuple[str, str, str], dict[tuple[str, str], _Pair]] = {}
        for thing, before in leaving[0].items():
            old, new = before[0], coming[1].get(thing, [])
            if not new or thing in leaving[1] or thing in coming[0] or old.file == NODE_KEY or old.is_same_node(new[0]):
                continue
            # What tells a key by itself comes first, and its Secret says nothing more.
            pairs = grouped.setdefault((old.subject, new[0].subject, old.file), {})
            pairs.setdefault((old.node, new[0].node), (old, new[0]))
        for (old_owner, new_owner, file), pairs in grouped.items():
            old_nodes, new_nodes = (tuple(dict.fromkeys(pair[side].node for pair in pairs.values())) for side in (0, 1))
            first, leaves, comes = next(iter(pairs.values()))[0].text, "leaves", "comes"
            if len(pairs) > 1:
                first, leaves, comes = f"{len(pairs)} {_NOUNS.get(file, 'keys')}, the first {first},", "leave", "come"
            what = (
                f"{first} {leaves} {folded_names(old_nodes)}{left} and {comes} to {folded_names(new_nodes)}{came} in one change,"
                f" which takes two updates; until the old node is gone, {_COSTS[file]}"
            )
            yield Found(*((old_owner, what, old_nodes) if leaving is own else (new_owner, what, new_nodes)))


@once
def _clusters(other: Neighbour) -> tuple[str, str]:
    return cluster(other.base), cluster(other.head)


def _same_objects(comparison: Comparison) -> Iterator[Found]:
    clusters = cluster(comparison.base), cluster(comparison.head)

    def cases(other: Neighbour) -> Iterator[Found]:
        before = _common(comparison.base, other.base, clusters[0], _clusters(other)[0])
        by_subject: dict[str, list[Item]] = {}
        for identity, item in _common(comparison.head, other.head, clusters[1], _clusters(other)[1]).items():
            if identity not in before:
                by_subject.setdefault(subject(item), []).append(item)
        for owner, items in by_subject.items():
            nodes = tuple(item.name for item in items if item.kind in WORKLOADS)
            among = f", among them the {'node' if len(nodes) == 1 else 'nodes'} {folded_names(nodes)}," if nodes else ""
            verb = "is" if len(items) == 1 else "are"
            yield Found(owner, f"{counted(len(items), 'object')}{among} {verb} in {_OTHER} of the same cluster too", nodes)

    yield from _by_stacks(comparison, cases)


def _common(one: Snapshot, other: Snapshot, own: str, others: str) -> dict[Identity, Item]:
    """The objects of two stacks that are one in the cluster.

    A namespace is meant for many, and a guard has its own rule; what is of no set and stays when either stack lets go of it,
    like an object that both only patch, neither spoils for the other.
    """
    if not own or own != others:
        return {}
    return {
        identity: item
        for identity, item in one.items.items()
        if item.is_object
        and identity in other.items
        and item.kind != "Namespace"
        and not item.name.startswith(GUARD)
        and (item.set or not (item.outlives_stack and other.items[identity].outlives_stack))
    }


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "held-by-two-stacks",
        "danger",
        "Nodes of two stacks would use one key or volume",
        "Two nodes run with it at the same time, and no stack knows of the other's: a consensus key signs twice, and the stake is"
        " slashed.",
        "Give each node a key and a volume of its own; to move one, first disable or destroy the old node, see its pod gone, and"
        " only then change the other stack.",
        _held_by_two,
    ),
    Rule(
        "objects-in-two-stacks",
        "danger",
        "Two stacks would hold the same objects",
        "The second stack adopts claims and keys of the first, and its update fails at what else is there already; what one of"
        " them deletes, nodes that run among it, is gone for both.",
        "Give one of the stacks another namespace or cluster; to hand a set over, use `pulumi state move`.",
        _same_objects,
    ),
)
"""The rules over several stacks."""
