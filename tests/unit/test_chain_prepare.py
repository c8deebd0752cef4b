"""What runs before a chain node, for real: as a process of its own, against web servers on this machine, and killed at will."""

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chain_agents import AGENTS, Pod, Resource, Web, address_of, key_json, tar_of

DATABASE = {"data/application.db/CURRENT": b"MANIFEST-1\n", "data/blockstore.db/1.log": bytes(1_000_000), "wasm/w": b"w"}
TAR = tar_of({**DATABASE, "data/priv_validator_state.json": b'{"height":"9"}', "config/genesis.json": b"{}"})
SNAPSHOT = gzip.compress(TAR, 1)
SIGNED = {"height": "7", "round": 0, "step": 3}


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


def config(pod: Pod) -> dict[str, Any]:
    return tomllib.loads((pod.home / "config" / "config.toml").read_text())


def restored(pod: Pod) -> dict[str, bytes]:
    """What lies in the home beside its config."""
    return {
        str(path.relative_to(pod.home)): path.read_bytes()
        for path in sorted(pod.home.rglob("*"))
        if path.is_file() and path.relative_to(pod.home).parts[0] not in {"config", ".nodestead"}
    }


def sign_state(pod: Pod) -> dict[str, Any]:
    return json.loads((pod.data / "priv_validator_state.json").read_bytes())


def has_signed(pod: Pod) -> None:
    pod.data.mkdir(exist_ok=True)
    (pod.data / "priv_validator_state.json").write_text(json.dumps(SIGNED))


# --- keys ---


def test_keys_come_to_memory_for_their_user_alone(pod: Pod) -> None:
    consensus = pod.keys / "priv_validator_key.json"
    pod.node["keys"] |= {"consensus": str(consensus), "consensus_address": address_of(2)}
    log = pod.prepare()
    for name in ("node_key.json", "priv_validator_key.json"):
        copy = pod.root / "memory" / name
        assert copy.read_bytes() == (pod.keys / name).read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert json.loads(copy.read_bytes())["priv_key"]["value"] not in log
    assert sign_state(pod) == {"height": "0", "round": 0, "step": 0}


def test_a_node_that_signs_nothing_has_a_key_of_its_own_to_load(pod: Pod) -> None:
    pod.prepare()
    assert (pod.root / "memory" / "priv_validator_key.json").read_text() == key_json(9)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("node_key.json", None, "cannot be read (No such file or directory)"),
        ("node_key.json", "secret words", "is not the JSON of a CometBFT key"),
        ("node_key.json", '{"priv_key": "secret words"}', "is not the JSON of a CometBFT key"),
        ("node_key.json", key_json(3), f"has id {address_of(3)}, and peers expect {address_of(1)}; restore the Secret"),
        (
            "priv_validator_key.json",
            key_json(3),
            f"has address {address_of(3).upper()}, not {address_of(2)}; correct signer.addresses, or restore the Secret",
        ),
    ],
)
def test_a_wrong_key_is_refused_and_never_shown(pod: Pod, name: str, content: str | None, said: str) -> None:
    pod.node["keys"] |= {"consensus": str(pod.keys / "priv_validator_key.json"), "consensus_address": address_of(2)}
    (pod.keys / name).unlink()
    if content is not None:
        (pod.keys / name).write_text(content)
    refusal = pod.refusal()
    assert said in refusal
    assert "secret words" not in refusal


@pytest.mark.parametrize("way", ["again", "snapshot", "script", "interrupted state sync", "other genesis"])
def test_what_a_validator_has_signed_is_never_lowered(pod: Pod, web: Web, way: str) -> None:
    has_signed(pod)
    if way == "snapshot":
        web.files["/s"] = Resource(SNAPSHOT)
        pod.node["snapshot"] = {"kind": "url", "url": f"{web.url}/s", "sha256": None}
    elif way == "script":
        script = "mkdir -p data/a.db && echo '{}' > $DATA_DIR/priv_validator_state.json"
        pod.node["snapshot"] = {"kind": "script", "script": script}
    elif way == "interrupted state sync":
        (pod.home / ".nodestead").mkdir()
        (pod.home / ".nodestead" / "syncing.json").write_text("{}")
    elif way == "other genesis":
        empty_store(pod)
        (pod.home / "config").mkdir()
        (pod.home / "config" / "genesis.json").write_text('{"chain_id": "hub-1", "old": 1}')
        (pod.root / "genesis.json").write_text('{"chain_id": "hub-1", "new": 1}')
        pod.node["genesis"] = {"kind": "inline", "path": str(pod.root / "genesis.json")}
    pod.prepare()
    assert sign_state(pod) == SIGNED


def holds_a_key(pod: Pod) -> None:
    pod.node["keys"] |= {"consensus": str(pod.keys / "priv_validator_key.json"), "consensus_address": address_of(2)}


