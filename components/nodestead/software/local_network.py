"""The genesis of a local network: validators, their stake and their accounts, all from the set's seed.

What comes out is a patch over the genesis that the chain's own binary writes, so that modules keep their defaults. It holds
nothing secret: addresses, public keys, and transactions that their owners signed.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, cast

from nodestead.chain_keys import (
    account_address,
    account_key,
    account_public_key,
    account_signature,
    bech32_decode,
    consensus_address,
    consensus_public_key,
    operator_address,
)

__all__ = ["genesis_faults", "local_genesis"]

# Of cosmos-sdk types/coin.go (reDnmString), CometBFT types/genesis.go (MaxChainIDLen), cosmos-sdk x/staking (MaxMonikerLength).
_DENOM = r"[a-zA-Z][a-zA-Z0-9/:._-]{2,127}"
_CHAIN_ID_BYTES = 50
_MONIKER_BYTES = 70
# cosmos-sdk types/staking.go (DefaultPowerReduction): what one unit of voting power costs.
_POWER_COST = 1_000_000
# With an offset, as Go wants it. Go's zero time, in year 1, would make each node take its own clock (CometBFT types/genesis.go).
_TIME = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)

_CREATE_VALIDATOR = "/cosmos.staking.v1beta1.MsgCreateValidator"
_ED25519 = "/cosmos.crypto.ed25519.PubKey"
_SECP256K1 = "/cosmos.crypto.secp256k1.PubKey"

# Fields of the protobuf messages of a genesis transaction by their JSON names, in the order of their numbers: the number,
# and what the field holds. They are those of cosmos-sdk 0.46 to 0.53 (proto/cosmos/tx, proto/cosmos/staking, v1beta1).
_Fields = dict[str, tuple[int, Any]]
_COIN: _Fields = {"denom": (1, "text"), "amount": (2, "text")}
_RATES: _Fields = {"rate": (1, "decimal"), "max_rate": (2, "decimal"), "max_change_rate": (3, "decimal")}
_DESCRIPTION: _Fields = {
    "moniker": (1, "text"),
    "identity": (2, "text"),
    "website": (3, "text"),
    "security_contact": (4, "text"),
    "details": (5, "text"),
}
_ANY: dict[str, _Fields] = {
    _CREATE_VALIDATOR: {
        "description": (1, _DESCRIPTION),
        "commission": (2, _RATES),
        "min_self_delegation": (3, "text"),
        "delegator_address": (4, "text"),
        "validator_address": (5, "text"),
        "pubkey": (6, "any"),
        "value": (7, _COIN),
    },
    _ED25519: {"key": (1, "base64")},
    _SECP256K1: {"key": (1, "base64")},
}
_BODY: _Fields = {
    "messages": (1, "any"),
    "memo": (2, "text"),
    "timeout_height": (3, "number"),
    "extension_options": (1023, "any"),
    "non_critical_extension_options": (2047, "any"),
}
_SIGNER: _Fields = {
    "public_key": (1, "any"),
    "mode_info": (2, {"single": (1, {"mode": (1, "mode")})}),
    "sequence": (3, "number"),
}
_FEE: _Fields = {"amount": (1, _COIN), "gas_limit": (2, "number"), "payer": (3, "text"), "granter": (4, "text")}
_AUTH_INFO: _Fields = {"signer_infos": (1, _SIGNER), "fee": (2, _FEE)}
_SIGN_MODES = {"SIGN_MODE_DIRECT": 1}


def local_genesis(
    seed: str,
    *,
    software: Literal["cosmos", "cometbft"],
    chain_id: str,
    validators: Sequence[int],
    generation: int,
    monikers: Sequence[str],
    genesis_time: str,
    denom: str = "stake",
    prefix: str = "cosmos",
    stake: int = 100_000_000,
    balance: int = 1_000_000_000_000,
    accounts: Mapping[str, str] | None = None,
    app_state: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a local network's genesis has that the default one of its binary has not.

    Args:
        seed: The set's seed, 64 hexadecimal digits.
        software: `cosmos` gives accounts and signed genesis transactions; `cometbft` gives validators of power 10.
        chain_id: Name of the network; the transactions are signed for it.
        validators: Ordinals of the nodes that validate.
        generation: Generation of their consensus and account keys.
        monikers: A name for each validator, in the same order.
        genesis_time: RFC 3339, as in 2026-01-31T00:00:00Z.
        denom: Coin that validators stake.
        prefix: Start of the chain's account addresses.
        stake: What each validator stakes, in the smallest unit.
        balance: What each validator's account holds before it stakes.
        accounts: More accounts: address to coins, as in `1000stake,5token`.
        app_state: Merged deep into the application's state last.

    Returns:
        For `cosmos`: chain_id, genesis_time, bond_denom, accounts (address, coins), gen_txs, app_state.
        For `cometbft`: chain_id, genesis_time, validators, app_hash.

    Raises:
        ValueError: where the chain would refuse the genesis; it names all faults.
    """
    facts = {"denom": denom, "prefix": prefix, "stake": stake, "balance": balance, "accounts": accounts, "app_state": app_state}
    told = genesis_faults(software=software, chain_id=chain_id, genesis_time=genesis_time, **cast("dict[str, Any]", facts))
    _refuse([*told, *_validator_faults(validators, monikers)])
    if software == "cometbft":
        return {
            "chain_id": chain_id,
            "genesis_time": genesis_time,
            "validators": [_validator(seed, *named, generation) for named in zip(validators, monikers, strict=True)],
            "app_hash": "",
        }
    # Made once for each validator: to find a public key takes twice as long as to sign.
    private_keys = [account_key(seed, ordinal, generation) for ordinal in validators]
    public_keys = [account_public_key(private_key) for private_key in private_keys]
    consensus_keys = [consensus_public_key(seed, ordinal, generation) for ordinal in validators]
    held = {account_address(public_key, prefix): f"{balance}{denom}" for public_key in public_keys}
    _refuse(
        [f"accounts.{address} is a validator's; its coins come from balance" for address in held if address in (accounts or {})]
    )
    return {
        "chain_id": chain_id,
        "genesis_time": genesis_time,
        "bond_denom": denom,
        "accounts": [
            {"address": address, "coins": _coins(coins)} for address, coins in [*held.items(), *sorted((accounts or {}).items())]
        ],
        "gen_txs": [
            _gentx(private_key, public_key, signs, moniker, chain_id, prefix, {"denom": denom, "amount": str(stake)})
            for private_key, public_key, signs, moniker in zip(private_keys, public_keys, consensus_keys, monikers, strict=True)
        ],
        "app_state": dict(app_state or {}),
    }


