"""The OP stack's bridge in bytes: what we call, what its contracts note, and how they hash it.

Functions, events and their meaning are those of @eth-optimism/contracts-bedrock 0.17.3
(StandardBridge.sol, CrossDomainMessenger.sol, OptimismPortal2.sol, L2ToL1MessagePasser.sol) and of
the Optimism specs. Of both bridges one function is called, because its bytes name the recipient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.bridges._op_ways import Side, Way
from agent.core.layout import Layout, Place
from agent.core.log import Log
from agent.core.money import NATIVE, Address
from agent.wire.abi import Function, decode, encode, functions
from agent.wire.calldata import by_selector
from agent.wire.events import events
from agent.wire.keccak import keccak256

MIN_GAS = 80_000
"""Gas that the far bridge has for paying out: 40 000 were measured, and an account that is new
there takes 25 000 more. What is promised beyond that is burned or reserved on Ethereum."""

_EVERY_BIT = 2**32 - 1
_VERSION_BIT = 240
"""Above it a message's nonce has the version of its encoding (Encoding.sol)."""

_WITHDRAWAL = "(uint256,address,address,uint256,uint256,bytes)"
_ROOT_PROOF = "(bytes32,bytes32,bytes32,bytes32)"


def _named(abi: str) -> Mapping[str, Function]:
    return {each.name: each for each in functions(f"canonical_op_{abi}").values()}


BRIDGE, MESSENGER, PORTAL = _named("bridge"), _named("messenger"), _named("portal")
GAMES, GAME = _named("games"), _named("game")

INITIATED = events("canonical_op_bridge")["ETHBridgeInitiated"]
FINALIZED = events("canonical_op_bridge")["ETHBridgeFinalized"]
SENT = events("canonical_op_messenger")["SentMessage"]
SENT_VALUE = events("canonical_op_messenger")["SentMessageExtension1"]
RELAYED = events("canonical_op_messenger")["RelayedMessage"]
PASSED = events("canonical_op_passer")["MessagePassed"]

_FINALIZE_ETH = BRIDGE["finalizeBridgeETH"]
_RELAY = MESSENGER["relayMessage"]

_PAYS = Layout(signature=_FINALIZE_ETH.signature, recipient=(1,))
_RELAYS = Layout(signature=_RELAY.signature, inner=(5,), passes=(2,))
_PROVES = Layout(
    signature=f"proveWithdrawalTransaction({_WITHDRAWAL},uint256,{_ROOT_PROOF},bytes[])",
    inner=(0, 5),
    passes=(0, 2),
)
_FINALIZES = Layout(
    signature=f"finalizeWithdrawalTransaction({_WITHDRAWAL})", inner=(0, 5), passes=(0, 2)
)
_FINALIZES_BY_OTHERS = Layout(
    signature=f"finalizeWithdrawalTransactionExternalProof({_WITHDRAWAL},address)",
    inner=(0, 5),
    passes=(0, 2),
)


def layouts(ways: Iterable[Way]) -> Mapping[str, Layout]:
    """Field maps of all that is called, deposits and withdrawals over *ways* and their claims.

    A claim carries the whole message whose money it brings: whom it pays is read from there.
    """
    places = {}
    for way in ways:
        for near, far in ((way.parent, way.rollup), (way.rollup, way.parent)):
            place = Place(to_chain=far.chain, buys={(far.chain, NATIVE): NATIVE})
            places[near.chain, near.bridge] = place
    bridges = Layout(
        signature=BRIDGE["bridgeETHTo"].signature,
        recipient=(0,),
        paid=True,
        one_to_one=True,
        lasting=True,
        # With more gas than a block has, nobody could ever deliver it.
        masks=(((1,), _EVERY_BIT, MIN_GAS),),
        zeros=((2,),),
        places=places,
    )
    return by_selector(bridges, _PROVES, _FINALIZES, _FINALIZES_BY_OTHERS, _RELAYS, _PAYS)


def bridge_data(account: Address) -> str:
    """Calldata that sends the value that goes along to *account* on the far chain."""
    return BRIDGE["bridgeETHTo"].encode(account, MIN_GAS, b"")


