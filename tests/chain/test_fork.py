"""A fork takes what nobody signed, under a hash that stands in for the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from chain.relay import Error, relay
from conformance.nodes import STRANGER, OnAnvil, native, over, pay, transfer

from agent.chain.fork import IMPERSONATED, ForkNode, impersonated_hash
from agent.core.log import LogQuery
from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.errors import KeyNotAllowed, NoSimulator
from agent.lab.sandbox import ForkSandbox
from agent.ports import Node, Read
from agent.wire.abi import functions
from agent.wire.rpc import Rpc

UNKNOWN = "0x" + "77" * 32


@pytest.fixture
def url(anvil: OnAnvil, lab_cache: Path) -> Iterator[str]:
    at = anvil.world.head()[0]
    with ForkSandbox(lab_cache).fork(anvil.chain, anvil.world.url, at) as url:
        yield url


@pytest.fixture
def fork(anvil: OnAnvil, url: str) -> Iterator[ForkNode]:
    with closing(ForkNode(over(anvil.world, url), url)) as fork:
        yield fork


def unsigned(account: Address, call: Call, nonce: int, **changes: Any) -> str:
    fields = {
        "from": account,
        "to": call.to,
        "value": hex(call.value),
        "data": call.data,
        "gas": hex(200_000),
        "nonce": hex(nonce),
        "maxFeePerGas": hex(10**11),
        "maxPriorityFeePerGas": hex(10**9),
    }
    return IMPERSONATED + json.dumps(fields | changes)


def test_fork_executes_unsigned_transactions_under_stand_in_hashes(
    anvil: OnAnvil, fork: ForkNode, url: str
) -> None:
    coin = native(anvil.chain)
    raw = unsigned(anvil.account, pay(anvil.chain, STRANGER, 500), 0)
    hashed = "0x" + sha256(raw.encode()).hexdigest()
    assert hashed == impersonated_hash(raw)
    assert ((None,), (False,)) == (
        fork.sight(anvil.account, [hashed]).receipts,
        fork.sight(anvil.account, [hashed]).known,
    )
    assert fork.send(raw).accepted
    Rpc(url).call("anvil_mine", "0x1")
    seen = fork.sight(anvil.account, [hashed, UNKNOWN])
    (receipt, none) = seen.receipts
    assert receipt is not None
    assert (hashed, True, None, (True, False), 1) == (
        receipt.hash,
        receipt.ok,
        none,
        seen.known,
        seen.nonce,
    )
    left = fork.balances(anvil.account, [coin], receipt.block_number)[coin]
    assert 10**18 - 500 - receipt.fee == left
    # The original is untouched.
    assert 10**18 == anvil.node.snapshot(anvil.account, [coin]).balances[coin]


def test_fork_measures_transfers_by_the_stand_in_hash(anvil: OnAnvil, url: str) -> None:
    token = anvil.token(100)
    with closing(ForkNode(over(anvil.world), anvil.world.url)) as fork:
        raw = unsigned(anvil.account, transfer(token, STRANGER, 30), 0)
        assert fork.send(raw).accepted
        anvil.mine()
        assert (0, 30) == fork.received(anvil.account, token, impersonated_hash(raw))
        (log,) = fork.logs_of(impersonated_hash(raw))
        assert log.address == token.address
        at = log.block_number
        query = LogQuery(address=token.address, topics=log.topics, first=at, last=at)
        # Logs carry the real hash, by which they can be asked for again.
        assert (log,) == fork.logs(query) == fork.logs_of(log.transaction)


def test_same_text_twice_is_one_transaction(anvil: OnAnvil, fork: ForkNode, url: str) -> None:
    raw = unsigned(anvil.account, pay(anvil.chain, STRANGER, 1), 0)
    assert [True, True] == [fork.send(raw).accepted for _ in range(2)]
    Rpc(url).call("anvil_mine", "0x1")
    assert 1 == fork.sight(anvil.account, [impersonated_hash(raw)]).nonce


def test_fork_reads_as_its_inner_node(anvil: OnAnvil, fork: ForkNode) -> None:
    port: Node = fork
    coin = native(anvil.chain)
    assert anvil.chain == port.chain
    assert 10**18 == port.snapshot(anvil.account, [coin]).balances[coin]
    assert port.block(port.block().number) == port.block()
    assert 0 == port.pending_nonce(anvil.account)
    assert "" == port.code_hashes([anvil.account])[anvil.account]
    assert 1 <= port.fees().priority_fee_per_gas
    weth = Address(anvil.world.addresses["WETH"])
    (decimals,) = port.read([Read(weth, functions("erc20")["decimals()"].encode())])
    assert 18 == int.from_bytes(decimals or b"", "big")
    done = port.simulate(anvil.account, [(pay(anvil.chain, STRANGER, 5), 21_000)], [coin], [])
    assert {coin: -5} == dict(done.deltas)
    before = port.requests
    port.block()
    assert 1 == port.requests - before


def test_signed_bytes_never_reach_a_fork(anvil: OnAnvil, fork: ForkNode) -> None:
    signed = anvil.sign(pay(anvil.chain, STRANGER, 1), 0)
    before = fork.requests
    with pytest.raises(KeyNotAllowed, match="valid on the original") as caught:
        fork.send(signed.raw)
    assert ("K105", before) == (caught.value.code, fork.requests)
    assert signed.raw not in str(caught.value)


@pytest.mark.parametrize("url", ["https://node.example/v3/secret", "https://10.0.0.1"])
def test_fork_elsewhere_is_refused(anvil: OnAnvil, url: str) -> None:
    with pytest.raises(KeyNotAllowed, match="not this machine") as caught:
        ForkNode(anvil.node, url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"from": "0x1"}),
        json.dumps({"from": "0x1", "gasPrice": "0x1"}),
        unsigned(STRANGER, pay(ChainId(1), STRANGER, 1), 0, value=1).removeprefix(IMPERSONATED),
        unsigned(STRANGER, pay(ChainId(1), STRANGER, 1), 0, gas="5").removeprefix(IMPERSONATED),
        unsigned(STRANGER, pay(ChainId(1), STRANGER, 1), 0, more="0x").removeprefix(IMPERSONATED),
    ],
)
def test_text_that_is_no_transaction_is_refused(fork: ForkNode, raw: str) -> None:
    with pytest.raises(ValueError, match=r"impersonated|Expecting"):
        fork.send(IMPERSONATED + raw)


def test_what_the_fork_says_no_to_is_an_unknown(anvil: OnAnvil, fork: ForkNode) -> None:
    poor = Address("0x" + "99" * 20)
    raw = unsigned(poor, pay(anvil.chain, STRANGER, 1), 0)
    sent = fork.send(raw)
    assert (False, True) == (sent.accepted, "nsufficient funds" in sent.said)
    assert (False,) == fork.sight(poor, [impersonated_hash(raw)]).known


def test_dead_fork_is_an_unknown(anvil: OnAnvil) -> None:
    with relay(anvil.world.url, status=503) as way:
        fork = ForkNode(anvil.node, way.url)
        sent = fork.send(unsigned(anvil.account, pay(anvil.chain, STRANGER, 1), 0))
    assert (False, True) == (sent.accepted, "503" in sent.said)


def test_node_that_is_no_fork_is_told_apart(anvil: OnAnvil) -> None:
    no_such_method = Error(-32601, "the method anvil_impersonateAccount does not exist")
    with relay(anvil.world.url) as way:
        way.changes["anvil_impersonateAccount"] = lambda *_: no_such_method
        fork = ForkNode(anvil.node, way.url)
        with pytest.raises(NoSimulator, match="no fork"):
            fork.send(unsigned(anvil.account, pay(anvil.chain, STRANGER, 1), 0))
    assert 0 == way.count("eth_sendTransaction")


def test_fork_executes_a_legacy_transaction_at_its_gas_price(
    anvil: OnAnvil, fork: ForkNode, url: str
) -> None:
    typed = json.loads(
        unsigned(anvil.account, pay(anvil.chain, STRANGER, 5), 0)[len(IMPERSONATED) :]
    )
    call = {name: value for name, value in typed.items() if not name.startswith("max")}
    raw = IMPERSONATED + json.dumps(call | {"gasPrice": hex(10**11)})
    assert fork.send(raw).accepted
    Rpc(url).call("anvil_mine", "0x1")
    (receipt,) = fork.sight(anvil.account, [impersonated_hash(raw)]).receipts
    assert receipt is not None
    assert (True, receipt.gas_used * 10**11) == (receipt.ok, receipt.fee)
    both = IMPERSONATED + json.dumps(typed | {"gasPrice": hex(10**11)})
    with pytest.raises(ValueError, match="no other price"):
        fork.send(both)
