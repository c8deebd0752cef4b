"""The way to the API from outside: paths, passwords, certificates."""

from typing import Any

import groups
import pytest

ANY: dict[str, Any] = {"kind": "ingress", "hosts": ["api.example.org"], "tls": {"clusterIssuer": "letsencrypt"}}
INGRESS: dict[str, Any] = {**ANY, "controller": "ingressNginx"}
ROUTE: dict[str, Any] = {"kind": "httpRoute", "parents": [{"name": "gateway", "namespace": "gateways", "sectionName": "https"}]}
NGINX = "nginx.ingress.kubernetes.io"


def routed(route: dict[str, Any], replicas: int = 2, auth: dict[str, Any] | None = None, **given: Any) -> Any:
    api = {"route": route, **({} if auth is None else {"auth": auth})}
    return groups.plan(replicas=replicas, api=api, **given)


def paths(plan: Any, name: str = "codex") -> list[tuple[str, str, str, str]]:
    (rule,) = groups.find(plan, "Ingress", name)["spec"]["rules"]
    return [
        (p["path"], p["pathType"], p["backend"]["service"]["name"], p["backend"]["service"]["port"]["name"])
        for p in rule["http"]["paths"]
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["/codex-1", "/codex-2"]),
        ({"path": "/storage"}, ["/storage/codex-1", "/storage/codex-2"]),
        ({"path": "/storage", "nodeName": "node"}, ["/storage/node-1", "/storage/node-2"]),
        (
            {"path": "/padded", "nodeName": "node", "leadingZeros": 2, "prettify": False},
            ["/padded/node-01-1", "/padded/node-02-1"],
        ),
    ],
)
def test_paths_are_those_of_the_charts_table(given: dict[str, Any], expected: list[str]) -> None:
    assert routed({**INGRESS, **given}).outputs["apiPaths"] == expected


def test_an_only_prettified_node_has_no_number_in_its_path() -> None:
    assert routed(INGRESS, replicas=1, prettify=True).outputs["apiPaths"] == ["/codex"]


def test_regular_expressions_are_implementation_specific_as_current_controllers_demand() -> None:
    assert paths(routed({**INGRESS, "path": "/v1.0"})) == [
        (r"/v1\.0/codex-1(/|$)(.*)", "ImplementationSpecific", "codex-1-service", "api"),
        (r"/v1\.0/codex-2(/|$)(.*)", "ImplementationSpecific", "codex-2-service", "api"),
    ]


def test_ingress_nginx_asks_for_the_generated_password_itself() -> None:
    annotations = groups.find(routed(INGRESS), "Ingress", "codex")["metadata"]["annotations"]
    assert annotations[f"{NGINX}/auth-type"] == "basic"
    assert annotations[f"{NGINX}/auth-secret"] == "codex-api-auth"
    assert annotations[f"{NGINX}/rewrite-target"] == "/$2"
    assert annotations[f"{NGINX}/use-regex"] == "true"
    assert annotations["pulumi.com/skipAwait"] == "true"


def test_the_secret_of_a_generated_password_holds_user_and_hash_only() -> None:
    plan = routed(INGRESS, auth={"kind": "generated", "user": "operator"})
    assert plan.needs_password
    entry = groups.find(plan, "Secret", "codex-api-auth")["stringData"]["auth"]
    assert entry.make("$2a$10$hash") == "operator:$2a$10$hash\n"


def test_a_given_secret_is_named_and_none_is_made() -> None:
    plan = routed(INGRESS, auth={"kind": "secret", "secret": "mine"})
    assert groups.find(plan, "Ingress", "codex")["metadata"]["annotations"][f"{NGINX}/auth-secret"] == "mine"
    assert (plan.needs_password, groups.names(plan, "Secret")) == (False, [])


def test_nobody_asks_only_where_that_was_named() -> None:
    plan = routed(INGRESS, auth={"kind": "none"})
    annotations = groups.find(plan, "Ingress", "codex")["metadata"]["annotations"]
    assert [key for key in annotations if "auth" in key] == []


@pytest.mark.parametrize(
    ("route", "auth"),
    [
        (ANY, None),
        (INGRESS, {"kind": "generated", "by": "proxy"}),
        (ROUTE, None),
        (ROUTE, {"kind": "secret", "secret": "mine", "key": "users"}),
    ],
)
def test_a_proxy_beside_each_node_asks_where_the_controller_cannot(route: dict[str, Any], auth: dict[str, Any] | None) -> None:
    plan = routed(route, auth=auth)
    proxy = groups.container(plan, "codex-2", "api-proxy")
    assert [port["name"] for port in proxy["ports"]] == ["api-auth"]
    service = groups.find(plan, "Service", "codex-2-service")["spec"]
    assert ("api-auth", 8081, "api-auth") in [(p["name"], p["port"], p["targetPort"]) for p in service["ports"]]


def test_behind_a_proxy_paths_need_no_regular_expression() -> None:
    plan = routed(ANY)
    assert paths(plan) == [
        ("/codex-1", "Prefix", "codex-1-service", "api-auth"),
        ("/codex-2", "Prefix", "codex-2-service", "api-auth"),
    ]


