"""Points between those that were searched for: exact, rising, and above the straight line."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from split_markets import BUY, HUBS, SELL, market

from agent.core.amm.split import quote_split
from agent.venues._finer import FINE_PARTS, divided, finer
from agent.venues._paths import Search
from agent.venues._split import Filler

STEPS = 6


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(0, STEPS))
def test_ladders_rise_by_what_the_pools_pay_and_never_below_the_straight_line(
    seed: int, fine: int
) -> None:
    drawn = market(seed)
    filler = Filler(Search(drawn.pools, HUBS))
    amounts = [drawn.amount >> step for step in range(STEPS, -1, -1)]
    found = [filler.best(SELL, BUY, amount, drawn.gas_rate) for amount in amounts]
    splits = [each.split for each in found if each is not None]
    if not splits:
        return
    made = finer(splits, amounts[fine])
    assert set(splits) <= set(made)
    assert len(splits) <= len(made) <= len(splits) + (STEPS - fine) * (FINE_PARTS - 1)
    for less, more in pairwise(made):
        assert (less.amount_in, less.amount_out) < (more.amount_in, more.amount_out)
    for split in made:
        again = quote_split([(share.hops, share.amount_in) for share in split.shares])
        assert (again.amount_in, again.amount_out) == (split.amount_in, split.amount_out)
    for less, more in pairwise(splits):
        between = [each for each in made if less.amount_in < each.amount_in < more.amount_in]
        assert less.amount_in >= amounts[fine] or not between
        for split in between:
            part = Fraction(split.amount_in - less.amount_in, more.amount_in - less.amount_in)
            assert split.amount_out > less.amount_out + part * (more.amount_out - less.amount_out)


def test_nearly_every_point_between_is_found() -> None:
    count = 0
    for seed in range(1, 21):
        drawn = market(seed)
        filler = Filler(Search(drawn.pools, HUBS))
        found = [filler.best(SELL, BUY, drawn.amount >> step, drawn.gas_rate) for step in (1, 0)]
        splits = [each.split for each in found if each is not None]
        count += len(finer(splits, 0)) - len(splits) if len(splits) == 2 else FINE_PARTS - 1
    assert count >= 0.9 * 20 * (FINE_PARTS - 1), count


def test_paths_that_refuse_an_amount_have_no_point_for_it() -> None:
    drawn = market(1)
    found = Filler(Search(drawn.pools, HUBS)).best(SELL, BUY, drawn.amount)
    assert found is not None
    parts = [share.amount_in for share in found.split.shares]
    assert divided(found.split, parts, drawn.amount) == quote_split(
        [(share.hops, share.amount_in) for share in found.split.shares]
    )
    assert divided(found.split, parts, drawn.amount * 10**12) is None
