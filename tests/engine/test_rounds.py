"""Planning asks who is only asked about the swaps of a first plan, and believes simulations alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from paper_world import BOOK, ETHER, USDC_B, WBTC_B, A, B, World, address, policy

from agent.core import fact as f
from agent.core.plan import Plan
from agent.core.price import Prices
from agent.core.quote import Quote
from agent.core.state import State
from agent.engine import rounds, survey, tender
from agent.engine.io import Io
from agent.engine.loop import session
from agent.engine.survey import Look, look, make_plan
from agent.engine.tender import AN_ORDER
from agent.errors import NoSimulator, ProviderSilent, RateLimited
from agent.planning.problem import NoPlan
from agent.sim.venue import PaperOrderBook, PaperVenue

OTHER, THIRD = address(0x77), address(0x78)


class OnlyAsked(PaperVenue):
    """A venue that surveys nothing; it pays `bonus_bps` more than the one that does."""

    def __init__(self, name: str, at: Any, bonus_bps: int) -> None:
        super().__init__(name, at, slippage_bps=5)
        self.bonus = Fraction(10_000 + bonus_bps, 10_000)
        self.asked: list[tuple[Any, int]] = []
        self.bend: Callable[[Quote], Quote] = lambda quote: quote

    def survey(self, *_args: Any) -> tuple[Any, ...]:
        return ()

    def quote(self, leg: Any, sell_raw: int, *args: Any) -> Quote:
        self.asked.append((leg.sell.token, sell_raw))
        return self.bend(super().quote(leg, sell_raw, *args))


class Stage:
    """The paper world with one venue that surveys and others that are only asked."""

    def __init__(self, **bonuses: int) -> None:
        self.world = World()
        self.others = {
            name: OnlyAsked(name, at, bonus)
            for (name, bonus), at in zip(bonuses.items(), (OTHER, THIRD), strict=False)
        }
        for venue in self.others.values():
            self.admit(venue, venue.bonus)

    def admit(self, venue: PaperVenue, bonus: Fraction) -> None:
        """Let *venue* pay so many times what the surveying one pays, on both chains."""
        venue.rates = {pair: rate * bonus for pair, rate in self.world.venue.rates.items()}
        for node in self.world.chains.values():
            node.contracts[venue.address] = venue
            for token in self.tokens(node):
                node.ledger.mint(token, venue.address, 10**30)

    def tokens(self, node: Any) -> set[Any]:
        return {at for pair in self.world.venue.rates for at in pair} if node else set()

    def io(self, **changes: Any) -> Io:
        wrap = self.world.io().venues["wrap"]
        venues = {"venue": self.world.venue, **self.others, "wrap": wrap}
        return self.world.io(**{"venues": venues, **changes})

    def look(self, **changes: Any) -> Look:
        return look(self.io(**changes), State(), asked=True)

    def plan(self, **changes: Any) -> Plan:
        made = make_plan(self.io(**changes), self.look(**changes))
        assert isinstance(made, Plan)
        return made


def made_problem(stage: Stage, seen: Look) -> tuple[Any, Any]:
    """What planning begins with, from a survey."""
    kept: list[tuple[Any, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "planned", lambda _io, _task, *rest: kept.append(rest))
        make_plan(stage.io(), seen)
    return kept[0]


def legs_of(made: Plan) -> list[tuple[str, str, int, int]]:
    return [(leg.via, leg.buy.symbol, leg.planned_sell.raw, leg.expected_out) for leg in made.legs]


def without_others() -> Plan:
    return Stage().plan()


def test_an_offer_that_brings_more_makes_the_plan_cheaper_and_is_what_comes() -> None:
    stage, plain = Stage(other=20), without_others()
    made = stage.plan()
    assert made.cost < plain.cost
    swaps = [leg for leg in made.legs if leg.kind == "swap"]
    assert {"other"} == {leg.via for leg in swaps}
    assert {"other"} == {each.measured for each in made.asked}
    assert all(made.takes(each) for each in made.asked)
    with session("worker", stage.io()) as held:
        held.start("r1", made, stage.look().snapshot)
        ended = held.advance(600)
    assert "done" == ended.outcome
    settled = {fact.leg: fact for fact in stage.world.seen if isinstance(fact, f.Settled)}
    for leg in swaps:
        (came,) = [d.raw for d in settled[leg.id].deltas if d.token == leg.buy]
        assert came >= leg.expected_out >= leg.min_buy


def test_the_same_offers_give_the_same_plan() -> None:
    one, other = Stage(other=20, third=10), Stage(other=20, third=10)
    assert one.plan() == other.plan(serial=False)


@pytest.mark.parametrize("bonus", [0, -20])
def test_who_is_no_better_changes_nothing_and_is_not_simulated(
    bonus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tender, "tried", lambda *_: pytest.fail("there is nothing to find out"))
    made, plain = Stage(other=bonus).plan(), without_others()
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    assert {""} == {each.measured for each in made.asked}
    assert {1} == {each.round for each in made.asked}


def test_without_anybody_to_ask_nothing_is_asked_and_the_plan_stays_as_it_was() -> None:
    stage = Stage()
    seen = stage.look()
    before = {chain: node.requests for chain, node in stage.world.chains.items()}
    made = make_plan(stage.io(), seen)
    assert isinstance(made, Plan)
    assert () == made.asked
    assert "asked" not in repr(sorted(made.why))
    again = {chain: node.requests for chain, node in stage.world.chains.items()}
    # Each chain is asked what gas costs, and nothing else.
    assert {A: 1, B: 1} == {chain: again[chain] - before[chain] for chain in again}


LIES: dict[str, Callable[[Quote], Quote]] = {
    "promised": lambda q: replace(q, amount_out=q.amount_out * 105 // 100),
    "promised a little": lambda q: replace(q, amount_out=q.amount_out * 10_040 // 10_000),
    "guaranteed": lambda q: replace(
        q, amount_out=q.amount_out * 105 // 100, min_amount_out=q.amount_out * 105 // 100
    ),
    "taken by another": lambda q: replace(
        q, amount_out=q.amount_out * 105 // 100, payload=replace(q.payload, to=BOOK)
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_changes_no_leg(lie: str) -> None:
    stage, plain = Stage(other=-20), without_others()
    stage.others["other"].bend = LIES[lie]
    made = stage.plan()
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    assert {""} == {each.measured for each in made.asked}
    assert not any(made.takes(each) for each in made.asked)
    told = [rival for each in made.asked for rival in each.rivals]
    assert all(rival.why for rival in told)


def test_who_promises_more_than_it_brings_counts_for_what_it_brings() -> None:
    honest, boasting = Stage(other=20), Stage(other=20)
    boasting.others["other"].bend = LIES["promised a little"]
    fair, made = honest.plan(), boasting.plan()
    assert legs_of(fair) == legs_of(made)
    (said, *_) = [rival for each in made.asked for rival in each.rivals]
    assert said.why.startswith("it promises ")


def test_after_a_liar_the_next_best_is_taken() -> None:
    stage = Stage(other=-20, third=10)
    stage.others["other"].bend = LIES["promised"]
    made = stage.plan()
    assert {"third"} == {leg.via for leg in made.legs if leg.kind == "swap"}
    assert ["third", "other"] == [rival.via for rival in made.asked[0].rivals]
    assert "refused" == made.asked[0].rivals[1].answer


@pytest.mark.parametrize("fault", [RateLimited, ProviderSilent])
def test_silence_is_told_and_planned_without(fault: type[Exception]) -> None:
    stage, plain = Stage(other=20, third=-20), without_others()

    def silent(quote: Quote) -> Quote:
        raise fault(f"{quote.via} says nothing", fix="wait")

    stage.others["other"].bend = silent
    made = stage.plan()
    assert legs_of(plain) == legs_of(made)
    for each in made.asked:
        assert "[N" in each.sentence(taken=False)


def test_who_has_no_way_is_not_told_of() -> None:
    stage, plain = Stage(other=20), without_others()
    stage.others["other"].rates = {}
    assert plain == stage.plan()


def test_each_is_asked_one_question_after_the_other() -> None:
    stage, inside = Stage(other=20, third=10), dict.fromkeys(("other", "third"), 0)

    def counted(quote: Quote) -> Quote:
        inside[quote.via] += 1
        time.sleep(0.02)
        busy.append(inside[quote.via])
        inside[quote.via] -= 1
        return quote

    busy: list[int] = []
    seen = stage.look()
    problem = made_problem(stage, seen)
    for venue in stage.others.values():
        venue.bend = counted
    made = rounds.planned(stage.io(serial=False), seen.task, *problem)
    assert isinstance(made, Plan)
    assert len(busy) > 4
    assert {1} == set(busy)


def test_who_was_silent_is_not_asked_in_a_later_round() -> None:
    stage = Stage(other=20, third=20)
    silent = stage.others["other"]

    def later(quote: Quote) -> Quote:
        raise ProviderSilent("nothing", fix="wait")

    silent.bend = later
    made = stage.plan()
    assert 2 <= max(each.round for each in made.asked)
    sizes = {(each.sell.token, each.sell.raw) for each in made.asked}
    first = [each for each in made.asked if each.round == 1]
    assert len(first) == sum(asked in sizes for asked in silent.asked)


def test_rounds_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "CLOSE", 10**30)
    stage = Stage(other=20)
    venue = stage.others["other"]
    honest = venue.out

    def better_each_time(sell: Any, buy: Any, raw: int) -> int:
        return honest(sell, buy, raw) - max(0, 40 - len(venue.asked))

    venue.out = better_each_time  # type: ignore[method-assign]
    made = stage.plan()
    assert max(each.round for each in made.asked) <= rounds.ROUNDS
    monkeypatch.setattr(rounds, "ROUNDS", 1)
    once = stage.plan()
    assert {1} == {each.round for each in once.asked}


def test_no_more_swaps_are_asked_about_than_providers_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SWAPS", 1)
    made = Stage(other=-20).plan()
    dearest = max(
        {leg.sell.token for leg in made.legs if leg.kind == "swap"},
        key=lambda token: sum(
            leg.cost for leg in made.legs if leg.kind == "swap" and leg.sell.token == token
        ),
    )
    assert [1, 2] == [each.round for each in made.asked][:2]
    assert dearest == made.asked[0].sell.token


def test_what_is_only_said_is_found_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SWAPS", 1)
    stage = Stage(other=-20)
    last = (USDC_B.address, WBTC_B.address)
    stage.world.venue.rates.pop(last)
    made = stage.plan()
    swaps = [leg for leg in made.legs if leg.kind == "swap"]
    assert USDC_B != max(swaps, key=lambda leg: leg.cost).sell.token
    assert [None] == [each.known for each in made.asked if each.round == 1]
    assert WBTC_B == made.asked[0].buy


def test_an_order_is_shown_and_improves_nothing() -> None:
    stage, plain = Stage(), without_others()
    book = PaperOrderBook("orders", THIRD)
    stage.admit(book, Fraction(1))
    book.survey = lambda *_: ()  # type: ignore[method-assign]
    stage.others["orders"] = book  # type: ignore[assignment]
    made = stage.plan()
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    said = {rival.why for each in made.asked for rival in each.rivals}
    assert {AN_ORDER} == said


def test_what_cannot_be_simulated_improves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, plain = Stage(other=20), without_others()

    def no_simulator(*_args: Any) -> Any:
        raise NoSimulator("the node cannot", fix="another node")

    for node in stage.world.chains.values():
        monkeypatch.setattr(node, "simulate", no_simulator)
    made = stage.plan()
    assert legs_of(plain) == legs_of(made)
    assert "not simulated: the node cannot" == made.asked[0].rivals[0].why


def test_a_pair_without_two_prices_is_not_asked_about() -> None:
    stage = Stage(other=20)
    known = stage.io().prices()
    lonely = {
        name: replace(price, sources=price.sources[:1]) if name == "WBTC" else price
        for name, price in known.by_asset.items()
    }
    one_source = Prices(lonely, {}, known.asset_of)
    made = stage.plan(prices=lambda: one_source)
    bought = {leg.buy.symbol for leg in made.legs if leg.kind == "swap"}
    assert "WBTC" in bought
    assert "WBTC" not in {each.buy.symbol for each in made.asked}


def test_more_is_asked_of_the_best_where_there_may_be_more() -> None:
    stage = Stage(other=20)
    made = stage.plan()
    each = made.asked[0]
    sizes = [raw for token, raw in stage.others["other"].asked if token == each.sell.token]
    assert each.sell.raw in sizes
    assert any(each.sell.raw < raw <= 2 * each.sell.raw for raw in sizes)


def silent(quote: Quote) -> Quote:
    raise ProviderSilent("too much", fix="less")


def no_more(quote: Quote) -> Quote:
    return replace(quote, amount_out=10**6, min_amount_out=10**6)


@pytest.mark.parametrize("bend", [silent, no_more])
def test_one_point_is_enough(bend: Callable[[Quote], Quote]) -> None:
    careless = policy(max_price_impact_bps=9_999)
    stage, first = Stage(other=20), dict[Any, int]()

    def bent(quote: Quote) -> Quote:
        sold = first.setdefault(quote.sell.token, quote.sell.raw)
        return bend(quote) if quote.sell.raw > sold * 11 // 10 else quote

    stage.others["other"].bend = bent
    assert "other" in {leg.via for leg in stage.plan(policy=careless).legs}


def test_for_pairs_that_nobody_surveys_what_was_measured_takes_the_place_of_what_was_said() -> None:
    stage = Stage(other=0)
    stage.others["other"].bend = LIES["promised a little"]
    stage.world.venue.rates = {}
    made = stage.plan()
    for leg in (leg for leg in made.legs if leg.kind == "swap"):
        true = stage.others["other"].out(leg.sell.token, leg.buy, leg.planned_sell.raw)
        assert leg.expected_out <= true


def test_for_pairs_that_nobody_surveys_a_lie_is_withdrawn_and_said() -> None:
    stage = Stage(other=0)
    stage.others["other"].bend = LIES["guaranteed"]
    stage.world.venue.rates = {}
    found = make_plan(stage.io(), stage.look())
    assert isinstance(found, NoPlan)
    assert any("other [S" in why or "other [G" in why for why in found.why)


def test_a_withdrawn_lie_does_not_outlive_its_round_as_the_cheapest_plan() -> None:
    stage = Stage(other=0, third=-30)
    stage.others["other"].bend = LIES["guaranteed"]
    stage.world.venue.rates = {}
    made = stage.plan()
    assert {"third"} == {leg.via for leg in made.legs if leg.kind == "swap"}


@pytest.mark.parametrize(
    ("later", "bound"),
    [
        ({"cost": Decimal(10**6), "bound": Decimal(7)}, Decimal(7)),
        ({"cost": Decimal(10**6), "bound": Decimal(10**6)}, without_others().bound),
        ({"cost": Decimal(10**6), "bound": None}, None),
        ({"missed": Decimal(10**6), "bound": Decimal(7)}, None),
    ],
)
def test_a_plan_that_came_out_dearer_is_not_taken_and_what_it_proves_is_kept(
    later: dict[str, Any], bound: Decimal | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_more(monkeypatch, lambda found: replace(found, **later))
    plain, made = without_others(), Stage(other=20).plan()
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    assert bound == made.bound


def test_no_plan_at_all_is_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    with_more(monkeypatch, lambda _: NoPlan(("none",)))
    plain, made = without_others(), Stage(other=20).plan()
    assert (legs_of(plain), None) == (legs_of(made), made.bound)


def with_more(monkeypatch: pytest.MonkeyPatch, change: Callable[[Plan], Any]) -> None:
    """What is planned with more than was surveyed comes out changed."""
    made = rounds.serve

    def serve(task: Any, problem: Any, planner: Any) -> Any:
        found = made(task, problem, planner)
        return change(found) if any(edge.alone for edge in problem.edges) else found

    monkeypatch.setattr(rounds, "serve", serve)


def test_first_uses_are_small_for_places_that_planning_found() -> None:
    stage = Stage(other=20)
    made = stage.plan(canary=Decimal(100))
    assert any(leg.id.endswith("c") for leg in made.legs)
    sold: dict[Any, int] = {}
    for leg in made.legs:
        sold[leg.sell.token] = sold.get(leg.sell.token, 0) + leg.planned_sell.raw
    for each in made.asked[:1]:
        assert each.sell.raw <= sold[each.sell.token] + ETHER


def test_pools_too_shallow_for_any_plan_do_not_keep_others_from_being_asked() -> None:
    stage, rates = Stage(other=0), {}
    for pair, rate in stage.world.venue.rates.items():
        rates[pair] = rate * Fraction(8, 10)
    stage.world.venue.rates = rates
    made = stage.plan()
    assert {"other"} == {leg.via for leg in made.legs if leg.kind == "swap"}
    first = [each for each in made.asked if each.round == 1]
    assert all(made.takes(each) for each in first)
    assert {"venue"} == {each.known.via for each in first if each.known is not None}
    stage.others = {}
    assert isinstance(make_plan(stage.io(), stage.look()), NoPlan)


def test_what_shallow_pools_leave_outside_the_bands_is_asked_about_at_its_whole_size() -> None:
    stage = Stage(other=-20)
    survey_all = stage.world.venue.survey

    def shallow(*args: Any) -> tuple[Any, ...]:
        return tuple(
            replace(edge, ladder=tuple((sold // 40, out // 40) for sold, out in edge.ladder))
            for edge in survey_all(*args)
        )

    stage.world.venue.survey = shallow  # type: ignore[method-assign]
    made = stage.plan()
    assert 0 == made.missed
    assert {1} == {each.round for each in made.asked if made.takes(each)}
    stage.others = {}
    assert stage.plan().missed > 0


def test_where_nobody_brings_what_is_missing_it_is_told_who_was_asked() -> None:
    stage = Stage(other=0)
    stage.world.venue.rates = {p: r * Fraction(8, 10) for p, r in stage.world.venue.rates.items()}
    stage.others["other"].bend = silent
    found = make_plan(stage.io(), stage.look())
    assert isinstance(found, NoPlan)
    assert any("asked for" in why and "other [N" in why for why in found.why)


@pytest.mark.parametrize(
    ("wish", "away", "taken"),
    [("target", "5", True), ("target", "0.05", False), ("cheapest", "5", False)],
)
def test_what_comes_nearer_to_exact_targets_is_taken_though_dearer(
    wish: Any, away: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, made = Stage(other=20), rounds.serve
    wished = replace(policy(), trigger=replace(policy().trigger, rebalance_to=wish))

    def serve(task: Any, problem: Any, planner: Any) -> Any:
        found = made(task, problem, planner)
        if any(edge.alone for edge in problem.edges):
            return replace(found, cost=Decimal(10**6))
        one, *rest = found.standings
        return replace(found, standings=(replace(one, after=one.after + Decimal(away)), *rest))

    monkeypatch.setattr(rounds, "serve", serve)
    assert taken == (stage.plan(policy=wished).cost == 10**6)


def test_judging_late_is_by_the_chain_s_time_of_then() -> None:
    """Those who answer slowly must not make the chain's clock seem wrong."""
    stage = Stage(other=20, third=10)

    def slow(quote: Quote) -> Quote:
        stage.world.clock.sleep(25)
        for node in stage.world.chains.values():
            node.mine()
        return quote

    for venue in stage.others.values():
        venue.bend = slow
    made = stage.plan()
    assert {"other"} == {each.measured for each in made.asked}
