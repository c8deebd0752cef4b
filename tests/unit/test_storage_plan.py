"""The objects of a group: which there are, what they are called, and what is in them."""

import base64
from typing import Any

import pytest
from groups import CODEX, CUSTOM, MARKET, config, container, env, find, names, node, plan, pod

from nodestead.config.base import ConfigError, parse
from nodestead.config.scalars import SECURE
from nodestead.kubernetes.objects import Late, Seed
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_node_group import plan_storage_node_group
from nodestead.preview.yaml_text import plain

SEED = bytes(range(32)).hex()
SELECTOR = {
    "app.kubernetes.io/instance": "codex",
    "app.kubernetes.io/part-of": "nodestead",
    "nodestead.io/set": "storage-node-group",
}
KEPT = {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}
IMAGE = {"repository": "registry.example.org/node", "tag": "1"}


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no plan may wait for a value of another resource")


def objects(**given: Any) -> list[str]:
    """Kind and name of every object; the hash at the end of a ConfigMap's name changes with the scripts."""
    found = [(one["kind"], str(one["metadata"]["name"])) for one in plan(**given).manifests()]
    return [f"{kind} {name.rpartition('-')[0] if '-agents-' in name or '-proxy-' in name else name}" for kind, name in found]


# ---- which objects


def test_one_private_node_is_these_objects() -> None:
    assert objects() == [
        "ServiceAccount codex",
        "ConfigMap codex-agents",
        "PodDisruptionBudget codex",
        "NetworkPolicy codex",
        "Service codex-1-service",
        "PersistentVolumeClaim data-codex-1-1",
        "StatefulSet codex-1",
    ]


EXTRA: list[tuple[dict[str, Any], list[str]]] = [
    ({"software": MARKET}, ["Secret codex-1-key-g1"]),
    ({"software": MARKET, "keys": {"kind": "secret", "name": "eth", "key": "KEY"}}, []),
    (
        {"software": {**CODEX, "marketplace": {"ethProvider": {"url": "https://rpc.example.org"}}}},
        ["Secret codex-1-key-g1", "Secret codex-eth-provider"],
    ),
    ({"exposure": {"kind": "nodePort"}}, ["ClusterRole ns-codex", "ClusterRoleBinding ns-codex", "Service codex-1-nodeport"]),
    ({"exposure": {"kind": "loadBalancer"}}, ["Service codex-1-loadbalancer"]),
    ({"exposure": {"kind": "hostPort", "externalAddress": {"kind": "hostIP"}}}, []),
    (
        {"bootstrap": {"kind": "own"}},
        [
            "PersistentVolumeClaim data-codex-bootstrap-1-1",
            "Service codex-bootstrap-1-service",
            "StatefulSet codex-bootstrap-1",
        ],
    ),
    ({"monitoring": {}}, ["ConfigMap codex-dashboard", "PodMonitor codex", "PrometheusRule codex"]),
    ({"monitoring": {"enabled": False}}, []),
    ({"monitoring": {"podMonitor": False, "alerts": False}}, ["ConfigMap codex-dashboard"]),
    (
        {"serviceAccount": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}},
        ["Role codex", "RoleBinding codex"],
    ),
    (
        {"api": {"route": {"kind": "ingress", "hosts": ["a"], "tls": "none"}}},
        ["ConfigMap codex-api-proxy", "Ingress codex", "Secret codex-api-auth"],
    ),
    (
        {"api": {"route": {"kind": "ingress", "hosts": ["a"], "tls": "none", "controller": "ingressNginx"}}},
        ["Ingress codex", "Secret codex-api-auth"],
    ),
    (
        {"api": {"route": {"kind": "httpRoute", "parents": [{"name": "a"}]}}},
        ["ConfigMap codex-api-proxy", "HTTPRoute codex-1", "Secret codex-api-auth"],
    ),
    (
        {
            "api": {
                "route": {"kind": "ingress", "hosts": ["a"], "tls": "none", "controller": "ingressNginx"},
                "auth": {"kind": "none"},
            }
        },
        ["Ingress codex"],
    ),
]


