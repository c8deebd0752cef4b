"""Grafana dashboards: what surrounds the panels, and the panels that every set has."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["dashboard_text", "nodes_panel", "panel", "process_panels", "share_panel"]

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard_text(set_name: str, namespace: str, up: str, panels: Sequence[dict[str, Any]], tags: Sequence[str] = ()) -> str:
    """A dashboard as Grafana reads it from a file: two panels in a row.

    Args:
        set_name: The set that it shows.
        namespace: The namespace that it shows first.
        up: Metric of every node that is scraped; its labels give the choices of namespace and node.
        panels: What it shows, in the order of reading.
        tags: Tags besides that of all dashboards.
    """
    identity = hashlib.sha256(f"{namespace}/{set_name}".encode()).hexdigest()[:20]
    placed = [
        {"id": place + 1, **one, "gridPos": {"x": 12 * (place % 2), "y": 8 * (place // 2), "w": 12, "h": 8}}
        for place, one in enumerate(panels)
    ]
    model: dict[str, Any] = {
        "uid": f"nodestead-{identity}",
        "title": f"Nodestead / {namespace} / {set_name}",
        "tags": ["nodestead", *tags],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables(set_name, namespace, up)},
        "panels": placed,
    }
    return json.dumps(model, indent=1)


def _variables(set_name: str, namespace: str, up: str) -> list[dict[str, Any]]:
    own = {"text": namespace, "value": namespace, "selected": True}
    all_of_them = {"text": ["All"], "value": ["$__all"], "selected": True}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1},
        _variable("namespace", f'label_values({up}{{job=~".+/{set_name}"}}, namespace)', own),
        _variable("instance", f'label_values({up}{{job="$namespace/{set_name}"}}, instance)', all_of_them)
        | {"label": "Node", "multi": True, "includeAll": True, "allValue": ".*"},
    ]


def _variable(name: str, query: str, current: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 3,
        "current": current,
    }


def panel(kind: str, title: str, unit: str, queries: Mapping[str, str], *, from_zero: bool = True) -> dict[str, Any]:
    """A panel.

    Args:
        kind: stat, bargauge or timeseries.
        title: Its title.
        unit: Unit of its values, as Grafana calls it.
        queries: Legend to query.
        from_zero: Whether its axis starts at 0, where lines of large and near numbers all look flat.
    """
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend, "range": True}
        for place, (legend, query) in enumerate(queries.items())
    ]
    defaults = {"unit": unit, "min": 0} if from_zero else {"unit": unit}
    return {
        "type": kind,
        "title": title,
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[kind],
    }


def share_panel(title: str, queries: Mapping[str, str], alarm: int) -> dict[str, Any]:
    """Bars of percents, red from `alarm` on."""
    steps = [{"color": "green", "value": None}, {"color": "red", "value": alarm}]
    field: dict[str, Any] = {
        "defaults": {"unit": "percent", "min": 0, "max": 100, "thresholds": {"mode": "absolute", "steps": steps}},
        "overrides": [],
    }
    return panel("bargauge", title, "percent", queries) | {"fieldConfig": field}


def nodes_panel(up: str, nodes: int) -> dict[str, Any]:
    """How many nodes are up, and how many should be."""
    return panel("stat", "Nodes up", "short", {"Up": f"sum({up}) or vector(0)", "Should run": f"vector({nodes})"})


def process_panels(match: str, restarts: str) -> list[dict[str, Any]]:
    """Memory, CPU and restarts of each node.

    Args:
        match: Matchers of the series of the nodes' processes.
        restarts: Restarts in an hour, by pod.
    """
    cpu = f"sum by (pod) (rate(process_cpu_seconds_total{{{match}}}[$__rate_interval]))"
    memory = f"sum by (pod) (process_resident_memory_bytes{{{match}}})"
    return [
        panel("timeseries", "Memory", "bytes", {"{{pod}}": memory}),
        panel("timeseries", "CPU cores", "short", {"{{pod}}": cpu}),
        panel("timeseries", "Restarts in an hour", "short", {"{{pod}}": restarts}),
    ]


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": _LAST, "colorMode": "none", "graphMode": "area", "textMode": "value_and_name"},
    "bargauge": {"reduceOptions": _LAST, "displayMode": "basic", "orientation": "horizontal"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}
