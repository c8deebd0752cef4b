"""What of a change may be shown: nothing that is a key, a password or a token, or reads like one."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from nodestead.changes.compare import Absent, Change, FieldChange, Path, once
from nodestead.changes.plain import mappings
from nodestead.changes.secret_text import (
    BARE_KEY,
    GENERATED,
    HIDDEN,
    MARKERS,
    SIGNATURE,
    is_harmless,
    is_key_of_bytes,
    safe_text,
    smells,
)
from nodestead.changes.snapshot import Item
from nodestead.changes.workloads import pod_spec

__all__ = ["HIDDEN", "safe_text", "shown", "unveiled"]

# A reference in a Kubernetes object, and annotations that name a Secret.
_APPLIED: Final = "/last-applied-configuration"
_NAMES_ONE: Final = frozenset({"key", "topologyKey", "secret", "auth-secret", "auth-tls-secret", "imagePullSecret"})

# ---- fields


def shown(change: Change, field: FieldChange) -> tuple[str | None, str | None]:
    """The old and the new value of a field as they may be shown.

    Args:
        change: The change of the object.
        field: One of its fields.

    Returns:
        Texts; None where there is no value. What is secret, was, or becomes so is `[hidden]`.
    """
    covered = any(part.endswith(_APPLIED) for part in field.path)
    covered = covered or any(_is_below(field.path, path) or _is_below(path, field.path) for path in _crossing(change))
    both = (
        _shown(change.old, field.path, field.old, covered=covered),
        _shown(change.new, field.path, field.new, covered=covered),
    )
    # What was marked as a secret on one side is one on the other.
    if any(value in MARKERS for value in (field.old, field.new) if isinstance(value, str)):
        return (None if both[0] is None else HIDDEN), (None if both[1] is None else HIDDEN)
    return both


def _is_below(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _shown(item: Item | None, path: Path, value: Any, *, covered: bool) -> str | None:
    if isinstance(value, Absent) or item is None:
        return None if isinstance(value, Absent) else HIDDEN
    opaque = covered or _is_secret_content(item, path)
    masked = _hidden_leaves(value) if opaque else _masked(value, _name_of(item, path), is_free=not item.is_object)
    return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)


def _is_secret_content(item: Item, path: Path) -> bool:
    if path[:1] == ("binaryData",) or (item.kind.endswith("Secret") and path[:1] in (("data",), ("stringData",))):
        return True
    if item.is_object:
        return False
    if path[-1:] == ("kubeconfig",):
        text = item.at("inputs", "kubeconfig")
        return not (isinstance(text, str) and is_harmless(text))
    return item.kind.startswith(("random:", "tls:")) and path[-1] in GENERATED


def _name_of(item: Item, path: Path) -> str:
    """What a value at a path is called: the name of a variable, the flag before an argument, the last key."""
    if not path:
        return ""
    last = path[-1]
    if last == "value" and len(path) > 1 and path[-2].startswith("["):
        return path[-2].strip("[]")
    if not item.is_object and (ancestors := [part for part in path if smells(part)]):
        return ancestors[0]
    if not last.startswith("["):
        return "" if item.is_object and last in _NAMES_ONE and path[:1] != ("data",) else last
    position = last.strip("[]")
    if position.isdigit() and len(path) > 1 and path[-2] in ("args", "command"):
        items = _list_at(item, path[:-1])
        index = int(position)
        before = items[index - 1] if 0 < index <= len(items) else ""
        return before if isinstance(before, str) and before.startswith("-") and "=" not in before else ""
    around = path[-2] if len(path) > 1 else ""
    return "" if around in _NAMES_ONE or around.startswith("[") else around


def _list_at(item: Item, path: Path) -> Sequence[Any]:
    value: Any = item.manifest
    for part in path:
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(part)
        elif isinstance(value, list):
            value = next((one for one in mappings(cast("list[Any]", value)) if one.get("name") == part[1:-1]), None)
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _hidden_leaves(value: Any) -> Any:
    if isinstance(value, dict) and value:
        return {key: _hidden_leaves(one) for key, one in cast("dict[str, Any]", value).items()}
    return [_hidden_leaves(one) for one in cast("list[Any]", value)] if isinstance(value, list) else HIDDEN


def _masked(value: Any, name: str, *, is_free: bool) -> Any:
    """A value without secrets.

    Args:
        value: Plain data.
        name: What it is called.
        is_free: Whether keys are somebody's own words, not those of Kubernetes.
    """
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if SIGNATURE in mapping:
            return HIDDEN
        called = mapping.get("name")
        named = isinstance(called, str) and "value" in mapping
        return {
            key: HIDDEN
            if key.endswith(_APPLIED)
            else _masked(one, str(called) if named and key == "value" else _key_name(key, name, is_free=is_free), is_free=is_free)
            for key, one in mapping.items()
        }
    if isinstance(value, list):
        items, before, masked = cast("list[Any]", value), "", list[Any]()
        for one in items:
            masked.append(_masked(one, before or name, is_free=is_free))
            before = one if isinstance(one, str) and one.startswith("-") and "=" not in one else ""
        return masked
    if isinstance(value, str):
        return _safe_value(value, name, is_free=is_free)
    return HIDDEN if is_free and smells(name) and not isinstance(value, bool) and value is not None else value


def _key_name(key: str, around: str, *, is_free: bool) -> str:
    if is_free:
        return around if smells(around) else key
    return "" if key in _NAMES_ONE or key.rpartition("/")[2] in _NAMES_ONE else key


def _safe_value(value: str, name: str, *, is_free: bool) -> str:
    if value in MARKERS or is_key_of_bytes(value, name) or (name in _SHORT_FLAGS and _SHORT_FLAGS[name].fullmatch(value)):
        return HIDDEN
    if not is_free and name.rpartition("/")[2] in _NAMES_ONE - {"key"}:
        return safe_text(value)
    if smells(name) and not is_harmless(value) and not value.startswith("-"):
        return HIDDEN
    flag, equals, _ = value.partition("=")
    # An argument is one value to its end, blanks and all.
    if equals and re.fullmatch(r"-{0,2}[A-Za-z][\w.-]*", flag) and "\n" not in value and smells(flag):
        return value if is_harmless(value[len(flag) + 1 :]) else f"{flag}={HIDDEN}"
    return value if BARE_KEY.fullmatch(value) else safe_text(value)


# In a list of arguments: not the ids of a user and a group, no port, no folder and no protocol.
_SHORT_FLAGS: Final = {
    **dict.fromkeys(("-u", "--user"), re.compile(r"(?!\d+:\d+$)(?!\w+://)[^\s:]+:\S+")),
    "-p": re.compile(r"(?=.*[A-Za-z])(?=.*\d)[^\s/:]{6,}"),
}


# ---- what was secret, or becomes so


@once
def unveiled(change: Change) -> list[Path]:
    """The fields of an object that were secret before and are plain now: they are shown to whoever reads the object."""
    if change.old is None or change.new is None:
        return []
    return list(dict.fromkeys((*_marked(change), *_bared(change.old, change.new))))


@once
def _crossing(change: Change) -> list[Path]:
    """The fields that are secret in one of the two states only: what is in the other is the secret itself, or was."""
    if change.old is None or change.new is None or not change.item.is_object:
        return []
    return [*_bared(change.old, change.new), *_bared(change.new, change.old)]


def _marked(change: Change) -> Iterator[Path]:
    for field in change.fields:
        if (
            _is_marker(field.old)
            and not isinstance(field.new, Absent)
            and not _is_marker(field.new)
            and field.new not in (None, "")
            # A reference to a Secret in the place of a secret is no less.
            and field.path[-1] not in ("valueFrom", "secretKeyRef")
        ):
            yield field.path


def _is_marker(value: Any) -> bool:
    return value in MARKERS if isinstance(value, str) else isinstance(value, dict) and SIGNATURE in value


def _bared(old: Item, new: Item) -> Iterator[Path]:
    """Where a pod took something from a Secret and has it in clear now."""
    template = ("spec", "template", "spec")
    for place in ("initContainers", "containers"):
        before = {str(one.get("name")): one for one in mappings(pod_spec(old).get(place))}
        for container in mappings(pod_spec(new).get(place)):
            called = str(container.get("name"))
            was = before.get(called, {})
            path = (*template, place, f"[{called}]")
            secret = {str(one.get("name")) for one in mappings(was.get("env")) if _from(one, "secretKeyRef")}
            for one in mappings(container.get("env")):
                if (
                    str(one.get("name")) in secret
                    and (one.get("value") or _from(one, "configMapKeyRef"))
                    and not _is_marker(one.get("value"))
                ):
                    yield (*path, "env", f"[{one['name']}]")
            taken, given = (
                [sum(key in one for one in mappings(c.get("envFrom"))) for key in ("secretRef", "configMapRef")]
                for c in (was, container)
            )
            if given[0] < taken[0] and given[1] > taken[1]:
                yield (*path, "envFrom")
    mounted = {str(one.get("name")): _sources(one) for one in mappings(pod_spec(old).get("volumes"))}
    for volume in mappings(pod_spec(new).get("volumes")):
        was, now = mounted.get(str(volume.get("name")), (0, 0)), _sources(volume)
        if now[0] < was[0] and now[1] > was[1]:
            yield (*template, "volumes", f"[{volume.get('name')}]")


def _from(variable: dict[str, Any], kind: str) -> bool:
    source = variable.get("valueFrom")
    return isinstance(source, dict) and kind in source


def _sources(volume: dict[str, Any]) -> tuple[int, int]:
    """How many Secrets and how many ConfigMaps a volume shows."""
    projected = volume.get("projected")
    parts = mappings(cast("dict[str, Any]", projected).get("sources")) if isinstance(projected, dict) else [volume]
    return sum("secret" in one for one in parts), sum("configMap" in one for one in parts)
