"""Codex, Logos Storage and Archivist: one model, and for each version the words that its nodes understand."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from nodestead.config.base import Model, Problem
from nodestead.config.pod import KeyRef
from nodestead.config.quantity import quantity_bytes
from nodestead.config.scalars import (
    Duration,
    EthAddress,
    Quantity,
    SecretText,
    Size,
    duration_seconds,
    is_url,
)
from nodestead.software.codex_versions import COMPUTED, MARKETPLACE_OPTIONS, Grammar, grammar_of
from nodestead.software.spec import MetricNames, NodeRole, NodeSpec

__all__ = ["Availability", "CodexFamily", "EthProvider", "Marketplace", "codex_spec"]

_IMAGES = {
    "codex": "docker.io/codexstorage/nim-codex",
    "logosStorage": "docker.io/logosstorage/logos-storage-nim",
    "archivist": "docker.io/durabilitylabs/archivist-node",
}
_LABELS = {"codex": "codex", "logosStorage": "logos-storage", "archivist": "archivist"}
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,78}$", description="A whole number in quotes; it may pass 2^53.")]


class Availability(Model):
    """What a node offers to the marketplace; which fields there are depends on the version."""

    total_size: Amount | None = Field(default=None, description="Bytes offered.")
    duration: Amount | None = Field(default=None, description="Longest contract, in seconds.")
    min_price_per_byte_per_second: Amount | None = Field(default=None, description="Codex 0.2: in the token's smallest unit.")
    total_collateral: Amount | None = Field(default=None, description="Codex 0.2: collateral that the node may put up.")
    enabled: bool | None = Field(default=None, description="Codex 0.2.1 on: whether new contracts are taken.")
    until: int | None = Field(default=None, ge=0, description="Codex 0.2.1 on: Unix time after which none is taken; 0 for never.")
    min_price: Amount | None = Field(default=None, description="Codex 0.1.")
    max_collateral: Amount | None = Field(default=None, description="Codex 0.1.")
    minimum_price_per_byte_per_second: Amount | None = Field(default=None, description="Newer Archivist.")
    maximum_collateral_per_byte: Amount | None = Field(default=None, description="Newer Archivist.")
    maximum_duration: int | None = Field(default=None, ge=1, description="Newer Archivist, in seconds.")
    available_until: int | None = Field(default=None, ge=0, description="Newer Archivist: Unix time; 0 for no limit.")

    def given(self) -> dict[str, Any]:
        """The fields that were given, as the API spells them."""
        return self.model_dump(by_alias=True, exclude_none=True)


class EthProvider(Model):
    """The Ethereum RPC endpoint: from a Secret, or a URL, which is then kept in a Secret of the set."""

    secret: KeyRef | None = None
    url: SecretText | None = Field(default=None, description="A URL; it often holds a token, so it is treated as a secret.")

    def problems(self) -> Iterator[Problem]:
        """One endpoint."""
        if (self.secret is None) == (self.url is None):
            yield Problem([], "the Ethereum provider has one source; give either secret (name and key) or url")
        if isinstance(self.url, SecretStr) and not is_url(self.url.get_secret_value()):
            yield Problem(["url"], "the value is not a URL; write it with scheme and host, as in https://rpc.example.org/path")


class Marketplace(Model):
    """Storage contracts: the node proves and sells storage for tokens."""

    eth_provider: EthProvider
    prover: bool = Field(default=True, description="Prove storage and fill slots; circuit files are kept on the volume.")
    address: EthAddress | None = Field(
        default=None, description="Marketplace contract; by default the one that the version knows for the chain."
    )
    availability: Availability | None = Field(default=None, description="Kept offered by a sidecar, also after restarts.")
    availability_interval: Duration = Field(default="60s", description="How often the sidecar looks.")


class CodexFamily(Model):
    """Codex 0.1 and 0.2, Logos Storage 0.3 to 0.5, Archivist 0.2."""

    kind: Literal["codex", "logosStorage", "archivist"]
    version: str = Field(
        pattern=r"^\d+\.\d+\.\d+$", description="Release of the node; picks image, flags, API path and NAT words."
    )
    quota: Size | None = Field(default=None, description="What a node may fill; by default its volume less the headroom.")
    headroom_percent: int = Field(
        default=20,
        ge=5,
        le=90,
        description="Room of the volume beyond the quota: metadata, circuits, and writes in flight need it.",
    )
    block_ttl: Duration | None = Field(default=None, description="How long a block without contract stays.")
    block_maintenance_interval: Duration | None = None
    block_maintenance_batch: int | None = Field(default=None, ge=1, description="Blocks looked at in one round of maintenance.")
    max_peers: int | None = Field(default=None, ge=1)
    num_threads: int | None = Field(
        default=None, ge=0, le=256, description="Worker threads: 0 for one per core, else at least 2."
    )
    cache_size: Quantity | None = None
    repo_kind: Literal["fs", "sqlite", "leveldb"] | None = Field(
        default=None, description="How blocks are stored; it cannot change under data."
    )
    log_level: str | None = Field(
        default=None,
        pattern=r"^(?i:trace|debug|info|notice|warn|error|fatal|none)(;.*)?$",
        description="Level, then topics: info;trace:marketplace",
    )
    log_format: Literal["auto", "colors", "nocolors", "json", "none"] | None = None
    api_cors_origin: str | None = None
    marketplace: Marketplace | None = None
    options: dict[str, str] = Field(
        default_factory=dict,
        description="Any other option of the version, by the name of its flag without dashes: {proof-samples: '5'}.",
    )

    def problems(self) -> Iterator[Problem]:
        """The version must know every setting: a node ignores one that it does not know, in silence."""
        try:
            grammar = grammar_of(self.kind, self.version)
        except ValueError as error:
            yield Problem(["version"], str(error))
            return
        yield from self._settings_problems(grammar)
        yield from self._marketplace_problems(grammar)

    def _settings_problems(self, grammar: Grammar) -> Iterator[Problem]:
        for name, flag in _FLAGS.items():
            if getattr(self, name) is not None and flag not in self.known_options(grammar):
                yield Problem([_camel(name)], self.why_unknown(grammar, flag))
        if self.num_threads == 1:
            yield Problem(["numThreads"], "1 is refused; the node takes 0 or at least 2")
        for flag in self.options:
            if flag in COMPUTED:
                yield Problem(["options", flag], f"is computed; {COMPUTED[flag]}")
            elif flag not in self.known_options(grammar):
                yield Problem(["options", flag], self.why_unknown(grammar, flag))
            elif flag in _FLAGS.values():
                field = next(_camel(name) for name, known in _FLAGS.items() if known == flag)
                yield Problem(["options", flag], f"has a field of its own; set {field}")

    def _marketplace_problems(self, grammar: Grammar) -> Iterator[Problem]:
        if self.marketplace is None:
            return
        if grammar.marketplace is None:
            yield Problem(
                ["marketplace"], f"{self.kind} {self.version} has no marketplace; leave it out, or use codex or archivist"
            )
            return
        if self.marketplace.prover and self.marketplace.address is None and not grammar.finds_contract:
            yield Problem(
                ["marketplace", "address"],
                f"a prover of {self.kind} {self.version} fetches its circuits by the marketplace contract and cannot find that"
                " itself; give the contract's address, or set prover to false",
            )
        offer = self.marketplace.availability
        if offer is None:
            return
        given = set(offer.model_dump(exclude_none=True))
        if not any(needed <= given <= needed | may for needed, may in grammar.availability):
            shapes = " or ".join(", ".join(sorted(map(_camel, needed))) for needed, _ in grammar.availability)
            yield Problem(
                ["marketplace", "availability"],
                f"{', '.join(sorted(map(_camel, given))) or 'nothing'} is refused; {self.kind} {self.version} takes {shapes}",
            )
        for name, value in offer.model_dump(exclude_none=True).items():
            if name not in ("enabled", "until", "available_until") and int(value) == 0:
                yield Problem(["marketplace", "availability", _camel(name)], "0 is refused by the node; give a positive number")

    def known_options(self, grammar: Grammar) -> frozenset[str]:
        """The options that are looked up: those of a subcommand count only when it is active."""
        if self.marketplace is None:
            return grammar.options
        known = grammar.options | grammar.persistence_options
        return known | grammar.prover_options if self.marketplace.prover else known

    def why_unknown(self, grammar: Grammar, flag: str) -> str:
        """What to say of an option that is not looked up."""
        if flag not in grammar.persistence_options | grammar.prover_options:
            return f"{self.kind} {self.version} has no --{flag} and would ignore it; leave it out"
        needed = "marketplace" if flag in grammar.persistence_options else "marketplace and its prover"
        return f"{self.kind} {self.version} reads --{flag} with {needed} only; add that, or leave it out"

    @property
    def grammar(self) -> Grammar:
        """How this version is spoken to."""
        return grammar_of(self.kind, self.version)


_FLAGS = {
    "block_ttl": "block-ttl",
    "block_maintenance_interval": "block-mi",
    "block_maintenance_batch": "block-mn",
    "max_peers": "max-peers",
    "num_threads": "num-threads",
    "cache_size": "cache-size",
    "repo_kind": "repo-kind",
    "log_level": "log-level",
    "log_format": "log-format",
    "api_cors_origin": "api-cors-origin",
}


def _camel(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def codex_spec(config: CodexFamily, role: NodeRole, network: str | None) -> NodeSpec:
    """What one node of the family is run with.

    Args:
        config: The software's config.
        role: What the set decided for the node.
        network: Named network to join, or None.
    """
    grammar = config.grammar
    env = {
        "DATA_DIR": role.data_dir,
        "API_BINDADDR": "0.0.0.0",  # noqa: S104 - probes and the Service come from outside the pod; a NetworkPolicy closes the port
        "API_PORT": str(role.api_port),
        "METRICS": "true",
        "METRICS_ADDRESS": "0.0.0.0",  # noqa: S104
        "METRICS_PORT": str(role.metrics_port),
        "STORAGE_QUOTA": str(role.quota_bytes),
        "LOG_LEVEL": config.log_level or "info",
        **_listening(grammar, role),
        **_settings(config, role),
    }
    trades = config.marketplace if not role.bootstrap else None
    argv = [grammar.binary, *_marketplace_words(grammar, trades)]
    extra: dict[str, str] = {}
    if trades is not None:
        if role.key_file is not None:
            env["ETH_PRIVATE_KEY"] = role.key_file
        if trades.address is not None:
            env["MARKETPLACE_ADDRESS"] = trades.address
        if trades.prover:
            env["CIRCUIT_DIR"] = f"{role.data_dir}/circuits"
            extra |= {"PROVER": "true", "PREFIX": grammar.prefix}
    if grammar.can_isolate and role.isolated and not role.sprs:
        argv.append("--no-bootstrap-node")
    urls: tuple[str, ...] = ()
    if network is not None and grammar.network_url is not None:
        urls = (grammar.network_url.replace("{name}", network),)
    elif network is not None:
        argv.append(f"--network={network}")
    argv += [f"--bootstrap-node={spr}" for spr in role.sprs]
    provider = trades.eth_provider.secret if trades is not None else None
    return NodeSpec(
        software=_LABELS[config.kind],
        version=config.version,
        image=(_IMAGES[config.kind], config.version),
        # Not that of the image: it prints the environment, and with it the Ethereum provider's URL.
        entrypoint="",
        argv=tuple(argv),
        env={f"{grammar.prefix}_{name}": value for name, value in env.items()} | extra,
        secret_env={f"{grammar.prefix}_ETH_PROVIDER": provider} if provider is not None else {},
        api_path=grammar.api_path,
        health_path=f"{grammar.api_path}/debug/info",
        spr_path=f"{grammar.api_path}/spr",
        nat_arg=f"--nat={grammar.nat}",
        bootstrap_arg="--bootstrap-node={spr}",
        bootstrap_urls=urls,
        has_udp=grammar.has_udp,
        metrics=MetricNames(
            quota_used=f"{grammar.metric_prefix}_repostore_bytes_used",
            quota_reserved=f"{grammar.metric_prefix}_repostore_bytes_reserved",
            peers="libp2p_peers",
        ),
        availability=trades.availability.given() if trades is not None and trades.availability is not None else None,
        unchangeable={"repoKind": config.repo_kind or "fs"},
    )


def _listening(grammar: Grammar, role: NodeRole) -> dict[str, str]:
    any_address = "0.0.0.0"  # noqa: S104 - peers come from everywhere
    if grammar.listen == "ip-and-port":
        env = {"LISTEN_IP": any_address, "LISTEN_PORT": str(role.peer_port)}
    else:
        env = {"LISTEN_ADDRS": f"/ip4/{any_address}/tcp/{role.peer_port}"}
    if grammar.has_udp:
        env["DISC_PORT"] = str(role.discovery_port)
    if "disc-ip" in grammar.options:
        env["DISC_IP"] = any_address
    return env


def _settings(config: CodexFamily, role: NodeRole) -> dict[str, str]:
    """Settings with a field, then the others, as environment variables without prefix."""
    skipped = MARKETPLACE_OPTIONS if role.bootstrap else frozenset[str]()
    values: dict[str, str] = {}
    for name, flag in _FLAGS.items():
        value = getattr(config, name)
        if value is None:
            continue
        if name in ("block_ttl", "block_maintenance_interval"):
            value = f"{duration_seconds(value)}s"
        elif name == "cache_size":
            value = quantity_bytes(value)
        values[flag] = str(value)
    return {flag.upper().replace("-", "_"): value for flag, value in (values | config.options).items() if flag not in skipped}


def _marketplace_words(grammar: Grammar, trades: Marketplace | None) -> list[str]:
    if trades is None:
        return []
    words = ["persistence", "prover"] if trades.prover else ["persistence"]
    return words if grammar.marketplace == "subcommand" else [f"--{word}" for word in words]
