"""Calldata of the UniversalRouter, the one router that swaps in pools of V4 as in all others.

Commands, actions, pseudo addresses and the amount that means all there is are those of Uniswap's
universal-router 2.0 (libraries/Commands.sol, base/Dispatcher.sol) and v4-periphery 1.0
(V4Router.sol, libraries/Actions.sol, libraries/ActionConstants.sol). Later versions of the router,
at other addresses, take other fields for V4. No command may fail and be passed over: one with the
bit 0x80 is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from agent.core.amm.path import Hop
from agent.core.amm.split import Share, Stretches, stretches
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import GAS_COIN, V4Pool
from agent.core.layout import Layout, Place, Stand
from agent.core.money import Address, ChainId
from agent.venues._swap_calls import must_be_one_swap
from agent.wire.abi import encode
from agent.wire.keccak import selector

_CALLER = "0x" + "00" * 19 + "01"
_ROUTER = "0x" + "00" * 19 + "02"
"""`ActionConstants.MSG_SENDER` and `ActionConstants.ADDRESS_THIS`."""

_ALL = 1 << 255
"""`ActionConstants.CONTRACT_BALANCE`: sells what the router holds."""

_PAID_BY_ROUTER = False
"""The flag `payerIsUser` of a swap."""

_ACTIONS = 0x0B060E
"""SETTLE, SWAP_EXACT_IN_SINGLE, TAKE: pay the pool, swap all that was paid, take all that it owes.
Whatever the swap says, the contract of the pools reverts unless nobody owes anything in the end."""

_STANDS: dict[str, Stand] = {_CALLER: "sender", _ROUTER: "target"}
_COINS = frozenset({GAS_COIN})

TAKE = Layout(
    signature="PERMIT2_TRANSFER_FROM(address,address,uint160)",
    sell=(0,),
    recipient=(1,),
    amount_in=(2,),
    stands=_STANDS,
    takes=True,
)
V3_SWAP = Layout(
    signature="V3_SWAP_EXACT_IN(address,uint256,uint256,bytes,bool)",
    recipient=(0,),
    amount_in=(1,),
    min_out=(2,),
    hops=(3,),
    hops_form="packed",
    zeros=((4,),),  # true would fetch the money from the wallet
    stands=_STANDS,
    own=_ALL,
)
V2_SWAP = Layout(
    signature="V2_SWAP_EXACT_IN(address,uint256,uint256,address[],bool)",
    recipient=(0,),
    amount_in=(1,),
    min_out=(2,),
    hops=(3,),
    zeros=((4,),),
    stands=_STANDS,
    own=_ALL,
)
_POOL_KEY = "(address,address,uint24,int24,address)"
V4_SWAP = Layout(
    signature="V4_SWAP(bytes,bytes[])",
    packed=(((0,), ("uint24",)),),
    encoded=(
        ((1, 0), ("address", "uint256", "bool")),
        ((1, 1), (f"({_POOL_KEY},bool,uint128,uint128,bytes)",)),
        ((1, 2), ("address", "address", "uint256")),
    ),
    masks=(((0, 0), 0xFFFFFF, _ACTIONS),),
    sell=(1, 0, 0),
    amount_in=(1, 0, 1),
    buy=(1, 2, 0),
    recipient=(1, 2, 1),
    zeros=(
        (0, 1),  # no further action
        (1, 0, 2),  # paid by the router
        (1, 1, 0, 0, 4),  # no hooks
        (1, 1, 0, 2),  # swaps all that was paid
        (1, 1, 0, 3),
        (1, 1, 0, 4),
        (1, 2, 2),  # takes all
    ),
    stands=_STANDS,
    coins=_COINS,
    own=_ALL,
)
SWEEP = Layout(
    signature="SWEEP(address,address,uint256)",
    buy=(0,),
    recipient=(1,),
    min_out=(2,),
    stands=_STANDS,
    sweeps=True,
)
UNWRAP = Layout(
    signature="UNWRAP_WETH(address,uint256)",
    recipient=(0,),
    zeros=((1,),),
    stands=_STANDS,
    target_is="sell",
    whole=True,
)
WRAP = Layout(
    signature="WRAP_ETH(address,uint256)",
    recipient=(0,),
    amount_in=(1,),
    stands=_STANDS,
    target_is="buy",
    own=_ALL,
)

_V3, _TAKE, _SWEEP, _V2, _WRAP, _UNWRAP, _V4 = 0x00, 0x02, 0x04, 0x08, 0x0B, 0x0C, 0x10
"""The commands that are used."""

_CODES = {_V3: V3_SWAP, _TAKE: TAKE, _SWEEP: SWEEP, _V2: V2_SWAP, _V4: V4_SWAP}
_WORDS = {_V3: 8, _TAKE: 3, _SWEEP: 3, _V2: 8, _WRAP: 2, _UNWRAP: 2, _V4: 28}
"""How long their inputs are; each swap is one hop."""

_WORD, _SELECTOR_BYTES = 32, 4
_TYPES = ("bytes", "bytes[]", "uint256")
_EXECUTE = "execute(bytes,bytes[],uint256)"


def universal_layouts(wrapped: Mapping[tuple[ChainId, Address], Address]) -> Mapping[str, Layout]:
    """How to read calls of the routers at these places, by the wrapped coin of each."""
    places = {where: Place(sell=coin) for where, coin in wrapped.items()}
    execute = Layout(
        signature=_EXECUTE,
        commands=(0,),
        inner=(1,),
        deadline=(2,),
        by_command={
            **_CODES,
            _UNWRAP: replace(UNWRAP, places=places),
            _WRAP: replace(WRAP, places=places),
        },
    )
    return {selector(_EXECUTE): execute}


def universal_call(shares: Sequence[Share], *, min_out: int, to: Address, deadline: int) -> str:
    """Calldata that sells all *shares* for at least *min_out* together, or reverts.

    Each share is fetched from the wallet and goes through its pools, what the router holds of it
    all at once, with what its neighbours left before pools in which they end; a last command pays
    out what all have bought. Raises ValueError for shares that are not of one swap, or that would
    sell the token sold or bought by the way.
    """
    must_be_one_swap(shares, {hop.token_in for share in shares for hop in share.hops[1:]})
    program: list[tuple[int, bytes]] = []
    turns = stretches([share.hops for share in shares])
    for share, turn in zip(shares, turns, strict=True):
        program.append(
            (_TAKE, encode(TAKE.types, (share.hops[0].token_in, _ROUTER, share.amount_in)))
        )
        program += [(code, _input(code, hop)) for code, hop in _turn(turn)]
    program.append((_SWEEP, encode(SWEEP.types, (shares[0].hops[-1].token_out, to, min_out))))
    commands = bytes(code for code, _ in program)
    body = encode(_TYPES, (commands, [found for _, found in program], deadline))
    return selector(_EXECUTE) + body.hex()


def universal_bytes(shares: Sequence[Sequence[Hop]]) -> int:
    """How long `universal_call` along the hops of *shares* is, without encoding anything."""
    codes = [_SWEEP]
    for turn in stretches(shares):
        codes += [_TAKE, *(code for code, _ in _turn(turn))]
    # Three places, two lengths, the commands; then of each input its place, length and words.
    words = 3 + 2 + -(-len(codes) // _WORD) + sum(2 + _WORDS[code] for code in codes)
    return _SELECTOR_BYTES + words * _WORD


def _turn(turn: Stretches) -> list[tuple[int, Hop | None]]:
    return [command for stretch in turn for command in _way(stretch)]


def _way(hops: Sequence[Hop]) -> list[tuple[int, Hop | None]]:
    """The commands along a path, with the gas coin wrapped and unwrapped where pools want it."""
    program: list[tuple[int, Hop | None]] = []
    # What is handed on, before the first hop and behind the last one: never the gas coin itself.
    for before, hop in pairwise((None, *hops, None)):
        has_coin = before is not None and _currency(before, before.token_out) == GAS_COIN
        wants_coin = hop is not None and _currency(hop, hop.token_in) == GAS_COIN
        if has_coin and not wants_coin:
            program.append((_WRAP, None))
        if wants_coin and not has_coin:
            program.append((_UNWRAP, None))
        if hop is not None:
            kind = type(hop.pool)
            program.append((_V2 if kind is V2Pool else _V3 if kind is V3Pool else _V4, hop))
    return program


def _input(code: int, hop: Hop | None) -> bytes:
    """What a command between taking and paying out is told."""
    if hop is None:
        layout, amount = (WRAP, _ALL) if code == _WRAP else (UNWRAP, 0)
        return encode(layout.types, (_ROUTER, amount))
    pool = hop.pool
    if isinstance(pool, V2Pool):
        path: object = (hop.token_in, hop.token_out)
        return encode(V2_SWAP.types, (_ROUTER, _ALL, 0, path, _PAID_BY_ROUTER))
    if isinstance(pool, V3Pool):
        packed = bytes.fromhex(hop.token_in[2:]) + pool.fee.to_bytes(3, "big")
        path = packed + bytes.fromhex(hop.token_out[2:])
        return encode(V3_SWAP.types, (_ROUTER, _ALL, 0, path, _PAID_BY_ROUTER))
    return encode(V4_SWAP.types, (_ACTIONS.to_bytes(3, "big"), _actions(hop, pool)))


def _actions(hop: Hop, pool: V4Pool) -> list[bytes]:
    key = pool.key
    fields = (key.currency0, key.currency1, key.fee, key.tick_spacing, key.hooks)
    values = (
        (_currency(hop, hop.token_in), _ALL, _PAID_BY_ROUTER),
        ((fields, hop.zero_for_one, 0, 0, b""),),
        (_currency(hop, hop.token_out), _ROUTER, 0),
    )
    return [encode(kinds, each) for (_, kinds), each in zip(V4_SWAP.encoded, values, strict=True)]


def _currency(hop: Hop, token: Address) -> Address:
    """What the pool itself knows a token of the hop as."""
    if not isinstance(hop.pool, V4Pool):
        return token
    key = hop.pool.key
    return key.currency0 if token == hop.pool.token0 else key.currency1
