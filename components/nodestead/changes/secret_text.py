"""Texts without what reads like a secret: a key, a password, a token, the credentials of a URL."""

import itertools
import re
from functools import lru_cache
from typing import Final

__all__ = ["BARE_KEY", "HIDDEN", "MARKERS", "is_harmless", "is_key_of_bytes", "safe_text", "smells"]

HIDDEN: Final = "[hidden]"
"""Stands for what is not shown."""

MARKERS: Final = frozenset({"[secret]", "[another secret]", HIDDEN})
"""What renderings and the engine's previews write for a secret."""

# ---- names

_WORDS: Final = frozenset(
    "apikey authkey authorization bearer cookie cookies credential credentials dsn jwt mnemonic pass passphrase passwd password"
    " passwords privatekey privkey pwd secret secrets secretkey seedphrase token tokens wif xprv xpriv".split()
)
_ENDS: Final = re.compile(r".+(?:password|passwd|passphrase|secret|token|apikey|privkey|privatekey|mnemonic)s?")
_PAIRS: Final = frozenset({("connection", "string"), ("seed", "phrase"), ("seed", "words"), ("recovery", "phrase")})
_LAST: Final = frozenset({"auth", "key", "keys", "pin", "salt", "seed"})
# `key data` of a kubeconfig, `key base64` and the like.
_ENCODED: Final = frozenset({"data", "base64", "b64", "hex", "json", "pem", "value", "text"})
# What is said of a secret, and is none: where it lies, how long it lasts.
_SAID_OF: Final = frozenset(
    "address algorithm backend contract count decimals denom dir directory enabled expiration expiry file files filename folder"
    " format generation id interval kind length location mode mount name names namespace path port ref seconds size symbol"
    " timeout ttl type version".split()
)
_HASHES: Final = frozenset("block checksum commit digest genesis hash head id root sha sha256 tx".split())


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


@lru_cache(maxsize=1 << 14)
def smells(name: str) -> bool:
    """Whether a thing of this name is likely to be a secret: `DB_PASSWORD`, `--eth-private-key`, `apiKey`; not `KEY_FILE`."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _ENCODED:
        words.pop()
    if not words or (words[-1] in _SAID_OF and words[-2:] != ["key", "id"]):
        return False
    if any(word in _WORDS or _ENDS.fullmatch(word) for word in words) or words[-1] in _LAST:
        return words[0] not in ("public", "pub") and words[-2:] not in (["public", "key"], ["pub", "key"])
    return any(pair in _PAIRS for pair in itertools.pairwise(words)) or words[-2:] == ["key", "id"]


_HARMLESS: Final = re.compile(
    r"|true|false|null|none|~|yes|no|(?:/[a-z0-9._-]{1,64}){2,}/?|\.{0,2}/?[a-z0-9._/-]{1,60}\.(?:json|key|pem|txt|ya?ml|toml)"
    r"|\$\([A-Za-z0-9_]+\)|\$\{[A-Za-z0-9_]+\}|\$[A-Za-z_][A-Za-z0-9_]*|\([^()]{1,200}\)",
    re.IGNORECASE,
)
BARE_KEY: Final = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})")
_LONG_RUN: Final = re.compile(r"[0-9a-fA-F]{24}|[A-Za-z0-9]{32}")


def is_harmless(value: str) -> bool:
    """Whether a value is no secret whatever its name: nothing, a switch, the path of a file, another variable's name."""
    text = value.strip().strip("\"'")
    return text in MARKERS or (_HARMLESS.fullmatch(text) is not None and not _LONG_RUN.search(text))


def is_key_of_bytes(value: str, name: str) -> bool:
    """Whether a value is 32 or 64 bytes of hexadecimal digits, and not called a hash."""
    return BARE_KEY.fullmatch(value.strip()) is not None and not _HASHES & set(_words(name))


# ---- texts

_PEM: Final = re.compile(
    r"-----BEGIN (?!CERTIFICATE|PUBLIC KEY|X509)[A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)", re.DOTALL
)
_MNEMONIC: Final = re.compile(r"(?<![A-Za-z])[a-z]{3,8}(?:[\s,\"']+[a-z]{3,8}){11,}(?![A-Za-z])")
_PROSE: Final = re.compile(r"\b(?:the|and|that|for|with|from|are|not|its|which|was|has|but|into|when)\b")
_URL: Final = re.compile(r"(?<=://)[^\s\"'<>]+")
_PORT: Final = re.compile(r"[^:]*:\d{1,5}")
_SEGMENT: Final = re.compile(r"(?<=/)[A-Za-z0-9_-]{20,}(?![A-Za-z0-9_.-])")
_QUERY: Final = re.compile(r"([?&][A-Za-z0-9_.-]+=)[^&]{16,}")
_ALWAYS: Final = (
    # Tokens that say what they are; JSON Web Tokens; hashes of passwords.
    (
        re.compile(
            r"(?<![A-Za-z0-9_+/=-])(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|sk_live_|hvs\.|pul-|npm_|dop_v1_|AKIA|ASIA|AIza|AGE-SECRET-KEY-1|[xyz]prv)"
            r"[A-Za-z0-9_+/=-]{12,}"
        ),
        HIDDEN,
    ),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}"), HIDDEN),
    (re.compile(r"\$(?:2[abxy]|apr1|1|5|6|y|argon2[a-z]*|scrypt)\$[^\s\"':,]{8,}|\{SHA\}[A-Za-z0-9+/=]{20,}"), HIDDEN),
    (re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"((?:^|\s)(?:-u|--user)[\s=]+)[^\s:]+:\S+"), rf"\1{HIDDEN}"),
    # 32 or 64 bytes: what a key is, as hexadecimal digits or base64.
    (re.compile(r"\b0x[0-9a-fA-F]{64}\b"), HIDDEN),
    (re.compile(r"(?<![A-Za-z0-9+/=:-])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?![A-Za-z0-9+/=])"), HIDDEN),
)
_PAIR: Final = re.compile(
    r"(?<![\w.-])(?P<key>[A-Za-z_-][\w.-]*)(?P<end>\\*[\"'])?"
    r"(?:(?P<equals>\s*(?::=|\+=|=>|={1,2})\s*)|(?P<colon>\s*:(?=\s|$|\\*[\"']))|(?P<tight>:(?=[^\s/:])))"
    r"(?P<blank>\s*)(?P<open>\\*(?:\"\"\"|'''|[\"']))?"
)
_FLAG: Final = re.compile(r"(?<![\w.-])(?P<key>--?[A-Za-z][\w.-]*)\s+(?P<value>(?!-)\S+)")
_BELOW: Final = re.compile(r"\s*(?:[|>][+-]?\d?[+-]?|[{\[]?)\s*(?:#.*)?")
_KEY_AHEAD: Final = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{64})(?![0-9A-Za-z])")
_BLANK: Final = re.compile(r"\s")


