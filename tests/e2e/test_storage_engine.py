"""Groups of storage nodes through `pulumi up`: batches, what is left of them, what is refused, and updates that broke."""

import json
import shutil
from typing import Any

import pytest
from cluster import kubectl, wait_gone, wait_ready
from engine import ADOPT, PROJECT, NewStack, Stack, dev_config, identities, objects, versions, watching
from storage_groups import ask, debug_info, group, market, send

from nodestead import rollout_waves

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.usefixtures("storage_image")]

DATA = "/api/codex/v1/data"
# The file backend locks a stack for one command at a time, and a killed command leaves its lock.
UNLOCK = ("cancel", "--yes")

NODES = [f"rolling-{number}" for number in (1, 2, 3, 4)]
WAVES = [{"rolling-bootstrap-1"}, {"rolling-1", "rolling-2"}, {"rolling-3", "rolling-4"}]
OWN_PODS = [f"{name}-1" for name in ("rolling-bootstrap-1", *NODES)]


class Rolling:
    """Four nodes and a bootstrap node of their own, in batches of two."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace, self.version = stack, namespace, "0.2.5"
        self.configure()
        with watching(namespace, "rolling") as seen:
            stack.up()
        self.created = seen.batches()

    def configure(self, timeout: str = "60s", **given: Any) -> None:
        software = {"kind": "codex", "version": self.version, **given.pop("software", {})}
        args = {"replicas": 4, "software": software, "rollout": {"maxUnavailable": 2, "timeout": timeout}, **given}
        self.stack.configure(dev_config(self.namespace, {"rolling": args}))

    def baseline(self) -> None:
        """Where every test starts, whatever the one before left."""
        self.configure()
        self.stack.up()

    def change_version(self) -> None:
        """Writes a config that changes the image of every node."""
        self.version = "0.2.4" if self.version == "0.2.5" else "0.2.5"
        self.configure()

    def runs_its_version(self) -> bool:
        said = [debug_info(self.namespace, pod)["codex"]["version"] for pod in OWN_PODS]
        return said == [f"v{self.version}"] * len(OWN_PODS)

    def peers(self) -> list[str]:
        return [debug_info(self.namespace, pod)["id"] for pod in OWN_PODS]


def in_waves(batches: list[set[str]]) -> list[set[str]]:
    """What was down together, wave by wave; AssertionError where nodes of two waves were."""
    found: list[set[str]] = []
    for batch in batches:
        assert any(batch <= wave for wave in WAVES), f"{sorted(batch)} were down together, and are not of one wave"
        # A node that was back before the other of its batch went down makes two of one.
        if found and any(batch | found[-1] <= wave for wave in WAVES):
            found[-1] |= batch
        else:
            found.append(set(batch))
    return found


@pytest.fixture(scope="module")
def rolling(new_stack: NewStack, module_namespace: str) -> Rolling:
    return Rolling(new_stack(), module_namespace)


def test_the_waves_are_those_that_the_library_tells() -> None:
    assert [set(wave) for wave in rollout_waves(NODES, 2)] == WAVES[1:]


def test_the_first_up_starts_a_wave_when_the_one_before_is_ready(rolling: Rolling) -> None:
    assert in_waves(rolling.created) == WAVES
    assert max(map(len, rolling.created)) == 2


def test_a_second_up_changes_nothing(rolling: Rolling) -> None:
    rolling.baseline()
    kinds = ("statefulsets", "services", "configmaps", "secrets", "persistentvolumeclaims", "poddisruptionbudgets")
    before = versions(rolling.namespace, *kinds)
    pods = identities(rolling.namespace, "pods")

    rolling.stack.changes_nothing()

    assert versions(rolling.namespace, *kinds) == before
    assert identities(rolling.namespace, "pods") == pods


def test_an_image_change_rolls_batch_by_batch_and_keeps_identities(rolling: Rolling) -> None:
    rolling.baseline()
    before = rolling.peers()

    rolling.change_version()
    with watching(rolling.namespace, "rolling") as seen:
        rolling.stack.up()

    # Never more than a batch was down, in the order of the waves, and a batch goes down as one.
    assert in_waves(seen.batches()) == WAVES
    assert max(map(len, seen.batches())) == 2
    assert rolling.runs_its_version()
    assert rolling.peers() == before


def test_a_bad_image_stops_after_the_first_batch_and_heals_with_the_next_up(rolling: Rolling) -> None:
    rolling.baseline()
    pods = identities(rolling.namespace, "pods")
    missing = {str(number): {"image": {"tag": "never-built"}} for number in (1, 2, 3, 4)}

    rolling.configure(nodes=missing, timeout="20s")
    with watching(rolling.namespace, "rolling") as seen:
        said = rolling.stack.refused("up", "--yes", "--skip-preview")

    assert "'rolling-1' timed out waiting to be Ready" in said
    assert in_waves(seen.batches()) == [WAVES[1]]
    assert seen.down == WAVES[1]

    rolling.baseline()
    wait_ready(rolling.namespace, ["rolling-bootstrap-1", *NODES], 5)
    after = identities(rolling.namespace, "pods")
    assert {name for name, uid in pods.items() if after[name] != uid} == {"Pod/rolling-1-1", "Pod/rolling-2-1"}


def test_an_update_killed_in_a_rollout_is_finished_by_the_next(rolling: Rolling) -> None:
    rolling.baseline()
    rolling.change_version()
    rolling.stack.killed("up", "--yes", "--skip-preview", when=lambda said: "rolling-stateful-set-1 updating" in said)

    # What a user types: `pulumi cancel`, as the refusal says, and `pulumi up`.
    assert "`pulumi cancel`" in rolling.stack.refused("up", "--yes", "--skip-preview")
    rolling.stack.run(*UNLOCK)
    with watching(rolling.namespace, "rolling") as seen:
        rolling.stack.up()

    assert WAVES[2] in in_waves(seen.batches())
    assert rolling.runs_its_version()
    rolling.stack.changes_nothing()


def test_what_may_not_change_under_data_stops_preview_and_update(rolling: Rolling) -> None:
    rolling.baseline()
    before = versions(rolling.namespace, "statefulsets", "pods", "persistentvolumeclaims")

    rolling.configure(layout="pooled", software={"repoKind": "leveldb"}, rollout={"timeout": "60s"})
    # Twice, because a refused update must not enter the state as done.
    for command in (["preview"], ["up", "--yes", "--skip-preview"], ["up", "--yes", "--skip-preview"]):
        said = rolling.stack.refused(*command)
        assert "rolling: the nodes' data was made for the old value; set it back" in said
        assert "  - layout: perNode may not become pooled\n" in said
        assert "  - software.repoKind: fs may not become leveldb\n" in said

    assert versions(rolling.namespace, "statefulsets", "pods", "persistentvolumeclaims") == before
    rolling.configure()
    rolling.stack.changes_nothing()


def test_plain_destroy_leaves_namespace_and_claims_and_the_next_up_finds_the_data(rolling: Rolling) -> None:
    rolling.baseline()
    cid = send(rolling.namespace, "rolling-2-1", "POST", DATA, "kept over destroy")
    peers, claims = rolling.peers(), identities(rolling.namespace, "persistentvolumeclaims")

    rolling.stack.run("destroy", "--yes", "--skip-preview")
    wait_gone(rolling.namespace, *(f"pod/{pod}" for pod in OWN_PODS))
    left = objects(rolling.namespace, "statefulsets", "services", "configmaps", "persistentvolumeclaims")
    assert set(left) - {"ConfigMap/kube-root-ca.crt"} == set(claims)
    assert {one["status"]["phase"] for name, one in left.items() if name in claims} == {"Bound"}

    rolling.stack.up()
    assert identities(rolling.namespace, "persistentvolumeclaims") == claims
    assert ask(rolling.namespace, "rolling-2-1", f"{DATA}/{cid}") == "kept over destroy"
    assert rolling.peers() == peers


# --- a creation that was killed ---


def test_a_creation_that_was_killed_is_taken_over_by_the_next(new_stack: NewStack, namespace: str) -> None:
    stack = new_stack()
    slow = {"startupProbe": {"initialDelaySeconds": 5, "periodSeconds": 1}}
    patches = {"StatefulSet": {"*": {"spec": {"template": {"spec": {"containers": [{"name": "node", **slow}]}}}}}}
    args = {"replicas": 2, "bootstrap": {"kind": "none"}, "rollout": {"maxUnavailable": 1, "timeout": "60s"}, "patches": patches}
    stack.configure(dev_config(namespace, {"codex": args}))
    stack.killed(
        "up", "--yes", "--skip-preview", when=lambda _: "codex-1-1" in kubectl("get", "pods", "-n", namespace, "-o", "name")
    )
    before = identities(namespace, "statefulsets", "pods", "persistentvolumeclaims")

    # What a user types: the state does not know of the object that was being made, so it is adopted, once.
    stack.run(*UNLOCK)
    assert 'statefulsets.apps "codex-1" already exists' in stack.refused("up", "--yes", "--skip-preview")
    stack.up(env=ADOPT)
    stack.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    said = stack.up()

    assert "pending operations" not in said
    stack.changes_nothing()
    wait_ready(namespace, ["codex-1", "codex-2"], 5)
    after = identities(namespace, "statefulsets", "pods", "persistentvolumeclaims")
    assert {name: after[name] for name in before} == before


# --- a caller's own program ---

OWN_PROGRAM = """
import json, os
import pulumi, pulumi_kubernetes as kubernetes
from nodestead import StorageNodeGroup

