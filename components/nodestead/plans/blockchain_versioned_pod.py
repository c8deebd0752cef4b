"""The extra pods of a node: plain ones for one version; with several, a container for each, and one that follows the node."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nodestead.kubernetes import names
from nodestead.kubernetes.metadata import SKIP_AWAIT, manifest, recommended_labels
from nodestead.kubernetes.network_policy import API_CLIENT
from nodestead.kubernetes.objects import Manifest
from nodestead.kubernetes.patches import patched
from nodestead.kubernetes.pod import CONTAINER_SECURITY, env_list, image_reference, pod_spec, stateful_set
from nodestead.plans.blockchain_parts import AGENT_IMAGE
from nodestead.plans.blockchain_pod import AGENTS_FOLDER, GATE, IDLE, RUN, SMALL, USER, Binary, binaries
from nodestead.plans.blockchain_set import HOME, ChainSet
from nodestead.plans.blockchain_versioned import FOLLOW, VersionedPod, follows

__all__ = ["followed", "versioned_pods"]


def versioned_pods(chain: ChainSet, ordinal: int) -> Iterator[Manifest]:
    """The workloads of a node's extra pods; a disabled node has none."""
    if chain.args.override(ordinal).disabled is None:
        for given in chain.args.versioned_pods:
            yield _workload(chain, ordinal, given)


def followed(chain: ChainSet) -> bool:
    """Whether extra pods ask the nodes for the version that runs."""
    return len(chain.versions) > 1 and any(follows(one) for pod in chain.args.versioned_pods for one in pod.containers)


def _workload(chain: ChainSet, ordinal: int, given: VersionedPod) -> Manifest:
    node = chain.node_name(ordinal)
    # Another set than that of the nodes: their Services, budget, monitor and policy do not take this pod for one of them.
    selector = {
        **chain.selector,
        "nodestead.io/set": "versioned-pod",
        "nodestead.io/node": node,
        "nodestead.io/versioned-pod": given.name,
    }
    recommended = recommended_labels(chain.args.software.kind, chain.name, "versioned-pod")
    labels = {**chain.args.labels, **recommended, **selector}
    # Nobody waits for it: the rollout of the nodes never hangs on it.
    shell = manifest("StatefulSet", "apps/v1", f"{node}-{given.name}", chain.namespace, labels, SKIP_AWAIT)
    spec = _pod(chain, ordinal, given)
    main = next(one["name"] for one in reversed(spec["containers"]) if one["name"] != FOLLOW)
    annotations = {**given.annotations, "kubectl.kubernetes.io/default-container": main}
    template = {"metadata": {"labels": {**given.labels, **labels, **API_CLIENT}, "annotations": annotations}, "spec": spec}
    return stateful_set(shell, selector=selector, first_ordinal=0, template=template)


