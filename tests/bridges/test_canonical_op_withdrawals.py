"""Withdrawals over the OP stack's bridge: outputs, proofs, disputes, claims, by us and by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bridge_rigs import STRANGER, WALLET, native
from op_rig import ETHER, PARENT, ROLLUP, Stack, clean_stack, open_stack

from agent.bridges import _op_withdrawals as withdrawals
from agent.bridges._op_stack import PORTAL, bridge_data
from agent.bridges.canonical_op import make
from agent.core.intent import Receipt
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.errors import BadReply
from agent.lab.providers import _op_contracts as there
from agent.ports import Act, Gone, Waiting
from agent.wire import calldata
from agent.wire.abi import decode

CHALLENGED = there.CLOCK_SECONDS + 1
MATURED = there.PROOF_MATURITY_SECONDS + there.AIR_GAP_SECONDS + 1
REVERTS = "0x5f5ffd"
"""Code of an account that takes no money: PUSH0 PUSH0 REVERT."""

PROVE = PORTAL["proveWithdrawalTransaction"]
FINALIZE = PORTAL["finalizeWithdrawalTransaction"]
FINALIZE_FOR = PORTAL["finalizeWithdrawalTransactionExternalProof"]


@pytest.fixture(scope="module")
def opened(lab_cache: Path) -> Iterator[Stack]:
    with open_stack(lab_cache) as found:
        yield found


@pytest.fixture
def stack(opened: Stack) -> Iterator[Stack]:
    with clean_stack(opened) as found:
        yield found


@pytest.fixture
def sent(stack: Stack) -> Receipt:
    return stack.send(stack.withdrawal_leg())


@pytest.fixture
def leg(stack: Stack) -> Leg:
    return stack.withdrawal_leg()


def act(stack: Stack, leg: Leg, sent: Receipt) -> Act:
    """What the bridge asks for now, and its call."""
    found = stack.track(leg, sent)
    assert isinstance(found, Act), found
    return found


def call(found: Act) -> Call:
    assert isinstance(found.draft.payload, Call)
    return found.draft.payload


def wait(stack: Stack, leg: Leg, sent: Receipt) -> Waiting:
    found = stack.track(leg, sent)
    assert isinstance(found, Waiting), found
    return found


def prove(stack: Stack, leg: Leg, sent: Receipt, account: Address = WALLET) -> None:
    """An output covers it, and *account* proves it."""
    stack.pass_time()
    found = act(stack, leg, sent)
    assert PROVE.selector == call(found).data[:10]
    stack.claim(found, account)


def mature(stack: Stack) -> None:
    """The game of an undisputed output ends, and all delays are over."""
    stack.pass_time(CHALLENGED)
    stack.pass_time(MATURED)


def finalize_for_us(stack: Stack, paying: Act) -> None:
    """A stranger finalises by the wallet's own proof."""
    (fields,) = decode(FINALIZE.inputs, bytes.fromhex(call(paying).data[10:]))
    data = FINALIZE_FOR.encode(fields, WALLET)
    assert stack.sent(Call(PARENT, Address(there.PORTAL), 0, data), STRANGER).ok


# The long way.


def test_withdrawal_waits_for_an_output_then_is_proven_and_paid(
    stack: Stack, leg: Leg, sent: Receipt
) -> None:
    before = wait(stack, leg, sent)
    block = sent.block_number
    assert (
        f"1.0000 ETH: it waits for an output of chain 8453 that covers its block {block} "
        "(the newest is of block 0), then it is proven, and paid after 8 s"
    ) == before.why
    stack.pass_time()
    proving = act(stack, leg, sent)
    assert "1.0000 ETH: its withdrawal is proven by the rollup's output 0" == proving.why
    receipt = stack.claim(proving)
    assert receipt.gas_used < proving.draft.gas_limit < 3 * receipt.gas_used
    proven = wait(stack, leg, sent)
    assert proven.why.startswith(
        "1.0000 ETH: its withdrawal is proven; anybody may challenge the output that it rests on, "
        "and it is paid after 20"
    )
    assert 0 < proven.until - stack.now() <= MATURED
    mature(stack)
    paying = act(stack, leg, sent)
    why = "1.0000 ETH: the challenge period of its withdrawal is over, and it is paid"
    assert (why, FINALIZE.selector) == (paying.why, call(paying).data[:10])
    held = stack.held(PARENT)
    fee = stack.claim(paying).fee
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)
    assert held + ETHER - fee == stack.held(PARENT)
    assert before.id == proven.id


def test_payment_is_never_asked_for_too_early(stack: Stack, leg: Leg, sent: Receipt) -> None:
    prove(stack, leg, sent)
    seen = []
    for _ in range(MATURED):
        stack.pass_time()
        found = stack.track(leg, sent)
        if isinstance(found, Act):
            stack.claim(found)
            break
        assert isinstance(found, Waiting)
        seen.append(found.until)
    assert len(set(seen)) <= 2, "the moment is told in advance, and once more as the game ends"
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)


