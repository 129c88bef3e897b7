"""Read, value, decide, survey, plan: from the chains to a plan, nothing signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from agent.core.agree import falling
from agent.core.decide import Decision, History, Rest
from agent.core.fees import FeeQuote
from agent.core.frozen import empty
from agent.core.market import Edge
from agent.core.money import ChainId, Token
from agent.core.plan import Plan
from agent.core.price import Prices
from agent.core.snapshot import ChainSnapshot, Snapshot
from agent.core.state import State
from agent.core.task import Moment, Task
from agent.core.transit import in_flight
from agent.core.value import UNPRICED, Valuation, value
from agent.core.verdict import Refusal
from agent.core.wanted import wanted
from agent.core.wish import Wish, standing
from agent.engine.asking import asked_edges
from agent.engine.io import Io
from agent.engine.rounds import planned
from agent.errors import StaleHead, Unavailable
from agent.planning.crossing import crossing_needed
from agent.planning.needs import Needs, pairs_needed
from agent.planning.problem import NoPlan, Problem
from agent.planning.serving import permitted
from agent.ports import Node

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a wallet: what it holds, what that is worth, and what follows.

    `idle` says of chains that stand still why nothing can be done there: their balances are
    those of their last block. `known` are the venues and bridges that have worked for it. `task`
    is what the planner is asked.
    """

    snapshot: Snapshot
    prices: Prices
    valuation: Valuation
    decision: Decision
    now: int
    task: Task
    idle: Mapping[ChainId, str] = field(default_factory=empty)
    known: frozenset[str] = frozenset()


def history(state: State) -> History:
    """What earlier runs leave for the next decision."""
    acted = state.acted
    outcome = None if acted is None else acted.outcome
    if state.unreconciled is not None:
        outcome = "needs_human"
    elif outcome == "needs_human":
        # A person has looked and accepted the balances: what ended is an aborted run like others.
        outcome = "aborted"
    return History(None if acted is None else acted.at, outcome)


def read(io: Io, state: State) -> Snapshot:
    """One block-pinned snapshot per chain, all chains side by side, one request each.

    A chain that stands still is read at its last block. Raises `Unavailable` when one cannot
    be read, and says which: nothing is concluded from a part.
    """
    return _read(io, state)[0]


def _read(io: Io, state: State) -> tuple[Snapshot, Mapping[ChainId, str]]:
    """The snapshot, and why nothing can be done on chains that stand still."""
    idle: dict[ChainId, str] = {}

    def snapshot(chain: ChainId, node: Node) -> ChainSnapshot:
        tokens = io.chains[chain].tokens
        try:
            return node.snapshot(io.account, tokens)
        except StaleHead as fault:
            idle[chain] = fault.message
            return node.snapshot(io.account, tokens, old=True)

    seen = _side_by_side(io.nodes, snapshot)
    return Snapshot(io.account, seen, in_flight(state)), MappingProxyType(idle)


def look(io: Io, state: State, *, asked: bool = False, wish: Wish | None = None) -> Look:
    """Read, value and decide; *asked* is a person's wish to act now.

    *wish* is what a plan is wanted for; without one it is what the policy says.
    """
    snapshot, idle = _read(io, state)
    prices = io.prices()
    valuation = value(snapshot, prices, io.policy)
    moment = Moment(
        valuation=valuation,
        policy=io.policy,
        prices=prices,
        history=history(state),
        at=io.clock.now(),
        asked=asked,
        idle=frozenset(idle),
    )
    task, decision = wanted(standing(io.policy) if wish is None else wish, moment)
    return Look(snapshot, prices, valuation, decision, moment.at, task, idle, state.vias)


def make_plan(io: Io, seen: Look) -> Plan | NoPlan:
    """Survey the venues for what the decision needs, and plan; who is only asked is asked then."""
    if isinstance(seen.decision, Rest):
        return NoPlan((seen.decision.why,), seen.decision.refusals)
    wrapped = {chain: rules.wrapped for chain, rules in io.chains.items()}
    native_prices = {}
    for chain, rules in io.chains.items():
        price = seen.prices.of(rules.native)
        if price is None:
            why = f"{rules.native.symbol} has no price, so gas cannot be valued"
            return NoPlan((why,), (Refusal(UNPRICED, why),))
        native_prices[chain] = price.value
    needs = _needs(seen, wrapped)
    problem = Problem(
        valuation=seen.valuation,
        decision=seen.decision,
        policy=io.policy,
        prices=seen.prices,
        snapshot=seen.snapshot,
        edges=survey(io, _awake(needs.pairs, seen.idle), needs.sizes),
        wrapped=wrapped,
        fees=_fees(io, seen),
        native_prices=native_prices,
        now=seen.now,
        falling=falling(seen.prices, io.policy.pegs),
        idle=seen.idle,
        canary=io.canary,
        known=seen.known,
    )
    return planned(io, seen.task, problem, needs.sizes)


