"""Every node is asked at its own API, and what it answers or not stands in a table of 80 columns."""

import json
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

import nodestead.agents
from nodestead.plans.stack import StackConfig, plan_stack
from nodestead.preview.check import (
    Answer,
    Chain,
    Target,
    answer_of,
    ask_all,
    pod_states,
    report,
    short_address,
    short_peer_id,
    targets,
)
from nodestead.preview.check_job import CheckJobError, answers_of_log, check_job, check_job_name, run_check_job
from nodestead.preview.kubectl import Kubectl, KubectlError
from nodestead.preview.yaml_text import yaml_text

AGENTS = Path(nodestead.agents.__file__).parent
PEER = "16Uiu2HAmXYZabcdefghijklmnopqrstuvwxyzABCDEFGHGcaXpS"
CODEX = {
    "id": PEER,
    "addrs": ["/ip4/0.0.0.0/tcp/30510"],
    "repo": "/data/codex",
    "spr": "spr:abc",
    "announceAddresses": ["/ip4/203.0.113.7/tcp/30510", "/ip4/203.0.113.8/tcp/30510"],
    "table": {"localNode": {"nodeId": "a"}, "nodes": []},
    "codex": {"version": "v0.2.4\nv0.2.5", "revision": "2fb7031", "contracts": "0bd8e1f"},
}


class FakeKubectl:
    """Answers as the given function does, and remembers what it was asked."""

    flags = ("--context", "test")

    def __init__(self, answer: Callable[..., str]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []
        self.stdin: list[str] = []

    def run(self, *args: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        self.asked.append(args)
        if stdin is not None:
            self.stdin.append(stdin)
        return self.answer(*args)


def fake(answer: Callable[..., str]) -> tuple[FakeKubectl, Kubectl]:
    kubectl = FakeKubectl(answer)
    return kubectl, cast("Kubectl", kubectl)


def plan_of(**group: Any) -> Any:
    software = {"kind": "codex", "version": "0.2.5"}
    config = {
        "namespace": {"name": "storage"},
        "cluster": {"context": "prod"},
        "storageNodeGroups": {"codex": {"software": software, **group}},
    }
    return plan_stack(StackConfig.model_validate(config)).sets[0]


def target(node: str, *, disabled: bool = False) -> Target:
    return Target(node, "storage", f"http://{node}-service.storage:8080/api/codex/v1/debug/info", disabled)


# ---- whom to ask


def test_every_node_of_a_set_is_asked_at_its_debug_info() -> None:
    assert list(targets(plan_of(replicas=2, nodes={"2": {"disabled": True}}))) == [
        target("codex-bootstrap-1"),
        target("codex-1"),
        target("codex-2", disabled=True),
    ]


def test_a_node_is_asked_through_the_proxy_of_the_api_server() -> None:
    assert (
        target("codex-1").proxy_path == "/api/v1/namespaces/storage/services/codex-1-service:8080/proxy/api/codex/v1/debug/info"
    )


def test_pods_of_a_pooled_set_are_asked_one_by_one() -> None:
    asked = list(targets(plan_of(replicas=2, layout="pooled", bootstrap={"kind": "none"})))
    assert [(one.node, one.url) for one in asked] == [
        ("codex-1", "http://codex-1.codex.storage:8080/api/codex/v1/debug/info"),
        ("codex-2", "http://codex-2.codex.storage:8080/api/codex/v1/debug/info"),
    ]
    assert asked[0].proxy_path == "/api/v1/namespaces/storage/pods/codex-1:8080/proxy/api/codex/v1/debug/info"


def test_an_encrypted_api_is_asked_in_https() -> None:
    one = Target("a", "ns", "https://a-service.ns:8443/info")
    assert one.proxy_path == "/api/v1/namespaces/ns/services/https:a-service:8443/proxy/info"


# ---- what the answer says


@pytest.mark.parametrize(
    ("info", "version", "addresses"),
    [
        (CODEX, "v0.2.5", ("/ip4/203.0.113.7/tcp/30510", "/ip4/203.0.113.8/tcp/30510")),
        (
            {
                "id": PEER,
                "addrs": ["/ip4/10.0.0.1/tcp/8070"],
                "spr": "",
                "storage": {"version": "v0.3.1"},
                "nat": {"reachability": "x"},
            },
            "v0.3.1",
            ("/ip4/10.0.0.1/tcp/8070",),
        ),
        ({"id": PEER, "archivist": {"version": "v0.2.0"}, "announceAddresses": []}, "v0.2.0", ()),
        ({"id": PEER, "version": "v0.2.5", "addrs": ["/ip4/10.0.0.1/tcp/8070"]}, "v0.2.5", ("/ip4/10.0.0.1/tcp/8070",)),
        ({"id": PEER}, "", ()),
    ],
)
def test_debug_info_of_every_flavour_is_read(info: dict[str, Any], version: str, addresses: tuple[str, ...]) -> None:
    assert answer_of(target("a"), info) == Answer("a", "-", PEER, version, addresses)


@pytest.mark.parametrize("info", [None, [], "text", {}, {"id": 7}, {"status": "ok"}])
def test_an_answer_of_something_else_is_a_problem(info: Any) -> None:
    assert answer_of(target("a"), info).problem == "the answer is not that of a storage node"


@pytest.mark.parametrize(("peer_id", "short"), [(PEER, "16U*GcaXpS"), ("12D3KooW", "12D3KooW"), ("", "")])
def test_a_peer_id_is_shortened_as_in_the_nodes_logs(peer_id: str, short: str) -> None:
    assert short_peer_id(peer_id) == short


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("/ip4/203.0.113.7/tcp/30510", "203.0.113.7:30510"),
        ("/dns4/a.example.org/udp/8090/quic-v1", "a.example.org:8090"),
        ("/ip6/2001:db8::7/tcp/8070", "[2001:db8::7]:8070"),
        ("odd", "odd"),
    ],
)
def test_an_address_is_shown_as_host_and_port(address: str, short: str) -> None:
    assert short_address(address) == short


