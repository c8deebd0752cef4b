"""Fixtures of tests that check revisions out, and of those that run the agents of chain nodes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chain_agents import Pod, Web
from repositories import repository


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with a first commit on main."""
    return repository(tmp_path / "repo")


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """The pod of a chain node, as its agents see it."""
    return Pod(tmp_path)


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server on this machine."""
    made = Web()
    yield made
    made.close()
