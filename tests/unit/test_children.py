"""What a process that renders a revision hands over is taken with care."""

import os
import sys
from pathlib import Path

import pytest

from nodestead.preview.children import Renderer, Tree

END = "import os, sys; out = sys.argv[sys.argv.index('--out') + 1]; log = out.replace('snapshots', 'errors')\n"


def rendered(folder: Path, code: str) -> str:
    """Why nothing comes of a revision whose own library is this code."""
    package = folder / "components" / "nodestead" / "preview"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(END + code)
    tree = Tree("main", folder, folder, sys.executable, ["dev"])
    return Renderer(20).stacks(tree).failures["dev"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.mkfifo(out)", "no snapshot"),
        ("os.symlink('/etc/passwd', out)", "no snapshot"),
        ("os.truncate(os.open(out, os.O_CREAT | os.O_WRONLY), 2 << 30)", "no snapshot"),
        ("os.unlink(log); os.mkfifo(log); sys.exit('why')", "why"),
        ("os.unlink(log); os.symlink('/etc/passwd', log); sys.exit('why')", "why"),
        ("open(out, 'w').write('[' * 1_000_000)", "depth"),
    ],
)
def test_no_pipe_no_link_and_no_flood_is_read(tmp_path: Path, code: str, reason: str) -> None:
    told = rendered(tmp_path, code)
    assert reason in told
    assert "root:" not in told


def test_a_revision_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SMTP_PASS": "hunter2",
        "API_KEY": "hunter2",
        "BACKEND": "postgres://me:hunter2@db/x",
        "HOOK": "ghp_hunter2hunter2hunter2",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    seen = rendered(tmp_path, "sys.exit(' '.join(os.environ[n] for n in ('SMTP_PASS', 'API_KEY', 'BACKEND', 'HOOK')) + ' end')")
    assert "hunter2" not in seen
    assert seen.endswith("end")
    assert os.environ["API_KEY"] == "hunter2"
