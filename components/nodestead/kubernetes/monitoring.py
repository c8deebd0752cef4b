"""What watches a set of nodes: PodMonitor, alert rules, and a Grafana dashboard, whatever the software."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.monitoring import Monitoring
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Late, Manifest

__all__ = ["Watched", "alert_rules", "dashboard", "dashboard_name", "monitoring_objects", "pod_monitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of a set that is to be watched.

    Attributes:
        name: Name of the set, and of its PodMonitor and PrometheusRule.
        namespace: Namespace of its pods and of the objects that watch them.
        labels: Labels of those objects.
        selector: Labels that all pods of the set have, and no other pod.
        nodes: How many nodes should run.
        port: Name of the container port with the metrics.
        path: Path of the metrics.
        up: Metric that is 1 for a node that answers.
        quota_used: Metric with the bytes that a node holds; None for a software without a quota.
        quota_reserved: Metric with the bytes that it keeps free for somebody; may be missing at run time.
        quotas: Name of a pod to its node's quota in bytes; a pod without an entry counts with the most frequent one.
        peers: Metric with the number of peers, whatever labels it has; None where there is none.
    """

    name: str
    namespace: str | Deferred
    labels: Mapping[str, str]
    selector: Mapping[str, str]
    nodes: int
    port: str = "metrics"
    path: str = "/metrics"
    up: str = "up"
    quota_used: str | None = None
    quota_reserved: str | None = None
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])
    peers: str | None = None


def dashboard_name(set_name: str) -> str:
    """Name of the ConfigMap with a set's dashboard."""
    return f"{set_name}-dashboard"


def monitoring_objects(watched: Watched, config: Monitoring | None) -> list[Manifest]:
    """The objects that a config asks for; none without one."""
    if config is None or not config.enabled:
        return []
    wanted = ((config.pod_monitor, pod_monitor), (config.alerts, alert_rules), (config.dashboard, dashboard))
    return [build(watched, config) for asked, build in wanted if asked]


def pod_monitor(watched: Watched, config: Monitoring) -> Manifest:
    """Scrapes every pod of the set, ready or not.

    The label `instance` is the pod's name, not its address: a node is one line in a graph across restarts.
    Prometheus gives the job the name `<namespace>/<set>`, by which alerts and dashboard find the set.
    """
    endpoint = {
        "port": watched.port,
        "path": watched.path,
        "interval": config.interval,
        "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}],
    }
    spec = {"selector": {"matchLabels": dict(watched.selector)}, "podMetricsEndpoints": [endpoint]}
    return _object("PodMonitor", "monitoring.coreos.com/v1", watched, config, spec)


def alert_rules(watched: Watched, config: Monitoring) -> Manifest:
    """Alerts on nodes that are down or missing, on quotas that fill up, and on pods that restart often."""

    def groups(namespace: str) -> list[dict[str, Any]]:
        return [{"name": f"nodestead-{watched.name}", "rules": _rules(watched, config, namespace)}]

    return _object("PrometheusRule", "monitoring.coreos.com/v1", watched, config, {"groups": _late(watched.namespace, groups)})


def dashboard(watched: Watched, config: Monitoring) -> Manifest:
    """A ConfigMap that Grafana's sidecar turns into a dashboard; its key is a file in a folder that all of them share."""

    def data(namespace: str) -> dict[str, str]:
        model = _dashboard(watched, config, namespace)
        return {f"nodestead-{namespace}-{watched.name}.json": json.dumps(model, indent=1)}

    labels = {**watched.labels, config.dashboard_label: "1"}
    name = dashboard_name(watched.name)
    return manifest("ConfigMap", "v1", name, watched.namespace, labels, data=_late(watched.namespace, data))


def _object(kind: str, api_version: str, watched: Watched, config: Monitoring, spec: dict[str, Any]) -> Manifest:
    return manifest(kind, api_version, watched.name, watched.namespace, {**watched.labels, **config.labels}, spec=spec)


def _late(namespace: str | Deferred, make: Callable[[str], Any]) -> Any:
    """Texts with the namespace in them, which another resource may have to give."""
    return make(namespace) if isinstance(namespace, str) else Late.of(namespace, make, make("namespace"))


# What Prometheus puts into the texts of an alert.
_POD = "{{ $labels.pod }}"
_COUNT, _ROUNDED = "{{ $value }}", "{{ $value | printf `%.0f` }}"


