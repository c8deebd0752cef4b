"""The address that is announced is the one that peers must dial, on one port number from the node to the world."""

from typing import Any

import pytest
from groups import CODEX, CUSTOM, LOGOS, container, env, find, names, node, plan, pod, refusals

from nodestead.config.base import parse
from nodestead.config.exposure import (
    ClusterExposure,
    HostPortExposure,
    LoadBalancerExposure,
    NodePortExposure,
    node_ports,
    port_range,
)
from nodestead.kubernetes.objects import Address, Late
from nodestead.plans.storage_args import StorageNodeGroupArgs

HOST_IP = {"kind": "hostIP"}
NODE_IP = {"kind": "nodeExternalIP"}
UDP_8090 = {"ports": [{"name": "a", "port": 8090, "protocol": "UDP"}]}
V6 = "'2001:db8::7' is an IPv6 address, and the nodes listen on IPv4 only; give an IPv4 address"
LOOKUP = {"kind": "lookup", "url": "https://ip.example.org"}


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no plan may wait for a value of another resource")


def exposed(kind: str, **given: Any) -> dict[str, Any]:
    return {"kind": kind, **given}


def fixed(**addresses: Any) -> dict[str, Any]:
    return {"kind": "fixed", "addresses": addresses}


# ---- ports


@pytest.mark.parametrize(
    ("exposure", "index", "bootstrap", "ports"),
    [
        (ClusterExposure(), 0, False, (8070, 8090)),
        (ClusterExposure(), 7, False, (8070, 8090)),
        (ClusterExposure(port=1, discovery_port=2), 7, True, (1, 2)),
        (LoadBalancerExposure(kind="loadBalancer"), 3, False, (8070, 8090)),
        (NodePortExposure(kind="nodePort"), 0, False, (30510, 30510)),
        (NodePortExposure(kind="nodePort"), 9, False, (30519, 30519)),
        (NodePortExposure(kind="nodePort", offset=10), 2, False, (30530, 30530)),
        # One offset for both: with two of them a node listened on one port and was served on another.
        (NodePortExposure(kind="nodePort", base_port=30600, discovery_base_port=30700, offset=5), 2, False, (30610, 30710)),
        (NodePortExposure(kind="nodePort", bootstrap_base_port=30900), 1, True, (30901, 30901)),
        (NodePortExposure(kind="nodePort", bootstrap_base_port=30900), 1, False, (30511, 30511)),
        (HostPortExposure(kind="hostPort", base_port=8070, offset=2), 3, False, (8076, 8076)),
    ],
)
def test_a_node_has_these_ports(exposure: Any, index: int, bootstrap: bool, ports: tuple[int, int]) -> None:
    assert node_ports(exposure, index, bootstrap=bootstrap) == ports


def test_a_range_of_node_ports_includes_both_of_its_ends() -> None:
    ports = port_range(NodePortExposure(kind="nodePort", port_range="30000-30002"))
    assert list(ports) == [30000, 30001, 30002]


