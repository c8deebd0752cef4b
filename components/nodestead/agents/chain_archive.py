"""Snapshots of a chain's data: read whole into a folder beside the data, and only then moved into place.

A kill at any point leaves either no snapshot at all, or a journal of moves that the next run ends.
"""

import json
import os
import shutil
from pathlib import Path, PurePosixPath
from tarfile import (
    EOFHeaderError,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] # typeshed has it not
    HeaderError,
    TarError,
    TarFile,
    TarInfo,
)
from typing import Any, Self, cast

from chain_files import StepError, have_databases, remove, say, sync_volume, write_whole
from chain_frames import Blocks, Source, decoded

__all__ = ["SIGN_STATE", "begin_moves", "finish_moves", "is_tar", "unpack"]

# What a validator has signed last. One of another time or node makes a validator sign twice, so none is ever brought in.
SIGN_STATE = "priv_validator_state.json"
# Of an archive of a whole home: keys and settings of the node that it was made from, and our own folder.
_NOT_MOVED = {"config", "keyring-file", "keyring-test", ".nodestead", "lost+found"}
_BLOCK = 1 << 18
_TAR_BUFFER = 1 << 16  # tarfile copies what is left of it for each header


class _Tar(TarFile):
    """An archive that is read from a stream."""

    members: list[TarInfo]


class _Member(TarInfo):
    """A member whose header must be sound: tarfile takes any other than the first that is not for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        """As in TarInfo."""
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise  # two blocks of zeros: the end
        except HeaderError as error:
            raise StepError(f"the archive is cut off or damaged after {tarfile.offset} bytes ({error})") from error


def is_tar(stream: Blocks) -> bool:
    """Whether a stream begins with the header of a tar archive."""
    return stream.peek(262)[257:] == b"ustar"


def unpack(source: Source, folder: Path) -> None:
    """Extracts a tar archive, compressed or not, into an empty folder, and reads it to its very end.

    Raises:
        StepError: it is no tar archive, is damaged or cut off, something follows its end, or a member would leave the folder.
    """
    stream = decoded(source)
    if not is_tar(stream):
        raise StepError("the file is no tar archive, nor one compressed with gzip, zstd or lz4; check what the URL gives")
    try:
        with _Tar.open(fileobj=cast("Any", stream), mode="r|", bufsize=_TAR_BUFFER, tarinfo=_Member) as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # or a database of a million files takes a gigabyte
                _extract(archive, member, folder)
            while block := archive.fileobj.read(_BLOCK):
                if any(block):
                    raise StepError("something else follows the end of the archive; it is damaged, or several were joined")
    except TarError as error:
        raise StepError(f"the archive is cut off or damaged ({error})") from error


def _extract(archive: TarFile, member: TarInfo, folder: Path) -> None:
    path = folder / _inside(member.name, member.name)
    if path.name == SIGN_STATE or path == folder:
        return
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # an archive may hold a file twice, and then the later one counts
    if member.issym():
        # Without `..` a link leads down from its own folder, however links are chained.
        path.symlink_to(_inside(member.linkname, member.name))
    elif member.islnk():
        path.hardlink_to(folder / _inside(member.linkname, member.name))
    elif member.isreg() and (content := archive.extractfile(member)) is not None:
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file, _BLOCK)
        path.chmod(0o600 | member.mode & 0o777)
    else:
        raise StepError(f"the archive holds {member.name!r}, which is neither a file, a folder nor a link; make it anew without")


def _inside(name: str, member: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise StepError(f"the archive holds {member!r}, which leads outside of it; make it anew with relative paths, without ..")
    return path


def begin_moves(home: Path, state: Path, restored: Path, origin: dict[str, Any]) -> None:
    """Writes down, for `finish_moves`, what goes where; from here on the snapshot counts as whole.

    Args:
        home: The chain's home.
        state: Our folder in it, for the journal.
        restored: Folder in it that holds what was unpacked.
        origin: Kept in the marker of a restored home.

    Raises:
        StepError: there is no database in it.
    """
    moves = [(str(source.relative_to(home)), target) for source, target in _plan(restored)]
    sync_volume(home)
    write_whole(state / "moves.json", json.dumps({"moves": moves, "origin": origin}).encode())


def finish_moves(home: Path, state: Path) -> bool:
    """Moves a whole snapshot into place, from wherever an earlier run was stopped; says whether there was one."""
    journal = state / "moves.json"
    if not journal.exists():
        return False
    written = json.loads(journal.read_bytes())
    for source, target in written["moves"]:
        if not os.path.lexists(home / source):
            continue  # an earlier run has moved it
        (home / target).parent.mkdir(parents=True, exist_ok=True)
        remove(home / target)
        (home / source).rename(home / target)
    sync_volume(home)
    write_whole(state / "restored.json", json.dumps(written["origin"]).encode())
    remove(state / "restore")
    journal.unlink()
    say(f"the snapshot is in place: {', '.join(target for _, target in written['moves'])}")
    return True


def _plan(restored: Path) -> list[tuple[Path, str]]:
    """What goes where: an archive holds `data` and its neighbours, or what is in `data`; either may lie in one more folder."""
    folder = restored
    while True:
        if have_databases(folder / "data"):
            beside = [entry for entry in _entries(folder) if entry.name != "data" and entry.is_dir()]
            return [
                *((entry, f"data/{entry.name}") for entry in _entries(folder / "data")),
                *((entry, entry.name) for entry in beside if entry.name not in _NOT_MOVED),
            ]
        if have_databases(folder):
            return [(entry, f"data/{entry.name}") for entry in _entries(folder)]
        below = [entry for entry in _entries(folder) if entry.is_dir() and not entry.is_symlink()]
        if len(below) != 1:
            found = ", ".join(entry.name for entry in _entries(folder)[:10]) or "nothing"
            raise StepError(f"the snapshot has no database (data/*.db) where one is looked for; there is: {found}")
        folder = below[0]


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.name not in {SIGN_STATE, "lost+found"})
