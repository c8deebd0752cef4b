"""Plain data of any shape: what programs and previews of others hold need not be what Kubernetes takes."""

from typing import Any, cast

__all__ = ["at", "listed", "mapping", "mappings"]


def at(value: Any, *path: str) -> Any:
    """What stands at a path of mappings; None where nothing does."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(key)
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A mapping; an empty one in the place of what is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A list; an empty one in the place of what is none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list; none of what is no list."""
    return [cast("dict[str, Any]", one) for one in listed(value) if isinstance(one, dict)]
