"""Validators of a network that is there: a consensus key from a Secret, and a remote signer that comes to a sentry.

Two validators of equal weight, so that no block is made without both signatures.
"""

import json
from typing import Any

import pytest
from chain_servers import signer
from chain_sets import KVSTORE, apply_sets, chain_set, height, log, planned, read_file, rpc, seed_of, status, wait_height
from cluster import KubectlError, apply, kubectl, until, wait_ready

from nodestead.chain_keys import consensus_address, consensus_key_json, consensus_public_key
from nodestead.kubernetes.network_policy import SIGNER

pytestmark = pytest.mark.cluster

VALIDATORS = {"held": seed_of("a key in a Secret"), "remote": seed_of("a key of a remote signer")}


def address(who: str) -> str:
    return consensus_address(VALIDATORS[who], 0, 1)


def genesis() -> str:
    """A genesis with both validators."""
    members = [
        {
            "address": consensus_address(seed, 0, 1),
            "pub_key": {"type": "tendermint/PubKeyEd25519", "value": consensus_public_key(seed, 0, 1)},
            "power": "10",
            "name": name,
        }
        for name, seed in VALIDATORS.items()
    ]
    return json.dumps({"chain_id": "local-1", "genesis_time": "2024-01-01T00:00:00Z", "validators": members, "app_hash": ""})


def signers(namespace: str, node: str, at: int) -> set[str]:
    """Who signed a block, with a signature that counts."""
    commit = rpc(namespace, node, f"commit?height={at}")["signed_header"]["commit"]
    return {one["validator_address"] for one in commit["signatures"] if one["signature"]}


@pytest.fixture(scope="module")
def chain(chain_images: None, module_namespace: str) -> str:
    """The namespace of a validator, its sentry, and a signer that is kept out yet."""
    beginning = {"kind": "inline", "text": genesis()}
    held = {"kind": "secret", "name": "consensus", "addresses": {"0": address("held")}}
    remote = {"kind": "remote", "startDelay": "1s"}
    known = [{"set": "val", "dial": False}]
    sets: dict[str, Any] = {
        "sentry": chain_set(KVSTORE, type="sentry", genesis=beginning, signer=remote, peersFrom=known),
        "val": chain_set(KVSTORE, type="validator", genesis=beginning, signer=held, peersFrom=[{"set": "sentry"}]),
    }
    plan = planned(module_namespace, **sets)
    apply(plan.shared)
    key = consensus_key_json(VALIDATORS["held"], 0, 1)
    metadata = {"name": "consensus", "namespace": module_namespace}
    apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"priv_validator_key.json": key}}])
    apply_sets(plan, wait=False)
    key = consensus_key_json(VALIDATORS["remote"], 0, 1)
    signer(module_namespace, "signer", node="sentry-0-privval:1234", chain_id="local-1", key=key)
    wait_ready(module_namespace, ["val-0"], 90)
    return module_namespace


def test_a_validator_signs_with_the_key_of_its_secret(chain: str) -> None:
    assert status(chain, "val-0")["validator_info"]["address"] == address("held")
    until("its first vote", lambda: int(json.loads(read_file(chain, "val-0", "data/priv_validator_state.json"))["height"]) > 0)


def test_a_sentry_is_ready_and_waits_while_its_signer_is_kept_out(chain: str) -> None:
    # Who waits for a signer must be reached by it before there is an RPC.
    wait_ready(chain, ["sentry-0"], 60)
    until("the node waits in vain", lambda: "signer" in log(chain, "sentry-0", "node", "--previous").lower())
    with pytest.raises(KubectlError, match="Failed to connect"):
        height(chain, "sentry-0")
    assert height(chain, "val-0") == 0


def test_a_signer_with_the_label_signs_for_the_sentry_through_its_service(chain: str) -> None:
    kubectl("label", "pod", "signer", "--namespace", chain, "=".join(*SIGNER.items()))
    wait_height(chain, "val-0", 4, 120)
    wait_height(chain, "sentry-0", 4)
    # The sentry has no key of its own: its validator is the signer's.
    assert status(chain, "sentry-0")["validator_info"]["address"] == address("remote")
    assert signers(chain, "val-0", 3) == signers(chain, "sentry-0", 3) == {address("held"), address("remote")}


@pytest.mark.parametrize("node", ["sentry-0", "val-0"])
def test_blocks_go_on_after_the_loss_of_a_pod(chain: str, node: str) -> None:
    other = "val-0" if node == "sentry-0" else "sentry-0"
    before = wait_height(chain, other, 4, 120)
    signed = int(json.loads(read_file(chain, "val-0", "data/priv_validator_state.json"))["height"])
    kubectl("delete", "pod", f"{node}-0", "--namespace", chain, "--force", "--grace-period=0")
    head = wait_height(chain, other, before + 3, 120)
    assert signers(chain, other, head - 1) == {address("held"), address("remote")}
    assert int(json.loads(read_file(chain, "val-0", "data/priv_validator_state.json"))["height"]) > signed
