"""A rehearsal: the real engine runs the whole plan on forks, and signs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from agent.chain.fork import ForkNode
from agent.compose.account import Account
from agent.compose.adapters import impersonator, make_node, make_venues
from agent.compose.ahead import Ahead, ahead
from agent.compose.bridges import make_bridges
from agent.compose.delivery import DeliveredBridge
from agent.compose.rehearsable import rehearsable
from agent.core.follow import Rules
from agent.core.foresight import Comparison, compare
from agent.core.money import Address, ChainId, Token
from agent.core.movement import delivered
from agent.core.plan import Leg, Plan
from agent.core.progress import trouble
from agent.core.quote import Allowance
from agent.core.snapshot import Snapshot
from agent.core.state import LegState, RunState, State
from agent.engine.ask import allowances
from agent.engine.io import Io, unheard
from agent.engine.loop import Finished, session
from agent.engine.survey import read
from agent.errors import SetupFailed
from agent.lab.packages import node_binary
from agent.lab.sandbox import DELIVERER, ForkSandbox, Origin, deliver
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo, Node
from agent.stores.memory import MemoryJournal
from agent.wire.http import HttpClient

Method = Literal["fork", "eth_simulateV1"]

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
    """What happened on the forks; `after` are base units of every token of the wallet.

    `rows` compare them with the plan; `allowances_left` counts what spenders of the run may
    still move.
    """

    ok: bool
    why: str
    legs: tuple[RehearsedLeg, ...]
    after: Mapping[Token, int]
    rows: tuple[Comparison, ...]
    allowances_left: int
    method: Method = "fork"

    @property
    def matching(self) -> int:
        """How many of the `rows` are as planned, but for what has a name."""
        return sum(row.matches for row in self.rows)


def rehearse(account: Account, plan: Plan, snapshot: Snapshot) -> Rehearsal:
    """Fork every chain of the wallet at the snapshot's blocks and run *plan* to its end there.

    Where no local node can be had the chains' own nodes simulate it leg by leg. Raises
    Unavailable when a chain can neither be forked nor simulated.
    """
    try:
        node_binary(account.settings.paths.cache)
    except SetupFailed:
        return _foreseen(ahead(account.io, plan, snapshot))
    with _forks(account, snapshot) as io:
        return _rehearsed(io, plan, snapshot)


def _foreseen(found: Ahead) -> Rehearsal:
    missing = [each for each in found.legs if each.flow is None]
    why = f"leg {missing[0].leg.id}: {missing[0].why}" if missing else "every leg goes through"
    return Rehearsal(
        ok=not missing and all(row.matches for row in found.rows),
        why=why,
        legs=tuple(
            RehearsedLeg(
                leg=each.leg,
                ok=each.flow is not None,
                expected=each.leg.expected_out,
                simulated=0 if each.flow is None else each.flow.brought,
                gas_used=each.gas_used,
                why=each.why,
            )
            for each in found.legs
        ),
        after=found.after,
        rows=found.rows,
        allowances_left=found.left,
        method="eth_simulateV1",
    )


def _rehearsed(io: Io, plan: Plan, snapshot: Snapshot) -> Rehearsal:
    with session("rehearsal", io) as held:
        held.start("rehearsal", plan, snapshot)
        ended = held.advance(BUDGET_SECONDS)
        run = held.state.runs["rehearsal"]
    after = dict(read(io, State()).balances)
    done = isinstance(ended, Finished) and ended.outcome == "done"
    rows = compare(plan, run, snapshot.balances, after)
    return Rehearsal(
        ok=done and all(row.matches for row in rows),
        why=ended.why,
        legs=tuple(_leg(run, leg) for leg in plan.legs),
        after=after,
        rows=rows,
        allowances_left=_open_allowances(run, io),
    )


def _open_allowances(run: RunState, io: Io) -> int:
    """How many of the allowances that the run spoke of are not zero now."""
    granted: dict[ChainId, dict[tuple[Address, Token], Allowance]] = {}
    for known in run.intents.values():
        allowance = known.intent.draft.allowance
        if allowance is not None:
            key = (allowance.spender, allowance.amount.token)
            granted.setdefault(known.intent.chain, {})[key] = allowance
    return sum(
        raw > 0
        for chain, found in granted.items()
        for raw in allowances(io.nodes[chain], io.account, tuple(found.values()))
    )


@contextmanager
def _forks(account: Account, snapshot: Snapshot) -> Iterator[Io]:
    settings, io = account.settings, account.io
    origins = {
        chain: Origin(urls=facts.rpc, block=snapshot.chains[chain].block.number)
        for chain, facts in settings.chains.items()
    }
    with ForkSandbox(settings.paths.cache).forks(origins) as urls:
        nodes: dict[ChainId, Node] = {
            chain: ForkNode(make_node(facts, io.clock, fork=urls[chain]), urls[chain])
            for chain, facts in settings.chains.items()
        }
        adapters = AdapterIo(nodes, io.clock, HttpClient())
        # A fork has no other traffic: its first block is as good as its sixth.
        chains = {
            chain: replace(rules, rules=Rules(confirmations=1), poll_seconds=0.05)
            for chain, rules in io.chains.items()
        }
        made = make_bridges(settings, adapters, io.prices, on_forks=True)
        yield replace(
            io,
            chains=chains,
            nodes=nodes,
            venues=rehearsable(make_venues(settings, adapters)),
            bridges={
                name: DeliveredBridge(
                    bridge, DELIVERER, lambda chain, delivery: deliver(urls[chain], delivery)
                )
                for name, bridge in made.items()
            },
            signer=impersonator(settings),
            journal=MemoryJournal(),
            replan=lambda _run: NoPlan(("a rehearsal does not plan again",)),
            paused=lambda: None,
            observe=lambda _fact: None,
            hear=unheard,
            canary=None,
        )


def _leg(run: RunState, leg: Leg) -> RehearsedLeg:
    state = run.legs.get(leg.id)
    brought = None if state is None else delivered(run, state)
    gas = sum(
        known.mined.receipt.gas_used for known in run.of_leg(leg.id) if known.mined is not None
    )
    return RehearsedLeg(
        leg=leg,
        ok=brought is not None,
        expected=leg.expected_out,
        simulated=brought or 0,
        gas_used=gas,
        why="" if state is None else _trouble(run, state),
    )


def _trouble(run: RunState, leg: LegState) -> str:
    """Why a leg was not done; empty when nothing speaks against it."""
    if leg.refused is not None:
        return "; ".join(f"[{no.code}] {no.why}" for no in leg.refused.refusals)
    return trouble(run, leg) or ""
