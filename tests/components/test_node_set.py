"""The base of all components, on a plan made by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import SecretPatch
from pydantic import SecretStr
from recording import PASSWORD, PASSWORD_HASH, SEED, Recording, is_secret, run
from sample_plan import NAMESPACE, metadata, node, plan

from nodestead.component import NodeSet
from nodestead.hooks import refused_changes
from nodestead.kubernetes.objects import Address, Late, Manifest, NodePlan, PasswordHash, Plan, Seed


def deployed(made: Plan | None = None, opts: pulumi.ResourceOptions | None = None, **how: Any) -> Recording:
    return run(lambda: NodeSet("NodeSet", "codex", made or plan(), opts), **how)


def with_node(change: Any) -> Plan:
    """The sample plan with a change to each node's manifests."""

    def changed(name: str, ordinal: int) -> NodePlan:
        made = node(name, ordinal)
        change(made.manifests)
        return made

    return plan(make_node=changed)


# ---- classes and names


@pytest.mark.parametrize(
    ("key", "token"),
    [
        ("Service/codex-1-loadbalancer", "kubernetes:core/v1:Service"),
        ("StatefulSet/codex-1", "kubernetes:apps/v1:StatefulSet"),
        ("RoleBinding/codex", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"),
        ("PodMonitor/codex", "kubernetes:monitoring.coreos.com/v1:PodMonitor"),
        ("PersistentVolumeClaim/data-codex-1-1", "kubernetes:core/v1:PersistentVolumeClaimPatch"),
        ("Secret/codex-1-key-1", "kubernetes:core/v1:SecretPatch"),
        ("Secret/codex-api-auth", "kubernetes:core/v1:Secret"),
    ],
)
def test_a_manifest_becomes_the_typed_resource_of_its_kind(key: str, token: str) -> None:
    assert deployed().objects()[key].type == token


def test_nested_keys_stay_as_the_api_spells_them() -> None:
    container = deployed().objects()["StatefulSet/codex-1"].inputs["spec"]["template"]["spec"]["containers"][0]

    assert container["imagePullPolicy"] == "Always"


def test_a_groups_first_word_does_not_pass_a_crd_for_a_built_in_kind() -> None:
    def change(manifests: list[Manifest]) -> None:
        manifests[3] |= {"apiVersion": "batch.volcano.sh/v1", "kind": "Job", "spec": {}}
        del manifests[3]["data"]

    assert deployed(with_node(change)).objects()["Job/codex-1-config"].type == "kubernetes:batch.volcano.sh/v1:Job"


def test_children_are_there_by_name_and_by_attribute() -> None:
    found: NodeSet = deployed().result

    assert set(found.stateful_sets) == {"codex-1", "codex-2", "codex-3"}
    assert found.resources["StatefulSet/codex-2"] is found.stateful_sets["codex-2"]
    assert found.services["codex-1-loadbalancer"] is found.resources["Service/codex-1-loadbalancer"]
    assert isinstance(found.secrets["codex-3-key-1"], SecretPatch)
    assert "PodMonitor/monitoring/codex" in found.resources


# ---- values known at deploy time


def test_a_late_leaf_is_made_of_what_it_needs() -> None:
    container = deployed().objects()["StatefulSet/codex-1"].inputs["spec"]["template"]["spec"]["containers"][0]

    assert container["env"] == [{"name": "ADDRESS", "value": "203.0.113.7"}]


def test_an_objects_address_may_be_that_of_a_later_node() -> None:
    late = node("codex-3", 3).outputs["announced"]
    shared: list[Manifest] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("codex-peers"), "data": {"third": late}}
    ]

    assert deployed(plan(shared=shared)).objects()["ConfigMap/codex-peers"].inputs["data"] == {"third": "203.0.113.7"}


def test_a_refused_address_is_one_clean_error() -> None:
    def refuse(served: Any) -> str:
        raise ValueError("Service codex-1: its load balancer has no IP address")

    def change(manifests: list[Manifest]) -> None:
        late = node("codex-1", 1).outputs["announced"]
        manifests[3]["data"] = {"address": Late(late.refs, refuse, "")}

    with pytest.raises(pulumi.RunError, match="Service codex-1: its load balancer has no IP address"):
        deployed(with_node(change))


def test_an_output_of_the_caller_passes_through() -> None:
    def program() -> None:
        def change(manifests: list[Manifest]) -> None:
            manifests[3]["data"] = {"x": pulumi.Output.from_input("from elsewhere")}

        NodeSet("NodeSet", "codex", with_node(change))

    assert run(program).objects()["ConfigMap/codex-1-config"].inputs["data"] == {"x": "from elsewhere"}