# ---- asking


def test_readiness_is_found_by_node_label_and_by_pod_name() -> None:
    _, kubectl = fake(lambda *_: "codex-1-1\tcodex-1\tTrue\ncodex-2-1\tcodex-2\tFalse\tImagePullBackOff\ncodex-3-1\t\tFalse\n")
    states = pod_states(kubectl, "storage")
    assert (states["codex-1"], states["codex-2"], states["codex-3-1"]) == ("yes", "ImagePullBackOff", "no")


def test_all_nodes_are_asked_and_answers_keep_the_order_of_the_nodes() -> None:
    def answer(*args: str) -> str:
        if args[1] == "pods":
            return "codex-1-1\tcodex-1\tTrue\n"
        if "codex-1-service" in args[2]:
            return json.dumps(CODEX)
        raise KubectlError("(ServiceUnavailable): no endpoints available for service")

    asked, kubectl = fake(answer)
    answers = ask_all([target("codex-2"), target("codex-3", disabled=True), target("codex-1")], kubectl, 60)
    assert [(a.node, a.ready, a.problem, a.disabled) for a in answers] == [
        ("codex-2", "no pod", "(ServiceUnavailable): no endpoints available for service", False),
        ("codex-3", "-", None, True),
        ("codex-1", "yes", None, False),
    ]
    assert not any("codex-3" in word for words in asked.asked for word in words)


def test_a_node_that_answers_no_json_is_a_problem() -> None:
    _, kubectl = fake(lambda *args: "" if args[1] == "pods" else "<html>")
    assert ask_all([target("a")], kubectl, 60)[0].problem == "the answer is not that of a storage node"


def test_nodes_that_the_time_does_not_reach_are_not_asked() -> None:
    asked, kubectl = fake(lambda *_: "")
    assert ask_all([target("a")], kubectl, 0)[0].problem == "not asked, 0 s were over; raise --timeout"
    assert [words[1] for words in asked.asked] == ["pods"]


