"""Keys of CometBFT and Cosmos nodes: the bytes that the real binaries read, and the ids that they print."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nodestead import chain_keys, keys
from nodestead.software import local_network

SEED = bytes(range(32)).hex()
LONG_PREFIX = "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio"


# Printed by `cometbft show-node-id` and `show-validator` (0.38.17) and `simd query staking validators` (cosmos-sdk 0.46.16).
@pytest.mark.parametrize(
    ("ordinal", "generation", "node_id", "address", "public_key", "account", "operator"),
    [
        (
            *(0, 1, "0b8807e6608ad0578e2564c5cd9f2262aff4f648", "C51CE3C1DF6E6774E14EF86C63E1288C327A0BEB"),
            "GncxxnLgVMKJfH20ZapY+hAdM14iXhnNlCfRstOUEcE=",
            *("cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0", "cosmosvaloper1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7k927h8u"),
        ),
        (
            *(1, 1, "778a9927fd1d89fe4c8f8a096ffa60d7ffe215ce", "3C5FB94EFE74565511B647B7EC1A89D6AF834322"),
            "tmhfhjXLjoaoHdgkojpPGJaFgVwywtlJz0ZD/xy53M8=",
            *("cosmos12dwrn040z95hwcmj4hfw4wdxrkwz9tfms9nzma", "cosmosvaloper12dwrn040z95hwcmj4hfw4wdxrkwz9tfm438hhw"),
        ),
        (
            *(0, 2, "f68cc46d1444b843aeb01952e344d6ea3e48eeb1", "F0A2B74722CB042F2773622AD0C490B67114147A"),
            "VdW0ODF47Uw5UHag2nTPMpP7qfNuOqWMu1qr+NBO4Og=",
            *("cosmos1etde7tmufmjzsuat07c78f5huvhp4y0rkhjv66", "cosmosvaloper1etde7tmufmjzsuat07c78f5huvhp4y0rnrxekf"),
        ),
    ],
)
def test_what_is_public_of_a_node_never_changes(
    ordinal: int, generation: int, node_id: str, address: str, public_key: str, account: str, operator: str
) -> None:
    owner = chain_keys.account_public_key(chain_keys.account_key(SEED, ordinal, generation))
    assert chain_keys.node_id(SEED, ordinal, generation) == node_id
    assert chain_keys.consensus_address(SEED, ordinal, generation) == address
    assert chain_keys.consensus_public_key(SEED, ordinal, generation) == public_key
    assert (chain_keys.account_address(owner), chain_keys.operator_address(owner)) == (account, operator)


def test_the_key_files_are_those_that_cometbft_writes() -> None:
    node = '{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"%s"}}'
    consensus = """{
  "address": "C51CE3C1DF6E6774E14EF86C63E1288C327A0BEB",
  "pub_key": {
    "type": "tendermint/PubKeyEd25519",
    "value": "GncxxnLgVMKJfH20ZapY+hAdM14iXhnNlCfRstOUEcE="
  },
  "priv_key": {
    "type": "tendermint/PrivKeyEd25519",
    "value": "%s"
  }
}"""
    assert chain_keys.node_key_json(SEED, 0, 1) == node % (
        "zgwlVoCLlfE9Y8ZwIlPakPu67tXsKQfw+CcmUhi5mtIiJECwkysx/cTG8wg9IA6aq3IZjHHG6txuX2m89Z9PYQ=="
    )
    assert chain_keys.consensus_key_json(SEED, 0, 1) == consensus % (
        "7Z0R2f7laXT+HqA0wep8LnqLmVimi5TtQFPWpRO5wXkadzHGcuBUwol8fbRlqlj6EB0zXiJeGc2UJ9Gy05QRwQ=="
    )


@pytest.mark.skipif(
    shutil.which("cometbft") is None, reason="cometbft is not on PATH: its own reading of the keys is not checked"
)
@pytest.mark.parametrize(("ordinal", "generation"), [(0, 1), (7, 3)])
def test_cometbft_reads_the_key_files_as_we_do(tmp_path: Path, ordinal: int, generation: int) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "config" / "node_key.json").write_text(chain_keys.node_key_json(SEED, ordinal, generation))
    (tmp_path / "config" / "priv_validator_key.json").write_text(chain_keys.consensus_key_json(SEED, ordinal, generation))
    (tmp_path / "data" / "priv_validator_state.json").write_text('{"height":"0","round":0,"step":0}')

    def shown(command: str) -> str:
        argv = ["cometbft", command, "--home", str(tmp_path)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    assert shown("show-node-id") == chain_keys.node_id(SEED, ordinal, generation)
    assert json.loads(shown("show-validator")) == {
        "type": "tendermint/PubKeyEd25519",
        "value": chain_keys.consensus_public_key(SEED, ordinal, generation),
    }


# The public key of test 1 of RFC 8032.
def test_a_node_id_is_the_start_of_the_digest_of_the_public_key() -> None:
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert chain_keys.node_id_of(public) == "21fe31dfa154a261626bf854046fd2271b7bed4b"


def test_nodes_generations_and_purposes_have_keys_of_their_own() -> None:
    cases = [(ordinal, generation) for ordinal in range(20) for generation in (1, 2)]
    ids = [chain_keys.node_id(SEED, *case) for case in cases]
    addresses = [chain_keys.consensus_address(SEED, *case).lower() for case in cases]
    accounts = [f"{chain_keys.account_key(SEED, *case):064x}" for case in cases]
    assert len({*ids, *addresses, *accounts}) == 120


@pytest.mark.parametrize("give", [chain_keys.node_key_json, chain_keys.consensus_key_json, chain_keys.account_key])
@pytest.mark.parametrize("seed", ["", "00" * 31, "zz" * 32])
def test_a_bad_seed_is_refused(give, seed: str) -> None:
    with pytest.raises(ValueError, match="the seed of a set is 64 hexadecimal digits"):
        give(seed, 0, 1)


def test_no_key_is_kept_once_it_has_been_used() -> None:
    kept = [
        name for module in (keys, chain_keys, local_network) for name, one in vars(module).items() if hasattr(one, "cache_info")
    ]

    assert kept == []


# `simd debug addr` of the generator point's digest, which BIP-173 has in its examples; other prefixes hold the same payload.
def test_an_address_is_that_of_the_key_under_any_prefix() -> None:
    public = chain_keys.account_public_key(1)
    assert public.hex() == "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert chain_keys.account_address(public) == "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60c"
    assert chain_keys.operator_address(public) == "cosmosvaloper1w508d6qejxtdg4y5r3zarvary0c5xw7klfr0rt"
    payload = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
    assert chain_keys.bech32_decode(chain_keys.account_address(public, "osmo")) == ("osmo", payload)
    assert chain_keys.bech32_decode(chain_keys.operator_address(public, "osmo")) == ("osmovaloper", payload)


def test_an_address_is_the_same_where_openssl_keeps_ripemd_160_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object, **__: object) -> None:
        raise ValueError(f"unsupported hash type {name}")

    public = chain_keys.account_public_key(1)
    expected = chain_keys.account_address(public)
    monkeypatch.setattr(hashlib, "new", refuse)

    assert chain_keys.account_address(public) == expected == "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60c"


# The vectors of BIP-173 whose data are whole bytes.
@pytest.mark.parametrize(
    ("text", "prefix", "payload"),
    [
        ("a12uel5l", "a", ""),
        (f"{LONG_PREFIX}1tt5tgs", LONG_PREFIX, ""),
        ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef", "00443214c74254b635cf84653a56d7c675be77df"),
        ("11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j", "1", "00" * 51),
        (
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
            "split",
            "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d",
        ),
        ("?1ezyfcl", "?", ""),
    ],
)
def test_bech32_is_that_of_bip_173(text: str, prefix: str, payload: str) -> None:
    content = bytes.fromhex(payload)
    assert chain_keys.bech32_decode(text) == (prefix, content)
    assert chain_keys.bech32_decode(text.upper()) == (prefix, content)
    assert chain_keys.bech32_encode(prefix, content) == text


@pytest.mark.parametrize(
    "text",
    [
        "\x201nwldj5",
        "\x7f1axkwrx",
        "\x801eym55h",
        "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
        "pzry9x0s0muk",
        "1pzry9x0s0muk",
        "x1b4n0q5v",
        "li1dgmt3",
        "de1lg7wt\xff",
        "A1G7SGD8",
        "10a06t8",
        "1qzzfhee",
        "",
        "A12uEL5L",
        "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60d",
        "cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60",
        "Cosmos1w508d6qejxtdg4y5r3zarvary0c5xw7k6ah60c",
    ],
)
def test_a_text_that_is_no_bech32_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no Bech32 address; copy it again, a character is wrong or missing"):
        chain_keys.bech32_decode(text)


# The checksum is right: five bits in the first, a byte and the bits 01 in the second.
@pytest.mark.parametrize("text", ["a1lmyple6", "a1ppjxu3w5"])
def test_a_payload_of_broken_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="holds no whole bytes; it is no address"):
        chain_keys.bech32_decode(text)


@pytest.mark.parametrize(
    ("prefix", "payload", "said"),
    [
        ("", 20, "'' is no prefix of an address"),
        ("Cosmos", 20, "'Cosmos' is no prefix of an address"),
        ("a b", 20, "'a b' is no prefix of an address"),
        ("x" * 52, 20, "has 91 characters, and 90 are the most"),
    ],
)
def test_a_prefix_that_starts_no_address_is_refused(prefix: str, payload: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chain_keys.bech32_encode(prefix, bytes(payload))


# Vectors that implementations of RFC 6979 for secp256k1 share; the s of the plain scheme is above half of the order in both.
@pytest.mark.parametrize(
    ("key", "message", "r", "s"),
    [
        (
            1,
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
            "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            1,
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
            "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
    ],
)
def test_a_signature_is_that_of_rfc_6979_with_the_small_s(key: int, message: str, r: str, s: str) -> None:
    assert chain_keys.account_signature(key, message.encode()).hex() == r + s


def test_no_signature_has_a_large_s() -> None:
    half = keys.SECP256K1_ORDER // 2
    assert all(int.from_bytes(chain_keys.account_signature(7, bytes([n]))[32:]) <= half for n in range(50))
