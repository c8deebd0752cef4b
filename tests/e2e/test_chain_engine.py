"""A local network of a Cosmos chain through `pulumi up`: its blocks while it grows and rolls, and what is left of it."""

import json
import subprocess
from typing import Any

import pytest
from chain_engine import (
    chain_config,
    longest_pause,
    moving,
    peer_ids,
    quick_set,
    secret_spellings,
    seed_text,
    where_told,
)
from chain_images import SIMD, SIMD_V1
from chain_sets import SIMAPP, height, rpc, status, wait_height
from cluster import kubectl, until, wait_gone, wait_ready
from engine import NewStack, Stack, identities, objects, versions, watching
from images import cluster_script

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.usefixtures("chain_images")]

# A restarted validator is reachable some time before it votes again, so two may be missing: seen were 6 s, and once 30 s on a
# busy machine. That the chain stands still for the whole rollout is told by the number of blocks.
LONGEST_PAUSE = 45.0


class Hub:
    """Four validators, and what was added since; they roll one by one."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace, self.replicas, self.tag = stack, namespace, 4, "v1"
        # The first start need not go one by one; the order of the next one is known from then on.
        self.up(4)
        self.up()

    @property
    def nodes(self) -> list[str]:
        return [f"hub-{number}" for number in range(self.replicas)]

    def configure(self, max_unavailable: int = 1, timeout: str = "90s", **given: Any) -> None:
        base: dict[str, Any] = {
            "replicas": self.replicas,
            "network": {"kind": "local", "validators": 4},
            "image": {"repository": SIMD, "tag": self.tag},
            "rollout": {"maxUnavailable": max_unavailable, "timeout": timeout},
        }
        self.stack.configure(chain_config(self.namespace, {"hub": quick_set(**base | given)}))
        self.is_up = False

    def up(self, max_unavailable: int = 1) -> None:
        self.configure(max_unavailable)
        # With all that the CLI can tell, for whoever searches what it said.
        self.stack.up("--diff")
        self.is_up = True

    def baseline(self) -> None:
        """Where every test starts, whatever the one before left."""
        if not self.is_up:
            self.up()

    def rolls(self) -> list[set[str]]:
        """Brings up what was changed while the chain runs, and gives the nodes that were down together."""
        before = height(self.namespace, "hub-3")
        with watching(self.namespace, "hub") as seen:
            self.up()
        after = wait_height(self.namespace, "hub-0", height(self.namespace, "hub-0") + 2)
        assert after > before + len(seen.batches())
        pause = longest_pause(self.namespace, "hub-0", before, after)
        assert pause < LONGEST_PAUSE, f"there was no block for {pause:.0f} s"
        return seen.batches()

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.stack.run("stack", "output", "--json"))


@pytest.fixture(scope="module")
def hub(new_stack: NewStack, module_namespace: str) -> Hub:
    return Hub(new_stack(), module_namespace)


def test_a_local_network_makes_blocks_and_its_outputs_are_what_its_nodes_say(hub: Hub) -> None:
    hub.baseline()
    wait_height(hub.namespace, "hub-0", 3)
    outputs, said = hub.outputs(), {node: status(hub.namespace, node) for node in hub.nodes}

    nodes = outputs["nodes"]["hub"]
    assert {node: nodes[node]["nodeId"] for node in nodes} == {node: said[node]["node_info"]["id"] for node in hub.nodes}
    assert {node: nodes[node].get("consensusAddress") for node in hub.nodes[:4]} == {
        node: said[node]["validator_info"]["address"] for node in hub.nodes[:4]
    }
    assert {node: nodes[node]["type"] for node in hub.nodes[:4]} == dict.fromkeys(hub.nodes[:4], "validator")
    where = f"p2p.{hub.namespace}"
    assert outputs["peers"]["hub"] == [f"{nodes[node]['nodeId']}@{node}-{where}:26656" for node in hub.nodes]
    assert (outputs["chainId"]["hub"], outputs["rpcService"]["hub"]) == ("local-1", "hub-rpc")
    assert "Service/hub-rpc" in objects(hub.namespace, "services")
    signers = rpc(hub.namespace, "hub-0", "validators")["validators"]
    assert {one["address"] for one in signers} == {nodes[node]["consensusAddress"] for node in hub.nodes[:4]}


def test_a_second_up_and_a_preview_change_nothing(hub: Hub) -> None:
    hub.baseline()
    kinds = ("statefulsets", "services", "configmaps", "secrets", "persistentvolumeclaims", "poddisruptionbudgets")
    before, pods = versions(hub.namespace, *kinds), identities(hub.namespace, "pods")

    hub.stack.changes_nothing()
    hub.stack.run("preview", "--expect-no-changes")

    assert versions(hub.namespace, *kinds) == before
    assert identities(hub.namespace, "pods") == pods


def test_what_is_in_the_genesis_stops_preview_and_update(hub: Hub) -> None:
    hub.baseline()
    before = versions(hub.namespace, "statefulsets", "persistentvolumeclaims", "configmaps")

    hub.configure(software=SIMAPP | {"chainId": "local-2"}, network={"kind": "local", "validators": 3})
    # Twice, because a refused update must not enter the state as done.
    for command in (["preview"], ["up", "--yes", "--skip-preview"], ["up", "--yes", "--skip-preview"]):
        said = hub.stack.refused(*command)
        assert "hub: the nodes' data was made for the old value; set it back" in said
        assert "  - software.chainId: local-1 may not become local-2\n" in said
        assert "  - network.validators: 4 may not become 3\n" in said

    assert versions(hub.namespace, "statefulsets", "persistentvolumeclaims", "configmaps") == before
    hub.configure()
    hub.stack.changes_nothing()
    hub.is_up = True


def test_no_seed_and_no_key_is_told_or_stands_in_the_state(hub: Hub) -> None:
    hub.baseline()
    seed = seed_text(hub.stack, "hub")
    secrets = secret_spellings(seed, range(hub.replicas))

    sign = hub.outputs()["nodes"]["hub"]["hub-1"]["nodeId"]
    assert where_told(hub.stack, hub.namespace, secrets, sign) == []
    # The search can find them: in clear they are there.
    in_clear = json.dumps(hub.stack.private("stack", "export"))
    held = kubectl("get", "secrets", "--namespace", hub.namespace, "--output", "json")
    assert seed in in_clear
    assert len([one for one in secrets if one in held and one in in_clear]) == hub.replicas + 4


def test_a_node_added_later_joins_while_the_others_roll_one_by_one_and_the_chain_goes_on(hub: Hub) -> None:
    if hub.replicas != 4:
        hub.replicas = 4
        hub.up()
    hub.baseline()
    claims = identities(hub.namespace, "persistentvolumeclaims", "secrets")

    hub.replicas = 5
    batches = hub.rolls()

    assert batches == [{node} for node in hub.nodes]
    assert "consensusAddress" not in hub.outputs()["nodes"]["hub"]["hub-4"]
    wait_height(hub.namespace, "hub-4", height(hub.namespace, "hub-0"))
    ids = {node: status(hub.namespace, node)["node_info"]["id"] for node in hub.nodes}
    for node in hub.nodes:
        others = {ids[other] for other in hub.nodes if other != node}
        until(f"all peers of {node}", lambda node=node, others=others: peer_ids(hub.namespace, node) == others)
    after = identities(hub.namespace, "persistentvolumeclaims", "secrets")
    assert {name: after[name] for name in claims} == claims
    hub.stack.changes_nothing()


def test_an_image_change_rolls_one_by_one_and_the_chain_goes_on(hub: Hub) -> None:
    hub.baseline()
    claims = identities(hub.namespace, "persistentvolumeclaims")
    subprocess.run([cluster_script("image"), "--alias", f"{SIMD}:v1-again", SIMD_V1], check=True)

    hub.tag = "v1-again" if hub.tag == "v1" else "v1"
    batches = hub.rolls()

    assert batches == [{node} for node in hub.nodes]
    pods = objects(hub.namespace, "pods").values()
    assert [one["spec"]["containers"][0]["image"] for one in pods] == [f"{SIMD}:{hub.tag}"] * len(hub.nodes)
    assert identities(hub.namespace, "persistentvolumeclaims") == claims


def test_a_bad_image_stops_after_the_first_batch_and_heals_with_the_next_up(hub: Hub) -> None:
    hub.baseline()
    pods = identities(hub.namespace, "pods")

    hub.configure(timeout="15s", image={"repository": SIMD, "tag": "never-built"})
    with watching(hub.namespace, "hub") as seen:
        said = hub.stack.refused("up", "--yes", "--skip-preview")

    assert "'hub-0' timed out waiting to be Ready" in said
    assert seen.batches() == [{"hub-0"}]
    assert seen.down == {"hub-0"}
    wait_height(hub.namespace, "hub-1", moving(hub.namespace, "hub-1"))

    hub.up()
    wait_ready(hub.namespace, hub.nodes, 5)
    after = identities(hub.namespace, "pods")
    assert {name for name, uid in pods.items() if after[name] != uid} == {"Pod/hub-0-0"}
    wait_height(hub.namespace, "hub-0", height(hub.namespace, "hub-1"))


def test_destroy_leaves_claims_and_keys_and_the_next_up_goes_on_with_the_chain(hub: Hub) -> None:
    hub.baseline()
    second = rpc(hub.namespace, "hub-0", "block?height=2")["block_id"]["hash"]
    ids, before = hub.outputs()["nodes"]["hub"], wait_height(hub.namespace, "hub-0", 3)
    kept = {
        name: (one["metadata"]["uid"], one.get("data"))
        for name, one in objects(hub.namespace, "persistentvolumeclaims", "secrets").items()
    }

    # The seed is protected: plain destroy stops in its preview.
    assert "cannot be deleted" in hub.stack.refused("destroy", "--yes")
    wait_height(hub.namespace, "hub-0", moving(hub.namespace, "hub-0"))
    hub.is_up = False
    hub.stack.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    wait_gone(hub.namespace, *(f"pod/{node}-0" for node in hub.nodes))
    left = objects(hub.namespace, "statefulsets", "services", "configmaps", "persistentvolumeclaims", "secrets")
    assert set(left) - {"ConfigMap/kube-root-ca.crt"} == set(kept)
    assert {name for name in kept if name.startswith("Secret/")} == {f"Secret/{node}-key-g1" for node in hub.nodes}

    hub.up(len(hub.nodes))
    after = objects(hub.namespace, "persistentvolumeclaims", "secrets")
    assert {name: (after[name]["metadata"]["uid"], after[name].get("data")) for name in kept} == kept
    assert hub.outputs()["nodes"]["hub"] == ids
    assert {node: status(hub.namespace, node)["node_info"]["id"] for node in hub.nodes} == {
        node: ids[node]["nodeId"] for node in hub.nodes
    }
    assert height(hub.namespace, "hub-0") >= before
    wait_height(hub.namespace, "hub-0", moving(hub.namespace, "hub-0"))
    assert rpc(hub.namespace, "hub-0", "block?height=2")["block_id"]["hash"] == second
