"""LI.FI between local chains: its calldata makes the deposit that was quoted, and it arrives."""

from dataclasses import dataclass
from typing import Any

import pytest
from lab.reading import ALICE
from lab.trading import Call, allow, ask, fund, held

from agent.errors import SetupFailed
from agent.lab.providers import lifi
from agent.lab.providers._lifi_across import CROSSING_FORGERIES
from agent.lab.providers._mischief import ROBBER
from agent.lab.puppet import Puppet, Tx
from agent.lab.worlds import Worlds

NATIVE = "0x" + "00" * 20


@dataclass(frozen=True)
class Way:
    near: int
    far: int
    symbol: str
    amount: int


WAYS = [Way(1, 8453, "USDC", 10**9), Way(8453, 42161, "ETH", 10**18)]


def quote(worlds: Worlds, way: Way, **more: Any) -> tuple[int, Any]:
    tokens = [
        NATIVE if way.symbol == "ETH" else worlds[chain].addresses[way.symbol]
        for chain in (way.near, way.far)
    ]
    query = {
        "fromChain": way.near,
        "toChain": way.far,
        "fromToken": tokens[0],
        "toToken": tokens[1],
        "fromAmount": way.amount,
        "fromAddress": ALICE,
        **more,
    }
    return ask(worlds, "lifi", "/v1/quote", query)


def quoted(worlds: Worlds, way: Way) -> tuple[int, Call]:
    status, got = quote(worlds, way)
    assert 200 == status, got
    transaction, estimate = got["transactionRequest"], got["estimate"]
    value, spender = int(transaction["value"], 16), estimate["approvalAddress"]
    call = Call(transaction["to"], transaction["data"], value, spender, transaction["chainId"])
    return int(estimate["toAmountMin"]), call


def deposit(worlds: Worlds, way: Way, call: Call) -> str:
    """Send it; returns the transaction's hash."""
    alice = fund(worlds[way.near], way.symbol, way.amount)
    allow(worlds[way.near], way.symbol, call.spender, way.amount)
    (receipt,) = alice.send(Tx(to=call.to, input=call.data, value=call.value, what="crossing"))
    return str(receipt["transactionHash"])


def status(worlds: Worlds, number: str) -> tuple[str, str]:
    told = ask(worlds, "lifi", "/v1/status", {"txHash": number})[1]
    return told["status"], told["substatus"]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.symbol)
def test_deposit_arrives_as_it_was_quoted(chains: Worlds, way: Way) -> None:
    chains.relay("never")
    promised, call = quoted(chains, way)
    assert (lifi.DIAMOND, "0xa1f1ce43") == (call.to.lower(), call.data[:10])
    before = held(chains[way.far], way.symbol)
    number = deposit(chains, way, call)
    assert ("PENDING", "WAIT_DESTINATION_TRANSACTION") == status(chains, number)
    chains.relay("prompt")
    chains.jump(10)
    chains.turn()
    assert promised == held(chains[way.far], way.symbol) - before
    assert ("DONE", "COMPLETED") == status(chains, number)


def test_deposit_that_nobody_fills_is_refunded_to_who_made_it(chains: Worlds) -> None:
    way = WAYS[0]
    chains.relay("never")
    number = deposit(chains, way, quoted(chains, way)[1])
    chains.jump(7_300)
    assert ("PENDING", "REFUND_IN_PROGRESS") == status(chains, number)
    before = held(chains[1], "USDC")
    chains.turn()
    assert way.amount == held(chains[1], "USDC") - before
    assert ("DONE", "REFUNDED") == status(chains, number)


def test_transaction_that_is_none_or_failed_is_told(chains: Worlds) -> None:
    assert "NOT_FOUND" == status(chains, "0x" + "11" * 32)[0]
    _, call = quoted(chains, WAYS[0])
    sent = {"from": ALICE, "to": call.to, "input": call.data, "gas": hex(10**6)}
    Puppet(chains[1].rpc, ALICE)
    number = str(chains[1].rpc.call("eth_sendTransaction", sent))
    chains[1].mine()
    assert ("FAILED", "UNKNOWN_ERROR") == status(chains, number)
    receipt = fund(chains[1], "USDC", 1).send(Tx(to=ALICE, input="0x", what="nothing"))[0]
    assert ("DONE", "COMPLETED") == status(chains, receipt["transactionHash"])


@pytest.mark.parametrize("way", sorted(CROSSING_FORGERIES))
def test_forgery_changes_the_next_offer_and_no_more(chains: Worlds, way: str) -> None:
    honest = quoted(chains, WAYS[0])
    chains.tell("lifi", "forge", way)
    forged = quoted(chains, WAYS[0])
    assert honest != forged
    assert (way == "inflated") == (honest[0] != forged[0])
    assert honest == quoted(chains, WAYS[0])


def test_lie_about_swaps_leaves_a_crossing_as_it_is(chains: Worlds) -> None:
    honest = quoted(chains, WAYS[0])
    chains.tell("lifi", "forge", "fee")
    assert honest == quoted(chains, WAYS[0])
    assert 0 == chains.tell("lifi", "left")["forgeries_left"]


def test_forged_recipient_would_get_the_money(chains: Worlds) -> None:
    chains.tell("lifi", "forge", "recipient")
    promised, call = quoted(chains, WAYS[0])
    deposit(chains, WAYS[0], call)
    chains.jump(10)
    chains.turn()
    assert promised == held(chains[8453], "USDC", ROBBER)


@pytest.mark.parametrize(("find", "put"), [("a1a1a1a1", "a1a1a1a2"), (8453, 1)])
def test_diamond_wants_both_halves_of_its_calldata_to_agree(
    chains: Worlds, find: str | int, put: str | int
) -> None:
    way = WAYS[0]
    _, call = quoted(chains, way)
    before, after = (f"{each:064x}" if isinstance(each, int) else each for each in (find, put))
    odd = Call(call.to, call.data.replace(before, after, 1), call.value, call.spender)
    assert odd.data != call.data
    with pytest.raises(SetupFailed, match="reverted"):
        deposit(chains, way, odd)


@pytest.mark.parametrize(
    "more",
    [
        {"fromAmount": 1},
        {"fromAmount": 10**30},
        {"toToken": "0x4200000000000000000000000000000000000006"},
        {"toToken": NATIVE},
    ],
)
def test_what_does_not_cross_has_no_quote(worlds: Worlds, more: dict[str, Any]) -> None:
    status, found = quote(worlds, WAYS[0], **more)
    assert (404, 1002) == (status, found["code"])
