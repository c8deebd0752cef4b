"""The files of a chain node: the defaults of its binary, what the config says, and what was found out."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from chain_agents import Pod
from chain_homes import config


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_the_config_is_laid_over_the_binarys_own(pod: Pod) -> None:
    (pod.defaults / "app.toml").write_text('minimum-gas-prices = ""\n[telemetry]\nglobal-labels = []\n')
    (pod.defaults / "client.toml").write_text('chain-id = ""\n')
    pod.node["files"] = {
        "config": {"p2p": {"max-num-inbound-peers": 7, "seed_mode": True}},
        "app": {"minimum-gas-prices": "0uatom", "telemetry": {"global-labels": [["chain_id", "hub-1"]]}},
        "client": {"chain_id": "hub-1"},
    }
    log = pod.prepare()
    found = config(pod)
    assert found["moniker"] == "hub-0"
    assert found["p2p"] == {"external_address": "", "max_num_inbound_peers": 7, "seed_mode": True}
    assert found["statesync"]["trust_period"] == "168h0m0s"
    assert "config.toml: not in the default file of this version, written all the same: p2p.seed_mode" in log
    home = pod.home / "config"
    assert tomllib.loads((home / "app.toml").read_text()) == pod.node["files"]["app"]
    assert tomllib.loads((home / "client.toml").read_text()) == {"chain-id": "hub-1"}


def test_a_moniker_that_is_given_counts(pod: Pod) -> None:
    pod.node["files"]["config"] = {"moniker": "other"}
    pod.prepare()
    assert config(pod)["moniker"] == "other"


def test_several_versions_have_files_of_their_own(pod: Pod) -> None:
    newer = pod.root / "defaults" / "h100" / "config"
    newer.mkdir(parents=True)
    (newer / "config.toml").write_text('[p2p]\nexternal-address = ""\nnew-key = 1\n')
    pod.node["versions"].append({"name": "h100", "height": 100, "halt_height": None, "defaults": str(newer.parent)})
    pod.node["address"] = {"from": "fixed", "host": "203.0.113.9", "port": 1}
    pod.prepare()
    files = pod.root / "run" / "files"
    assert tomllib.loads((files / "h0" / "config.toml").read_text())["p2p"]["external_address"] == "203.0.113.9:1"
    assert tomllib.loads((files / "h100" / "config.toml").read_text()) == {
        "moniker": "hub-0",
        "p2p": {"external-address": "203.0.113.9:1", "new-key": 1},
    }
    assert not (pod.home / "config" / "config.toml").exists()


@pytest.mark.parametrize(
    ("default", "given", "said"),
    [
        (None, {}, "the binary's init left no"),
        ("[p2p", {}, "config.toml: "),
        ("[p2p]\n", {"p2p": 1}, "config.toml: p2p is a table for this version, and a value was given"),
    ],
)
def test_a_config_that_cannot_be_made_is_refused(pod: Pod, default: str | None, given: dict[str, Any], said: str) -> None:
    (pod.defaults / "config.toml").unlink()
    if default is not None:
        (pod.defaults / "config.toml").write_text(default)
    pod.node["files"]["config"] = given
    assert said in pod.refusal()


@pytest.mark.parametrize(
    ("default", "written"),
    [
        # SDK 0.47 commits the block of halt-height and stops; SDK 0.50 refuses to execute it.
        ("halt-height = 0\niavl-cache-size = 781250\n", 15),
        ("halt-height = 0\nquery-gas-limit = 0\n", 16),
    ],
)
def test_the_last_block_is_the_one_asked_for_whatever_the_sdk_means_by_it(pod: Pod, default: str, written: int) -> None:
    (pod.defaults / "app.toml").write_text(default)
    pod.node["versions"][0]["halt_height"] = 15
    pod.prepare()
    assert tomllib.loads((pod.home / "config" / "app.toml").read_text())["halt-height"] == written


def test_what_else_init_leaves_is_kept_and_never_overwritten(pod: Pod) -> None:
    (pod.defaults / "oracle.toml").write_text("a = 1\n")
    (pod.defaults / "node_key.json").write_text("of init")
    pod.prepare()
    (pod.home / "config" / "oracle.toml").write_text("a = 2\n")
    pod.prepare()
    assert (pod.home / "config" / "oracle.toml").read_text() == "a = 2\n"
    assert not (pod.home / "config" / "node_key.json").exists()
