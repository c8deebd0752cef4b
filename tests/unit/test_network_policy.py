"""Which connections reach the pods of a set, and which do not."""

from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.config.network import NetworkPolicyConfig
from nodestead.kubernetes.network_policy import API_CLIENT, OpenPorts, network_policy

LABELS = {"app.kubernetes.io/part-of": "nodestead"}
SELECTOR = {"app.kubernetes.io/instance": "codex"}
OWN = {"podSelector": {"matchLabels": SELECTOR}}
CLIENTS = {"podSelector": {"matchLabels": {"nodestead.io/api-client": "true"}}}
ANY_POD: dict[str, Any] = {"namespaceSelector": {}}


def named(namespace: str) -> dict[str, Any]:
    """The pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}


def tcp(port: int) -> list[dict[str, Any]]:
    """One TCP port, as a policy lists it."""
    return [{"protocol": "TCP", "port": port}]


def ingress(ports: OpenPorts, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rules of a set's policy."""
    (manifest,) = network_policy("codex", "storage", LABELS, SELECTOR, ports, parse(NetworkPolicyConfig, given or {}))
    return manifest["spec"]["ingress"]


def test_peers_reach_their_ports_and_only_those_named_reach_api_and_metrics() -> None:
    ports = OpenPorts(peers_tcp=[8070], peers_udp=[8090], api=[8080], metrics=[8008], metrics_namespaces=["monitoring"])
    assert network_policy("codex", "storage", LABELS, SELECTOR, ports, NetworkPolicyConfig()) == [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "codex", "namespace": "storage", "labels": LABELS},
            "spec": {
                "podSelector": {"matchLabels": SELECTOR},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {"ports": [{"protocol": "TCP", "port": 8070}, {"protocol": "UDP", "port": 8090}]},
                    {"from": [OWN, CLIENTS], "ports": tcp(8080)},
                    {"from": [named("monitoring")], "ports": tcp(8008)},
                ],
            },
        }
    ]


def test_a_policy_that_is_off_is_not_there() -> None:
    config = parse(NetworkPolicyConfig, {"enabled": False})
    assert network_policy("codex", "storage", LABELS, SELECTOR, OpenPorts(peers_tcp=[8070], api=[8080]), config) == []


def test_a_policy_without_ports_closes_everything() -> None:
    (manifest,) = network_policy("codex", "storage", LABELS, SELECTOR, OpenPorts(), NetworkPolicyConfig())
    assert manifest["spec"] == {"podSelector": {"matchLabels": SELECTOR}, "policyTypes": ["Ingress"], "ingress": []}


@pytest.mark.parametrize(
    "ports",
    [
        OpenPorts(metrics=[8008]),
        OpenPorts(api=[8080], metrics=[8008]),
        OpenPorts(peers_udp=[1], api=[8080], metrics=[8008], routed=[8081]),
        OpenPorts(metrics=[8008], metrics_namespaces=["monitoring"]),
    ],
)
def test_no_list_is_empty_because_an_empty_one_means_everything(ports: OpenPorts) -> None:
    for rule in ingress(ports):
        assert rule["ports"]
        assert rule.get("from", ["anybody"])


def test_metrics_without_a_reader_stay_closed() -> None:
    assert ingress(OpenPorts(metrics=[8008])) == []


def test_only_ports_for_peers_are_open_to_anybody() -> None:
    ports = OpenPorts(peers_tcp=[1], peers_udp=[2], api=[3], metrics=[4], metrics_namespaces=["monitoring"], routed=[5])
    assert [rule["ports"] for rule in ingress(ports) if "from" not in rule] == [[*tcp(1), {"protocol": "UDP", "port": 2}]]


def test_others_that_are_named_reach_api_and_metrics() -> None:
    office = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    watcher = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "agent"}}}
    ports = OpenPorts(api=[8080], metrics=[8008], metrics_namespaces=["monitoring", "mimir"])
    assert ingress(ports, {"apiFrom": [office], "metricsFrom": [watcher]}) == [
        {"from": [OWN, CLIENTS, office], "ports": tcp(8080)},
        {"from": [named("monitoring"), named("mimir"), watcher], "ports": tcp(8008)},
    ]


def test_the_controller_of_a_route_reaches_the_port_that_the_route_leads_to() -> None:
    assert ingress(OpenPorts(api=[8080], routed=[8081], route_namespace="ingress-nginx")) == [
        {"from": [OWN, CLIENTS], "ports": tcp(8080)},
        {"from": [named("ingress-nginx")], "ports": tcp(8081)},
    ]


