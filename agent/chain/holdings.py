"""An account's balances at one block, for nodes that run no code of ours in an ``eth_call``."""

from __future__ import annotations

from collections.abc import Sequence

from agent.chain.multicall import Asks, Reads
from agent.chain.replies import bad_reply, header, payload, quantity, value
from agent.chain.scanner import Scan
from agent.core.money import Address, ChainId
from agent.ports import Read
from agent.wire.abi import functions
from agent.wire.keccak import keccak256

_WORD = 32


def holdings(rpc: Asks, reads: Reads, account: Address, tokens: Sequence[Address], at: str) -> Scan:
    """Read native coin, code hash and tokens at one pinned block; three HTTP requests.

    The block is named by its number, which every node understands; its hash before and after
    proves that no reorganisation mixed two blocks. Raises ``BadReply`` when one did.
    """
    (answer,) = rpc.batch([("eth_getBlockByNumber", [at, False])])
    block = header(value(answer))
    number = hex(block.number)
    ask = functions("erc20")["balanceOf(address)"].encode(account)
    balances = reads(rpc, [Read(token, ask) for token in tokens], number)
    chain, native, code, again = rpc.batch(
        [
            ("eth_chainId", []),
            ("eth_getBalance", [account, number]),
            ("eth_getCode", [account, number]),
            ("eth_getBlockByNumber", [number, False]),
        ]
    )
    if header(value(again)).hash != block.hash:
        raise bad_reply("two different blocks of one number")
    return Scan(
        chain=ChainId(quantity(value(chain))),
        block=block,
        native=quantity(value(native)),
        code_hash=code_hash(payload(value(code))),
        balances=tuple(map(_balance, balances)),
    )


def code_hash(code: bytes) -> str:
    """Return the keccak of runtime code as hex, empty when there is none."""
    return "0x" + keccak256(code).hex() if code else ""


def _balance(answer: bytes | None) -> int | None:
    """Read a whole word; an account without code answers with nothing, which is not zero."""
    if answer is None or not (len(answer) >= _WORD):
        return None
    return int.from_bytes(answer[:_WORD], "big")
