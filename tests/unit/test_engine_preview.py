"""What the engine's own preview says of changes, as tests/record_previews.py recorded it."""

import json
import re
from typing import Any

import pytest
from preview_cases import CASES, changes, comparison, fields, read, recorded

from nodestead.changes.compare import ABSENT, path_text
from nodestead.changes.workloads import restarts
from nodestead.preview.engine_preview import project_of, read_preview

NODES = [f"codex-{number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("no-change", []),
        ("no-change-brief", []),
        ("rendered-no-change", []),
        ("user-nothing", []),
        ("image", [f"change StatefulSet {node}" for node in NODES]),
        ("image-brief", [f"change StatefulSet {node}" for node in NODES]),
        ("image-stream", [f"change StatefulSet {node}" for node in NODES]),
        ("workload-replaced", [f"replace StatefulSet {node}" for node in NODES]),
        ("workload-replaced-brief", [f"replace StatefulSet {node}" for node in NODES]),
        (
            "replicas-lowered",
            [
                "remove StatefulSet codex-4",
                "remove StatefulSet codex-5",
                "remove PersistentVolumeClaim data-codex-4-1",
                "remove PersistentVolumeClaim data-codex-5-1",
                "remove Secret codex-4-key-g1",
                "remove Secret codex-5-key-g1",
                "remove Service codex-4-service",
                "remove Service codex-5-service",
            ],
        ),
        (
            "key-source",
            [
                *(f"change StatefulSet {node}" for node in NODES),
                *(f"remove Secret {node}-key-g1" for node in NODES),
                "remove RandomPassword codex-seed",
            ],
        ),
        ("chain-id", []),
        ("layout", []),
        ("config-refused", []),
        ("user-deleted", ["remove Deployment node", "remove PersistentVolumeClaim data"]),
        ("user-secret", ["replace Secret login"]),
        ("user-steps", ["replace Secret login"]),
        ("user-shown", ["replace Secret login"]),
        ("user-password", ["change Deployment node", "replace RandomPassword admin"]),
        ("user-alias", ["replace Deployment node"]),
        ("user-immutable", ["replace Deployment node"]),
        ("user-unveiled", ["change Deployment node"]),
        ("user-unsecret", []),
        ("user-drift", ["change Deployment node"]),
        ("user-adopts", ["add ServiceAccount default"]),
        ("user-crash", []),
    ],
)
def test_a_recorded_preview_has_just_the_changes_that_were_made(case: str, expected: list[str]) -> None:
    assert changes(case) == expected


@pytest.mark.parametrize("case", CASES)
def test_every_recorded_preview_is_read_twice_alike_and_names_its_stack(case: str) -> None:
    first, second = read(case), read(case)
    assert (first.base, first.head, first.steps, first.notes) == (second.base, second.head, second.steps, second.notes)
    assert (first.head.stack, project_of(recorded(case))) == (
        "shop" if case.startswith("user-") else "dev" if case.startswith("rendered-") else "prod",
        "nodestead",
    )


def test_the_order_of_steps_which_is_another_each_time_changes_nothing() -> None:
    content = json.loads(recorded("image"))
    content["steps"].reverse()
    turned, straight = read_preview(json.dumps(content)), read("image")
    assert list(turned.head.items) == list(straight.head.items)


@pytest.mark.parametrize(
    ("case", "is_whole"),
    [
        ("no-change", True),
        ("image", True),
        ("image-stream", True),
        ("group-renamed", True),
        ("user-drift", True),
        ("no-change-brief", False),
        ("image-brief", False),
        # What comes after a failure is not known.
        ("set-removed", False),
        ("claim-shrunk", False),
        ("config-refused", False),
    ],
)
def test_states_are_whole_only_where_the_preview_shows_what_stays_and_did_not_fail(case: str, is_whole: bool) -> None:
    preview = read(case)
    assert (preview.base.complete, preview.head.complete) == (is_whole, is_whole)


@pytest.mark.parametrize("case", ["image", "image-brief", "image-stream", "workload-replaced", "workload-replaced-brief"])
def test_batches_are_those_of_the_component_and_else_those_of_the_dependencies(case: str) -> None:
    (restart,) = restarts(comparison(read(case)))
    assert restart.batches == (("codex-1", "codex-2"), ("codex-3", "codex-4"), ("codex-5",))
    assert restart.running == (None if case.endswith("brief") else 5)
    assert restart.replaced is case.startswith("workload")


