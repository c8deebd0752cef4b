"""Every rule of a set of blockchain nodes that has no file of its own, and what comes near to breaking one and passes."""

import pytest
from chains import BY_SECRET, COMET, COSMOS, GIVEN_KEYS, HUB, LOCAL, LOCAL_COMET, OSMOSIS, A, B, plan, refusals
from set_cases import (
    ACCOUNT,
    ADDRESSES,
    BARE,
    CLAIM,
    DIGEST,
    FIXED,
    MORE,
    NODE_PORT,
    ON_ROCKS,
    PAIR,
    PEER,
    ROUTES,
    SECURE_ROUTES,
    SERVERS,
    TRUST,
    URL_FROM,
    VOLUME,
    Given,
    Later,
    balanced,
    beside,
    broken,
    local,
    mounted,
    named,
    rows,
)

from nodestead.config.base import Deferred

NODES: list[tuple[Given, list[str]]] = [
    ({"replicas": 2, "nodes": {"2": {}}}, ["nodes.2: there is no such node among 0 to 1; name one of these, or leave it out"]),
    ({"replicas": 0, "nodes": {"0": {}}}, ["nodes.0: there is no such node, as replicas is 0; leave it out"]),
    (
        {"firstOrdinal": 5, "nodes": {"0": {}, "x": {}}},
        [
            "nodes.0: there is no such node, only 5; name that, or leave it out",
            "nodes.x: there is no such node, only 5; name that, or leave it out",
        ],
    ),
    (
        {"nodes": {"0": {"externalAddress": "203.0.113.7"}}},
        ["nodes.0.externalAddress: nobody outside reaches this node; set exposure, or leave the address out"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "first": 1}, "nodes": {"1": {"externalAddress": "203.0.113.7"}}},
        ["nodes.1.externalAddress: nobody outside reaches this node; set exposure, or leave the address out"],
    ),
]
PORTS: list[tuple[Given, list[str]]] = [
    ({"ports": {"rpc": 26656}}, ["ports: TCP port 26656 is taken twice in one pod, by p2p and rpc; give one of them another"]),
    (
        {"ports": {"health": 9090}},
        ["ports: TCP port 9090 is taken twice in one pod, by grpc and health; give one of them another"],
    ),
    (
        {"container": {"ports": [{"name": "evm", "port": 26657}]}},
        ["ports: TCP port 26657 is taken twice in one pod, by rpc and evm; give one of them another"],
    ),
    (
        {"container": {"ports": [{"name": "grpc-web", "port": 8545}]}},
        ["container.ports[0].name: grpc-web is a port of the node itself already; name it otherwise"],
    ),
    (
        {"container": {"ports": [{"name": "evm", "port": 8545}, {"name": "evm", "port": 8546}]}},
        ["container.ports[1].name: evm is a port of container.ports[0] already; name it otherwise"],
    ),
]
SOFTWARE: list[tuple[Given, list[str]]] = [
    (
        {"software": {key: value for key, value in COSMOS.items() if key != "minGasPrice"}},
        [
            (
                "software.minGasPrice: is required: without it the node does not start; add it, as in 0.005uatom, or 0uatom"
                " to take transactions for nothing"
            )
        ],
    ),
    (
        {"software": {**HUB, "chainId": "other-1"}},
        [
            (
                "software.chainId: other-1 is not the chain of cosmoshub-4, cosmoshub-4, whose genesis and peers are used;"
                " leave out one of the two"
            )
        ],
    ),
    (
        {"software": {**COSMOS, "chain": "nowhere-1"}},
        [
            (
                "software.chain: 'nowhere-1': is no chain that is built in; built in are cosmoshub-4, osmosis-1, provider."
                " For any other write its file with nodestead chain and name that"
            )
        ],
    ),
]
SOUND: list[Given] = [
    {"pod": {"labels": {"nodestead.io/api-client": "true", "app.kubernetes.io/version": "1"}}, "labels": {"team": "a"}},
    {"container": {"env": {"HOMEPAGE": "x", "CMTHOME": "x", "NODE_NAME": "x"}}},
    {"snapshot": {"kind": "script", "script": "true", "env": {"GATE": "x", "TOKEN": "x"}}},
    {"software": {**COSMOS, "shell": False}, "container": {"env": {"VERSION": "x", "GATE": "x"}}},
    beside("extraContainers", "node-exporter", volumeMounts=[{"name": "data", "mountPath": "/home/operator/cosmos"}]),
    beside("initContainers", "init-permissions", volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}]),
    MORE | mounted("more", "/home/operators"),
    MORE | mounted("more", "/run/nodestead-more"),
    mounted("data", "/again"),
    {"ports": {"rpc": 80}, "pod": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}},
    {"ports": {"rpc": 1024}},
    {"replicas": 2, "exposure": balanced("203.0.113.7", "203.0.113.8")},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": balanced("203.0.113.7", "203.0.113.7")["externalAddress"]}},
    {"replicas": 2, "nodes": {1: {"disabled": "pod"}}},
    {"exposure": NODE_PORT, "nodes": {"0": {"externalAddress": "node.example.org"}}},
    {"keys": GIVEN_KEYS},
    {"replicas": 2, "keys": {**GIVEN_KEYS, "name": "keys-<replica>", "key": "node_key.json"}},
    {"keys": {**GIVEN_KEYS, "name": Later(), "key": "node_key.json"}},
    {"keys": {"kind": "seed", "seed": "5eed" * 16}},
    {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32766}},
    {"replicas": 3, "exposure": {**NODE_PORT, "basePort": 32766, "first": 2}},
    {"replicas": 3, "exposure": {**NODE_PORT, "basePort": 30000, "offset": 1000, "portRange": "30000-32000"}},
    {"replicas": 0, "exposure": {**NODE_PORT, "basePort": 1}},
    {"replicas": 2, "exposure": {"kind": "hostPort", "basePort": 65534}},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED}, "nodes": {"1": {"externalAddress": "203.0.113.8"}}},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED, "first": 1}},
    {"exposure": {"kind": "loadBalancer", "loadBalancerIPs": {0: "203.0.113.7"}}},
    {"ports": {"p2p": 26657, "rpc": 26656}},
    {"container": {"ports": [{"name": "evm", "port": 26656, "protocol": "UDP"}]}},
    BY_SECRET,
    PAIR,
    {**PAIR, "signer": {"kind": "secret", "name": "val", "key": "key-<replica>.json", "addresses": ADDRESSES}},
    {**BY_SECRET, "signer": {**BY_SECRET["signer"], "name": Later()}},
    {**BY_SECRET, "persistence": CLAIM},
    {**BY_SECRET, "persistence": {**VOLUME, "accessModes": ["ReadWriteOnce"]}},
    {"type": "validator", "signer": {"kind": "remote"}, "persistence": {"kind": "ephemeral"}},
    {"persistence": {**VOLUME, "accessModes": ["ReadWriteMany"]}},
    {"genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'}},
    {"software": HUB, "genesis": {"kind": "inline", "text": '{"chain_id": "cosmoshub-4"}'}},
    {"genesis": {"kind": "url", "urlFrom": URL_FROM}, "snapshot": {"kind": "url", "urlFrom": URL_FROM}},
    {"stateSync": {"rpcServers": ["http://a.example.org:26657", SERVERS[0]], **TRUST}},
    {"routes": {**SECURE_ROUTES, "api": {"hosts": ["a.example.org"]}, "grpc": {"hosts": ["b.example.org"]}}},
    {"software": ON_ROCKS},
    {**rows((0,)), "software": ON_ROCKS},
    {"type": "validator", "replicas": 0, "signer": {"kind": "remote"}},
    {"type": "validator", "signer": {"kind": "remote"}},
    {"type": "sentry", "replicas": 3},
    {"type": "sentry", "signer": {"kind": "none"}},
    {"type": "sentry", "signer": {"kind": "remote", "startDelay": "0s"}},
    {"signer": {"kind": "none"}},
    {"routes": ROUTES},
    {"type": "sentry", "routes": ROUTES},
    {"rpcService": {"type": "NodePort", "allowPublic": True, "externalTrafficPolicy": "Local"}},
    LOCAL,
    LOCAL_COMET,
    {**LOCAL, "type": "validator"},
    {**LOCAL, "replicas": 6},
    {**LOCAL, "replicas": 6, "type": "archive"},
    {**LOCAL, "software": {key: value for key, value in COSMOS.items() if key != "minGasPrice"}},
    local(accounts={ACCOUNT: "5stake,7token"}, appState={"gov": {}}),
    local(stake=1_000_000, balance=1_000_000),
    {"software": HUB, "genesis": None},
    {"genesis": {"kind": "default"}},
    {"genesis": {"kind": "url", "url": "https://rpc.example.org/genesis"}},
    {"genesis": {"kind": "url", "url": "https://example.org/GENESIS.JSON.GZ?raw=true#top"}},
    {"genesis": {"kind": "script", "script": "cp /genesis.json $DEST"}},
    {"snapshot": {"kind": "url", "url": "https://example.org/snapshot.tar.zst?token=1"}},
    {"snapshot": {"kind": "script", "script": "true"}},
    {"stateSync": {"rpcServers": SERVERS, **TRUST}},
    {"stateSync": {"rpcServers": SERVERS, "trustServers": True}},
    {"replicas": 2, "stateSync": {"siblings": True}},
    {"software": OSMOSIS, "versions": {"preset": True}, "image": BARE},
    {"software": OSMOSIS, "image": BARE},
    rows((0,)),
    rows((0, 9), (10,)),
    rows((0,), (10, 20), (21,)),
    {**rows((5,)), "software": {**COSMOS, "shell": False}},
    {**rows((0,), (10,)), "software": COMET},
    {**rows((0,)), "versions": [{"height": 0, "image": {"digest": DIGEST}}]},
    {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "latest", "allowMovingTag": True}}]},
    {"image": None, "versions": [{"height": 0, "image": {"repository": "registry.example.org/simd", "tag": "v1"}}]},
    {"image": {**BARE, "digest": DIGEST}},
    {"software": COMET, "image": None},
    {"software": {**COSMOS, "app": {"haltHeight": 5}}},
    {"persistence": CLAIM},
    {"replicas": 2, "persistence": CLAIM, "nodes": {"1": {"existingClaim": "other"}}},
    {"replicas": 2, "nodes": {"0": {"existingClaim": Later()}, "1": {"existingClaim": Later()}}},
    {"persistence": {**VOLUME, "fromSnapshot": "snap"}},
    {"replicas": 2, "nodes": {"0": {"fromSnapshot": "snap"}, "1": {"size": "1Ti"}}},
    {
        "peersFrom": [
            {"set": "a"},
            {"set": "a", "stack": "org/project/prod", "public": True},
            {"peers": [PEER]},
            {"peers": Later()},
        ]
    },
    {"peers": {"seeds": [], "persistent": [PEER], "privateIds": [A], "unconditionalIds": [B]}},
]


