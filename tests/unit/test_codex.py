"""Each version of Codex, Logos Storage and Archivist is spoken to in its own words.

The words were read from the option tables (`conf.nim`) of the releases, not from this library.
"""

import json
from typing import Any

import pytest
from groups import CODEX, config, container, env, find, plan, pod, refusals

from nodestead.config.base import parse
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.software.codex_versions import grammar_of

RPC = {"secret": {"name": "rpc", "key": "url"}}
OFFER = {"totalSize": "1048576", "duration": "3600", "minPricePerBytePerSecond": "1000", "totalCollateral": str(10**24)}
AT = {"address": "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c"}
SPR = f"spr:{'CiUIAhIhA1AgkYFhXbIPGqFA' * 3}"
CODEX_IMAGE, LOGOS_IMAGE = "docker.io/codexstorage/nim-codex", "docker.io/logosstorage/logos-storage-nim"
ARCHIVIST_IMAGE = "docker.io/durabilitylabs/archivist-node"


def software(kind: str, version: str, **given: Any) -> dict[str, Any]:
    return {"kind": kind, "version": version, **given}


def told(kind: str, version: str, **given: Any) -> dict[str, Any]:
    """What the node's program is told by its environment."""
    found = env(plan(software=software(kind, version, **given)))
    return {name: value for name, value in found.items() if name.startswith(("CODEX_", "STORAGE_", "ARCHIVIST_"))}


def argv(kind: str, version: str, **group: Any) -> list[str]:
    own = group.pop("software", {})
    return container(plan(software=software(kind, version, **own), **group))["args"]


# ---- one node of each version

BASICS = {
    "DATA_DIR": "/data/node",
    "API_BINDADDR": "0.0.0.0",
    "API_PORT": "8080",
    "METRICS": "true",
    "METRICS_ADDRESS": "0.0.0.0",
    "METRICS_PORT": "8008",
    "STORAGE_QUOTA": "17894998016",
    "LOG_LEVEL": "info",
}
ADDRS = {"LISTEN_ADDRS": "/ip4/0.0.0.0/tcp/8070"}
IP_AND_PORT = {"LISTEN_IP": "0.0.0.0", "LISTEN_PORT": "8070"}
UDP = {"DISC_PORT": "8090"}
EXTIP, BARE = "--nat=extip:{address}", "--nat={address}"


@pytest.mark.parametrize(
    ("kind", "version", "image", "args", "prefix", "listening", "api", "nat"),
    [
        ("codex", "0.1.9", CODEX_IMAGE, ["codex"], "CODEX", ADDRS | UDP | {"DISC_IP": "0.0.0.0"}, "/api/codex/v1", BARE),
        ("codex", "0.2.0", CODEX_IMAGE, ["codex"], "CODEX", ADDRS | UDP, "/api/codex/v1", EXTIP),
        ("codex", "0.2.5", CODEX_IMAGE, ["codex"], "CODEX", ADDRS | UDP, "/api/codex/v1", EXTIP),
        ("logosStorage", "0.3.2", LOGOS_IMAGE, ["storage"], "STORAGE", ADDRS | UDP, "/api/storage/v1", EXTIP),
        ("logosStorage", "0.4.2", LOGOS_IMAGE, ["storage"], "STORAGE", IP_AND_PORT | UDP, "/api/storage/v1", EXTIP),
        ("logosStorage", "0.5.3", LOGOS_IMAGE, ["storage"], "STORAGE", IP_AND_PORT, "/api/storage/v1", EXTIP),
        ("archivist", "0.2.0", ARCHIVIST_IMAGE, ["archivist"], "ARCHIVIST", ADDRS | UDP, "/api/archivist/v1", EXTIP),
    ],
)
def test_a_node_is_started_in_the_words_of_its_version(
    kind: str, version: str, image: str, args: list[str], prefix: str, listening: dict[str, str], api: str, nat: str
) -> None:
    planned = plan(software=software(kind, version), bootstrap={"kind": "sprs", "sprs": [SPR]})
    node = container(planned)
    assert node["image"] == f"{image}:{version}"
    assert node["args"] == [*args, f"--bootstrap-node={SPR}"]
    assert told(kind, version) == {f"{prefix}_{name}": value for name, value in (BASICS | listening).items()}
    assert node["readinessProbe"]["httpGet"] == {"path": f"{api}/debug/info", "port": "api"}
    assert env(planned, called="prepare")["NAT_ARG"] == nat
    # The image's own prints the environment, and with it the Ethereum provider's URL.
    assert env(planned)["ENTRYPOINT"] == ""
    assert node["workingDir"] == "/data"


