"""Many read-only calls in one: through Multicall3 where the chain has it, in a batch elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agent.chain.faults import is_limit
from agent.chain.replies import bad_reply, header, payload, value
from agent.core.money import Address
from agent.ports import Read
from agent.wire.rpc import JSON, RpcError

AGGREGATE3 = bytes.fromhex("82ad56cb")
"""Selector of aggregate3((address,bool,bytes)[]). Source: Multicall3, github.com/mds1/multicall."""

CALLS_AT_ONCE = 400
"""Calls in one aggregate: 460 balances were the most that public nodes took without running out
of gas (rotki, chain/evm/tokens.py)."""

QUESTIONS_AT_ONCE = 100
"""Calls in one JSON-RPC batch; several providers refuse more."""

_WORD = 32
_NOBODY = Address("0x" + "00" * 20)


class Asks(Protocol):
    """What is needed of an endpoint."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        """Ask several questions in one HTTP request."""


Reads = Callable[[Asks, Sequence[Read], str], list[bytes | None]]
"""Performs calls at one block (tag or hex number): answers in order, None for a failed call."""


def aggregating(multicall3: Address, *, at_once: int = CALLS_AT_ONCE) -> Reads:
    """Return a way to read through the Multicall3 at that address.

    One request, unless there are more than *at_once* calls or the node refuses them together:
    then the block is pinned first, and refused parts are halved. A single call is made as such:
    no contract can call what a node answers for by itself, as Arbitrum's NodeInterface.
    """

    def reads(rpc: Asks, calls: Sequence[Read], at: str) -> list[bytes | None]:
        if len(calls) == 1:
            return one_by_one(rpc, calls, at)
        answers: list[bytes | None] = [None] * len(calls)
        parts = _parts(range(len(calls)), at_once)
        while parts:
            if len(parts) > 1:
                at = pinned(rpc, at)
            replies = rpc.batch([_aggregate(multicall3, calls, part, at) for part in parts])
            refused: list[range] = []
            for part, reply in zip(parts, replies, strict=True):
                if not isinstance(reply, RpcError):
                    found = decode_aggregate(payload(reply), len(part))
                    answers[part.start : part.stop] = found
                elif len(part) == 1 or is_limit(reply):
                    raise reply
                else:
                    refused += _parts(part, -(-len(part) // 2))
            parts = refused
        return answers

    return reads


def one_by_one(rpc: Asks, calls: Sequence[Read], at: str) -> list[bytes | None]:
    """Read by one ``eth_call`` each, up to a hundred in one request, all at one block.

    A balance asked beside them tells a failed call from a node that cannot answer for that block:
    error codes and texts differ from node to node. Raises ``RpcError`` in the second case.
    """
    parts = _parts(range(len(calls)), QUESTIONS_AT_ONCE)
    if len(parts) > 1:
        at = pinned(rpc, at)
    answers: list[bytes | None] = []
    for part in parts:
        questions = [("eth_call", [{"to": calls[i].to, "data": calls[i].data}, at]) for i in part]
        witness, *replies = rpc.batch([("eth_getBalance", [_NOBODY, at]), *questions])
        value(witness)
        for reply in replies:
            if isinstance(reply, RpcError) and is_limit(reply):
                raise reply
            answers.append(None if isinstance(reply, RpcError) else payload(reply))
    return answers


def pinned(rpc: Asks, at: str) -> str:
    """Return the number of the block that *at* names now, as hex."""
    if at.startswith("0x"):
        return at
    (answer,) = rpc.batch([("eth_getBlockByNumber", [at, False])])
    return hex(header(value(answer)).number)


def encode_aggregate(calls: Sequence[Read]) -> str:
    """Return the calldata of aggregate3 with every call allowed to fail, as ``0x`` hex.

    By hand: the general encoder takes 0.3 s to import and milliseconds for hundreds of calls.
    Layout: "Formal Specification of the Encoding", Solidity ABI specification.
    """
    places: list[bytes] = []
    bodies: list[bytes] = []
    place = _WORD * len(calls)
    for call in calls:
        target, inner = bytes.fromhex(call.to[2:]), bytes.fromhex(call.data[2:])
        head = target.rjust(_WORD, b"\0") + _word(1) + _word(3 * _WORD) + _word(len(inner))
        body = head + inner + bytes(-len(inner) % _WORD)
        places.append(_word(place))
        bodies.append(body)
        place += len(body)
    return "0x" + b"".join([AGGREGATE3, _word(_WORD), _word(len(calls)), *places, *bodies]).hex()


def decode_aggregate(raw: bytes, count: int) -> list[bytes | None]:
    """Read the answer of aggregate3, ``(bool,bytes)[]``; raises ``BadReply``."""
    start = _number(raw, 0) + _WORD
    if _number(raw, start - _WORD) != count:
        raise bad_reply("a multicall of another length")
    answers: list[bytes | None] = []
    for i in range(count):
        at = start + _number(raw, start + i * _WORD)
        success, inner = _number(raw, at), at + _number(raw, at + _WORD)
        size = _number(raw, inner)
        answer = raw[inner + _WORD : inner + _WORD + size]
        if not (success <= 1 and len(answer) == size):
            raise bad_reply("a malformed multicall")
        answers.append(answer if success else None)
    return answers


def _aggregate(
    multicall3: Address, calls: Sequence[Read], part: range, at: str
) -> tuple[str, list[Any]]:
    encoded = encode_aggregate(calls[part.start : part.stop])
    return "eth_call", [{"to": multicall3, "data": encoded}, at]


def _parts(whole: range, at_most: int) -> list[range]:
    return [whole[i : i + at_most] for i in range(0, len(whole), at_most)]


def _word(number: int) -> bytes:
    return number.to_bytes(_WORD, "big")


def _number(raw: bytes, place: int) -> int:
    word = raw[place : place + _WORD]
    if len(word) != _WORD:
        raise bad_reply("a multicall that ends too early")
    return int.from_bytes(word, "big")
