"""Records what `pulumi preview --json` says of changes, for tests/unit/test_engine_preview.py.

Run it with the Pulumi CLI on PATH and KUBECONFIG naming a cluster, on which it makes two namespaces and takes them away again;
no pod has to run, so it needs no images:

    KUBECONFIG=... .venv/bin/python tests/record_previews.py [CASE ...]
"""

import copy
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

sys.path.insert(0, str(Path(__file__).parent / "e2e"))
from engine import PROJECT, Stack

OUT = Path(__file__).parent / "unit" / "previews"
NAMESPACE = "recorded-previews"
Config = dict[str, Any]

# Nothing here waits for pods, whose images need not be there.
_UNWATCHED = {"metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}}


def base_config() -> Config:
    """What is deployed before every change: five storage nodes with keys in batches of two, one without keys, a chain of four."""
    config: Config = yaml.safe_load((PROJECT / "stacks" / "Pulumi.dev.yaml").read_text())["config"]
    ((name, codex),) = config["nodestead:storageNodeGroups"].items()
    ((_, chain),) = config["nodestead:blockchainNodeSets"].items()
    del codex["software"]["logLevel"]
    trade = {"ethProvider": {"url": "https://rpc.example.org"}, "prover": False}
    volume = {"kind": "volume", "size": "2Gi", "storageClass": "standard"}
    for one in (codex, chain):
        one |= {"patches": {"StatefulSet": {"*": copy.deepcopy(_UNWATCHED)}}}
    keyed = {
        **copy.deepcopy(codex),
        "software": {"kind": "codex", "version": "0.2.4", "marketplace": trade},
        "bootstrap": {"kind": "none"},
        "replicas": 5,
        "persistence": dict(volume),
        "rollout": {"maxUnavailable": 2},
    }
    plain = {**copy.deepcopy(codex), "bootstrap": {"kind": "none"}, "replicas": 1, "persistence": dict(volume)}
    return config | {
        "nodestead:namespace": {"name": NAMESPACE},
        "nodestead:cluster": {"kubeconfig": os.environ["KUBECONFIG"]},
        "nodestead:storageNodeGroups": {name: keyed, "archive": plain},
        "nodestead:blockchainNodeSets": {"local": chain},
    }


def _groups(config: Config) -> Config:
    return config["nodestead:storageNodeGroups"]


def _no_change(config: Config) -> None:
    del config


def _image(config: Config) -> None:
    _groups(config)["codex"]["software"]["version"] = "0.2.5"


def _shrunk(config: Config) -> None:
    _groups(config)["codex"]["persistence"]["size"] = "1Gi"


def _class(config: Config) -> None:
    _groups(config)["codex"]["persistence"]["storageClass"] = "standard-wait"


def _immutable(config: Config) -> None:
    patch = _groups(config)["codex"]["patches"]["StatefulSet"]["*"]
    patch["spec"] = {"podManagementPolicy": "OrderedReady"}


def _renamed(config: Config) -> None:
    _groups(config)["attic"] = _groups(config).pop("archive")


def _fewer(config: Config) -> None:
    _groups(config)["codex"]["replicas"] = 3


def _generation(config: Config) -> None:
    _groups(config)["codex"]["keys"] = {"kind": "seed", "generation": 2}


def _given_keys(config: Config) -> None:
    _groups(config)["codex"]["keys"] = {"kind": "secret", "name": "sellers", "key": "<replica>"}


def _removed(config: Config) -> None:
    del _groups(config)["codex"]


def _chain_id(config: Config) -> None:
    config["nodestead:blockchainNodeSets"]["local"]["software"]["chainId"] = "local-2"


def _pooled(config: Config) -> None:
    _groups(config)["archive"]["layout"] = "pooled"


def _refused(config: Config) -> None:
    _groups(config)["archive"]["replicas"] = -1


CHANGES: Mapping[str, Callable[[Config], None]] = {
    "no-change": _no_change,
    "image": _image,
    "claim-shrunk": _shrunk,
    "claim-class": _class,
    "workload-replaced": _immutable,
    "group-renamed": _renamed,
    "replicas-lowered": _fewer,
    "key-generation": _generation,
    "key-source": _given_keys,
    "set-removed": _removed,
    "chain-id": _chain_id,
    "layout": _pooled,
    "config-refused": _refused,
}
"""What is changed in the config of the project's own program."""

BRIEF = ("no-change", "image", "workload-replaced")
"""Recorded without --show-sames as well."""

USER_PROGRAM = f"""
import os
import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

cluster = kubernetes.Provider("cluster", kubeconfig=os.environ["KUBECONFIG"], cluster_identifier="user")
opts = pulumi.ResourceOptions(provider=cluster)
quiet = {{"pulumi.com/skipAwait": "true"}}
space = "{NAMESPACE}-user"
home = kubernetes.core.v1.Namespace("home", metadata={{"name": space}}, opts=opts)
opts = pulumi.ResourceOptions(provider=cluster, depends_on=[home])
password = random.RandomPassword("admin", length=16)
login = kubernetes.core.v1.Secret(
    "login",
    metadata={{"name": "login", "namespace": space}},
    string_data={{"user": "anna", "password": "first-Password"}},
    opts=opts,
)
settings = kubernetes.core.v1.ConfigMap(
    "settings", metadata={{"namespace": space}}, data={{"greeting": "hello"}}, opts=opts
)
kubernetes.core.v1.PersistentVolumeClaim(
    "data",
    metadata={{"name": "data", "namespace": space, "annotations": quiet}},
    spec={{"accessModes": ["ReadWriteOnce"], "resources": {{"requests": {{"storage": "1Gi"}}}}}},
    opts=opts,
)
labels = {{"app": "node"}}
kubernetes.apps.v1.Deployment(
    "node",
    metadata={{"name": "node", "namespace": space, "annotations": quiet}},
    spec={{
        "replicas": 2,
        "selector": {{"matchLabels": labels}},
        "template": {{
            "metadata": {{"labels": labels}},
            "spec": {{
                "containers": [
                    {{"name": "node", "image": "example.org/node:1", "env": [{{"name": "TOKEN", "value": password.result}}]}}
                ],
                "volumes": [{{"name": "data", "persistentVolumeClaim": {{"claimName": "data"}}}}],
            }},
        }},
    }},
    opts=opts,
)
"""
"""A program that knows nothing of this library."""

_CLAIM = USER_PROGRAM[USER_PROGRAM.index("kubernetes.core.v1.PersistentVolumeClaim") : USER_PROGRAM.index("labels = ")]
_WORKLOAD = USER_PROGRAM[USER_PROGRAM.index("kubernetes.apps.v1.Deployment") :]
_ADOPTION = """
kubernetes.core.v1.ConfigMap.get("authority", f"{space}/kube-root-ca.crt", opts=opts)
kubernetes.core.v1.ServiceAccount(
    "own",
    metadata={"name": "default", "namespace": space},
    opts=pulumi.ResourceOptions(provider=cluster, import_=f"{space}/default"),
)
"""
USER_CHANGES: Mapping[str, tuple[str, str]] = {
    "user-deleted": (_CLAIM + USER_PROGRAM[USER_PROGRAM.index("labels = ") :], ""),
    "user-secret": ("first-Password", "second-Password"),
    "user-password": ("length=16", "length=24"),
    "user-alias": ('"node",\n    metadata', '"other",\n    metadata'),
    "user-immutable": ('labels = {"app": "node"}', 'labels = {"app": "miner"}'),
    "user-unknown": ('{"greeting": "hello"}', '{"greeting": random.RandomPet("pet").id}'),
    "user-crash": ("labels = ", "labels = 1 / 0 #"),
    "user-unveiled": ('"value": password.result', '"value": "in-the-clear"'),
    "user-unsecret": ('"value": password.result', '"value": pulumi.Output.unsecret(password.result)'),
    "user-referenced": (
        '"value": password.result',
        '"valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}',
    ),
    "user-veiled": ('{"greeting": "hello"}', '{"greeting": pulumi.Output.secret("other-Greeting")}'),
    "user-adopts": ("labels = ", _ADOPTION + "labels = "),
    "user-nothing": ("", ""),
}
"""What is changed in its text."""


class Recorder(Stack):
    """A stack whose previews are written to files."""

    def preview(self, case: str, *flags: str, env: Mapping[str, str] | None = None) -> None:
        """Previews and writes what was said, without what no reader needs."""
        said, code = self._start("preview", "--json", *flags, env=env, merged=False)
        said = said.replace(str(self.folder), "/project").replace(str(PROJECT), "/nodestead")
        said = said.replace(os.environ["KUBECONFIG"], "/home/user/.kube/config")
        if "STREAMING" in str(env):
            lines = [line for line in said.splitlines() if '"severity":"debug"' not in line and '"resOutputsEvent"' not in line]
            text = "".join(f"{_text(json.loads(line))}\n" for line in lines)
        else:
            text = _text(json.loads(said))
        path = OUT / f"{case}.json.gz"
        # Without the time, so that equal content is an equal file.
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{case}: exit code {code}, {len(said):,} bytes, {path.stat().st_size:,} recorded", flush=True)

    def program(self, text: str) -> None:
        """Makes another program of it."""
        (self.folder / "__main__.py").write_text(text)


_UNREAD = ("stackTrace", "sourcePosition", "propertyDependencies", "created", "modified", "config", "outputs", "duration")
_LONGEST = 1_500


def _text(content: Any) -> str:
    return json.dumps(_slim(content), separators=(",", ":"))


def _slim(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _slim(item) for key, item in cast("dict[str, Any]", value).items() if key not in _UNREAD}
    if isinstance(value, list):
        return [_slim(item) for item in cast("list[Any]", value)]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:60]}... ({len(value)} characters, {hashlib.sha256(value.encode()).hexdigest()[:10]})"
    return value


