"""Web3 over our own transport: its contracts and decoders, none of its networking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.chain.replies import bad_reply
from agent.core.money import ChainId
from agent.wire.rpc import JSON, READS, RpcError

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import RPCEndpoint, RPCResponse

Ask = Callable[[str, Sequence[Any]], JSON]
"""Asks one read-only question; raises ``RpcError`` or ``Unavailable``."""


def web3_over(ask: Ask, chain: ChainId) -> Web3:
    """Return a Web3 whose every request is one question to *ask*.

    Its own HTTP provider repeats broadcasts, asks for the chain id around each call, reads
    replies of any size and shows the URL in its errors. This one broadcasts nothing, knows its
    chain id, and follows no URL that a contract names (EIP-3668). Importing web3 takes more than
    a second, so call this only where nothing smaller does.
    """
    from web3 import Web3
    from web3.providers.base import BaseProvider

    class Provider(BaseProvider):
        global_ccip_read_enabled = False

        def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
            return _answered(ask, chain, method, params)

    # No middleware: names are not resolved, nothing is filled in, no nonce or price is guessed.
    return Web3(Provider(), middleware=[])


@contextmanager
def read_by_web3() -> Iterator[None]:
    """Raise the node's own error as ``RpcError``, and ``BadReply`` for what web3 cannot read.

    Its formatters meet the reply before any check of ours, so they fail in many ways, and their
    words quote the whole reply, however long: they are dropped.
    """
    from eth_abi.exceptions import DecodingError
    from web3.exceptions import Web3Exception, Web3RPCError

    try:
        yield
    except Web3RPCError as fault:
        error = (fault.rpc_response or {}).get("error")
        if not isinstance(error, dict):
            raise bad_reply("nothing where it was asked for a transaction") from None
        raise RpcError(error["code"], error["message"], error.get("data")) from None
    except (
        Web3Exception,
        DecodingError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as fault:
        raise bad_reply(f"what web3 cannot read ({type(fault).__name__})") from None


def _answered(ask: Ask, chain: ChainId, method: RPCEndpoint, params: Any) -> RPCResponse:
    if method not in READS:
        raise PermissionError(f"{method} is no question: transactions go through RpcNode.send")
    if method == "eth_chainId":
        return {"jsonrpc": "2.0", "id": 1, "result": hex(chain)}
    try:
        return {"jsonrpc": "2.0", "id": 1, "result": ask(method, params)}
    except RpcError as fault:
        error: Any = {"code": fault.code, "message": fault.message, "data": fault.data}
        return {"jsonrpc": "2.0", "id": 1, "error": error}
