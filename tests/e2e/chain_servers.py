"""Servers that chain nodes of the end-to-end tests need in the cluster: files over HTTP, and remote signers."""

import json
import subprocess
from pathlib import Path
from typing import Any

from chain_images import BASE, PRIV_VAL_SERVER
from cluster import KubectlError, apply, kubectl, until
from images import STAND_IN

__all__ = ["file_server", "put_file", "served", "signer"]

_Volumes = dict[str, tuple[str, dict[str, Any]]]
"""Volumes of a pod by name: where they are mounted, and what they are."""

_PORT = 8000
_ROOT = "/srv"
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_POD = {
    "runAsNonRoot": True,
    "runAsUser": 1025,
    "runAsGroup": 1025,
    "fsGroup": 1025,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def file_server(namespace: str, name: str = "files") -> str:
    """Runs a pod and a Service of this name that serve files to the cluster, and break connections as a URL asks.

    What a URL may ask for is told in stand_in/broken_server.py.

    Args:
        namespace: One that is there already.
        name: Of pod, Service and ConfigMap.

    Returns:
        The URL of its folder, without a slash at the end.
    """
    script = STAND_IN / "broken_server.py"
    container = {
        "command": ["python3", f"/script/{script.name}", _ROOT, str(_PORT)],
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
    }
    apply(
        [
            _object("ConfigMap", namespace, name) | {"data": {script.name: script.read_text()}},
            _object("Service", namespace, name) | {"spec": {"selector": {"app": name}, "ports": [{"port": _PORT}]}},
            _pod(namespace, name, BASE, container, _empty("root", _ROOT) | _mounted("/script", "configMap", name)),
        ]
    )
    kubectl("wait", "--for=condition=Ready", "--timeout=60s", "--namespace", namespace, f"pod/{name}")
    return f"http://{name}.{namespace}:{_PORT}"


def put_file(namespace: str, path: str, content: bytes | Path, name: str = "files") -> None:
    """Puts a file into the folder of a `file_server`, in place of one of the same path.

    Args:
        namespace: Of the server.
        path: In its folder, such as `snapshots/1.tar.gz`.
        content: The file's bytes, or a file of this machine.
        name: The server.

    Raises:
        KubectlError: where that fails.
    """
    script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && mv "$1.new" "$1"'
    command = ["kubectl", "exec", "--stdin", "--namespace", namespace, name, "--", "sh", "-c", script, "put", f"{_ROOT}/{path}"]
    given = content if isinstance(content, bytes) else content.read_bytes()
    done = subprocess.run(command, check=False, capture_output=True, input=given, timeout=300)
    if done.returncode != 0:
        raise KubectlError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")


def served(namespace: str, name: str = "files") -> list[str]:
    """What a `file_server` answered so far: method, URL, status, range asked for and number of bytes, one line each."""
    return kubectl("logs", "--namespace", namespace, name).splitlines()


def signer(namespace: str, name: str, *, node: str, chain_id: str, key: str) -> None:
    """Runs a pod with CometBFT's remote signer, which dials a node until it is reached, and again whenever it is lost.

    Args:
        namespace: One that is there already.
        name: Of pod and Secret.
        node: Host and port of the node's priv_validator_laddr, such as `hub-0-signer:26659`.
        chain_id: The chain's id.
        key: Content of priv_validator_key.json.
    """
    state = {"height": "0", "round": 0, "step": 0}
    options = [f"-addr=tcp://{node}", f"-chain-id={chain_id}", "-priv-key=/keys/key.json", "-priv-state=/state/state.json"]
    # The state lies in the pod: a container that starts again goes on with it.
    begin = f"[ -e /state/state.json ] || echo '{json.dumps(state)}' >/state/state.json; exec signer \"$@\""
    container = {"command": ["sh", "-c", begin, "signer", *options]}
    volumes = _empty("state", "/state") | _mounted("/keys", "secret", name)
    apply(
        [
            _object("Secret", namespace, name) | {"stringData": {"key.json": key}},
            _pod(namespace, name, PRIV_VAL_SERVER, container, volumes),
        ]
    )
    probe = ("get", "pod", name, "--namespace", namespace, "--output", "jsonpath={.status.phase}")
    until(f"pod {name}", lambda: kubectl(*probe) == "Running")


def _object(kind: str, namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}}


def _empty(name: str, path: str) -> _Volumes:
    return {name: (path, {"emptyDir": {}})}


def _mounted(path: str, kind: str, name: str) -> _Volumes:
    return {kind.lower(): (path, {kind: {"secretName" if kind == "secret" else "name": name}})}


def _pod(namespace: str, name: str, image: str, container: dict[str, Any], volumes: _Volumes) -> dict[str, Any]:
    """A pod of one container that Pod Security's `restricted` takes."""
    mounts = [{"name": volume, "mountPath": path} for volume, (path, _) in volumes.items()]
    main = {"name": "main", "image": image, "securityContext": _CONTAINER, "volumeMounts": mounts, **container}
    spec = {
        "securityContext": _POD,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "containers": [main],
        "volumes": [{"name": volume, **kind} for volume, (_, kind) in volumes.items()],
    }
    return _object("Pod", namespace, name) | {"spec": spec}
