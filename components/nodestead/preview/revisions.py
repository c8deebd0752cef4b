"""Revisions of a git repository as folders: checked out beside it for as long as they are needed, and gone afterwards."""

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, Final

from nodestead.preview.workspace import abandoned, is_workspace, remove_tree, workspace

__all__ = ["Repository", "RevisionError", "checked_out", "ended_cleanly", "open_repository"]

_SECONDS: Final = 300
# A hook, or a monitor of the file system, is code that a checkout would run.
_QUIET: Final = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false")
# The whole tree, of which the user may see a part only; and files of git-lfs are no stacks, and would come from the network.
_WHOLE: Final = (
    *("-c", "core.sparseCheckout=false"),
    *("-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false"),
)
_LONGEST_NAME: Final = 100
# What git sets for a hook would lead it to another repository than the folder's.
_FOREIGN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


class RevisionError(ValueError):
    """A revision, or a repository, that cannot be read; one or two lines."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository of a folder.

    Attributes:
        folder: The folder.
        prefix: Where it lies in a tree of the repository, as in `infra/`; empty at the root.
        root: The root of the working tree; None for a bare repository.
    """

    folder: Path
    prefix: str
    root: Path | None

    def commit(self, revision: str) -> str:
        """The commit that a revision names.

        Raises:
            RevisionError: where it names none.
        """
        named = _object(self.folder, revision) if revision.isprintable() and revision.strip() else None
        # In two steps: what stands behind `:/text` would be part of the text.
        commit = _object(self.folder, f"{named}^{{commit}}") if named is not None else None
        if commit is not None:
            return commit
        shown = revision if len(revision) <= _LONGEST_NAME else f"{revision[:_LONGEST_NAME]}..."
        text = f"there is no revision {shown!r} in the repository of {self.folder}"
        if _git(self.folder, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
            name = revision if re.fullmatch(r"[\w][\w./-]{0,99}", revision) else "REVISION"
            raise RevisionError(
                f"{text}, a shallow clone; fetch it: git fetch --depth=1 origin {name.removeprefix('origin/')} and compare with"
                " FETCH_HEAD, or give actions/checkout fetch-depth: 0"
            )
        raise RevisionError(f"{text}; git branch --all and git tag list names, git fetch brings those of the remote")

    def projects(self, commit: str) -> list[str]:
        """Folders of a commit's tree that hold a Pulumi.yaml, from the root, `.` for the root itself."""
        listed = _git(self.folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).stdout.split("\0")
        return sorted(str(PurePosixPath(one).parent) for one in listed if PurePosixPath(one).name == "Pulumi.yaml")

    @property
    def dirty(self) -> bool:
        """Whether the working tree has changes that are not committed, or new files."""
        return bool(_git(self.folder, "status", "--porcelain", "--ignore-submodules=all", "--", ":/").stdout.strip())


def _object(folder: Path, name: str) -> str | None:
    done = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    lines = done.stdout.split()
    return lines[-1] if done.returncode == 0 and lines and re.fullmatch(r"[0-9a-f]{40,64}", lines[-1]) else None


def open_repository(directory: Path) -> Repository:
    """The git repository of a folder.

    Raises:
        RevisionError: no folder, no git, or no repository.
    """
    if not directory.is_dir():
        raise RevisionError(f"{directory}: no such folder; give the project's with --dir")
    bare = _git(directory, "rev-parse", "--is-bare-repository")
    if bare.returncode != 0:
        told = _last_line(bare.stderr)
        if "not a git repository" in told:
            raise RevisionError(f"{directory}: no git repository is here, so there are no revisions to compare")
        if "dubious ownership" in told:
            raise RevisionError(
                f"{directory}: the repository belongs to another user, whose settings git would follow; if you trust it:"
                f" git config --global --add safe.directory {directory.absolute()}"
            )
        raise RevisionError(f"{directory}: git cannot read the repository: {told}")
    if bare.stdout.strip() == "true":
        return Repository(directory, "", None)
    place = _git(directory, "rev-parse", "--show-toplevel", "--show-prefix")
    lines = place.stdout.split("\n")
    if place.returncode != 0 or len(lines) < 2:
        raise RevisionError(f"{directory}: it is no folder of a working tree; give the project's with --dir")
    return Repository(directory, lines[1], Path(lines[0]))


@contextmanager
def checked_out(repository: Repository, commits: Sequence[str]) -> Generator[dict[str, Path]]:
    """Folders with the trees of commits, outside the repository; they go at the end, whatever happens.

    Args:
        repository: Where the commits are.
        commits: As `Repository.commit` gives them.

    Yields:
        The root of each commit's tree.

    Raises:
        RevisionError: where git cannot check one out.
    """
    beside = Path(tempfile.gettempdir()).resolve()
    if repository.root is not None and beside.is_relative_to(repository.root.resolve()):
        raise RevisionError(f"the folder for temporary files, {beside}, lies in the repository; set TMPDIR to one outside")
    for left in abandoned(beside):
        remove_tree(left)
    _forget(repository, lambda folder: is_workspace(folder.parent, beside) and not folder.exists())
    with workspace(beside) as parent:
        try:
            folders: dict[str, Path] = {}
            for number, commit in enumerate(dict.fromkeys(commits)):
                folder = parent / f"revision-{number}"
                folders[commit] = folder
                done = _git(repository.folder, *_WHOLE, "worktree", "add", "--quiet", "--detach", str(folder), commit)
                if done.returncode != 0:
                    raise RevisionError(f"git cannot check out {commit[:12]}: {_last_line(done.stderr)}")
            yield folders
        finally:
            with _handled(signal.SIG_IGN):
                remove_tree(parent)
                _forget(repository, lambda folder: folder.parent == parent)


def _forget(repository: Repository, ours: Callable[[Path], bool]) -> None:
    """Takes folders that are gone out of git's list; not by `git worktree prune`, which forgets those of a drive that is away."""
    listed = _git(repository.folder, "worktree", "list", "--porcelain").stdout
    for line in listed.splitlines():
        folder = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and ours(folder):
            _git(repository.folder, "worktree", "remove", "--force", "--force", str(folder))


_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


@contextmanager
def _handled(handler: _Handler) -> Generator[None]:
    """Gives the signals that end a process another handler; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {one: signal.signal(one, handler) for one in _ENDING}
    try:
        yield
    finally:
        for one, before in kept.items():
            signal.signal(one, before)


def ended_cleanly() -> AbstractContextManager[None]:
    """Lets SIGTERM and SIGHUP end the process as Ctrl-C does, so that what is made for a while is taken away.

    All that come afterwards are passed over: a second Ctrl-C would leave half of that undone.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        for one in _ENDING:
            signal.signal(one, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    return _handled(leave)


def _git(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    environment |= _SILENT
    try:
        return subprocess.run(  # noqa: S603 # no shell, and names of revisions are no options
            ["git", *_QUIET, *args],  # noqa: S607 # whichever git the user has
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
            # Ctrl-C goes to this process, which ends what it started.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise RevisionError("git is not here; install it, revisions are read with it") from None
    except subprocess.TimeoutExpired:
        raise RevisionError(f"git {args[0]} takes longer than {_SECONDS} seconds") from None


_SILENT: Final[Mapping[str, str]] = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("fatal: ")), lines[-1] if lines else "it does not say why")
    return told.removeprefix("fatal: ")[:300]
