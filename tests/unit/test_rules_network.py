"""Who reaches nodes, who may see and do what, and which cluster it is: each rule with its near misses."""

from typing import Any

import chains
import change_cases as make
import groups
import pytest

from nodestead.changes.compare import Comparison
from nodestead.changes.rule import Found
from nodestead.changes.rules import access, exposure, policies
from nodestead.changes.snapshot import Item, Snapshot

RULES = (*access.RULES, *exposure.RULES, *policies.RULES)

LABELS = {"app": "codex"}
API = {"name": "api", "port": 8080, "targetPort": "api"}
P2P = {"name": "p2p", "port": 8070, "targetPort": "p2p"}


def find(rule: str, compared: Comparison) -> list[Found]:
    return make.found_by(rule, RULES, compared)


def node(name: str = "codex-1", component: str = "storage-node", container: dict[str, Any] | None = None, **given: Any) -> Item:
    made = make.stateful_set(name, component=component, container=container, **given)
    made.manifest["spec"]["template"]["metadata"] = {"labels": LABELS}
    return made


def service(*ports: dict[str, Any], **spec: Any) -> Item:
    return make.service("codex-1", ports=ports, selector=LABELS, **spec)


def ingress(port: str = "api", **annotations: str) -> Item:
    backend = {"service": {"name": "codex-1", "port": {"name": port}}}
    rules = [{"host": "a.example.org", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    named = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return make.item("Ingress", "codex", api="networking.k8s.io/v1", set="codex", annotations=named, spec={"rules": rules})


def route(port: int = 8080) -> Item:
    rules = [{"backendRefs": [{"name": "codex-1", "port": port}]}]
    return make.item("HTTPRoute", "codex", api="gateway.networking.k8s.io/v1", set="codex", spec={"rules": rules})


def states(old: list[Item], new: list[Item]) -> Comparison:
    return make.comparison(make.snapshot(*old), make.snapshot(*new))


# ---- ways to an API

INSIDE = service(API, type="ClusterIP")
PROXY = {"name": "api-auth", "port": 8081, "targetPort": "api-auth"}
PROXIED = service(API, PROXY, type="ClusterIP")
ASKING = {"name": "api-proxy", "ports": [{"name": "api-auth"}], "volumeMounts": [{"name": "proxy-auth"}]}
NOT_ASKING = {"name": "api-proxy", "ports": [{"name": "api-auth"}], "volumeMounts": []}


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ([node(), INSIDE], [node(), INSIDE, ingress()], ["api-exposed"]),
        ([node(), INSIDE], [node(), INSIDE, route()], ["api-exposed"]),
        ([node(), INSIDE], [node(), service(API, type="NodePort")], ["api-exposed"]),
        ([node(), INSIDE], [node(), service(API, type="LoadBalancer")], ["api-exposed"]),
        ([node(), INSIDE], [node(), service(API, externalIPs=["192.0.2.1"])], ["api-exposed"]),
        ([], [node(), service(API, type="LoadBalancer")], ["api-exposed"]),
        ([node()], [node(container={"ports": [{"name": "api", "containerPort": 80, "hostPort": 80}]})], ["api-exposed"]),
        ([node(), INSIDE], [node(), service({"port": 8545, "targetPort": 8545}, type="NodePort")], ["api-exposed"]),
        ([node(), PROXIED], [node(container=NOT_ASKING), PROXIED, route(8081)], ["api-exposed"]),
        ([node(), INSIDE, ingress(auth_type="basic")], [node(), INSIDE, ingress()], ["auth-removed"]),
        ([node(container=ASKING), PROXIED, route(8081)], [node(container=ASKING), PROXIED, route(8080)], ["auth-removed"]),
        ([node(container=ASKING), PROXIED, route(8081)], [node(container=NOT_ASKING), PROXIED, route(8081)], ["auth-removed"]),
        ([node(), INSIDE], [node(), service(API, type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])],
         ["endpoint-published"]),
        ([node(), INSIDE], [node(), service(API, type="LoadBalancer", loadBalancerSourceRanges=["0.0.0.0/0"])], ["api-exposed"]),
        # near misses
        ([node(), INSIDE], [node(), INSIDE, ingress(auth_type="basic", auth_secret="codex-api-auth")], []),
        ([node(), INSIDE], [node(), INSIDE, ingress(auth_url="https://sso.example.org")], []),
        ([node(), INSIDE], [node(), INSIDE, ingress(auth_type="none")], ["api-exposed"]),
        ([node(container=ASKING), PROXIED], [node(container=ASKING), PROXIED, route(8081)], []),
        ([node(), INSIDE, ingress()], [node(), INSIDE, ingress(proxy_body_size="1")], []),
        ([node(), INSIDE, ingress()], [node(image="a:2"), INSIDE, ingress(), route()], []),
        ([node(), INSIDE], [node(), service(P2P, type="LoadBalancer")], []),
        ([node(), INSIDE], [node(), service({"name": "metrics", "port": 9090}, type="NodePort")], []),
        ([node(), service(API, type="NodePort")], [node(), INSIDE], []),
    ],
)  # fmt: skip
def test_a_new_way_to_an_api_that_asks_nobody(old: list[Item], new: list[Item], rules: list[str]) -> None:
    wanted = {"api-exposed", "auth-removed", "endpoint-published"}
    assert [rule for rule in make.ids(RULES, states(old, new)) if rule in wanted] == rules


