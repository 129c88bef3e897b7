"""Says in our own words what a node's silence or refusal means for the operator."""

from __future__ import annotations

from agent.core.money import ChainId
from agent.errors import BadReply, RateLimited, Unavailable, Unreachable
from agent.wire.rpc import RpcError, RpcUnavailable

_LIMIT_CODES = frozenset({-32005, -32029, 429})
"""JSON-RPC codes of "limit exceeded": EIP-1474 has -32005; the others are seen at providers that
put their HTTP status, or their own number, into the answer."""

_TOO_MANY_REQUESTS = 429
_NOT_AUTHORISED = frozenset({401, 403})

_OTHER_URL = "wait a little, or add a second RPC URL for this chain"


def unavailable(chain: ChainId, fault: RpcUnavailable) -> Unavailable:
    """Translate a transport fault; its text names the host and nothing else of the URL."""
    what = f"chain {chain}: {fault.reason}"
    if fault.status == _TOO_MANY_REQUESTS:
        wish = fault.retry_after_seconds
        pause = f"wait {wish:.0f} seconds" if wish else "wait a little"
        return RateLimited(what, fix=f"{pause}, or add a second RPC URL for this chain")
    if fault.status in _NOT_AUTHORISED:
        return Unreachable(what, fix="check the key in the RPC URL of this chain")
    if fault.status is None and fault.sent == "maybe" and not fault.transient:
        return BadReply(what, fix="put another RPC URL for this chain: this one is no node")
    return Unreachable(
        what, fix="check the network and this chain's RPC URL, or add a second RPC URL"
    )


def refused(chain: ChainId, host: str, fault: RpcError) -> Unavailable:
    """Translate a JSON-RPC error where an answer was needed."""
    what = f"chain {chain}: {host} answered: {fault}"
    if is_limit(fault):
        return RateLimited(what, fix=_OTHER_URL)
    return BadReply(what, fix=f"{_OTHER_URL}; an archive node where old blocks are asked for")


def is_limit(fault: RpcError) -> bool:
    """Tell whether the node only asks to wait."""
    return fault.code in _LIMIT_CODES


def joined(faults: list[Unavailable]) -> Unavailable:
    """Make one error of what went wrong at each endpoint; its kind and advice are the first's."""
    first = faults[0]
    if len(faults) == 1:
        return first
    return type(first)("; ".join(f.message for f in faults), fix=first.fix, code=first.code)
