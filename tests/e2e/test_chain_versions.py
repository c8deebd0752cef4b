"""Binaries by height: the next one takes over at its very block, and where there is none the chain stands still.

v1 and v2 are two builds of one program, which /abci_info tells apart.
"""

import json
from typing import Any

import pytest
from chain_images import COMETBFT_BARE
from chain_sets import (
    HOME,
    KVSTORE,
    SIMAPP,
    answer_of,
    apply_sets,
    chain_set,
    committed,
    fetched,
    height,
    height_at_rest,
    log,
    planned,
    ready_nodes,
    rpc,
    wait_height,
)
from cluster import KubectlError, kubectl, until

pytestmark = pytest.mark.cluster

HALT = 8
# SDK 0.46 signals itself after the halt height and ends when it gets to it: on a busy machine that takes longer than a second.
SLOW: dict[str, Any] = SIMAPP | {"config": {"consensus": {"timeoutCommit": "4s"}}}
PLANNED = 30
# The account that everybody knows, of "abandon abandon ... about", with more to stake than the validator has.
ACCOUNT = "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4"
WORDS = f"{'abandon ' * 11}about"


def local(**given: Any) -> dict[str, Any]:
    return {"kind": "local", "validators": 1, **given}


def version(tag: str, first: int, last: int | None = None) -> dict[str, Any]:
    return {"height": first, "image": {"tag": tag}, **({} if last is None else {"haltHeight": last})}


@pytest.fixture(scope="module")
def chains(chain_images: None, module_namespace: str) -> str:
    """The namespace of the networks of this module, a node or two each."""
    voting = {"gov": {"voting_params": {"voting_period": "10s"}}}
    repository, _, tag = COMETBFT_BARE.rpartition(":")
    sets = {
        "gov": chain_set(
            network=local(accounts={ACCOUNT: "1000000000000stake"}, appState=voting),
            versions=[version("v1", 0), version("v2", PLANNED)],
        ),
        "up": chain_set(
            SLOW,
            replicas=2,
            network=local(validators=2),
            versions=[version("v1", 0, HALT), version("v2", HALT + 1)],
            rollout={"maxUnavailable": "100%"},
        ),
        "halt": chain_set(SLOW, network=local(), versions=[version("v1", 0, HALT)]),
        "bare": chain_set(KVSTORE | {"shell": False}, network=local(), image={"repository": repository, "tag": tag}),
    }
    apply_sets(planned(module_namespace, **sets), wait=False)
    return module_namespace


def abci(namespace: str, node: str) -> str:
    """The version that a node's application says it is."""
    return str(rpc(namespace, node, "abci_info")["response"]["version"])


def ready(namespace: str, node: str) -> tuple[int, str]:
    code, body = fetched(namespace, node, "ready")
    return code, json.loads(body)["reason"]


def restarts(namespace: str, node: str, container: str) -> int:
    path = f'jsonpath={{.status.containerStatuses[?(@.name=="{container}")].restartCount}}'
    return int(kubectl("get", "pod", f"{node}-0", "--namespace", namespace, "--output", path))


def metric(namespace: str, node: str, name: str) -> str:
    lines = fetched(namespace, node, "metrics")[1].splitlines()
    return next(line.rpartition(" ")[2] for line in lines if line.startswith(name))


# --- a plan that the chain itself has voted for ---


def propose(namespace: str, node: str) -> None:
    """Stakes, proposes the plan `v2` and votes for it, in one transaction."""
    coin = {"denom": "stake", "amount": "10000000"}

    def staking() -> Any:
        return json.loads(fetched(namespace, node, "cosmos/staking/v1beta1/validators", 1317)[1]).get("validators")

    validator = until("the validator", staking)[0]["operator_address"]
    plan = {"name": "v2", "time": "0001-01-01T00:00:00Z", "height": str(PLANNED), "info": "", "upgraded_client_state": None}
    content = {"@type": "/cosmos.upgrade.v1beta1.SoftwareUpgradeProposal", "title": "v2", "description": "v2", "plan": plan}
    stake = coin | {"amount": "900000000000"}
    messages = [
        {
            "@type": "/cosmos.staking.v1beta1.MsgDelegate",
            "delegator_address": ACCOUNT,
            "validator_address": validator,
            "amount": stake,
        },
        {"@type": "/cosmos.gov.v1beta1.MsgSubmitProposal", "content": content, "initial_deposit": [coin], "proposer": ACCOUNT},
        {"@type": "/cosmos.gov.v1beta1.MsgVote", "proposal_id": "1", "voter": ACCOUNT, "option": "VOTE_OPTION_YES"},
    ]
    body = {
        "messages": messages,
        "memo": "",
        "timeout_height": "0",
        "extension_options": [],
        "non_critical_extension_options": [],
    }
    fee: dict[str, Any] = {"amount": [], "gas_limit": "1000000", "payer": "", "granter": ""}
    tx: dict[str, Any] = {"body": body, "auth_info": {"signer_infos": [], "fee": fee, "tip": None}, "signatures": []}
    program = """
set -e
cd /tmp
echo "$1" | simd keys add voter --recover --keyring-backend test --home /tmp/voter >/dev/null 2>&1
echo "$2" >tx.json
simd tx sign tx.json --from voter --keyring-backend test --home /tmp/voter --chain-id local-1 --output-document signed.json
simd tx broadcast signed.json --broadcast-mode block --home /tmp/voter --output json
"""
    command = ("sh", "-c", program, "propose", WORDS, json.dumps(tx))
    done = json.loads(answer_of(namespace, node, *command, container="node-h0"))
    assert done["code"] == 0, done["raw_log"]


