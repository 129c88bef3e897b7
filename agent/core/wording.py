"""Numbers as people read them in sentences."""

from __future__ import annotations

from decimal import Decimal

from agent.core.money import Amount, ChainId

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
"""Seconds in a unit of time; it is used from two of it on, so that nothing much is rounded off."""


def money(value: Decimal) -> str:
    """A sum in the unit of account.

    >>> money(Decimal("4197.3"))
    '4,197.30'
    """
    return f"{value:,.2f}"


def percent(share: Decimal) -> str:
    """A share of the whole.

    >>> percent(Decimal("0.0214"))
    '2.1 %'
    """
    return f"{share * 100:.1f} %"


def percent_of_bps(bps: int) -> str:
    """A share that is given in hundredths of a percent.

    >>> percent_of_bps(500)
    '5.0 %'
    """
    return percent(Decimal(bps) / 10_000)


def figure(value: Decimal) -> str:
    """A price or an amount, with the digits that matter at its size.

    >>> figure(Decimal("0.98210")), figure(Decimal(3012)), figure(Decimal("0.0000123456"))
    ('0.9821', '3,012.00', '0.00001235')
    """
    if abs(value) >= 100:
        return f"{value:,.2f}"
    if value == 0 or abs(value) >= Decimal("0.01"):
        return f"{value:.4f}"
    return f"{value:.{3 - value.adjusted()}f}"


def whole(amount: Amount) -> str:
    """An amount in whole tokens with its symbol, such as `1.4000 WETH`."""
    return f"{figure(amount.whole)} {amount.token.symbol}"


def span(seconds: int) -> str:
    """A length of time in its largest unit that still tells something.

    >>> span(41), span(3_600), span(200_000)
    ('41 s', '1 h', '2 d')
    """
    for length, unit in _SPANS:
        if seconds >= 2 * length or seconds == length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def chain_name(chain: ChainId) -> str:
    """A chain by its CAIP-2 id, such as `eip155:1`."""
    return f"eip155:{chain}"


def listed(items: list[str]) -> str:
    """Several things in one sentence.

    >>> listed(["ETH", "USDC", "WBTC"])
    'ETH, USDC and WBTC'
    """
    return " and ".join([*([", ".join(items[:-1])] if items[1:] else []), *items[-1:]])
