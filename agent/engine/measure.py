"""Measure what happened by balances at pinned blocks, and end the run on them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from agent.core.closing import elsewhere, ending, touched, unexplained
from agent.core.fact import (
    At,
    Closed,
    Due,
    Fact,
    ForeignInflow,
    Holding,
    Mined,
    Settled,
    Unmined,
)
from agent.core.intent import Delta
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.progress import ACTS, Close, Measure
from agent.core.quote import Allowance
from agent.core.snapshot import Block
from agent.core.state import IntentState, LegState, RunState, State
from agent.engine.ask import allowances, revocation
from agent.engine.io import Io, Later
from agent.engine.reorg import undone
from agent.engine.track import unlanded


def measure(step: Measure, state: State, io: Io) -> tuple[Settled | Unmined, ...]:
    """What a leg's own transactions changed, network fees excluded.

    Returns Unmined instead when a block that was measured is not part of the chain any more.
    """
    run = state.runs[step.run]
    leg = run.legs[step.leg]
    total: dict[Token, int] = {}
    for known in run.of_leg(step.leg):
        if not known.succeeded or known.intent.draft.purpose not in ACTS:
            continue
        for token, raw in _deltas(known, state, leg, io).items():
            total[token] = total.get(token, 0) + raw
        if known.mined is not None:
            receipt = known.mined.receipt
            if io.nodes[step.chain].block(receipt.block_number).hash != receipt.block_hash:
                return (Unmined(known.intent.id, receipt.block_hash, io.clock.now()),)
    deltas = tuple(Delta(token=token, raw=raw) for token, raw in total.items() if raw)
    return (
        Settled(
            run=step.run,
            leg=step.leg,
            deltas=deltas,
            value=_worth(io, (*deltas, *_awaited(leg))),
            at=io.clock.now(),
        ),
    )


def _awaited(leg: LegState) -> tuple[Delta, ...]:
    """What a transfer brings on the far chain, at what its quote guarantees: it is not lost."""
    if leg.leg.kind != "bridge" or leg.quoted is None:
        return ()
    return (Delta(token=leg.leg.buy, raw=leg.quoted.quote.min_amount_out),)


def _deltas(known: IntentState, state: State, leg: LegState, io: Io) -> dict[Token, int]:
    """What an act took and brought by its own bytes and logs.

    What else happened to the wallet in its block is not its doing: a deposit of somebody, or
    a theft, which must stay unexplained.
    """
    sell, buy, moved = leg.leg.sell.token, leg.leg.buy, known.intent.draft.moves
    if known.mined is None:
        sold = sum(fill.sold.raw for fill in known.fills)
        return {sell: -sold, buy: sum(fill.bought.raw for fill in known.fills)}
    if moved is None or leg.quoted is None:
        raise ValueError(f"{known.intent.id} moved nothing that could be measured")
    is_wrap = leg.leg.kind in {"wrap", "unwrap"}
    # Wrappers log no transfers (WETH9 emits Deposit and Withdrawal), but move what they are given.
    exact = is_wrap or sell.is_native
    changed = {sell: -moved.raw if exact else _logged(known.mined, sell, io)}
    if is_wrap:
        changed[buy] = moved.raw
    elif buy.is_native and buy.chain == known.intent.chain:
        changed[buy] = max(leg.quoted.quote.min_amount_out, _coins(known, known.mined, state, io))
    elif buy.chain == known.intent.chain:
        changed[buy] = _logged(known.mined, buy, io)
    if leg.quoted.quote.fee:
        # All of it has left; what was too much of it comes back as from anybody.
        coin = io.chains[known.intent.chain].native
        changed[coin] = changed.get(coin, 0) - leg.quoted.quote.fee
    return changed


def _logged(mined: Mined, token: Token, io: Io) -> int:
    came, went = io.nodes[token.chain].received(io.account, token, mined.receipt.hash)
    return came - went


def _coins(known: IntentState, mined: Mined, state: State, io: Io) -> int:
    """The gas coin that a transaction brought: it has no logs, so its block is looked at.

    0, so that only the guaranteed minimum counts, when others of ours are in the same block.
    """
    chain, number = known.intent.chain, mined.receipt.block_number
    beside = [
        other
        for run in state.runs.values()
        for other in run.intents.values()
        if other.mined is not None
        and other.intent.chain == chain
        and other.mined.receipt.block_number == number
    ]
    if len(beside) > 1:
        return 0
    coin, node = io.chains[chain].native, io.nodes[chain]
    before = node.balances(io.account, [coin], number - 1)[coin]
    return node.balances(io.account, [coin], number)[coin] - before + mined.receipt.fee


def _worth(io: Io, deltas: tuple[Delta, ...]) -> Decimal:
    """What the changes are worth now; a token without a price counts for nothing here only."""
    prices = io.prices()
    worths = [prices.worth(Amount(delta.token, delta.raw)) for delta in deltas]
    return sum((worth for worth in worths if worth is not None), Decimal(0))


def close(step: Close, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Read everything once more; explain every base unit or say that a person must look.

    Nothing is concluded from blocks that have gone away, nor from a node that is behind.
    """
    run = state.runs[step.run]
    now = io.clock.now()
    gone = undone(state, io, {token.chain for token in touched(run)})
    if gone:
        return gone
    blocks = _heads(run, state, io)
    if isinstance(blocks, Later):
        return blocks
    left = _left(run, state, blocks, io)
    revokes = _revocations(run, left, now)
    if revokes:
        return revokes
    after = _after(run, blocks, io)
    rest = unexplained(run, after, elsewhere(state, run))
    away = unlanded(run, io) if any(delta.raw < 0 for delta in rest) else ()
    if away:
        return away
    end = ending(run, rest, _open_allowances(left))
    closed = Closed(
        run=run.id,
        outcome=end.outcome,
        why=end.why,
        after=tuple(Holding(token, raw) for token, raw in after.items()),
        blocks=tuple(At(chain, block.number, block.hash) for chain, block in blocks.items()),
        unexplained=tuple(delta for delta in rest if delta.raw < 0),
        final=all(known.final for known in run.intents.values() if known.mined is not None),
        at=now,
    )
    return (*_inflows(run, rest, now), closed)


