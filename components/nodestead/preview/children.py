"""The objects of a revision's stacks, made by that revision's own code in a process of its own."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodestead.changes.secrecy import safe_text
from nodestead.changes.secret_text import smells, without_tokens
from nodestead.changes.snapshot import Snapshot, SnapshotError, snapshot_from_json

__all__ = [
    "ChildError",
    "Rendered",
    "Renderer",
    "Tree",
    "failure_to_json",
    "rendered_all",
    "usable_python",
]

SECONDS: Final = 600
"""How long the stacks of a revision, or one stack of a program, may take."""

_FAILURE: Final = "nodestead-failure"
_LONGEST: Final = 3_000


def failure_to_json(stack: str, reason: str) -> str:
    """The line by which a revision's own code says why it makes nothing of a stack."""
    return json.dumps({"format": _FAILURE, "version": 1, "stack": stack, "reason": reason})


def _failure_from_json(line: str) -> tuple[str, str] | None:
    """Stack and reason of such a line; None for any other."""
    try:
        content = json.loads(line)
        return (str(content["stack"]), str(content["reason"])) if content["format"] == _FAILURE else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class ChildError(ValueError):
    """An interpreter that cannot be used."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The state of a project at one time.

    Attributes:
        label: What the reader calls it: `main`, `the working tree`.
        root: The root of the repository's tree.
        folder: The project's folder in it; it need not be there.
        python: The interpreter that renders it.
        stacks: The stacks to render.
    """

    label: str
    root: Path
    folder: Path
    python: str
    stacks: Sequence[str]


@dataclass(slots=True)
class Rendered:
    """What became of the stacks of a tree."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    failures: dict[str, str] = field(default_factory=dict[str, str])


def rendered_all(trees: Sequence[Tree], *, program: bool, seconds: float = SECONDS, beside: Path | None = None) -> list[Rendered]:
    """Renders trees side by side.

    Args:
        trees: The trees.
        program: Whether their folders hold Pulumi programs, which are run under mocks.
        seconds: How long each process may take.
        beside: Where the processes have their temporary files; that of this process where none is given.
    """
    renderer = Renderer(seconds, beside)
    with ThreadPoolExecutor(max_workers=max(len(trees), 1)) as pool:
        try:
            tasks = [pool.submit(renderer.program if program else renderer.stacks, tree) for tree in trees]
            return [task.result() for task in tasks]
        except BaseException:
            # Also Ctrl-C, which the processes do not get.
            renderer.end()
            raise


class Renderer:
    """Starts the processes, and ends them where they are not waited for."""

    def __init__(self, seconds: float, beside: Path | None = None) -> None:
        self._seconds = seconds
        self._beside = beside
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def end(self) -> None:
        """Ends all processes."""
        self._ended = True
        for process in list(self._running):
            _kill(process)

    def stacks(self, tree: Tree) -> Rendered:
        """All stacks of a tree, by one process."""
        done = Rendered()
        if not tree.stacks:
            return done
        # In one word, since the name of a file may begin with a dash.
        wanted = [f"--stack={name}" for name in tree.stacks]
        text, problem = self._run(tree, ["-P", "-m", "nodestead.preview.cli", "snapshot", *wanted, "--dir", str(tree.folder)])
        for line in text.splitlines():
            try:
                found = _snapshot_of(line, tree)
                done.snapshots[found.stack] = found
            except (SnapshotError, RecursionError) as error:
                name, reason = _failure_from_json(line) or ("", "")
                # Refusals of a config are made to be shown.
                done.failures[name] = _without_folder(reason, tree)[:_LONGEST]
                problem = problem or str(error)
        for name in tree.stacks:
            if name not in done.snapshots and name not in done.failures:
                done.failures[name] = problem or _NOTHING
        return done

    def program(self, tree: Tree) -> Rendered:
        """All stacks of a program, each by a process: what a program's modules register, they register once."""
        done = Rendered()
        endless = ""
        for name in tree.stacks:
            if endless:
                # What hangs once may hang for each stack, and a job ends before that.
                done.failures[name] = f"it was not run, since for {endless} it took longer than {self._seconds:g} seconds"
                continue
            text, problem = self._run(tree, ["-P", "-m", "nodestead.recording", f"--stack={name}", "--dir", str(tree.folder)])
            endless = name if problem == self._too_long() else ""
            try:
                done.snapshots[name] = snapshot_from_json(text)
            except (SnapshotError, RecursionError) as error:
                done.failures[name] = problem or (str(error) if text.strip() else _NOTHING)
        return done

    def _too_long(self) -> str:
        return f"it takes longer than {self._seconds:g} seconds"

    def _run(self, tree: Tree, command: Sequence[str]) -> tuple[str, str]:
        """What a process hands over, and the reason where it fails."""
        with tempfile.TemporaryDirectory(prefix="nodestead-", dir=self._beside, ignore_cleanup_errors=True) as scratch:
            out, errors, its_own = (Path(scratch, name) for name in ("snapshots", "errors", "tmp"))
            its_own.mkdir()
            # Read by what is open: its code could put a pipe or another file in its place.
            with errors.open("w+b") as log:
                try:
                    process = subprocess.Popen(  # noqa: S603 # no shell
                        [tree.python, *command, "--out", str(out)],
                        cwd=tree.folder,
                        env={**_environment(tree), "TMPDIR": str(its_own)},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        text=True,
                    )
                except OSError as error:
                    return "", f"{tree.python} cannot be started: {error.strerror}"
                self._running.add(process)
                if self._ended:
                    _kill(process)
                try:
                    process.wait(self._seconds)
                except subprocess.TimeoutExpired:
                    return "", self._too_long()
                finally:
                    _kill(process)
                    self._running.discard(process)
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LONGEST_LOG))
                told = log.read(_LONGEST_LOG).decode("utf-8", "replace")
            return _handed_over(out), _problem(process.returncode, told, tree)