@pytest.mark.parametrize(("given", "more"), EXTRA)
def test_what_is_asked_for_adds_these_objects(given: dict[str, Any], more: list[str]) -> None:
    assert sorted(set(objects(**given)) - set(objects())) == more


@pytest.mark.parametrize(
    ("given", "less"),
    [
        ({"serviceAccount": {"create": False, "name": "mine"}}, ["ServiceAccount codex"]),
        ({"disruption": {"enabled": False}}, ["PodDisruptionBudget codex"]),
        ({"networkPolicy": {"enabled": False}}, ["NetworkPolicy codex"]),
        ({"persistence": {"kind": "ephemeral"}}, ["PersistentVolumeClaim data-codex-1-1"]),
        ({"persistence": {"kind": "existingClaim", "claim": "mine", "size": "9Gi"}}, ["PersistentVolumeClaim data-codex-1-1"]),
        (
            {"software": {**CODEX, "quota": "1Gi"}, "nodes": {"1": {"existingClaim": "mine"}}},
            ["PersistentVolumeClaim data-codex-1-1"],
        ),
    ],
)
def test_what_is_turned_off_takes_these_objects_away(given: dict[str, Any], less: list[str]) -> None:
    assert sorted(set(objects()) - set(objects(**given))) == less


def test_a_group_without_nodes_keeps_what_is_shared() -> None:
    assert objects(replicas=0) == ["ServiceAccount codex", "ConfigMap codex-agents", "NetworkPolicy codex"]


def test_a_node_is_its_services_its_claim_its_key_and_its_workload_last() -> None:
    given = {"software": MARKET, "exposure": {"kind": "nodePort"}}
    assert [one["kind"] for one in node(plan(**given)).manifests] == [
        "Service",
        "Service",
        "PersistentVolumeClaim",
        "Secret",
        "StatefulSet",
    ]


def test_every_object_is_in_the_namespace_of_its_group() -> None:
    given = {"software": MARKET, "exposure": {"kind": "nodePort"}, "monitoring": {}}
    places = {one["metadata"].get("namespace", one["kind"]) for one in plan(**given).manifests()}
    assert places == {"ns", "ClusterRole", "ClusterRoleBinding"}


def test_a_namespace_may_be_known_later() -> None:
    later = Later()
    given = config(software=MARKET, exposure={"kind": "nodePort"}, monitoring={})
    planned = plan_storage_node_group("codex", parse(StorageNodeGroupArgs, given), later)
    assert {one["metadata"]["namespace"] for one in planned.manifests() if "namespace" in one["metadata"]} == {later}
    (role,) = [one for one in planned.manifests() if one["kind"] == "ClusterRole"]
    assert role["metadata"]["name"].make("prod") == "prod-codex"
    assert node(planned).outputs["apiUrl"].make("prod") == "http://codex-1-service.prod:8080"


# ---- workload and pod


def test_a_workload_has_one_pod_and_keeps_its_claim() -> None:
    spec = find(plan(replicas=2), "StatefulSet", "codex-2")["spec"]
    assert {key: value for key, value in spec.items() if key != "template"} == {
        "podManagementPolicy": "Parallel",
        "ordinals": {"start": 1},
        "selector": {"matchLabels": {**SELECTOR, "nodestead.io/node": "codex-2"}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }


def test_a_disabled_node_has_no_pod_and_keeps_everything_else() -> None:
    running = plan(software=MARKET, exposure={"kind": "nodePort"})
    stopped = plan(software=MARKET, exposure={"kind": "nodePort"}, nodes={"1": {"disabled": True}})
    assert find(stopped, "StatefulSet", "codex-1")["spec"]["replicas"] == 0
    assert [one["metadata"]["name"] for one in stopped.manifests()] == [one["metadata"]["name"] for one in running.manifests()]
    assert node(stopped).outputs["disabled"] is True
    assert "disabled" not in node(running).outputs


def test_a_pod_is_as_restricted_as_pod_security_can_ask_for() -> None:
    spec = pod(plan(software=MARKET))
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        # The recursive change of the default policy opens key files to the group, and nodes refuse those.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"], spec["serviceAccountName"]) == (
        False,
        False,
        "codex",
    )
    for one in [*spec["initContainers"], *spec["containers"]]:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}
        assert one["resources"]["limits"].keys() == {"memory"}


