"""Measures `nodestead diff` of a large stack: time, and the size of the comment, beside the budgets.

    python benchmarks/diff.py [--nodes 1000] [--runs 3]

Two commits of a repository made for it differ in the image of every node; each run is a process of its own, and the best
counts. Exits with 1 where a budget is exceeded.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nodestead.preview.table import table

COMMAND = [sys.executable, "-m", "nodestead.preview.cli", "diff", "HEAD~1", "HEAD", "--fail-on", "never"]
SECONDS, COMMENT = 10, 10_000

STACK = """
config:
  nodestead:namespace: {{name: benchmark}}
  nodestead:cluster: {{render: rendered}}
  nodestead:storageNodeGroups:
    codex:
      replicas: {nodes}
      software: {{kind: codex, version: {version}}}
      exposure: {{kind: nodePort, basePort: 30000, offset: 1, bootstrapBasePort: 32000}}
"""


def git(folder: Path, *args: str) -> None:
    """Runs git with a name and without anybody's settings."""
    names = {f"GIT_{role}_{what}": "benchmark" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *args], cwd=folder, env={**os.environ, **names, **settings}, check=True, stdout=subprocess.DEVNULL)


def repository(folder: Path, nodes: int) -> None:
    """Two commits, with another version of the software."""
    git(folder, "init", "--quiet")
    for version in ("0.2.4", "0.2.5"):
        (folder / "Pulumi.large.yaml").write_text(STACK.format(nodes=nodes, version=version), encoding="utf-8")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", version)


def main() -> int:
    """Prints the table; 1 where a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1_000, help="nodes of the stack (1000)")
    parser.add_argument("--runs", type=int, default=3, help="runs (3)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository(folder, args.nodes)
        written = {suffix: folder.parent / f"{folder.name}{suffix}" for suffix in (".md", ".json", ".html")}
        wanted = [part for path in written.values() for part in ("--write", str(path))]
        times: list[float] = []
        try:
            for _ in range(args.runs):
                begin = time.perf_counter()
                subprocess.run([*COMMAND, "--dir", name, *wanted], check=True, stdout=subprocess.DEVNULL)
                times.append(time.perf_counter() - begin)
            sizes = {suffix: path.stat().st_size for suffix, path in written.items()}
        finally:
            for path in written.values():
                path.unlink(missing_ok=True)
    budgets = [
        (f"diff of {args.nodes:,} nodes, all with another image", min(times), SECONDS, "s"),
        ("its comment", sizes[".md"], COMMENT, "bytes"),
    ]
    rows = [(what, f"{got:,.1f}", f"{most:,} {unit}", "kept" if got <= most else "EXCEEDED") for what, got, most, unit in budgets]
    rows += [(f"its report as {suffix}", f"{sizes[suffix]:,}", "", "") for suffix in (".json", ".html")]
    sys.stdout.write(table(("BUDGET", "MEASURED", "AT MOST", ""), rows))
    return int(any(got > most for _, got, most, _ in budgets))


if __name__ == "__main__":
    sys.exit(main())
