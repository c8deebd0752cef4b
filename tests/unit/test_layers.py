"""One direction of flow: who may import whom, and that the pure core never loads Pulumi."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "components" / "nodestead"
# A folder may import itself and what stands behind it here; what stands nowhere is open to the components only.
MAY_IMPORT = {
    "changes": {"config", "kubernetes"},
    "reports": {"changes", "config", "kubernetes"},
    "config": set(),
    "keys": set(),
    "chain_keys": {"keys"},
    "software": {"chain_keys", "config"},
    "kubernetes": {"config"},
    "plans": {"agents", "chain_keys", "config", "keys", "kubernetes", "software"},
    "preview": {"agents", "chain_keys", "changes", "config", "keys", "kubernetes", "plans", "reports", "software"},
    "agents": set(),
}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def layer_files(layer: str) -> list[Path]:
    single = PACKAGE / f"{layer}.py"
    return [single] if single.is_file() else sorted((PACKAGE / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_the_layers_before_it(layer: str) -> None:
    known = {path.stem for path in PACKAGE.iterdir()}
    broken = {
        f"{path.name} imports {name}"
        for path in layer_files(layer)
        for name in imported(path)
        if name.startswith("nodestead.") and (other := name.split(".")[1]) in known and other not in MAY_IMPORT[layer] | {layer}
    }
    assert broken == set()


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_no_file_of_the_pure_core_names_pulumi(layer: str) -> None:
    named = {path.name for path in layer_files(layer) if any(name.split(".")[0].startswith("pulumi") for name in imported(path))}
    assert named == set()


def test_every_folder_of_the_package_has_a_layer() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "statement",
    [
        "import nodestead",
        "from nodestead import StorageNodeGroupArgs, rollout_waves, ConfigError",
        "from nodestead.plans.stack import StackConfig, plan_stack",
        "import nodestead.preview.cli, nodestead.preview.render, nodestead.preview.check, nodestead.preview.kept",
    ],
)
def test_the_pure_core_never_loads_pulumi(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint([name for name in sys.modules if name.split('.')[0].startswith('pulumi')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_component_is_what_loads_pulumi() -> None:
    program = "from nodestead import StorageNodeGroup\nimport sys\nprint('pulumi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
