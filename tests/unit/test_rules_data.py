"""What the rules about data find, and what they pass over: literal objects, and those that configs render."""

from typing import Any

import chains
import pytest
from change_cases import (
    RANDOM,
    changed,
    claim,
    claim_template,
    claim_volume,
    comparison,
    config_map,
    empty_volume,
    facts,
    found_by,
    ids,
    item,
    key_volume,
    namespace,
    removed,
    rendered,
    resource,
    seed,
    snapshot,
    stateful_set,
)
from groups import CODEX, MARKET, config

from nodestead.changes.compare import Comparison, EngineStep
from nodestead.changes.rule import Found
from nodestead.changes.rules import data, sets, sizes
from nodestead.changes.snapshot import Item, Snapshot

RULES = (*data.RULES, *sets.RULES, *sizes.RULES)

SMALL, SIZED = {**CODEX, "quota": "5Gi"}, {"kind": "volume", "size": "50Gi"}
DELETE_ALL = {"whenDeleted": "Delete", "whenScaled": "Delete"}


def codex(**given: Any) -> Snapshot:
    """A stack with one group."""
    return rendered({"codex": config(**given)})


def hub(**given: Any) -> Snapshot:
    """A stack with one chain."""
    return rendered(None, {"hub": chains.config(**given)})


def val(name: str = "val", namespace: str = "ns", **given: Any) -> Snapshot:
    """A stack with one validator."""
    return rendered(None, {name: chains.config(**{**chains.BY_SECRET, **given})}, namespace)


def volume(**given: Any) -> dict[str, Any]:
    return {"persistence": {**SIZED, **given}}


# ---- each rule over rendered stacks: what is found, and that no other rule tells it again

