"""Rehearsals on forks of the local chain: the real engine, and nothing signed."""

from __future__ import annotations

import pytest
from cli_fixtures import CliWallet

from agent.compose import Account, rehearse
from agent.core.money import Token
from agent.core.plan import Plan
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.survey import look, make_plan, read
from agent.lab.puppet import Puppet, tx
from agent.lab.world import World


@pytest.fixture
def planned(account: Account) -> tuple[Plan, Snapshot]:
    seen = look(account.io, State(), asked=True)
    found = make_plan(account.io, seen)
    assert isinstance(found, Plan)
    assert {"swap"} <= {leg.kind for leg in found.legs}
    return found, seen.snapshot


def sell_off(world: World, account: Account, percent: int) -> None:
    """Make WETH *percent* cheaper in every pool; the feeds say what they said before."""
    weth = Token(account.nodes[world.chain_id].chain, world.addresses["WETH"], 18, "WETH")
    node, somebody = account.nodes[weth.chain], Puppet(world.rpc, "0x" + "9a" * 20)
    for pool in world.pools:
        if "WETH" in pool.symbols and pool.fee:
            world.move_pool(pool, -100 * percent * (1 if pool.symbols[0] == "WETH" else -1))
        elif "WETH" in pool.symbols:
            # A v2 pool believes its balances once it is told to look at them.
            held = node.balances(pool.address, [weth], node.block().number)[weth]
            world.fund(pool.address, {"WETH": held * percent // 100})
            somebody.send(tx(pool.address, "sync()"))


def test_plan_that_holds_ends_as_promised_and_changes_nothing(
    account: Account, wallet: CliWallet, planned: tuple[Plan, Snapshot]
) -> None:
    plan, snapshot = planned
    done = rehearse(account, plan, snapshot)
    assert (True, "every leg arrived", "fork", 0) == (
        done.ok,
        done.why,
        done.method,
        done.allowances_left,
    )
    assert list(plan.legs) == [leg.leg for leg in done.legs]
    bought = dict.fromkeys((leg.buy for leg in plan.legs), 0)
    for leg in done.legs:
        assert (True, leg.leg.expected_out, "") == (leg.ok, leg.expected, leg.why)
        assert leg.leg.min_buy <= leg.simulated
        assert leg.gas_used > 21_000
        bought[leg.leg.buy] += leg.simulated
    assert bought == {token: done.after[token] - snapshot.holds(token) for token in bought}
    assert snapshot.balances == read(account.io, State()).balances
    assert (0, ()) == (wallet.nonce(), account.io.journal.load(wallet.address))


def test_plan_after_the_pools_have_moved_is_not_ok_and_says_why(
    account: Account, chain: World, planned: tuple[Plan, Snapshot]
) -> None:
    plan, _ = planned
    sell_off(chain, account, percent=4)
    moved = read(account.io, State())
    done = rehearse(account, plan, moved)
    assert not done.ok
    for leg in done.legs:
        assert (False, 0, 0) == (leg.ok, leg.simulated, leg.gas_used)
    tried, *others = done.legs
    assert "[G204]" in tried.why
    assert "Too little received" in tried.why
    assert "a rehearsal does not plan again" in done.why
    assert {""} >= {leg.why for leg in others}
    assert moved.balances == {token: done.after[token] for token in moved.balances}