def test_a_cluster_that_refuses_ends_the_check() -> None:
    def refuse(*_: str) -> str:
        raise KubectlError("(Forbidden): pods is forbidden")

    with pytest.raises(KubectlError, match="Forbidden"):
        ask_all([target("a")], fake(refuse)[1], 60)


# ---- the table


def test_the_table_fits_80_columns_whatever_the_nodes_are_called() -> None:
    name = "a-very-long-name-of-a-storage-node-group-in-europe-12"
    answers = [
        Answer(name, "yes", PEER, "v0.2.5-rc.1+build", ("/ip4/203.100.113.107/tcp/30510",) * 12, 12.345),
        Answer(name, "ImagePullBackOff", problem="(ServiceUnavailable): no endpoints available for service " + "x" * 60),
        Answer(name, "yes", PEER, "v1", ("/dns4/a-very-long-host-name.example.org/tcp/8070",), 0.1),
        Answer(name, disabled=True),
    ]
    lines = report(answers).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(f"{name}: ") for line in lines)


def test_the_table_says_what_each_node_announces_and_why_one_fails() -> None:
    answers = [
        answer_of(target("codex-1"), CODEX, ready="yes", seconds=0.04),
        Answer("codex-2", "no", problem="no endpoints"),
        Answer("codex-3", disabled=True),
    ]
    assert report(answers).splitlines() == [
        "NODE     READY     PEER ID     VERSION  ANNOUNCED             TIME",
        "codex-1  yes       16U*GcaXpS  v0.2.5   203.0.113.7:30510 +1  0.04s",
        "codex-2  no                             no answer",
        "codex-3  disabled",
        "codex-2: no endpoints",
        "1 of 2 nodes serve, 1 disabled",
    ]


# ---- the Job


def test_the_job_is_let_in_and_passes_pod_security_restricted() -> None:
    plan = plan_of(replicas=1)
    job = check_job(plan, list(targets(plan)), answer_seconds=10, deadline_seconds=90)
    template = job["spec"]["template"]
    container = template["spec"]["containers"][0]
    assert (job["metadata"]["name"], job["metadata"]["namespace"]) == ("codex-check", "storage")
    assert (job["spec"]["ttlSecondsAfterFinished"], job["spec"]["backoffLimit"]) == (600, 0)
    assert template["metadata"]["labels"]["nodestead.io/api-client"] == "true"
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert template["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert template["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["image"] == "docker.io/codexstorage/nim-codex:0.2.5"
    assert container["env"] == [
        {
            "name": "NODES",
            "value": "codex-bootstrap-1 http://codex-bootstrap-1-service.storage:8080/api/codex/v1/debug/info\n"
            "codex-1 http://codex-1-service.storage:8080/api/codex/v1/debug/info\n",
        },
        {"name": "TIMEOUT", "value": "10"},
    ]


def test_the_job_is_no_member_of_the_set_that_it_asks() -> None:
    plan = plan_of(replicas=1)
    labels = check_job(plan, list(targets(plan)), answer_seconds=10, deadline_seconds=90)["spec"]["template"]["metadata"][
        "labels"
    ]
    selectors = [
        m["spec"].get("podSelector", {}).get("matchLabels") or m["spec"].get("selector", {})
        for m in plan.manifests()
        if m["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget")
    ]
    assert selectors
    for selector in selectors:
        assert not dict(selector.get("matchLabels", selector)).items() <= labels.items()


def test_the_job_can_pull_what_the_nodes_can_pull() -> None:
    plan = plan_of(replicas=1, image={"repository": "registry.example.org/codex", "tag": "1", "pullSecrets": ("registry",)})
    spec = check_job(plan, [target("codex-1")], answer_seconds=10, deadline_seconds=90)["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["containers"][0]["image"] == "registry.example.org/codex:1"


def test_too_many_nodes_for_one_job_are_refused() -> None:
    with pytest.raises(CheckJobError, match="codex has 5000 nodes, too many for one Job; leave --job out"):
        check_job(plan_of(), [target(f"codex-{n}") for n in range(5000)], answer_seconds=10, deadline_seconds=90)


def test_a_set_without_nodes_has_no_job() -> None:
    with pytest.raises(CheckJobError, match="no node whose image could ask"):
        check_job(plan_of(replicas=0, bootstrap={"kind": "none"}), [], answer_seconds=10, deadline_seconds=90)


def test_the_job_is_named_after_its_set() -> None:
    assert check_job_name("codex") == "codex-check"


def test_the_log_of_the_job_is_read_node_by_node() -> None:
    digest = json.dumps({"id": PEER, "version": "v0.2.5", "addrs": ["/ip4/10.0.0.1/tcp/8070"]})
    log = f"codex-2\tfail\tHTTP 503\ncodex-1\tok\t{digest}\ncodex-5\tok\toops\nnoise\n"
    asked = [target("codex-1"), target("codex-2"), target("codex-3", disabled=True), target("codex-4"), target("codex-5")]
    assert list(answers_of_log(log, asked)) == [
        Answer("codex-1", "-", PEER, "v0.2.5", ("/ip4/10.0.0.1/tcp/8070",)),
        Answer("codex-2", problem="HTTP 503"),
        Answer("codex-3", disabled=True),
        Answer("codex-4", problem="the Job's log has no line for it"),
        Answer("codex-5", problem="the answer is not that of a storage node"),
    ]


JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "codex-check", "namespace": "storage"}}


