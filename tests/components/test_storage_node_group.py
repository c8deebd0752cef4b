"""The component for storage nodes: what its constructor takes, and what of a plan only shows when it is deployed."""

import base64
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import pulumi
import pytest
from recording import SEED, Recording, is_secret, run

from nodestead import StorageNodeGroup, StorageNodeGroupArgs
from nodestead.keys import ethereum_address, ethereum_key

CODEX: dict[str, Any] = {"kind": "codex", "version": "0.2.5"}
PRIVATE: dict[str, Any] = {"software": CODEX, "replicas": 3}


def provider_of(url: Any) -> dict[str, Any]:
    return {**PRIVATE, "software": {**CODEX, "marketplace": {"ethProvider": {"url": url}}}}


def deployed(args: StorageNodeGroupArgs | Mapping[str, Any], **how: Any) -> Recording:
    return run(lambda: StorageNodeGroup("codex", args, namespace="storage"), **how)


def environment(recording: Recording, node: str) -> dict[str, Any]:
    """What the init container of a node is told."""
    (prepare,) = recording.objects()[f"StatefulSet/{node}"].inputs["spec"]["template"]["spec"]["initContainers"]
    return {entry["name"]: entry.get("value") for entry in prepare["env"]}


# ---- arguments


@pytest.mark.parametrize(
    "args",
    [
        {"software": CODEX, "firstOrdinal": 2},
        {"software": CODEX, "first_ordinal": 2},
        StorageNodeGroupArgs.model_validate({"software": CODEX, "firstOrdinal": 2}),
    ],
    ids=["as in YAML", "as in Python", "as an object"],
)
def test_arguments_come_in_every_spelling(args: StorageNodeGroupArgs | Mapping[str, Any]) -> None:
    assert set(deployed(args).objects("StatefulSet")) == {"StatefulSet/codex-2", "StatefulSet/codex-bootstrap-1"}


def test_refused_arguments_register_nothing_and_give_every_reason() -> None:
    recording = Recording()

    with pytest.raises(pulumi.RunError) as refused:
        deployed({"software": CODEX, "replica": 3, "layout": "perPod"}, recording=recording)

    assert "storageNodeGroups.codex.replica: unknown key; did you mean replicas?" in str(refused.value)
    assert "storageNodeGroups.codex.layout" in str(refused.value)
    assert recording.resources == []
    assert recording.hooks == {}


def test_a_name_that_gets_too_long_registers_nothing() -> None:
    recording = Recording()

    with pytest.raises(pulumi.RunError):
        run(lambda: StorageNodeGroup("c" * 60, PRIVATE), recording=recording)
    assert recording.resources == []


def test_objects_go_to_the_default_namespace_unless_told_otherwise() -> None:
    recording = run(lambda: StorageNodeGroup("codex", PRIVATE))

    assert {r.inputs["metadata"]["namespace"] for r in recording.objects().values()} == {"default"}


# ---- values of other resources


def test_a_namespace_of_another_resource_reaches_every_object() -> None:
    exposed = {**PRIVATE, "exposure": {"kind": "nodePort", "bootstrapBasePort": 30700}}
    recording = run(lambda: StorageNodeGroup("codex", exposed, namespace=pulumi.Output.from_input("storage")))
    homes = {key: r.inputs["metadata"].get("namespace") for key, r in recording.objects().items()}

    assert {home for key, home in homes.items() if not key.startswith("ClusterRole")} == {"storage"}
    assert "ClusterRole/storage-codex" in homes
    assert {r.urn for r in recording.resources} == {r.urn for r in deployed(exposed).resources}


def test_a_namespace_that_is_unknown_in_preview_is_no_obstacle() -> None:
    def program() -> StorageNodeGroup:
        def unknown(_: str) -> str:
            return cast("str", pulumi.UNKNOWN)

        namespace = pulumi.Output.from_input("storage").apply(unknown)
        return StorageNodeGroup("codex", PRIVATE, namespace=namespace)

    recording = run(program, preview=True)

    assert {r.name for r in recording.resources} == {r.name for r in deployed(PRIVATE).resources}


def test_a_secret_url_of_another_resource_stays_secret() -> None:
    recording = run(lambda: StorageNodeGroup("codex", provider_of(pulumi.Output.secret("https://rpc.example.org/token"))))
    secret = recording.objects()["Secret/codex-eth-provider"]

    assert secret.inputs["stringData"] == {"url": "https://rpc.example.org/token"}
    assert secret.secret_inputs == {"stringData"}
    assert "rpc.example.org" not in str([r.inputs for r in recording.objects().values() if r is not secret])


