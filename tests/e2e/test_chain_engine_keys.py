"""Sets of chains that have keys, peers and addresses of others through `pulumi up`: held once, found, and told to nobody."""

import json
from typing import Any

import pytest
from chain_engine import (
    chain_config,
    comet_set,
    consensus_of,
    key_secret,
    moving,
    peer_ids,
    quick_set,
    secret_spellings,
    seed_text,
    signs_with,
    where_told,
)
from chain_sets import height, rpc, status, wait_height
from cluster import apply, kubectl, until, wait_gone
from engine import ADOPT, NewStack, Stack, identities, objects, watching

from nodestead.chain_keys import node_id

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.usefixtures("chain_images")]

HELD, PAIRED = "5e1d" * 16, "9a1b" * 16


def make_namespace(name: str, *secrets: dict[str, Any]) -> None:
    """A namespace with Secrets of a user's, which the stack adopts."""
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *secrets])


# --- a key that is held once ---


class Holder:
    """Up to two stacks in one namespace, and the sets in them that ask for one consensus key."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        make_namespace(namespace, key_secret(namespace, "held", HELD))

    def configure(self, stack: Stack, *names: str, **given: Any) -> None:
        """Sets of these names, each of one node with the key."""
        keys = {"kind": "secret", "name": "held", "ids": {"0": node_id(HELD, 0, 1)}}
        signer = {"kind": "secret", "name": "held", "addresses": {"0": consensus_of(HELD)}}
        one = comet_set(HELD, type="validator", signer=signer, keys=keys, **given)
        stack.configure(chain_config(self.namespace, dict.fromkeys(names, one), create=False))

    def refused_by_guard(self, stack: Stack, reason: str = "already exists", **given: Any) -> None:
        """An update that the guard has to stop, with what the API server says of it and what we do."""
        said = stack.refused("up", "--yes", "--skip-preview", **given)
        (guard,) = [name for name in objects(self.namespace, "configmaps") if name.startswith("ConfigMap/nodestead-key-")]
        name = guard.partition("/")[2]
        assert [line for line in said.splitlines() if name in line and reason in line]
        assert f"consensus address {consensus_of(HELD)} is held already, by the node that ConfigMap {name} names" in said

    def signs(self, node: str) -> None:
        """Waits for blocks that the node signed with the key."""
        wait_height(self.namespace, node, moving(self.namespace, node))
        assert signs_with(self.namespace, node, consensus_of(HELD))


@pytest.fixture(scope="module")
def holder(kubectl: object, module_namespace: str) -> Holder:
    return Holder(module_namespace)


def test_a_renamed_validator_waits_until_the_old_name_is_gone_and_takes_over_its_data(
    holder: Holder, new_stack: NewStack
) -> None:
    stack, namespace = new_stack(), holder.namespace
    holder.configure(stack, "old")
    stack.up()
    holder.signs("old-0")
    pod = identities(namespace, "pods")
    # Whoever renames a set gives it the old data: what was signed stands there.
    moved = {"nodes": {"0": {"existingClaim": "data-old-0-0"}}}

    with watching(namespace, "old", "new") as seen:
        holder.configure(stack, "new", **moved)
        holder.refused_by_guard(stack)
        # Whoever adopts what is there does not get a key that another holds.
        holder.refused_by_guard(stack, "field is immutable", env=ADOPT)
        assert identities(namespace, "pods") == pod
        holder.signs("old-0")

        before = height(namespace, "old-0")
        holder.configure(stack)
        stack.up()
        assert objects(namespace, "pods") == {}
        holder.configure(stack, "new", **moved)
        stack.up()

    assert seen.together == [{"old-0"}, set(), {"new-0"}]
    assert height(namespace, "new-0") >= before
    holder.signs("new-0")
    stack.changes_nothing()
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_second_stack_gets_a_key_when_the_first_has_let_go_of_it(holder: Holder, new_stack: NewStack) -> None:
    first, second, namespace = new_stack(), new_stack(), holder.namespace
    holder.configure(first, "mine")
    first.up()

    with watching(namespace, "mine", "rival") as seen:
        holder.configure(second, "rival")
        holder.refused_by_guard(second)
        holder.refused_by_guard(second, "field is immutable", env=ADOPT)
        holder.signs("mine-0")
        first.run("destroy", "--yes", "--skip-preview")
        second.up()
        holder.signs("rival-0")
        # And it comes back under its own name, with its own data.
        before = height(namespace, "rival-0")
        second.run("destroy", "--yes", "--skip-preview")
        second.up()

    assert seen.together == [{"mine-0"}, set(), {"rival-0"}, set(), {"rival-0"}]
    assert height(namespace, "rival-0") >= before
    holder.signs("rival-0")


# --- sets that have each other as peers ---


class Pair:
    """A validator and two sentries with load balancers, which have each other as peers."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace = stack, namespace
        make_namespace(namespace, key_secret(namespace, "paired", PAIRED))
        sentries = {
            "type": "sentry",
            "signer": {"kind": "none"},
            "replicas": 2,
            "peersFrom": [{"set": "validator"}],
            "exposure": {"kind": "loadBalancer"},
            "rollout": {"maxUnavailable": 2, "timeout": "90s"},
        }
        signer = {"kind": "secret", "name": "paired", "addresses": {"0": consensus_of(PAIRED)}}
        validator = comet_set(PAIRED, type="validator", signer=signer, peersFrom=[{"set": "sentry"}])
        sets = {"sentry": comet_set(PAIRED, **sentries), "validator": validator}
        stack.configure(chain_config(namespace, sets))
        # With all that the CLI can tell, for the search of secrets.
        stack.up("--diff")

    def ids(self, name: str) -> set[str]:
        return {node["nodeId"] for node in self.outputs()["nodes"][name].values()}

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.stack.run("stack", "output", "--json"))


