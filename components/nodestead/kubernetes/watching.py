"""What the ways to watch a set share, whatever its software: the objects, and alerts on nodes that are gone or restart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.monitoring import Monitoring
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.dashboards import dashboard_text
from nodestead.kubernetes.metadata import manifest
from nodestead.kubernetes.objects import Late, Manifest

__all__ = [
    "COUNT",
    "POD",
    "ROUNDED",
    "WatchedSet",
    "dashboard_map",
    "dashboard_name",
    "job_of",
    "member_of",
    "node_rules",
    "pod_scraper",
    "restarts",
    "rule",
    "rules_object",
    "wanted_objects",
]

# What Prometheus puts into the texts of an alert.
POD = "{{ $labels.pod }}"
COUNT, ROUNDED = "{{ $value }}", "{{ $value | printf `%.0f` }}"

_API = "monitoring.coreos.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSet:
    """What is known of any set that is to be watched.

    Attributes:
        name: Name of the set, and of its PodMonitor and PrometheusRule.
        namespace: Namespace of its pods and of the objects that watch them.
        labels: Labels of those objects.
        selector: Labels that all pods of the set have, and no other pod.
        nodes: How many nodes should run.
    """

    name: str
    namespace: str | Deferred
    labels: Mapping[str, str]
    selector: Mapping[str, str]
    nodes: int


def dashboard_name(set_name: str) -> str:
    """Name of the ConfigMap with a set's dashboard."""
    return f"{set_name}-dashboard"


def wanted_objects(
    config: Monitoring | None,
    pod_monitor: Callable[[Monitoring], Manifest],
    alerts: Callable[[Monitoring], Manifest],
    dashboard: Callable[[Monitoring], Manifest],
) -> list[Manifest]:
    """The objects that a config asks for; none without one."""
    if config is None or not config.enabled:
        return []
    wanted = ((config.pod_monitor, pod_monitor), (config.alerts, alerts), (config.dashboard, dashboard))
    return [build(config) for asked, build in wanted if asked]


def pod_scraper(of: WatchedSet, config: Monitoring, endpoints: Mapping[str, str]) -> Manifest:
    """A PodMonitor that scrapes every pod of the set, ready or not.

    The label `instance` is the pod's name, not its address: a node is one line in a graph across restarts.
    Prometheus gives the job the name `<namespace>/<set>`, by which alerts and dashboard find the set, and the label
    `endpoint` the name of the port.

    Args:
        of: The set.
        config: Its monitoring.
        endpoints: Name of a container port to the path of the metrics there; a pod without the port is not asked.
    """
    asked = [
        {
            "port": port,
            "path": path,
            "interval": config.interval,
            "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}],
        }
        for port, path in endpoints.items()
    ]
    spec = {"selector": {"matchLabels": dict(of.selector)}, "podMetricsEndpoints": asked}
    return manifest("PodMonitor", _API, of.name, of.namespace, {**of.labels, **config.labels}, spec=spec)


def rules_object(of: WatchedSet, config: Monitoring, rules: Callable[[str], Sequence[dict[str, Any]]]) -> Manifest:
    """A PrometheusRule with the alerts that `rules` makes for a namespace; each of them says whose it is."""

    def groups(namespace: str) -> list[dict[str, Any]]:
        own = {"namespace": namespace, "nodestead_set": of.name}
        marked = [{**one, "labels": {**one["labels"], **own}} for one in rules(namespace)]
        return [{"name": f"nodestead-{of.name}", "rules": marked}]

    spec = {"groups": _late(of.namespace, groups)}
    return manifest("PrometheusRule", _API, of.name, of.namespace, {**of.labels, **config.labels}, spec=spec)


def dashboard_map(
    of: WatchedSet, config: Monitoring, up: str, panels: Sequence[dict[str, Any]], tags: Sequence[str] = ()
) -> Manifest:
    """A ConfigMap that Grafana's sidecar turns into a dashboard; its key is a file in a folder that all of them share.

    Args:
        of: The set.
        config: Its monitoring.
        up: Metric of every node that is scraped.
        panels: What it shows, in the order of reading; their queries name `$namespace` and `$instance`.
        tags: Tags besides that of all dashboards.
    """

    def data(namespace: str) -> dict[str, str]:
        return {f"nodestead-{namespace}-{of.name}.json": dashboard_text(of.name, namespace, up, panels, tags)}

    labels = {**of.labels, config.dashboard_label: "1"}
    return manifest("ConfigMap", "v1", dashboard_name(of.name), of.namespace, labels, data=_late(of.namespace, data))


