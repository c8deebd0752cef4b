"""The heights of a chain's data at rest, read while no node runs, and what else its files say of its next block."""

import contextlib
import fcntl
import json
import mmap
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from chain_database import UnreadableError, crc32c, newest_value, text_at, varint

__all__ = [
    "Heights",
    "UpgradeInfo",
    "application_height",
    "block_height",
    "heights",
    "held_database",
    "initial_height",
    "state_sync_height",
    "upgrade_info",
    "wal_height",
]


class UpgradeInfo(NamedTuple):
    """What the old version of a chain leaves behind when it stops for an upgrade (x/upgrade)."""

    name: str
    height: int  # the first block that needs the new version


class Heights(NamedTuple):
    """The heights of data at rest."""

    application: int | None = None  # last block committed by the application; None: none, or not known
    block: int | None = None  # last block stored; None: none, or not known
    unread: Path | None = None  # a block store that is there and cannot be read, where the application's height is not known


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, those of fixed width left out."""
    at = 0
    while at < len(raw):
        tag, at = varint(raw, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(raw, at)
            yield tag >> 3, value
        elif kind == 2:
            text, at = text_at(raw, at)
            yield tag >> 3, text
        elif kind in {1, 5}:
            at += 8 if kind == 1 else 4
        else:
            raise UnreadableError("not a protobuf message")


def _number(raw: bytes, *path: int) -> int:
    """The number at a path of fields; 0 where it is absent, as protobuf has it."""
    found: int | bytes = raw
    for field in path:
        found = dict(_fields(found)).get(field, b"") if isinstance(found, bytes) else b""
    return found if isinstance(found, int) else 0


def heights(home: Path) -> Heights:
    """Both heights of a chain's data, and whether what is there could be read."""
    data = home / "data"
    application = block = None
    unread: Path | None = None
    with contextlib.suppress(UnreadableError):
        value = newest_value(data / "application.db", b"s/latest")
        application = None if value is None else _number(value, 1)
    try:
        value = newest_value(data / "blockstore.db", b"blockStore")
        block = None if value is None else _number(value, 2)
    except UnreadableError:
        unread = data / "blockstore.db" if (data / "blockstore.db").exists() else None
        block = wal_height(home)
    return Heights(application, block, unread if application is None else None)


def application_height(home: Path) -> int | None:
    """The last block that the application has committed (Cosmos SDK); None where there is none, or it cannot be read."""
    return heights(home).application


def block_height(home: Path) -> int | None:
    """The last block that is stored, which the application may have yet to commit; None where none can be found.

    Where the block store cannot be read it is the last height that the consensus log calls finished, written once the
    block is stored. A node that catches up by block sync writes no consensus log.
    """
    return heights(home).block


def wal_height(home: Path) -> int | None:
    """The last height that the consensus log calls finished."""
    folder = home / "data" / "cs.wal"
    rotated = sorted((path for path in folder.glob("wal.*") if path.suffix[1:].isdigit()), key=lambda path: int(path.suffix[1:]))
    for path in (folder / "wal", *reversed(rotated)):
        with contextlib.suppress(OSError):
            if (height := _last_end_height(path.read_bytes())) is not None:
                return height
    return None


def _last_end_height(raw: bytes) -> int | None:
    """Of a file of records: checksum and length, 4 bytes each, and a TimedWALMessage."""
    at, last = 0, None
    while at + 8 <= len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8])
        message = raw[at + 8 : at + 8 + size]
        # An end of a height is a few bytes long; what is larger is a part of a block. The last record may be torn.
        if len(message) == size <= 64 and crc32c(message) == int.from_bytes(raw[at : at + 4]):
            with contextlib.suppress(UnreadableError):
                carried = dict(_fields(message)).get(2)
                ended = dict(_fields(carried)).get(4) if isinstance(carried, bytes) else None
                last = _number(ended, 1) if isinstance(ended, bytes) else last
        at += 8 + size
    return last


def upgrade_info(home: Path) -> UpgradeInfo | None:
    """What upgrade-info.json says; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        said = cast("dict[str, Any]", json.loads((home / "data" / "upgrade-info.json").read_bytes()))
        return UpgradeInfo(str(said["name"]), int(said["height"]))
    return None


def initial_height(home: Path) -> int:
    """The height of the chain's first block, as its genesis has it."""
    try:
        # A genesis may have hundreds of megabytes; parsing one takes ten times that.
        with (home / "config" / "genesis.json").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            found = re.search(rb'"initial_height"\s*:\s*"?(\d+)', view)
            return max(1, int(found[1])) if found else 1
    except (OSError, ValueError):
        return 1


def state_sync_height(config: Path) -> int | None:
    """The trusted height of a config.toml whose state sync is on."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        section = cast("dict[str, Any]", tomllib.loads(config.read_text()).get("statesync", {}))
        if section.get("enable"):
            return int(section.get("trust_height") or section.get("trust-height") or 0) or None
    return None


def held_database(home: Path) -> Path | None:
    """The lock of a database that a process of this machine holds open: goleveldb by flock, pebble and rocksdb by fcntl."""
    for path in sorted((home / "data").glob("*.db/LOCK")):
        # A file system without locks says so by another error; the node will find that out as well.
        with contextlib.suppress(OSError), path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return path
    return None
