"""Rules between the sets of a stack, and what a stack is made of."""

from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.objects import identity
from nodestead.plans.stack import StackConfig, plan_stack

CODEX = {"software": {"kind": "codex", "version": "0.2.5"}}
NETWORK = {"bootstrap": {"kind": "network", "name": "testnet"}}


def stack(groups: dict[str, Any], **parts: Any) -> StackConfig:
    return parse(StackConfig, {"namespace": {"name": "storage"}, **parts, "storageNodeGroups": groups})


def problems(groups: dict[str, Any], **parts: Any) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        stack(groups, **parts)
    return refusal.value.problems


def node_port(**ports: int) -> dict[str, Any]:
    return {**CODEX, **NETWORK, "exposure": {"kind": "nodePort", "externalAddress": {"kind": "hostIP"}, **ports}}


def balanced(**addresses: str) -> dict[str, Any]:
    return {**CODEX, "bootstrap": {"kind": "none"}, "exposure": {"kind": "loadBalancer", "loadBalancerIPs": addresses}}


def market(**keys: Any) -> dict[str, Any]:
    software = {**CODEX["software"], "marketplace": {"ethProvider": {"secret": {"name": "rpc", "key": "url"}}}}
    return {**NETWORK, "software": software, "keys": {"kind": "secret", **keys}}


def test_a_port_of_two_groups_is_refused_where_their_ranges_meet() -> None:
    assert problems({"a": {**node_port(basePort=30500), "replicas": 5}, "b": node_port(basePort=30504)}) == [
        (
            "storageNodeGroups.b.exposure.basePort: TCP port 30504 of node 1 is that of node 5 of storageNodeGroups.a; ports are"
            " the whole cluster's, move one of the ranges"
        )
    ]


def test_a_port_of_two_groups_is_refused_for_udp_alone() -> None:
    (problem,) = problems(
        {
            "a": node_port(basePort=30500, discoveryBasePort=30600),
            "b": node_port(basePort=30700, discoveryBasePort=30600),
        }
    )
    assert problem.startswith("storageNodeGroups.b.exposure.discoveryBasePort: UDP port 30600")


def test_tcp_and_udp_of_one_number_are_two_ports() -> None:
    stack(
        {
            "a": node_port(basePort=30500, discoveryBasePort=30600),
            "b": node_port(basePort=30600, discoveryBasePort=30500),
        }
    )


def test_two_load_balancers_of_two_groups_on_one_address_are_refused() -> None:
    (problem,) = problems({"a": balanced(**{"1": "203.0.113.7"}), "b": balanced(**{"1": "203.0.113.7"})})
    assert problem.startswith("storageNodeGroups.b.exposure.loadBalancerIPs.1: 203.0.113.7 is that of a load balancer of")


def test_two_groups_with_the_same_keys_are_refused() -> None:
    (problem,) = problems({"a": market(name="eth"), "b": market(name="eth")})
    assert problem.startswith("storageNodeGroups.b.keys: names keys of storageNodeGroups.a: two nodes would sign")


def test_two_groups_with_keys_of_their_own_pass() -> None:
    stack({"a": market(name="eth-a"), "b": market(name="eth-b")})


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_host_ports_are_refused_where_pod_security_refuses_them(level: str) -> None:
    group = {
        **CODEX,
        "bootstrap": {"kind": "none"},
        "exposure": {"kind": "hostPort", "basePort": 8070, "externalAddress": {"kind": "hostIP"}},
    }
    (problem,) = problems({"a": group}, namespace={"name": "storage", "podSecurity": level})
    assert problem.startswith(f"namespace.podSecurity: {level} refuses the host ports of storageNodeGroups.a; set privileged")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"namespce": {"name": "x"}}, "namespce: unknown key; did you mean namespace?"),
        ({"namespace": {"name": "x", "creat": True}}, "namespace.creat: unknown key; did you mean create?"),
        ({"cluster": {"rendr": "out"}}, "cluster.rendr: unknown key; did you mean render?"),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "persistence": {"kind": "volume", "sise": "1Gi"}}}},
            "storageNodeGroups.codex.persistence.sise: unknown key; did you mean size?",
        ),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "pod": {"affinity": {"nodeAffinty": {}}}}}},
            "storageNodeGroups.codex.pod.affinity.nodeAffinty: unknown key; did you mean nodeAffinity?",
        ),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "nodes": {"1": {"disable": True}}}}},
            "storageNodeGroups.codex.nodes.1.disable: unknown key; did you mean disabled?",
        ),
    ],
)
def test_an_unknown_key_is_refused_at_any_depth(config: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(StackConfig, {"namespace": {"name": "storage"}, **config})
    assert line in refusal.value.problems


def test_refusals_of_several_groups_come_at_once() -> None:
    found = problems({"a": {**CODEX, "replicas": -1}, "b": {**CODEX, "layuot": "pooled"}, "c": {}})
    assert [line.split(":")[0] for line in found] == [
        "storageNodeGroups.a.replicas",
        "storageNodeGroups.b.layuot",
        "storageNodeGroups.c.software",
    ]


def test_two_groups_whose_objects_would_share_a_name_are_refused() -> None:
    config = stack({"codex": {**CODEX, "prettifyServices": False}, "codex-1": {**CODEX, "replicas": 1, "prettify": True}})
    with pytest.raises(ConfigError) as refusal:
        plan_stack(config)
    assert "storageNodeGroups: two sets make StatefulSet codex-1; rename one of them" in refusal.value.problems


def test_a_namespace_is_made_first_and_kept() -> None:
    first = next(plan_stack(stack({"codex": CODEX})).manifests())
    assert identity(first) == ("", "Namespace", "", "storage")
    assert first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert first["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"


def test_a_given_namespace_is_not_made() -> None:
    plan = plan_stack(stack({"codex": CODEX}, namespace={"name": "storage", "create": False}))
    assert [m["kind"] for m in plan.manifests() if m["kind"] == "Namespace"] == []


def test_a_stack_without_sets_is_a_namespace() -> None:
    assert [identity(m) for m in plan_stack(stack({})).manifests()] == [("", "Namespace", "", "storage")]
