"""Where the sets of one program find each other's peers."""

import asyncio
from typing import Any, cast

import pulumi

__all__ = ["PeerBook"]


class PeerBook:
    """Where the sets of one program find each other's peers, whatever the order in which they are made.

    Sentries have to know their validator and it them, so neither can come first: each set publishes its peers here when
    its Services are registered, and what the others read waits for that.

    >>> book = PeerBook("sentries", "validator")
    >>> BlockchainNodeSet("sentries", sentries, peer_book=book)
    >>> BlockchainNodeSet("validator", validator, peer_book=book)
    """

    def __init__(self, *names: str) -> None:
        """Takes the names of the sets; each has to be made, or what waits for it waits for ever."""
        self._entries: dict[str, asyncio.Future[Any]] = {name: asyncio.get_event_loop().create_future() for name in names}

    def of(self, name: str) -> pulumi.Output[list[str]]:
        """The peers of a set, once it has published them.

        Raises:
            pulumi.RunError: where the book has no such set.
        """
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            raise pulumi.RunError(f"peersFrom: there is no set {name} in the peer book, whose sets are: {known}; name it there")
        return pulumi.Output.from_input(cast("Any", self._entries[name])).apply(lambda peers: cast("list[str]", peers))

    def fail(self, name: str) -> None:
        """Says that a set will never come, so that nobody waits for it."""
        entry = self._entries.get(name)
        if entry is not None and not entry.done():
            entry.set_exception(pulumi.RunError(f"peersFrom: the set {name} was refused, and has no peers"))

    def publish(self, name: str, peers: pulumi.Output[list[str]]) -> None:
        """Enters the peers of a set; one that the book does not name is passed over."""
        entry = self._entries.get(name)
        if entry is not None and not entry.done():
            entry.set_result(peers)
