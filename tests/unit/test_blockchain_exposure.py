"""Where peers outside dial the nodes of a set: what breaks a rule, and what is said of that."""

import pytest
from chains import args, refusals
from set_cases import FIXED, NODE_PORT, Given, balanced, broken

from nodestead.plans.blockchain_exposure import taken_ports

EXPOSURE: list[tuple[Given, list[str]]] = [
    (
        {"exposure": {**NODE_PORT, "basePort": 29999}},
        ["exposure.basePort: 29999 is below 30000, the first nodePort; raise basePort to at least 30000"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32767}},
        [
            (
                "exposure.basePort: 32767 + 1 x 1 passes 32767, the last nodePort; lower basePort to at most 32766, or expose"
                " fewer nodes"
            )
        ],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32700, "offset": 100}},
        [
            (
                "exposure.basePort: 32700 + 1 x 100 passes 32767, the last nodePort; lower basePort to at most 32667, or"
                " expose fewer nodes"
            )
        ],
    ),
    (
        {"replicas": 9, "exposure": {**NODE_PORT, "basePort": 30000, "offset": 1000}},
        ["exposure.basePort: 30000 + 8 x 1000 passes 32767, the last nodePort; expose fewer nodes"],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "30000"}},
        ["exposure.portRange: '30000' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "32767-30000"}},
        ["exposure.portRange: '32767-30000' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "30000-65536"}},
        ["exposure.portRange: '30000-65536' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "hostPort", "basePort": 65535}},
        [
            (
                "exposure.basePort: 65535 + 1 x 1 passes 65535, the last port; lower basePort to at most 65534, or expose"
                " fewer nodes"
            )
        ],
    ),
    (
        {"exposure": {"kind": "loadBalancer", "loadBalancerIPs": {"1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "loadBalancer", "first": 1, "loadBalancerIPs": {"1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "loadBalancer", "loadBalancerIPs": {"0": "203.0.113.7", "1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: 203.0.113.7 is that of node 0 already; give each load balancer its own"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED}},
        ["exposure.externalAddress.addresses: node 1 has no address; add it, peers could not dial it"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "first": 0, "externalAddress": FIXED}},
        ["exposure.externalAddress.addresses.0: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": balanced("203.0.113.7", "203.0.113.7")},
        ["exposure.externalAddress.addresses.1: 203.0.113.7 is that of node 0 already; give each load balancer its own"],
    ),
    (
        {
            "replicas": 2,
            "exposure": balanced("node.example.org", "203.0.113.7"),
            "nodes": {"1": {"externalAddress": "node.example.org"}},
        },
        ["nodes.1.externalAddress: node.example.org is that of node 0 already; give each load balancer its own"],
    ),
]


@broken("exposure", EXPOSURE)
def test_ports_and_addresses_outside_are_those_of_exposed_nodes_and_in_range(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


# ---- what a set takes that no other may have


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, []),
        ({"exposure": {"kind": "loadBalancer"}}, []),
        ({"replicas": 2, "exposure": {**NODE_PORT, "offset": 5}}, [30656, 30661]),
        ({"replicas": 2, "firstOrdinal": 4, "exposure": {"kind": "hostPort", "basePort": 26656}}, [26656, 26657]),
        ({"replicas": 3, "exposure": {**NODE_PORT, "first": 1}}, [30656]),
    ],
)
def test_ports_of_hosts_are_those_of_exposed_nodes(given: Given, taken: list[int]) -> None:
    first = given.get("firstOrdinal", 0)
    expected = [("TCP", port, str(first + index), "basePort") for index, port in enumerate(taken)]
    assert list(taken_ports(args(**given))) == expected
