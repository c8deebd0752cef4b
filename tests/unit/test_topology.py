"""A stack as a picture: equal nodes folded, who dials whom, what is exposed, where data and keys live."""

import time
from typing import Any

import chains
import groups
import pytest
from change_cases import (
    claim,
    claim_volume,
    config_map,
    facts,
    guard,
    item,
    key_volume,
    labels,
    rendered,
    seed,
    service,
    snapshot,
    stateful_set,
)

from nodestead.changes.compare import compare
from nodestead.changes.snapshot import Item
from nodestead.reports.dialling import hosts
from nodestead.reports.model import Node, Topology
from nodestead.reports.topology import topology

NODE_PORT = {"kind": "nodePort", "basePort": 30000, "offset": 1, "externalAddress": {"kind": "nodeExternalIP"}}
TESTNET = {"kind": "network", "name": "testnet"}


def drawn(*items: Item, **given: Any) -> Topology:
    return topology(snapshot(*items, **given))


def boxes(picture: Topology, kind: str) -> list[Node]:
    return [node for node in picture.nodes if node.kind == kind]


def titles(picture: Topology, kind: str = "nodes") -> list[str]:
    return [node.title for node in boxes(picture, kind)]


def arrows(picture: Topology) -> set[tuple[str, str, str]]:
    named = {node.id: node.title for node in picture.nodes}
    return {(named[edge.source], named[edge.target], edge.label) for edge in picture.edges}


def node(name: str, **given: Any) -> list[Item]:
    """A node with a Service for its peers."""
    port = {"name": "p2p", "port": 26656}
    return [service(f"{name}-p2p", set=given.get("set", "codex"), node=name, ports=[port]), stateful_set(name, **given)]


def dialling(*urls: str) -> dict[str, Any]:
    return {"container": {"env": [{"name": "PEERS", "value": ",".join(urls)}]}}


# ---- folding


def test_a_hundred_equal_nodes_are_one_box() -> None:
    picture = topology(rendered({"codex": groups.config(replicas=100, bootstrap=TESTNET, exposure=NODE_PORT)}))
    assert titles(picture) == ["codex-1 … codex-100 (100)"]
    assert len(picture.nodes) < 8


