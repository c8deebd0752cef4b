"""What probes and Prometheus hear of a node: the answers as tables, and the real process beside a small RPC."""

import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chain_actors import Kubelet, chain, node_json
from chain_gate import Decision, Gate, Situation, Version
from chain_health import Health, Status, Watch, in_sync, metrics
from chain_height import Heights, UpgradeInfo

NOW = datetime.now(UTC)


def status(height: int = 100, *, age: float = 1, catching_up: bool = False) -> Status:
    return Status(height, NOW - timedelta(seconds=age), catching_up)


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases are made when they are collected, and may run minutes later."""
    monkeypatch.setattr("chain_health._now", lambda: NOW)


@pytest.mark.parametrize(
    ("said", "siblings", "expected"),
    [
        (status(age=1), [], True),
        (status(age=-3600), [], True),  # this machine's clock is behind
        (status(age=1, catching_up=True), [100], False),
        (status(age=1), [200], True),
        (status(age=90), [], False),
        (status(age=90), [100, 105], True),  # the chain stands still
        (status(age=90), [100, 106], False),
        (status(age=90), [90], True),
    ],
)
def test_in_sync(said: Status, siblings: list[int], expected: bool) -> None:
    synced, reason = in_sync(said, siblings, max_block_age=60, max_behind=5)
    assert synced is expected
    assert bool(reason) is not expected


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    (tmp_path / "gate").mkdir()
    gate = Gate(
        folder=tmp_path / "gate", home=tmp_path, versions=[Version("h0", 0, 15), Version("h16", 16)], look=lambda: NOTHING
    )
    yield watch_of(gate)
    gate.close()


NOTHING = Situation(Heights())


def watch_of(gate: Gate, strategy: str = "inSync") -> Watch:
    return Watch(Health(1251, "http://127.0.0.1:1", None, strategy, 60, 5, 300, []), gate)


@pytest.mark.parametrize(
    ("strategy", "said", "answers", "code"),
    [
        ("inSync", None, False, 503),
        ("inSync", status(), False, 503),  # it did answer once
        ("inSync", status(), True, 200),
        ("inSync", status(catching_up=True), True, 422),
        ("inSync", status(age=900), True, 422),
        ("reachable", None, False, 503),
        ("reachable", status(catching_up=True), True, 200),
        ("none", None, False, 200),
        ("none", status(catching_up=True), True, 200),
    ],
)
def test_ready(watch: Watch, strategy: str, said: Status | None, answers: bool, code: int) -> None:
    watch.health = watch.health._replace(strategy=strategy)
    watch.status, watch.answers = said, answers
    answered, body = watch.ready()
    assert answered == code
    assert set(body) == {"address", "height", "in_sync", "reason"}
    assert body["in_sync"] is (answers and said is not None and not said.catching_up and said.age() < 60)
    assert bool(body["reason"]) is not body["in_sync"]


@pytest.mark.parametrize(
    ("local", "synced_siblings", "catching_up", "code"),
    [
        (True, False, False, 200),  # the first validators make no block alone
        (True, False, True, 200),
        (True, True, False, 422),
        (False, False, False, 422),
        (False, True, False, 422),
    ],
)
def test_who_is_alone_on_a_local_network_is_ready_until_a_sibling_that_is_in_sync_answers(
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    local: bool,
    synced_siblings: bool,
    catching_up: bool,
    code: int,
) -> None:
    watch.health = watch.health._replace(local=local, siblings=["http://a", "http://b"])
    others = {"http://a": status(500, catching_up=not synced_siblings), "http://b": None}
    monkeypatch.setattr("chain_health._status", lambda url, *_: others[url])
    watch.ask_others()
    watch.status, watch.answers = status(0, age=9e6, catching_up=catching_up), True
    assert watch.ready()[0] == code
    watch.answers = False
    assert watch.ready()[0] == 503


def test_a_new_network_that_stands_still_together_is_ready(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.health = watch.health._replace(local=True, siblings=["http://a"])
    monkeypatch.setattr("chain_health._status", lambda *_: status(0, age=9e6))
    watch.ask_others()
    watch.status, watch.answers = status(0, age=9e6), True
    assert watch.ready()[0] == 200


@pytest.mark.parametrize("strategy", ["reachable", "inSync"])
def test_a_signer_is_not_waited_for_until_it_was_there_once_on_this_volume(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    answer: list[Status | None] = [None]
    monkeypatch.setattr("chain_health._status", lambda *_: answer[0])
    watch.health = watch.health._replace(strategy=strategy, signer=True)
    watch.gate.put("h0", "grant", "a1")

    def codes(asked: Watch) -> tuple[int, int]:
        asked.ask_node()
        return asked.ready()[0], asked.started("h0")[0]

    marker = watch.gate.home / ".nodestead" / "served"
    assert (codes(watch), marker.exists()) == ((200, 200), False)
    answer[0] = status()
    assert (codes(watch), marker.exists()) == ((200, 200), True)
    answer[0] = None
    assert codes(watch) == (503, 503)
    assert codes(Watch(watch.health, watch.gate)) == (503, 503), "the volume remembers"
    marker.unlink()
    assert codes(Watch(watch.health, watch.gate)) == (200, 200), "a new volume"
    assert codes(Watch(watch.health._replace(signer=False), watch.gate)) == (503, 503)


def test_who_waits_for_no_signer_leaves_no_marker(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain_health._status", lambda *_: status())
    watch.ask_node()
    assert list(watch.gate.home.iterdir()) == [watch.gate.folder]


def test_liveness_of_a_version_from_waiting_to_silence(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("chain_health.time.monotonic", lambda: clock[0])
    gate = watch.gate
    answer: list[Status | None] = [None]
    monkeypatch.setattr("chain_health._status", lambda *_: answer[0])

    def seen(version: str = "h0") -> tuple[int, int]:
        watch.ask_node()
        return watch.started(version)[0], watch.live(version)[0]

    assert seen() == (200, 200), "idle"
    gate.put("h0", "waiting", "a1")
    assert seen() == (200, 200), "idle"
    gate.put("h0", "grant", "a1")
    clock[0] += 100_000
    assert seen() == (503, 200), "a long replay"
    answer[0] = status()
    assert seen() == (200, 200)
    answer[0] = None
    clock[0] += 299
    assert seen() == (503, 200)
    assert seen("h16") == (200, 200)
    clock[0] += 2
    assert seen() == (503, 503), "silent for longer than dead_after"
    gate.put("h0", "waiting", "a2")
    assert seen() == (200, 200), "its container started again"
    gate.put("h0", "grant", "a2")
    clock[0] += 100_000
    assert seen() == (503, 200), "a long replay again"


def test_a_node_that_went_silent_is_dead_for_the_next_process_too(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain_health._status", lambda *_: status())
    watch.gate.put("h0", "grant", "a1")
    watch.ask_node()
    monkeypatch.setattr("chain_health._status", lambda *_: None)
    later = watch_of(watch.gate)
    later.ask_node()
    begun = time.monotonic()
    assert later.live("h0")[0] == 200
    monkeypatch.setattr("chain_health.time.monotonic", lambda: begun + 301)
    assert later.live("h0")[0] == 503


def test_one_without_a_shell_counts_as_running(tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    gate = Gate(folder=tmp_path / "gate", home=tmp_path, versions=[Version("h0")], look=lambda: NOTHING, closed=False)
    watch = watch_of(gate)
    assert (watch.started("h0")[0], watch.live("h0")[0], gate.running()) == (503, 200, "h0")
    watch.answers = True
    assert watch.started("h0")[0] == 200


def values(text: str) -> dict[str, str]:
    return dict(line.removeprefix("nodestead_chain_").rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_metrics(watch: Watch) -> None:
    assert values(metrics(watch)) == {"in_sync": "0", "halted": "0"}
    watch.gate.put("h0", "grant", "a1")
    watch.status, watch.answers, watch.plan = status(12), True, UpgradeInfo('a "b"', 40)
    found = values(metrics(watch))
    assert float(found.pop("block_age_seconds")) >= 1
    assert found == {
        "height": "12", "in_sync": "1", "halted": "0", 'version{version="h0"}': "1",
        'upgrade_planned{name="a \\"b\\"",height="40"}': "1",
    }  # fmt: skip
    watch.gate.decision = Decision(None, "halted", halted=True)
    assert values(metrics(watch))["halted"] == "1"


@pytest.mark.parametrize(
    ("plan", "info", "height", "application", "missing"),
    [
        (None, None, 50, 50, []),
        (40, None, 38, 38, []),  # planned, not due
        (40, None, 39, 39, ["40"]),
        (16, None, 15, 15, []),  # has a version
        (None, 40, 39, 39, ["40"]),
        (None, 40, 40, 39, ["40"]),  # the block is stored
        (None, 40, 41, 41, []),  # long done
        (None, 40, 9000, 9000, []),
        (None, 40, 40, None, ["40"]),
        (None, 16, 15, 15, []),
    ],
)
def test_an_upgrade_without_a_version_shows(
    watch: Watch, plan: int | None, info: int | None, height: int, application: int | None, missing: list[str]
) -> None:
    watch.plan = UpgradeInfo("v", plan) if plan else None
    watch.gate.at = Situation(Heights(application, height), UpgradeInfo("v", info) if info else None)
    watch.status = status(height)
    shown = [name for name in values(metrics(watch)) if name.startswith("upgrade_missing")]
    assert shown == [f'upgrade_missing{{name="v",height="{number}"}}' for number in missing]


# --- the real process ---


class Rpc:
    """Answers for a node, for one beside it, and for its API."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        rpc = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = rpc.answers.get(self.path)
                raw = json.dumps(said).encode()
                self.send_response(404 if said is None else 200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def rpc() -> Iterator[Rpc]:
    made = Rpc()
    yield made
    made.server.shutdown()
    made.server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def sync_info(height: int, age: float, *, catching_up: bool = False) -> dict[str, Any]:
    moment = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    return {"sync_info": {"latest_block_height": str(height), "latest_block_time": moment, "catching_up": catching_up}}


@pytest.mark.parametrize("bare", [False, True], ids=["wrapped", "bare"])
def test_the_process_beside_a_node(tmp_path: Path, rpc: Rpc, bare: bool) -> None:
    chain(tmp_path, application=12, block=12)
    node = node_json(tmp_path, [{"name": "h0"}], rpc=rpc.url, api=rpc.url, siblings=[f"{rpc.url}/other", "http://127.0.0.1:1"])
    url = f"http://127.0.0.1:{node['health']['port']}"
    sleep = shutil.which("sleep")
    assert sleep
    kubelet = Kubelet(tmp_path, node, {"h0": [sleep, "60"]}, ["sh"])

    def becomes(path: str, code: int) -> str:
        found: list[tuple[int, str]] = []
        kubelet.until(lambda: found.append(get(url + path)) or found[-1][0] == code, 15)
        return found[-1][1]

    def says(height: int, age: float, *, catching_up: bool = False) -> None:
        said = sync_info(height, age, catching_up=catching_up)
        rpc.answers["/status"] = said if bare else {"jsonrpc": "2.0", "result": said}

    try:
        assert json.loads(becomes("/ready", 503))["height"] in {None, 12}
        kubelet.until(lambda: "version h0 starts" in (tmp_path / "health.log").read_text())
        assert becomes("/started/h0", 503)
        assert becomes("/live/h0", 200)
        assert becomes("/started/h1", 404)
        says(13, 1, catching_up=True)
        assert json.loads(becomes("/ready", 422)) == {"address": rpc.url, "height": 13, "in_sync": False, "reason": "catching up"}
        says(14, 1)
        assert json.loads(becomes("/ready", 200))["in_sync"] is True
        assert becomes("/started/h0", 200)
        says(14, 500)
        becomes("/ready", 422)
        rpc.answers["/other/status"] = sync_info(17, 500)
        becomes("/ready", 200)
        rpc.answers["/cosmos/upgrade/v1beta1/current_plan"] = {"plan": {"name": "v2", "height": "15"}}
        kubelet.until(lambda: 'nodestead_chain_upgrade_missing{name="v2",height="15"} 1' in get(f"{url}/metrics")[1])
        rpc.answers["/cosmos/upgrade/v1beta1/current_plan"] = {"plan": None}
        kubelet.until(lambda: "upgrade_planned{" not in get(f"{url}/metrics")[1])
        disk = json.loads(becomes("/disk", 200))
        assert disk["dir"] == str(tmp_path)
        assert 0 < disk["free_bytes"] < disk["all_bytes"]
        assert becomes("/alive", 200) == "ok"
        rpc.answers.clear()
        becomes("/ready", 503)
        assert becomes("/live/h0", 200)
        kubelet.kill("health", 15)
        assert kubelet.running["health"].wait(10) == 143
        becomes("/live/h0", 200)
    finally:
        kubelet.stop()
