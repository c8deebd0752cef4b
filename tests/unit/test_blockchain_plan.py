"""The objects of a set of blockchain nodes: which there are, what they are called, and what is in them."""

import base64
import json
from typing import Any

import pytest
from chains import (
    BY_SECRET,
    COMET,
    COSMOS,
    GENESIS,
    GIVEN_KEYS,
    HUB,
    IMAGE,
    LOCAL,
    LOCAL_COMET,
    OSMOSIS,
    SEED,
    A,
    B,
    C,
    args,
    comet,
    config,
    container,
    deployed,
    deployed_json,
    env,
    find,
    names,
    node_json,
    outputs,
    plan,
    pod,
)

from nodestead.chain_keys import consensus_address, consensus_key_json, node_id, node_key_json
from nodestead.config.base import ConfigError, parse
from nodestead.config.scalars import SECURE
from nodestead.kubernetes.names import guard_name
from nodestead.kubernetes.objects import Address, Late, Seed, SetPeers, StackPeers, is_kept, late_refs
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_node_set import peer_stand_ins, plan_blockchain_node_set
from nodestead.preview.yaml_text import plain, yaml_documents

SELECTOR = {
    "app.kubernetes.io/instance": "hub",
    "app.kubernetes.io/part-of": "nodestead",
    "nodestead.io/set": "blockchain-node-set",
}
KEPT = {"pulumi.com/patchForce": "true", "pulumi.com/skipAwait": "true"}
IDS = [node_id(SEED, ordinal, 1) for ordinal in range(4)]
PEER = f"{C}@seed.example.org:26656"
NODE_PORT: dict[str, Any] = {"kind": "nodePort"}
BALANCER: dict[str, Any] = {"kind": "loadBalancer"}
TWO_VERSIONS: dict[str, Any] = {
    "image": {"repository": "registry.example.org/simd"},
    "versions": [{"height": 0, "image": {"tag": "v1"}, "haltHeight": 9}, {"height": 10, "image": {"tag": "v2"}}],
}


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no plan may wait for a value of another resource")


def objects(**given: Any) -> list[str]:
    """Kind and name of every object; the hash at the end of a ConfigMap's name changes with the scripts."""
    found = [(one["kind"], str(one["metadata"]["name"])) for one in plan(**given).manifests()]
    return [f"{kind} {name.rpartition('-')[0] if '-agents-' in name else name}" for kind, name in found]


def lists(given: dict[str, Any]) -> list[str]:
    """The three lists of peers in a node's config.toml."""
    return [given["p2p"][key] for key in ("persistent_peers", "private_peer_ids", "unconditional_peer_ids")]


def told(node: str = "hub-0", others: dict[str, Any] | None = None, **given: Any) -> list[str]:
    """The three lists of peers of a node in the cluster."""
    return lists(deployed_json(plan(**given), node, **(others or {}))["files"]["config"])


# ---- which objects


def test_one_private_node_is_these_objects() -> None:
    assert objects() == [
        "ServiceAccount hub",
        "ConfigMap hub-agents",
        "Service hub-rpc",
        "PodDisruptionBudget hub",
        "NetworkPolicy hub",
        "Service hub-0-p2p",
        "PersistentVolumeClaim data-hub-0-0",
        "Secret hub-0-key-g1",
        "ConfigMap hub-0-config",
        "StatefulSet hub-0",
    ]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({"exposure": NODE_PORT}, ["ClusterRole ns-hub", "ClusterRoleBinding ns-hub", "Service hub-0-nodeport"]),
        ({"exposure": {**NODE_PORT, "externalAddress": {"kind": "hostIP"}}}, ["Service hub-0-nodeport"]),
        ({"exposure": BALANCER}, ["Service hub-0-loadbalancer"]),
        ({"exposure": {**BALANCER, "first": 0}}, []),
        ({"exposure": {"kind": "hostPort", "externalAddress": {"kind": "hostIP"}}}, []),
        ({"type": "sentry"}, ["Service hub-0-privval"]),
        ({"type": "sentry", "signer": {"kind": "none"}}, []),
        ({"type": "validator", "signer": {"kind": "remote"}}, ["Service hub-0-privval"]),
        (BY_SECRET, [f"ConfigMap {guard_name(A)}"]),
        ({"monitoring": {}}, ["ConfigMap hub-dashboard", "PodMonitor hub", "PrometheusRule hub"]),
        ({"monitoring": {"enabled": False}}, []),
        (
            {"serviceAccount": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}},
            ["Role hub", "RoleBinding hub"],
        ),
    ],
)
def test_what_is_asked_for_adds_these_objects(given: dict[str, Any], more: list[str]) -> None:
    assert sorted(set(objects(**given)) - set(objects())) == more


@pytest.mark.parametrize(
    ("given", "less"),
    [
        ({"keys": GIVEN_KEYS}, ["Secret hub-0-key-g1"]),
        ({"persistence": {"kind": "ephemeral"}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"persistence": {"kind": "existingClaim", "claim": "mine"}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"nodes": {"0": {"existingClaim": "mine"}}}, ["PersistentVolumeClaim data-hub-0-0"]),
        ({"nodes": {"0": {"disabled": "pod"}}}, []),
        ({"nodes": {"0": {"disabled": "all"}}}, ["Service hub-0-p2p"]),
        ({"serviceAccount": {"create": False, "name": "mine"}}, ["ServiceAccount hub"]),
        ({"disruption": {"enabled": False}}, ["PodDisruptionBudget hub"]),
        ({"networkPolicy": {"enabled": False}}, ["NetworkPolicy hub"]),
        (
            {"replicas": 0},
            [
                *("ConfigMap hub-0-config", "PersistentVolumeClaim data-hub-0-0", "PodDisruptionBudget hub"),
                *("Secret hub-0-key-g1", "Service hub-0-p2p", "StatefulSet hub-0"),
            ],
        ),
    ],
)
def test_what_is_left_out_takes_these_objects_away(given: dict[str, Any], less: list[str]) -> None:
    assert sorted(set(objects()) - set(objects(**given))) == less


@pytest.mark.parametrize(
    "given", [{}, {"exposure": NODE_PORT}, BY_SECRET, {"monitoring": {}}, {"type": "sentry"}, {"keys": GIVEN_KEYS}]
)
def test_growing_from_one_to_three_renames_nothing(given: dict[str, Any]) -> None:
    whole = given
    if given is BY_SECRET:
        signer = {"kind": "secret", "name": "val-<replica>"}
        given, whole = (
            {"type": "validator", "signer": {**signer, "addresses": {str(n): address for n, address in enumerate(addresses)}}}
            for addresses in ((A,), (A, B, C))
        )
    one, three = objects(**given), objects(**whole, replicas=3)
    assert [found for found in three if found in one] == one
    assert {found.replace("hub-0", "hub-1") for found in one if "hub-0" in found} <= set(three)


