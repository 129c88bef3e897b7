"""A delivery on a fork: verifiers are played there, everything after them is the real thing."""

from __future__ import annotations

from typing import Any

from agent.bridges._stargate_chains import StargateChain
from agent.bridges._stargate_messages import Passage
from agent.bridges._stargate_offers import read
from agent.core.money import Address, Amount
from agent.core.quote import Call
from agent.ports import Delivery, Node, Read
from agent.wire.abi import Function, functions

_ENDPOINT = functions("stargate_endpoint")
_LIBRARY = _ENDPOINT["getReceiveLibrary(address,uint32)"]
_DONE = _ENDPOINT["lazyInboundNonce(address,uint32,bytes32)"]
_PAYLOAD = _ENDPOINT["inboundPayloadHash(address,uint32,bytes32,uint64)"]

_OTHER = b"\x01" * 32
"""Stands for the hash of an earlier message that the fork's copy of the far chain has not got: it
must be there before the next one is executed, and nobody executes it."""


def rehearsed(made: Passage, far: StargateChain, node: Node) -> Delivery:
    """What verifies its message, from the library that may, and then executes it.

    Messages of others that left before it and were not verified when the fork was made are verified
    too, since an endpoint executes no message before those. Raises Unavailable.
    """
    packet = made.packet
    path = (far.messaging, packet.source, packet.sender)
    library, _ = _ask(node, far, _LIBRARY, far.messaging, packet.source)
    (done,) = _ask(node, far, _DONE, *path)
    nonces = range(done + 1, packet.nonce)
    asked = [Read(far.endpoint, _PAYLOAD.encode(*path, each)) for each in nonces]
    earlier = node.read(asked) if asked else ()
    missing = [each for each, hash_ in zip(nonces, earlier, strict=True) if not any(hash_ or b"")]
    verified = [*((each, _OTHER) for each in missing), (packet.nonce, packet.payload_hash)]

    def call(data: str) -> Call:
        return Call(far.chain, far.endpoint, 0, data)

    return Delivery(
        played=tuple((Address(library), call(made.verify_data(*each))) for each in verified),
        calls=(call(made.execute_data()),),
        needs=Amount(far.tokens[made.asset], 0),
    )


def _ask(node: Node, far: StargateChain, function: Function, *values: Any) -> tuple[Any, ...]:
    (answer,) = node.read([Read(far.endpoint, function.encode(*values))])
    found: tuple[Any, ...] = read(function.decode, answer or b"")
    return found
