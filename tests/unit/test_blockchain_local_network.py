"""A set that is a new network: its validators and its genesis."""

from chains import COSMOS, LOCAL, LOCAL_COMET, SEED, deployed, deployed_json, outputs, plan
from set_objects import data_of

from nodestead.chain_keys import consensus_address, consensus_key_json, node_key_json


def test_the_first_nodes_of_a_local_network_validate_and_have_both_keys() -> None:
    planned = plan(**{**LOCAL, "replicas": 5})
    assert [outputs(planned, f"hub-{n}")["type"] for n in range(5)] == ["validator"] * 4 + ["full"]
    assert data_of(planned, "hub-3-key-g1") == {
        "node_key.json": node_key_json(SEED, 3, 1),
        "priv_validator_key.json": consensus_key_json(SEED, 3, 1),
    }
    assert list(data_of(planned, "hub-4-key-g1")) == ["node_key.json"]
    nodes = {node.name: node.outputs for node in planned.nodes()}
    assert deployed(nodes["hub-3"]["consensusAddress"]) == consensus_address(SEED, 3, 1)
    assert "consensusAddress" not in nodes["hub-4"]


def test_every_node_of_a_local_network_has_the_same_genesis() -> None:
    planned = plan(**{**LOCAL, "replicas": 5})
    found = [deployed_json(planned, f"hub-{n}")["genesis"] for n in range(5)]
    assert all(one == found[0] for one in found)
    assert (found[0]["kind"], found[0]["time"]) == ("local", "2024-01-01T00:00:00Z")
    patch = found[0]["patch"]
    assert (patch["chain_id"], patch["bond_denom"], len(patch["gen_txs"]), len(patch["accounts"])) == ("net-1", "stake", 4, 4)


def test_a_local_network_of_cometbft_names_its_validators() -> None:
    patch = deployed_json(plan(**LOCAL_COMET))["genesis"]["patch"]
    assert [one["address"] for one in patch["validators"]] == [consensus_address(SEED, n, 1) for n in range(4)]
    assert [one["name"] for one in patch["validators"]] == ["hub-0", "hub-1", "hub-2", "hub-3"]


def test_a_local_network_takes_the_chains_own_words() -> None:
    software = {**COSMOS, "denom": "uatom", "addressPrefix": "atom"}
    network = {"kind": "local", "validators": 4, "stake": 2_000_000, "balance": 3_000_000, "appState": {"gov": {"x": 1}}}
    patch = deployed_json(plan(**LOCAL | {"software": software, "network": network}))["genesis"]["patch"]
    assert (patch["bond_denom"], patch["app_state"]) == ("uatom", {"gov": {"x": 1}})
    assert patch["accounts"][0]["address"].startswith("atom1")
    assert patch["accounts"][0]["coins"] == [{"denom": "uatom", "amount": "3000000"}]
