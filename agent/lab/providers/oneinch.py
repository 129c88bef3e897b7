"""1inch on local chains: a stand-in for its router, and its Classic Swap API v6.1.

Source: business.1inch.com, Classic Swap API, "Quote", "Swap", "Approve"; answers recorded from it.
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Any, Final

from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.providers._asking import Question, RefusedError
from agent.lab.providers._executor import EXECUTOR, put_stand_in
from agent.lab.providers._mischief import Mischief, Offer, make_offer
from agent.lab.providers._pools import Coin, Market, Route, find_coin, find_route
from agent.lab.puppet import Puppet
from agent.lab.reply import Reply

ROUTER: Final = "0x111111125421ca6dc452d289314280a0f8842a65"
NATIVE: Final = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

MARKET: Final = Market(
    tiers=frozenset({100, 500, 3000, 10_000}),
    hops=("WETH", "USDC", "USDT"),
    splits=True,
    natives=frozenset({NATIVE}),
)

SWAP: Final = "swap(address,(address,address,address,address,uint256,uint256,uint256),bytes)"

TAG: Final = "10ca10ca"
"""Four bytes behind the calldata, by which 1inch knows whose server made it."""

_PATH: Final = re.compile(r"(?:/swap)?(?:/v6\.[01])?/(?P<chain>\d+)(?P<what>/[a-z-]+(?:/\w+)?)")


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the router at its address; raises SetupFailed."""
    put_stand_in(treasury, place, own, (ROUTER, "oneinch_router", ()))


class Desk:
    """The API: it wants a key, and any will do."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self.order = self._mischief.order

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /swap/v6.1/CHAIN/WHAT``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query, headers))

    def _answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        if not headers.get("authorization", "").removeprefix("Bearer ").strip():
            raise _refused(401, "Unauthorized", "The API key is missing")
        found = _PATH.fullmatch(path)
        branch = self._branches.get(int(found["chain"])) if found else None
        answers: dict[str, Callable[[Branch, Question], dict[str, Any]]] = {
            "/quote": self._quote,
            "/swap": self._swap,
            "/approve/spender": lambda _, __: {"address": ROUTER},
        }
        if found is None or branch is None or method != "GET" or found["what"] not in answers:
            raise _refused(404, "Not Found", f"Cannot {method} {path}")
        return 200, answers[found["what"]](branch, Question(query, _bad_parameter))

    def _quote(self, branch: Branch, asked: Question) -> dict[str, Any]:
        route = _route(branch, asked)
        nobody = "0x" + "00" * 20
        offer = make_offer(route, minimum=1, recipient=nobody, target=ROUTER)
        promised = self._mischief.forged(offer, final=False).promised
        return {"dstAmount": str(promised), **_extras(asked, route)}

    def _swap(self, branch: Branch, asked: Question) -> dict[str, Any]:
        sender = asked.address("from")
        asked.address("origin")
        route = _route(branch, asked)
        if not asked.flag("disableEstimate"):
            _require_funds(branch, route, sender)
        offer = self._mischief.forged(
            make_offer(
                route,
                minimum=_minimum(asked, route),
                recipient=asked.address("receiver", sender),
                target=ROUTER,
            )
        )
        return {
            "dstAmount": str(offer.promised),
            **_extras(asked, route),
            "tx": {
                "from": sender,
                "to": offer.target,
                "data": offer.shown(_calldata(offer, partial=asked.flag("allowPartialFill"))),
                "value": str(offer.value),
                "gas": 0 if asked.flag("disableEstimate") else route.gas,
                "gasPrice": str(branch.place.base_fee + branch.place.tip),
            },
        }


def _calldata(offer: Offer, *, partial: bool) -> str:
    described = (
        *(offer.sell, offer.buy, EXECUTOR, offer.recipient),
        *(offer.amount, offer.minimum, int(partial)),
    )
    return call_bytes(SWAP, EXECUTOR, described, offer.route.packed()) + TAG


def _route(branch: Branch, asked: Question) -> Route:
    sell, buy = (_coin(branch, asked, name) for name in ("src", "dst"))
    amount = asked.whole("amount")
    route = find_route(branch, MARKET, sell, buy, amount)
    if route is None:
        raise _refused(400, "Bad Request", "insufficient liquidity")
    return route


def _coin(branch: Branch, asked: Question, name: str) -> Coin:
    found = find_coin(branch.place, MARKET, asked.address(name))
    if found is None:
        raise _refused(400, "Bad Request", "insufficient liquidity")
    return found


def _minimum(asked: Question, route: Route) -> int:
    if "minReturn" in asked.given:
        return asked.whole("minReturn")
    slippage = asked.number("slippage", "", most=50)
    kept = Decimal(route.out) * (100 - slippage) / 100
    return int(kept.to_integral_value(ROUND_FLOOR))


def _require_funds(branch: Branch, route: Route, sender: str) -> None:
    if route.sell.native:
        return
    token = route.sell.token.address
    (held,) = branch.puppet.read(token, "balanceOf(address)", "(uint256)", sender)
    (allowed,) = branch.puppet.read(
        token, "allowance(address,address)", "(uint256)", sender, ROUTER
    )
    if held < route.amount:
        what = f"Not enough {token} balance. Amount: {route.amount}. Current balance: {held}."
        raise _refused(400, "Bad Request", what)
    if allowed < route.amount:
        what = f"Not enough allowance. Amount: {route.amount}. Current allowance: {allowed}."
        raise _refused(400, "Bad Request", f"{what} Spender: {ROUTER}")


def _extras(asked: Question, route: Route) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if asked.flag("includeTokensInfo"):
        extras["srcToken"], extras["dstToken"] = _token(route.sell), _token(route.buy)
    if asked.flag("includeGas"):
        extras["gas"] = route.gas
    if asked.flag("includeProtocols"):
        extras["protocols"] = [_hops(route, part.path.symbols) for part in route.parts]
    return extras


def _hops(route: Route, symbols: tuple[str, ...]) -> list[list[dict[str, Any]]]:
    tokens = [route.place.tokens[symbol].address for symbol in symbols]
    return [
        [{"name": "UNISWAP_V3", "part": 100, "fromTokenAddress": one, "toTokenAddress": other}]
        for one, other in pairwise(tokens)
    ]


def _token(coin: Coin) -> dict[str, Any]:
    return {
        "address": coin.address,
        "symbol": coin.name,
        "name": coin.name,
        "decimals": coin.token.decimals,
    }


def _bad_parameter(name: str, why: str) -> RefusedError:
    meta = [{"type": name, "value": why}]
    return _refused(400, "Bad Request", f"{name} {why}", meta)


def _refused(
    status: int, error: str, description: str, meta: list[dict[str, str]] | None = None
) -> RefusedError:
    return RefusedError(
        status,
        {
            "error": error,
            "description": description,
            "statusCode": status,
            "meta": meta or [],
            "requestId": "local",
        },
    )
