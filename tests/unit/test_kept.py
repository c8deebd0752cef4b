"""What no stack holds any more is listed with the line that gives it up, and nothing is deleted."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from nodestead.plans.stack import StackConfig, plan_stack
from nodestead.preview.kept import (
    Held,
    KeptObject,
    age,
    delete_line,
    held_by,
    kept_objects,
    kept_report,
    kept_table,
    used_by_pods,
)
from nodestead.preview.kubectl import Kubectl


class FakeKubectl:
    """Prints what it is told, and remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, ...]] = []

    def run(self, *args: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        self.asked.append(args)
        return self.text


def claim(name: str, namespace: str = "storage") -> KeptObject:
    return KeptObject("PersistentVolumeClaim", namespace, name, "20Gi", "2026-01-01T00:00:00Z")


def key(name: str, namespace: str = "storage") -> KeptObject:
    return KeptObject("Secret", namespace, name, "", "2026-01-01T00:00:00Z")


def stack(namespace: str = "storage", **group: Any) -> Any:
    software = {"kind": "codex", "version": "0.2.5"}
    config = {
        "namespace": {"name": namespace},
        "cluster": {"context": "prod"},
        "storageNodeGroups": {"codex": {"software": software} | group},
    }
    return plan_stack(StackConfig.model_validate(config)).manifests()


TABLE = (
    "PersistentVolumeClaim\tstorage\tdata-codex-1-1\t2026-01-01T00:00:00Z\t20Gi\ttrue\n"
    "PersistentVolumeClaim\tstorage\tdata-codex-1\t2026-01-01T00:00:00Z\t20Gi\t<no value>\n"
    "Secret\tstorage\tcodex-1-key-1\t2026-01-01T00:00:00Z\t\ttrue\n"
    "Secret\tstorage\tcodex-api-auth\t2026-01-01T00:00:00Z\t\t\n"
)


def test_claims_and_key_secrets_are_listed_and_secrets_that_go_with_their_stack_are_not() -> None:
    kubectl = FakeKubectl(TABLE)
    assert list(kept_objects(cast("Kubectl", kubectl))) == [claim("data-codex-1-1"), claim("data-codex-1"), key("codex-1-key-1")]


def test_only_names_and_sizes_leave_the_cluster() -> None:
    kubectl = FakeKubectl("")
    list(kept_objects(cast("Kubectl", kubectl), "storage"))
    (words,) = kubectl.asked
    assert words[:4] == ("get", "persistentvolumeclaims,secrets", "--namespace", "storage")
    assert words[-1].startswith("go-template=")
    assert ".data" not in words[-1]
    assert "stringData" not in words[-1]


def test_a_claim_of_a_stack_is_held_and_one_that_it_shrank_away_from_is_not() -> None:
    held = held_by(stack(replicas=2))
    assert [held.holds(claim(f"data-codex-{n}-1")) for n in (1, 2, 3)] == [True, True, False]
    assert held.holds(claim("data-codex-bootstrap-1-1"))


def test_a_disabled_node_holds_its_claim() -> None:
    assert held_by(stack(nodes={"1": {"disabled": True}})).holds(claim("data-codex-1-1"))


def test_a_claim_of_another_namespace_is_not_held() -> None:
    assert not held_by(stack()).holds(claim("data-codex-1-1", "other"))


def test_a_secret_does_not_hold_a_claim_of_its_name() -> None:
    assert not held_by(stack()).holds(key("data-codex-1-1"))


def test_pooled_claims_are_held_for_the_ordinals_that_there_are() -> None:
    held = held_by(stack(layout="pooled", replicas=2, firstOrdinal=3))
    assert [held.holds(claim(f"data-codex-{n}")) for n in (2, 3, 4, 5)] == [False, True, True, False]
    assert not held.holds(claim("data-codex-3-1"))
    assert not held.holds(claim("data-codex"))
    assert not held.holds(claim("data-codex-3", "other"))


def test_pooled_claims_are_all_held_where_an_autoscaler_counts() -> None:
    manifests = list(stack(layout="pooled", replicas=2))
    del manifests[-1]["spec"]["replicas"]
    assert held_by(manifests).holds(claim("data-codex-7"))


def test_old_generations_of_keys_are_not_held() -> None:
    market = {"kind": "codex", "version": "0.2.5", "marketplace": {"ethProvider": {"secret": {"name": "rpc", "key": "url"}}}}

    def keys(generation: int) -> list[str]:
        manifests = stack(replicas=1, software=market, keys={"kind": "seed", "generation": generation})
        return [m["metadata"]["name"] for m in manifests if m["kind"] == "Secret"]

    held = held_by(stack(replicas=1, software=market, keys={"kind": "seed", "generation": 2}))
    assert [held.holds(key(name)) for name in keys(1)] == [False]
    assert [held.holds(key(name)) for name in keys(2)] == [True]


def test_a_claim_that_a_node_was_given_is_held() -> None:
    software = {"kind": "codex", "version": "0.2.5", "quota": "1Gi"}
    held = held_by(stack(replicas=1, software=software, nodes={"1": {"existingClaim": "data-codex-9-1"}}))
    assert held.holds(claim("data-codex-9-1"))


def test_a_secret_that_pods_use_is_held() -> None:
    market = {"kind": "codex", "version": "0.2.5", "marketplace": {"ethProvider": {"secret": {"name": "rpc", "key": "url"}}}}
    held = held_by(stack(replicas=1, software=market, keys={"kind": "secret", "name": "codex-9-key-1", "key": "eth-private-key"}))
    assert held.holds(key("codex-9-key-1"))
    assert held.holds(key("rpc"))


def test_what_any_of_several_stacks_holds_is_held() -> None:
    held = held_by(stack("a"), stack("b"))
    assert held.holds(claim("data-codex-1-1", "a"))
    assert held.holds(claim("data-codex-1-1", "b"))


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (claim("data-codex-1-1"), "kubectl --context prod delete persistentvolumeclaim data-codex-1-1 --namespace storage"),
        (key("codex-1-key-1"), "kubectl --context prod delete secret codex-1-key-1 --namespace storage"),
    ],
)
def test_the_line_that_gives_an_object_up_names_its_cluster(found: KeptObject, line: str) -> None:
    assert delete_line(found, Kubectl("prod")) == line


