"""What scenarios share: plans, a world whose blocks take time, and looks at what happened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from crash_rig import once
from paper_world import (
    ETHER,
    ME,
    SWAP_A,
    USDC_A,
    USDC_B,
    WETH_A,
    World,
    leg,
    plan,
)

from agent.core.fact import Fact
from agent.core.plan import Plan, Sell
from agent.engine.loop import Session, session

ONE_SWAP = plan(SWAP_A)
BRIDGED = plan(leg("1", "bridge", "paper-bridge", Sell(USDC_A, 1000 * 10**6), USDC_B, 999 * 10**6))
ORDER = plan(leg("1", "swap", "book", Sell(WETH_A, 2 * ETHER), USDC_A, 5900 * 10**6))


class RestlessError(AssertionError):
    """The engine writes and writes and gets nowhere."""


class Patient:
    """A journal that takes so many facts and no more: a loop without end fails instead."""

    def __init__(self, inner: Any, limit: int = 150) -> None:
        self._inner, self._left = inner, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, *args: Any) -> None:
        self._left -= 1
        if self._left < 0:
            raise RestlessError("the journal grows without end")
        self._inner.append(*args)


def facts(world: World, kind: type) -> list[Any]:
    return [fact for fact in world.seen if isinstance(fact, kind)]


def purposes(world: World) -> list[str]:
    """What was reserved, first attempts only, in order."""
    from agent.core.fact import Reserved

    return [r.intent.draft.purpose for r in facts(world, Reserved) if not r.attempt]


def allowance(world: World, token: Any, spender: Any) -> int:
    return world.chains[token.chain].ledger.allowances.get((token.address, ME, spender), 0)


def slow_world(*, automine: bool = False, **kwargs: Any) -> World:
    """Blocks come when time passes: one every twelve seconds."""
    world = World(automine=automine, **kwargs)
    inner = world.clock.sleep
    state = {"since": 0.0}

    def sleep(seconds: float) -> None:
        inner(seconds)
        state["since"] += max(1.0, seconds)
        while state["since"] >= 12:
            state["since"] -= 12
            for chain in world.chains.values():
                chain.mine()

    world.clock.sleep = sleep
    return world


def start(world: World, wanted: Plan, io: Any = None, budget: float = 3600) -> Any:
    return once(world, io or world.io(), wanted, "worker")


@contextmanager
def started(world: World, wanted: Plan, run: str = "r1", **changes: Any):
    """A session with that run begun; a loop without end fails instead of hanging."""
    fields = {"journal": Patient(world.journal), **changes}
    with session("worker", world.io(**fields)) as held:
        held.start(run, wanted, world.snapshot())
        yield held


def after(held: Session, react: Callable[[Fact], None]) -> None:
    """Let the world react to each fact, right after it is durable."""
    append = held._tail.append

    def appended(fact: Fact) -> None:
        append(fact)
        react(fact)

    held._tail.append = appended


def until(held: Session, world: World, done: Callable[[], object], tries: int = 400) -> None:
    """Advance a second at a time until something has happened."""
    for _ in range(tries):
        if done():
            return
        held.advance(1)
        world.clock.sleep(1)
    raise AssertionError("it never happened")