@pytest.mark.parametrize(
    ("kind", "version", "ports"),
    [
        ("codex", "0.2.5", {"p2p": 8070, "discovery": 8090}),
        ("archivist", "0.2.0", {"p2p": 8070, "discovery": 8090}),
        ("logosStorage", "0.4.2", {"p2p": 8070, "discovery": 8090}),
        # From 0.5 on discovery goes over the TCP port.
        ("logosStorage", "0.5.3", {"p2p": 8070}),
    ],
)
def test_only_versions_with_a_udp_port_have_one(kind: str, version: str, ports: dict[str, int]) -> None:
    exposure = {"kind": "loadBalancer"}
    planned = plan(software=software(kind, version), exposure=exposure)
    found = {
        port["name"]: port["containerPort"] for port in container(planned)["ports"] if port["name"] not in ("api", "metrics")
    }
    assert found == ports
    served = find(planned, "Service", "codex-1-loadbalancer")["spec"]["ports"]
    assert {port["name"]: port["port"] for port in served} == ports
    assert planned.outputs["firewallPorts"] == [f"tcp/{ports['p2p']}", *(["udp/8090"] if "discovery" in ports else [])]


@pytest.mark.parametrize(
    ("kind", "version", "label"),
    [("codex", "0.2.5", "codex"), ("logosStorage", "0.5.3", "logos-storage"), ("archivist", "0.2.0", "archivist")],
)
def test_objects_are_labelled_with_the_software_and_pods_with_its_version(kind: str, version: str, label: str) -> None:
    workload = find(plan(software=software(kind, version)), "StatefulSet", "codex-1")
    for labels in (workload["metadata"]["labels"], workload["spec"]["template"]["metadata"]["labels"]):
        assert labels["app.kubernetes.io/name"] == label
        assert labels["app.kubernetes.io/version"] == version


@pytest.mark.parametrize(
    ("kind", "version", "metric"),
    [
        ("codex", "0.1.9", "codex_repostore_bytes_used"),
        ("codex", "0.2.5", "codex_repostore_bytes_used"),
        # The metrics were renamed after the program.
        ("logosStorage", "0.3.2", "codex_repostore_bytes_used"),
        ("logosStorage", "0.5.3", "storage_repostore_bytes_used"),
        ("archivist", "0.2.0", "archivist_repostore_bytes_used"),
    ],
)
def test_alerts_ask_for_the_metrics_that_the_version_has(kind: str, version: str, metric: str) -> None:
    rules = find(plan(software=software(kind, version), monitoring={}), "PrometheusRule", "codex")["spec"]["groups"][0]["rules"]
    assert any(metric in rule["expr"] for rule in rules)


# ---- which versions are known


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("codex", "0.0.9"),
        ("codex", "0.3.0"),
        ("codex", "1.0.0"),
        ("logosStorage", "0.2.9"),
        ("logosStorage", "0.6.0"),
        ("archivist", "0.1.9"),
        ("archivist", "0.3.0"),
    ],
)
def test_a_version_that_nobody_read_is_refused(kind: str, version: str) -> None:
    (problem,) = refusals(software=software(kind, version))
    assert problem.startswith(f"software.version: {version} of {kind} is not known here, ")
    assert problem.endswith("; use one of them, or kind: custom")


