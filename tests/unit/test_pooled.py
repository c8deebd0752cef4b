"""The pooled layout: one StatefulSet, and pods that differ by name only."""

import base64
from typing import Any

import groups
import pytest

from nodestead.keys import ethereum_address, ethereum_key
from nodestead.kubernetes.objects import Late

SEED = "11" * 32
ETH = {"secret": {"name": "rpc", "key": "url"}}
MARKET = {"kind": "codex", "version": "0.2.5", "marketplace": {"ethProvider": ETH}}


def pooled(**given: Any) -> Any:
    return groups.plan(**{"layout": "pooled", "replicas": 3, **given})


def test_a_thousand_nodes_are_about_ten_objects() -> None:
    few = pooled(software=MARKET, replicas=1000)
    assert len(list(few.manifests())) <= 12


def test_pods_and_claims_are_numbered_behind_the_groups_name() -> None:
    workload = groups.find(pooled(firstOrdinal=5), "StatefulSet", "codex")
    assert workload["spec"]["ordinals"] == {"start": 5}
    assert workload["spec"]["replicas"] == 3
    (template,) = workload["spec"]["volumeClaimTemplates"]
    assert template["metadata"]["name"] == "data"


def test_pods_start_in_parallel_and_keep_their_claims() -> None:
    spec = groups.find(pooled(), "StatefulSet", "codex")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_the_governing_service_is_headless_and_names_pods_that_are_not_ready() -> None:
    plan = pooled()
    assert groups.find(plan, "StatefulSet", "codex")["spec"]["serviceName"] == "codex"
    spec = groups.find(plan, "Service", "codex")["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_a_pod_mounts_its_own_key_and_no_other() -> None:
    init = groups.container(pooled(software=MARKET), called="prepare", name="codex")
    (key,) = [mount for mount in init["volumeMounts"] if mount["name"] == "key"]
    assert key["subPathExpr"] == "$(POD_NAME)"
    node = groups.container(pooled(software=MARKET), name="codex")
    assert [mount for mount in node["volumeMounts"] if mount["name"] == "key"] == []


def test_keys_of_a_pool_are_those_of_the_same_nodes_in_any_number_of_replicas() -> None:
    few, many = (secret_data(pooled(software=MARKET, replicas=count), "codex-0-key-g1") for count in (1, 400))
    assert few == many
    assert few["codex-7"] == base64.b64encode(ethereum_key(SEED, 7, 1).encode()).decode()


def secret_data(plan: Any, name: str) -> dict[str, str]:
    data = groups.find(plan, "Secret", name)["data"]
    assert isinstance(data, Late)
    return data.make(SEED)


@pytest.mark.parametrize(
    ("first", "replicas", "names"),
    [
        (1, 499, ["codex-0-key-g1"]),
        (1, 500, ["codex-0-key-g1", "codex-1-key-g1"]),
        (999, 2, ["codex-1-key-g1", "codex-2-key-g1"]),
        (1, 0, []),
    ],
)
def test_keys_are_split_over_secrets_of_500(first: int, replicas: int, names: list[str]) -> None:
    plan = pooled(software=MARKET, firstOrdinal=first, replicas=replicas)
    assert groups.names(plan, "Secret") == names


def test_a_secret_of_keys_stays_far_below_the_limit_of_the_api() -> None:
    data = secret_data(pooled(software=MARKET, firstOrdinal=100_000, replicas=1), "codex-200-key-g1")
    assert sum(len(key) + len(value) for key, value in data.items()) < 200_000


def test_addresses_of_a_pool_are_outputs_by_pod() -> None:
    (node,) = [n for n in pooled(software=MARKET, replicas=2).nodes() if n.name == "codex"]
    assert node.outputs["ethereumAddresses"].make(SEED) == {
        "codex-1": ethereum_address(ethereum_key(SEED, 1, 1)),
        "codex-2": ethereum_address(ethereum_key(SEED, 2, 1)),
    }


def test_a_pod_finds_its_entry_of_a_given_secret_by_its_index() -> None:
    plan = pooled(software=MARKET, keys={"kind": "secret", "name": "eth", "key": "KEY-<replica>-<pod>"}, replicas=2)
    init = groups.container(plan, called="prepare", name="codex")
    (key,) = [mount for mount in init["volumeMounts"] if mount["name"] == "key"]
    assert key["subPathExpr"] == "KEY-$(POD_INDEX)-$(POD_INDEX)"
    (index,) = [entry for entry in init["env"] if entry["name"] == "POD_INDEX"]
    assert index["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"


def test_growing_a_pool_within_a_secret_of_keys_changes_no_pod() -> None:
    keys: list[dict[str, Any]] = [{}, {"keys": {"kind": "secret", "name": "eth", "key": "KEY-<pod>"}}]
    for given in keys:
        small, large = (groups.find(pooled(software=MARKET, replicas=n, **given), "StatefulSet", "codex") for n in (2, 9))
        assert small["spec"]["template"] == large["spec"]["template"]


def test_what_the_template_of_claims_holds_may_not_change() -> None:
    unchangeable = pooled(persistence={"kind": "volume", "size": "30Gi"}).unchangeable
    assert (unchangeable["persistence.size"], unchangeable["persistence.accessModes"]) == ("30Gi", "ReadWriteOnce")
    assert "persistence.size" not in groups.plan(persistence={"kind": "volume", "size": "30Gi"}).unchangeable


def test_labels_of_the_user_stay_out_of_the_immutable_template_of_claims() -> None:
    (template,) = groups.find(pooled(labels={"team": "a"}), "StatefulSet", "codex")["spec"]["volumeClaimTemplates"]
    assert "team" not in template["metadata"]["labels"]
    assert template["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "nodestead"


def test_pooled_public_nodes_share_a_port_of_their_hosts() -> None:
    plan = pooled(exposure={"kind": "hostPort", "basePort": 8070, "externalAddress": {"kind": "hostIP"}})
    ports = {port["name"]: port.get("hostPort") for port in groups.container(plan, "codex")["ports"]}
    assert (ports["p2p"], ports["discovery"], ports["api"]) == (8070, 8070, None)
    assert plan.outputs["firewallPorts"] == ["tcp/8070", "udp/8070"]


def test_each_pod_has_its_load_balancer_and_announces_its_address() -> None:
    plan = pooled(exposure={"kind": "loadBalancer"}, replicas=2)
    assert groups.names(plan, "Service") == ["codex", "codex-1-loadbalancer", "codex-2-loadbalancer"]
    selector = groups.find(plan, "Service", "codex-2-loadbalancer")["spec"]["selector"]
    assert selector["statefulset.kubernetes.io/pod-name"] == "codex-2"
    addresses = groups.find(plan, "ConfigMap", "codex-addresses")["data"]
    assert addresses["codex-2"].make([{"ip": "203.0.113.2"}]) == "203.0.113.2"


def test_fixed_addresses_go_to_the_pods_of_their_numbers() -> None:
    exposure = {"kind": "hostPort", "externalAddress": {"kind": "fixed", "addresses": {1: "203.0.113.1", 2: "203.0.113.2"}}}
    plan = pooled(exposure=exposure, replicas=2)
    assert groups.find(plan, "ConfigMap", "codex-addresses")["data"] == {"codex-1": "203.0.113.1", "codex-2": "203.0.113.2"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"exposure": {"kind": "nodePort", "externalAddress": {"kind": "hostIP"}}}, "exposure.kind"),
        ({"nodes": {"1": {"disabled": True}}}, "nodes.1"),
        ({"prettify": True}, "prettify"),
        ({"persistence": {"kind": "existingClaim", "claim": "mine"}}, "persistence.kind"),
        ({"api": {"route": {"kind": "httpRoute", "parents": [{"name": "gateway"}]}}}, "api"),
        ({"software": MARKET, "keys": {"kind": "secret", "name": "eth-<pod>", "key": "KEY"}}, "keys.name"),
    ],
)
def test_what_a_pool_cannot_do_is_refused(given: dict[str, Any], path: str) -> None:
    lines = groups.refusals(**{"layout": "pooled", "replicas": 3, **given})
    assert any(line.startswith(f"{path}: ") for line in lines), lines