RENDERED = [
    pytest.param(
        codex(replicas=3, **volume()),
        codex(replicas=3, **volume(size="30Gi")),
        "volume-shrunk",
        "the 3 claims data-codex-1-1 … data-codex-3-1 would go from 50Gi to 30Gi",
        ("codex-1", "codex-2", "codex-3"),
        id="a volume shrinks",
    ),
    pytest.param(
        codex(replicas=2, **volume()),
        codex(replicas=2, **volume(size="80Gi")),
        "volume-grown",
        "the 2 claims data-codex-1-1, data-codex-2-1 grow from 50Gi to 80Gi",
        ("codex-1", "codex-2"),
        id="a volume grows",
    ),
    pytest.param(
        codex(layout="pooled", replicas=2, **volume()),
        codex(layout="pooled", replicas=2, **volume(size="30Gi")),
        "volume-shrunk",
        "from 50Gi to 30Gi: claims that are there keep 50Gi, and the update is refused in its preview",
        ("codex",),
        id="a pooled volume shrinks",
    ),
    pytest.param(
        codex(layout="pooled", replicas=2, **volume()),
        codex(layout="pooled", replicas=2, **volume(size="60Gi")),
        "volume-grown",
        "claims that are there keep 50Gi",
        ("codex",),
        id="a pooled volume grows",
    ),
    pytest.param(
        codex(**volume()),
        codex(**volume(storageClass="fast")),
        "claim-class-changed",
        "storageClassName not set -> fast of the claim data-codex-1-1: the API server refuses it",
        ("codex-1",),
        id="another class",
    ),
    pytest.param(
        hub(**volume(storageClass="slow")),
        hub(**volume(storageClass="fast")),
        "claim-class-changed",
        "storageClassName slow -> fast of the claim data-hub-0-0: the update is refused in its preview",
        ("hub-0",),
        id="another class that the guard knows",
    ),
    pytest.param(
        codex(layout="pooled", replicas=2, **volume()),
        codex(layout="pooled", replicas=2, **volume(accessModes=["ReadWriteMany"])),
        "claim-class-changed",
        "accessModes ReadWriteOnce -> ReadWriteMany in the template of its claims: claims that are there stay as they are, and"
        " the update is refused in its preview",
        ("codex",),
        id="other access modes of pooled volumes",
    ),
    pytest.param(
        codex(replicas=3),
        codex(replicas=1),
        "data-left-behind",
        "2 nodes go, and the 2 claims data-codex-2-1, data-codex-3-1 stay",
        ("codex-2", "codex-3"),
        id="fewer replicas",
    ),
    pytest.param(
        codex(replicas=2),
        codex(replicas=1),
        "data-left-behind",
        "1 node goes, and the claim data-codex-2-1 stays in the cluster",
        ("codex-2",),
        id="one replica less",
    ),
    pytest.param(
        codex(layout="pooled", replicas=2, **volume()),
        codex(layout="pooled", replicas=2, **volume(storageClass="fast")),
        "claim-class-changed",
        "claims that are there stay as they are, and the StatefulSet has to be replaced for it",
        ("codex",),
        id="another class of pooled volumes",
    ),
    pytest.param(
        codex(layout="pooled", replicas=4),
        codex(layout="pooled", replicas=1),
        "data-left-behind",
        "3 nodes go, and the 3 claims data-codex-2 … data-codex-4 stay",
        ("codex-2", "codex-3", "codex-4"),
        id="fewer pooled replicas",
    ),
    pytest.param(
        codex(replicas=2),
        codex(replicas=2, persistence={"kind": "ephemeral", "size": "20Gi"}),
        "data-abandoned",
        "the pods start with empty volumes; their data stays in the 2 claims data-codex-1-1, data-codex-2-1",
        ("codex-1", "codex-2"),
        id="an ephemeral volume instead of a claim",
    ),
    pytest.param(
        codex(layout="pooled", replicas=2),
        codex(layout="pooled", replicas=2, persistence={"kind": "ephemeral", "size": "20Gi"}),
        "data-abandoned",
        "the pod starts with an empty volume; its data stays in the 2 claims data-codex-1, data-codex-2",
        ("codex",),
        id="pooled nodes without claims",
    ),
    pytest.param(
        codex(replicas=2, software=SMALL),
        codex(replicas=2, software=SMALL, nodes={"1": {"existingClaim": "mine"}}),
        "data-abandoned",
        "the pod mounts the claim mine; its data stays in the claim data-codex-1-1",
        ("codex-1",),
        id="another claim",
    ),
    pytest.param(
        val(),
        val(nodes={"0": {"existingClaim": "mine"}}),
        "data-abandoned",
        "stays in the claim data-val-0-0; the update is refused in its preview",
        ("val-0",),
        id="another claim of a validator",
    ),
    pytest.param(
        codex(),
        codex(prettify=True),
        "data-abandoned",
        "prettify renames the node to codex, which starts with an empty volume; the data stays in the claim data-codex-1-1",
        ("codex-1",),
        id="prettify",
    ),
    pytest.param(
        codex(prettify=True),
        codex(prettify=True, replicas=3),
        "data-abandoned",
        "prettify renames the node to codex-1, which starts",
        ("codex",),
        id="prettify that ends as the group grows",
    ),
    pytest.param(
        codex(replicas=3),
        rendered(),
        "set-removed",
        "all of its 3 nodes go, and the claims data-codex-1-1 … data-codex-3-1 stay, unused",
        ("codex-1", "codex-2", "codex-3"),
        id="a group goes",
    ),
    pytest.param(
        val(),
        rendered(),
        "set-removed",
        "its node goes, and the claim data-val-0-0 stays, unused; val-0 signs no more blocks",
        ("val-0",),
        id="a validator goes",
    ),
    pytest.param(
        val(signer={"kind": "remote"}),
        rendered(),
        "set-removed",
        "val-0 signs no more blocks",
        ("val-0",),
        id="a validator with a remote signer goes",
    ),
    pytest.param(
        codex(replicas=2, persistence={"kind": "ephemeral", "size": "20Gi"}),
        rendered(),
        "set-removed",
        "all of its 2 nodes go, and they have no volumes that could stay",
        ("codex-1", "codex-2"),
        id="a group without volumes goes",
    ),
    pytest.param(
        rendered({"codex": config(replicas=2, software=MARKET)}),
        rendered({"store": config(replicas=2, software=MARKET)}),
        "set-renamed",
        "it comes back as store: store-1, store-2 start with empty volumes and keys from another seed, and the claims"
        " data-codex-1-1, data-codex-2-1 stay, unused",
        ("codex-1", "codex-2"),
        id="a group is renamed",
    ),
    pytest.param(
        codex(replicas=2),
        rendered({"store": config(replicas=3)}),
        "set-renamed",
        "it comes back as store: store-1 … store-3 start with empty volumes, and",
        ("codex-1", "codex-2"),
        id="a group is renamed and grows",
    ),
    pytest.param(
        codex(replicas=2),
        rendered({"codex": config(replicas=2)}, namespace="other"),
        "namespace-moved",
        "from namespace ns to other: the nodes start with empty volumes there, and in ns the claims data-codex-1-1,"
        " data-codex-2-1 stay, unused; the update is refused in its preview",
        ("codex-1", "codex-2"),
        id="another namespace",
    ),
    pytest.param(
        hub(replicas=2),
        hub(replicas=2, software={**chains.COSMOS, "chainId": "net-2"}),
        "network-changed",
        "software.chainId net-1 -> net-2: the data was made for the old value",
        ("hub-0", "hub-1"),
        id="another chain",
    ),
    pytest.param(
        codex(bootstrap={"kind": "network", "name": "devnet"}, software=MARKET),
        codex(bootstrap={"kind": "network", "name": "testnet"}, software=MARKET),
        "network-changed",
        "bootstrap.name devnet -> testnet",
        ("codex-1",),
        id="another network",
    ),
    pytest.param(
        codex(replicas=3),
        codex(layout="pooled", replicas=3),
        "network-changed",
        "layout perNode -> pooled",
        ("codex-1", "codex-2", "codex-3"),
        id="another layout",
    ),
    pytest.param(
        codex(replicas=2),
        codex(replicas=2, firstOrdinal=2),
        "network-changed",
        "firstOrdinal 1 -> 2",
        ("codex-1", "codex-2"),
        id="other ordinals",
    ),
    pytest.param(
        hub(),
        hub(genesis={"kind": "url", "url": "https://example.org/another.json"}),
        "genesis-changed",
        "only new nodes take the other",
        ("hub-0",),
        id="another genesis",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("base", "head", "rule", "what", "nodes"), RENDERED)
def test_a_change_of_a_config_is_found_once(base: Snapshot, head: Snapshot, rule: str, what: str, nodes: tuple[str, ...]) -> None:
    compared = comparison(base, head)
    assert ids(RULES, compared) == [rule]
    (found,) = found_by(rule, RULES, compared)
    assert what in found.what
    assert (found.subject, found.nodes) == (base.sets[0].name, nodes)


def test_another_contract_is_a_danger() -> None:
    def at(address: str) -> Snapshot:
        return codex(software={**MARKET, "marketplace": {**MARKET["marketplace"], "address": address}})

    (found,) = found_by("contract-changed", RULES, comparison(at(f"0x{'a' * 40}"), at(f"0x{'b' * 40}")))
    assert f"0x{'a' * 40} -> 0x{'b' * 40}" in found.what
    assert found.subject == "codex"


NEAR_MISSES = [
    pytest.param(codex(), codex(), id="nothing"),
    pytest.param(codex(replicas=2), codex(replicas=2, software={**CODEX, "version": "0.2.4"}), id="another image"),
    pytest.param(codex(replicas=2), codex(replicas=2, labels={"team": "a"}), id="a label"),
    pytest.param(codex(replicas=2), codex(replicas=4), id="more replicas"),
    pytest.param(codex(layout="pooled", replicas=2), codex(layout="pooled", replicas=4), id="more pooled replicas"),
    pytest.param(codex(replicas=2), codex(replicas=2, nodes={"1": {"disabled": True}}), id="a node is stopped"),
    pytest.param(codex(**volume(size="1Gi")), codex(**volume(size="1024Mi")), id="the same size in another unit"),
    pytest.param(codex(), rendered({"codex": config(), "store": config()}), id="a new group"),
    pytest.param(
        codex(persistence={"kind": "ephemeral", "size": "20Gi"}), codex(**volume()), id="a claim instead of an ephemeral volume"
    ),
    pytest.param(hub(), hub(image={**chains.IMAGE, "tag": "v2"}), id="another image of a chain"),
    pytest.param(
        codex(software=SMALL),
        rendered({"store": config(software=SMALL, persistence={"kind": "existingClaim", "claim": "data-codex-1-1"})}),
        id="a renamed group that mounts the old claim",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("base", "head"), NEAR_MISSES)
def test_what_harms_no_data_is_passed_over(base: Snapshot, head: Snapshot) -> None:
    assert ids(RULES, comparison(base, head)) == []


def test_another_software_under_another_name_is_no_renamed_set() -> None:
    compared = comparison(codex(), rendered(None, {"hub": chains.config()}))
    assert ids(RULES, compared) == ["set-removed"]


def test_of_two_sets_the_more_alike_one_is_the_successor() -> None:
    base = rendered({"codex": config(replicas=2)})
    other = {**CODEX, "version": "0.2.4"}
    head = rendered({"a": config(replicas=2, software=other), "b": config(replicas=5)})
    (found,) = found_by("set-renamed", RULES, comparison(base, head))
    assert "comes back as b" in found.what


def test_two_renamed_sets_are_two_findings() -> None:
    base = rendered({"a": config(replicas=2), "b": config(replicas=3)})
    head = rendered({"c": config(replicas=3), "d": config(replicas=2)})
    found = found_by("set-renamed", RULES, comparison(base, head))
    assert [(one.subject, one.what.split(":")[0]) for one in found] == [
        ("a", "it comes back as d"),
        ("b", "it comes back as c"),
    ]


def test_another_genesis_of_another_chain_is_told_of_once() -> None:
    head = hub(genesis={"kind": "url", "url": "https://b.example.org/g.json"}, software={**chains.COSMOS, "chainId": "net-2"})
    assert ids(RULES, comparison(hub(), head)) == ["network-changed"]


# ---- what is not the library's own way: claims that go with their stack

LOST = claim("data-a", set="", kept=False)


@pytest.mark.parametrize(
    ("compared", "expected"),
    [
        pytest.param(
            removed(LOST),
            Found("PersistentVolumeClaim/data-a", "the claim data-a and all data in it are deleted", ("data-a",)),
            id="a claim of no set",
        ),
        pytest.param(
            removed(
                *(claim(f"data-codex-{n}-1", node=f"codex-{n}", kept=False) for n in (1, 2, 3)),
                stays=[config_map("x")],
            ),
            Found(
                "codex",
                "the 3 claims data-codex-1-1 … data-codex-3-1 and all data in it are deleted",
                ("codex-1", "codex-2", "codex-3"),
            ),
            id="claims of a set",
        ),
        pytest.param(
            changed(
                stateful_set("db", set="", replicas=3, volumeClaimTemplates=[claim_template()]),
                stateful_set(
                    "db",
                    set="",
                    replicas=1,
                    volumeClaimTemplates=[claim_template()],
                    persistentVolumeClaimRetentionPolicy=DELETE_ALL,
                ),
            ),
            Found("StatefulSet/db", "the 2 claims data-db-1, data-db-2 and all data in it are deleted", ("db",)),
            id="scaled down under whenScaled Delete",
        ),
        pytest.param(
            removed(
                stateful_set(
                    "db",
                    set="",
                    volumeClaimTemplates=[claim_template()],
                    persistentVolumeClaimRetentionPolicy=DELETE_ALL,
                )
            ),
            Found("StatefulSet/db", "the claim data-db-0 and all data in it are deleted", ("db",)),
            id="removed under whenDeleted Delete",
        ),
        pytest.param(
            changed(
                *(
                    stateful_set(
                        "db",
                        set="",
                        volumeClaimTemplates=[claim_template()],
                        serviceName=name,
                        persistentVolumeClaimRetentionPolicy=DELETE_ALL,
                    )
                    for name in "ab"
                )
            ),
            Found("StatefulSet/db", "the claim data-db-0 and all data in it are deleted", ("db",)),
            id="replaced under whenDeleted Delete",
        ),
        pytest.param(
            removed(namespace(kept=False), claim("data-codex-1-1", set="")),
            Found(
                "Namespace/n",
                "everything in it is deleted, the claim data-codex-1-1 with the data in it, key Secrets and pods",
            ),
            id="a namespace, with claims that would stay",
        ),
        pytest.param(
            removed(item("PersistentVolume", "disk", namespace=None, spec={"persistentVolumeReclaimPolicy": "Delete"})),
            Found(
                "PersistentVolume/disk",
                "a claim that is bound to it loses its volume; the disk behind it may be deleted with it",
                ("disk",),
            ),
            id="a volume",
        ),
    ],
)  # fmt: skip
def test_data_is_deleted(compared: Comparison, expected: Found) -> None:
    assert found_by("volume-deleted", RULES, compared) == [expected]
    assert ids(RULES, compared) == ["volume-deleted"]


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(claim("data-a", set=""), id="a kept claim"),
        pytest.param(item("PersistentVolumeClaim", "data-a", retained=True, spec={}), id="a retained claim"),
        pytest.param(namespace(), id="a kept namespace"),
        pytest.param(item("PersistentVolume", "disk", namespace=None, retained=True, spec={}), id="a retained volume"),
        pytest.param(config_map("a", set=""), id="a config map"),
        pytest.param(seed(), id="no Kubernetes object"),
        pytest.param(resource("custom:PersistentVolumeClaim", "a"), id="somebody else's resource"),
    ],
)
def test_what_stays_or_holds_no_data_may_go(gone: Item) -> None:
    assert ids(RULES, removed(gone)) == []


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        pytest.param({"storageClassName": "a"}, {"storageClassName": "b"}, "volume-replaced", id="class"),
        pytest.param({}, {"accessModes": ["ReadWriteMany"], "size": "1Gi"}, "volume-replaced", id="modes, and smaller"),
        pytest.param({"volumeName": "a"}, {"volumeName": "b"}, "volume-replaced", id="volume"),
        pytest.param({"volumeName": "a", "kept": True}, {"volumeName": "b", "kept": True}, "claim-class-changed", id="kept"),
        pytest.param({}, {"dataSource": {"name": "s"}}, "claim-class-changed", id="source"),
        pytest.param({}, {"size": "9Gi"}, "volume-shrunk", id="smaller"),
        pytest.param({}, {"size": "11Gi"}, "volume-grown", id="larger"),
    ],
)
def test_a_claim_changes(before: dict[str, Any], after: dict[str, Any], rule: str) -> None:
    old, new = (claim("d", **{"kept": False, **given}) for given in (before, after))
    assert ids(RULES, changed(old, new)) == [rule]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(claim("d"), claim("d", volumeAttributesClassName="gold"), id="attributes of the volume"),
        pytest.param(claim("d"), claim("d", size="[known when deployed]"), id="a size that is not known yet"),
        pytest.param(claim("d", size="x" * 50), claim("d", size="y" * 50), id="what is no size"),
        pytest.param(claim("d", node="a"), claim("d", node="b"), id="a label"),
    ],
)
def test_a_claim_may_change(old: Item, new: Item) -> None:
    assert ids(RULES, changed(old, new)) == []


