"""Groups of storage nodes through `pulumi up`: batches, what is kept, what is refused, and what a broken update leaves."""

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from cluster import kubectl, wait_gone, wait_ready
from Crypto.Protocol.KDF import bcrypt_check
from engine import ADOPT, PROJECT, Stack, dev_config, watching
from storage_groups import ask, debug_info, group, market, send

from nodestead import rollout_waves
from nodestead.keys import ethereum_address, ethereum_key

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

DATA = "/api/codex/v1/data"
PROVIDER_URL = "http://rpc.example.org/v3/6a1c5d0e9b7f48c2"
URL_PATH = "nodestead:storageNodeGroups.{}.software.marketplace.ethProvider.url"
SEED_PATH = "nodestead:storageNodeGroups.{}.keys.seed"
# The file backend locks a stack for one command at a time, and a killed command leaves its lock.
UNLOCK = ("cancel", "--yes")

NewStack = Callable[..., Stack]


@pytest.fixture(scope="module")
def new_stack(storage_image: str, tmp_path_factory: pytest.TempPathFactory) -> NewStack:
    """Makes a stack; without the CLI everything that asks for one is skipped."""
    if shutil.which("pulumi") is None:
        pytest.skip("NOT TESTED in the engine: there is no Pulumi CLI on PATH; https://www.pulumi.com/docs/install/ tells how")

    def make(program: str | None = None, name: str = "e2e") -> Stack:
        return Stack(tmp_path_factory.mktemp("stack") / "project", program, name)

    return make


def small(**given: Any) -> dict[str, Any]:
    """What makes the group of dev fit a small machine, and be quick."""
    quick = group()
    return {key: quick[key] for key in ("container", "patches")} | given


def trading(**given: Any) -> dict[str, Any]:
    """A group with keys; the URL of its provider is set as a secret."""
    software = market()
    software["marketplace"].pop("ethProvider")
    return small(software=software, bootstrap={"kind": "none"}, rollout={"maxUnavailable": 3, "timeout": "60s"}, **given)


