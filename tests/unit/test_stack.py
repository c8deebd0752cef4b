"""Rules between the sets of a stack, and what a stack is made of."""

from typing import Any

import pytest
from chains import config as chain_config

from nodestead.config.base import ConfigError, parse
from nodestead.kubernetes.objects import identity
from nodestead.plans.stack import StackConfig, neighbours_of, plan_stack
from nodestead.preview.yaml_text import plain

CODEX = {"software": {"kind": "codex", "version": "0.2.5"}}
NETWORK = {"bootstrap": {"kind": "network", "name": "testnet"}}


def stack(groups: dict[str, Any], **parts: Any) -> StackConfig:
    return parse(
        StackConfig, {"namespace": {"name": "storage"}, "cluster": {"context": "prod"}, **parts, "storageNodeGroups": groups}
    )


def problems(groups: dict[str, Any], **parts: Any) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        stack(groups, **parts)
    return refusal.value.problems


def node_port(**ports: int) -> dict[str, Any]:
    return {**CODEX, **NETWORK, "exposure": {"kind": "nodePort", "externalAddress": {"kind": "hostIP"}, **ports}}


def balanced(**addresses: str) -> dict[str, Any]:
    return {**CODEX, "bootstrap": {"kind": "none"}, "exposure": {"kind": "loadBalancer", "loadBalancerIPs": addresses}}


def market(**keys: Any) -> dict[str, Any]:
    software = {**CODEX["software"], "marketplace": {"ethProvider": {"secret": {"name": "rpc", "key": "url"}}}}
    return {**NETWORK, "software": software, "keys": {"kind": "secret", **keys}}


def test_a_port_of_two_groups_is_refused_where_their_ranges_meet() -> None:
    assert problems({"a": {**node_port(basePort=30500), "replicas": 5}, "b": node_port(basePort=30504)}) == [
        (
            "storageNodeGroups.b.exposure.basePort: TCP port 30504 of node 1 is that of node 5 of storageNodeGroups.a; ports are"
            " the whole cluster's, move one of the ranges"
        )
    ]


def test_a_port_of_two_groups_is_refused_for_udp_alone() -> None:
    (problem,) = problems(
        {
            "a": node_port(basePort=30500, discoveryBasePort=30600),
            "b": node_port(basePort=30700, discoveryBasePort=30600),
        }
    )
    assert problem.startswith("storageNodeGroups.b.exposure.discoveryBasePort: UDP port 30600")


def test_tcp_and_udp_of_one_number_are_two_ports() -> None:
    stack(
        {
            "a": node_port(basePort=30500, discoveryBasePort=30600),
            "b": node_port(basePort=30600, discoveryBasePort=30500),
        }
    )


def test_two_load_balancers_of_two_groups_on_one_address_are_refused() -> None:
    (problem,) = problems({"a": balanced(**{"1": "203.0.113.7"}), "b": balanced(**{"1": "203.0.113.7"})})
    assert problem.startswith("storageNodeGroups.b.exposure.loadBalancerIPs.1: 203.0.113.7 is that of a load balancer of")


def test_two_groups_with_the_same_keys_are_refused() -> None:
    (problem,) = problems({"a": market(name="eth"), "b": market(name="eth")})
    assert problem.startswith("storageNodeGroups.b.keys: names keys of storageNodeGroups.a: two nodes would sign")


def test_two_groups_with_keys_of_their_own_pass() -> None:
    stack({"a": market(name="eth-a"), "b": market(name="eth-b")})
    stack({"a": market(name="eth", key="A-<replica>"), "b": market(name="eth", key="B-<replica>")})
    stack({"a": {**market(name="eth"), "replicas": 3}, "b": {**market(name="eth"), "firstOrdinal": 4}})


def test_keys_that_are_spelled_otherwise_and_are_the_same_are_refused() -> None:
    (problem,) = problems({"a": market(name="eth-<replica>", key="KEY"), "b": market(name="eth-1", key="KEY")})
    assert problem.startswith("storageNodeGroups.b.keys: names keys of storageNodeGroups.a: two nodes would sign with one key")


