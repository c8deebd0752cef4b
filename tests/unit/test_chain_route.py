"""Ways from outside to a chain's RPC, API and gRPC: an Ingress or a Gateway API route for each."""

from typing import Any

import pytest

from nodestead.config.base import ConfigError, parse
from nodestead.config.chain_routes import Routes
from nodestead.config.p2p import ChainPorts
from nodestead.kubernetes.chain_route import chain_route_name, chain_routes
from nodestead.kubernetes.objects import Manifest

LABELS = {"app.kubernetes.io/instance": "hub"}
ALL: dict[str, Any] = {
    "rpc": {"hosts": ["rpc.example.org", "rpc.example.net"]},
    "api": {"hosts": ["api.example.org"]},
    "grpc": {"hosts": ["grpc.example.org"]},
    "controllerNamespace": "ingress",
}
INGRESS: dict[str, Any] = {"kind": "ingress", **ALL, "tls": {"clusterIssuer": "letsencrypt"}}
GATEWAY: dict[str, Any] = {
    "kind": "httpRoute",
    **ALL,
    "parents": [{"name": "gateway", "namespace": "gateways", "sectionName": "https"}],
}
NGINX = "nginx.ingress.kubernetes.io"
SKIP = {"pulumi.com/skipAwait": "true"}


def routes(given: dict[str, Any], **ports: int) -> dict[str, Manifest]:
    """Name to route of the set `hub`, whose Service is `hub-rpc`."""
    made = chain_routes("hub", "chains", LABELS, parse(Routes, given), "hub-rpc", ChainPorts(**ports))
    return {one["metadata"]["name"]: one for one in made}


