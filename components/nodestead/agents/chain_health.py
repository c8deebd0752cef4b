"""Stands beside a chain's node: lets one version at a time run, answers probes, gives metrics.

Usage: chain_health.py NODE_JSON, with GATE and FILES as chain_node.sh has them (/run/nodestead/gate, /run/nodestead/files).

It gives the turn to a version by the files that chain_gate.py describes.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from chain_gate import Gate, Version, look_at, remember
from chain_height import UpgradeInfo
from chain_web import Handler, alive, ask, begin, serve

__all__ = ["Health", "Status", "Watch", "in_sync", "metrics"]


# --- what the node says ---


class Status(NamedTuple):
    """What a node says of itself."""

    height: int
    block_time: datetime
    catching_up: bool

    def age(self) -> float:
        """Seconds since its last block; 0 where this machine's clock is behind."""
        return max(0.0, (_now() - self.block_time).total_seconds())


def _now() -> datetime:
    return datetime.now(UTC)


class Health(NamedTuple):
    """The part of node.json that says what health means."""

    port: int
    rpc: str
    api: str | None
    strategy: str
    max_block_age: float
    max_behind: int
    dead_after: float
    siblings: Sequence[str]
    local: bool = False  # a closed network, whose first nodes have nobody to be in sync with
    signer: bool = False  # it waits for a remote signer, which may come for the first time long after the pod


def _status(url: str, seconds: float = 5.0) -> Status | None:
    """What a node's /status says; some chains answer it bare, without "result"."""
    said = ask(f"{url.rstrip('/')}/status", seconds)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        sync = (said or {})["sync_info"]
        moment = datetime.fromisoformat(str(sync["latest_block_time"]))
        return Status(int(sync["latest_block_height"]), moment.replace(tzinfo=moment.tzinfo or UTC), bool(sync["catching_up"]))
    return None


def _marker(home: Path) -> Path:
    """Says that a node with a remote signer has served before; it lies on the volume and outlives the pod."""
    return home / ".nodestead" / "served"


def in_sync(status: Status, siblings: Sequence[int], *, max_block_age: float, max_behind: int) -> tuple[bool, str]:
    """Whether a node is at the head of its chain, and what speaks against it.

    Args:
        status: what the node says.
        siblings: heights of other nodes of the set, of those that answer.
        max_block_age: seconds that its last block may be old.
        max_behind: blocks that others may be ahead of a node whose last block is older: the chain stands still.
    """
    if status.catching_up:
        return False, "catching up"
    age = status.age()
    if age <= max_block_age:
        return True, ""
    if not siblings:
        return False, f"the last block is {age:.0f} s old, and no other node answers"
    behind = max(siblings) - status.height
    if behind <= max_behind:
        return True, ""
    return False, f"the last block is {age:.0f} s old, and another node is {behind} blocks ahead"


