"""A state sync of a chain node: whom it trusts, and that it is never begun again over data."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chain_agents import Pod, Resource, Web
from chain_homes import ask_for_snapshot, config, empty_store, restored, with_block


def header(height: int, chain_id: str = "hub-1", mark: str = "AB") -> dict[str, Any]:
    return {
        "result": {
            "signed_header": {
                "header": {"height": str(height), "chain_id": chain_id},
                "commit": {"block_id": {"hash": (mark + f"{height:04X}").ljust(64, "0")}},
            }
        }
    }


def rpc(latest: int, **kind: str) -> Callable[[str], bytes]:
    def answer(path: str) -> bytes:
        height = path.partition("height=")[2]
        return json.dumps(header(int(height) if height else latest, **kind)).encode()

    return answer


@pytest.fixture
def two(web: Web) -> Iterator[tuple[Web, Web]]:
    other = Web()
    yield web, other
    other.close()


def ask_for_sync(pod: Pod, *servers: Web, **given: Any) -> None:
    pod.node["state_sync"] = {
        "rpc_servers": [server.url for server in servers],
        "trust_height": None,
        "trust_hash": None,
        "trust_offset": 1000,
        **given,
    }


def test_a_state_sync_trusts_what_two_servers_say(pod: Pod, two: tuple[Web, Web]) -> None:
    two[0].files["/commit"] = Resource(rpc(5010))
    two[1].files["/commit"] = Resource(rpc(5000))
    ask_for_sync(pod, *two)
    assert "state sync trusts block 4000" in pod.prepare()
    assert config(pod)["statesync"] == {
        "enable": True,
        "rpc_servers": f"{two[0].url},{two[1].url}",
        "trust_height": 4000,
        "trust_hash": "AB0FA0".ljust(64, "0"),
        "trust_period": "168h0m0s",
    }


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (rpc(5000), rpc(5000, mark="CD"), "the RPC servers disagree on block 4000"),
        (rpc(5000), rpc(5000, chain_id="hub-2"), "is on chain 'hub-2', not 'hub-1'; correct rpcServers"),
        (rpc(5000), None, "a state sync needs the word of two RPC servers"),
        (rpc(5000), lambda _: b"<html>", "a state sync needs the word of two RPC servers"),
        (rpc(5000), lambda _: b'{"error": {}}', "a state sync needs the word of two RPC servers"),
    ],
)
def test_a_state_sync_trusts_nobody_else(pod: Pod, two: tuple[Web, Web], first: Any, second: Any, said: str) -> None:
    for server, answers in zip(two, (first, second), strict=True):
        if answers is not None:
            server.files["/commit"] = Resource(answers)
    ask_for_sync(pod, *two)
    assert said in pod.refusal()
    assert not (pod.home / ".nodestead" / "syncing.json").exists()


def test_a_given_block_is_trusted_without_asking(pod: Pod) -> None:
    given = {"trust_height": 12, "trust_hash": "ab" * 32, "rpc_servers": ["http://127.0.0.1:9"]}
    ask_for_sync(pod, **given)
    pod.prepare()
    found = config(pod)["statesync"]
    assert (found["trust_height"], found["trust_hash"]) == (12, "AB" * 32)
    assert found["rpc_servers"] == "http://127.0.0.1:9,http://127.0.0.1:9"


def test_a_given_height_gets_its_hash(pod: Pod, web: Web) -> None:
    web.files["/commit"] = Resource(rpc(5000))
    ask_for_sync(pod, web, trust_height=12)
    pod.prepare()
    assert config(pod)["statesync"]["trust_hash"] == "AB000C".ljust(64, "0")


def test_an_interrupted_state_sync_begins_again(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    (pod.data / "application.db").mkdir()
    (pod.data / "application.db" / "half").touch()
    assert "a state sync was interrupted" in pod.prepare()
    assert list(restored(pod)) == ["data/priv_validator_state.json"]
    assert config(pod)["statesync"]["enable"] is True


def test_a_state_sync_that_has_ended_is_never_begun_again(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    with_block(pod, 15)
    assert "the state sync has ended; the data is at block 15" in pod.prepare()
    assert config(pod)["statesync"]["enable"] is False
    (pod.data / "blockstore.db" / "000001.log").write_bytes(b"")
    pod.prepare()
    assert (pod.data / "blockstore.db").exists()
    assert config(pod)["statesync"]["enable"] is False


def test_data_of_a_state_sync_that_cannot_be_read_is_kept(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    (pod.data / "blockstore.db").mkdir()
    (pod.data / "blockstore.db" / "CURRENT").write_text("OTHER-1\n")
    assert "whether it has ended cannot be read from this database; keeping the data" in pod.prepare()
    assert (pod.data / "blockstore.db" / "CURRENT").exists()
    assert [path.name for path in (pod.home / ".nodestead").iterdir()] == ["synced.json"]
    assert config(pod)["statesync"]["enable"] is False


def test_a_height_that_the_node_told_of_says_that_its_state_sync_has_ended(pod: Pod) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    empty_store(pod)
    (pod.data / "nodestead-height").write_text("15\n")
    assert "the state sync has ended; the data is at block 15" in pod.prepare()
    assert (pod.data / "blockstore.db").exists()


@pytest.mark.parametrize("way", ["sync", "snapshot"])
def test_a_home_that_was_emptied_is_not_synced_in_silence(pod: Pod, web: Web, way: str) -> None:
    ask_for_sync(pod, trust_height=12, trust_hash="ab" * 32, rpc_servers=["http://127.0.0.1:9"])
    if way == "snapshot":
        ask_for_snapshot(pod, web)
        pod.prepare()
    else:
        pod.prepare()
        empty_store(pod)
        with_block(pod, 15)
        pod.prepare()
    for database in pod.data.glob("*.db"):
        shutil.rmtree(database)
    assert "to sync it again, remove" in pod.prepare()
    assert config(pod)["statesync"]["enable"] is False


def test_data_that_came_otherwise_is_not_synced(pod: Pod, web: Web) -> None:
    ask_for_snapshot(pod, web)
    ask_for_sync(pod, rpc_servers=["http://127.0.0.1:9"])
    pod.prepare()
    assert config(pod)["statesync"]["enable"] is False
