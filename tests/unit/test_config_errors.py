"""A refusal names path, value, rule and remedy; all come at once; none shows a secret."""

from typing import Any

import pytest
from groups import CODEX, MARKET, config

from nodestead.config.base import ConfigError, as_config_error, looks_secret, parse
from nodestead.plans.stack import StackConfig
from nodestead.plans.storage_args import StorageNodeGroupArgs


def refused(given: Any, *, show_values: bool = True, path: tuple[str | int, ...] = ("g",)) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(StorageNodeGroupArgs, given, path, show_values=show_values)
    return caught.value.problems


# ---- the words


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, ["g.software: is required and not given; add it"]),
        ({"software": CODEX, "replica": 3}, ["g.replica: unknown key; did you mean replicas?"]),
        ({"software": CODEX, "replicas": "3"}, ["g.replicas: '3' has the wrong type; write a whole number without quotes"]),
        ({"software": CODEX, "replicas": 1.5}, ["g.replicas: 1.5 has the wrong type; write a whole number without quotes"]),
        ({"software": CODEX, "replicas": True}, ["g.replicas: true has the wrong type; write a whole number without quotes"]),
        (
            {"software": CODEX, "replicas": -1},
            ["g.replicas: -1 is refused: input should be greater than or equal to 0; change it to fit"],
        ),
        ({"software": CODEX, "prettify": "yes"}, ["g.prettify: 'yes' has the wrong type; write true or false without quotes"]),
        ({"software": CODEX, "image": None}, ["g.image: has the wrong type; write a mapping of keys and values"]),
        ({"software": CODEX, "labels": ["a"]}, ["g.labels: has the wrong type; write a mapping of keys and values"]),
        ({"software": CODEX, "layout": "pool"}, ["g.layout: 'pool' is not known; use one of 'perNode' or 'pooled'"]),
        (
            {"software": CODEX, "exposure": {"kind": "nodport"}},
            ["g.exposure: 'nodport' is not known; use one of 'cluster', 'nodePort', 'hostPort', 'loadBalancer'"],
        ),
        (
            {"software": CODEX, "exposure": {"basePort": 1}},
            ["g.exposure: needs the key 'kind' to say which variant is meant"],
        ),
        ({"software": CODEX, "bootstrap": {"kind": "sprs", "sprs": []}}, ["g.bootstrap.sprs: has 0 entries; write at least 1"]),
        (
            {"software": {**CODEX, "version": 0.2}},
            ["g.software.version: has the wrong type; write a text, in quotes if YAML takes it for a number or a boolean"],
        ),
        ([], ["g: has the wrong type; write a mapping of keys and values"]),
        (None, ["g: has the wrong type; write a mapping of keys and values"]),
    ],
)
def test_a_refusal_says_what_to_do(given: Any, problems: list[str]) -> None:
    assert refused(given) == problems


def test_a_key_that_is_like_none_gets_the_list_of_those_that_are_known() -> None:
    assert refused(config(ports={"zzz": 1})) == ["g.ports.zzz: unknown key; known here are api, metrics"]


@pytest.mark.parametrize(
    "value", [5, ["a"], {"secret": {"name": "a", "key": "b"}, "configMap": {"name": "a", "key": "b"}}, {"secre": {}}]
)
def test_a_value_of_several_kinds_is_refused_once(value: Any) -> None:
    assert len(refused(config(container={"env": {"A": value}}))) == 1


def test_a_value_inside_a_variant_is_told_and_the_other_variants_are_not() -> None:
    assert refused(config(container={"env": {"A": {"secret": {"name": 5, "key": "b"}}}})) == [
        "g.container.env.A.secret.name: has the wrong type; write a text, in quotes if YAML takes it for a number or a boolean"
    ]


def test_each_missing_item_of_a_list_is_refused_and_the_list_is_not() -> None:
    assert refused(config(bootstrap={"kind": "sprs", "sprs": ["x"]})) == [
        "g.bootstrap.sprs[0]: 'x' is refused; an SPR is spr: and its base64url text, as GET /spr gives it"
    ]


# ---- the path


