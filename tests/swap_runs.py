"""The real engine over one local chain: a swap by one venue, from the quote to the closing rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from paper_world import policy
from portfolios import price
from router_rig import CHAIN, lab_node
from venue_rigs import api_token, api_venue

from agent.chain.fork import ForkNode
from agent.compose.providers import provider_names
from agent.core.fact import Fact, Refused, Reserved, Signed
from agent.core.follow import Rules
from agent.core.money import Address, Token
from agent.core.plan import Leg, Plan, Sell
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.engine.loop import Finished, Wait, session
from agent.lab.world import World
from agent.lab.worlds import Worlds
from agent.planning.problem import NoPlan
from agent.ports import Venue
from agent.signers.impersonate import ImpersonatingSigner
from agent.stores.memory import MemoryJournal

WALLET = Address("0x" + "a11e7" * 8)
ETHER = 10**18
SYMBOLS = ("ETH", "WETH", "USDC", "USDT", "DAI", "WBTC")
ASSETS = {"WETH": "ETH"}

BY_CALL = [name for name in provider_names("venues") if name != "cow"]
"""Venues behind servers whose offers are calls; orders have suites of their own."""


class ChainClock:
    """Time is the chain's; waiting mines a block, as time on chains does."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.head()[1]

    def sleep(self, seconds: float) -> None:
        self._world.set_time(self._world.head()[1] + math.ceil(seconds) + 1)


@dataclass
class SwapRun:
    """One wallet, one venue, and the facts of its run."""

    world: World
    node: ForkNode
    venue: Venue
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = ChainClock(self.world)
        self.tokens = tuple(api_token(symbol) for symbol in SYMBOLS)

    def go(self, sell: str, buy: str, raw: int, *, budget: float = 600) -> Finished | Wait:
        """The wallet has what it sells, and sells it."""
        self.world.fund(WALLET, {"ETH": ETHER} if sell != "ETH" else {"ETH": ETHER + raw})
        if sell != "ETH":
            self.world.fund(WALLET, {sell: raw})
        leg = Leg(
            id="1",
            kind="swap",
            via=self.venue.name,
            sell=Sell(api_token(sell), raw),
            buy=api_token(buy),
            expected_out=1,
            min_buy=1,
        )
        snapshot = Snapshot(WALLET, {CHAIN: self.node.snapshot(WALLET, self.tokens)})
        with session("test", self.io()) as held:
            held.start("1", self.plan(leg), snapshot)
            return held.advance(budget)

    def io(self) -> Io:
        rules = ChainRules(
            native=self.tokens[0],
            wrapped=self.tokens[1],
            tokens=self.tokens,
            rules=Rules(confirmations=1),
            poll_seconds=1,
        )
        return Io(
            account=WALLET,
            policy=replace(policy(), account=WALLET, chains=(CHAIN,)),
            chains={CHAIN: rules},
            nodes={CHAIN: self.node},
            venues={self.venue.name: self.venue},
            bridges={},
            signer=ImpersonatingSigner(WALLET),
            journal=MemoryJournal(),
            clock=self.clock,
            prices=self.prices,
            replan=lambda _run: NoPlan(("nothing else to try",)),
            paused=lambda: None,
            observe=self.facts.append,
            serial=True,
        )

    def prices(self) -> Prices:
        asset_of = {token: ASSETS.get(token.symbol, token.symbol) for token in self.tokens}
        known = {
            name: price(name, str(self.world.price("WETH" if name == "ETH" else name)))
            for name in set(asset_of.values())
        }
        return Prices(known, {}, asset_of)

    def plan(self, leg: Leg) -> Plan:
        now = self.clock.now()
        money: Any = dict.fromkeys(
            ("value", "cost", "worst_case", "gas_if_reverted", "turnover"), Decimal(0)
        )
        return Plan(
            id="plan",
            legs=(leg,),
            standings=(),
            bound=None,
            prices=(),
            blocks=(),
            policy_hash="policy",
            made=now,
            expires=now + 600,
            why=(),
            **money,
        )

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]

    def refusals(self) -> list[str]:
        """The codes of all refusals, each once and in order."""
        found = [no.code for fact in self.of(Refused) for no in fact.refusals]
        return list(dict.fromkeys(found))

    def signed(self) -> int:
        return len(self.of(Signed))

    def holdings(self) -> Mapping[Token, int]:
        return self.node.balances(WALLET, self.tokens, self.world.head()[0])


@contextmanager
def swap_run(name: str, worlds: Worlds, *, seconds: float = 10.0) -> Iterator[SwapRun]:
    """A venue of that name on the first of the local chains."""
    world = worlds[int(CHAIN)]
    with lab_node(world) as inner:
        node = ForkNode(inner, world.url)
        yield SwapRun(world, node, api_venue(name, worlds, {CHAIN: node}, seconds=seconds))
