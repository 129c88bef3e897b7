"""What every bridge promises: its bytes, its word about where the money is, and no exception."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import cctp_rig
import pytest
from arbitrum_rigs import clean_rollup, open_rollup
from bridge_rigs import clean, open_crossing
from conformance.bridges import (
    OnAcross,
    OnArbitrum,
    OnCctp,
    OnLiFi,
    OnOpStack,
    OnPaper,
    OnStargate,
    Rig,
    bridge_names,
    leg,
)
from lifi_rig import open_ferry
from op_rig import clean_stack, open_stack
from stargate_rigs import open_passing

from agent.core import guard
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call, Meaning, Quote
from agent.errors import NoRoute
from agent.lab.worlds import Worlds
from agent.ports import Bridge, Delivered, Returned, Waiting
from agent.wire import calldata
from agent.wire.keccak import selector

STRANGER = Address("0x" + "57" * 20)
NOWHERE = ChainId(10)


@pytest.fixture(scope="module")
def two_chains(lab_cache: Path) -> Iterator[object]:
    with open_crossing(lab_cache) as opened:
        yield opened


@pytest.fixture
def across(two_chains: object) -> Iterator[OnAcross]:
    with clean(two_chains) as crossing:  # type: ignore[arg-type]
        yield OnAcross(crossing)


@pytest.fixture(scope="module")
def rollup(lab_cache: Path) -> Iterator[object]:
    with open_rollup(lab_cache) as opened:
        yield opened


@pytest.fixture(scope="module")
def two_domains(lab_cache: Path) -> Iterator[cctp_rig.Burning]:
    with cctp_rig.open_burning(lab_cache) as opened:
        yield opened


@pytest.fixture
def canonical_arbitrum(rollup: object) -> Iterator[OnArbitrum]:
    with clean_rollup(rollup) as cleaned:  # type: ignore[arg-type]
        yield OnArbitrum(cleaned)


@pytest.fixture
def stargate(chains: Worlds) -> Iterator[OnStargate]:
    with open_passing(chains) as passing:
        yield OnStargate(passing)


@pytest.fixture
def lifi(chains: Worlds) -> Iterator[OnLiFi]:
    with open_ferry(chains) as ferry:
        yield OnLiFi(ferry)


@pytest.fixture
def cctp(two_domains: cctp_rig.Burning) -> Iterator[OnCctp]:
    with cctp_rig.clean(two_domains) as burning:
        yield OnCctp(burning)


@pytest.fixture(scope="module")
def op_stack(lab_cache: Path) -> Iterator[object]:
    with open_stack(lab_cache) as opened:
        yield opened


@pytest.fixture
def canonical_op(op_stack: object) -> Iterator[OnOpStack]:
    with clean_stack(op_stack) as cleaned:  # type: ignore[arg-type]
        yield OnOpStack(cleaned)


@pytest.fixture
def paper() -> OnPaper:
    return OnPaper()


@pytest.fixture(params=["paper", *bridge_names()])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each bridge in turn; a module without a rig fails here."""
    found: Rig = request.getfixturevalue(request.param)
    return found


def legs(rig: Rig) -> list[Leg]:
    return [leg(rig.bridge, *each) for each in rig.transfers]


def quoted(rig: Rig, wanted: Leg) -> Quote:
    return rig.bridge.quote(wanted, wanted.planned_sell.raw, rig.account, 1, rig.now())


def meant(rig: Rig, quote: Quote) -> Meaning:
    assert isinstance(quote.payload, Call)
    said = calldata.meaning(quote.payload, rig.bridge.layouts, account=rig.account)
    assert isinstance(said, Meaning), said
    return said


@pytest.mark.parametrize("name", bridge_names())
def test_bridge_is_made_by_its_module_s_make(name: str) -> None:
    module = import_module(f"agent.bridges.{name}")
    assert ["options", "io"] == [
        each.strip("_") for each in inspect.signature(module.make).parameters
    ]
    wanted = "ProviderOptions" if hasattr(module, "ABOUT") else "Options"
    assert wanted == module.make.__annotations__["options"]


