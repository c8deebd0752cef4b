"""A folder with one YAML file for each object."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nodestead.kubernetes.objects import Identity
from nodestead.preview.render import RenderError

__all__ = ["LIST_FILE", "file_names", "write_folder"]

LIST_FILE = ".nodestead-render"
_HEADER = (
    "# Made by `nodestead render --out`, like the files named here; those that a later render no longer makes are removed.\n"
)

_FORMS: tuple[Callable[[Identity], str], ...] = (
    lambda i: f"{i[1].lower()}-{i[3]}",
    lambda i: f"{i[1].lower()}-{i[3]}_{i[2]}",
    lambda i: f"{i[1].lower()}.{i[0]}-{i[3]}_{i[2]}",
)


def file_names(identities: Sequence[Identity]) -> list[str]:
    """Names of the objects' files: `<kind>-<name>.yaml`.

    Where that is not unique, all objects concerned get `<kind>-<name>_<namespace>.yaml`, and where that is not either,
    `<kind>.<API group>-<name>_<namespace>.yaml`. No name of an object holds an underscore, so that these cannot clash.

    Args:
        identities: Different from each other; their order does not matter.

    Raises:
        RenderError: where an object's name is no name of a file.
    """
    for _, kind, _, name in identities:
        if "/" in name or "\0" in name:
            raise RenderError(f"{kind} {name}: a name with a slash cannot be that of a file; rename the object")
    names = [""] * len(identities)
    left = list(range(len(identities)))
    for form in _FORMS:
        made = [form(identities[index]) for index in left]
        count = Counter(made)
        for index, name in zip(left, made, strict=True):
            names[index] = f"{name}.yaml"
        left = [index for index, name in zip(left, made, strict=True) if count[name] > 1]
    return names


def write_folder(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Writes files and removes what an earlier call wrote and this one does not; files of others stay.

    Args:
        folder: Made where it is not there.
        files: Name and content.

    Raises:
        RenderError: where a file of somebody else stands in the way; nothing is written then.
    """
    contents = dict(files)
    listed = folder / LIST_FILE
    earlier = _listed(listed)
    for name, content in contents.items():
        path = folder / name
        if (
            name not in earlier
            and path.exists()
            and (not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != content)
        ):
            raise RenderError(f"{path}: was not made by nodestead render; move it away or give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    # First the list with old and new names: an interrupted run leaves no file that nobody owns.
    _write(listed, _HEADER + "".join(f"{name}\n" for name in sorted(earlier | contents.keys())))
    for name, content in contents.items():
        _write(folder / name, content)
    for name in earlier - contents.keys():
        (folder / name).unlink(missing_ok=True)
    _write(listed, _HEADER + "".join(f"{name}\n" for name in sorted(contents)))


def _listed(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    # Only plain names: a changed list must not reach files outside of the folder.
    return {line for line in lines if line.endswith(".yaml") and Path(line).name == line}


def _write(path: Path, content: str) -> None:
    """Writes a file whose content changed; the others keep their time, which tools that watch the folder go by."""
    data = content.encode()
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
