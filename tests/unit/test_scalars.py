"""Scalars take what Kubernetes and the nodes take, and say of everything else what would be right."""

from typing import Annotated, Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from nodestead.config.scalars import (
    SECURE,
    Annotations,
    Cidr,
    DnsLabel,
    DnsName,
    Duration,
    EnvName,
    EthAddress,
    HostName,
    IpAddress,
    Labels,
    LateClass,
    LateEnvText,
    LateIpAddress,
    LateLabel,
    LateName,
    LateText,
    NumberedKeys,
    Percentage,
    Port,
    PortName,
    Quantity,
    SecretText,
    Size,
    Spr,
    Url,
    duration_seconds,
)

SPR = f"spr:{'CiUIAhIhA1AgkYFhXbIPGqFA' * 3}"


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no config may ask for a value of another resource")


TAKEN: list[tuple[Any, list[Any]]] = [
    (DnsLabel, ["a", "0", "a-b", "a" * 63]),
    (DnsName, ["a", "a.b-c.0", ".".join(["a" * 63] * 3)]),
    (HostName, ["api.example.org", "localhost", "1.2.3"]),
    (LateName, ["a.b"]),
    (LateLabel, ["a-b"]),
    (LateClass, ["internal", "service.k8s.aws/nlb", "Mine_1"]),
    (Labels, [{}, {"a": ""}, {"example.org/Tier_1": "B-2_c.3"}, {"a" * 63: "b" * 63}]),
    (Annotations, [{"example.org/note": "any text: at all\n"}]),
    (EnvName, ["A", "_a1"]),
    (LateEnvText, ["", " a ", "a\nb"]),
    (LateText, ["a", "a b"]),
    (PortName, ["a", "a-1", "1a", "a" * 15]),
    (Quantity, ["0", "1", "1.5Gi", "250m", "1E", "3Ki", "1e3", "+1", ".5", "5.", "9n"]),
    (Size, ["1", "1Ki", "0.5Gi"]),
    (Duration, ["1s", "90s", "1h30m", "2w1d", "1d"]),
    (Cidr, ["10.0.0.0/8", "192.0.2.7/32", "192.0.2.7/24", "2001:db8::/32"]),
    (IpAddress, ["203.0.113.7", "10.0.0.1", "2001:db8::7"]),
    (LateIpAddress, ["203.0.113.7"]),
    (Url, ["https://a.example.org", "wss://a:8546/x?y=z", "http://[2001:db8::7]:80"]),
    (EthAddress, ["0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c"]),
    (Spr, [SPR, f"{SPR}=", f"{SPR}=="]),
    (Port, [1, 65535]),
    (Percentage, [1, 500, "1%", "99%", "100%"]),
]


@pytest.mark.parametrize(("scalar", "value"), [(scalar, value) for scalar, values in TAKEN for value in values])
def test_what_is_right_is_taken_as_it_is(scalar: Any, value: Any) -> None:
    assert TypeAdapter(scalar).validate_python(value) == value


