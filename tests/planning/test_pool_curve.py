"""Curves of pools against the integers of the contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import TOKEN_A, TOKEN_B, v2_pool, v3_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.amm.path import Hop, PathQuote, Pool, quote_path
from agent.core.amm.tick_price import sqrt_ratio_at_tick
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Key, V4Pool
from agent.planning.pool_curve import pool_curve


def paid(pool: Pool, amount: int, *, down: bool) -> PathQuote | None:
    ends = (TOKEN_A, TOKEN_B) if down else (TOKEN_B, TOKEN_A)
    quote = quote_path([Hop(pool=pool, token_in=ends[0], token_out=ends[1])], amount)
    return quote if isinstance(quote, PathQuote) else None


@st.composite
def v3_pools(draw: st.DrawFn) -> V3Pool:
    """A few positions around a price near 1, one of them wide."""
    spacing = draw(st.sampled_from((1, 60)))
    ends = [sorted(draw(st.tuples(*[st.integers(-900, 900)] * 2))) for _ in range(3)]
    positions = [
        (low * spacing, high * spacing, draw(st.integers(10**18, 10**24))) for low, high in ends
    ]
    price = sqrt_ratio_at_tick(draw(st.integers(-500, 500))) + draw(st.integers(0, 1 << 80))
    return v3_pool([*positions, (-60_000, 60_000, 10**22)], spacing=spacing, sqrt_price_x96=price)


pools = v3_pools() | st.builds(v2_pool, *[st.integers(10**20, 10**24)] * 2)
sizes = st.floats(15, 24).map(lambda digits: int(10**digits))


@settings(max_examples=200, deadline=None)
@given(pools, sizes, st.booleans())
def test_curve_pays_what_the_pool_pays_to_its_rounding(pool, amount, down):
    curve, quote = pool_curve(pool, zero_for_one=down), paid(pool, amount, down=down)
    if quote is None or not curve.takes(float(amount)):
        return
    brought, _ = curve.at(float(amount))
    assert quote.amount_out == pytest.approx(brought, rel=1e-11)
    assert curve.ticks(float(amount)) == quote.hops[0].ticks_crossed


@settings(max_examples=100, deadline=None)
@given(pools, sizes, st.booleans())
def test_curve_can_be_read_backwards_and_by_its_price(pool, amount, down):
    curve, x = pool_curve(pool, zero_for_one=down), float(amount)
    if not curve.takes(x):
        return
    brought, more = curve.at(x)
    if more > 0 and brought > 0:
        again, out, _, _ = curve.meet(more)
        assert curve.at(curve.needed(brought))[0] == pytest.approx(brought, rel=1e-9)
        assert out == pytest.approx(brought, rel=1e-6, abs=more)
        assert more * (again - x) == pytest.approx(0, abs=1e-6 * brought + more)


@pytest.mark.parametrize(("down", "fee"), [(True, 3997), (False, 3251)])
def test_curve_of_a_pool_of_v4_is_that_of_v3_with_all_that_a_swap_pays(down, fee):
    curve = v3_pool([(-60_000, 60_000, 10**24), (-60, 120, 10**23)])
    key = V4Key(currency0=TOKEN_A, currency1=TOKEN_B, fee=3000, tick_spacing=60)
    pool = V4Pool(key=key, curve=curve, protocol_fee=251 << 12 | 1000)
    wanted = pool_curve(replace(curve, fee=fee), zero_for_one=down)
    found = pool_curve(pool, zero_for_one=down)
    assert [wanted.at(x) for x in (1.0, 1e20, 1e23)] == [found.at(x) for x in (1.0, 1e20, 1e23)]


def test_empty_pool_pays_nothing():
    curve = pool_curve(v3_pool([]), zero_for_one=True)
    assert (0.0, (0.0, 0.0), 0, False) == (
        curve.spot,
        curve.at(5.0),
        curve.ticks(5.0),
        curve.takes(5.0),
    )
    assert (0.0, 0.0, 0.0, 0.0) == curve.meet(0.5)
    assert curve.needed(1.0) == 0.0


def test_end_of_a_pool_is_left_alone_and_still_counted():
    curve = pool_curve(v3_pool([(-600, 600, 10**24)]), zero_for_one=True)
    x, y, give, beyond = curve.meet(1e-6)
    assert give == 0.0
    assert 0 < beyond <= 3e-9 * y
    assert curve.takes(x)
    assert not curve.takes(x * (1 + 1e-9))
    assert curve.needed(2 * y) == x


@pytest.mark.parametrize(("down", "word"), [(True, -2), (False, 1)])
def test_curve_ends_where_ticks_were_not_read(down, word):
    pool = v3_pool([(-60_000, 60_000, 10**24)], words=(-1, 0))
    whole = pool_curve(v3_pool([(-60_000, 60_000, 10**24)]), zero_for_one=down)
    curve = pool_curve(pool, zero_for_one=down)
    assert (word, None) == (curve.unread, whole.unread)
    assert curve.meet(1e-9)[0] < whole.meet(1e-9)[0]
