"""Objects that two stacks of one cluster both hold."""

from typing import Any

import pytest

from nodestead.changes.overlap import overlaps
from nodestead.changes.snapshot import Item, Snapshot


def stack(
    *names: str, kind: str = "StatefulSet", namespace: str = "n", providers: tuple[Any, ...] = ({"context": "prod"},)
) -> Snapshot:
    made = Snapshot("any")
    for number, inputs in enumerate(providers):
        made.add(Item({"kind": "pulumi:providers:kubernetes", "metadata": {"name": f"cluster{number}"}, "inputs": inputs}))
    made.add(Item({"kind": "random:index/randomPassword:RandomPassword", "metadata": {"name": "codex-seed"}}))
    for name in names:
        made.add(Item({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}))
    return made


NODES = stack("codex-1", "codex-2", "codex-3")


def test_a_copied_stack_holds_the_nodes_of_the_other() -> None:
    assert list(overlaps({"prod": NODES}, {"prod": NODES, "copy": stack("codex-1", "codex-2", "codex-3", "codex-4")})) == [
        (
            "stacks copy and prod name the same cluster and hold 3 objects of the same name, among them the nodes"
            " codex-1 … codex-3: the update of one takes them from the other; give one another namespace or cluster"
        )
    ]


def test_objects_that_are_no_nodes_are_counted() -> None:
    (told,) = overlaps({}, {"a": stack("x", kind="Service"), "b": stack("x", kind="Service")})
    assert told.startswith("stacks a and b name the same cluster and hold 1 object of the same name: the update")


@pytest.mark.parametrize(
    "other",
    [
        stack("codex-1", namespace="m"),
        stack("codex-1", kind="Service"),
        stack("hub-1"),
        stack("codex-1", providers=({"context": "dev"},)),
        stack("codex-1", providers=()),
        stack("codex-1", providers=({},)),
        stack("codex-1", providers=({"context": "prod"}, {"context": "dev"})),
    ],
)
def test_stacks_with_objects_or_clusters_of_their_own_share_nothing(other: Snapshot) -> None:
    assert list(overlaps({}, {"prod": NODES, "other": other})) == []


def test_a_namespace_may_be_that_of_several_stacks() -> None:
    assert list(overlaps({}, {"a": stack("n", kind="Namespace"), "b": stack("n", kind="Namespace")})) == []


def test_what_was_so_before_is_no_news() -> None:
    assert list(overlaps({"a": NODES, "b": NODES}, {"a": NODES, "b": NODES})) == []
    (told,) = overlaps({"a": NODES, "b": stack("codex-1")}, {"a": NODES, "b": NODES})
    assert "2 objects" in told
