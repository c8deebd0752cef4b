"""The gate of a pod with a container for each version of a chain's program: one at a time may run, the right one.

Each container `node-<version>` runs chain_node.sh, which writes a fresh token to `<version>.waiting` and goes on
only when `<version>.grant` holds that token. A container starts again only after its process is gone, so a token that
waits and was not granted says that nobody of that version runs, nor can start. All that the gate knows is in these files:
it may end at any moment. Nothing is granted while a grant is in use, while another gate holds the lock, or while
somebody holds a database of the chain.
"""

import contextlib
import fcntl
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import chain_height
from chain_height import Heights, UpgradeInfo

__all__ = ["Decision", "Gate", "Situation", "Turns", "Version", "decide", "is_over", "look_at", "remember"]

_OVER_AFTER = 20.0  # seconds that a running version may be past its last block before it counts as dead

logger = logging.getLogger("nodestead")


class Version(NamedTuple):
    """A version of the chain's program and the blocks that are its own."""

    name: str
    height: int = 0  # its first block
    halt_height: int | None = None  # the last block that it commits; None: it stops by itself, or never


class Situation(NamedTuple):
    """What the choice of a version rests on."""

    heights: Heights
    upgrade: UpgradeInfo | None = None
    first_block: int = 1  # of the chain, or after the state that state sync will fetch


class Decision(NamedTuple):
    """The version to run, or why none may."""

    version: str | None
    reason: str
    halted: bool = False  # the last block of all versions is reached


def decide(versions: Sequence[Version], at: Situation, *, upgrades: bool = True, ran: str | None = None) -> Decision:
    """Names the version that makes the next block.

    Args:
        versions: by height, ascending.
        at: the data at rest.
        upgrades: the chain stops by itself for upgrades (x/upgrade of the Cosmos SDK) and says so in upgrade-info.json.
        ran: the version that ran last and left the data as it is now.
    """
    application, block, unread = at.heights
    if unread is not None and not block and (len(versions) > 1 or versions[0].halt_height is not None):
        return Decision(None, f"the height in {unread} cannot be read, and only by it can the version be told that may run")
    empty = not application and not block
    upgrade = at.upgrade.height if at.upgrade else None
    if empty:
        following = max(at.first_block, 1)
    elif application:
        following = application + 1
    elif block in {at.first_block, upgrade}:
        following = block or 0  # stored, but not committed
    else:
        following = (block or 0) + 1
    index = max((number for number, version in enumerate(versions) if version.height <= following), default=None)
    if index is None:
        if not empty:
            return Decision(None, f"no version covers block {following}; the first starts at {versions[0].height}")
        index = 0
    chosen = versions[index]
    previous = versions[index - 1] if index else None
    if (
        upgrades
        and not empty
        and previous
        and previous.halt_height is None
        and at.first_block < following == chosen.height != upgrade
        # The block is stored and the previous version left it without a word: a chain that writes the file elsewhere.
        and not (block == following and ran == previous.name)
    ):
        # Only the previous version can write upgrade-info.json, by which the new one finds the stores to add
        # (https://github.com/strangelove-ventures/cosmos-operator/issues/490). It stops before it commits the block.
        return Decision(previous.name, f"block {following} is next, and {previous.name} has yet to stop for the upgrade")
    if chosen.halt_height is not None and following > chosen.halt_height:
        return Decision(None, f"halted after block {chosen.halt_height}; no version covers block {following}", halted=True)
    return Decision(chosen.name, f"block {following} is next")


def is_over(versions: Sequence[Version], running: str, decision: Decision) -> bool:
    """A running version has done its part: it is past its last block, or waits at an upgrade that it does not have.

    Nodes do not always end there: CometBFT survives a panic of its consensus, and goes on answering.
    """
    order = [version.name for version in versions]
    return decision.halted or (decision.version is not None and order.index(decision.version) > order.index(running))


_STARTING = Decision(None, "starting")
_UNKNOWN = Situation(Heights())


@dataclass(kw_only=True)
class Turns:
    """Whose turn it is, by files that outlive this process."""

    folder: Path
    versions: Sequence[Version]
    closed: bool = True  # False: the image has no shell, and its one version starts by itself
    _lock: IO[bytes] | None = None

    def token(self, version: str, kind: str) -> str:
        """What a file of the gate holds; empty where there is none."""
        with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
            return (self.folder / f"{version}.{kind}").read_text().strip()
        return ""

    def put(self, version: str, kind: str, token: str) -> None:
        """Writes a file of the gate, seen whole or not at all."""
        draft = self.folder / f"{version}.{kind}.new"
        draft.write_text(f"{token}\n")
        draft.replace(self.folder / f"{version}.{kind}")

    def turn_of(self, version: str) -> str:
        """The token by which a version runs, or may start at any moment; empty when it cannot."""
        if not self.closed:
            return "open"
        granted = self.token(version, "grant")
        return granted if self.token(version, "waiting") in {"", granted} else ""

    def running(self) -> str | None:
        """The version whose turn it is."""
        return next((version.name for version in self.versions if self.turn_of(version.name)), None)

    def is_only(self) -> bool:
        """Nobody else gives turns here."""
        if self._lock is None:
            lock = (self.folder / "lock").open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock  # until this process ends
        return True

    def close(self) -> None:
        """Lets another gate take over."""
        if self._lock is not None:
            self._lock.close()
        self._lock = None


