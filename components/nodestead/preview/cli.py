"""The command `nodestead`: looks at stacks without changing any.

Every sub-command imports what it needs when it runs, so that each starts fast.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nodestead import __version__
from nodestead.preview import cli_diff, cli_graph, cli_review

if TYPE_CHECKING:
    from nodestead.kubernetes.objects import Identity
    from nodestead.plans.stack import StackConfig
    from nodestead.preview.check import Answer
    from nodestead.preview.kubectl import Kubectl

__all__ = ["main"]

OK, FOUND, REFUSED = 0, 1, 2
# As of a program that SIGINT ends; by 2, a script could not tell it from a refusal.
INTERRUPTED = 130

_REPORT_CODES = (
    "exit codes: 0 no risk that fails it (--fail-on, danger by default); 1 such a risk; 2 a wrong command, or a stack that could"
    " not be compared: the others are reported all the same"
)
_CODES = "exit codes: 0 all is well; 1 something was found; 2 a wrong command, a refused config or a cluster that does not answer"
T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: Its arguments; those of the process where none are given.

    Returns:
        0 where all is well, 1 where something was found, 2 where the command or a config is refused.
    """
    given = sys.argv[1:] if argv is None else argv
    parser = _parser(next((one for one in given if not one.startswith("-")), ""))
    args, left = parser.parse_known_args(given)
    if len(left) == 1 and not left[0].startswith("-") and getattr(args, "head", "") is None:
        # Before Python 3.13 argparse does not find an optional argument that stands behind an option.
        args.head, left = left[0], []
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # The same bytes on every machine.
        reconfigure(encoding="utf-8", newline="\n")
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except BrokenPipeError:
        # The reader has seen enough, as in `nodestead render | head`; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        _refused("interrupted")
        return INTERRUPTED
    except _refusals() as error:
        return _refused(str(error))


def _refused(message: str) -> int:
    from nodestead.preview.reporting import refuse

    refuse(message)
    return REFUSED


def _refusals() -> tuple[type[Exception], ...]:
    """What is said in plain words; anything else is a fault of ours and keeps its traceback."""
    from nodestead.config.base import ConfigError
    from nodestead.preview.check_job import CheckJobError
    from nodestead.preview.kubectl import KubectlError
    from nodestead.preview.render import RenderError
    from nodestead.preview.stack_file import StackFileError
    from nodestead.software.presets import PresetError

    return ConfigError, PresetError, StackFileError, RenderError, KubectlError, CheckJobError, OSError


# ---- render


def _render(args: argparse.Namespace) -> int:
    from nodestead.kubernetes.objects import identity
    from nodestead.preview.folder import file_names, write_folder
    from nodestead.preview.render import render_stack
    from nodestead.preview.yaml_text import yaml_text

    # Nothing is written before all is made: half a rendering would be applied as if it were whole.
    identities: list[Identity] = []
    texts: list[str] = []
    for manifest in _counted(render_stack(args.stack, args.dir), "objects made"):
        identities.append(identity(manifest))
        texts.append(yaml_text(manifest))
    if args.out is None:
        sys.stdout.write("---\n".join(texts))
    else:
        write_folder(args.out, zip(file_names(identities), texts, strict=True))
        sys.stderr.write(f"{len(texts)} objects of the stack {args.stack} are in {args.out}\n")
    return OK


# ---- schema


def _schema(args: argparse.Namespace) -> int:
    from nodestead.preview.schema import stack_schema_text

    if args.check and args.out is None:
        return _refused("--check: nothing to compare with; name the file with --out")
    text = stack_schema_text()
    if args.out is None:
        sys.stdout.write(text)
        return OK
    if not args.check:
        args.out.write_text(text, encoding="utf-8")
        return OK
    if args.out.is_file() and args.out.read_text(encoding="utf-8") == text:
        return OK
    sys.stderr.write(f"nodestead: {args.out} is not the schema of this version; run nodestead schema --out {args.out}\n")
    return FOUND


# ---- check


