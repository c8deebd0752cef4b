"""Extra pods beside the nodes of a set: of the image of their node, for each version one container, and none of the nodes."""

from typing import Any

import pytest
from chains import COMET, config, find, names, plan, refusals

from nodestead.config.base import ConfigError
from nodestead.kubernetes.network_policy import API_CLIENT
from nodestead.preview.yaml_text import plain

SIMD = "registry.example.org/simd"
TOOL: dict[str, Any] = {"name": "simd", "command": ["simd", "query"], "args": ["--all"]}
OTHER: dict[str, Any] = {"name": "other", "image": "busybox:1.37"}
VERSIONS: dict[str, Any] = {
    "image": {"repository": SIMD},
    "versions": [{"height": 0, "image": {"tag": "v1"}, "haltHeight": 9}, {"height": 10, "image": {"tag": "v2"}}],
}
NAME = "StatefulSet", "hub-0-tool"


def with_pod(*containers: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"versionedPods": [{"name": "tool", "containers": list(containers), **given}]}


def spec(planned: Any, name: str = "hub-0-tool") -> dict[str, Any]:
    return plain(find(planned, "StatefulSet", name)["spec"]["template"]["spec"])


def containers(planned: Any, name: str = "hub-0-tool") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in spec(planned, name)["containers"]}


def images(planned: Any, name: str = "hub-0-tool") -> dict[str, str]:
    return {called: one["image"] for called, one in containers(planned, name).items()}


def env(container: dict[str, Any]) -> dict[str, str]:
    assert len({one["name"] for one in container["env"]}) == len(container["env"])
    return {one["name"]: one["value"] for one in container["env"]}


# --- which there are ---


def test_each_node_has_each_pod_right_after_itself() -> None:
    two = [{"name": name, "containers": [TOOL]} for name in ("tool", "web")]
    planned = plan(replicas=3, nodes={"1": {"disabled": "pod"}, "2": {"disabled": "all"}}, versionedPods=two)
    assert names(planned, "StatefulSet") == ["hub-0", "hub-0-tool", "hub-0-web", "hub-1", "hub-2"]


def test_without_them_nothing_is_there() -> None:
    for node in plan(replicas=2, **VERSIONS).nodes():
        assert node.after == []


def test_a_nodes_workload_stays_the_last_of_its_own_and_nobody_waits_for_an_extra_one() -> None:
    (node,) = plan(**with_pod(TOOL)).nodes()
    assert node.manifests[-1]["metadata"]["name"] == "hub-0"
    (extra,) = node.after
    assert extra["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert extra["spec"]["podManagementPolicy"] == "Parallel"


# --- images ---


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"simd": f"{SIMD}:v1", "other": "busybox:1.37"}),
        ({"nodes": {"0": {"image": {"tag": "v9"}}}}, {"simd": f"{SIMD}:v9", "other": "busybox:1.37"}),
        (
            {"image": {"repository": SIMD}, "versions": [{"height": 5, "image": {"tag": "v5"}}]},
            {"simd": f"{SIMD}:v5", "other": "busybox:1.37"},
        ),
        (
            VERSIONS,
            {
                "follow": "docker.io/library/python:3.13-slim-bookworm",
                "simd-h0": f"{SIMD}:v1",
                "simd-h10": f"{SIMD}:v2",
                "other": "busybox:1.37",
            },
        ),
        (
            {**VERSIONS, "nodes": {"0": {"image": {"tag": "v2-fixed"}}}},
            {
                "follow": "docker.io/library/python:3.13-slim-bookworm",
                "simd-h0": f"{SIMD}:v1",
                "simd-h10": f"{SIMD}:v2-fixed",
                "other": "busybox:1.37",
            },
        ),
    ],
)
def test_what_names_no_image_has_those_of_its_node(given: dict[str, Any], expected: dict[str, str]) -> None:
    assert images(plan(**given, **with_pod(TOOL, OTHER))) == expected


