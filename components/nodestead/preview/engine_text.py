"""The text of `pulumi preview --json`: out of a file as people make it, to its steps and to what went wrong, in words."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from nodestead.changes.plain import mapping, mappings
from nodestead.changes.secrecy import safe_text

__all__ = ["LARGEST", "PreviewError", "decoded", "failures_of", "preview_content", "urn_name", "well_formed"]

_COMMAND: Final = "pulumi preview --json --show-sames"
"""What makes a file that can be read."""

LARGEST: Final = 1 << 30
"""Bytes of a file that is still read: the preview of four thousand nodes."""


class PreviewError(ValueError):
    """A text that is no preview; one line that says what it is."""


# ---- bytes and JSON


def decoded(data: bytes) -> str:
    """The text of a file; PowerShell redirects as UTF-16, and others put a byte order mark in front.

    Raises:
        PreviewError: where it is no text, or too long.
    """
    if len(data) > LARGEST:
        raise PreviewError(f"it has more than {LARGEST:,} bytes, which is too much for a preview")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    little = data[1:2] == b"\x00"
    try:
        text = data.decode("utf-16" if wide else "utf-16-le" if little else "utf-8-sig")
    except UnicodeDecodeError:
        raise PreviewError(f"it is no text; write it with `{_COMMAND}`") from None
    if "\x00" in text:
        raise PreviewError(f"it is no text; write it with `{_COMMAND}`")
    return text


def preview_content(text: str) -> dict[str, Any]:
    """The steps, diagnostics and counts of a preview; lines that the CLI wrote around them are passed over.

    Returns:
        `steps`, `diagnostics` and `changeSummary` as `--json` has them, each perhaps missing; `streamed` where the CLI wrote
        one event per line.

    Raises:
        PreviewError: where the text is empty, cut, no JSON, or JSON of something else.
    """
    if not text.strip():
        raise PreviewError("it is empty: the preview wrote nothing, and its own log says why")
    other: PreviewError | None = None
    for position in _starts(text):
        content, problem, end = _object_at(text, position)
        if problem is not None:
            # A line of a log may look like an object; the first problem says most.
            other = other or problem
            continue
        if "sequence" in content and "timestamp" in content:
            return _streamed(text)
        if content and content.keys() <= _KEYS:
            _refuse_second(text, end)
            return content
        other = other or _something_else(content)
    raise other or _no_json(text)


_KEYS = frozenset({"config", "steps", "diagnostics", "duration", "changeSummary", "maybeCorrupt"})
_TRIES = 20


def _starts(text: str) -> Iterator[int]:
    """Where an object may begin: at the first brace of the text, or of a line that begins with one."""
    for tries, match in enumerate(re.finditer(r"(?:\A\s*|^)(\{)", text, re.MULTILINE)):
        if tries == _TRIES:
            return
        yield match.start(1)


def _refuse_second(text: str, end: int) -> None:
    """As where the previews of several stacks are written to one file: it would be left out, and nobody would know."""
    if _FIRST_KEY.match(text, end) or _FIRST_LINE.search(text, end):
        raise PreviewError(_SEVERAL)


_KEY: Final = r"\{\s*\"(?:config|steps|diagnostics|duration|changeSummary|sequence)\""
_FIRST_KEY: Final = re.compile(rf"\s*{_KEY}")
_FIRST_LINE: Final = re.compile(rf"^{_KEY}", re.MULTILINE)
_SEVERAL: Final = "it holds more than one preview; write each to a file of its own and name all of them"


def _object_at(text: str, position: int) -> tuple[dict[str, Any], PreviewError | None, int]:
    """An object, or why there is none, and where it ends."""
    try:
        found, end = _DECODER.raw_decode(text, position)
        return cast("dict[str, Any]", found), None, end
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        if not rest or error.msg.startswith("Unterminated string"):
            return (
                {},
                PreviewError(f"its JSON ends in the middle, at line {error.lineno}: the preview was cut; run it again"),
                position,
            )
        return {}, PreviewError(f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"), position
    except RecursionError:
        return {}, PreviewError("its JSON is nested too deep for a preview"), position
    except ValueError:
        return {}, PreviewError("its JSON holds a number of thousands of digits; that is no preview"), position


def _number(text: str) -> float | str:
    value = float(text)
    if not math.isfinite(value):
        return text
    # The engine has floats only.
    return int(value) if value.is_integer() else value


_UNREAD = ("outputs", "stackTrace", "sourcePosition", "propertyDependencies")


def _slim(found: dict[str, Any]) -> dict[str, Any]:
    """An object of the JSON; a state goes without what nobody reads, which is most of it."""
    if str(found.get("urn", "")).startswith("urn:pulumi:") and "type" in found:
        for key in _UNREAD:
            found.pop(key, None)
    return found


_DECODER = json.JSONDecoder(object_hook=_slim, parse_float=_number, parse_constant=str)


def _something_else(content: Mapping[str, Any]) -> PreviewError:
    known = {
        "deployment": "the exported state of a stack",
        "resourcePlans": "an update plan",
        "format": f"of the format {str(content.get('format'))[:40]}",
        "kind": "a Kubernetes object",
    }
    found = next((what for key, what in known.items() if key in content), "JSON of something else")
    return PreviewError(f"it is {found}, no preview; write it with `{_COMMAND}`")


def _no_json(text: str) -> PreviewError:
    said = next((line for line in well_formed(text).splitlines() if line.startswith("error: ")), None)
    if said is not None:
        return PreviewError(f"the preview failed: {_one_line(said.removeprefix('error: '))}")
    if "Previewing update" in text:
        return PreviewError(f"it is a preview as text; write it with `{_COMMAND}`")
    return PreviewError(f"it is no JSON of a preview; write it with `{_COMMAND}`")


def _streamed(text: str) -> dict[str, Any]:
    """The same content out of one event per line, as PULUMI_ENABLE_STREAMING_JSON_PREVIEW makes the CLI write it."""
    steps: list[Any] = []
    diagnostics: list[Any] = []
    summary: Any = None
    # Not by splitlines, which knows line breaks that may stand in a text of JSON.
    for line in text.split("\n"):
        if not line.startswith("{"):
            continue
        event, problem, _ = _object_at(line, 0)
        if problem is not None:
            raise PreviewError("one of its lines is cut or no JSON; run the preview again") from None
        metadata = mapping(mapping(event.get("resourcePreEvent")).get("metadata"))
        if metadata:
            renamed = {"old": "oldState", "new": "newState", "keys": "replaceReasons", "diffs": "diffReasons"}
            steps.append({renamed.get(key, key): value for key, value in metadata.items()})
        if event.get("diagnosticEvent"):
            diagnostics.append(event["diagnosticEvent"])
        if event.get("summaryEvent") and summary is not None:
            raise PreviewError(_SEVERAL)
        summary = mapping(event.get("summaryEvent")).get("resourceChanges", summary)
    if summary is None:
        diagnostics.append({"severity": "error", "message": "the preview ended before its summary"})
    return {"steps": steps, "diagnostics": diagnostics, "changeSummary": summary, "streamed": True}


def well_formed(text: str) -> str:
    """A text that every file can hold: half of a surrogate pair is none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# ---- what went wrong

