"""Groups of storage nodes as tests write them: short configs in, objects by kind and name out."""

from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.objects import Manifest, NodePlan, Plan
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_node_group import plan_storage_node_group

CODEX: dict[str, Any] = {"kind": "codex", "version": "0.2.5"}
ARCHIVIST: dict[str, Any] = {"kind": "archivist", "version": "0.2.0"}
LOGOS: dict[str, Any] = {"kind": "logosStorage", "version": "0.5.3"}
CUSTOM: dict[str, Any] = {"kind": "custom", "args": ["node"], "sprPath": "/spr", "bootstrapArg": "--peer={spr}"}
MARKET: dict[str, Any] = {**CODEX, "marketplace": {"ethProvider": {"secret": {"name": "rpc", "key": "url"}}}}
NOBODY: dict[str, Any] = {"kind": "none"}


def config(**given: Any) -> dict[str, Any]:
    """A small valid config with what is given over it: one codex node, with no bootstrap node beside it."""
    return {"software": CODEX, "bootstrap": NOBODY, **given}


def plan(name: str = "codex", **given: Any) -> Plan:
    """The plan of a group in the namespace `ns`."""
    return plan_storage_node_group(name, parse(StorageNodeGroupArgs, config(**given)), "ns")


def refusals(**given: Any) -> list[str]:
    """What is said of a config that is refused."""
    with pytest.raises(ConfigError) as caught:
        parse(StorageNodeGroupArgs, config(**given))
    return caught.value.problems


def names(planned: Plan, kind: str) -> list[str]:
    """Names of all objects of a kind, in their order."""
    return [one["metadata"]["name"] for one in planned.manifests() if one["kind"] == kind]


def find(planned: Plan, kind: str, name: str) -> Manifest:
    """The object of that kind and name."""
    (found,) = [one for one in planned.manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def node(planned: Plan, name: str = "codex-1") -> NodePlan:
    """The plan of one node."""
    (found,) = [one for one in planned.nodes() if one.name == name]
    return found


def pod(planned: Plan, name: str = "codex-1") -> dict[str, Any]:
    """The pod spec of a workload."""
    return find(planned, "StatefulSet", name)["spec"]["template"]["spec"]


def container(planned: Plan, name: str = "codex-1", called: str = "node") -> dict[str, Any]:
    """A container of a workload, init container or not."""
    spec = pod(planned, name)
    (found,) = [one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == called]
    return found


def env(planned: Plan, name: str = "codex-1", called: str = "node") -> dict[str, Any]:
    """The environment of a container: texts as they are, everything else as its source."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(planned, name, called)["env"]}
