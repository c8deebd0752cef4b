"""The text of a manifest reads back as the manifest, whoever reads it."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from nodestead.config.scalars import SECURE
from nodestead.kubernetes.objects import Late, Seed
from nodestead.preview.yaml_text import plain, yaml_documents, yaml_text


class Awaited:
    """A value of another resource."""

    def apply(self, func: Any, /) -> Any:
        raise AssertionError("a rendering must not wait for a value")


# fmt: off
NASTY = st.sampled_from([
    "", " ", "no", "Yes", "~", "null", "1e3", "0x1", "0o7", "017", "1_000", "1:30", "2001-01-01", "=", "<<",
    ".inf", "-", "---", "...",
    ": ", "# ", "a: b", "a #b", "a:", "- a", "? a", "-a", "'", '"', "''", "\\",
    "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "{a}", "[a]",
    "\n", "\n\n", "a\n", "a\n\n", "\na", " a\nb", "a\n b", "a \nb ", "a\n \n", "a\n  ",
    "\ta\nb", "a\tb", "a\n\tb", "\t", "a\r\nb", "\r",
    "\x85", "a\x85b", "\u2028", "\u2029", "\ufeff", "\x00", "\x07", "\x7f",
    "\xa0", "é", "漢字", "😀", "\U0001f468\u200d\U0001f469", "\ue000",
    "--- a\n--- b", "a\n---\n", "a\n...\n", "#!/bin/sh\nset -e\n", "\n #\n", "%a\n", "a: b\nc: [\n",
])
# fmt: on
TEXT = NASTY | st.text(max_size=30) | st.lists(NASTY, max_size=3).map("".join)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20)


@given(JSON)
@example({"a": [[["|2\n"], {"b": [{"c": " x\n y\n\n"}]}], [], {}, [{}]]})
def test_text_reads_back_as_the_value(value: Any) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@given(JSON)
def test_libyaml_reads_the_same_as_python(value: Any) -> None:
    assert yaml.load(yaml_text(value), yaml.CSafeLoader) == value


@given(st.lists(st.dictionaries(TEXT, JSON, max_size=3), max_size=4))
def test_a_stream_has_one_document_for_each_manifest(manifests: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all("".join(yaml_documents(manifests)))) == manifests


def test_layout_is_that_of_kubectl() -> None:
    manifest = {
        "apiVersion": "v1",
        "metadata": {"name": "codex-1", "labels": {}},
        "spec": {
            "ports": [{"name": "api", "port": 8080}, {"name": "p2p", "protocol": "TCP"}],
            "args": ["--nat=any", "--log-level=INFO"],
            "empty": [],
            "nested": [["a", "b"], [{"c": None}]],
            "open": True,
            "ratio": 0.5,
        },
        "data": {"start.sh": "#!/bin/sh\n\nexec codex\n"},
    }
    assert yaml_text(manifest) == (
        "apiVersion: v1\n"
        "metadata:\n"
        "  name: codex-1\n"
        "  labels: {}\n"
        "spec:\n"
        "  ports:\n"
        "  - name: api\n"
        "    port: 8080\n"
        "  - name: p2p\n"
        "    protocol: TCP\n"
        "  args:\n"
        "  - --nat=any\n"
        "  - --log-level=INFO\n"
        "  empty: []\n"
        "  nested:\n"
        "  - - a\n"
        "    - b\n"
        "  - - c: null\n"
        "  open: true\n"
        "  ratio: 0.5\n"
        "data:\n"
        "  start.sh: |\n"
        "    #!/bin/sh\n"
        "\n"
        "    exec codex\n"
    )


# Go's yaml.v3, which kubectl and Pulumi use, reads some words and numbers that PyYAML takes for text.
@pytest.mark.parametrize(
    "text", ["1e3", "1E5", "+1e-3", "0o17", "0b1", "y", "N", "ON", "off", ".5", "1.", "0x_f", "2001-1-1", "NaN", "+_27"]
)
def test_what_any_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert yaml_text({"a": text}) == f"a: '{text}'\n"


@pytest.mark.parametrize(
    "text",
    [
        "20Gi",
        "250m",
        "10.0.0.1",
        "v0.2.5",
        "1.2.3",
        "/ip4/0.0.0.0/tcp/8070",
        "a b",
        "http://a.b:80/c#d",
        "$(POD_IP)",
        "a/b:0.2.5",
    ],
)
def test_ordinary_text_has_no_quotes(text: str) -> None:
    assert yaml_text({"a": text}) == f"a: {text}\n"


@pytest.mark.parametrize("text", ["storage.k8s.io/v1", "25%", "a, b", "é", "yes please", "=a", "~a", "-a", "--a=b"])
def test_punctuation_inside_of_a_text_needs_no_quotes(text: str) -> None:
    assert yaml_text({"a": text}) == f"a: {text}\n"


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("a\nb", "|-\n  a\n  b"),
        ("a\nb\n", "|\n  a\n  b"),
        ("a\n\n\n", "|+\n  a\n\n"),
        (" a\nb\n", "|2\n   a\n  b"),
        ("a\n\tb\n", "|\n  a\n  \tb"),
        ("a\rb\n", '"a\\rb\\n"'),
        ("\n", '"\\n"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("\ufeff", '"\\ufeff"'),
        ("a\xa0b", '"a\\xa0b"'),
        ("\U000e0001", '"\\U000e0001"'),
    ],
)
def test_several_lines_are_a_literal_block_where_it_reads_back(text: str, block: str) -> None:
    assert yaml_text({"a": text}) == f"a: {block}\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e16, "1.0e+16"),
        (1.5e-7, "1.5e-07"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
    ],
)
def test_floats_stay_floats(value: float, text: str) -> None:
    assert yaml_text(value) == f"{text}\n"


def test_equal_numbers_of_different_type_keep_their_type() -> None:
    assert yaml_text([1, True, 1.0, "1", 0, False]) == "- 1\n- true\n- 1.0\n- '1'\n- 0\n- false\n"


def test_a_late_leaf_shows_its_stand_in() -> None:
    late = Late((Seed("codex"),), lambda seed: f"16Uiu{seed}", "[peer id of codex-1]")
    assert yaml_text({"a": late, "b": [late], "c": Late((), dict, {"d": [late]})}) == (
        "a: '[peer id of codex-1]'\nb:\n- '[peer id of codex-1]'\nc:\n  d:\n  - '[peer id of codex-1]'\n"
    )


def test_secrets_and_values_of_other_resources_show_a_marker() -> None:
    assert yaml_text({"a": SECURE, "b": SecretStr("hunter2"), "c": Awaited(), "d": ({"e": SECURE},)}) == (
        "a: '[secure]'\nb: '[secret]'\nc: '[known when deployed]'\nd:\n- e: '[secure]'\n"
    )


def test_plain_data_is_what_the_text_says() -> None:
    value = {"a": (SECURE, 1), "b": {"c": Late((), str, ("x", 2))}, "d": SecretStr("hunter2"), "e": Awaited()}
    assert plain(value) == yaml.safe_load(yaml_text(value))


@pytest.mark.parametrize("value", [{"a": object()}, {1: "a"}, [b"a"], {"a": {1, 2}}])
def test_what_json_does_not_know_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        yaml_text(value)