_MOST = 50
_LONGEST = 1_500
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|<\{%.*?%\}>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SERVER = re.compile(r"the Kubernetes API server reported that \"[^\"]*\" failed to fully initialize or become live: ")
_URN = re.compile(r"urn:pulumi:[^\s'\"`]*")
# Said of every preview that fails, beside the reason.
_EMPTY_WORDS = re.compile(
    r"(?:preview failed|update failed|an unhandled error occurred: .*|.* errors? occurred:?)?\s*", re.DOTALL
)


def failures_of(diagnostics: Any) -> list[str]:
    """Why a preview failed, each in a line, and a line for each problem that it lists; empty where it did not.

    Args:
        diagnostics: What the engine said, by severity.
    """
    errors = [one for one in mappings(diagnostics) if one.get("severity") == "error"]
    said = list(dict.fromkeys(_failure(str(one.get("message", "")), str(one.get("urn") or "")) for one in errors))
    told = [line for line in said if line] or (["the preview failed, and does not say why"] if errors else [])
    return told if len(told) <= _MOST else [*told[:_MOST], f"and {len(told) - _MOST} more errors"]


def _failure(message: str, urn: str) -> str:
    text = _CONTROL.sub(" ", _COLOUR.sub("", well_formed(message))).strip()
    text = re.sub(r"\A(?:error: |Preview failed: |Update failed: )+", "", text)
    if _EMPTY_WORDS.fullmatch(text):
        return ""
    if "Traceback (most recent call last)" in text:
        return _crash(text)
    hook = re.match(r"before hook \"[^\"]*\" failed: ", text)
    if hook:
        # What a guard says begins with the name of its set.
        return f"refused by a guard: {_one_line(text[hook.end() :])}"
    text = re.sub(r"\A\d+ errors? occurred:\s*\* ", "", text)
    # A way around a protection that keeps keys; and the API server's own diff of an object.
    text = re.split(r"\.?\s*To unprotect the resource|\n@@ ", text, maxsplit=1)[0]
    text = re.sub(r"\Aresource \"([^\"]+)\"", r"\1", text)
    # An answer of the API server names its object.
    server = _SERVER.match(text)
    if server or not urn or urn in text:
        return _one_line(text[server.end() :] if server else text)
    return _one_line(f"{urn_name(urn)}: {text}")


def _crash(text: str) -> str:
    """A program that raised: its last words, and where."""
    lines = [line for line in text.splitlines() if line.strip()]
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    where = f" ({places[-1][0]}, line {places[-1][1]})" if places else ""
    return _one_line(f"the program raised {lines[-1].strip()}{where}")


def urn_name(urn: str) -> str:
    """`StatefulSet codex-stateful-set-1` for a URN; the text itself where it is none."""
    parts = urn.split("::", 3)
    if len(parts) != 4:
        return urn
    return f"{re.split(r'[:/]', parts[2].rpartition('$')[2])[-1]} {parts[3]}"


def _one_line(text: str) -> str:
    """A text without secrets and line breaks, but for those before the problems of a refusal."""
    text = _URN.sub(lambda match: urn_name(match[0]), text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = ""
    for line in lines:
        item = line.startswith(("- ", "* "))
        glue = " " if joined.endswith((":", ";", ",")) or not item else "; "
        glue = "\n  - " if line.startswith("- ") else glue
        joined += (glue if joined else "") + (line[2:] if item else line)
    if len(joined) > _LONGEST:
        joined = f"{joined[:_LONGEST]} ..."
    return safe_text(joined)
