"""The objects of a stack as text that one revision's code hands to another's."""

import json
from typing import Any

import pytest

from nodestead.changes.snapshot import Item, SetFacts, Snapshot, SnapshotError, snapshot_from_json, snapshot_to_json

CLAIM: dict[str, Any] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-1", "namespace": "n"}}
SEED: dict[str, Any] = {"kind": "random:index/randomPassword:RandomPassword", "metadata": {"name": "hub-seed"}, "set": "hub"}


def sample() -> Snapshot:
    made = Snapshot("dev", sets=[SetFacts("hub", "n", "BlockchainNodeSet", [["hub-0"]], {"layout": "perNode"})], complete=False)
    made.add(Item(CLAIM, retained=True))
    made.add(Item(SEED, protected=True))
    return made


def test_a_snapshot_reads_back_as_it_was_written() -> None:
    assert snapshot_from_json(snapshot_to_json(sample())) == sample()


def test_what_is_no_object_goes_by_its_type_and_name() -> None:
    claim, seed = sample().items.values()
    assert claim.identity == ("", "PersistentVolumeClaim", "n", "data-1")
    assert seed.identity == ("", "random:index/randomPassword:RandomPassword", "", "hub-seed")
    assert (claim.is_object, seed.is_object, seed.set) == (True, False, "hub")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"app.kubernetes.io/instance": "codex", "nodestead.io/set": "storage-node-group"}, ("codex", "")),
        ({"app.kubernetes.io/instance": "codex", "nodestead.io/set": "x", "nodestead.io/node": "codex-1"}, ("codex", "codex-1")),
        ({"app.kubernetes.io/instance": "a-chart"}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_labels_say_whose_an_object_is(labels: dict[str, str], expected: tuple[str, str]) -> None:
    item = Item({**CLAIM, "metadata": {"name": "x", "labels": labels}})
    assert (item.set, item.node) == expected


@pytest.mark.parametrize(
    ("annotations", "retained", "outlives"),
    [({}, False, False), ({"pulumi.com/patchForce": "true"}, False, True), ({}, True, True), ({"other": "true"}, False, False)],
)
def test_kept_objects_outlive_their_stack(annotations: dict[str, str], retained: bool, outlives: bool) -> None:
    item = Item({**CLAIM, "metadata": {"name": "x", "annotations": annotations}}, retained=retained)
    assert item.outlives_stack is outlives


@pytest.mark.parametrize(
    ("path", "value"),
    [(("metadata", "name"), "data-1"), (("spec", "resources"), None), (("metadata", "name", "deeper"), None), ((), CLAIM)],
)
def test_a_path_gives_what_is_there_or_nothing(path: tuple[str, ...], value: Any) -> None:
    assert Item(CLAIM).at(*path) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no snapshot of a stack"),
        ("[]", "it is no snapshot of a stack"),
        ('{"format": "other"}', "its format is 'other', not 'nodestead-snapshot'"),
        ('{"format": "nodestead-snapshot", "version": 2}', "its version is 2 and this nodestead reads 1; use one for both"),
        ('{"format": "nodestead-snapshot", "version": 1, "stack": "dev"}', "it is no snapshot of a stack"),
        (json.dumps({**json.loads(snapshot_to_json(sample())), "sets": [{"name": "x"}]}), "it is no snapshot of a stack"),
    ],
)
def test_other_texts_are_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(SnapshotError) as refused:
        snapshot_from_json(text)
    assert str(refused.value) == said
