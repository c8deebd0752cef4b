"""The file app.toml of nodes of the Cosmos SDK: REST, gRPC, pruning, snapshots.

Keys and sections are those of SDK 0.45 to 0.53 (`server/config/toml.go`). A field that is not set is not written, so the
binary's own default holds, which chains choose for themselves.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.scalars import EnvName
from nodestead.software.chain_spec import ChainRole, Serving

__all__ = [
    "APP_COMPUTED",
    "ApiConfig",
    "AppConfig",
    "GrpcConfig",
    "GrpcWebConfig",
    "Pruning",
    "SnapshotServing",
    "Telemetry",
    "app_files",
]

_Count = Annotated[int, Field(ge=0, le=2**53)]
_MessageBytes = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Pruning(Model):
    """Which old states and blocks go."""

    strategy: Literal["default", "nothing", "everything", "custom"] | None = Field(
        default=None,
        description="nothing keeps every state, everything only the latest two; by default nothing for archive nodes, and what"
        " the binary has for the others.",
    )
    keep_recent: int | None = Field(default=None, ge=2, le=2**53, description="custom: how many recent states are kept.")
    interval: int | None = Field(default=None, ge=10, le=2**53, description="custom: prune every so many blocks.")
    keep_every: _Count | None = Field(default=None, description="custom, up to SDK 0.45: keep one state of so many for good.")
    min_retain_blocks: _Count | None = Field(default=None, description="Blocks that are kept at least; 0 keeps all.")

    def problems(self) -> Iterator[Problem]:
        """The numbers belong to custom, which needs two of them."""
        numbers = {"keepRecent": self.keep_recent, "interval": self.interval, "keepEvery": self.keep_every}
        for name, value in numbers.items():
            if self.strategy != "custom" and value is not None:
                yield Problem([name], "counts with strategy custom only, and the node would ignore it; set that or leave it out")
            elif self.strategy == "custom" and value is None and name != "keepEvery":
                yield Problem([name], "is required for strategy custom; add it")


class ApiConfig(Model):
    """Section api: REST."""

    enabled: bool = True
    swagger: bool = Field(default=True, description="Serve the documentation of the API under /swagger/.")
    enable_unsafe_cors: bool = Field(default=False, description="Let every web page call the API.")
    max_open_connections: _Count | None = None
    rpc_read_timeout: int | None = Field(default=None, ge=0, le=86_400, description="Seconds.")
    rpc_write_timeout: int | None = Field(default=None, ge=0, le=86_400, description="Seconds; 0 for no limit.")
    rpc_max_body_bytes: _Count | None = None


class GrpcConfig(Model):
    """Section grpc."""

    enabled: bool = True
    max_recv_msg_size: _MessageBytes | None = Field(default=None, description="Bytes.")
    max_send_msg_size: _MessageBytes | None = Field(default=None, description="Bytes.")


class GrpcWebConfig(Model):
    """Section grpc-web; from SDK 0.47 on it is served on the port of the API."""

    enabled: bool | None = Field(default=None, description="By default on where gRPC is.")
    enable_unsafe_cors: bool = Field(default=False, description="Let every web page call it.")


class SnapshotServing(Model):
    """Section state-sync: snapshots of the state that the node takes for others."""

    snapshot_interval: _Count | None = Field(default=None, description="Take one every so many blocks; 0 for none.")
    snapshot_keep_recent: int | None = Field(default=None, ge=0, le=2**31, description="How many are kept; 0 keeps all.")


class Telemetry(Model):
    """Section telemetry: the application's own metrics, on the port of the API at /metrics?format=prometheus."""

    enabled: bool
    service_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{0,63}$")
    enable_hostname: bool | None = None
    enable_hostname_label: bool | None = None
    enable_service_label: bool | None = None
    prometheus_retention_time: int | None = Field(
        default=None, ge=0, le=2**31, description="Seconds that a value is shown; above 0 switches Prometheus metrics on."
    )
    global_labels: dict[EnvName, str] | None = Field(default=None, description="Labels of every metric.")


