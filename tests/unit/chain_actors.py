"""A chain in a few bytes: writers of goleveldb folders and consensus logs, a node that makes blocks, and a kubelet."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodestead.agents

AGENTS = Path(nodestead.agents.__file__).parent
# This module sorts before those that it makes importable.
if str(AGENTS) not in sys.path:
    sys.path.insert(0, str(AGENTS))

from chain_database import crc32c  # noqa: E402

BLOCK = 32768


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def text(raw: bytes) -> bytes:
    return varint(len(raw)) + raw


def masked(raw: bytes) -> bytes:
    crc = crc32c(raw)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def journal(*records: bytes, number: int | None = None) -> bytes:
    """Records as a journal holds them; with a number as pebble does that uses its journals again."""
    own = b"" if number is None else number.to_bytes(4, "little")
    head = 7 + len(own)
    out = bytearray()
    for record in records:
        rest, first = record, True
        while first or rest:
            room = BLOCK - len(out) % BLOCK
            if room < head:
                out += bytes(room)
                continue
            piece, rest = rest[: room - head], rest[room - head :]
            kind = {(True, False): 1, (True, True): 2, (False, True): 3, (False, False): 4}[first, bool(rest)]
            covered = bytes([kind + (4 if own else 0)]) + own + piece
            out += masked(covered) + len(piece).to_bytes(2, "little") + covered
            first = False
    return bytes(out)


def batch(sequence: int, *writes: tuple[bytes, bytes | None]) -> bytes:
    body = b"".join(b"\0" + text(key) if value is None else b"\1" + text(key) + text(value) for key, value in writes)
    return sequence.to_bytes(8, "little") + len(writes).to_bytes(4, "little") + body


def internal(key: bytes, sequence: int, kind: int = 1) -> bytes:
    return key + (sequence << 8 | kind).to_bytes(8, "little")


def snappy(raw: bytes) -> bytes:
    """Literals of 60 bytes at most: what any reader takes."""
    pieces = [raw[at : at + 60] for at in range(0, len(raw), 60)]
    return varint(len(raw)) + b"".join(bytes([len(piece) - 1 << 2]) + piece for piece in pieces)


def block_of(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block whose keys share their starts, as in real ones."""
    out, before = bytearray(), b""
    for key, value in entries:
        shared = next(
            (at for at, (one, other) in enumerate(zip(before, key, strict=False)) if one != other), min(len(before), len(key))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return bytes(out) + bytes(4) + (1).to_bytes(4, "little")


def table(*blocks: list[tuple[bytes, bytes]], compress: bool = True, pebble: bool = False, nested: bool = False) -> bytes:
    """A table of blocks of (internal key, value)."""
    out = bytearray()

    def add(content: bytes) -> bytes:
        packed = snappy(content) if compress else content
        kind = b"\1" if compress else b"\0"
        handle = varint(len(out)) + varint(len(packed))
        out.extend(packed + kind + masked(packed + kind))
        return handle

    index = [(entries[-1][0], add(block_of(entries))) for entries in blocks]
    if nested:
        index = [(index[-1][0], add(block_of(index)))]
    found = add(block_of([(b"rocksdb.block.based.table.index.type", b"\2\0\0\0" if nested else b"\0\0\0\0")]))
    meta = add(block_of([(b"rocksdb.properties", found)] if pebble else []))
    handles = meta + add(block_of(index))
    if pebble:
        return bytes(out) + b"\1" + handles.ljust(40, b"\0") + b"\2\0\0\0" + bytes.fromhex("f7cff485b741e288")
    return bytes(out) + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def added(level: int, number: int, smallest: bytes, largest: bytes) -> bytes:
    """An edit of the manifest that adds a table."""
    return b"\7" + varint(level) + varint(number) + varint(1000) + text(internal(smallest, 1)) + text(internal(largest, 1))


def removed(level: int, number: int) -> bytes:
    return b"\6" + varint(level) + varint(number)


def database(folder: Path, files: dict[str, bytes], *edits: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    comparer = b"\1" + text(b"leveldb.BytewiseComparator") + b"\2" + varint(3)
    for name, content in {"CURRENT": b"MANIFEST-000001\n", "MANIFEST-000001": journal(comparer, *edits), **files}.items():
        (folder / name).write_bytes(content)


def store_state(height: int) -> bytes:
    return b"\x08\x01\x10" + varint(height)


def version_value(height: int) -> bytes:
    return b"\x08" + varint(height)


def chain(home: Path, *, application: int | None = None, block: int | None = None) -> None:
    """A chain at rest."""
    for name, key, value in (
        ("application.db", b"s/latest", None if application is None else version_value(application)),
        ("blockstore.db", b"blockStore", None if block is None else store_state(block)),
    ):
        if value is not None:
            database(home / "data" / name, {"000002.log": journal(batch(7, (key, value)))})


def end_height(height: int) -> bytes:
    ended = b"\x22" + text(b"\x08" + varint(height) if height else b"")
    return wal_record(b"\x0a" + text(b"\x08\x01") + b"\x12" + text(ended))


def wal_record(message: bytes) -> bytes:
    return crc32c(message).to_bytes(4) + len(message).to_bytes(4) + message


# --- a node, and the kubelet that runs it ---

# Commits as old versions of the SDK do: whatever the halt height, one block after every start; and a block is stored before
# it is committed. It says so when another of its kind is at work on the same home.
NODE = """
import fcntl, json, os, signal, sys, time
home, name, halt, upgrade, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
sys.path.insert(0, os.environ["FAKE"])
from chain_actors import added, batch, chain, journal, store_state, version_value
from pathlib import Path
import chain_height
ledger = open(home + "/ledger", "a", buffering=1)
alone = open(home + "/alone", "a")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    ledger.write(f"TWO {name}\\n")
    sys.exit(9)
ledger.write(f"start {name}\\n")
root = Path(home)
at = chain_height.heights(root)
application = at.application or 0
def put(database, key, value):
    folder = root / "data" / database
    if not folder.exists():
        chain(root, **{"application": 0} if database == "application.db" else {"block": 0})
    put.sequence += 1
    with open(folder / "000002.log", "r+b") as log:
        log.seek(0)
        # The whole journal anew would not do for a crash: the record goes into a journal of its own, written at once.
        raw = journal(batch(put.sequence, (key, value)))
        other = folder / f"{put.sequence:06d}.log.new"
        other.write_bytes(raw)
        other.rename(folder / f"{put.sequence:06d}.log")
    for old in folder.glob("*.log"):
        if int(old.stem) < put.sequence - 3 and old.stem != "000002":
            old.unlink()
put.sequence = 1000 + max([int(p.stem) for p in root.glob("data/*.db/*.log")] + [0])
while True:
    height = application + 1
    put("blockstore.db", b"blockStore", store_state(height))
    if upgrade and height >= upgrade:
        (root / "data" / "upgrade-info.json").write_text(json.dumps({"name": "next", "height": upgrade}))
        while True:
            time.sleep(1)  # the consensus has failed, and the process lives on
    at_halt = halt and height >= halt
    time.sleep(pace * 10 if at_halt else pace / 2)  # long enough to be ended right here, now and then
    ledger.write(f"block {height} {name}\\n")
    put("application.db", b"s/latest", version_value(height))
    application = height
    if at_halt:
        time.sleep(pace * 10)
        sys.exit(0)
    time.sleep(pace / 2)
"""

# The loops of the agent, twenty times as fast.
HEALTH = """
import runpy, sys, time
real = time.sleep
time.sleep = lambda seconds: real(seconds / 20)
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
import chain_gate
chain_gate._OVER_AFTER = 0.5
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def node_json(home: Path, versions: list[dict[str, Any]], **health: object) -> dict[str, Any]:
    """As the plan writes it, as far as the gate reads it."""
    return {
        "software": "cosmos",
        "home": str(home),
        "versions": [{"height": 0, "halt_height": None, "defaults": "/defaults/x"} | version for version in versions],
        "shell": True,
        "database": "goleveldb",
        "state_sync": None,
        "health": {
            "port": free_port(),
            "rpc": "http://127.0.0.1:1",
            "api": None,
            "strategy": "inSync",
            "max_block_age": 60,
            "max_behind": 5,
            "dead_after": 300,
            "siblings": [],
            "local": False,
            "signer": False,
        }
        | health,
    }


class Kubelet:
    """Runs the containers of a pod, and starts each again once it is gone, and not before."""

    def __init__(self, folder: Path, node: dict[str, Any], commands: dict[str, list[str]], shell: list[str]) -> None:
        self.folder = folder
        self.node = node
        self.commands = commands  # by version
        self.shell = shell
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.due: dict[str, float] = {}
        self.pods = 0
        self.held: set[str] = set()  # containers that do not start again for now
        fast = folder / "fast"
        fast.mkdir()
        (fast / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.05\n")
        (fast / "sleep").chmod(0o755)
        self.env = {
            "PATH": f"{fast}:{os.environ['PATH']}",
            "FAKE": str(Path(__file__).parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "CHAIN_HOME": node["home"],
            "HOME": str(folder),
        }
        self.new_pod()

    def new_pod(self) -> None:
        """The pod is deleted, and made anew: its memory volumes are empty."""
        for name in list(self.running):
            self.kill(name)
            self.running.pop(name).wait()
        self.pods += 1
        run = self.folder / f"run{self.pods}"
        run.mkdir()
        (run / "node.json").write_text(json.dumps(self.node))
        self.env |= {"GATE": str(run / "gate"), "FILES": str(run / "files")}
        self.due = dict.fromkeys(["health", *self.commands], 0.0)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        if name in self.running:
            self.running[name].send_signal(number)

    def turn(self, delay: Callable[[], float] = lambda: 0.0) -> None:
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                del self.running[name]
                self.due[name] = time.monotonic() + delay()
        for name in [name for name, moment in self.due.items() if moment <= time.monotonic() and name not in self.held]:
            del self.due[name]
            log = (self.folder / f"{name}.log").open("ab")
            if name == "health":
                command = [
                    sys.executable,
                    "-c",
                    HEALTH,
                    str(AGENTS / "chain_health.py"),
                    f"{Path(self.env['GATE']).parent}/node.json",
                ]
            else:
                command = [*self.shell, str(AGENTS / "chain_node.sh"), *self.commands[name]]
            with log:
                self.running[name] = subprocess.Popen(command, env=self.env | {"VERSION": name}, stdout=log, stderr=log)

    def until(self, reached: Callable[[], bool], seconds: float = 30.0) -> None:
        """Goes on until something is so."""
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                raise AssertionError(f"not reached in {seconds} s:\n{self.story()}")
            self.turn()
            time.sleep(0.02)

    def during(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            time.sleep(0.02)

    def story(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for name in list(self.running):
            self.kill(name)
            self.running.pop(name).wait()


def chaos(kubelet: Kubelet, seed: int, seconds: float) -> None:
    """Ends, halts and delays containers at moments that the seed decides."""
    draw = random.Random(seed)
    end = time.monotonic() + seconds
    names = ["health", "health", *kubelet.commands]
    while time.monotonic() < end:
        act, name = draw.random(), draw.choice(names)
        if act < 0.55:
            kubelet.kill(name)
        elif act < 0.7:
            kubelet.kill(name, signal.SIGTERM)
        elif act < 0.9:
            kubelet.kill(name, signal.SIGSTOP)
        elif act > 0.97:
            kubelet.new_pod()
        until = time.monotonic() + draw.uniform(0.02, 0.4)
        while time.monotonic() < until:
            kubelet.turn(lambda: draw.uniform(0, 0.5))
            time.sleep(0.01)
        if act < 0.95:
            kubelet.kill(name, signal.SIGCONT)
