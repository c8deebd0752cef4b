"""The ordinals of a set's nodes, where a field names one that is not among them."""

from typing import Protocol

__all__ = ["no_such_node"]


class _Numbered(Protocol):
    @property
    def first_ordinal(self) -> int: ...
    @property
    def replicas(self) -> int: ...


def no_such_node(args: _Numbered, *, bootstraps: int = 0) -> str:
    """What is said of a node that a group or set does not have.

    Args:
        args: The group or set.
        bootstraps: How many bootstrap nodes of its own the field may name as well.
    """
    first, last = args.first_ordinal, args.first_ordinal + args.replicas - 1
    known = [] if args.replicas == 0 else [f"{first} to {last}" if args.replicas > 1 else str(first)]
    if bootstraps:
        known.append("bootstrap-1" if bootstraps == 1 else f"bootstrap-1 to bootstrap-{bootstraps}")
    if not known:
        return "there is no such node, as replicas is 0; leave it out"
    if args.replicas + bootstraps == 1:
        return f"there is no such node, only {known[0]}; name that, or leave it out"
    return f"there is no such node among {' and '.join(known)}; name one of these, or leave it out"
