"""Runs before a chain node: keys, genesis, data and config, each step safe to interrupt and to repeat.

    python3 chain_prepare.py node.json

Environment: HOST_IP, NODE_NAME, KUBERNETES_API, SERVICE_ACCOUNT_DIR, ADDRESS_WAIT (see chain_network.py); RUN_DIR, the folder
shared with the node's container (/run/nodestead).

Its own folder in the chain's home is `.nodestead`: `restore` (a snapshot being unpacked), `moves.json` (a whole snapshot being
moved into place), `restored.json` and `synced.json` (the data came so; it is never brought in again), `syncing.json` (a state
sync was begun), `scratch` (emptied by every run).
"""

import base64
import binascii
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any, TypedDict

import chain_toml
from chain_archive import SIGN_STATE, begin_moves, finish_moves, unpack
from chain_fetch import Download, save, shown
from chain_files import StepError, have_databases, remove, run_script, say, write_whole
from chain_genesis import chain_id_of, document, patched
from chain_network import external_address, trusted_block, wait_for_services

_FRESH_SIGN_STATE = b'{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}\n'
_OWN_FILES = {
    "config.toml",
    "app.toml",
    "client.toml",
    "genesis.json",
    "addrbook.json",
    "node_key.json",
    "priv_validator_key.json",
}


class Node(TypedDict):
    """node.json, as far as it is read here."""

    software: str
    moniker: str
    chain_id: str | None
    home: str
    versions: list[dict[str, Any]]
    files: dict[str, dict[str, Any]]
    genesis: dict[str, Any]
    address_book: dict[str, Any] | None
    snapshot: dict[str, Any] | None
    state_sync: dict[str, Any] | None
    keys: dict[str, Any]
    address: dict[str, Any]


