"""Fixtures of the end-to-end tests, which need the cluster of KUBECONFIG and, for images, the scripts of CLUSTER_DIR."""

import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import cluster
import pytest
from chain_images import put_chain_images
from engine import NewStack, Stack
from images import build_storage_node, cluster_script

from nodestead.plans.blockchain_parts import AGENT_IMAGE

STORAGE_IMAGES: dict[str, tuple[Literal["codex", "storage", "archivist"], str]] = {
    "docker.io/codexstorage/nim-codex:0.2.5": ("codex", "0.2.5"),
    "docker.io/codexstorage/nim-codex:0.2.4": ("codex", "0.2.4"),
    "docker.io/durabilitylabs/archivist-node:0.2.0": ("archivist", "0.2.0"),
    "docker.io/logosstorage/logos-storage-nim:0.5.3": ("storage", "0.5.3"),
}


@pytest.fixture(scope="session")
def kubectl() -> cluster.Kubectl:
    """Kubectl on the cluster of KUBECONFIG; without one everything that asks for it is skipped."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("NOT TESTED on a cluster: KUBECONFIG is not set; README says how `make e2e` is run")
    if shutil.which("kubectl") is None:
        pytest.skip("NOT TESTED on a cluster: there is no kubectl on PATH")
    # Somebody who names a cluster wants it used: a dead one is a failure.
    cluster.kubectl("version", "--request-timeout=10s")
    return cluster.kubectl


@pytest.fixture(scope="session")
def storage_image(kubectl: cluster.Kubectl) -> str:
    """Stand-ins for all storage nodes in the cluster, under the names that the library gives them; that of codex."""
    try:
        cluster_script("image")
    except LookupError as error:
        pytest.skip(f"NOT TESTED on a cluster: {error}")
    with ThreadPoolExecutor(2) as pool:
        built = [pool.submit(build_storage_node, name, *node) for name, node in STORAGE_IMAGES.items()]
    for one in built:
        one.result()
    return next(iter(STORAGE_IMAGES))


@pytest.fixture(scope="session")
def chain_images(kubectl: cluster.Kubectl) -> None:
    """Real daemons of chains in the cluster, built where they are not yet, and the image of the agents."""
    put_chain_images(f"{AGENT_IMAGE.repository}:{AGENT_IMAGE.tag}")


def _delete(namespace: str) -> None:
    """Deletes a namespace with all claims, and what its sets have outside of it; waits for nothing."""
    cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
    for kind in ("clusterrole", "clusterrolebinding"):
        owned = cluster.kubectl("get", kind, "--selector", "app.kubernetes.io/part-of=nodestead", "--output", "name").split()
        mine = [name for name in owned if name.partition("/")[2].startswith(f"{namespace}-")]
        if mine:
            cluster.kubectl("delete", "--ignore-not-found", *mine)


def _named(request: pytest.FixtureRequest) -> str:
    module = request.module.__name__.removeprefix("test_").replace("_", "-")
    return f"e2e-{module}-{secrets.token_hex(3)}"


@pytest.fixture
def namespace(kubectl: cluster.Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a namespace that is not there yet; whatever the test makes in it goes with it."""
    name = _named(request)
    yield name
    _delete(name)


@pytest.fixture(scope="module")
def module_namespace(kubectl: cluster.Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """A `namespace` for all tests of a module."""
    name = _named(request)
    yield name
    _delete(name)


@pytest.fixture(scope="module")
def other_namespace(kubectl: cluster.Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """A second `namespace` for all tests of a module."""
    name = _named(request)
    yield name
    _delete(name)


@pytest.fixture(scope="session")
def new_stack(kubectl: cluster.Kubectl, tmp_path_factory: pytest.TempPathFactory) -> NewStack:
    """Makes stacks for the Pulumi CLI; without one everything that asks for it is skipped."""
    if shutil.which("pulumi") is None:
        pytest.skip("NOT TESTED in the engine: there is no Pulumi CLI on PATH; README says how to get it")

    def make(program: str | None = None, name: str = "e2e", state: Path | None = None) -> Stack:
        return Stack(tmp_path_factory.mktemp("stack") / "project", program, name, state)

    return make
