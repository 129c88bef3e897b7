"""Chains, tokens and amounts in base units."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import NewType

ChainId = NewType("ChainId", int)
"""EIP-155 chain id, for example 1 for Ethereum."""

Address = NewType("Address", str)
"""Twenty bytes as lower-case hex with the prefix `0x`; EIP-55 is for the border only."""

NATIVE = Address("native")
"""Stands where a token's address would: the chain's gas coin has none."""

Bps = NewType("Bps", int)
"""Hundredths of a percent; 10 000 is the whole."""

WHOLE_BPS = Bps(10_000)

EXACT = Context(prec=160)
"""Room for any 256-bit count (78 digits) times any price: nothing is rounded on the way."""


@dataclass(frozen=True, slots=True)
class Token:
    """One contract, or the native coin, on one chain; its identity is (chain, address)."""

    chain: ChainId
    address: Address
    decimals: int
    symbol: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[int, str]:
        """What makes two tokens the same: symbol and decimals are only labels."""
        return self.chain, self.address

    @property
    def is_native(self) -> bool:
        """Whether this is the chain's gas coin."""
        return self.address == NATIVE

    @property
    def unit(self) -> int:
        """Base units in one whole token."""
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True)
class Amount:
    """A count of base units of one token; mixing tokens is a TypeError."""

    token: Token
    raw: int

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.token, self.raw + self._same(other).raw)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.token, self.raw - self._same(other).raw)

    def __lt__(self, other: Amount) -> bool:
        return self.raw < self._same(other).raw

    def __le__(self, other: Amount) -> bool:
        return self.raw <= self._same(other).raw

    def _same(self, other: Amount) -> Amount:
        if not isinstance(other, Amount) or other.token != self.token:
            raise TypeError(f"{self.token.symbol} does not mix with {other!r}")
        return other

    @property
    def whole(self) -> Decimal:
        """The amount in whole tokens, exact.

        >>> usdc = Token(ChainId(1), Address("0x" + "a0" * 20), 6, "USDC")
        >>> Amount(usdc, 1_500_000).whole
        Decimal('1.500000')
        """
        return EXACT.scaleb(Decimal(self.raw), -self.token.decimals)


def raw_down(whole: Decimal | Fraction, token: Token) -> int:
    """Base units of *whole* tokens, rounded down: for what we receive.

    >>> raw_down(Decimal("1.9999999"), Token(ChainId(1), NATIVE, 6, "X"))
    1999999
    """
    exact = Fraction(whole) * token.unit
    return exact.numerator // exact.denominator


def raw_up(whole: Decimal | Fraction, token: Token) -> int:
    """Base units of *whole* tokens, rounded up: for what we pay."""
    return -raw_down(-Fraction(whole), token)
