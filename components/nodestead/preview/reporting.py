"""What the commands with a report share: their options, the accepted risks, and how a report leaves."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from nodestead.changes.accepted import NOTHING_ACCEPTED, Acceptances, read_acceptances
from nodestead.preview.stack_file import find_project
from nodestead.reports.build import exit_code
from nodestead.reports.escape import sound
from nodestead.reports.model import Report
from nodestead.reports.words import verdict

__all__ = ["ACCEPTED", "ReportingError", "acceptances", "add_report_options", "emit", "refuse"]

ACCEPTED: Final = "nodestead-accepted.yaml"
"""The file of accepted risks that lies beside Pulumi.yaml."""

_FORMATS: Final = ("text", "markdown", "json", "html")
_SUFFIXES: Final = {".txt": "text", ".md": "markdown", ".json": "json", ".html": "html"}
_WIDEST: Final = 120


class ReportingError(OSError):
    """A file that cannot be read or written; one line, path first."""


def refuse(message: str) -> None:
    """Says why a command goes no further; what it repeats of a file says nothing to a terminal."""
    sys.stderr.write(f"nodestead: {sound(message, lines=True)}\n")


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that ends in a report."""
    options = parser.add_argument_group("the report")
    options.add_argument("--format", choices=_FORMATS, default="text", help="what is printed (text)")
    options.add_argument(
        "--write",
        metavar="FILE",
        type=_report_file,
        action="append",
        default=[],
        help="write it there too, in the format that the name ends in: .txt, .md, .json or .html; may be repeated",
    )
    options.add_argument(
        "--fail-on",
        choices=("info", "caution", "danger", "never"),
        default="danger",
        help="exit with 1 where a risk is as bad or worse and not accepted (danger)",
    )
    options.add_argument(
        "--accepted",
        metavar="FILE",
        type=Path,
        help=f"the risks that the repository accepts ({ACCEPTED} of the project's folder, where it is there)",
    )
    options.add_argument("--link", metavar="URL", help="where the full report will be, for a comment that has to be cut")
    options.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour the text (auto: on a terminal)"
    )


def _report_file(text: str) -> Path:
    path = Path(text)
    if path.suffix not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text}: its name has to end in {', '.join(_SUFFIXES)}, by which the format is chosen")
    return path


def acceptances(args: argparse.Namespace, directory: Path) -> Acceptances:
    """The risks that are accepted: in the file that --accepted names, else in that of the project's folder.

    Args:
        args: The arguments of the command.
        directory: The project's folder, or one below it.

    Raises:
        ReportingError: where a named file cannot be read.
        AcceptedError: where its content is refused.
        StackFileError: where the folder is not there.
    """
    named: Path | None = args.accepted
    path = named if named is not None else _project_folder(directory) / ACCEPTED
    if named is None and not path.is_file():
        return NOTHING_ACCEPTED
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReportingError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ReportingError(f"{path}: is no UTF-8 text at byte {error.start}; save it as UTF-8") from None
    return read_acceptances(text, str(path))


def _project_folder(directory: Path) -> Path:
    find_project(directory)
    absolute = directory.absolute()
    return next((one for one in (absolute, *absolute.parents) if (one / "Pulumi.yaml").is_file()), directory)


def emit(report: Report, args: argparse.Namespace) -> int:
    """Prints a report and writes the files that are asked for.

    Args:
        report: The report.
        args: The arguments of the command.

    Returns:
        The exit code of the command.

    Raises:
        ReportingError: where a file cannot be written; all that can be is written and printed before.
    """
    texts: dict[str, str] = {}

    def text_of(form: str) -> str:
        if form not in texts:
            texts[form] = _writer(form, args)(report)
        return texts[form]

    problems: list[str] = []
    for path in args.write:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text_of(_SUFFIXES[path.suffix]), encoding="utf-8", newline="\n")
        except OSError as error:
            problems.append(f"{path}: cannot be written: {error.strerror}")
    sys.stdout.write(_terminal(report, args.color, sys.stdout) if args.format == "text" else text_of(args.format))
    if args.format != "text":
        sys.stderr.write(f"nodestead: {verdict(report)}\n")
    if problems:
        raise ReportingError("; ".join(problems))
    return exit_code(report, args.fail_on)


def _writer(form: str, args: argparse.Namespace) -> Callable[[Report], str]:
    from nodestead.reports.markdown import markdown
    from nodestead.reports.terminal import terminal

    if form == "markdown":
        return lambda report: markdown(report, link=args.link)
    if form == "json":
        return lambda report: report.model_dump_json(by_alias=True, indent=1) + "\n"
    if form == "html":
        from nodestead.reports.html import html

        return html
    return lambda report: terminal(report, width=80, color=False)


def _terminal(report: Report, color: str, stream: TextIO) -> str:
    from nodestead.reports.terminal import terminal

    is_terminal = stream.isatty()
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST) if is_terminal else 80
    # https://no-color.org
    is_colored = color == "always" or (color == "auto" and is_terminal and not os.environ.get("NO_COLOR"))
    return terminal(report, width=width, color=is_colored and os.environ.get("TERM") != "dumb")
