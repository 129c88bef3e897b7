"""Retryable tickets of the local Arbitrum: what Ethereum's contracts want to be called there.

A ticket is tried at once when it comes in. One that was not, or failed, waits for a week until
somebody redeems it; then it is gone. Its id is the hash of the transaction that makes it, type 0x69
of OffchainLabs/go-ethereum, core/types/arb_types.go.
"""

from dataclasses import dataclass
from typing import Final

from agent.errors import SetupFailed
from agent.lab.branch import Branch
from agent.lab.providers._arbitrum_contracts import RETRYABLES
from agent.lab.puppet import Puppet, Tx, tx
from agent.wire.keccak import keccak256
from agent.wire.rlp import Item, rlp

SUBMIT_RETRYABLE: Final = 9
"""The kind of its message: L1MessageType_submitRetryableTx of nitro-contracts."""

_TYPE: Final = b"\x69"
_WORDS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What one message wants to be called; wei, and `refund` gets what is left of the fee."""

    id: bytes
    caller: str
    to: str
    value: int
    data: bytes
    refund: str
    left: int


def read_ticket(chain: int, number: int, sender: str, base_fee: int, content: bytes) -> Ticket:
    """The ticket of message *number*; the *base_fee* of Ethereum is part of its id."""
    to, value, paid, most, refund, beneficiary, gas, price, _ = (
        int.from_bytes(content[32 * n : 32 * n + 32], "big") for n in range(_WORDS)
    )
    data = content[32 * _WORDS :]
    parts: list[Item] = [
        chain,
        number.to_bytes(32, "big"),
        bytes.fromhex(sender[2:]),
        base_fee,
        paid,
        price,
        gas,
        _address(to),
        value,
        _address(beneficiary),
        most,
        _address(refund),
        data,
    ]
    fee = (1400 + 6 * len(data)) * base_fee
    return Ticket(
        id=keccak256(_TYPE + rlp(parts)),
        caller=sender,
        to="0x" + _address(to).hex(),
        value=value,
        data=data,
        refund="0x" + _address(refund).hex(),
        left=paid - fee - value,
    )


def is_wanted(child: Branch, ticket: Ticket) -> bool:
    """Whether somebody has asked for it since it was tried last; raises SetupFailed."""
    (wanted,) = child.puppet.read(RETRYABLES, "wanted(bytes32)", "(bool)", ticket.id)
    return bool(wanted)


def create(child: Branch, ticket: Ticket) -> None:
    """Make it; raises SetupFailed."""
    child.puppet.send(tx(RETRYABLES, "create(bytes32)", ticket.id))


def redeem(child: Branch, ticket: Ticket) -> None:
    """Try it from its sender's alias, and say how it went; raises SetupFailed."""
    call = {"from": ticket.caller, "to": ticket.to, "data": "0x" + ticket.data.hex()}
    try:
        child.puppet.rpc("eth_call", call, "latest")
    except SetupFailed:
        # What fails leaves a transaction without logs.
        _note(child, ticket, Tx(to=child.puppet.account, input="0x", what="failing"), done=False)
        return
    caller = child.puppet.beside(ticket.caller)
    wanted = Tx(to=ticket.to, input=call["data"], value=ticket.value, what="redeeming")
    _note(child, ticket, wanted, done=True, sender=caller)


def _note(
    child: Branch, ticket: Ticket, tried: Tx, *, done: bool, sender: Puppet | None = None
) -> None:
    (receipt,) = (sender or child.puppet).send(tried)
    by = bytes.fromhex(receipt["transactionHash"][2:])
    child.puppet.send(tx(RETRYABLES, "note(bytes32,bytes32,bool)", ticket.id, by, done))


def _address(word: int) -> bytes:
    return word.to_bytes(20, "big")
