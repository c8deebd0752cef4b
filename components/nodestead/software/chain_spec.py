"""What a blockchain's software file is told of one node, what it tells back, and the last word over the node's files."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import Field

from nodestead.config.base import Model, Problem
from nodestead.config.pod import KeyRef

__all__ = ["ChainRole", "ChainSpec", "ChainType", "Overrides", "Serving", "merged"]

ChainType = Literal["full", "sentry", "validator", "seed", "archive"]
Serving = Literal["api", "grpc", "grpcWeb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRole:
    """What a set decides for a node before its software is asked.

    Attributes:
        moniker: The name that peers and explorers show.
        type: What the node is there for.
        home: The chain's home in the container; its claim is mounted there.
        p2p_port: Port for peers.
        rpc_port: Port of the RPC.
        api_port: Port of the REST API.
        grpc_port: Port of gRPC.
        grpc_web_port: Port of gRPC-web, in versions where it has one of its own.
        metrics_port: Port of the metrics.
        privval_port: Port where a remote signer connects.
        persistent_peers: id@host:port, comma separated; a text or what stands for one until deploy time.
        private_peer_ids: Node ids, comma separated, likewise.
        unconditional_peer_ids: Node ids, comma separated, likewise.
        seeds: id@host:port, comma separated, likewise.
        peers_share_address: Whether outside peers look alike (a NAT before the pod), or all peers are on one address.
        behind_sentries: Whether the node knows its sentries only, and peers are not exchanged.
        keys_dir: Where its keys lie when it starts.
        remote_signer: Whether it waits for a remote signer.
        local: Whether the network is a closed one of the set's own.
    """

    moniker: str
    type: ChainType
    home: str
    p2p_port: int
    rpc_port: int
    api_port: int
    grpc_port: int
    grpc_web_port: int
    metrics_port: int
    privval_port: int
    persistent_peers: Any
    private_peer_ids: Any
    unconditional_peer_ids: Any
    seeds: Any
    peers_share_address: bool = False
    behind_sentries: bool = False
    keys_dir: str = "/run/nodestead-keys"
    remote_signer: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpec:
    """One node of a chain.

    Attributes:
        software: The value of the label app.kubernetes.io/name.
        chain_id: The chain that it belongs to.
        version: The release that is known to be run by default; None where the image tells.
        image: Default image, repository and tag; None where there is none.
        init: Arguments that make default files, the program first; {defaults} stands for the folder.
        start: Arguments that run the node, the program first.
        files: Values for config.toml (config), app.toml (app) and client.toml (client), by section; leaves may be known only at
            deploy time.
        has_app: Whether it has an app.toml, and with it REST and gRPC.
        serves: What of these is switched on.
        unchangeable: Settings that may not change under kept data.
        env: Plain environment, of the init containers too.
        secret_env: Environment from entries of Secrets, of the node only.
    """

    software: str
    chain_id: str
    version: str | None
    image: tuple[str, str | None] | None
    init: tuple[str, ...]
    start: tuple[str, ...]
    files: dict[str, dict[str, Any]]
    has_app: bool
    unchangeable: dict[str, Any]
    env: dict[str, str]
    serves: frozenset[Serving] = frozenset()
    secret_env: dict[str, KeyRef] = field(default_factory=dict[str, KeyRef])


class Overrides(Model):
    """Values for the node's files beyond the fields here, merged last."""

    config: dict[str, Any] = Field(
        default_factory=dict, description="Over config.toml, as in `mempool: {ttl_num_blocks: 5}`; - and _ are one in keys."
    )
    replace_computed: bool = Field(
        default=False, description="Accept values over what the set computes: peers, ports, key files, state sync."
    )

    def problems(self) -> Iterator[Problem]:
        """All that is given must have a place in a TOML file."""
        for name, table in self.files().items():
            yield from _table_problems([name], table)

    def files(self) -> dict[str, dict[str, Any]]:
        """The overrides by the name of their file."""
        return {"config": self.config}

    def computed_problems(self, computed: Mapping[str, Mapping[str, str]], secret: str) -> Iterator[Problem]:
        """What is there over something that is computed.

        Args:
            computed: For each file its computed keys, dotted and with underscores, and what to do instead.
            secret: The key, file first, that would bring a password to a ConfigMap, whatever is accepted.
        """
        for name, table in self.files().items():
            for path, value in _leaves(table):
                dotted = ".".join(map(_plain, path))
                where = ["overrides", name, *path]
                for key, remedy in computed.get(name, {}).items():
                    # A leaf in the place of a section takes away all that is computed below it.
                    below = value != {} and key.startswith(f"{dotted}.")
                    if not (dotted == key or below or dotted.startswith(f"{key}.")):
                        continue
                    if f"{name}.{key}" == secret:
                        yield Problem(where, f"would lie readable in a ConfigMap; {remedy}")
                    elif key in _SIGNING:
                        yield Problem(where, f"decides what a validator signs with and knows to have signed; {remedy}")
                    elif not self.replace_computed:
                        shown = f" ({key})" if below else ""
                        yield Problem(where, f"is computed{shown}; {remedy}, or set overrides.replaceComputed to true")


