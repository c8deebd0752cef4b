"""Keys of CometBFT and Cosmos nodes from a set's seed, as their files spell them, and what is public of them.

A node has three: the node key (its p2p identity), the consensus key (what a validator signs blocks with) and, in a local
network, the account key (who owns the validator). Losing the first costs a peer id; using the second twice costs the stake.

The libraries are imported where they are used: to render a stack no key is made, and they take a tenth of a second.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nodestead.keys import SECP256K1_ORDER, derive_key, secp256k1_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = [
    "account_address",
    "account_key",
    "account_public_key",
    "account_signature",
    "bech32_decode",
    "bech32_encode",
    "consensus_address",
    "consensus_key_json",
    "consensus_public_key",
    "node_id",
    "node_id_of",
    "node_key_json",
    "operator_address",
]

_NODE = "node-key"
_CONSENSUS = "consensus-key"
_ACCOUNT = "account"
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def node_key_json(seed: str, ordinal: int, generation: int) -> str:
    """The text of node_key.json, byte for byte as CometBFT writes it. Secret."""
    return json.dumps({"priv_key": _ed25519_private(seed, _NODE, ordinal, generation)}, separators=(",", ":"))


def node_id(seed: str, ordinal: int, generation: int) -> str:
    """The node's p2p id: 40 hexadecimal digits, as `cometbft show-node-id` prints them."""
    return node_id_of(_ed25519_public(derive_key(seed, _NODE, ordinal, generation)))


def node_id_of(public_key: bytes) -> str:
    """The p2p id of a public key of 32 bytes: the first 20 bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:20].hex()


def consensus_key_json(seed: str, ordinal: int, generation: int) -> str:
    """The text of priv_validator_key.json, byte for byte as CometBFT writes it. Secret; held by one process at a time."""
    content = {
        "address": consensus_address(seed, ordinal, generation),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": consensus_public_key(seed, ordinal, generation)},
        "priv_key": _ed25519_private(seed, _CONSENSUS, ordinal, generation),
    }
    return json.dumps(content, indent=2)


def consensus_address(seed: str, ordinal: int, generation: int) -> str:
    """The validator's address in blocks and votes: 40 upper-case hexadecimal digits."""
    return node_id_of(_ed25519_public(derive_key(seed, _CONSENSUS, ordinal, generation))).upper()


def consensus_public_key(seed: str, ordinal: int, generation: int) -> str:
    """The validator's public key in base64, as `cometbft show-validator` prints it."""
    return base64.b64encode(_ed25519_public(derive_key(seed, _CONSENSUS, ordinal, generation))).decode()


def account_key(seed: str, ordinal: int, generation: int) -> int:
    """The private key of a validator's account, a number of secp256k1. Secret."""
    return secp256k1_key(seed, _ACCOUNT, ordinal, generation)


def account_public_key(private_key: int) -> bytes:
    """The compressed public key, 33 bytes, of an account key."""
    # SEC 1, section 2.3.3: whether y is odd, then x.
    point = _account(private_key).public_key().public_numbers()
    return bytes([2 + point.y % 2]) + point.x.to_bytes(32)


def account_address(public_key: bytes, prefix: str = "cosmos") -> str:
    """The address of an account: `cosmos1..`; the payload is RIPEMD-160 of SHA-256 of the public key."""
    return bech32_encode(prefix, _ripemd160(hashlib.sha256(public_key).digest()))


def operator_address(public_key: bytes, prefix: str = "cosmos") -> str:
    """The address of the validator that the account runs: `cosmosvaloper1..`, the same payload."""
    return account_address(public_key, f"{prefix}valoper")


def account_signature(private_key: int, message: bytes) -> bytes:
    """64 bytes, r and s, over SHA-256 of a message; nonce by RFC 6979, so that equal input gives equal bytes.

    The SDK refuses s above half of the order (crypto/keys/secp256k1), so the smaller of both is taken.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = decode_dss_signature(_account(private_key).sign(message, scheme))
    return r.to_bytes(32) + min(s, SECP256K1_ORDER - s).to_bytes(32)


def bech32_encode(prefix: str, payload: bytes) -> str:
    """Bech32 (BIP-173) of whole bytes.

    Raises:
        ValueError: where the prefix is not of printable lower-case ASCII, or the text passes 90 characters.
    """
    if not re.fullmatch(r"[!-@\[-~]+", prefix):
        raise ValueError(f"{prefix!r} is no prefix of an address; use lower-case letters and digits, as in cosmos")
    values = list(_regrouped(payload, 8, 5))
    check = _polymod([*_expanded(prefix), *values, *bytes(6)]) ^ 1
    values += [check >> 5 * (5 - place) & 31 for place in range(6)]
    text = f"{prefix}1{''.join(_CHARSET[value] for value in values)}"
    if len(text) > 90:
        raise ValueError(f"an address with the prefix {prefix!r} has {len(text)} characters, and 90 are the most; shorten it")
    return text


def bech32_decode(text: str) -> tuple[str, bytes]:
    """Prefix and payload of a Bech32 text (BIP-173).

    Raises:
        ValueError: where characters, length, checksum or padding are wrong.
    """
    prefix, _, rest = (text.lower() if text == text.upper() else text).rpartition("1")
    values = [_CHARSET.find(character) for character in rest]
    if not (
        re.fullmatch(r"[!-@\[-~]+", prefix)
        and len(values) >= 6
        and min(values) >= 0
        and len(text) <= 90
        and _polymod([*_expanded(prefix), *values]) == 1
    ):
        raise ValueError(f"{text!r} is no Bech32 address; copy it again, a character is wrong or missing")
    payload = bytes(_regrouped(values[:-6], 5, 8))
    if list(_regrouped(payload, 8, 5)) != values[:-6]:
        raise ValueError(f"{text!r} holds no whole bytes; it is no address")
    return prefix, payload


def _account(private_key: int) -> "EllipticCurvePrivateKey":
    """The key as the library has it, not kept: no private key outlives the genesis that it signs."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(private_key, ec.SECP256K1())


def _ripemd160(content: bytes) -> bytes:
    try:
        return hashlib.new("ripemd160", content, usedforsecurity=False).digest()
    except ValueError:
        # OpenSSL 3.0.0 to 3.0.6 keep it in a legacy provider that many systems leave out. To import this costs 15 ms.
        from Crypto.Hash import RIPEMD160

        return RIPEMD160.new(content).digest()


def _ed25519_private(seed: str, purpose: str, ordinal: int, generation: int) -> dict[str, str]:
    secret = derive_key(seed, purpose, ordinal, generation)
    value = base64.b64encode(secret + _ed25519_public(secret)).decode()
    return {"type": "tendermint/PrivKeyEd25519", "value": value}


def _ed25519_public(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _regrouped(values: Iterable[int], width: int, other: int) -> Iterator[int]:
    """The same bits in groups of another width; a rest is padded with zeros towards 5 and dropped towards 8."""
    held = count = 0
    for value in values:
        held = held << width | value
        count += width
        while count >= other:
            count -= other
            yield held >> count & (1 << other) - 1
        held &= (1 << count) - 1
    if count and other < width:
        yield held << other - count


def _expanded(prefix: str) -> list[int]:
    return [*(ord(character) >> 5 for character in prefix), 0, *(ord(character) & 31 for character in prefix)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return check
