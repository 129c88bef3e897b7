"""What every venue promises: a firm quote is what its bytes say, for the wallet and no more."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest
from proposals import ACCOUNT, simulated
from venue_rigs import PIN, RIGS, SECRET, SURVEYING, Rig, rig_of, venue_names

from agent.compose.providers import provider_names
from agent.core import guard
from agent.core.guard import Proposal, check
from agent.core.intent import Draft
from agent.core.layout import Layout, Path
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.policy import Limits
from agent.core.price import Prices
from agent.core.quote import Call, Meaning, Quote, TypedMessage
from agent.core.verdict import Refusal
from agent.core.whole import whole
from agent.errors import NoRoute
from agent.ports import OrderBook, Venue
from agent.wire import calldata, erc20
from agent.wire.keccak import selector

ELSEWHERE = ChainId(424_242)
BYTE_RULES = (
    guard.understood,
    guard.target_allowed,
    guard.allowance_exact,
    guard.code_pinned,
    guard.chain_matches,
    guard.recipient_is_wallet,
    guard.tokens_match,
    guard.amount_matches,
    guard.value_matches,
    guard.minimum_enforced,
    guard.deadline_short,
    guard.slippage_bounded,
)
"""What the guard finds out from bytes alone."""


@pytest.fixture(params=venue_names())
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with rig_of(request.param, request) as made:
        yield made


@pytest.fixture(params=SURVEYING)
def surveying(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A venue that has indicative edges."""
    with rig_of(request.param, request) as made:
        yield made


def leg(rig: Rig, sell: Token, buy: Token, raw: int) -> Leg:
    wraps = {(True, False): "wrap", (False, True): "unwrap"}
    # An API venue is asked for swaps alone, and knows the gas coin.
    both = (sell.is_native, buy.is_native)
    kind: Any = "swap" if rig.is_api else wraps.get(both, "swap")
    return Leg(
        id="1",
        kind=kind,
        via=rig.venue.name,
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )


def quotes(rig: Rig, min_out: int = 1) -> Iterator[tuple[Leg, Quote]]:
    for sell, buy, raw in rig.swaps:
        wanted = leg(rig, sell, buy, raw)
        yield wanted, rig.venue.quote(wanted, raw, ACCOUNT, min_out, rig.now)


def read(rig: Rig, payload: Call | TypedMessage) -> Meaning | Refusal:
    if isinstance(payload, TypedMessage):
        return calldata.order_meaning(payload)
    return calldata.meaning(payload, rig.venue.layouts, account=ACCOUNT)


def written(payload: Call | TypedMessage) -> str:
    """The bytes of a call, or the text of an order."""
    return payload.data if isinstance(payload, Call) else payload.content


def meaning(rig: Rig, quote: Quote) -> Meaning:
    said = read(rig, quote.payload)
    assert isinstance(said, Meaning), said
    act = whole(said)
    assert isinstance(act, Meaning), act
    return act


def test_every_venue_has_a_rig_and_every_rig_a_venue() -> None:
    assert venue_names() == sorted({*RIGS, *provider_names("venues")})


def test_venue_is_made_by_its_module_s_make_and_has_its_name(rig: Rig) -> None:
    module = import_module(f"agent.venues.{rig.module or rig.venue.name}")
    assert 2 == len(inspect.signature(module.make).parameters)
    wanted = "ProviderOptions" if rig.is_api else "Options"
    assert wanted == module.make.__annotations__["options"]


def test_methods_take_what_the_port_says_by_the_port_s_names(rig: Rig) -> None:
    for name in ("survey", "quote", "targets"):
        wanted = inspect.signature(getattr(Venue, name)).parameters
        assert list(wanted)[1:] == list(inspect.signature(getattr(rig.venue, name)).parameters)


