"""How a node reads: by code of ours, through Multicall3, or call by call; and at what price."""

from __future__ import annotations

import itertools
from contextlib import closing
from typing import Any

import pytest
from chain.relay import Error, Relay
from conformance.nodes import REVERTING, SHORT, STRANGER, OnAnvil, native, over

from agent.chain.holdings import code_hash
from agent.chain.node import RpcNode
from agent.core.money import Address, ChainId, Token
from agent.errors import BadReply, RateLimited
from agent.lab.world import World
from agent.ports import Node, Read
from agent.wire.abi import functions
from agent.wire.keccak import keccak256

BALANCE_OF = functions("erc20")["balanceOf(address)"]


def refuses_overrides(params: list[Any], result: Any) -> Any:
    return Error(-32602, "too many arguments, want at most 2") if len(params) > 2 else result


def ignores_overrides(params: list[Any], result: Any) -> Any:
    return "0x" if len(params) > 2 else result


def test_rpc_node_is_a_node(chain: World) -> None:
    with closing(over(chain)) as node:
        port: Node = node
        assert chain.chain_id == port.chain


@pytest.mark.parametrize("override", [refuses_overrides, ignores_overrides])
@pytest.mark.parametrize("multicall", [True, False])
def test_snapshot_is_the_same_without_code_of_ours(
    anvil: OnAnvil, way: Relay, override: Any, *, multicall: bool
) -> None:
    tokens = [native(anvil.chain), anvil.token(5), anvil.token(7)]
    tokens += [*anvil.unreadable(), anvil.contract(REVERTING), anvil.contract(SHORT)]
    way.changes["eth_call"] = override
    changes = {} if multicall else {"multicall3": None}
    expected = anvil.node.snapshot(anvil.account, tokens)
    with closing(over(anvil.world, way.url, **changes)) as node:
        found = node.snapshot(anvil.account, tokens)
        again = node.snapshot(anvil.account, tokens)
    assert (expected.balances, expected.unreadable, expected.block, expected.code_hash) == (
        found.balances,
        found.unreadable,
        found.block,
        found.code_hash,
    )
    # The first found out that the node does not run code of ours; the second knows.
    assert (4, 3) == (found.requests, again.requests)
    assert again.balances == found.balances


def test_snapshot_of_a_contract_has_its_code_hash_either_way(anvil: OnAnvil, way: Relay) -> None:
    token = anvil.token(5)
    way.changes["eth_call"] = refuses_overrides
    with closing(over(anvil.world, way.url)) as node:
        assert (
            anvil.node.snapshot(token.address, []).code_hash
            == node.snapshot(token.address, []).code_hash
        )


def test_node_that_once_ran_our_code_is_not_written_off(anvil: OnAnvil, way: Relay) -> None:
    with closing(over(anvil.world, way.url)) as node:
        assert 1 == node.snapshot(anvil.account, []).requests
        way.changes["eth_call"] = ignores_overrides
        assert 3 == node.snapshot(anvil.account, []).requests
        way.changes["eth_call"] = refuses_overrides
        with pytest.raises(BadReply, match="too many arguments"):
            node.snapshot(anvil.account, [])
        way.changes.clear()
        assert 1 == node.snapshot(anvil.account, []).requests


def test_rate_limit_is_no_lack_of_overrides(anvil: OnAnvil, way: Relay) -> None:
    way.changes["eth_call"] = lambda *_: Error(-32005, "limit")
    with closing(over(anvil.world, way.url)) as node:
        with pytest.raises(RateLimited):
            node.snapshot(anvil.account, [])
        way.changes.clear()
        assert 1 == node.snapshot(anvil.account, []).requests


def test_reorganisation_during_a_read_in_parts_is_noticed(anvil: OnAnvil, way: Relay) -> None:
    way.changes["eth_call"] = refuses_overrides
    count = itertools.count()

    def moving(params: list[Any], result: Any) -> Any:
        by_number = params[0] not in ("latest", "0x0")
        return {**result, "hash": f"0x{next(count):064x}"} if by_number else result

    at = anvil.world.head()[0]
    way.changes["eth_getBlockByNumber"] = moving
    with (
        closing(over(anvil.world, way.url)) as node,
        pytest.raises(BadReply, match="two different blocks of one number"),
    ):
        node.balances(anvil.account, [native(anvil.chain)], at)