def _rules(watched: Watched, config: Monitoring, namespace: str) -> list[dict[str, Any]]:
    job = f'job="{namespace}/{watched.name}"'
    kubectl, member = f"kubectl -n {namespace}", f"of {watched.name} in namespace {namespace}"
    # A node is missed when no pod of it was seen for half of the time, and that for the other half: together the time
    # that was asked for. A rollout takes many nodes one by one, but the same one never that long.
    half = f"{duration_seconds(config.down_for) // 2}s"
    seen = f"count(count by (pod) (count_over_time({watched.up}{{{job}}}[{half}])))"
    rules = [
        _rule(
            "NodesteadNodeDown",
            f"max by (namespace, pod) ({watched.up}{{{job}}}) == 0",
            config.down_for,
            "critical",
            summary=f"Node {_POD} is down",
            description=f"The metrics of node {_POD} {member} gave no answer for {config.down_for}.",
            runbook=f"Read `{kubectl} describe pod {_POD}` and `{kubectl} logs {_POD} --all-containers --previous`."
            " Init containers that wait say for what; no restarts and no errors: the main loop is busy, look at the node's CPU.",
        ),
        _rule(
            "NodesteadNodeMissing",
            f"{watched.nodes} - ({seen} or vector(0)) > 0",
            half,
            "critical",
            summary=f"{_COUNT} of {watched.nodes} nodes of {watched.name} are missing",
            description=f"{_COUNT} of the {watched.nodes} nodes {member} that should run had no pod"
            f" that Prometheus could see, for {config.down_for}.",
            runbook=f"Read `{kubectl} get pods -l app.kubernetes.io/instance={watched.name}`: `describe pod` tells what"
            " a Pending pod waits for (a host, a volume, an init container). If all of them run, Prometheus does not find them:"
            " look at its targets, at the labels by which it picks PodMonitors, and at the NetworkPolicy.",
        ),
        _rule(
            "NodesteadRestartingOften",
            f"{_restarts(namespace)} > 3 and on (namespace, pod) {watched.up}{{{job}}}",
            "5m",
            "warning",
            summary=f"Node {_POD} restarts often",
            description=f"The containers of node {_POD} {member} restarted {_ROUNDED} times in an hour.",
            runbook=f"`{kubectl} describe pod {_POD}` tells the reason: OOMKilled asks for more memory, a failed probe for more"
            f" time or CPU, and Error for the end of `{kubectl} logs {_POD} --previous`.",
        ),
    ]
    if watched.quota_used and watched.quotas:
        percent = config.quota_used_percent
        rules.append(
            _rule(
                "NodesteadQuotaNearlyFull",
                f"({_quota_percent(watched, job)}) > {percent}",
                "5m",
                "warning",
                summary=f"Node {_POD} has filled {_ROUNDED}% of its quota",
                description=f"Node {_POD} {member} holds and reserves more than {percent}% of its quota;"
                " when that is full it takes no more content.",
                runbook="Delete content, wait until it expires, or raise the quota, and the volume before it.",
            )
        )
    return [{**rule, "labels": {**rule["labels"], "namespace": namespace, "nodestead_set": watched.name}} for rule in rules]


def _rule(alert: str, expr: str, wait: str, severity: str, **annotations: str) -> dict[str, Any]:
    return {"alert": alert, "expr": expr, "for": wait, "labels": {"severity": severity}, "annotations": annotations}


def _restarts(namespace: str) -> str:
    """Restarts in an hour, by kube-state-metrics: without it there are no such series, no alert and an empty panel."""
    return f'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{{namespace="{namespace}"}}[1h]))'


def _used(watched: Watched, match: str) -> str:
    """Bytes that each node holds or reserves. A sum by name, as not every version has the second metric."""
    names = "|".join(name for name in (watched.quota_used, watched.quota_reserved) if name)
    return f'sum by (namespace, pod) ({{__name__=~"{names}",{match}}})'


def _by_quota(watched: Watched, match: str, make: Callable[[str, int], str]) -> str:
    """Joins what `make` gives for the nodes of each quota; most sets have one quota, and no list of nodes."""
    (usual, _), *others = Counter(watched.quotas.values()).most_common()
    named = {quota: "|".join(pod for pod, own in watched.quotas.items() if own == quota) for quota, _ in others}
    rest = f',pod!~"{"|".join(named.values())}"' if named else ""
    return " or ".join([make(match + rest, usual), *(make(f'{match},pod=~"{pods}"', quota) for quota, pods in named.items())])


