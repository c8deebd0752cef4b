"""Claims, sizes and snapshots of a set: what breaks a rule, and what is said of that."""

from chains import plan, refusals
from set_cases import CLAIM, VOLUME, Given, broken, named

STORAGE: list[tuple[Given, list[str]]] = [
    (
        {"replicas": 2, "persistence": CLAIM},
        ["persistence.claim: one claim cannot hold the data of 2 nodes; use kind: volume, or name one for each under nodes"],
    ),
    (
        {"replicas": 2, "nodes": {"0": {"existingClaim": "mine"}, "1": {"existingClaim": "mine"}}},
        ["nodes.1.existingClaim: 'mine' is that of nodes.0.existingClaim already; name another"],
    ),
    (
        {"replicas": 2, "persistence": CLAIM, "nodes": {"1": {"existingClaim": "mine"}}},
        ["nodes.1.existingClaim: 'mine' is that of persistence.claim already; name another"],
    ),
    (
        {"persistence": {"kind": "ephemeral"}, "nodes": {"0": {"size": "1Gi"}}},
        ["nodes.0.size: no volume is made for the node; leave it out, or use persistence.kind: volume without existingClaim"],
    ),
    (
        {"nodes": {"0": {"size": "1Gi", "existingClaim": "mine"}}},
        ["nodes.0.size: no volume is made for the node; leave it out, or use persistence.kind: volume without existingClaim"],
    ),
    (
        {"persistence": {"kind": "ephemeral"}, "nodes": {"0": {"fromSnapshot": "snap"}}},
        [
            (
                "nodes.0.fromSnapshot: no volume is made for the node; leave it out, or use persistence.kind: volume without"
                " existingClaim"
            )
        ],
    ),
    (
        {"nodes": {"0": {"fromSnapshot": "snap", "existingClaim": "mine"}}},
        [
            (
                "nodes.0.fromSnapshot: no volume is made for the node; leave it out, or use persistence.kind: volume without"
                " existingClaim"
            )
        ],
    ),
    (
        {"replicas": 2, "persistence": {**VOLUME, "fromSnapshot": "snap"}},
        [
            (
                "persistence.fromSnapshot: gives 2 nodes one record of what was signed, which lies in the data; name it in"
                " nodes.<n>.fromSnapshot"
            )
        ],
    ),
]


@broken("storage", STORAGE)
def test_no_two_nodes_share_a_claim_or_its_copy(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


def test_a_claim_that_another_node_of_the_set_makes_is_refused() -> None:
    given: Given = {"replicas": 2, "nodes": {"0": {"existingClaim": "data-hub-1-0"}}}
    assert named("hub", **given) == [
        ("blockchainNodeSets.hub.nodes.0.existingClaim: 'data-hub-1-0' is the claim that node 1 of the set makes; name another")
    ]
    plan("sea", **given)
    plan("hub", replicas=2, nodes={"0": {"existingClaim": "data-hub-0-0"}})
