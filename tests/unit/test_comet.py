"""config.toml of a node: what its role and the user's settings make of it, in the spelling of CometBFT's own file.

The tables were written from `config/toml.go` of CometBFT; the last test holds them against the file that a real one makes.
"""

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nodestead.config.base import ConfigError, Model, parse
from nodestead.kubernetes.objects import Late
from nodestead.software.chain_spec import ChainRole, ChainType, Overrides, merged
from nodestead.software.comet import COMPUTED, CometConfig, comet_files, comet_role_problems


def role(node_type: ChainType = "full", **given: Any) -> ChainRole:
    decided: dict[str, Any] = {
        "moniker": "hub-0",
        "type": node_type,
        "home": "/home/operator/cosmos",
        "p2p_port": 26656,
        "rpc_port": 26657,
        "api_port": 1317,
        "grpc_port": 9090,
        "grpc_web_port": 9091,
        "metrics_port": 26660,
        "privval_port": 1234,
        "persistent_peers": "a@hub-1-p2p:26656",
        "private_peer_ids": "a",
        "unconditional_peer_ids": "a,b",
        "seeds": "c@seed:26656",
    }
    return ChainRole(**(decided | given))


def files(given: dict[str, Any] | None = None, node_type: ChainType = "full", **decided: Any) -> dict[str, Any]:
    return comet_files(parse(CometConfig, given or {}), role(node_type, **decided))


