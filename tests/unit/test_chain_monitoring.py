"""What watches a set of blockchain nodes: the queries, that they name only metrics that exist, and what alerts tell to do."""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from nodestead.config.base import parse
from nodestead.config.monitoring import Monitoring
from nodestead.kubernetes.chain_monitoring import WatchedChain, chain_monitoring_objects
from nodestead.kubernetes.monitoring import Watched, monitoring_objects
from nodestead.kubernetes.objects import Late, Manifest

LABELS = {"app.kubernetes.io/instance": "hub", "app.kubernetes.io/part-of": "nodestead"}
SELECTOR = {"app.kubernetes.io/instance": "hub", "nodestead.io/set": "blockchain-node-set"}
AGENT = Path(__file__).parent.parent.parent / "components" / "nodestead" / "agents" / "chain_health.py"

# Names as CometBFT gives them under both of its first words, with the file that does; versions 0.34.29 and 0.38.17.
CONSENSUS = {
    "consensus_height": "0.34 and 0.38, consensus/metrics",
    "consensus_latest_block_height": "0.34 and 0.38, consensus/metrics",
    "consensus_validator_last_signed_height": "0.34 and 0.38, consensus/metrics",
    "consensus_validator_missed_blocks": "0.34 and 0.38, consensus/metrics",
    "p2p_peers": "0.34 and 0.38, p2p/metrics",
    "consensus_fast_syncing": "0.34, consensus/metrics",
    "consensus_state_syncing": "0.34, consensus/metrics",
    "blocksync_latest_block_height": "0.38, blocksync/metrics",
    "statesync_syncing": "0.38, statesync/metrics",
}
OTHERS = {
    "up": "Prometheus",
    "process_cpu_seconds_total": "prometheus/client_golang",
    "process_resident_memory_bytes": "prometheus/client_golang",
    "kube_pod_container_status_restarts_total": "kube-state-metrics",
    "kubelet_volume_stats_available_bytes": "kubelet",
    "kubelet_volume_stats_capacity_bytes": "kubelet",
}

JOB = 'job="chains/hub"'
UP = f'up{{{JOB},endpoint="metrics"}}'
UP_BY_POD = f"max by (namespace, pod) ({UP})"
COMET = "(cometbft|tendermint)_"
HEIGHTS = f"nodestead_chain_height|{COMET}(consensus_height|blocksync_latest_block_height)"
HEIGHT = f'max by (namespace, pod) ({{__name__=~"{HEIGHTS}",{JOB}}})'
BEHIND = f'max by (namespace) ({{__name__=~"{HEIGHTS}",{JOB}}}) - on (namespace) group_right () {HEIGHT}'
BEHIND_BEFORE = BEHIND.replace("})", "} offset 10m)")
STATE_SYNC = f'max by (namespace, pod) ({{__name__=~"{COMET}(statesync_syncing|consensus_state_syncing)",{JOB}}})'
WORKS = f"and {UP_BY_POD} == 1 unless {STATE_SYNC} == 1"
MADE = f"changes({HEIGHT}[3m:30s])"
SIGNERS = f'{JOB},pod=~"hub-0-0|hub-1-0"'


def consensus(name: str) -> str:
    return f'max by (namespace, pod) ({{__name__=~"{COMET}consensus_{name}",{SIGNERS}}})'


def volume(kind: str) -> str:
    match = '{namespace="chains",persistentvolumeclaim=~"data-hub-[0-9]+-0"}'
    return f"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_{kind}_bytes{match})"


