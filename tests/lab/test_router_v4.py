"""The router with pools of V4 among its pools: one call of another router, paid for by a permit."""

from __future__ import annotations

from itertools import permutations

import pytest
from lab.reading import read
from router_rig import CHAIN, SYMBOLS, WALLET, Trader, options, token, trader, worth
from v4_rig import ROUTER, v4_options

from agent.core.fees import ENVELOPE_BYTES
from agent.core.money import Address
from agent.core.quote import Allowance, Call, Permit
from agent.errors import SetupFailed
from agent.lab import mainnet
from agent.lab.mainnet import TOKENS
from agent.lab.uniswap_v4 import PERMIT2
from agent.lab.world import World
from agent.venues import router
from agent.venues._ladder import APPROVAL_BYTES, APPROVAL_GAS
from agent.venues._paths import PERMIT_BYTES, PERMIT_GAS


def left_in_router(world: World) -> set[int]:
    held = {
        read(world, TOKENS[symbol].address, "balanceOf(address)", "(uint256)", ROUTER)[0]
        for symbol in SYMBOLS
    }
    return held | {int(str(world.rpc.call("eth_getBalance", ROUTER, "latest")), 16)}


def assert_nothing_is_left(on: Trader, world: World, symbol: str) -> None:
    assert {0} == left_in_router(world)
    where = TOKENS[symbol].address
    (allowed,) = read(world, where, "allowance(address,address)", "(uint256)", WALLET, PERMIT2)
    signature, types = "allowance(address,address,address)", "(uint160,uint48,uint48)"
    (permitted, *_) = read(world, PERMIT2, signature, types, WALLET, where, ROUTER)
    assert (0, 0) == (allowed, permitted)


CASES = [
    # what is sold and for how many USD, what is bought, what the router sees, what must be in it
    (
        "USDC",
        20_000,
        "WETH",
        options(tiers=(), has_v2=False, hubs=(), v4=v4_options()),
        "V4 0.05 %",
    ),
    (
        "WETH",
        20_000,
        "USDC",
        options(tiers=(), has_v2=False, hubs=(), v4=v4_options()),
        "V4 0.05 %",
    ),
    ("USDC", 900_000, "DAI", options(v4=v4_options()), "V4 0.01 %"),
    (
        "WBTC",
        20_000,
        "DAI",
        options(tiers=(), has_v2=False, v4=v4_options()),
        "V4 0.05 % > V4 0.05 %",
    ),
    ("WETH", 9_000_000, "USDC", options(v4=v4_options()), "V4"),
    ("USDC", 9_000_000, "WETH", options(v4=v4_options()), "V4"),
    ("WBTC", 3_000_000, "USDT", options(v4=v4_options()), "V4"),
    ("USDT", 3_000_000, "WBTC", options(v4=v4_options()), "V4"),
]


@pytest.mark.parametrize(("sell", "usd", "buy", "seen", "expected"), CASES)
def test_swap_through_pools_of_v4_pays_exactly_what_was_quoted(
    v4_chain: World, sell: str, usd: int, buy: str, seen: router.Options, expected: str
) -> None:
    with trader(v4_chain, seen) as on:
        amount = worth(sell, usd)
        quote = on.quote(sell, buy, amount)
        assert expected in quote.route
        assert (Allowance(Address(PERMIT2), quote.sell),) == quote.allowances
        assert Permit(Address(PERMIT2), ROUTER, quote.sell, quote.expires) == quote.permit
        assert {sell: -amount, buy: quote.amount_out} == on.send(quote)
        assert_nothing_is_left(on, v4_chain, sell)
        assert on.gas_used // 2 < quote.gas < on.gas_used * 4 // 3


def test_small_swap_is_not_worth_a_permit(v4_chain: World) -> None:
    with trader(v4_chain, options(v4=v4_options())) as on:
        quotes = [on.quote("USDC", "WETH", worth("USDC", usd)) for usd in (1_000, 2_000_000)]
        small, large = quotes
        assert (None, Address(mainnet.SWAP_ROUTER02)) == (
            small.permit,
            small.allowances[0].spender,
        )
        assert "V4" not in small.route
        assert "V4" in large.route
        without = options()
        with trader(v4_chain, without) as plain:
            assert small.amount_out == plain.quote("USDC", "WETH", worth("USDC", 1_000)).amount_out
            less = plain.quote("USDC", "WETH", worth("USDC", 2_000_000)).amount_out
            assert less < large.amount_out


@pytest.mark.no_cover
def test_pools_of_v4_are_read_in_the_same_requests(v4_chain: World) -> None:
    with trader(v4_chain, options(v4=v4_options())) as on:
        pairs = [(token(one), token(other)) for one, other in permutations(SYMBOLS, 2)]
        sizes = {token(symbol): worth(symbol, 2_000_000) for symbol in SYMBOLS}
        asked = []
        for mined in (0, 0, 1):
            v4_chain.mine(mined) if mined else None
            before = on.node.requests
            edges = on.router.survey(CHAIN, pairs, sizes)
            asked.append(on.node.requests - before)
        # As without them: `test_state_is_read_once_per_block_in_few_requests`.
        assert [5, 1, 2] == asked
        assert pairs == list(dict.fromkeys((edge.sell, edge.buy) for edge in edges))
        # Beside the edges without them, which their own gas and no permit belongs to.
        assert {True, False} == {"V4" in edge.detail for edge in edges}


def test_survey_indicates_what_the_quote_then_says(v4_chain: World) -> None:
    with trader(v4_chain, options(v4=v4_options())) as on:
        sell, buy = token("USDC"), token("WETH")
        raw = worth("USDC", 2_000_000)
        *_, edge = on.router.survey(CHAIN, [(sell, buy)], {sell: raw})
        quote = on.quote("USDC", "WETH", raw)
        assert (edge.ladder[-1], edge.detail) == ((raw, quote.amount_out), quote.route)
        # Both approvals and the call, with their envelopes.
        assert isinstance(quote.payload, Call)
        size = len(quote.payload.data) // 2 - 1
        assert edge.gas == quote.gas + APPROVAL_GAS + PERMIT_GAS
        assert edge.data_bytes == size + APPROVAL_BYTES + PERMIT_BYTES + ENVELOPE_BYTES


@pytest.mark.parametrize("usd", [20_000, 2_000_000])
def test_swap_reverts_when_a_pool_has_moved_beyond_the_minimum(v4_chain: World, usd: int) -> None:
    seen = options(tiers=(), has_v2=False, v4=v4_options())
    with trader(v4_chain, seen) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", usd))
        on.send(on.quote("WETH", "USDC", worth("WETH", 3_000_000)))
        before = on.holdings()
        with pytest.raises(SetupFailed, match="reverted"):
            on.send(quote)
        assert before == on.holdings()
        assert {0} == left_in_router(v4_chain)


def test_what_others_left_in_the_router_changes_no_share_and_comes_along(v4_chain: World) -> None:
    with trader(v4_chain, options(v4=v4_options())) as on:
        quote = on.quote("WBTC", "DAI", worth("WBTC", 2_000_000))
        assert "V4" in quote.route
        left = {"WBTC": 10**4, "DAI": 10**18, "USDC": 10**6, "WETH": 10**15}
        v4_chain.fund(ROUTER, left)
        changed = on.send(quote)
        assert -quote.sell.raw == changed["WBTC"]
        assert changed["DAI"] >= quote.amount_out + left["DAI"]
