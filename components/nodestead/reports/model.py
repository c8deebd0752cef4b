"""A report of changes as data: what every writer takes, and what one program hands to another.

A report may come from a build of somebody else's pull request, so every text and list is bounded, and writers escape
whatever they show.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from nodestead.changes.secret_text import without_tokens
from nodestead.config.base import Model

__all__ = [
    "LARGEST_REPORT",
    "MOST_STACKS",
    "Capacity",
    "Counts",
    "Edge",
    "Entry",
    "FieldReport",
    "Group",
    "Node",
    "Report",
    "ReportError",
    "RestartPlan",
    "Risk",
    "StackReport",
    "Stop",
    "Topology",
    "Value",
    "read_report",
]

LARGEST_REPORT = 20_000_000
"""Characters of the JSON of a report that is still read."""

MOST_STACKS = 500
"""Of one report."""

Short = Annotated[str, StringConstraints(max_length=300), AfterValidator(without_tokens)]
"""A name, or a path to a field."""
Text = Annotated[str, StringConstraints(max_length=4_000), AfterValidator(without_tokens)]
"""A sentence or a value."""


_MOST = 10**30
Count = Annotated[int, Field(ge=0, le=_MOST)]
"""Of objects or bytes; Python writes no number of thousands of digits, and the sum of two could be one."""
Positive = Annotated[int, Field(ge=1, le=_MOST)]


def _is_none(value: object) -> bool:
    return value is None


class ReportError(ValueError):
    """A text that is no report."""


class Value(Model):
    """A value before and afterwards, as text; none where the field is not there."""

    old: Text | None
    new: Text | None
    count: Positive = Field(default=1, description="How many objects have this pair.")


class FieldReport(Model):
    """A field that differs in every object of an entry."""

    path: Short
    label: Short = Field(description="What people call it: image, size, replicas; the path where there is no such name.")
    values: list[Value] = Field(max_length=20, description="The pairs of values, the most frequent first.")
    more: Count = Field(default=0, description="Pairs that are left out.")
    lines: list[Text] = Field(default_factory=list, max_length=200, description="For text of several lines: a unified diff.")
    follows: bool = Field(default=False, description="Whether it only repeats what another entry says.")


class Entry(Model):
    """Equal changes of one object, or of one for each of many nodes."""

    operation: Literal["add", "change", "replace", "remove"]
    kind: Short
    objects: Positive
    names: Text = Field(description="The objects, folded: `codex-1 … codex-9`.")
    fields: list[FieldReport] = Field(default_factory=list, max_length=200)
    more: Count = Field(default=0, description="Fields that are left out.")
    follows: bool = Field(default=False, description="Whether it only repeats what another entry says.")
    summary: Text = Field(description="The whole in one line: `9 nodes: image 0.2.4 -> 0.2.5`.")


class Group(Model):
    """The changes of one set of nodes, or of what belongs to none."""

    set: Short = Field(description="Name of the set; empty for what belongs to none.")
    component: Short = ""
    entries: list[Entry] = Field(max_length=2_000)
    more: Count = Field(default=0, description="Entries that are left out.")


class Risk(Model):
    """What a rule found."""

    rule: Short
    severity: Literal["info", "caution", "danger"]
    title: Short
    subject: Short
    nodes: Text = Field(default="", description="The nodes that it concerns, folded.")
    what: Text
    instead: Text
    accepted: Text | None = Field(default=None, description="The reason for which the repository accepts it.")


class RestartPlan(Model):
    """Pods of a set that restart."""

    set: Short
    pods: Positive
    running: Count | None = Field(description="How many run before; none where that is not known.")
    batches: list[Text] = Field(max_length=500, description="The nodes of each batch, folded.")
    more: Count = Field(default=0, description="Batches that are left out.")
    all_at_once: bool
    replaced: bool

    @property
    def batch_count(self) -> int:
        """How many batches there are."""
        return len(self.batches) + self.more


class Stop(Model):
    """What is certain to stop the update before it is through, so that not all of what is told happens."""

    rules: list[Short] = Field(
        max_length=100, description="The rules that found it; none where only a guard or a failed preview says so."
    )
    in_preview: bool = Field(description="Whether the preview fails already, before anything is done.")


class Capacity(Model):
    """What a stack asks of a cluster."""

    nodes: Count = Field(description="Pods of sets of nodes that run.")
    pods: Count = Field(description="All pods that run.")
    cpu: float = Field(ge=0, le=_MOST, description="Cores that are requested.")
    memory: Count = Field(description="Bytes that are requested.")
    storage: Count = Field(description="Bytes of all claims.")
    load_balancers: Count


class Counts(Model):
    """Objects by what becomes of them."""

    added: Count
    changed: Count
    replaced: Count
    removed: Count
    unchanged: Count | None = Field(description="None where the whole is not known.")


class Node(Model):
    """A box of a topology: nodes of a set that are alike, or what they have to do with."""

    id: Annotated[str, StringConstraints(max_length=100, pattern=r"[A-Za-z0-9_]+")]
    kind: Literal["nodes", "internet", "network", "entry", "claim", "key", "signer", "other"]
    title: Short
    detail: list[Short] = Field(default_factory=list, max_length=12)
    change: Literal["add", "change", "replace", "remove"] | None = None


class Edge(Model):
    """Who dials, uses or holds whom."""

    source: Annotated[str, StringConstraints(max_length=100)]
    target: Annotated[str, StringConstraints(max_length=100)]
    label: Short = ""


class Topology(Model):
    """A stack as a picture shows it, equal nodes folded."""

    nodes: list[Node] = Field(max_length=1_000)
    edges: list[Edge] = Field(max_length=4_000)


class StackReport(Model):
    """What a change does to one stack."""

    name: Short
    failures: list[Text] = Field(
        default_factory=list, max_length=200, description="Why it, or a part of it, could not be compared."
    )
    notes: list[Text] = Field(default_factory=list, max_length=50, description="What a reader has to know of how it was made.")
    counts: Counts | None = None
    risks: list[Risk] = Field(default_factory=list, max_length=2_000, description="The worst first.")
    more_risks: Count = Field(default=0, description="Risks that are left out, none worse than the last that is there.")
    restarts: list[RestartPlan] = Field(default_factory=list, max_length=1_000)
    more_restarts: Count = Field(default=0, description="Sets of which pods restart and that are left out.")
    # Left out where there is none: a comment may be made by an older version, which knows no such field.
    stop: Stop | None = Field(
        default=None, exclude_if=_is_none, description="What stops the update; not there where nothing is known to."
    )
    same_as: Short | None = Field(
        default=None,
        exclude_if=_is_none,
        description="The stack of the report that is this one too, compared in another way; what both tell is told once.",
    )
    before: Capacity | None = None
    after: Capacity | None = None
    groups: list[Group] = Field(default_factory=list, max_length=1_000)
    more_groups: Count = Field(default=0, description="Sets with changes that are left out.")
    topology: Topology | None = None


class Report(Model):
    """What a change does to stacks and the nodes that run in them."""

    format: Literal["nodestead-report"] = "nodestead-report"
    version: Literal[1] = 1
    base: Short = Field(description="What is compared with: a revision, or `state`.")
    head: Short = Field(description="What it would become.")
    notes: list[Text] = Field(default_factory=list, max_length=50)
    stacks: list[StackReport] = Field(max_length=MOST_STACKS)


def read_report(text: str) -> Report:
    """Reads the JSON of a report, which may be of a stranger.

    Raises:
        ReportError: for any other text; it repeats nothing of it.
    """
    if len(text) > LARGEST_REPORT:
        raise ReportError(f"it has {len(text):,} characters, and at most {LARGEST_REPORT:,} are read")
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # The name of an unknown key is the stranger's own.
        known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        where = ".".join(map(str, known)) or "all of it"
        raise ReportError(f"it is no report of this version of nodestead: {where}: {first['type']}") from None
