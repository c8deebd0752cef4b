"""Keys that are made from a seed, whatever they are for."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, SecretStr

from nodestead.config.base import Model, Problem
from nodestead.config.scalars import SecretText

__all__ = ["FromSeed"]


class FromSeed(Model):
    """Keys made from a set's seed."""

    kind: Literal["seed"] = "seed"
    generation: int = Field(default=1, ge=1, description="Raise it to rotate all keys; the old Secrets stay.")
    seed: SecretText | None = Field(
        default=None,
        description="64 hexadecimal digits, to restore a seed from its backup; by default one is made and kept in the state.",
    )

    def problems(self) -> Iterator[Problem]:
        """A seed that is none would be told by the cluster, one Secret after the other."""
        if isinstance(self.seed, SecretStr) and not re.fullmatch(r"[0-9a-fA-F]{64}", self.seed.get_secret_value()):
            yield Problem(["seed"], "the value is not 64 hexadecimal digits; give the seed as it was backed up")
