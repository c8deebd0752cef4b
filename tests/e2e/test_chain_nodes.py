"""Networks of real nodes: they make blocks, outlive the loss of a pod, run as the stack says, and are reached by whom it says."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from chain_images import BASE
from chain_sets import (
    ALL_AT_ONCE,
    HOME,
    KVSTORE,
    SIMAPP,
    answer_of,
    apply_sets,
    block_hash,
    chain_set,
    fetched,
    height,
    node_config,
    planned,
    read_file,
    ready_nodes,
    rpc,
    seed_of,
    set_of,
    status,
    wait_height,
)
from cluster import KubectlError, apply, kubectl, until, wait_ready
from storage_groups import free_node_ports

from nodestead.chain_keys import consensus_address, node_id
from nodestead.kubernetes.network_policy import API_CLIENT
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.pod import CONTAINER_SECURITY, POD_SECURITY

pytestmark = pytest.mark.cluster

HUB = ["hub-0", "hub-1", "hub-2", "hub-3"]
SEED = seed_of("hub")
KV = ["kv-0", "kv-1"]
# Values that no binary has by default.
SOFTWARE: dict[str, Any] = SIMAPP | {
    "minGasPrice": "0.001stake",
    "config": {
        "p2p": {"maxInboundPeers": 33, "sendRate": 1234567},
        "rpc": {"corsAllowedOrigins": ["https://*.example.org"]},
        "mempool": {"size": 1234, "keepInvalidTxsInCache": True},
        "consensus": {"timeoutCommit": "1s"},
    },
    "app": {
        "pruning": {"strategy": "custom", "keepRecent": 1000, "interval": 17},
        "indexEvents": ["message.sender"],
        "telemetry": {"enabled": False, "globalLabels": {"chain": "local"}},
    },
    "overrides": {"config": {"rpc": {"max_open_connections": 321}}},
}


def onlooker(namespace: str, name: str, labels: Mapping[str, str]) -> Manifest:
    """A pod that idles, to connect from."""
    container = {"name": "main", "image": BASE, "command": ["sleep", "infinity"], "securityContext": CONTAINER_SECURITY}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class Field:
    """The sets of this module, what was applied for them, and pods that look at them, also from another namespace."""

    def __init__(self, namespace: str, other: str) -> None:
        self.namespace, self.other = namespace, other
        self.node_port = free_node_ports(1)
        hub = chain_set(
            SOFTWARE,
            replicas=4,
            network={"kind": "local", "validators": 4},
            exposure={"kind": "nodePort", "first": 1, "basePort": self.node_port, "externalAddress": {"kind": "hostIP"}},
            monitoring={"from": [other]},
            rollout=ALL_AT_ONCE,
        )
        local = {"kind": "local", "validators": 2}
        kv = chain_set(KVSTORE, replicas=2, network=local, exposure={"kind": "loadBalancer", "first": 1}, rollout=ALL_AT_ONCE)
        apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}])
        plan = planned(namespace, hub=hub, kv=kv)
        self.applied = apply_sets(plan, wait=False)
        self.onlookers: dict[str, tuple[str, dict[str, str]]] = {
            "client": (namespace, API_CLIENT),
            "stranger": (namespace, {}),
            "foreigner": (other, {}),
            "foreign-client": (other, API_CLIENT),
        }
        apply(onlooker(where, name, labels) for name, (where, labels) in self.onlookers.items())
        wait_ready(namespace, [*set_of(plan, "hub"), *set_of(plan, "kv")], 120)
        for name, (where, _) in self.onlookers.items():
            kubectl("wait", "--for=condition=Ready", "--namespace", where, f"pod/{name}", "--timeout=60s")

    def run(self, name: str, *command: str) -> str:
        """What a command prints in the pod of an onlooker, whatever its exit code."""
        words = ("kubectl", "exec", "--namespace", self.onlookers[name][0], name, "--", *command)
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60).stdout.strip()

    def code(self, name: str, url: str) -> str:
        """The status that a URL answers to an onlooker; 000 for none."""
        return self.run(name, "curl", "-sS", "-m", "2", "--output", "/dev/null", "--write-out", "%{http_code}", url)

    def get(self, *args: str) -> Any:
        return json.loads(kubectl("get", *args, "--namespace", self.namespace, "--output", "json"))


@pytest.fixture(scope="module")
def field(chain_images: None, module_namespace: str, other_namespace: str) -> Field:
    return Field(module_namespace, other_namespace)


# --- blocks ---


def test_four_validators_make_one_chain_and_all_sign_it(field: Field) -> None:
    for node in HUB:
        wait_height(field.namespace, node, 5)
    assert len({block_hash(field.namespace, node, 4) for node in HUB}) == 1
    validators = {consensus_address(SEED, ordinal, 1) for ordinal in range(4)}
    assert {one["address"] for one in rpc(field.namespace, "hub-0", "validators")["validators"]} == validators

    def signers(at: int) -> set[str]:
        commit = rpc(field.namespace, "hub-0", f"commit?height={at}")["signed_header"]["commit"]
        return {one["validator_address"] for one in commit["signatures"] if one["signature"]}

    # A vote that comes late is left out of a block now and then.
    assert set().union(*map(signers, range(2, wait_height(field.namespace, "hub-0", 6)))) == validators


def test_a_set_of_cometbft_makes_blocks_with_its_own_application(field: Field) -> None:
    for node in KV:
        wait_height(field.namespace, node, 3)
    assert block_hash(field.namespace, "kv-0", 2) == block_hash(field.namespace, "kv-1", 2)
    sent = rpc(field.namespace, "kv-0", "broadcast_tx_commit?tx=%22key=value%22")
    wait_height(field.namespace, "kv-1", int(sent["height"]) + 1)
    answer = rpc(field.namespace, "kv-1", "abci_query?data=%22key%22")["response"]
    assert answer["value"] == "dmFsdWU="


# --- what a node is told, and what it runs with ---


def leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a file by their path; - and _ make no difference between keys."""
    for key, value in table.items():
        here = (*path, key.replace("-", "_"))
        if isinstance(value, dict):
            yield from leaves(cast("dict[str, Any]", value), here)
        else:
            yield here, value


