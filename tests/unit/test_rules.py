"""The table of rules as a whole."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import change_cases as make
import pytest

from nodestead.changes.accepted import NOTHING_ACCEPTED, Acceptances, read_acceptances
from nodestead.changes.compare import Comparison
from nodestead.changes.rule import SEVERITIES, Fault, Finding, Found, Rule
from nodestead.changes.rules import RULES, findings
from nodestead.changes.secrecy import safe_text
from nodestead.reports.build import exit_code, stack_report
from nodestead.reports.model import Report

IDS = """
    all-nodes-down
    announced-address-changed
    api-exposed
    auth-removed
    claim-class-changed
    cluster-changed
    contract-changed
    data-abandoned
    data-left-behind
    disruption-budget-removed
    downgrade
    drain-blocked
    endpoint-published
    exposure-removed
    genesis-changed
    grace-period-lowered
    held-by-two-stacks
    image-changed-unpinned
    image-repository-changed
    key-moved
    key-removed
    key-shared
    key-source-changed
    namespace-moved
    network-changed
    network-policy-opened
    network-policy-removed
    node-stopped
    objects-in-two-stacks
    only-node-restarts
    pod-security-loosened
    pods-restart
    port-taken
    probes-removed
    protected-deleted
    proving-stopped
    resources-lowered
    retention-lost
    rights-widened
    secret-in-clear
    secret-unveiled
    seed-lost
    set-removed
    set-renamed
    update-order
    upgrade-height-moved
    validator-starts
    version-dropped
    version-upgraded
    volume-deleted
    volume-grown
    volume-replaced
    volume-shrunk
    votes-lost
    workload-replaced
