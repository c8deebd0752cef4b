"""Two states of a stack, object by object."""

from typing import Any

import pytest

from nodestead.changes.compare import ABSENT, Change, Comparison, EngineStep, FieldChange, compare, path_text
from nodestead.changes.snapshot import Item, Snapshot

KEPT = {"pulumi.com/patchForce": "true"}


def an_object(kind: str = "ConfigMap", name: str = "one", *, kept: bool = False, **body: Any) -> Item:
    annotations = {"annotations": KEPT} if kept else {}
    return Item({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n", **annotations}, **body})


def state(*items: Item) -> Snapshot:
    found = Snapshot("dev")
    for item in items:
        found.add(item)
    return found


def compared(old: Any, new: Any, kind: str = "StatefulSet") -> Comparison:
    return compare(state(an_object(kind, spec=old)), state(an_object(kind, spec=new)))


def differences(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    changes = compared({"x": old}, {"x": new}).changes
    return [(path_text(one.path).removeprefix("spec."), one.old, one.new) for change in changes for one in change.fields]


def test_equal_states_differ_in_nothing() -> None:
    assert compared({"a": [1, {"name": "b"}]}, {"a": [1, {"name": "b"}]}).changes == []


def test_objects_are_added_changed_and_removed_and_removed_ones_come_last() -> None:
    base = state(an_object(name="gone"), an_object(name="same"), an_object(name="other", data={"a": "1"}))
    head = state(an_object(name="same"), an_object(name="other", data={"a": "2"}), an_object(name="new"))
    found = [(change.operation, change.item.name) for change in compare(base, head).changes]
    assert found == [("change", "other"), ("add", "new"), ("remove", "gone")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(1, 2, [("x", 1, 2)], id="a value"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, [("x.b", 2, 3)], id="one key of two"),
        pytest.param({"a": 1}, {"b": 1}, [("x.a", 1, ABSENT), ("x.b", ABSENT, 1)], id="another key"),
        pytest.param({"a": ""}, {"a": None}, [("x.a", "", None)], id="nothing instead of an empty text"),
        pytest.param(
            [{"name": "a", "v": 1}, {"name": "b", "v": 1}],
            [{"name": "b", "v": 2}, {"name": "a", "v": 1}],
            [("x[b].v", 1, 2)],
            id="items with names, whatever their order",
        ),
        pytest.param(
            [{"name": "a"}, {"name": "b"}],
            [{"name": "b"}, {"name": "a"}],
            [("x", [{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}])],
            id="the order alone",
        ),
        pytest.param(["--a=1", "--b=2"], ["--a=1", "--b=3"], [("x[--b]", "--b=2", "--b=3")], id="a flag of a command line"),
        pytest.param(["--a=1", "--a=2"], ["--a=1"], [("x[1]", "--a=2", ABSENT)], id="a flag given twice goes by position"),
        pytest.param(["tcp", "udp"], ["tcp", "sctp"], [("x[1]", "udp", "sctp")], id="plain items by position"),
        pytest.param([1, 1], [1], [("x[1]", 1, ABSENT)], id="one of two equal items"),
        pytest.param([], [{"name": "a"}], [("x[a]", ABSENT, {"name": "a"})], id="the first item"),
        pytest.param(
            [{"port": 80}, {"port": 80}], [{"port": 80}], [("x[1]", {"port": 80}, ABSENT)], id="items no key tells apart"
        ),
        pytest.param("1", 1, [("x", "1", 1)], id="text instead of a number"),
    ],
)
def test_only_what_differs_is_told(old: Any, new: Any, expected: list[tuple[str, Any, Any]]) -> None:
    assert differences(old, new) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "template", "spec", "containers", "[node]", "image"), "spec.template.spec.containers[node].image"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("data", "start.sh"), 'data["start.sh"]'),
        (("x",), "x"),
    ],
)
def test_a_path_reads_as_people_write_it(path: tuple[str, ...], text: str) -> None:
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("kind", "old", "new", "kept", "reasons"),
    [
        ("StatefulSet", {"serviceName": "a"}, {"serviceName": "b"}, False, ("spec.serviceName",)),
        ("StatefulSet", {"replicas": 1}, {"replicas": 2}, False, ()),
        ("StatefulSet", {"selector": {"a": {"b": "1"}}}, {"selector": {"a": {"b": "2"}}}, False, ("spec.selector",)),
        ("PersistentVolumeClaim", {"storageClassName": "a"}, {"storageClassName": "b"}, False, ("spec.storageClassName",)),
        ("PersistentVolumeClaim", {"storageClassName": "a"}, {"storageClassName": "b"}, True, ()),
        ("PersistentVolumeClaim", {"resources": {"requests": "1Gi"}}, {"resources": {"requests": "2Gi"}}, False, ()),
        ("Service", {"type": "ClusterIP"}, {"type": "NodePort"}, False, ()),
    ],
)  # fmt: skip
def test_what_cannot_change_in_place_is_replaced_unless_it_is_kept(
    kind: str, old: Any, new: Any, kept: bool, reasons: tuple[str, ...]
) -> None:
    (change,) = compare(state(an_object(kind, kept=kept, spec=old)), state(an_object(kind, kept=kept, spec=new))).changes
    assert (change.operation, change.reasons) == ("replace" if reasons else "change", reasons)


