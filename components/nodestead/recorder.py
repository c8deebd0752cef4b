"""Runs a Pulumi program under mocks, each time in a runtime of its own, and records what would reach the engine."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
import pulumi.runtime
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.stack import run_pulumi_func

from nodestead.changes.secret_text import SIGNATURE

__all__ = ["Monitor", "Recording", "Registered", "Where", "is_secret", "record"]


@dataclass
class Registered:
    """A resource as the engine is asked to register it.

    Attributes:
        inputs: What it is given, without the marks of secrets.
        secret_inputs: The inputs that are secret or have a secret in them.
        wire: The inputs as they go to the engine, marks and all.
        remote: Whether it is a component that the process of its package makes, with all that is in it.
        started: When it was asked for, counted in requests and answers.
        finished: When that was answered.
    """

    type: str
    name: str
    urn: str
    custom: bool
    inputs: dict[str, Any]
    secret_inputs: set[str]
    parent: str
    provider: str
    protect: bool
    retained: bool
    deleted_first: bool
    dependencies: set[str]
    before_update: list[str]
    aliases: list[Any]
    timeouts: tuple[str, str]
    wire: Any = None
    remote: bool = False
    started: int = 0
    finished: int = 0

    @property
    def kind(self) -> str:
        """The Kubernetes kind, that of the patched object for a Patch resource; empty for anything else."""
        return str(self.inputs.get("kind", "")) if self.type.startswith("kubernetes:") else ""

    @property
    def is_patch(self) -> bool:
        """Whether it adopts an object, and lets go of it at the end."""
        return self.type.endswith("Patch")

    @property
    def object_name(self) -> str:
        """The name of a Kubernetes object."""
        return str(self.inputs["metadata"]["name"])


@dataclass
class Recording:
    """Everything that one run registered, in the order of the requests."""

    resources: list[Registered] = field(default_factory=list[Registered])
    component_outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    hooks: dict[str, Any] = field(default_factory=dict[str, Any])
    exports: dict[str, Any] = field(default_factory=dict[str, Any])
    secret_exports: set[str] = field(default_factory=set[str])
    result: Any = None

    def objects(self, kind: str = "") -> dict[str, Registered]:
        """The Kubernetes objects by `Kind/name`, of one kind or of all."""
        found = {f"{r.kind}/{r.object_name}": r for r in self.resources if r.kind}
        return {key: r for key, r in found.items() if not kind or r.kind == kind}

    def component(self, name: str) -> Registered:
        """A component by its Pulumi name."""
        return next(r for r in self.resources if r.name == name and not r.custom)

    def named(self, name: str) -> Registered:
        """A resource by its Pulumi name."""
        return next(r for r in self.resources if r.name == name)


class Monitor(mocks.MockMonitor):
    """The mock monitor, which sees the options that `MockResourceArgs` leaves out."""

    def __init__(self, mocked: pulumi.runtime.Mocks, recording: Recording | None = None) -> None:
        """Takes what answers for the providers, and what to fill."""
        super().__init__(mocked)
        self.recording = recording or Recording()
        self._lock = threading.Lock()
        self._clock = 0
        self._real = cast("Any", super())  # The SDK leaves its requests untyped.

    def _tick(self) -> int:
        with self._lock:
            self._clock += 1
            return self._clock

    def answered(self, entry: Registered, ask: Callable[[], Any]) -> Any:
        """What a registration is answered with: `ask` gives what the mocks say."""
        del entry
        return ask()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        """Records a resource."""
        if request.type == "pulumi:pulumi:Stack":
            return self._real.RegisterResource(request)
        timeouts = request.customTimeouts
        inputs = cast("dict[str, Any]", rpc.deserialize_properties(request.object))
        entry = Registered(
            type=request.type,
            name=request.name,
            urn=self.make_urn(request.parent, request.type, request.name),
            custom=request.custom,
            inputs=_plain(inputs),
            secret_inputs={key for key, value in inputs.items() if is_secret(value)},
            parent=request.parent,
            provider=request.provider,
            protect=request.protect,
            retained=request.retainOnDelete,
            deleted_first=request.deleteBeforeReplace,
            dependencies=set(request.dependencies),
            before_update=list(request.hooks.before_update),
            aliases=list(request.aliases),
            timeouts=(timeouts.create, timeouts.update),
            wire=request.object,
            remote=request.remote,
            started=self._tick(),
        )
        with self._lock:
            self.recording.resources.append(entry)
        response = self.answered(entry, lambda: self._real.RegisterResource(request))
        entry.finished = self._tick()
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Records the outputs of a component."""
        outputs = rpc.deserialize_properties(request.outputs)
        with self._lock:
            self.recording.component_outputs.setdefault(request.urn, []).append(cast("dict[str, Any]", outputs))
        return self._real.RegisterResourceOutputs(request)

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802
        """Records a hook."""
        with self._lock:
            self.recording.hooks[request.name] = request
        return self._real.RegisterResourceHook(request)


@dataclass(frozen=True)
class Where:
    """What a program sees of where it runs.

    Attributes:
        stack: Name of the stack.
        project: Name of the project.
        organization: Name of the organization; None where the program may not ask.
        preview: Whether it is a preview, in which what is not known stays unknown.
    """

    stack: str
    project: str
    organization: str | None = None
    preview: bool = False


def record(
    program: Callable[[], Any],
    monitor: Monitor,
    where: Where,
    config: Mapping[str, Any] | None = None,
    secret_keys: tuple[str, ...] = (),
) -> Recording:
    """Runs a program under mocks in a fresh runtime, so that each run stands alone.

    Args:
        program: Registers resources; what it returns is the recording's `result`.
        monitor: Fills its recording, also where the program raises.
        where: What the program sees of where it runs.
        config: Stack configuration by full key; objects are written as JSON, as the engine does.
        secret_keys: Keys of it that are marked secret.
    """
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}

    def isolated() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        # The mocks need a loop in each of their threads, and would leave those that they make open.
        loops = [loop]
        loop.set_default_executor(ThreadPoolExecutor(initializer=lambda: loops.append(_thread_loop())))
        try:
            settings.reset_options()
            pulumi.runtime.set_mocks(
                monitor.mocks,
                where.project,
                where.stack,
                where.preview,
                monitor=monitor,
                organization=where.organization,
            )
            pulumi.runtime.set_all_config(texts, list(secret_keys))
            loop.run_until_complete(_run(program, monitor.recording))
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            for used in loops:
                used.close()

    contextvars.copy_context().run(isolated)
    return monitor.recording


def _thread_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


async def _run(program: Callable[[], Any], recording: Recording) -> None:
    def body() -> None:
        recording.result = program()

    await run_pulumi_func(body)
    exports = cast("dict[str, Any]", cast("Any", pulumi.runtime.get_root_resource()).outputs)
    for key, value in exports.items():
        output = pulumi.Output.from_input(value)
        recording.exports[key] = await output.future()
        if await output.is_secret():
            recording.secret_exports.add(key)


def is_secret(value: object) -> bool:
    """Tells whether a value is marked secret, as the whole of a mapping or list with a secret in it is."""
    return isinstance(value, Mapping) and SIGNATURE in value


def _plain(value: Any) -> Any:
    """Inputs without the marks of secrets, and with whole numbers as they were written."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return _plain(items["value"]) if SIGNATURE in items else {key: _plain(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value