def test_the_engine_says_what_it_replaces() -> None:
    old, new = claim("d", kept=False), claim("d", kept=False, size="20Gi")
    steps = {new.identity: EngineStep("replace", ("spec.resources",))}
    compared = comparison(snapshot(old), snapshot(new), steps=steps)
    assert [one.what for one in found_by("volume-replaced", RULES, compared)] == [
        "the claim d is deleted with its data and made anew, empty because spec.resources cannot change in place"
    ]
    assert ids(RULES, compared) == ["volume-replaced"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([claim_volume("a")], [claim_volume("b")], ["data-abandoned"], id="another claim"),
        pytest.param([claim_volume("a")], [empty_volume()], ["data-abandoned"], id="an empty volume"),
        pytest.param([claim_volume("a")], [], ["data-abandoned"], id="no volume"),
        pytest.param([claim_volume("a")], [claim_volume("a", "disk")], [], id="the same claim under another name"),
        pytest.param([claim_volume("a")], [claim_volume("a"), claim_volume("b", "more")], [], id="one more claim"),
        pytest.param([empty_volume()], [claim_volume("a")], [], id="a claim at last"),
        pytest.param([claim_volume("a")], [claim_volume("[known when deployed]")], [], id="a name that is not known yet"),
    ],
)
def test_a_pod_mounts_another_volume(old: list[Any], new: list[Any], expected: list[str]) -> None:
    assert ids(RULES, changed(stateful_set("codex-1", volumes=old), stateful_set("codex-1", volumes=new))) == expected