cluster = kubernetes.Provider("mine", kubeconfig=os.environ["KUBECONFIG"])
opts = pulumi.ResourceOptions(provider=cluster)
config = pulumi.Config("own")
namespace = kubernetes.core.v1.Namespace("mine", metadata={"name": config.require("namespace")}, opts=opts)
group = StorageNodeGroup("own", config.require_object("group"), opts, namespace=namespace.metadata.name)
pulumi.export("nodes", group.nodes)
"""


def test_a_provider_without_the_mutable_options_replaces_config_and_nothing_with_data(
    new_stack: NewStack, namespace: str
) -> None:
    stack = new_stack(OWN_PROGRAM)

    def configure(mark: str) -> None:
        args = group(market(ethProvider={"url": f"http://rpc.example.org/{mark}"}), replicas=2)
        args["patches"] |= {"ConfigMap": {"*": {"data": {"mark": mark}}}}
        stack.configure({"own:namespace": namespace, "own:group": args})

    configure("one")
    stack.up()
    cid = send(namespace, "own-1-1", "POST", DATA, "kept over replacing")
    kinds = ("statefulsets", "services", "persistentvolumeclaims", "secrets")
    before = identities(namespace, *kinds)

    configure("two")
    steps: list[dict[str, Any]] = json.loads(stack.run("preview", "--json"))["steps"]
    replaced = {step["urn"].rpartition("::")[2] for step in steps if "replace" in step["op"]}
    (agents,) = [name for name in identities(namespace, "configmaps") if name.startswith("ConfigMap/own-agents-")]
    assert replaced == {agents.replace("ConfigMap/own", "own-config-map"), "own-secret-eth-provider"}
    stack.up()

    after = identities(namespace, *kinds)
    assert {name for name, uid in before.items() if after[name] != uid} == {"Secret/own-eth-provider"}
    assert objects(namespace, "configmaps")[agents]["data"]["mark"] == "two"
    assert ask(namespace, "own-1-1", f"{DATA}/{cid}") == "kept over replacing"
    stack.changes_nothing()


# --- refusals and previews ---


def test_a_refused_config_is_one_clean_error_and_registers_nothing(new_stack: NewStack, namespace: str) -> None:
    stack = new_stack()
    stack.configure(dev_config(namespace, {"codex": {"replicas": -1, "laiout": "pooled"}}))
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        said = stack.refused(*command)
        assert "storageNodeGroups.codex.replicas: -1 is refused" in said
        assert "storageNodeGroups.codex.laiout: unknown key; did you mean layout?" in said
        assert said.count("    error: the config is refused, 2 problems:") == 1
        assert "Traceback" not in said
    assert [one["type"] for one in stack.resources()] in ([], ["pulumi:pulumi:Stack"])
    assert kubectl("get", "namespace", namespace, "--ignore-not-found") == ""


def test_dev_previews_without_a_cluster_and_writes_nothing(new_stack: NewStack) -> None:
    stack = new_stack(name="dev")
    shutil.copy(PROJECT / "stacks" / "Pulumi.dev.yaml", stack.file)

    said = stack.run("preview", env={"KUBECONFIG": "/nowhere"})

    assert "+  kubernetes:apps/v1:StatefulSet codex-stateful-set-bootstrap-1 create" in said
    assert not (stack.folder / "rendered").exists()
