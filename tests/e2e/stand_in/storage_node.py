#!/usr/bin/env python3
"""Stands in for a storage node in end-to-end tests: Codex, Logos Storage or Archivist, by the name it is started under.

It insists on what the real node insists on (options of its version, modes of folders and keys, the grammar of
`--nat`), serves the paths of its API that Nodestead relies on, and listens where it says: a TCP connection or a
datagram to its peer ports is answered with its peer id. It dials the bootstrap nodes it was given; `debug/info`
tells, beside what the real one tells:

    bootstrap      the peer records it was given
    reached        peer ids of the bootstrap nodes that answered
    ethKeySha256   16 digits of the SHA-256 of the Ethereum key as text, without white space around it

The version comes from STAND_IN_VERSION, else from /etc/stand-in-version, else from DEFAULT_VERSION.
"""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marketplace import ArchivistMarket, CodexMarket, RefusalError
from node_keys import base58, die, ethereum_key, log, network_key, peer_id_of, secure_folder
from node_options import read_config
from peers import dial_until_reached, in_background, listen_for_discovery, listen_for_peers, own_address, record_of, tcp_address

DEFAULT_VERSION = {"codex": "0.2.5", "storage": "0.5.3", "archivist": "0.2.0"}
VERSION_FILE = Path("/etc/stand-in-version")


@dataclass
class Node:
    """A running node, as its API tells of it."""

    flavour: str
    version: str
    config: dict[str, Any]
    peer_id: str
    listens: list[tuple[str, int]]
    announces: list[str]
    eth_key: str
    reached: dict[str, str] = field(default_factory=dict[str, str])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.numbers = numbers_of(self.version)
        self.record = record_of(self.peer_id, self.announces)
        self.blocks_file = Path(self.config["data-dir"]) / "blocks"
        self.market: ArchivistMarket | CodexMarket | None = None
        if takes_part(self.config):
            codex = CodexMarket(self.numbers, self.config["storage-quota"], self.used)
            self.market = codex if self.flavour == "codex" else ArchivistMarket()

    def blocks(self) -> dict[str, str]:
        """What was stored, by id, as base64."""
        return json.loads(self.blocks_file.read_text()) if self.blocks_file.exists() else {}

    def store(self, content: bytes) -> str:
        """Keeps content on the volume and gives its id."""
        if self.used() + len(content) > self.config["storage-quota"]:
            raise RefusalError(500, "Quota exceeded")
        cid = "z" + base58(hashlib.sha256(content).digest())
        fresh = self.blocks_file.with_suffix(".new")
        fresh.write_text(json.dumps(self.blocks() | {cid: base64.b64encode(content).decode()}))
        fresh.replace(self.blocks_file)
        return cid

    def used(self) -> int:
        """Bytes stored."""
        return sum(len(base64.b64decode(content)) for content in self.blocks().values())

    def space(self) -> dict[str, int]:
        """The answer of /space."""
        return {
            "totalBlocks": len(self.blocks()),
            "quotaMaxBytes": self.config["storage-quota"],
            "quotaUsedBytes": self.used(),
            "quotaReservedBytes": self.market.reserved() if self.market else 0,
        }

    def info(self) -> dict[str, Any]:
        """The answer of /debug/info."""
        reached = sorted(self.reached.items())
        version = {"version": f"v{self.version}", "revision": "0000000"}
        extra = {
            "bootstrap": self.config["bootstrap-node"],
            "reached": [peer for peer, _ in reached],
            "ethKeySha256": self.eth_key,
        }
        if self.flavour == "storage" and self.numbers >= (0, 5):
            isolated = self.config["no-bootstrap-node"] or self.config["bootstrap-node"]
            return {
                "id": self.peer_id,
                "addrs": self.announces,
                "spr": self.record,
                "libp2pPubKey": hashlib.sha256(self.peer_id.encode()).hexdigest(),
                "table": {
                    "localNode": {"peerId": self.peer_id, "addresses": self.announces},
                    "nodes": [{"peerId": peer, "addresses": [address], "lastSeen": 0} for peer, address in reached],
                },
                "storage": version,
                "nat": {"reachability": "Reachable", "clientMode": False, "relayRunning": False, "portMapping": "none"},
                "connections": [{"peerId": peer, "direct": True} for peer, _ in reached],
                "network": None if isolated else self.config["network"],
                **extra,
            }

        def entry(peer: str, address: str) -> dict[str, Any]:
            record = self.record if peer == self.peer_id else ""
            node_id = hashlib.sha256(peer.encode()).hexdigest()
            return {"nodeId": node_id, "peerId": peer, "record": record, "address": address, "seen": True}

        if self.flavour == "archivist" or (self.flavour == "codex" and self.numbers >= (0, 2, 1)):
            version["contracts"] = "0000000"
        return {
            "id": self.peer_id,
            "addrs": [tcp_address(own_address() if host in {"0.0.0.0", "::"} else host, port) for host, port in self.listens],
            "repo": self.config["data-dir"],
            "spr": self.record,
            "announceAddresses": self.announces,
            **({"ethAddress": None} if self.flavour == "archivist" else {}),
            "table": {"localNode": entry(self.peer_id, self.announces[0]), "nodes": [entry(*peer) for peer in reached]},
            self.flavour: version,
            **extra,
        }

    def metrics(self) -> str:
        """The gauges that alerts and dashboards read."""
        space = self.space()
        gauges = {
            f"{self.flavour}_repostore_blocks": space["totalBlocks"],
            f"{self.flavour}_repostore_bytes_used": space["quotaUsedBytes"],
            f"{self.flavour}_repostore_bytes_reserved": space["quotaReservedBytes"],
            "libp2p_peers": len(self.reached),
        }
        return "".join(f"# TYPE {name} gauge\n{name} {value}.0\n" for name, value in gauges.items())


