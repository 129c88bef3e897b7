"""Simulation: what is asked of the node, and answers that cannot be meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chain.scripted import Scripted, header

from agent.chain.client import web3_over
from agent.chain.fees import NextBlock
from agent.chain.scanner import SCANNER_CODE
from agent.chain.simulate import Rehearsal, simulate
from agent.core.fees import FeeQuote
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.core.simulated import Simulated
from agent.core.snapshot import Block
from agent.errors import BadReply, NoSimulator
from agent.wire.rpc import RpcError

CHAIN = ChainId(1)
ACCOUNT, SPENDER = Address("0x" + "ac" * 20), Address("0x" + "57" * 20)
COIN = Token(CHAIN, NATIVE, 18, "ETH")
TOKEN = Token(CHAIN, Address("0x" + "70" * 20), 6, "T")
HEAD = Block(100, "0x" + "01" * 32, "0x" + "02" * 32, 1_700_000_000, 90)
FOLLOWING = NextBlock(head=HEAD, fees=FeeQuote(80, 3), timestamp=1_700_000_012)
CALL = Call(CHAIN, TOKEN.address, 7, "0x1234")
UNREADABLE = 2**256 - 1
BASE_FEE = 82


def scanned(native: int, *tokens: int) -> dict[str, Any]:
    words = (1, 101, 1_700_000_012, 0, native, 0, *tokens)
    return ran("0x" + "".join(f"{word:064x}" for word in words))


def ran(returned: str = "0x", **changes: Any) -> dict[str, Any]:
    return {"returnData": returned, "logs": [], "gasUsed": "0x5208", "status": "0x1", **changes}


def word(number: int) -> dict[str, Any]:
    return ran(f"0x{number:064x}")


def run(*results: Any, watch: tuple[Token, ...] = (COIN, TOKEN), **changes: Any) -> Simulated:
    block = header(101, baseFeePerGas=hex(BASE_FEE)) | {"calls": list(results)} | changes
    return asked(Scripted(eth_simulateV1=[block]), watch)


def asked(node: Scripted, watch: tuple[Token, ...] = (COIN, TOKEN)) -> Simulated:
    spender = Allowance(SPENDER, Amount(TOKEN, 5))
    rehearsal = Rehearsal(
        account=ACCOUNT, calls=[(CALL, 90_000)], watch=watch, allowances=[spender]
    )
    return simulate(web3_over(node.ask, CHAIN), FOLLOWING, rehearsal)


def test_deltas_exclude_the_fee_at_the_price_of_the_simulated_block() -> None:
    fee = 21_000 * (BASE_FEE + 3)
    done = run(scanned(10**7, 50), ran(), scanned(10**7 - 7 - fee, 40), word(5))
    assert (True, {COIN: -7, TOKEN: -10}, (21_000,), (5,), None) == (
        done.ok,
        dict(done.deltas),
        done.gas_used,
        done.allowances,
        done.reverted,
    )


def test_price_is_no_more_than_what_was_offered() -> None:
    offered = 80 * 9 // 8 + 1 + 3
    done = run(
        scanned(10**7), ran(), scanned(10**7 - 21_000 * offered), word(0),
        watch=(COIN,), baseFeePerGas="0xffff",
    )  # fmt: skip
    assert {COIN: 0} == dict(done.deltas)


def test_rehearsal_is_validated_priced_and_unrecognisable() -> None:
    node = Scripted(eth_simulateV1=RpcError(-38014, "insufficient funds"))
    asked(node)
    asked(node)
    (_, (parameter, at)), (_, (again, _)) = (batch[0] for batch in node.batches)
    (block,) = parameter["blockStateCalls"]
    assert (True, hex(100), hex(1_700_000_012)) == (
        parameter["validation"],
        at,
        block["blockOverrides"]["time"],
    )
    scan, act, scan_again, allowance = block["calls"]
    assert (ACCOUNT, "0x7", "0x1234", hex(90_000)) == (
        act["from"].lower(),
        act["value"],
        act["input"],
        act["gas"],
    )
    assert scan == scan_again
    assert all("nonce" not in each for each in block["calls"])
    assert {(hex(94), hex(3))} == {
        (each["maxFeePerGas"], each["maxPriorityFeePerGas"]) for each in block["calls"]
    }
    readers = {scan["from"], allowance["from"]}
    assert 1 == len(readers)
    assert {*readers, scan["to"]} == set(block["stateOverrides"])
    assert "0x" + SCANNER_CODE.hex() == block["stateOverrides"][scan["to"]]["code"]
    assert not set(block["stateOverrides"]) & set(again["blockStateCalls"][0]["stateOverrides"])
    assert "dd62ed3e" == allowance["input"][2:10]


def test_first_failure_is_named_by_the_contracts_reason_or_the_nodes_word() -> None:
    custom = ran("0xfb8f41b2", status="0x0", error={"code": 3, "message": "execution reverted"})
    done = run(scanned(1, 1), custom, scanned(1, 1), word(0))
    assert (False, (0, "custom error 0xfb8f41b2")) == (done.ok, done.reverted)
    mute = ran(status="0x0", error={"code": -32015, "message": "out of gas\x1b"})
    assert (0, "out of gas\\x1b") == run(scanned(1, 1), mute, scanned(1, 1), word(0)).reverted
    bare = ran(status="0x0")
    assert (0, "reverted without a reason") == run(
        scanned(1, 1), bare, scanned(1, 1), word(0)
    ).reverted


@pytest.mark.parametrize("code", [-38014, -38010, -32003])
def test_rejected_calls_are_a_failure_in_the_nodes_words(code: int) -> None:
    done = asked(Scripted(eth_simulateV1=RpcError(code, "insufficient funds")))
    assert (False, (0, "the node rejects the calls: insufficient funds"), (), {}) == (
        done.ok,
        done.reverted,
        done.gas_used,
        done.deltas,
    )


@pytest.mark.parametrize("code", [-32601, -32004])
def test_node_without_the_method_cannot_simulate(code: int) -> None:
    with pytest.raises(NoSimulator) as caught:
        asked(Scripted(eth_simulateV1=RpcError(code, "no such method")))
    assert "N105" == caught.value.code


@pytest.mark.parametrize("code", [-32000, -32603, -32005])
def test_other_errors_are_the_nodes_and_no_verdict_on_the_calls(code: int) -> None:
    with pytest.raises(RpcError, match="header not found"):
        asked(Scripted(eth_simulateV1=RpcError(code, "header not found")))


FINE = (scanned(1, 1), ran(), scanned(1, 1), word(0))


@pytest.mark.parametrize(
    "results",
    [
        FINE[:3],
        (*FINE, ran()),
        (scanned(1), *FINE[1:]),
        (scanned(1, UNREADABLE), *FINE[1:]),
        (*FINE[:2], scanned(1, UNREADABLE), FINE[3]),
        (ran(status="0x0"), *FINE[1:]),
        (*FINE[:3], ran("0x")),
        (*FINE[:3], word(0) | {"status": "0x0"}),
        (FINE[0], ran(gasUsed=None), *FINE[2:]),
        (FINE[0], ran(gasUsed="lots"), *FINE[2:]),
        (FINE[0], ran(status="0x2"), *FINE[2:]),
        (FINE[0], {}, *FINE[2:]),
        (FINE[0], None, *FINE[2:]),
        (FINE[0], ran(None), *FINE[2:]),  # type: ignore[arg-type]
    ],
)
def test_answer_that_cannot_be_meant_is_refused(results: tuple[Any, ...]) -> None:
    with pytest.raises(BadReply):
        run(*results)


@pytest.mark.parametrize("answer", [None, [], {}, "0x", [1, 2], [None], [{}]])
def test_answer_without_a_block_is_refused(answer: Any) -> None:
    with pytest.raises(BadReply):
        asked(Scripted(eth_simulateV1=answer))


@pytest.mark.parametrize("base_fee", [None, "dear", [1]])
def test_block_without_base_fee_is_refused(base_fee: Any) -> None:
    with pytest.raises(BadReply):
        run(*FINE, baseFeePerGas=base_fee)


def test_calls_on_a_legacy_chain_offer_a_gas_price_and_pay_it_in_full() -> None:
    following = replace(FOLLOWING, fees=FeeQuote(80, 0, kind="legacy"), model="legacy")
    fee = 21_000 * 80
    done, node = probed(following, scanned(10**7, 50), ran(), scanned(10**7 - 7 - fee, 40), word(5))
    assert {COIN: -7, TOKEN: -10} == dict(done.deltas)
    (block,) = node.batches[0][0][1][0]["blockStateCalls"]
    assert {hex(80)} == {call["gasPrice"] for call in block["calls"]}
    assert all("maxFeePerGas" not in call for call in block["calls"])


def test_fee_beside_the_gas_is_found_by_what_the_reader_paid() -> None:
    following = replace(FOLLOWING, model="op_stack")
    price, beside = BASE_FEE + 3, 1_000
    left = 10**24 - 3 * (21_000 * price + beside)
    after = 10**7 - 7 - 21_000 * price - beside
    done, node = probed(
        following, scanned(10**7, 50), ran(), scanned(after, 40), word(5), scanned(left)
    )
    assert (True, {COIN: -7, TOKEN: -10}, (5,)) == (done.ok, dict(done.deltas), done.allowances)
    (block,) = node.batches[0][0][1][0]["blockStateCalls"]
    reader, witness = block["calls"][0]["from"], block["calls"][-1]["from"]
    assert reader != witness
    assert reader.lower() == block["calls"][-1]["input"]
    assert {reader, witness} <= set(block["stateOverrides"])


@pytest.mark.parametrize("left", [10**24 - 3 * 21_000 * 85 - 1, 10**24 - 3 * 21_000 * 85 + 3])
def test_fees_that_do_not_add_up_are_no_simulation(left: int) -> None:
    following = replace(FOLLOWING, model="op_stack")
    with pytest.raises(BadReply, match="do not add up"):
        probed(following, scanned(10**7, 50), ran(), scanned(10**7, 40), word(5), scanned(left))


def test_reading_that_failed_is_no_fee_of_zero() -> None:
    following = replace(FOLLOWING, model="op_stack")
    failed = ran(status="0x0", error={"code": -32000, "message": "out of gas"})
    with pytest.raises(BadReply, match="no balances"):
        probed(following, scanned(10**7, 50), ran(), scanned(10**7, 40), word(5), failed)


def probed(following: NextBlock, *results: Any) -> tuple[Simulated, Scripted]:
    block = header(101, baseFeePerGas=hex(BASE_FEE)) | {"calls": list(results)}
    node = Scripted(eth_simulateV1=[block])
    rehearsal = Rehearsal(
        account=ACCOUNT,
        calls=[(CALL, 90_000)],
        watch=(COIN, TOKEN),
        allowances=[Allowance(SPENDER, Amount(TOKEN, 5))],
    )
    return simulate(web3_over(node.ask, CHAIN), following, rehearsal), node
