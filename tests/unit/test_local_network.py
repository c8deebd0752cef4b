"""The genesis of a local network: what real chains accepted stays as it is, and what they would refuse is refused here."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from nodestead.software import local_network
from nodestead.software.local_network import local_genesis

SEED = bytes(range(32)).hex()
GUEST = "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60c"
VALIDATOR = "cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0"
# Written by `simd gentx` of cosmos-sdk 0.46.16 for the chain local-1, with a key of its own.
SIMD_GENTX = json.loads("""{"body":{"messages":[{"@type":"/cosmos.staking.v1beta1.MsgCreateValidator",
"description":{"moniker":"x","identity":"","website":"","security_contact":"","details":""},"commission":{"rate":"0.100000000000000000",
"max_rate":"0.200000000000000000","max_change_rate":"0.010000000000000000"},"min_self_delegation":"1",
"delegator_address":"cosmos1xf83a7vr79zaylaf5wmx7rr7nw5q90xnvhrgc5",
"validator_address":"cosmosvaloper1xf83a7vr79zaylaf5wmx7rr7nw5q90xnfrha58",
"pubkey":{"@type":"/cosmos.crypto.ed25519.PubKey","key":"xNP13oGdZO8C4LYEuSya6EGAqofoe+SzdiONnQBLyWQ="},
"value":{"denom":"stake","amount":"100000000"}}],"memo":"","timeout_height":"0","extension_options":[],
"non_critical_extension_options":[]},"auth_info":{"signer_infos":[{"public_key":{"@type":"/cosmos.crypto.secp256k1.PubKey",
"key":"A9OQ2Pr1Do6EMx3l45SJgrsVqXcKUi2crB4xd8l+DeSs"},"mode_info":{"single":{"mode":"SIGN_MODE_DIRECT"}},"sequence":"0"}],
"fee":{"amount":[],"gas_limit":"200000","payer":"","granter":""},"tip":null},
"signatures":["LEXr8a+rvZjoPBkClyQkrg43R+oUEm2ketYjmiaGLz8CNa+nzuM0VFLtvdX1k8JCmioZ+cDArT3b74cxE39lyA=="]}""")


def network(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "software": "cosmos",
        "chain_id": "local-1",
        "validators": [0],
        "generation": 1,
        "monikers": ["hub-0"],
        "genesis_time": "2026-01-31T00:00:00Z",
    }
    return local_genesis(SEED, **(plain | changes))


def signed_bytes(gentx: Mapping[str, Any], chain_id: str) -> bytes:
    body = local_network._encoded(gentx["body"], local_network._BODY)
    auth_info = local_network._encoded(gentx["auth_info"], local_network._AUTH_INFO)
    return b"".join(local_network._field(n, part) for n, part in enumerate((body, auth_info, chain_id.encode()), 1))


def verify(gentx: Mapping[str, Any], chain_id: str) -> None:
    signer = gentx["auth_info"]["signer_infos"][0]["public_key"]["key"]
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), base64.b64decode(signer))
    raw = base64.b64decode(gentx["signatures"][0])
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public.verify(der, signed_bytes(gentx, chain_id), ec.ECDSA(hashes.SHA256()))


# The network that simd 0.46.16 ran: blocks came, and `query staking validators` showed this operator, bonded.
def test_what_a_real_chain_accepted_never_changes() -> None:
    patch = network()
    message = patch["gen_txs"][0]["body"]["messages"][0]
    assert patch == {
        "chain_id": "local-1",
        "genesis_time": "2026-01-31T00:00:00Z",
        "bond_denom": "stake",
        "accounts": [{"address": VALIDATOR, "coins": [{"denom": "stake", "amount": "1000000000000"}]}],
        "gen_txs": patch["gen_txs"],
        "app_state": {},
    }
    assert message["description"]["moniker"] == "hub-0"
    assert message["delegator_address"] == VALIDATOR
    assert message["validator_address"] == "cosmosvaloper1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7k927h8u"
    assert message["pubkey"]["key"] == "GncxxnLgVMKJfH20ZapY+hAdM14iXhnNlCfRstOUEcE="
    assert message["value"] == {"denom": "stake", "amount": "100000000"}
    assert patch["gen_txs"][0]["signatures"] == [
        "f6UaGHBVNoQQF2IBt+PFkiWfapRZPbPoCN1lugYPenZ4kmOx4si3eZoMdufSlof0Bfdpz4bXYJlTiuYzngQ0fg=="
    ]


def test_the_operators_are_those_that_four_real_validators_had() -> None:
    patch = network(validators=[0, 1, 2, 3], monikers=["hub-0", "hub-1", "hub-2", "hub-3"], denom="unibi")
    assert [gentx["body"]["messages"][0]["validator_address"] for gentx in patch["gen_txs"]] == [
        "cosmosvaloper1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7k927h8u",
        "cosmosvaloper12dwrn040z95hwcmj4hfw4wdxrkwz9tfm438hhw",
        "cosmosvaloper19x8jxdp2v76x3auxq47lhkgqfvsanq89sv5632",
        "cosmosvaloper18rw5h99ce4urgstm0u2u2k3zrsk9p65r3gzthh",
    ]


def test_the_bytes_that_are_signed_are_those_that_simd_signs() -> None:
    verify(SIMD_GENTX, "local-1")


def test_a_transaction_has_the_form_that_simd_writes() -> None:
    def form(value: Any) -> Any:
        if isinstance(value, dict):
            return [(key, form(item)) for key, item in value.items() if key != "tip"]
        return [form(item) for item in value] if isinstance(value, list) else type(value)

    assert form(network()["gen_txs"][0]) == form(SIMD_GENTX)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"chain_id": "x"},
        {"chain_id": "c" * 50},
        {"prefix": "osmo", "denom": "uosmo"},
        {"monikers": ["Ω" * 35]},
        {"stake": 10**30, "balance": 10**30},
        {"validators": [999], "generation": 4},
    ],
)
def test_every_transaction_is_signed_by_its_account_for_its_chain(changes: dict[str, Any]) -> None:
    verify(network(**changes)["gen_txs"][0], changes.get("chain_id", "local-1"))


def test_equal_input_gives_equal_bytes() -> None:
    assert json.dumps(network()) == json.dumps(network())
    assert network() != network(generation=2)


def test_accounts_follow_the_validators_with_their_coins_by_denom() -> None:
    patch = network(accounts={GUEST: "1000stake,5atom"}, app_state={"gov": {"a": 1}}, stake=2_000_000, balance=3_000_000)
    assert patch["accounts"] == [
        {"address": VALIDATOR, "coins": [{"denom": "stake", "amount": "3000000"}]},
        {"address": GUEST, "coins": [{"denom": "atom", "amount": "5"}, {"denom": "stake", "amount": "1000"}]},
    ]
    assert patch["gen_txs"][0]["body"]["messages"][0]["value"]["amount"] == "2000000"
    assert patch["app_state"] == {"gov": {"a": 1}}


# Two cometbft 0.38.17 nodes with the kvstore application made blocks with this one.
def test_a_cometbft_network_has_validators_and_nothing_else() -> None:
    assert network(software="cometbft", validators=[0, 1], monikers=["a", "b"]) == {
        "chain_id": "local-1",
        "genesis_time": "2026-01-31T00:00:00Z",
        "validators": [
            {
                "address": "C51CE3C1DF6E6774E14EF86C63E1288C327A0BEB",
                "pub_key": {"type": "tendermint/PubKeyEd25519", "value": "GncxxnLgVMKJfH20ZapY+hAdM14iXhnNlCfRstOUEcE="},
                "power": "10",
                "name": "a",
            },
            {
                "address": "3C5FB94EFE74565511B647B7EC1A89D6AF834322",
                "pub_key": {"type": "tendermint/PubKeyEd25519", "value": "tmhfhjXLjoaoHdgkojpPGJaFgVwywtlJz0ZD/xy53M8="},
                "power": "10",
                "name": "b",
            },
        ],
        "app_hash": "",
    }


@pytest.mark.parametrize("genesis_time", ["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.123456789Z", "2026-01-31T02:00:00+02:00"])
def test_a_time_in_rfc_3339_is_taken_as_it_is(genesis_time: str) -> None:
    assert network(genesis_time=genesis_time)["genesis_time"] == genesis_time


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chain_id": ""}, r"chain_id '' has 0 bytes; it takes 1 to 50"),
        ({"chain_id": "c" * 51}, r"has 51 bytes; it takes 1 to 50"),
        ({"genesis_time": "2026-01-31"}, r"genesis_time '2026-01-31' is no time in RFC 3339; write it as in"),
        ({"genesis_time": "2026-02-30T00:00:00Z"}, r"is no time in RFC 3339"),
        ({"genesis_time": "2026-01-31T00:00:00"}, r"is no time in RFC 3339"),
        ({"genesis_time": "0001-01-01T00:00:00Z"}, r"is no time in RFC 3339"),
        ({"validators": [], "monikers": []}, r"validators is empty and no block would be made; name at least one ordinal"),
        ({"validators": [3, 3], "monikers": ["a", "b"]}, r"validators names 3 twice; name it once"),
        ({"monikers": []}, r"0 monikers for 1 validators; give one for each"),
        ({"monikers": [""]}, r"moniker '' has 0 bytes; it takes 1 to 70"),
        ({"monikers": ["Ω" * 36]}, r"has 72 bytes; it takes 1 to 70"),
        ({"denom": "ab"}, r"denom 'ab' is no name of a coin"),
        ({"prefix": "Cosmos"}, r"prefix 'Cosmos' starts no address"),
        ({"prefix": "c" * 45}, r"starts no address; use 1 to 44 lower-case letters and digits"),
        ({"stake": 999_999}, r"stake 999999 gives no voting power; raise it to at least 1000000"),
        ({"stake": 2_000_000, "balance": 1_999_999}, r"balance 1999999 does not cover stake 2000000; raise it"),
        ({"accounts": {GUEST + "x": "1stake"}}, r"accounts: 'cosmos1\w+' is no Bech32 address; copy it again"),
        ({"accounts": {GUEST.upper(): "1stake"}}, r"is no account of this chain; its accounts start with cosmos1, in lower case"),
        ({"accounts": {GUEST: "1stake"}, "prefix": "osmo"}, r"is no account of this chain; its accounts start with osmo1"),
        ({"accounts": {"cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqe9qc7s": "1stake"}}, r"is no account of this chain"),
        ({"accounts": {GUEST: ""}}, r"accounts.cosmos1\w+: '' are no coins; write amount and denom, each denom once"),
        ({"accounts": {GUEST: "0stake"}}, r"'0stake' are no coins"),
        ({"accounts": {GUEST: "1stake,2stake"}}, r"'1stake,2stake' are no coins"),
        ({"accounts": {GUEST: "1stake;2atom"}}, r"are no coins"),
        ({"accounts": {VALIDATOR: "1stake"}}, rf"accounts.{VALIDATOR} is a validator's; its coins come from balance"),
        ({"software": "cometbft", "accounts": {GUEST: "1stake"}}, r"a cometbft network has no accounts and no app_state"),
        ({"software": "cometbft", "app_state": {"a": 1}}, r"a cometbft network has no accounts and no app_state"),
    ],
)
def test_a_network_that_would_not_start_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network(**changes)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ValueError, match=r"chain_id .*genesis_time .*stake "):
        network(chain_id="", genesis_time="now", stake=1)


def test_nothing_secret_is_in_a_genesis() -> None:
    text = json.dumps(network()) + json.dumps(network(software="cometbft"))
    assert SEED not in text
    assert f"{local_network.account_key(SEED, 0, 1):064x}" not in text
