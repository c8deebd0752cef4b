"""A node of a Cosmos SDK chain: its files, its arguments, and what no such node can be told.

The tables were written from `server/config/toml.go` and `server/start.go` of the SDK; the last tests hold them against simd.
"""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nodestead.config.base import ConfigError, Model, parse
from nodestead.config.pod import KeyRef
from nodestead.kubernetes.objects import Late
from nodestead.software.app_toml import APP_COMPUTED, AppConfig
from nodestead.software.chain_spec import ChainRole, ChainSpec, ChainType
from nodestead.software.cosmos import CosmosChain, cosmos_spec

GIVEN: dict[str, Any] = {"kind": "cosmos", "chainId": "hub-1", "binary": "gaiad", "minGasPrice": "0.005uatom"}


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


def chain(**given: Any) -> CosmosChain:
    return parse(CosmosChain, GIVEN | given)


def spec(node_type: ChainType = "full", decided: dict[str, Any] | None = None, **given: Any) -> ChainSpec:
    return cosmos_spec(chain(**given), role(node_type, **(decided or {})))


def refusals(**given: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(CosmosChain, {name: value for name, value in (GIVEN | given).items() if value is not ...})
    return error.value.problems


# ---- files

CONFIG = {
    "priv_validator_key_file": "/run/nodestead-keys/priv_validator_key.json",
    "moniker": "hub-0",
    "db_backend": "goleveldb",
    "log_level": "info",
    "log_format": "plain",
    "node_key_file": "/run/nodestead-keys/node_key.json",
    "priv_validator_laddr": "",
    "p2p": {
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
    },
    "rpc": {"laddr": "tcp://0.0.0.0:26657", "cors_allowed_origins": []},
    "tx_index": {"indexer": "kv"},
    "statesync": {"temp_dir": "/home/operator/cosmos/tmp"},
    "instrumentation": {"prometheus": True, "prometheus_listen_addr": ":26660"},
}
APP = {
    "minimum-gas-prices": "0.005uatom",
    "app-db-backend": "goleveldb",
    "api": {"enable": True, "swagger": True, "address": "tcp://0.0.0.0:1317", "enabled-unsafe-cors": False},
    "grpc": {"enable": True, "address": "0.0.0.0:9090"},
    "grpc-web": {"enable": True, "address": "0.0.0.0:9091", "enable-unsafe-cors": False},
}
CLIENT = {"chain-id": "hub-1", "node": "tcp://localhost:26657"}
NO_KEY = {"priv_validator_key_file": None}
UNINDEXED = {"tx_index": {"indexer": "null"}}
LISTENS = NO_KEY | {"priv_validator_laddr": "tcp://0.0.0.0:1234"}


@pytest.mark.parametrize(
    ("node_type", "decided", "config", "app"),
    [
        ("full", {}, {}, {}),
        ("archive", {}, {}, {"pruning": "nothing"}),
        ("sentry", {"remote_signer": True}, LISTENS | UNINDEXED, {}),
        ("validator", {}, UNINDEXED, {}),
        ("seed", {}, UNINDEXED | {"p2p": CONFIG["p2p"] | {"seed_mode": True}}, {}),
    ],
)
def test_each_type_of_node_has_its_files(
    node_type: ChainType, decided: dict[str, Any], config: dict[str, Any], app: dict[str, Any]
) -> None:
    expected = {key: value for key, value in (CONFIG | config).items() if value is not None}
    assert spec(node_type, decided).files == {"config": expected, "app": APP | app, "client": CLIENT}


def test_ports_of_the_set_are_in_all_files() -> None:
    found = spec(decided={"rpc_port": 1, "api_port": 2, "grpc_port": 3, "grpc_web_port": 4}).files
    assert found["config"]["rpc"]["laddr"] == "tcp://0.0.0.0:1"
    assert found["client"]["node"] == "tcp://localhost:1"
    assert [found["app"][section]["address"] for section in ("api", "grpc", "grpc-web")] == [
        "tcp://0.0.0.0:2",
        "0.0.0.0:3",
        "0.0.0.0:4",
    ]


def test_values_of_deploy_time_go_through_untouched() -> None:
    peers = Late((), lambda: "x", "stand-in")
    assert spec(decided={"persistent_peers": peers}).files["config"]["p2p"]["persistent_peers"] is peers


SET: dict[str, Any] = {
    "pruning": {"strategy": "custom", "keepRecent": 100, "interval": 10, "keepEvery": 500, "minRetainBlocks": 7},
    "haltHeight": 8,
    "haltTime": 9,
    "interBlockCache": False,
    "indexEvents": ["message.sender"],
    "iavlCacheSize": 10,
    "iavlDisableFastnode": True,
    "api": {
        "enabled": True,
        "swagger": False,
        "enableUnsafeCors": True,
        "maxOpenConnections": 11,
        "rpcReadTimeout": 12,
        "rpcWriteTimeout": 13,
        "rpcMaxBodyBytes": 14,
    },
    "grpc": {"enabled": True, "maxRecvMsgSize": 15, "maxSendMsgSize": 16},
    "grpcWeb": {"enabled": False, "enableUnsafeCors": True},
    "stateSync": {"snapshotInterval": 1000, "snapshotKeepRecent": 18},
    "telemetry": {
        "enabled": True,
        "serviceName": "hub",
        "enableHostname": False,
        "enableHostnameLabel": True,
        "enableServiceLabel": False,
        "prometheusRetentionTime": 60,
        "globalLabels": {"chain_id": "hub-1"},
    },
}
TOLD = {
    "minimum-gas-prices": "0.005uatom",
    "pruning": "custom",
    # The file has these in quotes.
    "pruning-keep-recent": "100",
    "pruning-keep-every": "500",
    "pruning-interval": "10",
    "min-retain-blocks": 7,
    "halt-height": 8,
    "halt-time": 9,
    "inter-block-cache": False,
    "index-events": ["message.sender"],
    "iavl-cache-size": 10,
    "iavl-disable-fastnode": True,
    "app-db-backend": "goleveldb",
    "api": {
        "enable": True,
        "swagger": False,
        "address": "tcp://0.0.0.0:1317",
        "enabled-unsafe-cors": True,
        "max-open-connections": 11,
        "rpc-read-timeout": 12,
        "rpc-write-timeout": 13,
        "rpc-max-body-bytes": 14,
    },
    "grpc": {"enable": True, "address": "0.0.0.0:9090", "max-recv-msg-size": "15", "max-send-msg-size": "16"},
    "grpc-web": {"enable": False, "address": "0.0.0.0:9091", "enable-unsafe-cors": True},
    "state-sync": {"snapshot-interval": 1000, "snapshot-keep-recent": 18},
    "telemetry": {
        "enabled": True,
        "service-name": "hub",
        "enable-hostname": False,
        "enable-hostname-label": True,
        "enable-service-label": False,
        "prometheus-retention-time": 60,
        "global-labels": [["chain_id", "hub-1"]],
    },
}


def test_every_setting_of_the_application_has_its_key() -> None:
    assert spec(app=SET).files["app"] == TOLD


def leaves(model: type[Model], path: tuple[str, ...] = ()) -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, Model)]
        found |= leaves(inner[0], here) if inner else {".".join(here)}
    return found


