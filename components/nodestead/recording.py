"""Any Pulumi program with the components, as a change report compares it: run under mocks, without a cluster.

    python -m nodestead.recording --stack dev --dir infra

prints the snapshot of what the program would ask the engine for. Nothing is decrypted, nothing is asked of a cloud.
"""

import argparse
import hashlib
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi.runtime
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from nodestead.changes.secret_text import SIGNATURE, smells
from nodestead.changes.snapshot import PASSWORD_TYPE, Item, SetFacts, Snapshot, snapshot_to_json
from nodestead.kubernetes.objects import BATCHES, Manifest
from nodestead.preview.program_file import NO_STACK, Program, ProgramConfig, read_program
from nodestead.preview.stack_file import StackFileError
from nodestead.preview.yaml_text import DEFERRED, SECRET
from nodestead.recorder import Monitor, Recording, Registered, Where, record

__all__ = ["ProgramError", "main", "program_snapshot"]

_COMPONENT = "nodestead:index:"


class ProgramError(ValueError):
    """A program that cannot be run to its end; one to few lines, with nothing of an encrypted value."""


def program_snapshot(directory: Path, stack: str) -> Snapshot:
    """What a program asks the engine for.

    Args:
        directory: The folder of its Pulumi.yaml. The process goes there, as the engine's does.
        stack: Name of the stack; its config is empty where it has no file.

    Raises:
        StackFileError: no such program, one in another language, or a file that cannot be read.
        ProgramError: the program fails.
    """
    program = read_program(directory)
    config = program.config(stack)
    monitor = _ProgramMonitor(_Mocks())
    where = Where(stack, program.name, "organization", preview=True)
    try:
        with _hidden_values(config.hidden):
            record(lambda: _run(program), monitor, where, config.texts, tuple(config.secret))
    except Exception as error:  # noqa: BLE001 # whatever a program raises
        raise ProgramError(_told(error, program, config)) from None
    return _snapshot_of(monitor.recording, stack)


def _run(program: Program) -> None:
    main = program.main.absolute()
    folder = main if main.is_dir() else main.parent
    os.chdir(folder)
    sys.argv = [str(main)]
    sys.path.insert(0, str(folder))
    try:
        runpy.run_path(str(main), run_name="__main__")
    except SystemExit as left:
        if left.code not in (None, 0):
            raise ProgramError(f"it ends with {left.code}") from None
    except KeyboardInterrupt:
        raise ProgramError("it was interrupted") from None