def test_shrinking_takes_only_the_last_nodes_away_and_leaves_what_others_are_called() -> None:
    four, three = objects(**LOCAL, nodes={}), objects(**LOCAL | {"network": {"kind": "local", "validators": 3}, "replicas": 3})
    assert [found for found in four if "hub-3" not in found] == three


def test_the_first_ordinal_moves_names_and_nothing_else() -> None:
    assert objects(firstOrdinal=7) == [found.replace("hub-0", "hub-7") for found in objects()]


def test_claims_are_called_as_the_claims_of_the_cosmos_operators_pods_can_be_named() -> None:
    claim = find(plan(replicas=2), "PersistentVolumeClaim", "data-hub-1-0")
    assert claim["metadata"]["annotations"] == KEPT
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Gi"}}}
    assert {"name": "data", "mountPath": "/home/operator/cosmos"} in container(plan())["volumeMounts"]


def test_only_claims_and_key_secrets_outlive_their_stack() -> None:
    kept = [one["metadata"]["name"] for one in plan(**LOCAL).manifests() if is_kept(one)]
    assert kept == [name for n in range(4) for name in (f"data-hub-{n}-0", f"hub-{n}-key-g1")]


# ---- labels and selectors


def test_selectors_hold_what_never_changes() -> None:
    planned = plan(replicas=2, labels={"team": "a"}, pod={"labels": {"tier": "b"}})
    own = {**SELECTOR, "nodestead.io/node": "hub-1"}
    workload = find(planned, "StatefulSet", "hub-1")["spec"]
    assert workload["selector"] == {"matchLabels": own}
    assert find(planned, "Service", "hub-1-p2p")["spec"]["selector"] == own
    assert find(planned, "Service", "hub-rpc")["spec"]["selector"] == SELECTOR
    assert find(planned, "PodDisruptionBudget", "hub")["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert {**own, "team": "a", "tier": "b"}.items() <= workload["template"]["metadata"]["labels"].items()


def test_a_signers_service_has_the_label_that_horcrux_looks_for() -> None:
    labels = find(plan(type="sentry"), "Service", "hub-0-privval")["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "cosmos-sentry"


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


# ---- peers


def test_a_sets_nodes_dial_each_other_let_each_other_in_and_tell_nobody() -> None:
    others = sorted(IDS[n] for n in (0, 2, 3))
    assert others not in ([IDS[n] for n in (0, 2, 3)], [IDS[n] for n in (3, 2, 0)]), "the order has to show"
    dialled = sorted(f"{IDS[n]}@hub-{n}-p2p:26656" for n in (0, 2, 3))
    assert told("hub-1", replicas=4) == [",".join(dialled), ",".join(others), ",".join(others)]


def test_without_mesh_siblings_are_not_dialled_and_still_let_in() -> None:
    assert told("hub-1", replicas=2, peers={"mesh": False}) == ["", IDS[0], IDS[0]]


@pytest.mark.parametrize(("disabled", "expected"), [("pod", [IDS[1]]), ("all", [])])
def test_a_stopped_node_stays_a_peer_and_one_without_service_does_not(disabled: str, expected: list[str]) -> None:
    _, private, unconditional = told(replicas=2, nodes={"1": {"disabled": disabled}})
    assert [private, unconditional] == [",".join(expected)] * 2


def test_peers_of_the_user_come_after_the_sets_own() -> None:
    given = {"persistent": [PEER], "privateIds": [A], "unconditionalIds": [B], "seeds": [PEER]}
    planned = plan(replicas=2, keys=GIVEN_KEYS | {"ids": {"0": B, "1": C}, "key": "k-<replica>"}, peers=given)
    assert lists(comet(planned)) == [f"{C}@hub-1-p2p:26656,{PEER}", f"{C},{A}", f"{C},{B}"]
    assert comet(planned)["p2p"]["seeds"] == PEER


@pytest.mark.parametrize(
    ("peers", "dialled", "seeded"),
    [({}, True, True), ({"preset": False}, False, True), ({"seeds": []}, True, False), ({"seeds": [PEER]}, True, PEER)],
)
def test_a_preset_brings_seeds_and_peers_unless_told_otherwise(peers: dict[str, Any], dialled: bool, seeded: Any) -> None:
    p2p = comet(plan(software=OSMOSIS, genesis=None, peers=peers))["p2p"]
    assert bool(p2p["persistent_peers"]) == dialled
    assert p2p["seeds"] == seeded or bool(p2p["seeds"]) is seeded


def test_a_validator_behind_sentries_knows_nobody_but_them_and_whom_the_user_names() -> None:
    given: dict[str, Any] = {"software": OSMOSIS, "genesis": None, "type": "validator", "signer": {"kind": "remote"}}
    sentries = [{"peers": [PEER]}]
    alone, shielded = (comet(plan(**given, peersFrom=sources))["p2p"] for sources in ([], sentries))
    assert alone["persistent_peers"]
    assert alone["seeds"]
    assert (shielded["persistent_peers"], shielded["seeds"]) == (PEER, "")
    named = comet(plan(**given, peersFrom=sentries, peers={"persistent": [f"{A}@a:1"], "seeds": [f"{B}@b:2"]}))["p2p"]
    assert (named["persistent_peers"], named["seeds"]) == (f"{PEER},{A}@a:1", f"{B}@b:2")
    open_ = comet(plan(**{**given, "type": "full", "signer": None}, peersFrom=sentries))["p2p"]
    assert len(open_["persistent_peers"]) > len(PEER)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, (f"{A}@val-0-p2p.ns:26656", A, A)),
        ({"dial": False}, ("", A, A)),
        ({"private": False}, (f"{A}@val-0-p2p.ns:26656", "", A)),
        ({"unconditional": False}, (f"{A}@val-0-p2p.ns:26656", A, "")),
    ],
)
def test_peers_of_another_set_are_dialled_hidden_and_let_in_as_told(how: dict[str, Any], expected: tuple[str, ...]) -> None:
    published = {"val": [f"{A}@val-0-p2p.ns:26656"]}
    assert told(others=published, peersFrom=[{"set": "val", **how}]) == list(expected)


