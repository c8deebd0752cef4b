"""What reads like a secret never leaves a comparison."""

import base64
import json
from typing import Any

import pytest

from nodestead.changes.compare import compare
from nodestead.changes.secrecy import HIDDEN, safe_text, shown, unveiled
from nodestead.changes.secret_text import MARKERS, smells, without_tokens
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.preview.yaml_text import SECRET

HEX = "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d"
WORDS = "abandon ability able about above absent absorb abstract absurd abuse access accident"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBhunter2hunter2\noAoGCCqGSM49\n-----END EC PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlaHVudGVyMg"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PASSWORD",
            "DB_PASSWORD",
            "dbPassword",
            "--rpc-password",
            "ETH_PRIVATE_KEY",
            "privateKey",
            "priv_key",
            "apiKey",
            "API_KEY",
        ),
        *(
            "MNEMONIC",
            "seed",
            "GITHUB_TOKEN",
            "authToken",
            "client-key-data",
            "clientSecret",
            "AWS_ACCESS_KEY_ID",
            "Authorization",
        ),
        *("connectionString", "DSN", "BASIC_AUTH", "tls.key", "node_key.json", "SMTP_PASS", "cookie", "WALLET_PIN", "dbpassword"),
    ],
)
def test_a_name_smells_of_a_secret(name: str) -> None:
    assert smells(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "seeds",
            "seed_mode",
            "KEY_FILE",
            "priv_validator_key_file",
            "secretName",
            "TOKEN_TTL",
            "tokenAddress",
            "publicKey",
        ),
        *(
            "pub_key",
            "LOG_LEVEL",
            "persistent_peers",
            "image",
            "MONKEY_COUNT",
            "keyring-backend",
            "author",
            "compass",
            "genesis.json",
        ),
        *("ARCHIVIST_ETH_PROVIDER", "keyGeneration", "passThrough_mode"),
    ],
)
def test_a_name_is_no_secret(name: str) -> None:
    assert not smells(name)


