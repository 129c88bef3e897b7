"""What venues behind a server of somebody else have in common: questions of ours, firm quotes."""

from __future__ import annotations

from collections.abc import Callable, Collection

from agent.core.money import WHOLE_BPS, Address, Amount, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.core.rounding import mul_div_up
from agent.errors import Contradicted, NoRoute, Rejected
from agent.provider import ProviderChain, ProviderOptions
from agent.wire.address import checksum
from agent.wire.answer import Answer

TTL_SECONDS = 30
"""How long an offer is taken for firm: providers ask for a fresh one after this (0x's FAQ; most
say less than a minute), and pools move with every block."""

EEEE = Address("0x" + "ee" * 20)
"""The pseudo address of the gas coin at most providers (ERC-7528)."""

ZERO = Address("0x" + "00" * 20)
"""The same at others."""


def serving(options: ProviderOptions, leg: Leg, sell_raw: int, title: str) -> ProviderChain:
    """The chain of *leg*, where the provider serves it; raises NoRoute."""
    sell, buy = leg.sell.token, leg.buy
    known = options.chains.get(sell.chain)
    wrapped = known is not None and {sell, buy} == {known.native, known.wrapped}
    if known is None or sell.chain != buy.chain or sell == buy or wrapped or not sell_raw > 0:
        raise no_route(title, leg)
    return known


def no_route(title: str, leg: Leg, why: str = "has no way") -> NoRoute:
    """The error that says so of a leg's two tokens."""
    sell, buy = leg.sell.token, leg.buy
    return NoRoute(
        f"{title} {why} from {sell.symbol} to {buy.symbol} on chain {sell.chain}",
        fix="use another venue, or another amount",
    )


def asked(title: str, leg: Leg, ask: Callable[[], Answer], nos: Collection[str]) -> Answer:
    """The answer to a question, a refusal in words of *nos* (in small letters) as no route."""
    try:
        return ask()
    except Rejected as refusal:
        if any(no in refusal.message.lower() for no in nos):
            raise no_route(title, leg) from refusal
        raise


def spelled(token: Token, coin: Address) -> str:
    """A token as providers want it: its address with checksum, or their word for the gas coin."""
    return checksum(coin if token.is_native else token.address)


def least(options: ProviderOptions, amount_out: int, min_out: int) -> int:
    """The minimum to ask for: within the policy's slippage of the offer, and not below *min_out*.

    An offer that is below *min_out* keeps an honest minimum: it is refused for what it is.
    """
    kept = mul_div_up(amount_out, WHOLE_BPS - options.max_slippage_bps, WHOLE_BPS)
    return min(amount_out, max(kept, min_out))


def slippage_bps(amount_out: int, minimum: int) -> int:
    """The whole bps by which *minimum* may be said as slippage of *amount_out*, never too many.

    >>> slippage_bps(10_000, 9_951)
    49
    """
    return (amount_out - minimum) * WHOLE_BPS // amount_out


def matching(told: object, wanted: object, what: str, title: str) -> None:
    """Raise Contradicted where the answer speaks of something else than was asked."""
    if told != wanted:
        raise Contradicted(
            f"{title} answers with another {what} than was asked for",
            fix="plan again later; if it stays, tell the provider",
        )


def firm(
    leg: Leg,
    via: str,
    call: Call,
    *,
    sell_raw: int,
    amount_out: int,
    minimum: int,
    spender: Address,
    gas: int,
    now: int,
    route: str,
) -> Quote:
    """A quote over *call*, which sells exactly *sell_raw*; the gas coin needs no allowance."""
    sold = Amount(leg.sell.token, sell_raw)
    return Quote(
        via=via,
        sell=sold,
        buy=leg.buy,
        amount_out=amount_out,
        min_amount_out=minimum,
        allowances=() if sold.token.is_native else (Allowance(spender, sold),),
        payload=call,
        expires=now + TTL_SECONDS,
        gas=gas,
        route=route,
    )
