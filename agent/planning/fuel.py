"""Gas for every chain on which something is to be done: where it comes from when it is short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from agent.core.money import Amount, ChainId, Token, raw_up
from agent.core.wording import chain_name, whole
from agent.planning.board import Board
from agent.planning.ladder import narrowed
from agent.planning.trade import Size, Trade, Turn, exactly, trade
from agent.planning.way import Way

WRAP: Final = (46_000, 130)
"""Gas and bytes of WETH9 `deposit` into an empty balance: 21 000 for the transaction, 22 100 for
the new storage slot (EIP-2929), about 1 900 for the event and the rest; 4 bytes of calldata in a
signed EIP-1559 transaction of about 120."""

UNWRAP: Final = (46_000, 170)
"""Gas and bytes of WETH9 `withdraw`, rounded up to those of `deposit`: it changes a slot and sends
coins, and carries one word more."""

NO_GAS = "G403"
"""Error code of a chain whose gas coin does not pay for anything that should be done there."""


class Starved(str):
    """Why the gas coin of `chain` does not suffice: nothing but a deposit of it helps."""

    __slots__ = ("chain",)
    chain: ChainId

    def __new__(cls, why: str, chain: ChainId) -> Starved:
        """Say *why* of a chain."""
        made = super().__new__(cls, why)
        made.chain = chain
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuel:
    """What is done for gas alone: `first` before all else, `last` after it.

    `spent` is base units that other trades cannot have, `caps` wei that fees may take by chain.
    `gaps` is what chains still lack: it is filled from what arrives. `rides` are base units of
    such gas coin that must arrive over a way that is used anyhow, by the way's index. On chains
    that are `awaited` nothing else can be paid before their gas is there.
    """

    first: tuple[Trade | Turn, ...]
    last: tuple[Turn, ...]
    spent: Mapping[Token, int]
    caps: Mapping[ChainId, int]
    gaps: Mapping[ChainId, int]
    rides: Mapping[int, int]
    awaited: frozenset[ChainId]

    @property
    def trades(self) -> tuple[Trade, ...]:
        """Its trades."""
        return tuple(step for step in self.first if isinstance(step, Trade))

    def riding(self, way: Way) -> int:
        """Base units that *way* sells beyond what moves want, so that gas rides along.

        A hundredth more than it is worth: fees come off, and what is short comes off the rest.
        """
        needed = self.rides.get(way.index, 0)
        return raw_up(101 * needed / (100 * way.fair * way.edge.sell.unit), way.edge.sell)


@dataclass(slots=True)
class _Tank:
    """The fuel while it is looked for; `riders` are transfers of gas coins that are made anyhow."""

    board: Board
    caps: dict[ChainId, int]
    riders: Mapping[ChainId, Way]
    first: list[Trade | Turn] = field(default_factory=list)
    last: list[Turn] = field(default_factory=list)
    spent: dict[Token, int] = field(default_factory=dict)
    gaps: dict[ChainId, int] = field(default_factory=dict)
    rides: dict[int, int] = field(default_factory=dict)
    awaited: set[ChainId] = field(default_factory=set)

    def held(self, chain: ChainId) -> int:
        """Base units of the gas coin."""
        return self.board.native_held.get(chain, 0)

    def reserve(self, chain: ChainId) -> int:
        """Base units of the gas coin that are to stay."""
        return self.board.problem.policy.gas_reserve.get(chain, 0)

    def spare(self, token: Token) -> int:
        """Base units of *token* that may become gas elsewhere."""
        board, chain = self.board, token.chain
        free = board.free.get(token, 0)
        if token.is_native:
            free = board.native_free.get(chain, 0) - self.caps.get(chain, 0)
        return max(0, free - self.spent.get(token, 0))

    def spend(self, token: Token, raw: int) -> None:
        """Take *raw* base units of a token away from all other trades."""
        self.spent[token] = self.spent.get(token, 0) + raw

    def pay(self, chain: ChainId, wei: int) -> None:
        """Keep wei for the fees of a step."""
        self.caps[chain] = self.caps.get(chain, 0) + wei


def refuelled(
    board: Board, caps: Mapping[ChainId, int], riders: Mapping[ChainId, Way]
) -> Fuel | Starved:
    """Gas for chains whose fees may take *caps* (wei), or the chain that cannot have any.

    The reserve pays fees; a chain that is below it when something begins there gets it back.
    *riders* are transfers of gas coins to chains that are made anyhow, of what is held.
    """
    tank = _Tank(board, dict(caps), riders)
    for chain in sorted(caps):
        _fill(tank, chain)
        have, need = tank.held(chain), caps[chain]
        if chain not in tank.awaited and not need <= have:
            coin = board.native(chain)
            texts = [whole(Amount(coin, raw)) for raw in (have, need)]
            why = f"{chain_name(chain)} has {texts[0]} for gas, up to {texts[1]} are needed"
            return Starved(why, chain)
    return Fuel(
        first=tuple(tank.first),
        last=tuple(tank.last),
        spent=tank.spent,
        caps=tank.caps,
        gaps=tank.gaps,
        rides=tank.rides,
        awaited=frozenset(tank.awaited),
    )


def _fill(tank: _Tank, chain: ChainId) -> None:
    """Bring one chain's gas coin to its reserve, if it is below and that can be done."""
    board = tank.board
    gap = board.reserve_gap(chain)
    if not gap and tank.caps[chain] <= tank.held(chain):
        return
    if chain not in board.native_free:
        return
    if any(found(tank, chain) for found in (_unwrap, _ride, _bridge, _sell)):
        return
    tank.gaps[chain] = max(0, gap - _unwrap_some(tank, chain))