def test_no_setting_of_the_application_is_missing_above() -> None:
    given = {
        f"{name}.{inner}" if isinstance(value, dict) else name
        for name, value in SET.items()
        for inner in (value if isinstance(value, dict) else ("",))
    }
    assert given == leaves(AppConfig)


@pytest.mark.parametrize("backend", ["goleveldb", "rocksdb", "pebbledb"])
def test_the_database_is_named_in_both_files_and_stays(backend: str) -> None:
    found = spec(databaseBackend=backend)
    assert (found.files["config"]["db_backend"], found.files["app"]["app-db-backend"]) == (backend, backend)
    assert found.unchangeable == {"chainId": "hub-1", "databaseBackend": backend}


@pytest.mark.parametrize(
    ("app", "serves"),
    [
        ({}, {"api", "grpc", "grpcWeb"}),
        ({"api": {"enabled": False}}, {"grpc", "grpcWeb"}),
        ({"grpc": {"enabled": False}}, {"api"}),
        ({"grpcWeb": {"enabled": False}}, {"api", "grpc"}),
    ],
)
def test_what_is_off_is_off_in_the_file_and_in_what_is_served(app: dict[str, Any], serves: set[str]) -> None:
    found = spec(app=app)
    assert found.serves == serves
    sections = {"api": "api", "grpc": "grpc", "grpcWeb": "grpc-web"}
    assert {name for name, section in sections.items() if found.files["app"][section]["enable"]} == serves


