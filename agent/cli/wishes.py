"""What a plan is wanted for, from the command line."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.wish import Wish, WishKind
    from agent.settings import Settings

_AMOUNT = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)


def read_wish(
    settings: Settings,
    *,
    buy_only: bool,
    invest: str | None,
    raise_: str | None,
    on_trigger: bool,
) -> Wish | None:
    """The wish that the options say, None for what the policy says.

    Raises WrongValue for two of them at once, and for one that this portfolio cannot serve.
    """
    from agent.core.wanted import cash
    from agent.core.wish import BUY_ONLY
    from agent.errors import WrongValue

    said = {"--buy-only": buy_only, "--invest": invest is not None, "--raise": raise_ is not None}
    names = [name for name, given in said.items() if given]
    if len(names) > 1:
        raise WrongValue(
            f"{' and '.join(names)} are two plans, and one is made at a time",
            fix="ask for one, run it, then ask for the other",
        )
    if on_trigger and (invest is not None or raise_ is not None):
        raise WrongValue(
            f"{names[0]} is asked for now, and --on-trigger would wait", fix="leave one of them out"
        )
    if invest is not None:
        return _amount(settings, "invest", "--invest", invest)
    if raise_ is not None:
        return _amount(settings, "raise", "--raise", raise_)
    if not buy_only:
        return None
    if not cash(settings.policy):
        raise WrongValue(
            "no asset of the targets is pegged to the unit of account: nothing could be sold",
            fix="name the asset to buy with: --invest AMOUNT:ASSET",
        )
    return BUY_ONLY


def _amount(settings: Settings, kind: WishKind, option: str, text: str) -> Wish:
    """An amount of an asset out of `5000:USDC`."""
    from agent.core.wish import Wish
    from agent.errors import WrongValue
    from agent.settings.value import did_you_mean

    number, colon, asset = (part.strip() for part in text.partition(":"))
    if not colon or not _AMOUNT.fullmatch(number) or not Decimal(number) > 0:
        raise WrongValue(
            f"{option} {text!r} is no amount of an asset",
            fix=f"write a number of whole tokens above 0 and the asset: {option} 5000:USDC",
        )
    policy = settings.policy
    if asset not in policy.targets:
        raise WrongValue(
            f"{option} {text!r}: {asset!r} has no target{did_you_mean(asset, policy.targets)}",
            fix=f"use one of {', '.join(policy.targets)}",
        )
    decimals = min(
        form.token.decimals
        for row in policy.assets
        for form in row.instances
        if row.name == asset and form.role == "spend"
    )
    if len(number.partition(".")[2].rstrip("0")) > decimals:
        raise WrongValue(
            f"{option} {text!r}: {asset} has only {decimals} decimals", fix="write fewer of them"
        )
    return Wish(kind, asset, Decimal(number))
