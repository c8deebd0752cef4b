"""The component for storage nodes."""

from collections.abc import Mapping
from typing import Any

import pulumi

from nodestead.component import NodeSet, clean_errors, settled
from nodestead.config.base import parse
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_node_group import plan_storage_node_group

__all__ = ["StorageNodeGroup"]


class StorageNodeGroup(NodeSet):
    """A group of storage nodes, each with its volume, its Services and, for a marketplace, its key.

    Three private nodes, with a bootstrap node of their own:

    >>> codex = {"kind": "codex", "version": "0.2.5"}
    >>> group = StorageNodeGroup("codex", {"software": codex, "replicas": 3}, namespace="storage")
    >>> pulumi.export("api", group.nodes["codex-1"]["apiUrl"])

    What the stack file takes can be given in its spelling or in Python's, as a mapping or as an object; a provider in the
    options serves every child, and what another resource gives is given as it is:

    >>> args = StorageNodeGroupArgs.model_validate({"software": codex, "exposure": {"kind": "loadBalancer"}})
    >>> StorageNodeGroup("public", args, pulumi.ResourceOptions(provider=cluster), namespace=namespace.metadata.name)

    Children are there by attribute and by name: `group.stateful_sets["codex-1"]`, `group.resources["NetworkPolicy/codex"]`.
    Claims and key Secrets outlive the group; `nodestead data` lists those that no stack holds.
    """

    def __init__(
        self,
        name: str,
        args: StorageNodeGroupArgs | Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        namespace: pulumi.Input[str] = "default",
    ) -> None:
        """Validates, then registers.

        Args:
            name: Name of the group; the objects of its nodes begin with it.
            args: The config.
            opts: Options; a provider in them serves every child.
            namespace: Where the objects go; it has to be there.

        Raises:
            pulumi.RunError: where the config is refused, with every reason; nothing is registered then.
        """
        with clean_errors():
            plan = plan_storage_node_group(
                name, parse(StorageNodeGroupArgs, args, ("storageNodeGroups", name)), settled(namespace)
            )
        super().__init__("StorageNodeGroup", name, plan, opts)
