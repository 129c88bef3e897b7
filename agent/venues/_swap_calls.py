"""Calldata of SwapRouter02 for one path or several, and the field maps to read it back.

Functions, pseudo addresses and the meaning of amount 0 are those of Uniswap's
swap-router-contracts 1.3.1 (SwapRouter02.sol, libraries/Constants.sol); `sweepToken` is that of
v3-periphery (base/PeripheryPayments.sol), which knows no pseudo addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from agent.core.amm.path import Hop
from agent.core.amm.split import Share, stretches
from agent.core.amm.v3 import V3Pool
from agent.core.layout import Layout, Stand
from agent.core.money import Address
from agent.wire.abi import encode
from agent.wire.calldata import by_selector
from agent.wire.keccak import selector

_CALLER = "0x" + "00" * 19 + "01"
_ROUTER = "0x" + "00" * 19 + "02"
"""`Constants.MSG_SENDER` and `Constants.ADDRESS_THIS`."""

_OWN_BALANCE = 0
"""`Constants.CONTRACT_BALANCE`: amount in 0 sells what the router holds."""

_SELECTOR_BYTES, _WORD, _ADDRESS_BYTES = 4, 32, 20
_HOP_BYTES = 3 + _ADDRESS_BYTES
"""A hop in a packed path: the pool's fee and the token behind it."""

_STANDS: dict[str, Stand] = {_CALLER: "sender", _ROUTER: "target"}

MULTICALL = Layout(signature="multicall(uint256,bytes[])", deadline=(0,), inner=(1,))
V3_SINGLE = Layout(
    signature="exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
    sell=(0, 0),
    buy=(0, 1),
    recipient=(0, 3),
    amount_in=(0, 4),
    min_out=(0, 5),
    zeros=((0, 6),),  # a limit of the price would leave a part unsold
    stands=_STANDS,
)
V3_PATH = Layout(
    signature="exactInput((bytes,address,uint256,uint256))",
    hops=(0, 0),
    hops_form="packed",
    recipient=(0, 1),
    amount_in=(0, 2),
    min_out=(0, 3),
    stands=_STANDS,
)
V2_PATH = Layout(
    signature="swapExactTokensForTokens(uint256,uint256,address[],address)",
    amount_in=(0,),
    min_out=(1,),
    hops=(2,),
    recipient=(3,),
    stands=_STANDS,
)

SWEEP = Layout(
    signature="sweepToken(address,uint256,address)",
    buy=(0,),
    min_out=(1,),
    recipient=(2,),
    sweeps=True,
)

LAYOUTS = by_selector(MULTICALL, V3_SINGLE, V3_PATH, V2_PATH, SWEEP)


def swap_call(shares: Sequence[Share], *, min_out: int, to: Address, deadline: int) -> str:
    """Calldata that sells all *shares* for at least *min_out* together, or reverts.

    Hops of one kind in a row are one inner call; between kinds, and before pools in which
    neighbouring shares end, the router itself holds the tokens. One share pays *to* by its last
    call, which alone has a minimum: everything happens in one transaction. Several leave what they
    bought in the router, one after the other, and a last call pays it out if it is *min_out* in
    all. Raises ValueError for shares that are not of one swap, or that would sell the token sold
    or bought by the way.
    """
    turns = _turns([share.hops for share in shares])
    must_be_one_swap(shares, {group[0].token_in for groups in turns for group in groups[1:]})
    alone = len(shares) == 1
    calls = []
    for share, groups in zip(shares, turns, strict=True):
        for position, group in enumerate(groups):
            last = position == len(groups) - 1
            calls.append(
                _segment(
                    group,
                    amount_in=share.amount_in if position == 0 else _OWN_BALANCE,
                    min_out=min_out if last and alone else 0,
                    to=to if last and alone else Address(_ROUTER),
                )
            )
    if not alone:
        calls.append(_encoded(SWEEP, shares[0].hops[-1].token_out, min_out, to))
    return "0x" + _encoded(MULTICALL, deadline, tuple(calls)).hex()


def call_bytes(shares: Sequence[Sequence[Hop]]) -> int:
    """How long `swap_call` along the hops of *shares* is, without encoding anything."""
    inner = [_segment_bytes(group) for groups in _turns(shares) for group in groups]
    if len(shares) > 1:
        inner.append(_SELECTOR_BYTES + 3 * _WORD)
    # Deadline, the array's place and length; then of each call its place, length and words.
    return _SELECTOR_BYTES + 3 * _WORD + sum(2 * _WORD + _padded(size) for size in inner)


def must_be_one_swap(shares: Sequence[Share], handed_on: set[Address]) -> None:
    """Raise ValueError unless each share sells and buys the same, and only what has to be sold.

    Of what is *handed_on* a call sells all that the router holds. That has to go on unless it is
    the token bought, of which the router holds what the shares before have brought.
    """
    ends = {(share.hops[0].token_in, share.hops[-1].token_out) for share in shares}
    if not (len(ends) == 1 and all(share.amount_in > 0 for share in shares)):
        raise ValueError("shares of one swap sell something of one token, for one other token")
    if handed_on & {token for both in ends for token in both}:
        raise ValueError("a share would sell what the router holds of another one")


def _segment_bytes(hops: tuple[Hop, ...]) -> int:
    if not isinstance(hops[0].pool, V3Pool):
        return _SELECTOR_BYTES + (6 + len(hops)) * _WORD
    if len(hops) == 1:
        return _SELECTOR_BYTES + 7 * _WORD
    return _SELECTOR_BYTES + 6 * _WORD + _padded(_ADDRESS_BYTES + _HOP_BYTES * len(hops))


def _padded(size: int) -> int:
    return -(-size // _WORD) * _WORD


def _turns(paths: Sequence[Sequence[Hop]]) -> list[list[tuple[Hop, ...]]]:
    """For each path the hops of one kind in a row that are swapped at its turn."""
    return [[group for stretch in turn for group in _groups(stretch)] for turn in stretches(paths)]


def _groups(hops: Sequence[Hop]) -> list[tuple[Hop, ...]]:
    return [tuple(group) for _, group in groupby(hops, lambda h: isinstance(h.pool, V3Pool))]


def _encoded(layout: Layout, *values: object) -> bytes:
    return bytes.fromhex(selector(layout.signature)[2:]) + encode(layout.types, values)


def _segment(hops: tuple[Hop, ...], *, amount_in: int, min_out: int, to: Address) -> bytes:
    first, last = hops[0], hops[-1]
    if not isinstance(first.pool, V3Pool):
        path = (first.token_in, *(hop.token_out for hop in hops))
        return _encoded(V2_PATH, amount_in, min_out, path, to)
    if len(hops) == 1:
        fields = (first.token_in, last.token_out, first.pool.fee, to, amount_in, min_out, 0)
        return _encoded(V3_SINGLE, fields)
    packed = bytes.fromhex(first.token_in[2:])
    for hop in hops:
        fee = hop.pool.fee if isinstance(hop.pool, V3Pool) else 0
        packed += fee.to_bytes(3, "big") + bytes.fromhex(hop.token_out[2:])
    return _encoded(V3_PATH, (packed, to, amount_in, min_out))
