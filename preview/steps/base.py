#!/usr/bin/env python3
"""Finds the revision that a pull request is compared with, and fetches it where the clone is shallow.

Environment: BASE (a revision; that of the pull request where it is empty), FETCH_TOKEN (for a private repository).
Output: base (a commit).
"""

import base64
import os
import re
import subprocess
from collections.abc import Mapping

from runner import StepError, command, event, given, output, run_step


def find_base() -> None:
    """The step."""
    asked = given("BASE")
    revision = asked or _of_pull_request()
    commit = _commit(revision)
    if commit is None:
        _fetch(revision)
        commit = _commit(revision) or (None if _is_commit(revision) else _commit("FETCH_HEAD"))
    if commit is None:
        raise StepError(f"base: there is no revision {revision!a} in this repository or at its origin")
    output(base=commit)


def _of_pull_request() -> str:
    pull = event().get("pull_request")
    if pull is None:
        raise StepError("base: this is no run of a pull request, so the input base has to name a revision")
    head, base = str(pull["head"]["sha"]), str(pull["base"]["sha"])
    # The merge that GitHub makes for the run has the base as it is now for a parent. The event's base can be older, and what came
    # to the base since would count as a change of the pull request. A shallow clone hides parents from everything but cat-file.
    top = command(["git", "cat-file", "commit", "HEAD"]).split("\n\n", 1)[0]
    parents = re.findall(r"^parent ([0-9a-f]{40,64})$", top, re.MULTILINE)
    if len(parents) == 2 and parents[1] == head:
        return parents[0]
    if _commit(base) is not None and not _is_shallow():
        return command(["git", "merge-base", "HEAD", base]).strip()
    return base


def _is_commit(revision: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision) is not None


def _is_shallow() -> bool:
    return command(["git", "rev-parse", "--is-shallow-repository"]).strip() == "true"


def _commit(revision: str) -> str | None:
    for name in (revision, f"origin/{revision}"):
        asked = ["git", "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 # a list, and no shell
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def _fetch(revision: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]*", revision) or ".." in revision:
        return
    depth = ["--depth=1"] if _is_shallow() else []
    asked = ["git", "fetch", "--quiet", "--no-tags", *depth, "origin", revision]
    plain = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    plain.pop("FETCH_TOKEN", None)
    try:
        command(asked, environment=plain)
    except StepError:
        token = given("FETCH_TOKEN")
        if not token:
            raise
        command(asked, environment={**plain, **_sign_in(token)})


def _sign_in(token: str) -> Mapping[str, str]:
    """Settings of git that hold the token; an argument could be read by every process."""
    server = given("GITHUB_SERVER_URL", "https://github.com")
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}",
    }


if __name__ == "__main__":
    run_step(find_base)
