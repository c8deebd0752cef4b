"""All risk rules, and what they find in a change."""

from typing import TYPE_CHECKING, Final

from nodestead.changes.compare import Comparison
from nodestead.changes.rule import SEVERITIES, Finding, Rule
from nodestead.changes.rules import access, data, exposure, heights, keys, pods, policies, rollout, sets, sizes, versions

if TYPE_CHECKING:
    # It looks the ids of rules up here.
    from nodestead.changes.accepted import Acceptances

__all__ = ["RULES", "findings"]

RULES: Final[tuple[Rule, ...]] = (
    *data.RULES,
    *sizes.RULES,
    *sets.RULES,
    *keys.RULES,
    *rollout.RULES,
    *versions.RULES,
    *heights.RULES,
    *pods.RULES,
    *exposure.RULES,
    *policies.RULES,
    *access.RULES,
)
"""Every rule, in the order in which findings of one severity are told."""


def findings(comparison: Comparison, accepted: "Acceptances") -> list[Finding]:
    """What all rules find in a change: the worst first, then in the order of the rules, then by subject.

    Args:
        comparison: The change.
        accepted: What the repository accepts; such a finding stays, with the reason.
    """
    found = [
        Finding(rule, one, accepted.reason(rule.id, comparison.head.stack, one.subject))
        for rule in RULES
        for one in rule.find(comparison)
    ]
    order = {rule.id: position for position, rule in enumerate(RULES)}
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.rule.severity), order[one.rule.id], one.found.subject))