@pytest.mark.parametrize(
    "text",
    [
        "--password=hunter2",
        "--password hunter2",
        "--password 'hunter2'",
        "export DB_PASSWORD=hunter2; run",
        "sh -c 'TOKEN=hunter2 run --now'",
        "password: hunter2",
        "password: hunter2, and hunter2 again",
        "  apiKey: 'hunter2 it''s'",
        '{"user": "me", "password": "hunter2"}',
        '{"user":"me","password":"hun\\"ter2 hunter2","last":1}',
        '"{\\"password\\":\\"hunter2\\",\\"user\\":\\"me\\"}"',
        "{password: hunter2, user: me}",
        "https://me:hunter2@example.org/x",
        "postgres://me:hunter2/hunter2@example.org/x",
        "amqp://me:p@hunter2@example.org",
        "redis://:hunter2@example.org:6379",
        "https://hunter2hunter2hunter2@github.com/x",
        "Server=db;Password=hunter2;Database=x",
        "user=me password=hunter2 host=db",
        "Authorization: Bearer hunter2hunter2",
        "curl -H 'Authorization: Basic hunter2hunter2' https://example.org",
        "curl -u me:hunter2 https://example.org",
        "https://example.org/?apikey=hunter2",
        "https://example.org/?q=hunter2hunter2hunter2",
        "https://mainnet.infura.io/v3/hunter2hunter2hunter2hunter2",
        "password: |\n  hunter2\n\n  hunter2\nuser: me",
        "password: >-\n  hunter2\nuser: me",
        "password:\n  hunter2\nuser: me",
        'a:\n  "priv_key": {\n    "type": "x",\n    "value": "hunter2"\n  }',
        "credentials:\n  - hunter2",
        "[auth]\ntoken = \"hunter2\"",
        "token := hunter2",
        "private_key = '''hunter2'''",
        "ghp_hunter2hunter2hunter2hunter2",
        "operator:$2y$05$hunter2hunter2hunter2hunter2",
        "password:hunter2",
        "PASSWORD=\"hunter2 and hunter2\" run",
        "password=hunter2\tx",
        "key: hunter2",
        f"{PEM}\nrest",
        PEM.replace("\n-----END EC PRIVATE KEY-----", ""),
        json.dumps({"tls": PEM}),
        "rpc-login=me:hunter2",
        "DB_PSWD=hunter2",
        "curl -ume:hunter2 https://example.org",
        "sshpass -p hunter2 ssh host",
        "mysql -uroot -phunter2 db",
        "redis-cli -h db -a hunter2 ping",
        "me:hunter2@example.org",
        "https://example.org/f?sv=1&sig=hunter2",
        "https://hooks.slack.com/services/hunter2",
        "https://api.telegram.org/bot123456:hunter2/sendMessage",
        "machine github.com login me password hunter2",
        "password hunter2",
        'proxy_set_header X-Api-Key "hunter2";',
        '{"headers":[{"name":"X-Api-Key","value":"hunter2"}]}',
        "env:\n- name: DB_PASSWORD\n  value: hunter2",
        '{"priv_key":{"type":"x","value":"hunter2"}}',
        '{"token":"hunter2","a":1}',
        "passwords:\n- hunter2\n- hunter2 too\nother: 1",
        'tokens = [\n  "hunter2",\n]',
        'password = """\nhunter2\n"""',
        'PASSWORD="one\nhunter2"',
        '[secrets]\nmine = "hunter2"',
        "<password>hunter2</password>",
        base64.b64encode(b"me:hunter2hunter2").decode(),
        f"config: {base64.b64encode(b'password: hunter2').decode()}",
        "glsa_hunter2hunter2hunter2",
    ],
)  # fmt: skip
def test_a_text_loses_its_secrets(text: str) -> None:
    safe = safe_text(text)
    assert "hunter2" not in safe
    assert base64.b64encode(b"hunter2")[:8].decode() not in safe
    assert HIDDEN in safe


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"node key is {HEX}", HEX),
        (f'["{HEX}"]', HEX),
        (" ".join(f"{number}. {word}" for number, word in enumerate(WORDS.split(), 1)), "abandon"),
        (WORDS.replace(" ", ","), "abandon"),
        ("123456789:ABC-DEF1234ghIkl-zyx57W2v1u123ew11a", "ABC-DEF"),
        (base64.b64encode(PEM.encode()).decode(), base64.b64encode(PEM.encode()).decode()[30:]),
        (HEX, HEX),
        (f"0x{HEX}", HEX),
        (f"SIGNER: {HEX}", HEX),
        (f"run 0x{HEX} now", HEX),
        (WORDS, "abandon"),
        (f"words: {WORDS}", "abandon"),
        (WORDS.replace(" ", "\n"), "abandon"),
        (f'"value": "{"A" * 43}="', "AAAA"),
        (f'"value": "{"A" * 86}=="', "AAAA"),
        (f"id {JWT}", "aHVudGVyMg"),
        ("the config is refused, 1 problem:\n  - a.keys: the words are " + WORDS, "abandon"),
        (f"the config is refused, 1 problem:\n  - a.seed: {HEX} is too long", HEX),
        ("the config is refused, 1 problem:\n  - password: hunter2", "hunter2"),
        ("the config is refused, 1 problem:\n  - a.b c: password=hunter2", "hunter2"),
        ("it was not refused, 1 problem:\n  - db.password: hunter2", "hunter2"),
        ("users:\n- name: me\n  user:\n    client-key-data: TFMwdExTMUNS\n    token: abc", "TFMwdExTMUNS"),
    ],
)
def test_what_is_a_secret_by_its_form_goes_too(text: str, secret: str) -> None:
    assert secret not in safe_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "docker.io/durabilitylabs/archivist-node:0.2.0",
        f"ghcr.io/x/token-bridge:1.0@sha256:{HEX}",
        "--log-level=info",
        "http://127.0.0.1:8080/api/archivist/v1",
        "https://snapshots.kjnodes.com/cosmoshub/snapshot_latest.tar.lz4",
        "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0@seeds.polkachu.com:14956",
        '"priv_validator_key_file": "/run/nodestead-keys/priv_validator_key.json",',
        "ETH_PRIVATE_KEY=/run/nodestead/eth-private-key",
        "--password=$(PASSWORD)",
        "seeds: a@b:1",
        f"sha256: {HEX}",
        f"genesis_hash={HEX}",
        "token: ''",
        "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c",
        "there are many lower case words that read like prose and are none of the list here",
        "http://host:8080/path@v1",
        f"enode://{HEX}{HEX}@1.2.3.4:30303",
        f'public_key = "{HEX}"',
        f"{HEX}  genesis.json",
        f'trust_hash = "{HEX.upper()}"',
        '"pub_key": {\n  "type": "x",\n  "value": "oWg2ISpLF405Jcm2vXV+2v4fnjodh6aafuIdeoW+rUw="\n}',
        '{"pub_key":{"type":"x","value":"oWg2ISpLF405Jcm2vXV+2v4fnjodh6aafuIdeoW+rUw="}}',
        "https://raw.githubusercontent.com/cosmos/mainnet/ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0/genesis.json",
        "https://snapshots.example.com/cosmoshub-4-pruned-24567890-20261101",
        "https://bucket.s3.amazonaws.com/mainnet-2026-11-20T00-00-00/latest",
        "https://ipfs.io/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPA5A",
        f"https://github.com/x/y/releases/download/v1.2.3/bin-linux-amd64?checksum=sha256:{HEX}",
        "gosu -u 1000:1000 x",
        "mkdir -p /data/keys2",
        "the password is wrong, and the passphrase of the node too",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        "eth,net,web,debug,admin,miner,shh,clique,txpool,les,personal,trace,parity,rpc",
        '[api]\nenable = true\naddress = "tcp://0.0.0.0:1317"',
        "name: peers\nvalue: 12",
        '["a", "b"]',
        "",
        "a\nb\n",
        (
            "Pulumi.dev.yaml: the config is refused, 2 problems:\n"
            "  - blockchainNodeSets.hub.keys: needs the key 'kind' to say which variant is meant\n"
            "  - storageNodeGroups.codex.keys.seed: is shorter than 64 digits; leave it out, or give it whole"
        ),
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert safe_text(text) == text


