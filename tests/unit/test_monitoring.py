"""What watches a set: the settings, the queries, and the objects that hold them."""

import json
from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.config.monitoring import Monitoring
from nodestead.kubernetes.monitoring import Watched, alert_rules, dashboard, dashboard_name, monitoring_objects, pod_monitor
from nodestead.kubernetes.objects import Late

LABELS = {"app.kubernetes.io/instance": "codex", "app.kubernetes.io/part-of": "nodestead"}
SELECTOR = {"app.kubernetes.io/instance": "codex"}
USED = '{__name__=~"codex_repostore_bytes_used|codex_repostore_bytes_reserved",'


def watched(**changes: Any) -> Watched:
    """A set of three Codex nodes with one quota."""
    facts: dict[str, Any] = {
        "name": "codex",
        "namespace": "storage",
        "labels": LABELS,
        "selector": SELECTOR,
        "nodes": 3,
        "quota_used": "codex_repostore_bytes_used",
        "quota_reserved": "codex_repostore_bytes_reserved",
        "quotas": {"codex-1-1": 1000, "codex-2-1": 1000, "codex-3-1": 1000},
        "peers": "libp2p_peers",
    }
    return Watched(**{**facts, **changes})


def rules(of: Watched, config: Monitoring | None = None) -> dict[str, dict[str, Any]]:
    """Alert name to rule."""
    (group,) = alert_rules(of, config or Monitoring())["spec"]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def board(of: Watched, config: Monitoring | None = None) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    (text,) = dashboard(of, config or Monitoring())["data"].values()
    return json.loads(text)


def queries(model: dict[str, Any]) -> dict[str, list[str]]:
    """Panel title to its queries."""
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in model["panels"]}


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, ["PodMonitor", "PrometheusRule", "ConfigMap"]),
        ({"enabled": True}, ["PodMonitor", "PrometheusRule", "ConfigMap"]),
        ({"enabled": False}, []),
        ({"podMonitor": False}, ["PrometheusRule", "ConfigMap"]),
        ({"alerts": False}, ["PodMonitor", "ConfigMap"]),
        ({"dashboard": False}, ["PodMonitor", "PrometheusRule"]),
        ({"podMonitor": False, "alerts": False, "dashboard": False}, []),
    ],
)
def test_each_part_can_be_left_out(given: dict[str, Any], kinds: list[str]) -> None:
    assert [manifest["kind"] for manifest in monitoring_objects(watched(), parse(Monitoring, given))] == kinds


def test_nothing_is_made_without_a_config() -> None:
    assert monitoring_objects(watched(), None) == []


def test_every_object_is_in_the_namespace_of_the_set_and_bears_its_labels() -> None:
    for manifest in monitoring_objects(watched(), Monitoring()):
        assert manifest["metadata"]["namespace"] == "storage"
        assert manifest["metadata"]["labels"].items() >= LABELS.items()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"interval": "0s"}, "monitoring.interval: '0s' is no time at all; write at least 1s"),
        ({"interval": "3m"}, "monitoring.interval: 3m is refused; Prometheus forgets samples after 5m, write 1s to 2m"),
        (
            {"downFor": "119s"},
            "monitoring.downFor: 119s is under four scrapes, and one that is late would be an outage; write at least 120s",
        ),
        ({"quotaUsedPercent": 100}, "monitoring.quotaUsedPercent: 100 is refused: input should be less than or equal to 99"),
        ({"from": ["Monitoring"]}, "monitoring.from[0]: 'Monitoring' is refused; a name has 1 to 63 lower-case letters"),
        ({"podMonitors": False}, "monitoring.podMonitors: unknown key; did you mean podMonitor?"),
        ({"dashboardLabel": "a b"}, "monitoring.dashboardLabel: 'a b' is refused"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Monitoring, given, ["monitoring"])
    (line,) = caught.value.problems
    assert line.startswith(problem)


def test_prometheus_comes_from_the_namespace_monitoring_unless_named() -> None:
    assert Monitoring().from_ == ("monitoring",)
    assert parse(Monitoring, {"from": ["observability", "mimir"]}).from_ == ("observability", "mimir")


def test_two_minutes_is_the_longest_interval_and_four_scrapes_the_shortest_outage() -> None:
    config = parse(Monitoring, {"interval": "2m", "downFor": "8m"})
    assert (config.interval, config.down_for) == ("2m", "8m")


