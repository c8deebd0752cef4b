"""Runs a Pulumi program under mocks, each in a runtime of its own, and records what reaches the engine."""

import asyncio
import contextvars
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
import pulumi.runtime
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

STACK, PROJECT = "test", "nodestead"
SEED = "5e" * 32
PASSWORD, PASSWORD_HASH = "generated-password", "$2a$10$generated.hash"
_SIGNATURE = "4dabf18193072939515e22adb298388d"  # rpc._special_sig_key: marks a secret on the wire.


@dataclass
class Registered:
    """A resource as the engine is asked to register it."""

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
    started: int = 0
    finished: int = 0

    @property
    def kind(self) -> str:
        """The Kubernetes kind, that of the patched object for a Patch resource; empty for anything else."""
        return str(self.inputs.get("kind", "")) if self.type.startswith("kubernetes:") else ""

    @property
    def is_patch(self) -> bool:
        return self.type.endswith("Patch")

    @property
    def object_name(self) -> str:
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
        return next(r for r in self.resources if r.name == name and not r.custom)

    def named(self, name: str) -> Registered:
        return next(r for r in self.resources if r.name == name)


class KubernetesMocks(pulumi.runtime.Mocks):
    """Answers as the random and kubernetes providers do: echoes inputs and fills in what they compute."""

    def __init__(self, *, load_balancers: bool = True, stacks: Mapping[str, Any] | None = None) -> None:
        self._load_balancers = load_balancers
        self._stacks = stacks or {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = dict(cast("dict[str, Any]", args.inputs))
        if args.typ == "random:index/randomPassword:RandomPassword":
            is_seed = args.name.endswith("-seed")
            state |= {"result": SEED} if is_seed else {"result": PASSWORD, "bcryptHash": PASSWORD_HASH}
        elif self._load_balancers and state.get("kind") == "Service" and state["spec"].get("type") == "LoadBalancer":
            state |= {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}
        elif args.typ == "pulumi:pulumi:StackReference":
            state |= {"outputs": self._stacks[state["name"]]}
        return f"{args.name}-id", state

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)


class _Monitor(mocks.MockMonitor):
    """The mock monitor, which sees the options that `MockResourceArgs` leaves out."""

    def __init__(self, mocked: pulumi.runtime.Mocks, failing: Collection[str], slow: Collection[str]) -> None:
        super().__init__(mocked)
        self._slow = slow
        self._failing = failing
        self.recording = Recording()
        self._lock = threading.Lock()
        self._clock = 0
        self._real = cast("Any", super())  # The SDK leaves its requests untyped.

    def _tick(self) -> int:
        with self._lock:
            self._clock += 1
            return self._clock

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the gRPC method
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
            started=self._tick(),
        )
        with self._lock:
            self.recording.resources.append(entry)
        if entry.name in self._slow:
            time.sleep(0.1)
        response = self._real.RegisterResource(request)
        entry.finished = self._tick()
        if entry.name in self._failing:
            return resource_pb2.RegisterResourceResponse(urn=response.urn, result=resource_pb2.Result.FAIL)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        outputs = rpc.deserialize_properties(request.outputs)
        with self._lock:
            self.recording.component_outputs.setdefault(request.urn, []).append(cast("dict[str, Any]", outputs))
        return self._real.RegisterResourceOutputs(request)

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802
        with self._lock:
            self.recording.hooks[request.name] = request
        return self._real.RegisterResourceHook(request)


def run(
    program: Callable[[], Any],
    *,
    config: Mapping[str, Any] | None = None,
    secret_keys: tuple[str, ...] = (),
    preview: bool = False,
    failing: Collection[str] = (),
    slow: Collection[str] = (),
    load_balancers: bool = True,
    stacks: Mapping[str, Any] | None = None,
    recording: Recording | None = None,
) -> Recording:
    """Runs a program under mocks in a fresh runtime, so that each run stands alone.

    Args:
        program: Registers resources; what it returns is the recording's `result`.
        config: Stack configuration by full key; objects are written as JSON, as the engine does.
        secret_keys: Keys of it that are marked secret.
        preview: Whether it is a preview.
        failing: Pulumi names of resources that fail, as under --continue-on-error.
        slow: Pulumi names of resources that take a while.
        load_balancers: Whether load balancers get their address.
        stacks: The outputs of other stacks by name.
        recording: Filled also where the program raises.
    """
    monitor = _Monitor(KubernetesMocks(load_balancers=load_balancers, stacks=stacks), failing, slow)
    monitor.recording = recording or monitor.recording
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}

    def isolated() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        # The mocks need a loop in each of their threads, and would leave those that they make open.
        loops = [loop]
        loop.set_default_executor(ThreadPoolExecutor(initializer=lambda: loops.append(_thread_loop())))
        try:
            settings.reset_options()
            pulumi.runtime.set_mocks(monitor.mocks, PROJECT, STACK, preview, monitor=monitor)
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
    return isinstance(value, Mapping) and _SIGNATURE in value


def _plain(value: Any) -> Any:
    """Inputs without the marks of secrets, and with whole numbers as they were written."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return _plain(items["value"]) if _SIGNATURE in items else {key: _plain(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value
