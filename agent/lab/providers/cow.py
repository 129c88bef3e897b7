"""CoW Protocol on local chains: its own contracts, an order book in its format, and a solver.

Sources: crates/orderbook/openapi.yml of github.com/cowprotocol/services, version of 2026-08-21.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from agent.lab.abi import answer
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.providers._cow_contracts import SETTLEMENT, put_cow
from agent.lab.providers._cow_orders import (
    No,
    app_data_hash,
    cancelling,
    check_kind,
    check_tokens,
    check_valid_to,
    listed,
)
from agent.lab.providers._cow_solver import Listed, filled, offer, settle
from agent.lab.providers._cow_ways import SETTLE_GAS
from agent.lab.puppet import Puppet
from agent.wire.events import events
from agent.wire.order import order_fields

NETWORKS: Final = {"mainnet": 1, "base": 8453, "arbitrum_one": 42161}
"""The API's name of each chain."""

DELAYS: Final[Mapping[str, int | None]] = {"prompt": 0, "late": 60, "never": None}
"""Seconds of chain time from an order to its settlement, by mode; None is for ever."""

LIES: Final = ("far better", "other receiver", "other amount", "other token", "none", "busy")

DEFAULT_VALID_SECONDS, QUOTE_SECONDS = 1_800, 120

_PATH: Final = re.compile(r"/(?P<network>\w+)/api/(?P<rest>v[12]/.+)")
_UID: Final = re.compile(r"0x[0-9a-f]{112}")
_INVALIDATED: Final = 2**256 - 1

_Answer = tuple[int, Any]


def put(
    treasury: Puppet,
    place: Place,
    third: Mapping[str, Artifact],
    own: Mapping[str, Artifact],
) -> None:
    """Put its contracts on a chain."""
    del place, own
    put_cow(treasury, third)


