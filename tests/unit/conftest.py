"""Fixtures of tests that check revisions out."""

import tempfile
from pathlib import Path

import pytest
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