@pytest.fixture(scope="module")
def pair(new_stack: NewStack, other_namespace: str) -> Pair:
    return Pair(new_stack(), other_namespace)


def config_value(namespace: str, node: str, key: str) -> str:
    """A value of the config.toml that a node has."""
    path = "/home/operator/cosmos/config/config.toml"
    line = kubectl("exec", f"{node}-0", "-n", namespace, "-c", "health", "--", "grep", f"^{key} = ", path)
    return line.strip().partition(" = ")[2].strip('"')


def test_sets_that_have_each_other_as_peers_come_up_in_one_update(pair: Pair) -> None:
    namespace, nodes = pair.namespace, ("sentry-0", "sentry-1", "validator-0")
    ids = {node: status(namespace, node)["node_info"]["id"] for node in nodes}
    assert (pair.ids("sentry"), pair.ids("validator")) == ({ids["sentry-0"], ids["sentry-1"]}, {ids["validator-0"]})

    for node in nodes:
        others = {ids[other] for other in nodes if other != node}
        until(f"all peers of {node}", lambda node=node, others=others: peer_ids(namespace, node) == others)
    wait_height(namespace, "sentry-1", height(namespace, "validator-0") + 1)

    # Sentries tell nobody of their validator.
    for node in ("sentry-0", "sentry-1"):
        assert ids["validator-0"] in config_value(namespace, node, "private_peer_ids").split(",")
    pods = identities(namespace, "pods")
    pair.stack.changes_nothing()
    assert identities(namespace, "pods") == pods


