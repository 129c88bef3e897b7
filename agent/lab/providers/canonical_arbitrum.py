"""Arbitrum's canonical bridge in the local world: its contracts, its sequencer, its validators.

There is no API: everything goes over the chains. The sequencer takes Ethereum's messages in and
posts batches; validators assert the root of what is sent back and confirm it after the period.
Like the relayer they keep nothing in mind between two turns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from agent.lab.abi import answer
from agent.lab.branch import Branch
from agent.lab.providers._arbitrum_contracts import (
    BRIDGE,
    INBOUND,
    INBOX,
    OUTBOX,
    ROLLUP,
    SEQUENCER_INBOX,
    put,
)
from agent.lab.providers._arbitrum_tickets import (
    SUBMIT_RETRYABLE,
    Ticket,
    create,
    is_wanted,
    read_ticket,
    redeem,
)
from agent.lab.puppet import tx
from agent.lab.rollups import ARB_SYS, NODE_INTERFACE
from agent.wire.keccak import keccak256

__all__ = ["Desk", "put"]

Mode = Literal["prompt", "late", "never"]

DELAYS: Final[Mapping[str, int]] = {"prompt": 2, "late": 60}
"""Seconds of Ethereum's time from a message to the batch with it; "never" is for ever."""

ETHER_DEPOSIT: Final = 12
"""The kind of a message: L1MessageType_ethDeposit of nitro-contracts, MessageTypes.sol."""

BATCH: Final = b"\0"
"""What a batch carries: nothing, as compressed bytes."""

_NOBODY: Final = "0x" + "00" * 20


def _topic(event: str) -> str:
    return "0x" + keccak256(event.encode()).hex()


