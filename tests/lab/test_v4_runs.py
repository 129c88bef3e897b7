"""A swap over pools of V4 from the quote to the closing rule: the real engine, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from lab.reading import read
from router_rig import CHAIN, lab_node, options
from swap_runs import WALLET, SwapRun
from v4_rig import v4_options
from venue_rigs import api_token, api_worth

from agent.chain.fork import ForkNode
from agent.core.fact import Closed, Mined, Quoted, Refused
from agent.core.money import Address
from agent.core.quote import Call, Quote
from agent.engine.loop import Finished
from agent.lab.uniswap_v4 import PERMIT2
from agent.lab.world import World
from agent.ports import AdapterIo
from agent.venues import router
from agent.wire.clock import SystemClock


@contextmanager
def v4_run(world: World, venue: type[router.Router] = router.Router) -> Iterator[SwapRun]:
    seen = options(tiers=(), has_v2=False, v4=v4_options())
    with lab_node(world) as inner:
        node = ForkNode(inner, world.url)
        made = venue(seen, AdapterIo({CHAIN: node}, SystemClock()))
        yield SwapRun(world, node, made)


@pytest.mark.parametrize(("sell", "buy"), [("USDC", "WETH"), ("WETH", "DAI"), ("WBTC", "USDC")])
def test_swap_runs_to_its_end_with_every_base_unit_explained(
    v4_chain: World, sell: str, buy: str
) -> None:
    raw = api_worth(sell, 4_000)
    with v4_run(v4_chain) as run:
        before = run.holdings()
        ended = run.go(sell, buy, raw)
        assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
        assert isinstance(ended, Finished)
        # An exact allowance for Permit2, an exact and short permit there, and the swap.
        assert ("done", ["approve", "approve", "swap"]) == (ended.outcome, run.purposes())
        (closed,) = run.of(Closed)
        assert "done" == closed.outcome
        (quoted,) = run.of(Quoted)
        quote, after = quoted.quote, run.holdings()
        assert "V4" in quote.route
        gas = sum(fact.receipt.fee for fact in run.of(Mined))
        changed = {token: after[token] - before.get(token, 0) for token in after}
        wanted = dict.fromkeys(after, 0) | {api_token("ETH"): 10**18 - gas}
        wanted[api_token(buy)] += quote.amount_out
        assert wanted == changed
        assert 0 == _allowed(v4_chain, sell)


def _allowed(world: World, symbol: str) -> int:
    where = world.addresses[symbol]
    signature = "allowance(address,address)"
    return int(read(world, where, signature, "(uint256)", WALLET, PERMIT2)[0])


class Thief(router.Router):
    """The router, but the money goes to somebody else."""

    def quote(self, *asked: object, **named: object) -> Quote:
        quote: Quote = super().quote(*asked, **named)  # type: ignore[arg-type]
        assert isinstance(quote.payload, Call)
        stolen = quote.payload.data.replace(WALLET[2:], "bad0" * 10)
        return replace(quote, payload=replace(quote.payload, data=stolen))


class Forever(router.Router):
    """The router, but its permit lasts for years."""

    def quote(self, *asked: object, **named: object) -> Quote:
        quote: Quote = super().quote(*asked, **named)  # type: ignore[arg-type]
        assert quote.permit is not None
        return replace(quote, permit=replace(quote.permit, until=2**48 - 1))


class Generous(router.Router):
    """The router, but somebody else may take the money."""

    def quote(self, *asked: object, **named: object) -> Quote:
        quote: Quote = super().quote(*asked, **named)  # type: ignore[arg-type]
        assert quote.permit is not None
        return replace(quote, permit=replace(quote.permit, spender=Address("0x" + "bad0" * 10)))


@pytest.mark.parametrize(
    ("venue", "code"), [(Thief, "G105"), (Forever, "G103"), (Generous, "G103")]
)
def test_dishonest_call_or_permit_is_refused_before_anything_is_signed(
    v4_chain: World, venue: type[router.Router], code: str
) -> None:
    with v4_run(v4_chain, venue) as run:
        ended = run.go("USDC", "WETH", api_worth("USDC", 4_000))
        assert isinstance(ended, Finished)
        assert ended.outcome != "done"
        assert code in run.refusals()
        assert 0 == run.signed()


def test_swap_that_can_no_longer_keep_its_minimum_takes_its_allowance_back(
    v4_chain: World,
) -> None:
    with v4_run(v4_chain) as run:
        moved = False

        def observe(fact: object) -> None:
            nonlocal moved
            run.facts.append(fact)  # type: ignore[arg-type]
            # The pools move once both rights are granted, so that the swap itself fails.
            if isinstance(fact, Mined) and not moved and len(run.of(Mined)) == 2:
                moved = True
                v4_chain.rpc.call("anvil_setCode", Address(v4_options().universal_router), "0xfe")

        io = run.io
        run.io = lambda: replace(io(), observe=observe)  # type: ignore[method-assign]
        ended = run.go("USDC", "WETH", api_worth("USDC", 4_000))
        assert isinstance(ended, Finished)
        assert ended.outcome != "done"
        assert "revoke" in run.purposes()
        assert 0 == _allowed(v4_chain, "USDC")
