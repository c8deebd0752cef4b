"""How data comes to a new node of a chain, and which binary runs which blocks."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag

from nodestead.config.base import Model, Problem, many
from nodestead.config.pod import EnvFrom, Image, KeyRef
from nodestead.config.scalars import (
    EnvName,
    LateEnvText,
    LateText,
    Url,
)

__all__ = [
    "AddressBook",
    "BinaryDefault",
    "ChainVersion",
    "Download",
    "Genesis",
    "InlineText",
    "PresetVersions",
    "Script",
    "Snapshot",
    "StateSync",
    "VersionImage",
    "Versions",
    "suffix_problem",
    "url_problems",
]


_SHA256 = r"^[0-9a-f]{64}$"


_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.gzip", ".tar.lz4", ".tar.zst")


_GENESIS = (".json", ".json.gz", ".tar", ".tar.gz", ".tgz", ".tar.gzip", ".zip", "/genesis")


def _path_of(url: str) -> str:
    return re.split(r"[?#]", url, maxsplit=1)[0].lower()


class Download(Model):
    """A file behind a URL."""

    kind: Literal["url"]
    url: Url | None = Field(default=None, description="Its kind is told by the end of its path; it lies readable in a ConfigMap.")
    url_from: KeyRef | None = Field(
        default=None, description="Entry of a Secret with the URL, where that holds a password or a token."
    )
    sha256: str | None = Field(default=None, pattern=_SHA256, description="What it must hash to.")

    def problems(self) -> Iterator[Problem]:
        """One URL, and no secret in one that everybody reads."""
        if (self.url is None) == (self.url_from is None):
            yield Problem(["url"], "give either url or urlFrom")
        yield from url_problems(["url"], self.url, "use urlFrom instead")


def url_problems(path: list[str | int], url: Any, remedy: str) -> Iterator[Problem]:
    """A URL that a ConfigMap holds and the nodes read by HTTP."""
    if not isinstance(url, str):
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        yield Problem(path, f"{parts.scheme}: is not read; write http or https")
    if parts.username is not None or parts.password is not None:
        yield Problem(path, f"has a user or a password in it, and would lie readable in a ConfigMap; {remedy}")


class Script(Model):
    """A shell script that makes it, run in the agent's image, aside from the home until it has ended well."""

    kind: Literal["script"]
    script: str = Field(
        min_length=1,
        description="It writes the file $GENESIS_FILE or $ADDRBOOK_FILE, or fills the folder $RESTORE_DIR with a snapshot.",
    )
    env: dict[EnvName, LateEnvText | EnvFrom] = Field(
        default_factory=dict, description="Environment of the preparation: a text, or an entry of a Secret or ConfigMap."
    )


class InlineText(Model):
    """The text itself; a ConfigMap holds it, so at most 900 kB."""

    kind: Literal["inline"]
    text: str = Field(min_length=2, max_length=900_000)


class BinaryDefault(Model):
    """What the binary's `init` makes."""

    kind: Literal["default"]


Genesis = Annotated[Download | Script | InlineText | BinaryDefault, Field(discriminator="kind")]


AddressBook = Annotated[Download | Script, Field(discriminator="kind")]


Snapshot = Annotated[Download | Script, Field(discriminator="kind")]


def suffix_problem(source: Any, *, genesis: bool = False) -> Iterator[Problem]:
    """A download whose kind nothing tells."""
    allowed = _GENESIS if genesis else _ARCHIVES
    if isinstance(source, Download) and isinstance(source.url, str) and not _path_of(source.url).endswith(allowed):
        yield Problem(
            ["url"], f"the path ends in none of {', '.join(allowed)}; give a URL whose path tells the kind, or use kind: script"
        )


class StateSync(Model):
    """A new node asks its peers for a snapshot of the state; only a node without data does."""

    rpc_servers: tuple[Url, ...] = many(description="At least two RPC servers of the chain, to verify against.")
    siblings: bool = Field(default=False, description="Use the other nodes of the set instead.")
    trust_height: int | None = Field(default=None, ge=1)
    trust_hash: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{64}$", description="Hash of the block at trustHeight.")
    trust_servers: bool = Field(
        default=False, description="Ask the servers for height and hash when the node starts, and believe them where they agree."
    )
    trust_offset: int = Field(default=1000, ge=1, description="Blocks below the latest one to trust, with trustServers.")

    def problems(self) -> Iterator[Problem]:
        """A light client needs something to believe and somebody to ask."""
        for index, server in enumerate(self.rpc_servers):
            yield from url_problems(["rpcServers", index], server, "name a server that asks for none")
        if self.siblings and self.rpc_servers:
            yield Problem(["rpcServers"], "cannot be set together with siblings; give one of them")
        if not self.siblings and len(self.rpc_servers) < 2:
            yield Problem(
                ["rpcServers"], f"has {len(self.rpc_servers)} entries; name at least two servers, or set siblings: true"
            )
        given = (self.trust_height is not None) + (self.trust_hash is not None)
        if given == 1:
            yield Problem(
                ["trustHash" if self.trust_hash is None else "trustHeight"], "is missing; give height and hash together"
            )
        if given == 0 and not (self.trust_servers or self.siblings):
            yield Problem(
                ["trustHeight"],
                "there is nothing to trust; give trustHeight and trustHash from a source of yours, or set trustServers: true",
            )
        if given and self.trust_servers:
            yield Problem(["trustServers"], "cannot be set together with trustHeight; give one of them")


class VersionImage(Model):
    """The image of a version; what it does not say is the set's."""

    repository: LateText | None = None
    tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    allow_moving_tag: bool = Field(default=False, description="Accept a tag that moves (latest, stable) without a digest.")

    def problems(self) -> Iterator[Problem]:
        """A version is told by tag or digest."""
        if self.tag is None and self.digest is None:
            yield Problem(["tag"], "is required, or digest: a version is an image of its own; add it")
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        yield from Image.model_construct(**fields).problems()

    def image(self) -> Image:
        """As an image that goes over the set's."""
        return Image(repository=self.repository, tag=self.tag, digest=self.digest, allow_moving_tag=True)


class ChainVersion(Model):
    """A binary, and the blocks that it runs."""

    height: int = Field(ge=0, description="The first block that this version runs; that of the upgrade plan.")
    image: VersionImage
    halt_height: int | None = Field(
        default=None,
        ge=1,
        description="The last block that it commits; for upgrades that no plan on the chain stops. The next begins after it.",
    )


class PresetVersions(Model):
    """The versions of the chain's preset, each with its tag of the set's image; only where the preset knows all heights."""

    preset: Literal[True]
    since: int = Field(default=0, ge=0, description="Leave out those that ended before this height.")


def _versions_tag(given: Any) -> str:
    """Whether versions are listed or those of the preset, so that a refusal speaks of one of them only."""
    return "tagged-PresetVersions" if isinstance(given, dict | PresetVersions) else "tagged-list"


Versions = Annotated[
    Annotated[tuple[ChainVersion, ...], Field(strict=False), Tag("tagged-list")]
    | Annotated[PresetVersions, Tag("tagged-PresetVersions")],
    Discriminator(_versions_tag),
]
