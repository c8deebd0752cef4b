"""An extra pod runs the version that its node runs, and changes it when the node does, without an update of the stack."""

import json
from typing import Any, cast

import pytest
from chain_engine import chain_config, quick_set
from chain_images import BASE
from chain_sets import SIMAPP, answer_of, apply_sets, chain_set, fetched, log, planned, ready_nodes, wait_height
from cluster import kubectl, until, wait_gone, wait_ready
from engine import NewStack, objects

pytestmark = pytest.mark.cluster

NODE, POD, LAST = "app-0", "app-0-tool", 30
NEXT = f"h{LAST + 1}"
TOOL: dict[str, Any] = {
    "name": "tool",
    "preferSameNode": True,
    "terminationGracePeriod": "2s",
    "containers": [
        {"name": "simd", "command": ["sh", "-c", "simd version; exec sleep 3600"]},
        {
            "name": "reader",
            "image": BASE,
            "command": ["sh", "-c", 'until curl -sSf -m 2 "$RPC_URL/health" && echo; do sleep 1; done; exec sleep 3600'],
        },
    ],
}
VERSIONS = [
    {"height": 0, "image": {"tag": "v1"}, "haltHeight": LAST},
    {"height": LAST + 1, "image": {"tag": "v2"}},
]


@pytest.fixture(scope="module")
def app(chain_images: None, module_namespace: str) -> str:
    """The namespace of a network of one node with an extra pod."""
    local = {"kind": "local", "validators": 1}
    apply_sets(planned(module_namespace, app=chain_set(SIMAPP, network=local, versions=VERSIONS, versionedPods=[TOOL])))
    wait_ready(module_namespace, [POD], 120)
    return module_namespace


def turns(namespace: str) -> list[str]:
    """The versions of the program that may run, as the probes are told of it."""
    found = {version: fetched(namespace, POD, f"live/simd/{version}")[1] for version in ("h0", NEXT)}
    return [version for version, said in found.items() if said != "idle"]


def restarts(namespace: str) -> dict[str, int]:
    pod = cast("dict[str, Any]", json.loads(kubectl("get", "pod", f"{POD}-0", "--namespace", namespace, "--output", "json")))
    return {one["name"]: one["restartCount"] for one in pod["status"]["containerStatuses"]}


@pytest.fixture(autouse=True)
def in_the_container_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose image has curl."""
    whole = answer_of

    def asked(namespace: str, node: str, *command: str, container: str = "health") -> str:
        return whole(namespace, node, *command, container="follow" if node == POD else container)

    monkeypatch.setattr("chain_sets.answer_of", asked)


def test_the_version_follows_that_of_the_node_and_one_runs_at_a_time(app: str) -> None:
    until("the extra pod runs v1", lambda: "v1" in log(app, POD, "simd-h0"))
    seen = [turns(app)]

    def changed() -> bool:
        seen.append(turns(app))
        return "v2" in log(app, POD, f"simd-{NEXT}")

    until("the extra pod runs v2", changed, seconds=150)
    assert seen[0] == ["h0"]
    assert all(len(one) <= 1 for one in seen), seen
    assert turns(app) == [NEXT]
    wait_height(app, NODE, LAST + 1)
    assert "v2" not in log(app, POD, "simd-h0")


def test_it_reaches_the_rpc_and_is_none_of_the_nodes(app: str) -> None:
    assert "{" in until("the RPC answers", lambda: log(app, POD, "reader"))
    assert ready_nodes(app, "app-rpc") == {f"{NODE}-0"}
    assert ready_nodes(app, f"{NODE}-p2p") == {f"{NODE}-0"}


def test_a_node_that_is_gone_for_a_while_changes_nothing(app: str) -> None:
    until("the extra pod runs v2", lambda: turns(app) == [NEXT], seconds=150)
    before = restarts(app)
    kubectl("delete", "pod", f"{NODE}-0", "--namespace", app)
    wait_ready(app, [NODE], 120)
    assert turns(app) == [NEXT]
    assert restarts(app) == before


@pytest.mark.engine
def test_an_extra_pod_that_cannot_start_holds_no_update_up(new_stack: NewStack, chain_images: None, namespace: str) -> None:
    stack = new_stack()
    broken = {"name": "broken", "containers": [{"name": "main", "image": "example.org/nodestead/none:1"}]}
    wanted = quick_set(network={"kind": "local", "validators": 1}, patches={}, versionedPods=[broken])
    stack.configure(chain_config(namespace, {"hub": wanted}))
    stack.up()
    stack.changes_nothing()
    assert set(objects(namespace, "statefulsets")) == {"StatefulSet/hub-0", "StatefulSet/hub-0-broken"}
    assert ready_nodes(namespace, "hub-rpc") == {"hub-0-0"}
    stack.configure(chain_config(namespace, {"hub": wanted | {"versionedPods": []}}))
    stack.up()
    wait_gone(namespace, "statefulset/hub-0-broken")
    assert set(objects(namespace, "statefulsets")) == {"StatefulSet/hub-0"}
