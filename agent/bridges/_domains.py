"""The chains that Circle burns and mints USDC on, as CCTP numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.bridges._burn_message import word
from agent.core.layout import Place
from agent.core.money import Address, ChainId, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """CCTP on one chain, whose `number` is Circle's own.

    `standard_seconds` are usual from a burn here to its attestation; `fast_seconds` before
    finality, None where that is not offered. `confirmations` is how deep a block must be for what
    happened in it to count; `code_hashes` are of the two contracts, '' where none is known.
    """

    chain: ChainId
    number: int
    native: Token
    usdc: Token
    messenger: Address
    transmitter: Address
    standard_seconds: int
    fast_seconds: int | None = None
    confirmations: int = 1
    code_hashes: Mapping[Address, str]

    @property
    def messenger_word(self) -> bytes:
        """The messenger as messages name it."""
        return word(self.messenger)


Domains = Mapping[ChainId, Domain]


def pair(domains: Domains, sell: Token, buy: Token) -> tuple[Domain, Domain] | None:
    """The two ends of a way from *sell* to *buy*; None unless both are USDC, on two chains."""
    near, far = domains.get(sell.chain), domains.get(buy.chain)
    if near is None or far is None or near == far:
        return None
    return (near, far) if (near.usdc, far.usdc) == (sell, buy) else None


def numbered(domains: Domains) -> Mapping[int, ChainId]:
    """The chains by Circle's numbers."""
    return {domain.number: chain for chain, domain in domains.items()}


def places(domains: Domains) -> Mapping[tuple[ChainId, Address], Place]:
    """What each messenger implies: USDC there for USDC here."""
    return {
        (chain, near.messenger): Place(
            buys={
                (far.chain, near.usdc.address): far.usdc.address
                for far in domains.values()
                if far != near
            }
        )
        for chain, near in domains.items()
    }
