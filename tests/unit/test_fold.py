"""Equal changes of many nodes as one entry."""

import time
from typing import Any

import pytest

from nodestead.changes.compare import Change, EngineStep, compare
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.reports.fold import FoldedEntry, fold


def node(name: str, image: str = "codex:1", *, replicas: int | None = None, **spec: Any) -> Item:
    labels = {"app.kubernetes.io/instance": "codex", "nodestead.io/set": "storage-node-group", "nodestead.io/node": name}
    pod = {"containers": [{"name": "node", "image": image, **spec}]}
    content = {"template": {"spec": pod}, **({} if replicas is None else {"replicas": replicas})}
    return Item({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "labels": labels}, "spec": content})


def owned(kind: str, name: str, of: str, content: dict[str, Any], version: str = "v1", *, retained: bool = False) -> Item:
    labels = {"app.kubernetes.io/instance": "codex", "nodestead.io/set": "storage-node-group"}
    if of:
        labels["nodestead.io/node"] = of
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **content}
    return Item(manifest, retained=retained)


def changes(old: list[Item], new: list[Item], steps: dict[Any, EngineStep] | None = None) -> list[Change]:
    base, head = Snapshot("prod"), Snapshot("prod")
    for item in old:
        base.add(item)
    for item in new:
        head.add(item)
    return compare(base, head, steps).changes


def entries(old: list[Item], new: list[Item]) -> list[FoldedEntry]:
    return [entry for found in fold(changes(old, new)).values() for entry in found]


def test_equal_changes_of_nine_nodes_are_one_entry() -> None:
    names = [f"codex-{ordinal}" for ordinal in range(1, 10)]
    (entry,) = entries([node(name, "a/codex:0.2.4") for name in names], [node(name, "a/codex:0.2.5") for name in names])
    assert entry.summary == "9 nodes: image 0.2.4 -> 0.2.5"
    assert (entry.objects, entry.names, entry.set, entry.follows) == (9, "codex-1 … codex-9", "codex", False)
    assert [(value.old, value.new, value.count) for value in entry.fields[0].values] == [("a/codex:0.2.4", "a/codex:0.2.5", 9)]


def test_the_label_of_the_version_is_no_news_beside_the_image() -> None:
    def labelled(image: str, **labels: str) -> Item:
        made = node("codex-1", image)
        made.manifest["metadata"]["labels"] |= {name.replace("_", "/"): value for name, value in labels.items()}
        return made

    def summary(old: Item, new: Item) -> str:
        return entries([old], [new])[0].summary

    version = "app.kubernetes.io_version"
    before, after = labelled("a:1", **{version: "1"}), labelled("a:2", **{version: "2"})
    assert summary(before, after) == "codex-1: image 1 -> 2"
    assert "label app.kubernetes.io/version" in [one.label for one in entries([before], [after])[0].fields]
    alone = labelled("a:1", **{version: "2"})
    assert summary(before, alone) == "codex-1: label app.kubernetes.io/version 1 -> 2"
    other = labelled("a:2", team="x", **{version: "2"})
    assert summary(before, other) == "codex-1: image 1 -> 2 and 1 more field"


def test_a_node_with_another_field_is_an_entry_of_its_own() -> None:
    names = ["codex-1", "codex-2", "codex-3"]
    new = [node("codex-1", "codex:2"), node("codex-2", "codex:2"), node("codex-3", "codex:2", replicas=0)]
    assert [entry.summary for entry in entries([node(name) for name in names], new)] == [
        "2 nodes: image 1 -> 2",
        "codex-3: image 1 -> 2, replicas 1 -> 0",
    ]


def test_different_values_are_counted_the_most_frequent_first() -> None:
    old = [node("codex-1", "codex:1"), node("codex-2", "codex:2"), node("codex-3", "codex:2")]
    (entry,) = entries(old, [node(one.name, "codex:3") for one in old])
    assert entry.summary == "3 nodes: image 2 -> 3 (2), 1 -> 3 (1)"


def test_a_value_with_the_own_name_of_a_node_counts_as_equal() -> None:
    names = ["codex-1", "codex-2", "codex-3"]

    def argued(name: str, host: str) -> Item:
        return node(name, args=[f"--moniker={name}.{host}", "--log-level=info"])

    (entry,) = entries([argued(name, "a") for name in names], [argued(name, "b") for name in names])
    assert entry.summary == "3 nodes: argument --moniker <node>.a -> <node>.b"


