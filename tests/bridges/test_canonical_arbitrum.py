"""What Arbitrum's canonical bridge offers, what its bytes mean, and where a deposit is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from arbitrum_rigs import (
    CONFIRMATIONS,
    ETHER,
    FAR,
    ME,
    NEAR,
    PERIOD_SECONDS,
    STRANGER,
    WALLET,
    Rollup,
    native,
)
from bridges.arbitrum_lies import Lying, between, changed, meant, owner, silent, waits

from agent.bridges import _arbitrum_deposits
from agent.bridges._arbitrum_contracts import (
    CONTENT,
    DELIVERED,
    EXECUTE,
    Message,
    alias,
)
from agent.bridges.canonical_arbitrum import make
from agent.core.intent import Receipt
from agent.core.money import NATIVE, Address
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.errors import BadReply, NoRoute
from agent.lab.providers._arbitrum_contracts import BRIDGE, INBOX, OUTBOX, ROLLUP
from agent.lab.puppet import Puppet, tx
from agent.ports import Delivered, Gone
from agent.provider import ProviderOptions

# What it offers.


def test_terms_are_one_to_one_and_as_long_as_the_contracts_say(rollup: Rollup) -> None:
    near, far = native(NEAR), native(FAR)
    inward, outward = rollup.bridge.survey([(near, far), (far, near)], {near: 9, far: 9})
    assert ((1, 1), (2, 2), (4, 4), (9, 9)) == inward.ladder == outward.ladder
    assert (900, PERIOD_SECONDS + 3_600) == (inward.seconds, outward.seconds)
    owner(rollup).send(tx(ROLLUP, "setConfirmPeriodBlocks(uint64)", 45_818))
    (outward,) = rollup.bridge.survey([(far, near)], {far: 9})
    assert 45_818 * 12 + 3_600 == outward.seconds
    assert 0 < outward.far_gas


def test_silent_parent_chain_leaves_only_what_needs_no_question(rollup: Rollup) -> None:
    near, far = native(NEAR), native(FAR)
    between(rollup, NEAR, read=silent)
    (edge,) = rollup.bridge.survey([(near, far), (far, near)], {near: 9, far: 9})
    assert (near, far) == (edge.sell, edge.buy)


@pytest.mark.parametrize("missing", ["inbox", "allowed", "outbox"])
def test_closed_bridge_is_no_route(rollup: Rollup, missing: str) -> None:
    inbox, outbox = (INBOX, False), (OUTBOX, False)
    closing = {
        "inbox": tx(INBOX, "pause()"),
        "allowed": tx(BRIDGE, "setDelayedInbox(address,bool)", *inbox),
        "outbox": tx(BRIDGE, "setOutbox(address,bool)", *outbox),
    }
    owner(rollup).send(closing[missing])
    with pytest.raises(NoRoute, match="is closed there"):
        rollup.quote(rollup.leg(inward=missing != "outbox"))


def test_account_with_code_is_not_deposited_for(rollup: Rollup) -> None:
    rollup.worlds[NEAR].rpc.call("anvil_setCode", WALLET, "0xef0100" + "11" * 20)
    with pytest.raises(NoRoute, match="credits an account with code elsewhere"):
        rollup.quote(rollup.leg(inward=True))
    assert ETHER == rollup.quote(rollup.leg(inward=False)).amount_out


def test_chains_that_do_not_name_each_other_are_no_pair(rollup: Rollup) -> None:
    known = rollup.options().chains
    for chain, facts in (
        (NEAR, {**known[NEAR].facts, "child": 10}),
        (FAR, {**known[FAR].facts, "parent": 10}),
        (FAR, {}),
    ):
        changed = {**known, chain: replace(known[chain], facts=facts)}
        bridge = make(ProviderOptions(chains=changed), rollup.io)
        assert {} == dict(bridge.targets(NEAR))
        assert () == bridge.survey([(native(NEAR), native(FAR))], {native(NEAR): 9})
        assert () == bridge.find(WALLET, {NEAR: 0, FAR: 0})
        leg = rollup.leg(inward=True)
        receipt = Receipt(hash="0x", block_number=1, block_hash="0x", ok=True, gas_used=1, fee=1)
        why = "canonical_arbitrum has no way from ETH to ETH"
        assert Gone(why) == bridge.track(leg, receipt, ETHER, 0, 1)
        assert bridge.rehearse(leg, receipt, STRANGER) is None


# What its bytes mean.


def test_deposit_credits_whoever_sends_it_on_the_rollup(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=True)).payload
    assert isinstance(call, Call)
    said = meant(rollup, call)
    assert isinstance(said, Meaning)
    assert (WALLET, FAR, NATIVE, NATIVE) == (said.recipient, said.to_chain, said.sell, said.buy)
    assert (ETHER, ETHER, True) == (said.value, said.min_out, said.lasting)


def test_withdrawal_names_its_recipient(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=False)).payload
    assert isinstance(call, Call)
    said = meant(rollup, call)
    assert isinstance(said, Meaning)
    assert (WALLET, NEAR, NATIVE, NATIVE) == (said.recipient, said.to_chain, said.sell, said.buy)
    assert (ETHER, ETHER, True) == (said.value, said.min_out, said.lasting)
    other = replace(call, data=call.data.replace(WALLET[2:], STRANGER[2:]))
    said = meant(rollup, other)
    assert isinstance(said, Meaning)
    assert STRANGER == said.recipient


def test_call_to_another_contract_leads_nowhere(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=True)).payload
    assert isinstance(call, Call)
    said = meant(rollup, replace(call, to=Address(BRIDGE)))
    assert isinstance(said, Meaning)
    assert (None, None) == (said.to_chain, said.buy)


def test_claim_names_whom_it_pays_and_calls_nothing(rollup: Rollup) -> None:
    fields = (WALLET, WALLET, 1, 1, 1, ETHER)
    claim = Call(NEAR, Address(OUTBOX), 0, EXECUTE.encode([], 0, *fields, b""))
    said = meant(rollup, claim)
    assert isinstance(said, Meaning)
    assert (WALLET, Address(OUTBOX)) == (said.recipient, said.target)
    assert Address(OUTBOX) in rollup.bridge.targets(NEAR)
    calling = replace(claim, data=EXECUTE.encode([], 0, *fields, b"\1"))
    assert isinstance(meant(rollup, calling), Refusal)


def test_deposit_counts_when_its_batch_is_deep_and_the_rollup_is_there(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    assert "is on its way" in waits(rollup.track(leg, deposit))
    assert "is late" in waits(rollup.track(leg, deposit, later=3_700))
    rollup.worlds.jump(3)
    rollup.turn()
    assert "is on its way" in waits(rollup.track(leg, deposit))
    now = rollup.now() + 1_000
    rollup.worlds[NEAR].set_time(now)
    rollup.worlds[NEAR].mine(CONFIRMATIONS)
    why = "message 0 of chain 1 was taken in; the node of chain 42161 is behind it"
    assert why == waits(rollup.track(leg, deposit))
    rollup.worlds[FAR].set_time(now + 60)
    assert isinstance(rollup.track(leg, deposit), Delivered)


def test_deposit_that_was_mined_elsewhere_is_looked_for(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    moved = replace(rollup.deposit(leg), block_hash="0x" + "11" * 32)
    assert "the deposit is not where it was mined" == waits(rollup.track(leg, moved))
    assert rollup.bridge.rehearse(leg, moved, STRANGER) is None


def test_transaction_without_the_deposit_is_gone(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    other = rollup.sent(Call(NEAR, STRANGER, 1, "0x"))
    assert Gone(f"transaction {other.hash} made 0 deposits for this leg") == rollup.track(
        leg, other
    )
    deposit = rollup.deposit(leg)
    found = rollup.bridge.track(leg, deposit, ETHER - 1, 0, rollup.now())
    assert Gone(f"message 0 is of {ETHER} wei, not {ETHER - 1}") == found


def test_message_of_another_kind_is_no_deposit(rollup: Rollup) -> None:
    sender = Puppet(rollup.worlds[NEAR].rpc, WALLET)
    (found,) = sender.send(tx(INBOX, "sendL2Message(bytes)", b"hello"))
    leg = rollup.leg(inward=True)
    other = replace(
        rollup.deposit(leg), hash=found["transactionHash"], block_hash=found["blockHash"]
    )
    why = f"transaction {other.hash} made 0 deposits for this leg"
    assert Gone(why) == rollup.track(leg, other)


def test_deposit_for_another_account_is_gone(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, logs=changed(DELIVERED, sender=STRANGER))
    why = f"message 0 credits {WALLET}, which is not its sender"
    assert Gone(why) == rollup.track(leg, deposit)


@pytest.mark.parametrize(
    "lie",
    [
        changed(CONTENT, data=bytes.fromhex(WALLET[2:]) + (2 * ETHER).to_bytes(32, "big")),
        changed(CONTENT, messageNum=7),
        lambda logs: tuple(log for log in logs if not CONTENT.is_in(log)),
        lambda logs: tuple(replace(log, data=log.data[:-1]) for log in logs),
    ],
)
def test_content_that_is_not_the_bridge_s_is_not_believed(rollup: Rollup, lie: Any) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, logs=lie)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


@pytest.mark.parametrize("said", [None, b"", b"\1" * 31])
def test_answer_that_is_none_is_not_believed(rollup: Rollup, said: bytes | None) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, read=lambda _said: said)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


def test_hash_of_the_crediting_transaction_is_what_arbitrum_s_own_sdk_computes() -> None:
    # EthDepositMessage.calculateDepositTxId of @arbitrum/sdk 4.1.0, run with these arguments.
    log: Any = None
    message = Message(
        number=0x63340, to=Address("0xa111" + "00" * 16 + "0a11"), value=ETHER, log=log
    )
    wanted = "0x8a10d91ff8dc5e772285e2ada4924a239153cbb5a0ec95f69247745d16f79001"
    assert "0xb222" + "00" * 16 + "1b22" == alias(message.to)
    assert wanted == message.credited_by(FAR)


@pytest.mark.parametrize(
    ("ok", "depth", "there"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_deposit_that_the_rollup_shows_is_there_at_its_block(
    rollup: Rollup, ok: bool, depth: int, there: bool
) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    node: Any = rollup.nodes[FAR]

    class Showing(Lying):
        def sight(self, account: Address, hashes: Sequence[str]) -> Any:
            seen = node.sight(account, hashes)
            shown = replace(
                deposit, hash=hashes[0], ok=ok, block_number=seen.head.number - depth + 1
            )
            return replace(seen, receipts=(shown,))

    showing: Any = Showing(node)
    nodes = {**rollup.nodes, FAR: showing}
    bridge = make(rollup.options(), replace(rollup.io, nodes=nodes))
    found = bridge.track(leg, deposit, ETHER, 0, rollup.now())
    assert there == isinstance(found, Delivered)
    assert int(not there) == len(bridge.find(WALLET, {NEAR: 0}))
    if isinstance(found, Delivered):
        assert node.block().number - depth + 1 == found.block


def test_unread_deposits_are_found_however_far_back(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_arbitrum_deposits, "FIRST_WINDOW", 2)
    rollup.deposit(rollup.leg(inward=True, raw=7))
    rollup.take_in()
    made = []
    rollup.worlds.tell(ME, "sequence", "never")
    for raw in (8, 9):
        made.append(rollup.deposit(rollup.leg(inward=True, raw=raw)))
        rollup.worlds[NEAR].mine(9)
    sender = Puppet(rollup.worlds[NEAR].rpc, WALLET)
    sender.send(tx(INBOX, "sendL2Message(bytes)", b"hello"))
    found = rollup.bridge.find(WALLET, {NEAR: 0})
    assert [(8, "1"), (9, "2")] == [(each.sold.raw, each.id) for each in found]
    assert [each.hash for each in made] == [each.deposit for each in found]
    assert [9] == [x.sold.raw for x in rollup.bridge.find(WALLET, {NEAR: made[1].block_number})]


def test_rehearsal_of_a_deposit_pays_the_same(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    plan = rollup.bridge.rehearse(leg, rollup.deposit(leg), STRANGER)
    assert plan is not None
    assert (Call(FAR, WALLET, ETHER, "0x"),) == plan.calls
    assert plan.needs == plan.brings
