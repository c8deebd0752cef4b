"""The extra pod of a node runs the version that the node runs: the real scripts, a node that says what a test wants."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chain_actors import free_port
from chain_agents import AGENTS, Resource, Web
from chain_follow import Follower
from chain_gate import Turns, Version

VERSIONS = ["h0", "h10", "h20"]


# --- the turns, without processes ---


class Programs(dict[str, Turns]):
    """The programs of a pod; `wait` is a container that starts, or starts anew."""

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__({name: Turns(folder=folder / name, versions=[Version(one) for one in VERSIONS]) for name in names})
        for turns in self.values():
            turns.folder.mkdir(parents=True, exist_ok=True)

    def wait(self, name: str, version: str, token: str) -> None:
        self[name].put(version, "waiting", token)

    def run(self, name: str, version: str) -> None:
        """It takes the turn that it was given."""
        (self[name].folder / f"{version}.waiting").rename(self[name].folder / f"{version}.running")

    def granted(self) -> dict[str, str]:
        return {
            f"{name} {one}": token for name, turns in self.items() for one in VERSIONS if (token := turns.token(one, "grant"))
        }

    def close(self) -> None:
        for turns in self.values():
            turns.close()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path / "gate", "a", "b")
    for name in made:
        for version in VERSIONS:
            made.wait(name, version, f"{name}{version}1")
    yield made
    made.close()


def says(web: Web, answer: Any) -> None:
    web.files["/version"] = Resource(json.dumps(answer).encode())


def follower_of(web: Web, programs: Programs, tmp_path: Path) -> Follower:
    return Follower(web.url, tmp_path / "gate", programs, VERSIONS)


def turn(follower: Follower) -> None:
    follower.ask_node()
    follower.step()


def test_every_program_gets_the_version_of_the_node(web: Web, programs: Programs, tmp_path: Path) -> None:
    follower = follower_of(web, programs, tmp_path)
    turn(follower)
    assert programs.granted() == {}, "the node is silent, and its version is not known"
    says(web, {"version": "h10"})
    turn(follower)
    assert programs.granted() == {"a h10": "ah101", "b h10": "bh101"}
    assert [follower.live("a", version) for version in VERSIONS] == [(200, "idle"), (200, "runs"), (200, "idle")]


def test_the_next_version_starts_when_the_one_before_waits_again(web: Web, programs: Programs, tmp_path: Path) -> None:
    follower = follower_of(web, programs, tmp_path)
    says(web, {"version": "h0"})
    turn(follower)
    for name in programs:
        programs.run(name, "h0")
    says(web, {"version": "h10"})
    turn(follower)
    assert programs.granted() == {"a h0": "ah01", "b h0": "bh01"}
    assert follower.live("a", "h0") == (503, "the node runs version h10")
    assert follower.live("a", "h10") == (200, "idle")
    programs.wait("a", "h0", "ah02")
    assert follower.live("a", "h0") == (200, "idle")
    turn(follower)
    assert programs.granted() == {"a h0": "ah01", "a h10": "ah101", "b h0": "bh01"}
    assert follower.live("a", "h10") == (200, "runs")


@pytest.mark.parametrize("answer", [None, {"version": None}, {"version": "h99"}, {"version": 3}, {}, [], "h10"])
def test_a_node_that_tells_nothing_new_changes_nothing(
    web: Web, programs: Programs, tmp_path: Path, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    follower = follower_of(web, programs, tmp_path)
    says(web, {"version": "h0"})
    turn(follower)
    programs.run("a", "h0")
    web.files.clear()
    if answer is not None:
        says(web, answer)
    caplog.set_level("INFO")
    for _ in range(3):
        turn(follower)
    assert follower.live("a", "h0") == (200, "runs")
    assert [one.message for one in caplog.records] == (
        ["the node runs version h99, which this pod does not have yet"] if answer == {"version": "h99"} else []
    )
    programs.wait("a", "h0", "ah02")
    turn(follower)
    assert programs.granted()["a h0"] == "ah02", "a program that ended goes on as the version that it was"


def test_a_new_process_knows_the_version_while_the_node_is_silent(web: Web, programs: Programs, tmp_path: Path) -> None:
    says(web, {"version": "h10"})
    turn(follower_of(web, programs, tmp_path))
    programs.run("a", "h10")
    programs.close()
    web.files.clear()
    another = follower_of(web, programs, tmp_path)
    assert another.live("a", "h10") == (200, "runs")
    programs.wait("a", "h10", "ah102")
    turn(another)
    assert programs.granted()["a h10"] == "ah102"


def test_who_runs_before_the_node_was_ever_heard_goes_on(web: Web, programs: Programs, tmp_path: Path) -> None:
    programs["a"].put("h0", "grant", "ah01")
    programs.run("a", "h0")
    assert follower_of(web, programs, tmp_path).live("a", "h0") == (200, "runs")


def test_a_version_that_the_pod_has_no_more_is_forgotten(web: Web, programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "gate" / ".node-version").write_text("h99\n")
    assert follower_of(web, programs, tmp_path).version is None


def test_a_second_one_gives_no_turn(web: Web, programs: Programs, tmp_path: Path) -> None:
    says(web, {"version": "h0"})
    first = follower_of(web, programs, tmp_path)
    assert all(turns.is_only() for turns in first.programs.values())
    others = Programs(tmp_path / "gate", "a", "b")
    turn(follower_of(web, others, tmp_path))
    assert programs.granted() == {}


# --- the real scripts ---

# Says that it runs, and when somebody else does.
PROGRAM = """
import fcntl, os, sys, time
with open("ledger", "a", buffering=1) as ledger, open("alone", "a") as alone:
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        ledger.write("TWO\\n")
        sys.exit(9)
    ledger.write(os.environ["VERSION"] + " " + " ".join(sys.argv[1:]) + "\\n")
    time.sleep(300)
