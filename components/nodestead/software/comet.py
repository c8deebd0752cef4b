"""The file config.toml, which CometBFT and every node of the Cosmos SDK share.

Keys and sections are those of CometBFT 0.34 to 0.38 (`config/toml.go`). What only some versions know says so; the others
ignore it. A field that is not set is not written, so the binary's own default holds, which chains choose for themselves.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.pod import KeyRef
from nodestead.software.chain_spec import ChainRole, ChainType
from nodestead.software.go_duration import GoDuration, GoDurationOrZero, milliseconds

__all__ = [
    "COMPUTED",
    "PSQL_CONNECTION",
    "CometConfig",
    "Database",
    "LogFormat",
    "comet_files",
    "comet_role_problems",
]

Database = Literal["goleveldb", "rocksdb", "pebbledb"]
LogFormat = Literal["plain", "json"]

_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Bytes = Annotated[int, Field(ge=0, le=2**53)]
# rs/cors compares whole origins, and takes one wildcard in each.
_Origin = Annotated[
    str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://(\*[^\s/*\"\\]*|[^\s/*\"\\]+\*?[^\s/*\"\\]*))$", max_length=253)
]
_Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z-]{0,63}$")]


class P2pConfig(Model):
    """Section p2p: how many peers, and how they are spoken to."""

    max_inbound_peers: _Count = Field(default=20, description="Peers that dial the node; unconditional ones do not count.")
    max_outbound_peers: _Count = Field(default=20, description="Peers that the node dials, beside the persistent ones.")
    pex: bool | None = Field(default=None, description="Exchange peers; by default all nodes do but those behind sentries.")
    allow_duplicate_ip: bool | None = Field(
        default=None, description="Several peers from one address; by default where a NAT before the node makes peers look alike."
    )
    addr_book_strict: bool | None = Field(
        default=None, description="Keep routable addresses only; by default on for public networks."
    )
    persistent_peers_max_dial_period: GoDurationOrZero | None = Field(
        default=None, description="Longest wait before a persistent peer of the address book is dialled again; 0s: no bound."
    )
    flush_throttle_timeout: GoDuration | None = None
    max_packet_msg_payload_size: int | None = Field(
        default=None, ge=64, le=10_485_760, description="Bytes; a peer with a lower limit drops the connection."
    )
    send_rate: _Bytes | None = Field(default=None, description="Bytes per second to each peer.")
    recv_rate: _Bytes | None = Field(default=None, description="Bytes per second from each peer.")
    handshake_timeout: GoDuration | None = None
    dial_timeout: GoDuration | None = None


class RpcConfig(Model):
    """Section rpc: who may call, and how much."""

    cors_allowed_origins: tuple[_Origin, ...] = Field(
        default=(), strict=False, description="Origins of web pages that may call, as in https://*.example.org; none by default."
    )
    cors_allowed_methods: tuple[_Word, ...] | None = Field(default=None, strict=False)
    cors_allowed_headers: tuple[_Word, ...] | None = Field(default=None, strict=False)
    max_open_connections: _Count | None = Field(default=None, description="HTTP and WebSocket connections; 0 for no limit.")
    max_subscription_clients: _Count | None = None
    max_subscriptions_per_client: _Count | None = None
    max_request_batch_size: _Count | None = Field(default=None, description="CometBFT 0.38 on; 0 for no limit.")
    max_body_bytes: _Bytes | None = None
    max_header_bytes: _Bytes | None = None
    timeout_broadcast_tx_commit: GoDuration | None = Field(
        default=None, description="Above 10s the write timeout of all connections rises with it."
    )


class MempoolConfig(Model):
    """Section mempool: transactions that wait for a block."""

    type: Literal["flood", "nop", "app"] | None = Field(default=None, description="CometBFT 0.38 on; app from 0.39 on.")
    version: Literal["v0", "v1"] | None = Field(default=None, description="CometBFT 0.34 and 0.37; v1 goes by priority.")
    recheck: bool | None = None
    broadcast: bool | None = None
    size: _Count | None = Field(default=None, description="Transactions.")
    cache_size: _Count | None = Field(default=None, description="Transactions that are remembered.")
    keep_invalid_txs_in_cache: bool | None = None
    max_txs_bytes: _Bytes | None = Field(default=None, description="Bytes of all transactions together.")
    max_tx_bytes: _Bytes | None = Field(default=None, description="Bytes of one transaction.")

    def problems(self) -> Iterator[Problem]:
        """One transaction fits where all have to fit."""
        if self.max_tx_bytes is not None and self.max_txs_bytes is not None and self.max_tx_bytes > self.max_txs_bytes:
            yield Problem(
                ["maxTxBytes"], f"{self.max_tx_bytes} is more than maxTxsBytes {self.max_txs_bytes}; raise that or lower it"
            )
        if self.type is not None and self.version is not None:
            yield Problem(["version"], "is of versions that know no type; give the one that the node's version knows")


class ConsensusConfig(Model):
    """Section consensus. All validators of a chain should agree about these; on a public one leave them."""

    timeout_propose: GoDurationOrZero | None = None
    timeout_propose_delta: GoDurationOrZero | None = None
    timeout_prevote: GoDurationOrZero | None = None
    timeout_prevote_delta: GoDurationOrZero | None = None
    timeout_precommit: GoDurationOrZero | None = None
    timeout_precommit_delta: GoDurationOrZero | None = None
    timeout_commit: GoDurationOrZero | None = Field(default=None, description="Wait between blocks.")
    skip_timeout_commit: bool | None = None
    create_empty_blocks: bool | None = None
    create_empty_blocks_interval: GoDurationOrZero | None = None
    double_sign_check_height: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="Blocks to look back for votes of the node's own key; it then refuses each start until so many went by.",
    )
    peer_gossip_sleep_duration: GoDuration | None = None


class TxIndexConfig(Model):
    """Section tx_index: where transactions can be found again."""

    indexer: Literal["auto", "kv", "null", "psql"] = Field(
        default="auto", description="'null', in quotes, is none. auto: none for sentry, validator and seed, kv for the others."
    )
    psql_connection: KeyRef | None = Field(
        default=None, description="Secret with postgresql://user:password@host/db; the tables have to be there."
    )

    def problems(self) -> Iterator[Problem]:
        """The database and where it is belong together."""
        if self.indexer == "psql" and self.psql_connection is None:
            yield Problem(["psqlConnection"], "is required for psql; name the Secret that has the connection")
        if self.indexer != "psql" and self.psql_connection is not None:
            yield Problem(["psqlConnection"], f"is not used with indexer {self.indexer}; set that to psql or leave it out")


class StorageConfig(Model):
    """Section storage."""

    discard_abci_responses: bool | None = Field(default=None, description="Saves disk; /block_results answers no more.")


class StateSyncConfig(Model):
    """Section statesync: how a new node fetches the state; from whom is the set's stateSync."""

    trust_period: GoDuration | None = Field(default=None, description="About two thirds of the chain's unbonding time.")
    discovery_time: GoDurationOrZero | None = None
    chunk_request_timeout: GoDuration | None = None
    chunk_fetchers: int | None = Field(default=None, ge=1, le=1000)

    def problems(self) -> Iterator[Problem]:
        """The node refuses short times."""
        if self.discovery_time is not None and 0 < milliseconds(self.discovery_time) < 5000:
            yield Problem(["discoveryTime"], f"{self.discovery_time} is refused by the node; write at least 5s, or 0s")
        if self.chunk_request_timeout is not None and milliseconds(self.chunk_request_timeout) < 5000:
            yield Problem(["chunkRequestTimeout"], f"{self.chunk_request_timeout} is refused by the node; write at least 5s")


