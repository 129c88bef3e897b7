"""LI.FI on local chains: a stand-in for its diamond, and its API v1: swaps, and Across.

Source: docs.li.fi, "Get a quote", "Error codes"; the types of @lifi/types.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from agent.core.money import Address
from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.providers._asking import Question
from agent.lab.providers._executor import EXECUTOR, put_stand_in
from agent.lab.providers._lifi_across import (
    CROSSING_FORGERIES,
    NATIVE,
    NOT_FOUND,
    TRANSACTION_ID,
    bad_parameter,
    crossing_step,
    find_crossing,
    gas_price,
    no_quote,
    refused,
    token_told,
    transfer_status,
)
from agent.lab.providers._mischief import FORGERIES, Mischief, Offer, make_offer
from agent.lab.providers._pools import Coin, Market, Route, find_coin, find_route, usd
from agent.lab.puppet import Puppet
from agent.lab.reply import Reply
from agent.wire.address import checksum

DIAMOND: Final = "0x1231deb6f5749ef6ce6943a275a1d3e7486f4eae"

MARKET: Final = Market(
    tiers=frozenset({100, 500, 3000}),
    hops=("USDC",),
    splits=False,
    natives=frozenset({NATIVE}),
    # "LIFI Fixed Fee", a quarter of a percent, without an agreement.
    fee=2_500,
)

_SWAP: Final = (
    "(bytes32,string,string,address,uint256,(address,address,address,address,uint256,bytes,bool))"
)
TO_TOKEN: Final = f"swapTokensSingleV3ERC20ToERC20{_SWAP}"
TO_NATIVE: Final = f"swapTokensSingleV3ERC20ToNative{_SWAP}"
FROM_NATIVE: Final = f"swapTokensSingleV3NativeToERC20{_SWAP}"

WHOLE: Final = Decimal(1)


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the diamond at its address; raises SetupFailed."""
    put_stand_in(treasury, place, own, _diamond(place))


def _diamond(place: Place) -> tuple[str, str, tuple[Any, ...]]:
    return DIAMOND, "lifi_diamond", (EXECUTOR, place.spoke_pool, place.weth)


