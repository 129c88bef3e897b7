"""Calldata to meaning, strictly: bytes that say more than their fields are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.core.layout import Layout, Path
from agent.core.money import Address
from agent.core.quote import Call, Meaning, TypedMessage
from agent.core.verdict import Refusal
from agent.wire.abi import AbiError, decode, encode
from agent.wire.erc20 import APPROVE
from agent.wire.keccak import selector

MAX_DEPTH = 4
"""Nested calls deeper than this are refused: no router of ours needs more than one level."""

_ADDRESS_BYTES, _FEE_BYTES = 20, 3
"""A V3 path packs 20 bytes of token and 3 bytes of fee in turn (Uniswap v3-periphery Path)."""

APPROVAL = Layout(signature=APPROVE, spender=(0,), amount_in=(1,))


def by_selector(*layouts: Layout) -> Mapping[str, Layout]:
    """The layouts by their four bytes, as `meaning` wants them."""
    return {selector(layout.signature): layout for layout in layouts}


_OWN = by_selector(APPROVAL)


def meaning(call: Call, layouts: Mapping[str, Layout], *, account: Address) -> Meaning | Refusal:
    """What *call* does when *account* sends it, by *layouts* and ERC-20's `approve`.

    A refusal (G101) when a selector is unknown, when the bytes are not exactly what their
    decoded fields encode to, or when calls are nested too deep.
    """
    known = {**_OWN, **layouts}
    return _meaning(call.to, call.value, call.data, known, account=account, depth=1)


def _meaning(
    to: Address,
    value: int,
    data: str,
    layouts: Mapping[str, Layout],
    *,
    account: Address,
    depth: int,
) -> Meaning | Refusal:
    four = data[:10]
    layout = layouts.get(four)
    if layout is None:
        return Refusal("G101", f"the call to {to} has an unknown selector {four or 'none'}")
    body = bytes.fromhex(data[10:])
    try:
        values = decode(layout.types, body)
        exact = encode(layout.types, values) == body
    except AbiError as error:
        return Refusal("G101", f"{layout.name} on {to} cannot be decoded: {error}")
    if not exact:
        return Refusal("G101", f"{layout.name} on {to} carries bytes that no field explains")
    inner = _inner(to, values, layout, layouts, account=account, depth=depth)
    if isinstance(inner, Refusal):
        return inner
    sell, buy = _tokens(values, layout, to)
    return Meaning(
        target=to,
        selector=four,
        name=layout.name,
        recipient=_recipient(values, layout, to, account),
        sell=sell,
        amount_in=_at(values, layout.amount_in),
        buy=buy,
        min_out=_at(values, layout.min_out),
        value=value,
        spender=_at(values, layout.spender),
        deadline=_at(values, layout.deadline),
        inner=inner,
    )


def _inner(
    to: Address,
    values: tuple[Any, ...],
    layout: Layout,
    layouts: Mapping[str, Layout],
    *,
    account: Address,
    depth: int,
) -> tuple[Meaning, ...] | Refusal:
    if layout.inner is None:
        return ()
    if depth >= MAX_DEPTH:
        return Refusal("G111", f"calls on {to} are nested deeper than {MAX_DEPTH}")
    found = []
    for item in _at(values, layout.inner):
        nested = _meaning(to, 0, "0x" + item.hex(), layouts, account=account, depth=depth + 1)
        if isinstance(nested, Refusal):
            return nested
        found.append(nested)
    return tuple(found)


def _at(values: Any, path: Path | None) -> Any:
    if path is None:
        return None
    for index in path:
        values = values[index]
    return values.lower() if isinstance(values, str) else values


def _recipient(
    values: tuple[Any, ...], layout: Layout, to: Address, account: Address
) -> Address | None:
    if layout.wallet_only:
        return account
    said = _at(values, layout.recipient)
    stand = layout.stands.get(said) if said is not None else None
    if stand is not None:
        return account if stand == "sender" else to
    return None if said is None else Address(said)


def _tokens(
    values: tuple[Any, ...], layout: Layout, to: Address
) -> tuple[Address | None, Address | None]:
    if layout.target_is:
        return (to, None) if layout.target_is == "sell" else (None, to)
    if layout.hops is None:
        return _at(values, layout.sell), _at(values, layout.buy)
    route = _at(values, layout.hops)
    if layout.hops_form == "addresses":
        return (Address(route[0].lower()), Address(route[-1].lower())) if route else (None, None)
    hop_bytes = _ADDRESS_BYTES + _FEE_BYTES
    if len(route) < hop_bytes + _ADDRESS_BYTES or (len(route) - _ADDRESS_BYTES) % hop_bytes:
        return None, None
    return (
        Address("0x" + route[:_ADDRESS_BYTES].hex()),
        Address("0x" + route[-_ADDRESS_BYTES:].hex()),
    )


_ORDER_FIELDS = frozenset(
    {"sellToken", "buyToken", "receiver", "sellAmount", "buyAmount", "validTo"}
)
"""The fields of a CoW order that move money (GPv2Order.sol of cowprotocol/contracts); a venue
that signs the others too adds them with their only allowed values."""


def order_meaning(message: TypedMessage) -> Meaning | Refusal:
    """What a signed order allows others to do, from the message's own content."""
    try:
        content = json.loads(message.content)
        order, contract = content["message"], content["domain"]["verifyingContract"]
        if set(order) != _ORDER_FIELDS or content["domain"]["chainId"] != message.chain:
            return Refusal("G101", "the order has other fields or another chain than it may have")
        if int(order["validTo"]) != message.valid_to:
            return Refusal("G101", "the order is valid longer than it says")
        return Meaning(
            target=Address(contract),
            selector=message.kind,
            name=message.kind,
            recipient=Address(order["receiver"]),
            sell=Address(order["sellToken"]),
            amount_in=int(order["sellAmount"]),
            buy=Address(order["buyToken"]),
            min_out=int(order["buyAmount"]),
            deadline=int(order["validTo"]),
        )
    except (ValueError, KeyError, TypeError):
        return Refusal("G101", "the order cannot be decoded")
