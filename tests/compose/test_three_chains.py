"""One plan over three real local chains: rehearsed with the bridge's arrival, without a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from three_chains import ETHER, FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.compose import Account, check_decimals, open_account, rehearse
from agent.compose.adapters import KeyAccess
from agent.core.foresight import FEES
from agent.core.money import ChainId
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine.survey import look, make_plan, read
from agent.errors import SetupFailed
from agent.lab.worlds import Worlds


@pytest.fixture
def watched(chains: Worlds, tmp_path: Path) -> Iterator[Account]:
    """A wallet that nobody has the key of, far off its targets."""
    address = new_key(tmp_path)
    chains.fund(address, FUNDS)
    write_files(chains, tmp_path, address, "watch", max_head_age_seconds=3600)
    opened = open_account(settings_of(tmp_path), KeyAccess(ask=lambda: PASSWORD))
    yield opened
    opened.close()


def test_plan_over_three_chains_is_rehearsed_with_its_arrivals(watched: Account) -> None:
    seen = look(watched.io, State(), asked=True)
    found = make_plan(watched.io, seen)
    assert isinstance(found, Plan)
    kinds = {leg.kind for leg in found.legs}
    assert {"swap", "bridge"} <= kinds
    assert 2 <= len({leg.sell.token.chain for leg in found.legs if leg.kind == "swap"})
    done = rehearse(watched, found, seen.snapshot)
    assert (True, "every leg arrived", "fork", 0) == (
        done.ok,
        done.why,
        done.method,
        done.allowances_left,
    )
    assert len(done.rows) == done.matching > 6
    arrived = [leg for leg in done.legs if leg.leg.kind == "bridge"]
    # A line between points of a bridge's ladder is rounded down.
    assert {0, 1} >= {leg.simulated - leg.expected for leg in arrived if leg.simulated}
    assert all(leg.simulated for leg in arrived)
    named = {part.what for row in done.rows for part in row.parts}
    assert {FEES} < named
    # Nothing has happened on the chains themselves.
    assert seen.snapshot.balances == read(watched.io, State()).balances


def test_without_local_forks_each_node_simulates_and_it_is_said(
    watched: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_cache: Path) -> Path:
        raise SetupFailed("npm is not there", fix="install it")

    seen = look(watched.io, State(), asked=True)
    plan = make_plan(watched.io, seen)
    assert isinstance(plan, Plan)
    forked = rehearse(watched, plan, seen.snapshot)
    monkeypatch.setattr("agent.compose.rehearsal.node_binary", nowhere)
    done = rehearse(watched, plan, seen.snapshot)
    assert ("eth_simulateV1", True, "every leg goes through", 0) == (
        done.method,
        done.ok,
        done.why,
        done.allowances_left,
    )
    assert {""} == {leg.why for leg in done.legs}
    assert len(done.rows) == done.matching
    # To the base unit what forks say, but for the fees that they have paid.
    fees = {
        row.token: sum(part.raw for part in row.parts if part.what == FEES) for row in forked.rows
    }
    expected = {token: raw - fees.get(token, 0) for token, raw in forked.after.items()}
    # A leg whose pools an earlier one moves is quoted on forks as they are then, here as they are.
    requoted = {token for token, raw in done.after.items() if raw != expected[token]}
    assert requoted <= {leg.buy for leg in plan.legs[1:] if leg.kind == "swap"}
    assert all(0 <= expected[token] - done.after[token] < 10**4 for token in requoted)
    assert expected == {**done.after, **{token: expected[token] for token in requoted}}


def standing(account: Account, chain: ChainId) -> Account:
    """The same wallet where the head of one chain is older than it may ever be."""
    settings = account.settings
    facts = {
        each: replace(known, max_head_age_seconds=-3600) if each == chain else known
        for each, known in settings.chains.items()
    }
    world = replace(settings.world, chains=facts)
    return open_account(replace(settings, world=world), KeyAccess(ask=lambda: PASSWORD))


def test_chain_whose_sequencer_stands_still_is_seen_and_left_alone(watched: Account) -> None:
    base = ChainId(8453)
    with closing(standing(watched, base)) as account:
        check_decimals(account)
        seen = look(account.io, State(), asked=True)
        assert {base} == set(seen.idle)
        assert "is behind" in seen.idle[base]
        assert 2 * ETHER == seen.snapshot.holds(account.settings.chains[base].native)
        found = make_plan(account.io, seen)
        assert isinstance(found, Plan)
        touched = {token.chain for leg in found.legs for token in (leg.sell.token, leg.buy)}
        assert {1, 42161} == touched
        assert any("8453" in why for why in found.why)
        assert rehearse(account, found, seen.snapshot).ok
