"""The JSON schema of a stack file, from which editors complete and check while one writes."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from nodestead.config.base import Model
from nodestead.plans.stack import StackConfig

__all__ = ["stack_schema", "stack_schema_text"]


class _Schema(GenerateJsonSchema):
    """Leaves out titles that only repeat the key: `Storagenodegroups` for storageNodeGroups."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 # as in pydantic
        return False

    def encode_default(self, dft: object) -> Any:
        """Leaves out what a default section leaves open: a screen of nulls for one."""
        return super().encode_default(
            dft.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(dft, Model) else dft
        )


def stack_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a whole `Pulumi.<stack>.yaml`: keys `nodestead:...` below `config`."""
    config = StackConfig.model_json_schema(by_alias=True, schema_generator=_Schema)
    definitions = config.pop("$defs", {})
    properties = {f"nodestead:{key}": value for key, value in config.pop("properties").items()}
    required = [f"nodestead:{key}" for key in config.pop("required", [])]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of Nodestead",
        "type": "object",
        "properties": {
            "config": {
                "description": config.get("description", ""),
                "type": "object",
                "properties": properties,
                # Keys of providers and of the engine; a misspelled key of ours is refused.
                "patternProperties": {"^(?!nodestead:)[^:]+:.+$": {}},
                "additionalProperties": False,
                **({"required": required} if required else {}),
            }
        },
        # The engine's own keys: encryptionsalt, secretsprovider ...
        "additionalProperties": True,
        "$defs": definitions,
    }


def stack_schema_text() -> str:
    """The schema as the file that is checked in."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"
