"""Programs under mocks: what becomes of their resources, their secrets and their failures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodestead.changes.snapshot import PASSWORD_TYPE, PROVIDER_TYPE, Snapshot, snapshot_from_json, snapshot_to_json
from nodestead.preview.snapshots import stack_snapshot
from nodestead.preview.stack_file import StackFileError
from nodestead.recording import ProgramError, program_snapshot

ROOT = Path(__file__).parents[2]
HEAD = "import pulumi\nimport pulumi_kubernetes as k8s\nimport pulumi_random\nc = pulumi.Config()\n"
CONFIG_MAP = "k8s.core.v1.ConfigMap('cm', metadata={'name': 'cm'}, data={'value': %s})\n"


@pytest.fixture(autouse=True)
def stay_here() -> Iterator[None]:
    folder, path, args = Path.cwd(), list(sys.path), sys.argv
    yield
    os.chdir(folder)
    sys.path[:], sys.argv = path, args


def program(folder: Path, code: str, *, config: str = "", project: str = "name: mine\nruntime: python\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(project)
    (folder / "__main__.py").write_text(HEAD + code)
    if config:
        (folder / "Pulumi.dev.yaml").write_text(f"config:\n{config}")
    return folder


def made(folder: Path, code: str, **how: str) -> Snapshot:
    return program_snapshot(program(folder, code, **how), "dev")


def value(folder: Path, expression: str, **how: str) -> Any:
    """What a ConfigMap holds whose value is an expression of the program."""
    return made(folder, CONFIG_MAP % expression, **how).items["", "ConfigMap", "", "cm"].at("data", "value")


# ---- the stack program of this repository


def test_the_stack_program_registers_what_the_snapshot_of_its_stack_holds(tmp_path: Path) -> None:
    text = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
    folder = program(tmp_path, "from nodestead.program import deploy\ndeploy()\n", project="name: nodestead\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(text)
    registered, rendered = program_snapshot(folder, "dev"), stack_snapshot("dev", ROOT)

    assert set(registered.items) == set(rendered.items)
    flags = {key: (item.protected, item.outlives_stack, item.set, item.node) for key, item in rendered.items.items()}
    assert {key: (item.protected, item.outlives_stack, item.set, item.node) for key, item in registered.items.items()} == flags
    # Only what is made of keys differs: here of a seed that stands for the real one.
    differing = {
        key[3] for key, item in rendered.items.items() if item.is_object and item.manifest != registered.items[key].manifest
    }
    assert differing <= {f"local-{n}{end}" for n in range(4) for end in ("", "-config", "-key-g1")}
    assert {one.name: one for one in registered.sets} == {one.name: one for one in rendered.sets}


# ---- what becomes of resources


def test_the_components_tell_their_sets(tmp_path: Path) -> None:
    code = "from nodestead import StorageNodeGroup\nns = k8s.core.v1.Namespace('storage')\nStorageNodeGroup('codex',"
    code += (
        " {'software': {'kind': 'codex', 'version': '0.2.5'}, 'replicas': c.require_int('nodes')}, namespace=ns.metadata.name)\n"
    )
    snapshot = made(tmp_path, code, config="  nodes: 2\n")
    (facts,) = snapshot.sets

    assert (facts.name, facts.component, facts.namespace) == ("codex", "StorageNodeGroup", "storage")
    assert facts.batches == [["codex-bootstrap-1"], ["codex-1"], ["codex-2"]]
    assert (facts.facts["keys"], facts.facts["firstOrdinal"]) == ("none", 1)
    claims = list(snapshot.of_kind("PersistentVolumeClaim"))
    assert len(claims) == 3
    assert all(claim.outlives_stack and claim.retained and claim.set == "codex" for claim in claims)


def test_options_are_seen(tmp_path: Path) -> None:
    code = "o = pulumi.ResourceOptions(protect=True, retain_on_delete=True)\n"
    code += "k8s.core.v1.Service('s', metadata={'name': 's'}, opts=o)\n"
    item = made(tmp_path, code).items["", "Service", "", "s"]

    assert (item.protected, item.retained) == (True, True)


def test_an_object_without_a_name_goes_by_that_of_its_resource(tmp_path: Path) -> None:
    snapshot = made(tmp_path, "k8s.core.v1.Service('one', metadata={'namespace': 'x'})\nk8s.core.v1.Service('two')\n")

    assert set(snapshot.items) == {("", "Service", "x", "one"), ("", "Service", "", "two")}


def test_resources_of_others_are_there_by_type_and_name(tmp_path: Path) -> None:
    code = "pulumi_random.RandomPet('pet', length=2)\npulumi.ComponentResource('other:index:Thing', 'thing')\n"
    (item,) = made(tmp_path, code).items.values()

    pet = {"kind": "random:index/randomPet:RandomPet", "metadata": {"name": "pet"}, "inputs": {"length": 2}}
    assert item.manifest == pet


def test_two_resources_of_one_type_and_name_are_both_there(tmp_path: Path) -> None:
    code = "for name in ('a', 'b'):\n    o = pulumi.ResourceOptions(parent=pulumi.ComponentResource(f'x:y:{name}', name))\n"
    code += "    pulumi_random.RandomPet('pet', opts=o)\n"

    assert len(made(tmp_path, code).items) == 2


def test_kinds_without_a_class_are_objects_too(tmp_path: Path) -> None:
    code = "metadata = {'name': 'x'}\n"
    code += (
        "k8s.apiextensions.CustomResource('x', api_version='example.org/v1', kind='Thing', metadata=metadata, spec={'n': 1})\n"
    )
    item = made(tmp_path, code).items["example.org", "Thing", "", "x"]

    assert item.at("spec") == {"n": 1}
    assert isinstance(item.at("spec", "n"), int)


def test_the_objects_of_a_yaml_text_are_there(tmp_path: Path) -> None:
    text = "apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: cm}\\ndata: {a: b}"

    assert made(tmp_path, f"k8s.yaml.ConfigGroup('y', yaml=['{text}'])\n").items["", "ConfigMap", "", "cm"].at("data") == {
        "a": "b"
    }


def test_the_order_is_the_same_each_time(tmp_path: Path) -> None:
    code = "for n in range(12):\n    k8s.core.v1.Service(f's-{n}', metadata={'name': f's-{n}'})\n"
    texts = {snapshot_to_json(made(tmp_path, code)) for _ in range(3)}

    assert len(texts) == 1
    assert [item["manifest"]["metadata"]["name"] for item in json.loads(texts.pop())["items"]] == [f"s-{n}" for n in range(12)]


# ---- what is not known, and what is secret


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("pulumi.StackReference('acme/net/prod').get_output('x')", "[known when deployed]"),
        ("pulumi.StackReference('acme/net/prod').require_output('x')['deep']", "[known when deployed]"),
        (
            "k8s.core.v1.Service('s').status.load_balancer.ingress[0].ip.apply(lambda ip: ip.split('.')[3])",
            "[known when deployed]",
        ),
        ("pulumi_random.RandomPet('pet').id.apply(lambda text: text.split('-')[1])", "[known when deployed]"),
        ("pulumi_random.RandomPassword('p', length=9).result", "[known when deployed]"),
        ("str(pulumi.runtime.invoke('aws:index/getRegion:getRegion', {'a': 'b'}).value)", "{'a': 'b'}"),
        ("pulumi.Output.secret('hunter2')", "[secret]"),
        ("pulumi.Output.concat('x', pulumi.Output.secret('hunter2'))", "[secret]"),
        ("c.require_secret('password')", "[secret]"),
        ("c.require_secret_int('password').apply(lambda n: str(n + 1))", "[secret]"),
        ("c.require_secret_object('password')['a']", "[secret]"),
        ("c.require('password')", "[secret]"),
        ("c.require_object('deep')['b']", "[secret]"),
        ("str(c.require_object('deep')['a'] + c.require_int('nodes'))", "4"),
        ("c.require('name') + str(c.require_bool('on'))", "xTrue"),
        ("c.get('default')", "from the project"),
        ("pulumi.Config('other').require('key')", "other"),
        ("pulumi.get_stack() + '/' + pulumi.get_project()", "dev/mine"),
    ],
)
def test_a_value_is_shown_as_people_may_see_it(tmp_path: Path, expression: str, shown: str) -> None:
    project = "name: mine\nruntime: {name: python}\nconfig:\n  default: {default: from the project}\n"
    config = "  nodes: 3\n  name: x\n  mine:on: true\n  other:key: other\n  password: {secure: AAABBB}\n"
    config += "  deep: {a: 1, b: {secure: AA}}\n"

    assert value(tmp_path, expression, project=project, config=config) == shown


def test_a_secret_object_shows_its_entries_and_no_value(tmp_path: Path) -> None:
    code = "k8s.core.v1.Secret('s', metadata={'name': 's'}, string_data={'a': 'hunter2'}, data={'b': 'aHVudGVyMg=='})\n"
    item = made(tmp_path, code).items["", "Secret", "", "s"]

    assert (item.at("stringData"), item.at("data")) == ({"a": "[secret]"}, {"b": "[secret]"})


def test_a_provider_shows_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    code = "k8s.Provider('a', kubeconfig='users: [{token: hunter2}]\\n')\n"
    code += "k8s.Provider('b', kubeconfig='kube/config', context='prod')\n"
    items = made(tmp_path, code).items

    assert items["", PROVIDER_TYPE, "", "a"].at("inputs") == {"kubeconfig": "[secret]"}
    assert items["", PROVIDER_TYPE, "", "b"].at("inputs") == {"kubeconfig": "kube/config", "context": "prod"}


def test_a_seed_is_of_its_set(tmp_path: Path) -> None:
    code = "from nodestead import BlockchainNodeSet\nBlockchainNodeSet('local', {'software': {'kind': 'cosmos', 'chainId': 'l-1',"
    code += " 'binary': 'simd'}, 'image': {'repository': 'x/y', 'tag': 'v1'}, 'network': {'kind': 'local', 'validators': 1}})\n"
    item = made(tmp_path, code).items["", PASSWORD_TYPE, "", "local-seed"]

    assert (item.set, item.protected) == ("local", True)


# ---- programs that fail


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise KeyError('x')\n", "KeyError: 'x' (__main__.py, line 5)"),
        ("raise pulumi.RunError('set a region')\n", "set a region (__main__.py, line 5)"),
        ("c.require('nothing')\n", "mine:nothing"),
        ("import sys\nsys.exit(3)\n", "it ends with 3"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere' (__main__.py, line 5)"),
        ("def f(:\n", "SyntaxError"),
        ("raise ValueError(c.require('password'))\n", "ValueError: [secret] (__main__.py, line 5)"),
        ("k8s.core.v1.Service('s').metadata.apply(lambda m: m.nothing)\n", "'nothing'"),
        (
            "from nodestead import StorageNodeGroup\nStorageNodeGroup('codex', {'replcas': 1})\n",
            "storageNodeGroups.codex.replcas: unknown key; did you mean replicas?",
        ),
    ],
)
def test_a_program_that_fails_is_told_in_its_own_words(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(ProgramError) as failed:
        made(tmp_path, code, config="  password: {secure: AAABBB}\n")
    assert told in str(failed.value)
    assert "Traceback" not in str(failed.value)


def test_a_program_may_end_early_by_itself(tmp_path: Path) -> None:
    assert len(made(tmp_path, "k8s.core.v1.Service('s')\nimport sys\nsys.exit()\n").items) == 1


@pytest.mark.parametrize(
    ("project", "told"),
    [
        ("name: mine\nruntime: nodejs\n", "its runtime is nodejs; only programs in Python"),
        ("name: mine\nruntime: python\nmain: src\n", "src/__main__.py: no such file"),
        ("name: mine\n", "its runtime is not named"),
        ("name: [\n", "is not YAML"),
    ],
)
def test_what_is_no_program_in_python_is_refused(tmp_path: Path, project: str, told: str) -> None:
    with pytest.raises(StackFileError, match=told):
        made(tmp_path, "", project=project)


# ---- the command


def called(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nodestead.recording", "--dir", str(folder), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_a_program_prints_stays_out_of_the_snapshot(tmp_path: Path) -> None:
    code = "import os\nprint('hello')\nos.system('echo child')\npulumi.log.warn('careful')\nk8s.core.v1.Service('s')\n"
    done = called(program(tmp_path, code))

    assert done.returncode == 0
    assert [item.name for item in snapshot_from_json(done.stdout).items.values()] == ["s"]
    assert snapshot_from_json(done.stdout).stack == "program"
    assert {"hello", "child"} <= set(done.stderr.splitlines())


def test_a_failure_is_one_line_and_2(tmp_path: Path) -> None:
    done = called(program(tmp_path, "raise KeyError('x')\n"), "--out", str(tmp_path / "out"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "nodestead: KeyError: 'x' (__main__.py, line 5)"
    assert not (tmp_path / "out").exists()


def test_main_may_be_a_folder_with_modules_of_its_own(tmp_path: Path) -> None:
    folder = program(tmp_path, "", project="name: mine\nruntime: python\nmain: src\n")
    (folder / "src").mkdir()
    (folder / "src" / "mine.py").write_text("NAME = 's'\n")
    (folder / "src" / "__main__.py").write_text(f"{HEAD}import mine\nopen('mine.py').close()\nk8s.core.v1.Service(mine.NAME)\n")

    assert [item.name for item in snapshot_from_json(called(folder).stdout).items.values()] == ["s"]