def test_probes_tell_slow_from_dead() -> None:
    health = {"httpGet": {"path": "/api/codex/v1/debug/info", "port": "api"}, "periodSeconds": 10, "timeoutSeconds": 5}
    found = container(plan())
    assert found["startupProbe"] == {**health, "failureThreshold": 1080}
    assert found["readinessProbe"] == {**health, "failureThreshold": 3}
    assert found["livenessProbe"] == {
        "tcpSocket": {"port": "api"},
        "periodSeconds": 20,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    }


@pytest.mark.parametrize(("timeout", "failures"), [("3h", 1080), ("90s", 9), ("95s", 9), ("1s", 1)])
def test_the_first_answer_has_the_time_that_was_given(timeout: str, failures: int) -> None:
    assert container(plan(container={"probes": {"startupTimeout": timeout}}))["startupProbe"]["failureThreshold"] == failures


def test_a_probe_is_replaced_as_a_whole() -> None:
    probe = {"exec": {"command": ["true"]}}
    found = container(plan(container={"probes": {"startup": probe, "readiness": probe, "liveness": probe}}))
    assert found["startupProbe"] == found["readinessProbe"] == found["livenessProbe"] == probe


def test_keys_and_scripts_are_in_memory_or_read_only() -> None:
    planned = plan(software=MARKET)
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert volumes["run"] == {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    assert volumes["key"] == {"name": "key", "secret": {"secretName": "codex-1-key-g1", "defaultMode": 0o440}}
    assert volumes["agents"]["configMap"]["defaultMode"] == 0o555
    # Only the container that copies the key sees the Secret.
    assert "key" not in {mount["name"] for mount in container(planned)["volumeMounts"]}
    mounted = {mount["name"]: mount for mount in container(planned, called="prepare")["volumeMounts"]}
    assert mounted["key"]["readOnly"] is mounted["agents"]["readOnly"] is True


def test_data_lie_in_a_subfolder_of_their_mount() -> None:
    planned = plan()
    assert {"name": "data", "mountPath": "/data"} in container(planned)["volumeMounts"]
    assert env(planned)["CODEX_DATA_DIR"] == env(planned, called="prepare")["DATA_DIR"] == "/data/node"


def test_pods_are_spread_over_hosts() -> None:
    own = {"labelSelector": {"matchLabels": SELECTOR}}
    assert pod(plan())["topologySpreadConstraints"] == [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", **own}
    ]
    given = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    assert pod(plan(pod={"topologySpread": [given]}))["topologySpreadConstraints"] == [{**given, **own}]
    assert "topologySpreadConstraints" not in pod(plan(pod={"topologySpread": []}))


def test_what_is_given_for_pods_reaches_them() -> None:
    given: dict[str, Any] = {
        "labels": {"team": "a"},
        "annotations": {"note": "b"},
        "securityContext": {"runAsUser": 7, "fsGroup": 7},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "c", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "terminationGracePeriod": "10m",
        "initContainers": [{"name": "first", "image": "busybox:1"}],
        "extraContainers": [{"name": "beside", "image": "busybox:1"}],
        "volumes": [{"name": "more", "emptyDir": {}}],
        "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    }
    planned = plan(pod=given)
    spec, metadata = pod(planned), find(planned, "StatefulSet", "codex-1")["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"] == {"note": "b", "kubectl.kubernetes.io/default-container": "node"}
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (7, True)
    alike = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName", "hostAliases", "dnsConfig")
    assert {key: spec[key] for key in alike} == {key: given[key] for key in alike}
    assert spec["terminationGracePeriodSeconds"] == 600
    assert [one["name"] for one in spec["initContainers"]] == ["prepare", "first"]
    assert [one["name"] for one in spec["containers"]] == ["node", "beside"]
    assert spec["volumes"][-1] == {"name": "more", "emptyDir": {}}


def test_what_is_given_for_the_container_reaches_it() -> None:
    given: dict[str, Any] = {
        "args": ["--verbose"],
        "env": {"A": "", "B": {"secret": {"name": "s", "key": "k"}}, "C": {"configMap": {"name": "m", "key": "k"}}},
        "envFrom": [{"secretRef": {"name": "more"}}],
        "resources": {"requests": {"cpu": "1"}},
        "securityContext": {"readOnlyRootFilesystem": False},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
        "ports": [{"name": "ws", "port": 9000}, {"name": "gossip", "port": 9000, "protocol": "UDP", "service": False}],
    }
    planned = plan(container=given)
    found, variables = container(planned), env(planned)
    assert found["args"] == ["codex", "--verbose"]
    assert [variables[name] for name in "ABC"] == [
        "",
        {"secretKeyRef": {"name": "s", "key": "k"}},
        {"configMapKeyRef": {"name": "m", "key": "k"}},
    ]
    assert (found["envFrom"], found["lifecycle"]) == (given["envFrom"], given["lifecycle"])
    assert found["resources"] == {"requests": {"cpu": "1"}}
    assert found["securityContext"]["readOnlyRootFilesystem"] is False
    assert found["volumeMounts"][-1] == {"name": "tmp", "mountPath": "/scratch"}
    assert found["ports"][-2:] == [
        {"name": "ws", "containerPort": 9000, "protocol": "TCP"},
        {"name": "gossip", "containerPort": 9000, "protocol": "UDP"},
    ]
    served = find(planned, "Service", "codex-1-service")["spec"]["ports"]
    assert [port["name"] for port in served] == ["api", "metrics", "ws"]


def test_a_command_of_the_user_takes_the_place_of_the_start_script() -> None:
    found = container(plan(container={"command": ["sh", "-c", "exec codex"], "args": ["x"]}))
    assert (found["command"], found["args"]) == (["sh", "-c", "exec codex"], ["x"])
    assert "args" not in container(plan(container={"command": ["node"]}))
    assert container(plan())["command"] == ["sh", "/etc/nodestead/agents/start.sh"]


def test_ports_of_the_pod_can_be_moved() -> None:
    planned = plan(ports={"api": 9001, "metrics": 9002})
    served = find(planned, "Service", "codex-1-service")["spec"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in served["ports"]] == [
        ("api", 9001, "api"),
        ("metrics", 9002, "metrics"),
    ]
    assert (env(planned)["CODEX_API_PORT"], env(planned)["CODEX_METRICS_PORT"]) == ("9001", "9002")


# ---- images


@pytest.mark.parametrize(
    ("image", "own", "reference"),
    [
        ({}, {}, "docker.io/codexstorage/nim-codex:0.2.5"),
        ({"tag": "sha-1"}, {}, "docker.io/codexstorage/nim-codex:sha-1"),
        ({"digest": f"sha256:{'0a' * 32}"}, {}, f"docker.io/codexstorage/nim-codex@sha256:{'0a' * 32}"),
        ({"tag": "latest", "digest": f"sha256:{'0a' * 32}"}, {}, f"docker.io/codexstorage/nim-codex:latest@sha256:{'0a' * 32}"),
        ({"repository": "mirror/codex"}, {}, "mirror/codex:0.2.5"),
        ({"repository": "mirror/codex", "tag": "sha-1"}, {"tag": "sha-2"}, "mirror/codex:sha-2"),
        ({"repository": "mirror/codex", "tag": "sha-1"}, {"repository": "other/codex"}, "other/codex:sha-1"),
        ({"digest": f"sha256:{'0a' * 32}"}, {"tag": "sha-2"}, "docker.io/codexstorage/nim-codex:sha-2"),
        ({}, {"tag": "sha-2"}, "docker.io/codexstorage/nim-codex:sha-2"),
    ],
)
def test_a_node_has_its_own_image_over_that_of_the_group_over_that_of_the_version(
    image: dict[str, Any], own: dict[str, Any], reference: str
) -> None:
    planned = plan(image=image, nodes={"1": {"image": own}} if own else {})
    assert container(planned)["image"] == container(planned, called="prepare")["image"] == reference


def test_a_node_pulls_as_its_own_image_says() -> None:
    image = {"pullPolicy": "Always", "pullSecrets": ["registry"]}
    own = {"2": {"image": {"pullPolicy": "Never"}}, "3": {"image": {"pullSecrets": ["mirror"]}}}
    planned = plan(replicas=3, image=image, nodes=own)
    found = [
        (container(planned, name)["imagePullPolicy"], pod(planned, name)["imagePullSecrets"])
        for name in ("codex-1", "codex-2", "codex-3")
    ]
    assert found == [
        ("Always", [{"name": "registry"}]),
        ("Never", [{"name": "registry"}]),
        ("Always", [{"name": "mirror"}]),
    ]


def test_a_repository_of_another_resource_is_finished_when_it_is_known() -> None:
    image = container(plan(image={"repository": Later()}))["image"]
    assert isinstance(image, Late)
    assert (image.make("mirror/codex"), image.stand_in) == ("mirror/codex:0.2.5", "(image):0.2.5")


# ---- what single nodes have otherwise


def test_an_override_is_of_its_node_alone() -> None:
    own = {
        "size": "50Gi",
        "nodeSelector": {"host": "b"},
        "resources": {"requests": {"cpu": "2"}},
        "env": {"CODEX_LOG_LEVEL": "trace"},
    }
    planned = plan(replicas=2, nodes={2: own}, pod={"nodeSelector": {"disk": "ssd"}})
    sizes = [one["spec"]["resources"]["requests"]["storage"] for one in planned.manifests() if one["kind"].endswith("Claim")]
    assert sizes == ["20Gi", "50Gi"]
    assert [pod(planned, name)["nodeSelector"] for name in ("codex-1", "codex-2")] == [{"disk": "ssd"}, {"host": "b"}]
    assert container(planned, "codex-2")["resources"] == {"requests": {"cpu": "2"}}
    assert [env(planned, name)["CODEX_LOG_LEVEL"] for name in ("codex-1", "codex-2")] == ["info", "trace"]
    assert [env(planned, name)["CODEX_STORAGE_QUOTA"] for name in ("codex-1", "codex-2")] == ["17894998016", "44738543616"]


# ---- data


def test_a_claim_is_adopted_and_never_deleted() -> None:
    claim = find(plan(), "PersistentVolumeClaim", "data-codex-1-1")
    assert claim["metadata"]["annotations"] == KEPT
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}


def test_a_claim_has_what_was_asked_for() -> None:
    volume = {
        "kind": "volume",
        "size": "1Ti",
        "storageClass": "",
        "accessModes": ["ReadWriteOncePod"],
        "annotations": {"note": "a", "pulumi.com/patchForce": "false"},
        "selector": {"matchLabels": {"disk": "ssd"}},
        "fromSnapshot": "yesterday",
    }
    claim = find(plan(persistence=volume), "PersistentVolumeClaim", "data-codex-1-1")
    assert claim["metadata"]["annotations"] == {"note": "a", **KEPT}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": "1Ti"}},
        # An empty class is no class, which is not the same as none being named.
        "storageClassName": "",
        "selector": {"matchLabels": {"disk": "ssd"}},
        "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "yesterday"},
    }


