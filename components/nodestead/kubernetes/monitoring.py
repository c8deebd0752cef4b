"""What watches a set of storage nodes: PodMonitor, alert rules, and a Grafana dashboard, whatever the software."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nodestead.config.monitoring import Monitoring
from nodestead.kubernetes.dashboards import nodes_panel, panel, process_panels, share_panel
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.watching import (
    POD,
    ROUNDED,
    WatchedSet,
    dashboard_map,
    dashboard_name,
    job_of,
    member_of,
    node_rules,
    pod_scraper,
    restarts,
    rule,
    rules_object,
    wanted_objects,
)

__all__ = ["Watched", "alert_rules", "dashboard", "dashboard_name", "monitoring_objects", "pod_monitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched(WatchedSet):
    """What is known of a set of storage nodes that is to be watched.

    Attributes:
        port: Name of the container port with the metrics.
        path: Path of the metrics.
        up: Metric that is 1 for a node that answers.
        quota_used: Metric with the bytes that a node holds; None for a software without a quota.
        quota_reserved: Metric with the bytes that it keeps free for somebody; may be missing at run time.
        quotas: Name of a pod to its node's quota in bytes; a pod without an entry counts with the most frequent one.
        peers: Metric with the number of peers, whatever labels it has; None where there is none.
    """

    port: str = "metrics"
    path: str = "/metrics"
    up: str = "up"
    quota_used: str | None = None
    quota_reserved: str | None = None
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])
    peers: str | None = None


def monitoring_objects(watched: Watched, config: Monitoring | None) -> list[Manifest]:
    """The objects that a config asks for; none without one."""
    return wanted_objects(config, partial(pod_monitor, watched), partial(alert_rules, watched), partial(dashboard, watched))


def pod_monitor(watched: Watched, config: Monitoring) -> Manifest:
    """Scrapes every pod of the set, ready or not."""
    return pod_scraper(watched, config, {watched.port: watched.path})


def alert_rules(watched: Watched, config: Monitoring) -> Manifest:
    """Alerts on nodes that are down or missing, on quotas that fill up, and on pods that restart often."""
    return rules_object(watched, config, partial(_rules, watched, config))


def dashboard(watched: Watched, config: Monitoring) -> Manifest:
    """The set's dashboard."""
    return dashboard_map(watched, config, watched.up, _panels(watched, config))


def _rules(watched: Watched, config: Monitoring, namespace: str) -> list[dict[str, Any]]:
    job, percent = job_of(watched, namespace), config.quota_used_percent
    rules = node_rules(watched, config, namespace, f"{watched.up}{{{job}}}")
    if watched.quota_used and watched.quotas:
        rules.append(
            rule(
                "NodesteadQuotaNearlyFull",
                f"({_quota_percent(watched, job)}) > {percent}",
                "5m",
                "warning",
                summary=f"Node {POD} has filled {ROUNDED}% of its quota",
                description=f"Node {POD} {member_of(watched, namespace)} holds and reserves more than {percent}% of its quota;"
                " when that is full it takes no more content.",
                runbook="Delete content, wait until it expires, or raise the quota, and the volume before it.",
            )
        )
    return rules


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


def _panels(watched: Watched, config: Monitoring) -> list[dict[str, Any]]:
    job = job_of(watched, "$namespace")
    match = f'{job},instance=~"$instance"'
    panels = [nodes_panel(f"{watched.up}{{{job}}}", watched.nodes)]
    if watched.quota_used and watched.quotas:
        used = _used(watched, match)
        quota = _by_quota(watched, match, lambda own, quota: f"{_used(watched, own)} * 0 + {quota}")
        panels += [
            panel("stat", "Bytes used and reserved", "bytes", {"All nodes": f"sum({used})"}),
            panel("timeseries", "Bytes used and reserved, and quota", "bytes", {"{{pod}}": used, "{{pod}} quota": quota}),
            share_panel("Share of quota", {"{{pod}}": _quota_percent(watched, match)}, config.quota_used_percent),
        ]
    if watched.peers:
        panels.append(panel("timeseries", "Peers", "short", {"{{pod}}": f"sum by (pod) ({watched.peers}{{{match}}})"}))
    again = f"{restarts('$namespace')} and on (namespace, pod) {watched.up}{{{match}}}"
    return [*panels, *process_panels(match, again)]
