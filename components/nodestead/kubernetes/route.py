"""Ways from outside to the APIs of a set's nodes: Ingress, HTTPRoutes, and the proxy that asks for a password."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodestead.config.api_access import PROXY_IMAGE, ApiAccess, GatewayRef, GivenPassword, HttpRoute, Ingress, NoAuth, Tls
from nodestead.config.base import Deferred
from nodestead.config.scalars import duration_seconds
from nodestead.kubernetes.metadata import SKIP_AWAIT, manifest
from nodestead.kubernetes.objects import Late, Manifest, PasswordHash
from nodestead.kubernetes.pod import CONTAINER_SECURITY, image_reference

__all__ = [
    "GATEWAY",
    "INGRESS",
    "NGINX",
    "PROXY_PORT_NAME",
    "RoutedNode",
    "auth_secret",
    "gateway_route_spec",
    "http_route",
    "ingress",
    "ingress_path",
    "ingress_spec",
    "proxy_config",
    "proxy_container",
    "proxy_volumes",
    "regular",
    "route_path",
    "tls_annotations",
]

GATEWAY = "gateway.networking.k8s.io/v1"
"""API version of HTTPRoute, and of GRPCRoute since Gateway API 1.1."""
INGRESS = "networking.k8s.io/v1"
NGINX = "nginx.ingress.kubernetes.io"
"""Prefix of the annotations that ingress-nginx reads."""
PROXY_PORT_NAME = "api-auth"
_PROXY_FOLDER = "/etc/nodestead/proxy"
_AUTH_FOLDER = "/etc/nodestead/auth"


@dataclass(frozen=True, slots=True)
class RoutedNode:
    """A node that a route leads to."""

    path: str
    service: str
    port: str


def route_path(route: Ingress | HttpRoute, set_name: str, ordinal: int, pod_ordinal: int, *, prettified: bool) -> str:
    """The path of a node: `/storage/node-01-1`; `/codex` for an only node without a number, as the chart documents it."""
    base = route.path.rstrip("/")
    called = route.node_name or set_name
    if prettified:
        return f"{base}/{called}"
    number = str(ordinal).zfill(route.leading_zeros)
    return f"{base}/{called}-{number}" if route.prettify else f"{base}/{called}-{number}-{pod_ordinal}"


def ingress(
    set_name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    access: ApiAccess,
    route: Ingress,
    nodes: Sequence[RoutedNode],
    auth: str | Deferred | None,
) -> Manifest:
    """One Ingress for all nodes.

    Args:
        set_name: Name of the set.
        namespace: Namespace of the set.
        labels: Labels of the object.
        access: The way to the API.
        route: The route of `access`.
        nodes: Where each path leads.
        auth: Name of the Secret with users and hashes; None where none is asked for.
    """
    rewrites = route.controller == "ingressNginx" and not access.proxied
    annotations = {**SKIP_AWAIT, **tls_annotations(route.tls)}
    if route.controller == "ingressNginx":
        annotations |= {f"{NGINX}/proxy-body-size": "0"}
    if rewrites:
        annotations |= {
            f"{NGINX}/use-regex": "true",
            f"{NGINX}/rewrite-target": "/$2",
        }
    extra: dict[str, Any] = {}
    if rewrites and auth is not None:
        extra = {
            f"{NGINX}/auth-type": "basic",
            f"{NGINX}/auth-secret": auth,
            f"{NGINX}/auth-realm": access.realm,
        }
    paths = [
        # Regular expressions are refused under Prefix by current controllers (kubernetes/ingress-nginx#10200).
        ingress_path(f"{regular(node.path)}(/|$)(.*)", "ImplementationSpecific", node.service, node.port)
        if rewrites
        else ingress_path(node.path, "Prefix", node.service, node.port)
        for node in nodes
    ]
    spec = ingress_spec(route.hosts, paths, route.class_name, route.tls, f"{set_name}-tls")
    name = route.name if route.name is not None else set_name
    return manifest("Ingress", INGRESS, name, namespace, labels, {**annotations, **extra, **route.annotations}, spec=spec)


def ingress_spec(
    hosts: Sequence[str],
    paths: Sequence[Mapping[str, Any]],
    class_name: str | Deferred | None,
    tls: Tls | str | None,
    certificate: str,
) -> dict[str, Any]:
    """What an Ingress does: the same paths on all hosts.

    Args:
        hosts: Its host names.
        paths: Paths with their backends.
        class_name: Its class; None for the cluster's default.
        tls: Where its certificate comes from; a text for none.
        certificate: Secret of the certificate, unless `tls` names one.
    """
    spec: dict[str, Any] = {"rules": [{"host": host, "http": {"paths": list(paths)}} for host in hosts]}
    if class_name is not None:
        spec = {"ingressClassName": class_name, **spec}
    if isinstance(tls, Tls):
        spec["tls"] = [{"hosts": list(hosts), "secretName": tls.secret or certificate}]
    return spec


def ingress_path(path: str, path_type: str, service: str, port: str) -> dict[str, Any]:
    """A path of an Ingress, and the named port of the Service that it leads to."""
    return {"path": path, "pathType": path_type, "backend": {"service": {"name": service, "port": {"name": port}}}}


def regular(path: str) -> str:
    """A path as a regular expression; of the characters that a path may have only the dot means more."""
    return path.replace(".", r"\.")


def tls_annotations(tls: Tls | str | None) -> dict[str, Any]:
    """Asks cert-manager for an Ingress's certificate, where an issuer is named."""
    if not isinstance(tls, Tls):
        return {}
    if tls.cluster_issuer is not None:
        return {"cert-manager.io/cluster-issuer": tls.cluster_issuer}
    return {"cert-manager.io/issuer": tls.issuer} if tls.issuer is not None else {}


