"""Calldata to meaning, strictly: bytes that say more than their fields are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.core.layout import Layout, Path, Place
from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.wire.abi import AbiError, decode, encode
from agent.wire.erc20 import APPROVE
from agent.wire.keccak import selector
from agent.wire.order import order_meaning
from agent.wire.permit2 import APPROVE as PERMIT2_APPROVE

__all__ = ["APPROVAL", "MAX_BYTES", "MAX_DEPTH", "by_selector", "meaning", "order_meaning"]

MAX_DEPTH = 4
"""Nested calls deeper than this are refused: no router of ours needs more than one level."""

MAX_BYTES = 32_768
"""Longer calldata is refused unread. A route over a hundred pools is shorter; and arrays that
overlap on purpose decode to some hundred times their size before they are refused."""

_CALLDATA = re.compile(r"0x(?:[0-9a-f]{2}){4,}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")

_ADDRESS_BYTES, _FEE_BYTES = 20, 3
"""A V3 path packs 20 bytes of token and 3 bytes of fee in turn (Uniswap v3-periphery Path)."""

_PADDING_BYTES = 12
"""What stands before an address in 32 bytes."""

_EMPTY = (0, "0x" + "00" * 20, b"", ())
"""What an argument holds that says nothing: no number, no address, no bytes, no items."""

_NOWHERE = Place()
"""A contract that implies nothing."""

APPROVAL = Layout(signature=APPROVE, spender=(0,), amount_in=(1,))
PERMIT = Layout(signature=PERMIT2_APPROVE, sell=(0,), spender=(1,), amount_in=(2,), deadline=(3,))


def by_selector(*layouts: Layout) -> Mapping[str, Layout]:
    """The layouts by their four bytes, as `meaning` wants them."""
    return {selector(layout.signature): layout for layout in layouts}


_OWN = by_selector(APPROVAL, PERMIT)


def meaning(call: Call, layouts: Mapping[str, Layout], *, account: Address) -> Meaning | Refusal:
    """What *call* does when *account* sends it, by *layouts*, ERC-20's and Permit2's `approve`.

    A refusal (G101) when a selector is unknown or the bytes are not exactly what their decoded
    fields encode to; G111 when a nested call is none of *layouts* or nested too deep.
    """
    if not (_ADDRESS.fullmatch(call.to) and len(call.data) <= 2 + 2 * MAX_BYTES):
        return Refusal("G101", "the call has no address or is far too long")
    if not _CALLDATA.fullmatch(call.data):
        return Refusal("G101", f"the call to {call.to} has no calldata that could be read")
    reader = _Reader(call.chain, call.to, layouts, account)
    return reader.read(call.data, value=call.value, depth=1)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads calls of one contract that one account sends."""

    chain: ChainId
    to: Address
    layouts: Mapping[str, Layout]
    account: Address

    def read(self, calldata: str, *, value: int, depth: int) -> Meaning | Refusal:
        four = calldata[:10]
        # An approval can only be a call of its own: nested, a router would grant its own tokens.
        known = {**self.layouts, **_OWN} if depth == 1 else self.layouts
        layout = known.get(four)
        if layout is None:
            code, what = ("G101", "call") if depth == 1 else ("G111", "nested call")
            return Refusal(code, f"the {what} to {self.to} has the unknown selector {four}")
        return self._read_as(layout, four, bytes.fromhex(calldata[10:]), value, depth)

    def _read_as(
        self, layout: Layout, four: str, body: bytes, value: int, depth: int
    ) -> Meaning | Refusal:
        """What bytes mean that are known to be the arguments of *layout*."""
        try:
            values = _exact(layout, body)
            inner = self._inner(values, layout, value, depth)
            if isinstance(inner, Refusal):
                return inner
            return self._meaning(four, layout, values, value=value, inner=inner)
        except AbiError as error:
            return Refusal("G101", f"{layout.name} on {self.to} cannot be decoded: {error}")

    def _meaning(
        self,
        four: str,
        layout: Layout,
        values: tuple[Any, ...],
        *,
        value: int,
        inner: tuple[Meaning, ...],
    ) -> Meaning:
        place = layout.places.get((self.chain, self.to), _NOWHERE)
        to_chain = _far_chain(values, layout, place)
        sell, buy = self._tokens(values, layout, place, to_chain)
        amount_in = _amount(values, layout)
        fee = value if layout.value_is_fee else _at(values, layout.fee) or 0
        return Meaning(
            target=self.to,
            selector=four,
            name=layout.name,
            recipient=self._recipient(values, layout),
            sell=sell,
            amount_in=amount_in,
            buy=buy,
            min_out=_minimum(values, layout, value - fee if layout.paid else amount_in),
            value=value,
            spender=_at(values, layout.spender),
            deadline=_at(values, layout.deadline),
            to_chain=to_chain,
            refund=_address(_at(values, layout.refund)),
            fill_deadline=_at(values, layout.fill_deadline),
            wraps=layout.wraps,
            fee=fee,
            unread=any(_at(values, path) not in _EMPTY for path in layout.unread),
            undated=layout.undated,
            lasting=layout.lasting,
            sweeps=layout.sweeps,
            takes=layout.takes,
            inner=inner,
        )

    def _inner(
        self, values: tuple[Any, ...], layout: Layout, value: int, depth: int
    ) -> tuple[Meaning, ...] | Refusal:
        if layout.inner is None:
            return ()
        calls = _at(values, layout.inner)
        if not calls:
            raise AbiError("it nests no calls")
        if depth >= MAX_DEPTH:
            return Refusal("G111", f"calls on {self.to} are nested deeper than {MAX_DEPTH}")
        if layout.commands is not None:
            return self._program(layout, _at(values, layout.commands), calls, depth)
        reader, sent = self, 0
        if layout.passes is not None:
            # The whole call goes on to another contract, with what was sent along.
            reader, sent = replace(self, to=Address(_at(values, layout.passes))), value
            calls = (calls,)
        found = []
        for item in calls:
            nested = reader.read("0x" + item.hex(), value=sent, depth=depth + 1)
            if isinstance(nested, Refusal):
                return nested
            found.append(nested)
        return tuple(found)

    def _program(
        self, layout: Layout, commands: bytes, calls: tuple[bytes, ...], depth: int
    ) -> tuple[Meaning, ...] | Refusal:
        """What the items of a program mean, each by the command at its place."""
        if len(commands) != len(calls):
            raise AbiError("it has another number of commands than of their inputs")
        found = []
        for command, item in zip(commands, calls, strict=True):
            known = layout.by_command.get(command)
            if known is None:
                return Refusal("G111", f"the unknown command 0x{command:02x} on {self.to}")
            nested = self._read_as(known, f"0x{command:02x}", item, 0, depth + 1)
            if isinstance(nested, Refusal):
                return nested
            found.append(nested)
        return tuple(found)

    def _recipient(self, values: tuple[Any, ...], layout: Layout) -> Address | None:
        if layout.wallet_only:
            return self.account
        said = _address(_at(values, layout.recipient))
        stand = None if said is None else layout.stands.get(said)
        if stand is not None:
            return self.account if stand == "sender" else self.to
        return said

    def _tokens(
        self, values: tuple[Any, ...], layout: Layout, place: Place, to_chain: ChainId | None
    ) -> tuple[Address | None, Address | None]:
        if layout.target_is:
            token = self.to if place.sell is None else place.sell
            return (token, NATIVE) if layout.target_is == "sell" else (NATIVE, token)
        if layout.hops is None:
            sell, buy = _address(_at(values, layout.sell)), _address(_at(values, layout.buy))
        else:
            route = _at(values, layout.hops)
            tokens = _unpacked(route) if layout.hops_form == "packed" else route
            if len(tokens) < 2:
                raise AbiError("its route has no two tokens")
            sell, buy = Address(tokens[0]), Address(tokens[-1])
        sell = NATIVE if layout.paid or sell in layout.coins else sell
        sell = place.sell if sell is None else sell
        buy = NATIVE if buy in layout.coins else buy
        if buy is None and sell is not None and to_chain is not None:
            buy = place.buys.get((to_chain, sell))
        return sell, buy


