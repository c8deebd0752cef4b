"""Configs of blockchain node sets that are valid by construction, over all that a user may choose.

Every secret in them has `CANARY` in it, so that a test can look for it wherever no secret may be.
"""

import json
from typing import Any

from hypothesis import strategies as st

from strategies import (
    ANNOTATIONS,
    ENV,
    IMAGES,
    LABELS,
    LATE_NAMES,
    LATER,
    RESOURCES,
    SEED,
    Config,
    accounts,
    address,
    given,
    merged,
    monitoring,
    optional,
    pods,
    sources,
)

__all__ = ["chain_sets"]

REPOSITORY = "registry.example.org/simd"
SIMD: Config = {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"}
COMET: Config = {"kind": "cometbft", "chainId": "net-1", "proxyApp": "kvstore"}
OSMOSIS: Config = {"kind": "cosmos", "chain": "osmosis-1"}
SERVERS = ["https://a.example.org", "https://b.example.org"]
PEERS = [f"{digit * 40}@{digit}.example.org:26656" for digit in "abc"]
ROUTES: list[Config] = [
    {"kind": "ingress", "rpc": {"hosts": ["rpc.example.org"]}, "tls": "none"},
    {"kind": "ingress", "api": {"hosts": ["api.example.org"]}, "grpc": {"hosts": ["grpc.example.org"]}, "tls": {"secret": "tls"}},
    {"kind": "httpRoute", "rpc": {"hosts": ["rpc.example.org"]}, "parents": [{"name": "edge"}]},
]


@st.composite
def software(draw: st.DrawFn, *, local: bool) -> Config:
    """A chain of the SDK, one with a preset, or CometBFT by itself."""
    base = draw(st.sampled_from([SIMD, COMET] if local else [SIMD, OSMOSIS, COMET]))
    fields = {
        "home": st.sampled_from(["cosmos", ".simapp"]),
        "logLevel": st.just("info"),
        "logFormat": st.sampled_from(["plain", "json"]),
        "databaseBackend": st.sampled_from(["goleveldb", "pebbledb"]),
        "config": optional(
            p2p=optional(maxInboundPeers=st.integers(1, 99)),
            txIndex=given(indexer="psql", psqlConnection=given(name=LATE_NAMES, key="url")),
        ),
    }
    if base["kind"] == "cosmos":
        fields |= {
            "initArgs": st.just(["--default-denom=stake"]),
            "app": optional(
                pruning=given(strategy="custom", keepRecent=100, interval=10),
                api=optional(enabled=st.booleans()),
                grpc=optional(enabled=st.booleans()),
            ),
            "overrides": given(app=st.just({"json-rpc": {"enable": True}})),
        }
    if not local and base is SIMD:
        fields["denom"] = st.just("uatom")
    return {**base, **draw(optional(**fields))}


def exposures(kind: str, nodes: list[str]) -> st.SearchStrategy[Config]:
    """A way for peers to reach the nodes."""
    fixed = given(kind="fixed", addresses=given(**{node: address(i) for i, node in enumerate(nodes)}))
    found = [given(kind="lookup", url=st.sampled_from(["https://ip.example.org", LATER])), fixed]
    services = optional(annotations=ANNOTATIONS, externalTrafficPolicy=st.sampled_from(["Local", "Cluster"]))
    if kind == "cluster":
        return st.just({"kind": kind})
    if kind == "loadBalancer":
        own = optional(
            externalAddress=st.one_of(*found, st.just({"kind": "loadBalancer"})),
            loadBalancerIPs=st.just({node: f"192.0.2.{number}" for number, node in enumerate(nodes)}),
            loadBalancerClass=st.sampled_from(["service.k8s.aws/nlb", LATER]),
            sourceRanges=st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]), unique=True),
        )
        return merged(given(kind=kind), services, own)
    found += [st.just({"kind": "nodeExternalIP"}), st.just({"kind": "hostIP"})]
    ports = optional(
        externalAddress=st.one_of(*found), basePort=st.sampled_from([30000, 30656]), offset=st.sampled_from([1, 7, 500])
    )
    return merged(given(kind=kind), ports, *([services] if kind == "nodePort" else []))


def serves(spoken: Config, routes: Config) -> bool:
    """Whether nodes answer all that routes lead to."""
    app = spoken.get("app", {})
    asked = {"api", "grpc"} & routes.keys()
    return not asked or (spoken["kind"] == "cosmos" and all(app.get(one, {}).get("enabled", True) for one in asked))


