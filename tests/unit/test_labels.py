"""What people call fields and images."""

import pytest

from nodestead.reports.labels import label, short_image


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        ("StatefulSet", "spec template spec containers [node] image", "image"),
        ("StatefulSet", "spec replicas", "replicas"),
        ("StatefulSet", "spec template spec containers [node] resources requests cpu", "cpu request"),
        ("StatefulSet", "spec template spec containers [node] resources limits memory", "memory limit"),
        ("StatefulSet", "spec template spec containers [node] args [--log-level]", "argument --log-level"),
        ("StatefulSet", "spec template spec containers [node] env [LEVEL] value", "variable LEVEL"),
        ("StatefulSet", "spec template spec volumes [key] secret secretName", "volume key's Secret"),
        ("StatefulSet", "spec template spec volumes [conf] configMap name", "volume conf's ConfigMap"),
        ("StatefulSet", "spec template spec volumes [key] secret optional", "spec.template.spec.volumes[key].secret.optional"),
        ("StatefulSet", "spec template spec containers [node] env [A] valueFrom secretKeyRef name", "variable A's Secret"),
        (
            "StatefulSet",
            "spec template spec containers [node] env [A] valueFrom secretKeyRef key",
            "variable A's key of the Secret",
        ),
        ("StatefulSet", "spec template spec containers [node] tty", "spec.template.spec.containers[node].tty"),
        ("PersistentVolumeClaim", "spec resources requests storage", "size"),
        ("Service", "spec ports [p2p] nodePort", "node port p2p"),
        ("ConfigMap", "data a.toml", "a.toml"),
        ("Deployment", "data a.toml", 'data["a.toml"]'),
        ("Service", "metadata labels a", "label a"),
    ],
)
def test_fields_have_the_names_that_people_use(kind: str, path: str, said: str) -> None:
    assert label(kind, tuple(path.split())) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a/b:1", "a/b:2", ("1", "2")),
        ("a/b:1", "a/c:1", ("a/b:1", "a/c:1")),
        ("h:5000/b", "h:5000/b:2", ("h:5000/b", "h:5000/b:2")),
        ("a/b@sha256:0123456789abcdef", "a/b@sha256:ffff456789abcdef", ("sha256:0123456789ab", "sha256:ffff456789ab")),
    ],
)
def test_an_image_is_its_tag_where_the_repository_is_the_same(old: str, new: str, said: tuple[str, str]) -> None:
    assert short_image(old, new) == said