def _exact(layout: Layout, body: bytes) -> tuple[Any, ...]:
    """The arguments, if *body* is just what they encode to: no other bytes, no other order."""
    values = decode(layout.types, body)
    said = encode(layout.types, values)
    if not (body.startswith(said) and len(body) - len(said) <= layout.tag):
        raise AbiError("it carries bytes that no field explains")
    for path, kinds in layout.packed:
        values = _put(values, path, _apart(_at(values, path), kinds))
    for path, kinds in layout.encoded:
        values = _put(values, path, _decoded(_at(values, path), kinds))
    if not all(_is_empty(values, layout, path) for path in layout.zeros):
        raise AbiError("a field that must be empty is not")
    if any(_word(_at(values, one)) != _word(_at(values, other)) for one, other in layout.equal):
        raise AbiError("two fields that must be equal are not")
    if not all(_at(values, low) <= _at(values, high) for low, high in layout.ordered):
        raise AbiError("a field is above what bounds it")
    if any(_at(values, path) & mask != wanted for path, mask, wanted in layout.masks):
        raise AbiError("a field has bits that must not be set")
    return values


def _word(said: Any) -> Any:
    """An address as the 32 bytes that it stands for, so that it equals one written so."""
    if isinstance(said, str) and _ADDRESS.fullmatch(said):
        return bytes.fromhex(said[2:]).rjust(_ADDRESS_BYTES + _PADDING_BYTES, b"\0")
    return said