def test_the_content_of_an_immutable_config_map_is_replaced() -> None:
    def with_content(text: str, *, immutable: bool) -> Snapshot:
        return state(an_object(data={"a": text}, immutable=immutable))

    (change,) = compare(with_content("1", immutable=True), with_content("2", immutable=True)).changes
    assert (change.operation, change.reasons) == ("replace", ("data",))
    (change,) = compare(with_content("1", immutable=False), with_content("2", immutable=False)).changes
    assert change.operation == "change"


def _agents(checksum: str, content: str, namespace: str = "n") -> list[Item]:
    name = f"codex-agents-{checksum}"
    pod = {"template": {"spec": {"volumes": [{"name": "agents", "configMap": {"name": name}}]}}}
    workload = an_object("StatefulSet", "codex-1", spec=pod)
    config: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
    return [Item({**config, "data": {"a.sh": content}}), workload]


def test_a_config_map_with_a_checksum_in_its_name_is_one_object_under_two_names() -> None:
    comparison = compare(state(*_agents("a" * 10, "1")), state(*_agents("b" * 10, "2")))

    assert [(one.operation, one.item.kind) for one in comparison.changes] == [("change", "ConfigMap"), ("change", "StatefulSet")]
    config, workload = comparison.changes
    assert [(path_text(one.path), one.follows) for one in config.fields] == [("metadata.name", True), ('data["a.sh"]', False)]
    assert [one.follows for one in workload.fields] == [True]


@pytest.mark.parametrize("other", [("c" * 9, "n"), ("C" * 10, "n"), ("c" * 10, "m")], ids=["short", "no checksum", "elsewhere"])
def test_other_names_are_other_objects(other: tuple[str, str]) -> None:
    comparison = compare(state(*_agents("a" * 10, "1")), state(*_agents(other[0], "2", other[1])))
    assert sorted(one.operation for one in comparison.changes) == ["add", "change", "remove"]


def test_the_checksum_of_a_pods_config_only_follows() -> None:
    def with_mark(mark: str) -> dict[str, Any]:
        return {"template": {"metadata": {"annotations": {"nodestead.io/config": mark, "other": mark}}}}

    (change,) = compared(with_mark("1"), with_mark("2")).changes
    assert [(one.path[-1], one.follows) for one in change.fields] == [("nodestead.io/config", True), ("other", False)]


def test_the_engine_knows_better_what_it_replaces() -> None:
    base, head = (
        state(an_object("StatefulSet", spec={"serviceName": "a"})),
        state(an_object("StatefulSet", spec={"serviceName": "b"})),
    )
    (key,) = head.items

    assert compare(base, head, {}).changes[0].operation == "change"
    (change,) = compare(base, head, {key: EngineStep("replace", ("spec.serviceName",))}).changes
    assert (change.operation, change.reasons) == ("replace", ("spec.serviceName",))
    (change,) = compare(base, base, {key: EngineStep("replace", ("provider",))}).changes
    assert (change.operation, change.fields) == ("replace", ())


def test_a_secret_that_changes_is_told_without_its_values() -> None:
    same = state(an_object("Secret", stringData={"key": "[secret]"}))
    (key,) = same.items
    (change,) = compare(same, same, {key: EngineStep("change", hidden=(("stringData", "key"),))}).changes
    assert change.fields == (FieldChange(("stringData", "key"), "[secret]", "[another secret]"),)


@pytest.mark.parametrize(
    ("path", "touched"),
    [(("spec",), True), (("spec", "a"), True), (("spec", "b"), False), (("spec", "a", "c", "d"), False)],
)
def test_a_change_touches_what_is_at_or_above_a_changed_field(path: tuple[str, ...], touched: bool) -> None:
    change = Change("change", None, an_object(), (FieldChange(("spec", "a", "c"), 1, 2),))
    assert change.touches(*path) is touched