# Whatever is asked for: a file of them that goes with the pod is a stake that goes with it.
_SIGNING = frozenset({"priv_validator_key_file", "priv_validator_state_file"})
# What both a bare key of TOML and the nodes' own reader take: that one splits keys at dots and drops their case.
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LARGEST = 2**63


def _plain(key: str) -> str:
    return key.replace("-", "_").lower()


def _table_problems(path: list[str | int], table: Mapping[Any, Any]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key, value in table.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            told = (
                "is no key of the file; write letters, digits, - and _, in quotes if YAML takes it for a number, and sections as"
            )
            yield Problem([*path, str(key)], f"{told} mappings")
            continue
        if _plain(key) in seen:
            yield Problem([*path, key], f"is {seen[_plain(key)]} in other letters; leave one of them")
        seen.setdefault(_plain(key), key)
        yield from _value_problems([*path, key], value)


def _value_problems(path: list[str | int], value: Any) -> Iterator[Problem]:
    if isinstance(value, dict):
        yield from _table_problems(path, cast("dict[Any, Any]", value))
    elif isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        for index, item in enumerate(items):
            yield from _value_problems([*path, index], item)
        # The TOML reader of older nodes (go-toml 1) refuses such a list, and the node does not start.
        if len({_kind(item) for item in items}) > 1:
            yield Problem(path, "mixes types; write items of one type")
    elif value is None:
        yield Problem(path, "has no value, and TOML knows no null; give one or leave the key out")
    elif isinstance(value, bool | str):
        pass
    elif isinstance(value, int):
        if not -_LARGEST <= value < _LARGEST:
            yield Problem(path, "does not fit 64 bits; write it in quotes if the node takes a text")
    elif not isinstance(value, float):
        yield Problem(path, "has no place in the file; write a text, a number, true, false, a list or a mapping")
    elif not math.isfinite(value):
        yield Problem(path, "is no finite number; write one")


def _kind(value: Any) -> type:
    if isinstance(value, dict):
        return dict
    return list if isinstance(value, list | tuple) else type(cast("object", value))


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if value and isinstance(value, dict):
            yield from _leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            yield (*path, key), value


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One table over another: tables are merged, all else is replaced; - and _ and case make no difference between keys.

    Args:
        base: What is there; its spelling of a key stays.
        over: What wins.
    """
    result = dict(base)
    spelled = {_plain(key): key for key in base}
    for given, value in over.items():
        key = spelled.get(_plain(given), given)
        below = result.get(key)
        if isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            result[key] = merged(cast("dict[str, Any]", below) if isinstance(below, dict) else {}, table)
        else:
            result[key] = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    return result
