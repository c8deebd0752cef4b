"""The stack program: from the config of a stack to its provider, namespace, sets and outputs."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
from recording import PASSWORD, SEED, STACK, Recording, Registered, run

from nodestead.program import deploy

ROOT = Path(__file__).parents[2]
CODEX: dict[str, Any] = {"software": {"kind": "codex", "version": "0.2.5"}, "replicas": 2}
PROVIDERS: dict[str, Any] = {
    **CODEX,
    "software": {**CODEX["software"], "marketplace": {"ethProvider": {"url": "https://rpc.example.org/token"}}},
    "api": {"route": {"kind": "ingress", "hosts": ["api.example.org"], "className": "nginx", "tls": {"clusterIssuer": "le"}}},
}
CONFIG: dict[str, Any] = {
    "nodestead:namespace": {"name": "storage"},
    "nodestead:cluster": {"context": "prod"},
    "nodestead:storageNodeGroups": {"codex": CODEX},
}


def deployed(changed: dict[str, Any] | None = None, **how: Any) -> Recording:
    return run(deploy, config=CONFIG | (changed or {}), **how)


def cluster(recording: Recording) -> Registered:
    (provider,) = (r for r in recording.resources if r.type == "pulumi:providers:kubernetes")
    return provider


def refusal(changed: dict[str, Any], **how: Any) -> str:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as refused:
        deployed(changed, recording=recording, **how)
    assert recording.resources == []
    return str(refused.value)


# ---- config


def test_a_misspelled_key_is_refused_and_nothing_is_registered() -> None:
    assert "storageNodeGroup: unknown key; did you mean storageNodeGroups?" in refusal({"nodestead:storageNodeGroup": {}})


def test_a_stack_that_names_no_cluster_is_refused_and_nothing_is_registered() -> None:
    assert "cluster.context: name the context, the current one changes" in refusal({"nodestead:cluster": {}})


def test_keys_of_others_are_left_alone() -> None:
    assert deployed({"kubernetes:context": "other", "nodesteads:x": "1"}).component("codex")


def test_all_refusals_come_at_once() -> None:
    text = refusal({"nodestead:namespace": {"name": "Storage"}, "nodestead:cluster": {"render": 1}})

    assert "namespace.name" in text
    assert "cluster.render" in text


def test_a_key_that_is_no_json_is_refused_in_words() -> None:
    assert "namespace: '{storage' has the wrong type; write a mapping" in refusal({"nodestead:namespace": "{storage"})


def test_a_refused_value_of_a_secret_key_is_not_repeated() -> None:
    broken = {"nodestead:cluster": {"context": "prod", "render": "hunter2", "kubeconfig": ""}}

    assert "hunter2" not in refusal(broken, secret_keys=("nodestead:cluster",))
    misspelled = {"nodestead:storageNodeGroups": {"codex": {**CODEX, "layout": "hunter2"}}}
    assert "hunter2" in refusal(misspelled)
    assert "hunter2" not in refusal(misspelled, secret_keys=("nodestead:storageNodeGroups",))


# ---- the cluster


def test_objects_may_change_in_place_and_new_credentials_replace_nothing() -> None:
    provider = cluster(deployed({"nodestead:cluster": {"context": "prod", "kubeconfig": "kube/config"}}))

    assert provider.inputs == {
        "context": "prod",
        "kubeconfig": "kube/config",
        "clusterIdentifier": STACK,
        "enableConfigMapMutable": "true",
        "enableSecretMutable": "true",
    }


def test_one_provider_serves_every_object() -> None:
    recording = deployed({"nodestead:storageNodeGroups": {"codex": CODEX, "other": CODEX}})

    assert {r.provider for r in recording.resources if r.kind} == {f"{cluster(recording).urn}::cluster-id"}


RENDERED = {"nodestead:cluster": {"render": "rendered"}, "nodestead:storageNodeGroups": {"codex": PROVIDERS}}


def test_render_mode_writes_every_file_and_needs_no_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/someone/.kube/config")
    provider = cluster(deployed(RENDERED))

    assert provider.inputs == {"renderYamlToDirectory": "rendered", "alwaysRender": "true", "kubeconfig": ""}


def test_render_mode_writes_no_data_of_secrets() -> None:
    secrets = {key: r.inputs for key, r in deployed(RENDERED).objects("Secret").items()}
    stored = {key: inputs.get("data") or inputs.get("stringData") for key, inputs in secrets.items()}

    assert stored == {
        "Secret/codex-eth-provider": {"url": "[secret]"},
        "Secret/codex-api-auth": {"auth": "[secret]"},
        "Secret/codex-1-key-g1": {"eth-private-key": "W3NlY3JldF0="},
        "Secret/codex-2-key-g1": {"eth-private-key": "W3NlY3JldF0="},
    }


def test_no_other_rendered_object_holds_a_secret_either() -> None:
    shown = str([r.inputs for r in deployed(RENDERED).resources if r.kind])

    assert SEED not in shown
    assert PASSWORD not in shown
    assert "rpc.example.org" not in shown


def test_a_cluster_gets_the_data_of_secrets() -> None:
    found = deployed({"nodestead:storageNodeGroups": {"codex": PROVIDERS}}).objects("Secret")

    assert found["Secret/codex-eth-provider"].inputs["stringData"] == {"url": "https://rpc.example.org/token"}
    assert found["Secret/codex-eth-provider"].secret_inputs == {"stringData"}


def test_a_load_balancer_without_address_shows_its_stand_in_in_render_mode() -> None:
    exposed = {**CODEX, "exposure": {"kind": "loadBalancer"}}
    rendered = {"nodestead:cluster": {"render": "rendered"}, "nodestead:storageNodeGroups": {"codex": exposed}}
    recording = deployed(rendered, load_balancers=False)

    assert recording.exports["nodes"]["codex"]["codex-1"]["announced"] == "/ip4/(address of codex-1-loadbalancer)/tcp/8070"


# ---- the namespace


def test_the_namespace_is_adopted_kept_and_there_before_the_sets() -> None:
    recording = deployed(slow=["namespace-storage"])
    namespace = recording.objects()["Namespace/storage"]

    assert (namespace.type, namespace.retained) == ("kubernetes:core/v1:NamespacePatch", True)
    assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert all(r.started > namespace.finished for r in recording.resources if r.kind and r is not namespace)


def test_a_given_namespace_is_left_alone() -> None:
    recording = deployed({"nodestead:namespace": {"name": "storage", "create": False}})

    assert recording.objects("Namespace") == {}
    assert {r.inputs["metadata"]["namespace"] for r in recording.objects("StatefulSet").values()} == {"storage"}


# ---- outputs


def test_the_stack_tells_addresses_and_ports_of_each_set() -> None:
    exposed = {**CODEX, "exposure": {"kind": "nodePort", "bootstrapBasePort": 30700}}
    exports = deployed({"nodestead:storageNodeGroups": {"codex": CODEX, "public": exposed}}).exports

    assert set(exports) == {"nodes", "firewallPorts"}
    assert exports["nodes"]["codex"]["codex-2"]["apiUrl"] == "http://codex-2-service.storage:8080"
    assert exports["firewallPorts"] == {
        "codex": [],
        "public": ["tcp/30510", "udp/30510", "tcp/30511", "udp/30511", "tcp/30700", "udp/30700"],
    }


def test_generated_passwords_are_secret_outputs() -> None:
    recording = deployed({"nodestead:storageNodeGroups": {"codex": PROVIDERS, "other": CODEX}})

    assert recording.exports["apiPasswords"] == {"codex": PASSWORD}
    assert recording.secret_exports == {"apiPasswords"}


def test_it_gives_the_components_by_name() -> None:
    assert set(deployed().result) == {"codex"}


# ---- entry points


def test_the_projects_program_deploys_the_stack() -> None:
    recording = run(lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"), config=CONFIG)

    assert recording.component("codex")


@pytest.mark.parametrize(
    "statement",
    [
        "import nodestead",
        "import nodestead.preview.cli",
        "from nodestead import StorageNodeGroupArgs, rollout_waves, ConfigError",
    ],
)
def test_what_needs_no_pulumi_does_not_load_it(statement: str) -> None:
    check = f"{statement}; import sys; sys.exit(any(name.partition('.')[0].startswith('pulumi') for name in sys.modules))"

    subprocess.run([sys.executable, "-c", check], check=True, env={"PYTHONPATH": str(ROOT / "components")})


def test_the_public_names_are_there() -> None:
    import nodestead

    assert [name for name in nodestead.__all__ if not hasattr(nodestead, name)] == []
    assert set(dir(nodestead)) == set(nodestead.__all__)
    with pytest.raises(AttributeError, match="'nodestead' has no attribute 'StorageNodes'"):
        nodestead.StorageNodes  # type: ignore[attr-defined] # noqa: B018
