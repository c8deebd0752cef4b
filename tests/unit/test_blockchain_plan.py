"""The objects of a set of blockchain nodes: which there are, what they are called, and in which order they roll."""

import base64
from typing import Any

import pytest
from chains import BY_SECRET, GIVEN_KEYS, LOCAL, SEED, A, B, C, config, container, find, names, outputs, plan, pod
from set_objects import BALANCER, IDS, KEPT, NODE_PORT, SELECTOR

from nodestead.chain_keys import consensus_key_json, node_key_json
from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.names import guard_name
from nodestead.kubernetes.objects import Address, Late, Seed, is_kept, late_refs
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.preview.yaml_text import plain, yaml_documents


def objects(**given: Any) -> list[str]:
    """Kind and name of every object; the hash at the end of a ConfigMap's name changes with the scripts."""
    found = [(one["kind"], str(one["metadata"]["name"])) for one in plan(**given).manifests()]
    return [f"{kind} {name.rpartition('-')[0] if '-agents-' in name else name}" for kind, name in found]


# ---- which objects


def test_one_private_node_is_these_objects() -> None:
    assert objects() == [
        "ServiceAccount hub",
        "ConfigMap hub-agents",
        "Service hub-rpc",
        "PodDisruptionBudget hub",
        "NetworkPolicy hub",
        "Service hub-0-p2p",
        "PersistentVolumeClaim data-hub-0-0",
        "Secret hub-0-key-g1",
        "ConfigMap hub-0-config",
        "StatefulSet hub-0",
    ]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({"exposure": NODE_PORT}, ["ClusterRole ns-hub", "ClusterRoleBinding ns-hub", "Service hub-0-nodeport"]),
        ({"exposure": {**NODE_PORT, "externalAddress": {"kind": "hostIP"}}}, ["Service hub-0-nodeport"]),
        ({"exposure": BALANCER}, ["Service hub-0-loadbalancer"]),
        ({"exposure": {**BALANCER, "first": 0}}, []),
        ({"exposure": {"kind": "hostPort", "externalAddress": {"kind": "hostIP"}}}, []),
        ({"type": "sentry"}, ["Service hub-0-privval"]),
        ({"type": "sentry", "signer": {"kind": "none"}}, []),
        ({"type": "validator", "signer": {"kind": "remote"}}, ["Service hub-0-privval"]),
        (BY_SECRET, [f"ConfigMap {guard_name(A)}"]),
        ({"monitoring": {}}, ["ConfigMap hub-dashboard", "PodMonitor hub", "PrometheusRule hub"]),
        ({"monitoring": {"enabled": False}}, []),
        (
            {"serviceAccount": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}},
            ["Role hub", "RoleBinding hub"],
        ),
    ],
)
def test_what_is_asked_for_adds_these_objects(given: dict[str, Any], more: list[str]) -> None:
    assert sorted(set(objects(**given)) - set(objects())) == more


@pytest.mark.parametrize(
    ("given", "less"),
    [
        ({"keys": GIVEN_KEYS}, ["Secret hub-0-key-g1"]),
        ({"persistence": {"kind": "ephemeral"}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"persistence": {"kind": "existingClaim", "claim": "mine"}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"nodes": {"0": {"existingClaim": "mine"}}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"nodes": {"0": {"disabled": "pod"}}}, []),
        ({"nodes": {"0": {"disabled": "all"}}}, ["Service hub-0-p2p"]),
        ({"serviceAccount": {"create": False, "name": "mine"}}, ["ServiceAccount hub"]),
        ({"disruption": {"enabled": False}}, ["PodDisruptionBudget hub"]),
        ({"networkPolicy": {"enabled": False}}, ["NetworkPolicy hub"]),
        (
            {"replicas": 0},
            [
                *("ConfigMap hub-0-config", "PersistentVolumeClaim data-hub-0-0", "PodDisruptionBudget hub"),
                *("Secret hub-0-key-g1", "Service hub-0-p2p", "StatefulSet hub-0"),
            ],
        ),
    ],
)
def test_what_is_left_out_takes_these_objects_away(given: dict[str, Any], less: list[str]) -> None:
    assert sorted(set(objects()) - set(objects(**given))) == less


@pytest.mark.parametrize(
    "given", [{}, {"exposure": NODE_PORT}, BY_SECRET, {"monitoring": {}}, {"type": "sentry"}, {"keys": GIVEN_KEYS}]
)
def test_growing_from_one_to_three_renames_nothing(given: dict[str, Any]) -> None:
    whole = given
    if given is BY_SECRET:
        signer = {"kind": "secret", "name": "val-<replica>"}
        given, whole = (
            {"type": "validator", "signer": {**signer, "addresses": {str(n): address for n, address in enumerate(addresses)}}}
            for addresses in ((A,), (A, B, C))
        )
    one, three = objects(**given), objects(**whole, replicas=3)
    assert [found for found in three if found in one] == one
    assert {found.replace("hub-0", "hub-1") for found in one if "hub-0" in found} <= set(three)


