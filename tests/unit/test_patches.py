"""The user's last word over an object."""

from typing import Any

import groups
import pytest

from nodestead.config.base import ConfigError
from nodestead.kubernetes.patches import patched


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ([{"name": "x", "v": 1}, {"name": "y"}], [{"name": "x", "w": 2}], [{"name": "x", "v": 1, "w": 2}, {"name": "y"}]),
        ([{"name": "x"}], [{"name": "z"}], [{"name": "x"}, {"name": "z"}]),
        ([{"name": "x"}, {"name": "y"}], [{"name": "x", "$patch": "delete"}], [{"name": "y"}]),
        ([{"name": "x"}], [{"name": "absent", "$patch": "delete"}], [{"name": "x"}]),
        ([{"name": "x"}], [], []),
        ([{"key": "x"}], [{"name": "x"}], [{"name": "x"}]),
        ([{"name": "x", "v": 1}], [{"name": "x", "v": 2}, {"name": "x", "v": 3}], [{"name": "x", "v": 2}, {"name": "x", "v": 3}]),
        (
            {"volumeMounts": [{"name": "x", "mountPath": "/a"}, {"name": "x", "mountPath": "/b", "subPath": "b"}]},
            {"volumeMounts": [{"name": "x", "mountPath": "/c"}, {"mountPath": "/b", "readOnly": True}]},
            {
                "volumeMounts": [
                    {"name": "x", "mountPath": "/a"},
                    {"name": "x", "mountPath": "/b", "subPath": "b", "readOnly": True},
                    {"name": "x", "mountPath": "/c"},
                ]
            },
        ),
    ],
)
def test_a_patch_merges_mappings_and_lists_of_named_items(value: Any, patch: Any, result: Any) -> None:
    assert patched(value, patch) == result


def test_a_patch_leaves_what_it_is_put_over_as_it_was() -> None:
    value = {"a": {"b": 1}, "l": [{"name": "x", "v": 1}]}
    patched(value, {"a": {"b": 2}, "l": [{"name": "x", "v": 2}]})
    assert value == {"a": {"b": 1}, "l": [{"name": "x", "v": 1}]}


def test_a_patch_reaches_the_object_of_its_kind_and_name_alone() -> None:
    plan = groups.plan(replicas=2, patches={"StatefulSet": {"codex-2": {"spec": {"minReadySeconds": 7}}}})
    assert groups.find(plan, "StatefulSet", "codex-2")["spec"]["minReadySeconds"] == 7
    assert "minReadySeconds" not in groups.find(plan, "StatefulSet", "codex-1")["spec"]


def test_a_star_reaches_all_objects_of_its_kind() -> None:
    plan = groups.plan(replicas=2, patches={"Service": {"*": {"metadata": {"annotations": {"team": "storage"}}}}})
    found = [one["metadata"]["annotations"]["team"] for one in plan.manifests() if one["kind"] == "Service"]
    assert found == ["storage", "storage"]


def test_the_patch_of_one_object_goes_over_that_of_its_kind() -> None:
    patches = {"StatefulSet": {"codex-1": {"spec": {"minReadySeconds": 1}}, "*": {"spec": {"minReadySeconds": 2}}}}
    assert groups.find(groups.plan(patches=patches), "StatefulSet", "codex-1")["spec"]["minReadySeconds"] == 1


def test_a_shared_object_can_be_patched() -> None:
    plan = groups.plan(patches={"PodDisruptionBudget": {"codex": {"spec": {"maxUnavailable": 2}}}})
    assert groups.find(plan, "PodDisruptionBudget", "codex")["spec"]["maxUnavailable"] == 2


@pytest.mark.parametrize("kind", ["StatefulSet", "Statefulset", "Ingress"])
def test_a_patch_that_matches_nothing_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        groups.plan(patches={kind: {"codex-9": {"spec": {}}}})
    (line,) = refusal.value.problems
    assert line.startswith(f"storageNodeGroups.codex.patches.{kind}.codex-9: matches no object")


KEPT_CLAIM = "data-codex-1-1"


@pytest.mark.parametrize(
    ("kind", "name", "metadata", "field"),
    [
        ("StatefulSet", "codex-1", {"name": "other"}, "metadata.name"),
        ("Service", "*", {"namespace": "other"}, "metadata.namespace"),
        ("Service", "*", {"namespace": None}, "metadata.namespace"),
        ("PersistentVolumeClaim", KEPT_CLAIM, {"annotations": {"pulumi.com/patchForce": "false"}}, "metadata.annotations"),
        ("PersistentVolumeClaim", "*", {"annotations": None}, "metadata.annotations"),
        ("PersistentVolumeClaim", "*", None, "metadata"),
        ("Service", "*", "codex", "metadata"),
        ("StatefulSet", "codex-1", {"annotations": {"pulumi.com/patchForce": "true"}}, "metadata.annotations"),
    ],
)
def test_a_patch_moves_no_object_and_lets_go_of_no_data(kind: str, name: str, metadata: Any, field: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        groups.plan(replicas=2, patches={kind: {name: {"metadata": metadata}}})
    (line,) = refusal.value.problems
    assert line.startswith(f"storageNodeGroups.codex.patches.{kind}.{name}.{field}: may not be patched; ")


@pytest.mark.parametrize("replicas", [2, 3, "2"])
def test_a_patch_makes_no_second_pod_of_a_node(replicas: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        groups.plan(patches={"StatefulSet": {"codex-1": {"spec": {"replicas": replicas}}}})
    assert refusal.value.problems == [
        (
            "storageNodeGroups.codex.patches.StatefulSet.codex-1.spec.replicas: may not be patched; two pods would share one"
            " volume and one key; set replicas of the set"
        )
    ]


@pytest.mark.parametrize("replicas", [0, 1, None])
def test_a_patch_may_stop_a_node(replicas: int | None) -> None:
    plan = groups.plan(patches={"StatefulSet": {"codex-1": {"spec": {"replicas": replicas}}}})
    assert groups.find(plan, "StatefulSet", "codex-1")["spec"].get("replicas") == replicas


def test_other_annotations_of_kept_objects_and_of_the_engine_on_others_pass() -> None:
    claims = {"*": {"metadata": {"annotations": {"team": "storage"}}}}
    groups.plan(
        patches={
            "PersistentVolumeClaim": claims,
            "StatefulSet": {"codex-1": {"metadata": {"name": "codex-1", "annotations": {"pulumi.com/skipAwait": "true"}}}},
        }
    )
