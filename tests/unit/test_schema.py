"""Editors take what stacks take: the schema of stack files is made from the config, and the checked-in one is current."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from nodestead.preview.schema import stack_schema, stack_schema_text

STACKS = Path(__file__).parents[2] / "stacks"
VALIDATOR = Draft202012Validator(stack_schema())
GROUP = {"codex": {"software": {"kind": "codex", "version": "0.2.5"}}}


def refusals(config: dict[str, Any], **rest: Any) -> list[list[Any]]:
    return [list(error.absolute_path) for error in VALIDATOR.iter_errors({"config": config, **rest})]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(stack_schema())


def test_the_checked_in_schema_is_current() -> None:
    assert (STACKS / "nodestead.schema.json").read_text(encoding="utf-8") == stack_schema_text(), (
        "run `nodestead schema --out stacks/nodestead.schema.json`"
    )


@pytest.mark.parametrize("path", sorted(STACKS.glob("Pulumi.*.yaml")), ids=lambda path: path.stem)
def test_the_stacks_of_the_repository_pass(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(content)] == []


def test_keys_of_others_and_of_the_engine_pass() -> None:
    config = {
        "nodestead:cluster": {"context": "a"},
        "nodestead:namespace": {"name": "a"},
        "kubernetes:context": "b",
        "pulumi:autonaming": {"mode": "verbatim"},
    }
    assert refusals(config, encryptionsalt="v1:abc", secretsprovider="passphrase") == []


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"nodestead:cluster": {"context": "a"}, "nodestead:namespace": {"name": "a"}, "nodestead:namespaces": {}}, ["config"]),
        ({"nodestead:cluster": {"context": "a"}, "nodestead:namespace": {"name": "a"}, "namespace": {}}, ["config"]),
        ({"nodestead:cluster": {"context": "a"}}, ["config"]),
        ({"nodestead:namespace": {"name": "a"}}, ["config"]),
        (
            {"nodestead:cluster": {"context": "a"}, "nodestead:namespace": {"name": "A"}},
            ["config", "nodestead:namespace", "name"],
        ),
        (
            {"nodestead:cluster": {"context": "a"}, "nodestead:namespace": {"name": "a", "pod_security": "baseline"}},
            ["config", "nodestead:namespace"],
        ),
        (
            {
                "nodestead:cluster": {"context": "a"},
                "nodestead:namespace": {"name": "a"},
                "nodestead:storageNodeGroups": {"codex": {**GROUP["codex"], "replica": 1}},
            },
            ["config", "nodestead:storageNodeGroups", "codex"],
        ),
    ],
)
def test_what_the_config_refuses_the_schema_refuses(config: dict[str, Any], path: list[Any]) -> None:
    assert refusals(config) == [path]


def test_keys_are_those_of_yaml() -> None:
    group = stack_schema()["$defs"]["StorageNodeGroupArgs"]["properties"]
    assert "firstOrdinal" in group
    assert "first_ordinal" not in group


def test_a_default_section_shows_only_what_it_says() -> None:
    assert stack_schema()["$defs"]["CosmosChain"]["properties"]["config"]["default"]["consensus"] == {}
    assert stack_schema()["$defs"]["BlockchainNodeSetArgs"]["properties"]["network"]["default"] == {"kind": "public"}
