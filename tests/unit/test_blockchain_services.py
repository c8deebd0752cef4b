"""How a node of a set is reached: Services, the address that it announces, who may come in."""

from typing import Any

import pytest
from chains import COMET, COSMOS, container, deployed, deployed_json, env, find, names, node_json, plan, pod
from set_objects import BALANCER, IDS, NODE_PORT, SELECTOR

# ---- Services


def test_a_node_is_dialled_by_an_address_of_its_own_before_it_is_ready() -> None:
    assert find(plan(), "Service", "hub-0-p2p")["spec"] == {
        "type": "ClusterIP",
        "selector": {**SELECTOR, "nodestead.io/node": "hub-0"},
        "ports": [
            {"name": "p2p", "port": 26656, "protocol": "TCP", "targetPort": "p2p"},
            {"name": "rpc", "port": 26657, "protocol": "TCP", "targetPort": "rpc"},
        ],
        "publishNotReadyAddresses": True,
    }


def test_a_signer_reaches_its_sentry_before_that_is_ready() -> None:
    assert find(plan(type="sentry", ports={"privval": 1235}), "Service", "hub-0-privval")["spec"] == {
        "type": "ClusterIP",
        "selector": {**SELECTOR, "nodestead.io/node": "hub-0"},
        "ports": [{"name": "privval", "port": 1235, "protocol": "TCP", "targetPort": "privval"}],
        "publishNotReadyAddresses": True,
    }


@pytest.mark.parametrize(
    ("given", "ports"),
    [
        ({}, {"rpc": 26657, "api": 1317, "grpc": 9090, "grpc-web": 9091}),
        ({"software": COMET}, {"rpc": 26657}),
        (
            {"software": {**COSMOS, "app": {"api": {"enabled": False}, "grpcWeb": {"enabled": False}}}},
            {"rpc": 26657, "grpc": 9090},
        ),
        (
            {"ports": {"rpc": 80_80}, "container": {"ports": [{"name": "evm", "port": 8545}]}},
            {"rpc": 8080, "api": 1317, "grpc": 9090, "grpc-web": 9091, "evm": 8545},
        ),
        (
            {"container": {"ports": [{"name": "evm", "port": 8545, "service": False}]}},
            {"rpc": 26657, "api": 1317, "grpc": 9090, "grpc-web": 9091},
        ),
    ],
)
def test_the_sets_service_has_what_the_nodes_serve(given: dict[str, Any], ports: dict[str, int]) -> None:
    spec = find(plan(**given), "Service", "hub-rpc")["spec"]
    assert {port["name"]: port["port"] for port in spec["ports"]} == ports
    assert all(port["targetPort"] == port["name"] for port in spec["ports"])
    assert "publishNotReadyAddresses" not in spec


def test_a_node_port_leads_to_the_port_that_the_node_listens_on() -> None:
    service = find(plan(replicas=2, exposure={**NODE_PORT, "basePort": 31000, "offset": 5}), "Service", "hub-1-nodeport")
    assert service["spec"] == {
        "type": "NodePort",
        "selector": {**SELECTOR, "nodestead.io/node": "hub-1"},
        "ports": [{"name": "p2p", "port": 26656, "protocol": "TCP", "targetPort": "p2p", "nodePort": 31005}],
        "externalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
    }


def test_a_load_balancer_is_asked_for_what_is_said() -> None:
    exposure = {**BALANCER, "loadBalancerIPs": {"0": "203.0.113.7"}, "loadBalancerClass": "x/y", "sourceRanges": ["10.0.0.0/8"]}
    service = find(plan(exposure=exposure), "Service", "hub-0-loadbalancer")
    assert service["spec"] == {
        "type": "LoadBalancer",
        "selector": {**SELECTOR, "nodestead.io/node": "hub-0"},
        "ports": [{"name": "p2p", "port": 26656, "protocol": "TCP", "targetPort": "p2p"}],
        "externalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
        "loadBalancerIP": "203.0.113.7",
        "loadBalancerClass": "x/y",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
    }
    assert service["metadata"]["annotations"] == {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}