def test_methods_take_what_the_port_says_by_the_port_s_names(rig: Rig) -> None:
    for name in ("survey", "quote", "targets", "track", "find", "rehearse"):
        wanted = inspect.signature(getattr(Bridge, name)).parameters
        found = inspect.signature(getattr(rig.bridge, name)).parameters
        assert list(wanted)[1:] == [each.lstrip("_") for each in found]


# Surveys and quotes.


def test_edge_leads_from_one_chain_to_another_up_to_the_size(rig: Rig) -> None:
    for sell, buy, raw in rig.transfers:
        edges = rig.bridge.survey([(sell, buy)], {sell: raw})
        assert len(edges) == len({edge.detail for edge in edges}) > 0
        for edge in edges:
            assert (rig.bridge.name, sell, buy) == (edge.via, edge.sell, edge.buy)
            assert edge.sell.chain != edge.buy.chain
            assert raw == edge.ladder[-1][0]
            points = ((0, 0), *edge.ladder)
            assert all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))
            assert edge.gas > 0
            assert edge.seconds > 0


def test_pair_that_it_does_not_know_is_no_edge_and_no_route(rig: Rig) -> None:
    for sell, buy in rig.unknown:
        assert () == rig.bridge.survey([(sell, buy)], {sell: 10**9})
        with pytest.raises(NoRoute):
            rig.bridge.quote(leg(rig.bridge, sell, buy, 10**9), 10**9, rig.account, 1, rig.now())


def test_nothing_is_no_edge_and_no_route(rig: Rig) -> None:
    sell, buy, _ = rig.transfers[0]
    assert () == rig.bridge.survey([(sell, buy)], {sell: 0})
    assert () == rig.bridge.survey([(sell, buy)], {})
    assert () == rig.bridge.survey([], {})
    with pytest.raises(NoRoute):
        rig.bridge.quote(leg(rig.bridge, sell, buy, 0), 0, rig.account, 1, rig.now())


def test_quote_is_firm_and_says_what_was_asked(rig: Rig) -> None:
    for wanted in legs(rig):
        quote = quoted(rig, wanted)
        assert (rig.bridge.name, wanted.planned_sell, wanted.buy) == (
            quote.via,
            quote.sell,
            quote.buy,
        )
        assert 0 < quote.min_amount_out <= quote.amount_out
        assert quote.expires > rig.now()
        assert quote.gas > 0


def test_quote_is_no_worse_than_its_edge_by_more_than_rounding(rig: Rig) -> None:
    for sell, buy, raw in rig.transfers:
        for edge in rig.bridge.survey([(sell, buy)], {sell: raw}):
            wanted = replace(leg(rig.bridge, sell, buy, raw), detail=edge.detail)
            assert abs(quoted(rig, wanted).amount_out - edge.ladder[-1][1]) <= 1


def test_allowances_are_exact_and_for_a_target(rig: Rig) -> None:
    for wanted in legs(rig):
        quote, targets = quoted(rig, wanted), rig.bridge.targets(wanted.sell.token.chain)
        assert isinstance(quote.payload, Call)
        assert quote.payload.to in targets
        by_value = wanted.sell.token.is_native
        sold = wanted.planned_sell.raw if by_value else 0
        assert sold + quote.fee == quote.payload.value
        exact = [] if by_value else [wanted.planned_sell]
        assert exact == [each.amount for each in quote.allowances]
        assert {each.spender for each in quote.allowances} <= set(targets)


def test_bytes_pay_our_wallet_on_the_far_chain_and_back_to_it(rig: Rig) -> None:
    for wanted in legs(rig):
        quote = quoted(rig, wanted)
        said = meant(rig, quote)
        assert rig.account == said.recipient
        assert (wanted.buy.chain, quote.min_amount_out) == (said.to_chain, said.min_out)
        sold = said.value - said.fee if said.amount_in is None else said.amount_in
        assert wanted.planned_sell.raw == sold
        if said.lasting:
            # What nobody delivers stays claimable, and never comes back.
            assert said.refund in {None, rig.account}
            assert said.fill_deadline is None
            continue
        assert rig.account == said.refund
        assert said.fill_deadline is not None
        assert guard.MAX_DEADLINE_SECONDS < said.fill_deadline - rig.now() <= 21_600


