"""Storage nodes in real pods: what starts, what is handed from node to node, what is kept and what heals.

One namespace holds all groups; they start at once, and each test waits for its own.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import apply, kubectl, until, wait_gone, wait_ready
from storage_groups import OFFER, SEED, apply_group, apply_groups, ask, debug_info, group, inside, market, planned, send

from nodestead.keys import ethereum_key
from nodestead.kubernetes.objects import Plan, is_kept
from nodestead.preview.check import targets
from nodestead.preview.check_job import answers_of_log, check_job, run_check_job
from nodestead.preview.kubectl import Kubectl
from nodestead.preview.stack_file import read_stack

pytestmark = pytest.mark.cluster

PROJECT = Path(__file__).parents[2]
ARCHIVIST_OFFER = {"minimumPricePerBytePerSecond": "1000", "maximumCollateralPerByte": "1", "maximumDuration": 3600}


def dev_groups() -> dict[str, Any]:
    """The groups of the dev stack, made small and quick."""
    quick = group()
    given: dict[str, Any] = read_stack("dev", PROJECT).config["storageNodeGroups"]
    return {name: one | {key: quick[key] for key in ("container", "patches")} for name, one in given.items()}


def growing(replicas: int) -> dict[str, Any]:
    return group(market(), replicas=replicas)


def versioned(version: str, **image: str) -> dict[str, Any]:
    return group({"kind": "codex", "version": version}, image=image)


GROUPS = {
    **dev_groups(),
    "growing": growing(2),
    "healing": versioned("0.2.4"),
    "pooled": group(market(), layout="pooled", replicas=3),
    "seller": group(
        market(prover=True, availability=OFFER, availabilityInterval="1s"),
        # The policy under which the kubelet opens the node's key to its group on each start.
        pod={"securityContext": {"fsGroupChangePolicy": "Always"}},
    ),
    "archivist": group(
        {
            **market(availability=ARCHIVIST_OFFER, availabilityInterval="1s"),
            "kind": "archivist",
            "version": "0.2.0",
        },
        bootstrap={"kind": "own"},
    ),
    "logos": group({"kind": "logosStorage", "version": "0.5.3"}, bootstrap={"kind": "own"}),
}


@pytest.fixture(scope="module")
def plans(storage_image: str, module_namespace: str) -> dict[str, Plan]:
    return apply_groups(planned(module_namespace, GROUPS))


@pytest.fixture
def ready(plans: dict[str, Plan], module_namespace: str) -> Callable[[str], Plan]:
    """Gives a group when all its nodes are ready."""

    def wait(name: str) -> Plan:
        wait_ready(module_namespace, [node.name for node in plans[name].nodes()], 120)
        return plans[name]

    return wait


def key_digest(ordinal: int, generation: int = 1) -> str:
    """What the stand-in shows of a node's key."""
    return hashlib.sha256(ethereum_key(SEED, ordinal, generation).encode()).hexdigest()[:16]


def pod_json(namespace: str, pod: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "pod", pod, "--namespace", namespace, "--output", "json"))


def restart(namespace: str, pod: str) -> None:
    """Deletes a pod and waits for the next of its name to be ready."""
    before = pod_json(namespace, pod)["metadata"]["uid"]
    kubectl("delete", "pod", pod, "--namespace", namespace)
    wait_ready(namespace, [pod.rpartition("-")[0]])
    assert pod_json(namespace, pod)["metadata"]["uid"] != before


# --- the dev stack ---