def test_blocks_without_a_record_of_what_was_signed_start_no_validator(pod: Pod) -> None:
    holds_a_key(pod)
    pod.prepare()
    empty_store(pod)
    pod.prepare()
    (pod.data / "priv_validator_state.json").unlink()
    refusal = pod.refusal()
    assert f"{pod.data / 'priv_validator_state.json'} is gone, which says what this validator has signed" in refusal
    assert 'write {"height": "H", "round": 0, "step": 0}' in refusal
    assert not (pod.data / "priv_validator_state.json").exists()
    pod.node["keys"]["consensus"] = None
    pod.prepare()
    assert sign_state(pod)["height"] == "0"


def double_sign_check(pod: Pod) -> int | None:
    pod.prepare()
    return config(pod).get("consensus", {}).get("double_sign_check_height")


def test_a_key_that_may_have_signed_elsewhere_looks_at_the_last_blocks_first(pod: Pod) -> None:
    assert double_sign_check(pod) is None, "it signs nothing"
    holds_a_key(pod)
    assert double_sign_check(pod) == 20
    pod.node["files"]["config"] = {"consensus": {"double_sign_check_height": 7}}
    assert double_sign_check(pod) == 20
    pod.node["files"]["config"] = {"consensus": {"double_sign_check_height": 50}}
    assert double_sign_check(pod) == 50, "who asks for more gets it"
    pod.node["files"]["config"] = {}
    has_signed(pod)
    assert double_sign_check(pod) is None, "its own record says where it was"


def test_the_validators_of_a_new_network_have_signed_nowhere_else(pod: Pod) -> None:
    holds_a_key(pod)
    pod.node |= {"software": "cometbft", "genesis": {"kind": "local", "time": LOCAL["genesis_time"], "patch": LOCAL}}
    assert double_sign_check(pod) is None


# --- genesis and address book ---


def test_a_genesis_is_had_from_a_url_whatever_its_query(pod: Pod, web: Web) -> None:
    content = gzip.compress(b'{"chain_id": "hub-1", "from": "url"}')
    web.files["/genesis.json.gz"] = Resource(content)
    url = f"{web.url}/genesis.json.gz?raw=true"
    pod.node["genesis"] = {"kind": "url", "url": url, "sha256": hashlib.sha256(content).hexdigest()}
    assert "?raw" not in pod.prepare()
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes()) == {"chain_id": "hub-1", "from": "url"}
    del web.files["/genesis.json.gz"]
    pod.prepare()


@pytest.mark.parametrize(
    ("content", "sha256", "said"),
    [
        (b'{"chain_id": "hub-2"}', None, "the genesis is of chain 'hub-2', and the config says 'hub-1'"),
        (b"{}", None, "the genesis is of chain None, and the config says 'hub-1'"),
        (b'{"chain_id": "hub-1"}', "0" * 64, "has SHA-256"),
    ],
)
def test_a_wrong_genesis_never_reaches_the_home(pod: Pod, web: Web, content: bytes, sha256: str | None, said: str) -> None:
    web.files["/g"] = Resource(content)
    pod.node["genesis"] = {"kind": "url", "url": f"{web.url}/g", "sha256": sha256}
    assert said in pod.refusal()
    assert not (pod.home / "config" / "genesis.json").exists()


def test_a_home_of_another_chain_is_refused(pod: Pod) -> None:
    pod.prepare()
    pod.node["chain_id"] = "hub-2"
    assert "is of chain 'hub-1', and the config says 'hub-2'" in pod.refusal()


@pytest.mark.parametrize("where", ["$GENESIS_FILE", "genesis.json", "$CONFIG_DIR/genesis.json"])
def test_a_script_gives_the_genesis(pod: Pod, where: str) -> None:
    pod.node["genesis"] = {"kind": "script", "script": f'echo \'{{"chain_id": "hub-1", "from": "script"}}\' | cat > "{where}"'}
    pod.prepare()
    assert "script" in (pod.home / "config" / "genesis.json").read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "the script for the genesis exits with 3"),
        ("no-such-program-here", "exits with 127, a command that the agent image lacks"),
        ("false | cat > $GENESIS_FILE", "exits with 1"),
        ("false; echo {} > $GENESIS_FILE", "exits with 1"),
        ("true", "the script for the genesis wrote no $GENESIS_FILE"),
    ],
)
def test_a_script_that_fails_anywhere_is_told(pod: Pod, script: str, said: str) -> None:
    pod.node["genesis"] = {"kind": "script", "script": script}
    done = pod.run()
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert not (pod.home / "config" / "genesis.json").exists()


