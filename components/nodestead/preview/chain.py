"""Makes a preset of a chain from its `chain.json` and `versions.json` in the Cosmos chain registry.

The registry is written by many hands. What a preset cannot do without is refused where it is missing or wrong; one peer or
version that is wrong is left out, and a note says so.
"""

import ipaddress
import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from nodestead.config.base import ConfigError, Model, parse
from nodestead.config.scalars import Peer
from nodestead.preview.chain_source import Source, read_registry
from nodestead.software.presets import ChainPreset, ChainVersion, PresetError, preset, preset_names

__all__ = ["MadePreset", "made_preset", "preset_text", "registry_preset"]


@dataclass(frozen=True, slots=True)
class MadePreset:
    """A preset, and what its maker has to say about it.

    Attributes:
        preset: The preset.
        notes: What was left out or is not known, one line each, path first.
    """

    preset: ChainPreset
    notes: tuple[str, ...] = ()


def made_preset(name: str, source: str | None = None, versions: str | None = None, repository: str | None = None) -> MadePreset:
    """The preset that a name or a source stands for.

    Args:
        name: A built-in preset, or a chain of the registry: its folder (osmosis, testnets/osmosistestnet) or, with a source, its
            chain id.
        source: File, https URL or folder of chain.json; the registry by default.
        versions: File or https URL of versions.json; the one beside chain.json by default, if it is there.
        repository: Repository of the chain's image.

    Raises:
        PresetError: naming what is refused, and what to do.
    """
    if source is None and versions is None and name in preset_names():
        found = preset(name)
        changed = {} if repository is None else {"repository": repository}
        return MadePreset(_preset(found.model_dump() | changed, name))
    chain, releases = read_registry(name, source, versions)
    return registry_preset(chain, releases, name=name, repository=repository)


def preset_text(made: ChainPreset) -> str:
    """The preset as its file."""
    return json.dumps(made.model_dump(mode="json", by_alias=True), indent=2) + "\n"


# ---- from the registry's words to ours


class _Chain(Model):
    """What is read of chain.json; other keys are left alone, and entries of lists are looked at one by one."""

    model_config = ConfigDict(extra="ignore", alias_generator=None)

    chain_name: str
    chain_type: str
    chain_id: str
    status: str = "live"
    network_type: str
    bech32_prefix: str
    daemon_name: str
    node_home: str | None = None
    fees: dict[str, Any] | None = None
    staking: dict[str, Any] | None = None
    codebase: dict[str, Any] | None = None
    peers: dict[str, Any] | None = None