def in_pod(field: Field, node: str, name: str) -> dict[tuple[str, ...], Any]:
    return dict(leaves(tomllib.loads(read_file(field.namespace, node, f"config/{name}.toml"))))


@pytest.mark.parametrize(
    ("node", "name"), [*((n, f) for n in HUB for f in ("config", "app", "client")), *((n, "config") for n in KV)]
)
def test_every_value_of_the_stack_is_in_the_running_nodes_file(field: Field, node: str, name: str) -> None:
    given = dict(leaves(node_config(field.applied, node)["files"][name]))
    found = in_pod(field, node, name)
    assert given
    assert {key: found.get(key) for key in given} == given


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config", "moniker", "hub-2"),
        ("config", "p2p.max_num_inbound_peers", 33),
        ("config", "p2p.send_rate", 1234567),
        ("config", "rpc.cors_allowed_origins", ["https://*.example.org"]),
        ("config", "rpc.max_open_connections", 321),
        ("config", "mempool.size", 1234),
        ("config", "mempool.keep_invalid_txs_in_cache", True),
        ("config", "consensus.timeout_commit", "1s"),
        ("config", "tx_index.indexer", "kv"),
        ("app", "minimum_gas_prices", "0.001stake"),
        ("app", "pruning", "custom"),
        ("app", "pruning_keep_recent", "1000"),
        ("app", "pruning_interval", "17"),
        ("app", "index_events", ["message.sender"]),
        ("app", "telemetry.global_labels", [["chain", "local"]]),
        ("client", "chain_id", "local-1"),
    ],
)
def test_what_a_user_writes_is_in_the_running_nodes_file(field: Field, name: str, key: str, value: Any) -> None:
    assert in_pod(field, "hub-2", name)[tuple(key.split("."))] == value


