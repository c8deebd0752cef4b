"""Risk rules about the rollout: what stops, what restarts, in which order, and what is left of the safeguards."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, cast

from nodestead.changes.compare import Change, Comparison
from nodestead.changes.mounts import claims, scaled_down
from nodestead.changes.names import counted, folded_names
from nodestead.changes.rule import Found, Rule
from nodestead.changes.sets import deleted_claims, refused_sets, upheavals, validators
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, replicas, restarts

__all__ = ["RULES"]

_MOST_BATCHES = 4
_READ: Final = ("ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Role", "RoleBinding")


def _workload_replaced(comparison: Comparison) -> Iterator[Found]:
    grouped: dict[tuple[str, str, tuple[str, ...]], list[Item]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        if change.operation == "replace" and change.old is not None:
            grouped.setdefault((subject(change.old), change.old.kind, change.reasons), []).append(change.old)
    deleted, end = deleted_claims(comparison), _Refusal(comparison)
    for (name, kind, reasons), items in grouped.items():
        pods = sum(replicas(item) for item in items)
        one = len(items) == 1
        why = f"{', '.join(reasons)} cannot change in place, so " if reasons else ""
        stop = f"its {counted(pods, 'pod')} stop first" if pods > 1 else "its pod stops first" if pods else "no pod of it runs"
        if not one:
            stop = f"their {counted(pods, 'pod')} stop first" if pods else "no pod of them runs"
        what = f"{why}the {kind if one else f'{len(items)} {kind}s'} {'is' if one else 'are'} deleted and made anew, and {stop}"
        held = [(item.namespace, claim) for item in items for claim in claims(item)]
        if held:
            gone = [claim for claim in held if claim in deleted]
            what += f"; {len(gone)} of {counted(len(held), 'claim')} are deleted with it" if gone else "; the claims stay"
        yield Found(name, f"{what}{end.of(name)}", tuple(item.name for item in items))


def _all_nodes_down(comparison: Comparison) -> Iterator[Found]:
    end = _Refusal(comparison)
    before = _serving(comparison.base) if comparison.complete else Counter[str]()
    helpers = {item.name for item in comparison.base.of_kind(*WORKLOADS) if _is_bootstrap(item)}
    for restart in restarts(comparison):
        how = "are deleted and made anew" if restart.replaced else "restart"
        if restart.all_at_once and (restart.running or 0) > 1:
            what = f"all {restart.running:,} pods that run {how} at the same time, and nothing serves until they are back"
            yield Found(restart.set, f"{what}{end.of(restart.set)}", max(restart.batches, key=len))
            continue
        # A bootstrap node only tells others the way.
        serving = before[restart.set]
        worst = max(([name for name in batch if name not in helpers] for batch in restart.batches), key=len)
        if 1 < serving <= len(worst) and not restart.surges:
            what = (
                f"all {serving:,} pods but those of the bootstrap nodes {how} at the same time, and no data is served meanwhile"
            )
            yield Found(restart.set, f"{what}{end.of(restart.set)}", tuple(worst))
    yield from _all_stopped(comparison)


def _all_stopped(comparison: Comparison) -> Iterator[Found]:
    """Sets that stay, and of which no node is left running."""
    if not comparison.complete:
        return
    before, after = _serving(comparison.base), _serving(comparison.head)
    for name, nodes in _stopped(comparison).items():
        if before[name] > 1 and not after[name]:
            yield Found(name, f"all {before[name]:,} pods that serve stop and stay down", tuple(nodes))


def _is_bootstrap(item: Item) -> bool:
    return item.role == "bootstrap-node"


def _serving(snapshot: Snapshot) -> Counter[str]:
    """The pods that run, without those of bootstrap nodes, by set."""
    found = Counter[str]()
    for item in snapshot.of_kind(*WORKLOADS):
        if not _is_bootstrap(item):
            found[subject(item)] += replicas(item)
    return found


class _Refusal:
    """What to say where the guard of a set stops the update before anything is done."""

    def __init__(self, comparison: Comparison) -> None:
        self._sets = refused_sets(comparison)

    def of(self, name: str) -> str:
        return "; the update is refused in its preview" if name in self._sets else ""


def _only_node_restarts(comparison: Comparison) -> Iterator[Found]:
    for restart in restarts(comparison):
        if restart.all_at_once and restart.running == 1:
            signs = bool(validators(comparison.head, restart.set))
            misses = "; it is a validator, and misses blocks until it is back" if signs else ""
            yield Found(restart.set, f"its only pod restarts, and nothing serves meanwhile{misses}", restart.batches[0])


def _pods_restart(comparison: Comparison) -> Iterator[Found]:
    for restart in restarts(comparison):
        pods, count, largest = restart.pods, len(restart.batches), max(map(len, restart.batches))
        of = "" if restart.running is None or restart.running == pods else f" of {restart.running:,}"
        verb = "restarts" if pods == 1 and not of else "restart"
        noun = "pod" if pods == 1 and not of else "pods"
        batches = f"in {counted(count, 'batch')}"
        size = "" if count == 1 else " of 1" if largest == 1 else f" of up to {largest:,}"
        names = tuple(name for batch in restart.batches for name in batch)
        yield Found(restart.set, f"{pods:,}{of} {noun} {verb} {batches}{size}", names)


def _votes_lost(comparison: Comparison) -> Iterator[Found]:
    stopped = _stopped(comparison)
    plan = {restart.set: restart for restart in restarts(comparison)}
    end = _Refusal(comparison)
    for facts in comparison.head.sets:
        if facts.facts.get("network.kind") != "local":
            continue
        before, after = validators(comparison.base, facts.name), validators(comparison.head, facts.name)
        gone = [name for name in before if name in stopped.get(facts.name, ())]
        if len(before) > 1 and 3 * len(gone) >= len(before):
            what = f"{len(gone)} of {len(before)} validators stop and stay down: the chain halts until they are back"
            yield Found(facts.name, f"{what}{end.of(facts.name)}", tuple(gone))
            continue
        batches = plan[facts.name].batches if facts.name in plan else ()
        # More than two thirds of the votes have to be there; what is down already is down in every batch.
        worst = max(([name for name in after if name in {*batch, *gone}] for batch in batches), key=len, default=list[str]())
        if len(after) > 1 and 3 * len(worst) >= len(after) and len(worst) > len(gone):
            what = f"{len(worst)} of {len(after)} validators are down at the same time: the chain makes no blocks meanwhile"
            yield Found(facts.name, f"{what}{end.of(facts.name)}", tuple(worst))


def _update_order(comparison: Comparison) -> Iterator[Found]:
    found = restarts(comparison)
    read_first = {change.item.set for change in comparison.of_kind(*_READ) if change.new is not None}
    for restart in found:
        others = [other.set for other in found if other is not restart]
        if len(restart.batches) < 2 and not others:
            continue
        first = ["what its pods read"] if restart.set in read_first else []
        told = restart.batches if len(restart.batches) <= _MOST_BATCHES + 1 else restart.batches[:_MOST_BATCHES]
        steps = [*first, *(folded_names(batch) for batch in told)]
        left = len(restart.batches) - len(told)
        if left:
            steps.append(f"{left:,} more batches up to {folded_names(list(restart.batches)[-1])}")
        order = ", then ".join(steps)
        held = "; a batch that does not get ready stops the rest" if len(restart.batches) > 1 else ""
        meanwhile = f"; no set waits for another: {folded_names(others)} {'goes' if len(others) == 1 else 'go'} at the same time"
        yield Found(restart.set, f"first {order}{held}{meanwhile if others else ''}")


def _stopped(comparison: Comparison) -> dict[str, list[str]]:
    """The nodes that run before and not afterwards, by set; those of a set that goes altogether are none of them."""
    upset = upheavals(comparison)
    found: dict[str, list[str]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        old, new = change.old, change.new
        if old is None or not replicas(old) or old.set in upset or (new is None and not old.set):
            continue
        if new is None or not replicas(new):
            found.setdefault(old.set or subject(old), []).append(old.name)
    return found


def _node_stopped(comparison: Comparison) -> Iterator[Found]:
    grouped: dict[str, list[Change]] = {}
    for change in comparison.of_kind("StatefulSet", "Deployment"):
        if change.old is not None and change.new is not None and replicas(change.old) and not replicas(change.new):
            grouped.setdefault(subject(change.new), []).append(change)
    for name, changes in grouped.items():
        held = any(claims(cast("Item", change.old)) for change in changes)
        pods = sum(replicas(cast("Item", change.old)) for change in changes)
        stop = f"{counted(pods, 'pod')} {'stops' if pods == 1 else 'stop'} and {'stays' if pods == 1 else 'stay'} down"
        kept = ", with the data in the claims" if held else ""
        names = tuple(change.item.name for change in changes)
        signing = [one for one in validators(comparison.base, name) if one in names]
        halt = f"; {folded_names(signing)} sign{'s' * (len(signing) == 1)} no more blocks" if signing else ""
        yield Found(name, f"{stop}{kept}{halt}", names)
    yield from _volumeless_gone(comparison)


def _volumeless_gone(comparison: Comparison) -> Iterator[Found]:
    """Nodes that leave a set which stays, and have no claim in which anything could be left behind."""
    upset = upheavals(comparison)
    grouped: dict[str, list[str]] = {}
    for change in comparison.of_kind("StatefulSet"):
        old, new = change.old, change.new
        if old is None or not old.set or old.set in upset or claims(old):
            continue
        gone = [old.name] if new is None and replicas(old) else []
        gone += [f"{old.name}-{number}" for number in scaled_down(old, new)] if new is not None and replicas(new) else []
        if gone:
            grouped.setdefault(old.set, []).extend(gone)
    for name, gone in grouped.items():
        yield Found(
            name, f"{counted(len(gone), 'node')} {'goes' if len(gone) == 1 else 'go'}, with all that is in the pod", tuple(gone)
        )


def _short_kind(item: Item) -> str:
    return item.kind.rpartition(":")[2]


def _protected_deleted(comparison: Comparison) -> Iterator[Found]:
    grouped: dict[tuple[str, str], list[Item]] = {}
    for change in comparison.changes:
        if change.old is not None and change.old.protected and change.operation in ("remove", "replace"):
            name = change.old.set or f"{_short_kind(change.old)}/{change.old.name}"
            grouped.setdefault((name, change.operation), []).append(change.old)
    for (name, operation), items in grouped.items():
        named = folded_names([f"{_short_kind(item)}/{item.name}" for item in items])
        does = "delete" if operation == "remove" else "replace"
        is_are = "it is protected" if len(items) == 1 else "they are protected"
        yield Found(
            name,
            f"the update would {does} {named} and fails, in its preview already: {is_are}",
            tuple(item.name for item in items),
            "preview",
        )


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "all-nodes-down",
        "danger",
        "All nodes of a set are down at once",
        "Nothing of the set serves until the first pod is ready again; peers and clients lose all its nodes.",
        "Lower rollout.maxUnavailable, so that the nodes roll in batches; keep some nodes running where all would stop.",
        _all_nodes_down,
    ),
    Rule(
        "votes-lost",
        "danger",
        "A closed chain loses a third of its votes",
        "With a third or more of the validators down a chain makes no blocks.",
        "Let less than a third of the validators be down at once: lower rollout.maxUnavailable, or run four validators or more.",
        _votes_lost,
    ),
    Rule(
        "workload-replaced",
        "danger",
        "A workload is deleted and made anew",
        "Its pods stop before new ones start; nodes of their own still roll in batches, pods of one workload stop together.",
        "Leave the immutable field as it is; to change it, make a set beside this one and move over.",
        _workload_replaced,
    ),
    Rule(
        "protected-deleted",
        "danger",
        "A protected resource is to be deleted",
        "The preview fails, so that nothing is done; an update without a preview fails in the middle, when all else is done.",
        "Keep it; or back up what it holds, take the protection off with `pulumi state unprotect`, and update again.",
        _protected_deleted,
    ),
    Rule(
        "only-node-restarts",
        "caution",
        "The only node of a set restarts",
        "Nothing of the set serves until its pod is ready again; a validator misses blocks.",
        "Update when that harms least; a second node would serve meanwhile (never a second one with the same key).",
        _only_node_restarts,
    ),
    Rule(
        "node-stopped",
        "caution",
        "Nodes that run are stopped",
        "Their pods stop and are not started again; what they signed, stored or served is missing to others.",
        "Nothing, where this is wanted; else take `disabled` off, or set replicas back.",
        _node_stopped,
    ),
    Rule(
        "pods-restart",
        "info",
        "Pods restart",
        "The pods of a batch stop and start with the new spec; the next batch waits until they are ready.",
        "Nothing; rollout.maxUnavailable sets the size of a batch.",
        _pods_restart,
    ),
    Rule(
        "update-order",
        "info",
        "The order of the update",
        "What pods read comes first, then the nodes batch by batch; what leaves the stack goes last.",
        "Nothing; watch the first batch.",
        _update_order,
    ),
)
"""The rules about the rollout."""
