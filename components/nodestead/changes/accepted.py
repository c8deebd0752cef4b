"""The risks that a repository accepts, each with a reason."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, cast

import yaml
from pydantic import Field, StringConstraints

from nodestead.changes.rule import Finding
from nodestead.changes.rules import RULES
from nodestead.config.base import ConfigError, Model, Problem, near_name, parse
from nodestead.config.yaml_shape import refuse_shape

__all__ = ["NOTHING_ACCEPTED", "Acceptance", "Acceptances", "AcceptedError", "read_acceptances"]

_LARGEST = 500_000
_DEEPEST = 10
_TOLD = 5

_Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class AcceptedError(ValueError):
    """A file of acceptances that is refused; one line, file first."""


class Acceptance(Model):
    """A risk that a repository accepts."""

    rule: _Name = Field(description="Id of the rule.")
    stack: _Name | None = Field(default=None, description="The stack in which it is accepted; by default in all.")
    subject: _Name | None = Field(default=None, description="The set of nodes, or the object, as the finding names it.")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = Field(description="Why it is accepted.")

    def problems(self) -> Iterator[Problem]:
        """The rule must be one, and somebody must have said why."""
        known = [rule.id for rule in RULES]
        if self.rule not in known:
            remedy = near_name(self.rule, known, "docs/risks.md lists all rules")
            yield Problem(["rule"], f"{self.rule!r} is no rule; {remedy}")
        if not self.reason:
            yield Problem(["reason"], "'' says nothing; a risk is accepted for a reason, so write it in a sentence")

    @property
    def text(self) -> str:
        """What it is for: `set-removed (stack dev, subject codex)`."""
        where = [f"{key} {value}" for key, value in (("stack", self.stack), ("subject", self.subject)) if value is not None]
        return f"{self.rule} ({', '.join(where)})" if where else self.rule

    def covers(self, rule_id: str, stack: str, subject: str) -> bool:
        """Whether it is for a finding."""
        return self.rule == rule_id and self.stack in (None, stack) and self.subject in (None, subject)


class Acceptances(Model):
    """All risks that a repository accepts."""

    accepted: tuple[Acceptance, ...] = Field(default=(), strict=False, max_length=1_000)

    def problems(self) -> Iterator[Problem]:
        """One finding has one reason."""
        places: dict[tuple[str, str | None, str | None], int] = {}
        for index, one in enumerate(self.accepted):
            first = places.setdefault((one.rule, one.stack, one.subject), index)
            if first != index:
                yield Problem(["accepted", index], f"{one.text} is accepted by accepted[{first}] already; remove one of the two")

    def reason(self, rule_id: str, stack: str, subject: str) -> str | None:
        """Why a finding is accepted, by the acceptance that says most of where; None where it is not."""
        fitting = [one for one in self.accepted if one.covers(rule_id, stack, subject)]
        return max(fitting, key=lambda one: (one.subject is not None, one.stack is not None)).reason if fitting else None

    def unused(self, found: Mapping[str, Iterable[Finding]]) -> list[Acceptance]:
        """The acceptances that nothing needs.

        Args:
            found: What was found, by stack. One for a stack that is not among them is not judged.
        """
        needed = [(one.rule.id, stack, one.found.subject) for stack, findings in found.items() for one in findings]
        return [
            one
            for one in self.accepted
            if (one.stack is None or one.stack in found) and not any(one.covers(*finding) for finding in needed)
        ]


NOTHING_ACCEPTED: Final = Acceptances()
"""For a repository without such a file."""


def read_acceptances(text: str, where: str) -> Acceptances:
    """Reads a file of acceptances.

    ```yaml
    accepted:
      - rule: set-removed
        stack: dev
        subject: codex
        reason: The group moved to another cluster, its data is copied.
    ```

    Args:
        text: Its content; the file may be empty.
        where: What a refusal calls the file.

    Raises:
        AcceptedError: naming file, path, value, rule and remedy of what is refused.
    """
    content = _content(text, where)
    if content in (None, ""):
        return NOTHING_ACCEPTED
    if not isinstance(content, dict):
        raise AcceptedError(f"{where}: it is no mapping; write accepted: and a list of rules with their reasons below it")
    given = cast("dict[str, Any]", content)
    if given.get("accepted") == "":
        given["accepted"] = ()
    try:
        return parse(Acceptances, given)
    except ConfigError as error:
        rest = f"; and {len(error.problems) - _TOLD} more" if len(error.problems) > _TOLD else ""
        lines = "; ".join(" ".join(line.split()) for line in error.problems[:_TOLD])
        raise AcceptedError(f"{where}: {lines}{rest}") from None


def _content(text: str, where: str) -> Any:
    if len(text) > _LARGEST:
        raise AcceptedError(f"{where}: it has {len(text):,} characters, and at most {_LARGEST:,} are read; accept less")
    try:
        refuse_shape(text, _DEEPEST, references=False)
        return yaml.load(text.removeprefix("\ufeff"), _Loader)  # noqa: S506 # it makes texts, lists and mappings, nothing else
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise AcceptedError(f"{where}{place}: it is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, TypeError):
        raise AcceptedError(f"{where}: it is not YAML; it holds a control character or a key that is no text") from None


class _Loader(yaml.CBaseLoader):
    """Reads every scalar as text, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 # so in PyYAML
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key[:60]!r} stands there twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return cast("dict[Any, Any]", super().construct_mapping(node, deep=deep))  # pyright: ignore[reportUnknownMemberType]
