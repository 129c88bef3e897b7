"""0x's Settlers come and go: the one in use and the one before it are called, an older one is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from swap_runs import swap_run
from venue_rigs import api_worth

from agent.engine.loop import Finished
from agent.lab.worlds import Worlds


@pytest.fixture
def honest(chains: Worlds) -> Iterator[Worlds]:
    """The local chains, whose 0x uses the newest Settler before and afterwards."""
    yield chains
    chains.tell("zerox", "settle", "newest")
    chains.tell("zerox", "sell_native", "settler")


@pytest.mark.parametrize(("sell", "usd"), [("USDC", 4_000), ("ETH", 3_000)])
@pytest.mark.parametrize("which", ["newest", "previous"])
def test_settler_in_use_or_just_before_is_called(
    honest: Worlds, which: str, sell: str, usd: int
) -> None:
    honest.tell("zerox", "settle", which)
    with swap_run("zerox", honest) as run:
        ended = run.go(sell, "WBTC", api_worth(sell, usd))
        assert isinstance(ended, Finished)
        assert ("done", []) == (ended.outcome, run.refusals())


@pytest.mark.parametrize(("sell", "usd"), [("USDC", 4_000), ("ETH", 3_000)])
def test_settler_that_was_retired_is_not_called(honest: Worlds, sell: str, usd: int) -> None:
    honest.tell("zerox", "settle", "retired")
    with swap_run("zerox", honest) as run:
        ended = run.go(sell, "WBTC", api_worth(sell, usd))
        assert isinstance(ended, Finished)
        assert ("aborted", 0) == (ended.outcome, run.signed())
        assert "G102" in run.refusals()


def test_gas_coin_may_also_be_sold_by_the_holder(honest: Worlds) -> None:
    honest.tell("zerox", "sell_native", "holder")
    with swap_run("zerox", honest) as run:
        ended = run.go("ETH", "USDC", 10**18)
        assert isinstance(ended, Finished)
        assert ("done", []) == (ended.outcome, run.refusals())
