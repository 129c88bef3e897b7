"""What providers' adapters are made from: facts, options, and the port to providers' servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

from agent.core.frozen import empty
from agent.core.money import Address, ChainId, Token
from agent.errors import Unreachable

JSON: TypeAlias = bool | int | Decimal | str | list["JSON"] | dict[str, "JSON"] | None
"""What a provider's answer is made of: numbers with a fraction are Decimal, never float."""

FactValue: TypeAlias = int | str | Mapping[str, int | str]
"""One fact of a provider: a number, text, an address in lower case, or a table of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A provider for people and for whoever makes its adapter.

    Of its server at most `calls` questions are asked in `seconds`. A key is the text of the
    variable `NAME_API_KEY`, without which a provider that requires one stays off.
    """

    title: str
    key: Literal["none", "optional", "required"] = "none"
    calls: int = 10
    seconds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChain:
    """One chain as a provider's adapter needs to know it.

    `tokens` is the one ERC-20 by which each asset crosses to other chains, `facts` the provider's
    own table in chains.toml, `code_hashes` the code that must stand at addresses; the money of a
    transfer counts after `confirmations` blocks.
    """

    chain: ChainId
    native: Token
    wrapped: Token
    tokens: Mapping[str, Token]
    facts: Mapping[str, FactValue]
    code_hashes: Mapping[Address, str] = field(default_factory=empty)
    confirmations: int = 1

    def address(self, fact: str) -> Address:
        """The contract that *fact* names; raises KeyError where chains.toml has none."""
        return Address(str(self.facts[fact]))

    def number(self, fact: str) -> int:
        """The number that *fact* is; raises KeyError and ValueError."""
        return int(str(self.facts[fact]))

    def table(self, fact: str) -> Mapping[str, int | str]:
        """The table that *fact* is, empty where there is none; raises TypeError."""
        found = self.facts.get(fact, {})
        if not isinstance(found, Mapping):
            raise TypeError(f"{fact} is no table")
        return found

    def pinned(self, *addresses: Address) -> dict[Address, str]:
        """Contracts with the hashes of the code that they must have, '' where none is known."""
        return {address: self.code_hashes.get(address, "") for address in addresses}


def _no_key() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """What a provider's adapter is told.

    `api` is its server's URL without a slash at its end, '' where nobody is to be asked; `key`
    reveals the owner's key, '' without one. `max_slippage_bps` is how far a minimum may be below
    its offer.
    """

    api: str = ""
    chains: Mapping[ChainId, ProviderChain] = field(default_factory=empty)
    max_slippage_bps: int = 50
    key: Callable[[], str] = field(default=_no_key, repr=False)


class Http(Protocol):
    """Asks providers' servers.

    Both raise RateLimited, Unreachable, Rejected or BadReply. Errors name the host and nothing else
    of the address, the question or the headers.
    """

    def get(self, url: str, query: Mapping[str, str], *, headers: Mapping[str, str] = ...) -> JSON:
        """The answer to one question."""

    def post(self, url: str, body: JSON, *, headers: Mapping[str, str] = ...) -> JSON:
        """The answer to a question with a body, which may arrive more than once."""


class Offline:
    """Implements the Http port where nobody is to be asked."""

    def get(
        self,
        _url: str,
        _query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002  it carries none
    ) -> JSON:
        """Raise Unreachable, whatever is asked."""
        raise _nobody()

    def post(
        self,
        _url: str,
        _body: JSON,
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002  it carries none
    ) -> JSON:
        """Raise Unreachable, whatever is asked."""
        raise _nobody()


def _nobody() -> Unreachable:
    return Unreachable("no provider is asked here", fix="ask outside of the rehearsal")