@pytest.mark.parametrize("text", ["", "30000", "30000-", "3-2", "0-5", "1-65536", "a-b", "30000 - 30010", "1-2-3"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    assert refusals(exposure=exposed("nodePort", portRange=text)) == [
        f"exposure.portRange: {text!r} is not a range of ports; write it as 30000-32767"
    ]


@pytest.mark.parametrize(
    ("replicas", "given", "problem"),
    [
        (1, {"basePort": 29999}, "exposure.basePort: 29999 is below 30000, the first nodePort; raise basePort to at least 30000"),
        (
            10,
            {"basePort": 32760},
            "exposure.basePort: 32760 + 9 x 1 passes 32767, the last nodePort; lower basePort to at most 32758",
        ),
        (
            10,
            {"basePort": 32760, "offset": 10},
            "exposure.basePort: 32760 + 9 x 10 passes 32767, the last nodePort; lower basePort to at most 32677",
        ),
        (
            2768,
            {"basePort": 30000, "offset": 2},
            "exposure.basePort: 30000 + 2767 x 2 passes 32767, the last nodePort; use fewer nodes, or a smaller offset",
        ),
        (
            1,
            {"discoveryBasePort": 32768},
            "exposure.discoveryBasePort: 32768 + 0 x 1 passes 32767, the last nodePort; lower discoveryBasePort to at most 32767",
        ),
        (
            1,
            {"bootstrapBasePort": 100},
            "exposure.bootstrapBasePort: 100 is below 30000, the first nodePort; raise bootstrapBasePort to at least 30000",
        ),
        (2, {"portRange": "31000-31000", "basePort": 31000}, "exposure.basePort: 31000 + 1 x 1 passes 31000, the last nodePort;"),
    ],
)
def test_a_node_port_outside_the_range_is_refused(replicas: int, given: dict[str, Any], problem: str) -> None:
    assert any(line.startswith(problem) for line in refusals(replicas=replicas, exposure=exposed("nodePort", **given)))


@pytest.mark.parametrize(
    ("replicas", "given"),
    [
        (2768, {"basePort": 30000}),
        (1, {"basePort": 32767}),
        (3, {"portRange": "8000-8002", "basePort": 8000}),
        (0, {"basePort": 32767}),
    ],
)
def test_a_range_may_be_used_to_its_end(replicas: int, given: dict[str, Any]) -> None:
    plan(replicas=replicas, exposure=exposed("nodePort", **given), ports={"api": 2001, "metrics": 2002})


def test_ports_of_hosts_may_be_any_and_end_at_65535() -> None:
    plan(replicas=2, exposure=exposed("hostPort", basePort=65534))
    (problem,) = refusals(replicas=3, exposure=exposed("hostPort", basePort=65534))
    assert problem == "exposure.basePort: 65534 + 2 x 1 passes 65535, the last port; lower basePort to at most 65533"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"replicas": 5, "exposure": {"kind": "nodePort", "bootstrapBasePort": 30513}, "bootstrap": {"kind": "own"}},
            "exposure: TCP port 30513 is that of node 4 and of node bootstrap-1; move one of the base ports",
        ),
        (
            {"exposure": {"kind": "hostPort", "basePort": 8080}},
            "exposure.basePort: TCP port 8080 of node 1 is that of api in the same pod; move one of them",
        ),
        (
            {"replicas": 9, "exposure": {"kind": "hostPort", "basePort": 8000}},
            "exposure.basePort: TCP port 8008 of node 9 is that of metrics in the same pod; move one of them",
        ),
        (
            {
                "exposure": {"kind": "hostPort", "basePort": 1},
                "container": {"ports": [{"name": "a", "port": 1, "protocol": "UDP"}]},
            },
            "exposure.basePort: UDP port 1 of node 1 is that of container.ports.a in the same pod; move one of them",
        ),
        (
            {"exposure": {"kind": "cluster", "port": 8080}},
            "ports: TCP port 8080 is taken twice in one pod, by api and peers; give one of them another port",
        ),
        (
            {"exposure": {"kind": "cluster"}, "container": UDP_8090},
            "ports: UDP port 8090 is taken twice in one pod, by container.ports.a and discovery; give one of them another port",
        ),
        (
            {"exposure": {"kind": "nodePort"}, "bootstrap": {"kind": "own"}},
            "exposure.bootstrapBasePort: is required with a bootstrap node of the group's own: public peers dial it too;",
        ),
    ],
)
def test_one_port_for_two_things_is_refused(given: dict[str, Any], problem: str) -> None:
    assert refusals(**given)[0].startswith(problem)


@pytest.mark.parametrize(
    "given",
    [
        {"exposure": {"kind": "cluster", "port": 9000, "discoveryPort": 9000}},
        {"exposure": {"kind": "cluster", "discoveryPort": 8080}},
        {
            "exposure": {"kind": "loadBalancer"},
            "software": LOGOS,
            "container": {"ports": [{"name": "a", "port": 8090, "protocol": "UDP"}]},
        },
        {"replicas": 5, "exposure": {"kind": "nodePort", "basePort": 30510, "discoveryBasePort": 30512}},
    ],
)
def test_one_number_may_be_a_tcp_and_a_udp_port(given: dict[str, Any]) -> None:
    plan(**given)


# ---- what is announced


PUBLIC: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("cluster", {}, {"ADDRESS_FROM": "pod", "POD_IP": {"fieldRef": {"fieldPath": "status.podIP"}}}, "<pod address>"),
    ("nodePort", {}, {"ADDRESS_FROM": "node", "NODE_NAME": {"fieldRef": {"fieldPath": "spec.nodeName"}}}, "<nodeExternalIP>"),
    ("hostPort", HOST_IP, {"ADDRESS_FROM": "host", "HOST_IP": {"fieldRef": {"fieldPath": "status.hostIP"}}}, "<hostIP>"),
    ("nodePort", LOOKUP, {"ADDRESS_FROM": "lookup", "ADDRESS_URL": "https://ip.example.org"}, "<lookup>"),
    ("loadBalancer", LOOKUP, {"ADDRESS_FROM": "lookup", "ADDRESS_URL": "https://ip.example.org"}, "<lookup>"),
    ("nodePort", fixed(**{"1": "203.0.113.7"}), {"ADDRESS_FROM": "fixed", "ADDRESS": "203.0.113.7"}, "203.0.113.7"),
]


