"""What venues behind a server of somebody else have in common: questions of ours, firm quotes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from agent.core.frozen import empty
from agent.core.money import WHOLE_BPS, Address, Amount, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.core.rounding import mul_div_down, mul_div_up
from agent.errors import Contradicted, NoRoute, ProviderSilent, RateLimited, Rejected
from agent.provider import JSON, About, Http, ProviderChain, ProviderOptions
from agent.wire.address import checksum
from agent.wire.answer import Answer

TTL_SECONDS: Final = 60
"""How long an offer is taken for firm: approving and swapping take two to four blocks of mainnet,
and makers bind themselves for about a minute (0x's FAQ; Odos says the same of its paths)."""

EEEE: Final = Address("0x" + "ee" * 20)
"""The pseudo address of the gas coin at most providers (ERC-7528)."""

ZERO: Final = Address("0x" + "00" * 20)
"""The same at others."""

USUAL_GAS: Final = 200_000
"""Gas of a simple swap: a server that says less, or nothing, is not cheaper for it."""

MOST_GAS: Final = 15_000_000
"""Gas that no swap takes: the guard refuses such a limit."""

_KEY_STATUSES: Final = frozenset({401, 403})

_FAR_TOO_MANY: Final = 2**128
"""Base units that no token has: a number like this is a fault or a trap."""


def _never(_said: Answer) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A provider's server, asked for legs.

    `is_no` tells by the body of an error that there is no way for the pair or size, `is_busy` that
    the provider wants to be left alone, `is_error` by the body of a success that it is none.
    `headers` go along with each question; no error and no repr shows them.
    """

    name: str
    about: About
    options: ProviderOptions
    http: Http
    headers: Callable[[], Mapping[str, str]] = field(default=empty, repr=False)
    is_no: Callable[[Answer], bool] = _never
    is_busy: Callable[[Answer], bool] = _never
    is_error: Callable[[Answer], bool] = _never

    def get(self, leg: Leg, path: str, query: Mapping[str, str]) -> Answer:
        """The answer to one question.

        Raises NoRoute, Rejected and ProviderSilent.
        """
        url = self.options.api + path
        return self._asked(leg, lambda: self.http.get(url, query, headers=self.headers()))

    def post(self, leg: Leg, path: str, body: JSON) -> Answer:
        """The answer to a question with a *body*, raising as `get`."""
        url = self.options.api + path
        return self._asked(leg, lambda: self.http.post(url, body, headers=self.headers()))

    def serving(self, leg: Leg, sell_raw: int) -> ProviderChain:
        """The chain of *leg*, where this provider is to be asked for it; raises NoRoute.

        The gas coin and its wrapper are exchanged by the wrapper itself, one to one.
        """
        sell, buy = leg.sell.token, leg.buy
        known = self.options.chains.get(sell.chain)
        wraps = known is not None and {sell, buy} == {known.native, known.wrapped}
        if known is None or sell.chain != buy.chain or sell == buy or wraps or not sell_raw > 0:
            raise self.no_route(leg)
        if not self.options.api:
            raise self.no_route(leg, "is not asked here for a way")
        return known

    def no_route(self, leg: Leg, why: str = "has no way") -> NoRoute:
        """The error that says so of a leg's two tokens."""
        sell, buy = leg.sell.token, leg.buy
        return NoRoute(
            f"{self.about.title} {why} from {sell.symbol} to {buy.symbol} on chain {sell.chain}",
            fix="use another venue, or another amount",
        )

    def matching(self, told: object, wanted: object, what: str) -> None:
        """Raise Contradicted where an answer speaks of something else than was asked."""
        if told != wanted:
            raise Contradicted(
                f"{self.about.title} answers with another {what} than was asked for",
                fix="plan again later; if it stays, tell the provider",
            )

    def _asked(self, leg: Leg, ask: Callable[[], JSON]) -> Answer:
        try:
            answer = Answer(self.about.title, ask())
        except Rejected as refusal:
            raise self._refusal(leg, refusal) from refusal
        if self.is_error(answer):
            title = self.about.title
            no = Rejected(f"{title} says no", fix="use another venue", reply=answer.fields)
            raise self._refusal(leg, no)
        return answer

    def _refusal(self, leg: Leg, refusal: Rejected) -> NoRoute | Rejected | ProviderSilent:
        """What a no means: no way, wait, another key, or just no."""
        reply: object = refusal.reply
        said = Answer(self.about.title, reply if isinstance(reply, dict) else {})
        if self.is_no(said):
            return self.no_route(leg)
        if self.is_busy(said):
            what = f"{self.about.title} wants fewer questions"
            return ProviderSilent(what, fix="wait a little", code=RateLimited.code)
        if self.about.key != "none" and refusal.status in _KEY_STATUSES:
            fix = f"check the key in {self.name.upper()}_API_KEY"
            return Rejected(refusal.message, fix=fix, status=refusal.status, reply=reply)
        return refusal


def said_in(answer: Answer, *fields: str) -> str:
    """The words of an error's *fields*, in small letters."""
    return " ".join(str(answer.at(name)) for name in fields).lower()


def spelled(token: Token, coin: Address) -> str:
    """A token as providers want it: its address with checksum, or their word for the gas coin."""
    return checksum(_address(token, coin))


def matches(told: Address, token: Token, coin: Address) -> bool:
    """Whether an address in an answer is a token's, or their word for the gas coin."""
    return told == _address(token, coin)


def _address(token: Token, coin: Address) -> Address:
    return coin if token.is_native else token.address


def least(options: ProviderOptions, amount_out: int, min_out: int) -> int:
    """The minimum to ask for: within the policy's slippage of the offer, and not below *min_out*.

    An offer that is below *min_out* keeps an honest minimum: it is refused for what it is.
    """
    kept = mul_div_up(amount_out, WHOLE_BPS - options.max_slippage_bps, WHOLE_BPS)
    return min(amount_out, max(kept, min_out))


def slippage_bps(amount_out: int, minimum: int) -> int:
    """The whole bps by which *minimum* may be said as slippage of *amount_out*.

    One less than fits: servers round in their own way, and the minimum must hold all the same.

    >>> slippage_bps(10_000, 9_950), slippage_bps(10_000, 10_000)
    (49, 0)
    """
    return max(0, (amount_out - minimum) * WHOLE_BPS // amount_out - 1)


def bounded(
    options: ProviderOptions,
    min_out: int,
    ask: Callable[[int], Answer],
    out: Callable[[Answer], int],
) -> Answer:
    """What *ask* gets with a slippage in whole bps that keeps the minimum of the *out* it promises.

    Of servers that want the slippage before they say what comes out: asked a second time only where
    the first slippage was too loose for *min_out*.
    """
    loose = max(0, options.max_slippage_bps - 1)
    answer = ask(loose)
    promised = out(answer)
    minimum = least(options, promised, min_out)
    if mul_div_down(promised, WHOLE_BPS - loose, WHOLE_BPS) >= minimum:
        return answer
    return ask(slippage_bps(promised, minimum))


def offered(answer: Answer, *path: str | int) -> int:
    """What an answer says that comes out, base units; raises ProviderSilent for what cannot be."""
    found = sent(answer, *path)
    if not found > 0:
        raise answer.unreadable(f"{_name(path)} is nothing at all")
    return found


def sent(answer: Answer, *path: str | int) -> int:
    """The wei that an answer wants sent along; raises ProviderSilent for what nobody has."""
    found = answer.whole(*path)
    if not found < _FAR_TOO_MANY:
        raise answer.unreadable(f"{_name(path)} is more than there is of anything")
    return found


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def gas_of(answer: Answer, *path: str | int) -> int:
    """Gas units that an answer says for the call: it compares offers, and limits nothing.

    What is not said, or cannot be, counts as a simple swap's.
    """
    said = answer.at(*path)
    try:
        gas = int(said) if isinstance(said, Decimal) else answer.whole(*path)
    except ProviderSilent:
        return USUAL_GAS
    return min(max(gas, USUAL_GAS), MOST_GAS)


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
