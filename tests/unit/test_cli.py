"""The command `nodestead`: exit codes that a pipeline can use, plain words on stderr, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nodestead.preview.cli import main
from nodestead.preview.folder import LIST_FILE
from nodestead.preview.kubectl import Kubectl, KubectlError

COMMAND = [sys.executable, "-m", "nodestead.preview.cli"]
STACK = """
config:
  nodestead:namespace: {name: storage}
  nodestead:cluster: {context: staging, kubeconfig: /home/a/config}
  nodestead:storageNodeGroups:
    codex:
      replicas: 2
      software: {kind: codex, version: 0.2.5}
      bootstrap: {kind: none}
      nodes: {"2": {disabled: true}}
"""
PEER = "16Uiu2HAmXYZabcdefghijklmnopqrstuvwxyzABCDEFGHGcaXpS"
INFO = json.dumps({"id": PEER, "announceAddresses": ["/ip4/10.0.0.1/tcp/8070"], "codex": {"version": "v0.2.5"}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Puts a kubectl on PATH that writes what it was asked into a file; gives the file."""
    asked = folder / "asked"
    (folder / "bin").mkdir()
    kubectl = folder / "bin" / "kubectl"
    kubectl.write_text(f"""#!/bin/sh\nprintf '%s\\n' "$*" >> {asked}\n{script}""", encoding="utf-8")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    return asked


# ---- render


def test_render_prints_documents_with_separators_between_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render"]) == 0
    out = capsys.readouterr()
    assert out.out.startswith("apiVersion: v1\nkind: Namespace\n")
    assert [d["kind"] for d in yaml.safe_load_all(out.out)][-1] == "StatefulSet"
    assert out.err == ""


def test_render_into_a_folder_is_the_same_as_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render"])
    printed = sorted(f"{text}\n" for text in capsys.readouterr().out.removesuffix("\n").split("\n---\n"))
    assert main(["render", "--out", "out"]) == 0
    files = [path for path in (folder / "out").iterdir() if path.name != LIST_FILE]
    assert sorted(path.read_text(encoding="utf-8") for path in files) == printed
    assert {"namespace-storage.yaml", "statefulset-codex-1.yaml", "service-codex-2-service.yaml"} <= {f.name for f in files}


def test_render_into_a_folder_again_changes_no_byte_and_drops_what_is_gone(folder: Path) -> None:
    main(["render", "--out", "out"])
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    main(["render", "--out", "out"])
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before
    (folder / "Pulumi.dev.yaml").write_text(STACK.replace("replicas: 2", "replicas: 1").replace('"2"', '"1"'), encoding="utf-8")
    main(["render", "--out", "out"])
    assert not (folder / "out" / "statefulset-codex-2.yaml").exists()


def test_render_finds_the_project_by_its_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chdir("/")
    assert main(["render", "--stack", "dev", "--dir", str(folder)]) == 0
    assert "kind: StatefulSet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["render", "--stack", "prod"], "nodestead: Pulumi.prod.yaml: no such stack; the stacks there are dev\n"),
        (["render", "--dir", "nowhere"], "nodestead: nowhere: no such folder; give the project's with --dir\n"),
        (["schema", "--check"], "nodestead: --check: nothing to compare with; name the file with --out\n"),
        (["check", "dev", "--timeout", "soon"], "nodestead: --timeout: 'soon' is not a duration; "),
        (["schema", "--out", "nowhere/schema.json"], "nodestead: [Errno 2] No such file or directory: 'nowhere/schema.json'\n"),
    ],
)
def test_a_refusal_is_one_line_on_stderr_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert main(argv) == 2
    out = capsys.readouterr()
    assert out.err.startswith(words)
    assert out.out == ""


