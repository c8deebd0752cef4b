"""The user's last word over an object."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from nodestead.config.base import ConfigError
from nodestead.kubernetes.objects import Manifest, is_kept

__all__ = ["Patches", "patched"]

# Two mounts of one volume have one name; the API server merges them by path too.
_ITEM_KEYS = {"volumeMounts": "mountPath"}


def patched(value: Any, patch: Any, field: str = "") -> Any:
    """A value with a patch over it.

    Mappings are merged key by key, null takes a key away (JSON merge, RFC 7396). Lists whose items all have a `name` of their
    own are merged by name, volumeMounts by mountPath; `$patch: delete` takes an item away. Any other list is replaced.

    Args:
        value: What is there.
        patch: What goes over it.
        field: The key that it stands under.
    """
    if isinstance(patch, Mapping):
        base: dict[str, Any] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
        for key, inner in cast("Mapping[str, Any]", patch).items():
            if inner is None:
                base.pop(key, None)
            else:
                base[key] = patched(base.get(key), inner, key)
        return base
    key = _ITEM_KEYS.get(field, "name")
    if isinstance(patch, list) and patch and _told_apart(cast("list[Any]", patch), key):
        items = cast("list[dict[str, Any]]", patch)
        if value is None or (isinstance(value, list) and _told_apart(cast("list[Any]", value), key)):
            return _merged_by(key, cast("list[dict[str, Any]]", value or []), items)
    return cast("Any", patch)


def _told_apart(items: list[Any], key: str) -> bool:
    names = [str(cast("Mapping[str, Any]", item)[key]) for item in items if isinstance(item, Mapping) and key in item]
    return len(set(names)) == len(items)


def _merged_by(key: str, base: list[dict[str, Any]], patches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    result = {str(item[key]): item for item in base}
    for patch in patches:
        name = str(patch[key])
        if patch.get("$patch") == "delete":
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), patch)
    return list(result.values())


def _of_the_engine(metadata: Mapping[str, Any]) -> dict[str, Any]:
    annotations = metadata.get("annotations")
    if not isinstance(annotations, Mapping):
        return {}
    given = cast("Mapping[str, Any]", annotations)
    return {key: value for key, value in given.items() if key.startswith("pulumi.com/")}


def _refusals(before: Manifest, after: Manifest) -> Iterator[tuple[str, str]]:
    """What a patch changed and may not: the field, and why."""
    old, new = (one.get("metadata") for one in (before, after))
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield "metadata", "it takes the object's name away"
        return
    old, new = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
    for key in ("name", "namespace"):
        if (key in old) != (key in new) or (old.get(key) is not new.get(key) and old.get(key) != new.get(key)):
            yield f"metadata.{key}", "other objects find this one by it; take it out"
    if before["kind"] == "StatefulSet":
        specs = (cast("dict[str, Any]", one.get("spec") or {}) for one in (before, after))
        counts = [spec.get("replicas") for spec in specs]
        if counts[0] != counts[1] and counts[1] not in (None, 0, 1):
            yield "spec.replicas", "two pods would share one volume and one key; set replicas of the set"
    kept = [_of_the_engine(metadata) for metadata in (old, new)]
    if kept[0] != kept[1] and (is_kept(before) or kept[1].get("pulumi.com/patchForce") == "true"):
        yield "metadata.annotations", "those of pulumi.com/ keep data and keys when a stack goes; take them out"


class Patches:
    """The patches of a set, which remembers those that met no object, and those that change what may not change."""

    def __init__(self, patches: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._patches = patches
        self._unused = {(kind, name) for kind, named in patches.items() for name in named}
        self._refused: set[tuple[str, str, str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._patches)

    def refuse_leftovers(self, path: str) -> None:
        """Refuses what met none of the objects so far, and what patches were not let change.

        Args:
            path: Where the set stands in the config.

        Raises:
            ConfigError: with a line for each.
        """
        unused = [
            f"{path}.patches.{kind}.{target}: matches no object; `nodestead render` shows kinds and names"
            for kind, target in sorted(self._unused)
        ]
        refused = [
            f"{path}.patches.{kind}.{target}.{field}: may not be patched; {reason}"
            for kind, target, field, reason in sorted(self._refused)
        ]
        if unused or refused:
            raise ConfigError(unused + refused)

    def apply(self, manifest: Manifest) -> Manifest:
        """The manifest with every patch for it, first those for all of its kind; a refused one is left out."""
        named = self._patches.get(manifest["kind"])
        if named is None:
            return manifest
        kind, own = manifest["kind"], manifest["metadata"]["name"]
        for name in ("*", own):
            if name in named:
                self._unused.discard((kind, name))
                after = cast("Manifest", patched(manifest, named[name]))
                refused = {(kind, name, field, reason) for field, reason in _refusals(manifest, after)}
                self._refused |= refused
                manifest = manifest if refused else after
        return manifest
