"""Risk rules about NetworkPolicies."""

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from nodestead.changes.compare import Comparison
from nodestead.changes.names import folded_names
from nodestead.changes.plain import mappings
from nodestead.changes.rule import Found, Rule
from nodestead.changes.selection import is_selected, selects_of
from nodestead.changes.snapshot import Item, Snapshot, subject
from nodestead.changes.workloads import WORKLOADS, pod_spec, replicas

__all__ = ["RULES"]

_ALL = "*"
_MOST_PORTS = 20_000

Opening = tuple[str, str]
"""Who may come in, and where: a peer as JSON and `TCP 8080`; `*` for all."""


def _policies(snapshot: Snapshot) -> dict[str, list[Item]]:
    """The policies that close something to who comes in, by namespace."""
    found: dict[str, list[Item]] = {}
    for item in snapshot.of_kind("NetworkPolicy"):
        types = item.at("spec", "policyTypes")
        if not isinstance(types, list) or not types or "Ingress" in types:
            found.setdefault(item.namespace, []).append(item)
    return found


def _of(policies: dict[str, list[Item]], workload: Item) -> list[Item]:
    near = policies.get(workload.namespace, ())
    return [one for one in near if is_selected(workload, selects_of(one, "podSelector"))]


def _removed(comparison: Comparison) -> Iterator[Found]:
    touched = {change.item.namespace for change in comparison.of_kind("NetworkPolicy")}
    touched |= {change.item.namespace for change in comparison.of_kind(*WORKLOADS)}
    before, after = _policies(comparison.base), _policies(comparison.head)
    grouped: dict[str, list[str]] = {}
    known: set[str] = set()
    for key, new in comparison.head.items.items():
        if new.kind not in WORKLOADS or not new.is_object or new.namespace not in touched or not replicas(new):
            continue
        old = comparison.base.items.get(key)
        known.add(new.namespace)
        if old is not None and replicas(old) and _of(before, old) and not _of(after, new):
            grouped.setdefault(subject(new), []).append(new.name)
    for name, nodes in grouped.items():
        yield Found(name, "no NetworkPolicy closes any port of the pods any more: the API too is open to every pod", tuple(nodes))
    if comparison.complete:
        return
    gone = {change.item.set for change in comparison.of_kind(*WORKLOADS) if change.operation == "remove"}
    for change in comparison.of_kind("NetworkPolicy"):
        item = change.item
        if change.operation == "remove" and subject(item) not in grouped and (not item.set or item.set not in gone):
            yield Found(subject(item), f"NetworkPolicy {item.name} goes: what it closed is open to every pod", (item.name,))


def _opened(comparison: Comparison) -> Iterator[Found]:
    before = _policies(comparison.base)
    for change in comparison.of_kind("NetworkPolicy"):
        new = change.new
        if new is None or not (change.operation == "add" or change.touches("spec")):
            continue
        wants = selects_of(new, "podSelector")
        workloads = [item for item in comparison.base.of_kind(*WORKLOADS) if item.namespace == new.namespace]
        closing = {id(one): one for item in workloads if is_selected(item, wants) for one in _of(before, item)}
        if change.old is not None:
            closing[id(change.old)] = change.old
        if not closing:
            # Nothing was closed: a first policy only closes.
            continue
        was = {opening for one in closing.values() for opening in _openings(one)}
        now = [one for one in _openings(new) if not _covers(was, one)]
        meant = _peer_ports(comparison.head, new) if any(who == _ALL for who, _ in now) else set[str]()
        told = [(who, where) for who, where in dict.fromkeys(now) if not (who == _ALL and where in meant)]
        if told:
            yield Found(subject(new), _openings_text(told), (new.name,))


def _openings(item: Item) -> Iterator[Opening]:
    for rule in mappings(item.at("spec", "ingress")):
        peers = [json.dumps(one, sort_keys=True) for one in mappings(rule.get("from"))] or [_ALL]
        for where in list(_ports(rule.get("ports"))) or [_ALL]:
            for who in peers:
                yield who, where


def _ports(entries: Any) -> Iterator[str]:
    for entry in mappings(entries):
        protocol, first, last = str(entry.get("protocol") or "TCP"), entry.get("port"), entry.get("endPort")
        if first is None:
            yield f"{protocol} {_ALL}"
        elif isinstance(first, int) and isinstance(last, int) and 0 <= last - first < _MOST_PORTS:
            yield from (f"{protocol} {port}" for port in range(first, last + 1))
        else:
            yield f"{protocol} {first}" if last is None else f"{protocol} {first}-{last}"


def _covers(was: set[Opening], one: Opening) -> bool:
    who, where = one
    whole = f"{where.split(' ')[0]} {_ALL}"
    return any((w, p) in was for w in (who, _ALL) for p in (where, whole, _ALL))


def _peer_ports(snapshot: Snapshot, policy: Item) -> set[str]:
    """The ports of pods that are there for peers: a policy opens those of a new node to all."""
    wants = selects_of(policy, "podSelector")
    found: set[str] = set()
    for item in snapshot.of_kind(*WORKLOADS):
        if item.namespace == policy.namespace and is_selected(item, wants):
            for container in mappings(pod_spec(item).get("containers")):
                ports = [one for one in mappings(container.get("ports")) if one.get("name") in ("p2p", "discovery")]
                found |= {f"{one.get('protocol') or 'TCP'} {one.get('containerPort')}" for one in ports}
    return found


def _openings_text(openings: list[Opening]) -> str:
    by_who: dict[str, list[str]] = {}
    for who, where in openings:
        by_who.setdefault(who, []).append(where)
    parts = [f"{_ports_text(ports)} to {_who(who)}" for who, ports in by_who.items()]
    more = f", and more to {len(parts) - 3} others" if len(parts) > 3 else ""
    return f"opens {', '.join(parts[:3])}{more}"


def _ports_text(ports: list[str]) -> str:
    if _ALL in ports:
        return "every port"
    named = [port.replace(f" {_ALL}", ", every port,") for port in ports]
    return ", ".join(named) if len(named) <= 4 else f"{named[0]} and {len(named) - 1} other ports"


def _who(peer: str) -> str:
    if peer == _ALL:
        return "everybody"
    given: dict[str, Any] = json.loads(peer)
    block, pods, spaces = given.get("ipBlock"), given.get("podSelector"), given.get("namespaceSelector")
    if isinstance(block, dict):
        return str(cast("dict[str, Any]", block).get("cidr"))[:50]
    which = "all pods" if not pods else f"pods with {_labels(pods)}"
    if spaces is None:
        return f"{which} of the namespace"
    return f"{which} of {'all namespaces' if not spaces else f'namespaces with {_labels(spaces)}'}"


def _labels(selector: Any) -> str:
    labels = cast("dict[str, Any]", selector).get("matchLabels") if isinstance(selector, dict) else None
    pairs = [f"{key}={value}" for key, value in cast("dict[str, Any]", labels).items()] if isinstance(labels, dict) else []
    return folded_names(pairs) or "some labels"


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "network-policy-removed",
        "danger",
        "Nodes lose their NetworkPolicy",
        "Every pod of the cluster reaches every port of the nodes; their API asks nobody who they are, and controls the node.",
        "Keep networkPolicy.enabled, and name who else needs a port: networkPolicy.apiFrom, metricsFrom.",
        _removed,
    ),
    Rule(
        "network-policy-opened",
        "caution",
        "A NetworkPolicy lets more in",
        "Others reach ports of the nodes that were closed to them.",
        "Name as few as need it, by labels and one namespace; let others reach the API through a route with a password.",
        _opened,
    ),
)
