"""Manifests to Pulumi resources: which class, and under which name."""

import importlib
import re
from collections.abc import Callable
from functools import cache
from typing import cast

import pulumi
from pydantic.alias_generators import to_snake

from nodestead.config.base import Deferred
from nodestead.kubernetes.objects import Manifest, NodePlan, is_kept

__all__ = ["child_name", "numbered", "object_key", "register"]

# API groups whose module in pulumi_kubernetes is not the group without `.k8s.io`.
_MODULES = {"": "core", "rbac.authorization": "rbac", "flowcontrol.apiserver": "flowcontrol"}


def child_name(prefix: str, manifest: Manifest, *, set_name: str, namespace: str | Deferred) -> str:
    """The Pulumi name of an object: `codex-stateful-set-1` for StatefulSet `codex-1` of the set `codex`.

    It is part of the state of every stack: whoever changes what this gives, ships aliases. An object whose name does not
    begin with that of its set keeps it whole behind a dot, one in another namespace than its set names it behind an @;
    neither sign can stand there otherwise, so different objects of one kind never meet. One whose name another resource
    gives goes by the name of its set. An object of the whole cluster goes without the namespace in front of its name.

    Args:
        prefix: Name of the component.
        manifest: The object.
        set_name: What the names of the set's objects normally begin with.
        namespace: Where the set's objects normally are.
    """
    name = _name(manifest, set_name, namespace)
    rest = name.removeprefix(set_name) if name == set_name or name.startswith(f"{set_name}-") else f".{name}"
    away = _other_namespace(manifest, namespace)
    return f"{prefix}-{_kebab(manifest['kind'])}{rest}{'@' if away else ''}{away}"


def numbered(manifest: Manifest, node: NodePlan, set_name: str) -> Manifest:
    """A workload or Service of a node under the name that its Pulumi name is made of, whatever is prettified.

    The node `codex` of a set `codex` counts as `codex-1`, its Service `codex-1-1-nodeport` as `codex-1-nodeport`: to rename
    one then replaces a resource, and the old object, with its key and its node port, can go before the new one comes.
    """
    name = f"{set_name}-{node.ordinal}" if node.name == set_name and node.ordinal is not None else node.name
    if manifest["kind"] == "Service":
        name = f"{name}-{manifest['metadata']['name'].rpartition('-')[2]}"
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


def object_key(manifest: Manifest, *, set_name: str, namespace: str | Deferred) -> str:
    """Under what a component lists an object: `Kind/name`, or `Kind/namespace/name` where that is not its set's."""
    away = _other_namespace(manifest, namespace)
    return "/".join(part for part in (manifest["kind"], away, _name(manifest, set_name, namespace)) if part)


def register(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Registers an object through its typed class; a kind without one through CustomResource.

    An object that outlives its stack becomes the `Patch` resource of its kind, which creates or adopts it, and is retained.
    The typed classes mark what a Secret holds as secret, wherever it came from.

    Args:
        name: The Pulumi name.
        manifest: The object; its leaves may be outputs.
        opts: Options of the caller; those of a kept object win over them.
    """
    api_version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    kept = is_kept(manifest)
    body = {_keyword(key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    if kept:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=True))
    typed = _typed_class(api_version, f"{kind}Patch" if kept else kind)
    if typed is None:
        typed = _custom_class("CustomResourcePatch" if kept else "CustomResource")
        body |= {"api_version": api_version, "kind": kind}
    return typed(name, opts=opts, **body)


@cache
def _typed_class(api_version: str, kind: str) -> Callable[..., pulumi.CustomResource] | None:
    """The class of a kind, or None: a CRD's group never passes for a built-in one of the same first word."""
    group, _, version = api_version.rpartition("/")
    group = group.removesuffix(".k8s.io")
    group = _MODULES.get(group, group)
    if "." in group:
        return None
    try:
        module = importlib.import_module(f"pulumi_kubernetes.{group}.{version}")
    except ModuleNotFoundError:
        return None
    return cast("Callable[..., pulumi.CustomResource] | None", getattr(module, kind, None))


def _custom_class(name: str) -> Callable[..., pulumi.CustomResource]:
    module = importlib.import_module("pulumi_kubernetes.apiextensions")
    return cast("Callable[..., pulumi.CustomResource]", getattr(module, name))


def _name(manifest: Manifest, set_name: str, namespace: str | Deferred) -> str:
    metadata = manifest["metadata"]
    name = metadata["name"]
    if not isinstance(name, str):
        return set_name
    return name if "namespace" in metadata else name.removeprefix(f"{namespace}-") if isinstance(namespace, str) else name


def _other_namespace(manifest: Manifest, namespace: str | Deferred) -> str:
    home = manifest["metadata"].get("namespace")
    return home if isinstance(home, str) and home != namespace else ""


# A handful of keys, each with as many expressions to try as there are in it; thousands of objects have them.
_keyword = cache(to_snake)


@cache
def _kebab(kind: str) -> str:
    """`StatefulSet` to `stateful-set`, `PodDisruptionBudget` to `pod-disruption-budget`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind).lower()
