"""Across's SpokePool in bytes: the deposit that we send, the fill that others send, their logs.

Functions, events and their meaning are those of @across-protocol/contracts 5.0.27 (SpokePool.sol,
V3SpokePoolInterface.sol). A deposit goes by `depositV3`: its addresses are typed, so the bytes have
one reading only, where the newer `deposit` takes 32 bytes of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.core.layout import Layout
from agent.core.log import Log
from agent.core.money import Address, ChainId
from agent.wire.abi import encode, functions
from agent.wire.calldata import by_selector
from agent.wire.events import events
from agent.wire.keccak import keccak256

ABI = "across_spoke_pool"
NOBODY = Address("0x" + "00" * 20)

DEPOSIT = Layout(
    signature="depositV3(address,address,address,address,uint256,uint256,uint256,address,"
    "uint32,uint32,uint32,bytes)",
    refund=(0,),
    recipient=(1,),
    sell=(2,),
    buy=(3,),
    amount_in=(4,),
    min_out=(5,),
    to_chain=(6,),
    fill_deadline=(9,),
    # Nobody has the sole right to deliver, and nothing is called when it is delivered.
    zeros=((7,), (10,), (11,)),
    wraps=True,
)
LAYOUTS = by_selector(DEPOSIT)

_RELAY = (
    "(bytes32,bytes32,bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,uint32,uint32,bytes)"
)
_FUNCTIONS = functions(ABI)
_DEPOSIT = _FUNCTIONS[DEPOSIT.signature]
_FILL = _FUNCTIONS[f"fillRelay({_RELAY},uint256,bytes32)"]
STATUS = _FUNCTIONS["fillStatuses(bytes32)"]
QUOTE_BUFFER = _FUNCTIONS["depositQuoteTimeBuffer()"]
FILL_BUFFER = _FUNCTIONS["fillDeadlineBuffer()"]
DEPOSITS_PAUSED = _FUNCTIONS["pausedDeposits()"]
FILLS_PAUSED = _FUNCTIONS["pausedFills()"]
WRAPPED = _FUNCTIONS["wrappedNativeToken()"]

DEPOSITED = events(ABI)["FundsDeposited"]
FILLED = events(ABI)["FilledRelay"]
REFUNDED = events(ABI)["ExecutedRelayerRefundRoot"]

STATUS_FILLED = 2
"""`FillStatus.Filled`; 0 is unfilled, 1 asks for a slow fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a deposit is to say; times are unix seconds, amounts base units."""

    account: Address
    input_token: Address
    output_token: Address
    input_amount: int
    output_amount: int
    to_chain: ChainId
    quote_timestamp: int
    fill_deadline: int


def deposit_data(terms: Terms) -> str:
    """Calldata that gives *input_amount* for exactly *output_amount* on the far chain.

    Paid out to the account and paid back to it; nobody is exclusive, no message goes along.
    """
    return _DEPOSIT.encode(
        terms.account,
        terms.account,
        terms.input_token,
        terms.output_token,
        terms.input_amount,
        terms.output_amount,
        terms.to_chain,
        NOBODY,
        terms.quote_timestamp,
        terms.fill_deadline,
        0,
        b"",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """One deposit as its log tells it; addresses are 32 bytes, since other chains have such."""

    origin: ChainId
    to_chain: ChainId
    id: int
    depositor: bytes
    recipient: bytes
    exclusive_relayer: bytes
    input_token: bytes
    output_token: bytes
    input_amount: int
    output_amount: int
    quote_timestamp: int
    fill_deadline: int
    exclusivity_deadline: int
    message: bytes
    log: Log

    @property
    def relay(self) -> tuple[Any, ...]:
        """The struct that a relayer fills, `V3RelayData`."""
        return (
            self.depositor,
            self.recipient,
            self.exclusive_relayer,
            self.input_token,
            self.output_token,
            self.input_amount,
            self.output_amount,
            self.origin,
            self.id,
            self.fill_deadline,
            self.exclusivity_deadline,
            self.message,
        )

    @property
    def relay_hash(self) -> bytes:
        """What the far pool knows it by: no deposit of another chain or sender has it."""
        return keccak256(encode([_RELAY, "uint256"], [self.relay, self.to_chain]))


def read_deposit(log: Log, origin: ChainId) -> Deposit:
    """The deposit of a `FundsDeposited` log; raises ``AbiError``."""
    said = DEPOSITED.decode(log)
    return Deposit(
        origin=origin,
        to_chain=ChainId(said["destinationChainId"]),
        id=said["depositId"],
        depositor=said["depositor"],
        recipient=said["recipient"],
        exclusive_relayer=said["exclusiveRelayer"],
        input_token=said["inputToken"],
        output_token=said["outputToken"],
        input_amount=said["inputAmount"],
        output_amount=said["outputAmount"],
        quote_timestamp=said["quoteTimestamp"],
        fill_deadline=said["fillDeadline"],
        exclusivity_deadline=said["exclusivityDeadline"],
        message=said["message"],
        log=log,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One delivery as the far pool's log tells it."""

    origin: ChainId
    deposit_id: int
    recipient: bytes
    output_token: bytes
    output_amount: int
    log: Log


def read_fill(log: Log) -> Fill:
    """The delivery of a `FilledRelay` log, as it was executed; raises ``AbiError``."""
    said = FILLED.decode(log)
    recipient, _message_hash, output_amount, _kind = said["relayExecutionInfo"]
    return Fill(
        origin=ChainId(said["originChainId"]),
        deposit_id=said["depositId"],
        recipient=recipient,
        output_token=said["outputToken"],
        output_amount=output_amount,
        log=log,
    )


def refunded_to(log: Log, account: Address, token: Address) -> int:
    """Base units of *token* that a refund log gives to *account*; raises ``AbiError``."""
    said = REFUNDED.decode(log)
    pairs = zip(said["refundAddresses"], said["refundAmounts"], strict=True)
    mine = sum(raw for address, raw in pairs if address == account)
    return mine if said["l2TokenAddress"] == token else 0


def fill_data(deposit: Deposit, relayer: Address) -> str:
    """Calldata by which *relayer* delivers a deposit and is paid back on the far chain."""
    return _FILL.encode(deposit.relay, deposit.to_chain, word(relayer))


def word(address: Address) -> bytes:
    """An address as the pools write it: 32 bytes, the first twelve empty."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def address_in(padded: bytes) -> Address | None:
    """The address in 32 bytes; None for one of a chain whose addresses are longer."""
    return None if any(padded[:12]) else Address("0x" + padded[12:].hex())


def fills(log: Log, deposit: Deposit) -> bool:
    """Whether a `FilledRelay` log tells of this deposit and of no other; raises ``AbiError``."""
    said = FILLED.decode(log)
    told = (
        said["depositor"],
        said["recipient"],
        said["exclusiveRelayer"],
        said["inputToken"],
        said["outputToken"],
        said["inputAmount"],
        said["outputAmount"],
        said["originChainId"],
        said["depositId"],
        said["fillDeadline"],
        said["exclusivityDeadline"],
    )
    return told == deposit.relay[:-1]