def _late(namespace: str | Deferred, make: Callable[[str], Any]) -> Any:
    """Texts with the namespace in them, which another resource may have to give."""
    return make(namespace) if isinstance(namespace, str) else Late.of(namespace, make, make("namespace"))


def job_of(of: WatchedSet, namespace: str) -> str:
    """The matcher of all that is scraped from a set."""
    return f'job="{namespace}/{of.name}"'


def member_of(of: WatchedSet, namespace: str) -> str:
    """How the texts of alerts say which set a node is of."""
    return f"of {of.name} in namespace {namespace}"


def rule(alert: str, expr: str, wait: str, severity: str, **annotations: str) -> dict[str, Any]:
    """An alert.

    Args:
        alert: Its name.
        expr: The query that must have a result.
        wait: For how long.
        severity: critical wakes somebody up, warning is for the morning.
        **annotations: summary, description and runbook.
    """
    return {"alert": alert, "expr": expr, "for": wait, "labels": {"severity": severity}, "annotations": annotations}


def restarts(namespace: str) -> str:
    """Restarts in an hour, by kube-state-metrics: without it there are no such series, no alert and an empty panel."""
    return f'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{{namespace="{namespace}"}}[1h]))'


def node_rules(of: WatchedSet, config: Monitoring, namespace: str, up: str) -> list[dict[str, Any]]:
    """Alerts on nodes that are down or missing, and on pods that restart often.

    Args:
        of: The set.
        config: Its monitoring.
        namespace: Its namespace.
        up: Selects the series, one for each node, that is 1 where the node answers.
    """
    kubectl, member = f"kubectl -n {namespace}", member_of(of, namespace)
    # A node is missed when no pod of it was seen for half of the time, and that for the other half: together the time
    # that was asked for. A rollout takes many nodes one by one, but the same one never that long.
    half = f"{duration_seconds(config.down_for) // 2}s"
    seen = f"count(count by (pod) (count_over_time({up}[{half}])))"
    return [
        rule(
            "NodesteadNodeDown",
            f"max by (namespace, pod) ({up}) == 0",
            config.down_for,
            "critical",
            summary=f"Node {POD} is down",
            description=f"The metrics of node {POD} {member} gave no answer for {config.down_for}.",
            runbook=f"Read `{kubectl} describe pod {POD}` and `{kubectl} logs {POD} --all-containers --previous`."
            " Init containers that wait say for what; no restarts and no errors: the main loop is busy, look at the node's CPU.",
        ),
        rule(
            "NodesteadNodeMissing",
            f"{of.nodes} - ({seen} or vector(0)) > 0",
            half,
            "critical",
            summary=f"{COUNT} of {of.nodes} nodes of {of.name} are missing",
            description=f"{COUNT} of the {of.nodes} nodes {member} that should run had no pod"
            f" that Prometheus could see, for {config.down_for}.",
            runbook=f"Read `{kubectl} get pods -l app.kubernetes.io/instance={of.name}`: `describe pod` tells what"
            " a Pending pod waits for (a host, a volume, an init container). If all of them run, Prometheus does not find them:"
            " look at its targets, at the labels by which it picks PodMonitors, and at the NetworkPolicy.",
        ),
        rule(
            "NodesteadRestartingOften",
            f"{restarts(namespace)} > 3 and on (namespace, pod) {up}",
            "5m",
            "warning",
            summary=f"Node {POD} restarts often",
            description=f"The containers of node {POD} {member} restarted {ROUNDED} times in an hour.",
            runbook=f"`{kubectl} describe pod {POD}` tells the reason: OOMKilled asks for more memory, a failed probe for more"
            f" time or CPU, and Error for the end of `{kubectl} logs {POD} --previous`.",
        ),
    ]
