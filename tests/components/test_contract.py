"""What holds for every component in every shape."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import pulumi
import pulumi_kubernetes
import pytest
from cases import CASES, NAMESPACE, Case
from google.protobuf import json_format
from pulumi.output import Unknown
from pulumi.runtime import rpc
from recording import PASSWORD, SEED, Recording, Registered, is_secret, run

from nodestead import NodeSet

every_component = pytest.mark.parametrize("case", CASES, ids=str)
_RECOMMENDED = {"name", "instance", "component", "part-of", "managed-by"}


@cache
def deployed(case: Case, *, preview: bool = False) -> Recording:
    def program() -> NodeSet:
        cluster = pulumi_kubernetes.Provider("cluster", kubeconfig="")
        return case.make("codex", pulumi.ResourceOptions(provider=cluster))

    return run(program, preview=preview)


def children(case: Case) -> list[Registered]:
    recording = deployed(case)
    component = recording.component("codex")
    return [r for r in recording.resources if r is not component and r.name != "cluster"]


def objects(case: Case) -> list[Registered]:
    return [r for r in children(case) if r.kind]


@every_component
def test_it_has_children_at_all(case: Case) -> None:
    assert len(objects(case)) > 10


@every_component
def test_every_child_has_the_component_for_parent(case: Case) -> None:
    component = deployed(case).component("codex")

    assert {r.parent for r in children(case)} == {component.urn}


@every_component
def test_every_childs_name_begins_with_that_of_the_component(case: Case) -> None:
    assert [r.name for r in children(case) if not r.name.startswith("codex-")] == []


@every_component
def test_the_callers_provider_serves_every_object(case: Case) -> None:
    cluster = deployed(case).named("cluster")

    assert {r.provider for r in objects(case)} == {f"{cluster.urn}::cluster-id"}


@every_component
def test_every_object_has_the_recommended_labels(case: Case) -> None:
    for r in objects(case):
        labels = r.inputs["metadata"]["labels"]
        assert {f"app.kubernetes.io/{key}" for key in _RECOMMENDED} <= set(labels), r.name
        assert labels["app.kubernetes.io/instance"] == "codex", r.name


@every_component
def test_no_two_objects_have_one_identity(case: Case) -> None:
    found = Counter((r.inputs["apiVersion"], r.kind, r.inputs["metadata"].get("namespace"), r.object_name) for r in objects(case))

    assert [identity for identity, count in found.items() if count > 1] == []


@every_component
def test_no_two_resources_have_one_urn(case: Case) -> None:
    found = Counter(r.urn for r in deployed(case).resources)

    assert [urn for urn, count in found.items() if count > 1] == []


@every_component
def test_two_of_a_kind_live_side_by_side_in_one_stack(case: Case) -> None:
    def program() -> None:
        case.make("codex", None)
        case.make("other", None)

    found = Counter(r.urn for r in run(program).resources)

    assert [urn for urn, count in found.items() if count > 1] == []


@every_component
def test_what_a_secret_holds_is_marked_secret(case: Case) -> None:
    for r in objects(case):
        if r.kind == "Secret":
            assert r.secret_inputs == {"data", "stringData"} & set(r.inputs), r.name


@every_component
def test_no_key_or_password_stands_in_clear(case: Case) -> None:
    for r in children(case):
        clear = str({key: value for key, value in r.inputs.items() if key not in r.secret_inputs})
        assert SEED not in clear, r.name
        assert PASSWORD not in clear, r.name


@every_component
def test_outputs_hold_no_secret_in_clear(case: Case) -> None:
    recording = deployed(case)
    (outputs,) = recording.component_outputs[recording.component("codex").urn]
    clear = str({key: value for key, value in outputs.items() if not is_secret(value)})

    assert SEED not in clear
    assert PASSWORD not in clear


@every_component
def test_what_is_public_of_a_node_is_no_secret(case: Case) -> None:
    recording = deployed(case)
    (outputs,) = recording.component_outputs[recording.component("codex").urn]

    assert not is_secret(outputs["nodes"])
    assert set(outputs["nodes"]) == set(cast("NodeSet", recording.result).nodes)


@every_component
def test_outputs_are_registered_once(case: Case) -> None:
    recording = deployed(case)

    assert len(recording.component_outputs[recording.component("codex").urn]) == 1


@every_component
def test_data_and_keys_are_patched_and_retained_and_nothing_else_is(case: Case) -> None:
    annotations: dict[str, dict[str, str]] = {r.name: r.inputs["metadata"].get("annotations", {}) for r in objects(case)}
    kept = {name for name, given in annotations.items() if given.get("pulumi.com/patchForce") == "true"}

    assert {r.name for r in objects(case) if r.is_patch} == kept
    assert {r.name for r in children(case) if r.retained} == kept
    assert {r.name for r in objects(case) if r.kind == "PersistentVolumeClaim"} <= kept


@every_component
def test_only_the_seed_is_protected(case: Case) -> None:
    assert {r.name for r in children(case) if r.protect} <= {"codex-seed"}


@every_component
def test_no_output_was_formatted_into_a_text(case: Case) -> None:
    recording = deployed(case)
    shown = str([r.inputs for r in recording.resources]) + str(recording.component_outputs)

    assert "Calling __str__" not in shown
    assert "<pulumi.output" not in shown


def differing(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Where the second of two values is another, and what it is there."""
    if isinstance(one, dict) and isinstance(other, dict):
        first, second = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        for key in first | second:
            yield from differing(first.get(key), second.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(cast("list[Any]", one)) == len(cast("list[Any]", other)):
        for index, pair in enumerate(zip(cast("list[Any]", one), cast("list[Any]", other), strict=True)):
            yield from differing(*pair, f"{path}[{index}]")
    elif one != other:
        yield path, other


@every_component
def test_a_preview_says_what_the_update_does_or_that_it_is_unknown(case: Case) -> None:
    updated = {r.urn: json_format.MessageToDict(r.wire) for r in deployed(case).resources}
    previewed = {r.urn: json_format.MessageToDict(r.wire) for r in deployed(case, preview=True).resources}

    assert {value for _, value in differing(updated, previewed)} <= {rpc.UNKNOWN}


@every_component
def test_outputs_in_a_preview_are_those_of_the_update_or_unknown(case: Case) -> None:
    updated, previewed = deployed(case), deployed(case, preview=True)

    assert {type(value) for _, value in differing(updated.component_outputs, previewed.component_outputs)} <= {Unknown}


@every_component
def test_every_object_is_in_its_namespace(case: Case) -> None:
    homes = {r.name: r.inputs["metadata"].get("namespace") for r in objects(case) if not r.kind.startswith("Cluster")}

    assert {name for name, home in homes.items() if home != NAMESPACE} <= {"codex-pod-monitor@monitoring"}


@every_component
def test_every_workload_waits_for_what_its_pods_read(case: Case) -> None:
    named = {(r.kind, r.object_name): r for r in objects(case)}
    for r in objects(case):
        if r.kind != "StatefulSet":
            continue
        for kind, name in _read_by(r.inputs["spec"]["template"]["spec"]):
            if (kind, name) in named:
                assert named[kind, name].urn in r.dependencies, f"{r.name} reads {kind} {name}"


def _read_by(pod: dict[str, Any]) -> set[tuple[str, str]]:
    """The objects that a pod mounts."""
    found: set[tuple[str, str]] = set()
    for volume in pod.get("volumes", ()):
        for source in [volume, *volume.get("projected", {}).get("sources", ())]:
            if "configMap" in source:
                found.add(("ConfigMap", source["configMap"]["name"]))
            if "secret" in source:
                found.add(("Secret", source["secret"].get("secretName") or source["secret"]["name"]))
        if "persistentVolumeClaim" in volume:
            found.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
    return found


@every_component
def test_the_waves_of_the_plan_show_in_the_order_of_registration(case: Case) -> None:
    workloads = [r for r in objects(case) if r.kind == "StatefulSet"]
    urns = {r.urn: r for r in workloads}
    after = {r.name: [urns[urn] for urn in r.dependencies if urn in urns] for r in workloads}

    assert any(after.values())
    for r in workloads:
        assert len(after[r.name]) <= 1, r.name
        assert all(before.finished < r.started for before in after[r.name]), r.name


@every_component
def test_a_guard_of_what_may_not_change_runs_before_updates(case: Case) -> None:
    recording = deployed(case)
    component = recording.component("codex")

    assert len(component.before_update) == 1
    assert recording.hooks[component.before_update[0]].on_dry_run
    assert {"layout", "network.kind"} & set(component.inputs)


@every_component
def test_a_protected_component_protects_its_children(case: Case) -> None:
    recording = run(lambda: case.make("codex", pulumi.ResourceOptions(protect=True)))

    assert {r.protect for r in recording.resources} == {True}
