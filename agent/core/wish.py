"""What a plan is wanted for: the weights, only buying, money that came, or money that is to go."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.policy import Policy
from agent.core.wording import figure

TOO_MUCH = "C104"
"""Error code of asking for more than is there."""

WishKind = Literal["rebalance", "buy-only", "invest", "raise"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan serves; `amount` is whole tokens of `asset`, for `invest` and `raise` alone.

    `buy-only` sells nothing but what is pegged to the unit of account. `invest` sells at most so
    much of the asset and nothing else. After `raise` so much of it lies in the wallet beyond what
    the weights say.
    """

    kind: WishKind = "rebalance"
    asset: str = ""
    amount: Decimal = Decimal(0)

    @property
    def sum(self) -> str:
        """How much of what, for people.

        >>> Wish("raise", "USDC", Decimal(3000)).sum
        '3,000.00 USDC'
        """
        return f"{figure(self.amount)} {self.asset}"


REBALANCE = Wish()
BUY_ONLY = Wish("buy-only")


def standing(policy: Policy) -> Wish:
    """The wish of plans that nobody asks for otherwise."""
    return BUY_ONLY if policy.deposits == "buy-only" else REBALANCE