@pytest.mark.parametrize(
    ("given", "volume"),
    [
        ({}, {"persistentVolumeClaim": {"claimName": "data-codex-1-1"}}),
        (
            {"persistence": {"kind": "existingClaim", "claim": "mine", "size": "9Gi"}},
            {"persistentVolumeClaim": {"claimName": "mine"}},
        ),
        (
            {"software": {**CODEX, "quota": "1Gi"}, "nodes": {"1": {"existingClaim": "own"}}},
            {"persistentVolumeClaim": {"claimName": "own"}},
        ),
        ({"persistence": {"kind": "ephemeral", "size": "3Gi"}}, {"emptyDir": {"sizeLimit": "3Gi"}}),
        ({"persistence": {"kind": "ephemeral"}, "nodes": {"1": {"size": "4Gi"}}}, {"emptyDir": {"sizeLimit": "4Gi"}}),
    ],
)
def test_data_lie_where_they_were_put(given: dict[str, Any], volume: dict[str, Any]) -> None:
    assert pod(plan(**given))["volumes"][0] == {"name": "data", **volume}


# ---- keys


def test_a_generated_key_is_an_immutable_secret_that_is_kept() -> None:
    secret = find(plan(software=MARKET), "Secret", "codex-1-key-g1")
    assert secret["metadata"]["annotations"] == KEPT
    assert (secret["type"], secret["immutable"]) == ("Opaque", True)
    value = secret["data"]["eth-private-key"]
    assert value.refs == (Seed("codex"),)
    # The key and the address of node 1 of that seed, by published algorithms; in base64.
    assert value.make(SEED) == "MTNlMTA5NjRkNDQ5MTY3YTVkZWQ0ZDBiN2VlZmI5MDI5M2VlZTViMDhhMGY2ZDY5ZGZiODk5MDQwYWI2NmJhNA=="
    assert node(plan(software=MARKET)).outputs["ethereumAddress"].make(SEED) == "0xb46631f0b96323948783c5E5eEB08B0EB02CE321"


