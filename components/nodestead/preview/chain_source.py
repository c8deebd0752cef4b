"""Reads `chain.json` and `versions.json` of a chain: from the Cosmos chain registry, a file, a folder or an https URL."""

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from nodestead.software.presets import PresetError, read_json

__all__ = ["FETCH_SECONDS", "Source", "read_registry"]

FETCH_SECONDS = 30
"""How long one file may take to come."""

_LARGEST = 4 << 20
_REGISTRY = "https://raw.githubusercontent.com/cosmos/chain-registry/master"


@dataclass(frozen=True, slots=True)
class Source:
    """A JSON object and what a refusal calls it.

    Attributes:
        where: File or URL.
        content: The object.
    """

    where: str
    content: dict[str, Any]


def read_registry(name: str, source: str | None, versions: str | None) -> tuple[Source, Source | None]:
    """Reads chain.json, and versions.json where there is one.

    Args:
        name: Folder of the chain in the registry; only read where no source is given.
        source: File, https URL or folder of chain.json.
        versions: File or https URL of versions.json.

    Raises:
        PresetError: what cannot be read.
    """
    if source is None:
        chain = _of_registry(name)
    elif not _is_url(source) and _path(source).is_dir():
        chain = _read(str(_path(source) / "chain.json"))
    else:
        chain = _read(source)
    if chain is None:
        told = f"cannot be read: there is none; {_NAMES}" if source is None else "cannot be read: no such file; name chain.json"
        raise PresetError(f"{_REGISTRY}/{name}/chain.json" if source is None else _place(source), [told])
    if versions is not None:
        releases = _read(versions)
        if releases is None:
            raise PresetError(_place(versions), ["cannot be read: no such file; name versions.json"])
        return chain, releases
    beside = re.sub(r"(^|.*/)chain\.json$", r"\1versions.json", chain.where)
    return chain, _read(beside) if beside != chain.where else None


_NAMES = (
    "NAME is a folder of github.com/cosmos/chain-registry, as in osmosis or testnets/osmosistestnet, or a built-in chain, as in"
    " osmosis-1"
)


def _of_registry(name: str) -> Source | None:
    if not re.fullmatch(r"(testnets/)?[A-Za-z0-9_-]{1,64}", name):
        raise PresetError(ascii(name)[:80], [f"is not the name of a chain; {_NAMES}"])
    folders = (name,) if name.startswith("testnets/") else (name, f"testnets/{name}")
    found = (_read(f"{_REGISTRY}/{folder}/chain.json") for folder in folders)
    return next((source for source in found if source is not None), None)


def _is_url(place: str) -> bool:
    return "://" in place


def _path(place: str) -> Path:
    if "\0" in place:
        raise PresetError(ascii(place)[:80], ["is not the path of a file; write it without control characters"])
    return Path(place)


def _place(place: str) -> str:
    """A file or URL as a refusal names it: without what may be a password or a token."""
    if not _is_url(place):
        return str(_path(place))
    return re.sub(r"[?#].*", "", re.sub(r"://[^/]*@", "://", place))


def _read(place: str) -> Source | None:
    """The object at a place; None where nothing is there."""
    where = _place(place)
    if _is_url(place):
        content = _fetched(place, where)
        return None if content is None else Source(where, read_json(content, where))
    try:
        with _path(place).open("rb") as file:
            return Source(where, read_json(file.read(_LARGEST + 1), where))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PresetError(where, [f"cannot be read: {error.strerror}"]) from None


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to what is not encrypted."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError("it sends on to a URL without https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(url: str, where: str) -> bytes | None:
    """What a URL gives, None for 404; at most one byte more than is read."""
    if not url.startswith("https://"):
        raise PresetError(where, ["is not read without encryption; write a URL with https"])
    if re.match(r"https://[^/?#]*@", url):
        raise PresetError(where, ["holds a user name, which is not sent; leave it out"])
    deadline = time.monotonic() + FETCH_SECONDS
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "nodestead"})  # noqa: S310 # https, see above
        with urllib.request.build_opener(_HttpsOnly()).open(request, timeout=FETCH_SECONDS) as answer:
            content = b"".join(_chunks(answer.read1, deadline))
            expected = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise PresetError(
            where, [f"cannot be read: the server answers {error.code}; try later, or name a file with --from"]
        ) from None
    except (ValueError, http.client.InvalidURL):
        raise PresetError(where, ["is not a URL; write it as https://example.org/chain.json"]) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise PresetError(where, [f"cannot be read: {_reason(reason)}; name a file with --from"]) from None
    if expected is not None and re.fullmatch(r"[0-9]{1,15}", expected) and len(content) < min(int(expected), _LARGEST + 1):
        raise PresetError(where, [f"ends after {len(content)} of {expected} bytes; try again"])
    return content


def _reason(error: object) -> str:
    return ascii(str(error) or type(error).__name__)[1:-1][:120]


def _chunks(read: Callable[[int], bytes], deadline: float) -> Iterator[bytes]:
    """Reads to the end, to one byte above what is allowed, or until time is over."""
    left = _LARGEST + 1
    while left > 0 and (chunk := read(min(left, 1 << 16))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it took more than {FETCH_SECONDS} s")
        left -= len(chunk)
        yield chunk
