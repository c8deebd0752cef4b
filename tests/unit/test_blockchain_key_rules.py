"""Keys of nodes and validators: who has one, where it lies, and that none signs twice."""

import pytest
from chains import BY_SECRET, GIVEN_KEYS, LOCAL, A, B, args, refusals
from set_cases import PAIR, ROUTES, VOLUME, Given, Later, broken

from nodestead.plans.blockchain_key_rules import exclusive_keys

NO_ADDRESS = "add the address of its priv_validator_key.json, which keeps other nodes from holding the key"
KEYS: list[tuple[Given, list[str]]] = [
    ({"replicas": 2, "keys": {**GIVEN_KEYS, "ids": {"0": A}}}, ["keys.ids: node 1 has no id; add it, its peers have to know it"]),
    ({"keys": {**GIVEN_KEYS, "ids": {"00": A}}}, ["keys.ids: node 0 has no id; add it, its peers have to know it"]),
    (
        {"replicas": 2, "keys": {**GIVEN_KEYS, "ids": {"0": A, "1": A}}},
        [
            (
                "keys.ids.1: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is that of node 0 already, and no two nodes have one key;"
                " correct one of them"
            )
        ],
    ),
    (
        {"replicas": 2, "keys": {**GIVEN_KEYS, "key": "node_key.json"}},
        ["keys.key: 'node_key.json' is one entry for 2 nodes; put <replica> into it"],
    ),
    (
        {"replicas": 2, "keys": {**GIVEN_KEYS, "name": Later(), "key": "node_key.json"}},
        ["keys.key: 'node_key.json' is one entry for 2 nodes; put <replica> into it"],
    ),
    (
        {"keys": {**GIVEN_KEYS, "name": "keys-<pod>"}},
        ["keys.name: 'keys-<pod>' has <pod>, and each node has one pod, number 0; use <replica>"],
    ),
    (
        {"keys": {**GIVEN_KEYS, "key": "key-<pod>.json"}},
        ["keys.key: 'key-<pod>.json' has <pod>, and each node has one pod, number 0; use <replica>"],
    ),
    (
        {"keys": {"kind": "seed", "seed": "5eed"}},
        ["keys.seed: the value is not 64 hexadecimal digits; give the seed as it was backed up"],
    ),
]
SIGNERS: list[tuple[Given, list[str]]] = [
    (
        {"type": "validator"},
        ["signer: a validator needs a signer; name the Secret with its key (kind: secret), or use kind: remote"],
    ),
    (
        {"type": "validator", "signer": {"kind": "none"}},
        ["signer: a validator needs a signer; name the Secret with its key (kind: secret), or use kind: remote"],
    ),
    ({"signer": {"kind": "remote"}}, ["signer: a node of type full signs nothing; leave it out, or set type: validator"]),
    (
        {**BY_SECRET, "type": "seed"},
        ["signer: a node of type seed signs nothing; leave it out, or set type: validator"],
    ),
    (
        {"type": "archive", "signer": {"kind": "remote"}},
        ["signer: a node of type archive signs nothing; leave it out, or set type: validator"],
    ),
    (
        {**BY_SECRET, "type": "sentry"},
        ["signer.kind: a sentry holds no key; use remote or none, or set type: validator"],
    ),
    (
        {"type": "validator", "replicas": 2, "signer": {"kind": "remote"}},
        [
            (
                "replicas: 2 nodes have one remote signer, and a validator is one node; set 1, or type: sentry for a signer"
                " that connects to each of them"
            )
        ],
    ),
    (
        {**PAIR, "signer": {**PAIR["signer"], "name": "val"}},
        [
            (
                "replicas: 2 nodes would sign with one key, and be slashed for it; set 1, or put <replica> into signer.key"
                " for a key of its own each"
            )
        ],
    ),
    (
        {**PAIR, "signer": {**PAIR["signer"], "name": Later()}},
        [
            (
                "replicas: 2 nodes would sign with one key, and be slashed for it; set 1, or put <replica> into signer.key"
                " for a key of its own each"
            )
        ],
    ),
    (
        {**BY_SECRET, "signer": {**BY_SECRET["signer"], "name": "val-<pod>"}},
        ["signer.name: 'val-<pod>' has <pod>, and each node has one pod, number 0; use <replica>"],
    ),
    (
        {"type": "validator", "signer": {"kind": "secret", "name": "val", "addresses": {"0": "xyz"}}},
        ["signer.addresses.0: 'xyz' is not 40 hexadecimal digits; give the address as priv_validator_key.json has it"],
    ),
    (
        {**BY_SECRET, "signer": {**BY_SECRET["signer"], "addresses": {"0": A, "1": B}}},
        ["signer.addresses.1: there is no such node, only 0; name that, or leave it out"],
    ),
    (
        {"type": "validator", "signer": {"kind": "secret", "name": "val"}},
        [f"signer.addresses: node 0 has none; {NO_ADDRESS}"],
    ),
    ({**PAIR, "signer": BY_SECRET["signer"] | {"name": "val-<replica>"}}, [f"signer.addresses: node 1 has none; {NO_ADDRESS}"]),
    (
        {**BY_SECRET, "persistence": {"kind": "ephemeral"}},
        [
            (
                "persistence.kind: ephemeral loses the record of what the validator has signed when its pod goes, and it could"
                " sign a block twice; use volume"
            )
        ],
    ),
    (
        {**BY_SECRET, "persistence": {**VOLUME, "accessModes": ["ReadWriteMany"]}},
        ["persistence.accessModes: ReadWriteMany lets two pods sign from one volume; leave it out"],
    ),
    (
        {**PAIR, "signer": {**PAIR["signer"], "addresses": {"0": A, "1": A.upper()}}},
        [
            (
                "signer.addresses.1: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA is that of node 0 already; one key on two nodes"
                " signs twice, give each its own"
            )
        ],
    ),
    (
        {**BY_SECRET, "routes": ROUTES},
        ["routes: a validator serves no RPC to the world; leave them out, and add a set of full nodes"],
    ),
    (
        {"type": "seed", "routes": ROUTES},
        ["routes: a seed serves no RPC to the world; leave them out, and add a set of full nodes"],
    ),
    (
        {"type": "seed", "rpcService": {"type": "LoadBalancer", "allowPublic": True}},
        ["rpcService.type: a seed serves no RPC to the world; leave it out"],
    ),
    (
        {"rpcService": {"type": "NodePort"}},
        [("rpcService.type: NodePort opens RPC and API to whoever reaches it; put routes before them, or set allowPublic: true")],
    ),
    (
        {"rpcService": {"externalTrafficPolicy": "Local"}},
        ["rpcService.externalTrafficPolicy: is refused by the API server for a ClusterIP Service; leave it out"],
    ),
]


@broken("keys", KEYS)
def test_each_node_has_a_node_key_of_its_own(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("signers", SIGNERS)
def test_who_signs_fits_the_type_and_no_key_signs_twice(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


def test_a_seed_that_is_none_is_not_repeated() -> None:
    (line,) = refusals(keys={"kind": "seed", "seed": "c0ffee" * 9})
    assert "c0ffee" not in line


# ---- what a set takes that no other may have


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (BY_SECRET, {0: A.upper()}),
        (PAIR, {0: A.upper(), 1: B.upper()}),
        ({**BY_SECRET, "firstOrdinal": 3, "signer": {**BY_SECRET["signer"], "addresses": {3: A}}}, {3: A.upper()}),
        ({**BY_SECRET, "replicas": 0, "signer": {"kind": "secret", "name": "val"}}, {}),
        ({"type": "validator", "signer": {"kind": "remote"}}, {}),
        ({"type": "sentry"}, {}),
        (LOCAL, {}),
    ],
)
def test_a_key_is_held_by_its_address_whatever_secret_it_is_in(given: Given, held: dict[int, str]) -> None:
    assert exclusive_keys(args(**given)) == held