def registry_preset(
    chain: Source, releases: Source | None = None, *, name: str | None = None, repository: str | None = None
) -> MadePreset:
    """Makes a preset from the registry's words.

    Args:
        chain: chain.json.
        releases: versions.json, if there is one.
        name: Chain name or chain id that it has to be, if given.
        repository: Repository of the chain's image.

    Raises:
        PresetError: missing keys, wrong types, another kind of chain, another chain than the named one; all at once.
    """
    # Another kind of chain lacks keys that only Cosmos chains have; naming those would mislead.
    kind = chain.content.get("chain_type")
    if isinstance(kind, str) and kind != "cosmos":
        raise PresetError(chain.where, [f"chain_type: {_shown(kind)} is not cosmos; only chains of the Cosmos SDK have presets"])
    try:
        given = parse(_Chain, chain.content)
    except ConfigError as error:
        raise PresetError(chain.where, error.problems) from None
    short = name.removeprefix("testnets/") if name is not None else None
    if short not in (None, given.chain_name, given.chain_id):
        told = (
            f"chain_name: {_shown(given.chain_name)} ({_shown(given.chain_id)}) is not {_shown(short)}; name the one or the other"
        )
        raise PresetError(chain.where, [told])
    if given.network_type not in ("mainnet", "testnet", "devnet"):
        told = f"network_type: {_shown(given.network_type)} is refused; it is mainnet, testnet or devnet"
        raise PresetError(chain.where, [told])
    notes = _Notes()
    if given.status != "live":
        notes.add("status", f"{_shown(given.status)}; the registry does not count the chain as live")
    codebase, peers = given.codebase or {}, given.peers or {}
    fee, stake = (
        _first(given.fees, "fees", "fee_tokens", chain.where),
        _first(given.staking, "staking", "staking_tokens", chain.where),
    )
    made: dict[str, Any] = {
        "name": given.chain_name,
        "chain_id": given.chain_id,
        "network": "mainnet" if given.network_type == "mainnet" else "testnet",
        "binary": given.daemon_name,
        "home": _home(given.node_home),
        "prefix": given.bech32_prefix,
        "denom": (stake or fee or {}).get("denom"),
        "min_gas_price": _price(fee or {}),
        "genesis_url": _genesis(codebase, notes),
        "repository": repository,
        "recommended": _tag(codebase),
        "sdk": _release(codebase.get("sdk")),
        "consensus": _release(codebase.get("consensus")),
        "seeds": _peers(peers, "seeds", chain.where, notes),
        "persistent_peers": _peers(peers, "persistent_peers", chain.where, notes),
        "versions": _versions(releases, notes) if releases is not None else (),
    }
    for key in ("home", "denom", "min_gas_price", "genesis_url", "recommended", "sdk", "consensus"):
        if made[key] is not None and not _is_sound(made, key):
            notes.add(key, f"{_shown(made[key])} is left out; it is not written as one")
            made[key] = None
        elif made[key] is None and key in ("denom", "min_gas_price", "genesis_url", "recommended"):
            notes.add(key, "the registry does not say it; the stack has to, or fill it in")
    found = _preset(made, chain.where)
    if not found.versions:
        notes.add("versions", "none has a height; a node runs the image that the stack gives")
    elif not found.reaches_recommended:
        last = found.versions[-1]
        notes.add(
            "versions",
            f"the last with a height is {last.tag} ({last.height}), the recommended one is {found.recommended}; after a snapshot"
            " run the recommended one, and to replay all blocks add what lies between",
        )
    return MadePreset(found, tuple(notes.lines))


class _Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, text: str) -> None:
        self.lines.append(f"{path}: {text}")


def _shown(value: object) -> str:
    """A value of others, in ASCII and short."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _preset(made: dict[str, Any], where: str) -> ChainPreset:
    try:
        return parse(ChainPreset, made)
    except ConfigError as error:
        told = [f"{_REGISTRY_KEYS.get(path, path)}:{rule}" for path, _, rule in (line.partition(":") for line in error.problems)]
        raise PresetError(where, told) from None


# As chain.json calls what a preset has under another name, and cannot do without.
_REGISTRY_KEYS = {"name": "chain_name", "chainId": "chain_id", "binary": "daemon_name", "prefix": "bech32_prefix"}


def _is_sound(made: dict[str, Any], key: str) -> bool:
    """Whether the model takes the value of one key."""
    try:
        parse(
            ChainPreset,
            {"name": "a", "chain_id": "a", "network": "testnet", "binary": "a", "prefix": "a", **_NOTHING, key: made[key]},
        )
    except ConfigError:
        return False
    return True


_NOTHING = dict.fromkeys(("home", "denom", "min_gas_price", "genesis_url", "repository", "recommended", "sdk", "consensus"), None)


def _list(value: object, path: str, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PresetError(where, [f"{path}: has the wrong type; write a list"])
    return cast("list[Any]", value)


def _first(given: dict[str, Any] | None, key: str, inner: str, where: str) -> dict[str, Any] | None:
    """The first token of a list of them; the first is what a chain counts in."""
    tokens = _list((given or {}).get(inner), f"{key}.{inner}", where)
    if tokens and not isinstance(tokens[0], dict):
        raise PresetError(where, [f"{key}.{inner}[0]: has the wrong type; write a mapping of keys and values"])
    return cast("dict[str, Any]", tokens[0]) if tokens else None


def _price(fee: dict[str, Any]) -> str | None:
    """The least price: the fixed one, else the low one; written out, since a node reads no exponents."""
    price = fee.get("fixed_min_gas_price", fee.get("low_gas_price"))
    if price is None or "denom" not in fee or isinstance(price, bool):
        return None
    try:
        exact = Decimal(str(price))
    except InvalidOperation:
        return None
    digits = f"{exact:f}" if exact.is_finite() and abs(exact.adjusted()) < 40 else str(price)
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}{fee['denom']}"


def _home(given: str | None) -> str | None:
    if given is None:
        return None
    bare = re.sub(r"^(\$HOME|~)/", "", given)
    return (bare.rsplit("/", 1)[-1] if "$" in bare else bare).rstrip("/") or None


def _genesis(codebase: dict[str, Any], notes: _Notes) -> Any:
    found: object = codebase.get("genesis")
    url: object = cast("dict[str, Any]", found).get("genesis_url") if isinstance(found, dict) else None
    page = re.fullmatch(r"(https://github\.com/[^/]+/[^/]+)/blob/(.*)", url) if isinstance(url, str) else None
    if page is None:
        return url
    notes.add("genesis_url", "the registry names a page about the file; it is replaced by the file's own URL")
    return f"{page[1]}/raw/{page[2]}"


def _tag(given: dict[str, Any]) -> Any:
    """The release's tag; of one in a repository of many (protocol/v9.6.1) the last part, as images are tagged."""
    tag: object = given.get("tag") or given.get("recommended_version")
    return tag.rsplit("/", 1)[-1] if isinstance(tag, str) else tag


