"""Whether a mined transaction is still where it was seen, or its block has gone away."""

from __future__ import annotations

from collections.abc import Set

from agent.core.fact import Mined, Unmined
from agent.core.intent import Receipt
from agent.core.money import ChainId
from agent.core.sighting import Sighting
from agent.core.state import State
from agent.engine.io import Io, Later
from agent.errors import Unavailable

BEHIND_SECONDS = 60
"""A node that has not yet reached a block is believed to be behind for so long after the block
was seen; a chain that is still shorter then has lost it."""


def look_again(
    chain: ChainId, mined: Mined, seen: Sighting, receipt: Receipt | None, io: Io
) -> Unmined | Later | None:
    """None while a mined intent is where it was; *receipt* is what *seen* has for it now.

    Later while the node is behind or contradicts itself: an intent is not undone on that.
    """
    before = mined.receipt
    if receipt is not None and receipt.block_hash == before.block_hash:
        return None
    now = io.clock.now()
    later = now + io.chains[chain].poll_seconds
    if seen.head.number < before.block_number:
        if now - mined.at <= BEHIND_SECONDS:
            return Later(later, "the node has not reached the block of a transaction yet")
    elif io.nodes[chain].block(before.block_number).hash == before.block_hash:
        return Later(later, "the node has a block and not the transaction in it")
    return Unmined(mined.intent, before.block_hash, now)


def undone(state: State, io: Io, needed: Set[ChainId]) -> tuple[Unmined, ...] | Later:
    """Every intent of the account that has gone away; Later when that cannot be told now.

    Raises Unavailable when the node of a *needed* chain is silent; what happens on the others
    can be told when they answer again.
    """
    waiting: dict[ChainId, list[Mined]] = {}
    for run in state.runs.values():
        for known in run.intents.values():
            if known.mined is not None and not known.final:
                waiting.setdefault(known.intent.chain, []).append(known.mined)
    found: list[Unmined] = []
    for chain, mined in waiting.items():
        try:
            seen = io.nodes[chain].sight(io.account, [each.receipt.hash for each in mined])
        except Unavailable:
            if chain in needed:
                raise
            continue
        for each, receipt in zip(mined, seen.receipts, strict=True):
            gone = look_again(chain, each, seen, receipt, io)
            if isinstance(gone, Later):
                return gone
            if gone is not None:
                found.append(gone)
    return tuple(found)
