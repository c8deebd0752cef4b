"""The base of every set component: registers the objects of a `Plan`, wave by wave."""

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeVar, cast

import pulumi
import pulumi_random
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, SecretPatch, Service
from pulumi_kubernetes.core.v1.outputs import ServiceStatus
from pydantic import SecretStr

from nodestead.config.base import ConfigError, Deferred
from nodestead.kubernetes.objects import (
    BATCHES,
    Address,
    Late,
    Manifest,
    NodePlan,
    PasswordHash,
    Plan,
    PublicOf,
    Ref,
    Seed,
    SetPeers,
    StackPeers,
)
from nodestead.registration import child_name, numbered, object_key, register

__all__ = ["NodeSet", "PeerBook", "clean_errors", "refused_changes", "settled"]

_Dependencies = Sequence[pulumi.Input[pulumi.Resource]]
T = TypeVar("T")

# 64 hexadecimal digits, which are 32 random bytes.
_HEXADECIMAL: dict[str, Any] = {
    "length": 64,
    "upper": False,
    "lower": False,
    "numeric": False,
    "special": True,
    "override_special": "0123456789abcdef",
}


@contextmanager
def clean_errors() -> Generator[None]:
    """Turns a refused config into one clean error of `pulumi up`, without a traceback."""
    try:
        yield
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from None


def settled(namespace: pulumi.Input[str]) -> str | Deferred:
    """A namespace as plans take it: the text, or the output that gives it."""
    return namespace if isinstance(namespace, str) else cast("Deferred", pulumi.Output.from_input(namespace))


class PeerBook:
    """Where the sets of one program find each other's peers, whatever the order in which they are made.

    Sentries have to know their validator and it them, so neither can come first: each set publishes its peers here when
    its Services are registered, and what the others read waits for that.

    >>> book = PeerBook("sentries", "validator")
    >>> BlockchainNodeSet("sentries", sentries, peer_book=book)
    >>> BlockchainNodeSet("validator", validator, peer_book=book)
    """

    def __init__(self, *names: str) -> None:
        """Takes the names of the sets; each has to be made, or what waits for it waits for ever."""
        self._entries: dict[str, asyncio.Future[Any]] = {name: asyncio.get_event_loop().create_future() for name in names}

    def of(self, name: str) -> pulumi.Output[list[str]]:
        """The peers of a set, once it has published them.

        Raises:
            pulumi.RunError: where the book has no such set.
        """
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            raise pulumi.RunError(f"peersFrom: there is no set {name} in the peer book, whose sets are: {known}; name it there")
        return pulumi.Output.from_input(cast("Any", self._entries[name])).apply(lambda peers: cast("list[str]", peers))

    def fail(self, name: str) -> None:
        """Says that a set will never come, so that nobody waits for it."""
        entry = self._entries.get(name)
        if entry is not None and not entry.done():
            entry.set_exception(pulumi.RunError(f"peersFrom: the set {name} was refused, and has no peers"))

    def publish(self, name: str, peers: pulumi.Output[list[str]]) -> None:
        """Enters the peers of a set; one that the book does not name is passed over."""
        entry = self._entries.get(name)
        if entry is not None and not entry.done():
            entry.set_result(peers)


