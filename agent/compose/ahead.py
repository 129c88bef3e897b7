"""A plan simulated leg by leg by each chain's own node, for machines without local forks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from agent.compose.rehearsable import rehearsable
from agent.core.fact import Quoted, Refused, Started
from agent.core.fold import apply
from agent.core.foresight import Comparison, Flow, compare_flows
from agent.core.intent import Draft
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Plan, in_order
from agent.core.progress import Ask
from agent.core.quote import Allowance, Call
from agent.core.simulated import NOTHING, Simulated
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.ask import ask
from agent.engine.io import Io, Later
from agent.engine.threshold import holdings
from agent.errors import NoSimulator, Unavailable
from agent.ports import Node

RUN = "ahead"


class AheadNode:
    """A node that shows its chain as it will be once the calls so far have been made.

    Everything is the inner node's but `simulate`, which puts those calls, and what has arrived
    by then, before the ones that it is asked for.
    """

    def __init__(self, inner: Node) -> None:
        self._inner = inner
        self._calls: list[tuple[Call, int]] = []
        self._last = Simulated(ok=True, gas_used=(), deltas={}, allowances=())
        self.deltas: dict[Token, int] = {}
        self.given: dict[Token, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
        given: Mapping[Token, int] = NOTHING,
    ) -> Simulated:
        """Run *calls* after those so far; what is told is theirs alone."""
        whole = [*self._calls, *calls]
        done = self._inner.simulate(account, whole, watch, allowances, {**self.given, **given})
        self._last = done
        own = {token: raw - self.deltas.get(token, 0) for token, raw in done.deltas.items()}
        at = len(self._calls)
        failed = done.reverted and (max(0, done.reverted[0] - at), done.reverted[1])
        return replace(done, gas_used=done.gas_used[at:], deltas=own, reverted=failed)

    def go_on(self, drafts: Sequence[Draft]) -> Simulated:
        """Take what was simulated last as done; returns it as a whole."""
        made = [(each.payload, each.gas_limit) for each in drafts if isinstance(each.payload, Call)]
        self._calls += made
        self.deltas = dict(self._last.deltas)
        return self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class AheadLeg:
    """What became of one leg; `why` is empty when it went through."""

    leg: Leg
    flow: Flow | None
    gas_used: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The plan as the nodes foresee it, network fees excluded; `left` are open allowances."""

    legs: tuple[AheadLeg, ...]
    after: Mapping[Token, int]
    rows: tuple[Comparison, ...]
    left: int


def ahead(io: Io, plan: Plan, snapshot: Snapshot) -> Ahead:
    """Simulate *plan* leg by leg, each checked by the whole guard; nothing is signed.

    What a bridge brings is what the bytes of its deposit guarantee. Raises NoSimulator where a
    node cannot simulate at all.
    """
    nodes = {chain: AheadNode(node) for chain, node in io.nodes.items()}
    io = replace(
        io,
        nodes={chain: cast("Node", node) for chain, node in nodes.items()},
        venues=rehearsable(io.venues),
        paused=lambda: None,
        canary=None,
    )
    state = _begun(io, plan, snapshot)
    flows: dict[str, Flow] = {}
    legs = []
    left = 0
    for leg in in_order(plan.legs):
        found = _leg(io, state, leg, flows)
        if isinstance(found, Quoted):
            node = nodes[leg.sell.token.chain]
            before = node.deltas.get(leg.buy, 0)
            done = node.go_on(found.drafts)
            brought = done.deltas.get(leg.buy, 0) - before
            if leg.kind == "bridge":
                brought = found.quote.min_amount_out
                far = nodes[leg.buy.chain]
                far.given[leg.buy] = far.given.get(leg.buy, 0) + brought
            flows[leg.id] = Flow(found.sell_raw, brought)
            left += sum(raw > 0 for raw in done.allowances)
            gas = sum(done.gas_used[-len(found.drafts) :])
            legs.append(AheadLeg(leg=leg, flow=flows[leg.id], gas_used=gas))
        else:
            legs.append(AheadLeg(leg=leg, flow=None, gas_used=0, why=found))
    after = _after(snapshot, nodes)
    rows = compare_flows(plan, flows, before=snapshot.balances, after=after)
    return Ahead(legs=tuple(legs), after=after, rows=rows, left=left)


def _begun(io: Io, plan: Plan, snapshot: Snapshot) -> State:
    started = Started(
        run=RUN,
        account=io.account,
        plan=plan,
        before=holdings(snapshot),
        blocks=(),
        at=io.clock.now(),
        worker=RUN,
    )
    return apply(State(), started)


def _leg(io: Io, state: State, leg: Leg, flows: Mapping[str, Flow]) -> Quoted | str:
    """A firm quote that went through, or why the leg was not simulated or does not."""
    missing = [name for name in leg.after if name not in flows]
    if missing:
        return f"not simulated: it waits for leg {missing[0]}"
    sell_raw = leg.sell.sized({name: flows[name].brought for name in leg.sell.arrivals})
    step = Ask(RUN, leg.id, 1, sell_raw, leg.sell.token.chain)
    try:
        found = ask(step, state, io)
    except NoSimulator:
        raise
    except Unavailable as fault:
        return f"not simulated: {fault.message}"
    match found:
        case Later():
            return f"not simulated: {found.why}"
        case (Quoted() as quoted,):
            return quoted
        case (Refused() as refused,):
            return "; ".join(f"[{no.code}] {no.why}" for no in refused.refusals)
        case _:
            return f"not simulated: a {leg.kind} is no trade"


def _after(snapshot: Snapshot, nodes: Mapping[ChainId, AheadNode]) -> dict[Token, int]:
    after = dict(snapshot.balances)
    for node in nodes.values():
        for changes in (node.deltas, node.given):
            for token, raw in changes.items():
                after[token] = after.get(token, 0) + raw
    return after
