"""0x on local chains: stand-ins for AllowanceHolder, Settler and its registry, and Swap API v2.

Source: 0x.org/docs, "Swap API" (AllowanceHolder), "Contracts" and the OpenAPI document with its
errors; 0x-settler's README for what tells a genuine Settler.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.providers._asking import Question, RefusedError
from agent.lab.providers._executor import EXECUTOR, put_stand_in
from agent.lab.providers._mischief import Mischief, Offer, make_offer
from agent.lab.providers._pools import Market, Route, find_coin, find_route
from agent.lab.puppet import Puppet, tx
from agent.lab.reply import Reply

ALLOWANCE_HOLDER: Final = "0x0000000000001ff3684f28c67538d4d072c22734"
REGISTRY: Final = "0x00000000000004533fe15556b1e086bb1a72ceae"
NATIVE: Final = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

SETTLER: Final = "0x5e7700000000000000000000000000000000c0de"
PREVIOUS_SETTLER: Final = "0x5e7600000000000000000000000000000000c0de"
RETIRED_SETTLER: Final = "0x5e7500000000000000000000000000000000c0de"
"""Addresses of the lab: 0x deploys a new one every few weeks, and the registry says which."""

TAKER_SUBMITTED: Final = 2
"""The registry's number of Settlers whose transaction the taker sends."""

MARKET: Final = Market(
    tiers=frozenset({100, 500, 3000}),
    hops=("WETH",),
    splits=False,
    natives=frozenset({NATIVE}),
)

EXEC: Final = "exec(address,address,uint256,address,bytes)"
EXECUTE: Final = "execute((address,address,uint256),bytes[],bytes32)"
TRANSFER_FROM: Final = "TRANSFER_FROM(address,((address,uint256),uint256,uint256),bytes)"
BASIC: Final = "BASIC(address,uint256,address,uint256,bytes)"

PERMIT_SECONDS: Final = 300

_NOBODY: Final = "0x" + "00" * 20
_ZID: Final = "0x111111111111111111111111"