class NodeSet(pulumi.ComponentResource):
    """A set of nodes with all their objects; base of the components of this library.

    The Pulumi names of the children are contract: a release that changes one ships aliases.

    Attributes:
        resources: Every Kubernetes object by `Kind/name` (`Kind/namespace/name` outside the set's namespace).
        stateful_sets: The workloads by name.
        services: The Services by name.
        secrets: The Secrets by name; those with keys are `SecretPatch` resources.
        nodes: What users ask of a node, by the node's name: addresses, Service names, public keys.
        outputs: What users ask of the set.
        seed: The protected seed that all generated keys of the set derive from; None without such keys, or with a given seed.
        api_password: The generated password of the API (secret), or None.
    """

    resources: dict[str, pulumi.CustomResource]
    stateful_sets: dict[str, StatefulSet]
    services: dict[str, Service]
    secrets: dict[str, Secret | SecretPatch]
    nodes: dict[str, dict[str, pulumi.Output[Any]]]
    outputs: dict[str, pulumi.Output[Any]]
    seed: pulumi_random.RandomPassword | None
    api_password: pulumi.Output[str] | None
    _taken: pulumi.ErrorHook | None

    def __init__(
        self,
        kind: str,
        name: str,
        plan: Plan,
        opts: pulumi.ResourceOptions | None = None,
        *,
        peer_book: PeerBook | None = None,
    ) -> None:
        """Registers the component and everything in its plan.

        Args:
            kind: Name of the component class in the type token, `StorageNodeGroup`.
            name: Pulumi name, the prefix of those of all children.
            plan: The objects; made, and so validated, before anything is registered.
            opts: Options of the caller; the guard of unchangeable fields is added to the hooks in it.
            peer_book: Where the set finds peers of other sets, and they its own.
        """
        token = f"nodestead:index:{kind}"
        # The order of the rollout too: a report of the engine's preview has no other way to know it.
        super().__init__(token, name, {**plan.facts, BATCHES: plan.waves}, _with_guard(token, name, plan.noticed, opts))
        self._plan = plan
        self._peer_book = peer_book
        self._addresses: dict[str, pulumi.Output[list[dict[str, str]] | None]] = {}
        self._wholes: dict[PublicOf | SetPeers | StackPeers, pulumi.Output[_Whole]] = {}
        self._stacks: dict[str, pulumi.StackReference] = {}
        self._make_secrets(name)
        prefix = _hook_prefix(token, name, opts)
        self._restoring = _restoring_hook(f"{prefix}::key") if self._seed is not None else None
        self._taken_name, self._taken = f"{prefix}::taken", None
        self.resources = {}
        self.stateful_sets, self.services, self.secrets = {}, {}, {}
        nodes = list(plan.nodes())
        self._register_objects(nodes)
        self.nodes = {node.name: {key: self._public(value) for key, value in node.outputs.items()} for node in nodes}
        self.outputs = {key: self._public(value) for key, value in plan.outputs.items()}
        self.register_outputs({"nodes": self.nodes, "apiPassword": self.api_password, **self.outputs})

    def _make_secrets(self, name: str) -> None:
        """What is generated once and kept in the stack's encrypted state."""
        plan = self._plan
        self.seed = self.api_password = self._seed = self._password_hash = None
        if plan.given_seed is not None:
            self._seed = pulumi.Output.secret(self._resolved(plan.given_seed))
        elif plan.needs_seed:
            options = pulumi.ResourceOptions(parent=self, protect=True)
            # Not RandomBytes: its id, which states and logs show in clear, is the very bytes.
            self.seed = pulumi_random.RandomPassword(f"{name}-seed", **_HEXADECIMAL, opts=options)
            self._seed = pulumi.Output.secret(self.seed.result)
        if plan.needs_password:
            options = pulumi.ResourceOptions(parent=self)
            password = pulumi_random.RandomPassword(f"{name}-api-password", length=32, special=False, opts=options)
            self.api_password = pulumi.Output.secret(password.result)
            self._password_hash = pulumi.Output.secret(password.bcrypt_hash)

    def _register_objects(self, nodes: Sequence[NodePlan]) -> None:
        shared = self._plan.shared
        # Every Service first: the address of any node may be wanted by any other object.
        for manifest in shared:
            if manifest["kind"] == "Service":
                self._register(manifest)
        for node in nodes:
            for manifest in node.manifests:
                if manifest["kind"] == "Service":
                    self._register(manifest, node=node)
        self._publish_peers()
        common = [self._before_workloads(manifest) for manifest in shared]
        gate: _Dependencies = []
        for wave in _waves(self._plan.waves, nodes):
            workloads = [self._register_node(node, common, gate) for node in wave]
            gate = [_when_all_are_up(workloads)]

    def _publish_peers(self) -> None:
        """Tells the other sets how to dial this one, now that every name in it resolves."""
        if self._peer_book is not None and self._plan.peers is not None:
            ids = [service.id for service in self.services.values()]
            peers = pulumi.Output.all(self._public(self._plan.peers), *ids).apply(lambda made: made[0])
            self._peer_book.publish(self._plan.name, peers)

    def _register_node(self, node: NodePlan, common: Sequence[pulumi.Resource], gate: _Dependencies) -> StatefulSet:
        """Registers a node, with what comes after it, and returns its workload."""
        *before, workload = node.manifests
        own = [self._before_workloads(manifest, gate) for manifest in before]
        limit = f"{self._plan.timeout_seconds}s"
        first = limit if self._plan.creation_seconds is None else f"{self._plan.creation_seconds}s"
        timeouts = pulumi.CustomTimeouts(create=first, update=limit)
        registered = self._register(workload, [*own, *common, *gate], timeouts, node)
        for manifest in node.after:
            self._register(manifest, [*common, registered])
        return cast("StatefulSet", registered)

    def _before_workloads(self, manifest: Manifest, gate: _Dependencies = ()) -> pulumi.Resource:
        """Registers what a pod finds when it starts.

        What a process reads waits for the gate as its workload does: one that restarts for a reason of its own would
        else meet the new config before its batch.
        """
        kind = str(manifest["kind"])
        if kind == "Service":
            return self.services[manifest["metadata"]["name"]]
        return self._register(manifest, () if kind == "PersistentVolumeClaim" else gate)

    def _register(
        self,
        manifest: Manifest,
        depends_on: _Dependencies = (),
        timeouts: pulumi.CustomTimeouts | None = None,
        node: NodePlan | None = None,
    ) -> pulumi.CustomResource:
        """Registers an object; node is that of a workload or Service whose name prettify may change."""
        set_name, namespace = self._plan.name, self._plan.namespace
        # The one workload of a pooled set is that of all ordinals, and nothing renames it.
        called = (
            manifest if node is None or self._plan.unchangeable.get("layout") == "pooled" else numbered(manifest, node, set_name)
        )
        name = child_name(self.pulumi_resource_name, called, set_name=set_name, namespace=namespace)
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), custom_timeouts=timeouts)
        if node is not None:
            # Two pods would sign with one key, and two Services want one node port.
            opts.delete_before_replace = True
        if self._restoring is not None and manifest["kind"] == "Secret" and manifest.get("immutable"):
            opts.hooks = pulumi.ResourceHookBinding(on_error=[self._restoring])
        if manifest["kind"] == "ConfigMap" and manifest.get("immutable"):
            self._taken = self._taken or _taken_hook(self._taken_name)
            opts.hooks = pulumi.ResourceHookBinding(on_error=[self._taken])
        resource = register(name, self._resolved(manifest), opts)
        self.resources[object_key(manifest, set_name=set_name, namespace=namespace)] = resource
        by_name = {"StatefulSet": self.stateful_sets, "Service": self.services, "Secret": self.secrets}.get(manifest["kind"])
        if by_name is not None:
            cast("dict[str, pulumi.CustomResource]", by_name)[manifest["metadata"]["name"]] = resource
        return resource

    def _resolved(self, value: Any, *, public: bool = False) -> Any:
        """The value with every late leaf as an output; what holds none is handed on as it is, not copied."""
        if isinstance(value, Late):
            return self._late(value, public=public)
        if isinstance(value, SecretStr):
            return self._given(value, public=public)
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value)
            changed = {key: new for key, item in items.items() if (new := self._resolved(item, public=public)) is not item}
            return items | changed if changed else items
        if isinstance(value, list | tuple):
            old = cast("Sequence[Any]", value)
            new = [self._resolved(item, public=public) for item in old]
            return new if any(a is not b for a, b in zip(new, old, strict=True)) else old
        return value

    def _late(self, late: Late, *, public: bool) -> pulumi.Output[Any]:
        given = [self._given(ref, public=public) for ref in late.refs]
        if len(given) != 1:
            return pulumi.Output.all(*given).apply(partial(_leaf, late))

        # One output less for each of the many leaves that need one thing.
        def leaf(only: Any) -> Any:
            return _leaf(late, [only])

        return given[0].apply(leaf)

    def _given(self, ref: Ref, *, public: bool) -> Any:
        """What a late leaf needs, as an output."""
        if isinstance(ref, Seed):
            seed = _made(self._seed, "needs_seed")
            # Where something stops being secret: outputs show what is public of a key, never the key.
            return pulumi.Output.unsecret(seed) if public else seed
        if isinstance(ref, PasswordHash):
            return _made(self._password_hash, "needs_password")
        if isinstance(ref, PublicOf | SetPeers | StackPeers):
            if ref not in self._wholes:
                self._wholes[ref] = self._of_all_nodes(ref).apply(_Whole)
            return self._wholes[ref]
        if isinstance(ref, Address):
            if ref.service not in self._addresses:
                self._addresses[ref.service] = self.services[ref.service].status.apply(_ingress)
            return self._addresses[ref.service]
        return pulumi.Output.secret(ref.get_secret_value()) if isinstance(ref, SecretStr) else ref

    def _of_all_nodes(self, ref: PublicOf | SetPeers | StackPeers) -> pulumi.Output[Any]:
        """What the leaves of all nodes share."""
        if isinstance(ref, PublicOf):
            # The one other place: the function gives what is public, and nothing from which a key could be found.
            return pulumi.Output.unsecret(_made(self._seed, "needs_seed").apply(ref.derive))
        if isinstance(ref, SetPeers):
            return (self._peer_book or PeerBook()).of(ref.set_name)
        return self._stack_peers(ref)

    def _stack_peers(self, ref: StackPeers) -> pulumi.Output[list[str]]:
        """The peers of a set of another stack, by that stack's outputs."""
        if ref.stack not in self._stacks:
            name = f"{self.pulumi_resource_name}-{ref.stack}"
            options = pulumi.ResourceOptions(parent=self)
            self._stacks[ref.stack] = pulumi.StackReference(name, ref.stack, opts=options)
        key = "publicPeers" if ref.public else "peers"

        def pick(sets: dict[str, list[str]] | None) -> list[str]:
            if not isinstance(sets, dict) or ref.set_name not in sets:
                raise pulumi.RunError(
                    f"peersFrom: stack {ref.stack} has no {key} of a set {ref.set_name} in its outputs; update that stack first"
                )
            return list(sets[ref.set_name])

        return self._stacks[ref.stack].get_output(key).apply(pick)

    def _public(self, value: Any) -> pulumi.Output[Any]:
        resolved = self._resolved(value, public=True)
        return resolved if isinstance(value, Late) else pulumi.Output.from_input(resolved)


