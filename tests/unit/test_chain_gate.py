"""Which version of a chain's program may run: the choice as a table, and the real scripts under a kubelet that misbehaves."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chain_actors import AGENTS, NODE, Kubelet, chain, chaos, database, end_height, node_json
from chain_gate import Gate, Situation, Version, decide, look_at
from chain_height import Heights, UpgradeInfo, heights

ONE = [Version("h0")]
HALT = [Version("h0", 0, 15), Version("h16", 16)]
GAP = [Version("h0", 0, 15), Version("h20", 20)]
LAST = [Version("h0", 0, 15)]
PLAN = [Version("h0"), Version("h30", 30)]
LONG = [Version("h0", 0, 15), Version("h16", 16), Version("h30", 30), Version("h50", 50, 60)]
LATE = [Version("h100", 100), Version("h200", 200)]


def at(application: int | None = None, block: int | None = None, *, upgrade: int | None = None, first: int = 1) -> Situation:
    return Situation(Heights(application, block), UpgradeInfo("next", upgrade) if upgrade else None, first)


@pytest.mark.parametrize(
    ("versions", "situation", "expected"),
    [
        # one version
        (ONE, at(), "h0"),
        (ONE, at(0, 0), "h0"),
        (ONE, at(7, 7), "h0"),
        (ONE, at(199, 200, upgrade=200), "h0"),  # its image may have been changed for the upgrade
        # a halt height
        (HALT, at(13, 13), "h0"),
        (HALT, at(14, 14), "h0"),
        (HALT, at(14, 15), "h0"),  # block 15 is stored, not committed: it is the old version's to commit
        (HALT, at(15, 15), "h16"),
        (HALT, at(15, 16), "h16"),
        (HALT, at(16, 16), "h16"),
        (HALT, at(90, 90), "h16"),
        (HALT, at(14, 15, upgrade=9), "h0"),  # of an earlier upgrade
        # nobody
        (GAP, at(14, 15), "h0"),
        (GAP, at(15, 15), None),
        (GAP, at(18, 19), None),
        (GAP, at(19, 19), "h20"),
        (LAST, at(14, 14), "h0"),
        (LAST, at(15, 15), None),
        (LAST, at(15, 16), None),
        (LAST, at(400, 400), None),
        # an upgrade that the chain decided
        (PLAN, at(28, 28), "h0"),
        (PLAN, at(29, 29), "h0"),  # nobody has written upgrade-info.json
        (PLAN, at(29, 30), "h0"),
        (PLAN, at(29, 30, upgrade=12), "h0"),
        (PLAN, at(29, 30, upgrade=30), "h30"),
        (PLAN, at(29, 29, upgrade=30), "h30"),
        (PLAN, at(28, 29, upgrade=30), "h0"),
        (PLAN, at(30, 30, upgrade=30), "h30"),
        (PLAN, at(30, 30), "h30"),
        (PLAN, at(31, 31), "h30"),
        # more versions, a snapshot newer than the first of them, versions that came later
        (LONG, at(15, 15), "h16"),
        (LONG, at(29, 30), "h16"),
        (LONG, at(29, 30, upgrade=30), "h30"),
        (LONG, at(35, 35), "h30"),
        (LONG, at(55, None), "h50"),
        (LONG, at(60, 60), None),
        # an older state was restored than any version knows
        (LATE, at(50, 50), None),
        (LATE, at(99, 99), "h100"),
        # no data: the first version, or the one whose blocks the chain begins with, or that state sync fetches
        (LATE, at(), "h100"),
        (LONG, at(), "h0"),
        (LONG, at(first=16), "h16"),
        (LONG, at(first=17), "h16"),
        (LONG, at(first=30), "h30"),
        (LONG, at(first=56), "h50"),
        (LONG, at(0, 0, first=30), "h30"),
        (LONG, at(None, 30, first=30), "h30"),  # the first block is stored
        # a database that cannot be read: what the consensus log calls finished is stored, and taken as committed
        (HALT, at(None, 14), "h0"),
        (HALT, at(None, 15), "h16"),
        (PLAN, at(None, 29), "h0"),
        (PLAN, at(None, 30), "h30"),
        (PLAN, at(None, 30, upgrade=30), "h30"),
        (PLAN, at(None, 29, upgrade=30), "h30"),
        # the application is ahead: restored by state sync, or its blocks are rolled back
        (HALT, at(15, 3), "h16"),
        (HALT, at(3, 15), "h0"),
    ],
)
def test_the_version_follows_from_the_next_block(versions: list[Version], situation: Situation, expected: str | None) -> None:
    decision = decide(versions, situation)
    assert decision.version == expected
    assert decision.reason
    assert decision.halted is (expected is None and versions is not LATE)


def test_a_chain_without_the_upgrade_module_switches_at_the_height() -> None:
    assert decide(PLAN, at(None, 29), upgrades=False).version == "h30"


def test_an_upgrade_that_leaves_no_word_is_tried_in_turns() -> None:
    stuck = at(29, 30)
    assert [decide(PLAN, stuck, ran=ran).version for ran in (None, "h0", "h30")] == ["h0", "h30", "h0"]
    assert decide(PLAN, at(29, 29), ran="h0").version == "h0", "the old version has yet to see block 30"


@pytest.mark.parametrize(("versions", "expected"), [(ONE, "h0"), (HALT, None), (LAST, None)])
def test_a_height_that_cannot_be_told_starts_nobody_who_might_be_wrong(versions: list[Version], expected: str | None) -> None:
    decision = decide(versions, Situation(Heights(unread=Path("/home/x/data/blockstore.db"))))
    assert decision.version == expected
    assert not decision.halted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    (made / "data").mkdir(parents=True)
    (made / "config").mkdir()
    return made


VERSIONS = [{"name": "h0", "halt_height": 15}, {"name": "h16", "height": 16}]


def test_state_sync_starts_the_version_of_the_trusted_block(home: Path, tmp_path: Path) -> None:
    node = node_json(home, VERSIONS) | {"state_sync": {"trust_height": None}}
    assert look_at(node, tmp_path).first_block == 1
    (tmp_path / "h0").mkdir()
    (tmp_path / "h0" / "config.toml").write_text('[statesync]\nenable = true\ntrust_height = 99\ntrust_hash = "AB"\n')
    assert look_at(node, tmp_path).first_block == 100
    assert look_at(node | {"state_sync": {"trust_height": 500}}, tmp_path).first_block == 501
    chain(home, application=7, block=7)
    assert look_at(node, tmp_path) == Situation(Heights(7, 7))


def test_a_chain_may_begin_at_a_later_block(home: Path, tmp_path: Path) -> None:
    (home / "config" / "genesis.json").write_text('{"app_state": {}, "initial_height": "5200791"}')
    assert look_at(node_json(home, VERSIONS), tmp_path).first_block == 5200791


@pytest.mark.parametrize(
    ("database_kind", "wal", "seen", "expected"),
    [
        ("goleveldb", None, None, None),  # damaged
        ("rocksdb", None, None, "h0"),  # has made no block yet
        ("rocksdb", 7, None, "h0"),
        ("rocksdb", 15, None, "h16"),
        ("rocksdb", None, 15, "h16"),  # block sync makes no consensus log
        ("rocksdb", 7, 15, "h16"),
        ("rocksdb", 15, 7, "h16"),
    ],
)
def test_other_databases_go_by_the_consensus_log_and_what_the_node_told(
    home: Path, tmp_path: Path, database_kind: str, wal: int | None, seen: int | None, expected: str | None
) -> None:
    database(
        home / "data" / "blockstore.db", {"CURRENT": b"MANIFEST-000009\n", "MANIFEST-000009": b"\xff" * 90, "OPTIONS-000007": b""}
    )
    if wal is not None:
        (home / "data" / "cs.wal").mkdir()
        (home / "data" / "cs.wal" / "wal").write_bytes(end_height(wal))
    if seen is not None:
        (home / "data" / "nodestead-height").write_text(f"{seen}\n")
    node = node_json(home, VERSIONS) | {"database": database_kind}
    versions = [Version("h0", 0, 15), Version("h16", 16)]
    assert decide(versions, look_at(node, tmp_path)).version == expected


# --- the gate's files, without processes ---


class Gates:
    """Gates over one folder."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.made: list[Gate] = []
        folder.mkdir()

    def __call__(self, versions: list[Version], situation: list[Situation]) -> Gate:
        self.made.append(Gate(folder=self.folder, home=self.home, versions=versions, look=lambda: situation[0]))
        return self.made[-1]


