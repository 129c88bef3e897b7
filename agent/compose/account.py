"""One wallet with everything that is needed to look at it and to act for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from agent.chain.node import RpcNode
from agent.compose.adapters import (
    KeyAccess,
    PriceDesk,
    make_node,
    make_oracles,
    make_signer,
    make_venues,
)
from agent.compose.bridges import make_bridges
from agent.compose.journal import open_journal
from agent.compose.kill_switch import KillSwitch
from agent.core.budget import run_value
from agent.core.follow import Rules
from agent.core.money import ChainId
from agent.core.plan import Leg, Plan
from agent.core.state import RunState, State
from agent.core.wanted import again
from agent.engine.io import ChainRules, Io, Pause, unheard
from agent.engine.survey import look, make_plan
from agent.engine.tail import load
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo, Clock, Journal, Observer
from agent.settings import ChainFacts, Settings
from agent.signers.env_key import EnvKeySigner
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient

_ONCE = (
    "part of what was to be invested may be sold by now, so the rest is not planned again: "
    "look, and ask for what is left"
)


def chain_rules(facts: ChainFacts) -> ChainRules:
    """What the engine needs to know of a chain, from its facts."""
    return ChainRules(
        native=facts.native,
        wrapped=facts.wrapped,
        tokens=facts.tokens,
        rules=Rules(confirmations=facts.confirmations),
        poll_seconds=max(0.2, float(facts.block_seconds) / 4),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A wallet's settings, its ports and its nodes."""

    settings: Settings
    io: Io
    nodes: dict[ChainId, RpcNode]

    def state(self) -> State:
        """What the journal says now; raises JournalCorrupt."""
        return load(self.io.journal, self.io.account)

    def permit(self, value: Decimal) -> None:
        """Refuse to move *value* with a key that must not; raises KeyNotAllowed."""
        if isinstance(self.io.signer, EnvKeySigner):
            self.io.signer.permit(value)

    def requests(self) -> int:
        """HTTP requests made to all nodes so far."""
        return sum(node.requests for node in self.nodes.values())

    def close(self) -> None:
        """Let go of connections and files."""
        for node in self.nodes.values():
            node.close()
        self.io.journal.close()


def open_account(
    settings: Settings,
    access: KeyAccess,
    *,
    observe: Observer = lambda _fact: None,
    hear: Callable[[Pause], None] = unheard,
    journal: Journal | None = None,
    clock: Clock | None = None,
) -> Account:
    """Everything for one wallet; nothing is asked, read or unlocked yet.

    Where local chains' time is not this machine's, *clock* tells it.
    """
    clock = SystemClock() if clock is None else clock
    nodes = {chain: make_node(facts, clock) for chain, facts in settings.chains.items()}
    adapters = AdapterIo(dict(nodes), clock, HttpClient())
    desk = PriceDesk(settings, make_oracles(settings, adapters), clock)
    io = Io(
        account=settings.account,
        policy=settings.policy,
        chains={chain: chain_rules(facts) for chain, facts in settings.chains.items()},
        nodes=adapters.nodes,
        venues=make_venues(settings, adapters),
        bridges=make_bridges(settings, adapters, desk),
        signer=make_signer(settings, access),
        journal=open_journal(settings) if journal is None else journal,
        clock=clock,
        prices=desk,
        replan=lambda _run: NoPlan(()),
        paused=KillSwitch(settings.paths.state).reason,
        observe=observe,
        hear=hear,
        canary=_canary(settings),
    )
    io = replace(io, replan=replanner(io))
    return Account(settings=settings, io=io, nodes=nodes)


def _canary(settings: Settings) -> Decimal | None:
    """The most that a first use may move; on local chains only where the owner asks for it."""
    asked = settings.origin["canary.value"].source != "default"
    return settings.canary_value if asked or not settings.local else None


def replanner(io: Io) -> Callable[[RunState], Plan | NoPlan]:
    """Plans what is left of a run on fresh prices and balances, under new leg ids.

    The plan may move what the run's limit leaves, knows of money in flight, and goes to a venue
    or bridge that was refused for its offer only where more stays outside the bands without it.
    It serves what the run was begun for; an investment that has begun is not planned again.
    """

    def replan(run: RunState) -> Plan | NoPlan:
        left = io.policy.limits.max_run_value - run_value(run)
        if not (left > 0):
            return NoPlan(("the run has moved all that max_run_value allows",))
        wish = again(run)
        if wish is None:
            return NoPlan((_ONCE,))
        limits = replace(io.policy.limits, max_run_value=left)
        within = replace(io, policy=replace(io.policy, limits=limits))
        seen = look(within, load(io.journal, io.account), asked=True, wish=wish)
        found = make_plan(_without(within, run.shunned), seen)
        if run.shunned and (isinstance(found, NoPlan) or found.missed > 0):
            trusting = make_plan(within, seen)
            if isinstance(found, NoPlan) or _reaches_more(trusting, found):
                found = trusting
        return found if isinstance(found, NoPlan) else renamed(found, f"r{run.replans + 1}.")

    return replan


def _reaches_more(one: Plan | NoPlan, other: Plan) -> bool:
    return not isinstance(one, NoPlan) and one.missed < other.missed


def _without(io: Io, shunned: frozenset[str]) -> Io:
    venues = {name: venue for name, venue in io.venues.items() if name not in shunned}
    bridges = {name: bridge for name, bridge in io.bridges.items() if name not in shunned}
    return replace(io, venues=venues, bridges=bridges)


def renamed(plan: Plan, prefix: str) -> Plan:
    """The same plan with *prefix* before each leg's id: ids are unique within a run."""

    def leg(old: Leg) -> Leg:
        arrivals = tuple(prefix + name for name in old.sell.arrivals)
        return replace(
            old,
            id=prefix + old.id,
            after=tuple(prefix + name for name in old.after),
            sell=replace(old.sell, arrivals=arrivals),
        )

    return replace(plan, legs=tuple(leg(old) for old in plan.legs))