class _Preparation:
    """The steps for one node, in their order."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.home = Path(node["home"])
        self.data = self.home / "data"
        self.config = self.home / "config"
        self.state = self.home / ".nodestead"
        self.scratch = self.state / "scratch"
        self.defaults = [Path(version["defaults"]) / "config" for version in node["versions"]]

    def run(self) -> None:
        self.clean()
        self.keys()
        self.settle_data()
        self.genesis()
        self.address_book()
        self.snapshot()
        laid_over = self.state_sync()
        if (address := external_address(self.node["address"])) is not None:
            laid_over["p2p"] = {"external_address": address}
        if self.may_have_signed_elsewhere():
            # It refuses to start where the last blocks have a signature of its key.
            given = self.node["files"]["config"].get("consensus", {}).get("double_sign_check_height", 0)
            laid_over["consensus"] = {"double_sign_check_height": max(20, given)}
        self.write_config(laid_over)
        wait_for_services(self.node["files"]["config"].get("p2p", {}).get("persistent_peers", ""))
        remove(self.scratch)

    def clean(self) -> None:
        """Removes what an earlier run, or an earlier operator, left half done."""
        for folder in (self.home / "tmp", self.scratch):
            remove(folder)
        if not (self.state / "moves.json").exists():
            remove(self.state / "restore")
        # State sync unpacks into its tmp, which has to be there.
        for folder in (self.data, self.config, self.scratch, self.home / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)

    def keys(self) -> None:
        """Copies the keys to memory, checked, and gives a new home the state of a validator that has signed nothing."""
        keys = self.node["keys"]
        target = Path(keys["target"])
        key_id = _copy_key(Path(keys["node"]), target / "node_key.json")
        if key_id.lower() != str(keys["node_id"]).lower():
            raise StepError(
                f"the node key in {keys['node']} has id {key_id.lower()}, and peers expect {keys['node_id']}; restore the Secret"
            )
        if keys["consensus"] is not None:
            address = _copy_key(Path(keys["consensus"]), target / "priv_validator_key.json")
            expected = keys["consensus_address"]
            if expected is not None and address != str(expected).upper():
                raise StepError(
                    f"the consensus key in {keys['consensus']} has address {address}, not {expected};"
                    " correct signer.addresses, or restore the Secret"
                )
        else:
            # A node that signs nothing loads a key all the same: init's throwaway one, never one that lies on the volume.
            with contextlib.suppress(FileNotFoundError):
                write_whole(
                    target / "priv_validator_key.json", (self.defaults[0] / "priv_validator_key.json").read_bytes(), 0o600
                )
        if not (self.data / SIGN_STATE).exists():
            if keys["consensus"] is not None and have_databases(self.data):
                raise StepError(
                    f"{self.data / SIGN_STATE} is gone, which says what this validator has signed, and there are blocks: it could"
                    ' sign one of them again. Put the file back; if it is lost, write {"height": "H", "round": 0, "step": 0} with'
                    " an H above every block that the key has signed"
                )
            write_whole(self.data / SIGN_STATE, _FRESH_SIGN_STATE, 0o600)

    def may_have_signed_elsewhere(self) -> bool:
        """Whether a validator of a public network starts without a record of what it signed: in a new home, or a renamed set."""
        if self.node["keys"]["consensus"] is None or self.node["genesis"]["kind"] == "local":
            return False
        try:
            return int(json.loads((self.data / SIGN_STATE).read_bytes())["height"]) == 0
        except (ValueError, KeyError, TypeError) as error:
            raise StepError(
                f"{self.data / SIGN_STATE}, which says what this validator has signed, is damaged; put it back from a copy, or"
                ' write {"height": "H", "round": 0, "step": 0} with an H above every block that the key has signed'
            ) from error

    def settle_data(self) -> None:
        """Ends the moves of a whole snapshot, and finds out what became of a state sync."""
        finish_moves(self.home, self.state)
        syncing = self.state / "syncing.json"
        if not syncing.exists():
            return
        height = self.height() or self.told_height()
        if height is None and have_databases(self.data) and not self.surely_has_no_block():
            say("a state sync was begun, and whether it has ended cannot be read from this database; keeping the data")
            syncing.rename(self.state / "synced.json")
        elif height is None:
            if have_databases(self.data):
                say("a state sync was interrupted before its first block; emptying the data and beginning again")
            self.empty_data()
            syncing.unlink()
        else:
            say(f"the state sync has ended; the data is at block {height}")
            syncing.rename(self.state / "synced.json")

    def height(self) -> int | None:
        """The last block that is stored, as far as can be told."""
        from chain_height import block_height

        return block_height(self.home) or None

    def told_height(self) -> int | None:
        """The last block that the running node told chain_health.py of, where the database cannot be read."""
        try:
            return int((self.data / "nodestead-height").read_text()) or None
        except (OSError, ValueError):
            return None

    def surely_has_no_block(self) -> bool:
        """Whether the block store could be read, and is empty."""
        from chain_database import UnreadableError, newest_value

        try:
            newest_value(self.data / "blockstore.db", b"blockStore")
        except UnreadableError:
            return False
        return self.height() is None

    def empty_data(self) -> None:
        for entry in self.data.iterdir():
            if entry.name != SIGN_STATE:
                remove(entry)

    def genesis(self) -> None:
        genesis = self.node["genesis"]
        target = self.config / "genesis.json"
        fixed = genesis["kind"] in ("inline", "local")
        if fixed or not target.exists():
            self.place_genesis(self.made_genesis(genesis), target)
        expected = self.node["chain_id"]
        if expected is not None and (found := chain_id_of(target)) != expected:
            raise StepError(
                f"{target} is of chain {found!r}, and the config says {expected!r}; correct the genesis or the chain id,"
                " or give this node another claim: data of one chain cannot serve another"
            )

    def made_genesis(self, genesis: dict[str, Any]) -> Path:
        match genesis["kind"]:
            case "url" | "script":
                return self.obtained(genesis, "genesis")
            case "inline":
                return Path(genesis["path"])
            case "default" | "local":
                default = self.defaults[0] / "genesis.json"
                if not default.exists():
                    raise StepError(f"the binary's init left no {default}; check the image and initArgs of the first version")
                if genesis["kind"] == "default":
                    return default
                made = self.scratch / "genesis.local"
                try:
                    whole = patched(self.node["software"], json.loads(default.read_bytes()), genesis["patch"], genesis["time"])
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise StepError(
                        f"{default} has not the shape of a genesis that is known here ({error!r}); give the genesis otherwise"
                    ) from error
                made.write_text(json.dumps(whole, indent=2, ensure_ascii=False))
                return made
            case other:
                raise StepError(f"genesis.kind is {other!r}; it must be url, script, inline, default or local")

    def place_genesis(self, made: Path, target: Path) -> None:
        expected = self.node["chain_id"]
        if expected is not None and (found := chain_id_of(made)) != expected:
            raise StepError(f"the genesis is of chain {found!r}, and the config says {expected!r}; correct the one that is wrong")
        if target.exists():
            if json.loads(made.read_bytes()) == json.loads(target.read_bytes()):
                return
            if have_databases(self.data):
                if not self.surely_has_no_block():
                    say("the genesis has changed since the chain's first block; keeping the one that the data was made with")
                    return
                say("the genesis has changed before the first block; emptying the data that was made with the other")
                self.empty_data()
        write_whole_from(made, target)
        say(f"genesis in place ({self.node['genesis']['kind']})")

    def obtained(self, source: dict[str, Any], what: str) -> Path:
        """A genesis or an address book from its URL or script, as a file that holds only the document."""
        work = self.scratch / what
        work.mkdir()
        got = work / f"{what}.json"
        if source["kind"] == "url":
            say(f"{what}: reading {shown(source['url'])}")
            save(source["url"], got, what, source.get("sha256"))
        else:
            # The names that scripts for the Cosmos operator know; a script cannot leave half a file in the home.
            env = {
                "CONFIG_DIR": str(work),
                "GENESIS_FILE": str(work / "genesis.json"),
                "ADDRBOOK_FILE": str(work / "addrbook.json"),
            }
            run_script(what, source["script"], work, {"CHAIN_HOME": str(self.home), "DATA_DIR": str(self.data), **env})
            if not got.exists():
                raise StepError(f"the script for the {what} wrote no ${'GENESIS' if what == 'genesis' else 'ADDRBOOK'}_FILE")
        unpacked = work / "work"
        unpacked.mkdir()
        return document(got, unpacked, what)

    def address_book(self) -> None:
        source, target = self.node["address_book"], self.config / "addrbook.json"
        if source is not None and not target.exists():
            write_whole_from(self.obtained(source, "addrbook"), target)
            say("address book in place")

    def snapshot(self) -> None:
        source = self.node["snapshot"]
        if source is None or have_databases(self.data):
            return
        if (self.state / "restored.json").exists():
            say(
                "there is no database, and the snapshot was restored before; to restore it again,"
                f" remove {self.state / 'restored.json'}"
            )
            return
        folder = self.state / "restore"
        folder.mkdir(parents=True)
        origin: dict[str, Any] = {"kind": source["kind"]}
        if source["kind"] == "url":
            say(f"snapshot: reading {shown(source['url'])}")
            origin |= {"url": shown(source["url"]), "sha256": self.unpacked_snapshot(source, folder)}
        else:
            env = {"CHAIN_HOME": str(folder), "RESTORE_DIR": str(folder), "DATA_DIR": str(folder / "data")}
            run_script("snapshot", source["script"], folder, env)
        begin_moves(self.home, self.state, folder, origin)
        finish_moves(self.home, self.state)

    def unpacked_snapshot(self, source: dict[str, Any], folder: Path) -> str:
        download = Download(source["url"], "snapshot", source["sha256"])
        try:
            download.open()
            free = shutil.disk_usage(self.home).free
            if download.total is not None and download.total > free:
                raise StepError(
                    f"the snapshot has {download.total >> 20} MiB packed, the volume {free >> 20} MiB free; make the claim larger"
                )
            try:
                unpack(download, folder)
            except StepError:
                # A wrong checksum explains damage better than the decoder can.
                if source["sha256"] is not None:
                    download.finish()
                raise
            return download.finish()
        finally:
            download.close()

    def state_sync(self) -> dict[str, Any]:
        """What config.toml needs for it: on where there is no data yet, else off, since nothing is ever synced twice."""
        sync = self.node["state_sync"]
        if sync is None:
            return {}
        markers = [self.state / name for name in ("restored.json", "synced.json")]
        if have_databases(self.data):
            return {"statesync": {"enable": False}}
        if brought_in := [str(marker) for marker in markers if marker.exists()]:
            say(f"there is no database, and the data was brought in before; to sync it again, remove {' and '.join(brought_in)}")
            return {"statesync": {"enable": False}}
        height, block_hash = trusted_block(sync, self.node["chain_id"])
        # CometBFT wants two; a single one is named twice, as its users do.
        servers = sync["rpc_servers"] * 2 if len(sync["rpc_servers"]) == 1 else sync["rpc_servers"]
        write_whole(self.state / "syncing.json", json.dumps({"height": height, "hash": block_hash}).encode())
        return {
            "statesync": {
                "enable": True,
                "rpc_servers": ",".join(servers),
                "trust_height": height,
                "trust_hash": block_hash,
            }
        }

    def write_config(self, laid_over: dict[str, Any]) -> None:
        versions = self.node["versions"]
        run_dir = Path(os.environ.get("RUN_DIR", "/run/nodestead"))
        for version, defaults in zip(versions, self.defaults, strict=True):
            target = self.config if len(versions) == 1 else run_dir / "files" / version["name"]
            for name in ("config", "app", "client"):
                given = self.node["files"].get(name) or {}
                layers = [{"moniker": self.node["moniker"]}, given, laid_over] if name == "config" else [given]
                if name == "app" and version["halt_height"] is not None:
                    layers.append({"halt-height": halt_height(version["halt_height"], defaults / "app.toml")})
                self.write_toml(defaults / f"{name}.toml", target / f"{name}.toml", layers)
        for path in sorted(self.defaults[0].iterdir()):
            # Some chains' init leaves more beside the usual files.
            if path.is_file() and path.name not in _OWN_FILES and not (self.config / path.name).exists():
                write_whole_from(path, self.config / path.name)

    def write_toml(self, default: Path, target: Path, layers: list[dict[str, Any]]) -> None:
        name = target.name
        if not default.exists():
            if name == "config.toml":
                raise StepError(f"the binary's init left no {default}; check the image and initArgs of this version")
            if not any(layers):
                return
            say(f"{name}: this version's init writes none; it gets only what the config says")
        try:
            table = tomllib.loads(default.read_text()) if default.exists() else {}
            added: list[str] = []
            for layer in layers:
                table, more = chain_toml.merged(table, layer)
                added += more
            text = chain_toml.dumps(table)
        except (ValueError, TypeError) as error:
            raise StepError(f"{name}: {error}; correct it in the config") from error
        if added and default.exists():
            say(f"{name}: not in the default file of this version, written all the same: {', '.join(added)}")
        write_whole(target, f"# Written by nodestead at every start; change the stack's config instead.\n{text}".encode())


def halt_height(last: int, default: Path) -> int:
    """The halt-height of app.toml that makes `last` the last block of a version.

    Up to SDK 0.47 a node commits that block and stops; from 0.50 on it refuses to execute it (baseapp/abci.go, checkHalt).
    Only the latter's app.toml has a query-gas-limit.
    """
    newer = default.exists() and "query-gas-limit" in tomllib.loads(default.read_text())
    return last + 1 if newer else last


def write_whole_from(source: Path, target: Path) -> None:
    """Copies a file of any size so that the target is whole or not there."""
    aside = target.with_name(f".{target.name}.new")
    with source.open("rb") as read, aside.open("wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    aside.replace(target)


def _copy_key(source: Path, target: Path) -> str:
    """Copies a key for its user alone and gives its address: SHA-256 of the public key, 20 bytes, in upper case."""
    try:
        content = source.read_bytes()
        key = json.loads(content)
        private = base64.b64decode(key["priv_key"]["value"], validate=True)
        kind = key["priv_key"]["type"]
    except OSError as error:
        raise StepError(f"the Secret has no usable key for this node: {source} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, binascii.Error):
        # Without the cause: it may quote the key.
        raise StepError(f"the Secret has no usable key for this node: {source} is not the JSON of a CometBFT key") from None
    if kind == "tendermint/PrivKeyEd25519" and len(private) == 64:
        address = hashlib.sha256(private[32:]).hexdigest()[:40].upper()
    elif isinstance(key.get("address"), str):
        address = str(key["address"]).upper()
    else:
        raise StepError(f"the Secret has no usable key for this node: {source} holds no Ed25519 key of 64 bytes")
    write_whole(target, content, 0o600)
    return address


def name_secret_urls(node: Node) -> None:
    """Puts URLs that are secret, and lie in the environment, in the place of their names."""
    for source in (node["genesis"], node["address_book"], node["snapshot"]):
        name = str((source or {}).get("url") or "")
        if source is not None and name.startswith("$"):
            if not os.environ.get(name[1:]):
                raise StepError(f"the Secret has no URL for {name[1:]}; add the entry")
            source["url"] = os.environ[name[1:]].strip()


def main(arguments: list[str]) -> int:
    """Prepares the node that the file describes; 1 where a step cannot go on, and the next try starts there."""
    try:
        node: Node = json.loads(Path(arguments[0]).read_bytes())
        name_secret_urls(node)
        _Preparation(node).run()
    except StepError as error:
        fault = str(error)
    except OSError as error:
        hint = {
            28: "; make the claim larger",
            13: "; fsGroup must be a group that may write there",
            30: "; the volume is read-only",
        }
        fault = f"{error}{hint.get(error.errno or 0, '')}"
    else:
        say("ready")
        return 0
    sys.stderr.write(f"nodestead: {fault}\n")
    return 1


def _end(_signal: int, _frame: object) -> None:
    sys.exit(143)


if __name__ == "__main__":
    # As process 1 of a container it would ignore the signal, and a deleted pod would linger.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
