"""What a node offers on the marketplace, as each version takes and gives it.

Offers live in memory: the real node loses them on a restart as well.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from node_options import Version


class RefusalError(Exception):
    """An answer other than success: status and text."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


def whole(name: str, value: object) -> int:
    """A number that the API takes as a number or as decimal text."""
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and value.isdecimal())):
        raise RefusalError(400, f"deserialization of field '{name}' failed")
    return int(value)


def exactly(kind: type, name: str, value: object) -> object:
    """A value that the API takes in one form only."""
    if type(value) is not kind:
        raise RefusalError(400, f"deserialization of field '{name}' failed")
    return value


def fields_in(body: bytes) -> dict[str, Any]:
    """The object in a request."""
    try:
        given: object = json.loads(body)
    except ValueError:
        raise RefusalError(400, "Failed to parse JSON") from None
    if not isinstance(given, dict):
        raise RefusalError(400, "deserialization failed: expected an object")
    return cast("dict[str, Any]", given)


@dataclass
class ArchivistMarket:
    """One set of terms for the whole node; each POST replaces it."""

    terms: dict[str, Any] | None = None

    def reserved(self) -> int:
        """Terms reserve nothing."""
        return 0

    def answer(self, method: str, path: list[str], body: bytes) -> tuple[int, object]:
        """Status and content for a request below /sales."""
        match method, path:
            case "GET", ["availability"]:
                if self.terms is None:
                    raise RefusalError(404, "not found")
                return 200, self.terms
            case "POST", ["availability"]:
                given = fields_in(body)
                terms: dict[str, Any] = {"maximumDuration": whole("maximumDuration", given.get("maximumDuration", 0))}
                for name in ("minimumPricePerBytePerSecond", "maximumCollateralPerByte"):
                    terms[name] = str(whole(name, given.get(name, 0)))
                for name, value in terms.items():
                    if int(value) == 0:
                        raise RefusalError(422, f"{name} must be larger than zero")
                self.terms = terms | {"availableUntil": exactly(int, "availableUntil", given.get("availableUntil", 0))}
                return 201, b""
            case _:
                raise RefusalError(404)


@dataclass
class CodexMarket:
    """Any number of offers, each with an id; nothing removes one.

    Attributes:
        version: What the fields and the statuses depend on.
        quota: Bytes that the node may fill.
        used: Gives the bytes that it fills.
    """

    version: Version
    quota: int
    used: Callable[[], int]
    offers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def reserved(self) -> int:
        """Bytes that are kept free for offers."""
        return sum(int(offer["freeSize"]) for offer in self.offers)

    def answer(self, method: str, path: list[str], body: bytes) -> tuple[int, object]:
        """Status and content for a request below /sales."""
        match method, path:
            case "GET", ["availability"]:
                return 200, self.offers
            case "POST", ["availability"]:
                return 201, self._add(self._parsed(body))
            case "PATCH", ["availability", offer_id]:
                self._change(offer_id, self._parsed(body))
                return (204 if self._has_enabled() else 200), b""
            case _:
                raise RefusalError(404)

    def _has_enabled(self) -> bool:
        return self.version >= (0, 2, 1)

    def _prices(self) -> list[str]:
        return ["minPrice", "maxCollateral"] if self.version < (0, 2) else ["minPricePerBytePerSecond", "totalCollateral"]

    def _parsed(self, body: bytes) -> dict[str, Any]:
        """The fields of a request in the form in which answers give them; what the version does not know is dropped."""
        found: dict[str, Any] = {}
        for name, value in fields_in(body).items():
            if name == "freeSize":
                raise RefusalError(422 if self._has_enabled() else 400, "Updating freeSize is not allowed")
            if name in {"totalSize", "duration"}:
                found[name] = str(whole(name, value)) if self.version < (0, 2) else whole(name, value)
            elif name in self._prices():
                found[name] = str(whole(name, value))
            elif name == "enabled" and self._has_enabled():
                found[name] = exactly(bool, name, value)
            elif name == "until" and self._has_enabled():
                found[name] = exactly(int, name, value)
        return found

    def _must_fit(self, size: int) -> None:
        if size == 0:
            raise RefusalError(422 if self._has_enabled() else 400, "Total size must be larger then zero")
        # The whole size is counted anew, for a change as well.
        if self.used() + self.reserved() + size > self.quota:
            raise RefusalError(422, "Not enough storage quota")

    def _add(self, given: dict[str, Any]) -> dict[str, Any]:
        offer: dict[str, Any] = {"totalSize": 0, "duration": 0} | dict.fromkeys(self._prices(), "0") | given
        if self.version >= (0, 2, 2):
            for name in ("duration", *self._prices()):
                if int(offer[name]) == 0:
                    raise RefusalError(422, f"{name} must be larger then zero")
        self._must_fit(int(offer["totalSize"]))
        offer |= {"id": "0x" + secrets.token_hex(32), "freeSize": offer["totalSize"]}
        if self._has_enabled():
            offer = {"enabled": True, "until": 0, "totalRemainingCollateral": offer["totalCollateral"]} | offer
        self.offers.append(offer)
        return offer

    def _change(self, offer_id: str, given: dict[str, Any]) -> None:
        found = [offer for offer in self.offers if offer["id"] == offer_id]
        if not found:
            raise RefusalError(404, "Availability not found")
        if "totalSize" in given:
            self._must_fit(int(given["totalSize"]))
            given["freeSize"] = given["totalSize"]
        found[0].update(given)
