"""`nodestead review`: which risks it sees in the engine's previews, its exit codes, and files of every kind in one report."""

import copy
import io
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from preview_cases import CASES, content, obj, recorded, step

from nodestead.changes.accepted import NOTHING_ACCEPTED
from nodestead.changes.rules import RULES
from nodestead.preview.cli import main
from nodestead.preview.review import review
from nodestead.reports.model import Report, StackReport, read_report
from nodestead.reports.words import concerned, of_severity, verdict

ROLLOUT = {"pods-restart", "update-order"}
RISKS = {
    "no-change": set(),
    "no-change-brief": set(),
    "rendered-no-change": set(),
    "user-nothing": set(),
    "config-refused": set(),
    "user-crash": set(),
    "user-adopts": set(),
    "user-drift": set(),
    "user-unsecret": set(),
    "user-unknown": set(),
    "user-veiled": set(),
    "user-secret": set(),
    "user-shown": set(),
    "user-steps": set(),
    "image": {"version-upgraded", *ROLLOUT},
    "image-brief": {"version-upgraded", *ROLLOUT},
    "image-stream": {"version-upgraded", *ROLLOUT},
    "claim-shrunk": {"volume-shrunk"},
    "claim-class": {"claim-class-changed"},
    "workload-replaced": {"workload-replaced", *ROLLOUT},
    "workload-replaced-brief": {"workload-replaced", *ROLLOUT},
    "group-renamed": {"set-renamed"},
    "replicas-lowered": {"data-left-behind"},
    "key-generation": {"key-source-changed", *ROLLOUT},
    "key-source": {"key-source-changed", "seed-lost", "protected-deleted", *ROLLOUT},
    "set-removed": {"set-removed", "seed-lost", "protected-deleted"},
    "chain-id": {"network-changed"},
    "layout": {"network-changed"},
    "user-deleted": {"volume-deleted"},
    "user-alias": {"all-nodes-down", "workload-replaced", "pods-restart"},
    "user-immutable": {"all-nodes-down", "workload-replaced", "pods-restart"},
    "user-password": ROLLOUT,
    "user-referenced": ROLLOUT,
    "user-unveiled": {"secret-unveiled", "secret-in-clear", *ROLLOUT},
}
"""The rules that find something in each recorded preview."""

FAILED = {
    "claim-shrunk",
    "claim-class",
    "key-source",
    "set-removed",
    "chain-id",
    "layout",
    "config-refused",
    "user-crash",
    "user-referenced",
}
DANGERS = {"workload-replaced", "workload-replaced-brief", "group-renamed", "key-generation", "user-deleted", "user-alias"}
DANGERS |= {"user-immutable", "user-unveiled"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, case: str, name: str | None = None) -> str:
    path = folder / (name or f"{case}.json")
    path.write_text(recorded(case))
    return path.name


def reviewed(*names: str) -> Report:
    return review(names, NOTHING_ACCEPTED)


def one(folder: Path, case: str) -> StackReport:
    (stack,) = reviewed(put(folder, case)).stacks
    return stack


def test_every_recorded_preview_has_its_risks_here() -> None:
    assert sorted(RISKS) == CASES
    assert set().union(*RISKS.values()) <= {rule.id for rule in RULES}


@pytest.mark.parametrize("case", CASES)
def test_the_rules_find_in_a_recorded_preview_what_was_done(folder: Path, case: str) -> None:
    assert {risk.rule for risk in one(folder, case).risks} == RISKS[case]


