"""No field of any model is forgotten: each is refused where it is wrong, once, and with what to write."""

from typing import Any, get_args

import pytest
from fields import IN_GROUP, IN_SET, PLACES, every_model, models_in, path_of, problems_of
from test_storage_rules import REFUSED as OF_GROUPS
from test_storage_rules import TYPE_ONLY as ONLY_OF_GROUPS

from nodestead.software.comet import CometConfig

# Model, field, a value that is wrong, and what is said of it; a second part of the path stands in front of it.
OF_SETS: list[tuple[str, str, Any, str]] = [
    ("StackConfig", "blockchainNodeSets", {"Hub": {}}, ".Hub: 'Hub' is refused; a name has 1 to 63 lower-case letters, digits"),
    ("BlockchainNodeSetArgs", "software", {"kind": "evm"}, "'evm' is not known; use one of 'cosmos', 'cometbft'"),
    (
        "BlockchainNodeSetArgs",
        "type",
        "light",
        "'light' is not known; use one of 'full', 'sentry', 'validator', 'seed' or 'archive'",
    ),
    ("BlockchainNodeSetArgs", "replicas", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("BlockchainNodeSetArgs", "replicas", 1001, "1001 is refused: input should be less than or equal to 1000; change it to fit"),
    ("BlockchainNodeSetArgs", "firstOrdinal", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "BlockchainNodeSetArgs",
        "firstOrdinal",
        100001,
        "100001 is refused: input should be less than or equal to 100000; change it to fit",
    ),
    ("BlockchainNodeSetArgs", "network", {"kind": "private"}, "'private' is not known; use one of 'public', 'local'"),
    (
        "BlockchainNodeSetArgs",
        "versions",
        [{"height": -1, "image": {"tag": "v1"}}],
        "[0].height: -1 is refused: input should be greater than or equal to 0; change it to fit",
    ),
    (
        "BlockchainNodeSetArgs",
        "peersFrom",
        [{"set": "A"}],
        "[0].set: 'A' is refused; a name has 1 to 63 lower-case letters, digits and hyphens, and starts",
    ),
    (
        "BlockchainNodeSetArgs",
        "exposure",
        {"kind": "public"},
        "'public' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'",
    ),
    ("BlockchainNodeSetArgs", "keys", {"kind": "env"}, "'env' is not known; use one of 'seed', 'secret'"),
    ("BlockchainNodeSetArgs", "signer", {"kind": "kms"}, "'kms' is not known; use one of 'secret', 'remote', 'none'"),
    (
        "BlockchainNodeSetArgs",
        "genesis",
        {"kind": "file"},
        "'file' is not known; use one of 'url', 'script', 'inline', 'default'",
    ),
    ("BlockchainNodeSetArgs", "addressBook", {"kind": "inline"}, "'inline' is not known; use one of 'url', 'script'"),
    ("BlockchainNodeSetArgs", "snapshot", {"kind": "inline"}, "'inline' is not known; use one of 'url', 'script'"),
    (
        "BlockchainNodeSetArgs",
        "persistence",
        {"kind": "disk"},
        "'disk' is not known; use one of 'volume', 'existingClaim', 'ephemeral'",
    ),
    (
        "BlockchainNodeSetArgs",
        "labels",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    (
        "BlockchainNodeSetArgs",
        "labels",
        {"a": "b c"},
        ".a: 'b c' is refused; a label has at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    ("BlockchainNodeSetArgs", "nodes", {"1": {}}, ".1: there is no such node, only 0; name that, or leave it out"),
    (
        "BlockchainNodeSetArgs",
        "patches",
        {"Service": "x"},
        ".Service: 'x' has the wrong type; write a mapping of keys and values",
    ),
    ("ChainNodeOverride", "disabled", "data", "'data' is not known; use one of 'pod' or 'all'"),
    ("ChainNodeOverride", "size", "0", "'0' holds nothing; write a size, as in 20Gi or 500M"),
    (
        "ChainNodeOverride",
        "existingClaim",
        "A",
        "'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and ends",
    ),
    (
        "ChainNodeOverride",
        "fromSnapshot",
        "A",
        "'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and ends",
    ),
    (
        "ChainNodeOverride",
        "nodeSelector",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    (
        "ChainNodeOverride",
        "externalAddress",
        "localhost:26656",
        "'localhost:26656' is refused; write an IP address or a DNS name, without a port",
    ),
    ("ChainNodeOverride", "resources", {"request": {}}, ".request: unknown key; did you mean requests?"),
    (
        "ChainNodeOverride",
        "env",
        {"a-b": "c"},
        ".a-b: 'a-b' is refused; a variable has letters, digits and underscores, and starts with no digit",
    ),
    (
        "ChainContainer",
        "env",
        {"a-b": "c"},
        ".a-b: 'a-b' is refused; a variable has letters, digits and underscores, and starts with no digit",
    ),
    ("ChainContainer", "envFrom", [{"configMap": {}}], "[0].configMap: unknown key; did you mean configMapRef?"),
    (
        "ChainContainer",
        "resources",
        {"requests": {"cpu": "lots"}},
        ".requests.cpu: 'lots' is not a Kubernetes quantity; write a number and a unit, as in 20Gi,",
    ),
    ("ChainContainer", "securityContext", {"runAsRoot": True}, ".runAsRoot: unknown key; did you mean runAsNonRoot?"),
    ("ChainContainer", "lifecycle", {"preStart": {}}, ".preStart: unknown key; did you mean postStart?"),
    ("ChainContainer", "volumeMounts", [{"name": "a"}], "[0].mountPath: is required and not given; add it"),
    (
        "ChainContainer",
        "ports",
        [{"name": "A", "port": 1}],
        "[0].name: 'A' is refused; a port's name has at most 15 lower-case letters, digits and single",
    ),
    ("Routes", "kind", "gateway", "'gateway' is not known; use one of 'ingress' or 'httpRoute'"),
    ("Routes", "className", "A", "'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and ends"),
    ("Routes", "controller", "nginx", "'nginx' is not known; use one of 'ingressNginx' or 'other'"),
    ("Routes", "tls", "off", "'off' has the wrong type; write a mapping of keys and values, or 'none'"),
    ("Routes", "parents", [{"name": "a"}], "are of httpRoute; leave them out"),
    (
        "Routes",
        "controllerNamespace",
        "A",
        "'A' is refused; a name has 1 to 63 lower-case letters, digits and hyphens, and starts and ends",
    ),
    (
        "Routes",
        "annotations",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    ("VersionedPod", "name", "A", "'A' is refused; a name has 1 to 63 lower-case letters, digits and hyphens"),
    ("VersionedPod", "labels", {"a b": "c"}, "[\"a b\"]: 'a b' is refused"),
    ("VersionedPod", "annotations", {"a b": "c"}, "[\"a b\"]: 'a b' is refused"),
    ("VersionedPod", "containers", [], "has 0 entries; write at least 1"),
    ("VersionedPod", "volumes", [{"emptyDir": {}}], "[0].name: is required and not given; add it"),
    ("VersionedPod", "terminationGracePeriod", "0s", "'0s' is no time at all; write at least 1s"),
    (
        "BlockchainNodeSetArgs",
        "versionedPods",
        [{"name": "A", "containers": [{"name": "a", "image": "b"}]}],
        "[0].name: 'A' is refused",
    ),
    ("RouteHosts", "hosts", [], "has 0 entries; write at least 1"),
    (
        "RouteHosts",
        "hosts",
        ["A"],
        "[0]: 'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and",
    ),
    ("RpcService", "type", "ExternalName", "'ExternalName' is not known; use one of 'ClusterIP', 'NodePort' or 'LoadBalancer'"),
    (
        "RpcService",
        "annotations",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    ("RpcService", "externalTrafficPolicy", "Node", "'Node' is not known; use one of 'Local' or 'Cluster'"),
    ("ChainProbes", "strategy", "synced", "'synced' is not known; use one of 'none', 'reachable' or 'inSync'"),
    (
        "ChainProbes",
        "maxBlockAge",
        "1 minute",
        "'1 minute' is not a duration; write whole numbers with w, d, h, m or s, as in 90s or 1h30m",
    ),
    ("ChainProbes", "maxBehind", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("ChainProbes", "startupTimeout", "0s", "'0s' is no time at all; write at least 1s"),
    ("ChainProbes", "deadAfter", "5", "'5' is not a duration; write whole numbers with w, d, h, m or s, as in 90s or 1h30m"),
    ("ChainPorts", "p2p", 0, "0 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "rpc", 65536, "65536 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "api", -1, "-1 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "grpc", 0, "0 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "grpcWeb", 0, "0 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "metrics", 0, "0 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "privval", 0, "0 is not a port; write a number from 1 to 65535"),
    ("ChainPorts", "health", 0, "0 is not a port; write a number from 1 to 65535"),
    (
        "StateSync",
        "rpcServers",
        ["a.example.org:443"],
        "[0]: the value is not a URL; write it with scheme and host, as in https://rpc.example.org/path",
    ),
    ("StateSync", "trustHeight", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("StateSync", "trustHash", "abc", "'abc' is refused: string should match pattern '^[0-9A-Fa-f]{64}$'; change it to fit"),
    ("StateSync", "trustOffset", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("Script", "kind", "shell", "'shell' is not known; use one of 'url', 'script', 'inline', 'default'"),
    ("Script", "env", {"SNAPSHOT_URL": "x"}, ".SNAPSHOT_URL: is set by the library for its scripts; give yours another name"),
    ("Script", "script", "", "'' is refused: string should have at least 1 character; change it to fit"),
    ("Download", "kind", "http", "'http' is not known; use one of 'url', 'script', 'inline', 'default'"),
    (
        "Download",
        "url",
        "genesis.json",
        "the value is not a URL; write it with scheme and host, as in https://rpc.example.org/path",
    ),
    ("Download", "sha256", "ABC", "'ABC' is refused: string should match pattern '^[0-9a-f]{64}$'; change it to fit"),
    ("BinaryDefault", "kind", "init", "'init' is not known; use one of 'url', 'script', 'inline', 'default'"),
    ("InlineText", "kind", "text", "'text' is not known; use one of 'url', 'script', 'inline', 'default'"),
    ("InlineText", "text", "x", "'x' is refused: string should have at least 2 characters; change it to fit"),
    ("NoSigner", "kind", "nobody", "'nobody' is not known; use one of 'secret', 'remote', 'none'"),
    ("RemoteSigner", "kind", "horcrux", "'horcrux' is not known; use one of 'secret', 'remote', 'none'"),
    ("RemoteSigner", "from", [{"namespace": "a"}], "[0].namespace: unknown key; did you mean namespaceSelector?"),
    (
        "RemoteSigner",
        "startDelay",
        "soon",
        "'soon' is not a duration; write whole numbers with w, d, h, m or s, as in 90s or 1h30m",
    ),
    ("SecretSigner", "kind", "file", "'file' is not known; use one of 'secret', 'remote', 'none'"),
    ("SecretSigner", "name", "A", "'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and ends"),
    ("SecretSigner", "key", "a/b", "'a/b' is refused; an entry has letters, digits and -._ beside <replica> and <pod>"),
    (
        "SecretSigner",
        "addresses",
        {"0": "abc"},
        ".0: 'abc' is not 40 hexadecimal digits; give the address as priv_validator_key.json has it",
    ),
    ("SecretNodeKeys", "kind", "file", "'file' is not known; use one of 'seed', 'secret'"),
    (
        "SecretNodeKeys",
        "name",
        "A",
        "'A' is refused; a name has lower-case letters, digits, hyphens and dots, and starts and ends",
    ),
    ("SecretNodeKeys", "key", "a/b", "'a/b' is refused; an entry has letters, digits and -._ beside <replica> and <pod>"),
    (
        "SecretNodeKeys",
        "ids",
        {"0": "ABC"},
        ".0: 'ABC' is refused; a node id has 40 lower-case hexadecimal digits, as `show-node-id` prints it",
    ),
    ("SeedNodeKeys", "kind", "random", "'random' is not known; use one of 'seed', 'secret'"),
    ("SeedNodeKeys", "generation", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("SeedNodeKeys", "seed", "abc", "the value is not 64 hexadecimal digits; give the seed as it was backed up"),
    ("SeedNodeKeys", "seed", "", "the value is empty; give the secret or leave the key out"),
    ("LoadBalancerP2p", "first", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "LoadBalancerP2p",
        "kind",
        "loadbalancer",
        "'loadbalancer' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'",
    ),
    (
        "LoadBalancerP2p",
        "externalAddress",
        {"kind": "hostIP"},
        "'hostIP' is not known; use one of 'loadBalancer', 'lookup', 'fixed'",
    ),
    (
        "LoadBalancerP2p",
        "loadBalancerIPs",
        {"0": "a"},
        ".0: 'a' is not an IP address; write that of one host, as in 203.0.113.7; a host name cannot stand here",
    ),
    (
        "LoadBalancerP2p",
        "loadBalancerClass",
        "a b",
        "'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots, with a DNS",
    ),
    (
        "LoadBalancerP2p",
        "sourceRanges",
        ["10.0.0.0"],
        "[0]: '10.0.0.0' is not a CIDR; write it as 192.0.2.0/24, a single address with /32",
    ),
    (
        "LoadBalancerP2p",
        "annotations",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    ("LoadBalancerP2p", "externalTrafficPolicy", "Node", "'Node' is not known; use one of 'Local' or 'Cluster'"),
    ("FixedDialAddress", "kind", "static", "'static' is not known; use one of 'nodeExternalIP', 'hostIP', 'lookup', 'fixed'"),
    (
        "FixedDialAddress",
        "addresses",
        {"0": "127.0.0.1"},
        ".0: '127.0.0.1' is no address that peers can dial; write that of one host, as in 203.0.113.7",
    ),
    ("HostPortP2p", "first", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("HostPortP2p", "basePort", 0, "0 is not a port; write a number from 1 to 65535"),
    ("HostPortP2p", "offset", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("HostPortP2p", "offset", 1001, "1001 is refused: input should be less than or equal to 1000; change it to fit"),
    ("HostPortP2p", "kind", "host", "'host' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'"),
    (
        "HostPortP2p",
        "externalAddress",
        {"kind": "loadBalancer"},
        "'loadBalancer' is not known; use one of 'nodeExternalIP', 'hostIP', 'lookup', 'fixed'",
    ),
    ("NodePortP2p", "first", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("NodePortP2p", "basePort", 70000, "70000 is not a port; write a number from 1 to 65535"),
    ("NodePortP2p", "offset", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("NodePortP2p", "kind", "nodeport", "'nodeport' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'"),
    ("NodePortP2p", "portRange", "30000", "'30000' is not a range of ports; write it as 30000-32767"),
    (
        "NodePortP2p",
        "externalAddress",
        {"kind": "loadBalancer"},
        "'loadBalancer' is not known; use one of 'nodeExternalIP', 'hostIP', 'lookup', 'fixed'",
    ),
    (
        "NodePortP2p",
        "annotations",
        {"a b": "c"},
        "[\"a b\"]: 'a b' is refused; write at most 63 letters, digits, hyphens, underscores and dots,",
    ),
    ("NodePortP2p", "externalTrafficPolicy", "Node", "'Node' is not known; use one of 'Local' or 'Cluster'"),
    ("ClusterP2p", "kind", "clusterIP", "'clusterIP' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'"),
    (
        "PeerSource",
        "peers",
        ["a.example.org:26656"],
        "[0]: 'a.example.org:26656' is not a peer; write the node id (40 lower-case hexadecimal",
    ),
    ("PeerSet", "set", "A", "'A' is refused; a name has 1 to 63 lower-case letters, digits and hyphens, and starts and ends"),
    ("PeerStack", "set", "A", "'A' is refused; a name has 1 to 63 lower-case letters, digits and hyphens, and starts and ends"),
    (
        "PeerStack",
        "stack",
        "a b",
        "'a b' is refused: string should match pattern '^[^\\s/]+(?:/[^\\s/]+){0,2}$'; change it to fit",
    ),
    (
        "Peers",
        "persistent",
        ["a.example.org:26656"],
        "[0]: 'a.example.org:26656' is not a peer; write the node id (40 lower-case hexadecimal",
    ),
    (
        "Peers",
        "seeds",
        ["A@a:1"],
        "[0]: 'A@a:1' is not a peer; write the node id (40 lower-case hexadecimal digits), @, host and",
    ),
    (
        "Peers",
        "privateIds",
        ["ABC"],
        "[0]: 'ABC' is refused; a node id has 40 lower-case hexadecimal digits, as `show-node-id` prints it",
    ),
    (
        "Peers",
        "unconditionalIds",
        ["ABC"],
        "[0]: 'ABC' is refused; a node id has 40 lower-case hexadecimal digits, as `show-node-id` prints it",
    ),
    ("PresetVersions", "preset", False, "false is not known; use one of True"),
    ("PresetVersions", "since", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("ChainVersion", "height", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("ChainVersion", "haltHeight", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("VersionImage", "repository", "", "'' is refused; write a text that is not empty, without spaces around it"),
    (
        "VersionImage",
        "tag",
        "a b",
        "'a b' is refused: string should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$'; change it",
    ),
    (
        "VersionImage",
        "digest",
        "sha256:abc",
        "'sha256:abc' is refused: string should match pattern '^sha256:[0-9a-f]{64}$'; change it to fit",
    ),
    ("LocalNetwork", "kind", "devnet", "'devnet' is not known; use one of 'public', 'local'"),
    ("LocalNetwork", "validators", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("LocalNetwork", "validators", 101, "101 is refused: input should be less than or equal to 100; change it to fit"),
    ("LocalNetwork", "genesisTime", "2024-01-01", "'2024-01-01' is refused: string should match pattern"),
    ("LocalNetwork", "stake", 1, "1 is refused: input should be greater than or equal to 1000000; change it to fit"),
    (
        "LocalNetwork",
        "stake",
        10**18 + 1,
        "1000000000000000001 is refused: input should be less than or equal to 1000000000000000000;",
    ),
    ("LocalNetwork", "balance", 1, "1 is refused: input should be greater than or equal to 1000000; change it to fit"),
    ("LocalNetwork", "balance", 10**24 + 1, "1000000000000000000000001 is refused: input should be less than or equal to"),
    ("LocalNetwork", "accounts", {"a": "1stake"}, "^network: accounts: 'a' is no Bech32 address"),
    ("LocalNetwork", "appState", ["x"], "has the wrong type; write a mapping of keys and values"),
    ("PublicNetwork", "kind", "mainnet", "'mainnet' is not known; use one of 'public', 'local'"),
    ("CometbftChain", "kind", "tendermint", "'tendermint' is not known; use one of 'cosmos', 'cometbft'"),
    (
        "CometbftChain",
        "chainId",
        "a b",
        "'a b' is refused: string should match pattern '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,49}$'; change it to fit",
    ),
    ("CometbftChain", "network", "a b", "'a b' is refused: string should match pattern"),
    ("CometbftChain", "proxyApp", "mine", "'mine' is refused: string should match pattern"),
    ("CometbftChain", "abci", "http", "'http' is not known; use one of 'socket' or 'grpc'"),
    (
        "CometbftChain",
        "binary",
        "a b",
        "'a b' is refused: string should match pattern '^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,252}$';",
    ),
    ("CometbftChain", "home", "../x", "'../x' is refused: string should match pattern"),
    ("CometbftChain", "logLevel", "loud", "'loud' is refused: string should match pattern"),
    ("CometbftChain", "logFormat", "xml", "'xml' is not known; use one of 'plain' or 'json'"),
    ("CometbftChain", "databaseBackend", "sqlite", "'sqlite' is not known; use one of 'goleveldb', 'rocksdb' or 'pebbledb'"),
    ("CometbftChain", "startArgs", [""], "[0]: '' is refused: string should have at least 1 character; change it to fit"),
    (
        "Overrides",
        "config",
        {"p2p": {"laddr": "x"}},
        ".p2p.laddr: is computed; set ports.p2p of the set, or set overrides.replaceComputed to true",
    ),
    ("CosmosChain", "kind", "sdk", "'sdk' is not known; use one of 'cosmos', 'cometbft'"),
    ("CosmosChain", "chain", "", "'' is refused: string should have at least 1 character; change it to fit"),
    (
        "CosmosChain",
        "chainId",
        "a b",
        "'a b' is refused: string should match pattern '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,49}$'; change it to fit",
    ),
    ("CosmosChain", "network", "a b", "'a b' is refused: string should match pattern"),
    ("CosmosChain", "binary", "a b", "'a b' is refused: string should match pattern '^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,252}$';"),
    ("CosmosChain", "home", "../x", "'../x' is refused: string should match pattern"),
    (
        "CosmosChain",
        "addressPrefix",
        "A",
        "'A' is refused: string should match pattern '^[a-z0-9][a-z0-9-]{0,82}$'; change it to fit",
    ),
    (
        "CosmosChain",
        "denom",
        "a",
        "'a' is refused: string should match pattern '^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$'; change it to fit",
    ),
    ("CosmosChain", "minGasPrice", "1", "'1' is no price; write amount and token, as in 0.005uatom,0.1ibc/ABC"),
    ("CosmosChain", "logLevel", "loud", "'loud' is refused: string should match pattern"),
    ("CosmosChain", "logFormat", "xml", "'xml' is not known; use one of 'plain' or 'json'"),
    ("CosmosChain", "databaseBackend", "sqlite", "'sqlite' is not known; use one of 'goleveldb', 'rocksdb' or 'pebbledb'"),
    ("CosmosChain", "initArgs", [""], "[0]: '' is refused: string should have at least 1 character; change it to fit"),
    ("CosmosChain", "startArgs", ["--home=/x"], "[0]: --home is computed; leave it out"),
    (
        "CosmosOverrides",
        "config",
        {"p2p": {"laddr": "x"}},
        ".p2p.laddr: is computed; set ports.p2p of the set, or set overrides.replaceComputed to true",
    ),
    (
        "CosmosOverrides",
        "app",
        {"minimum-gas-prices": "x"},
        ".minimum-gas-prices: is computed; set minGasPrice, or set overrides.replaceComputed to true",
    ),
    (
        "CosmosOverrides",
        "client",
        {"node": "x"},
        ".node: is computed; set ports.rpc of the set, or set overrides.replaceComputed to true",
    ),
    ("AppConfig", "haltHeight", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("AppConfig", "haltTime", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "AppConfig",
        "indexEvents",
        [""],
        "[0]: '' is refused: string should match pattern '^[^\\s\\\"\\\\]{1,253}$'; change it to fit",
    ),
    ("AppConfig", "iavlCacheSize", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "Telemetry",
        "serviceName",
        "a b",
        "'a b' is refused: string should match pattern '^[A-Za-z0-9_.-]{0,63}$'; change it to fit",
    ),
    ("Telemetry", "prometheusRetentionTime", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "Telemetry",
        "globalLabels",
        {"a-b": "c"},
        ".a-b: 'a-b' is refused; a variable has letters, digits and underscores, and starts with no digit",
    ),
    ("SnapshotServing", "snapshotInterval", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("SnapshotServing", "snapshotKeepRecent", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("GrpcConfig", "maxRecvMsgSize", -1, "-1 is refused: input should be greater than or equal to 1; change it to fit"),
    ("GrpcConfig", "maxSendMsgSize", -1, "-1 is refused: input should be greater than or equal to 1; change it to fit"),
    ("ApiConfig", "maxOpenConnections", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("ApiConfig", "rpcReadTimeout", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("ApiConfig", "rpcWriteTimeout", 86401, "86401 is refused: input should be less than or equal to 86400; change it to fit"),
    ("ApiConfig", "rpcMaxBodyBytes", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("Pruning", "strategy", "some", "'some' is not known; use one of 'default', 'nothing', 'everything' or 'custom'"),
    ("Pruning", "keepRecent", 1, "1 is refused: input should be greater than or equal to 2; change it to fit"),
    ("Pruning", "interval", 9, "9 is refused: input should be greater than or equal to 10; change it to fit"),
    ("Pruning", "keepEvery", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("Pruning", "minRetainBlocks", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
]
EVERY_FIELD = {(name, field.alias or key) for name, model in every_model().items() for key, field in model.model_fields.items()}


def test_every_model_has_its_place() -> None:
    assert (sorted(set(every_model()) - set(PLACES)), sorted(set(PLACES) - set(every_model()))) == ([], [])


# Each of its settings has its refusal beside the software.
SECTIONS = {inner.__name__ for field in CometConfig.model_fields.values() for inner in models_in(field.annotation)}
# They have the fields of Pod, Rollout and VolumeData, with other defaults.
OTHER_DEFAULTS = {"ChainPod", "ChainRollout", "ChainVolume"}
# One of these keys tells which kind of source is meant.
TELLS = {("PeerSource", "peers"), ("PeerStack", "stack")}


def is_held_by_type(model: str, field: str) -> bool:
    """Whether a field is a switch, or an object whose own fields are refused."""
    found = {info.alias or name: info.annotation for name, info in every_model()[model].model_fields.items()}[field]
    parts = [part for part in get_args(found) or (found,) if part is not type(None)]
    return len(parts) == 1 and (parts[0] is bool or any(inner is parts[0] for inner in models_in(found)))


@pytest.mark.parametrize(("model", "field", "value", "said"), OF_SETS, ids=[f"{m}.{f}-{v}" for m, f, v, _ in OF_SETS])
def test_a_value_that_breaks_the_rule_of_its_field_is_refused(model: str, field: str, value: Any, said: str) -> None:
    start = said[1:] if said[0] == "^" else f"{path_of(model, field)}{'' if said[0] in '.[' else ': '}{said}"
    assert problems_of(model, {field: value})[0].startswith(start)


def test_every_field_has_a_case_in_which_it_is_refused() -> None:
    free = {(model, field) for model, fields in ONLY_OF_GROUPS.items() for field in fields.split()}
    free |= {(model, field) for model, field in EVERY_FIELD if model in IN_SET and is_held_by_type(model, field)}
    free |= {(model, field) for model, field in EVERY_FIELD if model in SECTIONS - set(IN_GROUP)}
    free |= {(model, field) for model, field in EVERY_FIELD if model in OTHER_DEFAULTS}
    refused = {(model, field) for model, field, _, _ in [*OF_GROUPS, *OF_SETS]}
    assert (sorted(free & refused), sorted((free | refused) - EVERY_FIELD)) == ([], [])
    assert sorted(EVERY_FIELD - free - refused) == []


# No field takes a fraction, so that 3.5 is wrong everywhere.
@pytest.mark.parametrize(("model", "field"), sorted(EVERY_FIELD))
def test_a_value_of_the_wrong_type_is_refused_once_and_with_what_to_write(model: str, field: str) -> None:
    (line,) = [line for line in problems_of(model, {field: 3.5}) if line.startswith(f"{path_of(model, field)}: ")]
    assert any(rule in line for rule in ("has the wrong type; write ", "is not known; use one of "))


REQUIRED = sorted(
    (name, field.alias or key)
    for name, model in every_model().items()
    for key, field in model.model_fields.items()
    if field.is_required()
)


@pytest.mark.parametrize(("model", "field"), [one for one in REQUIRED if one[1] != "kind" and one not in TELLS])
def test_a_field_that_is_required_is_asked_for(model: str, field: str) -> None:
    assert problems_of(model, {}, without=field) == [f"{path_of(model, field)}: is required and not given; add it"]