EXPRESSIONS = {
    "NodesteadNodeDown": f"{UP_BY_POD} == 0",
    "NodesteadNodeMissing": f"3 - (count(count by (pod) (count_over_time({UP}[300s]))) or vector(0)) > 0",
    "NodesteadRestartingOften": (
        'sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{namespace="chains"}[1h])) > 3'
        f" and on (namespace, pod) {UP}"
    ),
    "NodesteadChainStalled": f"max by (namespace) ({MADE} {WORKS}) == 0",
    "NodesteadNodeStuck": f"{MADE} == 0 {WORKS} and on (namespace) max by (namespace) ({MADE}) > 0",
    "NodesteadNodeBehind": f"{BEHIND} > 20 and {BEHIND} >= {BEHIND_BEFORE} {WORKS}",
    "NodesteadFewPeers": (
        f'(max by (namespace, pod) ({{__name__=~"{COMET}p2p_peers",{JOB}}}) or {UP_BY_POD} * 0) < 2 and {UP_BY_POD} == 1'
    ),
    "NodesteadValidatorMissesBlocks": (
        f"100 * increase({consensus('validator_missed_blocks')}[15m:1m])"
        f" / increase({consensus('latest_block_height')}[15m:1m]) > 5"
    ),
    "NodesteadValidatorNotSigning": (
        f"changes({consensus('latest_block_height')}[5m:30s]) > 0"
        f" unless changes({consensus('validator_last_signed_height')}[5m:30s]) > 0"
    ),
    "NodesteadChainUpgradeMissing": f"max by (namespace, name, height) (nodestead_chain_upgrade_missing{{{JOB}}}) == 1",
    "NodesteadNodeHalted": f"max by (namespace, pod) (nodestead_chain_halted{{{JOB}}}) == 1",
    "NodesteadChainUpgradeAhead": (
        f'max by (namespace, name, height) (nodestead_chain_upgrade_planned{{{JOB},height!~"0|5200791"}}) == 1'
    ),
    "NodesteadVolumeNearlyFull": f"100 * (1 - {volume('available')} / {volume('capacity')}) > 90",
}
ALWAYS = ["NodesteadNodeDown", "NodesteadNodeMissing", "NodesteadRestartingOften", "NodesteadChainStalled"]
OF_HEALTH = {"NodesteadChainUpgradeMissing", "NodesteadNodeHalted", "NodesteadChainUpgradeAhead"}


def chain(**changes: Any) -> WatchedChain:
    """Three nodes, two of which sign, with two versions."""
    facts: dict[str, Any] = {
        "name": "hub",
        "namespace": "chains",
        "labels": LABELS,
        "selector": SELECTOR,
        "nodes": 3,
        "chain_id": "cosmoshub-4",
        "health": True,
        "validators": ["hub-0", "hub-1"],
        "versions": [0, 5200791],
    }
    return WatchedChain(**{**facts, **changes})


def objects(of: WatchedChain, **given: Any) -> dict[str, Manifest]:
    """Kind to object."""
    return {one["kind"]: one for one in chain_monitoring_objects(of, parse(Monitoring, given))}


def rules(of: WatchedChain, **given: Any) -> dict[str, dict[str, Any]]:
    """Alert name to rule."""
    (group,) = objects(of, **given)["PrometheusRule"]["spec"]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def board(of: WatchedChain, **given: Any) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    (text,) = objects(of, **given)["ConfigMap"]["data"].values()
    return json.loads(text)


def queries(of: WatchedChain) -> dict[str, list[str]]:
    """Panel title to its queries."""
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board(of)["panels"]}


VARIANTS = [
    chain(),
    chain(health=False),
    chain(nodes=1, validators=[], versions=None),
    chain(prefix="osmosis", claims=["old.data"]),
]


def everything(of: WatchedChain) -> Iterator[str]:
    """All queries of a set."""
    yield from (rule["expr"] for rule in rules(of).values())
    for found in queries(of).values():
        yield from found


def metrics(expression: str) -> set[str]:
    """The metrics that a query names, also by a pattern."""
    whole = [name for name in re.findall(r"([A-Za-z_]\w*)\{", expression) if not name.startswith("__")]
    patterns = re.findall(r'__name__=~"([^"]*)"', expression)
    return {name for text in [*whole, *patterns] for name in spelled(text)}


