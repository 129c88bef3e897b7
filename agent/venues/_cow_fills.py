"""What the chain says of an order: filled, by which trade, or past its time."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.log import LogQuery
from agent.core.order import OrderFill
from agent.errors import BadReply
from agent.ports import Node, Read
from agent.wire.abi import AbiError, functions
from agent.wire.events import events
from agent.wire.order import Order

_FILLED = functions("cow_settlement")["filledAmount(bytes)"]
_TRADE = events("cow_settlement")["Trade"]


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether an order can still be filled, as far as blocks that count go, and its fills."""

    open: bool
    fills: tuple[OrderFill, ...]


def look(node: Node, order: Order, uid: str, *, made: int, confirmations: int) -> Seen:
    """What the newest block that is *confirmations* deep says of an order.

    The settlement fills an order of ours at once or not at all, never after `valid_to`, and never
    once `filledAmount` is set, by a fill or by its owner's `invalidateOrder`. *made* is a time
    (unix seconds) at which there was no such order yet. Raises Unavailable.
    """
    head = node.block()
    number = max(0, head.number - confirmations + 1)
    block = head if number == head.number else node.block(number)
    name = bytes.fromhex(uid[2:])
    (said,) = node.read([Read(order.settlement, _FILLED.encode(name))], number)
    if said is None or len(said) != 32:
        raise _unclear(f"{order.settlement} does not say whether an order is filled")
    if any(said):
        fills = _fills(node, order, name, first=_before(node, number, made), last=number)
        if not fills and int.from_bytes(said) == order.sell_amount:
            raise _unclear("an order is filled, and no log tells of it yet")
        return Seen(open=False, fills=fills)
    return Seen(open=block.timestamp <= order.valid_to, fills=())


def _fills(node: Node, order: Order, uid: bytes, *, first: int, last: int) -> tuple[OrderFill, ...]:
    """The trade of the order, named by it: there is one, in whatever block it is in the end."""
    topics = _TRADE.topics(owner=order.receiver)
    query = LogQuery(address=order.settlement, topics=topics, first=first, last=last)
    try:
        trades = [_TRADE.decode(log) for log in node.logs(query)]
    except AbiError as error:
        raise _unclear(f"a log of {order.settlement} cannot be read: {error}") from error
    return tuple(
        OrderFill("0x" + uid.hex(), trade["sellAmount"], trade["buyAmount"])
        for trade in trades
        if trade["orderUid"] == uid
    )


def _before(node: Node, number: int, time: int) -> int:
    """A block not later than *time*: found in steps that double, so a few looks are enough."""
    step = 1
    while number > 0 and node.block(number).timestamp > time:
        number, step = max(0, number - step), 2 * step
    return number


def _unclear(what: str) -> BadReply:
    return BadReply(what, fix="the next look may tell; check the node if it stays")