def genesis_faults(
    *,
    software: Literal["cosmos", "cometbft"],
    chain_id: str,
    genesis_time: str,
    denom: str = "stake",
    prefix: str = "cosmos",
    stake: int = 100_000_000,
    balance: int = 1_000_000_000_000,
    accounts: Mapping[str, str] | None = None,
    app_state: Mapping[str, Any] | None = None,
) -> list[str]:
    """What a chain would refuse of a genesis, without its validators, which come from the seed; arguments of `local_genesis`."""
    faults = _network_faults(chain_id, genesis_time)
    if software == "cometbft":
        return faults + ["a cometbft network has no accounts and no app_state; leave them out"] * bool(accounts or app_state)
    return [*faults, *_stake_faults(denom, prefix, stake, balance), *_account_faults(accounts or {}, prefix)]


def _validator(seed: str, ordinal: int, moniker: str, generation: int) -> dict[str, Any]:
    return {
        "address": consensus_address(seed, ordinal, generation),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": consensus_public_key(seed, ordinal, generation)},
        "power": "10",
        "name": moniker,
    }


def _gentx(
    private_key: int, public_key: bytes, consensus_key: str, moniker: str, chain_id: str, prefix: str, stake: dict[str, str]
) -> dict[str, Any]:
    """The transaction that makes a node a validator, as the SDK's `gentx` command writes it, signed in SIGN_MODE_DIRECT.

    Args:
        private_key: Of the validator's account.
        public_key: That of it.
        consensus_key: The public key that its blocks are signed for, in Base64.
        moniker: Name of the validator.
        chain_id: Name of the network.
        prefix: Start of the chain's account addresses.
        stake: Denom and amount of what it stakes.
    """
    message = {
        "@type": _CREATE_VALIDATOR,
        "description": {"moniker": moniker, "identity": "", "website": "", "security_contact": "", "details": ""},
        "commission": {
            "rate": "0.100000000000000000",
            "max_rate": "0.200000000000000000",
            "max_change_rate": "0.010000000000000000",
        },
        "min_self_delegation": "1",
        # Deprecated since 0.50, which takes it still; 0.46 and 0.47 refuse the message without it.
        "delegator_address": account_address(public_key, prefix),
        "validator_address": operator_address(public_key, prefix),
        "pubkey": {"@type": _ED25519, "key": consensus_key},
        "value": stake,
    }
    body: dict[str, Any] = {
        "messages": [message],
        "memo": "",
        "timeout_height": "0",
        "extension_options": [],
        "non_critical_extension_options": [],
    }
    auth_info: dict[str, Any] = {
        "signer_infos": [
            {
                "public_key": {"@type": _SECP256K1, "key": base64.b64encode(public_key).decode()},
                "mode_info": {"single": {"mode": "SIGN_MODE_DIRECT"}},
                "sequence": "0",
            }
        ],
        "fee": {"amount": [], "gas_limit": "200000", "payer": "", "granter": ""},
    }
    # SignDoc: body, auth_info, chain_id, account_number; while the genesis is made every account counts as number 0.
    document = _field(1, _encoded(body, _BODY)) + _field(2, _encoded(auth_info, _AUTH_INFO)) + _field(3, chain_id.encode())
    signature = base64.b64encode(account_signature(private_key, document)).decode()
    return {"body": body, "auth_info": auth_info, "signatures": [signature]}


