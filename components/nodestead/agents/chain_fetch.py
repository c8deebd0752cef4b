"""Downloads that are whole or fail: they go on where a connection broke, and check length and SHA-256."""

import hashlib
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chain_files import StepError, say

__all__ = ["Download", "fetch_json", "fetch_text", "save", "shown"]

_BLOCK = 1 << 20
_SILENCE = 60  # seconds without a byte after which a connection counts as broken
_FIRST_TRIES = 5  # while nothing has come; then the pod's own restarts go on
_LATER_TRIES = 30  # about 25 minutes without a byte; what has come would be lost
_LONGEST_WAIT = 60
_REPORT_EVERY = 30
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may not meet


class _BrokenError(Exception):
    """A connection that ended, or never came to be; another try may help."""


def shown(url: str) -> str:
    """A URL as the log may hold it: without the query and the user, which often are credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


class Download:
    """The content of a URL as a stream, across broken connections.

    A broken connection is opened again with a Range. From a server that knows no Range the beginning is read again and
    compared by its hash with what has come, so that nothing is ever sewn together from two files.

    Attributes:
        total: Bytes that there are in all; None where the server does not tell.
        received: Bytes that have been read.
    """

    def __init__(self, url: str, what: str, sha256: str | None = None, pause: float = 1.0) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise StepError(f"{shown(url)}: the {what} can be had over http and https only; give such a URL")
        self.total: int | None = None
        self.received = 0
        self._url = url
        self._what = what
        self._expected = sha256
        self._pause = pause
        self._hash = hashlib.sha256()
        self._etag: str | None = None
        self._response: http.client.HTTPResponse | None = None
        self._ended = False
        self._started = self._reported = time.monotonic()

    def open(self) -> None:
        """Connects, so that `total` is known."""
        self._more(0)

    def read(self, size: int = _BLOCK) -> bytes:
        """At most `size` bytes; none at the end."""
        return b"" if self._ended else self._more(size)

    def finish(self) -> str:
        """Reads what is left and gives the SHA-256 of all.

        Raises:
            StepError: it is not the one that was asked for.
        """
        while self.read():
            pass
        digest = self._hash.hexdigest()
        if self._expected is not None and digest != self._expected.lower():
            raise StepError(
                f"{shown(self._url)} has SHA-256 {digest}, and the config says {self._expected.lower()};"
                " correct the one that is wrong: a URL of a latest file has another sum each time"
            )
        return digest

    def close(self) -> None:
        """Ends the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _more(self, size: int) -> bytes:
        failures = 0
        while True:
            try:
                return self._attempt(size)
            except _BrokenError as error:
                self.close()
                failures += 1
                if failures >= (_LATER_TRIES if self.received else _FIRST_TRIES):
                    raise StepError(
                        f"{shown(self._url)}: {error}, {failures} times in a row at byte {self.received};"
                        f" check the server, and that NetworkPolicies let this pod reach it"
                    ) from error
                wait = min(_LONGEST_WAIT, self._pause * 2 ** (failures - 1))
                say(f"{self._what}: {error} at {_size(self.received)}; going on in {wait:g} s")
                time.sleep(wait)

    def _attempt(self, size: int) -> bytes:
        if self._ended:
            return b""
        try:
            if self._response is None:
                self._response = self._connect()
            if not size:
                return b""
            block = self._response.read1(size)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        if not block:
            # A body with no length ends with its connection: then only the archive's own end and the checksum can tell.
            if self.total is not None and self.received < self.total:
                raise _BrokenError("the connection ended early")
            self._ended = True
            return b""
        self._hash.update(block)
        self.received += len(block)
        self._report()
        return block

    def _connect(self) -> http.client.HTTPResponse:
        headers = {"Accept-Encoding": "identity", "User-Agent": "nodestead"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            if self._etag:
                headers["If-Range"] = self._etag
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - http and https, see above
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SILENCE)  # noqa: S310
        if response.status == 206 and self.received:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != self.received:
                raise StepError(f"{shown(self._url)} answers another range than was asked for; use another server")
            self._note_total(None if found[2] == "*" else int(found[2]))
            return response
        length = response.headers.get("Content-Length")
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        self._note_total(int(length) if length and length.isdecimal() and not chunked else None)
        if self.received:
            self._read_again(response)
        else:
            etag = response.headers.get("ETag")
            self._etag = etag if etag and not etag.startswith("W/") else None
        return response

    def _note_total(self, total: int | None) -> None:
        if total is not None and self.total is not None and total != self.total:
            raise self._changed()
        self.total = self.total if total is None else total

    def _read_again(self, response: http.client.HTTPResponse) -> None:
        say(f"{self._what}: the server cannot go on in the middle; reading the first {_size(self.received)} again")
        again = hashlib.sha256()
        left = self.received
        while left:
            block = response.read1(min(left, _BLOCK))
            if not block:
                raise _BrokenError("the connection ended early, and the server cannot go on in the middle")
            again.update(block)
            left -= len(block)
        if again.digest() != self._hash.digest():
            raise self._changed()

    def _changed(self) -> StepError:
        return StepError(
            f"{shown(self._url)} was replaced while it was read; the next try reads the new one. "
            "A URL that names one version of the file does not change"
        )

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        if error.code == 416 and self.total is None and self.received:
            # All has come, and only the end of the body was lost.
            if error.headers.get("Content-Range", "").endswith(f"/{self.received}"):
                self.total, self._ended = self.received, True
            return _BrokenError("the connection ended early")
        if error.code in _PASSING:
            return _BrokenError(f"the server answers {error.code}")
        return StepError(f"{shown(self._url)}: the server answers {error.code} {error.reason}; check the URL of the {self._what}")

    def _broken(self, error: Exception) -> Exception:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return StepError(
                f"{shown(self._url)}: {reason.verify_message}; the certificate must be one that the agent image trusts"
            )
        if isinstance(reason, TimeoutError):
            return _BrokenError(f"nothing came for {_SILENCE} s")
        if isinstance(reason, http.client.IncompleteRead):
            return _BrokenError("the connection ended early")
        return _BrokenError(f"{reason}" or type(error).__name__)

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        of_all = f" of {_size(self.total)} ({100 * self.received // self.total}%)" if self.total else ""
        say(f"{self._what}: {_size(self.received)}{of_all}, {_size(self.received / (now - self._started))}/s")


