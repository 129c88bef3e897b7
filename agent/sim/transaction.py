"""A transaction as a paper chain reads it, and the gas that its call uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from agent.core.fees import TxKind
from agent.core.money import Address
from agent.core.quote import Call
from agent.sim.ledger import Revert

GAS_USED = 50_000
"""Gas of every call on paper but a plain transfer."""

PLAIN_GAS = 21_000
POOL_BUMP_PERCENT = 110
"""A transaction replaces another of the same nonce only when both fees are 10 % more."""


@dataclass(frozen=True, slots=True)
class PaperTx:
    """Signed bytes as a paper chain reads them; fees in wei per gas."""

    hash: str
    sender: Address
    nonce: int
    to: Address
    value: int
    data: str
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    kind: TxKind = "eip1559"

    @property
    def most(self) -> int:
        """Wei that the sender must have for it to be mined."""
        return self.value + self.gas_limit * self.max_fee_per_gas

    def beats(self, rival: PaperTx) -> bool:
        """Whether it offers so much more than *rival* that a pool takes it in its place."""
        return all(
            mine * 100 >= theirs * POOL_BUMP_PERCENT
            for mine, theirs in (
                (self.max_fee_per_gas, rival.max_fee_per_gas),
                (self.max_priority_fee_per_gas, rival.max_priority_fee_per_gas),
            )
        )


def parse(raw: str) -> tuple[int, PaperTx]:
    """The chain that signed bytes are for, and the transaction.

    Raises ValueError, KeyError or TypeError when they are none.
    """
    text = bytes.fromhex(raw.removeprefix("0x"))
    content = json.loads(text)
    if not isinstance(content, dict):
        raise TypeError("no transaction")
    chain = content.pop("chain")
    return chain, PaperTx(hash="0x" + sha256(text).hexdigest(), **content)


def gas_of(call: Call) -> int:
    """Gas that a call uses if its limit allows."""
    return PLAIN_GAS if call.data == "0x" else GAS_USED


def check_gas(call: Call, limit: int) -> None:
    """Raise Revert when *limit* is less than the call uses."""
    if not gas_of(call) <= limit:
        raise Revert("out of gas")
