"""Stand-ins for what the pod of a storage node sees: a small web server on this machine, and the pod's own scripts."""

import os
import shutil
import stat
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import nodestead.agents

if any(shutil.which(tool) is None for tool in ("curl", "jq")):
    pytest.skip("NOT TESTED: the scripts of the storage pods; install curl and jq", allow_module_level=True)

AGENTS = Path(nodestead.agents.__file__).parent
SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]


class Web:
    """A web server: `answers` holds for each path what it says, one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, str]]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.headers: dict[str, str] = {}
        self.silent = threading.Event()
        self.over = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                web.asked.append((self.command, self.path, body))
                web.headers = dict(self.headers)
                if web.silent.is_set():
                    web.over.wait()
                    return
                said = web.answers.get(f"{self.command} {self.path}") or web.answers.get(self.path) or [(404, "not here")]
                status, text = said.pop(0) if len(said) > 1 else said[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def __getattr__(self, name: str) -> object:
                if name in {"do_GET", "do_POST", "do_PATCH"}:
                    return self.respond
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def changes(self) -> list[tuple[str, str, str]]:
        """Requests other than GET."""
        return [request for request in self.asked if request[0] != "GET"]


class Pod:
    """Runs scripts as a pod would, with a folder of its own."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.args_file = folder / "args"

    def command(self, script: str, *arguments: str) -> list[str]:
        return [*self.shell, str(AGENTS / script), *arguments]

    def env(self, given: dict[str, object]) -> dict[str, str]:
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        base = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "ARGS_FILE": str(self.args_file)}
        return base | {name: str(value) for name, value in given.items()}

    def run(
        self, script: str, *arguments: str, wrapper: list[str] | None = None, **env: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*(wrapper or []), *self.command(script, *arguments)],
            env=self.env(env),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert list((self.folder / "tmp").iterdir()) == [], "it leaves files behind"
        return done

    def start(self, script: str, *arguments: str, **env: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(script, *arguments), env=self.env(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def prepare(self, **env: object) -> list[str]:
        """The arguments that prepare.sh found; it has to succeed."""
        done = self.run("prepare.sh", **env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return self.args_file.read_text().splitlines()

    def refusal(self, script: str = "prepare.sh", **env: object) -> str:
        """The one line in which a script says what is wrong."""
        done = self.run(script, **env)
        assert done.returncode == 1, done.stdout
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("nodestead: ")
        return lines[0].removeprefix("nodestead: ")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
