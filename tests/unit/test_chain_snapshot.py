"""A snapshot comes to the home of a chain node whole or not at all, whoever is killed and whatever breaks."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from chain_agents import AGENTS, Pod, Web, tar_of
from chain_homes import DATABASE, SIGNED, SNAPSHOT, TAR, WHOLE, ask_for_snapshot, has_signed, restored, sign_state


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