@dataclass(kw_only=True)
class Gate(Turns):
    """Hands the turn to the version that makes the next block."""

    home: Path
    look: Callable[[], Situation]  # at the data
    upgrades: bool = True
    decision: Decision = _STARTING
    at: Situation = _UNKNOWN
    _ran: tuple[str, Situation] | None = None
    _over: tuple[str, float] | None = None
    _last: str | None = None

    def overran(self, version: str | None) -> Decision | None:
        """What to do where a version committed the first block of the next without an upgrade: its height is not the chain's."""
        order = [one.name for one in self.versions]
        if not self.upgrades or version not in order[:-1]:
            return None
        index = order.index(version)
        following = self.versions[index + 1]
        if self.versions[index].halt_height is not None or (self.at.heights.application or 0) < following.height:
            return None
        return Decision(
            version,
            f"{version} committed block {following.height} without an upgrade, so {following.name} is not for that block: it goes"
            " on; correct the height of the version, or set haltHeight of the one before",
        )

    def is_past(self, version: str) -> bool:
        """A version lives on though its last block is made."""
        return self._over is not None and self._over[0] == version and time.monotonic() - self._over[1] > _OVER_AFTER

    def step(self, height: int | None = None) -> float:
        """Gives the turn to a version where none has it; says after how many seconds to look again.

        Args:
            height: the last block that the running node tells of.
        """
        if not self.is_only():
            self._note(Decision(None, "another gate is at work here; waiting for it to end"))
            return 1.0
        running = self.running()
        if running:
            return self._watch(running, height)
        self._over = None
        held = chain_height.held_database(self.home)
        if held:
            self._note(Decision(None, f"a process from outside of this pod's gate holds {held}; waiting for it to end"))
            return 1.0
        # Nobody has the turn, and none but this gate gives it: what is read now stays true until it is given.
        self.at = self.look()
        ran = self._ran[0] if self._ran and self._ran[1] == self.at else None
        decision = self.overran(self._last) or decide(self.versions, self.at, upgrades=self.upgrades, ran=ran)
        if decision.version is None:
            self._note(decision)
            return 5.0
        waiting = self.token(decision.version, "waiting")
        if not waiting:
            self._note(decision._replace(reason=f"{decision.reason}; waiting for the container of {decision.version} to start"))
            return 1.0
        self._ran = (decision.version, self.at)
        self._note(decision._replace(reason=f"{decision.reason}; version {decision.version} starts"))
        self.put(decision.version, "grant", waiting)
        return 1.0

    def _watch(self, running: str, height: int | None) -> float:
        self._last = running
        if self.decision.version != running or self.decision.halted:
            self.decision = Decision(running, "running")
        index = next(number for number, version in enumerate(self.versions) if version.name == running)
        last = self.versions[index].halt_height
        if index + 1 < len(self.versions):
            last = min(last or sys.maxsize, self.versions[index + 1].height - 1)
        if last is None or (height is not None and height < last):
            self._over = None
            return 1.0
        self.at = self.look()
        overran = self.overran(running)
        if overran:
            self._over = None
            self._note(overran)
            return 5.0
        decision = decide(self.versions, self.at, upgrades=self.upgrades)
        if not is_over(self.versions, running, decision):
            self._over = None
        elif self._over is None or self._over[0] != running:
            self._over = (running, time.monotonic())
            logger.info("version %s has made its last block: %s", running, decision.reason)
        return 5.0

    def _note(self, decision: Decision) -> None:
        if decision.reason != self.decision.reason:
            logger.info("%s", decision.reason)
        self.decision = decision


def _seen_file(home: Path) -> Path:
    return home / "data" / "nodestead-height"


def remember(home: Path, height: int) -> None:
    """Notes a height that the node told of, for a database that cannot be read."""
    draft = home / "data" / "nodestead-height.new"
    with contextlib.suppress(OSError):
        draft.write_text(f"{height}\n")
        draft.replace(_seen_file(home))


def look_at(node: dict[str, Any], files: Path) -> Situation:
    """What a chain's data says at rest.

    Args:
        node: node.json.
        files: the folder of config files by version, for the height that state sync starts from.
    """
    home = Path(node["home"])
    heights = chain_height.heights(home)
    if heights.unread:
        # By block sync such a node makes no consensus log, and what it told of is all there is.
        with contextlib.suppress(OSError, ValueError):
            heights = heights._replace(block=max(heights.block or 0, int(_seen_file(home).read_text())))
        if node["database"] != "goleveldb" and not heights.block:
            heights = heights._replace(unread=None)
    first = 1
    if not heights.application and not heights.block:
        first = chain_height.initial_height(home)
        if node["state_sync"]:
            trusted = node["state_sync"]["trust_height"]
            configs = [*(files / version["name"] for version in node["versions"]), home / "config"]
            for folder in configs:
                trusted = trusted or chain_height.state_sync_height(folder / "config.toml")
            first = (trusted or 0) + 1 if trusted else first
    elif not heights.application and (heights.block or 0) <= 1:
        first = chain_height.initial_height(home)
    return Situation(heights, chain_height.upgrade_info(home), first)
