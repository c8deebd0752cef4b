"""Texts without what reads like a secret: a key, a password, a token, the credentials of a URL."""

import base64
import itertools
import re
from functools import lru_cache
from typing import Final

__all__ = [
    "BARE_KEY",
    "GENERATED",
    "HIDDEN",
    "MARKERS",
    "SECRETS",
    "SIGNATURE",
    "is_harmless",
    "is_key_of_bytes",
    "safe_text",
    "smells",
    "without_tokens",
]

HIDDEN: Final = "[hidden]"
"""Stands for what is not shown."""

SECRETS: Final = ("[secret]", "[another secret]")
"""The old and the new value of a field of which a preview says only that it differs and is secret."""

GENERATED: Final = frozenset({"result", "hex", "b64Std", "b64Url", "base64", "bcryptHash", "dec", "privateKeyPem"})
"""What providers of random values and of keys give that is secret."""

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""Stands in each object of the engine's that is no plain one: secrets, assets, references (sdk/go/common/resource/sig.go)."""

MARKERS: Final = frozenset({*SECRETS, HIDDEN})
"""What renderings and the engine's previews write for a secret."""

# ---- names

_WORDS: Final = frozenset(
    "apikey authkey authorization bearer cookie cookies credential credentials dockercfg dockerconfigjson dsn htpasswd jwt"
    " mnemonic netrc pass passphrase passwd password passwords pgpass privatekey privkey pswd pw pwd secret secrets secretkey"
    " seedphrase token tokens userpass userpwd wif xprv xpriv".split()
)
_ENDS: Final = re.compile(r".+(?:password|passwd|passphrase|secret|token|apikey|privkey|privatekey|mnemonic)s?")
_PAIRS: Final = frozenset(
    {("connection", "string"), ("seed", "phrase"), ("seed", "words"), ("recovery", "phrase")}
    | {("id", kind) for kind in ("rsa", "dsa", "ecdsa", "ed25519")}
)
# A login is `user:password`, as in Monero's `--rpc-login`.
_LAST: Final = frozenset({"auth", "hmac", "key", "keys", "login", "pin", "salt", "seed"})
# `key data` of a kubeconfig, `key base64` and the like.
_ENCODED: Final = frozenset({"data", "base64", "b64", "hex", "json", "pem", "value", "text"})
# What is said of a secret, and is none: where it lies, how long it lasts.
_SAID_OF: Final = frozenset(
    "address algorithm backend contract count decimals denom dir directory enabled expiration expiry file files filename folder"
    " format generation id interval kind length location mode mount name names namespace path port ref seconds size symbol"
    " timeout ttl type version".split()
)
_HASHES: Final = frozenset(
    "block checksum commit digest genesis hash head id pub public pubkey pubkeys root sha sha256 tx".split()
)


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
    r"|true|false|null|none|~|yes|no|~?(?:/[a-z0-9._-]{1,64}){2,}/?|\.{0,2}/?[a-z0-9._/-]{1,60}\.(?:json|key|pem|txt|ya?ml|toml)"
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
    """Whether a value is 32 or 64 bytes of hexadecimal digits, and called neither a hash nor public."""
    return BARE_KEY.fullmatch(value.strip()) is not None and not _HASHES & set(_words(name))


# ---- texts

