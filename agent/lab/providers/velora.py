"""Velora on local chains: a stand-in for Augustus v6.2, and its Market API.

Source: developers.velora.xyz, "Market API": prices, transactions, swap, and their errors.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

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

AUGUSTUS: Final = "0x6a000f20005980200259b80c5102003040001068"
NATIVE: Final = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

MARKET: Final = Market(
    tiers=frozenset({100, 500}),
    hops=("WETH", "USDC"),
    splits=False,
    natives=frozenset({NATIVE}),
)

SWAP: Final = (
    "swapExactAmountIn(address,(address,address,uint256,uint256,uint256,bytes32,address),"
    "uint256,bytes,bytes)"
)
METHOD: Final = "swapExactAmountIn"

CAP_SURPLUS: Final = 1 << 92
TAKE_SURPLUS: Final = 1 << 95
"""Flags beside the partner's address and fee."""

NO_ROUTE: Final = "No routes found with enough liquidity"

_NOBODY: Final = "0x" + "00" * 20
_PATH: Final = re.compile(r"/transactions/(?P<network>\d+)")


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put Augustus at its address; raises SetupFailed."""
    put_stand_in(treasury, place, own, (AUGUSTUS, "velora_augustus", ()))


class Desk:
    """The API: a price route, and calldata for it when it comes back unchanged."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self.order = self._mischief.order

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /prices``, ``POST /transactions/CHAIN`` and ``GET /swap``, both in one."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query, body))

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        asked = Question(query, _bad_parameter)
        if (method, path) == ("GET", "/prices"):
            return 200, {"priceRoute": self._prices(asked)}
        if (method, path) == ("GET", "/swap"):
            priced = self._prices(asked)
            told = {**query, "priceRoute": priced}
            return 200, {"priceRoute": priced, "txParams": self._build(told, query)}
        found = _PATH.fullmatch(path)
        if found is None or method != "POST" or not isinstance(body, dict):
            raise RefusedError(404, {"error": "Not found"})
        return 200, self._build({**body, "network": found["network"]}, query)

    def _prices(self, asked: Question) -> dict[str, Any]:
        if asked.text("version", "5") != "6.2" or asked.text("side", "SELL") != "SELL":
            raise _refused("Validation failed with error")
        branch = self._branch(asked)
        route = _route(branch, asked, "amount")
        offer = make_offer(route, minimum=1, recipient=_NOBODY, target=AUGUSTUS)
        priced = _price_route(branch, self._mischief.forged(offer, final=False))
        return {**priced, "hmac": _seal(priced)}

    def _build(self, body: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        priced = body.get("priceRoute")
        if not isinstance(priced, dict) or priced.get("hmac") != _seal(priced):
            raise _refused("It seems like the rate has changed, please re-query the latest Price")
        asked = Question(body, _bad_parameter)
        branch = self._branch(asked)
        given = Question({**priced, **body}, _bad_parameter)
        route = _route(branch, given, "srcAmount")
        if str(route.amount) != priced["srcAmount"]:
            raise _refused("Source Amount Mismatch")
        sender = asked.address("userAddress")
        if query.get("ignoreChecks") != "true":
            _require_funds(branch, route, sender)
        offer = make_offer(
            route,
            minimum=_minimum(asked, route),
            recipient=asked.address("receiver", _NOBODY),
            target=AUGUSTUS,
        )
        if offer.minimum > route.out:
            raise _refused("The rate has changed, please re-query the latest Price")
        offer = self._mischief.forged(offer)
        return _transaction(branch, offer, sender, body)

    def _branch(self, asked: Question) -> Branch:
        branch = self._branches.get(asked.whole("network"))
        if branch is None:
            raise _refused("Network not supported")
        return branch


def _transaction(
    branch: Branch, offer: Offer, sender: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    flags = 0 if body.get("isCapSurplus") is False else CAP_SURPLUS
    flags |= TAKE_SURPLUS if body.get("takeSurplus") is True else 0
    if offer.fee_bps:
        flags |= int(ROBBER, 16) << 96 | offer.fee_bps
    quoted = int(body["priceRoute"]["destAmount"])
    recipient = _NOBODY if offer.recipient == sender else offer.recipient
    described = (
        *(offer.sell, offer.buy, offer.amount, offer.minimum, quoted),
        *(bytes(32), recipient),
    )
    return {
        "from": sender,
        "to": offer.target,
        "value": str(offer.value),
        "data": offer.shown(
            call_bytes(SWAP, EXECUTOR, described, flags, b"", offer.route.packed())
        ),
        "gasPrice": str(branch.place.base_fee + branch.place.tip),
        "chainId": offer.chain_id,
    }


def _minimum(asked: Question, route: Route) -> int:
    if "destAmount" in asked.given:
        return asked.whole("destAmount")
    slippage = asked.number("slippage", "", most=10_000)
    kept = Decimal(route.out) * (10_000 - slippage) / 10_000
    return int(kept.to_integral_value(ROUND_HALF_UP))


def _route(branch: Branch, asked: Question, amount: str) -> Route:
    sell, buy = (
        find_coin(branch.place, MARKET, asked.address(name)) for name in ("srcToken", "destToken")
    )
    route = None
    if sell is not None and buy is not None:
        for coin, name in ((sell, "srcDecimals"), (buy, "destDecimals")):
            if str(asked.given.get(name, coin.token.decimals)) != str(coin.token.decimals):
                raise _refused("Validation failed with error")
        route = find_route(branch, MARKET, sell, buy, asked.whole(amount))
    if route is None:
        raise _refused(NO_ROUTE)
    return route


def _require_funds(branch: Branch, route: Route, sender: str) -> None:
    if route.sell.native:
        return
    token = route.sell.token.address
    (held,) = branch.puppet.read(token, "balanceOf(address)", "(uint256)", sender)
    asked = ("allowance(address,address)", "(uint256)", sender, AUGUSTUS)
    (allowed,) = branch.puppet.read(token, *asked)
    if held < route.amount:
        raise _refused(f"Not enough {route.sell.name} balance")
    if allowed < route.amount:
        what = f"Not enough {route.sell.name} allowance given to TokenTransferProxy({AUGUSTUS})"
        raise _refused(what)


def _price_route(branch: Branch, offer: Offer) -> dict[str, Any]:
    route = offer.route
    gas_coin = Coin(symbol="WETH", address=NATIVE, token=branch.place.tokens["WETH"], native=True)
    gas_price = branch.place.base_fee + branch.place.tip
    return {
        "blockNumber": branch.head().number,
        "network": offer.chain_id,
        "srcToken": route.sell.address,
        "srcDecimals": route.sell.token.decimals,
        "srcAmount": str(route.amount),
        "destToken": route.buy.address,
        "destDecimals": route.buy.token.decimals,
        "destAmount": str(offer.promised),
        "bestRoute": [{"percent": 100, "swaps": [_swap(route)]}],
        "gasCostUSD": str(usd(branch, gas_coin, route.gas * gas_price)),
        "gasCost": str(route.gas),
        "side": "SELL",
        "version": "6.2",
        "contractAddress": offer.target,
        "tokenTransferProxy": offer.spender,
        "contractMethod": METHOD,
        "partnerFee": 0,
        "srcUSD": str(usd(branch, route.sell, route.amount)),
        "destUSD": str(usd(branch, route.buy, offer.promised)),
        "partner": "anon",
        "maxImpactReached": False,
    }


def _swap(route: Route) -> dict[str, Any]:
    exchanges = [
        {
            "exchange": "UniswapV3",
            "srcAmount": str(part.amount),
            "destAmount": str(part.out),
            "percent": 100,
            "data": {"path": list(part.path.symbols)},
        }
        for part in route.parts
    ]
    return {
        "srcToken": route.sell.address,
        "srcDecimals": route.sell.token.decimals,
        "destToken": route.buy.address,
        "destDecimals": route.buy.token.decimals,
        "swapExchanges": exchanges,
    }


def _seal(priced: Mapping[str, Any]) -> str:
    told = {name: value for name, value in priced.items() if name != "hmac"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:40]


def _bad_parameter(name: str, why: str) -> RefusedError:
    return _refused(f"Validation failed with error: {name} {why}")


def _refused(error: str) -> RefusedError:
    return RefusedError(400, {"error": error})
