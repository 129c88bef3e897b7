"""Addresses, chains and tokens as people and files write them: EIP-55 and CAIP."""

import functools
import re

from agent.core.money import NATIVE, Address, ChainId
from agent.wire.keccak import keccak256

MAX_CHAIN_ID = 2**63 - 37
"""Largest chain id that fits all signature forms: floor(MAX_UINT64 / 2) - 36 (EIP-2294)."""

ETHER_COIN_TYPE = 60
"""Ether's number in SLIP-44, the registry that CAIP-20 names native coins by."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

_LONGEST_CHAIN_TEXT = 12
"""Characters of a token's own name that are ever shown; honest symbols have up to eleven."""


def parse_address(text: str) -> Address:
    """Read an address as lower-case hex; ``ValueError`` unless it is one beyond doubt.

    All lower case is accepted as it is; any capital letter makes the whole a checksum
    (EIP-55) that must be right, because a wrong one means that some character is wrong.

    >>> parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'
    """
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not an address: 0x and 40 hex digits")
    address = Address(text.lower())
    if text not in (address, checksum(address)):
        raise ValueError(
            f"{text} has a wrong checksum: a character is wrong; copy it again from its source"
        )
    return address


@functools.lru_cache(maxsize=4096)
def checksum(address: Address) -> str:
    """Write an address with the capitals of EIP-55.

    >>> checksum(Address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
    """
    digits = address[2:]
    marks = keccak256(digits.encode("ascii")).hex()
    # A hex digit of the hash of 8 or more makes the letter at its place a capital.
    return "0x" + "".join(d.upper() if m >= "8" else d for d, m in zip(digits, marks, strict=False))


def chain_name(chain: ChainId) -> str:
    """Write a chain as CAIP-2.

    >>> chain_name(ChainId(8453))
    'eip155:8453'
    """
    return f"eip155:{chain}"


def parse_chain(text: str) -> ChainId:
    """Read a CAIP-2 chain of the EVM family; ``ValueError`` for anything else."""
    family, _, number = text.partition(":")
    if family == "eip155" and _NUMBER.fullmatch(number) and int(number) <= MAX_CHAIN_ID:
        return ChainId(int(number))
    raise ValueError(f"{_shown(text)} is not a chain: write it like eip155:1")


def account_name(chain: ChainId, address: Address) -> str:
    """Write an account as CAIP-10, with the checksum of EIP-55."""
    return f"{chain_name(chain)}:{checksum(address)}"


def parse_account(text: str) -> tuple[ChainId, Address]:
    """Read a CAIP-10 account; ``ValueError`` for anything else."""
    chain, separator, address = text.rpartition(":")
    if not separator:
        raise ValueError(f"{_shown(text)} is not an account: write it like eip155:1:0x…")
    return parse_chain(chain), parse_address(address)


def token_name(chain: ChainId, address: Address, *, native_coin_type: int = ETHER_COIN_TYPE) -> str:
    """Write a token as CAIP-19; the native coin by its SLIP-44 number, ether's unless told.

    >>> token_name(ChainId(1), NATIVE)
    'eip155:1/slip44:60'
    """
    if address == NATIVE:
        return f"{chain_name(chain)}/slip44:{native_coin_type}"
    return f"{chain_name(chain)}/erc20:{checksum(address)}"


def parse_token(text: str, *, native_coin_type: int = ETHER_COIN_TYPE) -> tuple[ChainId, Address]:
    """Read a CAIP-19 token, the native coin as ``NATIVE``; ``ValueError`` for anything else.

    CAIP-19 knows no canonical form, so two texts may name one token: compare what is returned.
    """
    chain_text, _, asset = text.partition("/")
    kind, _, reference = asset.partition(":")
    chain = parse_chain(chain_text)
    if kind == "erc20":
        return chain, parse_address(reference)
    if asset == f"slip44:{native_coin_type}":
        return chain, NATIVE
    raise ValueError(
        f"{_shown(text)} is not a token: write it like eip155:1/erc20:0x… "
        f"or {chain_name(chain)}/slip44:{native_coin_type}"
    )


def chain_text(untrusted: str | bytes) -> str:
    """Make a name that a contract gave safe to print anywhere: at most 12 of A-Z a-z 0-9 . _ -

    Every other character becomes an underscore, so that no look-alike becomes the original.

    >>> chain_text("US\\x1b[31mDC")
    'US__31mDC'
    """
    if isinstance(untrusted, bytes):
        untrusted = untrusted[: 4 * _LONGEST_CHAIN_TEXT].rstrip(b"\0").decode("utf-8", "replace")
    return _UNSAFE.sub("_", untrusted[:_LONGEST_CHAIN_TEXT]) or "_"


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:60] + "…")
