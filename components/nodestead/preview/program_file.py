"""Reads what a Pulumi program is and what its stacks give it, as the engine does, but without decrypting anything."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nodestead.config.scalars import SecurePlaceholder
from nodestead.preview.stack_file import StackFileError, read_mapping
from nodestead.preview.yaml_text import SECRET

__all__ = ["NO_STACK", "Program", "ProgramConfig", "read_program"]

NO_STACK = "program"
"""The name that stands for the stack of a program that has no stack files."""


@dataclass(frozen=True, slots=True)
class ProgramConfig:
    """What a stack gives a program.

    Attributes:
        texts: The values by full key, as the engine hands them over: objects, numbers and booleans as JSON.
        hidden: Keys whose whole value is encrypted; a marker stands in its place.
        secret: Keys that hold an encrypted value anywhere.
    """

    texts: dict[str, str]
    hidden: frozenset[str]
    secret: frozenset[str]


@dataclass(frozen=True, slots=True)
class Program:
    """A folder with a Pulumi program in Python.

    Attributes:
        name: Name of the project.
        main: The folder that holds its `__main__.py`, or the file that is run.
        stack_dir: Where `Pulumi.<stack>.yaml` lie.
        defaults: What the project's own file says for every stack, by full key.
    """

    name: str
    main: Path
    stack_dir: Path
    defaults: dict[str, Any]

    def stack_names(self) -> list[str]:
        """Names of all stacks, sorted; `NO_STACK` where there are no stack files."""
        found = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in self.stack_dir.glob("Pulumi.?*.yaml"))
        return found or [NO_STACK]

    def config(self, stack: str) -> ProgramConfig:
        """What a stack gives the program; only the project's defaults where the stack has no file.

        Raises:
            StackFileError: a file that cannot be read.
        """
        path = self.stack_dir / f"Pulumi.{stack}.yaml"
        given = _mapping(read_mapping(path).get("config"), path) if path.is_file() else {}
        values = self.defaults | {_full(key, self.name): value for key, value in given.items()}
        values = {key: value for key, value in values.items() if value is not None}
        return ProgramConfig(
            {key: _text(value) for key, value in values.items()},
            frozenset(key for key, value in values.items() if isinstance(value, SecurePlaceholder)),
            frozenset(key for key, value in values.items() if _has_secret(value)),
        )


def read_program(directory: Path) -> Program:
    """What the Pulumi.yaml of a folder says of its program.

    Raises:
        StackFileError: no such folder or file, a program in another language, or one without a `__main__.py`.
    """
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        raise StackFileError(f"{path}: no such file; name a folder with a Pulumi program")
    content = read_mapping(path)
    runtime = content.get("runtime")
    language = cast("dict[str, Any]", runtime).get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise StackFileError(f"{path}: its runtime is {language or 'not named'}; only programs in Python can be run here")
    folders = content.get("main") or ".", content.get("stackConfigDir") or "."
    if not all(isinstance(one, str) for one in folders):
        raise StackFileError(f"{path}: main and stackConfigDir are texts; write folders")
    main, stack_dir = (directory / str(one) for one in folders)
    if not main.is_file() and not (main / "__main__.py").is_file():
        raise StackFileError(f"{main / '__main__.py'}: no such file; a program in Python begins there")
    name, settings = str(content.get("name") or directory.name), content.get("config")
    declared = {} if settings is None or isinstance(settings, str) else _mapping(settings, path)
    return Program(name, main, stack_dir, {_full(key, name): _default(value) for key, value in declared.items()})


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise StackFileError(f"{path}: config is no mapping; write keys and their values")
    return cast("dict[str, Any]", value or {})


def _full(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _default(declared: Any) -> Any:
    """The value of a key that Pulumi.yaml declares: `{value: ...}`, `{type: ..., default: ...}` or the bare value."""
    if not isinstance(declared, dict):
        return declared
    known = cast("dict[str, Any]", declared)
    return known["value"] if "value" in known else known.get("default")


def _text(value: Any) -> str:
    if isinstance(value, SecurePlaceholder):
        return SECRET
    return value if isinstance(value, str) else json.dumps(value, default=lambda _: SECRET)


def _has_secret(value: Any) -> bool:
    if isinstance(value, dict | list):
        held = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        return any(_has_secret(item) for item in held)
    return isinstance(value, SecurePlaceholder)
