"""Reads an account's whole chain in one HTTP request: code of ours runs where none is stored.

The node executes ``SCANNER_CODE`` by ``eth_call`` with a code override at an address that nobody
uses. One execution sees one block, so all balances belong together; the header of that block comes
in the same JSON-RPC batch, and is compared with what the code saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.chain.assembler import assemble
from agent.chain.replies import bad_reply, header, payload, value
from agent.core.money import Address, ChainId
from agent.core.snapshot import Block
from agent.errors import BadReply
from agent.wire.rpc import JSON, RpcError

SCANNER_ADDRESS = "0x23e6a971774302b365ed1d90ccdf78e855c33443"
"""The last 20 bytes of keccak256("rebalancer scanner"): nobody has a key or code there."""

GAS_PER_TOKEN = 200_000
"""Gas of one balanceOf; lending tokens that accrue interest need some 60,000."""

GAS_RESERVE = 250_000
"""Gas below which no token is asked: GAS_PER_TOKEN with the 64th part that a call must leave
(EIP-150), and some 100 for each token that is then skipped."""

_BLOCK = """
    NUMBER     PUSH1 0x60  MSTORE                   ; answer 1: block number
    TIMESTAMP  PUSH1 0x80  MSTORE                   ; answer 2: unix seconds
    PUSH1 0x01  NUMBER  SUB  BLOCKHASH
               PUSH1 0xa0  MSTORE                   ; answer 3: parent hash
"""

_ARBITRUM_BLOCK = """
    PUSH4 0xa3b1b31d  PUSH1 0x60  MSTORE            ; memory 0x7c: arbBlockNumber()
    PUSH1 0x20  PUSH1 0x60  PUSH1 0x04  PUSH1 0x7c
    PUSH1 0x64  GAS  STATICCALL  POP                ; answer 1: block number, by ArbSys at 0x64
    TIMESTAMP  PUSH1 0x80  MSTORE                   ; answer 2: unix seconds; answer 3: nothing
