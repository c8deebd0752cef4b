"""Keys of a chain node come to memory checked, and what a validator has signed is never lowered."""

import json
import stat

import pytest
from chain_agents import Pod, Resource, Web, address_of, key_json
from chain_homes import LOCAL, SIGNED, SNAPSHOT, config, empty_store, has_signed, sign_state


def test_keys_come_to_memory_for_their_user_alone(pod: Pod) -> None:
    consensus = pod.keys / "priv_validator_key.json"
    pod.node["keys"] |= {"consensus": str(consensus), "consensus_address": address_of(2)}
    log = pod.prepare()
    for name in ("node_key.json", "priv_validator_key.json"):
        copy = pod.root / "memory" / name
        assert copy.read_bytes() == (pod.keys / name).read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert json.loads(copy.read_bytes())["priv_key"]["value"] not in log
    assert sign_state(pod) == {"height": "0", "round": 0, "step": 0}


def test_a_node_that_signs_nothing_has_a_key_of_its_own_to_load(pod: Pod) -> None:
    pod.prepare()
    assert (pod.root / "memory" / "priv_validator_key.json").read_text() == key_json(9)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("node_key.json", None, "cannot be read (No such file or directory); correct the entry"),
        ("node_key.json", "secret words", "is not the JSON of a CometBFT key; put in the file as init makes it"),
        ("node_key.json", '{"priv_key": "secret words"}', "is not the JSON of a CometBFT key; put in the file as init makes it"),
        ("node_key.json", key_json(3), f"has id {address_of(3)}, and peers expect {address_of(1)}; restore the Secret"),
        (
            "priv_validator_key.json",
            key_json(3),
            f"has address {address_of(3).upper()}, not {address_of(2)}; correct signer.addresses, or restore the Secret",
        ),
    ],
)
def test_a_wrong_key_is_refused_and_never_shown(pod: Pod, name: str, content: str | None, said: str) -> None:
    pod.node["keys"] |= {"consensus": str(pod.keys / "priv_validator_key.json"), "consensus_address": address_of(2)}
    (pod.keys / name).unlink()
    if content is not None:
        (pod.keys / name).write_text(content)
    refusal = pod.refusal()
    assert said in refusal
    assert "secret words" not in refusal


@pytest.mark.parametrize("way", ["again", "snapshot", "script", "interrupted state sync", "other genesis"])
def test_what_a_validator_has_signed_is_never_lowered(pod: Pod, web: Web, way: str) -> None:
    has_signed(pod)
    if way == "snapshot":
        web.files["/s"] = Resource(SNAPSHOT)
        pod.node["snapshot"] = {"kind": "url", "url": f"{web.url}/s", "sha256": None}
    elif way == "script":
        script = "mkdir -p data/a.db && echo '{}' > $DATA_DIR/priv_validator_state.json"
        pod.node["snapshot"] = {"kind": "script", "script": script}
    elif way == "interrupted state sync":
        (pod.home / ".nodestead").mkdir()
        (pod.home / ".nodestead" / "syncing.json").write_text("{}")
    elif way == "other genesis":
        empty_store(pod)
        (pod.home / "config").mkdir()
        (pod.home / "config" / "genesis.json").write_text('{"chain_id": "hub-1", "old": 1}')
        (pod.root / "genesis.json").write_text('{"chain_id": "hub-1", "new": 1}')
        pod.node["genesis"] = {"kind": "inline", "path": str(pod.root / "genesis.json")}
    pod.prepare()
    assert sign_state(pod) == SIGNED


def holds_a_key(pod: Pod) -> None:
    pod.node["keys"] |= {"consensus": str(pod.keys / "priv_validator_key.json"), "consensus_address": address_of(2)}


def test_blocks_without_a_record_of_what_was_signed_start_no_validator(pod: Pod) -> None:
    holds_a_key(pod)
    pod.prepare()
    empty_store(pod)
    pod.prepare()
    (pod.data / "priv_validator_state.json").unlink()
    refusal = pod.refusal()
    assert f"{pod.data / 'priv_validator_state.json'} is gone, which says what this validator has signed" in refusal
    assert 'write {"height": "H", "round": 0, "step": 0}' in refusal
    assert not (pod.data / "priv_validator_state.json").exists()
    pod.node["keys"]["consensus"] = None
    pod.prepare()
    assert sign_state(pod)["height"] == "0"


def double_sign_check(pod: Pod) -> int | None:
    pod.prepare()
    return config(pod).get("consensus", {}).get("double_sign_check_height")


def test_a_key_that_may_have_signed_elsewhere_looks_at_the_last_blocks_first(pod: Pod) -> None:
    assert double_sign_check(pod) is None, "it signs nothing"
    holds_a_key(pod)
    assert double_sign_check(pod) == 20
    pod.node["files"]["config"] = {"consensus": {"double_sign_check_height": 7}}
    assert double_sign_check(pod) == 20
    pod.node["files"]["config"] = {"consensus": {"double_sign_check_height": 50}}
    assert double_sign_check(pod) == 50, "who asks for more gets it"
    pod.node["files"]["config"] = {}
    has_signed(pod)
    assert double_sign_check(pod) is None, "its own record says where it was"


def test_the_validators_of_a_new_network_have_signed_nowhere_else(pod: Pod) -> None:
    holds_a_key(pod)
    pod.node |= {"software": "cometbft", "genesis": {"kind": "local", "time": LOCAL["genesis_time"], "patch": LOCAL}}
    assert double_sign_check(pod) is None


def test_a_damaged_record_of_what_a_validator_signed_stops_it(pod: Pod) -> None:
    holds_a_key(pod)
    state = pod.data / "priv_validator_state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("{")
    assert "priv_validator_state.json, which says what this validator has signed, is damaged" in pod.refusal()
    assert state.read_text() == "{"
