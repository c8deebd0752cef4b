"""What watches a set of blockchain nodes: PodMonitor, alert rules, and a Grafana dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nodestead.config.monitoring import Monitoring
from nodestead.kubernetes.dashboards import nodes_panel, panel, process_panels, share_panel
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.watching import (
    COUNT,
    POD,
    ROUNDED,
    WatchedSet,
    dashboard_map,
    job_of,
    member_of,
    node_rules,
    pod_scraper,
    restarts,
    rule,
    rules_object,
    wanted_objects,
)

__all__ = ["WatchedChain", "chain_monitoring_objects"]

_PORT = "metrics"
# The Prometheus operator puts the port's name into this label; what the container `health` says has another.
_OWN = f'endpoint="{_PORT}"'
_BEHIND = 20
_MISSED_PERCENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedChain(WatchedSet):
    """What is known of a set of blockchain nodes that is to be watched.

    Attributes:
        chain_id: The chain that they belong to.
        health: Whether the pods have the container `health`, with a port of that name.
        validators: Names of the nodes that sign blocks with a key of their own.
        versions: Heights from which on the set has a binary; an upgrade that the chain plans for another height is told
            of before it comes. None where that is not wanted.
        fewest_peers: How many peers a node has to have: 1 behind a single sentry, 0 for an only node of a local network.
        claims: Claims that are not called `data-<node>-0`.
        prefix: First word of the names of the node's own metrics, as a regular expression: CometBFT's, and Tendermint's
            in config files from before CometBFT.
    """

    chain_id: str
    health: bool
    validators: Sequence[str] = ()
    versions: Sequence[int] | None = None
    fewest_peers: int = 2
    claims: Sequence[str] = ()
    prefix: str = "cometbft|tendermint"


def chain_monitoring_objects(watched: WatchedChain, config: Monitoring | None) -> list[Manifest]:
    """The objects that a config asks for; none without one."""
    return wanted_objects(config, partial(_pod_monitor, watched), partial(_alert_rules, watched), partial(_dashboard, watched))


def _pod_monitor(watched: WatchedChain, config: Monitoring) -> Manifest:
    endpoints = {_PORT: "/metrics", **({"health": "/metrics"} if watched.health else {})}
    return pod_scraper(watched, config, endpoints)


def _alert_rules(watched: WatchedChain, config: Monitoring) -> Manifest:
    return rules_object(watched, config, partial(_rules, watched, config))


def _dashboard(watched: WatchedChain, config: Monitoring) -> Manifest:
    return dashboard_map(watched, config, "up", _panels(watched, config), [watched.chain_id])


# --- queries ---
# A function over a range drops the metric's name, and refuses two series that differ in nothing else: so the names are
# joined first, by `max`, and the functions go over subqueries.


def _own(watched: WatchedChain, names: str, match: str) -> str:
    """The largest of a node's own metrics with these names."""
    return f'max by (namespace, pod) ({{__name__=~"({watched.prefix})_{names}",{match}}})'


def _height(watched: WatchedChain, match: str, *, of: str = "namespace, pod", offset: str = "") -> str:
    """The last block, or the one that is being made. The metric of consensus stands still while a node syncs blocks."""
    told = "nodestead_chain_height|" if watched.health else ""
    names = f"{told}({watched.prefix})_(consensus_height|blocksync_latest_block_height)"
    return f'max by ({of}) ({{__name__=~"{names}",{match}}}{offset})'


def _behind(watched: WatchedChain, match: str, every: str, *, offset: str = "") -> str:
    """Blocks that each node is behind the best one of all."""
    best = _height(watched, every, of="namespace", offset=offset)
    return f"{best} - on (namespace) group_right () {_height(watched, match, offset=offset)}"


def _works(watched: WatchedChain, job: str) -> str:
    """Follows a vector of nodes: leaves those that answer and do not fetch a state, which takes long and makes no blocks."""
    syncing = "(statesync_syncing|consensus_state_syncing" + (")" if watched.health else "|consensus_fast_syncing)")
    return f"and max by (namespace, pod) (up{{{job},{_OWN}}}) == 1 unless {_own(watched, syncing, job)} == 1"


def _missed_percent(watched: WatchedChain, match: str) -> str:
    missed = _own(watched, "consensus_validator_missed_blocks", match)
    made = _own(watched, "consensus_latest_block_height", match)
    return f"100 * increase({missed}[15m:1m]) / increase({made}[15m:1m])"


def _volume_percent(watched: WatchedChain, namespace: str) -> str:
    """How full the volumes are, by the kubelets: without their metrics there is no alert and an empty panel."""
    claims = "|".join([f"data-{watched.name}-[0-9]+-0", *(claim.replace(".", r"\\.") for claim in watched.claims)])
    match = f'{{namespace="{namespace}",persistentvolumeclaim=~"{claims}"}}'
    free, size = (
        f"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_{kind}_bytes{match})"
        for kind in ("available", "capacity")
    )
    return f"100 * (1 - {free} / {size})"


def _pods(nodes: Sequence[str]) -> str:
    return f'pod=~"{"|".join(f"{node}-0" for node in nodes)}"'


