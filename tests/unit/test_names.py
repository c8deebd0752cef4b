"""Names are those of the chart's table, and growing renames nothing."""

from typing import Any

import pytest
from groups import CUSTOM, MARKET, node, plan, refusals
from groups import names as names_of

from nodestead.config.base import ConfigError
from nodestead.kubernetes import names
from nodestead.kubernetes.objects import identity
from nodestead.preview.yaml_text import yaml_text

NODE_PORT = {"exposure": {"kind": "nodePort"}}
INGRESS = {"kind": "ingress", "hosts": ["a.example.org"], "tls": "none"}


# The naming table of the Codex chart's README, by what was asked for.
@pytest.mark.parametrize(
    ("given", "workloads", "claims", "services"),
    [
        ({}, ["codex-1"], ["data-codex-1-1"], ["codex-1-service", "codex-1-nodeport"]),
        (
            {"replicas": 2},
            ["codex-1", "codex-2"],
            ["data-codex-1-1", "data-codex-2-1"],
            ["codex-1-service", "codex-1-nodeport", "codex-2-service", "codex-2-nodeport"],
        ),
        ({"prettify": True}, ["codex"], ["data-codex-1"], ["codex-service", "codex-nodeport"]),
        ({"prettify": True, "prettifyServices": False}, ["codex"], ["data-codex-1"], ["codex-1-service", "codex-1-nodeport"]),
        ({"prettifyServices": False}, ["codex-1"], ["data-codex-1-1"], ["codex-1-1-service", "codex-1-1-nodeport"]),
        (
            {"prettify": True, "replicas": 2},
            ["codex-1", "codex-2"],
            ["data-codex-1-1", "data-codex-2-1"],
            ["codex-1-service", "codex-1-nodeport", "codex-2-service", "codex-2-nodeport"],
        ),
        ({"firstOrdinal": 0}, ["codex-0"], ["data-codex-0-0"], ["codex-0-service", "codex-0-nodeport"]),
        ({"firstOrdinal": 7}, ["codex-7"], ["data-codex-7-7"], ["codex-7-service", "codex-7-nodeport"]),
    ],
)
def test_objects_are_called_as_the_chart_calls_them(
    given: dict[str, Any], workloads: list[str], claims: list[str], services: list[str]
) -> None:
    planned = plan(**NODE_PORT, **given)
    assert names_of(planned, "StatefulSet") == workloads
    assert names_of(planned, "PersistentVolumeClaim") == claims
    assert names_of(planned, "Service") == services


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"replicas": 2}, ["/codex-1", "/codex-2"]),
        ({"prettify": True}, ["/codex"]),
        ({"replicas": 2, "route": {"leadingZeros": 2, "prettify": False}}, ["/codex-01-1", "/codex-02-1"]),
        ({"replicas": 2, "route": {"path": "/storage/", "nodeName": "node"}}, ["refused"]),
        ({"replicas": 2, "route": {"path": "/storage", "nodeName": "node"}}, ["/storage/node-1", "/storage/node-2"]),
        ({"firstOrdinal": 0, "route": {"prettify": False}}, ["/codex-0-0"]),
    ],
)
def test_paths_are_those_of_the_chart(given: dict[str, Any], paths: list[str]) -> None:
    route = {**INGRESS, **given.pop("route", {})}
    if paths == ["refused"]:
        assert refusals(api={"route": route}, **given)[0].startswith("api.route.path: '/storage/' is refused")
    else:
        assert plan(api={"route": route}, **given).outputs["apiPaths"] == paths


GROWN: list[dict[str, Any]] = [
    {},
    NODE_PORT,
    {"exposure": {"kind": "loadBalancer"}, "software": MARKET},
    {"exposure": {"kind": "hostPort", "bootstrapBasePort": 9000}, "bootstrap": {"kind": "own"}},
    {"software": MARKET, "keys": {"kind": "seed", "generation": 2}, "monitoring": {}},
    {"software": MARKET, "layout": "pooled", "exposure": {"kind": "loadBalancer"}},
    {"layout": "pooled", "bootstrap": {"kind": "own"}},
    {"prettifyServices": False, "firstOrdinal": 0},
    {"api": {"route": INGRESS}},
    {"api": {"route": {"kind": "httpRoute", "parents": [{"name": "edge"}]}}},
]