@pytest.mark.parametrize(("kind", "source", "asked", "announced"), PUBLIC)
def test_the_address_comes_from_where_it_was_said(
    kind: str, source: dict[str, Any], asked: dict[str, Any], announced: str
) -> None:
    planned = plan(exposure=exposed(kind, **({"externalAddress": source} if source else {})))
    found = env(planned, called="prepare")
    assert {
        name: value for name, value in found.items() if "ADDRESS" in name or name in ("POD_IP", "NODE_NAME", "HOST_IP")
    } == asked
    port = {"cluster": 8070, "loadBalancer": 8070}.get(kind, 30510)
    family = "ip6" if ":" in announced else "ip4"
    assert node(planned).outputs["announced"] == f"/{family}/{announced}/tcp/{port}"


def test_the_address_of_a_load_balancer_is_announced_when_it_is_there() -> None:
    planned = plan(exposure=exposed("loadBalancer", port=9000))
    address = env(planned, called="prepare")["ADDRESS"]
    assert isinstance(address, Late)
    assert address.refs == (Address("codex-1-loadbalancer"),)
    assert address.make([{"hostname": "a.example.org"}, {"ip": "203.0.113.7"}]) == "203.0.113.7"
    announced = node(planned).outputs["announced"]
    assert announced.make([{"ip": "2001:db8::7"}]) == "/ip6/2001:db8::7/tcp/9000"
    assert announced.stand_in == "/ip4/(address of codex-1-loadbalancer)/tcp/9000"


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        ([{"hostname": "a.elb.example.org"}], "its load balancer has the host name a.elb.example.org and no IP address"),
        ([], "its load balancer has no address yet; run the update again when it has one"),
        (None, "its load balancer has no address yet"),
    ],
)
def test_a_load_balancer_without_an_address_ends_the_update(served: Any, reason: str) -> None:
    address = env(plan(exposure=exposed("loadBalancer")), called="prepare")["ADDRESS"]
    with pytest.raises(ValueError, match=reason):
        address.make(served)


def test_a_node_may_have_an_address_of_its_own() -> None:
    override = {"2": {"externalAddress": "203.0.113.9"}}
    planned = plan(replicas=2, exposure=exposed("nodePort"), nodes=override)
    assert env(planned, "codex-1", "prepare")["ADDRESS_FROM"] == "node"
    assert env(planned, "codex-2", "prepare")["ADDRESS"] == "203.0.113.9"
    assert node(planned, "codex-2").outputs["announced"] == "/ip4/203.0.113.9/tcp/30511"


def test_bootstrap_nodes_have_addresses_by_name() -> None:
    addresses = fixed(**{"1": "203.0.113.1", "bootstrap-1": "203.0.113.2"})
    given = {"bootstrap": {"kind": "own"}, "exposure": exposed("hostPort", bootstrapBasePort=9000, externalAddress=addresses)}
    planned = plan(**given)
    assert env(planned, "codex-bootstrap-1", "prepare")["ADDRESS"] == "203.0.113.2"
    assert node(planned, "codex-bootstrap-1").outputs["announced"] == "/ip4/203.0.113.2/tcp/9000"


def test_an_address_of_another_resource_is_handed_on() -> None:
    later = Later()
    planned = plan(exposure=exposed("nodePort", externalAddress=fixed(**{"1": later})))
    assert env(planned, called="prepare")["ADDRESS"] is later
    announced = node(planned).outputs["announced"]
    assert announced.make("203.0.113.7") == "/ip4/203.0.113.7/tcp/30510"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"replicas": 2, "exposure": {"kind": "nodePort", "externalAddress": fixed(**{"1": "203.0.113.1"})}},
            "exposure.externalAddress.addresses: node 2 has no address; add it, peers could not dial it",
        ),
        (
            {"exposure": {"kind": "nodePort", "externalAddress": fixed(**{"1": "203.0.113.1", "2": "203.0.113.2"})}},
            "exposure.externalAddress.addresses.2: there is no such node, only 1; name that, or leave it out",
        ),
        (
            {"nodes": {"1": {"externalAddress": "203.0.113.1"}}},
            "nodes.1.externalAddress: a private node announces its pod's address; set exposure, or leave it out",
        ),
        (
            {
                "bootstrap": {"kind": "own"},
                "exposure": {"kind": "hostPort", "bootstrapBasePort": 9000, "externalAddress": fixed(**{"1": "203.0.113.1"})},
            },
            "exposure.externalAddress.addresses: node bootstrap-1 has no address; add it, peers could not dial it",
        ),
        (
            {
                "replicas": 2,
                "exposure": exposed("loadBalancer", externalAddress=fixed(**{"1": "203.0.113.1", "2": "203.0.113.1"})),
            },
            "exposure.externalAddress.addresses.2: 203.0.113.1 is that of node 1 already; give each load balancer its own",
        ),
        (
            {"exposure": exposed("hostPort", externalAddress=fixed(**{"1": "2001:db8::7"}))},
            f"exposure.externalAddress.addresses.1: {V6}",
        ),
        ({"exposure": exposed("loadBalancer", loadBalancerIPs={"1": "2001:db8::7"})}, f"exposure.loadBalancerIPs.1: {V6}"),
        ({"exposure": exposed("nodePort"), "nodes": {"1": {"externalAddress": "2001:db8::7"}}}, f"nodes.1.externalAddress: {V6}"),
    ],
)
def test_each_node_has_one_address(given: dict[str, Any], problem: str) -> None:
    assert refusals(**given) == [problem]


