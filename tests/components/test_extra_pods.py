"""Extra pods of nodes come after them, and hold nobody up: neither the next node nor the whole update."""

from typing import Any

import pytest
from recording import Recording, run

from nodestead import BlockchainNodeSet

ARGS: dict[str, Any] = {
    "software": {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"},
    "image": {"repository": "registry.example.org/simd"},
    "versions": [{"height": 0, "image": {"tag": "v1"}, "haltHeight": 9}, {"height": 10, "image": {"tag": "v2"}}],
    "genesis": {"kind": "url", "url": "https://example.org/genesis.json"},
    "replicas": 2,
    "rollout": {"maxUnavailable": 1},
    "versionedPods": [{"name": "tool", "containers": [{"name": "simd", "command": ["simd", "version"]}]}],
}


@pytest.fixture(scope="module")
def deployed() -> Recording:
    return run(lambda: BlockchainNodeSet("hub", ARGS, namespace="chain"))


def workloads_before(deployed: Recording, name: str) -> set[str]:
    urns = {r.urn: r.object_name for r in deployed.resources if r.kind == "StatefulSet"}
    return {urns[urn] for urn in deployed.objects()[f"StatefulSet/{name}"].dependencies if urn in urns}


@pytest.mark.parametrize(
    ("name", "before"),
    [("hub-0", set[str]()), ("hub-0-tool", {"hub-0"}), ("hub-1", {"hub-0"}), ("hub-1-tool", {"hub-1"})],
)
def test_an_extra_pod_comes_after_its_node_and_no_node_after_an_extra_pod(
    deployed: Recording, name: str, before: set[str]
) -> None:
    assert workloads_before(deployed, name) == before


def test_nobody_waits_for_it(deployed: Recording) -> None:
    skipping = {
        name: r.inputs["metadata"].get("annotations", {}).get("pulumi.com/skipAwait")
        for name, r in deployed.objects("StatefulSet").items()
    }
    assert skipping == {
        "StatefulSet/hub-0": None,
        "StatefulSet/hub-0-tool": "true",
        "StatefulSet/hub-1": None,
        "StatefulSet/hub-1-tool": "true",
    }


def test_its_name_in_the_state_says_whose_it_is(deployed: Recording) -> None:
    assert deployed.objects()["StatefulSet/hub-1-tool"].name == "hub-stateful-set-1-tool"
