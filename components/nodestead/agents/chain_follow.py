"""Stands in an extra pod of a chain's node: of each program there, the version that the node runs.

Usage: chain_follow.py --node URL --port PORT --versions NAME,... CONTAINER...

URL is where the node's chain_health.py answers. Each CONTAINER stands for as many containers as there are versions; they run
chain_node.sh with $GATE/<container> for a gate, whose files chain_gate.py describes. Who has the turn keeps it until its
process is gone: /live/<container>/<version> tells the kubelet to end it once the node runs another version.
"""

import argparse
import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chain_gate import Turns, Version
from chain_web import Handler, alive, ask, begin, serve

__all__ = ["Follower"]

_EVERY = 2.0  # seconds

logger = logging.getLogger("nodestead")


@dataclass
class Follower:
    """Gives the turns of a pod's containers to the version that a node runs."""

    node: str
    folder: Path
    programs: Mapping[str, Turns]  # by container
    versions: Sequence[str]
    version: str | None = None  # the last that the node was seen to run
    _strange: str | None = None

    def __post_init__(self) -> None:
        # Outlives this process, not the pod: a program that ends while the node is silent goes on as the same version.
        with contextlib.suppress(OSError, UnicodeDecodeError):
            noted = self._note.read_text().strip()
            self.version = noted if noted in self.versions else None

    @property
    def _note(self) -> Path:
        return self.folder / ".node-version"  # no container is called so

    def ask_node(self) -> None:
        """One look at the node. One that is silent, or between two versions, changes nothing."""
        version = (ask(f"{self.node.rstrip('/')}/version", 3.0) or {}).get("version")
        if not isinstance(version, str) or version == self.version:
            return
        if version in self.versions:
            logger.info("the node runs version %s", version)
            self.version = version
            draft = self._note.with_suffix(".new")
            draft.write_text(f"{version}\n")
            draft.replace(self._note)
        elif version != self._strange:
            self._strange = version
            logger.info("the node runs version %s, which this pod does not have yet", version)

    def step(self) -> None:
        """Gives the turn of each program where none of its versions has it."""
        if self.version is None:
            return
        for name, turns in self.programs.items():
            if not turns.is_only() or turns.running():
                continue
            waiting = turns.token(self.version, "waiting")
            if waiting:
                logger.info("%s starts as version %s", name, self.version)
                turns.put(self.version, "grant", waiting)

    def live(self, name: str, version: str) -> tuple[int, str]:
        """Answer to /live/<container>/<version>: dead is who runs a version that the node has left."""
        if not self.programs[name].turn_of(version):
            return 200, "idle"
        if self.version in {None, version}:
            return 200, "runs"
        return 503, f"the node runs version {self.version}"


class _Handler(Handler):
    follower: Follower
    beats: Mapping[str, float]

    def asked(self, path: str) -> None:
        kind, *rest = path.split("/")
        follower = self.follower
        if path == "alive":
            self.answer(*alive(self.beats))
        elif path == "version":
            self.answer(200, json.dumps({"version": follower.version}), "application/json")
        elif kind == "live" and len(rest) == 2 and rest[0] in follower.programs and rest[1] in follower.versions:
            self.answer(*follower.live(*rest))
        else:
            self.answer(404, "ask for /live/<container>/<version>, /version or /alive")


def main() -> None:
    """Runs for ever."""
    begin()
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--versions", required=True)
    parser.add_argument("containers", nargs="+")
    given = parser.parse_args()
    folder = Path(os.environ.get("GATE") or "/run/nodestead/gate")
    versions: list[str] = given.versions.split(",")
    programs: dict[str, Turns] = {}
    for name in given.containers:
        programs[name] = Turns(folder=folder / name, versions=[Version(version) for version in versions])
        programs[name].folder.mkdir(parents=True, exist_ok=True)
    follower = Follower(given.node, folder, programs, versions)
    beats = {"follow": time.monotonic()}

    def follow() -> None:
        while True:
            follower.ask_node()
            follower.step()
            beats["follow"] = time.monotonic()
            time.sleep(_EVERY)

    serve(given.port, type("Handler", (_Handler,), {"follower": follower, "beats": beats}), follow)


if __name__ == "__main__":
    main()