def test_each_node_dials_all_others_by_their_services(field: Field) -> None:
    ids = [node_id(SEED, ordinal, 1) for ordinal in range(4)]
    for ordinal, node in enumerate(HUB):
        others = sorted(f"{ids[other]}@hub-{other}-p2p:26656" for other in range(4) if other != ordinal)
        assert in_pod(field, node, "config")["p2p", "persistent_peers"].split(",") == others
        peers = rpc(field.namespace, node, "net_info")["peers"]
        assert {peer["node_info"]["id"] for peer in peers} == set(ids) - {ids[ordinal]}


def test_the_rpc_tells_what_the_stack_says(field: Field) -> None:
    for ordinal, node in enumerate(HUB):
        said = status(field.namespace, node)
        info = said["node_info"]
        assert info["id"] == node_id(SEED, ordinal, 1)
        assert (info["moniker"], info["network"]) == (node, "local-1")
        assert info["other"] == {"tx_index": "on", "rpc_address": "tcp://0.0.0.0:26657"}
        assert said["validator_info"]["address"] == consensus_address(SEED, ordinal, 1)
        if ordinal:
            assert info["listen_addr"] == "tcp://0.0.0.0:26656"
    prices = json.loads(fetched(field.namespace, "hub-3", "cosmos/base/node/v1beta1/config", 1317)[1])
    assert re.fullmatch("0[.]0010*stake", prices["minimum_gas_price"])


# --- what a node announces is where it is reached ---


def announced(field: Field, node: str) -> tuple[str, str]:
    address = str(status(field.namespace, node)["node_info"]["listen_addr"])
    assert in_pod(field, node, "config")["p2p", "external_address"] == address
    return address, address.rpartition(":")[0]


def must_speak(field: Field, address: str) -> None:
    """A node sends its part of a handshake to whoever connects."""
    host, _, port = address.rpartition(":")
    program = f"import socket; peer = socket.create_connection(({host!r}, {port}), 3); print(len(peer.recv(100)))"
    until(f"a node speaks at {address}", lambda: field.run("foreigner", "python3", "-c", program) > "0", seconds=15)


def test_behind_a_node_port_a_node_announces_its_host_and_that_port(field: Field) -> None:
    address, host = announced(field, "hub-0")
    assert host == field.get("pod", "hub-0-0")["status"]["hostIP"]
    assert address == f"{host}:{field.node_port}"
    must_speak(field, address)


def test_behind_a_load_balancer_a_node_announces_its_address(field: Field) -> None:
    address, host = announced(field, "kv-0")
    service = field.get("service", "kv-0-loadbalancer")
    assert [host] == [one["ip"] for one in service["status"]["loadBalancer"]["ingress"]]
    assert address == f"{host}:26656"
    must_speak(field, address)


# --- who may connect ---


def test_the_rpc_is_open_to_pods_with_the_label_and_closed_to_all_others(field: Field) -> None:
    url = f"http://hub-rpc.{field.namespace}:26657/status"
    until("a client reaches it", lambda: field.code("client", url) == "200")
    for other in ("stranger", "foreigner", "foreign-client"):
        assert field.code(other, url) == "000"
        # That the port for peers answers shows that the pod gets that far.
        must_speak(field, f"hub-1-p2p.{field.namespace}:26656")
    assert field.code("client", f"http://hub-rpc.{field.namespace}:1317/cosmos/base/tendermint/v1beta1/node_info") == "200"


def test_metrics_are_there_for_the_monitoring_namespace_and_nobody_else(field: Field) -> None:
    pod = field.get("pod", "hub-1-0")["status"]["podIP"]
    chain, ours = (field.run("foreigner", "curl", "-sS", "-m", "3", f"http://{pod}:{port}/metrics") for port in (26660, 1251))
    found = re.search(r'^\w+_consensus_height\{chain_id="local-1"\} (\S+)$', chain, re.MULTILINE)
    assert found is not None
    told = dict(line.rsplit(" ", 1) for line in ours.splitlines() if not line.startswith("#"))
    # The chain's own is that of the block which is being made.
    assert abs(float(told["nodestead_chain_height"]) - float(found[1])) <= 3
    assert (told["nodestead_chain_in_sync"], told["nodestead_chain_halted"]) == ("1", "0")
    for port in (26660, 1251):
        assert field.code("stranger", f"http://{pod}:{port}/metrics") == "000"


