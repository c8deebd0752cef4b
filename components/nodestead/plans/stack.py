"""A whole stack: its config, the rules between its sets, and all of its objects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import Field

from nodestead.config.base import ConfigError, Deferred, Model, Problem
from nodestead.config.exposure import HostPortExposure
from nodestead.config.p2p import HostPortP2p
from nodestead.config.scalars import DnsLabel
from nodestead.config.stack import Cluster, Namespace
from nodestead.kubernetes.metadata import KEPT, manifest
from nodestead.kubernetes.objects import Manifest, Plan, identity
from nodestead.plans import (
    blockchain_exclusive,
    blockchain_exposure,
    blockchain_key_rules,
    blockchain_rules,
    storage_exclusive,
    storage_exposure,
    storage_rules,
)
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.blockchain_node_set import peer_stand_ins, plan_blockchain_node_set
from nodestead.plans.blockchain_parts import PeerSet, PeerStack
from nodestead.plans.exclusive import Exclusive, shared_problems
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_node_group import plan_storage_node_group

__all__ = ["StackConfig", "StackPlan", "namespace_manifest", "neighbours_of", "plan_stack"]


class StackConfig(Model):
    """Everything under `nodestead:` in a stack's file, one object for each concern."""

    namespace: Namespace
    cluster: Cluster
    storage_node_groups: dict[DnsLabel, StorageNodeGroupArgs] = Field(
        default_factory=dict, description="Groups of storage nodes by name."
    )

    blockchain_node_sets: dict[DnsLabel, BlockchainNodeSetArgs] = Field(
        default_factory=dict, description="Sets of blockchain nodes by name."
    )

    def problems(self) -> Iterator[Problem]:
        """The rules between the sets of a stack."""
        for name, group in self.storage_node_groups.items():
            for problem in storage_rules.name_problems(name, group):
                yield Problem(["storageNodeGroups", name, *problem.path], problem.message)
            if isinstance(group.exposure, HostPortExposure):
                yield from self._host_port_problems(f"storageNodeGroups.{name}")
        for name, one in self.blockchain_node_sets.items():
            for problem in blockchain_rules.name_problems(name, one):
                yield Problem(["blockchainNodeSets", name, *problem.path], problem.message)
            if isinstance(one.exposure, HostPortP2p):
                yield from self._host_port_problems(f"blockchainNodeSets.{name}")
        yield from self._name_clashes()
        yield from self._port_clashes()
        yield from shared_problems(self._exclusive_things())
        yield from self._peer_problems()
        for problem in blockchain_exclusive.foreign_peers(self.blockchain_node_sets):
            yield Problem(["blockchainNodeSets", *problem.path], problem.message)
        yield from self._shared_keys()

    def _host_port_problems(self, where: str) -> Iterator[Problem]:
        if self.namespace.create and self.namespace.pod_security != "privileged":
            yield Problem(
                ["namespace", "podSecurity"],
                f"{self.namespace.pod_security} refuses the host ports of {where}; set privileged,"
                " or expose by nodePort or loadBalancer",
            )

    def _name_clashes(self) -> Iterator[Problem]:
        for name in self.blockchain_node_sets:
            if name in self.storage_node_groups:
                yield Problem(
                    ["blockchainNodeSets", name], f"{name} is the name of a set under storageNodeGroups too; rename one of them"
                )

    def _taken_ports(self) -> Iterator[tuple[tuple[str, str], tuple[str, int, str, str]]]:
        """The ports of hosts that each set takes, with the key and the name of the set."""
        for name, group in self.storage_node_groups.items():
            for taken in storage_exposure.taken_ports(group):
                yield ("storageNodeGroups", name), taken
        for name, one in self.blockchain_node_sets.items():
            for taken in blockchain_exposure.taken_ports(one):
                yield ("blockchainNodeSets", name), taken

    def _port_clashes(self) -> Iterator[Problem]:
        owners: dict[tuple[str, int], tuple[tuple[str, str], str]] = {}
        told: set[tuple[tuple[str, str], tuple[str, str]]] = set()
        for owner, (protocol, port, node, field) in self._taken_ports():
            other, other_node = owners.setdefault((protocol, port), (owner, node))
            if other == owner or (other, owner) in told:
                continue
            told.add((other, owner))
            yield Problem(
                [*owner, "exposure", field],
                f"{protocol} port {port} of node {node} is that of node {other_node} of {'.'.join(other)}; ports are"
                " the whole cluster's, move one of the ranges",
            )

    def _peer_problems(self) -> Iterator[Problem]:
        for name, one in self.blockchain_node_sets.items():
            for index, source in enumerate(one.peers_from):
                if not isinstance(source, PeerSet) or isinstance(source, PeerStack):
                    continue
                path = ["blockchainNodeSets", name, "peersFrom", index, "set"]
                other = self.blockchain_node_sets.get(source.set)
                if other is None:
                    yield Problem(
                        path, f"there is no set {source.set} under blockchainNodeSets; name one of them, or give stack too"
                    )
                elif one.type == "validator" and not any(
                    isinstance(back, PeerSet) and not isinstance(back, PeerStack) and back.set == name and back.private
                    for back in other.peers_from
                ):
                    yield Problem(
                        path,
                        f"{source.set} does not know this validator, and would tell the world of it; give {source.set} a"
                        f" peersFrom with set: {name} too",
                    )

    def _shared_keys(self) -> Iterator[Problem]:
        owners: dict[str, str] = {}
        for name, one in self.blockchain_node_sets.items():
            for ordinal, address in blockchain_key_rules.exclusive_keys(one).items():
                other = owners.setdefault(address, name)
                if other != name:
                    yield Problem(
                        ["blockchainNodeSets", name, "signer"],
                        f"consensus address {address}, of node {ordinal}, is that of blockchainNodeSets.{other} too: two nodes"
                        " would sign with one key, and be slashed for it; give each its own",
                    )

    def _exclusive_things(self) -> Iterator[tuple[tuple[str, str], Iterator[Exclusive]]]:
        for name, group in self.storage_node_groups.items():
            yield ("storageNodeGroups", name), storage_exclusive.exclusive_things(group, name)
        for name, one in self.blockchain_node_sets.items():
            yield ("blockchainNodeSets", name), blockchain_exclusive.exclusive_things(one, name)


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
    chains = config.blockchain_node_sets
    neighbours = neighbours_of(config, where)
    sets = [plan_storage_node_group(name, args, where) for name, args in config.storage_node_groups.items()]
    sets += [plan_blockchain_node_set(name, args, where, neighbours) for name, args in chains.items()]
    plan = StackPlan(shared, sets)
    # Users name some of the shared objects; names of nodes can only meet where one set's name begins with the other's.
    called = [*config.storage_node_groups, *chains]
    close = any(other.startswith(f"{name}-") for name in called for other in called)
    _refuse_doubles(plan.manifests() if close else (one for each in plan.sets for one in each.shared))
    return plan


def neighbours_of(config: StackConfig, namespace: str | Deferred) -> dict[str, list[str]]:
    """What stands in a rendering for the peers of each set that another one has as peers."""
    named = {
        source.set
        for one in config.blockchain_node_sets.values()
        for source in one.peers_from
        if isinstance(source, PeerSet) and not isinstance(source, PeerStack)
    }
    return {name: peer_stand_ins(name, config.blockchain_node_sets[name], namespace) for name in sorted(named)}


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
        raise ConfigError([f"the stack: two sets make {kind} {name}; rename one of them" for _, kind, _, name in doubles])
