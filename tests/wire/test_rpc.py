"""The JSON-RPC transport against a real node on loopback that misbehaves in every way we know."""

import logging
import os
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
    FaultyNode,
    Script,
    answers,
    drips,
    echoes,
    faulty_node,
    http,
    resets,
    says,
    sends,
)

from agent.wire import connection, post
from agent.wire.rpc import READS, Rpc, RpcError, RpcUnavailable

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


# What works


def test_call_returns_the_result_and_sends_the_parameters() -> None:
    with faulty_node(echoes) as node:
        assert ["0x1", {"a": None}] == make(node).call("eth_call", "0x1", {"a": None})


def test_calls_share_one_connection_and_are_counted() -> None:
    with faulty_node(answers(None)) as node:
        rpc = make(node)
        assert [None] * 3 == [rpc.call("eth_chainId") for _ in range(3)]
        assert (1, 3) == (node.connections, rpc.requests)
        rpc.close()
        rpc.call("eth_chainId")
        assert (2, 4) == (node.connections, rpc.requests)


def test_batch_is_one_request_and_keeps_the_order_of_its_questions() -> None:
    with faulty_node(echoes) as node:
        rpc = make(node)
        assert [[0], [1], [2]] == rpc.batch([("eth_call", [n]) for n in range(3)])
        assert 1 == rpc.requests


def test_empty_batch_asks_nothing() -> None:
    rpc = Rpc("http://127.0.0.1:1")
    assert [] == rpc.batch([])
    assert 0 == rpc.requests


def test_threads_get_their_own_answers() -> None:
    wrong = []
    with faulty_node(echoes) as node:
        rpc = make(node)

        def ask(name: int) -> None:
            answers = [rpc.call("eth_call", name, turn) for turn in range(25)]
            wrong.extend(each for turn, each in enumerate(answers) if each != [name, turn])

        threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == wrong
        assert 200 == rpc.requests == len(node.bodies)
        assert node.connections <= 8


def test_credentials_of_the_url_are_sent_as_basic_authorization() -> None:
    with faulty_node(answers()) as node:
        Rpc(f"http://user:p%40ss@127.0.0.1:{node.port}/v2/key?a=b").call("eth_chainId")
        assert node.heads[0].startswith(b"POST /v2/key?a=b HTTP/1.1\r\n")
        assert b"Authorization: Basic dXNlcjpwQHNz\r\n" in node.heads[0]


def test_call_does_not_wait_for_a_deadline_that_is_far_away() -> None:
    with faulty_node(answers("0x2a")) as node:
        assert "0x2a" == make(node, timeout_seconds=3600).call("eth_chainId", timeout_seconds=0.9)


# Errors that are answers


def test_error_of_the_node_carries_code_message_and_revert_bytes() -> None:
    reply = '{"id":ID,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}'
    with faulty_node(says(reply)) as node, pytest.raises(RpcError) as error:
        make(node).call("eth_call")
    assert (3, "execution reverted", "0x08c379a0") == (
        error.value.code,
        error.value.message,
        error.value.data,
    )
    assert "execution reverted (code 3)" == str(error.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"data":"0xab"}', "0xab"),
        ('{"data":{"data":"0xab"}}', None),
        ('"Reverted 0xab"', None),
        ("[1]", None),
        ('"0x' + "ab" * 70_000 + '"', None),
    ],
)
def test_error_data_is_revert_bytes_or_nothing(data: str, expected: str | None) -> None:
    reply = '{"id":ID,"error":{"code":3,"message":"m","data":' + data + "}}"
    with faulty_node(says(reply)) as node, pytest.raises(RpcError) as error:
        make(node).call("eth_call")
    assert expected == error.value.data


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('"\\u001b[31mred\\u0007\\n"', r"\x1b[31mred\x07\n"),
        ('"a\\u202eb\\ud800"', r"a\u202eb\ud800"),
        ('"' + "x" * 5_000_000 + '"', "x" * 512),
        ('"' + "\\u0000" * 600 + '"', (r"\x00" * 512)[:512]),
        ("null", "no message"),
    ],
)
def test_error_message_is_cut_and_harmless(message: str, expected: str) -> None:
    reply = '{"id":ID,"error":{"code":-1,"message":' + message + "}}"
    with faulty_node(says(reply)) as node, pytest.raises(RpcError) as error:
        make(node).call("eth_call")
    assert expected == error.value.message


