"""The scripts that run inside storage pods, run for real against a small web server on this machine."""

import json
import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import nodestead.agents

if any(shutil.which(tool) is None for tool in ("curl", "jq")):
    pytest.skip("NOT TESTED: the scripts of the storage pods; install curl and jq", allow_module_level=True)

AGENTS = Path(nodestead.agents.__file__).parent
SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
RECORD_A = "spr:CiUIAhIhA7E4DEMer8nUOIUSaNPA4z6x0n9Xaknd28Cfw9S2-cCeEgIDARo"
RECORD_B = "spr:CiUIAhIhAzZn3JmJab46BNjadVnLNQKbhnN3eYxwqpteKYY32SbOEgIDARo"
# A folder of user 1234 looks to such a process as it does to a pod that runs as another user.
AS_ANOTHER_USER = ["setpriv", "--bounding-set=-fowner,-dac_override", "--inh-caps=-fowner,-dac_override"]
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root, with setpriv, can play a user who may not chmod"
)


class Web:
    """A web server: `answers` holds for each path what it says, one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, str]]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.headers: dict[str, str] = {}
        self.silent = threading.Event()
        self.over = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                web.asked.append((self.command, self.path, body))
                web.headers = dict(self.headers)
                if web.silent.is_set():
                    web.over.wait()
                    return
                said = web.answers.get(f"{self.command} {self.path}") or web.answers.get(self.path) or [(404, "not here")]
                status, text = said.pop(0) if len(said) > 1 else said[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def __getattr__(self, name: str) -> object:
                if name in {"do_GET", "do_POST", "do_PATCH"}:
                    return self.respond
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def changes(self) -> list[tuple[str, str, str]]:
        """Requests other than GET."""
        return [request for request in self.asked if request[0] != "GET"]


class Pod:
    """Runs scripts as a pod would, with a folder of its own."""

    def __init__(self, shell: list[str], folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.args_file = folder / "args"

    def command(self, script: str, *arguments: str) -> list[str]:
        return [*self.shell, str(AGENTS / script), *arguments]

    def env(self, given: dict[str, object]) -> dict[str, str]:
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        base = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "ARGS_FILE": str(self.args_file)}
        return base | {name: str(value) for name, value in given.items()}

    def run(
        self, script: str, *arguments: str, wrapper: list[str] | None = None, **env: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*(wrapper or []), *self.command(script, *arguments)],
            env=self.env(env),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert list((self.folder / "tmp").iterdir()) == [], "it leaves files behind"
        return done

    def start(self, script: str, *arguments: str, **env: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(script, *arguments), env=self.env(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def prepare(self, **env: object) -> list[str]:
        """The arguments that prepare.sh found; it has to succeed."""
        done = self.run("prepare.sh", **env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return self.args_file.read_text().splitlines()

    def refusal(self, script: str = "prepare.sh", **env: object) -> str:
        """The one line in which a script says what is wrong."""
        done = self.run(script, **env)
        assert done.returncode == 1, done.stdout
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("nodestead: ")
        return lines[0].removeprefix("nodestead: ")


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(request.param, tmp_path)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- prepare.sh: the data folder ---


def test_a_data_folder_has_no_setgid_bit_of_its_mount(pod: Pod) -> None:
    mount = pod.folder / "data"
    mount.mkdir()
    mount.chmod(0o2775)
    pod.prepare(DATA_DIR=mount / "node")
    assert mode_of(mount / "node") == 0o700


def test_modes_that_a_group_change_opened_are_closed_again(pod: Pod) -> None:
    data = pod.folder / "node"
    (data / "repo").mkdir(parents=True)
    (data / "key").write_text("secret")
    data.chmod(0o2770)
    (data / "repo").chmod(0o2770)
    (data / "key").chmod(0o660)
    pod.prepare(DATA_DIR=data)
    assert [mode_of(data), mode_of(data / "repo"), mode_of(data / "key")] == [0o700, 0o700, 0o600]


@needs_root
def test_a_data_folder_of_another_user_is_refused_with_its_remedy(pod: Pod) -> None:
    data = pod.folder / "node"
    data.mkdir(mode=0o755)
    os.chown(data, 1234, 1234)
    done = pod.run("prepare.sh", wrapper=AS_ANOTHER_USER, DATA_DIR=data)
    assert done.returncode == 1
    assert done.stderr == (
        f"nodestead: {data} belongs to 1234:1234 with mode drwxr-xr-x and user 0 cannot make it writable for itself alone (0700),"
        f" as the node demands; let the pod run as the owner (runAsUser), or give the folder away once: chown -R 0 {data}\n"
    )


@needs_root
def test_a_mount_that_may_not_be_written_is_refused_with_its_owner(pod: Pod) -> None:
    mount = pod.folder / "data"
    mount.mkdir(mode=0o755)
    os.chown(mount, 1234, 1234)
    done = pod.run("prepare.sh", wrapper=AS_ANOTHER_USER, DATA_DIR=mount / "a" / "node")
    assert done.returncode == 1
    assert f"{mount} belongs to 1234:1234 with mode drwxr-xr-x; let fsGroup name a group" in done.stderr


@pytest.mark.parametrize("entry", ["key", "repo"])
def test_data_of_an_earlier_chart_is_refused_with_the_line_that_adopts_it(pod: Pod, entry: str) -> None:
    mount = pod.folder / "data"
    for name in ("dht", entry, "lost+found"):
        (mount / name).mkdir(parents=True)
    (mount / "bootstrap-sprs").touch()
    said = pod.refusal(DATA_DIR=mount / "node")
    assert said.startswith(
        f"the data of an earlier chart lies at the root of the volume ({mount}), and the node would start anew"
    )
    assert not (mount / "node").exists()
    command = said.partition("mounts the volume: ")[2]
    assert command == f"mkdir -p {mount}/node && mv {mount}/dht {mount}/{entry} {mount}/node/"
    subprocess.run(["sh", "-c", command], check=True)
    pod.prepare(DATA_DIR=mount / "node")
    assert sorted(path.name for path in (mount / "node").iterdir()) == sorted(["dht", entry])
    assert mode_of(mount / "node") == 0o700


# --- prepare.sh: the key ---


@pytest.mark.parametrize("content", [KEY, f"{KEY}\n", f"0x{KEY.upper()}\n", f"{KEY}\r\n"])
def test_a_key_is_copied_byte_for_byte_as_0600(pod: Pod, content: str) -> None:
    target = pod.folder / "run" / "key"
    target.parent.mkdir()
    target.write_text("an older one, open to all")
    target.chmod(0o644)
    (pod.folder / "run" / "key.new").write_text("left by a run that was interrupted")
    source = pod.folder / "mounted"
    source.write_text(content, newline="")
    source.chmod(0o440)
    pod.prepare(KEY_FILE=source, KEY_TARGET=target)
    assert target.read_bytes() == content.encode()
    assert mode_of(target) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["key"]


@pytest.mark.parametrize(
    "content", ["", "\n", KEY[:-1], KEY + "0", "0x" + KEY[:-2] + "zz", f"{KEY}\n{KEY}\n", f"# key\n{KEY}\n", "<not rendered>"]
)
def test_a_key_that_no_node_accepts_is_refused_and_not_shown(pod: Pod, content: str) -> None:
    source = pod.folder / "mounted"
    source.write_text(content)
    said = pod.refusal(KEY_FILE=source, KEY_TARGET=pod.folder / "key")
    assert said.startswith(f"the Secret has no usable key for this node: {source} does not hold 64 hexadecimal digits;")
    assert KEY[:8] not in said
    assert not (pod.folder / "key").exists()


def test_a_missing_key_is_refused_by_the_name_of_its_file(pod: Pod) -> None:
    said = pod.refusal(KEY_FILE=pod.folder / "codex-7", KEY_TARGET=pod.folder / "key")
    assert said.startswith(f"the Secret has no usable key for this node: {pod.folder}/codex-7 is missing or unreadable;")


# --- prepare.sh: the address ---


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"ADDRESS_FROM": "pod", "POD_IP": "10.88.0.7"}, "--nat=extip:10.88.0.7"),
        ({"ADDRESS_FROM": "host", "HOST_IP": "203.0.113.9"}, "--nat=extip:203.0.113.9"),
        ({"ADDRESS_FROM": "fixed", "ADDRESS": "198.51.100.255"}, "--nat=extip:198.51.100.255"),
    ],
)
def test_an_address_becomes_an_argument(pod: Pod, env: dict[str, str], line: str) -> None:
    file = pod.folder / "address"
    assert pod.prepare(NAT_ARG="--nat=extip:{address}", ADDRESS_FILE=file, **env) == [line]
    assert file.read_text() == line.removeprefix("--nat=extip:") + "\n"


def test_an_old_grammar_of_nat_is_a_template_as_well(pod: Pod) -> None:
    assert pod.prepare(ADDRESS_FROM="pod", POD_IP="10.88.0.7", NAT_ARG="--nat={address}") == ["--nat=10.88.0.7"]


@pytest.mark.parametrize("env", [{}, {"ADDRESS_FROM": "none"}])
def test_no_address_is_no_argument(pod: Pod, env: dict[str, str]) -> None:
    assert pod.prepare(NAT_ARG="--nat=extip:{address}", **env) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "10.0.0",
        "10.0.0.0.1",
        "10.0.0.256",
        "10.0.0.01",
        "10.0.0.1 10.0.0.2",
        "10.0.0.1,fd00::1",
        "lb.example.org",
        "0.0.0.0",
        "127.0.0.1",
    ],
)
def test_what_is_not_one_address_is_never_announced(pod: Pod, address: str) -> None:
    said = pod.refusal(ADDRESS_FROM="pod", POD_IP=address, NAT_ARG="--nat=extip:{address}")
    assert f"(from: pod) is '{address}', which is not an IP address that peers can dial" in said
    assert pod.args_file.read_text() == ""


@pytest.mark.parametrize("address", ["::", "fd00::1::2", "1:2:3:4:5:6:7", "12345::1", ":1:2:3:4:5:6:7", "fd00::g"])
def test_what_is_not_one_ipv6_address_is_never_announced(pod: Pod, address: str) -> None:
    assert f"'{address}', which is not an IP address" in pod.refusal(
        ADDRESS_FROM="pod", POD_IP=address, NAT_ARG="--nat=extip:{address}"
    )


@pytest.mark.parametrize("address", ["1:2:3:4:5:6:7:8", "2001:db8::", "fe80::a:b", "2001:db8:0:1::2", "::1", "fd00:10:88::7"])
def test_an_ipv6_address_is_refused_for_nodes_that_listen_on_ipv4(pod: Pod, address: str) -> None:
    said = pod.refusal(ADDRESS_FROM="pod", POD_IP=address, NAT_ARG="{address}")
    assert f"(from: pod) is '{address}', which is an IPv6 address, and the node listens on IPv4 only; choose" in said


def test_each_pod_finds_its_own_address_in_a_map(pod: Pod) -> None:
    addresses = pod.folder / "addresses"
    addresses.mkdir()
    (addresses / "codex-1-0").write_text("203.0.113.1\n")
    assert pod.prepare(ADDRESS_FROM="fixed", ADDRESS_MAP=addresses, POD_NAME="codex-1-0", NAT_ARG="{address}") == ["203.0.113.1"]
    said = pod.refusal(ADDRESS_FROM="fixed", ADDRESS_MAP=addresses, POD_NAME="codex-2-0", NAT_ARG="{address}")
    assert said == f"there is no address for codex-2-0 in {addresses}; add it to the addresses of externalAddress"


def test_an_unknown_source_of_the_address_is_refused(pod: Pod) -> None:
    assert pod.refusal(ADDRESS_FROM="dns") == "ADDRESS_FROM is 'dns'; it must be pod, host, node, lookup, fixed or none"


def test_a_lookup_is_repeated_until_it_gives_an_address(pod: Pod, web: Web) -> None:
    web.answers["/ip"] = [(503, "busy"), (200, " 203.0.113.4\n")]
    assert pod.prepare(ADDRESS_FROM="lookup", ADDRESS_URL=f"{web.url}/ip", NAT_ARG="{address}") == ["203.0.113.4"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, "<html>a login page</html>"), "the answer is not one IP address"),
        ((200, "2001:db8::5"), "an IPv6 address, and the node listens on IPv4 only"),
        ((403, ""), "curl: (22) The requested URL returned error: 403"),
    ],
)
def test_a_lookup_that_gives_none_is_refused_in_time(pod: Pod, web: Web, answer: tuple[int, str], reason: str) -> None:
    web.answers["/ip"] = [answer]
    said = pod.refusal(ADDRESS_FROM="lookup", ADDRESS_URL=f"{web.url}/ip", ADDRESS_WAIT=0, NAT_ARG="{address}")
    assert said.startswith(f"{web.url}/ip gave no address to announce within 0 s ({reason}")


def node_of(*addresses: tuple[str, str]) -> str:
    return json.dumps({"status": {"addresses": [{"type": kind, "address": address} for kind, address in addresses]}})


def account_in(pod: Pod) -> Path:
    folder = pod.folder / "account"
    folder.mkdir()
    (folder / "token").write_text("s3cr3t")
    (folder / "ca.crt").write_text("")
    return folder


@pytest.mark.parametrize(
    ("addresses", "announced"),
    [
        ([("InternalIP", "10.0.0.1"), ("ExternalIP", "203.0.113.5")], "203.0.113.5"),
        ([("ExternalIP", "2001:db8::5"), ("ExternalIP", "203.0.113.5"), ("ExternalIP", "203.0.113.6")], "203.0.113.5"),
    ],
)
def test_the_external_address_of_the_host_is_asked_of_the_api_server(
    pod: Pod, web: Web, addresses: list[tuple[str, str]], announced: str
) -> None:
    web.answers["/api/v1/nodes/worker"] = [(200, node_of(*addresses))]
    env = {"KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": account_in(pod), "NODE_NAME": "worker", "NAT_ARG": "{address}"}
    assert pod.prepare(ADDRESS_FROM="node", **env) == [announced]
    assert web.headers["Authorization"] == "Bearer s3cr3t"


def test_an_api_server_that_is_away_is_asked_again(pod: Pod, web: Web) -> None:
    web.answers["/api/v1/nodes/worker"] = [(500, ""), (200, node_of(("ExternalIP", "203.0.113.5")))]
    env = {"KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": account_in(pod), "NODE_NAME": "worker", "NAT_ARG": "{address}"}
    assert pod.prepare(ADDRESS_FROM="node", **env) == ["203.0.113.5"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, node_of(("InternalIP", "10.0.0.1"))), "node worker has no ExternalIP to announce"),
        ((200, "{}"), "node worker has no ExternalIP to announce"),
        (
            (200, node_of(("ExternalIP", "2001:db8::5"))),
            "the address to announce (from: node) is '2001:db8::5', which is an IPv6",
        ),
        (
            (403, "{}"),
            "the API server answers 403 for node worker; the pod's service account needs a ClusterRole",
        ),
        ((404, "{}"), "the API server knows no node worker"),
        ((503, "{}"), "the API server does not tell the address of node worker (503"),
    ],
)
def test_a_host_without_an_external_address_is_refused(pod: Pod, web: Web, answer: tuple[int, str], message: str) -> None:
    web.answers["/api/v1/nodes/worker"] = [answer]
    env = {"KUBERNETES_API": web.url, "SERVICE_ACCOUNT_DIR": account_in(pod), "NODE_NAME": "worker", "ADDRESS_WAIT": 0}
    said = pod.refusal(ADDRESS_FROM="node", NAT_ARG="--nat=extip:{address}", **env)
    assert said.startswith(message)
    assert "s3cr3t" not in said
    assert pod.args_file.read_text() == ""


def test_a_missing_service_account_token_is_refused(pod: Pod) -> None:
    said = pod.refusal(ADDRESS_FROM="node", NODE_NAME="worker", SERVICE_ACCOUNT_DIR=pod.folder)
    assert said.startswith(f"no service account token in {pod.folder}")


# --- prepare.sh: bootstrap nodes ---


def test_records_are_taken_as_text_and_as_json(pod: Pod, web: Web) -> None:
    web.answers = {"/a/spr": [(200, f"{RECORD_A}\n")], "/b/spr": [(200, json.dumps({"spr": RECORD_B}))]}
    lines = pod.prepare(BOOTSTRAP_URLS=f"{web.url}/a/spr {web.url}/b/spr", BOOTSTRAP_CACHE=pod.folder / "cache")
    assert lines == [f"--bootstrap-node={RECORD_A}", f"--bootstrap-node={RECORD_B}"]
    assert web.headers["Accept"] == "text/plain"
    assert (pod.folder / "cache").read_text() == f"{RECORD_A}\n{RECORD_B}\n"


def test_a_record_that_two_give_is_used_once(pod: Pod, web: Web) -> None:
    web.answers["/spr"] = [(200, RECORD_A)]
    assert pod.prepare(BOOTSTRAP_URLS=f"{web.url}/spr {web.url}/spr", BOOTSTRAP_ARG="-b={spr}") == [f"-b={RECORD_A}"]


@pytest.mark.parametrize("between", ["\n", " ", "\r\n\n", "\t"])
def test_a_url_may_answer_a_list_of_records(pod: Pod, web: Web, between: str) -> None:
    web.answers = {"/testnet": [(200, f"{RECORD_A}{between}{RECORD_B}")], "/spr": [(200, RECORD_B)]}
    lines = pod.prepare(BOOTSTRAP_URLS=f"{web.url}/spr {web.url}/testnet", BOOTSTRAP_CACHE=pod.folder / "cache")
    assert lines == [f"--bootstrap-node={RECORD_B}", f"--bootstrap-node={RECORD_A}"]
    assert (pod.folder / "cache").read_text() == f"{RECORD_B}\n{RECORD_A}\n"


def test_a_list_with_anything_else_in_it_is_no_list_of_records(pod: Pod, web: Web) -> None:
    web.answers["/testnet"] = [(200, f"{RECORD_A}\n<html>\n")]
    assert "(the answer is not a peer record" in pod.refusal(BOOTSTRAP_URLS=f"{web.url}/testnet", BOOTSTRAP_WAIT=0)


def test_a_node_waits_for_its_bootstrap_node_and_one_of_them_is_enough(pod: Pod, web: Web) -> None:
    web.answers = {"/a/spr": [(503, ""), (200, "not yet"), (200, RECORD_A)], "/b/spr": [(500, "")]}
    done = pod.run("prepare.sh", BOOTSTRAP_URLS=f"{web.url}/b/spr {web.url}/a/spr", BOOTSTRAP_WAIT=20)
    assert done.returncode == 0
    assert pod.args_file.read_text() == f"--bootstrap-node={RECORD_A}\n"
    assert done.stdout.startswith("nodestead: waiting up to 20 s for the peer record of a bootstrap node:")
    assert done.stdout.endswith("nodestead: bootstrapping from 1 of 2 bootstrap nodes\n")


def test_without_an_answer_the_records_of_an_earlier_run_are_used(pod: Pod, web: Web) -> None:
    cache = pod.folder / "cache"
    cache.write_text(f"{RECORD_B}\n")
    done = pod.run("prepare.sh", BOOTSTRAP_URLS=f"{web.url}/spr", BOOTSTRAP_WAIT=0, BOOTSTRAP_CACHE=cache)
    assert done.returncode == 0
    assert pod.args_file.read_text() == f"--bootstrap-node={RECORD_B}\n"
    assert f"starting with those of an earlier run, from {cache}" in done.stdout
    assert cache.read_text() == f"{RECORD_B}\n"


@pytest.mark.parametrize("cached", [None, "", "no record"])
def test_without_an_answer_and_without_an_earlier_run_it_is_refused(pod: Pod, web: Web, cached: str | None) -> None:
    cache = pod.folder / "cache"
    if cached is not None:
        cache.write_text(cached)
    done = pod.run("prepare.sh", BOOTSTRAP_URLS=f"{web.url}/spr http://127.0.0.1:9/spr", BOOTSTRAP_WAIT=0, BOOTSTRAP_CACHE=cache)
    assert done.returncode == 1
    assert done.stderr.startswith(f"nodestead: no bootstrap node gave its peer record within 0 s: {web.url}/spr (curl: (22)")
    assert "http://127.0.0.1:9/spr (curl: (7) Failed to connect" in done.stderr
    assert "see whether a bootstrap node is ready and whether NetworkPolicies let this pod reach its API" in done.stderr


def test_every_run_begins_with_an_empty_file_of_arguments(pod: Pod) -> None:
    env = {"ADDRESS_FROM": "pod", "POD_IP": "10.88.0.7", "NAT_ARG": "--nat=extip:{address}"}
    pod.prepare(**env)
    assert pod.prepare(**env) == ["--nat=extip:10.88.0.7"]
    assert mode_of(pod.args_file) == 0o600


def test_a_signal_ends_the_waiting(pod: Pod, web: Web) -> None:
    process = pod.start("prepare.sh", BOOTSTRAP_URLS=f"{web.url}/spr", BOOTSTRAP_WAIT=60)
    while not web.asked:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143


# --- start.sh ---


def entrypoint_in(pod: Pod) -> Path:
    path = pod.folder / "entrypoint"
    path.write_text('#!/bin/sh\nprintf "%s|" "$$" "$@"\n')
    path.chmod(0o755)
    return path


def test_found_arguments_come_last_and_whole(pod: Pod) -> None:
    pod.args_file.write_text("--nat=extip:10.0.0.7\n\n--name=two words * $HOME `id`\n--last=no newline")
    process = pod.start("start.sh", "codex", "--log-level=a b", "persistence", "", ENTRYPOINT=entrypoint_in(pod))
    output, _ = process.communicate(timeout=10)
    # The same process: signals of the kubelet reach the node.
    given = f"{process.pid}|codex|--log-level=a b|persistence||"
    assert output == given + "--nat=extip:10.0.0.7|--name=two words * $HOME `id`|--last=no newline|"


@pytest.mark.parametrize("env", [{"ENTRYPOINT": ""}, {"ENTRYPOINT": "/no/such/entrypoint"}])
def test_without_an_entrypoint_the_arguments_are_the_program(pod: Pod, env: dict[str, str]) -> None:
    assert pod.run("start.sh", "echo", "a  b", **env).stdout == "a  b\n"


def test_a_program_that_the_image_lacks_is_named(pod: Pod) -> None:
    done = pod.run("start.sh", "no-such-node", ENTRYPOINT="")
    assert done.returncode == 127
    assert done.stderr == "nodestead: the image has no program 'no-such-node'; set image to one that holds this software\n"


# --- start.sh: the circuit files of a prover ---

STAND_IN = Path(__file__).parents[1] / "e2e" / "stand_in"
RPC = "https://rpc.example.org/v3/t0ken"
MARKET, OTHER_MARKET = "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c", "0x0000000000000000000000000000000000000001"


def prover(pod: Pod, **env: str) -> dict[str, Any]:
    """The environment of a prover, whose image has `cirdl`."""
    data = pod.folder / "data" / "node"
    data.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{STAND_IN}:{os.environ['PATH']}",
        "ENTRYPOINT": "",
        "PROVER": "true",
        "PREFIX": "CODEX",
        "CODEX_DATA_DIR": data,
        "CODEX_CIRCUIT_DIR": data / "circuits",
        "CODEX_ETH_PROVIDER": RPC,
        **env,
    }


def circuits_in(pod: Pod) -> dict[str, str]:
    folder = pod.folder / "data" / "node" / "circuits"
    return {path.name: path.read_text() for path in sorted(folder.glob("proof_main.*"))}


def circuits_of(market: str) -> dict[str, str]:
    return {f"proof_main.{kind}": f"circuits of {market}\n" for kind in ("r1cs", "wasm", "zkey")}


@pytest.mark.parametrize(("given", "market"), [({}, "the chain"), ({"CODEX_MARKETPLACE_ADDRESS": MARKET}, MARKET)])
def test_a_prover_gets_its_circuit_files_on_the_volume(pod: Pod, given: dict[str, str], market: str) -> None:
    # The setgid bit of a mount with fsGroup is not passed on.
    (pod.folder / "data").mkdir(mode=0o700)
    (pod.folder / "data").chmod(0o2775)
    done = pod.run("start.sh", "sh", "-c", 'echo "${PREFIX-none} $(umask)"', **prover(pod, **given))
    assert (done.returncode, done.stderr) == (0, "")
    assert RPC not in done.stdout
    assert done.stdout.splitlines()[1:] == [f"none {subprocess.check_output(['sh', '-c', 'umask'], text=True).strip()}"]
    assert circuits_in(pod) == circuits_of(market)
    assert mode_of(pod.folder / "data" / "node" / "circuits") == 0o700
    assert [path.name for path in (pod.folder / "data").iterdir()] == ["node"], "it leaves its work behind"


def test_circuit_files_are_fetched_once_and_anew_for_another_contract(pod: Pod) -> None:
    away = {"CODEX_ETH_PROVIDER": f"{RPC}/away"}
    for given in ({}, away):
        env = prover(pod, CODEX_MARKETPLACE_ADDRESS=MARKET, **given)
        assert pod.run("start.sh", "echo", "started", **env).stdout.endswith("started\n")
    # Those of another contract do not pass for those of this one.
    assert "cirdl left no circuit files" in pod.refusal("start.sh", **prover(pod, CODEX_MARKETPLACE_ADDRESS=OTHER_MARKET, **away))
    assert circuits_in(pod) == circuits_of(MARKET)
    pod.run("start.sh", "true", **prover(pod, CODEX_MARKETPLACE_ADDRESS=OTHER_MARKET))
    assert circuits_in(pod) == circuits_of(OTHER_MARKET)


@pytest.mark.parametrize("program", ["wasm", "bin"])
def test_circuit_files_that_were_there_before_are_kept(pod: Pod, program: str) -> None:
    env = prover(pod, CODEX_ETH_PROVIDER=f"{RPC}/away")
    folder = pod.folder / "data" / "node" / "circuits"
    folder.mkdir()
    for kind in ("r1cs", "zkey", program):
        (folder / f"proof_main.{kind}").write_text("old")
    assert pod.run("start.sh", "echo", "started", **env).stdout == "started\n"
    (folder / f"proof_main.{program}").unlink()
    assert "cirdl left no circuit files" in pod.refusal("start.sh", **env)


def test_a_prover_without_circuit_files_is_refused_and_the_provider_not_shown(pod: Pod) -> None:
    done = pod.run("start.sh", "echo", "started", **prover(pod, CODEX_ETH_PROVIDER=f"{RPC}/away"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "nodestead: cirdl left no circuit files (Failed to get circuit hash), and a prover cannot start"
    )
    assert "t0ken" not in done.stdout + done.stderr
    assert "started" not in done.stdout


def test_an_image_that_cannot_fetch_circuit_files_is_named(pod: Pod) -> None:
    assert pod.refusal("start.sh", **prover(pod, PATH=os.environ["PATH"])).startswith("the image has no program cirdl")


def test_a_signal_ends_the_fetching_and_leaves_nothing_behind(pod: Pod) -> None:
    slow = pod.folder / "slow"
    slow.mkdir()
    (slow / "cirdl").write_text(f"#!/bin/sh\ntouch {pod.folder}/asked\nexec sleep 60\n")
    (slow / "cirdl").chmod(0o755)
    process = pod.start("start.sh", "echo", "started", **prover(pod, PATH=f"{slow}:{os.environ['PATH']}"))
    while not (pod.folder / "asked").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "started" not in output
    assert [path.name for path in (pod.folder / "data").iterdir()] == ["node"]


# --- availability.sh ---

WANTED = {"totalSize": "1000", "duration": "3600", "minPricePerBytePerSecond": "5", "totalCollateral": "70", "enabled": True}
SALES = "/api/codex/v1/sales/availability"


def offer(offer_id: str, **fields: object) -> dict[str, object]:
    """What a node answers for WANTED: sizes and times as numbers."""
    return {"id": offer_id, "freeSize": 1000, "until": 0, **WANTED, "totalSize": 1000, "duration": 3600, **fields}


def look_once(pod: Pod, web: Web, wanted: object = None) -> subprocess.CompletedProcess[str]:
    return pod.run("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY=json.dumps(wanted or WANTED), ONCE=1)


def test_storage_is_offered_where_nothing_is_offered(pod: Pod, web: Web) -> None:
    web.answers = {f"GET {SALES}": [(200, "[]")], f"POST {SALES}": [(201, "{}")]}
    done = look_once(pod, web)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nodestead: availability offered\n", "")
    assert web.changes() == [("POST", SALES, json.dumps(WANTED))]


def test_an_offer_as_wanted_is_left_alone(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, json.dumps([offer("0x1")]))]
    done = look_once(pod, web)
    assert (done.returncode, done.stdout) == (0, "nodestead: availability as wanted\n")
    assert web.changes() == []


def test_only_what_differs_is_changed(pod: Pod, web: Web) -> None:
    web.answers = {
        f"GET {SALES}": [(200, json.dumps([offer("0x1", duration=60, enabled=False)]))],
        f"PATCH {SALES}/0x1": [(204, "")],
    }
    done = look_once(pod, web)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'nodestead: availability changed: {"duration":"3600","enabled":true}\n'
    assert web.changes() == [("PATCH", f"{SALES}/0x1", '{"duration":"3600","enabled":true}')]


def test_of_several_offers_the_one_as_wanted_is_kept(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, json.dumps([offer("0x1", duration=60), offer("0x2")]))]
    assert (
        look_once(pod, web).stdout
        == "nodestead: availability as wanted; the node has 2, this is 0x2, the others are left alone\n"
    )
    assert web.changes() == []


def test_of_several_offers_the_first_is_changed_where_none_is_as_wanted(pod: Pod, web: Web) -> None:
    offers = [offer("0x1", duration=60), offer("0x2", duration=61)]
    web.answers = {f"GET {SALES}": [(200, json.dumps(offers))], f"PATCH {SALES}/0x1": [(200, "{}")]}
    done = look_once(pod, web)
    assert done.stdout.endswith("; the node has 2, this is 0x1, the others are left alone\n")
    assert web.changes() == [("PATCH", f"{SALES}/0x1", '{"duration":"3600"}')]


@pytest.mark.parametrize("current", [(404, "not found"), (200, '{"maximumDuration": 60}')])
def test_terms_of_a_node_that_has_only_one_set_are_replaced(pod: Pod, web: Web, current: tuple[int, str]) -> None:
    wanted = {"maximumDuration": 3600, "minimumPricePerBytePerSecond": "5"}
    web.answers = {f"GET {SALES}": [current], f"POST {SALES}": [(201, "")]}
    assert look_once(pod, web, wanted).returncode == 0
    assert web.changes() == [("POST", SALES, json.dumps(wanted))]


def test_terms_as_wanted_are_left_alone(pod: Pod, web: Web) -> None:
    web.answers[f"GET {SALES}"] = [(200, '{"maximumDuration": 3600, "minimumPricePerBytePerSecond": "5", "availableUntil": 0}')]
    assert look_once(pod, web, {"maximumDuration": "3600", "minimumPricePerBytePerSecond": 5}).returncode == 0
    assert web.changes() == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            {f"GET {SALES}": [(503, "Persistence is not enabled")]},
            "the node takes no part in the marketplace (503 Persistence is not enabled)",
        ),
        ({f"GET {SALES}": [(500, "")]}, "the node does not tell its availability (500 )"),
        ({f"GET {SALES}": [(200, "<html>")]}, "the node's list of availabilities is not understood: <html>"),
        (
            {f"GET {SALES}": [(200, "[]")], f"POST {SALES}": [(422, "Not enough storage quota")]},
            "the node refuses the availability (422 Not enough storage quota)",
        ),
    ],
)
def test_what_the_node_refuses_is_said(pod: Pod, web: Web, answers: dict[str, list[tuple[int, str]]], message: str) -> None:
    web.answers = answers
    done = look_once(pod, web)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"nodestead: {message}")


def test_a_node_that_does_not_answer_is_waited_for(pod: Pod) -> None:
    said = pod.refusal("availability.sh", API_URL="http://127.0.0.1:9/api/codex/v1", AVAILABILITY="{}", ONCE=1)
    assert said == "waiting for the node's API at http://127.0.0.1:9/api/codex/v1"


@pytest.mark.parametrize("wanted", ["", "[]", "{} {}", "{"])
def test_availability_that_is_no_object_is_refused(pod: Pod, wanted: str) -> None:
    assert pod.refusal("availability.sh", AVAILABILITY=wanted).startswith("AVAILABILITY is not one JSON object")


def test_an_offer_is_healed_again_and_again_and_a_trouble_said_once(pod: Pod, web: Web) -> None:
    web.answers = {f"GET {SALES}": [(503, "no"), (503, "no"), (200, "[]")], f"POST {SALES}": [(201, "{}")]}
    process = pod.start("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY=json.dumps(WANTED), INTERVAL=1)
    assert process.stdout is not None
    said = [process.stdout.readline(), process.stdout.readline()]
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert [*said, output] == [
        "nodestead: the node takes no part in the marketplace (503 no); it has to run with persistence\n",
        "nodestead: availability offered\n",
        "",
    ]


def test_a_signal_ends_a_request_that_hangs(pod: Pod, web: Web) -> None:
    web.silent.set()
    process = pod.start("availability.sh", API_URL=f"{web.url}/api/codex/v1", AVAILABILITY="{}")
    while not web.asked:
        time.sleep(0.05)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert time.monotonic() - started < 2


# --- check.sh ---


def test_each_node_gets_a_line_with_what_it_says_of_itself(pod: Pod, web: Web) -> None:
    codex = {"id": "16Uiu2A", "addrs": ["/ip4/10.0.0.1/tcp/8070"], "codex": {"version": "v0.2.4\nv0.2.5", "revision": "1"}}
    storage = {"id": "16Uiu2B", "addrs": ["/ip4/10.0.0.2/tcp/8070"], "table": {}, "storage": {"version": "v0.5.3"}}
    web.answers = {
        "/codex": [(200, json.dumps(codex | {"announceAddresses": ["/ip4/203.0.113.1/tcp/30510"]}))],
        "/storage": [(200, json.dumps(storage))],
    }
    done = pod.run("check.sh", NODES=f"codex-1 {web.url}/codex\n\n  codex-2 {web.url}/storage\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        'codex-1\tok\t{"id":"16Uiu2A","version":"v0.2.5","addrs":["/ip4/203.0.113.1/tcp/30510"]}\n'
        'codex-2\tok\t{"id":"16Uiu2B","version":"v0.5.3","addrs":["/ip4/10.0.0.2/tcp/8070"]}\n'
    )


def test_a_node_that_fails_is_named_with_the_reason_and_fails_the_check(pod: Pod, web: Web) -> None:
    web.answers = {"/good": [(200, '{"id": "16Uiu2A"}')], "/starting": [(503, "")], "/else": [(200, "[]")]}
    nodes = [f"good {web.url}/good", f"starting {web.url}/starting", "gone http://127.0.0.1:9/", f"else {web.url}/else"]
    done = pod.run("check.sh", NODES="\n".join(nodes))
    assert done.returncode == 1
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["good", "ok"], ["starting", "fail"], ["gone", "fail"], ["else", "fail"]]
    assert lines[0][2] == '{"id":"16Uiu2A","version":"","addrs":[]}'
    assert [lines[1][2], lines[3][2]] == ["HTTP 503", "the answer is not that of a storage node"]
    assert lines[2][2].startswith("curl: (7) Failed to connect")


def test_nodes_are_asked_at_once(pod: Pod, web: Web) -> None:
    web.silent.set()
    started = time.monotonic()
    done = pod.run("check.sh", TIMEOUT=1, NODES="\n".join(f"codex-{number} {web.url}/info" for number in range(20)))
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [[f"codex-{number}", "fail"] for number in range(20)]
    assert time.monotonic() - started < 10


def test_an_answer_that_takes_too_long_is_a_failure(pod: Pod, web: Web) -> None:
    web.silent.set()
    done = pod.run("check.sh", NODES=f"slow {web.url}/info", TIMEOUT=1)
    assert done.returncode == 1
    assert done.stdout.startswith("slow\tfail\tcurl: (28)")


def test_a_check_of_no_nodes_is_a_mistake(pod: Pod) -> None:
    assert pod.refusal("check.sh", NODES="").startswith("NODES is empty")