class Desk:
    """The order books of all chains, below a path of their own each, and their solver."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._books: dict[int, dict[str, Listed]] = {chain: {} for chain in branches}
        self._quotes = 0
        self._mode = "prompt"
        self._lie, self._lies_left = "", 0

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any
    ) -> _Answer:
        """What the order book of the network in *path* says."""
        del headers
        asked = _PATH.fullmatch(path)
        branch = self._branches.get(NETWORKS.get(asked["network"], 0)) if asked else None
        if asked is None or branch is None:
            return 404, {"message": f"there is no {path}"}
        try:
            return self._book(branch, method, asked["rest"], query, body)
        except No as no:
            return no.status, no.body
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            return 422, {"message": f"{type(fault).__name__}: {fault}"}

    def turn(self) -> None:
        """Settle what is due; an order that cannot be settled now waits for the next turn."""
        delay = DELAYS[self._mode]
        if delay is None:
            return
        for chain, branch in self._branches.items():
            waiting = [each for each in self._books[chain].values() if not each.cancelled]
            if branch.halted or not waiting:
                continue
            now = branch.head().time
            due = [each for each in waiting if each.made_at + delay <= now <= each.order.valid_to]
            for each in due:
                if not filled(branch, each.uid):
                    settle(branch, each)

    def order(self, name: str, *arguments: Any) -> Any:
        """``mode MODE`` of `DELAYS`; ``lie WAY ANSWERS`` of `LIES` for as many quotes; ``open``."""
        match name, arguments:
            case "mode", (str(mode),):
                if mode not in DELAYS:
                    raise ValueError(mode)
                self._mode = mode
            case "lie", (str(way), int(answers)):
                if way not in LIES:
                    raise ValueError(way)
                self._lie, self._lies_left = way, answers
            case "open", ():
                return [uid for book in self._books.values() for uid in book]
            case "forget", ():
                for book in self._books.values():
                    book.clear()
            case _:
                raise KeyError(name)
        return None

    def _book(
        self, branch: Branch, method: str, rest: str, query: Mapping[str, str], body: Any
    ) -> _Answer:
        match method, rest.split("/"):
            case "POST", ["v1", "quote"]:
                return self._quote(branch, body)
            case "POST", ["v1", "orders"]:
                return self._take(branch, body)
            case "DELETE", ["v1", "orders"]:
                return self._cancel(branch, body)
            case "GET", ["v1", "orders", uid]:
                return 200, self._told(branch, self._found(branch, uid))
            case "GET", ["v1", "orders", uid, "status"]:
                return 200, self._status(branch, self._found(branch, uid))
            case "GET", ["v2", "trades"]:
                return 200, _trades(branch, query["orderUid"])
            case _:
                return 404, {"message": f"there is no {method} {rest}"}

    def _quote(self, branch: Branch, told: Mapping[str, Any]) -> _Answer:
        lie = ""
        if self._lies_left:
            lie, self._lies_left = self._lie, self._lies_left - 1
        if lie == "busy":
            return 429, {"errorType": "TooManyRequests", "description": "Too many requests"}
        check_kind(told)
        check_tokens(branch, told)
        now = branch.head().time
        valid_to = int(told.get("validTo", now + int(told.get("validFor", DEFAULT_VALID_SECONDS))))
        check_valid_to(valid_to, now)
        self._quotes += 1
        quote = _quoted(branch, told, valid_to, liquid=lie != "none")
        return 200, {
            "quote": _FORGED[lie](quote) if lie in _FORGED else quote,
            "from": told["from"],
            "expiration": _iso(now + QUOTE_SECONDS),
            "id": self._quotes,
            "verified": True,
        }

    def _take(self, branch: Branch, told: Mapping[str, Any]) -> _Answer:
        order = listed(branch, told)
        book = self._books[branch.place.chain_id]
        if order.uid in book:
            raise No("DuplicatedOrder", "order already exists")
        book[order.uid] = order
        return 201, order.uid

    def _cancel(self, branch: Branch, told: Mapping[str, Any]) -> _Answer:
        uids, signer = cancelling(branch, told)
        orders = [self._found(branch, uid) for uid in uids]
        if any(order.owner != signer for order in orders):
            raise No("WrongOwner", "these are orders of somebody else", 401)
        for order in orders:
            if filled(branch, order.uid):
                raise No("OrderFullyExecuted", "Order is fully executed")
            order.cancelled = True
        return 200, "Cancelled"

    def _found(self, branch: Branch, uid: str) -> Listed:
        if not _UID.fullmatch(uid):
            raise No("InvalidUid", "that is no order's name")
        found = self._books[branch.place.chain_id].get(uid)
        if found is None:
            raise No("NotFound", "Order was not found", 404)
        return found

    def _told(self, branch: Branch, order: Listed) -> dict[str, Any]:
        trades = _trades(branch, order.uid)
        sold, bought = (
            str(sum(int(trade[side]) for trade in trades)) for side in ("sellAmount", "buyAmount")
        )
        return {
            **order_fields(order.order),
            "appData": order.app_data,
            "signingScheme": "eip712",
            "signature": order.signature,
            "creationDate": _iso(order.made_at),
            "class": "limit",
            "owner": order.owner,
            "uid": order.uid,
            "executedSellAmount": sold,
            "executedSellAmountBeforeFees": sold,
            "executedBuyAmount": bought,
            "executedFeeAmount": "0",
            "executedFee": "0",
            "executedFeeToken": order.order.sell,
            "invalidated": filled(branch, order.uid) == _INVALIDATED,
            "status": self._state(branch, order),
            "settlementContract": SETTLEMENT,
        }

    def _state(self, branch: Branch, order: Listed) -> str:
        done = filled(branch, order.uid)
        if done:
            return "cancelled" if done == _INVALIDATED else "fulfilled"
        if order.cancelled:
            return "cancelled"
        return "open" if branch.head().time <= order.order.valid_to else "expired"

    def _status(self, branch: Branch, order: Listed) -> dict[str, Any]:
        state = self._state(branch, order)
        kind = {"fulfilled": "traded", "expired": "open"}.get(state, state)
        return {"type": kind, "value": []}


def _quoted(
    branch: Branch, told: Mapping[str, Any], valid_to: int, *, liquid: bool
) -> dict[str, Any]:
    sell, buy = str(told["sellToken"]).lower(), str(told["buyToken"]).lower()
    raw = int(told["sellAmountBeforeFee"])
    try:
        found = offer(branch, sell, buy, raw) if liquid else None
    except ValueError as short:
        raise No(
            "SellAmountDoesNotCoverFee",
            "The sell amount for the sell order is lower than the fee.",
            fee_amount=str(short),
        ) from None
    if found is None:
        raise No("NoLiquidity", "no route found", 404)
    return {
        "sellToken": sell,
        "buyToken": buy,
        "receiver": told.get("receiver", told["from"]),
        "sellAmount": str(raw - found.fee),
        "buyAmount": str(found.out),
        "validTo": valid_to,
        "appData": told.get("appData", "{}"),
        "appDataHash": app_data_hash(told),
        "feeAmount": str(found.fee),
        "gasAmount": str(SETTLE_GAS),
        "gasPrice": str(found.gas_price),
        "sellTokenPrice": "1",
        "kind": "sell",
        "partiallyFillable": False,
        "sellTokenBalance": "erc20",
        "buyTokenBalance": "erc20",
        "signingScheme": "eip712",
    }


def _trades(branch: Branch, uid: str) -> list[dict[str, Any]]:
    """What the chain's logs say of an order."""
    trade = events("cow_settlement")["Trade"]
    wanted = {"address": SETTLEMENT, "fromBlock": "0x0", "topics": [trade.topic]}
    logs: Any = branch.puppet.rpc("eth_getLogs", wanted)
    return [told for log in logs if (told := _trade(log))["orderUid"] == uid]


def _trade(log: Mapping[str, Any]) -> dict[str, Any]:
    kinds = "(address,address,uint256,uint256,uint256,bytes)"
    sell, buy, sold, bought, _, uid = answer(kinds, log["data"])
    return {
        "blockNumber": int(log["blockNumber"], 16),
        "logIndex": int(log["logIndex"], 16),
        "orderUid": "0x" + uid.hex(),
        "owner": "0x" + log["topics"][1][-40:],
        "sellToken": sell,
        "buyToken": buy,
        "sellAmount": str(sold),
        "sellAmountBeforeFees": str(sold),
        "buyAmount": str(bought),
        "txHash": log["transactionHash"],
    }


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


_Forge = Callable[[dict[str, Any]], dict[str, Any]]

_FORGED: Final[Mapping[str, _Forge]] = {
    "far better": lambda quote: {**quote, "buyAmount": str(int(quote["buyAmount"]) * 3 // 2)},
    "other receiver": lambda quote: {**quote, "receiver": "0x" + "bad0" * 10},
    "other amount": lambda quote: {**quote, "sellAmount": str(int(quote["sellAmount"]) * 2)},
    "other token": lambda quote: {**quote, "buyToken": "0x" + "bad0" * 10},
}
