"""`nodestead diff`: what a change of revisions does to running nodes."""

import argparse
import sys
from pathlib import Path

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "add_snapshot_arguments", "run", "snapshot"]

WHAT = "say what another revision of the stacks, or of any program with the components, does to running nodes"
EXAMPLE = "nodestead diff main --stack prod"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    from nodestead.preview.reporting import add_report_options

    parser.add_argument("base", metavar="BASE", help="the revision before, as in main, v1.2 or HEAD~1")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="the revision afterwards (the working tree)")
    parser.add_argument("--stack", metavar="NAME", action="append", help="only this stack; may be repeated (all)")
    parser.add_argument(
        "--program",
        metavar="DIR",
        type=Path,
        help="compare what the Pulumi program in Python of this folder registers; it is run under mocks, for at most 10 minutes"
        " for each stack",
    )
    parser.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the project's folder, or one below it (.)")
    parser.add_argument(
        "--base-python", metavar="FILE", type=Path, help="the interpreter that renders BASE, with its packages (this one)"
    )
    add_report_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs it.

    Returns:
        0 where no risk fails it, 1 where one does, 2 where something is refused or a stack cannot be rendered.
    """
    from nodestead.changes.accepted import AcceptedError
    from nodestead.preview.children import ChildError
    from nodestead.preview.diff import Asked, diff
    from nodestead.preview.reporting import acceptances, emit, refuse
    from nodestead.preview.revisions import RevisionError, ended_cleanly

    asked = Asked(args.base, args.head, args.dir, args.program, args.stack or (), args.base_python)
    try:
        with ended_cleanly():
            report = diff(asked, lambda folder: acceptances(args, folder))
    except (AcceptedError, ChildError, RevisionError) as error:
        refuse(str(error))
        return 2
    return emit(report, args)


def add_snapshot_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command by which a revision's own code hands its stacks over."""
    parser.add_argument("--stack", metavar="NAME", action="append", required=True, help="the stack; may be repeated")
    parser.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the project's folder, or one below it (.)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there")


def snapshot(args: argparse.Namespace) -> int:
    """Prints a line for each stack: its snapshot, or why there is none."""
    lines, refused = zip(*(_line(name, args.dir) for name in args.stack), strict=True)
    text = "".join(f"{line}\n" for line in lines)
    if args.out is None:
        sys.stdout.write(text)
    else:
        args.out.write_text(text, encoding="utf-8")
    return 2 if any(refused) else 0


def _line(name: str, directory: Path) -> tuple[str, bool]:
    from nodestead.changes.snapshot import snapshot_to_json
    from nodestead.config.base import ConfigError
    from nodestead.preview.children import failure_to_json
    from nodestead.preview.render import RenderError
    from nodestead.preview.snapshots import stack_snapshot
    from nodestead.preview.stack_file import StackFileError
    from nodestead.software.presets import PresetError

    try:
        return snapshot_to_json(stack_snapshot(name, directory)), False
    except (ConfigError, PresetError, RenderError, StackFileError, OSError) as error:
        return failure_to_json(name, str(error)), True
    except Exception as error:  # noqa: BLE001 # a fault in one stack's way must not take the others with it
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})" if trace is not None else ""
        return failure_to_json(name, f"its code fails: {type(error).__name__}{place}"), True
