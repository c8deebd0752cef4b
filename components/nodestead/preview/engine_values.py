"""Values in the engine's preview: what is secret or not known yet, and objects that rules can read in spite of it."""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from nodestead.changes.compare import Path
from nodestead.changes.secret_text import GENERATED, SIGNATURE
from nodestead.kubernetes.objects import Manifest
from nodestead.preview.engine_text import PreviewError, well_formed
from nodestead.preview.yaml_text import DEFERRED, SECRET

__all__ = ["hidden_paths", "plain_inputs", "plain_object", "property_path", "rebuilt", "unread_parts"]

# pulumi, sdk/go/common/resource/plugin/rpc.go: bool, number, string, array, asset, archive, object.
_UNKNOWN: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
_DEEPEST: Final = 100


def _is_marker(value: Any) -> bool:
    """Whether it stands for a value that is secret or not known yet."""
    return value in (SECRET, DEFERRED) if isinstance(value, str) else False


def plain_object(inputs: dict[str, Any], name: str) -> Manifest:
    """A Kubernetes object out of what a resource was given.

    Args:
        inputs: As the engine shows them.
        name: What it is called where its name is not known yet.
    """
    manifest = cast("Manifest", _shaped({key: _plain(item) for key, item in inputs.items() if not key.startswith("__")}))
    given = manifest.get("metadata")
    metadata = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    called = metadata.get("name")
    metadata = {**metadata, "name": called if isinstance(called, str) and called and not _is_marker(called) else name}
    for key in ("labels", "annotations"):
        if key in metadata:
            # The last one repeats the whole object, with all that is secret in it.
            metadata[key] = {one: text for one, text in _texts(metadata[key]).items() if not one.endswith(_APPLIED)}
    manifest["metadata"] = metadata
    if manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1":
        for part in ("data", "stringData"):
            if part in manifest:
                entries = manifest[part]
                manifest[part] = dict.fromkeys(cast("dict[str, Any]", entries) if isinstance(entries, dict) else (), SECRET)
    return manifest


_APPLIED: Final = "/last-applied-configuration"


def _texts(value: Any) -> dict[str, str]:
    return {key: str(item) for key, item in cast("dict[str, Any]", value).items()} if isinstance(value, dict) else {}