# --- how the processes run ---


def test_all_processes_run_as_1025_and_can_do_nothing_beyond(field: Field) -> None:
    namespace = json.loads(kubectl("get", "namespace", field.namespace, "--output", "json"))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for node in ("hub-0", "kv-1"):
        for container in ("node", "health"):
            lines = answer_of(field.namespace, node, "cat", "/proc/1/status", container=container).splitlines()
            told = dict(line.split(":", 1) for line in lines)
            assert told["Uid"].split() == told["Gid"].split() == ["1025"] * 4
            assert (told["CapEff"].strip("0\t"), told["CapBnd"].strip("0\t"), told["NoNewPrivs"].strip()) == ("", "", "1")
            assert told["Seccomp"].strip() == "2"
            with pytest.raises(KubectlError, match="Read-only file system"):
                answer_of(field.namespace, node, "touch", "/etc/written", container=container)


def test_keys_lie_in_memory_for_the_node_alone(field: Field) -> None:
    listed = answer_of(field.namespace, "hub-0", "ls", "-ln", "/run/nodestead-keys", container="node").splitlines()[1:]
    found = {line.split()[-1]: (line.split()[0][:10], line.split()[2]) for line in listed}
    assert found == dict.fromkeys(("node_key.json", "priv_validator_key.json"), ("-rw-------", "1025"))
    with pytest.raises(KubectlError, match="No such file"):
        answer_of(field.namespace, "hub-0", "ls", "/run/nodestead-keys")
    on_disk = answer_of(field.namespace, "hub-0", "find", HOME, "-name", "*_key.json")
    assert on_disk.split() == []


# --- the loss of a pod ---


def test_a_killed_pod_comes_back_with_its_key_and_data_and_catches_up(field: Field) -> None:
    node, namespace = "hub-1", field.namespace
    wait_height(namespace, node, 5)
    assert ready_nodes(namespace, "hub-rpc") == {f"{name}-0" for name in HUB}
    pod = field.get("pod", f"{node}-0")
    signed = sign_state(namespace, node)
    before = height(namespace, node)
    kubectl("delete", "pod", f"{node}-0", "--namespace", namespace, "--force", "--grace-period=0", "--wait=false")
    until("the Service forgets it", lambda: f"{node}-0" not in ready_nodes(namespace, "hub-rpc"), every=0.2)

    def other() -> bool:
        return bool(field.get("pod", f"{node}-0")["metadata"]["uid"] != pod["metadata"]["uid"])

    until("another pod", other)
    seen = until("it answers", lambda: height(namespace, node))
    assert seen >= before
    said = status(namespace, node)
    assert said["node_info"]["id"] == node_id(SEED, 1, 1)
    assert said["validator_info"]["address"] == consensus_address(SEED, 1, 1)
    assert int(said["sync_info"]["earliest_block_height"]) == 1
    wait_ready(namespace, [node], 60)
    head = height(namespace, "hub-0")
    assert head > before
    wait_height(namespace, node, head)
    assert block_hash(namespace, node, head) == block_hash(namespace, "hub-0", head)
    until("it signs on", lambda: sign_state(namespace, node) > max(signed, (head, 0, 0)))
    until("the Service has it again", lambda: f"{node}-0" in ready_nodes(namespace, "hub-rpc"))


def sign_state(namespace: str, node: str) -> tuple[int, int, int]:
    """What a validator has signed last, to be compared."""
    state = json.loads(read_file(namespace, node, "data/priv_validator_state.json"))
    return int(state["height"]), state["round"], state["step"]
