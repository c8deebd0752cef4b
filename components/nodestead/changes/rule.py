"""What a risk rule is, and what it finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from nodestead.changes.compare import Comparison
from nodestead.changes.snapshot import Item, subject

__all__ = ["SEVERITIES", "Fault", "Finding", "Found", "Rule", "Severity", "Stop", "folded"]

Severity = Literal["info", "caution", "danger"]

SEVERITIES: tuple[Severity, ...] = ("info", "caution", "danger")
"""From the least to the worst."""

Stop = Literal["preview", "update"]
"""Where an update is refused: in its preview, before anything is done; or on its way, when a part of it is done."""


@dataclass(frozen=True, slots=True)
class Found:
    """One case of a rule.

    Attributes:
        subject: The set of nodes; `Kind/name` for an object of none, with its namespace where it is another than the rest's.
        what: What happens to the running nodes in this case, with its numbers and names: one sentence without the subject.
        nodes: The nodes or objects that it concerns, in their order.
        stops: Where it is certain to stop the update; None where it is not.
    """

    subject: str
    what: str
    nodes: tuple[str, ...] = ()
    stops: Stop | None = None


def folded(cases: Iterable[tuple[Item, str]]) -> Iterator[Found]:
    """Equal cases of many objects as one.

    Args:
        cases: Each object with what happens.
    """
    by_case: dict[tuple[str, str], dict[str, None]] = {}
    for item, what in cases:
        by_case.setdefault((subject(item), what), {})[item.name] = None
    return (Found(name, what, tuple(nodes)) for (name, what), nodes in by_case.items())


@dataclass(frozen=True, slots=True)
class Rule:
    """A pure function over a comparison, and what people have to know of it.

    Attributes:
        id: What a repository accepts it by: `volume-shrunk`. It never changes.
        severity: How bad it is.
        title: What was found, in a few words.
        happens: What happens to the running nodes.
        instead: What to do instead.
        find: Every case of it, in a stable order; equal cases over many nodes are one.
    """

    id: str
    severity: Severity
    title: str
    happens: str
    instead: str
    find: Callable[[Comparison], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A case with its rule.

    Attributes:
        rule: The rule.
        found: The case.
        accepted: The reason for which the repository accepts it; None where it does not.
    """

    rule: Rule
    found: Found
    accepted: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that broke, by a mistake of its own and not of who uses it: what it would have found nobody knows.

    Attributes:
        rule: The rule.
        error: The type of what it raised. The text of it may hold values of the stack, secret ones too.
    """

    rule: Rule
    error: str
