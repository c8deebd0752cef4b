"""Steps of the engine one by one, and the files that people make of a preview."""

import json
from typing import Any

import pytest
from preview_cases import SIGNATURE, UNKNOWN, comparison, content, obj, recorded, step, told

from nodestead.changes.compare import path_text
from nodestead.preview.engine_preview import PreviewError, read_preview
from nodestead.preview.engine_text import decoded
from nodestead.preview.engine_values import property_path

ONE, TWO = obj("ConfigMap", "c", data={"a": "1"}), obj("ConfigMap", "c", data={"a": "2"})


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step("create", "c", None, ONE)], "add"),
        ([step("delete", "c", ONE)], "remove"),
        ([step("update", "c", ONE, TWO)], "change"),
        ([step("update", "c", ONE, ONE)], ""),
        ([step("same", "c", ONE, ONE)], ""),
        ([step("same", "c", ONE)], ""),
        ([step("replace", "c", ONE, TWO)], "replace"),
        # Its dependency is replaced, and itself with it.
        ([step("replace", "c", ONE, ONE)], "replace"),
        (
            [step("create-replacement", "c", ONE, TWO), step("replace", "c", ONE, TWO), step("delete-replaced", "c", ONE)],
            "replace",
        ),
        (
            [step("delete-replaced", "c", ONE), step("replace", "c", ONE, TWO), step("create-replacement", "c", ONE, TWO)],
            "replace",
        ),
        ([step("import", "c", None, ONE)], "add"),
        ([step("import-replacement", "c", ONE, TWO)], "replace"),
        ([step("refresh", "c", ONE, TWO)], "change"),
        ([step("refresh", "c", ONE, TWO), step("update", "c", TWO, ONE)], "change"),
        ([step("refresh", "c", ONE, TWO), step("same", "c", TWO, TWO)], ""),
        ([step("same", "c", TWO, TWO), step("refresh", "c", ONE, TWO)], ""),
        ([step("read", "c", None, ONE)], ""),
        ([step("read-replacement", "c", ONE, ONE)], ""),
        ([step("discard", "c", ONE)], ""),
        ([step("discard-replaced", "c", ONE)], ""),
        ([step("remove-pending-replace", "c", ONE)], ""),
    ],
)
def test_every_operation_of_the_engine_is_known(steps: list[dict[str, Any]], expected: str) -> None:
    preview = read_preview(content(*steps))
    assert [one.operation for one in comparison(preview).changes] == ([expected] if expected else [])
    assert preview.failures == []


def test_an_operation_that_is_not_known_is_told_and_the_rest_is_compared() -> None:
    preview = read_preview(content(step("teleport", "c", ONE, TWO), step("delete", "d", obj("ConfigMap", "d"))))
    assert preview.failures == ["the operation teleport of ConfigMap c is not known; the rest is compared"]
    assert [told(one) for one in comparison(preview).changes] == ["remove ConfigMap d"]


@pytest.mark.parametrize(
    "broken", [None, 7, "x", [], {}, {"op": "same"}, {"op": 3, "urn": "urn:pulumi:s::p::t::n"}, {"op": "same", "urn": "n"}]
)
def test_a_step_that_is_none_is_told_and_the_rest_is_compared(broken: Any) -> None:
    text = json.dumps({"steps": [step("delete", "c", ONE), broken], "changeSummary": {}})
    preview = read_preview(text)
    assert preview.failures == ["1 steps are none that an engine writes and are left out: number 2"]
    assert [told(one) for one in comparison(preview).changes] == ["remove ConfigMap c"]


def test_flags_of_the_state_make_items_protected_and_kept() -> None:
    steps = [step("same", name, obj("ConfigMap", name)) for name in ("plain", "protected", "retained")]
    steps[1]["oldState"]["protect"] = True
    steps[2]["oldState"]["retainOnDelete"] = True
    items = {one.name: (one.protected, one.retained) for one in read_preview(content(*steps)).base.items.values()}
    assert items == {"plain": (False, False), "protected": (True, False), "retained": (False, True)}


