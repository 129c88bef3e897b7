"""Nodes that are wrong, absent, late or lossy: what is said, and that nothing is sent twice."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest
from chain.relay import Error, Relay, relay
from conformance.nodes import STRANGER, Now, OnAnvil, native, over, pay

from agent.chain.faults import joined, refused, unavailable
from agent.chain.node import RpcNode
from agent.core.money import Address, ChainId
from agent.errors import BadReply, RateLimited, StaleHead, Unavailable, Unreachable, WrongChain
from agent.lab.world import World
from agent.wire.rpc import RpcError, RpcUnavailable

CANARY = "secret-canary"
ACCOUNT = Address("0x" + "ac" * 20)


class At(Now):
    """A clock that stands still."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now


@pytest.fixture
def nowhere() -> str:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/v3/{CANARY}-key"


def everything(fault: Unavailable) -> str:
    return f"{fault!r} {fault} {fault.message} {fault.fix} {fault.__cause__!r}"


# Identity


def test_wrong_chain_is_named_with_both_ids(way: Relay, chain: World) -> None:
    with (
        closing(over(chain, way.url, chain=10, genesis=None)) as node,
        pytest.raises(WrongChain, match="serves chain 1, not chain 10") as caught,
    ):
        node.snapshot(ACCOUNT, [])
    assert ("N102", 8) == (caught.value.code, caught.value.exit)
    assert CANARY not in everything(caught.value)
    assert "127.0.0.1" in caught.value.message


def test_wrong_genesis_is_another_network(way: Relay, chain: World) -> None:
    with (
        closing(over(chain, way.url, genesis="0x" + "11" * 32)) as node,
        pytest.raises(WrongChain, match="its block 0 is " + chain.genesis),
    ):
        node.block()


def test_genesis_that_is_not_pinned_is_not_compared(chain: World) -> None:
    with closing(over(chain, genesis=None)) as node:
        assert chain.head()[0] == node.block().number


def test_node_without_block_0_cannot_prove_itself(way: Relay, chain: World) -> None:
    way.changes["eth_getBlockByNumber"] = lambda p, r: None if p[0] == "0x0" else r
    with closing(over(chain, way.url)) as node, pytest.raises(BadReply, match=r"127\.0\.0\.1"):
        node.block()


def test_proof_travels_in_the_first_request_and_only_there(way: Relay, chain: World) -> None:
    with closing(over(chain, way.url)) as node:
        node.snapshot(ACCOUNT, [])
        node.snapshot(ACCOUNT, [])
    assert [1, 0] == [methods.count("eth_chainId") for methods in way.requests]


def test_contracts_that_see_another_chain_are_refused(way: Relay, chain: World) -> None:
    other = "0x" + f"{10:064x}"
    way.changes["eth_call"] = lambda _, result: other + result[66:]
    with (
        closing(over(chain, way.url)) as node,
        pytest.raises(WrongChain, match="runs contracts on chain 10, not chain 1"),
    ):
        node.snapshot(ACCOUNT, [])


def test_every_operation_proves_the_chain_before_it_answers(way: Relay, chain: World) -> None:
    coin = native(ChainId(10))
    operations = {
        "block": lambda n: n.block(),
        "fees": lambda n: n.fees(),
        "sight": lambda n: n.sight(ACCOUNT, []),
        "pending_nonce": lambda n: n.pending_nonce(ACCOUNT),
        "balances": lambda n: n.balances(ACCOUNT, [coin], 1),
        "code_hashes": lambda n: n.code_hashes([ACCOUNT]),
        "received": lambda n: n.received(
            ACCOUNT, type(coin)(ChainId(10), STRANGER, 6, "T"), "0x" + "77" * 32
        ),
        "simulate": lambda n: n.simulate(ACCOUNT, [], [], []),
        "send": lambda n: n.send("0x02c0"),
    }
    for operation in operations.values():
        with (
            closing(over(chain, way.url, chain=10, genesis=None)) as node,
            pytest.raises(WrongChain),
        ):
            operation(node)
    assert 0 == way.count("eth_sendRawTransaction")


# Age


def test_stale_head_is_an_error_with_its_age(chain: World) -> None:
    late = chain.head()[1] + 601
    with (
        closing(over(chain, max_head_age_seconds=600, clock=At(late))) as node,
        pytest.raises(StaleHead, match="601 s old, at most 600 s") as caught,
    ):
        node.snapshot(ACCOUNT, [])
    assert "N106" == caught.value.code


@pytest.mark.parametrize(
    "ask",
    [
        lambda n: n.snapshot(ACCOUNT, []),
        lambda n: n.block(),
        lambda n: n.fees(),
        lambda n: n.sight(ACCOUNT, []),
        lambda n: n.simulate(ACCOUNT, [], [], []),
    ],
)
def test_head_that_stops_is_noticed_later_too(chain: World, ask: Any) -> None:
    clock = At(chain.head()[1] + 600)
    with closing(over(chain, max_head_age_seconds=600, clock=clock)) as node:
        ask(node)
        clock._now += 1
        with pytest.raises(StaleHead):
            ask(node)


