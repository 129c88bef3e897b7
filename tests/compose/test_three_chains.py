"""One plan over three real local chains: rehearsed with the bridge's arrival, without a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from three_chains import FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.compose import Account, open_account, rehearse
from agent.compose.adapters import KeyAccess
from agent.core.foresight import FEES
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine.survey import look, make_plan, read
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
    assert [leg.expected for leg in arrived] == [leg.simulated for leg in arrived]
    named = {part.what for row in done.rows for part in row.parts}
    assert {FEES} < named
    # Nothing has happened on the chains themselves.
    assert seen.snapshot.balances == read(watched.io, State()).balances