def test_a_changed_source_of_keys_shows_in_a_rendering() -> None:
    shown = [
        plain(node(plan(name, software=MARKET, keys=keys), f"{name}-1").outputs["ethereumAddress"])
        for name, keys in (("codex", {"kind": "seed"}), ("codex", {"kind": "seed", "generation": 2}), ("other", {"kind": "seed"}))
    ]
    assert shown == [
        "address of a key from the seed of codex, generation 1",
        "address of a key from the seed of codex, generation 2",
        "address of a key from the seed of other, generation 1",
    ]


def test_what_stands_for_a_key_is_no_key_and_names_its_source() -> None:
    secret = find(plan(software=MARKET, keys={"kind": "seed", "generation": 2}), "Secret", "codex-1-key-g2")
    shown = base64.b64decode(plain(secret["data"]["eth-private-key"])).decode()
    assert shown == "a key from the seed of codex, generation 2"


def test_nodes_that_do_not_trade_need_no_seed() -> None:
    assert plan().needs_seed is False
    assert plan(software=MARKET).needs_seed is True
    assert plan(software=MARKET, keys={"kind": "secret", "name": "eth", "key": "KEY"}).needs_seed is False
    assert plan(software=CUSTOM, image=IMAGE, keys={"kind": "seed"}).needs_seed is True


