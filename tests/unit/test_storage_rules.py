"""Every field is held against its rule before anything is deployed; a refusal says path, value, rule and remedy."""

from typing import Any

import pytest
from fields import HTTP_ROUTE, INGRESS, SPR, Fields, path_of, problems_of
from groups import CODEX, CUSTOM, MARKET, config, plan, refusals

from nodestead.config.base import parse
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_exclusive import exclusive_things
from nodestead.plans.storage_rules import name_problems

NAME = "a name has lower-case letters, digits, hyphens and dots, and starts and ends with a letter or digit"
LABEL = "a name has 1 to 63 lower-case letters, digits and hyphens, and starts and ends with a letter or digit"
PORT = "is not a port; write a number from 1 to 65535"
QUANTITY = "is not a Kubernetes quantity; write a number and a unit, as in 20Gi, 500M or 250m"
DURATION = "is not a duration; write whole numbers with w, d, h, m or s, as in 90s or 1h30m"
KEY = "write at most 63 letters, digits, hyphens, underscores and dots, with a DNS name and a slash before them if need be"
URL = "the value is not a URL; write it with scheme and host, as in https://rpc.example.org/path"
MATCH = "string should match pattern"
AMOUNT = (f"'1.5' is refused: {MATCH}", "1.5")
LIST = "has the wrong type; write a list"
MAPPING = "has the wrong type; write a mapping of keys and values"

