"""`nodestead graph`: the topology of a stack."""

import argparse
import sys
from pathlib import Path

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "run"]

_FORMS = {".mmd": "mermaid", ".md": "mermaid", ".svg": "svg"}

WHAT = "draw a stack: who peers with whom, what is exposed, where data and keys live"
EXAMPLE = "nodestead graph --stack staging"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--stack", metavar="NAME", default="dev", help="the stack (dev)")
    parser.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the project's folder, or one below it (.)")
    parser.add_argument(
        "--format",
        choices=("mermaid", "svg"),
        help="a flowchart that GitHub and GitLab draw, or a picture (as --out FILE ends: .mmd, .md or .svg; mermaid)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there")


def run(args: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from nodestead.preview.snapshots import stack_snapshot
    from nodestead.reports.mermaid import mermaid
    from nodestead.reports.svg import svg
    from nodestead.reports.topology import topology

    out: Path | None = args.out
    if out is not None and args.format is None and out.suffix not in _FORMS:
        sys.stderr.write(f"nodestead: --out: {out}: its name has to end in {', '.join(_FORMS)}, or give --format\n")
        return 2
    drawn = topology(stack_snapshot(args.stack, args.dir))
    form: str = args.format or (_FORMS[out.suffix] if out is not None else "mermaid")
    text = svg(drawn) if form == "svg" else mermaid(drawn)
    if form == "mermaid" and out is not None and out.suffix == ".md":
        text = f"```mermaid\n{text}```\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
    return 0
