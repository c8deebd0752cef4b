"""Risk rules about rights, isolation, secrets in clear, and the cluster itself."""

import re
from collections.abc import Iterator
from typing import Any, Final

from nodestead.changes.compare import Change, Comparison, path_text
from nodestead.changes.names import folded_names
from nodestead.changes.plain import listed, mapping, mappings
from nodestead.changes.rule import Found, Rule, folded
from nodestead.changes.secrecy import HIDDEN, safe_text, shown, unveiled
from nodestead.changes.secret_text import MARKERS, is_harmless, is_key_of_bytes, smells
from nodestead.changes.snapshot import PROVIDER_TYPE, Item, subject
from nodestead.changes.workloads import WORKLOADS, containers, pod_spec, replicas

__all__ = ["RULES"]

_ENFORCED = "pod-security.kubernetes.io/enforce"
_LEVELS: Final = {"restricted": 2, "baseline": 1, "privileged": 0}
_WHICH_CLUSTER: Final = ("kubeconfig", "context", "cluster")


# ---- isolation


def _loosened(comparison: Comparison) -> Iterator[Found]:
    for change in comparison.of_kind("Namespace"):
        if change.old is None or change.new is None:
            continue
        old, new = (str(item.labels.get(_ENFORCED, "privileged")) for item in (change.old, change.new))
        if _LEVELS.get(new, 0) < _LEVELS.get(old, 0):
            what = f"Pod Security {old} -> {new}: pods of the namespace may do what they could not before"
            yield Found(f"Namespace/{change.new.name}", what, (change.new.name,))

    def cases() -> Iterator[tuple[Item, str]]:
        for change in comparison.of_kind(*WORKLOADS):
            if change.new is not None and replicas(change.new):
                before = _liberties(change.old) if change.old is not None else _USUAL
                more = [text for text in _liberties(change.new) if text not in before]
                if more:
                    yield change.new, f"pods {', '.join(more)}"

    yield from folded(cases())


# Of a workload that is new only what reaches beyond its pods counts.
_USUAL: Final = frozenset(
    {"do not insist on another user than root", "may gain privileges", "may write in their image", "have no seccomp profile"}
)


def _liberties(item: Item) -> list[str]:
    """What the pods of a workload may do that Pod Security restricted, and the library, refuse."""
    pod = pod_spec(item)
    found = [f"share {what} with their host" for field, what in _SHARED if pod.get(field)]
    found += ["mount a folder of their host" for volume in mappings(pod.get("volumes")) if volume.get("hostPath")]
    whole = mapping(pod.get("securityContext"))
    for container in containers(item):
        own = mapping(container.get("securityContext"))
        both = {**whole, **own}
        added = listed(mapping(own.get("capabilities")).get("add"))
        found += ["are privileged"] * bool(own.get("privileged"))
        found += [f"have the capability {name}" for name in map(str, added)]
        found += ["run as root"] * (both.get("runAsUser") == 0)
        found += ["do not insist on another user than root"] * (
            both.get("runAsNonRoot") is not True and not both.get("runAsUser")
        )
        found += ["may gain privileges"] * (own.get("allowPrivilegeEscalation") is not False)
        found += ["may write in their image"] * (own.get("readOnlyRootFilesystem") is not True)
        profile = mapping(both.get("seccompProfile")).get("type")
        found += ["have no seccomp profile"] * (profile in (None, "Unconfined"))
    return list(dict.fromkeys(found))


_SHARED: Final = (("hostNetwork", "the network"), ("hostPID", "the processes"), ("hostIPC", "the memory"))


# ---- secrets


def _secret_unveiled(comparison: Comparison) -> Iterator[Found]:
    return folded(
        (change.item, f"{path_text(path)} came from a secret and stands in the object in clear now")
        for change in comparison.changes
        for path in unveiled(change)
    )


def _secret_in_clear(comparison: Comparison) -> Iterator[Found]:
    def cases() -> Iterator[tuple[Item, str]]:
        for change in comparison.changes:
            if change.new is None or not change.new.is_object:
                continue
            was = dict(_clear(change.old)) if change.old is not None else {}
            told = {path_text(path) for path in unveiled(change)}
            for where, value in _clear(change.new):
                if was.get(where) != value and not any(one.endswith(where) for one in told):
                    yield change.new, f"{where} holds in clear what looks like a secret"

    return folded(cases())


def _clear(item: Item) -> Iterator[tuple[str, str]]:
    """Values of an object that look like secrets, by where they stand."""
    if item.kind == "ConfigMap":
        for key, value in mapping(item.at("data")).items():
            if isinstance(value, str) and ("PRIVATE KEY-----" in value or (_is_secret(key, value) and "\n" not in value.strip())):
                yield f"data.{key}" if re.fullmatch(r"[\w-]+", key) else f'data["{key}"]', value
    if item.kind not in (*WORKLOADS, "Job", "CronJob", "Pod"):
        return
    for container in containers(item):
        called = f"[{container.get('name')}]"
        for one in mappings(container.get("env")):
            value = one.get("value")
            if isinstance(value, str) and _is_secret(str(one.get("name")), value):
                yield f"{called}.env[{one.get('name')}]", value
        for part in ("command", "args"):
            yield from ((f"{called}.{part}: {flag}", value) for flag, value in _arguments(container.get(part)))


def _arguments(given: Any) -> Iterator[tuple[str, str]]:
    before = ""
    for one in listed(given):
        text = str(one)
        flag, equals, value = text.partition("=")
        if equals and re.fullmatch(r"-{1,2}[A-Za-z][\w.-]*", flag):
            if _is_secret(flag, value):
                yield flag, value
        elif before and not text.startswith("-") and _is_secret(before, text):
            yield before, text
        elif "@" in text and f"{HIDDEN}@" in safe_text(text):
            yield "a URL", text
        before = text if re.fullmatch(r"-{1,2}[A-Za-z][\w.-]*", text) else ""


