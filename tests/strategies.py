"""Configs of storage node groups that are valid by construction, over all that a user may choose.

Every secret in them has `CANARY` in it, so that a test can look for it wherever no secret may be.
"""

from typing import Any

from hypothesis import strategies as st

__all__ = ["CANARY", "LATER", "SPR", "storage_groups"]

CANARY = "c0ffee"
SEED = (CANARY * 11)[:64]
RPC = f"https://user:{CANARY}@rpc.example.org/v3/{CANARY}{CANARY}"
SPR = f"spr:{'CiUIAhIhA1AgkYFhXbIPGqFA' * 3}"

Config = dict[str, Any]


class Later:
    """A value of another resource; nothing may ask for it while objects are made."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("a plan may not wait for a value of another resource")


LATER = Later()

CODEX_0_1 = {"totalSize": "1048576", "duration": "3600", "minPrice": "1000", "maxCollateral": "5"}
CODEX_0_2 = {"totalSize": "1048576", "duration": "3600", "minPricePerBytePerSecond": "1", "totalCollateral": str(10**30)}
FLAT = {"minimumPricePerBytePerSecond": "1", "maximumCollateralPerByte": "1", "maximumDuration": 3600, "availableUntil": 0}
OFFERS: dict[tuple[str, str], list[Config]] = {
    ("codex", "0.1.9"): [CODEX_0_1],
    ("codex", "0.2.0"): [CODEX_0_2],
    ("codex", "0.2.3"): [CODEX_0_2, {**CODEX_0_2, "enabled": False, "until": 0}],
    ("codex", "0.2.5"): [CODEX_0_2, {**CODEX_0_2, "enabled": True}],
    ("logosStorage", "0.3.2"): [],
    ("logosStorage", "0.4.2"): [],
    ("logosStorage", "0.5.3"): [],
    ("archivist", "0.2.0"): [CODEX_0_2, FLAT],
}
NETWORKS = {("codex", "0.2.5"): "testnet", ("archivist", "0.2.0"): "devnet", ("logosStorage", "0.4.2"): "logos.test"}
WITHOUT_UDP = {("logosStorage", "0.5.3")}


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Config]:
    """A mapping with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def given(**fields: Any) -> st.SearchStrategy[Config]:
    """A mapping with all of the fields; plain values stand for themselves."""
    return st.fixed_dictionaries({k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in fields.items()})


def merged(*parts: st.SearchStrategy[Config]) -> st.SearchStrategy[Config]:
    """One mapping from several."""
    return st.tuples(*parts).map(lambda dicts: {key: value for one in dicts for key, value in one.items()})


NAMES = st.sampled_from(["one", "two-2", "x.example"])
LATE_NAMES = st.one_of(NAMES, st.just(LATER))
LABELS = st.dictionaries(st.sampled_from(["team", "example.org/tier", "cost_Center.1"]), st.sampled_from(["", "a", "B-2_c.3"]))
ANNOTATIONS = st.dictionaries(st.sampled_from(["note", "example.org/x"]), st.sampled_from(["", "any text: at all", "{}"]))
ENV_SOURCES = st.one_of(
    st.sampled_from(["", "plain", "two\nlines", "8"]),
    given(secret=given(name=LATE_NAMES, key="entry")),
    given(configMap=given(name=NAMES, key="a.b")),
)
ENV = st.dictionaries(st.sampled_from(["TZ", "NO_PROXY", "_x1"]), ENV_SOURCES)
RESOURCES = st.sampled_from(
    [
        {},
        {"requests": {"cpu": "1", "memory": "1Gi"}},
        {"requests": {"cpu": 2, "memory": "64Mi"}, "limits": {"cpu": "2500m", "memory": "1G"}},
    ]
)
PROBES = st.sampled_from([{"tcpSocket": {"port": "api"}}, {"exec": {"command": ["true"]}, "periodSeconds": 5}])
RULES = st.lists(st.just({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}), max_size=1)
SIDECAR = {
    "name": "sidecar",
    "image": "docker.io/library/busybox:1",
    # As Pod Security restricted asks of every container.
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
}
IMAGES = merged(
    optional(
        pullPolicy=st.sampled_from(["IfNotPresent", "Always", "Never"]),
        pullSecrets=st.lists(st.sampled_from(["registry", "mirror.x"]), unique=True),
        digest=st.just(f"sha256:{'0a' * 32}"),
    ),
    st.sampled_from([{}, {"tag": "v1_x"}, {"tag": "latest", "allowMovingTag": True}]),
)


