"""All risk rules, and what they find in a change."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from nodestead.changes.compare import Comparison
from nodestead.changes.rule import SEVERITIES, Fault, Finding, Rule
from nodestead.changes.rules import access, data, exposure, heights, keys, pods, policies, rollout, sets, sizes, stacks, versions
from nodestead.changes.snapshot import Snapshot

if TYPE_CHECKING:
    # It looks the ids of rules up here.
    from nodestead.changes.accepted import Acceptances

__all__ = ["RULES", "findings"]

RULES: Final[tuple[Rule, ...]] = (
    *data.RULES,
    *sizes.RULES,
    *sets.RULES,
    *keys.RULES,
    *stacks.RULES,
    *rollout.RULES,
    *versions.RULES,
    *heights.RULES,
    *pods.RULES,
    *exposure.RULES,
    *policies.RULES,
    *access.RULES,
)
"""Every rule, in the order in which findings of one severity are told."""


def findings(comparison: Comparison, accepted: "Acceptances", rules: Sequence[Rule] = RULES) -> list[Finding | Fault]:
    """What all rules find in a change: the worst first, then in the order of the rules, then by subject; broken rules last.

    Args:
        comparison: The change.
        accepted: What the repository accepts; such a finding stays, with the reason.
        rules: The rules.

    Raises:
        Exception: whatever a rule raises over objects of which not even the labels can be read, for that is no fault of it.
    """
    found: list[Finding] = []
    faults: list[Fault] = []
    for rule in rules:
        try:
            # What it found before it broke stays found.
            for one in rule.find(comparison):
                found.append(Finding(rule, one, accepted.reason(rule.id, comparison.head.stack, one.subject)))  # noqa: PERF401
        except RecursionError:
            # Objects that are nested deeper than any API server takes.
            raise
        except Exception as error:
            # A fault in one of many rules may be of any type, and hides nothing that the others find.
            if not (_is_readable(comparison.base) and _is_readable(comparison.head)):
                raise
            faults.append(Fault(rule, type(error).__name__))
    order = {rule.id: position for position, rule in enumerate(rules)}
    ranked = sorted(found, key=lambda one: (-SEVERITIES.index(one.rule.severity), order[one.rule.id], one.found.subject))
    return [*ranked, *faults]


def _is_readable(snapshot: Snapshot) -> bool:
    """Whether all objects have what every rule goes by; whatever else is odd in them, the rules pass over."""
    return all(
        isinstance(part, dict) and all(isinstance(value, str) for value in cast("dict[Any, Any]", part).values())
        for item in snapshot.items.values()
        for part in (item.labels, item.annotations)
    )
