"""What is asked of venues and prices before anything is reserved, and what refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from paper_world import (
    ETHER,
    ME,
    START,
    USDC_A,
    VENUE,
    WETH_A,
    A,
    World,
    leg,
    plan,
    prices,
)
from scenes import ONE_SWAP, ORDER, after, allowance, facts, purposes, start, started

from agent.core import fact as f
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.price import Price, Unpriced
from agent.engine.ask import least_out
from agent.engine.loop import Wait
from agent.errors import NoSimulator


def refusals(world: World) -> list[tuple[str, str]]:
    return [(no.code, no.why) for fact in facts(world, f.Refused) for no in fact.refusals]


def only(name: str, *sources: str):
    """Prices in which one asset has these sources."""

    def found():
        known = prices()
        price = known.by_asset[name]
        return replace(known, by_asset={**known.by_asset, name: replace(price, sources=sources)})

    return found


def without(name: str, refused: Unpriced | None = None):
    def found():
        known = prices()
        rest = {key: price for key, price in known.by_asset.items() if key != name}
        return replace(known, by_asset=rest, refused={} if refused is None else {name: refused})

    return found


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (only("ETH", "feed"), ("G206", "only feed has a price for ETH")),
        (only("USDC", "pool"), ("G206", "only pool has a price for USDC")),
        (
            without("USDC", Unpriced("USDC", "G203", "its sources disagree")),
            ("G203", "its sources disagree"),
        ),
        (without("USDC"), ("G202", "no source has a price for what leg 1 sells or buys")),
    ],
)
def test_a_leg_without_two_prices_is_refused_before_anything_is_asked(known, said):
    world = World()
    asked = []
    world.venue.quote = lambda *args: asked.append(args)
    ended = start(world, ONE_SWAP, world.io(prices=known))
    assert ("aborted", [said], []) == (ended.outcome, refusals(world), asked)


def test_the_least_that_may_come_out_is_the_better_of_market_and_plan():
    wanted = ONE_SWAP.legs[0]
    half = Amount(WETH_A, ETHER)
    fair = 3000 * 10**6
    assert fair * 99 // 100 == least_out(wanted, half, prices(), 100)
    strict = replace(wanted, min_buy=5998 * 10**6)
    assert 2999 * 10**6 == least_out(strict, half, prices(), 100)
    assert 5998 * 10**6 == least_out(strict, Amount(WETH_A, 3 * ETHER), prices(), 10_000)


def test_a_price_of_nothing_is_no_price():
    world = World()

    def worthless():
        known = prices()
        zero = Price("USDC", *(known.by_asset["USDC"].value * 0,) * 3, START, ("a", "b"))
        return replace(known, by_asset={**known.by_asset, "USDC": zero})

    assert "aborted" == start(world, ONE_SWAP, world.io(prices=worthless)).outcome
    assert ["G202"] == [code for code, _ in refusals(world)]


def test_an_allowance_that_is_exact_already_is_not_granted_again():
    world = World()
    world.chains[A].ledger.allowances[WETH_A.address, ME, VENUE] = 2 * ETHER
    ended = start(world, ONE_SWAP)
    assert ("done", ["swap"]) == (ended.outcome, purposes(world))
    assert 0 == allowance(world, WETH_A, VENUE)


@pytest.mark.parametrize("answer", [None, b"", b"\x01"])
def test_a_token_that_does_not_say_an_allowance_makes_the_run_wait(answer):
    world = World()
    node = world.chains[A]
    node.read = lambda calls, at="latest": (answer,) * len(calls)
    waited = start(world, ONE_SWAP, budget=10)
    assert isinstance(waited, Wait)
    assert f"WETH does not say the allowance of {VENUE}" == waited.why
    assert [] == facts(world, f.Reserved)


def test_a_swap_that_does_not_go_through_is_refused_unsigned():
    world = World()
    world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(2990 * 10**6, 10**18)
    honest = world.venue.quote

    def quote(*args):
        found = honest(*args)
        world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(1, 10**12)
        return found

    world.venue.quote = quote
    ended = start(world, ONE_SWAP)
    assert "aborted" == ended.outcome
    assert "S101" in {code for code, _ in refusals(world)}
    assert [] == facts(world, f.Signed)


def test_a_leg_sized_by_nothing_is_refused():
    world = World()
    poor = leg("1", "swap", "venue", Sell(WETH_A, 0, ("0",), ETHER), USDC_A, 1, ("0",))
    wrap = leg("0", "wrap", "wrap", Sell(WETH_A, 0), WETH_A, 0)
    ended = start(world, plan(wrap, poor))
    assert ("aborted", []) == (ended.outcome, facts(world, f.Signed))


def test_a_node_that_cannot_simulate_stops_the_run_and_says_so():
    world = World()

    def simulate(*_):
        raise NoSimulator("chain 1 cannot simulate", fix="use a node that can")

    world.chains[A].simulate = simulate
    with started(world, ONE_SWAP) as held, pytest.raises(NoSimulator):
        held.advance(10)
    assert [] == facts(world, f.Reserved)


def test_a_quote_that_the_chains_clock_has_overtaken_is_refused():
    world = World()

    def react(fact) -> None:
        if isinstance(fact, f.Quoted):
            world.chains[A].mine(110)

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("aborted", [("G110", "the quote is too old to be signed")]) == (
        ended.outcome,
        refusals(world),
    )
    assert [] == facts(world, f.Reserved)


def test_an_order_that_cannot_be_read_is_refused_and_its_contract_not_guessed():
    world = World()
    quote = world.book.quote

    def garbled(*asked):
        firm = quote(*asked)
        content = firm.payload.content.replace('"sell"', '"buy"')
        return replace(firm, payload=replace(firm.payload, content=content))

    world.book.quote = garbled
    ended = start(world, ORDER, world.io(venues={"book": world.book}))
    assert "aborted" == ended.outcome
    assert ("G101", 'the order\'s kind is not "sell"') in refusals(world)
    assert [] == facts(world, f.Signed)
