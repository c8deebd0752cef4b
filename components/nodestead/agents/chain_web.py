"""What the agents share that stand beside a process and answer over HTTP: questions to others, answers, and their end."""

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, cast
from urllib.request import ProxyHandler, build_opener

__all__ = ["Handler", "alive", "ask", "begin", "serve"]

_STALLED_AFTER = 60.0  # seconds without a turn of a loop before a process counts as dead
_ANSWER_BYTES = 1 << 20

logger = logging.getLogger("nodestead")


def ask(url: str, seconds: float) -> dict[str, Any] | None:
    """The JSON object that a URL answers, out of its "result" where it is wrapped; None where there is none."""
    with contextlib.suppress(OSError, ValueError, HTTPException):
        with build_opener(ProxyHandler({})).open(url, timeout=seconds) as answer:
            said: Any = json.loads(answer.read(_ANSWER_BYTES))
        if isinstance(said, dict):
            whole = cast("dict[str, Any]", said)
            inner = whole.get("result")
            return cast("dict[str, Any]", inner) if isinstance(inner, dict) else whole
    return None


def alive(beats: Mapping[str, float]) -> tuple[int, str]:
    """Answer to /alive: the loops of this very process turn.

    Args:
        beats: when each loop turned last, by its name.
    """
    late = [name for name, moment in beats.items() if time.monotonic() - moment > _STALLED_AFTER]
    return (503, f"stalled: {', '.join(late)}") if late else (200, "ok")


class Handler(BaseHTTPRequestHandler):
    """Answers of one text each."""

    timeout = 10

    def do_GET(self) -> None:
        """Answers a question without its query."""
        self.asked(self.path.partition("?")[0].strip("/"))

    def asked(self, path: str) -> None:
        """Answers what was asked for.

        Args:
            path: without slashes around it.
        """
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Probes ask every few seconds: that is not worth a line."""

    def answer(self, code: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        """Sends one."""
        raw = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asks may go before it has its answer; whatever else goes wrong is worth a line."""
        del request
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            logger.error("%s could not be answered", client_address, exc_info=error)


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _end_all(args: threading.ExceptHookArgs) -> None:
    """A process that lost one of its threads would answer with what was true long ago: better to start again."""
    logger.error("%s", args.exc_value, exc_info=args.exc_value)
    os._exit(1)


def begin() -> None:
    """Sets up the log and the signals of a process."""
    logging.basicConfig(level=logging.INFO, format="nodestead: %(message)s", stream=sys.stdout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # as process 1 it would not hear them
    threading.excepthook = _end_all


def serve(port: int, handler: type[Handler], *loops: Callable[[], None]) -> None:
    """Runs the loops and answers on a port, for ever."""
    for loop in loops:
        threading.Thread(target=loop, name=loop.__name__, daemon=True).start()
    with _Server(("", port), handler) as server:
        server.serve_forever()
