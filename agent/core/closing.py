"""The closing rule: before + facts = after, per token that the run touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from agent.core.fact import Arrived, Holding, Outcome, Refunded
from agent.core.intent import Delta
from agent.core.money import NATIVE, ChainId, Token
from agent.core.movement import away, delivered
from agent.core.plan import Plan
from agent.core.progress import ends_because
from agent.core.state import LegState, RunState, State


def unread(plan: Plan, before: tuple[Holding, ...]) -> tuple[Token, ...]:
    """Tokens that *plan* touches and whose balance is not in *before*, gas coins included."""
    known = {holding.token for holding in before}
    tokens = [token for leg in plan.legs for token in (leg.sell.token, leg.buy)]
    coins = [Token(token.chain, NATIVE, 18, f"gas coin of {token.chain}") for token in tokens]
    return tuple(token for token in (*tokens, *coins) if token not in known)


def touched(run: RunState) -> tuple[Token, ...]:
    """Tokens that begun legs sell, buy or brought, and the gas coins of the chains acted on."""
    tokens: dict[Token, None] = {}
    for leg in run.legs.values():
        if run.of_leg(leg.leg.id):
            tokens |= dict.fromkeys((leg.leg.sell.token, leg.leg.buy))
        landed = [back.amount.token for back in (leg.arrived, leg.refunded) if back is not None]
        tokens |= dict.fromkeys(landed)
    for known in run.intents.values():
        tokens[native_of(run, known.intent.chain)] = None
    return tuple(tokens)


def native_of(run: RunState, chain: ChainId) -> Token:
    """The gas coin of *chain*, as the run's first snapshot knows it."""
    coins = (holding.token for holding in run.started.before if holding.token.is_native)
    return next(token for token in coins if token.chain == chain)


def explained(run: RunState) -> Mapping[Token, int]:
    """What the facts say has changed, in base units: settled legs, arrivals, network fees.

    What was there when the run began has changed nothing in it.
    """
    total: dict[Token, int] = {}
    for leg in run.legs.values():
        for delta in () if leg.settled is None else leg.settled.deltas:
            total[delta.token] = total.get(delta.token, 0) + delta.raw
        for landed in (leg.arrived, leg.refunded):
            if landed is not None and not _there_before(run, leg, landed):
                token = landed.amount.token
                total[token] = total.get(token, 0) + landed.amount.raw
    for known in run.intents.values():
        if known.mined is not None:
            token = native_of(run, known.intent.chain)
            total[token] = total.get(token, 0) - known.mined.receipt.fee
    return total


def _there_before(run: RunState, leg: LegState, landed: Arrived | Refunded) -> bool:
    """Whether money landed before the run's first snapshot: known then, or told by its block."""
    if leg.leg.kind == "claim" and not leg.leg.expected_out:
        return True
    chain = landed.amount.token.chain
    first = next((at.number for at in run.started.blocks if at.chain == chain), -1)
    return 0 < landed.block <= first


def explained_by(runs: Iterable[RunState]) -> Mapping[Token, int]:
    """What the facts of several runs together have changed, in base units."""
    total: dict[Token, int] = {}
    for run in runs:
        for token, raw in explained(run).items():
            total[token] = total.get(token, 0) + raw
    return MappingProxyType(total)


def elsewhere(state: State, run: RunState) -> Mapping[Token, int]:
    """What other runs have changed since *run* began, in base units.

    Usually nothing: an older run does so when its blocks went away, a younger one when this
    one was reopened.
    """
    others = explained_by(other for other in state.runs.values() if other.id != run.id)
    tokens = {**others, **run.base}
    return {token: others.get(token, 0) - run.base.get(token, 0) for token in tokens}


def unexplained(
    run: RunState, after: Mapping[Token, int], others: Mapping[Token, int] | None = None
) -> tuple[Delta, ...]:
    """What changed and no fact explains, per touched token; *after* in base units.

    *others* is what other runs have changed meanwhile, nothing when not given.
    """
    before = {holding.token: holding.raw for holding in run.started.before}
    facts, rows = explained(run), []
    for token in touched(run):
        rest = after[token] - before[token] - facts.get(token, 0) - (others or {}).get(token, 0)
        if rest:
            rows.append(Delta(token=token, raw=rest))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends and the sentence that says why."""

    outcome: Outcome
    why: str


def ending(run: RunState, rest: tuple[Delta, ...], open_allowances: tuple[str, ...]) -> Ending:
    """The outcome of a run from its facts, what is unexplained, and allowances left over."""
    lost = [leg.lost for leg in run.legs.values() if leg.lost is not None]
    if lost:
        return Ending("needs_human", f"leg {lost[0].leg}: {lost[0].why}")
    missing = [delta for delta in rest if delta.raw < 0]
    if missing:
        gone = ", ".join(
            f"{-delta.raw} base units of {delta.token.symbol} on chain {delta.token.chain}"
            for delta in missing
        )
        return Ending("needs_human", f"{gone} left the wallet and no fact of this run says why")
    if open_allowances:
        return Ending("needs_human", f"an allowance is still open: {', '.join(open_allowances)}")
    why = ends_because(run)
    if why is not None:
        return Ending("aborted", why)
    waits = _waiting(run)
    if waits is not None:
        return Ending("waiting", waits)
    open_legs = [
        leg.leg.id for leg in run.legs.values() if not leg.given_up and not _done(run, leg)
    ]
    if open_legs:
        return Ending("aborted", f"leg {open_legs[0]} was never done")
    back = any(leg.refunded is not None for leg in run.legs.values())
    return Ending("done", "everything has arrived or come back" if back else "every leg arrived")


def _waiting(run: RunState) -> str | None:
    """What a run ends without: the first of its transfers that has long to wait."""
    for leg in run.legs.values():
        if away(run, leg) and leg.heir is not None:
            return f"leg {leg.leg.id}: run {leg.heir[0]} follows its transfer"
        if away(run, leg) and leg.deferred is not None:
            return f"leg {leg.leg.id}: {leg.deferred.why}"
    return None


def _done(run: RunState, leg: LegState) -> bool:
    if leg.leg.kind == "revoke":
        return any(known.succeeded for known in run.of_leg(leg.leg.id))
    if leg.leg.kind == "claim" and leg.refunded is not None:
        return True
    return delivered(run, leg) is not None


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run has cost so far, in the unit of account: network fees, and value lost in swaps."""

    fees: Decimal
    lost: Decimal

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.fees + self.lost


def costs(run: RunState) -> Costs:
    """The measured cost of a run by its facts; a leg that gained value lowers it."""
    fees = sum(
        (known.charged.fee for known in run.intents.values() if known.mined is not None),
        Decimal(0),
    )
    gained = sum(
        (leg.settled.value for leg in run.legs.values() if leg.settled is not None), Decimal(0)
    )
    return Costs(fees, -gained)
