"""Pages that are made from the code: written, or with --check compared with what is there."""

import sys
from pathlib import Path


def finish(text: str, target: Path) -> int:
    """Writes a page, or with --check tells whether it is current; the exit code."""
    if "--check" not in sys.argv[1:]:
        target.write_text(text)
        return 0
    if target.is_file() and target.read_text() == text:
        return 0
    print(f"{target.name} is not current; run make docs", file=sys.stderr)
    return 1
