"""Keccak-256, without the quarter of a second that the usual packages take to import."""

import functools


def keccak256(content: bytes) -> bytes:
    """Return the 32 bytes of Ethereum's hash (the original Keccak, not NIST's SHA-3).

    >>> keccak256(b"").hex()
    'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    """
    # The backend of eth_hash itself; importing eth_utils for it costs ten times as much.
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=content).digest()


@functools.lru_cache(maxsize=4096)
def selector(signature: str) -> str:
    """Return the first four bytes of a canonical signature's hash as ``0x`` hex.

    >>> selector("approve(address,uint256)")
    '0x095ea7b3'
    """
    return "0x" + keccak256(signature.encode("ascii"))[:4].hex()
