"""How the API of the nodes is reached from outside, and who may."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem, many
from nodestead.config.pod import Image
from nodestead.config.scalars import Annotations, DnsLabel, HostName, LateLabel, LateName

__all__ = ["PROXY_IMAGE", "ApiAccess", "Auth", "GeneratedPassword", "GivenPassword", "HttpRoute", "Ingress", "NoAuth", "Tls"]

_PATH = r"^/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?$"


class Tls(Model):
    """The certificate of an Ingress: of cert-manager, or a Secret that is there."""

    cluster_issuer: LateName | None = Field(default=None, description="cert-manager ClusterIssuer that makes the certificate.")
    issuer: LateName | None = Field(default=None, description="cert-manager Issuer of the namespace that makes the certificate.")
    secret: LateName | None = Field(
        default=None, description="Secret with the certificate; cert-manager writes it where an issuer is given."
    )

    def problems(self) -> Iterator[Problem]:
        """Something must give the certificate."""
        if self.cluster_issuer is not None and self.issuer is not None:
            yield Problem(["issuer"], "a certificate has one issuer; give clusterIssuer or issuer")
        if self.cluster_issuer is None and self.issuer is None and self.secret is None:
            yield Problem([], "nothing gives the certificate; name clusterIssuer, issuer or secret")


class GivenPassword(Model):
    """A Secret of yours with users and bcrypt hashes, as `htpasswd -nB` prints them."""

    kind: Literal["secret"]
    secret: LateName = Field(description="Name of the Secret.")
    key: str = Field(
        default="auth", pattern=r"^[-._a-zA-Z0-9]{1,253}$", description="Its entry; ingress-nginx reads the one called auth."
    )
    by: Literal["ingress", "proxy"] | None = Field(default=None, description="Who asks for the password; see generated.")


class GeneratedPassword(Model):
    """A generated password, kept in the stack's encrypted state; an output gives it."""

    kind: Literal["generated"] = "generated"
    user: str = Field(default="nodestead", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    by: Literal["ingress", "proxy"] | None = Field(
        default=None,
        description="Who asks for the password: the ingress controller by annotations (ingress-nginx only), or a proxy"
        " beside each node, which any route can use. By default the proxy, and ingress-nginx for its own routes.",
    )


class NoAuth(Model):
    """No password: whoever reaches the route controls the node."""

    kind: Literal["none"]


Auth = Annotated[GivenPassword | GeneratedPassword | NoAuth, Field(discriminator="kind")]


class _Route(Model):
    path: str = Field(default="/", pattern=_PATH, description="Prefix of the paths of all nodes.")
    node_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._~-]{1,63}$",
        description="What the path calls a node before its number; by default the set's name.",
    )
    prettify: bool = Field(default=True, description="/codex-1 instead of /codex-1-1.")
    leading_zeros: int = Field(default=0, ge=0, le=6, description="Digits that the node's number is padded to.")
    controller_namespace: DnsLabel | None = Field(
        default=None,
        description="Namespace of the controller's pods, which may reach the port; else ingress-nginx for its own routes,"
        " and any pod where a proxy asks for the password.",
    )


class Ingress(_Route):
    """An Ingress with one path for each node."""

    kind: Literal["ingress"]
    hosts: tuple[HostName, ...] = Field(strict=False, min_length=1)
    name: LateName | None = Field(default=None, description="Name of the Ingress; by default that of the set.")
    class_name: LateName | None = None
    controller: Literal["ingressNginx", "other"] = Field(
        default="other",
        description="ingressNginx rewrites paths and asks for passwords by annotations; else a proxy beside each node does.",
    )
    tls: Tls | Literal["none"] = Field(description="The certificate, or 'none': passwords then travel in clear.")
    annotations: Annotations = Field(default_factory=dict)


class GatewayRef(Model):
    """A Gateway, or one listener of it."""

    name: LateName
    namespace: LateLabel | None = None
    section_name: LateName | None = None


class HttpRoute(_Route):
    """A Gateway API HTTPRoute for each node; TLS is the business of the Gateway's listener."""

    kind: Literal["httpRoute"]
    hosts: tuple[HostName, ...] = many(max_length=16)
    parents: tuple[GatewayRef, ...] = Field(
        strict=False, min_length=1, max_length=32, description="Gateways that the routes attach to."
    )
    annotations: Annotations = Field(default_factory=dict)

    def problems(self) -> Iterator[Problem]:
        """A Gateway that is named twice is named by two of its listeners."""
        for index, parent in enumerate(self.parents):
            before = [other for other in self.parents[:index] if (other.name, other.namespace) == (parent.name, parent.namespace)]
            sections = {other.section_name for other in before}
            if before and (parent.section_name is None or None in sections or parent.section_name in sections):
                yield Problem(["parents", index], "names a Gateway again; name another listener of it with sectionName each time")


PROXY_IMAGE = Image(repository="docker.io/nginxinc/nginx-unprivileged", tag="1.29.3-alpine")


class ApiAccess(Model):
    """The way to the API from outside the cluster."""

    route: Annotated[Ingress | HttpRoute, Field(discriminator="kind")]
    auth: Auth = GeneratedPassword()
    realm: str = Field(
        default="nodestead", pattern=r'^[^"\\\n$]{1,100}$', description="What a browser shows when it asks for the password."
    )
    proxy_image: Image = Field(PROXY_IMAGE, description="Image of the proxy that checks passwords beside each node.")
    proxy_port: int = Field(default=8081, ge=1024, le=65535, description="Port of that proxy.")

    def problems(self) -> Iterator[Problem]:
        """Annotations ask for a password only where the controller has basic auth."""
        if isinstance(self.auth, NoAuth):
            if isinstance(self.route, HttpRoute) and self.route.controller_namespace is None:
                yield Problem(
                    ["route", "controllerNamespace"],
                    "is required without a password: else every pod of the cluster reaches the API; name the Gateway's namespace",
                )
            return
        if self.auth.by == "ingress" and not (isinstance(self.route, Ingress) and self.route.controller == "ingressNginx"):
            yield Problem(["auth", "by"], "ingress is refused; only ingress-nginx asks for passwords by annotations; use proxy")
        if isinstance(self.auth, GivenPassword) and self.auth.key != "auth" and not self.proxied:
            yield Problem(
                ["auth", "key"], f"{self.auth.key!r} is refused; ingress-nginx reads the entry auth; rename it or use by: proxy"
            )

    @property
    def proxied(self) -> bool:
        """Whether a proxy beside each node checks passwords (and strips the node's path)."""
        if isinstance(self.auth, NoAuth):
            return isinstance(self.route, Ingress) and self.route.controller == "other"
        by_ingress = isinstance(self.route, Ingress) and self.route.controller == "ingressNginx"
        return self.auth.by == "proxy" or (self.auth.by is None and not by_ingress)