def test_a_set_waits_for_the_very_peers_that_it_names() -> None:
    sources = [
        {"set": "one"},
        {"set": "two", "stack": "org/project/prod"},
        {"set": "three", "stack": "org/project/prod", "public": True},
        {"peers": [PEER]},
    ]
    planned = plan(peersFrom=sources)
    refs = {ref for ref in late_refs(find(planned, "ConfigMap", "hub-0-config")) if isinstance(ref, SetPeers | StackPeers)}
    assert refs == {SetPeers("one"), StackPeers("org/project/prod", "two", False), StackPeers("org/project/prod", "three", True)}
    published = {"one": [f"{A}@a:1"], "two": [f"{B}@b:2"], "three": [f"{'d' * 40}@d:3"]}
    assert told(others=published, peersFrom=sources)[0] == f"{A}@a:1,{B}@b:2,{PEER},{'d' * 40}@d:3"


def test_peers_that_another_resource_gives_are_known_when_they_are() -> None:
    later = Later()
    planned = plan(peersFrom=[{"peers": later}])
    assert later in set(late_refs(find(planned, "ConfigMap", "hub-0-config")["data"]["node.json"]))
    assert lists(comet(planned))[0] == "(peers given by another resource)"
    assert told(others={"deferred": [PEER]}, peersFrom=[{"peers": later}])[0] == PEER


def test_a_rendering_shows_the_peers_of_neighbours_and_changes_as_they_do() -> None:
    shown = peer_stand_ins("val", args(), "ns")
    assert shown == ["(node id of val-0, generation 1)@val-0-p2p.ns:26656"]
    assert lists(comet(plan(peersFrom=[{"set": "val"}], neighbours={"val": shown})))[0] == shown[0]
    assert peer_stand_ins("val", args(keys={"kind": "seed", "generation": 2}), "ns") != shown
    assert peer_stand_ins("val", args(replicas=2), "ns")[:1] == shown
    assert peer_stand_ins("val", args(keys=GIVEN_KEYS), "ns") == [f"{A}@val-0-p2p.ns:26656"]


def test_a_set_tells_others_how_to_dial_it_inside_the_cluster() -> None:
    planned = plan(replicas=3, nodes={"1": {"disabled": "all"}})
    expected = [f"{IDS[n]}@hub-{n}-p2p.ns:26656" for n in (0, 2)]
    assert deployed(planned.peers) == deployed(planned.outputs["peers"]) == expected


def test_a_namespace_that_another_resource_gives_is_in_the_addresses_when_known() -> None:
    for given in ({}, {"keys": GIVEN_KEYS}):
        planned = plan_blockchain_node_set("hub", args(**given), Later())
        (found,) = deployed(planned.peers, deferred="chain")
        assert found.endswith("@hub-0-p2p.chain:26656")
        (node,) = planned.nodes()
        assert deployed(node.outputs["rpcUrl"], deferred="chain") == "http://hub-0-p2p.chain:26657"
        assert "namespace" not in planned.unchangeable


# ---- node.json


def test_what_the_agents_of_one_plain_node_read() -> None:
    found = node_json(plan())
    files = found.pop("files")
    assert set(files) == {"config", "app", "client"}
    assert found == {
        "software": "cosmos",
        "moniker": "hub-0",
        "chain_id": "net-1",
        "home": "/home/operator/cosmos",
        "versions": [{"name": "h0", "height": 0, "halt_height": None, "defaults": "/defaults/h0"}],
        "shell": True,
        "database": "goleveldb",
        "genesis": {"kind": "url", "url": "https://example.org/genesis.json", "sha256": None},
        "address_book": None,
        "snapshot": None,
        "state_sync": None,
        "keys": {
            "node": "/etc/nodestead/keys/node_key.json",
            "node_id": "(node id of hub-0, generation 1)",
            "consensus": None,
            "consensus_address": None,
            "target": "/run/nodestead-keys",
        },
        "address": {"from": "none"},
        "health": {
            "port": 1251,
            "rpc": "http://127.0.0.1:26657",
            "api": "http://127.0.0.1:1317",
            "strategy": "reachable",
            "max_block_age": 60,
            "max_behind": 5,
            "dead_after": 300,
            "siblings": [],
            "local": False,
            "signer": False,
        },
    }


@pytest.mark.parametrize(
    ("type_", "given", "p2p", "index"),
    [
        ("full", {}, {"pex": True, "seed_mode": False}, "kv"),
        ("archive", {}, {"pex": True, "seed_mode": False}, "kv"),
        ("sentry", {}, {"pex": True, "seed_mode": False}, None),
        ("seed", {}, {"pex": True, "seed_mode": True}, "null"),
        ("validator", {"signer": {"kind": "remote"}}, {"seed_mode": False}, "null"),
        ("validator", {"signer": {"kind": "remote"}, "peersFrom": [{"set": "s"}]}, {"pex": False, "seed_mode": False}, None),
    ],
)
def test_each_type_has_its_way_with_peers(type_: str, given: dict[str, Any], p2p: dict[str, Any], index: str | None) -> None:
    found = comet(plan(type=type_, **given))
    assert p2p.items() <= found["p2p"].items()
    assert index is None or found["tx_index"]["indexer"] == index


def test_the_validators_of_a_local_network_index_what_they_hold() -> None:
    planned = plan(**{**LOCAL, "replicas": 5})
    assert {comet(planned, f"hub-{n}")["tx_index"]["indexer"] for n in range(5)} == {"kv"}


@pytest.mark.parametrize(
    ("given", "strategy", "local", "signer"),
    [
        ({"type": "sentry"}, "reachable", False, True),
        ({"type": "sentry", "signer": {"kind": "none"}}, "reachable", False, False),
        ({"type": "validator", "signer": {"kind": "remote"}}, "reachable", False, True),
        (BY_SECRET, "reachable", False, False),
        (LOCAL, "reachable", True, False),
        ({"probes": {"strategy": "inSync"}}, "inSync", False, False),
    ],
)
def test_the_watch_knows_who_waits_for_a_signer_or_for_the_rest_of_a_new_network(
    given: dict[str, Any], strategy: str, local: bool, signer: bool
) -> None:
    health = node_json(plan(**given))["health"]
    assert (health["strategy"], health["local"], health["signer"]) == (strategy, local, signer)


@pytest.mark.parametrize(("given", "named"), [({}, True), (BY_SECRET, True), ({"type": "sentry"}, False)])
def test_no_node_loads_a_consensus_key_that_lies_on_its_volume(given: dict[str, Any], named: bool) -> None:
    key_file = comet(plan(**given)).get("priv_validator_key_file")
    assert key_file == ("/run/nodestead-keys/priv_validator_key.json" if named else None)


def test_an_archive_keeps_every_state() -> None:
    assert node_json(plan(type="archive"))["files"]["app"]["pruning"] == "nothing"
    assert "pruning" not in node_json(plan())["files"]["app"]