def numbers_of(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(int(part) for part in version.split("."))


def takes_part(config: dict[str, Any]) -> bool:
    """Whether the node is on the marketplace: by subcommand (Codex) or by option (Archivist)."""
    return "persistence" in config["commands"] or bool(config.get("persistence"))


# --- the servers ---

Answer = tuple[int, bytes | object, str]
Route = Callable[[str, list[str], bytes, bool], Answer]
JSON, TEXT, BYTES = "application/json", "text/plain", "application/octet-stream"


class Api:
    """The REST API of a node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def route(self, method: str, path: list[str], body: bytes, plain: bool) -> Answer:
        """Answers a request for any path."""
        if path[:3] != ["api", self.node.flavour, "v1"]:
            raise RefusalError(404)
        match method, path[3:]:
            case _, ["sales", *rest] if self.node.flavour != "storage":
                if self.node.market is None:
                    raise RefusalError(503, "Persistence is not enabled")
                return *self.node.market.answer(method, rest, body), JSON
            case "GET", rest:
                return self.read("/".join(rest), plain)
            case "POST", ["data"]:
                return 200, self.node.store(body).encode(), TEXT
            case "POST", ["debug", "chronicles", "loglevel"]:
                return 200, b"", TEXT
            case _:
                raise RefusalError(404)

    def read(self, path: str, plain: bool) -> Answer:
        """Answers a GET."""
        match path:
            case "spr":
                return self.either("spr", self.node.record, plain)
            case "peerid":
                return self.either("id", self.node.peer_id, plain)
            case "debug/info":
                return 200, self.node.info(), JSON
            case "space":
                return 200, self.node.space(), JSON
            case "data":
                return 200, {"content": [{"cid": cid} for cid in self.node.blocks()]}, JSON
            case _:
                content = self.node.blocks().get(path.removeprefix("data/"))
                if content is None:
                    raise RefusalError(404)
                return 200, base64.b64decode(content), BYTES

    def either(self, name: str, value: str, plain: bool) -> Answer:
        """Plain text for those who ask for it, else an object."""
        return (200, value.encode(), TEXT) if plain else (200, {name: value}, JSON)


def metrics_of(node: Node) -> Route:
    """The metrics server of a node."""

    def route(method: str, path: list[str], _body: bytes, _plain: bool) -> Answer:
        if (method, path) != ("GET", ["metrics"]):
            raise RefusalError(404)
        return 200, node.metrics().encode(), "text/plain; version=0.0.4"

    return route


def handler_of(route: Route, lock: threading.RLock) -> type[BaseHTTPRequestHandler]:
    """Serves a route, one request after the other, as the node's single loop does."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path.strip("/").split("/")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        try:
            with lock:
                status, content, kind = route(request.command, path, body, TEXT in request.headers.get("Accept", ""))
        except RefusalError as refusal:
            status, content, kind = refusal.status, str(refusal).encode(), TEXT
        encoded = content if isinstance(content, bytes) else json.dumps(content, indent=2).encode()
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(encoded)))
        request.end_headers()
        request.wfile.write(encoded)

    def keep_silent(*_: object) -> None:
        """The node logs no requests."""

    methods = {"do_GET": respond, "do_POST": respond, "do_PATCH": respond, "log_message": keep_silent}
    return type("Handler", (BaseHTTPRequestHandler,), methods)