@pytest.fixture
def gates(tmp_path: Path, home: Path) -> Iterator[Gates]:
    made = Gates(tmp_path / "gate", home)
    yield made
    for gate in made.made:
        gate.close()


def granted(gate: Gate) -> dict[str, str]:
    return {version.name: token for version in gate.versions if (token := gate.token(version.name, "grant"))}


def test_one_grant_at_a_time_and_each_token_once(gates: Gates) -> None:
    now = [at(14, 14)]
    gate = gates(HALT, now)
    gate.step()
    assert granted(gate) == {}, "no container waits"
    gate.put("h16", "waiting", "b1")
    gate.step()
    assert granted(gate) == {}, "the one whose turn it is does not wait yet"
    gate.put("h0", "waiting", "a1")
    gate.step()
    assert granted(gate) == {"h0": "a1"}
    now[0] = at(15, 15)
    for _ in range(3):
        gate.step()
    assert granted(gate) == {"h0": "a1"}, "h0 may be about to start"
    (gate.folder / "h0.waiting").rename(gate.folder / "h0.running")
    gate.step()
    assert granted(gate) == {"h0": "a1"}, "h0 runs"
    gate.put("h0", "waiting", "a2")
    gate.step()
    assert granted(gate) == {"h0": "a1", "h16": "b1"}, "h0 came back, so its process is gone"
    assert gate.running() == "h16"


