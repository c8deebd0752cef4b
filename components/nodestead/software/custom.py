"""A storage node that has no file here: image, arguments, ports and probes by the user."""

from typing import Literal

from pydantic import Field

from nodestead.config.base import Model
from nodestead.config.scalars import DnsLabel, EnvName, Size
from nodestead.software.spec import NodeRole, NodeSpec

__all__ = ["CustomStorage", "custom_spec"]

_PLACES = (
    "{dataDir}, {apiPort}, {metricsPort}, {peerPort}, {discoveryPort}, {quota} and {keyFile} stand for what the set decides."
)


class CustomStorage(Model):
    """Any other storage node. Its image needs sh, and jq and curl for addresses and peer records."""

    kind: Literal["custom"]
    name: DnsLabel = Field(default="custom", description="Value of the label app.kubernetes.io/name.")
    version: str = Field(default="custom", pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
    entrypoint: str = Field(
        default="", description="Program that args are given to; empty where the first of args is the program."
    )
    args: tuple[str, ...] = Field(strict=False, min_length=1, description=f"Program and arguments. {_PLACES}")
    env: dict[EnvName, str] = Field(default_factory=dict, description=f"Environment. {_PLACES}")
    quota: Size | None = None
    headroom_percent: int = Field(default=20, ge=0, le=90)
    api_path: str = Field(default="", pattern=r"^(/[^/\s]+)*$", description="Base path of the API.")
    health_path: str = Field(default="/", pattern=r"^/\S*$", description="Path that answers 200 when the node serves.")
    spr_path: str | None = Field(
        default=None,
        pattern=r"^/\S*$",
        description="Path that gives the peer record, for nodes that start from a bootstrap node.",
    )
    nat_arg: str | None = Field(
        default=None, pattern=r"\{address\}", description="Argument that announces an address, with {address} in it."
    )
    bootstrap_arg: str | None = Field(
        default=None, pattern=r"\{spr\}", description="Argument that names a peer record, with {spr} in it."
    )
    has_udp: bool = Field(default=True, description="Whether discovery has a UDP port of its own.")
    metrics_path: str = Field(default="/metrics", pattern=r"^/\S*$")


def custom_spec(config: CustomStorage, role: NodeRole) -> NodeSpec:
    """What one node is run with: the user's words with the set's decisions filled in."""
    places = {
        "{dataDir}": role.data_dir,
        "{apiPort}": str(role.api_port),
        "{metricsPort}": str(role.metrics_port),
        "{peerPort}": str(role.peer_port),
        "{discoveryPort}": str(role.discovery_port),
        "{quota}": str(role.quota_bytes),
        "{keyFile}": role.key_file or "",
    }

    def filled(text: str) -> str:
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    bootstrap = [config.bootstrap_arg.replace("{spr}", spr) for spr in role.sprs] if config.bootstrap_arg is not None else []
    return NodeSpec(
        software=config.name,
        version=config.version,
        image=("", None),
        entrypoint=config.entrypoint,
        argv=(*map(filled, config.args), *bootstrap),
        env={name: filled(value) for name, value in config.env.items()},
        secret_env={},
        api_path=config.api_path,
        health_path=config.health_path,
        spr_path=config.spr_path,
        nat_arg=config.nat_arg,
        bootstrap_arg=config.bootstrap_arg,
        has_udp=config.has_udp,
        metrics_path=config.metrics_path,
    )
