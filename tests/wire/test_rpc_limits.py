"""The JSON-RPC transport's limits: how long it waits, how much it reads, and what it never shows."""

import logging
import socket
import threading
import traceback
import tracemalloc
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.faulty_node import (
    Script,
    answers,
    drips,
    faulty_node,
    http,
    says,
    sends,
)
from wire.rpc_rig import BAD_REPLIES, CANARY, PASSING_FAULTS, make, unavailable

from agent.wire.rpc import Rpc, RpcError, RpcUnavailable

# Waiting


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Retry-After: 3\r\n", 3.0),
        (
            "Retry-After: Wed, 21 Oct 2015 07:28:07 GMT\r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
            7.0,
        ),
        (
            "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nDate: Wed, 21 Oct 2015 07:28:07 GMT\r\n",
            0.0,
        ),
        ("Retry-After: Wed, 21 Oct 2015 07:28:07 GMT\r\n", None),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: -3\r\n", None),
        ("Retry-After: 9999999999\r\n", None),
        ("", None),
    ],
)
def test_wish_to_wait_is_reported(headers: str, expected: float | None) -> None:
    with faulty_node(says("", status="429 Too Many Requests", headers=headers)) as node:
        fault = unavailable(make(node, retries=0))
        assert (429, expected) == (fault.status, fault.retry_after_seconds)


def test_wish_to_wait_is_kept_within_the_deadline() -> None:
    pauses: list[float] = []
    limited = says("", status="429 Too Many Requests", headers="Retry-After: 3\r\n")
    with faulty_node(limited, answers("0x1")) as node:
        assert "0x1" == make(node, sleep=pauses.append).call("eth_call")
    assert [3.0] == pauses


def test_wish_to_wait_beyond_the_deadline_ends_the_call_at_once() -> None:
    pauses: list[float] = []
    limited = says("", status="429 Too Many Requests", headers="Retry-After: 3600\r\n")
    with faulty_node(limited, answers("0x1")) as node:
        rpc = make(node, sleep=pauses.append)
        assert 3600.0 == unavailable(rpc).retry_after_seconds
        assert ([], 1) == (pauses, rpc.requests)


def test_pauses_grow_and_differ() -> None:
    pauses: list[float] = []
    with faulty_node(says("", status="500 Oops")) as node:
        unavailable(make(node, retries=4, sleep=pauses.append))
    assert [True] * 4 == [0.1 * 2**n <= pause <= 0.2 * 2**n for n, pause in enumerate(pauses)]
    assert pauses != [0.1 * 2**n for n in range(4)]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_deadline_that_is_no_deadline_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="must be positive and finite"):
        Rpc("http://127.0.0.1:1").call("eth_call", timeout_seconds=seconds)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(http(b'{"id":1,"result":"0x1"}'), id="headers"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 20, id="interim"),
    ],
)
def test_node_that_drips_bytes_is_left_at_the_deadline(raw: bytes) -> None:
    left = threading.Event()
    with faulty_node(drips(raw, lambda: left.wait(0.1))) as node:
        fault = unavailable(make(node, timeout_seconds=0.35))
        left.set()
        assert (f"127.0.0.1:{node.port}: timed out", "maybe") == (fault.reason, fault.sent)


def test_node_that_drips_its_body_is_left_at_the_deadline() -> None:
    left = threading.Event()

    def script(connection: socket.socket, _request: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
        return drips(b" " * 50, lambda: left.wait(0.1))(connection, b"")

    with faulty_node(script) as node:
        fault = unavailable(make(node), timeout_seconds=0.35)
        left.set()
        assert f"127.0.0.1:{node.port}: timed out" == fault.reason


def test_node_that_reads_nothing_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        rpc = Rpc(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_seconds=0.2)
        with pytest.raises(RpcUnavailable, match="timed out") as fault:
            rpc.call("eth_call", "x" * 20_000_000)
        assert "maybe" == fault.value.sent


def test_pauses_count_towards_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(
        "agent.wire.deadline.time", SimpleNamespace(monotonic=lambda: 1_000 + sum(pauses))
    )
    with faulty_node(says("", status="500 Oops")) as node:
        rpc = make(node, retries=10**6, timeout_seconds=60, sleep=pauses.append)
        assert 500 == unavailable(rpc).status
    assert len(pauses) + 1 == rpc.requests
    assert 0 < sum(pauses) < 60


# Size


def _megabytes(count: int) -> Script:
    def script(connection: socket.socket, _request: bytes) -> bool:
        for _ in range(count):
            connection.sendall(b"100000\r\n" + b"x" * 2**20 + b"\r\n")
        return False

    return script


@pytest.mark.parametrize(
    "headers", ["Content-Length: 209715200", "Transfer-Encoding: chunked", "X: until the end"]
)
def test_reply_of_200_megabytes_is_refused_in_bounded_memory(headers: str) -> None:
    def script(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode())
        return _megabytes(200)(connection, request)

    tracemalloc.start()
    try:
        with faulty_node(script) as node:
            fault = unavailable(make(node, timeout_seconds=60.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"127.0.0.1:{node.port}: reply of more than 33554432 bytes" == fault.reason
    assert peak < 50_000_000


def test_headers_without_end_are_refused() -> None:
    with faulty_node(sends(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000)) as node:
        assert f"127.0.0.1:{node.port}: reply is not HTTP" == unavailable(make(node)).reason


# Keys


def _speaks_of_the_key(connection: socket.socket, request: bytes) -> bool:
    return says('{"id":ID,"error":{"code":-32000,"message":"bad key ' + CANARY + '"}}')(
        connection, request
    )


@pytest.mark.parametrize(
    "script",
    [*BAD_REPLIES.values(), *PASSING_FAULTS.values(), _speaks_of_the_key],
)
def test_key_in_the_url_is_never_shown(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    with faulty_node(script) as node:
        for url in (f"/v2/{CANARY}", f"/?apikey={CANARY}&x=1", f"/{CANARY}"):
            rpc = Rpc(node.url + url, sleep=lambda _: None, max_reply_bytes=1000)
            shown += [
                repr(rpc),
                str(rpc),
                rpc.host,
                *_everything_told(partial(rpc.call, "eth_call")),
            ]
        rpc = Rpc(f"http://{CANARY}:{CANARY}@127.0.0.1:{node.port}", sleep=lambda _: None)
        shown += [repr(rpc), *_everything_told(lambda: rpc.batch([("eth_sendRawTransaction", [])]))]
    assert [] == [text for text in [*shown, caplog.text] if CANARY in text]
    assert f"Rpc(127.0.0.1:{node.port})" in shown


def _everything_told(act: Callable[[], Any]) -> list[str]:
    with pytest.raises((RpcError, RpcUnavailable)) as fault:
        act()
    error = fault.value
    return [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]


def test_key_in_a_bad_url_is_never_shown() -> None:
    for url in (
        f"http://node.example/{CANARY}",
        f"https://node.example:x/{CANARY}",
        f"{CANARY}",
        f"https://{CANARY}\n",
    ):
        with pytest.raises(ValueError, match="RPC URL") as refused:
            Rpc(url)
        assert CANARY not in "".join(traceback.format_exception(refused.value))


@given(st.text(max_size=2000))
def test_any_message_becomes_one_printable_line(message: str) -> None:
    from agent.wire.foreign_text import plain

    line = plain(message, at_most=512)
    assert len(line) <= 512
    assert line.isprintable()
