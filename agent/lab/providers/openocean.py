"""OpenOcean on local chains: stand-ins for its exchange and caller, and its Swap API v4.

Source: apis.openocean.finance, "Swap API v4": quote and swap; errors are answers with status 200.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
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

EXCHANGE: Final = "0x6352a56caadc4f1e25cd6c75970fa768a3304e64"
CALLER: Final = "0xca11e40000000000000000000000000000000c0d"
"""Of the lab: OpenOcean changes its own."""

NATIVE: Final = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

MARKET: Final = Market(
    tiers=frozenset({100, 3000}),
    hops=("WETH", "USDC"),
    splits=True,
    natives=frozenset({NATIVE}),
)

CHAINS: Final = MappingProxyType({"eth": 1, "base": 8453, "arbitrum": 42161})
"""Its own names of the chains; their numbers do too."""

SWAP: Final = (
    "swap(address,(address,address,address,address,uint256,uint256,uint256,uint256,address,bytes),"
    "(uint256,uint256,uint256,bytes)[])"
)
SHOULD_CLAIM: Final = 2

_NOBODY: Final = "0x" + "00" * 20
_PATH: Final = re.compile(r"(?:/v4)?/(?P<chain>[a-z0-9_-]+)(?P<what>/quote|/swap)")


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the exchange at its address, and a caller; raises SetupFailed."""
    exchange, caller = (EXCHANGE, "openocean_exchange", ()), (CALLER, "openocean_caller", ())
    put_stand_in(treasury, place, own, exchange, caller)


class Desk:
    """The API, which says no with status 200."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self.order = self._mischief.order

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /v4/CHAIN/quote`` and ``/swap``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query))

    def _answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        found = _PATH.fullmatch(path)
        if found is None or method != "GET":
            raise RefusedError(404, {"code": 404, "error": "Not Found"})
        branch = self._branch(found["chain"])
        asked = Question(query, _bad_parameter)
        route = _route(branch, asked)
        if found["what"] == "/quote":
            offer = make_offer(route, minimum=1, recipient=_NOBODY, target=EXCHANGE)
            told = _quoted(branch, self._mischief.forged(offer, final=False))
        else:
            told = self._swap(branch, asked, route)
        return 200, {"code": 200, "data": told}

    def _swap(self, branch: Branch, asked: Question, route: Route) -> dict[str, Any]:
        sender = asked.address("account")
        offer = make_offer(route, minimum=_minimum(asked, route), recipient=sender, target=EXCHANGE)
        offer = self._mischief.forged(offer)
        return {
            **_quoted(branch, offer),
            "minOutAmount": str(offer.minimum),
            "from": sender,
            "to": offer.target,
            "value": str(offer.value),
            "gasPrice": str(asked.whole("gasPriceDecimals")),
            "data": offer.shown(_calldata(offer)),
            "chainId": offer.chain_id,
        }

    def _branch(self, name: str) -> Branch:
        number = int(name) if name.isdigit() else CHAINS.get(name, 0)
        branch = self._branches.get(number)
        if branch is None:
            raise _refused(400, f"chain {name} is not supported")
        return branch


def _calldata(offer: Offer) -> str:
    native = offer.route.sell.native
    described = (
        *(offer.sell, offer.buy, EXECUTOR, offer.recipient),
        *(offer.amount, offer.minimum, max(offer.promised, offer.minimum)),
        *(0 if native else SHOULD_CLAIM, _NOBODY, b""),
    )
    # Its callers pay the receiver themselves.
    run = bytes.fromhex(call_bytes("run(bytes)", offer.route.packed(offer.recipient))[2:])
    call = (int(EXECUTOR, 16), 0, offer.value if native else 0, run)
    return call_bytes(SWAP, CALLER, described, [call])


def _route(branch: Branch, asked: Question) -> Route:
    sell, buy = (
        find_coin(branch.place, MARKET, asked.address(name))
        for name in ("inTokenAddress", "outTokenAddress")
    )
    amount = asked.whole("amountDecimals")
    route = None
    if sell is not None and buy is not None:
        route = find_route(branch, MARKET, sell, buy, amount)
    if route is None:
        raise _refused(500, "No avail liquidity")
    return route


def _minimum(asked: Question, route: Route) -> int:
    slippage = asked.number("slippage", "1", most=50)
    kept = Decimal(route.out) * (100 - slippage) / 100
    return max(1, int(kept.to_integral_value(ROUND_FLOOR)))


def _quoted(branch: Branch, offer: Offer) -> dict[str, Any]:
    route = offer.route
    return {
        "inToken": _token(route.sell),
        "outToken": _token(route.buy),
        "inAmount": str(route.amount),
        "outAmount": str(offer.promised),
        "estimatedGas": str(route.gas),
        "price_impact": "0.00%",
    }


def _token(coin: Coin) -> dict[str, Any]:
    return {
        "symbol": coin.name,
        "name": coin.name,
        "address": coin.address,
        "decimals": coin.token.decimals,
    }


def _bad_parameter(name: str, why: str) -> RefusedError:
    return _refused(400, f"{name} {why}")


def _refused(code: int, error: str) -> RefusedError:
    return RefusedError(200, {"code": code, "error": error})
