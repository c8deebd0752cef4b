#!/usr/bin/env python3
"""Makes the reports with nodestead; the exit code is an output, so that the reports are published before the job fails.

Environment: NODESTEAD (the command), BASE (a commit; empty for engine previews alone), BASE_PYTHON, STACKS, PROGRAM, FAIL_ON,
ACCEPTED, PREVIEWS (globs of JSON files, one in a line), LINK, SILENT (nothing of the report goes to the log).
Outputs: exit-code, verdict (passed, risk, incomplete), markdown, html, json.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from runner import StepError, given, output, quiet, run_step, temporary, unspoken, veil, warning

MARKER = "<!-- nodestead:report -->"
_VERDICTS = {0: "passed", 1: "risk", 2: "incomplete"}
_FORMS = {"markdown": "report.md", "html": "report.html", "json": "report.json"}


def make_reports() -> None:
    """The step."""
    nodestead, base = given("NODESTEAD"), given("BASE")
    folder = Path(tempfile.mkdtemp(prefix="nodestead-report-", dir=temporary()))
    environment, values = unspoken(os.environ)
    previews = _previews(given("PREVIEWS"))
    files = {form: folder / name for form, name in _FORMS.items()}
    end = [f"--write={file}" for file in files.values()]
    end += _options(("fail-on", "FAIL_ON"), ("accepted", "ACCEPTED"), ("link", "LINK"))
    compare = [base, *(f"--stack={name}" for name in re.split(r"[\s,]+", given("STACKS")) if name)]
    compare += _options(("program", "PROGRAM"), ("base-python", "BASE_PYTHON"))
    with quiet():
        if not base:
            if not previews:
                raise StepError("engine-previews: no file is there, and there is no base to compare with")
            code = _run([nodestead, "review", *end, *previews], environment)
        elif previews:
            # What fails or is accepted is decided once, of the whole.
            first = folder / "diff.json"
            code = _run([nodestead, "diff", *compare, f"--write={first}", "--fail-on=never"], environment, silent=True)
            if first.is_file():
                code = max(code, _run([nodestead, "review", *end, str(first), *previews], environment))
                first.unlink()
        else:
            code = _run([nodestead, "diff", *compare, *end], environment)
    missing = [file.name for file in files.values() if not file.is_file()]
    if missing:
        raise StepError(f"nodestead ended with {code} and without {', '.join(missing)}; what it said is above")
    for file in files.values():
        made = file.read_text(encoding="utf-8")
        safe = veil(made, values)
        if safe != made:
            warning(f"{file.name} held the value of a secret variable of this job; it is hidden in the report")
            file.write_text(safe, encoding="utf-8", newline="\n")
    _summarise(files["markdown"])
    output(exit_code=code, verdict=_VERDICTS.get(code, "incomplete"), **files)


def _options(*named: tuple[str, str]) -> list[str]:
    return [f"--{option}={given(variable)}" for option, variable in named if given(variable)]


def _previews(patterns: str) -> list[str]:
    found: list[str] = []
    for pattern in filter(None, map(str.strip, patterns.splitlines())):
        # No file may look like an option.
        files = [os.path.join(".", file) for file in sorted(glob.glob(pattern, recursive=True)) if Path(file).is_file()]  # noqa: PTH118, PTH207
        if not files:
            warning(f"engine-previews: no file is at {pattern!a}, so the report is without the engine's preview")
        found += files
    return found


def _run(arguments: list[str], environment: dict[str, str], *, silent: bool = False) -> int:
    to = subprocess.DEVNULL if silent or given("SILENT") else sys.stdout
    return subprocess.run(arguments, env=environment, stdout=to, check=False).returncode  # noqa: S603 # a list, and no shell


def _summarise(markdown: Path) -> None:
    path = given("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(markdown.read_text(encoding="utf-8").removeprefix(MARKER).lstrip() + "\n")


if __name__ == "__main__":
    run_step(make_reports)