"""


TESTS = Path(__file__).parent
ROOT = TESTS.parent.parent


def test_ids_are_unique_and_kebab_case() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", one)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_texts_are_sentences(rule: Rule) -> None:
    assert rule.severity in SEVERITIES
    assert not rule.title.endswith(".")
    assert len(rule.title) <= 80
    for text in (rule.happens, rule.instead):
        assert text.endswith(".")
        assert not text.endswith("..")
        assert len(text) <= 300


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_case(rule: Rule) -> None:
    texts = [path.read_text() for path in TESTS.glob("test_rules_*.py")]
    assert any(f'"{rule.id}"' in text for text in texts)


def test_the_table_of_risks_is_current() -> None:
    tool = str(ROOT / "tools" / "risk_table.py")
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "risks.md").read_text()
    assert [rule.id for rule in RULES if page.count(f"| `{rule.id}` |") != 1] == []


def compared() -> make.Comparison:
    base = make.snapshot(
        make.stateful_set("b-1", set="b", image="r/a:1.1"),
        make.stateful_set("a-1", set="a", image="r/a:1.1"),
        make.stateful_set("a-2", set="a", image="r/a:1.1"),
    )
    head = make.snapshot(
        make.stateful_set("b-1", set="b", image="r/a:1.0"),
        make.stateful_set("a-1", set="a", image="r/a:1.0"),
        make.stateful_set("a-2", set="a", image="r/a:1.0"),
    )
    return make.comparison(base, head)


def found_in(change: Comparison, accepted: Acceptances = NOTHING_ACCEPTED) -> list[Finding]:
    """What all rules find; that none of them breaks is a part of it."""
    found = findings(change, accepted)
    assert [one for one in found if isinstance(one, Fault)] == []
    return [one for one in found if isinstance(one, Finding)]


def test_findings_come_worst_first_then_by_rule_then_by_subject() -> None:
    found = [(one.rule.severity, one.rule.id, one.found.subject) for one in found_in(compared())]
    assert found == [
        ("danger", "all-nodes-down", "a"),
        ("danger", "downgrade", "a"),
        ("danger", "downgrade", "b"),
        ("caution", "only-node-restarts", "b"),
        ("info", "pods-restart", "a"),
        ("info", "pods-restart", "b"),
        ("info", "update-order", "a"),
        ("info", "update-order", "b"),
    ]


def test_an_accepted_finding_stays_with_its_reason() -> None:
    accepted = read_acceptances("accepted:\n- {rule: downgrade, stack: dev, subject: a, reason: known}", "a.yaml")
    reasons = {(one.rule.id, one.found.subject): one.accepted for one in found_in(compared(), accepted)}
    assert reasons["downgrade", "a"] == "known"
    assert {reason for key, reason in reasons.items() if key != ("downgrade", "a")} == {None}


def test_nothing_is_found_where_nothing_changes() -> None:
    one = make.snapshot(make.stateful_set("a-1", set="a"), make.claim("data", node="a-1"), make.seed())
    assert findings(make.comparison(one, one), NOTHING_ACCEPTED) == []


ODD = [None, "x", 3, [], ["x"], [None], {}, {"a": None}, [{"name": None}], [{"name": "x", "port": {}}]]
PLACES = [
    "spec", "data", "rules", "subjects", "roleRef", "spec.template", "spec.template.spec", "spec.template.spec.containers",
    "spec.template.spec.volumes", "spec.template.metadata", "spec.template.metadata.labels", "spec.replicas", "spec.selector",
    "spec.ports", "spec.rules", "spec.ingress", "spec.podSelector", "spec.policyTypes", "spec.maxUnavailable",
    "spec.minAvailable",
    "spec.volumeClaimTemplates", "spec.resources", "spec.template.spec.securityContext", "spec.loadBalancerSourceRanges",
]  # fmt: skip
KINDS = [
    "StatefulSet", "Deployment", "Service", "Ingress", "HTTPRoute", "NetworkPolicy", "PodDisruptionBudget", "Role",
    "ClusterRoleBinding", "ConfigMap", "Secret", "PersistentVolumeClaim", "Namespace",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_objects_that_the_api_would_refuse_break_no_rule(kind: str) -> None:
    for place in PLACES:
        for odd in ODD:
            body: object = odd
            for key in reversed(place.split(".")):
                body = {key: body}
            strange = make.item(kind, "x", set="codex", node="x", **body)  # type: ignore[arg-type]
            usual = (
                make.stateful_set("x") if kind == "StatefulSet" else make.item(kind, "x", set="codex", spec={}, data={"a": "b"})
            )
            found_in(make.changed(usual, strange, make.stateful_set("y")))
            found_in(make.changed(strange, usual, make.stateful_set("y")))


LISTS = {
    "StatefulSet": (
        "spec.template.spec.containers",
        "image env args command ports resources securityContext volumeMounts readinessProbe",
    ),
    "Deployment": ("spec.template.spec.volumes", "secret configMap projected persistentVolumeClaim hostPath name"),
    "Service": ("spec.ports", "name port nodePort targetPort"),
    "Ingress": ("spec.rules", "http host"),
    "HTTPRoute": ("spec.rules", "filters backendRefs"),
    "NetworkPolicy": ("spec.ingress", "from ports"),
    "Role": ("rules", "apiGroups resources verbs resourceNames"),
    "RoleBinding": ("subjects", "kind name"),
}


@pytest.mark.parametrize("kind", LISTS)
def test_odd_items_of_lists_break_no_rule(kind: str) -> None:
    place, fields = LISTS[kind]
    for field in fields.split():
        for odd in [*ODD, {"paths": [{"backend": 3}]}, {"sources": 3}, {"capabilities": {"add": 3}}, {"limits": 3}]:
            body: object = [{"name": "node", field: odd}]
            for key in reversed(place.split(".")):
                body = {key: body}
            strange = make.item(kind, "x", set="codex", node="x", **body)  # type: ignore[arg-type]
            usual = make.stateful_set("x") if kind == "StatefulSet" else make.item(kind, "x", set="codex", spec={})
            found_in(make.changed(usual, strange, make.stateful_set("y")))
            found_in(make.changed(strange, usual, make.stateful_set("y")))


# ---- rules that break


def broken(rule: str, error: Exception, *before: Found) -> Rule:
    def find(_: Comparison) -> Iterator[Found]:
        yield from before
        raise error

    return Rule(rule, "danger", "It breaks", "It breaks.", "Mend it.", find)


def test_a_rule_that_breaks_is_a_fault_of_its_own_and_hides_nothing_of_the_others() -> None:
    (whole,) = [rule for rule in RULES if rule.id == "downgrade"]
    faulty = broken("seed-lost", KeyError("hunter2"), Found("a", "it found this first"))
    found = findings(compared(), NOTHING_ACCEPTED, (faulty, whole))
    assert [(one.rule.id, one.found.subject) for one in found if isinstance(one, Finding)] == [
        ("seed-lost", "a"),
        ("downgrade", "a"),
        ("downgrade", "b"),
    ]
    assert [one for one in found if isinstance(one, Fault)] == [Fault(faulty, "KeyError")]


def test_a_report_names_the_rule_that_broke_and_nothing_that_it_said_and_a_pipeline_stops() -> None:
    found = findings(compared(), NOTHING_ACCEPTED, (broken("seed-lost", ZeroDivisionError("hunter2")),))
    made = Report(base="a", head="b", stacks=[stack_report("dev", compared(), found, failures=["the preview failed"])])
    told = (
        "the rule seed-lost broke (ZeroDivisionError), and what it would find is missing here; that is a fault of nodestead, not"
        " of the stack: please report it, with this line and what changes"
    )
    assert made.stacks[0].failures == ["the preview failed", told]
    assert made.stacks[0].restarts
    assert "hunter2" not in made.model_dump_json()
    assert exit_code(made, "never") == 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_name_of_a_rule_is_taken_for_that_of_a_secret(rule: Rule) -> None:
    (failure,) = stack_report("dev", compared(), [Fault(rule, "TypeError")]).failures
    assert f"the rule {rule.id} broke (TypeError)" in failure
    assert safe_text(failure) == failure


@pytest.mark.parametrize("odd", [["x"], "x", {"app": 3}, {"app": ["x"]}])
def test_objects_whose_labels_are_none_are_not_blamed_on_a_rule(odd: object) -> None:
    strange = make.Item({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "labels": odd}})
    faulty = broken("seed-lost", AttributeError("hunter2"))
    with pytest.raises(AttributeError):
        findings(make.changed(make.secret("a", a="b"), make.secret("a", a="c"), strange), NOTHING_ACCEPTED, (faulty,))


def test_objects_that_are_nested_too_deeply_are_not_blamed_on_a_rule() -> None:
    with pytest.raises(RecursionError):
        findings(compared(), NOTHING_ACCEPTED, (broken("seed-lost", RecursionError()),))


def test_ids_are_contract_because_repositories_accept_risks_by_them() -> None:
    assert {rule.id for rule in RULES} == set(IDS.split())