def test_chain_that_stands_still_is_read_where_that_is_asked_for(chain: World) -> None:
    late = chain.head()[1] + 601
    with closing(over(chain, max_head_age_seconds=600, clock=At(late))) as node:
        with pytest.raises(StaleHead):
            node.snapshot(ACCOUNT, [])
        assert chain.head()[0] == node.snapshot(ACCOUNT, [], old=True).block.number


def test_old_blocks_may_be_old(chain: World) -> None:
    clock = At(chain.head()[1])
    with closing(over(chain, max_head_age_seconds=0, clock=clock)) as node:
        head = node.block().number
        clock._now += 1000
        assert head == node.block(head).number


def test_reads_move_on_from_a_stale_node(way: Relay, chain: World) -> None:
    def older(params: list[Any], result: Any) -> Any:
        return {**result, "timestamp": "0x1"} if params[0] == "latest" else result

    way.changes["eth_getBlockByNumber"] = older
    clock = At(chain.head()[1])
    with closing(over(chain, way.url, chain.url, max_head_age_seconds=60, clock=clock)) as node:
        assert chain.head()[1] == node.block().timestamp


# Silence


def test_unreachable_node_is_named_by_host_alone(chain: World, nowhere: str) -> None:
    with (
        closing(over(chain, nowhere)) as node,
        pytest.raises(Unreachable, match="connection refused") as caught,
    ):
        node.snapshot(ACCOUNT, [])
    assert "N101" == caught.value.code
    assert CANARY not in everything(caught.value)


def test_rate_limit_says_how_long_to_wait(way: Relay, chain: World) -> None:
    way.status, way.headers = 429, {"Retry-After": "30"}
    with closing(over(chain, way.url)) as node, pytest.raises(RateLimited, match="429") as caught:
        node.block()
    assert ("N103", True) == (caught.value.code, "wait 30 seconds" in caught.value.fix)


def test_rate_limit_inside_an_answer_is_one_too(way: Relay, chain: World) -> None:
    way.changes["eth_getCode"] = lambda *_: Error(-32005, "limit exceeded")
    with closing(over(chain, way.url)) as node, pytest.raises(RateLimited, match="limit exceeded"):
        node.code_hashes([ACCOUNT])


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_is_said_without_the_key(way: Relay, chain: World, status: int) -> None:
    way.status = status
    with (
        closing(over(chain, way.url)) as node,
        pytest.raises(Unreachable, match=str(status)) as caught,
    ):
        node.block()
    assert "key" in caught.value.fix
    assert CANARY not in everything(caught.value)


def test_error_of_the_node_is_told_with_its_host_and_words(way: Relay, chain: World) -> None:
    way.changes["eth_getCode"] = lambda *_: Error(-32000, f"pruned at {way.url}")
    with closing(over(chain, way.url)) as node, pytest.raises(BadReply, match="pruned") as caught:
        node.code_hashes([ACCOUNT])
    assert CANARY not in everything(caught.value)


def test_reads_move_on_to_the_next_url_and_stay_there(chain: World, nowhere: str) -> None:
    with closing(over(chain, nowhere, chain.url)) as node:
        assert chain.head()[0] == node.block().number
        before = node.requests
        node.block()
        assert 1 == node.requests - before


def test_answer_is_not_asked_again_elsewhere(way: Relay, chain: World) -> None:
    way.changes["eth_getCode"] = lambda *_: Error(-32000, "no")
    with relay(chain.url) as second, closing(over(chain, way.url, second.url)) as node:
        with pytest.raises(BadReply):
            node.code_hashes([ACCOUNT])
        assert [] == second.requests


def test_all_silent_nodes_are_named(way: Relay, chain: World, nowhere: str) -> None:
    way.status = 503
    with (
        closing(over(chain, nowhere, way.url)) as node,
        pytest.raises(Unreachable, match=r"refused; .*503"),
    ):
        node.block()


def test_reply_that_is_too_long_is_no_node(chain: World) -> None:
    with (
        closing(over(chain, max_reply_bytes=100)) as node,
        pytest.raises(BadReply, match="more than 100 bytes"),
    ):
        node.block()


def test_node_without_url_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no RPC URL"):
        RpcNode(
            ChainId(1), [], genesis=None, multicall3=None, max_head_age_seconds=None, clock=Now()
        )


# Broadcasts


