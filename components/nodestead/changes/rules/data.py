"""Risk rules about data: claims, and what pods mount."""

from collections.abc import Iterator
from typing import Final, cast

from nodestead.changes.compare import Comparison
from nodestead.changes.mounts import (
    CONSENSUS_KEY,
    claim_templates,
    claim_volumes,
    claims,
    is_known,
    key_uses,
    mounted_claims,
    ordinals,
    scaled_down,
    template_claims,
)
from nodestead.changes.names import claims_text, folded_names
from nodestead.changes.rule import Found, Rule
from nodestead.changes.sets import deleted_claims, fact_changes, node_names, nodes_by_set, upheavals, value_text
from nodestead.changes.snapshot import Item, subject
from nodestead.changes.workloads import WORKLOADS, replicas

__all__ = ["RULES"]


def _node(item: Item) -> str:
    return item.node or item.name


def _volume_deleted(comparison: Comparison) -> Iterator[Found]:
    spaces = {
        change.item.name
        for change in comparison.of_kind("Namespace")
        if change.operation in ("remove", "replace") and not cast("Item", change.old).outlives_stack
    }
    for space in sorted(spaces):
        inside = [claim for where, claim in _all_claims(comparison) if where == space]
        data = f", {claims_text(inside)} with the data in it" if inside else ""
        yield Found(f"Namespace/{space}", f"everything in it is deleted{data}, key Secrets and pods", ())
    by_subject: dict[str, list[tuple[str, str]]] = {}
    for (where, claim), cause in deleted_claims(comparison).items():
        if where not in spaces:
            by_subject.setdefault(subject(cause), []).append((claim, _node(cause)))
    for name, gone in by_subject.items():
        nodes = tuple(dict.fromkeys(node for _, node in gone))
        yield Found(name, f"{claims_text(claim for claim, _ in gone)} and all data in it are deleted", nodes)
    for change in comparison.of_kind("PersistentVolume"):
        old = change.old
        if old is None or change.operation not in ("remove", "replace") or old.outlives_stack:
            continue
        stays = old.at("spec", "persistentVolumeReclaimPolicy") in (None, "Retain")
        disk = "the disk behind it stays, unused" if stays else "the disk behind it may be deleted with it"
        yield Found(f"PersistentVolume/{old.name}", f"a claim that is bound to it loses its volume; {disk}", (old.name,))


def _all_claims(comparison: Comparison) -> Iterator[tuple[str, str]]:
    for item in comparison.base.of_kind("PersistentVolumeClaim"):
        yield item.namespace, item.name
    for item in comparison.base.of_kind("StatefulSet"):
        yield from ((item.namespace, claim) for claim in template_claims(item, ordinals(item)))


def _volume_replaced(comparison: Comparison) -> Iterator[Found]:
    grouped: dict[tuple[str, tuple[str, ...]], list[Item]] = {}
    for change in comparison.of_kind("PersistentVolumeClaim"):
        if change.operation == "replace" and change.old is not None and not change.old.outlives_stack:
            grouped.setdefault((subject(change.old), change.reasons), []).append(change.old)
    for (name, reasons), items in grouped.items():
        why = f" because {', '.join(reasons)} cannot change in place" if reasons else ""
        what = f"{claims_text(item.name for item in items)} is deleted with its data and made anew, empty{why}"
        yield Found(name, what, tuple(_node(item) for item in items))


