"""The JSON-RPC transport against a real node on loopback: what works, and errors that are answers."""

import threading

import pytest
from wire.faulty_node import (
    Script,
    answers,
    echoes,
    faulty_node,
    says,
)
from wire.rpc_rig import ERROR, make

from agent.wire.rpc import Rpc, RpcError, RpcUnavailable

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