def test_deleting_a_patch_lets_go_of_the_object_and_deletes_nothing() -> None:
    patch = step("delete", "c", ONE, type_="kubernetes:core/v1:ConfigMapPatch")
    (change,) = comparison(read_preview(content(patch))).changes
    assert (change.operation, change.item.kind, change.item.outlives_stack) == ("remove", "ConfigMap", True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (UNKNOWN, "[known when deployed]"),
        ("1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "[known when deployed]"),
        ("dd056dcd-154b-4c76-9bd3-c8f88648b5ff", "[known when deployed]"),
        ("dd056dcd-154b-4c76-9bd3-c8f88648b500", "dd056dcd-154b-4c76-9bd3-c8f88648b500"),
        (3.0, 3),
        (0.5, 0.5),
        (True, True),
        ("half \ud800", "half ?"),
    ],
)
def test_values_are_plain(value: Any, shown: Any) -> None:
    preview = read_preview(content(step("create", "c", None, obj("ConfigMap", "c", spec={"x": value}))))
    found = next(iter(preview.head.items.values())).at("spec", "x")
    assert (found, type(found)) == (shown, type(shown))


@pytest.mark.parametrize("name", [None, UNKNOWN, "[secret]", 7])
def test_an_object_whose_name_is_not_known_yet_goes_by_that_of_its_resource(name: Any) -> None:
    inputs = obj("ConfigMap", "c")
    inputs["metadata"]["name"] = name
    assert [one.name for one in read_preview(content(step("create", "mine", None, inputs))).head.items.values()] == ["mine"]


@pytest.mark.parametrize(
    "metadata", [None, "[secret]", [], {"name": "c", "labels": "[secret]"}, {"name": "c", "annotations": UNKNOWN}]
)
def test_an_object_with_hidden_metadata_can_be_read(metadata: Any) -> None:
    (item,) = read_preview(content(step("create", "c", None, {**ONE, "metadata": metadata}))).head.items.values()
    assert (item.name, item.set, item.node, item.outlives_stack) == ("c", "", "", False)


def test_components_and_plugins_are_no_items_and_charts_are_none_of_kubernetes() -> None:
    component = step("create", "x", None, {}, type_="my:own:Component")
    component["newState"]["custom"] = False
    external = step("same", "y", ONE)
    external["oldState"]["external"] = True
    steps = [
        component,
        external,
        step("create", "default_4_34_2", None, {}, type_="pulumi:providers:kubernetes"),
        step("create", "chart", None, {"chart": "nginx"}, type_="kubernetes:helm.sh/v3:Release"),
    ]
    (item,) = read_preview(content(*steps)).head.items.values()
    assert item.manifest == {"kind": "kubernetes:helm.sh/v3:Release", "metadata": {"name": "chart"}, "inputs": {"chart": "nginx"}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("spec.containers[0].image", ("spec", "containers", "[0]", "image")),
        ('metadata.labels["app.kubernetes.io/version"]', ("metadata", "labels", "app.kubernetes.io/version")),
        ('data["a\\"b"]', ("data", 'a"b')),
        ('["a.b"].c', ("a.b", "c")),
        ("", ()),
    ],
)
def test_paths_are_read_as_the_engine_writes_them(text: str, path: tuple[str, ...]) -> None:
    assert property_path(text) == path


# ---- files as people make them


GOOD = content(step("delete", "c", ONE))


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        json.dumps(json.loads(GOOD), indent=4).encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-le"),
        b"\xfe\xff" + GOOD.encode("utf-16-be"),
        b"\n\n  " + GOOD.encode(),
        b"warning: using pulumi-resource-kubernetes from $PATH\nPreviewing update (prod):\n" + GOOD.encode(),
        b'{"level": "a log line"}\n' + GOOD.encode(),
        b"{a line that is no JSON}\n" + GOOD.encode(),
        GOOD.encode() + b"\nerror: preview failed\n",
        GOOD.replace("\n", "\r\n").encode(),
    ],
    ids=[
        "plain",
        "indented",
        "bom",
        "powershell",
        "utf-16-le",
        "utf-16-be",
        "blank",
        "warnings",
        "log",
        "brace",
        "after",
        "crlf",
    ],
)
def test_a_preview_is_found_in_the_file_that_a_shell_made(data: bytes) -> None:
    assert [told(one) for one in comparison(read_preview(decoded(data))).changes] == ["remove ConfigMap c"]


