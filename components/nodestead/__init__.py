"""Storage and blockchain nodes on Kubernetes, by Pulumi.

>>> from nodestead import StorageNodeGroup
>>> StorageNodeGroup("codex", {"software": {"kind": "codex", "version": "0.2.5"}, "replicas": 3})
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodestead.blockchain_node_set import BlockchainNodeSet
    from nodestead.component import NodeSet
    from nodestead.config.base import ConfigError
    from nodestead.kubernetes.rollout import rollout_waves
    from nodestead.peer_book import PeerBook
    from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
    from nodestead.plans.storage_args import StorageNodeGroupArgs
    from nodestead.program import deploy
    from nodestead.storage_node_group import StorageNodeGroup

__all__ = [
    "BlockchainNodeSet",
    "BlockchainNodeSetArgs",
    "ConfigError",
    "NodeSet",
    "PeerBook",
    "StorageNodeGroup",
    "StorageNodeGroupArgs",
    "__version__",
    "deploy",
    "rollout_waves",
]

__version__ = "0.1.0"

# Loaded when asked for: the command line renders and compares without the half second that Pulumi takes to import.
_HOMES = {
    "BlockchainNodeSet": "nodestead.blockchain_node_set",
    "BlockchainNodeSetArgs": "nodestead.plans.blockchain_args",
    "ConfigError": "nodestead.config.base",
    "NodeSet": "nodestead.component",
    "PeerBook": "nodestead.peer_book",
    "StorageNodeGroup": "nodestead.storage_node_group",
    "StorageNodeGroupArgs": "nodestead.plans.storage_args",
    "deploy": "nodestead.program",
    "rollout_waves": "nodestead.kubernetes.rollout",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Loads a public name from its module (PEP 562); hidden from type checkers, which would take any name for one."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
