#!/usr/bin/env python3
"""Takes report.json from the artifact of a run that may have been a stranger's, and finds the pull request that it is about.

Nothing in the artifact is believed: which pull request it is comes from GitHub, by the head that the run had. Nothing is
unpacked but the one file, which goes to a name of ours.

Environment: ARTIFACT (its name), GITHUB_TOKEN (actions: read, pull-requests: read). Outputs: number, head, report, link; number
is empty where there is nothing to comment on.
"""

import io
import re
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from api import download, pages
from runner import StepError, event, given, notice, output, run_step, temporary

LARGEST_ARCHIVE = 10 << 20
LARGEST_REPORT = 20_000_000
MOST_FILES = 50
NAME = "report.json"


def take_artifact() -> None:
    """The step."""
    run: dict[str, Any] | None = event().get("workflow_run")
    if run is None:
        raise StepError("this action is for workflows on workflow_run")
    repository, number = given("GITHUB_REPOSITORY"), _pull_request(run)
    if number is None:
        output(number="")
        return
    artifact = _artifact(repository, int(run["id"]))
    if artifact is None:
        notice("the run has left no report, so there is nothing to comment")
        output(number="")
        return
    content = report_of(download(f"/repos/{repository}/actions/artifacts/{artifact}/zip", LARGEST_ARCHIVE))
    file = Path(tempfile.mkdtemp(prefix="nodestead-artifact-", dir=temporary())) / NAME
    file.write_bytes(content)
    link = f"{given('GITHUB_SERVER_URL', 'https://github.com')}/{repository}/actions/runs/{int(run['id'])}"
    output(number=number, head=run["head_sha"], report=file, link=link)


def _pull_request(run: dict[str, Any]) -> int | None:
    """The open pull request whose head is that of the run; `workflow_run.pull_requests` is empty for forks."""
    if run.get("event") != "pull_request":
        notice("the run was not one of a pull request")
        return None
    head, branch, source = run["head_sha"], run["head_branch"], run.get("head_repository")
    if not source:
        notice("the repository that the pull request comes from is gone")
        return None
    repository = given("GITHUB_REPOSITORY")
    found = [
        pull
        for pull in pages(f"/repos/{repository}/pulls", state="open", head=f"{source['owner']['login']}:{branch}")
        if is_of_run(pull, repository, source["full_name"], branch, head)
    ]
    if len(found) != 1:
        count = "no" if not found else str(len(found))
        notice(f"the run's head is that of {count} open pull requests now, so none is commented; its summary has the report")
        return None
    return int(found[0]["number"])


def is_of_run(pull: dict[str, Any], repository: str, source: str, branch: str, head: str) -> bool:
    """Whether a pull request is open here and has that head, by repository, branch and commit."""
    its = pull["head"]
    return (
        pull["state"] == "open"
        and its["sha"] == head
        and its["ref"] == branch
        and its["repo"] is not None
        and its["repo"]["full_name"] == source
        and pull["base"]["repo"]["full_name"] == repository
    )


def _artifact(repository: str, run: int) -> int | None:
    name = given("ARTIFACT", "nodestead-report")
    found = [
        one
        for one in pages(f"/repos/{repository}/actions/runs/{run}/artifacts", "artifacts", name=name)
        if one["name"] == name and not one["expired"]
    ]
    if not found:
        return None
    # Each attempt of a run leaves one.
    last = max(found, key=lambda one: int(one["id"]))
    if int(last["size_in_bytes"]) > LARGEST_ARCHIVE:
        raise StepError(f"the artifact has {last['size_in_bytes']:,} bytes, and at most {LARGEST_ARCHIVE:,} are read")
    return int(last["id"])


def report_of(archive: bytes) -> bytes:
    """The content of report.json in a zip file of a stranger.

    Raises:
        StepError: for another kind of file, too many or too large ones, and whatever is not a plain file of that name.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            if len(entries) > MOST_FILES:
                raise StepError(f"the artifact has {len(entries)} files, and at most {MOST_FILES} are expected")
            named = [entry for entry in entries if entry.filename == NAME]
            if len(named) != 1:
                raise StepError(f"the artifact has {len(named)} files {NAME} at its top, and one is expected")
            entry = named[0]
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 0x1:
                raise StepError(f"{NAME} of the artifact is no plain file")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise StepError(f"{NAME} of the artifact is packed in an unusual way")
            # What an entry says of its size may be untrue.
            with opened.open(entry) as file:
                content = file.read(LARGEST_REPORT + 1) if entry.file_size <= LARGEST_REPORT else None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError):
        raise StepError("the artifact is no sound zip file") from None
    if content is None or len(content) > LARGEST_REPORT:
        raise StepError(f"{NAME} of the artifact has more than the {LARGEST_REPORT:,} bytes that are read")
    if re.match(rb"\s*\{", content) is None:
        raise StepError(f"{NAME} of the artifact is no JSON object")
    return content


if __name__ == "__main__":
    run_step(take_artifact)