@pytest.mark.parametrize("seed", [SECURE, SEED])
def test_a_restored_seed_is_handed_on_where_it_can_be_read(seed: Any) -> None:
    given = plan(software=MARKET, keys={"kind": "seed", "seed": seed}).given_seed
    assert (given.get_secret_value() if given is not None else None) == (None if seed is SECURE else SEED)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "secret", "entry"),
    [
        # The entries that the chart's README names.
        ({"keys": {"name": "eth"}}, "eth", "CODEX_ETH_PRIVATE_KEY-2-1"),
        ({"keys": {"name": "eth-<replica>", "key": "KEY"}}, "eth-2", "KEY"),
        ({"keys": {"name": "eth", "key": "KEY-<replica>-<pod>"}, "firstOrdinal": 0}, "eth", "KEY-1-0"),
    ],
)
def test_a_node_reads_its_own_entry_of_a_given_secret(given: dict[str, Any], secret: str, entry: str) -> None:
    keys = {"kind": "secret", **given["keys"]}
    planned = plan(replicas=2, software=MARKET, **{**given, "keys": keys})
    name = list(planned.nodes())[1].name
    (volume,) = [volume for volume in pod(planned, name)["volumes"] if volume["name"] == "key"]
    items = [{"key": entry, "path": "eth-private-key"}]
    assert volume["secret"] == {"secretName": secret, "defaultMode": 0o440, "items": items}


def test_the_only_prettified_node_has_no_number_in_its_entry() -> None:
    planned = plan(prettify=True, software=MARKET, keys={"kind": "secret", "name": "eth"})
    (volume,) = [volume for volume in pod(planned, "codex")["volumes"] if volume["name"] == "key"]
    assert volume["secret"]["items"] == [{"key": "CODEX_ETH_PRIVATE_KEY-1", "path": "eth-private-key"}]


def test_the_prepared_key_is_where_the_node_looks_for_it() -> None:
    planned = plan(software=MARKET)
    found = env(planned, called="prepare")
    assert (found["KEY_FILE"], found["KEY_TARGET"]) == ("/etc/nodestead/key/eth-private-key", "/run/nodestead/eth-private-key")
    assert env(planned)["CODEX_ETH_PRIVATE_KEY"] == found["KEY_TARGET"]
    assert "KEY_FILE" not in env(plan(), called="prepare")


