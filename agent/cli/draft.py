"""A portfolio that is not in a file yet: wishes from the command line, and the text they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.money import Address
    from agent.settings import ChainFacts, World

WHOLE = Decimal(100)
STEP = Decimal("0.01")
"""Percent; a share has four decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a portfolio says at the least; weights and bands in percent by asset."""

    address: Address
    chains: tuple[ChainFacts, ...]
    weights: Mapping[str, Decimal]
    bands: Mapping[str, Decimal]
    signer: str = "watch"
    name: str = "portfolio"

    @property
    def targets(self) -> str:
        """The rows of the table of targets."""
        return target_rows(self.weights, self.bands)

    @property
    def wallet(self) -> str:
        """The table of the wallet, without its comments."""
        from agent.wire.address import checksum

        chains = ", ".join(f'"{facts.caip2}"' for facts in self.chains)
        return (
            f'address = "{checksum(self.address)}"\nchains  = [{chains}]\n'
            f"signer  = {in_quotes(self.signer)}"
        )

    @property
    def text(self) -> str:
        """The least that is a portfolio."""
        bridges = '[bridges]\nallow = ["across"]\n' if len(self.chains) > 1 else ""
        return f"schema = 1\n[wallet]\n{self.wallet}\n[targets]\n{self.targets}\n{bridges}"


def target_rows(weights: Mapping[str, Decimal], bands: Mapping[str, Decimal]) -> str:
    """What stands below `[targets]`, from percent by asset."""
    from agent.settings.value import quoted_key

    width = max(len(quoted_key(asset)) for asset in weights)
    return "\n".join(
        f'{quoted_key(asset):<{width}} = {{ weight = "{share(weight)}", '
        f'band = "{share(bands[asset])}" }}'
        for asset, weight in weights.items()
    )


def in_quotes(text: str) -> str:
    """*text* as a TOML string: whatever is in it, it stays one value.

    >>> in_quotes('a"b')
    '"a\\\\"b"'
    """
    return json.dumps(text)


def share(percent: Decimal) -> str:
    """Percent as the part of the whole that files write.

    >>> share(Decimal(50)), share(Decimal("12.5"))
    ('0.50', '0.125')
    """
    part = (percent / 100).normalize()
    return f"{part:.2f}" if part == part.quantize(STEP) else f"{part:f}"


def read_weights(text: str, chains: tuple[ChainFacts, ...]) -> dict[str, Decimal]:
    """Percent by asset out of `ETH=50,USDC=50`; raises WrongValue with the nearest fix."""
    from agent.errors import WrongValue

    known = known_assets(chains)
    weights: dict[str, Decimal] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (word.strip() for word in part.partition("="))
        if not equals:
            raise WrongValue(
                f"{part!r} is no target", fix="write asset and percent: ETH=50,USDC=50"
            )
        if name in weights:
            raise WrongValue(f"{name} is named twice", fix="name each asset once")
        weights[_asset(name, known)] = read_percent(name, number)
    _refuse_other_sums(weights)
    return weights


def known_assets(chains: tuple[ChainFacts, ...]) -> tuple[str, ...]:
    """Assets of which a form may be traded on one of *chains*."""
    names = [
        listing.asset for facts in chains for listing in facts.listings if listing.role == "spend"
    ]
    return tuple(dict.fromkeys(names))


def _asset(name: str, known: tuple[str, ...]) -> str:
    from agent.errors import WrongValue
    from agent.settings.value import did_you_mean

    if name in known:
        return name
    raise WrongValue(
        f"no asset {name!r} on these chains{did_you_mean(name, known)}",
        fix=f"use one of {', '.join(known)}",
    )


def read_percent(name: str, text: str) -> Decimal:
    """Percent of *name*, between 0 and 100 in steps of 0.01; raises WrongValue."""
    from agent.errors import WrongValue

    try:
        number = Decimal(text)
    except InvalidOperation:
        raise WrongValue(f"{name}: {text!r} is no number", fix="write percent: ETH=50") from None
    if not (number.is_finite() and 0 <= number <= WHOLE):
        raise WrongValue(f"{name}: {text} is not between 0 and 100 percent", fix="write percent")
    if number != number.quantize(STEP):
        near = number.quantize(STEP)
        raise WrongValue(
            f"{name}: {text} is finer than 0.01 percent", fix=f"the nearest is {name}={near}"
        )
    return number


def _refuse_other_sums(weights: Mapping[str, Decimal]) -> None:
    from agent.errors import WrongValue

    if not weights:
        raise WrongValue("no asset has a target", fix="write some: ETH=50,USDC=50")
    total = sum(weights.values())
    if total == WHOLE:
        return
    missing = WHOLE - total
    largest = max(weights, key=lambda name: weights[name])
    would = weights[largest] + missing
    fits = 0 <= would <= WHOLE
    raise WrongValue(
        f"the targets sum to {total:f} percent, not to exactly 100",
        fix=f"{largest}={would:f} would do" if fits else "make them sum to 100",
    )


def bands_of(weights: Mapping[str, Decimal], widest: Decimal) -> dict[str, Decimal]:
    """A band for each weight: *widest* percent, half the weight where that is less."""
    least = Decimal("0.5")
    return {
        name: max(least, min(widest, weight / 2)).quantize(STEP) for name, weight in weights.items()
    }


def read_band(percent: float) -> Decimal:
    """Percent of a band, exactly; raises WrongValue."""
    return read_percent("band", f"{percent:g}")


def read_address(text: str) -> Address:
    """An account's address, its checksum right where it has one; raises ConfigError."""
    from agent.settings import flag_address

    return flag_address("address", text)


def read_chains(text: str, world: World) -> tuple[ChainFacts, ...]:
    """Chains by any of their names; all of them for none.

    Raises WrongValue for one that chains.toml, or the overlay, does not have.
    """
    from agent.errors import WrongValue
    from agent.settings import by_names
    from agent.settings.value import did_you_mean

    names = [name.strip() for name in text.split(",") if name.strip()]
    by_name = by_names(world.chains.values())
    for name in names:
        if name.lower() not in by_name:
            which = "the overlay of local chains" if world.local else "chains.toml"
            known = ", ".join(facts.caip2 for facts in world.chains.values())
            raise WrongValue(
                f"{which} has no chain {name!r}{did_you_mean(name, by_name)}",
                fix=f"use one of {known}",
            )
    found = [by_name[name.lower()] for name in names] or list(world.chains.values())
    return tuple({facts.chain: facts for facts in found}.values())