def test_the_pod_monitor_scrapes_all_pods_of_the_set_under_the_names_of_the_pods() -> None:
    assert pod_monitor(watched(), parse(Monitoring, {"interval": "15s", "labels": {"release": "prometheus"}})) == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "codex", "namespace": "storage", "labels": {**LABELS, "release": "prometheus"}},
        "spec": {
            "selector": {"matchLabels": SELECTOR},
            "podMetricsEndpoints": [
                {
                    "port": "metrics",
                    "path": "/metrics",
                    "interval": "15s",
                    "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}],
                }
            ],
        },
    }


def test_a_node_that_does_not_answer_is_down_after_the_time_asked_for() -> None:
    rule = rules(watched(), parse(Monitoring, {"downFor": "20m"}))["NodesteadNodeDown"]
    assert rule["expr"] == 'max by (namespace, pod) (up{job="storage/codex"}) == 0'
    assert rule["for"] == "20m"


@pytest.mark.parametrize(("down_for", "half"), [("10m", "300s"), ("2m", "60s"), ("121s", "60s"), ("1h30m", "2700s")])
def test_a_node_whose_target_vanished_is_missed_after_the_time_asked_for(down_for: str, half: str) -> None:
    rule = rules(watched(nodes=3), parse(Monitoring, {"downFor": down_for}))["NodesteadNodeMissing"]
    assert rule["expr"] == f'3 - (count(count by (pod) (count_over_time(up{{job="storage/codex"}}[{half}]))) or vector(0)) > 0'
    assert rule["for"] == half


def test_a_quota_alert_counts_used_and_reserved_bytes() -> None:
    rule = rules(watched(), parse(Monitoring, {"quotaUsedPercent": 80}))["NodesteadQuotaNearlyFull"]
    assert rule["expr"] == f'(100 * sum by (namespace, pod) ({USED}job="storage/codex"}}) / 1000) > 80'


def test_nodes_with_a_quota_of_their_own_are_held_against_it() -> None:
    quotas = {"codex-1-1": 1000, "codex-2-1": 4000, "codex-3-1": 1000, "codex-4-1": 4000, "codex-5-1": 1000, "codex-6-1": 7}
    expression = rules(watched(quotas=quotas))["NodesteadQuotaNearlyFull"]["expr"]
    usual, fourfold, tiny = expression.removeprefix("(").removesuffix(") > 90").split(" or ")
    start = f'100 * sum by (namespace, pod) ({USED}job="storage/codex",'
    assert usual == start + 'pod!~"codex-2-1|codex-4-1|codex-6-1"}) / 1000'
    assert fourfold == start + 'pod=~"codex-2-1|codex-4-1"}) / 4000'
    assert tiny == start + 'pod=~"codex-6-1"}) / 7'


@pytest.mark.parametrize("changes", [{"quota_used": None}, {"quotas": {}}])
def test_a_software_without_a_quota_has_no_alert_and_no_panel_for_it(changes: dict[str, Any]) -> None:
    without = watched(**changes)
    assert set(rules(without)) == {"NodesteadNodeDown", "NodesteadNodeMissing", "NodesteadRestartingOften"}
    assert list(queries(board(without))) == ["Nodes up", "Peers", "Memory", "CPU cores", "Restarts in an hour"]


def test_restarts_count_only_for_pods_of_the_set() -> None:
    assert rules(watched())["NodesteadRestartingOften"]["expr"] == (
        'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{namespace="storage"}[1h])) > 3'
        ' and on (namespace, pod) up{job="storage/codex"}'
    )


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    found = rules(watched())
    assert {rule["labels"]["severity"] for rule in found.values()} == {"critical", "warning"}
    for rule in found.values():
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert "codex in namespace storage" in rule["annotations"]["description"]
        assert rule["labels"] == {"severity": rule["labels"]["severity"], "namespace": "storage", "nodestead_set": "codex"}
    assert {name: rule["annotations"]["summary"] for name, rule in found.items()} == {
        "NodesteadNodeDown": "Node {{ $labels.pod }} is down",
        "NodesteadNodeMissing": "{{ $value }} of 3 nodes of codex are missing",
        "NodesteadRestartingOften": "Node {{ $labels.pod }} restarts often",
        "NodesteadQuotaNearlyFull": "Node {{ $labels.pod }} has filled {{ $value | printf `%.0f` }}% of its quota",
    }