def test_a_namespace_of_another_resource_renames_nothing() -> None:
    def program() -> None:
        namespace = pulumi.Output.from_input(NAMESPACE)

        def change(manifests: list[Manifest]) -> None:
            for manifest in manifests:
                manifest["metadata"] |= {"namespace": namespace}

        NodeSet("NodeSet", "codex", with_node(change))

    assert {r.name for r in run(program).resources} == {r.name for r in deployed().resources}


# ---- secrets


def test_what_comes_from_the_seed_is_secret() -> None:
    secret = deployed().objects()["Secret/codex-2-key-1"]

    assert secret.inputs["stringData"] == {"key": f"key-2-{SEED}"}
    assert secret.secret_inputs == {"stringData"}


def test_what_a_secret_holds_in_clear_is_secret_too() -> None:
    def change(manifests: list[Manifest]) -> None:
        manifests[2] |= {"stringData": {"token": "given in clear"}}

    assert deployed(with_node(change)).objects()["Secret/codex-1-key-1"].secret_inputs == {"stringData"}


def test_a_given_secret_is_marked_secret_wherever_it_stands() -> None:
    def change(manifests: list[Manifest]) -> None:
        manifests[3]["data"] = {"token": SecretStr("hunter2")}

    config = deployed(with_node(change)).objects()["ConfigMap/codex-1-config"]

    assert (config.inputs["data"], config.secret_inputs) == ({"token": "hunter2"}, {"data"})


@pytest.mark.parametrize(
    "given",
    [lambda: None, lambda: SecretStr(SEED), lambda: pulumi.Output.from_input(SEED)],
    ids=["generated", "given", "of another resource"],
)
def test_what_comes_from_the_seed_is_secret_wherever_it_stands(given: Callable[[], Any]) -> None:
    def change(manifests: list[Manifest]) -> None:
        manifests[3]["data"] = {"key": Late((Seed("codex"),), "key-{}".format, "")}

    recording = run(lambda: NodeSet("NodeSet", "codex", replace(with_node(change), given_seed=given())))
    config = recording.objects()["ConfigMap/codex-1-config"]

    assert (config.inputs["data"], config.secret_inputs) == ({"key": f"key-{SEED}"}, {"data"})


def test_the_hash_of_the_password_is_secret_wherever_it_stands() -> None:
    def change(manifests: list[Manifest]) -> None:
        manifests[3]["data"] = {"auth": Late((PasswordHash("codex"),), "admin:{}".format, "")}

    assert deployed(with_node(change)).objects()["ConfigMap/codex-1-config"].secret_inputs == {"data"}


def test_the_seed_is_protected_and_64_hexadecimal_digits_under_an_id_that_does_not_show_them() -> None:
    seed = deployed().named("codex-seed")

    assert (seed.type, seed.protect) == ("random:index/randomPassword:RandomPassword", True)
    assert seed.inputs == {
        "length": 64,
        "upper": False,
        "lower": False,
        "numeric": False,
        "special": True,
        "overrideSpecial": "0123456789abcdef",
    }


def test_a_given_seed_takes_the_place_of_a_generated_one() -> None:
    recording = deployed(plan(given_seed=SecretStr("ab" * 32)))

    assert "codex-seed" not in {r.name for r in recording.resources}
    assert recording.objects()["Secret/codex-1-key-1"].inputs["stringData"] == {"key": f"key-1-{'ab' * 32}"}
    assert recording.objects()["Secret/codex-1-key-1"].secret_inputs == {"stringData"}


def test_the_api_password_is_generated_once_and_only_its_hash_reaches_the_cluster() -> None:
    recording = deployed()

    assert recording.objects()["Secret/codex-api-auth"].inputs["stringData"] == {"auth": f"admin:{PASSWORD_HASH}"}
    assert all(PASSWORD not in str(r.inputs) for r in recording.resources)


def test_a_set_without_keys_makes_none() -> None:
    bare = plan(make_node=lambda name, _: NodePlan(name, 1, [*node(name, 1).manifests[3:4], _bare_workload(name)]), shared=[])
    recording = deployed(Plan(bare.name, NAMESPACE, [], bare.nodes, bare.waves, 900, {}))

    assert not any(r.type.startswith("random:") for r in recording.resources)


def _bare_workload(name: str) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(name), "spec": {"serviceName": name}}


# ---- outputs