def test_a_gate_that_begins_anew_knows_who_runs(gates: Gates) -> None:
    gate = gates(HALT, [at(14, 14)])
    gate.put("h0", "waiting", "a1")
    gate.put("h16", "waiting", "b1")
    gate.step()
    gate.close()
    another = gates(HALT, [at(15, 15)])
    another.step()
    assert granted(another) == {"h0": "a1"}


def test_a_second_gate_gives_nothing(gates: Gates) -> None:
    first = gates(ONE, [at()])
    first.step()
    second = gates(ONE, [at()])
    second.put("h0", "waiting", "a1")
    second.step()
    assert granted(second) == {}
    assert "another gate" in second.decision.reason


def test_a_version_whose_container_never_came_up_holds_nobody_back(gates: Gates) -> None:
    gate = gates(HALT, [at(3, 3)])
    gate.put("h0", "waiting", "a1")
    gate.step()
    assert granted(gate) == {"h0": "a1"}


def test_nothing_starts_while_somebody_holds_a_database(gates: Gates, home: Path) -> None:
    chain(home, application=3, block=3)
    lock = home / "data" / "application.db" / "LOCK"
    lock.touch()
    gate = gates(ONE, [at(3, 3)])
    gate.put("h0", "waiting", "a1")
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        gate.step()
        assert granted(gate) == {}
        assert str(lock) in gate.decision.reason
    gate.step()
    assert granted(gate) == {"h0": "a1"}


@pytest.mark.parametrize(
    ("versions", "running", "situation", "over"),
    [
        (HALT, "h0", at(14, 14), False),
        (HALT, "h0", at(14, 15), False),
        (HALT, "h0", at(15, 15), True),
        (LAST, "h0", at(15, 16), True),
        (PLAN, "h0", at(29, 30), False),
        (PLAN, "h0", at(29, 30, upgrade=30), True),
        (PLAN, "h30", at(29, 30, upgrade=30), False),
        (PLAN, "h30", at(3, 3), False),  # never back to an older one
        (ONE, "h0", at(199, 200, upgrade=200), False),
    ],
)
def test_who_outlives_its_last_block_is_over(
    gates: Gates, monkeypatch: pytest.MonkeyPatch, versions: list[Version], running: str, situation: Situation, over: bool
) -> None:
    monkeypatch.setattr("chain_gate._OVER_AFTER", -1.0)
    gate = gates(versions, [situation])
    gate.put(running, "grant", "t")
    gate.step()
    assert gate.is_past(running) is over


