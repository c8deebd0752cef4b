#!/usr/bin/env python3
"""Asks GitHub's API: with the token only at the API's own address, answers bounded, refusals in a sentence."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from runner import StepError, given

__all__ = ["ask", "download", "pages"]

_LARGEST_ANSWER = 16 << 20
_TRIES = 3
_MOST_PAGES = 50


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is answered as it comes, since urllib would send the token on."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


_OPENER = urllib.request.build_opener(_NoRedirect())


def ask(method: str, path: str, body: dict[str, Any] | None = None, **query: object) -> Any:
    """The answer to a request, as JSON."""
    with _opened(_request(method, path, body, query), again=method != "POST") as answer:
        try:
            return json.loads(_bounded(answer, _LARGEST_ANSWER, path))
        except ValueError:
            raise StepError(f"GitHub's answer to {method} {path} is no JSON") from None


def pages(path: str, key: str | None = None, **query: object) -> Iterator[dict[str, Any]]:
    """All of a list, page by page; of an object with the list under a key, if one is named."""
    for page in range(1, _MOST_PAGES + 1):
        found = ask("GET", path, None, per_page=100, page=page, **query)
        listed: list[dict[str, Any]] = found[key] if key else found
        yield from listed
        if len(listed) < 100:
            return


def download(path: str, largest: int) -> bytes:
    """A file that the API sends on to; the token does not go along."""
    request = _request("GET", path, None, {})
    try:
        with _opened(request) as answer:
            return _bounded(answer, largest, path)
    except _MovedError as moved:
        if urlsplit(moved.to).scheme != urlsplit(request.full_url).scheme:
            raise StepError(f"GitHub sends {path} on to an address without https") from None
        with _opened(urllib.request.Request(moved.to, headers={"User-Agent": "nodestead"})) as answer:  # noqa: S310 # see above
            return _bounded(answer, largest, path)


class _MovedError(Exception):
    def __init__(self, to: str) -> None:
        super().__init__()
        self.to = to


def _request(method: str, path: str, body: dict[str, Any] | None, query: dict[str, object]) -> urllib.request.Request:
    address = given("GITHUB_API_URL", "https://api.github.com").rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
    headers = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "nodestead",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {given('GITHUB_TOKEN')}",
    }
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.Request(address, data, headers, method=method)  # noqa: S310 # the runner's own address


def _opened(request: urllib.request.Request, *, again: bool = True) -> http.client.HTTPResponse:
    what = f"{request.get_method()} {urlsplit(request.full_url).path}"
    for left in range(_TRIES - 1 if again else 0, -1, -1):
        try:
            return _OPENER.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            if error.code in (301, 302, 303, 307, 308) and error.headers.get("Location"):
                raise _MovedError(error.headers["Location"]) from None
            if error.code < 500 or not left:
                raise StepError(f"GitHub answers {error.code} to {what}: {_message(error)}") from None
        except OSError as error:
            if not left:
                raise StepError(f"GitHub cannot be asked for {what}: {getattr(error, 'reason', error)}") from None
        time.sleep(2 * (_TRIES - left))
    raise AssertionError


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(10_000))["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason


def _bounded(answer: IO[bytes], largest: int, path: str) -> bytes:
    content = answer.read(largest + 1)
    if len(content) > largest:
        raise StepError(f"{path} has more than the {largest:,} bytes that are read")
    return content