def test_a_refused_config_prints_all_problems_and_no_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Pulumi.dev.yaml").write_text(STACK.replace("replicas: 2", "replica: 2\n      prettyfy: true"), encoding="utf-8")
    assert main(["render"]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err == (
        "nodestead: Pulumi.dev.yaml: the config is refused, 2 problems:\n"
        "  - storageNodeGroups.codex.replica: unknown key; did you mean replicas?\n"
        "  - storageNodeGroups.codex.prettyfy: unknown key; did you mean prettify?\n"
    )


def test_a_refused_config_leaves_the_folder_as_it_was(folder: Path) -> None:
    main(["render", "--out", "out"])
    before = sorted(path.name for path in (folder / "out").iterdir())
    (folder / "Pulumi.dev.yaml").write_text(STACK.replace("replicas: 2", "replicas: -1"), encoding="utf-8")
    assert main(["render", "--out", "out"]) == 2
    assert sorted(path.name for path in (folder / "out").iterdir()) == before


@pytest.mark.parametrize("argv", [[], ["deploy"], ["render", "--stak", "dev"], ["check"]])
def test_a_wrong_command_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "usage: nodestead" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["render", "schema", "check", "data"])
def test_every_command_helps_with_an_example_and_its_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert f"example: nodestead {command} " in out
    assert "exit codes: 0 " in out


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    text = STACK.replace("replicas: 2", "replicas: 200")
    (folder / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    with subprocess.Popen([*COMMAND, "render"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_bytes_do_not_depend_on_the_locale(folder: Path) -> None:
    (folder / "Pulumi.dev.yaml").write_text(
        STACK.replace("replicas: 2", "replicas: 2\n      pod: {annotations: {note: Käse}}"), encoding="utf-8"
    )
    texts = [
        subprocess.run(
            [*COMMAND, "render"], capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": encoding}
        ).stdout
        for encoding in ("utf-8", "ascii")
    ]
    assert "note: Käse\n".encode() in texts[0]
    assert texts[0] == texts[1]


def test_rendering_loads_no_pulumi(folder: Path) -> None:
    program = (
        "import sys; from nodestead.preview.cli import main; main(['render']);"
        "sys.exit(', '.join(m for m in sys.modules if m.split('.')[0] in ('pulumi', 'pulumi_kubernetes', 'grpc')) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- schema


def test_schema_check_tells_a_current_file_from_an_old_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--out", "schema.json"]) == 0
    assert main(["schema", "--out", "schema.json", "--check"]) == 0
    (folder / "schema.json").write_text("{}\n", encoding="utf-8")
    assert main(["schema", "--out", "schema.json", "--check"]) == 1
    assert "run nodestead schema --out schema.json" in capsys.readouterr().err
    assert (folder / "schema.json").read_text(encoding="utf-8") == "{}\n"
    assert main(["schema", "--out", "nowhere.json", "--check"]) == 1


# ---- check


def test_check_asks_the_cluster_of_the_stack(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f"""case "$*" in *" pods "*) printf 'codex-1-1\\tcodex-1\\tTrue\\n';; *) echo '{INFO}';; esac\n"""
    asked = on_path(folder, monkeypatch, script)
    assert main(["check", "dev"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("codex-1  yes       16U*GcaXpS  v0.2.5   10.0.0.1:8070  0.")
    assert lines[2:] == ["codex-2  disabled", "1 of 1 nodes serve, 1 disabled"]
    for line in asked.read_text(encoding="utf-8").splitlines():
        assert line.startswith("--context staging --kubeconfig /home/a/config get ")


def test_options_name_another_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = on_path(folder, monkeypatch, f"""case "$*" in *" pods "*) ;; *) echo '{INFO}';; esac\n""")
    main(["check", "dev", "--context", "other", "--kubeconfig", "file"])
    assert all(line.startswith("--context other --kubeconfig file ") for line in asked.read_text(encoding="utf-8").splitlines())


def test_a_node_that_fails_is_exit_code_1_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = """case "$*" in *" pods "*) ;; *)
echo 'E0101 memcache.go:265] noise' >&2
echo 'Error from server (ServiceUnavailable): no endpoints available for service "codex-1-service"' >&2; exit 1;; esac\n"""
    on_path(folder, monkeypatch, script)
    assert main(["check", "dev"]) == 1
    out = capsys.readouterr()
    assert 'codex-1: (ServiceUnavailable): no endpoints available for service\n  "codex-1-service"\n' in out.out
    assert "--job asks from inside" in out.err


def test_check_by_a_job_prints_its_log_as_a_table_and_deletes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = f"printf 'codex-1\\tok\\t%s\\n' '{INFO}'"
    script = f"""case "$*" in *" get job "*) echo 1;; *" logs "*) {log};; *) cat >/dev/null;; esac\n"""
    asked = on_path(folder, monkeypatch, script)
    assert main(["check", "dev", "--job"]) == 0
    assert "1 of 1 nodes serve, 1 disabled" in capsys.readouterr().out
    verbs = [line.split()[4] for line in asked.read_text(encoding="utf-8").splitlines()]
    assert verbs == ["create", "get", "logs", "delete"]


def test_without_kubectl_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["check", "dev"]) == 2
    assert capsys.readouterr().err == (
        "nodestead: kubectl is not on PATH; install it from https://kubernetes.io/docs/tasks/tools/\n"
    )


def test_a_stack_without_nodes_cannot_be_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Pulumi.empty.yaml").write_text(
        "config:\n  nodestead:namespace: {name: storage}\n  nodestead:cluster: {context: a}\n", encoding="utf-8"
    )
    assert main(["check", "empty"]) == 2
    assert capsys.readouterr().err == "nodestead: the stack empty has no node with an API or an RPC\n"


# ---- data


ORPHANS = (
    r"PersistentVolumeClaim\tstorage\tdata-codex-1-1\t2026-01-01T00:00:00Z\t20Gi\ttrue\n"
    r"Secret\tstorage\tcodex-9-key-1\t2026-01-01T00:00:00Z\t\ttrue\n"
    r"PersistentVolumeClaim\tstorage\tdata-codex-9-1\t2026-01-01T00:00:00Z\t20Gi\ttrue\n"
)


def test_data_lists_what_no_stack_holds_and_the_lines_that_give_it_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = on_path(folder, monkeypatch, f"case $* in *pods*) ;; *) printf '{ORPHANS}' ;; esac\n")
    assert main(["data", "--context", "staging"]) == 0
    out = capsys.readouterr().out
    assert "data-codex-1-1" not in out
    assert out.startswith("stack compared: dev\n\nNAMESPACE ")
    assert out.endswith(
        "\nkubectl --context staging delete persistentvolumeclaim data-codex-9-1 --namespace storage\n"
        "kubectl --context staging delete secret codex-9-key-1 --namespace storage\n"
    )
    assert all(line.startswith("--context staging get ") for line in asked.read_text(encoding="utf-8").splitlines())


def test_data_that_is_all_held_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    on_path(folder, monkeypatch, f"case $* in *pods*) ;; *) printf '{ORPHANS.splitlines()[0]}' | head -n 1 ;; esac\n")
    assert main(["data"]) == 0
    assert capsys.readouterr().out == "stack compared: dev; they hold every claim and key Secret there is\n"


def test_data_of_a_folder_with_a_refused_stack_lists_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_path(folder, monkeypatch, f"printf '{ORPHANS}'\n")
    (folder / "Pulumi.prod.yaml").write_text("config: {}\n", encoding="utf-8")
    assert main(["data"]) == 2
    out = capsys.readouterr()
    assert (out.out, "Pulumi.prod.yaml" in out.err) == ("", True)


def test_a_folder_without_stacks_lists_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--dir", str(tmp_path)]) == 2
    assert "no stack is there to compare the cluster with" in capsys.readouterr().err


# ---- kubectl


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'error: context \"x\" does not exist' >&2; exit 1\n", 'context "x" does not exist'),
        ("echo 'Error from server (Forbidden): no' >&2; exit 1\n", "(Forbidden): no"),
        ("exit 7\n", "kubectl ended with 7"),
        ("sleep 5\n", "no answer within 0.2 s"),
    ],
)
def test_what_kubectl_refuses_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    on_path(folder, monkeypatch, script.replace("sleep", "exec sleep"))
    with pytest.raises(KubectlError) as error:
        Kubectl().run("get", "pods", timeout_seconds=0.2)
    assert str(error.value) == reason