def test_api_exposed_names_the_way_and_all_nodes() -> None:
    storage = {"kind": "ingress", "hosts": ["a.example.org"], "tls": "none", "controller": "ingressNginx"}
    base = make.rendered({"codex": groups.config(replicas=3)})
    head = make.rendered({"codex": groups.config(replicas=3, api={"route": storage, "auth": {"kind": "none"}})})
    (found,) = find("api-exposed", make.comparison(base, head))
    assert found.subject == "codex"
    assert found.what == "port api is open to whoever reaches Ingress/codex, without a password"
    assert found.nodes == ("codex-1", "codex-2", "codex-3")
    asking = make.rendered({"codex": groups.config(replicas=3, api={"route": storage})})
    assert find("api-exposed", make.comparison(base, asking)) == []
    (removed,) = find("auth-removed", make.comparison(asking, head))
    assert removed.what == "Ingress/codex to port api asks for no password any more"
    assert find("auth-removed", make.comparison(base, head)) == []


def chain(**given: Any) -> Snapshot:
    return make.rendered(chains={"hub": chains.config(**given)})


ROUTES = {"kind": "httpRoute", "rpc": {"hosts": ["rpc.example.org"]}, "parents": [{"name": "g"}], "controllerNamespace": "g"}


def test_routes_of_a_chain_serve_the_public_because_somebody_asked() -> None:
    compared = make.comparison(chain(), chain(routes=ROUTES))
    (found,) = find("endpoint-published", compared)
    assert found.what == "port rpc serves everybody through HTTPRoute/hub-rpc, without a password"
    assert find("api-exposed", compared) == []
    assert find("endpoint-published", make.comparison(chain(routes=ROUTES), chain(routes=ROUTES, replicas=4))) == []


def test_rpc_of_a_chain_without_a_route_is_a_danger() -> None:
    compared = make.comparison(chain(), chain(rpcService={"type": "LoadBalancer", "allowPublic": True}))
    assert {found.what for found in find("api-exposed", compared)} >= {
        "port rpc is open to whoever reaches LoadBalancer, without a password"
    }


def test_routes_to_unsafe_rpc_are_a_danger() -> None:
    config = make.config_map("hub-config", set="codex", node_json='{"rpc": {"unsafe": true}}')
    safe = make.config_map("hub-config", set="codex", node_json='{"rpc": {"unsafe": false}}')
    rpc = service({"name": "rpc", "port": 26657})
    hub = node(component="chain-node")
    assert find("api-exposed", states([hub, rpc, safe], [hub, rpc, safe, ingress("rpc")])) == []
    assert len(find("api-exposed", states([hub, rpc, config], [hub, rpc, config, ingress("rpc")]))) == 1