def test_output_of_the_same_second_is_not_proven_by(stack: Stack, leg: Leg, sent: Receipt) -> None:
    stack.worlds.turn()
    assert f"(the newest is of block {sent.block_number}, and is too new)" in (
        wait(stack, leg, sent).why
    )
    stack.worlds.jump(1)
    assert PROVE.selector == call(act(stack, leg, sent)).data[:10]


def test_game_that_nobody_ends_is_said(stack: Stack, leg: Leg, sent: Receipt) -> None:
    prove(stack, leg, sent)
    stack.worlds.jump(2 * MATURED + CHALLENGED)
    why = "1.0000 ETH: its withdrawal is proven, and nobody has ended the game of its output yet"
    assert why == wait(stack, leg, sent).why


# Outputs that are false, and that fall.


def test_false_outputs_are_not_proven_by(stack: Stack, leg: Leg, sent: Receipt) -> None:
    stack.tell("forge", sent.block_number)
    stack.tell("forge", 10**9)
    stack.worlds.jump(2)
    assert f"(the newest is of block {sent.block_number}, and is not what our own node says)" in (
        wait(stack, leg, sent).why
    )
    stack.pass_time()
    stack.tell("forge", stack.nodes[ROLLUP].block().number)
    stack.worlds.jump(2)
    found = act(stack, leg, sent)
    assert "1.0000 ETH: its withdrawal is proven by the rollup's output 2" == found.why


@pytest.mark.parametrize("order", ["challenge", "blacklist"])
def test_withdrawal_is_proven_once_more_when_its_output_falls(
    stack: Stack, leg: Leg, sent: Receipt, order: str
) -> None:
    prove(stack, leg, sent)
    stack.tell(order)
    for _ in range(3):
        stack.pass_time(CHALLENGED)
    again = act(stack, leg, sent)
    assert (
        "1.0000 ETH: its withdrawal is proven by the rollup's output 1 once more, since the output "
        "before was given up"
    ) == again.why
    stack.claim(again)
    mature(stack)
    stack.claim(act(stack, leg, sent))
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)


def test_proof_that_the_portal_never_takes_is_made_once_more(
    stack: Stack, leg: Leg, sent: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(stack, leg, sent)
    mature(stack)
    honest = withdrawals.Portals.proofs

    def never_ready(*args: Any) -> Any:
        return tuple(replace(each, ready=False) for each in honest(*args))

    monkeypatch.setattr(withdrawals.Portals, "proofs", never_ready)
    wait(stack, leg, sent)
    stack.worlds.jump(withdrawals.SELDOM_SECONDS + 1)
    assert "it waits for an output" in wait(stack, leg, sent).why
    stack.send(leg)
    stack.pass_time()
    assert PROVE.selector == call(act(stack, leg, sent)).data[:10]


def test_paused_portal_is_waited_for(stack: Stack, leg: Leg, sent: Receipt) -> None:
    stack.tell("pause")
    why = "1.0000 ETH: its rollup's guardian has paused withdrawals"
    assert why == wait(stack, leg, sent).why
    stack.tell("unpause")
    stack.pass_time()
    act(stack, leg, sent)


# What others do.


def test_proof_by_somebody_else_is_used(stack: Stack, leg: Leg, sent: Receipt) -> None:
    prove(stack, leg, sent, STRANGER)
    assert f"its withdrawal is proven by {STRANGER}; anybody" in wait(stack, leg, sent).why
    mature(stack)
    paying = act(stack, leg, sent)
    assert FINALIZE_FOR.selector == call(paying).data[:10]
    stack.claim(paying)
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)


def test_proof_by_somebody_else_on_a_false_output_is_not_waited_for(
    stack: Stack, leg: Leg, sent: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(stack, leg, sent, STRANGER)
    honest = withdrawals.Portals.proofs

    def false_output(*args: Any) -> Any:
        return tuple(replace(each, root=bytes(32)) for each in honest(*args))

    monkeypatch.setattr(withdrawals.Portals, "proofs", false_output)
    assert PROVE.selector == call(act(stack, leg, sent)).data[:10]


def test_withdrawal_that_somebody_else_finalises_arrives(
    stack: Stack, leg: Leg, sent: Receipt
) -> None:
    prove(stack, leg, sent)
    mature(stack)
    finalize_for_us(stack, act(stack, leg, sent))
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)


# What goes wrong on Ethereum.


def test_payment_that_failed_is_replayed(stack: Stack, leg: Leg, sent: Receipt) -> None:
    prove(stack, leg, sent)
    mature(stack)
    paying = act(stack, leg, sent)
    ethereum = stack.worlds[PARENT].rpc
    ethereum.call("anvil_setCode", WALLET, REVERTS)
    finalize_for_us(stack, paying)
    failed = act(stack, leg, sent)
    why = "1.0000 ETH: its delivery failed on chain 1 and is tried once more"
    assert (why, there.L1_MESSENGER) == (failed.why, call(failed).to)
    ethereum.call("anvil_setCode", WALLET, "0x")
    stack.claim(failed)
    stack.pass_time()
    assert Amount(native(PARENT), ETHER) == stack.arrived(leg, sent)


