"""Who reaches a storage node, and what it tells its peers: exposures, policies, the password before the API, metrics.

Peers are played by pods beside the nodes: a stand-in answers each connection and each datagram to its ports for peers
with its peer id, so an answer shows that this very node was reached.
"""

import json
import shutil
import subprocess
from collections.abc import Callable

import pytest
from cluster import apply, kubectl, until, wait_ready
from images import cluster_script
from storage_groups import (
    AUTH_PASSWORD,
    apply_groups,
    ask,
    debug_info,
    free_node_ports,
    group,
    inside,
    planned,
)

from nodestead.kubernetes.network_policy import API_CLIENT
from nodestead.kubernetes.objects import Manifest, Plan
from nodestead.kubernetes.pod import CONTAINER_SECURITY, POD_SECURITY

pytestmark = pytest.mark.cluster

PROXY_IMAGE = "docker.io/nginxinc/nginx-unprivileged:1.29.3-alpine"
PATH = "/api/codex/v1"
HOST_PORT = 21900


def onlooker(namespace: str, name: str, image: str, labels: dict[str, str]) -> Manifest:
    """A pod that idles, to connect from."""
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "node", "image": image, "command": ["sleep", "infinity"], "securityContext": CONTAINER_SECURITY}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name, **labels}},
        "spec": spec,
    }


class Field:
    """The groups of this module in their two namespaces, and the pods that look at them."""

    def __init__(self, restricted: str, privileged: str, image: str) -> None:
        self.restricted, self.privileged = restricted, privileged
        self.node_port = free_node_ports(3)
        host = {"kind": "hostIP"}
        groups = {
            "public": group(
                replicas=2,
                bootstrap={"kind": "own"},
                exposure={
                    "kind": "nodePort",
                    "basePort": self.node_port,
                    "bootstrapBasePort": self.node_port + 2,
                    "externalAddress": host,
                },
            ),
            "lost": group(exposure={"kind": "nodePort", "basePort": free_node_ports(4) + 3}),
            "balanced": group(replicas=1, bootstrap={"kind": "own"}, exposure={"kind": "loadBalancer"}),
            "pooled": group(replicas=2, layout="pooled", exposure={"kind": "loadBalancer"}),
            "watched": group(monitoring={"from": [privileged]}),
        }
        self.plans = apply_groups(planned(restricted, groups))
        exposure = {"kind": "hostPort", "basePort": HOST_PORT, "externalAddress": host}
        self.plans |= apply_groups(planned(privileged, {"hosted": group(replicas=2, exposure=exposure)}, "privileged"))
        self.onlookers = [
            onlooker(restricted, "client", image, API_CLIENT),
            onlooker(restricted, "stranger", image, {}),
            onlooker(privileged, "scraper", image, {}),
        ]
        apply(self.onlookers)

    def ready(self, name: str) -> Plan:
        plan = self.plans[name]
        wait_ready(str(plan.namespace), [node.name for node in plan.nodes()], 120)
        return plan

    def must_answer(self, host: str, port: int, peer_id: str, *, udp: bool = False) -> None:
        """Waits until a port for peers answers with this peer id; new Services take kube-proxy a moment."""
        until(f"{host}:{port} answers with {peer_id}", lambda: self._answer(host, port, udp=udp) == peer_id, seconds=15)

    def _answer(self, host: str, port: int, *, udp: bool) -> str:
        kind = "SOCK_DGRAM" if udp else "SOCK_STREAM"
        program = f"""
import socket
peer = socket.socket(type=socket.{kind})
peer.settimeout(3)
peer.connect(({host!r}, {port}))
peer.send(b"?")
print(peer.recv(200).decode())
"""
        return self._from("stranger", "python3", "-c", program)

    def fetch(self, url: str, *options: str, onlooker: str = "stranger") -> str:
        """The status that a URL answers to an onlooker, 000 for none, and what is below it."""
        return self._from(onlooker, "curl", "-sS", "-m", "3", "--write-out", "\n%{http_code}", *options, url)

    def _from(self, onlooker: str, *command: str) -> str:
        namespace = self.privileged if onlooker == "scraper" else self.restricted
        text = ("exec", "--namespace", namespace, onlooker, "--", *command)
        done = subprocess.run(["kubectl", *text], check=False, capture_output=True, text=True)
        return done.stdout.strip()


