"""What reports of changes say of running nodes, and what the engine and the cluster then do with them."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from engine import NewStack, Stack, dev_config, identities, objects, versions, watching
from storage_groups import group

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.usefixtures("storage_image")]

CLAIMS = "persistentvolumeclaims"


class Reviewed:
    """A stack in a git repository of its own, deployed as its last commit has it."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace = stack, namespace
        self._git("init", "--quiet", "--initial-branch=main")
        (stack.folder / ".gitignore").write_text("state\n.venv\n*.log\n*.json\n")
        self.configure()
        self.stack.up()
        self.commit()

    def configure(self, name: str = "reviewed", version: str = "0.2.5", **given: Any) -> None:
        software = {"kind": "codex", "version": version}
        args = {"replicas": 5, "software": software, "rollout": {"maxUnavailable": 2, "timeout": "60s"}, **given}
        self.stack.configure(dev_config(self.namespace, {name: args}))

    def commit(self) -> None:
        self._git("add", "--all")
        self._git("-c", "user.name=e2e", "-c", "user.email=e2e@example.org", "commit", "--quiet", "--message", "deployed")

    def diff(self) -> tuple[int, dict[str, Any]]:
        """What `nodestead diff` says of the working tree: exit code and the stack's report."""
        return self._report("diff", "HEAD", "--stack", self.stack.name, "--dir", str(self.stack.folder))

    def review(self) -> tuple[int, dict[str, Any]]:
        """What `nodestead review` says of the engine's preview."""
        said, _ = self.stack.spoken("preview", "--json", "--show-sames")
        file = self.stack.folder / "preview.json"
        file.write_text(said)
        return self._report("review", str(file))

    def _report(self, *args: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "nodestead.preview.cli", *args, "--format", "json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.stack.folder, timeout=120)
        assert "Traceback" not in done.stderr
        (found,) = json.loads(done.stdout)["stacks"]
        return done.returncode, found

    def _git(self, *args: str) -> None:
        hooks = ("-c", "core.hooksPath=/dev/null")
        subprocess.run(("git", *hooks, *args), check=True, cwd=self.stack.folder, env=_without_git(os.environ), timeout=60)


def _without_git(environment: Any) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith("GIT_")}


def rules(report: dict[str, Any], severity: str = "danger") -> set[str]:
    return {risk["rule"] for risk in report["risks"] if risk["severity"] == severity}


def batches(report: dict[str, Any]) -> list[set[str]]:
    (plan,) = report["restarts"]
    assert plan["pods"] == sum(len(batch.split(", ")) for batch in plan["batches"])
    return [set(batch.split(", ")) for batch in plan["batches"]]


@pytest.fixture(scope="module")
def reviewed(new_stack: NewStack, module_namespace: str) -> Reviewed:
    return Reviewed(new_stack(), module_namespace)


@pytest.fixture(autouse=True)
def _deployed(reviewed: Reviewed) -> None:
    """Where every test starts, whatever the one before left."""
    reviewed.configure()
    reviewed.stack.up()


def test_nothing_changed_says_that_nothing_happens(reviewed: Reviewed) -> None:
    for code, report in (reviewed.diff(), reviewed.review()):
        assert (code, report["restarts"], report["risks"], report["failures"]) == (0, [], [], [])
        assert report["counts"] | {"unchanged": 0} == {"added": 0, "changed": 0, "replaced": 0, "removed": 0, "unchanged": 0}


def test_the_cluster_restarts_the_pods_in_the_batches_that_both_reports_tell(reviewed: Reviewed) -> None:
    reviewed.configure(version="0.2.4")
    told = [reviewed.diff(), reviewed.review()]

    with watching(reviewed.namespace, "reviewed") as seen:
        reviewed.stack.up()

    happened = seen.batches()
    nodes = {"reviewed-bootstrap-1", *(f"reviewed-{number}" for number in range(1, 6))}
    assert {node for batch in happened for node in batch} == nodes
    for code, report in told:
        # A downgrade is a danger, and so the exit code of both.
        assert (code, rules(report)) == (1, {"downgrade"})
        assert joined(happened, batches(report)) == batches(report)


