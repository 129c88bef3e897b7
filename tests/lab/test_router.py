"""The built-in router against real pools: what it quotes is what the wallet gets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from lab.reading import read
from router_rig import (
    CHAIN,
    SYMBOLS,
    TIERS,
    WALLET,
    Trader,
    options,
    swap_leg,
    token,
    trader,
    worth,
)

from agent.core.amm.path import Hop
from agent.core.amm.split import Share
from agent.core.amm.v3 import V3Pool
from agent.core.quote import Allowance, Amount, Call, Quote
from agent.errors import NoRoute, SetupFailed
from agent.lab import mainnet
from agent.lab.puppet import Tx
from agent.lab.world import World
from agent.venues._swap_calls import swap_call
from agent.venues.router import Options
from agent.wire import erc20
from agent.wire.abi import encode

ONE, FIVE, THIRTY, HUNDRED = TIERS
V2, V3_ONE, V3_FIVE, V3_THIRTY = "V2", "V3 0.01 %", "V3 0.05 %", "V3 0.3 %"

ROUTES = [
    # what is sold and for how many USD, what is bought, what the router sees, what it must find
    (("WETH", 20_000), "USDC", options(tiers=(), hubs=()), [V2]),
    (("USDT", 20_000), "WETH", options(tiers=(), hubs=()), [V2]),
    (("USDT", 20_000), "WBTC", options(tiers=()), [V2, V2]),
    (("WETH", 20_000), "USDC", options(has_v2=False), [V3_FIVE]),
    (("USDC", 1_000_000), "DAI", options(has_v2=False), [V3_ONE]),
    (("WETH", 20_000), "DAI", options(has_v2=False, tiers=(ONE, THIRTY)), [V3_THIRTY, V3_ONE]),
    (("WBTC", 20_000), "DAI", options(has_v2=False), [V3_FIVE, V3_FIVE, V3_ONE]),
    (("WETH", 50_000), "USDT", options(tiers=(ONE,)), [V2, V3_ONE]),
    (("USDC", 2000), "WBTC", options(tiers=(ONE,)), [V3_ONE, V2]),
    (("DAI", 2000), "USDT", options(tiers=(THIRTY,)), [V2, V3_THIRTY]),
    (("USDT", 2000), "WBTC", options(tiers=(ONE,)), [V3_ONE, V3_ONE, V2]),
    (("WBTC", 50_000), "DAI", options(tiers=(ONE,)), [V2, V2, V3_ONE]),
    (("DAI", 50_000), "WBTC", options(tiers=(ONE,)), [V3_ONE, V2, V2]),
]


def path_on_quoter(world: World, quote: Quote, hops: tuple[Hop, ...]) -> int:
    path = bytes.fromhex(hops[0].token_in[2:])
    for hop in hops:
        assert isinstance(hop.pool, V3Pool)
        path += hop.pool.fee.to_bytes(3, "big") + bytes.fromhex(hop.token_out[2:])
    (out, *_) = read(
        world,
        mainnet.QUOTER_V2,
        "quoteExactInput(bytes,uint256)",
        "(uint256,uint160[],uint32[],uint256)",
        path,
        quote.sell.raw,
    )
    return int(out)


def route(on: Trader, quote: Quote) -> tuple[Hop, ...]:
    return on.router._route(quote.sell.token, quote.buy, quote.sell.raw).hops


@pytest.mark.parametrize(
    ("sold", "buy", "seen", "expected"),
    ROUTES,
    ids=lambda part: " > ".join(part) if isinstance(part, list) else None,
)
def test_executed_swap_pays_exactly_what_was_quoted(
    chain: World, sold: tuple[str, int], buy: str, seen: Options, expected: list[str]
) -> None:
    sell, usd = sold
    with trader(chain, seen) as on:
        raw = worth(sell, usd)
        quote = on.quote(sell, buy, raw)
        assert expected == quote.route.split(" > ")
        assert {sell: -raw, buy: quote.amount_out} == on.send(quote)
        assert 0 == on.allowance(sell)
        assert {0} == on.in_router()
        # The estimate chooses between paths and feeds the plan's cost: near is enough.
        assert on.gas_used // 2 < quote.gas < on.gas_used * 4 // 3


@pytest.mark.parametrize(("sell", "buy"), [*permutations(SYMBOLS, 2)])
def test_best_path_of_every_pair_pays_exactly_what_was_quoted(
    chain: World, sell: str, buy: str
) -> None:
    with trader(chain) as on:
        raw = worth(sell, 30_000)
        quote = on.quote(sell, buy, raw)
        hops = route(on, quote)
        if all(isinstance(hop.pool, V3Pool) for hop in hops):
            assert path_on_quoter(chain, quote, hops) == quote.amount_out
        assert {sell: -raw, buy: quote.amount_out} == on.send(quote)
        assert {0} == on.in_router()


@pytest.mark.parametrize(
    "kinds",
    [("V2", "V3", "V2"), ("V3", "V2", "V3"), ("V3", "V3", "V2"), ("V2", "V3", "V3")],
    ids=" > ".join,
)
def test_three_hops_that_change_kinds_hand_everything_on(
    chain: World, kinds: tuple[str, ...]
) -> None:
    """WBTC > WETH > USDC > DAI, each hop in the kind of pool that it is told to be in."""
    symbols = ("WBTC", "WETH", "USDC", "DAI")
    with trader(chain) as on:
        page = on.router._book(CHAIN).page([token(symbol).address for symbol in symbols])
        hops = []
        for kind, (one, other) in zip(kinds, pairwise(symbols), strict=True):
            pools = page.pools[tuple(sorted((token(one).address, token(other).address)))]
            (pool, *_) = [x for x in pools if isinstance(x, V3Pool) == (kind == "V3")]
            hops.append(Hop(pool=pool, token_in=token(one).address, token_out=token(other).address))
        raw = worth("WBTC", 5000)
        chain.fund(WALLET, {"WBTC": raw})
        router = next(iter(on.router.targets(CHAIN)))
        sold = Amount(token("WBTC"), raw)
        quote = Quote(
            via="router",
            sell=sold,
            buy=token("DAI"),
            amount_out=0,
            min_amount_out=1,
            allowances=(Allowance(router, sold),),
            payload=Call(
                CHAIN,
                router,
                0,
                swap_call(
                    [Share(hops=tuple(hops), amount_in=raw, amount_out=1)],
                    min_out=1,
                    to=WALLET,
                    deadline=chain.head()[1] + 150,
                ),
            ),
            expires=0,
            gas=0,
        )
        changed = on.send(quote)
        assert {"WBTC", "DAI"} == set(changed)
        assert -raw == changed["WBTC"]
        assert changed["DAI"] > worth("DAI", 4500)
        assert {0} == on.in_router()


@pytest.mark.parametrize(
    ("sell", "buy", "seen", "fee"),
    [
        ("WETH", "USDC", options(has_v2=False), 500),
        ("WBTC", "DAI", options(has_v2=False), 500),
        ("USDC", "WBTC", options(tiers=(ONE,)), 100),
    ],
    ids=["V3, one hop", "V3, three hops", "V3 > V2"],
)
def test_swap_reverts_when_a_pool_has_moved_beyond_the_minimum(
    chain: World, sell: str, buy: str, seen: Options, fee: int
) -> None:
    with trader(chain, seen) as on:
        quote = on.quote(sell, buy, worth(sell, 2000))
        pool = chain.pool("WETH", "USDC", fee)
        before = on.holdings()
        # USDC is token0: dearer ether is a price of USDC that falls.
        chain.move_pool(pool, -200 if sell == "USDC" else 200)
        with pytest.raises(SetupFailed, match="reverted"):
            on.send(quote)
        assert before == on.holdings()


def test_v2_swap_reverts_when_the_pool_has_moved_beyond_the_minimum(chain: World) -> None:
    with trader(chain, options(tiers=(), hubs=())) as on:
        first = on.quote("WETH", "USDC", worth("WETH", 500_000))
        second = on.quote("WETH", "USDC", worth("WETH", 2000))
        on.send(first)
        before = on.holdings()
        with pytest.raises(SetupFailed, match="reverted"):
            on.send(second)
        assert before == on.holdings()


def test_swap_goes_through_when_a_pool_has_moved_less_than_the_slippage(chain: World) -> None:
    with trader(chain, options(has_v2=False)) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        chain.move_pool(chain.pool("WETH", "USDC", 500), 30)
        got = on.send(quote)["USDC"]
        assert quote.min_amount_out <= got < quote.amount_out


@pytest.mark.parametrize("late", [0, 1])
def test_swap_reverts_after_its_deadline_and_not_before(chain: World, late: int) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        (right,) = quote.allowances
        approval = erc20.approve(CHAIN, right.amount.token.address, right.spender, right.amount.raw)
        on.puppet.send(Tx(to=approval.to, input=approval.data, what="an approval"))
        # Pools keep their price however much time passes, so only the deadline can object.
        chain.rpc.call("evm_setNextBlockTimestamp", quote.expires + late)
        granted = replace(quote, allowances=())
        if late:
            with pytest.raises(SetupFailed, match="reverted"):
                on.send(granted)
        else:
            assert quote.amount_out == on.send(granted)["USDC"]


def test_minimum_above_the_offer_is_kept_so_that_the_swap_reverts(chain: World) -> None:
    with trader(chain) as on:
        raw = worth("WETH", 2000)
        offered = on.quote("WETH", "USDC", raw).amount_out
        quote = on.quote("WETH", "USDC", raw, min_out=offered + 1)
        assert (offered, offered + 1) == (quote.amount_out, quote.min_amount_out)
        with pytest.raises(SetupFailed, match="reverted"):
            on.send(quote)


def test_quote_is_firm_within_the_slippage_and_the_deadline(chain: World) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        assert quote.amount_out * 9950 // 10_000 == quote.min_amount_out
        assert chain.head()[1] + 150 == quote.expires
        assert (Allowance(mainnet.SWAP_ROUTER02, quote.sell),) == quote.allowances


def test_thin_market_is_quoted_honestly_for_the_guard_to_refuse(chain: World) -> None:
    """Two millions against a pool for one: further than was read of it at first."""
    with trader(chain, options(tiers=(FIVE,), hubs=(), has_v2=False)) as on:
        raw = worth("USDC", 2_000_000)
        pair = (token("USDC"), token("DAI"))
        (edge,) = on.router.survey(CHAIN, [pair], {pair[0]: raw})
        assert raw > edge.ladder[-1][0]
        quote = on.quote("USDC", "DAI", raw)
        assert path_on_quoter(chain, quote, route(on, quote)) == quote.amount_out
        assert worth("DAI", 1_700_000) < quote.amount_out < worth("DAI", 1_800_000)


def test_more_than_all_liquidity_has_no_route(chain: World) -> None:
    with (
        trader(chain, options(tiers=(THIRTY,), hubs=(), has_v2=False)) as on,
        pytest.raises(NoRoute, match="no Uniswap pools take this much WBTC for DAI"),
    ):
        on.quote("WBTC", "DAI", worth("WBTC", 2000))


def test_survey_of_a_portfolio_has_ladders_that_only_rise(chain: World) -> None:
    with trader(chain) as on:
        pairs = [(token(one), token(other)) for one, other in permutations(SYMBOLS, 2)]
        sizes = {token(symbol): worth(symbol, 200_000) for symbol in SYMBOLS}
        edges = on.router.survey(CHAIN, pairs, sizes)
        assert pairs == [(edge.sell, edge.buy) for edge in edges]
        for edge in edges:
            assert 8 == len(edge.ladder)
            assert sizes[edge.sell] == edge.ladder[-1][0]
            for (less_in, less_out), (more_in, more_out) in pairwise(((0, 0), *edge.ladder)):
                assert less_in < more_in
                assert less_out < more_out
            assert edge.pools <= {pool.address for pool in chain.pools}


def test_survey_indicates_what_the_quote_then_says(chain: World) -> None:
    with trader(chain) as on:
        weth, usdc = token("WETH"), token("USDC")
        raw = worth("WETH", 20_000)
        (edge,) = on.router.survey(CHAIN, [(weth, usdc)], {weth: raw})
        for amount, out in edge.ladder:
            leg = swap_leg(weth, usdc, amount)
            assert out == on.router.quote(leg, amount, WALLET, 1, chain.head()[1]).amount_out


def test_state_is_read_once_per_block_in_few_requests(chain: World) -> None:
    with trader(chain) as on:
        pairs = [(token(one), token(other)) for one, other in permutations(SYMBOLS, 2)]
        sizes = {token(symbol): worth(symbol, 20_000) for symbol in SYMBOLS}
        asked = []
        for mined in (0, 0, 1):
            chain.mine(mined) if mined else None
            before = on.node.requests
            on.router.survey(CHAIN, pairs, sizes)
            asked.append(on.node.requests - before)
        # The block, which pools there are and their state, their tick maps, their ticks; then the
        # block alone; and at the next one the block, and all that is known of before at once.
        assert [4, 1, 2] == asked
        before = on.node.requests
        leg = swap_leg(token("WETH"), token("USDC"), 10**18)
        on.router.quote(leg, 10**18, WALLET, 1, chain.head()[1])
        assert 1 == on.node.requests - before


def test_reorganised_block_of_the_same_number_is_read_anew(chain: World) -> None:
    with trader(chain) as on:
        snapshot = chain.snapshot()
        first = on.quote("WETH", "USDC", 10**18)
        chain.revert(snapshot)
        chain.move_pool(chain.pool("WETH", "USDC", 500), 100)
        moved = on.router.quote(
            swap_leg(token("WETH"), token("USDC"), 10**18), 10**18, WALLET, 1, 0
        )
        assert moved.amount_out != first.amount_out


def test_calldata_is_what_the_contract_s_own_encoding_of_it_is(chain: World) -> None:
    """The layout of one hop, written out by hand once."""
    with trader(chain, options(has_v2=False, hubs=())) as on:
        raw = worth("WETH", 2000)
        quote = on.quote("WETH", "USDC", raw)
        assert isinstance(quote.payload, Call)
        fields = (mainnet.WETH, mainnet.USDC, 500, WALLET, raw, quote.min_amount_out, 0)
        single = bytes.fromhex("04e45aaf") + encode(
            ["(address,address,uint24,address,uint256,uint256,uint160)"], [fields]
        )
        expected = encode(["uint256", "bytes[]"], [quote.expires, [single]])
        assert "0x5ae401dc" + expected.hex() == quote.payload.data
