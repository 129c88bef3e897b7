"""Measure what happened by balances at pinned blocks, and end the run on them."""

from __future__ import annotations

from decimal import Decimal

from agent.core.closing import ending, touched, unexplained
from agent.core.fact import At, Closed, Due, Fact, ForeignInflow, Holding, Settled
from agent.core.intent import Delta
from agent.core.money import Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.progress import ACTS, Close, Measure
from agent.core.quote import Allowance
from agent.core.state import IntentState, RunState, State
from agent.engine.ask import allowances, revocation
from agent.engine.io import Io


def measure(step: Measure, state: State, io: Io) -> tuple[Settled, ...]:
    """What a leg's own transactions changed, network fees excluded."""
    run = state.runs[step.run]
    leg = run.legs[step.leg].leg
    total: dict[Token, int] = {}
    for known in run.of_leg(step.leg):
        if known.succeeded and known.intent.draft.purpose in ACTS:
            for token, raw in _deltas(known, run, leg, io).items():
                total[token] = total.get(token, 0) + raw
    deltas = tuple(Delta(token=token, raw=raw) for token, raw in total.items() if raw)
    return (
        Settled(
            run=step.run,
            leg=step.leg,
            deltas=deltas,
            value=_worth(io, deltas),
            at=io.clock.now(),
        ),
    )


def _deltas(known: IntentState, run: RunState, leg: Leg, io: Io) -> dict[Token, int]:
    if known.mined is None:
        sold = sum(fill.sold.raw for fill in known.fills)
        bought = sum(fill.bought.raw for fill in known.fills)
        return {leg.sell.token: -sold, leg.buy: bought}
    node = io.nodes[known.intent.chain]
    block = known.mined.receipt.block_number
    tokens = [token for token in (leg.sell.token, leg.buy) if token.chain == known.intent.chain]
    before = node.balances(io.account, tokens, block - 1)
    after = node.balances(io.account, tokens, block)
    changed = {}
    for token in tokens:
        raw = after[token] - before[token]
        if token.is_native:
            raw += _fees_in_block(run, known.intent.chain, block)
        changed[token] = _own(io, known, leg, token, raw)
    return changed


def _own(io: Io, known: IntentState, leg: Leg, token: Token, raw: int) -> int:
    """The part of a balance change *raw* that the transaction itself made.

    What else came in during the block is a deposit of somebody; a token whose logs promise
    more than its balance shows is believed only as far as the balance. Wrappers log no
    transfers (WETH9 emits Deposit and Withdrawal), but move exactly what they are given.
    """
    moved, mined = known.intent.draft.moves, known.mined
    if moved is None or mined is None:
        raise ValueError(f"{known.intent.id} moved nothing that could be measured")
    if token.is_native or leg.kind in {"wrap", "unwrap"}:
        return -moved.raw if token == leg.sell.token else min(raw, _most(leg, moved.raw, raw))
    node = io.nodes[token.chain]
    came, went = node.received(io.account, token, mined.receipt.hash)
    return min(raw, came - went)


def _most(leg: Leg, moved_raw: int, raw: int) -> int:
    return moved_raw if leg.kind in {"wrap", "unwrap"} else raw


def _fees_in_block(run: RunState, chain: ChainId, block: int) -> int:
    return sum(
        known.mined.receipt.fee
        for known in run.intents.values()
        if known.mined is not None
        and known.intent.chain == chain
        and known.mined.receipt.block_number == block
    )


def _worth(io: Io, deltas: tuple[Delta, ...]) -> Decimal:
    """What the changes are worth now; a token without a price counts for nothing here only."""
    prices = io.prices()
    worths = [prices.worth(Amount(delta.token, delta.raw)) for delta in deltas]
    return sum((worth for worth in worths if worth is not None), Decimal(0))


def close(step: Close, state: State, io: Io) -> tuple[Fact, ...]:
    """Read everything once more; explain every base unit or say that a person must look."""
    run = state.runs[step.run]
    now = io.clock.now()
    revokes = _revocations(run, io, now)
    if revokes:
        return revokes
    after, blocks = _after(run, io)
    rest = unexplained(run, after)
    end = ending(run, rest, _open_allowances(run, io))
    inflows = tuple(
        ForeignInflow(run.id, Amount(delta.token, delta.raw), now)
        for delta in rest
        if delta.raw > 0
    )
    closed = Closed(
        run=run.id,
        outcome=end.outcome,
        why=end.why,
        after=tuple(Holding(token, raw) for token, raw in after.items()),
        blocks=blocks,
        unexplained=tuple(delta for delta in rest if delta.raw < 0),
        final=all(known.final for known in run.intents.values() if known.mined is not None),
        at=now,
    )
    return (*inflows, closed)


def _after(run: RunState, io: Io) -> tuple[dict[Token, int], tuple[At, ...]]:
    tokens = touched(run)
    after: dict[Token, int] = {}
    blocks = []
    for chain in dict.fromkeys(token.chain for token in tokens):
        node = io.nodes[chain]
        block = node.block()
        here = [token for token in tokens if token.chain == chain]
        after |= node.balances(io.account, here, block.number)
        blocks.append(At(chain, block.number, block.hash))
    return after, tuple(blocks)


def _granted(run: RunState) -> list[tuple[ChainId, str, Allowance]]:
    """(chain, leg, allowance) of every approval of the run that was mined."""
    found = {}
    for known in run.intents.values():
        allowance = known.intent.draft.allowance
        if allowance is not None and known.intent.draft.purpose == "approve" and known.succeeded:
            key = (known.intent.chain, allowance.spender, allowance.amount.token)
            found[key] = (known.intent.chain, known.intent.leg, allowance)
    return list(found.values())


def _left(run: RunState, io: Io) -> list[tuple[ChainId, str, Allowance]]:
    left = []
    for chain, leg, allowance in _granted(run):
        (raw,) = allowances(io.nodes[chain], io.account, (allowance,))
        if raw:
            left.append(
                (chain, leg, Allowance(allowance.spender, Amount(allowance.amount.token, raw)))
            )
    return left


def _revocations(run: RunState, io: Io, now: int) -> tuple[Due, ...]:
    """What is left of an allowance is taken back, once; what then remains is for a person."""
    return tuple(
        Due(run.id, leg, revocation(chain, allowance), "an allowance was left over", now)
        for chain, leg, allowance in _left(run, io)
        if not any(due.draft.purpose == "revoke" for due in run.legs[leg].dues)
    )


def _open_allowances(run: RunState, io: Io) -> tuple[str, ...]:
    return tuple(
        f"{allowance.spender} may move {allowance.amount.raw} base units of "
        f"{allowance.amount.token.symbol} on chain {chain}"
        for chain, _, allowance in _left(run, io)
    )
