"""Transfers that no run follows: what their bridges say of them, and a run that follows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from agent.core.money import Amount, Token
from agent.core.movement import deposit_of
from agent.core.plan import Leg, Plan, Sell
from agent.core.state import State
from agent.core.transit import Awaited, awaited
from agent.engine.io import Io
from agent.engine.loop import Session
from agent.engine.survey import read
from agent.engine.track import PATIENCE_SECONDS, receipt_of
from agent.errors import Unavailable
from agent.planning.draft import fingerprint
from agent.ports import Act, Delivered, Gone, Returned, Track, Transfer, Waiting

PLAN_SECONDS = 600
"""How long a plan of claims may be begun: it promises nothing that could grow old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A transfer that no run follows, as a claim, and what its bridge says of it now.

    `id` is the bridge's number for it; `ours` says that the journal knows it. `barred` is why no
    run can follow it, '' where one can.
    """

    claim: Leg
    told: Track
    id: str = ""
    ours: bool = False
    barred: str = ""

    @property
    def ended(self) -> bool:
        """Whether its money is where it belongs, or nobody knows where."""
        return isinstance(self.told, Delivered | Returned | Gone)

    @property
    def needs_us(self) -> bool:
        """Whether there is something to do for it, or to write down of what the journal knows."""
        return not self.barred and (isinstance(self.told, Act) or (self.ours and self.ended))

    def followed(self, now: int) -> bool:
        """Whether a run that a person asks for follows it.

        What others sent and has ended needs nothing, and what the journal knows is not looked
        at again while nothing can happen to it for long.
        """
        if isinstance(self.told, Waiting):
            soon = self.told.until - now <= PATIENCE_SECONDS
            return not self.barred and (soon or not self.ours)
        return self.needs_us


def left(state: State) -> tuple[Awaited, ...]:
    """Transfers that ended runs left under way, as the journal knows them."""
    return tuple(each for each in awaited(state) if state.runs[each.run].closed is not None)


def due(state: State, io: Io) -> tuple[Stray, ...]:
    """Those of them for which something is to be done now; only these bridges are asked.

    A bridge that does not answer is asked again at the next look.
    """
    now = io.clock.now()
    ready = [each for each in left(state) if _until(state, each) <= now]
    return tuple(found for each in ready if (found := known(each, io)).needs_us)


def _until(state: State, each: Awaited) -> int:
    deferred = state.runs[each.run].legs[each.leg].deferred
    return 0 if deferred is None else deferred.until


def known(each: Awaited, io: Io) -> Stray:
    """A transfer of the journal with what its bridge says of it now."""
    claim = _claim(each.via, each.sold, each.least, each.deposit)
    return replace(_looked(claim, io), id=each.id, ours=True)


def found(transfer: Transfer, io: Io) -> Stray:
    """A transfer that logs tell of with what its bridge says of it now."""
    least = Amount(transfer.buy, transfer.least)
    claim = _claim(transfer.via, transfer.sold, least, transfer.deposit)
    return replace(_looked(claim, io), id=transfer.id)


def unknown(transfers: Iterable[Transfer], state: State) -> tuple[Transfer, ...]:
    """Those that no run of the journal knows of, each deposit once.

    One deposit may be found by two bridges: what LI.FI makes is one of Across's, too.
    """
    legs = [(run, leg) for run in state.runs.values() for leg in run.legs.values()]
    seen = {deposit_of(run, leg) for run, leg in legs}
    kept: dict[str, Transfer] = {}
    for each in transfers:
        if each.deposit not in seen:
            kept.setdefault(each.deposit, each)
    return tuple(kept.values())


def _claim(via: str, sold: Amount, least: Amount, deposit: str) -> Leg:
    return Leg(
        id="",
        kind="claim",
        via=via,
        sell=Sell(sold.token, sold.raw),
        buy=least.token,
        expected_out=least.raw,
        min_buy=least.raw,
        detail=deposit,
    )


def _looked(claim: Leg, io: Io) -> Stray:
    """What a bridge says of a transfer; what cannot be told now is waited for."""
    now = io.clock.now()
    barred = _barred(claim, io)
    if barred:
        return Stray(claim=claim, told=Waiting(now, barred), barred=barred)
    try:
        receipt = receipt_of(claim, io)
        if receipt is None:
            told: Track = Waiting(now, f"its deposit {claim.detail} is in no block")
        else:
            sold = claim.planned_sell.raw
            told = io.bridges[claim.via].track(claim, receipt, sold, 0, now)
    except Unavailable as error:
        told = Waiting(now, error.message)
    return Stray(claim=claim, told=told)


def _barred(claim: Leg, io: Io) -> str:
    """Why no run can follow a transfer: its end could not be measured, or nobody may be asked."""
    if claim.via not in io.bridges:
        return f"{claim.via} is not among the bridges that are allowed"
    for token in (claim.sell.token, claim.buy):
        if token.chain not in io.chains or not _is_read(token, io):
            return f"token {token.address} on chain {token.chain} is not among those known here"
    return ""


def _is_read(token: Token, io: Io) -> bool:
    return token in io.chains[token.chain].tokens


def _planned(stray: Stray, id_: str) -> Leg:
    """The claim of a stray; what is there already is not expected to come once more."""
    there = isinstance(stray.told, Delivered | Returned)
    return replace(stray.claim, id=id_, expected_out=0 if there else stray.claim.expected_out)


def begin(held: Session, io: Io, run: str, strays: Sequence[Stray]) -> None:
    """Begin *run* with a claim for each; raises what `Session.start` raises, and Unavailable.

    Only the chains concerned are read: another one that is silent keeps no money waiting.
    """
    claims = tuple(_planned(each, str(n)) for n, each in enumerate(strays, 1))
    chains = {token.chain for leg in claims for token in (leg.sell.token, leg.buy)}
    nodes = {chain: node for chain, node in io.nodes.items() if chain in chains}
    snapshot = read(replace(io, nodes=nodes), held.state)
    now = io.clock.now()
    draft = Plan(
        id="",
        legs=claims,
        standings=(),
        value=Decimal(0),
        cost=Decimal(0),
        worst_case=Decimal(0),
        gas_if_reverted=Decimal(0),
        turnover=Decimal(0),
        bound=None,
        prices=(),
        blocks=tuple(
            (chain, seen.block.number, seen.block.hash) for chain, seen in snapshot.chains.items()
        ),
        policy_hash=io.policy.hash,
        made=now,
        expires=now + PLAN_SECONDS,
        why=("money of this wallet is between chains and no run follows it",),
    )
    held.start(run, replace(draft, id=fingerprint(draft)), snapshot)
