"""Genesis files and address books: out of whatever they came in, and the genesis of a local network.

A genesis may be larger than the memory of the pod, so it is never parsed as a whole unless it is the default one of a binary.
"""

import json
import mmap
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import IO, Any, cast

from chain_archive import is_tar, unpack
from chain_files import StepError
from chain_frames import decoded

__all__ = ["chain_id_of", "document", "patched"]

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_STRING_OR_BRACKET = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_KEY = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*", re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[^\s\"{}\[\],:]+", re.DOTALL)
_OPENING, _CLOSING, _COMMA = re.compile(rb"\s*\{"), re.compile(rb"\s*\}"), re.compile(rb"\s*,")
_NO_JSON = "is no JSON document, or only a part of one"


def document(file: Path, work: Path, what: str) -> Path:
    """The JSON document in a downloaded file: plain, in gzip, zstd, lz4, tar or zip, or in the answer of a node's /genesis.

    Args:
        file: What was downloaded.
        work: An empty folder to unpack into.
        what: `genesis` or `addrbook`: the file's name in an archive, without .json.

    Returns:
        A file in `work` that holds the document and nothing else.

    Raises:
        StepError: there is none, or it is not whole.
    """
    found = _found(file, work, what)
    with found.open("rb") as opened:
        if found.stat().st_size == 0:
            raise StepError(f"the {what} {_NO_JSON}: it is empty")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
            start, end = _unwrapped(text, what)
            if (start, end) == (0, len(text)):
                return found
            inner = work / f"{what}.inner"
            with inner.open("wb") as file_of_inner:
                for at in range(start, end, 1 << 20):
                    file_of_inner.write(text[at : min(end, at + (1 << 20))])
            return inner


def _found(file: Path, work: Path, what: str) -> Path:
    out = work / f"{what}.document"
    with file.open("rb") as packed:
        if packed.read(4) == b"PK\x03\x04":
            _unzip(packed, out, what)
            return out
        packed.seek(0)
        stream = decoded(packed)
        if is_tar(stream):
            folder = work / "unpacked"
            folder.mkdir()
            unpack(stream, folder)
            files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
            return files[_chosen(list(files), what)]
        with out.open("wb") as copy:
            for block in iter(stream.read, b""):
                copy.write(block)
    return out


def _unzip(packed: IO[bytes], out: Path, what: str) -> None:
    try:
        with zipfile.ZipFile(packed) as archive:
            name = _chosen([entry for entry in archive.namelist() if not entry.endswith("/")], what)
            with archive.open(name) as content, out.open("wb") as copy:
                shutil.copyfileobj(content, copy, 1 << 20)
    # RuntimeError: encrypted; NotImplementedError: compressed in a way that Python lacks
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise StepError(f"the zip archive with the {what} is damaged, or of an unknown kind ({error})") from error


def _chosen(names: list[str], what: str) -> str:
    """The one file meant: what it is called, or the only JSON file there is."""
    # macOS adds ._ files to archives
    json_files = [name for name in names if name.endswith(".json") and not name.rpartition("/")[2].startswith("._")]
    called = [name for name in json_files if name.rpartition("/")[2] == f"{what}.json"]
    for candidates in (called, json_files, names):
        if len(candidates) == 1:
            return candidates[0]
    found = ", ".join(sorted(names)[:10]) or "nothing"
    raise StepError(f"the archive holds not just one {what}.json, but: {found}")


def _unwrapped(text: mmap.mmap, what: str) -> tuple[int, int]:
    """Where the document is: inside of {"result": {"genesis": ...}} where it is the answer of a node, else all of it."""
    members = {key: place for key, *place in _members(text, 0)}
    if text[members[b""][1] :].strip():
        raise StepError(f"the {what} {_NO_JSON}: something follows its end")
    if b"result" not in members or b"chain_id" in members:
        return 0, len(text)
    inner = {key: place for key, *place in _members(text, members[b"result"][0])}
    if b"genesis" not in inner:
        raise StepError(f"the {what} is the answer of a node that holds none; a large one has to be had from elsewhere")
    start, end = inner[b"genesis"]
    return start, end


