"""Indicative ways to move: they feed the planner and bind nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.amm.split import Split
from agent.core.money import Token


@dataclass(frozen=True, slots=True)
class Edge:
    """An indicative cost ladder of one venue, wrap or bridge.

    `ladder` is increasing pairs (base units in, base units out) from exact evaluation;
    `gas` is gas units of all transactions of the leg; `seconds` its usual duration;
    `pools` the addresses whose state it moves: edges that share one are not additive.
    `data_bytes` are the bytes of those transactions, which a rollup pays for on its parent
    chain. A bridge's edge leads from one chain to another; its gas is spent on the first. `splits`
    are the paths over on-chain pools by which each point of the ladder was found, empty where
    nobody knows them: with them edges that share pools are worked out together. One that is `alone`
    was asked for whole sizes of somebody who may use any pool: what it brings beside another edge
    between the same tokens nobody knows, so that only one of them is used.
    """

    via: str
    sell: Token
    buy: Token
    ladder: tuple[tuple[int, int], ...]
    gas: int
    seconds: int
    pools: frozenset[str] = frozenset()
    detail: str = ""
    data_bytes: int = 0
    fee: int = 0
    far_gas: int = 0
    splits: tuple[Split, ...] = field(default=(), compare=False, repr=False)
    alone: bool = False
