"""`nodestead chain`: from the registry's words to a preset, and what it says of entries that are wrong."""

import copy
import http.server
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nodestead.preview import chain_source
from nodestead.preview.chain import made_preset
from nodestead.preview.cli import main
from nodestead.software.presets import PresetError, load_preset

ID = "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0"
ID_2 = "20e1000e88125698264454a884812746c2eb4807"
CHAIN: dict[str, Any] = {
    "$schema": "../chain.schema.json",
    "chain_name": "example",
    "chain_type": "cosmos",
    "chain_id": "example-1",
    "status": "live",
    "network_type": "mainnet",
    "bech32_prefix": "ex",
    "daemon_name": "exampled",
    "node_home": "$HOME/.example",
    "fees": {"fee_tokens": [{"denom": "uex", "fixed_min_gas_price": 0.005, "low_gas_price": 0.01}, {"denom": "ibc/00"}]},
    "staking": {"staking_tokens": [{"denom": "uex"}]},
    "codebase": {
        "tag": "v2.0.1",
        "recommended_version": "2.0.1",
        "genesis": {"genesis_url": "https://example.org/genesis.json.gz"},
        "sdk": {"type": "cosmos", "version": "v0.53.4"},
        "consensus": {"type": "cometbft", "version": "0.38.17", "tag": "v0.38.17-ex-1"},
    },
    "peers": {
        "seeds": [{"id": ID, "address": "seeds.example.org:14956", "provider": "Bees \U0001f41d"}],
        "persistent_peers": [{"id": ID_2, "address": "203.0.113.7:26656"}],
    },
    "apis": {"rpc": [{"address": "https://rpc.example.org"}]},
    "description": "\U0001f680",
}
VERSIONS: dict[str, Any] = {
    "chain_name": "example",
    "versions": [
        {"name": "genesis", "tag": "v1.0.0", "height": 1, "recommended_version": "v1.0.0"},
        {"name": "v2", "tag": "v2.0.1", "height": 900, "proposal": 4},
    ],
}
PRESET = {
    "name": "example",
    "chainId": "example-1",
    "network": "mainnet",
    "binary": "exampled",
    "home": ".example",
    "prefix": "ex",
    "denom": "uex",
    "minGasPrice": "0.005uex",
    "genesisUrl": "https://example.org/genesis.json.gz",
    "repository": None,
    "recommended": "v2.0.1",
    "sdk": "0.53.4",
    "consensus": "0.38.17",
    "seeds": [f"{ID}@seeds.example.org:14956"],
    "persistentPeers": [f"{ID_2}@203.0.113.7:26656"],
    "versions": [{"height": 1, "tag": "v1.0.0", "name": "genesis"}, {"height": 900, "tag": "v2.0.1", "name": "v2"}],
}
GONE = object()


