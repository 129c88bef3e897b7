"""LI.FI's way between chains, which is a deposit with Across, and the words of its API.

Source: docs.li.fi, "Get a quote", "Check the status", "Error codes"; AcrossFacetV4's published
interface and documentation (github.com/lifinance/contracts, docs/AcrossFacetV4.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from agent.core.money import Address
from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.deposits import (
    DEPOSITED,
    FILLED,
    REFUNDED,
    Deposit,
    as_bytes32,
    read_deposit,
    refunded_number,
    status_call,
)
from agent.lab.providers._asking import Question, RefusedError
from agent.lab.providers._mischief import ROBBER
from agent.lab.providers._pools import Coin, usd
from agent.lab.relay_fees import RelayFee, relay_fee
from agent.wire.address import checksum

NATIVE: Final = "0x" + "00" * 20

TRANSACTION_ID: Final = bytes.fromhex("10ca1" + "0" * 59)

NO_QUOTE: Final = 1002
NOT_FOUND: Final = 1003
INVALID: Final = 1011

FILL_SECONDS: Final = 7_200
"""From a quote to the fill deadline of its deposit; the SpokePool takes up to six hours."""

DEPOSIT_GAS: Final = 180_000

_LEAST_TIMES_GAS: Final = 4
"""The smallest deposit, in times of the gas of its fill."""

START: Final = (
    "startBridgeTokensViaAcrossV4("
    "(bytes32,string,string,address,address,address,uint256,uint256,bool,bool),"
    "(bytes32,bytes32,bytes32,bytes32,uint256,uint128,bytes32,uint32,uint32,uint32,bytes))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A deposit with Across as it is offered.

    ``far_chain``, ``sold`` and ``bought`` are what the calldata says, the coins what was asked for.
    ``received`` is what the answer promises, ``output`` what the calldata does.
    """

    near: Branch
    far: Branch
    sell: Coin
    buy: Coin
    sold: str
    bought: str
    far_chain: int
    chain_id: int
    amount: int
    value: int
    fee: RelayFee
    received: int
    output: int
    sender: str
    recipient: str
    refund: str
    target: str
    spender: str


def _other_token(crossing: Crossing) -> str:
    tokens = crossing.far.place.tokens.values()
    return next(token.address for token in tokens if token.address != crossing.bought)