def _pod(chain: ChainSet, ordinal: int, given: VersionedPod) -> dict[str, Any]:
    args, node, versions = chain.args, chain.node_name(ordinal), binaries(chain, ordinal)
    many = len(versions) > 1
    containers: list[dict[str, Any]] = []
    for container in given.containers:
        if not follows(container):
            containers.append(_completed(chain, node, container))
        elif many:
            containers += [_gated(chain, node, container, version, last=version is versions[-1]) for version in versions]
        else:
            containers.append(_versioned(chain, node, container, versions[0]))
    volumes: list[dict[str, Any]] = [
        {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    pull_secrets = [name for version in versions for name in version.pull.pull_secrets]
    following = [str(container["name"]) for container in given.containers if follows(container)]
    if many and following:
        # First: while its image is pulled there is nobody whose probes it could fail.
        containers.insert(0, _follow(chain, node, versions, following))
        volumes += [
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            {"name": "agents", "configMap": {"name": chain.agents_name, "defaultMode": 0o555}},
        ]
        pull_secrets += args.container.agent_image.pull_secrets
    return pod_spec(
        args.pod.model_copy(
            update={
                "affinity": _beside(chain.node_selector(node)) if given.prefer_same_node else None,
                "topology_spread": (),
                "termination_grace_period": given.termination_grace_period,
                "init_containers": (),
                "extra_containers": (),
                "volumes": given.volumes,
            }
        ),
        account=chain.account,
        containers=containers,
        init_containers=[],
        volumes=volumes,
        pull_secrets=tuple(dict.fromkeys(pull_secrets)),
        spread={},
        node_selector=args.override(ordinal).node_selector,
        user=USER,
    )


def _beside(node: Mapping[str, str]) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": dict(node)}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}


def _completed(chain: ChainSet, node: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A container of the user's with what every container of these pods has; what it says itself wins."""
    rpc = f"http://{names.p2p_service_name(node)}:{chain.args.ports.rpc}"
    env = env_list({"HOME": HOME, "CHAIN_HOME": chain.home, "RPC_URL": rpc})
    mounts = [{"name": "scratch", "mountPath": HOME}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - an emptyDir
    security = patched(CONTAINER_SECURITY, chain.args.container.security_context)
    return {
        **given,
        "resources": given.get("resources", SMALL),
        "env": _joined("name", env, given.get("env", ())),
        "securityContext": patched(security, given.get("securityContext", {})),
        "volumeMounts": _joined("mountPath", mounts, given.get("volumeMounts", ())),
    }


def _joined(key: str, base: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    taken = {one[key] for one in given}
    return [*(one for one in base if one[key] not in taken), *given]


def _versioned(chain: ChainSet, node: str, given: Mapping[str, Any], version: Binary) -> dict[str, Any]:
    first = {
        "name": given["name"],
        "image": version.image,
        "imagePullPolicy": version.pull.pull_policy,
        "workingDir": HOME,
    }
    return {**first, **_completed(chain, node, given)}


def _gated(chain: ChainSet, node: str, given: Mapping[str, Any], version: Binary, *, last: bool) -> dict[str, Any]:
    """The container of one version, which waits for its turn."""
    container = _versioned(chain, node, given, version)
    gate = env_list({"VERSION": version.name, "GATE": f"{GATE}/{given['name']}"})
    # What asks for the resources is one of them; each may use as much as one.
    resources = container["resources"] if last else {**container["resources"], "requests": IDLE}
    probe = {
        "httpGet": {"path": f"/live/{given['name']}/{version.name}", "port": chain.args.ports.health},
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        # Patience with a `follow` that starts anew.
        "failureThreshold": 4,
    }
    return container | {
        "name": f"{given['name']}-{version.name}",
        "command": ["sh", f"{AGENTS_FOLDER}/chain_node.sh", *given["command"]],
        # First, so that the user's may name VERSION.
        "env": [*gate, *container["env"]],
        "resources": resources,
        "livenessProbe": probe,
        "volumeMounts": [
            *container["volumeMounts"],
            {"name": "run", "mountPath": RUN},
            {"name": "agents", "mountPath": AGENTS_FOLDER, "readOnly": True},
        ],
    }


def _follow(chain: ChainSet, node: str, versions: Sequence[Binary], following: Sequence[str]) -> dict[str, Any]:
    """The container that lets one version of each of the others run: that of the node."""
    port = chain.args.ports.health
    image = chain.args.container.agent_image.over(AGENT_IMAGE)
    url = f"http://{names.p2p_service_name(node)}:{port}"
    called = ",".join(version.name for version in versions)
    argv = ["python3", f"{AGENTS_FOLDER}/chain_follow.py", "--node", url, "--port", str(port), "--versions", called, *following]
    return {
        "name": FOLLOW,
        "image": image_reference(image, ("", None)),
        "imagePullPolicy": image.pull_policy,
        "command": argv,
        "workingDir": "/",
        "env": env_list({"GATE": GATE, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}),
        "livenessProbe": {
            "httpGet": {"path": "/alive", "port": port},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "run", "mountPath": RUN},
            {"name": "agents", "mountPath": AGENTS_FOLDER, "readOnly": True},
        ],
    }