def _encoded(message: Mapping[str, Any], fields: _Fields) -> bytes:
    """Protobuf of a message in its JSON form: fields by ascending number, the empty ones left out."""
    parts: list[bytes] = []
    for name, (number, kind) in fields.items():
        value = message[name]
        parts += [
            _field(number, _leaf(item, kind)) for item in (cast("list[Any]", value) if isinstance(value, list) else [value])
        ]
    return b"".join(parts)


def _leaf(value: Any, kind: Any) -> bytes | int:
    if isinstance(kind, dict):
        return _encoded(value, cast("_Fields", kind))
    if kind == "any":
        return _field(1, value["@type"].encode()) + _field(2, _encoded(value, _ANY[value["@type"]]))
    if kind == "decimal":
        # cosmos-sdk types/decimal.go: on the wire a decimal is its value times 10^18, as text.
        return str(int(Decimal(value).scaleb(18))).encode()
    if kind == "number":
        return int(value)
    return _SIGN_MODES[value] if kind == "mode" else base64.b64decode(value) if kind == "base64" else value.encode()


def _field(number: int, value: bytes | int) -> bytes:
    if not value:
        return b""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _coins(text: str) -> list[dict[str, str]]:
    """Coins in the order that the SDK insists on: by denom."""
    found = re.findall(rf"([0-9]+)({_DENOM})", text)
    return [{"denom": denom, "amount": amount} for amount, denom in sorted(found, key=lambda coin: coin[1])]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ValueError("; ".join(faults))


def _network_faults(chain_id: str, genesis_time: str) -> list[str]:
    faults: list[str] = []
    if not 0 < len(chain_id.encode()) <= _CHAIN_ID_BYTES:
        faults.append(f"chain_id {chain_id!r} has {len(chain_id.encode())} bytes; it takes 1 to {_CHAIN_ID_BYTES}")
    try:
        datetime.fromisoformat(genesis_time if _TIME.fullmatch(genesis_time) else "")
    except ValueError:
        faults.append(f"genesis_time {genesis_time!r} is no time in RFC 3339; write it as in 2026-01-31T00:00:00Z")
    return faults


def _validator_faults(validators: Sequence[int], monikers: Sequence[str]) -> list[str]:
    faults: list[str] = []
    if not validators:
        faults.append("validators is empty and no block would be made; name at least one ordinal")
    faults += [
        f"validators names {ordinal} twice; name it once" for ordinal in sorted(set(validators)) if validators.count(ordinal) > 1
    ]
    if len(monikers) != len(validators):
        faults.append(f"{len(monikers)} monikers for {len(validators)} validators; give one for each")
    faults += [
        f"moniker {moniker!r} has {len(moniker.encode())} bytes; it takes 1 to {_MONIKER_BYTES}"
        for moniker in monikers
        if not 0 < len(moniker.encode()) <= _MONIKER_BYTES
    ]
    return faults


def _stake_faults(denom: str, prefix: str, stake: int, balance: int) -> list[str]:
    faults: list[str] = []
    if not re.fullmatch(_DENOM, denom):
        faults.append(f"denom {denom!r} is no name of a coin; use 3 to 128 letters and digits, the first a letter")
    # 90 characters of Bech32 hold the separator, 38 of payload and checksum, and `valoper`.
    if not re.fullmatch(r"[a-z][a-z0-9]{0,43}", prefix):
        faults.append(f"prefix {prefix!r} starts no address; use 1 to 44 lower-case letters and digits, the first a letter")
    if stake < _POWER_COST:
        faults.append(f"stake {stake} gives no voting power; raise it to at least {_POWER_COST}")
    if balance < stake:
        faults.append(f"balance {balance} does not cover stake {stake}; raise it")
    return faults


def _account_faults(accounts: Mapping[str, str], prefix: str) -> list[str]:
    faults: list[str] = []
    for address, coins in accounts.items():
        try:
            found, payload = bech32_decode(address)
        except ValueError as error:
            faults.append(f"accounts: {error}")
            continue
        if found != prefix or address != address.lower() or len(payload) not in (20, 32):
            faults.append(f"accounts.{address} is no account of this chain; its accounts start with {prefix}1, in lower case")
        whole = re.fullmatch(rf"[1-9][0-9]*{_DENOM}(,[1-9][0-9]*{_DENOM})*", coins)
        denoms = [coin["denom"] for coin in _coins(coins)]
        if not whole or len(set(denoms)) != len(denoms):
            faults.append(
                f"accounts.{address}: {coins!r} are no coins; write amount and denom, each denom once: 1000stake,5token"
            )
    return faults
