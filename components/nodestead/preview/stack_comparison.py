"""Two states of one stack to its report, wherever the states come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nodestead.changes.accepted import Acceptances
from nodestead.changes.compare import EngineStep, Neighbour, compare
from nodestead.changes.rules import findings
from nodestead.changes.snapshot import Snapshot
from nodestead.kubernetes.objects import Identity
from nodestead.reports.build import failed_stack, stack_report
from nodestead.reports.model import StackReport
from nodestead.reports.topology import topology

__all__ = ["compared_stack"]


def compared_stack(
    name: str,
    base: Snapshot,
    head: Snapshot,
    accepted: Acceptances,
    unreadable: Callable[[Exception], str],
    *,
    others: Mapping[str, Neighbour],
    steps: Mapping[Identity, EngineStep] | None = None,
    notes: Sequence[str] = (),
    failures: Sequence[str] = (),
    refused: bool = False,
) -> StackReport:
    """The report of a stack; one that only says why there is none where an object has a shape that no API server takes.

    Args:
        name: Name of the stack.
        base: Its state before.
        head: Its state afterwards.
        accepted: The risks that the repository accepts.
        unreadable: What to say of an object that cannot be compared.
        others: The other stacks of the report, by name.
        steps: What the engine's preview says, by object.
        notes: What a reader has to know of how the report was made.
        failures: Why a part of the stack could not be compared.
        refused: Whether the engine's preview failed.
    """
    try:
        comparison = replace(compare(base, head, steps), others=others)
        picture = topology(head, comparison.changes)
        found = findings(comparison, accepted)
        return stack_report(name, comparison, found, notes=notes, failures=failures, refused=refused, topology=picture)
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        # The other stacks are reported all the same.
        return failed_stack(name, [*failures, unreadable(error)])