def save(url: str, path: Path, what: str, sha256: str | None = None) -> None:
    """Downloads into a file, and gives up when it is not whole or not what `sha256` says."""
    download = Download(url, what, sha256)
    try:
        with path.open("wb") as file:
            while block := download.read():
                file.write(block)
        download.finish()
    finally:
        download.close()


def fetch_text(url: str, *, headers: dict[str, str] | None = None, ca_file: Path | None = None, seconds: int = 60) -> str:
    """A short answer, asked for again until it comes or the time is over.

    Raises:
        StepError: it did not come, or the server refuses for good (401, 403, 404); `status` is in the text.
    """
    trust = ssl.create_default_context(cafile=ca_file) if ca_file is not None and ca_file.is_file() else None
    request = urllib.request.Request(url, headers={"User-Agent": "nodestead", **(headers or {})})  # noqa: S310 - the caller's URL
    over = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10, context=trust) as response:  # noqa: S310
                return bytes(response.read(_BLOCK)).decode()
        except urllib.error.HTTPError as error:
            with error:
                why: object = f"{error.code} {error.reason}"
                final = error.code in (401, 403, 404)
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            final = False
        if final or time.monotonic() >= over:
            raise StepError(f"{shown(url)} does not answer ({why})")
        time.sleep(1)


def fetch_json(url: str, *, headers: dict[str, str] | None = None, ca_file: Path | None = None, seconds: int = 60) -> Any:
    """As `fetch_text`, parsed."""
    text = fetch_text(url, headers=headers, ca_file=ca_file, seconds=seconds)
    try:
        return json.loads(text)
    except ValueError as error:
        raise StepError(f"{shown(url)} answers something other than JSON; check the URL") from error
