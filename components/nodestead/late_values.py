"""What a component puts in the place of late leaves: outputs of what they need, each made once for a whole set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pulumi
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.core.v1.outputs import ServiceStatus
from pydantic import SecretStr

from nodestead.kubernetes.objects import Address, Late, PasswordHash, PublicOf, Ref, Seed, SetPeers, StackPeers
from nodestead.peer_book import PeerBook

__all__ = ["LateValues"]


class LateValues:
    """The deploy-time values of one set.

    Attributes:
        seed: The seed of its keys, secret; None without keys.
        password_hash: The hash of its API password, secret; None without one.
    """

    seed: pulumi.Output[str] | None
    password_hash: pulumi.Output[str] | None

    def __init__(self, owner: pulumi.Resource, services: dict[str, Service], peer_book: PeerBook | None) -> None:
        """Knows no seed and no password yet.

        Args:
            owner: The component, parent of what has to be read.
            services: Its Services by name; may grow until a leaf asks for an address.
            peer_book: Where the peers of other sets are found.
        """
        self.seed = self.password_hash = None
        self._owner, self._services, self._peer_book = owner, services, peer_book
        self._addresses: dict[str, pulumi.Output[list[dict[str, str]] | None]] = {}
        self._wholes: dict[PublicOf | SetPeers | StackPeers, pulumi.Output[_Whole]] = {}
        self._together: dict[tuple[tuple[Ref, ...], bool], pulumi.Output[list[Any]]] = {}
        self._stacks: dict[str, pulumi.StackReference] = {}

    def resolved(self, value: Any, *, public: bool = False) -> Any:
        """The value with every late leaf as an output; what holds none is handed on as it is, not copied.

        Args:
            value: Mappings and lists; their leaves may be late, secret or outputs.
            public: Whether what is made of the seed is no secret any more.
        """
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value)
            changed: dict[str, Any] | None = None
            for key, item in items.items():
                if type(item) not in _PLAIN and (new := self.resolved(item, public=public)) is not item:
                    changed = dict(items) if changed is None else changed
                    changed[key] = new
            return items if changed is None else changed
        if isinstance(value, _SEQUENCES):
            old = cast("Sequence[Any]", value)
            copied: list[Any] | None = None
            for place, item in enumerate(old):
                if type(item) not in _PLAIN and (new := self.resolved(item, public=public)) is not item:
                    copied = list(old) if copied is None else copied
                    copied[place] = new
            return old if copied is None else copied
        if isinstance(value, Late):
            return self._late(value, public=public)
        return self._given(value, public=public) if isinstance(value, SecretStr) else value

    def _late(self, late: Late, *, public: bool) -> pulumi.Output[Any]:
        if len(late.refs) != 1:
            return self._all_of(late.refs, public=public).apply(partial(_leaf, late))

        # One output less for each of the many leaves that need one thing.
        def leaf(only: Any) -> Any:
            return _leaf(late, [only])

        return self._given(late.refs[0], public=public).apply(leaf)

    def _all_of(self, refs: tuple[Ref, ...], *, public: bool) -> pulumi.Output[list[Any]]:
        """One output for all leaves that need the same, which in a set is a leaf or two of each node."""
        if (refs, public) not in self._together:
            self._together[refs, public] = pulumi.Output.all(*(self._given(ref, public=public) for ref in refs))
        return self._together[refs, public]

    def _given(self, ref: Ref, *, public: bool) -> Any:
        """What a late leaf needs, as an output."""
        if isinstance(ref, Seed):
            seed = _made(self.seed, "needs_seed")
            # Where something stops being secret: outputs show what is public of a key, never the key.
            return pulumi.Output.unsecret(seed) if public else seed
        if isinstance(ref, PasswordHash):
            return _made(self.password_hash, "needs_password")
        if isinstance(ref, PublicOf | SetPeers | StackPeers):
            if ref not in self._wholes:
                self._wholes[ref] = self._of_all_nodes(ref).apply(_Whole)
            return self._wholes[ref]
        if isinstance(ref, Address):
            if ref.service not in self._addresses:
                self._addresses[ref.service] = self._services[ref.service].status.apply(_ingress)
            return self._addresses[ref.service]
        return pulumi.Output.secret(ref.get_secret_value()) if isinstance(ref, SecretStr) else ref

    def _of_all_nodes(self, ref: PublicOf | SetPeers | StackPeers) -> pulumi.Output[Any]:
        """What the leaves of all nodes share."""
        if isinstance(ref, PublicOf):
            # The one other place: the function gives what is public, and nothing from which a key could be found.
            return pulumi.Output.unsecret(_made(self.seed, "needs_seed").apply(ref.derive))
        if isinstance(ref, SetPeers):
            return (self._peer_book or PeerBook()).of(ref.set_name)
        return self._stack_peers(ref)

    def _stack_peers(self, ref: StackPeers) -> pulumi.Output[list[str]]:
        """The peers of a set of another stack, by that stack's outputs."""
        if ref.stack not in self._stacks:
            name = f"{self._owner.pulumi_resource_name}-{ref.stack}"
            options = pulumi.ResourceOptions(parent=self._owner)
            self._stacks[ref.stack] = pulumi.StackReference(name, ref.stack, opts=options)
        key = "publicPeers" if ref.public else "peers"

        def pick(sets: dict[str, list[str]] | None) -> list[str]:
            if not isinstance(sets, dict) or ref.set_name not in sets:
                raise pulumi.RunError(
                    f"peersFrom: stack {ref.stack} has no {key} of a set {ref.set_name} in its outputs; update that stack first"
                )
            return list(sets[ref.set_name])

        return self._stacks[ref.stack].get_output(key).apply(pick)


# What most values are, told by a look at their type.
_PLAIN = frozenset({str, int, bool, float, type(None)})
_SEQUENCES = (list, tuple)


def _made(output: pulumi.Output[str] | None, flag: str) -> pulumi.Output[str]:
    if output is None:
        raise ValueError(f"a late leaf needs what the plan says it does not: {flag} is False")
    return output


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """A value that the SDK hands on unopened; of a list of 400 peers it makes 400 outputs, anew for each node that reads it."""

    content: Any


def _leaf(late: Late, values: Sequence[Any]) -> Any:
    """A late leaf once everything that it needs is there."""
    if any(value is None for ref, value in zip(late.refs, values, strict=True) if isinstance(ref, Address)):
        return late.stand_in
    try:
        return late.make(*(value.content if isinstance(value, _Whole) else value for value in values))
    except ValueError as error:
        # Its message is written for users; a traceback through the SDK is not.
        raise pulumi.RunError(str(error)) from None


def _ingress(status: ServiceStatus | None) -> list[dict[str, str]] | None:
    """The addresses of a load balancer as the API has them; None in render mode, where no object has a status."""
    if status is None:
        return None
    entries = (status.load_balancer.ingress if status.load_balancer else None) or []
    named = [{"ip": entry.ip, "hostname": entry.hostname} for entry in entries]
    return [{key: value for key, value in entry.items() if value} for entry in named]
