"""The real engine over Ethereum and Base of the local world: one wallet, one leg, one journal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bridge_rigs import WALLET, native, token
from op_rig import NAME, PARENT, ROLLUP, Stack
from paper_world import policy
from portfolios import price

from agent.bridges.canonical_op import make
from agent.chain.fork import ForkNode
from agent.core.fact import Fact, Reserved
from agent.core.follow import Rules
from agent.core.plan import Leg, Plan
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.engine.loop import Finished, Wait, session
from agent.planning.problem import NoPlan
from agent.signers.impersonate import ImpersonatingSigner
from agent.stores.memory import MemoryJournal


class WorkingClock:
    """Time is the chains'; while it passes those who work for the bridge do their work."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def now(self) -> int:
        return max(world.head()[1] for world in self._stack.worlds.values())

    def sleep(self, seconds: float) -> None:
        self._stack.worlds.jump(math.ceil(seconds) + 1)
        self._stack.worlds.turn()


class Run:
    """One wallet on both chains. `go` starts and `resume` goes on, as a new process would."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.clock = WorkingClock(stack)
        self.journal = MemoryJournal()
        self.facts: list[Fact] = []
        self.react: Callable[[Fact], None] = lambda _fact: None
        self.nodes: Any = {
            chain: ForkNode(node, stack.worlds[chain].url)  # type: ignore[arg-type]
            for chain, node in stack.nodes.items()
        }
        self.tokens = {
            chain: (native(chain), token(stack.worlds[chain], "WETH")) for chain in stack.nodes
        }
        self.bridge: Any = make(stack.options(), stack.io(self.nodes))

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.react(fact)

    def prices(self) -> Prices:
        asset_of = {each: "ETH" for tokens in self.tokens.values() for each in tokens}
        return Prices({"ETH": price("ETH", "3000")}, {}, asset_of)

    def io(self) -> Io:
        chains = {
            chain: ChainRules(
                native=tokens[0],
                wrapped=tokens[1],
                tokens=tokens,
                rules=Rules(confirmations=2),
                poll_seconds=1,
            )
            for chain, tokens in self.tokens.items()
        }
        return Io(
            account=WALLET,
            policy=replace(policy(), account=WALLET, chains=(PARENT, ROLLUP)),
            chains=chains,
            nodes=self.nodes,
            venues={},
            bridges={NAME: self.bridge},
            signer=ImpersonatingSigner(WALLET),
            journal=self.journal,
            clock=self.clock,
            prices=self.prices,
            replan=lambda _run: NoPlan(("nothing else to try",)),
            paused=lambda: None,
            observe=self.observe,
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

    def go(self, leg: Leg, *, budget: float = 600) -> Finished | Wait:
        io = self.io()
        seen = {
            chain: node.snapshot(WALLET, self.tokens[chain]) for chain, node in io.nodes.items()
        }
        with session("first", io) as held:
            held.start("1", self.plan(leg), Snapshot(WALLET, seen))
            return held.advance(budget)

    def resume(self, *, budget: float = 600) -> Finished | Wait:
        self.bridge = make(self.stack.options(), self.stack.io(self.nodes))
        with session("second", self.io()) as held:
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]
