"""Odos on local chains: a stand-in for its router v3, and its Smart Order Routing API v3.

Source: docs.odos.xyz, "Quote" and "Assemble" with their error codes; the router's public README.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from agent.core.money import Address
from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.providers._asking import Question, RefusedError
from agent.lab.providers._executor import EXECUTOR, put_stand_in
from agent.lab.providers._mischief import ROBBER, Mischief, Offer, make_offer
from agent.lab.providers._pools import Coin, Market, Route, find_coin, find_route, usd
from agent.lab.puppet import Puppet
from agent.lab.reply import Reply
from agent.wire.address import checksum

ROUTER: Final = "0x0d05a7d3448512b78fa8a9e46c4872c88c4a0d05"
NATIVE: Final = "0x" + "00" * 20

MARKET: Final = Market(
    tiers=frozenset({100, 500, 3000, 10_000}),
    hops=("USDC", "USDT"),
    splits=True,
    natives=frozenset({NATIVE}),
)

SWAP: Final = (
    "swap((address,uint256,address,address,uint256,uint256,address),bytes,address,"
    "(uint64,uint64,address))"
)
SWAP_COMPACT: Final = "swapCompact()"

PATH_SECONDS: Final = 60
"""How long a path may be assembled after it was quoted."""

FEE_UNIT_BPS: Final = 10**14
"""One basis point of the contract's fees."""

NO_VIABLE_PATH: Final = 2000
INVALID_CHAIN: Final = 4001
INVALID_INPUT: Final = 4002
INVALID_OUTPUT: Final = 4003
INVALID_USER: Final = 4004
INVALID_PATH: Final = 4013


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quoted:
    """A path as it was quoted to somebody."""

    branch: Branch
    route: Route
    user: str
    minimum: int
    compact: bool
    made_at: float


class Desk:
    """The API: a quote with a path's id, and calldata for that id within a minute."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self.order = self._mischief.order
        self._paths: dict[str, _Quoted] = {}

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``POST /sor/quote/v3`` and ``POST /sor/assemble``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, body))

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        answers = {"/sor/quote/v3": self._quote, "/sor/assemble": self._assemble}
        if method != "POST" or path not in answers or not isinstance(body, dict):
            raise RefusedError(404, {"detail": "Not Found"})
        return 200, answers[path](body)

    def _quote(self, body: dict[str, Any]) -> dict[str, Any]:
        branch = self._branches.get(body.get("chainId", 0))
        if branch is None:
            raise _refused(INVALID_CHAIN, "Invalid chain id")
        sold = _only(body, "inputTokens", INVALID_INPUT)
        bought = _only(body, "outputTokens", INVALID_OUTPUT)
        if bought.get("proportion") != 1:
            raise _refused(INVALID_OUTPUT, "Output token proportions must add up to 1")
        asked = Question({"userAddr": NATIVE, **body}, _bad_user)
        route = _route(branch, sold, bought)
        slippage = asked.number("slippageLimitPercent", "0.3", most=50)
        quoted = _Quoted(
            branch=branch,
            route=route,
            user=asked.address("userAddr"),
            minimum=max(1, int(Decimal(route.out) * (100 - slippage) / 100)),
            compact=body.get("compact") is not False,
            made_at=time.monotonic(),
        )
        number = hashlib.sha256(f"{len(self._paths)}".encode()).hexdigest()[:32]
        self._paths[number] = quoted
        offer = self._mischief.forged(_offer(quoted, quoted.user), final=False)
        return _told(branch, offer, number)

    def _assemble(self, body: dict[str, Any]) -> dict[str, Any]:
        quoted = self._paths.get(str(body.get("pathId")))
        asked = Question(body, _bad_user)
        if quoted is None or time.monotonic() > quoted.made_at + PATH_SECONDS:
            raise _refused(INVALID_PATH, "Path does not exist or has expired")
        user = asked.address("userAddr")
        if user != quoted.user:
            raise _refused(INVALID_USER, "userAddr is not that of the quote")
        receiver = asked.address("receiver", user)
        offer = self._mischief.forged(_offer(quoted, receiver))
        return _assembled(quoted, offer)


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the router at its address; raises SetupFailed."""
    put_stand_in(treasury, place, own, (ROUTER, "odos_router", ()))


def _offer(quoted: _Quoted, receiver: str) -> Offer:
    return make_offer(quoted.route, minimum=quoted.minimum, recipient=receiver, target=ROUTER)


