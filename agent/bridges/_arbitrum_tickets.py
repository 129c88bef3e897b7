"""Tokens into a rollup: the gateway keeps them, and a ticket asks for as many on the other side.

As @arbitrum/token-bridge-contracts 1.2.5 (L1GatewayRouter.sol, L1ArbitrumGateway.sol) and the
precompile ArbRetryableTx. A ticket is known by the hash of the transaction that makes it on the
rollup, type 0x69 (OffchainLabs/go-ethereum, core/types/arb_types.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.bridges._arbitrum_contracts import CONTENT, DELIVERED, Pair
from agent.core.layout import Layout, Place
from agent.core.log import Log
from agent.core.money import Address, ChainId, Token
from agent.wire.abi import AbiError, encode, functions
from agent.wire.calldata import by_selector
from agent.wire.events import events
from agent.wire.keccak import keccak256
from agent.wire.rlp import Item, rlp

_ROUTER, _RETRYABLES = functions("arbitrum_gateway_router"), functions("arbitrum_retryable_tx")

OUTBOUND = _ROUTER[
    "outboundTransferCustomRefund(address,address,address,uint256,uint256,uint256,bytes)"
]
GATEWAY_OF = _ROUTER["getGateway(address)"]
COPY_OF = _ROUTER["calculateL2TokenAddress(address)"]
CALL_OF = _ROUTER["getOutboundCalldata(address,address,address,uint256,bytes)"]
SUBMISSION_FEE = functions("arbitrum_inbox")["calculateRetryableSubmissionFee(uint256,uint256)"]
REDEEM, TIMEOUT = _RETRYABLES["redeem(bytes32)"], _RETRYABLES["getTimeout(bytes32)"]

INITIATED = events("arbitrum_gateway")["DepositInitiated"]
FINALIZED = events("arbitrum_child_gateway")["DepositFinalized"]
SCHEDULED = events("arbitrum_retryable_tx")["RedeemScheduled"]

SUBMIT_RETRYABLE = 9
"""The kind of a message that makes a ticket: L1MessageType_submitRetryableTx, MessageTypes.sol."""

_TYPE = b"\x69"
_WORDS = 9
"""Of a ticket's message before its calldata: AbsInbox.sol, `_unsafeCreateRetryableTicket`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One token of the parent chain, its copy on the rollup, and the gateways on both sides."""

    pair: Pair
    token: Token
    copy: Token
    gateway: Address
    far_gateway: Address


def lanes(pair: Pair) -> Iterator[Lane]:
    """The tokens that chains.toml knows gateways of on both sides."""
    far = pair.child.table("gateways")
    for asset, gateway in pair.parent.table("gateways").items():
        token, copy = pair.parent.tokens.get(asset), pair.child.tokens.get(asset)
        if token is not None and copy is not None and asset in far:
            yield Lane(
                pair=pair,
                token=token,
                copy=copy,
                gateway=Address(str(gateway)),
                far_gateway=Address(str(far[asset])),
            )


def ticket_layouts(known: Sequence[Lane]) -> Mapping[str, Layout]:
    """Field maps of the deposit, whose value is its fee, and of asking for a ticket once more.

    The last argument packs the most that the ticket may cost and what is to be called, nothing.
    """
    buys: dict[tuple[ChainId, Address], dict[tuple[ChainId, Address], Address]] = {}
    for lane in known:
        router = (lane.pair.parent.chain, lane.pair.parent.address("router"))
        sold = (lane.pair.child.chain, lane.token.address)
        buys.setdefault(router, {})[sold] = lane.copy.address
    return by_selector(
        Layout(
            signature=OUTBOUND.signature,
            sell=(0,),
            refund=(1,),
            recipient=(2,),
            amount_in=(3,),
            packed=(((6,), ("uint256", "uint256", "uint256")),),
            masks=(((6, 1), 2**256 - 1, 64),),
            zeros=((6, 2), (6, 3)),
            one_to_one=True,
            lasting=True,
            value_is_fee=True,
            places={
                router: Place(to_chain=next(iter(found))[0], buys=found)
                for router, found in buys.items()
            },
        ),
        Layout(signature=REDEEM.signature),
    )


def outbound_data(lane: Lane, account: Address, raw: int, terms: Terms) -> str:
    """Calldata that sends *raw* to the account itself, and what is left of the fee too."""
    most = encode(["uint256", "bytes"], [terms.submission, b""])
    return OUTBOUND.encode(
        lane.token.address, account, account, raw, terms.gas, terms.gas_price, most
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The most that a ticket may cost on the rollup, in wei: its making, and gas at a price."""

    submission: int
    gas: int
    gas_price: int

    @property
    def fee(self) -> int:
        """What goes along as value; the rest comes back on the rollup."""
        return self.submission + self.gas * self.gas_price


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A deposit of a token as its logs tell it; `ticket` is what the rollup knows it by."""

    number: int
    to: Address
    raw: int
    ticket: bytes
    log: Log


def read_crossing(initiated: Log, logs: Sequence[Log], lane: Lane) -> Crossing | None:
    """The deposit that the gateway's log tells of, with its ticket from the others of *logs*.

    None for another token; raises ``AbiError`` when its message is missing or is another.
    """
    told = INITIATED.decode(initiated)
    if told["l1Token"] != lane.token.address:
        return None
    number, pair = told["_sequenceNumber"], lane.pair
    delivered = _one(logs, pair.bridge, DELIVERED, messageIndex=number)
    content: bytes = _one(logs, pair.inbox, CONTENT, messageNum=number)["data"]
    if delivered["kind"] != SUBMIT_RETRYABLE or delivered["messageDataHash"] != keccak256(content):
        raise AbiError(f"message {number} without its ticket")
    return Crossing(
        number=number,
        to=told["_to"],
        raw=told["_amount"],
        ticket=ticket_id(pair.child.chain, delivered, content),
        log=initiated,
    )


def _one(logs: Sequence[Log], address: Address, event: Any, **wanted: int) -> Mapping[str, Any]:
    """What the one log of *event* with this number says."""
    ((name, number),) = wanted.items()
    said = [event.decode(log) for log in logs if log.address == address and event.is_in(log)]
    for each in said:
        if each[name] == number:
            found: Mapping[str, Any] = each
            return found
    raise AbiError(f"message {number} without a log of {event.name}")


def ticket_id(chain: ChainId, delivered: Mapping[str, Any], content: bytes) -> bytes:
    """The hash of the transaction that makes the ticket on the rollup."""
    if len(content) < 32 * _WORDS:
        raise AbiError("a ticket's message that ends too early")
    to, value, paid, most, refund, beneficiary, gas, price, _ = (
        int.from_bytes(content[32 * n : 32 * n + 32], "big") for n in range(_WORDS)
    )
    fields: list[Item] = [
        chain,
        delivered["messageIndex"].to_bytes(32, "big"),
        bytes.fromhex(delivered["sender"][2:]),
        delivered["baseFeeL1"],
        paid,
        price,
        gas,
        to.to_bytes(20, "big"),
        value,
        beneficiary.to_bytes(20, "big"),
        most,
        refund.to_bytes(20, "big"),
        content[32 * _WORDS :],
    ]
    return keccak256(_TYPE + rlp(fields))