def spelled(pattern: str) -> set[str]:
    """All texts that a pattern means: alternatives of words and groups of words."""
    found: set[str] = set()
    for alternative in re.findall(r"(?:[^|()]|\([^()]*\))+", pattern):
        parts = [part.strip("()").split("|") for part in re.findall(r"\([^()]*\)|[^()]+", alternative)]
        found |= {"".join(words) for words in product(*parts)}
    return found


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, ["PodMonitor", "PrometheusRule", "ConfigMap"]),
        ({"enabled": False}, []),
        ({"podMonitor": False}, ["PrometheusRule", "ConfigMap"]),
        ({"alerts": False}, ["PodMonitor", "ConfigMap"]),
        ({"dashboard": False}, ["PodMonitor", "PrometheusRule"]),
    ],
)
def test_each_part_can_be_left_out(given: dict[str, Any], kinds: list[str]) -> None:
    assert list(objects(chain(), **given)) == kinds


def test_nothing_is_made_without_a_config() -> None:
    assert chain_monitoring_objects(chain(), None) == []


@pytest.mark.parametrize(("health", "ports"), [(True, ["metrics", "health"]), (False, ["metrics"])])
def test_the_node_is_scraped_and_what_watches_it_where_it_is_there(*, health: bool, ports: list[str]) -> None:
    monitor = objects(chain(health=health), interval="15s", labels={"release": "prometheus"})["PodMonitor"]
    assert monitor == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "hub", "namespace": "chains", "labels": {**LABELS, "release": "prometheus"}},
        "spec": {
            "selector": {"matchLabels": SELECTOR},
            "podMetricsEndpoints": [
                {
                    "port": port,
                    "path": "/metrics",
                    "interval": "15s",
                    "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}],
                }
                for port in ports
            ],
        },
    }


def test_each_alert_asks_what_it_says() -> None:
    assert {name: rule["expr"] for name, rule in rules(chain()).items()} == EXPRESSIONS


@pytest.mark.parametrize(
    ("alert", "wait", "severity"),
    [
        ("NodesteadNodeDown", "10m", "critical"),
        ("NodesteadChainStalled", "2m", "critical"),
        ("NodesteadNodeStuck", "2m", "warning"),
        ("NodesteadNodeBehind", "5m", "warning"),
        ("NodesteadFewPeers", "10m", "warning"),
        ("NodesteadValidatorMissesBlocks", "5m", "warning"),
        ("NodesteadValidatorNotSigning", "5m", "critical"),
        ("NodesteadChainUpgradeMissing", "1m", "critical"),
        ("NodesteadChainUpgradeAhead", "5m", "warning"),
        ("NodesteadNodeHalted", "1m", "critical"),
        ("NodesteadVolumeNearlyFull", "15m", "warning"),
    ],
)
def test_what_stops_a_chain_or_costs_stake_wakes_somebody_up(alert: str, wait: str, severity: str) -> None:
    rule = rules(chain())[alert]
    assert (rule["for"], rule["labels"]["severity"]) == (wait, severity)


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"nodes": 1}, {"NodesteadNodeStuck", "NodesteadNodeBehind"}),
        ({"validators": []}, {"NodesteadValidatorMissesBlocks", "NodesteadValidatorNotSigning"}),
        ({"health": False}, OF_HEALTH),
        ({"versions": None}, {"NodesteadChainUpgradeAhead"}),
        ({"fewest_peers": 0}, {"NodesteadFewPeers"}),
    ],
)
def test_a_set_has_no_alert_on_what_it_has_not(changes: dict[str, Any], left_out: set[str]) -> None:
    assert set(EXPRESSIONS) - set(rules(chain(**changes))) == left_out
    assert set(ALWAYS) <= set(rules(chain(**changes)))


def test_without_a_container_that_tells_the_height_old_nodes_that_sync_blocks_are_not_stuck() -> None:
    expression = rules(chain(health=False))["NodesteadNodeStuck"]["expr"]
    assert "nodestead_chain" not in expression
    assert f'"{COMET}(statesync_syncing|consensus_state_syncing|consensus_fast_syncing)"' in expression


def test_a_node_behind_a_single_sentry_may_have_one_peer() -> None:
    assert " < 1 and " in rules(chain(fewest_peers=1))["NodesteadFewPeers"]["expr"]


def test_an_adopted_claim_is_watched_under_its_own_name() -> None:
    expression = rules(chain(claims=["old.data-1"]), quotaUsedPercent=80)["NodesteadVolumeNearlyFull"]["expr"]
    assert r'persistentvolumeclaim=~"data-hub-[0-9]+-0|old\\.data-1"' in expression
    assert expression.endswith(" > 80")


