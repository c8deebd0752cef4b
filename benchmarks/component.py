"""What a component costs against a bare Pulumi program that registers the same objects.

Usage: python benchmarks/component.py [--set storage|chain] [--nodes N] [--runs N]

Each run is a process of its own, the two programs in turn; the ratio is that of the medians. Under mocks always; with the real
engine (`pulumi preview` in render mode) where the Pulumi CLI is on PATH. The nodes of a chain set are all peers of each other,
and their keys and node ids come from its seed; the bare program has them as texts.
"""

import argparse
import compileall
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

STORAGE: dict[str, Any] = {
    "software": {"kind": "codex", "version": "0.2.5"},
    "exposure": {
        "kind": "nodePort",
        "basePort": 30510,
        "bootstrapBasePort": 30500,
        "externalAddress": {"kind": "hostIP"},
    },
}
CHAIN: dict[str, Any] = {
    "software": {"kind": "cosmos", "chainId": "net-1", "binary": "simd", "minGasPrice": "0stake"},
    "image": {"repository": "registry.example.org/simd", "tag": "v1"},
    "network": {"kind": "local", "validators": 4},
}
SIZES = {"storage": (100,), "chain": (4, 40, 400)}
SEED = bytes(range(32)).hex()
BUDGET = 1.15
PROGRAM = """
import os, sys
sys.path.insert(0, {folder!r})
import component
import pulumi, pulumi_kubernetes
provider = pulumi_kubernetes.Provider("cluster", render_yaml_to_directory="rendered", kubeconfig="")
component.register_all(
    os.environ["BENCH_WAY"], os.environ["BENCH_SET"], int(os.environ["BENCH_NODES"]), pulumi.ResourceOptions(provider=provider)
)
"""


def register_all(way: str, kind: str, nodes: int, opts: Any = None) -> None:
    """Registers the objects of a set: through the component, or one by one as a program without the library would."""
    import pulumi_kubernetes as kubernetes

    if way == "component":
        import nodestead

        made, args = (nodestead.StorageNodeGroup, STORAGE) if kind == "storage" else (nodestead.BlockchainNodeSet, CHAIN)
        made("bench", {**args, "replicas": nodes}, opts)
        return
    classes: dict[str, Any] = {
        "ServiceAccount": kubernetes.core.v1.ServiceAccount,
        "ConfigMap": kubernetes.core.v1.ConfigMap,
        "Secret": kubernetes.core.v1.SecretPatch,
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


def objects(kind: str, nodes: int) -> list[Any]:
    """The very objects that the component registers, as they are in the cluster."""
    from nodestead.config.base import parse
    from nodestead.plans.blockchain_node_set import BlockchainNodeSetArgs, plan_blockchain_node_set
    from nodestead.plans.storage_args import StorageNodeGroupArgs
    from nodestead.plans.storage_node_group import plan_storage_node_group

    if kind == "storage":
        plan = plan_storage_node_group("bench", parse(StorageNodeGroupArgs, {**STORAGE, "replicas": nodes}), "default")
    else:
        plan = plan_blockchain_node_set("bench", parse(BlockchainNodeSetArgs, {**CHAIN, "replicas": nodes}), "default")
    values: dict[Any, Any] = {}
    return [_known(manifest, values) for manifest in plan.manifests()]


def _known(value: Any, values: dict[Any, Any]) -> Any:
    """The value with its late leaves as they are once the seed is there."""
    from nodestead.kubernetes.objects import Late, PublicOf

    if isinstance(value, Late):
        for ref in value.refs:
            if ref not in values:
                values[ref] = ref.derive(SEED) if isinstance(ref, PublicOf) else SEED
        return value.make(*(values[ref] for ref in value.refs))
    if isinstance(value, dict):
        return {key: _known(item, values) for key, item in value.items()}
    return [_known(item, values) for item in value] if isinstance(value, list | tuple) else value


def under_mocks(way: str, kind: str, nodes: int) -> float:
    """Seconds of CPU that a program takes under mocks, imports not counted; runs in a child process."""
    import asyncio

    import pulumi
    import pulumi_kubernetes.apps.v1
    import pulumi_kubernetes.core.v1
    import pulumi_kubernetes.networking.v1
    import pulumi_kubernetes.policy.v1  # noqa: F401
    from pulumi.runtime.stack import run_pulumi_func

    import nodestead.blockchain_node_set
    import nodestead.storage_node_group  # noqa: F401

    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
            generated = {"result": SEED} if args.typ.startswith("random:") else {}
            return args.name, {**args.inputs, **generated}

        def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
            return {}

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(Mocks())
    start = time.process_time()
    loop.run_until_complete(run_pulumi_func(lambda: register_all(way, kind, nodes)))
    return time.process_time() - start


def mock_seconds(way: str, kind: str, folder: Path, nodes: int) -> float:
    """One run under mocks in a fresh process."""
    child = [sys.executable, __file__, "--child", way, "--set", kind, "--nodes", str(nodes)]
    done = subprocess.run(child, cwd=folder, check=True, capture_output=True, text=True)
    return float(done.stdout)


def preview_seconds(way: str, kind: str, folder: Path, nodes: int) -> float:
    """One `pulumi preview` of a new stack in render mode."""
    env = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "BENCH_WAY": way,
        "BENCH_SET": kind,
        "BENCH_NODES": str(nodes),
    }
    start = time.perf_counter()
    subprocess.run(
        ["pulumi", "preview", "--stack", "bench", "--suppress-progress"], cwd=folder, env=env, check=True, capture_output=True
    )
    return time.perf_counter() - start


