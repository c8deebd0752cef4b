"""A stack's objects as change reports compare them."""

from pathlib import Path

import pytest
from repositories import ROOT

from nodestead.changes.snapshot import PASSWORD_TYPE, PROVIDER_TYPE, Item, snapshot_from_json, snapshot_to_json
from nodestead.preview.render import StackRefusedError, render_stack
from nodestead.preview.snapshots import stack_snapshot
from nodestead.preview.stack_file import StackFileError
from nodestead.preview.yaml_text import plain

STACKS = ("dev", "staging", "prod")
RPC = "https://rpc.example.org/v3/0123456789abcdef"


def written(folder: Path, sets: str, cluster: str = "{context: prod}") -> Path:
    base = f"config:\n  nodestead:namespace: {{name: storage}}\n  nodestead:cluster: {cluster}\n"
    (folder / "Pulumi.x.yaml").write_text(base + sets)
    return folder


@pytest.mark.parametrize("stack", STACKS)
def test_it_holds_what_a_rendering_shows_in_the_same_order(stack: str) -> None:
    held = [item.manifest for item in stack_snapshot(stack, ROOT).items.values() if item.is_object]

    assert held == [plain(manifest) for manifest in render_stack(stack, ROOT)]


@pytest.mark.parametrize("stack", STACKS)
def test_it_goes_through_json_unchanged(stack: str) -> None:
    snapshot = stack_snapshot(stack, ROOT)

    assert snapshot_from_json(snapshot_to_json(snapshot)) == snapshot


@pytest.mark.parametrize("stack", STACKS)
def test_every_node_is_in_one_batch_of_its_set(stack: str) -> None:
    snapshot = stack_snapshot(stack, ROOT)
    batched = [name for one in snapshot.sets for batch in one.batches for name in batch]

    assert sorted(batched) == sorted(item.name for item in snapshot.of_kind("StatefulSet"))


@pytest.mark.parametrize(
    ("cluster", "inputs"),
    [
        ("{context: prod}", {"context": "prod"}),
        ("{kubeconfig: kube/config}", {"kubeconfig": "kube/config"}),
        ("{render: rendered}", {"renderYamlToDirectory": "rendered"}),
    ],
)
def test_another_cluster_is_a_change(tmp_path: Path, cluster: str, inputs: dict[str, str]) -> None:
    snapshot = stack_snapshot("x", written(tmp_path, "", cluster))

    assert snapshot.items["", PROVIDER_TYPE, "", "cluster"].manifest["inputs"] == inputs


MARKET = f"marketplace: {{ethProvider: {{url: {RPC!r}}}}}"


def secrets_of(tmp_path: Path, settings: str) -> dict[str, Item]:
    group = f"  nodestead:storageNodeGroups:\n    codex: {{replicas: 1, {settings}}}\n"
    snapshot = stack_snapshot("x", written(tmp_path, group))
    return {item.name: item for item in snapshot.items.values() if item.kind == PASSWORD_TYPE}


def test_a_seed_is_protected_and_of_its_set(tmp_path: Path) -> None:
    found = secrets_of(tmp_path, f"software: {{kind: codex, version: 0.2.5, {MARKET}}}")

    assert {name: (item.set, item.protected) for name, item in found.items()} == {"codex-seed": ("codex", True)}


def test_a_set_without_keys_has_no_seed(tmp_path: Path) -> None:
    assert secrets_of(tmp_path, "software: {kind: codex, version: 0.2.5}") == {}


def test_a_generated_password_is_there_and_not_protected(tmp_path: Path) -> None:
    api = "api: {route: {kind: ingress, hosts: [api.example.org], className: nginx, tls: {clusterIssuer: le}}}"
    found = secrets_of(tmp_path, f"software: {{kind: codex, version: 0.2.5}}, {api}")

    assert {name: item.protected for name, item in found.items()} == {"codex-api-password": False}


def test_no_secret_of_a_stack_file_is_in_it(tmp_path: Path) -> None:
    group = f"  nodestead:storageNodeGroups:\n    codex: {{replicas: 1, software: {{kind: codex, version: 0.2.5, {MARKET}}}}}\n"
    text = snapshot_to_json(stack_snapshot("x", written(tmp_path, group)))

    assert "0123456789abcdef" not in text
    assert "codex-eth-provider" in text


def test_no_secret_of_a_patch_is_in_it(tmp_path: Path) -> None:
    patch = "patches: {Secret: {codex-eth-provider: {stringData: {token: hunter2}}}}"
    software = f"{{kind: codex, version: 0.2.5, {MARKET}}}"
    group = f"  nodestead:storageNodeGroups:\n    codex: {{replicas: 1, software: {software}, {patch}}}\n"
    snapshot = stack_snapshot("x", written(tmp_path, group))

    secret = snapshot.items["", "Secret", "storage", "codex-eth-provider"]
    assert secret.at("stringData") == {"url": "(URL of the Ethereum provider)", "token": "[secret]"}


def test_facts_tell_the_source_of_keys(tmp_path: Path) -> None:
    group = f"  nodestead:storageNodeGroups:\n    codex: {{replicas: 1, software: {{kind: codex, version: 0.2.5, {MARKET}}}}}\n"
    (facts,) = stack_snapshot("x", written(tmp_path, group)).sets

    assert (facts.component, facts.namespace, facts.facts["keys"]) == ("StorageNodeGroup", "storage", "seed, generation 1")


def test_claims_and_namespaces_outlive_the_stack() -> None:
    outliving = {item.kind for item in stack_snapshot("prod", ROOT).items.values() if item.outlives_stack}

    assert outliving >= {"PersistentVolumeClaim", "Namespace"}
    assert "StatefulSet" not in outliving


def test_a_refused_config_and_a_missing_stack_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StackRefusedError, match="unknown key"):
        stack_snapshot("x", written(tmp_path, "  nodestead:storageNodeGroup: {}\n"))
    with pytest.raises(StackFileError, match="no such stack"):
        stack_snapshot("y", tmp_path)


@pytest.mark.parametrize("seed", ["5eed" * 16, "{secure: v1:abcd:efgh}"])
def test_a_seed_that_the_config_gives_is_not_generated(tmp_path: Path, seed: str) -> None:
    keys = f"keys: {{kind: seed, seed: {seed!r}}}" if seed.startswith("5") else f"keys: {{kind: seed, seed: {seed}}}"

    assert secrets_of(tmp_path, f"software: {{kind: codex, version: 0.2.5, {MARKET}}}, {keys}") == {}