def serve(address: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
    """Serves in the background."""
    try:
        server = ThreadingHTTPServer((address, port), handler)
    except OSError as error:
        die("Failed to start node", msg=f"{error.strerror} ({address}:{port})")
    in_background(server.serve_forever)


# --- the start ---


def check_rules(flavour: str, config: dict[str, Any]) -> None:
    """Rules across the options of newer Logos Storage nodes."""
    if flavour != "storage" or not str(config["nat"]).startswith(("auto", "extip")):
        return
    if config.get("no-bootstrap-node") and config["bootstrap-node"]:
        die("Cannot specify bootstrap nodes when using no-bootstrap flag")
    for name in ("autonat-server", "relay-server", "no-bootstrap-node"):
        if config.get(name) and config["nat"] == "auto":
            die(f"Failed to start Storage: --{name} requires --nat=extip:<IP>")


def start(flavour: str, version: str, argv: list[str]) -> Node:
    """Starts a node; the API comes last, as with the real one."""
    config = read_config(flavour, numbers_of(version), argv, dict(os.environ))
    data = Path(config["data-dir"])
    secure_folder(data)
    if "prover" in config["commands"] or config.get("prover"):
        secure_folder(Path(config["circuit-dir"]))
    secure_folder(data / "repo")
    peer_id = peer_id_of(network_key(data / config["net-privkey"]))
    check_rules(flavour, config)
    wanted = config["listen-addrs"] if "listen-addrs" in config else [(config["listen-ip"], config["listen-port"])]
    listens = [(host, listen_for_peers(host, port, peer_id)) for host, port in wanted]
    if "disc-port" in config:
        listen_for_discovery(config["disc-port"], peer_id)
    # A word such as `none` or `auto` leaves the node with the address of its pod.
    external: str = config["nat"].removeprefix("extip:")
    address = external if "." in external or ":" in external else own_address()
    eth_key = ethereum_key(config.get("eth-private-key"), config.get("eth-account")) if takes_part(config) else ""
    node = Node(flavour, version, config, peer_id, listens, [tcp_address(address, port) for _, port in listens], eth_key)
    if config["metrics"]:
        serve(config["metrics-address"], config["metrics-port"], handler_of(metrics_of(node), node.lock))
    in_background(lambda: dial_until_reached(config["bootstrap-node"], node.reached))
    if config["api-bindaddr"] is not None:
        serve(config["api-bindaddr"], config["api-port"], handler_of(Api(node).route, node.lock))
    log("NTC", "Started node", version=version, id=peer_id, announces=node.announces, bootstrap=len(config["bootstrap-node"]))
    return node


def main() -> None:
    """Runs until a signal ends it."""
    flavour = Path(sys.argv[0]).name
    if flavour not in DEFAULT_VERSION:
        sys.exit(f"start it under one of the names {', '.join(DEFAULT_VERSION)}; it was {flavour}")
    written = VERSION_FILE.read_text().strip() if VERSION_FILE.exists() else ""
    # Blocked here and so in every thread: a handler runs between any two steps of the main thread, and one that
    # interrupts a wait, a log line or the end of the interpreter can leave the process to its SIGKILL.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    start(flavour, os.environ.get("STAND_IN_VERSION") or written or DEFAULT_VERSION[flavour], sys.argv[1:])
    received = signal.sigwait(signals)
    log("NTC", f"Shutting down after having received {signal.Signals(received).name}")
    log("NTC", f"Exited {flavour}")
    os._exit(0)


if __name__ == "__main__":
    main()