@pytest.mark.parametrize(
    ("written", "told"),
    [("0uatom", "0uatom"), (".5uatom", ".5uatom"), ("0.1ibc/AB12, 2uatom", "0.1ibc/AB12,2uatom"), ("1 uatom", "1uatom")],
)
def test_prices_are_told_as_every_version_reads_them(written: str, told: str) -> None:
    assert spec(minGasPrice=written).files["app"]["minimum-gas-prices"] == told


# ---- arguments


def test_a_node_is_made_and_started_by_these_arguments() -> None:
    found = spec()
    assert found.init == ("gaiad", "init", "hub-0", "--chain-id", "hub-1", "--home", "{defaults}", "--overwrite")
    assert found.start == (
        *("gaiad", "start", "--home", "/home/operator/cosmos"),
        *("--log_level", "info", "--log_format", "plain"),
    )
    assert (found.software, found.chain_id, found.version, found.image) == ("cosmos", "hub-1", None, None)
    assert found.has_app
    assert (found.env, found.secret_env) == ({}, {})


def test_what_is_asked_for_is_in_the_arguments() -> None:
    found = spec(
        skipInvariants=True,
        logLevel="consensus:debug,*:error",
        logFormat="json",
        initArgs=["--default-denom", "uatom"],
        startArgs=["--unsafe-skip-upgrades=5", "--trace"],
    )
    assert found.init[-3:] == ("--overwrite", "--default-denom", "uatom")
    assert found.start[4:] == (
        "--x-crisis-skip-assert-invariants",
        *("--log_level", "consensus:debug,*:error", "--log_format", "json"),
        *("--unsafe-skip-upgrades=5", "--trace"),
    )
    assert (found.files["config"]["log_level"], found.files["config"]["log_format"]) == ("consensus:debug,*:error", "json")


@pytest.mark.parametrize(
    ("binary", "name"),
    [
        ("gaiad", "GAIAD_TX_INDEX_PSQL_CONN"),
        ("/usr/bin/my-chain.d", "MY_CHAIN_D_TX_INDEX_PSQL_CONN"),
    ],
)
def test_a_connection_with_a_password_comes_by_the_environment(binary: str, name: str) -> None:
    found = spec(binary=binary, config={"txIndex": {"indexer": "psql", "psqlConnection": {"name": "db", "key": "url"}}})
    assert found.secret_env == {name: KeyRef(name="db", key="url")}
    assert found.files["config"]["tx_index"] == {"indexer": "psql"}


# ---- presets


@pytest.fixture
def preset_file(tmp_path: Path) -> str:
    content = {
        "name": "ours",
        "chainId": "ours-2",
        "network": "testnet",
        "binary": "oursd",
        "home": ".oursd",
        "prefix": "ours",
        "denom": "uours",
        "minGasPrice": "0.01uours",
        "genesisUrl": None,
        "repository": "registry.example.org/ours",
        "recommended": "v2",
        "sdk": None,
        "consensus": None,
    }
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_preset_says_what_is_not_given(preset_file: str) -> None:
    found = parse(CosmosChain, {"kind": "cosmos", "chain": preset_file})
    known = {name: found.known(name) for name in ("chain_id", "network", "binary", "prefix", "denom", "min_gas_price")}
    assert known == {
        "chain_id": "ours-2",
        "network": "testnet",
        "binary": "oursd",
        "prefix": "ours",
        "denom": "uours",
        "min_gas_price": "0.01uours",
    }
    made = cosmos_spec(found, role())
    assert (made.chain_id, made.image, made.version) == ("ours-2", ("registry.example.org/ours", "v2"), "v2")
    assert made.init[:5] == ("oursd", "init", "hub-0", "--chain-id", "ours-2")
    assert made.files["app"]["minimum-gas-prices"] == "0.01uours"
    assert not list(found.role_problems("full", local=False))