def test_each_node_has_its_own() -> None:
    planned = plan(replicas=2, nodes={"1": {"image": {"tag": "v9"}}}, **with_pod(TOOL))
    assert [images(planned, f"hub-{node}-tool") for node in (0, 1)] == [{"simd": f"{SIMD}:v1"}, {"simd": f"{SIMD}:v9"}]


def test_a_pod_whose_containers_all_have_images_follows_nobody() -> None:
    planned = plan(**VERSIONS, **with_pod(OTHER))
    assert images(planned) == {"other": "busybox:1.37"}
    assert [one["name"] for one in spec(planned)["volumes"]] == ["scratch", "tmp"]
    assert [port["name"] for port in find(planned, "Service", "hub-0-p2p")["spec"]["ports"]] == ["p2p", "rpc"]


# --- one version ---


def test_with_one_version_the_pod_is_as_it_was_written() -> None:
    probe = {"httpGet": {"path": "/", "port": "web"}}
    web = {**TOOL, "ports": [{"name": "web", "containerPort": 1251}], "livenessProbe": probe, "readinessProbe": probe}
    found = containers(plan(**with_pod({**web, "resources": {"requests": {"cpu": "2"}}})))["simd"]
    assert {key: found[key] for key in ("command", "args", "ports", "livenessProbe", "readinessProbe", "resources")} == {
        "command": ["simd", "query"],
        "args": ["--all"],
        "ports": [{"name": "web", "containerPort": 1251}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "2"}},
    }
    assert "VERSION" not in env(found)


def test_home_and_tmp_are_writable_and_the_rpc_is_known() -> None:
    found = containers(plan(ports={"rpc": 36657}, **with_pod(TOOL)))["simd"]
    assert env(found) == {
        "HOME": "/home/operator",
        "CHAIN_HOME": "/home/operator/cosmos",
        "RPC_URL": "http://hub-0-p2p:36657",
    }
    assert {one["mountPath"]: one["name"] for one in found["volumeMounts"]} == {"/home/operator": "scratch", "/tmp": "tmp"}


def test_what_the_user_says_wins() -> None:
    mine = {
        **TOOL,
        "env": [{"name": "HOME", "value": "/mine"}, {"name": "A", "value": "$(RPC_URL)"}],
        "volumeMounts": [{"name": "mine", "mountPath": "/home/operator"}],
        "workingDir": "/mine",
        "imagePullPolicy": "Always",
        "securityContext": {"readOnlyRootFilesystem": False},
    }
    planned = plan(**with_pod(mine, volumes=[{"name": "mine", "emptyDir": {}}]))
    found = containers(planned)["simd"]
    assert [one["name"] for one in found["env"]] == ["CHAIN_HOME", "RPC_URL", "HOME", "A"]
    assert env(found)["HOME"] == "/mine"
    assert [one["name"] for one in found["volumeMounts"]] == ["tmp", "mine"]
    assert (found["workingDir"], found["imagePullPolicy"]) == ("/mine", "Always")
    assert found["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
    }
    assert spec(planned)["volumes"][-1] == {"name": "mine", "emptyDir": {}}


# --- several versions ---


def test_each_version_waits_for_its_turn() -> None:
    mine = {**TOOL, "env": [{"name": "A", "value": "b"}]}
    found = containers(plan(**VERSIONS, **with_pod(mine)))
    for version in ("h0", "h10"):
        one = found[f"simd-{version}"]
        assert one["command"] == ["sh", "/etc/nodestead/agents/chain_node.sh", "simd", "query"]
        assert one["args"] == ["--all"]
        told = env(one)
        assert (told["VERSION"], told["GATE"], told["A"]) == (version, "/run/nodestead/gate/simd", "b")
        assert one["livenessProbe"]["httpGet"] == {"path": f"/live/simd/{version}", "port": 1251}
        assert {"/run/nodestead", "/etc/nodestead/agents"} <= {mount["mountPath"] for mount in one["volumeMounts"]}
    requests = [found[f"simd-{version}"]["resources"]["requests"] for version in ("h0", "h10")]
    assert requests == [{"cpu": "5m", "memory": "16Mi"}, {"cpu": "10m", "memory": "64Mi"}]