def refused_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The fields that may not change under data and do, one line for each: path, old value, new value.

    A field that one side does not have is passed over: its rule is younger than the state, or its value unknown in preview.

    Args:
        old: What the state holds, by path in the config.
        new: What the program gives.
    """
    return [
        f"{path}: {_shown(old[path])} may not become {_shown(value)}"
        for path, value in new.items()
        if path in old and _known(value) and _known(old[path]) and old[path] != value
    ]


def _with_guard(
    token: str, name: str, noticed: Mapping[str, tuple[str, str]], opts: pulumi.ResourceOptions | None
) -> pulumi.ResourceOptions:
    """The caller's options, with a hook that stops preview and update before data meets a config it was not made for.

    It warns of what may change but costs something.
    """

    def guard(args: pulumi.ResourceHookArgs) -> None:
        old, new = dict(args.old_inputs or {}), dict(args.new_inputs or {})
        new.pop(BATCHES, None)
        for path, (value, notice) in noticed.items():
            if old.pop(path, value) != value:
                pulumi.log.warn(f"{name}: {notice}")
            new.pop(path, None)
        refused = refused_changes(old, new)
        if refused:
            message = f"{name}: the nodes' data was made for the old value; set it back, or make a new set under another name"
            raise ValueError("\n".join([message, *(f"  - {line}" for line in refused)]))

    hook = pulumi.ResourceHook(f"{_hook_prefix(token, name, opts)}::guard", guard, pulumi.ResourceHookOptions(on_dry_run=True))
    binding = pulumi.ResourceHookBinding(before_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=binding))


def _restoring_hook(hook_name: str) -> pulumi.ErrorHook:
    """Tells what it means that the API server refuses a key Secret, and what to do."""

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        if any("field is immutable" in error for error in args.errors):
            pulumi.log.error(
                f"{args.name}: the living key is of another seed than this state has, and stays as it is; restore the seed from"
                " its backup with keys.seed"
            )
        return False

    return pulumi.ErrorHook(hook_name, explain)


def _taken_hook(hook_name: str) -> pulumi.ErrorHook:
    """Tells what it means that the guard of an exclusive key is there already; the provider would tell how to adopt it."""

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        if any(text in error for error in args.errors for text in ("already exists", "field is immutable")):
            guard = args.new_inputs or {}
            what, name = guard["data"]["consensusAddress"], guard["metadata"]["name"]
            pulumi.log.error(
                f"{args.name}: consensus address {what} is held already, by the node that ConfigMap {name} names; take it from"
                " that node's set and update, then give it to this one: two nodes would sign with one key, and be slashed for it"
            )
        return False

    return pulumi.ErrorHook(hook_name, explain)


def _hook_prefix(token: str, name: str, opts: pulumi.ResourceOptions | None) -> str:
    """Two components of one name can only differ in the types of their parents, and hooks have one name space."""
    parent = f"{opts.parent.pulumi_resource_type}::{opts.parent.pulumi_resource_name}::" if opts and opts.parent else ""
    return f"{parent}{token}::{name}"


def _known(value: object) -> bool:
    return isinstance(value, str | int | float | bool | list | dict)


def _shown(value: object) -> str:
    """A value as the config has it; the engine hands every number over as a float."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _made(resource: T | None, flag: str) -> T:
    if resource is None:
        raise ValueError(f"a late leaf needs what the plan says it does not: {flag} is False")
    return resource


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """A value that the SDK hands on unopened; of a list of 400 peers it makes 400 outputs, anew for each node that reads it."""

    content: Any