def test_what_is_given_wins_over_the_preset(preset_file: str) -> None:
    given = {
        "chainId": "mine-1",
        "network": "devnet",
        "binary": "mined",
        "addressPrefix": "mine",
        "denom": "umine",
        "minGasPrice": "1umine",
    }
    found = parse(CosmosChain, {"kind": "cosmos", "chain": preset_file, **given})
    names = ("chain_id", "network", "binary", "prefix", "denom", "min_gas_price")
    assert [found.known(name) for name in names] == list(given.values())
    assert not list(found.role_problems("full", local=True))
    # A public network's genesis and peers are those of the preset.
    assert [(p.path, p.message) for p in found.role_problems("full", local=False)] == [
        (
            ("chainId",),
            f"mine-1 is not the chain of {preset_file}, ours-2, whose genesis and peers are used; leave out one of the two",
        )
    ]


def test_a_preset_that_ships_is_found() -> None:
    found = parse(CosmosChain, {"kind": "cosmos", "chain": "cosmoshub-4"})
    assert (found.known("chain_id"), found.known("binary"), found.known("denom")) == ("cosmoshub-4", "gaiad", "uatom")


def test_only_a_closed_network_goes_without_a_price() -> None:
    found = parse(CosmosChain, {name: value for name, value in GIVEN.items() if name != "minGasPrice"})
    told = "is required: without it the node does not start; add it, as in 0.005uatom, or 0uatom to take transactions for nothing"
    assert [(p.path, p.message) for p in found.role_problems("full", local=False)] == [(("minGasPrice",), told)]
    assert not list(found.role_problems("full", local=True))
    assert cosmos_spec(found, role(local=True)).files["app"]["minimum-gas-prices"] == "0stake"
    denom = found.model_copy(update={"denom": "uatom"})
    assert cosmos_spec(denom, role(local=True)).files["app"]["minimum-gas-prices"] == "0uatom"


def test_a_seed_exchanges_peers() -> None:
    found = chain(config={"p2p": {"pex": False}})
    assert [p.path for p in found.role_problems("seed", local=False)] == [("config", "p2p", "pex")]


# ---- refusals

