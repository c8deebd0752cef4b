"""Workflows and actions: what runs a stranger's code has no secret, and what has a token runs no stranger's code."""

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/github/*.yml")])
ACTIONS = sorted(ROOT.glob("preview/**/action.yml"))
COMMENTING = [path for path in WORKFLOWS if path.name == "preview-comment.yml"]
OURS = ("./preview", "OWNER/REPO/preview")
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"


def loaded(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def triggers(path: Path) -> Any:
    # YAML 1.1 reads the key `on` as true.
    return loaded(path)[True]


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return loaded(path)["jobs"]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    if path in ACTIONS:
        yield from loaded(path)["runs"]["steps"]
    else:
        for job in jobs(path).values():
            yield from job["steps"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_file = pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)


def test_there_are_workflows_and_actions_to_look_at() -> None:
    assert {name_of(path) for path in WORKFLOWS} >= {
        ".github/workflows/ci.yml",
        ".github/workflows/preview.yml",
        ".github/workflows/preview-comment.yml",
        "examples/github/preview.yml",
        "examples/github/preview-comment.yml",
    }
    assert {name_of(path) for path in ACTIONS} == {
        "preview/action.yml",
        "preview/comment/action.yml",
        "preview/engine/action.yml",
    }


@every_file
def test_nothing_starts_with_the_rights_of_the_base_and_the_code_of_the_head(path: Path) -> None:
    assert "pull_request_target" not in path.read_text(encoding="utf-8")
    assert "allow-unsafe-pr-checkout" not in path.read_text(encoding="utf-8")


@every_file
def test_no_expression_stands_in_a_script(path: Path) -> None:
    scripts = [step[key] for step in steps(path) for key in ("run", "script") if key in step]
    scripts += [step["with"]["script"] for step in steps(path) if "script" in step.get("with", {})]
    assert not [script for script in scripts if "${{" in script]


@every_file
def test_a_script_names_its_shell_and_quotes_its_variables(path: Path) -> None:
    for step in steps(path):
        if path in ACTIONS and "run" in step:
            assert step["shell"] == "bash"
            assert not re.search(r'(?<!")\$[A-Z]', step["run"]), "in quotes, a value stays one word"


@every_file
def test_actions_of_others_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: *(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(used) == sum("uses" in step for step in steps(path))
    for line in used:
        if not line.startswith(OURS):
            assert re.fullmatch(r"(actions|pulumi)/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_one_commit_stands_for_each_action_of_others() -> None:
    used = {
        line
        for path in (*WORKFLOWS, *ACTIONS)
        for line in re.findall(r"uses: *(\S+@[0-9a-f]{40} # \S+)", path.read_text(encoding="utf-8"))
    }
    assert len({line.split("@")[0] for line in used}) == len(used)


@every_workflow
def test_rights_are_few_and_only_the_job_that_comments_may_write(path: Path) -> None:
    whole = loaded(path)["permissions"]
    assert whole in ({}, {"contents": "read"})
    rights = [job["permissions"] for job in jobs(path).values() if "permissions" in job]
    writes = {name for one in rights for name, right in one.items() if right == "write"}
    alone = path.name in ("preview-comment.yml", "preview-one-workflow.yml")
    assert writes == ({"pull-requests"} if alone else set())
    assert len(rights) == alone
    assert len(jobs(path)) == 1 or not alone


@every_workflow
def test_jobs_end_and_give_way_to_later_ones(path: Path) -> None:
    assert all(0 < job["timeout-minutes"] <= 30 for job in jobs(path).values())
    assert {"group", "cancel-in-progress"} <= loaded(path)["concurrency"].keys()


@every_file
def test_no_token_stays_in_a_checkout(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_workflow
def test_secrets_are_there_for_branches_of_the_repository_only(path: Path) -> None:
    for job in jobs(path).values():
        if "secrets." in yaml.safe_dump(job):
            assert SAME_REPOSITORY in job["if"]
            assert "||" not in job["if"], "an alternative would let others in"
            assert job["environment"] == "preview"
            # As the environment of the one step that previews, never as an argument.
            assert [step["uses"].split("@")[0] for step in job["steps"] if "secrets." in yaml.safe_dump(step)] in (
                ["./preview/engine"],
                ["OWNER/REPO/preview/engine"],
            )
            assert not [step for step in job["steps"] if "secrets." in yaml.safe_dump(step.get("with", {}))]
    assert "secrets: inherit" not in path.read_text(encoding="utf-8")


def test_actions_ask_for_no_secret_and_the_engine_shows_none() -> None:
    for path in (*ACTIONS, *ROOT.glob("preview/steps/*.py")):
        text = path.read_text(encoding="utf-8")
        assert "secrets." not in text.replace("secrets.token_hex", "")
        assert "--show-secrets" not in text
    assert '"preview", "--json", "--show-sames", "--non-interactive"' in (ROOT / "preview/steps/engine.py").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_the_token_is_with_steps_that_run_no_code_of_the_head(path: Path) -> None:
    with_token = {step["name"]: step for step in steps(path) if "github-token" in yaml.safe_dump(step)}
    assert with_token.keys() <= {"Find the base revision", "Take the report", "Comment"}
    for step in with_token.values():
        assert re.fullmatch(r'"\$PYTHON" -BEs "\$GITHUB_ACTION_PATH/(\.\./)?steps/(base|artifact|post)\.py"', step["run"])


@pytest.mark.parametrize("path", COMMENTING, ids=name_of)
def test_the_commenting_workflow_follows_the_one_of_pull_requests_and_checks_out_no_head(path: Path) -> None:
    first = path.with_name("preview.yml")
    assert triggers(path) == {"workflow_run": {"workflows": [loaded(first)["name"]], "types": ["completed"]}}
    assert triggers(first) == "pull_request"
    (job,) = jobs(path).values()
    assert job["permissions"].items() <= {"actions": "read", "contents": "read", "pull-requests": "write"}.items()
    assert "github.event.workflow_run.event == 'pull_request'" in job["if"]
    for step in job["steps"]:
        assert "run" not in step
        assert step["uses"].startswith(("actions/checkout@", "./preview/comment", "OWNER/REPO/preview/comment"))
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"] == {"ref": "${{ github.event.repository.default_branch }}", "persist-credentials": False}


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_inputs_that_are_given_are_there(path: Path) -> None:
    for step in steps(path):
        found = re.fullmatch(r"(?:\.|OWNER/REPO)/(preview(?:/\w+)?)(?:@v0)?", step.get("uses", ""))
        if found:
            assert step.get("with", {}).keys() <= loaded(ROOT / found[1] / "action.yml")["inputs"].keys()


def test_the_readme_has_a_row_for_every_input_and_output() -> None:
    text = (ROOT / "preview/README.md").read_text(encoding="utf-8")
    for path in ACTIONS:
        section = text.split(f"## `{path.parent.relative_to(ROOT)}`\n", 1)[1].split("\n## ", 1)[0]
        rows = set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE))
        assert rows == loaded(path).get("inputs", {}).keys() | loaded(path).get("outputs", {}).keys()


def test_actionlint_is_content() -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not on PATH, so the workflows are NOT checked by it: github.com/rhysd/actionlint")
    done = subprocess.run([program, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_is_content() -> None:
    program = Path(sysconfig.get_path("scripts")) / "zizmor"
    workflows = [path for path in WORKFLOWS if ".github" in path.parts]
    asked = [program, "--offline", "--quiet", "--persona=pedantic", *workflows, *ACTIONS]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab_keeps_its_token_from_the_job_that_runs_the_code_and_out_of_arguments() -> None:
    text = (ROOT / "examples/gitlab-ci.yml").read_text(encoding="utf-8")
    report, comment = loaded(ROOT / "examples/gitlab-ci.yml").values()
    assert "NODESTEAD_GITLAB_TOKEN" not in yaml.safe_dump(report)
    assert comment["environment"]["name"] == "nodestead-comment"
    assert "curl" not in text
    assert "--header" not in text
    assert report["artifacts"]["expose_as"]
    assert report["artifacts"]["when"] == "always"


def test_the_script_of_the_gitlab_example_is_python() -> None:
    _, comment = loaded(ROOT / "examples/gitlab-ci.yml").values()
    (script,) = comment["script"]
    compile(script.split("<<'PYTHON'\n", 1)[1].rsplit("PYTHON", 1)[0], "gitlab-ci.yml", "exec")
