"""Chains by name: what a node needs to know of a public network, from the Cosmos chain registry.

The files under `chains/` are what `nodestead chain` wrote from the registry (github.com/cosmos/chain-registry) as it was on
2026-08-21, commit 627bbab. They go out of date: peers leave, chains upgrade. `nodestead chain` makes a fresh file, and a stack
may name that file in place of a preset.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from nodestead.config.base import ConfigError, Model, Problem, many, near_name, parse
from nodestead.config.scalars import Peer, is_url

__all__ = ["ChainPreset", "ChainVersion", "PresetError", "load_preset", "preset", "preset_names", "read_json"]

_LARGEST = 4 << 20

_Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
_Release = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){1,3}([-+][0-9A-Za-z.+-]{1,64})?$")]
# sdk.ValidateDenom.
_DENOM = r"[a-zA-Z][a-zA-Z0-9/:._-]{2,127}"
_Denom = Annotated[str, Field(pattern=f"^{_DENOM}$")]


_REPOSITORY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5}(?=/))?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


class PresetError(ValueError):
    """A preset that is not there or is refused; `problems` holds one line for each refusal."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        many_lines = f"{len(problems)} problems:\n" + "\n".join(f"  - {line}" for line in problems)
        super().__init__(f"{where}: {problems[0] if len(problems) == 1 else many_lines}")


class ChainVersion(Model):
    """A release and the first block that it runs."""

    height: int = Field(ge=0, lt=2**63, description="First block of the version; 0 or the chain's first height for the oldest.")
    tag: _Tag = Field(description="Last part of the release's git tag; some projects leave its v out of their images' tags.")
    name: str = Field(
        pattern=r"^[!-~]([ -~]{0,126}[!-~])?$", description="Name of the upgrade, as in the chain's plan and upgrade-info.json."
    )


class ChainPreset(Model):
    """A public network of the Cosmos SDK. What the registry does not say is null, and the stack has to give it."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Folder of the chain in the registry.")
    chain_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$")
    network: Literal["mainnet", "testnet"]
    binary: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")
    home: str | None = Field(
        pattern=r"^\.?[A-Za-z0-9_-][A-Za-z0-9_.-]*(/\.?[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$",
        description="Folder that the binary takes in the user's home where no other is named.",
    )
    # BIP 173 takes more than letters, and chains use it: lava@, addr_safro, did:com:.
    prefix: str = Field(pattern=r"^[!-@\[-~]{1,83}$", description="Bech32 prefix of accounts.")
    denom: _Denom | None = Field(description="Token that is staked.")
    min_gas_price: str | None = Field(
        pattern=rf"^[0-9]{{1,40}}(\.[0-9]{{1,18}})?{_DENOM}$",
        description="Least price that a node may ask, in the token that fees are paid in, as in 0.005uatom.",
    )
    genesis_url: str | None
    repository: str | None = Field(description="Repository of the container image, without a tag; the registry knows none.")
    recommended: _Tag | None = Field(description="The release to run now, by the last part of its git tag.")
    sdk: _Release | None = Field(description="Version of the Cosmos SDK now, without a v.")
    consensus: _Release | None = Field(description="Version of CometBFT or Tendermint now, without a v.")
    seeds: tuple[Peer, ...] = many()
    persistent_peers: tuple[Peer, ...] = many()
    versions: tuple[ChainVersion, ...] = many(description="Ascending by height. Look at reachesRecommended before relying on it.")

    @property
    def reaches_recommended(self) -> bool:
        """Whether the last version with a known height is the recommended one.

        Where not, upgrades came after it whose heights the registry does not know: a node that starts from a present
        snapshot runs `recommended`, and one that replays from the genesis needs heights from elsewhere.
        """
        return bool(self.versions) and self.versions[-1].tag == self.recommended

    def problems(self) -> Iterator[Problem]:
        """A repository, a price and a URL that are such, heights that ascend, and no node twice in one list."""
        if self.repository is not None and not _REPOSITORY.fullmatch(self.repository):
            yield Problem(
                ["repository"],
                f"{ascii(self.repository)[:80]} is not a repository; write registry and name in lower case, without a tag, as in"
                " ghcr.io/cosmos/gaia",
            )
        if self.min_gas_price is not None and re.match(r"[0-9.]+[eE][-+]?[0-9]", self.min_gas_price):
            # A node would read 5e-06uatom as 5 of the token e-06uatom.
            yield Problem(["minGasPrice"], f"{self.min_gas_price!r} is refused; write the number without an exponent")
        if self.genesis_url is not None and not re.fullmatch(r"https?://[!-~]+", self.genesis_url):
            yield Problem(["genesisUrl"], "the value is not a URL; write it as https://example.org/genesis.json")
        elif self.genesis_url is not None and not is_url(self.genesis_url):
            yield Problem(["genesisUrl"], "the value is not a URL; write it with scheme and host")
        for index, version in enumerate(self.versions[1:], start=1):
            if version.height <= self.versions[index - 1].height:
                yield Problem(
                    ["versions", index, "height"],
                    f"{version.height} does not come after {self.versions[index - 1].height}; sort versions by height, with one"
                    " for each",
                )
        for field, peers in (("seeds", self.seeds), ("persistentPeers", self.persistent_peers)):
            seen: set[str] = set()
            for index, peer in enumerate(peers):
                node = peer.split("@", 1)[0]
                if node in seen:
                    yield Problem([field, index], f"the node {node} is there twice; leave one")
                seen.add(node)


def preset_names() -> tuple[str, ...]:
    """Names of the built-in presets: the chains' ids, sorted. Reads no file."""
    return tuple(sorted(file.name.removesuffix(".json") for file in _folder().iterdir() if file.name.endswith(".json")))