@pytest.mark.parametrize("kind", ["zip", "json"])
def test_an_address_book_is_fetched_once_and_to_its_own_file(pod: Pod, web: Web, kind: str) -> None:
    content = b'{"addrs": []}'
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("x/addrbook.json", content)
        content = out.getvalue()
    web.files["/book"] = Resource(content)
    pod.node["address_book"] = {"kind": "url", "url": f"{web.url}/book"}
    pod.prepare()
    assert json.loads((pod.home / "config" / "addrbook.json").read_bytes()) == {"addrs": []}
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes())["chain_id"] == "hub-1"
    pod.prepare()
    assert len(web.asked) == 1


LOCAL = {"chain_id": "hub-1", "genesis_time": "2026-01-31T00:00:00Z", "validators": [{"power": "10"}], "app_hash": ""}


def test_a_default_genesis_of_an_unknown_shape_is_told(pod: Pod) -> None:
    pod.node["genesis"] = {"kind": "local", "time": None, "patch": {**LOCAL, "bond_denom": "x", "accounts": [], "gen_txs": []}}
    assert "genesis.json has not the shape of a genesis that is known here (KeyError('app_state'))" in pod.refusal()


def test_the_script_runs_by_itself_and_imports_nothing_of_the_package(pod: Pod) -> None:
    done = subprocess.run(pod.command(), env=pod.env(), cwd="/", capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "nodestead: genesis in place (default)\nnodestead: ready\n"


def test_a_local_genesis_is_made_from_the_default_one(pod: Pod) -> None:
    pod.node |= {"software": "cometbft", "genesis": {"kind": "local", "time": LOCAL["genesis_time"], "patch": LOCAL}}
    pod.prepare()
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes()) == LOCAL


def empty_store(pod: Pod) -> None:
    """Databases of a node that has started and has no block: the block store's manifest names a journal, and that is empty."""
    (pod.data / "state.db").mkdir(parents=True)
    store = pod.data / "blockstore.db"
    store.mkdir()
    record = b"\x01\x1aleveldb.BytewiseComparator\x02\x01\x03\x02\x04\x00"
    (store / "MANIFEST-000000").write_bytes(checksummed(record))
    (store / "CURRENT").write_text("MANIFEST-000000\n")
    (store / "000001.log").touch()


def checksummed(record: bytes) -> bytes:
    """One record of a goleveldb journal: masked CRC-32C, length, kind 1."""
    crc = 0xFFFFFFFF
    for byte in b"\x01" + record:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little") + len(record).to_bytes(2, "little") + b"\x01" + record


def with_block(pod: Pod, height: int) -> None:
    """A block store whose journal holds the height: one batch with one put."""
    value = b"\x08\x01\x10" + bytes([height])
    batch = (1).to_bytes(8, "little") + (1).to_bytes(4, "little") + b"\x01\x0ablockStore" + bytes([len(value)]) + value
    (pod.data / "blockstore.db" / "000001.log").write_bytes(checksummed(batch))


@pytest.mark.parametrize("blocks", [False, True])
def test_a_changed_genesis_counts_until_the_first_block(pod: Pod, blocks: bool) -> None:
    given = pod.root / "genesis.json"
    given.write_text('{"chain_id": "hub-1", "old": 1}')
    pod.node["genesis"] = {"kind": "inline", "path": str(given)}
    pod.prepare()
    empty_store(pod)
    if blocks:
        with_block(pod, 5)
    given.write_text('{"old": 1,\n "chain_id": "hub-1"}')
    pod.prepare()
    assert (pod.data / "blockstore.db").exists()
    given.write_text('{"chain_id": "hub-1", "new": 1}')
    log = pod.prepare()
    assert ("keeping the one" in log) == blocks
    assert ("new" in (pod.home / "config" / "genesis.json").read_text()) != blocks
    assert (pod.data / "blockstore.db").exists() == blocks


def test_a_changed_genesis_never_empties_data_that_cannot_be_read(pod: Pod) -> None:
    given = pod.root / "genesis.json"
    given.write_text('{"chain_id": "hub-1", "old": 1}')
    pod.node["genesis"] = {"kind": "inline", "path": str(given)}
    pod.prepare()
    (pod.data / "blockstore.db").mkdir()
    (pod.data / "blockstore.db" / "CURRENT").write_text("OTHER-1\n")
    given.write_text('{"chain_id": "hub-1", "new": 1}')
    assert "keeping the one" in pod.prepare()
    assert (pod.data / "blockstore.db").exists()


# --- secret URLs ---


