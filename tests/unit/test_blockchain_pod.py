"""The pod of a chain node: its containers, their probes and settings, and where keys and data lie."""

from typing import Any

import pytest
from chains import COMET, COSMOS, OSMOSIS, container, env, node_json, plan, pod

TWO_VERSIONS: dict[str, Any] = {
    "image": {"repository": "registry.example.org/simd"},
    "versions": [{"height": 0, "image": {"tag": "v1"}, "haltHeight": 9}, {"height": 10, "image": {"tag": "v2"}}],
}


def test_one_version_is_an_init_a_preparation_a_node_and_a_watch() -> None:
    spec = pod(plan())
    assert [one["name"] for one in spec["initContainers"]] == ["init", "prepare"]
    assert [one["name"] for one in spec["containers"]] == ["node", "health"]
    assert container(plan(), "init")["command"] == [
        *("simd", "init", "hub-0", "--chain-id", "net-1", "--home", "/defaults/h0", "--overwrite")
    ]
    assert container(plan())["command"][:6] == [
        *("sh", "/etc/nodestead/agents/chain_node.sh", "simd", "start", "--home", "/home/operator/cosmos")
    ]


def test_versions_are_a_container_each_and_all_are_there_at_once() -> None:
    planned = plan(**TWO_VERSIONS)
    spec = pod(planned)
    assert [one["name"] for one in spec["initContainers"]] == ["init-h0", "init-h10", "prepare"]
    assert [one["name"] for one in spec["containers"]] == ["node-h0", "node-h10", "health"]
    assert [one["image"].rpartition(":")[2] for one in spec["containers"][:2]] == ["v1", "v2"]
    assert [one["image"].rpartition(":")[2] for one in spec["initContainers"][:2]] == ["v1", "v2"]
    assert container(planned, "init-h10")["command"][6] == "/defaults/h10"
    assert [env(planned, f"node-{name}")["VERSION"] for name in ("h0", "h10")] == ["h0", "h10"]
    assert {env(planned, f"node-{name}")["GATE"] for name in ("h0", "h10")} == {"/run/nodestead/gate"}
    assert node_json(planned)["versions"] == [
        {"name": "h0", "height": 0, "halt_height": 9, "defaults": "/defaults/h0"},
        {"name": "h10", "height": 10, "halt_height": None, "defaults": "/defaults/h10"},
    ]


def test_where_a_version_halts_stands_in_its_own_file_and_is_no_flag() -> None:
    planned = plan(**TWO_VERSIONS)
    assert [one["halt_height"] for one in node_json(planned)["versions"]] == [9, None]
    assert not [part for name in ("h0", "h10") for part in container(planned, f"node-{name}")["command"] if "halt" in part]


def test_a_halt_of_the_only_version_is_gated_too() -> None:
    planned = plan(software={**COSMOS, "app": {"haltHeight": 9}}, probes={"strategy": "none"})
    assert env(planned)["GATE"] == "/run/nodestead/gate"
    assert node_json(planned)["versions"][0]["halt_height"] == 9


