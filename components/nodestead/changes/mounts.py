"""Which claims and which keys the pods of a workload use."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from nodestead.changes.plain import mappings
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.changes.workloads import WORKLOADS, replicas

__all__ = [
    "CONSENSUS_KEY",
    "ETHEREUM_KEY",
    "NODE_KEY",
    "KeyUse",
    "claim_templates",
    "claim_volumes",
    "claims",
    "held_keys",
    "is_known",
    "key_uses",
    "mounted_claims",
    "ordinals",
    "scaled_down",
    "template_claims",
]

ETHEREUM_KEY: Final = "eth-private-key"
NODE_KEY: Final = "node_key.json"
CONSENSUS_KEY: Final = "priv_validator_key.json"
_KEY_FILES = (ETHEREUM_KEY, NODE_KEY, CONSENSUS_KEY)
_POD = ("spec", "template", "spec")
_WHOLE = "*"
_MOST_PODS = 100_000
# As a rendering and a report of the engine's preview show what they do not know.
_MARKER = re.compile(r"\[[a-z ]+\]|None")


def is_known(text: object) -> bool:
    """Whether a name is one, and no marker of what only an update knows."""
    return isinstance(text, str) and bool(text) and not _MARKER.fullmatch(text)


def ordinals(item: Item) -> range:
    """The ordinals of a StatefulSet's pods."""
    start = item.at("spec", "ordinals", "start")
    first = start if isinstance(start, int) else 0
    return range(first, first + min(replicas(item), _MOST_PODS))


def scaled_down(old: Item, new: Item) -> list[int]:
    """The ordinals of a StatefulSet that have no pod any more; nothing where something else moves their number."""
    if not isinstance(new.at("spec", "replicas"), int):
        return []
    left = ordinals(new)
    return [number for number in ordinals(old) if number not in left]


# ---- claims


def claim_volumes(item: Item) -> dict[str, str]:
    """The claims that a workload's pods name, by the name of the volume."""
    found: dict[str, str] = {}
    for volume in mappings(item.at(*_POD, "volumes")):
        claim = volume.get("persistentVolumeClaim")
        if isinstance(claim, dict):
            found[str(volume.get("name"))] = str(cast("dict[str, Any]", claim).get("claimName"))
    return found


def claim_templates(item: Item) -> dict[str, dict[str, Any]]:
    """What a StatefulSet makes claims from, by name."""
    found: dict[str, dict[str, Any]] = {}
    for template in mappings(item.at("spec", "volumeClaimTemplates")):
        metadata = template.get("metadata")
        if isinstance(metadata, dict):
            found[str(cast("dict[str, Any]", metadata).get("name"))] = template
    return found


def template_claims(item: Item, numbers: Iterable[int], only: set[str] | None = None) -> list[str]:
    """The claims that a StatefulSet's templates have made for pods of some ordinals."""
    wanted = list(numbers)
    return [
        f"{template}-{item.name}-{number}"
        for template in claim_templates(item)
        if only is None or template in only
        for number in wanted
    ]


def claims(item: Item) -> list[str]:
    """All claims of a workload's pods."""
    return [*claim_volumes(item).values(), *template_claims(item, ordinals(item))]


def mounted_claims(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """The workload that uses a claim, by the claim's namespace and name; one that is stopped uses it too."""
    return {(item.namespace, claim): item.name for item in snapshot.of_kind(*WORKLOADS) for claim in claims(item)}


# ---- keys


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key as a workload's pods see it.

    Attributes:
        file: Its file: what it is a key of.
        secrets: The Secrets that it is looked for in.
        entry: Its entry there, `$(POD_NAME)` and `$(POD_INDEX)` for what differs from pod to pod; `*` for all of the Secret.
    """

    file: str
    secrets: tuple[str, ...]
    entry: str

    @property
    def is_entry(self) -> bool:
        """Whether it is one entry, the same for each pod."""
        return self.entry != _WHOLE and "$(" not in self.entry

    def same_key(self, other: "KeyUse") -> bool:
        """Whether another state has the same key; a pooled set adds and drops Secrets as its size changes."""
        own, others = set(self.secrets), set(other.secrets)
        return self.entry == other.entry and (own <= others or others <= own)

    def __str__(self) -> str:
        where = f"Secret {', '.join(self.secrets)}"
        return where if self.entry == _WHOLE else f"{where}, entry {self.entry}"


def key_uses(item: Item) -> list[KeyUse]:
    """The keys of a workload's pods, as the library and the chains' own programs name their files."""
    found: list[KeyUse] = []
    for volume in mappings(item.at(*_POD, "volumes")):
        whole: list[str] = []
        for name, entries in _secret_sources(volume):
            if entries:
                found += [KeyUse(path, (name,), key) for key, path in entries if path in _KEY_FILES]
            else:
                whole.append(name)
        if whole and item.set and volume.get("name") == "key":
            found.append(KeyUse(ETHEREUM_KEY, tuple(whole), _sub_path(item, "key")))
    return found


def _secret_sources(volume: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The Secrets of a volume, each with the entries that are taken of it and their paths; none for all of them."""
    given = volume.get("secret")
    if isinstance(given, dict):
        yield _source(cast("dict[str, Any]", given), "secretName")
    projected = volume.get("projected")
    if isinstance(projected, dict):
        for source in mappings(cast("dict[str, Any]", projected).get("sources")):
            one = source.get("secret")
            if isinstance(one, dict):
                yield _source(cast("dict[str, Any]", one), "name")


def _source(secret: dict[str, Any], key: str) -> tuple[str, list[tuple[str, str]]]:
    return str(secret.get(key)), [(str(one.get("key")), str(one.get("path"))) for one in mappings(secret.get("items"))]


def _sub_path(item: Item, volume: str) -> str:
    for kind in ("initContainers", "containers"):
        for container in mappings(item.at(*_POD, kind)):
            for mount in mappings(container.get("volumeMounts")):
                if mount.get("name") == volume:
                    return str(mount.get("subPathExpr") or mount.get("subPath") or _WHOLE)
    return _WHOLE


def held_keys(item: Item) -> Iterator[tuple[str, KeyUse]]:
    """The key of each pod that runs, with the pod's name; of a workload that is no StatefulSet the pods have its name."""
    uses = key_uses(item)
    if not uses:
        return
    for number in ordinals(item):
        pod = f"{item.name}-{number}" if item.kind == "StatefulSet" else item.name
        for use in uses:
            entry = use.entry.replace("$(POD_NAME)", pod).replace("$(POD_INDEX)", str(number))
            yield pod, KeyUse(use.file, use.secrets, entry)
