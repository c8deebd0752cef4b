"""States of stacks as tests of change reports write them: small literal objects, and those that a config renders."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodestead.changes.compare import Comparison, compare
from nodestead.changes.rule import Found, Rule
from nodestead.changes.snapshot import Item, SetFacts, Snapshot
from nodestead.preview.snapshots import stack_snapshot

KEPT = {"pulumi.com/patchForce": "true"}
RANDOM = "random:index/randomPassword:RandomPassword"


def labels(set_name: str, node: str = "", component: str = "storage-node") -> dict[str, str]:
    """The labels of an object of a set."""
    own = {"nodestead.io/node": node} if node else {}
    kind = "storage-node-group" if component.startswith(("storage", "bootstrap")) else "blockchain-node-set"
    return {"app.kubernetes.io/instance": set_name, "app.kubernetes.io/component": component, "nodestead.io/set": kind, **own}


def item(
    kind: str,
    name: str,
    *,
    api: str = "v1",
    namespace: str | None = "n",
    set: str = "",  # noqa: A002
    node: str = "",
    component: str = "storage-node",
    annotations: dict[str, str] | None = None,
    protected: bool = False,
    retained: bool = False,
    **body: Any,
) -> Item:
    """Any object; one of a set where `set` is given."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if set:
        metadata["labels"] = labels(set, node, component)
    if annotations:
        metadata["annotations"] = annotations
    return Item({"apiVersion": api, "kind": kind, "metadata": metadata, **body}, protected=protected, retained=retained)


def stateful_set(
    name: str,
    *,
    set: str = "codex",  # noqa: A002
    image: str = "a:1",
    replicas: int | None = None,
    volumes: Sequence[dict[str, Any]] = (),
    namespace: str = "n",
    component: str = "storage-node",
    container: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    **spec: Any,
) -> Item:
    """A workload whose pod has one container, `node`; its node has its name."""
    template = {"spec": {"containers": [{"name": "node", "image": image, **(container or {})}], **(pod or {})}}
    if volumes:
        template["spec"]["volumes"] = list(volumes)
    count = {} if replicas is None else {"replicas": replicas}
    body = {**count, "template": template, **spec}
    return item(
        "StatefulSet", name, api="apps/v1", namespace=namespace, set=set, node=name if set else "", component=component, spec=body
    )


def claim_volume(claim: str, name: str = "data") -> dict[str, Any]:
    """A volume of a pod: a claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def empty_volume(name: str = "data") -> dict[str, Any]:
    """A volume of a pod that is gone with it."""
    return {"name": name, "emptyDir": {}}


def key_volume(secret: str, entry: str | None = None, path: str = "eth-private-key", name: str = "key") -> dict[str, Any]:
    """A volume of a pod: a key's Secret, all of it or one entry."""
    items = {} if entry is None else {"items": [{"key": entry, "path": path}]}
    return {"name": name, "secret": {"secretName": secret, **items}}


def claim(
    name: str,
    *,
    set: str = "codex",  # noqa: A002
    node: str = "",
    size: str = "10Gi",
    kept: bool = True,
    namespace: str = "n",
    **spec: Any,
) -> Item:
    """A claim; one that outlives its stack where it is kept."""
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    annotations = KEPT if kept else None
    return item("PersistentVolumeClaim", name, namespace=namespace, set=set, node=node, annotations=annotations, spec=body)


def claim_template(size: str = "10Gi", name: str = "data", **spec: Any) -> dict[str, Any]:
    """What a StatefulSet makes claims from."""
    return {"metadata": {"name": name}, "spec": {"resources": {"requests": {"storage": size}}, **spec}}


def secret(
    name: str,
    *,
    set: str = "codex",  # noqa: A002
    node: str = "",
    kept: bool = True,
    immutable: bool = True,
    **data: str,
) -> Item:
    """A Secret with entries; `_` in their names stands for `-`."""
    entries = {key.replace("_", "-"): value for key, value in data.items()}
    return item("Secret", name, set=set, node=node, annotations=KEPT if kept else None, immutable=immutable, data=entries)


