"""Which nodes roll together."""

from collections.abc import Sequence

__all__ = ["batch_size", "rollout_waves"]


def batch_size(nodes: int, max_unavailable: int | str) -> int:
    """How many of so many nodes may be down at once: a percentage is rounded down, and at least one rolls."""
    if isinstance(max_unavailable, int):
        return max(1, max_unavailable)
    return max(1, nodes * int(max_unavailable.removesuffix("%")) // 100)


def rollout_waves(nodes: Sequence[str], max_unavailable: int | str = "25%") -> list[list[str]]:
    """The batches of a rollout, in order; each starts when the one before is ready.

    Args:
        nodes: Names of the nodes that run, in their order.
        max_unavailable: Nodes of one batch: a count, or a percentage such as "25%".

    >>> rollout_waves(["codex-1", "codex-2", "codex-3"], 2)
    [['codex-1', 'codex-2'], ['codex-3']]
    """
    size = batch_size(len(nodes), max_unavailable)
    return [list(nodes[start : start + size]) for start in range(0, len(nodes), size)]
