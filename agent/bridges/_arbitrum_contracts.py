"""Arbitrum's canonical bridge as its contracts speak: our calls, what they note, both sides.

Functions, events and their meaning are those of @arbitrum/nitro-contracts 3.2.0 (Inbox.sol,
Bridge.sol, Outbox.sol) and of the precompile ArbSys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from agent.core.layout import Layout, Place
from agent.core.log import Log
from agent.core.money import NATIVE, Address, ChainId
from agent.errors import BadReply
from agent.ports import BlockTag, Node, Read
from agent.provider import ProviderChain
from agent.wire.abi import AbiError, Function, functions
from agent.wire.calldata import by_selector
from agent.wire.events import events
from agent.wire.keccak import keccak256
from agent.wire.rlp import Item, rlp

P = ParamSpec("P")
T = TypeVar("T")

_BRIDGE, _ARB_SYS = functions("arbitrum_bridge"), functions("arbitrum_arb_sys")
_INBOX, _OUTBOX = functions("arbitrum_inbox"), functions("arbitrum_outbox")

DEPOSIT, PAUSED = _INBOX["depositEth()"], _INBOX["paused()"]
WITHDRAW = _ARB_SYS["withdrawEth(address)"]
EXECUTE = _OUTBOX[
    "executeTransaction(bytes32[],uint256,address,address,uint256,uint256,uint256,uint256,bytes)"
]
IS_SPENT, ROOTS = _OUTBOX["isSpent(uint256)"], _OUTBOX["roots(bytes32)"]
ALLOWED_INBOX = _BRIDGE["allowedDelayedInboxes(address)"]
ALLOWED_OUTBOX = _BRIDGE["allowedOutboxes(address)"]
ROLLUP, SEQUENCER_INBOX = _BRIDGE["rollup()"], _BRIDGE["sequencerInbox()"]
MESSAGES_READ = functions("arbitrum_sequencer_inbox")["totalDelayedMessagesRead()"]
CONFIRM_PERIOD = functions("arbitrum_rollup")["confirmPeriodBlocks()"]
PROOF = functions("arbitrum_node_interface")["constructOutboxProof(uint64,uint64)"]

DELIVERED = events("arbitrum_bridge")["MessageDelivered"]
CONTENT = events("arbitrum_inbox")["InboxMessageDelivered"]
SENT = events("arbitrum_arb_sys")["L2ToL1Tx"]
EXECUTED = events("arbitrum_outbox")["OutBoxTransactionExecuted"]

ETHER_DEPOSIT = 12
"""The kind of a message that only credits ether: L1MessageType_ethDeposit, MessageTypes.sol."""

_ALIAS_OFFSET = 0x1111000000000000000000000000000000001111
"""What is added to a sender's address on its way: AddressAliasHelper.sol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A rollup and the chain that it settles on."""

    parent: ProviderChain
    child: ProviderChain

    @property
    def inbox(self) -> Address:
        """Takes deposits."""
        return self.parent.address("inbox")

    @property
    def bridge(self) -> Address:
        """Holds the money, and counts the messages."""
        return self.parent.address("bridge")

    @property
    def outbox(self) -> Address:
        """Pays withdrawals out."""
        return self.parent.address("outbox")

    @property
    def arb_sys(self) -> Address:
        """Takes withdrawals."""
        return self.child.address("arb_sys")

    @property
    def node_interface(self) -> Address:
        """Nodes of the rollup answer for it themselves; no contract can call it."""
        return self.child.address("node_interface")


def pairs(chains: Mapping[ChainId, ProviderChain]) -> Iterator[Pair]:
    """The rollups of *chains* whose parent is among them and names them as its own."""
    for child in chains.values():
        parent = chains.get(ChainId(child.number("parent"))) if "parent" in child.facts else None
        if parent is not None and parent.facts.get("child") == child.chain:
            yield Pair(parent=parent, child=child)


def layouts(known: Sequence[Pair]) -> Mapping[str, Layout]:
    """Field maps of the deposit, which credits its sender, the withdrawal and the claim."""
    inboxes = {(p.parent.chain, p.inbox): _coin_to(p.child.chain) for p in known}
    precompiles = {(p.child.chain, p.arb_sys): _coin_to(p.parent.chain) for p in known}
    return by_selector(
        Layout(
            signature=DEPOSIT.signature,
            wallet_only=True,
            paid=True,
            one_to_one=True,
            lasting=True,
            places=inboxes,
        ),
        Layout(
            signature=WITHDRAW.signature,
            recipient=(0,),
            paid=True,
            one_to_one=True,
            lasting=True,
            places=precompiles,
        ),
        # Nothing is called when ether is paid out.
        Layout(signature=EXECUTE.signature, recipient=(3,), zeros=((8,),)),
    )


