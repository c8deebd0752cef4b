"""A group of storage nodes while its objects are made: what its nodes share, each made once."""

import dataclasses
import json
from collections.abc import Iterator
from functools import cached_property

from nodestead.config.api_access import GivenPassword, NoAuth
from nodestead.config.base import Deferred
from nodestead.config.exposure import ClusterExposure, LoadBalancerExposure, node_ports
from nodestead.config.persistence import VolumeData
from nodestead.config.pod import KeyRef
from nodestead.kubernetes import names
from nodestead.kubernetes.metadata import checksum, recommended_labels
from nodestead.kubernetes.patches import Patches
from nodestead.kubernetes.route import PROXY_PORT_NAME, RoutedNode, proxy_config, regular, route_path
from nodestead.plans.agents import agent_script
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.plans.storage_parts import GivenSprs, NamedNetwork
from nodestead.plans.storage_persistence import quota_bytes
from nodestead.plans.storage_pod import AGENTS, DATA_DIR, KEY_FILE
from nodestead.software.codex import CodexFamily, codex_spec
from nodestead.software.custom import custom_spec
from nodestead.software.spec import NodeRole, NodeSpec

__all__ = ["Group"]

_SET = {"nodestead.io/set": "storage-node-group"}


class Group:
    """One group: its config, its names and labels, and what its software says of its nodes."""

    def __init__(self, name: str, args: StorageNodeGroupArgs, namespace: str | Deferred) -> None:
        self.name, self.args, self.namespace = name, args, namespace
        self.patches = Patches(args.patches)
        self.keys = args.effective_keys

    # ---- names and labels

    @cached_property
    def selector(self) -> dict[str, str]:
        """Labels that every pod of the group has, and no pod besides."""
        return {"app.kubernetes.io/instance": self.name, "app.kubernetes.io/part-of": "nodestead", **_SET}

    def labels(self, component: str = "storage-node") -> dict[str, str]:
        """Labels of an object of the group."""
        software = self.bootstrap_spec.software
        return {**self.args.labels, **recommended_labels(software, self.name, component), **_SET}

    def node_labels(self, node: str, *, bootstrap: bool = False) -> dict[str, str]:
        """Labels of an object of one node."""
        return {**self.labels("bootstrap-node" if bootstrap else "storage-node"), "nodestead.io/node": node}

    def node_selector(self, node: str) -> dict[str, str]:
        """Labels that the pods of one node have, and no pod besides."""
        return {**self.selector, "nodestead.io/node": node}

    def node_name(self, ordinal: int) -> str:
        """Name of a node."""
        return names.node_name(self.name, ordinal, prettified=self.args.prettified)

    def pod_name(self, node: str) -> str:
        """Name of the only pod of a node with objects of its own."""
        return names.pod_name(node, self.args.first_ordinal)

    def service_name(self, node: str) -> str:
        """Name of a node's Service for API and metrics."""
        return names.service_name(node, self.pod_name(node), prettify=self.args.prettify_services)

    def peer_service_name(self, node: str) -> str:
        """Name of the Service that a node's peers dial."""
        return names.peer_service_name(node, self.pod_name(node), self.args.exposure.kind, prettify=self.args.prettify_services)

    @cached_property
    def bootstrap_names(self) -> list[str]:
        """Names of the bootstrap nodes that the group runs itself."""
        return [names.node_name(f"{self.name}-bootstrap", number) for number in range(1, self.args.own_bootstrap + 1)]

    @cached_property
    def account(self) -> str | Deferred:
        """Name of the pods' service account."""
        return self.args.service_account.name or self.name

    # ---- software

    def spec(self, role: NodeRole) -> NodeSpec:
        """What the software says of a node."""
        software, bootstrap = self.args.software, self.args.bootstrap
        if not isinstance(software, CodexFamily):
            return custom_spec(software, role)
        spec = codex_spec(software, role, bootstrap.name if isinstance(bootstrap, NamedNetwork) else None)
        if not role.bootstrap and software.marketplace is not None and software.marketplace.eth_provider.url is not None:
            ref = KeyRef(name=self.provider_secret, key="url")
            return dataclasses.replace(spec, secret_env={f"{software.grammar.prefix}_ETH_PROVIDER": ref})
        return spec

    def role(self, ordinal: int | None, ports: tuple[int, int], *, has_key: bool, isolated: bool = False) -> NodeRole:
        """What the group decides for a node; a bootstrap node has no ordinal, and only the first of them starts from nobody."""
        args = self.args
        return NodeRole(
            peer_port=ports[0],
            discovery_port=ports[1],
            api_port=args.ports.api,
            metrics_port=args.ports.metrics,
            data_dir=DATA_DIR,
            quota_bytes=quota_bytes(args, ordinal),
            bootstrap=ordinal is None,
            isolated=args.bootstrap.kind == "none" or isolated,
            sprs=args.bootstrap.sprs if isinstance(args.bootstrap, GivenSprs) else (),
            key_file=KEY_FILE if has_key else None,
        )

    @cached_property
    def bootstrap_spec(self) -> NodeSpec:
        """The software's words where no node is meant: names, paths, metrics."""
        return self.spec(self.role(None, (1, 1), has_key=False))

    @cached_property
    def bootstrap_urls(self) -> tuple[str, ...]:
        """Where the nodes fetch the peer records of the group's own bootstrap nodes."""
        path = self.bootstrap_spec.spr_path
        return tuple(f"http://{self.service_name(node)}:{self.args.ports.api}{path}" for node in self.bootstrap_names)

    @cached_property
    def unchangeable(self) -> dict[str, str | int | None]:
        """What may not change under kept data, by its path in the config."""
        bootstrap = self.args.bootstrap
        kept: dict[str, str | int | None] = {
            "layout": self.args.layout,
            "bootstrap.name": bootstrap.name if isinstance(bootstrap, NamedNetwork) else None,
            "firstOrdinal": self.args.first_ordinal,
            "software.kind": self.args.software.kind,
        }
        if isinstance(self.namespace, str):
            kept["namespace"] = self.namespace
        if self.args.layout == "pooled" and isinstance(self.args.persistence, VolumeData):
            # A StatefulSet's template of claims is immutable, and claims that are there do not follow it.
            volume = self.args.persistence
            kept["persistence.size"] = volume.size
            kept["persistence.accessModes"] = ", ".join(volume.access_modes)
            kept["persistence.annotations"] = json.dumps(volume.annotations, sort_keys=True)
        return kept | {f"software.{key}": value for key, value in self.bootstrap_spec.unchangeable.items()}

    def firewall_ports(self) -> Iterator[str]:
        """The ports that a firewall must open, as `tcp/30510`."""
        args, exposure = self.args, self.args.exposure
        if isinstance(exposure, ClusterExposure):
            return
        balanced = isinstance(exposure, LoadBalancerExposure)
        alike = args.layout == "pooled" or balanced
        nodes = [(index, False) for index in range(min(args.replicas, 1) if alike else args.replicas)]
        nodes += [] if balanced else [(index, True) for index in range(args.own_bootstrap)]
        for index, bootstrap in nodes:
            tcp, udp = node_ports(exposure, index, bootstrap=bootstrap)
            yield f"tcp/{tcp}"
            if self.bootstrap_spec.has_udp:
                yield f"udp/{udp}"

    # ---- what pods read

    @cached_property
    def provider_secret(self) -> str:
        """Name of the Secret that holds the URL of the Ethereum provider, where the config gives it."""
        return f"{self.name}-eth-provider"

    @cached_property
    def scripts(self) -> dict[str, str]:
        """The scripts that the pods run."""
        return {script: agent_script(script) for script in AGENTS}

    @cached_property
    def agents_name(self) -> str:
        """Name of the ConfigMap with the scripts; new scripts are a new one, so that they reach each node in its batch only."""
        return f"{self.name}-agents-{checksum(repr(sorted(self.scripts.items())))}"

    @cached_property
    def proxy_name(self) -> str:
        """Name of the ConfigMap with the config of the proxy beside each node; like that of the scripts."""
        return f"{self.name}-api-proxy-{checksum(self.proxy_text)}"

    # ---- the way to the API from outside

    @cached_property
    def proxy_text(self) -> str:
        """The config of the proxy beside each node; empty without a proxy."""
        api = self.args.api
        if api is None or not api.proxied:
            return ""
        base = regular(api.route.path.rstrip("/") + "/" + (api.route.node_name or self.name))
        return proxy_config(api, rf"{base}(?:-[0-9]+)*", self.args.ports.api)

    @cached_property
    def auth_name(self) -> str | Deferred | None:
        """Name of the Secret with users and hashes; None where nobody is asked."""
        api = self.args.api
        if api is None or isinstance(api.auth, NoAuth):
            return None
        return api.auth.secret if isinstance(api.auth, GivenPassword) else f"{self.name}-api-auth"

    @property
    def api_port_name(self) -> str:
        """Name of the port that routes lead to."""
        return PROXY_PORT_NAME if self.args.api is not None and self.args.api.proxied else "api"

    def routed(self) -> list[RoutedNode]:
        """Where the paths of all nodes lead."""
        api, args = self.args.api, self.args
        if api is None:
            return []
        return [
            RoutedNode(
                route_path(api.route, self.name, ordinal, args.first_ordinal, prettified=args.prettified),
                self.service_name(self.node_name(ordinal)),
                self.api_port_name,
            )
            for ordinal in args.ordinals()
        ]
