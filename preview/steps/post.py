#!/usr/bin/env python3
"""Writes the report into its comment: the one that is there, else a new one.

A comment is ours where the author is ours and it begins with the marker and the name of the report.

Environment: NUMBER (of the pull request), MARKDOWN (a file), NAME (of the report; several in one pull request differ by it),
AUTHOR, HEAD (the commit that it is about, which still has to be the pull request's), LINK (to the run; none where it is empty),
LENIENT (a refusal is only a warning), GITHUB_TOKEN.
"""

import re
from pathlib import Path
from typing import Any

from api import ask, pages
from runner import StepError, given, notice, output, run_step, warning

MARKER = "<!-- nodestead:report -->"
LONGEST = 65_536


def post() -> None:
    """The step."""
    try:
        _post()
    except StepError as error:
        if not given("LENIENT"):
            raise
        warning(
            f"no comment: {error}. The job needs `permissions: {{pull-requests: write}}`; pull requests from forks need the"
            " second workflow of preview/README.md"
        )


def _post() -> None:
    number, name = given("NUMBER"), given("NAME", "nodestead-report")
    if not re.fullmatch(r"[1-9][0-9]{0,11}", number):
        raise StepError("NUMBER: is no number of a pull request")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise StepError("artifact-name: use letters, digits, dots, dashes and underscores, at most 64 of them")
    report = Path(given("MARKDOWN")).read_text(encoding="utf-8")
    if not report.startswith(MARKER):
        raise StepError("the Markdown is none of nodestead: it does not begin with the marker")
    head = f"{MARKER}\n<!-- {name} -->\n"
    commit = given("HEAD")
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise StepError("HEAD: is no commit")
    link = given("LINK")
    # Whoever changes the workflow, or the code that renders, changes what is said.
    kept = f"; [the run]({link}) keeps this report as a page" if link else ""
    about = f"<sub>Made by the code of commit {commit} itself{kept}.</sub>"
    body = f"{head}{report.removeprefix(MARKER).strip()}\n\n{about}\n"
    if len(body) > LONGEST:
        raise StepError(f"the Markdown has {len(body):,} characters, and GitHub takes {LONGEST:,}")
    repository, author = given("GITHUB_REPOSITORY"), given("AUTHOR", "github-actions[bot]")
    pull = ask("GET", f"/repos/{repository}/pulls/{number}")
    if pull["state"] != "open" or pull["head"]["sha"] != commit:
        notice("the pull request has moved on, so its next run comments")
        return
    ours = _ours(f"/repos/{repository}/issues/{number}/comments", author, head)
    if ours is None:
        ours = ask("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
    elif _lines(ours) != body.rstrip():
        ask("PATCH", f"/repos/{repository}/issues/comments/{int(ours['id'])}", {"body": body})
    output(comment_url=ours["html_url"])


def _ours(path: str, author: str, head: str) -> dict[str, Any] | None:
    for comment in pages(path):
        # The author of a comment is null where the account is gone.
        if comment["user"] is not None and comment["user"]["login"] == author and _lines(comment).startswith(head):
            return comment
    return None


def _lines(comment: dict[str, Any]) -> str:
    """Its text; GitHub gives line ends as CR LF where somebody has edited it in a browser."""
    return str(comment["body"] or "").replace("\r\n", "\n").rstrip()


if __name__ == "__main__":
    run_step(post)
