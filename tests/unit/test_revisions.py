"""Revisions as folders: what can be named, what is refused, and that nothing stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from repositories import FILES, committed, git, repository, worktrees

from nodestead.preview.revisions import RevisionError, checked_out, open_repository

pytestmark = pytest.mark.usefixtures("temporary")


# ---- names of revisions


@pytest.mark.parametrize("name", ["main", "HEAD", "v1", "refs/heads/main", "HEAD@{0}", ":/first"])
def test_whatever_git_knows_is_a_revision(repo: Path, name: str) -> None:
    git(repo, "tag", "--annotate", "v1", "--message", "one")

    assert open_repository(repo).commit(name) == git(repo, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["nope", "", " ", "-x", "--all", "--git-dir", "main..main", "HEAD:Pulumi.yaml", "a\0b", "a\nb"])
def test_what_names_no_commit_is_refused(repo: Path, name: str) -> None:
    with pytest.raises(RevisionError, match="there is no revision"):
        open_repository(repo).commit(name)


def test_a_shallow_clone_says_how_to_fetch_the_revision(tmp_path: Path, repo: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", repo.as_uri(), "shallow")

    with pytest.raises(RevisionError, match=r"git fetch --depth=1 origin release .* fetch-depth: 0"):
        open_repository(tmp_path / "shallow").commit("origin/release")


# ---- repositories


def test_a_folder_without_a_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(RevisionError, match="no git repository is here"):
        open_repository(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="no such folder"):
        open_repository(tmp_path / "nowhere")


def test_without_git_it_says_what_to_install(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RevisionError, match="git is not here; install it"):
        open_repository(repo)


def test_a_folder_below_the_root_knows_its_place(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", {f"infra/{name}": text for name, text in FILES.items()})

    assert open_repository(repo / "infra" / "stacks").prefix == "infra/stacks/"
    assert open_repository(repo).prefix == ""


def test_a_bare_repository_has_no_working_tree(tmp_path: Path, repo: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), "bare.git")
    bare = open_repository(tmp_path / "bare.git")

    assert bare.root is None
    with checked_out(bare, [bare.commit("main")]) as folders:
        assert [(folder / "Pulumi.yaml").is_file() for folder in folders.values()] == [True]
    assert len(worktrees(tmp_path / "bare.git")) == 1


def test_the_variables_of_a_git_hook_lead_nowhere_else(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repository(tmp_path / "other", {"x": "y"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    assert open_repository(repo).root == repo


@pytest.mark.parametrize(
    ("change", "dirty"),
    [("stacks/Pulumi.dev.yaml", True), ("stacks/Pulumi.new.yaml", True), (None, False), ("ignored.log", False)],
)
def test_a_working_tree_with_changes_is_dirty(tmp_path: Path, change: str | None, dirty: bool) -> None:
    repo = repository(tmp_path / "r", {**FILES, ".gitignore": "*.log\n"})
    if change is not None:
        (repo / change).write_text("x: 1")

    assert open_repository(repo).dirty is dirty


# ---- folders


def test_a_revision_is_there_and_gone_afterwards(repo: Path, temporary: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = committed(repo, {"stacks/Pulumi.dev.yaml": "config: {}\n"})
    opened = open_repository(repo)

    with checked_out(opened, [first, second, first]) as folders:
        assert len(folders) == 2
        assert [folder.is_relative_to(repo) for folder in folders.values()] == [False, False]
        assert (folders[second] / "stacks/Pulumi.dev.yaml").read_text() == "config: {}\n"
        assert (folders[first] / "stacks/Pulumi.dev.yaml").read_text() != "config: {}\n"
    assert len(worktrees(repo)) == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_a_failure(repo: Path, temporary: Path, error: type[BaseException]) -> None:
    opened = open_repository(repo)

    def fail() -> None:
        with checked_out(opened, [opened.commit("main")]) as folders:
            (next(iter(folders.values())) / "left").write_text("something new")
            raise error

    with pytest.raises(error):
        fail()
    assert len(worktrees(repo)) == 1
    assert list(temporary.iterdir()) == []


def test_nothing_stays_where_git_cannot_check_out(repo: Path, temporary: Path) -> None:
    with pytest.raises(RevisionError, match="git cannot check out 000000000000"), checked_out(open_repository(repo), ["0" * 40]):
        pass
    assert len(worktrees(repo)) == 1
    assert list(temporary.iterdir()) == []


def test_a_worktree_of_the_user_stays(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))
    opened = open_repository(repo)

    with checked_out(opened, [opened.commit("main")]):
        pass
    assert len(worktrees(repo)) == 2


def test_a_folder_for_temporary_files_in_the_repository_is_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(repo))

    with pytest.raises(RevisionError, match="set TMPDIR to one outside"), checked_out(open_repository(repo), []):
        pass


def test_no_hook_of_the_repository_runs(repo: Path, tmp_path: Path) -> None:
    hook = repo / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    opened = open_repository(repo)

    with checked_out(opened, [opened.commit("main")]):
        assert not (tmp_path / "ran").exists()


WAITING = """
import sys, time
from pathlib import Path
from nodestead.preview.revisions import *
opened = open_repository(Path(sys.argv[1]))
with ended_cleanly(), checked_out(opened, [opened.commit("main")]):
    print("there", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_nothing_stays_after_a_signal(repo: Path, temporary: Path, number: int, code: int) -> None:
    command = [sys.executable, "-c", WAITING, str(repo)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert len(worktrees(repo)) == 2
        process.send_signal(number)
        time.sleep(0.01)
        process.send_signal(number)
    # The second one may also come when all is done.
    assert process.returncode in {code, -number}
    assert len(worktrees(repo)) == 1
    assert list(temporary.iterdir()) == []