CROSSING_FORGERIES: Final[Mapping[str, Callable[[Crossing], Crossing]]] = MappingProxyType(
    {
        "recipient": lambda offer: replace(offer, recipient=ROBBER),
        "refund": lambda offer: replace(offer, refund=ROBBER),
        "target": lambda offer: replace(offer, target=ROBBER),
        "spender": lambda offer: replace(offer, spender=ROBBER),
        "amount": lambda offer: replace(offer, amount=2 * offer.amount, value=2 * offer.value),
        "minimum": lambda offer: replace(offer, output=1),
        "token": lambda offer: replace(offer, bought=_other_token(offer)),
        "sold": lambda offer: replace(offer, sold=_other_token(offer)),
        "value": lambda offer: replace(offer, value=offer.value + 10**18),
        "inflated": lambda offer: replace(offer, received=offer.received * 11 // 10),
        "far_chain": lambda offer: replace(offer, far_chain=10),
        "chain": lambda offer: replace(offer, chain_id=10),
    }
)
"""The ways in which such an offer can lie."""


def find_crossing(
    branches: Mapping[int, Branch], near: Branch, far: Branch, asked: Question, diamond: str
) -> Crossing:
    """The deposit for a question; raises RefusedError and SetupFailed."""
    sell = _coin(near, asked.address("fromToken"))
    buy = _coin(far, asked.address("toToken"))
    amount, sender = asked.whole("fromAmount"), asked.address("fromAddress")
    if sell is None or buy is None or sell.name != buy.name:
        raise no_quote()
    fee = relay_fee(amount, buy.token, far)
    if amount < fee.gas * _LEAST_TIMES_GAS or amount > far.held(buy.token):
        raise no_quote()
    return Crossing(
        near=near,
        far=far,
        sell=sell,
        buy=buy,
        sold=sell.token.address,
        bought=buy.token.address,
        far_chain=far.place.chain_id,
        chain_id=near.place.chain_id,
        amount=amount,
        value=amount if sell.native else 0,
        fee=fee,
        received=amount - fee.total,
        output=amount - fee.total,
        sender=sender,
        recipient=asked.address("toAddress", sender),
        refund=sender,
        target=diamond,
        spender=diamond,
    )


def crossing_step(offer: Crossing, slippage: Decimal) -> dict[str, Any]:
    """The API's step for a deposit."""
    near, far = offer.near, offer.far
    action = {
        "fromToken": token_told(near, offer.sell),
        "fromAmount": str(offer.amount),
        "toToken": token_told(far, offer.buy),
        "fromChainId": near.place.chain_id,
        "toChainId": far.place.chain_id,
        "slippage": float(slippage),
        "fromAddress": offer.sender,
        "toAddress": offer.recipient,
    }
    return {
        "type": "lifi",
        "id": f"local-{near.head().number}:0",
        "tool": "across",
        "toolDetails": {"key": "across", "name": "AcrossV4"},
        "action": action,
        "estimate": _estimate(offer),
        "includedSteps": [{"type": "cross", "tool": "across", "action": action}],
        "integrator": "lifi-api",
        "transactionRequest": {
            "to": checksum(Address(offer.target)),
            "from": offer.sender,
            "data": _calldata(offer),
            "value": hex(offer.value),
            "gasLimit": hex(DEPOSIT_GAS * 2),
            "gasPrice": hex(gas_price(near)),
            "chainId": offer.chain_id,
        },
    }


def transfer_status(branches: Mapping[int, Branch], asked: Question) -> dict[str, Any]:
    """How the transfer of a transaction stands, by the chains themselves."""
    number = asked.text("txHash")
    for branch in branches.values():
        receipt = branch.puppet.rpc("eth_getTransactionReceipt", number)
        if isinstance(receipt, dict):
            return _told(branches, branch, receipt)
    return {"status": "NOT_FOUND", "substatus": "UNKNOWN_ERROR"}


def _told(branches: Mapping[int, Branch], near: Branch, receipt: dict[str, Any]) -> dict[str, Any]:
    sending = {"txHash": receipt["transactionHash"], "chainId": near.place.chain_id}
    if receipt["status"] != "0x1":
        return {"status": "FAILED", "substatus": "UNKNOWN_ERROR", "sending": sending}
    logs = [log for log in receipt["logs"] if log["topics"][0] == DEPOSITED]
    if not logs:
        return {"status": "DONE", "substatus": "COMPLETED", "sending": sending}
    deposit = read_deposit(near.place.chain_id, logs[0])
    far = branches[deposit.destination]
    status, substatus = _stand(near, far, deposit)
    told = {
        "status": status,
        "substatus": substatus,
        "tool": "across",
        "bridge": "across",
        "sending": {**sending, "amount": str(deposit.input_amount)},
    }
    if substatus == "COMPLETED":
        amount = str(deposit.output_amount)
        told["receiving"] = {"chainId": far.place.chain_id, "amount": amount}
    return told


def _stand(near: Branch, far: Branch, deposit: Deposit) -> tuple[str, str]:
    call = {"to": far.place.spoke_pool, "data": status_call(deposit)}
    if int(str(far.puppet.rpc("eth_call", call, "latest")), 16) == FILLED:
        return "DONE", "COMPLETED"
    wanted = {"address": near.place.spoke_pool, "fromBlock": "0x0", "topics": [REFUNDED]}
    logs: Any = near.puppet.rpc("eth_getLogs", wanted)
    if deposit.number in {refunded_number(log) for log in logs}:
        return "DONE", "REFUNDED"
    if far.head().time > deposit.fill_deadline:
        return "PENDING", "REFUND_IN_PROGRESS"
    return "PENDING", "WAIT_DESTINATION_TRANSACTION"


def _estimate(offer: Crossing) -> dict[str, Any]:
    near, far = offer.near, offer.far
    gas_coin = Coin(symbol="WETH", address=NATIVE, token=near.place.tokens["WETH"], native=True)
    gas = DEPOSIT_GAS * gas_price(near)
    return {
        "tool": "across",
        "fromAmount": str(offer.amount),
        "fromAmountUSD": str(usd(near, offer.sell, offer.amount)),
        "toAmount": str(offer.received),
        "toAmountUSD": str(usd(far, offer.buy, offer.received)),
        "toAmountMin": str(offer.received),
        "approvalAddress": checksum(Address(offer.spender)),
        "approvalReset": False,
        "executionDuration": 4,
        "feeCosts": [
            {
                "name": "Relayer fee",
                "description": "Fee paid to the relayer and the protocol",
                "amount": str(offer.fee.total),
                "amountUSD": str(usd(far, offer.buy, offer.fee.total)),
                "percentage": "0",
                "included": True,
                "token": token_told(near, offer.sell),
            }
        ],
        "gasCosts": [
            {
                "type": "SEND",
                "price": str(gas_price(near)),
                "estimate": str(DEPOSIT_GAS),
                "limit": str(DEPOSIT_GAS * 2),
                "amount": str(gas),
                "amountUSD": str(usd(near, gas_coin, gas)),
                "token": token_told(near, gas_coin),
            }
        ],
    }


def _calldata(offer: Crossing) -> str:
    near, far = offer.near.head(), offer.far.head()
    sold = NATIVE if offer.sell.native else offer.sold
    bridged = (
        *(TRANSACTION_ID, "across", "lifi-api", NATIVE, sold, offer.recipient),
        *(offer.amount, offer.far_chain, False, False),
    )
    deposited = (
        *(as_bytes32(offer.recipient), as_bytes32(offer.refund)),
        *(as_bytes32(offer.sold), as_bytes32(offer.bought), offer.output, 10**18),
        *(bytes(32), near.time, max(near.time, far.time) + FILL_SECONDS, 0, b""),
    )
    return call_bytes(START, bridged, deposited)


def _coin(branch: Branch, address: str) -> Coin | None:
    """A token that crosses: not the wrapped coin, which Across pays out as the coin itself."""
    for symbol, token in branch.place.tokens.items():
        native = symbol == "WETH"
        if address == (NATIVE if native else token.address):
            return Coin(symbol=symbol, address=address, token=token, native=native)
    return None


def token_told(branch: Branch, coin: Coin) -> dict[str, Any]:
    """A token as the API tells it."""
    return {
        "address": checksum(Address(coin.address)),
        "chainId": branch.place.chain_id,
        "symbol": coin.name,
        "decimals": coin.token.decimals,
        "name": coin.name,
        "coinKey": coin.name,
        "priceUSD": str(branch.price(coin.token.asset)),
    }


def gas_price(branch: Branch) -> int:
    """Wei that a unit of gas usually costs."""
    return branch.place.base_fee + branch.place.tip


def no_quote() -> RefusedError:
    """The API's no to a pair or an amount."""
    return refused(404, NO_QUOTE, "No available quotes for the requested transfer")


def bad_parameter(name: str, why: str) -> RefusedError:
    """The API's no to a parameter."""
    return refused(400, INVALID, f"/{name} {why}")


def refused(status: int, code: int, message: str) -> RefusedError:
    """An error of the API."""
    return RefusedError(status, {"message": message, "code": code})
