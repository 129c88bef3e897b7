"""Orders of CoW Protocol: what a signed one says and allows others, strictly, and its hash.

Source: GPv2Order.sol, GPv2Signing.sol and GPv2Settlement.sol of @cowprotocol/contracts 1.8.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import Meaning, TypedMessage
from agent.core.verdict import Refusal
from agent.wire.abi import encode
from agent.wire.address import parse_address
from agent.wire.keccak import keccak256
from agent.wire.strict_json import JSON, loads

DOMAIN_NAME, DOMAIN_VERSION = "Gnosis Protocol", "v2"

FIELDS = (
    ("sellToken", "address"),
    ("buyToken", "address"),
    ("receiver", "address"),
    ("sellAmount", "uint256"),
    ("buyAmount", "uint256"),
    ("validTo", "uint32"),
    ("appData", "bytes32"),
    ("feeAmount", "uint256"),
    ("kind", "string"),
    ("partiallyFillable", "bool"),
    ("sellTokenBalance", "string"),
    ("buyTokenBalance", "string"),
)
"""All fields of an order, in the order in which they are hashed."""

TYPE_HASH = bytes.fromhex("d5a25ba2e97094ad7d83dc28a6572da797d6b3e7fc6663bd93efb789fc17e489")
"""`GPv2Order.TYPE_HASH`: the hash of ``Order(address sellToken,…)`` with all `FIELDS`."""

BUY_COIN = Address("0x" + "ee" * 20)
"""Bought instead of a token, it is the gas coin (`GPv2Transfer.BUY_ETH_ADDRESS`)."""

APP_DATA = '{"appCode":"rebalancer","metadata":{},"version":"1.3.0"}'
"""What our orders say about themselves; they ask for no hooks and pay no partner."""

APP_DATA_HASH = "0xe622d7296d01e3a47fef904160987482cda6d3c58ea814644cd120f2d19c5489"
"""Its Keccak-256: what is signed in its stead."""

MAX_AMOUNT, MAX_VALID_TO = 2**256 - 1, 2**32 - 1

_FIXED: Mapping[str, JSON] = {
    "appData": APP_DATA_HASH,
    "feeAmount": "0",
    "kind": "sell",
    "partiallyFillable": False,
    "sellTokenBalance": "erc20",
    "buyTokenBalance": "erc20",
}
"""What every order of ours says: solvers take their costs out of the surplus, it is filled at once
or not at all, and no vault is touched."""

_PARTS = frozenset({"domain", "message"})
_DOMAIN = frozenset({"chainId", "verifyingContract"})

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")
"""Base units as JSON writes what its numbers cannot hold; 2^256 has 78 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Sell exactly so much for at least so much, all at once, until *valid_to*.

    Amounts are base units, `valid_to` unix seconds of chain time (included); `buy` is NATIVE for
    the gas coin.
    """

    chain: ChainId
    settlement: Address
    sell: Address
    buy: Address
    receiver: Address
    sell_amount: int
    buy_amount: int
    valid_to: int


def order_fields(order: Order) -> dict[str, JSON]:
    """All fields as the order book's JSON and EIP-712 write them, amounts as decimal text."""
    return {
        "sellToken": order.sell,
        "buyToken": BUY_COIN if order.buy == NATIVE else order.buy,
        "receiver": order.receiver,
        "sellAmount": str(order.sell_amount),
        "buyAmount": str(order.buy_amount),
        "validTo": order.valid_to,
        **_FIXED,
    }