def _check(args: argparse.Namespace) -> int:
    from nodestead.config.scalars import duration_seconds
    from nodestead.plans.stack import plan_stack
    from nodestead.preview.check import ANSWER_SECONDS, ask_all, report, targets
    from nodestead.preview.check_job import answers_of_log, check_job, run_check_job
    from nodestead.preview.render import read_config
    from nodestead.preview.stack_file import read_stack

    try:
        seconds = duration_seconds(args.timeout)
    except ValueError as error:
        return _refused(f"--timeout: {error}")
    config = read_config(read_stack(args.stack, args.dir))
    kubectl = _kubectl(args, config)
    sets = [(plan, list(targets(plan))) for plan in plan_stack(config).sets]
    answers: list[Answer] = []
    if args.job:
        for plan, asked in sets:
            running = [target for target in asked if not target.disabled]
            log = ""
            if running:
                job = check_job(plan, running, answer_seconds=min(ANSWER_SECONDS, seconds), deadline_seconds=seconds + 30)
                log = run_check_job(job, kubectl, seconds)
            answers += answers_of_log(log, asked)
    else:
        answers = ask_all([target for _, asked in sets for target in asked], kubectl, seconds, _counter("nodes asked"))
    if not answers:
        return _refused(f"the stack {args.stack} has no node with an API or an RPC")
    sys.stdout.write(report(answers))
    if all(answer.problem is None for answer in answers):
        return OK
    if not args.job:
        sys.stderr.write(
            "nodestead: a NetworkPolicy can shut out the API server, through which nodes were asked; --job asks from inside\n"
        )
    return FOUND


# ---- data


