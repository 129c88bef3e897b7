"""LayerZero packets on local chains: found in the logs, with the calls that deliver them.

Source: @layerzerolabs/lz-evm-protocol-v2 3.0.168, ILayerZeroEndpointV2 and PacketV1Codec (the
layout of a packet: version, nonce, path, guid, message).
"""

from dataclasses import dataclass
from typing import Any, Final

from agent.lab.abi import answer, call_bytes
from agent.lab.providers._stargate_places import ENDPOINT
from agent.lab.puppet import Tx, tx
from agent.wire.keccak import keccak256

PACKET_SENT: Final = "0x" + keccak256(b"PacketSent(bytes,bytes,address)").hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One message on its way; ``sent_at`` is its block's time in unix seconds."""

    nonce: int
    source: int
    sender: bytes
    destination: int
    receiver: str
    guid: bytes
    message: bytes
    sent_at: int
    encoded: bytes

    @property
    def origin(self) -> tuple[int, bytes, int]:
        """The struct Origin."""
        return (self.source, self.sender, self.nonce)

    def verify(self, library: str) -> Tx:
        """The call by which those who verify let a library of the far chain know it."""
        return tx(library, "validatePacket(bytes)", self.encoded)

    def execute(self) -> Tx:
        """The executor's call on the far chain, which anybody may make."""
        return tx(
            ENDPOINT,
            "lzReceive((uint32,bytes32,uint64),address,bytes32,bytes,bytes)",
            *(self.origin, self.receiver, self.guid, self.message, b""),
        )

    def waiting_call(self) -> str:
        """Calldata that asks the far endpoint for the hash of what is verified and waits."""
        path = (self.receiver, self.source, self.sender, self.nonce)
        return call_bytes("inboundPayloadHash(address,uint32,bytes32,uint64)", *path)

    def done_call(self) -> str:
        """Calldata that asks the far endpoint up to which number messages are executed."""
        path = (self.receiver, self.source, self.sender)
        return call_bytes("lazyInboundNonce(address,uint32,bytes32)", *path)


def read_packet(log: dict[str, Any]) -> Packet:
    """The packet in a log of `PACKET_SENT`."""
    encoded, _, _ = answer("(bytes,bytes,address)", log["data"])
    return Packet(
        nonce=int.from_bytes(encoded[1:9], "big"),
        source=int.from_bytes(encoded[9:13], "big"),
        sender=encoded[13:45],
        destination=int.from_bytes(encoded[45:49], "big"),
        receiver="0x" + encoded[61:81].hex(),
        guid=encoded[81:113],
        message=encoded[113:],
        sent_at=int(log["blockTimestamp"], 16),
        encoded=encoded,
    )