BOOL = "'yes' has the wrong type; write true or false without quotes"
LOW = "-1 is refused: input should be greater than or equal to 0; change it to fit"
WHOLE = "'1' has the wrong type; write a whole number without quotes"
REFUSED: list[tuple[str, object, str]] = [
    ("chain", "cosmoshub-5", "'cosmoshub-5': is no chain that is built in; did you mean cosmoshub-4?"),
    ("chain", "", "'' is refused: string should have at least 1 character"),
    ("chainId", "a b", "'a b' is refused: string should match pattern"),
    ("chainId", "a" * 51, "is refused: string should match pattern"),
    ("chainId", -1, "has the wrong type; write a text, in quotes"),
    ("chainId", ..., "is required without a preset; add it, or name the preset in chain"),
    ("network", "main net", "'main net' is refused: string should match pattern"),
    ("binary", "gaiad start", "'gaiad start' is refused: string should match pattern"),
    ("binary", "-gaiad", "'-gaiad' is refused: string should match pattern"),
    ("binary", ..., "is required without a preset; add it, or name the preset in chain"),
    ("home", "a/b", "'a/b' is refused: string should match pattern"),
    ("home", "..", "'..' is refused: string should match pattern"),
    ("home", ".", "'.' is refused: string should match pattern"),
    ("shell", "yes", BOOL),
    ("addressPrefix", "Cosmos", "'Cosmos' is refused: string should match pattern"),
    ("denom", "1atom", "'1atom' is refused: string should match pattern"),
    ("denom", "ua", "'ua' is refused: string should match pattern"),
    ("minGasPrice", "", "'' is no price; write amount and token, as in 0.005uatom,0.1ibc/ABC"),
    ("minGasPrice", "uatom", "'uatom' is no price"),
    ("minGasPrice", "1uatom;1uosmo", "'1uatom;1uosmo' is no price"),
    ("minGasPrice", "1uatom,", "'' is no price"),
    ("minGasPrice", "1.uatom", "'1.uatom' is no price"),
    ("minGasPrice", "0.0000000000000000001uatom", "'0.0000000000000000001uatom' is no price"),
    ("minGasPrice", "1uatom,2uatom", "has uatom twice; leave one price for each token"),
    ("logLevel", "verbose", "'verbose' is refused: string should match pattern"),
    ("logLevel", "consensus:debug,info", "'consensus:debug,info' is refused: string should match pattern"),
    ("logFormat", "text", "'text' is not known; use one of 'plain' or 'json'"),
    ("databaseBackend", "memdb", "'memdb' is not known; use one of 'goleveldb', 'rocksdb' or 'pebbledb'"),
    ("skipInvariants", "yes", BOOL),
    ("app.pruning.strategy", "some", "'some' is not known; use one of 'default', 'nothing', 'everything' or 'custom'"),
    ("app.pruning.keepRecent", 1, "1 is refused: input should be greater than or equal to 2; change it to fit"),
    ("app.pruning.keepRecent", 5, "counts with strategy custom only, and the node would ignore it; set that or leave it out"),
    ("app.pruning.interval", 9, "9 is refused: input should be greater than or equal to 10; change it to fit"),
    ("app.pruning.interval", 10, "counts with strategy custom only, and the node would ignore it; set that or leave it out"),
    ("app.pruning.keepEvery", -1, LOW),
    ("app.pruning.keepEvery", 5, "counts with strategy custom only, and the node would ignore it; set that or leave it out"),
    ("app.pruning.minRetainBlocks", -1, LOW),
    ("app.haltHeight", -1, LOW),
    ("app.haltTime", -1, LOW),
    ("app.interBlockCache", "yes", BOOL),
    ("app.indexEvents", "message.sender", "'message.sender' has the wrong type; write a list"),
    ("app.iavlCacheSize", -1, LOW),
    ("app.iavlDisableFastnode", "yes", BOOL),
    ("app.api.enabled", "yes", BOOL),
    ("app.api.swagger", "yes", BOOL),
    ("app.api.enableUnsafeCors", "yes", BOOL),
    ("app.api.maxOpenConnections", -1, LOW),
    ("app.api.rpcReadTimeout", -1, LOW),
    ("app.api.rpcWriteTimeout", "1", WHOLE),
    ("app.api.rpcMaxBodyBytes", -1, LOW),
    ("app.grpc.enabled", "yes", BOOL),
    ("app.grpc.maxRecvMsgSize", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    (
        "app.grpc.maxSendMsgSize",
        2**31,
        "2147483648 is refused: input should be less than or equal to 2147483647; change it to fit",
    ),
    ("app.grpcWeb.enabled", "yes", BOOL),
    ("app.grpcWeb.enableUnsafeCors", "yes", BOOL),
    ("app.stateSync.snapshotInterval", -1, LOW),
    ("app.stateSync.snapshotKeepRecent", -1, LOW),
    ("app.telemetry.enabled", "yes", BOOL),
    ("app.telemetry.serviceName", "a b", "'a b' is refused: string should match pattern"),
    ("app.telemetry.enableHostname", "yes", BOOL),
    ("app.telemetry.enableHostnameLabel", "yes", BOOL),
    ("app.telemetry.enableServiceLabel", "yes", BOOL),
    ("app.telemetry.prometheusRetentionTime", -1, LOW),
    ("overrides.replaceComputed", "yes", BOOL),
    ("overrides.config", {"a": None}, ""),
    ("overrides.app", {"a": None}, ""),
    ("overrides.client", {"a": None}, ""),
]


@pytest.mark.parametrize(("path", "value", "told"), REFUSED, ids=[f"{path}-{value}"[:60] for path, value, _ in REFUSED])
def test_a_setting_that_no_node_can_take_is_refused(path: str, value: object, told: str) -> None:
    first, *inner = path.split(".")
    if "telemetry" in path and not path.endswith("enabled"):
        given: Any = {"telemetry": {"enabled": True, inner[-1]: value}}
    else:
        given = value
        for key in reversed(inner):
            given = {key: given}
    (line,) = refusals(**{first: given})
    assert line.startswith(path)
    assert told in line


def test_no_setting_is_without_a_refusal() -> None:
    elsewhere = {"kind", "initArgs", "startArgs", "app.telemetry.globalLabels"}
    of_comet = {path for path in leaves(CosmosChain) if path.startswith("config.")}
    assert {path for path, _, _ in REFUSED} | elsewhere | of_comet == leaves(CosmosChain)


def test_a_label_of_metrics_that_prometheus_cannot_name_is_refused() -> None:
    assert "app.telemetry.globalLabels" in refusals(app={"telemetry": {"enabled": True, "globalLabels": {"a-b": "x"}}})[0]


@pytest.mark.parametrize(
    ("app", "told"),
    [
        ({"pruning": {"strategy": "custom", "interval": 10}}, ["pruning.keepRecent: is required for strategy custom; add it"]),
        (
            {"pruning": {"strategy": "custom"}},
            [
                "pruning.keepRecent: is required for strategy custom; add it",
                "pruning.interval: is required for strategy custom; add it",
            ],
        ),
        (
            {"pruning": {"strategy": "everything"}, "stateSync": {"snapshotInterval": 10}},
            ["stateSync.snapshotInterval: 10 is refused by the node with pruning everything; set that to custom or this to 0"],
        ),
        (
            {
                "pruning": {"strategy": "custom", "keepRecent": 2, "interval": 10, "keepEvery": 7},
                "stateSync": {"snapshotInterval": 10},
            },
            ["stateSync.snapshotInterval: 10 is no multiple of pruning.keepEvery 7; the node refuses that, make it one"],
        ),
        (
            {"grpc": {"enabled": False}, "grpcWeb": {"enabled": True}},
            ["grpcWeb.enabled: true needs gRPC; set grpc.enabled to true or leave it out"],
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(app: dict[str, Any], told: list[str]) -> None:
    assert refusals(app=app) == [f"app.{line}" for line in told]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--home", "/x"], "startArgs[0]: --home is computed; leave it out"),
        (["--home=/x"], "startArgs[0]: --home is computed; leave it out"),
        (
            ["--trace", "--halt-height=5"],
            "startArgs[1]: --halt-height is computed; set versions of the set or app.haltHeight instead",
        ),
        (["--p2p.persistent_peers=a"], "startArgs[0]: --p2p.persistent_peers is computed; set peers of the set instead"),
        (["--p2p.persistent-peers=a"], "startArgs[0]: --p2p.persistent-peers is computed; set peers of the set instead"),
        (["--rpc.laddr", "tcp://0.0.0.0:1"], "startArgs[0]: --rpc.laddr is computed; set ports of the set instead"),
        (["--priv_validator_laddr="], "startArgs[0]: --priv_validator_laddr is computed; set signer of the set instead"),
        (["--priv_validator_key_file=/x"], "startArgs[0]: --priv_validator_key_file is computed; leave it out"),
        (["--priv-validator-state-file", "/x"], "startArgs[0]: --priv-validator-state-file is computed; leave it out"),
        (["--node_key_file=/x"], "startArgs[0]: --node_key_file is computed; leave it out"),
        (["--log_level=debug"], "startArgs[0]: --log_level is computed; set logLevel instead"),
        (["--minimum-gas-prices=1uatom"], "startArgs[0]: --minimum-gas-prices is computed; set minGasPrice instead"),
        (["--grpc-only"], "startArgs[0]: --grpc-only is computed; the node is run with CometBFT; leave it out"),
        (["start"], "startArgs[0]: 'start' is no flag; begin with one, as in --name=value"),
    ],
)
def test_an_argument_of_start_that_says_what_is_said_elsewhere_is_refused(arguments: list[str], told: str) -> None:
    assert refusals(startArgs=arguments) == [told]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--chain-id=x"], "initArgs[0]: --chain-id is computed; set chainId instead"),
        (["--home=/x"], "initArgs[0]: --home is computed; leave it out"),
        (["-o"], "initArgs[0]: --o is computed; leave it out"),
        (["--recover"], "initArgs[0]: --recover is computed; it waits for somebody to type words; leave it out"),
    ],
)
def test_an_argument_of_init_that_says_what_is_said_elsewhere_is_refused(arguments: list[str], told: str) -> None:
    assert refusals(initArgs=arguments) == [told]