SEED = "5eed" * 16


def seeded(**given: Any) -> dict[str, Any]:
    return {**market(), "keys": {"kind": "seed", "seed": SEED}, **given}


def test_two_groups_with_one_seed_are_refused_and_the_seed_is_not_shown() -> None:
    (problem,) = problems({"a": seeded(), "b": seeded()})
    assert problem.startswith(
        "storageNodeGroups.b.keys.seed: gives keys of storageNodeGroups.a: two nodes would sign with one key;"
    )
    assert SEED not in problem


def test_one_seed_may_serve_two_groups_with_other_ordinals_or_another_generation() -> None:
    stack({"a": seeded(replicas=3), "b": seeded(firstOrdinal=4)})
    stack({"a": seeded(), "b": seeded(keys={"kind": "seed", "seed": SEED, "generation": 2})})


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"persistence": {"kind": "existingClaim", "claim": "mine"}}, "persistence.claim"),
        ({"nodes": {"1": {"existingClaim": "mine"}}}, "nodes.1.existingClaim"),
    ],
)
def test_two_groups_on_one_claim_are_refused(given: dict[str, Any], path: str) -> None:
    sized = {**NETWORK, "software": {**CODEX["software"], "quota": "1Gi"}}
    first = {**sized, "nodes": {"1": {"existingClaim": "mine"}}}
    assert problems({"a": first, "b": {**sized, **given}}) == [
        f"storageNodeGroups.b.{path}: 'mine' holds the data of storageNodeGroups.a: name another"
    ]


def routed(name: str) -> dict[str, Any]:
    route = {"kind": "ingress", "hosts": ["a.example.org"], "tls": "none", "name": name}
    return {**CODEX, "api": {"route": route}}