MAKE = "`pulumi preview --json --show-sames`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it is empty: the preview wrote nothing, and its own log says why"),
        (" \n\t\n", "it is empty: the preview wrote nothing, and its own log says why"),
        ("hello", f"it is no JSON of a preview; write it with {MAKE}"),
        ("Previewing update (prod):\n  + 3 to create\n", f"it is a preview as text; write it with {MAKE}"),
        ("error: no stack named 'prod' found\n", "the preview failed: no stack named 'prod' found"),
        ("[1, 2]", f"it is no JSON of a preview; write it with {MAKE}"),
        ("{}", f"it is JSON of something else, no preview; write it with {MAKE}"),
        ('{"a": 1}', f"it is JSON of something else, no preview; write it with {MAKE}"),
        ('{"version": 3, "deployment": {}}', f"it is the exported state of a stack, no preview; write it with {MAKE}"),
        ('{"manifest": {}, "resourcePlans": {}}', f"it is an update plan, no preview; write it with {MAKE}"),
        ('{"apiVersion": "v1", "kind": "Pod"}', f"it is a Kubernetes object, no preview; write it with {MAKE}"),
        ('{"format": "nodestead-snapshot"}', f"it is of the format nodestead-snapshot, no preview; write it with {MAKE}"),
        ('{"steps": "many"}', "its `steps` are no list; that is no preview"),
        ('{"steps": []}', "it has no step of any resource; the stack, or the preview, is empty"),
        ('{"steps": [}', "it is no JSON: Expecting value at line 1, column 12"),
        ('{"steps": [' + "[" * 100_000, "its JSON is nested too deep for a preview"),
        ('{"steps": ' + "9" * 5_000 + "}", "its JSON holds a number of thousands of digits; that is no preview"),
    ],
)
def test_a_file_that_is_no_preview_is_refused_in_one_line(text: str, expected: str) -> None:
    with pytest.raises(PreviewError) as refused:
        read_preview(text)
    assert str(refused.value) == expected


