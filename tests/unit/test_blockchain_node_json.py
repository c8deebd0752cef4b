"""What the agents of a chain node read in node.json."""

from typing import Any

import pytest
from chains import BY_SECRET, COMET, COSMOS, GENESIS, LOCAL, OSMOSIS, comet, container, env, find, node_json, plan
from set_objects import NODE_PORT

from nodestead.preview.yaml_text import plain


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