def test_a_line_can_be_pasted_into_a_shell() -> None:
    line = delete_line(claim("a"), Kubectl(kubeconfig="/home/a b/config"))
    assert line == "kubectl --kubeconfig '/home/a b/config' delete persistentvolumeclaim a --namespace storage"


@pytest.mark.parametrize(
    ("created", "text"),
    [
        ("2026-03-10T11:59:30Z", "0m"),
        ("2026-03-10T11:53:00Z", "7m"),
        ("2026-03-10T06:50:00Z", "5h10m"),
        ("2026-03-07T08:00:00Z", "3d4h"),
        ("2026-03-10T12:00:05Z", "0m"),
    ],
)
def test_age_is_short(created: str, text: str) -> None:
    assert age(created, datetime(2026, 3, 10, 12, tzinfo=UTC)) == text


def test_the_table_has_a_line_for_each_object() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert kept_table([claim("data-codex-1-1"), key("codex-1-key-1")], now).splitlines() == [
        "NAMESPACE  KIND    NAME            SIZE  AGE",
        "storage    claim   data-codex-1-1  20Gi  1d0h",
        "storage    secret  codex-1-key-1   -     1d0h",
    ]


NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_what_is_held_is_not_reported() -> None:
    assert kept_report([claim("data-codex-1-1")], held_by(stack(replicas=1)), Held(), Kubectl(), NOW) == ""


def test_data_of_namespaces_that_no_stack_names_is_not_deleted_by_pasting_the_report() -> None:
    found = [claim("data-codex-1-1", "elsewhere"), claim("data-codex-9-1")]
    assert kept_report(found, held_by(stack(replicas=1)), Held(), Kubectl(), NOW) == (
        "NAMESPACE  KIND   NAME            SIZE  AGE\n"
        "storage    claim  data-codex-9-1  20Gi  1d0h\n"
        "\n"
        "Each of these lines deletes data for good:\n"
        "\n"
        "kubectl delete persistentvolumeclaim data-codex-9-1 --namespace storage\n"
        "\n"
        "In namespaces that none of these stacks names; another folder may hold it:\n"
        "\n"
        "NAMESPACE  KIND   NAME            SIZE  AGE\n"
        "elsewhere  claim  data-codex-1-1  20Gi  1d0h\n"
        "\n"
        "Sure that nobody does? Each of these lines deletes data for good:\n"
        "\n"
        "# kubectl delete persistentvolumeclaim data-codex-1-1 --namespace elsewhere\n"
    )


USED = (
    "in\tstorage\nPersistentVolumeClaim\tdata-theirs-1-1\nSecret\ttheirs-1-key-g1\n"
    "in\tstorage\ntemplate\tdata-pool\ntemplate\tdata-codex\nin\telsewhere\nSecret\tcodex-0-key-g1\n"
)