def test_the_address_of_a_load_balancer_reaches_its_node() -> None:
    recording = deployed({**PRIVATE, "exposure": {"kind": "loadBalancer"}})

    assert environment(recording, "codex-2")["ADDRESS"] == "203.0.113.7"
    assert recording.result.nodes.keys() == {"codex-bootstrap-1", "codex-1", "codex-2", "codex-3"}


# ---- keys


def test_each_node_has_its_own_key_of_the_seed() -> None:
    found = deployed(provider_of("https://rpc.example.org")).objects("Secret")
    keys = [found[f"Secret/codex-{n}-key-g1"].inputs["data"]["eth-private-key"] for n in (1, 2, 3)]

    assert keys == [base64.b64encode(ethereum_key(SEED, n, 1).encode()).decode() for n in (1, 2, 3)]


def test_the_address_of_each_key_is_a_public_output() -> None:
    recording = deployed(provider_of("https://rpc.example.org"))
    (outputs,) = recording.component_outputs[recording.component("codex").urn]

    assert not is_secret(outputs["nodes"])
    assert outputs["nodes"]["codex-2"]["ethereumAddress"] == ethereum_address(ethereum_key(SEED, 2, 1))


def test_a_seed_from_a_backup_gives_the_same_keys() -> None:
    restored = {**provider_of("https://rpc.example.org"), "keys": {"kind": "seed", "seed": SEED}}
    recording, before = deployed(restored), deployed(provider_of("https://rpc.example.org"))
    key = "Secret/codex-1-key-g1"

    assert recording.objects()[key].inputs == before.objects()[key].inputs
    assert recording.objects()[key].secret_inputs == {"data"}
    assert not any(r.type.startswith("random:") for r in recording.resources)


def test_a_seed_that_is_none_is_one_clean_error_without_the_seed() -> None:
    broken = {**provider_of("https://rpc.example.org"), "keys": {"kind": "seed", "seed": "hunter2"}}

    with pytest.raises(pulumi.RunError, match="seed") as refused:
        deployed(broken)
    assert "hunter2" not in str(refused.value)


# ---- over time


def test_growing_from_one_to_three_renames_nothing() -> None:
    one, three = (deployed({**provider_of("https://rpc.example.org"), "replicas": n}) for n in (1, 3))

    assert {r.urn for r in one.resources} <= {r.urn for r in three.resources}
    assert set(one.objects()) <= set(three.objects())


def test_a_rollout_goes_from_bootstrap_nodes_to_batch_after_batch() -> None:
    recording = deployed({**PRIVATE, "replicas": 4, "rollout": {"maxUnavailable": 2}})
    found = recording.objects("StatefulSet")
    order = [{"codex-bootstrap-1"}, {"codex-1", "codex-2"}, {"codex-3", "codex-4"}]
    batches = [[found[f"StatefulSet/{node}"] for node in batch] for batch in order]

    for before, after in pairwise(batches):
        assert max(r.finished for r in before) < min(r.started for r in after)


def test_a_nodes_timeout_is_the_rollouts() -> None:
    recording = deployed({**PRIVATE, "rollout": {"timeout": "1h"}})

    assert {r.timeouts for r in recording.objects("StatefulSet").values()} == {("3600s", "3600s")}


NODE_PORTS: dict[str, Any] = {"exposure": {"kind": "nodePort", "bootstrapBasePort": 30700}}


@pytest.mark.parametrize(
    "given", [{"prettify": True}, {"prettifyServices": False}, {"prettify": True, "prettifyServices": False}]
)
def test_a_renamed_workload_or_service_is_the_same_resource_whose_old_object_goes_first(given: dict[str, Any]) -> None:
    before, after = (deployed({**PRIVATE, **NODE_PORTS, "replicas": n, **more}) for n, more in ((1, given), (3, {})))
    renamed = [{r.urn for r in one.resources if r.kind in ("StatefulSet", "Service")} for one in (before, after)]

    assert renamed[0] <= renamed[1]
    assert {r.urn for r in before.resources if r.deleted_first} == renamed[0]
    assert {r.name for r in before.resources if r.deleted_first} == {
        *("codex-stateful-set-1", "codex-service-1-service", "codex-service-1-nodeport"),
        *("codex-stateful-set-bootstrap-1", "codex-service-bootstrap-1-service", "codex-service-bootstrap-1-nodeport"),
    }


def test_growing_from_three_to_four_renames_nothing() -> None:
    three, four = (deployed({**PRIVATE, **NODE_PORTS, "replicas": n}) for n in (3, 4))

    assert {r.urn for r in three.resources} <= {r.urn for r in four.resources}


def test_the_workload_of_a_pooled_group_goes_by_the_name_of_the_group() -> None:
    assert deployed({**PRIVATE, "layout": "pooled"}).objects()["StatefulSet/codex"].name == "codex-stateful-set"