# ---- overrides


def test_overrides_come_last_in_each_file() -> None:
    found = spec(
        overrides={
            "config": {"p2p": {"max-num-inbound-peers": 99}, "mempool": {"ttl-num-blocks": 5}},
            "app": {"json-rpc": {"enable": True}, "api": {"swagger": False}},
            "client": {"keyring-backend": "test"},
        }
    ).files
    assert found == {
        "config": CONFIG | {"p2p": CONFIG["p2p"] | {"max_num_inbound_peers": 99}, "mempool": {"ttl-num-blocks": 5}},
        "app": APP | {"json-rpc": {"enable": True}, "api": APP["api"] | {"swagger": False}},
        "client": CLIENT | {"keyring-backend": "test"},
    }


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"config": {"p2p": {"laddr": "x"}}}, "config.p2p.laddr: is computed; set ports.p2p of the set"),
        ({"app": {"halt_height": 5}}, "app.halt_height: is computed; set versions of the set or app.haltHeight"),
        ({"app": {"grpc_web": {"address": "x"}}}, "app.grpc_web.address: is computed; set ports.grpcWeb of the set"),
        ({"client": {"chain-id": "x"}}, "client.chain-id: is computed; set chainId"),
    ],
)
def test_an_override_of_what_is_computed_has_to_be_asked_for(overrides: dict[str, Any], told: str) -> None:
    assert refusals(overrides=overrides) == [f"overrides.{told}, or set overrides.replaceComputed to true"]
    assert chain(overrides=overrides | {"replaceComputed": True})