def _snapshot_of(line: str, tree: Tree) -> Snapshot:
    found = snapshot_from_json(line)
    # It is the revision's own code that names the stack.
    if found.stack not in tree.stacks:
        raise SnapshotError("its code gives a snapshot of something else")
    return found


_NOTHING: Final = "its code gives no snapshot of it"
_LONGEST_LOG: Final = 1 << 20
_LARGEST: Final = 1 << 30
"""Bytes of the snapshots of ten thousand nodes, and some more."""


def _handed_over(file: Path) -> str:
    """What a process wrote for us; nothing where it is no plain file, or too large."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(handle, "rb") as opened:  # noqa: PTH123 # what is open already
        state = os.fstat(handle)
        is_read = stat.S_ISREG(state.st_mode) and state.st_size <= _LARGEST
        return opened.read().decode("utf-8", "replace") if is_read else ""


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _problem(code: int, told: str, tree: Tree) -> str:
    """Why a process fails, in its own last words; empty where it does not."""
    if code == 0:
        return ""
    if code < 0:
        return f"its code was ended by signal {-code}"
    text = told.rstrip()
    if "invalid choice: 'snapshot'" in text or "No module named nodestead.preview" in text:
        return "its nodestead is older than `nodestead diff`, and cannot hand over what it makes; name a later revision"
    if "No module named nodestead" in text:
        return f"its nodestead is not there: it has no components/nodestead, and {tree.python} has none installed"
    own = text.rpartition("nodestead: ")[2] if "Traceback (most" not in text else ""
    if own:
        return _reason(own, tree)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if re.match(r"[A-Za-z_.]+(Error|Exception|Warning)\b", line)), "")
    places = re.findall(r'File "([^"]+)", line (\d+)', text) if said else []
    where = f" ({_without_folder(places[-1][0], tree)}, line {places[-1][1]})" if places else ""
    said = said or (lines[-1] if lines else f"it ends with {code} and says nothing")
    return f"its code fails: {_reason(said + where, tree)}"


def _reason(text: str, tree: Tree) -> str:
    """What a program says at its end, as people may see it."""
    return safe_text(_without_folder(text, tree))[:_LONGEST]


def _without_folder(text: str, tree: Tree) -> str:
    """A message without the folder that is gone when it is read."""
    for folder in sorted({str(tree.root), str(tree.root.resolve())}):
        text = text.replace(f"{folder}/", "")
    return text.strip()


def _environment(tree: Tree) -> dict[str, str]:
    """What a revision's code sees of the environment: its own library first, and no credentials of whoever asks."""
    kept = {key: "[secret]" if _is_secret(key, value) else value for key, value in os.environ.items()}
    for key in ("KUBECONFIG", "PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "PYTHONSTARTUP"):
        kept.pop(key, None)
    homes = (tree.folder / "components", tree.root / "components")
    own = [str(home) for home in homes if (home / "nodestead" / "__init__.py").is_file()][:1]
    given = [part for part in kept.get("PYTHONPATH", "").split(os.pathsep) if part]
    if own or given:
        kept["PYTHONPATH"] = os.pathsep.join([*own, *given])
    # A tree that goes in a moment needs no compiled files.
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}


def _is_secret(key: str, value: str) -> bool:
    """Whether a variable is a secret by its name, or has the password of a URL or a token in it."""
    return (key != "PWD" and smells(key)) or without_tokens(value) != value


def usable_python(path: Path | None) -> str:
    """The interpreter that a path names; that of this process where none is given.

    Raises:
        ChildError: where nothing that runs is there.
    """
    if path is None:
        return sys.executable
    absolute = path.expanduser().absolute()
    if not (absolute.is_file() and os.access(absolute, os.X_OK)):
        raise ChildError(f"--base-python: {path} is no program; name an interpreter, as in .venv-main/bin/python")
    return str(absolute)
