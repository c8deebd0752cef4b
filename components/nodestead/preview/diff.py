"""What a change of revisions does to the stacks of a project, or of any Pulumi program with the components."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nodestead.changes.accepted import NOTHING_ACCEPTED, Acceptances
from nodestead.changes.compare import Neighbour
from nodestead.changes.names import folded_names
from nodestead.changes.snapshot import Snapshot
from nodestead.preview.children import SECONDS, Rendered, Tree, rendered_all, usable_python
from nodestead.preview.engine_text import well_formed
from nodestead.preview.program_file import read_program
from nodestead.preview.revisions import Repository, RevisionError, checked_out, open_repository
from nodestead.preview.stack_comparison import compared_stack
from nodestead.preview.stack_file import StackFileError, encrypted_values, near_stacks, stack_names
from nodestead.reports.build import failed_stack
from nodestead.reports.model import MOST_STACKS, Report, StackReport

__all__ = ["Asked", "diff"]

_WORKING_TREE: Final = "the working tree"
_SHORT: Final = 10
_GONE: Final = "and its nodes run on: this is what `pulumi destroy` would take away"
_LEAST: Final = 7
_MOST_PROJECTS: Final = 5
_LONGEST_NOTE = 4_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared.

    Attributes:
        base: The revision before.
        head: The revision afterwards; None for the working tree.
        directory: The project's folder, or one below it.
        program: The folder of a Pulumi program, from the project's; None for the project's own stacks.
        stacks: Names of the stacks; all where none is named.
        base_python: The interpreter that renders the base; None for that of this process.
        seconds: How long a process that renders may take.
    """

    base: str
    head: str | None = None
    directory: Path = Path()
    program: Path | None = None
    stacks: Sequence[str] = ()
    base_python: Path | None = None
    seconds: float = SECONDS


def diff(asked: Asked, accept: Callable[[Path], Acceptances]) -> Report:
    """Compares two states of a project, each rendered by its own code.

    Args:
        asked: What is to be compared.
        accept: Gives the accepted risks for the project's folder as it is in the head.

    Raises:
        RevisionError: a revision, a repository or a stack that is not there.
        ChildError: an interpreter that is not there.
        StackFileError: where neither state has a project that can be read.
        AcceptedError: where the file of accepted risks is refused.
    """
    python = usable_python(asked.base_python)
    repository = open_repository(asked.directory)
    if asked.head is None and repository.root is None:
        raise RevisionError(f"{asked.directory}: a bare repository has no working tree; name the head too")
    place = _place(repository, asked)
    base = repository.commit(asked.base)
    head = repository.commit(asked.head) if asked.head is not None else None
    with checked_out(repository, [one for one in (base, head) if one is not None]) as folders:
        roots = folders[base], repository.root if head is None else folders[head]
        labels = _label(asked.base, base), _WORKING_TREE if head is None else _label(asked.head or "", head)
        states = [
            _State(label, root, root / place, program=asked.program is not None)
            for label, root in zip(labels, roots, strict=True)
            if root is not None
        ]
        if not any(state.stacks or state.problem for state in states):
            raise RevisionError(_nothing(states, place, repository.projects(head or base), program=asked.program))
        wanted = _wanted(states, asked.stacks)
        if len(wanted) > MOST_STACKS:
            raise RevisionError(f"{len(wanted):,} stacks are more than the {MOST_STACKS} of one report; name some with --stack")
        accepted = _accepted(states[1], accept)
        pythons = python, usable_python(None)
        trees = [state.tree(interpreter, wanted) for state, interpreter in zip(states, pythons, strict=True)]
        scratch = folders[base].parent
        done = rendered_all(trees, program=asked.program is not None, seconds=asked.seconds, beside=scratch)
        notes = list(_notes(states, asked))
        if head is None and repository.dirty:
            notes.append("the head is the working tree, with uncommitted changes")
        # Names of files may be no text.
        notes = [well_formed(one)[:_LONGEST_NOTE] for one in notes]
        ciphers = {name: _other_ciphers(name, states) for name in wanted}
    base_states, head_states = (one.snapshots for one in done)
    failed = done[0].failures.keys() | done[1].failures.keys()
    stacks = {
        name: Neighbour(base_states.get(name) or Snapshot(name), head_states.get(name) or Snapshot(name))
        for name in wanted
        if name not in failed
    }
    reports = [_stack(name, states, done, accepted, ciphers[name], stacks) for name in wanted]
    named = _named(asked.head or "", head) if head is not None else _WORKING_TREE
    return Report(base=_named(asked.base, base), head=named, notes=notes, stacks=reports)