@st.composite
def roles(draw: st.DrawFn, nodes: list[str]) -> Config:
    """A type, and who signs."""
    kind = draw(st.sampled_from(["full", "full", "archive", "seed", "sentry", "validator"]))
    config: Config = {"type": kind}
    remote = merged(
        given(kind="remote"),
        optional(startDelay=st.sampled_from(["0s", "1m"]), **{"from": st.just([{"ipBlock": {"cidr": "192.0.2.0/24"}}])}),
    )
    if kind == "sentry":
        config |= draw(optional(signer=st.one_of(remote, st.just({"kind": "none"}))))
    elif kind == "validator":
        addresses = {node: f"{int(node):040X}" for node in nodes}
        secret = merged(
            given(kind="secret", name=st.sampled_from(["val-<replica>", "val"]), key="key-<replica>.json"),
            given(addresses=st.just(addresses)),
        )
        config["signer"] = draw(st.one_of(secret, remote) if len(nodes) < 2 else secret)
    return config


def versions() -> st.SearchStrategy[Config]:
    """Images by height, or one for all."""
    rows = [{"height": 0, "image": {"tag": "v1"}}, {"height": 10, "image": {"tag": "v2"}}, {"height": 99, "image": {"tag": "v3"}}]
    halted = [{**rows[0], "haltHeight": 9}, rows[1]]
    pinned = merged(given(repository=REPOSITORY, tag="v1"), IMAGES)
    several = given(
        versions=st.sampled_from([rows, rows[:1], halted]), image=given(repository=st.sampled_from([REPOSITORY, LATER]))
    )
    return st.one_of(given(image=pinned), several)


@st.composite
def beginnings(draw: st.DrawFn, spoken: Config, nodes: list[str]) -> Config:
    """Where genesis and data come from."""
    kinds: list[Config] = [
        {"kind": "url", "url": "https://example.org/genesis.json", "sha256": "0a" * 32},
        {"kind": "script", "script": "cp /genesis $DEST"},
        {"kind": "inline", "text": json.dumps({"chain_id": spoken.get("chain") or spoken["chainId"]})},
    ]
    genesis = st.sampled_from(kinds)
    config = draw(optional(genesis=genesis) if "chain" in spoken else given(genesis=genesis))
    config |= draw(optional(addressBook=st.just({"kind": "script", "script": "true"})))
    asked: list[Config] = [
        {"rpcServers": SERVERS, "trustServers": True},
        {"rpcServers": SERVERS, "trustHeight": 5, "trustHash": "A" * 64},
    ]
    if len(nodes) > 1:
        asked.append({"siblings": True})
    start = draw(st.sampled_from(["genesis", "snapshot", "state"]))
    if start == "snapshot":
        config["snapshot"] = {"kind": "url", "url": "https://example.org/snapshot.tar.zst?token=1"}
    elif start == "state":
        config["stateSync"] = draw(st.sampled_from(asked))
    return config


def chain_keys(nodes: list[str]) -> st.SearchStrategy[Config]:
    """Node keys from a seed or a Secret."""
    seed = merged(given(kind="seed"), optional(generation=st.integers(1, 3), seed=st.sampled_from([SEED, LATER])))
    ids = {node: f"{int(node):040x}" for node in nodes}
    return st.one_of(seed, given(kind="secret", name=LATE_NAMES, key="node-<replica>.json", ids=st.just(ids)))