def _needs(seen: Look, wrapped: Mapping[ChainId, Token]) -> Needs:
    """All pairs that a plan could use: on one chain, and by way of others."""
    worth, policy = seen.task.valuation, seen.task.policy
    near = pairs_needed(worth, seen.decision, policy, prices=seen.prices, wrapped=wrapped)
    far = crossing_needed(worth, policy, prices=seen.prices, wrapped=wrapped)
    sizes = dict(near.sizes)
    for token, raw in far.sizes.items():
        sizes[token] = max(raw, sizes.get(token, 0))
    both = Needs(tuple(dict.fromkeys([*near.pairs, *far.pairs])), sizes)
    return permitted(seen.task, both, wrapped)


Pairs = tuple[tuple[Token, Token], ...]


def _awake(pairs: Pairs, idle: Mapping[ChainId, str]) -> Pairs:
    """Those between chains that do not stand still."""
    return tuple(both for both in pairs if not {both[0].chain, both[1].chain} & set(idle))


def _fees(io: Io, seen: Look) -> dict[ChainId, FeeQuote]:
    """What gas costs now; on a chain that stands still, what it cost in its last block."""

    def fees(chain: ChainId, node: Node) -> FeeQuote:
        if chain in seen.idle:
            return FeeQuote(seen.snapshot.chains[chain].block.base_fee_per_gas, 0)
        return node.fees()

    return _side_by_side(io.nodes, fees)


def survey(io: Io, pairs: Pairs, sizes: Mapping[Token, int]) -> tuple[Edge, ...]:
    """Indicative edges of all venues on all chains side by side, and of all bridges between them.

    For pairs that no venue surveys those who are only asked are asked. Transfers that take longer
    than the policy waits are left out.
    """
    edges: list[Edge] = []
    routes = [both for both in pairs if both[0].chain != both[1].chain]
    for bridge in io.bridges.values() if routes else ():
        crossing = bridge.survey(routes, sizes)
        edges += [edge for edge in crossing if edge.seconds <= io.policy.max_wait_seconds]
    here: dict[ChainId, list[tuple[Token, Token]]] = {sell.chain: [] for sell, _ in pairs}
    for sell, buy in pairs:
        if sell.chain == buy.chain:
            here[sell.chain].append((sell, buy))

    def surveyed(chain: ChainId, _: Node) -> list[Edge]:
        return [e for venue in io.venues.values() for e in venue.survey(chain, here[chain], sizes)]

    nodes = {chain: io.nodes[chain] for chain in here}
    if io.serial:
        found = {chain: surveyed(chain, node) for chain, node in nodes.items()}
    else:
        found = _side_by_side(nodes, surveyed)
    for chain, its in found.items():
        covered = {(edge.sell, edge.buy) for edge in its}
        open_pairs = [both for both in here[chain] if both not in covered]
        edges += its
        edges += asked_edges(io, chain, open_pairs, sizes, {edge.via for edge in its})
    return tuple(edges)


def _side_by_side(
    nodes: Mapping[ChainId, Node], ask: Callable[[ChainId, Node], T]
) -> dict[ChainId, T]:
    """The answers of all chains; raises one `Unavailable` that names all that are silent."""
    with ThreadPoolExecutor(max(1, len(nodes)), "chain") as pool:
        asked = {chain: pool.submit(ask, chain, node) for chain, node in nodes.items()}
    faults = [found.exception() for found in asked.values()]
    silent = [fault for fault in faults if isinstance(fault, Unavailable)]
    if len(silent) > 1:
        said = "; ".join(fault.message for fault in silent)
        raise type(silent[0])(said, fix=silent[0].fix, code=silent[0].code)
    return {chain: found.result() for chain, found in asked.items()}
