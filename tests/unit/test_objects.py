"""What a rendering shows for a leaf that is known at deploy time only."""

from typing import Any

import pytest

from nodestead.kubernetes.objects import Late, Manifest, Seed, identity

SEED = Seed("hub")


@pytest.mark.parametrize(
    ("shown", "stand_in"),
    [
        ("(an id)", "(an id)"),
        (["(an id)"], ["(an id)"]),
        (lambda: "(an id)", "(an id)"),
        (lambda: {"a": 1}, {"a": 1}),
    ],
)
def test_a_stand_in_is_given_or_made_when_somebody_asks_for_it(shown: Any, stand_in: Any) -> None:
    assert Late.of(SEED, str, shown).stand_in == stand_in
    assert Late((SEED,), str, shown).stand_in == stand_in


def test_an_object_goes_by_the_stand_ins_of_its_name_and_namespace() -> None:
    def shown() -> str:
        return "(namespace)"

    metadata = {"name": Late.of(SEED, str, "(name)"), "namespace": Late.of(SEED, str, shown)}
    made: Manifest = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata}

    assert identity(made) == ("apps", "StatefulSet", "(namespace)", "(name)")
