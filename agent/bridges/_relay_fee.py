"""What relayers want for a delivery: told by Across's fee server, or by the owner's own figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.bridges._routes import ChainOptions, Route
from agent.bridges._swap_approval import SOMEBODY, fees_in, question
from agent.core.money import Address, Bps, ChainId, Token
from agent.core.rounding import mul_div_up
from agent.errors import (
    BadReply,
    Contradicted,
    NoRoute,
    ProviderSilent,
    RateLimited,
    Rejected,
    Unreachable,
)
from agent.provider import JSON, Http
from agent.wire.address import checksum

SECONDS = 60
"""Usual time of a delivery where nobody tells one: Across speaks of seconds, and of a minute from
Ethereum, whose blocks relayers wait for (docs.across.to, "Fill times")."""

MAX_SECONDS = 86_400
"""A longer estimate than this is none."""

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,77})")
"""Base units as the server writes them: JSON's own numbers could not hold them."""

_NOT_THERE = 404
"""HTTP status of a server that does not have an endpoint."""


def no_key() -> str:
    """Nobody's key."""
    return ""


_REPORT = "plan again later; if it stays, tell Across"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFee:
    """The relayer fee that the owner set: a share, and base units of a token for its gas.

    `fixed` says the second part for the token sold, None when it cannot be told now.
    """

    bps: Bps
    fixed: Callable[[Token], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A relayer fee for *amount*, all in base units of the token sold.

    `fixed` is the part of `total` that a smaller amount costs too. Amounts from `least` to `most`
    (None where there is no limit) are taken; `out` is what the server itself would pay out.
    """

    amount: int
    total: int
    fixed: int
    least: int = 1
    most: int | None = None
    seconds: int = SECONDS
    out: int | None = None

    def fee(self, raw: int) -> int:
        """The fee for another amount, rounded up.

        >>> Offer(amount=1000, total=30, fixed=10).fee(500)
        20
        """
        return self.fixed + mul_div_up(self.total - self.fixed, raw, self.amount)

    def takes(self, raw: int) -> bool:
        """Whether an amount is within the limits."""
        return self.least <= raw and (self.most is None or raw <= self.most)


def own_offer(fee: OwnFee, found: Route, raw: int) -> Offer:
    """The owner's fee for *raw* base units; raises NoRoute when it cannot be told."""
    fixed = fee.fixed(found.input)
    if fixed is None:
        raise NoRoute(
            f"the relayer fee in {found.input.symbol} cannot be told without a price of it",
            fix="plan again when there is one",
        )
    return Offer(amount=raw, total=fixed + mul_div_up(raw, fee.bps, 10_000), fixed=fixed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeServer:
    """Across's server: `GET /swap/approval`, as documented at docs.across.to.

    Where it does not have that, or would go another way than a deposit like ours, the older
    `GET /suggested-fees` is asked. Only the fee, the limits and the usual time are taken from it.
    What else it says is compared with what is known without it, and a contradiction makes all of it
    worthless.
    """

    http: Http
    api: str
    chains: Mapping[ChainId, ChainOptions]
    key: Callable[[], str] = field(default=no_key, repr=False)

    def offer(
        self, found: Route, raw: int, *, now: int | None = None, account: Address = SOMEBODY
    ) -> Offer:
        """The fee for *raw* base units; *now* is chain time, None when nothing is to be signed.

        Raises Contradicted, NoRoute for an amount that it does not take, Rejected for a question
        that it refuses, ProviderSilent for no usable answer.
        """
        try:
            answer = self._approval(found, raw, account)
            if answer is None:
                answer = self._suggested(found, raw)
            said = _Answer(answer)
            self._compare(said, found, now)
            return _offer(said, found, raw)
        except (RateLimited, Unreachable, BadReply) as fault:
            raise ProviderSilent(fault.message, fix=fault.fix) from fault

    def _approval(self, found: Route, raw: int, account: Address) -> JSON:
        """The fee by the newer endpoint, None where that does not tell it."""
        try:
            reply = self._get("/swap/approval", question(found, raw, account))
        except Rejected as refusal:
            if refusal.status == _NOT_THERE:
                return None
            raise
        return fees_in(reply, found, raw, self.chains[found.sell.chain])

    def _suggested(self, found: Route, raw: int) -> JSON:
        """The fee by the older endpoint."""
        query = {
            "inputToken": checksum(found.input.address),
            "outputToken": checksum(found.output.address),
            "originChainId": str(found.sell.chain),
            "destinationChainId": str(found.buy.chain),
            "amount": str(raw),
        }
        return self._get("/suggested-fees", query)

    def _get(self, path: str, query: Mapping[str, str]) -> JSON:
        key = self.key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.http.get(self.api + path, query, headers=headers)

    def _compare(self, said: _Answer, found: Route, now: int | None) -> None:
        """Refuse an answer about other contracts, tokens, chains or times."""
        near, far = self.chains[found.sell.chain], self.chains[found.buy.chain]
        known = [
            (("spokePoolAddress",), near.spoke_pool),
            (("destinationSpokePoolAddress",), far.spoke_pool),
            (("inputToken", "address"), found.input.address),
            (("outputToken", "address"), found.output.address),
        ]
        for path, address in known:
            told = said.at(*path)
            if told is not None and not (isinstance(told, str) and told.lower() == address):
                raise _contradicted(f"{'.'.join(path)} is not {address}")
        numbers = [
            (("inputToken", "chainId"), found.sell.chain),
            (("outputToken", "chainId"), found.buy.chain),
            (("inputToken", "decimals"), found.input.decimals),
            (("outputToken", "decimals"), found.output.decimals),
        ]
        for path, number in numbers:
            if said.at(*path) is not None and said.whole(*path) != number:
                raise _contradicted(f"{'.'.join(path)} is not {number}")
        if now is not None and said.at("fillDeadline") is not None:
            ahead = said.whole("fillDeadline") - now
            if not (ahead > 0):
                raise _contradicted(f"its deadline for the delivery was {-ahead} s ago")


class _Answer:
    """One answer of the server, read field by field; raises BadReply."""

    def __init__(self, answer: JSON) -> None:
        if not isinstance(answer, dict):
            raise _unreadable("it is no object")
        self._answer = answer

    def at(self, *path: str) -> JSON:
        """The field at a path, None where there is none."""
        found: JSON = self._answer
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def whole(self, *path: str) -> int:
        """The whole number at a path, written as text or as a number."""
        found = self.at(*path)
        if isinstance(found, str) and _WHOLE.fullmatch(found):
            return int(found)
        if type(found) is int:
            return found
        raise _unreadable(f"{'.'.join(path)} is no whole number")


def _offer(said: _Answer, found: Route, raw: int) -> Offer:
    """The figures of an answer, once they make sense together."""
    total = said.whole("totalRelayFee", "total")
    if not (0 <= total < raw):
        _refuse_low(said)
        raise _contradicted(f"a fee of {total} for an amount of {raw} base units")
    out = None if said.at("outputAmount") is None else said.whole("outputAmount")
    if out is not None and not (0 < out <= found.converted(raw - total)):
        raise _contradicted(f"{out} base units come out of {raw} less a fee of {total}")
    _refuse_low(said)
    gas = said.at("relayerGasFee", "total")
    fixed = 0 if gas is None else said.whole("relayerGasFee", "total")
    limits = said.at("limits") is not None
    seconds = SECONDS
    if said.at("estimatedFillTimeSec") is not None:
        seconds = said.whole("estimatedFillTimeSec")
    if not (0 <= seconds <= MAX_SECONDS):
        raise _unreadable("it estimates a time that is none")
    return Offer(
        amount=raw,
        total=total,
        fixed=min(max(fixed, 0), total),
        least=said.whole("limits", "minDeposit") if limits else 1,
        most=said.whole("limits", "maxDeposit") if limits else None,
        seconds=seconds,
        out=out,
    )


def _refuse_low(said: _Answer) -> None:
    told = said.at("isAmountTooLow")
    if not (told is None or told is False):
        raise NoRoute("the amount is too low for a relayer, says Across", fix="send more at once")


def _contradicted(what: str) -> Contradicted:
    return Contradicted(f"Across's fee server contradicts what is known: {what}", fix=_REPORT)


def _unreadable(what: str) -> BadReply:
    return BadReply(f"Across's fee server gave an answer that cannot be meant: {what}", fix=_REPORT)
