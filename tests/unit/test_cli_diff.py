"""`nodestead diff` over real repositories: what is compared with what, and what bad input gives."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from repositories import FILES, PROJECT, STACK, committed, git, repository, worktrees, written

from nodestead.changes.rules import RULES, findings
from nodestead.preview import stack_comparison
from nodestead.preview.children import Renderer, Tree
from nodestead.preview.cli import main

DEV = "stacks/Pulumi.dev.yaml"
BUMPED = STACK.replace("0.2.4", "0.2.5")
SHRUNK = STACK.replace("size: 2Gi", "size: 1Gi")
REFUSED = STACK.replace("replicas", "replcas")


@pytest.fixture
def rendered_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has this process render, in a tenth of the time, where it does not matter which one does."""
    lock = threading.Lock()

    def run(_: Renderer, __: Tree, command: Sequence[str]) -> tuple[str, str]:
        with lock:
            main([*command[command.index("snapshot") :], "--out", str(tmp_path / "snapshots")])
            return (tmp_path / "snapshots").read_text(), ""

    monkeypatch.setattr(Renderer, "_run", run)


@pytest.fixture(autouse=True)
def nothing_stays(request: pytest.FixtureRequest, temporary: Path, tmp_path: Path) -> Any:
    yield
    assert list(temporary.iterdir()) == []
    if (tmp_path / "repo" / ".git").exists():
        assert len(worktrees(tmp_path / "repo")) == 1


