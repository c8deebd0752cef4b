"""The built wheel in a program of somebody else's, away from this checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import asyncio, sys
import pulumi
from pulumi.runtime.stack import run_pulumi_func

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        print(args.typ, args.name)
        return args.name, args.inputs
    def call(self, args):
        return {}

def program():
    from nodestead import StorageNodeGroup
    import nodestead
    print("from", nodestead.__file__)
    StorageNodeGroup("codex", {"software": {"kind": "codex", "version": "0.2.5"}})

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
pulumi.runtime.set_mocks(Mocks())
loop.run_until_complete(run_pulumi_func(program))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT / "components")]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("nodestead-*.whl")
    return built


def test_the_wheel_carries_scripts_schema_and_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "nodestead/agents/prepare.sh",
        "nodestead/agents/start.sh",
        "nodestead/agents/availability.sh",
        "nodestead/agents/check.sh",
        "nodestead/config/fragments.schema.json",
        "nodestead/py.typed",
    } <= names


def test_the_wheel_carries_nothing_but_the_package(wheel: Path) -> None:
    folders = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert folders == {"nodestead", "nodestead-0.1.0.dist-info"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return target


def run_away(installed: Path, folder: Path, *arguments: str) -> str:
    """What a Python program prints that finds the installed wheel and not this checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_separate_program_registers_a_group_from_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    printed = run_away(installed, tmp_path, str(program))
    assert f"from {installed}/nodestead/__init__.py" in printed
    assert "nodestead:index:StorageNodeGroup codex" in printed
    assert "kubernetes:apps/v1:StatefulSet codex-stateful-set-1" in printed


def test_the_installed_command_writes_the_schema_of_stack_files(installed: Path, tmp_path: Path) -> None:
    printed = run_away(installed, tmp_path, "-m", "nodestead.preview.cli", "schema")
    assert printed == (ROOT / "stacks" / "nodestead.schema.json").read_text()
