"""What a venue and the chain say of a signed order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrderFill:
    """One execution of a signed order, in base units."""

    id: str
    sold: int
    bought: int


@dataclass(frozen=True, slots=True)
class OrderState:
    """What a venue and the chain say of a signed order.

    `open` while it can be filled; `known` is False when its venue says that it never got it.
    """

    open: bool
    fills: tuple[OrderFill, ...]
    known: bool = True
