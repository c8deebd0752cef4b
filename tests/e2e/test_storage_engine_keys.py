"""Keys, passwords and other secrets through `pulumi up`: what keeps them, where they are not, and how they are restored."""

import base64
import hashlib
import json
import shutil
from typing import Any

import pytest
from cluster import wait_gone
from Crypto.Protocol.KDF import bcrypt_check
from engine import ADOPT, NewStack, Stack, dev_config, identities, objects
from storage_groups import ask, debug_info, market, send

from nodestead.keys import ethereum_address, ethereum_key

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.usefixtures("storage_image")]

DATA = "/api/codex/v1/data"
PROVIDER_URL = "http://rpc.example.org/v3/6a1c5d0e9b7f48c2"
URL_PATH = "nodestead:storageNodeGroups.{}.software.marketplace.ethProvider.url"
SEED_PATH = "nodestead:storageNodeGroups.{}.keys.seed"
API = {
    "route": {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "controller": "ingressNginx", "tls": "none"}
}


def trading(**given: Any) -> dict[str, Any]:
    """A group with keys; the URL of its provider is set as a secret."""
    software = market()
    software["marketplace"].pop("ethProvider")
    rollout = {"maxUnavailable": 3, "timeout": "60s"}
    return {"software": software, "bootstrap": {"kind": "none"}, "rollout": rollout, **given}


def key_digest(key: str) -> str:
    """What the stand-in shows of its key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


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
        config = dev_config(self.namespace, {"seller": trading(replicas=replicas, api=API)})
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


def test_a_rendered_folder_holds_no_secret(new_stack: NewStack) -> None:
    stack = new_stack()
    config = dev_config("rendered-only", {"seller": trading(replicas=2, api=API)})
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
