"""What one way brings for one size, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.money import WHOLE_BPS, Amount, ChainId, Token, raw_up
from agent.core.rounding import mul_div_down, mul_div_up
from agent.core.wording import percent, percent_of_bps, whole
from agent.planning.board import Board
from agent.planning.ladder import bought
from agent.planning.wake import Draws, passed, wake
from agent.planning.way import Way

FEE_GROWTH = 4
"""A bridge's fee may grow by this part (a quarter) between plan and quote. Its quote is then its
minimum; without any room every change of a relayer's gas price would end in a new plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Base units that a leg sells: `planned`, and `sure` when all before it bring their minimum.

    `held` is the part of it that is in the wallet already. Beyond that it `floats` with what
    arrives, which is all its own, or it `shares` arrivals with others and waits for them.
    """

    planned: int
    sure: int
    held: int
    kind: Literal["held", "floats", "shares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A way with its size and what that brings: base units expected and at least.

    `least` is the minimum for the planned size, `sure_out` for the sure size. Values are
    without gas. `gas_for` names the chain whose gas it pays for, None for any other trade.
    `draws` are what it puts into pools, where that is known.
    """

    way: Way
    size: Size
    expected: int
    least: int
    sure_out: int
    sold_value: Decimal
    expected_value: Decimal
    sure_sold_value: Decimal
    sure_value: Decimal
    gas_for: ChainId | None = None
    draws: Draws = ()

    @property
    def raw(self) -> int:
        """The planned size."""
        return self.size.planned

    @property
    def cost(self) -> Decimal:
        """Value lost and gas."""
        return self.sold_value - self.expected_value + self.way.gas_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Base units of a gas coin that are wrapped, or of its wrapped form that are unwrapped."""

    token: Token
    buy: Token
    size: Size
    gas_cost: Decimal
    gas_cap: int
    gas_for: ChainId | None = None


def exactly(raw: int) -> Size:
    """A size that is in the wallet."""
    return Size(planned=raw, sure=raw, held=raw, kind="held")


def trade(
    board: Board,
    way: Way,
    size: Size,
    earlier: Sequence[Trade] = (),
    gas_for: ChainId | None = None,
) -> Trade | str:
    """Price *size* after *earlier* trades, or say why it must not be done.

    Where the paths of edges are known they are met as earlier trades left their pools. Otherwise
    what went through a pool of the same edge counts as if it had gone along this edge: the first
    part of the ladder is used up.
    """
    beside = _beside(way, earlier)
    if beside is not None:
        return f"{way.name} is not offered beside {beside.edge.via}"
    used, before = _used(way, earlier)
    key = ("trade", way.index, used, before, size, gas_for)
    done: Trade | str | None = board.memo.get(key)
    if done is None:
        done = board.memo[key] = _priced(board, way, (used, before), size, gas_for)
    return done


def _priced(
    board: Board, way: Way, earlier: tuple[int, Draws], size: Size, gas_for: ChainId | None
) -> Trade | str:
    used, before = earlier
    expected = _out(way, used, size.planned)
    if expected is None:
        return _beyond(way, size.planned)
    draws: Draws = ()
    if way.edge.splits:
        out, draws = passed(board, way, before, size.planned)
        expected = min(expected, out)
    limits = board.problem.policy.limits
    fair = way.fair_out(size.planned)
    by_price = mul_div_up(fair, WHOLE_BPS - limits.max_price_impact_bps, WHOLE_BPS)
    if not (0 < by_price <= expected):
        off = percent(1 - Decimal(expected) / fair) if fair else "far"
        limit = percent_of_bps(limits.max_price_impact_bps)
        return f"{way.name} pays {off} less than independent prices (limit {limit})"
    least = expected
    if way.is_bridge:
        sure = _bridge_least(board, way, used, size)
        if isinstance(sure, str):
            return sure
        least = sure
    else:
        by_quote = mul_div_up(expected, WHOLE_BPS - limits.max_slippage_bps, WHOLE_BPS)
        least = max(by_price, by_quote)
    sure_out = mul_div_down(least, size.sure, size.planned)
    if not sure_out > 0:
        return f"{way.name} would be too small to bring anything for sure"
    sold_value = way.sold_value(size.planned)
    return Trade(
        way=way,
        size=size,
        expected=expected,
        least=least,
        sure_out=sure_out,
        sold_value=sold_value,
        expected_value=way.bought_value(expected),
        sure_sold_value=way.sold_value(size.sure) if size.sure != size.planned else sold_value,
        sure_value=way.bought_value(sure_out),
        gas_for=gas_for,
        draws=draws,
    )


def _beyond(way: Way, raw: int) -> str:
    much = "little" if raw < way.edge.ladder[0][0] else "much"
    return f"{way.name} is not offered for as {much} as {whole(Amount(way.edge.sell, raw))}"


def _out(way: Way, used: int, raw: int) -> int | None:
    """Base units out for *raw* after *used*; each transfer of a bridge pays its fee anew."""
    end = bought(way.edge, used + raw)
    if not used or end is None:
        return end
    start = bought(way.edge, used)
    alone = bought(way.edge, raw)
    if alone is None:
        return None
    return min(alone, end - (start or 0))


def _bridge_least(board: Board, way: Way, used: int, size: Size) -> int | str:
    """The minimum for the planned size that holds, in proportion, for all down to the sure one."""
    limits = board.problem.policy.limits
    bends = {point - shift for point, _ in way.edge.ladder for shift in (0, used)}
    between = {point for point in bends if size.sure < point < size.planned}
    rates = []
    for raw in sorted({size.sure, *between, size.planned}):
        out = _out(way, used, raw)
        if out is None:
            return _beyond(way, raw)
        fair = way.fair_out(raw)
        by_price = mul_div_up(fair, WHOLE_BPS - limits.max_price_impact_bps, WHOLE_BPS)
        by_quote = mul_div_up(out, WHOLE_BPS - limits.max_slippage_bps, WHOLE_BPS)
        by_fee = out - max(0, fair - out) // FEE_GROWTH
        if not by_price <= out:
            return f"{way.name} would cost too much of {whole(Amount(way.edge.sell, raw))}"
        rates.append(mul_div_down(max(by_price, by_quote, by_fee), size.planned, raw))
    return min(rates)


def _beside(way: Way, earlier: Sequence[Trade]) -> Way | None:
    """What is used between the same tokens, where one of the two stands alone."""
    ends = way.edge.sell, way.edge.buy
    others = (done.way for done in earlier if done.way is not way)
    return next(
        (
            other
            for other in others
            if (other.edge.sell, other.edge.buy) == ends and (other.edge.alone or way.edge.alone)
        ),
        None,
    )


def _used(way: Way, earlier: Sequence[Trade]) -> tuple[int, Draws]:
    """Base units of the edge's ladder that earlier trades used up, and what others put into pools.

    A trade whose paths are known counts for what it puts in, if those of *way* are known too.
    """
    pools, known = way.edge.pools, bool(way.edge.splits)
    shared = [t for t in earlier if t.way is way or (pools and t.way.edge.pools & pools)]
    if not shared:
        return 0, ()
    met = [t.draws for t in earlier if known and t.draws and t.way.sell[1] == way.sell[1]]
    value = sum((t.sold_value for t in shared if not (known and t.draws)), Decimal(0))
    return raw_up(value / way.sell_price, way.edge.sell), wake(way, met)