# --- alerts ---


def _rules(watched: WatchedChain, config: Monitoring, namespace: str) -> list[dict[str, Any]]:
    job = job_of(watched, namespace)
    rules = node_rules(watched, config, namespace, f"up{{{job},{_OWN}}}")
    rules += _progress_rules(watched, namespace, job)
    if watched.fewest_peers:
        rules.append(_peers_rule(watched, namespace, job))
    if watched.validators:
        rules += _validator_rules(watched, namespace, f"{job},{_pods(watched.validators)}")
    if watched.health:
        rules += _version_rules(watched, namespace, job)
    return [*rules, _volume_rule(watched, config, namespace)]


def _progress_rules(watched: WatchedChain, namespace: str, job: str) -> list[dict[str, Any]]:
    member, works = member_of(watched, namespace), _works(watched, job)
    # Three minutes without a block, and that for two: a node that has just started has five as well.
    made = f"changes({_height(watched, job)}[3m:30s])"
    logs = f"`kubectl -n {namespace} logs {POD} --all-containers --tail=100`"
    rules = [
        rule(
            "NodesteadChainStalled",
            f"max by (namespace) ({made} {works}) == 0",
            "2m",
            "critical",
            summary=f"No node of {watched.name} has a new block of {watched.chain_id}",
            description=f"No node {member} got a block of {watched.chain_id} for 5m, though they answer.",
            runbook="Look at an explorer of the chain first. If the chain goes on, the nodes have lost their peers or wait for an"
            " upgrade: see the logs. If it stands, its validators have to act, and yours may be one. A chain that makes no empty"
            " blocks stands whenever nobody uses it.",
        )
    ]
    if watched.nodes < 2:
        return rules
    behind = _behind(watched, job, job)
    before = _behind(watched, job, job, offset=" offset 10m")
    return [
        *rules,
        rule(
            "NodesteadNodeStuck",
            f"{made} == 0 {works} and on (namespace) max by (namespace) ({made}) > 0",
            "2m",
            "warning",
            summary=f"Node {POD} gets no blocks",
            description=f"Node {POD} {member} got no block for 5m, while other nodes of the set did.",
            runbook=f"Read {logs}: an error of consensus or of the application (a wrong binary, damaged data) stops a node that"
            " goes on answering; no peers and no errors: look at its peers.",
        ),
        rule(
            "NodesteadNodeBehind",
            f"{behind} > {_BEHIND} and {behind} >= {before} {works}",
            "5m",
            "warning",
            summary=f"Node {POD} is {ROUNDED} blocks behind",
            description=f"Node {POD} {member} is more than {_BEHIND} blocks behind the best one of them, and does not catch up.",
            runbook="A volume that is too slow is the usual cause, then too little CPU, then peers that are few or far away."
            f" Read {logs}.",
        ),
    ]


def _peers_rule(watched: WatchedChain, namespace: str, job: str) -> dict[str, Any]:
    up = f"max by (namespace, pod) (up{{{job},{_OWN}}})"
    # There is no such series before the first peer.
    peers = f"{_own(watched, 'p2p_peers', job)} or {up} * 0"
    return rule(
        "NodesteadFewPeers",
        f"({peers}) < {watched.fewest_peers} and {up} == 1",
        "10m",
        "warning",
        summary=f"Node {POD} has {COUNT} peers",
        description=f"Node {POD} {member_of(watched, namespace)} has fewer than {watched.fewest_peers} peers.",
        runbook="Do the addresses in peers (seeds, persistent) still answer? Does a firewall, or a NetworkPolicy of the namespace"
        " stop connections to outside? Peers that ban a node, or are of another network, show in its log.",
    )


def _validator_rules(watched: WatchedChain, namespace: str, match: str) -> list[dict[str, Any]]:
    made = _own(watched, "consensus_latest_block_height", match)
    signed = _own(watched, "consensus_validator_last_signed_height", match)
    member = member_of(watched, namespace)
    return [
        rule(
            "NodesteadValidatorMissesBlocks",
            f"{_missed_percent(watched, match)} > {_MISSED_PERCENT}",
            "5m",
            "warning",
            summary=f"Validator {POD} misses {ROUNDED}% of the blocks",
            description=f"Validator {POD} {member} has missed more than {_MISSED_PERCENT}% of the blocks of the last 15m;"
            " a chain may jail who misses too many.",
            runbook="Its votes come too late: look at its CPU, at the delay of its volume, and at its peers; with a remote signer"
            " also at the connection to it.",
        ),
        # Who was taken out of the validators counts no missed blocks any more, and after a start has no series at all.
        rule(
            "NodesteadValidatorNotSigning",
            f"changes({made}[5m:30s]) > 0 unless changes({signed}[5m:30s]) > 0",
            "5m",
            "critical",
            summary=f"Validator {POD} signs no blocks",
            description=f"Validator {POD} {member} follows {watched.chain_id}, and signed none of the blocks of the last 10m.",
            runbook="Is it among the validators of the chain (jailed, or not bonded yet)? Is its key the right one? Before you"
            " start the key elsewhere, be sure that this node is gone: two that sign with one key lose their stake.",
        ),
    ]