def test_old_balances_are_read_without_code_of_ours_too(anvil: OnAnvil, way: Relay) -> None:
    token = anvil.token(5)
    at = anvil.world.head()[0]
    anvil.mine(2)
    way.changes["eth_call"] = refuses_overrides
    with closing(over(anvil.world, way.url)) as node:
        held = node.balances(anvil.account, [token, native(anvil.chain)], at)
    assert {token: 5, native(anvil.chain): 10**18} == dict(held)


@pytest.mark.parametrize("multicall", [True, False])
def test_hundreds_of_calls_come_back_in_order(anvil: OnAnvil, *, multicall: bool) -> None:
    accounts = [Address(f"0x{number:040x}") for number in range(1, 251)]
    dai = Address(anvil.world.addresses["DAI"])
    anvil.world.fund(accounts[6], {"DAI": 7})
    anvil.world.fund(accounts[249], {"DAI": 250})
    changes = {} if multicall else {"multicall3": None}
    with closing(over(anvil.world, **changes)) as node:
        found = node.read([Read(dai, BALANCE_OF.encode(account)) for account in accounts])
    held = [int.from_bytes(answer or b"", "big") for answer in found]
    assert {7: 7, 250: 250} == {place + 1: raw for place, raw in enumerate(held) if raw}


def test_requests_of_each_operation(anvil: OnAnvil) -> None:
    node, coin = anvil.node, native(anvil.chain)
    token = anvil.token(5)
    node.block()
    operations = {
        "snapshot": (1, lambda: node.snapshot(anvil.account, [coin, token])),
        "balances": (1, lambda: node.balances(anvil.account, [coin, token], 1 + head - 1)),
        "read": (1, lambda: node.read([Read(token.address, BALANCE_OF.encode(STRANGER))] * 9)),
        "block": (1, node.block),
        "code_hashes": (1, lambda: node.code_hashes([STRANGER, token.address])),
        "fees": (1, node.fees),
        "sight": (1, lambda: node.sight(anvil.account, ["0x" + "77" * 32] * 5)),
        "pending_nonce": (1, lambda: node.pending_nonce(anvil.account)),
        "send": (1, lambda: node.send("0x02c0")),
        "simulate": (2, lambda: node.simulate(anvil.account, [], [coin], [])),
    }
    head = node.block().number
    spent = {}
    for name, (_, operation) in operations.items():
        before = node.requests
        operation()
        spent[name] = node.requests - before
    assert {name: expected for name, (expected, _) in operations.items()} == spent


def test_many_threads_share_one_node(anvil: OnAnvil) -> None:
    from concurrent.futures import ThreadPoolExecutor

    token = anvil.token(5)
    with closing(over(anvil.world)) as node, ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: node.snapshot(anvil.account, [token]), range(40)))
        webs = {id(web3) for web3 in pool.map(lambda _: node.web3, range(16))}
    assert {5} == {each.balances[token] for each in taken}
    assert 1 == len(webs)


def test_code_hash_is_the_keccak_of_the_code() -> None:
    assert "" == code_hash(b"")
    assert "0x" + keccak256(b"\1").hex() == code_hash(b"\1")


def test_tokens_of_two_chains_do_not_mix(anvil: OnAnvil) -> None:
    foreign = Token(ChainId(10), STRANGER, 6, "T")
    with pytest.raises(ValueError, match="another chain"):
        anvil.node.balances(anvil.account, [foreign], 1)


def test_url_that_cannot_be_is_refused_without_showing_it(chain: World) -> None:
    with pytest.raises(ValueError, match="https") as caught:
        RpcNode(
            ChainId(1),
            ["http://node.example/v3/secret"],
            genesis=None,
            multicall3=None,
            max_head_age_seconds=None,
            clock=over(chain)._upstreams._members[0]._clock,
        )
    assert "secret" not in str(caught.value)
