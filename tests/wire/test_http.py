"""The client for providers' servers against a real server that misbehaves."""

from __future__ import annotations

import json
import socket
import ssl
import time
import traceback
from decimal import Decimal
from typing import Any

import pytest
from wire.faulty_node import drips, faulty_node, http, resets, sends

from agent.errors import AgentError, BadReply, RateLimited, Rejected, Unreachable
from agent.wire import http as module
from agent.wire.http import HttpClient

CANARY = "CANARY-d41d8cd98f"


def replies(body: bytes | str, **options: Any) -> Any:
    raw = body.encode() if isinstance(body, str) else body

    def script(connection: socket.socket, _request: bytes) -> bool:
        connection.sendall(http(raw, **options))
        return False

    return script


def client(**changes: Any) -> HttpClient:
    return HttpClient(**{"timeout_seconds": 5.0, "sleep": lambda _: None, **changes})


def asked(node: Any, query: dict[str, str] | None = None, **changes: Any) -> Any:
    return client(**changes).get(f"{node.url}/api/fees", query or {})


def fault(node: Any, kind: type[AgentError], **changes: Any) -> AgentError:
    with pytest.raises(kind) as caught:
        asked(node, {"key": CANARY}, **changes)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.message.startswith(f"127.0.0.1:{node.port}: ")
    assert "/api" not in caught.value.message
    return caught.value


def test_question_goes_out_as_one_line_with_its_query() -> None:
    with faulty_node(replies('{"fee": "12", "share": 0.5}')) as node:
        found = client().get(
            f"{node.url}/api/fees", {"token": "0xA0", "amount": "1 & 2"}, headers={"X-Key": CANARY}
        )
    assert ("12", "0.5") == (found["fee"], str(found["share"]))
    lines = node.heads[0].decode().split("\r\n")
    assert "GET /api/fees?token=0xA0&amount=1+%26+2 HTTP/1.1" == lines[0]
    assert {"Accept-Encoding: identity", "Connection: close", f"X-Key: {CANARY}"} <= set(lines)
    assert not [line for line in lines if line.lower().startswith(("cookie", "authorization"))]


def test_name_and_password_in_the_url_go_into_a_header_alone() -> None:
    with faulty_node(replies("[]")) as node:
        assert [] == client().get(f"http://me:{CANARY}@127.0.0.1:{node.port}/x", {})
    head = node.heads[0].decode()
    assert "Authorization: Basic " in head
    assert CANARY not in head


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"fee": NaN}',
        b'{"fee": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"fee": 1e999}',
        b"[" * 70 + b"]" * 70,
        b"\xff\xfe",
        b'{"fee": 1} x',
        b'{"fee": ' + b"9" * 90 + b"}",
    ],
)
def test_answer_that_is_no_strict_json_is_nonsense(body: bytes) -> None:
    with faulty_node(replies(body)) as node:
        assert "malformed reply" in fault(node, BadReply).message
    assert 1 == len(node.heads)


def test_answer_longer_than_the_cap_is_nonsense_and_not_read() -> None:
    with faulty_node(replies(b" " * 5_000)) as node:
        told = fault(node, BadReply, max_reply_bytes=1_000)
    assert "reply of more than 1000 bytes" in told.message


@pytest.mark.parametrize(
    "script", [sends(b"SSH-2.0-OpenSSH\r\n\r\n"), sends(b"HTTP/3 200\r\n\r\n")]
)
def test_answer_that_is_no_http_is_nonsense(script: Any) -> None:
    with faulty_node(script) as node:
        assert "not HTTP" in fault(node, BadReply).message


@pytest.mark.parametrize(
    "script",
    [
        resets,
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
        replies(b"{}", status="500 Broken"),
        replies(b"{}", status="503 Busy"),
    ],
)
def test_silence_is_asked_again_and_then_said(script: Any) -> None:
    with faulty_node(script) as node:
        fault(node, Unreachable)
    assert 3 == len(node.heads)


def test_second_answer_counts_when_the_first_fails() -> None:
    with faulty_node(resets, replies(b"{}", status="502 Bad"), replies(b'{"ok": 1}')) as node:
        assert {"ok": 1} == asked(node)


def test_server_that_is_not_there_is_unreachable() -> None:
    with faulty_node(resets) as node:
        pass
    told = fault(node, Unreachable, retries=0)
    assert "connection refused" in told.message


def test_server_that_drips_is_cut_off_in_time() -> None:
    slow = drips(http(b" " * 500 + b"{}"), lambda: time.sleep(0.05))
    with faulty_node(slow) as node:
        started = time.monotonic()
        told = fault(node, Unreachable, timeout_seconds=0.4)
    assert "timed out" in told.message
    assert time.monotonic() - started < 3


