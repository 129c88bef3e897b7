"""Small portfolios, prices and edges for tests of value, decisions and plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from agent.core.decide import History, decide
from agent.core.fees import FeeQuote
from agent.core.market import Edge
from agent.core.money import NATIVE, Address, Bps, ChainId, Token
from agent.core.plan import Plan
from agent.core.policy import Asset, Instance, Limits, Policy, Target, Trigger
from agent.core.price import Price, Prices
from agent.core.snapshot import Block, ChainSnapshot, Snapshot
from agent.core.value import value
from agent.planning.planner import planned_by
from agent.planning.problem import NoPlan, Problem

CHAIN, OTHER, THIRD = ChainId(1), ChainId(8453), ChainId(42161)
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


def bridge(
    sell: Token,
    buy: Token,
    *,
    fee_bps: int = 8,
    fixed: str = "0.50",
    least: str = "20",
    most: str = "100000",
    via: str = "across",
    gas: int = 110_000,
    quoted: Prices | None = None,
) -> Edge:
    """An edge to another chain: a fee with a fixed part, between the least and the most value."""
    worth = (quoted or spread_prices()).of(sell).value
    scale = Decimal(buy.unit) / sell.unit
    points = []
    for part in (Decimal(least), Decimal(most) / 10, Decimal(most)):
        raw, fee = (
            whole(sell, str(v / worth)) for v in (part, part * fee_bps / 10_000 + Decimal(fixed))
        )
        points.append((raw, int((raw - fee) * scale)))
    return Edge(via, sell, buy, tuple(points), gas, 60, frozenset(), "", 400)


FEES = {CHAIN: FeeQuote(10**9, 0), OTHER: FeeQuote(10**8, 0), THIRD: FeeQuote(10**7, 0, 10**6)}
NATIVE_PRICES = {chain: Decimal(3000) for chain in (CHAIN, OTHER, THIRD)}


@dataclass(frozen=True)
class Place:
    """The tokens of one chain."""

    chain: ChainId
    eth: Token
    weth: Token
    usdc: Token
    wbtc: Token
    dai: Token

    @property
    def erc20(self) -> tuple[Token, ...]:
        return (self.weth, self.usdc, self.wbtc, self.dai)


def place(chain: ChainId) -> Place:
    named = {name: token(name.upper(), 18, chain) for name in ("weth", "dai")}
    six = {"usdc": token("USDC", 6, chain), "wbtc": token("WBTC", 8, chain)}
    return Place(chain=chain, eth=Token(chain, NATIVE, 18, "ETH"), **named, **six)


ONE, BASE, ARB = PLACES = tuple(place(chain) for chain in (CHAIN, OTHER, THIRD))
SPREAD = assets(
    ("ETH", tuple(t for p in PLACES for t in (p.eth, p.weth))),
    ("WBTC", tuple(p.wbtc for p in PLACES)),
    ("USDC", tuple(p.usdc for p in PLACES)),
)
SPREAD_OF = {t: asset.name for asset in SPREAD for t in (i.token for i in asset.instances)}
SPREAD_WRAPPED = {p.chain: p.weth for p in PLACES}


def spread_prices(**changed: str) -> Prices:
    return replace(prices(**changed), asset_of=SPREAD_OF)


def spread_policy(**changed) -> Policy:
    """Three assets on three chains, a little gas kept on each."""
    usual = {
        "chains": tuple(p.chain for p in PLACES),
        "assets": SPREAD,
        "gas_reserve": {p.chain: 10**16 for p in PLACES},
    }
    return policy(**{**usual, **changed})


def spread(*placed: tuple[Place, Mapping[str, str]]) -> dict[Token, int]:
    """Base units on three chains: nothing where nothing is said, a tenth of a coin for gas."""
    held = {t: 0 for p in PLACES for t in (p.weth, p.usdc, p.wbtc)}
    held |= {p.eth: 10**17 for p in PLACES}
    for where, amounts in placed:
        held |= {
            getattr(where, name): whole(getattr(where, name), v) for name, v in amounts.items()
        }
    return held


FAR = spread((ONE, {"usdc": "50000"}), (BASE, {"wbtc": "0.3"}), (ARB, {"weth": "2"}))
"""Each asset on another chain."""


def swaps_on(*places: Place, **options) -> tuple[Edge, ...]:
    """Swaps between all assets on each of the chains."""
    quoted = spread_prices()
    return tuple(
        edge(a, b, quoted=quoted, **options)
        for p in places
        for a in (p.weth, p.wbtc, p.usdc)
        for b in (p.weth, p.wbtc, p.usdc)
        if a != b
    )


def bridges_between(*places: Place, **options) -> tuple[Edge, ...]:
    """Bridges as they are: USDC for USDC, the gas coin in either form for the coin itself."""
    return tuple(
        bridge(sell, buy, **options)
        for a in places
        for b in places
        if a is not b
        for sell, buy in ((a.usdc, b.usdc), (a.eth, b.eth), (a.weth, b.eth))
    )


def spread_problem(held=None, **changed) -> Problem:
    """A problem on three chains, with all swaps and bridges."""
    usual = {
        "policy": spread_policy(),
        "prices": spread_prices(),
        "edges": swaps_on(*PLACES) + bridges_between(*PLACES),
        "wrapped": SPREAD_WRAPPED,
    }
    return problem(spread() if held is None else held, **{**usual, **changed})


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


def greedy_plan(asked: Problem) -> Plan | NoPlan:
    """The plan without a solver."""
    return planned_by(None, asked)
