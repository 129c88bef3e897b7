"""Two paper chains, a wallet, venues, a bridge, and plans over them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from agent.core.fact import Fact
from agent.core.follow import Rules
from agent.core.money import NATIVE, Address, Bps, ChainId, Token
from agent.core.plan import Leg, Plan, Sell, build
from agent.core.policy import Asset, Instance, Limits, Policy, Target
from agent.core.price import Price, Prices
from agent.core.quote import Quote
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.io import ChainRules, Io
from agent.engine.survey import read
from agent.errors import NoRoute
from agent.planning.problem import NoPlan
from agent.sim.bridge import PaperBridge, Way
from agent.sim.chain import PaperChain
from agent.sim.clock import PaperClock
from agent.sim.contracts import PaperWrapper
from agent.sim.signer import PaperSigner
from agent.sim.venue import PaperOrderBook, PaperVenue, PaperWrap
from agent.stores.memory import MemoryJournal

A, B = ChainId(1), ChainId(8453)
START = 1_800_000_000


def address(number: int) -> Address:
    return Address(f"0x{number:040x}")


ME = address(0xACC)
VENUE, BOOK, BRIDGE = address(0x10), address(0x11), address(0x12)
ETH_A, ETH_B = Token(A, NATIVE, 18, "ETH"), Token(B, NATIVE, 18, "ETH")
WETH_A, WETH_B = Token(A, address(0x20), 18, "WETH"), Token(B, address(0x21), 18, "WETH")
USDC_A, USDC_B = Token(A, address(0x30), 6, "USDC"), Token(B, address(0x31), 6, "USDC")
WBTC_B = Token(B, address(0x41), 8, "WBTC")
TOKENS = (ETH_A, WETH_A, USDC_A, ETH_B, WETH_B, USDC_B, WBTC_B)
VALUES = {"ETH": Decimal(3000), "USDC": Decimal(1), "WBTC": Decimal(60_000)}
ASSETS = {"ETH": (ETH_A, WETH_A, ETH_B, WETH_B), "USDC": (USDC_A, USDC_B), "WBTC": (WBTC_B,)}
RICH_RATE = Fraction(2990 * 10**6, 10**18)


def policy(**limits: object) -> Policy:
    """Half, a third, the rest; limits wide unless a test narrows them."""
    wide = dict.fromkeys(
        ("max_run_value", "max_day_value", "max_month_cost", "max_in_flight", "max_fee_per_tx"),
        Decimal(10**6),
    )
    return Policy(
        account=ME,
        chains=(A, B),
        assets=tuple(
            Asset(name, tuple(Instance(token, "spend") for token in tokens))
            for name, tokens in ASSETS.items()
        ),
        targets={
            "ETH": Target(Bps(5000), Bps(500)),
            "USDC": Target(Bps(3000), Bps(500)),
            "WBTC": Target(Bps(2000), Bps(500)),
        },
        limits=Limits(**{**wide, **limits}),
        hash="policy",
    )


def prices() -> Prices:
    """Two sources agree on everything."""
    by_asset = {
        name: Price(name, value, value, value, START, ("feed", "pool"))
        for name, value in VALUES.items()
    }
    return Prices(by_asset, {}, {token: name for name, ts in ASSETS.items() for token in ts})


def leg(
    id_: str, kind: str, via: str, sell: Sell, buy: Token, least: int, after: tuple = ()
) -> Leg:
    return Leg(
        id=id_,
        kind=kind,
        via=via,
        sell=sell,
        buy=buy,
        expected_out=least,
        min_buy=least,
        after=after,
    )


def plan(*legs: Leg, id_: str = "plan", made: int = START) -> Plan:
    return Plan(
        id=id_,
        legs=legs,
        standings=(),
        value=Decimal(0),
        cost=Decimal(0),
        worst_case=Decimal(0),
        gas_if_reverted=Decimal(0),
        turnover=Decimal(0),
        bound=None,
        prices=(),
        blocks=(),
        policy_hash="policy",
        made=made,
        expires=made + 600,
        why=(),
    )


ETHER = 10**18
SWAP_A = leg("1", "swap", "venue", Sell(WETH_A, 2 * ETHER), USDC_A, 5900 * 10**6)
"""Sell two WETH on chain A."""


def rich_plan() -> Plan:
    """Wrap, swap, bridge with a claim, swap on the far side; another swap beside them."""
    return plan(
        leg("1", "wrap", "wrap", Sell(ETH_A, 2 * ETHER), WETH_A, 2 * ETHER),
        leg("2", "swap", "venue", Sell(WETH_A, 0, ("1",), 2 * ETHER), USDC_A, 5900 * 10**6, ("1",)),
        leg(
            "3",
            "bridge",
            "paper-bridge",
            Sell(USDC_A, 0, ("2",), 6000 * 10**6),
            USDC_B,
            5890 * 10**6,
            ("2",),
        ),
        leg(
            "4",
            "swap",
            "venue",
            Sell(USDC_B, 0, ("3",), 6000 * 10**6),
            WBTC_B,
            9_500_000,
            ("3",),
        ),
        leg("5", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2950 * 10**6),
    )


class PlannedBook(PaperOrderBook):
    """An order book that is there only for legs that were planned for it: it would win them all,
    since an order costs no gas."""

    def quote(self, leg: Leg, *args: object) -> Quote:
        if leg.via != self.name:
            raise NoRoute("nothing was planned for the book", fix="none")
        return super().quote(leg, *args)


class World:
    """Everything outside the process: chains, venues, the bridge, the disk."""

    def __init__(self, way: Way = "claim", *, automine: bool = True, finality: int = 2) -> None:
        self.clock = PaperClock(START)
        self.chains = {
            chain: PaperChain(chain, self.clock, automine=automine, finality=finality)
            for chain in (A, B)
        }
        self.venue = PaperVenue("venue", VENUE)
        self.book = PlannedBook("book", BOOK)
        self.bridge = PaperBridge(BRIDGE, self.chains, way)
        self.bridge.known = TOKENS
        self.journal = MemoryJournal()
        self.seen: list[Fact] = []
        self.paused: str | None = None
        self._fill()

    def _fill(self) -> None:
        weth_to_usdc, usdc_to_wbtc = RICH_RATE, Fraction(10**8, 60_100 * 10**6)
        for place in (self.venue, self.book):
            place.rates = {
                (WETH_A.address, USDC_A.address): weth_to_usdc,
                (WETH_B.address, USDC_B.address): weth_to_usdc,
                (USDC_B.address, WBTC_B.address): usdc_to_wbtc,
            }
        for chain, wrapped in ((A, WETH_A), (B, WETH_B)):
            node = self.chains[chain]
            node.contracts = {
                VENUE: self.venue,
                BRIDGE: self.bridge,
                wrapped.address: PaperWrapper(wrapped.address),
                BOOK: lambda *_: None,
            }
            node.ledger.mint(NATIVE, ME, 10 * ETHER)
            node.ledger.mint(wrapped.address, ME, 3 * ETHER)
            for token in TOKENS:
                if token.chain == chain:
                    for place in (VENUE, BOOK, BRIDGE):
                        node.ledger.mint(token.address, place, 10**30)
        ledger = self.chains[A].ledger
        # As USDT does: a leftover allowance must go to zero before it can change.
        ledger.guarded = frozenset({USDC_A.address})
        ledger.allowances[USDC_A.address, ME, BRIDGE] = 5
        for node in self.chains.values():
            node.mine(3)

    def io(self, **changes: object) -> Io:
        """A process's view of the world."""
        chains = {
            chain: ChainRules(
                native=native,
                wrapped=wrapped,
                tokens=tuple(token for token in TOKENS if token.chain == chain),
                rules=Rules(),
                poll_seconds=1,
            )
            for chain, native, wrapped in ((A, ETH_A, WETH_A), (B, ETH_B, WETH_B))
        }
        fields = {
            "account": ME,
            "policy": policy(),
            "chains": chains,
            "nodes": self.chains,
            "venues": {
                "venue": self.venue,
                "book": self.book,
                "wrap": PaperWrap({A: WETH_A.address, B: WETH_B.address}),
            },
            "bridges": {"paper-bridge": self.bridge},
            "signer": PaperSigner(ME),
            "journal": self.journal,
            "clock": self.clock,
            "prices": prices,
            "replan": lambda run: NoPlan(("nothing else to try",)),
            "paused": lambda: self.paused,
            "observe": self.seen.append,
            "serial": True,
        }
        return Io(**{**fields, **changes})

    def snapshot(self) -> Snapshot:
        return Snapshot(
            ME,
            {
                chain: node.snapshot(ME, [token for token in TOKENS if token.chain == chain])
                for chain, node in self.chains.items()
            },
        )

    def snapshot_old(self) -> Snapshot:
        """The same where a chain may stand still."""
        return read(self.io(), State())

    def holds(self, token: Token) -> int:
        return self.chains[token.chain].ledger.balance(token.address, ME)

    def checked(self, wanted: Plan) -> Plan:
        return build(wanted, self.snapshot().balances, {})