@pytest.mark.parametrize("case", CASES)
def test_the_exit_code_is_two_for_a_failed_preview_and_one_for_a_danger(
    folder: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", put(folder, case)]) == (2 if case in FAILED else 1 if case in DANGERS else 0)
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("case", CASES)
def test_an_update_is_told_to_be_stopped_where_its_preview_failed(folder: Path, case: str) -> None:
    stop = one(folder, case).stop
    assert (stop is not None and stop.in_preview) is (case in FAILED)


def test_restarts_behind_a_failed_preview_are_not_promised(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", put(folder, "user-referenced")]) == 2
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("1 failure in stack shop: 2 pods restart in 2 batches, if the update gets that far ")
    assert "2 pods restart in 2 batches, if the update gets that far: its preview fails 1. " in text


def test_fail_on_and_accepted_decide_what_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = put(folder, "group-renamed")
    assert main(["review", name, "--fail-on", "never"]) == 0
    assert main(["review", put(folder, "image"), "--fail-on", "info"]) == 1
    (folder / "accepted.yaml").write_text(
        "accepted:\n- {rule: set-renamed, stack: prod, subject: archive, reason: It is empty.}\n"
    )
    assert main(["review", name, "--accepted", "accepted.yaml"]) == 0
    (folder / "accepted.yaml").write_text("accepted:\n- {rule: set-renamed, stack: dev, reason: It is empty.}\n")
    assert main(["review", name, "--accepted", "accepted.yaml"]) == 1
    capsys.readouterr()


def test_the_pods_that_restart_are_told_in_their_batches(folder: Path) -> None:
    (plan,) = one(folder, "image").restarts
    assert (plan.set, plan.pods, plan.running, plan.batch_count, plan.all_at_once) == ("codex", 5, 5, 3, False)
    assert plan.batches == ["codex-1, codex-2", "codex-3, codex-4", "codex-5"]
    (brief,) = one(folder, "image-brief").restarts
    assert (brief.pods, brief.running, brief.batch_count) == (5, None, 3)


def test_objects_are_counted_where_all_are_shown(folder: Path) -> None:
    whole, brief = one(folder, "image").counts, one(folder, "image-brief").counts
    assert whole is not None
    assert brief is not None
    assert (whole.changed, whole.unchanged) == (5, 56)
    assert (brief.changed, brief.unchanged) == (5, None)


def test_no_secret_reaches_a_report(folder: Path) -> None:
    for case in CASES:
        text = reviewed(put(folder, case)).model_dump_json()
        assert "-Password" not in text
        assert "in-the-clear" not in text


# ---- several files


def test_several_previews_are_one_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [put(folder, case) for case in ("image", "user-deleted", "rendered-no-change")]
    assert main(["review", *names, "--format", "json"]) == 1
    report = read_report(capsys.readouterr().out)
    assert ([stack.name for stack in report.stacks], report.base, report.head) == (["prod", "shop", "dev"], "state", "preview")


def test_a_stack_that_is_given_twice_stays_two(folder: Path) -> None:
    other = folder / "other.json"
    other.write_text(recorded("image").replace("::nodestead::", "::market::"))
    names = [put(folder, "image"), put(folder, "no-change"), "other.json"]
    assert [stack.name for stack in reviewed(*names).stacks] == ["nodestead/prod", "nodestead/prod (2)", "market/prod"]
    assert [stack.name for stack in reviewed(*names[:2]).stacks] == ["prod", "prod (2)"]


def rendered_report(folder: Path, case: str) -> Report:
    """A report of two revisions, as `nodestead diff` writes it."""
    return reviewed(put(folder, case)).model_copy(update={"base": "main", "head": "HEAD"})


def write(path: Path, report: Report) -> None:
    path.write_text(report.model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    ("rendered", "previewed", "whole"),
    [
        ("workload-replaced", "workload-replaced", "workload-replaced"),
        ("image", "image", "image"),
        ("no-change", "workload-replaced", "workload-replaced"),
        ("workload-replaced", "no-change", "workload-replaced"),
    ],
)
def test_a_stack_that_was_compared_in_two_ways_is_counted_once(folder: Path, rendered: str, previewed: str, whole: str) -> None:
    write(folder / "diff.json", rendered_report(folder, rendered))
    write(folder / "engine.json", reviewed(put(folder, previewed)))

    both = reviewed("diff.json", put(folder, previewed))

    assert reviewed("diff.json", "engine.json") == both
    assert [(stack.name, stack.same_as) for stack in both.stacks] == [("prod", None), ("prod (against its state)", "prod")]
    assert verdict(both) == verdict(reviewed(put(folder, whole)))
    assert concerned(both) == ["prod"]
    assert read_report(both.model_dump_json(by_alias=True)) == both


def test_a_report_tells_its_risks_even_where_it_calls_itself_another(folder: Path) -> None:
    report = reviewed(put(folder, "workload-replaced"))
    (stack,) = report.stacks
    claimed = report.model_copy(update={"stacks": [stack.model_copy(update={"same_as": stack.name})]})
    assert (
        [risk for _, risk in of_severity(claimed, "danger")] == [risk for risk in stack.risks if risk.severity == "danger"] != []
    )


SHRUNK = {
    "rule": "volume-shrunk",
    "severity": "danger",
    "title": "A volume would shrink",
    "subject": "codex",
    "nodes": "codex-1",
    "what": "2Gi -> 1Gi",
    "instead": "Keep it.",
}


@pytest.mark.parametrize(
    ("rendered", "previewed", "told"),
    [
        ({}, {}, ["prod"]),
        ({}, {"nodes": "codex-2"}, ["prod", "state"]),
        ({}, {"what": "10Gi -> 1Gi"}, ["prod", "state"]),
        ({}, {"subject": "archive"}, ["prod", "state"]),
        ({}, {"rule": "volume-deleted"}, ["prod", "state"]),
        ({"accepted": "It is empty."}, {}, ["state"]),
        ({"severity": "info"}, {}, ["state"]),
    ],
    ids=["same", "other-nodes", "other-values", "other-set", "other-rule", "accepted-in-one", "milder-in-one"],
)
def test_a_danger_that_only_one_of_two_comparisons_tells_is_told(
    rendered: dict[str, str], previewed: dict[str, str], told: list[str]
) -> None:
    first, second = (StackReport.model_validate({"name": "prod", "risks": [SHRUNK | given]}) for given in (rendered, previewed))
    stacks = [first, second.model_copy(update={"name": "state", "same_as": "prod"})]
    report = Report(base="main", head="HEAD", stacks=stacks)
    assert [stack.name for stack, _ in of_severity(report, "danger")] == told


def test_what_is_missing_of_two_comparisons_of_one_stack_is_told_as_such(folder: Path) -> None:
    write(folder / "diff.json", rendered_report(folder, "no-change"))
    both = reviewed("diff.json", put(folder, "chain-id"))
    assert verdict(both, "stack prod") == "1 danger in stack prod, 1 of 2 comparisons not complete"


def test_a_preview_is_taken_for_none_of_two_stacks_of_its_name_that_were_compared(folder: Path) -> None:
    for name, case in (("a.json", "no-change"), ("b.json", "image")):
        write(folder / name, rendered_report(folder, case))
    both = reviewed("a.json", "b.json", put(folder, "image"))
    assert [stack.same_as for stack in both.stacks] == [None] * 3


def test_a_comparison_is_of_no_stack_where_several_reports_have_one_of_that_name(folder: Path) -> None:
    write(folder / "diff.json", rendered_report(folder, "no-change"))
    for name, case in (("a.json", "image"), ("b.json", "workload-replaced")):
        write(folder / name, reviewed("diff.json", put(folder, case)))
    both = reviewed("a.json", "b.json")
    assert [stack.name for stack in both.stacks] == [
        "prod",
        "prod (against its state)",
        "prod (2)",
        "prod (against its state) (2)",
    ]
    assert [stack.same_as for stack in both.stacks] == [None] * 4


def test_previews_of_two_projects_are_not_taken_for_the_stack_that_was_compared(folder: Path) -> None:
    write(folder / "diff.json", rendered_report(folder, "no-change"))
    (folder / "other.json").write_text(recorded("image").replace("::nodestead::", "::market::"))
    names = [stack.name for stack in reviewed("diff.json", put(folder, "image"), "other.json").stacks]
    assert names == ["prod", "nodestead/prod", "market/prod"]


def test_a_report_is_read_like_a_preview_and_stays_as_it_was(folder: Path) -> None:
    first = reviewed(put(folder, "group-renamed"), put(folder, "user-deleted"))
    (folder / "report.json").write_text(first.model_dump_json(by_alias=True, indent=1))
    again = reviewed("report.json")
    assert again == first
    both = reviewed("report.json", put(folder, "rendered-no-change"))
    assert both.stacks[:2] == first.stacks
    assert [stack.name for stack in both.stacks] == ["prod", "shop", "dev"]


def test_reports_of_other_revisions_name_all_of_them(folder: Path) -> None:
    report = reviewed(put(folder, "no-change")).model_copy(update={"base": "main", "head": "topic", "notes": ["a note"]})
    (folder / "report.json").write_text(report.model_dump_json(by_alias=True))
    both = reviewed("report.json", put(folder, "image"))
    assert (both.base, both.head, both.notes) == ("main, state", "topic, preview", ["a note"])


def test_standard_input_is_a_file_and_only_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recorded("image").encode("utf-16"))))
    assert main(["review", "-"]) == 0
    assert "5 pods restart in 3 batches" in capsys.readouterr().out
    assert main(["review", "-", "-"]) == 2
    assert capsys.readouterr().err == "nodestead: - is given twice, and standard input can be read once\n"