# ---- peers


def exposed(base_port: int = 30510, replicas: int = 2, **given: Any) -> Snapshot:
    exposure = {"kind": "nodePort", "basePort": base_port, **given}
    return make.rendered({"codex": groups.config(replicas=replicas, exposure=exposure)})


def private(replicas: int = 2) -> Snapshot:
    return make.rendered({"codex": groups.config(replicas=replicas, exposure={"kind": "cluster"})})


def test_announced_address_changed() -> None:
    (found,) = find("announced-address-changed", make.comparison(exposed(), exposed(30600)))
    assert found.nodes == ("codex-1", "codex-2")
    assert found.what.startswith("on codex-1 p2p port 30510 -> 30600, and discovery port")
    hosted = exposed(externalAddress={"kind": "hostIP"})
    (moved,) = find("announced-address-changed", make.comparison(exposed(), hosted))
    assert moved.what.startswith("on codex-1 ADDRESS_FROM node -> host")
    for other in (exposed(replicas=3), private(), exposed(externalTrafficPolicy="Cluster")):
        assert find("announced-address-changed", make.comparison(exposed(), other)) == []
    assert find("announced-address-changed", make.comparison(private(), exposed())) == []


def test_announced_address_changed_by_the_load_balancer() -> None:
    old = service(P2P, type="LoadBalancer", loadBalancerIP="192.0.2.1")
    (found,) = find("announced-address-changed", states([node(), old], [node(), service(P2P, type="LoadBalancer")]))
    assert found.what == "loadBalancerIP 192.0.2.1 -> not set: peers that know the old address lose the node"
    other = [node(replicas=0), service(P2P, type="LoadBalancer")]
    assert find("announced-address-changed", states([node(), old], other)) == []


def test_announced_address_changed_in_the_files_of_a_chain() -> None:
    def announced(host: str) -> Snapshot:
        fixed = {"kind": "fixed", "addresses": {"0": host}}
        return chain(replicas=1, exposure={"kind": "nodePort", "externalAddress": fixed})

    (found,) = find("announced-address-changed", make.comparison(announced("192.0.2.1"), announced("192.0.2.2")))
    assert "192.0.2.1" in found.what
    assert "192.0.2.2" in found.what


def test_exposure_removed() -> None:
    (found,) = find("exposure-removed", make.comparison(exposed(), private()))
    assert (found.what, found.nodes) == ("peers from outside lose the way in (NodePort)", ("codex-1", "codex-2"))
    assert find("exposure-removed", make.comparison(private(), exposed())) == []
    assert find("exposure-removed", make.comparison(exposed(), exposed(replicas=1))) == []
    assert find("exposure-removed", make.comparison(exposed(), exposed(30600))) == []


# ---- policies


def policy(*rules: dict[str, Any], name: str = "codex", labels: dict[str, str] | None = None) -> Item:
    spec = {
        "podSelector": {"matchLabels": LABELS if labels is None else labels},
        "policyTypes": ["Ingress"],
        "ingress": list(rules),
    }
    return make.item("NetworkPolicy", name, api="networking.k8s.io/v1", set="codex", spec=spec)


OWN = {"podSelector": {"matchLabels": LABELS}}
CLOSED = policy({"from": [OWN], "ports": [{"protocol": "TCP", "port": 8080}]})


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ([node(), CLOSED], [node()], 1),
        ([node(), CLOSED], [node(), policy(labels={"app": "other"})], 1),
        ([node(), CLOSED], [node(), policy(name="other")], 0),
        ([node(), CLOSED], [], 0),
        ([node(), CLOSED], [node(replicas=0)], 0),
        ([node()], [node(image="a:2")], 0),
        ([CLOSED], [node()], 0),
    ],
)
def test_network_policy_removed_is_a_running_pod_without_one(old: list[Item], new: list[Item], count: int) -> None:
    assert len(find("network-policy-removed", states(old, new))) == count


