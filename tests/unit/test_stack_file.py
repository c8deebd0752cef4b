"""A stack file is read as the engine reads it, nothing is decrypted, and what is wrong is said in one line."""

from pathlib import Path
from typing import Any

import pytest

from nodestead.config.scalars import SECURE
from nodestead.preview.stack_file import StackFileError, read_stack, stack_names

PROJECT = "name: nodestead\nruntime: python\nstackConfigDir: stacks\n"


def project(root: Path, text: str = PROJECT, **stacks: str) -> Path:
    (root / "Pulumi.yaml").write_text(text, encoding="utf-8")
    (root / "stacks").mkdir()
    for name, content in stacks.items():
        (root / "stacks" / f"Pulumi.{name}.yaml").write_text(content, encoding="utf-8")
    return root


def config_of(root: Path, text: str) -> dict[str, Any]:
    (root / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    return read_stack("dev", root).config


def test_stack_config_dir_of_the_project_is_where_stacks_are_read(tmp_path: Path) -> None:
    root = project(tmp_path, dev="config:\n  nodestead:namespace:\n    name: codex\n")
    stack = read_stack("dev", root)
    assert (stack.name, stack.path, stack.config) == (
        "dev",
        root / "stacks" / "Pulumi.dev.yaml",
        {"namespace": {"name": "codex"}},
    )


def test_a_folder_below_the_project_finds_the_project(tmp_path: Path) -> None:
    root = project(tmp_path, dev="config: {nodestead:a: 1}\n")
    assert read_stack("dev", root / "stacks").config == {"a": 1}


def test_a_folder_without_a_project_holds_the_stacks_itself(tmp_path: Path) -> None:
    assert config_of(tmp_path, "config:\n  nodestead:a: 1\n") == {"a": 1}


def test_the_deprecated_config_text_of_a_project_is_its_stack_folder(tmp_path: Path) -> None:
    root = project(tmp_path, "name: nodestead\nruntime: python\nconfig: stacks\n", dev="config: {nodestead:a: 1}\n")
    assert read_stack("dev", root).config == {"a": 1}


def test_a_qualified_name_means_the_same_file(tmp_path: Path) -> None:
    root = project(tmp_path, dev="config: {nodestead:a: 1}\n")
    assert read_stack("acme/nodestead/dev", root).name == "dev"


def test_stacks_are_listed_sorted(tmp_path: Path) -> None:
    root = project(tmp_path, prod="", dev="", **{"eu.west-1": ""})
    assert stack_names(root) == ["dev", "eu.west-1", "prod"]


def test_keys_of_other_namespaces_are_left_alone(tmp_path: Path) -> None:
    text = "config:\n  kubernetes:context: a\n  nodesteads:b: 1\n  nodestead:c: 2\n  pulumi:autonaming: {mode: x}\n"
    assert config_of(tmp_path, text) == {"c": 2}


@pytest.mark.parametrize("text", ["", "config:\n", "encryptionsalt: v1:abc\n", "# nothing\n"])
def test_a_stack_without_config_is_empty(tmp_path: Path, text: str) -> None:
    assert config_of(tmp_path, text) == {}


def test_a_key_without_namespace_belongs_to_the_project(tmp_path: Path) -> None:
    assert config_of(tmp_path, "config: {a: 1}\n") == {"a": 1}


def test_secure_values_at_any_depth_are_placeholders(tmp_path: Path) -> None:
    text = (
        "config:\n"
        "  nodestead:password:\n    secure: v1:abc\n"
        "  nodestead:groups:\n    codex:\n    - token: {secure: v1:def}\n      name: a\n"
        "  nodestead:plain: {secure: v1:x, other: 1}\n"
        "  nodestead:odd: {secure: [a]}\n"
    )
    assert config_of(tmp_path, text) == {
        "password": SECURE,
        "groups": {"codex": [{"token": SECURE, "name": "a"}]},
        "plain": {"secure": "v1:x", "other": 1},
        "odd": {"secure": ["a"]},
    }


def test_an_object_given_as_json_text_is_read(tmp_path: Path) -> None:
    assert config_of(tmp_path, """config: {nodestead:a: '{"b": [1]}', nodestead:c: '[oops', nodestead:d: text}\n""") == {
        "a": {"b": [1]},
        "c": "[oops",
        "d": "text",
    }


def test_defaults_of_the_project_are_replaced_key_by_key(tmp_path: Path) -> None:
    text = PROJECT + (
        "config:\n"
        "  namespace: {value: {name: a, create: true}}\n"
        "  nodestead:cluster: {type: object, default: {render: out}}\n"
        "  nodestead:number: 3\n"
        "  required: {type: string}\n"
        "  kubernetes:context: b\n"
    )
    root = project(tmp_path, text, dev="config:\n  nodestead:namespace: {name: b}\n")
    assert read_stack("dev", root).config == {"namespace": {"name": "b"}, "cluster": {"render": "out"}, "number": 3}


# The engine reads YAML with Go's yaml.v3; PyYAML's own rules would give other values.
@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("017", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("-7", -7),
        ("1.5", 1.5),
        ("089", 89.0),
        ("0", 0),
        (".5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("1.2.3", "1.2.3"),
        ("20Gi", "20Gi"),
        ("0xg", "0xg"),
    ],
)
def test_scalars_are_read_as_the_engine_reads_them(tmp_path: Path, yaml: str, value: Any) -> None:
    got = config_of(tmp_path, f"config:\n  nodestead:a: {{b: {yaml}}}\n")
    assert got == {"a": {"b": value}}
    assert type(got["a"]["b"]) is type(value)


def test_anchors_and_merged_keys_are_read(tmp_path: Path) -> None:
    text = "x: &x {a: 1, b: 2}\nconfig:\n  nodestead:c:\n    <<: *x\n    b: 3\n"
    assert config_of(tmp_path, text) == {"c": {"a": 1, "b": 3}}


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"\xef\xbb\xbfconfig: {nodestead:a: 1}\n")
    assert read_stack("dev", tmp_path).config == {"a": 1}