def test_a_missing_address_may_stand_with_the_node() -> None:
    plan(
        replicas=2,
        exposure=exposed("nodePort", externalAddress=fixed(**{"1": "203.0.113.1"})),
        nodes={"2": {"externalAddress": "203.0.113.2"}},
    )


def test_a_custom_software_has_to_say_how_it_announces() -> None:
    image = {"repository": "x", "tag": "1"}
    assert refusals(software=CUSTOM, image=image, exposure=exposed("nodePort")) == [
        "software.natArg: is required for public nodes: they must announce the address that peers dial; add it"
    ]
    planned = plan(software={**CUSTOM, "natArg": "--ip={address}"}, image=image, exposure=exposed("nodePort"))
    assert env(planned, called="prepare")["NAT_ARG"] == "--ip={address}"


# ---- rights: only pods that ask the API server for their host's address may, and only that


@pytest.mark.parametrize(
    ("exposure", "asks"),
    [
        (exposed("cluster"), False),
        (exposed("nodePort"), True),
        (exposed("hostPort"), True),
        (exposed("nodePort", externalAddress=HOST_IP), False),
        (exposed("nodePort", externalAddress=LOOKUP), False),
        (exposed("loadBalancer"), False),
    ],
)
def test_only_who_asks_for_addresses_of_hosts_may_read_hosts(exposure: dict[str, Any], asks: bool) -> None:
    planned = plan(exposure=exposure)
    rules = [one["rules"] for one in planned.manifests() if one["kind"] == "ClusterRole"]
    assert rules == ([[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]] if asks else [])
    mounts = {mount["name"] for mount in container(planned, called="prepare")["volumeMounts"]}
    assert ("kube-api" in mounts) == ("kube-api" in {volume["name"] for volume in pod(planned)["volumes"]}) == asks
    assert "kube-api" not in {mount["name"] for mount in container(planned)["volumeMounts"]}
    assert pod(planned)["automountServiceAccountToken"] is False


# ---- Services for peers


def test_a_private_node_has_no_service_for_peers() -> None:
    assert names(plan(exposure=exposed("cluster")), "Service") == ["codex-1-service"]
    assert names(plan(exposure=exposed("hostPort")), "Service") == ["codex-1-service"]


def test_a_node_port_is_the_port_that_the_node_listens_on() -> None:
    given = {"basePort": 30600, "discoveryBasePort": 30700, "offset": 10, "annotations": {"note": "a"}}
    service = find(plan(replicas=2, exposure=exposed("nodePort", **given)), "Service", "codex-2-nodeport")
    assert service["metadata"]["annotations"] == {"note": "a", "pulumi.com/skipAwait": "true"}
    assert service["spec"] == {
        "type": "NodePort",
        "selector": {
            "app.kubernetes.io/instance": "codex",
            "app.kubernetes.io/part-of": "nodestead",
            "nodestead.io/set": "storage-node-group",
            "nodestead.io/node": "codex-2",
        },
        "ports": [
            {"name": "p2p", "port": 30610, "protocol": "TCP", "targetPort": "p2p", "nodePort": 30610},
            {"name": "discovery", "port": 30710, "protocol": "UDP", "targetPort": "discovery", "nodePort": 30710},
        ],
        "externalTrafficPolicy": "Local",
        "publishNotReadyAddresses": True,
    }


