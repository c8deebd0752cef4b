"""A node of CometBFT by itself: its files, its arguments, and what it cannot be told."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.config.pod import KeyRef
from nodestead.software.chain_spec import ChainRole, ChainSpec, ChainType
from nodestead.software.cometbft import CometbftChain, cometbft_spec

GIVEN: dict[str, Any] = {"kind": "cometbft", "chainId": "test-1", "proxyApp": "kvstore"}


def spec(node_type: ChainType = "full", decided: dict[str, Any] | None = None, **given: Any) -> ChainSpec:
    role: dict[str, Any] = {
        "moniker": "kv-0",
        "type": node_type,
        "home": "/home/operator/cosmos",
        "p2p_port": 26656,
        "rpc_port": 26657,
        "api_port": 1317,
        "grpc_port": 9090,
        "grpc_web_port": 9091,
        "metrics_port": 26660,
        "privval_port": 1234,
        "persistent_peers": "a@kv-1-p2p:26656",
        "private_peer_ids": "a",
        "unconditional_peer_ids": "a",
        "seeds": "",
    }
    return cometbft_spec(parse(CometbftChain, GIVEN | given), ChainRole(**(role | (decided or {}))))


def refusals(**given: Any) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(CometbftChain, {name: value for name, value in (GIVEN | given).items() if value is not ...})
    return error.value.problems


CONFIG = {
    "priv_validator_key_file": "/run/nodestead-keys/priv_validator_key.json",
    "proxy_app": "kvstore",
    "abci": "socket",
    "moniker": "kv-0",
    "db_backend": "goleveldb",
    "log_level": "info",
    "log_format": "plain",
    "node_key_file": "/run/nodestead-keys/node_key.json",
    "priv_validator_laddr": "",
    "p2p": {
        "laddr": "tcp://0.0.0.0:26656",
        "persistent_peers": "a@kv-1-p2p:26656",
        "seeds": "",
        "private_peer_ids": "a",
        "unconditional_peer_ids": "a",
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
NO_KEY = {"priv_validator_key_file": None}
UNINDEXED = {"tx_index": {"indexer": "null"}}


@pytest.mark.parametrize(
    ("node_type", "decided", "others"),
    [
        ("full", {}, {}),
        ("archive", {}, {}),
        ("sentry", {"remote_signer": True}, NO_KEY | UNINDEXED | {"priv_validator_laddr": "tcp://0.0.0.0:1234"}),
        ("validator", {}, UNINDEXED),
        ("seed", {}, UNINDEXED | {"p2p": CONFIG["p2p"] | {"seed_mode": True}}),
    ],
)
def test_each_type_of_node_has_its_file(node_type: ChainType, decided: dict[str, Any], others: dict[str, Any]) -> None:
    expected = {key: value for key, value in (CONFIG | others).items() if value is not None}
    assert spec(node_type, decided).files == {"config": expected, "app": {}, "client": {}}


def test_a_node_is_made_and_started_by_these_arguments() -> None:
    found = spec()
    assert found.init == ("cometbft", "init", "--home", "{defaults}")
    assert found.start == ("cometbft", "start", "--home", "/home/operator/cosmos", "--proxy_app=kvstore")
    assert (found.software, found.chain_id, found.version) == ("cometbft", "test-1", "v0.38.17")
    assert found.image == ("docker.io/cometbft/cometbft", "v0.38.17")
    assert (found.has_app, found.serves) == (False, frozenset())


def test_the_home_of_the_image_does_not_count() -> None:
    # The official image sets CMTHOME, which wins over --home.
    assert spec().env == {"CMTHOME": "", "TMHOME": ""}


def test_what_is_asked_for_is_in_file_and_arguments() -> None:
    found = spec(
        proxyApp="tcp://app.example:26658",
        abci="grpc",
        binary="/usr/bin/tendermint",
        logLevel="consensus:debug,*:error",
        logFormat="json",
        databaseBackend="pebbledb",
        startArgs=["--genesis_hash=00"],
        config={"consensus": {"timeoutCommit": "500ms"}},
        overrides={"config": {"consensus": {"timeout-commit": "1s"}, "filter_peers": True}},
    )
    assert found.start[-2:] == ("--proxy_app=tcp://app.example:26658", "--genesis_hash=00")
    assert (found.init[0], found.start[0]) == ("/usr/bin/tendermint", "/usr/bin/tendermint")
    assert found.files["config"] == CONFIG | {
        "proxy_app": "tcp://app.example:26658",
        "abci": "grpc",
        "log_level": "consensus:debug,*:error",
        "log_format": "json",
        "db_backend": "pebbledb",
        "consensus": {"timeout_commit": "1s"},
        "filter_peers": True,
    }


@pytest.mark.parametrize(
    ("app", "kept"),
    [("kvstore", "kvstore"), ("noop", "noop"), ("tcp://a:1", "address"), ("unix:///run/app.sock", "address")],
)
def test_another_application_that_is_built_in_does_not_fit_the_data(app: str, kept: str) -> None:
    assert spec(proxyApp=app).unchangeable == {"chainId": "test-1", "databaseBackend": "goleveldb", "proxyApp": kept}


def test_a_connection_with_a_password_comes_by_the_environment() -> None:
    found = spec(config={"txIndex": {"indexer": "psql", "psqlConnection": {"name": "db", "key": "url"}}})
    assert found.secret_env == {"CMT_TX_INDEX_PSQL_CONN": KeyRef(name="db", key="url")}
    assert found.files["config"]["tx_index"] == {"indexer": "psql"}


BOOL = "'yes' has the wrong type; write true or false without quotes"
REFUSED: list[tuple[str, object, str]] = [
    ("kind", "comet", "'comet' is not known; use one of 'cometbft'"),
    ("chainId", "a b", "'a b' is refused: string should match pattern"),
    ("chainId", "a" * 51, "is refused: string should match pattern"),
    ("chainId", ..., "is required and not given; add it"),
    ("network", "a b", "'a b' is refused: string should match pattern"),
    ("proxyApp", ..., "is required and not given; add it"),
    ("proxyApp", "kv", "'kv' is refused: string should match pattern"),
    ("proxyApp", "http://a:1", "'http://a:1' is refused: string should match pattern"),
    ("proxyApp", "tcp://a", "'tcp://a' is refused: string should match pattern"),
    ("proxyApp", "tcp://a:0", "'tcp://a:0' has no port from 1 to 65535; write it as tcp://app:26658"),
    ("proxyApp", "tcp://a:65536", "'tcp://a:65536' has no port from 1 to 65535; write it as tcp://app:26658"),
    ("abci", "http", "'http' is not known; use one of 'socket' or 'grpc'"),
    ("abci", "grpc", "grpc counts with an address in proxyApp only; leave it out"),
    ("binary", "comet bft", "'comet bft' is refused: string should match pattern"),
    ("home", "..", "'..' is refused: string should match pattern"),
    ("shell", "yes", BOOL),
    # Not among the levels of CometBFT, which does not start with it.
    ("logLevel", "warn", "'warn' is refused: string should match pattern"),
    ("logFormat", "text", "'text' is not known; use one of 'plain' or 'json'"),
    ("databaseBackend", "memdb", "'memdb' is not known; use one of 'goleveldb', 'rocksdb' or 'pebbledb'"),
    ("config", {"p2p": {"sendRate": -1}}, "-1 is refused"),
    ("overrides", {"config": {"proxy_app": "noop"}}, "is computed; set proxyApp, or set overrides.replaceComputed to true"),
    ("overrides", {"app": {}}, "unknown key"),
    ("startArgs", ["--proxy_app=noop"], "--proxy_app is computed; set proxyApp instead"),
    ("startArgs", ["--priv_validator_key_file=/x"], "--priv_validator_key_file is computed; leave it out"),
    ("startArgs", ["--priv_validator_state_file=/x"], "--priv_validator_state_file is computed; leave it out"),
    ("startArgs", ["--node_key_file=/x"], "--node_key_file is computed; leave it out"),
    ("startArgs", ["--p2p.seeds", "a"], "--p2p.seeds is computed; set peers of the set instead"),
    ("startArgs", [""], "'' is refused: string should have at least 1 character"),
]


@pytest.mark.parametrize(("field", "value", "told"), REFUSED, ids=[f"{field}-{value}"[:60] for field, value, _ in REFUSED])
def test_a_setting_that_the_node_cannot_take_is_refused(field: str, value: object, told: str) -> None:
    (line,) = refusals(**{field: value})
    assert line.startswith(field)
    assert told in line


def test_no_setting_is_without_a_refusal() -> None:
    assert {field for field, _, _ in REFUSED} == {field.alias for field in CometbftChain.model_fields.values()}


def test_a_seed_exchanges_peers() -> None:
    quiet = parse(CometbftChain, GIVEN | {"config": {"p2p": {"pex": False}}})
    assert [p.path for p in quiet.role_problems("seed", local=True)] == [("config", "p2p", "pex")]
    assert not list(quiet.role_problems("full", local=False))


def test_keys_and_flags_are_those_of_the_real_program(tmp_path: Path) -> None:
    binary = shutil.which("cometbft")
    if binary is None:
        pytest.skip("no cometbft on PATH, so keys and flags are not held against a real node")
    made = spec("validator", {}, binary=binary)
    # As in the official image.
    environment = os.environ | {"CMTHOME": "/nowhere/cometbft"} | made.env
    subprocess.run([a.replace("{defaults}", str(tmp_path)) for a in made.init], env=environment, check=True, capture_output=True)
    real = tomllib.loads((tmp_path / "config" / "config.toml").read_text())
    wrong = {
        f"{section}.{key}"
        for section, values in made.files["config"].items()
        for key, value in (values if isinstance(values, dict) else {"": values}).items()
        if type(real[section].get(key) if isinstance(values, dict) else real.get(section)) is not type(value)
    }
    assert wrong == set()
    told = subprocess.run([binary, "start", "--help"], env=environment, check=True, capture_output=True, text=True).stdout
    assert [flag for flag in made.start if flag.startswith("--") and f"{flag.partition('=')[0]} " not in told] == []