def _release(given: object) -> str | None:
    version: object = cast("dict[str, Any]", given).get("version") if isinstance(given, dict) else None
    return version.removeprefix("v") if isinstance(version, str) else None


_PEER: TypeAdapter[str] = TypeAdapter(Peer)


def _peers(peers: dict[str, Any], key: str, where: str, notes: _Notes) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for index, entry in enumerate(_list(peers.get(key), f"peers.{key}", where)):
        fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        node, address = fields.get("id"), fields.get("address")
        text = f"{node}@{address}" if isinstance(node, str) and isinstance(address, str) else ""
        path = f"peers.{key}[{index}]"
        if not _is_peer(text):
            notes.add(path, f"{_shown(text)} is left out; a peer is 40 lower-case hexadecimal digits, @, host and port")
        elif text.split("@", 1)[0] in found:
            notes.add(path, f"{_shown(text)} is left out; the node is there already")
        else:
            found[text.split("@", 1)[0]] = text
    return tuple(found.values())


def _is_peer(text: str) -> bool:
    try:
        host = _PEER.validate_python(text).split("@", 1)[1].rsplit(":", 1)[0]
        if re.fullmatch(r"[0-9.]+", host):
            ipaddress.IPv4Address(host)
    except (ValidationError, ValueError):
        return False
    return True


def _versions(releases: Source, notes: _Notes) -> tuple[ChainVersion, ...]:
    """The versions with a height, ascending; of those with the same one, the last."""
    found: dict[int, ChainVersion] = {}
    no_height: list[str] = []
    heights: list[int] = []
    for index, entry in enumerate(_list(releases.content.get("versions"), "versions", releases.where)):
        if not isinstance(entry, dict):
            notes.add(f"versions[{index}]", "is left out; it is no mapping")
            continue
        fields = cast("dict[str, Any]", entry)
        name, height, tag = fields.get("name"), fields.get("height"), _tag(fields)
        if height is None:
            no_height.append(_shown(name).strip("'"))
            continue
        if tag is None:
            notes.add(f"versions[{index}]", f"{_shown(name)} is left out; it has no tag")
            continue
        try:
            version = parse(ChainVersion, {"name": name, "height": height, "tag": tag})
        except ConfigError as error:
            notes.add(f"versions[{index}]", f"{_shown(name)} is left out; {'; '.join(error.problems)}")
            continue
        if version.height in found:
            notes.add(f"versions[{index}]", f"{_shown(name)} takes the place of {found[version.height].tag}, of the same height")
        heights.append(version.height)
        found[version.height] = version
    if heights != sorted(heights):
        notes.add("versions", "the registry's order is not that of heights; they are sorted")
    if no_height:
        notes.add("versions", f"without a height and left out: {', '.join(no_height)}")
    return tuple(found[height] for height in sorted(found))