DIFFERENT: dict[str, tuple[list[Item], list[Item]]] = {
    "image": (node("codex-1"), node("codex-2", image="a:2")),
    "stopped": (node("codex-1"), node("codex-2", replicas=0)),
    "role": (node("codex-1"), node("codex-2", component="bootstrap-node")),
    "size of the claim": (
        [*node("codex-1", volumes=[claim_volume("c1")]), claim("c1", size="1Gi")],
        [*node("codex-2", volumes=[claim_volume("c2")]), claim("c2", size="2Gi")],
    ),
    "whom they dial": (node("codex-1"), node("codex-2", **dialling("a@codex-1-p2p:26656"))),
    "who holds the key": (
        node("codex-1", volumes=[key_volume("codex-1-key-g1")]),
        node("codex-2", volumes=[key_volume("given")]),
    ),
    "a way in": ([*node("codex-1"), service("codex-1-nodeport", node="codex-1", type="NodePort")], node("codex-2")),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_nodes_that_differ_stand_apart(what: str) -> None:
    one, other = DIFFERENT[what]
    assert titles(drawn(*one, *other)) == ["codex-1", "codex-2"]


def test_equal_nodes_of_two_sets_stand_apart() -> None:
    assert titles(drawn(*node("a-1", set="a"), *node("b-1", set="b"))) == ["a-1", "b-1"]


def test_too_many_kinds_of_nodes_in_a_set_are_told_apart_by_less() -> None:
    nodes = [one for number in range(1, 21) for one in node(f"codex-{number}", image=f"a:{number}")]
    picture = drawn(*nodes, *node("codex-bootstrap-1", component="bootstrap-node"))
    assert titles(picture) == ["codex-1 … codex-20 (20)", "codex-bootstrap-1"]


def test_a_picture_of_many_sets_stays_small() -> None:
    nodes = [one for number in range(200) for one in node(f"s{number}-1", set=f"s{number}")]
    picture = drawn(*nodes)
    assert len(picture.nodes) < 80
    assert titles(picture, "other") == ["and 140 more sets of 140 nodes"]


# ---- who dials whom


def test_a_bootstrap_node_is_dialled_by_the_others() -> None:
    picture = topology(rendered({"codex": groups.config(replicas=3, bootstrap={"kind": "own"})}))
    assert ("codex-1 … codex-3 (3)", "codex-bootstrap-1", "api") in arrows(picture)


def test_a_mesh_is_told_in_its_box_and_not_by_an_edge_to_itself() -> None:
    picture = topology(rendered({}, {"local": chains.config(**chains.LOCAL)}))
    (box,) = boxes(picture, "nodes")
    assert "dial each other" in box.detail
    assert all(edge.source != edge.target for edge in picture.edges)


def test_a_validator_dials_its_sentries_and_no_network() -> None:
    known = {"peersFrom": [{"set": "val", "dial": False}], "signer": {"kind": "none"}, "type": "sentry", "replicas": 2}
    sets = {
        "sentries": chains.config(software=chains.HUB, genesis=None, **known),
        "val": chains.config(
            software=chains.HUB,
            genesis=None,
            type="validator",
            signer={"kind": "remote", "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]},
            peersFrom=[{"set": "sentries"}],
        ),
    }
    found = arrows(topology(rendered({}, sets)))
    assert ("val-0", "sentries-0, sentries-1 (2)", "p2p") in found
    assert ("Remote signer", "val-0", "privval") in found
    assert {one for one in found if one[1] == "Chain cosmoshub-4"} == {("sentries-0, sentries-1 (2)", "Chain cosmoshub-4", "p2p")}


HOSTS = {
    "http://codex-1:8080/x": {("codex-1", "8080")},
    "id@codex-1-p2p:26656,id@other.ns:1": {("codex-1-p2p", "26656"), ("other.ns", "1")},
    "id@codex-1-p2p": {("codex-1-p2p", "")},
    "codex-1.ns.svc.cluster.local:80": {("codex-1.ns.svc.cluster.local", "80")},
    "codex-1": set[tuple[str, str]](),
    "--name=codex-1 and more": set[tuple[str, str]](),
}


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_is_what_stands_where_hosts_stand(text: str) -> None:
    assert hosts(text) == HOSTS[text]


ADDRESSES = {
    "http://b-1-p2p:26656": True,
    "x@b-1-p2p.n:26656": True,
    "tcp://b-1-p2p.n.svc.cluster.local:26656": True,
    "x@b-1-p2p.elsewhere:26656": False,
    "b-1-p2p": False,
    "http://b-1-p2p-other:26656": False,
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_service_is_found_by_the_names_that_the_cluster_gives_it(text: str) -> None:
    picture = drawn(*node("a-1", set="a", **dialling(text)), *node("b-1", set="b"))
    assert (("a-1", "b-1", "p2p") in arrows(picture)) is ADDRESSES[text]


def test_peers_in_a_mounted_config_map_count_and_those_in_another_do_not() -> None:
    mount = {"name": "node", "configMap": {"name": "a-config"}}
    config = config_map("a-config", set="a", file='{"persistent_peers": "id@b-1-p2p:26656"}')
    assert ("a-1", "b-1", "p2p") in arrows(drawn(*node("a-1", set="a", volumes=[mount]), *node("b-1", set="b"), config))
    assert arrows(drawn(*node("a-1", set="a"), *node("b-1", set="b"), config)) == set()


@pytest.mark.parametrize(("dial", "found"), [(True, ["Set val in stack org/other/prod"]), (False, [])])
def test_a_set_of_another_stack_is_a_box_where_it_is_dialled(dial: bool, found: list[str]) -> None:
    source = {"stack": "org/other/prod", "set": "val", "dial": dial}
    picture = topology(rendered({}, {"hub": chains.config(peersFrom=[source])}))
    assert [title for title in titles(picture, "network") if title.startswith("Set")] == found


@pytest.mark.parametrize(
    ("given", "network"),
    [
        ({"bootstrap__name": "testnet", "software__kind": "codex"}, ["codex testnet"]),
        ({"bootstrap__name": "not set", "software__kind": "codex"}, []),
        ({"network__kind": "public", "software__chainId": "hub-4"}, ["Chain hub-4"]),
        ({"network__kind": "local", "software__chainId": "hub-4"}, []),
    ],
)
def test_a_public_network_is_a_box(given: dict[str, Any], network: list[str]) -> None:
    assert titles(drawn(*node("codex-1"), sets=[facts(**given)]), "network") == network


# ---- ways in


def test_node_ports_are_named_as_a_range() -> None:
    picture = topology(rendered({"codex": groups.config(replicas=9, bootstrap=TESTNET, exposure=NODE_PORT)}))
    (entry,) = boxes(picture, "entry")
    assert entry.title == "9 node port Services"
    assert entry.detail[0] == "p2p 30000 … 30008 TCP"
    assert ("Outside the cluster", "9 node port Services", "") in arrows(picture)


def test_a_load_balancer_and_a_host_port_are_ways_in_and_a_cluster_service_is_none() -> None:
    port = {"name": "p2p", "port": 26656}
    balanced = [*node("a-1", set="a"), service("a-1-lb", set="a", node="a-1", type="LoadBalancer", ports=[port])]
    host = node("b-1", set="b", container={"ports": [{"name": "p2p", "containerPort": 1, "hostPort": 30001}]})
    picture = drawn(*balanced, *host, *node("c-1", set="c"))
    assert [(one.title, one.detail) for one in boxes(picture, "entry")] == [
        ("load balancer", ["p2p 26656 TCP"]),
        ("host port node", ["p2p 30001 TCP"]),
    ]


def ingress(**annotations: str) -> Item:
    backend = {"service": {"name": "hub-rpc", "port": {"name": "rpc"}}}
    rules = [{"host": "rpc.example.org", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    named = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return item("Ingress", "hub", api="networking.k8s.io/v1", set="codex", annotations=named, spec={"rules": rules})


def rpc_service() -> Item:
    metadata = {"name": "hub-rpc", "namespace": "n", "labels": labels("codex", component="rpc")}
    return Item(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"name": "rpc", "port": 26657}]}}
    )


def test_a_route_leads_from_outside_over_its_service_to_the_nodes() -> None:
    picture = drawn(*node("codex-1"), rpc_service(), ingress())
    assert arrows(picture) == {
        ("Outside the cluster", "Ingress hub", ""),
        ("Ingress hub", "Service hub-rpc", ""),
        ("Service hub-rpc", "codex-1", ""),
    }
    assert boxes(picture, "entry")[-1].detail == ["rpc.example.org"]


def test_a_route_says_that_it_asks_for_a_password() -> None:
    assert boxes(drawn(ingress(auth_type="basic")), "entry")[0].detail[-1] == "password"


def test_an_http_route_of_the_gateway_leads_to_its_backends() -> None:
    spec = {"hostnames": ["a.example.org"], "rules": [{"backendRefs": [{"name": "codex-1-p2p", "port": 1}]}]}
    route = item("HTTPRoute", "r", api="gateway.networking.k8s.io/v1", set="codex", spec=spec)
    assert ("HTTPRoute r", "codex-1", "") in arrows(drawn(*node("codex-1"), route))


# ---- data and keys


def test_keys_from_a_seed_and_given_ones_are_told_apart() -> None:
    own = item("Secret", "codex-1-key-g1", set="codex", node="codex-1")
    made = drawn(*node("codex-1", volumes=[key_volume("codex-1-key-g1")]), own, seed(), sets=[facts(keys="seed, generation 1")])
    given = drawn(*node("codex-1", volumes=[key_volume("wallets", "a")]), sets=[facts(keys="wallets, a")])
    assert [(one.title, one.detail) for one in boxes(made, "key")] == [
        ("Keys from a seed", ["seed, generation 1", "1 Secret: codex-1-key-g1"])
    ]
    assert [(one.title, one.detail) for one in boxes(given, "key")] == [("Given keys", ["1 Secret: wallets"])]


@pytest.mark.parametrize(
    ("volumes", "said"),
    [([claim_volume("c")], "own keys, kept with the data"), ([], "own keys, gone with the pod")],
)
def test_keys_without_a_secret_are_where_the_data_is(volumes: list[dict[str, Any]], said: str) -> None:
    (box,) = boxes(drawn(*node("codex-1", volumes=volumes), claim("c"), sets=[facts()]), "nodes")
    assert said in box.detail


def test_a_guarded_consensus_key_is_counted() -> None:
    nodes = node("val-0", set="val", volumes=[key_volume("val")])
    (box,) = boxes(drawn(*nodes, guard("A" * 40, "val-0")), "key")
    assert box.detail[-1] == "1 consensus key held once"


def test_no_content_of_a_secret_is_in_a_picture() -> None:
    hidden = item("Secret", "codex-1-key-g1", set="codex", node="codex-1", stringData={"k": "hunter2"})
    variable = {"container": {"env": [{"name": "URL", "value": "https://user:hunter2@example.org:1"}]}}
    picture = drawn(*node("codex-1", volumes=[key_volume("codex-1-key-g1")], **variable), hidden, sets=[facts()])
    assert "hunter2" not in picture.model_dump_json()


# ---- changes


def test_boxes_tell_what_becomes_of_them_and_what_goes_is_drawn() -> None:
    gone = [*node("codex-3", volumes=[claim_volume("c3")]), claim("c3", node="codex-3")]
    base = snapshot(*node("codex-1"), *node("codex-2", image="a:1"), *gone)
    head = snapshot(*node("codex-1"), *node("codex-2", image="a:2"), *node("codex-4"))
    picture = topology(head, compare(base, head).changes)
    assert {(one.title, one.change) for one in boxes(picture, "nodes")} == {
        ("codex-1", None),
        ("codex-2", "change"),
        ("codex-3", "remove"),
        ("codex-4", "add"),
    }
    (left,) = boxes(picture, "claim")
    assert (left.change, left.detail[-1]) == ("remove", "stays in the cluster")


def test_a_claim_that_is_deleted_is_said_to_lose_its_data() -> None:
    base = snapshot(*node("codex-1", volumes=[claim_volume("c")]), claim("c", node="codex-1", kept=False))
    (left,) = boxes(topology(snapshot(), compare(base, snapshot()).changes), "claim")
    assert left.detail[-1] == "its data is deleted"


def test_a_replaced_workload_is_replaced_in_the_picture() -> None:
    base, head = snapshot(stateful_set("codex-1", serviceName="a")), snapshot(stateful_set("codex-1", serviceName="b"))
    assert [one.change for one in boxes(topology(head, compare(base, head).changes), "nodes")] == ["replace"]


# ---- any snapshot


ODD = [
    item("StatefulSet", "x", api="apps/v1", set="codex", node="x", spec=spec)
    for spec in (None, [], "text", {"template": None}, {"template": {"spec": {"containers": "a", "volumes": {"a": 1}}}})
] + [
    item("Service", "s", set="codex", node="x", spec={"type": "NodePort", "ports": [1, {"nodePort": "a"}]}),
    item("Ingress", "i"),
]


@pytest.mark.parametrize("odd", ODD)
def test_objects_of_any_form_are_drawn_or_left_out(odd: Item) -> None:
    drawn(odd, *node("codex-1"))


def test_an_empty_stack_is_an_empty_picture() -> None:
    assert drawn() == Topology(nodes=[], edges=[])


def test_a_thousand_nodes_take_less_than_a_second() -> None:
    state = rendered({"codex": groups.config(replicas=1000, bootstrap=TESTNET, exposure=NODE_PORT)})
    started = time.perf_counter()
    topology(state)
    assert time.perf_counter() - started < 1