def order_message(order: Order) -> TypedMessage:
    """The message to sign; the same order gives the same text."""
    domain: JSON = {"chainId": order.chain, "verifyingContract": order.settlement}
    content = {"domain": domain, "message": order_fields(order)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return TypedMessage("cow_order", order.chain, text, order.valid_to)


def read_order(message: TypedMessage) -> Order:
    """The order that *message* is; ``ValueError`` unless it says that and nothing else."""
    content = _fields(loads(message.content.encode()), _PARTS)
    domain = _fields(content["domain"], _DOMAIN)
    order = _fields(content["message"], frozenset(name for name, _ in FIELDS))
    if _whole(domain["chainId"]) != message.chain:
        raise ValueError("the order is for another chain than it says")
    valid_to = _whole(order["validTo"])
    if valid_to != message.valid_to:
        raise ValueError("the order is valid for another time than it says")
    for name, wanted in _FIXED.items():
        if type(order[name]) is not type(wanted) or order[name] != wanted:
            raise ValueError(f"the order's {name} is not {json.dumps(wanted)}")
    if not (0 <= valid_to <= MAX_VALID_TO):
        raise ValueError(_UNREADABLE)
    buy = _address(order["buyToken"])
    return Order(
        chain=message.chain,
        settlement=_address(domain["verifyingContract"]),
        sell=_address(order["sellToken"]),
        buy=NATIVE if buy == BUY_COIN else buy,
        receiver=_address(order["receiver"]),
        sell_amount=_amount(order["sellAmount"]),
        buy_amount=_amount(order["buyAmount"]),
        valid_to=valid_to,
    )


def order_meaning(message: TypedMessage) -> Meaning | Refusal:
    """What *message* means, or a refusal (G101) unless every field of it is known and valid."""
    try:
        order = read_order(message)
    except ValueError as error:
        known = str(error) if str(error).startswith("the order") else _UNREADABLE
        return Refusal("G101", known)
    return Meaning(
        target=order.settlement,
        selector=message.kind,
        name=message.kind,
        recipient=order.receiver,
        sell=order.sell,
        amount_in=order.sell_amount,
        buy=order.buy,
        min_out=order.buy_amount,
        deadline=order.valid_to,
    )


def order_digest(order: Order) -> str:
    """What is signed, as hex with prefix: EIP-712 over the order, for one chain's settlement."""
    return fields_digest(order.chain, order.settlement, order_fields(order))


def fields_digest(chain: ChainId, settlement: Address, fields: Mapping[str, JSON]) -> str:
    """The same of any order, ours or not, as the order book's JSON writes it."""
    words = [
        keccak256(str(fields[name]).encode()) if kind == "string" else _word(fields[name], kind)
        for name, kind in FIELDS
    ]
    kinds = ["bytes32" if kind == "string" else kind for _, kind in FIELDS]
    struct = keccak256(TYPE_HASH + encode(kinds, words))
    separator = _domain_separator(chain, settlement)
    return "0x" + keccak256(b"\x19\x01" + separator + struct).hex()


def order_uid(digest: str, owner: Address, valid_to: int) -> str:
    """The order's name at the settlement and in the book: 56 bytes, known before it is posted.

    >>> order_uid("0x" + "11" * 32, Address("0x" + "22" * 20), 255)[-8:]
    '000000ff'
    """
    return f"{digest}{owner[2:]}{valid_to:08x}"


_UNREADABLE = "the order has a field that cannot be read, or one too many"


@cache
def _domain_separator(chain: ChainId, settlement: Address) -> bytes:
    name = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    texts = [keccak256(part) for part in (name, DOMAIN_NAME.encode(), DOMAIN_VERSION.encode())]
    kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    return keccak256(encode(kinds, [*texts, chain, settlement]))


def _word(field: JSON, kind: str) -> object:
    if kind == "uint256":
        return int(str(field))
    return bytes.fromhex(str(field)[2:]) if kind == "bytes32" else field


def _fields(part: JSON, names: frozenset[str]) -> Mapping[str, JSON]:
    if not (isinstance(part, dict) and set(part) == names):
        raise ValueError(_UNREADABLE)
    return part


def _text(field: JSON) -> str:
    if not isinstance(field, str):
        raise ValueError(_UNREADABLE)  # noqa: TRY004  a wrong message is a wrong value
    return field


def _address(field: JSON) -> Address:
    return parse_address(_text(field))


def _whole(field: JSON) -> int:
    if type(field) is not int:  # True would be one too
        raise ValueError(_UNREADABLE)
    return field


def _amount(field: JSON) -> int:
    text = _text(field)
    if not (_AMOUNT.fullmatch(text) and int(text) <= MAX_AMOUNT):
        raise ValueError(_UNREADABLE)
    return int(text)
