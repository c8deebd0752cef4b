"""Flags of the binaries of chains: those that the set gives are refused among the user's arguments."""

from collections.abc import Iterator

from nodestead.config.base import Problem

__all__ = ["NODE_FLAGS", "argument_problems"]

_PORTS, _PEERS = "set ports of the set instead", "set peers of the set instead"
NODE_FLAGS: dict[str, str] = {
    "home": "leave it out",
    "moniker": "leave it out",
    "abci": "leave it out",
    "log_level": "set logLevel instead",
    "db_backend": "set databaseBackend instead",
    "db_dir": "leave it out",
    "priv_validator_laddr": "set signer of the set instead",
    "priv_validator_key_file": "leave it out",
    "priv_validator_state_file": "leave it out",
    "node_key_file": "leave it out",
    "rpc.laddr": _PORTS,
    "p2p.laddr": _PORTS,
    "p2p.external_address": "set exposure of the set instead",
    "p2p.persistent_peers": _PEERS,
    "p2p.seeds": _PEERS,
    "p2p.private_peer_ids": _PEERS,
    "p2p.unconditional_peer_ids": _PEERS,
    "p2p.seed_mode": "set type of the set instead",
    "p2p.pex": "set config.p2p.pex instead",
    "consensus.double_sign_check_height": "set config.consensus.doubleSignCheckHeight instead",
    "consensus.create_empty_blocks": "set config.consensus.createEmptyBlocks instead",
    "consensus.create_empty_blocks_interval": "set config.consensus.createEmptyBlocksInterval instead",
}
"""Flags that every node's `start` has and the set gives, and what to do instead."""


def argument_problems(field: str, arguments: tuple[str, ...], computed: dict[str, str]) -> Iterator[Problem]:
    """Flags that say what is said elsewhere.

    Args:
        field: Name of the field with the arguments.
        arguments: The user's arguments.
        computed: Flags without their first dashes, with underscores, and what to do instead.
    """
    for index, argument in enumerate(arguments):
        if not argument.startswith("-"):
            if index == 0:
                yield Problem([field, 0], f"{argument[:40]!r} is no flag; begin with one, as in --name=value")
            continue
        flag = argument.lstrip("-").partition("=")[0].replace("-", "_").lower()
        if flag in computed:
            yield Problem([field, index], f"--{argument.lstrip('-').partition('=')[0]} is computed; {computed[flag]}")