@st.composite
def software(draw: st.DrawFn) -> Config:
    """One software of any version, with or without a marketplace."""
    if draw(st.integers(0, 5)) == 0:
        return draw(custom())
    kind, version = draw(st.sampled_from(sorted(OFFERS)))
    config = {"kind": kind, "version": version} | draw(
        optional(
            quota=st.sampled_from(["1Gi", "500M", "3000000000"]),
            headroomPercent=st.integers(5, 90),
            blockTtl=st.sampled_from(["30d", "1h30m"]),
            blockMaintenanceInterval=st.just("10m"),
            blockMaintenanceBatch=st.integers(1, 10_000),
            maxPeers=st.integers(1, 500),
            repoKind=st.sampled_from(["fs", "sqlite", "leveldb"]),
            logLevel=st.sampled_from(["info", "TRACE", "info;trace:marketplace,node"]),
            logFormat=st.sampled_from(["auto", "json"]),
            apiCorsOrigin=st.just("https://app.example.org"),
            options=st.just({"agent-string": "mine"}),
        )
    )
    if (kind, version) != ("codex", "0.1.9"):
        config |= draw(optional(numThreads=st.sampled_from([0, 2, 256])))
    if not (kind == "logosStorage" and version > "0.4"):
        config |= draw(optional(cacheSize=st.sampled_from(["0", "64Mi"])))
    if OFFERS[kind, version] and draw(st.booleans()):
        config["marketplace"] = draw(
            merged(
                given(
                    ethProvider=st.one_of(
                        st.sampled_from([{"url": RPC}, {"url": LATER}]), given(secret=given(name=LATE_NAMES, key="url"))
                    )
                ),
                optional(
                    prover=st.booleans(),
                    address=st.just("0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c"),
                    availability=st.sampled_from(OFFERS[kind, version]),
                    availabilityInterval=st.sampled_from(["1s", "5m"]),
                ),
            )
        )
        if kind == "codex" and version < "0.2.4":
            # A prover of these has to be told the contract.
            config["marketplace"].setdefault("address", "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c")
    return config


def custom() -> st.SearchStrategy[Config]:
    """A software without a file of its own."""
    return merged(
        given(
            kind="custom",
            args=st.sampled_from([["node"], ["node", "--data={dataDir}", "--port={peerPort}", "--quota={quota}"]]),
            natArg="--address={address}",
            bootstrapArg="--peer={spr}",
            sprPath="/spr",
            hasUdp=st.booleans(),
        ),
        optional(
            name=st.just("my-node"),
            version=st.just("1.2_x"),
            entrypoint=st.just("/entry.sh"),
            env=st.just({"API": "{apiPort}", "KEY": "{keyFile}"}),
            quota=st.just("1Gi"),
            headroomPercent=st.integers(0, 90),
            apiPath=st.just("/api/v1"),
            healthPath=st.just("/healthz"),
            metricsPath=st.just("/m"),
        ),
    )


def address(number: int) -> st.SearchStrategy[Any]:
    """An address that no other node has: behind load balancers no two may share one."""
    return st.sampled_from([f"203.0.113.{number}", LATER])


