"""Where each model of a stack's config stands, so that tests can break any field of any model at its usual place."""

from collections.abc import Callable, Iterator
from typing import Any

import chains
import pytest
from groups import CODEX, CUSTOM, MARKET, NOBODY, config
from pydantic import BaseModel

from nodestead.config.base import ConfigError, parse
from nodestead.plans.blockchain_args import BlockchainNodeSetArgs
from nodestead.plans.stack import StackConfig
from nodestead.plans.storage_args import StorageNodeGroupArgs
from nodestead.software.app_toml import AppConfig
from nodestead.software.comet import CometConfig

Fields = dict[str, Any]
Place = tuple[str, Fields, Callable[[Fields], Fields]]
"""The path to a model, what it needs at least, and the config around it."""

RPC = {"secret": {"name": "rpc", "key": "url"}}
SPR = f"spr:{'CiUIAhIhA1AgkYFhXbIPGqFA' * 3}"
INGRESS = {"kind": "ingress", "hosts": ["a.example.org"], "tls": "none"}
HTTP_ROUTE = {"kind": "httpRoute", "parents": [{"name": "edge"}]}
PEER = f"{'a' * 40}@a.example.org:26656"
SERVERS = ["https://a.example.org", "https://b.example.org"]
ROUTES = {"kind": "ingress", "rpc": {"hosts": ["a.example.org"]}, "tls": "none", "controllerNamespace": "edge"}


def in_group(key: str) -> Callable[[Fields], Fields]:
    return lambda fields: config(**{key: fields})


def traded(**market: Any) -> Fields:
    return config(software={**CODEX, "marketplace": {"ethProvider": RPC, **market}})


def public(address: Fields) -> Fields:
    return config(exposure={"kind": "hostPort", "externalAddress": address})


IN_GROUP: dict[str, Place] = {
    "StorageNodeGroupArgs": ("", config(), lambda fields: fields),
    "CodexFamily": ("software", CODEX, in_group("software")),
    "Marketplace": (
        "software.marketplace",
        {"ethProvider": RPC},
        lambda fields: config(software={**CODEX, "marketplace": fields}),
    ),
    "EthProvider": ("software.marketplace.ethProvider", {}, lambda fields: traded(ethProvider=fields)),
    "Availability": ("software.marketplace.availability", {}, lambda fields: traded(availability=fields)),
    "CustomStorage": (
        "software",
        CUSTOM,
        lambda fields: config(software=fields, image={"repository": "a", "tag": "1"}),
    ),
    "Image": ("image", {}, in_group("image")),
    "ClusterExposure": ("exposure", {"kind": "cluster"}, in_group("exposure")),
    "NodePortExposure": ("exposure", {"kind": "nodePort"}, in_group("exposure")),
    "HostPortExposure": ("exposure", {"kind": "hostPort"}, in_group("exposure")),
    "LoadBalancerExposure": ("exposure", {"kind": "loadBalancer"}, in_group("exposure")),
    "NodeExternalIp": ("exposure.externalAddress", {"kind": "nodeExternalIP"}, public),
    "HostIp": ("exposure.externalAddress", {"kind": "hostIP"}, public),
    "LookupAddress": ("exposure.externalAddress", {"kind": "lookup", "url": "https://a"}, public),
    "FixedAddress": ("exposure.externalAddress", {"kind": "fixed", "addresses": {"1": "203.0.113.7"}}, public),
    "ServedAddress": (
        "exposure.externalAddress",
        {"kind": "loadBalancer"},
        lambda fields: config(exposure={"kind": "loadBalancer", "externalAddress": fields}),
    ),
    "OwnBootstrap": ("bootstrap", {"kind": "own"}, in_group("bootstrap")),
    "GivenSprs": ("bootstrap", {"kind": "sprs", "sprs": [SPR]}, in_group("bootstrap")),
    "NamedNetwork": ("bootstrap", {"kind": "network", "name": "testnet"}, in_group("bootstrap")),
    "NoBootstrap": ("bootstrap", NOBODY, in_group("bootstrap")),
    "SeedKeys": ("keys", {"kind": "seed"}, lambda fields: config(software=MARKET, keys=fields)),
    "SecretKeys": ("keys", {"kind": "secret", "name": "eth"}, lambda fields: config(software=MARKET, keys=fields)),
    "VolumeData": ("persistence", {"kind": "volume"}, in_group("persistence")),
    "ExistingClaim": ("persistence", {"kind": "existingClaim", "claim": "a"}, in_group("persistence")),
    "EphemeralData": ("persistence", {"kind": "ephemeral"}, in_group("persistence")),
    "Ports": ("ports", {}, in_group("ports")),
    "ApiAccess": ("api", {"route": INGRESS}, in_group("api")),
    "Ingress": ("api.route", INGRESS, lambda fields: config(api={"route": fields})),
    "Tls": ("api.route.tls", {}, lambda fields: config(api={"route": {**INGRESS, "tls": fields}})),
    "HttpRoute": ("api.route", HTTP_ROUTE, lambda fields: config(api={"route": fields})),
    "GatewayRef": (
        "api.route.parents[0]",
        {"name": "a"},
        lambda fields: config(api={"route": {**HTTP_ROUTE, "parents": [fields]}}),
    ),
    "GivenPassword": (
        "api.auth",
        {"kind": "secret", "secret": "a"},
        lambda fields: config(api={"route": {**INGRESS, "controller": "ingressNginx"}, "auth": fields}),
    ),
    "GeneratedPassword": ("api.auth", {"kind": "generated"}, lambda fields: config(api={"route": INGRESS, "auth": fields})),
    "NoAuth": ("api.auth", {"kind": "none"}, lambda fields: config(api={"route": INGRESS, "auth": fields})),
    "Container": ("container", {}, in_group("container")),
    "EnvFrom": ("container.env.A", {}, lambda fields: config(container={"env": {"A": fields}})),
    "KeyRef": (
        "container.env.A.secret",
        {"name": "a", "key": "b"},
        lambda fields: config(container={"env": {"A": {"secret": fields}}}),
    ),
    "ExtraPort": ("container.ports[0]", {"name": "a", "port": 1}, lambda fields: config(container={"ports": [fields]})),
    "Probes": ("container.probes", {}, lambda fields: config(container={"probes": fields})),
    "Pod": ("pod", {}, in_group("pod")),
    "ServiceAccount": ("serviceAccount", {}, in_group("serviceAccount")),
    "Rollout": ("rollout", {}, in_group("rollout")),
    "Disruption": ("disruption", {}, in_group("disruption")),
    "NetworkPolicyConfig": ("networkPolicy", {}, in_group("networkPolicy")),
    "Monitoring": ("monitoring", {}, in_group("monitoring")),
    "NodeOverride": ("nodes.1", {}, lambda fields: config(nodes={"1": fields})),
}
IN_STACK: dict[str, Place] = {
    "StackConfig": ("", {"namespace": {"name": "a"}, "cluster": {"context": "a"}}, lambda fields: fields),
    "Namespace": ("namespace", {"name": "a"}, lambda fields: {"namespace": fields, "cluster": {"context": "a"}}),
    "Cluster": ("cluster", {"context": "a"}, lambda fields: {"namespace": {"name": "a"}, "cluster": fields}),
}