def test_cometbft_by_itself_has_no_app_to_configure_or_ask() -> None:
    found = node_json(plan(software=COMET, image=None))
    assert (found["software"], found["files"]["app"], found["files"]["client"]) == ("cometbft", {}, {})
    assert found["health"]["api"] is None
    assert container(plan(software=COMET, image=None))["image"] == "docker.io/cometbft/cometbft:v0.38.17"


@pytest.mark.parametrize(
    ("given", "genesis"),
    [
        (GENESIS | {"sha256": "0a" * 32}, {**GENESIS, "sha256": "0a" * 32}),
        ({"kind": "script", "script": "cp a $DEST"}, {"kind": "script", "script": "cp a $DEST"}),
        ({"kind": "inline", "text": '{"chain_id": "net-1"}'}, {"kind": "inline", "path": "/etc/nodestead/node/genesis.json"}),
        ({"kind": "default"}, {"kind": "default"}),
    ],
)
def test_the_genesis_comes_from_where_it_is_said(given: dict[str, Any], genesis: dict[str, Any]) -> None:
    assert node_json(plan(genesis=given))["genesis"] == genesis


def test_a_genesis_that_is_written_out_lies_beside_the_config_and_restarts_nodes_when_it_changes() -> None:
    first, second = (plan(genesis={"kind": "inline", "text": text}) for text in ('{"chain_id": "net-1"}', '{"chain_id":"net-1"}'))
    assert find(first, "ConfigMap", "hub-0-config")["data"]["genesis.json"] == '{"chain_id": "net-1"}'
    notes = [find(one, "StatefulSet", "hub-0")["spec"]["template"]["metadata"]["annotations"] for one in (first, second)]
    assert plain(notes[0]["nodestead.io/config"]) != plain(notes[1]["nodestead.io/config"])


def test_a_preset_brings_chain_genesis_binary_and_version() -> None:
    planned = plan(software=OSMOSIS, genesis=None, image={"repository": "registry.example.org/osmosis"})
    found = node_json(planned)
    assert (found["chain_id"], found["genesis"]["kind"]) == ("osmosis-1", "url")
    assert container(planned)["image"] == "registry.example.org/osmosis:v31.0.0"
    assert container(planned)["command"][2:5] == ["osmosisd", "start", "--home"]


def test_ways_to_data_are_handed_on() -> None:
    planned = plan(
        snapshot={"kind": "url", "url": "https://example.org/a.tar.lz4", "sha256": "0a" * 32},
        addressBook={"kind": "script", "script": "true"},
    )
    found = node_json(planned)
    assert found["snapshot"] == {"kind": "url", "url": "https://example.org/a.tar.lz4", "sha256": "0a" * 32}
    assert found["address_book"] == {"kind": "script", "script": "true"}


MIRROR = {"name": "mirror", "key": "url"}


def test_a_secret_url_is_a_name_in_the_config_and_comes_to_the_preparation_from_its_secret() -> None:
    secret: dict[str, Any] = {"kind": "url", "urlFrom": MIRROR}
    planned = plan(genesis=secret, addressBook=secret, snapshot={**secret, "sha256": "0a" * 32})
    found = node_json(planned)
    assert [found[what]["url"] for what in ("genesis", "address_book", "snapshot")] == [
        *("$GENESIS_URL", "$ADDRESS_BOOK_URL", "$SNAPSHOT_URL")
    ]
    assert found["snapshot"]["sha256"] == "0a" * 32
    for name in ("GENESIS_URL", "ADDRESS_BOOK_URL", "SNAPSHOT_URL"):
        assert env(planned, "prepare")[name] == {"secretKeyRef": MIRROR}
        assert all(name not in env(planned, called) for called in ("init", "node", "health"))


def test_scripts_have_their_environment_in_the_preparation() -> None:
    scripts = {
        field: {"kind": "script", "script": "true", "env": {f"TOKEN_{number}": {"secret": MIRROR}, f"PLAIN_{number}": "x"}}
        for number, field in enumerate(("genesis", "addressBook", "snapshot"))
    }
    planned = plan(**scripts)
    for number in range(3):
        assert env(planned, "prepare")[f"TOKEN_{number}"] == {"secretKeyRef": MIRROR}
        assert env(planned, "prepare")[f"PLAIN_{number}"] == "x"
        assert f"TOKEN_{number}" not in env(planned)
    assert "TOKEN_0" not in env(plan(), "prepare")


SERVERS = ["https://a.example.org", "https://b.example.org"]


@pytest.mark.parametrize(
    ("replicas", "given", "sync"),
    [
        (
            1,
            {"rpcServers": SERVERS, "trustHeight": 5, "trustHash": "A" * 64},
            {"rpc_servers": SERVERS, "trust_height": 5, "trust_hash": "A" * 64, "trust_offset": 1000},
        ),
        (
            1,
            {"rpcServers": SERVERS, "trustServers": True, "trustOffset": 7},
            {"rpc_servers": SERVERS, "trust_height": None, "trust_hash": None, "trust_offset": 7},
        ),
        (
            2,
            {"siblings": True},
            {
                "rpc_servers": ["http://hub-0-p2p:26657"] * 2,
                "trust_height": None,
                "trust_hash": None,
                "trust_offset": 1000,
            },
        ),
        (
            3,
            {"siblings": True},
            {
                "rpc_servers": ["http://hub-0-p2p:26657", "http://hub-1-p2p:26657"],
                "trust_height": None,
                "trust_hash": None,
                "trust_offset": 1000,
            },
        ),
    ],
)
def test_state_sync_asks_servers_or_siblings(replicas: int, given: dict[str, Any], sync: dict[str, Any]) -> None:
    assert node_json(plan(replicas=replicas, stateSync=given), f"hub-{replicas - 1}")["state_sync"] == sync


def test_a_state_sync_of_siblings_asks_those_that_run_and_start_before() -> None:
    planned = plan(replicas=6, stateSync={"siblings": True}, nodes={"3": {"disabled": "pod"}})
    synced = {n: node_json(planned, f"hub-{n}")["state_sync"] for n in (0, 5)}
    assert synced[0] is None, "nobody is there before the first, which begins with the first block"
    assert synced[5]["rpc_servers"] == [f"http://hub-{n}-p2p:26657" for n in (1, 2, 4)]


def test_siblings_are_the_next_three_that_run_so_that_no_node_is_asked_by_all() -> None:
    planned = plan(replicas=6, ports={"rpc": 26600}, nodes={"5": {"disabled": "pod"}})
    found = {n: node_json(planned, f"hub-{n}")["health"]["siblings"] for n in (0, 3, 4)}
    assert {n: [url[11:12] for url in urls] for n, urls in found.items()} == {
        0: ["1", "2", "3"],
        3: ["4", "0", "1"],
        4: ["0", "1", "2"],
    }
    assert found[0][0] == "http://hub-1-p2p:26600"