def plain_inputs(type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What any other resource was given, without secrets and the bookkeeping of its provider."""
    result = {key: _plain(item, drop="__defaults") for key, item in inputs.items() if not key.startswith("__")}
    if type_.startswith("pulumi:providers:"):
        # A new plugin says nothing of the cluster.
        result.pop("version", None)
        config = result.get("kubeconfig")
        if isinstance(config, str) and not re.fullmatch(r"[^\s{}:]{1,300}", config):
            result["kubeconfig"] = SECRET
    for key in GENERATED & result.keys() if type_.startswith(("random:", "tls:")) else ():
        result[key] = SECRET
    return result


def _plain(value: Any, drop: str = "", depth: int = 0) -> Any:
    if isinstance(value, str):
        return DEFERRED if value in _UNKNOWN else well_formed(value)
    if depth > _DEEPEST:
        raise PreviewError(f"its values are nested deeper than {_DEEPEST} levels; no object of a cluster is")
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if SIGNATURE in mapping:
            return SECRET
        return {well_formed(key): _plain(item, drop, depth + 1) for key, item in mapping.items() if key != drop}
    if isinstance(value, list):
        return [_plain(item, drop, depth + 1) for item in cast("list[Any]", value)]
    return value


# ---- parts that the engine hides as a whole

_LISTS_OF_OBJECTS = frozenset(
    {
        "containers",
        "initContainers",
        "ephemeralContainers",
        "volumes",
        "volumeMounts",
        "volumeClaimTemplates",
        "env",
        "envFrom",
        "ports",
        "rules",
        "subjects",
        "imagePullSecrets",
        "tolerations",
        "topologySpreadConstraints",
        "ingress",
        "egress",
        "tls",
        "paths",
        "from",
        "to",
    }
)
_LISTS_OF_TEXTS = frozenset({"args", "command", "accessModes", "policyTypes", "externalIPs", "loadBalancerSourceRanges"})
_MAPPINGS = frozenset(
    {
        "metadata",
        "spec",
        "template",
        "selector",
        "matchLabels",
        "labels",
        "annotations",
        "data",
        "stringData",
        "binaryData",
        "resources",
        "requests",
        "limits",
        "securityContext",
        "updateStrategy",
        "rollingUpdate",
        "ordinals",
    }
)
_FREE = frozenset({"data", "stringData", "binaryData", "labels", "annotations", "matchLabels", "nodeSelector"})


def _shaped(value: Any) -> Any:
    """An object in which a hidden part has the shape that it has in every object: a secret in one variable hides them all."""
    if isinstance(value, list):
        return [_shaped(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    shaped: dict[str, Any] = {}
    for key, item in cast("dict[str, Any]", value).items():
        if isinstance(item, list) and key in _LISTS_OF_OBJECTS:
            shaped[key] = [{"name": one} if _is_marker(one) else _shaped(one) for one in cast("list[Any]", item)]
        elif not isinstance(item, str) or not _is_marker(item):
            shaped[key] = item if key in _FREE else _shaped(item)
        elif key in _LISTS_OF_OBJECTS:
            shaped[key] = [{"name": item}]
        elif key in _LISTS_OF_TEXTS:
            shaped[key] = [item]
        elif key in _MAPPINGS:
            shaped[key] = {item: item}
        else:
            shaped[key] = item
    return shaped


_HIDDEN_PARTS: Final[tuple[Any, ...]] = ([{"name": SECRET}], [SECRET], {SECRET: SECRET})


def unread_parts(manifest: Manifest) -> list[str]:
    """The parts of an object that are hidden as a whole, by the last name of their path."""
    return sorted({key for key, item in _hidden_parts(manifest) if item == SECRET})


def _hidden_parts(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _hidden_parts(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if key in _FREE:
                continue
            if item in _HIDDEN_PARTS:
                yield key, SECRET
            else:
                yield from _hidden_parts(item)


def rebuilt(hidden: Manifest, other: Manifest, kinds: Mapping[str, str], *, is_old: bool) -> Manifest:
    """One state of an object, its hidden parts made from the other state, which the engine shows.

    What the engine calls equal is equal; what differs in such a part is a marker.

    Args:
        hidden: The state with hidden parts.
        other: The other one.
        kinds: How each field differs, by its path: `add`, `update` or `delete`, perhaps followed by `-replace`.
        is_old: Whether the hidden state is the old one.
    """
    paths = {property_path(text): kind.partition("-")[0] for text, kind in kinds.items()}
    return cast("Manifest", _rebuilt(hidden, other, paths, (), gone="add" if is_old else "delete"))


def _rebuilt(value: Any, other: Any, paths: Mapping[Path, str], at: Path, gone: str) -> Any:
    if value in _HIDDEN_PARTS and isinstance(other, dict | list) and other not in _HIDDEN_PARTS:
        made: Any = copy.deepcopy(cast("object", other))
        for path, kind in paths.items():
            if path[: len(at)] == at and len(path) > len(at):
                _mark(made, path[len(at) :], is_gone=kind == gone)
        return made
    if isinstance(value, dict) and isinstance(other, dict):
        mapping, beside = cast("dict[str, Any]", value), cast("dict[str, Any]", other)
        return {
            key: _rebuilt(item, beside[key], paths, (*at, key), gone) if key in beside else item for key, item in mapping.items()
        }
    if (
        isinstance(value, list)
        and isinstance(other, list)
        and len(items := cast("list[Any]", value)) == len(others := cast("list[Any]", other))
    ):
        return [_rebuilt(item, others[index], paths, (*at, f"[{index}]"), gone) for index, item in enumerate(items)]
    return cast("object", value)


def _mark(value: Any, path: Path, *, is_gone: bool) -> None:
    """Puts a marker at a path below a value, or takes away what is there; a path that leads nowhere changes nothing."""
    *parents, last = path
    for part in parents:
        value = _child(value, part)
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if is_gone:
            mapping.pop(last, None)
        else:
            mapping[last] = SECRET
    elif isinstance(value, list) and last[1:-1].isdigit() and not is_gone:
        items, index = cast("list[Any]", value), int(last[1:-1])
        # Items of these lists are objects, or texts in a list of texts.
        marker = {"name": SECRET} if any(isinstance(item, dict) for item in items) else SECRET
        items[index : index + 1] = [marker]


def _child(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(part)
    index = part[1:-1]
    if isinstance(value, list) and index.isdigit() and int(index) < len(items := cast("list[Any]", value)):
        return items[int(index)]
    return None


# ---- what differs without being shown

_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)')


def property_path(text: str) -> Path:
    """The parts of a path as the engine writes it: `spec.containers[0].image`, `metadata.labels["a.b/c"]`."""
    found: list[str] = []
    for match in _PART.finditer(text):
        quoted, index, name = match.groups()
        found.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else f"[{index}]" if index is not None else name)
    return tuple(found)


def hidden_paths(
    raw: tuple[dict[str, Any], dict[str, Any]], plain: tuple[Manifest, Manifest], differing: Iterable[str]
) -> tuple[Path, ...]:
    """The fields that differ though both states show the same, because they are secret.

    Args:
        raw: The old and the new inputs as the engine shows them.
        plain: The same without secrets; for what is no Kubernetes object the inputs of both.
        differing: The paths of what differs, by the engine.
    """
    found = [
        named
        for path in map(property_path, differing)
        if (named := _named(plain[0], path)) is not None and named == _named(plain[1], path)
    ]
    found += _differing(raw[0], raw[1], plain[0], plain[1], ())
    return tuple(dict.fromkeys(found))


def _named(value: Any, path: Path) -> Path | None:
    """A path with the names of list items, as changes have it; None where it does not lead to something hidden."""
    named: list[str] = []
    for position, part in enumerate(path):
        if value == SECRET or value in _HIDDEN_PARTS:
            return (*named, *path[position:])
        in_list = isinstance(value, list)
        value = _child(value, part)
        if value is None:
            return None
        name = cast("dict[str, Any]", value).get("name") if in_list and isinstance(value, dict) else None
        named.append(f"[{name}]" if isinstance(name, str) and not _is_marker(name) else part)
    return tuple(named) if value == SECRET or value in _HIDDEN_PARTS else None


def _differing(old: Any, new: Any, old_plain: Any, new_plain: Any, path: Path) -> Iterator[Path]:
    """Where raw values differ and what is shown of them does not."""
    if old == new:
        return
    if old_plain == new_plain == SECRET:
        if not (_is_sealed(old) or _is_sealed(new)):
            yield path
        return
    if isinstance(old, dict) and isinstance(new, dict) and isinstance(old_plain, dict) and isinstance(new_plain, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        both = after.keys() & old_plain.keys() & new_plain.keys()
        for key in (one for one in before if one in both):
            yield from _differing(before[key], after[key], old_plain[key], new_plain[key], (*path, str(key)))


def _is_sealed(value: Any) -> bool:
    """Whether only its ciphertext is there: that is another one each time."""
    return isinstance(value, dict) and "ciphertext" in value and "plaintext" not in value