@pytest.mark.parametrize(
    ("groups", "double"),
    [
        ({"a": routed("api"), "b": routed("api")}, "Ingress api"),
        ({"a": {**CODEX, "serviceAccount": {"name": "x"}}, "b": {**CODEX, "serviceAccount": {"name": "x"}}}, "ServiceAccount x"),
    ],
)
def test_two_groups_that_give_one_name_to_their_shared_objects_are_refused(groups: dict[str, Any], double: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        plan_stack(stack(groups))
    assert refusal.value.problems == [f"the stack: two sets make {double}; rename one of them"]


def test_two_groups_may_use_one_account_that_is_there() -> None:
    account = {"serviceAccount": {"create": False, "name": "x"}}
    plan_stack(stack({"a": {**CODEX, **account}, "b": {**CODEX, **account}}))


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_host_ports_are_refused_where_pod_security_refuses_them(level: str) -> None:
    group = {
        **CODEX,
        "bootstrap": {"kind": "none"},
        "exposure": {"kind": "hostPort", "basePort": 8070, "externalAddress": {"kind": "hostIP"}},
    }
    (problem,) = problems({"a": group}, namespace={"name": "storage", "podSecurity": level})
    assert problem.startswith(f"namespace.podSecurity: {level} refuses the host ports of storageNodeGroups.a; set privileged")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"namespce": {"name": "x"}}, "namespce: unknown key; did you mean namespace?"),
        ({"namespace": {"name": "x", "creat": True}}, "namespace.creat: unknown key; did you mean create?"),
        ({"cluster": {"rendr": "out"}}, "cluster.rendr: unknown key; did you mean render?"),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "persistence": {"kind": "volume", "sise": "1Gi"}}}},
            "storageNodeGroups.codex.persistence.sise: unknown key; did you mean size?",
        ),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "pod": {"affinity": {"nodeAffinty": {}}}}}},
            "storageNodeGroups.codex.pod.affinity.nodeAffinty: unknown key; did you mean nodeAffinity?",
        ),
        (
            {"storageNodeGroups": {"codex": {**CODEX, "nodes": {"1": {"disable": True}}}}},
            "storageNodeGroups.codex.nodes.1.disable: unknown key; did you mean disabled?",
        ),
    ],
)
def test_an_unknown_key_is_refused_at_any_depth(config: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(StackConfig, {"namespace": {"name": "storage"}, "cluster": {"context": "prod"}, **config})
    assert line in refusal.value.problems


def test_refusals_of_several_groups_come_at_once() -> None:
    found = problems({"a": {**CODEX, "replicas": -1}, "b": {**CODEX, "layuot": "pooled"}, "c": {}})
    assert [line.split(":")[0] for line in found] == [
        "storageNodeGroups.a.replicas",
        "storageNodeGroups.b.layuot",
        "storageNodeGroups.c.software",
    ]


def test_two_groups_whose_objects_would_share_a_name_are_refused() -> None:
    lost = {**CODEX, "persistence": {"kind": "ephemeral"}}
    config = stack({"codex": {**lost, "prettifyServices": False}, "codex-1": {**lost, "replicas": 1, "prettify": True}})
    with pytest.raises(ConfigError) as refusal:
        plan_stack(config)
    assert "the stack: two sets make StatefulSet codex-1; rename one of them" in refusal.value.problems


def test_a_claim_that_two_groups_would_make_is_refused() -> None:
    (problem,) = problems({"codex": CODEX, "codex-1": {**CODEX, "prettify": True}})
    assert problem.startswith("storageNodeGroups.codex-1")
    assert "'data-codex-1-1', which node 1 makes, holds the data of storageNodeGroups.codex" in problem


def test_a_namespace_is_made_first_and_kept() -> None:
    first = next(plan_stack(stack({"codex": CODEX})).manifests())
    assert identity(first) == ("", "Namespace", "", "storage")
    assert first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert first["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"


def test_a_given_namespace_is_not_made() -> None:
    plan = plan_stack(stack({"codex": CODEX}, namespace={"name": "storage", "create": False}))
    assert [m["kind"] for m in plan.manifests() if m["kind"] == "Namespace"] == []


def test_a_stack_without_sets_is_a_namespace() -> None:
    assert [identity(m) for m in plan_stack(stack({})).manifests()] == [("", "Namespace", "", "storage")]


@pytest.mark.parametrize("cluster", [{"render": "out"}, {"context": "prod"}, {"kubeconfig": "kube/config"}])
def test_a_stack_names_its_cluster_or_folder(cluster: dict[str, str]) -> None:
    stack({}, cluster=cluster)


def test_a_stack_does_not_go_to_whatever_cluster_is_current() -> None:
    assert problems({}, cluster={}) == [
        "cluster.context: name the context, the current one changes; or set render to a folder for manifests"
    ]
    with pytest.raises(ConfigError) as refusal:
        parse(StackConfig, {"namespace": {"name": "storage"}})
    assert refusal.value.problems == ["cluster: is required and not given; add it"]


# ---- blockchain node sets


def chains(sets: dict[str, Any], **parts: Any) -> StackConfig:
    """A stack of blockchain node sets; ports of hosts are allowed there."""
    return stack({}, **{"namespace": PRIVILEGED, "blockchainNodeSets": sets, **parts})


def chain_problems(sets: dict[str, Any], **parts: Any) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        chains(sets, **parts)
    return refusal.value.problems


def public(kind: str = "nodePort", **exposure: Any) -> dict[str, Any]:
    return chain_config(exposure={"kind": kind, **exposure})


PRIVILEGED = {"name": "chain", "podSecurity": "privileged"}
CLASH = "ports are the whole cluster's, move one of the ranges"


def test_a_port_of_two_sets_is_refused_where_their_ranges_meet() -> None:
    assert chain_problems({"a": {**public(basePort=30500), "replicas": 5}, "b": public(basePort=30504)}) == [
        f"blockchainNodeSets.b.exposure.basePort: TCP port 30504 of node 0 is that of node 4 of blockchainNodeSets.a; {CLASH}"
    ]


def test_a_port_of_a_set_and_a_group_is_refused_too() -> None:
    (problem,) = problems(
        {"a": node_port(basePort=30500)}, blockchainNodeSets={"b": public("hostPort", basePort=30500)}, namespace=PRIVILEGED
    )
    assert problem == (
        f"blockchainNodeSets.b.exposure.basePort: TCP port 30500 of node 0 is that of node 1 of storageNodeGroups.a; {CLASH}"
    )


@pytest.mark.parametrize(
    "sets",
    [
        {"a": {**public(basePort=30500), "replicas": 4}, "b": public(basePort=30504)},
        {"a": {**public(basePort=30500, first=1), "replicas": 4}, "b": public(basePort=30503)},
        {"a": {**public(basePort=30500, offset=2), "replicas": 4}, "b": {**public(basePort=30501, offset=2), "replicas": 4}},
        {"a": public("loadBalancer"), "b": public("loadBalancer"), "c": public("cluster")},
    ],
)
def test_sets_whose_ports_lie_apart_pass(sets: dict[str, Any]) -> None:
    assert plan_stack(chains(sets)).sets


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_host_ports_of_a_set_are_refused_where_pod_security_refuses_them(level: str) -> None:
    assert chain_problems({"a": public("hostPort")}, namespace={"name": "chain", "podSecurity": level}) == [
        (
            f"namespace.podSecurity: {level} refuses the host ports of blockchainNodeSets.a; set privileged, or expose by"
            " nodePort or loadBalancer"
        )
    ]
    chains({"a": public("hostPort")}, namespace={"name": "chain", "podSecurity": level, "create": False})
    chains({"a": public("nodePort")}, namespace={"name": "chain", "podSecurity": level})


def test_a_set_and_a_group_may_not_have_one_name() -> None:
    (problem,) = problems({"hub": CODEX}, blockchainNodeSets={"hub": chain_config()})
    assert problem == "blockchainNodeSets.hub: hub is the name of a set under storageNodeGroups too; rename one of them"


ADDRESS = "0a" * 20


def signing(name: str = "val", address: str = ADDRESS, **given: Any) -> dict[str, Any]:
    return chain_config(type="validator", signer={"kind": "secret", "name": name, "addresses": {"0": address}}, **given)


@pytest.mark.parametrize(
    "other", [signing(), signing("another"), signing(address=ADDRESS.upper())], ids=["equal", "another Secret", "upper case"]
)
def test_two_sets_with_one_consensus_key_are_refused(other: dict[str, Any]) -> None:
    assert chain_problems({"a": signing(), "b": other}) == [
        (
            f"blockchainNodeSets.b.signer: consensus address {ADDRESS.upper()}, of node 0, is that of blockchainNodeSets.a too:"
            " two nodes would sign with one key, and be slashed for it; give each its own"
        )
    ]


def test_two_sets_with_consensus_keys_of_their_own_pass() -> None:
    chains({"a": signing("a"), "b": signing("a", "0b" * 20)})
    nobody = {"kind": "secret", "name": "val"}
    chains({"a": signing(), "b": chain_config(type="validator", replicas=0, signer=nobody)})


def test_peers_come_from_a_set_that_is_there() -> None:
    known = {"sentries": chain_config(type="sentry"), "hub": chain_config(peersFrom=[{"set": "sentries"}, {"set": "sentry"}])}
    assert chain_problems(known) == [
        (
            "blockchainNodeSets.hub.peersFrom[1].set: there is no set sentry under blockchainNodeSets; name one of them, or give"
            " stack too"
        )
    ]
    assert chain_problems({"hub": chain_config(peersFrom=[{"set": "hub"}])}) == [
        "blockchainNodeSets.hub.peersFrom[0].set: is the set itself, whose nodes know each other anyway; leave it out"
    ]
    chains({"hub": chain_config(peersFrom=[{"set": "elsewhere", "stack": "org/project/prod"}])})


def mutual(**keys: Any) -> StackConfig:
    sentries = chain_config(type="sentry", replicas=2, peersFrom=[{"set": "val"}], keys={"kind": "seed", **keys})
    return chains({"sentries": sentries, "val": signing(peersFrom=[{"set": "sentries"}])})


@pytest.mark.parametrize(
    ("backs", "passes"),
    [
        ([], False),
        ([{"set": "val"}], True),
        ([{"set": "val", "dial": False, "unconditional": False}], True),
        ([{"set": "val", "private": False}], False),
        ([{"set": "val", "stack": "org/project/prod"}], False),
        ([{"set": "other"}, {"set": "val"}], True),
    ],
)
def test_sentries_know_their_validator_and_tell_nobody_of_it(backs: list[dict[str, Any]], passes: bool) -> None:
    sets = {
        "sentries": chain_config(type="sentry", peersFrom=backs),
        "val": signing(peersFrom=[{"set": "sentries"}, {"set": "elsewhere", "stack": "org/project/prod"}]),
        "other": chain_config(),
    }
    if passes:
        chains(sets)
        return
    assert chain_problems(sets) == [
        (
            "blockchainNodeSets.val.peersFrom[0].set: sentries does not know this validator, and would tell the world of it;"
            " give sentries a peersFrom with set: val too"
        )
    ]


def test_sets_that_have_each_other_as_peers_show_each_other() -> None:
    config = mutual()
    assert neighbours_of(config, "chain") == {
        "sentries": [f"(node id of sentries-{n}, generation 1)@sentries-{n}-p2p.chain:26656" for n in (0, 1)],
        "val": ["(node id of val-0, generation 1)@val-0-p2p.chain:26656"],
    }
    texts = {name: "".join(map(str, map(plain, plan_stack(config).manifests()))) for name in ("first", "second")}
    assert texts["first"] == texts["second"]
    assert "(node id of sentries-1, generation 1)@sentries-1-p2p.chain:26656" in texts["first"]


def test_new_keys_of_a_neighbour_show_in_what_a_set_renders() -> None:
    def shown(config: StackConfig) -> str:
        (val,) = [one for one in plan_stack(config).sets if one.name == "val"]
        return str([plain(one) for one in val.manifests()])

    assert shown(mutual()) == shown(mutual())
    assert shown(mutual()) != shown(mutual(generation=2))


def test_a_name_of_a_set_that_gets_too_long_is_refused_with_its_path() -> None:
    (problem,) = chain_problems({"c" * 60: chain_config()})
    assert problem.startswith(f"blockchainNodeSets.{'c' * 60}: the name of its last node")


def test_two_sets_whose_objects_would_share_a_name_are_refused() -> None:
    with pytest.raises(ConfigError) as refusal:
        plan_stack(chains({"hub": chain_config(serviceAccount={"name": "x"}), "sea": chain_config(serviceAccount={"name": "x"})}))
    assert refusal.value.problems == ["the stack: two sets make ServiceAccount x; rename one of them"]
    plan_stack(chains({"hub": chain_config(), "hub-0": chain_config()}))


# ---- what two sets may not share


CLAIM = {"kind": "existingClaim", "claim": "mine"}
KEY_SECRET = {"kind": "secret", "name": "nodes", "ids": {"0": "a" * 40}}


@pytest.mark.parametrize(
    "given", [{"persistence": CLAIM}, {"nodes": {"0": {"existingClaim": "mine"}}}], ids=["persistence", "nodes"]
)
def test_two_sets_on_one_claim_are_refused(given: dict[str, Any]) -> None:
    path = "persistence.claim" if "persistence" in given else "nodes.0.existingClaim"
    assert chain_problems({"a": chain_config(persistence=CLAIM), "b": chain_config(**given)}) == [
        f"blockchainNodeSets.b.{path}: 'mine' holds the data of blockchainNodeSets.a: name another"
    ]


def test_a_set_and_a_group_on_one_claim_are_refused() -> None:
    group = {**NETWORK, "software": {**CODEX["software"], "quota": "1Gi"}, "nodes": {"1": {"existingClaim": "mine"}}}
    assert problems({"codex": group}, blockchainNodeSets={"hub": chain_config(persistence=CLAIM)}) == [
        "blockchainNodeSets.hub.persistence.claim: 'mine' holds the data of storageNodeGroups.codex: name another"
    ]


def test_a_claim_that_another_set_makes_is_refused() -> None:
    taker = chain_config(nodes={"0": {"existingClaim": "data-hub-1-0"}})
    assert chain_problems({"hub": chain_config(replicas=2), "sea": taker}) == [
        "blockchainNodeSets.sea.nodes.0.existingClaim: 'data-hub-1-0' holds the data of blockchainNodeSets.hub: name another"
    ]
    assert chain_problems({"sea": taker, "hub": chain_config(replicas=2)}) == [
        (
            "blockchainNodeSets.hub.persistence: 'data-hub-1-0', which node 1 makes, holds the data of blockchainNodeSets.sea:"
            " name another there"
        )
    ]
    chains({"hub": chain_config(), "sea": taker})
    chains({"hub": chain_config(replicas=2, persistence={"kind": "ephemeral"}), "sea": taker})


def one_seed(**given: Any) -> dict[str, Any]:
    return chain_config(keys={"kind": "seed", "seed": SEED}, **given)


LOCAL_NET = {"genesis": None, "replicas": 2, "network": {"kind": "local", "validators": 2}}
ONE_ID = "two nodes would have one node id; use another seed, or other ordinals"


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        (one_seed(), one_seed(), f"gives node keys of blockchainNodeSets.a: {ONE_ID}"),
        (one_seed(replicas=3), one_seed(firstOrdinal=2), f"gives node keys of blockchainNodeSets.a: {ONE_ID}"),
        (
            one_seed(**LOCAL_NET),
            one_seed(**LOCAL_NET),
            (
                "gives node keys and consensus keys of blockchainNodeSets.a: two validators would sign with one key; use another"
                " seed, or other ordinals"
            ),
        ),
        (one_seed(**LOCAL_NET), one_seed(), f"gives node keys of blockchainNodeSets.a: {ONE_ID}"),
    ],
)
def test_two_sets_with_one_seed_are_refused_and_the_seed_is_not_shown(
    one: dict[str, Any], two: dict[str, Any], what: str
) -> None:
    found = chain_problems({"a": one, "b": {**two, "keys": {"kind": "seed", "seed": SEED.upper()}}})
    assert found == [f"blockchainNodeSets.b.keys.seed: {what}"]
    assert SEED not in found[0].lower()