# ---- files that are none


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "it cannot be read: No such file or directory"),
        (b"", "it is empty"),
        (b"\x00\x01\x02\xff", "it is no text"),
        (b"no JSON", "it is no JSON of a preview"),
        (b'{"steps": [', "its JSON ends in the middle"),
        (b'{"format": "nodestead-report", "version": 99}', "it is no report of this version of nodestead"),
        (b'{"format": "nodestead-report", "version": 1', "it is no report of this version of nodestead"),
        (b'{"version": 3, "deployment": {}}', "it is the exported state of a stack"),
        (b'{"steps": []}{"steps": []}', "it holds more than one preview"),
        (b'{"steps": []}\nwarning: x\n{\n  "config": {}, "steps": []\n}\n', "it holds more than one preview"),
        (b'{"steps": ' + b"[" * 1_000_000, "its JSON is nested too deep"),
        (b'{"steps": [' + b"1" * 100_000 + b"]}", "its JSON holds a number of thousands of digits"),
        (b"{\n" * 1_000_000, "it is no JSON"),
        ("{}".encode("utf-32"), "it is no text"),
        (b"\xff\xfe{\x00\xd8", "it is no text"),
    ],
)
def test_a_file_that_is_none_is_a_stack_that_is_not_compared_and_the_rest_is(
    folder: Path, capsys: pytest.CaptureFixture[str], data: bytes | None, expected: str
) -> None:
    if data is not None:
        (folder / "broken.json").write_bytes(data)
    assert main(["review", "broken.json", put(folder, "image"), "--format", "json"]) == 2
    report = read_report(capsys.readouterr().out)
    broken, good = report.stacks
    assert broken.name == "broken.json"
    assert [line[: len(expected)] for line in broken.failures] == [expected]
    assert {risk.rule for risk in good.risks} == RISKS["image"]


