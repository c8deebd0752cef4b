"""How data comes to a new node of a running network: from the genesis on, by state sync, or out of a snapshot's archive.

The snapshots are of a validator of the very network, with what it had signed; each node that starts from one has to find
its own way to the file, and to end whole.
"""

import hashlib
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from chain_images import BASE
from chain_servers import file_server, put_file, served
from chain_sets import (
    ALL_AT_ONCE,
    HOME,
    SIMAPP,
    answer_of,
    apply_sets,
    block_hash,
    chain_set,
    committed,
    height,
    log,
    planned,
    read_file,
    rpc,
    seed_of,
    status,
    wait_height,
)
from cluster import apply, kubectl, until, wait_gone, wait_ready

from nodestead.chain_keys import node_id
from nodestead.kubernetes.network_policy import API_CLIENT
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.pod import CONTAINER_SECURITY, POD_SECURITY

pytestmark = pytest.mark.cluster

PUBLIC: dict[str, Any] = SIMAPP | {"minGasPrice": "0stake"}
SERVING: dict[str, Any] = SIMAPP | {"app": {"stateSync": {"snapshotInterval": 2, "snapshotKeepRecent": 20}}}
PACKERS = {"lz4": ("lz4", "-q"), "zst": ("zstd", "-q"), "gz": ("gzip", "-n")}


def data_pod(namespace: str, name: str, claim: str) -> None:
    """Runs a pod that has a claim of a stopped node at /data."""
    container = {
        "name": "main",
        "image": BASE,
        "command": ["sleep", "infinity"],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY | {"runAsUser": 1025, "runAsGroup": 1025, "fsGroup": 1025},
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    }
    pod: Manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    apply([pod])
    kubectl("wait", "--for=condition=Ready", "--namespace", namespace, f"pod/{name}", "--timeout=60s")


def in_data(namespace: str, name: str, *command: str) -> str:
    """What a command prints in such a pod."""
    return kubectl("exec", "--namespace", namespace, name, "--", *command)