def _needed(tank: _Tank, chain: ChainId, own: int = 0) -> int:
    """Base units without which the chain ends below its reserve; *own* wei are for getting them."""
    return tank.reserve(chain) + tank.caps[chain] + own - tank.held(chain)


def _unwrap(tank: _Tank, chain: ChainId) -> bool:
    """Unwrap as much of what is held as is needed."""
    own = tank.board.gas_cap(chain, *UNWRAP)
    pays_all = tank.caps[chain] + own <= tank.held(chain)
    raw = tank.board.reserve_gap(chain) if pays_all else _needed(tank, chain, own)
    return _unwrap_just(tank, chain, raw, pays_all=pays_all)


def _unwrap_some(tank: _Tank, chain: ChainId) -> int:
    """Unwrap all that is held where that is not enough; base units that it brings."""
    own = tank.board.gas_cap(chain, *UNWRAP)
    raw = tank.spare(tank.board.node(tank.board.native(chain)))
    pays_all = tank.caps[chain] + own <= tank.held(chain)
    pays_then = tank.caps[chain] + own <= tank.held(chain) + raw
    return raw if pays_then and _unwrap_just(tank, chain, raw, pays_all=pays_all) else 0


def _unwrap_just(tank: _Tank, chain: ChainId, raw: int, *, pays_all: bool) -> bool:
    """Unwrap *raw* base units, at the end where all fees can be paid before."""
    if not (raw > 0 and _can_unwrap(tank, chain, raw)):
        return False
    turn = _turn(tank, chain, exactly(raw))
    if pays_all:
        tank.last.append(turn)
    else:
        tank.first.append(turn)
        tank.awaited.add(chain)
    return True


def _can_unwrap(tank: _Tank, chain: ChainId, raw: int) -> bool:
    board = tank.board
    wrapped = board.problem.wrapped.get(chain)
    if wrapped is None or chain not in board.wraps or wrapped in board.transit:
        return False
    return raw <= tank.spare(wrapped) and board.gas_cap(chain, *UNWRAP) <= tank.held(chain)


def _turn(tank: _Tank, chain: ChainId, size: Size) -> Turn:
    """An unwrap for gas; what it takes out of the wallet is spent, and its fee is kept."""
    board = tank.board
    wrapped = board.problem.wrapped[chain]
    tank.spend(wrapped, size.held)
    cap = board.gas_cap(chain, *UNWRAP)
    tank.pay(chain, cap)
    return Turn(
        token=wrapped,
        buy=board.native(chain),
        size=size,
        gas_cost=board.gas_value(chain, *UNWRAP),
        gas_cap=cap,
        gas_for=chain,
    )


def _ride(tank: _Tank, chain: ChainId) -> bool:
    """Let gas ride along on a transfer that is made anyhow, if that can be paid for now."""
    way = tank.riders.get(chain)
    if way is None or tank.board.reserve_gap(way.sell[1]):
        return False
    if not tank.caps[way.sell[1]] <= tank.held(way.sell[1]):
        return False
    tank.gaps[chain] = tank.rides[way.index] = _needed(tank, chain)
    if not tank.caps[chain] <= tank.held(chain):
        tank.awaited.add(chain)
    return True


