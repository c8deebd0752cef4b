"""Durations as Go's own files spell them: 500ms, 1m30s, 24h0m0s."""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

__all__ = ["GoDuration", "GoDurationOrZero", "go_duration", "milliseconds"]

_UNITS = (604_800_000, 86_400_000, 3_600_000, 60_000)
_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,10})(?:\.([0-9]{1,3}))?s)?"
    r"(?:([0-9]{1,12})ms)?"
)
# time.Duration counts nanoseconds in 64 bits.
_LONGEST = (2**63 - 1) // 1_000_000


def milliseconds(text: str) -> int:
    """Milliseconds of a duration; ValueError where the text is none."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a duration; write whole numbers with w, d, h, m, s or ms, as in 500ms or 1h30m")
    *large, seconds, fraction, small = match.groups()
    total = sum(int(part) * factor for part, factor in zip(large, _UNITS, strict=True) if part)
    return total + int(seconds or 0) * 1000 + int((fraction or "").ljust(3, "0")) + int(small or 0)


def go_duration(text: str) -> str:
    """A duration (units w, d, h, m, s, ms) as Go prints it: 10m is 10m0s, 1d is 24h0m0s, 1500ms is 1.5s.

    Raises:
        ValueError: where the text is none.
    """
    total = milliseconds(text)
    if total > _LONGEST:
        raise ValueError(f"{text!r} is longer than the node can count; write at most {_LONGEST // _UNITS[1]}d")
    if 0 < total < 1000:
        return f"{total}ms"
    minutes, rest = divmod(total, 60_000)
    last = f"{rest // 1000}.{rest % 1000:03}".rstrip("0").rstrip(".") + "s"
    if minutes < 60:
        return f"{minutes}m{last}" if minutes else last
    return f"{minutes // 60}h{minutes % 60}m{last}"


def _some(text: str) -> str:
    if go_duration(text) == "0s":
        raise ValueError(f"{text!r} is no time at all; write at least 1ms")
    return go_duration(text)


_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"})
GoDuration = Annotated[str, AfterValidator(_some), _SCHEMA]
GoDurationOrZero = Annotated[str, AfterValidator(go_duration), _SCHEMA]
