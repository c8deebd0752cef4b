"""Stacks of the project brought to the cluster by the Pulumi CLI, and what becomes of their pods meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from cluster import kubectl, until
from storage_groups import group

__all__ = [
    "ADOPT",
    "PROJECT",
    "EngineError",
    "NewStack",
    "PodWatch",
    "Stack",
    "dev_config",
    "identities",
    "objects",
    "versions",
    "watching",
]

PROJECT = Path(__file__).parents[2]

ADOPT = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""Environment for one `pulumi up` over objects that no state knows: those of a killed creation, or of a lost state."""

_SECONDS = 240


class EngineError(RuntimeError):
    """A command of the CLI that ended otherwise than it should have; the text is what it said."""


def dev_config(namespace: str, groups: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the dev stack with other groups, on the cluster of KUBECONFIG instead of in a folder.

    Args:
        namespace: Name of the namespace.
        groups: The groups by name, each as what it has otherwise than the one of dev, made small and quick.
    """
    config: dict[str, Any] = yaml.safe_load((PROJECT / "stacks" / "Pulumi.dev.yaml").read_text())["config"]
    (base,) = config["nodestead:storageNodeGroups"].values()
    # Its chain has tests of its own, with images that are there.
    del config["nodestead:blockchainNodeSets"]
    base |= {key: value for key, value in group().items() if key in ("container", "patches")}
    return config | {
        "nodestead:namespace": config["nodestead:namespace"] | {"name": namespace},
        "nodestead:cluster": {"kubeconfig": os.environ["KUBECONFIG"]},
        "nodestead:storageNodeGroups": {name: base | given for name, given in groups.items()},
    }


def objects(namespace: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """The objects of some kinds, by Kind/name."""
    found = json.loads(kubectl("get", ",".join(kinds), "--namespace", namespace, "--output", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def versions(namespace: str, *kinds: str) -> dict[str, str]:
    """What changes with every write to an object."""
    return {name: one["metadata"]["resourceVersion"] for name, one in objects(namespace, *kinds).items()}


def identities(namespace: str, *kinds: str) -> dict[str, str]:
    """What changes when an object is replaced."""
    return {name: one["metadata"]["uid"] for name, one in objects(namespace, *kinds).items()}


def _kill_session(leader: int) -> None:
    """Kills all processes of a session: the CLI, and its plugins, which have process groups of their own and would live on."""
    running = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    # The CLI first: its plugins must not have the time to tell it that they are gone.
    for pid in sorted(running, key=lambda pid: pid != leader):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


class Stack:
    """A copy of the project with one stack, whose state lies in a folder beside it.

    Attributes:
        folder: The copy.
        state: The folder that is the backend.
        said: Everything that the CLI said so far, but for what `private` ran.
    """

    def __init__(self, folder: Path, program: str | None = None, name: str = "e2e", state: Path | None = None) -> None:
        """Makes the copy and the stack.

        Args:
            folder: A folder that is not there yet.
            program: Text of the program; by default the project's own.
            name: Name of the stack, and of its file.
            state: The backend of another stack, which has to have another name; by default one of its own.
        """
        self.folder, self.name, self.said = folder, name, ""
        self.file = folder / "stacks" / f"Pulumi.{name}.yaml"
        self.file.parent.mkdir(parents=True)
        self.state = state or folder / "state"
        self.state.mkdir(exist_ok=True)
        shutil.copy(PROJECT / "Pulumi.yaml", folder)
        (folder / "__main__.py").write_text(program or (PROJECT / "__main__.py").read_text())
        (folder / ".venv").symlink_to(sys.prefix)
        self.run("stack", "init", "--no-select")

    # ---- its config

    def configure(self, config: Mapping[str, Any], secrets: Mapping[str, str] | None = None) -> None:
        """Writes the stack's file.

        Args:
            config: All of its config.
            secrets: Values by path that are set as a user would, with `pulumi config set --secret`.
        """
        before: dict[str, Any] = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        self.file.write_text(yaml.safe_dump(before | {"config": dict(config)}, sort_keys=False))
        for path, value in (secrets or {}).items():
            self._start("config", "set", "--path", "--secret", path, given=value)

    # ---- the CLI

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """Runs a command of the CLI and gives what it said.

        Raises:
            EngineError: where it fails.
        """
        said, code = self._start(*args, env=env)
        self.said += said
        if code != 0:
            raise EngineError(f"pulumi {' '.join(args)} ended with {code}:\n{said}")
        return said

    def spoken(self, *args: str) -> tuple[str, int]:
        """What a command says on standard output alone, and how it ends."""
        return self._start(*args, merged=False)

    def refused(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """Runs a command that has to fail, and gives what it said.

        Raises:
            EngineError: where it does not fail.
        """
        said, code = self._start(*args, env=env)
        self.said += said
        if code == 0:
            raise EngineError(f"pulumi {' '.join(args)} was to fail and did not:\n{said}")
        return said

    def up(self, *flags: str, env: Mapping[str, str] | None = None) -> str:
        """Brings the stack up, as a pipeline does."""
        return self.run("up", "--yes", "--skip-preview", *flags, env=env)

    def changes_nothing(self) -> None:
        """Brings the stack up once more; EngineError where that changes anything."""
        self.up("--expect-no-changes")

    def killed(self, *args: str, when: Callable[[str], bool]) -> str:
        """Starts a command and kills it with all its plugins, as when its machine goes down.

        Args:
            args: The command.
            when: The moment, told by what was said so far.
        """
        log = self.folder / "killed.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                self._command(args), cwd=self.folder, env=self._env(None), stdout=file, stderr=file, start_new_session=True
            )
            try:
                until("the moment to kill", lambda: when(log.read_text()) or process.poll() is not None, every=0.05)
            finally:
                ended = process.poll()
                if ended is None:
                    _kill_session(process.pid)
                process.wait()
        said = log.read_text()
        self.said += said
        if ended is not None:
            raise EngineError(f"pulumi {' '.join(args)} ended with {ended} before it could be killed:\n{said}")
        return said

    def private(self, *args: str) -> Any:
        """What a command says as JSON with --show-secrets; not part of `said`."""
        said, code = self._start(*args, "--show-secrets", merged=False)
        if code != 0:
            raise EngineError(f"pulumi {' '.join(args)} ended with {code}")
        return json.loads(said)

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, with secrets in clear."""
        return self.private("stack", "export")["deployment"].get("resources", [])

    def state_text(self) -> str:
        """All that lies in the folder of the state: checkpoint, backups, history."""
        return "\n".join(path.read_text() for path in sorted(self.state.rglob("*")) if path.is_file())

    def _command(self, args: Iterable[str]) -> list[str]:
        return ["pulumi", "--non-interactive", "--color=never", *args, "--stack", self.name]

    def _env(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            **os.environ,
            # Without the files beside each file that hold its attributes: a kill leaves one empty, and the stack unreadable.
            "PULUMI_BACKEND_URL": f"file://{self.state}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **(more or {}),
        }

    def _start(
        self, *args: str, env: Mapping[str, str] | None = None, given: str | None = None, merged: bool = True
    ) -> tuple[str, int]:
        done = subprocess.run(
            self._command(args),
            check=False,
            cwd=self.folder,
            env=self._env(env),
            input=given or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            timeout=_SECONDS,
        )
        return done.stdout, done.returncode


NewStack = Callable[..., Stack]
"""What the fixture `new_stack` gives: makes a stack of the program, name and state that are given, by default the project's."""


class PodWatch:
    """Which nodes of a group were down, in the order of the API server's events: no moment between them is missed.

    A node is down while its pod is missing, about to go or not ready; one that never had a pod is not.

    Attributes:
        together: Every set of nodes that had pods at one time, ready or not.
    """

    def __init__(self) -> None:
        self.together: list[set[str]] = []
        self._there: set[str] = set()
        self._up: dict[str, bool] = {}
        self._changes: list[tuple[str, bool]] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Takes an event of the API server."""
        metadata, status = event["object"]["metadata"], event["object"].get("status", {})
        is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
        is_up = event["type"] != "DELETED" and "deletionTimestamp" not in metadata and is_ready
        node = metadata["labels"]["nodestead.io/node"]
        there = self._there - {node} if event["type"] == "DELETED" else self._there | {node}
        if there != self._there:
            self._there = there
            self.together.append(there)
        if self._up.get(node) != is_up:
            self._up[node] = is_up
            self._changes.append((node, is_up))

    @property
    def down(self) -> set[str]:
        """The nodes that are down now."""
        return {node for node, is_up in self._up.items() if not is_up}

    def batches(self) -> list[set[str]]:
        """The nodes that were down together, one set for each time until all were up again."""
        found: list[set[str]] = []
        down: set[str] = set()
        for node, is_up in self._changes:
            if is_up:
                down.discard(node)
                continue
            if not down:
                found.append(set())
            down.add(node)
            found[-1].add(node)
        return found


@contextmanager
def watching(namespace: str, *groups: str) -> Generator[PodWatch]:
    """Watches the pods of some groups as long as the block runs; the namespace need not be there yet."""
    selector = f"app.kubernetes.io/instance in ({','.join(groups)})"
    command = ["kubectl", "get", "pods", "--namespace", namespace, "--selector", selector]
    command += ["--watch", "--output-watch-events", "--output", "json"]
    seen = PodWatch()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for line in process.stdout or ():
                seen.take(json.loads(line))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            # Its first list has to come before anything changes.
            time.sleep(0.5)
            yield seen
            time.sleep(0.5)
            if process.poll() is not None:
                raise EngineError(f"kubectl stopped watching: {process.stderr.read() if process.stderr else ''}")
        finally:
            process.terminate()
            reader.join()