@pytest.mark.parametrize(
    ("path", "given", "start"),
    [
        ((), {"ports": {"api": 0}}, "ports.api: "),
        (("storageNodeGroups", "codex"), {"ports": {"api": 0}}, "storageNodeGroups.codex.ports.api: "),
        (("a", 2), {"ports": {"api": 0}}, "a[2].ports.api: "),
        (("g",), {"labels": {"a b": "c"}}, 'g.labels["a b"]: '),
        (("g",), {"nodes": {1: {"size": "x"}}}, "g.nodes.1.size: "),
        (("g",), {"container": {"ports": [{"name": "a", "port": 0}]}}, "g.container.ports[0].port: "),
        (("g",), {"patches": {"Service": {"x.y": 1}}}, 'g.patches.Service["x.y"]: '),
        (("g",), {"api": {"route": {"kind": "ingress", "hosts": ["a"], "tls": {"issuer": 5}}}}, "g.api.route.tls.issuer: "),
        (
            ("g",),
            {"exposure": {"kind": "nodePort", "externalAddress": {"kind": "fixed", "addresses": {"1": "x"}}}},
            "g.exposure.",
        ),
        (
            ("g",),
            {"container": {"probes": {"liveness": {"httpGet": {"port": 1, "pth": "/"}}}}},
            "g.container.probes.liveness.httpGet.pth: ",
        ),
        (("g",), {"pod": {"tolerations": [{"key": "a"}, {"kee": "b"}]}}, "g.pod.tolerations[1].kee: "),
    ],
)
def test_the_path_is_the_one_that_the_user_wrote(path: tuple[str | int, ...], given: dict[str, Any], start: str) -> None:
    assert refused(config(**given), path=path)[0].startswith(start)


def test_the_spelling_of_python_is_taken_and_refused_alike() -> None:
    assert parse(StorageNodeGroupArgs, config(first_ordinal=3)).first_ordinal == 3
    assert refused(config(first_ordinal=-1))[0].startswith("g.first_ordinal: -1 is refused")


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"namespace": {"name": "a"}, "cluster": {"context": "a"}, "nope": 1}, "nope"),
    ({"namespace": {"name": "a", "nope": 1}, "cluster": {"context": "a"}}, "namespace.nope"),
    ({"namespace": {"name": "a"}, "cluster": {"nope": 1}}, "cluster.nope"),
]
INSIDE: list[tuple[dict[str, Any], str]] = [
    ({"nope": 1}, "nope"),
    ({"software": {**CODEX, "nope": 1}}, "software.nope"),
    (
        {"software": {**CODEX, "marketplace": {"ethProvider": {"url": "https://a", "nope": 1}}}},
        "software.marketplace.ethProvider.nope",
    ),
    ({"exposure": {"kind": "hostPort", "externalAddress": {"kind": "hostIP", "nope": 1}}}, "exposure.externalAddress.nope"),
    ({"bootstrap": {"kind": "none", "nope": 1}}, "bootstrap.nope"),
    ({"persistence": {"kind": "volume", "selector": {"matchLabel": {}}}}, "persistence.selector.matchLabel"),
    ({"container": {"probes": {"nope": 1}}}, "container.probes.nope"),
    ({"container": {"resources": {"limit": {}}}}, "container.resources.limit"),
    ({"container": {"env": {"A": {"secret": {"name": "a", "key": "b", "nope": 1}}}}}, "container.env.A.secret.nope"),
    ({"pod": {"affinity": {"podAffinity": {"required": []}}}}, "pod.affinity.podAffinity.required"),
    ({"nodes": {"1": {"image": {"nope": 1}}}}, "nodes.1.image.nope"),
    ({"api": {"route": {"kind": "httpRoute", "parents": [{"name": "a", "nope": 1}]}}}, "api.route.parents[0].nope"),
    ({"monitoring": {"nope": 1}}, "monitoring.nope"),
]
UNKNOWN += [
    (
        {"namespace": {"name": "a"}, "cluster": {"context": "a"}, "storageNodeGroups": {"codex": config(**given)}},
        f"storageNodeGroups.codex.{path}",
    )
    for given, path in INSIDE
]


@pytest.mark.parametrize(("given", "path"), UNKNOWN, ids=[path for _, path in UNKNOWN])
def test_an_unknown_key_is_refused_at_any_depth(given: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(StackConfig, given)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: unknown key; ")


# ---- all at once


def test_all_refusals_come_at_once() -> None:
    given = {
        "namespace": {"name": "A"},
        "cluster": {"context": "a"},
        "clusters": {},
        "storageNodeGroups": {
            "a": config(replicas="1", exposure={"kind": "nodePort", "basePort": 0}),
            "b": config(replicas=2, nodes={"7": {}}, ports={"api": 2001, "metrics": 2001}, prettify="no"),
            "c": config(replicas=2, nodes={"7": {}}, ports={"api": 2001, "metrics": 2001}),
        },
    }
    with pytest.raises(ConfigError) as caught:
        parse(StackConfig, given)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "namespace.name",
        "storageNodeGroups.a.replicas",
        "storageNodeGroups.a.exposure.basePort",
        "storageNodeGroups.b.prettify",
        "storageNodeGroups.c.nodes.7",
        "storageNodeGroups.c.ports",
        "clusters",
    ]