def test_withdrawal_that_was_passed_on_and_not_delivered_is_gone(
    stack: Stack, leg: Leg, sent: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawals.Portals, "is_finalized", lambda *_: True)
    found = stack.track(leg, sent)
    assert isinstance(found, Gone)
    assert "passed withdrawal 0 on and nothing was delivered" in found.why


def test_message_that_the_rollup_did_not_keep_is_gone(
    stack: Stack, leg: Leg, sent: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawals.Messages, "withdrawn", lambda *_: None)
    why = f"transaction {sent.hash} withdrew nothing by the rollup"
    assert Gone(why) == stack.track(leg, sent)


def test_contract_that_does_not_answer_is_an_error(stack: Stack, leg: Leg, sent: Receipt) -> None:
    stack.worlds[PARENT].rpc.call("anvil_setCode", there.GAME_FACTORY, REVERTS)
    with pytest.raises(BadReply, match="does not answer gameCount"):
        stack.track(leg, sent)


def test_node_without_proofs_is_an_error(stack: Stack, leg: Leg, sent: Receipt) -> None:
    class Proofless:
        def __init__(self, inner: Any) -> None:
            for name in ("chain", "block", "logs_of", "logs", "read"):
                setattr(self, name, getattr(inner, name))

    stack.pass_time()
    nodes: Mapping[ChainId, Any] = {**stack.nodes, ROLLUP: Proofless(stack.nodes[ROLLUP])}
    bridge = make(stack.options(), stack.io(nodes))
    with pytest.raises(BadReply, match="the node of chain 8453 makes no proofs"):
        bridge.track(leg, sent, ETHER, 0, stack.now())


# What the claims' bytes mean.


def test_claims_name_the_wallet_inside_the_message_that_they_carry(
    stack: Stack, leg: Leg, sent: Receipt
) -> None:
    stack.pass_time()
    proving = call(act(stack, leg, sent))
    said = calldata.meaning(proving, stack.bridge.layouts, account=WALLET)
    assert isinstance(said, Meaning)
    (relayed,) = said.inner
    (paid,) = relayed.inner
    assert (there.PORTAL, there.L1_MESSENGER, there.L1_BRIDGE) == (
        said.target,
        relayed.target,
        paid.target,
    )
    assert WALLET == paid.recipient
    assert {said.target, relayed.target, paid.target} <= set(stack.bridge.targets(PARENT))


def test_claim_with_another_message_cannot_be_read(stack: Stack, leg: Leg, sent: Receipt) -> None:
    stack.pass_time()
    proving = call(act(stack, leg, sent))
    other = replace(proving, data=proving.data.replace("1635f5fd", "deadbeef"))
    said = calldata.meaning(other, stack.bridge.layouts, account=WALLET)
    assert isinstance(said, Refusal)
    assert "G111" == said.code


@pytest.mark.parametrize("claims", [0, 1])
def test_no_word_of_a_claim_can_be_changed_for_the_profit_of_others(
    stack: Stack, leg: Leg, sent: Receipt, claims: int
) -> None:
    stack.pass_time()
    if claims:
        stack.claim(act(stack, leg, sent))
        mature(stack)
    honest = call(act(stack, leg, sent))
    node, layouts, readable = stack.nodes[PARENT], stack.bridge.layouts, 0
    assert node.simulate(WALLET, [(honest, 1_000_000)], (), ()).ok
    body = bytes.fromhex(honest.data[10:])
    for place in range(0, len(body) - len(body) % 32, 32):
        changed = bytearray(body)
        changed[place + 31] ^= 0x01
        mutant = replace(honest, data=honest.data[:10] + changed.hex())
        if not isinstance(calldata.meaning(mutant, layouts, account=WALLET), Refusal):
            readable += 1
            # The portal refuses it, to which a withdrawal is its hash.
            assert not node.simulate(WALLET, [(mutant, 1_000_000)], (), ()).ok
    assert readable


# From logs alone.


def test_forgotten_withdrawal_is_found_in_every_state(
    stack: Stack, leg: Leg, sent: Receipt
) -> None:
    since = {ROLLUP: sent.block_number, PARENT: stack.nodes[PARENT].block().number}
    stack.sent(Call(ROLLUP, Address(there.L2_BRIDGE), 5, bridge_data(STRANGER)))
    for step in (prove, lambda *_: mature(stack)):
        (found,) = stack.bridge.find(WALLET, since)
        assert (sent.hash, ETHER, native(PARENT)) == (found.deposit, found.sold.raw, found.buy)
        step(stack, leg, sent)
    stack.claim(act(stack, leg, sent))
    assert () == stack.bridge.find(WALLET, since)


def test_rehearsal_pays_what_the_claims_would(stack: Stack, leg: Leg, sent: Receipt) -> None:
    plan = stack.bridge.rehearse(leg, sent, STRANGER)
    assert plan is not None
    expected = Amount(native(PARENT), ETHER)
    assert ((Call(PARENT, WALLET, ETHER, "0x"),), expected, expected) == (
        plan.calls,
        plan.needs,
        plan.brings,
    )