REFUSED: list[tuple[Any, list[Any], str]] = [
    (DnsLabel, ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "a\n"], "a name has 1 to 63 lower-case letters, digits and hyphens"),
    (DnsName, ["", ".a", "a..b", "a.", "A.b", "a b", "*.a", "a" * 64], "a name has lower-case letters, digits, hyphens and dots"),
    (DnsName, [".".join(["a" * 63] * 4)], "the value has 255 characters; write at most 253"),
    (HostName, ["203.0.113.7"], "'203.0.113.7' is an address, and routes go by host names; write it as api.example.org"),
    (HostName, ["https://a"], "a name has lower-case letters"),
    (LateName, ["a/b", "A"], "a name has lower-case letters"),
    (LateLabel, ["a.b", "A"], "a name has 1 to 63 lower-case letters"),
    (LateClass, ["a/b/c", "-a", "A.b/c", "a b"], "write at most 63 letters, digits, hyphens, underscores and dots"),
    (Labels, [{"a b": "c"}, {"": "c"}, {"a" * 64: "c"}, {"/a": "c"}], "write at most 63 letters"),
    (Labels, [{"a": "b c"}, {"a": "-b"}, {"a": "b" * 64}, {"a": "b/c"}], "a label has at most 63 letters"),
    (Annotations, [{"a b": "c"}], "write at most 63 letters"),
    (EnvName, ["", "1A", "A-B", "A B", "A="], "a variable has letters, digits and underscores, and starts with no digit"),
    (LateText, ["", " a", "a "], "write a text that is not empty, without spaces around it"),
    (PortName, ["", "1", "a--b", "-a", "a-", "A", "a" * 16], "a port's name has at most 15 lower-case letters"),
    (
        Quantity,
        ["", "-1", "1 Gi", "1gi", "1GB", "Gi", "1e", "1e3Gi", ".", "٢Gi"],
        "is not a Kubernetes quantity; write a number and a unit",
    ),
    (Size, ["0", "0Gi", "100m", "0.4"], "holds nothing; write a size, as in 20Gi or 500M"),
    (Size, ["20GB"], "is not a Kubernetes quantity"),
    (Duration, ["", "1", "s", "1.5h", "1m1h", "-1s", "1 h", "٢s"], "is not a duration; write whole numbers with w, d, h, m or s"),
    (Duration, ["0s", "0w0d"], "is no time at all; write at least 1s"),
    (Cidr, ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "a/8"], "is not a CIDR; write it as 192.0.2.0/24"),
    (
        IpAddress,
        ["", "a.example.org", "203.0.113", "203.0.113.7/32", " 203.0.113.7"],
        "is not an IP address; write that of one host, as in 203.0.113.7",
    ),
    (IpAddress, ["0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "fe80::1%eth0"], "is no address that peers can dial"),
    (LateIpAddress, ["extip:203.0.113.7"], "is not an IP address"),
    (
        Url,
        ["", "a.example.org", "ftp://a", "https://", "https://a b", "https://a:x", "http://a:0", "http://[::1"],
        "is not a URL",
    ),
    (EthAddress, ["", "9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c", "0x9A11", "0x" + "g" * 40], "an Ethereum address is 0x and 40"),
    (Spr, ["", "spr:", "enr:" + "a" * 70, "spr:a b" + "a" * 70, SPR + "==="], "an SPR is spr: and its base64url text"),
    (Port, [0, -1, 65536], "is not a port; write a number from 1 to 65535"),
    (Percentage, [0, -1], "at least one node at a time must roll, write 1 or more"),
    (Percentage, ["0%", "101%", "25", "2.5%", "٢%", ""], "write a percentage from 1% to 100%, or a count without quotes"),
    (Percentage, [True, 1.5, None], "write a count (2) or a percentage ('25%')"),
    (SecretText, [""], "the value is empty; give the secret or leave the key out"),
    (SecretText, [5, None, ["a"]], "write a text, or secure: as `pulumi config set --secret` does"),
]


@pytest.mark.parametrize(
    ("scalar", "value", "rule"), [(scalar, value, rule) for scalar, values, rule in REFUSED for value in values]
)
def test_what_is_wrong_is_refused_with_the_rule(scalar: Any, value: Any, rule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(scalar).validate_python(value)
    assert rule in caught.value.errors()[0]["msg"]


STRICT = [DnsLabel, DnsName, HostName, LateName, Quantity, Size, Duration, IpAddress, Url, EthAddress, Spr, EnvName, LateEnvText]


@pytest.mark.parametrize("scalar", STRICT)
@pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"], {"a": "b"}])
def test_yaml_that_is_no_text_is_refused_where_a_text_belongs(scalar: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(scalar).validate_python(value)


@pytest.mark.parametrize("scalar", [LateName, LateLabel, LateClass, LateEnvText, LateText, LateIpAddress, Url, SecretText])
def test_a_value_of_another_resource_is_handed_on(scalar: Any) -> None:
    later = Later()
    assert TypeAdapter(scalar).validate_python(later) is later


@pytest.mark.parametrize("scalar", [DnsLabel, DnsName, IpAddress, Quantity, Duration, Port, Percentage, Spr, EthAddress])
def test_what_decides_which_objects_there_are_may_not_be_known_later(scalar: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(scalar).validate_python(Later())


def test_a_secret_does_not_show_itself() -> None:
    secret = TypeAdapter(SecretText).validate_python("hunter2")
    assert isinstance(secret, SecretStr)
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{secret!r}{secret}"


def test_a_secret_that_nobody_may_decrypt_is_taken() -> None:
    assert TypeAdapter(SecretText).validate_python(SECURE) is SECURE


@pytest.mark.parametrize(
    ("given", "keys"),
    [({1: "a"}, ["1"]), ({"1": "a", 2: "b"}, ["1", "2"]), ({"bootstrap-1": "a"}, ["bootstrap-1"])],
)
def test_numbers_of_nodes_may_be_written_without_quotes(given: dict[Any, str], keys: list[str]) -> None:
    assert list(TypeAdapter(Annotated[dict[str, str], NumberedKeys]).validate_python(given)) == keys


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("1s", 1), ("10m", 600), ("1h30m", 5400), ("1d", 86_400), ("1w", 604_800), ("1w1d1h1m1s", 694_861), ("0s", 0)],
)
def test_a_duration_is_so_many_seconds(duration: str, seconds: int) -> None:
    assert duration_seconds(duration) == seconds


@pytest.mark.parametrize("scalar", [Quantity, Duration, DnsLabel, IpAddress, EthAddress, Spr, Url, LateName])
def test_a_refused_value_that_reads_like_a_key_is_not_repeated(scalar: Any) -> None:
    key = "4C0883A69102937D6231471B5DBB6204FE5129617082792AE468D01A3F362318"
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(scalar).validate_python(key)
    assert key not in caught.value.errors()[0]["msg"]
