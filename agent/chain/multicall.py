"""Many reads in few requests through Multicall3, for nodes that know no code overrides."""

from collections.abc import Sequence

from agent.chain.replies import bad_reply, header, payload, quantity, value
from agent.chain.scanner import Asks, BlockParameter, Scan
from agent.core.money import Address, ChainId
from agent.ports import Read
from agent.wire.abi import AbiError, functions
from agent.wire.keccak import keccak256
from agent.wire.rpc import JSON, RpcError, RpcUnavailable

FIRST_CHUNK = 400
"""Reads in one call at first. 460 balances were the most that one public node answered, 500 ran
out of gas (reported by rotki, rotkehlchen/chain/evm/tokens.py)."""

CHUNKS_PER_REQUEST = 8
"""Calls in one HTTP request; some public nodes take ten."""

_HTTP_TOO_LARGE = 413


class Multicall:
    """Reads through one Multicall3 contract and remembers how long a call its node can bear."""

    def __init__(self, rpc: Asks, contract: Address) -> None:
        self._rpc = rpc
        self._contract = contract
        self.chunk = FIRST_CHUNK

    def read(self, calls: Sequence[Read], at: BlockParameter) -> tuple[bytes | None, ...]:
        """Return the answers in order, None for a call that reverts or that the node refuses.

        The chunks go out together in one HTTP request, up to ``CHUNKS_PER_REQUEST``; those that
        the node refuses are asked again in halves. Which errors mean "too much" differs between
        nodes, so all do. Raises the refusal when not even a single call is answered,
        ``RpcUnavailable`` and ``BadReply``.
        """
        answers: list[bytes | None] = [None] * len(calls)
        waiting, largest = _split([range(len(calls))], self.chunk), 0
        while waiting:
            asked, waiting = waiting[:CHUNKS_PER_REQUEST], waiting[CHUNKS_PER_REQUEST:]
            refused: list[range] = []
            for chunk, outcome in zip(asked, self._ask(calls, asked, at), strict=True):
                if isinstance(outcome, RpcError | RpcUnavailable):
                    refused.append(chunk)
                    refusal = outcome
                else:
                    answers[chunk.start : chunk.stop] = _results(outcome, len(chunk))
                    largest = max(largest, len(chunk))
            if refused:
                longest = max(len(chunk) for chunk in refused)
                if longest == 1 and not largest:
                    raise refusal
                again = [chunk for chunk in refused if len(chunk) > 1]
                self.chunk = largest or max(longest // 2, 1)
                waiting = _split(again + waiting, max(longest // 2, 1))
        return tuple(answers)

    def scan(self, account: Address, tokens: Sequence[Address]) -> Scan:
        """Read what ``scanner.scan`` reads, at the newest block, in three requests or more.

        The reads name the block by number, and its hash is compared afterwards. Raises like
        ``read``, and ``BadReply`` when the block was replaced meanwhile.
        """
        head, chain = self._rpc.batch(
            [("eth_getBlockByNumber", ["latest", False]), ("eth_chainId", [])]
        )
        block = header(value(head))
        at = hex(block.number)
        native, *balances = self.read(
            [
                Read(self._contract, _NATIVE.encode(account)),
                *(Read(token, _BALANCE.encode(account)) for token in tokens),
            ],
            at,
        )
        code, again = self._rpc.batch(
            [("eth_getCode", [account, at]), ("eth_getBlockByNumber", [at, False])]
        )
        if header(value(again)).hash != block.hash:
            raise bad_reply("a block that was replaced while it was read")
        native_raw = _number(native)
        if native_raw is None:
            raise bad_reply("no native balance")
        runtime = payload(value(code))
        return Scan(
            chain=ChainId(quantity(value(chain))),
            block=block,
            native=native_raw,
            code_hash="0x" + keccak256(runtime).hex() if runtime else "",
            balances=tuple(_number(balance) for balance in balances),
        )

    def _ask(
        self, calls: Sequence[Read], chunks: Sequence[range], at: BlockParameter
    ) -> list[JSON | RpcError | RpcUnavailable]:
        """Ask for some chunks in one HTTP request; a refusal of the whole is one of each."""
        questions = [
            (
                "eth_call",
                [{"to": self._contract, "data": _aggregate([calls[i] for i in chunk])}, at],
            )
            for chunk in chunks
        ]
        try:
            return list(self._rpc.batch(questions))
        except RpcError as refusal:
            return [refusal] * len(chunks)
        except RpcUnavailable as fault:
            if fault.status != _HTTP_TOO_LARGE:
                raise
            return [fault] * len(chunks)


_AGGREGATE = functions("multicall3")["aggregate3((address,bool,bytes)[])"]
_NATIVE = functions("multicall3")["getEthBalance(address)"]
_BALANCE = functions("erc20")["balanceOf(address)"]


def _aggregate(calls: Sequence[Read]) -> str:
    return _AGGREGATE.encode([(call.to, True, bytes.fromhex(call.data[2:])) for call in calls])


def _results(answer: JSON, count: int) -> list[bytes | None]:
    try:
        (results,) = _AGGREGATE.decode(payload(answer))
    except AbiError:
        raise bad_reply("a multicall that cannot be decoded") from None
    if len(results) != count:
        raise bad_reply("a multicall of another length")
    return [answered if success else None for success, answered in results]


def _number(answer: bytes | None) -> int | None:
    """Read a uint256; an address without code answers nothing, which is not zero."""
    if answer is None or len(answer) < 32:
        return None
    return int.from_bytes(answer[:32], "big")


def _split(chunks: Sequence[range], size: int) -> list[range]:
    return [chunk[i : i + size] for chunk in chunks for i in range(0, len(chunk), size)]