def test_quote_says_what_was_asked(rig: Rig) -> None:
    for wanted, quote in quotes(rig):
        assert rig.venue.name == quote.via
        assert (wanted.planned_sell, wanted.buy) == (quote.sell, quote.buy)
        assert quote.amount_out > 0
        # Others pay for filling an order, out of what it brings.
        assert (quote.gas > 0) == isinstance(quote.payload, Call)
        assert quote.expires > rig.now


def test_minimum_is_at_most_what_is_offered_and_at_least_what_was_asked(rig: Rig) -> None:
    for _, quote in quotes(rig):
        assert 0 < quote.min_amount_out <= quote.amount_out
    for wanted, quote in quotes(rig):
        asked = quote.amount_out
        again = rig.venue.quote(wanted, wanted.planned_sell.raw, ACCOUNT, asked, rig.now)
        assert again.min_amount_out >= asked


def test_offer_below_the_minimum_asked_for_is_still_honest(rig: Rig) -> None:
    for wanted, quote in quotes(rig):
        more = quote.amount_out + 1
        again = rig.venue.quote(wanted, wanted.planned_sell.raw, ACCOUNT, more, rig.now)
        assert quote.amount_out == again.amount_out


def test_same_question_at_the_same_block_has_the_same_answer(rig: Rig) -> None:
    assert list(quotes(rig)) == list(quotes(rig))


def test_calldata_means_the_leg_and_pays_the_wallet(rig: Rig) -> None:
    for wanted, quote in quotes(rig):
        said = meaning(rig, quote)
        assert ACCOUNT == said.recipient
        assert (wanted.sell.token.address, wanted.buy.address) == (said.sell, said.buy)
        sold = said.value if wanted.sell.token.is_native else said.amount_in
        assert wanted.planned_sell.raw == sold
        if wanted.kind == "swap":
            assert said.min_out is not None
            # Servers take a minimum as whole bps of slippage only, so theirs may be above.
            exact = said.min_out == quote.min_amount_out
            assert exact or (rig.is_api and said.min_out > quote.min_amount_out)
            if not (rig.is_api and said.undated):
                assert said.deadline is not None
                assert quote.expires <= said.deadline


def test_calldata_changes_with_the_wallet_alone(rig: Rig) -> None:
    other = Address("0x" + "07" * 20)
    for wanted, quote in quotes(rig):
        again = rig.venue.quote(wanted, wanted.planned_sell.raw, other, 1, rig.now)
        mine, theirs = written(quote.payload), written(again.payload)
        assert mine.replace(ACCOUNT[2:], other[2:]) == theirs


def test_allowances_are_exact_and_for_listed_spenders(rig: Rig) -> None:
    targets = rig.venue.targets(rig.chain)
    for wanted, quote in quotes(rig):
        for allowance in quote.allowances:
            assert wanted.planned_sell == allowance.amount
            assert allowance.spender in targets
        assert len(quote.allowances) <= 1


def test_guard_has_nothing_against_the_bytes_of_a_quote(rig: Rig) -> None:
    for wanted, quote in quotes(rig):
        approvals = tuple(
            Draft(
                purpose="approve",
                chain=rig.chain,
                payload=erc20.approve(
                    rig.chain, right.amount.token.address, right.spender, right.amount.raw
                ),
                gas_limit=60_000,
                allowance=right,
            )
            for right in quote.allowances
        )
        act = Draft(purpose="swap", chain=rig.chain, payload=quote.payload, gas_limit=10**6)
        drafts = (*approvals, act)
        called = [draft.payload.to for draft in drafts if isinstance(draft.payload, Call)]
        if isinstance(quote.payload, Call):
            called += [part.target for part in meaning(rig, quote).inner]
        called += rig.venue.targets(rig.chain)
        verdict = check(
            Proposal(
                account=ACCOUNT,
                leg=wanted,
                sell_raw=wanted.planned_sell.raw,
                quote=quote,
                drafts=drafts,
                meanings=tuple(read(rig, draft.payload) for draft in drafts),
                simulated=simulated(drafts, {}),
                prices=Prices({}),
                limits=Limits(),
                min_out=1,
                targets=rig.venue.targets(rig.chain),
                code_hashes={each: rig.pins.get(each, PIN) for each in called},
                account_code_hash="",
                chain_time=rig.now,
                clock_time=rig.now,
                native=Token(rig.chain, Address("native"), 18, "ETH"),
                value=Decimal(1),
            ),
            BYTE_RULES,
        )
        assert () == verdict.refusals