# ---- rights, budget, policy


def test_the_account_has_no_token_and_only_the_rules_that_were_given() -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    planned = plan(serviceAccount={"name": "mine", "annotations": {"note": "a"}, "rules": rules, "clusterRules": rules})
    account = find(planned, "ServiceAccount", "mine")
    assert (account["automountServiceAccountToken"], account["metadata"]["annotations"]) == (False, {"note": "a"})
    assert find(planned, "Role", "codex")["rules"] == find(planned, "ClusterRole", "ns-codex")["rules"] == rules
    for kind, name in (("Role", "codex"), ("ClusterRole", "ns-codex")):
        binding = find(planned, f"{kind}Binding", name)
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "mine", "namespace": "ns"}]
    assert pod(planned)["serviceAccountName"] == "mine"


@pytest.mark.parametrize(
    ("account", "mounted"),
    [
        ({}, False),
        ({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}, True),
        ({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}], "automountToken": False}, False),
        ({"automountToken": True}, True),
    ],
)
def test_a_token_is_mounted_only_where_rules_need_it(account: dict[str, Any], mounted: bool) -> None:
    assert pod(plan(serviceAccount=account))["automountServiceAccountToken"] is mounted


def test_a_drain_takes_one_node_at_a_time_and_never_waits_for_a_dead_one() -> None:
    assert find(plan(), "PodDisruptionBudget", "codex")["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": SELECTOR},
    }
    budget = find(plan(disruption={"maxUnavailable": "50%"}), "PodDisruptionBudget", "codex")
    assert budget["spec"]["maxUnavailable"] == "50%"