def test_outputs_show_what_is_public_and_hide_the_password() -> None:
    recording = deployed()
    (outputs,) = recording.component_outputs[recording.component("codex").urn]

    assert outputs["nodes"]["codex-2"] == {"ethereumAddress": "0x25e5e", "announced": "203.0.113.7", "api": "http://codex-2"}
    assert outputs["firewallPorts"] == ["tcp/8070", "udp/8090"]
    assert is_secret(outputs["apiPassword"])


def test_every_output_can_be_applied() -> None:
    found: NodeSet = deployed().result
    outputs = [*found.outputs.values(), *(value for node in found.nodes.values() for value in node.values())]

    assert len(outputs) == 10
    assert all(isinstance(output, pulumi.Output) for output in outputs)


def test_a_secret_of_the_caller_stays_secret_beside_a_public_key() -> None:
    def program() -> None:
        token = pulumi.Output.secret("hunter2")

        def with_token(name: str, ordinal: int) -> NodePlan:
            made = node(name, ordinal)
            both = Late((*made.outputs["ethereumAddress"].refs, token), "{}-{}".format, "")
            made.outputs["both"] = both
            return made

        NodeSet("NodeSet", "codex", plan(make_node=with_token))

    recording = run(program)
    (outputs,) = recording.component_outputs[recording.component("codex").urn]

    # The engine sees one secret output for all nodes, as a secret inside a mapping makes the whole of it.
    assert is_secret(outputs["nodes"])


def test_leaves_that_need_the_same_are_secret_and_public_each_by_itself() -> None:
    def both(seed: str, served: list[dict[str, str]]) -> str:
        return f"{seed[:4]}@{served[0]['ip']}"

    def with_both(name: str, ordinal: int) -> NodePlan:
        made = node(name, ordinal)
        late = Late((Seed("codex"), Address(f"{name}-loadbalancer")), both, "")
        made.manifests[3]["data"] = {"both": late}
        made.outputs["both"] = late
        return made

    recording = deployed(plan(make_node=with_both))
    (outputs,) = recording.component_outputs[recording.component("codex").urn]

    assert recording.objects()["ConfigMap/codex-1-config"].secret_inputs == {"data"}
    assert outputs["nodes"]["codex-1"]["both"] == "5e5e@203.0.113.7"


def test_a_known_secret_among_the_outputs_stays_secret() -> None:
    def program() -> None:
        token = pulumi.Output.secret("hunter2")
        given = {
            "ofAnother": token,
            "given": SecretStr("hunter2"),
            "below": [{"token": SecretStr("hunter2")}],
            "plain": ["tcp/1"],
        }
        found = NodeSet("NodeSet", "codex", plan(outputs=given))
        for key, output in found.outputs.items():
            pulumi.export(key, output)

    recording = run(program)
    (outputs,) = recording.component_outputs[recording.component("codex").urn]
    secret = {"ofAnother", "given", "below"}

    assert {key for key, value in outputs.items() if is_secret(value)} == secret | {"apiPassword"}
    assert (recording.secret_exports, outputs["plain"]) == (secret, ["tcp/1"])


# ---- rollout


def test_a_wave_starts_when_all_of_the_one_before_is_ready() -> None:
    recording = deployed(plan((("codex-1", "codex-2"), ("codex-3",))), slow=["codex-stateful-set-2"])
    first = [recording.objects()[f"StatefulSet/{name}"] for name in ("codex-1", "codex-2")]
    second = recording.objects()["StatefulSet/codex-3"]

    assert second.started > max(workload.finished for workload in first)


@pytest.mark.parametrize("key", ["StatefulSet/codex-2", "ConfigMap/codex-2-config", "Secret/codex-2-key-1"])
def test_everything_that_pods_read_waits_for_the_wave_before(key: str) -> None:
    found = deployed().objects()

    assert found["StatefulSet/codex-1"].urn in found[key].dependencies
    assert found[key].started > found["StatefulSet/codex-1"].finished


@pytest.mark.parametrize("key", ["Service/codex-2-loadbalancer", "PersistentVolumeClaim/data-codex-2-1"])
def test_services_and_claims_wait_for_nobody(key: str) -> None:
    assert deployed().objects()[key].dependencies == set()


def test_a_workload_comes_after_its_own_and_the_shared_objects() -> None:
    found = deployed().objects()
    own = [
        "Service/codex-1-loadbalancer",
        "PersistentVolumeClaim/data-codex-1-1",
        "Secret/codex-1-key-1",
        "ConfigMap/codex-1-config",
    ]
    shared = ["Secret/codex-api-auth", "RoleBinding/codex", "PodMonitor/codex"]

    assert {found[key].urn for key in own + shared} <= found["StatefulSet/codex-1"].dependencies