def test_one_seed_may_serve_two_sets_with_other_ordinals_or_another_generation() -> None:
    chains({"a": one_seed(replicas=3), "b": one_seed(firstOrdinal=3)})
    chains({"a": one_seed(), "b": chain_config(keys={"kind": "seed", "seed": SEED, "generation": 2})})
    stack({"a": seeded()}, blockchainNodeSets={"b": one_seed(firstOrdinal=1)})


@pytest.mark.parametrize(
    "other",
    [
        {**KEY_SECRET, "key": "node_key-<replica>.json", "ids": {"0": "b" * 40}},
        {**KEY_SECRET, "key": "node_key-0.json"},
        {**KEY_SECRET, "name": "others"},
    ],
    ids=["entry", "both", "id"],
)
def test_two_sets_with_one_given_node_key_are_refused(other: dict[str, Any]) -> None:
    assert chain_problems({"a": chain_config(keys=KEY_SECRET), "b": chain_config(keys=other)}) == [
        (
            "blockchainNodeSets.b.keys: names node keys of blockchainNodeSets.a: two nodes would have one node id; use another"
            " Secret, or other entries"
        )
    ]
    own = {**KEY_SECRET, "ids": {"5": "b" * 40}}
    chains({"a": chain_config(keys=KEY_SECRET), "b": chain_config(keys=own, firstOrdinal=5)})