def joined(seen: list[set[str]], told: list[set[str]]) -> list[set[str]]:
    """What was down together, by the batches that were told; a node may be back before another of its batch goes down."""
    found: list[set[str]] = []
    for one in seen:
        if found and any(found[-1] | one <= batch for batch in told):
            found[-1] |= one
        else:
            found.append(set(one))
    return found


def test_a_shrunk_volume_is_a_danger_and_the_update_fails_without_touching_data(reviewed: Reviewed) -> None:
    claims = identities(reviewed.namespace, CLAIMS)
    reviewed.configure(persistence={"kind": "volume", "size": "1Gi"})
    told = [reviewed.diff(), reviewed.review()]

    reviewed.stack.refused("up", "--yes", "--skip-preview")

    # The engine asks the API server, which refuses it in the preview: what it did not get to is not compared.
    assert [(code, "volume-shrunk" in rules(report)) for code, report in told] == [(1, True), (2, True)]
    assert identities(reviewed.namespace, CLAIMS) == claims


def test_a_renamed_group_is_a_danger_and_its_claims_stay(reviewed: Reviewed) -> None:
    claims = versions(reviewed.namespace, CLAIMS)
    reviewed.configure(name="renamed")
    told = [reviewed.diff(), reviewed.review()]

    reviewed.stack.up()

    assert [(code, rules(report)) for code, report in told] == [(1, {"set-renamed"}), (1, {"set-renamed"})]
    after = versions(reviewed.namespace, CLAIMS)
    assert set(claims) <= set(after)
    assert len(after) == 2 * len(claims)


def test_a_change_that_the_guard_refuses_is_told_before(reviewed: Reviewed) -> None:
    reviewed.configure(layout="pooled", bootstrap={"kind": "none"}, rollout={"timeout": "60s"})
    code, report = reviewed.diff()
    assert code == 1
    assert "network-changed" in rules(report)

    code, report = reviewed.review()
    assert code == 2
    assert any("layout: perNode may not become pooled" in failure for failure in report["failures"])


def test_workloads_that_are_made_anew_go_in_the_batches_that_both_reports_tell(reviewed: Reviewed) -> None:
    patches = group()["patches"]
    patches["StatefulSet"]["*"]["spec"]["podManagementPolicy"] = "OrderedReady"
    claims = identities(reviewed.namespace, CLAIMS)
    reviewed.configure(patches=patches)
    told = [reviewed.diff(), reviewed.review()]

    with watching(reviewed.namespace, "reviewed") as seen:
        reviewed.stack.up()

    happened = seen.batches()
    for code, report in told:
        assert (code, rules(report)) == (1, {"workload-replaced"})
        assert joined(happened, batches(report)) == batches(report)
    assert identities(reviewed.namespace, CLAIMS) == claims


def test_a_pooled_group_that_grows_restarts_the_pods_that_it_had_one_by_one_from_the_last(reviewed: Reviewed) -> None:
    pooled: dict[str, Any] = {"name": "pooled", "layout": "pooled", "bootstrap": {"kind": "none"}, "rollout": {"timeout": "60s"}}
    reviewed.configure(replicas=2, **pooled)
    reviewed.stack.up()
    reviewed.commit()
    first = identities(reviewed.namespace, "pods")
    reviewed.configure(replicas=3, version="0.2.4", **pooled)
    told = [reviewed.diff(), reviewed.review()]

    reviewed.stack.up()

    for code, report in told:
        assert (code, rules(report), batches(report)) == (1, {"downgrade"}, [{"pooled-2"}, {"pooled-1"}])
    pods = objects(reviewed.namespace, "pods")
    born = {name: pod["metadata"]["creationTimestamp"] for name, pod in pods.items()}
    assert set(born) == {"Pod/pooled-1", "Pod/pooled-2", "Pod/pooled-3"}
    assert born["Pod/pooled-3"] <= born["Pod/pooled-2"] < born["Pod/pooled-1"]
    assert not set(first.values()) & {pod["metadata"]["uid"] for pod in pods.values()}