def test_a_template_and_a_claim_of_its_name_are_one() -> None:
    old = stateful_set("db", set="", volumeClaimTemplates=[claim_template()])
    new = stateful_set("db", set="", volumes=[claim_volume("data-db-0")])
    assert ids(RULES, changed(old, new)) == []


@pytest.mark.parametrize(
    ("old", "new", "whats"),
    [
        pytest.param(None, DELETE_ALL, ["removed or replaced or its replicas are lowered"], id="both"),
        pytest.param(None, {"whenScaled": "Delete"}, ["when its replicas are lowered"], id="when scaled"),
        pytest.param(DELETE_ALL, DELETE_ALL, [], id="as before"),
        pytest.param(DELETE_ALL, None, [], id="kept at last"),
    ],
)
def test_claims_that_outlived_their_stateful_set_no_longer_do(old: Any, new: Any, whats: list[str]) -> None:
    states = [
        stateful_set(
            "db", set="", image=f"a:{n}", volumeClaimTemplates=[claim_template()], persistentVolumeClaimRetentionPolicy=policy
        )
        for n, policy in enumerate((old, new))
    ]
    compared = changed(*states)
    assert ids(RULES, compared) == ["retention-lost"] * len(whats)
    assert all(what in one.what for what, one in zip(whats, found_by("retention-lost", RULES, compared), strict=True))


