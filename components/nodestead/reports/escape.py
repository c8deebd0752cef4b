"""Text of strangers that becomes part of a Markdown comment, and nothing but text.

A word that could be more than a word - a mention, a link, a reference, HTML, a commit, an emoji - becomes a code span, in which
GitHub and GitLab take nothing for such a thing.
"""

import html
import re
import unicodedata
from typing import Final

__all__ = ["code", "fenced", "html_code", "names", "prose", "sound", "units"]

_PLAIN_WORD: Final = re.compile(
    r"""["'(]*(?:[A-Za-z]+(?:['-][A-Za-z]+)*|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,6}%?)[)"']*[.,;:!?]?[)"']*"""
)
_COMMIT_LIKE: Final = re.compile(r"\W*[0-9a-fA-F]{7,}\W*")
_EDGES: Final = re.compile(r"""(?P<before>["'(]*)(?P<word>.*?)(?P<after>[)"'.,;:!?]*)""", re.DOTALL)
# What stands in backticks is one piece: `nodestead data`.
_PIECES: Final = re.compile(r"""(?P<before>["'(]*)`(?P<span>[^`]+)`(?P<after>[)"'.,;:!?]*)(?!\S)|(?P<word>\S+)""")
_SIGNS: Final = {"->": "→", "→": "→", "…": "…", "...": "…", "-": "-", "—": "—", "/": "/", "+": "+"}


def sound(text: str, *, lines: bool = False) -> str:
    """A text without control, format and bidirectional characters, and in one line unless lines are asked for."""
    kept = "".join(_sound(char, lines=lines) for char in text) if not (text.isascii() and text.isprintable()) else text
    return kept if lines else " ".join(kept.split())


def _sound(char: str, *, lines: bool) -> str:
    if char == "\n":
        return "\n" if lines else " "
    if char == "\t":
        return " "
    # Control, format, surrogate, private and unassigned characters, and what breaks lines elsewhere.
    return "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else char


def code(text: str, most: int = 200) -> str:
    """A code span."""
    content = _cut(sound(text), most)
    if not content.strip():
        return "`(empty)`"
    ticks = "`" * (_longest_run(content) + 1)
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def prose(text: str, most: int = 600) -> str:
    """A sentence in which only plain words and numbers stand as they are."""
    return " ".join(_piece(found) for found in _PIECES.finditer(_cut(sound(text), most)))


def _piece(found: re.Match[str]) -> str:
    return _word(found["word"]) if found["word"] else f"{found['before']}{code(found['span'])}{found['after']}"


def _word(word: str) -> str:
    if word in _SIGNS:
        return _SIGNS[word]
    if _PLAIN_WORD.fullmatch(word) and not _COMMIT_LIKE.fullmatch(word):
        return word
    parts = _EDGES.fullmatch(word)
    if parts is None or not parts["word"]:
        return code(word)
    return f"{parts['before']}{code(parts['word'])}{parts['after']}"


def html_code(text: str, most: int = 200) -> str:
    """Code inside of an HTML block, where Markdown is not read."""
    return f"<code>{html.escape(_cut(sound(text), most)) or '(empty)'}</code>"


def names(text: str, most: int = 250) -> str:
    """Folded names, as `folded_names` gives them, each in a code span."""
    match = re.fullmatch(r"(.*?)( and [0-9]{1,9} more)?", _cut(sound(text), most), re.DOTALL)
    listed, rest = (match[1], match[2] or "") if match else (text, "")
    spans = (" … ".join(code(end, most) for end in part.split(" … ")) for part in listed.split(", "))
    return ", ".join(spans) + rest


def fenced(lines: list[str], language: str, most: int = 240) -> str:
    """A block of code."""
    content = [_cut(sound(line, lines=True).replace("\n", " "), most) for line in lines]
    ticks = "`" * max(3, max((_longest_run(line) for line in content), default=0) + 1)
    return "\n".join([f"{ticks}{language}", *content, ticks])


def units(text: str) -> int:
    """The length of a text as JavaScript and databases count it, two for what lies beyond the basic plane."""
    return len(text.encode("utf-16-le", "replace")) // 2


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
