"""Which workloads a selector takes."""

from typing import Any, cast

from nodestead.changes.plain import listed, mappings
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.changes.workloads import WORKLOADS

__all__ = ["is_selected", "selected", "selects_of"]

Selector = dict[str, Any]


def selects_of(item: Item, field: str = "selector") -> Selector:
    """The label selector of a budget or a policy; that of a Service is labels alone."""
    given = item.at("spec", field)
    if not isinstance(given, dict):
        return {}
    selector = cast("Selector", given)
    return {"matchLabels": selector} if item.kind == "Service" else selector


def selected(snapshot: Snapshot, namespace: str, selector: Selector) -> list[Item]:
    """The workloads of a namespace whose pods a selector takes."""
    return [item for item in snapshot.of_kind(*WORKLOADS) if item.namespace == namespace and is_selected(item, selector)]


def is_selected(item: Item, selector: Selector) -> bool:
    """Whether a selector takes the pods of a workload; an empty one takes all."""
    given = item.at("spec", "template", "metadata", "labels")
    labels = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    wanted = selector.get("matchLabels")
    if isinstance(wanted, dict) and any(labels.get(key) != value for key, value in cast("dict[str, Any]", wanted).items()):
        return False
    return all(_meets(labels, one) for one in mappings(selector.get("matchExpressions")))


def _meets(labels: dict[str, Any], expression: dict[str, Any]) -> bool:
    key, operator = expression.get("key"), expression.get("operator")
    values = listed(expression.get("values"))
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) is (operator == "Exists")
    return (labels.get(str(key)) in values) is (operator == "In")
