"""Runs programs under mocks that answer as the providers do, and lets some of the resources fail or be slow."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import pulumi
import pulumi.runtime
from pulumi.runtime.proto import resource_pb2

from nodestead.recorder import Monitor, Recording, Registered, Where, is_secret, record

__all__ = ["PASSWORD", "PASSWORD_HASH", "PROJECT", "SEED", "STACK", "Recording", "Registered", "is_secret", "run"]

STACK, PROJECT = "test", "nodestead"
SEED = "5e" * 32
PASSWORD, PASSWORD_HASH = "generated-password", "$2a$10$generated.hash"


class KubernetesMocks(pulumi.runtime.Mocks):
    """Answers as the random and kubernetes providers do: echoes inputs and fills in what they compute."""

    def __init__(self, *, load_balancers: bool = True, stacks: Mapping[str, Any] | None = None, computes: bool = True) -> None:
        self._load_balancers = load_balancers
        self._stacks = stacks or {}
        self._computes = computes

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = dict(cast("dict[str, Any]", args.inputs))
        if args.typ == "pulumi:pulumi:StackReference":
            state |= {"outputs": self._stacks[state["name"]]}
        elif not self._computes:
            # What is not answered is unknown in a preview.
            pass
        elif args.typ == "random:index/randomPassword:RandomPassword":
            is_seed = args.name.endswith("-seed")
            state |= {"result": SEED} if is_seed else {"result": PASSWORD, "bcryptHash": PASSWORD_HASH}
        elif self._load_balancers and state.get("kind") == "Service" and state["spec"].get("type") == "LoadBalancer":
            state |= {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}
        return f"{args.name}-id", state

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)


class _Monitor(Monitor):
    """Lets some of the resources fail or be slow."""

    def __init__(
        self, mocked: pulumi.runtime.Mocks, recording: Recording | None, failing: Collection[str], slow: Collection[str]
    ) -> None:
        super().__init__(mocked, recording)
        self._failing, self._slow = failing, slow

    def answered(self, entry: Registered, ask: Callable[[], Any]) -> Any:
        if entry.name in self._slow:
            time.sleep(0.1)
        response = ask()
        if entry.name in self._failing:
            return resource_pb2.RegisterResourceResponse(urn=response.urn, result=resource_pb2.Result.FAIL)
        return response


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
        preview: Whether it is the preview of a stack's first update, in which nothing that providers compute is known.
        failing: Pulumi names of resources that fail, as under --continue-on-error.
        slow: Pulumi names of resources that take a while.
        load_balancers: Whether load balancers get their address.
        stacks: The outputs of other stacks by name.
        recording: Filled also where the program raises.
    """
    monitor = _Monitor(
        KubernetesMocks(load_balancers=load_balancers, stacks=stacks, computes=not preview), recording, failing, slow
    )
    return record(program, monitor, Where(STACK, PROJECT, preview=preview), config, secret_keys)