def _kubectl(*args: str) -> None:
    subprocess.run(["kubectl", *args], check=True, stdout=subprocess.DEVNULL)


def _delete_namespaces() -> None:
    _kubectl("delete", "namespace", NAMESPACE, f"{NAMESPACE}-user", "--ignore-not-found")


def record_own(folder: Path, wanted: set[str]) -> None:
    """Deploys the project's program and previews every change of its config."""
    base = base_config()
    stack = Recorder(folder / "own", name="prod")
    stack.configure(base)
    print("deploying the project's program", flush=True)
    stack.up()
    for case, change in CHANGES.items():
        names = [case, *([f"{case}-brief"] if case in BRIEF else []), *(["image-stream"] if case == "image" else [])]
        if wanted and not wanted & set(names):
            continue
        config = copy.deepcopy(base)
        change(config)
        stack.configure(config)
        stack.preview(case, "--show-sames")
        if case in BRIEF:
            stack.preview(f"{case}-brief")
        if case == "image":
            stack.preview("image-stream", "--show-sames", env={"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"})


def record_user(folder: Path, wanted: set[str]) -> None:
    """Deploys a program that knows nothing of this library and previews every change of it."""
    user = Recorder(folder / "user", program=USER_PROGRAM, name="shop")
    user.configure({})
    print("deploying a program of a user", flush=True)
    user.up()
    for case, (old, new) in USER_CHANGES.items():
        if not wanted or case in wanted:
            user.program(USER_PROGRAM.replace(old, new))
            user.preview(case, "--show-sames")
    for case, flag in (("user-shown", "--show-secrets"), ("user-steps", "--show-replacement-steps")):
        if not wanted or case in wanted:
            user.program(USER_PROGRAM.replace(*USER_CHANGES["user-secret"]))
            user.preview(case, "--show-sames", flag)
    if not wanted or "user-drift" in wanted:
        user.program(USER_PROGRAM)
        _kubectl("scale", "deployment", "node", "--replicas=5", "--namespace", f"{NAMESPACE}-user")
        user.preview("user-drift", "--show-sames", "--refresh")


def record_rendered(folder: Path) -> None:
    """A stack that renders to a folder, where every object is written anew each time."""
    stack = Recorder(folder / "rendered", name="dev")
    config = base_config()
    config["nodestead:cluster"] = {"render": "rendered"}
    config["nodestead:storageNodeGroups"].pop("codex")
    config.pop("nodestead:blockchainNodeSets")
    stack.configure(config)
    stack.up()
    stack.preview("rendered-no-change", "--show-sames")


def main() -> None:
    """Records all cases, or those that are named."""
    if not os.environ.get("KUBECONFIG"):
        sys.exit("record_previews: KUBECONFIG names no cluster")
    wanted = set(sys.argv[1:])
    OUT.mkdir(exist_ok=True)
    _delete_namespaces()
    with tempfile.TemporaryDirectory() as folder:
        try:
            if not wanted or any(not case.startswith(("user-", "rendered-")) for case in wanted):
                record_own(Path(folder), wanted)
            if not wanted or any(case.startswith("user-") for case in wanted):
                record_user(Path(folder), wanted)
            if not wanted or "rendered-no-change" in wanted:
                record_rendered(Path(folder))
        finally:
            _delete_namespaces()


if __name__ == "__main__":
    main()