def test_only_the_first_nodes_are_exposed_where_that_is_said() -> None:
    planned = plan(replicas=3, exposure={**BALANCER, "first": 2})
    assert [name for name in names(planned, "Service") if "balancer" in name] == ["hub-0-loadbalancer", "hub-1-loadbalancer"]
    assert [node_json(planned, f"hub-{n}")["address"]["from"] for n in range(3)] == ["fixed", "fixed", "none"]


def test_ports_of_hosts_are_on_the_host_and_say_why_pod_security_refuses_them() -> None:
    planned = plan(replicas=2, exposure={"kind": "hostPort", "basePort": 26656, "first": 1})
    ports = [{port["name"]: port for port in container(planned, node=f"hub-{n}")["ports"]}["p2p"] for n in (0, 1)]
    assert ports == [
        {"name": "p2p", "containerPort": 26656, "hostPort": 26656, "protocol": "TCP"},
        {"name": "p2p", "containerPort": 26656, "protocol": "TCP"},
    ]
    reasons = [find(planned, "StatefulSet", f"hub-{n}")["metadata"].get("annotations", {}) for n in (0, 1)]
    assert [list(one) for one in reasons] == [["nodestead.io/pod-security"], []]


# ---- what a node announces


@pytest.mark.parametrize(
    ("given", "address", "announced"),
    [
        ({}, {"from": "none"}, ""),
        ({"exposure": NODE_PORT}, {"from": "node", "port": 30656}, f"{IDS[0]}@<node>:30656"),
        (
            {"exposure": {**NODE_PORT, "externalAddress": {"kind": "hostIP"}}},
            {"from": "host", "port": 30656},
            f"{IDS[0]}@<host>:30656",
        ),
        ({"exposure": {"kind": "hostPort", "basePort": 26656}}, {"from": "node", "port": 26656}, f"{IDS[0]}@<node>:26656"),
        (
            {"exposure": {**NODE_PORT, "externalAddress": {"kind": "lookup", "url": "https://ip.example.org"}}},
            {"from": "lookup", "url": "https://ip.example.org", "port": 30656},
            f"{IDS[0]}@<lookup>:30656",
        ),
        (
            {"exposure": {**NODE_PORT, "externalAddress": {"kind": "fixed", "addresses": {"0": "node.example.org"}}}},
            {"from": "fixed", "host": "node.example.org", "port": 30656},
            f"{IDS[0]}@node.example.org:30656",
        ),
        (
            {"exposure": NODE_PORT, "nodes": {"0": {"externalAddress": "2001:db8::7"}}},
            {"from": "fixed", "host": "2001:db8::7", "port": 30656},
            f"{IDS[0]}@[2001:db8::7]:30656",
        ),
        ({"exposure": BALANCER}, {"from": "fixed", "host": "203.0.113.7", "port": 26656}, f"{IDS[0]}@203.0.113.7:26656"),
        (
            {"exposure": BALANCER, "ports": {"p2p": 26600}},
            {"from": "fixed", "host": "203.0.113.7", "port": 26600},
            f"{IDS[0]}@203.0.113.7:26600",
        ),
        (
            {"exposure": BALANCER, "nodes": {"0": {"externalAddress": "node.example.org"}}},
            {"from": "fixed", "host": "node.example.org", "port": 26656},
            f"{IDS[0]}@node.example.org:26656",
        ),
        ({"exposure": BALANCER, "nodes": {"0": {"disabled": "all"}}}, {"from": "none"}, ""),
    ],
)
def test_a_node_announces_where_peers_outside_dial_it(given: dict[str, Any], address: dict[str, Any], announced: str) -> None:
    planned, served = plan(**given), {"hub_0_loadbalancer": [{"ip": "203.0.113.7"}]}
    assert deployed_json(planned, **served)["address"] == address
    (node,) = planned.nodes()
    assert deployed(node.outputs["announced"], **served) == announced
    known = [announced] * (address["from"] == "fixed")
    assert deployed(planned.outputs["publicPeers"], **served) == known, "nobody dials an address that only a pod knows"


