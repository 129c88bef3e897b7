"""Logs on paper: the transfers of a block, as a real token notes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.log import Log, LogQuery
from agent.core.money import NATIVE, Address
from agent.core.snapshot import Block
from agent.wire.abi import encode
from agent.wire.events import events

Move = tuple[Address, Address, Address, int]
"""Token, source, target and base units."""


def transfer_logs(block: Block, transfers: Mapping[str, Sequence[Move]]) -> list[Log]:
    """The logs of a block in order; the gas coin leaves none."""
    transfer = events("erc20")["Transfer"]
    moves = [
        (transaction, move)
        for transaction, made in transfers.items()
        for move in made
        if move[0] != NATIVE and all(end.startswith("0x") for end in move[1:3])
    ]
    return [
        Log(
            address=token,
            topics=tuple(filter(None, transfer.topics(**{"from": source, "to": to}))),
            data=encode(["uint256"], [raw]),
            block_number=block.number,
            block_hash=block.hash,
            transaction=transaction,
            index=index,
        )
        for index, (transaction, (token, source, to, raw)) in enumerate(moves)
    ]


def matches(log: Log, query: LogQuery) -> bool:
    """Whether a log within the blocks of *query* is one that it asks for."""
    wanted = zip(query.topics, log.topics, strict=False)
    fits = len(query.topics) <= len(log.topics) and all(w in {None, t} for w, t in wanted)
    return log.address == query.address and fits
