"""From which blocks on nodes run which version: what may change, and what may not."""

from typing import Any

import chains
import change_cases as make
import pytest

from nodestead.changes.compare import Comparison, compare
from nodestead.changes.rules.heights import RULES
from nodestead.changes.snapshot import Item

THREE = {0: "g:v25", 200: "g:v26", 300: "g:v27"}


def node(name: str, versions: dict[int, str]) -> Item:
    item = make.stateful_set(name, set="hub", component="chain-node")
    several = len(versions) > 1
    listed = [{"name": f"node-h{height}" if several else "node", "image": image} for height, image in versions.items()]
    item.manifest["spec"]["template"]["spec"]["containers"] = [*listed, {"name": "health", "image": "python:3"}]
    return item


def between(old: dict[int, str], new: dict[int, str], *names: str) -> Comparison:
    states = [make.snapshot(*(node(name, versions) for name in names or ("hub-0",))) for versions in (old, new)]
    return make.comparison(*states)


MOVED, DROPPED = "upgrade-height-moved", "version-dropped"
BETWEEN = "nodes between these blocks change version at their restart"
GONE = "no node can run these any more"
LATER = "those that still need it start with a later one"


@pytest.mark.parametrize(
    ("new", "rule", "what"),
    [
        pytest.param(
            THREE | {200: "g:v25.1", 250: "g:v26"} | {0: "g:v25"},
            MOVED,
            f"g:v26 runs from block 250 and no longer from 200: {BETWEEN}",
            id="a height raised, with something new in its place",
        ),
        pytest.param(
            {0: "g:v25", 150: "g:v26", 300: "g:v27"},
            MOVED,
            f"g:v26 runs from block 150 and no longer from 200: {BETWEEN}",
            id="a height lowered",
        ),
        pytest.param(
            THREE | {250: "g:v26.1"}, MOVED, f"g:v26.1 is put in between, from block 250: {BETWEEN}", id="put in between"
        ),
        pytest.param({0: "g:v26", 300: "g:v27"}, DROPPED, f"{GONE}: g:v25 from block 0; {LATER}", id="the first dropped"),
        pytest.param({0: "g:v25", 300: "g:v27"}, DROPPED, f"{GONE}: g:v26 from block 200; {LATER}", id="one dropped"),
        pytest.param(
            {0: "g:v27"},
            DROPPED,
            f"{GONE}: g:v25 from block 0, g:v26 from block 200; {LATER}",
            id="all but the last dropped",
        ),
    ],
)
def test_other_heights_are_told(new: dict[int, str], rule: str, what: str) -> None:
    compared = between(THREE, new, "hub-0", "hub-1")
    (found,) = make.found_by(rule, RULES, compared)
    assert (found.subject, found.what, found.nodes) == ("hub", what, ("hub-0", "hub-1"))
    assert make.ids(RULES, compared) == [rule]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(THREE, THREE, id="nothing"),
        pytest.param(THREE, THREE | {400: "g:v28"}, id="an upgrade to come"),
        pytest.param(THREE, THREE | {300: "g:v27.1"}, id="another build at the same height"),
        pytest.param({0: "g:v27"}, THREE, id="a list in place of one version"),
        pytest.param({0: "g:v27"}, {0: "g:v28"}, id="one version after another"),
    ],
)
def test_what_the_chain_goes_through_anyway_is_no_risk(old: dict[int, str], new: dict[int, str]) -> None:
    assert make.ids(RULES, between(old, new)) == []


def rendered(heights: tuple[int, int], tags: tuple[str, str] = ("v1", "v2")) -> Any:
    versions = [{"height": height, "image": {"tag": tag}} for height, tag in zip(heights, tags, strict=True)]
    return make.rendered(chains={"hub": chains.config(image={"repository": "g"}, versions=versions)})


def test_the_versions_of_a_config_are_found_in_its_objects() -> None:
    compared = compare(rendered((0, 200)), rendered((0, 250)))
    (found,) = make.found_by(MOVED, RULES, compared)
    assert "v2 runs from block 250 and no longer from 200" in found.what
    assert make.ids(RULES, compare(rendered((0, 200)), rendered((0, 200), ("v1", "v2.1")))) == []