def refusals(model: type[Model], given: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(model, given)
    return error.value.problems


# ---- what a node has without settings

P2P = {
    "laddr": "tcp://0.0.0.0:26656",
    "persistent_peers": "a@hub-1-p2p:26656",
    "seeds": "c@seed:26656",
    "private_peer_ids": "a",
    "unconditional_peer_ids": "a,b",
    "max_num_inbound_peers": 20,
    "max_num_outbound_peers": 20,
    "pex": True,
    "seed_mode": False,
    "allow_duplicate_ip": False,
}
FULL = {
    "priv_validator_key_file": "/run/nodestead-keys/priv_validator_key.json",
    "moniker": "hub-0",
    "db_backend": "goleveldb",
    "log_level": "info",
    "log_format": "plain",
    "node_key_file": "/run/nodestead-keys/node_key.json",
    "priv_validator_laddr": "",
    "p2p": P2P,
    "rpc": {"laddr": "tcp://0.0.0.0:26657", "cors_allowed_origins": []},
    "tx_index": {"indexer": "kv"},
    "statesync": {"temp_dir": "/home/operator/cosmos/tmp"},
    "instrumentation": {"prometheus": True, "prometheus_listen_addr": ":26660"},
}
NO_KEY = {"priv_validator_key_file": None}
LISTENS = NO_KEY | {"priv_validator_laddr": "tcp://0.0.0.0:1234"}
UNINDEXED = {"tx_index": {"indexer": "null"}}


@pytest.mark.parametrize(
    ("node_type", "decided", "others"),
    [
        ("full", {}, {}),
        ("archive", {}, {}),
        ("sentry", {"remote_signer": True}, LISTENS | UNINDEXED),
        # One that shields a validator with a key of its own has no signer to wait for.
        ("sentry", {}, UNINDEXED),
        ("validator", {}, UNINDEXED),
        ("validator", {"remote_signer": True}, LISTENS | UNINDEXED),
        (
            "validator",
            {"behind_sentries": True},
            UNINDEXED | {"p2p": P2P | {"pex": False}},
        ),
        ("seed", {}, UNINDEXED | {"p2p": P2P | {"seed_mode": True}}),
        ("full", {"peers_share_address": True}, {"p2p": P2P | {"allow_duplicate_ip": True}}),
        ("full", {"local": True}, {"p2p": P2P | {"addr_book_strict": False}}),
        (
            "full",
            {"keys_dir": "/k"},
            {"node_key_file": "/k/node_key.json", "priv_validator_key_file": "/k/priv_validator_key.json"},
        ),
        # Who develops looks for transactions, on whichever node.
        ("validator", {"local": True}, {"p2p": P2P | {"addr_book_strict": False}}),
        (
            "full",
            {"p2p_port": 1, "rpc_port": 2, "metrics_port": 3, "home": "/h"},
            {
                "p2p": P2P | {"laddr": "tcp://0.0.0.0:1"},
                "rpc": {"laddr": "tcp://0.0.0.0:2", "cors_allowed_origins": []},
                "instrumentation": {"prometheus": True, "prometheus_listen_addr": ":3"},
                "statesync": {"temp_dir": "/h/tmp"},
            },
        ),
    ],
)
def test_each_type_of_node_has_its_file(node_type: ChainType, decided: dict[str, Any], others: dict[str, Any]) -> None:
    expected = {key: value for key, value in (FULL | others).items() if value is not None}
    assert files(node_type=node_type, **decided) == expected


def test_values_of_deploy_time_go_through_untouched() -> None:
    peers = Late((), lambda: "x", "stand-in")
    assert files(persistent_peers=peers)["p2p"]["persistent_peers"] is peers


# ---- what is asked for

SET: dict[str, Any] = {
    "p2p": {
        "maxInboundPeers": 0,
        "maxOutboundPeers": 1,
        "pex": False,
        "allowDuplicateIp": True,
        "addrBookStrict": True,
        "persistentPeersMaxDialPeriod": "0s",
        "flushThrottleTimeout": "10ms",
        "maxPacketMsgPayloadSize": 2048,
        "sendRate": 5,
        "recvRate": 6,
        "handshakeTimeout": "20s",
        "dialTimeout": "3s",
    },
    "rpc": {
        "corsAllowedOrigins": ["*", "https://*.example.org"],
        "corsAllowedMethods": ["GET"],
        "corsAllowedHeaders": ["X-Server-Time"],
        "maxOpenConnections": 7,
        "maxSubscriptionClients": 8,
        "maxSubscriptionsPerClient": 9,
        "maxRequestBatchSize": 10,
        "maxBodyBytes": 11,
        "maxHeaderBytes": 12,
        "timeoutBroadcastTxCommit": "10s",
    },
    "mempool": {
        "type": "flood",
        "recheck": False,
        "broadcast": True,
        "size": 13,
        "cacheSize": 14,
        "keepInvalidTxsInCache": True,
        "maxTxsBytes": 16,
        "maxTxBytes": 15,
    },
    "consensus": {
        "timeoutPropose": "3s",
        "timeoutProposeDelta": "500ms",
        "timeoutPrevote": "1s",
        "timeoutPrevoteDelta": "0s",
        "timeoutPrecommit": "1s",
        "timeoutPrecommitDelta": "1ms",
        "timeoutCommit": "1m",
        "skipTimeoutCommit": True,
        "createEmptyBlocks": False,
        "createEmptyBlocksInterval": "10m",
        "doubleSignCheckHeight": 17,
        "peerGossipSleepDuration": "100ms",
    },
    "txIndex": {"indexer": "psql", "psqlConnection": {"name": "db", "key": "url"}},
    "storage": {"discardAbciResponses": True},
    "stateSync": {"trustPeriod": "2w", "discoveryTime": "15s", "chunkRequestTimeout": "10s", "chunkFetchers": 4},
    "blockSync": {"version": "v0"},
    "instrumentation": {"namespace": "tendermint", "maxOpenConnections": 18},
}
TOLD: dict[str, Any] = {
    "p2p": P2P
    | {
        "max_num_inbound_peers": 0,
        "max_num_outbound_peers": 1,
        "pex": False,
        "allow_duplicate_ip": True,
        "addr_book_strict": True,
        "persistent_peers_max_dial_period": "0s",
        "flush_throttle_timeout": "10ms",
        "max_packet_msg_payload_size": 2048,
        "send_rate": 5,
        "recv_rate": 6,
        "handshake_timeout": "20s",
        "dial_timeout": "3s",
    },
    "rpc": {
        "laddr": "tcp://0.0.0.0:26657",
        "cors_allowed_origins": ["*", "https://*.example.org"],
        "cors_allowed_methods": ["GET"],
        "cors_allowed_headers": ["X-Server-Time"],
        "max_open_connections": 7,
        "max_subscription_clients": 8,
        "max_subscriptions_per_client": 9,
        "max_request_batch_size": 10,
        "max_body_bytes": 11,
        "max_header_bytes": 12,
        "timeout_broadcast_tx_commit": "10s",
    },
    "mempool": {
        "type": "flood",
        "recheck": False,
        "broadcast": True,
        "size": 13,
        "cache_size": 14,
        "keep-invalid-txs-in-cache": True,
        "max_txs_bytes": 16,
        "max_tx_bytes": 15,
    },
    "consensus": {
        "timeout_propose": "3s",
        "timeout_propose_delta": "500ms",
        "timeout_prevote": "1s",
        "timeout_prevote_delta": "0s",
        "timeout_precommit": "1s",
        "timeout_precommit_delta": "1ms",
        "timeout_commit": "1m0s",
        "skip_timeout_commit": True,
        "create_empty_blocks": False,
        "create_empty_blocks_interval": "10m0s",
        "double_sign_check_height": 17,
        "peer_gossip_sleep_duration": "100ms",
    },
    # The connection holds a password; it comes from a Secret by the environment.
    "tx_index": {"indexer": "psql"},
    "storage": {"discard_abci_responses": True},
    "statesync": {
        "temp_dir": "/home/operator/cosmos/tmp",
        "trust_period": "336h0m0s",
        "discovery_time": "15s",
        "chunk_request_timeout": "10s",
        "chunk_fetchers": "4",
    },
    "blocksync": {"version": "v0"},
    "instrumentation": {
        "prometheus": True,
        "prometheus_listen_addr": ":26660",
        "namespace": "tendermint",
        "max_open_connections": 18,
    },
}


def test_every_setting_has_its_key() -> None:
    assert files(SET) == FULL | TOLD
    assert files({"mempool": {"version": "v1"}}) == FULL | {"mempool": {"version": "v1"}}


def leaves(model: type[Model], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        here = (*path, field.alias or name)
        found |= leaves(inner, here) if isinstance(inner, type) and issubclass(inner, Model) else {here}
    return found


def test_no_setting_is_missing_above() -> None:
    assert {(section, name) for section, values in SET.items() for name in values} | {("mempool", "version")} == leaves(
        CometConfig
    )


@pytest.mark.parametrize(
    ("given", "decided", "section", "key", "value"),
    [
        ({"p2p": {"pex": True}}, {"behind_sentries": True}, "p2p", "pex", True),
        ({"p2p": {"allowDuplicateIp": False}}, {"peers_share_address": True}, "p2p", "allow_duplicate_ip", False),
        ({"p2p": {"addrBookStrict": True}}, {"local": True}, "p2p", "addr_book_strict", True),
        ({"txIndex": {"indexer": "kv"}}, {"node_type": "validator"}, "tx_index", "indexer", "kv"),
        ({"txIndex": {"indexer": "null"}}, {}, "tx_index", "indexer", "null"),
    ],
)
def test_what_is_said_wins_over_the_role(
    given: dict[str, Any], decided: dict[str, Any], section: str, key: str, value: object
) -> None:
    assert files(given, **decided)[section][key] == value


# ---- refusals

DURATION = "'x' is not a duration; write whole numbers with w, d, h, m, s or ms, as in 500ms or 1h30m"
NOTHING = "'0s' is no time at all; write at least 1ms"
BOOL = "'yes' has the wrong type; write true or false without quotes"
LOW = "-1 is refused: input should be greater than or equal to 0; change it to fit"
REFUSED: list[tuple[str, object, str]] = [
    ("p2p.maxInboundPeers", -1, LOW),
    ("p2p.maxOutboundPeers", "20", "'20' has the wrong type; write a whole number without quotes"),
    ("p2p.pex", "yes", BOOL),
    ("p2p.allowDuplicateIp", "yes", BOOL),
    ("p2p.addrBookStrict", "yes", BOOL),
    ("p2p.persistentPeersMaxDialPeriod", "x", DURATION),
    ("p2p.flushThrottleTimeout", "0s", NOTHING),
    ("p2p.maxPacketMsgPayloadSize", 63, "63 is refused: input should be greater than or equal to 64; change it to fit"),
    ("p2p.sendRate", -1, LOW),
    ("p2p.recvRate", -1, LOW),
    ("p2p.handshakeTimeout", "0s", NOTHING),
    ("p2p.dialTimeout", "x", DURATION),
    ("rpc.corsAllowedMethods", "GET", "'GET' has the wrong type; write a list"),
    ("rpc.corsAllowedHeaders", "Origin", "'Origin' has the wrong type; write a list"),
    ("rpc.maxOpenConnections", -1, LOW),
    ("rpc.maxSubscriptionClients", -1, LOW),
    ("rpc.maxSubscriptionsPerClient", -1, LOW),
    ("rpc.maxRequestBatchSize", -1, LOW),
    ("rpc.maxBodyBytes", -1, LOW),
    ("rpc.maxHeaderBytes", -1, LOW),
    ("rpc.timeoutBroadcastTxCommit", "0s", NOTHING),
    ("mempool.type", "priority", "'priority' is not known; use one of 'flood', 'nop' or 'app'"),
    ("mempool.version", "v2", "'v2' is not known; use one of 'v0' or 'v1'"),
    ("mempool.recheck", "yes", BOOL),
    ("mempool.broadcast", "yes", BOOL),
    ("mempool.size", -1, LOW),
    ("mempool.cacheSize", -1, LOW),
    ("mempool.keepInvalidTxsInCache", "yes", BOOL),
    ("mempool.maxTxsBytes", -1, LOW),
    ("mempool.maxTxBytes", -1, LOW),
    ("consensus.timeoutPropose", "x", DURATION),
    ("consensus.timeoutProposeDelta", "x", DURATION),
    ("consensus.timeoutPrevote", "x", DURATION),
    ("consensus.timeoutPrevoteDelta", "x", DURATION),
    ("consensus.timeoutPrecommit", "x", DURATION),
    ("consensus.timeoutPrecommitDelta", "x", DURATION),
    ("consensus.timeoutCommit", "x", DURATION),
    ("consensus.skipTimeoutCommit", "yes", BOOL),
    ("consensus.createEmptyBlocks", "yes", BOOL),
    ("consensus.createEmptyBlocksInterval", "x", DURATION),
    ("consensus.doubleSignCheckHeight", -1, LOW),
    ("consensus.peerGossipSleepDuration", "0s", NOTHING),
    # Unquoted, YAML reads null as nothing, which would be the opposite for a full node.
    ("txIndex.indexer", None, "is not known; use one of 'auto', 'kv', 'null' or 'psql'"),
    ("storage.discardAbciResponses", "yes", BOOL),
    ("stateSync.trustPeriod", "0s", NOTHING),
    ("stateSync.discoveryTime", "4s", "4s is refused by the node; write at least 5s, or 0s"),
    ("stateSync.chunkRequestTimeout", "4999ms", "4.999s is refused by the node; write at least 5s"),
    ("stateSync.chunkFetchers", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("blockSync.version", "v2", "'v2' is not known; use one of 'v0'"),
    (
        "instrumentation.namespace",
        "a-b",
        "'a-b' is refused: string should match pattern '^[a-zA-Z_][a-zA-Z0-9_]{0,62}$'; change it to fit",
    ),
    ("instrumentation.maxOpenConnections", -1, LOW),
]


@pytest.mark.parametrize(("path", "value", "told"), REFUSED, ids=[path for path, _, _ in REFUSED])
def test_a_setting_that_the_node_cannot_take_is_refused(path: str, value: object, told: str) -> None:
    section, key = path.split(".")
    assert refusals(CometConfig, {section: {key: value}}) == [f"{path}: {told}"]


def test_no_setting_is_without_a_refusal() -> None:
    elsewhere = {("rpc", "corsAllowedOrigins"), ("txIndex", "psqlConnection")}
    assert {tuple(path.split(".")) for path, _, _ in REFUSED} | elsewhere == leaves(CometConfig)


@pytest.mark.parametrize(
    "origin", ["example.org", "https://a*b*c", "https://example.org/path", "https://", "", 'https://a"', "**"]
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    assert refusals(CometConfig, {"rpc": {"corsAllowedOrigins": [origin]}})[0].startswith("rpc.corsAllowedOrigins[0]: ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"txIndex": {"indexer": "psql"}},
            "txIndex.psqlConnection: is required for psql; name the Secret that has the connection",
        ),
        (
            {"txIndex": {"psqlConnection": {"name": "db", "key": "url"}}},
            "txIndex.psqlConnection: is not used with indexer auto; set that to psql or leave it out",
        ),
        (
            {"mempool": {"maxTxsBytes": 10, "maxTxBytes": 11}},
            "mempool.maxTxBytes: 11 is more than maxTxsBytes 10; raise that or lower it",
        ),
        (
            {"mempool": {"type": "flood", "version": "v1"}},
            "mempool.version: is of versions that know no type; give the one that the node's version knows",
        ),
        (
            {"mempool": {"type": "nop"}, "consensus": {"createEmptyBlocks": False}},
            "consensus.createEmptyBlocks: false is refused by the node with mempool type nop; leave it out",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], told: str) -> None:
    assert refusals(CometConfig, given) == [told]


def test_a_seed_exchanges_peers() -> None:
    quiet = parse(CometConfig, {"p2p": {"pex": False}})
    assert [(p.path, p.message) for p in comet_role_problems(quiet, "seed")] == [
        (("config", "p2p", "pex"), "false leaves a seed with nothing to tell; leave it out, or choose another type")
    ]
    assert not list(comet_role_problems(quiet, "full"))
    assert not list(comet_role_problems(CometConfig(), "seed"))


# ---- the last word


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 1, "d": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a_b": {"c-d": 1}}, {"a-b": {"c_d": 2, "E_f": 3}}, {"a_b": {"c-d": 2, "E_f": 3}}),
        ({"a": 1}, {"A": 2}, {"a": 2}),
        ({}, {"a": {"b": {}}}, {"a": {"b": {}}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
    ],
)
def test_overrides_win_key_by_key_whatever_the_spelling(
    base: dict[str, Any], over: dict[str, Any], result: dict[str, Any]
) -> None:
    before = repr(base)
    assert merged(base, over) == result
    assert repr(base) == before


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"p2p": {"x": None}}, "config.p2p.x: has no value, and TOML knows no null; give one or leave the key out"),
        ({"x": [1, None]}, "config.x[1]: has no value, and TOML knows no null; give one or leave the key out"),
        ({"x": [1, "a"]}, "config.x: mixes types; write items of one type"),
        ({"x": [1, True]}, "config.x: mixes types; write items of one type"),
        ({"x": 2**63}, "config.x: does not fit 64 bits; write it in quotes if the node takes a text"),
        ({"x": float("nan")}, "config.x: is no finite number; write one"),
        ({"x": b"a"}, "config.x: has no place in the file; write a text, a number, true, false, a list or a mapping"),
        ({"a_b": 1, "a-b": 2}, "config.a-b: is a_b in other letters; leave one of them"),
        ({"p2p": {"Laddr": 1, "laddr": 2}}, "config.p2p.laddr: is Laddr in other letters; leave one of them"),
    ],
)
def test_what_no_toml_file_can_hold_is_refused(config: dict[str, Any], told: str) -> None:
    assert told in refusals(Overrides, {"config": config})