def _quota_percent(watched: Watched, match: str) -> str:
    return _by_quota(watched, match, lambda own, quota: f"100 * {_used(watched, own)} / {quota}")


_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _dashboard(watched: Watched, config: Monitoring, namespace: str) -> dict[str, Any]:
    identity = hashlib.sha256(f"{namespace}/{watched.name}".encode()).hexdigest()[:20]
    return {
        "uid": f"nodestead-{identity}",
        "title": f"Nodestead / {namespace} / {watched.name}",
        "tags": ["nodestead"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables(watched, namespace)},
        "panels": [{"id": number, **panel} for number, panel in enumerate(_panels(watched, config), start=1)],
    }


def _variables(watched: Watched, namespace: str) -> list[dict[str, Any]]:
    own = {"text": namespace, "value": namespace, "selected": True}
    all_of_them = {"text": ["All"], "value": ["$__all"], "selected": True}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1},
        _variable("namespace", f'label_values({watched.up}{{job=~".+/{watched.name}"}}, namespace)', own),
        _variable("instance", f'label_values({watched.up}{{job="$namespace/{watched.name}"}}, instance)', all_of_them)
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


def _panels(watched: Watched, config: Monitoring) -> list[dict[str, Any]]:
    job = f'job="$namespace/{watched.name}"'
    match = f'{job},instance=~"$instance"'
    restarts = f"{_restarts('$namespace')} and on (namespace, pod) {watched.up}{{{match}}}"
    up = {"Up": f"sum({watched.up}{{{job}}}) or vector(0)", "Should run": f"vector({watched.nodes})"}
    panels = [_panel("stat", "Nodes up", "short", up)]
    if watched.quota_used and watched.quotas:
        used = _used(watched, match)
        quota = _by_quota(watched, match, lambda own, quota: f"{_used(watched, own)} * 0 + {quota}")
        panels += [
            _panel("stat", "Bytes used and reserved", "bytes", {"All nodes": f"sum({used})"}),
            _panel("timeseries", "Bytes used and reserved, and quota", "bytes", {"{{pod}}": used, "{{pod}} quota": quota}),
            _panel("bargauge", "Share of quota", "percent", {"{{pod}}": _quota_percent(watched, match)})
            | {"fieldConfig": _percent_field(config.quota_used_percent)},
        ]
    if watched.peers:
        panels.append(_panel("timeseries", "Peers", "short", {"{{pod}}": f"sum by (pod) ({watched.peers}{{{match}}})"}))
    cpu = f"sum by (pod) (rate(process_cpu_seconds_total{{{match}}}[$__rate_interval]))"
    memory = f"sum by (pod) (process_resident_memory_bytes{{{match}}})"
    panels += [
        _panel("timeseries", "Memory", "bytes", {"{{pod}}": memory}),
        _panel("timeseries", "CPU cores", "short", {"{{pod}}": cpu}),
        _panel(
            "timeseries",
            "Restarts in an hour",
            "short",
            {"{{pod}}": restarts},
        ),
    ]
    for place, panel in enumerate(panels):
        panel["gridPos"] = {"x": 12 * (place % 2), "y": 8 * (place // 2), "w": 12, "h": 8}
    return panels


def _panel(kind: str, title: str, unit: str, queries: Mapping[str, str]) -> dict[str, Any]:
    """A panel with a query for each legend."""
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend, "range": True}
        for place, (legend, query) in enumerate(queries.items())
    ]
    defaults = {"unit": unit, "min": 0}
    return {
        "type": kind,
        "title": title,
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[kind],
    }


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {"reduceOptions": _LAST, "colorMode": "none", "graphMode": "area", "textMode": "value_and_name"},
    "bargauge": {"reduceOptions": _LAST, "displayMode": "basic", "orientation": "horizontal"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


def _percent_field(alarm: int) -> dict[str, Any]:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": alarm}]
    return {
        "defaults": {"unit": "percent", "min": 0, "max": 100, "thresholds": {"mode": "absolute", "steps": steps}},
        "overrides": [],
    }
