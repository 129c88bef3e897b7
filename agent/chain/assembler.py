"""Turns a commented listing of EVM instructions into bytes; as much of it as our own code needs."""

import re
from typing import Final

OPCODES: Final = {
    "ADD": 0x01, "SUB": 0x03, "LT": 0x10, "GT": 0x11, "ISZERO": 0x15, "AND": 0x16, "OR": 0x17,
    "NOT": 0x19, "SHR": 0x1C, "BALANCE": 0x31, "CALLDATALOAD": 0x35, "CALLDATASIZE": 0x36,
    "RETURNDATASIZE": 0x3D, "EXTCODEHASH": 0x3F, "BLOCKHASH": 0x40, "TIMESTAMP": 0x42,
    "NUMBER": 0x43, "CHAINID": 0x46, "POP": 0x50, "MLOAD": 0x51, "MSTORE": 0x52, "JUMP": 0x56,
    "JUMPI": 0x57, "GAS": 0x5A, "JUMPDEST": 0x5B, "PUSH1": 0x60, "PUSH2": 0x61, "PUSH3": 0x62,
    "PUSH4": 0x63, "DUP1": 0x80, "DUP2": 0x81, "DUP3": 0x82, "DUP5": 0x84, "SWAP1": 0x90,
    "RETURN": 0xF3, "STATICCALL": 0xFA,
}  # fmt: skip
"""Instructions of the Istanbul fork (2019) and older: PUSH0 and BASEFEE would shut out chains that
are not up to date. Source: Ethereum yellow paper, appendix H; EIP-1344 for CHAINID."""

_PUSHED = re.compile(r"0x((?:[0-9a-f]{2})+)")


def assemble(listing: str) -> bytes:
    """Assemble instructions separated by white space; ``;`` starts a comment.

    ``name:`` is a jump target, ``@name`` pushes its two-byte position, and a ``0x…`` number is the
    operand of the push before it.

    >>> assemble("PUSH1 0x01 ; one").hex()
    '6001'
    """
    code = bytearray()
    targets: dict[str, int] = {}
    uses: list[tuple[int, str]] = []
    for mark in re.sub(";.*", "", listing).split():
        if mark.endswith(":"):
            targets[mark[:-1]] = len(code)
            code.append(OPCODES["JUMPDEST"])
        elif mark.startswith("@"):
            uses.append((len(code) + 1, mark[1:]))
            code += bytes([OPCODES["PUSH2"], 0, 0])
        elif pushed := _PUSHED.fullmatch(mark):
            code += bytes.fromhex(pushed[1])
        else:
            code.append(OPCODES[mark])
    for position, name in uses:
        code[position : position + 2] = targets[name].to_bytes(2, "big")
    return bytes(code)
