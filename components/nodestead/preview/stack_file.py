"""Reads a stack's config from its file, as the Pulumi engine does, but without decrypting anything."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from nodestead.config.base import near_name
from nodestead.config.scalars import SECURE
from nodestead.config.yaml_shape import refuse_shape

__all__ = [
    "Project",
    "StackFile",
    "StackFileError",
    "encrypted_values",
    "find_project",
    "near_stacks",
    "read_mapping",
    "read_stack",
    "stack_names",
]

_NAMESPACE = "nodestead"
_DEEPEST = 100


class StackFileError(ValueError):
    """A stack that is not there, or a file that cannot be read; one line, path first."""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with stacks.

    Attributes:
        stack_dir: Where `Pulumi.<stack>.yaml` lie.
        config: What the project's own file says for every stack, by the keys of `StackConfig`.
    """

    stack_dir: Path
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StackFile:
    """The `nodestead:` part of a stack's config.

    Attributes:
        name: Name of the stack.
        path: Its file.
        config: Mapping for `StackConfig`; a `secure:` value, at any depth, is the placeholder `SECURE`.
    """

    name: str
    path: Path
    config: dict[str, Any]


def find_project(directory: Path) -> Project:
    """The project of a folder: the nearest Pulumi.yaml upwards; without one the folder holds the stack files itself.

    Raises:
        StackFileError: where the folder is not there or Pulumi.yaml cannot be read.
    """
    if not directory.is_dir():
        raise StackFileError(f"{directory}: no such folder; give the project's with --dir")
    absolute = directory.absolute()
    root = next((d for d in (absolute, *absolute.parents) if (d / "Pulumi.yaml").is_file()), None)
    if root is None:
        return Project(directory, {})
    path = (directory if root == absolute else root) / "Pulumi.yaml"
    content = read_mapping(path)
    folder, settings, project = content.get("stackConfigDir"), content.get("config"), content.get("name")
    if isinstance(settings, str):
        # The deprecated name of stackConfigDir.
        folder, settings = folder or settings, None
    if folder is not None and not isinstance(folder, str):
        raise StackFileError(f"{path}: stackConfigDir is no text; write the folder of the stack files, as in stacks")
    if settings is not None and not isinstance(settings, dict):
        raise StackFileError(f"{path}: config is no mapping; write keys and their defaults")
    declared = _own_keys(cast("dict[str, Any]", settings or {}), str(project))
    defaults = {key: _default(value) for key, value in declared.items()}
    return Project(path.parent / (folder or "."), {key: value for key, value in defaults.items() if value is not None})


def stack_names(directory: Path) -> list[str]:
    """Names of all stacks of a folder's project, sorted."""
    return _names(find_project(directory).stack_dir)


def read_stack(name: str, directory: Path) -> StackFile:
    """Reads `Pulumi.<name>.yaml`; keys of other namespaces, such as `kubernetes:`, are left alone.

    Args:
        name: A stack's name, also with its organization in front, as in `acme/nodestead/dev`.
        directory: The project's folder or one below it.

    Raises:
        StackFileError: no such stack, no YAML, a key twice, no mapping.
    """
    short = name.rsplit("/", 1)[-1]
    if not re.fullmatch(r"[A-Za-z0-9._-]+", short):
        raise StackFileError(f"{name!r} is not the name of a stack; use letters, digits, hyphens, underscores and dots")
    project = find_project(directory)
    path = project.stack_dir / f"Pulumi.{short}.yaml"
    if not path.is_file():
        raise StackFileError(f"{path}: no such stack; {near_stacks(short, _names(project.stack_dir))}")
    config = read_mapping(path).get("config")
    if config is not None and not isinstance(config, dict):
        raise StackFileError(f"{path}: config is no mapping; write keys such as {_NAMESPACE}:namespace below it")
    own = _own_keys(cast("dict[str, Any]", config or {}), _NAMESPACE)
    # The engine does the same: a stack's value takes the place of the project's whole value.
    return StackFile(short, path, {**project.config, **{key: _value(value) for key, value in own.items()}})


def near_stacks(name: str, known: Sequence[str]) -> str:
    """What to say of a stack that is not there: the one that is meant, as far as can be guessed, and those there are."""
    if not known:
        return "no stack is there"
    return f"{near_name(name, known, '')} the stacks there are {', '.join(known)}".lstrip()


