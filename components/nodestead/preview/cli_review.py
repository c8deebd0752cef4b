"""`nodestead review`: what an update does to running nodes, by the engine's own preview."""

import argparse
import sys
from pathlib import Path

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "run"]

WHAT = "say what an update does to running nodes, from the JSON of `pulumi preview --json --show-sames`"
EXAMPLE = "pulumi preview --json --show-sames > prod.json; nodestead review prod.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    from nodestead.preview.reporting import add_report_options

    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="the JSON of a stack's preview, or of a report that `nodestead diff` or `review` made; - for standard input",
    )
    parser.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the project's folder, or one below it (.)")
    add_report_options(parser)


def run(args: argparse.Namespace) -> int:
    """Runs it.

    Returns:
        0 where no risk fails it, 1 where one does, 2 where a file is refused or its preview failed.
    """
    from nodestead.changes.accepted import AcceptedError
    from nodestead.preview.reporting import ReportingError, acceptances, emit, refuse
    from nodestead.preview.review import STDIN, review

    if args.files.count(STDIN) > 1:
        sys.stderr.write("nodestead: - is given twice, and standard input can be read once\n")
        return 2
    try:
        return emit(review(args.files, acceptances(args, args.dir)), args)
    except (AcceptedError, ReportingError) as error:
        refuse(str(error))
        return 2