def test_layouts_are_under_their_own_selectors(rig: Rig) -> None:
    for four, layout in rig.bridge.layouts.items():
        assert selector(layout.signature) == four


def test_targets_are_contracts_of_the_chain(rig: Rig) -> None:
    for sell, buy, _ in rig.transfers:
        for chain in (sell.chain, buy.chain):
            targets = rig.bridge.targets(chain)
            found = rig.node(chain).code_hashes(tuple(targets))
            assert targets
            assert all(found[each] and pin in {"", found[each]} for each, pin in targets.items())
    assert {} == dict(rig.bridge.targets(NOWHERE))


# Where the money is.


def test_deposit_waits_then_arrives_as_measured_and_once(rig: Rig) -> None:
    for wanted in legs(rig):
        raw, before = wanted.planned_sell.raw, rig.held(wanted.buy)
        expected = quoted(rig, wanted).min_amount_out
        deposit = rig.deposit(wanted)
        waiting = rig.bridge.track(wanted, deposit, raw, 0, rig.now())
        assert isinstance(waiting, Waiting)
        assert waiting.why
        rig.deliver(wanted, deposit)
        for _ in range(2):
            found = rig.bridge.track(wanted, deposit, raw, 0, rig.now())
            assert isinstance(found, Delivered)
            assert Amount(wanted.buy, expected) == found.amount
        assert before + expected == rig.held(wanted.buy)


def test_deposit_that_nobody_delivers_comes_back_as_measured(rig: Rig) -> None:
    for wanted in legs(rig)[:1]:
        if meant(rig, quoted(rig, wanted)).lasting:
            continue  # it never comes back
        raw = wanted.planned_sell.raw
        deposit = rig.deposit(wanted)
        after = rig.held(wanted.sell.token)
        rig.pay_back(wanted, deposit)
        found = rig.bridge.track(wanted, deposit, raw, 0, rig.now())
        assert isinstance(found, Returned)
        assert wanted.planned_sell == found.amount
        assert after + raw == rig.held(wanted.sell.token)


def test_only_unfinished_transfers_of_the_account_are_found(rig: Rig) -> None:
    wanted = legs(rig)[0]
    chain = wanted.sell.token.chain
    first = rig.node(chain).block().number
    assert () == rig.bridge.find(rig.account, {chain: first})
    deposit = rig.deposit(wanted)
    (found,) = rig.bridge.find(rig.account, {chain: first})
    assert (rig.bridge.name, deposit.hash, deposit.block_number) == (
        found.via,
        found.deposit,
        found.block,
    )
    assert wanted.planned_sell == found.sold
    assert () == rig.bridge.find(STRANGER, {chain: first})
    assert () == rig.bridge.find(rig.account, {chain: deposit.block_number + 1})
    rig.deliver(wanted, deposit)
    assert isinstance(
        rig.bridge.track(wanted, deposit, wanted.planned_sell.raw, 0, rig.now()), Delivered
    )
    assert () == rig.bridge.find(rig.account, {chain: first})


def test_rehearsal_is_on_the_far_chain_and_within_what_it_needs(rig: Rig) -> None:
    wanted = legs(rig)[0]
    plan = rig.bridge.rehearse(wanted, rig.deposit(wanted), STRANGER)
    if plan is None:
        return  # it comes by itself
    played = [call for _, call in plan.played]
    assert {wanted.buy.chain} == {call.chain for call in (*plan.calls, *played)}
    # Nothing where the contracts themselves have what they pay out.
    assert plan.needs.raw in {0, quoted(rig, wanted).min_amount_out}
