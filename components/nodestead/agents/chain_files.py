"""What the scripts of a chain node share: the log, the one error, and files that are written whole or not at all."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["StepError", "copy_whole", "have_databases", "remove", "run_script", "say", "sync_volume", "write_whole"]


class StepError(Exception):
    """A step that cannot go on; its text is one line that says what is wrong and what to do."""


def say(text: str) -> None:
    """One line in the pod's log."""
    sys.stdout.write(f"nodestead: {text}\n")
    sys.stdout.flush()


def write_whole(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Writes a file aside and renames it, so that a reader finds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def copy_whole(source: Path, target: Path) -> None:
    """Copies a file of any size so that the target is whole or not there."""
    aside = target.with_name(f".{target.name}.new")
    with source.open("rb") as read, aside.open("wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    aside.replace(target)


def remove(path: Path) -> None:
    """Removes a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_volume(path: Path) -> None:
    """Brings all that was written to the volume of `path` to the disk; much cheaper than fsync on each file of a database."""
    folder = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syncfs(folder) != 0:
            raise StepError(f"cannot bring {path} to the disk; check the volume for I/O errors")
    finally:
        os.close(folder)


def have_databases(data: Path) -> bool:
    """Whether a node, or a snapshot, has left a database in this folder; each backend names them `*.db`."""
    return data.is_dir() and any(data.glob("*.db"))


def run_script(what: str, text: str, folder: Path, env: Mapping[str, str]) -> None:
    """Runs a script of the user in a folder; the first command that fails ends it, also in the middle of a pipe.

    Raises:
        StepError: it did not exit with 0.
    """
    # Debian's sh has no pipefail, and `wget | tar` without it takes a broken download for a whole one.
    bash = shutil.which("bash")
    shell = [bash, "-o", "pipefail", "-ec"] if bash else ["sh", "-ec"]
    done = subprocess.run([*shell, text], cwd=folder, env={**os.environ, **env}, check=False)  # noqa: S603 - what it is for
    if done.returncode != 0:
        lacks = ", a command that the agent image lacks; set an image that has it" if done.returncode == 127 else ""
        raise StepError(f"the script for the {what} exits with {done.returncode}{lacks or '; its own lines above say why'}")