def report(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of a diff that is reported."""
    code = main(["diff", "--dir", str(folder), "--format", "json", *args])
    return code, json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> str:
    """What a diff that is refused says."""
    assert main(["diff", "--dir", str(folder), *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


def rules(stack: dict[str, Any], severity: str = "danger") -> set[str]:
    return {risk["rule"] for risk in stack["risks"] if risk["severity"] == severity}


# ---- what is compared


def test_the_head_is_the_working_tree_with_its_changes(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, {DEV: BUMPED})
    code, found = report(capsys, repo, "main")

    assert (code, found["head"]) == (0, "the working tree")
    assert found["notes"] == ["the head is the working tree, with uncommitted changes"]
    (stack,) = found["stacks"]
    assert (stack["name"], stack["restarts"][0]["pods"]) == ("dev", 3)


@pytest.mark.usefixtures("rendered_here")
def test_equal_states_have_no_change_and_no_note(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    code, found = report(capsys, repo, "main")

    (stack,) = found["stacks"]
    assert (code, found["notes"]) == (0, [])
    assert {stack["counts"][key] for key in ("added", "changed", "replaced", "removed")} == {0}


@pytest.mark.usefixtures("rendered_here")
def test_two_revisions_are_compared_whatever_the_working_tree_holds(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    commit = committed(repo, {DEV: SHRUNK})
    written(repo, {DEV: "no: stack\n"})
    code, found = report(capsys, repo, "HEAD~1", "HEAD")

    assert (code, found["head"]) == (1, f"HEAD ({commit[:10]})")
    assert rules(found["stacks"][0]) == {"volume-shrunk"}


@pytest.mark.usefixtures("rendered_here")
def test_restarts_behind_a_refused_claim_are_not_promised(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, {DEV: SHRUNK.replace("0.2.4", "0.2.5")})

    assert main(["diff", "main", "--dir", str(repo)]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("1 danger in stack dev: 3 pods restart in 3 batches, if the update gets that far main (")
    assert (
        "codex: 3 of 3 pods restart in 3 batches, if the update gets that far: volume-shrunk stops it in its preview 1. " in text
    )


@pytest.mark.usefixtures("rendered_here")
def test_a_rule_that_breaks_costs_its_findings_and_the_exit_code_but_not_the_report(
    capsys: pytest.CaptureFixture[str], repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = [rule for rule in RULES if rule.id == "volume-shrunk"]
    faulty = replace(whole, id="seed-lost", find=lambda _: iter([1 // 0]))
    monkeypatch.setattr(stack_comparison, "findings", partial(findings, rules=(faulty, whole)))
    written(repo, {DEV: SHRUNK})
    code, found = report(capsys, repo, "main", "--fail-on", "never")

    (stack,) = found["stacks"]
    assert (code, rules(stack)) == (2, {"volume-shrunk"})
    (failure,) = stack["failures"]
    assert failure.startswith("the rule seed-lost broke (ZeroDivisionError), ")


@pytest.mark.usefixtures("rendered_here")
def test_another_encrypted_value_is_told_by_its_place_alone(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    more = "  other:a: [{{secure: same}}, {{secure: {0}}}]\n  other:b: {{c: {{secure: {0}}}}}\n"
    first, second = (f"{STACK}{more.format(cipher)}" for cipher in ("v1:first", "v1:second"))
    committed(repo, {DEV: first})
    written(repo, {DEV: second})
    _, found = report(capsys, repo, "HEAD")

    assert "v1:" not in json.dumps(found)
    (stack,) = found["stacks"]
    where = "other:a[1], other:b.c"
    assert f"encrypted values differ, and what that does is not known here, only to the engine: {where}" in stack["notes"]


@pytest.mark.usefixtures("rendered_here")
def test_a_revision_may_be_older_and_newer(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {DEV: BUMPED})

    assert "downgrade" in rules(report(capsys, repo, "HEAD", "HEAD~1")[1]["stacks"][0])


@pytest.mark.usefixtures("rendered_here")
def test_only_the_named_stacks_are_rendered(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, {"stacks/Pulumi.prod.yaml": REFUSED, "stacks/Pulumi.test.yaml": STACK})
    code, found = report(capsys, repo, "main", "--stack", "dev", "--stack", "test")

    assert (code, [stack["name"] for stack in found["stacks"]]) == (0, ["dev", "test"])


@pytest.mark.usefixtures("rendered_here")
def test_a_stack_of_one_state_is_added_or_removed_as_a_whole(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    git(repo, "mv", DEV, "stacks/Pulumi.prod.yaml")
    _, found = report(capsys, repo, "main")
    dev, prod = found["stacks"]

    assert dev["notes"] == [
        "the working tree has no stack dev, and its nodes run on: this is what `pulumi destroy` would take away"
    ]
    assert prod["notes"] == ["main has no stack prod, so all of it is new"]
    assert dev["counts"]["removed"] == prod["counts"]["added"] > 0


@pytest.mark.usefixtures("rendered_here")
def test_a_new_project_is_added_as_a_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"README.md": "nothing yet"})
    written(repo, {f"infra/{name}": text for name, text in FILES.items()})
    _, found = report(capsys, repo / "infra", "main")

    assert "main has no stacks there, so all of the working tree is new" in found["notes"]
    assert found["stacks"][0]["counts"]["added"] > 0


@pytest.mark.usefixtures("rendered_here")
@pytest.mark.parametrize("folder", ["infra", "infra/stacks"])
def test_a_project_may_lie_below_the_root(capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: str) -> None:
    repo = repository(tmp_path / "repo", {f"infra/{name}": text for name, text in FILES.items()})
    written(repo, {f"infra/{DEV}": SHRUNK})

    assert rules(report(capsys, repo / folder, "main")[1]["stacks"][0]) == {"volume-shrunk"}


@pytest.mark.usefixtures("rendered_here")
def test_a_bare_repository_is_compared_by_two_revisions(capsys: pytest.CaptureFixture[str], repo: Path, tmp_path: Path) -> None:
    committed(repo, {DEV: SHRUNK})
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), "bare.git")

    assert rules(report(capsys, tmp_path / "bare.git", "main~1", "main")[1]["stacks"][0]) == {"volume-shrunk"}
    assert "a bare repository has no working tree; name the head too" in refusal(capsys, tmp_path / "bare.git", "main")


@pytest.mark.parametrize(
    "args",
    [["HEAD~1", "HEAD", "--stack", "dev"], ["HEAD~1", "--stack", "dev", "HEAD"], ["--stack", "dev", "HEAD~1", "HEAD"]],
)
def test_revisions_and_options_stand_in_any_order(capsys: pytest.CaptureFixture[str], repo: Path, args: list[str]) -> None:
    committed(repo, {DEV: BUMPED})
    assert report(capsys, repo, *args)[1]["head"].startswith("HEAD (")


@pytest.mark.parametrize(
    "args", [["a", "b", "c"], ["a", "--stack", "dev", "b", "c"], ["a", "--nope"], ["a", "b", "--stack", "dev", "c"]]
)
def test_what_is_no_argument_is_refused(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["diff", *args])
    assert caught.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


# ---- whose code renders

OLD = "import sys\nsys.exit(\"nodestead: argument COMMAND: invalid choice: 'snapshot' (choose from 'render')\")\n"
FAKE = """
import pathlib, sys
args = sys.argv
line = '{"format": "nodestead-snapshot", "version": 1, "stack": "dev", "complete": true, "sets": [], "items": [%s]}'
item = '{"manifest": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-this-revision"}}}'
pathlib.Path(args[args.index("--out") + 1]).write_text(line % item)
"""


def library(cli: str, folder: str = "components") -> dict[str, str]:
    home = f"{folder}/nodestead"
    return {f"{home}/__init__.py": "", f"{home}/preview/__init__.py": "", f"{home}/preview/cli.py": cli}


@pytest.mark.parametrize("folder", ["components", "infra/components"])
def test_each_revision_is_rendered_by_its_own_library(capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: str) -> None:
    files = {f"infra/{name}": text for name, text in FILES.items()}
    repo = repository(tmp_path / "repo", {**files, **library(FAKE, folder)})
    git(repo, "rm", "-r", "--quiet", folder)
    _, found = report(capsys, repo / "infra", "main")

    removed = [entry for group in found["stacks"][0]["groups"] for entry in group["entries"] if entry["operation"] == "remove"]
    assert [entry["names"] for entry in removed] == ["of-this-revision"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (OLD, "its nodestead is older than `nodestead diff`, and cannot hand over what it makes; name a later revision"),
        (
            "import nowhere\n",
            "its code fails: ModuleNotFoundError: No module named 'nowhere' (components/nodestead/preview/cli.py, line 1)",
        ),
        ("\ndef (\n", "its code fails: SyntaxError: invalid syntax (components/nodestead/preview/cli.py, line 2)"),
        ("import os\nos.kill(os.getpid(), 9)\n", "its code was ended by signal 9"),
        ("print('hello')\n", "its code gives no snapshot of it"),
        ("import sys\nsys.exit(3)\n", "its code fails: it ends with 3 and says nothing"),
        (FAKE.replace("line % item", "'[1]'"), "it is no snapshot of a stack"),
        (FAKE.replace('"version": 1', '"version": 2'), "its version is 2 and this nodestead reads 1; use one for both"),
    ],
)
def test_code_that_fails_is_told_in_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, code: str, reason: str) -> None:
    repo = repository(tmp_path / "repo", {**FILES, **library(code)})
    # The head has no stack, so that no time goes into rendering it.
    git(repo, "rm", "-r", "--quiet", "components", "stacks")
    code_of_exit, found = report(capsys, repo, "main")

    assert code_of_exit == 2
    assert found["stacks"][0]["failures"] == [f"in main it cannot be rendered: {reason}"]


def test_code_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodestead.changes.accepted import NOTHING_ACCEPTED
    from nodestead.preview.diff import Asked, diff

    repo = repository(tmp_path / "repo", {**FILES, **library("import time\ntime.sleep(60)\n")})
    found = diff(Asked("main", directory=repo, seconds=1), lambda _: NOTHING_ACCEPTED)

    assert found.stacks[0].failures == ["in main and in the working tree it cannot be rendered: it takes longer than 1 seconds"]


def test_credentials_of_the_caller_reach_no_revision(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    monkeypatch.setenv("KUBECONFIG", "hunter3")
    seen = "import os\nraise ValueError([os.environ['SOME_TOKEN'], os.environ.get('KUBECONFIG')])\n"
    repo = repository(tmp_path / "repo", {**FILES, **library(seen)})
    _, found = report(capsys, repo, "main")

    assert "hunter" not in json.dumps(found)


@pytest.mark.usefixtures("rendered_here")
def test_other_packages_are_noted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {**FILES, "requirements.txt": "nodestead==1\n", "pyproject.toml": "[tool.x]\na = 1\n"})
    written(repo, {"requirements.txt": "nodestead==2\n", "pyproject.toml": "[tool.x]\na = 2\n"})
    note = "requirements.txt differs between main and the working tree, and both were rendered with the packages that are"

    assert any(one.startswith(note) for one in report(capsys, repo, "main")[1]["notes"])
    found = report(capsys, repo, "main", "--base-python", sys.executable)[1]
    assert found["notes"] == ["the head is the working tree, with uncommitted changes"]


def test_the_base_is_rendered_by_the_interpreter_that_is_named(
    capsys: pytest.CaptureFixture[str], repo: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named nodestead' >&2\nexit 1\n")
    python.chmod(0o755)
    _, found = report(capsys, repo, "main", "--base-python", str(python))

    (told,) = found["stacks"][0]["failures"]
    assert told.endswith(f"its nodestead is not there: it has no components/nodestead, and {python} has none installed")


# ---- bad input


@pytest.mark.usefixtures("rendered_here")
def test_a_refused_config_is_told_and_the_rest_is_compared(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {"stacks/Pulumi.prod.yaml": STACK})
    written(repo, {"stacks/Pulumi.prod.yaml": REFUSED, DEV: SHRUNK})
    code, found = report(capsys, repo, "main")
    dev, prod = found["stacks"]

    assert code == 2
    assert rules(dev) == {"volume-shrunk"}
    (told,) = prod["failures"]
    assert "in the working tree it cannot be rendered: stacks/Pulumi.prod.yaml: the config is refused, 1 problem" in told
    assert "storageNodeGroups.codex.replcas: unknown key; did you mean replicas?" in told


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nope"], "there is no revision 'nope'"),
        (["main", "nope"], "there is no revision 'nope'"),
        (["--", "-x"], "there is no revision '-x'"),
        (["main", "--stack", "prod"], "no stack prod in main and the working tree; the stacks there are dev"),
        (["main", "--stack", "dve"], "no stack dve in main and the working tree; did you mean dev? the stacks there are dev"),
        (["main", "--base-python", "/nowhere/python"], "--base-python: /nowhere/python is no program"),
        (["main", "--accepted", "/nowhere.yaml"], "/nowhere.yaml: cannot be read: No such file or directory"),
        (["main", "--program", "nowhere"], "--program: nowhere is no folder in main and the working tree; name the folder"),
        (["main", "--program", "stacks"], "--program: stacks has no Pulumi.yaml in main and the working tree; name the folder"),
        (["main", "--program", "../elsewhere"], "--program: ../elsewhere lies outside the repository"),
    ],
)
def test_what_cannot_be_compared_is_refused(capsys: pytest.CaptureFixture[str], repo: Path, args: list[str], told: str) -> None:
    assert told in refusal(capsys, repo, *args)


def test_a_folder_without_stacks_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"README.md": "nothing"})

    assert refusal(capsys, repo, "main") == (
        "nodestead: no stack is there in main and the working tree; give the project's folder with --dir, or --program\n"
    )


def test_the_projects_of_a_repository_are_named_where_a_folder_has_no_stack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = {f"{place}/Pulumi.yaml": "name: x\nruntime: python\n" for place in ("a", "infra/nodes", "b", "c", "d", "e", "f")}
    repo = repository(tmp_path / "repo", {**files, "infra/OtherPulumi.yaml": "x"})

    told = "; a Pulumi.yaml is in a, b, c, d, e and 2 other folders\n"
    assert refusal(capsys, repo, "main").endswith(told)
    assert refusal(capsys, repo, "main", "--program", "infra").endswith(told)


@pytest.mark.usefixtures("rendered_here")
def test_a_commit_is_named_once_and_by_its_beginning(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    commit = git(repo, "rev-parse", "HEAD").strip()
    short = commit[:10]
    for given in (commit, commit[:7], commit[:10], commit.upper()):
        _, found = report(capsys, repo, given, given)
        assert (found["base"], found["head"]) == (short, short)
    git(repo, "branch", commit[:3])
    for given, named in ((commit[:3], f"{commit[:3]} ({short})"), ("main", f"main ({short})"), ("main~0", f"main~0 ({short})")):
        assert report(capsys, repo, given)[1]["base"] == named


@pytest.mark.usefixtures("rendered_here")
def test_a_commit_is_named_by_its_beginning_in_notes_and_refusals(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    commit = git(repo, "rev-parse", "HEAD").strip()
    assert f"no stack prod in {commit[:10]} and the working tree;" in refusal(capsys, repo, commit, "--stack", "prod")


def test_a_folder_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no such folder; give the project's with --dir" in refusal(capsys, tmp_path / "nowhere", "main")


@pytest.mark.usefixtures("rendered_here")
def test_a_project_file_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, {"Pulumi.yaml": "name: [\n"})
    code, found = report(capsys, repo, "main")

    assert code == 2
    assert "in the working tree it cannot be rendered: Pulumi.yaml:" in found["stacks"][0]["failures"][0]


@pytest.mark.usefixtures("rendered_here")
def test_the_accepted_risks_are_those_of_the_head(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    accepted = "accepted:\n  - {rule: volume-shrunk, reason: the nodes are new}\n"
    committed(repo, {DEV: SHRUNK, "nodestead-accepted.yaml": accepted})
    (repo / "nodestead-accepted.yaml").unlink()

    assert report(capsys, repo, "HEAD~1")[0] == 1
    assert report(capsys, repo, "HEAD~1", "HEAD")[0] == 0


def test_a_refused_file_of_accepted_risks_is_named(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {"nodestead-accepted.yaml": "accepted: 1\n"})

    assert refusal(capsys, repo, "HEAD~1", "HEAD").startswith("nodestead: nodestead-accepted.yaml")


# ---- the way of a revision's own code


def test_the_snapshots_of_all_stacks_come_line_by_line_and_refusals_between(
    capsys: pytest.CaptureFixture[str], repo: Path
) -> None:
    written(repo, {"stacks/Pulumi.prod.yaml": REFUSED, "stacks/Pulumi.test.yaml": STACK})
    names = [part for name in ("dev", "prod", "test") for part in ("--stack", name)]

    assert main(["snapshot", "--dir", str(repo), *names]) == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["format"], line["stack"]) for line in lines] == [
        ("nodestead-snapshot", "dev"),
        ("nodestead-failure", "prod"),
        ("nodestead-snapshot", "test"),
    ]


def test_it_is_no_command_that_people_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "snapshot" not in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_where_it_is_ended(tmp_path: Path, temporary: Path, number: int) -> None:
    started = tmp_path / "started"
    slow = f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n"
    repo = repository(tmp_path / "repo", {**FILES, "Pulumi.yaml": PROJECT, **library(slow)})
    git(repo, "rm", "-r", "--quiet", "components")
    command = [sys.executable, "-m", "nodestead.preview.cli", "diff", "main", "--dir", str(repo)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        deadline = time.monotonic() + 20
        while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in told
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
