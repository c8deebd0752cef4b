"""Whether and how a set is watched: scraping, alerts, dashboard."""

from collections.abc import Iterator

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.scalars import DnsLabel, Duration, Labels, duration_seconds

__all__ = ["Monitoring"]

# Prometheus forgets a sample after five minutes, so that scrapes further apart leave gaps that look like outages.
_LONGEST_INTERVAL = 120


class Monitoring(Model):
    """PodMonitor, alert rules and a Grafana dashboard of a set; `monitoring: {enabled: true}` gives all three."""

    enabled: bool = Field(default=True, description="False keeps the settings and makes nothing.")
    pod_monitor: bool = Field(
        default=True, description="Make the PodMonitor; false where the cluster lacks the CRDs of the Prometheus operator."
    )
    alerts: bool = Field(default=True, description="Make the PrometheusRule; false where the cluster lacks the CRD.")
    dashboard: bool = Field(default=True, description="Make the ConfigMap with the Grafana dashboard.")
    interval: Duration = Field(default="30s", description="Time between two scrapes, at most 2m.")
    labels: Labels = Field(
        default_factory=dict,
        description="Labels by which Prometheus picks PodMonitors and rules, as in `release: prometheus`.",
    )
    dashboard_label: str = Field(
        default="grafana_dashboard",
        pattern=r"^(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        description="Label, with the value 1, by which Grafana's sidecar finds dashboards.",
    )
    from_: tuple[DnsLabel, ...] = Field(
        default=("monitoring",), alias="from", strict=False, description="Namespaces whose pods the NetworkPolicy lets scrape."
    )
    quota_used_percent: int = Field(default=90, ge=1, le=99, description="Share of a node's quota above which an alert fires.")
    down_for: Duration = Field(default="10m", description="How long a node may be down or missing before an alert fires.")

    def problems(self) -> Iterator[Problem]:
        """Times that would make alerts fire for no reason."""
        interval, down_for = duration_seconds(self.interval), duration_seconds(self.down_for)
        if interval > _LONGEST_INTERVAL:
            yield Problem(["interval"], f"{self.interval} is refused; Prometheus forgets samples after 5m, write 1s to 2m")
        elif down_for < 4 * interval:
            yield Problem(
                ["downFor"],
                f"{self.down_for} is under four scrapes, and one that is late would be an outage; write at least {4 * interval}s",
            )