def test_a_policy_without_templates_keeps_what_it_kept() -> None:
    old, new = (stateful_set("codex-1", persistentVolumeClaimRetentionPolicy=policy) for policy in (None, DELETE_ALL))
    assert ids(RULES, changed(old, new)) == []


def test_a_claim_that_another_node_takes_is_not_left_behind() -> None:
    old = [stateful_set(f"codex-{n}", volumes=[claim_volume(f"c{n}")]) for n in (1, 2)]
    head = snapshot(old[0], stateful_set("codex-3", volumes=[claim_volume("c2")]))
    assert ids(RULES, comparison(snapshot(*old), head)) == []


def test_where_replicas_are_left_to_an_autoscaler_no_data_is_left_behind() -> None:
    template = [claim_template()]
    old, new = (stateful_set("db", set="", replicas=count, volumeClaimTemplates=template) for count in (3, None))
    assert ids(RULES, changed(old, new)) == []


# ---- the engine's preview may tell of changes only


def test_of_a_part_a_set_is_gone_only_where_its_component_is() -> None:
    gone = stateful_set("codex-2", volumes=[claim_volume("data-codex-2-1")])
    part = snapshot(gone, complete=False), snapshot(complete=False)
    assert ids(RULES, comparison(*part)) == ["data-left-behind"]
    whole = snapshot(gone, sets=[facts()], complete=False), snapshot(complete=False)
    assert ids(RULES, comparison(*whole)) == ["set-removed"]


