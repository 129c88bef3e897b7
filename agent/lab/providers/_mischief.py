"""What a test may tell a provider's server to do wrong: lie in an offer, or fail as servers do."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from agent.lab.providers._asking import RefusedError
from agent.lab.providers._pools import Route
from agent.lab.reply import Reply

ROBBER: Final = "0xbad0000000000000000000000000000000000b0b"
"""Who gets what a forged offer takes; nobody has its key."""

FORGED_FEE_BPS: Final = 50

UNKNOWN_SELECTOR: Final = "0xdeadbeef"

SLOW_SECONDS: Final = 30.0
"""How late a slow answer comes, unless the order says otherwise."""

BULK_BYTES: Final = 16 * 1024 * 1024

_HUGE: Final = 10**60

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a provider offers to do, before it is written in its own way.

    ``sell`` and ``buy`` are addresses as it writes them, ``target`` is who is called, ``spender``
    who may take what is sold, ``promised`` what its answer says that is bought. ``fee_bps`` of
    what is traded goes to the robber, where the provider's calldata has fees. ``garbled`` calldata
    calls a function that nobody knows.
    """

    chain_id: int
    sell: str
    buy: str
    amount: int
    value: int
    promised: int
    minimum: int
    recipient: str
    target: str
    spender: str
    route: Route
    fee_bps: int = 0
    garbled: bool = False

    def shown(self, calldata: str) -> str:
        """Calldata as it is answered."""
        return UNKNOWN_SELECTOR + calldata[len(UNKNOWN_SELECTOR) :] if self.garbled else calldata


def make_offer(
    route: Route, *, minimum: int, recipient: str, target: str, spender: str = ""
) -> Offer:
    """An honest offer of a route; without a *spender* the target is it."""
    return Offer(
        chain_id=route.place.chain_id,
        sell=route.sell.address,
        buy=route.buy.address,
        amount=route.amount,
        value=route.amount if route.sell.native else 0,
        promised=route.out,
        minimum=minimum,
        recipient=recipient,
        target=target,
        spender=spender or target,
        route=route,
    )


def _other_token(offer: Offer) -> str:
    taken = {offer.route.sell.token.address, offer.route.buy.token.address}
    tokens = offer.route.place.tokens.values()
    return next(token.address for token in tokens if token.address not in taken)


