"""KyberSwap on local chains: a stand-in for its router, and its Aggregator API v1.

Source: docs.kyberswap.com, Aggregator API, "Swap" and its error codes; KyberNetwork's own examples.
"""

import json
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
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

ROUTER: Final = "0x6131b5fae19ea4f9d964eac0408e4408b66337b5"
NATIVE: Final = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

MARKET: Final = Market(
    tiers=frozenset({100, 500, 3000}),
    hops=("WETH", "USDC"),
    splits=True,
    natives=frozenset({NATIVE}),
)

SLUGS: Final = MappingProxyType({"ethereum": 1, "base": 8453, "arbitrum": 42161})
"""Its own names of the chains."""

FEE_IN_BPS: Final = 128
"""The flag that says so."""

MAX_SLIPPAGE_BPS: Final = 2000

SWAP: Final = (
    "swap((address,address,bytes,(address,address,address[],uint256[],address[],uint256[],"
    "address,uint256,uint256,uint256,bytes),bytes))"
)

_NOBODY: Final = "0x" + "00" * 20
_PATH: Final = re.compile(r"/(?P<slug>[a-z0-9-]+)/api/v1(?P<what>/routes|/route/build)")


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the router at its address; raises SetupFailed."""
    put_stand_in(treasury, place, own, (ROUTER, "kyberswap_router", ()))


class Desk:
    """The API: it asks for a price first, and for calldata with that price in hand."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self.order = self._mischief.order

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /CHAIN/api/v1/routes`` and ``POST /CHAIN/api/v1/route/build``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query, body))

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        found = _PATH.fullmatch(path)
        branch = self._branches.get(SLUGS.get(found["slug"], 0)) if found else None
        if found is None or branch is None:
            raise RefusedError(404, {"message": "404 Route Not Found"})
        match method, found["what"]:
            case "GET", "/routes":
                told = self._routes(branch, Question(query, _bad_parameter))
            case "POST", "/route/build" if isinstance(body, dict):
                told = self._build(branch, body)
            case _:
                raise RefusedError(404, {"message": "404 Route Not Found"})
        return 200, {"code": 0, "message": "successfully", "data": told, "requestId": "local"}

    def _routes(self, branch: Branch, asked: Question) -> dict[str, Any]:
        route = _route(branch, asked)
        offer = make_offer(route, minimum=1, recipient=_NOBODY, target=ROUTER)
        offer = self._mischief.forged(offer, final=False)
        summary = _summary(branch, route, offer.promised)
        return {
            "routeSummary": {**summary, "checksum": _checksum(summary)},
            "routerAddress": offer.spender,
        }

    def _build(self, branch: Branch, body: dict[str, Any]) -> dict[str, Any]:
        summary = body.get("routeSummary")
        asked = Question(body, _bad_parameter)
        if not isinstance(summary, dict) or summary.get("checksum") != _checksum(summary):
            raise _refused(400, 4002, "request body malformed")
        asked.address("sender")
        slippage = int(asked.number("slippageTolerance", "0", most=MAX_SLIPPAGE_BPS))
        # Prices may have moved since: it is looked at anew.
        route = _route(branch, Question(summary, _bad_parameter))
        offer = self._mischief.forged(
            make_offer(
                route,
                minimum=max(1, route.out * (10_000 - slippage) // 10_000),
                recipient=asked.address("recipient"),
                target=ROUTER,
            )
        )
        return {
            **_amounts(branch, route, offer.promised),
            "additionalCostUsd": "0",
            "additionalCostMessage": "",
            "outputChange": _change(int(summary["amountOut"]), offer.promised),
            "data": offer.shown(_calldata(offer)),
            "routerAddress": offer.target,
            "transactionValue": str(offer.value),
        }


def _calldata(offer: Offer) -> str:
    native = offer.route.sell.native
    fee = 0 if native else offer.amount * offer.fee_bps // 10_000
    described: tuple[Any, ...] = (
        *(offer.sell, offer.buy),
        *(([], []) if native else ([EXECUTOR], [offer.amount - fee])),
        *(([ROBBER], [offer.fee_bps]) if fee else ([], [])),
        *(offer.recipient, offer.amount, offer.minimum, FEE_IN_BPS if fee else 0, b""),
    )
    # Its executors pay the receiver themselves.
    packed = offer.route.packed(offer.recipient)
    told = (EXECUTOR, _NOBODY, packed, described, b'{"Source":"local"}')
    return call_bytes(SWAP, told)


def _route(branch: Branch, asked: Question) -> Route:
    sell, buy = (_coin(branch, asked, name) for name in ("tokenIn", "tokenOut"))
    route = find_route(branch, MARKET, sell, buy, asked.whole("amountIn"))
    if route is None:
        raise _refused(400, 4008, "route not found")
    return route


def _coin(branch: Branch, asked: Question, name: str) -> Coin:
    found = find_coin(branch.place, MARKET, asked.address(name))
    if found is None:
        raise _refused(400, 4011, "token not found")
    return found


def _amounts(branch: Branch, route: Route, promised: int) -> dict[str, str]:
    return {
        "amountIn": str(route.amount),
        "amountInUsd": str(usd(branch, route.sell, route.amount)),
        "amountOut": str(promised),
        "amountOutUsd": str(usd(branch, route.buy, promised)),
        "gas": str(route.gas),
        "gasUsd": str(usd(branch, _gas_coin(branch), route.gas * _gas_price(branch))),
    }


def _summary(branch: Branch, route: Route, promised: int) -> dict[str, Any]:
    return {
        "tokenIn": route.sell.address,
        "tokenOut": route.buy.address,
        **_amounts(branch, route, promised),
        "tokenInMarketPriceAvailable": False,
        "tokenOutMarketPriceAvailable": False,
        "gasPrice": str(_gas_price(branch)),
        "l1FeeUsd": "0",
        "extraFee": {
            "feeAmount": "0",
            "chargeFeeBy": "",
            "isInBps": False,
            "feeReceiver": "",
        },
        "route": [_hops(route, number) for number in range(len(route.parts))],
        "routeID": f"local-{branch.head().number}",
        "timestamp": branch.head().time,
    }


def _hops(route: Route, number: int) -> list[dict[str, Any]]:
    part = route.parts[number]
    tokens = [route.place.tokens[symbol].address for symbol in part.path.symbols]
    return [
        {
            "tokenIn": tokens[hop],
            "tokenOut": tokens[hop + 1],
            "swapAmount": str(part.amount) if hop == 0 else "0",
            "amountOut": str(part.out) if hop == len(part.path.fees) - 1 else "0",
            "exchange": "uniswapv3",
            "poolType": "uniswapv3",
            "poolExtra": {"fee": fee},
            "extra": {},
        }
        for hop, fee in enumerate(part.path.fees)
    ]


def _checksum(summary: Mapping[str, Any]) -> str:
    told = {name: value for name, value in summary.items() if name != "checksum"}
    return str(zlib.crc32(json.dumps(told, sort_keys=True).encode()))


def _change(before: int, now: int) -> dict[str, Any]:
    percent = round((now - before) * 100 / before, 4)
    return {"amount": str(now - before), "percent": percent, "level": 0}


def _gas_coin(branch: Branch) -> Coin:
    token = branch.place.tokens["WETH"]
    return Coin(symbol="WETH", address=NATIVE, token=token, native=True)


def _gas_price(branch: Branch) -> int:
    return branch.place.base_fee + branch.place.tip


def _bad_parameter(name: str, why: str) -> RefusedError:
    violations = [{"field": name, "description": why}]
    return _refused(400, 4000, "bad request", [{"fieldViolations": violations}])


def _refused(status: int, code: int, message: str, details: Any = None) -> RefusedError:
    return RefusedError(
        status, {"code": code, "message": message, "details": details, "requestId": "local"}
    )
