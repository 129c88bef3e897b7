"""LayerZero's packets and Stargate's messages in them: one transfer as its own logs tell it.

Layouts: a packet is version 1, nonce (8 bytes), endpoint id, sender, endpoint id, receiver, guid
and message (@layerzerolabs/lz-evm-protocol-v2 3.0.168, PacketV1Codec); a message by taxi is type 1,
asset (2 bytes), receiver (32) and amount in shared decimals (8) (@stargatefinance/stg-evm-v2 2.0.6,
TaxiCodec).
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.bridges._stargate_chains import EXECUTE, RETRY, StargateChain
from agent.core.log import Log
from agent.core.money import Address, ChainId
from agent.wire.abi import AbiError, functions
from agent.wire.events import events
from agent.wire.keccak import keccak256

SENT, RECEIVED = (events("stargate_pool")[name] for name in ("OFTSent", "OFTReceived"))
PACKET = events("stargate_endpoint")["PacketSent"]

_ENDPOINT = functions("stargate_endpoint")
_EXECUTE = _ENDPOINT[EXECUTE.signature]
_VERIFY = _ENDPOINT["verify((uint32,bytes32,uint64),address,bytes32)"]
_RETRY = functions("stargate_pool")[RETRY.signature]

_HEADER_BYTES, _GUID_BYTES, _MESSAGE_BYTES = 81, 32, 43
_VERSION, _TAXI = 1, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A message with its path; addresses are 32 bytes, since other chains have such."""

    nonce: int
    source: int
    sender: bytes
    destination: int
    receiver: bytes
    guid: bytes
    message: bytes

    @property
    def origin(self) -> tuple[int, bytes, int]:
        """The struct Origin."""
        return (self.source, self.sender, self.nonce)

    @property
    def payload_hash(self) -> bytes:
        """What the far endpoint keeps once the message is verified, until it is executed."""
        return keccak256(self.guid + self.message)


def read_packet(log: Log) -> Packet:
    """The packet of a `PacketSent` log; raises ``AbiError``."""
    encoded: bytes = PACKET.decode(log)["encodedPayload"]
    if not (len(encoded) >= _HEADER_BYTES + _GUID_BYTES and encoded[0] == _VERSION):
        raise AbiError("a packet of another version")
    return Packet(
        nonce=int.from_bytes(encoded[1:9], "big"),
        source=int.from_bytes(encoded[9:13], "big"),
        sender=encoded[13:45],
        destination=int.from_bytes(encoded[45:49], "big"),
        receiver=encoded[49:81],
        guid=encoded[81:113],
        message=encoded[113:],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transfer as the near pool's log tells it, in base units of what was sold."""

    guid: bytes
    destination: int
    account: Address
    raw: int
    log: Log


def read_sent(log: Log) -> Sent:
    """The transfer of an `OFTSent` log; raises ``AbiError``."""
    said = SENT.decode(log)
    return Sent(
        guid=said["guid"],
        destination=said["dstEid"],
        account=Address(said["fromAddress"]),
        raw=said["amountSentLD"],
        log=log,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One transfer and the message that pays it out, `shared` in shared decimals to `account`."""

    origin: ChainId
    asset: str
    sent: Sent
    packet: Packet
    account: Address
    shared: int

    @property
    def id(self) -> str:
        """The message's number, as explorers show it."""
        return "0x" + self.packet.guid.hex()

    def execute_data(self) -> str:
        """Calldata for the far endpoint, from anybody: executes the message once it is verified."""
        packet = self.packet
        receiver = "0x" + packet.receiver[12:].hex()
        return _EXECUTE.encode(packet.origin, receiver, packet.guid, packet.message, b"")

    def verify_data(self, nonce: int, payload_hash: bytes) -> str:
        """Calldata for the far endpoint, from the library that it believes alone."""
        packet = self.packet
        receiver = "0x" + packet.receiver[12:].hex()
        return _VERIFY.encode((packet.source, packet.sender, nonce), receiver, payload_hash)

    def retry_data(self, raw: int) -> str:
        """Calldata for the far pool, from anybody: pays out what it could not pay at first."""
        return _RETRY.encode(self.packet.guid, 0, self.packet.source, self.account, raw, b"")

    def kept_hash(self, raw: int) -> bytes:
        """What the far pool keeps of a transfer that it could not pay out."""
        place = self.packet.source.to_bytes(4, "big") + bytes.fromhex(self.account[2:])
        return keccak256(place + raw.to_bytes(32, "big"))


def passage(origin: StargateChain, asset: str, sent: Sent, packet: Packet) -> Passage | None:
    """A transfer with its message; None unless it is a plain one, with nothing else in it."""
    message, there = packet.message, (packet.source, packet.destination)
    by_taxi = len(message) == _MESSAGE_BYTES and message[0] == _TAXI
    if not by_taxi or there != (origin.eid, sent.destination) or any(message[3:15]):
        return None
    return Passage(
        origin=origin.chain,
        asset=asset,
        sent=sent,
        packet=packet,
        account=Address("0x" + message[15:35].hex()),
        shared=int.from_bytes(message[35:43], "big"),
    )
