"""What a software file tells of one node: no Kubernetes, no Pulumi."""

from dataclasses import dataclass, field
from typing import Any

from nodestead.config.base import Deferred
from nodestead.config.pod import KeyRef

__all__ = ["MetricNames", "NodeRole", "NodeSpec"]


@dataclass(frozen=True, slots=True)
class NodeRole:
    """What a set decides for a node before its software is asked.

    Attributes:
        peer_port: TCP port to listen on and to announce.
        discovery_port: UDP port to listen on and to announce.
        api_port: TCP port of the API.
        metrics_port: TCP port of the metrics.
        data_dir: Folder for the node's data; a subfolder of the mount, so that the node may own it.
        quota_bytes: What the node may fill of its volume.
        bootstrap: Whether the node is the set's own bootstrap node.
        isolated: Whether it starts from nobody, so that it has to be told not to join a public network.
        sprs: Given peer records to start from.
        key_file: Where the Ethereum key lies when the node starts; None for a node without.
    """

    peer_port: int
    discovery_port: int
    api_port: int
    metrics_port: int
    data_dir: str
    quota_bytes: int
    bootstrap: bool = False
    isolated: bool = False
    sprs: tuple[str, ...] = ()
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class MetricNames:
    """Metrics that alerts and the dashboard use."""

    quota_used: str
    quota_reserved: str | None
    peers: str | None


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node of a software.

    Attributes:
        software: The value of the label app.kubernetes.io/name.
        version: The value of the label app.kubernetes.io/version.
        image: Default image, repository and tag.
        entrypoint: Program that the image starts; the start script execs it with argv. Empty: argv is the program.
        argv: Its arguments, the node's program first.
        env: Plain environment.
        secret_env: Environment from entries of Secrets.
        has_udp: Whether discovery has a UDP port of its own.
        api_path: Base path of the API, without a slash at the end.
        health_path: Path that answers 200 when the node serves.
        spr_path: Path that gives the node's peer record.
        nat_arg: Argument that announces an address, with `{address}` in it; None: nothing to announce.
        bootstrap_arg: Argument that names a peer record, with `{spr}` in it.
        bootstrap_urls: Where peer records of a public network are fetched before the node starts.
        metrics: Names of its metrics; None where it has none.
        metrics_path: Path of its metrics.
        availability: What the sidecar keeps offered on the marketplace, as the API takes it.
        unchangeable: Settings that may not change under kept data.
    """

    software: str
    version: str
    image: tuple[str | Deferred, str | None]
    entrypoint: str
    argv: tuple[str, ...]
    env: dict[str, str]
    secret_env: dict[str, KeyRef]
    api_path: str
    health_path: str
    spr_path: str | None
    nat_arg: str | None
    bootstrap_arg: str | None
    bootstrap_urls: tuple[str, ...] = ()
    has_udp: bool = True
    metrics: MetricNames | None = None
    metrics_path: str = "/metrics"
    availability: dict[str, Any] | None = None
    unchangeable: dict[str, Any] = field(default_factory=dict[str, Any])
