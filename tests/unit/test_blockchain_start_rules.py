"""What the nodes of a set start from: a local network, a genesis, a snapshot, a state sync."""

from chains import COMET, COSMOS, GENESIS, GIVEN_KEYS, HUB, LOCAL, LOCAL_COMET, refusals
from set_cases import ACCOUNT, BARE, PEER, SECURE_ROUTES, SERVERS, TRUST, URL_FROM, Given, broken, local

CREDENTIALS = "has a user or a password in it, and would lie readable in a ConfigMap"
NOT_SERVED = "the nodes do not serve it; switch it on in software.app, or leave the route out"
TAR: Given = {"kind": "url", "url": "https://example.org/snapshot.tar.lz4"}
LOCALS: list[tuple[Given, list[str]]] = [
    ({**LOCAL, "signer": {"kind": "none"}}, ["signer: a local network makes its keys from the seed; leave it out"]),
    ({**LOCAL, "replicas": 3}, ["network.validators: 4 is more than the set's 3 nodes; raise replicas, or lower it"]),
    (
        {**LOCAL, "replicas": 6, "type": "validator"},
        ["type: 4 of the set's 6 nodes are validators; use full, which is what the others are"],
    ),
    (
        {**LOCAL, "type": "seed"},
        ["type: seed is no role in a local network of one set; use full, and another set for seed nodes"],
    ),
    (
        {**LOCAL, "type": "sentry"},
        ["type: sentry is no role in a local network of one set; use full, and another set for sentry nodes"],
    ),
    ({**local(), "keys": GIVEN_KEYS}, ["keys.kind: a local network makes its keys from the seed; leave keys out"]),
    ({**LOCAL, "genesis": GENESIS}, ["genesis: a local network makes its own beginning; leave it out"]),
    ({**LOCAL, "snapshot": TAR}, ["snapshot: a local network makes its own beginning; leave it out"]),
    (
        {**LOCAL, "stateSync": {"siblings": True}},
        [
            (
                "stateSync: the nodes of a new network have nobody to sync from; leave it out, and set it in a set that joins the"
                " network"
            )
        ],
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
    (
        {"stateSync": {"siblings": True}},
        ["stateSync.siblings: needs two nodes that run, and the set has 1; give rpcServers, or raise replicas"],
    ),
    (
        {"replicas": 2, "nodes": {"0": {"disabled": "pod"}}, "stateSync": {"siblings": True}},
        ["stateSync.siblings: needs two nodes that run, and the set has 1; give rpcServers, or raise replicas"],
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


@broken("locals", LOCALS)
def test_a_local_network_makes_its_own_beginning_and_one_that_starts(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("starts", STARTS)
def test_a_node_starts_from_one_thing_that_can_be_read(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said


@broken("sources", SOURCES)
def test_one_of_several_shapes_is_told_by_its_keys_and_only_its_faults_are_named(given: Given, said: list[str]) -> None:
    assert refusals(**given) == said
