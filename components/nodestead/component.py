"""The base of every set component: registers the objects of a `Plan`, wave by wave."""

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, cast

import pulumi
import pulumi_random
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, SecretPatch, Service

from nodestead.config.base import ConfigError, Deferred
from nodestead.hooks import hook_prefix, restoring_hook, taken_hook, with_guard
from nodestead.kubernetes.objects import BATCHES, Manifest, NodePlan, Plan
from nodestead.late_values import LateValues
from nodestead.peer_book import PeerBook
from nodestead.registration import child_name, numbered, object_key, register

__all__ = ["NodeSet", "clean_errors", "settled"]

_Dependencies = Sequence[pulumi.Input[pulumi.Resource]]

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
        super().__init__(token, name, {**plan.facts, BATCHES: plan.waves}, with_guard(token, name, plan.noticed, opts))
        self._plan = plan
        self._peer_book = peer_book
        self.resources = {}
        self.stateful_sets, self.services, self.secrets = {}, {}, {}
        self._values = LateValues(self, self.services, peer_book)
        self._make_secrets(name)
        prefix = hook_prefix(token, name, opts)
        self._restoring = restoring_hook(f"{prefix}::key") if self._values.seed is not None else None
        self._taken_name, self._taken = f"{prefix}::taken", None
        nodes = list(plan.nodes())
        self._register_objects(nodes)
        # What is known is registered as it is: each output takes the SDK four tasks.
        shown = {node.name: self._values.resolved(node.outputs, public=True) for node in nodes}
        set_shown = self._values.resolved(plan.outputs, public=True)
        self.nodes = {name: _outputs(values) for name, values in shown.items()}
        self.outputs = _outputs(set_shown)
        self.register_outputs({"nodes": shown, "apiPassword": self.api_password, **set_shown})

    def _make_secrets(self, name: str) -> None:
        """What is generated once and kept in the stack's encrypted state."""
        plan = self._plan
        self.seed = self.api_password = None
        if plan.given_seed is not None:
            self._values.seed = pulumi.Output.secret(self._values.resolved(plan.given_seed))
        elif plan.needs_seed:
            options = pulumi.ResourceOptions(parent=self, protect=True)
            # Not RandomBytes: its id, which states and logs show in clear, is the very bytes.
            self.seed = pulumi_random.RandomPassword(f"{name}-seed", **_HEXADECIMAL, opts=options)
            self._values.seed = pulumi.Output.secret(self.seed.result)
        if plan.needs_password:
            options = pulumi.ResourceOptions(parent=self)
            password = pulumi_random.RandomPassword(f"{name}-api-password", length=32, special=False, opts=options)
            self.api_password = pulumi.Output.secret(password.result)
            self._values.password_hash = pulumi.Output.secret(password.bcrypt_hash)

    def _register_objects(self, nodes: Sequence[NodePlan]) -> None:
        """Registers everything, in the order in which it has to be there.

        In loops of one method: for each resource the SDK reads every frame of the stack above it.
        """
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
        common = [self._service(manifest) or self._register(manifest) for manifest in shared]
        gate: _Dependencies = []
        for wave in _waves(self._plan.waves, nodes):
            workloads: list[StatefulSet] = []
            for node in wave:
                *before, workload = node.manifests
                own: list[pulumi.Resource] = []
                for manifest in before:
                    # What a process reads waits for the gate as its workload does: one that restarts for a reason of its own
                    # would else meet the new config before its batch.
                    wait = () if manifest["kind"] == "PersistentVolumeClaim" else gate
                    own.append(self._service(manifest) or self._register(manifest, wait))
                registered = self._register(workload, [*own, *common, *gate], self._timeouts, node)
                for manifest in node.after:
                    self._register(manifest, [*common, registered])
                workloads.append(cast("StatefulSet", registered))
            gate = [_when_all_are_up(workloads)]

    def _publish_peers(self) -> None:
        """Tells the other sets how to dial this one, now that every name in it resolves."""
        if self._peer_book is not None and self._plan.peers is not None:
            ids = [service.id for service in self.services.values()]
            peers = pulumi.Output.all(self._values.resolved(self._plan.peers, public=True), *ids).apply(lambda made: made[0])
            self._peer_book.publish(self._plan.name, peers)

    @property
    def _timeouts(self) -> pulumi.CustomTimeouts:
        """How long a workload may take."""
        limit = f"{self._plan.timeout_seconds}s"
        first = limit if self._plan.creation_seconds is None else f"{self._plan.creation_seconds}s"
        return pulumi.CustomTimeouts(create=first, update=limit)

    def _service(self, manifest: Manifest) -> Service | None:
        """The resource of a Service, which is there already; None for what is none."""
        return self.services[manifest["metadata"]["name"]] if manifest["kind"] == "Service" else None

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
            self._taken = self._taken or taken_hook(self._taken_name)
            opts.hooks = pulumi.ResourceHookBinding(on_error=[self._taken])
        resource = register(name, self._values.resolved(manifest), opts)
        self.resources[object_key(manifest, set_name=set_name, namespace=namespace)] = resource
        by_name = {"StatefulSet": self.stateful_sets, "Service": self.services, "Secret": self.secrets}.get(manifest["kind"])
        if by_name is not None:
            cast("dict[str, pulumi.CustomResource]", by_name)[manifest["metadata"]["name"]] = resource
        return resource


def _outputs(values: Mapping[str, Any]) -> dict[str, pulumi.Output[Any]]:
    return {key: value if isinstance(value, pulumi.Output) else pulumi.Output.from_input(value) for key, value in values.items()}


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