def test_one_container_asks_the_node_for_all_that_follow() -> None:
    planned = plan(**VERSIONS, ports={"health": 1300}, **with_pod(TOOL, OTHER, {"name": "web", "command": ["web"]}))
    assert list(containers(planned)) == ["follow", "simd-h0", "simd-h10", "other", "web-h0", "web-h10"]
    assert containers(planned)["follow"]["command"] == [
        "python3",
        "/etc/nodestead/agents/chain_follow.py",
        *("--node", "http://hub-0-p2p:1300", "--port", "1300", "--versions", "h0,h10", "simd", "web"),
    ]
    assert containers(planned)["web-h0"]["livenessProbe"]["httpGet"]["port"] == 1300
    scripts = next(one["configMap"]["name"] for one in spec(planned)["volumes"] if one["name"] == "agents")
    assert "chain_follow.py" in find(planned, "ConfigMap", scripts)["data"]


def test_the_node_lets_its_health_be_asked() -> None:
    planned = plan(**VERSIONS, **with_pod(TOOL))
    port = {"name": "health", "port": 1251, "protocol": "TCP", "targetPort": "health"}
    assert port in find(planned, "Service", "hub-0-p2p")["spec"]["ports"]
    rules = find(planned, "NetworkPolicy", "hub")["spec"]["ingress"]
    (opened,) = [rule for rule in rules if {"podSelector": {"matchLabels": API_CLIENT}} in rule.get("from", [])]
    assert {"protocol": "TCP", "port": 1251} in opened["ports"]


@pytest.mark.parametrize("given", [with_pod(TOOL), VERSIONS], ids=["one version", "no pods"])
def test_health_stays_closed_where_nobody_follows(given: dict[str, Any]) -> None:
    planned = plan(**given)
    assert [port["name"] for port in find(planned, "Service", "hub-0-p2p")["spec"]["ports"]] == ["p2p", "rpc"]
    assert "1251" not in str(find(planned, "NetworkPolicy", "hub"))


# --- what the pod is, and is not ---


def test_no_selector_of_the_set_takes_it_for_a_node() -> None:
    given = {"labels": {"team": "chain"}, "monitoring": {}, "exposure": {"kind": "nodePort"}}
    planned = plan(replicas=2, **given, **VERSIONS, **with_pod(TOOL, labels={"tier": "extra"}))
    selectors = [
        selector.get("matchLabels", selector)
        for one in planned.manifests()
        if one["kind"] in ("Service", "PodDisruptionBudget", "PodMonitor", "NetworkPolicy", "StatefulSet")
        for selector in [one["spec"].get("selector") or one["spec"].get("podSelector")]
        if not one["metadata"]["name"].endswith("-tool")
    ]
    assert len(selectors) > 8
    pod = find(planned, *NAME)["spec"]["template"]["metadata"]["labels"]
    assert [one for one in selectors if one.items() <= pod.items()] == []
    own = find(planned, *NAME)["spec"]["selector"]["matchLabels"]
    assert own.items() <= pod.items()
    assert not own.items() <= find(planned, "StatefulSet", "hub-1-tool")["spec"]["template"]["metadata"]["labels"].items()
    assert not own.items() <= find(planned, "StatefulSet", "hub-0")["spec"]["template"]["metadata"]["labels"].items()
    assert pod.items() >= {**API_CLIENT, "app.kubernetes.io/component": "versioned-pod", "team": "chain", "tier": "extra"}.items()


