"""start.sh, which starts a storage node, for real: its arguments and the circuit files of a prover."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from storage_agents import SHELLS, Pod, mode_of


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(request.param, tmp_path)


# --- start.sh ---


def entrypoint_in(pod: Pod) -> Path:
    path = pod.folder / "entrypoint"
    path.write_text('#!/bin/sh\nprintf "%s|" "$$" "$@"\n')
    path.chmod(0o755)
    return path


def test_found_arguments_come_last_and_whole(pod: Pod) -> None:
    pod.args_file.write_text("--nat=extip:10.0.0.7\n\n--name=two words * $HOME `id`\n--last=no newline")
    process = pod.start("start.sh", "codex", "--log-level=a b", "persistence", "", ENTRYPOINT=entrypoint_in(pod))
    output, _ = process.communicate(timeout=10)
    # The same process: signals of the kubelet reach the node.
    given = f"{process.pid}|codex|--log-level=a b|persistence||"
    assert output == given + "--nat=extip:10.0.0.7|--name=two words * $HOME `id`|--last=no newline|"


@pytest.mark.parametrize("env", [{"ENTRYPOINT": ""}, {"ENTRYPOINT": "/no/such/entrypoint"}])
def test_without_an_entrypoint_the_arguments_are_the_program(pod: Pod, env: dict[str, str]) -> None:
    assert pod.run("start.sh", "echo", "a  b", **env).stdout == "a  b\n"


def test_a_program_that_the_image_lacks_is_named(pod: Pod) -> None:
    done = pod.run("start.sh", "no-such-node", ENTRYPOINT="")
    assert done.returncode == 127
    assert done.stderr == "nodestead: the image has no program 'no-such-node'; set image to one that holds this software\n"


# --- start.sh: the circuit files of a prover ---


STAND_IN = Path(__file__).parents[1] / "e2e" / "stand_in"
RPC = "https://rpc.example.org/v3/t0ken"
MARKET, OTHER_MARKET = "0x9A110Ae7DC8916Fa741e38caAf204c3ace3eAB0c", "0x0000000000000000000000000000000000000001"


def prover(pod: Pod, **env: str) -> dict[str, Any]:
    """The environment of a prover, whose image has `cirdl`."""
    data = pod.folder / "data" / "node"
    data.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{STAND_IN}:{os.environ['PATH']}",
        "ENTRYPOINT": "",
        "PROVER": "true",
        "PREFIX": "CODEX",
        "CODEX_DATA_DIR": data,
        "CODEX_CIRCUIT_DIR": data / "circuits",
        "CODEX_ETH_PROVIDER": RPC,
        **env,
    }


def circuits_in(pod: Pod) -> dict[str, str]:
    folder = pod.folder / "data" / "node" / "circuits"
    return {path.name: path.read_text() for path in sorted(folder.glob("proof_main.*"))}


def circuits_of(market: str) -> dict[str, str]:
    return {f"proof_main.{kind}": f"circuits of {market}\n" for kind in ("r1cs", "wasm", "zkey")}


@pytest.mark.parametrize(("given", "market"), [({}, "the chain"), ({"CODEX_MARKETPLACE_ADDRESS": MARKET}, MARKET)])
def test_a_prover_gets_its_circuit_files_on_the_volume(pod: Pod, given: dict[str, str], market: str) -> None:
    # The setgid bit of a mount with fsGroup is not passed on.
    (pod.folder / "data").mkdir(mode=0o700)
    (pod.folder / "data").chmod(0o2775)
    done = pod.run("start.sh", "sh", "-c", 'echo "${PREFIX-none} $(umask)"', **prover(pod, **given))
    assert (done.returncode, done.stderr) == (0, "")
    assert RPC not in done.stdout
    assert done.stdout.splitlines()[1:] == [f"none {subprocess.check_output(['sh', '-c', 'umask'], text=True).strip()}"]
    assert circuits_in(pod) == circuits_of(market)
    assert mode_of(pod.folder / "data" / "node" / "circuits") == 0o700
    assert [path.name for path in (pod.folder / "data").iterdir()] == ["node"], "it leaves its work behind"


def test_circuit_files_are_fetched_once_and_anew_for_another_contract(pod: Pod) -> None:
    away = {"CODEX_ETH_PROVIDER": f"{RPC}/away"}
    for given in ({}, away):
        env = prover(pod, CODEX_MARKETPLACE_ADDRESS=MARKET, **given)
        assert pod.run("start.sh", "echo", "started", **env).stdout.endswith("started\n")
    # Those of another contract do not pass for those of this one.
    assert "cirdl left no circuit files" in pod.refusal("start.sh", **prover(pod, CODEX_MARKETPLACE_ADDRESS=OTHER_MARKET, **away))
    assert circuits_in(pod) == circuits_of(MARKET)
    pod.run("start.sh", "true", **prover(pod, CODEX_MARKETPLACE_ADDRESS=OTHER_MARKET))
    assert circuits_in(pod) == circuits_of(OTHER_MARKET)


@pytest.mark.parametrize("program", ["wasm", "bin"])
def test_circuit_files_that_were_there_before_are_kept(pod: Pod, program: str) -> None:
    env = prover(pod, CODEX_ETH_PROVIDER=f"{RPC}/away")
    folder = pod.folder / "data" / "node" / "circuits"
    folder.mkdir()
    for kind in ("r1cs", "zkey", program):
        (folder / f"proof_main.{kind}").write_text("old")
    assert pod.run("start.sh", "echo", "started", **env).stdout == "started\n"
    (folder / f"proof_main.{program}").unlink()
    assert "cirdl left no circuit files" in pod.refusal("start.sh", **env)


def test_a_prover_without_circuit_files_is_refused_and_the_provider_not_shown(pod: Pod) -> None:
    done = pod.run("start.sh", "echo", "started", **prover(pod, CODEX_ETH_PROVIDER=f"{RPC}/away"))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "nodestead: cirdl left no circuit files (Failed to get circuit hash), and a prover cannot start"
    )
    assert "t0ken" not in done.stdout + done.stderr
    assert "started" not in done.stdout


def test_an_image_that_cannot_fetch_circuit_files_is_named(pod: Pod) -> None:
    assert pod.refusal("start.sh", **prover(pod, PATH=os.environ["PATH"])).startswith("the image has no program cirdl")


def test_a_signal_ends_the_fetching_and_leaves_nothing_behind(pod: Pod) -> None:
    slow = pod.folder / "slow"
    slow.mkdir()
    (slow / "cirdl").write_text(f"#!/bin/sh\ntouch {pod.folder}/asked\nexec sleep 60\n")
    (slow / "cirdl").chmod(0o755)
    process = pod.start("start.sh", "echo", "started", **prover(pod, PATH=f"{slow}:{os.environ['PATH']}"))
    while not (pod.folder / "asked").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "started" not in output
    assert [path.name for path in (pod.folder / "data").iterdir()] == ["node"]