class Desk:
    """The API; between chains it knows one way, which is Across."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._mischief = Mischief(frozenset(FORGERIES) | frozenset(CROSSING_FORGERIES))
        self.order = self._mischief.order

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        """Answer ``GET /v1/quote``, ``/v1/status`` and ``/v1/chains``."""
        return self._mischief.reply(path, lambda: self._answer(method, path, query))

    def _answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        answers: dict[str, Callable[[Question], dict[str, Any]]] = {
            "/quote": self._quote,
            "/status": lambda asked: transfer_status(self._branches, asked),
            "/chains": lambda _: self._chains(),
        }
        what = path.removeprefix("/v1")
        if method != "GET" or what not in answers:
            raise refused(404, NOT_FOUND, f"{path} was not found")
        return 200, answers[what](Question(query, bad_parameter))

    def _chains(self) -> dict[str, Any]:
        return {
            "chains": [
                {
                    "id": branch.place.chain_id,
                    "name": branch.place.name,
                    "chainType": "EVM",
                    "diamondAddress": checksum(Address(DIAMOND)),
                }
                for branch in self._branches.values()
            ]
        }

    def _quote(self, asked: Question) -> dict[str, Any]:
        sender = asked.address("fromAddress")
        slippage = asked.number("slippage", "0.005", most=1)
        branch, far = (self._branch(asked, name) for name in ("fromChain", "toChain"))
        if branch is not far:
            crossing = find_crossing(self._branches, branch, far, asked, DIAMOND)
            return crossing_step(self._mischief.bent(crossing, CROSSING_FORGERIES), slippage)
        route = _route(branch, asked)
        least = Decimal(route.out) * (WHOLE - slippage)
        offer = self._mischief.forged(
            make_offer(
                route,
                minimum=int(least.to_integral_value(ROUND_FLOOR)),
                recipient=asked.address("toAddress", sender),
                target=DIAMOND,
            )
        )
        return _step(branch, offer, sender, slippage)

    def _branch(self, asked: Question, name: str) -> Branch:
        branch = self._branches.get(asked.whole(name))
        if branch is None:
            raise bad_parameter(name, "must be a supported chain")
        return branch


def _step(branch: Branch, offer: Offer, sender: str, slippage: Decimal) -> dict[str, Any]:
    route = offer.route
    action = {
        "fromToken": token_told(branch, route.sell),
        "fromAmount": str(route.amount),
        "toToken": token_told(branch, route.buy),
        "fromChainId": branch.place.chain_id,
        "toChainId": branch.place.chain_id,
        "slippage": float(slippage),
        "fromAddress": sender,
        "toAddress": offer.recipient,
    }
    return {
        "type": "lifi",
        "id": f"local-{branch.head().number}:0",
        "tool": "uniswap",
        "toolDetails": {"key": "uniswap", "name": "Uniswap"},
        "action": action,
        "estimate": _estimate(branch, offer),
        "includedSteps": [{"type": "swap", "tool": "uniswap", "action": action}],
        "integrator": "lifi-api",
        "transactionRequest": {
            "to": checksum(Address(offer.target)),
            "from": sender,
            "data": offer.shown(_calldata(offer)),
            "value": hex(offer.value),
            "gasLimit": hex(route.gas * 2),
            "gasPrice": hex(gas_price(branch)),
            "chainId": offer.chain_id,
        },
    }


def _estimate(branch: Branch, offer: Offer) -> dict[str, Any]:
    route = offer.route
    gas_coin = Coin(symbol="WETH", address=NATIVE, token=branch.place.tokens["WETH"], native=True)
    gas = route.gas * gas_price(branch)
    return {
        "tool": "uniswap",
        "fromAmount": str(route.amount),
        "fromAmountUSD": str(usd(branch, route.sell, route.amount)),
        "toAmount": str(offer.promised),
        "toAmountUSD": str(usd(branch, route.buy, offer.promised)),
        "toAmountMin": str(offer.minimum),
        "approvalAddress": checksum(Address(offer.spender)),
        "approvalReset": False,
        "executionDuration": 0,
        "feeCosts": [
            {
                "name": "LIFI Fixed Fee",
                "description": "Fixed LIFI fee, independent of any other fee",
                "amount": str(route.fee_amount),
                "amountUSD": str(usd(branch, route.buy, route.fee_amount)),
                "percentage": "0.0025",
                "included": True,
                "token": token_told(branch, route.buy),
            }
        ],
        "gasCosts": [
            {
                "type": "SEND",
                "price": str(gas_price(branch)),
                "estimate": str(route.gas),
                "limit": str(route.gas * 2),
                "amount": str(gas),
                "amountUSD": str(usd(branch, gas_coin, gas)),
                "token": token_told(branch, gas_coin),
            }
        ],
    }


def _calldata(offer: Offer) -> str:
    packed, sell = offer.route.packed(), offer.route.sell
    if sell.native:
        signature, call = FROM_NATIVE, call_bytes("run(bytes)", packed)
    else:
        signature = TO_NATIVE if offer.route.buy.native else TO_TOKEN
        take = (sell.token.address, offer.amount, packed)
        call = call_bytes("take_and_run(address,uint256,bytes)", *take)
    swapped = (
        *(EXECUTOR, EXECUTOR, offer.sell, offer.buy, offer.amount),
        *(bytes.fromhex(call[2:]), True),
    )
    told = (TRANSACTION_ID, "lifi-api", NATIVE, offer.recipient, offer.minimum)
    return call_bytes(signature, *told, swapped)


def _route(branch: Branch, asked: Question) -> Route:
    sell, buy = (
        find_coin(branch.place, MARKET, asked.address(name)) for name in ("fromToken", "toToken")
    )
    amount = asked.whole("fromAmount")
    route = None
    if sell is not None and buy is not None:
        route = find_route(branch, MARKET, sell, buy, amount)
    if route is None:
        raise no_quote()
    return route