def _names(stack_dir: Path) -> list[str]:
    return sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in stack_dir.glob("Pulumi.?*.yaml"))


def _own_keys(config: dict[str, Any], project: str) -> dict[str, Any]:
    """What stands under `nodestead:`; a key without a namespace belongs to the project."""
    named = {key if ":" in key else f"{project}:{key}": value for key, value in config.items()}
    prefix = f"{_NAMESPACE}:"
    return {key.removeprefix(prefix): value for key, value in named.items() if key.startswith(prefix)}


def _default(declared: Any) -> Any:
    """The value of a key that Pulumi.yaml declares: `{value: ...}`, `{type: ..., default: ...}` or the bare value."""
    if not isinstance(declared, dict):
        return _value(declared)
    known = cast("dict[str, Any]", declared)
    return _value(known["value"] if "value" in known else known.get("default"))


def _value(given: Any) -> Any:
    """A key's value; `pulumi config set` without --path stores an object as JSON text."""
    if isinstance(given, str) and given[:1] in ("{", "["):
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            return given
    return given


def _without_ciphers(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ciphers(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    mapping = cast("dict[str, Any]", value)
    if len(mapping) == 1 and isinstance(mapping.get("secure"), str):
        return SECURE
    return {key: _without_ciphers(item) for key, item in mapping.items()}


def encrypted_values(name: str, directory: Path) -> dict[str, str]:
    """The ciphers of a stack's file by where they stand, as in `nodestead:storageNodeGroups.codex.keys.seed`.

    Raises:
        StackFileError: as for `read_mapping`, and for a folder or project that cannot be read.
    """
    path = find_project(directory).stack_dir / f"Pulumi.{name}.yaml"
    return dict(_ciphers(_loaded(path).get("config"), "")) if path.is_file() else {}


def _ciphers(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for position, item in enumerate(cast("list[Any]", value)):
            yield from _ciphers(item, f"{where}[{position}]")
    elif isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        cipher = mapping.get("secure")
        if len(mapping) == 1 and isinstance(cipher, str):
            yield where, cipher
            return
        for key, item in mapping.items():
            yield from _ciphers(item, f"{where}.{key}".lstrip("."))


def read_mapping(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping, as the engine does; a `secure:` value becomes `SECURE`.

    Raises:
        StackFileError: a file that cannot be read, no YAML, a key twice, no mapping.
    """
    return cast("dict[str, Any]", _without_ciphers(_loaded(path)))


def _loaded(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        refuse_shape(text, _DEEPEST)
        content: object = yaml.load(text, _Loader)  # noqa: S506 # a safe loader
    except OSError as error:
        raise StackFileError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise StackFileError(f"{path}: is no UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise StackFileError(f"{path}{where}: is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        raise StackFileError(f"{path}: is not YAML: it holds a control character; remove it") from None
    except (RecursionError, ValueError, TypeError, AttributeError):
        # PyYAML's constructors of !!int and !!timestamp.
        raise StackFileError(f"{path}: is not YAML: a tagged value that cannot be read") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise StackFileError(f"{path}: is no mapping; write config: and the keys below it")
    return cast("dict[str, Any]", content)


_SCALARS = {
    "bool": ("tTfF", r"true|True|TRUE|false|False|FALSE"),
    "null": (["~", "n", "N", ""], r"~|null|Null|NULL|"),
    "int": ("-+0123456789", r"[-+]?(?:0b[01_]+|0o?[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)"),
    "float": (
        "-+.0123456789",
        r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
    "merge": ("<", r"<<"),
}
"""What a scalar without quotes is: its first characters and an expression."""

_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _tag, (_starts, _pattern) in _SCALARS.items():
    for _start in _starts:
        _RESOLVERS.setdefault(_start, []).append((f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z")))


class _Loader(yaml.CSafeLoader):
    """Reads what the engine's yaml.v3 reads: no key twice, only text as keys, yes and 1:30 and dates as text."""

    yaml_implicit_resolvers = _RESOLVERS

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 # so in PyYAML
        # Merged keys (<<) come later and lose against the mapping's own.
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.tag != "tag:yaml.org,2002:str":
                shown = f" {key_node.value}" if isinstance(key_node, yaml.ScalarNode) else ""
                raise yaml.MarkedYAMLError(
                    problem=f"a key{shown} is no text; write it in quotes", problem_mark=key_node.start_mark
                )
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key_node.value} stands here twice; remove one", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)
