"""Which findings are certain to stop the update, and that a report counts no restart without saying so."""

from typing import Any

import change_cases as make
import pytest

from nodestead.changes.accepted import NOTHING_ACCEPTED, read_acceptances
from nodestead.changes.compare import Comparison
from nodestead.changes.rule import Finding
from nodestead.changes.rules import findings
from nodestead.reports.build import stack_report
from nodestead.reports.model import Stop

BEFORE = make.stateful_set("codex-1", image="r/a:1.0")
AFTER = make.stateful_set("codex-1", image="r/a:1.1")


def bumped(*old: make.Item, new: tuple[make.Item, ...] = (), was: Any = None, becomes: Any = None) -> Comparison:
    """A node that restarts, beside objects or facts that become others."""
    base, head = ([make.facts(**given)] if given else [] for given in (was, becomes))
    return make.comparison(make.snapshot(BEFORE, *old, sets=base), make.snapshot(AFTER, *new, sets=head))


def stops(compared: Comparison) -> dict[str, str]:
    """Where the update ends, by rule."""
    found = findings(compared, NOTHING_ACCEPTED)
    return {one.rule.id: one.found.stops for one in found if isinstance(one, Finding) and one.found.stops is not None}


def claims(*sizes: str, **given: Any) -> tuple[make.Item, ...]:
    return tuple(make.claim(f"data-{number}", node="codex-1", size=size, **given) for number, size in enumerate(sizes))


def service(name: str, port: int) -> make.Item:
    return make.service(name, type="NodePort", ports=[{"name": "p2p", "port": 1, "nodePort": port, "protocol": "TCP"}])


def guarded(node: str, of: str) -> make.Item:
    return make.guard("AB12", node, set=of)


def validator(of: str) -> make.Item:
    return make.stateful_set(f"{of}-0", set=of, component="chain-node")


TEMPLATES = [
    make.stateful_set("pool-0", set="codex", volumeClaimTemplates=[make.claim_template(size)]) for size in ("2Gi", "1Gi")
]
SECRETS = [make.secret("codex-key-g1", node="codex-1", eth_private_key=text) for text in ("YQ==", "Yg==")]
KEYED = [make.stateful_set("codex-9", volumes=[make.key_volume("codex-key-g1")])]

STOPPED: list[tuple[str, Comparison, dict[str, str]]] = [
    ("a claim that shrinks", bumped(*claims("2Gi"), new=claims("1Gi")), {"volume-shrunk": "preview"}),
    ("a claim that grows may or may not be refused", bumped(*claims("1Gi"), new=claims("2Gi")), {}),
    (
        "a fixed field of a claim",
        bumped(*claims("1Gi", storageClassName="a"), new=claims("1Gi", storageClassName="b")),
        {"claim-class-changed": "preview"},
    ),
    (
        "a fixed field of a claim that the guard knows",
        bumped(
            *claims("1Gi", storageClassName="a"),
            new=claims("1Gi", storageClassName="b"),
            was={"persistence__storageClass": "a"},
            becomes={"persistence__storageClass": "b"},
        ),
        {"claim-class-changed": "preview"},
    ),
    ("a claim's template, for which the workload is replaced", bumped(TEMPLATES[0], new=(TEMPLATES[1],)), {}),
    (
        "the size of a pool",
        bumped(was={"persistence__size": "2Gi"}, becomes={"persistence__size": "1Gi"}),
        {"volume-shrunk": "preview"},
    ),
    ("what data was made for", bumped(was={"layout": "perNode"}, becomes={"layout": "pooled"}), {"network-changed": "preview"}),
    ("a protected resource", bumped(make.resource(make.RANDOM, "x", protected=True)), {"protected-deleted": "preview"}),
    ("a node port of another", bumped(service("a", 30000), new=(service("b", 30000),)), {"port-taken": "preview"}),
    (
        "other content of an immutable key Secret that is kept",
        bumped(SECRETS[0], *KEYED, new=(SECRETS[1], *KEYED)),
        {"key-source-changed": "update"},
    ),
    (
        "a consensus key that another set still holds",
        bumped(validator("a"), guarded("a-0", "a"), new=(validator("b"), guarded("b-0", "b"))),
        {"key-moved": "update"},
    ),
    ("what costs something and is done all the same", bumped(was={"keys": "seed"}, becomes={"keys": "theirs"}), {}),
    ("nothing but a restart", bumped(), {}),
]


@pytest.mark.parametrize(("compared", "told"), [case[1:] for case in STOPPED], ids=[case[0] for case in STOPPED])
def test_a_finding_stops_the_update_only_where_that_is_certain(compared: Comparison, told: dict[str, str]) -> None:
    assert stops(compared) == told


@pytest.mark.parametrize(("compared", "told"), [case[1:] for case in STOPPED], ids=[case[0] for case in STOPPED])
def test_a_report_says_what_stops_the_update(compared: Comparison, told: dict[str, str]) -> None:
    made = stack_report("dev", compared, findings(compared, NOTHING_ACCEPTED))
    assert [plan.set for plan in made.restarts] == ["codex"]
    expected = Stop(rules=list(told), in_preview="preview" in told.values()) if told else None
    assert made.stop == expected


def test_what_stops_the_preview_comes_before_what_would_stop_the_update() -> None:
    facts = {"was": {"layout": "perNode"}, "becomes": {"layout": "pooled"}}
    compared = bumped(SECRETS[0], *KEYED, new=(SECRETS[1], *KEYED), **facts)
    made = stack_report("dev", compared, findings(compared, NOTHING_ACCEPTED))
    assert made.stop == Stop(rules=["network-changed"], in_preview=True)
    assert '"stop":{"rules":["network-changed"],"inPreview":true}' in made.model_dump_json(by_alias=True)


def test_a_guard_that_refuses_without_any_rule_stops_the_update_too() -> None:
    compared = bumped(was={"persistence__size": "1Gi"}, becomes={"persistence__size": "1024Mi"})
    made = stack_report("dev", compared, findings(compared, NOTHING_ACCEPTED))
    assert made.stop == Stop(rules=[], in_preview=True)


def test_who_accepts_a_risk_does_not_make_the_api_server_accept_it() -> None:
    accepted = read_acceptances("accepted:\n- {rule: volume-shrunk, stack: dev, subject: codex, reason: known}", "a.yaml")
    compared = bumped(*claims("2Gi"), new=claims("1Gi"))
    assert stack_report("dev", compared, findings(compared, accepted)).stop == Stop(rules=["volume-shrunk"], in_preview=True)


def test_who_accepts_that_a_protected_resource_goes_may_have_taken_its_protection_off() -> None:
    accepted = read_acceptances("accepted:\n- {rule: protected-deleted, reason: it is unprotected}", "a.yaml")
    gone = make.resource(make.RANDOM, "x", protected=True)
    compared = bumped(gone)
    assert stack_report("dev", compared, findings(compared, accepted)).stop is None
    both = bumped(gone, *claims("2Gi"), new=claims("1Gi"))
    assert stack_report("dev", both, findings(both, accepted)).stop == Stop(rules=["volume-shrunk"], in_preview=True)


def test_a_preview_that_failed_stops_the_update_whatever_the_rules_find() -> None:
    compared = bumped()
    made = stack_report("dev", compared, findings(compared, NOTHING_ACCEPTED), failures=["it is refused"], refused=True)
    assert made.stop == Stop(rules=[], in_preview=True)
    partly = stack_report("dev", compared, findings(compared, NOTHING_ACCEPTED), failures=["a step is not known"])
    assert partly.stop is None
