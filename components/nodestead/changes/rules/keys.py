"""Risk rules about keys: who a node is, and who signs with what."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from nodestead.changes.compare import Absent, Change, Comparison
from nodestead.changes.guards import guards, is_same_node, place
from nodestead.changes.mounts import CONSENSUS_KEY, ETHEREUM_KEY, NODE_KEY, KeyUse, held_keys, is_known, key_uses
from nodestead.changes.names import folded_names
from nodestead.changes.plain import mappings
from nodestead.changes.rule import Found, Rule, Stop
from nodestead.changes.sets import fact_changes, node_names, refused_sets
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, containers, replicas

__all__ = ["RULES", "SHARED_COSTS"]

_COSTS = {
    ETHEREUM_KEY: "the nodes sign with other Ethereum keys, whose addresses have no funds; contracts and collateral of the old"
    " ones are out of their reach",
    CONSENSUS_KEY: "validators sign with other consensus keys; the chain waits for the old ones, jails them, and their stake is"
    " lost or locked",
    NODE_KEY: "the nodes have other node ids (peer ids and addresses), and peers that name the old ones lose them",
}
"""What it costs when the keys of a file become others, the worst first."""


_WITHOUT = {
    ETHEREUM_KEY: "the nodes have no Ethereum key any more, and cannot serve the contracts that they hold",
    CONSENSUS_KEY: "the nodes have no consensus key any more, and sign only where a remote signer does it for them",
    NODE_KEY: "the nodes have no node key any more and make one for themselves, by which their peers do not know them",
}


def _node(item: Item) -> str:
    return item.node or item.name


def _costs(files: Mapping[str, bool]) -> str:
    """What it costs, by file and whether there is a key of it afterwards."""
    return "; ".join((text if files[file] else _WITHOUT[file]) for file, text in _COSTS.items() if file in files)


# ---- other keys


def _source_changed(comparison: Comparison) -> Iterator[Found]:
    facts = fact_changes(comparison)
    renewed = _renewed(comparison)
    nodes: dict[str, list[str]] = {}
    files: dict[str, dict[str, bool]] = {}
    said: dict[str, dict[str, None]] = {}
    stopped = {subject(change.item) for change in comparison.of_kind("Secret") if _is_refused(change)}
    for item, use, old_use, text in _other_keys(comparison, renewed):
        name = subject(item)
        nodes.setdefault(name, []).append(_node(item))
        files.setdefault(name, {})[old_use.file] = use is not None
        said.setdefault(name, {}).setdefault(text)
    told = dict.fromkeys((*nodes, *(name for name, changed in facts.items() if "keys" in changed)))
    for name in told:
        source = facts.get(name, {}).get("keys")
        if name not in nodes and source is not None and source[0] == "none":
            continue
        has_key = source is None or source[1] != "none"
        kinds = files.get(name) or dict.fromkeys(_files_of(comparison.base, name), has_key)
        if source is not None:
            first = f"keys {source[0]} -> {source[1]}"
        else:
            texts = list(said[name])
            first = texts[0] if len(texts) == 1 else f"{texts[0]}, and the like on {len(texts) - 1} more"
        refused = "keys.generation" in facts.get(name, {})
        end = "; the update is refused in its preview" if refused else ""
        # No colon: a report hides what stands behind the name of a key and a colon.
        what = f"{first}; {_costs(kinds)}{end}"
        stops: Stop | None = "preview" if refused else "update" if name in stopped else None
        yield Found(name, what, tuple(dict.fromkeys(nodes.get(name, ()))), stops)


def _files_of(snapshot: Snapshot, name: str) -> Iterator[str]:
    """What a set has keys of, where its workloads do not tell."""
    facts = snapshot.facts_of(name)
    yield ETHEREUM_KEY if facts is not None and facts.component == "StorageNodeGroup" else NODE_KEY
    if facts is not None and facts.facts.get("network.kind") == "local":
        yield CONSENSUS_KEY


def _other_keys(comparison: Comparison, renewed: "_Renewed") -> Iterator[tuple[Item, KeyUse | None, KeyUse, str]]:
    """Each key of a pod that becomes another: the workload, the key afterwards and before, and what to say of it."""
    changed = {change.new.identity: change for change in comparison.of_kind(*WORKLOADS) if change.old and change.new}
    told = _other_addresses(comparison)
    for item in comparison.head.of_kind(*WORKLOADS):
        change = changed.get(item.identity)
        before = change.old if change is not None else comparison.base.items.get(item.identity)
        if before is None:
            continue
        after = {use.file: use for use in key_uses(item)}
        for old in key_uses(before):
            new = after.get(old.file)
            if new is None:
                yield item, new, old, f"{old} is its key no more"
            elif old.file == CONSENSUS_KEY and (text := told.get((item.namespace, _node(item)))):
                yield item, new, old, text
            elif not old.same_key(new) and all(map(is_known, (*old.secrets, *new.secrets))):
                yield item, new, old, f"{old} -> {new}"
            else:
                for secret in new.secrets:
                    text, entries = renewed.get((item.namespace, secret), ("", set[str]()))
                    if "*" in entries or new.entry in entries or (entries and not new.is_entry):
                        yield item, new, old, text


def _other_addresses(comparison: Comparison) -> dict[tuple[str, str], str]:
    """What to say of nodes that hold the guard of another consensus key than before, by namespace and node."""
    before, after = (
        {(one.namespace, one.node): address for address, held in guards.items() for one in held}
        for guards in (guards(comparison.base), guards(comparison.head))
    )
    # A key that another node held comes from there, and is told of as moved.
    return {
        node: f"consensus key {old} -> {after[node]}"
        for node, old in before.items()
        if after.get(node, old) not in before.values()
    }


_Renewed = dict[tuple[str, str], tuple[str, set[str]]]


def _renewed(comparison: Comparison) -> _Renewed:
    """The key Secrets whose content becomes another under the same name: what comes of it, and which entries; `*` for all."""
    found: _Renewed = {}
    for change in comparison.of_kind("Secret"):
        old, new = change.old, change.new
        if old is None or new is None or old.name != new.name:
            continue
        # An entry that comes is somebody else's key.
        fields = [one for one in change.fields if one.path[:1] in (("data",), ("stringData",))]
        entries = {one.path[1] if len(one.path) > 1 else "*" for one in fields if not isinstance(one.old, Absent)}
        end = "; it is immutable, and the API server refuses that" if _is_refused(change) else ""
        found[new.namespace, new.name] = (f"other content of Secret {new.name}{end}", entries)
    return found


def _is_refused(change: Change) -> bool:
    """Whether an immutable Secret gets other content in place, which the API server refuses."""
    old, new = change.old, change.new
    if old is None or new is None or old.name != new.name or old.at("immutable") is not True:
        return False
    return change.operation != "replace" and (change.touches("data") or change.touches("stringData"))


# ---- keys that go

_SEED = re.compile(r"(?P<set>.+)-seed")
_KEY_SECRET = re.compile(r".+-key-g[0-9]+")


def _seed_lost(comparison: Comparison) -> Iterator[Found]:
    for change in comparison.changes:
        old = change.old
        if old is None or old.is_object or not old.kind.endswith(":RandomPassword") or not (match := _SEED.fullmatch(old.name)):
            continue
        replaced = change.operation == "replace" or (change.operation == "change" and change.touches("inputs"))
        if change.operation != "remove" and not replaced:
            continue
        name = old.set or match["set"]
        after = comparison.head.facts_of(name)
        if replaced:
            what = f"the seed {old.name} is made anew: all keys of the set become others, and the old ones can't be made again"
        elif after is not None and str(after.facts.get("keys", "")).startswith("seed"):
            what = (
                f"the generated seed {old.name} goes and the config gives one: unless both are the same, all keys become others"
            )
        else:
            what = f"the seed {old.name} leaves the state: keys that come from it can't be made again"
        yield Found(name, what, node_names(comparison, name))


def _removed(comparison: Comparison) -> Iterator[Found]:
    users: dict[tuple[str, str], str] = {}
    for item in comparison.base.of_kind(*WORKLOADS):
        users.update({(item.namespace, secret): _node(item) for use in key_uses(item) for secret in use.secrets})
    grouped: dict[str, list[tuple[str, str]]] = {}
    for change in comparison.of_kind("Secret"):
        old = change.old
        if old is None or change.operation != "remove" or old.outlives_stack:
            continue
        user = users.get((old.namespace, old.name))
        if user is not None or _KEY_SECRET.fullmatch(old.name):
            grouped.setdefault(subject(old), []).append((old.name, user or old.node or old.name))
    for name, gone in grouped.items():
        names = [secret for secret, _ in gone]
        called = f"the Secret {names[0]}" if len(names) == 1 else f"{len(names)} Secrets, {folded_names(names)},"
        nodes = tuple(dict.fromkeys(user for _, user in gone))
        yield Found(name, f"{called} with the keys of {folded_names(nodes)} {'is' if len(names) == 1 else 'are'} deleted", nodes)


# ---- one key on two nodes

SHARED_COSTS = {
    CONSENSUS_KEY: "both sign blocks, which a chain takes for double signing: the validator is slashed and barred for good",
    ETHEREUM_KEY: "both send transactions from one address and spoil each other's, and proofs fail",
    NODE_KEY: "both have one node id, and peers let only one of them in",
}
"""What happens while two nodes run with one key, by its file."""


_Key = tuple[str, str, tuple[str, ...], str]
"""File, namespace, Secrets and entry: what two pods have in common that use one key."""

_Holder = tuple[str, Item]
"""A pod and its workload."""


def _holders(snapshot: Snapshot) -> dict[_Key, list[_Holder]]:
    """The pods that run, by the keys that they use."""
    found: dict[_Key, list[_Holder]] = {}
    for item in snapshot.of_kind(*WORKLOADS):
        for pod, use in held_keys(item):
            if all(map(is_known, (*use.secrets, use.entry))):
                found.setdefault((use.file, item.namespace, use.secrets, use.entry), []).append((pod, item))
    return found


def _key_text(key: _Key) -> str:
    file, _, secrets, entry = key
    return str(KeyUse(file, secrets, entry))


def _shared(comparison: Comparison) -> Iterator[Found]:
    before = {(key, *(pod for pod, _ in pods)) for key, pods in _holders(comparison.base).items()}
    for key, pods in _holders(comparison.head).items():
        names = [pod for pod, _ in pods]
        if len(pods) < 2 or (key, *names) in before:
            continue
        who = folded_names(names) if len(set(names)) > 1 else f"{len(names)} pods of {names[0]}"
        nodes = tuple(dict.fromkeys(_node(item) for _, item in pods))
        yield Found(subject(pods[0][1]), f"{who} use one key, {_key_text(key)}; {SHARED_COSTS[key[0]]}", nodes)
    old = guards(comparison.base)
    for address, holders in guards(comparison.head).items():
        running = [one for one in holders if one.runs]
        if len(running) > 1 and running != [one for one in old.get(address, ()) if one.runs]:
            where = " and ".join(f"{one.node} in {one.namespace}" for one in running)
            nodes = tuple(dict.fromkeys(one.node for one in running))
            yield Found(running[0].subject, f"{where} use the consensus key {address}: {SHARED_COSTS[CONSENSUS_KEY]}", nodes)


def _moved(comparison: Comparison) -> Iterator[Found]:
    old, facts = guards(comparison.base), fact_changes(comparison)
    told: set[tuple[str, str]] = set()
    for address, after in guards(comparison.head).items():
        left = [one for one in old.get(address, ()) if not any(is_same_node(one, other) for other in after)]
        came = [one for one in after if not any(is_same_node(one, other) for other in old.get(address, ()))]
        if not left or not came:
            continue
        name, nodes = came[0].subject, ", ".join(place(one, left[0]) for one in came)
        refused = f"signer.addresses.{address}" in facts.get(name, {})
        # A node that does not run before has no pod that could still sign.
        if not refused and not any(one.runs for one in left):
            continue
        owners = ", ".join(place(one, came[0]) for one in left)
        end = _BOTH
        stops: Stop | None = None
        if refused or name in refused_sets(comparison):
            end, stops = "the update is refused in its preview", "preview"
        elif all(one.namespace == other.namespace and one.subject != other.subject for one in left for other in came):
            # What is new is made before what goes is deleted, and of one name there is one.
            end, stops = f"its guard, which {owners} still holds, stops the update before {nodes} starts", "update"
        told.update((one.namespace, one.node) for one in came)
        what = _moves(f"the consensus key {address}", owners, nodes, end)
        yield Found(name, what, tuple(dict.fromkeys(one.node for one in (*left, *came))), stops)
    before = _holders(comparison.base)
    for key, pods in _holders(comparison.head).items():
        had = {item.name for _, item in before.get(key, ())}
        new = [item for _, item in pods if (item.namespace, _node(item)) not in told]
        if key[0] != CONSENSUS_KEY or not had or not new or had & {item.name for item in new}:
            continue
        names = list(dict.fromkeys(item.name for item in new))
        what = _moves(f"the consensus key in {_key_text(key)}", ", ".join(sorted(had)), ", ".join(names), _BOTH)
        yield Found(subject(new[0]), what, (*sorted(had), *names))
    yield from _from_signers(comparison)


def _from_signers(comparison: Comparison) -> Iterator[Found]:
    """Nodes that signed by a remote signer, and get a key of their own."""
    addresses = {(one.namespace, one.node): address for address, held in guards(comparison.head).items() for one in held}
    for change in comparison.of_kind("StatefulSet"):
        old, new = change.old, change.new
        if old is None or new is None or not (replicas(old) and replicas(new)) or not _has_signer(old) or _has_signer(new):
            continue
        uses = [use for use in key_uses(new) if use.file == CONSENSUS_KEY]
        if uses:
            key = addresses.get((new.namespace, _node(new))) or str(uses[0])
            what = (
                f"{_node(new)} signed by a remote signer, and signs with the consensus key {key} of its own from now on: where"
                " the signer has the same key and still runs, or signed the height last, the validator signs twice"
            )
            yield Found(subject(new), what, (_node(new),))


def _has_signer(item: Item) -> bool:
    return any(port.get("name") == "privval" for one in containers(item) for port in mappings(one.get("ports")))


_BOTH = "for a time both may sign with it"


def _moves(key: str, old: str, new: str, end: str) -> str:
    return f"{key} leaves {old} and comes to {new} in one update: {end}"


def _starts(comparison: Comparison) -> Iterator[Found]:
    base, guarded, held = _holders(comparison.base), guards(comparison.base), guards(comparison.head)
    address_of = {(one.namespace, one.node): address for address, holders in held.items() for one in holders}
    # What the stack makes itself runs nowhere else.
    own = {(item.namespace, item.name) for item in comparison.head.of_kind("Secret")}
    grouped: dict[str, list[tuple[str, str]]] = {}
    for key, pods in _holders(comparison.head).items():
        file, namespace, secrets, _ = key
        if file != CONSENSUS_KEY or key in base or any((namespace, secret) in own for secret in secrets):
            continue
        for _, item in pods:
            address = address_of.get((namespace, _node(item)))
            if address is None or not any(one.runs for one in guarded.get(address, ())):
                grouped.setdefault(subject(item), []).append((_node(item), address or _key_text(key)))
    for name, found in grouped.items():
        nodes, keys = (list(dict.fromkeys(part)) for part in zip(*found, strict=True))
        starts = "starts" if len(nodes) == 1 else "start"
        keys_text = f"the consensus key {keys[0]}" if len(keys) == 1 else f"{len(keys)} consensus keys"
        what = (
            f"{folded_names(nodes)} {starts} to sign with {keys_text}; should anything else run with it, the validator is slashed"
        )
        yield Found(name, what, tuple(nodes))


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "key-shared",
        "danger",
        "Two nodes would use one key",
        "Two pods run with one key at the same time; with a consensus key that is double signing, and the stake is slashed.",
        "Give each node a key of its own; stop one of the two for good before the other one gets its key.",
        _shared,
    ),
    Rule(
        "key-moved",
        "danger",
        "A consensus key moves from one node to another",
        "The new holder may start before the old one has ended, and both sign: the validator is slashed and barred for good.",
        "Take two updates: in the first remove the key from the old node and see its pod gone, in the second give it on.",
        _moved,
    ),
    Rule(
        "key-source-changed",
        "danger",
        "Nodes get other keys",
        "The nodes become somebody else: other peer ids, addresses or consensus keys; stake and contracts hang on the old ones.",
        "Set the source of the keys back; to rotate, first end contracts, move funds and unbond, then tell the peers.",
        _source_changed,
    ),
    Rule(
        "seed-lost",
        "danger",
        "The seed of a set's keys is lost",
        "Every key of the set comes from the seed; without it none can be made again, with another one all become others.",
        "Back the seed up first (README, Keys), and keep the set or give it the same seed with keys.seed.",
        _seed_lost,
    ),
    Rule(
        "key-removed",
        "danger",
        "A key is deleted",
        "The Secret goes with the key in it; whoever has no copy has lost the node's identity, and what hangs on it.",
        "Keep the Secret (retain it, or annotate it with pulumi.com/patchForce), or make sure of a copy that restores.",
        _removed,
    ),
    Rule(
        "validator-starts",
        "caution",
        "A validator starts to sign",
        "From its first block on it signs with its key, whoever else does.",
        "Make sure that the key runs nowhere else: no other machine, cluster, stack or remote signer.",
        _starts,
    ),
)
"""The rules about keys."""