@pytest.mark.parametrize("given", [{}, VERSIONS], ids=["one version", "several"])
def test_it_passes_pod_security_as_its_node_does_and_has_no_token(given: dict[str, Any]) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    more = {"serviceAccount": {"rules": rules}, "pod": {"securityContext": {"fsGroup": 7}}}
    planned = plan(**given, **more, **with_pod(TOOL, OTHER))
    node, extra = (find(planned, "StatefulSet", name)["spec"]["template"]["spec"] for name in ("hub-0", "hub-0-tool"))
    assert extra["securityContext"] == node["securityContext"]
    assert extra["securityContext"]["fsGroup"] == 7
    assert (node["automountServiceAccountToken"], extra["automountServiceAccountToken"]) == (True, False)
    for one in extra["containers"]:
        assert one["securityContext"] == node["containers"][0]["securityContext"]
        assert one["resources"]["limits"]["memory"]


def test_it_is_placed_as_its_node_is() -> None:
    taint = {"key": "chains", "operator": "Exists"}
    mine: dict[str, Any] = {
        "pod": {
            "tolerations": [taint],
            "extraContainers": [OTHER],
            "volumes": [{"name": "x", "emptyDir": {}}],
            "labels": {"x": "y"},
        },
        "nodes": {"0": {"nodeSelector": {"disk": "nvme"}}},
    }
    planned = plan(**mine, **with_pod(TOOL))
    found = spec(planned)
    assert (found["tolerations"], found["nodeSelector"]) == ([taint], {"disk": "nvme"})
    assert list(containers(planned)) == ["simd"]
    assert {one["name"] for one in found["volumes"]} == {"scratch", "tmp"}
    assert {"affinity", "topologySpreadConstraints", "initContainers"} & set(found) == set()
    assert "x" not in find(planned, *NAME)["spec"]["template"]["metadata"]["labels"]
    assert found["terminationGracePeriodSeconds"] == 30


