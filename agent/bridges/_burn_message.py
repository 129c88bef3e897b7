"""CCTP's contracts in bytes: the burn that we send, its message, the claim, and their logs.

Functions, events and layouts are those of Circle's CCTP v2.1 (github.com/circlefin/
evm-cctp-contracts, docs/abis/cctp; developers.circle.com, "Message format"). A message leaves
without a nonce: the attester gives it one, and with it says how final the burn was, what fee was
taken, and until when its signature holds. All else in it is ours and must come back as it went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.layout import Layout, Place
from agent.core.log import Log
from agent.core.money import Address, ChainId
from agent.wire.abi import functions
from agent.wire.calldata import by_selector
from agent.wire.events import events
from agent.wire.words import AbiError

MESSENGER, TRANSMITTER, MINTER = (
    "cctp_token_messenger",
    "cctp_message_transmitter",
    "cctp_token_minter",
)
"""Names of the interfaces."""

FAST, STANDARD = 1_000, 2_000
"""Finality that a burn asks for: confirmed, or finalised (FinalityThresholds.sol)."""

_DEPOSIT_SIGNATURE = "depositForBurn(uint256,uint32,bytes32,address,bytes32,uint256,uint32)"
_CLAIM_SIGNATURE = "receiveMessage(bytes,bytes)"

_MESSAGE = (
    *("uint32", "uint32", "uint32", "bytes32", "bytes32", "bytes32", "bytes32", "uint32", "uint32"),
    *("uint32", "bytes32", "bytes32", "uint256", "bytes32", "uint256", "uint256", "uint256"),
)
"""The message's own fields, then those of the burn message in it; hook bytes would follow."""

_DESTINATION, _CALLER, _RECIPIENT, _AMOUNT, _HOOK = 2, 6, 11, 12, len(_MESSAGE)
"""Places of some of them."""

_FIELDS = functions(MESSENGER), functions(TRANSMITTER), functions(MINTER)
DEPOSIT = _FIELDS[0][_DEPOSIT_SIGNATURE]
LEAST_FEE = _FIELDS[0]["getMinFeeAmount(uint256)"]
LOCAL_MINTER = _FIELDS[0]["localMinter()"]
REMOTE = _FIELDS[0]["remoteTokenMessengers(uint32)"]
CLAIM = _FIELDS[1][_CLAIM_SIGNATURE]
PAUSED = _FIELDS[1]["paused()"]
USED = _FIELDS[1]["usedNonces(bytes32)"]
ATTESTER_CHIEF = _FIELDS[1]["attesterManager()"]
ENABLE_ATTESTER = _FIELDS[1]["enableAttester(address)"]
THRESHOLD = _FIELDS[1]["signatureThreshold()"]
SET_THRESHOLD = _FIELDS[1]["setSignatureThreshold(uint256)"]
BURN_LIMIT = _FIELDS[2]["burnLimitsPerMessage(address)"]
LOCAL_TOKEN = _FIELDS[2]["getLocalToken(uint32,bytes32)"]

BURNT = events(MESSENGER)["DepositForBurn"]
MINTED = events(MESSENGER)["MintAndWithdraw"]
SENT = events(TRANSMITTER)["MessageSent"]
RECEIVED = events(TRANSMITTER)["MessageReceived"]

_BODY_START, _HOOK_START = 148, 228
_FILLED_IN = ((12, 44), (144, 148), (_BODY_START + 164, _BODY_START + 228))
"""What the attester fills in: nonce, executed finality, fee, and the block of its expiry."""


