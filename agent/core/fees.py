"""Fee arithmetic of all fee models: offers, bumps, what data costs, and what a fee is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from agent.core.money import EXACT

FeeModel = Literal["eip1559", "op_stack", "arbitrum", "legacy"]
"""How a chain charges: for gas alone; for gas, and for data beside it in wei (OP stack) or inside
it as more gas (Arbitrum); by one gas price without a base fee."""

TxKind = Literal["eip1559", "legacy"]
"""Type 2 of EIP-1559, or type 0 with the chain id of EIP-155."""

BUMP_NUMERATOR, BUMP_DENOMINATOR = 1125, 1000
"""A replacement must beat both fees by 12.5 %: above the 10 % that nodes ask for
(geth txpool `PriceBump`), so that every node on the way takes it."""

MAX_BASE_FEE_GROWTH = 2
"""`max_fee_per_gas` covers the base fee doubling: it can grow by 12.5 % a block (EIP-1559),
that is six full blocks in a row."""

MAX_L1_FEE_GROWTH = 2
"""Limits are charged with twice the present fee for data: it follows the parent chain's base fee,
which can double in six of its blocks, and nothing in a transaction caps it."""

MICRO = Decimal("0.000001")
"""The least amount of money that is told apart."""

ENVELOPE_BYTES = 112
"""Bytes of a signed transaction beside its calldata: chain, nonce, fees, gas, address, value and
signature. Measured on local chains: 107 to 116, by the chain id and the value sent along."""

SELF_SEND_GAS = 21_000
"""Gas of a plain transfer, the whole of a cancel (EIP-2028 intrinsic gas)."""


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """What a transaction costs on a chain now; `base_fee_per_gas` and tip in wei per gas.

    `data_fee_per_byte` is wei for each byte of a signed transaction, what a rollup charges for
    its place on the parent chain; 0 on chains that have none. With `kind` legacy the base fee is
    the whole gas price, and there is no tip.
    """

    base_fee_per_gas: int
    priority_fee_per_gas: int
    data_fee_per_byte: int = 0
    kind: TxKind = "eip1559"

    def expected(self, gas: int, data_bytes: int) -> int:
        """Wei that *gas* units and *data_bytes* on the parent chain cost now.

        >>> FeeQuote(9, 1, 100).expected(21_000, 110)
        221000
        """
        return gas * (self.base_fee_per_gas + self.priority_fee_per_gas) + (
            data_bytes * self.data_fee_per_byte
        )


@dataclass(frozen=True, slots=True)
class L1Fee:
    """What one transaction's place on the parent chain costs now, beside what it executes.

    `wei` is charged on top of all gas (OP stack), `gas` is counted as gas (Arbitrum); both are 0
    where there is no parent chain.

    >>> L1Fee(wei=5, gas=7).most
    L1Fee(wei=10, gas=14)
    """

    wei: int = 0
    gas: int = 0

    @property
    def most(self) -> L1Fee:
        """What it may come to until the transaction is mined."""
        return L1Fee(MAX_L1_FEE_GROWTH * self.wei, MAX_L1_FEE_GROWTH * self.gas)


@dataclass(frozen=True, slots=True)
class TxFees:
    """What a transaction offers, in wei per gas; a legacy one offers its gas price twice."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    kind: TxKind = "eip1559"


def offer(quote: FeeQuote) -> TxFees:
    """The fees of a first attempt.

    A gas price is paid in full, so nothing is put on top of it: a price that was too low is
    replaced.
    """
    if quote.kind == "legacy":
        price = quote.base_fee_per_gas + quote.priority_fee_per_gas
        return TxFees(price, price, "legacy")
    priority = quote.priority_fee_per_gas
    return TxFees(MAX_BASE_FEE_GROWTH * quote.base_fee_per_gas + priority, priority)


def bump(last: TxFees, quote: FeeQuote) -> TxFees:
    """The least fees that replace *last* and pay for the present base fee."""
    fresh = offer(quote)
    price = max(_raised(last.max_fee_per_gas), fresh.max_fee_per_gas)
    if last.kind == "legacy":
        return TxFees(price, price, "legacy")
    tip = max(_raised(last.max_priority_fee_per_gas), fresh.max_priority_fee_per_gas)
    return TxFees(price, tip)


def _raised(fee: int) -> int:
    return max(fee + 1, -(-fee * BUMP_NUMERATOR // BUMP_DENOMINATOR))


def most(fees: TxFees, gas_limit: int, data: L1Fee) -> int:
    """The largest network fee in wei of a transaction that executes with *gas_limit*.

    What data costs is counted with its room to grow.

    >>> most(TxFees(10, 1), 21_000, L1Fee(wei=50))
    210100
    """
    room = data.most
    return (gas_limit + room.gas) * fees.max_fee_per_gas + room.wei


def money(wei: int, native_price: Decimal) -> Decimal:
    """The worth of *wei* at *native_price* per whole coin, in the unit of account.

    Rounded up to a millionth: it is what we pay.

    >>> money(21_000 * 10**9, Decimal(3000))
    Decimal('0.063000')
    """
    exact = EXACT.scaleb(EXACT.multiply(Decimal(wei), native_price), -18)
    return exact.quantize(MICRO, ROUND_CEILING, EXACT)