def _leaf(late: Late, values: Sequence[Any]) -> Any:
    """A late leaf once everything that it needs is there."""
    if any(value is None for ref, value in zip(late.refs, values, strict=True) if isinstance(ref, Address)):
        return late.stand_in
    try:
        return late.make(*(value.content if isinstance(value, _Whole) else value for value in values))
    except ValueError as error:
        # Its message is written for users; a traceback through the SDK is not.
        raise pulumi.RunError(str(error)) from None


def _ingress(status: ServiceStatus | None) -> list[dict[str, str]] | None:
    """The addresses of a load balancer as the API has them; None in render mode, where no object has a status."""
    if status is None:
        return None
    entries = (status.load_balancer.ingress if status.load_balancer else None) or []
    named = [{"ip": entry.ip, "hostname": entry.hostname} for entry in entries]
    return [{key: value for key, value in entry.items() if value} for entry in named]


def _waves(waves: Sequence[Sequence[str]], nodes: Sequence[NodePlan]) -> Iterator[list[NodePlan]]:
    """The nodes by wave, in order; one that does not run is in no wave and goes with the first."""
    number = {name: position for position, wave in enumerate(waves) for name in wave}
    ordered = sorted(nodes, key=lambda node: number.get(node.name, 0))
    for _, wave in groupby(ordered, key=lambda node: number.get(node.name, 0)):
        yield list(wave)


def _when_all_are_up(workloads: Sequence[StatefulSet]) -> pulumi.Output[pulumi.Resource]:
    """One dependency that stands for a whole wave, so that a thousand nodes do not store a quarter million.

    The SDK registers what depends on it when every workload is there and ready. In the state stands one of them: one that
    failed if there is any, so that the engine skips the next wave under --continue-on-error too.
    """

    async def gate() -> pulumi.Resource:
        # The outputs of a resource are there when it is; those of one that failed are unknown.
        failed = [workload for workload in workloads if not await workload.metadata.is_known()]
        return (failed or workloads)[0]

    return pulumi.Output.from_input(asyncio.ensure_future(gate()))
