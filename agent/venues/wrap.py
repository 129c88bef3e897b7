"""Wrapping and unwrapping the gas coin, one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.fees import ENVELOPE_BYTES
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.errors import NoRoute
from agent.ports import AdapterIo
from agent.wire.abi import functions
from agent.wire.calldata import by_selector

WRAP_GAS, UNWRAP_GAS = 45_100, 35_300
"""Gas of WETH9's deposit into an empty balance (28 000 into one that is not) and of its withdraw,
measured on local chains (docs/fees.md)."""

WRAP_BYTES, UNWRAP_BYTES = ENVELOPE_BYTES + 4, ENVELOPE_BYTES + 36
"""A selector, and with it one word."""

SECONDS = 12
"""One block of mainnet."""

VALID_SECONDS = 3_600
"""A wrap is one to one whenever it is mined; this only bounds how long a draft may lie about."""

DEPOSIT = Layout(signature="deposit()", target_is="buy", wallet_only=True)
WITHDRAW = Layout(signature="withdraw(uint256)", amount_in=(0,), target_is="sell", wallet_only=True)


@dataclass(frozen=True, slots=True)
class Options:
    """The wrapper of each chain's gas coin, and the hash its code must have ('' if unpinned)."""

    wrappers: Mapping[ChainId, tuple[Address, str]]


class Wrap:
    """Implements the Venue port over the chains' wrappers (WETH9 and its like)."""

    name = "wrap"

    def __init__(self, options: Options) -> None:
        self._wrappers = options.wrappers

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """`deposit()` and `withdraw(uint256)`."""
        return by_selector(DEPOSIT, WITHDRAW)

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's wrapper."""
        known = self._wrappers.get(chain)
        return {} if known is None else {known[0]: known[1]}

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """A straight ladder for each pair of the gas coin and its wrapper."""
        return tuple(
            Edge(
                via=self.name,
                sell=sell,
                buy=buy,
                ladder=((sizes[sell], sizes[sell]),),
                gas=WRAP_GAS if sell.is_native else UNWRAP_GAS,
                seconds=SECONDS,
                data_bytes=WRAP_BYTES if sell.is_native else UNWRAP_BYTES,
            )
            for sell, buy in pairs
            if sell.chain == chain and sizes[sell] > 0 and self._fits(sell, buy)
        )

    def _fits(self, sell: Token, buy: Token) -> bool:
        if sell.chain != buy.chain or sell.is_native == buy.is_native:
            return False
        known = self._wrappers.get(sell.chain)
        return known is not None and known[0] in {sell.address, buy.address}

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,  # noqa: ARG002  a wrapper pays whoever calls it
        min_out: int,  # noqa: ARG002  nothing can be less than one to one
        now: int,
    ) -> Quote:
        """Exactly *sell_raw*, exactly as much back; raises NoRoute for any other pair."""
        sell, buy = leg.sell.token, leg.buy
        if not (self._fits(sell, buy) and sell_raw > 0):
            raise NoRoute(
                f"no wrapper turns {sell_raw} base units of {sell.symbol} into {buy.symbol}",
                fix="use a venue that swaps them",
            )
        wrapper = self._wrappers[sell.chain][0]
        weth = functions("weth")
        if sell.is_native:
            payload = Call(sell.chain, wrapper, sell_raw, weth["deposit()"].encode())
        else:
            payload = Call(sell.chain, wrapper, 0, weth["withdraw(uint256)"].encode(sell_raw))
        return Quote(
            via=self.name,
            sell=Amount(sell, sell_raw),
            buy=buy,
            amount_out=sell_raw,
            min_amount_out=sell_raw,
            allowances=(),
            payload=payload,
            expires=now + VALID_SECONDS,
            gas=WRAP_GAS if sell.is_native else UNWRAP_GAS,
        )


def make(options: Options, _io: AdapterIo) -> Wrap:
    """The wrappers as a venue."""
    return Wrap(options)
