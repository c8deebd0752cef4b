"""What runs before a chain node, for real: genesis, address book and peers, against web servers on this machine."""

import ast
import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from chain_agents import Pod, Resource, Web
from chain_homes import LOCAL, SNAPSHOT, WHOLE, ask_for_snapshot, empty_store, restored, with_block
from chains import plan

# --- genesis and address book ---


def test_a_genesis_is_had_from_a_url_whatever_its_query(pod: Pod, web: Web) -> None:
    content = gzip.compress(b'{"chain_id": "hub-1", "from": "url"}')
    web.files["/genesis.json.gz"] = Resource(content)
    url = f"{web.url}/genesis.json.gz?raw=true"
    pod.node["genesis"] = {"kind": "url", "url": url, "sha256": hashlib.sha256(content).hexdigest()}
    assert "?raw" not in pod.prepare()
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes()) == {"chain_id": "hub-1", "from": "url"}
    del web.files["/genesis.json.gz"]
    pod.prepare()


@pytest.mark.parametrize(
    ("content", "sha256", "said"),
    [
        (b'{"chain_id": "hub-2"}', None, "the genesis is of chain 'hub-2', and the config says 'hub-1'"),
        (b"{}", None, "the genesis is of chain None, and the config says 'hub-1'"),
        (b'{"chain_id": "hub-1"}', "0" * 64, "has SHA-256"),
    ],
)
def test_a_wrong_genesis_never_reaches_the_home(pod: Pod, web: Web, content: bytes, sha256: str | None, said: str) -> None:
    web.files["/g"] = Resource(content)
    pod.node["genesis"] = {"kind": "url", "url": f"{web.url}/g", "sha256": sha256}
    assert said in pod.refusal()
    assert not (pod.home / "config" / "genesis.json").exists()


def test_a_home_of_another_chain_is_refused(pod: Pod) -> None:
    pod.prepare()
    pod.node["chain_id"] = "hub-2"
    assert "is of chain 'hub-1', and the config says 'hub-2'" in pod.refusal()


@pytest.mark.parametrize("where", ["$GENESIS_FILE", "genesis.json", "$CONFIG_DIR/genesis.json"])
def test_a_script_gives_the_genesis(pod: Pod, where: str) -> None:
    pod.node["genesis"] = {"kind": "script", "script": f'echo \'{{"chain_id": "hub-1", "from": "script"}}\' | cat > "{where}"'}
    pod.prepare()
    assert "script" in (pod.home / "config" / "genesis.json").read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "the script for the genesis exits with 3"),
        ("no-such-program-here", "exits with 127, a command that the agent image lacks"),
        ("false | cat > $GENESIS_FILE", "exits with 1"),
        ("false; echo {} > $GENESIS_FILE", "exits with 1"),
        ("true", "the script for the genesis wrote no $GENESIS_FILE; let it write the document there"),
    ],
)
def test_a_script_that_fails_anywhere_is_told(pod: Pod, script: str, said: str) -> None:
    pod.node["genesis"] = {"kind": "script", "script": script}
    done = pod.run()
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert not (pod.home / "config" / "genesis.json").exists()


@pytest.mark.parametrize("kind", ["zip", "json"])
def test_an_address_book_is_fetched_once_and_to_its_own_file(pod: Pod, web: Web, kind: str) -> None:
    content = b'{"addrs": []}'
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("x/addrbook.json", content)
        content = out.getvalue()
    web.files["/book"] = Resource(content)
    pod.node["address_book"] = {"kind": "url", "url": f"{web.url}/book"}
    pod.prepare()
    assert json.loads((pod.home / "config" / "addrbook.json").read_bytes()) == {"addrs": []}
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes())["chain_id"] == "hub-1"
    pod.prepare()
    assert len(web.asked) == 1


def test_a_default_genesis_of_an_unknown_shape_is_told(pod: Pod) -> None:
    pod.node["genesis"] = {"kind": "local", "time": None, "patch": {**LOCAL, "bond_denom": "x", "accounts": [], "gen_txs": []}}
    assert "genesis.json has not the shape of a genesis that is known here (KeyError('app_state'))" in pod.refusal()