def test_the_job_is_created_awaited_read_and_deleted() -> None:
    states = iter(["", "", "1"])
    asked, kubectl = fake(lambda *args: {"get": lambda: next(states), "logs": lambda: "log"}.get(args[0], str)())
    assert run_check_job(JOB, kubectl, 60, sleep=lambda _: None) == "log"
    assert [words[0] for words in asked.asked] == ["create", "get", "get", "get", "logs", "delete"]
    assert asked.stdin == [yaml_text(JOB)]


def test_a_job_in_which_a_node_failed_is_read_too() -> None:
    _, kubectl = fake(lambda *args: {"get": "1", "logs": "log"}.get(args[0], ""))
    assert run_check_job(JOB, kubectl, 60, sleep=lambda _: None) == "log"


def test_a_job_that_does_not_end_is_deleted_and_says_what_its_pod_waits_for() -> None:
    asked, kubectl = fake(lambda *args: "ImagePullBackOff" if args[1] == "pods" else "")
    with pytest.raises(KubectlError, match=r"^the Job codex-check did not end within 3 s: its pod waits: ImagePullBackOff$"):
        run_check_job(JOB, kubectl, 3, sleep=lambda _: None)
    assert asked.asked[-1][:3] == ("delete", "job", "codex-check")


def test_a_second_check_of_a_set_is_refused_and_deletes_nothing() -> None:
    def answer(*args: str) -> str:
        raise KubectlError('(AlreadyExists): error when creating "STDIN": jobs.batch "codex-check" already exists')

    asked, kubectl = fake(answer)
    with pytest.raises(KubectlError, match="another check of this set runs, or was interrupted"):
        run_check_job(JOB, kubectl, 3, sleep=lambda _: None)
    assert [words[0] for words in asked.asked] == ["create"]


# ---- chain nodes

ID = "0123456789abcdef0123456789abcdef01234567"
NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
KEYS = {"kind": "secret", "name": "node-keys", "ids": {"0": ID, "1": "f" * 40}}


