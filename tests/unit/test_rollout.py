"""A rollout goes in batches that never take more nodes than were allowed."""

from typing import Any

import pytest
from groups import plan
from hypothesis import given
from hypothesis import strategies as st

from nodestead.kubernetes.rollout import batch_size, rollout_waves


@pytest.mark.parametrize(
    ("nodes", "max_unavailable", "sizes"),
    [
        (0, "25%", []),
        (1, "25%", [1]),
        (3, "25%", [1, 1, 1]),
        (4, "25%", [1, 1, 1, 1]),
        (8, "25%", [2, 2, 2, 2]),
        (10, "25%", [2, 2, 2, 2, 2]),
        (10, "33%", [3, 3, 3, 1]),
        (3, "99%", [2, 1]),
        (3, "100%", [3]),
        (3, "1%", [1, 1, 1]),
        (3, 1, [1, 1, 1]),
        (3, 2, [2, 1]),
        (3, 9, [3]),
    ],
)
def test_a_batch_is_a_count_or_a_share_rounded_down_and_at_least_one(
    nodes: int, max_unavailable: int | str, sizes: list[int]
) -> None:
    assert [len(wave) for wave in rollout_waves([f"n{i}" for i in range(nodes)], max_unavailable)] == sizes


@given(st.integers(0, 300), st.one_of(st.integers(1, 400), st.integers(1, 100).map(lambda percent: f"{percent}%")))
def test_every_node_rolls_once_and_in_its_order(nodes: int, max_unavailable: int | str) -> None:
    named = [f"n{i}" for i in range(nodes)]
    waves = rollout_waves(named, max_unavailable)
    assert [node for wave in waves for node in wave] == named
    assert all(0 < len(wave) <= batch_size(nodes, max_unavailable) for wave in waves)


def test_a_quarter_rolls_by_default() -> None:
    assert [len(wave) for wave in rollout_waves([f"n{i}" for i in range(100)])] == [25] * 4
    assert [len(wave) for wave in plan(replicas=8).waves] == [2] * 4


OWN = {"kind": "own", "nodes": 2}


@pytest.mark.parametrize(
    ("config", "waves"),
    [
        ({"replicas": 2}, [["codex-1"], ["codex-2"]]),
        ({"replicas": 0}, []),
        ({"replicas": 2, "bootstrap": OWN}, [["codex-bootstrap-1"], ["codex-bootstrap-2"], ["codex-1"], ["codex-2"]]),
        ({"replicas": 0, "bootstrap": {"kind": "own"}}, [["codex-bootstrap-1"]]),
        ({"replicas": 3, "rollout": {"maxUnavailable": 2}}, [["codex-1", "codex-2"], ["codex-3"]]),
        ({"replicas": 3, "layout": "pooled", "bootstrap": OWN}, [["codex-bootstrap-1"], ["codex-bootstrap-2"], ["codex"]]),
        ({"replicas": 0, "layout": "pooled"}, []),
        # A node that is stopped is ready at once and holds nobody up.
        ({"replicas": 3, "nodes": {"2": {"disabled": True}}}, [["codex-1", "codex-2"], ["codex-3"]]),
        ({"replicas": 1, "nodes": {"1": {"disabled": True}}}, [["codex-1"]]),
        ({"replicas": 1, "prettify": True}, [["codex"]]),
    ],
)
def test_bootstrap_nodes_roll_first_and_stopped_nodes_wait_for_nobody(config: dict[str, Any], waves: list[list[str]]) -> None:
    assert plan(**config).waves == waves


def test_stopped_nodes_do_not_count_as_nodes_of_a_batch() -> None:
    stopped = {str(ordinal): {"disabled": True} for ordinal in range(1, 5)}
    waves = plan(replicas=8, nodes=stopped, rollout={"maxUnavailable": "50%"}).waves
    assert waves == [["codex-5", "codex-6", "codex-1", "codex-2", "codex-3", "codex-4"], ["codex-7", "codex-8"]]


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({}, 600),
        ({"rollout": {"timeout": "1h30m"}}, 5400),
        # Its pods roll one by one, and are waited for together.
        ({"layout": "pooled", "replicas": 10, "rollout": {"timeout": "10m"}}, 6000),
        ({"layout": "pooled", "replicas": 0}, 600),
    ],
)
def test_a_batch_has_the_time_that_was_given(config: dict[str, Any], seconds: int) -> None:
    assert plan(**config).timeout_seconds == seconds
