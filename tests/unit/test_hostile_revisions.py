"""What a revision, its files and its code may try: the report is made all the same, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from repositories import FILES, STACK, committed, git, repository, worktrees

from nodestead.changes.accepted import NOTHING_ACCEPTED
from nodestead.changes.snapshot import Item, Snapshot, snapshot_to_json
from nodestead.preview.children import Renderer, Tree, rendered_all
from nodestead.preview.cli import main
from nodestead.preview.diff import Asked, diff
from nodestead.preview.revisions import RevisionError, checked_out, open_repository
from nodestead.preview.workspace import abandoned, remove_tree, workspace

pytestmark = pytest.mark.usefixtures("temporary")


def told(capsys: pytest.CaptureFixture[str], repo: Path, *args: str) -> tuple[int, dict[str, Any]]:
    code = main(["diff", *args, "--dir", str(repo), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], repo: Path, *args: str) -> str:
    assert main(["diff", *args, "--dir", str(repo)]) == 2
    return capsys.readouterr().err


# ---- files


@pytest.mark.parametrize("name", ["-x", "--stack", "--dir=", "a b", "a\nb", "\x1b[31mred", "::error::x", "x" * 240])
def test_a_file_of_a_strange_name_takes_no_other_stack_with_it(capsys: pytest.CaptureFixture[str], repo: Path, name: str) -> None:
    committed(repo, {f"stacks/Pulumi.{name}.yaml": STACK})

    _, report = told(capsys, repo, "HEAD~1", "HEAD", "--fail-on", "never")

    assert len(report["stacks"]) == 2
    assert [stack["failures"] for stack in report["stacks"] if stack["name"] == "dev"] == [[]]


def test_a_name_that_is_no_text_is_told(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    (repo / "stacks" / os.fsdecode(b"Pulumi.\xff.yaml")).write_text(STACK)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "no text")

    code, report = told(capsys, repo, "HEAD~1", "HEAD")

    assert code == 2
    assert len(report["stacks"]) == 2


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("pyproject.toml", "x = " + "[" * 100_000),
        ("pyproject.toml", "project = 1\n"),
        ("pyproject.toml", "[project]\ndependencies = 1\n"),
        ("requirements.txt", "\0" * 1_000),
    ],
)
def test_packages_that_cannot_be_read_are_noted_and_no_more(
    capsys: pytest.CaptureFixture[str], repo: Path, file: str, content: str
) -> None:
    committed(repo, {file: content})

    code, report = told(capsys, repo, "HEAD~1", "HEAD")

    assert code == 0
    assert [stack["failures"] for stack in report["stacks"]] == [[]]


def link_to_what_nobody_reads(repo: Path, name: str) -> None:
    (repo / name).symlink_to("/proc/self/mem")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "link")


def test_a_link_to_what_nobody_may_read_in_the_place_of_packages_changes_nothing(
    capsys: pytest.CaptureFixture[str], repo: Path
) -> None:
    link_to_what_nobody_reads(repo, "requirements.txt")

    assert told(capsys, repo, "HEAD~1", "HEAD")[0] == 0


def test_accepted_risks_that_cannot_be_read_are_named_as_in_the_repository(
    capsys: pytest.CaptureFixture[str], repo: Path
) -> None:
    link_to_what_nobody_reads(repo, "nodestead-accepted.yaml")

    assert refused(capsys, repo, "HEAD~1", "HEAD").startswith("nodestead: nodestead-accepted.yaml: cannot be read")


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "/nowhere", "Pulumi.x.yaml", "/etc"])
def test_a_stack_that_is_a_link_to_elsewhere_shows_nothing_of_it(
    capsys: pytest.CaptureFixture[str], repo: Path, target: str
) -> None:
    (repo / "stacks/Pulumi.x.yaml").symlink_to(target)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "link")

    code, report = told(capsys, repo, "HEAD~1", "HEAD")

    assert code == 2
    assert "root:" not in json.dumps(report)
    assert [stack["failures"] for stack in report["stacks"] if stack["name"] == "dev"] == [[]]


def test_more_stacks_than_a_report_holds_are_refused(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {f"stacks/Pulumi.s{number}.yaml": "config: {}\n" for number in range(500)})

    assert "501 stacks are more than the 500 of one report; name some with --stack" in refused(capsys, repo, "HEAD")
    assert main(["diff", "HEAD", "--stack", "dev", "--dir", str(repo)]) == 0


def test_of_very_many_copies_of_a_stack_each_is_told_of_the_others_once(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    named = STACK.replace("{render: rendered}", "{context: prod}")
    committed(repo, {f"stacks/Pulumi.s-{number}.yaml": named for number in range(12)})

    _, report = told(capsys, repo, "HEAD~1", "HEAD")

    (_, *copies) = report["stacks"]
    found = [[one["what"] for one in copy["risks"] if one["rule"] == "objects-in-two-stacks"] for copy in copies]
    assert len(found) == 12
    assert [len(cases) for cases in found] == [1] * 12
    assert "are in stacks s-1 … s-11 of the same cluster too" in found[0][0]


def test_a_revision_may_be_a_text_of_any_length(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    text = "z" * 5_000
    git(repo, "commit", "--allow-empty", "--quiet", "--message", text)
    committed(repo, {"requirements.txt": "x"})

    code, report = told(capsys, repo, f":/{text}", "HEAD")

    assert code == 0
    assert len(report["base"]) < 300
    assert len(refused(capsys, repo, "y" * 5_000)) < 400


@pytest.mark.parametrize("folder", ["a" * 5_000, "a/" * 3_000])
def test_folders_that_cannot_be_read_are_told_of_the_state_that_names_them(
    capsys: pytest.CaptureFixture[str], repo: Path, folder: str
) -> None:
    committed(repo, {"Pulumi.yaml": f"name: nodestead\nruntime: python\nstackConfigDir: {folder}\n"})

    code, report = told(capsys, repo, "HEAD~1", "HEAD", "--fail-on", "never")

    assert code == 2
    ((failure,),) = (stack["failures"] for stack in report["stacks"])
    assert failure.startswith("in HEAD it cannot be rendered: the folders that Pulumi.yaml names cannot be read: ")


def test_what_a_refusal_repeats_says_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {"Pulumi.yaml": 'name: p\nruntime: python\nmain: "\\e[31mred"\n'})

    assert "\ufffd[31mred" in refused(capsys, repo, "HEAD", "HEAD", "--program", ".")


# ---- git


def test_files_of_git_lfs_need_neither_it_nor_the_network(repo: Path) -> None:
    commit = committed(repo, {".gitattributes": "*.bin filter=lfs\n", "big.bin": "version https://git-lfs.github.com/spec/v1\n"})
    for key, value in {"smudge": "false", "process": "false", "required": "true"}.items():
        git(repo, "config", f"filter.lfs.{key}", value)

    with checked_out(open_repository(repo), [commit]) as folders:
        assert (folders[commit] / "big.bin").read_text().startswith("version ")


def test_a_revision_is_whole_where_the_user_sees_a_part_of_it(repo: Path) -> None:
    commit = committed(repo, {"other/file": "x"})
    git(repo, "sparse-checkout", "set", "other")

    with checked_out(open_repository(repo), [commit]) as folders:
        assert (folders[commit] / "stacks/Pulumi.dev.yaml").is_file()


def test_no_submodule_is_fetched(repo: Path, tmp_path: Path) -> None:
    url = f"ext::sh -c 'touch {tmp_path / 'ran'}'"
    (repo / ".gitmodules").write_text(f'[submodule "a"]\n\tpath = a\n\turl = "{url}"\n')
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},a")
    git(repo, "config", "submodule.recurse", "true")
    commit = committed(repo, {"stacks/Pulumi.other.yaml": STACK})

    with checked_out(open_repository(repo), [commit]):
        pass
    assert not (tmp_path / "ran").exists()


def test_a_repository_of_another_user_says_how_to_trust_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(RevisionError, match=r"belongs to another user.*safe\.directory"):
        open_repository(repo)


def test_a_worktree_on_a_drive_that_is_away_is_not_forgotten(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "--quiet", "--detach", str(tmp_path / "drive"))
    (tmp_path / "drive").rename(tmp_path / "away")
    opened = open_repository(repo)

    with pytest.raises(RevisionError), checked_out(opened, [opened.commit("main"), "0" * 40]):
        pass
    assert len(worktrees(repo)) == 2


# ---- what is left, and what is not


KILLED = """
import os, signal, sys
from pathlib import Path
from nodestead.preview.revisions import *
opened = open_repository(Path(sys.argv[1]))
with checked_out(opened, [opened.commit("main")]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_goes_with_the_next(repo: Path, temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", KILLED, str(repo)], env=environment, check=False)
    assert len(worktrees(repo)) == 2
    assert len(list(temporary.iterdir())) == 1
    opened = open_repository(repo)

    with checked_out(opened, [opened.commit("main")]) as folders:
        assert len(worktrees(repo)) == 2
        assert [folder.parent.parent for folder in folders.values()] == [temporary]
        assert len(list(temporary.iterdir())) == 1
    assert len(worktrees(repo)) == 1
    assert list(temporary.iterdir()) == []


def test_what_a_cleaned_folder_for_temporary_files_leaves_in_git_goes_with_the_next_run(repo: Path, temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", KILLED, str(repo)], env=environment, check=False)
    for left in temporary.iterdir():
        remove_tree(left)

    with checked_out(open_repository(repo), []):
        assert len(worktrees(repo)) == 1


def test_two_runs_at_once_leave_each_other_alone(repo: Path, temporary: Path) -> None:
    opened = open_repository(repo)
    commit = opened.commit("main")

    with checked_out(opened, [commit]) as first:
        with checked_out(opened, [commit]) as second:
            assert len(worktrees(repo)) == 3
            assert (second[commit] / "Pulumi.yaml").is_file()
        assert (first[commit] / "Pulumi.yaml").is_file()
        assert len(worktrees(repo)) == 2
    assert list(temporary.iterdir()) == []


def test_only_a_folder_of_ours_that_nobody_works_in_is_left(temporary: Path) -> None:
    (temporary / "nodestead-other").mkdir()
    (temporary / "nodestead-file").touch()
    (temporary / "nodestead-link").symlink_to(temporary)
    (temporary / "other").mkdir()
    (temporary / "other" / ".in-use").touch()

    with workspace(temporary) as used:
        assert list(abandoned(temporary)) == []
    assert list(abandoned(temporary)) == [used]
    assert list(abandoned(temporary / "nowhere")) == []


def test_what_took_away_the_right_to_remove_it_is_removed(temporary: Path) -> None:
    (temporary / "a" / "b" / "c").mkdir(parents=True)
    (temporary / "a" / "link").symlink_to(temporary)
    (temporary / "a" / "b").chmod(0)
    (temporary / "a").chmod(0o500)

    remove_tree(temporary / "a")
    assert list(temporary.iterdir()) == []


def own_code(folder: Path, module: str, code: str) -> Tree:
    """A revision whose own library is this code."""
    package = folder / "components" / "nodestead" / "preview"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package.parent / module).write_text(code)
    return Tree("main", folder, folder, sys.executable, ["dev", "prod"])


@pytest.mark.parametrize("program", [False, True])
def test_temporary_files_of_a_revisions_code_go_with_it(tmp_path: Path, temporary: Path, program: bool) -> None:
    code = "import tempfile, sys; sys.exit(tempfile.mkdtemp())\n"
    tree = own_code(tmp_path / "tree", "recording.py" if program else "preview/cli.py", code)

    (done,) = rendered_all([tree], program=program, beside=temporary)

    assert str(temporary) in done.failures["dev"]
    assert list(temporary.iterdir()) == []


def test_code_that_ends_early_is_no_empty_stack(tmp_path: Path) -> None:
    done = Renderer(20).program(own_code(tmp_path, "recording.py", "import os; os._exit(0)\n"))

    assert set(done.failures.values()) == {"its code gives no snapshot of it"}


def test_a_program_that_hangs_is_not_run_for_each_stack(tmp_path: Path) -> None:
    begun = time.monotonic()

    done = Renderer(1).program(own_code(tmp_path, "recording.py", "import time; time.sleep(60)\n"))

    assert time.monotonic() - begun < 10
    assert done.failures == {
        "dev": "it takes longer than 1 seconds",
        "prod": "it was not run, since for dev it took longer than 1 seconds",
    }


def test_nothing_of_a_diff_stays_in_the_folder_for_temporary_files(repo: Path, temporary: Path) -> None:
    diff(Asked("HEAD", "HEAD", repo), lambda _: NOTHING_ACCEPTED)

    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_with_its_own_code_and_no_traceback(tmp_path: Path, temporary: Path, number: int, code: int) -> None:
    started = tmp_path / "started"
    slow = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(60)\n"
    library = {"__init__.py": "", "preview/__init__.py": "", "preview/cli.py": slow}
    repo = repository(tmp_path / "repo", {**FILES, **{f"components/nodestead/{name}": text for name, text in library.items()}})
    command = [sys.executable, "-m", "nodestead.preview.cli", "diff", "main", "main", "--dir", str(repo)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        deadline = time.monotonic() + 20
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)

    assert process.returncode == code
    assert out == ""
    assert errors in ("", "nodestead: interrupted\n")
    assert list(temporary.iterdir()) == []
    assert len(worktrees(repo)) == 1


# ---- what a revision's code says of itself


SAYS = "import sys; open(sys.argv[sys.argv.index('--out') + 1], 'w').write({text!r})\n"


@pytest.mark.parametrize("stack", [[], {}, None, 1, "other"])
def test_a_snapshot_of_something_else_is_none(tmp_path: Path, stack: Any) -> None:
    line = json.dumps({"format": "nodestead-snapshot", "version": 1, "stack": stack, "complete": True, "items": [], "sets": []})

    done = Renderer(20).stacks(own_code(tmp_path, "preview/cli.py", SAYS.format(text=line)))

    assert done.snapshots == {}
    assert done.failures.keys() >= {"dev", "prod"}


def resource(kind: str, name: str, *, remote: bool = False) -> Item:
    marks = {"remote": True} if remote else {}
    return Item({"kind": kind, "metadata": {"name": name}, **marks, "inputs": {}})


def test_what_charts_and_remote_components_make_is_not_compared_and_that_is_said(repo: Path, tmp_path: Path) -> None:
    snapshot = Snapshot("program")
    for item in (
        resource("kubernetes:helm.sh/v3:Release", "one"),
        resource("kubernetes:helm.sh/v4:Chart", "two"),
        resource("kubernetes:kustomize/v2:Directory", "three"),
        resource("kubernetes:yaml/v2:ConfigGroup", "four"),
        resource("awsx:ec2:Vpc", "five", remote=True),
        resource("aws:s3/bucket:Bucket", "none"),
    ):
        snapshot.add(item)
    code = SAYS.format(text=snapshot_to_json(snapshot))
    library = {f"components/nodestead/{name}": "" for name in ("__init__.py", "preview/__init__.py")}
    committed(repo, {**library, "components/nodestead/recording.py": code, "p/Pulumi.yaml": PROGRAM, "p/__main__.py": ""})

    report = diff(Asked("HEAD", "HEAD", repo, repo / "p"), lambda _: NOTHING_ACCEPTED)

    ((note,),) = (stack.notes for stack in report.stacks)
    said, names = note.split(": ")
    assert said == "5 charts and components of other packages are not looked into, so what they make is not compared"
    assert names == "Chart two, ConfigGroup four, Directory three, Release one, Vpc five"


PROGRAM = "name: p\nruntime: python\n"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"Pulumi.yaml": "name: p\nruntime: nodejs\n"}, "its runtime is nodejs; only programs in Python can be run here"),
        ({"Pulumi.yaml": "name: p\nruntime: {name: yaml}\n"}, "its runtime is yaml; only programs in Python can be run here"),
        ({"Pulumi.yaml": "name: p\n"}, "its runtime is not named"),
        ({"Pulumi.yaml": f"{PROGRAM}main: nowhere\n"}, "nowhere/__main__.py: no such file; a program in Python begins there"),
        ({"file": ""}, "p has no Pulumi.yaml"),
    ],
)
def test_what_is_no_program_in_python_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], repo: Path, files: dict[str, str], reason: str
) -> None:
    committed(repo, {f"p/{name}": text for name, text in files.items()})

    assert reason in refused(capsys, repo, "HEAD", "HEAD", "--program", "p").replace(str(repo), "")