def test_it_may_prefer_the_host_of_its_node() -> None:
    planned = plan(replicas=2, **with_pod(TOOL, preferSameNode=True))
    (term,) = spec(planned, "hub-1-tool")["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert (term["weight"], term["podAffinityTerm"]["topologyKey"]) == (100, "kubernetes.io/hostname")
    wanted = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    labels = [find(planned, "StatefulSet", f"hub-{o}")["spec"]["template"]["metadata"]["labels"] for o in (0, 1)]
    assert [wanted.items() <= one.items() for one in labels] == [False, True]


def test_kubectl_shows_what_the_user_wrote() -> None:
    found = find(plan(**VERSIONS, **with_pod(TOOL, annotations={"a": "b"})), *NAME)
    annotations = found["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"a": "b", "kubectl.kubernetes.io/default-container": "simd-h10"}


def test_registry_secrets_are_those_of_its_images() -> None:
    agent = {"repository": "registry.example.org/python", "tag": "3.13", "pullSecrets": ["agents"]}
    given = {"image": {"repository": SIMD, "pullSecrets": ["chains"]}, "container": {"agentImage": agent}}
    several = plan(**{**VERSIONS, **given}, **with_pod(TOOL))
    assert spec(several)["imagePullSecrets"] == [{"name": "chains"}, {"name": "agents"}]
    one = plan(**{**given, "image": {"repository": SIMD, "tag": "v1", "pullSecrets": ["chains"]}}, **with_pod(TOOL))
    assert spec(one)["imagePullSecrets"] == [{"name": "chains"}]


def test_patches_reach_it() -> None:
    patches = {"StatefulSet": {"hub-0-tool": {"spec": {"minReadySeconds": 3}}, "*": {"metadata": {"labels": {"x": "y"}}}}}
    found = find(plan(patches=patches, **with_pod(TOOL)), *NAME)
    assert (found["spec"]["minReadySeconds"], found["metadata"]["labels"]["x"]) == (3, "y")


# --- refusals ---

PORT = {"name": "web", "containerPort": 1251}
NO_SHELL = {"software": {**COMET, "shell": False}}


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (with_pod(), "versionedPods[0].containers: has 0 entries; write at least 1"),
        (with_pod({"name": "simd"}), "versionedPods[0].containers[0].command: is required without image"),
        (with_pod({"name": "simd", "args": ["x"]}), "versionedPods[0].containers[0].command: is required without image"),
        (with_pod(TOOL, {**OTHER, "name": "simd"}), "versionedPods[0].containers[1].name: simd is taken in this pod"),
        (
            with_pod({**TOOL, "ports": [{"containerPort": 80, "hostPort": 80}]}),
            "versionedPods[0].containers[0].ports[0].hostPort: is refused by Pod Security",
        ),
        (with_pod(TOOL, volumes=[{"name": "run", "emptyDir": {}}]), "versionedPods[0].volumes[0].name: run is taken"),
        (with_pod(TOOL, name="Tool"), "versionedPods[0].name: 'Tool' is refused"),
        ({"versionedPods": with_pod(TOOL)["versionedPods"] * 2}, "versionedPods[1].name: tool is taken by another pod"),
        # Only what has to wait for its turn cannot have these.
        (
            with_pod({**TOOL, "ports": [PORT]}) | VERSIONS,
            "versionedPods[0].containers[0].ports[0].containerPort: 1251 is that of",
        ),
        (
            with_pod(TOOL, {**OTHER, "ports": [PORT]}) | VERSIONS,
            "versionedPods[0].containers[1].ports[0].containerPort: 1251 is that of the container follow",
        ),
        *(
            (
                with_pod({**TOOL, probe: {"tcpSocket": {"port": 80}}}) | VERSIONS,
                f"versionedPods[0].containers[0].{probe}: fails in a version that waits",
            )
            for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        ),
        (
            with_pod({**TOOL, "env": [{"name": "A", "value": ""}, {"name": "GATE", "value": "x"}]}) | VERSIONS,
            "versionedPods[0].containers[0].env[1].name: GATE is read by the script that waits",
        ),
        (with_pod(TOOL, {**OTHER, "name": "follow"}) | VERSIONS, "versionedPods[0].containers[1].name: follow is a container"),
        (
            with_pod(TOOL, {**OTHER, "name": "simd-h10"}) | VERSIONS,
            "versionedPods[0].containers[1].name: simd-h10 is a container",
        ),
        (
            with_pod({**TOOL, "name": "n" * 60}) | VERSIONS,
            f"versionedPods[0].containers[0].name: {'n' * 60}-h10 has 64 characters, and a container's name at most 63",
        ),
        ({**VERSIONS, **NO_SHELL, **with_pod(TOOL)}, "versions: an image without a shell cannot wait for its height"),
    ],
)
def test_what_could_not_run_is_refused(given: dict[str, Any], refused: str) -> None:
    assert [line for line in refusals(**given) if line.startswith(refused)], refusals(**given)


def test_an_image_without_a_shell_has_plain_pods() -> None:
    found = containers(plan(**NO_SHELL, image={}, **with_pod(TOOL)))["simd"]
    assert found["command"] == ["simd", "query"]


@pytest.mark.parametrize(("length", "fits"), [(46, True), (47, False)])
def test_a_name_that_gets_too_long_is_refused(length: int, fits: bool) -> None:
    given = with_pod(TOOL, name="t" * length)
    if fits:
        assert f"hub-0-{'t' * length}" in names(plan(**given), "StatefulSet")
        return
    with pytest.raises(ConfigError) as caught:
        plan(**given)
    (line,) = caught.value.problems
    assert line.startswith(f"blockchainNodeSets.hub.versionedPods[0].name: hub-0-{'t' * length} has 53 characters")
    assert "at most 46" in line


def test_fields_have_their_own_names_in_yaml() -> None:
    (given,) = config(**with_pod(TOOL, preferSameNode=True, terminationGracePeriod="2s"))["versionedPods"]
    assert spec(plan(versionedPods=[given]))["terminationGracePeriodSeconds"] == 2