@pytest.mark.parametrize("version", ["0.2.6", "0.2.99"])
def test_a_later_patch_release_is_spoken_to_like_the_last_known(version: str) -> None:
    assert grammar_of("codex", version) == grammar_of("codex", "0.2.5")


@pytest.mark.parametrize("version", ["v0.2.5", "0.2", "latest", "0.2.5-rc1", ""])
def test_a_version_is_three_numbers(version: str) -> None:
    assert refusals(software=software("codex", version))[0].startswith("software.version: ")


# ---- settings


def test_every_setting_with_a_field_reaches_the_node() -> None:
    given = {
        "quota": "1Gi",
        "blockTtl": "30d",
        "blockMaintenanceInterval": "1h30m",
        "blockMaintenanceBatch": 500,
        "maxPeers": 80,
        "numThreads": 0,
        "cacheSize": "64Mi",
        "repoKind": "leveldb",
        "logLevel": "info;trace:marketplace",
        "logFormat": "json",
        "apiCorsOrigin": "https://app.example.org",
        "options": {"agent-string": "mine"},
    }
    found = told("codex", "0.2.5", **given)
    assert {name: value for name, value in found.items() if name.removeprefix("CODEX_") not in BASICS | ADDRS | UDP} == {
        "CODEX_BLOCK_TTL": "2592000s",
        "CODEX_BLOCK_MI": "5400s",
        "CODEX_BLOCK_MN": "500",
        "CODEX_MAX_PEERS": "80",
        "CODEX_NUM_THREADS": "0",
        "CODEX_CACHE_SIZE": "67108864",
        "CODEX_REPO_KIND": "leveldb",
        "CODEX_LOG_FORMAT": "json",
        "CODEX_API_CORS_ORIGIN": "https://app.example.org",
        "CODEX_AGENT_STRING": "mine",
    }
    assert (found["CODEX_STORAGE_QUOTA"], found["CODEX_LOG_LEVEL"]) == ("1073741824", "info;trace:marketplace")


@pytest.mark.parametrize("value", ["20000000000", "2592000"])
def test_no_number_is_written_with_an_exponent(value: str) -> None:
    volume = {"kind": "volume", "size": "100Gi"}
    assert env(plan(software={**CODEX, "quota": value}, persistence=volume))["CODEX_STORAGE_QUOTA"] == value


@pytest.mark.parametrize(
    ("kind", "version", "given", "problem"),
    [
        ("codex", "0.1.9", {"numThreads": 2}, "numThreads: codex 0.1.9 has no --num-threads and would ignore it; leave it out"),
        ("logosStorage", "0.4.1", {"cacheSize": "1Mi"}, "cacheSize: logosStorage 0.4.1 has no --cache-size and would ignore it"),
        ("codex", "0.2.5", {"numThreads": 1}, "numThreads: 1 is refused; the node takes 0 or at least 2"),
    ],
)
def test_a_setting_that_the_version_would_ignore_is_refused(kind: str, version: str, given: dict[str, Any], problem: str) -> None:
    assert refusals(software=software(kind, version, **given))[0].startswith(f"software.{problem}")


@pytest.mark.parametrize(
    ("kind", "version", "option", "problem"),
    [
        ("codex", "0.2.5", "disc-ip", "is computed; set exposure"),
        ("codex", "0.2.5", "no-bootstrap-node", "is computed; set bootstrap"),
        ("logosStorage", "0.5.3", "disc-port", "is computed; set exposure"),
        ("codex", "0.2.5", "max-peers", "has a field of its own; set maxPeers"),
        ("codex", "0.2.5", "block-retries", "codex 0.2.5 has no --block-retries and would ignore it; leave it out"),
        ("logosStorage", "0.4.2", "advertise-content", "logosStorage 0.4.2 has no --advertise-content and would ignore it"),
        ("archivist", "0.2.0", "simulate-proof-failures", "archivist 0.2.0 has no --simulate-proof-failures and would ignore"),
        # Options of subcommands are looked up only where the subcommand is active.
        ("codex", "0.2.5", "validator", "codex 0.2.5 reads --validator with marketplace only; add that, or leave it out"),
        ("codex", "0.2.5", "request-cache-size", "codex 0.2.5 reads --request-cache-size with marketplace only"),
        ("codex", "0.2.5", "proof-samples", "codex 0.2.5 reads --proof-samples with marketplace and its prover only"),
        ("codex", "0.2.3", "max-priority-fee-per-gas", "codex 0.2.3 has no --max-priority-fee-per-gas and would ignore it"),
    ],
)
def test_an_option_that_the_version_would_ignore_is_refused(kind: str, version: str, option: str, problem: str) -> None:
    (line,) = refusals(software=software(kind, version, options={option: "1"}))
    assert line.startswith(f"software.options.{option}: {problem}")