def test_numbers_that_run_with_the_nodes_are_a_range() -> None:
    def service(ordinal: int, port: int) -> Item:
        content = {"spec": {"ports": [{"name": "p2p", "nodePort": port + ordinal}]}}
        return owned("Service", f"codex-{ordinal}-nodeport", f"codex-{ordinal}", content)

    (entry,) = entries([service(n, 30000) for n in range(1, 10)], [service(n, 31000) for n in range(1, 10)])
    assert entry.summary == "9 Services: node port p2p 30001 … 30009 -> 31001 … 31009"
    assert entry.fields[0].values[0].count == 9


def test_numbers_that_move_by_different_amounts_are_no_range() -> None:
    def service(ordinal: int, port: int) -> Item:
        content = {"spec": {"ports": [{"name": "p2p", "nodePort": port}]}}
        return owned("Service", f"codex-{ordinal}-nodeport", f"codex-{ordinal}", content)

    (entry,) = entries([service(n, 30000 + n) for n in range(4)], [service(n, 31000 + n * n) for n in range(4)])
    assert entry.summary == "4 Services: node port p2p: 4 different changes"


def test_numbers_that_come_or_go_with_the_nodes_are_a_range() -> None:
    def service(n: int, *ports: int) -> Item:
        content = {"spec": {"ports": [{"name": "p2p", "port": 1, **({"nodePort": port} if port else {})} for port in ports]}}
        return owned("Service", f"codex-{n}-nodeport", f"codex-{n}", content)

    (entry,) = entries([service(n, 0) for n in range(1, 5)], [service(n, 30000 + n) for n in range(1, 5)])
    assert entry.summary == "4 Services: node port p2p set to 30001 … 30004"
    (entry,) = entries([service(n, 30000 + n) for n in range(1, 5)], [service(n, 30000) for n in range(1, 5)])
    assert entry.summary == "4 Services: node port p2p 30001 … 30004 -> 30000"


def test_what_only_follows_is_said_last_and_not_in_the_headline() -> None:
    def pod(name: str, checksum: str, image: str = "codex:1") -> Item:
        item = node(name, image)
        item.manifest["spec"]["template"]["metadata"] = {"annotations": {"nodestead.io/config": checksum}}
        return item

    (entry,) = entries([pod("codex-1", "aa")], [pod("codex-1", "bb")])
    assert (entry.follows, entry.summary) == (True, "codex-1: only what follows from another change")
    (entry,) = entries([pod("codex-1", "aa")], [pod("codex-1", "bb", "codex:2")])
    assert (entry.follows, entry.summary) == (False, "codex-1: image 1 -> 2")
    assert [field.follows for field in entry.fields] == [False, True]


@pytest.mark.parametrize(("retained", "said"), [(True, "leaves the stack and stays in the cluster"), (False, "removed")])
def test_a_claim_that_leaves_says_whether_it_stays(retained: bool, said: str) -> None:
    size = {"spec": {"resources": {"requests": {"storage": "20Gi"}}}}
    claim = owned("PersistentVolumeClaim", "data-codex-1-0", "codex-1", size, retained=retained)
    (entry,) = entries([claim], [])
    assert entry.summary == f"claim data-codex-1-0 {said}: size 20Gi"


def test_an_added_object_shows_no_content() -> None:
    added = [
        owned("ConfigMap", "codex-config", "", {"data": {"a.toml": "moniker = 'x'"}}),
        owned("Secret", "codex-key", "", {"stringData": {"key": "hunter2"}}),
    ]
    assert [(entry.summary, entry.fields) for entry in entries([], added)] == [
        ("Secret codex-key added", []),
        ("ConfigMap codex-config added", []),
    ]


def test_services_of_two_roles_are_two_entries() -> None:
    old = [
        owned("Service", f"codex-{n}-{role}", f"codex-{n}", {"spec": {"type": "ClusterIP"}})
        for n in (1, 2)
        for role in ("p2p", "api")
    ]
    new = [owned("Service", item.name, item.node, {"spec": {"type": "NodePort"}}) for item in old]
    assert [entry.names for entry in entries(old, new)] == ["codex-1-p2p, codex-2-p2p", "codex-1-api, codex-2-api"]


def test_a_replacement_says_so() -> None:
    def workload(policy: str) -> Item:
        item = node("codex-1")
        item.manifest["spec"]["podManagementPolicy"] = policy
        return item

    (entry,) = entries([workload("OrderedReady")], [workload("Parallel")])
    assert entry.summary == "codex-1 replaced: pod management policy OrderedReady -> Parallel"