def layouts(
    numbers: Mapping[int, ChainId], places: Mapping[tuple[ChainId, Address], Place]
) -> Mapping[str, Layout]:
    """The two functions that we call, between the chains of those *numbers*."""
    return by_selector(
        Layout(
            signature=_DEPOSIT_SIGNATURE,
            amount_in=(0,),
            to_chain=(1,),
            recipient=(2,),
            sell=(3,),
            # Anybody may finish it, so that nobody alone can hold it up.
            zeros=((4,),),
            fee_in=(5,),
            lasting=True,
            numbers=numbers,
            places=places,
        ),
        Layout(
            signature=_CLAIM_SIGNATURE,
            packed=(((0,), _MESSAGE),),
            to_chain=(0, _DESTINATION),
            recipient=(0, _RECIPIENT),
            amount_in=(0, _AMOUNT),
            # It goes to our wallet and calls nobody.
            zeros=((0, _CALLER), (0, _HOOK)),
            numbers=numbers,
        ),
    )


@dataclass(frozen=True, slots=True)
class BurnMessage:
    """One message about a burn, as bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse what is too short to be one."""
        if len(self.raw) < _BODY_START + _HOOK_START:
            raise AbiError(f"{len(self.raw)} bytes are too few for a message about a burn")

    @property
    def bare(self) -> bytes:
        """The message without what the attester fills in: as it left."""
        raw = bytearray(self.raw)
        for start, end in _FILLED_IN:
            raw[start:end] = bytes(end - start)
        return bytes(raw)

    def filled_in(self, *, nonce: bytes, finality: int, fee: int) -> bytes:
        """The message as an attester would sign it, for ever."""
        raw = bytearray(self.bare)
        raw[12:44], raw[144:148] = nonce, finality.to_bytes(4)
        raw[_BODY_START + 164 : _BODY_START + 196] = fee.to_bytes(32)
        return bytes(raw)

    @property
    def nonce(self) -> bytes:
        """Its number, zero in what left."""
        return self.raw[12:44]

    @property
    def source(self) -> int:
        """The domain that it left."""
        return int.from_bytes(self.raw[4:8])

    @property
    def destination(self) -> int:
        """The domain that it goes to."""
        return int.from_bytes(self.raw[8:12])

    @property
    def wants_fast(self) -> bool:
        """Whether it asks for an attestation before finality."""
        return int.from_bytes(self.raw[140:144]) <= FAST

    @property
    def body(self) -> bytes:
        """The burn message in it."""
        return self.raw[_BODY_START:]

    @property
    def mint_recipient(self) -> bytes:
        """Whom the far chain pays, 32 bytes."""
        return self._word(36)

    @property
    def amount(self) -> int:
        """Base units burnt."""
        return int.from_bytes(self._word(68))

    @property
    def max_fee(self) -> int:
        """The most base units that may be kept."""
        return int.from_bytes(self._word(132))

    @property
    def fee(self) -> int:
        """Base units that are kept, as the attester says."""
        return int.from_bytes(self._word(164))

    @property
    def expires(self) -> int:
        """The far chain's block from which its attestation is worth nothing; 0 for never."""
        return int.from_bytes(self._word(196))

    def _word(self, start: int) -> bytes:
        return self.body[start : start + 32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A burn of ours: its message as it left, and the log that tells of it.

    `to_chain` is None for a domain that is not known here.
    """

    origin: ChainId
    to_chain: ChainId | None
    token: Address
    message: BurnMessage
    log: Log

    @property
    def amount(self) -> int:
        """Base units burnt."""
        return self.message.amount

    @property
    def least(self) -> int:
        """Base units that arrive at least."""
        return self.message.amount - self.message.max_fee


def deposit_data(
    *,
    amount: int,
    domain: int,
    account: Address,
    token: Address,
    max_fee: int,
    finality: int,
) -> str:
    """Calldata that burns for *account* on the chain of *domain*, where anybody may finish it."""
    return DEPOSIT.encode(amount, domain, word(account), token, bytes(32), max_fee, finality)


def word(address: Address) -> bytes:
    """An address as the messages write it: 32 bytes, the first twelve empty."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def address_in(padded: bytes) -> Address | None:
    """The address in 32 bytes; None for one of a chain whose addresses are longer."""
    return None if any(padded[:12]) else Address("0x" + padded[12:].hex())
