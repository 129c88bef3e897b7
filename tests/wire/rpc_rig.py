"""Clients of misbehaving nodes, and what such a node says."""

from typing import Any

import pytest
from wire.faulty_node import (
    FaultyNode,
    http,
    resets,
    says,
    sends,
)

from agent.wire.rpc import Rpc, RpcUnavailable

CANARY = "c4n4ryKey7e57"
ERROR = '{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"nope"}}'

BAD_REPLIES = {
    "malformed reply: not JSON": says('{"id":ID,"result":'),
    "malformed reply: NaN or infinity": says('{"id":ID,"result":NaN}'),
    "malformed reply: a key appears twice in one object": says('{"id":ID,"result":1,"result":2}'),
    "malformed reply: nested deeper than 64": says(
        '{"id":ID,"result":' + "[" * 9999 + "]" * 9999 + "}"
    ),
    "malformed reply: a number of more than 80 characters": says(
        '{"id":ID,"result":' + "9" * 5000 + "}"
    ),
    "malformed reply: not UTF-8": says(b'{"id":ID,"result":"\xff"}'),
    "malformed reply: not a JSON-RPC object": says("[]"),
    "malformed reply: the answer to another question": says('{"id":0,"result":1}'),
    "malformed reply: neither result nor error": says('{"id":ID}'),
    "malformed reply: an error without a code": says('{"id":ID,"error":"no"}'),
    "reply of more than 1000 bytes": says('{"id":ID,"result":"' + "x" * 1000 + '"}'),
    "HTTP status 302": says("", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
    "HTTP status 404": says("not found", status="404 Not Found"),
    "HTTP status 401": says('{"message":"no"}', status="401 Unauthorized"),
    "reply is not HTTP": sends(b"SSH-2.0-OpenSSH\r\n\r\n"),
}

PASSING_FAULTS = {
    "HTTP status 429": says("slow down", status="429 Too Many Requests"),
    "HTTP status 500": says("oops", status="500 Internal Server Error"),
    "HTTP status 503": says(ERROR, status="503 Service Unavailable"),
    "connection closed without a whole reply": resets,
    "connection closed without a whole reply ": sends(b""),
    "connection closed without a whole reply  ": sends(http(b'{"id":1', length=99)),
    "connection closed without a whole reply   ": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'id'"
    ),
}


def make(node: FaultyNode, **options: Any) -> Rpc:
    return Rpc(node.url, **{"sleep": lambda _seconds: None, **options})


def unavailable(rpc: Rpc, method: str = "eth_call", **options: Any) -> RpcUnavailable:
    with pytest.raises(RpcUnavailable) as fault:
        rpc.call(method, **options)
    return fault.value
