"""Quantities of Kubernetes (20Gi, 500M, 250m): their grammar, and the numbers that they stand for."""

import re
from decimal import Decimal

from nodestead.config.base import looks_secret

__all__ = ["QUANTITY", "not_a_quantity", "quantity_amount", "quantity_bytes"]

QUANTITY = r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|([eE][+-]?[0-9]{1,2}))?"
"""The grammar of apimachinery, pkg/api/resource/quantity.go, without a minus: no field here takes less than nothing."""
_QUANTITY = re.compile(QUANTITY)
_DECIMAL = {unit: Decimal(1000) ** power for power, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], start=-3)}
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)}
_FACTORS = _DECIMAL | _BINARY


def quantity_amount(quantity: object) -> Decimal | None:
    """The number that a quantity stands for, or None where it is none."""
    match = _QUANTITY.fullmatch(str(quantity))
    return Decimal(match[1] + (match[3] or "")) * _FACTORS[match[2] or ""] if match else None


def quantity_bytes(quantity: str) -> int:
    """Bytes of a quantity, rounded down; ValueError where it is none."""
    amount = quantity_amount(quantity)
    if amount is None:
        raise ValueError(not_a_quantity(quantity))
    return int(amount)


def not_a_quantity(value: object) -> str:
    """What is said of a value that is none; it is not repeated where it reads like a key."""
    shown = "the value" if looks_secret(value) or len(str(value)) > 80 else repr(value)
    return f"{shown} is not a Kubernetes quantity; write a number and a unit, as in 20Gi, 500M or 250m"
