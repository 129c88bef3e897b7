"""All venues are asked for a leg, and the best offer that passes the guard is taken."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from paper_world import (
    ETH_A,
    ETHER,
    ME,
    START,
    USDC_A,
    VENUE,
    WETH_A,
    A,
    World,
    address,
    leg,
    plan,
    prices,
)
from scenes import ONE_SWAP, facts, start, started

from agent.core import fact as f
from agent.core.fees import ENVELOPE_BYTES, FeeQuote
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.price import Prices
from agent.core.quote import Call, Quote, Rival, TypedMessage
from agent.engine import auction
from agent.engine.auction import net_out, offers
from agent.engine.loop import Wait
from agent.engine.tail import load
from agent.errors import Contradicted, NoRoute, ProviderSilent, Rejected, Unreachable
from agent.sim.venue import PaperVenue

OTHER = address(0x77)
LEG = ONE_SWAP.legs[0]
PLANNED = Fraction(2990 * 10**6, 10**18)
BETTER, WORSE = Fraction(2995 * 10**6, 10**18), Fraction(2980 * 10**6, 10**18)


def contest(rate: Fraction = BETTER, name: str = "other") -> tuple[World, PaperVenue]:
    """A world with a second venue that pays at *rate*."""
    world = World()
    other = PaperVenue(name, OTHER)
    other.rates = {(WETH_A.address, USDC_A.address): rate}
    world.chains[A].contracts[OTHER] = other
    world.chains[A].ledger.mint(USDC_A.address, OTHER, 10**30)
    return world, other


def io(world: World, *others: object, **changes: object):
    known = world.io()
    more = {other.name: other for other in others}
    return world.io(venues={**known.venues, **more}, **changes)


def won(world: World) -> f.Quoted:
    return facts(world, f.Quoted)[-1]


def rivals(world: World) -> dict[str, Rival]:
    return {rival.via: rival for rival in won(world).rivals}


def raising(fault: Exception):
    def quote(*_):
        raise fault

    return quote


def test_the_better_offer_is_taken_whatever_was_planned():
    world, other = contest()
    before = world.holds(USDC_A)
    assert "done" == start(world, ONE_SWAP, io(world, other)).outcome
    assert "other" == won(world).quote.via
    assert int(2 * ETHER * BETTER) == world.holds(USDC_A) - before


def test_what_follows_knows_the_venue_that_did_it():
    world, other = contest()
    start(world, ONE_SWAP, io(world, other))
    with_it = world.io(venues={**world.io().venues, "other": other})
    state = load(with_it.journal, ME)
    assert {"other"} == state.vias
    assert ["other"] == [known.leg.via for known in state.runs["r1"].legs.values()]


def test_the_others_answers_are_written_down_with_what_they_come_to():
    world, other = contest()
    start(world, ONE_SWAP, io(world, other))
    loser = rivals(world)["venue"]
    assert ("offered", int(2 * ETHER * PLANNED)) == (loser.answer, loser.out)
    assert loser.net < loser.out
    assert won(world).net - loser.net == int(2 * ETHER * BETTER) - int(2 * ETHER * PLANNED)


def test_the_planned_venue_wins_against_its_equal():
    world, other = contest(PLANNED)
    start(world, ONE_SWAP, io(world, other))
    assert "venue" == won(world).quote.via


def test_a_forged_offer_is_refused_and_the_next_best_taken():
    world, other = contest()
    other.recipient = address(0xBAD)
    assert "done" == start(world, ONE_SWAP, io(world, other)).outcome
    forged = rivals(world)["other"]
    assert ("venue", "refused", "G105") == (won(world).quote.via, forged.answer, forged.code)
    assert [] == facts(world, f.Refused)


def test_an_offer_below_the_market_is_no_reason_against_the_others():
    world, other = contest(BETTER)
    world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(1, 10**12)
    assert "done" == start(world, ONE_SWAP, io(world, other)).outcome
    assert "other" == won(world).quote.via


@pytest.mark.parametrize(
    ("fault", "answer", "code"),
    [
        (NoRoute("no way", fix="none"), "none", "N107"),
        (ProviderSilent("slow down", fix="wait", code="N103"), "limited", "N103"),
        (ProviderSilent("it is down", fix="wait", code="N101"), "down", "N101"),
        (ProviderSilent("nonsense", fix="wait"), "down", "N109"),
        (Rejected("it says no", fix="see"), "refused", "N110"),
        (Contradicted("it lies", fix="see"), "refused", "N108"),
        (Unreachable("a node is away", fix="wait"), "down", "N101"),
    ],
)
def test_silence_of_one_is_told_apart_and_stops_nobody(fault, answer, code):
    world, other = contest()
    other.quote = raising(fault)
    assert "done" == start(world, ONE_SWAP, io(world, other)).outcome
    silent = rivals(world)["other"]
    assert (answer, code, fault.message) == (silent.answer, silent.code, silent.why)


def test_every_refusal_is_told_when_nobody_passes():
    world, other = contest()
    other.recipient = address(0xBAD)
    world.venue.quote = raising(NoRoute("no way", fix="none"))
    assert "aborted" == start(world, ONE_SWAP, io(world, other)).outcome
    (refused,) = facts(world, f.Refused)
    said = [(no.code, no.why.partition(":")[0]) for no in refused.refusals]
    assert [("G105", "other"), ("S102", "other"), ("N107", "venue"), ("N107", "book")] == said
    assert [] == facts(world, f.Signed)


def test_nodes_are_waited_for_when_nobody_has_an_offer():
    world, other = contest()
    other.quote = raising(NoRoute("no way", fix="none"))
    world.venue.quote = raising(Unreachable("the node is away", fix="wait"))
    waited = start(world, ONE_SWAP, io(world, other), budget=10)
    assert isinstance(waited, Wait)
    assert "the node is away" == waited.why
    assert [] == facts(world, f.Refused)


def test_a_fault_of_ours_is_no_silence():
    world, other = contest()
    other.quote = raising(KeyError("a bug"))
    with pytest.raises(KeyError):
        start(world, ONE_SWAP, io(world, other))


def test_the_first_use_of_a_better_venue_moves_no_more_than_the_canary():
    world, other = contest()
    start(world, ONE_SWAP)
    assert ["venue"] == [fact.quote.via for fact in facts(world, f.Quoted)]
    again = plan(leg("1", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6))
    known = io(world, other)
    with started(world, again, "r2", venues=known.venues, canary=Decimal(50)) as held:
        assert "done" == held.advance(60).outcome
    newcomer = rivals(world)["other"]
    assert ("venue", "refused", "G501") == (won(world).quote.via, newcomer.answer, newcomer.code)


def test_venues_are_asked_at_the_same_time():
    world, other = contest()
    both = threading.Barrier(2, timeout=5)

    def meeting(honest):
        def quote(*args):
            both.wait()
            return honest(*args)

        return quote

    other.quote, world.venue.quote = meeting(other.quote), meeting(world.venue.quote)
    del_book = {k: v for k, v in io(world, other).venues.items() if k != "book"}
    ended = start(world, ONE_SWAP, world.io(venues=del_book, serial=False))
    assert ("done", "other") == (ended.outcome, won(world).quote.via)


def test_who_is_late_is_left_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auction, "SECONDS", 0.05)
    world, other = contest()
    gate = threading.Event()
    honest = other.quote

    def late(*args):
        gate.wait(5)
        return honest(*args)

    other.quote = late
    try:
        ended = start(world, ONE_SWAP, io(world, other, serial=False))
    finally:
        gate.set()
    silent = rivals(world)["other"]
    assert ("done", "down", "N109") == (ended.outcome, silent.answer, silent.code)
    assert "other did not answer within 0 s" == silent.why


def test_bridges_and_wraps_are_asked_alone():
    world, other = contest()
    asked: list[str] = []
    other.quote = lambda *args: asked.append("other")
    wrap = plan(leg("1", "wrap", "wrap", Sell(ETH_A, ETHER), WETH_A, ETHER))
    assert "done" == start(world, wrap, io(world, other)).outcome
    assert ([], ()) == (asked, won(world).rivals)


def quote(out: int, *, gas: int = 100_000, fee: int = 0) -> Quote:
    return Quote(
        via="x",
        sell=Amount(WETH_A, ETHER),
        buy=USDC_A,
        amount_out=out,
        min_amount_out=out,
        allowances=(),
        payload=Call(A, VENUE, 0, "0x" + "00" * 50),
        expires=START,
        gas=gas,
        fee=fee,
    )


def test_gas_data_and_fee_are_taken_off_at_the_price_of_the_gas_coin():
    fees = FeeQuote(9 * 10**9, 10**9, 10**9)
    wei = 100_000 * 10**10 + (50 + ENVELOPE_BYTES) * 10**9 + 10**15
    worth = wei * 3000 * 10**6 // 10**18
    assert 10**9 - worth == net_out(quote(10**9, fee=10**15), ETH_A, fees, prices())


def test_nothing_is_taken_off_where_the_gas_coin_has_no_price():
    assert 10**9 == net_out(quote(10**9), ETH_A, FeeQuote(1, 1), Prices({}))


def test_an_order_costs_whoever_executes_it():
    world = World()
    planned = replace(LEG, via="book")
    known = {
        each.via: each
        for each in offers(planned, ETHER, world.io(), floor=1, now=START, prices=prices())
    }
    assert known["book"].quote is not None
    assert known["book"].net == known["book"].quote.amount_out
    assert known["venue"].net < known["book"].net


def test_an_order_s_promise_counts_no_more_than_independent_prices_say():
    order = TypedMessage("cow_order", A, "{}", START)
    promised = replace(quote(3300 * 10**6, gas=0), payload=order)
    assert 3000 * 10**6 == net_out(promised, ETH_A, FeeQuote(1, 1), prices())
    assert 3300 * 10**6 == net_out(promised, ETH_A, FeeQuote(1, 1), Prices({}))
    modest = replace(promised, amount_out=2990 * 10**6)
    assert 2990 * 10**6 == net_out(modest, ETH_A, FeeQuote(1, 1), prices())


def test_a_leg_whose_venue_is_gone_goes_to_another():
    world, other = contest()
    venues = {"other": other, "wrap": world.io().venues["wrap"]}
    assert "done" == start(world, ONE_SWAP, world.io(venues=venues)).outcome
    assert "other" == won(world).quote.via
