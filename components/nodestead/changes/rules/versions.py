"""Risk rules about images: which version of the software runs afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nodestead.changes.compare import Comparison
from nodestead.changes.names import folded_names
from nodestead.changes.plain import mappings
from nodestead.changes.rule import Found, Rule
from nodestead.changes.snapshot import subject
from nodestead.changes.versions import image_parts, version
from nodestead.changes.workloads import WORKLOADS, pod_spec

__all__ = ["RULES"]

_VERSION_LABEL = "app.kubernetes.io/version"
_MOVING: Final = frozenset("canary dev develop edge head latest main master nightly stable testnet unstable".split())


@dataclass(frozen=True, slots=True)
class _Bump:
    subject: str
    container: str
    old: str
    new: str


def _bumps(comparison: Comparison) -> dict[_Bump, list[str]]:
    """Images that change in workloads that stay, with their nodes."""
    found: dict[_Bump, list[str]] = {}
    for change in comparison.of_kind(*WORKLOADS):
        if change.old is None or change.new is None:
            continue
        before = {str(one.get("name")): one.get("image") for one in mappings(pod_spec(change.old).get("containers"))}
        for one in mappings(pod_spec(change.new).get("containers")):
            old, new = before.get(str(one.get("name"))), one.get("image")
            if isinstance(old, str) and isinstance(new, str) and old != new and not (old.startswith("[") or new.startswith("[")):
                bump = _Bump(subject(change.new), str(one.get("name")), old, new)
                found.setdefault(bump, []).append(change.new.name)
    return found


def _same_software(old: str, new: str) -> bool:
    """Whether two repositories hold the same program, in whatever registry: else their versions say nothing of each other."""
    return old.rpartition("/")[2] == new.rpartition("/")[2]


def _versions(comparison: Comparison) -> Iterator[tuple[str, str, str, list[str]]]:
    """What runs in another version: subject, old and new version as they are written, and the nodes."""
    told: set[str] = set()
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for bump, nodes in _bumps(comparison).items():
        (old_repository, old, _), (new_repository, new, _) = image_parts(bump.old), image_parts(bump.new)
        # The images of the library's sidecars (api-proxy, health) are no node software.
        if bump.container in ("api-proxy", "health") or not _same_software(old_repository, new_repository):
            continue
        if version(old) and version(new) and old != new:
            told |= set(nodes)
            names = grouped.setdefault((bump.subject, old, new), [])
            names += [node for node in nodes if node not in names]
    for change in comparison.of_kind(*WORKLOADS):
        if change.old is None or change.new is None or change.new.name in told:
            continue
        old, new = (str(item.labels.get(_VERSION_LABEL, "")) for item in (change.old, change.new))
        if old != new:
            grouped.setdefault((subject(change.new), old, new), []).append(change.new.name)
    for (name, old, new), nodes in grouped.items():
        yield name, old, new, nodes


def _downgrade(comparison: Comparison) -> Iterator[Found]:
    for name, old, new, nodes in _versions(comparison):
        before, after = version(old), version(new)
        if before is not None and after is not None and after < before:
            yield Found(
                name, f"version {old} -> {new} is a step back; data that {old} wrote may be unreadable to it", tuple(nodes)
            )


def _upgraded(comparison: Comparison) -> Iterator[Found]:
    for name, old, new, nodes in _versions(comparison):
        before, after = version(old), version(new)
        if before is None or after is None or not before < after:
            continue
        kind = _kind(before.numbers, after.numbers)
        back = "" if kind == "patch" else "; where it migrates the data there is no way back without a copy"
        yield Found(name, f"version {old} -> {new}, a {kind} step{back}", tuple(nodes))


def _kind(old: tuple[int, ...], new: tuple[int, ...]) -> str:
    before, after = (*old, 0, 0)[:2], (*new, 0, 0)[:2]
    return "major" if before[0] != after[0] else "minor" if before[1] != after[1] else "patch"


def _by_image(comparison: Comparison, what: Callable[[_Bump], str | None]) -> Iterator[Found]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for bump, nodes in _bumps(comparison).items():
        text = what(bump)
        if text is not None:
            names = grouped.setdefault((bump.subject, text), [])
            names += [node for node in nodes if node not in names]
    for (name, text), nodes in grouped.items():
        yield Found(name, text, tuple(nodes))


def _unpinned(bump: _Bump) -> str | None:
    (_, _, old_digest), (_, tag, digest) = image_parts(bump.old), image_parts(bump.new)
    if digest:
        return None
    shown = bump.new if len(bump.new) <= 120 else f"...{bump.new[-110:]}"
    if not tag or tag.lower() in _MOVING:
        return f"the image is {shown}, and the next pod may get another program under this name"
    return f"the image {shown} has no digest any more, and its tag can be moved" if old_digest else None


def _moved(bump: _Bump) -> str | None:
    (old, _, _), (new, _, _) = image_parts(bump.old), image_parts(bump.new)
    return None if old == new else f"the image comes from {folded_names([new])} instead of {folded_names([old])}"


def _image_unpinned(comparison: Comparison) -> Iterator[Found]:
    return _by_image(comparison, _unpinned)


def _image_moved(comparison: Comparison) -> Iterator[Found]:
    return _by_image(comparison, _moved)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "downgrade",
        "danger",
        "An older version of the software",
        "It may refuse data that newer software wrote, or damage it; a validator may sign by rules that the chain left.",
        "Stay on the version and fix forward; to go back, restore data from before the upgrade, on a copy first.",
        _downgrade,
    ),
    Rule(
        "image-changed-unpinned",
        "caution",
        "An image that can change by itself",
        "Pods that start at different times can run different programs, and a restart can be an upgrade.",
        "Name a version in the tag, and its digest.",
        _image_unpinned,
    ),
    Rule(
        "image-repository-changed",
        "caution",
        "An image from another place",
        "The nodes run what somebody else has built, with access to their keys and data.",
        "Check who publishes it, and pin the digest.",
        _image_moved,
    ),
    Rule(
        "version-upgraded",
        "info",
        "A newer version of the software",
        "The nodes run it after their restart, batch by batch; the first start may migrate the data.",
        "Read its release notes; take a snapshot of one node's volume where it migrates data.",
        _upgraded,
    ),
)