class AppConfig(Model):
    """Settings of app.toml. What is not set keeps the default of the binary."""

    pruning: Pruning = Pruning()
    halt_height: int | None = Field(
        default=None,
        ge=0,
        le=2**53,
        description="Stop after this block; a node that is started again stays there.",
    )
    halt_time: int | None = Field(default=None, ge=0, le=2**40, description="Stop at the first block after this Unix time.")
    inter_block_cache: bool | None = None
    index_events: tuple[Annotated[str, Field(pattern=r"^[^\s\"\\]{1,253}$")], ...] | None = Field(
        default=None, strict=False, description="Events to index, as in message.sender; an empty list for all."
    )
    iavl_cache_size: _Count | None = Field(default=None, description="Nodes of the state's tree that are kept in memory.")
    iavl_disable_fastnode: bool | None = Field(
        default=None, description="The index of latest values; changing it costs a migration of the whole state."
    )
    api: ApiConfig = ApiConfig()
    grpc: GrpcConfig = GrpcConfig()
    grpc_web: GrpcWebConfig = GrpcWebConfig()
    state_sync: SnapshotServing = SnapshotServing()
    telemetry: Telemetry | None = None

    def problems(self) -> Iterator[Problem]:
        """The rules between sections that the node has."""
        interval = self.state_sync.snapshot_interval or 0
        if interval and self.pruning.strategy == "everything":
            yield Problem(
                ["stateSync", "snapshotInterval"],
                f"{interval} is refused by the node with pruning everything; set that to custom or this to 0",
            )
        every = self.pruning.keep_every or 0
        if interval and every and interval % every:
            yield Problem(
                ["stateSync", "snapshotInterval"],
                f"{interval} is no multiple of pruning.keepEvery {every}; the node refuses that, make it one",
            )
        if self.grpc_web.enabled and not self.grpc.enabled:
            yield Problem(["grpcWeb", "enabled"], "true needs gRPC; set grpc.enabled to true or leave it out")

    @property
    def serves_grpc_web(self) -> bool:
        """Whether gRPC-web is on: where gRPC is, if nothing is said."""
        return self.grpc.enabled if self.grpc_web.enabled is None else self.grpc_web.enabled

    @property
    def serves(self) -> frozenset[Serving]:
        """What is on."""
        on: dict[Serving, bool] = {"api": self.api.enabled, "grpc": self.grpc.enabled, "grpcWeb": self.serves_grpc_web}
        return frozenset(name for name, enabled in on.items() if enabled)


APP_COMPUTED: dict[str, str] = {
    "minimum_gas_prices": "set minGasPrice",
    "halt_height": "set versions of the set or app.haltHeight",
    "app_db_backend": "set databaseBackend",
    "api.enable": "set app.api.enabled",
    "api.address": "set ports.api of the set",
    "grpc.enable": "set app.grpc.enabled",
    "grpc.address": "set ports.grpc of the set",
    "grpc_web.enable": "set app.grpcWeb.enabled",
    "grpc_web.address": "set ports.grpcWeb of the set",
}
"""What of app.toml is computed, and what to do instead of overriding it."""


def app_files(app: AppConfig, role: ChainRole, *, min_gas_price: str, database: str) -> dict[str, Any]:
    """The values of app.toml for one node: what is computed, and what was asked for.

    Returns:
        Tables by section, spelled as the file has them.
    """
    pruning = app.pruning
    strategy = pruning.strategy or ("nothing" if role.type == "archive" else None)
    return {
        "minimum-gas-prices": min_gas_price,
        **_some(
            {
                "pruning": strategy,
                "pruning-keep-recent": _text(pruning.keep_recent),
                "pruning-keep-every": _text(pruning.keep_every),
                "pruning-interval": _text(pruning.interval),
                "min-retain-blocks": pruning.min_retain_blocks,
                "halt-height": app.halt_height,
                "halt-time": app.halt_time,
                "inter-block-cache": app.inter_block_cache,
                "index-events": None if app.index_events is None else list(app.index_events),
                "iavl-cache-size": app.iavl_cache_size,
                "iavl-disable-fastnode": app.iavl_disable_fastnode,
            }
        ),
        "app-db-backend": database,
        "api": {
            "enable": app.api.enabled,
            "swagger": app.api.swagger,
            "address": f"tcp://0.0.0.0:{role.api_port}",
            "enabled-unsafe-cors": app.api.enable_unsafe_cors,
            **_some(
                {
                    "max-open-connections": app.api.max_open_connections,
                    "rpc-read-timeout": app.api.rpc_read_timeout,
                    "rpc-write-timeout": app.api.rpc_write_timeout,
                    "rpc-max-body-bytes": app.api.rpc_max_body_bytes,
                }
            ),
        },
        "grpc": {
            "enable": app.grpc.enabled,
            "address": f"0.0.0.0:{role.grpc_port}",
            **_some(
                {
                    "max-recv-msg-size": _text(app.grpc.max_recv_msg_size),
                    "max-send-msg-size": _text(app.grpc.max_send_msg_size),
                }
            ),
        },
        "grpc-web": {
            "enable": app.serves_grpc_web,
            "address": f"0.0.0.0:{role.grpc_web_port}",
            "enable-unsafe-cors": app.grpc_web.enable_unsafe_cors,
        },
        **_sections(app),
    }


def _sections(app: AppConfig) -> dict[str, Any]:
    """Sections that are there when something in them was asked for."""
    serving, telemetry = app.state_sync, app.telemetry
    result = {
        "state-sync": _some(
            {"snapshot-interval": serving.snapshot_interval, "snapshot-keep-recent": serving.snapshot_keep_recent}
        )
    }
    if telemetry is not None:
        labels = telemetry.global_labels
        result["telemetry"] = _some(
            {
                "enabled": telemetry.enabled,
                "service-name": telemetry.service_name,
                "enable-hostname": telemetry.enable_hostname,
                "enable-hostname-label": telemetry.enable_hostname_label,
                "enable-service-label": telemetry.enable_service_label,
                "prometheus-retention-time": telemetry.prometheus_retention_time,
                "global-labels": None if labels is None else [[name, value] for name, value in labels.items()],
            }
        )
    return {name: values for name, values in result.items() if values}


def _some(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _text(number: int | None) -> str | None:
    """app.toml has these numbers in quotes."""
    return None if number is None else str(number)