def chain_extras() -> st.SearchStrategy[Config]:
    """What goes with every software, type and exposure."""
    extra = [{"name": "evm", "port": 8545}, {"name": "dht", "port": 8545, "protocol": "UDP", "service": False}]
    container = optional(
        env=ENV,
        envFrom=st.just([{"configMapRef": {"name": "more"}}]),
        resources=RESOURCES,
        securityContext=st.just({"runAsUser": 7}),
        lifecycle=st.just({"preStop": {"exec": {"command": ["sleep", "5"]}}}),
        volumeMounts=st.just([{"name": "tmp", "mountPath": "/scratch", "subPath": "x"}]),
        ports=st.lists(st.sampled_from(extra), unique_by=lambda port: port["name"]),
        agentImage=merged(IMAGES, optional(repository=st.just("mirror.example.org/python"))),
    )
    given_peers: list[Config] = [{"peers": PEERS}, {"peers": LATER, "dial": False}, {"set": "sea", "stack": "org/project/prod"}]
    return optional(
        peers=optional(
            persistent=st.just(PEERS[:1]),
            seeds=st.just(PEERS[1:]),
            privateIds=st.just(["a" * 40]),
            preset=st.booleans(),
            mesh=st.booleans(),
        ),
        peersFrom=st.lists(st.sampled_from(given_peers), max_size=2, unique_by=str),
        ports=optional(rpc=st.just(36657), api=st.just(2317), metrics=st.just(9999), privval=st.just(2234)),
        probes=optional(
            strategy=st.sampled_from(["none", "reachable", "inSync"]),
            maxBlockAge=st.just("20s"),
            startupTimeout=st.sampled_from(["1s", "9h"]),
        ),
        container=container,
        pod=pods(),
        serviceAccount=accounts(),
        rollout=optional(maxUnavailable=st.sampled_from([1, "34%", "100%"]), timeout=st.sampled_from(["30s", "2h"])),
        disruption=optional(enabled=st.booleans()),
        networkPolicy=optional(enabled=st.booleans(), apiFrom=sources(), metricsFrom=sources()),
        monitoring=monitoring(),
        labels=LABELS,
    )


@st.composite
def node_overrides(draw: st.DrawFn, nodes: list[str], config: Config) -> Config:
    """What single nodes have otherwise."""
    chosen = draw(st.lists(st.sampled_from(nodes), unique=True, max_size=2)) if nodes else []
    found: Config = {}
    for node in chosen:
        own: dict[str, st.SearchStrategy[Any]] = {
            "nodeSelector": LABELS,
            "resources": RESOURCES,
            "env": ENV,
            "image": IMAGES,
        }
        if not config.get("stateSync", {}).get("siblings"):
            own["disabled"] = st.sampled_from(["pod", "all"])
        if config["exposure"]["kind"] != "cluster":
            own["externalAddress"] = address(100 + nodes.index(node))
        held = st.sampled_from([{}, {"existingClaim": f"claim-{node}"}, {"existingClaim": LATER}])
        if config["persistence"]["kind"] == "volume":
            held = st.one_of(held, optional(size=st.just("1Ti"), fromSnapshot=LATE_NAMES))
        found[node] = draw(merged(optional(**own), held))
    return found


@st.composite
def chain_sets(draw: st.DrawFn) -> Config:
    """A valid mapping for `BlockchainNodeSetArgs`; everything else of a stack is up to the caller."""
    local = draw(st.integers(0, 4)) == 0
    replicas, first = draw(st.integers(1 if local else 0, 4)), draw(st.sampled_from([0, 0, 3, 499]))
    nodes = [str(ordinal) for ordinal in range(first, first + replicas)]
    config: Config = {"software": draw(software(local=local)), "replicas": replicas, "firstOrdinal": first}
    config |= draw(versions())
    if config["software"]["kind"] == "cometbft":
        # It cannot be told to stop.
        rows = [{key: value for key, value in row.items() if key != "haltHeight"} for row in config.get("versions", ())]
        config |= {"versions": rows} if rows else {}
    if local:
        config["network"] = {"kind": "local", "validators": draw(st.integers(1, replicas))}
    else:
        config |= draw(roles(nodes)) | draw(beginnings(config["software"], nodes))
        config |= draw(optional(keys=chain_keys(nodes)))
    config["exposure"] = draw(exposures(draw(st.sampled_from(["cluster", "nodePort", "hostPort", "loadBalancer"])), nodes))
    volume: st.SearchStrategy[Config] = merged(
        given(kind="volume"),
        optional(size=st.just("1Ti"), storageClass=st.sampled_from(["", "fast", LATER]), annotations=ANNOTATIONS),
    )
    kinds = [volume]
    if config.get("signer", {}).get("kind") != "secret":
        kinds.append(given(kind="ephemeral", size="30Gi"))
    if replicas <= 1:
        kinds.append(given(kind="existingClaim", claim=LATE_NAMES))
    config["persistence"] = draw(st.one_of(*kinds))
    config["nodes"] = draw(node_overrides(nodes, config))
    if config.get("type") not in ("validator", "seed"):
        served = [{**one, "controllerNamespace": "edge"} for one in ROUTES if serves(config["software"], one)]
        way = st.one_of(
            given(routes=st.sampled_from(served)),
            given(rpcService=given(type=st.sampled_from(["NodePort", "LoadBalancer"]), allowPublic=True)),
        )
        config |= draw(st.one_of(st.just({}), way))
    return config | draw(chain_extras())
