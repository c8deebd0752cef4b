"""Runs before a chain node: keys, genesis, data and config, each step safe to interrupt and to repeat.

    python3 chain_prepare.py node.json

Environment: HOST_IP, NODE_NAME, KUBERNETES_API, SERVICE_ACCOUNT_DIR, ADDRESS_WAIT (see chain_network.py); RUN_DIR, the folder
shared with the node's container (/run/nodestead).

Its own folder in the chain's home is `.nodestead`: `restore` (a snapshot being unpacked), `moves.json` (a whole snapshot being
moved into place), `restored.json` and `synced.json` (the data came so; it is never brought in again), `syncing.json` (a state
sync was begun), `scratch` (emptied by every run).
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, TypedDict

from chain_archive import SIGN_STATE, begin_moves, finish_moves, unpack
from chain_config import write_config
from chain_fetch import Download, save, shown
from chain_files import StepError, copy_whole, have_databases, remove, run_script, say, write_whole
from chain_genesis import chain_id_of, document, patched
from chain_key_files import place_keys, signed_height
from chain_network import external_address, trusted_block, wait_for_services


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
        place_keys(self.node["keys"], self.data, self.defaults[0] / "priv_validator_key.json")
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
        write_config(self.node["versions"], self.defaults, self.node["files"], self.config, self.node["moniker"], laid_over)
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

    def may_have_signed_elsewhere(self) -> bool:
        """Whether a validator of a public network starts without a record of what it signed: in a new home, or a renamed set."""
        if self.node["keys"]["consensus"] is None or self.node["genesis"]["kind"] == "local":
            return False
        return signed_height(self.data) == 0

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
        copy_whole(made, target)
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
                raise StepError(
                    f"the script for the {what} wrote no ${'GENESIS' if what == 'genesis' else 'ADDRBOOK'}_FILE;"
                    " let it write the document there"
                )
        unpacked = work / "work"
        unpacked.mkdir()
        return document(got, unpacked, what)

    def address_book(self) -> None:
        source, target = self.node["address_book"], self.config / "addrbook.json"
        if source is not None and not target.exists():
            copy_whole(self.obtained(source, "addrbook"), target)
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