def _data(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from nodestead.preview.kept import held_by, kept_objects, kept_report, used_by_pods
    from nodestead.preview.render import render_stack
    from nodestead.preview.stack_file import stack_names

    stacks: list[str] = args.stack or stack_names(args.dir)
    if not stacks:
        return _refused(f"{args.dir}: no stack is there to compare the cluster with; give the project's folder with --dir")
    held = held_by(*(_counted(render_stack(name, args.dir), f"objects of {name}") for name in stacks))
    kubectl = _kubectl(args)
    found = list(kept_objects(kubectl, args.namespace))
    used = used_by_pods(kubectl, held, args.namespace)
    report = kept_report(found, held, used, kubectl, datetime.now(UTC))
    compared = f"stack{'s' * (len(stacks) > 1)} compared: {', '.join(stacks)}"
    sys.stdout.write(f"{compared}\n\n{report}" if report else f"{compared}; they hold every claim and key Secret there is\n")
    return OK


# ---- chain


def _chain(args: argparse.Namespace) -> int:
    from nodestead.preview.chain import made_preset, preset_text

    made = made_preset(args.name, args.source, args.versions, args.repository)
    for note in made.notes:
        sys.stderr.write(f"nodestead: {note}\n")
    if args.output is None:
        sys.stdout.write(preset_text(made.preset))
    else:
        args.output.write_text(preset_text(made.preset), encoding="utf-8", newline="\n")
    return OK


# ---- what sub-commands share


def _kubectl(args: argparse.Namespace, config: "StackConfig | None" = None) -> "Kubectl":
    """The cluster that the options name, else the stack's own, else kubectl's current one."""
    from nodestead.preview.kubectl import Kubectl

    context, kubeconfig = (config.cluster.context, config.cluster.kubeconfig) if config is not None else (None, None)
    file = args.kubeconfig or kubeconfig
    return Kubectl(args.context or context, str(Path(file).expanduser()) if file is not None else None)


def _counted(items: Iterable[T], what: str) -> Iterator[T]:
    """Passes items on and counts them on a terminal."""
    count = _counter(what)
    done = 0
    for done, item in enumerate(items, start=1):
        if done % 500 == 0:
            count(done, 0)
        yield item
    count(done, done)


def _counter(what: str) -> Callable[[int, int], None]:
    """Shows progress on stderr where that is a terminal, and takes it away at the end."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show(done: int, total: int) -> None:
        text = "" if done == total else f"{done} of {total} {what}" if total else f"{done} {what}"
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return show


def _parser(asked: str) -> argparse.ArgumentParser:
    """The parser; what the options of a report need is only loaded where such a command is asked for."""
    parser = argparse.ArgumentParser(
        prog="nodestead",
        description="Shows what stacks make of a cluster and how their nodes are; changes no stack.",
        epilog=_CODES,
    )
    parser.add_argument("--version", action="version", version=f"nodestead {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], what: str, example: str, codes: str = _CODES
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=f"example: {example}\n\n{codes}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    render = command(
        "render",
        _render,
        "print all objects of a stack, of storage groups and chain sets, as YAML",
        "nodestead render --stack prod --out rendered/prod",
    )
    render.add_argument("--stack", metavar="NAME", default="dev", help="the stack (dev)")
    render.add_argument("--out", metavar="DIR", type=Path, help="write a file for each object; files of an earlier render go")

    schema_example = "nodestead schema --out stacks/nodestead.schema.json"
    schema = command(
        "schema", _schema, "print the JSON schema of stack files, storage groups and chain sets alike", schema_example
    )
    schema.add_argument("--out", metavar="FILE", type=Path, help="write it there")
    schema.add_argument("--check", action="store_true", help="write nothing; exit with 1 where FILE is not current")

    check = command(
        "check",
        _check,
        "ask every storage and chain node of a stack whether it serves",
        "nodestead check prod --context prod --job",
    )
    check.add_argument("stack", metavar="STACK", help="the stack")
    check.add_argument("--job", action="store_true", help="ask from inside the cluster, by a Job that is deleted afterwards")
    check.add_argument("--timeout", metavar="TIME", default="60s", help="how long all of it may take, as in 90s or 5m (60s)")

    data = command(
        "data",
        _data,
        "list kept claims and keys, of storage and chain nodes, that no stack holds; deletes nothing",
        "nodestead data --context prod",
    )
    data.add_argument(
        "--stack", metavar="NAME", action="append", help="compare with this stack; may be repeated (all of the folder)"
    )
    data.add_argument("--namespace", metavar="NAME", help="look there only (all namespaces)")

    chain_example = "nodestead chain osmosis --output osmosis.json"
    chain = command(
        "chain",
        _chain,
        "print the preset of a chain for blockchainNodeSets: built in, or from the Cosmos chain registry",
        chain_example,
    )
    chain.add_argument("name", metavar="NAME", help="a built-in chain (osmosis-1), or its folder in the registry (osmosis)")
    chain.add_argument(
        "--from", dest="source", metavar="PLACE", help="file, https URL or folder of chain.json (the registry's on GitHub)"
    )
    chain.add_argument("--versions", metavar="PLACE", help="file or https URL of versions.json (the one beside chain.json)")
    chain.add_argument("--repository", metavar="IMAGE", help="the chain's image without a tag; the registry knows none")
    chain.add_argument("--output", metavar="FILE", type=Path, help="write it there; a stack may name FILE as its chain")

    for name, module, codes in (
        ("diff", cli_diff, _REPORT_CODES),
        ("review", cli_review, _REPORT_CODES),
        ("graph", cli_graph, _CODES),
    ):
        made = command(name, module.run, module.WHAT, module.EXAMPLE, codes)
        if name == asked:
            module.add_arguments(made)
    # Plumbing of `diff`, which has each revision's own code call it; without a help text it is not listed.
    plumbing = commands.add_parser("snapshot", description="Prints the objects of stacks as `nodestead diff` reads them.")
    cli_diff.add_snapshot_arguments(plumbing)
    plumbing.set_defaults(run=cli_diff.snapshot)

    for one in (check, data):
        one.add_argument("--context", metavar="NAME", help="kubectl's context (that of the stack, else the current one)")
        one.add_argument("--kubeconfig", metavar="FILE", help="kubectl's config file (that of the stack, else kubectl's own)")
    for one in (render, check, data):
        one.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the project's folder, or one below it (.)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
