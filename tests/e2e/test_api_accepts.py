"""What the library makes is what a real API server takes: strict fields, validation, Pod Security; nothing is stored."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Kubectl, KubectlError, apply, resolved
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from pydantic import SecretStr
from storage_groups import AUTH_HASH, SEED

from chain_strategies import chain_sets
from nodestead.config.base import Deferred, parse
from nodestead.kubernetes.objects import Address, Manifest, PasswordHash, PublicOf, Ref, Seed, SetPeers, StackPeers
from nodestead.plans.stack import StackConfig, namespace_manifest, plan_stack
from nodestead.preview.stack_file import read_stack, stack_names
from strategies import storage_groups

pytestmark = pytest.mark.cluster

PROJECT = Path(__file__).parents[2]
DRAWN = 100
# Nothing of a dry run is there for the next object to find; these are looked up when a pod is admitted.
LOOKED_UP = ("serviceAccountName", "priorityClassName", "runtimeClassName")


def answer(ref: Ref) -> Any:
    """What deploy-time leaves are made from, without an engine and without a cluster."""
    match ref:
        case Seed():
            return SEED
        case PublicOf(_, derive):
            return derive(SEED)
        case SetPeers() | StackPeers():
            return [f"{'0' * 40}@later:26656"]
        case PasswordHash():
            return AUTH_HASH
        case Address():
            return [{"ip": "203.0.113.9"}]
        case SecretStr():
            return ref.get_secret_value()
        case Deferred():
            # Where another resource gives a value, it is a name more often than not.
            return "later"


def made(namespace: str, security: str, **sets: dict[str, Any]) -> list[Manifest]:
    """Everything that a stack makes, and as a pod of its own whatever it makes of pods."""
    given_namespace = {"name": namespace, "podSecurity": security}
    plan = plan_stack(parse(StackConfig, {"namespace": given_namespace, "cluster": {"render": "out"}, **sets}))
    found = [resolved(one, answer) for one in plan.manifests()]
    return [*found, *(pod for one in found for pod in pods_of(one))]


def pods_of(one: Manifest) -> Iterator[Manifest]:
    """The pod of a StatefulSet, since only pods are what Pod Security enforces anything on."""
    if one["kind"] != "StatefulSet":
        return
    template, metadata = one["spec"]["template"], one["metadata"]
    spec = {key: value for key, value in template["spec"].items() if key not in LOOKED_UP}
    spec["volumes"] = [
        *spec["volumes"],
        *({"name": claim["metadata"]["name"]} for claim in one["spec"].get("volumeClaimTemplates", [])),
    ]
    named = {"name": f"{metadata['name']}-0", "namespace": metadata["namespace"], **template["metadata"]}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": spec}


def take(manifests: Iterable[Manifest]) -> None:
    """Has the API server judge manifests; every word of it but "applied" is a failure."""
    said = apply(manifests, "--dry-run=server")
    unexpected = [line for line in said.splitlines() if not line.endswith(" serverside-applied (server dry run)")]
    assert unexpected == []


@pytest.fixture(scope="module")
def spaces(kubectl: Kubectl, module_namespace: str, other_namespace: str) -> dict[str, str]:
    """A namespace for each level of Pod Security, as the library makes it, that also warns of workloads."""
    found = {"restricted": module_namespace, "privileged": other_namespace}
    for level, name in found.items():
        config = parse(StackConfig, {"namespace": {"name": name, "podSecurity": level}, "cluster": {"render": "out"}})
        namespace = namespace_manifest(config.namespace)
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/warn"] = level
        apply([namespace])
        kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", name, "--timeout=30s")
    return found


@pytest.mark.parametrize("stack", stack_names(PROJECT))
def test_the_api_takes_every_object_of_the_stacks(spaces: dict[str, str], stack: str) -> None:
    config = read_stack(stack, PROJECT).config
    security = config["namespace"].get("podSecurity", "restricted")
    take(made(spaces[security], security, **{kind: config[kind] for kind in ("storageNodeGroups", "blockchainNodeSets")}))


def drawn(sets: SearchStrategy[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many configs, the same in every run."""
    found: list[dict[str, Any]] = []
    alike = settings(
        max_examples=count, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )

    @alike
    @given(sets)
    def collect(config: dict[str, Any]) -> None:
        found.append(config)

    collect()
    return found


@pytest.mark.parametrize(
    ("kind", "sets", "count"),
    [("storageNodeGroups", storage_groups(), DRAWN), ("blockchainNodeSets", chain_sets(), DRAWN // 2)],
)
def test_the_api_takes_whatever_a_valid_config_makes(
    spaces: dict[str, str], kind: str, sets: SearchStrategy[dict[str, Any]], count: int
) -> None:
    groups = {f"g{number}": config for number, config in enumerate(drawn(sets, count))}
    manifests: list[Manifest] = []
    for name, config in groups.items():
        # Ports of hosts are the one thing for which the library asks for another level.
        level = "privileged" if config.get("exposure", {}).get("kind") == "hostPort" else "restricted"
        manifests += made(spaces[level], level, **{kind: {name: config}})
    try:
        # One call for all; the number in an object's name leads back to its config.
        take(manifests)
    except (AssertionError, KubectlError) as error:
        said = str(error).splitlines()[:10]
        guilty = sorted(set(re.findall(r"\b(g\d+)\b", " ".join(said))))[:3]
        raise AssertionError("\n".join([*said, *(f"{name}: {groups[name]}" for name in guilty)])) from None