def test_a_first_word_of_the_metrics_names_that_was_chosen_is_asked_for() -> None:
    found = {name for expression in everything(chain(prefix="hub")) for name in metrics(expression)}
    assert {"hub_consensus_height", "hub_p2p_peers", "hub_consensus_validator_missed_blocks"} <= found
    assert not any(name.startswith(("cometbft_", "tendermint_")) for name in found)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("up", {"up"}),
        ("a|b_c", {"a", "b_c"}),
        ("(a|b)_x", {"a_x", "b_x"}),
        ("n|(a|b)_(x|y)", {"n", "a_x", "a_y", "b_x", "b_y"}),
    ],
)
def test_the_reader_of_patterns_spells_them_out(pattern: str, names: set[str]) -> None:
    assert spelled(pattern) == names


@pytest.mark.parametrize("of", VARIANTS)
def test_every_query_names_only_metrics_that_exist(of: WatchedChain) -> None:
    found = {name for expression in everything(of) for name in metrics(expression)}
    mine = {name.removeprefix("nodestead_chain_") for name in found if name.startswith("nodestead_chain_")}
    agent = AGENT.read_text()
    assert {name for name in mine if f'_metric("{name}"' not in agent} == set()
    assert 'f"# TYPE nodestead_chain_{name} gauge"' in agent
    words = ("cometbft", "tendermint", "osmosis")
    known = {f"{word}_{name}" for word in words for name in CONSENSUS} | set(OTHERS)
    assert {name for name in found if not name.startswith("nodestead_chain_")} - known == set()
    assert bool(mine) == of.health


@pytest.mark.parametrize("of", VARIANTS)
def test_every_query_closes_what_it_opens(of: WatchedChain) -> None:
    pairs = {")": "(", "}": "{", "]": "["}
    for expression in everything(of):
        opened: list[str] = []
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
        assert '"' not in bare
        for character in bare:
            if character in pairs.values():
                opened.append(character)
            elif character in pairs:
                assert opened.pop() == pairs[character], expression
        assert opened == [], expression


@pytest.mark.parametrize("of", VARIANTS)
def test_functions_over_a_range_get_series_without_the_names_that_they_drop(of: WatchedChain) -> None:
    # An upgrade renames tendermint_ to cometbft_; without the names both are one series, which is an error of the rule.
    for expression in everything(of):
        assert re.search(r"__name__[^}]*\}\[", expression) is None, expression


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    for rule in rules(chain()).values():
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert "of hub in namespace chains" in rule["annotations"]["description"]
        assert rule["labels"] == {"severity": rule["labels"]["severity"], "namespace": "chains", "nodestead_set": "hub"}


def test_texts_name_only_labels_that_the_query_gives() -> None:
    given = {
        "NodesteadNodeMissing": set[str](),
        "NodesteadChainStalled": {"namespace"},
        "NodesteadChainUpgradeMissing": {"namespace", "name", "height"},
        "NodesteadChainUpgradeAhead": {"namespace", "name", "height"},
        "NodesteadVolumeNearlyFull": {"namespace", "persistentvolumeclaim"},
    }
    for name, rule in rules(chain()).items():
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert named <= given.get(name, {"namespace", "pod"}), name


@pytest.mark.parametrize("alert", ["NodesteadChainUpgradeMissing", "NodesteadChainUpgradeAhead"])
def test_an_upgrade_without_a_version_tells_its_height_and_what_to_add(alert: str) -> None:
    texts = rules(chain())[alert]["annotations"]
    assert "block {{ $labels.height }}" in texts["summary"]
    assert "upgrade {{ $labels.name }}" in texts["summary"]
    assert "cosmoshub-4" in texts["description"]
    assert texts["runbook"].startswith(
        "Add to blockchainNodeSets.hub.versions an entry with `height: {{ $labels.height }}` and, as image, the release"
    )


