"""The whole agent over LI.FI: what its simulation foretells is what the run does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from compose.test_simulate_equals_run import fees
from provider_runs import WorldsClock
from three_chains import FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.compose import Account, open_account, rehearse
from agent.compose.adapters import KeyAccess
from agent.core.foresight import FEES, compare
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine.loop import Finished, session
from agent.engine.survey import look, make_plan, read
from agent.lab.worlds import Worlds


@pytest.fixture
def signing(chains: Worlds, tmp_path: Path) -> Iterator[Account]:
    """A wallet on three chains with its key, which crosses by LI.FI alone."""
    address = new_key(tmp_path)
    chains.fund(address, FUNDS)
    write_files(
        chains, tmp_path, address, "keystore:demo", max_head_age_seconds=3600, confirmations=1
    )
    file = tmp_path / "portfolio.toml"
    file.write_text(file.read_text().replace('allow = ["across"]', 'allow = ["lifi"]'))
    opened = open_account(settings_of(tmp_path), KeyAccess(ask=lambda: PASSWORD))
    yield replace(opened, io=replace(opened.io, clock=WorldsClock(chains)))
    opened.close()


def test_run_ends_where_its_simulation_did_but_for_network_fees(signing: Account) -> None:
    seen = look(signing.io, State(), asked=True)
    plan = make_plan(signing.io, seen)
    assert isinstance(plan, Plan)
    assert {"lifi"} == {leg.via for leg in plan.legs if leg.kind == "bridge"}
    foretold = rehearse(signing, plan, seen.snapshot)
    assert foretold.ok, foretold.why
    with session("worker", signing.io) as held:
        held.start("r1", plan, seen.snapshot)
        ended = held.advance(120)
        run = held.state.runs["r1"]
    assert Finished("done", "every leg arrived", final=False) == replace(ended, final=False)
    after = read(signing.io, State()).balances
    paid = fees(run)
    told = {
        row.token: -sum(part.raw for part in row.parts if part.what == FEES)
        for row in foretold.rows
    }
    assert {token: raw + told.get(token, 0) for token, raw in foretold.after.items()} == {
        token: raw + paid.get(token, 0) for token, raw in after.items()
    }
    assert all(row.matches for row in compare(plan, run, seen.snapshot.balances, after))
    assert 0 == foretold.allowances_left