def test_of_a_part_a_set_is_new_only_where_its_component_is() -> None:
    base = snapshot(stateful_set("codex-1"), sets=[facts()], complete=False)
    grown = stateful_set("store-2", set="store")
    assert ids(RULES, comparison(base, snapshot(grown, complete=False))) == ["set-removed"]
    assert ids(RULES, comparison(base, snapshot(grown, sets=[facts("store")], complete=False))) == ["set-renamed"]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        pytest.param({"persistence__size": ("20Gi", "10Gi")}, "volume-shrunk", id="shrunk"),
        pytest.param({"persistence__size": ("20Gi", "30Gi")}, "volume-grown", id="grown"),
        pytest.param({"persistence__kind": ("volume", "ephemeral")}, "data-abandoned", id="volumes"),
        pytest.param({"persistence__accessModes": ("ReadWriteOnce", "ReadWriteMany")}, "claim-class-changed", id="modes"),
        pytest.param({"network__accounts": ("[1]", "[2]")}, "network-changed", id="accounts"),
        pytest.param({"software__home": ("a", "b")}, "network-changed", id="home"),
        pytest.param({"genesis": ("1", "2")}, "genesis-changed", id="genesis"),
        pytest.param({"software__home": ("a", "[known when deployed]")}, None, id="not known yet"),
        pytest.param({"persistence__kind": ("ephemeral", "volume")}, None, id="volumes at last"),
        pytest.param({"keys": ("seed, generation 1", "none")}, None, id="keys"),
        pytest.param({"signer__addresses__AA": ("val-0", "val-1")}, None, id="signer"),
    ],
)
def test_facts_alone_tell_of_a_change(given: dict[str, tuple[str, str]], rule: str | None) -> None:
    old, new = ({path: pair[side] for path, pair in given.items()} for side in (0, 1))
    compared = comparison(snapshot(sets=[facts(**old)]), snapshot(sets=[facts(**new)]))
    assert ids(RULES, compared) == ([rule] if rule else [])