def _is_secret(name: str, value: str) -> bool:
    if value in MARKERS or is_harmless(value) or value.startswith("["):
        return False
    has_user = "://" in value and "@" in value
    return smells(name) or is_key_of_bytes(value, name) or (has_user and f"{HIDDEN}@" in safe_text(value))


# ---- the cluster


def _cluster_changed(comparison: Comparison) -> Iterator[Found]:
    for change in comparison.changes:
        if change.item.kind != PROVIDER_TYPE or change.old is None or change.new is None:
            continue
        parts: list[str] = []
        for field in change.fields:
            if field.path[:1] == ("inputs",) and field.path[1:2] and field.path[1] in _WHICH_CLUSTER:
                old, new = shown(change, field)
                parts.append(f"{field.path[1]} {_short(old)} -> {_short(new)}")
        if parts:
            yield Found("cluster", f"{', '.join(parts)}: the stack is made in another cluster", (change.item.name,))


def _short(text: str | None) -> str:
    return "not set" if text is None else text if len(text) <= 80 else f"{text[:77]}..."


# ---- rights


def _rights_widened(comparison: Comparison) -> Iterator[Found]:
    gone = {right for change in comparison.of_kind("ClusterRole") if change.new is None for right in _rights(change.item)}
    known = {one.name for one in comparison.base.sets} | {item.set for item in comparison.base.items.values()}
    for change in comparison.of_kind("Role", "ClusterRole"):
        if change.new is None or (change.old is None and change.new.kind == "Role" and change.new.set not in known):
            continue
        # Another name alone widens nothing.
        was = set(_rights(change.old)) if change.old is not None else gone if change.new.kind == "ClusterRole" else set[Right]()
        more = [right for right in _rights(change.new) if not _has(was, right)]
        if more:
            texts = [f"{verb} {resource}{f' of {group}' if group else ''}" for group, resource, verb, _ in more]
            reach = "in the whole cluster" if change.new.kind == "ClusterRole" else "in its namespace"
            yield Found(subject(change.new), f"its service account may {folded_names(texts)} {reach}", (change.new.name,))
    for change in comparison.of_kind("RoleBinding", "ClusterRoleBinding"):
        yield from _bound(comparison, change)


Right = tuple[str, str, str, str]


def _rights(item: Item) -> Iterator[Right]:
    for rule in mappings(item.at("rules")):
        names = listed(rule.get("resourceNames")) or [""]
        places = listed(rule.get("resources")) or listed(rule.get("nonResourceURLs"))
        for group in listed(rule.get("apiGroups")) or [""]:
            for resource in places:
                for verb in listed(rule.get("verbs")):
                    yield from ((str(group), str(resource), str(verb), str(name)) for name in names)


def _has(was: set[Right], right: Right) -> bool:
    group, resource, verb, name = right
    return any((g, r, v, n) in was for g in {group, "*"} for r in {resource, "*"} for v in {verb, "*"} for n in {name, ""})


def _bound(comparison: Comparison, change: Change) -> Iterator[Found]:
    """Bindings that give a role to more accounts; a new one to a role of the same change is told with the role."""
    new = change.new
    if new is None:
        return
    role = mapping(new.at("roleRef"))
    own = any(
        one.new is not None and one.new.kind == role.get("kind") and one.new.name == role.get("name") and one.old is None
        for one in comparison.changes
    )
    old_role = mapping(change.old.at("roleRef")) if change.old is not None else {}
    before = {_account(one) for one in mappings(change.old.at("subjects"))} if change.old is not None else set[str]()
    came = [_account(one) for one in mappings(new.at("subjects")) if _account(one) not in before or role != old_role]
    if came and not own:
        reach = "in the whole cluster" if new.kind == "ClusterRoleBinding" else f"in the namespace {new.namespace}"
        yield Found(subject(new), f"{folded_names(came)} gets {role.get('kind')} {role.get('name')} {reach}", (new.name,))


def _account(one: dict[str, Any]) -> str:
    return f"{one.get('kind')} {one.get('name')}"


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "cluster-changed",
        "danger",
        "The stack goes to another cluster",
        "All is made anew there, with the same keys and without the data; the nodes in the old cluster run on, and two validators"
        " with one key sign twice.",
        "Make a stack of its own for the other cluster; to move, stop the nodes here first, and check that they are stopped.",
        _cluster_changed,
    ),
    Rule(
        "secret-unveiled",
        "danger",
        "A secret turns plain",
        "Whoever may read the object, the stack's state or this repository reads the secret.",
        "Keep it in a Secret and name that; what has been committed in clear has to be replaced by a new one.",
        _secret_unveiled,
    ),
    Rule(
        "secret-in-clear",
        "danger",
        "A secret stands in clear",
        "Environment, arguments and ConfigMaps are read by whoever may read pods, and end up in logs and backups.",
        "Put it in a Secret and name that; what has been committed in clear has to be replaced by a new one.",
        _secret_in_clear,
    ),
    Rule(
        "pod-security-loosened",
        "caution",
        "Pods may do more on their hosts",
        "Who breaks into a node gets further: to its host, and to the keys of other pods there.",
        "Keep Pod Security restricted; give the one pod that needs more a namespace of its own.",
        _loosened,
    ),
    Rule(
        "rights-widened",
        "caution",
        "Service accounts get more rights",
        "Whoever breaks into a pod with the account's token may do that to the cluster.",
        "Give no more verbs and resources than are used, in one namespace where that is enough.",
        _rights_widened,
    ),
)
