#!/usr/bin/env python3
"""Serves the files of a folder to GET and HEAD, and breaks connections where a URL asks for it.

    broken_server.py FOLDER [PORT]

The query of a URL says how a file is served; without one it is served whole, or the range that is asked for:
    break=N   closes the connection after N bytes of each answer
    times=N   only the first N answers to this very URL break, are slow or give `status`; the others are whole
    rate=N    sends N bytes a second
    ranges=0  answers with the whole file, whatever range is asked for
    status=N  answers with this status and no file

Each answer is a line of the log: method, URL, status, the range asked for, and how many bytes it sends.
"""

import re
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK = 64 * 1024


class BrokenServer(BaseHTTPRequestHandler):
    """One connection, with one answer."""

    folder: ClassVar[Path]
    _answers: ClassVar[Counter[str]] = Counter()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        """Answers with a file, a part of one, or what goes wrong."""
        url = urlsplit(self.path)
        asked = {key: int(values[-1]) for key, values in parse_qs(url.query).items()}
        with self._lock:
            BrokenServer._answers[self.path] += 1
            healed = "times" in asked and BrokenServer._answers[self.path] > asked["times"]
        if healed:
            asked = {key: value for key, value in asked.items() if key == "ranges"}
        file = (self.folder / unquote(url.path).lstrip("/")).resolve()
        if "status" in asked:
            self._head(asked["status"], 0)
        elif not file.is_relative_to(self.folder.resolve()) or not file.is_file():
            self._head(404, 0)
        else:
            self._serve(file, asked)

    do_HEAD = do_GET  # noqa: N815 - http.server calls it so

    def _serve(self, file: Path, asked: dict[str, int]) -> None:
        size = file.stat().st_size
        accepts = bool(asked.get("ranges", 1))
        first, last, status = 0, size - 1, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if accepts else None
        if wanted:
            first, last, status = int(wanted[1]), min(int(wanted[2] or last), last), 206
            if first > last:
                self._head(416, 0, {"Content-Range": f"bytes */{size}"})
                return
        fields = {"Accept-Ranges": "bytes"} if accepts else {}
        if status == 206:
            fields["Content-Range"] = f"bytes {first}-{last}/{size}"
        count = last + 1 - first
        to_send = min(count, asked.get("break", count)) if self.command == "GET" else 0
        self._head(status, count, fields, sent=to_send)
        rate = asked.get("rate")
        # A client that goes away is what some tests do.
        with file.open("rb") as source, suppress(ConnectionError):
            source.seek(first)
            while to_send:
                part = source.read(min(to_send, max(1, rate // 10) if rate else CHUNK))
                self.wfile.write(part)
                to_send -= len(part)
                if rate:
                    time.sleep(len(part) / rate)

    def _head(self, status: int, length: int, fields: dict[str, str] | None = None, sent: int = 0) -> None:
        print(f"{self.command} {self.path} {status} {self.headers.get('Range', 'bytes=0-')} {sent}", flush=True)
        self.send_response_only(status)
        for name, value in {"Content-Length": str(length), "Connection": "close", **(fields or {})}.items():
            self.send_header(name, value)
        self.end_headers()


if __name__ == "__main__":
    BrokenServer.folder = Path(sys.argv[1])
    ThreadingHTTPServer(("", int(sys.argv[2]) if len(sys.argv) > 2 else 8000), BrokenServer).serve_forever()