def test_targets_are_addresses_with_the_pins_they_were_given(rig: Rig) -> None:
    targets = rig.venue.targets(rig.chain)
    assert targets
    for address, pin in targets.items():
        assert address == address.lower()
        assert 42 == len(address)
        assert rig.pins[address] == pin


def test_unknown_pair_has_no_route(rig: Rig) -> None:
    for sell, buy in rig.unknown:
        with pytest.raises(NoRoute):
            rig.venue.quote(leg(rig, sell, buy, 10**6), 10**6, ACCOUNT, 1, rig.now)
        assert () == rig.venue.survey(rig.chain, [(sell, buy)], {sell: 10**6})


def test_pair_across_chains_has_no_route(rig: Rig) -> None:
    for sell, buy, raw in rig.swaps[:2]:
        far = Token(ELSEWHERE, buy.address, buy.decimals, buy.symbol)
        near = Token(ELSEWHERE, sell.address, sell.decimals, sell.symbol)
        for one, other in ((sell, far), (near, buy), (near, far)):
            with pytest.raises(NoRoute):
                rig.venue.quote(leg(rig, one, other, raw), raw, ACCOUNT, 1, rig.now)
            assert () == rig.venue.survey(rig.chain, [(one, other)], {one: raw})


def test_unknown_chain_has_no_edges_and_no_targets(rig: Rig) -> None:
    for sell, buy, raw in rig.swaps[:2]:
        assert () == rig.venue.survey(ELSEWHERE, [(sell, buy)], {sell: raw})
    assert {} == dict(rig.venue.targets(ELSEWHERE))


def test_selling_nothing_has_no_route(rig: Rig) -> None:
    for sell, buy, _ in rig.swaps[:2]:
        with pytest.raises(NoRoute):
            rig.venue.quote(leg(rig, sell, buy, 0), 0, ACCOUNT, 0, rig.now)


def test_survey_has_rising_ladders_for_each_pair_up_to_its_size(surveying: Rig) -> None:
    for sell, buy, raw in surveying.swaps:
        edges = surveying.venue.survey(surveying.chain, [(sell, buy)], {sell: raw})
        assert edges
        for edge in edges:
            assert (surveying.venue.name, sell, buy) == (edge.via, edge.sell, edge.buy)
            assert raw == edge.ladder[-1][0]
            assert all(
                less[0] < more[0] and less[1] < more[1]
                for less, more in pairwise(((0, 0), *edge.ladder))
            )
            assert edge.gas > 0
            assert edge.seconds > 0


def test_a_ladder_that_costs_more_gas_than_another_of_its_pair_brings_more(surveying: Rig) -> None:
    for sell, buy, raw in surveying.swaps:
        edges = surveying.venue.survey(surveying.chain, [(sell, buy)], {sell: raw})
        for cheap, dear in pairwise(sorted(edges, key=lambda edge: edge.gas)):
            assert cheap.ladder[-1][1] < dear.ladder[-1][1]


def test_survey_of_nothing_is_nothing(surveying: Rig) -> None:
    assert () == surveying.venue.survey(surveying.chain, [], {})
    sell, buy, _ = surveying.swaps[0]
    assert () == surveying.venue.survey(surveying.chain, [(sell, buy)], {sell: 0})


def test_venue_that_does_not_survey_has_no_edges_at_all(rig: Rig) -> None:
    for sell, buy, raw in rig.swaps:
        edges = rig.venue.survey(rig.chain, [(sell, buy)], {sell: raw})
        assert (len(edges) > 0) == rig.surveys


