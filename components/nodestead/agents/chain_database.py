"""Reads single values out of a chain's databases at rest, without changing a byte: goleveldb, and pebble's older formats.

A folder is read as the database itself would recover it: what the manifest calls live, and the journals, which hold what
was written last; of several values the one with the highest sequence number counts. Nothing is skipped in silence: where
a part that could hold the newest value cannot be read, there is no answer, for a height that is too low would start a
version that has had its day.

The formats: https://github.com/google/leveldb/blob/main/doc/log_format.md and table_format.md, https://github.com/syndtr/goleveldb
(session_record.go), https://github.com/google/snappy/blob/main/format_description.txt, https://github.com/cockroachdb/pebble
(record/record.go, internal/manifest/version_edit.go).
"""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["UnreadableError", "crc32c", "newest_value", "snappy_decode", "text_at", "varint"]

_BLOCK = 32768  # of a journal
_VALUE_KINDS = frozenset({1, 18})  # a value; pebble's value that hides a deletion
_PAIR_KINDS = frozenset({1, 2, 15, 18, 19, 20, 21, 23})  # kinds of a batch that carry two texts; the others one
_LEVELDB_MAGIC = bytes.fromhex("57fb808b247547db")
_ROCKSDB_MAGIC = bytes.fromhex("f7cff485b741e288")


class UnreadableError(Exception):
    """A database that is not of a known format, or damaged where the newest value may be."""


class _Table(NamedTuple):
    number: int
    smallest: bytes  # user keys
    largest: bytes


# --- numbers, checksums, snappy ---


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for value in range(256):
        rest = value
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
        table.append(rest)
    return tuple(table)


_CRC = _crc_table()


def crc32c(*parts: bytes) -> int:
    """The Castagnoli checksum, which the standard library has not."""
    crc, table = 0xFFFFFFFF, _CRC
    for part in parts:
        for byte in part:
            crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked_crc(*parts: bytes) -> int:
    crc = crc32c(*parts)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    number = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise UnreadableError("a number runs over its end")
        byte = raw[at]
        number |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return number, at


def text_at(raw: bytes, at: int) -> tuple[bytes, int]:
    """The text at a place, led by its length, and the place behind it."""
    length, at = varint(raw, at)
    if at + length > len(raw):
        raise UnreadableError("a text runs over its end")
    return raw[at : at + length], at + length


def snappy_decode(raw: bytes) -> bytes:
    """What a block of snappy holds.

    Raises:
        UnreadableError: where it is no such block.
    """
    length, at = varint(raw, 0)
    out = bytearray()
    while at < len(raw):
        tag = raw[at]
        at += 1
        if not tag & 3:
            size = tag >> 2
            if size >= 60:
                extra = size - 59
                size = int.from_bytes(raw[at : at + extra], "little")
                at += extra
            out += raw[at : at + size + 1]
            at += size + 1
            continue
        if tag & 3 == 1:
            size, far, wide = (tag >> 2 & 7) + 4, tag >> 5 << 8, 1
        else:
            size, far, wide = (tag >> 2) + 1, 0, 2 if tag & 3 == 2 else 4
        far |= int.from_bytes(raw[at : at + wide], "little")
        at += wide
        if not 0 < far <= len(out):
            raise UnreadableError("a copy from before the start")
        start = len(out) - far
        while size > 0:  # a copy may reach into what it makes
            piece = out[start : start + size]
            out += piece
            size -= len(piece)
    if at != len(raw) or len(out) != length:
        raise UnreadableError("a block of another length than it says")
    return bytes(out)


# --- journals: the log of writes, and the manifest ---


def _records(raw: bytes, number: int) -> Iterator[list[tuple[int, int, int]]]:
    """The whole records of a journal, each as its chunks (place of the checksum, start, end), damaged ones left out."""
    at, parts = 0, list[tuple[int, int, int]]()
    while at + 7 <= len(raw):
        room = _BLOCK - at % _BLOCK
        kind = raw[at + 6]
        head = 7 if kind <= 4 else 11  # pebble's journals are used again, and say whose a chunk is
        start = at + head
        end = start + int.from_bytes(raw[at + 4 : at + 6], "little")
        foreign = head == 11 and int.from_bytes(raw[at + 7 : at + 11], "little") != number & 0xFFFFFFFF
        if room < 7 or not 1 <= kind <= 8 or end > min(at + room, len(raw)) or foreign:
            at, parts = at + room, []
            continue
        step = (kind - 1) % 4  # whole, first, middle, last
        if step < 2:
            parts = []
        if step < 2 or parts:
            parts.append((at, start, end))
            if step in {0, 3}:
                yield parts
                parts = []
        at = end


