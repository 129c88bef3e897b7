"""What the lab's relayer takes for a fill: a share of the amount, and the gas that it spends."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from agent.lab.branch import Branch
from agent.lab.places import LabToken

CAPITAL_BPS: Final = 2
"""Of the amount, for the capital that is away until the deposit is repaid."""

FILL_GAS: Final = 130_000
"""Gas of `fillRelay`; measured 103,000 for an ERC-20, more where the coin is unwrapped."""

ACCEPTED_PERCENT: Final = 90
"""Of the fee that it would ask for now: prices move between question and deposit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFee:
    """A fee by its parts, in base units of the token."""

    capital: int
    gas: int

    @property
    def total(self) -> int:
        """What the recipient gets less."""
        return self.capital + self.gas


def relay_fee(amount: int, token: LabToken, to: Branch) -> RelayFee:
    """The fee for filling *amount* base units of *token* on a chain, each part rounded up.

    Raises SetupFailed when the chain does not tell its prices.
    """
    ether = Decimal(FILL_GAS * to.place.base_fee).scaleb(-18)
    worth = ether * to.price("ETH") / to.price(token.asset)
    gas = worth.scaleb(token.decimals).to_integral_value(ROUND_CEILING)
    return RelayFee(capital=-(-amount * CAPITAL_BPS // 10_000), gas=int(gas))


def is_enough(offered: int, asked: RelayFee) -> bool:
    """Whether the relayer fills a deposit that leaves it *offered* base units."""
    return offered * 100 >= asked.total * ACCEPTED_PERCENT


def same_token(
    branches: Mapping[int, Branch], origin: int, destination: int, sold: str, bought: str
) -> LabToken | None:
    """The token on the far chain if both addresses are of one symbol, else None."""
    if origin == destination or not {origin, destination} <= set(branches):
        return None
    near, far = branches[origin].place.tokens, branches[destination].place.tokens
    for symbol, token in near.items():
        if token.address == sold and far[symbol].address == bought:
            return far[symbol]
    return None
