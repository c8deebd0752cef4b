"""Container images of the end-to-end tests: stand-ins under the names of real ones, put into the test cluster."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

__all__ = ["build_storage_node", "cluster_script"]

STAND_IN = Path(__file__).parent / "stand_in"


def cluster_script(name: str) -> Path:
    """A script of the test cluster, whose folder CLUSTER_DIR names.

    Raises:
        LookupError: if CLUSTER_DIR is not set or has no such script.
    """
    folder = os.environ.get("CLUSTER_DIR")
    if not folder:
        raise LookupError(
            "CLUSTER_DIR is not set; it has to name the folder with the test cluster's scripts (up, image, kubectl, run)"
        )
    script = Path(folder) / name
    if not script.is_file():
        raise LookupError(f"CLUSTER_DIR: {folder} has no script {name}; give the folder with the test cluster's scripts")
    return script


def build_storage_node(name: str, software: Literal["codex", "storage", "archivist"], version: str) -> str:
    """Puts a stand-in for a storage node into the cluster.

    Args:
        name: The image's name and tag, such as `codexstorage/nim-codex:0.2.5`; not `latest`, which is always pulled.
        software: Which node it stands in for. It is the only node in the image.
        version: What it answers as its version; it decides the options that it knows.

    Returns:
        The name under which the container runtime knows the image.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "stand-in-version"
        written.write_text(f"{version}\n")
        modules = [str(path) for path in sorted(STAND_IN.glob("*.py")) if path.name != "storage_node.py"]
        # The real images run as root from a folder of their own; nothing here depends on it.
        entrypoint = ["--entrypoint", "/docker-entrypoint.sh", f"{STAND_IN}/docker-entrypoint.sh:/docker-entrypoint.sh"]
        program = f"{STAND_IN}/storage_node.py:/usr/local/bin/{software}"
        circuits = [] if software == "storage" else [f"{STAND_IN}/cirdl:/usr/local/bin/cirdl"]
        command = [
            str(cluster_script("image")),
            name,
            "--on-base",
            *entrypoint,
            program,
            *circuits,
            *modules,
            f"{written}:/etc/stand-in-version",
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"cannot build the image {name}: {done.stderr.strip()}")
    return done.stdout.strip()