def test_alerts_that_all_sets_have_differ_from_those_of_storage_in_the_endpoint_only() -> None:
    storage = Watched(name="hub", namespace="chains", labels=LABELS, selector=SELECTOR, nodes=3)
    _, made, _ = monitoring_objects(storage, Monitoring())
    mine = rules(chain())
    for rule in made["spec"]["groups"][0]["rules"]:
        theirs = {**mine[rule["alert"]], "expr": mine[rule["alert"]]["expr"].replace(',endpoint="metrics"', "")}
        assert theirs == rule


def test_the_dashboard_shows_the_chain_and_then_the_processes() -> None:
    assert list(queries(chain())) == [
        "Nodes up",
        "Height",
        "Blocks behind the best node",
        "Peers",
        "Age of the last block",
        "Nodes in sync, and halted",
        "Nodes by version",
        "Upgrades",
        "Missed blocks of 15 minutes",
        "Volumes",
        "Memory",
        "CPU cores",
        "Restarts in an hour",
    ]
    assert list(queries(chain(health=False, validators=[]))) == [
        "Nodes up",
        "Height",
        "Blocks behind the best node",
        "Peers",
        "Volumes",
        "Memory",
        "CPU cores",
        "Restarts in an hour",
    ]


def test_panels_ask_for_the_nodes_that_were_chosen() -> None:
    shown, match = queries(chain()), 'job="$namespace/hub",instance=~"$instance"'
    own = f'{match},endpoint="metrics"'
    assert shown["Nodes up"] == ['sum(up{job="$namespace/hub",endpoint="metrics"}) or vector(0)', "vector(3)"]
    assert shown["Height"] == [f'max by (namespace, pod) ({{__name__=~"{HEIGHTS}",{match}}})']
    assert shown["Age of the last block"] == [f"nodestead_chain_block_age_seconds{{{match}}}"]
    assert shown["Nodes in sync, and halted"] == [
        f"sum(nodestead_chain_in_sync{{{match}}})",
        f"sum(nodestead_chain_halted{{{match}}})",
    ]
    assert shown["Upgrades"] == [
        f"max by (name, height) (nodestead_chain_upgrade_planned{{{match}}})",
        f"max by (name, height) (nodestead_chain_upgrade_missing{{{match}}})",
    ]
    assert shown["Memory"] == [f"sum by (pod) (process_resident_memory_bytes{{{own}}})"]
    # The best node may be one that was not chosen.
    assert 'job="$namespace/hub"}) - on' in shown["Blocks behind the best node"][0]


def test_lines_of_heights_are_not_seen_from_zero() -> None:
    fields = {panel["title"]: panel["fieldConfig"]["defaults"] for panel in board(chain())["panels"]}
    assert [title for title, field in fields.items() if "min" not in field] == ["Height"]


def test_the_volumes_turn_red_where_the_alert_fires() -> None:
    panels = {panel["title"]: panel for panel in board(chain(), quotaUsedPercent=70)["panels"]}
    assert panels["Volumes"]["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "red", "value": 70}


def test_the_dashboard_is_found_by_set_and_chain() -> None:
    manifest = objects(chain())["ConfigMap"]
    assert manifest["metadata"]["name"] == "hub-dashboard"
    assert manifest["metadata"]["labels"] == {**LABELS, "grafana_dashboard": "1"}
    assert list(manifest["data"]) == ["nodestead-chains-hub.json"]
    assert board(chain())["tags"] == ["nodestead", "cosmoshub-4"]


class Later:
    """A namespace that another resource gives."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("a builder may not ask")


def test_a_namespace_of_another_resource_reaches_queries_and_file_name_at_deploy_time() -> None:
    namespace = Later()
    made, settled = objects(chain(namespace=namespace)), objects(chain())
    groups, data = made["PrometheusRule"]["spec"]["groups"], made["ConfigMap"]["data"]
    assert isinstance(groups, Late)
    assert isinstance(data, Late)
    assert (groups.refs, data.refs) == ((namespace,), (namespace,))
    assert groups.make("chains") == settled["PrometheusRule"]["spec"]["groups"]
    assert data.make("chains") == settled["ConfigMap"]["data"]