def test_the_address_of_a_load_balancer_is_known_at_the_first_start(pair: Pair) -> None:
    namespace = pair.namespace
    served = {
        node: objects(namespace, "services")[f"Service/{node}-loadbalancer"]["status"]["loadBalancer"]["ingress"][0]["ip"]
        for node in ("sentry-0", "sentry-1")
    }
    for node, address in served.items():
        assert config_value(namespace, node, "external_address") == f"{address}:26656"
        assert rpc(namespace, node, "status")["node_info"]["listen_addr"] == f"{address}:26656"
        # One revision, and no container that began twice.
        (pod,) = [one for one in objects(namespace, "pods").values() if one["metadata"]["name"] == f"{node}-0"]
        assert [one["restartCount"] for one in pod["status"]["containerStatuses"]] == [0, 0]
        revisions = [name for name in objects(namespace, "controllerrevisions") if name.startswith(f"ControllerRevision/{node}-")]
        assert len(revisions) == 1
    outputs = pair.outputs()
    nodes = outputs["nodes"]["sentry"]
    assert outputs["publicPeers"]["sentry"] == [f"{nodes[node]['nodeId']}@{served[node]}:26656" for node in served]
    assert outputs["firewallPorts"]["sentry"] == ["tcp/26656"]


def test_a_set_of_another_stack_is_dialled_by_that_stacks_outputs(pair: Pair, new_stack: NewStack) -> None:
    other, namespace = new_stack(name="other", state=pair.stack.state), pair.namespace

    def configure(name: str, *, public: bool = False) -> None:
        source = {"stack": "organization/nodestead/e2e", "set": name, "public": public}
        sets = {"outer": comet_set(PAIRED, peersFrom=[source])}
        other.configure(chain_config(namespace, sets, create=False))

    configure("nobody")
    said = other.refused("preview")
    assert "stack organization/nodestead/e2e has no peers of a set nobody in its outputs" in said
    assert "Traceback" not in said

    configure("sentry")
    other.up()
    assert config_value(namespace, "outer-0", "persistent_peers") == ",".join(sorted(pair.outputs()["peers"]["sentry"]))
    until("both sentries", lambda: pair.ids("sentry") <= peer_ids(namespace, "outer-0"))
    assert not pair.ids("validator") & peer_ids(namespace, "outer-0")
    wait_height(namespace, "outer-0", height(namespace, "validator-0"))
    other.changes_nothing()

    configure("sentry", public=True)
    other.up()
    public = ",".join(sorted(pair.outputs()["publicPeers"]["sentry"]))
    assert config_value(namespace, "outer-0", "persistent_peers") == public
    until("both sentries", lambda: pair.ids("sentry") <= peer_ids(namespace, "outer-0"))
    other.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    wait_gone(namespace, "pod/outer-0-0")


# --- secrets ---


def test_no_given_key_is_told_or_stands_in_the_state(pair: Pair) -> None:
    secrets = secret_spellings(PAIRED, [0])
    secrets = secrets.union(*(secret_spellings(seed_text(pair.stack, name), [0, 1]) for name in ("sentry", "validator")))

    (sign,) = pair.ids("validator")
    assert where_told(pair.stack, pair.namespace, secrets, sign) == []
    # The search can find them: in clear they are there.
    held = kubectl("get", "secret", "paired", "--namespace", pair.namespace, "--output", "json")
    assert [one for one in secrets if one in held]


def test_a_rendered_folder_of_a_local_network_holds_no_secret(new_stack: NewStack) -> None:
    stack = new_stack()
    sets = {"hub": quick_set(replicas=3, network={"kind": "local", "validators": 2})}
    stack.configure(chain_config("rendered-only", sets, render="rendered"))
    stack.up()

    texts = {path.name: path.read_text() for path in (stack.folder / "rendered").rglob("*.yaml")}
    named = {name.rpartition("rendered-only-")[2] for name in texts if "-secret-" in name}
    assert named == {f"hub-{number}-key-g1.yaml" for number in range(3)}
    secrets = secret_spellings(seed_text(stack, "hub"), range(3))
    told = {**texts, "the CLI": stack.said, "the state": stack.state_text()}
    assert [(where, len(one)) for where, text in told.items() for one in secrets if one in text] == []
    # What is public of the keys is there, and real.
    (config,) = [text for name, text in texts.items() if name.endswith("-hub-0-config.yaml")]
    assert node_id(seed_text(stack, "hub"), 1, 1) in config