@pytest.mark.parametrize(
    "script",
    [
        says(ERROR),
        says(ERROR, status="400 Bad Request"),
        says(ERROR.replace("ID", "null")),
        says(ERROR.replace("}}", '},"result":null}')),
    ],
)
def test_answer_that_is_an_error_is_not_asked_again(script: Script) -> None:
    with faulty_node(script) as node:
        rpc = make(node)
        with pytest.raises(RpcError, match=r"^nope \(code -32000\)$"):
            rpc.call("eth_call")
        assert 1 == rpc.requests


def test_error_within_a_batch_is_a_value() -> None:
    reply = '[{"id":ID,"error":{"code":3,"message":"bad"}}]'
    with faulty_node(says(reply)) as node:
        (found,) = make(node).batch([("eth_call", [])])
    assert isinstance(found, RpcError)
    assert 3 == found.code


@pytest.mark.parametrize("reply", [ERROR, f"[{ERROR}]", ERROR.replace("ID", "null")])
def test_refusal_of_a_whole_batch_is_raised(reply: str) -> None:
    with faulty_node(says(reply)) as node, pytest.raises(RpcError, match="nope"):
        make(node).batch([("eth_call", []), ("eth_call", [])])


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('[{"id":ID,"result":1}]', "one answer to many questions"),
        ('[{"id":ID,"result":1},{"id":0,"result":1}]', "a batch that answers other questions"),
        ("[]", "a batch that answers other questions"),
        ('[{"id":ID,"result":1},{"id":ID,"result":1}]', "a batch with a missing or repeated id"),
        ('[{"id":ID,"result":1},{"result":1}]', "a batch with a missing or repeated id"),
        ('[{"id":ID,"result":1},1]', "a batch with a missing or repeated id"),
        ('[{"id":ID,"result":1},{"id":true,"result":1}]', "a batch with a missing or repeated id"),
        ('{"id":ID,"result":1}', "one answer to many questions"),
        ('{"id":0,"result":1}', "the answer to another question"),
        ("1", "not a JSON-RPC object"),
    ],
)
def test_batch_that_does_not_answer_each_question_once_is_refused(reply: str, why: str) -> None:
    with faulty_node(says(reply)) as node, pytest.raises(RpcUnavailable) as fault:
        make(node).batch([("eth_call", []), ("eth_call", [])])
    assert f"127.0.0.1:{node.port}: malformed reply: {why}" == fault.value.reason


# Faults


@pytest.mark.parametrize("reason", BAD_REPLIES)
def test_bad_reply_is_refused_at_once(reason: str) -> None:
    with faulty_node(BAD_REPLIES[reason]) as node:
        rpc = make(node, max_reply_bytes=1000 if "1000" in reason else 100_000)
        fault = unavailable(rpc)
        assert (f"127.0.0.1:{node.port}: {reason}", "maybe", False) == (
            fault.reason,
            fault.sent,
            fault.transient,
        )
        assert 1 == rpc.requests


@pytest.mark.parametrize("reason", PASSING_FAULTS)
def test_read_is_repeated_after_a_passing_fault(reason: str) -> None:
    with faulty_node(PASSING_FAULTS[reason], PASSING_FAULTS[reason], answers("0x7")) as node:
        rpc = make(node)
        assert "0x7" == rpc.call("eth_call")
        assert 3 == rpc.requests == len(node.bodies)