def at(address: str, **given: Any) -> dict[str, Any]:
    """A set whose load balancer is asked for by its address."""
    return chain_config(exposure={"kind": "loadBalancer", "loadBalancerIPs": {"0": address}}, **given)


def announcing(host: str, **given: Any) -> dict[str, Any]:
    """A set that announces a given address of its load balancer."""
    fixed = {"kind": "fixed", "addresses": {"0": host}}
    return chain_config(exposure={"kind": "loadBalancer", "externalAddress": fixed}, **given)


IP = "203.0.113.7"
OWN = "give each load balancer its own"


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        (at(IP), at(IP), f"exposure.loadBalancerIPs.0: {IP} with port 26656 is that of blockchainNodeSets.a: {OWN}"),
        (
            announcing("2001:db8::7"),
            announcing("2001:DB8:0::7"),
            (f"exposure.externalAddress.addresses.0: 2001:DB8:0::7 with port 26656 is announced by blockchainNodeSets.a: {OWN}"),
        ),
        (
            at(IP),
            chain_config(exposure={"kind": "loadBalancer"}, nodes={"0": {"externalAddress": IP}}),
            f"nodes.0.externalAddress: {IP} with port 26656 is announced by blockchainNodeSets.a: {OWN}",
        ),
    ],
    ids=["asked for", "announced", "both"],
)
def test_two_sets_behind_one_address_and_port_are_refused(one: dict[str, Any], two: dict[str, Any], what: str) -> None:
    assert chain_problems({"a": one, "b": two}) == [f"blockchainNodeSets.b.{what}"]


