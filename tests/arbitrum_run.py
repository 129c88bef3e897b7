"""The real engine with a real key between Ethereum and Arbitrum; waiting lets the others work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from arbitrum_rigs import CONFIRMATIONS, FAR, KEY, NEAR, WALLET, Rollup, native
from paper_world import policy
from portfolios import price

from agent.core import fact as f
from agent.core.follow import Rules
from agent.core.money import Address, Token
from agent.core.plan import Leg, Plan
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.engine.loop import Finished, Session, Wait, session
from agent.planning.problem import NoPlan
from agent.ports import Bridge, Signer
from agent.signers import env_key
from agent.stores.memory import MemoryJournal


class RollupClock:
    """Time is Ethereum's; while it goes by, sequencer and validators take their turns.

    A wait takes `least_seconds` or more: a wait of hours in steps of seconds shows nothing more.
    """

    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup
        self.least_seconds = 0.0

    def now(self) -> int:
        return self._rollup.worlds[NEAR].head()[1]

    def sleep(self, seconds: float) -> None:
        worlds = self._rollup.worlds
        worlds.jump(math.ceil(max(seconds, self.least_seconds)) + 1)
        self._rollup.turn()
        worlds.mine(CONFIRMATIONS)


class ArbitrumRun:
    """One wallet on both chains; its journal outlives every process."""

    def __init__(self, rollup: Rollup) -> None:
        self.rollup = rollup
        self.clock = RollupClock(rollup)
        self.journal = MemoryJournal()
        self.react: Callable[[f.Fact], None] = lambda _fact: None
        self.wrapped: Callable[[Bridge], Bridge] = lambda bridge: bridge
        self.tokens = {
            chain: (
                native(chain),
                *(rollup.token(chain, each) for each in ("WETH", "USDC", "WBTC")),
            )
            for chain in (NEAR, FAR)
        }

    @property
    def facts(self) -> tuple[f.Fact, ...]:
        return self.journal.load(WALLET)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(f.Reserved)]

    def fees(self, chain: int) -> int:
        """Wei that the wallet's own transactions cost on one chain."""
        chains = {fact.intent.id: fact.intent.chain for fact in self.of(f.Reserved)}
        mined = self.of(f.Mined)
        return sum(each.receipt.fee for each in mined if chains[each.intent] == chain)

    def prices(self) -> Prices:
        known = {"ETH": "3000", "USDC": "1", "WBTC": "60000"}
        asset_of: dict[Token, str] = {
            token: "ETH" if token.symbol == "WETH" else token.symbol
            for tokens in self.tokens.values()
            for token in tokens
        }
        return Prices({name: price(name, text) for name, text in known.items()}, {}, asset_of)

    def io(self) -> Io:
        """What a process has: a bridge of its own, and nothing in mind."""
        chains = {
            chain: ChainRules(
                native=tokens[0],
                wrapped=tokens[1],
                tokens=tokens,
                rules=Rules(confirmations=CONFIRMATIONS),
                poll_seconds=8,
            )
            for chain, tokens in self.tokens.items()
        }
        bridge = self.wrapped(self.rollup.made())
        return Io(
            account=WALLET,
            policy=replace(policy(), account=WALLET, chains=(NEAR, FAR)),
            chains=chains,
            nodes=self.rollup.nodes,
            venues={},
            bridges={bridge.name: bridge},
            signer=_signer(),
            journal=self.journal,
            clock=self.clock,
            prices=self.prices,
            replan=lambda _run: NoPlan(("nothing else to try",)),
            paused=lambda: None,
            observe=self.react,
            serial=True,
        )

    def plan(self, *legs: Leg) -> Plan:
        now = self.clock.now()
        money: Any = dict.fromkeys(
            ("value", "cost", "worst_case", "gas_if_reverted", "turnover"), Decimal(0)
        )
        return Plan(
            id="plan",
            legs=legs,
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

    @contextmanager
    def process(self) -> Iterator[Session]:
        """One process of the agent, from its start to its end."""
        with session("test", self.io()) as held:
            yield held

    def begin(self, leg: Leg, *, budget: float = 3_600) -> Finished | Wait:
        snapshot = Snapshot(
            WALLET,
            {
                chain: node.snapshot(WALLET, self.tokens[chain])
                for chain, node in self.rollup.nodes.items()
            },
        )
        with self.process() as held:
            held.start("1", self.plan(leg), snapshot)
            return held.advance(budget)

    def go_on(self, *, budget: float = 3_600) -> Finished | Wait:
        with self.process() as held:
            return held.advance(budget)


def _signer() -> Signer:
    return env_key.make(
        env_key.Options(
            address=Address(WALLET),
            reveal=lambda: KEY,
            accepted=True,
            max_value=Decimal(10**6),
            local=True,
            generated=frozenset({WALLET}),
        ),
        None,
    )
