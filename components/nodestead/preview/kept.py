"""Data in the cluster that no stack of the project holds any more; nothing here deletes any."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from nodestead.kubernetes.objects import Manifest
from nodestead.preview.kubectl import Kubectl
from nodestead.preview.table import table
from nodestead.preview.yaml_text import plain

__all__ = ["Held", "KeptObject", "age", "delete_line", "held_by", "kept_objects", "kept_report", "kept_table", "used_by_pods"]

# Only these fields are asked for: no Secret's content leaves kubectl. A template prints a missing field as <no value>.
_TAB, _LINE = '{{"\\t"}}', '{{"\\n"}}'
_SIZE = "{{with .spec}}{{with .resources}}{{with .requests}}{{.storage}}{{end}}{{end}}{{end}}"
_KEPT = '{{with .metadata.annotations}}{{index . "pulumi.com/patchForce"}}{{end}}'
_COLUMNS = ("{{.kind}}", "{{.metadata.namespace}}", "{{.metadata.name}}", "{{.metadata.creationTimestamp}}", _SIZE, _KEPT)
_FIELDS = "{{range .items}}" + _TAB.join(_COLUMNS) + _LINE + "{{end}}"
# What pods and StatefulSets use, after a line with their namespace.
_CLAIMS = '{{with .persistentVolumeClaim}}PersistentVolumeClaim{{"\\t"}}{{.claimName}}{{"\\n"}}{{end}}'
_SECRETS = '{{with .secret}}Secret{{"\\t"}}{{.secretName}}{{"\\n"}}{{end}}'
_PROJECTED = '{{with .projected}}{{range .sources}}{{with .secret}}Secret{{"\\t"}}{{.name}}{{"\\n"}}{{end}}{{end}}{{end}}'
_USES = (
    '{{define "volumes"}}{{range .}}' + _CLAIMS + _SECRETS + _PROJECTED + "{{end}}{{end}}"
    '{{range .items}}in{{"\\t"}}{{.metadata.namespace}}{{"\\n"}}{{if eq .kind "StatefulSet"}}'
    '{{$name := .metadata.name}}{{template "volumes" .spec.template.spec.volumes}}'
    '{{range .spec.volumeClaimTemplates}}template{{"\\t"}}{{.metadata.name}}-{{$name}}{{"\\n"}}{{end}}'
    '{{else}}{{template "volumes" .spec.volumes}}{{end}}{{end}}'
)
_SHORT = {"PersistentVolumeClaim": "claim", "Secret": "secret"}


@dataclass(frozen=True, slots=True)
class KeptObject:
    """A claim or a key Secret that is in the cluster.

    Attributes:
        kind: PersistentVolumeClaim or Secret.
        size: What a claim asks for; empty for a Secret.
        created: When it was made, in RFC 3339.
    """

    kind: str
    namespace: str
    name: str
    size: str
    created: str


class Held:
    """The claims and Secrets that stacks hold: those they make, and those their pods use.

    Attributes:
        namespaces: Where their objects are.
        claim_templates: Ordinals by namespace and name of a StatefulSet's claims without ordinal; None for all there are.
    """

    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self._names: set[tuple[str, str, str]] = set()
        self.claim_templates: dict[tuple[str, str], range | None] = {}

    def add(self, manifests: Iterable[Manifest]) -> None:
        """Adds the objects of a stack."""
        for manifest in manifests:
            kind, metadata = manifest["kind"], manifest["metadata"]
            namespace = str(plain(metadata.get("namespace", "")))
            self.namespaces.add(namespace)
            if kind in ("PersistentVolumeClaim", "Secret"):
                self._names.add((kind, namespace, str(plain(metadata["name"]))))
            pod = manifest.get("spec", {}).get("template", {})
            self._names.update((used, namespace, name) for used, name in _used_by(pod))
            for template in manifest.get("spec", {}).get("volumeClaimTemplates", ()):
                claims = (namespace, f"{template['metadata']['name']}-{metadata['name']}")
                self.claim_templates[claims] = _ordinals(manifest["spec"])

    def add_used(self, text: str, other_than: "Held") -> None:
        """Adds what the cluster says that its pods and StatefulSets use.

        Args:
            text: Lines of `used_by_pods`.
            other_than: The stacks; how many claims their own StatefulSets hold is up to their config.
        """
        namespace = ""
        for line in text.splitlines():
            kind, name = line.split("\t")
            if kind == "in":
                namespace = name
            elif kind != "template":
                self._names.add((kind, namespace, name))
            elif (namespace, name) not in other_than.claim_templates:
                self.claim_templates[namespace, name] = None

    def holds(self, found: KeptObject) -> bool:
        """Whether a stack that was added holds an object."""
        if (found.kind, found.namespace, found.name) in self._names:
            return True
        of_template = re.fullmatch(r"(.+)-(\d+)", found.name)
        if of_template is None or found.kind != "PersistentVolumeClaim":
            return False
        claims = (found.namespace, of_template[1])
        if claims not in self.claim_templates:
            return False
        ordinals = self.claim_templates[claims]
        return ordinals is None or int(of_template[2]) in ordinals


def _ordinals(spec: dict[str, Any]) -> range | None:
    """The ordinals of a StatefulSet's pods; None where their number is up to an autoscaler."""
    start, replicas = spec.get("ordinals", {}).get("start", 0), spec.get("replicas")
    return range(start, start + replicas) if isinstance(replicas, int) else None


