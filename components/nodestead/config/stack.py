"""The parts of a stack's config that belong to no single set: namespace and cluster."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.scalars import DnsLabel, Labels

__all__ = ["Cluster", "Namespace"]


class Namespace(Model):
    """The namespace of a stack's sets."""

    name: DnsLabel
    create: bool = Field(default=True, description="Make it, or adopt it; it is never deleted. False: it is there.")
    pod_security: Literal["restricted", "baseline", "privileged"] = Field(
        default="restricted", description="What Pod Security enforces; ports of hosts need privileged."
    )
    labels: Labels = Field(default_factory=dict)


class Cluster(Model):
    """Where a stack goes: to a cluster, or to a folder of manifests."""

    render: str | None = Field(
        default=None, min_length=1, description="Folder for manifests, without data of Secrets; nothing goes to a cluster."
    )
    kubeconfig: str | None = Field(
        default=None, min_length=1, description="Path of the kubeconfig; by default KUBECONFIG or ~/.kube/config."
    )
    context: str | None = Field(
        default=None, min_length=1, description="Context of the kubeconfig; name it, the current one changes."
    )

    def problems(self) -> Iterator[Problem]:
        """One goal, and a named one."""
        if self.render is None and self.kubeconfig is None and self.context is None:
            yield Problem(["context"], "name the context, the current one changes; or set render to a folder for manifests")
        if self.render is not None and (self.kubeconfig is not None or self.context is not None):
            yield Problem(["render"], "goes with neither kubeconfig nor context; manifests go to a folder, or to a cluster")
