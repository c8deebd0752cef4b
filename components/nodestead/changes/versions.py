"""Versions and images, as tags and labels name them."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Version", "image_parts", "version"]

_VERSION = re.compile(
    r"(?P<v>v?)(?P<numbers>\d{1,9}(?:\.\d{1,9}){0,4})(?:[-.+_]?(?P<rest>[A-Za-z][0-9A-Za-z.+_-]*|\d[0-9A-Za-z.+_-]*))?"
)
_BEFORE = re.compile(r"(?P<word>dev|alpha|a|beta|b|preview|pre|snapshot|rc)[.-]?(?P<number>\d{0,9})\b", re.IGNORECASE)
_WORDS: Final = {"dev": 0, "snapshot": 0, "alpha": 1, "a": 1, "beta": 2, "b": 2, "preview": 3, "pre": 3, "rc": 4}


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version that can be told to be older or newer than another one: a release comes after its pre-releases."""

    numbers: tuple[int, ...]
    is_release: bool
    before: tuple[int, int] = (0, 0)


def version(text: str) -> Version | None:
    """The version that a tag or label names; None for what names none, such as latest or a commit."""
    match = _VERSION.fullmatch(text)
    # A bare number may be a date, a build or a commit.
    if match is None or not (match["v"] or "." in match["numbers"]):
        return None
    numbers = [int(part) for part in match["numbers"].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    before = _BEFORE.match(match["rest"] or "")
    if before is None:
        # Anything else is a variant: -alpine, -arm64.
        return Version(tuple(numbers), is_release=True)
    return Version(tuple(numbers), is_release=False, before=(_WORDS[before["word"].lower()], int(before["number"] or 0)))


def image_parts(image: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image; empty where there is none."""
    rest, _, digest = image.partition("@")
    match = re.fullmatch(r"(.+):([^/:]+)", rest)
    return (match[1], match[2], digest) if match else (rest, "", digest)