@pytest.fixture(scope="module")
def field(storage_image: str, module_namespace: str, other_namespace: str) -> Field:
    made = Field(module_namespace, other_namespace, storage_image)
    for pod in made.onlookers:
        metadata = pod["metadata"]
        kubectl("wait", "--for=condition=Ready", "--namespace", metadata["namespace"], f"pod/{metadata['name']}", "--timeout=60s")
    return made


@pytest.fixture(scope="session")
def host_address(kubectl: Callable[..., str]) -> str:
    """The address of the cluster's first node, where every pod of a small cluster runs."""
    path = 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'
    return kubectl("get", "nodes", "--output", path)


def service_address(namespace: str, service: str) -> str:
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return kubectl("get", "service", service, "--namespace", namespace, "--output", path)


# --- what a node announces is where it is reached ---


def test_behind_a_node_port_a_node_listens_on_and_announces_that_port(field: Field, host_address: str) -> None:
    field.ready("public")
    for number in (1, 2):
        info = debug_info(field.restricted, f"public-{number}-1")
        port = field.node_port + number - 1
        assert info["announceAddresses"] == [f"/ip4/{host_address}/tcp/{port}"]
        assert [address.rpartition("/")[2] for address in info["addrs"]] == [str(port)]
        field.must_answer(host_address, port, info["id"])
        field.must_answer(host_address, port, info["id"], udp=True)


def test_public_nodes_reach_their_bootstrap_node_at_the_address_it_announces(field: Field, host_address: str) -> None:
    field.ready("public")
    bootstrap = debug_info(field.restricted, "public-bootstrap-1-1")
    assert bootstrap["announceAddresses"] == [f"/ip4/{host_address}/tcp/{field.node_port + 2}"]
    until("the node reaches it", lambda: debug_info(field.restricted, "public-2-1")["reached"] == [bootstrap["id"]])


def test_a_host_without_external_address_stops_the_node_and_says_what_to_do(field: Field) -> None:
    nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    if any(one["type"] == "ExternalIP" for one in nodes[0]["status"]["addresses"]):
        pytest.skip("NOT TESTED: the nodes of this cluster have external addresses")

    def log() -> str:
        return kubectl("logs", "--namespace", field.restricted, "lost-1-1", "--container", "prepare")

    name = nodes[0]["metadata"]["name"]
    explained = (
        f"nodestead: node {name} has no ExternalIP to announce (see kubectl get node {name} -o wide);"
        " choose another externalAddress: hostIP, lookup or fixed\n"
    )
    until("the init container explains itself", lambda: log() == explained)
    state = kubectl("get", "pod", "lost-1-1", "--namespace", field.restricted, "--output", "jsonpath={.status.phase}")
    assert state == "Pending"


@pytest.mark.parametrize(
    ("name", "pod", "service"),
    [
        ("balanced", "balanced-1-1", "balanced-1-loadbalancer"),
        ("balanced", "balanced-bootstrap-1-1", "balanced-bootstrap-1-loadbalancer"),
        ("pooled", "pooled-1", "pooled-1-loadbalancer"),
        ("pooled", "pooled-2", "pooled-2-loadbalancer"),
    ],
)
def test_behind_a_load_balancer_a_node_announces_its_address(field: Field, name: str, pod: str, service: str) -> None:
    field.ready(name)
    address = service_address(field.restricted, service)
    info = debug_info(field.restricted, pod)
    assert info["announceAddresses"] == [f"/ip4/{address}/tcp/8070"]
    field.must_answer(address, 8070, info["id"])
    field.must_answer(address, 8090, info["id"], udp=True)


