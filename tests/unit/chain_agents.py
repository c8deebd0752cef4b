"""Stand-ins for what a chain node's pod sees, and the way to its agents: they import each other as top-level modules."""

import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import nodestead.agents

AGENTS = Path(nodestead.agents.__file__).parent
# This module sorts before those that it makes importable.
sys.path.insert(0, str(AGENTS))


@dataclass
class Resource:
    """A file of a web server, and the ways in which the server is bad."""

    content: bytes | Callable[[str], bytes]
    ranges: bool = True
    length: bool = True
    chunked: bool = False
    etag: str | None = None
    breaks_after: int | None = None  # bytes that one connection gives
    ends_at: int | None = None  # no connection gives more of the file
    stalls_at: int | None = None  # from here on it is silent
    statuses: list[int] = field(default_factory=list)  # said first, one after the other


class Web:
    """A web server with `files` by path; `asked` holds path and Range of each request."""

    def __init__(self) -> None:
        self.files: dict[str, Resource] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.headers: dict[str, str] = {}
        self.stalled = threading.Event()
        self.over = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append((self.path, self.headers.get("Range")))
                web.headers = dict(self.headers)
                self.close_connection = True
                found = web.files.get(self.path.partition("?")[0])
                if found is None or found.statuses:
                    self.send_response(404 if found is None else found.statuses.pop(0))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                web.give(self, found)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def give(self, to: BaseHTTPRequestHandler, found: Resource) -> None:
        whole = found.content if isinstance(found.content, bytes) else found.content(to.path)
        start = 0
        asked, condition = to.headers.get("Range"), to.headers.get("If-Range")
        if found.ranges and asked and condition in (None, found.etag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(whole):
                to.send_response(416)
                to.send_header("Content-Range", f"bytes */{len(whole)}")
                to.send_header("Content-Length", "0")
                to.end_headers()
                return
            to.send_response(206)
            to.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        else:
            to.send_response(200)
        if found.etag:
            to.send_header("ETag", found.etag)
        if found.chunked:
            to.send_header("Transfer-Encoding", "chunked")
        elif found.length:
            to.send_header("Content-Length", str(len(whole) - start))
        to.send_header("Connection", "close")
        to.end_headers()
        end = min(found.ends_at or len(whole), start + (found.breaks_after or len(whole)), found.stalls_at or len(whole))
        try:
            for at in range(start, end, 1 << 16):
                part = whole[at : min(end, at + (1 << 16))]
                to.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if found.chunked else part)
            if found.chunked and end == len(whole):
                to.wfile.write(b"0\r\n\r\n")
            to.wfile.flush()
        except OSError:
            return
        if found.stalls_at is not None:
            self.stalled.set()
            self.over.wait(30)

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def tar_of(members: Mapping[str, bytes | tarfile.TarInfo | None], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive: content by name, None for a folder, or a header as it is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            header = tarfile.TarInfo(name)
            header.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            header.mode = 0o755 if content is None else 0o644
            header.size = len(content or b"")
            archive.addfile(header, io.BytesIO(content or b""))
    return out.getvalue()


def packed(program: str, content: bytes, *options: str) -> bytes:
    """Compressed by the program itself, so that the agents are not tested against themselves."""
    return subprocess.run([program, "-c", *options], input=content, capture_output=True, check=True).stdout


def key_json(number: int, **extra: object) -> str:
    private = bytes([number]) * 32 + hashlib.sha256(bytes([number])).digest()
    value = base64.b64encode(private).decode()
    return json.dumps({**extra, "priv_key": {"type": "tendermint/PrivKeyEd25519", "value": value}})


def address_of(number: int) -> str:
    return hashlib.sha256(hashlib.sha256(bytes([number])).digest()).hexdigest()[:40]


COMET_CONFIG = """\
proxy_app = "tcp://127.0.0.1:26658"
moniker = "vm"
node_key_file = "config/node_key.json"
[p2p]
external_address = ""
max_num_inbound_peers = 40
[statesync]
enable = false
rpc_servers = ""
trust_height = 0
trust_hash = ""
trust_period = "168h0m0s"
"""


class Pod:
    """The folders of one chain node, its node.json, and chain_prepare.py run on it as the pod would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.data = self.home / "data"
        self.keys = root / "keys"
        self.defaults = root / "defaults" / "h0" / "config"
        for folder in (self.home, self.keys, self.defaults, root / "run", root / "memory"):
            folder.mkdir(parents=True)
        (self.keys / "node_key.json").write_text(key_json(1))
        (self.keys / "priv_validator_key.json").write_text(key_json(2, address=address_of(2).upper()))
        (self.defaults / "config.toml").write_text(COMET_CONFIG)
        (self.defaults / "genesis.json").write_text('{"chain_id": "hub-1", "validators": []}')
        (self.defaults / "priv_validator_key.json").write_text(key_json(9))
        self.node: dict[str, Any] = {
            "software": "cosmos",
            "moniker": "hub-0",
            "chain_id": "hub-1",
            "home": str(self.home),
            "versions": [{"name": "h0", "height": 0, "halt_height": None, "defaults": str(self.defaults.parent)}],
            "shell": True,
            "database": "goleveldb",
            "files": {"config": {}, "app": {}, "client": {}},
            "genesis": {"kind": "default"},
            "address_book": None,
            "snapshot": None,
            "state_sync": None,
            "keys": {
                "node": str(self.keys / "node_key.json"),
                "node_id": address_of(1),
                "consensus": None,
                "consensus_address": None,
                "target": str(root / "memory"),
            },
            "address": {"from": "none"},
            "health": {},
        }

    def command(self) -> list[str]:
        (self.root / "node.json").write_text(json.dumps(self.node))
        return [sys.executable, str(AGENTS / "chain_prepare.py"), str(self.root / "node.json")]

    def env(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        base = {"PATH": os.environ["PATH"], "RUN_DIR": str(self.root / "run"), "PYTHONDONTWRITEBYTECODE": "1", "no_proxy": "*"}
        return {**base, "ADDRESS_WAIT": "0", **(given or {})}

    def run(self, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """One run, in this process: the start of an interpreter takes longer than all that the script does."""
        from chain_prepare import main

        command = self.command()
        with (
            mock.patch.dict(os.environ, self.env(env), clear=True),
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = main(command[2:])
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def prepare(self, env: Mapping[str, str] | None = None) -> str:
        """The log of a run that has to succeed."""
        done = self.run(env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert not (self.home / ".nodestead" / "scratch").exists(), "it leaves files behind"
        return done.stdout

    def refusal(self, env: Mapping[str, str] | None = None) -> str:
        """The one line in which it says what is wrong."""
        done = self.run(env)
        assert done.returncode == 1, done.stdout + done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("nodestead: ")
        return lines[0].removeprefix("nodestead: ")


PROGRAMS = [program for program in ("gzip", "zstd", "lz4") if shutil.which(program)]
