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
from agent.core.amm.split import Share, Split
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.core.quote import Allowance, Amount, Call, Quote
from agent.errors import NoRoute, SetupFailed
from agent.lab import mainnet
from agent.lab.puppet import Tx
from agent.lab.world import World
from agent.venues._finer import FINE_OCTAVES, FINE_PARTS
from agent.venues._ladder import LADDER_STEPS
from agent.venues._paths import Search
from agent.venues._split import MOST_GAS, dearest_gas
from agent.venues._swap_calls import swap_call
from agent.venues.router import Options
from agent.wire import erc20
from agent.wire.abi import encode

ONE, FIVE, THIRTY, HUNDRED = TIERS

NO_V2, ONLY_V2, ONE_AND_V2 = options(has_v2=False), options(tiers=()), options(tiers=(ONE,))
PLAIN = options(tiers=(), hubs=())
ROUTES = [
    # what is sold and for how many USD, what is bought, what the router sees, what it must find
    (("WETH", 20_000), "USDC", PLAIN, "V2"),
    (("USDT", 20_000), "WETH", PLAIN, "V2"),
    (("USDT", 2000), "WBTC", ONLY_V2, "V2 > V2"),
    (("WETH", 2000), "USDC", NO_V2, "V3 0.05 %"),
    (("USDC", 2000), "DAI", NO_V2, "V3 0.01 %"),
    (("WETH", 50), "DAI", options(has_v2=False, tiers=(ONE, THIRTY)), "V3 0.3 %"),
    (("WETH", 2000), "DAI", options(has_v2=False, tiers=(ONE,)), "V3 0.01 % > V3 0.01 %"),
    (("WBTC", 2000), "DAI", NO_V2, "V3 0.05 % > V3 0.05 % > V3 0.01 %"),
    (("USDC", 2000), "WBTC", ONE_AND_V2, "V3 0.01 % > V2"),
    (("DAI", 2000), "USDT", options(tiers=(THIRTY,)), "V2 > V3 0.3 %"),
    (("USDT", 2000), "WBTC", ONE_AND_V2, "V3 0.01 % > V3 0.01 % > V2"),
    (("WBTC", 500), "DAI", ONE_AND_V2, "V2 > V3 0.01 % > V3 0.01 %"),
]
SPLITS = [
    # The same; what the shares lead through, from the least of them to the greatest.
    (("USDT", 20_000), "WBTC", ONLY_V2, ["V2 > V2", "V2 > V2", "V2 > V2 > V2"]),
    (("WETH", 20_000), "USDC", NO_V2, ["V3 0.01 %", "V3 0.05 % > V3 0.01 %", "V3 0.05 %"]),
    (
        ("WETH", 50_000),
        "USDT",
        ONE_AND_V2,
        [
            "V2",
            "V2 > V3 0.01 %",
            "V2 > V2 > V3 0.01 %",
            "V2 > V3 0.01 % > V3 0.01 %",
            "V3 0.01 % > V3 0.01 %",
        ],
    ),
    (
        ("WBTC", 50_000),
        "DAI",
        ONE_AND_V2,
        ["V2 > V3 0.01 %", "V2 > V3 0.01 % > V3 0.01 %", "V2 > V2", "V2 > V2 > V3 0.01 %"],
    ),
    (
        ("DAI", 50_000),
        "WBTC",
        ONE_AND_V2,
        ["V3 0.01 % > V2", "V3 0.01 % > V3 0.01 % > V2", "V2 > V2", "V3 0.01 % > V2 > V2"],
    ),
]


def on_quoter(world: World, share: Share) -> int:
    """What the quoter says of a share that leads through V3 alone."""
    path = bytes.fromhex(share.hops[0].token_in[2:])
    for hop in share.hops:
        assert isinstance(hop.pool, V3Pool)
        path += hop.pool.fee.to_bytes(3, "big") + bytes.fromhex(hop.token_out[2:])
    (out, *_) = read(
        world,
        mainnet.QUOTER_V2,
        "quoteExactInput(bytes,uint256)",
        "(uint256,uint160[],uint32[],uint256)",
        path,
        share.amount_in,
    )
    return int(out)