def _used_by(pod: Any) -> Iterator[tuple[str, str]]:
    """Claims and Secrets that a pod names, wherever it does: volumes, projected volumes, environment."""
    if isinstance(pod, list):
        for item in cast("list[Any]", pod):
            yield from _used_by(item)
    elif isinstance(pod, dict):
        for key, value in cast("dict[str, Any]", pod).items():
            if key in ("claimName", "secretName"):
                yield ("PersistentVolumeClaim" if key == "claimName" else "Secret"), str(plain(value))
            elif key in ("secret", "secretRef", "secretKeyRef") and isinstance(value, dict) and "name" in value:
                yield "Secret", str(plain(value["name"]))
            else:
                yield from _used_by(value)


def held_by(*stacks: Iterable[Manifest]) -> Held:
    """What several stacks hold together."""
    held = Held()
    for manifests in stacks:
        held.add(manifests)
    return held


def kept_objects(kubectl: Kubectl, namespace: str | None = None) -> Iterator[KeptObject]:
    """Claims and key Secrets of Nodestead, whoever holds them.

    Args:
        kubectl: The cluster.
        namespace: Where to look; None for all namespaces.

    Raises:
        KubectlError: where the cluster does not answer or refuses.
    """
    text = kubectl.run(
        *("get", "persistentvolumeclaims,secrets", *(["--namespace", namespace] if namespace else ["--all-namespaces"])),
        *("--selector", "app.kubernetes.io/managed-by=nodestead"),
        *("--output", f"go-template={_FIELDS}"),
    )
    for line in text.splitlines():
        kind, namespace, name, created, size, kept = line.split("\t")
        # Other Secrets, such as passwords, go with their stack.
        if kind == "PersistentVolumeClaim" or kept == "true":
            yield KeptObject(kind, namespace, name, size.replace("<no value>", ""), created)


def used_by_pods(kubectl: Kubectl, held: Held, namespace: str | None = None) -> Held:
    """Claims and Secrets that pods and StatefulSets of the cluster use, whoever made them.

    Args:
        kubectl: The cluster.
        held: What the stacks hold.
        namespace: Where to look; None for all namespaces.

    Raises:
        KubectlError: where the cluster does not answer or refuses.
    """
    where = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    used = Held()
    used.add_used(kubectl.run("get", "pods,statefulsets.apps", *where, "--output", f"go-template={_USES}"), held)
    return used


def delete_line(found: KeptObject, kubectl: Kubectl) -> str:
    """The command that gives an object and its data up."""
    return shlex.join(["kubectl", *kubectl.flags, "delete", found.kind.lower(), found.name, "--namespace", found.namespace])


def age(created: str, now: datetime) -> str:
    """How old something is: 3d4h, 5h10m or 7m."""
    minutes = max(0, (now - datetime.fromisoformat(created)) // timedelta(minutes=1))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days}d{hours}h" if days else f"{hours}h{rest}m" if hours else f"{rest}m"


def kept_report(found: Iterable[KeptObject], held: Held, used: Held, kubectl: Kubectl, now: datetime) -> str:
    """Tables of what no stack holds, each with the lines that give it up; nothing where all is held.

    What is in namespaces of other folders' stacks looks the same, so that those lines are commented out. What is in use has none.
    """
    left = sorted((one for one in found if not held.holds(one)), key=lambda one: (one.namespace, one.kind, one.name))
    in_use = [one for one in left if used.holds(one)]
    idle = [one for one in left if not used.holds(one)]
    ours = [one for one in idle if one.namespace in held.namespaces]
    others = [one for one in idle if one.namespace not in held.namespaces]
    text = ""
    if ours:
        text += f"{kept_table(ours, now)}\nEach of these lines deletes data for good:\n\n"
        text += "".join(f"{delete_line(one, kubectl)}\n" for one in ours)
    if others:
        text += "\n" * bool(ours) + "In namespaces that none of these stacks names; another folder may hold it:\n\n"
        text += f"{kept_table(others, now)}\nSure that nobody does? Each of these lines deletes data for good:\n\n"
        text += "".join(f"# {delete_line(one, kubectl)}\n" for one in others)
    if in_use:
        text += "\n" * bool(text) + "In use by pods or StatefulSets of the cluster, and so without a line to delete them:\n\n"
        text += kept_table(in_use, now)
    return text


def kept_table(found: Iterable[KeptObject], now: datetime) -> str:
    """A line for each object."""
    rows = [(f.namespace, _SHORT[f.kind], f.name, f.size or "-", age(f.created, now)) for f in found]
    return table(("NAMESPACE", "KIND", "NAME", "SIZE", "AGE"), rows)