"""


def _listing(block: str) -> str:
    return f"""
    PUSH4 0x70a08231  PUSH1 0x00  MSTORE            ; memory 0x1c: balanceOf(address) …
    PUSH1 0x00  CALLDATALOAD  PUSH1 0x60  SHR       ; account
    DUP1  PUSH1 0x20  MSTORE                        ; memory 0x20: … of the account
    CHAINID    PUSH1 0x40  MSTORE                   ; answer 0: chain id
    {block}
    DUP1  BALANCE  PUSH1 0xc0  MSTORE               ; answer 4: native balance
    EXTCODEHASH    PUSH1 0xe0  MSTORE               ; answer 5: code hash
    PUSH2 0x0100                                    ; out (where the next answer goes)
    PUSH1 0x14                                      ; out in (where the next token stands)
  next:
    CALLDATASIZE  DUP2  LT  ISZERO  @end  JUMPI     ; in < size, or finished
    PUSH3 {GAS_RESERVE:#08x}  GAS  GT  ISZERO  @skip  JUMPI
    PUSH1 0x20  DUP3  PUSH1 0x24  PUSH1 0x1c        ; out in 0x20 out 0x24 0x1c
    DUP5  CALLDATALOAD  PUSH1 0x60  SHR             ; … token
    PUSH3 {GAS_PER_TOKEN:#08x}  STATICCALL          ; out in success
    PUSH1 0x1f  RETURNDATASIZE  GT  AND             ; out in (success and a whole word)
    PUSH1 0x01  SWAP1  SUB                          ; out in (0, or all ones after a failure)
    DUP3  MLOAD  OR                                 ; out in answer
    @store  JUMP
  skip:
    PUSH1 0x01  NOT                                 ; out in (all ones less one)
  store:
    DUP3  MSTORE                                    ; out in
    PUSH1 0x14  ADD  SWAP1  PUSH1 0x20  ADD  SWAP1  ; out+32 in+20
    @next  JUMP
  end:
    POP  PUSH1 0x40  SWAP1  SUB  PUSH1 0x40  RETURN
"""


SCANNER_CODE = assemble(_listing(_BLOCK))
"""Takes account and tokens as packed 20-byte addresses, answers 32-byte words.

BASEFEE is not among them: go-ethereum shows zero to an ``eth_call`` without a gas price
(core/vm/evm.go, NewEVM), so the base fee is the header's.
"""

ARBITRUM_SCANNER_CODE = assemble(_listing(_ARBITRUM_BLOCK))
"""The same for Arbitrum, whose NUMBER is the parent chain's and whose BLOCKHASH is no block's
(docs.arbitrum.io, "Block numbers and time"). Its sequencer orders blocks once and for all, so
number and time tell a block, and the parent's hash is left out.
"""

_WORD_BYTES = 32
_HEADER_WORDS = 6
_UNREADABLE = 2**256 - 1
_SKIPPED = 2**256 - 2
_UNTOLD = f"{0:#066x}"
_NO_CODE = frozenset({0, 0xC5D2460186F7233C927E7DB2DCC703C0E500B653CA82273B7BFAD8045D85A470})
"""Code hash of an account that does not exist, and of one without code: keccak256 of nothing
(EIP-1052)."""

BlockParameter = str | dict[str, Any]
"""A tag, a number as hex, or the object of EIP-1898 that names a block by its hash."""


class OverrideIgnored(BadReply):
    """The node ran the call without our code: it does not know code overrides."""


class Asks(Protocol):
    """What a scan needs of ``Rpc``."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        """Ask several questions in one HTTP request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawScan:
    """What the code saw; ``balances`` in base units, None for a token that did not answer.

    ``skipped`` are the positions of tokens that were not asked because the node's gas ran low.
    ``code_hash`` is empty for an account without code.
    """

    chain: ChainId
    number: int
    timestamp: int
    parent_hash: str
    native: int
    code_hash: str
    balances: tuple[int | None, ...]
    skipped: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """An account at one block: native wei, code hash ("" without code), balances by position.

    A balance is base units, or None for a token that did not answer: unknown is never zero.
    """

    chain: ChainId
    block: Block
    native: int
    code_hash: str
    balances: tuple[int | None, ...]


def scan(
    rpc: Asks,
    account: Address,
    tokens: Sequence[Address],
    at: BlockParameter = "latest",
    *,
    code: bytes = SCANNER_CODE,
) -> Scan:
    """Read native coin, code hash and all token contracts of one account at one block.

    One HTTP request. A second one follows when the head moved between the two halves of the
    first, or when the node's gas ran out before the last token; it names the block by its hash.

    Raises ``RpcError`` when the node refuses and ``OverrideIgnored`` when it runs the call without
    our code (both: read through Multicall3), ``RpcUnavailable`` when it does not answer, and
    ``BadReply`` when the answer is not one of the scanner's.
    """
    answers = rpc.batch([("eth_call", request(account, tokens, at, code)), _header_question(at)])
    raw, block = decode(value(answers[0]), tokens=len(tokens)), header(value(answers[1]))
    pinned = {"blockHash": block.hash, "requireCanonical": True}
    parent = _UNTOLD if code == ARBITRUM_SCANNER_CODE else block.parent_hash
    if (raw.number, raw.parent_hash, raw.timestamp) != (block.number, parent, block.timestamp):
        raw = _once(rpc, account, tokens, pinned, code)
    return Scan(
        chain=raw.chain,
        block=block,
        native=raw.native,
        code_hash=raw.code_hash,
        balances=_complete(rpc, account, tokens, pinned, first=raw, code=code),
    )


def request(
    account: Address, tokens: Sequence[Address], at: BlockParameter, code: bytes = SCANNER_CODE
) -> list[Any]:
    """Return the parameters of the ``eth_call`` that runs the scanner."""
    packed = "0x" + "".join(address[2:] for address in (account, *tokens))
    return [
        {"to": SCANNER_ADDRESS, "data": packed},
        at,
        {SCANNER_ADDRESS: {"code": "0x" + code.hex()}},
    ]


def decode(answer: JSON, *, tokens: int) -> RawScan:
    """Read the scanner's answer for that many tokens; raises ``BadReply``."""
    raw = payload(answer)
    if not raw:
        raise OverrideIgnored(
            "the node ignores code overrides", fix="nothing: it is read through Multicall3 instead"
        )
    if len(raw) != _WORD_BYTES * (_HEADER_WORDS + tokens):
        raise bad_reply("a scan of another length")
    words = [
        int.from_bytes(raw[start : start + _WORD_BYTES], "big")
        for start in range(0, len(raw), _WORD_BYTES)
    ]
    chain, number, timestamp, parent, native, code = words[:_HEADER_WORDS]
    balances = words[_HEADER_WORDS:]
    return RawScan(
        chain=ChainId(chain),
        number=number,
        timestamp=timestamp,
        parent_hash=f"{parent:#066x}",
        native=native,
        code_hash="" if code in _NO_CODE else f"{code:#066x}",
        balances=tuple(None if word >= _SKIPPED else word for word in balances),
        skipped=tuple(place for place, word in enumerate(balances) if word == _SKIPPED),
    )


def _complete(
    rpc: Asks,
    account: Address,
    tokens: Sequence[Address],
    pinned: BlockParameter,
    *,
    first: RawScan,
    code: bytes,
) -> tuple[int | None, ...]:
    """Ask again for the tokens that gas did not reach, as long as that makes progress."""
    balances = list(first.balances)
    missing = first.skipped
    while missing:
        rest = _once(rpc, account, [tokens[place] for place in missing], pinned, code)
        for place, balance in zip(missing, rest.balances, strict=True):
            balances[place] = balance
        still = tuple(missing[place] for place in rest.skipped)
        missing = still if len(still) < len(missing) else ()
    return tuple(balances)


def _once(
    rpc: Asks, account: Address, tokens: Sequence[Address], at: BlockParameter, code: bytes
) -> RawScan:
    (answer,) = rpc.batch([("eth_call", request(account, tokens, at, code))])
    return decode(value(answer), tokens=len(tokens))


def _header_question(at: BlockParameter) -> tuple[str, list[Any]]:
    if isinstance(at, str):
        return "eth_getBlockByNumber", [at, False]
    return "eth_getBlockByHash", [at["blockHash"], False]
