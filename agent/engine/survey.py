"""Read, value, decide, survey, plan: from the chains to a plan, nothing signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from agent.core.agree import falling
from agent.core.decide import Decision, History, Rest, decide
from agent.core.fees import FeeQuote
from agent.core.market import Edge
from agent.core.money import ChainId, Token
from agent.core.plan import Plan
from agent.core.price import Prices
from agent.core.snapshot import ChainSnapshot, Snapshot
from agent.core.state import State
from agent.core.transit import in_flight
from agent.core.value import UNPRICED, Valuation, value
from agent.core.verdict import Refusal
from agent.engine.io import Io
from agent.planning.greedy import plan
from agent.planning.needs import pairs_needed
from agent.planning.problem import NoPlan, Problem
from agent.ports import Node

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a wallet: what it holds, what that is worth, and what follows."""

    snapshot: Snapshot
    prices: Prices
    valuation: Valuation
    decision: Decision
    now: int


def history(state: State) -> History:
    """What earlier runs leave for the next decision."""
    if state.ended is None:
        return History()
    outcome = state.ended.outcome
    if outcome == "needs_human" and state.unreconciled is None:
        # A person has looked and accepted the balances: what ended is an aborted run like others.
        outcome = "aborted"
    return History(state.ended.at, outcome)


def read(io: Io, state: State) -> Snapshot:
    """One block-pinned snapshot per chain, all chains side by side, one request each."""

    def snapshot(chain: ChainId, node: Node) -> ChainSnapshot:
        return node.snapshot(io.account, io.chains[chain].tokens)

    return Snapshot(io.account, _side_by_side(io.nodes, snapshot), in_flight(state))


def look(io: Io, state: State, *, asked: bool = False) -> Look:
    """Read, value and decide; *asked* is a person's wish to act now."""
    snapshot = read(io, state)
    prices = io.prices()
    valuation = value(snapshot, prices, io.policy)
    now = io.clock.now()
    decision = decide(valuation, io.policy, history(state), now, asked=asked)
    return Look(snapshot, prices, valuation, decision, now)


def make_plan(io: Io, seen: Look) -> Plan | NoPlan:
    """Survey the venues for what the decision needs, and plan."""
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
    needs = pairs_needed(
        seen.valuation, seen.decision, io.policy, prices=seen.prices, wrapped=wrapped
    )
    return plan(
        Problem(
            valuation=seen.valuation,
            decision=seen.decision,
            policy=io.policy,
            prices=seen.prices,
            snapshot=seen.snapshot,
            edges=survey(io, needs.pairs, needs.sizes),
            wrapped=wrapped,
            fees=_side_by_side(io.nodes, _fees),
            native_prices=native_prices,
            now=seen.now,
            falling=falling(seen.prices, MappingProxyType({})),
        )
    )


def survey(
    io: Io, pairs: tuple[tuple[Token, Token], ...], sizes: Mapping[Token, int]
) -> tuple[Edge, ...]:
    """Indicative edges of all venues on all chains, and of all bridges between them."""
    edges: list[Edge] = []
    routes = [both for both in pairs if both[0].chain != both[1].chain]
    for bridge in io.bridges.values() if routes else ():
        edges += bridge.survey(routes, sizes)
    for chain in dict.fromkeys(sell.chain for sell, _ in pairs):
        here = [both for both in pairs if both[0].chain == both[1].chain == chain]
        for venue in io.venues.values():
            edges += venue.survey(chain, here, sizes)
    return tuple(edges)


def _fees(_chain: ChainId, node: Node) -> FeeQuote:
    return node.fees()


def _side_by_side(
    nodes: Mapping[ChainId, Node], ask: Callable[[ChainId, Node], T]
) -> dict[ChainId, T]:
    if len(nodes) == 1:
        return {chain: ask(chain, node) for chain, node in nodes.items()}
    with ThreadPoolExecutor(max(1, len(nodes)), "chain") as pool:
        answers = pool.map(lambda item: ask(*item), nodes.items())
        return dict(zip(nodes, answers, strict=True))