class Watch:
    """Asks the node, the nodes beside it and its plan for an upgrade, again and again."""

    def __init__(self, health: Health, gate: Gate) -> None:
        self.health = health
        self.gate = gate
        self.status: Status | None = None  # the last that it said
        self.answers = False  # it answered when it was last asked
        self.siblings: list[int] = []
        self.others_in_sync = False
        self.plan: UpgradeInfo | None = None
        self.seen = 0
        self.beats = {"gate": time.monotonic(), "node": time.monotonic()}
        self._answered: dict[str, tuple[str, float]] = {}  # by version: its token and when it last answered
        for version in gate.versions:
            # Kept for the next process here: a node that had answered and answers no more is dead, not starting.
            token = gate.token(version.name, "answered")
            if token:
                self._answered[version.name] = (token, time.monotonic())

    def ask_node(self) -> None:
        """One look at the node's own RPC."""
        running = self.gate.running()
        token = self.gate.turn_of(running) if running else ""
        status = _status(self.health.rpc)
        self.answers = status is not None
        if status is None:
            return
        self.status = status
        if self.unsigned():
            with contextlib.suppress(OSError):
                _marker(self.gate.home).parent.mkdir(exist_ok=True)
                _marker(self.gate.home).touch()
        # The answer is that of the turn which was there before the question and is there after it.
        if running and token and token == self.gate.turn_of(running):
            if self._answered.get(running, ("", 0.0))[0] != token:
                self.gate.put(running, "answered", token)
            self._answered[running] = (token, time.monotonic())
        if self.gate.at.heights.unread and status.height > self.seen:
            self.seen = status.height
            remember(self.gate.home, self.seen)

    def ask_others(self) -> None:
        """One look at the nodes beside this one, and at the plan for an upgrade."""
        if self.health.strategy == "inSync":
            answers = [_status(url, 3.0) for url in self.health.siblings]
            self.siblings = [status.height for status in answers if status]
            self.others_in_sync = any(not status.catching_up for status in answers if status)
        if self.health.api:
            said = ask(f"{self.health.api.rstrip('/')}/cosmos/upgrade/v1beta1/current_plan", 5.0)
            if said is not None:
                self.plan = None
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    self.plan = UpgradeInfo(str(said["plan"]["name"]), int(said["plan"]["height"]))

    def height(self) -> int | None:
        """The last block, as far as it is known."""
        application, block, _ = self.gate.at.heights
        return self.status.height if self.status else application or block

    def synced(self) -> tuple[bool, str]:
        """Whether the node is in sync, and what speaks against it."""
        if not self.answers or self.status is None:
            return False, "the node does not answer" if self.gate.running() else self.gate.decision.reason
        health = self.health
        return in_sync(self.status, self.siblings, max_block_age=health.max_block_age, max_behind=health.max_behind)

    def ready(self) -> tuple[int, dict[str, object]]:
        """Answer to /ready: code and body."""
        synced, reason = self.synced()
        body: dict[str, object] = {"address": self.health.rpc, "height": self.height(), "in_sync": synced, "reason": reason}
        if self.health.strategy == "none":
            return 200, body
        if not self.answers:
            # Updates must not wait for a signer that was never there; one that was there once is waited for.
            return 200 if self.unsigned() else 503, body
        # The first validators of a new network make no block alone: they wait for those that an update starts after them.
        alone = self.health.local and not self.others_in_sync
        return 200 if synced or alone or self.health.strategy == "reachable" else 422, body

    def started(self, version: str) -> tuple[int, str]:
        """Answer to /started/<version>: an idle version has nothing to start."""
        if not self.gate.turn_of(version):
            return 200, "idle"
        if self.unsigned():
            return 200, "has yet to be found by its signer"
        return (200, "answers") if self.answers else (503, "the node does not answer yet")

    def unsigned(self) -> bool:
        """Whether it waits for a remote signer that was never there: nobody else is to wait for that."""
        return self.health.signer and not _marker(self.gate.home).exists()

    def live(self, version: str) -> tuple[int, str]:
        """Answer to /live/<version>: dead is who was heard of and is silent, or has outlived its last block."""
        token = self.gate.turn_of(version)
        if not token:
            return 200, "idle"
        if self.gate.is_past(version):
            return 503, "its last block is made, and it does not end"
        heard, moment = self._answered.get(version, ("", 0.0))
        if heard != token:
            return 200, "has yet to answer"
        silent = time.monotonic() - moment
        if silent > self.health.dead_after:
            return 503, f"silent for {silent:.0f} s"
        return 200, "answers"


# --- metrics ---


def _metric(name: str, about: str, samples: Sequence[tuple[dict[str, str], float]]) -> list[str]:
    def labelled(labels: dict[str, str]) -> str:
        pairs = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items()]
        return "{" + ",".join(pairs) + "}" if pairs else ""

    head = [f"# HELP nodestead_chain_{name} {about}", f"# TYPE nodestead_chain_{name} gauge"]
    return head + [f"nodestead_chain_{name}{labelled(labels)} {value:.15g}" for labels, value in samples]


