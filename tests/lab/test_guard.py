"""The guard over real contracts: an honest swap passes whole, and attacks on it do not."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from proposals import codes
from router_rig import CHAIN, SYMBOLS, WALLET, Trader, options, swap_leg, token, trader, worth

from agent.core.guard import Proposal, check
from agent.core.intent import Draft
from agent.core.money import NATIVE, Address, Bps, Token
from agent.core.policy import Limits
from agent.core.price import Price, Prices
from agent.core.quote import Call, Quote
from agent.engine.gas_limits import GAS_MARGIN
from agent.lab import mainnet
from agent.lab.mainnet import FEEDS, TOKENS
from agent.lab.world import World
from agent.wire import erc20
from agent.wire.calldata import meaning

ETH = Token(CHAIN, NATIVE, 18, "ETH")
ROUTER = Address(mainnet.SWAP_ROUTER02)
FIRST_GAS = 3_000_000


def agreed() -> Prices:
    """What the feeds of the world say at first, as if pools agreed."""
    return Prices(
        MappingProxyType(
            {
                name: Price(name, feed.price, feed.price, feed.price, 0, ("feed", "pool"))
                for name, feed in FEEDS.items()
            }
        ),
        asset_of=MappingProxyType(
            {ETH: "ETH"} | {token(symbol): TOKENS[symbol].asset for symbol in SYMBOLS}
        ),
    )


def proposal(on: Trader, quote: Quote, pin: str) -> Proposal:
    """What the engine would put before the guard for *quote*, simulated on the chain's head."""
    assert isinstance(quote.payload, Call)
    (right,) = quote.allowances
    approve = erc20.approve(CHAIN, right.amount.token.address, right.spender, right.amount.raw)
    drafts = (
        Draft(
            purpose="approve", chain=CHAIN, payload=approve, gas_limit=FIRST_GAS, allowance=right
        ),
        Draft(purpose="swap", chain=CHAIN, payload=quote.payload, gas_limit=FIRST_GAS),
    )
    calls = [(approve, FIRST_GAS), (quote.payload, FIRST_GAS)]
    watch = [token(symbol) for symbol in SYMBOLS] + [ETH]
    now = on.world.head()[1]
    simulated = on.node.simulate(WALLET, calls, watch, [right])
    if simulated.ok:
        drafts = tuple(
            replace(draft, gas_limit=int(used * GAS_MARGIN))
            for draft, used in zip(drafts, simulated.gas_used, strict=True)
        )
    return Proposal(
        account=WALLET,
        leg=swap_leg(quote.sell.token, quote.buy, quote.sell.raw),
        sell_raw=quote.sell.raw,
        quote=quote,
        drafts=drafts,
        meanings=tuple(meaning(call, on.router.layouts, account=WALLET) for call, _ in calls),
        simulated=simulated,
        prices=agreed(),
        limits=Limits(max_price_impact_bps=Bps(300)),
        min_out=1,
        targets={ROUTER: pin},
        code_hashes=on.node.code_hashes([call.to for call, _ in calls]),
        account_code_hash=on.node.code_hashes([WALLET])[WALLET],
        chain_time=now,
        clock_time=now,
        native=ETH,
        fees=on.node.fees(),
        l1_fees=on.node.l1_fees(calls),
    )


def verdict(on: Trader, quote: Quote) -> list[str]:
    pin = on.world.code_hashes[ROUTER]
    return codes(check(proposal(on, quote, pin)).refusals)


@pytest.mark.parametrize(
    ("sell", "usd", "buy", "seen"),
    [
        ("WETH", 2000, "USDC", options()),
        ("USDT", 2000, "WBTC", options()),
        ("USDC", 2000, "WBTC", options(tiers=((100, 1),))),
        ("WBTC", 2000, "DAI", options(tiers=())),
        ("WETH", 20_000, "USDC", options(has_v2=False)),
        ("WBTC", 20_000, "DAI", options(tiers=((100, 1),))),
    ],
    ids=["one hop", "USDT", "V3 > V2", "V2", "several paths", "several mixed paths"],
)
def test_honest_swap_passes_every_rule(
    chain: World, sell: str, usd: int, buy: str, seen: object
) -> None:
    with trader(chain, seen) as on:
        quote = on.quote(sell, buy, worth(sell, usd))
        assert (usd == 20_000) == (", " in quote.route)
        p = proposal(on, quote, chain.code_hashes[ROUTER])
        assert () == check(p).refusals
        assert {quote.sell.token: -quote.sell.raw, quote.buy: quote.amount_out} == {
            changed: raw for changed, raw in p.simulated.deltas.items() if raw
        }


def test_pool_that_moved_since_the_quote_is_refused(chain: World) -> None:
    with trader(chain, options(has_v2=False)) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        chain.move_pool(chain.pool("WETH", "USDC", 500), 200)
        assert ["S101"] == verdict(on, quote)


def test_size_beyond_a_thin_pool_is_refused_for_its_price(chain: World) -> None:
    """The quote's own slippage is kept to the unit, and still half of the money would be lost."""
    with trader(chain, options(tiers=((10_000, 200),), hubs=(), has_v2=False)) as on:
        quote = on.quote("USDT", "WBTC", worth("USDT", 100_000))
        assert "G204" in verdict(on, quote)
        assert "G109" in verdict(on, quote)


def test_router_whose_code_was_replaced_is_refused(chain: World) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        code = chain.rpc.call("eth_getCode", ROUTER, "latest")
        chain.rpc.call("anvil_setCode", ROUTER, f"{code}00")
        assert ["G104"] == verdict(on, quote)


def test_wallet_that_was_delegated_is_refused(chain: World) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        chain.rpc.call("anvil_setCode", WALLET, "0xef0100" + "ab" * 20)
        assert "G401" in verdict(on, quote)


def test_swap_that_pays_somebody_else_is_refused_by_its_bytes_and_its_simulation(
    chain: World,
) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        assert isinstance(quote.payload, Call)
        stolen = quote.payload.data.replace(WALLET[2:], "0b" * 20)
        forged = replace(quote, payload=replace(quote.payload, data=stolen))
        assert ["G105", "S102"] == verdict(on, forged)


def test_quote_that_asks_for_too_large_an_allowance_is_refused(chain: World) -> None:
    with trader(chain) as on:
        quote = on.quote("WETH", "USDC", worth("WETH", 2000))
        (right,) = quote.allowances
        more = replace(right, amount=replace(right.amount, raw=right.amount.raw * 2))
        assert ["G103", "S103"] == verdict(on, replace(quote, allowances=(more,)))