def test_limit_of_requests_is_waited_for_within_the_deadline_only() -> None:
    limited = replies(b"{}", status="429 Slow down", headers="Retry-After: 2\r\n")
    pauses: list[float] = []
    with faulty_node(limited) as node:
        told = fault(node, RateLimited, sleep=pauses.append)
        assert "wait 2 seconds" == told.fix
        assert (3, [2.0, 2.0]) == (len(node.heads), pauses)
    late = replies(b"{}", status="429 Slow down", headers="Retry-After: 3600\r\n")
    with faulty_node(late) as node:
        assert "wait 3600 seconds" == fault(node, RateLimited).fix
        assert 1 == len(node.heads)
    with faulty_node(replies(b"{}", status="429 Slow down")) as node:
        assert "wait a little" == fault(node, RateLimited).fix


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": "AcrossApiError", "message": "Invalid parameter"}, ": Invalid parameter"),
        ({"error": "no route"}, ": no route"),
        ({"reason": "\x1b[31mred\u202e"}, ": \\x1b[31mred\\u202e"),
        ({"message": "x" * 900}, ": " + "x" * 200),
        ({"message": f"the key {CANARY} is wrong"}, ": the key [redacted] is wrong"),
        ({"message": {"nested": 1}}, ""),
        ({}, ""),
        ([], ""),
    ],
)
def test_refusal_is_in_the_provider_s_words_cut_and_cleaned(body: Any, said: str) -> None:
    with faulty_node(replies(json.dumps(body), status="400 Bad Request")) as node:
        told = fault(node, Rejected)
        assert f"127.0.0.1:{node.port}: HTTP status 400{said}" == told.message
        assert 1 == len(node.heads)


def test_secret_of_a_header_is_never_repeated() -> None:
    body = json.dumps({"message": f"unknown key {CANARY}"})
    with (
        faulty_node(replies(body, status="401 Who")) as node,
        pytest.raises(Rejected, match=r"401: unknown key \[redacted\]"),
    ):
        client().get(node.url, {}, headers={"Authorization": CANARY})
    with (
        faulty_node(replies(body, status="401 Who")) as node,
        pytest.raises(Rejected, match=r"401: unknown key \[redacted\]"),
    ):
        client().get(node.url, {}, headers={"Authorization": f"Bearer {CANARY}"})


def test_refusal_that_is_no_json_is_its_status() -> None:
    with faulty_node(replies("<html>", status="404 Not Found")) as node:
        assert fault(node, Rejected).message.endswith("HTTP status 404")


def test_redirect_is_not_followed() -> None:
    other = replies(b"{}", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n")
    with faulty_node(other) as node:
        assert "302, which is not followed" in fault(node, BadReply).message
    assert 1 == len(node.heads)


@pytest.mark.parametrize(
    "url", ["http://fees.example/api", "ftp://127.0.0.1/", "https://", "https://a b"]
)
def test_url_that_is_not_private_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        client().get(url, {})


@pytest.mark.parametrize("header", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "ä"}])
def test_header_that_could_begin_another_line_is_refused(header: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        client().get("http://127.0.0.1:1/", {}, headers=header)


def test_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with faulty_node(replies("[]")) as node:
        assert [] == asked(node)


def test_untrusted_certificate_is_refused_and_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Distrust:
        def wrap_socket(self, *_arguments: Any, **_options: Any) -> Any:
            raise ssl.SSLCertVerificationError(f"certificate of {CANARY}")

    monkeypatch.setattr(module, "tls_context", Distrust)
    with (
        faulty_node(replies("[]")) as node,
        pytest.raises(Unreachable, match=f"127.0.0.1:{node.port}: TLS certificate refused"),
    ):
        client().get(f"https://127.0.0.1:{node.port}/", {})
    assert [] == node.heads


def test_question_with_a_body_is_posted_as_json() -> None:
    with faulty_node(replies('{"id": "7"}')) as node:
        found = client().post(
            f"{node.url}/api/orders",
            {"sell": "1", "share": Decimal("0.50"), "list": [None, True, 3]},
            headers={"X-Key": CANARY},
        )
    assert {"id": "7"} == found
    lines = node.heads[0].decode().split("\r\n")
    assert "POST /api/orders HTTP/1.1" == lines[0]
    body = '{"sell":"1","share":0.50,"list":[null,true,3]}'
    assert {"Content-Type: application/json", f"Content-Length: {len(body)}"} <= set(lines)
    assert body == node.bodies[0].decode()


def test_refusal_carries_its_status_and_body_and_shows_neither() -> None:
    body = '{"errorType": "NoLiquidity", "description": "no way"}'
    with faulty_node(replies(body, status="404 Not Found")) as node:
        told = fault(node, Rejected)
    assert isinstance(told, Rejected)
    assert (404, "NoLiquidity") == (told.status, told.reply["errorType"])
    assert told.message.endswith("HTTP status 404: no way")


def test_refusal_whose_body_is_no_json_has_none() -> None:
    with faulty_node(replies("<html>", status="403 Forbidden")) as node:
        told = fault(node, Rejected)
    assert isinstance(told, Rejected)
    assert (403, None) == (told.status, told.reply)


def test_key_that_is_empty_takes_nothing_out_of_what_a_server_says() -> None:
    with (
        faulty_node(replies('{"message": "no key"}', status="401 Who")) as node,
        pytest.raises(Rejected, match="HTTP status 401: no key"),
    ):
        client().get(f"{node.url}/x", {}, headers={"X-Key": ""})


def test_wish_to_be_left_alone_is_kept_in_seconds() -> None:
    limited = replies("{}", status="429 Slow down", headers="Retry-After: 7\r\n")
    with faulty_node(limited) as node:
        told = fault(node, RateLimited)
    assert isinstance(told, RateLimited)
    assert 7.0 == told.seconds