def _told(error: BaseException, program: Program, config: ProgramConfig) -> str:
    """A failure in the words of whoever wrote the program, with the last line of it that ran."""
    text = str(error).strip()
    if not isinstance(error, pulumi.RunError | ProgramError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    folder = program.main.absolute() if program.main.is_dir() else program.main.absolute().parent
    own = [
        f"{path.relative_to(folder)}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if (path := Path(frame.filename)).is_relative_to(folder) and "site-packages" not in path.parts
    ]
    # What is not decrypted cannot be repeated; a secret that stands in clear in a file of config could.
    for key in config.secret:
        text = text.replace(config.texts[key], SECRET)
    lines = text.splitlines()
    shown = "\n".join(lines[:20] + ["..."] * (len(lines) > 20))[:3_000]
    return f"{shown} ({own[-1]})" if own else shown


@contextmanager
def _hidden_values(keys: frozenset[str]) -> Generator[None]:
    """Gives what is encrypted as a secret that nobody knows yet, so that no program has to parse a marker."""
    names = [f"{verb}_secret{suffix}" for verb in ("get", "require") for suffix in ("", "_bool", "_int", "_float", "_object")]
    real = {name: getattr(pulumi.Config, name) for name in names}

    def hiding(name: str) -> Callable[..., Any]:
        def get(self: pulumi.Config, key: str, *args: Any, **kwargs: Any) -> Any:
            full = key if ":" in key else f"{self.name}:{key}"
            if full not in keys:
                return real[name](self, key, *args, **kwargs)
            return pulumi.Output.secret(pulumi.Output.from_input(cast("Any", Unknown())))

        return get

    for name in names:
        setattr(pulumi.Config, name, hiding(name))
    try:
        yield
    finally:
        for name, method in real.items():
            setattr(pulumi.Config, name, method)


# ---- what answers for the providers


class _Mocks(pulumi.runtime.Mocks):
    """Echoes inputs; what only a provider knows stays unknown, as in a preview of a new stack."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The state of a resource."""
        state = cast("dict[str, Any]", _sendable(dict(cast("dict[str, Any]", args.inputs))))
        if args.typ == PASSWORD_TYPE and state.get("overrideSpecial") == "0123456789abcdef":
            # A seed, of which other objects are made; another one for each set, and always the same.
            state["result"] = hashlib.sha256(args.name.encode()).hexdigest()
        if not args.typ.startswith("kubernetes:") or "kind" not in state:
            return "", state
        metadata: Any = state.get("metadata") or {}
        labels: Any = None
        if isinstance(metadata, dict) and SIGNATURE not in metadata:
            state["metadata"] = {"name": args.name, **cast("dict[str, Any]", metadata)}
            labels = state["metadata"].get("labels")
        if state["kind"] == "Service" and isinstance(labels, dict) and "nodestead.io/set" in labels:
            # Known to be without one: the components then show what stands for the address.
            state["status"] = None
        return args.name, state

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """The answer of a function: the objects of a YAML text, and for any other one what it was asked with."""
        given = cast("dict[str, Any]", args.args)
        if args.token == "kubernetes:yaml:decode":  # noqa: S105
            documents = yaml.load_all(str(given.get("text", "")), yaml.CSafeLoader)
            return {"result": [one for one in documents if one]}
        if args.token.startswith("kubernetes:"):
            return {"result": []}
        return _sendable(given)


def _sendable(value: Any) -> Any:
    """A value as the wire takes it: what is unknown as its mark."""
    if isinstance(value, Unknown):
        return rpc.UNKNOWN
    if isinstance(value, dict):
        return {key: _sendable(item) for key, item in cast("dict[str, Any]", value).items()}
    return [_sendable(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


class _ProgramMonitor(Monitor):
    """Knows what a program may ask beside resources."""

    def Call(self, request: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        """A method of a resource, which gives nothing."""
        del request
        return provider_pb2.CallResponse()

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Outputs of a component, which nobody reads: to read a resource among them would ask for it, and wait for ever."""
        del request
        return empty_pb2.Empty()


# ---- from what was registered to objects


def _snapshot_of(recording: Recording, stack: str) -> Snapshot:
    """The objects that a run registered, all plain: secrets and what is not known yet as markers."""
    snapshot = Snapshot(stack)
    sets = {one.urn: one.name for one in recording.resources if one.type.startswith(_COMPONENT)}
    # Requests come from threads, in another order each time.
    ordered = sorted(recording.resources, key=lambda one: (one.parent, one.type, _natural(one.name)))
    for one in ordered:
        if (one.custom or _is_unopened(one)) and not one.type.startswith("pulumi:pulumi:"):
            item = Item(
                _manifest(one, sets.get(one.parent, "")),
                protected=one.protect,
                retained=one.retained or (bool(one.kind) and one.is_patch),
            )
            if not item.is_object and item.identity in snapshot.items:
                item.manifest["metadata"]["name"] = f"{one.name} of {one.parent.rpartition('::')[2]}"
            snapshot.add(item)
    snapshot.sets = [_facts(one, snapshot) for one in ordered if one.urn in sets]
    return snapshot


def _is_unopened(one: Registered) -> bool:
    """Whether it is a component whose objects are not asked for here: a chart, or one of another package."""
    return one.remote or re.match(r"kubernetes:(?:helm\.sh|kustomize)[:/]", one.type) is not None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts `codex-10` behind `codex-9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _manifest(one: Registered, of_set: str) -> Manifest:
    """An object, or what any other resource is given."""
    inputs = cast("dict[str, Any]", _shown(json_format.MessageToDict(one.wire)))
    if one.kind and isinstance(inputs.get("apiVersion"), str):
        return _object(inputs, one)
    inputs = {key: _veiled(key, value) for key, value in inputs.items() if not key.startswith("__")}
    named: Manifest = {"kind": one.type, "metadata": {"name": one.name}}
    marks = {**({"set": of_set} if of_set else {}), **({"remote": True} if one.remote else {})}
    return {**named, **marks, "inputs": inputs}


def _object(inputs: dict[str, Any], one: Registered) -> Manifest:
    given = inputs.get("metadata")
    metadata: dict[str, Any] = dict(cast("dict[str, Any]", given)) if isinstance(given, dict) else {}
    if metadata.get("name") in (None, SECRET, DEFERRED):
        # The engine would make one of this and a random end.
        metadata["name"] = one.name
    for key in ("labels", "annotations"):
        if key in metadata and not isinstance(metadata[key], dict):
            del metadata[key]
    made: Manifest = {"apiVersion": inputs["apiVersion"], "kind": one.kind, **inputs, "metadata": metadata}
    if one.kind == "Secret":
        for key in ("data", "stringData"):
            if key in made:
                entries = one.inputs.get(key)
                made[key] = dict.fromkeys(cast("dict[str, Any]", entries), SECRET) if isinstance(entries, dict) else SECRET
    return made


_SECRET_MARK, _ASSETS = rpc._special_secret_sig, (rpc._special_asset_sig, rpc._special_archive_sig)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _shown(value: Any) -> Any:
    """A value off the wire as people may see it, whole numbers as they were written."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        mark = items.get(SIGNATURE)
        if mark is None:
            return {key: _shown(item) for key, item in items.items()}
        if mark == _SECRET_MARK:
            return SECRET
        return "[file]" if mark in _ASSETS else str(items.get("urn", DEFERRED)).rpartition("::")[2]
    if isinstance(value, list):
        return [_shown(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return DEFERRED if isinstance(value, str) and rpc.UNKNOWN in value else value


def _veiled(key: str, value: Any) -> Any:
    """An input of a resource of any kind, without what its program forgot to mark as secret."""
    if isinstance(value, str):
        # A kubeconfig is a path, or a text with credentials in it.
        return SECRET if smells(key) or (key == "kubeconfig" and ("\n" in value or "{" in value)) else value
    if isinstance(value, dict):
        return {inner: _veiled(inner, item) for inner, item in cast("dict[str, Any]", value).items()}
    return [_veiled(key, item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _facts(component: Registered, snapshot: Snapshot) -> SetFacts:
    """What a component says of its set."""
    facts = cast("dict[str, Any]", _shown(json_format.MessageToDict(component.wire)))
    batches = cast("list[list[str]]", facts.pop(BATCHES, None) or [])
    own = (one.namespace for one in snapshot.items.values() if one.is_object and one.set == component.name)
    namespace = str(facts.get("namespace") or next(own, ""))
    return SetFacts(component.name, namespace, component.type.removeprefix(_COMPONENT), batches, facts)


# ---- the command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a program and hands over its snapshot; 2 where the program fails, with the reason on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m nodestead.recording",
        description="Runs a Pulumi program in Python under mocks and prints a snapshot of what it asks the engine for.",
    )
    parser.add_argument("--stack", metavar="NAME", default=NO_STACK, help=f"the stack whose config it gets ({NO_STACK})")
    parser.add_argument("--dir", metavar="DIR", type=Path, default=Path(), help="the folder of its Pulumi.yaml (.)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write it there")
    args = parser.parse_args(argv)
    out: Path | None = args.out.absolute() if args.out is not None else None
    try:
        with _output_apart():
            text = snapshot_to_json(program_snapshot(args.dir, args.stack))
    except (ProgramError, StackFileError) as error:
        sys.stderr.write(f"nodestead: {error}\n")
        return 2
    if out is None:
        sys.stdout.write(f"{text}\n")
    else:
        out.write_text(text, encoding="utf-8")
    return 0


@contextmanager
def _output_apart() -> Generator[None]:
    """Sends what a program prints to stderr, also what its own child processes print."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    sys.exit(main())