_SETTLERS: Final = MappingProxyType(
    {"newest": SETTLER, "previous": PREVIOUS_SETTLER, "retired": RETIRED_SETTLER}
)


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the contracts at their addresses, with a history of Settlers; raises SetupFailed."""
    settlers = [RETIRED_SETTLER, PREVIOUS_SETTLER, SETTLER]
    put_stand_in(
        *(treasury, place, own),
        (ALLOWANCE_HOLDER, "zerox_allowance_holder", ()),
        (REGISTRY, "zerox_registry", (treasury.account,)),
        *((settler, "zerox_settler", ()) for settler in settlers),
    )
    deploy = "deploy(uint256,address)"
    treasury.send(*(tx(REGISTRY, deploy, TAKER_SUBMITTED, settler) for settler in settlers))


class Desk:
    """The API: it wants a key, and any will do.

    Beside what others take it takes the orders ``settle newest|previous|retired`` and
    ``sell_native settler|holder``, which is whom sellers of the gas coin are to call.
    """

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief()
        self._settler = SETTLER
        self._natives_held = False

    def order(self, name: str, *arguments: Any) -> Any:
        """Take an order; raises KeyError, TypeError and ValueError for what is none."""
        if name == "settle":
            self._settler = _SETTLERS[arguments[0]]
        elif name == "sell_native":
            self._natives_held = {"settler": False, "holder": True}[arguments[0]]
        else:
            return self._mischief.order(name, *arguments)
        return list(arguments)

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /swap/allowance-holder/price`` and ``/quote``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query, headers))

    def _answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any]:
        if not headers.get("0x-api-key"):
            raise _refused(401, "UNAUTHORIZED", "No API key found in request")
        if headers.get("0x-version") != "v2":
            raise _bad_parameter("0x-version", "must be v2")
        asked = Question(query, _bad_parameter)
        answers: dict[str, Callable[[Branch, Question], dict[str, Any]]] = {
            "/swap/allowance-holder/price": self._price,
            "/swap/allowance-holder/quote": self._quote,
        }
        if method != "GET" or path not in answers:
            raise _refused(404, "NOT_FOUND", f"no route for {method} {path}")
        branch = self._branches.get(asked.whole("chainId"))
        if branch is None:
            raise _bad_parameter("chainId", "Invalid chainId")
        return 200, answers[path](branch, asked)

    def _price(self, branch: Branch, asked: Question) -> dict[str, Any]:
        route = _route(branch, asked)
        if route is None:
            return {"liquidityAvailable": False, "zid": _ZID}
        offer = self._mischief.forged(self._offer(route, asked, _NOBODY), final=False)
        gas = {"gas": str(route.gas), "gasPrice": str(_gas_price(branch))}
        return {**_priced(branch, offer, asked.given.get("taker")), **gas}

    def _quote(self, branch: Branch, asked: Question) -> dict[str, Any]:
        taker = asked.address("taker")
        route = _route(branch, asked)
        if route is None:
            return {"liquidityAvailable": False, "zid": _ZID}
        offer = self._mischief.forged(self._offer(route, asked, asked.address("recipient", taker)))
        return {
            **_priced(branch, offer, taker),
            "transaction": {
                "to": offer.target,
                "data": offer.shown(self._calldata(branch, offer)),
                "gas": str(route.gas),
                "gasPrice": str(_gas_price(branch)),
                "value": str(offer.value),
            },
        }

    def _offer(self, route: Route, asked: Question, recipient: str) -> Offer:
        slippage = int(asked.number("slippageBps", "100", most=10_000))
        if not route.parts:
            target = route.place.weth
        elif route.sell.native and not self._natives_held:
            target = self._settler
        else:
            target = ALLOWANCE_HOLDER
        return make_offer(
            route,
            minimum=route.out * (10_000 - slippage) // 10_000,
            recipient=recipient,
            target=target,
            spender=ALLOWANCE_HOLDER,
        )

    def _calldata(self, branch: Branch, offer: Offer) -> str:
        route = offer.route
        if not route.parts:
            return call_bytes("deposit()") if route.sell.native else _withdraw(offer)
        settled = _settled(branch, offer)
        if route.sell.native and not self._natives_held:
            return settled
        raw = bytes.fromhex(settled[2:])
        return call_bytes(EXEC, self._settler, offer.sell, offer.amount, self._settler, raw)


def _settled(branch: Branch, offer: Offer) -> str:
    """The call of a Settler."""
    run = bytes.fromhex(call_bytes("run(bytes)", offer.route.packed())[2:])
    if offer.route.sell.native:
        actions = [call_bytes(BASIC, NATIVE, 10_000, EXECUTOR, 0, run)]
    else:
        permit = ((offer.sell, offer.amount), 0, branch.head().time + PERMIT_SECONDS)
        actions = [
            call_bytes(TRANSFER_FROM, EXECUTOR, permit, b""),
            call_bytes(BASIC, _NOBODY, 0, EXECUTOR, 0, run),
        ]
    return call_bytes(
        EXECUTE,
        (offer.recipient, offer.buy, offer.minimum),
        [bytes.fromhex(action[2:]) for action in actions],
        bytes.fromhex(_ZID[2:]).rjust(32, b"\0"),
    )


def _withdraw(offer: Offer) -> str:
    return call_bytes("withdraw(uint256)", offer.amount)


def _route(branch: Branch, asked: Question) -> Route | None:
    sell, buy = (
        find_coin(branch.place, MARKET, asked.address(name)) for name in ("sellToken", "buyToken")
    )
    amount = asked.whole("sellAmount")
    if sell is None or buy is None:
        return None
    return find_route(branch, MARKET, sell, buy, amount)


def _priced(branch: Branch, offer: Offer, taker: str | None) -> dict[str, Any]:
    route = offer.route
    return {
        "allowanceTarget": None if route.sell.native else offer.spender,
        "blockNumber": str(branch.head().number),
        "buyAmount": str(offer.promised),
        "buyToken": route.buy.address,
        "fees": {"integratorFee": None, "zeroExFee": None, "gasFee": None},
        "issues": _issues(branch, offer, taker),
        "liquidityAvailable": True,
        "mode": "exact-in",
        "minBuyAmount": str(offer.minimum),
        "route": _fills(route),
        "sellAmount": str(route.amount),
        "sellToken": route.sell.address,
        "tokenMetadata": {
            side: {"buyTaxBps": "0", "sellTaxBps": "0"} for side in ("buyToken", "sellToken")
        },
        "totalNetworkFee": str(route.gas * _gas_price(branch)),
        "zid": _ZID,
    }


def _issues(branch: Branch, offer: Offer, taker: str | None) -> dict[str, Any]:
    """What stands between the taker and the trade."""
    allowance: dict[str, str] | None = None
    balance: dict[str, str] | None = None
    sell, amount = offer.route.sell, offer.route.amount
    if taker is not None and not sell.native:
        token = sell.token.address
        (held,) = branch.puppet.read(token, "balanceOf(address)", "(uint256)", taker)
        asked = ("allowance(address,address)", "(uint256)", taker, ALLOWANCE_HOLDER)
        (actual,) = branch.puppet.read(token, *asked)
        if actual < amount:
            allowance = {"actual": str(actual), "spender": offer.spender}
        if held < amount:
            balance = {"token": sell.address, "actual": str(held), "expected": str(amount)}
    return {
        "allowance": allowance,
        "balance": balance,
        "simulationIncomplete": False,
        "invalidSourcesPassed": [],
    }


def _fills(route: Route) -> dict[str, Any]:
    symbols = [symbol for part in route.parts for symbol in part.path.symbols]
    tokens = [
        {"address": route.place.tokens[symbol].address, "symbol": symbol} for symbol in symbols
    ]
    fills = [
        {
            "from": tokens[number]["address"],
            "to": tokens[number + 1]["address"],
            "source": "Uniswap_V3",
            "proportionBps": "10000",
        }
        for number in range(len(tokens) - 1)
    ]
    return {"fills": fills, "tokens": tokens}


def _gas_price(branch: Branch) -> int:
    return branch.place.base_fee + branch.place.tip


def _bad_parameter(name: str, why: str) -> RefusedError:
    details = [{"field": name, "reason": why}]
    return _refused(400, "INPUT_INVALID", "The input is invalid", details)


def _refused(
    status: int, name: str, message: str, details: list[dict[str, str]] | None = None
) -> RefusedError:
    more: dict[str, Any] = {"zid": _ZID} if details is None else {"zid": _ZID, "details": details}
    return RefusedError(status, {"name": name, "message": message, "data": more})