@pytest.mark.parametrize("reason", PASSING_FAULTS)
def test_read_gives_up_after_its_repetitions(reason: str) -> None:
    with faulty_node(PASSING_FAULTS[reason]) as node:
        rpc = make(node, retries=1)
        fault = unavailable(rpc)
        assert f"127.0.0.1:{node.port}: {reason.strip()}" == fault.reason
        assert ("maybe", True) == (fault.sent, fault.transient)
        assert 2 == rpc.requests


@pytest.mark.parametrize("reason", [*PASSING_FAULTS, *BAD_REPLIES])
@pytest.mark.parametrize(
    "method", ["eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "eth_newMethod"]
)
def test_method_that_may_change_something_is_delivered_exactly_once(
    method: str, reason: str
) -> None:
    with faulty_node(answers(), PASSING_FAULTS.get(reason) or BAD_REPLIES[reason]) as node:
        rpc = make(node, max_reply_bytes=1000 if "1000" in reason else 100_000)
        rpc.call("eth_chainId")
        assert "maybe" == unavailable(rpc, method).sent
        assert ["eth_chainId", method] == node.methods()


def test_batch_with_one_change_in_it_is_delivered_exactly_once() -> None:
    with faulty_node(resets) as node:
        rpc = make(node)
        with pytest.raises(RpcUnavailable):
            rpc.batch([("eth_call", []), ("eth_sendRawTransaction", ["0x"])])
        assert [["eth_call", "eth_sendRawTransaction"]] == node.methods()


def test_only_reads_are_on_the_list_of_what_may_be_repeated() -> None:
    assert [] == [
        method for method in READS if "send" in method.lower() or "sign" in method.lower()
    ]


def test_dead_idle_connection_is_replaced_at_once_for_a_read() -> None:
    pauses: list[float] = []
    closing = sends(http(b'{"id":1,"result":"0x1"}'))
    with faulty_node(closing, answers("0x2")) as node:
        rpc = make(node, sleep=pauses.append)
        assert "0x1" == rpc.call("eth_chainId")
        assert "0x2" == rpc.call("eth_chainId")
        assert ([], 2) == (pauses, node.connections)


def test_bad_reply_on_an_idle_connection_is_not_asked_again() -> None:
    with faulty_node(answers(), says("no")) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        assert f"127.0.0.1:{node.port}: malformed reply: not JSON" == unavailable(rpc).reason
        with pytest.raises(RpcUnavailable):
            rpc.call("eth_chainId")
        assert (1, 3) == (node.connections, rpc.requests)


def test_late_reply_on_an_idle_connection_is_a_fault_of_its_own() -> None:
    left = threading.Event()
    with faulty_node(answers(), lambda *_: left.wait(5), answers()) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        fault = unavailable(rpc, timeout_seconds=0.1)
        left.set()
        assert f"127.0.0.1:{node.port}: timed out" == fault.reason


def test_broadcast_never_travels_on_an_idle_connection() -> None:
    closing = sends(http(b'{"id":1,"result":"0x1"}'))
    with faulty_node(closing, answers("0x2")) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        assert "0x2" == rpc.call("eth_sendRawTransaction", "0x")
        assert ["eth_chainId", "eth_sendRawTransaction"] == node.methods()


def test_idle_connection_that_grew_old_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_node(answers()) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        monkeypatch.setattr(post, "_IDLE_SECONDS", 0.0)
        rpc.call("eth_chainId")
        assert 2 == node.connections


def test_forked_process_leaves_the_connections_to_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faulty_node(answers()) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        rpc.call("eth_chainId")
        assert 2 == node.connections
        rpc.call("eth_chainId")
        assert 2 == node.connections


def test_call_that_is_interrupted_leaves_no_connection_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_arguments: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    with faulty_node(echoes) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        with monkeypatch.context() as patch:
            patch.setattr(connection, "read_response", interrupt)
            with pytest.raises(KeyboardInterrupt):
                rpc.call("eth_call", "interrupted")
        assert ["next"] == rpc.call("eth_call", "next")
        assert 2 == node.connections


def test_node_that_closes_after_each_reply_gets_new_connections() -> None:
    with faulty_node(answers(headers="Connection: close\r\n")) as node:
        rpc = make(node)
        rpc.call("eth_chainId")
        rpc.call("eth_chainId")
        assert 2 == node.connections == rpc.requests


def test_refused_connection_is_known_not_to_have_delivered_anything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fault = unavailable(
        Rpc(f"http://127.0.0.1:{port}", sleep=lambda _: None), "eth_sendRawTransaction"
    )
    assert (f"127.0.0.1:{port}: connection refused", "no", True) == (
        fault.reason,
        fault.sent,
        fault.transient,
    )


def test_unknown_host_name_is_named_and_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> Any:
        raise socket.gaierror(-2, f"no {CANARY}")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fault = unavailable(Rpc("https://node.example", retries=0))
    assert ("node.example:443: host name not found", "no") == (fault.reason, fault.sent)


def test_resolver_that_hangs_is_bounded_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    # Whoever waits for the resolver itself gets its empty answer, which is another fault.
    rescue = threading.Timer(1.0, released.set)
    rescue.start()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_o: released.wait() and [])
    fault = unavailable(Rpc("https://node.example", timeout_seconds=0.05, retries=0))
    released.set()
    rescue.cancel()
    assert ("node.example:443: timed out", "no") == (fault.reason, fault.sent)