_DELIVERED: Final = _topic(
    "MessageDelivered(uint256,bytes32,address,uint8,address,bytes32,uint256,uint64)"
)
_CONTENT: Final = _topic("InboxMessageDelivered(uint256,bytes)")
_SENT: Final = _topic(
    "L2ToL1Tx(address,address,uint256,uint256,uint256,uint256,uint256,uint256,bytes)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What Ethereum handed over; `made_at` is unix seconds."""

    number: int
    kind: int
    sender: str
    base_fee: int
    made_at: int
    content: bytes

    def ticket(self, chain: int) -> Ticket | None:
        """What it wants to be called on the rollup *chain*, if that is its kind."""
        if self.kind != SUBMIT_RETRYABLE:
            return None
        return read_ticket(chain, self.number, self.sender, self.base_fee, self.content)


class Desk:
    """Takes messages in, posts batches, asserts and confirms; nobody asks it anything."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        kinds = {branch.place.kind: branch for branch in branches.values()}
        self._pair = (kinds.get("ethereum"), kinds.get("arbitrum"))
        self._sequencing: Mode = "prompt"
        self._confirming: Mode = "prompt"
        self._redeeming: Mode = "prompt"
        self._orders: Mapping[str, Callable[..., Any]] = {
            "sequence": self._sequence,
            "confirm": self._confirm,
            "redeem": self._redeem,
            "execute": self._execute,
        }

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
    ) -> tuple[int, Any]:
        """There is nothing to ask."""
        return 404, {"message": f"there is no {path}"}

    def turn(self) -> None:
        """Do what is due on both chains; raises SetupFailed."""
        parent, child = self._pair
        if parent is None or child is None or parent.halted or child.halted:
            return
        self._take_in(parent, child)
        self._assert(parent, child)

    def order(self, name: str, *arguments: Any) -> Any:
        """``sequence MODE``, ``confirm MODE`` and ``redeem MODE`` for those to come, ``execute
        POSITION`` once.

        Modes are prompt, late and never; only sequencing is ever late. Without redeeming a ticket
        waits until somebody asks for it. Executing is what anybody can do with a send that is
        confirmed. Raises KeyError, TypeError, ValueError, SetupFailed.
        """
        return self._orders[name](*arguments)

    def _sequence(self, mode: Mode) -> None:
        self._sequencing = _known(mode)

    def _confirm(self, mode: Mode) -> None:
        self._confirming = _known(mode)

    def _redeem(self, mode: Mode) -> None:
        self._redeeming = _known(mode)

    def _take_in(self, parent: Branch, child: Branch) -> None:
        """Messages in their order up to the first that is not due, then a batch that has them."""
        (taken,) = child.puppet.read(INBOUND, "taken()", "(uint256)")
        delay, now = DELAYS.get(self._sequencing), parent.head().time
        for message in _messages(parent):
            ticket = message.ticket(child.place.chain_id)
            if message.number < taken:
                if ticket is not None and is_wanted(child, ticket):
                    redeem(child, ticket)
                continue
            if delay is None or now < message.made_at + delay:
                break
            self._take(child, message, ticket)
            taken = message.number + 1
        (posted,) = parent.puppet.read(SEQUENCER_INBOX, "totalDelayedMessagesRead()", "(uint256)")
        if taken > posted:
            _post(parent, taken)

    def _take(self, child: Branch, message: _Message, ticket: Ticket | None) -> None:
        to, value = _credit(message) if ticket is None else (ticket.refund, ticket.left)
        child.puppet.send(tx(INBOUND, "take(uint256,address)", message.number, to, value=value))
        if ticket is not None:
            create(child, ticket)
            if self._redeeming == "prompt":
                redeem(child, ticket)

    def _assert(self, parent: Branch, child: Branch) -> None:
        size, root, _ = child.puppet.read(
            ARB_SYS, "sendMerkleTreeState()", "(uint256,bytes32,bytes32[])"
        )
        (newest,) = parent.puppet.read(ROLLUP, "newest()", "(bytes32)")
        if size and root != newest:
            block: Any = child.puppet.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - RPC's
            at = bytes.fromhex(block["hash"][2:])
            parent.puppet.send(tx(ROLLUP, "create(bytes32,bytes32)", root, at))
        if self._confirming == "prompt":
            while parent.puppet.read(ROLLUP, "is_due()", "(bool)") == (True,):
                parent.puppet.send(tx(ROLLUP, "confirm()"))

    def _execute(self, position: int) -> None:
        """Claim a send with the proof for all that is sent: confirmed if no other came since."""
        parent, child = self._pair
        if parent is None or child is None:
            raise ValueError("both chains are needed")
        size, *_ = child.puppet.read(
            ARB_SYS, "sendMerkleTreeState()", "(uint256,bytes32,bytes32[])"
        )
        _, _, proof = child.puppet.read(
            NODE_INTERFACE,
            "constructOutboxProof(uint64,uint64)",
            "(bytes32,bytes32,bytes32[])",
            *(size, position),
        )
        wanted = {"address": ARB_SYS, "fromBlock": "0x0"}
        topics = [_SENT, None, None, f"0x{position:064x}"]
        found: Any = child.puppet.rpc("eth_getLogs", {**wanted, "topics": topics})
        (log,) = found
        to = "0x" + log["topics"][1][-40:]
        caller, l2_block, l1_block, timestamp, value, data = answer(
            "(address,uint256,uint256,uint256,uint256,bytes)", log["data"]
        )
        parent.puppet.send(
            tx(
                OUTBOX,
                "executeTransaction(bytes32[],uint256,address,address,uint256,uint256,uint256,"
                "uint256,bytes)",
                *(proof, position, caller, to, l2_block, l1_block, timestamp, value, data),
            )
        )


def _known(mode: Mode) -> Mode:
    if mode not in get_args(Mode):
        raise ValueError(mode)
    return mode


def _messages(parent: Branch) -> list[_Message]:
    """All messages in their order."""
    wanted = {"fromBlock": "0x0"}
    delivered: Any
    contents: Any
    delivered, contents = parent.puppet.batch(
        [
            ("eth_getLogs", [{**wanted, "address": BRIDGE, "topics": [_DELIVERED]}]),
            ("eth_getLogs", [{**wanted, "address": INBOX, "topics": [_CONTENT]}]),
        ]
    )
    said = {int(log["topics"][1], 16): answer("(bytes)", log["data"])[0] for log in contents}
    return [_message(log, said) for log in delivered]


def _message(log: Any, said: Mapping[int, bytes]) -> _Message:
    number = int(log["topics"][1], 16)
    _, kind, sender, _, base_fee, made_at = answer(
        "(address,uint8,address,bytes32,uint256,uint64)", log["data"]
    )
    return _Message(
        number=number,
        kind=kind,
        sender=sender,
        base_fee=base_fee,
        made_at=made_at,
        content=said.get(number, b""),
    )


def _credit(message: _Message) -> tuple[str, int]:
    """To whom how many wei are credited."""
    if message.kind != ETHER_DEPOSIT:
        return _NOBODY, 0
    return "0x" + message.content[:20].hex(), int.from_bytes(message.content[20:], "big")


def _post(parent: Branch, read: int) -> None:
    """Post a batch after which *read* messages are in; whose numbers count from one on."""
    anything = 2**256 - 1
    parent.puppet.send(
        tx(
            SEQUENCER_INBOX,
            "addSequencerL2Batch(uint256,bytes,uint256,address,uint256,uint256)",
            *(anything, BATCH, read, _NOBODY, 0, 0),
        )
    )