def _assembled(quoted: _Quoted, offer: Offer) -> dict[str, Any]:
    branch, route = quoted.branch, quoted.route
    nonce = branch.puppet.rpc("eth_getTransactionCount", quoted.user, "latest")
    worth = usd(branch, route.buy, offer.promised)
    return {
        "deprecated": None,
        "traceId": "local",
        "blockNumber": branch.head().number,
        "gasEstimate": route.gas,
        "gasEstimateValue": float(_gas_value(branch, route)),
        "inputTokens": [{"tokenAddress": route.sell.address, "amount": str(route.amount)}],
        "outputTokens": [{"tokenAddress": route.buy.address, "amount": str(offer.promised)}],
        "netOutValue": float(worth - _gas_value(branch, route)),
        "outValues": [str(worth)],
        "transaction": {
            "gas": route.gas * 2,
            "gasPrice": _gas_price(branch),
            "value": str(offer.value),
            "to": checksum(Address(offer.target)),
            "from": checksum(Address(quoted.user)),
            "data": offer.shown(_calldata(offer, compact=quoted.compact)),
            "nonce": int(str(nonce), 16),
            "chainId": offer.chain_id,
        },
        "simulation": None,
    }


def _calldata(offer: Offer, *, compact: bool) -> str:
    packed = offer.route.packed()
    if compact:
        # Its own packing, which nobody here reads: who wants to know what it says asks for the
        # other form.
        return call_bytes(SWAP_COMPACT) + packed.hex()
    described = (
        *(offer.sell, offer.amount, EXECUTOR),
        *(offer.buy, max(offer.promised, offer.minimum), offer.minimum, offer.recipient),
    )
    fee = (0, offer.fee_bps * FEE_UNIT_BPS, ROBBER if offer.fee_bps else NATIVE)
    return call_bytes(SWAP, described, packed, EXECUTOR, fee)


def _told(branch: Branch, offer: Offer, number: str) -> dict[str, Any]:
    route = offer.route
    sold, bought = usd(branch, route.sell, route.amount), usd(branch, route.buy, offer.promised)
    return {
        "traceId": "local",
        "inTokens": [route.sell.address],
        "outTokens": [route.buy.address],
        "inAmounts": [str(route.amount)],
        "outAmounts": [str(offer.promised)],
        "gasEstimate": float(route.gas),
        "dataGasEstimate": 0,
        "gweiPerGas": float(Decimal(_gas_price(branch)).scaleb(-9)),
        "gasEstimateValue": float(_gas_value(branch, route)),
        "inValues": [float(sold)],
        "outValues": [float(bought)],
        "netOutValue": float(bought - _gas_value(branch, route)),
        "priceImpact": 0.0,
        "percentDiff": float((bought - sold) * 100 / sold) if sold else 0.0,
        "permit2Message": None,
        "permit2Hash": None,
        "partnerFeePercent": 0,
        "pathId": number,
        "pathViz": None,
        "blockNumber": branch.head().number,
    }


def _route(branch: Branch, sold: Mapping[str, Any], bought: Mapping[str, Any]) -> Route:
    sell = _coin(branch, sold, INVALID_INPUT)
    buy = _coin(branch, bought, INVALID_OUTPUT)
    amount = Question(sold, lambda name, why: _refused(INVALID_INPUT, f"{name} {why}"))
    route = find_route(branch, MARKET, sell, buy, amount.whole("amount"))
    if route is None:
        raise _refused(NO_VIABLE_PATH, "No viable path between the input and output tokens")
    return route


def _coin(branch: Branch, given: Mapping[str, Any], code: int) -> Coin:
    asked = Question(given, lambda name, why: _refused(code, f"{name} {why}"))
    address = asked.address("tokenAddress")
    if asked.text("tokenAddress") != checksum(Address(address)):
        raise _refused(code, "tokenAddress is not checksummed")
    found = find_coin(branch.place, MARKET, address)
    if found is None:
        raise _refused(NO_VIABLE_PATH, "No viable path between the input and output tokens")
    return found


def _only(body: Mapping[str, Any], name: str, code: int) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        raise _refused(code, f"{name} must have one token here")
    return found[0]


def _gas_price(branch: Branch) -> int:
    return branch.place.base_fee + branch.place.tip


def _gas_value(branch: Branch, route: Route) -> Decimal:
    coin = Coin(symbol="WETH", address=NATIVE, token=branch.place.tokens["WETH"], native=True)
    return usd(branch, coin, route.gas * _gas_price(branch))


def _bad_user(name: str, why: str) -> RefusedError:
    return _refused(INVALID_USER, f"{name} {why}")


def _refused(code: int, detail: str) -> RefusedError:
    return RefusedError(400, {"detail": detail, "traceId": "local", "errorCode": code})