def _members(text: mmap.mmap, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each value in the JSON object at `start`; at last no name, and the start and end of the object."""
    opening = _OPENING.match(text, start)
    if opening is None:
        raise StepError(f"the file {_NO_JSON}")
    at = opening.end()
    closing = _CLOSING.match(text, at)
    while closing is None:
        key = _KEY.match(text, at)
        if key is None:
            raise StepError(f"the file {_NO_JSON}")
        end = _value_end(text, key.end())
        yield key[1][1:-1], key.end(), end
        after = _COMMA.match(text, end)
        closing = None if after else _CLOSING.match(text, end)
        if after is None and closing is None:
            raise StepError(f"the file {_NO_JSON}")
        at = after.end() if after else end
    yield b"", opening.end() - 1, closing.end()


def _value_end(text: mmap.mmap, at: int) -> int:
    if text[at : at + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(text, at)
        if scalar is None:
            raise StepError(f"the file {_NO_JSON}")
        return scalar.end()
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text, at):
        match text[token.start()]:
            case 0x7B | 0x5B:  # { [
                depth += 1
            case 0x7D | 0x5D:  # } ]
                depth -= 1
                if depth == 0:
                    return token.end()
            case _:
                pass
    raise StepError(f"the file {_NO_JSON}")


def chain_id_of(genesis: Path) -> str | None:
    """The chain_id of a genesis file; None when it names none."""
    if genesis.stat().st_size == 0:
        raise StepError(f"{genesis} {_NO_JSON}: it is empty")
    with genesis.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for key, start, end in _members(text, 0):
            if key == b"chain_id":
                return str(json.loads(text[start:end]))
    return None


def patched(software: str, default: dict[str, Any], patch: dict[str, Any], time: str | None) -> dict[str, Any]:
    """The genesis of a local network: the default one that the chain's binary wrote, with the set's own validators and coins.

    Both shapes of the SDK keep what is changed here in the same places: that of 0.46 and the AppGenesis of 0.50.
    """
    genesis = deepcopy(default)
    if software != "cosmos":
        return genesis | patch | ({"genesis_time": time} if time else {})
    genesis |= {"chain_id": patch["chain_id"], "genesis_time": time or patch["genesis_time"]}
    state = cast("dict[str, Any]", _with_denom(genesis["app_state"], patch["bond_denom"]))
    _add_accounts(state, patch["accounts"])
    state.setdefault("genutil", {})["gen_txs"] = patch["gen_txs"]
    genesis["app_state"] = _merged(state, patch.get("app_state") or {})
    return genesis


def _with_denom(value: Any, denom: str, *, named: bool = False) -> Any:
    """Every coin name `stake` of the defaults, which stands under a key such as bond_denom, replaced."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _with_denom(below, denom, named="denom" in key) for key, below in fields.items()}
    if isinstance(value, list):
        return [_with_denom(below, denom, named=named) for below in cast("list[Any]", value)]
    return denom if named and value == "stake" else value


def _add_accounts(state: dict[str, Any], accounts: list[dict[str, Any]]) -> None:
    known: list[dict[str, Any]] = state.setdefault("auth", {}).setdefault("accounts", [])
    bank = state.setdefault("bank", {})
    balances: list[dict[str, Any]] = bank.setdefault("balances", [])
    for number, account in enumerate(accounts, len(known)):
        known.append(
            {
                "@type": "/cosmos.auth.v1beta1.BaseAccount",
                "address": account["address"],
                "pub_key": None,
                "account_number": str(number),
                "sequence": "0",
            }
        )
        balances.append({"address": account["address"], "coins": _coins(account["coins"])})
    # The SDK refuses a supply that is not the sum of the balances.
    bank["supply"] = _coins([coin for balance in balances for coin in balance["coins"]])


def _coins(coins: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Coins summed, by denom: the SDK refuses another order."""
    sums: dict[str, int] = {}
    for coin in coins:
        sums[coin["denom"]] = sums.get(coin["denom"], 0) + int(coin["amount"])
    return [{"denom": denom, "amount": str(amount)} for denom, amount in sorted(sums.items())]


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    whole = dict(base)
    for key, value in over.items():
        there = whole.get(key)
        both = isinstance(there, dict) and isinstance(value, dict)
        whole[key] = _merged(cast("dict[str, Any]", there), cast("dict[str, Any]", value)) if both else value
    return whole