class Chain:
    """A network of four validators, snapshots of one of them on a server, and nodes that join."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        local = {"kind": "local", "validators": 4}
        self.hub = chain_set(SERVING, replicas=4, network=local, rollout=ALL_AT_ONCE)
        apply_sets(planned(namespace, hub=self.hub), wait=False)
        self.files = file_server(namespace)
        wait_ready(namespace, [f"hub-{ordinal}" for ordinal in range(4)], 120)
        # Above two snapshots of the state, and so that an archive has blocks to be told by.
        wait_height(namespace, "hub-3", 6)
        self.signed = self._archives(folder)
        whole = (folder / "data.tar.zst").read_bytes()
        (folder / "cut.tar.zst").write_bytes(whole[: len(whole) * 2 // 3])
        for path in folder.iterdir():
            put_file(namespace, path.name, path)
        put_file(namespace, "addrbook.json", json.dumps(self._address_book()).encode())
        self.folder = folder
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        synced = {"rpcServers": [f"http://hub-{n}-p2p:26657" for n in range(2)], "trustServers": True, "trustOffset": 3}
        book = {"kind": "url", "url": f"{self.files}/addrbook.json"}
        loose = PUBLIC | {"config": {**PUBLIC["config"], "p2p": {"addrBookStrict": False}}}
        self.join(
            fifth=joining(software=loose, peersFrom=[], addressBook=book),
            synced=joining(stateSync=synced),
            lz4=self.restored("data.tar.lz4", sha256=sums["data.tar.lz4"]),
            zst=self.restored("data.tar.zst", "?break=30000"),
            gz=self.restored("data.tar.gz", "?break=40000&times=2&ranges=0"),
            cut=self.restored("cut.tar.zst"),
            sum=self.restored("data.tar.gz", sha256=sums["data.tar.lz4"]),
        )

    def _archives(self, folder: Path) -> int:
        """Packs the data of hub-3 while it is stopped; gives the block that it had signed last."""
        scale = ("scale", "statefulset", "hub-3", "--namespace", self.namespace)
        kubectl(*scale, "--replicas=0")
        wait_gone(self.namespace, "pod/hub-3-0")
        data_pod(self.namespace, "packer", "data-hub-3-0")
        command = (
            "kubectl",
            "exec",
            "--namespace",
            self.namespace,
            "packer",
            "--",
            "tar",
            "-C",
            "/data",
            "--sort=name",
            "-c",
            "data",
        )
        packed = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        state = in_data(self.namespace, "packer", "cat", "/data/data/priv_validator_state.json")
        kubectl("delete", "pod", "packer", "--namespace", self.namespace, "--now")
        kubectl(*scale, "--replicas=1")
        for suffix, packer in PACKERS.items():
            done = subprocess.run([*packer, "-c"], input=packed, check=True, capture_output=True)
            (folder / f"data.tar.{suffix}").write_bytes(done.stdout)
        return int(json.loads(state)["height"])

    def _address_book(self) -> dict[str, Any]:
        """One that knows hub-2 and nobody else."""
        path = "jsonpath={.spec.clusterIP}"
        ip = kubectl("get", "service", "hub-2-p2p", "--namespace", self.namespace, "--output", path)
        address = {"id": node_id(seed_of("hub"), 2, 1), "ip": ip, "port": 26656}
        times = dict.fromkeys(("last_attempt", "last_success", "last_ban_time"), "0001-01-01T00:00:00Z")
        known = {"addr": address, "src": address, "buckets": [7], "attempts": 0, "bucket_type": 1, **times}
        return {"key": "5eed" * 6, "addrs": [known]}

    def join(self, **sets: Any) -> None:
        """Brings more sets to the network."""
        apply_sets(planned(self.namespace, hub=self.hub, **sets), wait=False, besides=["hub"])

    def restored(self, name: str, query: str = "", sha256: str | None = None) -> dict[str, Any]:
        """A set that starts from a snapshot of the server."""
        return joining(snapshot={"kind": "url", "url": f"{self.files}/{name}{query}", "sha256": sha256})

    def prepared(self, node: str, *options: str) -> str:
        """What the preparation of a node wrote."""
        return log(self.namespace, node, "prepare", *options)

    def must_have_joined(self, node: str) -> None:
        """Waits until a node has the blocks of the network."""
        wait_ready(self.namespace, [node], 90)
        head = height(self.namespace, "hub-0")
        wait_height(self.namespace, node, head, 60)
        assert block_hash(self.namespace, node, head) == block_hash(self.namespace, "hub-0", head)
        assert status(self.namespace, node)["node_info"]["id"] == node_id(seed_of(node.removesuffix("-0")), 0, 1)

    def must_be_restored(self, node: str) -> None:
        """Waits likewise, and sees to it that the blocks until the snapshot's came with it, and nothing else did."""
        self.must_have_joined(node)
        assert committed(self.namespace, node)[0] >= self.signed
        assert earliest(self.namespace, node) == 1
        # It is a node of its own, which has signed nothing.
        assert json.loads(read_file(self.namespace, node, "data/priv_validator_state.json"))["height"] == "0"
        assert answer_of(self.namespace, node, "ls", f"{HOME}/.nodestead") == "restored.json\n"

    def must_be_empty(self, node: str) -> None:
        """Looks at the claim of a node that could not start: there is no part of a database."""
        data_pod(self.namespace, f"look-{node}", f"data-{node}-0")
        found = in_data(self.namespace, f"look-{node}", "find", "/data/data", "-mindepth", "1").split()
        assert found == ["/data/data/priv_validator_state.json"]
        kubectl("delete", "pod", f"look-{node}", "--namespace", self.namespace, "--now")

    def restarts(self, node: str) -> int:
        path = 'jsonpath={.status.initContainerStatuses[?(@.name=="prepare")].restartCount}'
        return int(kubectl("get", "pod", f"{node}-0", "--namespace", self.namespace, "--output", path))


def joining(software: Any = PUBLIC, **given: Any) -> dict[str, Any]:
    """The config of a set of one node that joins the network."""
    genesis = {"kind": "url", "url": "http://hub-rpc:26657/genesis"}
    # The hub opens its RPC to pods that say so.
    return chain_set(software, **({"genesis": genesis, "peersFrom": [{"set": "hub"}], "pod": {"labels": API_CLIENT}} | given))


def earliest(namespace: str, node: str) -> int:
    """The first block that a node has."""
    return int(status(namespace, node)["sync_info"]["earliest_block_height"])


