"""Snapshots: what is unpacked, what is refused, and what goes where."""

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from chain_agents import PROGRAMS, packed, tar_of
from chain_archive import begin_moves, finish_moves, unpack
from chain_files import StepError
from chain_frames import decoded

# Both kinds of content: what compresses well fills many output blocks from few input bytes.
NOISE = random.Random(3).randbytes(700_000)
CONTENT = NOISE + bytes(5_000_000) + b"end"
TAR = tar_of({"data/application.db/CURRENT": b"MANIFEST-1\n", "data/blockstore.db/000001.ldb": NOISE})

Packing = Callable[[bytes], bytes]
PACKINGS: dict[str, Packing] = {
    "gzip": lambda content: packed("gzip", content),
    "zstd": lambda content: packed("zstd", content, "-q"),
    "zstd long": lambda content: packed("zstd", content, "-q", "--long=31"),
    "zstd no checksum": lambda content: packed("zstd", content, "-q", "--no-check"),
    "lz4": lambda content: packed("lz4", content, "-q"),
    "lz4 no checksum": lambda content: packed("lz4", content, "-q", "--no-frame-crc"),
    "lz4 dependent blocks": lambda content: packed("lz4", content, "-q", "-BD", "-B4"),
}
PACKINGS = {name: packing for name, packing in PACKINGS.items() if name.split()[0] in PROGRAMS}
each_packing = pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)
SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"pzstd"


class Dribble:
    """A source that gives few bytes at a time, as a network does."""

    def __init__(self, content: bytes, most: int) -> None:
        self.file = io.BytesIO(content)
        self.most = most

    def read(self, size: int, /) -> bytes:
        return self.file.read(min(size, self.most))


def decompressed(content: bytes, most: int = 1 << 20) -> bytes:
    return b"".join(iter(decoded(Dribble(content, most)).read, b""))


def test_the_programs_that_make_the_archives_are_here() -> None:
    if len(PROGRAMS) < 3:
        pytest.skip(f"NOT TESTED: archives of {sorted({'gzip', 'zstd', 'lz4'} - set(PROGRAMS))}; install the program")


@each_packing
@pytest.mark.parametrize("most", [1 << 20, 4093])
def test_a_compressed_file_reads_as_it_was(packing: Packing, most: int) -> None:
    assert decompressed(packing(CONTENT), most) == CONTENT


@each_packing
def test_what_is_left_in_the_decoder_when_the_input_is_over_comes_too(packing: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain_frames._BLOCK", 1000)
    assert decompressed(packing(bytes(300_123))) == bytes(300_123)


@each_packing
def test_frames_may_follow_each_other(packing: Packing) -> None:
    assert decompressed(packing(NOISE) + packing(b"") + packing(b"end"), 4093) == NOISE + b"end"


@pytest.mark.parametrize("name", [name for name in ("zstd", "lz4") if name in PACKINGS])
def test_skippable_frames_are_passed(name: str) -> None:
    pack = PACKINGS[name]
    assert decompressed(SKIPPABLE + pack(b"one ") + SKIPPABLE + pack(b"two") + SKIPPABLE, 3) == b"one two"


@each_packing
@pytest.mark.parametrize("cut", [1, 5, 5000])
def test_a_cut_off_file_is_refused(packing: Packing, cut: int) -> None:
    with pytest.raises(StepError, match="ends in the middle"):
        decompressed(packing(CONTENT)[:-cut])


@each_packing
@pytest.mark.parametrize("tail", [b"garbage", b"x", b"\0\0\0\0\0\0\0x"])
def test_garbage_behind_a_compressed_file_is_refused(packing: Packing, tail: bytes) -> None:
    with pytest.raises(StepError, match="something else follows the end"):
        decompressed(packing(CONTENT) + tail)


def test_zeros_that_pad_gzip_are_taken() -> None:
    assert decompressed(gzip.compress(b"content") + bytes(10_000)) == b"content"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_flipped_bit_is_refused(program: str) -> None:
    content = bytearray(PACKINGS[program](CONTENT))
    content[350_000] ^= 4
    with pytest.raises(StepError, match="damaged"):
        decompressed(bytes(content))


def test_the_legacy_format_of_lz4_is_refused() -> None:
    with pytest.raises(StepError, match="legacy format"):
        decompressed(b"\x02\x21\x4c\x18" + b"x" * 100)


@pytest.mark.parametrize("content", [b"", b"x", NOISE], ids=len)
def test_what_is_not_compressed_stays_as_it_is(content: bytes) -> None:
    assert decompressed(content) == content


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", no_library)
    with pytest.raises(StepError, match=r"the agent image has no libzstd\.so\.1; use an image based on Debian"):
        decompressed(b"\x28\xb5\x2f\xfd" + bytes(20))


# --- tar ---


def unpacked(content: bytes, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    unpack(io.BytesIO(content), folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo()
    header.type, header.linkname = kind, target
    return header


@each_packing
def test_a_compressed_archive_is_unpacked(packing: Packing, tmp_path: Path) -> None:
    assert unpacked(packing(TAR), tmp_path / "out") == {
        "data/application.db/CURRENT": b"MANIFEST-1\n",
        "data/blockstore.db/000001.ldb": NOISE,
    }


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_tar_format_is_unpacked(kind: int, tmp_path: Path) -> None:
    name = f"./data/{'long' * 20}/{'x' * 90}" if kind != tarfile.USTAR_FORMAT else "./data/x"
    assert unpacked(tar_of({"./": None, "./data": None, name: b"content"}, kind), tmp_path / "out") == {name[2:]: b"content"}


def test_links_within_are_made(tmp_path: Path) -> None:
    members = {"data/a": b"content", "data/hard": link(tarfile.LNKTYPE, "data/a"), "data/soft": link(tarfile.SYMTYPE, "a")}
    assert unpacked(tar_of(members), tmp_path / "out") == {"data/a": b"content", "data/hard": b"content", "data/soft": b"content"}


def test_a_file_that_comes_twice_counts_as_it_came_last(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for content in (b"first", b"second"):
            header = tarfile.TarInfo("data/a")
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    assert unpacked(out.getvalue(), tmp_path / "out") == {"data/a": b"second"}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"/etc/cron.d/x": b"x"}, "leads outside"),
        ({"../x": b"x"}, "leads outside"),
        ({"data/../../x": b"x"}, "leads outside"),
        ({"data/x": link(tarfile.SYMTYPE, "/etc")}, "leads outside"),
        ({"data/x": link(tarfile.SYMTYPE, "..")}, "leads outside"),
        ({"a/b": link(tarfile.SYMTYPE, "."), "e": link(tarfile.SYMTYPE, "a/b/../.."), "e/x": b"x"}, "leads outside"),
        ({"data/x": link(tarfile.LNKTYPE, "../../x")}, "leads outside"),
        ({"data/x": link(tarfile.LNKTYPE, "/etc/passwd")}, "leads outside"),
        ({"data/x": link(tarfile.FIFOTYPE, "")}, "neither a file, a folder nor a link"),
        ({"data/x": link(tarfile.CHRTYPE, "")}, "neither a file, a folder nor a link"),
    ],
)
def test_nothing_is_written_outside_of_the_folder(
    members: Mapping[str, bytes | tarfile.TarInfo], said: str, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=said):
        unpacked(tar_of({"ok": b"ok", **members}), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("at", [100, 512, 700, 1024, 1024 + 512, 1024 + 600, 300_000, 512 * 1369 + 1024, len(TAR) - 10240])
def test_an_archive_that_is_cut_off_anywhere_is_refused(at: int, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"cut off|no tar archive"):
        unpacked(TAR[:at], tmp_path / "out")


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="cut off or damaged after 1024 bytes"):
        unpacked(TAR[:1024] + b"\xff" + TAR[1025:], tmp_path / "out")


