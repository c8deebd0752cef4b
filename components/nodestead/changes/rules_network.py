"""Risk rules about who reaches the nodes: policies, ways from outside, announced addresses, rights and secrets."""

from typing import Final

from nodestead.changes.rule import Rule
from nodestead.changes.rules_access import ACCESS_RULES
from nodestead.changes.rules_exposure import EXPOSURE_RULES
from nodestead.changes.rules_policies import POLICY_RULES

__all__ = ["RULES"]

RULES: Final[tuple[Rule, ...]] = (*EXPOSURE_RULES, *POLICY_RULES, *ACCESS_RULES)
"""The rules about the network, and about what may be seen and done."""