def test_the_script_runs_by_itself_and_imports_nothing_of_the_package(pod: Pod) -> None:
    done = subprocess.run(pod.command(), env=pod.env(), cwd="/", capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "nodestead: genesis in place (default)\nnodestead: ready\n"


def test_what_a_set_mounts_is_all_that_its_scripts_import(pod: Pod, tmp_path: Path) -> None:
    (mounted,) = [one["data"] for one in plan().manifests() if str(one["metadata"]["name"]).startswith("hub-agents-")]
    known = sys.stdlib_module_names | {name.removesuffix(".py") for name in mounted}
    found = [ast.walk(ast.parse(text)) for name, text in mounted.items() if name.endswith(".py")]
    nodes = [one for walk in found for one in walk]
    named = {alias.name for one in nodes if isinstance(one, ast.Import) for alias in one.names}
    named |= {str(one.module) for one in nodes if isinstance(one, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= known
    folder = tmp_path / "agents"
    folder.mkdir()
    for name, text in mounted.items():
        (folder / name).write_text(text)
    # -S: none of what is installed here is in the image of the agents.
    command = [sys.executable, "-S", str(folder / "chain_prepare.py"), pod.command()[-1]]
    done = subprocess.run(command, env=pod.env(), cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_local_genesis_is_made_from_the_default_one(pod: Pod) -> None:
    pod.node |= {"software": "cometbft", "genesis": {"kind": "local", "time": LOCAL["genesis_time"], "patch": LOCAL}}
    pod.prepare()
    assert json.loads((pod.home / "config" / "genesis.json").read_bytes()) == LOCAL


@pytest.mark.parametrize("blocks", [False, True])
def test_a_changed_genesis_counts_until_the_first_block(pod: Pod, blocks: bool) -> None:
    given = pod.root / "genesis.json"
    given.write_text('{"chain_id": "hub-1", "old": 1}')
    pod.node["genesis"] = {"kind": "inline", "path": str(given)}
    pod.prepare()
    empty_store(pod)
    if blocks:
        with_block(pod, 5)
    given.write_text('{"old": 1,\n "chain_id": "hub-1"}')
    pod.prepare()
    assert (pod.data / "blockstore.db").exists()
    given.write_text('{"chain_id": "hub-1", "new": 1}')
    log = pod.prepare()
    assert ("keeping the one" in log) == blocks
    assert ("new" in (pod.home / "config" / "genesis.json").read_text()) != blocks
    assert (pod.data / "blockstore.db").exists() == blocks


def test_a_changed_genesis_never_empties_data_that_cannot_be_read(pod: Pod) -> None:
    given = pod.root / "genesis.json"
    given.write_text('{"chain_id": "hub-1", "old": 1}')
    pod.node["genesis"] = {"kind": "inline", "path": str(given)}
    pod.prepare()
    (pod.data / "blockstore.db").mkdir()
    (pod.data / "blockstore.db" / "CURRENT").write_text("OTHER-1\n")
    given.write_text('{"chain_id": "hub-1", "new": 1}')
    assert "keeping the one" in pod.prepare()
    assert (pod.data / "blockstore.db").exists()


# --- secret URLs ---


def test_secret_urls_come_from_the_environment_and_stand_nowhere(pod: Pod, web: Web) -> None:
    web.files["/genesis.json"] = Resource(b'{"chain_id": "hub-1"}')
    web.files["/book.json"] = Resource(b'{"addrs": []}')
    web.files["/snap.tar.gz"] = Resource(SNAPSHOT)
    pod.node["genesis"] = {"kind": "url", "url": "$GENESIS_URL", "sha256": None}
    pod.node["address_book"] = {"kind": "url", "url": "$ADDRESS_BOOK_URL", "sha256": None}
    pod.node["snapshot"] = {"kind": "url", "url": "$SNAPSHOT_URL", "sha256": None}
    names = {"GENESIS_URL": "genesis.json", "ADDRESS_BOOK_URL": "book.json", "SNAPSHOT_URL": "snap.tar.gz"}
    log = pod.prepare({name: f"{web.url}/{file}?token=hunter2\n" for name, file in names.items()})
    assert sorted(path for path, _ in web.asked) == [f"/{file}?token=hunter2" for file in sorted(names.values())]
    assert restored(pod) == WHOLE
    everything = b"".join(path.read_bytes() for path in pod.home.rglob("*") if path.is_file())
    assert "hunter2" not in log
    assert b"hunter2" not in everything


@pytest.mark.parametrize("env", [{}, {"SNAPSHOT_URL": ""}])
def test_a_secret_without_the_url_is_told(pod: Pod, env: dict[str, str]) -> None:
    pod.node["snapshot"] = {"kind": "url", "url": "$SNAPSHOT_URL", "sha256": None}
    assert "the Secret has no URL for SNAPSHOT_URL; add the entry" in pod.refusal(env)


# --- the whole run ---


def test_leftovers_are_removed(pod: Pod) -> None:
    for folder in ("tmp", ".nodestead/scratch", ".nodestead/restore"):
        (pod.home / folder).mkdir(parents=True)
        (pod.home / folder / "x").touch()
    pod.prepare()
    assert list((pod.home / ".nodestead").iterdir()) == []
    # State sync unpacks there, and makes no folder for it.
    assert list((pod.home / "tmp").iterdir()) == []


def test_a_second_run_changes_nothing(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web)
    pod.prepare()
    before = {path: path.read_bytes() for path in pod.home.rglob("*") if path.is_file()}
    pod.prepare()
    assert {path: path.read_bytes() for path in pod.home.rglob("*") if path.is_file()} == before


def test_the_services_of_peers_are_waited_for_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import chain_network

    asked: list[str] = []

    def resolves(host: str) -> bool:
        asked.append(host)
        return host == "hub-1-p2p" or asked.count(host) > 2

    monkeypatch.setattr(chain_network, "_resolves", resolves)
    monkeypatch.setattr(chain_network.time, "sleep", lambda _: None)
    peers = f"{'a' * 40}@hub-1-p2p:26656,{'b' * 40}@sentries-0-p2p.hub:26656,{'c' * 40}@seed.example.org:26656"
    chain_network.wait_for_services(peers)
    assert asked == ["hub-1-p2p", "sentries-0-p2p.hub", "sentries-0-p2p.hub", "sentries-0-p2p.hub"]
    assert capsys.readouterr().out == "nodestead: waiting for the Services of peers: sentries-0-p2p.hub\n"


def test_a_service_that_never_comes_holds_the_node_back_for_a_while_only(capsys: pytest.CaptureFixture[str]) -> None:
    import chain_network

    chain_network.wait_for_services(f"{'a' * 40}@nowhere-0-p2p.invalid:26656", seconds=0)
    assert "no such Service: nowhere-0-p2p.invalid; starting without these peers" in capsys.readouterr().out