def _is_whole(raw: bytes, parts: list[tuple[int, int, int]]) -> bool:
    # The checksum covers the kind, a recycled chunk's number and what it carries.
    return all(_masked_crc(raw[at + 6 : end]) == int.from_bytes(raw[at : at + 4], "little") for at, _, end in parts)


def _batch(record: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """The writes of a record: sequence number, key, and value; None is a deletion."""
    sequence, at = int.from_bytes(record[:8], "little"), 12
    while at < len(record):
        kind = record[at]
        key, at = text_at(record, at + 1)
        value = None
        if kind in _PAIR_KINDS:
            value, at = text_at(record, at)
        if kind in _VALUE_KINDS or kind in {0, 7}:
            yield sequence, key, value if kind in _VALUE_KINDS else None
        sequence += kind != 3


def _newest_in_journal(path: Path, key: bytes) -> tuple[int, bytes | None] | None:
    raw = path.read_bytes()
    for parts in reversed(list(_records(raw, int(path.stem)))):
        record = b"".join(raw[start:end] for _, start, end in parts)
        if key in record and _is_whole(raw, parts):
            written = [(sequence, value) for sequence, name, value in _batch(record) if name == key]
            if written:
                return written[-1]
    return None


def _manifest(folder: Path) -> Path | None:
    """The manifest that counts: that of the newest pointer to a manifest that is there."""
    pointers = sorted(folder.glob("marker.manifest.*"), reverse=True)  # pebble's later way
    named = [path.name.split(".", 3)[3] for path in pointers]
    pending = [path for path in folder.glob("CURRENT.*") if path.suffix[1:].isdigit()]
    currents: list[tuple[int, str]] = []
    for path in (*pending, folder / "CURRENT", folder / "CURRENT.bak"):
        with suppress(OSError, ValueError):
            name = path.read_text().removesuffix("\n")
            # The backup is asked last, whatever it names.
            currents.append((-1 if path.suffix == ".bak" else int(name.removeprefix("MANIFEST-")), name))
    named += [name for _, name in sorted(currents, reverse=True)]
    return next((folder / name for name in named if (folder / name).is_file()), None)


def _file_entry(record: bytes, at: int, tag: int) -> tuple[_Table, int]:
    number, at = varint(record, at)
    _, at = varint(record, at)  # bytes
    smallest, at = text_at(record, at)
    largest, at = text_at(record, at)
    if tag != 7:
        _, at = varint(record, at)  # the smallest and the largest sequence number
        _, at = varint(record, at)
    while tag == 103:
        custom, at = varint(record, at)
        if custom == 1:
            break
        if custom & 64:
            raise UnreadableError("the manifest holds a file of an unknown kind")
        _, at = text_at(record, at)
    return _Table(number, smallest[:-8], largest[:-8]), at


def _apply_edit(record: bytes, live: dict[tuple[int, int], _Table]) -> None:
    at = 0
    while at < len(record):
        tag, at = varint(record, at)
        if tag == 1:
            _, at = text_at(record, at)
        elif tag in {2, 3, 4, 9}:
            _, at = varint(record, at)
        elif tag == 5:
            _, at = varint(record, at)
            _, at = text_at(record, at)
        elif tag == 6:
            level, at = varint(record, at)
            number, at = varint(record, at)
            live.pop((level, number), None)
        elif tag in {7, 100, 103}:
            level, at = varint(record, at)
            table, at = _file_entry(record, at, tag)
            live[level, table.number] = table
        else:
            raise UnreadableError(f"the manifest holds an entry of the unknown kind {tag}")


def _live_tables(manifest: Path) -> list[_Table]:
    raw = manifest.read_bytes()
    live: dict[tuple[int, int], _Table] = {}
    edits = 0
    for parts in _records(raw, 0):
        if _is_whole(raw, parts):
            _apply_edit(b"".join(raw[start:end] for _, start, end in parts), live)
            edits += 1
    if not edits:
        raise UnreadableError("the manifest is empty")
    return list(live.values())


# --- tables ---


class _Reader:
    """One table: an index of blocks, which are sorted, and end with a kind of compression and a checksum."""

    def __init__(self, raw: mmap.mmap) -> None:
        self.raw = raw
        end = raw[-53:]
        if end.endswith(_LEVELDB_MAGIC):
            self.meta = end[-48:]
        elif end.endswith(b"\x02\0\0\0" + _ROCKSDB_MAGIC) and end[0] == 1:
            self.meta = end[1:]
        else:
            raise UnreadableError("not a table of a known format")
        self.index = self.meta[varint(self.meta, varint(self.meta, 0)[1])[1] :]
        self.nested = end.endswith(_ROCKSDB_MAGIC) and self._is_nested()

    def block(self, handle: bytes) -> bytes:
        start, at = varint(handle, 0)
        size, _ = varint(handle, at)
        end = start + size
        content, kind = self.raw[start:end], self.raw[end : end + 1]
        if len(content) != size or _masked_crc(content, kind) != int.from_bytes(self.raw[end + 1 : end + 5], "little"):
            raise UnreadableError("a block is damaged")
        if kind not in {b"\0", b"\x01"}:
            raise UnreadableError(f"a block is compressed in the unknown way {kind[0]}")
        return snappy_decode(content) if kind == b"\x01" else content

    def newest(self, key: bytes) -> tuple[int, bytes | None] | None:
        for entry, handle in _entries(self.block(self.index)):
            if entry[:-8] < key:
                continue
            blocks = (inner for last, inner in _entries(self.block(handle)) if last[:-8] >= key) if self.nested else (handle,)
            for inner in blocks:
                for name, value in _entries(self.block(inner)):
                    if name[:-8] == key:  # the first is the newest
                        trailer = int.from_bytes(name[-8:], "little")
                        return trailer >> 8, value if trailer & 255 in _VALUE_KINDS else None
                    if name[:-8] > key:
                        return None
        return None

    def _is_nested(self) -> bool:
        properties = dict(_entries(self.block(self.meta))).get(b"rocksdb.properties")
        kind = b"rocksdb.block.based.table.index.type"
        return properties is not None and dict(_entries(self.block(properties))).get(kind, b"")[:1] == b"\x02"


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block; a key shares its start with the one before."""
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        size, at = varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + size]
        at += size


def _candidates(folder: Path, key: bytes) -> list[Path]:
    """The tables that may hold the key, newest first: all of them where the manifest does not tell."""
    tables = {int(path.stem): path for pattern in ("*.ldb", "*.sst") for path in folder.glob(pattern) if path.stem.isdigit()}
    manifest = _manifest(folder)
    if manifest is None:
        raise UnreadableError(f"{folder} is no database")
    try:
        live = [table.number for table in _live_tables(manifest) if table.smallest <= key <= table.largest]
    except UnreadableError:
        # goleveldb keeps sequence numbers for good, so that tables of earlier states do no harm; pebble sets them to 0.
        if next(folder.glob("OPTIONS-*"), None) is not None:
            raise
        live = list(tables)
    missing = [number for number in live if number not in tables]
    if missing:
        raise UnreadableError(f"{folder} lacks table {missing[0]}")
    return [tables[number] for number in sorted(live, reverse=True)]


def newest_value(folder: Path, key: bytes) -> bytes | None:
    """The value of a key in a database of goleveldb, or of pebble in its older formats; None when it has none.

    Raises:
        UnreadableError: where it is no such database, or where what may hold the newest value is damaged.
    """
    found: list[tuple[int, bytes | None]] = []
    try:
        # Journals first: were a running node to move one into a table meanwhile, the table is seen.
        for path in folder.glob("*.log"):
            if path.stem.isdigit() and (written := _newest_in_journal(path, key)):
                found += [written]
        for path in _candidates(folder, key):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                if stored := _Reader(view).newest(key):
                    found += [stored]
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableError(f"{folder}: {error}") from error
    return max(found, key=lambda entry: entry[0])[1] if found else None
