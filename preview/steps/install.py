#!/usr/bin/env python3
"""Installs nodestead, for the working tree and, where its requirements differ, for the base revision.

Environment: REQUIREMENTS (a file of the project that names nodestead; the action's own nodestead where it is empty), BASE (a
commit; none where nothing is compared). Outputs: nodestead (the command), base-python (empty where both revisions share one).
"""

import os
import re
import sys
import tempfile
from pathlib import Path

from runner import StepError, command, given, output, run_step, temporary, unspoken

_OWN = Path(__file__).resolve().parents[2] / "components"
# nodestead itself takes the components of the revision that it renders.
_LOCAL = re.compile(
    r"^\s*(?!(-e |--editable[ =])?\s*\./components/?\s*(#|$))(-e|--editable|\.{0,2}/|file:|[^#\s]+\s*@\s*file:)", re.MULTILINE
)
# All of the tree, no hook that the head's packages may have put there, and no file of git-lfs: none is a package, and the sign-in
# for its server is gone.
_AS_IT_IS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.sparseCheckout=false"),
    *("-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false"),
)
_NAMES = (":(glob,top)**/*requirements*", ":(glob,top)**/*constraints*", ":(glob,top)**/pyproject.toml", ":(glob,top)**/setup.*")


def install() -> None:
    """The step."""
    requirements, base = given("REQUIREMENTS"), given("BASE")
    folder = Path(tempfile.mkdtemp(prefix="nodestead-", dir=temporary()))
    if not requirements:
        python = _environment(folder / "head", [str(_OWN)], Path.cwd())
        output(nodestead=python.with_name("nodestead"), base_python="")
        return
    if not Path(requirements).is_file():
        raise StepError(f"requirements: there is no file {requirements!a} in the working directory")
    python = _environment(folder / "head", ["-r", requirements], Path.cwd())
    nodestead = python.with_name("nodestead")
    if not nodestead.is_file():
        raise StepError(f"requirements: {requirements!a} does not bring nodestead; name it there, or leave the input empty")
    base_python = ""
    if base and _differs(requirements, base):
        # Requirements may name folders of the repository, which have to be those of the base.
        command(["git", *_AS_IT_IS, "worktree", "add", "--quiet", "--detach", str(folder / "base-tree"), base])
        there = folder / "base-tree" / command(["git", "rev-parse", "--show-prefix"]).strip()
        if (there / requirements).is_file():
            base_python = str(_environment(folder / "base", ["-r", requirements], there))
    output(nodestead=nodestead, base_python=base_python)


def _differs(requirements: str, base: str) -> bool:
    if _LOCAL.search(Path(requirements).read_text(encoding="utf-8")):
        return True
    return bool(command(["git", "diff", "--name-only", base, "--", *_NAMES]).strip())


def _environment(folder: Path, what: list[str], where: Path) -> Path:
    """Makes a virtual environment; its Python."""
    seen, _ = unspoken(os.environ)
    command([sys.executable, "-m", "venv", str(folder)], environment=seen)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command([*pip, *what], cwd=where, environment=seen)
    return python


if __name__ == "__main__":
    run_step(install)