def test_ports_are_one_number_everywhere() -> None:
    ports = {
        "p2p": 2001,
        "rpc": 2002,
        "api": 2003,
        "grpc": 2004,
        "grpcWeb": 2005,
        "metrics": 2006,
        "privval": 2007,
        "health": 2008,
    }
    planned = plan(type="sentry", ports=ports, probes={"strategy": "inSync"})
    found = node_json(planned)
    files = found["files"]
    assert (files["config"]["p2p"]["laddr"], files["config"]["rpc"]["laddr"]) == ("tcp://0.0.0.0:2001", "tcp://0.0.0.0:2002")
    assert files["config"]["instrumentation"]["prometheus_listen_addr"] == ":2006"
    assert files["config"]["priv_validator_laddr"] == "tcp://0.0.0.0:2007"
    assert files["app"]["api"]["address"] == "tcp://0.0.0.0:2003"
    assert (files["app"]["grpc"]["address"], files["app"]["grpc-web"]["address"]) == ("0.0.0.0:2004", "0.0.0.0:2005")
    health = found["health"]
    assert (health["port"], health["rpc"], health["api"]) == (2008, "http://127.0.0.1:2002", "http://127.0.0.1:2003")
    numbers = {port["name"]: port["containerPort"] for port in container(planned)["ports"]}
    assert numbers == {"p2p": 2001, "rpc": 2002, "metrics": 2006, "api": 2003, "grpc": 2004, "grpc-web": 2005, "privval": 2007}
    assert container(planned, "health")["ports"] == [{"name": "health", "containerPort": 2008, "protocol": "TCP"}]


def test_all_outside_peers_look_alike_only_behind_a_nat_of_the_cluster() -> None:
    shared = {
        policy: comet(plan(exposure={**NODE_PORT, "externalTrafficPolicy": policy}))["p2p"]["allow_duplicate_ip"]
        for policy in ("Local", "Cluster")
    }
    assert shared == {"Local": False, "Cluster": True}
    assert comet(plan(exposure={"kind": "hostPort"}))["p2p"]["allow_duplicate_ip"] is False


def test_overrides_of_files_reach_every_node() -> None:
    software = {**COSMOS, "overrides": {"config": {"mempool": {"size": 7}}, "app": {"json-rpc": {"enable": True}}}}
    files = node_json(plan(software=software))["files"]
    assert (files["config"]["mempool"]["size"], files["app"]["json-rpc"]) == (7, {"enable": True})


# ---- containers


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


# ---- keys


def data_of(planned: Any, name: str) -> dict[str, str]:
    return {entry: base64.b64decode(deployed(value)).decode() for entry, value in find(planned, "Secret", name)["data"].items()}


def test_a_node_key_is_made_from_the_seed_and_its_id_is_told() -> None:
    planned = plan(replicas=2, keys={"kind": "seed", "generation": 3})
    assert data_of(planned, "hub-1-key-g3") == {"node_key.json": node_key_json(SEED, 1, 3)}
    assert deployed_json(planned, "hub-1")["keys"]["node_id"] == node_id(SEED, 1, 3)
    nodes = {node.name: node.outputs for node in planned.nodes()}
    assert deployed(nodes["hub-1"]["nodeId"]) == node_id(SEED, 1, 3)
    secret = find(planned, "Secret", "hub-1-key-g3")
    assert (secret["immutable"], secret["metadata"]["annotations"]) == (True, KEPT)
    assert planned.needs_seed


def test_another_generation_is_another_secret_and_shows_in_every_stand_in() -> None:
    one, two = (plan(replicas=2, keys={"kind": "seed", "generation": n}) for n in (1, 2))
    assert names(one, "Secret") == ["hub-0-key-g1", "hub-1-key-g1"]
    assert names(two, "Secret") == ["hub-0-key-g2", "hub-1-key-g2"]
    for part in ("keys", "files"):
        assert node_json(one)[part] != node_json(two)[part]
    assert plain(one.outputs["peers"]) != plain(two.outputs["peers"])
    assert outputs(one)["nodeId"] != outputs(two)["nodeId"]
    assert one.noticed["keys"][0] != two.noticed["keys"][0]


def test_no_stand_in_is_a_key_or_an_id() -> None:
    (secret,) = [one for one in plan().manifests() if one["kind"] == "Secret"]
    shown = base64.b64decode(plain(secret["data"]["node_key.json"])).decode()
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(shown)
    assert len(node_json(plan())["keys"]["node_id"]) != 40


def test_a_given_key_is_read_from_its_secret_and_makes_no_seed() -> None:
    planned = plan(replicas=2, keys={**GIVEN_KEYS, "name": "keys-<replica>", "key": "node_key.json"})
    volumes = {volume["name"]: volume for volume in pod(planned, "hub-1")["volumes"]}
    assert volumes["secret-keys"]["projected"]["sources"] == [
        {"secret": {"name": "keys-1", "items": [{"key": "node_key.json", "path": "node_key.json"}]}}
    ]
    assert node_json(planned, "hub-1")["keys"]["node_id"] == B
    assert not planned.needs_seed
    assert planned.noticed["keys"][0] == "keys-<replica>, node_key.json"
    assert not any(isinstance(ref, Seed) for ref in late_refs([*planned.manifests()]))


def test_a_key_secret_of_another_resource_is_named_when_known_and_told_apart_in_words() -> None:
    later = Later()
    planned = plan(keys={**GIVEN_KEYS, "name": later})
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert volumes["secret-keys"]["projected"]["sources"][0]["secret"]["name"] is later
    assert planned.noticed["keys"][0] == "(given by another resource), node_key-<replica>.json"


def test_a_seed_from_a_backup_is_used_and_one_that_may_not_be_decrypted_is_none() -> None:
    given = plan(keys={"kind": "seed", "seed": SEED})
    assert given.given_seed is not None
    assert SEED not in repr(given.given_seed)
    assert plan(keys={"kind": "seed", "seed": SECURE}).given_seed is None


# ---- validators


def test_a_consensus_key_is_projected_beside_the_node_key() -> None:
    planned = plan(**BY_SECRET)
    volumes = {volume["name"]: volume for volume in pod(planned)["volumes"]}
    assert [list(s["secret"]["items"][0].values())[1] for s in volumes["secret-keys"]["projected"]["sources"]] == [
        *("node_key.json", "priv_validator_key.json")
    ]
    assert volumes["secret-keys"]["projected"]["sources"][1]["secret"]["name"] == "val"
    assert node_json(planned)["keys"]["consensus"] == "/etc/nodestead/keys/priv_validator_key.json"
    assert comet(planned)["priv_validator_key_file"] == "/run/nodestead-keys/priv_validator_key.json"


