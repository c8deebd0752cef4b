"""Keys come from the seed alone, by published algorithms, and no message shows one."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nodestead.keys import SECP256K1_ORDER, derive_key, ethereum_address, ethereum_key

SEED = bytes(range(32)).hex()


# From the documentation of web3.js, from Hardhat and Anvil (accounts 0 and 1), and the generator point of the curve.
@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"),
        ("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        ("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        ("0000000000000000000000000000000000000000000000000000000000000001", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
        (" 0000000000000000000000000000000000000000000000000000000000000001\n", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
    ],
)
def test_an_address_is_that_of_the_key(key: str, address: str) -> None:
    assert ethereum_address(key) == address


@pytest.mark.parametrize(
    "key", ["", "0x", "f" * 63, "f" * 65, "g" * 64, "0" * 64, f"{SECP256K1_ORDER:064x}", f"{SECP256K1_ORDER + 1:064x}"]
)
def test_a_bad_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits") as caught:
        ethereum_address(key)
    assert not key or key not in str(caught.value)


# Computed with hmac alone, after RFC 5869: what running nodes sign with depends on these never changing.
@pytest.mark.parametrize(
    ("purpose", "ordinal", "generation", "derived"),
    [
        ("ethereum", 1, 1, "13e10964d449167a5ded4d0b7eefb90293eee5b08a0f6d69dfb899040ab66ba3"),
        ("ethereum", 2, 1, "6988c5fe4e4d058f7ec5a56a7b64c921bc4970527d7c2146a307523407319cf4"),
        ("ethereum", 1, 2, "9d9149be9c5f64cf818a9205904cac9441314f64ffd3659c69c371124e4428eb"),
        ("onion", 1, 1, "079be79522988aefcca22197fe3691b1e6d5d9659ee76d39c30b4a0874f6c02b"),
    ],
)
def test_a_derived_key_never_changes(purpose: str, ordinal: int, generation: int, derived: str) -> None:
    assert derive_key(SEED, purpose, ordinal, generation).hex() == derived


@pytest.mark.parametrize("seed", [SEED, "ff" * 32, SEED.upper()])
def test_a_derived_key_is_hkdf_of_rfc_5869(seed: str) -> None:
    library = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"ethereum|7|3")
    assert derive_key(seed, "ethereum", 7, 3) == library.derive(bytes.fromhex(seed))


@pytest.mark.parametrize("seed", ["", "abc", "zz" * 32, "00" * 31, "00" * 33, "0x" + "00" * 32])
def test_a_bad_seed_is_refused_and_not_repeated(seed: str) -> None:
    with pytest.raises(ValueError, match="the seed of a set is 64 hexadecimal digits; restore it from its backup") as caught:
        derive_key(seed, "ethereum", 1, 1)
    assert not seed or seed not in str(caught.value)


def test_an_ethereum_key_never_changes() -> None:
    assert [(ethereum_key(SEED, ordinal, 1), ethereum_address(ethereum_key(SEED, ordinal, 1))) for ordinal in (1, 2)] == [
        ("13e10964d449167a5ded4d0b7eefb90293eee5b08a0f6d69dfb899040ab66ba4", "0xb46631f0b96323948783c5E5eEB08B0EB02CE321"),
        ("6988c5fe4e4d058f7ec5a56a7b64c921bc4970527d7c2146a307523407319cf5", "0x15557E53f5806e480FEe6E890C3c6d8ee3265357"),
    ]


def test_nodes_generations_and_sets_have_keys_of_their_own() -> None:
    keys = [
        ethereum_key(seed, ordinal, generation) for seed in (SEED, "ff" * 32) for ordinal in range(100) for generation in (1, 2)
    ]
    assert len(set(keys)) == 400


def test_every_key_is_one_that_the_curve_takes() -> None:
    assert all(0 < int(ethereum_key(SEED, ordinal, 1), 16) < SECP256K1_ORDER for ordinal in range(500))