def _label(revision: str, commit: str) -> str:
    """What a reader calls a revision; a commit by its beginning."""
    return commit[:_SHORT] if len(revision) >= _SHORT and commit.startswith(revision.lower()) else revision[:250]


def _named(revision: str, commit: str) -> str:
    """A revision and the commit that it names."""
    # Shorter texts are rather names of branches.
    is_commit = len(revision) >= _LEAST and commit.startswith(revision.lower())
    return commit[:_SHORT] if is_commit else f"{revision[:250]} ({commit[:_SHORT]})"


def _nothing(states: Sequence["_State"], place: Path, projects: Sequence[str], *, program: Path | None) -> str:
    """What to say where neither state has a stack."""
    where = " and ".join(state.label for state in states)
    others = ["the root" if one == "." else one for one in projects if one != place.as_posix()]
    there = f"; a Pulumi.yaml is in {', '.join(others[:_MOST_PROJECTS])}" if others else ""
    there += f" and {len(others) - _MOST_PROJECTS} other folders" if len(others) > _MOST_PROJECTS else ""
    if program is not None:
        what = "has no Pulumi.yaml" if any(state.is_there for state in states) else "is no folder"
        return f"--program: {program} {what} in {where}; name the folder of a Pulumi program{there}"
    return f"no stack is there in {where}; give the project's folder with --dir, or --program{there}"


def _place(repository: Repository, asked: Asked) -> Path:
    """Where the project lies in a tree of the repository."""
    if asked.program is None:
        return Path(repository.prefix)
    if repository.root is None:
        if asked.program.is_absolute():
            raise RevisionError(f"--program: {asked.program}: name it from the root of the bare repository")
        return asked.program
    found = Path(os.path.relpath((asked.directory / asked.program).resolve(), repository.root.resolve()))
    if ".." in found.parts:
        raise RevisionError(f"--program: {asked.program} lies outside the repository {repository.root}")
    return found


class _State:
    """A project at one time: its folder and the stacks that it says it has."""

    def __init__(self, label: str, root: Path, folder: Path, *, program: bool) -> None:
        self.label, self.root, self.folder = label, root, folder
        self.stacks: list[str] = []
        self.problem = ""
        self.is_there = folder.is_dir()
        if not self.is_there:
            return
        try:
            if not program:
                self.stacks = stack_names(folder)
            elif (folder / "Pulumi.yaml").is_file():
                self.stacks = read_program(folder).stack_names()
        except StackFileError as error:
            self.problem = str(error).replace(f"{root}/", "")
        except (OSError, ValueError) as error:
            # As of a folder with a name that no file can have.
            self.problem = f"the folders that Pulumi.yaml names cannot be read: {getattr(error, 'strerror', None) or error}"

    def tree(self, python: str, wanted: Sequence[str]) -> Tree:
        return Tree(self.label, self.root, self.folder, python, [name for name in wanted if name in self.stacks])


def _wanted(states: Sequence[_State], given: Sequence[str]) -> list[str]:
    """The stacks to report of."""
    known = sorted({name for state in states for name in state.stacks})
    broken = [state for state in states if state.problem]
    names = [name.rsplit("/", 1)[-1] for name in dict.fromkeys(given)]
    unknown = [name for name in names if name not in known]
    if broken and (not known or unknown):
        raise StackFileError("; ".join(f"{state.label}: {state.problem}" for state in broken))
    where = " and ".join(state.label for state in states)
    if unknown:
        raise RevisionError(f"no stack {', '.join(unknown)} in {where}; {near_stacks(unknown[0], known)}")
    return list(dict.fromkeys(names)) or known


def _accepted(head: _State, accept: Callable[[Path], Acceptances]) -> Acceptances:
    try:
        return accept(head.folder if head.is_there else head.root)
    except StackFileError:
        # Each of its stacks says so.
        return NOTHING_ACCEPTED
    except (ValueError, OSError) as error:
        # The folder of a revision is gone when the message is read.
        raise type(error)(str(error).replace(f"{head.root}/", "")) from None


