"""Reads the values of JSON-RPC answers, strictly: hex quantities, hex bytes, block headers."""

import re

from agent.chain.faults import is_limit
from agent.core.snapshot import Block
from agent.errors import BadReply
from agent.wire.rpc import JSON, RpcError

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def value(answer: JSON | RpcError) -> JSON:
    """Return an answer of a batch, or raise the error that it is."""
    if isinstance(answer, RpcError):
        raise answer
    return answer


def quantity(answer: JSON) -> int:
    """Read a number such as ``0x1b4``; raises ``BadReply``."""
    if not (isinstance(answer, str) and _QUANTITY.fullmatch(answer)):
        raise bad_reply("a quantity that is not hex")
    return int(answer, 16)


def payload(answer: JSON) -> bytes:
    """Read bytes such as ``0x00ff``; raises ``BadReply``."""
    if isinstance(answer, str) and answer.startswith("0x"):
        try:
            found = bytes.fromhex(answer[2:])
        except ValueError:
            found = b""
        # The parser skips white space, which the length gives away.
        if 2 * len(found) == len(answer) - 2:
            return found
    raise bad_reply("bytes that are not hex")


def hash_text(answer: JSON) -> str:
    """Read a 32-byte hash as lower-case hex; raises ``BadReply``."""
    if not (isinstance(answer, str) and _HASH.fullmatch(answer)):
        raise bad_reply("a hash that is not 32 bytes of hex")
    return answer.lower()


def header(answer: JSON) -> Block:
    """Read a block header; raises ``BadReply``. A chain without a base fee has base fee 0."""
    if not isinstance(answer, dict):
        raise bad_reply("no such block")
    return Block(
        number=quantity(answer.get("number")),
        hash=hash_text(answer.get("hash")),
        parent_hash=hash_text(answer.get("parentHash")),
        timestamp=quantity(answer.get("timestamp")),
        base_fee_per_gas=quantity(answer.get("baseFeePerGas", "0x0")),
    )


def bad_reply(what: str) -> BadReply:
    """Return the error for an answer that cannot be meant."""
    return BadReply(
        f"the node answered with {what}", fix="try again, or put another RPC URL for this chain"
    )


def said(answer: JSON | RpcError, oracle: str) -> bytes:
    """Read what a fee oracle answered; raises ``BadReply`` when it is an error.

    A node that only asks to wait raises its ``RpcError``.
    """
    if not isinstance(answer, RpcError):
        return payload(answer)
    if is_limit(answer):
        raise answer
    raise silent_oracle(oracle)


def silent_oracle(address: str) -> BadReply:
    """Return the error for a contract that does not say what data costs."""
    return BadReply(
        f"the fee oracle {address} does not say what data costs on this chain, so that no "
        "transaction can be priced",
        fix="try again, or put another RPC URL for this chain; check its fee_model in chains.toml",
    )
