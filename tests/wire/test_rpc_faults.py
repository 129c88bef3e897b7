"""The JSON-RPC transport against a node that misbehaves: bad replies, dead connections, no network."""

import os
import socket
import threading
from typing import Any

import pytest
from wire.faulty_node import (
    answers,
    echoes,
    faulty_node,
    http,
    resets,
    says,
    sends,
)
from wire.rpc_rig import BAD_REPLIES, CANARY, PASSING_FAULTS, make, unavailable

from agent.wire import connection, post
from agent.wire.rpc import READS, Rpc, RpcUnavailable

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