class BlockSyncConfig(Model):
    """Section blocksync."""

    version: Literal["v0"] | None = Field(default=None, description="From CometBFT 0.37 on there is only v0.")


class InstrumentationConfig(Model):
    """Section instrumentation; metrics are on."""

    namespace: str | None = Field(
        default=None, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$", description="First word of the metrics' names."
    )
    max_open_connections: _Count | None = Field(default=None, description="0 for no limit.")


class CometConfig(Model):
    """Settings of config.toml by section. What is not set keeps the default of the binary."""

    # The house's rule for camelCase would make it p2P.
    p2p: P2pConfig = Field(default=P2pConfig(), alias="p2p")
    rpc: RpcConfig = RpcConfig()
    mempool: MempoolConfig = MempoolConfig()
    consensus: ConsensusConfig = ConsensusConfig()
    tx_index: TxIndexConfig = TxIndexConfig()
    storage: StorageConfig = StorageConfig()
    state_sync: StateSyncConfig = StateSyncConfig()
    block_sync: BlockSyncConfig = BlockSyncConfig()
    instrumentation: InstrumentationConfig = InstrumentationConfig()

    def problems(self) -> Iterator[Problem]:
        """The rule between sections that the node has."""
        if self.mempool.type == "nop" and self.consensus.create_empty_blocks is False:
            yield Problem(["consensus", "createEmptyBlocks"], "false is refused by the node with mempool type nop; leave it out")


PSQL_CONNECTION = "tx_index.psql_conn"
_OWN_PATH = "the node's files are where the set puts them; leave it out"
_STATE_SYNC = "set stateSync of the set"
COMPUTED: dict[str, str] = {
    "moniker": "it is the node's name; leave it out",
    "proxy_app": "the app runs in the node's process; leave it out",
    "abci": "the app runs in the node's process; leave it out",
    "db_backend": "set databaseBackend",
    "db_dir": _OWN_PATH,
    "log_level": "set logLevel",
    "log_format": "set logFormat",
    "genesis_file": _OWN_PATH,
    "node_key_file": _OWN_PATH,
    "priv_validator_key_file": _OWN_PATH,
    "priv_validator_state_file": _OWN_PATH,
    "priv_validator_laddr": "set signer of the set",
    "p2p.laddr": "set ports.p2p of the set",
    "p2p.external_address": "set exposure of the set",
    "p2p.persistent_peers": "set peers.persistent of the set",
    "p2p.seeds": "set peers.seeds of the set",
    "p2p.private_peer_ids": "set peers.privateIds of the set",
    "p2p.unconditional_peer_ids": "set peers.unconditionalIds of the set",
    "p2p.seed_mode": "set type of the set to seed",
    "p2p.addr_book_file": _OWN_PATH,
    "rpc.laddr": "set ports.rpc of the set",
    "rpc.tls_cert_file": "the health check speaks plain HTTP; set routes of the set",
    "rpc.tls_key_file": "the health check speaks plain HTTP; set routes of the set",
    "statesync.enable": _STATE_SYNC,
    "statesync.rpc_servers": _STATE_SYNC,
    "statesync.trust_height": _STATE_SYNC,
    "statesync.trust_hash": _STATE_SYNC,
    "statesync.temp_dir": _OWN_PATH,
    "consensus.wal_file": _OWN_PATH,
    "instrumentation.prometheus": "set monitoring of the set",
    "instrumentation.prometheus_listen_addr": "set ports.metrics of the set",
    PSQL_CONNECTION: "set config.txIndex.psqlConnection",
}
"""What of config.toml is computed, and what to do instead of overriding it."""

