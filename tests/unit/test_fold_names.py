"""Names and numbers of many objects in a few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodestead.changes.names import counted, folded_names


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["codex"], "codex"),
        (["codex-1"], "codex-1"),
        (["codex-1", "codex-2"], "codex-1, codex-2"),
        (["codex-1", "codex-2", "codex-3"], "codex-1 … codex-3"),
        (["codex-3", "codex-1", "codex-2"], "codex-1 … codex-3"),
        (["codex-1", "codex-4"], "codex-1, codex-4"),
        (["codex-1", "codex-2", "codex-3", "codex-7"], "codex-1 … codex-3, codex-7"),
        (["codex-9", "codex-10", "codex-11"], "codex-9 … codex-11"),
        (["codex-1", "codex-1"], "codex-1"),
        (["codex-bootstrap-1", "codex-1", "codex-2", "codex-3"], "codex-bootstrap-1, codex-1 … codex-3"),
        (["data-codex-1-0", "data-codex-2-0", "data-codex-3-0"], "data-codex-1-0 … data-codex-3-0"),
        (["a-1-1", "a-1-2", "a-1-3", "a-2-1"], "a-1-1 … a-1-3, a-2-1"),
        (["codex-1-service", "codex-2-service", "codex-3-service"], "codex-1-service … codex-3-service"),
        (["a-01", "a-02", "a-03"], "a-01, a-02, a-03"),
        (["nodestead-key-1234", "nodestead-key-ab12"], "nodestead-key-1234, nodestead-key-ab12"),
        (["codex1", "codex2", "codex3"], "codex1, codex2, codex3"),
    ],
)
def test_names_fold_by_stem_and_range(names: list[str], folded: str) -> None:
    assert folded_names(names) == folded


def test_many_separate_names_say_how_many_are_left() -> None:
    text = folded_names([f"codex-{ordinal}" for ordinal in range(1, 1000, 2)])
    assert text.startswith("codex-1, codex-3, codex-5")
    named = text.count(",") + 1
    assert text.endswith(f" and {500 - named} more")


def test_a_range_counts_as_all_of_its_names() -> None:
    names = [f"codex-{ordinal}" for ordinal in range(1, 251)] + [f"a{'b' * 60}-{i}-x{i}" for i in range(20)]
    text = folded_names(names)
    assert text.startswith("codex-1 … codex-250, ")
    assert text.endswith(f" and {270 - 250 - text.count('abbb')} more")


@given(st.lists(st.text(max_size=300) | st.from_regex(r"[a-c]{1,3}-[0-9]{1,12}(-[0-9]{1,3})?", fullmatch=True), max_size=60))
def test_folded_names_are_always_short(names: list[str]) -> None:
    assert len(folded_names(names)) < 200


@pytest.mark.parametrize(
    ("count", "kind", "said"),
    [
        (1, "StatefulSet", "1 StatefulSet"),
        (2, "NetworkPolicy", "2 NetworkPolicies"),
        (3, "PersistentVolumeClaim", "3 claims"),
        (2, "Ingress", "2 Ingresses"),
        (1000, "random:index/randomPassword:RandomPassword", "1,000 RandomPasswords"),
    ],
)
def test_objects_are_counted_in_words(count: int, kind: str, said: str) -> None:
    assert counted(count, kind) == said