def split(on: Trader, quote: Quote) -> Split:
    return on.router._filling(quote.sell.token, quote.buy, quote.sell.raw).split


def is_for_quoter(found: Split) -> bool:
    """Whether no pool is met twice, and all are V3's: the quoter knows nothing of moved pools."""
    pools = [hop.pool for share in found.shares for hop in share.hops]
    apart = len({pool.address for pool in pools}) == len(pools)
    return apart and all(isinstance(pool, V3Pool) for pool in pools)


@pytest.mark.parametrize(("sold", "buy", "seen", "expected"), ROUTES)
def test_executed_swap_pays_exactly_what_was_quoted(
    chain: World, sold: tuple[str, int], buy: str, seen: Options, expected: str
) -> None:
    with trader(chain, seen) as on:
        quote = on.quote(sold[0], buy, worth(*sold))
        assert expected == quote.route
        assert_paid_exactly(on, quote)


@pytest.mark.parametrize(("sold", "buy", "seen", "expected"), SPLITS)
def test_swap_over_several_paths_pays_exactly_what_was_quoted(
    chain: World, sold: tuple[str, int], buy: str, seen: Options, expected: list[str]
) -> None:
    with trader(chain, seen) as on:
        quote = on.quote(sold[0], buy, worth(*sold))
        parts = [part.split(" % ", 1) for part in quote.route.split(", ")]
        assert sorted(expected) == sorted(path for _, path in parts)
        assert 98 <= sum(float(percent) for percent, _ in parts) <= 102
        assert_paid_exactly(on, quote)


def assert_paid_exactly(on: Trader, quote: Quote) -> None:
    sell, buy = quote.sell.token.symbol, quote.buy.symbol
    assert {sell: -quote.sell.raw, buy: quote.amount_out} == on.send(quote)
    assert 0 == on.allowance(sell)
    assert {0} == on.in_router()
    # The estimate chooses between paths and feeds the plan's cost: near is enough.
    assert on.gas_used // 2 < quote.gas < on.gas_used * 4 // 3


@pytest.mark.parametrize(("sell", "buy"), [*permutations(SYMBOLS, 2)])
def test_best_paths_of_every_pair_pay_exactly_what_was_quoted(
    chain: World, sell: str, buy: str
) -> None:
    with trader(chain) as on:
        raw = worth(sell, 30_000)
        quote = on.quote(sell, buy, raw)
        found = split(on, quote)
        if is_for_quoter(found):
            assert quote.amount_out == sum(on_quoter(chain, share) for share in found.shares)
        assert {sell: -raw, buy: quote.amount_out} == on.send(quote)
        assert {0} == on.in_router()


@pytest.mark.parametrize(
    ("sell", "usd", "buy"),
    [("WETH", 300_000, "USDC"), ("WETH", 2_000_000, "USDC"), ("USDC", 2_000_000, "WBTC")],
)
def test_swap_over_many_paths_takes_no_more_gas_than_a_split_may(
    chain: World, sell: str, usd: int, buy: str
) -> None:
    with trader(chain) as on:
        quote = on.quote(sell, buy, worth(sell, usd))
        found = split(on, quote)
        assert 3 < len(found.swaps)
        assert {sell: -quote.sell.raw, buy: quote.amount_out} == on.send(quote)
        assert on.gas_used <= dearest_gas(found) <= MOST_GAS


def test_several_paths_bring_more_than_the_best_of_them_alone(chain: World) -> None:
    with trader(chain) as on:
        raw = worth("WETH", 300_000)
        quote = on.quote("WETH", "USDC", raw)
        page = on.router._book(CHAIN).page([token(symbol).address for symbol in SYMBOLS])
        search = Search(page.pools, [token(symbol).address for symbol in SYMBOLS])
        alone = search.best(token("WETH").address, token("USDC").address, raw)
        assert alone is not None
        assert quote.amount_out > alone.amount_out * 1003 // 1000
        assert {"WETH": -raw, "USDC": quote.amount_out} == on.send(quote)