def test_something_behind_the_end_of_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="something else follows the end of the archive"):
        unpacked(TAR + TAR, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"{}" * 1000], ids=len)
def test_something_else_than_an_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no tar archive"):
        unpacked(content, tmp_path / "out")


def test_what_a_validator_has_signed_is_never_unpacked(tmp_path: Path) -> None:
    members = {"data/priv_validator_state.json": b"{}", "data/a": b"a"}
    assert unpacked(tar_of(members), tmp_path / "out") == {"data/a": b"a"}


# --- what goes where ---


@pytest.mark.parametrize(
    ("found", "moved"),
    [
        (["data/a.db/1", "wasm/w"], ["data/a.db/1", "wasm/w"]),
        (["snap/data/a.db/1", "snap/wasm/w"], ["data/a.db/1", "wasm/w"]),
        (["home/op/cosmos/data/a.db/1"], ["data/a.db/1"]),
        (
            ["a.db/1", "cs.wal/wal", "wasm/w", "upgrade-info.json"],
            ["data/a.db/1", "data/cs.wal/wal", "data/upgrade-info.json", "data/wasm/w"],
        ),
        (["snap/a.db/1", "README"], ["data/a.db/1"]),
        (["data/a.db/1", "config/node_key.json", "keyring-test/x", "README"], ["data/a.db/1"]),
        (["lost+found/x", "data/a.db"], ["data/a.db"]),
    ],
    ids=str,
)
def test_every_shape_of_archive_ends_in_place(found: list[str], moved: list[str], tmp_path: Path) -> None:
    state = tmp_path / ".nodestead"
    for name in found:
        (state / "restore" / name).parent.mkdir(parents=True, exist_ok=True)
        (state / "restore" / name).touch()
    (tmp_path / "data" / "cs.wal").mkdir(parents=True)
    (tmp_path / "data" / "cs.wal" / "old").touch()
    begin_moves(tmp_path, state, state / "restore", {"kind": "url"})
    assert finish_moves(tmp_path, state)
    assert not finish_moves(tmp_path, state)
    kept = [] if "cs.wal/wal" in found else ["data/cs.wal/old"]
    there = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(there) == sorted([".nodestead/restored.json", *moved, *kept])
    assert json.loads((state / "restored.json").read_bytes()) == {"kind": "url"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "there is: nothing"),
        (["data/x"], "there is: x"),
        (["a/a.db/1", "b/b.db/1"], "there is: a, b"),
        (["README"], "there is: README"),
    ],
)
def test_an_archive_without_databases_is_refused(found: list[str], said: str, tmp_path: Path) -> None:
    restored = tmp_path / ".nodestead" / "restore"
    restored.mkdir(parents=True)
    for name in found:
        (restored / name).parent.mkdir(parents=True, exist_ok=True)
        (restored / name).touch()
    with pytest.raises(StepError, match=said):
        begin_moves(tmp_path, restored.parent, restored, {})
    assert not (restored.parent / "moves.json").exists()
