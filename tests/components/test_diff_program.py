"""`nodestead diff --program`: two revisions of a Pulumi program, each run under mocks."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodestead.preview.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from repositories import committed, git, repository, worktrees, written

PROJECT = "name: mine\nruntime: python\n"
CODE = """
import pulumi
from nodestead import StorageNodeGroup
config = pulumi.Config()
print("hello")
args = {"software": {"kind": "codex", "version": config.require("version")}, "replicas": config.get_int("replicas") or 2}
StorageNodeGroup("codex", args, namespace="storage")
"""
FILES = {
    "infra/Pulumi.yaml": PROJECT,
    "infra/Pulumi.dev.yaml": "config:\n  version: 0.2.4\n",
    "infra/Pulumi.prod.yaml": "config:\n  version: 0.2.4\n  replicas: 3\n",
    "infra/__main__.py": CODE,
}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []
    assert len(worktrees(tmp_path / "repo")) == 1


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", FILES)


def report(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
    code = main(["diff", "--format", "json", *args])
    return code, json.loads(capsys.readouterr().out)


def test_each_stack_of_a_program_gets_its_config(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, dict.fromkeys(("infra/Pulumi.dev.yaml", "infra/Pulumi.prod.yaml"), "config:\n  version: 0.2.5\n"))
    code, found = report(capsys, "main", "--dir", str(repo), "--program", "infra")
    dev, prod = found["stacks"]

    assert code == 0
    assert (dev["name"], dev["counts"]["removed"], [one["pods"] for one in dev["restarts"]]) == ("dev", 0, [3])
    assert (prod["name"], {risk["rule"] for risk in prod["risks"]} >= {"data-left-behind"}) == ("prod", True)


def test_a_revision_runs_its_own_program(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    committed(repo, {"infra/__main__.py": CODE.replace('"codex", args', '"other", args')})
    _, found = report(capsys, "main~1", "main", "--dir", str(repo), "--program", "infra", "--stack", "dev")

    assert {group["set"] for group in found["stacks"][0]["groups"]} == {"codex", "other"}


def test_a_program_without_stack_files_has_one_stack(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    git(repo, "rm", "--quiet", "infra/Pulumi.dev.yaml", "infra/Pulumi.prod.yaml")
    committed(repo, {"infra/__main__.py": CODE.replace('config.require("version")', '"0.2.4"')})
    written(repo, {"infra/__main__.py": CODE.replace('config.require("version")', '"0.2.5"')})
    _, found = report(capsys, "main", "--dir", str(repo), "--program", "infra")

    assert [stack["name"] for stack in found["stacks"]] == ["program"]


def test_a_program_that_fails_is_told_and_the_other_stacks_are_compared(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    written(repo, {"infra/Pulumi.prod.yaml": "config:\n  replicas: 3\n"})
    code, found = report(capsys, "main", "--dir", str(repo), "--program", "infra")
    dev, prod = found["stacks"]

    assert (code, dev["failures"]) == (2, [])
    assert (dev["counts"]["changed"], dev["counts"]["unchanged"] > 0) == (0, True)
    (told,) = prod["failures"]
    assert told.startswith("in the working tree it cannot be rendered: ")
    assert "mine:version" in told


def test_a_new_program_is_added_as_a_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"README.md": "nothing yet"})
    written(repo, FILES)
    _, found = report(capsys, "main", "--dir", str(repo), "--program", "infra", "--stack", "dev")

    assert "main has no stacks there, so all of the working tree is new" in found["notes"]
    assert found["stacks"][0]["counts"]["added"] > 0


@pytest.mark.parametrize(("place", "program"), [(".", "infra"), ("infra", "."), ("infra", "../infra")])
def test_the_folder_is_named_from_where_the_project_is_and_a_program_in_another_language_is_refused(
    capsys: pytest.CaptureFixture[str], repo: Path, place: str, program: str
) -> None:
    committed(repo, {"infra/Pulumi.yaml": "name: mine\nruntime: nodejs\n"})

    assert main(["diff", "main", "--dir", str(repo / place), "--program", program]) == 2
    assert "infra/Pulumi.yaml: its runtime is nodejs; only programs in Python can be run here" in capsys.readouterr().err
