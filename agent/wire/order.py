"""What a signed order allows others to do, read from the message's own content."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.core.quote import Meaning, TypedMessage
from agent.core.verdict import Refusal
from agent.wire.address import parse_address
from agent.wire.strict_json import JSON, loads

_PARTS = frozenset({"domain", "message"})
_DOMAIN = frozenset({"chainId", "verifyingContract"})
_ORDER = frozenset({"sellToken", "buyToken", "receiver", "sellAmount", "buyAmount", "validTo"})
"""The fields of a CoW order that move money (GPv2Order.sol of cowprotocol/contracts); a venue
that signs the others too adds them with their only allowed values."""

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")
"""Base units as JSON writes what its numbers cannot hold; 2^256 has 78 digits."""


def order_meaning(message: TypedMessage) -> Meaning | Refusal:
    """What *message* means, or a refusal (G101) unless every field of it is known and valid."""
    try:
        content = _fields(loads(message.content.encode()), _PARTS)
        domain, order = _fields(content["domain"], _DOMAIN), _fields(content["message"], _ORDER)
        if _whole(domain["chainId"]) != message.chain:
            return Refusal("G101", "the order is for another chain than it says")
        valid_to = _whole(order["validTo"])
        if valid_to != message.valid_to:
            return Refusal("G101", "the order is valid for another time than it says")
        return Meaning(
            target=parse_address(_text(domain["verifyingContract"])),
            selector=message.kind,
            name=message.kind,
            recipient=parse_address(_text(order["receiver"])),
            sell=parse_address(_text(order["sellToken"])),
            amount_in=_amount(order["sellAmount"]),
            buy=parse_address(_text(order["buyToken"])),
            min_out=_amount(order["buyAmount"]),
            deadline=valid_to,
        )
    except (ValueError, TypeError):
        return Refusal("G101", "the order has a field that cannot be read, or one too many")


def _fields(part: JSON, names: frozenset[str]) -> Mapping[str, JSON]:
    if not (isinstance(part, dict) and set(part) == names):
        raise ValueError("another field")
    return part


def _text(field: JSON) -> str:
    if not isinstance(field, str):
        raise TypeError("not text")
    return field


def _whole(field: JSON) -> int:
    if type(field) is not int:  # True would be one too
        raise TypeError("not a whole number")
    return field


def _amount(field: JSON) -> int:
    text = _text(field)
    if not _AMOUNT.fullmatch(text):
        raise ValueError("not an amount")
    return int(text)
