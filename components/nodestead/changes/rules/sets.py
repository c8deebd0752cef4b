"""Risk rules about whole sets of nodes, and about what their data was made for."""

from collections.abc import Iterator
from typing import Final

from nodestead.changes.compare import Comparison
from nodestead.changes.names import folded_names
from nodestead.changes.plain import listed
from nodestead.changes.rule import Found, Rule, folded
from nodestead.changes.sets import Upheaval, fact_changes, node_names, upheavals, validators, value_text
from nodestead.changes.snapshot import Item
from nodestead.changes.workloads import containers, replicas

__all__ = ["RULES"]


def _gone(one: Upheaval) -> str:
    return "its node goes" if len(one.old) == 1 else f"all of its {len(one.old)} nodes go"


def _stays(one: Upheaval) -> str:
    if not one.has_data:
        return "they have no volumes that could stay" if len(one.old) > 1 else "it has no volume that could stay"
    if not one.claims:
        return "other pods mount the claims"
    if not one.kept:
        return "no claim stays"
    return f"the claim{'s' * (len(one.kept) > 1)} {folded_names(one.kept)} stay{'s' * (len(one.kept) == 1)}, unused"


def _nodes(one: Upheaval) -> tuple[str, ...]:
    return tuple(item.name for item in one.old)


def _removed(comparison: Comparison) -> Iterator[Found]:
    for one in upheavals(comparison).values():
        if one.fate != "removed":
            continue
        signing = validators(comparison.base, one.name)
        halt = f"; {folded_names(signing)} sign{'s' * (len(signing) == 1)} no more blocks" if signing else ""
        yield Found(one.name, f"{_gone(one)}, and {_stays(one)}{halt}", _nodes(one))


def _renamed(comparison: Comparison) -> Iterator[Found]:
    for one in upheavals(comparison).values():
        # Whoever mounts the old claims in the new nodes has thought of it.
        if one.fate != "renamed" or (one.has_data and not one.claims):
            continue
        new = folded_names([item.name for item in one.new])
        facts = comparison.base.facts_of(one.name)
        keys = " and keys from another seed" if facts is not None and str(facts.facts.get("keys", "")).startswith("seed") else ""
        start = "start with empty volumes" if len(one.new) > 1 else "starts with an empty volume"
        what = f"it comes back as {one.new_name}: {new} {start}{keys}, and {_stays(one)}"
        yield Found(one.name, what, _nodes(one))


def _moved(comparison: Comparison) -> Iterator[Found]:
    for one in upheavals(comparison).values():
        if one.fate != "moved":
            continue
        old, new = one.old[0].namespace, one.new[0].namespace
        refused = "namespace" in fact_changes(comparison).get(one.name, {})
        end = "; the update is refused in its preview" if refused else ""
        what = f"from namespace {old} to {new}: the nodes start with empty volumes there, and in {old} {_stays(one)}{end}"
        yield Found(one.name, what, _nodes(one), "preview" if refused else None)


# Those that have a rule of their own.
_ELSEWHERE = ("namespace", "keys", "genesis", "nodeNames", "software.marketplace.address")
_ELSEWHERE_BELOW = ("persistence.", "keys.", "signer.addresses.", "nodes.")


def _network(comparison: Comparison) -> Iterator[Found]:
    for name, changed in fact_changes(comparison).items():
        said = [
            f"{path} {value_text(*values)}"
            for path, values in changed.items()
            if path not in _ELSEWHERE and not path.startswith(_ELSEWHERE_BELOW)
        ]
        if said:
            yield Found(
                name,
                f"{', '.join(said)}: the data was made for the old value, and the update is refused in its preview",
                node_names(comparison, name),
                "preview",
            )


def _genesis(comparison: Comparison) -> Iterator[Found]:
    told = {one.subject for one in _network(comparison)}
    for name, changed in fact_changes(comparison).items():
        if "genesis" in changed and name not in told:
            yield Found(
                name,
                "nodes with blocks keep the genesis that these were made with, and only new nodes take the other",
                node_names(comparison, name),
            )


def _contract(comparison: Comparison) -> Iterator[Found]:
    for name, changed in fact_changes(comparison).items():
        if "software.marketplace.address" in changed:
            values = value_text(*changed["software.marketplace.address"])
            what = f"software.marketplace.address {values}: what the nodes hold on the old contract they no longer serve or prove"
            yield Found(name, what, node_names(comparison, name))


def _proving_stopped(comparison: Comparison) -> Iterator[Found]:
    def proves(item: Item) -> bool:
        return replicas(item) > 0 and any("--prover" in listed(one.get("args")) for one in containers(item))

    cases = (
        (change.new, "its nodes prove no more what they have sold: their slots fail, and cost the collateral")
        for change in comparison.of_kind("StatefulSet")
        if change.old is not None and change.new is not None and change.new.set and replicas(change.new)
        if proves(change.old) and not proves(change.new)
    )
    yield from folded(cases)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "set-removed",
        "danger",
        "A whole set of nodes goes",
        "Every node of the set stops for good; validators stop signing, and storage nodes stop serving and proving.",
        "Make sure that nobody needs it: end contracts, unbond validators, back keys up; then remove the set.",
        _removed,
    ),
    Rule(
        "set-renamed",
        "danger",
        "A set of nodes is renamed",
        "For the cluster the old nodes go and new ones come, with empty volumes; with keys from a seed, as somebody else.",
        "Keep the name; else remove the old set first, and then give the new one its claims (existingClaim) and keys.",
        _renamed,
    ),
    Rule(
        "namespace-moved",
        "danger",
        "A set moves to another namespace",
        "No volume and no Secret moves with it: its nodes start empty in the new namespace while the old ones go.",
        "Set the namespace back; to move for good, make a new set there and remove the old one when it has synced.",
        _moved,
    ),
    Rule(
        "network-changed",
        "danger",
        "Network, chain or layout changes under kept data",
        "The data was made for the old value: with the new one nodes do not start, or spoil it; the guard stops the update.",
        "Set it back, or make a new set under another name.",
        _network,
    ),
    Rule(
        "contract-changed",
        "danger",
        "Storage nodes change to another marketplace contract",
        "The nodes trade on the new contract only; slots that they hold on the old one fail their proofs and cost collateral.",
        "Let the contracts of the old one end first, or make a new set for the new contract.",
        _contract,
    ),
    Rule(
        "proving-stopped",
        "danger",
        "Providers of storage stop to prove",
        "Who has sold storage and does not prove it loses the slots, and the collateral that is staked on them.",
        "Let the contracts end first, and take nothing new meanwhile; then switch the prover off.",
        _proving_stopped,
    ),
    Rule(
        "genesis-changed",
        "caution",
        "Another genesis",
        "Nodes that have blocks go on with the genesis that these were made with; new nodes take the other and may not agree.",
        "Make sure that both are the same chain's; for another chain make a new set.",
        _genesis,
    ),
)
"""The rules about whole sets."""