def safe_text(text: str) -> str:
    """A text without what reads like a secret in it.

    Hides credentials in URLs, values of `key=value`, `key: value` and `--key value` whose key smells of a secret with all that
    stands below it, private keys in PEM, mnemonics, tokens that say what they are. It hides too much rather than too little.
    """
    if BARE_KEY.fullmatch(text.strip()):
        return HIDDEN
    text = _MNEMONIC.sub(_hidden_words, _PEM.sub(HIDDEN, text))
    lines: list[str] = []
    # A nested value belongs to its key as far as it is indented deeper.
    hidden_below = -1
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if hidden_below >= 0 and (not line.strip() or indent > hidden_below):
            lines.append(f"{line[:indent]}{HIDDEN}" if line.strip() else line)
            continue
        safe, opens = _safe_pairs(line)
        safe = _URL.sub(_hidden_credentials, _FLAG.sub(_hidden_flag, safe))
        for pattern, instead in _ALWAYS:
            safe = pattern.sub(instead, safe)
        lines.append(safe)
        hidden_below = indent if opens else -1
    return "\n".join(lines)


def _safe_pairs(line: str) -> tuple[str, bool]:
    """A line without the values of secret keys, and whether what stands below it belongs to one."""
    pieces, done, position, opens = list[str](), 0, 0, False
    while found := _PAIR.search(line, position):
        start = position = found.end()
        key = found["key"]
        stop = start
        if smells(key) and (found["tight"] is None or _is_plain_secret(key)):
            stop = _end_of_value(line, found)
            value = line[start:stop]
            opens = opens or (found["equals"] is None and found["open"] is None and _BELOW.fullmatch(value) is not None)
            if is_harmless(value) or is_harmless(value.rstrip(",}])")):
                stop = start
        elif (bare := _KEY_AHEAD.match(line, start)) and is_key_of_bytes(bare[0], key):
            stop = bare.end()
        if stop > start:
            pieces += [line[done:start], HIDDEN]
            done = position = stop
    return "".join([*pieces, line[done:]]), opens


def _end_of_value(line: str, found: re.Match[str]) -> int:
    quote, start = found["open"], found.end()
    if quote is not None:
        closing = re.compile(r"(?<!\\)" + re.escape(quote)).search(line, start)
    else:
        # What stands behind a colon goes to the end of the line, as in YAML and in headers.
        closing = _BLANK.search(line, start) if found["equals"] is not None else None
    return closing.start() if closing else len(line)


def _hidden_words(found: re.Match[str]) -> str:
    """A mnemonic has no words of prose in it, but prose may stand around it."""
    return HIDDEN if any(len(part.split()) >= 12 for part in _PROSE.split(found[0])) else found[0]


def _hidden_credentials(found: re.Match[str]) -> str:
    """What stands behind the scheme of a URL, without user and password, and without the keys that providers put in a path."""
    url = found[0]
    last = url.rfind("@")
    if last >= 0:
        authority = re.split(r"[/?#]", url, maxsplit=1)[0]
        user, at, _ = authority.rpartition("@")
        # A password may hold a slash or another @; what follows a host's colon is a port.
        if (":" in user) or (not at and ":" in authority and not _PORT.fullmatch(authority)):
            url = f"{HIDDEN}{url[last:]}"
        elif len(user) >= 16:
            url = f"{HIDDEN}{url[len(user) :]}"
        elif not at and (inner := url.find("://")) >= 0:
            url = url[: inner + 3] + HIDDEN + url[last:]
    return _QUERY.sub(rf"\1{HIDDEN}", _SEGMENT.sub(_hidden_segment, url))


def _hidden_segment(found: re.Match[str]) -> str:
    text = found[0]
    return HIDDEN if any(c.isdigit() for c in text) and any(c.isalpha() for c in text) else text


def _is_plain_secret(key: str) -> bool:
    """Whether a name can be nothing else; `token-bridge:1.0` is an image."""
    return _words(key)[-1:] in (["password"], ["passwd"], ["passphrase"], ["mnemonic"])


def _hidden_flag(found: re.Match[str]) -> str:
    value = found["value"]
    if value in ("=", ":", HIDDEN) or value.startswith(("=", ":")) or not smells(found["key"]) or is_harmless(value):
        return found[0]
    return found[0].removesuffix(value) + HIDDEN
