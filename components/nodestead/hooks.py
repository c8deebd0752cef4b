"""Hooks that the engine calls: what may not change under data, and what a refusal of the API server means."""

from collections.abc import Mapping
from typing import Any

import pulumi

from nodestead.kubernetes.objects import BATCHES

__all__ = ["hook_prefix", "refused_changes", "restoring_hook", "taken_hook", "with_guard"]


def refused_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The fields that may not change under data and do, one line for each: path, old value, new value.

    A field that one side does not have is passed over: its rule is younger than the state, or its value unknown in preview.

    Args:
        old: What the state holds, by path in the config.
        new: What the program gives.
    """
    return [
        f"{path}: {_shown(old[path])} may not become {_shown(value)}"
        for path, value in new.items()
        if path in old and _known(value) and _known(old[path]) and old[path] != value
    ]


def with_guard(
    token: str, name: str, noticed: Mapping[str, tuple[str, str]], opts: pulumi.ResourceOptions | None
) -> pulumi.ResourceOptions:
    """The caller's options, with a hook that stops preview and update before data meets a config it was not made for.

    It warns of what may change but costs something.
    """

    def guard(args: pulumi.ResourceHookArgs) -> None:
        old, new = dict(args.old_inputs or {}), dict(args.new_inputs or {})
        new.pop(BATCHES, None)
        for path, (value, notice) in noticed.items():
            if old.pop(path, value) != value:
                pulumi.log.warn(f"{name}: {notice}")
            new.pop(path, None)
        refused = refused_changes(old, new)
        if refused:
            message = f"{name}: the nodes' data was made for the old value; set it back, or make a new set under another name"
            raise ValueError("\n".join([message, *(f"  - {line}" for line in refused)]))

    hook = pulumi.ResourceHook(f"{hook_prefix(token, name, opts)}::guard", guard, pulumi.ResourceHookOptions(on_dry_run=True))
    binding = pulumi.ResourceHookBinding(before_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=binding))


def restoring_hook(hook_name: str) -> pulumi.ErrorHook:
    """Tells what it means that the API server refuses a key Secret, and what to do."""

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        if any("field is immutable" in error for error in args.errors):
            pulumi.log.error(
                f"{args.name}: the living key is of another seed than this state has, and stays as it is; restore the seed from"
                " its backup with keys.seed"
            )
        return False

    return pulumi.ErrorHook(hook_name, explain)


def taken_hook(hook_name: str) -> pulumi.ErrorHook:
    """Tells what it means that the guard of an exclusive key is there already; the provider would tell how to adopt it."""

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        if any(text in error for error in args.errors for text in ("already exists", "field is immutable")):
            guard = args.new_inputs or {}
            what, name = guard["data"]["consensusAddress"], guard["metadata"]["name"]
            pulumi.log.error(
                f"{args.name}: consensus address {what} is held already, by the node that ConfigMap {name} names; take it from"
                " that node's set and update, then give it to this one: two nodes would sign with one key, and be slashed for it"
            )
        return False

    return pulumi.ErrorHook(hook_name, explain)


def hook_prefix(token: str, name: str, opts: pulumi.ResourceOptions | None) -> str:
    """Two components of one name can only differ in the types of their parents, and hooks have one name space."""
    parent = f"{opts.parent.pulumi_resource_type}::{opts.parent.pulumi_resource_name}::" if opts and opts.parent else ""
    return f"{parent}{token}::{name}"


def _known(value: object) -> bool:
    return isinstance(value, str | int | float | bool | list | dict)


def _shown(value: object) -> str:
    """A value as the config has it; the engine hands every number over as a float."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
