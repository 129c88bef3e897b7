"""Signatures over plain hashes, as Circle's attesters give them: by a key that is worth nothing.

Nodes sign only with a prefix before the hash, and our own signers sign intents alone; so the lab
has its own few lines of secp256k1 (SEC 2, section 2.4.1), for this one key of its own.
"""

from functools import cache
from typing import Final, NamedTuple

from agent.wire.keccak import keccak256

PRIME: Final = 2**256 - 2**32 - 977
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class _Point(NamedTuple):
    x: int
    y: int


_BASE: Final = _Point(
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def key(role: str) -> int:
    """A key for a role in the lab; anybody can make it, so that it is no secret."""
    return int.from_bytes(keccak256(f"rebalancer lab {role}".encode())) % ORDER


@cache
def signer(secret: int) -> str:
    """The address of a key, lower-case."""
    point = _times(_BASE, secret)
    return "0x" + keccak256(point.x.to_bytes(32) + point.y.to_bytes(32))[12:].hex()


@cache
def sign(digest: bytes, secret: int) -> bytes:
    """65 bytes: r, s (the lower of the two) and v; the same for the same digest."""
    drawn = keccak256(secret.to_bytes(32) + digest)
    k = int.from_bytes(drawn) % ORDER
    point = _times(_BASE, k)
    r = point.x % ORDER
    s = pow(k, -1, ORDER) * (int.from_bytes(digest) + r * secret) % ORDER
    odd = point.y % 2
    if s > ORDER // 2:
        s, odd = ORDER - s, 1 - odd
    return r.to_bytes(32) + s.to_bytes(32) + bytes([27 + odd])


def _times(point: _Point, factor: int) -> _Point:
    found: _Point | None = None
    while factor:
        if factor & 1:
            found = point if found is None else _sum(found, point)
        point = _sum(point, point)
        factor >>= 1
    if found is None:
        raise ValueError("a key of zero")
    return found


def _sum(one: _Point, other: _Point) -> _Point:
    """Two points that are no mirror images of each other, which no multiple of the base meets."""
    if one == other:
        slope = 3 * one.x * one.x * pow(2 * one.y, -1, PRIME)
    else:
        slope = (other.y - one.y) * pow(other.x - one.x, -1, PRIME)
    x = (slope * slope - one.x - other.x) % PRIME
    return _Point(x, (slope * (one.x - x) - one.y) % PRIME)