@pytest.mark.parametrize("key", ["p2p.laddr", "", "a b", 1, 'a"', "é"])
def test_a_key_that_the_node_would_read_otherwise_is_refused(key: object) -> None:
    (line,) = refusals(Overrides, {"config": {"p2p": {key: 1}}})
    assert "is no key of the file; write letters, digits, - and _" in line


def test_a_value_of_each_kind_may_be_given() -> None:
    given = {"a": "x", "b": 1, "c": -1.5, "d": True, "e": [[1], [2, 3]], "f": [{"g": 1}], "h": {"i": {}}}
    assert parse(Overrides, {"config": given}).config == given


def told_of(config: dict[str, Any], *, replace: bool = False) -> list[str]:
    given = parse(Overrides, {"config": config, "replaceComputed": replace})
    found = given.computed_problems({"config": COMPUTED}, "config.tx_index.psql_conn")
    return [f"{'.'.join(map(str, p.path))}: {p.message}" for p in found]


@pytest.mark.parametrize("key", sorted(COMPUTED))
@pytest.mark.parametrize("style", ["_", "-", "upper"])
def test_every_computed_key_is_refused_in_every_spelling(key: str, style: str) -> None:
    *sections, name = key.upper().split(".") if style == "upper" else key.replace("_", style).split(".")
    config: dict[str, Any] = {name: "x"}
    for section in reversed(sections):
        config = {section: config}
    (line,) = told_of(config)
    assert line.startswith(f"overrides.config.{'.'.join([*sections, name])}: ")
    assert COMPUTED[key] in line
    never = {"tx_index.psql_conn", "priv_validator_key_file", "priv_validator_state_file"}
    assert bool(told_of(config, replace=True)) == (key in never)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"p2p": {"persistent-peers": ""}}, ["p2p.persistent-peers: is computed; set peers.persistent of the set"]),
        # A leaf in the place of a section.
        (
            {"instrumentation": "off"},
            [
                "instrumentation: is computed (instrumentation.prometheus); set monitoring of the set",
                "instrumentation: is computed (instrumentation.prometheus_listen_addr); set ports.metrics of the set",
            ],
        ),
        # And sections in the place of a leaf.
        ({"moniker": {}}, ["moniker: is computed; it is the node's name; leave it out"]),
        ({"moniker": {"x": 1}}, ["moniker.x: is computed; it is the node's name; leave it out"]),
        ({"p2p": {}}, []),
        ({"p2p": {"upnp": True}, "mempool": {"ttl-num-blocks": 5}, "filter_peers": True}, []),
    ],
)
def test_an_override_of_what_is_computed_says_what_to_do(config: dict[str, Any], told: list[str]) -> None:
    assert told_of(config) == [f"overrides.config.{line}, or set overrides.replaceComputed to true" for line in told]