def test_an_option_of_the_prover_needs_the_prover() -> None:
    market = {"ethProvider": RPC, "prover": False}
    (line,) = refusals(software=software("codex", "0.2.5", marketplace=market, options={"proof-samples": "5"}))
    assert line.endswith("reads --proof-samples with marketplace and its prover only; add that, or leave it out")


@pytest.mark.parametrize(
    ("kind", "version", "given"),
    [
        ("codex", "0.2.4", {"options": {"max-priority-fee-per-gas": "1"}, "marketplace": {"ethProvider": RPC}}),
        ("codex", "0.2.0", {"options": {"validator": "true", "proof-samples": "5"}, "marketplace": {"ethProvider": RPC, **AT}}),
        ("logosStorage", "0.5.3", {"options": {"advertise-content": "false", "nat-max-relays": "1"}}),
        ("logosStorage", "0.3.1", {"cacheSize": "1Mi", "options": {"block-retries": "5"}}),
        ("archivist", "0.2.0", {"options": {"prover-backend": "circomcompat", "proof-samples": "5"}}),
    ],
)
def test_an_option_that_the_version_has_is_taken(kind: str, version: str, given: dict[str, Any]) -> None:
    parse(StorageNodeGroupArgs, config(software=software(kind, version, **given)))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("STORAGE_LOG_LEVEL", "container.env.STORAGE_LOG_LEVEL: codex 0.2.5 reads CODEX_ only; rename it"),
        ("CODEX_DISC_PORT", "container.env.CODEX_DISC_PORT: is computed; set exposure"),
        ("CODEX_NAT", "container.env.CODEX_NAT: is computed; set exposure.externalAddress"),
        ("CODEX_BOOTSTRAP", "container.env.CODEX_BOOTSTRAP: codex 0.2.5 has no --bootstrap and would ignore it; leave it out"),
        ("CODEX_PERSISTENCE", "container.env.CODEX_PERSISTENCE: is computed; set software.marketplace"),
    ],
)
def test_an_environment_variable_that_the_node_would_ignore_or_obey_too_much_is_refused(name: str, problem: str) -> None:
    assert refusals(container={"env": {name: "x"}}) == [problem]
    assert refusals(nodes={"1": {"env": {name: "x"}}})[0].startswith(f"nodes.1.env.{name}: ")


def test_an_environment_variable_that_the_node_reads_goes_over_the_setting() -> None:
    assert env(plan(container={"env": {"CODEX_LOG_LEVEL": "trace"}}))["CODEX_LOG_LEVEL"] == "trace"


# ---- quota


@pytest.mark.parametrize(
    ("given", "bytes_"),
    [
        # 20 GiB less 20 percent of headroom over the quota, in whole MiB.
        ({}, 17066 * 2**20),
        ({"persistence": {"kind": "volume", "size": "1Gi"}}, 853 * 2**20),
        ({"software": {**CODEX, "headroomPercent": 60}}, 12800 * 2**20),
        ({"software": {**CODEX, "quota": "10Gi"}}, 10 * 2**30),
        ({"persistence": {"kind": "ephemeral", "size": "12Gi"}}, 10 * 2**30),
        ({"nodes": {"1": {"size": "120Gi"}}}, 100 * 2**30),
        ({"persistence": {"kind": "existingClaim", "claim": "a", "size": "12Gi"}}, 10 * 2**30),
        ({"persistence": {"kind": "volume", "size": "1Mi"}}, 2**20),
    ],
)
def test_the_quota_fits_the_volume(given: dict[str, Any], bytes_: int) -> None:
    assert env(plan(**given))["CODEX_STORAGE_QUOTA"] == str(bytes_)


