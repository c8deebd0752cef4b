"""What a builder returns: manifests, values known only at deploy time, and the plan of a set of nodes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import SecretStr

from nodestead.config.base import Deferred

__all__ = [
    "BATCHES",
    "Address",
    "Identity",
    "Late",
    "Manifest",
    "NodePlan",
    "PasswordHash",
    "Plan",
    "PublicOf",
    "Ref",
    "Seed",
    "SetPeers",
    "StackPeers",
    "identity",
    "is_kept",
    "late_refs",
]

BATCHES = "rollout.batches"
"""The input of a component that holds the batches of its nodes, beside its facts."""

Manifest = dict[str, Any]
"""A Kubernetes object as `kubectl get -o yaml` shows it; leaves may be `Late` or a `Deferred` of the caller."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The 32 random bytes of a set, as 64 hexadecimal digits; secret."""

    set_name: str


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """The bcrypt hash of a set's generated API password; secret."""

    set_name: str


@dataclass(frozen=True, slots=True)
class Address:
    """The `status.loadBalancer.ingress` list of a Service of the same set."""

    service: str


@dataclass(frozen=True, slots=True)
class PublicOf:
    """What is public of a set's seed, and so no secret: node ids, addresses, a genesis.

    Attributes:
        seed: The seed.
        derive: A pure function of its hexadecimal digits that gives nothing from which a key could be found. Leaves of one
            set share the function, so that it is called once for all of them.
    """

    seed: Seed
    derive: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class SetPeers:
    """The peers that another set of the same program publishes: a list of `id@host:port`, given once its Services are there."""

    set_name: str


@dataclass(frozen=True, slots=True)
class StackPeers:
    """The peers of a set of another stack: a list of `id@host:port` from that stack's outputs.

    Attributes:
        stack: Name of the stack, as organization/project/stack.
        set_name: Name of the set there.
        public: Whether to take the addresses that the nodes announce.
    """

    stack: str
    set_name: str
    public: bool


Ref = Seed | PasswordHash | Address | PublicOf | SetPeers | StackPeers | Deferred | SecretStr


@dataclass(frozen=True, slots=True)
class Late:
    """A leaf of a manifest that is known only at deploy time.

    Attributes:
        refs: What `make` needs, in the order of its arguments.
        make: A pure function from the values of refs to the leaf.
        shown: What a rendering shows in its place, or a function without arguments that makes it, as a deployment shows
            none: equal for equal config, never a secret, never a value that a node would take for a key.
    """

    refs: tuple[Ref, ...]
    make: Callable[..., Any]
    shown: Any

    @classmethod
    def of(cls, ref: Ref, make: Callable[[Any], Any], shown: Any) -> "Late":
        """A leaf that needs one thing."""
        return cls((ref,), make, shown)

    @property
    def stand_in(self) -> Any:
        """What a rendering shows in its place."""
        return self.shown() if callable(self.shown) else self.shown


@dataclass(frozen=True, slots=True)
class NodePlan:
    """The objects of one node, in the order in which they have to be there.

    Attributes:
        name: The name of the node, which is that of its workload.
        ordinal: Its number in the set; None for a bootstrap node.
        manifests: Services, claim, key Secret and whatever the pod reads; the workload last.
        outputs: What users ask of a node: plain leaves, `Late` or `Deferred`.
        after: What comes after the workload, and nobody waits for.
    """

    name: str
    ordinal: int | None
    manifests: list[Manifest]
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    after: list[Manifest] = field(default_factory=list[Manifest])


@dataclass(frozen=True, slots=True)
class Plan:
    """All objects of one set of nodes.

    Attributes:
        name: The name of the set; the prefix of all its objects.
        namespace: The namespace of its objects.
        shared: Objects that belong to no single node; they come before every node.
        nodes: Makes the nodes anew on each call, one by one, so that ten thousand need no memory.
        waves: Names of nodes in the order of a rollout; each wave waits until the one before is ready.
        timeout_seconds: How long a node of a wave may take to become ready.
        creation_seconds: How long a new one may, where that is longer: nothing is broken while it still fetches its data.
        unchangeable: What may not change under kept data, by its path in the config.
        noticed: What may change but costs something, by its path in the config: its value, and what to say of a change.
        needs_seed: Whether keys come from a seed.
        given_seed: A seed restored from its backup; None where one is generated.
        needs_password: Whether an API password is generated.
        peers: How other sets dial the nodes, a list of `id@host:port`; None for nodes that are no peers of other sets.
        outputs: What users ask of the set; like those of the nodes public, but for the password.
    """

    name: str
    namespace: str | Deferred
    shared: list[Manifest]
    nodes: Callable[[], Iterator[NodePlan]]
    waves: list[list[str]]
    timeout_seconds: int
    unchangeable: dict[str, Any]
    noticed: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    creation_seconds: int | None = None
    needs_seed: bool = False
    given_seed: SecretStr | Deferred | None = None
    needs_password: bool = False
    peers: Any = None
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def facts(self) -> dict[str, Any]:
        """What a change of is refused or told of, by its path in the config."""
        return {
            # The SDK leaves an input without value out; as a text it can be told from a rule that did not exist yet.
            **{path: "not set" if value is None else value for path, value in self.unchangeable.items()},
            **{path: value for path, (value, _) in self.noticed.items()},
        }

    def manifests(self) -> Iterator[Manifest]:
        """All manifests, shared ones first, then node by node."""
        yield from self.shared
        for node in self.nodes():
            yield from node.manifests
            yield from node.after


Identity = tuple[str, str, str, str]
"""API group, kind, namespace ("" for objects of the cluster) and name of an object."""


def identity(manifest: Manifest) -> Identity:
    """What the API server tells objects apart by; values that are not known yet stand for themselves."""
    metadata = manifest["metadata"]
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    named = [metadata.get("namespace") or "", metadata["name"]]
    namespace, name = (str(part.stand_in if isinstance(part, Late) else part) for part in named)
    return group, str(manifest["kind"]), namespace, name


def is_kept(manifest: Manifest) -> bool:
    """Tells whether an object outlives its stack: claims, key Secrets and namespaces are adopted, never deleted."""
    annotations: dict[str, str] = manifest["metadata"].get("annotations") or {}
    return annotations.get("pulumi.com/patchForce") == "true"


def late_refs(value: Any) -> Iterator[Ref]:
    """Everything that the deploy-time leaves below a value need."""
    if isinstance(value, Late):
        yield from value.refs
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from late_refs(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            yield from late_refs(item)
    elif isinstance(value, Deferred):
        yield value
