"""How a report leaves: options, files, exit codes."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from nodestead.changes.accepted import AcceptedError
from nodestead.changes.rules import RULES
from nodestead.preview.reporting import ACCEPTED, ReportingError, acceptances, add_report_options, emit
from nodestead.reports.model import Counts, Report, Risk, StackReport, read_report

COUNTS = Counts(added=0, changed=1, replaced=0, removed=0, unchanged=3)


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_report_options(parser)
    return parser.parse_args(given)


def report(severity: Any = "danger", **given: Any) -> Report:
    risk = Risk(
        severity=severity, rule="volume-shrunk", title="A volume shrinks", subject="codex", what="2Gi -> 1Gi", instead="Keep it."
    )
    return Report(base="main", head="work", stacks=[StackReport(name="prod", counts=COUNTS, risks=[risk], **given)])


def test_text_is_the_default_and_has_no_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert emit(report(), arguments()) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 danger in stack prod\n")
    assert "\x1b" not in out
    assert err == ""


@pytest.mark.parametrize(
    ("options", "no_color", "tty", "colored"),
    [
        ((), None, True, True),
        ((), None, False, False),
        ((), "1", True, False),
        ((), "", True, True),
        (("--color", "always"), "1", False, True),
        (("--color", "never"), None, True, False),
    ],
)
def test_colour(
    options: tuple[str, ...],
    no_color: str | None,
    tty: bool,
    colored: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stdout.isatty", lambda: tty)
    emit(report(), arguments(*options))
    assert ("\x1b[" in capsys.readouterr().out) is colored


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("markdown", "<!-- nodestead:report -->\n"), ("json", '{\n "format": "nodestead-report"'), ("html", "<!doctype html>")],
)
def test_other_formats_are_printed_and_the_verdict_goes_to_stderr(
    form: str, beginning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert emit(report(), arguments("--format", form)) == 1
    out, err = capsys.readouterr()
    assert out.lower().startswith(beginning.lower()) if form == "html" else out.startswith(beginning)
    assert err == "nodestead: 1 danger\n"


def test_files_are_written_by_their_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "a" / f"report.{suffix}" for suffix in ("md", "json", "html", "txt")]
    options = [option for file in files for option in ("--write", str(file))]
    assert emit(report(), arguments("--fail-on", "never", *options)) == 0
    assert files[0].read_text().startswith("<!-- nodestead:report -->\n")
    assert read_report(files[1].read_text()) == report()
    assert json.loads(files[1].read_text())["stacks"][0]["before"] is None
    assert "<html" in files[2].read_text()
    assert files[3].read_text() == capsys.readouterr().out


def test_a_file_of_no_known_format_is_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments("--write", "report.pdf")
    assert caught.value.code == 2
    assert "report.pdf: its name has to end in .txt, .md, .json, .html" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said_after_all_others_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    args = arguments("--write", str(tmp_path / "file" / "a.md"), "--write", str(tmp_path / "b.md"))
    with pytest.raises(ReportingError, match=r"a\.md: cannot be written: "):
        emit(report(), args)
    assert (tmp_path / "b.md").is_file()
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("made", "options", "code"),
    [
        (report("danger"), (), 1),
        (report("caution"), (), 0),
        (report("caution"), ("--fail-on", "caution"), 1),
        (report("info"), ("--fail-on", "info"), 1),
        (report("danger"), ("--fail-on", "never"), 0),
        (report("info", failures=["refused"]), ("--fail-on", "never"), 2),
    ],
)
def test_the_exit_code(made: Report, options: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert emit(made, arguments(*options)) == code
    assert capsys.readouterr().out


# ---- accepted risks

RULE = RULES[0].id


def project(folder: Path, text: str | None) -> Path:
    (folder / "Pulumi.yaml").write_text("name: nodestead\nruntime: python\n")
    if text is not None:
        (folder / ACCEPTED).write_text(text)
    (folder / "below").mkdir()
    return folder / "below"


def test_the_file_of_the_project_is_read_from_below_too(tmp_path: Path) -> None:
    below = project(tmp_path, f"accepted:\n  - rule: {RULE}\n    reason: we know\n")
    assert acceptances(arguments(), below).reason(RULE, "prod", "codex") == "we know"


def test_a_project_without_the_file_accepts_nothing(tmp_path: Path) -> None:
    assert acceptances(arguments(), project(tmp_path, None)).reason(RULE, "prod", "codex") is None


def test_a_named_file_takes_its_place(tmp_path: Path) -> None:
    below = project(tmp_path, f"accepted:\n  - rule: {RULE}\n    reason: we know\n")
    other = tmp_path / "other.yaml"
    other.write_text("")
    assert acceptances(arguments("--accepted", str(other)), below).reason(RULE, "prod", "codex") is None


@pytest.mark.parametrize(
    ("content", "refusal"),
    [(None, "cannot be read: No such file"), (b"\xff\xfe\xff", "is no UTF-8 text at byte 0")],
)
def test_a_named_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, refusal: str) -> None:
    file = tmp_path / "accepted.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ReportingError, match=refusal):
        acceptances(arguments("--accepted", str(file)), tmp_path)


def test_a_file_that_is_refused_is_named(tmp_path: Path) -> None:
    below = project(tmp_path, "accepted:\n  - rule: no-such-rule\n    reason: we know\n")
    with pytest.raises(AcceptedError, match=ACCEPTED):
        acceptances(arguments(), below)
