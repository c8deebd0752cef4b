"""Genesis files out of whatever they come in, and the genesis of a local network."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chain_agents import PROGRAMS, packed, tar_of
from chain_files import StepError
from chain_genesis import chain_id_of, document, patched
from hypothesis import given
from hypothesis import strategies as st

GENESIS = '{"app_state": {"a": [{"chain_id": "inner"}, "}]\\"{"], "b": {}}, "n": -1.5e3,\n "x": null, "chain_id": "hub-1"}'


def zip_of(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


PLAIN = GENESIS.encode()
FORMS: dict[str, Callable[[], bytes]] = {
    "json": lambda: PLAIN,
    "json.gz": lambda: gzip.compress(PLAIN),
    "tar": lambda: tar_of({"genesis.json": PLAIN}),
    "tar.gz": lambda: gzip.compress(
        tar_of({"net": None, "net/genesis.json": PLAIN, "net/README": b"x", "net/peers.json": b"[]"})
    ),
    "tar with macOS files": lambda: tar_of({"._hub.json": b"x", "hub.json": PLAIN}),
    "zip": lambda: zip_of({"net/": "", "net/genesis.json": GENESIS, "__MACOSX/net/._genesis.json": "x"}),
    "zip of one file": lambda: zip_of({"hub-1": GENESIS}),
    "a node's answer": lambda: b'{"jsonrpc": "2.0", "id": -1, "result": {"x": [1], "genesis": %b}}\n' % PLAIN,
    "a node's answer, gz": lambda: gzip.compress(b'{"jsonrpc":"2.0","result":{"genesis":%b}}' % PLAIN),
} | {
    f"json.{program}": lambda program=program: packed(program, PLAIN, "-q") for program in ("zstd", "lz4") if program in PROGRAMS
}


def found(content: bytes, folder: Path) -> Path:
    (folder / "file").write_bytes(content)
    (folder / "work").mkdir()
    return document(folder / "file", folder / "work", "genesis")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_genesis_is_found_in_every_form_by_its_content(form: Callable[[], bytes], tmp_path: Path) -> None:
    made = found(form(), tmp_path)
    assert made.read_text() == GENESIS
    assert chain_id_of(made) == "hub-1"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"<html>404</html>", "is no JSON document"),
        (b"[]", "is no JSON document"),
        (b"{", "is no JSON document"),
        (b'{"a" 1}', "is no JSON document"),
        (b'{"a": 1 "b": 2}', "is no JSON document"),
        (b'{"a": }', "is no JSON document"),
        (PLAIN[:20], "is no JSON document, or only a part of one"),
        (PLAIN[:-1], "is no JSON document, or only a part of one"),
        (PLAIN + b"}", "something follows its end"),
        (gzip.compress(PLAIN)[:-3], "ends in the middle"),
        (zip_of({"genesis.json": GENESIS})[:-30], "the zip archive with the genesis is damaged"),
        (tar_of({"a.json": PLAIN, "b.json": PLAIN}), "holds not just one genesis.json, but: a.json, b.json"),
        (tar_of({"../genesis.json": PLAIN}), "leads outside"),
        (b'{"jsonrpc": "2.0", "error": {}, "result": {}}', "the answer of a node that holds none"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_what_is_not_a_whole_genesis_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=said):
        found(content, tmp_path)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of({"genesis.json": GENESIS}))
    content[60] ^= 255
    with pytest.raises(StepError, match="damaged"):
        found(bytes(content), tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(
    value=st.dictionaries(st.text(max_size=4), json_values, max_size=4), escaped=st.booleans(), indent=st.sampled_from([None, 2])
)
def test_any_document_goes_through_unchanged(
    value: dict[str, Any], escaped: bool, indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("document")
    value = {key: below for key, below in value.items() if key != "result"} | {"chain_id": "hub-1"}
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    made = found(text.encode(errors="surrogatepass"), folder)
    assert json.loads(made.read_bytes().decode(errors="surrogatepass")) == value
    assert chain_id_of(made) == "hub-1"


# --- a local network ---


def app_state() -> dict[str, Any]:
    return {
        "auth": {"params": {"max_memo_characters": "256"}, "accounts": []},
        "bank": {"params": {}, "balances": [], "supply": [], "denom_metadata": [], "send_enabled": []},
        "crisis": {"constant_fee": {"denom": "stake", "amount": "1000"}},
        "genutil": {"gen_txs": []},
        "gov": {"params": {"min_deposit": [{"denom": "stake", "amount": "10"}], "voting_period": "172800s"}},
        "mint": {"params": {"mint_denom": "stake", "goal": "stake"}},
        "fees": {"allowed_denoms": ["stake", "other"]},
        "staking": {"params": {"bond_denom": "stake", "max_validators": 100}},
    }


SDK_46: dict[str, Any] = {
    "genesis_time": "2026-11-20T15:56:39.14Z",
    "chain_id": "hub-1",
    "initial_height": "1",
    "consensus_params": {"block": {"max_gas": "-1"}},
    "app_hash": "",
    "app_state": app_state(),
}
SDK_50: dict[str, Any] = {
    "app_name": "simd",
    "app_version": "0.50",
    "genesis_time": "2026-11-20T15:56:39.14Z",
    "chain_id": "hub-1",
    "initial_height": 1,
    "app_hash": None,
    "app_state": app_state(),
    "consensus": {"params": {"block": {"max_gas": "-1"}}},
}
PATCH: dict[str, Any] = {
    "chain_id": "local-1",
    "genesis_time": "2026-01-31T00:00:00Z",
    "bond_denom": "uatom",
    "accounts": [
        {"address": "cosmos1b", "coins": [{"denom": "uatom", "amount": "1000000000000000000000"}]},
        {"address": "cosmos1a", "coins": [{"denom": "uatom", "amount": "5"}, {"denom": "abc", "amount": 7}]},
    ],
    "gen_txs": [{"body": {"memo": ""}, "signatures": ["x"]}],
    "app_state": {"gov": {"params": {"voting_period": "60s"}}, "new": {"denom": "stake"}},
}


@pytest.mark.parametrize("default", [SDK_46, SDK_50], ids=["0.46", "0.50"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_default_genesis_becomes_that_of_a_local_network(default: dict[str, Any], turned: bool) -> None:
    if turned:
        default = dict(reversed(default.items()))
    before = json.dumps(default)
    made = patched("cosmos", default, PATCH, "2026-02-01T00:00:00Z")
    assert json.dumps(default) == before
    state = made["app_state"]
    assert made == default | {"chain_id": "local-1", "genesis_time": "2026-02-01T00:00:00Z", "app_state": state}
    account = {"@type": "/cosmos.auth.v1beta1.BaseAccount", "pub_key": None, "sequence": "0"}
    assert state["auth"]["accounts"] == [
        account | {"address": "cosmos1b", "account_number": "0"},
        account | {"address": "cosmos1a", "account_number": "1"},
    ]
    assert state["bank"]["balances"] == [
        {"address": "cosmos1b", "coins": [{"denom": "uatom", "amount": "1000000000000000000000"}]},
        {"address": "cosmos1a", "coins": [{"denom": "abc", "amount": "7"}, {"denom": "uatom", "amount": "5"}]},
    ]
    assert state["bank"]["supply"] == [{"denom": "abc", "amount": "7"}, {"denom": "uatom", "amount": "1000000000000000000005"}]
    assert state["genutil"]["gen_txs"] == PATCH["gen_txs"]
    assert state["gov"]["params"] == {"min_deposit": [{"denom": "uatom", "amount": "10"}], "voting_period": "60s"}
    assert state["mint"]["params"] == {"mint_denom": "uatom", "goal": "stake"}
    assert state["fees"] == {"allowed_denoms": ["uatom", "other"]}
    assert state["staking"]["params"] == {"bond_denom": "uatom", "max_validators": 100}
    assert state["crisis"]["constant_fee"] == {"denom": "uatom", "amount": "1000"}
    assert state["new"] == {"denom": "stake"}


def test_a_local_network_without_a_time_of_its_own_takes_that_of_the_patch() -> None:
    assert patched("cosmos", SDK_46, PATCH, None)["genesis_time"] == "2026-01-31T00:00:00Z"


def test_a_local_network_of_cometbft_has_the_validators_of_its_patch() -> None:
    default = {
        "genesis_time": "now",
        "chain_id": "test-chain",
        "initial_height": "0",
        "validators": [{"power": "1"}],
        "app_hash": "",
    }
    patch = {"chain_id": "local-1", "genesis_time": "2026-01-31T00:00:00Z", "validators": [{"power": "10"}], "app_hash": ""}
    assert patched("cometbft", default, patch, None) == {"initial_height": "0", **patch}
