"""prepare.sh, which runs before a storage node, for real: its data folder, key, address and bootstrap nodes."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_agents import SHELLS, Pod, Web, mode_of

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
RECORD_A = "spr:CiUIAhIhA7E4DEMer8nUOIUSaNPA4z6x0n9Xaknd28Cfw9S2-cCeEgIDARo"
RECORD_B = "spr:CiUIAhIhAzZn3JmJab46BNjadVnLNQKbhnN3eYxwqpteKYY32SbOEgIDARo"
# A folder of user 1234 looks to such a process as it does to a pod that runs as another user.
AS_ANOTHER_USER = ["setpriv", "--bounding-set=-fowner,-dac_override", "--inh-caps=-fowner,-dac_override"]
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root, with setpriv, can play a user who may not chmod"
)


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