"""
# The loop twenty times as fast.
FOLLOW = """
import runpy, sys, time
real = time.sleep
time.sleep = lambda seconds: real(seconds / 20)
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Pod:
    """An extra pod of one program under a kubelet that starts what ended, and ends what its probe calls dead."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder, self.port = folder, free_port()
        fast = folder / "fast"
        fast.mkdir()
        (fast / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.05\n")
        (fast / "sleep").chmod(0o755)
        (folder / "program.py").write_text(PROGRAM)
        script, port = str(AGENTS / "chain_follow.py"), str(self.port)
        options = ["--node", node, "--port", port, "--versions", ",".join(VERSIONS), "simd"]
        self.commands = {"follow": [sys.executable, "-c", FOLLOW, script, *options]}
        run = ["sh", str(AGENTS / "chain_node.sh"), sys.executable, str(folder / "program.py"), "start", "--a flag"]
        self.commands |= dict.fromkeys(VERSIONS, run)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: list[str] = []

    def env(self, name: str) -> dict[str, str]:
        gate = self.folder / "gate"
        base = {"PATH": f"{self.folder / 'fast'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1", "CHAIN_HOME": "/nowhere"}
        return base | ({"GATE": str(gate)} if name == "follow" else {"GATE": str(gate / "simd"), "VERSION": name})

    def turn(self) -> None:
        for name, command in self.commands.items():
            process = self.running.get(name)
            if process is None or process.poll() is not None:
                with (self.folder / f"{name}.log").open("ab") as log:
                    self.running[name] = subprocess.Popen(
                        command, env=self.env(name), cwd=self.folder, stdout=log, stderr=log, start_new_session=True
                    )
        for version in VERSIONS:
            if self.probe(f"live/simd/{version}") == 503:
                # A container that has just started anew has yet to say that it waits.
                self.killed += [version] if version not in self.killed[-1:] else []
                self.kill(version)

    def probe(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def kill(self, name: str) -> None:
        process = self.running[name]
        process.kill()
        process.wait()

    def starts(self) -> list[str]:
        ledger = self.folder / "ledger"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        assert "TWO" not in lines, "two versions at once"
        assert all(line.endswith(" start --a flag") for line in lines)
        return [line.split()[0] for line in lines]

    def until(self, expected: list[str], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while self.starts() != expected:
            if time.monotonic() > end:
                logs = "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))
                raise AssertionError(f"{self.starts()} and not {expected} in {seconds} s:\n{logs}")
            self.turn()
            time.sleep(0.05)

    def during(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            time.sleep(0.05)


@pytest.fixture
def pod(tmp_path: Path, web: Web) -> Iterator[Pod]:
    made = Pod(tmp_path, web.url)
    yield made
    for name in made.running:
        made.kill(name)


def test_the_pod_goes_with_its_node_from_version_to_version(pod: Pod, web: Web) -> None:
    pod.during(0.6)
    assert pod.starts() == [], "the node has said nothing yet"
    says(web, {"version": "h0"})
    pod.until(["h0"])
    assert [pod.probe(path) for path in ("alive", "version", "live/simd/h0", "live/simd/h99", "live/x/h0", "x")] == [
        *(200, 200, 200),
        *(404, 404, 404),
    ]
    says(web, {"version": "h10"})
    pod.until(["h0", "h10"])
    assert pod.killed == ["h0"]
    says(web, {"version": None})
    pod.during(0.5)
    says(web, {"version": "h20"})
    pod.until(["h0", "h10", "h20"])
    assert pod.killed == ["h0", "h10"]


def test_while_the_node_is_down_the_version_goes_on_whatever_ends(pod: Pod, web: Web) -> None:
    says(web, {"version": "h10"})
    pod.until(["h10"])
    web.close()
    pod.during(0.5)
    pod.kill("follow")
    pod.during(0.5)
    assert (pod.starts(), pod.killed) == (["h10"], [])
    pod.kill("h0")
    pod.kill("h10")
    pod.until(["h10", "h10"])
    pod.kill("follow")
    pod.kill("h10")
    pod.until(["h10", "h10", "h10"])
    assert pod.killed == []