def _inflows(run: RunState, rest: tuple[Delta, ...], now: int) -> tuple[ForeignInflow, ...]:
    """What came in unexplained, where it is not written down just so by an earlier try."""
    written = {inflow.amount.token: inflow.amount.raw for inflow in run.inflows}
    came = {delta.token: delta.raw for delta in rest if delta.raw > 0}
    tokens = dict.fromkeys([*came, *written])
    return tuple(
        ForeignInflow(run.id, Amount(token, came.get(token, 0)), now)
        for token in tokens
        if came.get(token, 0) != written.get(token, 0)
    )


def _heads(run: RunState, state: State, io: Io) -> dict[ChainId, Block] | Later:
    """The blocks at which everything is read; Later when a node is behind the journal."""
    blocks = {}
    for chain in dict.fromkeys(token.chain for token in touched(run)):
        block = io.nodes[chain].block()
        mined = [
            known.mined.receipt.block_number
            for other in state.runs.values()
            for known in other.intents.values()
            if known.mined is not None and known.intent.chain == chain
        ]
        if not block.number >= max(mined, default=0):
            pause = io.chains[chain].poll_seconds
            return Later(io.clock.now() + pause, "the node is behind the last transaction")
        blocks[chain] = block
    return blocks


def _after(run: RunState, blocks: Mapping[ChainId, Block], io: Io) -> dict[Token, int]:
    after: dict[Token, int] = {}
    for chain, block in blocks.items():
        here = [token for token in touched(run) if token.chain == chain]
        after |= io.nodes[chain].balances(io.account, here, block.number)
    return after


_Granted = dict[tuple[ChainId, Address, Token], tuple[str, Allowance]]
"""(leg, allowance) by chain, spender and token."""


def _granted(run: RunState) -> _Granted:
    """Every allowance that a mined transaction of the run spoke of."""
    found: _Granted = {}
    for known in run.intents.values():
        allowance = known.intent.draft.allowance
        if allowance is not None and known.succeeded:
            key = (known.intent.chain, allowance.spender, allowance.amount.token)
            found[key] = (known.intent.leg, allowance)
    return found


def _left(
    run: RunState, state: State, blocks: Mapping[ChainId, Block], io: Io
) -> list[tuple[ChainId, str, Allowance]]:
    """Allowances that are open now; those that another open run still needs are that run's."""
    theirs = {
        key
        for other in state.runs.values()
        if other.closed is None and other.id != run.id
        for key in _granted(other)
    }
    left = []
    for key, (leg, allowance) in _granted(run).items():
        if key in theirs:
            continue
        chain, spender, token = key
        (raw,) = allowances(io.nodes[chain], io.account, (allowance,), blocks[chain].number)
        if raw:
            left.append((chain, leg, Allowance(spender, Amount(token, raw))))
    return left


def _revocations(
    run: RunState, left: list[tuple[ChainId, str, Allowance]], now: int
) -> tuple[Due, ...]:
    """What is left of an allowance is taken back, once; what then remains is for a person."""
    return tuple(
        Due(run.id, leg, revocation(chain, allowance), "an allowance was left over", now)
        for chain, leg, allowance in left
        if not any(due.draft.purpose == "revoke" for due in run.legs[leg].dues)
    )


def _open_allowances(left: list[tuple[ChainId, str, Allowance]]) -> tuple[str, ...]:
    return tuple(
        f"{allowance.spender} may move {allowance.amount.raw} base units of "
        f"{allowance.amount.token.symbol} on chain {chain}"
        for chain, _, allowance in left
    )