def test_what_others_left_in_the_router_changes_no_share_and_comes_along(chain: World) -> None:
    """Amount 0 sells all that is there: a share gets more than its own, never less."""
    with trader(chain, ONE_AND_V2) as on:
        quote = on.quote("WBTC", "DAI", worth("WBTC", 50_000))
        left = {"WBTC": 10**6, "DAI": 10**18, "USDC": 10**6, "WETH": 10**15}
        chain.fund(Address(mainnet.SWAP_ROUTER02), left)
        changed = on.send(quote)
        assert -quote.sell.raw == changed["WBTC"]
        assert changed["DAI"] >= quote.amount_out + left["DAI"]
        assert 0 == on.allowance("WBTC")
        assert {0, 10**6} == on.in_router()


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
    ("sell", "usd", "buy", "seen", "fee"),
    [
        ("WETH", 2000, "USDC", NO_V2, 500),
        ("WBTC", 2000, "DAI", NO_V2, 500),
        ("USDC", 2000, "WBTC", ONE_AND_V2, 100),
        ("WETH", 20_000, "USDC", NO_V2, 500),
    ],
    ids=["V3, one hop", "V3, three hops", "V3 > V2", "several paths"],
)
def test_swap_reverts_when_a_pool_has_moved_beyond_the_minimum(
    chain: World, sell: str, usd: int, buy: str, seen: Options, fee: int
) -> None:
    with trader(chain, seen) as on:
        quote = on.quote(sell, buy, worth(sell, usd))
        assert (usd == 20_000) == (", " in quote.route)
        pool = chain.pool("WETH", "USDC", fee)
        before = on.holdings()
        # USDC is token0: dearer ether is a price of USDC that falls.
        chain.move_pool(pool, -200 if sell == "USDC" else 200)
        with pytest.raises(SetupFailed, match="reverted"):
            on.send(quote)
        assert before == on.holdings()
        assert {0} == on.in_router()


def test_share_may_fall_behind_while_the_whole_keeps_its_minimum(chain: World) -> None:
    with trader(chain, NO_V2) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 20_000))
        least = min(split(on, quote).shares, key=lambda share: share.amount_in)
        assert [100] == [hop.pool.fee for hop in least.hops if isinstance(hop.pool, V3Pool)]
        chain.move_pool(chain.pool("WETH", "USDC", 100), 300)
        got = on.send(quote)["USDC"]
        assert quote.min_amount_out <= got < quote.amount_out


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
        (share,) = split(on, quote).shares
        assert on_quoter(chain, share) == quote.amount_out
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
        assert pairs == list(dict.fromkeys((edge.sell, edge.buy) for edge in edges))
        for edge in edges:
            more = FINE_OCTAVES * (FINE_PARTS - 1)
            assert LADDER_STEPS <= len(edge.ladder) <= LADDER_STEPS + more
            assert len(edge.splits) == len(edge.ladder)
            assert sizes[edge.sell] == edge.ladder[-1][0]
            for (less_in, less_out), (more_in, more_out) in pairwise(((0, 0), *edge.ladder)):
                assert less_in < more_in
                assert less_out < more_out
            assert edge.pools <= {pool.address for pool in chain.pools}


def test_survey_indicates_what_the_quote_then_says(chain: World) -> None:
    with trader(chain) as on:
        weth, usdc = token("WETH"), token("USDC")
        raw = worth("WETH", 20_000)
        alone, several = on.router.survey(CHAIN, [(weth, usdc)], {weth: raw})
        assert alone.gas < several.gas
        assert ("," in alone.detail, "," in several.detail) == (False, True)
        for (amount, less), (same, more) in zip(alone.ladder, several.ladder, strict=True):
            leg = swap_leg(weth, usdc, amount)
            quote = on.router.quote(leg, amount, WALLET, 1, chain.head()[1])
            assert amount == same
            said = more if "," in quote.route else less
            if amount in {raw >> step for step in range(LADDER_STEPS)}:
                assert quote.amount_out == said
            # Those between go along the paths of a neighbour, be they worth their gas or not.
            assert said == pytest.approx(quote.amount_out, rel=2e-5)


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
        # The block, which pools there are and their state, their tick maps, their ticks, and what
        # gas costs; then the block alone; and at the next one all that is known of at once.
        assert [5, 1, 2] == asked
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
