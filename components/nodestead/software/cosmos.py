"""Chains of the Cosmos SDK, 0.45 on: one binary that holds CometBFT and the chain's own application.

Keys of app.toml are those of the SDK's `server/config/toml.go`, flags those of its `server/start.go`.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.software.app_toml import APP_COMPUTED, AppConfig, app_files
from nodestead.software.chain_spec import ChainRole, ChainSpec, ChainType, Overrides, merged
from nodestead.software.comet import (
    COMPUTED,
    PSQL_CONNECTION,
    CometConfig,
    Database,
    LogFormat,
    comet_files,
    comet_role_problems,
)
from nodestead.software.presets import ChainPreset, preset
from nodestead.software.start_flags import NODE_FLAGS, argument_problems

__all__ = [
    "CosmosChain",
    "CosmosOverrides",
    "cosmos_spec",
]

_DENOM = r"[a-zA-Z][a-zA-Z0-9/:._-]{2,127}"
_PRICE = re.compile(rf"(?:[0-9]{{1,40}}(?:\.[0-9]{{1,18}})?|\.[0-9]{{1,18}})\s*({_DENOM})")
_LEVEL = r"(?:trace|debug|info|warn|error|fatal|panic|disabled)"


class CosmosOverrides(Overrides):
    """Values for the node's files beyond the fields here, merged last."""

    app: dict[str, Any] = Field(default_factory=dict, description="Over app.toml, as in `json-rpc: {enable: true}`.")
    client: dict[str, Any] = Field(default_factory=dict, description="Over client.toml.")

    def files(self) -> dict[str, dict[str, Any]]:
        """The overrides by the name of their file."""
        return {"config": self.config, "app": self.app, "client": self.client}


class CosmosChain(Model):
    """A chain of the Cosmos SDK. What is given here wins over the preset."""

    kind: Literal["cosmos"]
    chain: str | None = Field(
        default=None,
        min_length=1,
        description="A public chain by the name of its preset, as in cosmoshub-4, or by its file, which ends in .json.",
    )
    chain_id: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,49}$", description="As in the genesis.")
    network: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        description="mainnet, testnet or any other word; a label.",
    )
    binary: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,252}$", description="Program in the image."
    )
    home: str = Field(
        default="cosmos",
        pattern=r"^(?:[A-Za-z0-9_]|\.[A-Za-z0-9_])[A-Za-z0-9_.-]{0,61}$",
        description="Folder under /home/operator that is the chain's home.",
    )
    shell: bool = Field(default=True, description="Whether the image has sh, which several versions need.")
    address_prefix: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,82}$", description="Bech32 prefix.")
    denom: str | None = Field(default=None, pattern=rf"^{_DENOM}$", description="Token that is staked.")
    min_gas_price: str | None = Field(
        default=None,
        max_length=1000,
        description="Least prices for gas, comma separated, as in 0.005uatom; the node insists on it.",
    )
    log_level: str = Field(
        default="info",
        pattern=rf"^{_LEVEL}$|^(?:[A-Za-z0-9_*/-]{{1,64}}:{_LEVEL})(?:,[A-Za-z0-9_*/-]{{1,64}}:{_LEVEL})*$",
        description="trace, debug, info, warn, error, fatal, panic or disabled; from SDK 0.50 on also by module:"
        " consensus:debug,*:info",
    )
    log_format: LogFormat = "plain"
    database_backend: Database = Field(default="goleveldb", description="It cannot change under data; the binary must know it.")
    skip_invariants: bool = Field(
        default=False, description="Start without checking the state's invariants; only where the chain has the crisis module."
    )
    init_args: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), strict=False, description="More arguments of `init`."
    )
    start_args: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), strict=False, description="More arguments of `start`, as in --unsafe-skip-upgrades=100."
    )
    config: CometConfig = CometConfig()
    app: AppConfig = AppConfig()
    overrides: CosmosOverrides = CosmosOverrides()

    def problems(self) -> Iterator[Problem]:
        """What is needed is given or in the preset; nothing says what is said elsewhere."""
        try:
            _ = self.chain_preset
        except ValueError as error:
            yield Problem(["chain"], str(error))
        if self.chain is None:
            for name, value in (("chainId", self.chain_id), ("binary", self.binary)):
                if value is None:
                    yield Problem([name], "is required without a preset; add it, or name the preset in chain")
        yield from self._price_problems()
        yield from argument_problems("initArgs", self.init_args, _INIT_FLAGS)
        yield from argument_problems("startArgs", self.start_args, _START_FLAGS)
        yield from self.overrides.computed_problems(_COMPUTED, f"config.{PSQL_CONNECTION}")

    def _price_problems(self) -> Iterator[Problem]:
        if self.min_gas_price is None:
            return
        seen: set[str] = set()
        for price in self.min_gas_price.split(","):
            match = _PRICE.fullmatch(price.strip())
            if match is None:
                yield Problem(["minGasPrice"], f"{price[:80]!r} is no price; write amount and token, as in 0.005uatom,0.1ibc/ABC")
            elif match[1] in seen:
                yield Problem(["minGasPrice"], f"has {match[1]} twice; leave one price for each token")
            else:
                seen.add(match[1])

    def role_problems(self, node_type: ChainType, *, local: bool) -> Iterator[Problem]:
        """What does not go with the type and the network of a set; paths begin at the software.

        Args:
            node_type: The type of the set's nodes.
            local: Whether the set is a closed network of its own, where transactions may be free.
        """
        if self.min_gas_price is None and not local and (self.chain_preset is None or self.chain_preset.min_gas_price is None):
            why = "is required: without it the node does not start"
            yield Problem(["minGasPrice"], f"{why}; add it, as in 0.005uatom, or 0uatom to take transactions for nothing")
        found = self.chain_preset
        if found is not None and not local and self.chain_id not in (None, found.chain_id):
            yield Problem(
                ["chainId"],
                f"{self.chain_id} is not the chain of {self.chain}, {found.chain_id}, whose genesis and peers are used; leave out"
                " one of the two",
            )
        yield from comet_role_problems(self.config, node_type)

    @cached_property
    def chain_preset(self) -> ChainPreset | None:
        """The preset that `chain` names.

        Raises:
            ValueError: where there is none of that name.
        """
        return None if self.chain is None else preset(self.chain)

    def known(self, name: Literal["chain_id", "network", "binary", "prefix", "denom", "min_gas_price"]) -> str | None:
        """What is given here, else what the preset has."""
        given: str | None = getattr(self, "address_prefix" if name == "prefix" else name)
        if given is not None or self.chain_preset is None:
            return given
        return getattr(self.chain_preset, name)