def test_secret_urls_come_from_the_environment_and_stand_nowhere(pod: Pod, web: Web) -> None:
    web.files["/genesis.json"] = Resource(b'{"chain_id": "hub-1"}')
    web.files["/book.json"] = Resource(b'{"addrs": []}')
    web.files["/snap.tar.gz"] = Resource(SNAPSHOT)
    pod.node["genesis"] = {"kind": "url", "url": "$GENESIS_URL", "sha256": None}
    pod.node["address_book"] = {"kind": "url", "url": "$ADDRESS_BOOK_URL", "sha256": None}
    pod.node["snapshot"] = {"kind": "url", "url": "$SNAPSHOT_URL", "sha256": None}
    names = {"GENESIS_URL": "genesis.json", "ADDRESS_BOOK_URL": "book.json", "SNAPSHOT_URL": "snap.tar.gz"}
    log = pod.prepare({name: f"{web.url}/{file}?token=hunter2\n" for name, file in names.items()})
    assert sorted(path for path, _ in web.asked) == [f"/{file}?token=hunter2" for file in sorted(names.values())]
    assert restored(pod) == WHOLE
    everything = b"".join(path.read_bytes() for path in pod.home.rglob("*") if path.is_file())
    assert "hunter2" not in log
    assert b"hunter2" not in everything


@pytest.mark.parametrize("env", [{}, {"SNAPSHOT_URL": ""}])
def test_a_secret_without_the_url_is_told(pod: Pod, env: dict[str, str]) -> None:
    pod.node["snapshot"] = {"kind": "url", "url": "$SNAPSHOT_URL", "sha256": None}
    assert "the Secret has no URL for SNAPSHOT_URL; add the entry" in pod.refusal(env)


# --- snapshot ---


def ask_for_snapshot(pod: Pod, web: Web, sha256: str | None = None, **server: Any) -> None:
    web.files["/snap.tar.gz"] = Resource(**{"content": SNAPSHOT, **server})
    pod.node["snapshot"] = {"kind": "url", "url": f"{web.url}/snap.tar.gz?raw=true", "sha256": sha256}


WHOLE = {**DATABASE, "data/priv_validator_state.json": b'{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}\n'}


@pytest.mark.parametrize("content", [TAR, SNAPSHOT], ids=["tar", "tar.gz"])
def test_a_snapshot_is_restored_once(pod: Pod, web: Web, content: bytes) -> None:
    ask_for_snapshot(pod, web, hashlib.sha256(content).hexdigest().upper(), content=content)
    pod.prepare()
    assert restored(pod) == WHOLE
    assert sorted(path.name for path in (pod.home / ".nodestead").iterdir()) == ["restored.json"]
    pod.prepare()
    assert len(web.asked) == 1


def test_a_snapshot_is_restored_from_a_server_that_breaks_all_the_time(pod: Pod, web: Web) -> None:
    content = tar_of({**DATABASE, "data/state.db/1": os.urandom(400_000)})
    ask_for_snapshot(pod, web, content=content, breaks_after=800_000)
    assert "the connection ended early" in pod.prepare()
    assert restored(pod)["data/blockstore.db/1.log"] == bytes(1_000_000)
    assert web.asked[1] == ("/snap.tar.gz?raw=true", "bytes=800000-")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"content": SNAPSHOT[:-2000]}, "ends in the middle"),
        ({"ends_at": 3000, "length": False}, "ends in the middle"),
        ({"content": TAR, "ends_at": 1_000_000, "length": False}, "cut off"),
        ({"content": TAR, "ends_at": len(TAR) - 10240, "length": False}, "cut off"),
        ({"content": SNAPSHOT + b"garbage"}, "something else follows"),
        ({"content": b"<html>sorry</html>"}, "no tar archive"),
        ({"content": tar_of({"data/x": b"x"})}, "no database"),
        ({"content": tar_of({**DATABASE, "data/../../x": b"x"})}, "leads outside"),
        ({"sha256": "0" * 64}, "has SHA-256"),
        ({"sha256": "0" * 64, "content": SNAPSHOT[:-2000]}, "has SHA-256"),
        ({"statuses": [404]}, "404 Not Found; check the URL of the snapshot"),
    ],
    ids="cut-gz cut-no-length cut-tar cut-tar-end garbage html no-database traversal checksum cut-checksum missing".split(),
)
def test_a_bad_snapshot_leaves_no_trace_and_the_next_run_ends_whole(
    pod: Pod, web: Web, server: dict[str, Any], said: str
) -> None:
    ask_for_snapshot(pod, web, **server)
    assert said in pod.refusal()
    assert list(restored(pod)) == ["data/priv_validator_state.json"]
    assert not (pod.home / ".nodestead" / "moves.json").exists()
    ask_for_snapshot(pod, web)
    pod.prepare()
    assert restored(pod) == WHOLE


def test_data_that_is_there_is_left_alone(pod: Pod, web: Web) -> None:
    (pod.data / "application.db").mkdir(parents=True)
    ask_for_snapshot(pod, web)
    pod.prepare()
    assert web.asked == []


def test_a_restored_home_that_was_emptied_is_not_restored_in_silence(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web)
    pod.prepare()
    for database in pod.data.glob("*.db"):
        shutil.rmtree(database)
    assert "to restore it again, remove" in pod.prepare()
    assert len(web.asked) == 1


