"""The files config.toml, app.toml and client.toml of a chain node, made anew for each of its versions at every start."""

import os
import tomllib
from pathlib import Path
from typing import Any

import chain_toml
from chain_files import StepError, copy_whole, say, write_whole

__all__ = ["write_config"]

_OWN_FILES = {
    "config.toml",
    "app.toml",
    "client.toml",
    "genesis.json",
    "addrbook.json",
    "node_key.json",
    "priv_validator_key.json",
}


def write_config(
    versions: list[dict[str, Any]],
    defaults: list[Path],
    files: dict[str, dict[str, Any]],
    config: Path,
    moniker: str,
    laid_over: dict[str, Any],
) -> None:
    """Writes the files of each version: the defaults of its binary, what the config says, and what was found out."""
    run_dir = Path(os.environ.get("RUN_DIR", "/run/nodestead"))
    for version, default in zip(versions, defaults, strict=True):
        target = config if len(versions) == 1 else run_dir / "files" / version["name"]
        for name in ("config", "app", "client"):
            given = files.get(name) or {}
            layers = [{"moniker": moniker}, given, laid_over] if name == "config" else [given]
            if name == "app" and version["halt_height"] is not None:
                layers.append({"halt-height": _halt_height(version["halt_height"], default / "app.toml")})
            _write_toml(default / f"{name}.toml", target / f"{name}.toml", layers)
    for path in sorted(defaults[0].iterdir()):
        # Some chains' init leaves more beside the usual files.
        if path.is_file() and path.name not in _OWN_FILES and not (config / path.name).exists():
            copy_whole(path, config / path.name)


def _write_toml(default: Path, target: Path, layers: list[dict[str, Any]]) -> None:
    name = target.name
    if not default.exists():
        if name == "config.toml":
            raise StepError(f"the binary's init left no {default}; check the image and initArgs of this version")
        if not any(layers):
            return
        say(f"{name}: this version's init writes none; it gets only what the config says")
    try:
        table = tomllib.loads(default.read_text()) if default.exists() else {}
        added: list[str] = []
        for layer in layers:
            table, more = chain_toml.merged(table, layer)
            added += more
        text = chain_toml.dumps(table)
    except (ValueError, TypeError) as error:
        raise StepError(f"{name}: {error}; correct it in the config") from error
    if added and default.exists():
        say(f"{name}: not in the default file of this version, written all the same: {', '.join(added)}")
    write_whole(target, f"# Written by nodestead at every start; change the stack's config instead.\n{text}".encode())


def _halt_height(last: int, default: Path) -> int:
    """The halt-height of app.toml that makes `last` the last block of a version.

    Up to SDK 0.47 a node commits that block and stops; from 0.50 on it refuses to execute it (baseapp/abci.go, checkHalt).
    Only the latter's app.toml has a query-gas-limit.
    """
    newer = default.exists() and "query-gas-limit" in tomllib.loads(default.read_text())
    return last + 1 if newer else last
