"""Asks every node of a set for its state, a few at once, and prints a line for each: name, ok or fail, detail, by tabs.

The detail of ok is the part of /status, /net_info and /abci_info that tells how a node is; a node with a thousand peers answers
megabytes. Exits with 1 when one failed.

    NODES    lines of `name url`; the URL is that of the node's RPC
    TIMEOUT  seconds for each answer (10)
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

_AT_ONCE = 16
_LONGEST_ANSWER = 1 << 26
# What is read of each answer: by its path the keys, below a key of their own or ("") not.
_ASKED: dict[str, dict[str, tuple[str, ...]]] = {
    "status": {
        "node_info": ("id", "network", "version"),
        "sync_info": ("latest_block_height", "latest_block_time", "catching_up"),
    },
    "net_info": {"": ("n_peers",)},
    "abci_info": {"response": ("version",)},
}


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else nothing."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def taken(answer: dict[str, Any], wanted: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The wanted part of an answer, as far as it is there."""
    found: dict[str, Any] = {}
    for below, keys in wanted.items():
        inner = mapping(answer.get(below)) if below else answer
        part = {key: inner[key] for key in keys if key in inner}
        found |= {below: part} if below else part
    return found


def state(url: str, seconds: float) -> dict[str, Any]:
    """What a node says of itself; some chains answer it bare, without "result"."""
    opener = build_opener(ProxyHandler({}))
    found: dict[str, Any] = {}
    for path, wanted in _ASKED.items():
        with opener.open(f"{url}/{path}", timeout=seconds) as response:
            said = mapping(json.loads(response.read(_LONGEST_ANSWER)))
        found[path] = taken(mapping(said.get("result", said)), wanted)
    return found


def line(name: str, url: str, seconds: float) -> str:
    """The line of one node."""
    try:
        return f"{name}\tok\t{json.dumps(state(url, seconds), separators=(',', ':'))}"
    except HTTPError as error:
        reason = f"HTTP {error.code}"
    except (OSError, HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
    except ValueError:
        reason = "the answer is not that of a chain node"
    return f"{name}\tfail\t{' '.join(reason.split())[:200]}"


def main() -> None:
    """Asks all nodes and ends."""
    nodes = [one.split() for one in os.environ.get("NODES", "").splitlines() if one.strip()]
    if not nodes:
        sys.exit("nodestead: NODES is empty, there is nothing to check; restore the pod as nodestead made it")
    seconds = float(os.environ.get("TIMEOUT") or 10)

    def told(node: list[str]) -> str:
        return line(node[0], node[1], seconds)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        lines = list(pool.map(told, nodes))
    sys.stdout.write("".join(f"{one}\n" for one in lines))
    sys.exit(any(one.split("\t")[1] == "fail" for one in lines))


if __name__ == "__main__":
    main()
