"""A rendering is whole, stable and without secrets, and a folder of it holds what the stack makes and nothing stale."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodestead.kubernetes.objects import Late, Seed, identity
from nodestead.preview.folder import LIST_FILE, file_names, write_folder
from nodestead.preview.render import RenderError, StackRefusedError, read_plan, render_stack, shown, unique
from nodestead.preview.stack_file import StackFile, StackFileError
from nodestead.preview.yaml_text import yaml_documents

STACK = """
config:
  nodestead:namespace: {name: storage}
  nodestead:cluster: {context: prod}
  nodestead:storageNodeGroups:
    codex:
      replicas: 2
      software: {kind: codex, version: 0.2.5}
"""
MARKETPLACE = """
config:
  nodestead:namespace: {name: storage}
  nodestead:cluster: {context: prod}
  nodestead:storageNodeGroups:
    codex:
      replicas: 2
      software:
        kind: codex
        version: 0.2.5
        marketplace:
          ethProvider: {url: "https://rpc.example.org/v1/7f3b9c52d1e84a6f"}
      keys: {kind: seed, seed: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
"""


def stack_folder(root: Path, text: str = STACK) -> Path:
    (root / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    return root


def text_of(root: Path) -> str:
    return "".join(yaml_documents(render_stack("dev", root)))


def secret(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "codex", "namespace": "storage"}, **content}


def named(kind: str, name: str, namespace: str | None = "storage", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


# ---- what is rendered


def test_a_stack_is_rendered_in_the_order_of_its_plan(tmp_path: Path) -> None:
    kinds = [(m["kind"], m["metadata"]["name"]) for m in render_stack("dev", stack_folder(tmp_path))]
    assert kinds[0] == ("Namespace", "storage")
    workloads = [name for kind, name in kinds if kind == "StatefulSet"]
    assert workloads == ["codex-bootstrap-1", "codex-1", "codex-2"]


def test_equal_config_gives_equal_bytes(tmp_path: Path) -> None:
    assert text_of(stack_folder(tmp_path)) == text_of(tmp_path)


def test_order_of_keys_in_the_file_changes_nothing(tmp_path: Path) -> None:
    text = text_of(stack_folder(tmp_path))
    turned = """
config:
  nodestead:storageNodeGroups:
    codex:
      software: {version: 0.2.5, kind: codex}
      replicas: 2
  nodestead:namespace: {name: storage}
  nodestead:cluster: {context: prod}
"""
    assert text_of(stack_folder(tmp_path, turned)) == text


def test_documents_are_what_the_plan_holds(tmp_path: Path) -> None:
    stack_folder(tmp_path)
    documents = list(yaml.load_all(text_of(tmp_path), yaml.CSafeLoader))
    assert [identity(document) for document in documents] == [identity(m) for m in render_stack("dev", tmp_path)]


def test_no_secret_of_the_stack_file_is_rendered(tmp_path: Path) -> None:
    text = text_of(stack_folder(tmp_path, MARKETPLACE))
    assert "kind: Secret" in text
    for value in ("7f3b9c52d1e84a6f", "0123456789abcdef"):
        assert value not in text
        assert base64.b64encode(value.encode()).decode()[:12] not in text


def test_a_secure_value_is_rendered_without_being_decrypted(tmp_path: Path) -> None:
    secure = MARKETPLACE.replace('"https://rpc.example.org/v1/7f3b9c52d1e84a6f"', "{secure: v1:abc:def}")
    text = text_of(stack_folder(tmp_path, secure))
    assert "v1:abc:def" not in text


def test_a_changed_key_source_shows(tmp_path: Path) -> None:
    first = text_of(stack_folder(tmp_path, MARKETPLACE))
    second = text_of(stack_folder(tmp_path, MARKETPLACE.replace("kind: seed,", "kind: seed, generation: 2,")))
    assert first != second


def test_what_a_secret_holds_in_clear_is_replaced_by_a_marker() -> None:
    manifest = secret(
        stringData={"url": "https://hunter2@example.org"}, data={"key": "aHVudGVyMg=="}, type="Opaque", immutable=True
    )
    assert shown(manifest) == secret(
        stringData={"url": "[secret]"}, data={"key": base64.b64encode(b"[secret]").decode()}, type="Opaque", immutable=True
    )
    assert manifest["stringData"] == {"url": "https://hunter2@example.org"}


def test_a_late_leaf_of_a_secret_keeps_its_stand_in() -> None:
    one = Late((Seed("codex"),), str, "a key from the seed of codex")
    whole = Late((Seed("codex"),), dict, {"codex-1": "a key from the seed of codex"})
    assert shown(secret(data={"key": one}))["data"] == {"key": one}
    assert shown(secret(data=whole))["data"] is whole


def test_other_kinds_are_rendered_as_they_are() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "c"}}
    assert shown(manifest) is manifest


# ---- refusals


def test_two_objects_of_one_identity_are_refused() -> None:
    with pytest.raises(RenderError) as refusal:
        list(unique([named("Service", "a"), named("Secret", "a"), named("Service", "a")]))
    assert str(refusal.value) == ("Service a in the namespace storage would be made twice; give one of the two sets another name")


@pytest.mark.parametrize(
    "other",
    [
        named("Service", "b"),
        named("Service", "a", "other"),
        named("Secret", "a"),
        named("Service", "a", version="serving.knative.dev/v1"),
    ],
)
def test_objects_that_differ_in_one_part_stand_beside_each_other(other: dict[str, Any]) -> None:
    assert len(list(unique([named("Service", "a"), other]))) == 2


def test_versions_of_one_group_are_one_identity() -> None:
    assert identity(named("Job", "a", version="batch/v1")) == identity(named("Job", "a", version="batch/v1beta1"))


def test_a_refused_config_names_its_file_and_all_problems(tmp_path: Path) -> None:
    text = "config:\n  nodestead:namespace: {nam: a}\n  nodestead:clusters: {}\n"
    with pytest.raises(StackRefusedError) as refusal:
        list(render_stack("dev", stack_folder(tmp_path, text)))
    assert str(refusal.value).startswith(f"{tmp_path}/Pulumi.dev.yaml: the config is refused, ")
    assert "namespace.nam: unknown key; did you mean name?" in refusal.value.problems
    assert "clusters: unknown key; did you mean cluster?" in refusal.value.problems


def test_a_plan_that_is_refused_names_its_file(tmp_path: Path) -> None:
    config = {
        "namespace": {"name": "storage"},
        "cluster": {"context": "prod"},
        "storageNodeGroups": {
            "codex": {"software": {"kind": "codex", "version": "0.2.5"}, "patches": {"Service": {"nowhere": {"spec": {}}}}}
        },
    }
    with pytest.raises(StackRefusedError, match=r"(?s)^stacks/Pulumi\.dev\.yaml: .*patches\.Service\.nowhere: matches no object"):
        read_plan(StackFile("dev", Path("stacks/Pulumi.dev.yaml"), config))


def test_an_unknown_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match="no such stack"):
        list(render_stack("prod", stack_folder(tmp_path)))


# ---- names of files


@pytest.mark.parametrize(
    ("identities", "names"),
    [
        (
            [("", "Service", "storage", "codex-1"), ("apps", "StatefulSet", "storage", "codex-1")],
            ["service-codex-1", "statefulset-codex-1"],
        ),
        ([("", "Namespace", "", "storage")], ["namespace-storage"]),
        (
            [("", "Service", "a", "x"), ("", "Service", "b", "x"), ("", "Service", "b", "y")],
            ["service-x_a", "service-x_b", "service-y"],
        ),
        (
            [("", "Service", "a", "x"), ("serving.knative.dev", "Service", "a", "x"), ("", "Service", "b", "x")],
            ["service.-x_a", "service.serving.knative.dev-x_a", "service-x_b"],
        ),
    ],
)
def test_a_file_is_named_by_kind_and_name_and_more_where_needed(identities: list[Any], names: list[str]) -> None:
    assert file_names(identities) == [f"{name}.yaml" for name in names]


def test_names_of_files_do_not_depend_on_order() -> None:
    identities = [("", "Service", "a", "x"), ("", "Service", "b", "x"), ("apps", "StatefulSet", "a", "x")]
    assert file_names(identities[::-1]) == file_names(identities)[::-1]


def test_an_object_reaches_no_file_outside_of_the_folder() -> None:
    with pytest.raises(RenderError, match="cannot be that of a file"):
        file_names([("", "Secret", "a", "/../../etc/passwd")])


# ---- the folder


def files_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name != LIST_FILE}


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    write_folder(tmp_path / "a" / "b", [("x.yaml", "x\n")])
    assert files_in(tmp_path / "a" / "b") == {"x.yaml": "x\n"}


def test_stale_files_of_an_earlier_render_go_and_those_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("mine\n", encoding="utf-8")
    write_folder(tmp_path, [("a.yaml", "a\n"), ("b.yaml", "b\n")])
    write_folder(tmp_path, [("b.yaml", "new\n"), ("c.yaml", "c\n")])
    assert files_in(tmp_path) == {"kustomization.yaml": "mine\n", "b.yaml": "new\n", "c.yaml": "c\n"}


def test_a_stale_file_that_somebody_removed_is_no_error(tmp_path: Path) -> None:
    write_folder(tmp_path, [("a.yaml", "a\n")])
    (tmp_path / "a.yaml").unlink()
    write_folder(tmp_path, [])
    assert files_in(tmp_path) == {}


def test_a_file_of_somebody_else_is_not_overwritten_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("mine\n", encoding="utf-8")
    with pytest.raises(RenderError, match=r"b\.yaml: was not made by nodestead render"):
        write_folder(tmp_path, [("a.yaml", "a\n"), ("b.yaml", "b\n")])
    assert files_in(tmp_path) == {"b.yaml": "mine\n"}


def test_a_file_that_is_the_same_already_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a\n", encoding="utf-8")
    write_folder(tmp_path, [("a.yaml", "a\n")])
    write_folder(tmp_path, [("a.yaml", "b\n")])
    assert files_in(tmp_path) == {"a.yaml": "b\n"}


def test_unchanged_files_keep_their_time(tmp_path: Path) -> None:
    write_folder(tmp_path, [("a.yaml", "a\n")])
    before = (tmp_path / "a.yaml").stat().st_mtime_ns, (tmp_path / LIST_FILE).stat().st_mtime_ns
    write_folder(tmp_path, [("a.yaml", "a\n")])
    assert ((tmp_path / "a.yaml").stat().st_mtime_ns, (tmp_path / LIST_FILE).stat().st_mtime_ns) == before


def test_a_changed_list_removes_nothing_outside_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "precious.yaml"
    outside.write_text("precious\n", encoding="utf-8")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / LIST_FILE).write_text(f"../precious.yaml\n{outside}\n", encoding="utf-8")
    write_folder(folder, [("a.yaml", "a\n")])
    assert outside.read_text(encoding="utf-8") == "precious\n"


def test_an_interrupted_run_leaves_no_file_that_nobody_owns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, [("a.yaml", "a\n")])
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "c.yaml":
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_folder(tmp_path, [("b.yaml", "b\n"), ("c.yaml", "c\n")])
    monkeypatch.undo()
    write_folder(tmp_path, [("c.yaml", "c\n")])
    assert files_in(tmp_path) == {"c.yaml": "c\n"}
