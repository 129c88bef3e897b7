"""A wallet on three chains rebalances over CCTP: planned, rehearsed on forks, signed, and done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from compose.test_simulate_equals_run import fees
from provider_runs import WorldsClock
from three_chains import FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.bridges._burn_message import DEPOSIT, STANDARD, word
from agent.compose import Account, open_account, rehearse
from agent.compose.adapters import KeyAccess
from agent.compose.funds import search
from agent.core.foresight import FEES, compare
from agent.core.money import ChainId
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine import recover
from agent.engine.loop import Finished, session
from agent.engine.survey import look, make_plan, read
from agent.lab.providers.cctp import MESSENGER
from agent.lab.puppet import Puppet, tx
from agent.lab.worlds import Worlds
from agent.ports import Waiting


@pytest.fixture
def patience() -> str:
    return "1h"


@pytest.fixture
def signing(chains: Worlds, tmp_path: Path, patience: str) -> Iterator[Account]:
    """A wallet on three chains with its key, which allows CCTP and nothing else between them."""
    address = new_key(tmp_path)
    chains.fund(address, FUNDS)
    write_files(
        chains, tmp_path, address, "keystore:demo", max_head_age_seconds=3600, confirmations=1
    )
    portfolio, allowed = tmp_path / "portfolio.toml", f'allow = ["cctp"]\nmax_wait = "{patience}"'
    portfolio.write_text(portfolio.read_text().replace('allow = ["across"]', allowed))
    opened = open_account(settings_of(tmp_path), KeyAccess(ask=lambda: PASSWORD))
    yield replace(opened, io=replace(opened.io, clock=WorldsClock(chains)))
    opened.close()


@pytest.mark.parametrize(("patience", "way"), [("1h", "standard"), ("5m", "fast")])
def test_run_over_cctp_ends_where_its_simulation_did_but_for_network_fees(
    signing: Account, way: str
) -> None:
    seen = look(signing.io, State(), asked=True)
    plan = make_plan(signing.io, seen)
    assert isinstance(plan, Plan)
    crossings = [leg for leg in plan.legs if leg.kind == "bridge"]
    assert {("cctp", way)} == {(leg.via, leg.detail.split(", ")[0]) for leg in crossings}
    foretold = rehearse(signing, plan, seen.snapshot)
    assert (True, "every leg arrived") == (foretold.ok, foretold.why)
    with session("worker", signing.io) as held:
        held.start("r1", plan, seen.snapshot)
        ended = held.advance(240)
        run = held.state.runs["r1"]
    assert Finished("done", "every leg arrived", final=False) == replace(ended, final=False)
    purposes = [known.intent.draft.purpose for known in run.intents.values()]
    assert len(crossings) == purposes.count("deposit") == purposes.count("claim")
    after = read(signing.io, State()).balances
    paid = fees(run)
    told = {
        row.token: -sum(part.raw for part in row.parts if part.what == FEES)
        for row in foretold.rows
    }
    # Whole but for network fees: on forks others claim.
    assert {token: raw + told.get(token, 0) for token, raw in foretold.after.items()} == {
        token: raw + paid.get(token, 0) for token, raw in after.items()
    }
    assert all(row.matches for row in compare(plan, run, seen.snapshot.balances, after))
    assert 0 == foretold.allowances_left


def test_burn_that_nobody_remembers_is_found_in_the_logs_and_finished(
    signing: Account, chains: Worlds
) -> None:
    account, usdc = signing.io.account, chains[1].place.tokens["USDC"].address
    raw = 1_000 * 10**6
    chains.tell("cctp", "set", "mode", "never")
    Puppet(chains[1].rpc, account).send(
        tx(usdc, "approve(address,uint256)", MESSENGER, raw),
        tx(
            MESSENGER,
            DEPOSIT.signature,
            *(raw, 6, word(account), usdc, bytes(32), 0, STANDARD),
        ),
    )
    searched = search(signing, signing.io.bridges, 7)
    assert [] == [each.fault for each in searched if each.fault is not None]
    (transfer,) = [transfer for each in searched for transfer in each.found]
    waiting = recover.found(transfer, signing.io)
    assert isinstance(waiting.told, Waiting)
    chains.tell("cctp", "set", "mode", "prompt")
    chains.mine(3)
    (stray,) = [recover.found(each, signing.io) for each in (transfer,)]
    assert stray.needs_us
    before = dict(read(signing.io, State()).balances)
    with session("heir", signing.io) as held:
        recover.begin(held, signing.io, "r1", [stray])
        ended = held.advance(120)
    assert isinstance(ended, Finished), ended
    assert "done" == ended.outcome
    after = read(signing.io, State()).balances
    gained = {token: raw_after - before[token] for token, raw_after in after.items()}
    assert {raw} == {gain for token, gain in gained.items() if token.symbol == "USDC" and gain}
    assert () == signing.io.bridges["cctp"].find(account, {ChainId(1): 0})