def test_network_policy_removed_where_only_changes_are_known() -> None:
    old, new = make.snapshot(CLOSED, complete=False), make.snapshot(complete=False)
    assert len(find("network-policy-removed", make.comparison(old, new))) == 1
    assert find("network-policy-removed", make.comparison(make.snapshot(CLOSED, node(), complete=False), new)) == []


TCP = {"protocol": "TCP", "port": 8080}


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"ports": [TCP]}, "opens TCP 8080 to everybody"),
        ({"from": [], "ports": [TCP]}, "opens TCP 8080 to everybody"),
        ({"from": [OWN]}, "opens every port to pods with app=codex of the namespace"),
        ({"from": [OWN, {"namespaceSelector": {}}], "ports": [TCP]}, "opens TCP 8080 to all pods of all namespaces"),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [TCP]}, "opens TCP 8080 to 0.0.0.0/0"),
        ({"from": [OWN], "ports": [TCP | {"endPort": 8081}]}, "opens TCP 8081 to pods with app=codex of the namespace"),
        ({"from": [OWN], "ports": [{"port": 8080}]}, None),
        ({"from": [OWN], "ports": [TCP, TCP]}, None),
    ],
)
def test_network_policy_opened(rule: dict[str, Any], what: str | None) -> None:
    found = find("network-policy-opened", states([node(), CLOSED], [node(), policy(rule)]))
    assert [one.what for one in found] == ([what] if what else [])


def test_a_second_policy_opens_what_the_first_closed() -> None:
    second = policy({}, name="all")
    (found,) = find("network-policy-opened", states([node(), CLOSED], [node(), CLOSED, second]))
    assert found.what == "opens every port to everybody"
    assert find("network-policy-opened", states([node()], [node(), second])) == []


def test_more_nodes_open_no_more_than_their_ports_for_peers() -> None:
    assert find("network-policy-opened", make.comparison(exposed(), exposed(replicas=3))) == []
    (found,) = find("network-policy-opened", make.comparison(exposed(), exposed_with_peer()))
    assert found.what == "opens TCP 8080 to 10.0.0.0/8"


def exposed_with_peer() -> Snapshot:
    peers = {"apiFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    exposure = {"kind": "nodePort", "basePort": 30510}
    return make.rendered({"codex": groups.config(replicas=2, exposure=exposure, networkPolicy=peers)})


# ---- secrets

REF = {"valueFrom": {"secretKeyRef": {"name": "rpc", "key": "url"}}}


def env(*variables: dict[str, Any], args: list[str] | None = None) -> Item:
    return node(container={"env": list(variables), "args": args or []})


def test_secret_unveiled_never_shows_the_value() -> None:
    (found,) = find("secret-unveiled", make.changed(env({"name": "RPC", **REF}), env({"name": "RPC", "value": "hunter2"})))
    where = "spec.template.spec.containers[node].env[RPC]"
    assert found.what == f"{where} came from a secret and stands in the object in clear now"
    assert find("secret-unveiled", make.changed(env({"name": "RPC", "value": "a"}), env({"name": "RPC", **REF}))) == []


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        (env(), env({"name": "DB_PASSWORD", "value": "hunter2"}), 1),
        (env({"name": "DB_PASSWORD", "value": "hunter1"}), env({"name": "DB_PASSWORD", "value": "hunter2"}), 1),
        (env(), env({"name": "URL", "value": "https://me:hunter2@example.org"}), 1),
        (env(), env({"name": "SIGNER", "value": "ab" * 32}), 1),
        (env(), env(args=["--rpc-password=hunter2"]), 1),
        (env(), env(args=["--rpc-password", "hunter2"]), 1),
        (make.config_map("c", a="x"), make.config_map("c", a="x", password="hunter2"), 1),
        (make.config_map("c"), make.config_map("c", tls="-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"), 1),
        (env({"name": "DB_PASSWORD", "value": "hunter2"}), env({"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "A"}), 0),
        (env(), env({"name": "DB_PASSWORD", **REF}), 0),
        (env(), env({"name": "ETH_PRIVATE_KEY", "value": "/run/nodestead/eth-private-key"}), 0),
        (env(), env({"name": "PASSWORD_FILE", "value": "x"}), 0),
        (env(), env({"name": "TOKEN", "value": ""}), 0),
        (env(), env(args=["--rpc-password=$(PASSWORD)"]), 0),
        (env(), env({"name": "HASH", "value": "ab" * 32}), 0),
        (env({"name": "TOKEN", **REF}), env({"name": "TOKEN", "value": "hunter2"}), 0),
        (make.secret("s"), make.secret("s", password="hunter2"), 0),
    ],
)
def test_secret_in_clear(old: Item, new: Item, count: int) -> None:
    found = find("secret-in-clear", make.changed(old, new))
    assert len(found) == count
    assert "hunter" not in str(found)


def test_what_the_library_renders_holds_no_secret_in_clear() -> None:
    heads = (exposed(), chain(), make.rendered({"codex": groups.config(replicas=1)}))
    assert [find("secret-in-clear", make.comparison(make.snapshot(), head)) for head in heads] == [[], [], []]


# ---- cluster and rights


def provider(**inputs: Any) -> Item:
    return make.resource("pulumi:providers:kubernetes", "cluster", **inputs)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ({"context": "prod"}, {"context": "staging"}, "context prod -> staging"),
        ({}, {"context": "staging"}, "context not set -> staging"),
        ({"kubeconfig": "/a/b"}, {"kubeconfig": "users: [hunter2]"}, "kubeconfig /a/b -> [hidden]"),
        ({"context": "prod"}, {"context": "prod", "enableConfigMapMutable": True}, None),
        ({"renderYamlToDirectory": "a"}, {"renderYamlToDirectory": "b"}, None),
    ],
)  # fmt: skip
def test_cluster_changed(old: dict[str, Any], new: dict[str, Any], what: str | None) -> None:
    expected = [f"{what}: the stack is made in another cluster"] if what else []
    assert [found.what for found in find("cluster-changed", make.changed(provider(**old), provider(**new)))] == expected


