"""CometBFT by itself: with one of the applications that it brings, or before an ABCI application of yours."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
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
from nodestead.software.start_flags import NODE_FLAGS, argument_problems

__all__ = ["CometbftChain", "cometbft_spec"]

_IMAGE = ("docker.io/cometbft/cometbft", "v0.38.17")
_BUILT_IN = frozenset({"kvstore", "persistent_kvstore", "noop"})
_LEVEL = r"(?:debug|info|error|none)"


class CometbftChain(Model):
    """A chain that CometBFT agrees on, for an application of yours or one that it brings."""

    kind: Literal["cometbft"]
    chain_id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,49}$", description="As in the genesis.")
    network: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", description="Any word; a label."
    )
    proxy_app: str = Field(
        pattern=r"^(?:kvstore|persistent_kvstore|noop|tcp://[A-Za-z0-9.-]{1,253}:[0-9]{1,5}|unix:///[^\s\"\\]{1,100})$",
        description="kvstore, persistent_kvstore or noop, which it brings, or the address of an ABCI application:"
        " tcp://app:26658.",
    )
    abci: Literal["socket", "grpc"] = Field(default="socket", description="How the application's address is spoken to.")
    binary: str = Field(
        default="cometbft", pattern=r"^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,252}$", description="Program in the image."
    )
    home: str = Field(
        default="cosmos",
        pattern=r"^(?:[A-Za-z0-9_]|\.[A-Za-z0-9_])[A-Za-z0-9_.-]{0,61}$",
        description="Folder under /home/operator that is the chain's home.",
    )
    shell: bool = Field(default=True, description="Whether the image has sh, which several versions need.")
    log_level: str = Field(
        default="info",
        pattern=rf"^{_LEVEL}$|^(?:[A-Za-z0-9_*/-]{{1,64}}:{_LEVEL})(?:,[A-Za-z0-9_*/-]{{1,64}}:{_LEVEL})*$",
        description="debug, info, error or none, or by module: consensus:debug,*:error",
    )
    log_format: LogFormat = "plain"
    database_backend: Database = Field(default="goleveldb", description="It cannot change under data; the binary must know it.")
    start_args: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), strict=False, description="More arguments of `start`, as in --genesis_hash=..."
    )
    config: CometConfig = CometConfig()
    overrides: Overrides = Overrides()

    def problems(self) -> Iterator[Problem]:
        """Nothing says what is said elsewhere."""
        if self.abci != "socket" and self.proxy_app in _BUILT_IN:
            yield Problem(["abci"], f"{self.abci} counts with an address in proxyApp only; leave it out")
        if self.proxy_app.startswith("tcp://") and not 0 < int(self.proxy_app.rpartition(":")[2]) < 65536:
            yield Problem(["proxyApp"], f"{self.proxy_app!r} has no port from 1 to 65535; write it as tcp://app:26658")
        yield from argument_problems("startArgs", self.start_args, _START_FLAGS)
        yield from self.overrides.computed_problems({"config": _COMPUTED}, f"config.{PSQL_CONNECTION}")

    def role_problems(self, node_type: ChainType, *, local: bool) -> Iterator[Problem]:  # noqa: ARG002 - one shape for all software
        """What does not go with the type and the network of a set; paths begin at the software."""
        yield from comet_role_problems(self.config, node_type)


_COMPUTED = COMPUTED | {"proxy_app": "set proxyApp", "abci": "set abci"}
_START_FLAGS = NODE_FLAGS | {
    "proxy_app": "set proxyApp instead",
    "abci": "set abci instead",
}


def cometbft_spec(software: CometbftChain, role: ChainRole) -> ChainSpec:
    """What one node of a chain is run with.

    Args:
        software: The software's config.
        role: What the set decided for the node.
    """
    connection = software.config.tx_index.psql_connection
    values = comet_files(
        software.config, role, log_level=software.log_level, log_format=software.log_format, database=software.database_backend
    )
    values |= {"proxy_app": software.proxy_app, "abci": software.abci}
    return ChainSpec(
        software="cometbft",
        chain_id=software.chain_id,
        version=_IMAGE[1],
        image=_IMAGE,
        init=(software.binary, "init", "--home", "{defaults}"),
        start=(software.binary, "start", "--home", role.home, f"--proxy_app={software.proxy_app}", *software.start_args),
        files={"config": merged(values, software.overrides.config), "app": {}, "client": {}},
        has_app=False,
        # Another built-in application knows nothing of the blocks; one of yours may move to another address.
        unchangeable={
            "chainId": software.chain_id,
            "databaseBackend": software.database_backend,
            "proxyApp": software.proxy_app if software.proxy_app in _BUILT_IN else "address",
        },
        # The official image sets CMTHOME, which wins over --home; empty it does not count.
        env={"CMTHOME": "", "TMHOME": ""},
        secret_env={"CMT_TX_INDEX_PSQL_CONN": connection} if connection is not None else {},
    )
