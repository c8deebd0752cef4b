"""Folders and keys of a node: the modes it demands, and what it makes of a key."""

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import NoReturn

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def log(level: str, message: str, **details: object) -> None:
    """One line on standard output, as the node logs."""
    print(f"{level} {message}", *(f"{key}={value}" for key, value in details.items()), flush=True)


def die(message: str, **details: object) -> NoReturn:
    """Ends the node as a failed start does."""
    log("FAT", message, **details)
    raise SystemExit(1)


def secure_folder(path: Path) -> None:
    """The folder is 0700 afterwards, or the node ends."""
    try:
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
            return
        mode = stat.S_IMODE(path.stat().st_mode) & 0o777
    except OSError as error:
        die("Could not create data directory", data_dir=path, errorMsg=error.strerror)
    if mode == 0o700:
        return
    log("WRN", "Data directory has insecure permissions. Correcting them.", data_dir=path, current_permissions=f"{mode:04o}")
    try:
        path.chmod(0o700)
    except OSError as error:
        die("Could not set data directory permissions", data_dir=path, errorMsg=error.strerror, old_permissions=f"{mode:04o}")


def is_secure(path: Path) -> bool:
    """Whether a file is exactly 0600. Raises OSError where there is none."""
    return stat.S_IMODE(path.stat().st_mode) & 0o777 == 0o600


def network_key(path: Path) -> bytes:
    """The key of the peer id, made where there is none."""
    try:
        if not path.exists():
            log("INF", "Creating a private key and saving it")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        elif not is_secure(path):
            log("WRN", "The network private key file is not safe, aborting")
            die("Should setup private key!: The network private key file is not safe")
        return path.read_bytes()
    except OSError as error:
        die("Should setup private key!", errorMsg=error.strerror)


def ethereum_key(file: str | None, account: str | None) -> str:
    """The digest by which tests tell keys apart; empty for an account without a key file."""
    if file is None:
        if account is None:
            die("Persistence enabled, but no Ethereum account was set")
        return ""
    path = Path(file)
    try:
        if not is_secure(path):
            die("Ethereum private key file does not have safe file permissions")
    except OSError:
        die("Could not check file permissions: does Ethereum private key file exist?")
    try:
        key = path.read_text().strip()
    except OSError:
        die("Unable to read Ethereum private key file")
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", key) or not 0 < int(key, 16) < SECP256K1_ORDER:
        die("Invalid Ethereum private key in file")
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def base58(value: bytes) -> str:
    """Bitcoin's base 58, in which peer ids are written."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    left, digits = int.from_bytes(value, "big"), ""
    while left:
        left, digit = divmod(left, 58)
        digits = alphabet[digit] + digits
    return "1" * (len(value) - len(value.lstrip(b"\0"))) + digits


def peer_id_of(key: bytes) -> str:
    """A peer id of the right form; the digest stands in for the public key."""
    return base58(bytes.fromhex("00250802122102") + hashlib.sha256(key).digest())