def _version_rules(watched: WatchedChain, namespace: str, job: str) -> list[dict[str, Any]]:
    member = member_of(watched, namespace)
    name, height = "{{ $labels.name }}", "{{ $labels.height }}"
    versions = f"blockchainNodeSets.{watched.name}.versions"
    add = (
        f"Add to {versions} an entry with `height: {height}` and, as image, the release that the proposal of upgrade {name}"
        " names; then update the stack. The nodes"
    )

    def upgrade(metric: str, match: str) -> str:
        return f"max by (namespace, name, height) ({metric}{{{match}}}) == 1"

    rules = [
        rule(
            "NodesteadChainUpgradeMissing",
            upgrade("nodestead_chain_upgrade_missing", job),
            "1m",
            "critical",
            summary=f"Nodes of {watched.name} stop before block {height}: no version for upgrade {name}",
            description=f"Upgrade {name} of {watched.chain_id} begins at block {height}, and no entry of versions {member}"
            " has that height: its nodes make no blocks from there on.",
            runbook=f"{add} go on by themselves.",
        ),
        rule(
            "NodesteadNodeHalted",
            f"max by (namespace, pod) (nodestead_chain_halted{{{job}}}) == 1",
            "1m",
            "critical",
            summary=f"Node {POD} has made its last block",
            description=f"Node {POD} {member} has come to the haltHeight of its last version; none is there for the next block.",
            runbook=f"Add to {versions} the version for the blocks from there on, or take haltHeight away, and update the stack."
            f" `kubectl -n {namespace} logs {POD} -c health` says which block is next.",
        ),
    ]
    if watched.versions is not None:
        known = "|".join(map(str, watched.versions))
        rules.append(
            rule(
                "NodesteadChainUpgradeAhead",
                upgrade("nodestead_chain_upgrade_planned", f'{job},height!~"{known}"'),
                "5m",
                "warning",
                summary=f"No version of {watched.name} for upgrade {name} at block {height}",
                description=f"{watched.chain_id} plans upgrade {name} for block {height}, and no entry of versions {member}"
                " has that height. Without one the nodes stop there.",
                runbook=f"{add} change over by themselves when that block is due.",
            )
        )
    return rules


def _volume_rule(watched: WatchedChain, config: Monitoring, namespace: str) -> dict[str, Any]:
    claim, percent = "{{ $labels.persistentvolumeclaim }}", config.quota_used_percent
    return rule(
        "NodesteadVolumeNearlyFull",
        f"{_volume_percent(watched, namespace)} > {percent}",
        "15m",
        "warning",
        summary=f"Volume {claim} is {ROUNDED}% full",
        description=f"The volume of claim {claim}, of a node {member_of(watched, namespace)}, is more than {percent}% full;"
        " a node whose volume is full stops, and may damage its database.",
        runbook="Raise persistence.size, or nodes.<number>.size for a single node, where the storage class can expand volumes."
        " Pruning takes effect on new data only; a node that starts from a snapshot needs less.",
    )


# --- dashboard ---


def _panels(watched: WatchedChain, config: Monitoring) -> list[dict[str, Any]]:
    job = job_of(watched, "$namespace")
    match = f'{job},instance=~"$instance"'
    own = f"{match},{_OWN}"
    panels = [
        nodes_panel(f"up{{{job},{_OWN}}}", watched.nodes),
        panel("timeseries", "Height", "none", {"{{pod}}": _height(watched, match)}, from_zero=False),
        panel("timeseries", "Blocks behind the best node", "short", {"{{pod}}": _behind(watched, match, job)}),
        panel("timeseries", "Peers", "short", {"{{pod}}": _own(watched, "p2p_peers", match)}),
    ]
    if watched.health:
        upgrades = {
            f"{{{{name}}}} at {{{{height}}}}, {state}": f"max by (name, height) (nodestead_chain_upgrade_{state}{{{match}}})"
            for state in ("planned", "missing")
        }
        panels += [
            panel("timeseries", "Age of the last block", "s", {"{{pod}}": f"nodestead_chain_block_age_seconds{{{match}}}"}),
            panel(
                "stat",
                "Nodes in sync, and halted",
                "short",
                {
                    "In sync": f"sum(nodestead_chain_in_sync{{{match}}})",
                    "Halted": f"sum(nodestead_chain_halted{{{match}}})",
                },
            ),
            panel("stat", "Nodes by version", "short", {"{{version}}": f"sum by (version) (nodestead_chain_version{{{match}}})"}),
            panel("timeseries", "Upgrades", "short", upgrades),
        ]
    if watched.validators:
        missed = _missed_percent(watched, f"{match},{_pods(watched.validators)}")
        panels.append(panel("timeseries", "Missed blocks of 15 minutes", "percent", {"{{pod}}": missed}))
    volumes = {"{{persistentvolumeclaim}}": _volume_percent(watched, "$namespace")}
    panels.append(share_panel("Volumes", volumes, config.quota_used_percent))
    again = f"{restarts('$namespace')} and on (namespace, pod) up{{{own}}}"
    return [*panels, *process_panels(own, again)]