@st.composite
def exposure(draw: st.DrawFn, kind: str, nodes: list[str], bootstraps: list[str]) -> Config:
    """A way for peers to reach the nodes; ports of nodes and bootstrap nodes lie apart."""
    fixed = given(kind="fixed", addresses=given(**{node: address(i) for i, node in enumerate(nodes + bootstraps)}))
    sources = [given(kind="lookup", url=st.sampled_from(["https://ip.example.org", LATER])), fixed]
    one_port = optional(port=st.sampled_from([8070, 30303]), discoveryPort=st.sampled_from([8070, 8090]))
    services = optional(annotations=ANNOTATIONS, externalTrafficPolicy=st.sampled_from(["Local", "Cluster"]))
    if kind == "cluster":
        return draw(merged(given(kind=kind), one_port))
    if kind == "loadBalancer":
        own = optional(
            externalAddress=st.one_of(*sources, st.just({"kind": "loadBalancer"})),
            loadBalancerIPs=st.lists(st.sampled_from([*nodes, *bootstraps, ""]), unique=True).map(
                lambda named: {node: f"192.0.2.{number}" for number, node in enumerate(named) if node}
            ),
            loadBalancerClass=st.sampled_from(["service.k8s.aws/nlb", "internal", LATER]),
            sourceRanges=st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]), unique=True),
        )
        return draw(merged(given(kind=kind), one_port, services, own))
    sources += [st.just({"kind": "nodeExternalIP"}), st.just({"kind": "hostIP"})]
    ports = merged(
        optional(
            externalAddress=st.one_of(*sources),
            basePort=st.sampled_from([30000, 30510]),
            discoveryBasePort=st.sampled_from([30510, 31000]),
            offset=st.sampled_from([1, 7, 60]),
        ),
        given(bootstrapBasePort=32000) if bootstraps else optional(bootstrapBasePort=st.just(32100)),
    )
    if kind == "hostPort":
        return draw(merged(given(kind=kind), ports))
    return draw(merged(given(kind=kind), ports, services, optional(portRange=st.just("30000-32767"))))


def apis() -> st.SearchStrategy[Config]:
    """Any way from outside to the API, with any kind of password."""
    common = optional(
        path=st.sampled_from(["/", "/storage", "/a.b/c~d"]),
        nodeName=st.sampled_from(["node", "n.1"]),
        prettify=st.booleans(),
        leadingZeros=st.integers(0, 6),
        controllerNamespace=st.just("edge"),
        annotations=ANNOTATIONS,
    )
    tls = st.one_of(
        st.just("none"), given(secret=LATE_NAMES), given(clusterIssuer=LATE_NAMES), given(issuer=LATE_NAMES, secret=LATE_NAMES)
    )
    ingress = merged(
        given(kind="ingress", hosts=st.sampled_from([["api.example.org"], ["a.example.org", "b.example.org"]]), tls=tls),
        optional(className=LATE_NAMES, name=LATE_NAMES, controller=st.sampled_from(["ingressNginx", "other"])),
        common,
    )
    gateway = merged(given(name=LATE_NAMES), optional(namespace=st.sampled_from(["one", "two-2", LATER]), sectionName=NAMES))
    route = merged(
        given(kind="httpRoute", parents=st.lists(gateway, min_size=1, max_size=2, unique_by=lambda one: str(one["name"]))),
        optional(hosts=st.just(["api.example.org"])),
        common,
    )
    by = optional(by=st.just("proxy"))
    auth = st.one_of(
        st.just({"kind": "none"}),
        merged(given(kind="generated"), optional(user=st.just("operator")), by),
        merged(given(kind="secret", secret=LATE_NAMES), by),
        given(kind="secret", secret=LATE_NAMES, key="htpasswd", by="proxy"),
    )
    return merged(
        given(route=st.one_of(ingress, route)),
        optional(
            auth=auth,
            realm=st.just("storage nodes"),
            proxyPort=st.sampled_from([8081, 9443]),
            proxyImage=merged(IMAGES, optional(repository=st.just("mirror.example.org/nginx"))),
        ),
    ).map(_with_controller)


def _with_controller(api: Config) -> Config:
    """Without a password a Gateway's namespace has to be named."""
    open_to_all = api["route"]["kind"] == "httpRoute" and api.get("auth") == {"kind": "none"}
    return {**api, "route": {"controllerNamespace": "edge", **api["route"]}} if open_to_all else api