def compare(title: str, measure: Any, kind: str, folder: Path, nodes: int, runs: int) -> bool:
    """Prints medians and their ratio; tells whether the budget is kept."""
    seconds: dict[str, list[float]] = {"bare": [], "component": []}
    for _ in range(runs):
        for way, taken in seconds.items():
            taken.append(measure(way, kind, folder, nodes))
    bare, component = (statistics.median(seconds[way]) for way in ("bare", "component"))
    kept = component <= BUDGET * bare
    verdict = f"{'within' if kept else 'OVER'} {BUDGET}"
    print(f"{kind:<8} {nodes:>5}  {title:<14} {runs:>4} {bare:9.2f} {component:12.2f} {component / bare:8.2f}   {verdict}")
    return kept


def measured(kind: str, nodes: int, runs: int) -> bool:
    """Measures one set in every way there is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "objects.json").write_text(json.dumps(objects(kind, nodes)))
        # pip compiles what it installs, Pulumi's packages too; a checkout may have been edited since its last run.
        compileall.compile_dir(Path(__file__).parent.parent / "components" / "nodestead", quiet=1)
        kept = compare("under mocks", mock_seconds, kind, folder, nodes, runs)
        if not shutil.which("pulumi"):
            print(f"{kind:<8} {nodes:>5}  a real preview  SKIPPED: the Pulumi CLI is not on PATH")
            return kept
        python = Path(sys.executable).parent.parent
        (folder / "Pulumi.yaml").write_text(
            f"name: bench\nruntime:\n  name: python\n  options: {{toolchain: pip, virtualenv: {python}}}\n"
        )
        (folder / "__main__.py").write_text(PROGRAM.format(folder=str(Path(__file__).parent.resolve())))
        env = {**os.environ, "PULUMI_BACKEND_URL": f"file://{folder}", "PULUMI_CONFIG_PASSPHRASE": ""}
        subprocess.run(["pulumi", "stack", "init", "bench"], cwd=folder, env=env, check=True, capture_output=True)
        return compare("a real preview", preview_seconds, kind, folder, nodes, min(runs, 3)) and kept


def main() -> int:
    """Measures and prints a table; 1 where a budget is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=tuple(SIZES), help="measure this kind alone")
    parser.add_argument("--nodes", type=int, help="measure this size alone")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", choices=("bare", "component"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(under_mocks(given.child, given.set, given.nodes))
        return 0
    print("set      nodes                 runs   bare, s component, s    ratio   budget")
    sizes = [(kind, nodes) for kind in SIZES if given.set in (None, kind) for nodes in SIZES[kind]]
    if given.nodes is not None:
        sizes = [(kind, given.nodes) for kind in dict.fromkeys(kind for kind, _ in sizes)]
    # All of them, also where one is over its budget.
    kept = [measured(kind, nodes, given.runs) for kind, nodes in sizes]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
