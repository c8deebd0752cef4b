"""A report as data, also one of a stranger."""

import pytest
from pydantic import ValidationError

from nodestead.reports.model import LARGEST_REPORT, Entry, Report, ReportError, StackReport, Stop, read_report

REPORT = Report(
    base="main",
    head="fork",
    stacks=[StackReport(name="prod", failures=["refused"]), StackReport(name="dev")],
)


def test_a_report_reads_back_equal() -> None:
    assert read_report(REPORT.model_dump_json(by_alias=True)) == REPORT
    assert read_report(REPORT.model_dump_json(by_alias=True, indent=1, exclude_defaults=False)) == REPORT


def test_a_report_that_nothing_stops_is_read_by_versions_that_know_of_no_stop_and_theirs_by_this_one() -> None:
    text = REPORT.model_dump_json(by_alias=True)
    assert '"stop"' not in text
    stopped = REPORT.model_copy(update={"stacks": [StackReport(name="dev", stop=Stop(rules=["a"], in_preview=True))]})
    assert '"stop":{"rules":["a"],"inPreview":true}' in stopped.model_dump_json(by_alias=True)
    assert read_report(stopped.model_dump_json(by_alias=True)) == stopped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "{",
        '"text"',
        "9" * 5_000,
        "[" * 10_000,
        '{"format":"nodestead-report","version":2,"base":"a","head":"b","stacks":[]}',
        '{"format":"other","version":1,"base":"a","head":"b","stacks":[]}',
        '{"base":"a","head":"b","stacks":[],"more":"<script>hunter2</script>"}',
        '{"base":"a","head":"b","stacks":[],"hunter2 @all":1}',
        '{"base":"a","head":"b","stacks":[{"name":"a","hunter2 @all":1}]}',
        '{"base":"a","head":"b","stacks":[{"name":"hunter2","risks":[{"severity":"hunter2"}]}]}',
        '{"base":"' + "hunter2" * 100 + '","head":"b","stacks":[]}',
        '{"base":"a","head":"b","stacks":' + '[{"name":"a"}' + ',{"name":"a"}' * 500 + "]}",
        '{"base":1,"head":"b","stacks":[]}',
        '{"base":"a","head":"b","stacks":[{"name":"a","before":{"nodes":-1}}]}',
    ],
)
def test_any_other_text_is_refused_in_one_line_that_repeats_nothing_of_it(text: str) -> None:
    with pytest.raises(ReportError) as caught:
        read_report(text)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_text_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ReportError, match="at most 20,000,000 are read"):
        read_report(" " * (LARGEST_REPORT + 1))


def test_numbers_have_their_bounds() -> None:
    with pytest.raises(ValidationError):
        Entry(operation="add", kind="Service", objects=0, names="a", summary="a")


def test_numbers_that_cannot_be_written_are_refused() -> None:
    text = '{"stacks": [{"name": "a", "counts": {"added": %s, "changed": 0, "replaced": 0, "removed": 0, "unchanged": null}}], '
    text += '"base": "a", "head": "b"}'
    assert read_report(text % 10**30).stacks[0].counts is not None
    for number in ("9" * 4_200, "9" * 5_000, "1e400", "-1"):
        with pytest.raises(ReportError):
            read_report(text % number)


def test_no_text_of_a_report_holds_a_token() -> None:
    report = read_report('{"stacks": [], "base": "ghp_hunter2hunter2hunter2", "head": "https://me:hunter2@example.org"}')
    assert "hunter2" not in report.model_dump_json()