def containers() -> st.SearchStrategy[Config]:
    """The node's container."""
    ports = [{"name": "extra-1", "port": 9100}, {"name": "dht", "port": 9100, "protocol": "UDP", "service": False}]
    return optional(
        command=st.just(["sh", "-c", "exec node"]),
        args=st.lists(st.sampled_from(["--verbose", "-x"]), max_size=2),
        env=ENV,
        envFrom=st.just([{"configMapRef": {"name": "more"}}]),
        resources=RESOURCES,
        securityContext=st.just({"runAsUser": 7}),
        lifecycle=st.just({"preStop": {"exec": {"command": ["sleep", "5"]}}}),
        volumeMounts=st.just([{"name": "tmp", "mountPath": "/scratch", "subPath": "x"}]),
        ports=st.lists(st.sampled_from(ports), unique_by=lambda port: port["name"]),
        probes=optional(startupTimeout=st.sampled_from(["5s", "3h"]), startup=PROBES, readiness=PROBES, liveness=PROBES),
    )


def pods() -> st.SearchStrategy[Config]:
    """What surrounds the node's container."""
    spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    fields = optional(
        labels=LABELS,
        annotations=ANNOTATIONS,
        securityContext=st.just({"runAsUser": 7, "fsGroup": 7}),
        nodeSelector=LABELS,
        tolerations=st.just([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]),
        affinity=st.just({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}),
        topologySpread=st.sampled_from([[], [spread]]),
        priorityClassName=LATE_NAMES,
        runtimeClassName=st.just("gvisor"),
        terminationGracePeriod=st.sampled_from(["1s", "10m"]),
        hostAliases=st.just([{"ip": "192.0.2.1", "hostnames": ["a.example.org"]}]),
        dnsConfig=st.just({"options": [{"name": "ndots", "value": "1"}]}),
    )
    more = {"volumes": [{"name": "extra", "emptyDir": {}}]}
    extra = st.sampled_from([{}, {**more, "extraContainers": [SIDECAR]}, {**more, "initContainers": [SIDECAR]}])
    return merged(fields, extra)


def monitoring() -> st.SearchStrategy[Config]:
    """What watches a set; the objects of Prometheus have no schema in Kubernetes."""
    fields = optional(
        enabled=st.booleans(),
        podMonitor=st.booleans(),
        alerts=st.booleans(),
        dashboard=st.booleans(),
        interval=st.sampled_from(["15s", "1m"]),
        labels=LABELS,
        dashboardLabel=st.just("grafana/board"),
        quotaUsedPercent=st.integers(1, 99),
        downFor=st.just("30m"),
    )
    return merged(fields, st.sampled_from([{}, {"from": []}, {"from": ["monitoring", "mimir"]}]))


def accounts() -> st.SearchStrategy[Config]:
    """The account of the pods."""
    return merged(
        st.sampled_from([{}, {"name": "given"}, {"create": False, "name": "given"}, {"create": False, "name": LATER}]),
        optional(annotations=ANNOTATIONS, rules=RULES, clusterRules=RULES, automountToken=st.booleans()),
    )


