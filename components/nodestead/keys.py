"""Keys from a set's seed, and what is public of them.

One seed serves a whole set: a node's key depends on the seed, its purpose, its number and its generation only, so it is
the same after shrinking and growing again, and a thousand nodes cost one random resource.

The libraries are imported where they are used: to render a stack no key is made, and they take a tenth of a second.
"""

import hmac
import re

__all__ = ["SECP256K1_ORDER", "derive_key", "ethereum_address", "ethereum_key", "secp256k1_key"]

# SEC 2, section 2.4.1: a private key is a number from 1 to this order less one.
SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_SEED_BYTES = 32


def derive_key(seed: str, purpose: str, ordinal: int, generation: int) -> bytes:
    """32 bytes of HKDF-SHA256 (RFC 5869) without salt, info `purpose|ordinal|generation`.

    Args:
        seed: 64 hexadecimal digits, as the set's seed resource gives them.
        purpose: What the key is for, so that two keys of a node differ; without `|`.
        ordinal: Number of the node in its set.
        generation: Raised to rotate the key.

    Raises:
        ValueError: where the seed is not 32 bytes in hexadecimal; the text does not repeat it.
    """
    try:
        secret = bytes.fromhex(seed)
    except ValueError:
        secret = b""
    if len(secret) != _SEED_BYTES:
        raise ValueError("the seed of a set is 64 hexadecimal digits; restore it from its backup")
    info = f"{purpose}|{ordinal}|{generation}".encode()
    # Without salt the first key is of zeros, and 32 bytes are the first block (RFC 5869, sections 2.2 and 2.3).
    extracted = hmac.digest(bytes(_SEED_BYTES), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def secp256k1_key(seed: str, purpose: str, ordinal: int, generation: int) -> int:
    """A private key of secp256k1: a number from 1 to the order of the curve less one."""
    raw = int.from_bytes(derive_key(seed, purpose, ordinal, generation))
    # A value past the order comes up once in 2^128; folding it keeps the function total.
    return raw % (SECP256K1_ORDER - 1) + 1


def ethereum_key(seed: str, ordinal: int, generation: int) -> str:
    """The Ethereum private key of a node: 64 hexadecimal digits without 0x, as the nodes read them."""
    return f"{secp256k1_key(seed, 'ethereum', ordinal, generation):064x}"


def ethereum_address(private_key: str) -> str:
    """The address of an Ethereum key: the last 20 bytes of Keccak-256 of the public key, in EIP-55 spelling.

    Raises:
        ValueError: where the key is not a number from 1 to the order of the curve less one; the text does not repeat it.
    """
    from Crypto.Hash import keccak
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    digits = private_key.strip().removeprefix("0x")
    number = int(digits, 16) if re.fullmatch(r"[0-9a-fA-F]{64}", digits) else 0
    if not 0 < number < SECP256K1_ORDER:
        raise ValueError("an Ethereum key is 64 hexadecimal digits, and neither 0 nor past the order of its curve")
    public = ec.derive_private_key(number, ec.SECP256K1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    plain = keccak.new(digest_bits=256, data=point).hexdigest()[-40:]
    check = keccak.new(digest_bits=256, data=plain.encode()).hexdigest()
    return "0x" + "".join(c.upper() if int(check[i], 16) >= 8 else c for i, c in enumerate(plain))