def test_a_load_balancer_with_a_host_name_is_announced_by_it_and_one_without_address_says_what_to_do() -> None:
    planned = plan(exposure=BALANCER)
    assert deployed_json(planned, hub_0_loadbalancer=[{"hostname": "lb.example.org"}])["address"]["host"] == "lb.example.org"
    with pytest.raises(ValueError, match="hub-0-loadbalancer: its load balancer has no address yet; run the update again"):
        deployed_json(planned, hub_0_loadbalancer=[])


@pytest.mark.parametrize(("kind", "name"), [("hostIP", "HOST_IP"), ("nodeExternalIP", "NODE_NAME")])
def test_the_preparation_gets_what_it_needs_to_find_the_address(kind: str, name: str) -> None:
    planned = plan(exposure={**NODE_PORT, "externalAddress": {"kind": kind}})
    paths = {"HOST_IP": "status.hostIP", "NODE_NAME": "spec.nodeName"}
    assert env(planned, "prepare")[name] == {"fieldRef": {"fieldPath": paths[name]}}
    mounts = [mount["name"] for mount in container(planned, "prepare")["volumeMounts"]]
    assert ("kube-api" in mounts) == ("kube-api" in [v["name"] for v in pod(planned)["volumes"]]) == (kind == "nodeExternalIP")
    assert pod(planned)["automountServiceAccountToken"] is False


def test_rules_to_ask_for_a_host_allow_that_and_no_more() -> None:
    rules = find(plan(exposure=NODE_PORT), "ClusterRole", "ns-hub")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]


def test_outside_ports_for_the_firewall_are_those_of_running_exposed_nodes() -> None:
    given = {"replicas": 3, "exposure": {**NODE_PORT, "first": 2}}
    assert plan(**given).outputs["firewallPorts"] == ["tcp/30656", "tcp/30657"]
    assert plan(**given, nodes={"1": {"disabled": "all"}}).outputs["firewallPorts"] == ["tcp/30656"]
    assert plan().outputs["firewallPorts"] == []


# ---- network


def ingress(**given: Any) -> list[tuple[list[Any] | None, list[int]]]:
    """Who may come to which ports."""
    rules = find(plan(**given), "NetworkPolicy", "hub")["spec"]["ingress"]
    return [
        (rule.get("from"), [n for port in rule["ports"] for n in range(port["port"], port.get("endPort", port["port"]) + 1)])
        for rule in rules
    ]


def test_peers_may_come_from_everywhere_and_nobody_but_the_set_to_its_api() -> None:
    (peers, api) = ingress()
    assert peers == (None, [26656])
    assert api == (
        [
            {"podSelector": {"matchLabels": SELECTOR}},
            {"podSelector": {"matchLabels": {"nodestead.io/api-client": "true"}}},
        ],
        [1317, 9090, 9091, 26657],
    )


@pytest.mark.parametrize(
    ("from_", "expected"),
    [
        ([], [{"podSelector": {"matchLabels": {"nodestead.io/signer": "true"}}}]),
        ([{"ipBlock": {"cidr": "192.0.2.7/32"}}], [{"ipBlock": {"cidr": "192.0.2.7/32"}}]),
    ],
)
def test_a_signer_comes_from_where_it_is_said(from_: list[Any], expected: list[Any]) -> None:
    found = ingress(type="sentry", signer={"kind": "remote", "from": from_})
    assert (expected, [1234]) in found
    assert [ports for _, ports in ingress() if 1234 in ports] == []


def test_what_a_public_service_leads_to_is_open() -> None:
    service = {"type": "LoadBalancer", "allowPublic": True}
    planned = find(plan(rpcService=service), "Service", "hub-rpc")["spec"]
    opened = {port for allowed, ports in ingress(rpcService=service) for port in ports if allowed is None}
    assert {port["port"] for port in planned["ports"]} <= opened