@dataclass(frozen=True)
class Message:
    """What one bridge tells the other: pay *amount* (wei) out to *to*; `log` is where it says so.

    `value` is what the messengers pass on with it, `gas` what the far bridge must have.
    """

    nonce: int
    sender: Address
    target: Address
    value: int
    gas: int
    data: bytes
    payer: Address
    to: Address
    amount: int
    log: Log

    @cached_property
    def relay(self) -> str:
        """Calldata by which the far messenger delivers it, at first or once more."""
        return _RELAY.encode(self.nonce, self.sender, self.target, self.value, self.gas, self.data)

    @cached_property
    def hash(self) -> bytes:
        """What the far messenger knows it by: the hash of that calldata."""
        return keccak256(bytes.fromhex(self.relay[2:]))

    @property
    def id(self) -> str:
        """Its number among those of its messenger, for people."""
        return str(self.nonce % 2**_VERSION_BIT)


def messages(logs: Sequence[Log], near: Side, far: Side) -> tuple[Message, ...]:
    """What *near*'s bridge sent to *far*'s in one transaction, in order; raises ``AbiError``."""
    found = []
    said: Mapping[str, Any] | None = None
    for log in logs:
        if log.address != near.messenger:
            continue
        if SENT.is_in(log):
            said, place = SENT.decode(log), log
        elif SENT_VALUE.is_in(log) and said is not None:
            value = SENT_VALUE.decode(log)["value"]
            if (said["sender"], said["target"]) == (near.bridge, far.bridge):
                found += _message(said, value, place)
            said = None
    return tuple(found)


def _message(said: Mapping[str, Any], value: int, log: Log) -> list[Message]:
    """None where tokens are sent: their bytes say something else."""
    data: bytes = said["message"]
    if data[:4].hex() != _FINALIZE_ETH.selector[2:]:
        return []
    payer, to, amount, _ = decode(_FINALIZE_ETH.inputs, data[4:])
    return [
        Message(
            nonce=said["messageNonce"],
            sender=said["sender"],
            target=said["target"],
            value=value,
            gas=said["gasLimit"],
            data=data,
            payer=payer,
            to=to,
            amount=amount,
            log=log,
        )
    ]


@dataclass(frozen=True)
class Withdrawal:
    """A message on its way to Ethereum as the rollup keeps it, and the block that it is in."""

    nonce: int
    sender: Address
    target: Address
    value: int
    gas: int
    data: bytes
    block: int

    @property
    def fields(self) -> tuple[int, Address, Address, int, int, bytes]:
        """The struct that the portal takes."""
        return (self.nonce, self.sender, self.target, self.value, self.gas, self.data)

    @cached_property
    def hash(self) -> bytes:
        """What both chains know it by."""
        return keccak256(encode(_WITHDRAWAL[1:-1].split(","), self.fields))

    @property
    def slot(self) -> str:
        """Where the rollup's passer keeps that it was sent: its first mapping."""
        return "0x" + keccak256(self.hash + bytes(32)).hex()


def withdrawal(logs: Sequence[Log], way: Way, message: Message) -> Withdrawal | None:
    """The withdrawal that carries *message*, by its transaction's logs; raises ``AbiError``."""
    for log in logs:
        if log.address != way.passer or not PASSED.is_in(log):
            continue
        said = PASSED.decode(log)
        found = Withdrawal(
            nonce=said["nonce"],
            sender=said["sender"],
            target=said["target"],
            value=said["value"],
            gas=said["gasLimit"],
            data=said["data"],
            block=log.block_number,
        )
        carries = (found.sender, found.target, found.value, "0x" + found.data.hex())
        ends = (way.rollup.messenger, way.parent.messenger)
        if (
            carries == (*ends, message.value, message.relay)
            and found.hash == said["withdrawalHash"]
        ):
            return found
    return None


def output_root(*, state_root: bytes, storage_root: bytes, block_hash: bytes) -> bytes:
    """What a dispute game states of a block of the rollup, version 0 (Optimism specs, "L2 Output
    Commitment Construction")."""
    return keccak256(bytes(32) + state_root + storage_root + block_hash)
