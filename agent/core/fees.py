"""EIP-1559 fee arithmetic: caps, bumps, and what a fee is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from agent.core.money import EXACT

BUMP_NUMERATOR, BUMP_DENOMINATOR = 1125, 1000
"""A replacement must beat both fees by 12.5 %: above the 10 % that nodes ask for
(geth txpool `PriceBump`), so that every node on the way takes it."""

MAX_BASE_FEE_GROWTH = 2
"""`max_fee_per_gas` covers the base fee doubling: it can grow by 12.5 % a block (EIP-1559),
that is six full blocks in a row."""

MICRO = Decimal("0.000001")
"""The least amount of money that is told apart."""

SELF_SEND_GAS = 21_000
"""Gas of a plain transfer, the whole of a cancel (EIP-2028 intrinsic gas)."""


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """What a transaction costs on a chain now; `base_fee_per_gas` and tip in wei per gas.

    `data_fee_per_byte` is wei for each byte of a signed transaction, what a rollup charges for
    its place on the parent chain; 0 on chains that have none.
    """

    base_fee_per_gas: int
    priority_fee_per_gas: int
    data_fee_per_byte: int = 0

    def expected(self, gas: int, data_bytes: int) -> int:
        """Wei that *gas* units and *data_bytes* on the parent chain cost now.

        >>> FeeQuote(9, 1, 100).expected(21_000, 110)
        221000
        """
        return gas * (self.base_fee_per_gas + self.priority_fee_per_gas) + (
            data_bytes * self.data_fee_per_byte
        )


@dataclass(frozen=True, slots=True)
class TxFees:
    """What a transaction offers, in wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


def offer(quote: FeeQuote) -> TxFees:
    """The fees of a first attempt."""
    priority = quote.priority_fee_per_gas
    return TxFees(MAX_BASE_FEE_GROWTH * quote.base_fee_per_gas + priority, priority)


def bump(last: TxFees, quote: FeeQuote) -> TxFees:
    """The least fees that replace *last* and pay for the present base fee."""
    fresh = offer(quote)
    return TxFees(
        max(_raised(last.max_fee_per_gas), fresh.max_fee_per_gas),
        max(_raised(last.max_priority_fee_per_gas), fresh.max_priority_fee_per_gas),
    )


def _raised(fee: int) -> int:
    return max(fee + 1, -(-fee * BUMP_NUMERATOR // BUMP_DENOMINATOR))


def money(wei: int, native_price: Decimal) -> Decimal:
    """The worth of *wei* at *native_price* per whole coin, in the unit of account.

    Rounded up to a millionth: it is what we pay.

    >>> money(21_000 * 10**9, Decimal(3000))
    Decimal('0.063000')
    """
    exact = EXACT.scaleb(EXACT.multiply(Decimal(wei), native_price), -18)
    return exact.quantize(MICRO, ROUND_CEILING, EXACT)