def test_many_characters_without_an_end_cost_no_more_than_they_are() -> None:
    for text in (
        "a" * 300_000,
        "-" * 300_000,
        "a:" * 100_000,
        "://" * 100_000,
        "curl " * 60_000,
        "<a>" * 99_999,
        "a.b:cdef@" * 30_000,
        "[" * 300_000,
        "abc " * 75_000,
        '"' * 100_000,
        "\\" * 300_000,
    ):
        safe_text(text)


def test_a_name_loses_tokens_alone() -> None:
    name = "Secret codex-seed, password: x, ghp_hunter2hunter2hunter2 of https://me:hunter2@example.org"
    assert without_tokens(name) == f"Secret codex-seed, password: x, {HIDDEN} of https://{HIDDEN}@example.org"


def test_the_markers_are_those_that_renderings_write() -> None:
    assert SECRET in MARKERS


# ---- fields


def workload(env: list[dict[str, Any]] | None = None, args: list[str] | None = None, **pod: Any) -> dict[str, Any]:
    container = {"name": "node", "image": "x:1", "env": env or [], "args": args or []}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "codex-1", "namespace": "x"},
        "spec": {"template": {"spec": {"containers": [container], **pod}}},
    }


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "x"}, "data": data}


def change_of(old: dict[str, Any], new: dict[str, Any]) -> Any:
    base, head = Snapshot("dev"), Snapshot("dev")
    base.add(Item(old))
    head.add(Item(new))
    (change,) = compare(base, head).changes
    return change


