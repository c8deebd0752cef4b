"""Pulumi names: part of the state of every stack."""

import pytest

from nodestead.kubernetes.objects import Late, Manifest
from nodestead.registration import child_name


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ({"kind": "StatefulSet", "metadata": {"name": "codex-1", "namespace": "storage"}}, "codex-stateful-set-1"),
        ({"kind": "StatefulSet", "metadata": {"name": "codex", "namespace": "storage"}}, "codex-stateful-set"),
        (
            {"kind": "PersistentVolumeClaim", "metadata": {"name": "data-codex-1-1", "namespace": "storage"}},
            "codex-persistent-volume-claim.data-codex-1-1",
        ),
        ({"kind": "ConfigMap", "metadata": {"name": "codexample", "namespace": "storage"}}, "codex-config-map.codexample"),
        ({"kind": "PodMonitor", "metadata": {"name": "codex", "namespace": "monitoring"}}, "codex-pod-monitor@monitoring"),
        ({"kind": "ClusterRole", "metadata": {"name": "storage-codex"}}, "codex-cluster-role"),
        ({"kind": "ServiceAccount", "metadata": {"name": Late((), str, ""), "namespace": "storage"}}, "codex-service-account"),
    ],
)
def test_pulumi_names_never_change(manifest: Manifest, name: str) -> None:
    assert child_name("codex", manifest, set_name="codex", namespace="storage") == name
