"""Balances, allowances and nonces of a paper chain, copied block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.core.money import Address, Token

NOBODY = Address("0x" + "00" * 20)
"""Who mints and burns, in Transfer logs."""


class Revert(Exception):  # noqa: N818  what the chain calls it
    """A call that undoes everything it did; the text is its reason."""


@dataclass(slots=True)
class Ledger:
    """The whole mutable state of a paper chain; amounts are base units.

    `balances` is keyed by (token address, holder), `allowances` by (token, owner, spender),
    `guarded` are tokens that take no change from one non-zero allowance to another, `code`
    the accounts with code, `log` the transfers of the transaction that runs now. A token is
    whatever somebody once had; `decimals` are those that tell theirs.
    """

    balances: dict[tuple[Address, Address], int] = field(default_factory=dict)
    allowances: dict[tuple[Address, Address, Address], int] = field(default_factory=dict)
    nonces: dict[Address, int] = field(default_factory=dict)
    guarded: frozenset[Address] = frozenset()
    code: dict[Address, str] = field(default_factory=dict)
    store: dict[str, int] = field(default_factory=dict)
    log: list[tuple[Address, Address, Address, int]] = field(default_factory=list)
    decimals: dict[Address, int] = field(default_factory=dict)

    def copy(self) -> Ledger:
        """A copy that shares nothing that changes."""
        return Ledger(
            dict(self.balances),
            dict(self.allowances),
            dict(self.nonces),
            self.guarded,
            dict(self.code),
            dict(self.store),
            list(self.log),
            dict(self.decimals),
        )

    def given(self, account: Address, raws: Mapping[Token, int]) -> Ledger:
        """A copy in which *account* has so many base units more."""
        made = self.copy()
        for token, raw in raws.items():
            made.mint(token.address, account, raw)
        return made

    def is_token(self, address: Address) -> bool:
        """Whether there is a token, or the native coin, at *address*."""
        return any(address == token for token, _ in self.balances)

    def balance(self, token: Address, holder: Address) -> int:
        """Base units of *token* that *holder* has."""
        return self.balances.get((token, holder), 0)

    def mint(self, token: Address, holder: Address, raw: int) -> None:
        """Make *raw* base units out of nothing, with a Transfer from nobody."""
        self.balances[token, holder] = self.balance(token, holder) + raw
        self.log.append((token, NOBODY, holder, raw))

    def move(self, token: Address, source: Address, to: Address, raw: int) -> None:
        """Transfer; raises Revert when *source* has less."""
        if not 0 <= raw <= self.balance(token, source):
            raise Revert("transfer exceeds balance")
        self.balances[token, source] = self.balance(token, source) - raw
        self.balances[token, to] = self.balance(token, to) + raw
        self.log.append((token, source, to, raw))

    def approve(self, token: Address, owner: Address, spender: Address, raw: int) -> None:
        """Grant; raises Revert where the token guards against the approval race."""
        present = self.allowances.get((token, owner, spender), 0)
        if token in self.guarded and present and raw:
            raise Revert("approve from non-zero to non-zero")
        self.allowances[token, owner, spender] = raw

    def spend(self, token: Address, owner: Address, spender: Address, raw: int) -> None:
        """Transfer from *owner* to *spender* by an allowance; raises Revert."""
        present = self.allowances.get((token, owner, spender), 0)
        if not raw <= present:
            raise Revert("insufficient allowance")
        self.allowances[token, owner, spender] = present - raw
        self.move(token, owner, spender, raw)