def test_lost_reply_of_a_broadcast_is_an_unknown_and_the_bytes_went_once(
    anvil: OnAnvil, way: Relay
) -> None:
    way.lose = {"eth_sendRawTransaction"}
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    with closing(over(anvil.world, way.url)) as node:
        sent = node.send(signed.raw)
        assert not sent.accepted
        assert "without a whole reply" in sent.said
        assert CANARY not in sent.said
        assert 1 == way.count("eth_sendRawTransaction")
        anvil.mine()
        seen = node.sight(anvil.account, [signed.hash])
    assert ((True,), 1) == (seen.known, seen.nonce)
    assert seen.receipts[0] is not None


def test_broadcast_goes_to_every_url_once(anvil: OnAnvil) -> None:
    anvil.hold()
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    with relay(anvil.world.url) as one, relay(anvil.world.url) as two:
        with closing(over(anvil.world, one.url, two.url, one.url)) as node:
            assert node.send(signed.raw).accepted
        assert [1, 1] == [each.count("eth_sendRawTransaction") for each in (one, two)]


def test_broadcast_reaches_the_chain_past_a_dead_node(anvil: OnAnvil, nowhere: str) -> None:
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    with closing(over(anvil.world, nowhere, anvil.world.url)) as node:
        sent = node.send(signed.raw)
    assert sent.accepted
    assert "refused" in sent.said


def test_node_that_swallows_transactions_is_made_good_by_another(
    anvil: OnAnvil, way: Relay
) -> None:
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    way.changes["eth_sendRawTransaction"] = lambda *_: "0x" + "00" * 32
    with closing(over(anvil.world, way.url, anvil.world.url)) as node:
        node.send(signed.raw)
        anvil.mine()
        assert node.sight(anvil.account, [signed.hash]).receipts[0] is not None


def test_another_hash_for_our_bytes_is_no_acceptance(anvil: OnAnvil, way: Relay) -> None:
    way.changes["eth_sendRawTransaction"] = lambda *_: "0x" + "00" * 32
    with closing(over(anvil.world, way.url)) as node:
        sent = node.send(anvil.sign(pay(anvil.chain, STRANGER, 1), 0).raw)
    assert not sent.accepted
    assert "another hash" in sent.said


@pytest.mark.parametrize("words", ["already known", "transaction already imported"])
def test_no_words_of_a_node_are_an_acceptance(anvil: OnAnvil, way: Relay, words: str) -> None:
    way.changes["eth_sendRawTransaction"] = lambda *_: Error(-32000, words + "\x1b[31m" + "x" * 999)
    with closing(over(anvil.world, way.url)) as node:
        sent = node.send(anvil.sign(pay(anvil.chain, STRANGER, 1), 0).raw)
    assert (False, True, 200) == (sent.accepted, words in sent.said, len(sent.said))
    assert "\x1b" not in sent.said


def test_broadcast_to_nobody_says_why(chain: World, nowhere: str) -> None:
    with closing(over(chain, nowhere)) as node:
        sent = node.send("0x02c0")
    assert not sent.accepted
    assert "refused" in sent.said


def test_lagging_node_still_passes_transactions_on(anvil: OnAnvil) -> None:
    clock = At(anvil.world.head()[1] + 1000)
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    with closing(over(anvil.world, max_head_age_seconds=600, clock=clock)) as node:
        assert node.send(signed.raw).accepted


def test_node_that_cannot_prove_itself_gets_no_transaction(anvil: OnAnvil, way: Relay) -> None:
    way.changes["eth_chainId"] = lambda *_: Error(-32000, "starting")
    with closing(over(anvil.world, way.url)) as node:
        sent = node.send(anvil.sign(pay(anvil.chain, STRANGER, 1), 0).raw)
    assert (False, True) == (sent.accepted, "starting" in sent.said)
    assert 0 == way.count("eth_sendRawTransaction")


# Words


def test_faults_are_translated_by_what_the_operator_can_do() -> None:
    chain = ChainId(1)
    silence = RpcUnavailable("h:1: timed out", sent="maybe", transient=True)
    garbage = RpcUnavailable("h:1: malformed reply: not JSON", sent="maybe")
    limit = RpcUnavailable("h:1: HTTP status 429", sent="maybe", transient=True, status=429)
    assert [Unreachable, BadReply, RateLimited] == [
        type(unavailable(chain, fault)) for fault in (silence, garbage, limit)
    ]
    assert "wait a little" in unavailable(chain, limit).fix
    answer = refused(chain, "h:1", RpcError(-32000, "missing trie node"))
    assert "chain 1: h:1 answered: missing trie node (code -32000)" == answer.message


def test_joined_faults_keep_the_kind_and_advice_of_the_first() -> None:
    first = Unreachable("a: timed out", fix="check a")
    assert joined([first]) is first
    both = joined([first, RateLimited("b: HTTP status 429", fix="wait")])
    assert (Unreachable, "a: timed out; b: HTTP status 429", "check a") == (
        type(both),
        both.message,
        both.fix,
    )
