"""Commands over several stacks: what only two of them together tell."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from preview_cases import content, obj, step
from repositories import PROJECT, STACK, committed, repository, written

from nodestead.changes.accepted import NOTHING_ACCEPTED
from nodestead.preview.cli import main
from nodestead.preview.review import review

PROD, COPY = "stacks/Pulumi.prod.yaml", "stacks/Pulumi.copy.yaml"
NAMED = STACK.replace("{render: rendered}", "{context: prod}")
KEYS = "keys: {kind: secret, name: eth}, replicas: 2, software: {kind: codex, version: 0.2.4, quota: 1Gi, marketplace: "
MARKET = '{address: "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c", ethProvider: {url: "https://rpc.example.org"}}}'
KEYED = NAMED.replace("replicas: 2, software: {kind: codex, version: 0.2.4}", KEYS + MARKET)
OTHER_SET = KEYED.replace("    codex: ", "    other: ")


def told(stack: Any) -> list[str]:
    """The dangers of a stack, by rule and subject."""
    return [f"{one['rule']} {one['subject']}" for one in stack["risks"] if one["severity"] == "danger"]


def reported(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code of a diff, and the dangers by stack."""
    code = main(["diff", "main", "--dir", str(folder), "--format", "json", *args])
    return code, {stack["name"]: told(stack) for stack in json.loads(capsys.readouterr().out)["stacks"]}


def test_keys_and_objects_of_two_stacks_fail_a_diff_until_they_are_accepted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    repo = repository(tmp_path / "repo", {"Pulumi.yaml": PROJECT, PROD: KEYED})

    written(repo, {COPY: OTHER_SET})
    shared = {"copy": ["held-by-two-stacks other"], "prod": ["held-by-two-stacks codex"]}
    assert reported(capsys, repo) == (1, shared)
    assert reported(capsys, repo, "--stack", "copy") == (0, {"copy": []})
    written(repo, {"nodestead-accepted.yaml": "accepted:\n- {rule: held-by-two-stacks, reason: A test.}\n"})
    assert reported(capsys, repo) == (0, shared)

    written(repo, {COPY: KEYED})
    same = {"copy": ["objects-in-two-stacks codex"], "prod": ["objects-in-two-stacks codex"]}
    assert reported(capsys, repo) == (1, same)
    committed(repo, {})
    assert reported(capsys, repo) == (0, {"copy": [], "prod": []})


def test_a_stack_that_cannot_be_rendered_is_compared_with_no_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"Pulumi.yaml": PROJECT, PROD: KEYED, COPY: "config: 3\n"})
    written(repo, {COPY: OTHER_SET})
    assert reported(capsys, repo) == (2, {"copy": [], "prod": []})


# ---- previews


def preview(folder: Path, file: str, stack: str, project: str, *, added: bool = True) -> str:
    """A file with the preview of a stack that has a node with a consensus key."""
    guard = obj("ConfigMap", f"nodestead-key-{'0a' * 20}", data={"node": "val-0"})
    made = step("create", "guard", None, guard) if added else step("same", "guard", guard, guard)
    text = content(copy.deepcopy(made)).replace("urn:pulumi:s::p::", f"urn:pulumi:{stack}::{project}::")
    (folder / file).write_text(text)
    return str(folder / file)


def found(*names: str) -> dict[str, list[str]]:
    return {
        one.name: [risk.what.partition(" would")[0] for risk in one.risks if risk.rule == "held-by-two-stacks"]
        for one in review(names, NOTHING_ACCEPTED).stacks
    }


def test_previews_of_two_stacks_are_seen_together(tmp_path: Path) -> None:
    first, second = (preview(tmp_path, f"{name}.json", name, "p", added=name == "a") for name in "ab")
    assert found(first) == {"a": []}
    assert found(first, second) == {"a": ["val-0 and val-0 of stack b"], "b": ["val-0 and val-0 of stack a"]}
    unchanged = preview(tmp_path, "a.json", "a", "p", added=False)
    assert found(unchanged, second) == {"a": [], "b": []}


def test_two_previews_of_one_stack_share_nothing(tmp_path: Path) -> None:
    first, again = (preview(tmp_path, f"{name}.json", "a", "p") for name in "xy")
    assert found(first, again) == {"a": [], "a (2)": []}


def test_stacks_of_one_name_are_named_with_their_projects(tmp_path: Path) -> None:
    names = [preview(tmp_path, f"{project}.json", "a", project) for project in ("p", "q")]
    assert found(*names, preview(tmp_path, "b.json", "b", "p")) == {
        "p/a": ["val-0 and val-0 of stacks q/a, b"],
        "q/a": ["val-0 and val-0 of stacks p/a, b"],
        "b": ["val-0 and val-0 of stacks p/a, q/a"],
    }


def test_a_preview_beside_what_is_none_or_a_report_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert list(found(preview(tmp_path, "a.json", "a", "p"), str(tmp_path / "bad.json"))) == ["a", str(tmp_path / "bad.json")]