@pytest.mark.parametrize("folder", ["$RESTORE_DIR", "$CHAIN_HOME", "."])
def test_a_script_restores_a_snapshot(pod: Pod, folder: str) -> None:
    script = f'mkdir -p "{folder}/data/application.db" && echo 1 > "{folder}/data/application.db/CURRENT"'
    pod.node["snapshot"] = {"kind": "script", "script": script}
    pod.prepare()
    assert restored(pod)["data/application.db/CURRENT"] == b"1\n"


def test_a_script_that_breaks_in_a_pipe_restores_nothing(pod: Pod) -> None:
    pod.node["snapshot"] = {"kind": "script", "script": "mkdir -p data/application.db; false | cat; true"}
    assert "the script for the snapshot exits with 1" in pod.refusal()
    assert list(restored(pod)) == ["data/priv_validator_state.json"]


def test_a_pod_that_is_deleted_does_not_wait_for_a_silent_server(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web, content=TAR, stalls_at=900_000)
    process = subprocess.Popen(pod.command(), env=pod.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert web.stalled.wait(30)
    process.terminate()
    assert process.wait(10) == 143


def test_a_kill_in_the_middle_of_unpacking_leaves_nothing_of_it(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web, content=TAR, stalls_at=900_000)
    process = subprocess.Popen(pod.command(), env=pod.env(), stdout=subprocess.DEVNULL)
    part = pod.home / ".nodestead" / "restore" / "data" / "blockstore.db" / "1.log"
    try:
        assert web.stalled.wait(30)
        over = time.monotonic() + 30
        while not part.exists() and time.monotonic() < over:
            time.sleep(0.02)
        assert part.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(restored(pod)) == ["data/priv_validator_state.json"]
    ask_for_snapshot(pod, web)
    pod.prepare()
    assert restored(pod) == WHOLE


# Each node is prepared by a process that is killed before its nth change of the file system, and then by one that is not.
KILLED = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
import chain_prepare, chain_height
left = 1 << 30
def counted(change):
    def wrapper(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return change(*args, **kwargs)
    return wrapper
for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
def run(node, changes):
    global left
    left = changes
    child = os.fork()
    if child == 0:
        os._exit(chain_prepare.main([node]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
for change, node in enumerate(sys.argv[2:]):
    print(json.dumps([run(node, change), run(node, 1 << 30)]), file=sys.stderr)
"""


def test_a_kill_at_any_point_is_made_good_by_the_next_run(tmp_path: Path, web: Web) -> None:
    pods = [Pod(tmp_path / str(number)) for number in range(60)]
    content = tar_of({**DATABASE, "data/cs.wal/wal": b"new", "data/priv_validator_state.json": b"{}"})
    for pod in pods:
        has_signed(pod)
        (pod.data / "cs.wal").mkdir()
        (pod.data / "cs.wal" / "old").touch()
        ask_for_snapshot(pod, web, content=content)
    command = [sys.executable, "-c", KILLED, str(AGENTS), *(pod.command()[-1] for pod in pods)]
    done = subprocess.run(command, env=pods[0].env(), capture_output=True, text=True, timeout=120, check=True)
    codes = [json.loads(line) for line in done.stderr.splitlines()]
    killed = [first == -signal.SIGKILL for first, _ in codes]
    assert killed.index(False) > 20
    assert not any(killed[killed.index(False) :])
    for pod, (_, second) in zip(pods, codes, strict=True):
        assert second == 0, pod.root
        assert sign_state(pod) == SIGNED, pod.root
        there = restored(pod)
        del there["data/priv_validator_state.json"]
        assert there == {**DATABASE, "data/cs.wal/wal": b"new"}, pod.root
        assert [path.name for path in (pod.home / ".nodestead").iterdir()] == ["restored.json"], pod.root


# --- state sync ---


def header(height: int, chain_id: str = "hub-1", mark: str = "AB") -> dict[str, Any]:
    return {
        "result": {
            "signed_header": {
                "header": {"height": str(height), "chain_id": chain_id},
                "commit": {"block_id": {"hash": (mark + f"{height:04X}").ljust(64, "0")}},
            }
        }
    }


def rpc(latest: int, **kind: str) -> Callable[[str], bytes]:
    def answer(path: str) -> bytes:
        height = path.partition("height=")[2]
        return json.dumps(header(int(height) if height else latest, **kind)).encode()

    return answer


@pytest.fixture
def two(web: Web) -> Iterator[tuple[Web, Web]]:
    other = Web()
    yield web, other
    other.close()


def ask_for_sync(pod: Pod, *servers: Web, **given: Any) -> None:
    pod.node["state_sync"] = {
        "rpc_servers": [server.url for server in servers],
        "trust_height": None,
        "trust_hash": None,
        "trust_offset": 1000,
        **given,
    }


def test_a_state_sync_trusts_what_two_servers_say(pod: Pod, two: tuple[Web, Web]) -> None:
    two[0].files["/commit"] = Resource(rpc(5010))
    two[1].files["/commit"] = Resource(rpc(5000))
    ask_for_sync(pod, *two)
    assert "state sync trusts block 4000" in pod.prepare()
    assert config(pod)["statesync"] == {
        "enable": True,
        "rpc_servers": f"{two[0].url},{two[1].url}",
        "trust_height": 4000,
        "trust_hash": "AB0FA0".ljust(64, "0"),
        "trust_period": "168h0m0s",
    }


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (rpc(5000), rpc(5000, mark="CD"), "the RPC servers disagree on block 4000"),
        (rpc(5000), rpc(5000, chain_id="hub-2"), "is on chain 'hub-2', not 'hub-1'; correct rpcServers"),
        (rpc(5000), None, "a state sync needs the word of two RPC servers"),
        (rpc(5000), lambda _: b"<html>", "a state sync needs the word of two RPC servers"),
        (rpc(5000), lambda _: b'{"error": {}}', "a state sync needs the word of two RPC servers"),
    ],
)
def test_a_state_sync_trusts_nobody_else(pod: Pod, two: tuple[Web, Web], first: Any, second: Any, said: str) -> None:
    for server, answers in zip(two, (first, second), strict=True):
        if answers is not None:
            server.files["/commit"] = Resource(answers)
    ask_for_sync(pod, *two)
    assert said in pod.refusal()
    assert not (pod.home / ".nodestead" / "syncing.json").exists()


def test_a_given_block_is_trusted_without_asking(pod: Pod) -> None:
    given = {"trust_height": 12, "trust_hash": "ab" * 32, "rpc_servers": ["http://127.0.0.1:9"]}
    ask_for_sync(pod, **given)
    pod.prepare()
    found = config(pod)["statesync"]
    assert (found["trust_height"], found["trust_hash"]) == (12, "AB" * 32)
    assert found["rpc_servers"] == "http://127.0.0.1:9,http://127.0.0.1:9"


def test_a_given_height_gets_its_hash(pod: Pod, web: Web) -> None:
    web.files["/commit"] = Resource(rpc(5000))
    ask_for_sync(pod, web, trust_height=12)
    pod.prepare()
    assert config(pod)["statesync"]["trust_hash"] == "AB000C".ljust(64, "0")


def test_an_interrupted_state_sync_begins_again(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    (pod.data / "application.db").mkdir()
    (pod.data / "application.db" / "half").touch()
    assert "a state sync was interrupted" in pod.prepare()
    assert list(restored(pod)) == ["data/priv_validator_state.json"]
    assert config(pod)["statesync"]["enable"] is True


def test_a_state_sync_that_has_ended_is_never_begun_again(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    with_block(pod, 15)
    assert "the state sync has ended; the data is at block 15" in pod.prepare()
    assert config(pod)["statesync"]["enable"] is False
    (pod.data / "blockstore.db" / "000001.log").write_bytes(b"")
    pod.prepare()
    assert (pod.data / "blockstore.db").exists()
    assert config(pod)["statesync"]["enable"] is False


def test_data_of_a_state_sync_that_cannot_be_read_is_kept(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    (pod.data / "blockstore.db").mkdir()
    (pod.data / "blockstore.db" / "CURRENT").write_text("OTHER-1\n")
    assert "whether it has ended cannot be read from this database; keeping the data" in pod.prepare()
    assert (pod.data / "blockstore.db" / "CURRENT").exists()
    assert [path.name for path in (pod.home / ".nodestead").iterdir()] == ["synced.json"]
    assert config(pod)["statesync"]["enable"] is False


def test_a_height_that_the_node_told_of_says_that_its_state_sync_has_ended(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    (pod.data / "nodestead-height").write_text("15\n")
    assert "the state sync has ended; the data is at block 15" in pod.prepare()
    assert (pod.data / "blockstore.db").exists()


@pytest.mark.parametrize("way", ["sync", "snapshot"])
def test_a_home_that_was_emptied_is_not_synced_in_silence(pod: Pod, web: Web, way: str) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    if way == "snapshot":
        ask_for_snapshot(pod, web)
        pod.prepare()
    else:
        pod.prepare()
        empty_store(pod)
        with_block(pod, 15)
        pod.prepare()
    for database in pod.data.glob("*.db"):
        shutil.rmtree(database)
    assert "to sync it again, remove" in pod.prepare()
    assert config(pod)["statesync"]["enable"] is False


def test_data_that_came_otherwise_is_not_synced(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web)
    ask_for_sync(pod, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    assert config(pod)["statesync"]["enable"] is False


# --- address ---


@pytest.mark.parametrize(
    ("address", "announced"),
    [
        ({"from": "none"}, ""),
        ({"from": "fixed", "host": "hub.example.org", "port": 26656}, "hub.example.org:26656"),
        ({"from": "fixed", "host": "2001:db8::1", "port": 26656}, "[2001:db8::1]:26656"),
        ({"from": "host", "port": 30100}, "203.0.113.7:30100"),
        ({"from": "lookup", "url": "{web}/ip", "port": 30100}, "203.0.113.8:30100"),
        ({"from": "node", "port": 30100}, "203.0.113.9:30100"),
    ],
)
def test_the_announced_address_comes_from_where_it_is_known(pod: Pod, web: Web, address: dict[str, Any], announced: str) -> None:
    account = pod.root / "account"
    account.mkdir()
    (account / "token").write_text("token-1\n")
    addresses = [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "ExternalIP", "address": "2001:db8::9"},
        {"type": "ExternalIP", "address": "203.0.113.9"},
    ]
    web.files["/api/v1/nodes/node-1"] = Resource(json.dumps({"status": {"addresses": addresses}}).encode())
    web.files["/ip"] = Resource(b"203.0.113.8\n")
    pod.node["address"] = {**address, "url": address.get("url", "").replace("{web}", web.url)}
    env = {"HOST_IP": "203.0.113.7", "NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(account)}
    pod.prepare(env)
    assert config(pod)["p2p"]["external_address"] == announced
    if address["from"] == "node":
        assert web.headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"from": "host", "port": 1}, "HOST_IP gives '', which is no IP address"),
        ({"from": "lookup", "url": "{web}/html", "port": 1}, "/html gives '<html>', which is no IP address"),
        ({"from": "lookup", "url": "{web}/loop", "port": 1}, "gives 127.0.0.1, which no peer can dial"),
        ({"from": "lookup", "url": "{web}/none", "port": 1}, "/none does not answer (404 Not Found)"),
        ({"from": "node", "port": 1}, "node node-1 has no ExternalIP to announce; choose another externalAddress"),
    ],
)
def test_an_address_that_nobody_could_dial_is_refused(pod: Pod, web: Web, address: dict[str, Any], said: str) -> None:
    (pod.root / "token").write_text("token-1\n")
    web.files |= {"/html": Resource(b"<html>"), "/loop": Resource(b"127.0.0.1")}
    web.files["/api/v1/nodes/node-1"] = Resource(b'{"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}')
    pod.node["address"] = {**address, "url": address.get("url", "").replace("{web}", web.url)}
    assert said in pod.refusal({"NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(pod.root)})


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_api_server_refuses_is_told_with_its_remedy(pod: Pod, web: Web, status: int) -> None:
    (pod.root / "token").write_text("token-1\n")
    web.files["/api/v1/nodes/node-1"] = Resource(b"", statuses=[status])
    pod.node["address"] = {"from": "node", "port": 1}
    refusal = pod.refusal({"NODE_NAME": "node-1", "KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": str(pod.root)})
    assert f"does not answer ({status} " in refusal
    assert "get on nodes" in refusal
    assert "token-1" not in refusal


# --- config ---


def test_the_config_is_laid_over_the_binarys_own(pod: Pod) -> None:
    (pod.defaults / "app.toml").write_text('minimum-gas-prices = ""\n[telemetry]\nglobal-labels = []\n')
    (pod.defaults / "client.toml").write_text('chain-id = ""\n')
    pod.node["files"] = {
        "config": {"p2p": {"max-num-inbound-peers": 7, "seed_mode": True}},
        "app": {"minimum-gas-prices": "0uatom", "telemetry": {"global-labels": [["chain_id", "hub-1"]]}},
        "client": {"chain_id": "hub-1"},
    }
    log = pod.prepare()
    found = config(pod)
    assert found["moniker"] == "hub-0"
    assert found["p2p"] == {"external_address": "", "max_num_inbound_peers": 7, "seed_mode": True}
    assert found["statesync"]["trust_period"] == "168h0m0s"
    assert "config.toml: not in the default file of this version, written all the same: p2p.seed_mode" in log
    home = pod.home / "config"
    assert tomllib.loads((home / "app.toml").read_text()) == pod.node["files"]["app"]
    assert tomllib.loads((home / "client.toml").read_text()) == {"chain-id": "hub-1"}


def test_a_moniker_that_is_given_counts(pod: Pod) -> None:
    pod.node["files"]["config"] = {"moniker": "other"}
    pod.prepare()
    assert config(pod)["moniker"] == "other"


def test_several_versions_have_files_of_their_own(pod: Pod) -> None:
    newer = pod.root / "defaults" / "h100" / "config"
    newer.mkdir(parents=True)
    (newer / "config.toml").write_text('[p2p]\nexternal-address = ""\nnew-key = 1\n')
    pod.node["versions"].append({"name": "h100", "height": 100, "halt_height": None, "defaults": str(newer.parent)})
    pod.node["address"] = {"from": "fixed", "host": "203.0.113.9", "port": 1}
    pod.prepare()
    files = pod.root / "run" / "files"
    assert tomllib.loads((files / "h0" / "config.toml").read_text())["p2p"]["external_address"] == "203.0.113.9:1"
    assert tomllib.loads((files / "h100" / "config.toml").read_text()) == {
        "moniker": "hub-0",
        "p2p": {"external-address": "203.0.113.9:1", "new-key": 1},
    }
    assert not (pod.home / "config" / "config.toml").exists()


@pytest.mark.parametrize(
    ("default", "given", "said"),
    [
        (None, {}, "the binary's init left no"),
        ("[p2p", {}, "config.toml: "),
        ("[p2p]\n", {"p2p": 1}, "config.toml: p2p is a table for this version, and a value was given"),
    ],
)
def test_a_config_that_cannot_be_made_is_refused(pod: Pod, default: str | None, given: dict[str, Any], said: str) -> None:
    (pod.defaults / "config.toml").unlink()
    if default is not None:
        (pod.defaults / "config.toml").write_text(default)
    pod.node["files"]["config"] = given
    assert said in pod.refusal()


@pytest.mark.parametrize(
    ("default", "written"),
    [
        # SDK 0.47 commits the block of halt-height and stops; SDK 0.50 refuses to execute it.
        ("halt-height = 0\niavl-cache-size = 781250\n", 15),
        ("halt-height = 0\nquery-gas-limit = 0\n", 16),
    ],
)
def test_the_last_block_is_the_one_asked_for_whatever_the_sdk_means_by_it(pod: Pod, default: str, written: int) -> None:
    (pod.defaults / "app.toml").write_text(default)
    pod.node["versions"][0]["halt_height"] = 15
    pod.prepare()
    assert tomllib.loads((pod.home / "config" / "app.toml").read_text())["halt-height"] == written


def test_what_else_init_leaves_is_kept_and_never_overwritten(pod: Pod) -> None:
    (pod.defaults / "oracle.toml").write_text("a = 1\n")
    (pod.defaults / "node_key.json").write_text("of init")
    pod.prepare()
    (pod.home / "config" / "oracle.toml").write_text("a = 2\n")
    pod.prepare()
    assert (pod.home / "config" / "oracle.toml").read_text() == "a = 2\n"
    assert not (pod.home / "config" / "node_key.json").exists()


def test_leftovers_are_removed(pod: Pod) -> None:
    for folder in ("tmp", ".nodestead/scratch", ".nodestead/restore"):
        (pod.home / folder).mkdir(parents=True)
        (pod.home / folder / "x").touch()
    pod.prepare()
    assert list((pod.home / ".nodestead").iterdir()) == []
    # State sync unpacks there, and makes no folder for it.
    assert list((pod.home / "tmp").iterdir()) == []


def test_a_second_run_changes_nothing(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web)
    pod.prepare()
    before = {path: path.read_bytes() for path in pod.home.rglob("*") if path.is_file()}
    pod.prepare()
    assert {path: path.read_bytes() for path in pod.home.rglob("*") if path.is_file()} == before


def test_the_services_of_peers_are_waited_for_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import chain_network

    asked: list[str] = []

    def resolves(host: str) -> bool:
        asked.append(host)
        return host == "hub-1-p2p" or asked.count(host) > 2

    monkeypatch.setattr(chain_network, "_resolves", resolves)
    monkeypatch.setattr(chain_network.time, "sleep", lambda _: None)
    peers = f"{'a' * 40}@hub-1-p2p:26656,{'b' * 40}@sentries-0-p2p.hub:26656,{'c' * 40}@seed.example.org:26656"
    chain_network.wait_for_services(peers)
    assert asked == ["hub-1-p2p", "sentries-0-p2p.hub", "sentries-0-p2p.hub", "sentries-0-p2p.hub"]
    assert capsys.readouterr().out == "nodestead: waiting for the Services of peers: sentries-0-p2p.hub\n"


def test_a_service_that_never_comes_holds_the_node_back_for_a_while_only(capsys: pytest.CaptureFixture[str]) -> None:
    import chain_network

    chain_network.wait_for_services(f"{'a' * 40}@nowhere-0-p2p.invalid:26656", seconds=0)
    assert "no such Service: nowhere-0-p2p.invalid; starting without these peers" in capsys.readouterr().out


def test_a_damaged_record_of_what_a_validator_signed_stops_it(pod: Pod) -> None:
    holds_a_key(pod)
    state = pod.data / "priv_validator_state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("{")
    assert "priv_validator_state.json, which says what this validator has signed, is damaged" in pod.refusal()
    assert state.read_text() == "{"
