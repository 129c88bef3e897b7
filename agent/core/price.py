"""Prices with their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from agent.core.frozen import empty
from agent.core.money import Amount, Token, raw_down


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one source says about one asset.

    `value` is in the unit of account for one whole token; `at` is the unix time
    (seconds) at which the source formed it; `fresh_until` the time until which the
    source's own rule (a feed's heartbeat) calls it fresh.
    """

    source: str
    asset: str
    value: Decimal
    at: int
    fresh_until: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """A pool's opinion: one whole *base* is worth `value` whole *quote* tokens."""

    source: str
    base: str
    quote: str
    value: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class Price:
    """The agreed price of an asset for one whole token, in the unit of account.

    `value` is the conservative one of two sources, the median of three or more.
    """

    asset: str
    value: Decimal
    low: Decimal
    high: Decimal
    at: int
    sources: tuple[str, ...]

    @property
    def independent(self) -> bool:
        """Whether at least two sources stand behind it: one alone is for reports only."""
        return len(self.sources) > 1


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why an asset has no price that money may move on; `code` is an error code."""

    asset: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Prices:
    """Agreed prices by asset, refusals by asset, and which asset a token belongs to."""

    by_asset: Mapping[str, Price]
    refused: Mapping[str, Unpriced] = field(default_factory=empty)
    asset_of: Mapping[Token, str] = field(default_factory=empty)

    def of(self, token: Token) -> Price | None:
        """The price of *token*'s asset, None when it has none: unknown is never zero."""
        asset = self.asset_of.get(token)
        return None if asset is None else self.by_asset.get(asset)

    def worth(self, amount: Amount) -> Decimal | None:
        """The value of *amount* in the unit of account, None when unpriced."""
        price = self.of(amount.token)
        return None if price is None else price.value * amount.whole

    def fair(self, amount: Amount, buy: Token) -> int | None:
        """Base units of *buy* that are worth *amount*, rounded down; None when unpriced."""
        sell_price, buy_price = self.of(amount.token), self.of(buy)
        if sell_price is None or buy_price is None or not buy_price.value > 0:
            return None
        whole = Fraction(amount.whole) * Fraction(sell_price.value) / Fraction(buy_price.value)
        return raw_down(whole, buy)