def test_the_proxy_strips_the_path_of_any_node_and_asks_against_the_given_entry() -> None:
    plan = routed({**ROUTE, "path": "/storage", "nodeName": "node"}, auth={"kind": "secret", "secret": "mine", "key": "users"})
    (config,) = [m["data"]["nginx.conf"] for m in plan.manifests() if m["kind"] == "ConfigMap" and "nginx.conf" in m["data"]]
    assert "rewrite ^/storage/node(?:-[0-9]+)*(/.*)$ $1 break;" in config
    assert "auth_basic_user_file /etc/nodestead/auth/users;" in config
    assert "proxy_pass http://127.0.0.1:8080;" in config


def test_a_bootstrap_node_is_not_routed() -> None:
    plan = routed(ROUTE, bootstrap={"kind": "own"})
    names = [one["name"] for one in groups.pod(plan, "codex-bootstrap-1")["containers"]]
    assert names == ["node"]


def test_each_node_has_a_route_of_its_own_to_its_gateway() -> None:
    plan = routed({**ROUTE, "hosts": ["api.example.org"], "path": "/storage"})
    assert groups.names(plan, "HTTPRoute") == ["codex-1", "codex-2"]
    spec = groups.find(plan, "HTTPRoute", "codex-2")["spec"]
    assert spec["parentRefs"] == [{"name": "gateway", "namespace": "gateways", "sectionName": "https"}]
    assert spec["hostnames"] == ["api.example.org"]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/storage/codex-2"}}]
    assert rule["backendRefs"] == [{"name": "codex-2-service", "port": 8081}]
    assert "filters" not in rule


def test_a_route_without_a_proxy_rewrites_the_path_itself() -> None:
    (rule,) = groups.find(routed({**ROUTE, "controllerNamespace": "gateways"}, auth={"kind": "none"}), "HTTPRoute", "codex-1")[
        "spec"
    ]["rules"]
    (rewrite,) = rule["filters"]
    assert rewrite["urlRewrite"] == {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    assert rule["backendRefs"] == [{"name": "codex-1-service", "port": 8080}]


@pytest.mark.parametrize(
    ("tls", "annotation", "secret"),
    [
        ({"clusterIssuer": "letsencrypt"}, ("cert-manager.io/cluster-issuer", "letsencrypt"), "codex-tls"),
        ({"issuer": "own"}, ("cert-manager.io/issuer", "own"), "codex-tls"),
        ({"clusterIssuer": "letsencrypt", "secret": "cert"}, ("cert-manager.io/cluster-issuer", "letsencrypt"), "cert"),
    ],
)
def test_a_certificate_comes_from_cert_manager(tls: dict[str, str], annotation: tuple[str, str], secret: str) -> None:
    made = groups.find(routed({**INGRESS, "tls": tls}), "Ingress", "codex")
    assert annotation in made["metadata"]["annotations"].items()
    assert made["spec"]["tls"] == [{"hosts": ["api.example.org"], "secretName": secret}]


def test_a_given_certificate_needs_no_issuer() -> None:
    made = groups.find(routed({**INGRESS, "tls": {"secret": "cert"}}), "Ingress", "codex")
    assert [key for key in made["metadata"]["annotations"] if "cert-manager" in key] == []
    assert made["spec"]["tls"] == [{"hosts": ["api.example.org"], "secretName": "cert"}]


def test_clear_text_has_to_be_named() -> None:
    assert "tls" not in groups.find(routed({**INGRESS, "tls": "none"}), "Ingress", "codex")["spec"]
    without = {key: value for key, value in INGRESS.items() if key != "tls"}
    assert any(line.startswith("api.route.tls: is required") for line in groups.refusals(api={"route": without}))


@pytest.mark.parametrize(
    ("api", "line"),
    [
        ({"route": ROUTE, "auth": {"kind": "generated", "by": "ingress"}}, "api.auth.by: ingress is refused"),
        ({"route": ANY, "auth": {"kind": "generated", "by": "ingress"}}, "api.auth.by: ingress"),
        ({"route": ROUTE, "auth": {"kind": "none"}}, "api.route.controllerNamespace: is required without a password"),
        ({"route": INGRESS, "auth": {"kind": "secret", "secret": "mine", "key": "users"}}, "api.auth.key: 'users' is refused"),
        ({"route": {**INGRESS, "tls": {}}}, "api.route.tls: nothing gives the certificate"),
        (
            {"route": {**INGRESS, "tls": {"issuer": "a", "clusterIssuer": "b"}}},
            "api.route.tls.issuer: a certificate has one issuer",
        ),
        ({"route": {**INGRESS, "hosts": []}}, "api.route.hosts: "),
        ({"route": {**INGRESS, "path": "storage"}}, "api.route.path: "),
    ],
)
def test_a_route_that_would_not_work_is_refused(api: dict[str, Any], line: str) -> None:
    lines = groups.refusals(api=api)
    assert any(found.startswith(line) for found in lines), lines
