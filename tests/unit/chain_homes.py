"""What the tests of a chain node's preparation share."""

import gzip
import json
import tomllib
from typing import Any

from chain_agents import Pod, Resource, Web, tar_of

DATABASE = {"data/application.db/CURRENT": b"MANIFEST-1\n", "data/blockstore.db/1.log": bytes(1_000_000), "wasm/w": b"w"}
TAR = tar_of({**DATABASE, "data/priv_validator_state.json": b'{"height":"9"}', "config/genesis.json": b"{}"})
SNAPSHOT = gzip.compress(TAR, 1)
SIGNED = {"height": "7", "round": 0, "step": 3}


def config(pod: Pod) -> dict[str, Any]:
    return tomllib.loads((pod.home / "config" / "config.toml").read_text())


def restored(pod: Pod) -> dict[str, bytes]:
    """What lies in the home beside its config."""
    return {
        str(path.relative_to(pod.home)): path.read_bytes()
        for path in sorted(pod.home.rglob("*"))
        if path.is_file() and path.relative_to(pod.home).parts[0] not in {"config", ".nodestead"}
    }


def sign_state(pod: Pod) -> dict[str, Any]:
    return json.loads((pod.data / "priv_validator_state.json").read_bytes())


def has_signed(pod: Pod) -> None:
    pod.data.mkdir(exist_ok=True)
    (pod.data / "priv_validator_state.json").write_text(json.dumps(SIGNED))


LOCAL = {"chain_id": "hub-1", "genesis_time": "2026-01-31T00:00:00Z", "validators": [{"power": "10"}], "app_hash": ""}


def empty_store(pod: Pod) -> None:
    """Databases of a node that has started and has no block: the block store's manifest names a journal, and that is empty."""
    (pod.data / "state.db").mkdir(parents=True)
    store = pod.data / "blockstore.db"
    store.mkdir()
    record = b"\x01\x1aleveldb.BytewiseComparator\x02\x01\x03\x02\x04\x00"
    (store / "MANIFEST-000000").write_bytes(checksummed(record))
    (store / "CURRENT").write_text("MANIFEST-000000\n")
    (store / "000001.log").touch()


def checksummed(record: bytes) -> bytes:
    """One record of a goleveldb journal: masked CRC-32C, length, kind 1."""
    crc = 0xFFFFFFFF
    for byte in b"\x01" + record:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little") + len(record).to_bytes(2, "little") + b"\x01" + record


def with_block(pod: Pod, height: int) -> None:
    """A block store whose journal holds the height: one batch with one put."""
    value = b"\x08\x01\x10" + bytes([height])
    batch = (1).to_bytes(8, "little") + (1).to_bytes(4, "little") + b"\x01\x0ablockStore" + bytes([len(value)]) + value
    (pod.data / "blockstore.db" / "000001.log").write_bytes(checksummed(batch))


def ask_for_snapshot(pod: Pod, web: Web, sha256: str | None = None, **server: Any) -> None:
    web.files["/snap.tar.gz"] = Resource(**{"content": SNAPSHOT, **server})
    pod.node["snapshot"] = {"kind": "url", "url": f"{web.url}/snap.tar.gz?raw=true", "sha256": sha256}


WHOLE = {**DATABASE, "data/priv_validator_state.json": b'{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}\n'}