def test_the_dev_stack_runs_without_a_restart(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("codex")
    selector = "app.kubernetes.io/instance=codex"
    listed = json.loads(kubectl("get", "pods", "--namespace", module_namespace, "--selector", selector, "--output", "json"))
    restarts = {
        pod["metadata"]["name"]: sum(c["restartCount"] for c in pod["status"]["containerStatuses"]) for pod in listed["items"]
    }
    assert restarts == {"codex-bootstrap-1-1": 0, "codex-1-1": 0, "codex-2-1": 0, "codex-3-1": 0}


@pytest.mark.parametrize(
    ("name", "software", "nodes"),
    [("codex", "codex", ["1", "2", "3"]), ("archivist", "archivist", ["1"]), ("logos", "storage", ["1"])],
)
def test_nodes_start_from_the_bootstrap_node_and_reach_it(
    ready: Callable[[str], Plan], module_namespace: str, name: str, software: str, nodes: list[str]
) -> None:
    ready(name)
    bootstrap = debug_info(module_namespace, f"{name}-bootstrap-1-1", software)
    assert bootstrap["bootstrap"] == []
    for number in nodes:
        pod = f"{name}-{number}-1"
        assert debug_info(module_namespace, pod, software)["bootstrap"] == [bootstrap["spr"]]
        until(
            f"{pod} reaches the bootstrap node",
            lambda pod=pod: debug_info(module_namespace, pod, software)["reached"] == [bootstrap["id"]],
        )


def test_a_node_announces_its_pod_address_inside_the_cluster(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("codex")
    address = pod_json(module_namespace, "codex-2-1")["status"]["podIP"]
    assert debug_info(module_namespace, "codex-2-1")["announceAddresses"] == [f"/ip4/{address}/tcp/8070"]


def test_the_check_job_finds_every_node_serving(ready: Callable[[str], Plan]) -> None:
    plan = ready("codex")
    asked = list(targets(plan))
    job = check_job(plan, asked, answer_seconds=5, deadline_seconds=60)
    answers = list(answers_of_log(run_check_job(job, Kubectl(), 60), asked))
    assert [(answer.node, answer.problem, answer.version) for answer in answers] == [
        (node, None, "v0.2.5") for node in ("codex-bootstrap-1", "codex-1", "codex-2", "codex-3")
    ]


# --- keys ---


def test_each_node_has_its_own_key_of_the_seed(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("growing")
    shown = [debug_info(module_namespace, f"growing-{ordinal}-1")["ethKeySha256"] for ordinal in (1, 2)]
    assert shown == [key_digest(1), key_digest(2)]


def test_a_pooled_pod_has_the_key_of_its_name_and_no_other(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("pooled")
    for ordinal in (1, 2, 3):
        pod = f"pooled-{ordinal}"
        assert debug_info(module_namespace, pod)["ethKeySha256"] == key_digest(ordinal)
        keys = [f"--regexp={ethereum_key(SEED, other, 1)}" for other in (1, 2, 3)]
        found = inside(module_namespace, pod, "sh", "-c", 'grep -rshoF "$@" /etc /run /data /tmp || :', "sh", *keys)
        assert found.split() == [ethereum_key(SEED, ordinal, 1)]


# --- what a restart keeps ---

SECRET_PLACES = ("/data/node", "/data/node/repo", "/data/node/key")


@pytest.mark.parametrize("name", ["codex", "seller"])
def test_a_restart_keeps_identity_and_modes_without_root(ready: Callable[[str], Plan], module_namespace: str, name: str) -> None:
    ready(name)
    pod = f"{name}-1-1"
    places = [*SECRET_PLACES, *(["/run/nodestead/eth-private-key"] if name == "seller" else [])]
    stat = ("stat", "--format=%u %a", *places)
    expected = ["1000 700", "1000 700", "1000 600", "1000 600"][: len(places)]
    before = debug_info(module_namespace, pod)
    assert inside(module_namespace, pod, *stat).splitlines() == expected
    restart(module_namespace, pod)
    assert inside(module_namespace, pod, *stat).splitlines() == expected
    after = debug_info(module_namespace, pod)
    assert (after["id"], after["ethKeySha256"]) == (before["id"], before["ethKeySha256"])


def test_growing_again_finds_data_and_keys_of_the_node_that_was_taken_away(
    ready: Callable[[str], Plan], module_namespace: str
) -> None:
    large = ready("growing")
    pod = "growing-2-1"
    before = debug_info(module_namespace, pod)
    cid = send(module_namespace, pod, "POST", "/api/codex/v1/data", "kept over shrinking")

    (small,) = planned(module_namespace, {"growing": growing(1)}).sets
    left = {(one["kind"], one["metadata"]["name"]) for one in small.manifests()}
    gone = [one for one in large.manifests() if (one["kind"], one["metadata"]["name"]) not in left]
    apply_group(small, wait=True)
    # What is kept is only let go of, as the components have it in the engine.
    deleted = [f"{one['kind']}/{one['metadata']['name']}" for one in gone if not is_kept(one)]
    assert "StatefulSet/growing-2" in deleted
    kubectl("delete", "--namespace", module_namespace, *deleted)
    wait_gone(module_namespace, f"pod/{pod}")
    kept = sorted(f"{one['kind']}/{one['metadata']['name']}" for one in gone if is_kept(one))
    assert kept == ["PersistentVolumeClaim/data-growing-2-1", "Secret/growing-2-key-g1"]
    kubectl("get", "--namespace", module_namespace, *kept)

    apply_group(large, wait=True)
    after = debug_info(module_namespace, pod)
    assert ask(module_namespace, pod, f"/api/codex/v1/data/{cid}") == "kept over shrinking"
    assert (after["id"], after["ethKeySha256"]) == (before["id"], before["ethKeySha256"])


def test_a_pooled_group_that_grows_again_finds_its_last_node_as_it_was(
    ready: Callable[[str], Plan], module_namespace: str
) -> None:
    ready("pooled")
    before = debug_info(module_namespace, "pooled-3")
    for replicas in (2, 3):
        (plan,) = planned(module_namespace, {"pooled": GROUPS["pooled"] | {"replicas": replicas}}).sets
        apply_group(plan, wait=True)
        if replicas == 2:
            wait_gone(module_namespace, "pod/pooled-3")
    after = debug_info(module_namespace, "pooled-3")
    assert (after["id"], after["ethKeySha256"]) == (before["id"], before["ethKeySha256"])


# --- changes ---


def test_a_bad_image_heals_with_the_next_good_one_and_keeps_the_identity(
    ready: Callable[[str], Plan], module_namespace: str
) -> None:
    def change(config: dict[str, Any]) -> None:
        apply(planned(module_namespace, {"healing": config}).sets[0].manifests())

    def waits_for_image() -> bool:
        status = pod_json(module_namespace, "healing-1-1")["status"]
        waiting = [c["state"].get("waiting", {}).get("reason") for c in status.get("initContainerStatuses", [])]
        return waiting in (["ErrImagePull"], ["ImagePullBackOff"])

    ready("healing")
    before = debug_info(module_namespace, "healing-1-1")
    assert before["codex"]["version"] == "v0.2.4"
    change(versioned("0.2.5", tag="0.2.5-never-built"))
    until("the pod misses its image", waits_for_image)
    change(versioned("0.2.5"))
    wait_ready(module_namespace, ["healing-1"])
    after = debug_info(module_namespace, "healing-1-1")
    assert (after["id"], after["codex"]["version"]) == (before["id"], "v0.2.5")


# --- the sidecar that keeps the offer ---

SALES = "/api/codex/v1/sales/availability"


def offers(namespace: str) -> list[dict[str, str]]:
    """The seller's offers, reduced to what the config wants, as texts."""
    found: list[dict[str, Any]] = json.loads(ask(namespace, "seller-1-1", SALES))
    return [{name: str(one[name]) for name in OFFER} for one in found]


def test_an_offer_that_was_changed_is_made_as_wanted_again(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("seller")
    until("the offer is made", lambda: offers(module_namespace) == [OFFER])
    offer_id = json.loads(ask(module_namespace, "seller-1-1", SALES))[0]["id"]
    send(module_namespace, "seller-1-1", "PATCH", f"{SALES}/{offer_id}", '{"duration": 7200}')
    said = ("logs", "--namespace", module_namespace, "seller-1-1", "--container", "availability", "--tail=5")
    until("the sidecar sees it", lambda: 'availability changed: {"duration":"3600"}' in kubectl(*said))
    assert offers(module_namespace) == [OFFER]


def test_an_offer_that_the_node_forgot_is_made_again(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("seller")

    def restarts() -> dict[str, int]:
        status = pod_json(module_namespace, "seller-1-1")["status"]["containerStatuses"]
        return {c["name"]: c["restartCount"] for c in status}

    before = restarts()
    inside(module_namespace, "seller-1-1", "sh", "-c", "kill 1")
    until("the node's container starts again", lambda: restarts() == before | {"node": before["node"] + 1})
    wait_ready(module_namespace, ["seller-1"])
    until("the offer is there again", lambda: offers(module_namespace) == [OFFER])


def test_an_archivist_node_gets_its_terms(ready: Callable[[str], Plan], module_namespace: str) -> None:
    ready("archivist")
    path = "/api/archivist/v1/sales/availability"
    terms = until("the terms are set", lambda: json.loads(ask(module_namespace, "archivist-1-1", path)))
    assert {name: str(terms[name]) for name in ARCHIVIST_OFFER} == {n: str(v) for n, v in ARCHIVIST_OFFER.items()}