def test_a_guard_comes_before_the_pod_that_it_guards() -> None:
    planned = plan(**BY_SECRET)
    (node,) = planned.nodes()
    kinds = [one["kind"] for one in node.manifests]
    guard = find(planned, "ConfigMap", f"nodestead-key-{A}")
    assert node.manifests.index(guard) < kinds.index("StatefulSet")
    assert not is_kept(guard)
    assert (guard["data"], guard["immutable"]) == ({"consensusAddress": A.upper(), "node": "hub-0"}, True)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"name": "a", "addresses": {"0": A}}, {"name": "b", "key": "x", "addresses": {"0": A.upper()}}, True),
        ({"name": "a", "addresses": {"0": A}}, {"name": "a", "addresses": {"0": B}}, False),
    ],
)
def test_one_key_has_one_guard_whatever_set_it_is_in(one: dict[str, Any], two: dict[str, Any], same: bool) -> None:
    guards = [
        [n for n in names(plan(name, type="validator", signer={"kind": "secret", **signer}), "ConfigMap") if "key-" in n]
        for name, signer in (("hub", one), ("other", two))
    ]
    assert (guards[0] == guards[1]) == same


def test_a_guard_is_called_by_the_address_however_it_is_written() -> None:
    assert guard_name("0A" * 20) == guard_name("0a" * 20) == f"nodestead-key-{'0a' * 20}"


def test_no_node_but_a_validator_with_a_key_has_a_guard() -> None:
    for given in ({}, {"type": "sentry"}, LOCAL, {"type": "validator", "signer": {"kind": "remote"}}):
        assert [name for name in names(plan(**given), "ConfigMap") if name.startswith("nodestead-key-")] == []


@pytest.mark.parametrize(
    ("given", "modes"),
    [
        (BY_SECRET, ["ReadWriteOncePod"]),
        ({"type": "validator", "signer": {"kind": "remote"}}, ["ReadWriteOnce"]),
        ({**BY_SECRET, "persistence": {"kind": "volume", "accessModes": ["ReadWriteOnce"]}}, ["ReadWriteOnce"]),
        ({"type": "sentry"}, ["ReadWriteOnce"]),
        ({}, ["ReadWriteOnce"]),
    ],
)
def test_the_claim_of_a_validator_with_a_key_is_mounted_by_one_pod(given: dict[str, Any], modes: list[str]) -> None:
    assert find(plan(**given), "PersistentVolumeClaim", "data-hub-0-0")["spec"]["accessModes"] == modes


# ---- local networks


def test_the_first_nodes_of_a_local_network_validate_and_have_both_keys() -> None:
    planned = plan(**{**LOCAL, "replicas": 5})
    assert [outputs(planned, f"hub-{n}")["type"] for n in range(5)] == ["validator"] * 4 + ["full"]
    assert data_of(planned, "hub-3-key-g1") == {
        "node_key.json": node_key_json(SEED, 3, 1),
        "priv_validator_key.json": consensus_key_json(SEED, 3, 1),
    }
    assert list(data_of(planned, "hub-4-key-g1")) == ["node_key.json"]
    nodes = {node.name: node.outputs for node in planned.nodes()}
    assert deployed(nodes["hub-3"]["consensusAddress"]) == consensus_address(SEED, 3, 1)
    assert "consensusAddress" not in nodes["hub-4"]


def test_every_node_of_a_local_network_has_the_same_genesis() -> None:
    planned = plan(**{**LOCAL, "replicas": 5})
    found = [deployed_json(planned, f"hub-{n}")["genesis"] for n in range(5)]
    assert all(one == found[0] for one in found)
    assert (found[0]["kind"], found[0]["time"]) == ("local", "2024-01-01T00:00:00Z")
    patch = found[0]["patch"]
    assert (patch["chain_id"], patch["bond_denom"], len(patch["gen_txs"]), len(patch["accounts"])) == ("net-1", "stake", 4, 4)


def test_a_local_network_of_cometbft_names_its_validators() -> None:
    patch = deployed_json(plan(**LOCAL_COMET))["genesis"]["patch"]
    assert [one["address"] for one in patch["validators"]] == [consensus_address(SEED, n, 1) for n in range(4)]
    assert [one["name"] for one in patch["validators"]] == ["hub-0", "hub-1", "hub-2", "hub-3"]


def test_a_local_network_takes_the_chains_own_words() -> None:
    software = {**COSMOS, "denom": "uatom", "addressPrefix": "atom"}
    network = {"kind": "local", "validators": 4, "stake": 2_000_000, "balance": 3_000_000, "appState": {"gov": {"x": 1}}}
    patch = deployed_json(plan(**LOCAL | {"software": software, "network": network}))["genesis"]["patch"]
    assert (patch["bond_denom"], patch["app_state"]) == ("uatom", {"gov": {"x": 1}})
    assert patch["accounts"][0]["address"].startswith("atom1")
    assert patch["accounts"][0]["coins"] == [{"denom": "uatom", "amount": "3000000"}]


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"network": {"kind": "local", "validators": 3}}, {"network.validators"}),
        ({"network": {"kind": "local", "stake": 10**9}}, {"network.stake"}),
        ({"network": {"kind": "local", "balance": 10**13}}, {"network.balance"}),
        ({"network": {"kind": "local", "genesisTime": "2025-01-01T00:00:00Z"}}, {"network.genesisTime"}),
        ({"network": {"kind": "local", "appState": {"a": 1}}}, {"network.appState"}),
        (
            {"network": {"kind": "local", "accounts": {"cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0": "5stake"}}},
            {"network.accounts"},
        ),
        ({"keys": {"kind": "seed", "generation": 2}}, {"keys.generation"}),
        ({"software": {**COSMOS, "denom": "uatom"}}, {"software.denom"}),
        ({"software": {**COSMOS, "addressPrefix": "atom"}}, {"software.addressPrefix"}),
        ({"software": {**COSMOS, "chainId": "net-2"}}, {"software.chainId"}),
        ({"replicas": 9}, set[str]()),
        ({"image": {**IMAGE, "tag": "v2"}}, set[str]()),
    ],
)
def test_what_is_in_the_hash_of_a_local_genesis_may_not_change(given: dict[str, Any], changed: set[str]) -> None:
    old, new = plan(**LOCAL).unchangeable, plan(**{**LOCAL, **given}).unchangeable
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == changed


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"software": {**COSMOS, "chainId": "net-2"}}, {"software.chainId"}),
        ({"software": {**COSMOS, "home": ".simapp"}}, {"software.home"}),
        ({"software": {**COSMOS, "databaseBackend": "pebbledb"}}, {"software.databaseBackend"}),
        ({"firstOrdinal": 1}, {"firstOrdinal"}),
        ({"keys": {"kind": "seed", "generation": 2}}, set[str]()),
        ({"type": "archive"}, set[str]()),
        ({"replicas": 3, "exposure": NODE_PORT, "genesis": {"kind": "script", "script": "x"}}, set[str]()),
    ],
)
def test_what_may_not_change_under_data(given: dict[str, Any], changed: set[str]) -> None:
    old, new = plan().unchangeable, plan(**given).unchangeable
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == changed


