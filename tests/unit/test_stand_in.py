"""The stand-in of the end-to-end tests insists on what the real nodes insist on."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[1] / "e2e" / "stand_in" / "storage_node.py"
RECORD = "spr:CiUIAhIhA7E4DEMer8nUOIUSaNPA4z6x0n9Xaknd28Cfw9S2-cCe"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


class Rig:
    """Starts stand-ins in a folder of their own, on free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.wrapper: list[str] = []
        self.started: list[subprocess.Popen[str]] = []

    def launch(self, flavour: str, *argv: str, version: str = "", **env: str) -> subprocess.Popen[str]:
        link = self.folder / flavour
        if not link.exists():
            link.symlink_to(PROGRAM)
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "STAND_IN_VERSION": version, "PYTHONDONTWRITEBYTECODE": "1"}
        # Several run at once, and a node that is to refuse something else must not meet another's default port.
        base |= {f"{flavour.upper()}_DISC_PORT": str(free_port(socket.SOCK_DGRAM))} if flavour != "storage" else {}
        node = subprocess.Popen(
            [*self.wrapper, sys.executable, "-S", str(link), f"--data-dir={self.data}", *argv],
            env=base | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(node)
        return node

    def refusal(self, flavour: str, *argv: str, version: str = "", **env: str) -> str:
        """What a node says that must not start."""
        output, _ = self.launch(flavour, *argv, version=version, **env).communicate(timeout=20)
        assert self.started[-1].returncode == 1, output
        return output

    def serve(self, flavour: str, *argv: str, version: str = "") -> "Served":
        """A node whose API answers."""
        api, discovery = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        places = [f"--api-port={api}", "--api-bindaddr=127.0.0.1"]
        if flavour != "storage":
            places.append(f"--disc-port={discovery}")
        node = self.launch(flavour, *places, *argv, version=version)
        served = Served(node, f"http://127.0.0.1:{api}/api/{flavour}/v1")
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                served.get("/peerid")
                return served
            assert node.poll() is None, node.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)


class Served:
    """A running stand-in."""

    def __init__(self, node: subprocess.Popen[str], url: str) -> None:
        self.node = node
        self.url = url

    def ask(self, method: str, path: str, body: bytes | None = None, accept: str = "*/*") -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, body, {"Accept": accept}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path: str) -> Any:
        status, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)

    def stop(self) -> tuple[int, str]:
        self.node.send_signal(signal.SIGTERM)
        output, _ = self.node.communicate(timeout=20)
        return self.node.returncode, output


def free_port(kind: int) -> int:
    """A port outside the range from which the system gives ports to others."""
    while True:
        port = random.randrange(12000, 30000)
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def key_file(folder: Path, mode: int = 0o600) -> Path:
    path = folder / "eth"
    path.write_text(f"{KEY}\n")
    path.chmod(mode)
    return path


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    for node in made.started:
        if node.poll() is None:
            node.kill()
        node.communicate()


def test_a_key_of_the_network_that_others_may_read_ends_the_node(rig: Rig) -> None:
    rig.data.mkdir(0o700)
    (rig.data / "key").write_text("00" * 32)
    (rig.data / "key").chmod(0o640)
    assert "The network private key file is not safe" in rig.refusal("codex")


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o640, "does not have safe file permissions"),
        (0o400, "does not have safe file permissions"),
        (None, "does Ethereum private key file exist?"),
    ],
)
def test_an_ethereum_key_is_0600_or_the_node_ends(rig: Rig, mode: int | None, message: str) -> None:
    path = key_file(rig.folder, mode) if mode else rig.folder / "eth"
    assert message in rig.refusal("codex", "persistence", f"--eth-private-key={path}")


def test_persistence_without_a_key_ends_the_node(rig: Rig) -> None:
    assert "Persistence enabled, but no Ethereum account was set" in rig.refusal("codex", "persistence")
    assert "Persistence enabled, but no Ethereum account was set" in rig.refusal("archivist", "--persistence")


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root, with setpriv, can play a user who may not chmod"
)
def test_a_data_folder_of_another_user_ends_the_node(rig: Rig) -> None:
    rig.data.mkdir()
    rig.data.chmod(0o2775)
    os.chown(rig.data, 1234, 1234)
    rig.wrapper = ["setpriv", "--bounding-set=-fowner", "--inh-caps=-fowner"]
    assert "Could not set data directory permissions" in rig.refusal("codex")


