"""What the wallet holds, read at pinned blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agent.core.money import Address, Amount, ChainId, Token


@dataclass(frozen=True, slots=True)
class Block:
    """A block of one chain; `timestamp` is unix seconds, `base_fee_per_gas` in wei."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class ChainSnapshot:
    """One account on one chain at one block, read atomically.

    `balances` are base units; a token whose balance could not be read stands in
    `unreadable` and not in `balances`: unknown is never zero. `code_hash` is the
    keccak of the account's code, empty for an account without code.
    """

    chain: ChainId
    account: Address
    block: Block
    balances: Mapping[Token, int]
    unreadable: tuple[Token, ...] = ()
    code_hash: str = ""
    requests: int = 1


@dataclass(frozen=True, slots=True)
class InFlight:
    """Money that has left one chain and not yet arrived on another."""

    leg: str
    amount: Amount
    to: Token


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All chains of one wallet and the money in flight between them."""

    account: Address
    chains: Mapping[ChainId, ChainSnapshot]
    in_flight: tuple[InFlight, ...] = ()

    @property
    def balances(self) -> Mapping[Token, int]:
        """All readable balances in base units."""
        return MappingProxyType(
            {token: raw for chain in self.chains.values() for token, raw in chain.balances.items()}
        )

    def holds(self, token: Token) -> int:
        """Base units of *token*; KeyError when it was not read."""
        return self.chains[token.chain].balances[token]