_FIELD = "set {} instead".format
_INIT_FLAGS = {
    "home": "leave it out",
    "chain_id": _FIELD("chainId"),
    "overwrite": "leave it out",
    "o": "leave it out",
    "recover": "it waits for somebody to type words; leave it out",
}
_PORTS = "set ports of the set instead"
_START_FLAGS = NODE_FLAGS | {
    "halt_height": "set versions of the set or app.haltHeight instead",
    "halt_time": _FIELD("app.haltTime"),
    "minimum_gas_prices": _FIELD("minGasPrice"),
    "log_format": _FIELD("logFormat"),
    "app_db_backend": _FIELD("databaseBackend"),
    "chain_id": _FIELD("chainId"),
    "x_crisis_skip_assert_invariants": _FIELD("skipInvariants"),
    "with_tendermint": "the node is run with CometBFT; leave it out",
    "with_comet": "the node is run with CometBFT; leave it out",
    "grpc_only": "the node is run with CometBFT; leave it out",
    "proxy_app": "leave it out",
    "transport": "leave it out",
    "address": "leave it out",
    "api.address": _PORTS,
    "api.enable": _FIELD("app.api.enabled"),
    "grpc.address": _PORTS,
    "grpc.enable": _FIELD("app.grpc.enabled"),
    "grpc_web.address": _PORTS,
    "grpc_web.enable": _FIELD("app.grpcWeb.enabled"),
    "pruning": _FIELD("app.pruning.strategy"),
    "pruning_keep_recent": _FIELD("app.pruning.keepRecent"),
    "pruning_keep_every": _FIELD("app.pruning.keepEvery"),
    "pruning_interval": _FIELD("app.pruning.interval"),
    "min_retain_blocks": _FIELD("app.pruning.minRetainBlocks"),
    "state_sync.snapshot_interval": _FIELD("app.stateSync.snapshotInterval"),
    "state_sync.snapshot_keep_recent": _FIELD("app.stateSync.snapshotKeepRecent"),
}
_COMPUTED = {
    "config": COMPUTED,
    "app": APP_COMPUTED,
    "client": {"chain_id": "set chainId", "node": "set ports.rpc of the set"},
}


def cosmos_spec(software: CosmosChain, role: ChainRole) -> ChainSpec:
    """What one node of a chain is run with.

    Args:
        software: The software's config.
        role: What the set decided for the node.
    """
    chain_id, binary = software.known("chain_id") or "", software.known("binary") or ""
    connection = software.config.tx_index.psql_connection
    found = software.chain_preset
    overrides, computed = software.overrides.files(), _files(software, role, chain_id)
    return ChainSpec(
        software="cosmos",
        chain_id=chain_id,
        version=found.recommended if found is not None else None,
        image=(found.repository, found.recommended) if found is not None and found.repository is not None else None,
        init=(binary, "init", role.moniker, "--chain-id", chain_id, "--home", "{defaults}", "--overwrite", *software.init_args),
        start=(
            *(binary, "start", "--home", role.home),
            *(("--x-crisis-skip-assert-invariants",) if software.skip_invariants else ()),
            *("--log_level", software.log_level, "--log_format", software.log_format),
            *software.start_args,
        ),
        files={name: merged(values, overrides[name]) for name, values in computed.items()},
        has_app=True,
        unchangeable={"chainId": chain_id, "databaseBackend": software.database_backend},
        env={},
        serves=software.app.serves,
        secret_env={f"{_env_prefix(binary)}_TX_INDEX_PSQL_CONN": connection} if connection is not None else {},
    )


def _env_prefix(binary: str) -> str:
    # InterceptConfigsPreRunHandler: the base name of the executable; viper makes _ of dots and dashes.
    return re.sub(r"[.-]", "_", binary.rpartition("/")[2]).upper()


def _files(software: CosmosChain, role: ChainRole, chain_id: str) -> dict[str, dict[str, Any]]:
    # A closed network may take transactions for nothing, but an empty price stops the node.
    price = software.known("min_gas_price") or f"0{software.known('denom') or 'stake'}"
    return {
        "config": comet_files(
            software.config,
            role,
            log_level=software.log_level,
            log_format=software.log_format,
            database=software.database_backend,
        ),
        "app": app_files(software.app, role, min_gas_price=re.sub(r"\s", "", price), database=software.database_backend),
        "client": {"chain-id": chain_id, "node": f"tcp://localhost:{role.rpc_port}"},
    }
