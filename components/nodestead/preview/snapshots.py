"""A stack's objects as a change report compares them: read from its file, without a cluster and without the engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nodestead.changes.snapshot import PASSWORD_TYPE, PROVIDER_TYPE, Item, SetFacts, Snapshot
from nodestead.kubernetes.objects import Plan, is_kept
from nodestead.plans.stack import StackConfig
from nodestead.preview.render import planned, read_config, shown, unique
from nodestead.preview.stack_file import read_stack
from nodestead.preview.yaml_text import plain

__all__ = ["stack_snapshot"]


def stack_snapshot(name: str, directory: Path) -> Snapshot:
    """All objects of a stack, as a rendering shows them, and what else of it a reviewer has to know.

    Args:
        name: A stack's name, such as dev.
        directory: The project's folder.

    Raises:
        StackFileError: no such stack, or a file that cannot be read.
        StackRefusedError: a config that breaks a rule.
        RenderError: two objects of one identity.
    """
    stack = read_stack(name, directory)
    config = read_config(stack)
    plan = planned(stack, config)
    snapshot = Snapshot(stack.name)
    snapshot.add(_provider(config))
    for manifest in unique(shown(one) for one in plan.manifests()):
        snapshot.add(Item(plain(manifest), retained=is_kept(manifest)))
    for one in plan.sets:
        snapshot.sets.append(_facts(one, config))
        for item in _secrets(one, config):
            snapshot.add(item)
    return snapshot


def _provider(config: StackConfig) -> Item:
    """What names the cluster, as the stack program gives it to its provider."""
    cluster = config.cluster
    given = {"renderYamlToDirectory": cluster.render, "kubeconfig": cluster.kubeconfig, "context": cluster.context}
    inputs = {key: value for key, value in given.items() if value is not None}
    return Item({"kind": PROVIDER_TYPE, "metadata": {"name": "cluster"}, "inputs": inputs})


def _secrets(plan: Plan, config: StackConfig) -> Iterator[Item]:
    """What is generated once and kept in the stack's state."""
    args = config.storage_node_groups.get(plan.name) or config.blockchain_node_sets.get(plan.name)
    # Nothing decrypts a `secure:` value here: the plan has its placeholder for none.
    if plan.needs_seed and getattr(getattr(args, "keys", None), "seed", None) is None:
        yield _secret(plan, "seed", {"length": 64}, protected=True)
    if plan.needs_password:
        yield _secret(plan, "api-password", {"length": 32, "special": False}, protected=False)


def _secret(plan: Plan, suffix: str, inputs: dict[str, Any], *, protected: bool) -> Item:
    metadata = {"name": f"{plan.name}-{suffix}"}
    return Item({"kind": PASSWORD_TYPE, "metadata": metadata, "set": plan.name, "inputs": inputs}, protected=protected)


def _facts(plan: Plan, config: StackConfig) -> SetFacts:
    component = "StorageNodeGroup" if plan.name in config.storage_node_groups else "BlockchainNodeSet"
    return SetFacts(plan.name, str(plain(plan.namespace)), component, plan.waves, plain(plan.facts))
