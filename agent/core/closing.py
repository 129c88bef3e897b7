"""The closing rule: before + facts = after, per token that the run touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.core.fact import Outcome
from agent.core.intent import Delta
from agent.core.money import ChainId, Token
from agent.core.progress import ends_because
from agent.core.state import RunState


def touched(run: RunState) -> tuple[Token, ...]:
    """Tokens that the run's legs sell or buy, and the gas coins of the chains it acted on."""
    tokens: dict[Token, None] = {}
    for leg in run.legs.values():
        if run.of_leg(leg.leg.id):
            tokens[leg.leg.sell.token] = None
            tokens[leg.leg.buy] = None
    for known in run.intents.values():
        tokens[native_of(run, known.intent.chain)] = None
    return tuple(tokens)


def native_of(run: RunState, chain: ChainId) -> Token:
    """The gas coin of *chain*, as the run's first snapshot knows it."""
    for holding in run.started.before:
        if holding.token.chain == chain and holding.token.is_native:
            return holding.token
    raise KeyError(chain)


def explained(run: RunState) -> Mapping[Token, int]:
    """What the facts say has changed, in base units: settled legs, arrivals, network fees."""
    total: dict[Token, int] = {}
    for leg in run.legs.values():
        for delta in () if leg.settled is None else leg.settled.deltas:
            total[delta.token] = total.get(delta.token, 0) + delta.raw
        for landed in (leg.arrived, leg.refunded):
            if landed is not None:
                token = landed.amount.token
                total[token] = total.get(token, 0) + landed.amount.raw
    for known in run.intents.values():
        if known.mined is not None:
            token = native_of(run, known.intent.chain)
            total[token] = total.get(token, 0) - known.mined.receipt.fee
    return total


def unexplained(run: RunState, after: Mapping[Token, int]) -> tuple[Delta, ...]:
    """What changed and no fact explains, per touched token; *after* in base units."""
    before = {holding.token: holding.raw for holding in run.started.before}
    facts = explained(run)
    rows = []
    for token in touched(run):
        rest = after[token] - before[token] - facts.get(token, 0)
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
    return Ending("done", "every leg arrived")


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