# ---- peers to start from


@pytest.mark.parametrize(
    ("kind", "version", "bootstrap", "args", "url"),
    [
        ("codex", "0.2.4", {"kind": "network", "name": "testnet"}, ["codex"], "https://spr.codex.storage/testnet"),
        (
            "archivist",
            "0.2.0",
            {"kind": "network", "name": "devnet"},
            ["archivist"],
            "https://config.archivist.storage/devnet/spr",
        ),
        ("logosStorage", "0.4.2", {"kind": "network", "name": "logos.test"}, ["storage", "--network=logos.test"], None),
        ("logosStorage", "0.5.3", {"kind": "none"}, ["storage", "--no-bootstrap-node"], None),
        ("logosStorage", "0.3.2", {"kind": "none"}, ["storage"], None),
        ("codex", "0.2.5", {"kind": "none"}, ["codex"], None),
        (
            "logosStorage",
            "0.5.3",
            {"kind": "sprs", "sprs": [SPR, f"{SPR}="]},
            ["storage", f"--bootstrap-node={SPR}", f"--bootstrap-node={SPR}="],
            None,
        ),
    ],
)
def test_a_node_starts_from_the_peers_that_were_chosen(
    kind: str, version: str, bootstrap: dict[str, Any], args: list[str], url: str | None
) -> None:
    planned = plan(software=software(kind, version), bootstrap=bootstrap)
    assert container(planned)["args"] == args
    assert not [name for name in env(planned) if "NETWORK" in name or "BOOTSTRAP" in name]
    asked = env(planned, called="prepare")
    assert asked.get("BOOTSTRAP_URLS") == url
    assert asked.get("BOOTSTRAP_ARG") == (None if url is None else "--bootstrap-node={spr}")


@pytest.mark.parametrize(("kind", "version"), [("codex", "0.2.3"), ("codex", "0.1.9"), ("logosStorage", "0.3.2")])
def test_a_network_that_the_version_cannot_join_by_name_is_refused(kind: str, version: str) -> None:
    assert refusals(software=software(kind, version), bootstrap={"kind": "network", "name": "testnet"}) == [
        f"bootstrap.name: {kind} {version} joins no network by name; give its peer records with kind: sprs"
    ]


OWN = {"kind": "own", "nodes": 2}
FIRST, SECOND = "http://codex-bootstrap-1-service:8080/api/{}/v1/spr", "http://codex-bootstrap-2-service:8080/api/{}/v1/spr"


@pytest.mark.parametrize(("kind", "version", "api"), [("codex", "0.2.5", "codex"), ("logosStorage", "0.5.3", "storage")])
def test_nodes_fetch_the_records_of_the_groups_own_bootstrap_nodes(kind: str, version: str, api: str) -> None:
    planned = plan(software=software(kind, version), bootstrap=OWN)
    nodes = ("codex-bootstrap-1", "codex-bootstrap-2", "codex-1")
    asked = {name: env(planned, name, "prepare").get("BOOTSTRAP_URLS") for name in nodes}
    first, second = FIRST.format(api), SECOND.format(api)
    assert asked == {"codex-bootstrap-1": None, "codex-bootstrap-2": first, "codex-1": f"{first} {second}"}
    assert env(planned, called="prepare")["BOOTSTRAP_ARG"] == "--bootstrap-node={spr}"