@pytest.mark.parametrize(
    ("versions", "running", "situation", "upgrades", "goes_on"),
    [
        (PLAN, "h0", at(29, 30), True, False),  # stored, not committed
        (PLAN, "h0", at(29, 30, upgrade=30), True, False),
        (PLAN, "h0", at(30, 30), True, True),
        (PLAN, "h0", at(77, 77), True, True),
        (PLAN, "h0", at(30, 30), False, False),  # without the upgrade module the height is the set's to say
        (HALT, "h0", at(16, 16), True, False),  # a halt was asked for
        (LONG, "h16", at(30, 30), True, True),
        (LONG, "h50", at(70, 70), True, False),
        (ONE, "h0", at(70, 70), True, False),
    ],
)
def test_a_version_that_went_past_the_height_of_the_next_goes_on(
    gates: Gates, versions: list[Version], running: str, situation: Situation, upgrades: bool, goes_on: bool
) -> None:
    gate = gates(versions, [situation])
    gate.upgrades = upgrades
    gate.at = situation
    decision = gate.overran(running)
    assert (decision.version if decision else None) == (running if goes_on else None)
    assert decision is None or "is not for that block: it goes on; correct the height of the version" in decision.reason


def test_who_overran_is_neither_ended_nor_followed_by_the_next_and_that_is_said_once(
    gates: Gates, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chain_gate._OVER_AFTER", -1.0)
    caplog.set_level("INFO", logger="nodestead")
    now = [at(28, 28)]
    gate = gates(PLAN, now)
    gate.put("h30", "waiting", "b1")
    gate.put("h0", "waiting", "a1")
    gate.step()
    assert granted(gate) == {"h0": "a1"}
    for height in (30, 31, 45):
        now[0] = at(height, height)
        gate.step(height)
        assert not gate.is_past("h0")
    said = [record.getMessage() for record in caplog.records if "without an upgrade" in record.getMessage()]
    assert said == [
        (
            "h0 committed block 30 without an upgrade, so h30 is not for that block: it goes on; correct the height of the"
            " version, or set haltHeight of the one before"
        )
    ]
    gate.put("h0", "waiting", "a2")
    gate.step()
    assert granted(gate) == {"h0": "a2"}, "its container started again, and it is its turn still"


# --- the real scripts ---

SHELLS = [
    ["sh"],
    *([["busybox", "sh"]] if shutil.which("busybox") else []),
    *([["bash", "--posix"]] if shutil.which("bash") else []),
]


def fake_node(home: Path, name: str, halt: int = 0, upgrade: int = 0, pace: float = 0.04) -> list[str]:
    return [sys.executable, "-c", NODE, str(home), name, str(halt), str(upgrade), str(pace)]


def blocks(home: Path) -> list[tuple[int, str]]:
    ledger = home / "ledger"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return [(int(line.split()[1]), line.split()[2]) for line in lines if line.startswith("block")]


def starts(home: Path) -> list[str]:
    ledger = home / "ledger"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    assert not [line for line in lines if line.startswith("TWO")], "two nodes at once"
    return [line.split()[1] for line in lines if line.startswith("start")]


@pytest.fixture
def pods() -> Iterator[list[Kubelet]]:
    made: list[Kubelet] = []
    yield made
    for kubelet in made:
        kubelet.stop()


def pod(
    pods: list[Kubelet], folder: Path, home: Path, versions: list[dict[str, Any]], nodes: dict[str, list[str]], shell: list[str]
) -> Kubelet:
    pods.append(Kubelet(folder, node_json(home, versions), nodes, shell))
    return pods[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_ends_one_version_at_most_runs_and_none_past_its_last_block(
    tmp_path: Path, home: Path, pods: list[Kubelet], seed: int
) -> None:
    versions = [{"name": "h0", "halt_height": 40}, {"name": "h41", "height": 41}, {"name": "h60", "height": 60}]
    nodes = {
        "h0": fake_node(home, "h0", halt=40),
        "h41": fake_node(home, "h41", upgrade=60),
        "h60": fake_node(home, "h60", halt=80),
    }
    kubelet = pod(pods, tmp_path, home, versions, nodes, SHELLS[seed % len(SHELLS)])
    kubelet.turn()
    chaos(kubelet, seed, 8)

    def reached() -> bool:
        # h41 lives on at its upgrade, and the probe would end it.
        log = (tmp_path / "health.log").read_text()
        if "version h41 has made its last block" in log.splitlines()[-1]:
            kubelet.kill("h41")
        return any(height >= 65 for height, _ in blocks(home))

    for name in kubelet.commands:
        kubelet.kill(name, signal.SIGCONT)
    kubelet.until(reached)
    starts(home)
    for height, name in blocks(home):
        assert name == ("h0" if height <= 40 else "h41" if height < 60 else "h60")
    made = {height for height, _ in blocks(home)}
    assert sorted(made) == list(range(1, max(made) + 1)), "no block is left out"


def test_a_block_that_is_stored_is_committed_by_its_own_version(tmp_path: Path, home: Path, pods: list[Kubelet]) -> None:
    versions = [{"name": "h0", "halt_height": 5}, {"name": "h6", "height": 6}]
    nodes = {"h0": fake_node(home, "h0", halt=5, pace=0.1), "h6": fake_node(home, "h6")}
    kubelet = pod(pods, tmp_path, home, versions, nodes, SHELLS[0])
    kubelet.until(lambda: heights(home)[:2] == (4, 5))
    kubelet.kill("h0")
    kubelet.until(lambda: len(blocks(home)) > 7)
    assert [block for block in blocks(home) if block[0] < 8] == [
        *((height, "h0") for height in range(1, 6)),
        (6, "h6"),
        (7, "h6"),
    ]
    assert starts(home) == ["h0", "h0", "h6"]


def test_a_halted_node_makes_no_block_whatever_starts_again(tmp_path: Path, home: Path, pods: list[Kubelet]) -> None:
    kubelet = pod(pods, tmp_path, home, [{"name": "h0", "halt_height": 5}], {"h0": fake_node(home, "h0", halt=5)}, SHELLS[-1])
    kubelet.until(lambda: "halted after block 5" in (tmp_path / "health.log").read_text() if blocks(home) else False)
    for name in ("h0", "health", "h0", "pod", "health"):
        kubelet.new_pod() if name == "pod" else kubelet.kill(name)
        kubelet.during(0.6)
    assert starts(home) == ["h0"]
    assert blocks(home)[-1] == (5, "h0")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_script_waits_takes_its_files_and_becomes_the_node(
    tmp_path: Path, home: Path, pods: list[Kubelet], shell: list[str]
) -> None:
    node = ["sh", "-c", 'echo "$@" >"$0/ran"; exec sleep 60', str(home), "start", "--a flag", "*"]
    kubelet = pod(pods, tmp_path, home, [{"name": "h0"}], {"h0": node}, shell)
    gate, files = Path(kubelet.env["GATE"]), Path(kubelet.env["FILES"]) / "h0"
    files.mkdir(parents=True)
    (files / "app.toml").write_text("halt-height = 5\n")
    kubelet.held = {"health"}
    kubelet.during(0.3)
    assert not gate.exists()
    gate.mkdir()
    kubelet.until((gate / "h0.waiting").exists)
    first = (gate / "h0.waiting").read_text()
    (gate / "h0.grant").write_text("another\n")
    kubelet.kill("h0", signal.SIGTERM)
    kubelet.until(lambda: (gate / "h0.waiting").read_text() not in {"", first})
    assert not (home / "ran").exists()
    assert not (home / "config" / "app.toml").exists()
    (gate / "h0.grant").write_text((gate / "h0.waiting").read_text())
    kubelet.until((home / "ran").exists)
    assert (home / "ran").read_text() == "start --a flag *\n"
    assert [path.name for path in sorted(gate.iterdir())] == ["h0.grant", "h0.running"]
    assert {path.name: path.read_text() for path in (home / "config").iterdir()} == {"app.toml": "halt-height = 5\n"}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_waiting_version_ends_at_once_when_told(tmp_path: Path, shell: list[str]) -> None:
    (tmp_path / "gate").mkdir()
    env = {"PATH": os.environ["PATH"], "GATE": str(tmp_path / "gate"), "VERSION": "h0", "CHAIN_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [*shell, str(AGENTS / "chain_node.sh"), "true"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "gate" / "h0.waiting").exists():
        time.sleep(0.01)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143
    assert time.monotonic() - begun < 0.8


@pytest.mark.parametrize(
    ("env", "arguments", "code", "said"),
    [
        ({}, ["no-such-program"], 127, "the image has no program 'no-such-program'"),
        ({}, [], 1, "no program to run"),
        ({"GATE": "/x"}, ["true"], 1, "VERSION or CHAIN_HOME is not set"),
        ({}, ["echo", "started at once"], 0, "started at once"),
        ({"START_DELAY": "0"}, ["echo", "started at once"], 0, "started at once"),
    ],
)
def test_the_script_says_what_is_wrong(env: dict[str, str], arguments: list[str], code: int, said: str) -> None:
    command = ["sh", str(AGENTS / "chain_node.sh"), *arguments]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr
