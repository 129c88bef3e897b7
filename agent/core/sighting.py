"""What one node sees of an account and of some transactions."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.intent import Receipt
from agent.core.snapshot import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one node sees of an account and of some transactions, at one time.

    `nonce` counts the account's mined transactions at `head`, `nonce_final` those that
    cannot be reorganised. `receipts` and `known` (in the node's pool or mined) follow the
    order of the hashes that were asked for.
    """

    head: Block
    finalized: int
    nonce: int
    nonce_final: int
    receipts: tuple[Receipt | None, ...]
    known: tuple[bool, ...]
