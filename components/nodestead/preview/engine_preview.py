"""The engine's own preview of an update, as two states of a stack."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from nodestead.changes.compare import EngineStep
from nodestead.changes.names import folded_names
from nodestead.changes.snapshot import Item, Snapshot
from nodestead.kubernetes.objects import Identity
from nodestead.preview.engine_states import REPLACING, Resource, Side, mapping, texts
from nodestead.preview.engine_text import PreviewError, failures_of, preview_content, urn_name, well_formed
from nodestead.preview.engine_values import hidden_paths, rebuilt, unread_parts

__all__ = ["Preview", "PreviewError", "project_of", "read_preview"]


class Preview(NamedTuple):
    """What a preview says.

    Attributes:
        base: The stack as it is.
        head: The stack as it would be.
        steps: What the engine will do with each object, by its identity in the head, or in the base where it goes.
        failures: Why the preview failed, and what of it could not be read.
        notes: What a reader has to know of how the states were found.
        failed: Whether the preview failed, so that the update does not begin.
    """

    base: Snapshot
    head: Snapshot
    steps: dict[Identity, EngineStep]
    failures: list[str]
    notes: list[str]
    failed: bool = False


def read_preview(text: str) -> Preview:
    """Reads what `pulumi preview --json` wrote.

    With --show-sames both states are whole; without it, and where the preview failed, only what differs is known of them.

    Args:
        text: All that the CLI wrote; lines around the JSON are passed over.

    Raises:
        PreviewError: where it is no preview; one line that says what it is.
    """
    content = preview_content(text)
    reader = _Reader()
    given: Any = content.get("steps") or []
    if not isinstance(given, list):
        raise PreviewError("its `steps` are no list; that is no preview")
    steps = cast("list[Any]", given)
    try:
        for position, step in enumerate(steps, start=1):
            reader.take(position, step)
        errors = failures_of(content.get("diagnostics"))
        if not reader.stack and not errors:
            raise PreviewError("it has no step of any resource; the stack, or the preview, is empty")
        return reader.preview(errors, is_whole=_is_whole(content, steps), streamed=bool(content.get("streamed")))
    except RecursionError:
        raise PreviewError("its values are nested too deep for a preview") from None


def project_of(text: str) -> str:
    """The project whose stack a preview is of; empty where it does not say."""
    match = re.search(r'"urn:pulumi:[^":]*::([^":]+)::', text)
    return well_formed(match[1]) if match else ""


def _is_whole(content: Mapping[str, Any], steps: list[Any]) -> bool:
    """Whether what does not change is among the steps."""
    shown = sum(1 for one in steps if isinstance(one, dict) and cast("dict[str, Any]", one).get("op") == "same")
    summary = content.get("changeSummary")
    if isinstance(summary, dict):
        counted = cast("dict[str, Any]", summary).get("same", 0)
        return isinstance(counted, int) and shown >= counted
    return shown > 1


# ---- steps

_BOTH = ("same", "update", "replace", "refresh", "import", "import-replacement", "create-replacement")
_READS = ("read", "read-replacement", "discard", "discard-replaced", "remove-pending-replace")
_KNOWN = frozenset({*_BOTH, *_READS, "create", "delete", "delete-replaced"})


class _Reader:
    """Takes steps and gives the two states."""

    def __init__(self) -> None:
        self.stack = ""
        self._resources: dict[str, Resource] = {}
        self._unknown: dict[str, list[str]] = {}
        self._malformed: list[int] = []
        self._left_over: list[str] = []

    def take(self, position: int, step: Any) -> None:
        """Takes the next step."""
        given = cast("dict[str, Any]", step) if isinstance(step, dict) else {}
        op, urn = given.get("op"), well_formed(str(given.get("urn", "")))
        parts = urn.split("::", 3)
        if not isinstance(op, str) or len(parts) != 4 or not urn.startswith("urn:pulumi:"):
            self._malformed.append(position)
            return
        self.stack = self.stack or parts[0].removeprefix("urn:pulumi:")
        if op not in _KNOWN:
            self._unknown.setdefault(well_formed(op)[:60], []).append(urn_name(urn))
            return
        old, new = mapping(given.get("oldState")), mapping(given.get("newState"))
        resource = self._resources.setdefault(urn, Resource(urn, parts[2].rpartition("$")[2], parts[3]))
        if op == "delete-replaced" and resource.ops:
            # The second half of a replacement that is told before it.
            resource.old = resource.old or old
        elif op == "delete-replaced" and old is not None and old.get("delete"):
            self._left_over.append(urn_name(urn))
        elif op == "refresh" and resource.ops - {"refresh"}:
            return
        elif op not in _READS:
            resource.old = old if op in _BOTH or old is not None else resource.old
            resource.new = None if op.startswith("delete") else new or resource.new
            if op in ("same", "refresh") and new is None:
                resource.new = old
        resource.ops.add(op)
        resource.reasons = texts(given.get("replaceReasons")) or resource.reasons
        detailed = given.get("detailedDiff")
        if isinstance(detailed, dict):
            resource.differing = {
                well_formed(path): _kind(mapping(how) or {}) for path, how in cast("dict[str, Any]", detailed).items()
            }
            if not resource.reasons and op in REPLACING:
                resource.reasons = [path for path, kind in resource.differing.items() if kind.endswith("-replace")]

    def preview(self, errors: list[str], *, is_whole: bool, streamed: bool) -> Preview:
        """What all steps together say."""
        is_whole = is_whole and not errors
        # The engine tells steps as they come, which is another order each time.
        resources = sorted(self._resources.values(), key=_order)
        base, head = Side(self.stack, "old", resources), Side(self.stack, "new", resources)
        uncovered = list(_show_hidden(resources, base, head))
        _keep_random_names(resources, base, head)
        before, after = base.snapshot(is_whole=is_whole), head.snapshot(is_whole=is_whole)
        steps = {
            item.identity: _engine_step(resource, base.items.get(resource.urn), item)
            for side in (base, head)
            for resource, item in side.entries()
        }
        notes = [*self._notes(), *_state_notes(resources, base, head, steps), *_second_names(base, head, steps)]
        if uncovered:
            told = f"The engine hid parts of {folded_names(uncovered)}, in which there was a secret, and shows them now"
            notes.append(f"{told}: look whether it stands there in clear.")
        inferred = sorted(head.inferred)
        if inferred and streamed:
            raise PreviewError(
                "it has no order of rollout: drop PULUMI_ENABLE_STREAMING_JSON_PREVIEW, or make it with --show-sames"
            )
        if errors:
            notes.insert(0, "The preview failed, so only what it had come to is compared.")
        elif not is_whole:
            notes.insert(0, "The preview shows only what changes: make it with --show-sames to count and check all the rest.")
        if inferred:
            told = f"The batches of {folded_names(inferred)} are read from the dependencies of what changes"
            notes.append(f"{told}; nodes between that stay as they are, are not shown.")
        return Preview(before, after, steps, [*errors, *self._failures()], notes, failed=bool(errors))

    def _failures(self) -> Iterator[str]:
        for op, names in self._unknown.items():
            yield f"the operation {op} of {folded_names(names)} is not known; the rest is compared"
        if self._malformed:
            told = ", ".join(map(str, self._malformed[:5])) + (" ..." if len(self._malformed) > 5 else "")
            yield f"{len(self._malformed)} steps are none that an engine writes and are left out: number {told}"

    def _notes(self) -> Iterator[str]:
        if self._left_over:
            yield f"Left over from an earlier update and deleted now: {folded_names(self._left_over)}."
        imported = [one.name for one in self._resources.values() if one.ops & {"import", "import-replacement"}]
        if imported:
            yield f"Imported, so they are there already: {folded_names(imported)}."


def _kind(how: dict[str, Any]) -> str:
    """How a field differs; a stream calls it otherwise."""
    return str(how.get("kind") or how.get("diffKind") or "")


def _order(resource: Resource) -> tuple[Any, ...]:
    """Of the stack first, then set by set; names by their numbers."""
    parent = "" if "pulumi:pulumi:Stack" in resource.parent else resource.parent
    return (
        parent,
        resource.type,
        [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d{1,9})", resource.name)],
    )


# ---- what both states say together

_AUTONAMED: Final = "pulumi.com/autonamed"


def _show_hidden(resources: Iterable[Resource], base: Side, head: Side) -> Iterator[str]:
    """Makes what the engine hides in one state only out of the other; gives objects of which it shows more, and nothing else."""
    for resource in resources:
        old, new = base.items.get(resource.urn), head.items.get(resource.urn)
        if old is None or new is None or not (old.is_object and new.is_object) or old.manifest == new.manifest:
            continue
        was, becomes = unread_parts(old.manifest), unread_parts(new.manifest)
        if was:
            manifest = rebuilt(old.manifest, new.manifest, resource.differing, is_old=True)
            base.items[resource.urn] = Item(manifest, old.protected, old.retained)
        if becomes:
            manifest = rebuilt(new.manifest, old.manifest, resource.differing, is_old=False)
            head.items[resource.urn] = Item(manifest, new.protected, new.retained)
        if set(was) - set(becomes) and not resource.differing:
            yield f"{new.kind}/{new.name}"


def _keep_random_names(resources: Iterable[Resource], base: Side, head: Side) -> None:
    """An object that is replaced and gets another random name is one object: the name is another one in each preview."""
    for resource in resources:
        old, new = base.items.get(resource.urn), head.items.get(resource.urn)
        if old is None or new is None or resource.operation != "replace" or _AUTONAMED not in new.annotations:
            continue
        metadata = {**new.manifest["metadata"], "name": old.name}
        head.items[resource.urn] = Item({**new.manifest, "metadata": metadata}, new.protected, new.retained)


def _engine_step(resource: Resource, old: Item | None, item: Item) -> EngineStep:
    hidden = ()
    if old is not None and resource.new is not None and old is not item and old.is_object == item.is_object:
        before, after = (mapping((one or {}).get("inputs")) or {} for one in (resource.old, resource.new))
        if item.is_object:
            hidden = hidden_paths((before, after), (old.manifest, item.manifest), resource.differing)
        else:
            shown = (old.manifest["inputs"], item.manifest["inputs"])
            hidden = tuple(("inputs", *path) for path in hidden_paths((before, after), shown, resource.differing))
    return EngineStep(resource.operation, tuple(resource.reasons), hidden)


def _state_notes(resources: Iterable[Resource], base: Side, head: Side, steps: Mapping[Identity, EngineStep]) -> Iterator[str]:
    """What the states do not show: parts that the engine hides, and what somebody changed in the cluster."""
    hidden: dict[str, list[str]] = {}
    drifted: dict[str, list[str]] = {}
    for resource in resources:
        old, new = base.items.get(resource.urn), head.items.get(resource.urn)
        if new is None or not new.is_object or resource.operation == "add" or not resource.ops - {"same", "refresh"}:
            continue
        for part in unread_parts(new.manifest):
            hidden.setdefault(part, []).append(f"{new.kind}/{new.name}")
        if (
            old is not None
            and resource.operation == "change"
            and resource.differing
            and old.manifest == new.manifest
            and not steps[new.identity].hidden
        ):
            drifted.setdefault(", ".join(sorted(resource.differing)[:3]), []).append(f"{new.kind}/{new.name}")
    for part, names in hidden.items():
        yield f"The engine hides all {part} of {folded_names(names)}, because there is a secret in them."
    for paths, names in drifted.items():
        yield f"{paths} of {folded_names(names)} differs in the cluster from what was deployed; the update sets it back."


def _second_names(base: Side, head: Side, steps: dict[Identity, EngineStep]) -> Iterator[str]:
    """Objects that the program registers under another name than before: they are made before they are deleted."""
    names: dict[str, list[str]] = {}
    for identity, urn in head.by_identity.items():
        before = base.by_identity.get(identity)
        item = head.items[urn]
        if before is None or before == urn or not item.is_object or item.outlives_stack or before in head.items:
            continue
        steps[identity] = EngineStep("replace", ("its Pulumi name",))
        was, becomes = before.rpartition("::")[2], urn.rpartition("::")[2]
        told = f"{was} becomes {becomes}" if was != becomes else "its parent is another one"
        names.setdefault(told, []).append(f"{item.kind}/{item.name}")
    for told, found in list(names.items())[:_MOST_NOTES]:
        yield (
            f"{folded_names(found)} has another Pulumi name without an alias ({told}): the update makes it while the old one is"
            " there, and fails; add an alias."
        )


_MOST_NOTES: Final = 10
