"""The folder that a run works in: it goes at the end, and what a killed run has left goes with the next one."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["abandoned", "is_workspace", "remove_tree", "workspace"]

_PREFIX: Final = "nodestead-"
_LOCK: Final = ".in-use"
_NAME: Final = re.compile(rf"{_PREFIX}[A-Za-z0-9_]+")


@contextmanager
def workspace(beside: Path) -> Generator[Path]:
    """A new folder. Its lock goes with the process, also where that is killed.

    Args:
        beside: The folder for temporary files.

    Yields:
        The folder; whoever asked for it removes it.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
    try:
        handle = _locked(folder)
    except BaseException:
        # As on a disk that is full.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield folder
    finally:
        os.close(handle)


def _locked(folder: Path) -> int:
    made = folder / f"{_LOCK}.new"
    handle = os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    # By its name only when it is locked: who looks for what is left must not find it open.
    made.rename(folder / _LOCK)
    return handle


def is_workspace(folder: Path, beside: Path) -> bool:
    """Whether a folder, which need not be there any more, was made by `workspace`."""
    return folder.parent == beside and _NAME.fullmatch(folder.name) is not None


def abandoned(beside: Path) -> Iterator[Path]:
    """Folders of ours that nobody works in any more; each stays locked for as long as it is looked at."""
    try:
        found = sorted(beside.iterdir())
    except OSError:
        # One may go into it and not list it.
        return
    for folder in found:
        if not is_workspace(folder, beside) or folder.is_symlink():
            continue
        try:
            # In a folder that all share, others may make one of that name.
            if folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def remove_tree(folder: Path) -> None:
    """Removes a folder, also where what ran in it took the right to."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    for place, names, _ in os.walk(folder):
        for one in (place, *(os.path.join(place, name) for name in names)):  # noqa: PTH118 # as os.walk gives them
            if not os.path.islink(one):  # noqa: PTH114
                # What belongs to another user stays.
                with suppress(OSError):
                    os.chmod(one, 0o700)  # noqa: PTH101
    shutil.rmtree(folder, ignore_errors=True)
