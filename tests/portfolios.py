"""Small portfolios, prices and edges for tests of value, decisions and plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache

from agent.core.decide import History, decide
from agent.core.fees import FeeQuote
from agent.core.market import Edge
from agent.core.money import NATIVE, Address, Bps, ChainId, Token
from agent.core.policy import Asset, Instance, Limits, Policy, Target, Trigger
from agent.core.price import Price, Prices
from agent.core.snapshot import Block, ChainSnapshot, Snapshot
from agent.core.value import value
from agent.planning.problem import Problem

CHAIN, OTHER = ChainId(1), ChainId(8453)
WALLET = Address("0x" + "d3" * 20)
NOW = 1_800_000_000


def token(symbol: str, decimals: int, chain: ChainId = CHAIN) -> Token:
    code = symbol.encode().hex().rjust(40, "0")
    return Token(chain, Address("0x" + code), decimals, symbol)


ETH = Token(CHAIN, NATIVE, 18, "ETH")
WETH = token("WETH", 18)
USDC = token("USDC", 6)
WBTC = token("WBTC", 8)
DAI = token("DAI", 18)
STETH = token("STETH", 18)
SPAM = token("SPAM", 6)
USDC_BASE = token("USDC", 6, OTHER)
TOKENS = (ETH, WETH, USDC, WBTC, DAI)
ASSET_OF = {
    ETH: "ETH",
    WETH: "ETH",
    STETH: "ETH",
    USDC: "USDC",
    USDC_BASE: "USDC",
    WBTC: "WBTC",
    DAI: "DAI",
}
QUOTED = {"ETH": "3000", "USDC": "1", "WBTC": "60000", "DAI": "1"}


def price(asset: str, amount: str, *sources: str) -> Price:
    number = Decimal(amount)
    return Price(asset, number, number, number, NOW, sources or ("chainlink", "pool"))


def prices(**changed: str) -> Prices:
    quoted = {**QUOTED, **changed}
    return Prices({name: price(name, text) for name, text in quoted.items()}, {}, ASSET_OF)


def assets(
    *named: tuple[str, tuple[Token, ...]], count: tuple[Token, ...] = ()
) -> tuple[Asset, ...]:
    return tuple(
        Asset(name, tuple(Instance(t, "count" if t in count else "spend") for t in tokens))
        for name, tokens in named
    )


STANDARD = assets(("ETH", (ETH, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
TARGETS = {
    "ETH": Target(Bps(5000), Bps(500)),
    "WBTC": Target(Bps(2000), Bps(400)),
    "USDC": Target(Bps(3000), Bps(500)),
}
WIDE = Limits(max_run_value=Decimal(1_000_000), max_day_value=Decimal(1_000_000))


def policy(**changed) -> Policy:
    usual = {
        "account": WALLET,
        "chains": (CHAIN,),
        "assets": STANDARD,
        "targets": TARGETS,
        "limits": WIDE,
        "gas_reserve": {CHAIN: 10**17},
        "hash": "f00d",
    }
    return Policy(**{**usual, **changed})


def limits(**changed) -> Limits:
    return replace(WIDE, **changed)


def trigger(**changed) -> Trigger:
    return replace(Trigger(), **changed)


def snapshot(holdings: Mapping[Token, int], **more) -> Snapshot:
    """A snapshot of exactly these holdings; chains are those of the tokens and CHAIN."""
    chains = {}
    for chain in sorted({CHAIN, *(held.chain for held in holdings)}):
        block = Block(100 + chain, f"0x{chain:064x}", f"0x{chain + 1:064x}", NOW - 5, 10**9)
        own = {held: raw for held, raw in holdings.items() if held.chain == chain}
        chains[chain] = ChainSnapshot(chain, WALLET, block, own)
    return Snapshot(WALLET, chains, **more)


def whole(held: Token, amount: str) -> int:
    return int(Decimal(amount) * held.unit)


def holdings(**amounts: str) -> dict[Token, int]:
    """Base units by symbol, nothing of the standard tokens that are not named."""
    known = {t.symbol: t for t in (ETH, WETH, USDC, WBTC, DAI, STETH, SPAM)}
    named = {known[name]: whole(known[name], amount) for name, amount in amounts.items()}
    return {ETH: 0, WETH: 0, USDC: 0, WBTC: 0} | named


DEMO = holdings(ETH="10.0", WETH="6.0", WBTC="0.2", USDC="20000")
"""80 000 in value: ETH 60 %, WBTC 15 %, USDC 25 %."""


def edge(
    sell: Token,
    buy: Token,
    *,
    fee_bps: int = 5,
    depth: str = "50000000",
    via: str = "router",
    gas: int = 180_000,
    most: str = "2000000",
    pools: tuple[str, ...] = (),
    quoted: Prices | None = None,
) -> Edge:
    """An edge over a constant-product pool of *depth* (value of one side) at fair prices."""
    worth = quoted or prices()
    unit_in, unit_out = (whole(t, "1") / worth.of(t).value for t in (sell, buy))
    ladder = _ladder(unit_in, unit_out, Decimal(depth), Decimal(most), fee_bps)
    return Edge(via, sell, buy, ladder, gas, 12, frozenset(pools), f"{fee_bps} bps")


@cache
def _ladder(unit_in, unit_out, depth, most, fee_bps):
    reserve_in, reserve_out = unit_in * depth, unit_out * depth
    points = []
    for step in range(1, 41):
        raw_in = int(unit_in * most * step * step / 1600)
        paid = Decimal(raw_in) * (10_000 - fee_bps) / 10_000
        points.append((raw_in, int(reserve_out * paid / (reserve_in + paid))))
    return tuple(points)


def edges(*tokens: Token, **options) -> tuple[Edge, ...]:
    """Edges between all different tokens."""
    traded = tokens or (WETH, WBTC, USDC)
    return tuple(edge(a, b, **options) for a in traded for b in traded if a != b)


FEES = {CHAIN: FeeQuote(10**9, 0), OTHER: FeeQuote(10**8, 0)}
NATIVE_PRICES = {CHAIN: Decimal(3000), OTHER: Decimal(3000)}


def problem(held=None, **changed) -> Problem:
    """The problem of *held* holdings, valued and decided as asked for by a person."""
    own = changed.pop("policy", None) or policy()
    quoted = changed.pop("prices", None) or prices()
    seen = snapshot(DEMO if held is None else held, in_flight=changed.pop("in_flight", ()))
    valued = value(seen, quoted, own)
    usual = {
        "valuation": valued,
        "decision": decide(valued, own, History(), NOW, asked=True),
        "policy": own,
        "prices": quoted,
        "snapshot": seen,
        "edges": edges(),
        "wrapped": {CHAIN: WETH},
        "fees": FEES,
        "native_prices": NATIVE_PRICES,
        "now": NOW,
    }
    return Problem(**{**usual, **changed})
