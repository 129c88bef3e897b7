"""A process that dies at its n-th effect, and the run that must not notice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from paper_world import BRIDGE, ME, TOKENS, A, World

from agent.core.plan import Plan
from agent.engine.io import Io
from agent.engine.loop import Finished, Wait, session
from agent.ports import Sent


class Crash(BaseException):
    """The process is gone: no handler may stop it."""


class Fuse:
    """Burns down by one at each effect boundary; None never burns out."""

    def __init__(self, budget: int | None = None) -> None:
        self.budget = budget
        self.burnt = 0

    def tick(self) -> None:
        self.burnt += 1
        if self.budget is not None:
            if self.budget == 0:
                raise Crash
            self.budget -= 1


class Fused:
    """A port whose named methods are effects: the process may die before and after each."""

    def __init__(self, inner: Any, fuse: Fuse, *methods: str) -> None:
        self._inner, self._fuse, self._methods = inner, fuse, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._methods:
            return found

        def effect(*args: Any, **kwargs: Any) -> Any:
            self._fuse.tick()
            answer = found(*args, **kwargs)
            self._fuse.tick()
            return answer

        return effect


class DeafNode:
    """A node whose n-th broadcast loses the request or the reply; without *at*, every one."""

    def __init__(self, inner: Any, lost: str, at: int | None = None) -> None:
        self._inner, self._lost, self._at, self.sends = inner, lost, at, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def send(self, raw: str) -> Sent:
        self.sends += 1
        if self._at not in {None, self.sends}:
            return self._inner.send(raw)
        if self._lost == "reply":
            self._inner.send(raw)
        return Sent(accepted=False, said="timed out")


def fused(world: World, fuse: Fuse, lost: str = "") -> Io:
    """The world's ports with a fuse in front of every effect; broadcasts may lose a part."""
    chains = {chain: DeafNode(node, lost) if lost else node for chain, node in world.chains.items()}
    return world.io(
        journal=Fused(world.journal, fuse, "append"),
        signer=Fused(world.io().signer, fuse, "sign"),
        nodes={chain: Fused(node, fuse, "send") for chain, node in chains.items()},
    )


def once(world: World, io: Io, plan: Plan, worker: str) -> Finished | Wait:
    """One process's life: start the run if nobody has, then go on as far as possible."""
    with session(worker, io) as held:
        if not held.state.runs:
            held.start("r1", plan, world.snapshot())
        return held.advance(3_600)


def live(world: World, plan: Plan, *budgets: int | None) -> Finished:
    """Processes one after another, each dying after its budget; the last one never does."""
    for number, budget in enumerate((*budgets, None)):
        try:
            ended = once(world, fused(world, Fuse(budget)), plan, f"worker-{number}")
        except Crash:
            continue
        assert isinstance(ended, Finished), ended
        return ended
    raise AssertionError("the last process never dies")


MODES = ("kill", "request lost", "reply lost", "reorg after")
"""What becomes of a process at an effect boundary, and of its broadcasts and blocks."""


def struck(world: World, plan: Plan, point: int, mode: str) -> Finished:
    """A process dies at *point* in that *mode*, and another one ends the run."""
    lost = mode.removesuffix(" lost") if mode.endswith("lost") else ""
    with contextlib.suppress(Crash):
        once(world, fused(world, Fuse(point), lost), plan, "struck")
    if mode == "reorg after":
        for chain in world.chains.values():
            chain.reorg(1)
    ended = once(world, world.io(), plan, "heir")
    assert isinstance(ended, Finished), ended
    return ended


def deposits(world: World) -> int:
    """Transfers to the bridge that the chain has, whoever believes what."""
    blocks = world.chains[A].blocks
    sent = [move for block in blocks for moves in block.transfers.values() for move in moves]
    return sum(source == ME and to == BRIDGE for _, source, to, _ in sent)


def balances(world: World) -> dict[str, int]:
    return {f"{token.symbol}@{token.chain}": world.holds(token) for token in TOKENS}


def effects(make: Callable[[], World], plan: Plan) -> int:
    """How many effect boundaries a run has when nothing happens to it."""
    fuse = Fuse()
    world = make()
    once(world, fused(world, fuse), plan, "counter")
    return fuse.burnt
