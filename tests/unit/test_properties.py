"""Whatever config validates gives objects that hold what the design promises."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from chain_strategies import chain_sets
from nodestead.config.base import ConfigError, parse
from nodestead.keys import ethereum_key
from nodestead.kubernetes.objects import Manifest, Plan, identity, is_kept
from nodestead.plans.stack import StackConfig, StackPlan, plan_stack
from nodestead.preview.yaml_text import plain, yaml_documents, yaml_text
from strategies import CANARY, SEED, storage_groups

KUBERNETES = "1.34.0"
CUSTOM_RESOURCES = {"HTTPRoute", "PodMonitor", "PrometheusRule"}


def stack_of(config: dict[str, Any], name: str = "codex") -> StackPlan:
    """The plan of a stack with one set; ports of hosts are allowed there."""
    namespace = {"name": "ns", "podSecurity": "privileged"}
    field = "blockchainNodeSets" if config["software"]["kind"] in ("cosmos", "cometbft") else "storageNodeGroups"
    return plan_stack(parse(StackConfig, {"namespace": namespace, "cluster": {"context": "prod"}, field: {name: config}}))


def sets() -> st.SearchStrategy[dict[str, Any]]:
    """A set of any component."""
    return st.one_of(storage_groups(), chain_sets())


def group_of(config: dict[str, Any], name: str = "codex") -> Plan:
    return stack_of(config, name).sets[0]


def of_kind(plan: Plan, kind: str) -> list[Manifest]:
    return [one for one in plan.manifests() if one["kind"] == kind]


def template_of(workload: Manifest) -> dict[str, Any]:
    return workload["spec"]["template"]


def containers_of(workload: Manifest) -> list[dict[str, Any]]:
    spec = template_of(workload)["spec"]
    return [*spec["initContainers"], *spec["containers"]]


def pods_of(plan: Plan) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every pod: its name, its workload's, and the labels that it will have."""
    for workload in of_kind(plan, "StatefulSet"):
        spec, name = workload["spec"], workload["metadata"]["name"]
        count = spec.get("replicas", 1) if "serviceName" in spec else 1
        for ordinal in range(spec["ordinals"]["start"], spec["ordinals"]["start"] + count):
            pod = f"{name}-{ordinal}"
            yield pod, name, {**template_of(workload)["metadata"]["labels"], "statefulset.kubernetes.io/pod-name": pod}


def selected(plan: Plan, selector: dict[str, str]) -> list[str]:
    return [pod for pod, _, labels in pods_of(plan) if selector.items() <= labels.items()]


# ---- what a cluster takes


@cache
def schema_of(kind: str, api_version: str) -> Any:
    """The strict schema of a kind, made once: `kubernetes_validate.validate` reads half a megabyte for each object."""
    folder = f"kubernetes-json-schema/v{KUBERNETES}-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = schema_contents(f"{folder}/{kind.lower()}-{group}.json", KUBERNETES)
    definitions = schema_contents(f"{folder}/_definitions.json", KUBERNETES)
    registry: Any = Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in (schema, definitions)])
    return Draft202012Validator(schema, registry=registry)


@given(sets())
def test_every_object_has_the_shape_that_kubernetes_asks_for(config: dict[str, Any]) -> None:
    for one in stack_of(config).manifests():
        if one["kind"] not in CUSTOM_RESOURCES:
            schema_of(one["kind"], one["apiVersion"]).validate(plain(one))


def test_the_schemas_in_use_refuse_what_kubernetes_does_not_know() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1, "nodeport": 1}]}}
    assert [list(error.path) for error in schema_of("Service", "v1").iter_errors(service)] == [["spec", "ports", 0]]


@given(sets())
def test_no_two_objects_have_one_identity(config: dict[str, Any]) -> None:
    count = Counter(identity(one) for one in stack_of(config).manifests())
    assert [one for one, times in count.items() if times > 1] == []


@given(sets())
def test_names_within_a_pod_are_unique(config: dict[str, Any]) -> None:
    for workload in of_kind(group_of(config), "StatefulSet"):
        containers = containers_of(workload)
        ports = [port for container in containers for port in container.get("ports", ())]
        lists = [
            [container["name"] for container in containers],
            [volume["name"] for volume in template_of(workload)["spec"]["volumes"]],
            [port["name"] for port in ports],
            [(port["containerPort"], port["protocol"]) for port in ports],
            *([entry["name"] for entry in container.get("env", ())] for container in containers),
            *([mount["mountPath"] for mount in container.get("volumeMounts", ())] for container in containers),
        ]
        assert [names for names in lists if len(set(names)) != len(names)] == []