def test_an_unknown_stack_names_the_known_ones(tmp_path: Path) -> None:
    root = project(tmp_path, prod="", staging="")
    with pytest.raises(StackFileError) as refusal:
        read_stack("dev", root)
    assert str(refusal.value) == f"{root}/stacks/Pulumi.dev.yaml: no such stack; the stacks there are prod, staging"


def test_an_unknown_stack_with_a_name_like_a_known_one_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match=r"no such stack; did you mean staging\? the stacks there are prod, staging$"):
        read_stack("stagin", project(tmp_path, prod="", staging=""))


def test_a_folder_without_stacks_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match=r"no such stack; no stack is there$"):
        read_stack("dev", tmp_path)


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match=r"nowhere: no such folder; give the project's with --dir$"):
        read_stack("dev", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "a b", "..%2f", "a/", "dev\n"])
def test_what_is_no_name_of_a_stack_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackFileError, match="is not the name of a stack"):
        read_stack(name, tmp_path)


def test_a_name_reaches_no_file_outside_of_the_stack_folder(tmp_path: Path) -> None:
    root = project(tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match="no such stack"):
        read_stack("../dev", root)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"config: [\n", ":2:1: is not YAML: did not find expected node content"),
        (
            b"config:\n  nodestead:a: 1\n  nodestead:a: 2\n",
            ":3:3: is not YAML: the key nodestead:a stands here twice; remove one",
        ),
        (b"config:\n  nodestead:a:\n    b: {c: 1, c: 1}\n", ":3:15: is not YAML: the key c stands here twice; remove one"),
        (b"config: {nodestead:a: {1: 2}}\n", ":1:24: is not YAML: a key 1 is no text; write it in quotes"),
        (b"config: {nodestead:a: {[b]: 2}}\n", ":1:24: is not YAML: a key is no text; write it in quotes"),
        (b"config: *nowhere\n", ":1:9: is not YAML: found undefined alias"),
        (b"config: !!python/object:os.system {}\n", ":1:9: is not YAML: could not determine a constructor for the tag"),
        (b"- a\n", ": is no mapping; write config: and the keys below it"),
        (b"text\n", ": is no mapping; write config: and the keys below it"),
        (b"config: text\n", ": config is no mapping; write keys such as nodestead:namespace below it"),
        (b"config: []\n", ": config is no mapping; write keys such as nodestead:namespace below it"),
        (b"config: {}\n---\nconfig: {}\n", ":2:1: is not YAML: but found another document"),
        (b"config: \xff\n", ": is no UTF-8 text at byte 8; save it as UTF-8"),
        (b"config: \x07\n", ": is not YAML: "),
        (b"config: " + b"[" * 100_000, ":1:108: is not YAML: nested deeper than 100 levels"),
        (b"config: {nodestead:a: &a [*a]}\n", ":1:27: is not YAML: a reference to itself"),
        (b"config: {nodestead:a: !!int x}\n", ": is not YAML: "),
        (b"config: {nodestead:a: !!timestamp x}\n", ": is not YAML: "),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes(content)
    with pytest.raises(StackFileError) as refusal:
        read_stack("dev", tmp_path)
    assert str(refusal.value).startswith(f"{path}{words}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("config: 1\n", "config is no mapping"), ("stackConfigDir: [a]\n", "stackConfigDir is no text"), ("- a\n", "is no mapping")],
)
def test_a_project_that_cannot_be_read_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StackFileError, match=f"Pulumi.yaml: {words}"):
        read_stack("dev", project(tmp_path, text))