def test_the_policy_closes_all_but_peers_and_clients() -> None:
    planned = plan(replicas=3, exposure={"kind": "nodePort", "offset": 10})
    peers, clients = find(planned, "NetworkPolicy", "codex")["spec"]["ingress"]
    assert peers == {
        "ports": [{"protocol": protocol, "port": port} for protocol in ("TCP", "UDP") for port in (30510, 30520, 30530)]
    }
    assert clients["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert {"podSelector": {"matchLabels": {"nodestead.io/api-client": "true"}}} in clients["from"]


def test_metrics_are_open_to_those_who_watch() -> None:
    rules = find(plan(monitoring={"from": ["prometheus"]}), "NetworkPolicy", "codex")["spec"]["ingress"]
    watchers = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prometheus"}}}
    assert rules[-1] == {"from": [watchers], "ports": [{"protocol": "TCP", "port": 8008}]}


# ---- labels and outputs


def test_labels_are_the_recommended_ones_and_the_users() -> None:
    planned = plan(labels={"team": "a"}, bootstrap={"kind": "own"})
    recommended = {
        "team": "a",
        "app.kubernetes.io/name": "codex",
        "app.kubernetes.io/instance": "codex",
        "app.kubernetes.io/component": "storage-node",
        "app.kubernetes.io/part-of": "nodestead",
        "app.kubernetes.io/managed-by": "nodestead",
        "nodestead.io/set": "storage-node-group",
    }
    assert find(planned, "NetworkPolicy", "codex")["metadata"]["labels"] == recommended
    assert find(planned, "Service", "codex-1-service")["metadata"]["labels"] == {**recommended, "nodestead.io/node": "codex-1"}
    assert find(planned, "StatefulSet", "codex-bootstrap-1")["spec"]["template"]["metadata"]["labels"] == {
        **recommended,
        "app.kubernetes.io/component": "bootstrap-node",
        "app.kubernetes.io/version": "0.2.5",
        "nodestead.io/node": "codex-bootstrap-1",
    }


def test_selectors_hold_nothing_that_may_change() -> None:
    one = plan(labels={"team": "a"}, pod={"labels": {"tier": "b"}})
    other = plan(software={**CODEX, "version": "0.2.4"}, image={"tag": "x"}, ports={"api": 9000})
    selectors = [
        {m["metadata"]["name"]: m["spec"]["selector"] for m in each.manifests() if m["kind"] in ("StatefulSet", "Service")}
        for each in (one, other)
    ]
    assert selectors[0] == selectors[1]


def test_outputs_are_few_and_useful() -> None:
    assert plain(node(plan()).outputs) == {
        "service": "codex-1-service",
        "apiUrl": "http://codex-1-service.ns:8080",
        "apiPath": "/api/codex/v1",
        "announced": "/ip4/<pod address>/tcp/8070",
    }


def test_what_may_not_change_under_data_is_told() -> None:
    kept = plan(software={**CODEX, "repoKind": "sqlite"}, bootstrap={"kind": "network", "name": "testnet"}).unchangeable
    assert kept == {
        "layout": "perNode",
        "firstOrdinal": 1,
        "software.kind": "codex",
        "software.repoKind": "sqlite",
        "bootstrap.name": "testnet",
        "namespace": "ns",
    }


# ---- software without a file of its own


def test_a_custom_software_gets_what_the_group_decided() -> None:
    software = {
        **CUSTOM,
        "args": ["node", "--dir={dataDir}", "--p2p={peerPort}", "--dht={discoveryPort}", "--quota={quota}", "--key={keyFile}"],
        "env": {"API": "{apiPort}", "METRICS": "0.0.0.0:{metricsPort}"},
        "entrypoint": "/entry.sh",
        "apiPath": "/api/v1",
        "healthPath": "/healthz",
        "quota": "1Gi",
    }
    planned = plan(software=software, image=IMAGE, keys={"kind": "seed"})
    found = container(planned)
    assert found["image"] == "registry.example.org/node:1"
    assert found["args"] == [
        "node",
        "--dir=/data/node",
        "--p2p=8070",
        "--dht=8090",
        "--quota=1073741824",
        "--key=/run/nodestead/eth-private-key",
    ]
    variables = env(planned)
    assert (variables["API"], variables["METRICS"], variables["ENTRYPOINT"]) == ("8080", "0.0.0.0:8008", "/entry.sh")
    assert found["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "api"}
    assert node(planned).outputs["apiPath"] == "/api/v1"
    assert "NAT_ARG" not in env(planned, called="prepare")


def test_a_custom_software_bootstraps_by_its_own_words() -> None:
    planned = plan(software=CUSTOM, image=IMAGE, bootstrap={"kind": "own"})
    found = env(planned, called="prepare")
    assert (found["BOOTSTRAP_URLS"], found["BOOTSTRAP_ARG"]) == ("http://codex-bootstrap-1-service:8080/spr", "--peer={spr}")
    spr = f"spr:{'a' * 70}"
    given = container(plan(software=CUSTOM, image=IMAGE, bootstrap={"kind": "sprs", "sprs": [spr]}))
    assert given["args"] == ["node", f"--peer={spr}"]


def test_a_name_that_is_refused_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ConfigError, match=r"storageNodeGroups\.1codex: '1codex' is refused as a name"):
        plan("1codex")


def test_nodes_are_made_anew_on_each_call_and_equal() -> None:
    planned = plan(replicas=2)
    first, second = list(planned.nodes()), list(planned.nodes())
    assert first == second
    assert first[0] is not second[0]
    assert names(planned, "StatefulSet") == ["codex-1", "codex-2"]


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ({"prettify": True}, {"prettify": True, "replicas": 2}, "nodeNames"),
        ({"prettify": True}, {"prettify": False}, "nodeNames"),
        ({"software": MARKET}, {"software": MARKET, "keys": {"kind": "seed", "generation": 2}}, "keys"),
        ({"persistence": {"kind": "volume"}}, {"persistence": {"kind": "ephemeral"}}, "persistence.kind"),
    ],
)
def test_a_change_that_costs_nodes_something_is_noticed(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    old, new = plan(**before).noticed, plan(**after).noticed
    assert {key for key, (value, _) in new.items() if old[key][0] != value} == {path}


def test_growing_without_prettify_notices_nothing() -> None:
    old, new = plan(replicas=1).noticed, plan(replicas=3).noticed
    assert {key: value for key, (value, _) in old.items()} == {key: value for key, (value, _) in new.items()}