COSMOS, COMET = chains.COSMOS, chains.COMET


def in_set(key: str, **more: Any) -> Callable[[Fields], Fields]:
    return lambda fields: chains.config(**{**more, key: fields})


def dialled(address: Fields) -> Fields:
    return chains.config(exposure={"kind": "nodePort", "externalAddress": address})


def versioned(fields: Fields) -> Fields:
    return chains.config(versions=[fields], image={"repository": "a"})


def inside(path: str, model: type[BaseModel], around: Callable[[Fields], Fields]) -> dict[str, Place]:
    """The places of the models that a model has for its fields."""
    found: dict[str, Place] = {model.__name__: (path, {}, around)}
    for name, field in model.model_fields.items():
        key = field.alias or name
        for inner in models_in(field.annotation):
            if inner.__name__ not in IN_GROUP:
                least = {name: True for name, one in inner.model_fields.items() if one.is_required()}
                found[inner.__name__] = (f"{path}.{key}", least, lambda fields, key=key: around({key: fields}))
    return found


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from models_in(part)


VALIDATOR = {"type": "validator"}
VERSION = {"height": 0, "image": {"tag": "v1"}}
IN_SET: dict[str, Place] = {
    "BlockchainNodeSetArgs": ("", chains.config(), lambda fields: fields),
    "CosmosChain": ("software", COSMOS, in_set("software")),
    "CometbftChain": ("software", COMET, in_set("software")),
    "CosmosOverrides": ("software.overrides", {}, lambda fields: chains.config(software={**COSMOS, "overrides": fields})),
    "Overrides": ("software.overrides", {}, lambda fields: chains.config(software={**COMET, "overrides": fields})),
    **inside("software.config", CometConfig, lambda fields: chains.config(software={**COSMOS, "config": fields})),
    **inside("software.app", AppConfig, lambda fields: chains.config(software={**COSMOS, "app": fields})),
    "PublicNetwork": ("network", {"kind": "public"}, in_set("network")),
    "LocalNetwork": ("network", {"kind": "local", "validators": 1}, in_set("network", genesis=None)),
    "Peers": ("peers", {}, in_set("peers")),
    "PeerSet": ("peersFrom[0]", {"set": "a"}, lambda fields: chains.config(peersFrom=[fields])),
    "PeerStack": ("peersFrom[0]", {"set": "a", "stack": "a/b/c"}, lambda fields: chains.config(peersFrom=[fields])),
    "PeerSource": ("peersFrom[0]", {"peers": [PEER]}, lambda fields: chains.config(peersFrom=[fields])),
    "SeedNodeKeys": ("keys", {"kind": "seed"}, in_set("keys")),
    "SecretNodeKeys": ("keys", {"kind": "secret", "name": "a", "ids": {"0": "a" * 40}}, in_set("keys")),
    "SecretSigner": (
        "signer",
        {"kind": "secret", "name": "a", "addresses": {"0": "a" * 40}},
        in_set("signer", type="validator"),
    ),
    "RemoteSigner": ("signer", {"kind": "remote"}, in_set("signer", type="sentry")),
    "NoSigner": ("signer", {"kind": "none"}, in_set("signer", type="sentry")),
    "Download": ("genesis", {"kind": "url", "url": "https://a.example.org/genesis.json"}, in_set("genesis")),
    "Script": ("genesis", {"kind": "script", "script": "true"}, in_set("genesis")),
    "InlineText": ("genesis", {"kind": "inline", "text": '{"chain_id": "net-1"}'}, in_set("genesis")),
    "BinaryDefault": ("genesis", {"kind": "default"}, in_set("genesis")),
    "StateSync": ("stateSync", {"rpcServers": SERVERS, "trustServers": True}, in_set("stateSync")),
    "ChainVersion": ("versions[0]", VERSION, versioned),
    "VersionImage": ("versions[0].image", {"tag": "v1"}, lambda fields: versioned({**VERSION, "image": fields})),
    "PresetVersions": (
        "versions",
        {"preset": True},
        in_set("versions", software=chains.OSMOSIS, image={"repository": "a"}),
    ),
    "ClusterP2p": ("exposure", {"kind": "cluster"}, in_set("exposure")),
    "NodePortP2p": ("exposure", {"kind": "nodePort"}, in_set("exposure")),
    "HostPortP2p": ("exposure", {"kind": "hostPort"}, in_set("exposure")),
    "LoadBalancerP2p": ("exposure", {"kind": "loadBalancer"}, in_set("exposure")),
    "FixedDialAddress": ("exposure.externalAddress", {"kind": "fixed", "addresses": {"0": "203.0.113.7"}}, dialled),
    "ChainPorts": ("ports", {}, in_set("ports")),
    "ChainProbes": ("probes", {}, in_set("probes")),
    "RpcService": ("rpcService", {}, in_set("rpcService")),
    "Routes": ("routes", ROUTES, in_set("routes")),
    "RouteHosts": (
        "routes.rpc",
        {"hosts": ["a.example.org"]},
        lambda fields: chains.config(routes={**ROUTES, "rpc": fields}),
    ),
    "ChainContainer": ("container", {}, in_set("container")),
    "ChainPod": ("pod", {}, in_set("pod")),
    "VersionedPod": (
        "versionedPods[0]",
        {"name": "a", "containers": [{"name": "a", "image": "b"}]},
        lambda fields: chains.config(versionedPods=[fields]),
    ),
    "ChainRollout": ("rollout", {}, in_set("rollout")),
    "ChainVolume": ("persistence", {"kind": "volume"}, in_set("persistence")),
    "ChainNodeOverride": ("nodes.0", {}, lambda fields: chains.config(nodes={"0": fields})),
}