def test_shrinking_takes_only_the_last_nodes_away_and_leaves_what_others_are_called() -> None:
    four, three = objects(**LOCAL, nodes={}), objects(**LOCAL | {"network": {"kind": "local", "validators": 3}, "replicas": 3})
    assert [found for found in four if "hub-3" not in found] == three


def test_the_first_ordinal_moves_names_and_nothing_else() -> None:
    assert objects(firstOrdinal=7) == [found.replace("hub-0", "hub-7") for found in objects()]


def test_claims_are_called_as_the_claims_of_the_cosmos_operators_pods_can_be_named() -> None:
    claim = find(plan(replicas=2), "PersistentVolumeClaim", "data-hub-1-0")
    assert claim["metadata"]["annotations"] == KEPT
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Gi"}}}
    assert {"name": "data", "mountPath": "/home/operator/cosmos"} in container(plan())["volumeMounts"]


def test_only_claims_and_key_secrets_outlive_their_stack() -> None:
    kept = [one["metadata"]["name"] for one in plan(**LOCAL).manifests() if is_kept(one)]
    assert kept == [name for n in range(4) for name in (f"data-hub-{n}-0", f"hub-{n}-key-g1")]


# ---- labels and selectors


def test_selectors_hold_what_never_changes() -> None:
    planned = plan(replicas=2, labels={"team": "a"}, pod={"labels": {"tier": "b"}})
    own = {**SELECTOR, "nodestead.io/node": "hub-1"}
    workload = find(planned, "StatefulSet", "hub-1")["spec"]
    assert workload["selector"] == {"matchLabels": own}
    assert find(planned, "Service", "hub-1-p2p")["spec"]["selector"] == own
    assert find(planned, "Service", "hub-rpc")["spec"]["selector"] == SELECTOR
    assert find(planned, "PodDisruptionBudget", "hub")["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert {**own, "team": "a", "tier": "b"}.items() <= workload["template"]["metadata"]["labels"].items()


def test_a_signers_service_has_the_label_that_horcrux_looks_for() -> None:
    labels = find(plan(type="sentry"), "Service", "hub-0-privval")["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "cosmos-sentry"


# ---- single nodes


def test_a_node_may_have_its_own_size_snapshot_place_resources_and_claim() -> None:
    planned = plan(
        replicas=3,
        nodes={
            "0": {"size": "1Ti", "fromSnapshot": "snap"},
            "1": {"existingClaim": "mine", "nodeSelector": {"disk": "nvme"}},
            "2": {"resources": {"limits": {"memory": "1Gi"}}, "image": {"tag": "v9"}},
        },
    )
    spec = find(planned, "PersistentVolumeClaim", "data-hub-0-0")["spec"]
    assert spec["resources"] == {"requests": {"storage": "1Ti"}}
    assert spec["dataSource"] == {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snap"}
    assert pod(planned, "hub-1")["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}
    assert pod(planned, "hub-1")["nodeSelector"] == {"disk": "nvme"}
    assert container(planned, node="hub-2")["resources"] == {"limits": {"memory": "1Gi"}}
    assert [container(planned, node=f"hub-{n}")["image"].rpartition(":")[2] for n in (0, 2)] == ["v1", "v9"]


@pytest.mark.parametrize("disabled", ["pod", "all"])
def test_a_disabled_node_runs_no_pod_and_keeps_claim_and_keys(disabled: str) -> None:
    planned = plan(replicas=2, nodes={"1": {"disabled": disabled}})
    replicas = {n: find(planned, "StatefulSet", f"hub-{n}")["spec"].get("replicas") for n in (0, 1)}
    assert replicas == {0: None, 1: 0}
    assert "data-hub-1-0" in names(planned, "PersistentVolumeClaim")
    assert "hub-1-key-g1" in names(planned, "Secret")
    assert outputs(planned, "hub-1")["disabled"] is True


def test_nothing_of_a_node_without_services_waits_for_a_load_balancer() -> None:
    planned = plan(replicas=2, exposure=BALANCER, nodes={"1": {"disabled": "all"}})
    services = set(names(planned, "Service"))
    everything = [[*planned.manifests()], planned.outputs, *(node.outputs for node in planned.nodes())]
    assert {ref.service for ref in late_refs(everything) if isinstance(ref, Address)} <= services


# ---- rollout


@pytest.mark.parametrize(
    ("given", "waves"),
    [
        ({"replicas": 1}, [["hub-0"]]),
        ({"replicas": 4}, [["hub-0"], ["hub-1"], ["hub-2"], ["hub-3"]]),
        ({"replicas": 4, "rollout": {"maxUnavailable": 2}}, [["hub-0", "hub-1"], ["hub-2", "hub-3"]]),
        ({"replicas": 3, "nodes": {"0": {"disabled": "pod"}}}, [["hub-1", "hub-0"], ["hub-2"]]),
        ({"replicas": 2, "nodes": {"0": {"disabled": "all"}, "1": {"disabled": "pod"}}}, [["hub-0", "hub-1"]]),
        ({"replicas": 0}, []),
    ],
)
def test_nodes_roll_in_batches_and_stopped_ones_hold_nobody_up(given: dict[str, Any], waves: list[list[str]]) -> None:
    assert plan(**given).waves == waves


def test_a_batch_may_take_half_an_hour_unless_told_otherwise() -> None:
    assert plan().timeout_seconds == 1800
    assert plan(rollout={"timeout": "2h"}).timeout_seconds == 7200


def test_what_is_said_of_pod_rollout_or_volume_leaves_the_sets_other_defaults_alone() -> None:
    planned = plan(pod={"labels": {"a": "b"}}, rollout={"maxUnavailable": 1}, persistence={"kind": "volume", "storageClass": "x"})
    assert pod(planned)["terminationGracePeriodSeconds"] == 300
    assert planned.timeout_seconds == 1800
    claim = find(planned, "PersistentVolumeClaim", "data-hub-0-0")["spec"]
    assert claim["resources"] == {"requests": {"storage": "500Gi"}}


def test_a_changed_config_restarts_its_node_and_no_other() -> None:
    def notes(**given: Any) -> list[str]:
        planned = plan(replicas=3, **given)
        found = [find(planned, "StatefulSet", f"hub-{n}")["spec"]["template"]["metadata"]["annotations"] for n in range(3)]
        return [plain(one["nodestead.io/config"]) for one in found]

    changed = [a != b for a, b in zip(notes(), notes(exposure=NODE_PORT | {"first": 1}), strict=True)]
    assert changed == [True, False, False]


# ---- patches and rendering


def test_a_patch_has_the_last_word_and_one_that_matches_nothing_is_refused() -> None:
    patches = {"StatefulSet": {"hub-1": {"spec": {"minReadySeconds": 9}}}, "Service": {"*": {"metadata": {"labels": {"x": "y"}}}}}
    planned = plan(replicas=2, patches=patches)
    assert [find(planned, "StatefulSet", f"hub-{n}")["spec"].get("minReadySeconds") for n in (0, 1)] == [None, 9]
    assert {one["metadata"]["labels"].get("x") for one in planned.manifests() if one["kind"] == "Service"} == {"y"}
    with pytest.raises(ConfigError) as refused:
        plan(patches={"StatefulSet": {"hub-7": {"spec": {}}}})
    assert "blockchainNodeSets.hub.patches.StatefulSet.hub-7" in refused.value.problems[0]


@pytest.mark.parametrize("given", [{}, LOCAL, {**BY_SECRET, "keys": {"kind": "seed", "seed": SEED}}, {"exposure": BALANCER}])
def test_a_rendering_is_equal_for_equal_config_and_holds_no_secret(given: dict[str, Any]) -> None:
    first, second = ("".join(yaml_documents(plan(**given).manifests())) for _ in range(2))
    assert first == second
    keys = [make(SEED, ordinal, 1) for make in (node_key_json, consensus_key_json) for ordinal in range(4)]
    for secret in [SEED, *keys]:
        assert secret not in first
        assert base64.b64encode(secret.encode()).decode()[:-4] not in first
    assert not set(IDS) & {word for word in IDS if word in first}


def test_what_is_public_of_the_seed_is_derived_once_for_all_leaves_of_a_set() -> None:
    planned = plan(replicas=3)
    refs = [ref for node in planned.nodes() for ref in late_refs([node.manifests, node.outputs]) if not isinstance(ref, Seed)]
    assert len({id(ref) for ref in refs}) == 1


def test_no_public_leaf_needs_the_seed_itself() -> None:
    planned = plan(**LOCAL)
    public = [planned.outputs, planned.peers, *(node.outputs for node in planned.nodes())]
    public += [one for one in planned.manifests() if one["kind"] != "Secret"]
    assert [ref for ref in late_refs(public) if isinstance(ref, Seed)] == []


def test_outputs_tell_how_to_reach_a_node_and_the_set() -> None:
    planned = plan(ports={"rpc": 26600})
    assert outputs(planned) == {
        "service": "hub-0-p2p",
        "nodeId": "(node id of hub-0, generation 1)",
        "rpcUrl": "http://hub-0-p2p.ns:26600",
        "type": "full",
        "announced": "",
    }
    assert plain(planned.outputs) == {
        "peers": ["(node id of hub-0, generation 1)@hub-0-p2p.ns:26656"],
        "publicPeers": [],
        "rpcService": "hub-rpc",
        "chainId": "net-1",
        "firewallPorts": [],
    }


def test_an_instance_is_planned_as_its_mapping_is() -> None:
    parsed = parse(BlockchainNodeSetArgs, config(peersFrom=[{"set": "a"}], versions=None))
    again = parse(BlockchainNodeSetArgs, parsed.model_dump(by_alias=True, exclude_unset=True))
    assert again == parsed
    assert [isinstance(leaf, Late) for leaf in (plan().peers, plan(keys=GIVEN_KEYS).peers)] == [True, False]
