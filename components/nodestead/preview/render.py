"""All objects of a stack, as the cluster would get them: without a clock, without randomness and without a secret."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.objects import Identity, Late, Manifest, identity
from nodestead.plans.stack import StackConfig, StackPlan, plan_stack
from nodestead.preview.stack_file import StackFile, read_stack
from nodestead.preview.yaml_text import SECRET

__all__ = [
    "RenderError",
    "StackRefusedError",
    "planned",
    "read_config",
    "read_plan",
    "render_stack",
    "shown",
    "unique",
]


class RenderError(ValueError):
    """Objects that cannot stand beside each other in a cluster."""


class StackRefusedError(ConfigError):
    """A stack file whose config is refused.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        super().__init__(problems)

    def __str__(self) -> str:
        """The file, then a line for each problem."""
        return f"{self.path}: {super().__str__()}"


def render_stack(name: str, directory: Path) -> Iterator[Manifest]:
    """Makes a stack's objects one by one, in the order in which they are registered.

    Args:
        name: A stack's name, such as dev.
        directory: The project's folder.

    Yields:
        Manifests whose leaves may be `Late` (see `plain`); what a Secret holds in clear is replaced by a marker.

    Raises:
        StackFileError: no such stack, or a file that cannot be read.
        StackRefusedError: a config that breaks a rule.
        RenderError: two objects of one identity.
    """
    yield from unique(shown(manifest) for manifest in read_plan(read_stack(name, directory)).manifests())


def read_config(stack: StackFile) -> StackConfig:
    """The checked config of a stack file; `StackRefusedError` where it breaks a rule."""
    try:
        return parse(StackConfig, stack.config)
    except ConfigError as error:
        raise StackRefusedError(stack.path, error.problems) from None


def read_plan(stack: StackFile) -> StackPlan:
    """What a stack file asks for; `StackRefusedError` where it breaks a rule."""
    return planned(stack, read_config(stack))


def planned(stack: StackFile, config: StackConfig) -> StackPlan:
    """The plan of a stack file's config; `StackRefusedError` where it breaks a rule."""
    try:
        return plan_stack(config)
    except ConfigError as error:
        raise StackRefusedError(stack.path, error.problems) from None


def shown(manifest: Manifest) -> Manifest:
    """A manifest as people may see it: in a Secret, what is given in clear is replaced by a marker."""
    if manifest["kind"] != "Secret":
        return manifest
    hidden = {key: _hidden(manifest[key], marker) for key, marker in _MARKERS.items() if key in manifest}
    return {**manifest, **hidden}


_MARKERS = {"data": base64.b64encode(SECRET.encode()).decode(), "stringData": SECRET}


def _hidden(content: Any, marker: str) -> Any:
    if isinstance(content, Late):
        # Its stand-in was made to be shown.
        return content
    return {key: item if isinstance(item, Late) else marker for key, item in content.items()}


def unique(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Passes manifests on and stops at the second of one identity.

    Raises:
        RenderError: naming the object; in a cluster one of the two would overwrite the other.
    """
    seen: set[Identity] = set()
    for manifest in manifests:
        found = identity(manifest)
        if found in seen:
            _, kind, namespace, name = found
            where = f" in the namespace {namespace}" if namespace else ""
            raise RenderError(f"{kind} {name}{where} would be made twice; give one of the two sets another name")
        seen.add(found)
        yield manifest