FORGERIES: Final[Mapping[str, Callable[[Offer], Offer]]] = MappingProxyType(
    {
        "recipient": lambda offer: replace(offer, recipient=ROBBER),
        # Nobody looks at a worse offer: whoever steals promises a little more than anybody else.
        "bait": lambda offer: replace(
            offer, recipient=ROBBER, promised=offer.promised * 1005 // 1000
        ),
        "target": lambda offer: replace(offer, target=ROBBER),
        "spender": lambda offer: replace(offer, spender=ROBBER),
        "amount": lambda offer: replace(offer, amount=2 * offer.amount, value=2 * offer.value),
        "minimum": lambda offer: replace(offer, minimum=1),
        "token": lambda offer: replace(offer, buy=_other_token(offer)),
        "sold": lambda offer: replace(offer, sell=_other_token(offer)),
        "value": lambda offer: replace(offer, value=offer.value + 10**18),
        "inflated": lambda offer: replace(offer, promised=offer.promised * 11 // 10),
        "fee": lambda offer: replace(offer, fee_bps=FORGED_FEE_BPS),
        "call": lambda offer: replace(offer, garbled=True),
        "chain": lambda offer: replace(offer, chain_id=10),
    }
)
"""The ways in which an offer can lie; about what a provider does not say it tells no lie."""


@dataclass(slots=True)
class Mischief:
    """What the next answers do wrong; nothing, unless `order` said so.

    ``ways`` are all in which it can lie; one that is none for an offer leaves it as it is.
    """

    ways: frozenset[str] = frozenset(FORGERIES)
    _lies: list[str] = field(default_factory=list, init=False)
    _failures: list[tuple[str, str, float]] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def order(self, name: str, *arguments: Any) -> dict[str, int]:
        """Take ``forge WAY [OFFERS]`` or ``fail HOW [ANSWERS [WHERE [SECONDS]]]``.

        WHERE is a part of the paths that fail. Answers what is left; ``left`` does nothing else.
        Raises KeyError, TypeError and ValueError for what is none.
        """
        orders: dict[str, Callable[..., None]] = {
            "forge": self._forge,
            "fail": self._fail,
            "left": lambda: None,
        }
        orders[name](*arguments)
        return {"forgeries_left": len(self._lies), "failures_left": len(self._failures)}

    def forged(self, offer: Offer, *, final: bool = True) -> Offer:
        """The offer, or what a lie makes of it; one that is not *final* uses no lie up."""
        return self.bent(offer, FORGERIES, final=final)

    def bent(self, offer: T, forgeries: Mapping[str, Callable[[T], T]], *, final: bool = True) -> T:
        """The same for an offer of another kind, with lies of its own."""
        with self._lock:
            if not self._lies:
                return offer
            way = self._lies.pop() if final else self._lies[-1]
        return forgeries[way](offer) if way in forgeries else offer

    def reply(self, path: str, honest: Callable[[], tuple[int, Any]]) -> Reply:
        """The honest answer or refusal, or what a failure makes of it."""
        with self._lock:
            failure = self._failures.pop() if self._failures else None
            if failure is not None and failure[1] not in path:
                self._failures.append(failure)
                failure = None
        try:
            status, body = honest()
        except RefusedError as refused:
            return Reply(status=refused.status, body=refused.body)
        if failure is None:
            return Reply(status=status, body=body)
        return FAILURES[failure[0]](body, failure[2])

    def _forge(self, way: str, offers: int = 1) -> None:
        if way not in self.ways:
            raise KeyError(way)
        with self._lock:
            self._lies = [way] * offers

    def _fail(
        self, how: str, answers: int = 1, where: str = "", seconds: float = SLOW_SECONDS
    ) -> None:
        if how not in FAILURES:
            raise KeyError(how)
        with self._lock:
            self._failures = [(how, where, seconds)] * answers


def _half(body: Any) -> bytes:
    text = json.dumps(body).encode()
    return text[: len(text) // 2]


def _with_amounts(body: Any, amount: Any) -> Any:
    """The same JSON with another amount wherever it has a whole number as text."""
    if isinstance(body, dict):
        return {name: _with_amounts(value, amount) for name, value in body.items()}
    if isinstance(body, list):
        return [_with_amounts(value, amount) for value in body]
    return amount if isinstance(body, str) and body.isdigit() else body


FAILURES: Final[Mapping[str, Callable[[Any, float], Reply]]] = MappingProxyType(
    {
        "429": lambda _, __: Reply(
            status=429, body={"message": "Too Many Requests"}, headers={"Retry-After": "2"}
        ),
        "500": lambda _, __: Reply(status=500, body={"message": "Internal Server Error"}),
        "503": lambda _, __: Reply(status=503, content=b"upstream connect error"),
        "slow": lambda body, seconds: Reply(body=body, after_seconds=seconds),
        "truncated": lambda body, _: Reply(content=_half(body)),
        "cut": lambda body, _: Reply(content=_half(body), announced=len(json.dumps(body))),
        "nan": lambda body, _: Reply(body=_with_amounts(body, float("nan"))),
        "huge": lambda body, _: Reply(body=_with_amounts(body, str(_HUGE))),
        "bulky": lambda _, __: Reply(content=b" " * BULK_BYTES),
        "html": lambda _, __: Reply(
            content=b"<html>be right back</html>", headers={"Content-Type": "text/html"}
        ),
        "list": lambda body, _: Reply(body=[body]),
        "empty": lambda _, __: Reply(body={}),
        "moved": lambda _, __: Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    }
)
"""The ways in which a server can fail."""