def _notes(states: Sequence[_State], asked: Asked) -> Iterator[str]:
    base, head = states
    for one, other, what in ((base, head, f"so all of {head.label} is new"), (head, base, _GONE)):
        if not one.stacks and not one.problem and other.stacks:
            yield f"{one.label} has no stacks there, {what}"
    if asked.base_python is None and base.is_there and head.is_there:
        differing = [name for name in _REQUIREMENTS if _requirements(base, name) != _requirements(head, name)]
        if differing:
            verb = "differ" if len(differing) > 1 else "differs"
            yield (
                f"{', '.join(differing)} {verb} between {base.label} and {head.label}, and both were rendered with the packages"
                f" that are installed here; --base-python names an interpreter with those of {base.label}"
            )


_REQUIREMENTS: Final = (
    "requirements.txt",
    "pyproject.toml",
    "components/pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
)


def _requirements(state: _State, name: str) -> Any:
    """What a file says of packages; None where it is not there."""
    path = next((one for one in (state.folder / name, state.root / name) if one.is_file()), None)
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        # As where it is a link to what nobody may read.
        return None
    if path.name != "pyproject.toml":
        return content
    try:
        told = tomllib.loads(content.decode("utf-8"))
        return told.get("project", {}).get("dependencies"), told.get("tool", {}).get("poetry", {}).get("dependencies")
    except (ValueError, AttributeError, RecursionError):
        return content


def _other_ciphers(name: str, states: Sequence[_State]) -> list[str]:
    """Where a stack's file holds another encrypted value than before: what it hides, rendering cannot know."""
    try:
        base, head = (encrypted_values(name, state.folder) if name in state.stacks else {} for state in states)
    except (StackFileError, OSError):
        # Each state that cannot be read says so itself.
        return []
    return [where for where, cipher in head.items() if where in base and base[where] != cipher]


def _stack(
    name: str,
    states: Sequence[_State],
    done: Sequence[Rendered],
    accepted: Acceptances,
    ciphers: Sequence[str],
    stacks: Mapping[str, Neighbour],
) -> StackReport:
    """The report of one stack; why there is none where one of its states cannot be rendered."""
    reasons: dict[str, list[str]] = {}
    for state, one in zip(states, done, strict=True):
        if name in one.failures or state.problem:
            reasons.setdefault(one.failures.get(name) or state.problem, []).append(state.label)
    if reasons:
        told = [f"in {' and in '.join(labels)} it cannot be rendered: {reason}" for reason, labels in reasons.items()]
        return failed_stack(name, told)
    base, head = stacks[name].base, stacks[name].head
    notes = [
        f"{one.label} has no stack {name}, {what}"
        for one, other, what in ((states[0], states[1], "so all of it is new"), (states[1], states[0], _GONE))
        if name not in one.stacks and one.stacks and name in other.stacks
    ]
    if ciphers:
        notes.append(f"encrypted values differ, and what that does is not known here, only to the engine: {', '.join(ciphers)}")

    notes += _unopened(base, head)

    def unreadable(error: Exception) -> str:
        return f"stack {name} cannot be compared: an object in it is none that an API server takes ({type(error).__name__})"

    others = {key: one for key, one in stacks.items() if key != name}
    return compared_stack(name, base, head, accepted, unreadable, others=others, notes=notes)


_UNOPENED: Final = re.compile(r"kubernetes:(?:helm\.sh|kustomize|yaml)[:/]")
"""Types of resources that make objects of a chart or of files when the engine asks them to."""


def _unopened(base: Snapshot, head: Snapshot) -> Iterator[str]:
    """Says what of a program makes objects that are not seen here: charts, and components that another process makes."""
    found = {**base.items, **head.items}.values()
    names = [
        f"{one.kind.rpartition(':')[2]} {one.name}"
        for one in found
        if not one.is_object and (one.manifest.get("remote") is True or _UNOPENED.match(one.kind))
    ]
    if names:
        verb, they = ("is", "it makes") if len(names) == 1 else ("are", "they make")
        noun = "chart or component of another package" if len(names) == 1 else "charts and components of other packages"
        yield f"{len(names):,} {noun} {verb} not looked into, so what {they} is not compared: {folded_names(sorted(names))}"