def test_with_a_host_port_a_node_listens_on_its_host(field: Field, host_address: str) -> None:
    field.ready("hosted")
    for number in (1, 2):
        info = debug_info(field.privileged, f"hosted-{number}-1")
        port = HOST_PORT + number - 1
        assert info["announceAddresses"] == [f"/ip4/{host_address}/tcp/{port}"]
        field.must_answer(host_address, port, info["id"])


# --- who may connect ---


def test_only_pods_with_the_label_of_api_clients_reach_the_api(field: Field) -> None:
    field.ready("public")
    url = f"http://public-1-service:8080{PATH}/spr"
    until("a client reaches it", lambda: field.fetch(url, onlooker="client").endswith("\n200"))
    assert field.fetch(url, onlooker="stranger") == "000"


def test_metrics_are_there_for_the_monitoring_namespace_and_nobody_else(field: Field) -> None:
    field.ready("watched")
    assert "codex_repostore_bytes_used 0.0" in ask(field.restricted, "watched-1-1", "/metrics", 8008)
    url = f"http://watched-1-service.{field.restricted}:8008/metrics"
    until("the scraper reaches it", lambda: "libp2p_peers 0.0" in field.fetch(url, onlooker="scraper"))
    assert field.fetch(url, onlooker="stranger") == "000"
    assert field.fetch(url, onlooker="client") == "000"


# --- the password before the API ---


GUARDED = group(api={"route": {"kind": "httpRoute", "path": "/storage", "nodeName": "node", "parents": [{"name": "gateway"}]}})


@pytest.fixture(scope="module")
def guarded(field: Field) -> str:
    """The namespace of a node behind its proxy: Debian's nginx, under the name of the one that the library puts there."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("NOT TESTED: there is no nginx on this machine to make the proxy's image of (apt-get install nginx-light)")
    subprocess.run([cluster_script("image"), PROXY_IMAGE, nginx], check=True, capture_output=True)
    field.plans |= apply_groups(planned(field.restricted, {"guarded": GUARDED}))
    field.ready("guarded")
    until("the proxy answers", lambda: field.fetch("http://guarded-1-service:8081/").endswith("\n401"))
    return field.restricted


def test_the_proxy_lets_only_the_password_through_and_strips_the_path(field: Field, guarded: str) -> None:
    service = "http://guarded-1-service:8081"
    key = f"nodestead:{AUTH_PASSWORD}"
    assert field.fetch(f"{service}/storage/node-1{PATH}/spr").endswith("\n401")
    assert field.fetch(f"{service}/storage/node-1{PATH}/spr", "--user", "nodestead:wrong").endswith("\n401")
    record = debug_info(guarded, "guarded-1-1")["spr"]
    for path in (f"/storage/node-1{PATH}/spr", f"{PATH}/spr"):
        assert field.fetch(f"{service}{path}", "--user", key, "--header", "Accept: text/plain") == f"{record}\n200"


def test_the_way_around_the_proxy_is_closed(field: Field, guarded: str) -> None:
    assert field.fetch(f"http://guarded-1-service:8080{PATH}/spr", onlooker="client").endswith("\n200")
    assert field.fetch(f"http://guarded-1-service:8080{PATH}/spr") == "000"


def test_the_proxy_takes_uploads_of_any_size(field: Field, guarded: str) -> None:
    program = f"head -c 3000000 /dev/zero | curl -sS -m 20 --user nodestead:'{AUTH_PASSWORD}' --data-binary @- $0"
    cid = inside(guarded, "stranger", "sh", "-c", program, f"http://guarded-1-service:8081/storage/node-1{PATH}/data")
    assert {"cid": cid} in json.loads(ask(guarded, "guarded-1-1", f"{PATH}/data"))["content"]
