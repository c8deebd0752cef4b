"""What is said of a node that is not there names those that are."""

from dataclasses import dataclass

import pytest

from nodestead.plans.ordinals import no_such_node


@dataclass
class Group:
    """A group or a set, as far as it numbers its nodes."""

    first_ordinal: int
    replicas: int


@pytest.mark.parametrize(
    ("group", "bootstraps", "said"),
    [
        (Group(0, 0), 0, "there is no such node, as replicas is 0; leave it out"),
        (Group(0, 0), 1, "there is no such node, only bootstrap-1; name that, or leave it out"),
        (Group(5, 1), 0, "there is no such node, only 5; name that, or leave it out"),
        (Group(0, 3), 0, "there is no such node among 0 to 2; name one of these, or leave it out"),
        (Group(1, 1), 1, "there is no such node among 1 and bootstrap-1; name one of these, or leave it out"),
        (Group(1, 2), 3, "there is no such node among 1 to 2 and bootstrap-1 to bootstrap-3; name one of these, or leave it out"),
    ],
)
def test_the_nodes_that_are_there_are_named(group: Group, bootstraps: int, said: str) -> None:
    assert no_such_node(group, bootstraps=bootstraps) == said
