"""What no two nodes of a stack may share, whatever sets they are of, and what is said of those that do."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Protocol

from nodestead.config.base import Problem
from nodestead.config.persistence import ExistingClaim

__all__ = ["Exclusive", "claims_held", "endpoint", "given_claims", "own_claim_problems", "shared_problems"]

Exclusive = tuple[tuple[object, ...], tuple[str | int, ...], str, str]
"""What it is, the path that names it, value and rule up to the owner, remedy."""


class _Override(Protocol):
    @property
    def existing_claim(self) -> Any: ...


def shared_problems(sets: Iterable[tuple[tuple[str, str], Iterable[Exclusive]]]) -> Iterator[Problem]:
    """What a set names that one before it has.

    Args:
        sets: Each as its key and name under that key, and what it has for itself.
    """
    owners: dict[tuple[object, ...], tuple[str, str]] = {}
    told: set[tuple[str | int, ...]] = set()
    for owner, things in sets:
        for thing, path, rule, remedy in things:
            other, where = owners.setdefault(thing, owner), (*owner, *path)
            if other != owner and where not in told:
                told.add(where)
                yield Problem(where, f"{rule} {'.'.join(other)}: {remedy}")


def endpoint(host: str, port: int) -> tuple[object, ...]:
    """An address and a port, as peers dial them, as something to have for oneself; one address has one spelling."""
    try:
        host = str(ip_address(host))
    except ValueError:
        host = host.lower()
    return ("announced", host, port)


def given_claims(persistence: object, nodes: Mapping[str, _Override]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Claims of somebody else's, with the path that names each."""
    if isinstance(persistence, ExistingClaim) and isinstance(persistence.claim, str):
        yield persistence.claim, ("persistence", "claim")
    for node, override in nodes.items():
        if isinstance(override.existing_claim, str):
            yield override.existing_claim, ("nodes", node, "existingClaim")


def claims_held(own: Iterable[tuple[str, str]], given: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[Exclusive]:
    """The claims of a set as what it has for itself.

    Args:
        own: Claims that it makes, each with its node.
        given: Claims of somebody else's, each with the path that names it.
    """
    for claim, node in own:
        yield ("claim", claim), ("persistence",), f"{claim!r}, which node {node} makes, holds the data of", "name another there"
    for claim, path in given:
        yield ("claim", claim), path, f"{claim!r} holds the data of", "name another"


def own_claim_problems(
    own: Iterable[tuple[str, str]], given: Iterable[tuple[str, tuple[str, ...]]], called: str
) -> Iterator[Problem]:
    """A claim given to one node that another node of the same set makes.

    Args:
        own: Claims that the set makes, each with its node.
        given: Claims of somebody else's, each with the path that names it.
        called: What the set is called: group or set.
    """
    paths = dict(given)
    if not any(claim.startswith("data-") for claim in paths):
        return
    for claim, node in own:
        if claim in paths:
            yield Problem(paths[claim], f"{claim!r} is the claim that node {node} of the {called} makes; name another")
