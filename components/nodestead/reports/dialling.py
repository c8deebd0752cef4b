"""Whom pods dial: names of a stack's Services in what the pods are given."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from nodestead.changes.plain import mappings
from nodestead.changes.snapshot import Item

__all__ = ["Dialled", "Directory", "Services", "hosts", "texts"]

_LONGEST_PART = 20_000
_LONG = 2_000
# A word alone may be anything, a moniker or the name of a program: a host has a scheme or an id before it, or a port behind.
_HOST = re.compile(r"(?:(?<=//)|(?<=@)|(?<![\w.@/-]))([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([0-9]{1,5})\b)?")


@dataclass(frozen=True, slots=True)
class Dialled:
    """A Service of the stack that somebody dials.

    Attributes:
        service: The Service.
        port: Name of the port; empty where that is not known.
        pod: Name of the pod behind a headless Service; empty for all that it selects.
    """

    service: Item
    port: str
    pod: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells ways of dialling apart, and puts them in order."""
        return (*self.service.identity, self.port, self.pod)


def texts(value: Any) -> Iterator[str]:
    """All texts at or below a value that could name a host."""
    # Without recursion, since a stack of a thousand nodes has half a million values.
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if ":" in one or "@" in one:
                yield one
        elif isinstance(one, dict):
            waiting.extend(cast("dict[str, Any]", one).values())
        elif isinstance(one, list):
            waiting.extend(cast("list[Any]", one))


def hosts(text: str) -> set[tuple[str, str]]:
    """Hosts that a text names as such, each with its port; empty for one without."""
    found: set[tuple[str, str]] = set()
    for match in _HOST.finditer(text, 0, _LONGEST_PART):
        start = match.start()
        if match[2] or text[start - 1 : start] == "@" or text[start - 2 : start] == "//":
            found.add((match[1], match[2] or ""))
    return found


@dataclass(slots=True)
class Services:
    """The Services of a stack, by the names that pods dial."""

    by_name: dict[tuple[str, str], Item] = field(default_factory=dict[tuple[str, str], Item])

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Services":
        """Those among some objects."""
        return cls({(one.namespace, one.name): one for one in items if one.kind == "Service"})

    def resolve(self, host: str, port: str, namespace: str) -> Dialled | None:
        """The Service that a pod of a namespace reaches by a host name; None for any other host."""
        first, _, rest = host.partition(".")
        service = self.by_name.get((_namespace(rest, namespace), first))
        if service is not None:
            return Dialled(service, self._port(service, port))
        if not rest:
            return None
        second, _, rest = rest.partition(".")
        service = self.by_name.get((_namespace(rest, namespace), second))
        if service is None:
            return None
        return Dialled(service, self._port(service, port), first)

    @staticmethod
    def _port(service: Item, number: str) -> str:
        ports = mappings(service.at("spec", "ports"))
        named = [str(one.get("name") or "") for one in ports if not number or str(one.get("port")) == number]
        return named[0] if len(named) == 1 else ""


def _namespace(rest: str, own: str) -> str:
    """The namespace in what follows a Service's name: nothing, `ns`, `ns.svc` or `ns.svc.cluster.local`."""
    return rest.partition(".")[0] or own


class Directory:
    """Every Service that somebody in a stack dials, each way of dialling one with a number.

    In a mesh of a thousand nodes each is given the address of each other one, so what was read once is not read again.
    """

    def __init__(self, services: Services) -> None:
        self.dialled: list[Dialled] = []
        self._services = services
        self._numbers: dict[tuple[str, ...], int] = {}
        self._by_text: dict[tuple[str, str], frozenset[int]] = {}
        # Parts of long texts, by namespace: those that name one Service, as a peer does, and what is known of the rest.
        self._alone: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._others: defaultdict[str, dict[str, frozenset[int]]] = defaultdict(dict)
        self._of_node: defaultdict[tuple[str, str], set[int]] = defaultdict(set)

    def numbers(self, given: Iterable[str], namespace: str, node: str) -> frozenset[int]:
        """What a node of a namespace dials by the texts that it is given, itself left out."""
        found: set[int] = set()
        for text in given:
            found |= self._read(text, namespace)
        return frozenset(found - self._of_node[namespace, node]) if node else frozenset(found)

    def _read(self, text: str, namespace: str) -> frozenset[int]:
        key = namespace, text
        if key not in self._by_text:
            self._by_text[key] = frozenset(
                self._resolved(text, namespace) if len(text) <= _LONG else self._listed(text, namespace)
            )
        return self._by_text[key]

    def _listed(self, text: str, namespace: str) -> set[int]:
        """What a long text names: a list of peers, of which each node's differs a little from the next one's."""
        alone, others = self._alone[namespace], self._others[namespace]
        parts = set(text.split(","))
        found = set(map(alone.__getitem__, parts.intersection(alone)))
        for part in parts.difference(alone):
            if part not in others:
                numbers = frozenset(self._resolved(part, namespace))
                if len(numbers) == 1:
                    (alone[part],) = numbers
                others[part] = numbers
            found |= others[part]
        return found

    def _resolved(self, text: str, namespace: str) -> Iterator[int]:
        for host, port in sorted(hosts(text)):
            one = self._services.resolve(host, port, namespace)
            if one is None:
                continue
            key = one.key
            if key not in self._numbers:
                self._numbers[key] = len(self.dialled)
                self.dialled.append(one)
                if one.service.node and not one.pod:
                    self._of_node[one.service.namespace, one.service.node].add(self._numbers[key])
            yield self._numbers[key]