def role(*rules: dict[str, Any], kind: str = "Role") -> Item:
    return make.item(kind, "codex", api="rbac.authorization.k8s.io/v1", set="codex", rules=list(rules))


def binding(role_name: str, *accounts: str, kind: str = "ClusterRoleBinding") -> Item:
    subjects = [{"kind": "ServiceAccount", "name": name} for name in accounts]
    reference = {"kind": "ClusterRole", "name": role_name}
    return make.item(kind, "codex", api="rbac.authorization.k8s.io/v1", set="codex", roleRef=reference, subjects=subjects)


GET = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ([role(GET)], [role(GET | {"verbs": ["get", "delete"]})], "its service account may delete pods in its namespace"),
        ([role(GET)], [role(GET | {"resources": ["*"]})], "its service account may get * in its namespace"),
        ([role(GET | {"resourceNames": ["a"]})], [role(GET)], "its service account may get pods in its namespace"),
        ([node()], [node(), role(GET)], "its service account may get pods in its namespace"),
        ([], [role(GET, kind="ClusterRole")], "its service account may get pods in the whole cluster"),
        ([], [binding("cluster-admin", "codex")], "ServiceAccount codex gets ClusterRole cluster-admin in the whole cluster"),
        ([binding("view", "a")], [binding("view", "a", "b")], "ServiceAccount b gets ClusterRole view in the whole cluster"),
        ([role(GET | {"verbs": ["*"]})], [role(GET)], None),
        ([role(GET | {"verbs": ["*"]})], [role(GET | {"verbs": ["get", "list"]})], None),
        ([role(GET | {"apiGroups": ["*"]})], [role(GET)], None),
        ([], [role(GET)], None),
        ([binding("view", "a", "b")], [binding("view", "b")], None),
    ],
)
def test_rights_widened(old: list[Item], new: list[Item], what: str | None) -> None:
    assert [found.what for found in find("rights-widened", states(old, new))] == ([what] if what else [])


def test_a_new_role_and_its_binding_are_one_finding() -> None:
    assert len(find("rights-widened", states([], [role(GET, kind="ClusterRole"), binding("codex", "codex")]))) == 1


