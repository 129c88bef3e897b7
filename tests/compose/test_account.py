"""One wallet, opened: what it can see, and plans for what is left of a run."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from compose.conftest import PlainSettings
from hypothesis import given
from hypothesis import strategies as st
from paper_world import ETH_A, ME, START, USDC_A, WETH_A, leg, plan

from agent.compose import Account, KillSwitch, check_decimals, open_account, open_journal
from agent.compose.account import chain_rules, renamed, replanner
from agent.compose.adapters import KeyAccess
from agent.core.fact import Started, TookOver
from agent.core.money import Address, ChainId
from agent.core.plan import Plan, Sell
from agent.core.state import RunState, State
from agent.engine.survey import look, make_plan
from agent.errors import TokenMismatch
from agent.planning.problem import NoPlan
from agent.stores.memory import MemoryJournal

CHAIN = ChainId(1)
ACCESS = KeyAccess(ask=lambda: "")


@pytest.fixture
def run() -> RunState:
    """A run that was planned again once."""
    started = Started(
        run="r1", account=ME, plan=plan(), before=(), blocks=(), at=START, worker="worker"
    )
    return RunState(started=started, plan=started.plan, legs={}, replans=1)


# Opened without any chain


def test_opening_asks_nobody_and_closing_lets_the_journal_go(plain: PlainSettings) -> None:
    settings = plain()
    for _ in range(2):
        account = open_account(settings, ACCESS)
        assert (0, {}) == (account.requests(), dict(account.state().runs))
        account.close()


def test_journal_given_is_the_one_that_is_used(plain: PlainSettings) -> None:
    settings, journal = plain(), MemoryJournal()
    journal.append(settings.account, 0, TookOver("somebody", 1))
    account = open_account(settings, ACCESS, journal=journal)
    assert "somebody" == account.state().worker
    account.close()


def test_journal_of_the_state_folder_is_read_beside_its_writer(plain: PlainSettings) -> None:
    settings = plain()
    account = open_account(settings, ACCESS)
    account.io.journal.append(settings.account, 0, TookOver("somebody", 1))
    reader = open_journal(settings, read_only=True)
    assert (TookOver("somebody", 1),) == reader.load(settings.account)
    reader.close()
    account.close()


def test_first_use_is_limited_on_real_chains_and_elsewhere_where_the_owner_asks(
    plain: PlainSettings,
) -> None:
    asked = plain()
    key = "canary.value"
    origin = {**asked.origin, key: replace(asked.origin[key], source="default")}
    unasked = replace(asked, origin=origin)
    limits = []
    for settings in (asked, unasked):
        local = replace(settings, world=replace(settings.world, local=True))
        for each in (settings, local):
            account = open_account(each, ACCESS)
            limits.append(account.io.canary)
            account.close()
    assert [Decimal(50), Decimal(50), Decimal(50), None] == limits


def test_engine_meets_the_kill_switch_of_the_state_folder(plain: PlainSettings) -> None:
    settings = plain()
    account = open_account(settings, ACCESS)
    assert account.io.paused() is None
    KillSwitch(settings.paths.state).throw("a look")
    assert "a look" == account.io.paused()
    account.close()


def test_pace_of_a_chain_is_a_quarter_of_its_blocks_and_never_a_rush(plain: PlainSettings) -> None:
    facts = plain().chains[CHAIN]
    rules = chain_rules(facts)
    assert (facts.native, facts.wrapped, facts.tokens, 3.0) == (
        rules.native,
        rules.wrapped,
        rules.tokens,
        rules.poll_seconds,
    )
    assert facts.confirmations == rules.rules.confirmations
    assert 0.2 == chain_rules(replace(facts, block_seconds=Decimal("0.25"))).poll_seconds


# Legs of a second plan


def test_second_plan_has_ids_of_its_own_wherever_it_names_legs() -> None:
    first = plan(
        leg("1", "wrap", "wrap", Sell(ETH_A, 2), WETH_A, 2),
        leg("2", "swap", "venue", Sell(WETH_A, 0, ("1",), 2), USDC_A, 1, ("1",)),
    )
    wrap, swap = renamed(first, "r2.").legs
    assert ("r2.1", (), ()) == (wrap.id, wrap.after, wrap.sell.arrivals)
    assert ("r2.2", ("r2.1",), ("r2.1",)) == (swap.id, swap.after, swap.sell.arrivals)


@given(st.lists(st.text(), unique=True, max_size=5), st.text())
def test_renaming_changes_nothing_but_names(names: list[str], prefix: str) -> None:
    legs = [leg(name, "swap", "venue", Sell(WETH_A, 1), USDC_A, 1) for name in names]
    chained = [replace(each, after=tuple(names[:place])) for place, each in enumerate(legs)]
    found = renamed(plan(*chained), prefix)
    assert [prefix + name for name in names] == [each.id for each in found.legs]
    back = [
        replace(each, id=each.id[len(prefix) :], after=tuple(n[len(prefix) :] for n in each.after))
        for each in found.legs
    ]
    assert chained == back


# On the local chain


def test_what_is_left_is_planned_again_under_new_ids(account: Account, run: RunState) -> None:
    found = account.io.replan(run)
    assert isinstance(found, Plan)
    assert {"r2."} == {each.id[:3] for each in found.legs}
    own = {each.id for each in found.legs}
    for each in found.legs:
        assert set(each.after) | set(each.sell.arrivals) <= own


def test_where_nothing_can_be_planned_the_second_plan_says_why(
    account: Account, run: RunState
) -> None:
    again = replanner(replace(account.io, venues={}))(run)
    assert isinstance(again, NoPlan)
    assert again.why


def test_requests_of_all_nodes_are_counted(account: Account) -> None:
    assert 0 == account.requests()
    look(account.io, State())
    assert account.requests() == account.nodes[CHAIN].requests > 0


def test_wallet_on_the_local_chain_is_seen_and_planned_for(account: Account) -> None:
    seen = look(account.io, account.state(), asked=True)
    found = make_plan(account.io, seen)
    assert isinstance(found, Plan)
    assert {"router", "wrap"} >= {each.via for each in found.legs}


# Decimals


def with_usdc(account: Account, **changes: object) -> Account:
    """The same wallet, with other facts about USDC in chains.toml."""
    settings = account.settings
    facts = settings.chains[CHAIN]
    listings = tuple(
        replace(listing, token=replace(listing.token, **changes))
        if listing.token.symbol == "USDC"
        else listing
        for listing in facts.listings
    )
    world = replace(settings.world, chains={CHAIN: replace(facts, listings=listings)})
    return replace(account, settings=replace(settings, world=world))


def test_decimals_of_chains_toml_are_those_of_the_tokens(account: Account) -> None:
    check_decimals(account)
    assert 1 == account.requests()


def test_one_digit_more_than_the_token_says_is_refused(account: Account) -> None:
    with pytest.raises(TokenMismatch, match="USDC on Ethereum has 6 decimals, 7 are configured"):
        check_decimals(with_usdc(account, decimals=7))


@pytest.mark.parametrize("contract", ["multicall3", "nobody"])
def test_contract_that_tells_no_decimals_is_refused(account: Account, contract: str) -> None:
    facts = account.settings.chains[CHAIN]
    address = {"multicall3": facts.multicall3, "nobody": Address("0x" + "57" * 20)}[contract]
    with pytest.raises(TokenMismatch, match="USDC on Ethereum does not tell its decimals"):
        check_decimals(with_usdc(account, address=address))