def texts(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    change = change_of(old, new)
    return [shown(change, field) for field in change.fields]


MAP = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
OTHER = {"valueFrom": {"secretKeyRef": {"name": "b", "key": "c"}}}
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": '{"a": "hunter2"}'}
REF = {"valueFrom": {"secretKeyRef": {"name": "rpc", "key": "url"}}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (workload([{"name": "PASSWORD", "value": "x"}]), workload([{"name": "PASSWORD", "value": "hunter2"}])),
        (workload(), workload([{"name": "PASSWORD", "value": "hunter2"}])),
        (workload([{"name": "A", "value": "1"}]), workload([{"name": "A", "value": "1"}, {"name": "PIN", "value": "hunter2"}])),
        (workload(args=["--password", "x"]), workload(args=["--password", "hunter2"])),
        (workload(args=["run", "--password", "x"]), workload(args=["run", "--password", "hunter2"])),
        (workload(args=["--password=x"]), workload(args=["--password=hunter2 and hunter2"])),
        (workload(args=["run"]), workload(args=["run", "--password=hunter2 and hunter2"])),
        (workload(args=["-c", "a"]), workload(args=["-c", "PASSWORD=hunter2 a"])),
        (workload([{"name": "RPC", **REF}]), workload([{"name": "RPC", "value": "hunter2"}])),
        (workload([{"name": "RPC", "value": "hunter2"}]), workload([{"name": "RPC", **REF}])),
        (config_map(password="x"), config_map(password="hunter2")),
        (config_map(a="x"), config_map(**{".netrc": "hunter2"})),
        (workload(args=["-u", "me:x"]), workload(args=["-u", "me:hunter2"])),
        (workload(args=["--rpc-login", "me:x"]), workload(args=["--rpc-login", "me:hunter2"])),
        (workload(args=["-p", "x"]), workload(args=["-p", "hunter2"])),
        (config_map(a="x"), config_map(a="x") | {"metadata": {"name": "config", "namespace": "x", "annotations": APPLIED}}),
        (config_map(a="x") | {"spec": {"passwords": ["x"]}}, config_map(a="x") | {"spec": {"passwords": ["hunter2"]}}),
        *(
            (
                {"kind": kind, "metadata": {"name": "c"}, "inputs": {key: old}},
                {"kind": kind, "metadata": {"name": "c"}, "inputs": {key: new}},
            )
            for kind, key, old, new in (
                ("aws:iam/accessKey:AccessKey", "secret", "x", "hunter2"),
                ("random:index/randomBytes:RandomBytes", "base64", "x", "hunter2"),
                ("random:index/randomId:RandomId", "b64Url", "x", "hunter2"),
                ("a:b:C", "credentials", ["x"], ["hunter2"]),
            )
        ),
        (config_map(a="x"), config_map(a="x", password="hunter2")),
        (config_map(a="password: x"), config_map(a="password: hunter2")),
        (config_map(a="x"), {**config_map(a="x"), "binaryData": {"b": "hunter2"}}),
        (config_map(a="x"), {**config_map(a="hunter2")} | {"data": {"a": "[secret]"}}),
        ({**config_map(a="x"), "kind": "Secret"}, {**config_map(a="hunter2"), "kind": "Secret"}),
        ({**config_map(a="x"), "kind": "Secret"}, {**config_map(a="x"), "kind": "Secret", "stringData": {"b": "hunter2"}}),
        (
            {"kind": "a:b:C", "metadata": {"name": "c"}, "inputs": {"credentials": {"user": "x", "n": 1}}},
            {"kind": "a:b:C", "metadata": {"name": "c"}, "inputs": {"credentials": {"user": "hunter2", "n": 2}}},
        ),
        (
            {"kind": "a:b:C", "metadata": {"name": "c"}, "inputs": {"x": "a"}},
            {
                "kind": "a:b:C",
                "metadata": {"name": "c"},
                "inputs": {"x": {"4dabf18193072939515e22adb298388d": "1b47", "plaintext": "hunter2"}},
            },
        ),
        (
            {"kind": "pulumi:providers:kubernetes", "metadata": {"name": "c"}, "inputs": {"kubeconfig": "/home/me/.kube/config"}},
            {"kind": "pulumi:providers:kubernetes", "metadata": {"name": "c"}, "inputs": {"kubeconfig": "users: hunter2"}},
        ),
    ],
)
def test_a_field_shows_no_secret(old: dict[str, Any], new: dict[str, Any]) -> None:
    for pairs in (texts(old, new), texts(new, old)):
        assert "hunter2" not in str(pairs)
        assert HIDDEN in str(pairs)


