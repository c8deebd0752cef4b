"""The options of each software and version, and how the real parser reads them: `--name=value` only."""

import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

Version = tuple[int, ...]

GIB = 1 << 30


def text(value: str) -> str:
    """Any text."""
    return value


def boolean(value: str) -> bool:
    """A switch: given without a value it is on."""
    words = {"": True, "true": True, "yes": True, "on": True, "1": True, "y": True}
    words |= {"false": False, "no": False, "off": False, "0": False, "n": False}
    if value.lower() not in words:
        raise ValueError(f"'{value}' is not a valid boolean value. Supported values are on/off, yes/no, true/false or 1/0")
    return words[value.lower()]


def number(value: str) -> int:
    """A whole number."""
    if not re.fullmatch(r"[+-]?\d+", value):
        raise ValueError(f"invalid integer: {value}")
    return int(value)


def port(value: str) -> int:
    """A TCP or UDP port; 0 is no port, though it is the default of some."""
    if not re.fullmatch(r"\d+", value) or not 1 <= int(value) <= 65535:
        raise ValueError("The supplied port must be an integer value in the range 1-65535")
    return int(value)


def ip(value: str) -> str:
    """An IP address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"Invalid IP Address: {value}") from None


def size(value: str) -> int:
    """Bytes; every unit is binary."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", value, re.IGNORECASE)
    if match is None:
        raise ValueError(f"Invalid number of bytes: {value}")
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))


def duration(value: str) -> int:
    """Seconds."""
    match = re.fullmatch(r"(\d+)\s*([smhdw]?)", value)
    if match is None:
        raise ValueError(f"Cannot parse duration: {value}")
    return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[match[2]]


def threads(value: str) -> int:
    """0 for as many as there are cores, else two at least."""
    if number(value) == 1 or number(value) < 0:
        raise ValueError(f"Invalid number of threads: {value}")
    return number(value)


def multiaddr(value: str) -> tuple[str, int]:
    """Address and TCP port to listen on."""
    match = re.fullmatch(r"/ip([46])/([^/]+)/tcp/(\d+)", value)
    if match is None or int(match[3]) > 65535 or ipaddress.ip_address(match[2]).version != int(match[1]):
        raise ValueError(f"Invalid MultiAddress {value}")
    return match[2], int(match[3])


def peer_record(value: str) -> str:
    """The record of a peer, signed or of a stand-in."""
    if not re.fullmatch(r"spr:[A-Za-z0-9_-]{40,}={0,2}", value):
        raise ValueError(f"Invalid SignedPeerRecord uri: {value}")
    return value