def test_dead_address_of_a_name_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_node(answers("0x1")) as node, socket.create_server(("127.0.0.1", 0)) as taken:
        dead = taken.getsockname()[1]
        taken.close()
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (dead, node.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_o: found)
        assert "0x1" == Rpc("http://localhost").call("eth_chainId")


def test_name_without_addresses_is_a_network_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_o: [])
    fault = unavailable(Rpc("https://node.example", retries=0))
    assert ("node.example:443: network fault (OSError)", "no") == (fault.reason, fault.sent)


def test_plain_server_behind_https_is_a_tls_fault() -> None:
    # A server that speaks first in clear breaks the handshake at its first byte.
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(4096)
            connection.close()

        threading.Thread(target=talk, daemon=True).start()
        port = server.getsockname()[1]
        fault = unavailable(Rpc(f"https://127.0.0.1:{port}", retries=0))
        assert (f"127.0.0.1:{port}: TLS failed", "no") == (fault.reason, fault.sent)


def test_untrusted_certificate_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Distrust:
        def wrap_socket(self, *_arguments: Any, **_options: Any) -> Any:
            import ssl

            raise ssl.SSLCertVerificationError(f"certificate of {CANARY}")

    monkeypatch.setattr(post, "tls_context", Distrust)
    with faulty_node(answers()) as node:
        rpc = Rpc(f"https://127.0.0.1:{node.port}")
        fault = unavailable(rpc)
        assert (f"127.0.0.1:{node.port}: TLS certificate refused", "no") == (
            fault.reason,
            fault.sent,
        )
        assert ([], 0) == (node.bodies, rpc.requests)


def test_tls_context_verifies_host_names_and_certificates() -> None:
    import ssl

    context = post.tls_context()
    assert (True, ssl.CERT_REQUIRED) == (context.check_hostname, context.verify_mode)


def test_redirect_is_not_followed() -> None:
    with faulty_node(answers()) as elsewhere:
        redirect = says(
            "", status="307 Temporary Redirect", headers=f"Location: {elsewhere.url}/\r\n"
        )
        with faulty_node(redirect) as node:
            fault = unavailable(make(node))
            assert (f"127.0.0.1:{node.port}: HTTP status 307", 307) == (fault.reason, fault.status)
        assert [] == elsewhere.bodies


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_node(answers("0x1")) as node, faulty_node(answers("0x2")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert "0x1" == make(node).call("eth_chainId")
        assert [] == proxy.bodies


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