@pytest.mark.parametrize("case", ["image", "user-secret", "config-refused"])
def test_a_preview_that_is_cut_anywhere_says_so(case: str) -> None:
    whole = recorded(case)
    for length in range(1, len(whole) - 1, len(whole) // 40):
        with pytest.raises(PreviewError, match=r"ends in the middle|is no JSON"):
            read_preview(whole[:length])


def test_a_stream_that_is_cut_is_refused_or_a_failure() -> None:
    whole = recorded("image-stream")
    with pytest.raises(PreviewError, match="one of its lines is cut"):
        read_preview(whole[: len(whole) // 2])
    lines = whole.splitlines()[:-2]
    assert "summaryEvent" not in lines[-1]
    preview = read_preview("\n".join(lines))
    assert (preview.failures, preview.head.complete) == (["the preview ended before its summary"], False)


def test_a_stream_without_the_order_of_a_rollout_is_refused() -> None:
    lines = [
        line
        for line in recorded("image-stream").splitlines()
        if "StorageNodeGroup::codex" not in json.loads(line).get("resourcePreEvent", {}).get("metadata", {}).get("urn", "")
    ]
    with pytest.raises(PreviewError, match="drop PULUMI_ENABLE_STREAMING_JSON_PREVIEW, or make it with --show-sames"):
        read_preview("\n".join(lines))


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\x00\x00", b"\xff\xfe\x00", b"\x80abc", b'{"a": "\x00"}'])
def test_a_file_that_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(PreviewError, match="it is no text"):
        decoded(data)


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodestead.preview.engine_text.LARGEST", 10)
    with pytest.raises(PreviewError, match="more than 10 bytes"):
        decoded(b"x" * 11)


def test_values_that_are_nested_too_deep_are_refused() -> None:
    value: Any = "x"
    for _ in range(150):
        value = [value]
    with pytest.raises(PreviewError, match="nested deeper than 100 levels"):
        read_preview(content(step("create", "c", None, obj("ConfigMap", "c", spec=value))))


# ---- secrets and errors


def test_the_content_of_a_secret_is_hidden_and_its_change_is_not() -> None:
    old = obj("Secret", "login", data={"a": "czNjcmV0", "b": "c2FtZQ=="}, stringData={"c": "one"})
    new = obj("Secret", "login", data={"a": "b3RoZXI=", "b": "c2FtZQ=="}, stringData={"c": "two"})
    preview = read_preview(content(step("update", "login", old, new, type_="kubernetes:core/v1:Secret")))
    (change,) = comparison(preview).changes
    assert [(path_text(one.path), one.old, one.new) for one in change.fields] == [
        ("data.a", "[secret]", "[another secret]"),
        ("stringData.c", "[secret]", "[another secret]"),
    ]
    assert "czNjcmV0" not in repr(preview)


def test_what_is_below_the_engines_signature_is_hidden_with_and_without_its_text() -> None:
    def of(**sealed: str) -> dict[str, Any]:
        return obj("ConfigMap", "c", data={"token": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", **sealed}})

    shown = read_preview(content(step("update", "c", of(plaintext='"one"'), of(plaintext='"two"'))))
    assert [(path_text(one.path), one.old, one.new) for one in comparison(shown).changes[0].fields] == [
        ("data.token", "[secret]", "[another secret]")
    ]
    assert "one" not in repr(shown.base)
    # Sealed anew it is another text each time.
    sealed = read_preview(content(step("update", "c", of(ciphertext="AAAA"), of(ciphertext="BBBB"))))
    assert comparison(sealed).changes == []


@pytest.mark.parametrize(
    ("kubeconfig", "shown"),
    [
        ("/home/user/.kube/config", "/home/user/.kube/config"),
        ("apiVersion: v1\nusers:\n- user: {token: abc}", "[secret]"),
        ('{"users":[{"user":{"token":"abc"}}]}', "[secret]"),
    ],
)
def test_a_kubeconfig_is_shown_as_a_path_only(kubeconfig: str, shown: str) -> None:
    inputs = {"kubeconfig": kubeconfig, "version": "4.34.2"}
    preview = read_preview(content(step("create", "cluster", None, inputs, type_="pulumi:providers:kubernetes")))
    (item,) = preview.head.items.values()
    assert item.manifest["inputs"] == {"kubeconfig": shown}


def test_results_of_random_resources_and_copies_of_whole_objects_are_left_out() -> None:
    password = {"length": 8.0, "result": "hunter2", "bcryptHash": "$2a", "keepers": {"of": "1"}, "__defaults": ["lower"]}
    applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"a": "hunter2"}}', "kept": "1"}
    secret = obj("Secret", "s")
    secret["metadata"]["annotations"] = applied
    preview = read_preview(
        content(
            step("create", "p", None, password, type_="random:index/randomPassword:RandomPassword"),
            step("create", "s", None, secret, type_="kubernetes:core/v1:Secret"),
        )
    )
    assert "hunter2" not in repr(preview)
    items = {item.name: item for item in preview.head.items.values()}
    given = items["p"].manifest["inputs"]
    assert given == {"length": 8, "result": "[secret]", "bcryptHash": "[secret]", "keepers": {"of": "1"}}
    assert isinstance(given["length"], int)
    assert items["s"].annotations == {"kept": "1"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("\x1b[38;5;9merror: \x1b[0m\x1b[1mquota is used up\x1b[0m\n", "quota is used up"),
        ("error: preview failed\n", "the preview failed, and does not say why"),
        ("error: cannot dial https://anna:hunter2@example.org/x\n", None),
        ("error: update urn:pulumi:s::p::kubernetes:apps/v1:StatefulSet::n-1 first", "update StatefulSet n-1 first"),
        ("error: half a pair \ud800", "half a pair ?"),
        ("error: " + "x" * 9_000, "x" * 1_500 + " ..."),
    ],
)
def test_an_error_is_shown_without_colours_urns_secrets_and_length(message: str, expected: str | None) -> None:
    (line,) = read_preview(content(diagnostics=[{"severity": "error", "message": message}])).failures
    assert line == expected if expected is not None else "hunter2" not in line


def test_warnings_and_the_programs_own_output_are_no_failures() -> None:
    said = [{"severity": severity, "message": "x"} for severity in ("warning", "info", "info#err", "debug")]
    assert read_preview(content(step("same", "c", obj("ConfigMap", "c")), diagnostics=said)).failures == []


def test_many_errors_are_counted() -> None:
    said = [{"severity": "error", "message": f"error: number {number}"} for number in range(70)]
    failures = read_preview(content(diagnostics=said)).failures
    assert (len(failures), failures[-1]) == (51, "and 20 more errors")