def test_a_set_and_a_group_behind_one_address_are_refused_with_one_port_only() -> None:
    assert problems({"a": balanced(**{"1": IP})}, blockchainNodeSets={"b": at(IP, ports={"p2p": 8070})}) == [
        f"blockchainNodeSets.b.exposure.loadBalancerIPs.0: {IP} with port 8070 is that of storageNodeGroups.a: {OWN}"
    ]
    stack({"a": balanced(**{"1": IP})}, blockchainNodeSets={"b": at(IP)})


def test_two_sets_behind_one_address_with_ports_of_their_own_pass() -> None:
    chains({"a": at(IP), "b": at(IP, ports={"p2p": 26756}), "c": announcing(IP, ports={"p2p": 26856})})
    behind = {"kind": "fixed", "addresses": {"0": IP}}
    sets = {name: public(basePort=port, externalAddress=behind) for name, port in (("a", 30500), ("b", 30600))}
    chains(sets)


def routes(**hosts: str) -> dict[str, Any]:
    asked = {protocol: {"hosts": [host]} for protocol, host in hosts.items()}
    secret = {"secret": "tls"}
    return chain_config(routes={"kind": "ingress", "tls": secret, "controllerNamespace": "edge", **asked})


def test_two_sets_on_one_host_are_refused_whatever_the_protocol() -> None:
    assert chain_problems({"a": routes(rpc="x.example.org"), "b": routes(api="y.example.org", grpc="x.example.org")}) == [
        "blockchainNodeSets.b.routes.grpc.hosts[0]: x.example.org leads to the nodes of blockchainNodeSets.a: set another host"
    ]
    chains({"a": routes(rpc="x.example.org"), "b": routes(rpc="y.example.org")})


def test_peers_are_of_the_same_chain() -> None:
    osmosis = chain_config(software={"kind": "cosmos", "chain": "osmosis-1"}, genesis=None)
    comet = chain_config(software={"kind": "cometbft", "chainId": "net-1", "proxyApp": "kvstore"}, image=None)
    hub = chain_config(peersFrom=[{"set": "same"}, {"set": "osmosis"}, {"set": "osmosis", "stack": "org/project/prod"}])
    assert chain_problems({"hub": hub, "same": comet, "osmosis": osmosis}) == [
        (
            "blockchainNodeSets.hub.peersFrom[1].set: osmosis is of chain osmosis-1, and this set of net-1: their nodes refuse"
            " each other; name a set of the same chain"
        )
    ]
