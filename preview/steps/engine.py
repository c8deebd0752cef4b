#!/usr/bin/env python3
"""Previews stacks with the Pulumi engine and gives nodestead's report of it, which holds no secret.

What the engine says stays in this job: only the report leaves it. A preview that fails is part of the report, not the end of
the step.

Environment: STACKS, NODESTEAD (the command), ACCEPTED, KUBECONFIG_TEXT (a kubeconfig; none where it is empty), and what the
Pulumi CLI reads. Output: report.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from runner import StepError, given, output, quiet, run_step, secret_values, temporary, unspoken, veil


def preview() -> None:
    """The step."""
    stacks = [name for name in re.split(r"[\s,]+", given("STACKS")) if name]
    if not stacks:
        raise StepError("stacks: name one or more")
    # Only this user may look into it.
    folder = Path(tempfile.mkdtemp(prefix="nodestead-engine-", dir=temporary()))
    environment = dict(os.environ)
    kubeconfig = environment.pop("KUBECONFIG_TEXT", "")
    if kubeconfig.strip():
        file = folder / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(kubeconfig, encoding="utf-8")
        environment["KUBECONFIG"] = str(file)
    previews: dict[str, str] = {}
    report = folder / "report.json"
    with quiet():
        for number, stack in enumerate(stacks):
            made = folder / f"preview-{number}.json"
            with made.open("wb") as out:
                asked = ["pulumi", "preview", "--json", "--show-sames", "--non-interactive", f"--stack={stack}"]
                subprocess.run(asked, env=environment, stdout=out, check=False)  # noqa: S603 # a list, and no shell
            previews[made.name] = stack
        (folder / "kubeconfig").unlink(missing_ok=True)
        seen, _ = unspoken(os.environ)
        asked = [given("NODESTEAD"), "review", *previews, f"--write={report}", "--fail-on=never", f"--dir={Path.cwd()}"]
        if given("ACCEPTED"):
            asked.append(f"--accepted={Path(given('ACCEPTED')).absolute()}")
        code = subprocess.run(  # noqa: S603 # as above
            asked, cwd=folder, env=seen, stdout=subprocess.DEVNULL, check=False
        ).returncode
    if not report.is_file():
        raise StepError(f"nodestead ended with {code} and without a report; what it said is above")
    content: Any = json.loads(veil(report.read_text(encoding="utf-8"), secret_values(os.environ)))
    for stack in content["stacks"]:
        # What could not be read is called by its file. The rest of the name tells it from the same stack as it is rendered.
        name = str(stack["name"])
        stack["name"] = f"{previews.get(name, name)[:250]} (the engine's preview)"
    report.write_text(json.dumps(content), encoding="utf-8", newline="\n")
    output(report=report)


if __name__ == "__main__":
    run_step(preview)