def test_the_error_counts_its_problems_and_has_a_line_for_each() -> None:
    assert str(ConfigError(["a: b"])) == "the config is refused, 1 problem:\n  - a: b"
    assert str(ConfigError(["a: b", "c: d"])) == "the config is refused, 2 problems:\n  - a: b\n  - c: d"


def test_an_object_that_was_checked_is_not_checked_again() -> None:
    args = StorageNodeGroupArgs.model_validate(config())
    assert parse(StorageNodeGroupArgs, args) is args


def test_rules_of_an_object_made_in_python_hold_too() -> None:
    with pytest.raises(ValueError, match="ports: TCP port 2001 is taken twice in one pod, by api and metrics"):
        StorageNodeGroupArgs.model_validate(config(ports={"api": 2001, "metrics": 2001}))


def test_a_config_cannot_be_changed_behind_the_back_of_its_rules() -> None:
    args = StorageNodeGroupArgs.model_validate(config())
    with pytest.raises(ValueError, match="frozen"):
        args.replicas = -1  # type: ignore[misc]


# ---- secrets

HUNTER = "hunter2 is my password"


@pytest.mark.parametrize(
    "given",
    [
        {"software": {**CODEX, "marketplace": {"ethProvider": {"url": HUNTER}}}},
        {"software": {**CODEX, "marketplace": {"ethProvider": {"url": HUNTER, "secret": {"name": "a", "key": "b"}}}}},
        {"software": MARKET, "keys": {"kind": "seed", "seed": HUNTER}},
        {"software": MARKET, "keys": {"kind": "seed", "seed": [HUNTER]}},
        {"software": MARKET, "keys": {"kind": "seed", "seed": HUNTER, "generation": 0}},
        {"software": MARKET, "keys": {"kind": "secret", "name": "a", "key": "b", "seed": HUNTER}},
        {"container": {"env": {"PASSWORD": [HUNTER]}}},
        {"container": {"env": {"CODEX_ETH_PRIVATE_KEY": HUNTER}}},
    ],
)
def test_no_refusal_shows_a_secret(given: dict[str, Any]) -> None:
    assert "hunter2" not in " ".join(refused(config(**given)))


@pytest.mark.parametrize(
    "given",
    [
        {"image": {"repository": " hunter2"}},
        {"serviceAccount": {"name": "Hunter2"}},
        {"software": {**CODEX, "quota": "hunter2"}},
        {"replicas": "hunter2"},
        {"layout": "hunter2"},
        {"exposure": {"kind": "hunter2"}},
        {"exposure": {"kind": "loadBalancer", "sourceRanges": ["hunter2"]}},
        {"pod": {"labels": {"a": "hunter2 "}}},
        {"software": {**CODEX, "logLevel": "hunter2"}},
        {"container": {"ports": [{"name": "hunter2--", "port": 1}]}},
    ],
)
def test_no_refusal_repeats_a_value_where_values_may_be_decrypted(given: dict[str, Any]) -> None:
    assert "hunter2" in " ".join(refused(config(**given))).lower()
    assert "hunter2" not in " ".join(refused(config(**given), show_values=False)).lower()


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", True),
        ("0x4c0883a69102937d6231471b5dbb6204", True),
        ("https://user:pass@rpc.example.org", True),
        ("https://rpc.example.org/v3?key=a", True),
        ("https://rpc.example.org/v3/abcdefghijklmnopqrstu", True),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9_abcdef", True),
        ("legal winner thank year wave sausage worth useful legal winner thank yellow", True),
        ("https://rpc.example.org/path", False),
        ("docker.io/codexstorage/nim-codex", False),
        ("203.0.113.7", False),
        ("", False),
        (5, False),
        (None, False),
    ],
)
def test_what_reads_like_a_secret(value: object, secret: bool) -> None:
    assert looks_secret(value) is secret


def test_a_number_in_the_place_of_a_text_may_be_a_password_and_is_not_shown() -> None:
    assert "48151623" not in " ".join(refused(config(container={"env": {"PASSWORD": 48151623}})))


def test_an_error_of_pydantic_alone_holds_no_input() -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        StorageNodeGroupArgs.model_validate(config(replicas="hunter2"))
    assert "hunter2" not in str(caught.value)
    assert as_config_error(caught.value, StorageNodeGroupArgs).problems == [  # type: ignore[arg-type]
        "replicas: 'hunter2' has the wrong type; write a whole number without quotes"
    ]