def _coin_to(chain: ChainId) -> Place:
    return Place(to_chain=chain, buys={(chain, NATIVE): NATIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A deposit of ether on its way to the rollup; `value` is wei."""

    number: int
    to: Address
    value: int
    log: Log

    def credited_by(self, chain: ChainId) -> str:
        """The hash of the transaction of the rollup *chain* that credits it, and nothing else.

        Type 0x64 of OffchainLabs/go-ethereum, core/types/arb_types.go.
        """
        sender = bytes.fromhex(alias(self.to)[2:])
        number, to = self.number.to_bytes(32, "big"), bytes.fromhex(self.to[2:])
        fields: list[Item] = [chain, number, sender, to, self.value]
        return "0x" + keccak256(b"\x64" + rlp(fields)).hex()


def read_message(delivered: Log, logs: Sequence[Log], inbox: Address) -> Message | str | None:
    """The deposit that the bridge's log and the inbox's, one of *logs*, tell of together.

    None for a message of another kind, a sentence for one that goes to another account than its
    sender's; raises ``AbiError``.
    """
    said = DELIVERED.decode(delivered)
    if (said["kind"], said["inbox"]) != (ETHER_DEPOSIT, inbox):
        return None
    number = said["messageIndex"]
    for log in logs:
        if log.address != inbox or not CONTENT.is_in(log):
            continue
        told = CONTENT.decode(log)
        if told["messageNum"] == number and keccak256(told["data"]) == said["messageDataHash"]:
            break
    else:
        raise AbiError(f"message {number} without its content")
    content: bytes = told["data"]
    to = Address("0x" + content[:20].hex())
    if alias(to) != said["sender"]:
        return f"message {number} credits {to}, which is not its sender"
    return Message(number=number, to=to, value=int.from_bytes(content[20:], "big"), log=delivered)


def alias(account: Address) -> Address:
    """How a sender is called in the bridge's log.

    >>> alias(Address("0x" + "00" * 20))
    '0x1111000000000000000000000000000000001111'
    """
    return Address(f"0x{(int(account, 16) + _ALIAS_OFFSET) % 2**160:040x}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """What was sent to the parent chain; `item` is its hash, `value` wei, `timestamp` unix seconds.

    It is leaf number `position` of the tree of all that was ever sent.
    """

    position: int
    item: bytes
    caller: Address
    to: Address
    block: int
    parent_block: int
    timestamp: int
    value: int
    data: bytes
    log: Log

    def claim(self, proof: Sequence[bytes]) -> str:
        """Calldata by which anybody lets the outbox pay it out."""
        return EXECUTE.encode(proof, self.position, *self._fields)

    @property
    def _fields(self) -> tuple[Any, ...]:
        return (
            self.caller,
            self.to,
            self.block,
            self.parent_block,
            self.timestamp,
            self.value,
            self.data,
        )


def read_send(log: Log) -> Send:
    """What a log of ArbSys says was sent; raises ``AbiError`` when its hash says otherwise."""
    said = SENT.decode(log)
    found = Send(
        position=said["position"],
        item=int(said["hash"]).to_bytes(32, "big"),
        caller=said["caller"],
        to=said["destination"],
        block=said["arbBlockNum"],
        parent_block=said["ethBlockNum"],
        timestamp=said["timestamp"],
        value=said["callvalue"],
        data=said["data"],
        log=log,
    )
    if found.item != _item_hash(found):
        raise AbiError(f"send {found.position} is not what its hash says")
    return found


def _item_hash(send: Send) -> bytes:
    """As `calculateItemHash` of the outbox: packed, so every field but the last has its size."""
    addresses = bytes.fromhex(send.caller[2:] + send.to[2:])
    numbers = (send.block, send.parent_block, send.timestamp, send.value)
    return keccak256(addresses + b"".join(n.to_bytes(32, "big") for n in numbers) + send.data)


def ask(
    node: Node, to: Address, *asked: tuple[Function, tuple[Any, ...]], at: BlockTag = "latest"
) -> list[Any]:
    """The first value of each answer of one contract; raises Unavailable."""
    answers = node.read([Read(to, function.encode(*told)) for function, told in asked], at)
    found = []
    for (function, _), answer in zip(asked, answers, strict=True):
        if answer is None:
            raise BadReply(
                f"{to} on chain {node.chain} does not answer {function.name}",
                fix="check the addresses of Arbitrum's bridge in chains.toml",
            )
        found.append(understood(function.decode, answer)[0])
    return found


def understood(decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What *decode* reads; raises BadReply when it cannot be read."""
    try:
        return decode(*args, **kwargs)
    except AbiError as fault:
        raise BadReply(
            f"what Arbitrum's bridge says cannot be read: {fault}",
            fix="check its addresses in chains.toml, and whether its contracts are newer ones",
        ) from None