def test_a_state_that_does_not_tell_its_batches_is_read_by_its_dependencies() -> None:
    preview = json.loads(recorded("image"))
    for step in preview["steps"]:
        for state in ("oldState", "newState"):
            inputs: dict[str, Any] = (step.get(state) or {}).get("inputs") or {}
            inputs.pop("rollout.batches", None)
    for sides in (read("image"), read_preview(json.dumps(preview))):
        (restart,) = restarts(comparison(sides))
        assert restart.batches == (("codex-1", "codex-2"), ("codex-3", "codex-4"), ("codex-5",))


def test_that_batches_are_read_from_dependencies_is_said() -> None:
    said = (
        "The batches of codex are read from the dependencies of what changes; nodes between that stay as they are, are not shown."
    )
    assert said in read("image-brief").notes
    assert said not in read("image").notes


@pytest.mark.parametrize(
    ("unchanged", "expected"),
    [
        ((1, 3), (("codex-2",), ("codex-4",), ("codex-5",))),
        ((3,), (("codex-1", "codex-2"), ("codex-4",), ("codex-5",))),
        ((3, 4), (("codex-1", "codex-2"), ("codex-5",))),
    ],
)
def test_batches_keep_their_order_when_nodes_between_them_are_not_shown(
    unchanged: tuple[int, ...], expected: tuple[tuple[str, ...], ...]
) -> None:
    preview = json.loads(recorded("image-brief"))
    ends = tuple(f"codex-stateful-set-{number}" for number in unchanged)
    preview["steps"] = [one for one in preview["steps"] if not one["urn"].endswith(ends)]
    (restart,) = restarts(comparison(read_preview(json.dumps(preview))))
    assert restart.batches == expected


def test_facts_of_sets_come_from_the_component_without_its_batches() -> None:
    preview = read("chain-id")
    before, after = preview.base.facts_of("local"), preview.head.facts_of("local")
    assert before is not None
    assert after is not None
    assert (before.facts["software.chainId"], after.facts["software.chainId"]) == ("local-1", "local-2")
    assert (after.component, after.namespace) == ("BlockchainNodeSet", "recorded-previews")
    assert after.batches == [["local-0"], ["local-1"], ["local-2"], ["local-3"]]
    assert "rollout.batches" not in after.facts


def test_claims_and_keys_are_objects_that_stay_and_the_seed_is_protected() -> None:
    base = read("replicas-lowered").base
    claim = base.items["", "PersistentVolumeClaim", "recorded-previews", "data-codex-5-1"]
    key = base.items["", "Secret", "recorded-previews", "codex-5-key-g1"]
    seed = base.items["", "random:index/randomPassword:RandomPassword", "", "codex-seed"]
    assert (claim.retained, key.retained, seed.protected, seed.set) == (True, True, True, "codex")
    workload = base.items["apps", "StatefulSet", "recorded-previews", "codex-5"]
    assert (workload.retained, workload.protected, workload.set, workload.node) == (False, False, "codex", "codex-5")


def test_what_names_the_cluster_is_an_item_and_plugins_are_none() -> None:
    items = read("no-change").head.items
    kinds = {key[1] for key in items if ":" in key[1]}
    assert kinds == {"pulumi:providers:kubernetes", "random:index/randomPassword:RandomPassword"}
    given = items["", "pulumi:providers:kubernetes", "", "cluster"].manifest["inputs"]
    assert given == {
        "clusterIdentifier": "prod",
        "enableConfigMapMutable": "true",
        "enableSecretMutable": "true",
        "kubeconfig": "/home/user/.kube/config",
    }


def test_numbers_are_whole_and_bookkeeping_is_left_out() -> None:
    head = read("no-change").head
    for item in head.items.values():
        assert not re.search(r'"__|\d\.0[,}\]]', json.dumps(item.manifest))


def test_only_what_the_stack_holds_is_an_item() -> None:
    # A ConfigMap that the program only reads is none of it.
    assert not any(key[1] == "ConfigMap" and "authority" in key[3] for key in read("user-adopts").head.items)
    assert "Imported, so they are there already: own." in read("user-adopts").notes


def test_the_engine_says_for_which_fields_it_replaces() -> None:
    assert {one.reasons for one in comparison(read("workload-replaced")).changes} == {("spec.podManagementPolicy",)}
    assert comparison(read("user-immutable")).changes[0].reasons == ("spec.selector.matchLabels.app",)


def test_an_object_with_a_random_name_is_replaced_and_not_another_one() -> None:
    (change, _) = comparison(read("user-unknown")).changes
    assert (change.operation, change.item.kind) == ("replace", "ConfigMap")
    assert [(path_text(one.path), one.old, one.new) for one in change.fields] == [
        ("data.greeting", "hello", "[known when deployed]")
    ]