def objects(namespace: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """The objects of some kinds, by Kind/name."""
    found = json.loads(kubectl("get", ",".join(kinds), "--namespace", namespace, "--output", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def versions(namespace: str, *kinds: str) -> dict[str, str]:
    """What changes with every write to an object."""
    return {name: one["metadata"]["resourceVersion"] for name, one in objects(namespace, *kinds).items()}


def identities(namespace: str, *kinds: str) -> dict[str, str]:
    """What changes when an object is replaced."""
    return {name: one["metadata"]["uid"] for name, one in objects(namespace, *kinds).items()}


def key_digest(key: str) -> str:
    """What the stand-in shows of its key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


# --- rollouts ---

NODES = [f"rolling-{number}" for number in (1, 2, 3, 4)]
WAVES = [{"rolling-bootstrap-1"}, {"rolling-1", "rolling-2"}, {"rolling-3", "rolling-4"}]
OWN_PODS = [f"{name}-1" for name in ("rolling-bootstrap-1", *NODES)]


class Rolling:
    """Four nodes and a bootstrap node of their own, in batches of two."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace, self.version = stack, namespace, "0.2.5"
        self.configure()
        with watching(namespace, "rolling") as seen:
            stack.up()
        self.created = seen.batches()

    def configure(self, timeout: str = "60s", **given: Any) -> None:
        software = {"kind": "codex", "version": self.version, **given.pop("software", {})}
        args = small(replicas=4, software=software, rollout={"maxUnavailable": 2, "timeout": timeout}, **given)
        self.stack.configure(dev_config(self.namespace, {"rolling": args}))

    def baseline(self) -> None:
        """Where every test starts, whatever the one before left."""
        self.configure()
        self.stack.up()

    def change_version(self) -> None:
        """Writes a config that changes the image of every node."""
        self.version = "0.2.4" if self.version == "0.2.5" else "0.2.5"
        self.configure()

    def runs_its_version(self) -> bool:
        said = [debug_info(self.namespace, pod)["codex"]["version"] for pod in OWN_PODS]
        return said == [f"v{self.version}"] * len(OWN_PODS)

    def peers(self) -> list[str]:
        return [debug_info(self.namespace, pod)["id"] for pod in OWN_PODS]


def in_waves(batches: list[set[str]]) -> list[set[str]]:
    """What was down together, wave by wave; AssertionError where nodes of two waves were."""
    found: list[set[str]] = []
    for batch in batches:
        assert any(batch <= wave for wave in WAVES), f"{sorted(batch)} were down together, and are not of one wave"
        # A node that was back before the other of its batch went down makes two of one.
        if found and any(batch | found[-1] <= wave for wave in WAVES):
            found[-1] |= batch
        else:
            found.append(set(batch))
    return found


@pytest.fixture(scope="module")
def rolling(new_stack: NewStack, module_namespace: str) -> Rolling:
    return Rolling(new_stack(), module_namespace)


def test_the_waves_are_those_that_the_library_tells() -> None:
    assert [set(wave) for wave in rollout_waves(NODES, 2)] == WAVES[1:]


def test_the_first_up_starts_a_wave_when_the_one_before_is_ready(rolling: Rolling) -> None:
    assert in_waves(rolling.created) == WAVES
    assert max(map(len, rolling.created)) == 2


def test_a_second_up_changes_nothing(rolling: Rolling) -> None:
    rolling.baseline()
    kinds = ("statefulsets", "services", "configmaps", "secrets", "persistentvolumeclaims", "poddisruptionbudgets")
    before = versions(rolling.namespace, *kinds)
    pods = identities(rolling.namespace, "pods")

    rolling.stack.changes_nothing()

    assert versions(rolling.namespace, *kinds) == before
    assert identities(rolling.namespace, "pods") == pods


def test_an_image_change_rolls_batch_by_batch_and_keeps_identities(rolling: Rolling) -> None:
    rolling.baseline()
    before = rolling.peers()

    rolling.change_version()
    with watching(rolling.namespace, "rolling") as seen:
        rolling.stack.up()

    # Never more than a batch was down, in the order of the waves, and a batch goes down as one.
    assert in_waves(seen.batches()) == WAVES
    assert max(map(len, seen.batches())) == 2
    assert rolling.runs_its_version()
    assert rolling.peers() == before


def test_a_bad_image_stops_after_the_first_batch_and_heals_with_the_next_up(rolling: Rolling) -> None:
    rolling.baseline()
    pods = identities(rolling.namespace, "pods")
    missing = {str(number): {"image": {"tag": "never-built"}} for number in (1, 2, 3, 4)}

    rolling.configure(nodes=missing, timeout="20s")
    with watching(rolling.namespace, "rolling") as seen:
        said = rolling.stack.refused("up", "--yes", "--skip-preview")

    assert "'rolling-1' timed out waiting to be Ready" in said
    assert in_waves(seen.batches()) == [WAVES[1]]
    assert seen.down == WAVES[1]

    rolling.baseline()
    wait_ready(rolling.namespace, ["rolling-bootstrap-1", *NODES], 5)
    after = identities(rolling.namespace, "pods")
    assert {name for name, uid in pods.items() if after[name] != uid} == {"Pod/rolling-1-1", "Pod/rolling-2-1"}


def test_an_update_killed_in_a_rollout_is_finished_by_the_next(rolling: Rolling) -> None:
    rolling.baseline()
    rolling.change_version()
    rolling.stack.killed("up", "--yes", "--skip-preview", when=lambda said: "rolling-stateful-set-1 updating" in said)

    # What a user types: `pulumi cancel`, as the refusal says, and `pulumi up`.
    assert "`pulumi cancel`" in rolling.stack.refused("up", "--yes", "--skip-preview")
    rolling.stack.run(*UNLOCK)
    with watching(rolling.namespace, "rolling") as seen:
        rolling.stack.up()

    assert WAVES[2] in in_waves(seen.batches())
    assert rolling.runs_its_version()
    rolling.stack.changes_nothing()


def test_what_may_not_change_under_data_stops_preview_and_update(rolling: Rolling) -> None:
    rolling.baseline()
    before = versions(rolling.namespace, "statefulsets", "pods", "persistentvolumeclaims")

    rolling.configure(layout="pooled", software={"repoKind": "leveldb"})
    # Twice, because a refused update must not enter the state as done.
    for command in (["preview"], ["up", "--yes", "--skip-preview"], ["up", "--yes", "--skip-preview"]):
        said = rolling.stack.refused(*command)
        assert "rolling: the nodes' data was made for the old value; set it back" in said
        assert "  - layout: perNode may not become pooled\n" in said
        assert "  - software.repoKind: fs may not become leveldb\n" in said

    assert versions(rolling.namespace, "statefulsets", "pods", "persistentvolumeclaims") == before
    rolling.configure()
    rolling.stack.changes_nothing()


def test_plain_destroy_leaves_namespace_and_claims_and_the_next_up_finds_the_data(rolling: Rolling) -> None:
    rolling.baseline()
    cid = send(rolling.namespace, "rolling-2-1", "POST", DATA, "kept over destroy")
    peers, claims = rolling.peers(), identities(rolling.namespace, "persistentvolumeclaims")

    rolling.stack.run("destroy", "--yes", "--skip-preview")
    wait_gone(rolling.namespace, *(f"pod/{pod}" for pod in OWN_PODS))
    left = objects(rolling.namespace, "statefulsets", "services", "configmaps", "persistentvolumeclaims")
    assert set(left) - {"ConfigMap/kube-root-ca.crt"} == set(claims)
    assert {one["status"]["phase"] for name, one in left.items() if name in claims} == {"Bound"}

    rolling.stack.up()
    assert identities(rolling.namespace, "persistentvolumeclaims") == claims
    assert ask(rolling.namespace, "rolling-2-1", f"{DATA}/{cid}") == "kept over destroy"
    assert rolling.peers() == peers


# --- keys and secrets ---


def seed_of(stack: Stack) -> dict[str, Any]:
    """The resource that keeps the sellers' seed."""
    (found,) = [one for one in stack.resources() if one["urn"].endswith("::seller-seed")]
    return found


def seed_text(stack: Stack) -> str:
    """The seed, as a user backs it up."""
    return json.loads(seed_of(stack)["outputs"]["result"]["plaintext"])


def password_of(stack: Stack) -> str:
    """The generated password, as a user asks for it."""
    return stack.private("stack", "output", "--json")["apiPasswords"]["seller"]


def secrets_of(stack: Stack, nodes: int) -> list[str]:
    """What must be nowhere in clear, in every spelling: seed, password, keys, the provider's URL."""
    seed = seed_text(stack)
    plain = [seed, password_of(stack), PROVIDER_URL, *(ethereum_key(seed, number, 1) for number in range(1, nodes + 1))]
    raw = [secret.encode() for secret in plain] + [bytes.fromhex(seed)]
    return plain + [base64.b64encode(one).decode() for one in raw]


class Sellers:
    """Three nodes with keys and a generated password, one batch; the URL of their provider is a secret of the stack."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack, self.namespace = stack, namespace
        self.up()

    def up(self, replicas: int = 3) -> None:
        route = {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "tls": "none"}
        config = dev_config(self.namespace, {"seller": trading(replicas=replicas, api={"route": route})})
        self.stack.configure(config, {URL_PATH.format("seller"): PROVIDER_URL})
        # With all that the CLI can tell, for the search of secrets.
        self.stack.up("--diff")


@pytest.fixture(scope="module")
def sellers(new_stack: NewStack, module_namespace: str) -> Sellers:
    return Sellers(new_stack(), module_namespace)


def kept_of(namespace: str) -> dict[str, str]:
    """Claims and key Secrets of the sellers, with what they are."""
    found = objects(namespace, "persistentvolumeclaims", "secrets")
    return {
        name: f"{one['metadata']['uid']} {one.get('data')}"
        for name, one in found.items()
        if "seller" in name and (one["kind"] != "Secret" or "-key-" in name)
    }


def test_keys_and_data_outlive_shrinking_and_destroying(sellers: Sellers) -> None:
    namespace, stack = sellers.namespace, sellers.stack
    sellers.up()
    seed, before, pod = seed_text(stack), debug_info(namespace, "seller-3-1"), "seller-3-1"
    assert before["ethKeySha256"] == key_digest(ethereum_key(seed, 3, 1))
    addresses = {number: ethereum_address(ethereum_key(seed, number, 1)) for number in (1, 2, 3)}
    shown = json.loads(stack.run("stack", "output", "--json"))["nodes"]["seller"]
    assert {number: shown[f"seller-{number}"]["ethereumAddress"] for number in addresses} == addresses
    cid = send(namespace, pod, "POST", DATA, "kept over shrinking")

    def is_the_same() -> bool:
        after = debug_info(namespace, pod)
        assert ask(namespace, pod, f"{DATA}/{cid}") == "kept over shrinking"
        return (after["id"], after["ethKeySha256"]) == (before["id"], before["ethKeySha256"])

    kept = kept_of(namespace)
    assert sorted(kept) == [
        *(f"PersistentVolumeClaim/data-seller-{number}-1" for number in (1, 2, 3)),
        *(f"Secret/seller-{number}-key-g1" for number in (1, 2, 3)),
    ]

    sellers.up(replicas=1)
    wait_gone(namespace, f"pod/{pod}")
    assert [name for name in objects(namespace, "statefulsets", "services") if "seller" in name] == [
        "StatefulSet/seller-1",
        "Service/seller-1-service",
    ]
    assert kept_of(namespace) == kept

    sellers.up()
    assert is_the_same()

    # The seed is protected: plain destroy stops before it does anything.
    assert "cannot be deleted" in stack.refused("destroy", "--yes")
    assert is_the_same()
    stack.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    wait_gone(namespace, f"pod/{pod}")
    assert kept_of(namespace) == kept

    sellers.up()
    assert is_the_same()
    assert seed_text(stack) == seed


def test_the_generated_password_stays_and_its_hash_is_what_the_controller_reads(sellers: Sellers) -> None:
    sellers.up()
    password = password_of(sellers.stack)

    def entry() -> str:
        return base64.b64decode(objects(sellers.namespace, "secrets")["Secret/seller-api-auth"]["data"]["auth"]).decode()

    user, _, hashed = entry().strip().partition(":")
    assert (user, len(password)) == ("nodestead", 32)
    bcrypt_check(password, hashed)
    sellers.stack.changes_nothing()
    assert (entry().strip(), password_of(sellers.stack)) == (f"{user}:{hashed}", password)


def test_no_secret_is_printed_or_stands_in_the_state_in_clear(sellers: Sellers) -> None:
    sellers.up()
    stack, secrets = sellers.stack, secrets_of(sellers.stack, 3)

    # The difference shows all of what goes, here the password, and all of what is new.
    config = dev_config(sellers.namespace, {"seller": trading(replicas=3), "other": trading(replicas=1)})
    stack.configure(config, {URL_PATH.format(name): PROVIDER_URL for name in ("seller", "other")})
    for command in ("preview --diff", "preview --json", "stack output", "stack output --json", "stack export", "stack", "config"):
        stack.run(*command.split())

    assert [one for one in secrets if one in stack.said] == []
    assert [one for one in secrets if one in stack.state_text()] == []
    # The search can find them: in clear they are there.
    in_clear = json.dumps([stack.private("stack", "export"), stack.private("stack", "output", "--json")])
    url = base64.b64encode(PROVIDER_URL.encode()).decode()
    assert {seed_text(stack), password_of(stack), url} <= {one for one in secrets if one in in_clear}


# --- what a killed or lost stack leaves ---


def test_a_creation_that_was_killed_is_taken_over_by_the_next(new_stack: NewStack, namespace: str) -> None:
    stack = new_stack()
    slow = {"startupProbe": {"initialDelaySeconds": 5, "periodSeconds": 1}}
    patches = {"StatefulSet": {"*": {"spec": {"template": {"spec": {"containers": [{"name": "node", **slow}]}}}}}}
    args = small(replicas=2, bootstrap={"kind": "none"}, rollout={"maxUnavailable": 1, "timeout": "60s"})
    stack.configure(dev_config(namespace, {"codex": args | {"patches": patches}}))
    stack.killed(
        "up", "--yes", "--skip-preview", when=lambda _: "codex-1-1" in kubectl("get", "pods", "-n", namespace, "-o", "name")
    )
    before = identities(namespace, "statefulsets", "pods", "persistentvolumeclaims")

    # What a user types: the state does not know of the object that was being made, so it is adopted, once.
    stack.run(*UNLOCK)
    assert 'statefulsets.apps "codex-1" already exists' in stack.refused("up", "--yes", "--skip-preview")
    stack.up(env=ADOPT)
    stack.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    said = stack.up()

    assert "pending operations" not in said
    stack.changes_nothing()
    wait_ready(namespace, ["codex-1", "codex-2"], 5)
    after = identities(namespace, "statefulsets", "pods", "persistentvolumeclaims")
    assert {name: after[name] for name in before} == before


def test_a_lost_state_never_overwrites_a_key_and_the_seed_restores_it(new_stack: NewStack, namespace: str) -> None:
    config = dev_config(namespace, {"seller": trading(replicas=1)})
    lost = new_stack()
    lost.configure(config, {URL_PATH.format("seller"): PROVIDER_URL})
    lost.up()
    seed = seed_text(lost)
    shutil.rmtree(lost.folder)
    kept, pods = kept_of(namespace), identities(namespace, "pods")

    stack = new_stack()
    stack.configure(config, {URL_PATH.format("seller"): PROVIDER_URL})
    assert "already exists" in stack.refused("up", "--yes", "--skip-preview")
    # Whoever adopts what is there comes to the key, and no further.
    said = stack.refused("up", "--yes", "--skip-preview", env=ADOPT)
    assert 'Secret "seller-1-key-g1" is invalid: data: Forbidden: field is immutable' in said
    assert "keys.seed" in said
    assert kept_of(namespace) == kept

    # What a user types: the seed from its backup, the useless new one let go of, and one `up` that adopts.
    secrets = {URL_PATH.format("seller"): PROVIDER_URL, SEED_PATH.format("seller"): seed}
    with_kind = trading(replicas=1, keys={"kind": "seed"})
    stack.configure(dev_config(namespace, {"seller": with_kind}), secrets)
    assert "cannot be deleted" in stack.refused("up", "--yes", "--skip-preview", env=ADOPT)
    stack.run("state", "unprotect", "--yes", seed_of(stack)["urn"])
    stack.up(env=ADOPT)
    stack.up()

    stack.changes_nothing()
    assert kept_of(namespace) == kept
    assert identities(namespace, "pods") == pods
    assert debug_info(namespace, "seller-1-1")["ethKeySha256"] == key_digest(ethereum_key(seed, 1, 1))
    assert seed not in stack.said + stack.state_text()


# --- a caller's own program ---

OWN_PROGRAM = """
import json, os
import pulumi, pulumi_kubernetes as kubernetes
from nodestead import StorageNodeGroup

cluster = kubernetes.Provider("mine", kubeconfig=os.environ["KUBECONFIG"])
opts = pulumi.ResourceOptions(provider=cluster)
config = pulumi.Config("own")
namespace = kubernetes.core.v1.Namespace("mine", metadata={"name": config.require("namespace")}, opts=opts)
group = StorageNodeGroup("own", config.require_object("group"), opts, namespace=namespace.metadata.name)
pulumi.export("nodes", group.nodes)
"""


def test_a_provider_without_the_mutable_options_replaces_config_and_nothing_with_data(
    new_stack: NewStack, namespace: str
) -> None:
    stack = new_stack(OWN_PROGRAM)

    def configure(mark: str) -> None:
        args = group(market(ethProvider={"url": f"http://rpc.example.org/{mark}"}), replicas=2)
        args["patches"] |= {"ConfigMap": {"*": {"data": {"mark": mark}}}}
        stack.configure({"own:namespace": namespace, "own:group": args})

    configure("one")
    stack.up()
    cid = send(namespace, "own-1-1", "POST", DATA, "kept over replacing")
    kinds = ("statefulsets", "services", "persistentvolumeclaims", "secrets")
    before = identities(namespace, *kinds)

    configure("two")
    steps: list[dict[str, Any]] = json.loads(stack.run("preview", "--json"))["steps"]
    replaced = {step["urn"].rpartition("::")[2] for step in steps if "replace" in step["op"]}
    (agents,) = [name for name in identities(namespace, "configmaps") if name.startswith("ConfigMap/own-agents-")]
    assert replaced == {agents.replace("ConfigMap/own", "own-config-map"), "own-secret-eth-provider"}
    stack.up()

    after = identities(namespace, *kinds)
    assert {name for name, uid in before.items() if after[name] != uid} == {"Secret/own-eth-provider"}
    assert objects(namespace, "configmaps")[agents]["data"]["mark"] == "two"
    assert ask(namespace, "own-1-1", f"{DATA}/{cid}") == "kept over replacing"
    stack.changes_nothing()


# --- refusals and rendering ---


def test_a_refused_config_is_one_clean_error_and_registers_nothing(new_stack: NewStack, namespace: str) -> None:
    stack = new_stack()
    stack.configure(dev_config(namespace, {"codex": small(replicas=-1, laiout="pooled")}))
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        said = stack.refused(*command)
        assert "storageNodeGroups.codex.replicas: -1 is refused" in said
        assert "storageNodeGroups.codex.laiout: unknown key; did you mean layout?" in said
        assert said.count("    error: the config is refused, 2 problems:") == 1
        assert "Traceback" not in said
    assert [one["type"] for one in stack.resources()] in ([], ["pulumi:pulumi:Stack"])
    assert kubectl("get", "namespace", namespace, "--ignore-not-found") == ""


def test_dev_previews_without_a_cluster_and_writes_nothing(new_stack: NewStack) -> None:
    stack = new_stack(name="dev")
    shutil.copy(PROJECT / "stacks" / "Pulumi.dev.yaml", stack.file)

    said = stack.run("preview", env={"KUBECONFIG": "/nowhere"})

    assert "+  kubernetes:apps/v1:StatefulSet codex-stateful-set-bootstrap-1 create" in said
    assert not (stack.folder / "rendered").exists()


def test_a_rendered_folder_holds_no_secret(new_stack: NewStack) -> None:
    stack = new_stack()
    route = {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "tls": "none"}
    config = dev_config("rendered-only", {"seller": trading(replicas=2, api={"route": route})})
    stack.configure(config | {"nodestead:cluster": {"render": "rendered"}}, {URL_PATH.format("seller"): PROVIDER_URL})
    stack.up()

    texts = {path.name: path.read_text() for path in (stack.folder / "rendered").rglob("*.yaml")}
    named = {name for name in texts if "-secret-" in name}
    assert {name.rpartition("rendered-only-")[2] for name in named} == {
        "seller-1-key-g1.yaml",
        "seller-2-key-g1.yaml",
        "seller-api-auth.yaml",
        "seller-eth-provider.yaml",
    }
    secrets = secrets_of(stack, 2)
    assert [(name, one) for name, text in texts.items() for one in [*secrets, "$2a$"] if one in text] == []