@pytest.mark.parametrize("between", ["", "\n", "\nwarning: a new version is there\n"])
@pytest.mark.parametrize(("case", "second"), [("image", "image"), ("image", "image-stream"), ("image-stream", "image-stream")])
def test_of_two_previews_in_one_file_none_is_left_out_unsaid(folder: Path, between: str, case: str, second: str) -> None:
    (folder / "x.json").write_text(recorded(case) + (between or "\n" * ("stream" in case)) + recorded(second))

    (stack,) = reviewed("x.json").stacks

    assert stack.failures == ["it holds more than one preview; write each to a file of its own and name all of them"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_preview_is_read_in_every_encoding_that_a_shell_redirects_in(folder: Path, encoding: str) -> None:
    (folder / "x.json").write_bytes(f"warning: new version\n{recorded('image')}\nerror: x\n".encode(encoding))

    assert {risk.rule for stack in reviewed("x.json").stacks for risk in stack.risks} == RISKS["image"]


def test_more_stacks_than_a_report_holds_are_told_and_fail_it(folder: Path) -> None:
    (folder / "x.json").write_text("")

    stacks = reviewed(*["x.json"] * 501).stacks

    assert len(stacks) == 500
    assert stacks[-1].name == "and 2 more"
    assert stacks[-1].failures == ["a report holds 500 stacks, so these are left out: review them by themselves"]


def test_a_preview_that_failed_before_it_named_its_stack_goes_by_its_file(folder: Path) -> None:
    (folder / "x.json").write_text(content(diagnostics=[{"severity": "error", "message": "error: no such plugin"}]))
    (stack,) = reviewed("x.json").stacks
    assert (stack.name, stack.failures) == ("x.json", ["no such plugin"])


def test_a_preview_that_speaks_of_reports_is_none(folder: Path) -> None:
    preview = {"config": {"a:b": "nodestead-report"}, **json.loads(recorded("image"))}
    (folder / "x.json").write_text(json.dumps(preview))
    assert [stack.name for stack in reviewed("x.json").stacks] == ["prod"]


def test_a_folder_is_no_file(folder: Path) -> None:
    (stack,) = reviewed(str(folder)).stacks
    assert stack.failures == ["it cannot be read: Is a directory"]


def test_a_refused_file_of_accepted_risks_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "accepted.yaml").write_text("accepted:\n- {rule: nonsense, reason: x}\n")
    assert main(["review", put(folder, "image"), "--accepted", "accepted.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nodestead: accepted.yaml: ")
    assert said.count("\n") == 1


def workload(**spec: Any) -> dict[str, Any]:
    return {**obj("StatefulSet", "w"), "apiVersion": "apps/v1", "spec": spec}


@pytest.mark.parametrize(
    "spec",
    [
        {"template": {"spec": {"containers": "none"}}},
        {"template": {"spec": {"containers": [7]}}},
        {"template": {"spec": "[secret]"}},
        {"template": "[secret]"},
        {"template": {"spec": {"containers": [{"name": "n", "env": "[secret]"}], "volumes": "[secret]"}}},
        {"template": {"spec": {"containers": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}},
        {"replicas": "[secret]"},
        {"replicas": {"a": 1}},
        {"selector": 1, "template": 2},
    ],
)
def test_a_workload_of_any_shape_ends_in_a_report(folder: Path, spec: dict[str, Any]) -> None:
    good = workload(replicas=2, template={"spec": {"containers": [{"name": "n", "image": "i"}]}})
    type_ = "kubernetes:apps/v1:StatefulSet"
    for old, new in ((good, workload(**spec)), (workload(**spec), good)):
        (folder / "x.json").write_text(content(step("replace", "w", old, new, type_=type_)))
        (stack,) = reviewed("x.json").stacks
        assert stack.name == "s"


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything below a value; of equal items of lists those of the first."""
    parts = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in parts:
        yield (*at, key)
        yield from places(item, (*at, key))


@pytest.mark.parametrize("marker", ["[secret]", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"])
@pytest.mark.parametrize("kind", ["StatefulSet", "Service", "NetworkPolicy", "PersistentVolumeClaimPatch", "PodDisruptionBudget"])
def test_whatever_part_of_an_object_is_hidden_or_not_known_it_is_compared(folder: Path, kind: str, marker: str) -> None:
    found = next(one for one in json.loads(recorded("image"))["steps"] if f":{kind}::codex" in one["urn"])
    for path in places(found["newState"]["inputs"]):
        changed = copy.deepcopy(found) | {"op": "update"}
        part = changed["newState"]["inputs"]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = marker
        (folder / "x.json").write_text(content(changed))
        assert reviewed("x.json").stacks[0].failures == [], path


JUNK: list[Any] = [None, 0, -1, 1.5, True, "", "x", [], {}, [1], {"a": 1}, ["[secret]"], "[secret]", "\ud800"]


def mangled(value: Any, rng: random.Random, share: float) -> Any:
    """A value some parts of which are of another shape."""
    if rng.random() < share:
        return rng.choice(JUNK)
    if isinstance(value, dict):
        return {key: mangled(item, rng, share) for key, item in value.items()}
    return [mangled(item, rng, share) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(30))
def test_a_mangled_preview_ends_in_a_report_and_never_in_a_traceback(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    preview = json.loads(
        recorded(rng.choice(["workload-replaced", "key-source", "user-unveiled", "user-deleted", "group-renamed"]))
    )
    rng.shuffle(preview["steps"])
    preview["steps"] = [mangled(one, rng, rng.choice([0.001, 0.01, 0.1])) for one in preview["steps"][:25]]
    (folder / "x.json").write_text(json.dumps(preview))
    (stack,) = reviewed("x.json").stacks
    assert stack.name
