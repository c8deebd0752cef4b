"""The keys of a chain node, checked and copied to memory, and the record of what its validator has signed."""

import base64
import binascii
import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from chain_archive import SIGN_STATE
from chain_files import StepError, have_databases, write_whole

__all__ = ["place_keys", "signed_height"]

_FRESH_SIGN_STATE = b'{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}\n'


def place_keys(keys: dict[str, Any], data: Path, throwaway: Path) -> None:
    """Copies the keys to memory, checked, and gives a new home the state of a validator that has signed nothing.

    Args:
        keys: What node.json says of them.
        data: The chain's data folder, where the state of the validator lies.
        throwaway: The key that init made, for a node that signs nothing.
    """
    target = Path(keys["target"])
    key_id = _copy_key(Path(keys["node"]), target / "node_key.json")
    if key_id.lower() != str(keys["node_id"]).lower():
        raise StepError(
            f"the node key in {keys['node']} has id {key_id.lower()}, and peers expect {keys['node_id']}; restore the Secret"
        )
    if keys["consensus"] is not None:
        address = _copy_key(Path(keys["consensus"]), target / "priv_validator_key.json")
        expected = keys["consensus_address"]
        if expected is not None and address != str(expected).upper():
            raise StepError(
                f"the consensus key in {keys['consensus']} has address {address}, not {expected};"
                " correct signer.addresses, or restore the Secret"
            )
    else:
        # A node that signs nothing loads a key all the same: init's throwaway one, never one that lies on the volume.
        with contextlib.suppress(FileNotFoundError):
            write_whole(target / "priv_validator_key.json", throwaway.read_bytes(), 0o600)
    if not (data / SIGN_STATE).exists():
        if keys["consensus"] is not None and have_databases(data):
            raise StepError(
                f"{data / SIGN_STATE} is gone, which says what this validator has signed, and there are blocks: it could"
                ' sign one of them again. Put the file back; if it is lost, write {"height": "H", "round": 0, "step": 0} with'
                " an H above every block that the key has signed"
            )
        write_whole(data / SIGN_STATE, _FRESH_SIGN_STATE, 0o600)


def signed_height(data: Path) -> int:
    """The last block that the validator has signed by its record; 0 for none."""
    try:
        return int(json.loads((data / SIGN_STATE).read_bytes())["height"])
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(
            f"{data / SIGN_STATE}, which says what this validator has signed, is damaged; put it back from a copy, or"
            ' write {"height": "H", "round": 0, "step": 0} with an H above every block that the key has signed'
        ) from error


def _copy_key(source: Path, target: Path) -> str:
    """Copies a key for its user alone and gives its address: SHA-256 of the public key, 20 bytes, in upper case."""
    try:
        content = source.read_bytes()
        key = json.loads(content)
        private = base64.b64decode(key["priv_key"]["value"], validate=True)
        kind = key["priv_key"]["type"]
    except OSError as error:
        raise StepError(
            f"the Secret has no usable key for this node: {source} cannot be read ({error.strerror}); correct the entry"
        ) from error
    except (ValueError, KeyError, TypeError, binascii.Error):
        # Without the cause: it may quote the key.
        raise StepError(
            f"the Secret has no usable key for this node: {source} is not the JSON of a CometBFT key;"
            " put in the file as init makes it"
        ) from None
    if kind == "tendermint/PrivKeyEd25519" and len(private) == 64:
        address = hashlib.sha256(private[32:]).hexdigest()[:40].upper()
    elif isinstance(key.get("address"), str):
        address = str(key["address"]).upper()
    else:
        raise StepError(
            f"the Secret has no usable key for this node: {source} holds no Ed25519 key of 64 bytes;"
            " put in the file as init makes it"
        )
    write_whole(target, content, 0o600)
    return address