@given(sets())
def test_every_mount_has_its_volume(config: dict[str, Any]) -> None:
    for workload in of_kind(group_of(config), "StatefulSet"):
        volumes = {volume["name"] for volume in template_of(workload)["spec"]["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
        mounts = {mount["name"] for container in containers_of(workload) for mount in container.get("volumeMounts", ())}
        assert mounts <= volumes


def read_by(workload: Manifest) -> Iterator[tuple[str, str]]:
    """Kind and name of what the volumes of a pod come from."""
    for volume in template_of(workload)["spec"]["volumes"]:
        yield "PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")
        yield "ConfigMap", volume.get("configMap", {}).get("name")
        yield "Secret", volume.get("secret", {}).get("secretName")
        yield from (("Secret", source.get("secret", {}).get("name")) for source in volume.get("projected", {}).get("sources", ()))


@given(sets())
def test_what_pods_read_of_ours_is_there(config: dict[str, Any]) -> None:
    plan = group_of(config)
    made = {(one["kind"], one["metadata"]["name"]) for one in plan.manifests() if isinstance(one["metadata"]["name"], str)}
    ours = re.compile(r"(data-)?codex-.*")
    for workload in of_kind(plan, "StatefulSet"):
        assert {(kind, name) for kind, name in read_by(workload) if isinstance(name, str) and ours.fullmatch(name)} <= made


@given(sets())
def test_services_lead_to_ports_that_the_pods_have(config: dict[str, Any]) -> None:
    plan = group_of(config)
    ports = {
        name: {(port["name"], port["protocol"]) for container in containers_of(workload) for port in container.get("ports", ())}
        for workload in of_kind(plan, "StatefulSet")
        for name in [workload["metadata"]["name"]]
    }
    owners = {pod: name for pod, name, _ in pods_of(plan)}
    for service in of_kind(plan, "Service"):
        entries = service["spec"]["ports"]
        assert len({entry["name"] for entry in entries}) == len({(e["port"], e["protocol"]) for e in entries}) == len(entries)
        for pod in selected(plan, service["spec"]["selector"]):
            assert {(entry["targetPort"], entry["protocol"]) for entry in entries} <= ports[owners[pod]]


DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@given(sets(), st.integers(1, 63), st.sampled_from([1, 20_000]))
def test_names_fit_or_are_refused(config: dict[str, Any], length: int, replicas: int) -> None:
    if "nodes" not in config and config["exposure"]["kind"] == "cluster":
        config = {**config, "replicas": replicas, "persistence": {"kind": "volume"}}
    try:
        plan = group_of(config, "c" * length)
    except ConfigError as error:
        # A long name may be refused, for this reason only.
        assert re.search("shorten the group's name|use a name of at most", str(error))  # noqa: PT017
        assume(False)
        return
    for one in plan.manifests():
        name, labels = plain(one["metadata"]["name"]), one["metadata"]["labels"]
        assert one["kind"] == "ClusterRole" or len(name) <= 253
        assert DNS_NAME.fullmatch(name) or "[known when deployed]" in name
        assert len(name) <= {"Service": 63, "StatefulSet": 52}.get(one["kind"], 253)
        assert [value for value in labels.values() if not LABEL_VALUE.fullmatch(value)] == []
    assert [pod for pod, _, _ in pods_of(plan) if len(pod) > 63] == []


# ---- who belongs to whom


@given(sets())
def test_a_workload_selects_its_own_pods_only(config: dict[str, Any]) -> None:
    plan = group_of(config)
    for workload in of_kind(plan, "StatefulSet"):
        own = [pod for pod, owner, _ in pods_of(plan) if owner == workload["metadata"]["name"]]
        assert selected(plan, workload["spec"]["selector"]["matchLabels"]) == own


@given(sets())
def test_a_service_of_a_node_selects_that_node_only(config: dict[str, Any]) -> None:
    plan = group_of(config)
    own = {f"{pod}-loadbalancer": [pod] for pod, workload, _ in pods_of(plan) if workload == "codex"}
    own["codex-rpc"] = [pod for pod, _, _ in pods_of(plan)]
    for service in of_kind(plan, "Service"):
        node = service["metadata"]["labels"].get("nodestead.io/node", "codex")
        meant = [pod for pod, workload, _ in pods_of(plan) if workload == node]
        assert selected(plan, service["spec"]["selector"]) == own.get(service["metadata"]["name"], meant)


@given(sets())
def test_what_is_for_the_whole_set_selects_all_of_its_pods(config: dict[str, Any]) -> None:
    plan = group_of(config)
    every = [pod for pod, _, _ in pods_of(plan)]
    for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector"), ("PodMonitor", "selector")):
        for one in of_kind(plan, kind):
            assert selected(plan, one["spec"][field]["matchLabels"]) == every


@given(sets())
def test_every_object_carries_the_recommended_labels_and_those_of_the_user(config: dict[str, Any]) -> None:
    for one in group_of(config).manifests():
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "codex"
        assert labels["app.kubernetes.io/part-of"] == labels["app.kubernetes.io/managed-by"] == "nodestead"
        assert labels["app.kubernetes.io/component"] in ("storage-node", "bootstrap-node", "chain-node", "rpc", "cosmos-sentry")
        if one["kind"] not in ("PodMonitor", "PrometheusRule"):
            assert config.get("labels", {}).items() <= labels.items()


@given(sets())
def test_only_claims_and_key_secrets_outlive_their_stack(config: dict[str, Any]) -> None:
    for one in group_of(config).manifests():
        is_key = one["kind"] == "Secret" and one.get("immutable", False)
        assert is_kept(one) == (one["kind"] == "PersistentVolumeClaim" or is_key)


# ---- ports


def listened(workload: Manifest) -> tuple[int | None, int | None]:
    """The TCP and UDP port that the node is told to listen on; None where no environment tells."""
    (node,) = [container for container in containers_of(workload) if container["name"] == "node"]
    env = {entry["name"].partition("_")[2]: entry.get("value") for entry in node["env"]}
    tcp = env.get("LISTEN_PORT") or env.get("LISTEN_ADDRS", "").rpartition("/")[2]
    return (int(tcp) if tcp else None), (int(env["DISC_PORT"]) if "DISC_PORT" in env else None)


@given(storage_groups())
def test_a_node_listens_on_the_very_port_that_peers_dial_and_that_it_announces(config: dict[str, Any]) -> None:
    plan = group_of(config)
    for node in plan.nodes():
        workload = node.manifests[-1]
        tcp, udp = listened(workload)
        ports = {port["name"]: port for container in containers_of(workload) for port in container.get("ports", ())}
        dialled = ports["p2p"]["containerPort"]
        assert tcp in (None, dialled)
        assert udp in (None, ports.get("discovery", {}).get("containerPort"))
        for name, port in ports.items():
            if name in ("p2p", "discovery") and config["exposure"]["kind"] == "hostPort":
                assert port["hostPort"] == port["containerPort"]
        for service in [one for one in node.manifests if one["kind"] == "Service" and one["spec"]["type"] != "ClusterIP"]:
            for entry in service["spec"]["ports"]:
                assert entry["port"] == entry.get("nodePort", entry["port"]) == ports[entry["name"]]["containerPort"]
        if "announced" in node.outputs:
            assert plain(node.outputs["announced"]).endswith(f"/tcp/{dialled}")


@given(sets())
def test_the_policy_opens_the_ports_of_all_peers_to_all(config: dict[str, Any]) -> None:
    plan = group_of(config)
    wanted = {
        (port["protocol"], port["containerPort"])
        for workload in of_kind(plan, "StatefulSet")
        for container in containers_of(workload)
        for port in container.get("ports", ())
        if port["name"] in ("p2p", "discovery")
    }
    for policy in of_kind(plan, "NetworkPolicy"):
        opened = {
            (entry["protocol"], port)
            for rule in policy["spec"]["ingress"]
            if "from" not in rule
            for entry in rule["ports"]
            for port in range(entry["port"], entry.get("endPort", entry["port"]) + 1)
        }
        # A Service that the world reaches leads to ports that are open to it.
        public = config.get("rpcService", {}).get("type", "ClusterIP") != "ClusterIP"
        served = (
            {(e["protocol"], e["port"]) for s in of_kind(plan, "Service")[:1] for e in s["spec"]["ports"]} if public else set()
        )
        # A set without nodes has none that could be dialled.
        assert wanted | served <= opened if public else opened == wanted or not wanted


# ---- workloads


@given(sets())
def test_a_bad_image_heals_because_pods_are_managed_in_parallel(config: dict[str, Any]) -> None:
    assert {one["spec"]["podManagementPolicy"] for one in of_kind(group_of(config), "StatefulSet")} <= {"Parallel"}


@given(sets())
def test_an_update_never_starts_a_node_that_was_stopped(config: dict[str, Any]) -> None:
    for workload in of_kind(group_of(config), "StatefulSet"):
        if config.get("layout") != "pooled" or workload["metadata"]["name"] != "codex":
            assert workload["spec"].get("replicas", 0) == 0


@given(sets())
def test_a_rollout_reaches_every_workload_once(config: dict[str, Any]) -> None:
    plan = group_of(config)
    reached = [node for wave in plan.waves for node in wave]
    assert sorted(reached) == sorted(one["metadata"]["name"] for one in of_kind(plan, "StatefulSet"))
    assert all(plan.waves)


@given(sets())
def test_containers_of_ours_pass_pod_security_restricted(config: dict[str, Any]) -> None:
    for workload in of_kind(group_of(config), "StatefulSet"):
        pod = template_of(workload)["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers_of(workload):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@given(sets())
def test_pods_get_no_environment_from_services(config: dict[str, Any]) -> None:
    assert {template_of(one)["spec"]["enableServiceLinks"] for one in of_kind(group_of(config), "StatefulSet")} <= {False}


# ---- rendering


@given(sets())
def test_equal_configs_render_to_equal_text(config: dict[str, Any]) -> None:
    assert [yaml_text(one) for one in stack_of(config).manifests()] == [yaml_text(one) for one in stack_of(config).manifests()]


@given(sets())
def test_no_secret_is_rendered_or_put_out(config: dict[str, Any]) -> None:
    stack = stack_of(config)
    text = "".join(yaml_documents(stack.manifests()))
    text += json.dumps([plain(stack.sets[0].outputs), *(plain(node.outputs) for node in stack.sets[0].nodes())])
    ordinals = range(config["firstOrdinal"], config["firstOrdinal"] + config["replicas"])
    keys = [ethereum_key(SEED, ordinal, generation) for ordinal in ordinals for generation in (1, 2, 3)]
    for secret in [CANARY, SEED, *keys]:
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in text
