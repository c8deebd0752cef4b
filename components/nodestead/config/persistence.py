"""Where a node keeps its data."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.fragments import Fragment
from nodestead.config.scalars import Annotations, LateName, Size

__all__ = ["EphemeralData", "ExistingClaim", "Persistence", "VolumeData"]

AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]


class VolumeData(Model):
    """A claim of its own for each node. It is never deleted with the stack; `nodestead data` lists what is left."""

    kind: Literal["volume"] = "volume"
    size: Size = Field(default="20Gi", description="Size of each volume; it can grow in place, and never shrinks.")
    storage_class: LateName | Literal[""] | None = Field(
        default=None, description="Storage class; left out, the cluster's default; '' for no class at all."
    )
    access_modes: tuple[AccessMode, ...] = Field(default=("ReadWriteOnce",), strict=False, min_length=1)
    annotations: Annotations = Field(default_factory=dict)
    selector: Annotated[dict[str, Any], Fragment("LabelSelector")] | None = Field(
        default=None, description="Selects volumes that are there."
    )
    from_snapshot: LateName | None = Field(
        default=None,
        description="VolumeSnapshot that the only node's new volume is made from; for several see `nodes`.",
    )

    def problems(self) -> Iterator[Problem]:
        """What the API server would refuse of a claim."""
        if "ReadWriteOncePod" in self.access_modes and len(set(self.access_modes)) > 1:
            yield Problem(["accessModes"], "ReadWriteOncePod goes with no other mode; leave the others out")


class ExistingClaim(Model):
    """A claim that somebody else made; one node only, or one for each under `nodes`."""

    kind: Literal["existingClaim"]
    claim: LateName
    size: Size | None = Field(
        default=None, description="Its size, which the quota follows; required unless software.quota is given."
    )


class EphemeralData(Model):
    """Data that is lost with the pod."""

    kind: Literal["ephemeral"]
    size: Size = Field(default="20Gi", description="Limit of the emptyDir; past it the pod is evicted.")


Persistence = Annotated[VolumeData | ExistingClaim | EphemeralData, Field(discriminator="kind")]
