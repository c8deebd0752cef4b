"""Real daemons of chains for the end-to-end tests: built once for each machine, and put into the test cluster as images.

The network of the test cluster ends there, so what Go downloads has to be had before: `python tests/e2e/chain_images.py`
outside of it builds all programs.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from images import STAND_IN, cluster_script

__all__ = [
    "BASE",
    "COMETBFT",
    "COMETBFT_BARE",
    "PRIV_VAL_SERVER",
    "SIMD",
    "SIMD_V1",
    "SIMD_V2",
    "build_daemons",
    "daemons_folder",
    "put_chain_images",
]

DAEMONS = Path(__file__).parent / "daemons"
COMETBFT_VERSION = "v0.38.17"

BASE = "localhost/e2e-base:1"
"""Image of the test cluster with python3, curl, jq and the libraries of zstd and lz4."""

SIMD = "example.org/nodestead/simd"
SIMD_V1 = f"{SIMD}:v1"
"""simapp of the Cosmos SDK with a shell; /abci_info gives version v1. Its program and entrypoint is simd."""
SIMD_V2 = f"{SIMD}:v2"
"""The same as version v2, which carries out the upgrade plan `v2` and refuses to run before its height."""
COMETBFT = f"example.org/nodestead/cometbft:{COMETBFT_VERSION}"
"""cometbft with a shell; run it with --proxy_app=kvstore. Its program and entrypoint is cometbft."""
COMETBFT_BARE = f"example.org/nodestead/cometbft-bare:{COMETBFT_VERSION}"
"""The same where no shell can be run."""
PRIV_VAL_SERVER = f"example.org/nodestead/priv-val-server:{COMETBFT_VERSION}"
"""CometBFT's remote signer; its entrypoint `signer` takes the options of priv_val_server and dials for ever."""


# --- programs ---


def daemons_folder() -> Path:
    """The folder that keeps what is built of these sources: in NODESTEAD_E2E_CACHE, by default ~/.cache/nodestead-e2e."""
    cache = Path(os.environ.get("NODESTEAD_E2E_CACHE") or Path.home() / ".cache" / "nodestead-e2e")
    sources = hashlib.sha256(COMETBFT_VERSION.encode())
    for name in ("go.mod", "go.sum", "simd/main.go"):
        sources.update((DAEMONS / name).read_bytes())
    return cache / sources.hexdigest()[:16]


def build_daemons() -> Path:
    """Builds simd-v1, simd-v2, cometbft and priv_val_server, static, unless they are there; the test is skipped without Go.

    Returns:
        The folder with the programs. On 2 cores with nothing cached it takes some 6 minutes to fill.
    """
    folder = daemons_folder()
    for version in ("v1", "v2"):
        named = f"-s -w -X github.com/cosmos/cosmos-sdk/version.Version={version}"
        _build(folder / f"simd-{version}", lambda made, named=named: _go("build", "-ldflags", named, "-o", str(made), "./simd"))
    for program in ("cometbft", "priv_val_server"):
        _build(folder / program, _install)
    return folder


def _install(made: Path) -> None:
    package = f"github.com/cometbft/cometbft/cmd/{made.name}@{COMETBFT_VERSION}"
    # Its own go.mod decides what it is built of, and Go's checksum database what that is.
    _go("install", "-ldflags", "-s -w", package, GOBIN=str(made.parent))


def _build(program: Path, build: Callable[[Path], None]) -> None:
    """Has a program built aside: what lies in the folder is whole, also when somebody else builds it at the same time."""
    if program.exists():
        return
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / program.name
        build(made)
        made.replace(program)


def _go(command: str, *args: str, **env: str) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("NOT TESTED with real chains: there is no `go` on PATH to build simd and cometbft; Go 1.22 or later does")
    done = subprocess.run(
        [go, command, "-trimpath", "-buildvcs=false", *args],
        check=False,
        capture_output=True,
        text=True,
        cwd=DAEMONS,
        env={**os.environ, "CGO_ENABLED": "0", **env},
    )
    if done.returncode != 0:
        remedy = "where there is no way to Go's module proxy, run `python tests/e2e/chain_images.py` outside of it first"
        raise RuntimeError(f"go {command} {' '.join(args)}: {done.stderr.strip()}\n{remedy}")


# --- images ---


def put_chain_images(*agents: str) -> None:
    """Puts all images of this module into the cluster; the test is skipped where Go or the cluster's scripts are missing.

    Args:
        agents: Names under which the library asks for the image of its agents, tag or digest included: each becomes
            another name of `BASE`.
    """
    try:
        cluster_script("image")
    except LookupError as error:
        pytest.skip(f"NOT TESTED on a cluster: {error}")
    programs = build_daemons()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        # Every image of the cluster's script has busybox. A program without a byte is one that nobody can run.
        no_shell = Path(folder) / "no-shell"
        no_shell.touch()
        wanted = [
            *((f"{SIMD}:{version}", "simd", f"{programs}/simd-{version}:/usr/local/bin/simd") for version in ("v1", "v2")),
            (COMETBFT, "cometbft", f"{programs}/cometbft"),
            (COMETBFT_BARE, "cometbft", f"{programs}/cometbft", f"{no_shell}:/usr/bin/busybox"),
            (PRIV_VAL_SERVER, "signer", f"{programs}/priv_val_server", f"{STAND_IN}/signer.sh:/usr/local/bin/signer"),
        ]
        done = [
            *(pool.submit(_image, name, "--entrypoint", f"/usr/local/bin/{main}", *paths) for name, main, *paths in wanted),
            *(pool.submit(_image, "--alias", agent, BASE) for agent in agents),
        ]
        for one in done:
            one.result()


def _image(*args: str) -> None:
    done = subprocess.run([str(cluster_script("image")), *args], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"image {' '.join(args)}: {done.stderr.strip()}")


if __name__ == "__main__":
    try:
        print(build_daemons())
    except pytest.skip.Exception as reason:
        print(reason)
