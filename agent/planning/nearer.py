"""Sizes of moves that are found, changed while trades and distances from targets cost less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from agent.planning.board import Board
from agent.planning.outlook import Outlook, outlook
from agent.planning.pull import Aims
from agent.planning.route import Move
from agent.planning.search import Found

_PARTS = tuple(Decimal(1) / 2**power for power in range(1, 6))
"""Parts of its size by which a move is changed, one after the other."""

_STEPS = 4
"""How often a move is changed by the same part at most, before others are looked at."""


def nearer(board: Board, aims: Aims, found: Found) -> Found:
    """The same moves, some wider, narrower or left out: no dearer and with no more missed."""
    seen = found.outlook
    for part in _PARTS:
        for key in [move.route.key for move in seen.moves]:
            for way in (1 + part, 1 - part):
                stepped = _stepped(board, aims, seen, key, way)
                if stepped is not seen:
                    seen = stepped
                    break
    for key in [move.route.key for move in seen.moves]:
        seen = _better(board, aims, seen, key, Decimal(0)) or seen
    return replace(found, outlook=seen, left=aims.missed(seen))


def _stepped(
    board: Board, aims: Aims, seen: Outlook, key: tuple[int, ...], times: Decimal
) -> Outlook:
    """Where it leads to change one move again and again, while that is better."""
    for _ in range(_STEPS):
        ahead = _better(board, aims, seen, key, times)
        if ahead is None:
            break
        seen = ahead
    return seen


def _better(
    board: Board, aims: Aims, seen: Outlook, key: tuple[int, ...], times: Decimal
) -> Outlook | None:
    """Where it leads to make one move *times* as large, if that is better."""
    ahead = outlook(board, tuple(_resized(seen, key, times)))
    if isinstance(ahead, str) or not ahead.total < seen.total:
        return None
    return ahead if aims.shortfall(ahead) <= aims.shortfall(seen) else None


def _resized(seen: Outlook, key: tuple[int, ...], times: Decimal) -> Iterator[Move]:
    for move in seen.moves:
        raw = int(move.raw * times) if move.route.key == key else move.raw
        if raw:
            yield Move(move.route, raw)