def test_an_object_under_another_pulumi_name_is_no_quiet_change() -> None:
    assert read("user-alias").notes == [
        (
            "Deployment/node has another Pulumi name without an alias (node becomes other): the update makes it while the old one"
            " is there, and fails; add an alias."
        )
    ]


def test_what_somebody_changed_in_the_cluster_is_set_back() -> None:
    assert fields("user-drift", "node") == {"spec.replicas": (5, 2)}


# ---- secrets


def test_no_secret_is_in_a_snapshot_even_where_the_cli_shows_it() -> None:
    for case in ("user-secret", "user-shown", "user-steps"):
        preview = read(case)
        for side in (preview.base, preview.head):
            assert "Password" not in json.dumps([one.manifest.get("data") for one in side.items.values() if one.is_object])
        assert fields(case, "login") == {"data.password": ("[secret]", "[another secret]")}


def test_a_secret_in_one_variable_hides_all_containers_and_they_stay_a_list() -> None:
    deployment = read("user-password").head.items["apps", "Deployment", "recorded-previews-user", "node"]
    assert deployment.at("spec", "template", "spec", "containers") == [{"name": "[secret]"}]
    assert fields("user-password", "node") == {
        "spec.template.spec.containers[0].env[0].value": ("[secret]", "[another secret]"),
    }
    assert "The engine hides all containers of Deployment/node, because there is a secret in them." in read("user-password").notes


def test_of_containers_that_are_hidden_before_only_what_differs_is_a_secret() -> None:
    assert fields("user-unveiled", "node") == {
        "spec.template.spec.containers[node].env[TOKEN].value": ("[secret]", "in-the-clear"),
    }


def test_a_secret_that_becomes_a_reference_is_gone_and_not_in_clear() -> None:
    assert fields("user-referenced", "node") == {
        "spec.template.spec.containers[node].env[TOKEN].value": ("[secret]", ABSENT),
        "spec.template.spec.containers[node].env[TOKEN].valueFrom": (
            ABSENT,
            {"secretKeyRef": {"key": "password", "name": "login"}},
        ),
    }


def test_a_value_that_becomes_a_secret_is_hidden_afterwards() -> None:
    (change,) = comparison(read("user-veiled")).changes
    assert [(path_text(one.path), one.old, one.new) for one in change.fields] == [("data.greeting", "hello", "[secret]")]


def test_a_value_that_is_no_secret_any_more_changes_nothing_in_the_cluster_and_is_told() -> None:
    assert read("user-unsecret").notes == [
        (
            "The engine hid parts of Deployment/node, in which there was a secret, and shows them now: look whether it stands"
            " there in clear."
        )
    ]


# ---- failures


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "chain-id",
            [
                (
                    "refused by a guard: local: the nodes' data was made for the old value; set it back, or make a new set under"
                    " another name\n  - software.chainId: local-1 may not become local-2"
                )
            ],
        ),
        (
            "config-refused",
            [
                (
                    "the config is refused, 1 problem:\n  - storageNodeGroups.archive.replicas: -1 is refused: input should be"
                    " greater than or equal to 0; change it to fit"
                )
            ],
        ),
        # Not how to take the protection away: the keys of all nodes come from it.
        ("set-removed", ["RandomPassword codex-seed cannot be deleted because it is protected"]),
        ("user-crash", ["the program raised ZeroDivisionError: division by zero (/project/__main__.py, line 29)"]),
        (
            "user-referenced",
            [
                (
                    'Deployment.apps "node" is invalid: spec.template.spec.containers[0].env[0].valueFrom: Invalid value: "": may'
                    " not be specified when `value` is not empty"
                )
            ],
        ),
        ("image", []),
    ],
)
def test_why_a_preview_failed_is_told_line_by_line_without_a_traceback(case: str, expected: list[str]) -> None:
    assert read(case).failures == expected


@pytest.mark.parametrize("case", ["claim-shrunk", "claim-class"])
def test_what_the_api_server_refuses_is_named_and_still_compared(case: str) -> None:
    preview = read(case)
    assert preview.failures
    for line in preview.failures:
        assert line.startswith('PersistentVolumeClaim "data-codex-')
        assert "\n" not in line
        assert "@@" not in line
    assert all(change.startswith("change PersistentVolumeClaim data-codex-") for change in changes(case))
    assert preview.notes[0] == "The preview failed, so only what it had come to is compared."
