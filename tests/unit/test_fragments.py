"""Pieces of the Kubernetes API are refused before they reach the cluster, with path and remedy."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from nodestead.config.base import ConfigError, Model, many, parse
from nodestead.config.fragments import Fragment, FragmentKind, fragment_definitions

ROOT = Path(__file__).parents[2]


class PodPieces(Model):
    """A model as users of fragments write it."""

    affinity: Annotated[dict[str, Any], Fragment("Affinity")] | None = None
    tolerations: tuple[Annotated[dict[str, Any], Fragment("Toleration")], ...] = many()
    resources: Annotated[dict[str, Any], Fragment("ResourceRequirements")] | None = None


class Later:
    """What `pulumi.Output` looks like to a config."""

    def apply(self, _: Any, /) -> Any:
        raise AssertionError("no config may ask for a value of another resource")


def refusals(kind: FragmentKind, value: Any) -> list[str]:
    """The refusals of a fragment, one for each line, or none."""

    class Holder(Model):
        x: Annotated[dict[str, Any], Fragment(kind)]

    try:
        parse(Holder, {"x": value})
    except ConfigError as error:
        return error.problems
    return []


def fits(schema: dict[str, Any], value: Any) -> bool:
    """What an editor says of a value, which knows the JSON schema alone."""
    validator: Any = Draft202012Validator(schema)
    return validator.is_valid(value)


POD_AFFINITY: dict[str, Any] = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}},
            }
        ]
    }
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Affinity", POD_AFFINITY),
        (
            "Container",
            {"name": "proxy", "image": "nginx", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]},
        ),
        ("Container", {"name": "p", "resources": {"requests": {"cpu": 0.5, "memory": "1Gi"}, "limits": {"cpu": 1}}}),
        ("EnvFromSource", {"secretRef": {"name": "keys"}}),
        ("EnvVar", {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}),
        ("HostAlias", {"ip": "10.0.0.1", "hostnames": ["peer"]}),
        ("LabelSelector", {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}),
        ("Lifecycle", {"preStop": {"sleep": {"seconds": 5}}}),
        ("NetworkPolicyPeer", {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}),
        ("PodDNSConfig", {"options": [{"name": "ndots", "value": "1"}]}),
        ("PodSecurityContext", {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}),
        ("PolicyRule", {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}),
        ("Probe", {"httpGet": {"path": "/", "port": "api"}}),
        ("Probe", {"httpGet": {"path": "/", "port": 8080}, "failureThreshold": 3}),
        ("ResourceRequirements", {}),
        ("SecurityContext", {"capabilities": {"drop": ["ALL"]}}),
        ("ServicePort", {"port": 80, "targetPort": "api"}),
        ("Toleration", {"key": "dedicated", "operator": "Exists", "tolerationSeconds": 60}),
        ("TopologySpreadConstraint", {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}),
        ("TypedLocalObjectReference", {"kind": "VolumeSnapshot", "name": "s", "apiGroup": "snapshot.storage.k8s.io"}),
        ("Volume", {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}),
        ("Volume", {"name": "tmp", "emptyDir": {}}),
        ("VolumeMount", {"name": "tmp", "mountPath": "/tmp", "readOnly": True}),
    ],
)
def test_a_sound_fragment_passes_unchanged(kind: FragmentKind, value: dict[str, Any]) -> None:
    given_text = json.dumps(value)
    assert refusals(kind, value) == []
    assert json.dumps(TypeAdapter[Any](Annotated[dict[str, Any], Fragment(kind)]).validate_python(value)) == given_text


TEXT = "a text, in quotes if YAML takes it for a number or a boolean"
NUMBER = "a whole number without quotes"
SELECTOR_SLIP = {"topologyKey": "a", "labelSelector": {"matchLabel": {"app": "x"}}}
BROKEN: list[tuple[FragmentKind, Any, str]] = [
    ("Toleration", {"operatr": "Exists"}, "x.operatr: unknown key; did you mean operator?"),
    ("HostAlias", {"ip": "10.0.0.1", "zzz": 1}, "x.zzz: unknown key; known here are hostnames, ip"),
    (
        "Affinity",
        {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [SELECTOR_SLIP]}},
        (
            "x.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabel: "
            "unknown key; did you mean matchLabels?"
        ),
    ),
    ("VolumeMount", {"name": "data"}, "x.mountPath: is required and not given; add it"),
    ("VolumeMount", [], "x: has the wrong type; write a mapping of keys and values"),
    ("Toleration", {"tolerationSeconds": "60"}, f"x.tolerationSeconds: '60' has the wrong type; write {NUMBER}"),
    ("Toleration", {"tolerationSeconds": True}, f"x.tolerationSeconds: True has the wrong type; write {NUMBER}"),
    ("Toleration", {"tolerationSeconds": 6.0}, f"x.tolerationSeconds: 6.0 has the wrong type; write {NUMBER}"),
    ("SecurityContext", {"privileged": "no"}, "x.privileged: 'no' has the wrong type; write true or false without quotes"),
    ("HostAlias", {"ip": "10.0.0.1", "hostnames": "peer"}, "x.hostnames: 'peer' has the wrong type; write a list"),
    ("Probe", {"tcpSocket": {"port": []}}, f"x.tcpSocket.port: has the wrong type; write {TEXT} or {NUMBER}"),
    (
        "Volume",
        {"name": "tmp", "emptyDir": None},
        "x.emptyDir: has no value; write a mapping of keys and values, or remove the key",
    ),
    ("LabelSelector", {"matchLabels": {"app.io/name": 1}}, f'x.matchLabels["app.io/name"]: has the wrong type; write {TEXT}'),
]


@pytest.mark.parametrize(("kind", "value", "problem"), BROKEN)
def test_a_broken_fragment_is_refused_with_path_and_remedy(kind: FragmentKind, value: Any, problem: str) -> None:
    assert refusals(kind, value) == [problem]


NO_QUANTITY = "is not a Kubernetes quantity; write a number and a unit, as in 20Gi, 500M or 250m"


def test_all_refusals_of_a_stack_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            PodPieces,
            {
                "affinity": {"nodeAfinity": {}, "podAffinity": []},
                "tolerations": [{"key": "a"}, {"kee": "a"}],
                "resources": {"requests": {"cpu": "1x", "memory": "2Gi"}, "limits": {"memory": "1Gi"}},
            },
            ["sets", "codex"],
        )
    assert sorted(caught.value.problems) == [
        "sets.codex.affinity.nodeAfinity: unknown key; did you mean nodeAffinity?",
        "sets.codex.affinity.podAffinity: has the wrong type; write a mapping of keys and values",
        f"sets.codex.resources.requests.cpu: '1x' {NO_QUANTITY}",
        "sets.codex.resources.requests.memory: 2Gi is above the limit of 1Gi; lower it to that, or raise limits.memory",
        "sets.codex.tolerations[1].kee: unknown key; did you mean key?",
    ]


@pytest.mark.parametrize("quantity", ["20Gi", "500M", "250m", "0.5", "1e3", "1E3", "1E", "1.5Gi", "100n", ".5", "+1", 2, 0.25])
def test_every_quantity_of_the_api_passes(quantity: str | float) -> None:
    assert refusals("ResourceRequirements", {"requests": {"cpu": quantity}}) == []


@pytest.mark.parametrize("quantity", ["20GB", "20 Gi", "", "Gi", "1,5Gi", "-1", -1, "1e", "1Gi ", "٣Gi", float("nan")])
def test_what_is_no_quantity_is_refused_wherever_the_api_takes_one(quantity: str | float) -> None:
    rule = f"{quantity!r} {NO_QUANTITY}"
    assert refusals("ResourceRequirements", {"limits": {"cpu": quantity}}) == [f"x.limits.cpu: {rule}"]
    assert refusals("Volume", {"name": "a", "emptyDir": {"sizeLimit": quantity}}) == [f"x.emptyDir.sizeLimit: {rule}"]


@pytest.mark.parametrize(
    ("request_", "limit", "refused"),
    [
        ("1", "1000m", False),
        ("1001m", "1", True),
        ("250m", "0.5", False),
        (2, "1", True),
        ("1Gi", "1G", True),
        ("1G", "1Gi", False),
        ("1", "junk", False),
    ],
)
def test_a_request_above_its_limit_is_refused(request_: str | int, limit: str, refused: bool) -> None:
    found = refusals("Container", {"name": "a", "resources": {"requests": {"cpu": request_}, "limits": {"cpu": limit}}})
    above = f"x.resources.requests.cpu: {request_} is above the limit of {limit}; lower it to that, or raise limits.cpu"
    assert (above in found) is refused


def test_a_request_without_a_limit_is_no_problem() -> None:
    assert refusals("ResourceRequirements", {"requests": {"cpu": "64"}, "limits": {"memory": "1Mi"}}) == []


def test_memory_in_thousandths_of_a_byte_is_refused() -> None:
    assert refusals("ResourceRequirements", {"limits": {"memory": "512m", "cpu": "512m"}}) == [
        "x.limits.memory: '512m' counts thousandths, as m does; write 512Mi for mebibytes"
    ]


def test_a_value_of_another_resource_may_stand_for_any_text() -> None:
    later = Later()
    assert refusals("Container", {"name": "a", "image": later, "env": [{"name": "A", "value": later}], "args": [later]}) == []
    assert refusals("Probe", {"httpGet": {"port": later, "path": later}}) == []
    assert refusals("ResourceRequirements", {"requests": {"cpu": later}, "limits": {"cpu": "1"}}) == []
    assert refusals("LabelSelector", {"matchLabels": {"app": later}}) == []


def test_a_value_of_another_resource_may_not_stand_for_a_number_or_a_mapping() -> None:
    assert refusals("Toleration", {"tolerationSeconds": Later()}) == [
        "x.tolerationSeconds: a value of another resource can only stand for a text; write a whole number without quotes"
    ]
    assert refusals("Volume", {"name": "a", "secret": Later()}) == [
        "x.secret: a value of another resource can only stand for a text; write a mapping of keys and values"
    ]


def test_no_refusal_repeats_what_may_be_a_secret() -> None:
    key = "0x" + "ab" * 32
    container = {"name": "a", "env": [{"name": "PIN", "value": 918273}], "ports": [{"containerPort": key}]}
    text = "\n".join([*refusals("Container", container), *refusals("Volume", {"name": "a", "emptyDir": {"sizeLimit": key}})])
    assert text.count("\n") == 2
    assert "918273" not in text
    assert "abab" not in text


def test_pydantic_alone_tells_the_same() -> None:
    with pytest.raises(ValidationError, match=r"0\n  key: has no value; .*; operatr: unknown key; did you mean operator\?"):
        PodPieces.model_validate({"tolerations": [{"operatr": "Exists", "key": None}]})


def test_the_schema_of_a_model_holds_each_definition_once_and_complete() -> None:
    schema = PodPieces.model_json_schema()
    definitions = fragment_definitions()
    assert schema["properties"]["affinity"]["anyOf"][0] == {"$ref": "#/$defs/k8s-Affinity"}
    assert schema["properties"]["tolerations"]["items"] == {"$ref": "#/$defs/k8s-Toleration"}
    assert {"k8s-Affinity", "k8s-NodeAffinity", "k8s-LabelSelector", "k8s-Quantity"} <= set(schema["$defs"])
    assert "k8s-Container" not in schema["$defs"]
    assert schema["$defs"] == {name: definitions[name] for name in schema["$defs"]}
    Draft202012Validator.check_schema(schema)
    assert fits(schema, {"affinity": POD_AFFINITY})
    assert not fits(schema, {"affinity": {"podAntiAfinity": {}}})


def test_there_is_a_definition_for_every_kind_and_no_reference_leads_nowhere() -> None:
    definitions = fragment_definitions()
    assert {f"k8s-{kind}" for kind in get_args(FragmentKind)} <= set(definitions)
    references = {part.split('"')[0] for part in json.dumps(definitions).split('"#/$defs/')[1:]}
    assert references <= set(definitions)
    fragment_definitions().clear()
    assert fragment_definitions() == definitions


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["a", "1Gi"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "key", "port", "httpGet", "path", "exec", "command", "tcpSocket", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["httpGet", "tcpSocket", "exec", "periodSeconds", "x"]), JSON, max_size=3))
def test_what_is_refused_is_what_the_schema_refuses(probe: dict[str, Any]) -> None:
    schema = {"$ref": "#/$defs/k8s-Probe", "$defs": fragment_definitions()}
    assert (refusals("Probe", probe) == []) is fits(schema, probe)


def test_the_file_is_what_the_schema_of_kubernetes_gives() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/fragments.py", "--check"], check=False)
    assert done.returncode == 0, "run tools/fragments.py"


def test_jsonschema_is_not_imported_before_a_fragment_is_given() -> None:
    program = (
        "import sys; from typing import Annotated, Any; from nodestead.config.base import Model;"
        "from nodestead.config.fragments import Fragment\n"
        "class M(Model):\n"
        "    x: Annotated[dict[str, Any], Fragment('Probe')] | None = None\n"
        "M.model_validate({}); assert 'jsonschema' not in sys.modules\n"
        "M.model_validate({'x': {}}); assert 'jsonschema' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