_PEM: Final = re.compile(
    r"-----BEGIN (?!CERTIFICATE|PUBLIC KEY|X509)[A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)", re.DOTALL
)
_MNEMONIC: Final = re.compile(r"(?<![A-Za-z])[a-z]{3,8}(?:[\s,\"'0-9.)]{1,12}[a-z]{3,8}){11,}(?![A-Za-z])")
_PROSE: Final = re.compile(r"\b(?:the|and|that|for|with|from|are|not|its|which|was|has|but|into|when)\b")
_URL: Final = re.compile(r"(?<=://)[^\s\"'<>]+")
_PORT: Final = re.compile(r"[^:]*:\d{1,5}")
_SEGMENT: Final = re.compile(r"(?<=/)[A-Za-z0-9_-]{20,}(?![A-Za-z0-9_.-])")
_HOOK: Final = re.compile(r"(hooks\.slack\.com/\w+/|/webhooks/|/bot(?=\d+:)).+")
_QUERY: Final = re.compile(r"([?&](?P<name>[A-Za-z0-9_.-]+)=)(?P<value>[^&]+)")
_SIGNED: Final = frozenset({"sig", "signature"})
# Commits, and what is named by its own hash.
_CODE_HOST: Final = re.compile(r"(?:raw\.githubusercontent\.com|(?:www\.|api\.)?github\.com|gitlab\.com)/")
_PUBLIC_SEGMENT: Final = re.compile(r"Qm[1-9A-Za-z]{44}|baf[a-z2-7]{50,}")
_WORD_OR_DATE: Final = re.compile(r"[a-z]{1,16}|[A-Z]{1,8}|v?\d+|\d{1,8}T\d{1,6}Z?")
_TOKEN: Final = re.compile(
    # Tokens that say what they are; JSON Web Tokens.
    r"(?<![A-Za-z0-9_+/=-])(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|xapp-|sk-|[sr]k_(?:live|test)_|whsec_|hvs\.|pul-|npm_|dop_v1_"
    r"|AKIA|ASIA|AIza|AGE-SECRET-KEY-1|glsa_|glc_|hf_|pypi-|dckr_pat_|tskey-|shpat_|SG\.|[xyz]prv)[A-Za-z0-9_+/=-]{12,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}"
)
_ALWAYS: Final = (
    # Hashes of passwords; the token of a Telegram bot.
    (re.compile(r"\$(?:2[abxy]|apr1|1|5|6|y|argon2[a-z]*|scrypt)\$[^\s\"':,]{8,}|\{SHA\}[A-Za-z0-9+/=]{20,}"), HIDDEN),
    (re.compile(r"(?<![A-Za-z0-9_-])\d{8,12}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"), HIDDEN),
    (re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"((?:^|\s)(?:-u|--user)[\s=]+)(?!\d+:\d+(?!\S))[^\s:]+:\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\bcurl\b[^|;&]{0,200}?\s-u)[^\s:]+:\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\b(?:sshpass\s+-p\s*|mysql\w*\b[^|;&]{0,200}?\s-p|redis-cli\b[^|;&]{0,200}?\s-a\s+))\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?<![\w/@.:-])([\w.+-]{1,64}:)[^\s@/:,\"']{4,100}@(?!sha\d)(?=[A-Za-z0-9])"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b0x[0-9a-fA-F]{64}\b"), HIDDEN),
)
# 32 or 64 bytes: what a key is, as hexadecimal digits or base64.
_BYTES: Final = re.compile(
    r"(?<![A-Za-z0-9+/=:-])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?![A-Za-z0-9+/=])"
    r"|(?<![A-Za-z0-9:/@._=-])[0-9a-fA-F]{64}(?![A-Za-z0-9]|\s+[*\w./-]+$)"
)
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{14,}={0,2}(?![A-Za-z0-9+/=_-])")
_ELEMENT: Final = re.compile(r"(<(?P<key>[\w:.-]{1,60})>)(?P<value>[^<>]{1,2000})(?=</(?P=key)>)")
# `password x` of .netrc, `requirepass x`, a header of nginx; a word of prose may stand there too.
_DIRECTIVE: Final = re.compile(
    r"(?P<before>(?P<start>^\s*)?\b(?:password|passwd|passphrase|requirepass|masterauth|X-[A-Za-z-]{0,40}(?:Key|Token|Secret|Auth))\s+)"
    r"(?P<value>\"[^\"]+\"|'[^']+'|[^\s\"';]+)(?P<rest>;|\s*$)?",
    re.IGNORECASE,
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
_NEXT: Final = re.compile(r"[,}\]]")
_NAME_KEYS, _VALUE_KEYS = frozenset({"name", "key", "header"}), frozenset({"value", "val"})
_SECTION: Final = re.compile(r"\s*\[{1,2}(?P<name>[\w.\"' -]{1,200})\]{1,2}\s*(?:#.*)?")
_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}
_PUBLIC: Final = re.compile(r"pub(?:lic)?[_ -]?key", re.IGNORECASE)


def safe_text(text: str) -> str:
    """A text without what reads like a secret in it.

    Hides credentials in URLs, values of `key=value`, `key: value` and `--key value` whose key smells of a secret with all that
    stands below it, private keys in PEM, mnemonics, tokens that say what they are. It hides too much rather than too little,
    but for the refusal of a config, which tells of fields that are called `keys` and `seed`, and holds no value of them.
    """
    if BARE_KEY.fullmatch(text.strip()):
        return HIDDEN
    head, *problems = text.split("\n  - ") if "the config is refused, " in text else (text,)
    if problems and _REFUSED.search(head):
        return "\n  - ".join([_safe_lines(head), *map(_of_field, problems)])
    return _safe_lines(text)


# As `ConfigError` of config/base.py has it.
_REFUSED: Final = re.compile(r"the config is refused, [0-9,]+ problems?:\Z")
_FIELD: Final = re.compile(r"[^\s.:=]{1,100}(?:\.[^\s.:=]{1,100})+")


def _of_field(problem: str) -> str:
    path, colon, message = problem.partition(": ")
    if not colon or _FIELD.fullmatch(path) is None:
        return _safe_lines(problem)
    return f"{without_tokens(path)}: {_safe_lines(message)}"


def _safe_lines(text: str) -> str:
    lines = _Lines()
    return "\n".join(map(lines.safe, _MNEMONIC.sub(_hidden_words, _PEM.sub(HIDDEN, text)).split("\n")))


def without_tokens(text: str) -> str:
    """A text without tokens that say what they are and credentials of URLs; any other name or word in it stays."""
    return _TOKEN.sub(HIDDEN, _URL.sub(_hidden_credentials, text) if "://" in text else text)


class _Lines:
    """Reads line by line, and knows which lines belong to a key above them."""

    def __init__(self) -> None:
        self._below = -1
        """The indentation of a key to which all that is indented deeper belongs."""
        self._listed = False
        """Whether a list as deep as the key belongs to it too."""
        self._until = ""
        """What ends a value of several lines."""
        self._in_section = False
        """Whether it is a section of secrets, as `[secrets]` in TOML."""
        self._named = False
        """Whether the value that comes next is called like a secret: `{name: PASSWORD, value: ...}`."""
        self._public = -1
        """The indentation of a key to which public keys belong."""

    def safe(self, line: str) -> str:
        """The next line."""
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if self._until:
            closes = bare.startswith(self._until) if self._until in _CLOSING.values() else self._until in bare
            self._until = "" if closes else self._until
            return f"{line[:indent]}{bare if closes and len(bare) < 3 else HIDDEN}"
        if self._below >= 0 and (
            not bare or indent > self._below or (self._listed and indent == self._below and bare[:2] in ("-", "- "))
        ):
            return f"{line[:indent]}{HIDDEN}" if bare else line
        self._below = -1
        self._public = self._public if indent > self._public >= 0 else indent if _PUBLIC.search(line) else -1
        section = _SECTION.fullmatch(line)
        if section:
            self._in_section = smells(section["name"])
        safe = _URL.sub(_hidden_credentials, _FLAG.sub(_hidden_flag, self._pairs(line, indent)))
        safe = _DIRECTIVE.sub(_hidden_directive, _ELEMENT.sub(_hidden_element, _TOKEN.sub(HIDDEN, safe)))
        for pattern, instead in _ALWAYS:
            safe = pattern.sub(instead, safe)
        if self._public < 0:
            safe = _BYTES.sub(_hidden_bytes, safe)
        return _BASE64.sub(_hidden_base64, safe)

    def _pairs(self, line: str, indent: int) -> str:
        """A line without the values of secret keys."""
        pieces, done, position = list[str](), 0, 0
        while found := _PAIR.search(line, position):
            start = position = found.end()
            key = found["key"]
            stop = start
            if self._is_secret(found):
                stop = _end_of_value(line, found)
                value = line[start:stop]
                if self._opens(found, value, is_closed=stop < len(line)):
                    self._below, self._listed = indent, not line.lstrip().startswith("- ")
                if is_harmless(value) or is_harmless(value.rstrip(",}])")):
                    stop = start
            elif (bare := _KEY_AHEAD.match(line, start)) and is_key_of_bytes(bare[0], key):
                stop = bare.end()
            if key.lower() in _NAME_KEYS:
                self._named = smells(line[start : _end_of_value(line, found)])
            elif key.lower() in _VALUE_KEYS:
                self._named = False
            if stop > start:
                pieces += [line[done:start], HIDDEN]
                done = position = stop
        return "".join([*pieces, line[done:]])

    def _is_secret(self, found: re.Match[str]) -> bool:
        key = found["key"]
        if (self._in_section and found["equals"] is not None) or (self._named and key.lower() in _VALUE_KEYS):
            return True
        # `token-bridge:1.0` is an image, but a key in quotes needs no blank behind its colon.
        return smells(key) and (found["tight"] is None or found["end"] is not None or _is_plain_secret(key))

    def _opens(self, found: re.Match[str], value: str, *, is_closed: bool) -> bool:
        """Whether what stands below belongs to a key, to be told by how deep it stands; or up to a sign, which is then known."""
        if found["equals"] is None:
            return found["open"] is None and _BELOW.fullmatch(value) is not None
        if found["open"] is not None:
            self._until = "" if is_closed else found["open"]
        else:
            self._until = _CLOSING.get(value.strip(), "")
        return False


def _end_of_value(line: str, found: re.Match[str]) -> int:
    quote, start = found["open"], found.end()
    if quote is not None:
        closing = re.compile(r"(?<!\\)" + re.escape(quote)).search(line, start)
    elif found["end"] is not None and found["equals"] is None:
        # JSON: a number ends at a comma; of an object or a list it is not known here where it ends.
        closing = None if line[start : start + 1] in ("{", "[") else _NEXT.search(line, start)
    else:
        # What stands behind a colon goes to the end of the line, as in YAML and in headers.
        closing = _BLANK.search(line, start) if found["equals"] is not None else None
    return closing.start() if closing else len(line)


def _hidden_directive(found: re.Match[str]) -> str:
    value = found["value"]
    is_word = not (value[0] in "\"'" or any(char.isdigit() for char in value))
    is_all = found["rest"] is not None and (found["start"] is not None or found["rest"] == ";")
    if (is_word and not is_all) or HIDDEN in value or is_harmless(value) or value[0] in "=:$":
        return found[0]
    return f"{found['before']}{HIDDEN}{found['rest'] or ''}"


def _hidden_element(found: re.Match[str]) -> str:
    return f"{found[1]}{HIDDEN}" if smells(found["key"]) and not is_harmless(found["value"]) else found[0]


def _hidden_bytes(found: re.Match[str]) -> str:
    """Bytes that stand alone; not those of which the line says that they are public."""
    before = found.string[max(0, found.start() - 80) : found.start()]
    return found[0] if _HASHES & set(_words(before)) else HIDDEN


def _hidden_base64(found: re.Match[str]) -> str:
    """What is a text with a secret in it, or `user:password`, in base64."""
    try:
        text = base64.b64decode(found[0], validate=True).decode("utf-8")
    except ValueError:
        return found[0]
    if not all(char.isprintable() or char in "\n\r\t" for char in text):
        return found[0]
    return HIDDEN if re.fullmatch(r"[^\s:]+:[^\s/]\S*", text) or safe_text(text) != text else found[0]


def _hidden_words(found: re.Match[str]) -> str:
    """A mnemonic has no words of prose in it, but prose may stand around it; a list without blanks may be of modules."""
    for part in _PROSE.split(found[0]):
        count = len(re.findall("[a-z]+", part))
        if count >= 12 if _BLANK.search(part) else count in (12, 15, 18, 21, 24):
            return HIDDEN
    return found[0]


def _hidden_credentials(found: re.Match[str]) -> str:
    """What stands behind the scheme of a URL, without user and password, and without the keys that providers put in a path."""
    url = found[0]
    last = url.rfind("@")
    if found.string[: found.start()].endswith("enode://"):
        # The user is a public key.
        last = -1
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
    return _QUERY.sub(_hidden_query, _SEGMENT.sub(_hidden_segment, _HOOK.sub(rf"\1{HIDDEN}", url)))


def _hidden_query(found: re.Match[str]) -> str:
    words = set(_words(found["name"]))
    is_long = len(found["value"]) >= 16 and not words & _HASHES
    return f"{found[1]}{HIDDEN}" if is_long or words & _SIGNED else found[0]


def _hidden_segment(found: re.Match[str]) -> str:
    text = found[0]
    is_mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    if not is_mixed or all(_WORD_OR_DATE.fullmatch(part) for part in re.split("[-_]", text) if part):
        return text
    is_public = _PUBLIC_SEGMENT.fullmatch(text) or (re.fullmatch("[0-9a-f]{40}", text) and _CODE_HOST.match(found.string))
    return text if is_public else HIDDEN


def _is_plain_secret(key: str) -> bool:
    """Whether a name can be nothing else; `token-bridge:1.0` is an image."""
    return _words(key)[-1:] in (["password"], ["passwd"], ["passphrase"], ["mnemonic"])


def _hidden_flag(found: re.Match[str]) -> str:
    value = found["value"]
    if value in ("=", ":", HIDDEN) or value.startswith(("=", ":")) or not smells(found["key"]) or is_harmless(value):
        return found[0]
    return found[0].removesuffix(value) + HIDDEN