# Model, field, a value that is wrong, and what is said of it; a second part of the path stands in front of it.
REFUSED: list[tuple[str, str, Any, str]] = [
    (
        "StorageNodeGroupArgs",
        "software",
        {"kind": "ipfs"},
        "'ipfs' is not known; use one of 'codex', 'logosStorage', 'archivist', 'cus",
    ),
    ("StorageNodeGroupArgs", "replicas", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    (
        "StorageNodeGroupArgs",
        "replicas",
        20_001,
        "20001 is refused: input should be less than or equal to 20000; change it to fit",
    ),
    ("StorageNodeGroupArgs", "firstOrdinal", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("StorageNodeGroupArgs", "layout", "single", "'single' is not known; use one of 'perNode' or 'pooled'"),
    (
        "StorageNodeGroupArgs",
        "exposure",
        {"kind": "public"},
        "'public' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'lo",
    ),
    ("StorageNodeGroupArgs", "bootstrap", {"kind": "dns"}, "'dns' is not known; use one of 'own', 'sprs', 'network', 'none'"),
    ("StorageNodeGroupArgs", "keys", {"kind": "env"}, "'env' is not known; use one of 'seed', 'secret'"),
    (
        "StorageNodeGroupArgs",
        "keys",
        {"kind": "seed"},
        "an Ethereum key is of use with software.marketplace only; add that section, or leave",
    ),
    (
        "StorageNodeGroupArgs",
        "persistence",
        {"kind": "disk"},
        "'disk' is not known; use one of 'volume', 'existingClaim', 'ephemeral'",
    ),
    ("StorageNodeGroupArgs", "labels", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("StorageNodeGroupArgs", "labels", {"a": "b c"}, ".a: 'b c' is refused; a label has at most 63 letters, digits, hyphens"),
    (
        "StorageNodeGroupArgs",
        "labels",
        {"app.kubernetes.io/name": "x"},
        '["app.kubernetes.io/name"]: is set by the library, and selectors',
    ),
    ("StorageNodeGroupArgs", "nodes", {"2": {}}, ".2: there is no such node, only 1; name that, or leave it out"),
    ("StorageNodeGroupArgs", "nodes", {"x": {"size": "1Gi"}}, ".x: there is no such node, only 1; name that, or leave it out"),
    ("StorageNodeGroupArgs", "patches", {"Service": "x"}, f".Service: 'x' {MAPPING}"),
    ("CodexFamily", "kind", "ipfs", "'ipfs' is not known; use one of"),
    ("CodexFamily", "version", "9.9.9", "9.9.9 of codex is not known here, 0.1.0 to 0.2.x are; use one of them, or kind: custom"),
    ("CodexFamily", "version", "latest", f"'latest' is refused: {MATCH}"),
    ("CodexFamily", "quota", "lots", f"'lots' {QUANTITY}"),
    ("CodexFamily", "quota", "0", "'0' holds nothing; write a size, as in 20Gi or 500M"),
    ("CodexFamily", "headroomPercent", 4, "4 is refused: input should be greater than or equal to 5; change it to fit"),
    ("CodexFamily", "headroomPercent", 91, "91 is refused: input should be less than or equal to 90; change it to fit"),
    ("CodexFamily", "blockTtl", "1 day", f"'1 day' {DURATION}"),
    ("CodexFamily", "blockMaintenanceInterval", "0s", "'0s' is no time at all; write at least 1s"),
    ("CodexFamily", "blockMaintenanceBatch", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("CodexFamily", "maxPeers", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("CodexFamily", "numThreads", 1, "1 is refused; the node takes 0 or at least 2"),
    ("CodexFamily", "numThreads", 257, "257 is refused: input should be less than or equal to 256; change it to fit"),
    ("CodexFamily", "cacheSize", "1GB", f"'1GB' {QUANTITY}"),
    ("CodexFamily", "repoKind", "rocksdb", "'rocksdb' is not known; use one of 'fs', 'sqlite' or 'leveldb'"),
    ("CodexFamily", "logLevel", "verbose", f"'verbose' is refused: {MATCH}"),
    ("CodexFamily", "logFormat", "xml", "'xml' is not known; use one of 'auto', 'colors', 'nocolors', 'json' or 'none'"),
    ("CodexFamily", "options", {"nope": "1"}, ".nope: codex 0.2.5 has no --nope and would ignore it; leave it out"),
    ("CodexFamily", "options", {"nat": "any"}, ".nat: is computed; set exposure.externalAddress"),
    ("Marketplace", "ethProvider", {}, "the Ethereum provider has one source; give either secret (name and key) or url"),
    (
        "Marketplace",
        "address",
        "0x1",
        "'0x1' is refused; an Ethereum address is 0x and 40 hexadecimal digits; write it in quotes",
    ),
    (
        "Marketplace",
        "availability",
        {},
        "nothing is refused; codex 0.2.5 takes duration, minPricePerBytePerSecond, totalCollateral",
    ),
    ("Marketplace", "availabilityInterval", "0s", "'0s' is no time at all; write at least 1s"),
    ("EthProvider", "secret", {"name": "A", "key": "b"}, f".name: 'A' is refused; {NAME}"),
    ("EthProvider", "url", "localhost:8545", URL),
    ("EthProvider", "url", "", "the value is empty; give the secret or leave the key out"),
    ("Availability", "totalSize", "1.5", AMOUNT[0]),
    ("Availability", "duration", "1.5", AMOUNT[0]),
    ("Availability", "minPricePerBytePerSecond", "1.5", AMOUNT[0]),
    ("Availability", "totalCollateral", "1.5", AMOUNT[0]),
    ("Availability", "minPrice", "1.5", AMOUNT[0]),
    ("Availability", "maxCollateral", "1.5", AMOUNT[0]),
    ("Availability", "minimumPricePerBytePerSecond", "1.5", AMOUNT[0]),
    ("Availability", "maximumCollateralPerByte", "1.5", AMOUNT[0]),
    ("Availability", "until", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("Availability", "maximumDuration", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("Availability", "availableUntil", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("CustomStorage", "kind", "own", "'own' is not known; use one of"),
    ("CustomStorage", "name", "My Node", f"'My Node' is refused; {LABEL}"),
    ("CustomStorage", "version", "a b", f"'a b' is refused: {MATCH}"),
    ("CustomStorage", "args", [], "has 0 entries; write at least 1"),
    ("CustomStorage", "env", {"a-b": "c"}, ".a-b: 'a-b' is refused; a variable has letters, digits and underscores, and starts"),
    ("CustomStorage", "env", {"POD_IP": "c"}, ".POD_IP: is set by the library for its scripts; give yours another name"),
    ("CustomStorage", "quota", "0", "'0' holds nothing; write a size, as in 20Gi or 500M"),
    ("CustomStorage", "headroomPercent", 91, "91 is refused: input should be less than or equal to 90; change it to fit"),
    ("CustomStorage", "apiPath", "api", f"'api' is refused: {MATCH}"),
    ("CustomStorage", "apiPath", "/api/", f"'/api/' is refused: {MATCH}"),
    ("CustomStorage", "healthPath", "health", f"'health' is refused: {MATCH}"),
    ("CustomStorage", "sprPath", "spr", f"'spr' is refused: {MATCH}"),
    ("CustomStorage", "natArg", "--nat", f"'--nat' is refused: {MATCH} '\\{{address\\}}'"),
    ("CustomStorage", "bootstrapArg", "--peer", f"'--peer' is refused: {MATCH} '\\{{spr\\}}'"),
    ("CustomStorage", "metricsPath", "metrics", f"'metrics' is refused: {MATCH}"),
    ("Image", "repository", "", "'' is refused; write a text that is not empty, without spaces around it"),
    ("Image", "tag", "a b", f"'a b' is refused: {MATCH}"),
    (
        "Image",
        "tag",
        "latest",
        "latest moves to another version without notice; pin a version or a digest, or set allowMovingTag: true",
    ),
    ("Image", "digest", "sha256:abc", f"'sha256:abc' is refused: {MATCH}"),
    ("Image", "pullPolicy", "Sometimes", "'Sometimes' is not known; use one of 'IfNotPresent', 'Always' or 'Never'"),
    ("Image", "pullSecrets", ["A"], f"[0]: 'A' is refused; {NAME}"),
    ("ClusterExposure", "kind", "clusterIP", "'clusterIP' is not known; use one of"),
    ("ClusterExposure", "port", 0, f"0 {PORT}"),
    ("ClusterExposure", "discoveryPort", 70_000, f"70000 {PORT}"),
    ("NodePortExposure", "kind", "nodeport", "'nodeport' is not known; use one of"),
    ("NodePortExposure", "basePort", 29_999, "29999 is below 30000, the first nodePort; raise basePort to at least 30000"),
    (
        "NodePortExposure",
        "discoveryBasePort",
        1,
        "1 is below 30000, the first nodePort; raise discoveryBasePort to at least 30000",
    ),
    ("NodePortExposure", "offset", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    (
        "NodePortExposure",
        "bootstrapBasePort",
        1,
        "1 is below 30000, the first nodePort; raise bootstrapBasePort to at least 30000",
    ),
    ("NodePortExposure", "portRange", "30000", "'30000' is not a range of ports; write it as 30000-32767"),
    (
        "NodePortExposure",
        "externalAddress",
        {"kind": "dns"},
        "'dns' is not known; use one of 'nodeExternalIP', 'hostIP', 'lookup', 'fixed'",
    ),
    ("NodePortExposure", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("NodePortExposure", "externalTrafficPolicy", "None", "'None' is not known; use one of 'Local' or 'Cluster'"),
    ("HostPortExposure", "kind", "hostport", "'hostport' is not known; use one of"),
    ("HostPortExposure", "basePort", 0, f"0 {PORT}"),
    ("HostPortExposure", "discoveryBasePort", 65_536, f"65536 {PORT}"),
    ("HostPortExposure", "offset", 1001, "1001 is refused: input should be less than or equal to 1000; change it to fit"),
    ("HostPortExposure", "bootstrapBasePort", 0, f"0 {PORT}"),
    ("HostPortExposure", "externalAddress", {"kind": "loadBalancer"}, "'loadBalancer' is not known; use one of"),
    ("LoadBalancerExposure", "kind", "lb", "'lb' is not known; use one of"),
    ("LoadBalancerExposure", "port", 0, f"0 {PORT}"),
    ("LoadBalancerExposure", "discoveryPort", 0, f"0 {PORT}"),
    (
        "LoadBalancerExposure",
        "externalAddress",
        {"kind": "hostIP"},
        "'hostIP' is not known; use one of 'loadBalancer', 'lookup', 'fixed'",
    ),
    ("LoadBalancerExposure", "loadBalancerIPs", {"1": "a"}, ".1: 'a' is not an IP address; write that of one host"),
    (
        "LoadBalancerExposure",
        "loadBalancerIPs",
        {"2": "203.0.113.7"},
        ".2: there is no such node, only 1; name that, or leave it out",
    ),
    ("LoadBalancerExposure", "loadBalancerClass", "a b", f"'a b' is refused; {KEY}"),
    ("LoadBalancerExposure", "sourceRanges", ["10.0.0.0"], "[0]: '10.0.0.0' is not a CIDR; write it as 192.0.2.0/24, a single"),
    ("LoadBalancerExposure", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("LoadBalancerExposure", "externalTrafficPolicy", "None", "'None' is not known; use one of 'Local' or 'Cluster'"),
    ("NodeExternalIp", "kind", "nodeExternalIp", "'nodeExternalIp' is not known; use one of"),
    ("HostIp", "kind", "hostIp", "'hostIp' is not known; use one of"),
    ("LookupAddress", "kind", "url", "'url' is not known; use one of"),
    ("LookupAddress", "url", "ip.example.org", URL),
    ("FixedAddress", "kind", "static", "'static' is not known; use one of"),
    ("FixedAddress", "addresses", {"1": "a.example.org"}, ".1: 'a.example.org' is not an IP address; write that of one host"),
    (
        "FixedAddress",
        "addresses",
        {"1": "127.0.0.1"},
        ".1: '127.0.0.1' is no address that peers can dial; write that of one host",
    ),
    ("FixedAddress", "addresses", {}, "node 1 has no address; add it, peers could not dial it"),
    ("ServedAddress", "kind", "served", "'served' is not known; use one of"),
    ("OwnBootstrap", "kind", "self", "'self' is not known; use one of"),
    ("OwnBootstrap", "nodes", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("OwnBootstrap", "nodes", 10, "10 is refused: input should be less than or equal to 9; change it to fit"),
    ("GivenSprs", "kind", "spr", "'spr' is not known; use one of"),
    ("GivenSprs", "sprs", [], "has 0 entries; write at least 1"),
    ("GivenSprs", "sprs", ["enr:x"], "[0]: 'enr:x' is refused; an SPR is spr: and its base64url text, as GET /spr gives it"),
    ("NamedNetwork", "kind", "net", "'net' is not known; use one of"),
    ("NamedNetwork", "name", "Testnet", f"'Testnet' is refused: {MATCH}"),
    ("NoBootstrap", "kind", "nobody", "'nobody' is not known; use one of"),
    ("SeedKeys", "kind", "Seed", "'Seed' is not known; use one of"),
    ("SeedKeys", "generation", 0, "0 is refused: input should be greater than or equal to 1; change it to fit"),
    ("SeedKeys", "seed", "abc", "the value is not 64 hexadecimal digits; give the seed as it was backed up"),
    ("SecretKeys", "kind", "Secret", "'Secret' is not known; use one of"),
    ("SecretKeys", "name", "codex_eth", f"'codex_eth' is refused; {NAME}; <replica> and <pod> stand for numbers"),
    ("SecretKeys", "name", "eth-<node>", f"'eth-<node>' is refused; {NAME}; <replica> and <pod> stand for numbers"),
    ("SecretKeys", "key", "A B", "'A B' is refused; an entry has letters, digits and -._ beside <replica> and <pod>"),
    ("SecretKeys", "key", "KEY-<ordinal>", "'KEY-<ordinal>' is refused; an entry has letters, digits and -._ beside"),
    ("VolumeData", "kind", "pvc", "'pvc' is not known; use one of"),
    ("VolumeData", "size", "20GB", f"'20GB' {QUANTITY}"),
    ("VolumeData", "storageClass", "My Class", f"'My Class' is refused; {NAME}"),
    ("VolumeData", "accessModes", [], "has 0 entries; write at least 1"),
    ("VolumeData", "accessModes", ["RWO"], "[0]: 'RWO' is not known; use one of 'ReadWriteOnce', 'ReadWriteOncePod' or"),
    ("VolumeData", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("VolumeData", "selector", {"matchLabel": {}}, ".matchLabel: unknown key; did you mean matchLabels?"),
    ("VolumeData", "fromSnapshot", "Snap", f"'Snap' is refused; {NAME}"),
    ("ExistingClaim", "kind", "claim", "'claim' is not known; use one of"),
    ("ExistingClaim", "claim", "Data_1", f"'Data_1' is refused; {NAME}"),
    ("ExistingClaim", "size", "0", "'0' holds nothing; write a size, as in 20Gi or 500M"),
    ("EphemeralData", "kind", "emptyDir", "'emptyDir' is not known; use one of"),
    ("EphemeralData", "size", "x", f"'x' {QUANTITY}"),
    ("Ports", "api", 0, f"0 {PORT}"),
    ("Ports", "metrics", 65_536, f"65536 {PORT}"),
    ("ApiAccess", "route", {"kind": "gateway"}, "'gateway' is not known; use one of 'ingress', 'httpRoute'"),
    ("ApiAccess", "auth", {"kind": "oauth"}, "'oauth' is not known; use one of 'secret', 'generated', 'none'"),
    ("ApiAccess", "realm", 'a"b', f"'a\"b' is refused: {MATCH}"),
    (
        "ApiAccess",
        "proxyImage",
        {"tag": "latest"},
        ".tag: latest moves to another version without notice; pin a version or a digest",
    ),
    ("ApiAccess", "proxyPort", 80, "80 is refused: input should be greater than or equal to 1024; change it to fit"),
    ("Ingress", "kind", "Ingress", "'Ingress' is not known; use one of"),
    ("Ingress", "path", "/a/", f"'/a/' is refused: {MATCH}"),
    ("Ingress", "nodeName", "a/b", f"'a/b' is refused: {MATCH}"),
    ("Ingress", "leadingZeros", 7, "7 is refused: input should be less than or equal to 6; change it to fit"),
    ("Ingress", "controllerNamespace", "a.b", f"'a.b' is refused; {LABEL}"),
    ("Ingress", "hosts", [], "has 0 entries; write at least 1"),
    (
        "Ingress",
        "hosts",
        ["203.0.113.7"],
        "[0]: '203.0.113.7' is an address, and routes go by host names; write it as api.example.org",
    ),
    ("Ingress", "name", "A", f"'A' is refused; {NAME}"),
    ("Ingress", "className", "A", f"'A' is refused; {NAME}"),
    ("Ingress", "controller", "nginx", "'nginx' is not known; use one of 'ingressNginx' or 'other'"),
    ("Ingress", "tls", "off", f"'off' {MAPPING}"),
    ("Ingress", "tls", {}, "nothing gives the certificate; name clusterIssuer, issuer or secret"),
    ("Ingress", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("Tls", "clusterIssuer", "A", f"'A' is refused; {NAME}"),
    ("Tls", "issuer", "A", f"'A' is refused; {NAME}"),
    ("Tls", "secret", "A", f"'A' is refused; {NAME}"),
    ("HttpRoute", "kind", "HTTPRoute", "'HTTPRoute' is not known; use one of"),
    ("HttpRoute", "path", "a", f"'a' is refused: {MATCH}"),
    ("HttpRoute", "nodeName", "", f"'' is refused: {MATCH}"),
    ("HttpRoute", "leadingZeros", -1, "-1 is refused: input should be greater than or equal to 0; change it to fit"),
    ("HttpRoute", "controllerNamespace", "A", f"'A' is refused; {LABEL}"),
    ("HttpRoute", "hosts", ["a b"], f"[0]: 'a b' is refused; {NAME}"),
    ("HttpRoute", "parents", [], "has 0 entries; write at least 1"),
    (
        "HttpRoute",
        "parents",
        [{"name": "a"}, {"name": "a"}],
        "[1]: names a Gateway again; name another listener of it with sectionName",
    ),
    ("HttpRoute", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("GatewayRef", "name", "A", f"'A' is refused; {NAME}"),
    ("GatewayRef", "namespace", "a.b", f"'a.b' is refused; {LABEL}"),
    ("GatewayRef", "sectionName", "A", f"'A' is refused; {NAME}"),
    ("GivenPassword", "kind", "Secret", "'Secret' is not known; use one of"),
    ("GivenPassword", "secret", "A", f"'A' is refused; {NAME}"),
    ("GivenPassword", "key", "a b", f"'a b' is refused: {MATCH}"),
    ("GivenPassword", "key", "htpasswd", "'htpasswd' is refused; ingress-nginx reads the entry auth; rename it or use by: proxy"),
    ("GivenPassword", "by", "nginx", "'nginx' is not known; use one of 'ingress' or 'proxy'"),
    ("GeneratedPassword", "kind", "random", "'random' is not known; use one of"),
    ("GeneratedPassword", "user", "a:b", f"'a:b' is refused: {MATCH}"),
    ("GeneratedPassword", "by", "nginx", "'nginx' is not known; use one of 'ingress' or 'proxy'"),
    ("NoAuth", "kind", "None", "'None' is not known; use one of"),
    ("Container", "command", "sh -c", f"'sh -c' {LIST}"),
    ("Container", "args", "--x", f"'--x' {LIST}"),
    (
        "Container",
        "env",
        {"A-B": "c"},
        ".A-B: 'A-B' is refused; a variable has letters, digits and underscores, and starts with no",
    ),
    ("Container", "env", {"ARGS_FILE": "c"}, ".ARGS_FILE: is set by the library for its scripts; give yours another name"),
    ("Container", "env", {"CODEX_NAT": "any"}, ".CODEX_NAT: is computed; set exposure.externalAddress"),
    ("Container", "envFrom", [{"secret": {}}], "[0].secret: unknown key; did you mean secretRef?"),
    (
        "Container",
        "resources",
        {"limits": {"cpu": "lots"}},
        ".limits.cpu: 'lots' is not a Kubernetes quantity; write a number and a unit",
    ),
    ("Container", "securityContext", {"runAsRoot": True}, ".runAsRoot: unknown key; did you mean runAs"),
    (
        "Container",
        "lifecycle",
        {"postStart": {"run": {}}},
        ".postStart.run: unknown key; known here are exec, httpGet, sleep, tcpSocket",
    ),
    ("Container", "volumeMounts", [{"name": "a"}], "[0].mountPath: is required and not given; add it"),
    (
        "Container",
        "volumeMounts",
        [{"name": "a", "mountPath": "/a"}],
        "[0].name: there is no volume 'a'; add it to pod.volumes, or use",
    ),
    (
        "Container",
        "volumeMounts",
        [{"name": "tmp", "mountPath": "/data"}],
        "[0].mountPath: something is mounted at '/data' already; choose",
    ),
    ("Container", "ports", [{"name": "api", "port": 1}], "[0].name: api is a port of the node itself already; name it otherwise"),
    ("EnvFrom", "secret", {"name": "A", "key": "b"}, f".name: 'A' is refused; {NAME}"),
    ("EnvFrom", "configMap", {"name": "a", "key": "b c"}, f".key: 'b c' is refused: {MATCH}"),
    ("KeyRef", "name", "A", f"'A' is refused; {NAME}"),
    ("KeyRef", "key", "a/b", f"'a/b' is refused: {MATCH}"),
    (
        "ExtraPort",
        "name",
        "a--b",
        "'a--b' is refused; a port's name has at most 15 lower-case letters, digits and single hyphens",
    ),
    ("ExtraPort", "port", 0, f"0 {PORT}"),
    ("ExtraPort", "protocol", "tcp", "'tcp' is not known; use one of 'TCP', 'UDP' or 'SCTP'"),
    ("Probes", "startupTimeout", "soon", f"'soon' {DURATION}"),
    (
        "Probes",
        "startup",
        {"periodSeconds": 1},
        "asks in 0 ways; it replaces the whole probe, give one of exec, grpc, httpGet, tcpSocket",
    ),
    ("Probes", "readiness", {"httpGet": {"path": "/"}}, ".httpGet.port: is required and not given; add it"),
    (
        "Probes",
        "liveness",
        {"exec": {}, "grpc": {"port": 1}},
        "asks in 2 ways; it replaces the whole probe, give one of exec, grpc",
    ),
    ("Pod", "labels", {"a": "b c"}, ".a: 'b c' is refused; a label has at most 63 letters"),
    (
        "Pod",
        "labels",
        {"nodestead.io/node": "a"},
        '["nodestead.io/node"]: is set by the library, and selectors depend on it; leave',
    ),
    ("Pod", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("Pod", "securityContext", {"fsgroup": 1}, ".fsgroup: unknown key; did you mean fsGroup?"),
    ("Pod", "nodeSelector", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("Pod", "tolerations", [{"kee": "a"}], "[0].kee: unknown key; did you mean key?"),
    ("Pod", "affinity", {"node": {}}, ".node: unknown key; "),
    ("Pod", "topologySpread", [{"maxSkew": 1}], "[0].topologyKey: is required and not given; add it"),
    ("Pod", "priorityClassName", "High", f"'High' is refused; {NAME}"),
    ("Pod", "runtimeClassName", "gVisor", f"'gVisor' is refused; {NAME}"),
    ("Pod", "terminationGracePeriod", "0s", "'0s' is no time at all; write at least 1s"),
    ("Pod", "initContainers", [{"name": "a"}], "[0].image: is required and not given; add it"),
    (
        "Pod",
        "initContainers",
        [{"name": "node", "image": "a"}],
        "[0].name: 'node' is a container of the pod already; give this one",
    ),
    (
        "Pod",
        "extraContainers",
        [{"name": "A", "image": "a"}],
        "[0].name: 'A' is no name of a container; use at most 63 lower-case",
    ),
    (
        "Pod",
        "volumes",
        [{"name": "data", "emptyDir": {}}],
        "[0].name: 'data' is a volume of the pod already; give this one another",
    ),
    ("Pod", "hostAliases", [{"hosts": ["a"]}], "[0].hosts: unknown key; did you mean hostnames?"),
    ("Pod", "dnsConfig", {"servers": []}, ".servers: unknown key; "),
    ("ServiceAccount", "create", False, "^serviceAccount.name: is required with create: false; name the account that is there"),
    ("ServiceAccount", "name", "A", f"'A' is refused; {NAME}"),
    ("ServiceAccount", "annotations", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("ServiceAccount", "rules", [{"verb": ["get"]}], "[0].verb: unknown key; did you mean verbs?"),
    ("ServiceAccount", "clusterRules", [{}], "[0].verbs: is required and not given; add it"),
    ("Rollout", "maxUnavailable", 0, "0 is refused; at least one node at a time must roll, write 1 or more"),
    ("Rollout", "timeout", "0s", "'0s' is no time at all; write at least 1s"),
    ("Disruption", "maxUnavailable", "0%", "'0%' is refused; write a percentage from 1% to 100%, or a count without quotes"),
    (
        "NetworkPolicyConfig",
        "apiFrom",
        [{}],
        "[0]: names nobody; give ipBlock, podSelector or namespaceSelector ({} selects all)",
    ),
    ("NetworkPolicyConfig", "metricsFrom", [{"ipBlock": {"cidr": "a"}}], "[0].ipBlock.cidr: 'a' is not a CIDR; write it as"),
    ("Monitoring", "interval", "5m", "5m is refused; Prometheus forgets samples after 5m, write 1s to 2m"),
    ("Monitoring", "labels", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    (
        "Monitoring",
        "labels",
        {"app.kubernetes.io/instance": "c"},
        '["app.kubernetes.io/instance"]: is set by the library, and selectors',
    ),
    ("Monitoring", "dashboardLabel", "a b", f"'a b' is refused: {MATCH}"),
    ("Monitoring", "from", ["a.b"], f"[0]: 'a.b' is refused; {LABEL}"),
    ("Monitoring", "quotaUsedPercent", 100, "100 is refused: input should be less than or equal to 99; change it to fit"),
    ("Monitoring", "downFor", "1m", "1m is under four scrapes, and one that is late would be an outage; write at least 120s"),
    (
        "NodeOverride",
        "image",
        {"tag": "latest"},
        ".tag: latest moves to another version without notice; pin a version or a digest",
    ),
    ("NodeOverride", "size", "0", "'0' holds nothing; write a size, as in 20Gi or 500M"),
    ("NodeOverride", "fromSnapshot", "A", f"'A' is refused; {NAME}"),
    ("Image", "repository", "r:5000/a:latest", "'r:5000/a:latest' has a tag or digest in it; move it to tag or digest"),
    ("Image", "tag", "latest-dist", "latest-dist moves to another version without notice; pin a version or a digest"),
    ("Image", "tag", "0.1.9", "0.1.9 takes other flags than codex 0.2.5, for which the group is made; set software.version"),
    ("Container", "env", {"NAT_IP_AUTO": "true"}, ".NAT_IP_AUTO: is of the image's start script and defeats the config; set exp"),
    ("Container", "args", ["--nat=none"], "[0]: --nat is computed; set exposure.externalAddress"),
    ("Container", "volumeMounts", [{"name": "tmp", "mountPath": "/data/"}], "[0].mountPath: something is mounted at '/data/'"),
    (
        "Container",
        "volumeMounts",
        [{"name": "tmp", "mountPath": "/data//node/x"}],
        "[0].mountPath: '/data//node/x' is in /data/node, the library's own; choose another path",
    ),
    ("Ports", "api", 80, "80 is a port that only root may open, and the node is not root; use one from 1024 on"),
    ("ExistingClaim", "size", None, "is required with a claim of somebody else's, the quota follows it; give it, or software"),
    ("NodeOverride", "existingClaim", "a", "is a claim whose size is not known, and no quota is given; set software.quota"),
    ("NodeOverride", "existingClaim", "A", f"'A' is refused; {NAME}"),
    ("NodeOverride", "nodeSelector", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("NodeOverride", "externalAddress", "a.example.org", "'a.example.org' is not an IP address; write that of one host"),
    (
        "NodeOverride",
        "externalAddress",
        "203.0.113.7",
        "a private node announces its pod's address; set exposure, or leave it out",
    ),
    ("NodeOverride", "resources", {"limit": {}}, ".limit: unknown key; did you mean limits?"),
    ("NodeOverride", "env", {"A B": "c"}, "[\"A B\"]: 'A B' is refused; a variable has letters, digits and underscores"),
    ("StackConfig", "storageNodeGroups", {"A": config()}, f".A: 'A' is refused; {LABEL}"),
    (
        "StackConfig",
        "storageNodeGroups",
        {"1a": config()},
        ".1a: '1a' is refused as a name: names of Services have lower-case letters",
    ),
    ("Namespace", "name", "A", f"'A' is refused; {LABEL}"),
    ("Namespace", "podSecurity", "none", "'none' is not known; use one of 'restricted', 'baseline' or 'privileged'"),
    ("Namespace", "labels", {"a b": "c"}, f"[\"a b\"]: 'a b' is refused; {KEY}"),
    ("Cluster", "render", "", "'' is refused: string should have at least 1 character; change it to fit"),
    ("Cluster", "kubeconfig", "", "'' is refused: string should have at least 1 character; change it to fit"),
    ("Cluster", "context", "", "'' is refused: string should have at least 1 character; change it to fit"),
]

# Free text, switches, and objects whose own fields are refused: these are held against their type only.
TYPE_ONLY = {
    "StorageNodeGroupArgs": "prettify prettifyServices image ports api container pod serviceAccount"
    " rollout disruption networkPolicy monitoring",
    "CodexFamily": "apiCorsOrigin marketplace",
    "Marketplace": "prover",
    "Availability": "enabled",
    "CustomStorage": "entrypoint hasUdp",
    "Image": "allowMovingTag",
    "Ingress": "prettify",
    "HttpRoute": "prettify",
    "Container": "probes",
    "ExtraPort": "service",
    "ServiceAccount": "automountToken",
    "Disruption": "enabled",
    "NetworkPolicyConfig": "enabled",
    "Monitoring": "enabled podMonitor alerts dashboard",
    "NodeOverride": "disabled",
    "StackConfig": "namespace cluster",
    "Namespace": "create",
}


@pytest.mark.parametrize(("model", "field", "value", "said"), REFUSED, ids=[f"{m}.{f}-{v}" for m, f, v, _ in REFUSED])
def test_a_value_that_breaks_the_rule_of_its_field_is_refused(model: str, field: str, value: Any, said: str) -> None:
    start = said[1:] if said[0] == "^" else f"{path_of(model, field)}{'' if said[0] in '.[' else ': '}{said}"
    assert [line for line in problems_of(model, {field: value}) if line.startswith(start)], problems_of(model, {field: value})


# ---- rules between fields


SMALL = "is too small for a quota of {} and 20 percent of headroom: the disk would fill before the quota stops the node"
BETWEEN: list[tuple[Fields, str]] = [
    (
        {"software": {**CODEX, "quota": "20Gi"}},
        f"persistence.size: 20Gi {SMALL.format('20Gi')}; give at least 24576Mi, or lower software.quota",
    ),
    (
        {"software": {**CODEX, "quota": "10Gi"}, "replicas": 2, "nodes": {"2": {"size": "11Gi"}}},
        f"nodes.2.size: 11Gi {SMALL.format('10Gi')}; give at least 12288Mi, or lower software.quota",
    ),
    (
        {"replicas": 2, "persistence": {"kind": "existingClaim", "claim": "a"}},
        "persistence.claim: one claim cannot hold the data of 2 nodes; use kind: volume, or name one for each under nodes",
    ),
    (
        {"bootstrap": {"kind": "own"}, "persistence": {"kind": "existingClaim", "claim": "a"}},
        "persistence.claim: one claim cannot hold the data of 2 nodes; use kind: volume, or name one for each under nodes",
    ),
    (
        {"replicas": 2, "nodes": {"1": {"existingClaim": "a"}, "2": {"existingClaim": "a"}}},
        "nodes.2.existingClaim: 'a' is that of nodes.1.existingClaim already; name another",
    ),
    (
        {"replicas": 2, "persistence": {"kind": "existingClaim", "claim": "a"}, "nodes": {"2": {"existingClaim": "a"}}},
        "nodes.2.existingClaim: 'a' is that of persistence.claim already; name another",
    ),
    (
        {"replicas": 2, "persistence": {"kind": "volume", "fromSnapshot": "s"}},
        "persistence.fromSnapshot: gives 2 nodes one peer id, the key of a node lies in its data; name it in nodes.<n>",
    ),
    (
        {"replicas": 2, "nodes": {"1": {"fromSnapshot": "s"}, "2": {"fromSnapshot": "s"}}},
        "nodes.2.fromSnapshot: 's' is that of node 1 already, and both would have one peer id; name another",
    ),
    (
        {"persistence": {"kind": "ephemeral"}, "nodes": {"1": {"fromSnapshot": "s"}}},
        "nodes.1.fromSnapshot: no volume is made for the node; leave it out, or use persistence.kind: volume",
    ),
    (
        {"layout": "pooled", "rollout": {"maxUnavailable": 2}},
        "rollout.maxUnavailable: 2 has no effect, a pooled group rolls one pod at a time; leave it out, or use layout: perNode",
    ),
    (
        {"layout": "pooled", "prettifyServices": False},
        "prettifyServices: false has no effect, a pooled group has one Service for all nodes; leave it out",
    ),
    (
        {"persistence": {"kind": "existingClaim", "claim": "a"}, "nodes": {"1": {"size": "1Gi"}}},
        "nodes.1.size: the claim is somebody else's and is not resized here; leave it out",
    ),
    (
        {"replicas": 2, "software": MARKET, "keys": {"kind": "secret", "name": "eth", "key": "KEY-<pod>"}},
        "keys.key: gives 2 nodes one Ethereum key, and they would all sign with it; put <replica> into it",
    ),
    (
        {
            "layout": "pooled",
            "replicas": 2,
            "software": MARKET,
            "keys": {"kind": "secret", "name": "eth", "key": "KEY-<replica>"},
        },
        "keys.key: gives 2 nodes one Ethereum key, and they would all sign with it; put <pod> into it",
    ),
    ({"software": CUSTOM}, "image.repository: is required with a custom software; name its image"),
    (
        {"software": CUSTOM, "image": {"repository": "a"}},
        "image.tag: is required with a custom software: without it the image is latest, which moves; give a tag or a digest",
    ),
    (
        {"software": {"kind": "custom", "args": ["a"]}, "image": {"repository": "a", "tag": "1"}, "bootstrap": {"kind": "own"}},
        "bootstrap: a bootstrap node of the group's own needs software.sprPath and software.bootstrapArg; add them",
    ),
    (
        {
            "software": {"kind": "custom", "args": ["a"]},
            "image": {"repository": "a", "tag": "1"},
            "bootstrap": {"kind": "sprs", "sprs": [SPR]},
        },
        "bootstrap: peer records need software.bootstrapArg; add it",
    ),
    (
        {"software": CUSTOM, "image": {"repository": "a", "tag": "1"}, "bootstrap": {"kind": "network", "name": "testnet"}},
        "bootstrap: a named network is unknown to a custom software; write it into software.args",
    ),
    (
        {"api": {"route": {**INGRESS, "tls": {"issuer": "a", "clusterIssuer": "b"}}}},
        "api.route.tls.issuer: a certificate has one issuer; give clusterIssuer or issuer",
    ),
    (
        {"api": {"route": HTTP_ROUTE, "auth": {"kind": "generated", "by": "ingress"}}},
        "api.auth.by: ingress is refused; only ingress-nginx asks for passwords by annotations; use proxy",
    ),
    (
        {"api": {"route": {**INGRESS, "controller": "other"}, "auth": {"kind": "secret", "secret": "a", "by": "ingress"}}},
        "api.auth.by: ingress is refused; only ingress-nginx asks for passwords by annotations; use proxy",
    ),
    (
        {"api": {"route": HTTP_ROUTE, "proxyPort": 8080}},
        "ports: TCP port 8080 is taken twice in one pod, by api and proxy; give one of them another port",
    ),
    (
        {"container": {"ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]}},
        "container.ports[1].name: a is a port of container.ports[0] already; name it otherwise",
    ),
    (
        {"pod": {"initContainers": [{"name": "a", "image": "b"}], "extraContainers": [{"name": "a", "image": "b"}]}},
        "pod.extraContainers[0].name: 'a' is a container of the pod already; give this one another name",
    ),
    (
        {"pod": {"extraContainers": [{"name": "a", "image": "b", "volumeMounts": [{"name": "key", "mountPath": "/key"}]}]}},
        "pod.extraContainers[0].volumeMounts[0].name: there is no volume 'key'; add it to pod.volumes, or",
    ),
    (
        {"persistence": {"kind": "volume", "accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]}},
        "persistence.accessModes: ReadWriteOncePod goes with no other mode; leave the others out",
    ),
    (
        {"container": {"probes": {"liveness": {"exec": {"command": ["a"]}, "successThreshold": 2}}}},
        "container.probes.liveness.successThreshold: only a readiness probe may ask for more than one success; leave it out",
    ),
    (
        {"container": {"env": {"A": {"secret": {"name": "a", "key": "b"}, "configMap": {"name": "a", "key": "b"}}}}},
        "container.env.A: an environment variable has one source; give either secret or configMap",
    ),
]


@pytest.mark.parametrize(("given", "problem"), BETWEEN, ids=[problem.partition(":")[0] for _, problem in BETWEEN])
def test_fields_that_contradict_each_other_are_refused(given: Fields, problem: str) -> None:
    assert [line for line in refusals(**given) if line.startswith(problem)]


def group_of(**given: Any) -> StorageNodeGroupArgs:
    return parse(StorageNodeGroupArgs, config(**given))


def test_a_claim_that_another_node_of_the_group_makes_is_refused() -> None:
    group = group_of(software={**CODEX, "quota": "10Gi"}, replicas=2, nodes={"2": {"existingClaim": "data-codex-1-1"}})
    assert [(p.path, p.message) for p in name_problems("codex", group)] == [
        (("nodes", "2", "existingClaim"), "'data-codex-1-1' is the claim that node 1 of the group makes; name another")
    ]


def test_two_groups_share_no_claim_path_or_announced_address() -> None:
    def things(name: str, **given: Any) -> set[Any]:
        return {thing for thing, *_ in exclusive_things(group_of(**given), name)}

    assert ("claim", "data-codex-1-1") in things("codex")
    route = {"route": {**INGRESS, "nodeName": "node"}}
    assert things("a", api=route) & things("b", api=route) == {("way", "a.example.org", "/node-1")}
    exposure = {"kind": "loadBalancer", "externalAddress": {"kind": "fixed", "addresses": {"1": "203.0.113.7"}}}
    assert things("a", exposure=exposure) & things("b", exposure=exposure) == {("announced", "203.0.113.7", 8070)}


def test_a_stack_goes_to_a_cluster_or_to_a_folder() -> None:
    assert problems_of("Cluster", {"render": "out", "context": "prod"}) == [
        "cluster.render: goes with neither kubeconfig nor context; manifests go to a folder, or to a cluster"
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"software": {**CODEX, "quota": "20Gi"}, "persistence": {"kind": "volume", "size": "24Gi"}},
        {"software": {**CODEX, "quota": "20Gi"}, "persistence": {"kind": "existingClaim", "claim": "a"}},
        {"container": {"command": ["run"], "args": ["--nat=none"], "env": {"NETWORK": "x"}}},
        {"ports": {"api": 80}, "pod": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}},
        {"replicas": 2, "nodes": {"2": {"fromSnapshot": "s"}}},
        {"software": {**CODEX, "quota": "10Gi"}, "persistence": {"kind": "ephemeral", "size": "12Gi"}},
        {
            "software": {**CODEX, "quota": "10Gi"},
            "replicas": 2,
            "nodes": {"2": {"existingClaim": "b"}},
            "persistence": {"kind": "existingClaim", "claim": "a"},
        },
        {"software": MARKET, "keys": {"kind": "secret", "name": "eth", "key": "KEY"}},
        {"replicas": 2, "software": MARKET, "keys": {"kind": "secret", "name": "eth-<replica>", "key": "KEY"}},
        {"image": {"tag": "latest", "digest": f"sha256:{'0a' * 32}"}},
        {"image": {"tag": "latest", "allowMovingTag": True}},
        {"pod": {"labels": {"nodestead.io/api-client": "true"}}},
        {
            "pod": {"volumes": [{"name": "more", "emptyDir": {}}]},
            "container": {"volumeMounts": [{"name": "more", "mountPath": "/more"}, {"name": "data", "mountPath": "/again"}]},
        },
        {"nodes": {1: {"disabled": True}}},
    ],
)
def test_what_is_sound_passes(given: Fields) -> None:
    plan(**given)
