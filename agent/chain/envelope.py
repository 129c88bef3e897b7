"""The bytes that a call will be sent as, before anybody has signed it: what rollups charge for."""

from __future__ import annotations

from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.wire.abi import encode
from agent.wire.keccak import selector
from agent.wire.words import WORD_BYTES

SIGNATURE_BYTES = 67
"""Parity, r and s in RLP: what signing adds."""

_NONCE, _TIP, _FEE, _GAS = 0x0A5D, 0x3B9ACA37, 0x04A817C8F1, 0x0493E7
"""Stand-ins for what is not known yet, as long as usual ones: a few thousand transactions, tip and
fee of some gwei, a gas limit of a swap; no zeros, which would compress."""

_SWAP = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
_APPROVE = "approve(address,uint256)"
_MANY = "multicall(uint256,bytes[])"
_PLACES = tuple(Address("0x" + digits * 4) for digits in ("7d3c51b096", "e42f8a65c1", "5b09d7386e"))


def unsigned_bytes(call: Call) -> bytes:
    """Return the EIP-1559 transaction of *call* without its signature, EIP-2718 type first.

    Nonce, fees and gas limit are stand-ins of the usual length.
    """
    fields: list[bytes] = [
        *map(_number, (call.chain, _NONCE, _TIP, _FEE, _GAS)),
        _text(bytes.fromhex(call.to[2:])),
        _number(call.value),
        _text(bytes.fromhex(call.data[2:])),
        b"\xc0",
    ]
    body = b"".join(fields)
    return b"\x02" + _headed(0xC0, body)


def signed_size(call: Call) -> int:
    """Return how many bytes the signed transaction of *call* will have, give or take a few."""
    return len(unsigned_bytes(call)) + SIGNATURE_BYTES


def usual(chain: ChainId) -> tuple[Call, Call]:
    """Return calls that stand for the usual ones: an approval, and a swap through one pool."""
    router, sell, buy = _PLACES
    approval = encode(("address", "uint256"), (router, 1_234_567_890_123_456_789))
    fields = (sell, buy, 500, router, 1_234_567_890_123_456_789, 3_456_789_012, 0)
    kinds = ("address", "address", "uint24", "address", "uint256", "uint256", "uint160")
    swap = bytes.fromhex(selector(_SWAP)[2:]) + encode(kinds, fields)
    # An array of one text at offset 64: what stands before it in a multicall.
    head = encode(("uint256",) * 5, (1_700_000_123, 64, 1, WORD_BYTES, len(swap)))
    return (
        Call(chain, sell, 0, selector(_APPROVE) + approval.hex()),
        Call(chain, router, 0, selector(_MANY) + head.hex() + padded(swap).hex()),
    )


def padded(raw: bytes) -> bytes:
    """Return *raw* with zeros up to a whole number of words."""
    return raw + bytes(-len(raw) % WORD_BYTES)


def _number(value: int) -> bytes:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(raw: bytes) -> bytes:
    if len(raw) == 1 and raw[0] < 0x80:
        return raw
    return _headed(0x80, raw)


def _headed(base: int, body: bytes) -> bytes:
    """RLP: a first byte that tells the length, or how long the length is (yellow paper, B)."""
    if len(body) <= 55:
        return bytes([base + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(size)]) + size + body
