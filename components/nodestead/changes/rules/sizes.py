"""Risk rules about what claims ask for: their size, and what of them cannot change."""

from collections.abc import Iterator
from typing import Any, Final

from nodestead.changes.compare import Comparison
from nodestead.changes.mounts import claim_templates
from nodestead.changes.names import claims_text
from nodestead.changes.plain import at, mapping
from nodestead.changes.rule import Found, Rule
from nodestead.changes.sets import fact_changes, value_text
from nodestead.changes.snapshot import Item, subject
from nodestead.config.quantity import quantity_amount

__all__ = ["RULES"]

# All else of a claim's spec is immutable.
_MUTABLE = ("resources", "volumeAttributesClassName")

# A preview asks the API server, without effect, for every object that is there already.
_REFUSED = "the API server refuses it in the preview, an update without one stops there"


def _names(items: list[Item]) -> str:
    return claims_text(item.name for item in items)


def _nodes(items: list[Item]) -> tuple[str, ...]:
    return tuple(item.node or item.name for item in items)


def _sizes(comparison: Comparison, *, grow: bool) -> Iterator[Found]:
    claims: dict[tuple[str, str, str], list[Item]] = {}
    templates: dict[tuple[str, str, str], list[Item]] = {}
    for change in comparison.of_kind("PersistentVolumeClaim", "StatefulSet"):
        old, new = change.old, change.new
        if old is None or new is None or (old.kind == "PersistentVolumeClaim" and change.operation == "replace"):
            continue
        if old.kind == "PersistentVolumeClaim":
            pairs, group = [(_size(old.manifest), _size(new.manifest))], claims
        else:
            before, after = claim_templates(old), claim_templates(new)
            pairs, group = [(_size(before[name]), _size(after[name])) for name in before if name in after], templates
        for one, other in pairs:
            if _moves(one, other, grow=grow):
                group.setdefault((subject(old), str(one), str(other)), []).append(old)
    for (name, one, other), items in claims.items():
        which, grows = _names(items), "grows" if len(items) == 1 else "grow"
        what = (
            f"{which} {grows} from {one} to {other}, in place where the storage class allows it; elsewhere the update fails at it"
            if grow
            else f"{which} would go from {one} to {other}: {_REFUSED}, half done"
        )
        yield Found(name, what, _nodes(items), None if grow else "preview")
    told = {name for name, _, _ in templates}
    facts = fact_changes(comparison)
    for (name, one, other), items in templates.items():
        refused = "persistence.size" in facts.get(name, {})
        yield Found(name, _of_template(one, other, refused), _nodes(items), "preview" if refused else None)
    for name, changed in facts.items():
        one, other = changed.get("persistence.size", (None, None))
        if name not in told and _moves(one, other, grow=grow):
            yield Found(name, _of_template(str(one), str(other), refused=True), stops="preview")


def _of_template(old: str, new: str, refused: bool) -> str:  # noqa: FBT001
    end = "and the update is refused in its preview" if refused else "for which the StatefulSet has to be replaced"
    return f"the template of its claims goes from {old} to {new}: claims that are there keep {old}, {end}"


def _size(claim: Any) -> Any:
    return at(claim, "spec", "resources", "requests", "storage")


def _moves(old: Any, new: Any, *, grow: bool) -> bool:
    before, after = (quantity_amount(value) if len(str(value)) <= 40 else None for value in (old, new))
    return before is not None and after is not None and (after > before if grow else after < before)


def _class_changed(comparison: Comparison) -> Iterator[Found]:
    claims: dict[tuple[str, str], list[Item]] = {}
    templates: dict[tuple[str, str], list[Item]] = {}
    for change in comparison.of_kind("PersistentVolumeClaim", "StatefulSet"):
        old, new = change.old, change.new
        if old is None or new is None:
            continue
        if old.kind == "PersistentVolumeClaim":
            # One that is replaced has a rule of its own; another it is refused for.
            if (change.operation == "change" or old.outlives_stack) and (text := _immutable(old.manifest, new.manifest)):
                claims.setdefault((subject(old), text), []).append(old)
            continue
        before, after = claim_templates(old), claim_templates(new)
        texts = [_immutable(before[name], after[name]) for name in before if name in after]
        if text := ", ".join(filter(None, texts)):
            templates.setdefault((subject(old), text), []).append(old)
    facts = fact_changes(comparison)
    for (name, text), items in claims.items():
        refused = any(fact in facts.get(name, {}) for fact in _FACTS)
        end = "the update is refused in its preview" if refused else _REFUSED
        what = f"{text} of {_names(items)}: {end}; nothing is deleted"
        yield Found(name, what, _nodes(items), "preview")
    for (name, text), items in templates.items():
        refused = any(fact in facts.get(name, {}) for fact in _FACTS)
        end = "the update is refused in its preview" if refused else "the StatefulSet has to be replaced for it"
        what = f"{text} in the template of its claims: claims that are there stay as they are, and {end}"
        yield Found(name, what, _nodes(items), "preview" if refused else None)
    told = {name for name, _ in (*claims, *templates)}
    for name, changed in facts.items():
        said = [f"{fact} {value_text(*changed[fact])}" for fact in _FACTS if fact in changed]
        if said and name not in told:
            what = f"{', '.join(said)}: claims that are there stay as they are, and the update is refused in its preview"
            yield Found(name, what, stops="preview")


_FACTS = ("persistence.accessModes", "persistence.storageClass", "persistence.annotations")


def _immutable(old: Any, new: Any) -> str:
    before, after = mapping(at(old, "spec")), mapping(at(new, "spec"))
    keys = [key for key in {**before, **after} if key not in _MUTABLE and before.get(key) != after.get(key)]
    return ", ".join(f"{key} {value_text(before.get(key), after.get(key))}" for key in keys)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "claim-class-changed",
        "danger",
        "A claim's fixed field changes",
        "Class, access modes and source of a claim cannot change: the preview fails, or the update in its middle.",
        "Set the field back; for other storage make a new node or claim, copy the data, then name it with existingClaim.",
        _class_changed,
    ),
    Rule(
        "volume-shrunk",
        "danger",
        "A volume would shrink",
        "Kubernetes never shrinks a volume: the preview fails, or the update in its middle; nodes behind that stay as they were.",
        "Set the size back; for a smaller volume make a new node beside it, let it sync, and then remove the old one.",
        lambda comparison: _sizes(comparison, grow=False),
    ),
    Rule(
        "volume-grown",
        "info",
        "A volume grows",
        "The volume grows under the running pod, where its storage class allows it; it can never shrink again.",
        "Make sure that the storage class has allowVolumeExpansion: true.",
        lambda comparison: _sizes(comparison, grow=True),
    ),
)
"""The rules about what claims ask for."""
