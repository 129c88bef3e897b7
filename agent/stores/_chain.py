"""The hash chain over an account's facts, and what a break in it is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from agent.core.codec import Undecodable, from_json
from agent.core.fact import Fact
from agent.core.money import Address

_LANE = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_GENESIS = b"rebalancer journal 1\n"
"""Domain of the chain, so that its hashes are those of nothing else."""


class ChainBroken(ValueError):  # noqa: N818  the store that met it says which journal it is in
    """Rows that were not written by `follow` in a row; the message says where and what."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last position of an account and its hash; -1 and the genesis hash before any fact."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact as it is kept; `hash` covers all that came before through `prev`."""

    seq: int
    line: str
    hash: str
    prev: str


def lane(account: Address) -> Address:
    """*account* itself, if it is in the one form that keys a stream; ValueError otherwise.

    Two spellings of one address would be two streams and two locks over one key.
    """
    if not _LANE.fullmatch(account):
        raise ValueError(f"{account!r} is no address in lower-case hex")
    return account


def genesis(account: Address) -> Head:
    """The head of an account without facts."""
    return Head(-1, sha256(_GENESIS + account.encode()).hexdigest())


def follow(account: Address, head: Head, line: str) -> Row:
    """The row that comes after *head*."""
    seq = head.seq + 1
    return Row(seq=seq, line=line, hash=_hash(account, seq, line, head.hash), prev=head.hash)


def _hash(account: Address, seq: int, line: str, prev: str) -> str:
    # Every part but the last has a fixed length, so that no two rows share their bytes.
    linked = bytes.fromhex(prev) + account.encode() + seq.to_bytes(8, "big") + line.encode()
    return sha256(linked).hexdigest()


def verified(
    account: Address, rows: Sequence[Sequence[Any]], kept: Sequence[Any] | None
) -> tuple[tuple[Fact, ...], Head]:
    """The facts of (seq, line, hash, prev) *rows* in order, and where they end.

    *kept* is the second copy of the head (seq, hash) that is written beside each fact: a
    chain of hashes alone cannot tell that its end was cut off. Raises ChainBroken.
    """
    head, facts = genesis(account), []
    for row in rows:
        head = _linked(account, head, row)
        try:
            facts.append(from_json(row[1]))
        except Undecodable as error:
            raise ChainBroken(f"position {head.seq}: {error}") from None
    _ends(account, head, kept)
    return tuple(facts), head


def tail(account: Address, row: Sequence[Any] | None, kept: Sequence[Any] | None) -> Head:
    """The head of an account from its last *row* alone; raises ChainBroken."""
    head = genesis(account)
    if row is not None:
        seq, _, _, prev = row
        if not (type(seq) is int and seq >= 0):
            raise ChainBroken(f"position {seq!r} cannot be")
        head = _linked(account, head if seq == 0 else Head(seq - 1, prev), row)
    _ends(account, head, kept)
    return head


def _linked(account: Address, head: Head, row: Sequence[Any]) -> Head:
    seq, line, row_hash, prev = row
    if seq != head.seq + 1 or type(seq) is not int:
        raise ChainBroken(f"position {head.seq + 1} is missing, position {seq!r} stands there")
    if prev != head.hash or not _is_hash(prev):
        raise ChainBroken(f"position {seq} does not follow the fact before it")
    if type(line) is not str or row_hash != _hash(account, seq, line, prev):
        raise ChainBroken(f"position {seq}: its line and its hash do not belong together")
    return Head(seq, row_hash)


def _is_hash(text: Any) -> bool:
    return type(text) is str and re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII) is not None


def _ends(account: Address, head: Head, kept: Sequence[Any] | None) -> None:
    seq, row_hash = (-1, genesis(account).hash) if kept is None else kept
    if type(seq) is not int or (kept is not None and seq < 0):
        raise ChainBroken(f"the second copy of the head says {seq!r}, which is no position")
    if seq > head.seq:
        raise ChainBroken(f"position {head.seq + 1} to {seq} are missing at the end")
    if seq < head.seq:
        raise ChainBroken(f"position {seq + 1} is there, but not in the second copy of the head")
    if row_hash != head.hash:
        raise ChainBroken(f"position {seq} has another hash in the second copy of the head")