@pytest.fixture(scope="module")
def proposed(chains: str) -> str:
    """The namespace once the plan is on its way; what follows takes minutes, so it is looked at last."""
    wait_height(chains, "gov-0", 1, 90)
    propose(chains, "gov-0")
    return chains


def test_a_plan_is_told_before_its_height(proposed: str) -> None:
    def metrics() -> str:
        return fetched(proposed, "gov-0", "metrics")[1]

    until("the plan is seen", lambda: "upgrade_planned{" in metrics(), seconds=40)
    assert f'nodestead_chain_upgrade_planned{{name="v2",height="{PLANNED}"}} 1' in metrics()
    assert "upgrade_missing{" not in metrics()


# --- at a height of the stack ---


def test_the_next_version_begins_at_its_block_and_the_first_makes_none_beyond(chains: str) -> None:
    for node in ("up-0", "up-1"):
        wait_height(chains, node, HALT + 3, 240)
        assert abci(chains, node) == "v2"
        # The application goes on from the first version's last block, so this is where that one ended.
        assert committed(chains, node, "node-h9")[0] == HALT + 1
    assert ready_nodes(chains, "up-rpc") == {"up-0-0", "up-1-0"}


# --- nobody has the next block ---


def must_stand_still(namespace: str, node: str) -> None:
    until("it says that it is halted", lambda: metric(namespace, node, "nodestead_chain_halted ") == "1", seconds=180)
    assert ready(namespace, node) == (503, f"halted after block {HALT}; no version covers block {HALT + 1}")
    assert height_at_rest(namespace, node) == (HALT, HALT)


def test_at_the_last_height_a_node_stands_still_and_says_why(chains: str) -> None:
    must_stand_still(chains, "halt-0")
    until("the Service lets it go", lambda: ready_nodes(chains, "halt-rpc") == set())


def test_a_halted_node_makes_no_block_more_however_often_it_starts(chains: str) -> None:
    must_stand_still(chains, "halt-0")
    # Its own end was the first.
    must_start_again(chains, "halt-0", 2)
    must_stand_still(chains, "halt-0")
    kubectl("delete", "pod", "halt-0-0", "--namespace", chains)
    # The kubelet has more patience with a new pod.
    for count in (1, 2):
        must_start_again(chains, "halt-0", count)
        must_stand_still(chains, "halt-0")
    assert committed(chains, "halt-0") == []


def must_start_again(namespace: str, node: str, count: int) -> None:
    """Kills the process of a node that waits; it is started again, for the so-manieth time."""
    until("it waits", lambda: log(namespace, node, "node", "--tail=1").startswith("nodestead: version h0 waits"))
    # What asks for it may end with the container.
    command = ("exec", f"{node}-0", "--namespace", namespace, "--container", "node", "--", "kill", "1")
    kubectl(*command, check=False)
    until("it was started again", lambda: restarts(namespace, node, "node") == count)


# --- an image without a shell ---


def test_an_image_without_a_shell_runs(chains: str) -> None:
    wait_height(chains, "bare-0", 3, 60)
    with pytest.raises(KubectlError, match="sh: exec format error"):
        answer_of(chains, "bare-0", "sh", "-c", "true", container="node")
    assert ready_nodes(chains, "bare-rpc") == {"bare-0-0"}


# --- at last ---


def test_a_plan_on_the_chain_brings_the_next_version_though_the_first_lives_on(proposed: str) -> None:
    wait_height(proposed, "gov-0", PLANNED + 2, 240)
    assert abci(proposed, "gov-0") == "v2"
    info = json.loads(answer_of(proposed, "gov-0", "cat", f"{HOME}/data/upgrade-info.json"))
    assert (info["name"], info["height"]) == ("v2", PLANNED)
    assert committed(proposed, "gov-0", f"node-h{PLANNED}")[0] == PLANNED
    assert height(proposed, "gov-0") > PLANNED
