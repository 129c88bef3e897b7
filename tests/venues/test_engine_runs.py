"""Each API venue from the plan to the closing rule: the real engine, contracts that pay or revert."""

from __future__ import annotations

import pytest
from swap_runs import BY_CALL, WALLET, swap_run
from venue_rigs import api_token, api_worth

from agent.core.fact import Closed, Mined, Quoted, Refused
from agent.core.money import Amount
from agent.core.quote import Allowance
from agent.engine.ask import allowances
from agent.engine.loop import Finished
from agent.lab.worlds import Worlds

SWAPS = [
    ("USDC", "WETH", 4_000, ["approve", "swap"]),
    ("ETH", "USDC", 3_000, ["swap"]),
    ("USDT", "ETH", 2_000, ["approve", "swap"]),
]


@pytest.mark.parametrize("name", BY_CALL)
@pytest.mark.parametrize(("sell", "buy", "usd", "purposes"), SWAPS)
def test_swap_runs_to_its_end_with_every_base_unit_explained(
    chains: Worlds, name: str, sell: str, buy: str, usd: int, purposes: list[str]
) -> None:
    raw = api_worth(sell, usd)
    with swap_run(name, chains) as run:
        before = run.holdings()
        ended = run.go(sell, buy, raw)
        assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
        assert isinstance(ended, Finished)
        assert ("done", purposes) == (ended.outcome, run.purposes())
        (closed,) = run.of(Closed)
        assert "done" == closed.outcome
        (quoted,) = run.of(Quoted)
        quote, after = quoted.quote, run.holdings()
        gas = sum(fact.receipt.fee for fact in run.of(Mined))
        changed = {token: after[token] - before.get(token, 0) for token in after}
        sold, bought, coin = api_token(sell), api_token(buy), api_token("ETH")
        given = 10**18 - gas
        wanted = dict.fromkeys(after, 0) | {coin: given}
        wanted[bought] += quote.amount_out
        assert wanted == changed
        # The spender may take no more than it took.
        for spender in run.venue.targets(sold.chain):
            if not sold.is_native:
                right = Allowance(spender, Amount(sold, raw))
                assert (0,) == allowances(run.node, WALLET, (right,))