def every_model() -> dict[str, type[BaseModel]]:
    """All models of a stack's config by name."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [StackConfig]
    while waiting:
        model = waiting.pop()
        if model.__name__ not in found:
            found[model.__name__] = model
            waiting += [inner for field in model.model_fields.values() for inner in models_in(field.annotation)]
    return found


PARSED: list[tuple[dict[str, Place], type[BaseModel]]] = [
    (IN_GROUP, StorageNodeGroupArgs),
    (IN_SET, BlockchainNodeSetArgs),
    (IN_STACK, StackConfig),
]
PLACES = IN_GROUP | IN_SET | IN_STACK


def problems_of(model: str, fields: Fields, *, without: str | None = None) -> list[str]:
    """What is said of a config with these fields in a model, at its usual place, and perhaps without one that it needs."""
    _, least, around = PLACES[model]
    given = around({key: value for key, value in {**least, **fields}.items() if key != without})
    (whole,) = [parsed for places, parsed in PARSED if model in places]
    with pytest.raises(ConfigError) as caught:
        parse(whole, given)
    return caught.value.problems


def path_of(model: str, field: str) -> str:
    """Where a refusal of a field points to."""
    place = PLACES[model][0]
    # A variant that is not known is a refusal of the whole union.
    return place if field == "kind" and model != "Routes" else f"{place}.{field}" if place else field