def test_a_fact_that_is_younger_than_the_state_is_passed_over() -> None:
    compared = comparison(snapshot(sets=[facts()]), snapshot(sets=[facts(software__home="a")]))
    assert ids(RULES, compared) == []


def test_no_password_of_a_fact_is_told() -> None:
    old, new = (snapshot(sets=[facts(software__proxyApp=f"tcp://me:{text}@a:1")]) for text in ("old-word", "new-word"))
    (found,) = found_by("network-changed", RULES, comparison(old, new))
    assert "-word" not in found.what


def test_a_long_value_is_cut() -> None:
    old, new = (snapshot(sets=[facts(network__appState=text * 500)]) for text in "ab")
    (found,) = found_by("network-changed", RULES, comparison(old, new))
    assert len(found.what) < 400


@pytest.mark.parametrize("broken", [None, "text", 3, [], [None, "a"], {"a": 1}])
def test_objects_of_any_shape_are_read(broken: Any) -> None:
    workload = {"volumeClaimTemplates": broken, "replicas": broken}
    old = item("StatefulSet", "a", api="apps/v1", spec={**workload, "template": {"spec": {"volumes": broken}}})
    new = item("StatefulSet", "a", api="apps/v1", spec={"template": {"spec": {"volumes": [{"persistentVolumeClaim": broken}]}}})
    assert isinstance(ids(RULES, changed(old, new)), list)
    assert isinstance(ids(RULES, changed(item("PersistentVolumeClaim", "c", spec=broken), claim("c", set=""))), list)
    pod = item("StatefulSet", "a", api="apps/v1", set="codex", spec={"template": {"spec": broken}})
    assert isinstance(ids(RULES, comparison(snapshot(old, pod), snapshot(stateful_set("b", set="hub")))), list)
    assert isinstance(ids(RULES, changed(item(RANDOM, "c", spec=broken), config_map("c", set=""))), list)


def test_ids_are_unique_and_every_rule_says_what_to_do() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.title and rule.happens.endswith(".") and rule.instead.endswith(".") for rule in RULES)


def test_providers_that_prove_no_more_are_a_danger() -> None:
    def at(*args: str, replicas: int | None = None) -> Item:
        return stateful_set("codex-1", replicas=replicas, container={"args": ["persistence", *args]})

    (found,) = found_by("proving-stopped", RULES, changed(at("--prover"), at()))
    assert (found.subject, found.nodes) == ("codex", ("codex-1",))
    for old, new in ((at(), at("--prover")), (at("--prover", replicas=0), at()), (at("--prover"), at(replicas=0))):
        assert found_by("proving-stopped", RULES, changed(old, new)) == []


def test_a_validator_without_its_data_may_sign_twice() -> None:
    keys = key_volume("k", "priv_validator_key.json", "priv_validator_key.json", name="keys")

    def at(data: dict[str, Any], *more: dict[str, Any]) -> Item:
        return stateful_set("val-0", set="val", volumes=[data, *more])

    (found,) = found_by("data-abandoned", RULES, changed(at(claim_volume("c"), keys), at(empty_volume(), keys)))
    assert found.what.endswith("; val-0 signs on without what tells which blocks have been signed, and may sign twice")
    (found,) = found_by("data-abandoned", RULES, changed(at(claim_volume("c")), at(empty_volume())))
    assert "sign" not in found.what


def test_the_pods_of_a_pooled_workload_that_goes_are_counted() -> None:
    gone = stateful_set("codex", replicas=3, volumeClaimTemplates=[claim_template()], ordinals={"start": 1})
    compared = comparison(snapshot(gone, sets=[facts()]), snapshot(sets=[facts()]))
    (found,) = found_by("data-left-behind", RULES, compared)
    assert found.what.startswith("3 nodes go, and the 3 claims ")
    assert found.nodes == ("codex-1", "codex-2", "codex-3")
