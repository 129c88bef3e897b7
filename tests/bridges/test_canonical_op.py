"""The OP stack's bridge: what it offers, what its bytes mean, and deposits until they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bridge_rigs import STRANGER, WALLET, native, token
from op_rig import ETHER, FACTS, PARENT, ROLLUP, Stack, clean_stack, open_stack

from agent.bridges._op_stack import MIN_GAS, bridge_data
from agent.bridges._op_tracking import MAX_CLAIMS
from agent.bridges.canonical_op import CLAIMS_GAS, WITHDRAW_GAS, make
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.errors import BadReply, NoRoute, Unavailable, Unreachable
from agent.lab.providers import _op_contracts as there
from agent.lab.sandbox import deliver
from agent.ports import Act, Gone, Transfer, Waiting
from agent.wire import calldata

REVERTS = "0x5f5ffd"
"""Code of an account that takes no money: PUSH0 PUSH0 REVERT."""


@pytest.fixture(scope="module")
def opened(lab_cache: Path) -> Iterator[Stack]:
    with open_stack(lab_cache) as found:
        yield found


@pytest.fixture
def stack(opened: Stack) -> Iterator[Stack]:
    with clean_stack(opened) as found:
        yield found


class Mute:
    """A node of which nothing is to be had."""

    def __getattr__(self, name: str) -> Any:
        def silent(*_: object, **__: object) -> None:
            raise Unreachable("no answer", fix="wait")

        return silent


def meant(stack: Stack, call: Call) -> Meaning | Refusal:
    return calldata.meaning(call, stack.bridge.layouts, account=WALLET)


# What it offers.


def test_deposit_is_one_to_one_and_takes_minutes(stack: Stack) -> None:
    sell, buy = native(PARENT), native(ROLLUP)
    (edge,) = stack.bridge.survey([(sell, buy)], {sell: 5 * ETHER})
    assert ("canonical_op", sell, buy) == (edge.via, edge.sell, edge.buy)
    assert (((1, 1), (5 * ETHER, 5 * ETHER)), 180) == (edge.ladder, edge.seconds)
    (least,) = stack.bridge.survey([(sell, buy)], {sell: 1})
    assert ((1, 1),) == least.ladder
    assert 0 == edge.far_gas
    used = stack.send(stack.deposit_leg()).gas_used
    assert used <= edge.gas <= used * 11 // 10


def test_withdrawal_takes_what_the_contracts_say_and_claims_on_ethereum(stack: Stack) -> None:
    sell, buy = native(ROLLUP), native(PARENT)
    (edge,) = stack.bridge.survey([(sell, buy)], {sell: ETHER})
    delay = max(there.PROOF_MATURITY_SECONDS, there.CLOCK_SECONDS + there.AIR_GAP_SECONDS)
    assert 3_600 + delay == edge.seconds
    assert (WITHDRAW_GAS, CLAIMS_GAS) == (edge.gas, edge.far_gas)


def test_what_ethereum_does_not_tell_is_no_edge(stack: Stack) -> None:
    nodes: Mapping[ChainId, Any] = {PARENT: Mute(), ROLLUP: stack.nodes[ROLLUP]}
    bridge = make(stack.options(), stack.io(nodes))
    routes = [(native(ROLLUP), native(PARENT)), (native(PARENT), native(ROLLUP))]
    assert () == bridge.survey(routes, {native(chain): ETHER for chain in (PARENT, ROLLUP)})


def test_pairs_beside_the_gas_coin_have_no_way(stack: Stack) -> None:
    near, far = native(PARENT), native(ROLLUP)
    wrapped = token(stack.worlds[ROLLUP], "WETH")
    elsewhere = replace(far, chain=ChainId(10))
    for sell, buy in [(near, wrapped), (near, near), (near, elsewhere), (elsewhere, near)]:
        assert () == stack.bridge.survey([(sell, buy)], {sell: ETHER})
        with pytest.raises(NoRoute, match="does not carry this pair"):
            stack.quote(stack.leg(sell, buy) if sell != elsewhere else stack.leg(near, elsewhere))
    assert () == stack.bridge.survey([(near, far)], {near: 0})
    with pytest.raises(NoRoute, match="does not carry this pair"):
        stack.quote(stack.deposit_leg(0))


@pytest.mark.parametrize("sell", [PARENT, ROLLUP])
def test_quote_names_the_wallet_and_loses_nothing(stack: Stack, sell: ChainId) -> None:
    buy = ROLLUP if sell == PARENT else PARENT
    quote = stack.quote(stack.leg(native(sell), native(buy)))
    assert (ETHER, ETHER, ()) == (quote.amount_out, quote.min_amount_out, quote.allowances)
    assert isinstance(quote.payload, Call)
    to = there.L1_BRIDGE if sell == PARENT else there.L2_BRIDGE
    assert Call(sell, Address(to), ETHER, bridge_data(WALLET)) == quote.payload
    said = meant(stack, quote.payload)
    assert isinstance(said, Meaning), said
    assert (WALLET, NATIVE, NATIVE) == (said.recipient, said.sell, said.buy)
    assert (buy, ETHER, ETHER, True) == (said.to_chain, said.value, said.min_out, said.lasting)


def test_quote_below_the_least_is_no_way(stack: Stack) -> None:
    leg = stack.deposit_leg()
    with pytest.raises(NoRoute, match="brings no more than is sent"):
        stack.bridge.quote(leg, ETHER, WALLET, ETHER + 1, stack.now())


@pytest.mark.parametrize("sell", [PARENT, ROLLUP])
def test_paused_bridge_is_no_way(stack: Stack, sell: ChainId) -> None:
    stack.tell("pause")
    leg = stack.leg(native(sell), native(ROLLUP if sell == PARENT else PARENT))
    with pytest.raises(NoRoute, match="is paused on chain 1"):
        stack.quote(leg)


@pytest.mark.parametrize(
    ("chain", "fact", "wrong", "told"),
    [
        (PARENT, "messenger", there.PORTAL, "as its messenger"),
        (PARENT, "portal", there.L1_BRIDGE, "as its portal"),
        (PARENT, "bridge", there.GAME_FACTORY, "as its messenger"),
        (ROLLUP, "bridge", there.L2_MESSENGER, "as its otherBridge"),
        (ROLLUP, "messenger", there.MESSAGE_PASSER, "as its otherMessenger"),
    ],
)
def test_bridge_that_belongs_to_another_is_not_used(
    stack: Stack, chain: ChainId, fact: str, wrong: str, told: str
) -> None:
    facts: dict[ChainId, Any] = {each: dict(table) for each, table in FACTS.items()}
    if chain == PARENT:
        facts[PARENT]["base"] = {**FACTS[PARENT]["base"], fact: wrong}
    else:
        facts[ROLLUP][fact] = wrong
    bridge = make(stack.options(facts), stack.io())
    with pytest.raises(BadReply, match=told):
        bridge.quote(stack.deposit_leg(), ETHER, WALLET, 1, stack.now())


def test_targets_are_those_of_each_side(stack: Stack) -> None:
    ours = {there.L1_BRIDGE, there.L1_MESSENGER, there.PORTAL}
    assert ours == set(stack.bridge.targets(PARENT))
    assert {there.L2_BRIDGE, there.L2_MESSENGER} == set(stack.bridge.targets(ROLLUP))
    assert {} == stack.bridge.targets(ChainId(10))
    for chain in (PARENT, ROLLUP):
        targets = stack.bridge.targets(chain)
        assert dict(stack.nodes[chain].code_hashes(tuple(targets))) == targets


def test_no_word_of_the_bytes_can_be_changed_unseen(stack: Stack) -> None:
    call = stack.quote(stack.deposit_leg()).payload
    assert isinstance(call, Call)
    honest = meant(stack, call)
    body = bytes.fromhex(call.data[10:])
    for word in range(len(body) // 32):
        for place in range(32):
            changed = bytearray(body)
            changed[32 * word + place] ^= 0x01
            other = meant(stack, replace(call, data=call.data[:10] + changed.hex()))
            assert isinstance(other, Refusal) or (
                word == 0 and isinstance(honest, Meaning) and other.recipient != honest.recipient
            )


# Deposits.


def test_deposit_waits_for_the_rollup_and_arrives_to_the_wei(stack: Stack) -> None:
    leg = stack.deposit_leg()
    before = stack.held(ROLLUP)
    sent = stack.send(leg)
    waiting = stack.track(leg, sent)
    assert isinstance(waiting, Waiting)
    assert waiting.why.startswith(
        "1.0000 ETH is on its way: chain 8453 makes the deposit of chain 1, usually within 3 min, "
        "and its rules force it by 20"
    )
    stack.worlds.turn()
    shallow = stack.track(leg, sent)
    assert isinstance(shallow, Waiting)
    told = "1.0000 ETH was delivered on chain 8453 and waits for 2 confirmations (1 now)"
    assert told == shallow.why
    assert waiting.id == shallow.id
    stack.pass_time()
    for _ in range(2):
        assert Amount(native(ROLLUP), ETHER) == stack.arrived(leg, sent)
    assert before + ETHER == stack.held(ROLLUP)


def test_deposit_that_the_rollup_leaves_lying_is_late(stack: Stack) -> None:
    stack.tell("deposits", "never")
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    stack.pass_time(1_000)
    late = stack.track(leg, sent)
    assert isinstance(late, Waiting)
    assert late.why.startswith("1.0000 ETH is late: ")
    stack.tell("deposits", "late")
    stack.pass_time()
    stack.pass_time()
    assert Amount(native(ROLLUP), ETHER) == stack.arrived(leg, sent)


def test_deposit_that_failed_is_replayed_by_us(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    rollup = stack.worlds[ROLLUP].rpc
    rollup.call("anvil_setCode", WALLET, REVERTS)
    stack.pass_time()
    failed = stack.track(leg, sent)
    assert isinstance(failed, Act)
    why = "1.0000 ETH: its delivery failed on chain 8453 and is tried once more"
    assert (why, ROLLUP, "claim") == (failed.why, failed.draft.chain, failed.draft.purpose)
    gone = stack.track(leg, sent, claims=MAX_CLAIMS)
    assert isinstance(gone, Gone)
    rollup.call("anvil_setCode", WALLET, "0x")
    stack.claim(failed, STRANGER)
    stack.pass_time()
    assert Amount(native(ROLLUP), ETHER) == stack.arrived(leg, sent)
    assert 11 * ETHER == stack.held(ROLLUP)


def test_transaction_that_is_elsewhere_is_waited_for(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = replace(stack.send(leg), block_hash="0x" + "77" * 32)
    moved = stack.track(leg, sent)
    assert isinstance(moved, Waiting)
    assert "the transfer is not where it was mined" == moved.why


def test_transaction_that_sent_something_else_is_said(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    other = stack.track(replace(leg, sell=replace(leg.sell, fixed_raw=7)), sent)
    assert Gone(f"transaction {sent.hash} sent 0 transfers for this leg") == other
    odd = stack.track(replace(leg, buy=token(stack.worlds[ROLLUP], "WETH")), sent)
    assert Gone("ETH does not cross to chain 8453 here") == odd


def test_only_unfinished_transfers_of_the_wallet_to_itself_are_found(stack: Stack) -> None:
    first = stack.nodes[PARENT].block().number
    since = {PARENT: first, ROLLUP: stack.nodes[ROLLUP].block().number}
    assert () == stack.bridge.find(WALLET, since)
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    stack.sent(Call(PARENT, Address(there.L1_BRIDGE), 5, bridge_data(STRANGER)))
    (found,) = stack.bridge.find(WALLET, since)
    waiting = stack.track(leg, sent)
    assert isinstance(waiting, Waiting)
    expected = Transfer(
        via="canonical_op",
        id=waiting.id,
        sold=Amount(native(PARENT), ETHER),
        buy=native(ROLLUP),
        least=ETHER,
        deposit=sent.hash,
        block=sent.block_number,
    )
    assert expected == found
    assert () == stack.bridge.find(STRANGER, since)
    assert () == stack.bridge.find(WALLET, {ROLLUP: 0})
    assert () == stack.bridge.find(WALLET, {PARENT: sent.block_number + 2})
    stack.pass_time()
    assert () == stack.bridge.find(WALLET, since)


def test_tokens_that_are_sent_beside_are_not_taken_for_the_coin(stack: Stack) -> None:
    world = stack.worlds[PARENT]
    world.fund(WALLET, {"DAI": ETHER})
    dai = Token(PARENT, Address(world.addresses["DAI"]), 18, "DAI")
    leg = stack.deposit_leg()
    approve = "0x095ea7b3" + f"{int(there.L1_BRIDGE, 16):064x}{ETHER:064x}"
    stack.sent(Call(PARENT, dai.address, 0, approve))
    far = stack.worlds[ROLLUP].addresses["DAI"]
    words = [int(dai.address, 16), int(far, 16), int(WALLET, 16), ETHER, MIN_GAS, 192, 0]
    data = "0x540abf73" + "".join(f"{word:064x}" for word in words)
    sent = stack.sent(Call(PARENT, Address(there.L1_BRIDGE), 0, data))
    assert Gone(f"transaction {sent.hash} sent 0 transfers for this leg") == stack.track(leg, sent)


def test_delivery_on_a_fork_is_what_the_rollup_would_send(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    plan = stack.bridge.rehearse(leg, sent, STRANGER)
    assert plan is not None
    before = stack.held(ROLLUP)
    deliver(stack.worlds[ROLLUP].url, plan)
    stack.worlds.jump(1)
    assert Amount(native(ROLLUP), ETHER) == stack.arrived(leg, sent)
    assert before + ETHER == stack.held(ROLLUP)
    assert None is stack.bridge.rehearse(leg, sent, STRANGER)
    assert None is stack.bridge.rehearse(replace(leg, buy=leg.sell.token), sent, STRANGER)


def test_silent_far_chain_is_an_error_and_no_word_about_the_money(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    nodes: Mapping[ChainId, Any] = {PARENT: stack.nodes[PARENT], ROLLUP: Mute()}
    bridge = make(stack.options(), stack.io(nodes))
    with pytest.raises(Unavailable):
        bridge.track(leg, sent, ETHER, 0, stack.now())
    with pytest.raises(Unavailable):
        bridge.find(WALLET, {PARENT: 0})


def test_messenger_that_does_not_answer_is_an_error(stack: Stack) -> None:
    leg = stack.deposit_leg()
    sent = stack.send(leg)
    stack.worlds[ROLLUP].rpc.call("anvil_setCode", there.L2_MESSENGER, REVERTS)
    with pytest.raises(BadReply, match="does not tell what it delivered"):
        stack.track(leg, sent)
    stack.worlds[ROLLUP].rpc.call("anvil_setCode", there.L2_MESSENGER, "0x")
    with pytest.raises(BadReply, match="the OP stack's bridge answered with"):
        stack.track(leg, sent)