@pytest.mark.parametrize("replace", [False, True])
def test_a_password_never_comes_into_a_config_map(replace: bool) -> None:
    assert told_of({"tx_index": {"psql-conn": "postgresql://u:p@h/d"}}, replace=replace) == [
        "overrides.config.tx_index.psql-conn: would lie readable in a ConfigMap; set config.txIndex.psqlConnection"
    ]


# ---- the real file


def test_every_key_is_one_of_the_file_that_cometbft_makes(tmp_path: Path) -> None:
    binary = shutil.which("cometbft")
    if binary is None:
        pytest.skip("no cometbft on PATH, so the keys of config.toml are not held against a real file")
    subprocess.run([binary, "init", "--home", tmp_path], env={"CMTHOME": ""}, check=True, capture_output=True)
    real = tomllib.loads((tmp_path / "config" / "config.toml").read_text())
    written = files(SET, "validator")
    for section, values in written.items():
        table = {section: values} if not isinstance(values, dict) else values
        there = real if not isinstance(values, dict) else real[section]
        wrong = {key for key, value in table.items() if key not in there or type(there[key]) is not type(value)}
        assert wrong == set(), section
    # What is refused as computed is a key too, or it would refuse nothing.
    spelled = {name: {key.replace("-", "_") for key in table} for name, table in real.items() if isinstance(table, dict)}
    unknown = {key for key in COMPUTED if key not in real and key.partition(".")[2] not in spelled.get(key.partition(".")[0], ())}
    assert unknown == set()