# ---- isolation


def enforced(level: str | None) -> Item:
    made = make.namespace("n")
    made.manifest["metadata"]["labels"] = {} if level is None else {"pod-security.kubernetes.io/enforce": level}
    return made


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("restricted", "baseline", 1),
        ("restricted", "privileged", 1),
        ("baseline", None, 1),
        ("baseline", "restricted", 0),
        (None, "baseline", 0),
        ("privileged", None, 0),
    ],
)
def test_pod_security_loosened_of_a_namespace(old: str | None, new: str | None, count: int) -> None:
    compared = make.comparison(make.snapshot(enforced(old)), make.snapshot(enforced(new)))
    assert len(find("pod-security-loosened", compared)) == count


SAFE = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def secured(pod: dict[str, Any] | None = None, **context: Any) -> Item:
    return node(container={"securityContext": SAFE | context}, pod=pod)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (secured(), secured(privileged=True), "pods are privileged"),
        (secured(), secured({"hostNetwork": True}), "pods share the network with their host"),
        (secured(), secured(runAsUser=0), "pods run as root"),
        (secured(), secured(allowPrivilegeEscalation=True), "pods may gain privileges"),
        (secured(), secured(readOnlyRootFilesystem=False), "pods may write in their image"),
        (secured(), secured(capabilities={"add": ["NET_ADMIN"]}), "pods have the capability NET_ADMIN"),
        (secured(), secured({"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}), "pods mount a folder of their host"),
        (secured(), secured(seccompProfile={"type": "Unconfined"}), "pods have no seccomp profile"),
        (secured(privileged=True), secured(), None),
        (secured(privileged=True), secured(privileged=True, runAsUser=5), None),
        (secured(), secured(runAsUser=1000), None),
    ],
)
def test_pod_security_loosened_of_pods(old: Item, new: Item, what: str | None) -> None:
    assert [found.what for found in find("pod-security-loosened", make.changed(old, new))] == ([what] if what else [])


def test_a_new_workload_loosens_only_by_what_reaches_beyond_it() -> None:
    assert find("pod-security-loosened", states([], [node()])) == []
    (found,) = find("pod-security-loosened", states([], [node(pod={"hostPID": True})]))
    assert found.what == "pods share the processes with their host"


def ports(name: str, *numbers: int, protocol: str = "TCP") -> Item:
    given = [{"name": f"p{number}", "port": 1, "nodePort": number, "protocol": protocol} for number in numbers]
    return make.service(name, type="NodePort", ports=given)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ([ports("a", 30001)], [ports("b", 30001)], "b wants TCP 30001, which a still has until it is deleted, at the end"),
        ([ports("a", 30001), ports("b", 30002)], [ports("a", 30002), ports("b", 30003)],
         "a wants TCP 30002, which b still has until it changes too"),
        ([ports("a", 30001), ports("b", 30002)], [ports("c", 30001), ports("d", 30002)],
         "c, d want TCP 30001, TCP 30002, which a, b still have until they are deleted, at the end"),
        # near misses
        ([ports("a", 30001)], [ports("a", 30001), ports("b", 30002)], None),
        ([ports("a", 30001, 30002)], [ports("a", 30002, 30001)], None),
        ([ports("a", 30001)], [ports("b", 30001, protocol="UDP")], None),
        ([make.service("a", ports=[API])], [make.service("b", ports=[API])], None),
    ],
)  # fmt: skip
def test_a_node_port_is_given_to_one_service_at_a_time(old: list[Item], new: list[Item], what: str | None) -> None:
    found = [one.what.partition(": ")[0] for one in find("port-taken", states(old, new))]
    assert found == ([what] if what else [])


def test_rights_that_another_role_had_are_not_widened() -> None:
    gone, came = (
        make.item("ClusterRole", name, api="rbac.authorization.k8s.io/v1", set=name, rules=[GET]) for name in ("a", "b")
    )
    assert find("rights-widened", states([gone], [came])) == []