def without(given: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A config that lacks some keys."""
    return {key: value for key, value in given.items() if key not in keys}


def refusals(given: dict[str, Any]) -> list[str]:
    """What is said of routes that are refused."""
    with pytest.raises(ConfigError) as caught:
        parse(Routes, given, ["routes"])
    return caught.value.problems


def test_names_can_be_computed() -> None:
    assert [chain_route_name("hub", protocol) for protocol in ("rpc", "api", "grpc")] == ["hub-rpc", "hub-api", "hub-grpc"]


def test_an_ingress_leads_all_paths_of_its_hosts_to_the_named_port_of_the_service() -> None:
    backend = {"service": {"name": "hub-rpc", "port": {"name": "rpc"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert routes({**INGRESS, "className": "nginx"})["hub-rpc"] == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "hub-rpc",
            "namespace": "chains",
            "labels": LABELS,
            "annotations": {**SKIP, "cert-manager.io/cluster-issuer": "letsencrypt"},
        },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {"host": "rpc.example.org", "http": {"paths": paths}},
                {"host": "rpc.example.net", "http": {"paths": paths}},
            ],
            "tls": [{"hosts": ["rpc.example.org", "rpc.example.net"], "secretName": "hub-rpc-tls"}],
        },
    }


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (INGRESS, {"hub-rpc": "Ingress", "hub-api": "Ingress", "hub-grpc": "Ingress"}),
        (without(INGRESS, "grpc"), {"hub-rpc": "Ingress", "hub-api": "Ingress"}),
        (GATEWAY, {"hub-rpc": "HTTPRoute", "hub-api": "HTTPRoute", "hub-grpc": "GRPCRoute"}),
        (without(GATEWAY, "rpc", "api"), {"hub-grpc": "GRPCRoute"}),
    ],
)
def test_each_protocol_that_is_asked_for_has_one(given: dict[str, Any], kinds: dict[str, str]) -> None:
    assert {name: one["kind"] for name, one in routes(given).items()} == kinds


def test_each_ingress_leads_to_the_port_of_its_protocol() -> None:
    made = routes(INGRESS)
    ports = [one["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] for one in made.values()]
    assert ports == [{"name": "rpc"}, {"name": "api"}, {"name": "grpc"}]


@pytest.mark.parametrize(
    ("protocol", "annotations"),
    [
        ("rpc", {"proxy-read-timeout": "3600", "proxy-send-timeout": "3600"}),
        ("api", {}),
        ("grpc", {"backend-protocol": "GRPC", "proxy-read-timeout": "3600", "proxy-send-timeout": "3600"}),
    ],
)
def test_ingress_nginx_is_told_who_speaks_grpc_and_keeps_quiet_streams_open(protocol: str, annotations: dict[str, str]) -> None:
    given = routes({**INGRESS, "controller": "ingressNginx"})[f"hub-{protocol}"]["metadata"]["annotations"]
    assert given == {
        **SKIP,
        "cert-manager.io/cluster-issuer": "letsencrypt",
        **{f"{NGINX}/{key}": value for key, value in annotations.items()},
    }


def test_other_controllers_get_no_annotation_of_nginx() -> None:
    assert [key for one in routes(INGRESS).values() for key in one["metadata"]["annotations"] if NGINX in key] == []


def test_annotations_of_the_user_have_the_last_word_over_those_of_an_ingress() -> None:
    mine = {f"{NGINX}/proxy-read-timeout": "60", "example.org/mine": "1"}
    made = routes({**INGRESS, "controller": "ingressNginx", "annotations": mine})
    for one in made.values():
        assert one["metadata"]["annotations"].items() >= mine.items()


@pytest.mark.parametrize(
    ("tls", "secrets"),
    [
        ({"clusterIssuer": "letsencrypt"}, ["hub-rpc-tls", "hub-api-tls", "hub-grpc-tls"]),
        ({"issuer": "own"}, ["hub-rpc-tls", "hub-api-tls", "hub-grpc-tls"]),
        ({"secret": "wildcard"}, ["wildcard", "wildcard", "wildcard"]),
    ],
)
def test_an_issuer_makes_a_certificate_for_each_ingress_and_a_given_one_serves_all(
    tls: dict[str, str], secrets: list[str]
) -> None:
    assert [one["spec"]["tls"][0]["secretName"] for one in routes({**INGRESS, "tls": tls}).values()] == secrets


def test_a_single_ingress_may_name_the_secret_that_the_issuer_writes() -> None:
    made = routes(without({**INGRESS, "tls": {"issuer": "own", "secret": "mine"}}, "api", "grpc"))["hub-rpc"]
    assert made["spec"]["tls"][0]["secretName"] == "mine"
    assert made["metadata"]["annotations"]["cert-manager.io/issuer"] == "own"


def test_clear_text_has_to_be_named() -> None:
    assert all("tls" not in one["spec"] for one in routes(without({**INGRESS, "tls": "none"}, "grpc")).values())


def test_a_route_attaches_to_its_gateways_and_takes_all_paths_or_methods() -> None:
    made = routes({**GATEWAY, "annotations": {"example.org/mine": "1"}}, grpc=9999)
    assert made["hub-grpc"] == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {
            "name": "hub-grpc",
            "namespace": "chains",
            "labels": LABELS,
            "annotations": {"example.org/mine": "1", **SKIP},
        },
        "spec": {
            "parentRefs": [{"name": "gateway", "namespace": "gateways", "sectionName": "https"}],
            "rules": [{"backendRefs": [{"name": "hub-rpc", "port": 9999}]}],
            "hostnames": ["grpc.example.org"],
        },
    }
    backends = {name: one["spec"]["rules"][0]["backendRefs"][0]["port"] for name, one in made.items()}
    assert backends == {"hub-rpc": 26657, "hub-api": 1317, "hub-grpc": 9999}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (without(INGRESS, "rpc", "api", "grpc"), "routes: leads nowhere; give hosts for rpc, api or grpc"),
        (without(INGRESS, "tls"), "routes.tls: is required for an Ingress; name a certificate, or write 'none'"),
        ({**INGRESS, "tls": "none"}, "routes.tls: gRPC through an Ingress needs TLS; name a certificate"),
        ({**INGRESS, "parents": [{"name": "gateway"}]}, "routes.parents: are of httpRoute; leave them out"),
        (without(GATEWAY, "parents"), "routes.parents: are required; name the Gateway"),
        ({**GATEWAY, "className": "nginx"}, "routes.className: is of ingress; the Gateway's listener has it; leave it out"),
        ({**GATEWAY, "tls": "none"}, "routes.tls: is of ingress; the Gateway's listener has it; leave it out"),
        (
            {**INGRESS, "tls": {"issuer": "own", "secret": "mine"}},
            (
                "routes.tls.secret: with an issuer it serves one Ingress, and rpc, api, grpc have one each;"
                " leave it out, and each gets its own"
            ),
        ),
        (
            {**GATEWAY, "api": {"hosts": ["api.example.org", "rpc.example.net"]}},
            "routes.api.hosts[1]: rpc.example.net is a host of rpc already; give each protocol its own",
        ),
        (
            {**INGRESS, "grpc": {"hosts": ["grpc.example.org", "grpc.example.org"]}},
            "routes.grpc.hosts[1]: grpc.example.org is a host of grpc already; give each protocol its own",
        ),
    ],
)
def test_a_route_that_would_not_work_is_refused(given: dict[str, Any], line: str) -> None:
    assert refusals(given) == [line]