def _bridge(tank: _Tank, chain: ChainId) -> bool:
    """Bring gas from the chain that has most to spare."""
    board = tank.board
    found: list[tuple[Decimal, Decimal, int, Trade]] = []
    for way in board.into.get(board.native(chain), ()):
        source = way.sell[1]
        if not way.is_bridge or board.reserve_gap(source):
            continue
        fees = tank.caps.get(source, 0) + way.gas_cap
        selling = way.edge.sell
        most = tank.spare(selling) - way.gas_cap * selling.is_native
        if not fees + tank.spent.get(board.native(source), 0) <= tank.held(source):
            continue
        done = _just(tank, way, _needed(tank, chain), most, chain)
        if done is not None:
            found.append((-_to_spare(tank, source, way), done.cost, way.index, done))
    if not found:
        return False
    done = min(found, key=lambda each: each[:3])[3]
    _take(tank, done)
    if not tank.caps[chain] <= tank.held(chain):
        tank.awaited.add(chain)
    return True


def _to_spare(tank: _Tank, chain: ChainId, way: Way) -> Decimal:
    """Value of the gas coin in both forms that *chain* does not need itself."""
    coin = tank.board.native(chain)
    forms = dict.fromkeys((coin, tank.board.node(coin)))
    return way.sold_value(sum(tank.spare(form) for form in forms))


def _sell(tank: _Tank, chain: ChainId) -> bool:
    """Sell something on the chain itself for the wrapped coin, and unwrap that."""
    board = tank.board
    wrapped = board.problem.wrapped.get(chain)
    if wrapped is None or chain not in board.wraps:
        return False
    found = [(done.cost, done.way.index, done) for done in _sales(tank, chain, wrapped)]
    if not found:
        return False
    done = min(found, key=lambda each: each[:2])[2]
    pays_all = tank.caps[chain] + _own(tank, done.way) <= tank.held(chain)
    _take(tank, done)
    size = Size(planned=done.expected, sure=done.least, held=0, kind="floats")
    tank.first.append(_turn(tank, chain, size))
    if not pays_all:
        tank.awaited.add(chain)
    return True


def _sales(tank: _Tank, chain: ChainId, wrapped: Token) -> Iterator[Trade]:
    """Ways on the chain that sell enough of something held for the wrapped coin."""
    for way in tank.board.into.get(wrapped, ()):
        own = _own(tank, way)
        if way.is_bridge or way.buy[0] in tank.board.problem.falling or own > tank.held(chain):
            continue
        needed = _needed(tank, chain, own)
        done = _just(tank, way, needed, tank.spare(way.edge.sell), chain)
        if done is not None:
            yield done


def _own(tank: _Tank, way: Way) -> int:
    """Wei that a sale and its unwrap may cost."""
    return way.gas_cap + tank.board.gas_cap(way.sell[1], *UNWRAP)


def _take(tank: _Tank, done: Trade) -> None:
    tank.first.append(done)
    tank.spend(done.way.edge.sell, done.raw)
    tank.pay(done.way.sell[1], done.way.gas_cap)


def _just(tank: _Tank, way: Way, needed: int, most: int, chain: ChainId) -> Trade | None:
    """The least trade along *way*, up to *most*, that brings what is *needed* for sure."""
    earlier = [step for step in tank.first if isinstance(step, Trade)]
    memo, key = tank.board.memo, ("gas", way.index, needed)
    done: Trade | None
    if earlier:
        done = _smallest(tank.board, way, needed, chain, earlier)
    elif key in memo:
        done = memo[key]
    else:
        done = memo[key] = _smallest(tank.board, way, needed, chain, ())
    return done if done is not None and done.raw <= most else None


def _smallest(
    board: Board, way: Way, needed: int, chain: ChainId, earlier: Sequence[Trade]
) -> Trade | None:
    """The least trade along *way* that brings what is *needed* for sure.

    Such a trade may be as small as its limits of price allow: a fee that is fixed must not be
    too large a part of it.
    """

    def tried(raw: int) -> Trade | None:
        done = trade(board, way, exactly(raw), earlier, gas_for=chain)
        return None if isinstance(done, str) or done.least < needed else done

    below, enough = 0, 0
    for point, _ in way.edge.ladder:
        if tried(point) is not None:
            enough = point
            break
        below = point
    return tried(narrowed(enough, below, lambda raw: tried(raw) is not None)) if enough else None
