"""Heights at rest, read from folders written by hand."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from chain_actors import (
    added,
    batch,
    chain,
    database,
    end_height,
    internal,
    journal,
    removed,
    snappy,
    store_state,
    table,
    text,
    varint,
    version_value,
    wal_record,
)
from chain_database import UnreadableError, crc32c, newest_value, snappy_decode
from chain_height import (
    UpgradeInfo,
    application_height,
    block_height,
    heights,
    held_database,
    initial_height,
    state_sync_height,
    upgrade_info,
    wal_height,
)

KEY = b"blockStore"


def entry(sequence: int, value: bytes | None, key: bytes = KEY) -> tuple[bytes, bytes]:
    return internal(key, sequence, 0 if value is None else 1), value or b""


A_TO_Z = (b"a", b"z")
OLD, NEW = b"old", b"new"


@pytest.mark.parametrize(
    ("files", "edits", "expected"),
    [
        ({}, [], None),
        ({"000002.log": b""}, [], None),
        ({"000002.log": journal(batch(5, (KEY, OLD)), batch(6, (KEY, NEW)))}, [], NEW),
        ({"000002.log": journal(batch(5, (KEY, NEW)), batch(6, (b"other", OLD), (b"blockStore2", OLD)))}, [], NEW),
        ({"000002.log": journal(batch(5, (KEY, OLD), (KEY, NEW)))}, [], NEW),
        ({"000002.log": journal(batch(5, (KEY, OLD)), batch(6, (KEY, None)))}, [], None),
        # over several chunks and blocks
        ({"000002.log": journal(batch(5, (b"x" * 40000, OLD), (KEY, NEW)), batch(9, (b"y" * 70000, OLD)))}, [], NEW),
        ({"000002.log": journal(batch(5, (b"x", b"x" * (32768 - 36)), (KEY, NEW)))}, [], NEW),
        # what the last write left, torn
        ({"000002.log": journal(batch(5, (KEY, NEW))) + journal(batch(6, (KEY, OLD)))[:-3]}, [], NEW),
        ({"000002.log": journal(batch(5, (KEY, NEW))) + b"\0" * 500}, [], NEW),
        ({"000002.log": journal(batch(5, (KEY, NEW))) + journal(batch(6, (KEY, OLD))).replace(OLD, b"xxx")}, [], NEW),
        # two journals: the newest write counts, whichever file it is in
        ({"000002.log": journal(batch(5, (KEY, OLD))), "000004.log": journal(batch(9, (KEY, NEW)))}, [], NEW),
        # tables
        ({"000004.ldb": table([entry(5, NEW)])}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000004.sst": table([entry(5, NEW)], compress=False)}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000004.ldb": table([entry(7, NEW), entry(5, OLD)])}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000004.ldb": table([entry(7, None), entry(5, OLD)])}, [added(0, 4, *A_TO_Z)], None),
        (
            {"000004.ldb": table([entry(1, OLD, b"blockA"), entry(1, OLD, b"blockB")], [entry(5, NEW), entry(9, OLD, b"c")])},
            [added(2, 4, *A_TO_Z)],
            NEW,
        ),
        ({"000004.ldb": table([entry(1, OLD, b"a")], [entry(1, OLD, b"c")])}, [added(0, 4, *A_TO_Z)], None),
        # a newer file may hold older writes, after a compaction
        (
            {"000004.ldb": table([entry(9, NEW)]), "000008.ldb": table([entry(5, OLD)])},
            [added(0, 4, *A_TO_Z), added(1, 8, *A_TO_Z)],
            NEW,
        ),
        ({"000004.ldb": table([entry(9, OLD)]), "000006.log": journal(batch(12, (KEY, NEW)))}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000004.ldb": table([entry(20, NEW)]), "000006.log": journal(batch(12, (KEY, OLD)))}, [added(0, 4, *A_TO_Z)], NEW),
        # what the manifest has let go of is gone, there or not
        ({"000008.ldb": table([entry(9, NEW)])}, [added(0, 4, *A_TO_Z), added(0, 8, *A_TO_Z) + removed(0, 4)], NEW),
        ({"000004.ldb": table([entry(9, NEW)])}, [added(0, 4, *A_TO_Z), added(1, 5, b"x", b"z")], NEW),
        # a manifest that lost its end, or all: every table counts
        ({"000004.ldb": table([entry(9, NEW)]), "MANIFEST-000001": b"\xff" * 50}, [], NEW),
        # a pointer that was about to become CURRENT, and the backup
        (
            {"CURRENT": b"MANIFEST-000009\n", "CURRENT.1": b"MANIFEST-000001\n", "000004.ldb": table([entry(9, NEW)])},
            [added(0, 4, *A_TO_Z)],
            NEW,
        ),
        (
            {"CURRENT": b"MANI", "CURRENT.bak": b"MANIFEST-000001\n", "000004.ldb": table([entry(9, NEW)])},
            [added(0, 4, *A_TO_Z)],
            NEW,
        ),
        # pebble: other footer, nested index, journals used again with the rest of an older one behind
        ({"000004.sst": table([entry(9, NEW)], pebble=True)}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000004.sst": table([entry(1, OLD, b"a")], [entry(9, NEW)], pebble=True, nested=True)}, [added(0, 4, *A_TO_Z)], NEW),
        ({"000002.log": journal(batch(5, (KEY, NEW)), number=2) + journal(batch(4, (KEY, OLD)), number=1)}, [], NEW),
        ({"000002.log": journal(batch(5, (b"x" * 50000, OLD), (KEY, NEW)), number=2)}, [], NEW),
    ],
)
def test_the_newest_write_counts(tmp_path: Path, files: dict[str, bytes], edits: list[bytes], expected: bytes | None) -> None:
    database(tmp_path, files, *edits)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert newest_value(tmp_path, KEY) == expected
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


GOOD = table([entry(9, NEW)])


@pytest.mark.parametrize(
    ("files", "edits"),
    [
        ({"CURRENT": b""}, []),
        ({}, [added(0, 4, *A_TO_Z)]),  # a table is missing
        ({"000004.ldb": b""}, [added(0, 4, *A_TO_Z)]),
        ({"000004.ldb": b"x" * 200}, [added(0, 4, *A_TO_Z)]),
        ({"000004.ldb": GOOD.replace(NEW, b"xxx")}, [added(0, 4, *A_TO_Z)]),  # a checksum
        ({"000004.ldb": table([entry(9, OLD)]), "000006.ldb": b"x" * 60}, [added(0, 4, *A_TO_Z), added(0, 6, *A_TO_Z)]),
        ({"MANIFEST-000001": journal(b"\x7f\x01"), "OPTIONS-000003": b"", "000004.sst": GOOD}, []),  # a later kind of pebble
        ({"000004.sst": GOOD[:-8] + bytes.fromhex("f09faab3f09faab3")}, [added(0, 4, *A_TO_Z)]),
    ],
)
def test_no_answer_is_given_where_the_newest_write_may_be_lost(
    tmp_path: Path, files: dict[str, bytes], edits: list[bytes]
) -> None:
    database(tmp_path, files, *edits)
    with pytest.raises(UnreadableError):
        newest_value(tmp_path, KEY)


def test_the_checksum_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (b"\0", b""),
        (b"\x03\x08abc", b"abc"),
        (b"\x14\x00a\x4a\x01\x00", b"a" * 20),  # a copy that reaches into itself
        (b"\x09\x0cabcd\x01\x04\x00e", b"abcdabcde"),
        (b"\x08\x0cabcd\x0f\x04\x00\x00\x00", b"abcdabcd"),
        (b"\x46\xf0\x45" + b"z" * 70, b"z" * 70),
        (snappy(b"blocks" * 100), b"blocks" * 100),
    ],
)
def test_snappy(packed: bytes, expected: bytes) -> None:
    assert snappy_decode(packed) == expected


@pytest.mark.parametrize("packed", [b"\x05\x08abc", b"\x03\x08ab", b"\x14\x4a\x01\x00", b"\xff\xff"])
def test_broken_snappy_is_refused(packed: bytes) -> None:
    with pytest.raises(UnreadableError):
        snappy_decode(packed)


@pytest.mark.parametrize(("application", "block"), [(None, None), (14, 15), (300, 300), (0, 1), (None, 1), (70000, None)])
def test_heights_of_a_chain(tmp_path: Path, application: int | None, block: int | None) -> None:
    chain(tmp_path, application=application, block=block)
    assert (application_height(tmp_path), block_height(tmp_path)) == (application, block)
    assert heights(tmp_path).unread is None


def test_a_store_that_cannot_be_read_is_named_and_the_consensus_log_asked(tmp_path: Path) -> None:
    database(tmp_path / "data" / "blockstore.db", {"CURRENT": b""})
    assert heights(tmp_path) == (None, None, tmp_path / "data" / "blockstore.db")
    (tmp_path / "data" / "cs.wal").mkdir()
    (tmp_path / "data" / "cs.wal" / "wal").write_bytes(end_height(7))
    assert heights(tmp_path) == (None, 7, tmp_path / "data" / "blockstore.db")
    chain(tmp_path, application=6)
    assert heights(tmp_path) == (6, 7, None)


OTHER = wal_record(b"\x0a" + text(b"\x08\x01") + b"\x12" + text(b"\x0a" + text(b"\x08\x63")))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"wal": b""}, None),
        ({"wal": end_height(0)}, 0),
        ({"wal": end_height(0) + OTHER + end_height(1) + OTHER + end_height(300) + OTHER}, 300),
        ({"wal": OTHER, "wal.000": end_height(4), "wal.001": end_height(9) + OTHER}, 9),
        ({"wal": OTHER, "wal.999": end_height(4), "wal.1000": end_height(9)}, 9),
        ({"wal": end_height(12), "wal.001": end_height(9)}, 12),
        ({"wal": end_height(7) + end_height(8)[:-1]}, 7),
        ({"wal": end_height(7) + end_height(8).replace(b"\x08\x08", b"\x08\x09")}, 7),
        ({"wal": end_height(7), "wal.CORRUPTED": end_height(9)}, 7),
    ],
)
def test_the_consensus_log_tells_the_last_height_that_is_finished(
    tmp_path: Path, files: dict[str, bytes], expected: int | None
) -> None:
    (tmp_path / "data" / "cs.wal").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "data" / "cs.wal" / name).write_bytes(content)
    assert wal_height(tmp_path) == block_height(tmp_path) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('{"name":"v2","time":"0001-01-01T00:00:00Z","height":30}', UpgradeInfo("v2", 30)),
        ('{"name":"v2","height":"30","info":""}', UpgradeInfo("v2", 30)),
        ("", None),
        ('{"name":"v2"}', None),
        ("[]", None),
    ],
)
def test_upgrade_info(tmp_path: Path, written: str, expected: UpgradeInfo | None) -> None:
    assert upgrade_info(tmp_path) is None
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "upgrade-info.json").write_text(written)
    assert upgrade_info(tmp_path) == expected


@pytest.mark.parametrize(
    ("genesis", "expected"), [(None, 1), ("", 1), ("{}", 1), ('{"initial_height": "0"}', 1), ('{"a":1,"initial_height":77}', 77)]
)
def test_initial_height(tmp_path: Path, genesis: str | None, expected: int) -> None:
    (tmp_path / "config").mkdir()
    if genesis is not None:
        (tmp_path / "config" / "genesis.json").write_text(genesis)
    assert initial_height(tmp_path) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("[statesync]\nenable = true\ntrust_height = 40", 40),
        ("[statesync]\nenable = true\ntrust-height = 40", 40),
        ("[statesync]\nenable = false\ntrust_height = 40", None),
        ("[statesync]\nenable = true\ntrust_height = 0", None),
        ("[p2p]", None),
        ("not toml", None),
    ],
)
def test_state_sync_height(tmp_path: Path, config: str, expected: int | None) -> None:
    (tmp_path / "config.toml").write_text(config)
    assert state_sync_height(tmp_path / "config.toml") == expected


@pytest.mark.parametrize("lock", [fcntl.flock, fcntl.lockf])
def test_a_database_that_is_open_elsewhere(tmp_path: Path, lock: object) -> None:
    chain(tmp_path, block=3)
    path = tmp_path / "data" / "blockstore.db" / "LOCK"
    assert held_database(tmp_path) is None
    path.touch()
    assert held_database(tmp_path) is None
    kind = "flock" if lock is fcntl.flock else "lockf"
    code = f"import fcntl,sys; f=open({str(path)!r},'r+'); fcntl.{kind}(f, 2); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert held_database(tmp_path) == path
    assert held_database(tmp_path) is None


def test_values_are_those_of_real_chains() -> None:
    assert (version_value(15), store_state(300)) == (b"\x08\x0f", b"\x08\x01\x10\xac\x02")
    assert varint(300) == b"\xac\x02"