def test_a_load_balancer_has_what_was_asked_for() -> None:
    given = {
        "port": 9000,
        "discoveryPort": 9001,
        "loadBalancerIPs": {1: "203.0.113.7"},
        "loadBalancerClass": "service.k8s.aws/nlb",
        "sourceRanges": ["10.0.0.0/8"],
        "annotations": {"note": "a"},
        "externalTrafficPolicy": "Cluster",
    }
    service = find(plan(exposure=exposed("loadBalancer", **given)), "Service", "codex-1-loadbalancer")
    # Its address is waited for, as pods of others need it; its endpoints are not.
    waits = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
    assert service["metadata"]["annotations"] == {"note": "a", **waits}
    spec = service["spec"]
    assert spec.pop("selector")["nodestead.io/node"] == "codex-1"
    assert spec == {
        "type": "LoadBalancer",
        "ports": [
            {"name": "p2p", "port": 9000, "protocol": "TCP", "targetPort": "p2p"},
            {"name": "discovery", "port": 9001, "protocol": "UDP", "targetPort": "discovery"},
        ],
        "externalTrafficPolicy": "Cluster",
        "publishNotReadyAddresses": True,
        "loadBalancerIP": "203.0.113.7",
        "loadBalancerClass": "service.k8s.aws/nlb",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
    }


def test_a_load_balancer_asks_for_no_more_by_default() -> None:
    spec = find(plan(exposure=exposed("loadBalancer")), "Service", "codex-1-loadbalancer")["spec"]
    assert {"loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges"}.isdisjoint(spec)


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [
        (
            {"1": "203.0.113.1", "2": "203.0.113.1"},
            "exposure.loadBalancerIPs.2: 203.0.113.1 is that of node 1 already; give each",
        ),
        (
            {"3": "203.0.113.1"},
            "exposure.loadBalancerIPs.3: there is no such node among 1 to 2; name one of these, or leave it out",
        ),
        ({"bootstrap-1": "203.0.113.1"}, "exposure.loadBalancerIPs.bootstrap-1: there is no such node"),
        ({"1": "a.example.org"}, "exposure.loadBalancerIPs.1: 'a.example.org' is not an IP address"),
    ],
)
def test_an_address_is_asked_for_once_and_for_a_node_that_is_there(addresses: dict[str, str], problem: str) -> None:
    assert refusals(replicas=2, exposure=exposed("loadBalancer", loadBalancerIPs=addresses))[0].startswith(problem)


def test_ports_of_hosts_are_the_ports_that_the_node_listens_on() -> None:
    planned = plan(exposure=exposed("hostPort", basePort=9000, discoveryBasePort=9001))
    ports = {port["name"]: (port["containerPort"], port.get("hostPort")) for port in container(planned)["ports"]}
    assert ports == {"api": (8080, None), "metrics": (8008, None), "p2p": (9000, 9000), "discovery": (9001, 9001)}
    assert env(planned)["CODEX_LISTEN_ADDRS"] == "/ip4/0.0.0.0/tcp/9000"
    assert env(planned)["CODEX_DISC_PORT"] == "9001"


def test_pods_with_ports_of_hosts_say_why_they_are_privileged() -> None:
    workload = find(plan(exposure=exposed("hostPort")), "StatefulSet", "codex-1")
    assert workload["metadata"]["annotations"] == {
        "nodestead.io/pod-security": "privileged: ports of the host, which baseline and restricted refuse"
    }
    assert "annotations" not in find(plan(), "StatefulSet", "codex-1")["metadata"]


@pytest.mark.parametrize(
    ("given", "ports"),
    [
        ({}, []),
        ({"replicas": 2, "exposure": {"kind": "nodePort"}}, ["tcp/30510", "udp/30510", "tcp/30511", "udp/30511"]),
        ({"replicas": 2, "exposure": {"kind": "loadBalancer"}}, ["tcp/8070", "udp/8090"]),
        ({"replicas": 0, "exposure": {"kind": "loadBalancer"}}, []),
        (
            {"exposure": {"kind": "hostPort", "basePort": 9000, "bootstrapBasePort": 9100}, "bootstrap": {"kind": "own"}},
            ["tcp/9000", "udp/9000", "tcp/9100", "udp/9100"],
        ),
        ({"software": LOGOS, "exposure": {"kind": "nodePort"}}, ["tcp/30510"]),
    ],
)
def test_an_output_lists_what_a_firewall_must_open(given: dict[str, Any], ports: list[str]) -> None:
    assert plan(**given).outputs["firewallPorts"] == ports


def test_nodes_are_private_by_default() -> None:
    assert parse(StorageNodeGroupArgs, {"software": CODEX}).exposure == ClusterExposure(port=8070, discovery_port=8090)
