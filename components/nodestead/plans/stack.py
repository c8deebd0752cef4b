"""A whole stack: its config, the rules between its sets, and all of its objects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import Field

from nodestead.config.base import ConfigError, Deferred, Model, Problem
from nodestead.config.exposure import HostPortExposure
from nodestead.config.scalars import DnsLabel
from nodestead.config.stack import Cluster, Namespace
from nodestead.kubernetes.metadata import KEPT, manifest
from nodestead.kubernetes.objects import Manifest, Plan, identity
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_node_group import plan_storage_node_group
from nodestead.plans.storage_rules import exclusive_things, name_problems, taken_ports

__all__ = ["StackConfig", "StackPlan", "namespace_manifest", "plan_stack"]


class StackConfig(Model):
    """Everything under `nodestead:` in a stack's file, one object for each concern."""

    namespace: Namespace
    cluster: Cluster
    storage_node_groups: dict[DnsLabel, StorageNodeGroupArgs] = Field(
        default_factory=dict, description="Groups of storage nodes by name."
    )

    def problems(self) -> Iterator[Problem]:
        """The rules between the sets of a stack."""
        for name, group in self.storage_node_groups.items():
            for problem in name_problems(name, group):
                yield Problem(["storageNodeGroups", name, *problem.path], problem.message)
            if (
                isinstance(group.exposure, HostPortExposure)
                and self.namespace.create
                and self.namespace.pod_security != "privileged"
            ):
                yield Problem(
                    ["namespace", "podSecurity"],
                    f"{self.namespace.pod_security} refuses the host ports of storageNodeGroups.{name}; set privileged,"
                    " or expose by nodePort or loadBalancer",
                )
        yield from self._port_clashes()
        yield from self._shared_things()

    def _port_clashes(self) -> Iterator[Problem]:
        owners: dict[tuple[str, int], tuple[str, str]] = {}
        told: set[tuple[str, str]] = set()
        for name, group in self.storage_node_groups.items():
            for protocol, port, node, field in taken_ports(group):
                other, other_node = owners.setdefault((protocol, port), (name, node))
                if other == name or (other, name) in told:
                    continue
                told.add((other, name))
                yield Problem(
                    ["storageNodeGroups", name, "exposure", field],
                    f"{protocol} port {port} of node {node} is that of node {other_node} of storageNodeGroups.{other}; ports are"
                    " the whole cluster's, move one of the ranges",
                )

    def _shared_things(self) -> Iterator[Problem]:
        owners: dict[tuple[object, ...], str] = {}
        told: set[tuple[str, tuple[str, ...]]] = set()
        for name, group in self.storage_node_groups.items():
            for thing, path, rule, remedy in exclusive_things(group, name):
                other = owners.setdefault(thing, name)
                if other != name and (name, path) not in told:
                    told.add((name, path))
                    yield Problem(["storageNodeGroups", name, *path], f"{rule} storageNodeGroups.{other}: {remedy}")


@dataclass(frozen=True, slots=True)
class StackPlan:
    """All objects of a stack: the namespace, then set by set."""

    shared: list[Manifest]
    sets: list[Plan]

    def manifests(self) -> Iterator[Manifest]:
        """All manifests in a stable order."""
        yield from self.shared
        for one in self.sets:
            yield from one.manifests()


def plan_stack(config: StackConfig, namespace: str | Deferred | None = None) -> StackPlan:
    """The objects of a whole stack.

    Args:
        config: Its config.
        namespace: The namespace as another resource gives it; by default its plain name.

    Raises:
        ConfigError: where two objects would have one name, or a set's plan is refused.
    """
    where = config.namespace.name if namespace is None else namespace
    shared = [namespace_manifest(config.namespace)] if config.namespace.create else []
    plan = StackPlan(shared, [plan_storage_node_group(name, args, where) for name, args in config.storage_node_groups.items()])
    # Users name some of the shared objects; names of nodes can only meet where one set's name begins with the other's.
    close = any(other.startswith(f"{name}-") for name in config.storage_node_groups for other in config.storage_node_groups)
    _refuse_doubles(plan.manifests() if close else (one for each in plan.sets for one in each.shared))
    return plan


def namespace_manifest(namespace: Namespace) -> Manifest:
    """The namespace, made or adopted, and never deleted with its stack."""
    labels = {
        **namespace.labels,
        "app.kubernetes.io/managed-by": "nodestead",
        "pod-security.kubernetes.io/enforce": namespace.pod_security,
    }
    return manifest("Namespace", "v1", namespace.name, None, labels, KEPT)


def _refuse_doubles(manifests: Iterable[Manifest]) -> None:
    known = (one for one in manifests if isinstance(one["metadata"]["name"], str))
    doubles = [key for key, count in Counter(map(identity, known)).items() if count > 1]
    if doubles:
        raise ConfigError([f"storageNodeGroups: two sets make {kind} {name}; rename one of them" for _, kind, _, name in doubles])