def test_rules_bear_the_labels_by_which_prometheus_picks_them() -> None:
    config = parse(Monitoring, {"labels": {"release": "prometheus"}})
    assert alert_rules(watched(), config)["metadata"]["labels"] == {**LABELS, "release": "prometheus"}
    assert "release" not in dashboard(watched(), config)["metadata"]["labels"]


def test_the_dashboard_is_found_by_its_label_and_shares_its_folder_with_others() -> None:
    manifest = dashboard(watched(), Monitoring())
    assert manifest["metadata"]["name"] == dashboard_name("codex") == "codex-dashboard"
    assert manifest["metadata"]["labels"] == {**LABELS, "grafana_dashboard": "1"}
    assert list(manifest["data"]) == ["nodestead-storage-codex.json"]
    other = dashboard(watched(), parse(Monitoring, {"dashboardLabel": "example.org/board"}))
    assert other["metadata"]["labels"] == {**LABELS, "example.org/board": "1"}


def test_dashboards_of_two_namespaces_have_identities_of_their_own() -> None:
    here, there = board(watched()), board(watched(namespace="staging"))
    assert here["uid"] != there["uid"]
    assert max(len(here["uid"]), len(there["uid"])) <= 40
    assert board(watched()) == here


def test_the_dashboard_asks_for_datasource_namespace_and_instance() -> None:
    variables = {variable["name"]: variable for variable in board(watched())["templating"]["list"]}
    assert {name: variable["type"] for name, variable in variables.items()} == {
        "datasource": "datasource",
        "namespace": "query",
        "instance": "query",
    }
    assert variables["namespace"]["query"]["query"] == 'label_values(up{job=~".+/codex"}, namespace)'
    assert variables["namespace"]["current"]["value"] == "storage"
    assert variables["instance"]["query"]["query"] == 'label_values(up{job="$namespace/codex"}, instance)'
    assert variables["instance"]["includeAll"] is True


def test_the_dashboard_shows_nodes_bytes_peers_and_processes() -> None:
    match = 'job="$namespace/codex",instance=~"$instance"'
    used = f"sum by (namespace, pod) ({USED}{match}}})"
    restarts = 'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{namespace="$namespace"}[1h]))'
    assert queries(board(watched())) == {
        "Nodes up": ['sum(up{job="$namespace/codex"}) or vector(0)', "vector(3)"],
        "Bytes used and reserved": [f"sum({used})"],
        "Bytes used and reserved, and quota": [used, f"{used} * 0 + 1000"],
        "Share of quota": [f"100 * {used} / 1000"],
        "Peers": [f"sum by (pod) (libp2p_peers{{{match}}})"],
        "Memory": [f"sum by (pod) (process_resident_memory_bytes{{{match}}})"],
        "CPU cores": [f"sum by (pod) (rate(process_cpu_seconds_total{{{match}}}[$__rate_interval]))"],
        "Restarts in an hour": [f"{restarts} and on (namespace, pod) up{{{match}}}"],
    }


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = board(watched())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert len({(place["x"], place["y"]) for place in places}) == len(panels)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert all(panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for panel in panels)


def test_the_share_of_the_quota_turns_red_where_the_alert_fires() -> None:
    panels = {panel["title"]: panel for panel in board(watched(), parse(Monitoring, {"quotaUsedPercent": 70}))["panels"]}
    assert panels["Share of quota"]["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "red", "value": 70}


class Later:
    """A namespace that another resource gives."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("a builder may not ask")


def test_a_namespace_of_another_resource_reaches_queries_and_file_name_at_deploy_time() -> None:
    namespace = Later()
    monitor, alerts, shown = monitoring_objects(watched(namespace=namespace), Monitoring())
    assert monitor["metadata"]["namespace"] is namespace
    groups, data = alerts["spec"]["groups"], shown["data"]
    assert isinstance(groups, Late)
    assert isinstance(data, Late)
    assert (groups.refs, data.refs) == ((namespace,), (namespace,))
    assert groups.make("storage") == alert_rules(watched(), Monitoring())["spec"]["groups"]
    assert data.make("storage") == dashboard(watched(), Monitoring())["data"]
