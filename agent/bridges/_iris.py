"""Circle's attestation service: what it takes, and what it has attested.

Its API is documented at developers.circle.com ("CCTP API reference"). It is believed only where
the chains bear it out: a message must be ours in every byte but the attester's own, and its
signature is tried on the far chain before anything is paid for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from agent.bridges._burn_message import BurnMessage
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
from agent.wire.foreign_text import plain
from agent.wire.words import AbiError

_WHOLE_BPS = 10_000

_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_SIGNATURE_BYTES = 65

_MAX_WHY = 60
"""Characters of its word for a delay; the documented ones are shorter."""

_UNKNOWN = 404
"""HTTP status for a transaction that it has not seen, and for a pair that it does not serve."""

_REPORT = "plan again later; if it stays, tell Circle"


@dataclass(frozen=True, slots=True)
class Attested:
    """A message as the attester signed it."""

    message: BurnMessage
    attestation: bytes


@dataclass(frozen=True, slots=True)
class Unattested:
    """There is no attestation yet; `why` is the service's own word, if it says one."""

    why: str


def fee_of(raw: int, bps: Decimal) -> int:
    """Base units of a fee in basis points, which may have a fraction, rounded up.

    >>> fee_of(1_000_000, Decimal("1.3"))
    130
    """
    share = Fraction(bps)
    return mul_div_up(raw, share.numerator, share.denominator * _WHOLE_BPS)


class Iris:
    """Asks the service at *api*, a URL without a slash at its end."""

    def __init__(self, http: Http, api: str) -> None:
        self._http = http
        self._api = api

    def fees(self, near: int, far: int) -> Mapping[int, Decimal]:
        """Basis points by finality threshold, for burns from one domain to another.

        Raises NoRoute where there is none, ProviderSilent for no usable answer.
        """
        try:
            answer = self._http.get(f"{self._api}/v2/burn/USDC/fees/{near}/{far}", {})
            return dict(_fee(row) for row in _rows(answer))
        except Rejected as no:
            if no.status != _UNKNOWN:
                raise
            why = f"Circle moves no USDC from domain {near} to {far}"
            raise NoRoute(why, fix="use another bridge") from None
        except (RateLimited, Unreachable, BadReply) as fault:
            raise ProviderSilent(fault.message, fix=fault.fix) from fault

    def allowance(self) -> Decimal:
        """USDC that all fast transfers together may still take; raises ProviderSilent."""
        try:
            answer = self._http.get(f"{self._api}/v2/fastBurn/USDC/allowance", {})
            return _number(_fields(answer).get("allowance"))
        except (RateLimited, Unreachable, BadReply) as fault:
            raise ProviderSilent(fault.message, fix=fault.fix) from fault

    def attested(self, near: int, transaction: str, sent: BurnMessage) -> Attested | Unattested:
        """The attestation of the message that a transaction on a domain *sent*.

        Raises Contradicted when it tells of other messages only, and what the Http port raises.
        """
        asked = {"transactionHash": transaction}
        try:
            answer = self._http.get(f"{self._api}/v2/messages/{near}", asked)
        except Rejected as no:
            if no.status != _UNKNOWN:
                raise
            return Unattested("")
        told = [_message(row) for row in _rows(_fields(answer).get("messages"))]
        others = [each for each in told if isinstance(each, Attested)]
        for each in others:
            if each.message.bare == sent.raw and each.message.fee <= sent.max_fee:
                return each
        if others:
            why = f"Circle's API tells of another message for transaction {transaction}"
            raise Contradicted(why, fix=_REPORT)
        return next((each for each in told if isinstance(each, Unattested)), Unattested(""))

    def reattest(self, nonce: bytes) -> None:
        """Ask for a new attestation of a message whose first one expired."""
        self._http.post(f"{self._api}/v2/reattest/0x{nonce.hex()}", None)


def _fee(row: Mapping[str, JSON]) -> tuple[int, Decimal]:
    threshold, bps = row.get("finalityThreshold"), _number(row.get("minimumFee"))
    if not (type(threshold) is int and bps < _WHOLE_BPS):
        raise _senseless("its fee is none")
    return threshold, bps


def _message(row: Mapping[str, JSON]) -> Attested | Unattested:
    message, attestation = row.get("message"), row.get("attestation")
    if row.get("status") != "complete" or attestation == "PENDING":
        why = row.get("delayReason")
        return Unattested(plain(why, at_most=_MAX_WHY) if isinstance(why, str) else "")
    signed = _bytes(attestation)
    if not signed or len(signed) % _SIGNATURE_BYTES:
        raise _senseless("its attestation is none")
    try:
        return Attested(BurnMessage(_bytes(message)), signed)
    except AbiError as fault:
        raise _senseless(str(fault)) from None


def _rows(answer: JSON) -> Iterator[Mapping[str, JSON]]:
    if not isinstance(answer, list):
        raise _senseless("a list is missing")
    return (_fields(row) for row in answer)


def _fields(answer: JSON) -> Mapping[str, JSON]:
    if not isinstance(answer, dict):
        raise _senseless("an object is missing")
    return answer


def _number(said: JSON) -> Decimal:
    if isinstance(said, bool) or not isinstance(said, int | Decimal) or not (said >= 0):
        raise _senseless("a number is missing")
    return Decimal(said)


def _bytes(said: JSON) -> bytes:
    if not (isinstance(said, str) and _BYTES.fullmatch(said)):
        raise _senseless("bytes are missing")
    return bytes.fromhex(said[2:])


def _senseless(why: str) -> BadReply:
    return BadReply(f"Circle's API answers with what cannot be meant: {why}", fix=_REPORT)