def changed(given: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with another value at a dotted path, or without it."""
    made = copy.deepcopy(given)
    *around, last = path.split(".")
    inner = made
    for key in around:
        inner = inner[key]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return made


def in_folder(folder: Path, chain: object = CHAIN, versions: object = VERSIONS) -> str:
    (folder / "chain.json").write_text(json.dumps(chain), encoding="utf-8")
    if versions is not None:
        (folder / "versions.json").write_text(json.dumps(versions), encoding="utf-8")
    return str(folder)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["chain", *argv])
    out = capsys.readouterr()
    return code, out.out, out.err


# ---- what is written


def test_a_folder_of_the_registry_becomes_a_preset_without_the_words_of_its_providers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "example", "--from", in_folder(tmp_path))
    assert (code, err) == (0, "")
    assert json.loads(out) == PRESET
    assert list(json.loads(out)) == list(PRESET)
    assert out.isascii()


def test_what_is_written_is_what_a_stack_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "example-1", "--from", in_folder(tmp_path))
    target = tmp_path / "mine.json"
    assert run(capsys, "example-1", "--from", str(tmp_path), "--output", str(target)) == (0, "", "")
    assert target.read_text(encoding="utf-8") == out
    assert load_preset(target).reaches_recommended


def test_versions_lie_beside_chain_json_or_elsewhere_or_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{in_folder(tmp_path)}/chain.json"
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"versions": VERSIONS["versions"][1:]}), encoding="utf-8")
    assert len(json.loads(run(capsys, "example", "--from", file)[1])["versions"]) == 2
    assert len(json.loads(run(capsys, "example", "--from", file, "--versions", str(other))[1])["versions"]) == 1
    (tmp_path / "versions.json").unlink()
    code, out, err = run(capsys, "example", "--from", file)
    assert (code, json.loads(out)["versions"]) == (0, [])
    assert err == "nodestead: versions: none has a height; a node runs the image that the stack gives\n"


def test_a_built_in_preset_is_printed_without_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "osmosis-1", "--repository", "docker.io/osmolabs/osmosis")
    assert (code, err) == (0, "")
    assert (json.loads(out)["chainId"], json.loads(out)["repository"]) == ("osmosis-1", "docker.io/osmolabs/osmosis")


@pytest.mark.parametrize(
    ("path", "value", "key", "expected"),
    [
        ("fees", GONE, "minGasPrice", None),
        ("fees.fee_tokens", [], "minGasPrice", None),
        ("fees.fee_tokens", [{"denom": "uex"}], "minGasPrice", None),
        ("fees.fee_tokens", [{"denom": "uex", "low_gas_price": 0.0025}], "minGasPrice", "0.0025uex"),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": 0}], "minGasPrice", "0uex"),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": 5e-06}], "minGasPrice", "0.000005uex"),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": 2.5e-08}], "minGasPrice", "0.000000025uex"),
        ("fees.fee_tokens", [{"denom": "aex", "fixed_min_gas_price": 1e12}], "minGasPrice", "1000000000000aex"),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": 100}], "minGasPrice", "100uex"),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": -1}], "minGasPrice", None),
        ("fees.fee_tokens", [{"denom": "uex", "fixed_min_gas_price": 1e300}], "minGasPrice", None),
        ("fees.fee_tokens", [{"denom": "uphoton", "fixed_min_gas_price": 1}], "minGasPrice", "1uphoton"),
        ("fees.fee_tokens", [{"denom": "uphoton", "fixed_min_gas_price": 1}], "denom", "uex"),
        ("staking", GONE, "denom", "uex"),
        ("node_home", GONE, "home", None),
        ("node_home", "~/.exrpd", "home", ".exrpd"),
        ("node_home", "$WORKSPACE/.oraid", "home", ".oraid"),
        ("node_home", "$HOME/.core/coreum-mainnet-1", "home", ".core/coreum-mainnet-1"),
        ("node_home", "$HOME/../x", "home", None),
        ("network_type", "devnet", "network", "testnet"),
        ("codebase", GONE, "genesisUrl", None),
        ("codebase.genesis.genesis_url", "https://github.com/a/b/blob/master/g.json.gz", "genesisUrl",
         "https://github.com/a/b/raw/master/g.json.gz"),
        ("codebase.genesis.genesis_url", "javascript:alert(1)", "genesisUrl", None),
        ("codebase.tag", GONE, "recommended", "2.0.1"),
        ("codebase.tag", "protocol/v9.6.1", "recommended", "v9.6.1"),
        ("codebase.sdk", {"type": "cosmos"}, "sdk", None),
        ("codebase.consensus.version", "osmosis-labs/cometbft v0.37.4-v25-osmo-2", "consensus", None),
        ("peers", GONE, "seeds", []),
        ("peers.seeds", GONE, "seeds", []),
        ("apis", GONE, "chainId", "example-1"),
    ],
)  # fmt: skip
def test_a_key_of_the_registry_becomes_a_key_of_the_preset(
    tmp_path: Path, path: str, value: object, key: str, expected: object
) -> None:
    made = made_preset("example", in_folder(tmp_path, changed(CHAIN, path, value)))
    assert made.preset.model_dump(mode="json", by_alias=True)[key] == expected
    if expected is None and key in ("minGasPrice", "genesisUrl"):
        assert any(note.startswith(("min_gas_price: ", "genesis_url: ")) for note in made.notes)


# ---- what is left out


@pytest.mark.parametrize(
    ("peer", "shown"),
    [
        ({"id": "team", "address": "203.0.113.7:26656"}, "'team@203.0.113.7:26656'"),
        ({"id": f"{ID}@", "address": "203.0.113.7:26656"}, f"'{ID}@@203.0.113.7:26656'"),
        ({"id": f" {ID}", "address": "a.example:1"}, f"' {ID}@a.example:1'"),
        ({"id": ID.upper(), "address": "a.example:1"}, f"'{ID.upper()}@a.example:1'"),
        ({"id": ID[:-1], "address": "a.example:1"}, f"'{ID[:-1]}@a.example:1'"),
        ({"id": ID, "address": "a.example"}, f"'{ID}@a.example'"),
        ({"id": ID, "address": "a.example:0"}, f"'{ID}@a.example:0'"),
        ({"id": ID, "address": "a.example:65536"}, f"'{ID}@a.example:65536'"),
        ({"id": ID, "address": "203.0.113.256:1"}, f"'{ID}@203.0.113.256:1'"),
        ({"id": ID, "address": "51.68.152.17.30:26656"}, f"'{ID}@51.68.152.17.30:26656'"),
        ({"id": ID, "address": "\U0001f41d:1"}, f"'{ID}@\\U0001f41d:1'"),
        ({"id": ID, "address": "a.example:1,b@c:2"}, f"'{ID}@a.example:1,b@c:2'"),
        ({"id": ID, "address": 26656}, "''"),
        ({"id": ID}, "''"),
        (7, "''"),
    ],
)
def test_a_peer_that_is_none_is_left_out_and_named(tmp_path: Path, peer: object, shown: str) -> None:
    good = CHAIN["peers"]["persistent_peers"][0]
    made = made_preset("example", in_folder(tmp_path, changed(CHAIN, "peers.seeds", [good, peer])))
    assert made.preset.seeds == (f"{ID_2}@203.0.113.7:26656",)
    assert made.notes == (f"peers.seeds[1]: {shown} is left out; a peer is 40 lower-case hexadecimal digits, @, host and port",)


def test_a_node_that_is_listed_twice_is_left_out_once(tmp_path: Path) -> None:
    twice = [*CHAIN["peers"]["seeds"], {"id": ID, "address": "203.0.113.9:1"}]
    made = made_preset("example", in_folder(tmp_path, changed(CHAIN, "peers.seeds", twice)))
    assert made.preset.seeds == (f"{ID}@seeds.example.org:14956",)
    assert made.notes == (f"peers.seeds[1]: '{ID}@203.0.113.9:1' is left out; the node is there already",)


V1, V2 = VERSIONS["versions"]


@pytest.mark.parametrize(
    ("versions", "heights", "note"),
    [
        ([V2, V1], [1, 900], "versions: the registry's order is not that of heights; they are sorted"),
        ([V1, V2 | {"height": 1}], [1], "versions[1]: 'v2' takes the place of v1.0.0, of the same height"),
        ([V1, {"name": "v1.5"}, V2], [1, 900], "versions: without a height and left out: v1.5"),
        ([V1, {"name": "v1.5", "height": 5}, V2], [1, 900], "versions[1]: 'v1.5' is left out; it has no tag"),
        ([V1, V2, V2 | {"height": "12"}], [1, 900], "versions[2]: 'v2' is left out; height: '12' has the wrong type; "),
        ([V1, V2, V2 | {"height": 1e3}], [1, 900], "versions[2]: 'v2' is left out; height: "),
        ([V1, V2, V2 | {"height": -3}], [1, 900], "versions[2]: 'v2' is left out; height: -3 is refused"),
        ([V1, V2, V2 | {"height": 901, "tag": "v2:evil"}], [1, 900], "versions[2]: 'v2' is left out; tag: 'v2:evil'"),
        ([V1, V2, V2 | {"height": 901, "name": "\U0001f680"}], [1, 900], "versions[2]: '\\U0001f680' is left out; name: "),
        ([V1, V2, "v3"], [1, 900], "versions[2]: is left out; it is no mapping"),
        ([V1], [1], "versions: the last with a height is v1.0.0 (1), the recommended one is v2.0.1; "),
        ([], [], "versions: none has a height; a node runs the image that the stack gives"),
    ],
)  # fmt: skip
def test_versions_ascend_and_what_cannot_be_one_is_named(
    tmp_path: Path, versions: list[Any], heights: list[int], note: str
) -> None:
    made = made_preset("example", in_folder(tmp_path, versions={"versions": versions}))
    assert [version.height for version in made.preset.versions] == heights
    assert made.notes[0].startswith(note)


def test_a_chain_that_is_not_live_is_written_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "example", "--from", in_folder(tmp_path, CHAIN | {"status": "killed"}))
    assert (code, json.loads(out)) == (0, PRESET)
    assert err == "nodestead: status: 'killed'; the registry does not count the chain as live\n"


# ---- what is refused


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (changed(CHAIN, "chain_id", GONE), "chain_id: is required and not given; add it\n"),
        (
            changed(changed(CHAIN, "daemon_name", GONE), "bech32_prefix", GONE),
            "2 problems:\n  - bech32_prefix: is required and not",
        ),
        ({}, "problems:\n  - chain_name: is required"),
        (CHAIN | {"chain_type": "eip155"}, "chain_type: 'eip155' is not cosmos; only chains of the Cosmos SDK have presets\n"),
        ({"chain_type": "solana", "chain_name": "solana"}, "chain_type: 'solana' is not cosmos; "),
        (CHAIN | {"chain_type": ["cosmos"]}, "chain_type: has the wrong type; write a text"),
        (CHAIN | {"network_type": "moon"}, "network_type: 'moon' is refused; it is mainnet, testnet or devnet\n"),
        (CHAIN | {"chain_name": "other", "chain_id": "o-1"}, "chain_name: 'other' ('o-1') is not 'example'; name the one or the"),
        (CHAIN | {"daemon_name": "rm -rf"}, "chain.json: daemon_name: 'rm -rf' is refused"),
        (CHAIN | {"chain_id": "a b"}, "chain.json: chain_id: 'a b' is refused"),
        (CHAIN | {"chain_id": 4}, "chain_id: has the wrong type; write a text"),
        (CHAIN | {"peers": []}, "peers: has the wrong type; write a mapping of keys and values\n"),
        (CHAIN | {"peers": {"seeds": {}}}, "peers.seeds: has the wrong type; write a list\n"),
        (CHAIN | {"fees": {"fee_tokens": "uex"}}, "fees.fee_tokens: has the wrong type; write a list\n"),
        (CHAIN | {"fees": {"fee_tokens": ["uex"]}}, "fees.fee_tokens[0]: has the wrong type; write a mapping"),
        (CHAIN | {"codebase": "gaia"}, "codebase: 'gaia' has the wrong type; write a mapping of keys and values\n"),
        ([CHAIN], "is no object; a file begins with { and ends with }\n"),
    ],
)
def test_a_chain_without_what_a_node_needs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chain: object, words: str
) -> None:
    code, out, err = run(capsys, "example", "--from", in_folder(tmp_path, chain))
    assert (code, out) == (2, "")
    assert err.startswith(f"nodestead: {tmp_path}/chain.json: ")
    assert words in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(VERSIONS)[:40], "versions.json: is not JSON at line 1, column "),
        ('{"versions": {}}', "versions.json: versions: has the wrong type; write a list\n"),
        ("[" * 100_000, "versions.json: is not JSON that can be read: it is nested too deep"),
    ],
)
def test_versions_that_cannot_be_read_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, words: str
) -> None:
    in_folder(tmp_path)
    (tmp_path / "versions.json").write_text(content, encoding="utf-8")
    code, out, err = run(capsys, "example", "--from", str(tmp_path))
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["example", "--from", "nowhere"], "nowhere: cannot be read: no such file; name chain.json\n"),
        (
            ["example", "--from", "chain.json", "--versions", "no.json"],
            "no.json: cannot be read: no such file; name versions.json\n",
        ),
        (["example", "--from", "http://example.org/chain.json"], "is not read without encryption; write a URL with https\n"),
        (["example", "--from", "file:///etc/passwd"], "file:///etc/passwd: is not read without encryption"),
        (
            ["example", "--from", "https://me:hunter2@example.org/c.json?t=hunter2"],
            "https://example.org/c.json: holds a user name",
        ),
        (["example", "--from", "https://[::1/c.json"], "https://[::1/c.json: is not a URL; write it as https://"),
        (["example", "--from", "https://a b/c.json?t=hunter2"], "https://a b/c.json: is not a URL"),
        (["example", "--from", "https:///c.json"], "https:///c.json: "),
        (["a/../../b"], "'a/../../b': is not the name of a chain; NAME is a folder of github.com/cosmos/chain-registry, as in "),
        (["osmosis-1", "--repository", "osmosis:v1"], "osmosis-1: repository: 'osmosis:v1' is not a repository; write registry"),
        (["example", "--from", "chain.json", "--repository", "a:1"], "chain.json: repository: 'a:1' is not a repository"),
        (["example", "--from", "chain.json", "--output", "none/x.json"], "[Errno 2] No such file or directory: 'none/x.json'\n"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    in_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert "hunter2" not in err


def test_the_command_helps_with_an_example_and_its_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["chain", "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "example: nodestead chain osmosis --output osmosis.json" in out
    assert "exit codes: 0 " in out


def test_notes_of_others_words_are_printed_where_the_terminal_has_only_ascii(tmp_path: Path) -> None:
    peers = [{"id": "\ud800\U0001f41d", "address": "a:1"}]
    source = in_folder(tmp_path, changed(CHAIN, "peers.seeds", peers))
    command = [sys.executable, "-m", "nodestead.preview.cli", "chain", "example", "--from", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert "peers.seeds[0]: '\\ud800\\U0001f41d@a:1' is left out" in done.stderr


# ---- a real server


class Registry(http.server.BaseHTTPRequestHandler):
    """Serves what a test puts there: path to code, headers and body."""

    pages: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        code, headers, body = self.pages.get(self.path, (404, {}, b""))
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # so in the standard library
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    found.daemon_threads = True
    found.handle_error = lambda *_: None  # a client that hangs up is what some tests want
    found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{found.server_address[1]}", folder / "ca.pem"
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def registry(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    url, authority = server
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(chain_source, "_REGISTRY", url)
    monkeypatch.setattr(Registry, "pages", {})
    monkeypatch.setattr(Registry, "asked", [])
    return url


def page(content: object, code: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return code, {name.replace("_", "-"): value for name, value in headers.items()}, body


def test_a_name_is_looked_up_in_the_registry_and_its_test_networks(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    Registry.pages = {"/testnets/example/chain.json": page(CHAIN), "/testnets/example/versions.json": page(VERSIONS)}
    code, out, err = run(capsys, "example")
    assert (code, err, json.loads(out)) == (0, "", PRESET)
    assert Registry.asked == ["/example/chain.json", "/testnets/example/chain.json", "/testnets/example/versions.json"]
    assert json.loads(run(capsys, "testnets/example")[1]) == PRESET


def test_a_url_is_read_with_the_versions_beside_it(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    Registry.pages = {"/a/chain.json?x=1": page(CHAIN), "/a/versions.json": page(VERSIONS)}
    code, out, err = run(capsys, "example", "--from", f"{registry}/a/chain.json?x=1")
    assert (code, err, json.loads(out)) == (0, "", PRESET)


def test_a_redirect_is_followed_while_it_is_encrypted(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    Registry.pages = {"/old": page(b"", 302, Location="/new"), "/new": page(CHAIN)}
    assert run(capsys, "example", "--from", f"{registry}/old")[0] == 0
    Registry.pages["/old"] = page(b"", 302, Location="http://127.0.0.1:1/new")
    code, _, err = run(capsys, "example", "--from", f"{registry}/old")
    assert (code, "it sends on to a URL without https; name a file with --from\n" in err) == (2, True)


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (page(b"", 500), "cannot be read: the server answers 500; try later, or name a file with --from\n"),
        (page(json.dumps(CHAIN).encode()[:100]), "is not JSON at line 1, column "),
        (page(CHAIN, Content_Length="9999"), "ends after "),
        (page(b"[" * ((4 << 20) + 9)), "has more than 4 MiB; name a chain's own file\n"),
        (page(b"\x1f\x8b\x00"), "is no UTF-8 text at byte 1"),
        (page(b"<html>"), "is not JSON at line 1, column 1: Expecting value"),
    ],
)
def test_what_a_server_does_wrong_is_one_line(
    registry: str, capsys: pytest.CaptureFixture[str], served: tuple[int, dict[str, str], bytes], words: str
) -> None:
    Registry.pages = {"/example/chain.json": served}
    if words == "ends after ":
        # The connection ends before the body does.
        Registry.pages["/example/chain.json"] = (served[0], served[1] | {"Connection": "close"}, served[2])
    code, out, err = run(capsys, "example")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"nodestead: {registry}/example/chain.json: ")
    assert words in err


def test_a_name_that_the_registry_does_not_know_says_what_a_name_is(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "juno-1")
    assert code == 2
    assert err.startswith(f"nodestead: {registry}/juno-1/chain.json: cannot be read: there is none; NAME is a folder of ")


def test_a_server_that_nobody_vouches_for_and_one_that_is_not_there_are_one_line(
    registry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    code, _, err = run(capsys, "example")
    assert (code, "certificate verify failed" in err) == (2, True)
    code, _, err = run(capsys, "example", "--from", "https://127.0.0.1:1/chain.json")
    assert (code, "Connection refused" in err, err.count("\n")) == (2, True, 1)


def test_a_server_that_is_silent_or_trickles_is_given_up(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_source, "FETCH_SECONDS", 0.3)
    Registry.pages = {"/example/chain.json": page(b"", Content_Length="99999")}
    original = Registry.do_GET

    def trickle(self: Registry) -> None:
        original(self)
        for _ in range(60):
            time.sleep(wait)
            self.wfile.write(b" ")

    monkeypatch.setattr(Registry, "do_GET", trickle)
    wait = 0.05
    with pytest.raises(PresetError, match=r"cannot be read: it took more than 0\.3 s; name a file with --from"):
        made_preset("example")
    wait = 1
    with pytest.raises(PresetError, match=r"cannot be read: .*timed out; name a file with --from"):
        made_preset("example")


def test_a_server_that_never_ends_is_read_to_the_limit_only() -> None:
    assert sum(map(len, chain_source._chunks(lambda size: b"x" * size, time.monotonic() + 60))) == (4 << 20) + 1