def eth_address(value: str) -> str:
    """An Ethereum address."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise ValueError(f"Invalid Ethereum address: {value}")
    return value


def one_of(*words: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"Invalid enum value: {value}")
        return value

    return parse


def nat(*words: str) -> Callable[[str], str]:
    """The grammar of --nat: one of words, or `extip:` and an address."""

    def parse(value: str) -> str:
        if value.lower() in words:
            return value.lower()
        if not value.startswith("extip:"):
            raise ValueError(f"Not a valid NAT option: {value}")
        try:
            return f"extip:{ipaddress.ip_address(value.removeprefix('extip:'))}"
        except ValueError:
            raise ValueError(f"Not a valid IP address: {value.removeprefix('extip:')}") from None

    return parse


@dataclass(frozen=True)
class Option:
    """One option of the command line; `command` is the subcommand that it belongs to."""

    parse: Callable[[str], Any]
    default: Any = None
    command: str = ""
    repeatable: bool = False


def options_of(flavour: str, version: Version) -> dict[str, Option]:
    """The options that a version knows."""
    old = flavour == "codex" and version < (0, 2)
    home = os.environ.get("HOME", "/")
    options = {
        "config-file": Option(text),
        "log-level": Option(text, "info"),
        "log-format": Option(one_of("auto", "colors", "nocolors", "json", "none"), "auto"),
        "log-file": Option(text),
        "metrics": Option(boolean, False),
        "metrics-address": Option(ip, "127.0.0.1"),
        "metrics-port": Option(port, 8008),
        "data-dir": Option(text, f"{home}/.cache/{flavour}"),
        "net-privkey": Option(text, "key"),
        "bootstrap-node": Option(peer_record, [], repeatable=True),
        "max-peers": Option(number, 160),
        "agent-string": Option(text, flavour),
        "api-bindaddr": Option(text, "127.0.0.1"),
        "api-port": Option(port, 8080),
        "api-cors-origin": Option(text),
        "repo-kind": Option(one_of("fs", "sqlite", "leveldb"), "fs"),
        "storage-quota": Option(size, (8 if old else 20) * GIB),
        "block-ttl": Option(duration, 86400 if old else 30 * 86400),
        "block-mi": Option(duration, 600),
        "block-mn": Option(number, 1000),
        "listen-addrs": Option(multiaddr, [("0.0.0.0", 0)], repeatable=True),
        "disc-port": Option(port, 8090),
        "cache-size": Option(size, 0),
        "nat": Option(nat("any", "none", "upnp", "pmp"), "any"),
        "num-threads": Option(threads, 0),
    }
    unknown: set[str] = set()
    if flavour == "storage":
        if version >= (0, 4):
            options |= _newer_storage(version)
            unknown = {"listen-addrs", "cache-size"}
        if version >= (0, 5):
            options["api-bindaddr"] = Option(text)
            unknown |= {"disc-port"}
        options["block-retries"] = Option(number, 3000)
    else:
        options |= _market("persistence" if flavour == "codex" else "")
        options |= _prover("prover" if flavour == "codex" else "", f"{home}/.cache/{flavour}/circuits")
    if flavour == "codex":
        unknown = {"use-system-clock", "prover-backend", "curve", "circom-graph"}
        if version < (0, 2, 4):
            unknown |= {"max-priority-fee-per-gas"}
        if old:
            options |= {"nat": Option(ip, "127.0.0.1"), "disc-ip": Option(ip, "0.0.0.0")}
            unknown |= {"num-threads", "request-cache-size"}
    if flavour == "archivist":
        options |= {"persistence": Option(boolean, False), "prover": Option(boolean, False)}
        unknown = {"simulate-proof-failures"}
    return {name: option for name, option in options.items() if name not in unknown}


def _market(command: str) -> dict[str, Option]:
    return {
        "eth-provider": Option(text, "ws://localhost:8545", command),
        "eth-account": Option(eth_address, None, command),
        "eth-private-key": Option(text, None, command),
        "marketplace-address": Option(eth_address, None, command),
        "simulate-proof-failures": Option(number, 0, command),
        "validator": Option(boolean, False, command),
        "validator-max-slots": Option(number, 1000, command),
        "validator-groups": Option(number, None, command),
        "validator-group-index": Option(number, 0, command),
        "reward-recipient": Option(eth_address, None, command),
        "request-cache-size": Option(number, 128, command),
        "max-priority-fee-per-gas": Option(number, 10**9, command),
        "use-system-clock": Option(boolean, False, command),
    }


def _prover(command: str, circuits: str) -> dict[str, Option]:
    return {
        "circuit-dir": Option(text, circuits, command),
        "circom-r1cs": Option(text, None, command),
        "circom-wasm": Option(text, None, command),
        "circom-graph": Option(text, None, command),
        "circom-zkey": Option(text, None, command),
        "circom-no-zkey": Option(boolean, False, command),
        "prover-backend": Option(one_of("nimgroth16", "circomcompat"), "nimgroth16", command),
        "curve": Option(one_of("bn128"), "bn128", command),
        "proof-samples": Option(number, 5, command),
        "max-slot-depth": Option(number, 32, command),
        "max-dataset-depth": Option(number, 8, command),
        "max-block-depth": Option(number, 5, command),
        "max-cell-elements": Option(number, 67, command),
    }


def _newer_storage(version: Version) -> dict[str, Option]:
    options = {
        "listen-ip": Option(ip, "0.0.0.0"),
        "listen-port": Option(port, 0),
        "network": Option(one_of("logos.test", "logos.dev"), "logos.test"),
        "no-bootstrap-node": Option(boolean, False),
        "mix-enabled": Option(boolean, False),
        "mix-pool": Option(text, ""),
        "mix-pool-json": Option(text, ""),
        "dht-mix-proxy": Option(peer_record, [], repeatable=True),
        "dht-proxy-max-inflight": Option(number),
        "discovery-table-ip-limit": Option(number, 10),
        "discovery-bucket-ip-limit": Option(number, 2),
        "nat": Option(nat("auto"), "auto") if version >= (0, 4, 2) else Option(nat("any", "upnp", "pmp"), "any"),
        "nat-schedule-interval": Option(duration, 120),
        "nat-num-peers-to-ask": Option(number, 3),
        "nat-max-queue-size": Option(number, 3),
        "nat-min-confidence": Option(float, 0.6),
        "autonat-server": Option(boolean, False),
    }
    if version >= (0, 5):
        options |= {
            "advertise-content": Option(boolean, True),
            "relay-server": Option(boolean, False),
            "nat-observed-addr-min-count": Option(number, 1),
            "nat-max-relays": Option(number, 2),
            "nat-port-mapping-discover-timeout": Option(number, 500),
            "nat-port-mapping-timeout": Option(number, 500),
            "nat-port-mapping-recheck-period": Option(number, 300000),
        }
    return options


ABBREVIATIONS = {
    "d": "data-dir",
    "b": "bootstrap-node",
    "p": "api-port",
    "q": "storage-quota",
    "t": "block-ttl",
    "u": "disc-port",
}


def _refuse(program: str, message: str) -> NoReturn:
    """Ends the node as a wrong command line does."""
    print(f"{message}\nTry {program} --help for more information.", file=sys.stderr, flush=True)
    raise SystemExit(1)


def read_config(program: str, version: Version, argv: list[str], environ: dict[str, str]) -> dict[str, Any]:
    """The values of all options, and `commands`: command line before environment before config file."""
    known = options_of(program, version)
    commands, given = _read_arguments(program, known, argv)
    active = {name: option for name, option in known.items() if option.command in commands}
    for name in active.keys() - given.keys():
        variable = f"{program}_{name}".upper().replace("-", "_")
        if variable in environ:
            given[name] = [environ[variable]]
    if "config-file" in given:
        given = _read_file(program, given["config-file"][-1]) | given
    values: dict[str, Any] = {"commands": commands}
    for name, option in active.items():
        parsed = [_parse(program, name, option, value) for value in given.get(name, [])]
        values[name] = option.default if not parsed else parsed if option.repeatable else parsed[-1]
    return values


def _read_arguments(program: str, known: dict[str, Option], argv: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The subcommands, with `` for the program itself, and what was given for each option."""
    subcommands = ["persistence", "prover"] if program == "codex" else []
    commands, given = [""], dict[str, list[str]]()
    for argument in argv:
        match = re.fullmatch(r"--?([^:=\s]+)(?:[:=](.*))?", argument, re.DOTALL)
        if match is None:
            # `prover` comes behind `persistence`; the value of `--name value` is an argument too many.
            if subcommands[len(commands) - 1 :][:1] != [argument]:
                _refuse(program, f"{program} does not accept arguments: {argument}")
            commands.append(argument)
            continue
        name = match[1] if argument.startswith("--") else ABBREVIATIONS.get(match[1], match[1])
        # The options of a subcommand come behind it.
        if name not in known or known[name].command not in commands:
            _refuse(program, f"Unrecognized option '{match[1]}'")
        given.setdefault(name, []).append(match[2] or "")
    return commands, given


def _read_file(program: str, path: str) -> dict[str, list[str]]:
    try:
        content = tomllib.loads(Path(path).read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        _refuse(program, f"Failed to load secondary sources: '{error}'")
    given: dict[str, list[str]] = {}
    for name, value in content.items():
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        given[name] = [str(item).lower() if isinstance(item, bool) else str(item) for item in items]
    return given


def _parse(program: str, name: str, option: Option, value: str) -> object:
    try:
        return option.parse(value)
    except ValueError as error:
        _refuse(program, f"Error while processing the {name}={value} parameter: {error}")