def test_a_replaced_value_takes_the_place_of_the_computed_one() -> None:
    given = {"config": {"p2p": {"persistent-peers": "mine"}}, "replaceComputed": True}
    assert spec(overrides=given).files["config"]["p2p"] == CONFIG["p2p"] | {"persistent_peers": "mine"}


@pytest.mark.parametrize("key", sorted(APP_COMPUTED))
def test_every_computed_key_of_the_application_is_refused(key: str) -> None:
    section, _, name = key.rpartition(".")
    (line,) = refusals(overrides={"app": {section: {name: "x"}} if section else {name: "x"}})
    assert line.startswith(f"overrides.app.{key}: is computed; {APP_COMPUTED[key]}")


# ---- the real program


@pytest.fixture
def simd() -> str:
    found = shutil.which("simd")
    if found is None:
        pytest.skip("no simd on PATH, so keys and flags are not held against a real node")
    return found


def test_every_key_is_one_of_the_files_that_simd_makes(simd: str, tmp_path: Path) -> None:
    made = spec(binary=simd, app=SET, node_type="archive")
    argv = [argument.replace("{defaults}", str(tmp_path)) for argument in made.init]
    subprocess.run(argv, env={"HOME": str(tmp_path)}, check=True, capture_output=True)
    for name, written in made.files.items():
        real = tomllib.loads((tmp_path / "config" / f"{name}.toml").read_text())
        wrong = {
            f"{name}: {section}.{key}"
            for section, values in written.items()
            for key, value in (values if isinstance(values, dict) else {"": values}).items()
            for there in [real[section].get(key) if isinstance(values, dict) else real.get(section)]
            if type(there) is not type(value)
        }
        # The SDK has it no more since 0.46.
        assert wrong - {"app: pruning-keep-every."} == set()


def test_every_flag_is_one_of_simd(simd: str, tmp_path: Path) -> None:
    made = spec(binary=simd, skipInvariants=True, initArgs=["--staking-bond-denom", "uatom"])
    for command, argv in (("init", made.init), ("start", made.start)):
        told = subprocess.run([simd, command, "--help"], env={"HOME": str(tmp_path)}, check=True, capture_output=True, text=True)
        assert [flag for flag in argv if flag.startswith("--") and f"{flag} " not in told.stdout] == []
