#!/usr/bin/env python3
"""What the steps of the actions share: the runner's files and words, commands, and what no report may hold."""

import html
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

__all__ = [
    "StepError",
    "event",
    "given",
    "notice",
    "output",
    "quiet",
    "run_step",
    "secret_values",
    "temporary",
    "unspoken",
    "veil",
    "warning",
]

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASS(W|PHRASE)|(^|_)PASS($|_)|CREDENTIAL|PRIVATE|(^|_)(API)?KEY($|_)|MNEMONIC|KUBECONFIG_TEXT|^ACTIONS_"
)
_SIGNED_IN = re.compile(r"://[^\s/@:]*:(?P<password>[^\s/@]+)@")
_RUNNER_FILES = frozenset({"GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"})
_HIDDEN = "[hidden]"
_SHORTEST = 8
"""A shorter value is found in many words, and no secret."""


class StepError(Exception):
    """Why a step cannot go on, in a sentence."""


def run_step(step: Callable[[], None]) -> NoReturn:
    """Runs a step; its refusal is one line of the log."""
    try:
        step()
    except StepError as error:
        _say("error", str(error))
        sys.exit(1)
    sys.exit(0)


def given(name: str, default: str = "") -> str:
    """An environment variable, bare; the default where it is not there or empty."""
    return os.environ.get(name, "").strip() or default


def event() -> dict[str, Any]:
    """What started the workflow, as GitHub wrote it."""
    path = given("GITHUB_EVENT_PATH")
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def temporary() -> Path:
    """A folder that the runner empties after the job."""
    return Path(given("RUNNER_TEMP", "/tmp"))  # noqa: S108 # outside of a runner only


def output(**values: object) -> None:
    """Gives values to later steps."""
    path = given("GITHUB_OUTPUT")
    for name, value in values.items():
        # A value of several lines would be read as further outputs.
        line = f"{name.replace('_', '-')}={' '.join(str(value).splitlines())}\n"
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(line)


def notice(text: str) -> None:
    """Says something in the log and beside the run."""
    _say("notice", text)


def warning(text: str) -> None:
    """Says what is wrong, and goes on."""
    _say("warning", text)


def _say(kind: str, text: str) -> None:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"::{kind} title=nodestead::{escaped}\n")
    sys.stdout.flush()


@contextmanager
def quiet() -> Generator[None]:
    """What is printed inside is text of others: the runner takes no line of it for a command."""
    word = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{word}\n")
    sys.stdout.flush()
    try:
        yield
    finally:
        sys.stdout.write(f"\n::{word}::\n")
        sys.stdout.flush()


def unspoken(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Parts an environment.

    Returns:
        What a program that makes reports may see, a stand-in in place of each secret; and the secrets, which no report may hold.
    """
    passed = {
        name: "[secret]" if _SECRET_NAME.search(name.upper()) or _SIGNED_IN.search(value) else value
        for name, value in environment.items()
        if name not in _RUNNER_FILES
    }
    return passed, secret_values(environment)


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Values of variables whose names smell of secrets, the longest first, whole and line by line."""
    found: set[str] = set()
    for name, value in environment.items():
        if _SECRET_NAME.search(name.upper()):
            found |= {text.strip() for text in (value, *value.splitlines())}
        found |= {signed["password"] for signed in _SIGNED_IN.finditer(value)}
    return sorted((text for text in found if len(text) >= _SHORTEST), key=lambda text: (-len(text), text))


def veil(text: str, values: Sequence[str]) -> str:
    """The text without those values, also as JSON and HTML write them."""
    for value in values:
        for form in {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value)}:
            text = text.replace(form, _HIDDEN)
    return text


def command(arguments: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints.

    Raises:
        StepError: where it fails, with the last line that it says.
    """
    done = subprocess.run(  # noqa: S603 # a list of arguments, and no shell
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()[-1]
        raise StepError(f"{' '.join(arguments[:2])} ended with {done.returncode}: {last}")
    return done.stdout