def _data_abandoned(comparison: Comparison) -> Iterator[Found]:
    facts = fact_changes(comparison)
    told: set[str] = set()
    grouped: dict[tuple[str, bool], list[tuple[Item, list[str], list[str]]]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        old, new = change.old, change.new
        # Where every node has another number the whole set is told of.
        if old is None or new is None or facts.get(old.set, {}).keys() & {"layout", "firstOrdinal"}:
            continue
        gone, came = _left(old, new), [claim for claim in claim_volumes(new).values() if claim not in claims(old)]
        if gone and all(map(is_known, (*gone, *came))):
            grouped.setdefault((subject(old), bool(came)), []).append((old, gone, came))
    for (name, _), found in grouped.items():
        told.add(name)
        left, came = [c for _, gone, _ in found for c in gone], [c for _, _, new in found for c in new]
        many = len(found) > 1
        start = "the pods mount" if many else "the pod mounts"
        empty = "the pods start with empty volumes" if many else "the pod starts with an empty volume"
        now = f"{start} {claims_text(came)}" if came else empty
        data = f"their data stays in {claims_text(left)}" if many else f"its data stays in {claims_text(left)}"
        # The guard of a set that signs holds its claims: their data says what has been signed.
        refused = any(path.startswith("nodes.") for path in facts.get(name, {}))
        end = "; the update is refused in its preview" if refused else ""
        signing = [_node(item) for item, _, _ in found if any(use.file == CONSENSUS_KEY for use in key_uses(item))]
        if signing and not refused:
            signs = "signs" if len(signing) == 1 else "sign"
            end = f"; {folded_names(signing)} {signs} on without what tells which blocks have been signed, and may sign twice"
        nodes = tuple(_node(item) for item, _, _ in found)
        yield Found(name, f"{now}; {data}{end}", nodes, "preview" if refused else None)
    yield from _renamed_nodes(comparison, told)
    for name, changed in facts.items():
        if name not in told and "persistence.kind" in changed and changed["persistence.kind"][0] != "ephemeral":
            kinds = value_text(*changed["persistence.kind"])
            what = f"persistence.kind {kinds}: the nodes start with other volumes, the data stays in the old claims"
            yield Found(name, what, node_names(comparison, name))


def _left(old: Item, new: Item) -> list[str]:
    """The claims that pods of a workload mounted and do not mount any more; those of pods that go are none of them."""
    kept = set(claims(new))
    gone = [claim for claim in claim_volumes(old).values() if claim not in kept]
    dropped = set(claim_templates(old)) - set(claim_templates(new))
    return gone + [claim for claim in template_claims(old, ordinals(old), dropped) if claim not in kept]


def _renamed_nodes(comparison: Comparison, told: set[str]) -> Iterator[Found]:
    base, head, mounted = nodes_by_set(comparison.base), nodes_by_set(comparison.head), mounted_claims(comparison.head)
    for name, facts in fact_changes(comparison).items():
        if name in told or "nodeNames" not in facts:
            continue
        after = {item.name for item in head.get(name, ())}
        gone = [item for item in base.get(name, ()) if item.name not in after]
        left = [claim for item in gone for claim in claims(item) if (item.namespace, claim) not in mounted]
        came = [item.name for item in head.get(name, ()) if item.name not in {one.name for one in base.get(name, ())}]
        if left and came:
            told.add(name)
            data = f"the data stays in {claims_text(left)}"
            what = f"prettify renames the node to {came[0]}, which starts with an empty volume; {data}"
            yield Found(name, what, tuple(item.name for item in gone))


def _data_left_behind(comparison: Comparison) -> Iterator[Found]:
    upset, facts, deleted = upheavals(comparison), fact_changes(comparison), deleted_claims(comparison)
    mounted = mounted_claims(comparison.head)
    grouped: dict[str, tuple[list[str], list[str]]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        old = change.old
        # Of these the whole set is told of.
        if old is None or old.set in upset or facts.get(old.set, {}).keys() & {"layout", "firstOrdinal", "nodeNames"}:
            continue
        numbers = scaled_down(old, change.new) if change.new is not None and old.kind == "StatefulSet" else []
        left = claims(old) if change.new is None else template_claims(old, numbers)
        left = [c for c in left if is_known(c) and (old.namespace, c) not in mounted and (old.namespace, c) not in deleted]
        if left:
            nodes, names = grouped.setdefault(subject(old), ([], []))
            is_one = change.new is None and replicas(old) <= 1
            nodes += [_node(old)] if is_one else [f"{old.name}-{n}" for n in (numbers if change.new else ordinals(old))]
            names += left
    for name, (nodes, left) in grouped.items():
        stays = "stays" if len(left) == 1 else "stay"
        gone = "1 node goes" if len(nodes) == 1 else f"{len(nodes)} nodes go"
        yield Found(name, f"{gone}, and {claims_text(left)} {stays} in the cluster, unused, with the data", tuple(nodes))


def _retention_lost(comparison: Comparison) -> Iterator[Found]:
    deleting = {cause.identity for cause in deleted_claims(comparison).values()}
    for change in comparison.of_kind("StatefulSet"):
        old, new = change.old, change.new
        if old is None or new is None or not claim_templates(new) or old.identity in deleting:
            continue
        policy = ("spec", "persistentVolumeClaimRetentionPolicy")
        when = {"whenDeleted": "the StatefulSet is removed or replaced", "whenScaled": "its replicas are lowered"}
        lost = [text for key, text in when.items() if new.at(*policy, key) == "Delete" != old.at(*policy, key)]
        if lost:
            what = f"from now on its claims are deleted with their data when {' or '.join(lost)}"
            yield Found(subject(new), what, (_node(new),))


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "volume-deleted",
        "danger",
        "Data is deleted",
        "The volume goes with all data in it, and nothing brings it back.",
        "Keep the claim (retain it, or annotate it with pulumi.com/patchForce); else take a snapshot of it first.",
        _volume_deleted,
    ),
    Rule(
        "volume-replaced",
        "danger",
        "A volume is deleted and made anew, empty",
        "The claim is deleted with its data, because a field changes that cannot change in place; its pod starts empty.",
        "Set the field back; for another class or access mode make a new claim, copy the data, and mount it then.",
        _volume_replaced,
    ),
    Rule(
        "data-abandoned",
        "danger",
        "Nodes start without the data that they have",
        "The pods mount another volume than before and sync or repair from nothing; the data stays where no pod reads it.",
        "Keep the claim and the node's name; to move data, name the claim with nodes.<number>.existingClaim.",
        _data_abandoned,
    ),
    Rule(
        "retention-lost",
        "caution",
        "Claims no longer outlive their StatefulSet",
        "Nothing happens now; the next removal, replacement or lower number of replicas deletes claims with their data.",
        "Leave persistentVolumeClaimRetentionPolicy at Retain; give claims up one by one with kubectl.",
        _retention_lost,
    ),
    Rule(
        "data-left-behind",
        "caution",
        "Nodes go, their data stays and costs",
        "The pods stop; their claims stay in the cluster and are found again when the set grows again.",
        "Nothing, where this is wanted: `nodestead data` lists what no stack holds, with the line that gives it up.",
        _data_left_behind,
    ),
)
"""The rules about data."""
