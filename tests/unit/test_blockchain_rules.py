"""Every rule of a set of blockchain nodes: what breaks it, what is said of that, and what comes near and passes."""

from typing import Any

import pytest
from chains import (
    BY_SECRET,
    COMET,
    COSMOS,
    GENESIS,
    GIVEN_KEYS,
    HUB,
    IMAGE,
    LOCAL,
    LOCAL_COMET,
    OSMOSIS,
    A,
    B,
    args,
    find,
    plan,
    pod,
    refusals,
)

from nodestead.config.base import ConfigError, Deferred
from nodestead.plans.blockchain_rules import exclusive_keys, taken_ports

Given = dict[str, Any]

PEER = f"{A}@seed.example.org:26656"
ACCOUNT = "cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0"
BARE: Given = {"repository": "registry.example.org/simd"}
DIGEST = f"sha256:{'0a' * 32}"
NODE_PORT: Given = {"kind": "nodePort"}
FIXED: Given = {"kind": "fixed", "addresses": {"0": "203.0.113.7"}}
ROUTES: Given = {"kind": "ingress", "rpc": {"hosts": ["rpc.example.org"]}, "tls": "none", "controllerNamespace": "edge"}
SECURE_ROUTES: Given = {**ROUTES, "tls": {"secret": "tls"}}
SERVERS = ["https://a.example.org", "https://b.example.org"]
ON_ROCKS: Given = {**COSMOS, "databaseBackend": "rocksdb"}
TRUST: Given = {"trustHeight": 5, "trustHash": "0" * 64}
URL_FROM: Given = {"name": "mirror", "key": "url"}
CREDENTIALS = "has a user or a password in it, and would lie readable in a ConfigMap"
NOT_SERVED = "the nodes do not serve it; switch it on in software.app, or leave the route out"
ROCKSDB = (
    "software.databaseBackend: rocksdb tells nobody else the height, by which versions and halts go; use goleveldb or pebbledb,"
    " or one version"
)
TAR: Given = {"kind": "url", "url": "https://example.org/snapshot.tar.lz4"}
VOLUME: Given = {"kind": "volume"}
CLAIM: Given = {"kind": "existingClaim", "claim": "mine"}
ADDRESSES: Given = {"0": A, "1": B}
PAIR: Given = {
    "type": "validator",
    "replicas": 2,
    "signer": {"kind": "secret", "name": "val-<replica>", "addresses": ADDRESSES},
}
NO_ADDRESS = "add the address of its priv_validator_key.json, by which no other node can have the key"


class Later:
    """A value of another resource."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no rule may wait for a value of another resource")


def rows(*given: tuple[int, ...]) -> Given:
    """Versions by height, with the last block of each if it has one; the image has no tag of its own then."""
    versions = [
        {"height": row[0], "image": {"tag": f"v{row[0]}"}} | ({"haltHeight": row[1]} if len(row) > 1 else {}) for row in given
    ]
    return {"versions": versions, "image": BARE}


def balanced(*addresses: str) -> Given:
    """Load balancers with the given addresses, node by node."""
    fixed = {"kind": "fixed", "addresses": {str(node): address for node, address in enumerate(addresses)}}
    return {"kind": "loadBalancer", "externalAddress": fixed}


def mounted(name: str, path: str) -> Given:
    """A volume in the container of the node."""
    return {"container": {"volumeMounts": [{"name": name, "mountPath": path}]}}


def beside(field: str, name: str, **more: Any) -> Given:
    """A container of the user's in the pods."""
    return {"pod": {field: [{"name": name, "image": "registry.example.org/tool:1", **more}]}}


def local(**network: Any) -> Given:
    return {"genesis": None, "network": {"kind": "local", "validators": 1, **network}}


