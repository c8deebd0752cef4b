"""Literal parts of reports, as the tests of their writers take them."""

from typing import Any

from nodestead.reports.model import Entry, FieldReport, RestartPlan, Risk, Value

BUMP = Entry(
    operation="change",
    kind="StatefulSet",
    objects=9,
    names="codex-1 … codex-9",
    summary="9 nodes: image 0.2.4 -> 0.2.5",
    fields=[FieldReport(path="spec.image", label="image", values=[Value(old="a:0.2.4", new="a:0.2.5", count=9)])],
)
PLAN = RestartPlan(
    set="codex", pods=9, running=9, batches=["codex-1 … codex-5", "codex-6 … codex-9"], all_at_once=False, replaced=False
)


def risk(severity: Any = "danger", **given: Any) -> Risk:
    """A case of one rule."""
    content = {
        "rule": "volume-shrunk",
        "title": "A volume shrinks",
        "subject": "codex",
        "what": "2Gi -> 1Gi",
        "instead": "Keep it.",
    }
    return Risk(severity=severity, **{**content, **given})
