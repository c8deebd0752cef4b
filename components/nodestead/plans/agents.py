"""The scripts that run inside the cluster."""

from importlib import resources

__all__ = ["agent_script", "agent_scripts"]


def agent_script(name: str) -> str:
    """The text of a script, as a ConfigMap holds it."""
    return resources.files("nodestead.agents").joinpath(name).read_text()


def agent_scripts(prefix: str) -> dict[str, str]:
    """The texts of all scripts whose names begin so, by name: those of one software import each other."""
    found = resources.files("nodestead.agents").iterdir()
    return {one.name: one.read_text() for one in sorted(found, key=lambda one: one.name) if one.name.startswith(prefix)}