def test_a_wave_costs_each_node_one_dependency() -> None:
    names = [f"codex-{ordinal}" for ordinal in range(1, 41)]
    found = deployed(plan((names[:20], names[20:]))).objects("StatefulSet")
    workloads = {workload.urn for workload in found.values()}

    assert {name: len(r.dependencies & workloads) for name, r in found.items()} == {
        f"StatefulSet/{name}": int(name in names[20:]) for name in names
    }


def test_a_failed_node_stops_the_next_wave_even_where_the_update_goes_on() -> None:
    # The engine skips what depends on a failed resource; the one dependency of a wave must then be that resource.
    waves = (("codex-1", "codex-2"), ("codex-3",))
    found = deployed(plan(waves), failing=["codex-stateful-set-2"]).objects()

    assert found["StatefulSet/codex-2"].urn in found["StatefulSet/codex-3"].dependencies


def test_a_node_that_does_not_run_holds_nobody_up() -> None:
    recording = deployed(plan((("codex-2",), ("codex-3",))))

    assert recording.objects()["StatefulSet/codex-1"].started < recording.objects()["StatefulSet/codex-3"].started


def test_only_workloads_have_the_rollouts_timeout() -> None:
    found = deployed().objects()

    assert {key for key, r in found.items() if r.timeouts == ("900s", "900s")} == {f"StatefulSet/codex-{n}" for n in (1, 2, 3)}
    assert {r.timeouts for r in found.values()} == {("900s", "900s"), ("", "")}


# ---- what may not change under data


def _hook_of(opts: pulumi.ResourceOptions | None = None) -> tuple[list[Any], Recording]:
    """The before_update hooks that reach the component."""
    seen: list[Any] = []

    def capture(args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_ == "nodestead:index:NodeSet" and args.opts.hooks is not None:
            seen.extend(args.opts.hooks.before_update or [])

    return seen, deployed(opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[capture])))


def _called(hook: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    hook(pulumi.ResourceHookArgs("urn", "id", "codex", "nodestead:index:NodeSet", new, old))


def test_the_component_keeps_what_may_not_change_and_the_order_of_the_rollout_as_its_inputs() -> None:
    assert deployed().component("codex").inputs == {
        "layout": "perNode",
        "firstOrdinal": 1,
        "bootstrap.name": "not set",
        "rollout.batches": [["codex-1"], ["codex-2", "codex-3"]],
    }


def test_another_order_of_the_rollout_is_no_change_under_data() -> None:
    (hook,), _ = _hook_of()

    _called(hook, {"layout": "perNode", "rollout.batches": [["a"]]}, {"layout": "perNode", "rollout.batches": [["a", "b"]]})


def test_a_change_under_data_is_stopped_in_preview_too() -> None:
    (hook,), recording = _hook_of()

    with pytest.raises(ValueError, match="layout: perNode may not become pooled"):
        _called(hook, {"layout": "perNode", "firstOrdinal": 1.0}, {"layout": "pooled", "firstOrdinal": 1.0})
    assert recording.component("codex").before_update == [hook.name]
    assert recording.hooks[hook.name].on_dry_run


def test_other_changes_pass() -> None:
    (hook,), _ = _hook_of()

    _called(hook, {"layout": "perNode"}, {"layout": "perNode"})


def test_the_callers_hooks_stay() -> None:
    calls: list[str] = []

    def mine(args: pulumi.ResourceHookArgs) -> None:
        calls.append(args.name)

    hooks, recording = _hook_of(pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[mine])))

    assert hooks[0] is mine
    assert len(recording.component("codex").before_update) == 2


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"firstOrdinal": 1.0}, {"firstOrdinal": 2.0}, ["firstOrdinal: 1 may not become 2"]),
        ({"network": "testnet"}, {"network": "not set"}, ["network: testnet may not become not set"]),
        ({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 2.0}, ["a: 1 may not become 2", "b: 1 may not become 2"]),
        ({}, {"youngerThanTheState": 1.0}, []),
        ({"olderThanTheProgram": 1.0}, {}, []),
        ({"namespace": "a"}, {"namespace": pulumi.UNKNOWN}, []),
        ({"replicas": 1.0}, {"replicas": 1}, []),
    ],
)
def test_only_what_is_known_on_both_sides_is_compared(old: dict[str, Any], new: dict[str, Any], lines: list[str]) -> None:
    assert refused_changes(old, new) == lines


# ---- preview


def test_a_preview_registers_what_the_update_does() -> None:
    assert {r.urn for r in deployed(preview=True).resources} == {r.urn for r in deployed().resources}
