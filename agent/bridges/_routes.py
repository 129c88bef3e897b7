"""Which tokens of two chains are the same asset, and what their pools and wrappers are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.money import Address, ChainId, Token
from agent.core.rounding import mul_div_down


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """Across on one chain.

    `tokens` are the ERC-20 tokens by asset, the wrapped coin among them if its asset is known
    elsewhere; `code_hash` is what the pool's code must hash to, '' where it is not pinned;
    `confirmations` is how deep a block must be for what happened in it to count.
    """

    spoke_pool: Address
    native: Token
    wrapped: Token
    tokens: Mapping[str, Token]
    confirmations: int = 1
    code_hash: str = ""

    def as_received(self, token: Token) -> Token:
        """What an account without code is paid for an ERC-20: a pool unwraps the coin."""
        return self.native if token == self.wrapped else token

    def named(self, token: Token) -> Token:
        """What the bytes name for a token: the wrapped coin for the gas coin."""
        return self.wrapped if token.is_native else token

    def known(self, address: Address | None) -> Token | None:
        """The ERC-20 at an address, None for one of no asset here."""
        return next((token for token in self.tokens.values() if token.address == address), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One asset from one chain to another; `input` and `output` are what the bytes name."""

    sell: Token
    buy: Token
    input: Token
    output: Token

    def converted(self, raw: int) -> int:
        """Base units of `output` that are as much as *raw* of `input`, rounded down.

        >>> six, eighteen = (Token(ChainId(1), Address("0x1"), n, "USDC") for n in (6, 18))
        >>> Route(sell=six, buy=eighteen, input=six, output=eighteen).converted(5)
        5000000000000
        """
        return mul_div_down(raw, self.output.unit, self.input.unit)


def route(chains: Mapping[ChainId, ChainOptions], sell: Token, buy: Token) -> Route | None:
    """The way from *sell* to *buy*; None when they are not one asset on two known chains.

    Who buys the wrapped coin would get the gas coin, so that only the gas coin can be bought.
    """
    near, far = chains.get(sell.chain), chains.get(buy.chain)
    if near is None or far is None or sell.chain == buy.chain:
        return None
    given = near.named(sell)
    for asset, token in near.tokens.items():
        taken = far.tokens.get(asset)
        if token == given and taken is not None and far.as_received(taken) == buy:
            return Route(sell=sell, buy=buy, input=given, output=taken)
    return None