def _apart(packed: bytes, kinds: tuple[str, ...]) -> tuple[Any, ...]:
    """The fields of packed bytes, and the bytes that are left."""
    found: list[Any] = []
    for kind in kinds:
        size = _size(kind)
        field, packed = packed[:size], packed[size:]
        if len(field) < size:
            raise AbiError("it ends inside a field")
        found.append(int.from_bytes(field, "big") if kind.startswith("uint") else field)
    return (*found, packed)


def _decoded(body: bytes, kinds: tuple[str, ...]) -> tuple[Any, ...]:
    """The fields of bytes that are nothing but what these encode to."""
    fields = decode(kinds, body)
    if encode(kinds, fields) != body:
        raise AbiError("it carries bytes that no field explains")
    return fields


def _amount(values: tuple[Any, ...], layout: Layout) -> int | None:
    """What is sold, 0 for all that the contract itself holds; then no number may be 0 itself."""
    if layout.whole:
        return 0
    said: int | None = _at(values, layout.amount_in)
    if layout.own and said == 0:
        raise AbiError("an amount is nothing at all")
    return 0 if layout.own and said == layout.own else said


def _size(kind: str) -> int:
    """Bytes of a packed number (uint256 and smaller) or of fixed bytes (bytes32 and fewer)."""
    if kind.startswith("uint"):
        return int(kind.removeprefix("uint")) // 8
    return int(kind.removeprefix("bytes"))


def _put(values: tuple[Any, ...], path: Path, fields: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same values with *fields* in place of what is at *path*."""
    index, *rest = path
    inner = _put(values[index], tuple(rest), fields) if rest else fields
    return (*values[:index], inner, *values[index + 1 :])


def _is_empty(values: tuple[Any, ...], layout: Layout, path: Path) -> bool:
    """Whether an argument says nothing; a word of bytes is never shorter than its zeros."""
    said = _at(values, path)
    return said in _EMPTY or (layout.type_at(path) == "bytes32" and not any(said))


def _far_chain(values: tuple[Any, ...], layout: Layout, place: Place) -> ChainId | None:
    said = _at(values, layout.to_chain)
    if said is None:
        return place.to_chain
    if not layout.numbers:
        return ChainId(said)
    if said not in layout.numbers:
        raise AbiError(f"nobody knows a chain of the number {said}")
    return layout.numbers[said]


def _minimum(values: tuple[Any, ...], layout: Layout, amount_in: int | None) -> int | None:
    """The least that comes out, as the function itself guarantees it."""
    if layout.one_to_one:
        return amount_in
    least: int | None = _at(values, layout.min_out)
    if layout.fee_in is None or amount_in is None:
        return least
    kept: int = _at(values, layout.fee_in)
    return max(0, amount_in - kept)


def _address(said: Any) -> Address | None:
    """An address; of 32 bytes the first twelve must be zero, or it is none of this kind."""
    if isinstance(said, bytes):
        if any(said[:_PADDING_BYTES]):
            raise AbiError("an address has more than twenty bytes")
        return Address("0x" + said[_PADDING_BYTES:].hex())
    return None if said is None else Address(said)


def _at(values: Any, path: Path | None) -> Any:
    if path is None:
        return None
    try:
        for index in path:
            values = values[index]
    except IndexError:
        raise AbiError("an array has no item where one must be") from None
    return values


def _unpacked(route: bytes) -> list[str]:
    """The tokens of a packed V3 path, none when its length is not that of a path."""
    hop_bytes = _ADDRESS_BYTES + _FEE_BYTES
    if len(route) % hop_bytes != _ADDRESS_BYTES:
        return []
    starts = range(0, len(route), hop_bytes)
    return ["0x" + route[start : start + _ADDRESS_BYTES].hex() for start in starts]
