"""A rehearsal: the real engine runs the whole plan on forks, and signs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from agent.chain.fork import ForkNode
from agent.compose.account import Account
from agent.compose.adapters import impersonator, make_node, make_venues
from agent.compose.bridges import make_bridges
from agent.core.fact import Settled
from agent.core.follow import Rules
from agent.core.money import ChainId, Token
from agent.core.plan import Leg, Plan
from agent.core.snapshot import Snapshot
from agent.core.state import RunState
from agent.engine.io import Io
from agent.engine.loop import Finished, session
from agent.lab.sandbox import ForkSandbox
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo, Node
from agent.stores.memory import MemoryJournal
from agent.wire.http import HttpClient

BUDGET_SECONDS = 120.0
"""Local forks mine at once; a rehearsal that takes longer than this does not end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedLeg:
    """One leg in base units of what it buys: as planned, and as it came out on the fork."""

    leg: Leg
    ok: bool
    expected: int
    simulated: int
    gas_used: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What happened on the forks; `after` are base units of every token of the wallet."""

    ok: bool
    why: str
    legs: tuple[RehearsedLeg, ...]
    after: dict[Token, int]
    allowances_left: int
    method: str = "fork"


def rehearse(account: Account, plan: Plan, snapshot: Snapshot) -> Rehearsal:
    """Fork every chain of the wallet at the snapshot's blocks and run *plan* to its end there.

    Raises SetupFailed where the local node cannot be had, Unavailable when a chain cannot
    be forked.
    """
    with _forks(account, snapshot) as io:
        with session("rehearsal", io) as held:
            held.start("rehearsal", plan, snapshot)
            ended = held.advance(BUDGET_SECONDS)
            run = held.state.runs["rehearsal"]
        after = {
            token: raw
            for chain, rules in io.chains.items()
            for token, raw in io.nodes[chain].snapshot(io.account, rules.tokens).balances.items()
        }
    done = isinstance(ended, Finished) and ended.outcome == "done"
    return Rehearsal(
        ok=done,
        why=ended.why,
        legs=tuple(_leg(run, leg) for leg in plan.legs),
        after=after,
        allowances_left=ended.why.count("allowance") if not done else 0,
    )


@contextmanager
def _forks(account: Account, snapshot: Snapshot) -> Iterator[Io]:
    settings, io = account.settings, account.io
    sandbox = ForkSandbox(settings.paths.cache)
    nodes: dict[ChainId, Node] = {}
    with ExitStack() as stack:
        for chain, facts in settings.chains.items():
            block = snapshot.chains[chain].block.number
            url = stack.enter_context(sandbox.fork(chain, facts.rpc[0], block))
            nodes[chain] = ForkNode(make_node(facts, io.clock, fork=url), url)
        adapters = AdapterIo(nodes, io.clock, HttpClient())
        # A fork has no other traffic: its first block is as good as its sixth.
        chains = {
            chain: replace(rules, rules=Rules(confirmations=1), poll_seconds=0.05)
            for chain, rules in io.chains.items()
        }
        yield replace(
            io,
            chains=chains,
            nodes=nodes,
            venues=make_venues(settings, adapters),
            bridges=make_bridges(settings, adapters, io.prices, on_forks=True),
            signer=impersonator(settings),
            journal=MemoryJournal(),
            replan=lambda _run: NoPlan(("a rehearsal does not plan again",)),
            paused=lambda: None,
            observe=lambda _fact: None,
            canary=None,
        )


def _leg(run: RunState, leg: Leg) -> RehearsedLeg:
    state = run.legs.get(leg.id)
    settled: Settled | None = None if state is None else state.settled
    gas = sum(
        known.mined.receipt.gas_used for known in run.of_leg(leg.id) if known.mined is not None
    )
    why = ""
    if state is not None and state.refused is not None:
        why = "; ".join(f"[{no.code}] {no.why}" for no in state.refused.refusals)
    return RehearsedLeg(
        leg=leg,
        ok=settled is not None,
        expected=leg.expected_out,
        simulated=0
        if settled is None
        else sum(delta.raw for delta in settled.deltas if delta.token == leg.buy),
        gas_used=gas,
        why=why,
    )
