"""The stack program: reads the stack's config and deploys it."""

import base64
import json
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.runtime import config as runtime_config

from nodestead.blockchain_node_set import BlockchainNodeSet
from nodestead.component import NodeSet, clean_errors
from nodestead.config.base import parse
from nodestead.kubernetes.objects import Manifest
from nodestead.peer_book import PeerBook
from nodestead.plans.stack import StackConfig, neighbours_of, plan_stack
from nodestead.preview.yaml_text import SECRET
from nodestead.registration import register
from nodestead.storage_node_group import StorageNodeGroup

__all__ = ["deploy"]

_PREFIX = "nodestead:"


def deploy() -> dict[str, NodeSet]:
    """Deploys what the config of the current stack asks for, and exports the stack's outputs.

    Returns:
        The components by name.

    Raises:
        pulumi.RunError: where the config is refused, with every reason; nothing is registered then.
    """
    with clean_errors():
        config = _stack_config()
        plan = plan_stack(config)
    opts = pulumi.ResourceOptions(provider=_provider(config))
    # A component's children wait for their parent, so they wait for its namespace too.
    opts.depends_on = [_register_shared(manifest, opts) for manifest in plan.shared]
    where = config.namespace.name
    sets: dict[str, NodeSet] = {
        name: StorageNodeGroup(name, args, opts, namespace=where) for name, args in config.storage_node_groups.items()
    }
    book, neighbours = PeerBook(*config.blockchain_node_sets), neighbours_of(config, where)
    for name, args in config.blockchain_node_sets.items():
        sets[name] = BlockchainNodeSet(name, args, opts, namespace=where, peer_book=book, neighbours=neighbours)
    pulumi.export("nodes", {name: component.nodes for name, component in sets.items()})
    for key in sorted({key for component in sets.values() for key in component.outputs}):
        pulumi.export(key, {name: component.outputs[key] for name, component in sets.items() if key in component.outputs})
    passwords = {name: component.api_password for name, component in sets.items() if component.api_password is not None}
    if passwords:
        pulumi.export("apiPasswords", passwords)
    return sets


def _stack_config() -> StackConfig:
    """Every `nodestead:` key of the stack; `pulumi.Config` would not show the misspelled ones."""
    own = {key: value for key, value in runtime_config.CONFIG.get().items() if key.startswith(_PREFIX)}
    given = {key.removeprefix(_PREFIX): _decoded(value) for key, value in own.items()}
    return parse(StackConfig, given, show_values=not any(pulumi.runtime.is_config_secret(key) for key in own))


def _decoded(value: Any) -> Any:
    """A key's value: the engine hands objects, numbers and booleans over as JSON, and texts as they are."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _provider(config: StackConfig) -> kubernetes.Provider:
    cluster = config.cluster
    if cluster.render is not None:
        pulumi.runtime.register_stack_transformation(_without_secret_data)
        # The SDK would put $KUBECONFIG of whoever runs it into the state.
        return kubernetes.Provider("cluster", render_yaml_to_directory=cluster.render, always_render=True, kubeconfig="")
    return kubernetes.Provider(
        "cluster",
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
        # A stack is of one cluster: new credentials or another path must not replace every object in it.
        cluster_identifier=pulumi.get_stack(),
        # A named object that may not change in place is deleted before the new one is there.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )


def _register_shared(manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    name = f"{str(manifest['kind']).lower()}-{manifest['metadata']['name']}"
    return register(name, manifest, opts)


def _without_secret_data(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Puts a marker in the place of everything that a rendered Secret holds."""
    if not args.type_.startswith("kubernetes:core/v1:Secret"):
        return None
    markers = {"string_data": SECRET, "data": base64.b64encode(SECRET.encode()).decode()}
    props = cast("dict[str, Any]", args.props)
    hidden = {key: _marked(props[key], marker) for key, marker in markers.items() if props.get(key) is not None}
    return pulumi.ResourceTransformationResult({**props, **hidden}, args.opts)


def _marked(content: Any, marker: str) -> pulumi.Output[dict[str, str]]:
    def mark(entries: dict[str, Any]) -> dict[str, str]:
        return dict.fromkeys(entries, marker)

    # Nothing but names of entries is left; a secret here would only make the provider warn about clear text.
    return pulumi.Output.unsecret(pulumi.Output.from_input(content).apply(mark))