@broken("nodes", NODES)
def test_what_is_said_of_nodes_that_are_not_there_or_not_dialled(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("ports", PORTS)
def test_no_port_is_taken_twice_in_a_pod(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("software", SOFTWARE)
def test_the_software_is_held_against_type_and_network(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@pytest.mark.parametrize("given", SOUND, ids=["-".join(given) for given in SOUND])
def test_what_comes_near_and_is_sound_gives_objects(given: Given) -> None:
    assert list(plan(**given).manifests())


def test_all_broken_rules_are_told_at_once() -> None:
    given: Given = {"type": "validator", "genesis": None, "image": None, "ports": {"rpc": 26656}, "nodes": {"7": {}}}
    assert [line.partition(":")[0] for line in refusals(**given)] == [
        *("nodes.7", "ports", "signer", "genesis", "image.repository", "image.tag")
    ]


# ---- names


@pytest.mark.parametrize(
    ("length", "given", "most"),
    [
        (51, {}, 50),
        (50, {"replicas": 11}, 49),
        (49, {"firstOrdinal": 100}, 48),
        (49, {"exposure": {"kind": "loadBalancer"}}, 48),
    ],
)
def test_a_name_whose_objects_would_pass_what_kubernetes_takes_is_refused(length: int, given: Given, most: int) -> None:
    (line,) = named("c" * length, **given)
    assert line.startswith(f"blockchainNodeSets.{'c' * length}: the name of its last node, {'c' * length}-")
    assert line.endswith(f"use a name of at most {most}")
    every = [one["metadata"]["name"] for one in plan("c" * most, **given).manifests() if one["kind"] == "Service"]
    assert max(map(len, every)) <= 63


@pytest.mark.parametrize("name", ["1hub", "Hub", "hub.a", "-hub", ""])
def test_a_name_that_no_service_may_have_is_refused(name: str) -> None:
    (line,) = named(name)
    assert f": {name!r} is refused as a name: names of Services have lower-case letters, digits and hyphens" in line


def test_a_set_is_no_peer_of_itself() -> None:
    assert named("hub", peersFrom=[{"set": "other"}, {"set": "hub"}]) == [
        "blockchainNodeSets.hub.peersFrom[1].set: is the set itself, whose nodes know each other anyway; leave it out"
    ]
    plan("hub", peersFrom=[{"set": "hub", "stack": "org/project/prod"}])


def test_a_value_of_another_resource_is_one_of_the_models() -> None:
    assert isinstance(Later(), Deferred)