def test_what_pods_and_stateful_sets_of_others_use_has_no_line_that_deletes_it() -> None:
    held = held_by(stack(layout="pooled", replicas=1))
    used = used_by_pods(cast("Kubectl", FakeKubectl(USED)), held)
    found = [claim("data-theirs-1-1"), key("theirs-1-key-g1"), claim("data-pool-7"), key("codex-0-key-g1", "elsewhere")]
    report = kept_report(found, held, used, Kubectl(), NOW)
    assert report.startswith("In use by pods or StatefulSets of the cluster, and so without a line to delete them:\n\nNAMESPACE ")
    assert "delete " not in report.partition("\n")[2]
    assert all(one.name in report for one in found)


def test_a_pooled_group_of_ours_does_not_use_claims_that_it_shrank_away_from() -> None:
    held = held_by(stack(layout="pooled", replicas=1))
    used = used_by_pods(cast("Kubectl", FakeKubectl(USED)), held)
    assert not used.holds(claim("data-codex-7"))
    assert not used.holds(key("codex-0-key-g1"))


def test_pods_are_asked_for_names_alone() -> None:
    kubectl = FakeKubectl("")
    used_by_pods(cast("Kubectl", kubectl), Held(), "storage")
    ((*words, template),) = kubectl.asked
    assert words == ["get", "pods,statefulsets.apps", "--namespace", "storage", "--output"]
    assert "containers" not in template


# ---- chain sets

CHAIN: dict[str, Any] = {
    "software": {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"},
    "image": {"repository": "registry.example.org/simd", "tag": "v1"},
    "genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'},
}


def chains(**sets: dict[str, Any]) -> Held:
    config = {"namespace": {"name": "storage"}, "cluster": {"context": "prod"}, "blockchainNodeSets": sets}
    return held_by(plan_stack(StackConfig.model_validate(config)).manifests())


def test_claims_and_keys_of_a_chain_set_are_held() -> None:
    held = chains(hub={**CHAIN, "replicas": 2, "firstOrdinal": 3})
    assert [held.holds(claim(f"data-hub-{n}-0")) for n in (2, 3, 4, 5)] == [False, True, True, False]
    assert [held.holds(key(f"hub-{n}-key-g1")) for n in (2, 3, 4, 5)] == [False, True, True, False]


def test_a_switched_off_chain_node_holds_its_claim_and_key() -> None:
    held = chains(hub={**CHAIN, "nodes": {"0": {"disabled": "all"}}})
    assert held.holds(claim("data-hub-0-0"))
    assert held.holds(key("hub-0-key-g1"))


def test_older_keys_of_a_chain_set_are_not_held() -> None:
    held = chains(hub={**CHAIN, "keys": {"kind": "seed", "generation": 2}})
    assert [held.holds(key(f"hub-0-key-g{n}")) for n in (1, 2)] == [False, True]


def test_a_set_holds_nothing_of_one_whose_name_begins_with_its_own() -> None:
    held = chains(hub={**CHAIN, "replicas": 1}, **{"hub-eu": {**CHAIN, "replicas": 1}})
    found = [claim(f"data-{node}-0") for node in ("hub-0", "hub-eu-0", "hub-eu-1", "hub-1", "hub-e-0", "hub-0-0")]
    assert [held.holds(one) for one in found] == [True, True, False, False, False, False]
    alone = chains(hub={**CHAIN, "replicas": 1})
    assert not alone.holds(claim("data-hub-eu-0-0"))
    assert not alone.holds(key("hub-eu-0-key-g1"))


def test_keys_that_a_validator_was_given_are_held() -> None:
    signer = {"kind": "secret", "name": "val-<replica>", "key": "consensus.json", "addresses": {"0": "A" * 40}}
    keys = {"kind": "secret", "name": "node-keys", "ids": {"0": "a" * 40}}
    held = chains(hub={**CHAIN, "type": "validator", "signer": signer, "keys": keys})
    assert held.holds(key("val-0"))
    assert held.holds(key("node-keys"))
    assert not held.holds(key("val-1"))


def test_claims_that_chain_nodes_were_given_are_held() -> None:
    held = chains(
        one={**CHAIN, "persistence": {"kind": "existingClaim", "claim": "old-data"}},
        two={**CHAIN, "nodes": {"0": {"existingClaim": "data-cosmos-0"}}},
    )
    assert held.holds(claim("old-data"))
    assert held.holds(claim("data-cosmos-0"))
    assert not held.holds(claim("data-two-0-0"))


def test_guards_and_configs_hold_no_data_and_are_not_listed() -> None:
    kubectl = FakeKubectl("")
    assert list(kept_objects(cast("Kubectl", kubectl))) == []
    assert kubectl.asked[0][1] == "persistentvolumeclaims,secrets"