def test_last_point_of_the_ladder_is_what_a_quote_then_offers(surveying: Rig) -> None:
    for sell, buy, raw in surveying.swaps[:3]:
        edges = surveying.venue.survey(surveying.chain, [(sell, buy)], {sell: raw})
        quote = surveying.venue.quote(
            leg(surveying, sell, buy, raw), raw, ACCOUNT, 1, surveying.now
        )
        assert quote.amount_out in {edge.ladder[-1][1] for edge in edges}


def test_layouts_are_keyed_by_selector_and_point_to_arguments_that_exist(rig: Rig) -> None:
    assert rig.venue.layouts or isinstance(rig.venue, OrderBook)
    for four, layout in rig.venue.layouts.items():
        assert selector(layout.signature) == four
        for path, kinds in paths(layout):
            assert kind_at(layout, path) in kinds, f"{layout.name} {path}"


def paths(layout: Layout) -> Iterator[tuple[Path, set[str]]]:
    """Every path of a layout, and the types that an argument of that meaning may have."""
    numbers = {"uint256"}
    empty = {"uint64", "uint160", "uint256", "address", "bytes", "address[]", "uint256[]"}
    foreign = {"bytes", "bytes[]", "(uint256,uint256,uint256,bytes)[]"}
    foreign |= {"(address,address,address,address,uint256,bytes,bool)[]"}
    compared = [path for pair in (*layout.equal, *layout.ordered) for path in pair]
    hops = {"bytes"} if layout.hops_form == "packed" else {"address[]"}
    for path, kinds in (
        (layout.recipient, {"address"}),
        (layout.sell, {"address"}),
        (layout.buy, {"address"}),
        (layout.spender, {"address"}),
        (layout.amount_in, numbers),
        (layout.min_out, numbers),
        (layout.deadline, numbers),
        (layout.hops, hops),
        (layout.inner, {"bytes[]"} if layout.passes is None else {"bytes"}),
        (layout.passes, {"address"}),
        *((path, empty) for path in layout.zeros),
        *((path, {"address", "uint256"}) for path in compared),
        *((path, numbers) for path, _, _ in layout.masks),
        *((path, foreign) for path in layout.unread),
    ):
        if path is not None:
            yield path, kinds


def kind_at(layout: Layout, path: Path) -> str:
    kind = "(" + ",".join(layout.types) + ")"
    for index in path:
        inside = Layout(signature=f"inner{kind}").types
        kind = kind[:-2] if kind.endswith("[]") else inside[index]
    return kind


def test_no_secret_is_in_the_repr_of_anything(rig: Rig) -> None:
    shown = [repr(rig.venue), str(rig.venue), repr(rig.venue.layouts)]
    shown += [repr(value) for value in vars(rig.venue).values()]
    shown += [repr(quote) for _, quote in quotes(rig)]
    with pytest.raises(NoRoute) as caught:
        rig.venue.quote(leg(rig, *rig.unknown[0], 1), 1, ACCOUNT, 1, rig.now)
    shown += [repr(caught.value), caught.value.message, caught.value.fix]
    assert not [text for text in shown if SECRET in text]


def test_no_route_says_which_tokens_and_what_to_do(rig: Rig) -> None:
    sell, buy = rig.unknown[0]
    with pytest.raises(NoRoute) as caught:
        rig.venue.quote(leg(rig, sell, buy, 10**6), 10**6, ACCOUNT, 1, rig.now)
    assert "N107" == caught.value.code
    assert sell.symbol in caught.value.message
    assert buy.symbol in caught.value.message
    assert caught.value.fix


def test_amounts_of_a_quote_are_whole_numbers(rig: Rig) -> None:
    for _, quote in quotes(rig):
        assert {int} == {type(n) for n in (quote.amount_out, quote.min_amount_out, quote.gas)}
        assert isinstance(quote.sell, Amount)