def metrics(watch: Watch) -> str:
    """All metrics, as Prometheus reads them."""
    gate, status = watch.gate, watch.status
    height = watch.height()
    running = gate.running()
    halted = gate.decision.halted or (running is not None and gate.is_past(running))
    planned = [{"name": plan.name, "height": str(plan.height)} for plan in (watch.plan,) if plan]
    lines = [
        *_metric("height", "Last block of the node.", [] if height is None else [({}, height)]),
        *_metric("in_sync", "1 when the node is at the head of its chain.", [({}, watch.synced()[0])]),
        *_metric("block_age_seconds", "Age of the last block.", [({}, round(status.age(), 3))] if status else []),
        *_metric("halted", "1 when the last block of all versions is made.", [({}, halted)]),
        *_metric("version", "The version that runs.", [({"version": running}, 1)] if running else []),
        *_metric("upgrade_planned", "An upgrade that the chain plans.", [(labels, 1) for labels in planned]),
        *_metric("upgrade_missing", "An upgrade that is due and has no version.", [(labels, 1) for labels in _missing(watch)]),
    ]
    return "\n".join(lines) + "\n"


def _missing(watch: Watch) -> list[dict[str, str]]:
    heights, upgrade, _ = watch.gate.at
    known = {version.height for version in watch.gate.versions}
    due: set[UpgradeInfo] = set()
    if watch.plan and (watch.height() or 0) >= watch.plan.height - 1:
        due.add(watch.plan)
    # The file stays for good; it is due while the block that it is about is not committed.
    if upgrade and upgrade.height - 1 == (heights.application or upgrade.height - 1) and (watch.height() or 0) <= upgrade.height:
        due.add(upgrade)
    return [{"name": plan.name, "height": str(plan.height)} for plan in sorted(due) if plan.height not in known]


# --- the process ---


class _Handler(Handler):
    watch: Watch

    def asked(self, path: str) -> None:
        path, _, version = path.partition("/")
        watch = self.watch
        known = version in {one.name for one in watch.gate.versions}
        if path == "ready":
            code, body = watch.ready()
            self.answer(code, json.dumps(body), "application/json")
        elif path == "version":
            self.answer(200, json.dumps({"version": watch.gate.running()}), "application/json")
        elif path == "disk":
            disk = os.statvfs(watch.gate.home)
            sizes = {"all_bytes": disk.f_blocks * disk.f_frsize, "free_bytes": disk.f_bavail * disk.f_frsize}
            self.answer(200, json.dumps({"dir": str(watch.gate.home), **sizes}), "application/json")
        elif path == "metrics":
            self.answer(200, metrics(watch), "text/plain; version=0.0.4; charset=utf-8")
        elif path == "alive":
            self.answer(*alive(watch.beats))
        elif path in {"started", "live"} and known:
            self.answer(*(watch.started(version) if path == "started" else watch.live(version)))
        else:
            self.answer(404, "ask for /ready, /started/<version>, /live/<version>, /alive, /version, /disk or /metrics")


def main(path: Path) -> None:
    """Runs for ever.

    Args:
        path: node.json.
    """
    begin()
    node: dict[str, Any] = json.loads(path.read_bytes())
    files = Path(os.environ.get("FILES") or "/run/nodestead/files")
    versions = [Version(one["name"], one["height"], one["halt_height"]) for one in node["versions"]]
    gate = Gate(
        folder=Path(os.environ.get("GATE") or "/run/nodestead/gate"),
        home=Path(node["home"]),
        versions=versions,
        look=lambda: look_at(node, files),
        upgrades=node["software"] == "cosmos",
        closed=node["shell"],
    )
    gate.folder.mkdir(parents=True, exist_ok=True)
    watch = Watch(Health(**node["health"]), gate)

    def turn_gate() -> None:
        while True:
            pause = gate.step(watch.status.height if watch.status and watch.answers else None) if gate.closed else 5.0
            watch.beats["gate"] = time.monotonic()
            time.sleep(pause)

    def ask_node() -> None:
        while True:
            watch.ask_node()
            watch.beats["node"] = time.monotonic()
            time.sleep(1)

    def ask_others() -> None:
        while True:
            watch.ask_others()
            time.sleep(10)

    handler = type("Handler", (_Handler,), {"watch": watch})
    serve(watch.health.port, handler, turn_gate, ask_node, ask_others)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