def sources() -> st.SearchStrategy[list[Any]]:
    """Who may come, as a NetworkPolicy names them."""
    known = [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/28"]}}, {"podSelector": {}}]
    return st.lists(st.sampled_from(known), max_size=2)


def extras() -> st.SearchStrategy[Config]:
    """What goes with every software, exposure and layout."""
    percentages = st.sampled_from([1, 3, "1%", "34%", "100%"])
    return optional(
        prettifyServices=st.booleans(),
        image=IMAGES,
        ports=optional(api=st.just(8888), metrics=st.just(9999)),
        container=containers(),
        pod=pods(),
        serviceAccount=accounts(),
        rollout=optional(maxUnavailable=percentages, timeout=st.sampled_from(["30s", "2h"])),
        disruption=optional(enabled=st.booleans(), maxUnavailable=percentages),
        networkPolicy=optional(enabled=st.booleans(), apiFrom=sources(), metricsFrom=sources()),
        monitoring=monitoring(),
        labels=LABELS,
        patches=st.sampled_from(
            [
                {"StatefulSet": {"*": {"spec": {"minReadySeconds": 5}}}},
                {"StatefulSet": {"*": {"spec": {"template": {"spec": {"containers": [{"name": "node", "tty": True}]}}}}}},
            ]
        ),
    )


@st.composite
def persistences(draw: st.DrawFn, nodes: int, *, pooled: bool) -> Config:
    """Where the data lie; sizes have room for every quota above."""
    volume = merged(
        given(size=st.sampled_from(["20Gi", "100G"])),
        optional(
            kind=st.just("volume"),
            storageClass=st.sampled_from(["", "fast", LATER]),
            accessModes=st.sampled_from([["ReadWriteOnce"], ["ReadWriteOncePod"]]),
            annotations=ANNOTATIONS,
            selector=st.just({"matchLabels": {"disk": "ssd"}}),
            **({"fromSnapshot": LATE_NAMES} if nodes <= 1 else {}),
        ),
    ).map(lambda config: {"kind": "volume", **config})
    kinds = [volume, given(kind="ephemeral", size="30Gi")]
    if nodes <= 1 and not pooled:
        kinds.append(merged(given(kind="existingClaim", claim=LATE_NAMES, size="50Gi")))
    return draw(st.one_of(*kinds))


@st.composite
def overrides(draw: st.DrawFn, nodes: list[str], config: Config) -> Config:
    """What single nodes have otherwise."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "disabled": st.booleans(),
        "image": IMAGES,
        "nodeSelector": LABELS,
        "resources": RESOURCES,
        "env": ENV,
    }
    if config["persistence"]["kind"] != "existingClaim":
        fields["size"] = st.just("200Gi")
    chosen = draw(st.lists(st.sampled_from(nodes), unique=True, max_size=2)) if nodes else []
    found: Config = {}
    for node in chosen:
        own = dict(fields)
        if config["exposure"]["kind"] != "cluster":
            own["externalAddress"] = address(100 + nodes.index(node))
        if "quota" in config["software"]:
            own["existingClaim"] = st.sampled_from([f"claim-{node}", LATER])
        found[node] = draw(optional(**own))
    return found


@st.composite
def storage_groups(draw: st.DrawFn) -> Config:
    """A valid mapping for `StorageNodeGroupArgs`; everything else of a stack is up to the caller."""
    kind = draw(st.sampled_from(["cluster", "nodePort", "hostPort", "loadBalancer"]))
    pooled = kind != "nodePort" and draw(st.integers(0, 3)) == 0
    replicas, first = draw(st.integers(0, 4)), draw(st.sampled_from([1, 1, 0, 3, 499]))
    nodes = [str(ordinal) for ordinal in range(first, first + replicas)]
    config: Config = {"software": draw(software()), "replicas": replicas, "firstOrdinal": first}
    spoken = (config["software"]["kind"], config["software"].get("version", ""))
    own = draw(st.integers(0, 3))
    named = [given(kind="network", name=NETWORKS[spoken])] if spoken in NETWORKS else []
    config["bootstrap"] = (
        {"kind": "own", "nodes": own}
        if own
        else draw(st.one_of(st.just({"kind": "none"}), given(kind="sprs", sprs=st.just([SPR, f"{SPR}=="])), *named))
    )
    if spoken[0] == "custom":
        config["image"] = {"repository": "registry.example.org/node", "tag": "1"}
    bootstraps = [f"bootstrap-{number}" for number in range(1, own + 1)]
    config["exposure"] = draw(exposure(kind, nodes, bootstraps))
    config["persistence"] = draw(persistences(replicas + own if replicas else 2, pooled=pooled))
    if "marketplace" in config["software"] or spoken[0] == "custom":
        config |= draw(optional(keys=keys(pooled=pooled)))
    if pooled:
        config["layout"] = "pooled"
    else:
        config["nodes"] = draw(overrides(nodes, config))
        config |= draw(optional(prettify=st.booleans(), api=apis()))
    more = draw(extras())
    if spoken[0] == "custom":
        more.pop("image", None)
    if not replicas and not own:
        more.pop("patches", None)
    if pooled:
        more.get("rollout", {}).pop("maxUnavailable", None)
        if not own:
            more.pop("prettifyServices", None)
    return config | more


def keys(*, pooled: bool) -> st.SearchStrategy[Config]:
    """Ethereum keys from anywhere."""
    entries = ["KEY-<pod>"] if pooled else ["KEY-<replica>", "KEY-<replica>-<pod>"]
    seed = merged(given(kind="seed"), optional(generation=st.integers(1, 3), seed=st.sampled_from([SEED, LATER])))
    return st.one_of(seed, given(kind="secret", name=LATE_NAMES, key=st.sampled_from(entries)))
