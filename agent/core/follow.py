"""What a sighting of the chain means for an intent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.intent import Receipt
from agent.core.sighting import Sighting
from agent.core.state import IntentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a block counts and when an attempt is replaced, all in blocks.

    `confirmations` is how deep a block must be for dependent legs (1 is the head itself);
    `replace_after_blocks` counts blocks since the last submission, not seconds: a chain that
    stands still is no reason to pay more; `max_attempts` caps attempts of one intent.
    """

    confirmations: int = 1
    replace_after_blocks: int = 5
    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class Found:
    """One attempt is mined; `confirmed` when its block is deep enough, `final` when for ever."""

    attempt: int
    receipt: Receipt
    confirmed: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A transaction that is not ours used the nonce, beyond reorganisation."""


@dataclass(frozen=True, slots=True)
class Missing:
    """No node of ours knows the newest bytes: hand the same ones over again."""


@dataclass(frozen=True, slots=True)
class Replace:
    """The newest attempt will not do: reserve another one on the same nonce."""

    kind: Literal["reprice", "cancel"]
    why: str


@dataclass(frozen=True, slots=True)
class Still:
    """Nothing to do but wait."""

    why: str


Judgement = Found | Taken | Missing | Replace | Still


def judge(known: IntentState, seen: Sighting, rules: Rules, *, unwanted: bool) -> Judgement:
    """What to do about an intent that has signed bytes out.

    *seen* must have been asked for `known.hashes` in their order. *unwanted* says that the
    owner cancelled the run. A cancel is never cancelled.
    """
    for (number, _), receipt in zip(known.hashes, seen.receipts, strict=True):
        if receipt is not None:
            return Found(number, receipt, *_depth(receipt, seen, rules))
    nonce = known.intent.nonce
    if nonce is not None and seen.nonce > nonce:
        if seen.nonce_final > nonce:
            return Taken()
        return Still("another transaction of the wallet has this nonce; waiting for finality")
    return _unmined(known, seen, rules, unwanted=unwanted)


def _depth(receipt: Receipt, seen: Sighting, rules: Rules) -> tuple[bool, bool]:
    depth = seen.head.number - receipt.block_number + 1
    return depth >= rules.confirmations, receipt.block_number <= seen.finalized


def _unmined(known: IntentState, seen: Sighting, rules: Rules, *, unwanted: bool) -> Judgement:
    last = known.live[-1]
    cancelling = last.reserved.kind == "cancel"
    if not cancelling and (unwanted or overdue(known, seen)):
        why = "the run is to end" if unwanted else "its deadline has passed"
        return Replace("cancel", why)
    if last.submitted is None or not seen.known[-1]:
        return Missing()
    if known.intent.nonce is not None and seen.nonce < known.intent.nonce:
        return Still(f"waits for the wallet's transaction with nonce {seen.nonce}")
    waited = seen.head.number - last.submitted.block
    if waited < rules.replace_after_blocks:
        return Still(f"in the pool, {waited} blocks old")
    if len(known.attempts) >= rules.max_attempts:
        return Still(f"in the pool, {waited} blocks old, {rules.max_attempts} attempts made")
    kind: Literal["reprice", "cancel"] = "cancel" if cancelling else "reprice"
    return Replace(kind, f"not mined in {waited} blocks")


def overdue(known: IntentState, seen: Sighting) -> bool:
    """Whether the next block comes too late for it: blocks carry later times than the head."""
    deadline = known.intent.draft.valid_until
    return bool(deadline) and not (seen.head.timestamp < deadline)