# Sections and keys whose name in the file is not that of the field.
_SECTIONS = {"state_sync": "statesync", "block_sync": "blocksync"}
_KEYS = {
    "max_inbound_peers": "max_num_inbound_peers",
    "max_outbound_peers": "max_num_outbound_peers",
    "keep_invalid_txs_in_cache": "keep-invalid-txs-in-cache",
}
# Computed by role below, or no value of the file.
_BY_ROLE = frozenset({"pex", "allow_duplicate_ip", "addr_book_strict", "indexer", "psql_connection"})
_NOT_INDEXED: frozenset[ChainType] = frozenset({"sentry", "validator", "seed"})


def comet_files(
    config: CometConfig, role: ChainRole, *, log_level: str = "info", log_format: str = "plain", database: str = "goleveldb"
) -> dict[str, Any]:
    """The values of config.toml for one node: what is computed, and what was asked for.

    external_address and the servers of state sync are not among them: they are found out when the node starts.

    Returns:
        Tables by section, spelled as the file has them; leaves of the role go through as they are.
    """
    result: dict[str, Any] = {
        "moniker": role.moniker,
        "db_backend": database,
        "log_level": log_level,
        "log_format": log_format,
        "node_key_file": f"{role.keys_dir}/node_key.json",
        "priv_validator_laddr": f"tcp://0.0.0.0:{role.privval_port}" if role.remote_signer else "",
    }
    if not role.remote_signer:
        # Also for a node that signs nothing: it loads a throwaway key from there, never one that lies on an adopted volume.
        result["priv_validator_key_file"] = f"{role.keys_dir}/priv_validator_key.json"
    for name in type(config).model_fields:
        given = _given(getattr(config, name))
        given |= _of_role(name, config, role)
        if given:
            result[_SECTIONS.get(name, name)] = given
    return result


def _given(section: Model) -> dict[str, Any]:
    values = {_KEYS.get(name, name): value for name, value in section if value is not None and name not in _BY_ROLE}
    return {name: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value for name, value in values.items()}


def _of_role(section: str, config: CometConfig, role: ChainRole) -> dict[str, Any]:
    """What the role says of a section."""
    if section == "p2p":
        p2p = config.p2p
        strict = p2p.addr_book_strict if p2p.addr_book_strict is not None or not role.local else False
        return {
            "laddr": f"tcp://0.0.0.0:{role.p2p_port}",
            "persistent_peers": role.persistent_peers,
            "seeds": role.seeds,
            "private_peer_ids": role.private_peer_ids,
            "unconditional_peer_ids": role.unconditional_peer_ids,
            "pex": p2p.pex if p2p.pex is not None else not role.behind_sentries,
            "seed_mode": role.type == "seed",
            "allow_duplicate_ip": p2p.allow_duplicate_ip if p2p.allow_duplicate_ip is not None else role.peers_share_address,
            **({} if strict is None else {"addr_book_strict": strict}),
        }
    if section == "rpc":
        return {"laddr": f"tcp://0.0.0.0:{role.rpc_port}"}
    if section == "tx_index":
        chosen = config.tx_index.indexer
        return {"indexer": chosen if chosen != "auto" else "null" if role.type in _NOT_INDEXED and not role.local else "kv"}
    if section == "state_sync":
        # Chunks of a state may be more than a pod's /tmp holds, so they go to the claim; its folder has to be there.
        fetchers = config.state_sync.chunk_fetchers
        return {"temp_dir": f"{role.home}/tmp"} | ({} if fetchers is None else {"chunk_fetchers": str(fetchers)})  # noqa: S108
    if section == "instrumentation":
        return {"prometheus": True, "prometheus_listen_addr": f":{role.metrics_port}"}
    return {}


def comet_role_problems(config: CometConfig, node_type: ChainType) -> Iterator[Problem]:
    """What does not go with the type of a set; paths begin at the software's config."""
    if node_type == "seed" and config.p2p.pex is False:
        yield Problem(["config", "p2p", "pex"], "false leaves a seed with nothing to tell; leave it out, or choose another type")
