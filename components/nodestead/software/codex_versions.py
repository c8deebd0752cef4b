"""Which version of Codex, Logos Storage and Archivist speaks which grammar.

One code base under three names: env prefix, flags, API path, NAT words and ports differ by version, and a node ignores
an environment variable that it does not know without a word. Read from `conf.nim` at the releases' tags (codex 0.1.9 to
0.2.5; Logos Storage 0.3 to 0.5: the nearest states of the main branch and the change log of its Go bindings; Archivist 0.2).
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["COMPUTED", "MARKETPLACE_OPTIONS", "Grammar", "grammar_of", "known_versions"]

Kind = Literal["codex", "logosStorage", "archivist"]

_COMMON = frozenset(
    """config-file log-level log-format metrics metrics-address metrics-port data-dir nat net-privkey bootstrap-node max-peers
    agent-string api-bindaddr api-port api-cors-origin repo-kind storage-quota block-ttl block-mi block-mn log-file""".split()
)
_VALIDATOR = frozenset("validator validator-max-slots validator-groups validator-group-index reward-recipient".split())
_CIRCUITS = frozenset(
    """circuit-dir circom-r1cs circom-wasm circom-zkey circom-no-zkey proof-samples max-slot-depth max-dataset-depth
    max-block-depth max-cell-elements""".split()
)
_ETHEREUM = frozenset("eth-provider eth-account eth-private-key marketplace-address".split())
_CODEX_0_1 = _COMMON | {"listen-addrs", "disc-ip", "disc-port", "cache-size"}
_CODEX_0_2 = _COMMON | {"listen-addrs", "disc-port", "cache-size", "num-threads"}
_LOGOS_0_3 = _COMMON | {"listen-addrs", "disc-port", "cache-size", "num-threads", "block-retries"}
_LOGOS_0_4 = _COMMON | frozenset(
    """listen-ip listen-port disc-port num-threads block-retries no-bootstrap-node network dht-mix-proxy mix-enabled mix-pool
    mix-pool-json dht-proxy-max-inflight discovery-table-ip-limit discovery-bucket-ip-limit""".split()
)
_LOGOS_0_5 = (_LOGOS_0_4 - {"disc-port"}) | frozenset(
    """advertise-content nat-schedule-interval nat-num-peers-to-ask nat-max-queue-size nat-min-confidence
    nat-observed-addr-min-count nat-max-relays nat-port-mapping-discover-timeout nat-port-mapping-timeout
    nat-port-mapping-recheck-period autonat-server relay-server""".split()
)
_ARCHIVIST = (
    _COMMON
    | _ETHEREUM
    | _VALIDATOR
    | _CIRCUITS
    | frozenset(
        """listen-addrs disc-port cache-size num-threads persistence prover use-system-clock request-cache-size
        max-priority-fee-per-gas prover-backend curve circom-graph""".split()
    )
)

_TRADE = frozenset(
    "simulate-proof-failures request-cache-size max-priority-fee-per-gas prover-backend curve circom-graph".split()
)
MARKETPLACE_OPTIONS = _ETHEREUM | _VALIDATOR | _CIRCUITS | _TRADE
"""Options of nodes that trade, validate or prove; a bootstrap node does none of it."""

COMPUTED = {
    "data-dir": "the library sets it",
    "net-privkey": "the key lies in the data folder",
    "listen-addrs": "set exposure",
    "listen-ip": "set exposure",
    "listen-port": "set exposure",
    "disc-ip": "set exposure",
    "disc-port": "set exposure",
    "nat": "set exposure.externalAddress",
    "bootstrap-node": "set bootstrap",
    "no-bootstrap-node": "set bootstrap",
    "network": "set bootstrap",
    "api-bindaddr": "the API listens for probes and its Service",
    "api-port": "set ports.api",
    "metrics": "the metrics are on",
    "metrics-address": "the metrics are on",
    "metrics-port": "set ports.metrics",
    "storage-quota": "set software.quota",
    "persistence": "set software.marketplace",
    "prover": "set software.marketplace.prover",
    "eth-provider": "set software.marketplace.ethProvider",
    "eth-account": "set keys; the option is obsolete",
    "eth-private-key": "set keys",
    "marketplace-address": "set software.marketplace.address",
    "circuit-dir": "circuit files lie on the volume",
    "config-file": "the library sets flags and environment, which win over a file",
}
"""Options that the library computes, and where their value comes from instead."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one range of versions is spoken to.

    Attributes:
        binary: Name of the program; first word of the container's arguments.
        prefix: Prefix of its environment variables.
        api_path: Base path of its API.
        metric_prefix: Prefix of its own metrics.
        options: Flags of the top level.
        persistence_options: Flags of the subcommand persistence, where it is one.
        prover_options: Flags of its subcommand prover.
        nat: The value of --nat that announces an address.
        listen: multiaddress, or ip-and-port.
        has_udp: Whether discovery has a UDP port.
        marketplace: How it is turned on: a subcommand, a flag, or not at all.
        can_isolate: Whether a node has to be told not to join a public network.
        networks: How a named network is joined: by the peer records at a URL, a flag, or not at all.
        network_url: That URL, with `{name}` in it.
        finds_contract: Whether a prover's circuits are found without the address of the marketplace contract.
        availability: The shapes of an offer that the API takes: needed fields, and those that may be given.
    """

    binary: str
    prefix: str
    api_path: str
    metric_prefix: str
    options: frozenset[str]
    persistence_options: frozenset[str]
    prover_options: frozenset[str]
    nat: str
    listen: Literal["multiaddress", "ip-and-port"]
    has_udp: bool
    marketplace: Literal["subcommand", "flag"] | None
    can_isolate: bool
    networks: Literal["url", "flag"] | None
    availability: tuple[tuple[frozenset[str], frozenset[str]], ...]
    network_url: str | None = None
    finds_contract: bool = True


_OFFER_0_1 = (frozenset({"total_size", "duration", "min_price", "max_collateral"}), frozenset[str]())
_OFFER_0_2_0 = (frozenset({"total_size", "duration", "min_price_per_byte_per_second", "total_collateral"}), frozenset[str]())
_OFFER_0_2 = (_OFFER_0_2_0[0], frozenset({"enabled", "until"}))
_OFFER_FLAT = (
    frozenset({"minimum_price_per_byte_per_second", "maximum_collateral_per_byte", "maximum_duration"}),
    frozenset({"available_until"}),
)


_Offer = tuple[frozenset[str], frozenset[str]]


def _codex(options: frozenset[str], persistence: frozenset[str], nat: str, offer: _Offer, *, by_chain: bool = False) -> Grammar:
    return Grammar(
        binary="codex",
        prefix="CODEX",
        api_path="/api/codex/v1",
        metric_prefix="codex",
        options=options,
        persistence_options=persistence,
        prover_options=_CIRCUITS,
        nat=nat,
        listen="multiaddress",
        has_udp=True,
        marketplace="subcommand",
        can_isolate=False,
        networks="url" if by_chain else None,
        availability=(offer,),
        network_url="https://spr.codex.storage/{name}" if by_chain else None,
        finds_contract=by_chain,
    )


def _logos(options: frozenset[str], metric_prefix: str, *, by_ip: bool, has_udp: bool) -> Grammar:
    return Grammar(
        binary="storage",
        prefix="STORAGE",
        api_path="/api/storage/v1",
        metric_prefix=metric_prefix,
        options=options,
        persistence_options=frozenset(),
        prover_options=frozenset(),
        nat=_EXTIP,
        listen="ip-and-port" if by_ip else "multiaddress",
        has_udp=has_udp,
        marketplace=None,
        can_isolate=by_ip,
        networks="flag" if by_ip else None,
        availability=(),
    )


_PERSISTENCE_0_1 = _ETHEREUM | _VALIDATOR | {"simulate-proof-failures"}
_PERSISTENCE_0_2 = _PERSISTENCE_0_1 | {"request-cache-size"}
_EXTIP = "extip:{address}"
_ARCHIVIST_0_2 = Grammar(
    binary="archivist",
    prefix="ARCHIVIST",
    api_path="/api/archivist/v1",
    metric_prefix="archivist",
    options=_ARCHIVIST,
    persistence_options=frozenset(),
    prover_options=frozenset(),
    nat=_EXTIP,
    listen="multiaddress",
    has_udp=True,
    marketplace="flag",
    can_isolate=False,
    networks="url",
    # Public sources disagree on which of the two release 0.2.0 has; the sidecar asks the node.
    availability=(_OFFER_0_2, _OFFER_FLAT),
    network_url="https://config.archivist.storage/{name}/spr",
)

# From which release on (patch releases inside the last minor go by it too); the newest first.
_GRAMMARS: dict[Kind, tuple[tuple[tuple[int, int, int], Grammar], ...]] = {
    "codex": (
        ((0, 2, 4), _codex(_CODEX_0_2, _PERSISTENCE_0_2 | {"max-priority-fee-per-gas"}, _EXTIP, _OFFER_0_2, by_chain=True)),
        ((0, 2, 1), _codex(_CODEX_0_2, _PERSISTENCE_0_2, _EXTIP, _OFFER_0_2)),
        ((0, 2, 0), _codex(_CODEX_0_2, _PERSISTENCE_0_2, _EXTIP, _OFFER_0_2_0)),
        ((0, 1, 0), _codex(_CODEX_0_1, _PERSISTENCE_0_1, "{address}", _OFFER_0_1)),
    ),
    "logosStorage": (
        ((0, 5, 0), _logos(_LOGOS_0_5, "storage", by_ip=True, has_udp=False)),
        ((0, 4, 0), _logos(_LOGOS_0_4, "storage", by_ip=True, has_udp=True)),
        # The metrics were renamed later than the binary (pull request 1399).
        ((0, 3, 0), _logos(_LOGOS_0_3, "codex", by_ip=False, has_udp=True)),
    ),
    "archivist": (((0, 2, 0), _ARCHIVIST_0_2),),
}
_NEWEST: dict[Kind, tuple[int, int]] = {"codex": (0, 2), "logosStorage": (0, 5), "archivist": (0, 2)}


def known_versions(kind: Kind) -> str:
    """The versions of a software that the library knows, in words."""
    first = _GRAMMARS[kind][-1][0]
    return f"{'.'.join(map(str, first))} to {'.'.join(map(str, _NEWEST[kind]))}.x"


def grammar_of(kind: Kind, version: str) -> Grammar:
    """The grammar of a version.

    Raises:
        ValueError: where the version is not one that the library knows.
    """
    numbers = tuple(int(part) for part in version.split("."))
    if numbers[:2] <= _NEWEST[kind]:
        for first, grammar in _GRAMMARS[kind]:
            if numbers >= first:
                return grammar
    raise ValueError(f"{version} of {kind} is not known here, {known_versions(kind)} are; use one of them, or kind: custom")