@pytest.fixture(scope="module")
def chain(chain_images: None, module_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    missing = [packer for packer, *_ in PACKERS.values() if shutil.which(packer) is None]
    if missing:
        pytest.skip(f"NOT TESTED: snapshots; there is no {', '.join(missing)} on this machine to pack them")
    return Chain(module_namespace, tmp_path_factory.mktemp("snapshots"))


# --- without a snapshot ---


def test_a_fifth_node_makes_all_blocks_from_the_genesis_on(chain: Chain) -> None:
    chain.must_have_joined("fifth-0")
    assert committed(chain.namespace, "fifth-0")[:3] == [1, 2, 3]
    # Its genesis came out of the answer of a node, the same to the last value.
    given = rpc(chain.namespace, "hub-0", "genesis")["genesis"]
    assert json.loads(read_file(chain.namespace, "fifth-0", "config/genesis.json")) == given


def test_a_node_with_no_peers_but_its_address_book_finds_the_network(chain: Chain) -> None:
    chain.must_have_joined("fifth-0")
    assert "nodestead: address book in place" in chain.prepared("fifth-0")
    config = tomllib.loads(read_file(chain.namespace, "fifth-0", "config/config.toml"))
    assert (config["p2p"]["persistent_peers"], config["p2p"]["seeds"]) == ("", "")
    peers = {peer["node_info"]["id"] for peer in rpc(chain.namespace, "fifth-0", "net_info")["peers"]}
    assert node_id(seed_of("hub"), 2, 1) in peers


def test_a_node_by_state_sync_has_no_early_blocks_and_syncs_only_once(chain: Chain) -> None:
    chain.must_have_joined("synced-0")
    first = earliest(chain.namespace, "synced-0")
    assert first > 1
    blocks = committed(chain.namespace, "synced-0")
    assert blocks[0] >= first
    assert "as 2 RPC server(s) say" in chain.prepared("synced-0")

    kubectl("delete", "pod", "synced-0-0", "--namespace", chain.namespace, "--force", "--grace-period=0")
    chain.must_have_joined("synced-0")
    assert earliest(chain.namespace, "synced-0") == first
    assert committed(chain.namespace, "synced-0")[0] >= blocks[-1]
    config = tomllib.loads(read_file(chain.namespace, "synced-0", "config/config.toml"))
    assert config["statesync"]["enable"] is False


# --- from snapshots ---


def test_a_node_starts_from_an_archive_of_lz4(chain: Chain) -> None:
    chain.must_be_restored("lz4-0")


def test_a_download_goes_on_where_connections_break(chain: Chain) -> None:
    chain.must_be_restored("zst-0")
    size = (chain.folder / "data.tar.zst").stat().st_size
    answers = [line.split() for line in served(chain.namespace) if line.startswith("GET /data.tar.zst?break=30000 ")]
    wanted = [(str(206 if first else 200), f"bytes={first}-") for first in range(0, size, 30000)]
    assert [(code, asked) for _, _, code, asked, _ in answers] == wanted


def test_a_server_that_cannot_go_on_in_the_middle_is_read_again(chain: Chain) -> None:
    chain.must_be_restored("gz-0")
    answers = [line.split() for line in served(chain.namespace) if line.startswith("GET /data.tar.gz?break=40000")]
    assert [code for _, _, code, _, _ in answers] == ["200"] * 3
    assert "the server cannot go on in the middle; reading the first 39.1 KiB again" in chain.prepared("gz-0")


def test_a_cut_archive_leaves_nothing_and_the_whole_one_is_taken_later(chain: Chain) -> None:
    said = "nodestead: the compressed data ends in the middle; the file is cut off, at its source or on the way\n"
    until("it says so", lambda: said in chain.prepared("cut-0") + chain.prepared("cut-0", "--previous"))
    until("it tries again", lambda: chain.restarts("cut-0") > 0)
    chain.must_be_empty("cut-0")
    put_file(chain.namespace, "cut.tar.zst", chain.folder / "data.tar.zst")
    # A new pod, so that nobody has to wait for the kubelet's patience to end.
    kubectl("delete", "pod", "cut-0-0", "--namespace", chain.namespace)
    chain.must_be_restored("cut-0")


def test_an_archive_with_another_checksum_is_not_taken(chain: Chain) -> None:
    wrong, right = (hashlib.sha256((chain.folder / f"data.tar.{one}").read_bytes()).hexdigest() for one in ("lz4", "gz"))
    said = f"nodestead: {chain.files}/data.tar.gz has SHA-256 {right}, and the config says {wrong}; correct the one that is wrong"
    until("it says so", lambda: said in chain.prepared("sum-0") + chain.prepared("sum-0", "--previous"))
    until("it tries again", lambda: chain.restarts("sum-0") > 0)
    chain.must_be_empty("sum-0")


def test_a_restore_that_is_killed_in_the_middle_ends_whole(chain: Chain) -> None:
    query = "?rate=4000&times=1"
    chain.join(killed=chain.restored("data.tar.gz", query))
    pod = ("pod", "killed-0-0", "--namespace", chain.namespace)
    listing = ("exec", "killed-0-0", *pod[2:], "--container", "prepare", "--", "find", f"{HOME}/.nodestead/restore", "-type", "f")
    until("a part of a database", lambda: "application.db/" in kubectl(*listing), every=0.2)
    kubectl("delete", *pod, "--force", "--grace-period=0")
    chain.must_be_restored("killed-0")
    assert len([line for line in served(chain.namespace) if query in line]) == 2