def test_only_a_bootstrap_node_that_starts_from_nobody_is_told_to_join_no_network() -> None:
    # Together with a peer record the node would quit: "Cannot specify bootstrap nodes when using no-bootstrap flag".
    planned = plan(software=software("logosStorage", "0.5.3"), bootstrap=OWN)
    assert {name: container(planned, name)["args"] for name in ("codex-bootstrap-1", "codex-bootstrap-2", "codex-1")} == {
        "codex-bootstrap-1": ["storage", "--no-bootstrap-node"],
        "codex-bootstrap-2": ["storage"],
        "codex-1": ["storage"],
    }


# ---- marketplace


@pytest.mark.parametrize(
    ("kind", "version", "prover", "args"),
    [
        ("codex", "0.2.5", True, ["codex", "persistence", "prover"]),
        ("codex", "0.1.9", False, ["codex", "persistence"]),
        ("archivist", "0.2.0", True, ["archivist", "--persistence", "--prover"]),
        ("archivist", "0.2.0", False, ["archivist", "--persistence"]),
    ],
)
def test_the_marketplace_is_a_subcommand_or_a_flag(kind: str, version: str, prover: bool, args: list[str]) -> None:
    given = {"marketplace": {"ethProvider": RPC, "prover": prover}}
    assert argv(kind, version, software=given) == args
    prefix = args[0].upper()
    found = told(kind, version, **given)
    assert found[f"{prefix}_ETH_PROVIDER"] == {"secretKeyRef": {"name": "rpc", "key": "url"}}
    assert found[f"{prefix}_ETH_PRIVATE_KEY"] == "/run/nodestead/eth-private-key"
    # Beside the data, where they outlive the pod.
    assert found.get(f"{prefix}_CIRCUIT_DIR") == ("/data/node/circuits" if prover else None)
    started = env(plan(software=software(kind, version, **given)))
    assert (started.get("PROVER"), started.get("PREFIX")) == (("true", prefix) if prover else (None, None))


def test_a_prover_that_cannot_find_its_contract_is_refused_without_one() -> None:
    (problem,) = refusals(software=software("codex", "0.2.3", marketplace={"ethProvider": RPC}))
    assert problem == (
        "software.marketplace.address: a prover of codex 0.2.3 fetches its circuits by the marketplace contract and cannot find"
        " that itself; give the contract's address, or set prover to false"
    )
    for market in ({"ethProvider": RPC, **AT}, {"ethProvider": RPC, "prover": False}):
        parse(StorageNodeGroupArgs, config(software=software("codex", "0.2.3", marketplace=market)))


def test_the_marketplace_contract_is_that_of_the_version_unless_given() -> None:
    address = "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c"
    assert "CODEX_MARKETPLACE_ADDRESS" not in told("codex", "0.2.5", marketplace={"ethProvider": RPC})
    found = told("codex", "0.2.5", marketplace={"ethProvider": RPC, "address": address})
    assert found["CODEX_MARKETPLACE_ADDRESS"] == address


def test_a_bootstrap_node_neither_trades_nor_has_a_key() -> None:
    market = software("codex", "0.2.5", marketplace={"ethProvider": RPC, "availability": OFFER})
    planned = plan(software=market, bootstrap={"kind": "own"})
    assert container(planned, "codex-bootstrap-1")["args"] == ["codex"]
    assert not [name for name in env(planned, "codex-bootstrap-1") if "ETH" in name]
    assert [one["name"] for one in pod(planned, "codex-bootstrap-1")["containers"]] == ["node"]
    assert "key" not in [volume["name"] for volume in pod(planned, "codex-bootstrap-1")["volumes"]]


@pytest.mark.parametrize(("kind", "version"), [("codex", "0.2.5"), ("archivist", "0.2.0")])
def test_a_bootstrap_node_gets_no_option_of_the_marketplace(kind: str, version: str) -> None:
    traded = {"validator": "true", "reward-recipient": "0x1", "proof-samples": "5", "max-priority-fee-per-gas": "1"}
    market = software(kind, version, marketplace={"ethProvider": RPC}, options={**traded, "agent-string": "mine"})
    planned = plan(software=market, bootstrap={"kind": "own"})
    names = {f"{kind.upper()}_{flag.upper().replace('-', '_')}" for flag in traded}
    assert names <= set(env(planned))
    found = env(planned, "codex-bootstrap-1")
    assert not names & set(found)
    assert found[f"{kind.upper()}_AGENT_STRING"] == "mine"
    assert "PROVER" not in found