def preset(name: str, folder: Path | None = None) -> ChainPreset:
    """A chain by the name of its preset, or by its file.

    Args:
        name: A chain id of `preset_names`, or the path of a file that ends in .json.
        folder: What the path is relative to, the folder of the stack's file; the working directory by default.

    Raises:
        PresetError: a ValueError that names value, rule and remedy, with near names for one that is not known.
    """
    if name.endswith(".json"):
        return load_preset((folder or Path()) / name)
    return _built_in(name)


def load_preset(path: Path) -> ChainPreset:
    """Reads a preset from a file that `nodestead chain` wrote, perhaps changed by hand.

    Raises:
        PresetError: no such file, no JSON, a key that is missing, unknown or twice, a value that is refused; all at once.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise PresetError(str(path), [f"cannot be read: {error.strerror}; write it with nodestead chain"]) from None
    except ValueError:
        raise PresetError(ascii(str(path)), ["is not the path of a file; write it without control characters"]) from None
    return _checked(read_json(content, str(path), unique=True), str(path))


def read_json(content: bytes, where: str, *, unique: bool = False) -> dict[str, Any]:
    """A JSON object from a file or a server.

    Args:
        content: The bytes, at most 4 MiB.
        where: What a refusal begins with.
        unique: Whether a key that stands twice in an object is refused; else the last one counts.

    Raises:
        PresetError: where it is too large, no UTF-8, no JSON or no object.
    """
    if len(content) > _LARGEST:
        raise PresetError(where, [f"has more than {_LARGEST >> 20} MiB; name a chain's own file"])
    try:
        value: object = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique if unique else None)
    except UnicodeDecodeError as error:
        raise PresetError(where, [f"is no UTF-8 text at byte {error.start}; save it as UTF-8"]) from None
    except json.JSONDecodeError as error:
        told = f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}; correct it or write it anew"
        raise PresetError(where, [told]) from None
    except _TwiceError as error:
        raise PresetError(where, [f"the key {str(error)!a} stands twice in one object; remove one"]) from None
    except (RecursionError, ValueError):
        raise PresetError(where, ["is not JSON that can be read: it is nested too deep, or a number is too long"]) from None
    if not isinstance(value, dict):
        raise PresetError(where, ["is no object; a file begins with { and ends with }"])
    return cast("dict[str, Any]", value)


class _TwiceError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


@cache
def _built_in(name: str) -> ChainPreset:
    names = preset_names()
    if name not in names:
        hint = near_name(name, names, f"built in are {', '.join(names)}.")
        told = f"is no chain that is built in; {hint} For any other write its file with nodestead chain and name that"
        raise PresetError(ascii(name)[:80], [told])
    file = f"{name}.json"
    return _checked(read_json((_folder() / file).read_bytes(), file), file)


def _checked(given: dict[str, Any], where: str) -> ChainPreset:
    try:
        return parse(ChainPreset, given)
    except ConfigError as error:
        raise PresetError(where, error.problems) from None


def _folder() -> Any:
    return resources.files("nodestead.software") / "chains"
