"""The user's last word over an object."""

from collections.abc import Mapping
from typing import Any, cast

from nodestead.kubernetes.objects import Manifest

__all__ = ["Patches", "patched"]


def patched(value: Any, patch: Any) -> Any:
    """A value with a patch over it.

    Mappings are merged key by key, null takes a key away (JSON merge, RFC 7396). Lists whose items all have `name` are merged by
    name, `$patch: delete` takes an item away; any other list is replaced.
    """
    if isinstance(patch, Mapping):
        base: dict[str, Any] = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
        for key, inner in cast("Mapping[str, Any]", patch).items():
            if inner is None:
                base.pop(key, None)
            else:
                base[key] = patched(base.get(key), inner)
        return base
    if isinstance(patch, list) and _all_named(cast("list[Any]", patch)):
        items = cast("list[dict[str, Any]]", patch)
        if value is None or (isinstance(value, list) and (not value or _all_named(cast("list[Any]", value)))):
            return _merged_by_name(cast("list[dict[str, Any]]", value or []), items)
    return cast("Any", patch)


def _all_named(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and "name" in item for item in items)


def _merged_by_name(base: list[dict[str, Any]], patches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    result = {str(item["name"]): item for item in base}
    for patch in patches:
        name = str(patch["name"])
        if patch.get("$patch") == "delete":
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), patch)
    return list(result.values())


class Patches:
    """The patches of a set, which remembers those that met no object."""

    def __init__(self, patches: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._patches = patches
        self._unused = {(kind, name) for kind, named in patches.items() for name in named}

    def __bool__(self) -> bool:
        return bool(self._patches)

    @property
    def unused(self) -> list[tuple[str, str]]:
        """Kind and name of every patch that has met no object so far."""
        return sorted(self._unused)

    def apply(self, manifest: Manifest) -> Manifest:
        """The manifest with every patch for it, first those for all of its kind."""
        named = self._patches.get(manifest["kind"])
        if named is None:
            return manifest
        for name in ("*", manifest["metadata"]["name"]):
            if name in named:
                self._unused.discard((manifest["kind"], name))
                manifest = cast("Manifest", patched(manifest, named[name]))
        return manifest
