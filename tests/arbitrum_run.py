"""The real engine with a real key between Ethereum and Arbitrum; waiting lets the others work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from arbitrum_rigs import CONFIRMATIONS, FAR, KEY, NEAR, WALLET, Rollup, native
from bridge_io import bridge_io, seen
from paper_world import plan

from agent.core import fact as f
from agent.core.money import Address
from agent.core.plan import Leg
from agent.engine.io import Io
from agent.engine.loop import Finished, Session, Wait, session
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

    def io(self) -> Io:
        """What a process has: a bridge of its own, and nothing in mind."""
        return bridge_io(
            self.wrapped(self.rollup.made()),
            account=WALLET,
            nodes=self.rollup.nodes,
            tokens=self.tokens,
            journal=self.journal,
            clock=self.clock,
            observe=self.react,
            signer=_signer(),
            confirmations=CONFIRMATIONS,
            poll_seconds=8,
        )

    @contextmanager
    def process(self) -> Iterator[Session]:
        """One process of the agent, from its start to its end."""
        with session("test", self.io()) as held:
            yield held

    def begin(self, leg: Leg, *, budget: float = 3_600) -> Finished | Wait:
        with self.process() as held:
            held.start("1", plan(leg, made=self.clock.now()), seen(self.io()))
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
