"""The real engine over Ethereum and Base of the local world: one wallet, one leg, one journal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bridge_io import bridge_io, seen
from bridge_rigs import WALLET, native, token
from op_rig import Stack
from paper_world import plan

from agent.bridges.canonical_op import make
from agent.chain.fork import ForkNode
from agent.core.fact import Fact, Reserved
from agent.core.plan import Leg
from agent.engine.io import Io
from agent.engine.loop import Finished, Wait, session
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

    def io(self) -> Io:
        return bridge_io(
            self.bridge,
            account=WALLET,
            nodes=self.nodes,
            tokens=self.tokens,
            journal=self.journal,
            clock=self.clock,
            observe=self.observe,
        )

    def go(self, leg: Leg, *, budget: float = 600) -> Finished | Wait:
        io = self.io()
        with session("first", io) as held:
            held.start("1", plan(leg, made=self.clock.now()), seen(io))
            return held.advance(budget)

    def resume(self, *, budget: float = 600) -> Finished | Wait:
        self.bridge = make(self.stack.options(), self.stack.io(self.nodes))
        with session("second", self.io()) as held:
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]