def http_route(
    name: str,
    namespace: str | Deferred,
    labels: Mapping[str, str],
    route: HttpRoute,
    node: RoutedNode,
    port: int,
    *,
    rewrite: bool,
) -> Manifest:
    """The HTTPRoute of one node: a route has at most 16 rules, so the nodes do not share one."""
    rule: dict[str, Any] = {"matches": [{"path": {"type": "PathPrefix", "value": node.path}}]}
    if rewrite:
        rule["filters"] = [
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
        ]
    rule["backendRefs"] = [{"name": node.service, "port": port}]
    spec = gateway_route_spec(route.parents, route.hosts, rule)
    return manifest("HTTPRoute", GATEWAY, name, namespace, labels, {**route.annotations, **SKIP_AWAIT}, spec=spec)


def gateway_route_spec(parents: Sequence[GatewayRef], hosts: Sequence[str], rule: Mapping[str, Any]) -> dict[str, Any]:
    """What an HTTPRoute or GRPCRoute with one rule does; without hosts it takes those of its Gateways."""
    references = [
        {
            "name": parent.name,
            **({"namespace": parent.namespace} if parent.namespace is not None else {}),
            **({"sectionName": parent.section_name} if parent.section_name is not None else {}),
        }
        for parent in parents
    ]
    spec: dict[str, Any] = {"parentRefs": references, "rules": [dict(rule)]}
    if hosts:
        spec["hostnames"] = list(hosts)
    return spec


def auth_secret(name: str, namespace: str | Deferred, labels: Mapping[str, str], set_name: str, user: str) -> Manifest:
    """The Secret with a generated password's hash, as ingress-nginx and nginx read it; a second update leaves it as it is."""
    hashed = Late.of(PasswordHash(set_name), lambda text: f"{user}:{text}\n", f"{user}:(hash of the generated password)")
    return manifest("Secret", "v1", name, namespace, labels, type="Opaque", stringData={"auth": hashed})


def proxy_config(access: ApiAccess, node_paths: str, api_port: int) -> str:
    """The proxy's nginx.conf: it asks for the password, strips the node's path and passes everything on, unbuffered.

    Args:
        access: The way to the API.
        node_paths: Regular expression of the paths of nodes.
        api_port: Port of the node's API in the same pod.
    """
    auth = access.auth
    key = auth.key if isinstance(auth, GivenPassword) else "auth"
    ask = (
        "" if isinstance(auth, NoAuth) else f'    auth_basic "{access.realm}";\n    auth_basic_user_file {_AUTH_FOLDER}/{key};\n'
    )
    hour = duration_seconds("1h")
    return f"""pid /tmp/nginx.pid;
error_log stderr warn;
events {{
  worker_connections 1024;
}}
http {{
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {{
    listen {access.proxy_port};
{ask}    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_http_version 1.1;
    proxy_read_timeout {hour}s;
    proxy_send_timeout {hour}s;
    # The node has no use for the password.
    proxy_set_header Authorization "";
    rewrite ^{node_paths}$ / break;
    rewrite ^{node_paths}(/.*)$ $1 break;
    location / {{
      proxy_pass http://127.0.0.1:{api_port};
    }}
  }}
}}
"""


def proxy_container(access: ApiAccess) -> dict[str, Any]:
    """The proxy beside a node; it needs no shell and no entrypoint script of its image."""
    port = {"name": PROXY_PORT_NAME, "containerPort": access.proxy_port, "protocol": "TCP"}
    mounts = [
        {"name": "proxy-config", "mountPath": _PROXY_FOLDER, "readOnly": True},
        {"name": "proxy-tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
    ]
    if not isinstance(access.auth, NoAuth):
        mounts.append({"name": "proxy-auth", "mountPath": _AUTH_FOLDER, "readOnly": True})
    return {
        "name": "api-proxy",
        "image": image_reference(access.proxy_image.over(PROXY_IMAGE), ("", None)),
        "imagePullPolicy": access.proxy_image.pull_policy,
        "command": ["nginx", "-c", f"{_PROXY_FOLDER}/nginx.conf", "-g", "daemon off;"],
        "ports": [port],
        "readinessProbe": {"tcpSocket": {"port": PROXY_PORT_NAME}, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }


def proxy_volumes(access: ApiAccess, config_map: str, auth: str | Deferred | None) -> list[dict[str, Any]]:
    """The volumes that the proxy mounts."""
    volumes: list[dict[str, Any]] = [
        {"name": "proxy-config", "configMap": {"name": config_map}},
        {"name": "proxy-tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if not isinstance(access.auth, NoAuth):
        volumes.append({"name": "proxy-auth", "secret": {"secretName": auth, "defaultMode": 0o440}})
    return volumes