def test_what_may_not_change_is_what_a_state_can_hold() -> None:
    for given in ({}, LOCAL, LOCAL_COMET, BY_SECRET, {"software": HUB, "genesis": None}):
        assert {type(value) for value in plan(**given).unchangeable.values()} <= {str, int, bool, type(None)}
        assert plan(**given).unchangeable["namespace"] == "ns"


PAIR = {"type": "validator", "replicas": 2, "signer": {"kind": "secret", "name": "v-<replica>", "addresses": {"0": A, "1": B}}}
SWAPPED = {**PAIR, "signer": {"kind": "secret", "name": "v-<replica>", "addresses": {"0": B, "1": A}}}
MINE: dict[str, Any] = {"persistence": {"kind": "existingClaim", "claim": "mine"}}
ON_CLASS: dict[str, Any] = {"kind": "volume", "storageClass": "fast"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({}, {"persistence": {"kind": "volume", "accessModes": ["ReadWriteMany"]}}, {"persistence.accessModes"}),
        ({}, {"persistence": ON_CLASS}, {"persistence.storageClass"}),
        ({}, {"persistence": {"kind": "volume", "size": "1Ti"}}, set[str]()),
        ({"persistence": ON_CLASS}, {"persistence": {**ON_CLASS, "storageClass": ""}}, {"persistence.storageClass"}),
        ({}, {"nodes": {"0": {"existingClaim": "mine"}}}, set[str]()),
        (BY_SECRET, {**BY_SECRET, "nodes": {"0": {"existingClaim": "mine"}}}, {"nodes.0.existingClaim"}),
        (
            {**BY_SECRET, **MINE},
            {**BY_SECRET, "persistence": {"kind": "existingClaim", "claim": "other"}},
            {"nodes.0.existingClaim"},
        ),
        (
            BY_SECRET,
            {**BY_SECRET, **MINE},
            {"persistence.kind", "persistence.accessModes", "persistence.storageClass", "nodes.0.existingClaim"},
        ),
        (PAIR, SWAPPED, {f"signer.addresses.{A.upper()}", f"signer.addresses.{B.upper()}"}),
        (BY_SECRET, {**BY_SECRET, "signer": {**BY_SECRET["signer"], "name": "other", "key": "other.json"}}, set[str]()),
    ],
)
def test_no_volume_and_no_key_changes_under_who_has_signed(old: dict[str, Any], new: dict[str, Any], changed: set[str]) -> None:
    before, after = plan(**old).unchangeable, plan(**new).unchangeable
    missing = object()
    assert {key for key in before.keys() | after.keys() if before.get(key, missing) != after.get(key, missing)} == changed


def test_a_key_belongs_to_its_node_until_no_node_has_it() -> None:
    kept = plan(**PAIR).unchangeable
    assert {key: value for key, value in kept.items() if key.startswith(("signer", "persistence", "nodes"))} == {
        f"signer.addresses.{A.upper()}": "hub-0",
        f"signer.addresses.{B.upper()}": "hub-1",
        "persistence.kind": "volume",
        "persistence.accessModes": "ReadWriteOncePod",
        "persistence.storageClass": None,
        "nodes.0.existingClaim": None,
        "nodes.1.existingClaim": None,
    }
    later = plan(**BY_SECRET, persistence={"kind": "volume", "storageClass": Later()}, nodes={"0": {"existingClaim": Later()}})
    assert not {"persistence.storageClass", "nodes.0.existingClaim"} & later.unchangeable.keys()


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"genesis": GENESIS}, True),
        ({"genesis": {**GENESIS, "url": "https://example.org/other.json"}}, False),
        ({"genesis": {**GENESIS, "sha256": "0a" * 32}}, False),
        ({"genesis": {"kind": "url", "urlFrom": {"name": "mirror", "key": "url"}}}, False),
        ({"genesis": {"kind": "script", "script": "true"}}, False),
        ({"genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'}}, False),
        ({"genesis": {"kind": "default"}}, False),
        ({"software": OSMOSIS, "genesis": None}, False),
        (LOCAL, False),
    ],
)
def test_another_genesis_under_nodes_with_blocks_is_said(given: dict[str, Any], same: bool) -> None:
    (old, _), (new, said) = plan().noticed["genesis"], plan(**given).noticed["genesis"]
    assert (old == new) == same
    assert "nodes with blocks keep the genesis" in said
    assert "example.org" not in new


def test_what_may_not_change_is_not_said_to_cost_something() -> None:
    assert set(plan().noticed) == {"keys", "genesis", "persistence.kind"}
    assert set(plan(**BY_SECRET).noticed) == {"keys", "genesis"}


def test_data_that_is_left_behind_is_said() -> None:
    old, new = plan().noticed, plan(persistence={"kind": "ephemeral"}).noticed
    assert old["persistence.kind"][0] != new["persistence.kind"][0]
    assert "start with empty volumes" in new["persistence.kind"][1]


# ---- single nodes