def test_logos_storage_has_no_marketplace() -> None:
    assert refusals(software=software("logosStorage", "0.5.3", marketplace={"ethProvider": RPC})) == [
        "software.marketplace: logosStorage 0.5.3 has no marketplace; leave it out, or use codex or archivist"
    ]


FLAT = {"minimumPricePerBytePerSecond": "1", "maximumCollateralPerByte": "2", "maximumDuration": 3600}
OLD = {"totalSize": "1", "duration": "2", "minPrice": "3", "maxCollateral": "4"}


@pytest.mark.parametrize(
    ("kind", "version", "offer"),
    [
        ("codex", "0.1.9", OLD),
        ("codex", "0.2.0", OFFER),
        ("codex", "0.2.1", {**OFFER, "enabled": False, "until": 0}),
        ("archivist", "0.2.0", {**OFFER, "enabled": True}),
        ("archivist", "0.2.0", {**FLAT, "availableUntil": 0}),
    ],
)
def test_an_offer_is_kept_by_a_sidecar_as_the_api_takes_it(kind: str, version: str, offer: dict[str, Any]) -> None:
    market = {"marketplace": {"ethProvider": RPC, "availability": offer, "availabilityInterval": "5m", **AT}}
    planned = plan(software=software(kind, version, **market))
    found = env(planned, called="availability")
    assert found["API_URL"] == f"http://127.0.0.1:8080/api/{kind}/v1"
    assert found["INTERVAL"] == "300"
    assert json.loads(found["AVAILABILITY"]) == offer
    assert container(planned, called="availability")["image"] == container(planned)["image"]


@pytest.mark.parametrize(
    ("version", "offer", "shape"),
    [
        ("0.1.9", OFFER, "maxCollateral, minPrice"),
        ("0.2.0", {**OFFER, "enabled": True}, "minPricePerBytePerSecond, totalCollateral"),
        ("0.2.5", FLAT, "minPricePerBytePerSecond, totalCollateral"),
        ("0.2.5", {"totalSize": "1"}, "duration, minPricePerBytePerSecond"),
        ("0.2.5", {}, "nothing is refused; codex 0.2.5 takes duration"),
    ],
)
def test_an_offer_of_another_version_is_refused_with_the_right_shape(version: str, offer: dict[str, Any], shape: str) -> None:
    (problem,) = refusals(software=software("codex", version, marketplace={"ethProvider": RPC, "availability": offer, **AT}))
    assert problem.startswith("software.marketplace.availability: ")
    assert shape in problem


@pytest.mark.parametrize("field", ["totalSize", "duration", "minPricePerBytePerSecond", "totalCollateral"])
def test_an_offer_of_nothing_is_refused(field: str) -> None:
    market = {"ethProvider": RPC, "availability": {**OFFER, field: "0"}}
    assert refusals(software=software("codex", "0.2.5", marketplace=market)) == [
        f"software.marketplace.availability.{field}: 0 is refused by the node; give a positive number"
    ]


def test_the_provider_of_a_group_may_be_a_url_and_is_then_a_secret() -> None:
    url = "https://rpc.example.org/v3/0123456789abcdef"
    planned = plan(software=software("codex", "0.2.5", marketplace={"ethProvider": {"url": url}}))
    assert env(planned)["CODEX_ETH_PROVIDER"] == {"secretKeyRef": {"name": "codex-eth-provider", "key": "url"}}
    data = find(planned, "Secret", "codex-eth-provider")["stringData"]["url"]
    assert data.make(url) == url
    assert data.stand_in == "(URL of the Ethereum provider)"
    (ref,) = data.refs
    assert ref.get_secret_value() == url