def test_a_data_folder_that_is_too_open_is_corrected(rig: Rig) -> None:
    rig.data.mkdir()
    rig.data.chmod(0o2775)
    served = rig.serve("codex")
    assert stat.S_IMODE(rig.data.stat().st_mode) & 0o777 == 0o700
    assert stat.S_IMODE((rig.data / "repo").stat().st_mode) == 0o700
    assert stat.S_IMODE((rig.data / "key").stat().st_mode) == 0o600
    status, output = served.stop()
    assert status == 0
    assert "Data directory has insecure permissions. Correcting them." in output
    assert "Shutting down after having received SIGTERM" in output


@pytest.mark.parametrize(
    ("flavour", "version", "argument", "message"),
    [
        ("codex", "0.2.5", "--nat=extip:", "Not a valid IP address: "),
        ("codex", "0.2.5", "--nat=extip:10.0.0.1 10.0.0.2", "Not a valid IP address: 10.0.0.1 10.0.0.2"),
        ("codex", "0.2.5", "--nat=auto", "Not a valid NAT option: auto"),
        ("storage", "0.5.3", "--nat=none", "Not a valid NAT option: none"),
        ("codex", "0.2.5", "--listen-ip=0.0.0.0", "Unrecognized option 'listen-ip'"),
        ("storage", "0.5.3", "--listen-addrs=/ip4/0.0.0.0/tcp/8070", "Unrecognized option 'listen-addrs'"),
        ("storage", "0.5.3", "--disc-port=8090", "Unrecognized option 'disc-port'"),
        ("storage", "0.5.3", "--no-bootstrap-node", "--no-bootstrap-node requires --nat=extip:<IP>"),
        ("codex", "0.1.9", "--num-threads=2", "Unrecognized option 'num-threads'"),
        ("codex", "0.2.3", "--max-priority-fee-per-gas=1", "Unrecognized option 'max-priority-fee-per-gas'"),
        ("codex", "0.2.5", "--eth-provider=ws://eth:8545", "Unrecognized option 'eth-provider'"),
        ("codex", "0.2.5", "--bootstrap-node=10.0.0.1:8090", "Invalid SignedPeerRecord uri"),
        ("codex", "0.2.5", "--storage-quota=lots", "Invalid number of bytes: lots"),
        ("codex", "0.2.5", "--listen-addrs=0.0.0.0:8070", "Invalid MultiAddress 0.0.0.0:8070"),
        ("codex", "0.2.5", "--api-port=0", "range 1-65535"),
        ("codex", "0.2.5", "validator", "codex does not accept arguments: validator"),
        ("archivist", "0.2.0", "persistence", "archivist does not accept arguments: persistence"),
    ],
)
def test_an_argument_that_the_version_does_not_know_ends_the_node(
    rig: Rig, flavour: str, version: str, argument: str, message: str
) -> None:
    arguments = [argument, "persistence"] if argument.startswith("--max-priority") else [argument]
    assert message in rig.refusal(flavour, *arguments, version=version)


def test_a_value_behind_a_space_is_an_argument_too_many(rig: Rig) -> None:
    assert "does not accept arguments: 8081" in rig.refusal("codex", "--api-port", "8081")


def test_an_environment_of_service_links_ends_the_node(rig: Rig) -> None:
    assert "Error while processing the api-port=tcp://10.0.0.1:8080" in rig.refusal("codex", CODEX_API_PORT="tcp://10.0.0.1:8080")


def test_the_command_line_outranks_the_environment(rig: Rig) -> None:
    assert "api-port=one" in rig.refusal("codex", "--api-port=one", CODEX_API_PORT="two")


def test_an_option_of_another_prefix_is_ignored(rig: Rig) -> None:
    assert "nat=two" in rig.refusal("storage", STORAGE_NAT="two", CODEX_NAT="one")