def test_a_node_may_have_its_own_size_snapshot_place_resources_and_claim() -> None:
    planned = plan(
        replicas=3,
        nodes={
            "0": {"size": "1Ti", "fromSnapshot": "snap"},
            "1": {"existingClaim": "mine", "nodeSelector": {"disk": "nvme"}},
            "2": {"resources": {"limits": {"memory": "1Gi"}}, "image": {"tag": "v9"}},
        },
    )
    spec = find(planned, "PersistentVolumeClaim", "data-hub-0-0")["spec"]
    assert spec["resources"] == {"requests": {"storage": "1Ti"}}
    assert spec["dataSource"] == {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snap"}
    assert pod(planned, "hub-1")["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}
    assert pod(planned, "hub-1")["nodeSelector"] == {"disk": "nvme"}
    assert container(planned, node="hub-2")["resources"] == {"limits": {"memory": "1Gi"}}
    assert [container(planned, node=f"hub-{n}")["image"].rpartition(":")[2] for n in (0, 2)] == ["v1", "v9"]


@pytest.mark.parametrize("disabled", ["pod", "all"])
def test_a_disabled_node_runs_no_pod_and_keeps_claim_and_keys(disabled: str) -> None:
    planned = plan(replicas=2, nodes={"1": {"disabled": disabled}})
    replicas = {n: find(planned, "StatefulSet", f"hub-{n}")["spec"].get("replicas") for n in (0, 1)}
    assert replicas == {0: None, 1: 0}
    assert "data-hub-1-0" in names(planned, "PersistentVolumeClaim")
    assert "hub-1-key-g1" in names(planned, "Secret")
    assert outputs(planned, "hub-1")["disabled"] is True


def test_nothing_of_a_node_without_services_waits_for_a_load_balancer() -> None:
    planned = plan(replicas=2, exposure=BALANCER, nodes={"1": {"disabled": "all"}})
    services = set(names(planned, "Service"))
    everything = [[*planned.manifests()], planned.outputs, *(node.outputs for node in planned.nodes())]
    assert {ref.service for ref in late_refs(everything) if isinstance(ref, Address)} <= services


# ---- rollout


@pytest.mark.parametrize(
    ("given", "waves"),
    [
        ({"replicas": 1}, [["hub-0"]]),
        ({"replicas": 4}, [["hub-0"], ["hub-1"], ["hub-2"], ["hub-3"]]),
        ({"replicas": 4, "rollout": {"maxUnavailable": 2}}, [["hub-0", "hub-1"], ["hub-2", "hub-3"]]),
        ({"replicas": 3, "nodes": {"0": {"disabled": "pod"}}}, [["hub-1", "hub-0"], ["hub-2"]]),
        ({"replicas": 2, "nodes": {"0": {"disabled": "all"}, "1": {"disabled": "pod"}}}, [["hub-0", "hub-1"]]),
        ({"replicas": 0}, []),
    ],
)
def test_nodes_roll_in_batches_and_stopped_ones_hold_nobody_up(given: dict[str, Any], waves: list[list[str]]) -> None:
    assert plan(**given).waves == waves


def test_a_batch_may_take_half_an_hour_unless_told_otherwise() -> None:
    assert plan().timeout_seconds == 1800
    assert plan(rollout={"timeout": "2h"}).timeout_seconds == 7200


def test_what_is_said_of_pod_rollout_or_volume_leaves_the_sets_other_defaults_alone() -> None:
    planned = plan(pod={"labels": {"a": "b"}}, rollout={"maxUnavailable": 1}, persistence={"kind": "volume", "storageClass": "x"})
    assert pod(planned)["terminationGracePeriodSeconds"] == 300
    assert planned.timeout_seconds == 1800
    claim = find(planned, "PersistentVolumeClaim", "data-hub-0-0")["spec"]
    assert claim["resources"] == {"requests": {"storage": "500Gi"}}


def test_a_changed_config_restarts_its_node_and_no_other() -> None:
    def notes(**given: Any) -> list[str]:
        planned = plan(replicas=3, **given)
        found = [find(planned, "StatefulSet", f"hub-{n}")["spec"]["template"]["metadata"]["annotations"] for n in range(3)]
        return [plain(one["nodestead.io/config"]) for one in found]

    changed = [a != b for a, b in zip(notes(), notes(exposure=NODE_PORT | {"first": 1}), strict=True)]
    assert changed == [True, False, False]


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


# ---- patches and rendering


def test_a_patch_has_the_last_word_and_one_that_matches_nothing_is_refused() -> None:
    patches = {"StatefulSet": {"hub-1": {"spec": {"minReadySeconds": 9}}}, "Service": {"*": {"metadata": {"labels": {"x": "y"}}}}}
    planned = plan(replicas=2, patches=patches)
    assert [find(planned, "StatefulSet", f"hub-{n}")["spec"].get("minReadySeconds") for n in (0, 1)] == [None, 9]
    assert {one["metadata"]["labels"].get("x") for one in planned.manifests() if one["kind"] == "Service"} == {"y"}
    with pytest.raises(ConfigError) as refused:
        plan(patches={"StatefulSet": {"hub-7": {"spec": {}}}})
    assert "blockchainNodeSets.hub.patches.StatefulSet.hub-7" in refused.value.problems[0]


@pytest.mark.parametrize("given", [{}, LOCAL, {**BY_SECRET, "keys": {"kind": "seed", "seed": SEED}}, {"exposure": BALANCER}])
def test_a_rendering_is_equal_for_equal_config_and_holds_no_secret(given: dict[str, Any]) -> None:
    first, second = ("".join(yaml_documents(plan(**given).manifests())) for _ in range(2))
    assert first == second
    keys = [make(SEED, ordinal, 1) for make in (node_key_json, consensus_key_json) for ordinal in range(4)]
    for secret in [SEED, *keys]:
        assert secret not in first
        assert base64.b64encode(secret.encode()).decode()[:-4] not in first
    assert not set(IDS) & {word for word in IDS if word in first}


def test_what_is_public_of_the_seed_is_derived_once_for_all_leaves_of_a_set() -> None:
    planned = plan(replicas=3)
    refs = [ref for node in planned.nodes() for ref in late_refs([node.manifests, node.outputs]) if not isinstance(ref, Seed)]
    assert len({id(ref) for ref in refs}) == 1


def test_no_public_leaf_needs_the_seed_itself() -> None:
    planned = plan(**LOCAL)
    public = [planned.outputs, planned.peers, *(node.outputs for node in planned.nodes())]
    public += [one for one in planned.manifests() if one["kind"] != "Secret"]
    assert [ref for ref in late_refs(public) if isinstance(ref, Seed)] == []


def test_outputs_tell_how_to_reach_a_node_and_the_set() -> None:
    planned = plan(ports={"rpc": 26600})
    assert outputs(planned) == {
        "service": "hub-0-p2p",
        "nodeId": "(node id of hub-0, generation 1)",
        "rpcUrl": "http://hub-0-p2p.ns:26600",
        "type": "full",
        "announced": "",
    }
    assert plain(planned.outputs) == {
        "peers": ["(node id of hub-0, generation 1)@hub-0-p2p.ns:26656"],
        "publicPeers": [],
        "rpcService": "hub-rpc",
        "chainId": "net-1",
        "firewallPorts": [],
    }


def test_an_instance_is_planned_as_its_mapping_is() -> None:
    parsed = parse(BlockchainNodeSetArgs, config(peersFrom=[{"set": "a"}], versions=None))
    again = parse(BlockchainNodeSetArgs, parsed.model_dump(by_alias=True, exclude_unset=True))
    assert again == parsed
    assert [isinstance(leaf, Late) for leaf in (plan().peers, plan(keys=GIVEN_KEYS).peers)] == [True, False]