def chain_plan(**given: Any) -> Any:
    software = {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"}
    image = {"repository": "registry.example.org/simd", "tag": "v1"}
    one = {"software": software, "image": image, "genesis": {"kind": "url", "url": "https://example.org/genesis.json"}, **given}
    config = {"namespace": {"name": "chain"}, "cluster": {"context": "prod"}, "blockchainNodeSets": {"hub": one}}
    return plan_stack(StackConfig.model_validate(config)).sets[0]


def chain_target(node: str = "hub-0", *, has_peers: bool = True) -> Target:
    return Target(node, "chain", f"http://{node}-p2p.chain:26657", chain=Chain(ID, "net-1", 60, has_peers))


def said(**sync: Any) -> dict[str, Any]:
    latest = {"latest_block_height": "812", "latest_block_time": "2026-05-01T11:59:56.123456789Z", "catching_up": False, **sync}
    return {
        "status": {"node_info": {"id": ID, "network": "net-1", "version": "0.38.17"}, "sync_info": latest},
        "net_info": {"n_peers": "3"},
        "abci_info": {"response": {"version": "1.4.2"}},
    }


def test_every_node_of_a_chain_set_is_asked_at_its_rpc() -> None:
    asked = list(targets(chain_plan(replicas=2, keys=KEYS, nodes={"1": {"disabled": "pod"}})))
    assert [(one.node, one.url, one.disabled) for one in asked] == [
        ("hub-0", "http://hub-0-p2p.chain:26657", False),
        ("hub-1", "http://hub-1-p2p.chain:26657", True),
    ]
    assert asked[0].chain == Chain(ID, "net-1", 60, has_peers=True)
    assert asked[0].proxy_path == "/api/v1/namespaces/chain/services/hub-0-p2p:26657/proxy"


def test_an_id_from_the_seed_is_not_known_outside_the_state() -> None:
    (one,) = targets(chain_plan())
    assert one.chain == Chain(None, "net-1", 60, has_peers=False)


def test_a_chain_node_that_is_well_is_read() -> None:
    answer = answer_of(chain_target(), said(), ready="yes", seconds=0.1, now=NOW)
    assert (answer.problem, answer.peer_id, answer.version, answer.height, answer.peers) == (None, ID, "1.4.2", 812, 3)
    assert answer.block_age == pytest.approx(3.876544)


def test_the_version_is_that_of_the_engine_where_the_application_tells_none() -> None:
    assert answer_of(chain_target(), {**said(), "abci_info": {}}, now=NOW).version == "0.38.17"


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (said(catching_up=True), "it is catching up; its last block, 812, is 3s old"),
        (
            said(latest_block_time="2026-05-01T10:49:00Z"),
            "its last block, 812, is 1h11m old, and probes.maxBlockAge is 1m0s: it is cut off, or its chain stands still",
        ),
        (said(latest_block_height="0", latest_block_time="0001-01-01T00:00:00Z"), "it has no block yet"),
        ({**said(), "net_info": {"n_peers": "0"}}, "it has no peers"),
        (
            {**said(), "status": {**said()["status"], "node_info": {"id": "e" * 40, "network": "net-2"}}},
            (
                f"it is {'e' * 40}, and the stack names {ID}: it has another key, or its Service another pod;"
                " it is on the chain net-2, and not on net-1"
            ),
        ),
        (None, "the answer is not that of a chain node"),
        ({"status": []}, "the answer is not that of a chain node"),
        (said(latest_block_time="yesterday"), "the answer is not that of a chain node"),
    ],
)
def test_what_is_wrong_with_a_chain_node_is_said_in_words(info: Any, problem: str) -> None:
    assert answer_of(chain_target(), info, now=NOW).problem == problem


