"""Scalar types with their rules: what a value must look like, in words that say what to do."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from nodestead.config.base import Deferred, looks_secret
from nodestead.config.quantity import QUANTITY, quantity_bytes

__all__ = [
    "SECURE",
    "Annotations",
    "Cidr",
    "DnsLabel",
    "DnsName",
    "Duration",
    "EntryTemplate",
    "EnvName",
    "EthAddress",
    "HostName",
    "IpAddress",
    "Labels",
    "LateClass",
    "LateDialAddress",
    "LateEnvText",
    "LateIpAddress",
    "LateLabel",
    "LateName",
    "LateNameTemplate",
    "LateText",
    "NodeId",
    "NumberedKeys",
    "Peer",
    "Percentage",
    "Port",
    "PortName",
    "Quantity",
    "SecretText",
    "SecurePlaceholder",
    "Size",
    "Spr",
    "Url",
    "duration_seconds",
    "is_url",
]


class SecurePlaceholder:
    """What stands for a `secure:` value of a stack file where nothing may decrypt it (render, diff)."""

    def __repr__(self) -> str:
        """The text that a rendered object shows."""
        return "[secure]"


SECURE = SecurePlaceholder()


class _Rule:
    """A text with a rule; `late` also takes a value of another resource, which is checked when it is known."""

    def __init__(self, check: Callable[[str], str], *, late: bool = False, schema: dict[str, Any] | None = None) -> None:
        self.check = check
        self.late = late
        self.schema = schema or {}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        checked = core_schema.no_info_after_validator_function(self.check, core_schema.str_schema(strict=True))
        if not self.late:
            return checked
        return core_schema.no_info_wrap_validator_function(_pass_deferred, checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", **self.schema}


def _pass_deferred(value: Any, handler: Callable[[Any], Any]) -> Any:
    return value if isinstance(value, Deferred) else handler(value)


def _shown(value: str) -> str:
    return "the value" if looks_secret(value) or len(value) > 80 else repr(value)


def _pattern(pattern: str, rule: str, most: int | None = None, *, places: str = "") -> Callable[[str], str]:
    """A check against an expression; `places` finds placeholders, which stand for numbers."""
    compiled, placeholders = re.compile(pattern), re.compile(places or "(?!)")

    def check(value: str) -> str:
        if not compiled.fullmatch(placeholders.sub("0", value)):
            raise ValueError(f"{_shown(value)} is refused; {rule}")
        if most is not None and len(value) > most:
            raise ValueError(f"the value has {len(value)} characters; write at most {most}")
        return value

    return check


def _quantity(value: str) -> str:
    quantity_bytes(value)
    return value


def _size(value: str) -> str:
    if quantity_bytes(value) < 1:
        raise ValueError(f"{value!r} holds nothing; write a size, as in 20Gi or 500M")
    return value


_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in "wdhms"))
_SECONDS = (604_800, 86_400, 3_600, 60, 1)


def duration_seconds(duration: str) -> int:
    """Seconds of a duration such as 90s, 10m or 1h30m (units w, d, h, m, s); ValueError where it is none."""
    match = _DURATION.fullmatch(duration)
    if match is None or not duration:
        raise ValueError(f"{_shown(duration)} is not a duration; write whole numbers with w, d, h, m or s, as in 90s or 1h30m")
    return sum(int(part) * factor for part, factor in zip(match.groups(), _SECONDS, strict=True) if part)


def _duration(value: str) -> str:
    if duration_seconds(value) < 1:
        raise ValueError(f"{value!r} is no time at all; write at least 1s")
    return value


def _ip(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(
            f"{_shown(value)} is not an IP address; write that of one host, as in 203.0.113.7; a host name cannot stand here"
        ) from None
    if address.is_unspecified or address.is_loopback or address.is_multicast or "%" in value:
        raise ValueError(f"{value!r} is no address that peers can dial; write that of one host, as in 203.0.113.7")
    return value


def _cidr(value: str) -> str:
    try:
        ipaddress.ip_network(value if re.search(r"/\d+$", value) else "", strict=False)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not a CIDR; write it as 192.0.2.0/24, a single address with /32") from None
    return value


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def is_url(value: str) -> bool:
    """Whether a text is a URL of a service: http, https, ws or wss, with a host."""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return sound and not re.search(r"\s", value)


def _url(value: str) -> str:
    # A URL may carry a token in any part, so it is never repeated.
    if not is_url(value):
        raise ValueError("the value is not a URL; write it with scheme and host, as in https://rpc.example.org/path")
    return value


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LABEL_RULE = "a name has 1 to 63 lower-case letters, digits and hyphens, and starts and ends with a letter or digit"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_NAME_RULE = "a name has lower-case letters, digits, hyphens and dots, and starts and ends with a letter or digit"


def _host(value: str) -> str:
    if _is_ip(value, 4):
        raise ValueError(f"{value!r} is an address, and routes go by host names; write it as api.example.org")
    return _pattern(_NAME, _NAME_RULE, 253)(value)


def _dial_address(value: str) -> str:
    if re.fullmatch(r"[0-9.]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*", value):
        return _ip(value)
    return _pattern(_NAME, "write an IP address or a DNS name, without a port", 253)(value)


def _peer(value: str) -> str:
    match = re.fullmatch(r"([0-9a-f]{40})@(\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})", value)
    if match is None or not 0 < int(match[3]) < 65536 or (match[2][0] == "[" and not _is_ip(match[2][1:-1], 6)):
        raise ValueError(
            f"{_shown(value)} is not a peer; write the node id (40 lower-case hexadecimal digits), @, host and port, as in"
            " 17e5d0b6f2a8c94e3b1d7f60a5c4e8923b6d1f0a@203.0.113.7:26656"
        )
    return value


DnsLabel = Annotated[str, _Rule(_pattern(_LABEL, _LABEL_RULE), schema={"pattern": f"^{_LABEL}$"})]
DnsName = Annotated[str, _Rule(_pattern(_NAME, _NAME_RULE, 253), schema={"pattern": f"^{_NAME}$", "maxLength": 253})]
HostName = Annotated[str, _Rule(_host, schema={"pattern": f"^{_NAME}$", "maxLength": 253})]
LateLabel = Annotated[str | Deferred, _Rule(_pattern(_LABEL, _LABEL_RULE), late=True)]
LateName = Annotated[str | Deferred, _Rule(_pattern(_NAME, _NAME_RULE, 253), late=True)]
_PLACES = "<(?:replica|pod)>"
LateNameTemplate = Annotated[
    str | Deferred, _Rule(_pattern(_NAME, f"{_NAME_RULE}; <replica> and <pod> stand for numbers", 253, places=_PLACES), late=True)
]
EntryTemplate = Annotated[
    str,
    _Rule(_pattern(r"[-._a-zA-Z0-9]{1,253}", "an entry has letters, digits and -._ beside <replica> and <pod>", places=_PLACES)),
]
# What apimachinery calls a qualified name: keys of labels and annotations, classes of load balancers.
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:{_NAME}/)?{_PART}"
_KEY_RULE = "write at most 63 letters, digits, hyphens, underscores and dots, with a DNS name and a slash before them if need be"
LateClass = Annotated[str | Deferred, _Rule(_pattern(_KEY, _KEY_RULE), late=True)]
_LabelKey = Annotated[str, _Rule(_pattern(_KEY, _KEY_RULE))]
_LabelValue = Annotated[
    str,
    _Rule(_pattern(rf"(?:{_PART})?", "a label has at most 63 letters, digits, hyphens, underscores and dots, or is empty")),
]
Labels = dict[_LabelKey, _LabelValue]
Annotations = dict[_LabelKey, str]
EnvName = Annotated[
    str,
    _Rule(_pattern(r"[A-Za-z_][A-Za-z0-9_]*", "a variable has letters, digits and underscores, and starts with no digit")),
]
# validation.IsValidPortName of apimachinery.
_PORT_NAME = r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?"
PortName = Annotated[
    str,
    _Rule(
        _pattern(_PORT_NAME, "a port's name has at most 15 lower-case letters, digits and single hyphens, one letter at least"),
        schema={"pattern": f"^{_PORT_NAME}$"},
    ),
]
LateEnvText = Annotated[str | Deferred, _Rule(str, late=True)]
LateText = Annotated[
    str | Deferred, _Rule(_pattern(r"\S(?:.*\S)?", "write a text that is not empty, without spaces around it"), late=True)
]
Quantity = Annotated[str, _Rule(_quantity, schema={"pattern": f"^{QUANTITY}$"})]
Size = Annotated[str, _Rule(_size, schema={"pattern": f"^{QUANTITY}$"})]
Duration = Annotated[str, _Rule(_duration, schema={"pattern": f"^{_DURATION.pattern}$"})]
Cidr = Annotated[str, _Rule(_cidr)]
IpAddress = Annotated[str, _Rule(_ip)]
LateIpAddress = Annotated[str | Deferred, _Rule(_ip, late=True)]
Url = Annotated[str | Deferred, _Rule(_url, late=True, schema={"format": "uri"})]
LateDialAddress = Annotated[str | Deferred, _Rule(_dial_address, late=True)]
NodeId = Annotated[
    str,
    _Rule(
        _pattern(r"[0-9a-f]{40}", "a node id has 40 lower-case hexadecimal digits, as `show-node-id` prints it"),
        schema={"pattern": "^[0-9a-f]{40}$"},
    ),
]
Peer = Annotated[str, _Rule(_peer)]
EthAddress = Annotated[
    str, _Rule(_pattern(r"0x[0-9a-fA-F]{40}", "an Ethereum address is 0x and 40 hexadecimal digits; write it in quotes"))
]
# A signed peer record: base64url of a protobuf whose first field is the public key (libp2p RFC 0003).
Spr = Annotated[
    str, _Rule(_pattern(r"spr:[A-Za-z0-9_-]{60,}={0,2}", "an SPR is spr: and its base64url text, as GET /spr gives it"))
]


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port; write a number from 1 to 65535")
    return value


class _IntRule(_Rule):
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_port, core_schema.int_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": 65535}


Port = Annotated[int, _IntRule(str)]


def _percentage(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("the value has the wrong type; write a count (2) or a percentage ('25%')")
    if isinstance(value, str) and not re.fullmatch(r"(?:[1-9][0-9]?|100)%", value):
        raise ValueError(f"{_shown(value)} is refused; write a percentage from 1% to 100%, or a count without quotes")
    if isinstance(value, int) and value < 1:
        raise ValueError(f"{value} is refused; at least one node at a time must roll, write 1 or more")
    return value


class _PercentageRule(_Rule):
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_percentage)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}]}


Percentage = Annotated[int | str, _PercentageRule(str)]


def _secret(value: Any) -> Any:
    if isinstance(value, SecretStr | SecurePlaceholder | Deferred):
        return value
    if not isinstance(value, str):
        raise ValueError("the value has the wrong type; write a text, or secure: as `pulumi config set --secret` does")
    if not value:
        raise ValueError("the value is empty; give the secret or leave the key out")
    return SecretStr(value)


class _SecretRule(_Rule):
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_secret)


def _text_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    # YAML reads a node's number as an integer key, JSON as a text.
    return {str(k) if isinstance(k, int) and not isinstance(k, bool) else k: v for k, v in cast("dict[Any, Any]", value).items()}


NumberedKeys = BeforeValidator(_text_keys)

SecretText = Annotated[
    SecretStr | SecurePlaceholder | Deferred,
    _SecretRule(str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"secure": {"type": "string"}},
                    "required": ["secure"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
