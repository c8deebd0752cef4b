"""Downloads across bad servers: what arrives is whole, or nothing counts."""

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chain_agents import Resource, Web
from chain_fetch import Download, fetch_text, save, shown
from chain_files import StepError

CONTENT = random.Random(7).randbytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "*")
    made = Web()
    yield made
    made.close()


def read(url: str, sha256: str | None = DIGEST) -> bytes:
    download = Download(url, "snapshot", sha256, pause=0)
    try:
        content = b"".join(iter(download.read, b""))
        assert download.finish() == hashlib.sha256(content).hexdigest()
        return content
    finally:
        download.close()


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"length": False},
        {"chunked": True},
        {"ranges": False},
        {"breaks_after": 100_000},
        {"breaks_after": 37_777, "etag": '"v1"'},
        {"breaks_after": 37_777, "etag": 'W/"v1"'},
        {"chunked": True, "breaks_after": 100_000},
        {"statuses": [503, 429, 502]},
    ],
    ids=str,
)
def test_a_file_arrives_whole(web: Web, server: dict[str, Any]) -> None:
    web.files["/f"] = Resource(CONTENT, **server)
    assert read(f"{web.url}/f") == CONTENT


def test_a_broken_connection_goes_on_where_it_ended(web: Web) -> None:
    web.files["/f"] = Resource(CONTENT, breaks_after=100_000)
    read(f"{web.url}/f")
    assert web.asked == [("/f", None), ("/f", "bytes=100000-"), ("/f", "bytes=200000-")]


def test_a_server_without_ranges_is_read_from_the_start_again(web: Web) -> None:
    web.files["/f"] = Resource(CONTENT, ranges=False, breaks_after=200_000)
    download = Download(f"{web.url}/f", "snapshot", DIGEST, pause=0)
    start = b"".join(download.read(50_000) for _ in range(4))
    web.files["/f"].breaks_after = None
    assert start + b"".join(iter(download.read, b"")) == CONTENT
    assert download.finish() == DIGEST
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    "after",
    [
        {"content": CONTENT[::-1], "ranges": False},
        {"content": CONTENT[::-1], "etag": '"v2"'},
        {"content": CONTENT + b"more"},
    ],
    ids=["other, no ranges", "other etag", "other length"],
)
def test_two_files_are_never_sewn_together(web: Web, after: dict[str, Any]) -> None:
    web.files["/f"] = Resource(CONTENT, etag='"v1"', breaks_after=100_000)
    download = Download(f"{web.url}/f", "snapshot", pause=0)
    while download.received < 100_000:
        download.read(1000)
    web.files["/f"] = Resource(**{"etag": '"v1"', **after})
    with pytest.raises(StepError, match="was replaced while it was read"):
        download.finish()


@pytest.mark.parametrize(
    "server", [{"ends_at": 100_000}, {"ends_at": 100_000, "ranges": False}, {"ends_at": 100_000, "chunked": True}], ids=str
)
def test_a_file_that_stays_cut_off_is_given_up(web: Web, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain_fetch._LATER_TRIES", 4)
    web.files["/f"] = Resource(CONTENT, **server)
    with pytest.raises(StepError, match=r"ended early.*, 4 times in a row at byte 100000; check the server"):
        read(f"{web.url}/f", None)
    assert len(web.asked) == 4


def test_a_wrong_checksum_names_both(web: Web) -> None:
    web.files["/f"] = Resource(CONTENT)
    with pytest.raises(StepError, match=f"has SHA-256 {DIGEST}, and the config says {'0' * 64}"):
        read(f"{web.url}/f", "0" * 64)


def test_a_checksum_catches_what_no_length_can(web: Web) -> None:
    web.files["/f"] = Resource(CONTENT, length=False, ends_at=100_000)
    with pytest.raises(StepError, match="has SHA-256"):
        read(f"{web.url}/f")


def test_a_silent_server_is_left_and_asked_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain_fetch._SILENCE", 0.2)
    web.files["/f"] = Resource(CONTENT, stalls_at=100_000)
    download = Download(f"{web.url}/f", "snapshot", DIGEST, pause=0)
    while download.received < 100_000:
        download.read()
    web.files["/f"] = Resource(CONTENT)
    assert download.finish() == DIGEST


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_asked_again(web: Web, status: int) -> None:
    web.files["/f"] = Resource(CONTENT, statuses=[status])
    with pytest.raises(StepError, match=f"/f: the server answers {status} .*; check the URL of the snapshot"):
        read(f"{web.url}/f")
    assert len(web.asked) == 1


def test_a_server_that_is_not_there_is_given_up_soon() -> None:
    with pytest.raises(StepError, match=r"5 times in a row at byte 0; check the server"):
        read("http://127.0.0.1:9/f")


def test_other_schemes_are_refused() -> None:
    with pytest.raises(StepError, match="http and https only"):
        Download("file:///etc/passwd", "genesis")


def test_a_url_in_the_log_shows_no_credentials() -> None:
    assert shown("https://me:secret@host:8443/a/b.tar?X-Amz-Signature=secret#x") == "https://host:8443/a/b.tar"


def test_progress_is_logged(web: Web, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("chain_fetch._REPORT_EVERY", 0)
    web.files["/f"] = Resource(CONTENT)
    read(f"{web.url}/f")
    assert "nodestead: snapshot: 293.0 KiB of 293.0 KiB (100%), " in capsys.readouterr().out


def test_a_file_is_saved(web: Web, tmp_path: Path) -> None:
    web.files["/f"] = Resource(CONTENT)
    save(f"{web.url}/f?raw=true", tmp_path / "f", "genesis", DIGEST.upper())
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_short_answer_is_waited_for(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    web.files["/ip"] = Resource(b"203.0.113.9\n", statuses=[500, 503])
    assert fetch_text(f"{web.url}/ip") == "203.0.113.9\n"