def test_a_lone_node_needs_no_peers() -> None:
    assert answer_of(chain_target(has_peers=False), {**said(), "net_info": {"n_peers": "0"}}, now=NOW).problem is None


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_chain_node_is_asked_three_questions_through_the_proxy(wrapped: bool) -> None:
    def answer(*args: str) -> str:
        if args[1] == "pods":
            return "hub-0-0\thub-0\tTrue\n"
        inner = said()[args[2].rpartition("/")[2]]
        return json.dumps({"jsonrpc": "2.0", "id": -1, "result": inner} if wrapped else inner)

    asked, kubectl = fake(answer)
    (found,) = ask_all([chain_target()], kubectl, 60)
    assert (found.ready, found.height, found.peers, found.version) == ("yes", 812, 3, "1.4.2")
    path = "/api/v1/namespaces/chain/services/hub-0-p2p:26657/proxy"
    assert [words[2] for words in asked.asked[1:]] == [f"{path}/status", f"{path}/net_info", f"{path}/abci_info"]


def test_a_stack_of_both_kinds_has_a_table_for_each() -> None:
    answers = [
        answer_of(target("codex-1"), CODEX, ready="yes", seconds=0.04),
        answer_of(chain_target(), said(), ready="yes", seconds=0.1, now=NOW),
        answer_of(chain_target("hub-1"), said(catching_up=True), ready="no", seconds=0.1, now=NOW),
        Answer("hub-2", "no", problem="no endpoints", chain=True),
        Answer("hub-3", disabled=True, chain=True),
    ]
    assert report(answers).splitlines() == [
        "NODE     READY  PEER ID     VERSION  ANNOUNCED             TIME",
        "codex-1  yes    16U*GcaXpS  v0.2.5   203.0.113.7:30510 +1  0.04s",
        "",
        "NODE   READY     NODE ID     VERSION  HEIGHT     AGE  PEERS",
        "hub-0  yes       012*234567  1.4.2    812        3s   3",
        "hub-1  no        012*234567  1.4.2    812        3s   3",
        "hub-2  no                             no answer",
        "hub-3  disabled",
        "hub-1: it is catching up; its last block, 812, is 3s old",
        "hub-2: no endpoints",
        "2 of 4 nodes serve, 1 disabled",
    ]


def test_the_job_of_a_chain_set_asks_with_the_image_that_prepares_its_nodes() -> None:
    plan = chain_plan(replicas=1)
    job = check_job(plan, list(targets(plan)), answer_seconds=10, deadline_seconds=90)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].startswith("docker.io/library/python:")
    assert container["command"][:2] == ["python3", "-c"]
    assert container["env"][0] == {"name": "NODES", "value": "hub-0 http://hub-0-p2p.chain:26657\n"}
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["nodestead.io/api-client"] == "true"
    (policy,) = [one for one in plan.manifests() if one["kind"] == "NetworkPolicy"]
    assert not policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_log_of_a_chain_sets_job_is_read_node_by_node() -> None:
    digest = json.dumps(said(catching_up=True))
    log = f"hub-0\tok\t{digest}\nhub-1\tfail\tConnection refused\n"
    first, second = answers_of_log(log, [chain_target(), chain_target("hub-1")])
    assert (first.height, first.peers) == (812, 3)
    assert (first.problem or "").startswith("it is catching up; its last block, 812, is ")
    assert second == Answer("hub-1", problem="Connection refused", chain=True)


class Rpc(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/")
        whole = (
            {**said()["status"], "validator_info": {"address": "A"}} if name == "status" else {**said()[name], "peers": [{}] * 3}
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"jsonrpc": "2.0", "result": whole}).encode())

    def log_message(self, *args: object) -> None:
        pass


def test_the_jobs_script_asks_nodes_and_prints_what_the_check_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Rpc) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("NODES", f"hub-0 {here}\nhub-1 http://127.0.0.1:1\n")
        monkeypatch.setenv("TIMEOUT", "5")
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(AGENTS / "check_chain.py"), run_name="__main__")
        server.shutdown()
    assert ended.value.code == 1
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first.split("\t")[2]) == said()
    assert second.split("\t")[:2] == ["hub-1", "fail"]
    assert "refused" in second


def test_the_jobs_script_without_nodes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODES", "")
    with pytest.raises(SystemExit, match="NODES is empty"):
        runpy.run_path(str(AGENTS / "check_chain.py"), run_name="__main__")