def test_positions_in_lists_fold() -> None:
    def policy(start: int) -> Item:
        ports = [{"port": start + n, "protocol": "TCP"} for n in range(5)]
        return owned("NetworkPolicy", "codex", "", {"spec": {"ingress": [{"ports": ports}]}}, "networking.k8s.io/v1")

    (entry,) = entries([policy(100)], [policy(200)])
    assert {field.path for field in entry.fields} == {"spec.ingress[*].ports[*]"}


def test_ordinals_in_the_keys_of_a_node_fold() -> None:
    def keyed(n: int, key: str) -> Item:
        item = node(f"codex-{n}")
        items = [{"key": f"{key}-{n}", "path": "key"}]
        item.manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "key", "secret": {"items": items, "secretName": key}}]
        return item

    made = entries([keyed(n, "a") for n in range(1, 5)], [keyed(n, "b") for n in range(1, 5)])
    assert [entry.objects for entry in made] == [4]
    told = {field.path.rpartition("volumes[key].secret.")[2]: field.values for field in made[0].fields}
    assert [(value.old, value.new, value.count) for value in told["secretName"]] == [("a", "b", 4)]


def test_a_secret_is_never_in_an_entry() -> None:
    def keyed(secret: str) -> list[Item]:
        return [
            owned("Secret", "codex-key", "", {"stringData": {"key": secret}}),
            node("codex-1", env=[{"name": "DB_PASSWORD", "value": secret}], args=[f"--eth-private-key={secret}"]),
            owned(
                "ConfigMap",
                "codex-config",
                "",
                {"data": {"a.toml": f'x = 1\npassword = "{secret}"\nurl = "http://u:{secret}@h"'}},
            ),
        ]

    text = repr(entries(keyed("hunter2hunter2"), keyed("correcthorsebattery")))
    assert "hunter2" not in text
    assert "correcthorse" not in text


def test_what_is_hidden_on_both_sides_is_said_to_differ() -> None:
    old, new = (node("codex-1", env=[{"name": "DB_PASSWORD", "value": value}]) for value in ("aaaabbbb", "ccccdddd"))
    (entry,) = entries([old], [new])
    assert entry.summary == "codex-1: variable DB_PASSWORD changed, hidden"


# ---- texts of several lines


def config_map(n: int, text: str) -> Item:
    return owned("ConfigMap", f"codex-{n}-config", f"codex-{n}", {"data": {"node.toml": text}})


def test_a_config_file_is_shown_by_its_changed_lines_folded_over_nodes() -> None:
    def text(n: int, level: str) -> str:
        return f'moniker = "codex-{n}"\nid = {n * 977}\nlevel = "{level}"\nend = 1\n'

    (entry,) = entries(
        [config_map(n, text(n, "info")) for n in range(1, 5)], [config_map(n, text(n, "debug")) for n in range(1, 5)]
    )
    assert entry.summary == '4 ConfigMaps: node.toml: level "info" -> "debug"'
    assert '-level = "info"' in entry.fields[0].lines
    assert '+level = "debug"' in entry.fields[0].lines


def test_scripts_of_many_nodes_take_no_time() -> None:
    script = "".join(f"echo {n} of a script\n" for n in range(5_000))
    old = [config_map(n, script) for n in range(200)]
    new = [config_map(n, script.replace("echo 7 ", f"echo {n} more of ")) for n in range(200)]
    start = time.perf_counter()
    (entry,) = entries(old, new)
    assert entry.objects == 200
    assert entry.fields[0].more
    assert entry.fields[0].lines
    assert time.perf_counter() - start < 20


def test_equal_differences_of_large_texts_are_read_once() -> None:
    script = "".join(f"echo {n} of a script\n" for n in range(5_000))
    old = [config_map(n, f"id = {n}\n{script}") for n in range(100)]
    new = [config_map(n, f"id = {n}\n{script}".replace("echo 7 ", "echo seven ")) for n in range(100)]
    (entry,) = entries(old, new)
    assert [value.count for value in entry.fields[0].values] == [100]
    assert entry.summary == "100 ConfigMaps: node.toml: echo 7 of a script -> echo seven of a script"


def test_a_workload_of_several_pods_says_how_many_come_or_go() -> None:
    pool = node("codex", replicas=3)
    assert [one.summary for one in entries([pool], [])] == ["codex removed: replicas 3, image codex:1"]
    assert [one.summary for one in entries([], [pool])] == ["codex added: replicas 3, image codex:1"]