def test_a_route_without_a_known_controller_opens_its_port_to_pods_and_to_no_address() -> None:
    assert ingress(OpenPorts(routed=[8080])) == [{"from": [ANY_POD], "ports": tcp(8080)}]


@pytest.mark.parametrize(
    ("ports", "entries"),
    [
        ([30510], [{"port": 30510}]),
        ([30512, 30510, 30511, 30510], [{"port": 30510, "endPort": 30512}]),
        ([30510, 30520], [{"port": 30510}, {"port": 30520}]),
        ([1, 2, 4, 6, 7], [{"port": 1, "endPort": 2}, {"port": 4}, {"port": 6, "endPort": 7}]),
        (range(30000, 31000), [{"port": 30000, "endPort": 30999}]),
    ],
)
def test_neighbouring_ports_are_one_range_and_no_port_between_is_opened(ports: Any, entries: list[dict[str, int]]) -> None:
    (rule,) = ingress(OpenPorts(peers_udp=ports))
    assert rule["ports"] == [{"protocol": "UDP", **entry} for entry in entries]


def test_clients_of_the_api_are_known_by_one_label() -> None:
    assert API_CLIENT == {"nodestead.io/api-client": "true"}


BLOCK = "x.apiFrom[0].ipBlock"


@pytest.mark.parametrize(
    ("peer", "problem"),
    [
        ({}, "x.apiFrom[0]: names nobody; give ipBlock, podSelector or namespaceSelector ({} selects all)"),
        ({"host": "a.example.org"}, "x.apiFrom[0].host: unknown key; known here are ipBlock, namespaceSelector, podSelector"),
        ({"ipBlock": {}}, f"{BLOCK}.cidr: is required and not given; add it"),
        (
            {"ipBlock": {"cidr": "192.0.2.7"}},
            f"{BLOCK}.cidr: '192.0.2.7' is not a CIDR; write it as 192.0.2.0/24, a single address with /32",
        ),
        (
            {"ipBlock": {"cidr": "192.0.2.0/255.255.255.0"}},
            f"{BLOCK}.cidr: '192.0.2.0/255.255.255.0' is not a CIDR; write it as 192.0.2.0/24, a single address with /32",
        ),
        (
            {"ipBlock": {"cidr": "192.0.2.0/24"}, "podSelector": {}},
            f"{BLOCK}: stands alone; write addresses and selectors as two entries of the list",
        ),
        (
            {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/24"]}},
            f"{BLOCK}.except[0]: 192.0.2.0/24 is no part of 192.0.2.0/24; name a smaller block inside it",
        ),
        (
            {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/28", "2001:db8::/64"]}},
            f"{BLOCK}.except[1]: 2001:db8::/64 is no part of 192.0.2.0/24; name a smaller block inside it",
        ),
        (
            {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0"]}},
            f"{BLOCK}.except[0]: '192.0.2.0' is not a CIDR; write it as 192.0.2.0/28",
        ),
    ],
)
def test_a_peer_that_the_api_would_refuse_is_refused(peer: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(NetworkPolicyConfig, {"apiFrom": [peer]}, ["x"])
    assert caught.value.problems == [problem]


class Later:
    """A block of addresses that another resource gives."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no config may ask for a value of another resource")


@pytest.mark.parametrize(
    "peer",
    [
        {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/28"]}},
        {"ipBlock": {"cidr": "2001:db8::/32"}},
        {"ipBlock": {"cidr": "192.0.2.7/24"}},
        {"ipBlock": {"cidr": Later(), "except": ["192.0.2.0/28", Later()]}},
        {"podSelector": {}},
        {"podSelector": {"matchLabels": {"app": "a"}}, "namespaceSelector": {}},
    ],
)
def test_a_peer_that_the_api_takes_passes(peer: dict[str, Any]) -> None:
    assert parse(NetworkPolicyConfig, {"apiFrom": [peer], "metricsFrom": [peer]}).api_from == (peer,)


def test_metrics_from_is_checked_like_api_from() -> None:
    with pytest.raises(ConfigError, match=r"metricsFrom\[1\]: names nobody"):
        parse(NetworkPolicyConfig, {"metricsFrom": [{"podSelector": {}}, {}]})
