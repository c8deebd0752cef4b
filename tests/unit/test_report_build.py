"""A report made of a comparison."""

import time
from typing import Any

import pytest

from nodestead.changes.compare import Comparison, compare
from nodestead.changes.rule import Finding, Found, Rule, Severity
from nodestead.changes.snapshot import Item, SetFacts, Snapshot
from nodestead.reports.build import exit_code, failed_stack, stack_report
from nodestead.reports.markdown import markdown
from nodestead.reports.model import Counts, Report, StackReport, read_report

MI, GI = 1024**2, 1024**3


def node(name: str, image: str, of: str = "codex", **spec: Any) -> Item:
    labels = {"app.kubernetes.io/instance": of, "nodestead.io/set": "storage-node-group", "nodestead.io/node": name}
    asked = {"requests": {"cpu": "250m", "memory": "512Mi"}}
    template = {"spec": {"containers": [{"name": "node", "image": image, "resources": asked}]}}
    metadata = {"name": name, "namespace": "n", "labels": labels}
    return Item({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {"template": template, **spec}})


def service(name: str, kind: str = "ClusterIP") -> Item:
    return Item({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"}, "spec": {"type": kind}})


def stack(*items: Item, batches: list[list[str]] | None = None, complete: bool = True) -> Snapshot:
    made = Snapshot("prod", sets=[SetFacts("codex", "n", "StorageNodeGroup", batches or [])], complete=complete)
    for item in items:
        made.add(item)
    return made


def nine(image: str, **options: Any) -> Snapshot:
    names = [f"codex-{n}" for n in range(1, 10)]
    batches = [names[:3], names[3:6], names[6:]]
    return stack(*(node(name, image) for name in names), service("a"), batches=batches, **options)


def finding(severity: Severity = "danger", accepted: str | None = None, **found: Any) -> Finding:
    rule = Rule("volume-shrunk", severity, "A volume shrinks", "It is refused.", "Keep the size.", lambda _: [])
    given: dict[str, Any] = {"subject": "codex", "what": "2Gi -> 1Gi", **found}
    return Finding(rule, Found(**given), accepted)


def report(*stacks: StackReport) -> Report:
    return Report(base="main", head="the working tree", stacks=list(stacks))


def test_a_report_of_an_image_change_says_what_restarts_and_what_it_takes() -> None:
    made = stack_report("prod", compare(nine("a:1"), nine("a:2")), [])
    assert made.counts == Counts(added=0, changed=9, replaced=0, removed=0, unchanged=1)
    assert [entry.summary for group in made.groups for entry in group.entries] == ["9 nodes: image 1 -> 2"]
    assert [(group.set, group.component) for group in made.groups] == [("codex", "StorageNodeGroup")]
    assert made.after is not None
    assert (made.after.nodes, made.after.cpu, made.after.memory) == (9, 2.25, 9 * 512 * MI)
    (plan,) = made.restarts
    assert (plan.set, plan.pods, plan.running, plan.batch_count, plan.all_at_once) == ("codex", 9, 9, 3, False)
    assert plan.batches == ["codex-1 … codex-3", "codex-4 … codex-6", "codex-7 … codex-9"]


def test_counts_add_up_to_the_objects_of_both_states() -> None:
    base = stack(service("stays"), service("goes"), service("changes"))
    head = stack(service("stays"), service("changes", "NodePort"), service("comes"), service("comes-too"))
    counts = stack_report("prod", compare(base, head), []).counts
    assert counts == Counts(added=2, changed=1, replaced=0, removed=1, unchanged=1)
    assert counts is not None
    assert counts.unchanged is not None
    assert counts.added + counts.changed + counts.replaced + counts.unchanged == len(head.items)
    assert counts.removed + counts.changed + counts.replaced + counts.unchanged == len(base.items)


def test_of_a_part_of_a_stack_nothing_is_said_of_the_whole() -> None:
    made = stack_report("prod", compare(nine("a:1", complete=False), nine("a:2", complete=False)), [])
    assert (made.before, made.after) == (None, None)
    assert made.counts == Counts(added=0, changed=9, replaced=0, removed=0, unchanged=None)
    assert made.restarts[0].running is None


def test_a_risk_has_what_its_rule_and_its_case_say() -> None:
    made = stack_report("prod", compare(stack(), stack()), [finding(nodes=("codex-1", "codex-2", "codex-3"))])
    (risk,) = made.risks
    assert (risk.rule, risk.severity, risk.title, risk.subject) == ("volume-shrunk", "danger", "A volume shrinks", "codex")
    assert (risk.nodes, risk.what, risk.instead) == ("codex-1 … codex-3", "2Gi -> 1Gi", "Keep the size.")
    assert risk.accepted is None


def test_no_secret_is_in_what_comes_as_a_sentence() -> None:
    text = "it dials https://user:hunter2hunter2@rpc.example.org"
    made = stack_report("prod", compare(stack(), stack()), [finding(what=text, accepted=text)], notes=[text], failures=[text])
    assert "hunter2" not in made.model_dump_json()
    assert "hunter2" not in failed_stack("prod", [text]).model_dump_json()


def test_what_belongs_to_no_set_comes_last() -> None:
    made = stack_report("prod", compare(stack(), stack(service("a"), node("codex-1", "a:1"))), [])
    assert [group.set for group in made.groups] == ["codex", ""]


@pytest.mark.parametrize(
    ("stacks", "fail_on", "code"),
    [
        ([], "danger", 0),
        ([[]], "info", 0),
        ([[finding("danger")]], "danger", 1),
        ([[finding("caution")]], "danger", 0),
        ([[finding("caution")]], "caution", 1),
        ([[finding("info")]], "caution", 0),
        ([[finding("info")]], "info", 1),
        ([[finding("danger", accepted="we know")]], "danger", 0),
        ([[finding("danger")]], "never", 0),
        ([[], [finding("danger")]], "danger", 1),
        ([None, [finding("danger")]], "never", 2),
        ([None], "danger", 2),
    ],
)
def test_the_exit_code(stacks: list[list[Finding] | None], fail_on: str, code: int) -> None:
    nothing = compare(stack(), stack())
    made = [failed_stack("dev", ["refused"]) if one is None else stack_report("dev", nothing, one) for one in stacks]
    assert exit_code(report(*made), fail_on) == code


def test_a_failed_stack_says_something_even_if_nobody_says_why() -> None:
    assert failed_stack("dev", []).failures == ["it could not be compared"]


def huge(nodes: int, sets: int, image: str) -> Snapshot:
    made = Snapshot("prod")
    for number in range(sets):
        names = [f"set{number}-{n}" for n in range(max(1, nodes // sets))]
        made.sets.append(SetFacts(f"set{number}", "n", "StorageNodeGroup", [[name] for name in names]))
        for name in names:
            made.add(node(name, image, f"set{number}"))
    return made


@pytest.mark.parametrize(("nodes", "sets"), [(10_000, 1), (3_000, 3_000)])
def test_a_huge_change_is_within_all_limits(nodes: int, sets: int) -> None:
    comparison = compare(huge(nodes, sets, "a:1"), huge(nodes, sets, "a:2"))
    start = time.perf_counter()
    made = report(stack_report("prod", comparison, [finding(subject=f"set{n}") for n in range(sets)]))
    text = made.model_dump_json(by_alias=True)
    assert read_report(text) == made
    assert len(markdown(made)) <= 60_000
    assert time.perf_counter() - start < 30
    stack_made = made.stacks[0]
    assert len(stack_made.groups) + stack_made.more_groups == sets
    assert len(stack_made.restarts) + stack_made.more_restarts == sets
    assert len(stack_made.risks) + stack_made.more_risks == sets
    assert sum(plan.batch_count for plan in stack_made.restarts) == nodes // sets * len(stack_made.restarts)


def test_every_text_is_cut_to_its_limit() -> None:
    name = "n" * 5_000
    base, head = stack(service(name)), stack(service(name, "NodePort"))
    head.sets = [SetFacts("codex", "n", name)]
    found = finding(subject=name, what=name, nodes=(name,), accepted=name)
    made = report(
        stack_report(name, Comparison(base, head, compare(base, head).changes), [found], notes=[name] * 99, failures=[name] * 999)
    )
    assert read_report(made.model_dump_json(by_alias=True)) == made
    assert made.stacks[0].notes[-1] == "and 50 more"
    assert made.stacks[0].failures[-1] == "and 800 more"


def test_a_lone_surrogate_is_no_reason_to_fail() -> None:
    made = report(failed_stack("dev\ud800", ["what \udfff"]))
    assert read_report(made.model_dump_json(by_alias=True)) == made


def test_many_different_entries_are_cut_by_their_size() -> None:
    def items(value: str) -> list[Item]:
        return [
            Item(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"{'abcdefghij'[n % 10]}{n}x"},
                    "data": {f"k{m}-{n}": value * 150 for m in range(30)},
                }
            )
            for n in range(150)
        ]

    made = report(stack_report("prod", compare(stack(*items("a")), stack(*items("b"))), []))
    text = made.model_dump_json(by_alias=True)
    assert len(text) < 4_000_000
    (group,) = made.stacks[0].groups
    assert group.more > 0
    assert len(group.entries) + group.more == 150