def test_what_was_secret_on_one_side_is_hidden_on_the_other() -> None:
    assert texts(config_map(a="[secret]"), config_map(a="plain")) == [(HIDDEN, HIDDEN)]
    assert texts(config_map(a="[secret]"), config_map(b="plain"))[0] == (HIDDEN, None)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (workload([{"name": "A", "value": "1"}]), workload([{"name": "A", "value": "2"}]), [("1", "2")]),
        (workload(args=["--a=1"]), workload(args=["--a=2"]), [("--a=1", "--a=2")]),
        (workload(volumes=[]), workload(volumes=[{"name": "k", "secret": {"secretName": "k"}}]),
         [(None, '{"name": "k", "secret": {"secretName": "k"}}')]),
        (workload([{"name": "A", **REF}]), workload([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "rpc", "key": "to"}}}]),
         [("url", "to")]),
        (workload(automountServiceAccountToken=True), workload(automountServiceAccountToken=False), [("true", "false")]),
        (workload(args=["-p", "80"]), workload(args=["-p", "8080:80"]), [("80", "8080:80")]),
        (workload(args=["-u", "1:1"]), workload(args=["-u", "1000:1000"]), [("1:1", "1000:1000")]),
        ({"kind": "pulumi:providers:kubernetes", "metadata": {"name": "c"}, "inputs": {"kubeconfig": "/a/b"}},
         {"kind": "pulumi:providers:kubernetes", "metadata": {"name": "c"}, "inputs": {"kubeconfig": "~/.kube/config"}},
         [("/a/b", "~/.kube/config")]),
        (workload(terminationGracePeriodSeconds=1), workload(terminationGracePeriodSeconds=2), [("1", "2")]),
        (workload([{"name": "KEY", "value": "/run/a/key"}]), workload([{"name": "KEY", "value": "/run/b/key"}]),
         [("/run/a/key", "/run/b/key")]),
    ],
)  # fmt: skip
def test_a_plain_field_shows_its_values(old: dict[str, Any], new: dict[str, Any], expected: list[Any]) -> None:
    assert texts(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        (workload([{"name": "A", **REF}]), workload([{"name": "A", "value": "x"}]), ["env/[A]"]),
        (workload([{"name": "A", **REF}]), workload([{"name": "A", **MAP}]), ["env/[A]"]),
        (workload(volumes=[{"name": "k", "secret": {}}]), workload(volumes=[{"name": "k", "configMap": {}}]), ["volumes/[k]"]),
        (workload(volumes=[{"name": "k", "projected": {"sources": [{"secret": {}}]}}]),
         workload(volumes=[{"name": "k", "projected": {"sources": [{"configMap": {}}]}}]), ["volumes/[k]"]),
        (config_map(a="[secret]"), config_map(a="x"), ["data/a"]),
        # near misses
        (workload([{"name": "A", **REF}]), workload([{"name": "A", **OTHER}]), []),
        (workload([{"name": "A", **REF}]), workload([{"name": "A", "value": ""}]), []),
        (workload([{"name": "A", **REF}]), workload(), []),
        (workload([{"name": "A", "value": "x"}]), workload([{"name": "A", **REF}]), []),
        (workload([{"name": "A", "value": "[secret]"}]), workload([{"name": "A", **REF}]), []),
        (workload(volumes=[{"name": "k", "secret": {}}]), workload(volumes=[{"name": "k", "emptyDir": {}}]), []),
        (config_map(a="[secret]"), config_map(a="[another secret]"), []),
        (config_map(a="[secret]"), config_map(b="x"), []),
    ],
)  # fmt: skip
def test_what_was_secret_and_is_plain_is_unveiled(old: dict[str, Any], new: dict[str, Any], paths: list[str]) -> None:
    assert ["/".join(path[-2:]) for path in unveiled(change_of(old, new))] == paths