def test_logos_storage_has_no_api_unless_it_is_bound(rig: Rig) -> None:
    port = free_port(socket.SOCK_STREAM)
    node = rig.launch("storage", f"--api-port={port}")
    assert node.stdout is not None
    while "Started node" not in node.stdout.readline():
        assert node.poll() is None
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.parametrize("flavour", ["codex", "storage", "archivist"])
def test_a_record_is_given_as_text_and_as_json(rig: Rig, flavour: str) -> None:
    served = rig.serve(flavour, "--nat=extip:203.0.113.7")
    status, record = served.ask("GET", "/spr", accept="text/plain")
    assert status == 200
    assert re.fullmatch(r"spr:[A-Za-z0-9_-]{60,}", record)
    assert served.get("/spr") == {"spr": record}
    info = served.get("/debug/info")
    assert served.get("/peerid") == {"id": info["id"]}
    assert info[flavour]["version"] == {"codex": "v0.2.5", "storage": "v0.5.3", "archivist": "v0.2.0"}[flavour]
    announced = info["addrs"] if flavour == "storage" else info["announceAddresses"]
    assert [address.rsplit("/", 1)[0] for address in announced] == ["/ip4/203.0.113.7/tcp"]


def test_a_bootstrap_node_is_dialled_where_its_record_says(rig: Rig, tmp_path: Path) -> None:
    first = rig.serve("codex", "--nat=extip:127.0.0.1")
    rig.data = tmp_path / "second"
    second = rig.serve("codex", f"--bootstrap-node={first.get('/spr')['spr']}", f"--bootstrap-node={RECORD}")
    assert second.get("/debug/info")["bootstrap"] == [first.get("/spr")["spr"], RECORD]
    deadline = time.monotonic() + 10
    while second.get("/debug/info")["reached"] != [first.get("/peerid")["id"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_data_and_identity_outlive_the_process(rig: Rig) -> None:
    served = rig.serve("codex", "--storage-quota=1m")
    _, cid = served.ask("POST", "/data", b"kept")
    identity = served.get("/peerid")
    assert served.get("/space") == {"totalBlocks": 1, "quotaMaxBytes": 1048576, "quotaUsedBytes": 4, "quotaReservedBytes": 0}
    served.stop()
    again = rig.serve("codex")
    assert again.ask("GET", f"/data/{cid}") == (200, "kept")
    assert again.get("/peerid") == identity


def test_offers_of_codex_follow_its_api(rig: Rig) -> None:
    served = rig.serve("codex", "--storage-quota=100", "persistence", f"--eth-private-key={key_file(rig.folder)}")
    offer = {"totalSize": "60", "duration": "3600", "minPricePerBytePerSecond": "5", "totalCollateral": "7"}
    assert served.ask("POST", "/sales/availability", json.dumps(offer | {"duration": 0}).encode())[0] == 422
    status, made = served.ask("POST", "/sales/availability", json.dumps(offer).encode())
    assert status == 201
    known = json.loads(made)
    assert (known["totalSize"], known["duration"], known["totalCollateral"], known["enabled"]) == (60, 3600, "7", True)
    assert served.ask("PATCH", f"/sales/availability/{known['id']}", b'{"duration": 60}')[0] == 204
    assert [found["duration"] for found in served.get("/sales/availability")] == [60]
    # Asking for the size that it has counts it twice.
    assert served.ask("PATCH", f"/sales/availability/{known['id']}", b'{"totalSize": 60}') == (422, "Not enough storage quota")
    assert served.ask("PATCH", "/sales/availability/0x00", b"{}")[0] == 404
    assert served.get("/debug/info")["ethKeySha256"] == "95e82a7ebb036b3c"


def test_offers_need_persistence(rig: Rig) -> None:
    assert rig.serve("codex").ask("GET", "/sales/availability") == (503, "Persistence is not enabled")


def test_terms_of_archivist_are_one_object(rig: Rig) -> None:
    served = rig.serve("archivist", "--persistence=true", f"--eth-private-key={key_file(rig.folder)}")
    assert served.ask("GET", "/sales/availability")[0] == 404
    terms = {"maximumDuration": 60, "minimumPricePerBytePerSecond": "5", "maximumCollateralPerByte": "7", "availableUntil": 0}
    assert served.ask("POST", "/sales/availability", json.dumps(terms).encode())[0] == 201
    assert served.get("/sales/availability") == terms


def test_metrics_have_the_prefix_of_the_software(rig: Rig) -> None:
    port = free_port(socket.SOCK_STREAM)
    rig.serve("archivist", "--metrics", f"--metrics-port={port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert "archivist_repostore_bytes_used 0.0\n" in answer.read().decode()