def test_only_the_last_version_names_ports_and_asks_for_resources() -> None:
    planned = plan(
        **TWO_VERSIONS, container={"resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi"}}}
    )
    first, last = container(planned, "node-h0"), container(planned, "node-h10")
    assert ("ports" in first, "ports" in last) == (False, True)
    assert first["resources"] == {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "8Gi"}}
    assert last["resources"] == {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi"}}


def test_versions_of_a_preset_begin_with_the_one_that_covers_the_height() -> None:
    given = {"software": OSMOSIS, "genesis": None, "image": {"repository": "registry.example.org/osmosis"}}
    every = node_json(plan(**given, versions={"preset": True}))["versions"]
    late = node_json(plan(**given, versions={"preset": True, "since": 41_332_000}))["versions"]
    assert [one["height"] for one in late] == [0, 47_626_000]
    assert [one["height"] for one in every[-2:]] == [41_332_000, 47_626_000]
    between = node_json(plan(**given, versions={"preset": True, "since": 47_625_999}))["versions"]
    assert between == late


@pytest.mark.parametrize("version", [0, 10])
def test_an_image_of_one_node_is_that_of_the_last_version(version: int) -> None:
    planned = plan(**TWO_VERSIONS, nodes={"0": {"image": {"tag": "v3"}}})
    assert container(planned, f"node-h{version}")["image"].rpartition(":")[2] == ("v1" if version == 0 else "v3")


def test_an_image_without_shell_is_started_by_itself() -> None:
    planned = plan(software={**COSMOS, "shell": False})
    assert container(planned)["command"][:3] == ["simd", "start", "--home"]
    assert not {"VERSION", "GATE", "START_DELAY"} & set(env(planned))


@pytest.mark.parametrize(
    ("given", "watched"),
    [
        ({}, True),
        ({"probes": {"strategy": "none"}}, False),
        ({"type": "sentry"}, True),
        ({"type": "sentry", "probes": {"strategy": "none"}}, False),
        ({"type": "sentry", "signer": {"kind": "none"}}, True),
        ({"type": "sentry", "probes": {"strategy": "none"}, "monitoring": {}}, True),
        ({"type": "sentry", "probes": {"strategy": "none"}, **TWO_VERSIONS}, True),
    ],
)
def test_a_node_is_watched_where_there_is_something_to_watch(given: dict[str, Any], watched: bool) -> None:
    containers = pod(plan(**given))["containers"]
    assert ("health" in [one["name"] for one in containers]) == watched
    assert all(("livenessProbe" in one) == watched for one in containers)
    ready = [one for one in containers if "readinessProbe" in one]
    strategy = node_json(plan(**given))["health"]["strategy"]
    assert bool(ready) == (strategy != "none")


def test_probes_ask_the_watch_how_each_version_is() -> None:
    planned = plan(**TWO_VERSIONS, probes={"startupTimeout": "1h", "deadAfter": "2m"}, ports={"health": 1300})
    node = container(planned, "node-h10")
    assert node["startupProbe"] == {
        "httpGet": {"path": "/started/h10", "port": 1300},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 360,
    }
    assert node["livenessProbe"]["httpGet"] == {"path": "/live/h10", "port": 1300}
    assert node_json(planned)["health"]["dead_after"] == 120


@pytest.mark.parametrize(("delay", "set_"), [(None, "10"), ("1m", "60"), ("0s", None)])
def test_a_node_with_a_remote_signer_waits_a_little_before_it_starts(delay: str | None, set_: str | None) -> None:
    signer = {"kind": "remote"} | ({} if delay is None else {"startDelay": delay})
    assert env(plan(type="sentry", signer=signer)).get("START_DELAY") == set_
    assert "START_DELAY" not in env(plan())


def test_what_the_user_adds_to_the_container_is_there() -> None:
    given: dict[str, Any] = {
        "env": {"A": "1", "B": {"secret": {"name": "s", "key": "k"}}},
        "envFrom": [{"configMapRef": {"name": "more"}}],
        "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
        "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
        "ports": [{"name": "evm", "port": 8545}],
        "securityContext": {"runAsUser": 7},
    }
    planned = plan(container=given, pod={"volumes": [{"name": "extra", "emptyDir": {}}]}, nodes={"0": {"env": {"A": "2"}}})
    node = container(planned)
    assert env(planned)["A"] == "2"
    assert env(planned)["B"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    assert (node["envFrom"], node["lifecycle"]) == (given["envFrom"], given["lifecycle"])
    assert given["volumeMounts"][0] in node["volumeMounts"]
    assert {"name": "evm", "containerPort": 8545, "protocol": "TCP"} in node["ports"]
    assert node["securityContext"]["runAsUser"] == 7
    assert node["securityContext"]["allowPrivilegeEscalation"] is False


def test_a_connection_string_comes_from_its_secret_and_stands_in_no_file() -> None:
    index = {"txIndex": {"indexer": "psql", "psqlConnection": {"name": "db", "key": "url"}}}
    for software, name in ((COSMOS, "SIMD_TX_INDEX_PSQL_CONN"), (COMET, "CMT_TX_INDEX_PSQL_CONN")):
        planned = plan(software={**software, "config": index})
        assert env(planned)[name] == {"secretKeyRef": {"name": "db", "key": "url"}}


def test_agents_run_in_an_image_of_their_own() -> None:
    assert container(plan(), "prepare")["image"] == "docker.io/library/python:3.13-slim-bookworm"
    planned = plan(container={"agentImage": {"repository": "mirror.example.org/python", "pullSecrets": ["mirror"]}})
    assert {container(planned, name)["image"] for name in ("prepare", "health")} == {
        "mirror.example.org/python:3.13-slim-bookworm"
    }
    assert pod(planned)["imagePullSecrets"] == [{"name": "mirror"}]


def test_keys_are_read_by_the_preparation_and_held_in_memory() -> None:
    planned = plan()
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert volumes["keys"]["emptyDir"]["medium"] == "Memory"
    spec = pod(planned)
    mounts = {
        one["name"]: {mount["name"]: mount.get("readOnly", False) for mount in one["volumeMounts"]}
        for one in [*spec["initContainers"], *spec["containers"]]
    }
    assert {name: found["keys"] for name, found in mounts.items() if "keys" in found} == {"prepare": False, "node": True}
    assert [name for name, found in mounts.items() if "secret-keys" in found] == ["prepare"]


def test_the_pod_runs_as_the_cosmos_operators_user_and_closes_its_database_in_peace() -> None:
    spec = pod(plan())
    assert {key: spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == dict.fromkeys(
        ("runAsUser", "runAsGroup", "fsGroup"), 1025
    )
    assert spec["terminationGracePeriodSeconds"] == 300
