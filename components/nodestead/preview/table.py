"""Tables of plain text."""

from collections.abc import Iterable, Sequence

__all__ = ["cut", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their longest cell, two blanks apart; every line ends with a line break."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def cut(text: str, width: int) -> str:
    """A text of at most so many characters; what is too much is taken from its middle."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
