"""Measures `nodestead render`: time and memory by number of nodes, side by side with the budgets.

    python benchmarks/render.py [--runs 3]

Each run is a process of its own; the best time and the largest memory of all runs count. Exits with 1 where a
budget is exceeded.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nodestead.preview.table import table

COMMAND = [sys.executable, "-m", "nodestead.preview.cli", "render"]

PUBLIC = "exposure: {kind: nodePort, basePort: 30000, offset: 1, bootstrapBasePort: 32000}"
PRIVATE = "exposure: {kind: cluster}"


@dataclass(frozen=True)
class Case:
    """A stack of one group."""

    name: str
    nodes: int
    settings: str
    layout: str = "perNode"

    def stack(self) -> str:
        """The stack's file."""
        return f"""
config:
  nodestead:namespace: {{name: benchmark}}
  nodestead:cluster: {{render: rendered}}
  nodestead:storageNodeGroups:
    codex:
      replicas: {self.nodes}
      layout: {self.layout}
      software: {{kind: codex, version: 0.2.5}}
      {self.settings}
"""


@dataclass(frozen=True)
class Measured:
    """What rendering a case took."""

    seconds: float
    mebibytes: float
    documents: int
    lines: int


@dataclass(frozen=True)
class ChainCase(Case):
    """A stack of one local network, in which every node knows all others."""

    def stack(self) -> str:
        """The stack's file."""
        return f"""
config:
  nodestead:namespace: {{name: benchmark}}
  nodestead:cluster: {{render: rendered}}
  nodestead:blockchainNodeSets:
    local:
      replicas: {self.nodes}
      software: {{kind: cosmos, chainId: local-1, binary: simd}}
      image: {{repository: ghcr.io/cosmos/simapp, tag: v0.50}}
      {self.settings}
"""


CASES = [
    *(Case(f"public-{nodes}", nodes, PUBLIC) for nodes in (1, 10, 100, 1_000)),
    *(Case(f"private-{nodes}", nodes, PRIVATE) for nodes in (1_000, 10_000)),
    *(ChainCase(f"chain-{nodes}", nodes, "network: {kind: local, validators: 4}") for nodes in (4, 40, 400)),
    *(Case(f"pooled-{nodes}", nodes, PRIVATE, "pooled") for nodes in (1_000, 10_000)),
]


def measured(case: Case, folder: Path, runs: int) -> Measured:
    """Renders a case so many times."""
    (folder / f"Pulumi.{case.name}.yaml").write_text(case.stack(), encoding="utf-8")
    output = folder / f"{case.name}.yaml"
    times: list[float] = []
    peaks: list[float] = []
    for _ in range(runs):
        begin = time.perf_counter()
        peaks.append(_peak([*COMMAND, "--dir", str(folder), "--stack", case.name], output))
        times.append(time.perf_counter() - begin)
    documents, lines = 1, 0
    # Line by line: a child's memory counts from what its parent has.
    with output.open("rb") as text:
        for line in text:
            lines += 1
            documents += line == b"---\n"
    output.unlink()
    return Measured(min(times), max(peaks), documents, lines)


def _peak(command: list[str], output: Path) -> float:
    """Runs a command and gives its largest memory; wait4 tells that of this child alone, getrusage that of the largest so far."""
    to_file = [(os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=to_file)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> int:
    """Prints the tables; 1 where a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each case (3)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {case.name: measured(case, Path(folder), args.runs) for case in CASES}
    rows = [
        (name, f"{one.seconds:.2f} s", f"{one.mebibytes:.0f} MiB", str(one.documents), str(one.lines))
        for name, one in found.items()
    ]
    sys.stdout.write(table(("STACK", "TIME", "MEMORY", "DOCUMENTS", "LINES"), rows) + "\n")
    budgets = [
        ("small stack, public-1", found["public-1"].seconds, 0.5, "s"),
        ("public-1000 (helm template of the Codex chart: about 2.5 s)", found["public-1000"].seconds, 2.0, "s"),
        ("private, 10,000 to 1,000", found["private-10000"].seconds / found["private-1000"].seconds, 12, "times"),
        ("pooled, 10,000 to 1,000", found["pooled-10000"].seconds / found["pooled-1000"].seconds, 12, "times"),
        # Each knows all others: the texts grow with the square, which must not be what the time goes by.
        ("chain, 400 to 40", found["chain-400"].seconds / found["chain-40"].seconds, 20, "times"),
        ("largest memory", max(one.mebibytes for one in found.values()), 1024, "MiB"),
    ]
    rows = [(what, f"{got:.2f}", f"{most:g} {unit}", "kept" if got <= most else "EXCEEDED") for what, got, most, unit in budgets]
    sys.stdout.write(table(("BUDGET", "MEASURED", "AT MOST", ""), rows))
    return int(any(got > most for _, got, most, _ in budgets))


if __name__ == "__main__":
    sys.exit(main())
