"""Ways from outside to what a chain's nodes serve: which host names lead to RPC, API and gRPC."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from nodestead.config.api_access import GatewayRef, Tls
from nodestead.config.base import Model, Problem, many
from nodestead.config.scalars import Annotations, DnsLabel, HostName, LateName

__all__ = ["RouteHosts", "Routes"]


class RouteHosts(Model):
    """Host names of a protocol."""

    hosts: tuple[HostName, ...] = Field(strict=False, min_length=1, max_length=16)


class Routes(Model):
    """Ways from outside to RPC, API and gRPC, over the nodes that are ready: an Ingress or a Gateway API route for each."""

    kind: Literal["ingress", "httpRoute"]
    rpc: RouteHosts | None = None
    api: RouteHosts | None = None
    grpc: RouteHosts | None = None
    class_name: LateName | None = Field(default=None, description="Class of the Ingresses.")
    controller: Literal["ingressNginx", "other"] = Field(
        default="other",
        description="ingressNginx is told by annotations which backend speaks gRPC, and to keep quiet websockets of RPC open.",
    )
    tls: Tls | Literal["none"] | None = Field(
        default=None,
        description="Certificate of the Ingresses, or 'none'. An issuer makes one for each, in the Secret <Ingress>-tls.",
    )
    parents: tuple[GatewayRef, ...] = many(max_length=32, description="Gateways that the routes attach to.")
    controller_namespace: DnsLabel = Field(description="Namespace of the controller's pods, which the NetworkPolicy lets in.")
    annotations: Annotations = Field(default_factory=dict)

    def asked(self) -> dict[str, tuple[str, ...]]:
        """Protocol to its host names, for those that are asked for."""
        found = {"rpc": self.rpc, "api": self.api, "grpc": self.grpc}
        return {protocol: given.hosts for protocol, given in found.items() if given is not None}

    def problems(self) -> Iterator[Problem]:
        """What each kind of route needs."""
        if not self.asked():
            yield Problem([], "leads nowhere; give hosts for rpc, api or grpc")
        yield from _host_problems(self.asked())
        if self.kind == "ingress":
            if self.tls is None:
                yield Problem(["tls"], "is required for an Ingress; name a certificate, or write 'none'")
            if self.parents:
                yield Problem(["parents"], "are of httpRoute; leave them out")
            if self.grpc is not None and self.tls == "none":
                yield Problem(["tls"], "gRPC through an Ingress needs TLS; name a certificate")
            yield from _certificate_problems(self.tls, list(self.asked()))
            return
        if not self.parents:
            yield Problem(["parents"], "are required; name the Gateway")
        for field in ("class_name", "tls"):
            if getattr(self, field) is not None:
                camel = "className" if field == "class_name" else field
                yield Problem([camel], "is of ingress; the Gateway's listener has it; leave it out")


def _host_problems(asked: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Every route takes all paths of its hosts, so that two on one host would be one too many."""
    owners: dict[str, str] = {}
    for protocol, hosts in asked.items():
        for index, host in enumerate(hosts):
            owner = owners.setdefault(host, protocol)
            if owner != protocol or host in hosts[:index]:
                yield Problem([protocol, "hosts", index], f"{host} is a host of {owner} already; give each protocol its own")


def _certificate_problems(tls: Tls | str | None, asked: Sequence[str]) -> Iterator[Problem]:
    """cert-manager writes a Secret for the Ingress that it made the certificate for, and for no other one."""
    if not isinstance(tls, Tls) or tls.secret is None or (tls.cluster_issuer is None and tls.issuer is None):
        return
    if len(asked) > 1:
        yield Problem(
            ["tls", "secret"],
            f"with an issuer it serves one Ingress, and {', '.join(asked)} have one each; leave it out, and each gets its own",
        )
