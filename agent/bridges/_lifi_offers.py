"""What LI.FI's server offers between two chains: questions of ours, its answers compared with them.

Requests, answers and errors are those of docs.li.fi and of the types in @lifi/types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.bridges._routes import Route
from agent.core.layout import Layout
from agent.core.money import Address, ChainId
from agent.errors import Contradicted, NoRoute, ProviderSilent, RateLimited, Rejected
from agent.provider import Http
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

TITLE = "LI.FI"

DEPOSIT = Layout(
    signature="startBridgeTokensViaAcrossV4("
    "(bytes32,string,string,address,address,address,uint256,uint256,bool,bool),"
    "(bytes32,bytes32,bytes32,bytes32,uint256,uint128,bytes32,uint32,uint32,uint32,bytes))",
    sell=(0, 4),
    amount_in=(0, 6),
    to_chain=(0, 7),
    recipient=(1, 0),
    refund=(1, 1),
    buy=(1, 3),
    min_out=(1, 4),
    fill_deadline=(1, 8),
    # Both halves name the recipient and the token sold: the facet compares the first pair only.
    equal=(((0, 5), (1, 0)), ((0, 4), (1, 2))),
    # Nothing is swapped before, nobody has the sole right to deliver, nothing is called after.
    zeros=((0, 8), (0, 9), (1, 6), (1, 9), (1, 10)),
    wraps=True,
)
"""The deposit of AcrossFacetV4 (lifinance/contracts, docs/AcrossFacetV4.md). Its number, its names
and its referrer are written into a log and no more; the multiplier is for swaps before it."""

LAYOUTS = by_selector(DEPOSIT)

_NOS = (
    1002,
    1003,
)
"""Codes of its errors that mean that there is no way for this pair or size: no quote, not found."""

_BUSY = 1005
"""The code of its error that says to ask less."""

_KEY_STATUSES = frozenset({401, 403})

_INTEGRATOR = "rebalancer"
"""What it wants to know of whoever asks."""

MAX_SECONDS = 86_400
"""A longer estimate than this is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A deposit that LI.FI wants sent to its diamond.

    `out` base units arrive, `least` in any case, usually after `seconds`.
    """

    out: int
    least: int
    seconds: int
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferServer:
    """Asks `GET /quote` for one way only, Across, without calls where the money arrives."""

    http: Http
    api: str
    diamonds: Mapping[ChainId, Address]
    key: Callable[[], str] = field(repr=False)

    def offer(self, found: Route, raw: int, account: Address) -> Offer:
        """What it offers *account* for *raw* base units.

        Raises NoRoute, also for a way whose bytes nobody can read here, Contradicted, Rejected and
        ProviderSilent.
        """
        answer = self._asked(
            found,
            {
                "fromChain": str(found.sell.chain),
                "toChain": str(found.buy.chain),
                "fromToken": checksum(found.sell.address),
                "toToken": checksum(found.buy.address),
                "fromAmount": str(raw),
                "fromAddress": checksum(account),
                "toAddress": checksum(account),
                "allowBridges": "across",
                "allowDestinationCall": "false",
                "integrator": _INTEGRATOR,
                # It would simulate with an allowance that is granted only after the guard agrees.
                "skipSimulation": "true",
            },
        )
        self._compare(answer, found, raw)
        payload = answer.calldata("transactionRequest", "data")
        if payload[:10] not in LAYOUTS:
            raise no_way(found, "offers a call that cannot be read")
        out, least = (answer.whole("estimate", name) for name in ("toAmount", "toAmountMin"))
        if not 0 < least <= out <= found.converted(raw):
            raise _contradicted(f"{out} base units, at least {least}, come out of {raw}")
        seconds = answer.whole("estimate", "executionDuration")
        if not seconds <= MAX_SECONDS:
            raise answer.unreadable("it estimates a time that is none")
        return Offer(out=out, least=least, seconds=seconds, payload=payload)

    def _asked(self, found: Route, query: Mapping[str, str]) -> Answer:
        headers = {"x-lifi-api-key": self.key()} if self.key() else {}
        try:
            return Answer(TITLE, self.http.get(f"{self.api}/quote", query, headers=headers))
        except Rejected as refusal:
            raise _refusal(found, refusal) from refusal

    def _compare(self, answer: Answer, found: Route, raw: int) -> None:
        """Refuse an answer about other chains, tokens, amounts or contracts."""
        diamond = self.diamonds[found.sell.chain]
        known = [
            (answer.address("action", "fromToken", "address"), found.sell.address, "token sold"),
            (answer.address("action", "toToken", "address"), found.buy.address, "token bought"),
            (answer.whole("action", "fromChainId"), found.sell.chain, "chain"),
            (answer.whole("action", "toChainId"), found.buy.chain, "far chain"),
            (answer.whole("action", "fromAmount"), raw, "amount"),
            (answer.address("transactionRequest", "to"), diamond, "contract"),
            (answer.whole("transactionRequest", "chainId"), found.sell.chain, "chain to send on"),
            (answer.whole("transactionRequest", "value"), 0, "value"),
            (answer.address("estimate", "approvalAddress"), diamond, "spender"),
        ]
        for told, wanted, what in known:
            if told != wanted:
                raise _contradicted(f"another {what} than was asked for")


def no_way(found: Route, why: str = "has no way") -> NoRoute:
    """The error that says so of a pair."""
    pair = f"{found.sell.symbol} to {found.buy.symbol} on chain {found.buy.chain}"
    return NoRoute(f"{TITLE} {why}: {pair}", fix="use another bridge, or another amount")


def _refusal(found: Route, refusal: Rejected) -> NoRoute | Rejected | ProviderSilent:
    """What a no means: no way, wait, another key, or just no."""
    reply = refusal.reply
    code = reply.get("code") if isinstance(reply, dict) else None
    if code in _NOS:
        return no_way(found)
    if code == _BUSY:
        what = f"{TITLE} wants fewer questions"
        return ProviderSilent(what, fix="wait a little", code=RateLimited.code)
    if refusal.status in _KEY_STATUSES:
        fix = "check the key in LIFI_API_KEY"
        return Rejected(refusal.message, fix=fix, status=refusal.status, reply=reply)
    return refusal


def _contradicted(what: str) -> Contradicted:
    return Contradicted(
        f"{TITLE}'s answer contradicts what is known: {what}",
        fix="plan again later; if it stays, tell LI.FI",
    )
