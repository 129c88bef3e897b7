"""What contracts note in mined transactions, and how to ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.money import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Logs of one contract in the blocks *first* to *last*, both included.

    `topics` are 32-byte words as lower-case hex with prefix, by position, None for any.
    """

    address: Address
    topics: tuple[str | None, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a contract noted in a mined transaction; `index` is its place in the block."""

    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    transaction: str
    index: int