NODES: list[tuple[Given, list[str]]] = [
    ({"replicas": 2, "nodes": {"2": {}}}, ["nodes.2: there is no such node; the nodes of the set are 0 to 1"]),
    ({"replicas": 0, "nodes": {"0": {}}}, ["nodes.0: there is no such node; the nodes of the set are none"]),
    (
        {"firstOrdinal": 5, "nodes": {"0": {}, "x": {}}},
        [
            "nodes.0: there is no such node; the nodes of the set are 5 to 5",
            "nodes.x: there is no such node; the nodes of the set are 5 to 5",
        ],
    ),
    (
        {"nodes": {"0": {"externalAddress": "203.0.113.7"}}},
        ["nodes.0.externalAddress: nobody outside reaches this node; set exposure, or leave the address out"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "first": 1}, "nodes": {"1": {"externalAddress": "203.0.113.7"}}},
        ["nodes.1.externalAddress: nobody outside reaches this node; set exposure, or leave the address out"],
    ),
]
KEYS: list[tuple[Given, list[str]]] = [
    ({"replicas": 2, "keys": {**GIVEN_KEYS, "ids": {"0": A}}}, ["keys.ids: node 1 has no id; add it, its peers have to know it"]),
    ({"keys": {**GIVEN_KEYS, "ids": {"00": A}}}, ["keys.ids: node 0 has no id; add it, its peers have to know it"]),
    (
        {"replicas": 2, "keys": {**GIVEN_KEYS, "ids": {"0": A, "1": A}}},
        ["keys.ids.1: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is that of node 0 already; every node has a key of its own"],
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
EXPOSURE: list[tuple[Given, list[str]]] = [
    ({"exposure": {**NODE_PORT, "basePort": 29999}}, ["exposure.basePort: 29999 is below 30000, the first nodePort; raise it"]),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32767}},
        [
            (
                "exposure.basePort: 32767 + 1 x 1 passes 32767, the last nodePort; lower basePort to at most 32766, or expose"
                " fewer nodes"
            )
        ],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32700, "offset": 100}},
        [
            (
                "exposure.basePort: 32700 + 1 x 100 passes 32767, the last nodePort; lower basePort to at most 32667, or"
                " expose fewer nodes"
            )
        ],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "30000"}},
        ["exposure.portRange: '30000' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "32767-30000"}},
        ["exposure.portRange: '32767-30000' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"exposure": {**NODE_PORT, "portRange": "30000-65536"}},
        ["exposure.portRange: '30000-65536' is not a range of ports; write it as 30000-32767"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "hostPort", "basePort": 65535}},
        [
            (
                "exposure.basePort: 65535 + 1 x 1 passes 65535, the last port; lower basePort to at most 65534, or expose"
                " fewer nodes"
            )
        ],
    ),
    (
        {"exposure": {"kind": "loadBalancer", "loadBalancerIPs": {"1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "loadBalancer", "first": 1, "loadBalancerIPs": {"1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": {"kind": "loadBalancer", "loadBalancerIPs": {"0": "203.0.113.7", "1": "203.0.113.7"}}},
        ["exposure.loadBalancerIPs.1: 203.0.113.7 is that of node 0 already; give each load balancer its own"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED}},
        ["exposure.externalAddress.addresses: node 1 has no address; add it, peers could not dial it"],
    ),
    (
        {"replicas": 2, "exposure": {**NODE_PORT, "first": 0, "externalAddress": FIXED}},
        ["exposure.externalAddress.addresses.0: there is no such node among those exposed; leave it out"],
    ),
    (
        {"replicas": 2, "exposure": balanced("203.0.113.7", "203.0.113.7")},
        ["exposure.externalAddress.addresses.1: 203.0.113.7 is that of node 0 already; give each load balancer its own"],
    ),
    (
        {
            "replicas": 2,
            "exposure": balanced("node.example.org", "203.0.113.7"),
            "nodes": {"1": {"externalAddress": "node.example.org"}},
        },
        ["nodes.1.externalAddress: node.example.org is that of node 0 already; give each load balancer its own"],
    ),
]
PORTS: list[tuple[Given, list[str]]] = [
    ({"ports": {"rpc": 26656}}, ["ports: TCP port 26656 is taken twice in one pod, by p2p and rpc; give one of them another"]),
    (
        {"ports": {"health": 9090}},
        ["ports: TCP port 9090 is taken twice in one pod, by grpc and health; give one of them another"],
    ),
    (
        {"container": {"ports": [{"name": "evm", "port": 26657}]}},
        ["ports: TCP port 26657 is taken twice in one pod, by rpc and evm; give one of them another"],
    ),
    (
        {"container": {"ports": [{"name": "grpc-web", "port": 8545}]}},
        ["container.ports[0].name: grpc-web is a port of the node itself already; name it otherwise"],
    ),
    (
        {"container": {"ports": [{"name": "evm", "port": 8545}, {"name": "evm", "port": 8546}]}},
        ["container.ports[1].name: evm is a port of container.ports[0] already; name it otherwise"],
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
                "replicas: 2 nodes for one remote signer; a validator is one node, a signer that connects to several has them"
                " as type: sentry"
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
        ["signer.addresses.1: there is no such node; the nodes of the set are 0 to 0"],
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
                "persistence.kind: ephemeral loses what the validator has signed with its pod, and it could sign a block twice;"
                " use volume"
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
LOCALS: list[tuple[Given, list[str]]] = [
    ({**LOCAL, "signer": {"kind": "none"}}, ["signer: a local network makes its keys from the seed; leave it out"]),
    ({**LOCAL, "replicas": 3}, ["network.validators: 4 is more than the set's 3 nodes; raise replicas, or lower it"]),
    (
        {**LOCAL, "replicas": 6, "type": "validator"},
        ["type: 4 of the set's 6 nodes are validators; use full, which is what the others are"],
    ),
    ({**LOCAL, "type": "seed"}, ["type: seed is no role in a local network of one set; use full, and a set beside it"]),
    ({**LOCAL, "type": "sentry"}, ["type: sentry is no role in a local network of one set; use full, and a set beside it"]),
    ({**local(), "keys": GIVEN_KEYS}, ["keys.kind: a local network makes its keys from the seed; leave keys out"]),
    ({**LOCAL, "genesis": GENESIS}, ["genesis: a local network makes its own beginning; leave it out"]),
    ({**LOCAL, "snapshot": TAR}, ["snapshot: a local network makes its own beginning; leave it out"]),
    (
        {**LOCAL, "stateSync": {"siblings": True}},
        ["stateSync: validators of a new network have nobody to sync from; use a set beside it"],
    ),
    ({**LOCAL, "software": HUB}, ["software.chain: the preset is that of a public network; give chainId and binary"]),
    (
        local(accounts={"cosmos1": "5stake"}),
        ["network: accounts: 'cosmos1' is no Bech32 address; copy it again, a character is wrong or missing"],
    ),
    (
        local(accounts={ACCOUNT: "stake"}),
        [
            (
                "network: accounts.cosmos1kk9hzxewy8a6eau9tnnkgmuu6m7fcu7kq72zt0: 'stake' are no coins; write amount and"
                " denom, each denom once: 1000stake,5token"
            )
        ],
    ),
    (local(stake=10_000_000, balance=1_000_000), ["network: balance 1000000 does not cover stake 10000000; raise it"]),
    (
        local(genesisTime="2024-13-01T00:00:00Z"),
        ["network: genesis_time '2024-13-01T00:00:00Z' is no time in RFC 3339; write it as in 2026-01-31T00:00:00Z"],
    ),
    (
        {**local(), "software": {**COSMOS, "addressPrefix": "9x"}},
        ["network: prefix '9x' starts no address; use 1 to 44 lower-case letters and digits, the first a letter"],
    ),
    (
        {**LOCAL_COMET, "network": {"kind": "local", "appState": {"gov": {}}}},
        ["network: a cometbft network has no accounts and no app_state; leave them out"],
    ),
]
STARTS: list[tuple[Given, list[str]]] = [
    ({"genesis": None}, ["genesis: is required without a preset that has one; give its URL, a script or the text"]),
    (
        {"software": COMET, "genesis": None},
        ["genesis: is required without a preset that has one; give its URL, a script or the text"],
    ),
    (
        {"replicas": 2, "genesis": {"kind": "default"}},
        ["genesis.kind: default makes another genesis on each node; use network: {kind: local} for a new network"],
    ),
    (
        {"genesis": {"kind": "url", "url": "https://example.org/file?raw=.json"}},
        [
            (
                "genesis.url: the path ends in none of .json, .json.gz, .tar, .tar.gz, .tgz, .tar.gzip, .zip, /genesis; give"
                " a URL whose path tells the kind, or use kind: script"
            )
        ],
    ),
    (
        {"genesis": {"kind": "url", "url": "https://example.org/genesis.yaml#.json"}},
        [
            (
                "genesis.url: the path ends in none of .json, .json.gz, .tar, .tar.gz, .tgz, .tar.gzip, .zip, /genesis; give"
                " a URL whose path tells the kind, or use kind: script"
            )
        ],
    ),
    (
        {"snapshot": {"kind": "url", "url": "https://example.org/snapshot.zip"}},
        [
            (
                "snapshot.url: the path ends in none of .tar, .tar.gz, .tgz, .tar.gzip, .tar.lz4, .tar.zst; give a URL whose"
                " path tells the kind, or use kind: script"
            )
        ],
    ),
    (
        {"snapshot": {"kind": "url", "url": "https://example.org/snapshot?x=.tar"}},
        [
            (
                "snapshot.url: the path ends in none of .tar, .tar.gz, .tgz, .tar.gzip, .tar.lz4, .tar.zst; give a URL whose"
                " path tells the kind, or use kind: script"
            )
        ],
    ),
    (
        {"snapshot": TAR, "stateSync": {"rpcServers": SERVERS, **TRUST}},
        ["stateSync: cannot be set together with snapshot: a node starts from one of them; leave one out"],
    ),
    ({"stateSync": {"siblings": True}}, ["stateSync.siblings: there are no siblings among 1 nodes that run; give rpcServers"]),
    (
        {"replicas": 2, "nodes": {"0": {"disabled": "pod"}}, "stateSync": {"siblings": True}},
        ["stateSync.siblings: there are no siblings among 1 nodes that run; give rpcServers"],
    ),
    *(
        ({"genesis": {"kind": "inline", "text": text}}, [f"genesis.text: {said}"])
        for text, said in (
            ("chain_id: net-1", "is no JSON; give the genesis as the chain publishes it"),
            ('["chain_id"]', "has no chain_id; give the genesis as the chain publishes it"),
            ("{}", "has no chain_id; give the genesis as the chain publishes it"),
            ('{"chain_id": "net-2"}', "is of chain 'net-2', and software of 'net-1'; correct the one that is wrong"),
        )
    ),
    (
        {"software": HUB, "genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'}},
        ["genesis.text: is of chain 'net-1', and software of 'cosmoshub-4'; correct the one that is wrong"],
    ),
    ({"genesis": {"kind": "url"}}, ["genesis.url: give either url or urlFrom"]),
    ({"snapshot": {**TAR, "urlFrom": URL_FROM}}, ["snapshot.url: give either url or urlFrom"]),
    *(
        (
            {field: {"kind": "url", "url": f"https://{user}@example.org/{file}"}},
            [f"{field}.url: {CREDENTIALS}; use urlFrom instead"],
        )
        for field, file in (("genesis", "genesis.json"), ("addressBook", "addrbook.json"), ("snapshot", "a.tar"))
        for user in ("me", "me:word", ":word")
    ),
    (
        {"genesis": {"kind": "url", "url": "wss://example.org/genesis.json"}},
        ["genesis.url: wss: is not read; write http or https"],
    ),
    (
        {"stateSync": {"rpcServers": ["https://me:word@a.example.org", "wss://b.example.org:26657"], **TRUST}},
        [
            f"stateSync.rpcServers[0]: {CREDENTIALS}; name a server that asks for none",
            "stateSync.rpcServers[1]: wss: is not read; write http or https",
        ],
    ),
    *(
        (
            {"software": software, "routes": {**SECURE_ROUTES, protocol: {"hosts": ["a.example.org"]}}},
            [f"routes.{protocol}: {NOT_SERVED}"],
        )
        for protocol in ("api", "grpc")
        for software in ({**COSMOS, "app": {protocol: {"enabled": False}}}, COMET)
    ),
    (
        {"stateSync": {}},
        [
            "stateSync.rpcServers: has 0 entries; name at least two servers, or set siblings: true",
            (
                "stateSync.trustHeight: there is nothing to trust; give trustHeight and trustHash from a source of yours, or"
                " set trustServers: true"
            ),
        ],
    ),
    (
        {"replicas": 2, "stateSync": {"rpcServers": SERVERS, "siblings": True}},
        ["stateSync.rpcServers: cannot be set together with siblings; give one of them"],
    ),
    (
        {"stateSync": {"rpcServers": SERVERS}},
        [
            (
                "stateSync.trustHeight: there is nothing to trust; give trustHeight and trustHash from a source of yours, or"
                " set trustServers: true"
            )
        ],
    ),
    (
        {"stateSync": {"rpcServers": SERVERS[:1], **TRUST}},
        ["stateSync.rpcServers: has 1 entries; name at least two servers, or set siblings: true"],
    ),
    (
        {"stateSync": {"rpcServers": SERVERS, "trustHeight": 5}},
        ["stateSync.trustHash: is missing; give height and hash together"],
    ),
    (
        {"stateSync": {"rpcServers": SERVERS, "trustHash": "0" * 64}},
        ["stateSync.trustHeight: is missing; give height and hash together"],
    ),
    (
        {"stateSync": {"rpcServers": SERVERS, "trustServers": True, **TRUST}},
        ["stateSync.trustServers: cannot be set together with trustHeight; give one of them"],
    ),
]
VERSIONS: list[tuple[Given, list[str]]] = [
    ({"versions": {"preset": True}}, ["versions.preset: the chain has no preset with versions; list them"]),
    (
        {"software": HUB, "versions": {"preset": True}, "image": BARE},
        [
            (
                "versions.preset: the preset knows no height after v22.0.0, and v27.6.0 is what runs now: a node would run an"
                " old binary; list the versions"
            )
        ],
    ),
    ({**rows((0,), (10,)), "software": ON_ROCKS}, [ROCKSDB]),
    ({**rows((0, 9)), "software": ON_ROCKS}, [ROCKSDB]),
    ({"software": {**ON_ROCKS, "app": {"haltHeight": 9}}}, [ROCKSDB]),
    ({"versions": []}, ["versions: is empty; leave it out, or list at least one"]),
    (
        {**rows((0,), (10,)), "software": {**COSMOS, "app": {"haltHeight": 5}}},
        ["software.app.haltHeight: cannot be set together with versions; set haltHeight of a version"],
    ),
    (
        {**rows((0,), (10,)), "software": {**COSMOS, "shell": False}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (
        {**rows((0, 9)), "software": {**COSMOS, "shell": False}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (
        {"software": {**COSMOS, "shell": False, "app": {"haltHeight": 5}}},
        [
            (
                "versions: an image without a shell cannot wait for its height, and its binary cannot leave it; use an image"
                " with sh, or one version, changed by an update at its height"
            )
        ],
    ),
    (rows((10,), (10,)), ["versions[1].height: 10 does not follow 10; list them in ascending order"]),
    (rows((10,), (5,)), ["versions[1].height: 5 does not follow 10; list them in ascending order"]),
    (rows((10, 5)), ["versions[0].haltHeight: 5 is before this version's first block 10; raise it"]),
    (
        rows((0, 10), (10,)),
        [
            (
                "versions[0].haltHeight: 10 and the next version's height 10 do not meet; blocks after the halt belong to the"
                " next version: set haltHeight 9, or its height 11"
            )
        ],
    ),
    (
        rows((0, 5), (10,)),
        [
            (
                "versions[0].haltHeight: 5 and the next version's height 10 do not meet; blocks after the halt belong to the"
                " next version: set haltHeight 9, or its height 6"
            )
        ],
    ),
    ({**rows((0, 9), (10,)), "software": COMET}, ["versions[0].haltHeight: cometbft cannot halt at a height; leave it out"]),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {}}]},
        ["versions[0].image.tag: is required, or digest: a version is an image of its own; add it"],
    ),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "latest"}}]},
        [
            (
                "versions[0].image.tag: latest moves to another version without notice; pin a version or a digest, or set"
                " allowMovingTag: true"
            )
        ],
    ),
    (
        {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "v1", "repository": "simd:v1"}}]},
        ["versions[0].image.repository: 'simd:v1' has a tag or digest in it; move it to tag or digest"],
    ),
    ({**rows((0,)), "image": IMAGE}, ["image.tag: cannot be set together with versions: each version has its own; leave it out"]),
    (
        {**rows((0,)), "image": {**BARE, "digest": DIGEST}},
        ["image.tag: cannot be set together with versions: each version has its own; leave it out"],
    ),
    (
        {**rows((0,)), "image": {}},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
    ({"image": BARE}, ["image.tag: is required; pin the version of the binary"]),
    (
        {"image": {"tag": "v1"}},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
    (
        {"image": None},
        [
            "image.repository: is required: no registry is known for this chain; name the image of its binary",
            "image.tag: is required; pin the version of the binary",
        ],
    ),
    (
        {"software": OSMOSIS, "image": None},
        ["image.repository: is required: no registry is known for this chain; name the image of its binary"],
    ),
]
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
        ["nodes.0.size: the claim is not one that is resized here; leave it out"],
    ),
    (
        {"nodes": {"0": {"size": "1Gi", "existingClaim": "mine"}}},
        ["nodes.0.size: the claim is not one that is resized here; leave it out"],
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
        ["persistence.fromSnapshot: is for an only node: a copy has its node's state of signing; use nodes"],
    ),
]
SOFTWARE: list[tuple[Given, list[str]]] = [
    (
        {"software": {key: value for key, value in COSMOS.items() if key != "minGasPrice"}},
        [
            (
                "software.minGasPrice: is required: without it the node does not start; add it, as in 0.005uatom, or 0uatom"
                " to take transactions for nothing"
            )
        ],
    ),
    (
        {"software": {**HUB, "chainId": "other-1"}},
        [
            (
                "software.chainId: other-1 is not the chain of cosmoshub-4, cosmoshub-4, whose genesis and peers are used;"
                " leave out one of the two"
            )
        ],
    ),
    (
        {"software": {**COSMOS, "chain": "nowhere-1"}},
        [
            (
                "software.chain: 'nowhere-1': is no chain that is built in; built in are cosmoshub-4, osmosis-1, provider."
                " For any other write its file with nodestead chain and name that"
            )
        ],
    ),
]
SOURCES: list[tuple[Given, list[str]]] = [
    ({"peersFrom": [{}]}, ["peersFrom[0].set: is required and not given; add it"]),
    (
        {"peersFrom": [{"set": "Hub"}]},
        [
            (
                "peersFrom[0].set: 'Hub' is refused; a name has 1 to 63 lower-case letters, digits and hyphens, and starts"
                " and ends with a letter or digit"
            )
        ],
    ),
    (
        {"peersFrom": [{"set": "hub", "stak": "org/project/prod"}]},
        ["peersFrom[0].stak: unknown key; known here are dial, private, set, unconditional"],
    ),
    (
        {"peersFrom": [{"set": "hub", "public": True}]},
        ["peersFrom[0].public: unknown key; known here are dial, private, set, unconditional"],
    ),
    (
        {"peersFrom": [{"set": "hub", "dial": "yes"}]},
        ["peersFrom[0].dial: 'yes' has the wrong type; write true or false without quotes"],
    ),
    (
        {"peersFrom": [{"set": "hub", "stack": "a b"}]},
        ["peersFrom[0].stack: 'a b' is refused: string should match pattern '^[^\\s/]+(?:/[^\\s/]+){0,2}$'; change it to fit"],
    ),
    (
        {"peersFrom": [{"peers": ["hub"]}]},
        [
            (
                "peersFrom[0].peers[0]: 'hub' is not a peer; write the node id (40 lower-case hexadecimal digits), @, host"
                " and port, as in 17e5d0b6f2a8c94e3b1d7f60a5c4e8923b6d1f0a@203.0.113.7:26656"
            )
        ],
    ),
    ({"peersFrom": [{"peers": "hub"}]}, ["peersFrom[0].peers: 'hub' has the wrong type; write a list"]),
    (
        {"peersFrom": [{"peers": [PEER], "set": "hub"}]},
        ["peersFrom[0].set: unknown key; known here are dial, peers, private, unconditional"],
    ),
    ({"versions": {"preset": False}}, ["versions.preset: false is not known; use one of True"]),
    ({"versions": {"preset": True, "sinc": 5}}, ["versions.sinc: unknown key; did you mean since?"]),
    ({"versions": [{"height": 0}], "image": BARE}, ["versions[0].image: is required and not given; add it"]),
]
SELECTED = "is set by the library, and selectors depend on it; leave it out"
SCRIPTS = "is set by the library for its scripts; give yours another name"
TAKEN = "of the pod already; give this one another name"
LOW = "is a port that only root may open, and the node is not root; use one from 1024 on"
OURS = "the library's own; choose another path"
MORE: Given = {"pod": {"volumes": [{"name": "more", "emptyDir": {}}]}}
SOFTWARE_LABEL = "app.kubernetes.io/name"
PODS: list[tuple[Given, list[str]]] = [
    ({"labels": {SOFTWARE_LABEL: "x"}}, [f'labels["{SOFTWARE_LABEL}"]: {SELECTED}']),
    ({"labels": {"nodestead.io/set": "x"}}, [f'labels["nodestead.io/set"]: {SELECTED}']),
    ({"pod": {"labels": {"nodestead.io/node": "x"}}}, [f'pod.labels["nodestead.io/node"]: {SELECTED}']),
    (
        {"pod": {"labels": {"app.kubernetes.io/instance": "x"}}, "monitoring": {"labels": {SOFTWARE_LABEL: "x"}}},
        [f'pod.labels["app.kubernetes.io/instance"]: {SELECTED}', f'monitoring.labels["{SOFTWARE_LABEL}"]: {SELECTED}'],
    ),
    (
        {"versionedPods": [{"name": "a", "labels": {SOFTWARE_LABEL: "x"}, "containers": [{"name": "b", "image": "c:1"}]}]},
        [f'versionedPods[0].labels["{SOFTWARE_LABEL}"]: {SELECTED}'],
    ),
    (
        {"container": {"env": {"HOME": "/x"}}},
        ["container.env.HOME: is /home/operator, where the processes may write; leave it out"],
    ),
    *(
        ({"container": {"env": {name: "x"}}}, [f"container.env.{name}: {SCRIPTS}"])
        for name in ("CHAIN_HOME", "CONFIG_DIR", "DATA_DIR", "GENESIS_FILE", "ADDRBOOK_FILE", "POD_NAME", "POD_IP")
    ),
    *(({"nodes": {"0": {"env": {name: "x"}}}}, [f"nodes.0.env.{name}: {SCRIPTS}"]) for name in ("GATE", "VERSION", "FILES")),
    (
        {"container": {"env": {"START_DELAY": "9"}}},
        ["container.env.START_DELAY: is set by the library for its scripts; set signer.startDelay"],
    ),
    (
        {"software": COMET, "image": None, "container": {"env": {"CMTHOME": "/x"}}},
        ["container.env.CMTHOME: would lead the node to another home than the set's; leave it out"],
    ),
    *(
        ({field: {"kind": "script", "script": "true", "env": {name: "x"}}}, [f"{field}.env.{name}: {SCRIPTS}"])
        for field, name in (("genesis", "CHAIN_HOME"), ("addressBook", "POD_NAME"), ("snapshot", "RESTORE_DIR"))
    ),
    *(
        ({"pod": {"volumes": [{"name": name, "emptyDir": {}}]}}, [f"pod.volumes[0].name: '{name}' is a volume {TAKEN}"])
        for name in ("data", "scratch", "tmp", "defaults", "run", "keys", "secret-keys", "agents", "node", "kube-api")
    ),
    (
        {"pod": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "emptyDir": {}}]}},
        [f"pod.volumes[1].name: 'a' is a volume {TAKEN}"],
    ),
    (
        {"pod": {"volumes": [{"name": "A", "emptyDir": {}}]}},
        ["pod.volumes[0].name: 'A' is no name of a volume; use at most 63 lower-case letters, digits and hyphens"],
    ),
    *(
        (beside("extraContainers", name), [f"pod.extraContainers[0].name: '{name}' is a container {TAKEN}"])
        for name in ("node", "node-h0", "node-h5200791", "health")
    ),
    *(
        (beside("initContainers", name), [f"pod.initContainers[0].name: '{name}' is a container {TAKEN}"])
        for name in ("init", "init-h10", "prepare", "node")
    ),
    (
        {"pod": {**beside("initContainers", "a")["pod"], **beside("extraContainers", "a")["pod"]}},
        [f"pod.extraContainers[0].name: 'a' is a container {TAKEN}"],
    ),
    ({"pod": {"extraContainers": [{"name": "a"}]}}, ["pod.extraContainers[0].image: is required and not given; add it"]),
    (
        mounted("mine", "/mine"),
        [
            (
                "container.volumeMounts[0].name: there is no volume 'mine'; add it to pod.volumes, or use agents, data, defaults,"
                " node, run, scratch, tmp"
            )
        ],
    ),
    (
        beside("extraContainers", "thief", volumeMounts=[{"name": "keys", "mountPath": "/k"}]),
        [
            (
                "pod.extraContainers[0].volumeMounts[0].name: there is no volume 'keys'; add it to pod.volumes, or use agents,"
                " data, defaults, node, run, scratch, tmp"
            )
        ],
    ),
    (
        {"container": {"volumeMounts": [{"name": "data", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/a/"}]}},
        ["container.volumeMounts[1].mountPath: something is mounted at '/a/' already; choose another path"],
    ),
    (
        beside("initContainers", "a", volumeMounts=[{"name": "data", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/a"}]),
        ["pod.initContainers[0].volumeMounts[1].mountPath: something is mounted at '/a' already; choose another path"],
    ),
    *(
        (
            MORE | mounted("more", path),
            [f"container.volumeMounts[0].mountPath: something is mounted at '{path}' already; choose another path"],
        )
        for path in (
            *("/home/operator", "/home/operator/cosmos", "/tmp", "/run/nodestead", "/run/nodestead-keys"),
            *("/etc/nodestead/agents", "//tmp/", "/x/../tmp"),
        )
    ),
    *(
        (MORE | mounted("more", path), [f"container.volumeMounts[0].mountPath: '{path}' is in {folder}, {OURS}"])
        for path, folder in (
            ("/home/operator/cosmos/wasm", "/home/operator"),
            ("/home/operator/.wallet", "/home/operator"),
            ("/tmp/x", "/tmp"),
            ("/run/nodestead/gate", "/run/nodestead"),
            ("/run/nodestead-keys/node_key.json", "/run/nodestead-keys"),
            ("/etc/nodestead", "/etc/nodestead"),
            ("/etc/nodestead/mine", "/etc/nodestead"),
            ("/defaults", "/defaults"),
            ("/defaults/h0", "/defaults"),
        )
    ),
    *(
        (MORE | mounted("more", path), [f"container.volumeMounts[0].mountPath: '{path}' is over {folder}, {OURS}"])
        for path, folder in (("/home", "/home/operator"), ("/run/", "/run/nodestead"), ("/etc", "/etc/nodestead"))
    ),
    (MORE | mounted("more", "/"), [f"container.volumeMounts[0].mountPath: '/' is over /home/operator, {OURS}"]),
    ({"ports": {"rpc": 80}}, [f"ports.rpc: 80 {LOW}"]),
    ({"ports": {"grpcWeb": 1023, "health": 1}}, [f"ports.grpcWeb: 1023 {LOW}", f"ports.health: 1 {LOW}"]),
    (
        {"container": {"ports": [{"name": "web", "port": 443}]}},
        [f"container.ports[0].port: 443 {LOW}"],
    ),
    (
        {"container": {"securityContext": {"runAsUser": 0}}, "ports": {"p2p": 80, "health": 81}},
        [f"ports.health: 81 {LOW}"],
    ),
]
SOUND: list[Given] = [
    {"pod": {"labels": {"nodestead.io/api-client": "true", "app.kubernetes.io/version": "1"}}, "labels": {"team": "a"}},
    {"container": {"env": {"HOMEPAGE": "x", "CMTHOME": "x", "NODE_NAME": "x"}}},
    {"snapshot": {"kind": "script", "script": "true", "env": {"GATE": "x", "TOKEN": "x"}}},
    {"software": {**COSMOS, "shell": False}, "container": {"env": {"VERSION": "x", "GATE": "x"}}},
    beside("extraContainers", "node-exporter", volumeMounts=[{"name": "data", "mountPath": "/home/operator/cosmos"}]),
    beside("initContainers", "init-permissions", volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}]),
    MORE | mounted("more", "/home/operators"),
    MORE | mounted("more", "/run/nodestead-more"),
    mounted("data", "/again"),
    {"ports": {"rpc": 80}, "pod": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}},
    {"ports": {"rpc": 1024}},
    {"replicas": 2, "exposure": balanced("203.0.113.7", "203.0.113.8")},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": balanced("203.0.113.7", "203.0.113.7")["externalAddress"]}},
    {"replicas": 2, "nodes": {1: {"disabled": "pod"}}},
    {"exposure": NODE_PORT, "nodes": {"0": {"externalAddress": "node.example.org"}}},
    {"keys": GIVEN_KEYS},
    {"replicas": 2, "keys": {**GIVEN_KEYS, "name": "keys-<replica>", "key": "node_key.json"}},
    {"keys": {**GIVEN_KEYS, "name": Later(), "key": "node_key.json"}},
    {"keys": {"kind": "seed", "seed": "5eed" * 16}},
    {"replicas": 2, "exposure": {**NODE_PORT, "basePort": 32766}},
    {"replicas": 3, "exposure": {**NODE_PORT, "basePort": 32766, "first": 2}},
    {"replicas": 3, "exposure": {**NODE_PORT, "basePort": 30000, "offset": 1000, "portRange": "30000-32000"}},
    {"replicas": 0, "exposure": {**NODE_PORT, "basePort": 1}},
    {"replicas": 2, "exposure": {"kind": "hostPort", "basePort": 65534}},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED}, "nodes": {"1": {"externalAddress": "203.0.113.8"}}},
    {"replicas": 2, "exposure": {**NODE_PORT, "externalAddress": FIXED, "first": 1}},
    {"exposure": {"kind": "loadBalancer", "loadBalancerIPs": {0: "203.0.113.7"}}},
    {"ports": {"p2p": 26657, "rpc": 26656}},
    {"container": {"ports": [{"name": "evm", "port": 26656, "protocol": "UDP"}]}},
    BY_SECRET,
    PAIR,
    {**PAIR, "signer": {"kind": "secret", "name": "val", "key": "key-<replica>.json", "addresses": ADDRESSES}},
    {**BY_SECRET, "signer": {**BY_SECRET["signer"], "name": Later()}},
    {**BY_SECRET, "persistence": CLAIM},
    {**BY_SECRET, "persistence": {**VOLUME, "accessModes": ["ReadWriteOnce"]}},
    {"type": "validator", "signer": {"kind": "remote"}, "persistence": {"kind": "ephemeral"}},
    {"persistence": {**VOLUME, "accessModes": ["ReadWriteMany"]}},
    {"genesis": {"kind": "inline", "text": '{"chain_id": "net-1"}'}},
    {"software": HUB, "genesis": {"kind": "inline", "text": '{"chain_id": "cosmoshub-4"}'}},
    {"genesis": {"kind": "url", "urlFrom": URL_FROM}, "snapshot": {"kind": "url", "urlFrom": URL_FROM}},
    {"stateSync": {"rpcServers": ["http://a.example.org:26657", SERVERS[0]], **TRUST}},
    {"routes": {**SECURE_ROUTES, "api": {"hosts": ["a.example.org"]}, "grpc": {"hosts": ["b.example.org"]}}},
    {"software": ON_ROCKS},
    {**rows((0,)), "software": ON_ROCKS},
    {"type": "validator", "replicas": 0, "signer": {"kind": "remote"}},
    {"type": "validator", "signer": {"kind": "remote"}},
    {"type": "sentry", "replicas": 3},
    {"type": "sentry", "signer": {"kind": "none"}},
    {"type": "sentry", "signer": {"kind": "remote", "startDelay": "0s"}},
    {"signer": {"kind": "none"}},
    {"routes": ROUTES},
    {"type": "sentry", "routes": ROUTES},
    {"rpcService": {"type": "NodePort", "allowPublic": True, "externalTrafficPolicy": "Local"}},
    LOCAL,
    LOCAL_COMET,
    {**LOCAL, "type": "validator"},
    {**LOCAL, "replicas": 6},
    {**LOCAL, "replicas": 6, "type": "archive"},
    {**LOCAL, "software": {key: value for key, value in COSMOS.items() if key != "minGasPrice"}},
    local(accounts={ACCOUNT: "5stake,7token"}, appState={"gov": {}}),
    local(stake=1_000_000, balance=1_000_000),
    {"software": HUB, "genesis": None},
    {"genesis": {"kind": "default"}},
    {"genesis": {"kind": "url", "url": "https://rpc.example.org/genesis"}},
    {"genesis": {"kind": "url", "url": "https://example.org/GENESIS.JSON.GZ?raw=true#top"}},
    {"genesis": {"kind": "script", "script": "cp /genesis.json $DEST"}},
    {"snapshot": {"kind": "url", "url": "https://example.org/snapshot.tar.zst?token=1"}},
    {"snapshot": {"kind": "script", "script": "true"}},
    {"stateSync": {"rpcServers": SERVERS, **TRUST}},
    {"stateSync": {"rpcServers": SERVERS, "trustServers": True}},
    {"replicas": 2, "stateSync": {"siblings": True}},
    {"software": OSMOSIS, "versions": {"preset": True}, "image": BARE},
    {"software": OSMOSIS, "image": BARE},
    rows((0,)),
    rows((0, 9), (10,)),
    rows((0,), (10, 20), (21,)),
    {**rows((5,)), "software": {**COSMOS, "shell": False}},
    {**rows((0,), (10,)), "software": COMET},
    {**rows((0,)), "versions": [{"height": 0, "image": {"digest": DIGEST}}]},
    {**rows((0,)), "versions": [{"height": 0, "image": {"tag": "latest", "allowMovingTag": True}}]},
    {"image": None, "versions": [{"height": 0, "image": {"repository": "registry.example.org/simd", "tag": "v1"}}]},
    {"image": {**BARE, "digest": DIGEST}},
    {"software": COMET, "image": None},
    {"software": {**COSMOS, "app": {"haltHeight": 5}}},
    {"persistence": CLAIM},
    {"replicas": 2, "persistence": CLAIM, "nodes": {"1": {"existingClaim": "other"}}},
    {"replicas": 2, "nodes": {"0": {"existingClaim": Later()}, "1": {"existingClaim": Later()}}},
    {"persistence": {**VOLUME, "fromSnapshot": "snap"}},
    {"replicas": 2, "nodes": {"0": {"fromSnapshot": "snap"}, "1": {"size": "1Ti"}}},
    {
        "peersFrom": [
            {"set": "a"},
            {"set": "a", "stack": "org/project/prod", "public": True},
            {"peers": [PEER]},
            {"peers": Later()},
        ]
    },
    {"peers": {"seeds": [], "persistent": [PEER], "privateIds": [A], "unconditionalIds": [B]}},
]


def broken(name: str, rules: list[tuple[Given, list[str]]]) -> Any:
    """A test's parameters: what breaks the rules, and what is said of it."""
    return pytest.mark.parametrize(
        ("given", "said"), rules, ids=[f"{name}-{lines[0].partition(':')[0]}-{index}" for index, (_, lines) in enumerate(rules)]
    )


@broken("nodes", NODES)
def test_what_is_said_of_nodes_that_are_not_there_or_not_dialled(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("keys", KEYS)
def test_each_node_has_a_node_key_of_its_own(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("exposure", EXPOSURE)
def test_ports_and_addresses_outside_are_those_of_exposed_nodes_and_in_range(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("ports", PORTS)
def test_no_port_is_taken_twice_in_a_pod(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("signers", SIGNERS)
def test_who_signs_fits_the_type_and_no_key_signs_twice(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("locals", LOCALS)
def test_a_local_network_makes_its_own_beginning_and_one_that_starts(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("starts", STARTS)
def test_a_node_starts_from_one_thing_that_can_be_read(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("versions", VERSIONS)
def test_each_block_has_one_pinned_version(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("storage", STORAGE)
def test_no_two_nodes_share_a_claim_or_its_copy(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("pods", PODS)
def test_what_is_added_to_a_pod_takes_nothing_of_its_own(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


ALL_IN_A_POD: Given = {
    **rows((0,), (10,)),
    "type": "sentry",
    "exposure": {**NODE_PORT, "externalAddress": {"kind": "nodeExternalIP"}},
}


def test_all_that_the_library_puts_into_a_pod_is_reserved() -> None:
    spec = pod(plan(**ALL_IN_A_POD))
    (node,) = [one for one in spec["containers"] if one["name"] == "node-h10"]
    for one in spec["volumes"]:
        assert refusals(**ALL_IN_A_POD, pod={"volumes": [{"name": one["name"], "emptyDir": {}}]})
    for one in [*spec["initContainers"], *spec["containers"]]:
        assert refusals(**ALL_IN_A_POD, **beside("extraContainers", one["name"]))
    for one in node["env"]:
        assert refusals(**ALL_IN_A_POD, container={"env": {one["name"]: "x"}}), one
    (prepare,) = [one for one in spec["initContainers"] if one["name"] == "prepare"]
    for one in prepare["env"]:
        assert refusals(**ALL_IN_A_POD, snapshot={"kind": "script", "script": "true", "env": {one["name"]: "x"}}), one
    for one in node["volumeMounts"]:
        assert refusals(**ALL_IN_A_POD, **mounted("data", one["mountPath"]))
        assert refusals(**ALL_IN_A_POD, **mounted("data", f"{one['mountPath']}/x"))
    for one in node["ports"]:
        assert refusals(**ALL_IN_A_POD, container={"ports": [{"name": one["name"], "port": 5000}]})
    for key in find(plan(**ALL_IN_A_POD), "StatefulSet", "hub-0")["spec"]["template"]["metadata"]["labels"]:
        assert refusals(**ALL_IN_A_POD, labels={key: "x"})


@broken("software", SOFTWARE)
def test_the_software_is_held_against_type_and_network(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("sources", SOURCES)
def test_one_of_several_shapes_is_told_by_its_keys_and_only_its_faults_are_named(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@pytest.mark.parametrize("given", SOUND, ids=["-".join(given) for given in SOUND])
def test_what_comes_near_and_is_sound_gives_objects(given: Given) -> None:
    assert list(plan(**given).manifests())


def test_all_broken_rules_are_told_at_once() -> None:
    given: Given = {"type": "validator", "genesis": None, "image": None, "ports": {"rpc": 26656}, "nodes": {"7": {}}}
    assert [line.partition(":")[0] for line in refusals(**given)] == [
        *("nodes.7", "ports", "signer", "genesis", "image.repository", "image.tag")
    ]


def test_a_seed_that_is_none_is_not_repeated() -> None:
    (line,) = refusals(keys={"kind": "seed", "seed": "c0ffee" * 9})
    assert "c0ffee" not in line


# ---- names


def named(name: str, **given: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        plan(name, **given)
    return refused.value.problems


@pytest.mark.parametrize(
    ("length", "given", "most"),
    [
        (51, {}, 50),
        (50, {"replicas": 11}, 49),
        (49, {"firstOrdinal": 100}, 48),
        (49, {"exposure": {"kind": "loadBalancer"}}, 48),
    ],
)
def test_a_name_whose_objects_would_pass_what_kubernetes_takes_is_refused(length: int, given: Given, most: int) -> None:
    (line,) = named("c" * length, **given)
    assert line.startswith(f"blockchainNodeSets.{'c' * length}: the name of its last node, {'c' * length}-")
    assert line.endswith(f"use a name of at most {most}")
    every = [one["metadata"]["name"] for one in plan("c" * most, **given).manifests() if one["kind"] == "Service"]
    assert max(map(len, every)) <= 63


@pytest.mark.parametrize("name", ["1hub", "Hub", "hub.a", "-hub", ""])
def test_a_name_that_no_service_may_have_is_refused(name: str) -> None:
    (line,) = named(name)
    assert f": {name!r} is refused as a name: names of Services have lower-case letters, digits and hyphens" in line


def test_a_claim_that_another_node_of_the_set_makes_is_refused() -> None:
    given: Given = {"replicas": 2, "nodes": {"0": {"existingClaim": "data-hub-1-0"}}}
    assert named("hub", **given) == [
        ("blockchainNodeSets.hub.nodes.0.existingClaim: 'data-hub-1-0' is the claim that node 1 of the set makes; name another")
    ]
    plan("sea", **given)
    plan("hub", replicas=2, nodes={"0": {"existingClaim": "data-hub-0-0"}})


def test_a_set_is_no_peer_of_itself() -> None:
    assert named("hub", peersFrom=[{"set": "other"}, {"set": "hub"}]) == [
        "blockchainNodeSets.hub.peersFrom[1].set: is the set itself, whose nodes know each other anyway; leave it out"
    ]
    plan("hub", peersFrom=[{"set": "hub", "stack": "org/project/prod"}])


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


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, []),
        ({"exposure": {"kind": "loadBalancer"}}, []),
        ({"replicas": 2, "exposure": {**NODE_PORT, "offset": 5}}, [30656, 30661]),
        ({"replicas": 2, "firstOrdinal": 4, "exposure": {"kind": "hostPort", "basePort": 26656}}, [26656, 26657]),
        ({"replicas": 3, "exposure": {**NODE_PORT, "first": 1}}, [30656]),
    ],
)
def test_ports_of_hosts_are_those_of_exposed_nodes(given: Given, taken: list[int]) -> None:
    first = given.get("firstOrdinal", 0)
    expected = [("TCP", port, str(first + index), "basePort") for index, port in enumerate(taken)]
    assert list(taken_ports(args(**given))) == expected


def test_a_value_of_another_resource_is_one_of_the_models() -> None:
    assert isinstance(Later(), Deferred)
