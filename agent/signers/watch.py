"""The signer that has no key: everything can be seen and planned, nothing signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from agent.core.fact import Reserved
from agent.core.money import Address
from agent.errors import KeyMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`address` is the wallet's."""

    address: Address


def make(options: Options, _io: object) -> WatchSigner:
    """The signer that signs nothing."""
    return WatchSigner(options.address)


class WatchSigner:
    """Knows an address."""

    kind = "watch"

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def address(self) -> Address:
        """The account that is watched."""
        return self._address

    def unlock(self) -> NoReturn:
        """Raises KeyMissing."""
        raise KeyMissing(
            f"{self._address} is only watched: there is no key to sign with",
            fix='name a key in portfolio.toml, for example signer = "keystore:main"; '
            "`rebalancer accounts list` shows those that are there",
        )

    def sign(self, reserved: Reserved) -> NoReturn:
        """Raises KeyMissing."""
        del reserved
        self.unlock()
