"""What a component costs against a bare Pulumi program that registers the same objects.

Usage: python benchmarks/component.py [--nodes N] [--runs N]

Each run is a process of its own, the two programs in turn; the ratio is that of the medians. Under mocks always; with the real
engine (`pulumi preview` in render mode) where the Pulumi CLI is on PATH.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ARGS: dict[str, Any] = {
    "software": {"kind": "codex", "version": "0.2.5"},
    "exposure": {
        "kind": "nodePort",
        "basePort": 30510,
        "bootstrapBasePort": 30500,
        "externalAddress": {"kind": "hostIP"},
    },
}
BUDGET = 1.15
PROGRAM = """
import os, sys
sys.path.insert(0, {folder!r})
import component
import pulumi, pulumi_kubernetes
provider = pulumi_kubernetes.Provider("cluster", render_yaml_to_directory="rendered", kubeconfig="")
component.register_all(os.environ["BENCH_WAY"], int(os.environ["BENCH_NODES"]), pulumi.ResourceOptions(provider=provider))
"""


def register_all(way: str, nodes: int, opts: Any = None) -> None:
    """Registers the objects of a group: through the component, or one by one as a program without the library would."""
    import pulumi_kubernetes as kubernetes

    args = {**ARGS, "replicas": nodes}
    if way == "component":
        from nodestead import StorageNodeGroup

        StorageNodeGroup("codex", args, opts)
        return
    classes: dict[str, Any] = {
        "ServiceAccount": kubernetes.core.v1.ServiceAccount,
        "ConfigMap": kubernetes.core.v1.ConfigMap,
        "Service": kubernetes.core.v1.Service,
        "PersistentVolumeClaim": kubernetes.core.v1.PersistentVolumeClaimPatch,
        "PodDisruptionBudget": kubernetes.policy.v1.PodDisruptionBudget,
        "NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
        "StatefulSet": kubernetes.apps.v1.StatefulSet,
    }
    keywords = {"automountServiceAccountToken": "automount_service_account_token"}
    for manifest in json.loads(Path("objects.json").read_text()):
        body = {keywords.get(key, key): value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
        classes[manifest["kind"]](f"{manifest['kind']}-{manifest['metadata']['name']}", opts=opts, **body)


def objects(nodes: int) -> list[Any]:
    """The very objects that the component registers."""
    from nodestead.config.base import parse
    from nodestead.plans.storage_args import StorageNodeGroupArgs
    from nodestead.plans.storage_node_group import plan_storage_node_group

    plan = plan_storage_node_group("codex", parse(StorageNodeGroupArgs, {**ARGS, "replicas": nodes}), "default")
    return list(plan.manifests())


def under_mocks(way: str, nodes: int) -> float:
    """Seconds of CPU that a program takes under mocks, imports not counted; runs in a child process."""
    import asyncio

    import pulumi
    import pulumi_kubernetes.apps.v1
    import pulumi_kubernetes.core.v1
    import pulumi_kubernetes.networking.v1
    import pulumi_kubernetes.policy.v1  # noqa: F401
    from pulumi.runtime.stack import run_pulumi_func

    import nodestead.storage_node_group  # noqa: F401

    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
            return args.name, args.inputs

        def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
            return {}

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(Mocks())
    start = time.process_time()
    loop.run_until_complete(run_pulumi_func(lambda: register_all(way, nodes)))
    return time.process_time() - start


def mock_seconds(way: str, folder: Path, nodes: int) -> float:
    """One run under mocks in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", way, "--nodes", str(nodes)], cwd=folder, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def preview_seconds(way: str, folder: Path, nodes: int) -> float:
    """One `pulumi preview` of a new stack in render mode."""
    env = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "BENCH_WAY": way,
        "BENCH_NODES": str(nodes),
    }
    start = time.perf_counter()
    subprocess.run(
        ["pulumi", "preview", "--stack", "bench", "--suppress-progress"], cwd=folder, env=env, check=True, capture_output=True
    )
    return time.perf_counter() - start


def compare(title: str, measure: Any, folder: Path, nodes: int, runs: int) -> bool:
    """Prints medians and their ratio; tells whether the budget is kept."""
    seconds: dict[str, list[float]] = {"bare": [], "component": []}
    for _ in range(runs):
        for way, taken in seconds.items():
            taken.append(measure(way, folder, nodes))
    bare, component = (statistics.median(seconds[way]) for way in ("bare", "component"))
    kept = component <= BUDGET * bare
    print(f"{title:<28} {bare:9.2f} {component:12.2f} {component / bare:8.2f}   {'within' if kept else 'OVER'} {BUDGET}")
    return kept


def main() -> int:
    """Measures and prints a table; 1 where a budget is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--child", choices=("bare", "component"))
    given = parser.parse_args()
    if given.child:
        print(under_mocks(given.child, given.nodes))
        return 0
    print(f"{given.nodes} nodes, {given.runs} runs{'':<10} bare, s component, s    ratio   budget")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "objects.json").write_text(json.dumps(objects(given.nodes)))
        kept = compare("under mocks", mock_seconds, folder, given.nodes, given.runs)
        if not shutil.which("pulumi"):
            print("a real preview               SKIPPED: the Pulumi CLI is not on PATH")
            return 0 if kept else 1
        python = Path(sys.executable).parent.parent
        (folder / "Pulumi.yaml").write_text(
            f"name: bench\nruntime:\n  name: python\n  options: {{toolchain: pip, virtualenv: {python}}}\n"
        )
        (folder / "__main__.py").write_text(PROGRAM.format(folder=str(Path(__file__).parent.resolve())))
        env = {**os.environ, "PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE": ""}
        subprocess.run(["pulumi", "stack", "init", "bench"], cwd=folder, env=env, check=True, capture_output=True)
        kept &= compare("a real preview", preview_seconds, folder, given.nodes, min(given.runs, 3))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