def guard(address: str, node: str, *, set: str = "val") -> Item:  # noqa: A002
    """The ConfigMap that holds a consensus key for a node."""
    note = {"consensusAddress": address.upper(), "node": node}
    name = f"nodestead-key-{address.lower()}"
    return item("ConfigMap", name, set=set, node=node, component="chain-node", immutable=True, data=note)


def service(
    name: str,
    *,
    set: str = "codex",  # noqa: A002
    node: str = "",
    type: str = "ClusterIP",  # noqa: A002
    ports: Sequence[dict[str, Any]] = (),
    **spec: Any,
) -> Item:
    """A Service."""
    return item("Service", name, set=set, node=node, spec={"type": type, "ports": list(ports), **spec})


def config_map(name: str, *, set: str = "codex", node: str = "", **data: str) -> Item:  # noqa: A002
    """A ConfigMap with entries."""
    return item("ConfigMap", name, set=set, node=node, data=data)


def namespace(name: str = "n", *, kept: bool = True) -> Item:
    """A namespace."""
    return item("Namespace", name, namespace=None, annotations=KEPT if kept else None)


def resource(kind: str, name: str, *, set: str = "", protected: bool = False, **inputs: Any) -> Item:  # noqa: A002
    """A resource of a program that is no Kubernetes object."""
    return Item({"kind": kind, "metadata": {"name": name}, "set": set, "inputs": inputs}, protected=protected)


def seed(set_name: str = "codex", **inputs: Any) -> Item:
    """The seed of a set's keys."""
    return resource(RANDOM, f"{set_name}-seed", set=set_name, protected=True, **{"length": 64, **inputs})


def facts(
    name: str = "codex", *, batches: list[list[str]] | None = None, component: str = "StorageNodeGroup", **given: Any
) -> SetFacts:
    """What is known of a set; `__` in the names of facts stands for a point."""
    return SetFacts(name, "n", component, batches or [], {key.replace("__", "."): value for key, value in given.items()})


def snapshot(*items: Item, sets: Sequence[SetFacts] = (), complete: bool = True, stack: str = "dev") -> Snapshot:
    """A state of a stack."""
    made = Snapshot(stack, sets=list(sets), complete=complete)
    for one in items:
        made.add(one)
    return made


def comparison(base: Snapshot, head: Snapshot, **given: Any) -> Comparison:
    """What differs between two states."""
    return compare(base, head, **given)


def changed(old: Item, new: Item, *others: Item) -> Comparison:
    """What differs when one object becomes another, among some that stay."""
    return compare(snapshot(old, *others), snapshot(new, *others))


def removed(*gone: Item, stays: Sequence[Item] = ()) -> Comparison:
    """What differs when objects go."""
    return compare(snapshot(*gone, *stays), snapshot(*stays))


def rendered(
    storage: dict[str, Any] | None = None, chains: dict[str, Any] | None = None, namespace: str = "ns", **config: Any
) -> Snapshot:
    """The state that a stack's config asks for.

    Args:
        storage: Groups of storage nodes by name, as `groups.config` makes them.
        chains: Sets of blockchain nodes by name, as `chains.config` makes them.
        namespace: Its namespace.
        config: What else the stack's file says.
    """
    given = {"namespace": {"name": namespace}, "cluster": {"render": "out"}, **config}
    given |= {"storageNodeGroups": storage or {}, "blockchainNodeSets": chains or {}}
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({"config": {f"nodestead:{key}": value for key, value in given.items()}})
        (Path(folder) / "Pulumi.dev.yaml").write_text(text)
        return stack_snapshot("dev", Path(folder))


def found_by(rule: str, rules: Sequence[Rule], compared: Comparison) -> list[Found]:
    """What one rule of a table finds."""
    (one,) = [each for each in rules if each.id == rule]
    return list(one.find(compared))


def ids(rules: Sequence[Rule], compared: Comparison) -> list[str]:
    """The rules that find something, each as often as it does."""
    return [rule.id for rule in rules for _ in rule.find(compared)]