@pytest.mark.parametrize("given", GROWN)
def test_growing_from_one_to_three_renames_nothing(given: dict[str, Any]) -> None:
    one, three = (list(plan(replicas=replicas, **given).manifests()) for replicas in (1, 3))
    assert {identity(m) for m in one} <= {identity(m) for m in three}


@pytest.mark.parametrize("given", [given for given in GROWN if given.get("layout") != "pooled"])
def test_growing_changes_nothing_of_the_first_node(given: dict[str, Any]) -> None:
    first = f"codex-{given.get('firstOrdinal', 1)}"
    one, three = (yaml_text(node(plan(replicas=replicas, **given), first).manifests) for replicas in (1, 3))
    assert one == three


def test_a_new_generation_of_keys_is_a_new_secret() -> None:
    assert names_of(plan(software=MARKET, replicas=2), "Secret") == ["codex-1-key-g1", "codex-2-key-g1"]
    assert names_of(plan(software=MARKET, keys={"kind": "seed", "generation": 2}), "Secret") == ["codex-1-key-g2"]


def test_bootstrap_nodes_are_numbered_from_one() -> None:
    given = {"bootstrap": {"kind": "own", "nodes": 2}, "firstOrdinal": 5}
    assert names_of(plan(**given), "StatefulSet") == ["codex-bootstrap-1", "codex-bootstrap-2", "codex-5"]
    assert names_of(plan(**given), "PersistentVolumeClaim")[:2] == ["data-codex-bootstrap-1-5", "data-codex-bootstrap-2-5"]


# What peers and users address; a change here renames objects of running stacks.
def test_names_can_be_computed_by_anybody() -> None:
    assert names.node_name("codex", 1) == "codex-1"
    assert names.node_name("codex", 1, prettified=True) == "codex"
    assert names.pod_name("codex-1", 1) == "codex-1-1"
    assert names.claim_name("codex-1-1") == "data-codex-1-1"
    assert names.service_name("codex-1", "codex-1-1") == "codex-1-service"
    assert names.service_name("codex-1", "codex-1-1", prettify=False) == "codex-1-1-service"
    assert names.peer_service_name("codex-1", "codex-1-1", "nodePort") == "codex-1-nodeport"
    assert names.peer_service_name("codex-1", "codex-1-1", "loadBalancer", prettify=False) == "codex-1-1-loadbalancer"
    assert names.key_secret_name("codex-1", 2) == "codex-1-key-g2"


@pytest.mark.parametrize("name", ["1codex", "Codex", "codex_1", "", "-codex", "codex-", "codex.x", "écodex", "c" * 64])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is refused as a name: names of Services have lower-case letters"):
        plan(name)


@pytest.mark.parametrize(
    ("longest", "given"),
    [
        # What is longest is a Service that another exposure would make: <name>-<ordinal>-loadbalancer, at most 63.
        (48, {"replicas": 1}),
        (47, {"replicas": 10}),
        (46, {"replicas": 1, "prettifyServices": False}),
        (38, {"replicas": 1, "bootstrap": {"kind": "own"}}),
        # Pods of a pooled group have a Service each: <name>-<ordinal>-loadbalancer, at most 63.
        (48, {"replicas": 1, "layout": "pooled", "exposure": {"kind": "loadBalancer"}}),
        (45, {"replicas": 1000, "layout": "pooled", "exposure": {"kind": "loadBalancer"}}),
    ],
)
def test_a_name_may_be_as_long_as_its_objects_allow(longest: int, given: dict[str, Any]) -> None:
    plan("c" * longest, **given)
    with pytest.raises(ConfigError, match=r"are allowed; shorten the group's name by 1$"):
        plan("c" * (longest + 1), **given)


def test_software_without_a_file_has_the_name_that_it_was_given() -> None:
    given = {"software": {**CUSTOM, "name": "mine"}, "image": {"repository": "x", "tag": "1"}}
    assert {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in plan(**given).manifests()} == {"mine"}
